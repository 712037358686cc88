/* A row: a relocatable block without pointers, copied by memcpy: header, NULL bits, one 8-byte slot per column, text behind.
 * The same tuple layout (struct cep_tuple) holds keys and the registers of partial matches. Any thread.
 *
 * Slots: BOOLEAN..BIGINT, DATE, TIMESTAMP*, INTERVAL*, TIME as int64; DOUBLE as its bits; text kinds as {u32 offset, u32 length} from the
 * tuple's start; DECIMAL with precision <= 18 as int64, wider ones as {u32 offset of 16 bytes little-endian, u32 16}. Texts are packed in column
 * order without gaps and NULL slots are zero, so equal values of equal types give equal bytes: tuples are compared and hashed by memcmp. */
#ifndef CEP_ROW_H
#define CEP_ROW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/attr.h"
#include "base/arena.h"
#include "base/str.h"
#include "cep/value.h"

#define CEP_COLUMNS_MAX 1024
#define CEP_ROW_BYTES_MAX (16u << 20) /* the hard upper bound of one row */

struct cep_tuple {
    uint32_t size_bytes; /* whole tuple, this header included, multiple of 8 */
    uint16_t columns;
    uint16_t reserved;   /* 0 */
    uint64_t data[];     /* ceil(columns / 64) words of NULL bits (1 = NULL), columns slots, text */
};
static inline uint32_t cep_tuple_null_words(uint32_t columns) { return (columns + 63) / 64; }
static inline bool cep_tuple_is_null(const struct cep_tuple *t, uint32_t column)
{
    return (t->data[column / 64] >> (column % 64)) & 1;
}
static inline uint64_t cep_tuple_slot(const struct cep_tuple *t, uint32_t column)
{
    return t->data[cep_tuple_null_words(t->columns) + column];
}
/* Value of a column; texts point into the tuple. */
static inline struct cep_value cep_tuple_get(const struct cep_tuple *t, uint32_t column, struct cep_type type)
{
    struct cep_value v = { .i = 0, .null = false };
    if (cep_tuple_is_null(t, column)) {
        v.null = true;
        return v;
    }
    uint64_t slot = cep_tuple_slot(t, column);
    if (cep_kind_is_text(type.kind)) {
        v.s.ptr = (const char *)t + (uint32_t)slot;
        v.s.len = slot >> 32;
    } else if (type.kind == CEP_KIND_DECIMAL) {
        if (type.precision > 18)
            memcpy(&v.dec, (const char *)t + (uint32_t)slot, 16);
        else
            v = cep_dec((int64_t)slot);
    } else {
        v.i = (int64_t)slot; /* DOUBLE shares the bits */
    }
    return v;
}
/* Bytes that a tuple of these values takes; 0 if beyond CEP_ROW_BYTES_MAX. */
size_t cep_tuple_size(const struct cep_type *types, const struct cep_value *values, uint32_t columns);
/* Writes the tuple at `at` (cep_tuple_size bytes, 8-byte aligned). */
void cep_tuple_write(const struct cep_type *types, const struct cep_value *values, uint32_t columns, struct cep_tuple *at);
/* Checks that bytes hold one whole tuple of these types with offsets inside (for stored data). */
bool cep_tuple_valid(const void *bytes, size_t len, const struct cep_type *types, uint32_t columns);
static inline bool cep_tuple_equal(const struct cep_tuple *a, const struct cep_tuple *b)
{
    return a->size_bytes == b->size_bytes && memcmp(a, b, a->size_bytes) == 0;
}

enum cep_change {
    CEP_INSERT = 0,
    CEP_UPDATE_BEFORE = 1,
    CEP_UPDATE_AFTER = 2,
    CEP_DELETE = 3,
    CEP_SETTLED = 4 /* no change: the derived row of this identity cannot change any more; its columns are not to be read */
};

/* Where a row stood at its source: the tie-break of event time and part of every identity. */
struct cep_position {
    int64_t offset;     /* Kafka offset; file: index of the record in the log of the partition */
    int32_t partition;  /* Kafka partition; file 0; file names of one directory are one partition */
    uint16_t place;     /* place of the table in the UNION that the operator reads (0 if none) */
    uint16_t table;     /* index of the source table in the program */
};
/* (place, partition, offset) order. */
int cep_position_compare(const struct cep_position *a, const struct cep_position *b);

struct cep_row {
    int64_t time_ms;            /* event time; BASE_TIME_MIN_MS: the source has none */
    struct cep_position at;
    uint8_t change;             /* enum cep_change */
    uint8_t flags;              /* 0 */
    uint16_t reserved;
    uint32_t reserved2;
    struct cep_tuple tuple;     /* last: variable length */
};
static inline size_t cep_row_size(const struct cep_row *row)
{
    return offsetof(struct cep_row, tuple) + row->tuple.size_bytes;
}
/* New row in the arena. BASE_E_LIMIT if too large, BASE_E_NOMEM. */
int cep_row_make(const struct cep_type *types, const struct cep_value *values, uint32_t columns, int64_t time_ms,
                 struct cep_position at, struct base_arena *arena, struct cep_row **ret) BASE_MUST_CHECK;
/* (time, place, partition, offset) order of semantics.md 10. */
int cep_row_compare(const struct cep_row *a, const struct cep_row *b);

#endif
