/* The rows that lean keys keep, of all keys of one operator one behind the other in order of arrival, each in few bytes (pack.h): keeping a row is writing it where the last one went, and rows
 * die in nearly the same order. A row is named by 30 bits, or by its place in columns that are there meanwhile. Used by lean.c; not by keys in full form, which have row logs of their own (rows.h). */
#ifndef CEP_MATCH_LOG_H
#define CEP_MATCH_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/columns.h"
#include "cep/match/pack.h"

#define MATCH_LOG_UNIT 4u        /* bytes: where rows may begin */
#define MATCH_LOG_OFFSET_BITS 15 /* in units: segments of at most 128 KiB */
#define MATCH_LOG_SEGMENT_MOST (MATCH_LOG_UNIT << MATCH_LOG_OFFSET_BITS)
#define MATCH_LOG_SEGMENTS_MOST (1u << 15)
#define MATCH_LOG_IN_COLUMNS (UINT32_C(1) << 30) /* in a name: the row with that number of `columns`, which is not kept here */
#define MATCH_LOG_SPARE 4

struct match_log_segment {
    char *bytes;          /* NULL: the place is free */
    uint32_t cap;         /* bytes */
    uint32_t free_next;   /* free: the next free one + 1 */
    uint32_t rows, live;  /* rows put in; those not dropped. Of the current one without the fresh ones */
};
struct match_log {
    struct match_pack pack;
    struct match_log_segment *at;
    uint32_t count, cap;
    uint32_t current;     /* the one that rows go to */
    char *next;           /* where the next one goes, */
    uint32_t next_ref, room; /* its name, and the bytes that are left; 0: there is no segment */
    uint32_t fresh;       /* rows that are not counted yet */
    uint32_t free_first;  /* 1 + free place; 0: none */
    char *spare[MATCH_LOG_SPARE]; /* whole segments that were given back: the next ones, without the system's help */
    uint32_t spare_count;
    uint64_t bytes;       /* memory of the segments, spare ones too */
    uint64_t rows, live;  /* sums over the segments; live may be ahead by dropped fresh ones */
    struct cep_columns *columns; /* history.c: where rows stand that are not kept here; NULL: there are none */
    const struct cep_row *under_way; /* that row is number columns_row of them; NULL: none is */
    uint32_t columns_row;
};
/* BASE_E_NOMEM. Zeroed it may be finished. */
int cep_match_log_init(struct match_log *log, const struct cep_type *types, uint32_t columns) BASE_MUST_CHECK;
void cep_match_log_finish(struct match_log *log);
/* Makes room for so many bytes. BASE_E_LIMIT: they are too many, or the rows are; the key must be kept in full form. */
int cep_match_log_make_room(struct match_log *log, size_t bytes) BASE_MUST_CHECK;
static inline uint32_t cep_match_log_take(struct match_log *log, size_t bytes)
{
    uint32_t ref = log->next_ref, units = (uint32_t)((bytes + MATCH_LOG_UNIT - 1) / MATCH_LOG_UNIT);
    log->next += units * MATCH_LOG_UNIT;
    log->next_ref += units;
    log->room -= units * MATCH_LOG_UNIT;
    log->fresh++;
    return ref;
}
/* Errors as above. */
static inline int cep_match_log_put(struct match_log *log, const struct cep_row *row, uint32_t *ret_ref)
{
    if (BASE_UNLIKELY(log->under_way == row)) {
        *ret_ref = MATCH_LOG_IN_COLUMNS | log->columns_row;
        return 0;
    }
    size_t room = cep_match_pack_room(&log->pack, cep_row_size(row));
    if (BASE_UNLIKELY(room > log->room)) {
        int rc = cep_match_log_make_room(log, room);
        if (rc)
            return rc;
    }
    *ret_ref = cep_match_log_take(log, cep_match_pack_put(&log->pack, row, log->next));
    return 0;
}
/* The same row once more, at the end. */
int cep_match_log_move(struct match_log *log, uint32_t ref, uint32_t *ret_ref) BASE_MUST_CHECK;
/* Counts what came since it was last done. */
void cep_match_log_settle(struct match_log *log);
/* As it is packed. */
static inline const char *cep_match_log_packed(const struct match_log *log, uint32_t ref)
{
    return log->at[ref >> MATCH_LOG_OFFSET_BITS].bytes + (size_t)(ref & ((1u << MATCH_LOG_OFFSET_BITS) - 1)) * MATCH_LOG_UNIT;
}
/* The row, whose time the caller knows, in the arena. NULL: no memory. */
struct cep_row *cep_match_log_row(const struct match_log *log, uint32_t ref, int64_t time_ms, struct base_arena *arena);
/* Brings near what a row in columns is made of: its slots, or, once they are there, its texts. */
static inline void cep_match_log_near(const struct match_log *log, uint32_t ref, bool texts)
{
    __asm__ volatile(""); /* as in flow_ahead.c: a function that only brings memory near is left out */
    if (!(ref & MATCH_LOG_IN_COLUMNS))
        return;
    if (texts)
        cep_columns_near_texts(log->columns, ref & ~MATCH_LOG_IN_COLUMNS);
    else
        cep_columns_near(log->columns, ref & ~MATCH_LOG_IN_COLUMNS);
}
static inline struct cep_position cep_match_log_at(const struct match_log *log, uint32_t ref)
{
    if (BASE_UNLIKELY(ref & MATCH_LOG_IN_COLUMNS))
        return cep_columns_position(log->columns, ref & ~MATCH_LOG_IN_COLUMNS);
    return cep_match_pack_at(&log->pack, cep_match_log_packed(log, ref));
}
void cep_match_log_drop(struct match_log *log, uint32_t ref);
/* Does the row stand among many dead ones? Then it should be put anew and dropped here. */
static inline bool cep_match_log_lonely(const struct match_log *log, uint32_t ref)
{
    if (ref & MATCH_LOG_IN_COLUMNS)
        return false;
    const struct match_log_segment *segment = &log->at[ref >> MATCH_LOG_OFFSET_BITS];
    return segment->live < segment->rows / 4 && ref >> MATCH_LOG_OFFSET_BITS != log->current;
}
/* Is so much of the memory dead that lonely rows should be looked for? */
static inline bool cep_match_log_sparse(const struct match_log *log) { return log->rows > 4096 && log->live < log->rows / 3; }

#endif
