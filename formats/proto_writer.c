#include "formats/proto_writer.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "formats/proto_schema.h"
#include "formats/proto_value.h"
#include "formats/schema_file.h"

#define NESTING_MOST 32

/* A field of the message and the column that it gets. */
struct written {
    const struct formats_proto_field *field;
    uint32_t column;   /* CHANGE: the row's change */
};
#define CHANGE UINT32_MAX
struct formats_proto_writer {
    struct base_arena arena;
    struct formats_proto_schema schema;
    const struct formats_proto_message *message;
    struct written *fields;   /* in order of the columns */
    uint32_t count;
    struct formats_writer_column *columns;
    struct base_buf head;     /* Confluent's: 0, the id, the place of the message in its file */
};

/* ---- the schema of the columns ---- */

static const char *type_name(struct cep_type type)
{
    switch ((enum cep_kind)type.kind) {
    case CEP_KIND_BOOLEAN: return "bool";
    case CEP_KIND_INT: return "int32";
    case CEP_KIND_BIGINT:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH: return "int64";
    case CEP_KIND_DOUBLE: return "double";
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ: return "google.protobuf.Timestamp";
    case CEP_KIND_BYTES: return "bytes";
    case CEP_KIND_ARRAY: return type_name(cep_type_element(type));
    case CEP_KIND_DECIMAL:
    case CEP_KIND_STRING:
    case CEP_KIND_ROW:
    case CEP_KIND_NULL:
    case CEP_KIND_DATE:
    case CEP_KIND_TIME: break;
    }
    return "string"; /* exact, and read back as what it spells */
}

static int make_schema(const struct formats_writer_config *config, struct base_buf *out, char *ret_error, size_t error_bytes)
{
    uint32_t number = 1;
    base_buf_puts(out, "syntax = \"proto3\";\npackage cepheid;\nimport \"google/protobuf/timestamp.proto\";\nmessage Row {\n");
    if (config->with_change)
        base_buf_printf(out, "  string op = %u;\n", number++);
    for (uint32_t c = 0; c < config->count; c++) {
        const struct formats_writer_column *column = &config->columns[c];
        int e = formats_writer_check_name(column->name, "Protobuf", ret_error, error_bytes);
        if (e < 0)
            return e;
        base_buf_printf(out, "  %s %s %.*s = %u;\n", column->type.kind == CEP_KIND_ARRAY ? "repeated" : "optional", type_name(column->type), (int)column->name.len,
                        column->name.ptr, number++);
    }
    base_buf_puts(out, "}\n");
    return out->failed ? BASE_E_NOMEM : 0;
}

/* ---- does a schema take the columns? ---- */

static bool message_takes(const struct formats_proto_message *to, struct cep_type from);

/* One value, without a chance of failure. */
static bool takes(const struct formats_proto_field *to, struct cep_type from)
{
    bool integer = from.kind == CEP_KIND_INT || from.kind == CEP_KIND_BIGINT || from.kind == CEP_KIND_INTERVAL_DAY || from.kind == CEP_KIND_INTERVAL_MONTH;
    switch (to->type) {
    case FORMATS_PROTO_BOOL: return from.kind == CEP_KIND_BOOLEAN;
    case FORMATS_PROTO_INT32:
    case FORMATS_PROTO_SINT32:
    case FORMATS_PROTO_SFIXED32: return from.kind == CEP_KIND_INT;
    case FORMATS_PROTO_INT64:
    case FORMATS_PROTO_SINT64:
    case FORMATS_PROTO_SFIXED64: return integer || cep_kind_is_time(from.kind);
    case FORMATS_PROTO_DOUBLE:
    case FORMATS_PROTO_FLOAT: return from.kind == CEP_KIND_DOUBLE || from.kind == CEP_KIND_INT;
    case FORMATS_PROTO_STRING: return from.kind != CEP_KIND_BYTES;
    case FORMATS_PROTO_BYTES: return from.kind == CEP_KIND_BYTES || from.kind == CEP_KIND_STRING;
    case FORMATS_PROTO_MESSAGE: return message_takes(to->message, from);
    case FORMATS_PROTO_UINT32:
    case FORMATS_PROTO_UINT64:
    case FORMATS_PROTO_FIXED32:
    case FORMATS_PROTO_FIXED64:
    case FORMATS_PROTO_ENUM:
    case FORMATS_PROTO_GROUP: break;
    }
    return false;
}

