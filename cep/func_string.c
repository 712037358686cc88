#include <string.h>

#include "base/error.h"
#include "cep/func_rules.h"
#include "cep/func_tables.h"
#include "cep/row.h"
#include "cep/text.h"

/* Functions that make texts of texts. Lengths and places count code points, from 1. */

CEP_RULE(strings_string, "S*", 'S')
CEP_RULE(string_int, "S", 'I')
CEP_RULE(string_long_long, "SLL", 'S')
CEP_RULE(string_long_string, "SLS", 'S')
CEP_RULE(overlay, "SSLL", 'S')
CEP_RULE(long_string, "L", 'S')

static struct cep_value part(struct cep_value text, size_t from, size_t len)
{
    return cep_string(text.s.ptr + from, len);
}

static size_t length(struct cep_value v)
{
    return base_utf8_length(v.s.ptr, v.s.len);
}

/* Bytes of the first n code points; negative n: 0. */
static size_t prefix(struct cep_value v, int64_t n)
{
    return n <= 0 ? 0 : base_utf8_prefix(v.s.ptr, v.s.len, (uint64_t)n > v.s.len ? v.s.len : (size_t)n);
}

/* ---- case ---- */

typedef uint32_t map_case(uint32_t code_point, bool *word);

static uint32_t map_upper(uint32_t c, bool *word BASE_UNUSED)
{
    return cep_upper(c);
}

static uint32_t map_lower(uint32_t c, bool *word BASE_UNUSED)
{
    return cep_lower(c);
}

static uint32_t map_initcap(uint32_t c, bool *word)
{
    bool inside = *word;
    *word = cep_is_letter_or_digit(c);
    return inside ? cep_lower(c) : cep_upper(c);
}

static int mapped(const struct cep_call *call, struct cep_value text, map_case *map, struct cep_value *ret)
{
    char *at = NULL;
    size_t len = 0;
    bool word = false;
    int e = cep_text_room(call->arena, text.s.len + 4, &at); /* no mapping takes more bytes than its letter */
    if (e < 0)
        return e;
    for (size_t i = 0; i < text.s.len;) {
        unsigned char c = (unsigned char)text.s.ptr[i];
        if (c < 0x80) {
            at[len++] = (char)map(c, &word);
            i++;
            continue;
        }
        uint32_t code_point = 0;
        size_t bytes = base_utf8_next(text.s.ptr + i, text.s.len - i, &code_point);
        uint32_t other = map(code_point, &word);
        if (other == code_point)
            memcpy(at + len, text.s.ptr + i, bytes);
        len += other == code_point ? bytes : base_utf8_put(other, at + len);
        i += bytes;
    }
    *ret = cep_string(at, len);
    return 0;
}

static int run_upper(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return mapped(call, args[0], map_upper, ret);
}

static int run_lower(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return mapped(call, args[0], map_lower, ret);
}

static int run_initcap(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return mapped(call, args[0], map_initcap, ret);
}

/* ---- trimming ---- */

/* Is the code point at text[0..len) one of the characters? */
static bool among(const char *text, size_t len, struct cep_value characters)
{
    for (size_t i = 0; i + len <= characters.s.len;) {
        uint32_t ignored;
        size_t bytes = base_utf8_next(characters.s.ptr + i, characters.s.len - i, &ignored);
        if (bytes == len && memcmp(characters.s.ptr + i, text, len) == 0)
            return true;
        i += bytes;
    }
    return false;
}

static struct cep_value trimmed(const struct cep_call *call, const struct cep_value *args, bool left, bool right)
{
    struct cep_value characters = call->args > 1 ? args[1] : cep_string(" ", 1), text = args[0];
    const char *from = text.s.ptr, *end = text.s.ptr + text.s.len;
    uint32_t ignored;
    while (left && from < end) {
        size_t bytes = base_utf8_next(from, (size_t)(end - from), &ignored);
        if (!among(from, bytes, characters))
            break;
        from += bytes;
    }
    while (right && from < end) {
        const char *last = end - 1;
        while (last > from && ((unsigned char)*last & 0xC0) == 0x80)
            last--;
        if (!among(last, (size_t)(end - last), characters))
            break;
        end = last;
    }
    return cep_string(from, (size_t)(end - from));
}

