/* Values: printing, comparison, casts, common types, packed arrays. */
#include "tests/unit/tap.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/time.h"
#include "cep/value.h"

static struct base_arena arena;

static const struct cep_type NONE = CEP_TYPE(NULL), BOOLEAN = CEP_TYPE(BOOLEAN), INT = CEP_TYPE(INT),
                             BIGINT = CEP_TYPE(BIGINT), DOUBLE = CEP_TYPE(DOUBLE), STRING = CEP_TYPE(STRING),
                             DATE = CEP_TYPE(DATE), TIMESTAMP = CEP_TYPE(TIMESTAMP), LTZ = CEP_TYPE(TIMESTAMP_LTZ),
                             DAYS = CEP_TYPE(INTERVAL_DAY), MONTHS = CEP_TYPE(INTERVAL_MONTH), TIME = CEP_TYPE(TIME),
                             BYTES = CEP_TYPE(BYTES), ROW = CEP_TYPE(ROW), MONEY = CEP_DECIMAL_TYPE(12, 2);

static void is_json(struct cep_type type, struct cep_value v, const char *want)
{
    struct base_buf buf = { 0 };
    cep_value_print_json(type, v, &buf);
    IS_STR(buf.ptr, want, want);
    base_buf_finish(&buf);
}

static void test_json(void)
{
    is_json(INT, cep_null(), "null");
    is_json(BOOLEAN, cep_int(1), "true");
    is_json(BIGINT, cep_int(INT64_MIN), "-9223372036854775808");
    is_json(MONEY, cep_dec(-1230), "-12.30");
    is_json(STRING, cep_string("a\"\n\xc3\xa4", 5), "\"a\\\"\\n\xc3\xa4\"");
    is_json(DATE, cep_int(0), "\"1970-01-01\"");
    is_json(TIMESTAMP, cep_int(1500), "\"1970-01-01T00:00:01.500\"");
    is_json(LTZ, cep_int(1500), "\"1970-01-01T00:00:01.500Z\"");
    is_json(TIME, cep_int(3723004), "\"01:02:03.004\"");
    is_json(DAYS, cep_int(-3723004), "\"-0 01:02:03.004\"");
    is_json(MONTHS, cep_int(14), "\"+1-02\"");
    is_json(BYTES, cep_string("hello", 5), "\"aGVsbG8=\"");
    is_json(ROW, cep_string("{\"a\":1}", 7), "{\"a\":1}");
    is_json(DOUBLE, cep_double(0.1), "0.1");
    is_json(DOUBLE, cep_double(5), "5.0");
    is_json(DOUBLE, cep_double(-0.0), "-0.0");
    is_json(DOUBLE, cep_double(1e22), "1.0e+22");
    is_json(DOUBLE, cep_double(123456789012345680), "1.2345678901234568e+17");
    is_json(DOUBLE, cep_double(5e-324), "5.0e-324");
    is_json(DOUBLE, cep_double(0.1 + 0.2), "0.30000000000000004");
    is_json(DOUBLE, cep_double(NAN), "\"NaN\"");
    is_json(DOUBLE, cep_double(-INFINITY), "\"-Infinity\"");
}

static void test_doubles(void)
{
    int wrong = 0;
    uint64_t bits = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        struct cep_value v = { .i = (int64_t)(bits ^ bits >> 29), .null = false };
        struct base_buf json = { 0 }, sql = { 0 };
        double back = 0, again = 0;
        if (!isfinite(v.d))
            continue;
        cep_value_print_json(DOUBLE, v, &json);
        cep_value_print_text(DOUBLE, v, &sql);
        if (!base_str_to_double((struct base_str){ json.ptr, json.len }, &back) || back != v.d ||
            !base_str_to_double((struct base_str){ sql.ptr, sql.len }, &again) || again != v.d)
            wrong++;
        base_buf_finish(&json);
        base_buf_finish(&sql);
    }
    IS_INT(wrong, 0, "random doubles are read back as they were");
}

