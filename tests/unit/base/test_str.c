#include "base/str.h"
#include <math.h>
#include <stdlib.h>
#include "base/alloc.h"
#include "tests/unit/base/random.h"
#include "tests/unit/tap.h"

static struct base_str S(const char *text) {
    return base_str_of(text);
}

static void
test_slices(void)
{
    OK(base_str_equal(S(""), S(NULL)), "empty equals NULL");
    OK(base_str_equal(S("abc"), BASE_STR("abc")) && !base_str_equal(S("abc"), S("abd")) &&
           !base_str_equal(S("ab"), S("abc")),
       "equal");
    OK(base_str_equal_fold(S("AbC[z"), S("aBc[Z")) && !base_str_equal_fold(S("["), S("{")),
       "folding touches letters only");
    OK(base_str_compare(S("a"), S("b")) < 0 && base_str_compare(S("ab"), S("a")) > 0 &&
           base_str_compare(S(""), S(NULL)) == 0,
       "compare");
    OK(base_str_compare(S("\xff"), S("a")) > 0, "bytes compare unsigned");
    OK(base_str_starts(S("abc"), S("ab")) && !base_str_starts(S("a"), S("ab")) && base_str_starts(S("a"), S("")),
       "starts");
    OK(base_str_ends(S("abc"), S("bc")) && !base_str_ends(S("c"), S("bc")) && base_str_ends(S(NULL), S("")), "ends");
    OK(base_str_equal(base_str_trim(S(" \t\r\nx y\v ")), S("x y")), "trim");
    IS_INT(base_str_trim(S("  \n ")).len, 0, "trim of blanks");
}

static void test_integers(void)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        { "0", 0 },
        { "-0", 0 },
        { "+7", 7 },
        { "00012", 12 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
    };
    static const char *const bad[] = { "",
                                       "+",
                                       "-",
                                       " 1",
                                       "1 ",
                                       "1.0",
                                       "0x1",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "1e3",
                                       "--1",
                                       "99999999999999999999999" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t value = 42;
        OK(base_str_to_i64(S(good[i].text), &value), good[i].text);
        IS_INT(value, good[i].value, "its value");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 42;
        OK(!base_str_to_i64(S(bad[i]), &value) && value == 42, bad[i]);
    }
}

static void test_doubles(void)
{
    static const char *const good[] = { "0",
                                        "-0.0",
                                        "1",
                                        "1.",
                                        ".5",
                                        "3.25",
                                        "1e10",
                                        "1E+2",
                                        "-2.5e-3",
                                        "1e22",
                                        "1e23",
                                        "9007199254740993",
                                        "123456789012345678901234567890",
                                        "0.1",
                                        "4.9e-324",
                                        "1e-400",
                                        "1.7976931348623157e308",
                                        "2.2250738585072011e-308" };
    static const char *const bad[] = { "",     ".",   "+",   "e5",  "1e",    "1e+",   "1 ", " 1",
                                       "0x10", "nan", "inf", "1,5", "1e999", "1.2.3", "1d" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double value = 42, want = strtod(good[i], NULL);
        OK(base_str_to_double(S(good[i]), &value) && memcmp(&value, &want, sizeof value) == 0, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 42;
        OK(!base_str_to_double(S(bad[i]), &value) && value == 42, bad[i]);
    }
    uint64_t seed = 2;
    bool same = true;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        uint64_t bits = random_next(&seed);
        double value, got = 0;
        if (i & 1) {
            snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, bits >> (bits & 63), random_next(&seed) % 1000000);
        } else {
            memcpy(&value, &bits, sizeof value);
            if (!isfinite(value))
                continue;
            snprintf(text, sizeof text, "%.*g", (int)(random_next(&seed) % 20), value);
        }
        value = strtod(text, NULL);
        if (isfinite(value))
            same = same && base_str_to_double(S(text), &got) && memcmp(&got, &value, sizeof got) == 0;
    }
    OK(same, "random literals equal the C library's value, bit for bit (seed 2)");
    char *long_text = base_alloc(501);
    memset(long_text, '7', 500);
    long_text[200] = '.';
    long_text[500] = 0;
    double value;
    OK(base_str_to_double(S(long_text), &value) && value == strtod(long_text, NULL), "a literal of 500 digits");
    base_free(long_text);
}

