/* Aggregates: what COUNT, SUM, MIN ... keep of the values that they have seen (a cell), how a value is added or taken back, two cells are joined, a cell is
 * read, stored and loaded. What a cell gives is a function of the values and the rows' order alone, never of the order of the calls. Called by the
 * operators that aggregate (operators/group.c, window.c, over.c). Knows no keys, no windows. One thread per cell. */
#ifndef CEP_AGG_H
#define CEP_AGG_H

#include "base/arena.h"
#include "base/attr.h"
#include "cep/agg_bag.h"
#include "cep/expr.h"
#include "cep/program.h"

struct cep_agg_cell {
    int64_t count;             /* values that are not NULL; COUNT(*): rows */
    union {
        uint64_t sum[3];       /* 192-bit two's complement */
        struct cep_value value; /* MIN, MAX, FIRST, LAST: owned; count 0: none */
    };
    struct cep_bag *bag;       /* DISTINCT, and those that need all values */
    void *more;                /* by kind: struct cep_exact[], cep_agg_order, cep_agg_list, cep_hll, cep_dd */
};

/* A zeroed cell is empty. */
void cep_agg_clear(const struct cep_agg *agg, struct cep_agg_cell *cell);
/* value: of agg's arg_type; NULL is left out (COUNT(*): any value that is not NULL). order: the row's place. BASE_E_NOMEM; BASE_E_LIMIT: a collection is
 * full, the value is left out. */
int cep_agg_add(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value, const struct cep_agg_order *order) BASE_MUST_CHECK;
/* Takes back a value that was added. Not for MIN, MAX, FIRST, LAST, APPROX_COUNT_DISTINCT unless agg->retracts. BASE_E_NOMEM. */
int cep_agg_take(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value, const struct cep_agg_order *order) BASE_MUST_CHECK;
/* Can values be taken back? */
bool cep_agg_invertible(const struct cep_agg *agg);
int cep_agg_merge(const struct cep_agg *agg, struct cep_agg_cell *to, const struct cep_agg_cell *from) BASE_MUST_CHECK;
/* Texts are borrowed from the cell or put into the arena. BASE_E_OVERFLOW, BASE_E_LIMIT (a LISTAGG beyond a row's size), BASE_E_NOMEM. */
int cep_agg_result(const struct cep_program *program, const struct cep_agg *agg, const struct cep_agg_cell *cell, struct base_arena *arena,
                   struct cep_value *ret) BASE_MUST_CHECK;
/* ZSCORE of a value that is in the cell: against the others. NULL: it is NULL, there are fewer than two others, or they are all equal. BASE_E_NOMEM. */
int cep_agg_zscore(const struct cep_agg *agg, struct cep_agg_cell *cell, struct cep_value value, struct cep_value *ret) BASE_MUST_CHECK;
void cep_agg_save(const struct cep_agg *agg, const struct cep_agg_cell *cell, struct base_buf *out);
/* Total over any bytes; the cell must be empty and is to be cleared in any case. BASE_E_CORRUPT, BASE_E_NOMEM. */
int cep_agg_load(const struct cep_agg *agg, struct base_reader *in, struct cep_agg_cell *ret) BASE_MUST_CHECK;
size_t cep_agg_bytes(const struct cep_agg *agg, const struct cep_agg_cell *cell);

/* The value that a row gives to an aggregate: its argument, NULL where FILTER does not hold. The error of the expression. */
int cep_agg_argument(const struct cep_agg *agg, struct cep_expr *expr, const struct cep_frame *frame, struct cep_value *ret) BASE_MUST_CHECK;

#endif
