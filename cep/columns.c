#include "cep/columns.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/put.h"
#include "base/time.h"
#include "base/vec.h"

#define FIRST_ROWS 65536u
#define SECOND_ROWS 4194304u /* room that is not used yet costs no memory */
#define COPY_BYTES_MOST ((size_t)8 << 20)

int cep_columns_init(struct cep_columns *columns, const struct cep_type *types, uint32_t count, uint16_t table)
{
    *columns = (struct cep_columns){ .count = count, .table = table, .flat = true };
    columns->at = base_calloc(count + 1, sizeof *columns->at);
    columns->values = base_calloc(count + 1, sizeof *columns->values);
    columns->types = base_calloc(count + 1, sizeof *columns->types);
    if (!columns->at || !columns->values || !columns->types)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        columns->at[i].type = columns->types[i] = types[i];
        columns->flat = columns->flat && !cep_columns_in_text(types[i]);
    }
    return 0;
}

void cep_columns_finish(struct cep_columns *columns)
{
    for (uint32_t i = 0; columns->at && i < columns->count; i++) {
        base_free(columns->at[i].narrow);
        base_free(columns->at[i].wide);
        base_free(columns->at[i].nulls);
    }
    base_free(columns->at);
    base_free(columns->values);
    base_free(columns->types);
    base_free(columns->text);
    if (!columns->time_column)
        base_free(columns->times);
    BASE_VEC_FINISH(&columns->runs);
    *columns = (struct cep_columns){ 0 };
}

void cep_columns_clear(struct cep_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        base_free(columns->at[i].nulls); /* the next rows may have none */
        columns->at[i].nulls = NULL;
    }
    columns->rows = 0;
    columns->text_len = 0;
    columns->runs.len = 0;
}

void cep_columns_take_times(struct cep_columns *columns, uint32_t column)
{
    bool holds = columns->at[column].type.kind == CEP_KIND_TIMESTAMP || columns->at[column].type.kind == CEP_KIND_TIMESTAMP_LTZ;
    columns->time_column = holds && columns->timed && columns->cap == 0 ? 1 + column : 0;
}

/* A copy of what is small is cheaper than a block that begins anywhere, whose pages are small ones then. */
static void *grow_block(void *block, size_t old, size_t bytes)
{
    if (old > COPY_BYTES_MOST) {
        void *grown = base_realloc(block, bytes);
        if (grown)
            base_alloc_whole(grown, bytes);
        return grown;
    }
    void *grown = base_alloc_walked(bytes);
    if (grown && old)
        memcpy(grown, block, old);
    if (grown)
        base_free(block);
    return grown;
}

static bool grow_column(struct cep_column_data *data, uint32_t old, uint32_t cap)
{
    bool narrow = cep_columns_is_narrow(data->type);
    size_t bytes = narrow ? sizeof(int32_t) : sizeof(int64_t);
    void *grown = grow_block(narrow ? (void *)data->narrow : (void *)data->wide, old * bytes, cap * bytes);
    if (!grown)
        return false;
    if (narrow)
        data->narrow = grown;
    else
        data->wide = grown;
    if (data->nulls) {
        uint8_t *nulls = base_calloc(cap, 1);
        if (!nulls)
            return false;
        memcpy(nulls, data->nulls, old);
        base_free(data->nulls);
        data->nulls = nulls;
    }
    return true;
}

int cep_columns_reserve(struct cep_columns *columns, uint32_t more)
{
    if (more > CEP_COLUMNS_ROWS_MOST - columns->rows)
        return BASE_E_LIMIT;
    uint32_t need = columns->rows + more;
    if (need <= columns->cap)
        return 0;
    uint32_t cap = columns->cap < CEP_COLUMNS_ROWS_MOST / 2 ? columns->cap * 2 : CEP_COLUMNS_ROWS_MOST;
    cap = columns->cap == 0 ? FIRST_ROWS : cap < SECOND_ROWS ? SECOND_ROWS : cap;
    cap = cap < need ? need : cap;
    for (uint32_t i = 0; i < columns->count; i++)
        if (!grow_column(&columns->at[i], columns->cap, cap))
            return BASE_E_NOMEM;
    if (columns->time_column) {
        columns->times = columns->at[columns->time_column - 1].wide;
    } else if (columns->timed) {
        int64_t *times = grow_block(columns->times, (size_t)columns->cap * sizeof *times, (size_t)cap * sizeof *times);
        if (!times)
            return BASE_E_NOMEM;
        columns->times = times;
    }
    columns->cap = cap;
    return 0;
}

