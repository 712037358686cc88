#include "formats/encode.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/put.h"
#include "formats/avro_writer.h"
#include "formats/proto_writer.h"
#include "formats/mask.h"

#define HEAD_BYTES 16 /* braces, {"op":"+I" */

struct formats_encoder {
    const struct cep_program *program;
    uint32_t table;
    struct cep_list columns;       /* of the schema */
    const struct cep_type *types;  /* of the columns */
    struct base_buf *names;        /* of each column: all that stands before its value in JSON, or its name as a CSV cell */
    size_t name_bytes;             /* of all */
    bool csv, with_change, key_raw;
    char delimiter, quote;
    struct base_str null_literal;
    struct formats_avro_writer *avro; /* one of the two, or text */
    struct formats_proto_writer *proto;
    const char *prefix;               /* of the options of that format */
};

static struct base_str column_name(const struct formats_encoder *encoder, uint32_t c)
{
    if (encoder->table != CEP_NONE) {
        struct cep_list fields = cep_program_table(encoder->program, encoder->table)->fields;
        if (c < fields.count && fields.count == encoder->columns.count)
            return cep_program_text(encoder->program, cep_program_field(encoder->program, fields.first + c)->name);
    }
    return cep_program_text(encoder->program, cep_program_column(encoder->program, encoder->columns.first + c)->name);
}

static struct base_str table_option(const struct formats_encoder *encoder, const char *key)
{
    if (encoder->table == CEP_NONE)
        return (struct base_str){ 0 };
    return cep_program_setting(encoder->program, cep_program_table(encoder->program, encoder->table)->options, key);
}

/* ---- CSV ---- */

static void put_csv(const struct formats_encoder *encoder, struct base_str text, struct base_buf *out)
{
    bool quote = text.len == 0 || text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ' ||
                 (encoder->null_literal.ptr && base_str_equal(text, encoder->null_literal));
    for (size_t i = 0; i < text.len && !quote; i++) {
        char c = text.ptr[i];
        quote = c == encoder->delimiter || c == encoder->quote || c == '\n' || c == '\r';
    }
    if (!quote) {
        base_buf_put_str(out, text);
        return;
    }
    base_buf_putc(out, encoder->quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == encoder->quote)
            base_buf_putc(out, encoder->quote);
        base_buf_putc(out, text.ptr[i]);
    }
    base_buf_putc(out, encoder->quote);
}

static void put_csv_value(const struct formats_encoder *encoder, struct cep_type type, struct cep_value value, struct base_buf *out)
{
    if (value.null) {
        base_buf_put_str(out, encoder->null_literal);
        return;
    }
    if (type.kind == CEP_KIND_STRING || type.kind == CEP_KIND_ROW) {
        put_csv(encoder, (struct base_str){ value.s.ptr, value.s.len }, out);
        return;
    }
    struct base_buf text = { 0 };
    if (type.kind == CEP_KIND_ARRAY)
        cep_value_print_json(type, value, &text);
    else
        cep_value_print_text(type, value, &text);
    if (text.failed)
        out->failed = true;
    put_csv(encoder, (struct base_str){ text.ptr, text.len }, out);
    base_buf_finish(&text);
}

/* ---- encoder ---- */

static int load_csv_options(struct formats_encoder *encoder, char *ret_error, size_t error_bytes)
{
    static const char *const keys[] = { "csv.field-delimiter", "csv.quote-character" };
    char *chars[] = { &encoder->delimiter, &encoder->quote };
    for (size_t k = 0; k < 2; k++) {
        struct base_str text = table_option(encoder, keys[k]);
        if (!text.ptr)
            continue;
        if (base_str_equal(text, BASE_STR("\\t")))
            text = BASE_STR("\t");
        if (text.len != 1) {
            snprintf(ret_error, error_bytes, "option '%s' must be one character, not '%.*s'", keys[k], (int)text.len, text.ptr);
            return BASE_E_CONFIG;
        }
        *chars[k] = text.ptr[0];
    }
    encoder->null_literal = table_option(encoder, "csv.null-literal");
    return 0;
}

static struct base_str binary_option(const void *ctx, const char *name)
{
    const struct formats_encoder *encoder = ctx;
    char key[128];
    snprintf(key, sizeof key, "value.%s.%s", encoder->prefix, name);
    struct base_str value = table_option(encoder, key + strlen("value."));
    return value.ptr ? value : table_option(encoder, key);
}

