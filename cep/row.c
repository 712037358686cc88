#include "cep/row.h"

#include "base/error.h"
#include "base/put.h"
#include "base/time.h"

static bool is_wide(struct cep_type type)
{
    return type.kind == CEP_KIND_DECIMAL && type.precision > 18;
}

static size_t round_up8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static size_t fixed_bytes(uint32_t columns)
{
    return sizeof(struct cep_tuple) + ((size_t)cep_tuple_null_words(columns) + columns) * 8;
}

size_t cep_tuple_size(const struct cep_type *types, const struct cep_value *values, uint32_t columns)
{
    if (columns > CEP_COLUMNS_MAX)
        return 0;
    size_t bytes = fixed_bytes(columns);
    for (uint32_t i = 0; i < columns; i++) {
        if (values[i].null)
            continue;
        if (cep_kind_is_text(types[i].kind)) {
            if (values[i].s.len > CEP_ROW_BYTES_MAX) /* so the sum cannot overflow either */
                return 0;
            bytes += values[i].s.len;
        } else if (is_wide(types[i])) {
            bytes += 16;
        }
    }
    bytes = round_up8(bytes);
    return bytes > CEP_ROW_BYTES_MAX ? 0 : bytes;
}

/* size: what cep_tuple_size said. */
static inline void write_tuple(const struct cep_type *types, const struct cep_value *values, uint32_t columns, struct cep_tuple *at, size_t size)
{
    uint32_t words = cep_tuple_null_words(columns);
    size_t tail = fixed_bytes(columns);
    char *bytes = (char *)at;
    memset(bytes + size - 8, 0, 8); /* what the last text leaves of its last word */
    at->size_bytes = (uint32_t)size;
    at->columns = (uint16_t)columns;
    at->reserved = 0;
    for (uint32_t i = 0; i < words; i++)
        at->data[i] = 0;
    for (uint32_t i = 0; i < columns; i++) {
        uint64_t slot = 0;
        if (BASE_UNLIKELY(values[i].null)) {
            at->data[i / 64] |= UINT64_C(1) << (i % 64);
        } else if (cep_kind_is_text(types[i].kind)) {
            slot = (uint64_t)tail | values[i].s.len << 32;
            base_put_bytes(bytes + tail, values[i].s.ptr, values[i].s.len);
            tail += values[i].s.len;
        } else if (is_wide(types[i])) {
            slot = (uint64_t)tail | UINT64_C(16) << 32;
            memcpy(bytes + tail, &values[i].dec, 16);
            tail += 16;
        } else if (types[i].kind == CEP_KIND_DECIMAL) {
            slot = values[i].dec.lo;
        } else {
            slot = (uint64_t)values[i].i;
        }
        at->data[words + i] = slot;
    }
}

void cep_tuple_write(const struct cep_type *types, const struct cep_value *values, uint32_t columns, struct cep_tuple *at)
{
    write_tuple(types, values, columns, at, cep_tuple_size(types, values, columns));
}

/* Does the slot hold what cep_tuple_write puts there for the type? *tail: where the next text must stand. */
static bool slot_valid(const struct cep_tuple *t, struct cep_type type, uint64_t slot, size_t *tail)
{
    bool text = cep_kind_is_text(type.kind);
    if (!text && !is_wide(type)) {
        int64_t i = (int64_t)slot;
        if (type.kind == CEP_KIND_BOOLEAN)
            return slot <= 1;
        if (type.kind == CEP_KIND_INT || type.kind == CEP_KIND_DATE)
            return i >= INT32_MIN && i <= INT32_MAX;
        return type.kind != CEP_KIND_NULL;
    }
    size_t offset = (uint32_t)slot, len = slot >> 32;
    if (offset != *tail || len > t->size_bytes - *tail || (!text && len != 16))
        return false;
    *tail += len;
    return true;
}

bool cep_tuple_valid(const void *bytes, size_t len, const struct cep_type *types, uint32_t columns)
{
    const struct cep_tuple *t = bytes;
    if (columns > CEP_COLUMNS_MAX || len < fixed_bytes(columns) || len > CEP_ROW_BYTES_MAX || ((uintptr_t)bytes & 7))
        return false;
    if (t->size_bytes != len || (len & 7) || t->columns != columns || t->reserved)
        return false;
    uint32_t words = cep_tuple_null_words(columns);
    if (columns % 64 && t->data[words - 1] >> (columns % 64))
        return false;
    size_t tail = fixed_bytes(columns);
    for (uint32_t i = 0; i < columns; i++) {
        uint64_t slot = cep_tuple_slot(t, i);
        if (cep_tuple_is_null(t, i) ? slot != 0 : !slot_valid(t, types[i], slot, &tail))
            return false;
    }
    if (round_up8(tail) != len)
        return false;
    for (; tail < len; tail++)
        if (((const char *)bytes)[tail])
            return false;
    return true;
}

int cep_position_compare(const struct cep_position *a, const struct cep_position *b)
{
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

int cep_row_make(const struct cep_type *types, const struct cep_value *values, uint32_t columns, int64_t time_ms,
                 struct cep_position at, struct base_arena *arena, struct cep_row **ret)
{
    size_t bytes = cep_tuple_size(types, values, columns);
    if (!bytes)
        return BASE_E_LIMIT;
    struct cep_row *row = base_arena_alloc(arena, offsetof(struct cep_row, tuple) + bytes);
    if (!row)
        return BASE_E_NOMEM;
    row->time_ms = time_ms;
    row->at = at;
    row->change = CEP_INSERT;
    row->flags = 0;
    row->reserved = 0;
    row->reserved2 = 0;
    write_tuple(types, values, columns, &row->tuple, bytes);
    *ret = row;
    return 0;
}

int cep_row_compare(const struct cep_row *a, const struct cep_row *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return cep_position_compare(&a->at, &b->at);
}
