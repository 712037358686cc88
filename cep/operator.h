/* The one interface of all keyed operators, and what the flow offers them. Internal to cep/.
 *
 * An operator takes rows of one key with their change kind, takes the watermark, is woken for a key when the watermark passes the deadline that it
 * asked for, and can write a key's state and read it back. It never keeps anything about a key outside of that key's state. Shard thread only. */
#ifndef CEP_OPERATOR_H
#define CEP_OPERATOR_H

#include "cep/flow.h"
#include "cep/keyed.h"

struct cep_operator;
struct cep_operator_ops {
    /* A row of `key`. May create key->state (NULL at first). */
    int (*row)(struct cep_operator *op, struct cep_key *key, const struct cep_event *event);
    /* The watermark has reached key->deadline_ms. */
    int (*wake)(struct cep_operator *op, struct cep_key *key);
    /* Earliest event time at which the key must be woken; BASE_TIME_MAX_MS: never. */
    int64_t (*deadline)(const struct cep_operator *op, const struct cep_key *key);
    /* Is there nothing in the state worth keeping? Then the flow frees the key. */
    bool (*idle)(const struct cep_operator *op, const struct cep_key *key);
    /* Changed pieces (all: every piece) of a key's state, in any order; piece 0 is the head. */
    int (*save)(struct cep_operator *op, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx);
    /* One piece back; head first. */
    int (*load)(struct cep_operator *op, struct cep_key *key, uint32_t piece, const void *bytes, size_t len);
    /* All pieces are loaded: do they fit together? */
    int (*complete)(struct cep_operator *op, struct cep_key *key);
    /* Pieces that follow the head once it is loaded: numbers in [*ret_first, *ret_end). */
    void (*pieces)(const struct cep_operator *op, const struct cep_key *key, uint32_t *ret_first, uint32_t *ret_end);
    void (*free_state)(struct cep_operator *op, struct cep_key *key);
    size_t (*bytes)(const struct cep_operator *op, const struct cep_key *key);
    /* Watermark that the operator's output has when its input has this one (semantics.md 12). */
    int64_t (*output_watermark)(const struct cep_operator *op, int64_t input_ms);
    void (*stats)(const struct cep_operator *op, struct cep_flow_stats *add);
    void (*destroy)(struct cep_operator *op);
};
struct cep_operator {
    const struct cep_operator_ops *ops;
    struct cep_flow *flow;
    uint32_t node;
    int64_t watermark_ms;    /* of its input */
    struct cep_keyed keyed;  /* state by key */
};

/* The flow's services. */
int cep_flow_emit(struct cep_flow *flow, uint32_t node, const struct cep_event *event) BASE_MUST_CHECK; /* row for the node's outputs */
void cep_flow_report(struct cep_flow *flow, enum cep_report what, uint32_t node, int error, uint32_t code, const struct cep_event *event);
const struct cep_program *cep_flow_program(const struct cep_flow *flow);
const struct cep_linked *cep_flow_linked(const struct cep_flow *flow);
struct cep_expr *cep_flow_expr(struct cep_flow *flow);
struct base_arena *cep_flow_arena(struct cep_flow *flow); /* temporaries: reset before each source or routed row */
const struct cep_limits *cep_flow_limits(const struct cep_flow *flow); /* defaults filled in */
int64_t cep_flow_proc_time(struct cep_flow *flow);
/* Types of a node's columns, one array per node, made once. */
const struct cep_type *cep_flow_types(const struct cep_flow *flow, uint32_t node, uint32_t *ret_columns);

int cep_match_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_alert_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_sort_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_group_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_topn_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_join_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;

#endif