static int run_btrim(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = trimmed(call, args, true, true);
    return 0;
}

static int run_ltrim(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = trimmed(call, args, true, false);
    return 0;
}

static int run_rtrim(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = trimmed(call, args, false, true);
    return 0;
}

/* ---- parts ---- */

static int run_length(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int((int64_t)length(args[0]));
    return 0;
}

static int run_octets(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int((int64_t)args[0].s.len);
    return 0;
}

/* Flink's: a negative place counts from the end, 0 is 1, before the start gives the empty text, a negative length NULL.
 */
static int run_substring(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_value text = args[0];
    int64_t place = args[1].i, len = call->args > 2 ? args[2].i : INT64_MAX;
    if (len < 0) {
        *ret = cep_null();
        return 0;
    }
    int64_t count = place < 0 ? (int64_t)length(text) : 0;
    if (place < 0 && place + count < 0) {
        *ret = part(text, 0, 0);
        return 0;
    }
    size_t from = prefix(text, place < 0 ? count + place : place - 1);
    struct cep_value rest = part(text, from, text.s.len - from);
    *ret = part(rest, 0, prefix(rest, len));
    return 0;
}

static int run_left(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = part(args[0], 0, prefix(args[0], args[1].i));
    return 0;
}

static int run_right(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    int64_t count = (int64_t)length(args[0]);
    size_t from = args[1].i <= 0 ? args[0].s.len : args[1].i >= count ? 0 : prefix(args[0], count - args[1].i);
    *ret = part(args[0], from, args[0].s.len - from);
    return 0;
}

/* ---- joining ---- */

static int joined(const struct cep_call *call, const struct cep_value *parts, uint32_t n, struct cep_value separator,
                  struct cep_value *ret)
{
    size_t len = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!parts[i].null) {
            len += parts[i].s.len + (used++ ? separator.s.len : 0);
            if (len > CEP_ROW_BYTES_MAX)
                return BASE_E_LIMIT;
        }
    char *at = NULL;
    int e = cep_text_room(call->arena, len, &at);
    if (e < 0)
        return e;
    *ret = cep_string(at, len);
    used = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (parts[i].null)
            continue;
        if (used++ && separator.s.len) {
            memcpy(at, separator.s.ptr, separator.s.len);
            at += separator.s.len;
        }
        if (parts[i].s.len)
            memcpy(at, parts[i].s.ptr, parts[i].s.len);
        at += parts[i].s.len;
    }
    return 0;
}

static int run_concat(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return joined(call, args, call->args, cep_string("", 0), ret);
}

/* (text, text, ...) or (text, ARRAY<text>) */
static bool rule_concat_ws(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    if (n != 2 || args[1].kind != CEP_KIND_ARRAY)
        return strings_string(args, n, want, ret);
    want[0] = CEP_TYPE(STRING);
    want[1] = cep_type_array(CEP_TYPE(STRING));
    *ret = CEP_TYPE(STRING);
    return cep_cast_exists(args[0], want[0], true) && cep_type_element(args[1]).kind == CEP_KIND_STRING;
}

static int run_concat_ws(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_null();
    if (args[0].null)
        return 0;
    if (call->arg_types[1].kind != CEP_KIND_ARRAY)
        return joined(call, args + 1, call->args - 1, args[0], ret);
    return args[1].null ? 0 : cep_text_join(call->arg_types[1], args[1], args[0], cep_null(), call->arena, ret);
}

