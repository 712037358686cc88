#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"

struct base_str base_str_of(const char *text)
{
    return (struct base_str){ text, text ? strlen(text) : 0 };
}

bool base_str_equal(struct base_str a, struct base_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool base_str_equal_fold(struct base_str a, struct base_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (fold(a.ptr[i]) != fold(b.ptr[i]))
            return false;
    return true;
}

int base_str_compare(struct base_str a, struct base_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order < 0 ? -1 : 1;
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

bool base_str_starts(struct base_str text, struct base_str prefix)
{
    return text.len >= prefix.len && (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

bool base_str_ends(struct base_str text, struct base_str suffix)
{
    return text.len >= suffix.len &&
           (suffix.len == 0 || memcmp(text.ptr + (text.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct base_str base_str_trim(struct base_str text)
{
    while (text.len > 0 && is_blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool base_str_to_i64(struct base_str text, int64_t *ret)
{
    size_t i = 0;
    bool negative = false;
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        negative = text.ptr[i++] == '-';
    if (i == text.len)
        return false;
    /* Counted downwards: the negative range holds one value more. */
    int64_t value = 0;
    for (; i < text.len; i++) {
        if (!is_digit(text.ptr[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, text.ptr[i] - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    *ret = value;
    return true;
}

/* A decimal literal cut into its parts: value = digits * 10^exponent while exact holds. */
struct decimal {
    uint64_t digits;
    int64_t exponent;
    bool exact; /* all significant digits fitted into digits */
    bool negative;
};

static bool scan_exponent(struct base_str text, size_t i, int64_t *ret)
{
    bool negative = false;
    if (i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+'))
        negative = text.ptr[i++] == '-';
    if (i == text.len)
        return false;
    int64_t value = 0;
    for (; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        if (value < 1000000) /* far outside of what a double holds; strtod sees the text itself */
            value = value * 10 + (text.ptr[i] - '0');
    }
    *ret = negative ? -value : value;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit in the mantissa. */
static bool scan_decimal(struct base_str text, struct decimal *ret)
{
    struct decimal out = { .exact = true };
    size_t i = 0, digits = 0;
    bool behind_point = false;
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        out.negative = text.ptr[i++] == '-';
    for (; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && !behind_point) {
            behind_point = true;
            continue;
        }
        if (!is_digit(c))
            break;
        digits++;
        out.exact = out.exact && out.digits <= (UINT64_MAX - 9) / 10;
        if (out.exact)
            out.digits = out.digits * 10 + (uint64_t)(c - '0');
        out.exponent -= behind_point;
    }
    if (digits == 0)
        return false;
    if (i < text.len) {
        int64_t exponent;
        if ((text.ptr[i] != 'e' && text.ptr[i] != 'E') || !scan_exponent(text, i + 1, &exponent))
            return false;
        out.exponent += exponent;
    }
    *ret = out;
    return true;
}

/* The text is a checked decimal literal. newlocale gives the C library's own static "C" object: nothing to free. */
static bool slow_double(struct base_str text, double *ret)
{
    char local[128];
    char *copy = text.len < sizeof local ? local : base_alloc(text.len + 1);
    if (!copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = c_locale ? strtod_l(copy, NULL, c_locale) : NAN;
    if (c_locale)
        freelocale(c_locale);
    if (copy != local)
        base_free(copy);
    if (!isfinite(value))
        return false;
    *ret = value;
    return true;
}

bool base_str_to_double(struct base_str text, double *ret)
{
    static const double power[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    struct decimal decimal;
    if (!scan_decimal(text, &decimal))
        return false;
    if (!decimal.exact || decimal.digits > (UINT64_C(1) << 53) || decimal.exponent < -22 || decimal.exponent > 22)
        return slow_double(text, ret);
    /* Both factors are exact doubles, so one rounding gives the nearest value. */
    double value = (double)decimal.digits;
    value = decimal.exponent < 0 ? value / power[-decimal.exponent] : value * power[decimal.exponent];
    *ret = decimal.negative ? -value : value;
    return true;
}

#define DISTANCE_MOST 64

size_t base_str_distance(struct base_str a, struct base_str b)
{
    if (a.len > DISTANCE_MOST || b.len > DISTANCE_MOST)
        return a.len > b.len ? a.len : b.len;
    size_t row[DISTANCE_MOST + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (fold(a.ptr[i - 1]) != fold(b.ptr[j - 1]));
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}

/* Bytes of the well-formed sequence at text, 0 if there is none. */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0];
    if (lead < 0x80)
        return 1;
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || left < need)
        return 0;
    /* The second byte is narrower behind four leads: overlong forms, surrogates, beyond U+10FFFF. */
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

size_t base_utf8_check(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        uint64_t eight;
        if (len - i >= sizeof eight) {
            memcpy(&eight, at + i, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        size_t step = sequence_length(at + i, len - i);
        if (step == 0)
            return i;
        i += step;
    }
    return len;
}

size_t base_utf8_length(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

size_t base_utf8_prefix(const char *text, size_t len, size_t code_points)
{
    size_t i = 0;
    for (; i < len; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80 && code_points-- == 0)
            break;
    return i;
}

size_t base_utf8_next(const char *text, size_t len, uint32_t *ret_code_point)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t need = sequence_length(at, len);
    if (need <= 1) {
        /* A byte that is no UTF-8 is handed on as the replacement character, so that callers always advance. */
        *ret_code_point = need == 1 ? at[0] : 0xfffd;
        return 1;
    }
    uint32_t code_point = at[0] & (0x7fu >> need);
    for (size_t i = 1; i < need; i++)
        code_point = code_point << 6 | (at[i] & 0x3fu);
    *ret_code_point = code_point;
    return need;
}

size_t base_utf8_put(uint32_t code_point, char ret[4])
{
    if (code_point < 0x80) {
        ret[0] = (char)code_point;
        return 1;
    }
    if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff))
        return 0;
    size_t need = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = need - 1; i > 0; i--) {
        ret[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    ret[0] = (char)((0xf00u >> need & 0xf0) | code_point);
    return need;
}
