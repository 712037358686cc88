/* The row pattern operator from inside: what its files share. See docs/engine.md for the argument why it is right.
 *
 * Find by classes, explain by replay. While rows come, the operator only has to know *which* start completes, and *when*: starts whose ordered threads agree
 * in (state, guards, predicate-live registers) cannot differ in that, so they form one class that is stepped once, whatever their number. What a match looks
 * like - its rows, labels, measures - is found when it is needed, by running the automaton once more over the kept rows from that one start, with paths.
 * Rows are therefore kept from the earliest live start on; measures cost nothing until a match is there. */
#ifndef CEP_MATCH_MATCH_H
#define CEP_MATCH_MATCH_H

#include "base/vec.h"
#include "cep/once.h"
#include "cep/operator.h"
#include "cep/match/rows.h"

#define MATCH_NO_CLASS UINT32_MAX
#define MATCH_NO_PATH UINT32_MAX
#define MATCH_NEVER_MS INT64_MAX /* time of a start whose time is up, but whose threads wait only to learn what follows their last row ($, NOT) */

/* A thread while it is stepped: regs is NULL where no register is live. */
struct match_thread {
    uint32_t pc, guards;
    const struct cep_tuple *regs;
    uint32_t path;  /* replay: last node of its path, MATCH_NO_PATH: none taken yet */
};
struct match_threads BASE_VEC(struct match_thread);

/* A thread as stored in a class, followed by its register tuple of regs_bytes. */
struct match_stored_thread { uint32_t pc, guards, regs_bytes, pad; };
/* A class as stored in a head's blob, followed by its threads. */
struct match_class {
    uint64_t min_seq;   /* its earliest start */
    uint64_t hash;      /* of the bytes behind this header */
    uint32_t id;        /* index into parents */
    uint32_t bytes;     /* with header and threads */
    uint32_t threads;
    uint32_t pad;       /* park.h: its live starts, where the head keeps a store; else unused */
};

enum match_cand_kind { MATCH_FOUND = 1, MATCH_ABSENT = 2, MATCH_TIMEOUT = 3, MATCH_UNMATCHED = 4 };
enum match_step { MATCH_STEP_ROW, MATCH_STEP_TIME, MATCH_STEP_END };
/* A start's best match so far. Sorted by start (ALL MATCHES: and completing row). */
struct match_cand {
    uint64_t start, end;   /* end < start: empty */
    uint64_t accept_seq;   /* row at which it was accepted: replay runs up to it */
    int64_t not_before_ms; /* may be told once the watermark reaches this */
    int64_t time_ms;       /* ABSENT, TIMEOUT: the deadline = time of the result; otherwise unused */
    uint64_t number;       /* MATCH_NUMBER once resolved */
    uint8_t kind;          /* enum match_cand_kind */
    uint8_t step;          /* enum match_step by which it was accepted */
    uint8_t resolved;      /* no earlier start is live and nothing more preferred: counts */
    uint8_t fresh;         /* eager: not yet compared with what was emitted */
};
struct match_cands BASE_VEC(struct match_cand);

/* A row that may be a start: its class, MATCH_NO_CLASS if it is none or dead; its time, so that running out of time needs no row. */
struct match_start { int64_t time_ms; uint32_t id; uint32_t pad; };

/* What is known after rows [.., next_seq): one for the settled rows (base), one for all rows. Copied as a whole for a rewind. */
struct match_head {
    uint64_t next_seq;        /* next row to be processed */
    uint64_t number;          /* matches resolved so far */
    uint64_t covered;         /* last row that a resolved match covers */
    uint64_t unmatched_next;  /* first row not yet decided as matched or not (WITH UNMATCHED ROWS) */
    uint64_t trying;          /* one start at a time: the start under way, 0: none */
    uint64_t first_start;     /* starts below are dead or resolved; starts[class_skip] is its entry */
    struct match_start *starts; /* per row from first_start on */
    uint32_t class_skip, class_len, class_cap; /* of starts: dead prefix; used (prefix included); room */
    uint32_t *parents;        /* union-find over class ids; MATCH_NO_CLASS: the class is dead */
    uint32_t parent_count, parent_cap;
    char *blob;               /* classes back to back */
    uint32_t blob_used, blob_cap, classes;
    uint32_t block_bytes;
    char *block;              /* the memory of starts, blob and parents */
    struct match_parked *parked; /* classes that wait for a value, beside the blob (park.h); NULL: none */
    struct match_cands cands;
};

