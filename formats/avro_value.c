#include "formats/avro_value.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"

/* ---- bytes ---- */

static int cut(struct formats_walk *w)
{
    return formats_walk_bad(w, "it ends within a value");
}

static int spend(struct formats_walk *w)
{
    return w->budget-- ? 0 : formats_walk_bad(w, "more values than its length allows");
}

/* Zigzag varint of at most ten bytes. */
static int read_long(struct formats_walk *w, int64_t *ret)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (w->at == w->end)
            return cut(w);
        uint8_t byte = *w->at++;
        if (shift == 63 && byte > 1)
            break;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
            return 0;
        }
    }
    return formats_walk_bad(w, "a number longer than 64 bits");
}

static int read_raw(struct formats_walk *w, uint64_t len, struct base_str *ret)
{
    if (len > (uint64_t)(w->end - w->at))
        return cut(w);
    *ret = (struct base_str){ (const char *)w->at, (size_t)len };
    w->at += len;
    return 0;
}

int formats_avro_text(struct formats_walk *w, struct base_str *ret)
{
    int64_t len;
    int e = read_long(w, &len);
    if (e == 0 && len < 0)
        e = formats_walk_bad(w, "a negative length");
    return e < 0 ? e : read_raw(w, (uint64_t)len, ret);
}

int formats_avro_branch(struct formats_walk *w, const struct formats_avro_type *type, uint32_t *ret)
{
    int64_t index;
    int e = read_long(w, &index);
    if (e == 0 && (index < 0 || index >= (int64_t)type->count))
        e = formats_walk_bad(w, "a union branch that the schema does not have");
    if (e == 0)
        *ret = (uint32_t)index;
    return e;
}

int formats_avro_next(struct formats_walk *w, struct formats_avro_blocks *blocks)
{
    if (!blocks->left) {
        int64_t count, size;
        int e = read_long(w, &count);
        if (e < 0)
            return e;
        if (count == 0)
            return 0;
        if (count < 0) { /* followed by the block's size in bytes, for those who skip */
            e = read_long(w, &size);
            if (e < 0)
                return e;
            if (count == INT64_MIN)
                return formats_walk_bad(w, "a bad block of an array or map");
            count = -count;
        }
        blocks->left = (uint64_t)count;
    }
    blocks->left--;
    int e = spend(w);
    return e < 0 ? e : 1;
}

static int deeper(struct formats_walk *w)
{
    return ++w->depth > FORMATS_AVRO_DEPTH ? formats_walk_bad(w, "nested too deeply") : 0;
}

int formats_avro_skip(struct formats_walk *w, const struct formats_avro_type *type)
{
    struct base_str raw;
    struct formats_avro_blocks blocks = { 0 };
    int64_t number;
    uint32_t branch;
    int e = spend(w);
    if (e < 0)
        return e;
    switch (type->kind) {
    case FORMATS_AVRO_NULL:
        return 0;
    case FORMATS_AVRO_BOOLEAN:
        return read_raw(w, 1, &raw);
    case FORMATS_AVRO_INT:
    case FORMATS_AVRO_LONG:
    case FORMATS_AVRO_ENUM:
        return read_long(w, &number);
    case FORMATS_AVRO_FLOAT:
        return read_raw(w, 4, &raw);
    case FORMATS_AVRO_DOUBLE:
        return read_raw(w, 8, &raw);
    case FORMATS_AVRO_BYTES:
    case FORMATS_AVRO_STRING:
        return formats_avro_text(w, &raw);
    case FORMATS_AVRO_FIXED:
        return read_raw(w, type->size, &raw);
    case FORMATS_AVRO_RECORD:
        e = deeper(w);
        for (uint32_t i = 0; e == 0 && i < type->count; i++)
            e = formats_avro_skip(w, type->fields[i].type);
        break;
    case FORMATS_AVRO_UNION:
        e = deeper(w);
        if (e == 0)
            e = formats_avro_branch(w, type, &branch);
        if (e == 0)
            e = formats_avro_skip(w, type->items[branch]);
        break;
    case FORMATS_AVRO_ARRAY:
    case FORMATS_AVRO_MAP:
        e = deeper(w);
        while (e == 0 && (e = formats_avro_next(w, &blocks)) > 0) {
            e = type->kind == FORMATS_AVRO_MAP ? formats_avro_text(w, &raw) : 0;
            if (e == 0)
                e = formats_avro_skip(w, type->items[0]);
        }
        break;
    }
    w->depth--;
    return e;
}