uint64_t cep_columns_bytes(const struct cep_columns *columns)
{
    uint64_t row_bytes = columns->timed && !columns->time_column ? sizeof *columns->times : 0;
    for (uint32_t i = 0; i < columns->count; i++)
        row_bytes += (columns->at[i].narrow ? sizeof(int32_t) : sizeof(int64_t)) + (columns->at[i].nulls ? 1 : 0);
    return row_bytes * columns->rows + columns->text_len;
}

uint8_t *cep_columns_nulls(struct cep_columns *columns, uint32_t column)
{
    struct cep_column_data *data = &columns->at[column];
    if (!data->nulls)
        data->nulls = base_calloc(columns->cap ? columns->cap : 1, 1);
    return data->nulls;
}

int cep_columns_put_text(struct cep_columns *columns, const char *text, size_t len, int64_t *ret)
{
    if (len >> CEP_COLUMNS_LENGTH_BITS)
        return BASE_E_LIMIT;
    if (columns->text_cap - columns->text_len < len) {
        uint64_t cap = columns->text_cap ? columns->text_cap * 2 : 1u << 16;
        while (cap - columns->text_len < len)
            cap *= 2;
        char *grown = base_realloc(columns->text, cap);
        if (!grown)
            return BASE_E_NOMEM;
        base_alloc_whole(grown, cap);
        columns->text = grown;
        columns->text_cap = cap;
    }
    if (len)
        memcpy(columns->text + columns->text_len, text, len);
    *ret = cep_columns_text_slot(columns->text_len, len);
    columns->text_len += len;
    return 0;
}

int cep_columns_place(struct cep_columns *columns, int32_t partition, int64_t offset)
{
    if (columns->runs.len) {
        const struct cep_columns_run *last = &columns->runs.at[columns->runs.len - 1];
        if (last->partition == partition && last->offset + (columns->rows - last->row) == offset)
            return 0;
    }
    const struct cep_columns_run run = { columns->rows, partition, offset };
    return BASE_VEC_PUSH(&columns->runs, run) ? 0 : BASE_E_NOMEM;
}

/* An array of their own after all. */
static int part_times(struct cep_columns *columns)
{
    int64_t *times = base_alloc_walked((size_t)columns->cap * sizeof *times);
    if (!times)
        return BASE_E_NOMEM;
    if (columns->rows)
        memcpy(times, columns->times, columns->rows * sizeof *times);
    columns->times = times;
    columns->time_column = 0;
    return 0;
}

int cep_columns_add(struct cep_columns *columns, int64_t time_ms, const struct cep_value *values)
{
    int rc = cep_columns_reserve(columns, 1);
    uint32_t row = columns->rows;
    for (uint32_t i = 0; i < columns->count && !rc; i++) {
        struct cep_column_data *data = &columns->at[i];
        const struct cep_value *value = &values[i];
        int64_t slot = 0;
        if (value->null) {
            uint8_t *nulls = cep_columns_nulls(columns, i);
            if (!nulls)
                return BASE_E_NOMEM;
            nulls[row] = 1;
        } else if (cep_kind_is_text(data->type.kind)) {
            rc = cep_columns_put_text(columns, value->s.ptr, value->s.len, &slot);
        } else if (cep_columns_in_text(data->type)) {
            rc = cep_columns_put_text(columns, (const char *)&value->dec, sizeof value->dec, &slot);
        } else {
            slot = data->type.kind == CEP_KIND_DECIMAL ? (int64_t)value->dec.lo : value->i;
        }
        if (data->narrow)
            data->narrow[row] = (int32_t)slot;
        else
            data->wide[row] = slot;
    }
    if (!rc && columns->time_column && columns->times[row] != time_ms)
        rc = part_times(columns);
    if (rc)
        return rc;
    if (columns->timed)
        columns->times[row] = time_ms;
    columns->rows++;
    return 0;
}

