/* The plan: a graph of relational nodes over bound expressions. bind.c makes the logical plan of each statement; plan.c
 * optimises it, places the exchanges and shares equal parts among statements; emit.c writes it into a program. Nodes
 * are immutable once made. Single-threaded; memory is the compile arena's.
 *
 * A node's `rows` hash says which rows it gives, its columns' hashes say what stands in them, so names, aliases and
 * unread columns do not enter a fingerprint. Both are taken from the bound text, before any optimisation. */
#ifndef PATTERNS_PLAN_H
#define PATTERNS_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "patterns/bind_pattern.h"
#include "patterns/bound.h"
#include "patterns/catalog.h"
#include "patterns/group.h"
#include "patterns/relation.h"

struct patterns_window_tvf_bound; /* window.h */
struct patterns_over;    /* over.h */
struct patterns_topn;    /* topn.h */
struct patterns_join_on; /* join.h */

enum patterns_plan_kind {
    PATTERNS_PLAN_SOURCE,
    PATTERNS_PLAN_CALC,
    PATTERNS_PLAN_UNION,
    PATTERNS_PLAN_LOOKUP,
    PATTERNS_PLAN_MATCH,
    PATTERNS_PLAN_SORT,
    PATTERNS_PLAN_GROUP,
    PATTERNS_PLAN_WINDOW,
    PATTERNS_PLAN_OVER,
    PATTERNS_PLAN_TOPN,
    PATTERNS_PLAN_JOIN,
    PATTERNS_PLAN_EXCHANGE /* placed by plan.c */
};
struct patterns_plan_order {
    const struct patterns_bound *value;
    bool descending, nulls_first;
};
struct patterns_plan {
    enum patterns_plan_kind kind;
    struct patterns_relation out; /* hidden columns included */
    uint64_t rows;                /* hash: which rows */
    bool updating;                /* operators: it gives a changelog (changes.h asks for whole plans) */
    const struct patterns_plan **inputs;
    uint32_t input_count;
    const struct base_source *source; /* place in the text */
    uint32_t begin, end;
    /* SOURCE, LOOKUP */
    const struct patterns_table_info *table;
    bool clock;      /* SOURCE: by processing time (clock.h) */
    int64_t late_ms; /* SOURCE: takes rows that are late by less */
    /* CALC: filter may be NULL; outputs parallel to out.columns, NULL: the input's columns as they are */
    const struct patterns_bound *filter; /* LOOKUP: rest of ON over left ++ right, may be NULL */
    const struct patterns_bound **outputs;
    /* LOOKUP (left columns, then all columns of the table); EXCHANGE: keys over the input */
    const struct patterns_bound **keys; /* LOOKUP: in order of the table's PRIMARY KEY */
    uint32_t key_count;
    struct base_str *key_names; /* EXCHANGE, GROUP, WINDOW, OVER */
    bool left_outer;
    const struct patterns_bound *as_of; /* NULL: processing time */
    /* MATCH */
    const struct patterns_bound_match *match;
    bool eager, evidence;
    /* GROUP, WINDOW; its relation: group->outs. A WINDOW without group: its input's columns, then the window's three */
    const struct patterns_group *group;
    const struct patterns_window_tvf_bound *window;
    const struct patterns_over *over; /* OVER: the input's columns, then the aggregates */
    /* TOPN; JOIN (two inputs): columns left ++ right, filter the rest of ON */
    const struct patterns_topn *topn;
    const struct patterns_join_on *join;
    /* SORT */
    struct patterns_plan_order *orders;
    uint32_t order_count;
    uint64_t limit, offset; /* UINT64_MAX: no limit */
};

/* A statement's end. */
enum patterns_root_kind { PATTERNS_ROOT_QUERY, PATTERNS_ROOT_TABLE, PATTERNS_ROOT_RULE, PATTERNS_ROOT_VIEW };
struct patterns_root {
    enum patterns_root_kind kind;
    const struct patterns_plan *plan; /* gives exactly the visible columns */
    const struct patterns_statement *statement;
    const struct patterns_table_info *table; /* TABLE, VIEW */
    const struct patterns_rule_text *rule;   /* RULE: rule.h */
    const struct patterns_plan *key_node;    /* RULE: EXCHANGE whose key its alerts bear */
    bool eager;
    bool changes; /* the sink takes updates and deletes */
};

/* A CALC over input; outputs NULL: passes all columns on (out is a copy). NULL: no memory. */
struct patterns_plan *patterns_plan_calc(struct patterns_binder *binder, const struct patterns_plan *input,
                                         const struct patterns_bound *filter);
/* New node with one input (may be NULL). NULL: no memory. */
struct patterns_plan *patterns_plan_make(struct patterns_binder *binder, enum patterns_plan_kind kind,
                                         const struct patterns_plan *input);
/* Conjuncts of a condition (NULL: none): AND is taken apart. At most `cap`; returns how many there are. */
uint32_t patterns_conjuncts(const struct patterns_bound *condition, const struct patterns_bound **ret, uint32_t cap);

/* Optimises (unless binder->no_fold), places exchanges. key: the alert's key over root->plan's columns (count may be
 * 0), or NULL with count UINT32_MAX: the key of the nearest keyed node. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_plan_place(struct patterns_binder *binder, struct patterns_root *root, const uint32_t *key,
                        uint32_t key_count) BASE_MUST_CHECK;

#endif
