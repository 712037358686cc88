#include "formats/format.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "formats/blocks.h"
#include "formats/mask.h"
#include "formats/wire.h"

#define FOUND_BYTES 48

struct base_str formats_decoder_option(const struct formats_decoder *decoder, const char *key)
{
    return cep_program_setting(decoder->program, decoder->table->options, key);
}

int formats_decoder_flag(const struct formats_decoder *decoder, const char *key, bool *inout, char *ret_error, size_t error_bytes)
{
    struct base_str value = formats_decoder_option(decoder, key);
    if (!value.ptr)
        return 0;
    bool yes = base_str_equal_fold(value, BASE_STR("true"));
    if (!yes && !base_str_equal_fold(value, BASE_STR("false"))) {
        snprintf(ret_error, error_bytes, "option '%s' must be 'true' or 'false', not '%.*s'", key, (int)value.len, value.ptr);
        return BASE_E_CONFIG;
    }
    *inout = yes;
    return 0;
}

int formats_problem_set(struct formats_decoder *decoder, int code, uint32_t field, uint64_t at, const char *format, ...)
{
    struct formats_problem *problem = &decoder->problem;
    problem->code = code;
    problem->field = field;
    problem->at = at;
    problem->ignored = decoder->ignore_errors;
    va_list args;
    va_start(args, format);
    vsnprintf(problem->reason, sizeof problem->reason, format, args);
    va_end(args);
    return code;
}

int formats_problem_value(struct formats_decoder *decoder, int code, uint32_t field, uint64_t at, struct base_str found)
{
    if (code == BASE_E_NOMEM)
        return code;
    const struct formats_field *f = &decoder->fields[field];
    char type_text[64], found_text[FOUND_BYTES * 2];
    struct base_buf type = { .limit = sizeof type_text }, shown = { .limit = 4096 };
    cep_type_print(f->type, &type);
    /* Masked before it is cut: half a card number is no longer recognised as one. */
    struct base_str part = { found.ptr, found.len < 512 ? found.len : 512 };
    formats_mask_pan(part, &shown);
    size_t len = shown.len;
    if (len > FOUND_BYTES)
        len = base_utf8_check(shown.ptr, FOUND_BYTES);
    snprintf(type_text, sizeof type_text, "%s", type.ptr ? type.ptr : "?");
    snprintf(found_text, sizeof found_text, "%.*s%s", (int)len, shown.ptr ? shown.ptr : "", len < found.len ? "..." : "");
    base_buf_finish(&type);
    base_buf_finish(&shown);
    return formats_problem_set(decoder, BASE_E_MALFORMED, field, at, "column \"%.*s\": %s %s, found %s",
                               (int)(f->name.len < 64 ? f->name.len : 64), f->name.ptr,
                               code == BASE_E_OVERFLOW ? "value out of range of" : "expected", type_text, found_text);
}

void formats_problem_tell(struct formats_decoder *decoder, const struct cep_record *record)
{
    if (decoder->problem.ignored)
        decoder->stats.ignored++;
    else
        decoder->stats.malformed++;
    if (decoder->on_problem)
        decoder->on_problem(decoder->ctx, record, &decoder->problem);
}

/* ---- making of a row ---- */

static int metadata_value(struct formats_decoder *decoder, uint32_t f, const struct cep_record *record, struct base_arena *arena)
{
    const struct formats_field *field = &decoder->fields[f];
    struct cep_value *value = &decoder->values[f];
    struct base_str text = { 0 };
    switch ((enum cep_metadata)field->metadata) {
    case CEP_META_NONE:
        return 0;
    case CEP_META_TIMESTAMP:
        *value = record->time_ms == BASE_TIME_MIN_MS ? cep_null() : cep_int(record->time_ms);
        return 0;
    case CEP_META_PARTITION:
        *value = cep_int(record->partition);
        return 0;
    case CEP_META_OFFSET:
        *value = cep_int(record->offset);
        return 0;
    case CEP_META_KEY:
        text = record->key;
        break;
    case CEP_META_TOPIC:
    case CEP_META_FILE:
        text = record->origin ? record->origin->name : text;
        break;
    }
    if (!text.ptr)
        return 0;
    if (field->type.kind == CEP_KIND_BYTES) {
        *value = cep_string(text.ptr, text.len);
        return 0;
    }
    size_t good = base_utf8_check(text.ptr, text.len);
    if (good < text.len)
        return formats_problem_set(decoder, BASE_E_UTF8, f, good, "column \"%.*s\": the record's key is no UTF-8", (int)field->name.len, field->name.ptr);
    int r = formats_text_value(&decoder->times, field->type, text, arena, value);
    return r < 0 ? formats_problem_value(decoder, r, f, 0, text) : 0;
}

