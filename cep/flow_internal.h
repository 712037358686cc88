/* What the parts of a flow share: flow.c runs rows and watermarks through it, flow_state.c writes and restores its state. Internal to cep/. */
#ifndef CEP_FLOW_INTERNAL_H
#define CEP_FLOW_INTERNAL_H

#include "cep/care.h"
#include "cep/changelog.h"
#include "cep/once.h"
#include "cep/operator.h"
#include "cep/plain_key.h"

struct flow_node {
    struct cep_operator *op;   /* stateful nodes that run here */
    struct cep_type *types;    /* of its columns */
    uint32_t columns;
    int64_t in_ms, out_ms;     /* watermarks of its input and output */
    struct cep_plain_key key;  /* EXCHANGE, keyed nodes */
    struct cep_care *care;     /* which of its outputs can care about a row; NULL: all */
    struct cep_once *once;     /* conditions that several patterns behind it share; NULL: none */
    int64_t *rests;            /* flow_rest.c: by output, the last watermark that need not be told to it, or one of the two below; NULL: all are told */
    int64_t *behind;           /* flow_rest.c, beside rests: the same of what is behind the output's node alone, as of its last word to it; FLOW_AWAKE: to be asked */
    bool lagging;              /* flow_rest.c: those behind it have not been told its out_ms, at which they have nothing to do */
    bool told;                 /* it has given a row since `behind` was asked */
    bool outside;              /* LOOKUP: its table is asked outside and answers later */
    bool asks_clock;           /* CALC, LOOKUP, keys: an expression reads the time of day */
    bool wants_ident;          /* SOURCE: somebody behind it asks which row it was */
    struct cep_halves halves;  /* CALC, LOOKUP, EXCHANGE: first halves of updates */
};
#define FLOW_NO_REST INT64_MIN     /* each watermark is told */
#define FLOW_AWAKE (INT64_MIN + 1) /* the next one is */
#define AHEAD 32 /* rows whose keys are made, and whose states are brought near, before the first of them is looked at */
struct ahead {
    const struct cep_row *row;
    const struct cep_tuple *key; /* in room, or in the arena */
    uint64_t place;              /* cep_key_place of it */
    uint64_t room[CEP_PLAIN_BRIEF_WORDS];
};
struct restored { struct cep_operator *op; struct cep_key *key; };
struct cep_flow {
    const struct cep_linked *linked;
    const struct cep_program *program;
    struct cep_env env;
    struct cep_limits limits;
    struct cep_expr *expr;
    struct base_arena arena;
    uint32_t depth;            /* nested calls: the arena is reset by the outermost one */
    uint32_t rows_under_way;   /* nested calls with a row: what they put into the arena is still needed */
    struct flow_node *nodes;
    struct cep_value *values;  /* scratch of CALC, LOOKUP, keys */
    struct cep_type *value_types;
    struct { struct restored *at; size_t len, cap; } restored; /* keys with pieces put back, not yet complete */
    struct base_buf piece;     /* a piece on its way from the store */
    bool asleep;               /* keys with CEP_AT_START are not loaded yet */
    uint64_t rows_in;
    bool resting;              /* some output of some node may rest */
    bool clocked;              /* there is a source by processing time */
    bool tried_quick;          /* the row under way is known not to be a usual one */
    struct ahead ahead[AHEAD]; /* in order of the rows */
    uint32_t ahead_at, ahead_count, ahead_node; /* the exchange */
    struct cep_keyed_row found[AHEAD]; /* the same rows with their keys */
    struct base_arena ahead_arena; /* their longer keys */
    int64_t clock_ms;          /* the latest processing time that was told or stamped on a row */
    int64_t evicted_ms;        /* earliest deadline of the keys that were dropped from memory since it was asked for */
};

/* Keys that the host put back piece by piece: all their pieces are there. */
int cep_flow_finish_restore(struct cep_flow *flow) BASE_MUST_CHECK;

/* The state of the key in a store, if it has any; for keys that are new in memory or cold. */
int cep_flow_load_key(struct cep_flow *flow, struct cep_operator *op, struct cep_key *key) BASE_MUST_CHECK;
/* Begins a call with rows or watermarks; depth counts it. */
void cep_flow_enter(struct cep_flow *flow);
/* A row for a key of an operator, whose state is there. */
int cep_flow_key_row(struct cep_flow *flow, struct cep_operator *op, struct cep_key *key, const struct cep_event *event) BASE_MUST_CHECK;
/* The event that a source's row is, before its key is known. */
struct cep_event cep_flow_source_event(const struct cep_flow *flow, uint32_t node, const struct cep_row *row);
/* A row for one input of a node. */
int cep_flow_push(struct cep_flow *flow, uint32_t node, uint32_t input, const struct cep_event *event) BASE_MUST_CHECK;

