#include "cep/double.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

double cep_digits_double(const struct cep_digits *digits)
{
    char text[48];
    int n = snprintf(text, sizeof text, "%s%.*se%d", digits->negative ? "-" : "", digits->len, digits->at,
                     digits->point - digits->len);
    double value = 0;
    (void)base_str_to_double((struct base_str){ text, (size_t)n }, &value); /* well-formed by construction */
    return value;
}

/* The locale decides on the point between the first digit and the rest, so anything that is no digit is passed over. */
static void read_scientific(const char *text, struct cep_digits *ret)
{
    *ret = (struct cep_digits){ .negative = *text == '-' };
    for (; *text && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && ret->len < (int)sizeof ret->at)
            ret->at[ret->len++] = *text;
    int exponent = 0;
    bool negative = false;
    if (*text == 'e') {
        negative = text[1] == '-';
        for (text += 2; *text >= '0' && *text <= '9'; text++)
            exponent = exponent * 10 + (*text - '0');
    }
    ret->point = (negative ? -exponent : exponent) + 1;
    while (ret->len > 1 && ret->at[ret->len - 1] == '0')
        ret->len--;
}

void cep_double_digits(double value, struct cep_digits *ret)
{
    char text[64];
    if (value == 0) {
        *ret = (struct cep_digits){ .at = "0", .len = 1, .point = 1, .negative = signbit(value) };
        return;
    }
    /* 15 digits survive the way through a double and back, so that trailing zeros tell of a shorter form; not so below
     * the normal range. */
    for (int precision = fabs(value) < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision, value);
        read_scientific(text, ret);
        if (cep_digits_double(ret) == value)
            return;
    }
}

static bool print_special(double value, const char *quote, struct base_buf *out)
{
    if (isfinite(value))
        return false;
    base_buf_puts(out, quote);
    base_buf_puts(out, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
    base_buf_puts(out, quote);
    return true;
}

/* Digits with a point at `point` and at least one digit on either side. */
static void print_plain(const struct cep_digits *d, int point, struct base_buf *out)
{
    if (d->negative)
        base_buf_putc(out, '-');
    if (point <= 0)
        base_buf_putc(out, '0');
    for (int i = 0; i < point; i++)
        base_buf_putc(out, i < d->len ? d->at[i] : '0');
    base_buf_putc(out, '.');
    for (int i = point; i < 0; i++)
        base_buf_putc(out, '0');
    if (point >= d->len)
        base_buf_putc(out, '0');
    for (int i = point > 0 ? point : 0; i < d->len; i++)
        base_buf_putc(out, d->at[i]);
}

void cep_double_print_json(double value, struct base_buf *out)
{
    struct cep_digits d;
    if (print_special(value, "\"", out))
        return;
    cep_double_digits(value, &d);
    if (d.point > -5 && d.point <= 17) {
        print_plain(&d, d.point, out);
        return;
    }
    print_plain(&d, 1, out);
    base_buf_printf(out, "e%+d", d.point - 1);
}

void cep_double_print_sql(double value, struct base_buf *out)
{
    struct cep_digits d;
    if (print_special(value, "", out))
        return;
    cep_double_digits(value, &d);
    if (d.point > -3 && d.point <= 7) { /* 10^-3 <= value < 10^7 */
        print_plain(&d, d.point, out);
        return;
    }
    print_plain(&d, 1, out);
    base_buf_printf(out, "E%d", d.point - 1);
}
