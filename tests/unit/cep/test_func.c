/* The built-in functions, called as programs call them: by name through the binding rules, with texts for arguments and
 * results. */
#include "tests/unit/tap.h"
#include "tests/unit/cep/asm.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

static struct cep_funcs *funcs;
static struct base_arena arena;

/* A value from a text of the form "I:5", "D:1.5", "N(5,2):1.25", "S:text", "B:1", "t:2026-01-01 00:00:00",
 * "d:2026-01-01", "i:ms", "0" (NULL). */
static void parse(const char *text, struct cep_type *type, struct cep_value *v)
{
    static const char letters[] = "ILDSBtzdiT";
    static const uint8_t kinds[] = { CEP_KIND_INT,          CEP_KIND_BIGINT,    CEP_KIND_DOUBLE,        CEP_KIND_STRING,
                                     CEP_KIND_BOOLEAN,      CEP_KIND_TIMESTAMP, CEP_KIND_TIMESTAMP_LTZ, CEP_KIND_DATE,
                                     CEP_KIND_INTERVAL_DAY, CEP_KIND_TIME };
    if (*text == '0' && !text[1]) {
        *type = CEP_TYPE(NULL);
        *v = cep_null();
        return;
    }
    const char *colon = strchr(text, ':');
    if (*text == 'N') {
        unsigned precision = 0, scale = 0;
        sscanf(text, "N(%u,%u)", &precision, &scale);
        *type = CEP_DECIMAL_TYPE((uint8_t)precision, (uint8_t)scale);
    } else {
        *type = (struct cep_type){ .kind = kinds[strchr(letters, *text) - letters] };
    }
    struct cep_value s = cep_string(colon + 1, strlen(colon + 1));
    *v = s;
    if (type->kind == CEP_KIND_INTERVAL_DAY)
        *v = cep_int(atoll(colon + 1));
    else if (type->kind != CEP_KIND_STRING && cep_value_cast(CEP_TYPE(STRING), *type, s, &arena, v) < 0)
        printf("# bad argument %s\n", text);
}

/* Calls the function; the result as text goes to out ("NULL", "error -13", "no signature"). */
static void call_text(const char *name, const char *const *texts, uint32_t n, char *out, size_t size)
{
    struct cep_type types[CEP_FUNC_ARGS_MAX], want[CEP_FUNC_ARGS_MAX], again[CEP_FUNC_ARGS_MAX], ret_type, ret_again;
    struct cep_value args[CEP_FUNC_ARGS_MAX], v = cep_null();
    bool constant[CEP_FUNC_ARGS_MAX];
    for (uint32_t i = 0; i < n; i++) {
        parse(texts[i], &types[i], &args[i]);
        constant[i] = true;
    }
    const struct cep_func *f = cep_funcs_find(funcs, base_str_of(name), NULL);
    if (!f || n < f->args_min || n > f->args_max || !f->resolve(types, n, want, &ret_type)) {
        snprintf(out, size, "no signature");
        return;
    }
    if (!f->resolve(want, n, again, &ret_again) || !cep_type_equal(ret_type, ret_again)) {
        snprintf(out, size, "the rule does not hold for its own types");
        return;
    }
    bool null = false;
    for (uint32_t i = 0; i < n; i++) {
        if (!cep_type_equal(want[i], again[i]) || cep_value_cast(types[i], want[i], args[i], &arena, &args[i]) < 0) {
            snprintf(out, size, "argument %u does not cast", i);
            return;
        }
        null |= args[i].null;
    }
    const char *error = NULL;
    struct cep_call call = { .arena = &arena, .arg_types = want, .args = n, .ret_type = ret_type };
    int e = f->prepare ? f->prepare(args, constant, n, &arena, &error, &call.prepared) : 0;
    if (e == 0 && (!null || f->flags & CEP_FUNC_SEES_NULL))
        e = f->run(&call, args, &v);
    if (e < 0) {
        snprintf(out, size, "error %s", base_error_name(e));
    } else {
        struct base_buf buf = { 0 };
        cep_value_print_text(ret_type, v, &buf);
        snprintf(out, size, "%s", v.null ? "NULL" : buf.ptr ? buf.ptr : "");
        base_buf_finish(&buf);
    }
    if (f->unprepare)
        f->unprepare(call.prepared);
}

