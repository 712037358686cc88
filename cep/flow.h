/* A running program on one thread: the operators of a dataflow with their keyed state. The host (service/, `query`, tests) feeds it rows and watermarks and
 * receives rows for other shards, results, reports and state changes through struct cep_env. No clock, no I/O, no globals. One thread per flow.
 *
 * The same type serves both sides of an exchange: an ingest thread's flow runs what stands before the first EXCHANGE (cep_flow_source), a shard's flow what
 * stands behind it (cep_flow_deliver). A single-threaded host routes straight back into the same flow. */
#ifndef CEP_FLOW_H
#define CEP_FLOW_H

#include "base/attr.h"
#include "cep/expr.h"
#include "cep/program.h"
#include "cep/row.h"

/* 128 bits that name a derived row for good (semantics.md 18): hash of rule-independent facts (start row's position, kind, ...). */
struct cep_ident { uint64_t hi, lo; };

enum cep_kind_of_match { CEP_IS_ROW = 0, CEP_IS_MATCH = 1, CEP_IS_ABSENCE = 2, CEP_IS_TIMEOUT = 3 };

/* One matched row, for alerts: which row, as which variable. */
struct cep_evidence_item { const struct cep_row *row; uint32_t var; /* index into the program's vars section, CEP_NONE: none */ bool excluded; };
struct cep_evidence {
    uint32_t schema;                       /* of the rows */
    const struct cep_evidence_item *items; /* in order of the match; borrowed for the call */
    uint32_t count;
    uint32_t total;                        /* > count: cut at the limit, deterministically (the first and the last ones are kept) */
};

/* A row on its way between operators, with what is known of it. All borrowed for the call. */
struct cep_event {
    const struct cep_row *row;      /* row->change says insert, update_before, update_after, delete */
    const struct cep_tuple *key;    /* key of the last EXCHANGE or keyed operator; NULL before the first */
    uint32_t key_node;              /* node whose key_columns describe key; CEP_NONE if key is NULL */
    uint64_t key_hash;
    struct cep_ident ident;         /* identity; of a source row: hash of its position */
    uint8_t kind;                   /* enum cep_kind_of_match */
    bool limited;                   /* a limit was hit on the way: the result may be incomplete */
    uint8_t input;                  /* at an operator: which of its inputs the row came by (JOIN: 0 left, 1 right) */
    bool tells_end;                 /* of a DELETE: the identity may come again, and CEP_SETTLED follows when it no longer can */
    bool final;                     /* this derived row is settled with this event: no change and no CEP_SETTLED will follow */
    int64_t first_time_ms, last_time_ms; /* of the match; of the row itself otherwise */
    struct cep_position first_at;   /* position of the match's first row */
    const struct cep_evidence *evidence; /* NULL if none */
    uint32_t revision;              /* behind ALERT: counts from 1; 0 before */
    uint64_t times;                 /* > 1: so many equal rows at once; comes to final group aggregates alone */
};

enum cep_report {                   /* what happened without stopping anything; all are counted by the host */
    CEP_REPORT_ERROR,               /* run-time error of a row for a node: code, place in the rule text */
    CEP_REPORT_LATE,                /* a row that came behind its own partition's watermark (ingest) */
    CEP_REPORT_LATE_AFTER_IDLE,     /* a row behind the merged watermark */
    CEP_REPORT_LIMIT,               /* a limit was hit: rows, threads, evidence, output */
    CEP_REPORT_TIMED_OUT,           /* a partial match ran out of time */
    CEP_REPORT_SUPPRESSED,          /* an alert was held back by `suppress` */
    CEP_REPORT_COUNT_
};

/* What a row did to the partial matches of its key, for people (`cepheid test --explain`). First ROW, then each match that it completed, then each start that lives on, then DONE.
 * Rows that are gone through again, because one came before them, are told again. All borrowed for the call. */
enum cep_trace_kind { CEP_TRACE_ROW, CEP_TRACE_MATCH, CEP_TRACE_LIVE, CEP_TRACE_DONE };
struct cep_trace {
    uint32_t node;                         /* the row pattern */
    uint64_t key;                          /* tells keys apart */
    enum cep_trace_kind what;
    const struct cep_row *row, *start;     /* start: first row of the match; ROW: NULL */
    const struct cep_evidence_item *items; /* rows taken so far, by the way that is preferred among those alive */
    uint32_t count;
    int64_t within_ms;                     /* 0: none */
    uint32_t pc, ways;                     /* LIVE: the state in which that way rests, of the pattern's; how many ways there are */
};

