/* Two sketches of bounded size that can be joined: how many different values (HyperLogLog: Flajolet et al. 2007, read by Ertl's improved estimator,
 * 2017), and percentiles within 1 % of the value (DDSketch: Masson, Rim, Lee 2019). Neither hangs on the order of additions. Called by agg.c. Pure. */
#ifndef CEP_AGG_SKETCH_H
#define CEP_AGG_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

#define CEP_HLL_BITS 12 /* 4096 registers: standard error 1.6 % */
#define CEP_HLL_REGISTERS (1u << CEP_HLL_BITS)
#define CEP_HLL_SPARSE 256 /* up to so many hashes are kept as they are: exact */
struct cep_hll {
    uint64_t *hashes;                /* owned; sorted, different; while registers is NULL */
    uint32_t count, cap;
    uint8_t *registers;              /* owned */
};
void cep_hll_finish(struct cep_hll *hll);
int cep_hll_add(struct cep_hll *hll, uint64_t hash) BASE_MUST_CHECK; /* BASE_E_NOMEM */
int cep_hll_merge(struct cep_hll *to, const struct cep_hll *from) BASE_MUST_CHECK;
uint64_t cep_hll_count(const struct cep_hll *hll);
void cep_hll_save(const struct cep_hll *hll, struct base_buf *out);
int cep_hll_load(struct base_reader *in, struct cep_hll *ret) BASE_MUST_CHECK; /* BASE_E_CORRUPT, BASE_E_NOMEM */

#define CEP_DD_BUCKETS 2048 /* per sign; beyond, the buckets nearest to zero are joined */
struct cep_dd_bucket { int32_t index; uint64_t count; };
struct cep_dd_side { struct cep_dd_bucket *at; uint32_t len, cap; }; /* sorted by index */
struct cep_dd { struct cep_dd_side positive, negative; uint64_t zeros, total; };
void cep_dd_finish(struct cep_dd *dd);
/* sign +1 adds x (no NaN), -1 takes it back. BASE_E_NOMEM. */
int cep_dd_add(struct cep_dd *dd, double x, int sign) BASE_MUST_CHECK;
int cep_dd_merge(struct cep_dd *to, const struct cep_dd *from) BASE_MUST_CHECK;
/* total > 0. */
double cep_dd_percentile(const struct cep_dd *dd, double fraction);
void cep_dd_save(const struct cep_dd *dd, struct base_buf *out);
int cep_dd_load(struct base_reader *in, struct cep_dd *ret) BASE_MUST_CHECK;

#endif