/* Eager: an output row that was told and is not settled. */
struct match_told {
    struct cep_ident ident;
    uint64_t start;           /* of its candidate, in the numbering since the last rewind */
    uint64_t accept_seq;
    uint64_t content;         /* hash of row and evidence */
    uint64_t path;            /* told in lean form: hash of its rows and labels; 0: not known */
    struct cep_row *row;      /* owned copy, for retraction; NULL: named */
    const struct match_named *named; /* the match by its rows, while those stand in columns (picks.h): ident, content, first time and place are not known yet; NULL otherwise */
    int64_t first_time_ms, last_time_ms;
    struct cep_position first_at;
    uint8_t gone;             /* withdrawn; kept while it may come again, so that who counts its revisions does not forget it before */
    uint8_t cand_kind, standing, resolved;
};
struct match_tolds BASE_VEC(struct match_told);

struct match_key {
    struct match_rows rows;
    struct match_head now;     /* over all rows of the log (but the lookahead and, if final, the waiting ones) */
    struct match_head base;    /* eager: over the settled rows only, if has_base; else all rows are settled (and it keeps its memory for the next time) */
    bool has_base;
    uint64_t waiting_from;     /* final: rows of the log from here on wait for the watermark; eager: first unsettled row */
    struct match_tolds told;
    int64_t told_ms;           /* watermark when results were last told: what may be told from a later time on needs a wake-up then */
    bool ended;                /* the end of input was processed */
    bool limited;              /* a limit was hit */
    uint32_t counted_rows, counted_starts; /* its share of the operator's sums */
    uint8_t *restoring;        /* while pieces of a lean key come back: which rows are no starts, one bit each */
};

struct match_path { uint32_t parent; uint16_t var; uint16_t excluded; uint64_t seq; };
struct match_aside;
struct match_named;
struct match_item { uint64_t seq; uint16_t var; uint16_t excluded; };
struct match_items BASE_VEC(struct match_item);

struct match_op {
    struct cep_operator op;    /* first */
    const struct cep_program *program;
    const struct cep_match *m;
    const struct cep_nfa *nfas;
    const struct cep_var *vars;
    const struct cep_pred *preds;
    const struct cep_guard *guards;
    const uint32_t *u32s;
    const struct cep_type *types;   /* input columns */
    uint32_t columns;
    const struct cep_type *out_types; /* output columns */
    uint32_t out_columns;
    uint32_t live_count, out_count; /* registers */
    struct cep_type *live_types, *outreg_types;
    struct cep_value *live_init, *outreg_init; /* texts point into the program */
    int64_t within_ms;         /* WITHIN or INTERVAL; 0: none */
    uint32_t guard_next_mask;  /* guards that speak of the next row alone */
    uint32_t guard_end_mask;   /* those of them that hold at the end of the match, too: NOT_NEXT */
    bool has_for_absence, has_absence, sequential, needs_history, has_start_anchor;
    bool has_lookahead;        /* $, a NOT for the next row or FOR INTERVAL: threads may rest behind their last row and outlive WITHIN */
    bool early_discard;        /* a completed match covers its rows for good, before it counts (docs/engine.md, Claim 4) */
    bool numbers;              /* somebody asks for MATCH_NUMBER() */
    bool independent;          /* no match's skip concerns another start, and nobody asks for numbers: a match counts as soon as it is final itself */
    struct match_threads first_plain, first_anchor; /* threads of a new start before its first row; anchor: before the partition's first row */
    bool empty_plain, empty_anchor;                 /* that start can match empty */