/* The host's side. Functions return 0 or BASE_E_*; an error ends the call that led to it and is handed up (the host then aborts the epoch). */
struct cep_env {
    void *ctx;
    /* A row that must go to the owner of (exchange, key). hash is of the key tuple's bytes; key group = hash % CEP_KEY_GROUPS. Copy what must outlive the call. */
    int (*route)(void *ctx, uint32_t exchange, const struct cep_event *event);
    /* Does route do nothing but hand the row straight back to this flow? Then the flow may leave the call out. */
    bool routes_back;
    /* The watermark behind which `exchange` gets no more rows from this flow. */
    int (*route_watermark)(void *ctx, uint32_t exchange, int64_t watermark_ms);
    /* A row for a SINK node. */
    int (*sink)(void *ctx, uint32_t node, const struct cep_event *event);
    /* Left out where watermarks bring nothing (flow_rest.c): then the next one that is told may be much later. */
    int (*sink_watermark)(void *ctx, uint32_t node, int64_t watermark_ms);
    /* Current row of a profile table for a key tuple (types of its key fields), as of a time; *ret NULL if there is none. Row lives until the next call. */
    int (*lookup)(void *ctx, uint32_t table, const struct cep_tuple *key, int64_t as_of_ms, const struct cep_row **ret);
    /* Event time up to which a profile table's versions are all known, now; BASE_TIME_MAX_MS: all are. Moves only between two calls of the flow that belong to
     * cep_flow_profiles_moved. NULL: every table is known whole, no row ever waits. */
    int64_t (*lookup_watermark)(void *ctx, uint32_t table);
    /* Is a table asked outside, so that its answers may come later? Asked once per LOOKUP. NULL: none is. Of such a table lookup, as of
     * BASE_TIME_MIN_MS, gives BASE_E_AGAIN if it has no answer; the row then waits and lookup_want asks for its key. Once for each lookup_want, lookup gives the answer as of
     * BASE_TIME_MAX_MS; BASE_E_AGAIN: not yet. Then it is called again behind cep_flow_answered or lookup_wait. */
    bool (*lookup_later)(void *ctx, uint32_t table);
    int (*lookup_want)(void *ctx, uint32_t table, const struct cep_tuple *key);
    /* As many rows wait for the table as may: returns when some answer has come, which is bounded in time. BASE_E_CLOSED: the host ends. */
    int (*lookup_wait)(void *ctx, uint32_t table);
    void (*report)(void *ctx, enum cep_report what, uint32_t node, int error, const struct cep_code *place, const struct cep_event *event);
    /* 1 << what for each of these of which the host takes no notice: they need not be found out. */
    uint32_t unheard;
    int64_t (*proc_time_ms)(void *ctx);
    /* Listens to each row's steps; NULL: nobody does. Slow. */
    void (*trace)(void *ctx, const struct cep_trace *trace);
    /* Where results of volatile functions and of the clock are kept; NULL: nowhere. Lives as long as the flow. */
    const struct cep_tape *tape;
    /* Reads a stored piece of a key's state (protocol.md 10): appended to ret. BASE_E_NOTFOUND if there is none. NULL: no store, all state is in memory. */
    int (*load)(void *ctx, uint64_t node_fingerprint, const struct cep_tuple *key, uint32_t piece, struct base_buf *ret);
};

struct cep_limits {              /* 0 means the default in brackets; all deterministic, counted by CEP_REPORT_LIMIT */
    uint64_t state_bytes;        /* memory for hot keys; colder ones are dropped from memory once stored (0: no bound) */
    uint32_t rows_per_key;       /* [1,048,576] rows kept per key and pattern */
    uint32_t threads_per_key;    /* [65,536] */
    uint32_t tail_rows;          /* [4,096] unsettled rows per key before it runs as final until drained (semantics.md 15) */
    uint32_t evidence_rows;      /* [1,000] */
    uint32_t output_per_row;     /* [10,000] ALL MATCHES */
    uint32_t park_classes;       /* [64] no limit: thread lists per key from which on those that wait for a value are found by it (docs/engine.md, Claim 16) */
};

