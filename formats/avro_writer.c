#include "formats/avro_writer.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "formats/avro_schema.h"
#include "formats/schema_file.h"

/* Where the value of a field of the record comes from. */
#define FROM_CHANGE UINT32_MAX
#define FROM_NOTHING (UINT32_MAX - 1)

struct formats_avro_writer {
    struct formats_avro_schemas schemas;
    const struct formats_avro_type *record;
    struct formats_writer_column *columns;
    uint32_t *from;               /* of each field: a column */
    char head[5];                 /* Confluent's: 0 and the id */
    size_t head_len;
};

/* ---- the schema of the columns ---- */

static bool put_type(struct cep_type type, struct base_buf *out)
{
    switch ((enum cep_kind)type.kind) {
    case CEP_KIND_BOOLEAN:
        base_buf_puts(out, "\"boolean\"");
        return true;
    case CEP_KIND_INT:
        base_buf_puts(out, "\"int\"");
        return true;
    case CEP_KIND_BIGINT:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH:
        base_buf_puts(out, "\"long\"");
        return true;
    case CEP_KIND_DOUBLE:
        base_buf_puts(out, "\"double\"");
        return true;
    case CEP_KIND_DECIMAL:
        base_buf_printf(out, "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":%u,\"scale\":%u}", type.precision, type.scale);
        return true;
    case CEP_KIND_STRING:
    case CEP_KIND_ROW:
    case CEP_KIND_NULL:
        base_buf_puts(out, "\"string\"");
        return true;
    case CEP_KIND_DATE:
        base_buf_puts(out, "{\"type\":\"int\",\"logicalType\":\"date\"}");
        return true;
    case CEP_KIND_TIME:
        base_buf_puts(out, "{\"type\":\"int\",\"logicalType\":\"time-millis\"}");
        return true;
    case CEP_KIND_TIMESTAMP:
        base_buf_puts(out, "{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\"}");
        return true;
    case CEP_KIND_TIMESTAMP_LTZ:
        base_buf_puts(out, "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}");
        return true;
    case CEP_KIND_BYTES:
        base_buf_puts(out, "\"bytes\"");
        return true;
    case CEP_KIND_ARRAY:
        base_buf_puts(out, "{\"type\":\"array\",\"items\":[\"null\",");
        if (!put_type(cep_type_element(type), out))
            return false;
        base_buf_puts(out, "]}");
        return true;
    }
    return false;
}

static int make_schema(const struct formats_writer_config *config, struct base_buf *out, char *ret_error, size_t error_bytes)
{
    base_buf_puts(out, "{\"type\":\"record\",\"name\":\"record\",\"namespace\":\"cepheid\",\"fields\":[");
    if (config->with_change)
        base_buf_puts(out, "{\"name\":\"op\",\"type\":\"string\"}");
    for (uint32_t c = 0; c < config->count; c++) {
        const struct formats_writer_column *column = &config->columns[c];
        int e = formats_writer_check_name(column->name, "Avro", ret_error, error_bytes);
        if (e < 0)
            return e;
        base_buf_printf(out, "%s{\"name\":\"%.*s\",\"type\":", c || config->with_change ? "," : "", (int)column->name.len, column->name.ptr);
        base_buf_puts(out, column->not_null ? "" : "[\"null\",");
        (void)put_type(column->type, out);
        base_buf_puts(out, column->not_null ? "}" : "],\"default\":null}");
    }
    base_buf_puts(out, "]}");
    return out->failed ? BASE_E_NOMEM : 0;
}

/* ---- does a schema take the columns? ---- */

static bool is_integer(uint8_t kind)
{
    return kind == CEP_KIND_INT || kind == CEP_KIND_BIGINT || kind == CEP_KIND_INTERVAL_DAY || kind == CEP_KIND_INTERVAL_MONTH;
}

