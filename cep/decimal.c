#include <string.h>

#include "base/error.h"
#include "cep/value.h"

/* Exact decimal arithmetic: unscaled 128-bit integers, 256-bit intermediates where 128 do not hold them. Every
 * operation works on magnitudes, takes the exact result, rounds it half up (away from zero on a tie) to the wanted
 * scale, once, and checks its digits. */

__extension__ typedef unsigned __int128 u128;

#define DIGITS_MAX 38

static u128 power10(int n) /* 0..38 */
{
    static const uint64_t low[] = { 1u,
                                    10u,
                                    100u,
                                    1000u,
                                    10000u,
                                    100000u,
                                    1000000u,
                                    10000000u,
                                    100000000u,
                                    1000000000u,
                                    10000000000u,
                                    100000000000u,
                                    1000000000000u,
                                    10000000000000u,
                                    100000000000000u,
                                    1000000000000000u,
                                    10000000000000000u,
                                    100000000000000000u,
                                    1000000000000000000u,
                                    10000000000000000000u };
    if (n <= 19)
        return low[n];
    return (u128)low[19] * low[n - 19];
}

static u128 magnitude(cep_int128 n)
{
    return n < 0 ? -(u128)n : (u128)n;
}

static int check(u128 n, bool negative, int precision, cep_int128 *ret)
{
    if (precision < 1 || precision > DIGITS_MAX || n >= power10(precision))
        return BASE_E_OVERFLOW;
    *ret = negative ? -(cep_int128)n : (cep_int128)n;
    return 0;
}

/* ---- 256 bits, little end first ---- */

struct wide {
    uint64_t w[4];
};

static struct wide wide_of(u128 n)
{
    return (struct wide){ { (uint64_t)n, (uint64_t)(n >> 64), 0, 0 } };
}

static bool wide_fits(const struct wide *n)
{
    return !n->w[2] && !n->w[3];
}

static u128 wide_low(const struct wide *n)
{
    return (u128)n->w[1] << 64 | n->w[0];
}