static int run_overlay(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_value text = args[0];
    int64_t place = args[2].i, count = (int64_t)length(text),
            len = call->args > 3 ? args[3].i : (int64_t)length(args[1]);
    if (place < 1 || place > count) {
        *ret = text;
        return 0;
    }
    size_t from = prefix(text, place - 1), to = text.s.len;
    if (len <= 0)
        to = from;
    else if (len < count - place + 1)
        to = prefix(text, place - 1 + len);
    struct cep_value parts[] = { part(text, 0, from), args[1], part(text, to, text.s.len - to) };
    return joined(call, parts, 3, cep_string("", 0), ret);
}

/* n bytes of the text again and again. */
static void fill(char *at, size_t n, struct cep_value text)
{
    for (size_t i = 0; i < n; i += text.s.len)
        memcpy(at + i, text.s.ptr, n - i < text.s.len ? n - i : text.s.len);
}

static int run_repeat(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    int64_t times = args[1].i < 0 ? 0 : args[1].i;
    char *at = NULL;
    if (args[0].s.len && times > (int64_t)(CEP_ROW_BYTES_MAX / args[0].s.len))
        return BASE_E_LIMIT;
    size_t len = args[0].s.len ? args[0].s.len * (size_t)times : 0;
    int e = cep_text_room(call->arena, len, &at);
    if (e < 0)
        return e;
    fill(at, len, args[0]);
    *ret = cep_string(at, len);
    return 0;
}

static int padded(const struct cep_call *call, const struct cep_value *args, bool left, struct cep_value *ret)
{
    struct cep_value text = args[0], pad = args[2];
    int64_t want = args[1].i, have = (int64_t)length(text), pad_count = (int64_t)length(pad);
    if (want < 0 || pad.s.len == 0) {
        *ret = cep_null();
        return 0;
    }
    if (want <= have) {
        *ret = part(text, 0, prefix(text, want));
        return 0;
    }
    if (want > (int64_t)CEP_ROW_BYTES_MAX)
        return BASE_E_LIMIT;
    int64_t missing = want - have;
    size_t len = (size_t)(missing / pad_count) * pad.s.len + prefix(pad, missing % pad_count);
    char *at = NULL;
    int e = cep_text_room(call->arena, len + text.s.len, &at);
    if (e < 0)
        return e;
    fill(left ? at : at + text.s.len, len, pad);
    if (text.s.len)
        memcpy(left ? at + len : at, text.s.ptr, text.s.len);
    *ret = cep_string(at, len + text.s.len);
    return 0;
}

static int run_lpad(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return padded(call, args, true, ret);
}

static int run_rpad(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return padded(call, args, false, ret);
}

static int run_reverse(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_value text = args[0];
    char *at = NULL;
    int e = cep_text_room(call->arena, text.s.len, &at);
    if (e < 0)
        return e;
    for (size_t i = 0; i < text.s.len;) {
        uint32_t ignored;
        size_t bytes = base_utf8_next(text.s.ptr + i, text.s.len - i, &ignored);
        i += bytes;
        memcpy(at + text.s.len - i, text.s.ptr + i - bytes, bytes);
    }
    *ret = cep_string(at, text.s.len);
    return 0;
}

/* TRANSLATE(text, from, to): the nth character of `from` becomes the nth of `to`, or vanishes. */
static int run_translate(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_value text = args[0], from = args[1], to = args[2];
    struct base_buf buf = { .limit = CEP_ROW_BYTES_MAX };
    for (size_t i = 0; i < text.s.len;) {
        uint32_t c, f, t;
        size_t bytes = base_utf8_next(text.s.ptr + i, text.s.len - i, &c), a = 0, b = 0;
        bool found = false;
        while (a < from.s.len && !found) {
            a += base_utf8_next(from.s.ptr + a, from.s.len - a, &f);
            found = f == c;
            size_t step = b < to.s.len ? base_utf8_next(to.s.ptr + b, to.s.len - b, &t) : 0;
            if (found && step)
                base_buf_put(&buf, to.s.ptr + b, step);
            b += step;
        }
        if (!found)
            base_buf_put(&buf, text.s.ptr + i, bytes);
        i += bytes;
    }
    return cep_text_take(&buf, call->arena, ret);
}

