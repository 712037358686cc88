/* Exact decimals: known results, Flink's result types, and random arithmetic against schoolbook arithmetic on digit
 * strings. */
#include "tests/unit/rnd.h"
#include "tests/unit/tap.h"

#include <stdlib.h>

#include "base/error.h"
#include "cep/value.h"

static void is_text(cep_int128 n, int scale, const char *want)
{
    struct base_buf buf = { 0 };
    cep_decimal_print(n, scale, &buf);
    IS_STR(buf.ptr, want, want);
    base_buf_finish(&buf);
}

static cep_int128 number(const char *text, int scale)
{
    cep_int128 n = 0;
    int e = cep_decimal_parse(base_str_of(text), CEP_DECIMAL_TYPE(38, (uint8_t)scale), &n);
    if (e < 0)
        printf("# %s does not parse: %d\n", text, e);
    return n;
}

static void test_text(void)
{
    is_text(0, 0, "0");
    is_text(0, 2, "0.00");
    is_text(5, 2, "0.05");
    is_text(-1205, 2, "-12.05");
    is_text(number("99999999999999999999999999999999999999", 0), 0, "99999999999999999999999999999999999999");
    is_text(number("-0.00000000000000000000000000000000000001", 38), 38, "-0.00000000000000000000000000000000000001");
    struct {
        const char *text;
        int precision, scale, error;
        const char *want;
    } cases[] = {
        { "12.345", 5, 2, 0, "12.35" },
        { "12.3449999", 5, 2, 0, "12.34" },
        { "-12.345", 5, 2, 0, "-12.35" },
        { " 1e2 ", 5, 2, 0, "100.00" },
        { "1.5E-2", 5, 2, 0, "0.02" },
        { "+.5", 5, 2, 0, "0.50" },
        { "5.", 5, 2, 0, "5.00" },
        { "999.995", 5, 2, BASE_E_OVERFLOW, "" },
        { "1000", 5, 2, BASE_E_OVERFLOW, "" },
        { "", 5, 2, BASE_E_CAST, "" },
        { "1.2.3", 5, 2, BASE_E_CAST, "" },
        { "1e", 5, 2, BASE_E_CAST, "" },
        { ".", 5, 2, BASE_E_CAST, "" },
        { "0x1", 5, 2, BASE_E_CAST, "" },
        { "1e99999999999", 5, 2, BASE_E_OVERFLOW, "" },
        { "1e-99999999999", 5, 2, 0, "0.00" },
        { "0e99999999999", 5, 2, 0, "0.00" },
        { "0.0000000000000000000000000000000000000000000000000000000001e56", 5, 2, 0, "0.01" },
        { "123456789012345678901234567890123456785", 38, 0, BASE_E_OVERFLOW, "" },
        { "12345678901234567890123456789012345678.5", 38, 0, 0, "12345678901234567890123456789012345679" },
        { "99999999999999999999999999999999999999.5", 38, 0, BASE_E_OVERFLOW, "" },
        { "123456789012345678901234567890123456789012e-40", 38, 2, 0, "12.35" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cep_int128 n = 0;
        int e = cep_decimal_parse(base_str_of(cases[i].text),
                                  CEP_DECIMAL_TYPE((uint8_t)cases[i].precision, (uint8_t)cases[i].scale), &n);
        struct base_buf buf = { 0 };
        if (e == 0)
            cep_decimal_print(n, cases[i].scale, &buf);
        OK(e == cases[i].error && (e < 0 || strcmp(buf.ptr, cases[i].want) == 0), cases[i].text);
        base_buf_finish(&buf);
    }
}

static void is_type(char op, struct cep_type a, struct cep_type b, int precision, int scale)
{
    struct cep_type t = cep_decimal_result(op, a, b);
    char what[80];
    snprintf(what, sizeof what, "(%u,%u) %c (%u,%u) gives (%d,%d)", a.precision, a.scale, op, b.precision, b.scale,
             precision, scale);
    OK(t.kind == CEP_KIND_DECIMAL && t.precision == precision && t.scale == scale, what);
}

static void test_types(void)
{
    struct cep_type money = CEP_DECIMAL_TYPE(12, 2), wide = CEP_DECIMAL_TYPE(38, 18), whole = CEP_DECIMAL_TYPE(38, 0);
    is_type('+', money, money, 13, 2);
    is_type('-', money, CEP_DECIMAL_TYPE(5, 4), 15, 4);
    is_type('*', money, money, 25, 4);
    is_type('/', money, money, 27, 15);
    is_type('%', money, CEP_DECIMAL_TYPE(5, 4), 5, 4);
    is_type('+', money, CEP_TYPE(INT), 13, 2);
    is_type('*', money, CEP_TYPE(BIGINT), 32, 2);
    is_type('+', wide, wide, 38, 17);
    is_type('*', wide, wide, 38, 6);
    is_type('/', wide, wide, 38, 6);
    is_type('*', whole, whole, 38, 0);
    is_type('/', whole, whole, 38, 6);
}

/* ---- schoolbook: numbers as digit strings, the slow and evident way ---- */

struct big {
    int digits[200]; /* little end first */
    int len;
};

static struct big big_of(cep_int128 n)
{
    struct big b = { { 0 }, 0 };
    unsigned __int128 m = n < 0 ? -(unsigned __int128)n : (unsigned __int128)n;
    for (; m; m /= 10)
        b.digits[b.len++] = (int)(m % 10);
    return b;
}

static struct big big_shift(struct big a, int n) /* times 10^n */
{
    struct big r = { { 0 }, a.len ? a.len + n : 0 };
    for (int i = 0; i < a.len; i++)
        r.digits[i + n] = a.digits[i];
    return r;
}

static struct big big_mul(struct big a, struct big b)
{
    struct big r = { { 0 }, a.len + b.len };
    for (int i = 0; i < a.len; i++)
        for (int j = 0; j < b.len; j++)
            r.digits[i + j] += a.digits[i] * b.digits[j];
    for (int i = 0; i + 1 < r.len; i++) {
        r.digits[i + 1] += r.digits[i] / 10;
        r.digits[i] %= 10;
    }
    while (r.len && r.digits[r.len - 1] == 0)
        r.len--;
    return r;
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    for (int i = a->len - 1; i >= 0; i--)
        if (a->digits[i] != b->digits[i])
            return a->digits[i] < b->digits[i] ? -1 : 1;
    return 0;
}

static struct big big_add(struct big a, struct big b, int sign) /* a + sign * b, a >= b if sign < 0 */
{
    struct big r = { { 0 }, (a.len > b.len ? a.len : b.len) + 1 };
    int carry = 0;
    for (int i = 0; i < r.len; i++) {
        int n = (i < a.len ? a.digits[i] : 0) + sign * (i < b.len ? b.digits[i] : 0) + carry;
        carry = n < 0 ? -1 : n / 10;
        r.digits[i] = n < 0 ? n + 10 : n % 10;
    }
    while (r.len && r.digits[r.len - 1] == 0)
        r.len--;
    return r;
}

static struct big big_divide(struct big a, struct big b, struct big *rem)
{
    struct big q = { { 0 }, a.len };
    *rem = (struct big){ { 0 }, 0 };
    for (int i = a.len - 1; i >= 0; i--) {
        *rem = big_shift(*rem, 1);
        rem->digits[0] = a.digits[i];
        if (rem->len == 0 && a.digits[i])
            rem->len = 1;
        while (big_compare(rem, &b) >= 0) {
            *rem = big_add(*rem, b, -1);
            q.digits[i]++;
        }
    }
    while (q.len && q.digits[q.len - 1] == 0)
        q.len--;
    return q;
}

/* num / den, half up, checked for precision. */
static int big_round(struct big num, struct big den, bool negative, int precision, cep_int128 *ret)
{
    struct big rem, one = big_of(1), q = big_divide(num, den, &rem), twice = big_add(rem, rem, 1);
    if (big_compare(&twice, &den) >= 0)
        q = big_add(q, one, 1);
    if (q.len > precision)
        return BASE_E_OVERFLOW;
    cep_int128 n = 0;
    for (int i = q.len - 1; i >= 0; i--)
        n = n * 10 + q.digits[i];
    *ret = negative ? -n : n;
    return 0;
}

static int naive(char op, cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret)
{
    int scale = as > bs ? as : bs;
    struct big x = big_of(a), y = big_of(b), one = big_of(1), rem;
    bool negative = (a < 0) != (b < 0);
    if (op == '*')
        return big_round(big_shift(big_mul(x, y), to.scale), big_shift(one, as + bs), negative, to.precision, ret);
    if (op == '/')
        return b == 0 ? BASE_E_DIVISION
                      : big_round(big_shift(x, to.scale + bs), big_shift(y, as), negative, to.precision, ret);
    x = big_shift(x, scale - as);
    y = big_shift(y, scale - bs);
    if (op == '%') {
        if (b == 0)
            return BASE_E_DIVISION;
        (void)big_divide(x, y, &rem);
        return big_round(big_shift(rem, to.scale), big_shift(one, scale), a < 0, to.precision, ret);
    }
    bool minus = op == '-' ? b > 0 : b < 0;
    bool less = big_compare(&x, &y) < 0;
    struct big sum = (a < 0) == minus ? big_add(x, y, 1) : less ? big_add(y, x, -1) : big_add(x, y, -1);
    negative = (a < 0) == minus ? a < 0 : less ? minus : a < 0;
    return big_round(big_shift(sum, to.scale), big_shift(one, scale), negative, to.precision, ret);
}

static cep_int128 random_number(int precision)
{
    cep_int128 n = 0;
    int digits = (int)rnd((uint32_t)precision + 1), kind = (int)rnd(6);
    for (int i = 0; i < digits; i++)
        n = n * 10 + (kind == 0 ? 9 : kind == 1 ? (i == 0) : kind == 2 ? 5 * (i == digits - 1) : (int)rnd(10));
    return rnd(2) ? -n : n;
}

static void test_random(void)
{
    static const char ops[] = "+-*/%";
    typedef int operation(cep_int128, int, cep_int128, int, struct cep_type, cep_int128 *);
    static operation *const functions[] = { cep_decimal_add, cep_decimal_sub, cep_decimal_mul, cep_decimal_div,
                                            cep_decimal_mod };
    int wrong = 0, overflows = 0, rounds = 0;
    for (int i = 0; i < 60000; i++) {
        int p1 = 1 + (int)rnd(38), p2 = 1 + (int)rnd(38), s1 = (int)rnd((uint32_t)p1 + 1),
            s2 = (int)rnd((uint32_t)p2 + 1), op = (int)rnd(5);
        cep_int128 a = random_number(p1), b = random_number(p2), got = 0, want = 0;
        struct cep_type to = cep_decimal_result(ops[op], CEP_DECIMAL_TYPE((uint8_t)p1, (uint8_t)s1),
                                                CEP_DECIMAL_TYPE((uint8_t)p2, (uint8_t)s2));
        if (rnd(4) == 0) {
            to.precision = (uint8_t)(1 + rnd(38));
            to.scale = (uint8_t)rnd(to.precision + 1u);
        }
        int e = functions[op](a, s1, b, s2, to, &got), f = naive(ops[op], a, s1, b, s2, to, &want);
        overflows += f == BASE_E_OVERFLOW;
        rounds += f == 0 && want != 0;
        if (e != f || (e == 0 && got != want)) {
            struct base_buf buf = { 0 };
            cep_decimal_print(a, s1, &buf);
            base_buf_printf(&buf, " %c ", ops[op]);
            cep_decimal_print(b, s2, &buf);
            base_buf_printf(&buf, " to (%u,%u): %d, want %d: ", to.precision, to.scale, e, f);
            cep_decimal_print(got, to.scale, &buf);
            base_buf_puts(&buf, ", want ");
            cep_decimal_print(want, to.scale, &buf);
            if (++wrong < 5)
                printf("# %s\n", buf.ptr);
            base_buf_finish(&buf);
        }
    }
    IS_INT(wrong, 0, "60,000 random operations agree with schoolbook arithmetic");
    OK(overflows > 1000 && rounds > 10000, "results and overflows were among them");
}

static void test_rescale(void)
{
    cep_int128 n = 0;
    OK(cep_decimal_rescale(125, 2, 1, 10, &n) == 0 && n == 13, "1.25 rounds to 1.3");
    OK(cep_decimal_rescale(-125, 2, 1, 10, &n) == 0 && n == -13, "-1.25 rounds to -1.3");
    OK(cep_decimal_rescale(124, 2, 1, 10, &n) == 0 && n == 12, "1.24 rounds to 1.2");
    OK(cep_decimal_rescale(99, 1, 0, 1, &n) == BASE_E_OVERFLOW, "9.9 has no room in one digit");
    OK(cep_decimal_rescale(number("99999999999999999999999999999999999999", 0), 0, 1, 38, &n) == BASE_E_OVERFLOW,
       "38 digits cannot be widened");
    OK(cep_decimal_rescale(1, 38, 0, 1, &n) == 0 && n == 0, "38 digits are cut");
    OK(cep_decimal_to_double(number("0.1", 20), 20) == 0.1, "the nearest double of 0.1");
    OK(cep_decimal_to_double(number("-12345678901234567890123456789.125", 3), 3) == -12345678901234567890123456789.125,
       "the nearest double of a wide number");
}

int main(void)
{
    test_text();
    test_types();
    test_random();
    test_rescale();
    return tap_done();
}