/* Without a chance of failure for any value. */
static bool takes(const struct formats_avro_type *to, struct cep_type from)
{
    switch (to->kind) {
    case FORMATS_AVRO_BOOLEAN:
        return from.kind == CEP_KIND_BOOLEAN;
    case FORMATS_AVRO_INT:
        if (to->logical == FORMATS_AVRO_DATE)
            return from.kind == CEP_KIND_DATE;
        return to->logical == FORMATS_AVRO_TIME_MS ? from.kind == CEP_KIND_TIME : from.kind == CEP_KIND_INT;
    case FORMATS_AVRO_LONG:
        if (to->logical == FORMATS_AVRO_PLAIN)
            return is_integer(from.kind) || cep_kind_is_time(from.kind);
        return to->logical == FORMATS_AVRO_TIME_US ? from.kind == CEP_KIND_TIME : cep_kind_is_time(from.kind);
    case FORMATS_AVRO_FLOAT:
    case FORMATS_AVRO_DOUBLE:
        return from.kind == CEP_KIND_DOUBLE || from.kind == CEP_KIND_INT;
    case FORMATS_AVRO_BYTES:
    case FORMATS_AVRO_FIXED:
        if (to->logical == FORMATS_AVRO_DECIMAL)
            return from.kind == CEP_KIND_DECIMAL && to->scale >= from.scale && to->precision - to->scale >= from.precision - from.scale &&
                   (to->kind == FORMATS_AVRO_BYTES || to->size >= 16);
        return to->kind == FORMATS_AVRO_BYTES && (from.kind == CEP_KIND_BYTES || from.kind == CEP_KIND_STRING);
    case FORMATS_AVRO_STRING:
        return from.kind != CEP_KIND_BYTES;
    case FORMATS_AVRO_ARRAY:
        return from.kind == CEP_KIND_ARRAY && formats_avro_null_branch(to->items[0]) >= 0 && takes(to->items[0], cep_type_element(from));
    case FORMATS_AVRO_UNION:
        for (uint32_t i = 0; i < to->count; i++) {
            if (takes(to->items[i], from))
                return true;
        }
        return false;
    case FORMATS_AVRO_NULL:
    case FORMATS_AVRO_RECORD:
    case FORMATS_AVRO_ENUM:
    case FORMATS_AVRO_MAP:
        break;
    }
    return false;
}

/* Which column each field of the record takes. */
static int match_fields(struct formats_avro_writer *writer, const struct formats_writer_config *config, char *ret_error, size_t error_bytes)
{
    const struct formats_avro_type *record = writer->record;
    uint32_t used = 0;
    for (uint32_t f = 0; f < record->count; f++) {
        const struct formats_avro_field *field = &record->fields[f];
        uint32_t c = 0;
        while (c < config->count && !base_str_equal(config->columns[c].name, field->name))
            c++;
        bool op = config->with_change && base_str_equal(field->name, BASE_STR("op"));
        bool null = formats_avro_null_branch(field->type) >= 0;
        writer->from[f] = op ? FROM_CHANGE : c < config->count ? c : FROM_NOTHING;
        used += !op && c < config->count;
        const char *wrong = NULL;
        if (!op && c == config->count && !null)
            wrong = "no column has its name, and it cannot be null";
        else if (!op && c < config->count && !null && !config->columns[c].not_null)
            wrong = "it cannot be null, but its column can: make it a union with null";
        else if (!op && c < config->count && !takes(field->type, config->columns[c].type))
            wrong = "its type cannot take every value of its column";
        if (wrong) {
            snprintf(ret_error, error_bytes, "Avro schema: field \"%.*s\": %s", (int)field->name.len, field->name.ptr, wrong);
            return BASE_E_CONFIG;
        }
    }
    if (used == config->count)
        return 0;
    snprintf(ret_error, error_bytes, "Avro schema: it has no field for one of the columns");
    return BASE_E_CONFIG;
}

/* ---- life ---- */