struct example {
    const char *want, *name, *args[6];
};

static const struct example examples[] = {
    /* texts */
    { "ÄÖÜ ŽΩЖ", "UPPER", { "S:äöü žωж" } },
    { "äöü žωж", "LOWER", { "S:ÄÖÜ ŽΩЖ" } },
    { "STRASSE Ÿ ß", "UPPER", { "S:strasse ÿ ß" } },
    { "Hello World 2nd", "INITCAP", { "S:hELLO wORLD 2ND" } },
    { "ab c", "TRIM", { "S:  ab c " } },
    { "b", "BTRIM", { "S:xyxbyx", "S:yx" } },
    { "byx", "LTRIM", { "S:xyxbyx", "S:yx" } },
    { "xyxb", "RTRIM", { "S:xyxbyx", "S:yx" } },
    { "5", "CHAR_LENGTH", { "S:größe" } },
    { "7", "OCTET_LENGTH", { "S:größe" } },
    { "öße", "SUBSTRING", { "S:größe", "I:3" } },
    { "ö", "SUBSTRING", { "S:größe", "I:3", "I:1" } },
    { "ße", "SUBSTRING", { "S:größe", "I:-2" } },
    { "gr", "SUBSTRING", { "S:größe", "I:0", "I:2" } },
    { "", "SUBSTRING", { "S:größe", "I:-9" } },
    { "", "SUBSTRING", { "S:größe", "I:9" } },
    { "NULL", "SUBSTRING", { "S:größe", "I:1", "I:-1" } },
    { "grö", "LEFT", { "S:größe", "I:3" } },
    { "", "LEFT", { "S:größe", "I:-3" } },
    { "öße", "RIGHT", { "S:größe", "I:3" } },
    { "größe", "RIGHT", { "S:größe", "L:300" } },
    { "ab1", "CONCAT", { "S:a", "S:b", "S:1" } },
    { "NULL", "CONCAT", { "S:a", "0" } },
    { "a-b", "CONCAT_WS", { "S:-", "S:a", "0", "S:b" } },
    { "NULL", "CONCAT_WS", { "0", "S:a" } },
    { "aXYdef", "OVERLAY", { "S:abcdef", "S:XY", "I:2", "I:2" } },
    { "aXYdef", "OVERLAY", { "S:abcdef", "S:XY", "I:2" } },
    { "abcdef", "OVERLAY", { "S:abcdef", "S:XY", "I:9" } },
    { "abcXY", "OVERLAY", { "S:abcdef", "S:XY", "I:4", "I:99" } },
    { "ababab", "REPEAT", { "S:ab", "I:3" } },
    { "error LIMIT", "REPEAT", { "S:ab", "L:9000000000" } },
    { "xyxab", "LPAD", { "S:ab", "I:5", "S:xy" } },
    { "abxyx", "RPAD", { "S:ab", "I:5", "S:xy" } },
    { "a", "LPAD", { "S:ab", "I:1", "S:xy" } },
    { "NULL", "LPAD", { "S:ab", "I:5", "S:" } },
    { "eßörg", "REVERSE", { "S:größe" } },
    { "bxd", "TRANSLATE", { "S:acb", "S:abc", "S:bdx" } },
    { "97", "ASCII", { "S:abc" } },
    { "é", "CHR", { "I:233" } },
    { "1F", "HEX", { "I:31" } },
    { "C3A9", "HEX", { "S:é" } },
    { "aGVsbG8=", "TO_BASE64", { "S:hello" } },
    { "hello", "FROM_BASE64", { "S:aGVsbG8=" } },
    { "error CAST", "FROM_BASE64", { "S:a*b=" } },
    /* searching */
    { "3", "POSITION", { "S:ö", "S:größe" } },
    { "0", "POSITION", { "S:x", "S:größe" } },
    { "5", "LOCATE", { "S:a", "S:abcda", "I:2" } },
    { "2", "INSTR", { "S:abc", "S:b" } },
    { "axxc", "REPLACE", { "S:abc", "S:b", "S:xx" } },
    { "abc", "REPLACE", { "S:abc", "S:", "S:xx" } },
    { "b", "SPLIT_INDEX", { "S:a,b,,c", "S:,", "I:1" } },
    { "", "SPLIT_INDEX", { "S:a,b,,c", "S:,", "I:2" } },
    { "NULL", "SPLIT_INDEX", { "S:a,b,,c", "S:,", "I:4" } },
    { "TRUE", "STARTSWITH", { "S:abc", "S:ab" } },
    { "FALSE", "ENDSWITH", { "S:abc", "S:ab" } },
    { "TRUE", "IS_DIGIT", { "S:0123" } },
    { "FALSE", "IS_DIGIT", { "0" } },
    { "TRUE", "IS_ALPHA", { "S:größe" } },
    { "FALSE", "IS_ALPHA", { "S:a1" } },
    { "TRUE", "IS_DECIMAL", { "S:-12.5e3" } },
    { "FALSE", "IS_DECIMAL", { "S:12,5" } },
    { "3", "LEVENSHTEIN", { "S:kitten", "S:sitting" } },
    { "1", "LEVENSHTEIN", { "S:grösse", "S:grosse" } },
    { "0.9611111111111111", "JARO_WINKLER", { "S:MARTHA", "S:MARHTA" } },
    { "0.0", "JARO_WINKLER", { "S:abc", "S:" } },
    /* numbers */
    { "5", "ABS", { "I:-5" } },
    { "error OVERFLOW", "ABS", { "I:-2147483648" } },
    { "1.25", "ABS", { "N(5,2):-1.25" } },
    { "-1.00", "SIGN", { "N(5,2):-1.25" } },
    { "2", "CEIL", { "N(5,2):1.25" } },
    { "-1", "CEIL", { "N(5,2):-1.25" } },
    { "10", "CEIL", { "N(2,1):9.9" } },
    { "-2", "FLOOR", { "N(5,2):-1.25" } },
    { "-2.0", "FLOOR", { "D:-1.25" } },
    { "3", "ROUND", { "N(5,2):2.50" } },
    { "-3", "ROUND", { "N(5,2):-2.50" } },
    { "2.60", "ROUND", { "N(5,2):2.55", "I:1" } },
    { "100.00", "ROUND", { "N(4,2):99.99", "I:1" } },
    { "1.01", "ROUND", { "D:1.005", "I:2" } },
    { "1200.0", "ROUND", { "D:1249.9", "I:-2" } },
    { "0.0", "ROUND", { "D:1249.9", "I:-5" } },
    { "10000.0", "ROUND", { "D:9999.5", "I:0" } },
    { "1200", "ROUND", { "I:1249", "I:-2" } },
    { "error OVERFLOW", "ROUND", { "I:2147483647", "I:-1" } },
    { "2.50", "TRUNCATE", { "N(5,2):2.59", "I:1" } },
    { "-1.2", "TRUNCATE", { "D:-1.29", "I:1" } },
    { "-1", "MOD", { "I:-7", "I:2" } },
    { "error DIVISION", "MOD", { "I:-7", "I:0" } },
    { "0.50", "MOD", { "N(5,2):7.50", "I:7" } },
    { "8.0", "POWER", { "I:2", "I:3" } },
    { "3.0", "SQRT", { "N(3,1):9.0" } },
    { "error OVERFLOW", "SQRT", { "I:-1" } },
    { "error OVERFLOW", "LN", { "I:0" } },
    { "3.0", "LOG", { "I:2", "I:8" } },
    { "3.141592653589793", "PI", { NULL } },
    { "5", "GREATEST", { "I:1", "L:5", "I:3" } },
    { "1.50", "LEAST", { "N(3,1):1.5", "N(5,2):2.25" } },
    { "NULL", "GREATEST", { "I:1", "0" } },
    { "no signature", "GREATEST", { "I:1", "S:a" } },
    { "6", "BITXOR", { "I:5", "I:3" } },
    /* times */
    { "2026", "EXTRACT", { "S:YEAR", "t:2026-11-21 10:11:12.345" } },
    { "4", "EXTRACT", { "S:quarter", "t:2026-11-21 10:11:12.345" } },
    { "47", "EXTRACT", { "S:WEEK", "d:2026-11-21" } },
    { "53", "EXTRACT", { "S:WEEK", "d:2021-01-03" } },
    { "2020", "EXTRACT", { "S:ISOYEAR", "d:2021-01-03" } },
    { "7", "EXTRACT", { "S:DOW", "d:2026-11-21" } },
    { "6", "EXTRACT", { "S:ISODOW", "d:2026-11-21" } },
    { "325", "EXTRACT", { "S:DOY", "d:2026-11-21" } },
    { "12345", "EXTRACT", { "S:MILLISECOND", "t:2026-11-21 10:11:12.345" } },
    { "1", "EXTRACT", { "S:HOUR", "i:3723004" } },
    { "2", "EXTRACT", { "S:MINUTE", "i:3723004" } },
    { "error INVALID", "EXTRACT", { "S:FORTNIGHT", "d:2026-11-21" } },
    { "10", "HOUR", { "t:2026-11-21 10:11:12" } },
    { "-1", "YEAR", { "t:-0001-01-01 00:00:00" } },
    { "2026-11-21 10:00:00.000", "FLOOR_TIME", { "t:2026-11-21 10:11:12.345", "S:HOUR" } },
    { "2026-11-15 00:00:00.000", "FLOOR_TIME", { "t:2026-11-21 10:11:12.345", "S:WEEK" } },
    { "2026-10-01", "FLOOR_TIME", { "d:2026-11-21", "S:QUARTER" } },
    { "1969-12-31 23:00:00.000", "FLOOR_TIME", { "t:1969-12-31 23:59:59.999", "S:HOUR" } },
    { "2026-12-01 00:00:00.000", "CEIL_TIME", { "t:2026-11-21 10:11:12.345", "S:MONTH" } },
    { "2026-11-21 00:00:00.000", "CEIL_TIME", { "t:2026-11-21 00:00:00", "S:DAY" } },
    { "2024-02-29 00:00:00.000", "TIMESTAMPADD", { "S:MONTH", "I:1", "t:2024-01-31 00:00:00" } },
    { "2023-12-31 23:59:59.000", "TIMESTAMPADD", { "S:SECOND", "I:-1", "t:2024-01-01 00:00:00" } },
    { "1", "TIMESTAMPDIFF", { "S:MONTH", "t:2024-01-31 00:00:00", "t:2024-03-01 00:00:00" } },
    { "-1", "TIMESTAMPDIFF", { "S:DAY", "t:2024-01-03 00:00:00", "t:2024-01-01 00:00:01" } },
    { "120", "TIMESTAMPDIFF", { "S:SECOND", "t:2024-01-03 00:00:00", "z:2024-01-03 00:02:00.999" } },
    { "3723004", "INTERVAL_MS", { "i:3723004" } },
    { "2026-11-21 10:11:12.000", "TO_TIMESTAMP", { "S:2026-11-21 10:11:12" } },
    { "2026-11-21 22:11:00.000", "TO_TIMESTAMP", { "S:21.11.2026 10:11 PM", "S:dd.MM.yyyy hh:mm a" } },
    { "2026-11-21 00:00:00.120", "TO_TIMESTAMP", { "S:20261121000000.12", "S:yyyyMMddHHmmss.SS" } },
    { "2026-11-21 08:00:00.000", "TO_TIMESTAMP", { "S:2026-11-21T10:00+02:00", "S:yyyy-MM-dd'T'HH:mmX" } },
    { "NULL", "TO_TIMESTAMP", { "S:2026-02-30 10:11:12", "S:yyyy-MM-dd HH:mm:ss" } },
    { "NULL", "TO_TIMESTAMP", { "S:garbage" } },
    { "error INVALID", "TO_TIMESTAMP", { "S:garbage", "S:bogus" } },
    { "2026-11-21", "TO_DATE", { "S:2026-11-21" } },
    { "2026-11-01", "TO_DATE", { "S:Nov 2026", "S:MMM yyyy" } },
    { "1970-01-01 00:00:01.500", "TO_TIMESTAMP_LTZ", { "L:1500", "I:3" } },
    { "1970-01-01 00:25:00.000", "TO_TIMESTAMP_LTZ", { "L:1500", "I:0" } },
    { "Sat 21 November 26, 10 o clock AM 3450",
      "DATE_FORMAT",
      { "t:2026-11-21 10:11:12.345", "S:EEE dd MMMM yy, h 'o clock' a SSSS" } },
    { "1500", "UNIX_TIMESTAMP", { "t:1970-01-01 00:25:00.999" } },
    { "1970-01-01 00:25:00", "FROM_UNIXTIME", { "L:1500" } },
    /* conditions and fraud */
    { "2", "COALESCE", { "0", "L:2", "I:3" } },
    { "NULL", "COALESCE", { "0", "0" } },
    { "NULL", "NULLIF", { "I:2", "L:2" } },
    { "2", "NULLIF", { "I:2", "0" } },
    { "b", "IF", { "0", "S:a", "S:b" } },
    { "TRUE", "LUHN_VALID", { "S:4111 1111-1111 1111" } },
    { "FALSE", "LUHN_VALID", { "S:4111111111111112" } },
    { "FALSE", "LUHN_VALID", { "S:none" } },
    { "411111******1111", "MASK_PAN", { "S:4111111111111111" } },
    { "4111 11** **** 1111", "MASK_PAN", { "S:4111 1111 1111 1111" } },
    { "****5678", "MASK_PAN", { "S:12345678" } },
    { "TRUE", "IN_CIDR", { "S:10.1.2.3", "S:10.0.0.0/8" } },
    { "FALSE", "IN_CIDR", { "S:11.1.2.3", "S:10.0.0.0/8" } },
    { "TRUE", "IN_CIDR", { "S:192.168.1.77", "S:192.168.1.64/26" } },
    { "TRUE", "IN_CIDR", { "S:2001:db8::1", "S:2001:db8::/32" } },
    { "FALSE", "IN_CIDR", { "S:10.1.2.3", "S:2001:db8::/32" } },
    { "TRUE", "IN_CIDR", { "S:::ffff:10.1.2.3", "S:10.0.0.0/8" } },
    { "NULL", "IN_CIDR", { "S:nowhere", "S:10.0.0.0/8" } },
    { "error INVALID", "IN_CIDR", { "S:10.0.0.1", "S:10.0.0.0/33" } },
    /* JSON */
    { "x", "JSON_VALUE", { "S:{\"a\": {\"b\": [1, \"x\", {}]}}", "S:$.a.b[1]" } },
    { "1.50", "JSON_VALUE", { "S:{\"a\": 1.50}", "S:lax $['a']" } },
    { "NULL", "JSON_VALUE", { "S:{\"a\": null}", "S:$.a" } },
    { "NULL", "JSON_VALUE", { "S:{\"a\": {}}", "S:$.a" } },
    { "NULL", "JSON_VALUE", { "S:{\"a\": 1", "S:$.b" } },
    { "NULL", "JSON_VALUE", { "S:[1, 2]", "S:$[2]" } },
    { "ä\"\n😀", "JSON_VALUE", { "S:{\"k\\u0065y\": \"\\u00e4\\\"\\n\\ud83d\\ude00\"}", "S:$.key" } },
    { "NULL", "JSON_VALUE", { "S:{\"a\": \"\\ud83d\"}", "S:$.a" } },
    { "error INVALID", "JSON_VALUE", { "S:{}", "S:a.b" } },
    { "[1, {\"c\": \"]\"}]", "JSON_QUERY", { "S:{\"b\": [1, {\"c\": \"]\"}]}", "S:$.b" } },
    { "TRUE", "JSON_EXISTS", { "S:{\"b\": null}", "S:$.b" } },
    { "FALSE", "JSON_EXISTS", { "S:{\"b\": null}", "S:$.c" } },
    /* arrays */
    { "[1, NULL, 3]", "ARRAY", { "I:1", "0", "L:3" } },
};