static int check_fields(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena)
{
    for (uint32_t f = 0; f < decoder->field_count; f++) {
        const struct formats_field *field = &decoder->fields[f];
        int r = field->metadata ? metadata_value(decoder, f, record, arena) : 0;
        if (r < 0)
            return r;
        if (field->not_null && decoder->values[f].null && f != decoder->rowtime)
            return formats_problem_set(decoder, BASE_E_MALFORMED, f, 0, "column \"%.*s\" is NOT NULL, but the record has no value for it",
                                       (int)field->name.len, field->name.ptr);
    }
    return 0;
}

static int make_row(struct formats_decoder *decoder, const struct cep_record *record, int64_t time_ms, struct base_arena *arena, struct cep_row **ret)
{
    struct cep_position at = { .offset = record->offset, .partition = record->partition, .place = 0, .table = decoder->table_index };
    int r = cep_row_make(decoder->types, decoder->values, decoder->field_count, time_ms, at, arena, ret);
    if (r == BASE_E_LIMIT)
        return formats_problem_set(decoder, r, CEP_NONE, 0, "the row is larger than %u bytes", CEP_ROW_BYTES_MAX);
    return r;
}

int formats_decoder_finish_row(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret)
{
    if (decoder->has_checks) {
        int r = check_fields(decoder, record, arena);
        if (r < 0)
            return r;
    }
    int64_t time_ms = BASE_TIME_MIN_MS;
    if (decoder->rowtime != CEP_NONE) {
        const struct cep_value *value = &decoder->values[decoder->rowtime];
        if (value->null)
            return formats_problem_set(decoder, BASE_E_MALFORMED, decoder->rowtime, 0, "column \"%.*s\" is the event time, but the record has no value for it",
                                       (int)decoder->fields[decoder->rowtime].name.len, decoder->fields[decoder->rowtime].name.ptr);
        time_ms = value->i;
    }
    return make_row(decoder, record, time_ms, arena, ret);
}

static int check_keys(struct formats_decoder *decoder, const char *what)
{
    struct cep_list keys = decoder->table->key_fields;
    for (uint32_t i = 0; i < keys.count; i++) {
        uint32_t f = *cep_program_u32(decoder->program, keys.first + i);
        if (decoder->values[f].null)
            return formats_problem_set(decoder, BASE_E_MALFORMED, f, 0, "%s has no value for column \"%.*s\"", what, (int)decoder->fields[f].name.len,
                                       decoder->fields[f].name.ptr);
    }
    return 0;
}

int formats_decoder_finish_change(struct formats_decoder *decoder, const struct cep_record *record, struct base_str op, struct base_arena *arena,
                                  struct cep_row **ret)
{
    char kind = op.len == 1 ? op.ptr[0] : '\0';
    if (kind == 'c' || kind == 'r' || kind == 'u')
        return formats_decoder_finish_row(decoder, record, arena, ret);
    if (kind == 'm' || kind == 't') /* a message of the log, a truncation: no row is named */
        return 0;
    if (kind != 'd')
        return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0, "this is no change record of Debezium: \"op\" must be c, r, u or d");
    int r = check_keys(decoder, "the deleted row");
    if (r == 0)
        r = make_row(decoder, record, record->time_ms, arena, ret);
    if (r == 0)
        (*ret)->change = CEP_DELETE;
    return r;
}

/* ---- tombstones ---- */

static int key_values(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena)
{
    struct cep_list keys = decoder->table->key_fields;
    if (!decoder->table->is_profile && !decoder->table->changes)
        return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0,
                                   "the record has no value; a table that is to take deletions is read with 'connector' = 'upsert-kafka' and a PRIMARY KEY");
    if (keys.count == 0)
        return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0, "the record has no value, and the table has no primary key to delete by");
    if (!record->key.ptr)
        return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0, "the record has neither value nor key");
    formats_decoder_clear(decoder);
    if (decoder->key_wire) {
        int r = formats_wire_values(decoder->key_wire, record->key, arena);
        return r < 0 ? r : check_keys(decoder, "the record's key");
    }
    size_t good = base_utf8_check(record->key.ptr, record->key.len);
    if (good < record->key.len)
        return formats_problem_set(decoder, BASE_E_UTF8, CEP_NONE, good, "the record's key is no UTF-8");
    if (!decoder->key_is_raw && decoder->json) {
        int r = formats_json_values(decoder, record->key, arena);
        if (r < 0)
            return r;
    } else if (keys.count == 1) {
        uint32_t f = *cep_program_u32(decoder->program, keys.first);
        int r = formats_text_value(&decoder->times, decoder->types[f], record->key, arena, &decoder->values[f]);
        if (r < 0)
            return formats_problem_value(decoder, r, f, 0, record->key);
    } else {
        return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0,
                                   "the record has no value, and a primary key of several columns is read from keys with 'key.format' = 'json' only");
    }
    return check_keys(decoder, "the record's key");
}