static int load_binary(struct formats_encoder *encoder, bool proto, bool confluent, char *ret_error, size_t error_bytes)
{
    char subject[300];
    struct base_str topic = table_option(encoder, "topic");
    struct formats_writer_column *columns = base_calloc(encoder->columns.count + 1, sizeof *columns);
    if (!columns)
        return BASE_E_NOMEM;
    encoder->prefix = proto ? confluent ? "protobuf-confluent" : "protobuf" : confluent ? "avro-confluent" : "avro";
    encoder->key_raw = base_str_equal_fold(table_option(encoder, "key.format"), BASE_STR("raw"));
    snprintf(subject, sizeof subject, "%.*s-value", (int)(topic.len < 280 ? topic.len : 280), topic.ptr ? topic.ptr : "");
    for (uint32_t c = 0; c < encoder->columns.count; c++)
        columns[c] = (struct formats_writer_column){ column_name(encoder, c), cep_program_column(encoder->program, encoder->columns.first + c)->type, false };
    struct formats_writer_config config = { .columns = columns, .count = encoder->columns.count, .with_change = encoder->with_change, .confluent = confluent,
                                                 .subject = base_str_of(subject), .option = binary_option, .ctx = encoder };
    int e = proto ? formats_proto_writer_create(&config, &encoder->proto, ret_error, error_bytes) : formats_avro_writer_create(&config, &encoder->avro, ret_error, error_bytes);
    base_free(columns);
    return e;
}

static int load_format(struct formats_encoder *encoder, char *ret_error, size_t error_bytes)
{
    struct base_str format = table_option(encoder, "format");
    if (!format.ptr)
        format = table_option(encoder, "value.format");
    encoder->csv = base_str_equal_fold(format, BASE_STR("csv"));
    if (base_str_equal_fold(format, BASE_STR("avro")) || base_str_equal_fold(format, BASE_STR("avro-confluent")))
        return load_binary(encoder, false, format.len > 4, ret_error, error_bytes);
    if (base_str_equal_fold(format, BASE_STR("protobuf")) || base_str_equal_fold(format, BASE_STR("protobuf-confluent")))
        return load_binary(encoder, true, format.len > 8, ret_error, error_bytes);
    encoder->key_raw = base_str_equal_fold(table_option(encoder, "key.format"), BASE_STR("raw"));
    encoder->delimiter = ',';
    encoder->quote = '"';
    if (format.ptr && !encoder->csv && !base_str_equal_fold(format, BASE_STR("json"))) {
        snprintf(ret_error, error_bytes, "unknown format '%.*s'; sinks know 'json', 'csv', 'avro', 'avro-confluent', 'protobuf' and 'protobuf-confluent'", (int)format.len, format.ptr);
        return BASE_E_UNSUPPORTED;
    }
    return encoder->csv ? load_csv_options(encoder, ret_error, error_bytes) : 0;
}

static int load_names(struct formats_encoder *encoder)
{
    uint32_t count = encoder->columns.count ? encoder->columns.count : 1;
    struct cep_type *types = base_calloc(count, sizeof *types);
    encoder->types = types;
    encoder->names = base_calloc(count, sizeof *encoder->names);
    if (!encoder->names || !types)
        return BASE_E_NOMEM;
    for (uint32_t c = 0; c < encoder->columns.count; c++) {
        struct base_buf *name = &encoder->names[c];
        types[c] = cep_program_column(encoder->program, encoder->columns.first + c)->type;
        if (encoder->csv) {
            put_csv(encoder, column_name(encoder, c), name);
        } else {
            base_buf_putc(name, ',');
            base_buf_put_json(name, column_name(encoder, c));
            base_buf_putc(name, ':');
        }
        if (name->failed)
            return BASE_E_NOMEM;
        encoder->name_bytes += name->len;
    }
    return 0;
}

int formats_encoder_create(const struct formats_encoder_config *config, struct formats_encoder **ret, char *ret_error, size_t error_bytes)
{
    snprintf(ret_error, error_bytes, "out of memory");
    struct formats_encoder *encoder = base_calloc(1, sizeof *encoder);
    if (!encoder)
        return BASE_E_NOMEM;
    encoder->program = config->program;
    encoder->table = config->table;
    encoder->with_change = config->with_change;
    encoder->columns = cep_program_schema(config->program, config->schema)->columns;
    int r = load_format(encoder, ret_error, error_bytes);
    if (r == 0)
        r = load_names(encoder);
    if (r < 0) {
        formats_encoder_destroy(encoder);
        return r;
    }
    *ret = encoder;
    return 0;
}