static bool message_takes(const struct formats_proto_message *to, struct cep_type from)
{
    switch (to->special) {
    case FORMATS_PROTO_TIMESTAMP: return cep_kind_is_time(from.kind);
    case FORMATS_PROTO_WRAPPER: return to->count == 1 && takes(&to->fields[0], from);
    case FORMATS_PROTO_DECIMAL_BYTES:
    case FORMATS_PROTO_DECIMAL_TEXT: return from.kind == CEP_KIND_DECIMAL;
    case FORMATS_PROTO_DATE:
    case FORMATS_PROTO_TIME_OF_DAY:
    case FORMATS_PROTO_PLAIN: break;
    }
    return false;
}

static bool field_takes(const struct formats_proto_field *to, struct cep_type from)
{
    if (to->map)
        return false;
    return to->repeated ? from.kind == CEP_KIND_ARRAY && takes(to, cep_type_element(from)) : from.kind != CEP_KIND_ARRAY || to->type == FORMATS_PROTO_STRING ? takes(to, from) : false;
}

static const struct formats_proto_field *find_field(const struct formats_proto_message *message, struct base_str name)
{
    for (uint32_t f = 0; f < message->count; f++)
        if (base_str_equal(base_str_of(message->fields[f].name), name))
            return &message->fields[f];
    return NULL;
}

static int match_fields(struct formats_proto_writer *writer, const struct formats_writer_config *config, char *ret_error, size_t error_bytes)
{
    for (uint32_t i = 0; i < config->count + config->with_change; i++) {
        bool op = config->with_change && i == 0;
        uint32_t c = i - config->with_change;
        struct base_str name = op ? BASE_STR("op") : config->columns[c].name;
        const struct formats_proto_field *field = find_field(writer->message, name);
        if (!field || !field_takes(field, op ? CEP_TYPE(STRING) : config->columns[c].type)) {
            snprintf(ret_error, error_bytes, "Protobuf schema: message \"%s\" has %s \"%.*s\"", writer->message->name,
                     field ? "a type that cannot take every value of column" : "no field for column", (int)name.len, name.ptr);
            return BASE_E_CONFIG;
        }
        writer->fields[writer->count++] = (struct written){ field, op ? CHANGE : c };
    }
    return 0;
}

/* ---- life ---- */

/* The message of that name (empty: the first); its place in the file goes to path, the depth is returned, 0: there is none. */
static uint32_t find_message(const struct formats_proto_message *const *list, uint32_t count, struct base_str name, uint32_t depth, uint32_t *path,
                             const struct formats_proto_message **ret)
{
    for (uint32_t i = 0; i < count && depth < NESTING_MOST; i++) {
        path[depth] = i;
        if (!name.len || base_str_equal(base_str_of(list[i]->name), name)) {
            *ret = list[i];
            return depth + 1;
        }
        uint32_t found = find_message(list[i]->nested, list[i]->nested_count, name, depth + 1, path, ret);
        if (found)
            return found;
    }
    return 0;
}

static int choose_message(struct formats_proto_writer *writer, const struct formats_writer_config *config, struct base_str text, char *ret_error, size_t error_bytes)
{
    uint32_t path[NESTING_MOST];
    struct base_str name = config->option(config->ctx, "message-name");
    uint32_t depth = find_message(writer->schema.top, writer->schema.count, name, 0, path, &writer->message);
    if (!depth) {
        snprintf(ret_error, error_bytes, "Protobuf schema: it has no message%s%.*s%s", name.len ? " \"" : "", (int)name.len, name.ptr ? name.ptr : "", name.len ? "\"" : "");
        return BASE_E_CONFIG;
    }
    if (!config->confluent)
        return 0;
    char head[5];
    int e = formats_writer_register(config, "PROTOBUF", text, head, ret_error, error_bytes);
    base_buf_put(&writer->head, head, sizeof head);
    if (depth == 1 && path[0] == 0) {
        base_buf_putc(&writer->head, '\0'); /* the first message is said by a single zero */
        return e;
    }
    base_buf_put_varint(&writer->head, depth << 1);
    for (uint32_t i = 0; i < depth; i++)
        base_buf_put_varint(&writer->head, path[i] << 1);
    return e;
}

