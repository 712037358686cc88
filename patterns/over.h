/* Aggregates over a window of rows: SUM(x) OVER (PARTITION BY ... ORDER BY ts RANGE ...). The calls of one SELECT list with equal PARTITION BY and ORDER BY
 * become one node, each frame of theirs a part of it. Called by bind_select.c (binding), graph.c and emit.c. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_OVER_H
#define PATTERNS_OVER_H

#include "base/attr.h"
#include "patterns/aggregate.h"
#include "patterns/bind_from.h"

struct patterns_over_frame {
    bool rows, unbounded;
    int64_t back; /* ms, or rows */
    struct patterns_aggs aggs;
};
/* One node: its rows are the input's, with the aggregates of all frames behind, in order. */
struct patterns_over {
    struct patterns_binder *binder;
    const struct patterns_bound **partition;
    struct base_str *key_names;
    uint32_t partition_count;
    const struct patterns_bound *time;
    struct patterns_over_frame *frames;
    uint32_t frame_count, frame_cap;
    uint32_t inputs; /* columns of its input's relation */
    uint64_t hash;
};
/* The calls of one SELECT. */
struct patterns_overs {
    struct patterns_binder *binder;
    struct patterns_scope input;
    const struct patterns_select *select; /* for its WINDOW clause */
    const struct patterns_plan *from;     /* gives the columns of input */
    bool by_clock, by_event;              /* some are ordered by processing time, some by event time */
    struct patterns_over *at[8];
    uint32_t count;
};
/* Scope hook (ctx: struct patterns_overs): a call with OVER becomes a leaf. */
int patterns_over_call(void *ctx, struct patterns_binder *binder, const struct patterns_expr *expr, const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Puts the nodes over `input`, which gives the columns that the calls were bound over. 0, BASE_E_NOMEM. */
int patterns_over_plan(struct patterns_overs *overs, const struct patterns_plan *input, const struct patterns_plan **ret) BASE_MUST_CHECK;
/* The expression with its leaves as columns of that plan. NULL: no memory. */
const struct patterns_bound *patterns_over_columns(struct patterns_overs *overs, const struct patterns_bound *bound);
void patterns_over_mark_columns(const struct patterns_plan *plan, const bool *needed, bool *used);
/* Writes the node's detail; *ret is its index in CEP_SEC_OVERS. */
int patterns_over_emit(const struct patterns_plan *plan, const struct patterns_emit_env *env, const bool *needed, uint32_t *ret) BASE_MUST_CHECK;

#endif