void formats_encoder_destroy(struct formats_encoder *encoder)
{
    if (!encoder)
        return;
    for (uint32_t c = 0; encoder->names && c < encoder->columns.count; c++)
        base_buf_finish(&encoder->names[c]);
    base_free(encoder->names);
    base_free((void *)(uintptr_t)encoder->types);
    formats_avro_writer_destroy(encoder->avro);
    formats_proto_writer_destroy(encoder->proto);
    base_free(encoder);
}

static void encode_csv(const struct formats_encoder *encoder, const struct cep_row *row, const char *op, struct base_buf *out)
{
    base_buf_puts(out, op);
    for (uint32_t c = 0; c < encoder->columns.count; c++) {
        if (c > 0 || *op)
            base_buf_putc(out, encoder->delimiter);
        put_csv_value(encoder, encoder->types[c], cep_tuple_get(&row->tuple, c, encoder->types[c]), out);
    }
}

/* Value of a kind that takes few bytes, and text that stands as it is, at `at`; NULL: it is written otherwise. */
static inline char *put_usual(char *at, struct cep_type type, struct cep_value value)
{
    if (value.null)
        return base_put_bytes(at, "null", 4);
    if (type.kind == CEP_KIND_STRING)
        return base_put_json(at, (struct base_str){ value.s.ptr, value.s.len });
    return type.kind == CEP_KIND_INT || type.kind == CEP_KIND_BIGINT ? base_put_i64(at, value.i) : NULL;
}

/* Room is asked for once, for all that is usual. */
static void encode_json(const struct formats_encoder *encoder, const struct cep_row *row, const char *op, struct base_buf *out)
{
    size_t room = HEAD_BYTES + encoder->name_bytes + (size_t)encoder->columns.count * (BASE_PUT_I64_BYTES + 2) + row->tuple.size_bytes;
    if (!base_buf_reserve(out, room))
        return;
    char *at = out->ptr + out->len;
    *at++ = '{';
    if (*op) {
        at = base_put_bytes(at, "\"op\":\"", 6);
        at = base_put_bytes(at, op, 2);
        *at++ = '"';
    }
    for (uint32_t c = 0; c < encoder->columns.count; c++) {
        const struct base_buf *name = &encoder->names[c];
        const struct cep_value value = cep_tuple_get(&row->tuple, c, encoder->types[c]);
        size_t first = c == 0 && !*op; /* without its comma */
        at = base_put_bytes(at, name->ptr + first, name->len - first);
        char *behind = put_usual(at, encoder->types[c], value);
        if (behind) {
            at = behind;
            continue;
        }
        out->len = (size_t)(at - out->ptr);
        cep_value_print_json(encoder->types[c], value, out);
        if (!base_buf_reserve(out, room))
            return;
        at = out->ptr + out->len;
    }
    *at++ = '}';
    *at = 0;
    out->len = (size_t)(at - out->ptr);
}

void formats_encode(const struct formats_encoder *encoder, const struct cep_row *row, struct base_buf *out)
{
    static const char ops[][3] = { "+I", "-U", "+U", "-D" };
    if (encoder->avro) {
        formats_avro_writer_row(encoder->avro, row, out);
        return;
    }
    if (encoder->proto) {
        formats_proto_writer_row(encoder->proto, row, out);
        return;
    }
    const char *op = encoder->with_change && row->change <= CEP_DELETE ? ops[row->change] : "";
    if (encoder->csv)
        encode_csv(encoder, row, op, out);
    else
        encode_json(encoder, row, op, out);
}

bool formats_encode_head(const struct formats_encoder *encoder, struct base_buf *out)
{
    if (!encoder->csv)
        return false;
    if (encoder->with_change)
        base_buf_puts(out, "op");
    for (uint32_t c = 0; c < encoder->columns.count; c++) {
        if (c > 0 || encoder->with_change)
            base_buf_putc(out, encoder->delimiter);
        base_buf_put(out, encoder->names[c].ptr, encoder->names[c].len);
    }
    return true;
}

bool formats_encode_key(const struct formats_encoder *encoder, const struct cep_row *row, struct base_buf *out)
{
    struct cep_list keys = { 0 };
    if (encoder->table != CEP_NONE)
        keys = cep_program_table(encoder->program, encoder->table)->key_fields;
    if (keys.count == 0)
        return false;
    bool raw = keys.count == 1 && encoder->key_raw;
    for (uint32_t k = 0; k < keys.count; k++) {
        uint32_t c = *cep_program_u32(encoder->program, keys.first + k);
        struct cep_type type = encoder->types[c];
        struct cep_value value = cep_tuple_get(&row->tuple, c, type);
        if (raw) {
            cep_value_print_text(type, value, out);
            return true;
        }
        base_buf_putc(out, k == 0 ? '{' : ',');
        base_buf_put_json(out, column_name(encoder, c));
        base_buf_putc(out, ':');
        cep_value_print_json(type, value, out);
    }
    base_buf_putc(out, '}');
    return true;
}