/* ---- codes ---- */

static int run_ascii(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(args[0].s.len ? (unsigned char)args[0].s.ptr[0] : 0);
    return 0;
}

static int run_chr(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    char *at = NULL;
    int e = cep_text_room(call->arena, 4, &at);
    if (e < 0)
        return e;
    *ret = args[0].i < 0 ? cep_null() : cep_string(at, base_utf8_put((uint32_t)(args[0].i & 255), at));
    return 0;
}

static bool rule_hex(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    want[0] = args[0].kind == CEP_KIND_STRING || args[0].kind == CEP_KIND_NULL ? CEP_TYPE(STRING) : CEP_TYPE(BIGINT);
    *ret = CEP_TYPE(STRING);
    return cep_cast_exists(args[0], want[0], true);
}

static int run_hex(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct base_buf buf = { .limit = CEP_ROW_BYTES_MAX };
    if (call->arg_types[0].kind == CEP_KIND_BIGINT)
        base_buf_printf(&buf, "%llX", (unsigned long long)args[0].i);
    else
        for (size_t i = 0; i < args[0].s.len; i++)
            base_buf_printf(&buf, "%02X", (unsigned)(unsigned char)args[0].s.ptr[i]);
    return cep_text_take(&buf, call->arena, ret);
}

static int run_to_base64(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct base_buf buf = { .limit = CEP_ROW_BYTES_MAX };
    cep_base64_print(args[0].s.ptr, args[0].s.len, &buf);
    return cep_text_take(&buf, call->arena, ret);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int run_from_base64(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_value text = args[0];
    char *at = NULL;
    size_t len = text.s.len, out = 0;
    while (len && text.s.ptr[len - 1] == '=' && text.s.len - len < 2)
        len--;
    if (len % 4 == 1)
        return BASE_E_CAST;
    int e = cep_text_room(call->arena, len, &at);
    if (e < 0)
        return e;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text.s.ptr[i]);
        if (digit < 0)
            return BASE_E_CAST;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4) /* every digit but the first of four completes a byte */
            at[out++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    if (base_utf8_check(at, out) != out)
        return BASE_E_CAST;
    *ret = cep_string(at, out);
    return 0;
}