/* ---- scalars ---- */

static int64_t floor_div(int64_t n, int64_t by)
{
    return n / by - (n % by < 0);
}

/* INT or LONG by its logical type. */
static struct cep_value integer(const struct formats_avro_type *type, int64_t n, struct cep_type *from)
{
    switch (type->logical) {
    case FORMATS_AVRO_DATE:
        *from = CEP_TYPE(DATE);
        return cep_int(n);
    case FORMATS_AVRO_TIME_MS:
        *from = CEP_TYPE(TIME);
        return cep_int(n);
    case FORMATS_AVRO_TIME_US:
        *from = CEP_TYPE(TIME);
        return cep_int(floor_div(n, 1000));
    case FORMATS_AVRO_TIMESTAMP_MS:
    case FORMATS_AVRO_LOCAL_MS:
        *from = type->logical == FORMATS_AVRO_LOCAL_MS ? CEP_TYPE(TIMESTAMP) : CEP_TYPE(TIMESTAMP_LTZ);
        return cep_int(n);
    case FORMATS_AVRO_TIMESTAMP_US:
    case FORMATS_AVRO_LOCAL_US:
        *from = type->logical == FORMATS_AVRO_LOCAL_US ? CEP_TYPE(TIMESTAMP) : CEP_TYPE(TIMESTAMP_LTZ);
        return cep_int(floor_div(n, 1000));
    case FORMATS_AVRO_TIMESTAMP_NS:
    case FORMATS_AVRO_LOCAL_NS:
        *from = type->logical == FORMATS_AVRO_LOCAL_NS ? CEP_TYPE(TIMESTAMP) : CEP_TYPE(TIMESTAMP_LTZ);
        return cep_int(floor_div(n, 1000000));
    case FORMATS_AVRO_PLAIN:
    case FORMATS_AVRO_DECIMAL:
    case FORMATS_AVRO_UUID:
        break;
    }
    *from = type->kind == FORMATS_AVRO_INT ? CEP_TYPE(INT) : CEP_TYPE(BIGINT);
    return cep_int(n);
}

/* Two's complement, big-endian, of any length. */
static int decimal(struct base_str raw, uint8_t scale, struct cep_type *from, struct cep_value *ret)
{
    const uint8_t *at = (const uint8_t *)raw.ptr;
    uint8_t sign = raw.len && at[0] & 0x80 ? 0xff : 0;
    size_t i = 0;
    while (i < raw.len && raw.len - i > 16 && at[i] == sign)
        i++;
    if (raw.len - i > 16 || (raw.len - i == 16 && (at[i] & 0x80) != (sign & 0x80)))
        return BASE_E_OVERFLOW;
    unsigned __int128 n = sign ? ~(unsigned __int128)0 : 0;
    for (; i < raw.len; i++)
        n = n << 8 | at[i];
    cep_int128 value = (cep_int128)n, most = 1;
    for (int d = 0; d < 38; d++)
        most *= 10;
    if (value >= most || value <= -most)
        return BASE_E_OVERFLOW;
    *from = CEP_DECIMAL_TYPE(38, scale);
    *ret = cep_dec(value);
    return 0;
}