    /* one step's scratch */
    struct cep_expr *expr;
    struct cep_frame frame;
    struct base_arena first_arena; /* registers of first_plain and first_anchor */
    struct base_arena arena;   /* registers of threads in the making; reset per row */
    struct match_key *key;     /* whose rows NAV reads */
    uint64_t seq;              /* current row */
    const struct cep_row *row; /* NULL in time and end steps */
    enum match_step mode;
    int64_t step_time_ms;      /* mode TIME: deadlines at or below hold */
    bool quiet;                /* replays do not report errors a second time */
    uint8_t *unary;            /* per pred: 0 not asked, 1 false, 2 true */
    struct cep_once *once;     /* conditions shared with other patterns; NULL: none of this one's is */
    uint32_t *once_slots;      /* per pred: its slot there, CEP_NONE: not shared */
    bool once_holds;           /* the current row is the one that is under way there */
    struct cep_value *regs, *new_regs;
    const struct cep_tuple *unpacked; /* tuple whose values regs holds */
    uint32_t unpacked_pc;
    struct cep_value *pack_values; struct cep_type *pack_types;
    struct match_threads in, out, temp;
    uint32_t *pc_first;        /* per pc: 1 + first thread of out at it, valid if pc_stamp == stamp */
    uint32_t *pc_stamp, stamp;
    uint32_t *next_same;       /* per thread of out: 1 + next at the same pc, or of the same bucket */
    uint32_t next_same_cap;
    uint32_t *same_buckets, same_bucket_count, same_stamp; /* many threads are found by their values: 1 + first thread of out; valid if same_stamp == stamp */
    struct match_closure *stack; uint32_t stack_cap;
    uint32_t *seen_stamp, seen_now;  /* closure: pcs visited with (guards, loops) of seen_key */
    uint64_t *seen_key;
    uint32_t *step_stamp, step_now;  /* the same of the whole step (of the whole row where later starts are absorbed), for pcs where no register is live */
    uint64_t *step_key;
    bool *reads_regs;                /* per pc: a register is live at it or where closures from it rest */
    bool accepted;             /* the last step accepted */
    uint32_t accept_path;
    uint32_t accept_at;        /* out.len at the moment of acceptance: threads before it are preferred */
    bool track;                /* replay: keep paths */
    struct match_path *paths; uint32_t path_count, path_cap, path_most; /* beyond path_most the unreachable ones are swept out */
    char *scratch; uint32_t scratch_cap, scratch_used; /* the new blob */
    uint32_t scratch_classes;
    uint32_t *class_table; uint32_t class_table_cap;   /* hash -> 1 + offset in scratch */
    uint32_t *accepted_ids; uint32_t accepted_count, accepted_cap;
    struct base_arena arena_prev, out_arena; /* replay: registers of the row before; output rows */
    struct match_threads replay;
    struct { uint32_t *at; size_t len, cap; } accept_list; /* ALL MATCHES: paths accepted by the last step */
    struct match_items items;
    const struct cep_row *const *view; uint64_t view_first; /* a lean key's match is told: its rows, by number; NULL: they are in the key's log */
    struct cep_value *run_regs, *final_regs, *next_regs;
    struct cep_value *out_values;
    struct cep_evidence_item *evidence; uint32_t evidence_cap;
    struct match_dag *dag;     /* ALL MATCHES */
    uint64_t threads_stepped, rows_in, matches;
    uint64_t rows_kept, starts; /* sums over the keys in memory; rows of those in full form */
    struct match_configs *steps; /* remembered steps, where conditions see the row and registers alone; NULL otherwise */
    struct match_edge_table *edges; /* each remembered step notes which thread came from which; NULL: it does not */
    struct match_aside *aside; /* what is told is kept there meanwhile; NULL: it goes out at once */
    struct match_lean_op *lean; /* keys may take the lean form; NULL: they may not */
    bool plain;                /* a bounded table in columns: nobody asks for identity, evidence, or what was told before */
    bool counts;               /* ... nor for any column: */
    uint64_t owed;             /* rows to tell, not yet told */
    struct match_absorb *absorb; /* later starts give way to earlier ones; NULL: the pattern does not allow it */
    struct match_park *park;   /* classes that wait for a value are found by it; NULL: the pattern has none */
    bool whole_row;            /* steps of several starts over one row, in order, where later ones are absorbed */
    bool no_start;             /* rows gone through again: this one was skipped over */
    uint64_t row_errors;       /* errors of conditions, reported or not */
};

