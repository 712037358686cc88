/* The rows that lean keys keep, of all keys of one operator one behind the other in order of arrival: keeping a row is a copy to where the last one went, and rows
 * die in nearly the same order. A row is named by 31 bits. Used by match_lean.c; not by keys in full form, which have row logs of their own (match_rows.h). */
#ifndef CEP_OPERATORS_MATCH_LOG_H
#define CEP_OPERATORS_MATCH_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/row.h"

#define MATCH_LOG_OFFSET_BITS 15 /* in units of 8 bytes: segments of at most 256 KiB */
#define MATCH_LOG_SEGMENT_MOST (8u << MATCH_LOG_OFFSET_BITS)
#define MATCH_LOG_SEGMENTS_MOST (1u << 16)
#define MATCH_LOG_SPARE 4

struct match_log_segment {
    char *bytes;          /* NULL: the place is free, `used` is the next free one + 1 */
    uint32_t used, cap;   /* bytes */
    uint32_t rows, live;  /* rows put in; those not dropped */
};
struct match_log {
    struct match_log_segment *at;
    uint32_t count, cap;
    uint32_t current;     /* the one that rows go to; count: none */
    uint32_t free_first;  /* 1 + free place; 0: none */
    char *spare[MATCH_LOG_SPARE]; /* whole segments that were given back: the next ones, without the system's help */
    uint32_t spare_count;
    uint64_t bytes;       /* memory of the segments, spare ones too */
    uint64_t rows, live;  /* sums over the segments */
};
void cep_match_log_finish(struct match_log *log);
/* BASE_E_LIMIT: the row is too large, or there are too many; the key must be kept in full form. */
int cep_match_log_put(struct match_log *log, const struct cep_row *row, uint32_t *ret_ref) BASE_MUST_CHECK;
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
