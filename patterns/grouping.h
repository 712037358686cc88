/* Grouping sets: several groupings of the same rows in one GROUP BY. Each row goes once into a group of each set; columns that a set does not group by are NULL
 * there, and GROUPING and GROUPING_ID say so. As Flink does it: the rows are multiplied below the aggregate, by one CALC for each set. Called by bind_select.c
 * and group.c. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_GROUPING_H
#define PATTERNS_GROUPING_H

#include "base/attr.h"
#include "patterns/ast.h"
#include "patterns/group.h"
#include "patterns/plan.h"

struct patterns_grouping {
    const struct patterns_expr **keys; /* of all sets, each once */
    uint32_t key_count;
    uint64_t *sets;                    /* bit i: the set groups by keys[i] */
    uint32_t set_count;
    uint32_t id;                       /* the key of the group that holds the set's number: the last one */
    uint32_t id_out;                   /* its column */
};
/* The sets of a GROUP BY. *ret NULL: it has none. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_grouping_read(struct patterns_binder *binder, const struct patterns_scope *input, const struct patterns_select *select,
                           struct patterns_grouping **ret) BASE_MUST_CHECK;
/* Scope hook for GROUPING(a, ...) and GROUPING_ID(a, ...); *ret NULL: no such call. */
int patterns_grouping_call(struct patterns_group *group, struct patterns_binder *binder, const struct patterns_expr *expr,
                           const struct patterns_bound **ret) BASE_MUST_CHECK;
/* The rows below the group, once for each set; the group's keys are then columns of that plan. BASE_E_NOMEM. */
int patterns_grouping_expand(struct patterns_group *group, const struct patterns_plan *below, const struct patterns_plan **ret) BASE_MUST_CHECK;

#endif