static int decode_tombstone(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret)
{
    int r = key_values(decoder, record, arena);
    if (r == 0)
        r = make_row(decoder, record, record->time_ms, arena, ret);
    if (r == 0)
        (*ret)->change = CEP_DELETE;
    return r;
}

/* ---- decoding ---- */

/* Records that need no look at their bytes. *ret_done false: the format must decode it. */
static int decode_special(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, bool *ret_done, struct cep_row **ret)
{
    *ret_done = true;
    if (record->error || record->bytes.len > decoder->max_record_bytes)
        return formats_problem_set(decoder, record->error ? record->error : BASE_E_LIMIT, CEP_NONE, 0,
                                   "the record is longer than max-record-bytes (%zu)", decoder->max_record_bytes);
    if (!record->bytes.ptr && decoder->changes)
        return 0; /* its deletion came as a change record */
    if (!record->bytes.ptr)
        return decode_tombstone(decoder, record, arena, ret);
    if (record->bytes.len == 0 && !decoder->wire)
        return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0, "the record is empty");
    *ret_done = false;
    return 0;
}

/* How many records from the first on are plain ones. */
static size_t plain_run(const struct formats_decoder *decoder, const struct cep_record *records, size_t count)
{
    size_t n = 0;
    while (n < count && !records[n].error && records[n].bytes.len - 1 < decoder->max_record_bytes && records[n].bytes.ptr)
        n++;
    return n;
}

static int decode_one(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret_row)
{
    if (decoder->wire)
        return formats_wire_decode(decoder->wire, record, arena, ret_row);
    return decoder->debezium ? formats_debezium_decode(decoder, record, arena, ret_row) : formats_csv_decode(decoder, record, arena, ret_row);
}

static int decode_plain(struct formats_decoder *decoder, const struct cep_record *records, size_t count, struct base_arena *arena, struct cep_row **ret_rows)
{
    if (decoder->json && !decoder->debezium)
        return formats_json_decode(decoder, records, count, arena, ret_rows);
    for (size_t i = 0; i < count; i++) {
        ret_rows[i] = NULL;
        int r = decode_one(decoder, &records[i], arena, &ret_rows[i]);
        if (r == BASE_E_NOMEM)
            return r;
        if (r < 0)
            formats_problem_tell(decoder, &records[i]);
    }
    return 0;
}

/* Fetches the schemas that the records name. */
static int prepare(struct formats_decoder *decoder, const struct cep_record *records, size_t count)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (records[i].bytes.ptr && !records[i].error && decoder->wire)
            r = formats_wire_prepare(decoder->wire, records[i].bytes);
        else if (!records[i].bytes.ptr && records[i].key.ptr && decoder->key_wire)
            r = formats_wire_prepare(decoder->key_wire, records[i].key);
    }
    return r;
}

int formats_decode(struct formats_decoder *decoder, const struct cep_record *records, size_t count, struct base_arena *arena, struct cep_row **ret_rows)
{
    size_t i = 0;
    if (decoder->wire || decoder->key_wire) {
        int r = prepare(decoder, records, count);
        if (r < 0)
            return r;
    }
    while (i < count) {
        size_t run = plain_run(decoder, records + i, count - i);
        if (run > 0) {
            int r = decode_plain(decoder, records + i, run, arena, ret_rows + i);
            if (r < 0)
                return r;
            i += run;
            continue;
        }
        bool done;
        ret_rows[i] = NULL;
        int r = decode_special(decoder, &records[i], arena, &done, &ret_rows[i]);
        if (r == 0 && !done) /* no bytes at all are a message of Protobuf */
            r = decode_one(decoder, &records[i], arena, &ret_rows[i]);
        if (r == BASE_E_NOMEM)
            return r;
        if (r < 0)
            formats_problem_tell(decoder, &records[i]);
        i++;
    }
    for (i = 0; i < count; i++) {
        decoder->stats.bytes += records[i].bytes.len;
        decoder->stats.rows += ret_rows[i] != NULL;
    }
    decoder->stats.records += count;
    return 0;
}