struct cep_flow;
int cep_flow_create(const struct cep_linked *linked, const struct cep_env *env, const struct cep_limits *limits, struct cep_flow **ret) BASE_MUST_CHECK;
void cep_flow_destroy(struct cep_flow *flow);

/* A decoded row of SOURCE node `node`. Runs the stateless part; calls route / sink. */
int cep_flow_source(struct cep_flow *flow, uint32_t node, const struct cep_row *row) BASE_MUST_CHECK;
/* The same for several rows one after the other: faster, for the waits for memory of rows that follow each other overlap. */
int cep_flow_source_rows(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count) BASE_MUST_CHECK;
/* Can all rows of a bounded source be handed over at once, in columns (cep/columns.h), because a row pattern that sorts at the end is all that reads it? */
struct cep_columns;
bool cep_flow_takes_columns(const struct cep_flow *flow, uint32_t node);
/* Instead of cep_flow_source for each of them, before the watermark tells the end of input. The rows' order in the columns is changed. */
int cep_flow_columns(struct cep_flow *flow, uint32_t node, struct cep_columns *columns) BASE_MUST_CHECK;
/* Can rows of a source be handed over many at a time, in columns with event times, because a row pattern that goes through them key by key is all that reads them? */
bool cep_flow_takes_history(const struct cep_flow *flow, uint32_t node);
#define CEP_HISTORY_ROWS_MOST (UINT32_C(1) << 21) /* a few more do no harm */
#define CEP_HISTORY_MARKS_MOST ((UINT32_C(1) << 16) - 1)
/* A watermark that is told once the rows before number `end` have been. */
struct cep_history_mark { int64_t watermark_ms; uint32_t end; };
/* left_out: per row, 1: it is none, for it came too late; NULL: all are. Marks rise, and none is left out. */
struct cep_history { struct cep_columns *columns; const uint8_t *left_out; const struct cep_history_mark *marks; uint32_t mark_count; };
/* Instead of cep_flow_source and cep_flow_source_watermark for each of them; the last mark must still be told as a watermark. Results come in the order in which they would have come. BASE_E_UNSUPPORTED: nothing was done, hand the
 * rows over one by one, now and later. */
int cep_flow_history(struct cep_flow *flow, uint32_t node, const struct cep_history *history) BASE_MUST_CHECK;
/* The source's merged watermark; BASE_TIME_MAX_MS at the end of input. Watermarks never fall (lower ones are ignored). */
int cep_flow_source_watermark(struct cep_flow *flow, uint32_t node, int64_t watermark_ms) BASE_MUST_CHECK;
/* Does the source take rows that lie so far behind the table's watermark? */
bool cep_flow_takes_late(const struct cep_flow *flow, uint32_t node, int64_t behind_ms);
/* The host's clock, for sources by processing time: their rows so far are of earlier times. To be told again and again; never falls (a lower one is ignored). */
int cep_flow_clock(struct cep_flow *flow, int64_t now_ms) BASE_MUST_CHECK;
/* Is there a source by processing time? */
bool cep_flow_has_clock(const struct cep_flow *flow);
/* A routed row, at the owner; and the minimum over all senders of that exchange's watermarks. */
int cep_flow_deliver(struct cep_flow *flow, uint32_t exchange, const struct cep_event *event) BASE_MUST_CHECK;
int cep_flow_deliver_watermark(struct cep_flow *flow, uint32_t exchange, int64_t watermark_ms) BASE_MUST_CHECK;
/* Rows of one exchange, one after the other, each as it left its source: an event of a row that was not derived, with nothing but its key added. Faster than one
 * by one. The host is told of each row, once and in order: before anything that follows from it reaches the host, and behind all that followed from the rows before. */
struct cep_routed { const struct cep_row *row; const struct cep_tuple *key; uint64_t key_hash; };
struct cep_taker { int (*took)(void *ctx, uint32_t first, uint32_t count); void *ctx; };
int cep_flow_deliver_rows(struct cep_flow *flow, uint32_t exchange, const struct cep_routed *rows, uint32_t count, const struct cep_taker *taker) BASE_MUST_CHECK;

