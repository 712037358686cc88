/* A sum of doubles without rounding: a fixed-point number wide enough for every double (after Kulisch's long accumulator). What was added can be taken
 * back, the order of additions does not matter, sums can be joined; only reading it rounds, once, to the nearest double. Called by agg.c. Pure. */
#ifndef CEP_AGG_EXACT_H
#define CEP_AGG_EXACT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

#define CEP_EXACT_WORDS 36 /* 2304 bits: 1074 below the point, 1024 above, 206 for carries and sign */
struct cep_exact {
    uint64_t words[CEP_EXACT_WORDS]; /* two's complement, in units of 2^-1074, least first */
    int64_t nan, positive, negative; /* how many NaN, +infinity, -infinity are in it */
};
/* sign +1 adds x, -1 takes it back. */
void cep_exact_add(struct cep_exact *sum, double x, int sign);
void cep_exact_merge(struct cep_exact *to, const struct cep_exact *from);
/* Nearest double; infinities and NaN as if added in any order. */
double cep_exact_get(const struct cep_exact *sum);
/* The part that get() rounded away, itself rounded: get + rest has 106 bits. 0 if get is no finite number. */
double cep_exact_rest(const struct cep_exact *sum);
void cep_exact_save(const struct cep_exact *sum, struct base_buf *out);
/* False: no such bytes. */
bool cep_exact_load(struct base_reader *in, struct cep_exact *ret) BASE_MUST_CHECK;

#endif