struct cep_value cep_columns_value(const struct cep_columns *columns, uint32_t column, uint32_t row)
{
    const struct cep_type type = columns->at[column].type;
    struct cep_value v = { .i = 0, .null = false };
    if (cep_columns_is_null(columns, column, row))
        return cep_null();
    int64_t slot = cep_columns_slot(columns, column, row);
    if (cep_columns_in_text(type)) {
        struct base_str text = cep_columns_text(columns, slot);
        if (cep_kind_is_text(type.kind))
            return cep_string(text.ptr, text.len);
        memcpy(&v.dec, text.ptr, sizeof v.dec);
        return v;
    }
    if (type.kind == CEP_KIND_DECIMAL)
        return cep_dec(slot);
    v.i = slot;
    return v;
}

bool cep_columns_same(const struct cep_columns *columns, uint32_t column, uint32_t a, uint32_t b)
{
    int64_t x = cep_columns_slot(columns, column, a), y = cep_columns_slot(columns, column, b);
    if (columns->at[column].nulls && columns->at[column].nulls[a] != columns->at[column].nulls[b])
        return false;
    if (x == y)
        return true;
    if (!cep_columns_in_text(columns->at[column].type))
        return false;
    struct base_str s = cep_columns_text(columns, x), t = cep_columns_text(columns, y);
    return s.len == t.len && memcmp(s.ptr, t.ptr, s.len) == 0;
}

int cep_columns_compare(const struct cep_columns *columns, uint32_t column, uint32_t a, uint32_t b, bool nulls_first)
{
    bool null_a = cep_columns_is_null(columns, column, a), null_b = cep_columns_is_null(columns, column, b);
    if (null_a || null_b)
        return null_a && null_b ? 0 : (null_a ? -1 : 1) * (nulls_first ? 1 : -1);
    return cep_value_compare(columns->at[column].type, cep_columns_value(columns, column, a), cep_columns_value(columns, column, b));
}

struct cep_position cep_columns_position(const struct cep_columns *columns, uint32_t row)
{
    size_t lo = 0, hi = columns->runs.len;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (columns->runs.at[mid].row <= row)
            lo = mid;
        else
            hi = mid;
    }
    struct cep_position at = { .table = columns->table };
    if (hi > lo) {
        at.partition = columns->runs.at[lo].partition;
        at.offset = columns->runs.at[lo].offset + (row - columns->runs.at[lo].row);
    }
    return at;
}

int64_t cep_columns_time_ms(const struct cep_columns *columns, uint32_t row)
{
    return columns->timed ? columns->times[row] : BASE_TIME_MIN_MS;
}

/* Of the row's tuple; 0: too many. */
static size_t tuple_bytes(const struct cep_columns *columns, uint32_t row)
{
    size_t bytes = sizeof(struct cep_tuple) + ((size_t)cep_tuple_null_words(columns->count) + columns->count) * 8;
    for (uint32_t i = 0; i < columns->count && !columns->flat; i++)
        if (cep_columns_in_text(columns->at[i].type)) /* a NULL's slot is 0 */
            bytes += cep_columns_text(columns, columns->at[i].wide[row]).len;
    bytes = (bytes + 7) & ~(size_t)7;
    return bytes > CEP_ROW_BYTES_MAX ? 0 : bytes;
}