/* Profile tables have got new versions (then generation is another number) or their watermarks have moved: rows that waited for them are looked at again. */
int cep_flow_profiles_moved(struct cep_flow *flow, uint64_t generation) BASE_MUST_CHECK;
/* Tables that are asked outside have answered: rows that waited for it go on. Not between a barrier and the next epoch. */
int cep_flow_answered(struct cep_flow *flow) BASE_MUST_CHECK;
/* The host has forgotten what was wanted: all of it is wanted again by the next cep_flow_answered, or row. */
void cep_flow_ask_again(struct cep_flow *flow);
/* Rows that wait for such answers. */
uint64_t cep_flow_unanswered(const struct cep_flow *flow);
/* No row that is still to be joined with the table asks for an earlier time, late rows apart: older versions may go. BASE_TIME_MAX_MS: nobody asks. */
int64_t cep_flow_profile_floor(const struct cep_flow *flow, uint32_t table);

/* ---- state ---- */
/* Deadline of a key that must be in memory from the start: rows in it wait for something else than their own stream. It stands until the key's piece 0 is
 * deleted, which comes with this deadline too. */
#define CEP_AT_START BASE_TIME_MIN_MS
/* Called for each piece that changed since the last checkpoint. bytes NULL: the piece is deleted. deadline_ms: earliest event time at which the key must be woken
 * (BASE_TIME_MAX_MS: never), given with piece 0. */
typedef int cep_flow_piece(void *ctx, uint64_t node_fingerprint, uint32_t key_group, const struct cep_tuple *key, uint32_t piece,
                           const void *bytes, size_t len, int64_t deadline_ms);
int cep_flow_checkpoint(struct cep_flow *flow, cep_flow_piece *piece, void *ctx) BASE_MUST_CHECK;
/* Puts a stored piece back (restore, rule reload, tests); BASE_E_CORRUPT if it does not decode, BASE_E_NOTFOUND if no node has that fingerprint. */
int cep_flow_restore(struct cep_flow *flow, uint64_t node_fingerprint, const struct cep_tuple *key, uint32_t piece, const void *bytes, size_t len) BASE_MUST_CHECK;
/* Goes through the stored state of a key of an ALERT node (any program's): each alert that stands outside and is not settled. BASE_E_CORRUPT, BASE_E_VERSION,
 * or what fn returns. */
int cep_alert_unsettled(const void *bytes, size_t len, int (*fn)(void *ctx, struct cep_ident ident), void *ctx) BASE_MUST_CHECK;
/* A stored key that must be woken at deadline_ms although its state is not in memory. */
int cep_flow_restore_timer(struct cep_flow *flow, uint64_t node_fingerprint, const struct cep_tuple *key, int64_t deadline_ms) BASE_MUST_CHECK;
/* Watermarks of exchanges and sources, to be stored with the epoch and put back before rows. */
int cep_flow_watermarks(struct cep_flow *flow, struct base_buf *out) BASE_MUST_CHECK;
int cep_flow_restore_watermarks(struct cep_flow *flow, const void *bytes, size_t len) BASE_MUST_CHECK;

/* Keys that were dropped from memory since the last call (limits.state_bytes) have deadlines from this time on (BASE_TIME_MAX_MS: none): the host gives them
 * back from its store by cep_flow_restore_timer before it delivers a watermark that reaches it. */
int64_t cep_flow_evicted_ms(struct cep_flow *flow);

struct cep_flow_stats { uint64_t keys, state_bytes, threads, rows_kept, rows_in, matches, rows_waiting; /* threads: live starts (partial matches) */ };
/* How often the state of a key was touched: the same number again means that no state changed. */
uint64_t cep_flow_touched(const struct cep_flow *flow);
/* Accounted memory of all keys and their states. */
uint64_t cep_flow_state_bytes(const struct cep_flow *flow);
/* About how much of that has changed since the last checkpoint: what the next one would write down. */
uint64_t cep_flow_changed_bytes(const struct cep_flow *flow);
/* Per node (CEP_NONE: all). */
void cep_flow_stats(const struct cep_flow *flow, uint32_t node, struct cep_flow_stats *ret);

#endif