static const struct cep_func table[] = {
    { "UPPER", 1, 1, 0, strings_string, run_upper, NULL, NULL, "UPPER(text)",
      "Upper case of Latin, Greek, Cyrillic and Armenian letters, one letter for one." },
    { "LOWER", 1, 1, 0, strings_string, run_lower, NULL, NULL, "LOWER(text)",
      "Lower case of Latin, Greek, Cyrillic and Armenian letters, one letter for one." },
    { "INITCAP", 1, 1, 0, strings_string, run_initcap, NULL, NULL, "INITCAP(text)",
      "First letter of each word in upper case, the rest in lower case." },
    { "TRIM", 1, 2, 0, strings_string, run_btrim, NULL, NULL, "TRIM(text[, characters])",
      "Text without blanks, or without those characters, at both ends; also TRIM(LEADING|TRAILING|BOTH characters FROM "
      "text)." },
    { "BTRIM", 1, 2, 0, strings_string, run_btrim, NULL, NULL, "BTRIM(text[, characters])", "As TRIM." },
    { "TRIM_BOTH", 1, 2, 0, strings_string, run_btrim, NULL, NULL, "TRIM_BOTH(text[, characters])", "As TRIM." },
    { "LTRIM", 1, 2, 0, strings_string, run_ltrim, NULL, NULL, "LTRIM(text[, characters])",
      "Text without blanks, or without those characters, at its start." },
    { "RTRIM", 1, 2, 0, strings_string, run_rtrim, NULL, NULL, "RTRIM(text[, characters])",
      "Text without blanks, or without those characters, at its end." },
    { "CHAR_LENGTH", 1, 1, 0, string_int, run_length, NULL, NULL, "CHAR_LENGTH(text)", "Number of characters." },
    { "CHARACTER_LENGTH", 1, 1, 0, string_int, run_length, NULL, NULL, "CHARACTER_LENGTH(text)", "As CHAR_LENGTH." },
    { "LENGTH", 1, 1, 0, string_int, run_length, NULL, NULL, "LENGTH(text)", "As CHAR_LENGTH." },
    { "OCTET_LENGTH", 1, 1, 0, string_int, run_octets, NULL, NULL, "OCTET_LENGTH(text)", "Number of bytes in UTF-8." },
    { "SUBSTRING", 2, 3, 0, string_long_long, run_substring, NULL, NULL, "SUBSTRING(text, from[, length])",
      "Part of the text from a place on, counted from 1; a negative place counts from the end. Also SUBSTRING(text "
      "FROM from FOR length)." },
    { "SUBSTR", 2, 3, 0, string_long_long, run_substring, NULL, NULL, "SUBSTR(text, from[, length])", "As SUBSTRING." },
    { "LEFT", 2, 2, 0, string_long_long, run_left, NULL, NULL, "LEFT(text, n)", "The first n characters." },
    { "RIGHT", 2, 2, 0, string_long_long, run_right, NULL, NULL, "RIGHT(text, n)", "The last n characters." },
    { "CONCAT", 1, CEP_FUNC_ARGS_MAX, 0, strings_string, run_concat, NULL, NULL, "CONCAT(a, b, ...)",
      "The texts one behind the other; NULL if any is NULL." },
    { "CONCAT_WS", 2, CEP_FUNC_ARGS_MAX, CEP_FUNC_SEES_NULL, rule_concat_ws, run_concat_ws, NULL, NULL,
      "CONCAT_WS(separator, a, b, ...)", "The texts, or those of one array, that are not NULL, with the separator between." },
    { "OVERLAY", 3, 4, 0, overlay, run_overlay, NULL, NULL, "OVERLAY(text, part, from[, length])",
      "The text with the part put in the place of its characters from a place on. Also OVERLAY(text PLACING part FROM "
      "from FOR length)." },
    { "REPEAT", 2, 2, 0, string_long_long, run_repeat, NULL, NULL, "REPEAT(text, n)", "The text n times." },
    { "LPAD", 3, 3, 0, string_long_string, run_lpad, NULL, NULL, "LPAD(text, length, pad)",
      "The text, filled up at its start or cut to that length." },
    { "RPAD", 3, 3, 0, string_long_string, run_rpad, NULL, NULL, "RPAD(text, length, pad)",
      "The text, filled up at its end or cut to that length." },
    { "REVERSE", 1, 1, 0, strings_string, run_reverse, NULL, NULL, "REVERSE(text)",
      "The characters in reverse order." },
    { "TRANSLATE", 3, 3, 0, strings_string, run_translate, NULL, NULL, "TRANSLATE(text, from, to)",
      "The text with each character of from replaced by the one at its place in to, or left out." },
    { "ASCII", 1, 1, 0, string_int, run_ascii, NULL, NULL, "ASCII(text)",
      "Value of the first byte; 0 of the empty text." },
    { "CHR", 1, 1, 0, long_string, run_chr, NULL, NULL, "CHR(n)",
      "The character with the number n modulo 256 in ISO-8859-1; NULL if n is negative." },
    { "HEX", 1, 1, 0, rule_hex, run_hex, NULL, NULL, "HEX(number_or_text)",
      "Hexadecimal digits of an integer, or of the text's bytes." },
    { "TO_BASE64", 1, 1, 0, strings_string, run_to_base64, NULL, NULL, "TO_BASE64(text)",
      "Base64 of the text's UTF-8." },
    { "FROM_BASE64", 1, 1, 0, strings_string, run_from_base64, NULL, NULL, "FROM_BASE64(text)",
      "The text that the base64 stands for; an error if there is none." },
};

struct cep_func_table cep_func_table_string(void)
{
    return (struct cep_func_table){ table, sizeof table / sizeof *table };
}