/* As cep_tuple_write does it: slots are what they are in the columns, but for those that say where a text is. */
static void write_tuple(const struct cep_columns *columns, uint32_t row, struct cep_tuple *at, size_t bytes)
{
    uint32_t words = cep_tuple_null_words(columns->count);
    size_t tail = sizeof *at + ((size_t)words + columns->count) * 8;
    if (columns->count)
        at->data[bytes / 8 - 2] = 0; /* what the last text leaves of its last word */
    at->size_bytes = (uint32_t)bytes;
    at->columns = (uint16_t)columns->count;
    at->reserved = 0;
    for (uint32_t i = 0; i < words; i++)
        at->data[i] = 0;
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct cep_column_data *data = &columns->at[i];
        int64_t slot = data->narrow ? data->narrow[row] : data->wide[row];
        at->data[words + i] = (uint64_t)slot;
        if (BASE_UNLIKELY(data->nulls && data->nulls[row])) {
            at->data[i / 64] |= UINT64_C(1) << (i % 64);
        } else if (cep_columns_in_text(data->type)) {
            struct base_str text = cep_columns_text(columns, slot);
            at->data[words + i] = (uint64_t)tail | (uint64_t)text.len << 32;
            base_put_bytes((char *)at + tail, text.ptr, text.len);
            tail += text.len;
        }
    }
}

int cep_columns_row(struct cep_columns *columns, uint32_t row, struct base_arena *arena, struct cep_row **ret)
{
    size_t bytes = tuple_bytes(columns, row);
    struct cep_row *made = bytes ? base_arena_alloc(arena, offsetof(struct cep_row, tuple) + bytes) : NULL;
    if (!made)
        return bytes ? BASE_E_NOMEM : BASE_E_LIMIT;
    memset(made, 0, offsetof(struct cep_row, tuple));
    made->time_ms = cep_columns_time_ms(columns, row);
    made->at = cep_columns_position(columns, row);
    write_tuple(columns, row, &made->tuple, bytes);
    *ret = made;
    return 0;
}

static int permute_column(struct cep_column_data *data, const uint32_t *order, uint32_t rows, uint32_t cap)
{
    size_t bytes = data->narrow ? sizeof(int32_t) : sizeof(int64_t);
    void *moved = base_alloc((size_t)cap * bytes);
    uint8_t *nulls = data->nulls ? base_calloc(cap, 1) : NULL;
    if (!moved || (data->nulls && !nulls)) {
        base_free(moved);
        base_free(nulls);
        return BASE_E_NOMEM;
    }
    if (data->narrow) {
        int32_t *to = moved;
        for (uint32_t i = 0; i < rows; i++)
            to[i] = data->narrow[order[i]];
        base_free(data->narrow);
        data->narrow = to;
    } else {
        int64_t *to = moved;
        for (uint32_t i = 0; i < rows; i++)
            to[i] = data->wide[order[i]];
        base_free(data->wide);
        data->wide = to;
    }
    for (uint32_t i = 0; nulls && i < rows; i++)
        nulls[i] = data->nulls[order[i]];
    base_free(data->nulls);
    data->nulls = nulls;
    return 0;
}

static int permute_times(struct cep_columns *columns, const uint32_t *order)
{
    int64_t *moved = base_alloc((size_t)columns->cap * sizeof *moved);
    if (!moved)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < columns->rows; i++)
        moved[i] = columns->times[order[i]];
    base_free(columns->times);
    columns->times = moved;
    return 0;
}

int cep_columns_permute(struct cep_columns *columns, const uint32_t *order)
{
    struct cep_columns moved = { .table = columns->table };
    for (uint32_t i = 0; i < columns->rows; i++, moved.rows++) {
        struct cep_position at = cep_columns_position(columns, order[i]);
        if (cep_columns_place(&moved, at.partition, at.offset)) {
            BASE_VEC_FINISH(&moved.runs);
            return BASE_E_NOMEM;
        }
    }
    BASE_VEC_FINISH(&columns->runs);
    memcpy(&columns->runs, &moved.runs, sizeof columns->runs);
    int rc = columns->timed && columns->rows && !columns->time_column ? permute_times(columns, order) : 0;
    for (uint32_t i = 0; i < columns->count && !rc; i++)
        rc = permute_column(&columns->at[i], order, columns->rows, columns->cap);
    if (columns->time_column)
        columns->times = columns->at[columns->time_column - 1].wide;
    return rc;
}