bool formats_decoder_takes_blocks(const struct formats_decoder *decoder)
{
    for (uint32_t f = 0; f < decoder->field_count; f++)
        if (decoder->fields[f].metadata)
            return false;
    if (decoder->csv)
        return formats_csv_takes_blocks(decoder);
    return decoder->json && !decoder->debezium && formats_json_takes_blocks(decoder);
}

int formats_block_decode(struct formats_decoder *decoder, const struct formats_block *block, struct cep_columns *columns, size_t *ret_bytes, uint32_t *ret_records)
{
    uint32_t before = columns->rows;
    *ret_bytes = 0;
    int r = decoder->csv ? formats_csv_block(decoder, block, columns, ret_bytes) : formats_json_block(decoder, block, columns, ret_bytes);
    *ret_records = columns->rows - before;
    if (columns->timed && decoder->rowtime != CEP_NONE && *ret_records && columns->times != columns->at[decoder->rowtime].wide)
        memcpy(columns->times + before, columns->at[decoder->rowtime].wide + before, *ret_records * sizeof *columns->times);
    for (uint32_t row = before; columns->timed && decoder->rowtime == CEP_NONE && row < columns->rows; row++)
        columns->times[row] = BASE_TIME_MIN_MS;
    decoder->stats.records += *ret_records;
    decoder->stats.rows += *ret_records;
    decoder->stats.bytes += *ret_bytes;
    return r;
}

bool formats_decoder_may_wait(const struct formats_decoder *decoder)
{
    return decoder->wire || decoder->key_wire;
}

const char *formats_decoder_trouble(const struct formats_decoder *decoder)
{
    return decoder->trouble;
}

void formats_decoder_get_stats(const struct formats_decoder *decoder, struct formats_decoder_stats *ret)
{
    *ret = decoder->stats;
}

/* ---- creation ---- */

static bool decodable(struct cep_type type)
{
    switch ((enum cep_kind)type.kind) {
    case CEP_KIND_NULL:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH:
        return false;
    case CEP_KIND_ARRAY:
        return type.element != CEP_KIND_ARRAY && decodable((struct cep_type){ .kind = type.element });
    case CEP_KIND_BOOLEAN:
    case CEP_KIND_INT:
    case CEP_KIND_BIGINT:
    case CEP_KIND_DOUBLE:
    case CEP_KIND_DECIMAL:
    case CEP_KIND_STRING:
    case CEP_KIND_DATE:
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ:
    case CEP_KIND_ROW:
    case CEP_KIND_TIME:
    case CEP_KIND_BYTES:
        return true;
    }
    return false;
}

static int load_fields(struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    struct cep_list list = decoder->table->fields;
    decoder->fields = base_calloc(list.count ? list.count : 1, sizeof *decoder->fields);
    decoder->types = base_calloc(list.count ? list.count : 1, sizeof *decoder->types);
    decoder->values = base_calloc(list.count ? list.count : 1, sizeof *decoder->values);
    if (!decoder->fields || !decoder->types || !decoder->values)
        return BASE_E_NOMEM;
    decoder->field_count = list.count;
    for (uint32_t i = 0; i < list.count; i++) {
        const struct cep_field *from = cep_program_field(decoder->program, list.first + i);
        struct formats_field *field = &decoder->fields[i];
        field->name = cep_program_text(decoder->program, from->name);
        field->path = cep_program_text(decoder->program, from->path);
        if (field->path.len == 0)
            field->path = field->name;
        field->type = decoder->types[i] = from->type;
        field->ordinal = from->ordinal;
        field->metadata = from->metadata;
        field->not_null = from->not_null;
        decoder->has_checks |= from->metadata != 0 || from->not_null;
        if (!decodable(from->type)) {
            struct base_buf type = { 0 };
            cep_type_print(from->type, &type);
            snprintf(ret_error, error_bytes, "column \"%.*s\": no format gives values of type %s", (int)field->name.len, field->name.ptr,
                     type.ptr ? type.ptr : "?");
            base_buf_finish(&type);
            return BASE_E_CONFIG;
        }
    }
    decoder->rowtime = decoder->table->rowtime_field;
    if (decoder->rowtime != CEP_NONE && !cep_kind_is_time(decoder->types[decoder->rowtime].kind)) {
        snprintf(ret_error, error_bytes, "the event time must be a TIMESTAMP or TIMESTAMP_LTZ column");
        return BASE_E_CONFIG;
    }
    return 0;
}

