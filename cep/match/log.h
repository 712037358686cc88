/* The rows that lean keys keep, of all keys of one operator one behind the other in order of arrival: keeping a row is a copy to where the last one went, and rows
 * die in nearly the same order. A row is named by 31 bits. Used by lean.c; not by keys in full form, which have row logs of their own (rows.h). */
#ifndef CEP_MATCH_LOG_H
#define CEP_MATCH_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/row.h"

#define MATCH_LOG_OFFSET_BITS 15 /* in units of 8 bytes: segments of at most 256 KiB */
#define MATCH_LOG_SEGMENT_MOST (8u << MATCH_LOG_OFFSET_BITS)
#define MATCH_LOG_SEGMENTS_MOST (1u << 16)
#define MATCH_LOG_SPARE 4
#define MATCH_LOG_PIECE 32 /* bytes; every row has more */

struct match_log_segment {
    char *bytes;          /* NULL: the place is free */
    uint32_t cap;         /* bytes */
    uint32_t free_next;   /* free: the next free one + 1 */
    uint32_t rows, live;  /* rows put in; those not dropped. Of the current one without the fresh ones */
};
struct match_log {
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
};
void cep_match_log_finish(struct match_log *log);
/* BASE_E_LIMIT: the row is too large, or there are too many; the key must be kept in full form. */
int cep_match_log_put_anew(struct match_log *log, const struct cep_row *row, uint32_t *ret_ref) BASE_MUST_CHECK; /* the same, where the last segment is full */
static inline int cep_match_log_put(struct match_log *log, const struct cep_row *row, uint32_t *ret_ref)
{
    uint32_t size = (uint32_t)cep_row_size(row);
    if (BASE_UNLIKELY(size > log->room))
        return cep_match_log_put_anew(log, row, ret_ref);
    /* pieces of a fixed size, the last one up to the row's end */
    char *to = log->next, *last = to + size - MATCH_LOG_PIECE;
    const char *from = (const char *)row, *from_last = from + size - MATCH_LOG_PIECE;
    for (; to < last; to += MATCH_LOG_PIECE, from += MATCH_LOG_PIECE)
        memcpy(to, from, MATCH_LOG_PIECE);
    memcpy(last, from_last, MATCH_LOG_PIECE);
    *ret_ref = log->next_ref;
    log->next += size;
    log->next_ref += size >> 3;
    log->room -= size;
    log->fresh++;
    return 0;
}
/* Counts what came since it was last done. */
void cep_match_log_settle(struct match_log *log);
static inline const struct cep_row *cep_match_log_row(const struct match_log *log, uint32_t ref)
{
    return (const struct cep_row *)(const void *)(log->at[ref >> MATCH_LOG_OFFSET_BITS].bytes + ((size_t)(ref & ((1u << MATCH_LOG_OFFSET_BITS) - 1)) << 3));
}
void cep_match_log_drop(struct match_log *log, uint32_t ref);
/* Does the row stand among many dead ones? Then it should be put anew and dropped here. */
static inline bool cep_match_log_lonely(const struct match_log *log, uint32_t ref)
{
    const struct match_log_segment *segment = &log->at[ref >> MATCH_LOG_OFFSET_BITS];
    return segment->live < segment->rows / 4 && ref >> MATCH_LOG_OFFSET_BITS != log->current;
}
/* Is so much of the memory dead that lonely rows should be looked for? */
static inline bool cep_match_log_sparse(const struct match_log *log) { return log->rows > 4096 && log->live < log->rows / 3; }

#endif