static int load_schema(struct formats_avro_writer *writer, const struct formats_writer_config *config, char *ret_error, size_t error_bytes)
{
    struct base_str text = config->option(config->ctx, "schema"), file = config->option(config->ctx, "schema-file");
    struct base_buf own = { 0 };
    int e = 0;
    if (file.ptr) {
        e = formats_schema_file(file, &writer->schemas.arena, &text, ret_error, error_bytes);
    } else if (!text.ptr) {
        e = make_schema(config, &own, ret_error, error_bytes);
        text = (struct base_str){ own.ptr, own.len };
    }
    if (e == 0)
        e = formats_avro_parse(&writer->schemas, text, &writer->record);
    if (e == BASE_E_CONFIG && writer->schemas.error)
        snprintf(ret_error, error_bytes, "%s", writer->schemas.error);
    if (e == 0 && writer->record->kind != FORMATS_AVRO_RECORD) {
        snprintf(ret_error, error_bytes, "Avro schema: rows are written as a record, but it is none");
        e = BASE_E_CONFIG;
    }
    if (e == 0) {
        writer->from = base_arena_zalloc(&writer->schemas.arena, writer->record->count + 1u, sizeof *writer->from);
        e = writer->from ? match_fields(writer, config, ret_error, error_bytes) : BASE_E_NOMEM;
    }
    if (e == 0 && config->confluent)
        e = formats_writer_register(config, "AVRO", text, writer->head, ret_error, error_bytes);
    writer->head_len = config->confluent ? sizeof writer->head : 0;
    base_buf_finish(&own);
    return e;
}

int formats_avro_writer_create(const struct formats_writer_config *config, struct formats_avro_writer **ret, char *ret_error, size_t error_bytes)
{
    struct formats_avro_writer *writer = base_calloc(1, sizeof *writer);
    snprintf(ret_error, error_bytes, "out of memory");
    if (!writer)
        return BASE_E_NOMEM;
    writer->columns = base_arena_zalloc(&writer->schemas.arena, config->count + 1u, sizeof *writer->columns);
    int e = writer->columns ? 0 : BASE_E_NOMEM;
    if (e == 0) {
        if (config->count)
            memcpy(writer->columns, config->columns, config->count * sizeof *writer->columns);
        e = load_schema(writer, config, ret_error, error_bytes);
    }
    if (e < 0) {
        formats_avro_writer_destroy(writer);
        return e;
    }
    *ret = writer;
    return 0;
}

void formats_avro_writer_destroy(struct formats_avro_writer *writer)
{
    if (!writer)
        return;
    formats_avro_schemas_finish(&writer->schemas);
    base_free(writer);
}

/* ---- values ---- */

static void put_long(struct base_buf *out, int64_t n)
{
    base_buf_put_varint(out, ((uint64_t)n << 1) ^ (uint64_t)(n >> 63));
}

static void put_text(struct base_buf *out, const char *text, size_t len)
{
    put_long(out, (int64_t)len);
    base_buf_put(out, text, len);
}

/* Big-endian two's complement: as few bytes as say it, or exactly size. */
static void put_decimal(const struct formats_avro_type *to, struct cep_type from, struct cep_value value, struct base_buf *out)
{
    uint8_t bytes[16];
    int first = formats_writer_decimal(from, value, to->scale, bytes);
    bool negative = bytes[0] & 0x80;
    if (to->kind == FORMATS_AVRO_BYTES) {
        put_text(out, (const char *)bytes + first, (size_t)(16 - first));
        return;
    }
    for (uint32_t i = 16; i < to->size; i++)
        base_buf_put_u8(out, negative ? 0xff : 0);
    base_buf_put(out, bytes, 16);
}

static int64_t in_unit(enum formats_avro_logical logical, int64_t ms)
{
    int64_t scaled;
    int64_t factor = logical == FORMATS_AVRO_TIMESTAMP_US || logical == FORMATS_AVRO_LOCAL_US || logical == FORMATS_AVRO_TIME_US ? 1000
                     : logical == FORMATS_AVRO_TIMESTAMP_NS || logical == FORMATS_AVRO_LOCAL_NS                                  ? 1000000
                                                                                                                                 : 1;
    return __builtin_mul_overflow(ms, factor, &scaled) ? ms > 0 ? INT64_MAX : INT64_MIN : scaled;
}

static void put(const struct formats_avro_type *to, struct cep_type from, struct cep_value value, struct base_buf *out);

