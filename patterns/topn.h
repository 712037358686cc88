/* ROW_NUMBER() OVER (PARTITION BY ... ORDER BY ...) in a SELECT list, bounded by a condition on its column in a query around it: Top-N and deduplication. Called
 * by bind_select.c (binding), compile.c (is each one bounded?), graph.c and emit.c. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_TOPN_H
#define PATTERNS_TOPN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"
#include "patterns/bind.h"
#include "patterns/bind_from.h"

#define PATTERNS_RANK_MAX 100000u /* greatest N */

/* Ranks of rows; the plan's keys are the partition's, its orders the order's, all over its input; its last column is the rank. */
struct patterns_topn {
    uint64_t first, last; /* last UINT64_MAX: no condition bounds it yet */
    bool by_time;         /* ORDER BY the event time alone */
    bool by_arrival;      /* ORDER BY PROCTIME() alone */
    bool descending;      /* by_time, by_arrival: the newest first */
    bool eager;
    int64_t ttl_ms;
    enum cep_topn_mode mode;
};
/* The item of the SELECT list that is a ranking call; CEP_NONE: none. */
uint32_t patterns_topn_item(const struct patterns_select *select);
/* rows -> CALC -> TOPN -> CALC: below gives the other items (without hidden columns of order and partition yet) over `from`; the rank's column gets `name` and
 * stands at index `at`. The result's relation is in *ret. */
struct patterns_topn_text {
    const struct patterns_query_scope *scope;
    const struct patterns_from *from;
    const struct patterns_expr *call;
    struct patterns_plan *below; /* CALC with outputs */
    uint32_t at;
    struct base_str name;
    bool quoted;
};
int patterns_topn_bind(const struct patterns_topn_text *text, struct patterns_plan **ret) BASE_MUST_CHECK;
/* Conditions of WHERE on a rank: *plan becomes one whose ranks are bounded, *filter what else is asked (NULL: nothing). */
int patterns_topn_bound(struct patterns_binder *binder, const struct patterns_plan **plan, const struct patterns_bound **filter) BASE_MUST_CHECK;
/* Refuses ranks without bound in a whole plan. */
int patterns_topn_check(struct patterns_binder *binder, const struct patterns_plan *plan) BASE_MUST_CHECK;
/* false: the order is that of time or of the log, and the operator needs no columns for it. */
bool patterns_topn_compares(const struct patterns_plan *plan);
/* Writes the node's detail. orders: of the plan, emitted; rank_column: in the row it gives or CEP_NONE. */
uint32_t patterns_topn_emit(const struct patterns_plan *plan, struct cep_builder *builder, struct cep_list orders, uint32_t rank_column);

#endif