static int load_schema(struct formats_proto_writer *writer, const struct formats_writer_config *config, char *ret_error, size_t error_bytes)
{
    struct base_str text = config->option(config->ctx, "schema"), file = config->option(config->ctx, "schema-file");
    struct base_buf own = { 0 };
    int e = 0;
    if (file.ptr) {
        e = formats_schema_file(file, &writer->arena, &text, ret_error, error_bytes);
    } else if (!text.ptr) {
        e = make_schema(config, &own, ret_error, error_bytes);
        text = (struct base_str){ own.ptr, own.len };
    }
    const struct formats_schema_text one = { file.ptr ? file : BASE_STR("schema.proto"), text };
    if (e == 0)
        e = formats_proto_parse(&one, 1, &writer->arena, &writer->schema, ret_error, error_bytes);
    writer->fields = base_arena_zalloc(&writer->arena, config->count + 2u, sizeof *writer->fields);
    if (e == 0 && !writer->fields)
        e = BASE_E_NOMEM;
    if (e == 0)
        e = choose_message(writer, config, text, ret_error, error_bytes);
    if (e == 0)
        e = match_fields(writer, config, ret_error, error_bytes);
    base_buf_finish(&own);
    return e == 0 && writer->head.failed ? BASE_E_NOMEM : e;
}

int formats_proto_writer_create(const struct formats_writer_config *config, struct formats_proto_writer **ret, char *ret_error, size_t error_bytes)
{
    struct formats_proto_writer *writer = base_calloc(1, sizeof *writer);
    snprintf(ret_error, error_bytes, "out of memory");
    if (!writer)
        return BASE_E_NOMEM;
    writer->columns = base_arena_zalloc(&writer->arena, config->count + 1u, sizeof *writer->columns);
    int e = writer->columns ? 0 : BASE_E_NOMEM;
    if (e == 0 && config->count)
        memcpy(writer->columns, config->columns, config->count * sizeof *writer->columns);
    if (e == 0)
        e = load_schema(writer, config, ret_error, error_bytes);
    if (e < 0) {
        formats_proto_writer_destroy(writer);
        return e;
    }
    *ret = writer;
    return 0;
}

void formats_proto_writer_destroy(struct formats_proto_writer *writer)
{
    if (!writer)
        return;
    base_buf_finish(&writer->head);
    base_arena_finish(&writer->arena);
    base_free(writer);
}

/* ---- values ---- */

static void put_tag(struct base_buf *out, uint32_t number, unsigned wire)
{
    base_buf_put_varint(out, (uint64_t)number << 3 | wire);
}

static void put_block(struct base_buf *out, uint32_t number, const char *bytes, size_t len)
{
    put_tag(out, number, FORMATS_PROTO_WIRE_BYTES);
    base_buf_put_varint(out, len);
    base_buf_put(out, bytes, len);
}

static void put_text(struct base_buf *out, uint32_t number, struct cep_type from, struct cep_value value)
{
    struct base_buf text = { 0 };
    if (from.kind == CEP_KIND_STRING || from.kind == CEP_KIND_ROW || from.kind == CEP_KIND_BYTES) {
        put_block(out, number, value.s.ptr, value.s.len);
        return;
    }
    if (from.kind == CEP_KIND_ARRAY)
        cep_value_print_json(from, value, &text);
    else
        cep_value_print_text(from, value, &text);
    put_block(out, number, text.ptr ? text.ptr : "", text.len);
    out->failed = out->failed || text.failed;
    base_buf_finish(&text);
}

static void put_value(const struct formats_proto_field *field, struct cep_type from, struct cep_value value, struct base_buf *out);

static void put_message(const struct formats_proto_field *field, struct cep_type from, struct cep_value value, struct base_buf *out)
{
    const struct formats_proto_message *message = field->message;
    struct base_buf inner = { 0 };
    if (message->special == FORMATS_PROTO_TIMESTAMP) {
        int64_t seconds = value.i / 1000 - (value.i % 1000 < 0), nanos = (value.i - seconds * 1000) * 1000000;
        put_tag(&inner, 1, FORMATS_PROTO_WIRE_VARINT);
        base_buf_put_varint(&inner, (uint64_t)seconds);
        put_tag(&inner, 2, FORMATS_PROTO_WIRE_VARINT);
        base_buf_put_varint(&inner, (uint64_t)nanos);
    } else if (message->special == FORMATS_PROTO_DECIMAL_BYTES) { /* value, precision, scale */
        uint8_t bytes[16];
        int first = formats_writer_decimal(from, value, from.scale, bytes);
        put_block(&inner, 1, (const char *)bytes + first, (size_t)(16 - first));
        put_tag(&inner, 2, FORMATS_PROTO_WIRE_VARINT);
        base_buf_put_varint(&inner, from.precision);
        put_tag(&inner, 3, FORMATS_PROTO_WIRE_VARINT);
        base_buf_put_varint(&inner, from.scale);
    } else if (message->special == FORMATS_PROTO_DECIMAL_TEXT) {
        put_text(&inner, 1, from, value);
    } else {
        put_value(&message->fields[0], from, value, &inner);
    }
    put_block(out, field->number, inner.ptr ? inner.ptr : "", inner.len);
    out->failed = out->failed || inner.failed;
    base_buf_finish(&inner);
}