/* ---- nfa.c: threads ---- */
/* Resting threads of a start before its first row; anchor: that row is the partition's first. */
int cep_match_first(struct match_op *op, bool anchor, struct match_threads *ret, bool *ret_empty) BASE_MUST_CHECK;
/* Prepares stepping over row `seq` of key. */
void cep_match_begin_row(struct match_op *op, struct match_key *key, uint64_t seq);
/* Steps ordered threads over the current row (or time, or end): op->out, op->accepted. Without ALL MATCHES what is less preferred than an acceptance is cut. */
int cep_match_step(struct match_op *op, const struct match_thread *threads, uint32_t count) BASE_MUST_CHECK;
/* Does the thread wait for no further row of its own, and without regard to WITHIN? */
bool cep_match_thread_looks_ahead(const struct match_op *op, const struct match_thread *thread);
/* Deadline of a thread that rests in `-> NOT b FOR INTERVAL`; BASE_TIME_MAX_MS otherwise. */
int64_t cep_match_thread_deadline(struct match_op *op, const struct match_thread *thread);
void cep_match_reset_out(struct match_op *op);
/* Nothing is known of the current row's unary conditions, but what other patterns found. */
void cep_match_forget_unary(struct match_op *op);
/* A condition of the current row that is evaluated once per row, without an error. */
static inline void cep_match_note_unary(struct match_op *op, uint32_t pred, bool holds)
{
    op->unary[pred] = holds ? 2 : 1;
    if (op->once_holds && op->once_slots[pred] != CEP_NONE)
        cep_once_note(op->once, op->once_slots[pred], holds);
}
/* What is known of it: 0 nothing, 1 false, 2 true. */
static inline uint8_t cep_match_known_unary(const struct match_op *op, uint32_t pred)
{
    if (op->unary[pred] || !op->once_holds || op->once_slots[pred] == CEP_NONE)
        return op->unary[pred];
    return cep_once_known(op->once, op->once_slots[pred]);
}
/* Fills reads_regs. */
void cep_match_note_reads(struct match_op *op);
/* What follows is no part of the step before. */
void cep_match_forget_seen(struct match_op *op);

/* ---- head.c: classes, starts, candidates ---- */
void cep_match_head_init(struct match_head *head);
void cep_match_head_finish(struct match_head *head);
/* to is initialised; its memory is reused, what it held is gone. */
int cep_match_head_copy(const struct match_head *from, struct match_head *to) BASE_MUST_CHECK;
/* Room for so many starts, parents and bytes of classes. */
int cep_match_head_reserve(struct match_head *head, uint32_t starts, uint32_t parents, uint32_t blob) BASE_MUST_CHECK;
/* Processes the row head->next_seq of the log. */
int cep_match_head_row(struct match_op *op, struct match_key *key, struct match_head *head) BASE_MUST_CHECK;
/* Event time has reached time_ms for this key: starts run out, absences hold. */
int cep_match_head_time(struct match_op *op, struct match_key *key, struct match_head *head, int64_t time_ms) BASE_MUST_CHECK;
/* No further row will come. */
int cep_match_head_end(struct match_op *op, struct match_key *key, struct match_head *head) BASE_MUST_CHECK;
/* Marks candidates that count now as resolved and applies their SKIP. */
int cep_match_head_resolve(struct match_op *op, struct match_key *key, struct match_head *head) BASE_MUST_CHECK;
/* Earliest time at which head_time has something to do; BASE_TIME_MAX_MS: none. */
int64_t cep_match_head_deadline(struct match_op *op, const struct match_key *key, const struct match_head *head);
/* May the candidate count as far as the watermark is concerned? Eager: an absence whose time the rows have passed waits for it (docs/semantics.md, 5.2). */
bool cep_match_due(const struct match_op *op, const struct match_cand *cand);
/* Does a more preferred candidate of the same start, which is due, stand behind the ith? */
bool cep_match_superseded(const struct match_op *op, const struct match_head *head, size_t i);
/* First row that the head still needs. */
uint64_t cep_match_head_keep_from(const struct match_op *op, const struct match_head *head);
bool cep_match_head_live(const struct match_head *head); /* any live start or candidate */
uint32_t cep_match_find(const struct match_head *head, uint32_t id);

/* ---- trace.c ---- */
/* Tells what row seq, just processed, did. */
int cep_match_trace(struct match_op *op, struct match_key *key, struct match_head *head, uint64_t seq) BASE_MUST_CHECK;

/* ---- replay.c ---- */
/* Rows and labels of the most preferred live thread of a start behind row seq: op->items; where it rests, and how many threads there are. */
int cep_match_replay_live(struct match_op *op, struct match_key *key, uint64_t start, uint64_t seq, uint64_t number, uint32_t *ret_pc, uint32_t *ret_ways)
    BASE_MUST_CHECK;
