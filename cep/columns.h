/* Rows as columns: all rows of a bounded table, one array per column, for operators that can go through a whole partition at once. Filled row by row or, by a
 * format that can, column by column; never shrunk. Knows no format and no operator. One thread.
 *
 * Values of kinds that fit 32 bits lie in 4 bytes, others in 8; texts and wide decimals lie in one block, their slot says where. */
#ifndef CEP_COLUMNS_H
#define CEP_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "cep/row.h"
#include "cep/value.h"

#define CEP_COLUMNS_ROWS_MOST (UINT32_MAX / 2)
#define CEP_COLUMNS_LENGTH_BITS 25 /* of a slot: length of a text */

struct cep_column_data {
    struct cep_type type;
    int32_t *narrow;   /* INT, DATE; or */
    int64_t *wide;     /* slots as in a tuple; texts and wide decimals: cep_columns_text_slot */
    uint8_t *nulls;    /* 1 per NULL; NULL: there is none so far. Its slot is 0 */
};
/* Rows from `row` on stand at offset, offset + 1, ... of the partition. */
struct cep_columns_run { uint32_t row; int32_t partition; int64_t offset; };
struct cep_columns {
    struct cep_column_data *at;
    uint32_t time_column;      /* 1 + the column that holds the event times, too; 0: they have an array of their own */
    int64_t *times;            /* event time of each row in milliseconds; NULL: the columns are not timed, or there was no room asked for yet */
    uint32_t count;
    uint32_t rows, cap;
    uint16_t table;
    char *text;
    uint64_t text_len, text_cap;
    struct { struct cep_columns_run *at; size_t len, cap; } runs;
    struct cep_value *values;  /* scratch: one row */
    struct cep_type *types;
    bool flat;                 /* no texts, no wide decimals */
    bool timed;                /* rows have event times */
};
/* Zero-initialised before. BASE_E_NOMEM. */
int cep_columns_init(struct cep_columns *columns, const struct cep_type *types, uint32_t count, uint16_t table) BASE_MUST_CHECK;
/* Rows are to have event times. Before the first row. */
static inline void cep_columns_set_timed(struct cep_columns *columns) { columns->timed = true; }
/* ... which are those of this column, as a rule: then they are kept once. Nothing but memory depends on it. Before the first row. */
void cep_columns_take_times(struct cep_columns *columns, uint32_t column);
/* No rows, texts and places; what was reserved stays for the next ones. */
void cep_columns_clear(struct cep_columns *columns);
void cep_columns_finish(struct cep_columns *columns);
static inline bool cep_columns_is_narrow(struct cep_type type) { return type.kind == CEP_KIND_INT || type.kind == CEP_KIND_DATE; }
static inline bool cep_columns_in_text(struct cep_type type)
{
    return cep_kind_is_text(type.kind) || (type.kind == CEP_KIND_DECIMAL && type.precision > 18);
}
/* Room for so many more rows, whose values (and times) the caller then writes straight into the columns before it raises `rows`. BASE_E_LIMIT, BASE_E_NOMEM. */
int cep_columns_reserve(struct cep_columns *columns, uint32_t more) BASE_MUST_CHECK;
/* Memory of what the rows so far are. */
uint64_t cep_columns_bytes(const struct cep_columns *columns);
/* The array of NULLs of a column, zeroed so far. NULL: no memory. */
uint8_t *cep_columns_nulls(struct cep_columns *columns, uint32_t column);
/* Copies a text; *ret is its slot. BASE_E_NOMEM. */
int cep_columns_put_text(struct cep_columns *columns, const char *text, size_t len, int64_t *ret) BASE_MUST_CHECK;
/* The rows that are added next stand from this place on. */
int cep_columns_place(struct cep_columns *columns, int32_t partition, int64_t offset) BASE_MUST_CHECK;
/* Values of a row into the next one, and its time if the columns are timed; place is told before. */
int cep_columns_add(struct cep_columns *columns, int64_t time_ms, const struct cep_value *values) BASE_MUST_CHECK;

static inline int64_t cep_columns_slot(const struct cep_columns *columns, uint32_t column, uint32_t row)
{
    const struct cep_column_data *data = &columns->at[column];
    return data->narrow ? data->narrow[row] : data->wide[row];
}
static inline bool cep_columns_is_null(const struct cep_columns *columns, uint32_t column, uint32_t row)
{
    return columns->at[column].nulls && columns->at[column].nulls[row];
}
static inline struct base_str cep_columns_text(const struct cep_columns *columns, int64_t slot)
{
    return (struct base_str){ !columns->text ? "" : columns->text + ((uint64_t)slot >> CEP_COLUMNS_LENGTH_BITS), (uint64_t)slot & ((1u << CEP_COLUMNS_LENGTH_BITS) - 1) };
}
static inline int64_t cep_columns_text_slot(uint64_t place, size_t len) { return (int64_t)(place << CEP_COLUMNS_LENGTH_BITS | len); }
static inline void cep_columns_near(const struct cep_columns *columns, uint32_t row)
{
    for (uint32_t i = 0; i < columns->count; i++)
        __builtin_prefetch(columns->at[i].narrow ? (const void *)(columns->at[i].narrow + row) : (const void *)(columns->at[i].wide + row));
    if (columns->times)
        __builtin_prefetch(columns->times + row);
}
/* The same for its texts, whose slots are near. */
static inline void cep_columns_near_texts(const struct cep_columns *columns, uint32_t row)
{
    for (uint32_t i = 0; i < columns->count; i++)
        if (cep_columns_in_text(columns->at[i].type))
            __builtin_prefetch(columns->text + ((uint64_t)columns->at[i].wide[row] >> CEP_COLUMNS_LENGTH_BITS));
}
/* A text of at most 7 bytes and its length in one word. False: it is longer. */
static inline bool cep_columns_brief(const struct cep_columns *columns, int64_t slot, uint64_t *ret)
{
    uint64_t place = (uint64_t)slot >> 25, len = (uint64_t)slot & ((1u << 25) - 1), bytes = 0;
    if (len > 7)
        return false;
    if (BASE_LIKELY(place + 8 <= columns->text_len))
        memcpy(&bytes, columns->text + place, 8);
    else if (len)
        memcpy(&bytes, columns->text + place, len);
    *ret = (bytes & ((UINT64_C(1) << 8 * len) - 1)) << 8 | len;
    return true;
}
/* Texts point into the columns until the next text is put. */
struct cep_value cep_columns_value(const struct cep_columns *columns, uint32_t column, uint32_t row);
/* Same value (NULL is NULL's equal)? */
bool cep_columns_same(const struct cep_columns *columns, uint32_t column, uint32_t a, uint32_t b);
/* Order of two values; NULLs as told. */
int cep_columns_compare(const struct cep_columns *columns, uint32_t column, uint32_t a, uint32_t b, bool nulls_first);
struct cep_position cep_columns_position(const struct cep_columns *columns, uint32_t row);
/* Event time of a row; BASE_TIME_MIN_MS: it has none. */
int64_t cep_columns_time_ms(const struct cep_columns *columns, uint32_t row);
/* The row as a row, in the arena. BASE_E_LIMIT, BASE_E_NOMEM. */
int cep_columns_row(struct cep_columns *columns, uint32_t row, struct base_arena *arena, struct cep_row **ret) BASE_MUST_CHECK;
/* Puts the rows into another order: row i becomes the former row order[i]. Their places and times go with them. */
int cep_columns_permute(struct cep_columns *columns, const uint32_t *order) BASE_MUST_CHECK;

#endif