static uint64_t zigzag(int64_t n)
{
    return ((uint64_t)n << 1) ^ (uint64_t)(n >> 63);
}

static void put_value(const struct formats_proto_field *field, struct cep_type from, struct cep_value value, struct base_buf *out)
{
    double d = from.kind == CEP_KIND_DOUBLE ? value.d : (double)value.i;
    float f = (float)d;
    int32_t narrow = (int32_t)value.i;
    switch (field->type) {
    case FORMATS_PROTO_BOOL:
    case FORMATS_PROTO_INT32:
    case FORMATS_PROTO_INT64:
        put_tag(out, field->number, FORMATS_PROTO_WIRE_VARINT);
        base_buf_put_varint(out, (uint64_t)value.i);
        return;
    case FORMATS_PROTO_SINT32:
    case FORMATS_PROTO_SINT64:
        put_tag(out, field->number, FORMATS_PROTO_WIRE_VARINT);
        base_buf_put_varint(out, zigzag(value.i));
        return;
    case FORMATS_PROTO_SFIXED32:
        put_tag(out, field->number, FORMATS_PROTO_WIRE_32);
        base_buf_put(out, &narrow, sizeof narrow);
        return;
    case FORMATS_PROTO_SFIXED64:
        put_tag(out, field->number, FORMATS_PROTO_WIRE_64);
        base_buf_put(out, &value.i, sizeof value.i);
        return;
    case FORMATS_PROTO_DOUBLE:
        put_tag(out, field->number, FORMATS_PROTO_WIRE_64);
        base_buf_put(out, &d, sizeof d);
        return;
    case FORMATS_PROTO_FLOAT:
        put_tag(out, field->number, FORMATS_PROTO_WIRE_32);
        base_buf_put(out, &f, sizeof f);
        return;
    case FORMATS_PROTO_STRING:
    case FORMATS_PROTO_BYTES:
        put_text(out, field->number, from, value);
        return;
    case FORMATS_PROTO_MESSAGE:
        put_message(field, from, value, out);
        return;
    case FORMATS_PROTO_UINT32:
    case FORMATS_PROTO_UINT64:
    case FORMATS_PROTO_FIXED32:
    case FORMATS_PROTO_FIXED64:
    case FORMATS_PROTO_ENUM:
    case FORMATS_PROTO_GROUP:
        return; /* no column goes there */
    }
}

/* One tag for each element: readers take that for packed fields too. */
static void put_elements(const struct formats_proto_field *field, struct cep_type from, struct cep_value value, struct base_buf *out)
{
    struct cep_array_reader reader;
    struct cep_value element;
    cep_array_read(value, &reader);
    while (cep_array_next(from, &reader, &element))
        if (!element.null)
            put_value(field, cep_type_element(from), element, out);
}

void formats_proto_writer_row(const struct formats_proto_writer *writer, const struct cep_row *row, struct base_buf *out)
{
    static const char *const ops[] = { "+I", "-U", "+U", "-D" };
    base_buf_put(out, writer->head.ptr ? writer->head.ptr : "", writer->head.len);
    for (uint32_t i = 0; i < writer->count; i++) {
        const struct written *written = &writer->fields[i];
        if (written->column == CHANGE) {
            put_block(out, written->field->number, ops[row->change <= CEP_DELETE ? row->change : 0], 2);
            continue;
        }
        struct cep_type type = writer->columns[written->column].type;
        struct cep_value value = cep_tuple_get(&row->tuple, written->column, type);
        if (value.null)
            continue;
        if (written->field->repeated)
            put_elements(written->field, type, value, out);
        else
            put_value(written->field, type, value, out);
    }
}