static void test_examples(void)
{
    char got[512], what[80];
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *x = &examples[i];
        uint32_t n = 0;
        while (n < 6 && x->args[n])
            n++;
        call_text(x->name, x->args, n, got, sizeof got);
        snprintf(what, sizeof what, "%s, example %zu", x->name, i);
        IS_STR(got, x->want, what);
    }
    const char *const berlin_munich[] = { "D:52.52", "D:13.405", "D:48.1372", "D:11.5755" };
    call_text("GEO_DISTANCE", berlin_munich, 4, got, sizeof got);
    OK(fabs(atof(got) - 504.4) < 0.5, "Berlin is 504 km from Munich");
}

/* LIKE against a naive recursive matcher over all short texts and patterns. */
static bool naive_like(const char *text, const char *pattern)
{
    if (!*pattern)
        return !*text;
    if (*pattern == '%')
        return naive_like(text, pattern + 1) || (*text && naive_like(text + 1, pattern));
    return *text && (*pattern == '_' || *pattern == *text) && naive_like(text + 1, pattern + 1);
}

static void spell(uint32_t n, const char *letters, uint32_t base, char out[8])
{
    int len = 0;
    for (; n; n = (n - 1) / base)
        out[len++] = letters[(n - 1) % base];
    out[len] = 0;
}