/* want NULL: the error. */
static void is_cast(struct cep_type from, struct cep_value v, struct cep_type to, int error, const char *want,
                    const char *what)
{
    struct cep_value r = cep_null();
    int e = cep_value_cast(from, to, v, &arena, &r);
    struct base_buf buf = { 0 };
    base_buf_puts(&buf, "");
    if (e == 0)
        cep_value_print_text(to, r, &buf);
    char full[200];
    snprintf(full, sizeof full, "%s gives %s", what, want ? want : base_error_name(error));
    if (!OK(e == error && (e < 0 || strcmp(buf.ptr ? buf.ptr : "", want) == 0), full))
        printf("#  got %d %s\n", e, buf.ptr ? buf.ptr : "");
    base_buf_finish(&buf);
}

static void from_text(const char *text, struct cep_type to, const char *want)
{
    is_cast(STRING, cep_string(text, strlen(text)), to, want ? 0 : BASE_E_CAST, want, text);
}

static void test_casts_of_text(void)
{
    from_text(" 42 ", INT, "42");
    from_text("+42", INT, "42");
    from_text("-12.9", INT, "-12");
    from_text("12.x", INT, NULL);
    from_text("", INT, NULL);
    from_text(".", INT, NULL);
    from_text("+-1", INT, NULL);
    from_text("1e3", INT, NULL);
    is_cast(STRING, cep_string("2147483648", 10), INT, BASE_E_OVERFLOW, NULL, "a text beyond INT");
    is_cast(STRING, cep_string("99999999999999999999", 20), BIGINT, BASE_E_OVERFLOW, NULL, "a text beyond BIGINT");
    from_text("2147483648", BIGINT, "2147483648");
    from_text("1.5e3", DOUBLE, "1500.0");
    from_text("NaN", DOUBLE, "NaN");
    from_text("-Infinity", DOUBLE, "-Infinity");
    from_text("abc", DOUBLE, NULL);
    from_text("12.345", MONEY, "12.35");
    from_text("Yes", BOOLEAN, "TRUE");
    from_text(" f ", BOOLEAN, "FALSE");
    from_text("0", BOOLEAN, "FALSE");
    from_text("maybe", BOOLEAN, NULL);
    from_text("2026-02-28", DATE, "2026-02-28");
    from_text("2026-02-28 12:30:00", DATE, "2026-02-28");
    from_text("2026-02-30", DATE, NULL);
    from_text("2026-02-28T12:30:00.5Z", TIMESTAMP, "2026-02-28 12:30:00.500");
    from_text("2026-02-28 12:30:00+01:00", LTZ, "2026-02-28 11:30:00.000");
    from_text("12:30", TIME, "12:30:00");
    from_text("12:30:01.25", TIME, "12:30:01.250");
    from_text("25:30", TIME, NULL);
    from_text("anything", BYTES, "anything");
    is_cast(BYTES, cep_string("\xff", 1), STRING, BASE_E_CAST, NULL, "bytes that are no UTF-8");
}