static int bytes(const struct formats_avro_type *type, struct base_str raw, struct base_arena *arena, struct cep_type *from, struct cep_value *ret)
{
    if (type->logical == FORMATS_AVRO_DECIMAL)
        return decimal(raw, type->scale, from, ret);
    if (type->logical == FORMATS_AVRO_UUID && type->kind == FORMATS_AVRO_FIXED) {
        char *text = base_arena_alloc(arena, 37);
        if (!text)
            return BASE_E_NOMEM;
        size_t len = 0;
        for (size_t i = 0; i < 16; i++)
            len += (size_t)snprintf(text + len, 37 - len, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", (unsigned)(uint8_t)raw.ptr[i]);
        *from = CEP_TYPE(STRING);
        *ret = cep_string(text, len);
        return 0;
    }
    *from = CEP_TYPE(BYTES);
    *ret = cep_string(raw.ptr, raw.len);
    return 0;
}

/* A value that is neither float nor nested. */
static int scalar(struct formats_walk *w, const struct formats_avro_type *type, struct cep_type *from, struct cep_value *ret)
{
    struct base_str raw;
    int64_t number;
    int e = spend(w);
    if (e < 0)
        return e;
    switch (type->kind) {
    case FORMATS_AVRO_BOOLEAN:
        e = read_raw(w, 1, &raw);
        *from = CEP_TYPE(BOOLEAN);
        if (e == 0)
            *ret = cep_int(raw.ptr[0] != 0);
        return e;
    case FORMATS_AVRO_INT:
    case FORMATS_AVRO_LONG:
        e = read_long(w, &number);
        if (e == 0 && type->kind == FORMATS_AVRO_INT && (number < INT32_MIN || number > INT32_MAX))
            e = formats_walk_bad(w, "an int beyond 32 bits");
        if (e == 0)
            *ret = integer(type, number, from);
        return e;
    case FORMATS_AVRO_DOUBLE:
        e = read_raw(w, 8, &raw);
        *from = CEP_TYPE(DOUBLE);
        *ret = cep_double(0);
        if (e == 0)
            memcpy(&ret->d, raw.ptr, 8);
        return e;
    case FORMATS_AVRO_STRING:
        e = formats_avro_text(w, &raw);
        if (e == 0 && base_utf8_check(raw.ptr, raw.len) != raw.len)
            e = formats_walk_bad(w, "a string that is no UTF-8");
        *from = CEP_TYPE(STRING);
        if (e == 0)
            *ret = cep_string(raw.ptr, raw.len);
        return e;
    case FORMATS_AVRO_ENUM:
        e = read_long(w, &number);
        if (e == 0 && (number < 0 || number >= (int64_t)type->count))
            e = formats_walk_bad(w, "an enum symbol that the schema does not have");
        *from = CEP_TYPE(STRING);
        if (e == 0)
            *ret = cep_string(type->symbols[number].ptr, type->symbols[number].len);
        return e;
    case FORMATS_AVRO_BYTES:
    case FORMATS_AVRO_FIXED:
        e = type->kind == FORMATS_AVRO_FIXED ? read_raw(w, type->size, &raw) : formats_avro_text(w, &raw);
        if (e == 0) {
            e = bytes(type, raw, w->arena, from, ret);
            if (e == BASE_E_OVERFLOW)
                e = formats_walk_bad(w, "a decimal of more than 38 digits");
        }
        return e;
    case FORMATS_AVRO_NULL:
    case FORMATS_AVRO_FLOAT:
    case FORMATS_AVRO_RECORD:
    case FORMATS_AVRO_ARRAY:
    case FORMATS_AVRO_MAP:
    case FORMATS_AVRO_UNION:
        break;
    }
    *from = CEP_TYPE(NULL);
    *ret = cep_null();
    return 0;
}

static int read_float(struct formats_walk *w, float *ret)
{
    struct base_str raw;
    int e = read_raw(w, 4, &raw);
    if (e == 0)
        memcpy(ret, raw.ptr, 4);
    return e;
}

/* ---- as JSON ---- */

static int json(struct formats_walk *w, const struct formats_avro_type *type, struct base_buf *out);

static int json_items(struct formats_walk *w, const struct formats_avro_type *type, struct base_buf *out)
{
    bool map = type->kind == FORMATS_AVRO_MAP;
    struct formats_avro_blocks blocks = { 0 };
    int e;
    size_t start = out->len;
    while ((e = formats_avro_next(w, &blocks)) > 0) {
        struct base_str key;
        base_buf_putc(out, out->len > start ? ',' : map ? '{' : '[');
        e = map ? formats_avro_text(w, &key) : 0;
        if (e < 0)
            return e;
        if (map) {
            base_buf_put_json(out, key);
            base_buf_putc(out, ':');
        }
        e = json(w, type->items[0], out);
        if (e < 0)
            return e;
    }
    if (e == 0)
        base_buf_puts(out, out->len > start ? map ? "}" : "]" : map ? "{}" : "[]");
    return e;
}

static int json_record(struct formats_walk *w, const struct formats_avro_type *type, struct base_buf *out)
{
    int e = 0;
    base_buf_putc(out, '{');
    for (uint32_t i = 0; e == 0 && i < type->count; i++) {
        if (i)
            base_buf_putc(out, ',');
        base_buf_put_json(out, type->fields[i].name);
        base_buf_putc(out, ':');
        e = json(w, type->fields[i].type, out);
    }
    base_buf_putc(out, '}');
    return e;
}

static int json(struct formats_walk *w, const struct formats_avro_type *type, struct base_buf *out)
{
    int e = deeper(w);
    uint32_t branch;
    float number;
    struct cep_type from;
    struct cep_value value;
    if (e < 0)
        return e;
    switch (type->kind) {
    case FORMATS_AVRO_RECORD:
        e = json_record(w, type, out);
        break;
    case FORMATS_AVRO_ARRAY:
    case FORMATS_AVRO_MAP:
        e = json_items(w, type, out);
        break;
    case FORMATS_AVRO_UNION:
        e = formats_avro_branch(w, type, &branch);
        if (e == 0)
            e = json(w, type->items[branch], out);
        break;
    case FORMATS_AVRO_FLOAT:
        e = read_float(w, &number);
        if (e == 0)
            e = formats_convert_float(&w->decoder->times, number, CEP_TYPE(STRING), w->arena, &value);
        if (e == 0)
            base_buf_put(out, value.s.ptr, value.s.len);
        break;
    case FORMATS_AVRO_NULL:
    case FORMATS_AVRO_BOOLEAN:
    case FORMATS_AVRO_INT:
    case FORMATS_AVRO_LONG:
    case FORMATS_AVRO_DOUBLE:
    case FORMATS_AVRO_BYTES:
    case FORMATS_AVRO_STRING:
    case FORMATS_AVRO_ENUM:
    case FORMATS_AVRO_FIXED:
        e = scalar(w, type, &from, &value);
        if (e == 0)
            cep_value_print_json(from, value, out);
        break;
    }
    w->depth--;
    return e;
}

static int json_value(struct formats_walk *w, const struct formats_avro_type *type, struct cep_value *ret)
{
    struct base_buf out = { .limit = CEP_ROW_BYTES_MAX };
    int e = json(w, type, &out);
    if (e == 0) {
        char *copy = out.failed ? NULL : base_arena_strndup(w->arena, out.ptr, out.len);
        if (copy)
            *ret = cep_string(copy, out.len);
        else
            e = out.len >= CEP_ROW_BYTES_MAX / 2 ? formats_walk_bad(w, "a nested value larger than a row may be") : BASE_E_NOMEM;
    }
    base_buf_finish(&out);
    return e;
}

/* ---- as a column ---- */

static int array_value(struct formats_walk *w, const struct formats_avro_type *type, uint32_t slot, struct cep_type want, struct cep_value *ret)
{
    struct cep_type element = cep_type_element(want);
    struct formats_avro_blocks blocks = { 0 };
    uint32_t count = 0;
    int e;
    base_buf_clear(w->packed);
    base_buf_put_u32(w->packed, 0);
    while ((e = formats_avro_next(w, &blocks)) > 0) {
        struct cep_value value;
        e = formats_avro_value(w, type->items[0], slot, element, &value);
        if (e < 0)
            return e;
        formats_pack_element(w->packed, element, value);
        count++;
    }
    if (e < 0)
        return e;
    if (w->packed->failed)
        return BASE_E_NOMEM;
    memcpy(w->packed->ptr, &count, sizeof count);
    char *copy = base_arena_strndup(w->arena, w->packed->ptr, w->packed->len);
    if (!copy)
        return BASE_E_NOMEM;
    *ret = cep_string(copy, w->packed->len);
    return 0;
}

static int float_value(struct formats_walk *w, uint32_t slot, struct cep_type want, struct cep_value *ret)
{
    float number;
    int e = read_float(w, &number);
    if (e < 0)
        return e;
    e = formats_convert_float(&w->decoder->times, number, want, w->arena, ret);
    return e < 0 ? formats_walk_misfit(w, slot, e, CEP_TYPE(DOUBLE), cep_double((double)number)) : 0;
}

int formats_avro_value(struct formats_walk *w, const struct formats_avro_type *type, uint32_t slot, struct cep_type want, struct cep_value *ret)
{
    struct cep_type from;
    struct cep_value value;
    uint32_t branch;
    int e;
    if (type->kind == FORMATS_AVRO_UNION) {
        e = formats_avro_branch(w, type, &branch);
        return e < 0 ? e : formats_avro_value(w, type->items[branch], slot, want, ret);
    }
    if (type->kind == FORMATS_AVRO_FLOAT)
        return float_value(w, slot, want, ret);
    if (type->kind == FORMATS_AVRO_ARRAY && want.kind == CEP_KIND_ARRAY)
        return array_value(w, type, slot, want, ret);
    if (type->kind == FORMATS_AVRO_RECORD || type->kind == FORMATS_AVRO_ARRAY || type->kind == FORMATS_AVRO_MAP) {
        e = json_value(w, type, &value);
        if (e < 0 || want.kind == CEP_KIND_ROW || want.kind == CEP_KIND_STRING) {
            *ret = value;
            return e;
        }
        return formats_walk_misfit(w, slot, BASE_E_CAST, CEP_TYPE(ROW), value);
    }
    e = scalar(w, type, &from, &value);
    if (e < 0)
        return e;
    e = formats_convert(&w->decoder->times, from, value, want, w->arena, ret);
    return e < 0 ? formats_walk_misfit(w, slot, e, from, value) : 0;
}

/* ---- defaults ---- */

/* Defaults of bytes are written as texts whose characters are the bytes. */
static int latin_bytes(json_t *text, struct base_arena *arena, struct base_str *ret)
{
    const char *from = json_string_value(text);
    size_t len = json_string_length(text), n = 0;
    char *out = base_arena_alloc(arena, len + 1);
    if (!out)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < len;) {
        uint32_t point;
        i += base_utf8_next(from + i, len - i, &point);
        if (point > 0xff)
            return BASE_E_CAST;
        out[n++] = (char)point;
    }
    *ret = (struct base_str){ out, n };
    return 0;
}