static void test_distance(void)
{
    IS_INT(base_str_distance(S("country"), S("contry")), 1, "one letter missing");
    IS_INT(base_str_distance(S("KITTEN"), S("sitting")), 3, "kitten, sitting");
    IS_INT(base_str_distance(S(""), S("abc")), 3, "from empty");
    IS_INT(base_str_distance(S("abc"), S("abc")), 0, "same");
    char name[66];
    memset(name, 'a', 65);
    name[65] = 0;
    IS_INT(base_str_distance(S(name), S("a")), 65, "over 64 bytes: the longer length");
    name[64] = 0;
    IS_INT(base_str_distance(S(name), S("a")), 63, "64 bytes are still measured");
}

static void test_utf8_check(void)
{
    static const struct {
        const char *text;
        size_t valid;
    } cases[] = {
        { "plain ascii, longer than eight", 30 },
        { "\xc3\xa4", 2 },
        { "\xe2\x82\xac", 3 },
        { "\xf0\x9f\x98\x80", 4 },
        { "\xf4\x8f\xbf\xbf", 4 },
        { "a\xc0\x80", 1 },
        { "a\xc1\xbf", 1 },
        { "\xe0\x80\x80", 0 },
        { "\xe0\x9f\xbf", 0 },
        { "\xe0\xa0\x80", 3 },
        { "\xed\x9f\xbf", 3 },
        { "\xed\xa0\x80", 0 },
        { "\xed\xbf\xbf", 0 },
        { "\xee\x80\x80", 3 },
        { "\xf0\x8f\xbf\xbf", 0 },
        { "\xf0\x90\x80\x80", 4 },
        { "\xf4\x90\x80\x80", 0 },
        { "\xf5\x80\x80\x80", 0 },
        { "\x80", 0 },
        { "ab\xff", 2 },
        { "abcdefgh\xc3", 8 },
        { "\xe2\x82", 0 },
        { "\xe2\x82\x28", 0 },
        { "\xf0\x9f\x98", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        IS_INT(base_utf8_check(cases[i].text, strlen(cases[i].text)), cases[i].valid, "UTF-8 prefix");
}

static void test_utf8_code_points(void)
{
    bool round = true, counted = true;
    for (uint32_t c = 1; c <= 0x110005; c++) {
        char at[4];
        uint32_t back = 0;
        size_t len = base_utf8_put(c, at);
        bool legal = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        if (!legal) {
            round = round && len == 0;
            continue;
        }
        round = round && base_utf8_check(at, len) == len && base_utf8_next(at, len, &back) == len && back == c;
        counted = counted && base_utf8_length(at, len) == 1;
    }
    OK(round, "every code point survives encode and decode; no other is encoded");
    OK(counted, "each has length 1");
    const char *text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
    IS_INT(base_utf8_length(text, strlen(text)), 5, "five code points");
    static const size_t bytes[] = { 0, 1, 3, 6, 10, 11, 11 };
    for (size_t n = 0; n < 7; n++)
        IS_INT(base_utf8_prefix(text, strlen(text), n), bytes[n], "prefix bytes");
    uint32_t c = 0;
    IS_INT(base_utf8_next("\xff", 1, &c), 1, "a broken byte is passed over");
    IS_INT(c, 0xfffd, "as the replacement character");
}

int main(void)
{
    test_slices();
    test_integers();
    test_doubles();
    test_distance();
    test_utf8_check();
    test_utf8_code_points();
    return tap_done();
}