static void put_array(const struct formats_avro_type *to, struct cep_type from, struct cep_value value, struct base_buf *out)
{
    struct cep_array_reader reader;
    struct cep_value element;
    uint32_t count = cep_array_count(value);
    cep_array_read(value, &reader);
    if (count)
        put_long(out, count);
    while (cep_array_next(from, &reader, &element))
        put(to->items[0], cep_type_element(from), element, out);
    put_long(out, 0);
}

static void put_number(const struct formats_avro_type *to, struct cep_type from, struct cep_value value, struct base_buf *out)
{
    double d = from.kind == CEP_KIND_DOUBLE ? value.d : (double)value.i;
    float f = (float)d;
    if (to->kind == FORMATS_AVRO_FLOAT)
        base_buf_put(out, &f, 4);
    else
        base_buf_put(out, &d, 8);
}

static void put_union(const struct formats_avro_type *to, struct cep_type from, struct cep_value value, struct base_buf *out)
{
    uint32_t branch = 0;
    int null = formats_avro_null_branch(to);
    if (value.null) {
        put_long(out, null < 0 ? 0 : null);
        return;
    }
    while (branch < to->count - 1 && !takes(to->items[branch], from))
        branch++;
    put_long(out, branch);
    put(to->items[branch], from, value, out);
}

static void put_string(struct cep_type from, struct cep_value value, struct base_buf *out)
{
    struct base_buf text = { 0 };
    if (from.kind == CEP_KIND_STRING || from.kind == CEP_KIND_ROW) {
        put_text(out, value.s.ptr, value.s.len);
        return;
    }
    if (from.kind == CEP_KIND_ARRAY)
        cep_value_print_json(from, value, &text);
    else
        cep_value_print_text(from, value, &text);
    put_text(out, text.ptr ? text.ptr : "", text.len);
    out->failed = out->failed || text.failed;
    base_buf_finish(&text);
}

static void put(const struct formats_avro_type *to, struct cep_type from, struct cep_value value, struct base_buf *out)
{
    if (to->kind == FORMATS_AVRO_UNION) {
        put_union(to, from, value, out);
        return;
    }
    switch (to->kind) {
    case FORMATS_AVRO_BOOLEAN:
        base_buf_put_u8(out, value.i != 0);
        return;
    case FORMATS_AVRO_INT:
    case FORMATS_AVRO_LONG:
        put_long(out, in_unit(to->logical, value.i));
        return;
    case FORMATS_AVRO_FLOAT:
    case FORMATS_AVRO_DOUBLE:
        put_number(to, from, value, out);
        return;
    case FORMATS_AVRO_BYTES:
    case FORMATS_AVRO_FIXED:
        if (to->logical == FORMATS_AVRO_DECIMAL)
            put_decimal(to, from, value, out);
        else
            put_text(out, value.s.ptr, value.s.len);
        return;
    case FORMATS_AVRO_STRING:
        put_string(from, value, out);
        return;
    case FORMATS_AVRO_ARRAY:
        put_array(to, from, value, out);
        return;
    case FORMATS_AVRO_NULL:
    case FORMATS_AVRO_RECORD:
    case FORMATS_AVRO_ENUM:
    case FORMATS_AVRO_MAP:
    case FORMATS_AVRO_UNION:
        return;
    }
}

void formats_avro_writer_row(const struct formats_avro_writer *writer, const struct cep_row *row, struct base_buf *out)
{
    static const char *const ops[] = { "+I", "-U", "+U", "-D" };
    base_buf_put(out, writer->head, writer->head_len);
    for (uint32_t f = 0; f < writer->record->count; f++) {
        const struct formats_avro_type *to = writer->record->fields[f].type;
        uint32_t c = writer->from[f];
        if (c == FROM_CHANGE)
            put(to, CEP_TYPE(STRING), cep_string(ops[row->change & 3], 2), out);
        else if (c == FROM_NOTHING)
            put(to, CEP_TYPE(NULL), cep_null(), out);
        else
            put(to, writer->columns[c].type, cep_tuple_get(&row->tuple, c, writer->columns[c].type), out);
    }
}