/* ---- objects of alerts ---- */

static bool holds_pan(struct base_str text)
{
    size_t len;
    return text.len >= FORMATS_PAN_DIGITS_MIN && formats_find_pan(text, 0, &len) < text.len;
}

static void put_masked_text(const struct formats_object *object, struct base_str text, struct base_buf *out, bool *inout_cut);

/* Text that is masked and cut; other kinds print as they are. */
static inline void put_text(const struct formats_object *object, struct base_str text, struct base_buf *out, bool *inout_cut)
{
    if (object->mask && holds_pan(text)) {
        put_masked_text(object, text, out, inout_cut);
        return;
    }
    if (object->text_limit && text.len > object->text_limit) {
        text.len = base_utf8_check(text.ptr, object->text_limit);
        *inout_cut = true;
    }
    base_put_json_between(out, 0, text, 0);
}

static void put_masked_text(const struct formats_object *object, struct base_str text, struct base_buf *out, bool *inout_cut)
{
    const struct formats_object cut = { .text_limit = object->text_limit };
    struct base_buf masked = { 0 };
    formats_mask_pan(text, &masked);
    if (masked.failed)
        out->failed = true;
    else
        put_text(&cut, (struct base_str){ masked.ptr, masked.len }, out, inout_cut);
    base_buf_finish(&masked);
}

/* Where it looks like a card number a number is a text, too. */
static void put_number(const struct formats_object *object, struct cep_type type, struct cep_value value, struct base_buf *out, bool *inout_cut)
{
    char digits[64];
    size_t first = out->len;
    cep_value_print_json(type, value, out);
    size_t len = out->failed ? 0 : out->len - first;
    if (!object->mask || len < FORMATS_PAN_DIGITS_MIN || len > sizeof digits)
        return;
    memcpy(digits, out->ptr + first, len);
    if (!formats_looks_like_pan((struct base_str){ digits, len }))
        return;
    out->len = first;
    put_text(object, (struct base_str){ digits, len }, out, inout_cut);
}

/* A value that is JSON already. */
static void put_nested(const struct formats_object *object, struct cep_type type, struct cep_value value, struct base_buf *out, bool *inout_cut)
{
    struct base_buf json = { 0 };
    cep_value_print_json(type, value, &json);
    struct base_str text = { json.ptr, json.len };
    if (json.failed)
        out->failed = true;
    else if ((object->mask && holds_pan(text)) || (object->text_limit && text.len > object->text_limit))
        put_text(object, text, out, inout_cut); /* as a string: masked or cut it is no JSON any more */
    else
        base_buf_put_str(out, text);
    base_buf_finish(&json);
}

static void put_object_value(const struct formats_object *object, struct cep_type type, struct cep_value value, struct base_buf *out, bool *inout_cut)
{
    if (value.null)
        base_buf_put(out, "null", 4);
    else if (type.kind == CEP_KIND_STRING)
        put_text(object, (struct base_str){ value.s.ptr, value.s.len }, out, inout_cut);
    else if (type.kind == CEP_KIND_BIGINT || type.kind == CEP_KIND_DECIMAL)
        put_number(object, type, value, out, inout_cut);
    else if (type.kind == CEP_KIND_ROW || type.kind == CEP_KIND_ARRAY || type.kind == CEP_KIND_BYTES)
        put_nested(object, type, value, out, inout_cut);
    else
        cep_value_print_json(type, value, out);
}

void formats_encode_object(const struct formats_object *object, struct base_buf *out, bool *inout_cut)
{
    for (uint32_t c = 0; object->tuple && c < object->columns.count; c++) {
        const struct cep_column *column = cep_program_column(object->program, object->columns.first + c);
        base_put_json_between(out, c ? ',' : '{', cep_program_text(object->program, column->name), ':');
        put_object_value(object, column->type, cep_tuple_get(object->tuple, c, column->type), out, inout_cut);
    }
    if (object->tuple && object->columns.count)
        base_put_known(out, "}", 1);
    else
        base_put_known(out, "{}", 2);
}
