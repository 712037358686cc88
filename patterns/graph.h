/* The plans of all statements as one graph of numbered nodes: equal nodes once, which columns of each are read, and
 * where each column stands in its row. Made and read by emit.c. Single-threaded; nodes live in the compile arena. */
#ifndef PATTERNS_GRAPH_H
#define PATTERNS_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/map.h"
#include "patterns/plan.h"

struct patterns_graph_node {
    const struct patterns_plan *plan;
    uint32_t *inputs; /* graph nodes, all lower */
    bool *needed;     /* per column of plan->out: somebody reads it */
    uint32_t table;   /* SOURCE: its entry among the program's tables, once written */
    uint32_t *layout; /* per column of plan->out: its column in the row, PATTERNS_NO_COLUMN: left out */
    uint32_t width;   /* columns of the row */
    bool live;        /* some root reads it */
    bool exact;       /* its row must be exactly the needed columns in order (ends, unions) */
    bool passes;      /* a CALC whose rows are its input's */
    bool skipped;     /* it has no filter either: no node of its own */
    uint32_t rule;    /* rule of the one root that reads it, CEP_NONE: several or no rule */
    bool owned;       /* rule was set */
    uint32_t emitted; /* nodes of the program */
};
struct patterns_graph {
    struct patterns_binder *binder;
    struct patterns_graph_node *nodes;
    uint32_t count, cap;
    struct base_map known; /* signature -> node */
    bool share;
};
void patterns_graph_init(struct patterns_graph *graph, struct patterns_binder *binder, bool share);
void patterns_graph_finish(struct patterns_graph *graph);
/* Adds a plan with all below it. 0, BASE_E_NOMEM. */
int patterns_graph_add(struct patterns_graph *graph, const struct patterns_plan *plan, uint32_t *ret) BASE_MUST_CHECK;
/* Marks the node as an end that a rule (CEP_NONE: no rule) reads with all columns. */
void patterns_graph_read(struct patterns_graph *graph, uint32_t node, uint32_t rule);
/* Once all ends are marked: needed columns, layouts. 0, BASE_E_NOMEM. */
int patterns_graph_settle(struct patterns_graph *graph) BASE_MUST_CHECK;

#endif