/* The watermark of a source or exchange. */
int cep_flow_set_watermark(struct cep_flow *flow, uint32_t node, int64_t watermark_ms) BASE_MUST_CHECK;

/* ---- flow_clock.c ---- */
/* What the table's watermark means for this source. */
int64_t cep_flow_source_mark(const struct cep_flow *flow, uint32_t node, int64_t watermark_ms);
/* The row with the time at which it came, in the arena; NULL: no memory. */
const struct cep_row *cep_flow_stamp(struct cep_flow *flow, uint32_t node, const struct cep_row *row);

/* ---- flow_rest.c ---- */
/* Which outputs of the node may rest. */
int cep_flow_rest_plan(struct cep_flow *flow, uint32_t node) BASE_MUST_CHECK;
/* The output of a node that has rests was told a watermark, or has taken a row: until when it rests now. */
void cep_flow_rest(struct cep_flow *flow, uint32_t node, uint32_t output);
/* A row comes to it, or something that may wake it: it catches up with the watermark, and is told the next one. */
void cep_flow_rouse(struct cep_flow *flow, uint32_t node, uint32_t output);
void cep_flow_rouse_all(struct cep_flow *flow);
/* Those behind a node that lags are told its watermark; wakes nobody. */
void cep_flow_catch_up(struct cep_flow *flow, uint32_t node);
/* Is it certain that the output's node alone has something to do at this watermark, and nothing behind it unless it gives a row? */
static inline bool cep_flow_rests_behind(const struct flow_node *node, uint32_t output, const struct flow_node *to, int64_t watermark_ms)
{
    return node->rests[output] != FLOW_NO_REST && !to->told && watermark_ms <= node->behind[output];
}

/* ---- flow_near.c ---- */
#define FLOW_COMING_MOST 64
struct flow_coming { uint32_t node; bool wakes; uint64_t place; }; /* a node that will soon take a row with this place, or the watermark */
/* What they need is brought near. */
void cep_flow_bring(const struct cep_flow *flow, const struct flow_coming *coming, uint32_t count);
/* The same for those that the rows ahead concern; the exchange has an index of who can care. */
void cep_flow_bring_picked(struct cep_flow *flow, uint32_t exchange_node);

/* ---- flow_ahead.c ---- */
/* What can be known of a node's rows beforehand: plain keys, whether identities are asked for, which outputs can care. */
int cep_flow_plan_node(struct cep_flow *flow, uint32_t node) BASE_MUST_CHECK;
/* A row with this place will soon come to what is behind the exchange: brings what it needs near. First for a run of rows with soon = false, then with true. */
void cep_flow_expect_place(const struct cep_flow *flow, uint32_t exchange_node, uint64_t place, bool soon);
/* Looks the keys of the rows ahead up, without touching them, and brings them near: into flow->found. */
void cep_flow_guess_keys(struct cep_flow *flow, const struct cep_operator *op);
/* Which of the keys are there, from one row on; makes those that are not. *ret_end: up to there all have one whose state is in memory, or has none. */
int cep_flow_find_keys(struct cep_flow *flow, struct cep_operator *op, uint32_t from, uint32_t *ret_end) BASE_MUST_CHECK;
int cep_flow_plain_key(const struct cep_plain_key *plain, const struct cep_tuple *row, struct base_arena *arena, struct cep_tuple **ret) BASE_MUST_CHECK;
/* The exchange that every row of the source goes to as it is, if rows that concern nothing behind it may be left out beforehand: it has an index of who can care,
 * and making the key ends in no error that must be told. CEP_NONE: there is none. flow_care.c. */
uint32_t cep_flow_caring(const struct cep_flow *flow, uint32_t node);
/* Those of a source's rows (at most all of them) that can concern something behind it, in order; the others are counted, and done with. flow_care.c. */
uint32_t cep_flow_concerned(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count, const struct cep_row **ret);
/* To those outputs that the row can concern; the node has an index of them. */
int cep_flow_emit_with_care(struct cep_flow *flow, uint32_t node, const struct cep_event *event) BASE_MUST_CHECK;

#endif
