/* The row log of one key: rows in the operator's order, numbered from 1, appended at the end, dropped from the front, cut back at the end by a
 * rewind. Kept in chunks so that a key with a million rows is written to the store in pieces. Used by the row pattern operator only. */
#ifndef CEP_MATCH_ROWS_H
#define CEP_MATCH_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/row.h"

#define MATCH_CHUNK_BYTES (64u << 10)

struct match_chunk {
    uint64_t first_seq;  /* of its first row */
    uint32_t number;     /* piece number in the store, > 0, rising */
    uint32_t count;      /* rows */
    uint32_t used, cap;  /* bytes */
    bool dirty;          /* changed since the last checkpoint */
    char *bytes;         /* cep_rows back to back, 8-byte aligned; offset of row i as uint32 at the block's end, growing downwards */
};
struct match_rows {
    struct match_chunk *chunks; /* &one while cap == 1 */
    uint32_t count, cap;   /* chunks */
    struct match_chunk one; /* most keys have one chunk */
    uint32_t next_number;  /* piece number of the next chunk, starts at 1 */
    uint32_t dropped_first, dropped_end; /* piece numbers [first, end) whose deletion is not yet stored */
    uint64_t first_seq;    /* first row still kept; == end_seq: none */
    uint64_t end_seq;      /* number of the next row */
    uint64_t bytes;        /* memory of the chunks */
};
void cep_match_rows_init(struct match_rows *rows); /* must not be moved afterwards */
void cep_match_rows_finish(struct match_rows *rows);
int cep_match_rows_append(struct match_rows *rows, const struct cep_row *row) BASE_MUST_CHECK;
int cep_match_rows_open(struct match_rows *rows) BASE_MUST_CHECK; /* the next row begins a new chunk */
/* first_seq <= seq < end_seq. Valid until the next append, drop or cut. */
const struct cep_row *cep_match_rows_at(const struct match_rows *rows, uint64_t seq);
/* Forgets all rows; the next one is seq. Keeps its memory. */
void cep_match_rows_restart(struct match_rows *rows, uint64_t seq);
/* Forgets rows below seq. */
void cep_match_rows_drop(struct match_rows *rows, uint64_t seq);
/* Forgets rows from seq on. */
void cep_match_rows_cut(struct match_rows *rows, uint64_t seq);

/* After a load: do the chunks hold rows first_seq .. end_seq without a gap? BASE_E_CORRUPT. */
int cep_match_rows_complete(struct match_rows *rows) BASE_MUST_CHECK;

#endif
