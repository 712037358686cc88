/* GROUP BY, aggregates over a whole query, SELECT DISTINCT, and window aggregates: the keys, the aggregates, what a group gives. Called by bind_select.c
 * (binding) and emit.c (emission). Knows no row patterns. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_GROUP_H
#define PATTERNS_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"
#include "patterns/aggregate.h"
#include "patterns/ast.h"
#include "patterns/bind_expr.h"

struct patterns_window_tvf_bound; /* window.h */
struct patterns_grouping;         /* grouping.h */

/* A column that a group gives. */
struct patterns_group_out {
    struct cep_type type;
    uint32_t out;  /* CEP_AGG_OUT */
    uint64_t hash; /* of the aggregate; 0: a key */
};
struct patterns_group {
    struct patterns_binder *binder;
    struct patterns_scope input;           /* names of the grouped rows */
    const struct patterns_bound **written; /* expressions of GROUP BY */
    uint32_t written_count;
    const struct patterns_bound **keys;    /* those that are no window columns: the node's keys, over the grouped rows */
    struct base_str *key_names;
    uint32_t key_count;
    struct patterns_aggs aggs;
    struct patterns_group_out *outs;       /* first those of GROUP BY, then the others as they are found */
    uint32_t out_count, out_cap;
    struct patterns_grouping *grouping;    /* grouping sets; NULL: one set */
    const struct patterns_window_tvf_bound *window; /* windows of its rows; NULL: none */
    bool eager, retracts, append;          /* append: its rows are never changed (DISTINCT of rows that stay) */
    int64_t ttl_ms;
    uint64_t hash;                         /* of keys and aggregates */
};

/* keys: expressions of GROUP BY, of all sets if grouping is not NULL; window: the window function that FROM is, or NULL. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_group_begin(struct patterns_binder *binder, const struct patterns_scope *input, const struct patterns_expr *const *keys, uint32_t count,
                         const struct patterns_window_tvf_bound *window, struct patterns_group **ret) BASE_MUST_CHECK;
/* Makes it a group by grouping sets: one more key, the set's number. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_group_by_sets(struct patterns_group *group, struct patterns_grouping *grouping) BASE_MUST_CHECK;
/* A leaf that stands for a column of the group until it is known (patterns_group_bind). NULL: no memory. */
const struct patterns_bound *patterns_group_leaf(struct patterns_group *group, const struct patterns_expr *place, struct cep_type type, uint32_t out);
/* SELECT DISTINCT, UNION and the like: a group by the first `count` columns of the relation. BASE_E_NOMEM. */
int patterns_group_columns(struct patterns_binder *binder, const struct patterns_relation *relation, uint32_t count, struct patterns_group **ret) BASE_MUST_CHECK;
/* One more column of the group. BASE_E_NOMEM. */
int patterns_group_add(struct patterns_group *group, const struct patterns_agg *agg) BASE_MUST_CHECK;
struct patterns_plan;
/* The GROUP or WINDOW node of the group. */
void patterns_group_take(struct patterns_plan *plan, const struct patterns_group *group);
/* An expression over a group (SELECT, HAVING, ORDER BY): keys and aggregates become columns of the group's relation. A column that is neither is
 * refused. */
int patterns_group_bind(struct patterns_group *group, const struct patterns_expr *expr, const char *where,
                        const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Number of the group's column with the window's start (0), end (1), time (2), or PATTERNS_NO_COLUMN. */
uint32_t patterns_group_window_column(const struct patterns_group *group, uint32_t which);
/* Marks the columns of the grouped rows that the group reads. */
void patterns_group_mark_columns(const struct patterns_group *group, bool *used);
/* Writes the group's detail (a group's, or a window's); columns: bound column -> column of the grouped rows; needed: outs that are read. *ret is its
 * index in CEP_SEC_GROUPS or CEP_SEC_WINDOWS. */
int patterns_group_emit(const struct patterns_group *group, struct cep_builder *builder, const uint32_t *columns, const bool *needed,
                        uint32_t *ret) BASE_MUST_CHECK;

#endif