/* a * b; false if it does not fit. */
static bool wide_mul(const struct wide *a, u128 b, struct wide *ret)
{
    uint64_t part[2] = { (uint64_t)b, (uint64_t)(b >> 64) };
    uint64_t sum[6] = { 0 };
    for (int i = 0; i < 4; i++) {
        u128 carry = 0;
        for (int j = 0; j < 2; j++) {
            carry += (u128)a->w[i] * part[j] + sum[i + j];
            sum[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        sum[i + 2] = (uint64_t)carry; /* not written before: i rises */
    }
    if (sum[4] || sum[5])
        return false;
    memcpy(ret->w, sum, sizeof ret->w);
    return true;
}

/* a * 10^n, n in 0..76. */
static bool wide_scale(const struct wide *a, int n, struct wide *ret)
{
    *ret = *a;
    if (n > DIGITS_MAX) {
        if (!wide_mul(ret, power10(DIGITS_MAX), ret))
            return false;
        n -= DIGITS_MAX;
    }
    return wide_mul(ret, power10(n), ret);
}

static int wide_compare(const struct wide *a, const struct wide *b)
{
    for (int i = 3; i >= 0; i--)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

/* The sum of two numbers below 2^255 fits. */
static void wide_add(struct wide *a, const struct wide *b)
{
    u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (u128)a->w[i] + b->w[i];
        a->w[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

/* a -= b, a >= b. */
static void wide_sub(struct wide *a, const struct wide *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        u128 difference = (u128)a->w[i] - b->w[i] - borrow;
        a->w[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
}

static void wide_shift(struct wide *a) /* a <<= 1 */
{
    for (int i = 3; i > 0; i--)
        a->w[i] = a->w[i] << 1 | a->w[i - 1] >> 63;
    a->w[0] <<= 1;
}

/* num = quot * den + rem, bit by bit: it is the rare path, where 128 bits do not hold the numerator. den is not 0 and
 * below 2^255. */
static void wide_divide(const struct wide *num, const struct wide *den, struct wide *ret_quot, struct wide *ret_rem)
{
    struct wide quot = { { 0 } }, rem = { { 0 } };
    if (wide_fits(num) && wide_fits(den)) {
        *ret_quot = wide_of(wide_low(num) / wide_low(den));
        *ret_rem = wide_of(wide_low(num) % wide_low(den));
        return;
    }
    for (int i = 255; i >= 0; i--) {
        wide_shift(&rem);
        rem.w[0] |= num->w[i / 64] >> (i % 64) & 1;
        wide_shift(&quot);
        if (wide_compare(&rem, den) >= 0) {
            wide_sub(&rem, den);
            quot.w[0] |= 1;
        }
    }
    *ret_quot = quot;
    *ret_rem = rem;
}

/* num / den rounded half up, checked, signed. */
static int wide_round(const struct wide *num, const struct wide *den, bool negative, int precision, cep_int128 *ret)
{
    struct wide quot, rem;
    wide_divide(num, den, &quot, &rem);
    struct wide rest = *den;
    wide_sub(&rest, &rem); /* rem * 2 >= den without doubling */
    if (wide_compare(&rem, &rest) >= 0) {
        struct wide one = wide_of(1);
        wide_add(&quot, &one);
    }
    if (!wide_fits(&quot))
        return BASE_E_OVERFLOW;
    return check(wide_low(&quot), negative, precision, ret);
}

/* n with `from` digits behind the point to `to` of them. from may be up to 76. */
static int wide_rescale(const struct wide *n, bool negative, int from, int to, int precision, cep_int128 *ret)
{
    struct wide unit = wide_of(1), scaled;
    if (to >= from) {
        if (!wide_scale(n, to - from, &scaled))
            return BASE_E_OVERFLOW;
        return wide_fits(&scaled) ? check(wide_low(&scaled), negative, precision, ret) : BASE_E_OVERFLOW;
    }
    if (!wide_scale(&unit, from - to, &scaled))
        return BASE_E_OVERFLOW; /* cannot be: 10^76 < 2^253 */
    return wide_round(n, &scaled, negative, precision, ret);
}

/* ---- the operations ---- */

static bool scales_good(int a, int b)
{
    return a >= 0 && a <= DIGITS_MAX && b >= 0 && b <= DIGITS_MAX;
}

int cep_decimal_rescale(cep_int128 n, int from_scale, int to_scale, int precision, cep_int128 *ret)
{
    if (!scales_good(from_scale, to_scale))
        return BASE_E_INVALID;
    u128 m = magnitude(n), scaled;
    if (to_scale >= from_scale) {
        if (__builtin_mul_overflow(m, power10(to_scale - from_scale), &scaled))
            return BASE_E_OVERFLOW;
        return check(scaled, n < 0, precision, ret);
    }
    u128 unit = power10(from_scale - to_scale);
    scaled = m / unit;
    if (m % unit >= unit / 2) /* unit is even */
        scaled++;
    return check(scaled, n < 0, precision, ret);
}

static int wide_sum(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret)
{
    int scale = as > bs ? as : bs;
    struct wide x = wide_of(magnitude(a)), y = wide_of(magnitude(b));
    if (!wide_scale(&x, scale - as, &x) || !wide_scale(&y, scale - bs, &y))
        return BASE_E_OVERFLOW; /* cannot be: 38 + 38 digits */
    bool negative = a < 0;
    if ((a < 0) == (b < 0)) {
        wide_add(&x, &y);
    } else if (wide_compare(&x, &y) >= 0) {
        wide_sub(&x, &y);
    } else {
        wide_sub(&y, &x);
        x = y;
        negative = b < 0;
    }
    return wide_rescale(&x, negative, scale, to.scale, to.precision, ret);
}

int cep_decimal_add(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret)
{
    cep_int128 sum;
    if (!scales_good(as, bs) || to.scale > DIGITS_MAX)
        return BASE_E_INVALID;
    if (as == bs && as == to.scale && !__builtin_add_overflow(a, b, &sum))
        return check(magnitude(sum), sum < 0, to.precision, ret);
    if (as == bs && !__builtin_add_overflow(a, b, &sum))
        return cep_decimal_rescale(sum, as, to.scale, to.precision, ret);
    return wide_sum(a, as, b, bs, to, ret);
}

int cep_decimal_sub(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret)
{
    return cep_decimal_add(a, as, (cep_int128) - (u128)b, bs, to, ret);
}

int cep_decimal_mul(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret)
{
    if (!scales_good(as, bs) || to.scale > DIGITS_MAX)
        return BASE_E_INVALID;
    bool negative = (a < 0) != (b < 0);
    u128 product;
    if (as + bs == to.scale && !__builtin_mul_overflow(magnitude(a), magnitude(b), &product))
        return check(product, negative, to.precision, ret);
    struct wide x = wide_of(magnitude(a));
    if (!wide_mul(&x, magnitude(b), &x))
        return BASE_E_OVERFLOW; /* cannot be */
    return wide_rescale(&x, negative, as + bs, to.scale, to.precision, ret);
}

int cep_decimal_div(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret)
{
    if (!scales_good(as, bs) || to.scale > DIGITS_MAX)
        return BASE_E_INVALID;
    if (b == 0)
        return BASE_E_DIVISION;
    bool negative = (a < 0) != (b < 0);
    int shift = to.scale + bs - as; /* a / b * 10^shift */
    struct wide num = wide_of(magnitude(a)), den = wide_of(magnitude(b));
    if (shift >= 0 ? !wide_scale(&num, shift, &num) : !wide_scale(&den, -shift, &den))
        return BASE_E_OVERFLOW; /* a numerator beyond 2^256 over at most 38 digits has more than 38 digits */
    return wide_round(&num, &den, negative, to.precision, ret);
}

int cep_decimal_mod(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret)
{
    if (!scales_good(as, bs) || to.scale > DIGITS_MAX)
        return BASE_E_INVALID;
    if (b == 0)
        return BASE_E_DIVISION;
    int scale = as > bs ? as : bs;
    struct wide x = wide_of(magnitude(a)), y = wide_of(magnitude(b)), quot, rem;
    if (!wide_scale(&x, scale - as, &x) || !wide_scale(&y, scale - bs, &y))
        return BASE_E_OVERFLOW; /* cannot be: 38 + 38 digits */
    wide_divide(&x, &y, &quot, &rem);
    return wide_rescale(&rem, a < 0, scale, to.scale, to.precision, ret);
}

/* ---- types ---- */

/* Flink's adjustPrecisionScale: keep the digits before the point, and at least six (or all) behind it. */
static struct cep_type adjusted(int precision, int scale)
{
    if (precision <= DIGITS_MAX)
        return CEP_DECIMAL_TYPE((uint8_t)(precision < 1 ? 1 : precision), (uint8_t)scale);
    int whole = precision - scale, least = scale < 6 ? scale : 6;
    int kept = DIGITS_MAX - whole > least ? DIGITS_MAX - whole : least;
    return CEP_DECIMAL_TYPE(DIGITS_MAX, (uint8_t)kept);
}

static void digits_of(struct cep_type type, int *ret_precision, int *ret_scale)
{
    *ret_precision = type.kind == CEP_KIND_INT ? 10 : type.kind == CEP_KIND_BIGINT ? 19 : type.precision;
    *ret_scale = type.kind == CEP_KIND_DECIMAL ? type.scale : 0;
}

struct cep_type cep_decimal_result(char op, struct cep_type a, struct cep_type b)
{
    int p1, s1, p2, s2;
    digits_of(a, &p1, &s1);
    digits_of(b, &p2, &s2);
    int whole1 = p1 - s1, whole2 = p2 - s2, scale = s1 > s2 ? s1 : s2;
    switch (op) {
    case '*': return adjusted(p1 + p2 + 1, s1 + s2);
    case '/': scale = s1 + p2 + 1 > 6 ? s1 + p2 + 1 : 6; return adjusted(whole1 + s2 + scale, scale);
    case '%': return adjusted((whole1 < whole2 ? whole1 : whole2) + scale, scale);
    default: /* + and - */ return adjusted((whole1 > whole2 ? whole1 : whole2) + scale + 1, scale);
    }
}

/* ---- text ---- */

/* Digits of a number as they stand in a text. */
struct spelled {
    u128 n;           /* the first 38 significant digits */
    int64_t exponent; /* value = n * 10^exponent */
    int next;         /* the digit behind the kept ones, -1: none was cut */
    bool negative;
};

static void spell_digit(struct spelled *s, int digit, bool fraction, int *kept)
{
    if (*kept >= DIGITS_MAX) {
        if (s->next < 0)
            s->next = digit;
        s->exponent += !fraction;
        return;
    }
    s->n = s->n * 10 + (unsigned)digit;
    *kept += s->n != 0; /* leading zeros do not count */
    s->exponent -= fraction;
}

static bool spell_exponent(struct base_str text, size_t at, int64_t *exponent)
{
    bool negative = false;
    if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
        negative = text.ptr[at++] == '-';
    if (at == text.len)
        return false;
    int64_t value = 0;
    for (; at < text.len; at++) {
        if (text.ptr[at] < '0' || text.ptr[at] > '9')
            return false;
        if (value < 1000000000)
            value = value * 10 + (text.ptr[at] - '0');
    }
    *exponent += negative ? -value : value;
    return true;
}

static bool spell(struct base_str text, struct spelled *s)
{
    size_t at = 0;
    int kept = 0;
    bool fraction = false, any = false;
    *s = (struct spelled){ .next = -1 };
    if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
        s->negative = text.ptr[at++] == '-';
    for (; at < text.len; at++) {
        char c = text.ptr[at];
        if (c == '.' && !fraction) {
            fraction = true;
        } else if (c >= '0' && c <= '9') {
            spell_digit(s, c - '0', fraction, &kept);
            any = true;
        } else if ((c == 'e' || c == 'E') && any) {
            return spell_exponent(text, at + 1, &s->exponent);
        } else {
            return false;
        }
    }
    return any;
}

int cep_decimal_parse(struct base_str text, struct cep_type type, cep_int128 *ret)
{
    struct spelled s;
    if (!spell(base_str_trim(text), &s))
        return BASE_E_CAST;
    if (s.n == 0) {
        *ret = 0;
        return 0;
    }
    int64_t shift = s.exponent + type.scale; /* unscaled = n * 10^shift, the cut digits behind it */
    if (shift > DIGITS_MAX)
        return BASE_E_OVERFLOW;
    u128 n = s.n;
    if (shift > 0) {
        /* 38 kept digits shifted left overflow any type, so that no cut digit is missed here. */
        if (__builtin_mul_overflow(n, power10((int)shift), &n))
            return BASE_E_OVERFLOW;
    } else if (shift < -DIGITS_MAX) {
        n = 0;
    } else if (shift < 0) {
        u128 unit = power10((int)-shift);
        n = n / unit + (n % unit >= unit / 2);
    } else if (s.next >= 5) {
        n++;
    }
    return check(n, s.negative, type.precision, ret);
}

void cep_decimal_print(cep_int128 n, int scale, struct base_buf *out)
{
    char text[48];
    int at = (int)sizeof text, digits = 0;
    u128 m = magnitude(n);
    do {
        uint64_t low = (uint64_t)m; /* nearly always all of it: a division of 128 bits takes ten times as long */
        if (digits == scale && digits)
            text[--at] = '.';
        text[--at] = (char)('0' + (int)(m >> 64 ? (uint64_t)(m % 10) : low % 10));
        m = m >> 64 ? m / 10 : low / 10;
        digits++;
    } while (m || digits <= scale);
    if (n < 0)
        text[--at] = '-';
    base_buf_put(out, text + at, sizeof text - (size_t)at);
}