static int default_array(const struct formats_avro_type *type, json_t *list, struct formats_times *times, struct cep_type want, struct base_arena *arena,
                         struct cep_value *ret)
{
    uint32_t n = (uint32_t)json_array_size(list);
    struct cep_value *elements = base_arena_zalloc(arena, n + 1u, sizeof *elements);
    int e = elements ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < n; i++)
        e = formats_avro_default(type->items[0], json_array_get(list, i), times, cep_type_element(want), arena, &elements[i]);
    return e < 0 ? e : cep_array_make(want, elements, n, arena, ret);
}

static int default_text(json_t *value, struct base_arena *arena, struct cep_value *ret)
{
    size_t len = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = base_arena_alloc(arena, len + 1);
    if (!text)
        return BASE_E_NOMEM;
    *ret = cep_string(text, json_dumpb(value, text, len, JSON_COMPACT | JSON_ENCODE_ANY));
    return 0;
}

int formats_avro_default(const struct formats_avro_type *type, json_t *json_text, struct formats_times *times, struct cep_type want, struct base_arena *arena,
                         struct cep_value *ret)
{
    struct cep_type from = CEP_TYPE(NULL);
    struct cep_value value = cep_null();
    struct base_str raw;
    int e = 0;
    *ret = value;
    if (json_is_null(json_text))
        return 0;
    for (uint32_t i = 0; type->kind == FORMATS_AVRO_UNION && i < type->count; i++) {
        if (type->items[i]->kind != FORMATS_AVRO_NULL && formats_avro_default(type->items[i], json_text, times, want, arena, ret) == 0)
            return 0;
    }
    if (type->kind == FORMATS_AVRO_ARRAY && want.kind == CEP_KIND_ARRAY && json_is_array(json_text))
        return default_array(type, json_text, times, want, arena, ret);
    if (json_is_object(json_text) || json_is_array(json_text))
        return want.kind == CEP_KIND_ROW || want.kind == CEP_KIND_STRING ? default_text(json_text, arena, ret) : BASE_E_CAST;
    if (json_is_boolean(json_text) && type->kind == FORMATS_AVRO_BOOLEAN) {
        from = CEP_TYPE(BOOLEAN);
        value = cep_int(json_is_true(json_text));
    } else if (json_is_integer(json_text) && (type->kind == FORMATS_AVRO_INT || type->kind == FORMATS_AVRO_LONG)) {
        value = integer(type, json_integer_value(json_text), &from);
    } else if (json_is_number(json_text) && (type->kind == FORMATS_AVRO_FLOAT || type->kind == FORMATS_AVRO_DOUBLE)) {
        from = CEP_TYPE(DOUBLE);
        value = cep_double(json_number_value(json_text));
    } else if (json_is_string(json_text) && (type->kind == FORMATS_AVRO_STRING || type->kind == FORMATS_AVRO_ENUM)) {
        from = CEP_TYPE(STRING);
        value = cep_string(json_string_value(json_text), json_string_length(json_text));
    } else if (json_is_string(json_text) && (type->kind == FORMATS_AVRO_BYTES || type->kind == FORMATS_AVRO_FIXED)) {
        e = latin_bytes(json_text, arena, &raw);
        if (e == 0 && type->kind == FORMATS_AVRO_FIXED && raw.len != type->size)
            e = BASE_E_CAST;
        if (e == 0)
            e = bytes(type, raw, arena, &from, &value);
    } else {
        e = BASE_E_CAST;
    }
    return e < 0 ? e : formats_convert(times, from, value, want, arena, ret);
}