static void test_casts_of_others(void)
{
    is_cast(DOUBLE, cep_double(-1.9), INT, 0, "-1", "-1.9 as INT");
    is_cast(DOUBLE, cep_double(2147483648.0), INT, BASE_E_OVERFLOW, NULL, "a double beyond INT");
    is_cast(DOUBLE, cep_double(9223372036854775808.0), BIGINT, BASE_E_OVERFLOW, NULL, "a double beyond BIGINT");
    is_cast(DOUBLE, cep_double(NAN), BIGINT, BASE_E_OVERFLOW, NULL, "NaN as BIGINT");
    is_cast(DOUBLE, cep_double(1.005), MONEY, 0, "1.01", "1.005 as DECIMAL(12, 2)");
    is_cast(DOUBLE, cep_double(1e30), MONEY, BASE_E_OVERFLOW, NULL, "1e30 as DECIMAL(12, 2)");
    is_cast(MONEY, cep_dec(-199), INT, 0, "-1", "-1.99 as INT");
    is_cast(MONEY, cep_dec(-199), DOUBLE, 0, "-1.99", "-1.99 as DOUBLE");
    is_cast(MONEY, cep_dec(-195), CEP_DECIMAL_TYPE(3, 1), 0, "-2.0", "-1.95 as DECIMAL(3, 1)");
    is_cast(BIGINT, cep_int(INT64_MAX), INT, BASE_E_OVERFLOW, NULL, "the greatest BIGINT as INT");
    is_cast(BIGINT, cep_int(7), MONEY, 0, "7.00", "7 as DECIMAL(12, 2)");
    is_cast(BIGINT, cep_int(7), BOOLEAN, 0, "TRUE", "7 as BOOLEAN");
    is_cast(BOOLEAN, cep_int(1), MONEY, 0, "1.00", "TRUE as DECIMAL(12, 2)");
    is_cast(DOUBLE, cep_double(1e10), STRING, 0, "1.0E10", "1e10 as STRING");
    is_cast(DOUBLE, cep_double(0.001), STRING, 0, "0.001", "0.001 as STRING");
    is_cast(DOUBLE, cep_double(0.0001), STRING, 0, "1.0E-4", "0.0001 as STRING");
    is_cast(DOUBLE, cep_double(1234567.5), STRING, 0, "1234567.5", "1234567.5 as STRING");
    is_cast(DAYS, cep_int(93784005), STRING, 0, "+1 02:03:04.005", "an interval as STRING");
    is_cast(TIMESTAMP, cep_int(-1), DATE, 0, "1969-12-31", "a moment before 1970 as DATE");
    is_cast(TIMESTAMP, cep_int(-1), TIME, 0, "23:59:59.999", "a moment before 1970 as TIME");
    is_cast(DATE, cep_int(1), LTZ, 0, "1970-01-02 00:00:00.000", "a DATE as TIMESTAMP_LTZ");
    is_cast(TIMESTAMP, cep_int(1), BIGINT, BASE_E_CAST, NULL, "a TIMESTAMP as BIGINT");
    is_cast(DATE, cep_null(), TIMESTAMP, 0, "", "NULL");
    struct cep_type ints = cep_type_array(INT), texts = cep_type_array(STRING);
    struct cep_value array = cep_null();
    for (int i = 0; i < 3; i++)
        OK(cep_array_append(ints, array, i == 1 ? cep_null() : cep_int(i), &arena, &array) == 0, "append");
    is_cast(ints, array, texts, 0, "[0, NULL, 2]", "an array of INT as one of STRING");
    is_cast(ints, array, STRING, 0, "[0, NULL, 2]", "an array as STRING");
}

/* What exists must work without reading outside; what does not exist is refused. */
static void test_matrix(void)
{
    struct cep_type all[] = {
        NONE, BOOLEAN, INT,  BIGINT, DOUBLE, MONEY, STRING, DATE, TIMESTAMP, LTZ, DAYS, MONTHS, cep_type_array(INT),
        ROW,  TIME,    BYTES
    };
    int exists = 0, implicit = 0;
    bool good = true;
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            struct cep_value v = cep_kind_is_text(all[i].kind) ? cep_string("17", 2) : cep_int(17), r = cep_int(1);
            bool there = cep_cast_exists(all[i], all[j], false);
            int e = cep_value_cast(all[i], all[j], i ? v : cep_null(), &arena, &r);
            good &= there || e == BASE_E_CAST;
            good &= !cep_cast_exists(all[i], all[j], true) || (there && e == 0);
            exists += there;
            implicit += cep_cast_exists(all[i], all[j], true);
            struct cep_type common, other;
            bool has = cep_type_common(all[i], all[j], &common), back = cep_type_common(all[j], all[i], &other);
            good &= has == back && (!has || (cep_type_equal(common, other) && cep_cast_exists(all[i], common, true) &&
                                             cep_cast_exists(all[j], common, true)));
        }
    OK(good, "casts are refused exactly where there are none; common types are symmetric and reached implicitly");
    printf("# %d casts, %d of them implicit\n", exists, implicit);
    struct cep_type common;
    OK(cep_type_common(CEP_DECIMAL_TYPE(12, 2), CEP_DECIMAL_TYPE(10, 4), &common) && common.precision == 14 &&
           common.scale == 4,
       "common DECIMAL");
    OK(cep_type_common(INT, CEP_DECIMAL_TYPE(10, 4), &common) && common.precision == 14 && common.scale == 4,
       "INT with DECIMAL");
    OK(cep_type_common(CEP_DECIMAL_TYPE(38, 0), CEP_DECIMAL_TYPE(38, 38), &common) && common.precision == 38 &&
           common.scale == 0,
       "digits before the point win");
    OK(!cep_type_common(STRING, INT, &common), "STRING and INT have nothing in common");
}