/* Rows and labels of a candidate: op->items, in order. */
int cep_match_replay(struct match_op *op, struct match_key *key, const struct match_cand *cand) BASE_MUST_CHECK;
/* Called for each output row of a candidate. */
struct match_output {
    const struct cep_row *row;
    struct cep_ident ident;
    const struct match_cand *cand;
    int64_t first_time_ms, last_time_ms;
    struct cep_position first_at;
    const struct cep_evidence *evidence; /* NULL: none */
    uint64_t content;
};
typedef int match_output_fn(void *ctx, const struct match_output *output);
/* The identity of a match of one row, where each start has one at most, by where its start stood. */
struct cep_ident cep_match_ident_of_start(const struct cep_position *at);
/* The same as cep_match_outputs for op->items as they stand. */
int cep_match_outputs_items(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t number, match_output_fn *fn, void *ctx) BASE_MUST_CHECK;
int cep_match_outputs(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t number, match_output_fn *fn, void *ctx) BASE_MUST_CHECK;

/* ---- all.c: ALL MATCHES ---- */
typedef int match_derivation_fn(void *ctx); /* op->items holds it */
/* How many match numbers the candidate takes. */
int cep_match_count(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t *ret) BASE_MUST_CHECK;
/* The row that AFTER MATCH SKIP TO names in the derivation in op->items; 0: none. */
uint64_t cep_match_items_target(const struct match_op *op);
/* The same of the candidate: the first one behind its start, in the order of its derivations; else the start, or 0: none. */
int cep_match_skip_target(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t *ret) BASE_MUST_CHECK;
/* Unwinds a path into op->items. */
int cep_match_unwind(struct match_op *op, uint32_t path) BASE_MUST_CHECK;
int cep_match_derivations(struct match_op *op, struct match_key *key, const struct match_cand *cand, match_derivation_fn *fn, void *ctx) BASE_MUST_CHECK;
void cep_match_all_finish(struct match_op *op);

/* ---- key.c: order, eager and final ---- */
int cep_match_key_row(struct match_op *op, struct cep_key *key, const struct cep_event *event) BASE_MUST_CHECK;
int cep_match_key_wake(struct match_op *op, struct cep_key *key) BASE_MUST_CHECK;
/* Tells a match whose rows and labels stand in op->items (none for rows that no match covers). */
int cep_match_key_tell(struct match_op *op, struct cep_key *key, const struct match_cand *cand) BASE_MUST_CHECK;
/* Eager, of a lean key: the match in op->items over the rows of op->view, told as new or changed, or not at all if it was told so; noted in tolds. */
int cep_match_key_tell_view(struct match_op *op, struct cep_key *key, struct match_tolds *tolds, const struct match_cand *cand) BASE_MUST_CHECK;
/* Tells the end of a told row: CEP_DELETE or CEP_SETTLED. limited: mark it as cut by a limit. */
int cep_match_key_end(struct match_op *op, struct cep_key *key, struct match_told *told, uint8_t change, bool limited) BASE_MUST_CHECK;
/* Candidates that were told as they are need not be explained again; all others are new. */
void cep_match_key_find_same(struct match_op *op, struct match_key *state);
int64_t cep_match_key_deadline(struct match_op *op, const struct cep_key *key);
bool cep_match_key_idle(const struct match_op *op, const struct match_key *key);
/* The empty state. In the key's room, or, where that is for the lean form, on the heap: NULL if there is no memory. */
struct match_key *cep_match_key_init(struct match_op *op, struct cep_key *key);
void cep_match_key_clear(struct match_key *state); /* makes it empty; what it held must be gone */
void cep_match_key_finish(struct match_key *key);
int cep_match_key_settle(struct match_op *op, struct cep_key *key) BASE_MUST_CHECK;

/* Brings the key's share of the operator's sums up to date. */
void cep_match_key_count(struct match_op *op, struct match_key *state, bool gone);

/* ---- codec.c ---- */
int cep_match_save(struct match_op *op, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx) BASE_MUST_CHECK;
int cep_match_load(struct match_op *op, struct cep_key *key, uint32_t piece, const void *bytes, size_t len) BASE_MUST_CHECK;
void cep_match_pieces(const struct match_key *key, uint32_t *ret_first, uint32_t *ret_end);

#endif
