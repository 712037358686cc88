#include "cep/agg_exact.h"

#include <math.h>
#include <string.h>

#define EXPONENT_LOW 1074 /* unit: 2^-1074 */

static void add_word(struct cep_exact *sum, uint32_t at, uint64_t word, bool minus)
{
    for (; word && at < CEP_EXACT_WORDS; at++) {
        uint64_t old = sum->words[at];
        sum->words[at] = minus ? old - word : old + word;
        word = minus ? old < word : sum->words[at] < word; /* the carry or borrow */
    }
}

void cep_exact_add(struct cep_exact *sum, double x, int sign)
{
    if (isnan(x)) {
        sum->nan += sign;
        return;
    }
    if (isinf(x)) {
        *(x > 0 ? &sum->positive : &sum->negative) += sign;
        return;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t exponent = (uint32_t)(bits >> 52) & 2047, shift = exponent ? exponent - 1 : 0, off = shift % 64;
    uint64_t mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | (exponent ? UINT64_C(1) << 52 : 0);
    bool minus = (bits >> 63) != (sign < 0);
    add_word(sum, shift / 64, mantissa << off, minus);
    if (off)
        add_word(sum, shift / 64 + 1, mantissa >> (64 - off), minus);
}

void cep_exact_merge(struct cep_exact *to, const struct cep_exact *from)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i < CEP_EXACT_WORDS; i++) {
        uint64_t a = to->words[i] + carry;
        carry = a < carry;
        to->words[i] = a + from->words[i];
        carry += to->words[i] < a;
    }
    to->nan += from->nan;
    to->positive += from->positive;
    to->negative += from->negative;
}

/* Magnitude of sum into words; true: negative. */
static bool magnitude(const struct cep_exact *sum, uint64_t *words)
{
    bool negative = sum->words[CEP_EXACT_WORDS - 1] >> 63;
    uint64_t carry = negative;
    for (uint32_t i = 0; i < CEP_EXACT_WORDS; i++) {
        words[i] = negative ? ~sum->words[i] + carry : sum->words[i];
        carry = carry && words[i] == 0;
    }
    return negative;
}

static bool bit(const uint64_t *words, uint32_t at)
{
    return (words[at / 64] >> (at % 64)) & 1;
}

/* Is any bit below `at` set? */
static bool any_below(const uint64_t *words, uint32_t at)
{
    for (uint32_t i = 0; i < at / 64; i++)
        if (words[i])
            return true;
    return at % 64 && (words[at / 64] << (64 - at % 64)) != 0;
}

double cep_exact_get(const struct cep_exact *sum)
{
    uint64_t words[CEP_EXACT_WORDS];
    if (sum->nan > 0 || (sum->positive > 0 && sum->negative > 0))
        return NAN;
    if (sum->positive > 0 || sum->negative > 0)
        return sum->positive > 0 ? INFINITY : -INFINITY;
    bool negative = magnitude(sum, words);
    uint32_t top = CEP_EXACT_WORDS;
    while (top > 0 && words[top - 1] == 0)
        top--;
    if (top == 0)
        return 0;
    uint32_t high = top * 64 - 1 - (uint32_t)__builtin_clzll(words[top - 1]);
    double value;
    if (high <= 52) {
        value = ldexp((double)words[0], -EXPONENT_LOW);
    } else {
        uint32_t low = high - 52; /* the last bit that counts */
        uint64_t mantissa = words[low / 64] >> (low % 64);
        if (low % 64 && low / 64 + 1 < CEP_EXACT_WORDS)
            mantissa |= words[low / 64 + 1] << (64 - low % 64);
        mantissa &= (UINT64_C(1) << 53) - 1;
        if (bit(words, low - 1) && ((mantissa & 1) || any_below(words, low - 1)))
            mantissa++;
        value = ldexp((double)mantissa, (int)low - EXPONENT_LOW);
    }
    return negative ? -value : value;
}

double cep_exact_rest(const struct cep_exact *sum)
{
    double value = cep_exact_get(sum);
    struct cep_exact rest = *sum;
    if (!isfinite(value))
        return 0;
    cep_exact_add(&rest, value, -1);
    return cep_exact_get(&rest);
}

void cep_exact_save(const struct cep_exact *sum, struct base_buf *out)
{
    uint64_t sign = sum->words[CEP_EXACT_WORDS - 1] >> 63 ? UINT64_MAX : 0;
    uint32_t first = 0, end = CEP_EXACT_WORDS;
    while (first < CEP_EXACT_WORDS && sum->words[first] == 0)
        first++;
    while (end > first && sum->words[end - 1] == sign)
        end--;
    base_buf_put_u8(out, (uint8_t)(sign & 1));
    base_buf_put_u8(out, (uint8_t)first);
    base_buf_put_u8(out, (uint8_t)end);
    for (uint32_t i = first; i < end; i++)
        base_buf_put_u64(out, sum->words[i]);
    base_buf_put_u64(out, (uint64_t)sum->nan);
    base_buf_put_u64(out, (uint64_t)sum->positive);
    base_buf_put_u64(out, (uint64_t)sum->negative);
}

bool cep_exact_load(struct base_reader *in, struct cep_exact *ret)
{
    uint8_t sign = base_read_u8(in);
    uint32_t first = base_read_u8(in), end = base_read_u8(in);
    memset(ret, 0, sizeof *ret);
    if (in->failed || sign > 1 || first > end || end > CEP_EXACT_WORDS)
        return false;
    for (uint32_t i = first; i < CEP_EXACT_WORDS; i++)
        ret->words[i] = i < end ? base_read_u64(in) : sign ? UINT64_MAX : 0;
    ret->nan = (int64_t)base_read_u64(in);
    ret->positive = (int64_t)base_read_u64(in);
    ret->negative = (int64_t)base_read_u64(in);
    return !in->failed;
}
