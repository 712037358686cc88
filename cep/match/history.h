/* A stretch of a source's rows that are all there already, in columns: a row pattern whose keys take the lean form goes through them key by key instead of row by row, each key's rows in order of
 * arrival and under the watermarks that stood when they came. So a key is found once and not for each of its rows, its state stays in the cache while it is stepped, rows are kept
 * where they are, and no key has to be woken in between. What is told is put back into order of arrival. docs/engine.md, Claim 19. Called by cep/flow_history.c; shard thread only. */
#ifndef CEP_MATCH_HISTORY_H
#define CEP_MATCH_HISTORY_H

#include "cep/columns.h"
#include "cep/match/aside.h"
#include "cep/operator.h"
#include "cep/plain_key.h"

struct match_history {
    struct cep_columns *columns;       /* timed, at most CEP_HISTORY_ROWS_MOST rows, in order of arrival */
    const uint8_t *left_out;           /* per row, 1: it came too late and is none; NULL: there are none */
    const struct cep_history_mark *marks;
    uint32_t mark_count;               /* at most CEP_HISTORY_MARKS_MOST */
    const uint32_t *key_columns;       /* at most CEP_PLAIN_KEY_MOST */
    uint32_t key_count;                /* 0: all rows have one key */
};

/* Can the operator take its rows so? */
bool cep_match_takes_history(const struct cep_operator *op);
/* All of it. BASE_E_UNSUPPORTED: conditions see too many different things for that; nothing was done, and rows must come one by one. What is told goes to `aside`; the operator's watermark is the same as before, and keys that need not be woken below the last mark are as if all had come row by row.
 * Errors end it; then the flow is good for nothing but to be destroyed. */
int cep_match_history(struct cep_operator *op, const struct match_history *history, struct match_aside *aside) BASE_MUST_CHECK;

/* ---- lean_named.c: what was told by naming its rows ---- */
/* A place as it goes out. */
struct match_history_told {
    struct cep_event event;
    struct cep_evidence evidence;
    struct cep_evidence_item items[MATCH_NAMED_MOST];
    struct base_arena arena;
};
/* The event of a named place: what would have been told otherwise, without key and evidence where `aside` is plain. Good until the next call; the arena is the caller's. BASE_E_LIMIT, BASE_E_NOMEM. */
int cep_match_history_event(struct cep_operator *op, const struct match_history *history, const struct match_aside *aside, const struct match_aside_place *place,
                            struct match_history_told *ret) BASE_MUST_CHECK;
/* Brings near what it is made of: where the values lie, then (texts) those. */
void cep_match_history_near(const struct match_history *history, const struct match_aside *aside, const struct match_named *named, bool texts);

/* ---- history_sights.c ---- */
struct match_op;
/* Of each row what conditions can see of it, in order of arrival; 0: not known. The arena is reset. BASE_E_UNSUPPORTED: that is not just a few short values that come again and again. */
int cep_match_history_sights(struct match_op *op, struct cep_columns *columns, struct base_arena *arena, uint16_t *sights) BASE_MUST_CHECK;

/* ---- history_keys.c ---- */
#define MATCH_HISTORY_BEHIND 8 /* rows behind the last one may be read; they say nothing */
/* A row as it is gone through. */
struct match_history_row {
    int64_t time_ms;
    uint32_t row;
    uint16_t sight;  /* 0: not known; good as long as the operator's steps are of the same epoch */
    uint16_t mark;   /* so many marks were told before it */
};
/* Rows by key, keys in order of their first rows, each key's rows in order of arrival. */
struct match_history_keys {
    struct match_history_row *rows;
    uint32_t *ends;  /* per key: behind its last row */
    uint32_t count;
};
/* BASE_E_NOMEM. Zeroed before; sights (one per row of the columns) are put into the rows. Memory that was needed for it goes to `aside`. */
int cep_match_history_part(const struct match_history *history, const uint16_t *sights, struct match_aside *aside, struct match_history_keys *ret) BASE_MUST_CHECK;
void cep_match_history_keys_finish(struct match_history_keys *keys);

#endif