static void test_like(void)
{
    const struct cep_func *f = cep_funcs_find(funcs, BASE_STR("like"), NULL);
    int wrong = 0, matched = 0;
    for (uint32_t p = 0; p < 1500; p++)
        for (uint32_t t = 0; t < 127; t++) {
            char pattern[8], text[8];
            spell(p, "ab%_", 4, pattern);
            spell(t, "ab", 2, text);
            struct cep_value args[] = { cep_string(text, strlen(text)), cep_string(pattern, strlen(pattern)) },
                             v = cep_null();
            struct cep_call call = { .arena = &arena, .args = 2 };
            if (f->run(&call, args, &v) < 0 || v.i != naive_like(text, pattern))
                wrong++;
            matched += v.i == 1;
        }
    IS_INT(wrong, 0, "LIKE agrees with the naive matcher");
    OK(matched > 1000, "some texts matched");
    char got[64];
    const char *const umlaut[] = { "S:Größe", "S:Gr__e" }, *const escaped[] = { "S:50%", "S:__!%", "S:!" },
                      *const not_escaped[] = { "S:50x", "S:__!%", "S:!" }, *const bad[] = { "S:x", "S:!x", "S:!" };
    call_text("LIKE", umlaut, 2, got, sizeof got);
    IS_STR(got, "TRUE", "_ stands for a character, not a byte");
    call_text("LIKE", escaped, 3, got, sizeof got);
    IS_STR(got, "TRUE", "an escaped % stands for itself");
    call_text("LIKE", not_escaped, 3, got, sizeof got);
    IS_STR(got, "FALSE", "and for nothing else");
    call_text("LIKE", bad, 3, got, sizeof got);
    IS_STR(got, "error INVALID", "an escape before another character is an error");
    /* A text on which backtracking would not end. */
    static char text[20001], pattern[2001];
    memset(text, 'a', 20000);
    for (int i = 0; i < 2000; i++)
        pattern[i] = i % 2 ? 'a' : '%';
    pattern[1999] = 'b';
    struct cep_value args[] = { cep_string(text, 20000), cep_string(pattern, 2000) }, v = cep_null();
    struct cep_call call = { .arena = &arena, .args = 2 };
    OK(f->run(&call, args, &v) == 0 && v.i == 0, "many wildcards do not explode");
}

