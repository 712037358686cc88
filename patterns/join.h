/* Joins of two streams: ON is taken apart into equal keys, a distance in event time (interval join) and the rest. Called by bind_from.c (binding) and emit.c.
 * Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_JOIN_H
#define PATTERNS_JOIN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"
#include "patterns/bind.h"
#include "patterns/bind_from.h"

/* What a JOIN plan does; its columns are left ++ right, its filter is the rest of ON over them. */
struct patterns_join_on {
    const struct patterns_bound **keys[2]; /* over each input */
    struct base_str *key_names;
    uint32_t key_count;
    uint32_t outer;                        /* enum cep_join_outer, or'ed */
    bool interval;
    int64_t lo_ms, hi_ms;                  /* interval: time(left) - time(right) */
    enum cep_join_time time;
    int64_t ttl_ms;
};
/* text: a JOIN whose right side is not read FOR SYSTEM_TIME AS OF. */
int patterns_join_bind(const struct patterns_query_scope *scope, const struct patterns_table *text, struct patterns_from *ret) BASE_MUST_CHECK;
/* Writes the node's detail; filter: emitted or CEP_NONE. */
uint32_t patterns_join_emit(const struct patterns_plan *plan, struct cep_builder *builder, uint32_t filter);

#endif