static int load_options(struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    decoder->max_record_bytes = FORMATS_RECORD_BYTES_DEFAULT;
    struct base_str limit = formats_decoder_option(decoder, "max-record-bytes");
    int64_t number;
    if (limit.ptr) {
        if (!base_str_to_i64(limit, &number) || number < 1 || number > INT32_MAX) {
            snprintf(ret_error, error_bytes, "option 'max-record-bytes' must be a number from 1 to %d, not '%.*s'", INT32_MAX, (int)limit.len, limit.ptr);
            return BASE_E_CONFIG;
        }
        decoder->max_record_bytes = (size_t)number;
    }
    struct base_str key_format = formats_decoder_option(decoder, "key.format");
    decoder->key_is_raw = !key_format.ptr || !base_str_equal_fold(key_format, BASE_STR("json"));
    if (!key_format.ptr && decoder->table->key_fields.count > 1)
        decoder->key_is_raw = false;
    return 0;
}

static struct base_str format_name(const struct formats_decoder *decoder)
{
    struct base_str name = formats_decoder_option(decoder, "format");
    if (!name.ptr)
        name = formats_decoder_option(decoder, "value.format");
    if (!name.ptr && base_str_equal_fold(formats_decoder_option(decoder, "connector"), BASE_STR("datagen")))
        name = BASE_STR("json"); /* connectors/datagen.c writes its rows so */
    return name;
}

static int create_format(struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    struct base_str name = format_name(decoder);
    if (base_str_equal_fold(name, BASE_STR("json")))
        return formats_json_create(decoder, ret_error, error_bytes);
    if (base_str_equal_fold(name, BASE_STR("csv")))
        return formats_csv_create(decoder, ret_error, error_bytes);
    bool changes = base_str_starts(name, BASE_STR("debezium-"));
    if (changes && decoder->table->key_fields.count == 0) {
        snprintf(ret_error, error_bytes, "format '%.*s' tells changes of rows by their key: the table needs PRIMARY KEY (...) NOT ENFORCED; to read changes as events, "
                 "take 'format' = 'json' with the columns before ROW<...>, after ROW<...>, op STRING", (int)name.len, name.ptr);
        return BASE_E_CONFIG;
    }
    decoder->changes = changes;
    if (base_str_equal_fold(name, BASE_STR("debezium-json")))
        return formats_debezium_create(decoder, ret_error, error_bytes);
    if (formats_wire_knows(name))
        return formats_wire_create(decoder, name, false, &decoder->wire, ret_error, error_bytes);
    if (name.ptr)
        snprintf(ret_error, error_bytes, "unknown format '%.*s'; known are 'json', 'csv', 'avro', 'avro-confluent', 'protobuf', 'protobuf-confluent', 'debezium-json' and "
                 "'debezium-avro-confluent'", (int)name.len, name.ptr);
    else
        snprintf(ret_error, error_bytes, "option 'format' is missing; write 'format' = 'json' or 'format' = 'csv'");
    return name.ptr ? BASE_E_UNSUPPORTED : BASE_E_CONFIG;
}

int formats_decoder_create(const struct formats_decoder_config *config, struct formats_decoder **ret, char *ret_error, size_t error_bytes)
{
    snprintf(ret_error, error_bytes, "out of memory");
    struct formats_decoder *decoder = base_calloc(1, sizeof *decoder);
    if (!decoder)
        return BASE_E_NOMEM;
    decoder->program = config->program;
    decoder->table = cep_program_table(config->program, config->table);
    decoder->table_index = (uint16_t)config->table;
    decoder->problem.table = cep_program_text(config->program, decoder->table->name);
    decoder->on_problem = config->on_problem;
    decoder->ctx = config->ctx;
    int r = load_fields(decoder, ret_error, error_bytes);
    if (r == 0)
        r = load_options(decoder, ret_error, error_bytes);
    if (r == 0)
        r = create_format(decoder, ret_error, error_bytes);
    struct base_str key_format = formats_decoder_option(decoder, "key.format");
    if (r == 0 && formats_wire_knows(key_format))
        r = formats_wire_create(decoder, key_format, true, &decoder->key_wire, ret_error, error_bytes);
    if (r < 0) {
        formats_decoder_destroy(decoder);
        return r;
    }
    *ret = decoder;
    return 0;
}

void formats_decoder_destroy(struct formats_decoder *decoder)
{
    if (!decoder)
        return;
    formats_json_destroy(decoder->json);
    formats_csv_destroy(decoder->csv);
    formats_wire_destroy(decoder->wire);
    formats_wire_destroy(decoder->key_wire);
    formats_debezium_destroy(decoder->debezium);
    base_free(decoder->fields);
    base_free(decoder->types);
    base_free(decoder->values);
    base_free(decoder);
}