static void test_arrays(void)
{
    struct cep_type array = cep_type_array(CEP_TYPE(STRING)), types[] = { array, CEP_TYPE(STRING), CEP_TYPE(STRING) };
    struct cep_value elements[] = { cep_string("a", 1), cep_null(), cep_string("bc", 2) }, v = cep_null();
    OK(cep_array_make(array, elements, 3, &arena, &v) == 0 && cep_array_count(v) == 3, "an array of three");
    static const struct {
        const char *name;
        uint32_t n;
        const char *b, *c, *want;
    } calls[] = {
        { "CARDINALITY", 1, NULL, NULL, "3" },       { "ARRAY_CONTAINS", 2, "bc", NULL, "TRUE" },
        { "ARRAY_CONTAINS", 2, "b", NULL, "FALSE" }, { "ARRAY_CONTAINS", 2, NULL, NULL, "TRUE" },
        { "ARRAY_POSITION", 2, "bc", NULL, "3" },    { "ARRAY_JOIN", 2, "-", NULL, "a-bc" },
        { "ARRAY_JOIN", 3, "-", "?", "a-?-bc" },     { "ARRAY_APPEND", 2, "d", NULL, "[a, NULL, bc, d]" },
        { "ELEMENT", 1, NULL, NULL, "error RANGE" }, { "ARRAY_MAX", 1, NULL, NULL, "bc" },
        { "ARRAY_MIN", 1, NULL, NULL, "a" },         { "ARRAY_DISTINCT", 1, NULL, NULL, "[a, NULL, bc]" },
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct cep_func *f = cep_funcs_find(funcs, base_str_of(calls[i].name), NULL);
        struct cep_type want[3], ret;
        struct cep_value args[] = { v, calls[i].b ? cep_string(calls[i].b, strlen(calls[i].b)) : cep_null(),
                                    calls[i].c ? cep_string(calls[i].c, strlen(calls[i].c)) : cep_null() },
                         r = cep_null();
        if (!OK(f && f->resolve(types, calls[i].n, want, &ret), calls[i].name))
            continue;
        struct cep_call call = { .arena = &arena, .arg_types = want, .args = calls[i].n, .ret_type = ret };
        int e = f->run(&call, args, &r);
        struct base_buf buf = { 0 };
        if (e < 0)
            base_buf_printf(&buf, "error %s", base_error_name(e));
        else
            cep_value_print_text(ret, r, &buf);
        IS_STR(buf.ptr, calls[i].want, calls[i].name);
        base_buf_finish(&buf);
    }
    const struct cep_func *ws = cep_funcs_find(funcs, base_str_of("CONCAT_WS"), NULL);
    struct cep_type texts[] = { CEP_TYPE(STRING), array }, numbers[] = { CEP_TYPE(STRING), cep_type_array(CEP_TYPE(INT)) }, asked[2], made;
    struct cep_value parts[] = { cep_string("-", 1), v }, none[] = { cep_string("-", 1), cep_null() }, r = cep_null();
    OK(ws && ws->resolve(texts, 2, asked, &made) && !ws->resolve(numbers, 2, asked, &made), "CONCAT_WS takes an array of texts alone");
    (void)ws->resolve(texts, 2, asked, &made);
    struct cep_call join = { .arena = &arena, .arg_types = asked, .args = 2, .ret_type = made };
    OK(ws->run(&join, parts, &r) == 0 && r.s.len == 4 && memcmp(r.s.ptr, "a-bc", 4) == 0, "CONCAT_WS of an array leaves NULL out");
    OK(ws->run(&join, none, &r) == 0 && r.null, "CONCAT_WS of no array is NULL");
}

