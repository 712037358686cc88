/* Binds what stands behind FROM: tables, views, subqueries, temporal joins, MATCH_RECOGNIZE. Part of the query binder;
 * called by bind.c only. */
#ifndef PATTERNS_BIND_FROM_H
#define PATTERNS_BIND_FROM_H

#include "base/attr.h"
#include "patterns/bind.h"

/* Common table expressions in sight, innermost first. */
struct patterns_query_ctes {
    const struct patterns_cte *cte;
    const struct patterns_plan *plan;
    const struct patterns_query_ctes *next;
};
/* A plan and its columns under the names that they have here. */
struct patterns_from {
    const struct patterns_plan *plan;
    struct patterns_relation *relation; /* parallel to plan->out */
};
int patterns_bind_from(const struct patterns_query_scope *scope, const struct patterns_table *table,
                       struct patterns_from *ret) BASE_MUST_CHECK;
/* The table's rows as a stream: one plan for all that read it. */
int patterns_bind_source(struct patterns_binder *binder, struct patterns_table_info *info, const struct patterns_plan **ret) BASE_MUST_CHECK;
/* Copy of a relation with another qualifier (ptr NULL: the old ones). NULL: no memory. */
struct patterns_relation *patterns_relation_named(struct patterns_binder *binder,
                                                  const struct patterns_relation *relation, struct base_str qualifier);

#endif
