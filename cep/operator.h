/* The one interface of all keyed operators, and what the flow offers them. Internal to cep/.
 *
 * An operator takes rows of one key with their change kind, takes the watermark, is woken for a key when the watermark passes the deadline that it
 * asked for, and can write a key's state and read it back. It never keeps anything about a key outside of that key's state. Shard thread only. */
#ifndef CEP_OPERATOR_H
#define CEP_OPERATOR_H

#include "base/error.h"
#include "cep/flow.h"
#include "cep/keyed.h"

struct cep_operator;
struct cep_keyed_row { const struct cep_row *row; struct cep_key *key; };
#define CEP_BRING_STEPS 3
struct cep_operator_ops {
    /* A row of `key`. May create key->state (NULL at first). */
    int (*row)(struct cep_operator *op, struct cep_key *key, const struct cep_event *event);
    /* The same for usual rows, of INSERTs: does all that there is to do for them, wake-up and accounting too, from the first to the last, or to the first one that is not
     * usual, for which nothing is done: it must go by `row`. *ret_done: how many. NULL: there is no such way. Keys need not have a state. */
    int (*quick)(struct cep_operator *op, const struct cep_keyed_row *rows, uint32_t count, uint32_t *ret_done);
    /* Comes before a run of so many quick rows. */
    int (*upkeep)(struct cep_operator *op, uint32_t rows);
    /* Brings near what a key has beyond its own block, which was brought near before. NULL: nothing. */
    void (*near)(const struct cep_operator *op, const struct cep_key *key);
    /* Brings near what the operator itself has, in CEP_BRING_STEPS steps for many operators in turn: each looks at what the one before it has asked for. wakes: it will be woken, or else
     * take a row. NULL: nothing. */
    void (*bring)(const struct cep_operator *op, uint32_t step, bool wakes);
    /* The watermark has reached key->deadline_ms. */
    int (*wake)(struct cep_operator *op, struct cep_key *key);
    /* Earliest event time at which the key must be woken; BASE_TIME_MAX_MS: never. */
    int64_t (*deadline)(const struct cep_operator *op, const struct cep_key *key);
    /* Must the state stay in memory, also from a restart on (CEP_AT_START)? NULL: never. */
    bool (*pinned)(const struct cep_operator *op, const struct cep_key *key);
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

/* Errors of one row for one rule: the row is left out (semantics.md 23). */
static inline bool cep_row_error(int rc)
{
    return rc == BASE_E_DIVISION || rc == BASE_E_OVERFLOW || rc == BASE_E_CAST || rc == BASE_E_RANGE || rc == BASE_E_REGEX || rc == BASE_E_LIMIT;
}

/* Drops keys that are in the store as they are in memory, and were not used since the hand of the clock passed them last, until the operator's state fits. Gives the
 * earliest deadline of those that went: their host has it stored. */
int64_t cep_evict(struct cep_operator *op, uint64_t budget_bytes);

/* The flow's services. */
int cep_flow_emit(struct cep_flow *flow, uint32_t node, const struct cep_event *event) BASE_MUST_CHECK; /* row for the node's outputs */
/* A key's state changed by other means than a row of it or its deadline. The key stays, even if it is idle. */
int cep_flow_key_touched(struct cep_flow *flow, struct cep_operator *op, struct cep_key *key) BASE_MUST_CHECK;
void cep_flow_report(struct cep_flow *flow, enum cep_report what, uint32_t node, int error, uint32_t code, const struct cep_event *event);
const struct cep_env *cep_flow_env(const struct cep_flow *flow);
/* Does anybody listen to steps? Then tells one. */
static inline bool cep_flow_traces(const struct cep_flow *flow) { return cep_flow_env(flow)->trace != NULL; }
static inline void cep_flow_trace(const struct cep_flow *flow, const struct cep_trace *trace) { cep_flow_env(flow)->trace(cep_flow_env(flow)->ctx, trace); }
const struct cep_program *cep_flow_program(const struct cep_flow *flow);
const struct cep_linked *cep_flow_linked(const struct cep_flow *flow);
struct cep_expr *cep_flow_expr(struct cep_flow *flow);
struct base_arena *cep_flow_arena(struct cep_flow *flow); /* temporaries: reset before each source or routed row */
const struct cep_limits *cep_flow_limits(const struct cep_flow *flow); /* defaults filled in */
int64_t cep_flow_proc_time(struct cep_flow *flow);
struct cep_halves;
struct cep_halves *cep_flow_halves(struct cep_flow *flow, uint32_t node); /* of a node that keeps nothing else */
struct cep_once;
struct cep_once *cep_flow_once(const struct cep_flow *flow, uint32_t node); /* conditions that patterns behind the node share; NULL: none */
struct cep_value *cep_flow_values(struct cep_flow *flow); /* scratch for the columns of a row or a key */
/* Tuple of codes over the event's row, in the arena; a run-time error was reported. */
int cep_flow_key(struct cep_flow *flow, uint32_t node, struct cep_list codes, const struct cep_event *event, struct cep_tuple **ret) BASE_MUST_CHECK;
int cep_flow_find_profile(struct cep_flow *flow, uint32_t table, const struct cep_tuple *key, int64_t as_of_ms, const struct cep_row **ret) BASE_MUST_CHECK;
int64_t cep_flow_profile_watermark(struct cep_flow *flow, uint32_t table);
/* Types of a node's columns, one array per node, made once. */
const struct cep_type *cep_flow_types(const struct cep_flow *flow, uint32_t node, uint32_t *ret_columns);

/* What a node that keeps nothing made of a changed row (NULL: it drops it), its change set: pairs stay whole (changelog.h). */
int cep_flow_give(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_row *row) BASE_MUST_CHECK;

/* ---- operators/lookup.c ---- */
/* The row joined to nothing, in the flow's arena. */
int cep_lookup_gone(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_row **ret) BASE_MUST_CHECK;
/* A row against the table as it stands; keeps nothing. */
int cep_lookup_row(struct cep_flow *flow, uint32_t node, const struct cep_event *event) BASE_MUST_CHECK;
/* With rows that wait for the table's watermark or may be corrected. */
int cep_lookup_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
/* The table has moved. */
int cep_lookup_revisit(struct cep_operator *op, uint64_t generation) BASE_MUST_CHECK;
int64_t cep_lookup_least_ms(const struct cep_operator *op); /* no row that waits is earlier or asks for an earlier time; BASE_TIME_MAX_MS: none waits */

/* ---- operators/lookup_outside.c: the table is asked outside and answers later ---- */
int cep_outside_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
/* Hands on the rows whose answers are there, in the order in which they came. */
int cep_outside_answered(struct cep_operator *op) BASE_MUST_CHECK;
void cep_outside_ask_again(struct cep_operator *op); /* the host has forgotten what was wanted */
uint64_t cep_outside_waiting(const struct cep_operator *op);
/* Is the LOOKUP node's table such a one? */
bool cep_flow_lookup_outside(const struct cep_flow *flow, uint32_t node);

/* Does the answer of a LOOKUP node hang on how far its table has come in event time? */
bool cep_flow_lookup_waits(const struct cep_flow *flow, uint32_t node);
/* The operator of a node that keeps state; *ret stays NULL for the others. The flow destroys it, also after a failure. */
int cep_operator_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_match_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_alert_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_sort_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_group_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_topn_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_latest_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK; /* TOPN of CEP_TOPN_LATEST */
int cep_join_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_window_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;
int cep_over_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret) BASE_MUST_CHECK;

#endif
