/* Aggregate calls of queries (GROUP BY, windows, OVER): what each computes and of what type, equal ones once, and how they are written into a program.
 * Called by group.c and over.c. Row patterns have aggregates of their own (rowpat_aggregates.c). Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_AGGREGATE_H
#define PATTERNS_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"
#include "patterns/ast.h"
#include "patterns/bind_expr.h"

struct patterns_agg {
    enum cep_agg_kind kind;
    const struct patterns_bound *arg;    /* over the input rows, of the type that is folded; NULL: COUNT(*) */
    const struct patterns_bound *filter; /* NULL: none */
    bool distinct, has_param;
    struct cep_type param_type;
    struct cep_value param;              /* a fraction, a separator */
    struct cep_type type;                /* of the result */
    uint64_t hash;                       /* of the call as written */
};
struct patterns_aggs {
    struct patterns_agg *at;
    uint32_t count, cap;
};
/* Does the expression hold a call for which `is` is true? Not looking into such calls, nor into subqueries. */
bool patterns_expr_has_call(const struct patterns_expr *expr, bool (*is)(const struct patterns_call *call));
/* A call of an aggregate over a whole group; over a window of rows (OVER). */
bool patterns_call_is_aggregate(const struct patterns_call *call);
bool patterns_call_is_over(const struct patterns_call *call);
/* input: names of the rows that are aggregated. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_agg_bind(struct patterns_binder *binder, const struct patterns_scope *input, const struct patterns_expr *expr,
                      struct patterns_agg *ret) BASE_MUST_CHECK;
/* Index of the aggregate, added if it is new. BASE_E_NOMEM. */
int patterns_aggs_add(struct base_arena *arena, struct patterns_aggs *aggs, const struct patterns_agg *agg, uint32_t *ret) BASE_MUST_CHECK;
void patterns_aggs_mark_columns(const struct patterns_aggs *aggs, bool *used);
/* Writes all of them, in order; retracts: values are also taken back. BASE_E_NOMEM, BASE_E_LIMIT. */
int patterns_aggs_emit(const struct patterns_aggs *aggs, const struct patterns_emit_env *env, bool retracts, struct cep_list *ret) BASE_MUST_CHECK;
/* Outs of a node: 0, BASE_E_NOMEM. */
int patterns_outs_emit(struct base_arena *arena, struct cep_builder *builder, const uint32_t *outs, uint32_t count, const bool *needed,
                       struct cep_list *ret) BASE_MUST_CHECK;

#endif