static void test_compare(void)
{
    OK(cep_value_compare(DOUBLE, cep_double(NAN), cep_double(INFINITY)) > 0 &&
           cep_value_same(DOUBLE, cep_double(NAN), cep_double(NAN)),
       "NaN is above all and equal to itself");
    OK(cep_value_compare(DOUBLE, cep_double(0.0), cep_double(-0.0)) == 0, "zeros are equal");
    OK(cep_value_compare(STRING, cep_string("a", 1), cep_string("", 0)) > 0, "the empty text is the least");
    OK(cep_value_compare(MONEY, cep_dec(-5), cep_dec(3)) < 0, "decimals have signs");
    OK(cep_value_same(INT, cep_null(), cep_null()) && !cep_value_same(INT, cep_null(), cep_int(0)),
       "NULL is the same as NULL only");
    OK(cep_type_equal(TIMESTAMP, (struct cep_type){ .kind = CEP_KIND_TIMESTAMP, .precision = 3 }),
       "the precision of a TIMESTAMP does not count");
    OK(!cep_type_equal(MONEY, CEP_DECIMAL_TYPE(12, 3)), "that of a DECIMAL does");
    struct base_buf buf = { 0 };
    cep_type_print(cep_type_array(MONEY), &buf);
    IS_STR(buf.ptr, "ARRAY<DECIMAL(12, 2)>", "a type is printed");
    base_buf_finish(&buf);
}

static void test_arrays(void)
{
    struct cep_type type = cep_type_array(CEP_DECIMAL_TYPE(38, 2)), texts = cep_type_array(STRING);
    struct cep_value array = cep_null();
    for (int i = 0; i < 100; i++)
        if (cep_array_append(type, array, i % 7 ? cep_dec((cep_int128)i << 80) : cep_null(), &arena, &array) < 0)
            break;
    IS_INT(cep_array_count(array), 100, "a hundred elements");
    bool good = true;
    for (uint32_t i = 0; i < 100; i++) {
        struct cep_value v = cep_array_get(type, array, i);
        good &= i % 7 ? !v.null && cep_dec_get(v) == (cep_int128)i << 80 : v.null;
    }
    OK(good && cep_array_get(type, array, 100).null, "each is what was put in; behind them is NULL");
    /* Damaged bytes. */
    char bytes[64];
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        size_t len = (seed = seed * 1664525u + 1013904223u) >> 26;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)((seed = seed * 1664525u + 1013904223u) >> 24 & (i % 4 ? 0x01 : 0x0f));
        struct cep_value v = cep_string(bytes, len);
        (void)cep_array_get(texts, v, 3);
        (void)cep_array_get(type, v, 2);
        struct base_buf buf = { 0 };
        cep_value_print_json(texts, v, &buf);
        base_buf_finish(&buf);
    }
    OK(true, "damaged arrays are read without harm");
}

int main(void)
{
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        printf("# no German locale here: the decimal comma was not tried\n");
    test_json();
    test_doubles();
    test_casts_of_text();
    test_casts_of_others();
    test_matrix();
    test_compare();
    test_arrays();
    base_arena_finish(&arena);
    return tap_done();
}