/* Random texts out of JSON's own characters, each in a block of its own size, so that a read behind it is seen. */
static void test_random_json(void)
{
    static const char letters[] = "{}[]\":,\\ua0 \\\"1", *const paths[] = { "$.a", "$[0]", "$.a[0].a", "$['a'].u",
                                                                            "$" };
    static const char *const names[] = { "JSON_VALUE", "JSON_QUERY", "JSON_EXISTS" };
    uint32_t seed = 7, found = 0;
    for (int round = 0; round < 60000; round++) {
        size_t len = (seed = seed * 1664525u + 1013904223u) >> 27;
        char *text = base_alloc(len);
        for (size_t i = 0; i < len; i++)
            text[i] = i == 0 && round % 2
                          ? '{'
                          : letters[((seed = seed * 1664525u + 1013904223u) >> 20) % (sizeof letters - 1)];
        const char *path = paths[round % 5];
        struct cep_value args[] = { cep_string(text, len), cep_string(path, strlen(path)) }, v = cep_null();
        struct cep_call call = { .arena = &arena, .args = 2 };
        found += cep_funcs_find(funcs, base_str_of(names[round % 3]), NULL)->run(&call, args, &v) == 0 && !v.null;
        base_free(text);
        base_arena_reset(&arena);
    }
    OK(found > 1000, "random texts are read as JSON without harm");
}

