#include "formats/mask.h"

#define PAN_DIGITS_MAX 19
#define SHOWN_FIRST 6
#define SHOWN_LAST 4

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* digits: the decimal digits alone. */
static bool luhn(const char *digits, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(digits[count - 1 - i] - '0');
        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

bool formats_looks_like_pan(struct base_str digits)
{
    if (digits.len < FORMATS_PAN_DIGITS_MIN || digits.len > PAN_DIGITS_MAX || digits.ptr[0] < '2' || digits.ptr[0] > '6')
        return false;
    return luhn(digits.ptr, digits.len);
}

size_t formats_find_pan(struct base_str text, size_t from, size_t *ret_len)
{
    size_t at = from;
    if (text.len < FORMATS_PAN_DIGITS_MIN)
        at = text.len;
    while (at < text.len) {
        if (!is_digit(text.ptr[at])) {
            at++;
            continue;
        }
        char digits[PAN_DIGITS_MAX];
        size_t count = 0, end = at;
        while (end < text.len) {
            if (is_digit(text.ptr[end])) {
                if (count < PAN_DIGITS_MAX)
                    digits[count] = text.ptr[end];
                count++;
                end++;
            } else if ((text.ptr[end] == ' ' || text.ptr[end] == '-') && end + 1 < text.len && is_digit(text.ptr[end + 1])) {
                end++;
            } else {
                break;
            }
        }
        if (count >= FORMATS_PAN_DIGITS_MIN && count <= PAN_DIGITS_MAX && luhn(digits, count)) {
            *ret_len = end - at;
            return at;
        }
        /* "7 4111111111111111" is a number and a card: try each run of plain digits by itself. */
        size_t run = at;
        while (run < end && is_digit(text.ptr[run]))
            run++;
        count = run - at;
        if (count >= FORMATS_PAN_DIGITS_MIN && count <= PAN_DIGITS_MAX && luhn(text.ptr + at, count)) {
            *ret_len = count;
            return at;
        }
        at = run;
    }
    *ret_len = 0;
    return text.len;
}

static void put_masked(struct base_str pan, struct base_buf *out)
{
    size_t total = 0, seen = 0;
    for (size_t i = 0; i < pan.len; i++)
        total += is_digit(pan.ptr[i]);
    for (size_t i = 0; i < pan.len; i++) {
        char c = pan.ptr[i];
        if (is_digit(c) && seen++ >= SHOWN_FIRST && seen <= total - SHOWN_LAST)
            c = '*';
        base_buf_putc(out, c);
    }
}

void formats_mask_pan(struct base_str text, struct base_buf *out)
{
    size_t at = 0;
    while (at < text.len) {
        size_t len, next = formats_find_pan(text, at, &len);
        base_buf_put(out, text.ptr + at, next - at);
        put_masked((struct base_str){ text.ptr + next, len }, out);
        at = next + len;
    }
}
