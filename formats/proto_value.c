#include "formats/proto_value.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/time.h"

/* ---- bytes ---- */

static int cut(struct formats_walk *w)
{
    return formats_walk_bad(w, "it ends within a value");
}

static int spend(struct formats_walk *w)
{
    return w->budget-- ? 0 : formats_walk_bad(w, "more values than its length allows");
}

static int varint(struct formats_walk *w, const uint8_t *end, uint64_t *ret)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (w->at >= end)
            return cut(w);
        uint8_t byte = *w->at++;
        if (shift == 63 && byte > 1)
            break;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = n;
            return 0;
        }
    }
    return formats_walk_bad(w, "a number longer than 64 bits");
}

static int raw(struct formats_walk *w, const uint8_t *end, uint64_t len, struct base_str *ret)
{
    if (w->at > end || len > (uint64_t)(end - w->at))
        return cut(w);
    *ret = (struct base_str){ (const char *)w->at, (size_t)len };
    w->at += len;
    return 0;
}

int formats_proto_zigzag(struct formats_walk *w, const uint8_t *end, int64_t *ret)
{
    uint64_t n;
    int e = varint(w, end, &n);
    if (e == 0)
        *ret = (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
    return e;
}

int formats_proto_tag(struct formats_walk *w, const uint8_t *end, uint32_t *ret_number, unsigned *ret_wire)
{
    uint64_t tag;
    int e = spend(w);
    if (e == 0)
        e = varint(w, end, &tag);
    if (e < 0)
        return e;
    *ret_number = (uint32_t)(tag >> 3);
    *ret_wire = (unsigned)(tag & 7);
    if (tag >> 3 == 0 || tag >> 32 || *ret_wire > FORMATS_PROTO_WIRE_32)
        return formats_walk_bad(w, "a bad tag");
    return 0;
}

int formats_proto_enter(struct formats_walk *w, const uint8_t *end, const uint8_t **ret_end)
{
    uint64_t len;
    struct base_str text;
    int e = varint(w, end, &len);
    if (e == 0)
        e = raw(w, end, len, &text);
    if (e < 0)
        return e;
    *ret_end = w->at;
    w->at = (const uint8_t *)text.ptr;
    return 0;
}

int formats_proto_skip(struct formats_walk *w, unsigned wire, uint32_t number, const uint8_t *end)
{
    uint64_t n;
    struct base_str text;
    int e;
    switch (wire) {
    case FORMATS_PROTO_WIRE_VARINT:
        return varint(w, end, &n);
    case FORMATS_PROTO_WIRE_64:
        return raw(w, end, 8, &text);
    case FORMATS_PROTO_WIRE_32:
        return raw(w, end, 4, &text);
    case FORMATS_PROTO_WIRE_BYTES:
        e = varint(w, end, &n);
        return e < 0 ? e : raw(w, end, n, &text);
    case FORMATS_PROTO_WIRE_GROUP:
        if (++w->depth > FORMATS_PROTO_DEPTH)
            return formats_walk_bad(w, "nested too deeply");
        for (;;) {
            uint32_t inner;
            unsigned inner_wire;
            e = formats_proto_tag(w, end, &inner, &inner_wire);
            if (e == 0 && inner_wire == FORMATS_PROTO_WIRE_END) {
                w->depth--;
                return inner == number ? 0 : formats_walk_bad(w, "the end of another group");
            }
            if (e == 0)
                e = formats_proto_skip(w, inner_wire, inner, end);
            if (e < 0)
                return e;
        }
    default: /* the end of a group that has not begun */
        return formats_walk_bad(w, "the end of a group that has not begun");
    }
}

static unsigned wire_of(enum formats_proto_type type)
{
    switch (type) {
    case FORMATS_PROTO_DOUBLE:
    case FORMATS_PROTO_FIXED64:
    case FORMATS_PROTO_SFIXED64:
        return FORMATS_PROTO_WIRE_64;
    case FORMATS_PROTO_FLOAT:
    case FORMATS_PROTO_FIXED32:
    case FORMATS_PROTO_SFIXED32:
        return FORMATS_PROTO_WIRE_32;
    case FORMATS_PROTO_STRING:
    case FORMATS_PROTO_BYTES:
    case FORMATS_PROTO_MESSAGE:
        return FORMATS_PROTO_WIRE_BYTES;
    case FORMATS_PROTO_GROUP:
        return FORMATS_PROTO_WIRE_GROUP;
    case FORMATS_PROTO_INT64:
    case FORMATS_PROTO_UINT64:
    case FORMATS_PROTO_INT32:
    case FORMATS_PROTO_BOOL:
    case FORMATS_PROTO_UINT32:
    case FORMATS_PROTO_ENUM:
    case FORMATS_PROTO_SINT32:
    case FORMATS_PROTO_SINT64:
        break;
    }
    return FORMATS_PROTO_WIRE_VARINT;
}

bool formats_proto_fits(const struct formats_proto_field *field, unsigned wire)
{
    if (field->type == FORMATS_PROTO_GROUP)
        return false; /* long since deprecated: left out */
    return wire == wire_of(field->type) || (field->repeated && wire == FORMATS_PROTO_WIRE_BYTES);
}

/* ---- scalars ---- */

static struct cep_value symbol(const struct formats_proto_field *field, int32_t number, struct base_arena *arena, bool *failed)
{
    for (uint32_t i = 0; field->enumeration && i < field->enumeration->count; i++) {
        const struct formats_proto_symbol *s = &field->enumeration->symbols[i];
        if (s->number == number)
            return cep_string(s->name, strlen(s->name));
    }
    char *text = base_arena_printf(arena, "%d", (int)number);
    *failed = !text;
    return text ? cep_string(text, strlen(text)) : cep_null();
}

static struct cep_value unsigned_value(uint64_t n, struct cep_type *from)
{
    if (n <= INT64_MAX)
        return cep_int((int64_t)n);
    *from = CEP_DECIMAL_TYPE(20, 0);
    return cep_dec((cep_int128)n);
}

static int varint_value(struct formats_walk *w, const struct formats_proto_field *field, uint64_t n, struct cep_type *from, struct cep_value *ret)
{
    bool failed = false;
    *from = CEP_TYPE(BIGINT);
    switch (field->type) {
    case FORMATS_PROTO_BOOL:
        *from = CEP_TYPE(BOOLEAN);
        *ret = cep_int(n != 0);
        break;
    case FORMATS_PROTO_INT32:
        *ret = cep_int((int32_t)(uint32_t)n);
        break;
    case FORMATS_PROTO_UINT32:
        *ret = cep_int((int64_t)(uint32_t)n);
        break;
    case FORMATS_PROTO_SINT32:
        n = (uint32_t)n;
        *ret = cep_int((int32_t)((uint32_t)(n >> 1) ^ (0u - (uint32_t)(n & 1))));
        break;
    case FORMATS_PROTO_SINT64:
        *ret = cep_int((int64_t)((n >> 1) ^ (0u - (n & 1))));
        break;
    case FORMATS_PROTO_UINT64:
        *ret = unsigned_value(n, from);
        break;
    case FORMATS_PROTO_ENUM:
        *from = CEP_TYPE(STRING);
        *ret = symbol(field, (int32_t)(uint32_t)n, w->arena, &failed);
        break;
    case FORMATS_PROTO_INT64:
    case FORMATS_PROTO_DOUBLE:
    case FORMATS_PROTO_FLOAT:
    case FORMATS_PROTO_FIXED64:
    case FORMATS_PROTO_FIXED32:
    case FORMATS_PROTO_STRING:
    case FORMATS_PROTO_GROUP:
    case FORMATS_PROTO_MESSAGE:
    case FORMATS_PROTO_BYTES:
    case FORMATS_PROTO_SFIXED32:
    case FORMATS_PROTO_SFIXED64:
        *ret = cep_int((int64_t)n);
        break;
    }
    return failed ? BASE_E_NOMEM : 0;
}

static int fixed_value(const struct formats_proto_field *field, struct base_str bytes, struct cep_type *from, struct cep_value *ret)
{
    uint64_t n = 0;
    for (size_t i = 0; i < bytes.len; i++)
        n |= (uint64_t)(uint8_t)bytes.ptr[i] << (8 * i);
    *from = CEP_TYPE(BIGINT);
    if (field->type == FORMATS_PROTO_DOUBLE) {
        *from = CEP_TYPE(DOUBLE);
        *ret = cep_double(0);
        memcpy(&ret->d, &n, 8);
    } else if (field->type == FORMATS_PROTO_SFIXED32) {
        *ret = cep_int((int32_t)(uint32_t)n);
    } else if (field->type == FORMATS_PROTO_SFIXED64) {
        *ret = cep_int((int64_t)n);
    } else {
        *ret = unsigned_value(n, from);
    }
    return 0;
}

/* Integers of a message's fields 1 to 4, 0 where absent. */
static int read_parts(struct formats_walk *w, const uint8_t *end, int64_t parts[5], struct base_str *ret_first)
{
    while (w->at < end) {
        uint32_t number;
        unsigned wire;
        int e = formats_proto_tag(w, end, &number, &wire);
        const uint8_t *start = w->at;
        if (e == 0)
            e = formats_proto_skip(w, wire, number, end);
        if (e < 0)
            return e;
        const uint8_t *behind = w->at;
        w->at = start;
        uint64_t n = 0;
        if (wire == FORMATS_PROTO_WIRE_VARINT && number < 5) {
            e = varint(w, end, &n);
            parts[number] = (int64_t)n;
        } else if (wire == FORMATS_PROTO_WIRE_BYTES && number == 1) {
            e = varint(w, end, &n);
            *ret_first = (struct base_str){ (const char *)w->at, (size_t)n };
        }
        if (e < 0)
            return e;
        w->at = behind;
    }
    return 0;
}

static int decimal_value(struct formats_walk *w, struct base_str bytes, int64_t scale, struct cep_type *from, struct cep_value *ret)
{
    if (bytes.len > 16 || scale < 0 || scale > 38)
        return formats_walk_bad(w, "a decimal beyond 38 digits");
    unsigned __int128 n = bytes.len && bytes.ptr[0] & 0x80 ? ~(unsigned __int128)0 : 0;
    for (size_t i = 0; i < bytes.len; i++)
        n = n << 8 | (uint8_t)bytes.ptr[i];
    cep_int128 value = (cep_int128)n, most = 1;
    for (int d = 0; d < 38; d++)
        most *= 10;
    if (value >= most || value <= -most)
        return formats_walk_bad(w, "a decimal beyond 38 digits");
    *from = CEP_DECIMAL_TYPE(38, (uint8_t)scale);
    *ret = cep_dec(value);
    return 0;
}

/* A message that stands for one value; w->at and end are its bytes. */
static int special(struct formats_walk *w, const struct formats_proto_message *message, const uint8_t *end, struct cep_type *from, struct cep_value *ret)
{
    int64_t parts[5] = { 0 };
    struct base_str first = { "", 0 };
    int e = read_parts(w, end, parts, &first);
    if (e < 0)
        return e;
    switch (message->special) {
    case FORMATS_PROTO_TIMESTAMP:
        *from = CEP_TYPE(TIMESTAMP_LTZ);
        if (parts[1] > INT64_MAX / 1000 - 1 || parts[1] < INT64_MIN / 1000 + 1)
            return formats_walk_bad(w, "a timestamp out of range");
        *ret = cep_int(parts[1] * 1000 + (int32_t)parts[2] / 1000000);
        return 0;
    case FORMATS_PROTO_DATE:
        *from = CEP_TYPE(DATE);
        if (parts[1] < 1 || parts[1] > 9999 || parts[2] < 1 || parts[2] > 12 || parts[3] < 1 || parts[3] > 31) {
            *ret = cep_null(); /* a date of which a part is not given */
            return 0;
        }
        *ret = cep_int(base_days_from_civil((int32_t)parts[1], (int)parts[2], (int)parts[3]));
        return 0;
    case FORMATS_PROTO_TIME_OF_DAY:
        *from = CEP_TYPE(TIME);
        if (parts[1] < 0 || parts[1] > 24 || parts[2] < 0 || parts[2] > 59 || parts[3] < 0 || parts[3] > 60)
            return formats_walk_bad(w, "a time of day out of range");
        *ret = cep_int((parts[1] * 60 + parts[2]) * 60000 + parts[3] * 1000 + (int32_t)parts[4] / 1000000);
        return 0;
    case FORMATS_PROTO_DECIMAL_BYTES:
        return decimal_value(w, first, (int32_t)parts[3], from, ret);
    case FORMATS_PROTO_DECIMAL_TEXT:
        *from = CEP_TYPE(STRING);
        *ret = cep_string(first.ptr, first.len);
        return base_utf8_check(first.ptr, first.len) == first.len ? 0 : formats_walk_bad(w, "a string that is no UTF-8");
    case FORMATS_PROTO_PLAIN:
    case FORMATS_PROTO_WRAPPER:
        break;
    }
    *from = CEP_TYPE(NULL);
    *ret = cep_null();
    return 0;
}

/* ---- one value ---- */

static int json_message(struct formats_walk *w, const struct formats_proto_message *message, const uint8_t *end, struct base_buf *out);
static int json_field(struct formats_walk *w, const struct formats_proto_field *field, const uint8_t *end, struct base_buf *out, bool *ret_any);

static int text_out(struct formats_walk *w, struct base_buf *out, struct cep_value *ret)
{
    char *copy = out->failed ? NULL : base_arena_strndup(w->arena, out->ptr ? out->ptr : "", out->len);
    int e = copy ? 0 : out->len >= CEP_ROW_BYTES_MAX / 2 ? formats_walk_bad(w, "a nested value larger than a row may be") : BASE_E_NOMEM;
    if (copy)
        *ret = cep_string(copy, out->len);
    return e;
}

static int convert(struct formats_walk *w, uint32_t slot, struct cep_type from, struct cep_value value, struct cep_type want, struct cep_value *ret)
{
    int e = formats_convert(&w->decoder->times, from, value, want, w->arena, ret);
    return e < 0 ? formats_walk_misfit(w, slot, e, from, value) : 0;
}

/* A scalar as the format has it. FLOAT gives a DOUBLE. */
static int scalar(struct formats_walk *w, const struct formats_proto_field *field, const uint8_t *end, struct cep_type *from, struct cep_value *ret)
{
    uint64_t n;
    struct base_str bytes;
    unsigned wire = wire_of(field->type);
    int e = spend(w);
    if (e == 0 && wire == FORMATS_PROTO_WIRE_VARINT) {
        e = varint(w, end, &n);
        return e < 0 ? e : varint_value(w, field, n, from, ret);
    }
    if (e == 0 && wire == FORMATS_PROTO_WIRE_BYTES) {
        e = varint(w, end, &n);
        if (e == 0)
            e = raw(w, end, n, &bytes);
        if (e < 0)
            return e;
        *from = field->type == FORMATS_PROTO_STRING ? CEP_TYPE(STRING) : CEP_TYPE(BYTES);
        *ret = cep_string(bytes.ptr, bytes.len);
        if (field->type == FORMATS_PROTO_STRING && base_utf8_check(bytes.ptr, bytes.len) != bytes.len)
            return formats_walk_bad(w, "a string that is no UTF-8");
        return 0;
    }
    if (e == 0)
        e = raw(w, end, wire == FORMATS_PROTO_WIRE_64 ? 8 : 4, &bytes);
    return e < 0 ? e : fixed_value(field, bytes, from, ret);
}

static int float_value(struct formats_walk *w, const uint8_t *end, uint32_t slot, struct cep_type want, struct cep_value *ret)
{
    struct base_str bytes;
    float number;
    int e = raw(w, end, 4, &bytes);
    if (e < 0)
        return e;
    memcpy(&number, bytes.ptr, 4);
    e = formats_convert_float(&w->decoder->times, number, want, w->arena, ret);
    return e < 0 ? formats_walk_misfit(w, slot, e, CEP_TYPE(DOUBLE), cep_double((double)number)) : 0;
}

/* The value of google.protobuf.Int64Value and its like: their field 1, zero if it is absent. */
static int wrapper(struct formats_walk *w, const struct formats_proto_message *message, const uint8_t *end, uint32_t slot, struct cep_type want,
                   struct cep_value *ret)
{
    const struct formats_proto_field *inner = message->count ? &message->fields[0] : NULL;
    if (!inner || inner->message || inner->repeated)
        return formats_walk_bad(w, "a wrapper of nothing");
    int e = formats_proto_zero(w, inner, slot, want, ret);
    while (e == 0 && w->at < end) {
        uint32_t number;
        unsigned wire;
        e = formats_proto_tag(w, end, &number, &wire);
        if (e == 0)
            e = number == inner->number && wire == wire_of(inner->type) ? formats_proto_value(w, inner, wire, end, slot, want, ret)
                                                                        : formats_proto_skip(w, wire, number, end);
    }
    return e;
}

static int message_value(struct formats_walk *w, const struct formats_proto_field *field, const uint8_t *end, uint32_t slot, struct cep_type want,
                         struct cep_value *ret)
{
    const struct formats_proto_message *message = field->message;
    const uint8_t *inner_end;
    struct cep_type from = CEP_TYPE(ROW);
    struct cep_value value = cep_null();
    int e = formats_proto_enter(w, end, &inner_end);
    if (e < 0)
        return e;
    if (want.kind != CEP_KIND_ROW && message->special == FORMATS_PROTO_WRAPPER)
        return wrapper(w, message, inner_end, slot, want, ret);
    if (want.kind != CEP_KIND_ROW && message->special != FORMATS_PROTO_PLAIN) {
        e = special(w, message, inner_end, &from, &value);
        return e < 0 ? e : convert(w, slot, from, value, want, ret);
    }
    struct base_buf out = { .limit = CEP_ROW_BYTES_MAX };
    e = json_message(w, message, inner_end, &out);
    if (e == 0)
        e = text_out(w, &out, &value);
    base_buf_finish(&out);
    w->at = inner_end;
    if (e == 0 && want.kind != CEP_KIND_ROW && want.kind != CEP_KIND_STRING)
        e = formats_walk_misfit(w, slot, BASE_E_CAST, from, value);
    *ret = value;
    return e;
}

int formats_proto_value(struct formats_walk *w, const struct formats_proto_field *field, unsigned wire, const uint8_t *end, uint32_t slot, struct cep_type want,
                        struct cep_value *ret)
{
    struct cep_type from;
    struct cep_value value;
    uint64_t n;
    if (wire != wire_of(field->type))
        return formats_walk_bad(w, "a value of another wire type than the schema says");
    if (field->type == FORMATS_PROTO_MESSAGE)
        return message_value(w, field, end, slot, want, ret);
    if (field->type == FORMATS_PROTO_FLOAT)
        return float_value(w, end, slot, want, ret);
    if (field->type == FORMATS_PROTO_ENUM && (want.kind == CEP_KIND_INT || want.kind == CEP_KIND_BIGINT)) {
        int e = varint(w, end, &n);
        *ret = cep_int((int32_t)(uint32_t)n);
        return e;
    }
    int e = scalar(w, field, end, &from, &value);
    return e < 0 ? e : convert(w, slot, from, value, want, ret);
}

int formats_proto_zero(struct formats_walk *w, const struct formats_proto_field *field, uint32_t slot, struct cep_type want, struct cep_value *ret)
{
    struct cep_type from = CEP_TYPE(BIGINT);
    struct cep_value value = cep_int(0);
    bool failed = false;
    if (field->repeated) {
        if (want.kind == CEP_KIND_ARRAY)
            return cep_array_make(want, NULL, 0, w->arena, ret);
        *ret = cep_null();
        if (want.kind == CEP_KIND_ROW || want.kind == CEP_KIND_STRING)
            *ret = field->map ? cep_string("{}", 2) : want.kind == CEP_KIND_STRING ? cep_string("[]", 2) : cep_null();
        return 0;
    }
    if (field->type == FORMATS_PROTO_ENUM && want.kind != CEP_KIND_INT && want.kind != CEP_KIND_BIGINT) {
        from = CEP_TYPE(STRING);
        value = symbol(field, 0, w->arena, &failed);
    } else if (field->type == FORMATS_PROTO_STRING || field->type == FORMATS_PROTO_BYTES) {
        from = field->type == FORMATS_PROTO_STRING ? CEP_TYPE(STRING) : CEP_TYPE(BYTES);
        value = cep_string("", 0);
        if (want.kind != CEP_KIND_STRING && want.kind != CEP_KIND_BYTES) {
            *ret = cep_null(); /* an empty text is no value of another type */
            return 0;
        }
    } else if (field->type == FORMATS_PROTO_BOOL) {
        from = CEP_TYPE(BOOLEAN);
    } else if (field->type == FORMATS_PROTO_DOUBLE || field->type == FORMATS_PROTO_FLOAT) {
        from = CEP_TYPE(DOUBLE);
        value = cep_double(0);
    }
    if (failed)
        return BASE_E_NOMEM;
    return convert(w, slot, from, value, want, ret);
}

/* ---- several ---- */

/* One element, or a packed run of them, appended. */
static int pack_run(struct formats_walk *w, const struct formats_proto_field *field, unsigned wire, const uint8_t *end, uint32_t slot, struct cep_type element,
                    uint32_t *count)
{
    const uint8_t *run_end = end;
    bool packed = wire == FORMATS_PROTO_WIRE_BYTES && wire_of(field->type) != FORMATS_PROTO_WIRE_BYTES;
    int e = packed ? formats_proto_enter(w, end, &run_end) : 0;
    while (e == 0 && (!packed || w->at < run_end)) {
        struct cep_value value = cep_null();
        e = formats_proto_value(w, field, packed ? wire_of(field->type) : wire, run_end, slot, element, &value);
        if (e < 0)
            return e;
        formats_pack_element(w->packed, element, value);
        ++*count;
        if (!packed)
            break;
    }
    return e;
}

int formats_proto_repeated(struct formats_walk *w, const struct formats_proto_field *field, const uint8_t *end, uint32_t slot, struct cep_type want,
                           struct cep_value *ret)
{
    uint32_t count = 0;
    if (want.kind != CEP_KIND_ARRAY) {
        struct base_buf out = { .limit = CEP_ROW_BYTES_MAX };
        struct cep_value value = cep_null();
        bool any = false;
        int e = json_field(w, field, end, &out, &any);
        if (e == 0)
            e = text_out(w, &out, &value);
        base_buf_finish(&out);
        if (e == 0 && want.kind != CEP_KIND_STRING && (want.kind != CEP_KIND_ROW || !field->map))
            e = formats_walk_misfit(w, slot, BASE_E_CAST, CEP_TYPE(ROW), value);
        *ret = value;
        return e;
    }
    base_buf_clear(w->packed);
    base_buf_put_u32(w->packed, 0);
    while (w->at < end) {
        uint32_t number;
        unsigned wire;
        int e = formats_proto_tag(w, end, &number, &wire);
        if (e == 0)
            e = number == field->number && formats_proto_fits(field, wire) ? pack_run(w, field, wire, end, slot, cep_type_element(want), &count)
                                                                           : formats_proto_skip(w, wire, number, end);
        if (e < 0)
            return e;
    }
    if (w->packed->failed)
        return BASE_E_NOMEM;
    memcpy(w->packed->ptr, &count, sizeof count);
    char *copy = base_arena_strndup(w->arena, w->packed->ptr, w->packed->len);
    if (!copy)
        return BASE_E_NOMEM;
    *ret = cep_string(copy, w->packed->len);
    return 0;
}

int formats_proto_read_pair(struct formats_walk *w, const struct formats_proto_message *message, const uint8_t *end, struct formats_proto_pair *ret)
{
    const struct formats_proto_field *key = NULL;
    *ret = (struct formats_proto_pair){ .end = end };
    for (uint32_t i = 0; i < message->count; i++) {
        key = message->fields[i].number == 1 ? &message->fields[i] : key;
        ret->value = message->fields[i].number == 2 ? &message->fields[i] : ret->value;
    }
    if (!key || !ret->value || key->message)
        return formats_walk_bad(w, "a map without keys");
    struct cep_value text = cep_null();
    int e = formats_proto_zero(w, key, 0, CEP_TYPE(STRING), &text);
    while (e == 0 && w->at < end) {
        uint32_t number;
        unsigned wire;
        e = formats_proto_tag(w, end, &number, &wire);
        const uint8_t *start = w->at;
        if (e == 0)
            e = formats_proto_skip(w, wire, number, end);
        if (e < 0)
            return e;
        const uint8_t *behind = w->at;
        if (number == 2 && wire == wire_of(ret->value->type)) {
            ret->at = start;
            ret->wire = wire;
        }
        if (number == 1 && wire == wire_of(key->type)) {
            w->at = start;
            e = formats_proto_value(w, key, wire, end, 0, CEP_TYPE(STRING), &text);
        }
        w->at = behind;
    }
    ret->key = (struct base_str){ text.s.ptr, text.null ? 0 : text.s.len };
    return e;
}

int formats_proto_pair_value(struct formats_walk *w, const struct formats_proto_pair *pair, uint32_t slot, struct cep_type want, struct cep_value *ret)
{
    if (!pair->at)
        return pair->value->message ? 0 : formats_proto_zero(w, pair->value, slot, want, ret);
    w->at = pair->at;
    return formats_proto_value(w, pair->value, pair->wire, pair->end, slot, want, ret);
}

/* ---- as JSON ---- */

/* The value at hand. */
static int json_one(struct formats_walk *w, const struct formats_proto_field *field, unsigned wire, const uint8_t *end, struct base_buf *out)
{
    struct cep_type from = CEP_TYPE(NULL);
    struct cep_value value = cep_null();
    const uint8_t *inner_end;
    int e;
    if (field->type == FORMATS_PROTO_FLOAT) {
        e = float_value(w, end, 0, CEP_TYPE(STRING), &value);
        if (e == 0)
            base_buf_put(out, value.s.ptr, value.s.len);
        return e;
    }
    if (field->type != FORMATS_PROTO_MESSAGE) {
        if (wire != wire_of(field->type))
            return formats_walk_bad(w, "a value of another wire type than the schema says");
        e = scalar(w, field, end, &from, &value);
        if (e == 0)
            cep_value_print_json(from, value, out);
        return e;
    }
    e = formats_proto_enter(w, end, &inner_end);
    if (e < 0)
        return e;
    if (field->message->special == FORMATS_PROTO_PLAIN || field->message->special == FORMATS_PROTO_WRAPPER) {
        e = json_message(w, field->message, inner_end, out);
    } else {
        e = special(w, field->message, inner_end, &from, &value);
        if (e == 0)
            cep_value_print_json(from, value, out);
    }
    w->at = inner_end;
    return e;
}

static int json_pair(struct formats_walk *w, const struct formats_proto_field *field, const uint8_t *end, struct base_buf *out)
{
    struct formats_proto_pair pair;
    const uint8_t *inner_end;
    int e = formats_proto_enter(w, end, &inner_end);
    if (e == 0)
        e = formats_proto_read_pair(w, field->message, inner_end, &pair);
    if (e < 0)
        return e;
    base_buf_put_json(out, pair.key);
    base_buf_putc(out, ':');
    if (pair.at) {
        w->at = pair.at;
        e = json_one(w, pair.value, pair.wire, inner_end, out);
    } else {
        struct cep_value zero = cep_null();
        if (!pair.value->message)
            e = formats_proto_zero(w, pair.value, 0, CEP_TYPE(STRING), &zero);
        cep_value_print_json(CEP_TYPE(STRING), zero, out);
    }
    w->at = inner_end;
    return e;
}

/* What stands in the message of a field; *ret_any false: nothing. w->at is the message's beginning and is put back. */
static int json_field(struct formats_walk *w, const struct formats_proto_field *field, const uint8_t *end, struct base_buf *out, bool *ret_any)
{
    const uint8_t *begin = w->at;
    size_t start = out->len;
    int e = 0;
    *ret_any = false;
    while (e == 0 && w->at < end) {
        uint32_t number;
        unsigned wire;
        e = formats_proto_tag(w, end, &number, &wire);
        if (e < 0)
            return e;
        if (number != field->number || !formats_proto_fits(field, wire)) {
            e = formats_proto_skip(w, wire, number, end);
            continue;
        }
        if (!field->repeated)
            out->len = start; /* of several the last counts */
        const uint8_t *run_end = end;
        bool packed = field->repeated && wire != wire_of(field->type);
        if (packed)
            e = formats_proto_enter(w, end, &run_end);
        while (e == 0 && (!packed || w->at < run_end)) {
            if (field->repeated)
                base_buf_putc(out, *ret_any ? ',' : field->map ? '{' : '[');
            *ret_any = true;
            e = field->map ? json_pair(w, field, run_end, out) : json_one(w, field, packed ? wire_of(field->type) : wire, run_end, out);
            if (!packed)
                break;
        }
    }
    if (e == 0 && field->repeated && *ret_any)
        base_buf_putc(out, field->map ? '}' : ']');
    w->at = begin;
    return e;
}

static int json_message(struct formats_walk *w, const struct formats_proto_message *message, const uint8_t *end, struct base_buf *out)
{
    bool some = false;
    int e = 0;
    if (++w->depth > FORMATS_PROTO_DEPTH)
        return formats_walk_bad(w, "nested too deeply");
    base_buf_putc(out, '{');
    for (uint32_t i = 0; e == 0 && i < message->count; i++) {
        size_t before = out->len;
        bool any;
        if (some)
            base_buf_putc(out, ',');
        base_buf_put_json(out, base_str_of(message->fields[i].name));
        base_buf_putc(out, ':');
        e = json_field(w, &message->fields[i], end, out, &any);
        if (!any && !out->failed)
            out->len = before;
        some = some || any;
    }
    base_buf_putc(out, '}');
    w->depth--;
    return e;
}