/* Every function survives every combination of argument types that its rule accepts, with edge values; results are what
 * their types say. */
static struct cep_value edge(struct cep_type type, int i)
{
    static const int64_t integers[] = { 0, 1, -1, INT64_MAX, INT64_MIN, 100 };
    static const double doubles[] = { 0, -0.5, 1e300, -1e300, 1, NAN };
    static const char *const texts[] = { "", "a", "größe 4111", "2026-01-01 00:00:00", "%_", "yyyy" };
    if (i == 6)
        return cep_null();
    switch (type.kind) {
    case CEP_KIND_NULL: return cep_null();
    case CEP_KIND_BOOLEAN: return cep_int(i & 1);
    case CEP_KIND_INT:
    case CEP_KIND_DATE:
        return cep_int(integers[i] == INT64_MAX ? INT32_MAX : integers[i] == INT64_MIN ? INT32_MIN : integers[i]);
    case CEP_KIND_DOUBLE: return cep_double(doubles[i]);
    case CEP_KIND_DECIMAL: return cep_dec(i == 3 ? 999999 : i == 4 ? -999999 : integers[i]);
    case CEP_KIND_STRING:
    case CEP_KIND_BYTES:
    case CEP_KIND_ROW:
    case CEP_KIND_ARRAY: /* texts are no arrays: readers must stay inside */
        return cep_string(texts[i], strlen(texts[i]));
    default: return cep_int(integers[i]);
    }
}

