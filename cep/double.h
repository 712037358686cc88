/* Shortest decimal form of a double that reads back as the same double, and its two spellings. Called by value.c and
 * the number functions. Independent of the locale. Internal to cep/. Any thread. */
#ifndef CEP_DOUBLE_H
#define CEP_DOUBLE_H

#include <stdbool.h>
#include "base/str.h"

/* value = 0.d1d2d3… * 10^point; digits without trailing zeros ("0" and point 1 for zero), at most 17 of them. */
struct cep_digits {
    char at[20]; /* '0'..'9', not terminated */
    int len;
    int point;
    bool negative;
};
/* value is finite. */
void cep_double_digits(double value, struct cep_digits *ret);
/* The nearest double of the digits. */
double cep_digits_double(const struct cep_digits *digits);
/* "12.5", "5.0", "1.5e+30": a JSON number; NaN and infinities as the strings "NaN", "Infinity", "-Infinity". */
void cep_double_print_json(double value, struct base_buf *out);
/* As CAST(x AS STRING) spells it, which is Java's form: "12.5", "5.0", "1.0E10", "NaN", "-Infinity". */
void cep_double_print_sql(double value, struct base_buf *out);

#endif