static void test_no_function_breaks(void)
{
    static const struct cep_type pool[] = {
        CEP_TYPE(BOOLEAN),       CEP_TYPE(INT),          CEP_TYPE(BIGINT),
        CEP_TYPE(DOUBLE),        CEP_DECIMAL_TYPE(6, 2), CEP_DECIMAL_TYPE(38, 38),
        CEP_TYPE(STRING),        CEP_TYPE(DATE),         CEP_TYPE(TIMESTAMP),
        CEP_TYPE(TIMESTAMP_LTZ), CEP_TYPE(INTERVAL_DAY), CEP_TYPE(INTERVAL_MONTH),
        CEP_TYPE(TIME),          CEP_TYPE(NULL),         { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING }
    };
    const uint32_t types = sizeof pool / sizeof *pool;
    uint64_t calls = 0, signatures = 0;
    bool documented = true;
    for (uint32_t k = 0; k < cep_funcs_count(funcs); k++) {
        const struct cep_func *f = cep_funcs_at(funcs, k);
        documented &= f->signature && *f->signature && f->doc && strchr(".?)", f->doc[strlen(f->doc) - 1]);
        for (uint32_t n = f->args_min; n <= f->args_max && n <= 4; n++) {
            uint32_t combinations = 1;
            for (uint32_t i = 0; i < n; i++)
                combinations *= types;
            for (uint32_t c = 0; c < combinations; c++) {
                struct cep_type args[4], want[4], ret;
                uint32_t rest = c;
                for (uint32_t i = 0; i < n; i++, rest /= types)
                    args[i] = pool[rest % types];
                if (!f->resolve(args, n, want, &ret))
                    continue;
                signatures++;
                for (int e = 0; e < 7; e++) {
                    struct cep_value values[4], v = cep_null();
                    bool null = false;
                    for (uint32_t i = 0; i < n; i++) {
                        values[i] = edge(want[i], (e + (int)i * (int)(c % 5)) % 7);
                        null |= values[i].null;
                    }
                    struct cep_call call = { .arena = &arena, .arg_types = want, .args = n, .ret_type = ret };
                    if (null && !(f->flags & CEP_FUNC_SEES_NULL))
                        continue;
                    calls++;
                    if (f->run(&call, values, &v) == 0 && !v.null) {
                        struct base_buf buf = { 0 };
                        cep_value_print_json(ret, v, &buf);
                        base_buf_finish(&buf);
                    }
                }
                base_arena_reset(&arena);
            }
        }
    }
    printf("# %" PRIu64 " signatures, %" PRIu64 " calls\n", signatures, calls);
    OK(calls > 10000, "every function was called with edge values of every type that it takes");
    OK(documented, "every function has a signature and a line of documentation");
}

int main(void)
{
    funcs = cep_funcs_create();
    OK(funcs != NULL, "the registry holds the built-in functions");
    OK(cep_funcs_find(funcs, BASE_STR("cOaLeScE"), NULL) != NULL, "names are found in any case");
    OK(!cep_funcs_find(funcs, BASE_STR("NO_SUCH_FUNCTION"), NULL), "others are not");
    OK(cep_funcs_add(funcs, cep_funcs_at(funcs, 0), 1) == BASE_E_EXISTS, "a name can be registered once");
    test_examples();
    test_like();
    test_arrays();
    test_random_json();
    test_no_function_breaks();
    cep_funcs_destroy(funcs);
    base_arena_finish(&arena);
    return tap_done();
}
