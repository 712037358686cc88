#include "connectors/datagen.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#define BATCH_RECORDS 1024
#define BATCH_BYTES ((size_t)256 << 10)
#define TEXT_LENGTH 100
#define TEXT_LENGTH_MAX 65536
#define START_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

struct column {
    struct base_str name;
    struct cep_type type;
    bool sequence, wall_clock;
    uint64_t salt;         /* hash of seed and name */
    int64_t min, max;      /* numbers, or start and end of a sequence; DECIMAL: unscaled */
    double dmin, dmax;
    int64_t length;        /* of texts */
    int64_t start_ms, step_ms, past_ms;
    uint64_t null_below;   /* values of a 32-bit draw that mean NULL */
    struct base_str values; /* "a|b|c", or empty */
    uint32_t value_count;
};
struct datagen {
    struct connectors_source base;
    struct column *columns;
    uint32_t column_count;
    int64_t rows;          /* INT64_MAX: without end */
    int64_t per_second;
    int64_t next;          /* offset of the next row */
    int64_t paced_from, paced_us; /* row and monotonic time from which rows-per-second counts */
    bool paced;
    struct cep_origin origin;
    struct base_buf text;
    size_t ends[BATCH_RECORDS];
    struct cep_record records[BATCH_RECORDS];
    struct connectors_position position;
};

/* The finaliser of SplitMix64 (Sebastiano Vigna, public domain): a good 64-bit mix of a counter. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t draw(const struct column *column, int64_t row, uint64_t which)
{
    return mix(column->salt ^ mix((uint64_t)row * 4 + which));
}

static int64_t between(uint64_t random, int64_t min, int64_t max)
{
    uint64_t span = (uint64_t)max - (uint64_t)min + 1;
    return span == 0 ? (int64_t)random : (int64_t)((uint64_t)min + random % span);
}

/* ---- values ---- */

static void put_decimal(struct base_buf *out, int64_t unscaled, int scale)
{
    cep_decimal_print(unscaled, scale, out);
}

static struct base_str pick(const struct column *column, uint64_t random)
{
    uint64_t which = random % column->value_count;
    struct base_str rest = column->values;
    for (;; which--) {
        const char *bar = rest.len ? memchr(rest.ptr, '|', rest.len) : NULL;
        size_t len = bar ? (size_t)(bar - rest.ptr) : rest.len;
        if (which == 0)
            return (struct base_str){ rest.ptr, len };
        rest = (struct base_str){ rest.ptr + len + 1, rest.len - len - 1 };
    }
}

static void put_text(const struct column *column, int64_t row, struct base_buf *out)
{
    static const char digits[] = "0123456789abcdef";
    if (column->sequence) {
        base_buf_printf(out, "\"%lld\"", (long long)(column->min + row));
        return;
    }
    base_buf_putc(out, '"');
    uint64_t bits = 0;
    for (int64_t i = 0; i < column->length; i++) {
        if (i % 16 == 0)
            bits = mix(column->salt ^ mix((uint64_t)row * 4 + 1) ^ (uint64_t)i);
        base_buf_putc(out, digits[bits & 15]);
        bits >>= 4;
    }
    base_buf_putc(out, '"');
}

static void put_timestamp(const struct column *column, int64_t row, struct base_buf *out)
{
    int64_t time_ms = column->wall_clock ? base_clock_wall_ms() : column->start_ms + row * column->step_ms;
    if (column->past_ms > 0)
        time_ms -= between(draw(column, row, 1), 0, column->past_ms);
    char text[40];
    size_t len = base_time_print(time_ms, true, text);
    base_buf_putc(out, '"');
    base_buf_put(out, text, len);
    base_buf_putc(out, '"');
}

static void put_value(const struct column *column, int64_t row, struct base_buf *out)
{
    uint64_t random = draw(column, row, 1);
    if ((draw(column, row, 2) & UINT32_MAX) < column->null_below) {
        base_buf_puts(out, "null");
        return;
    }
    if (column->value_count > 0) {
        base_buf_put_json(out, pick(column, random));
        return;
    }
    int64_t number = column->sequence ? column->min + row : between(random, column->min, column->max);
    switch ((enum cep_kind)column->type.kind) {
    case CEP_KIND_BOOLEAN:
        base_buf_puts(out, random & 1 ? "true" : "false");
        return;
    case CEP_KIND_INT:
    case CEP_KIND_BIGINT:
        base_buf_put_i64(out, number);
        return;
    case CEP_KIND_DECIMAL:
        put_decimal(out, number, column->type.scale);
        return;
    case CEP_KIND_DOUBLE: {
        double unit = (double)(random >> 11) / 9007199254740992.0;
        cep_value_print_json(column->type, cep_double(column->sequence ? (double)number : column->dmin + unit * (column->dmax - column->dmin)), out);
        return;
    }
    case CEP_KIND_DATE: {
        char text[20];
        size_t len = base_date_print((int32_t)number, text);
        base_buf_put_json(out, (struct base_str){ text, len });
        return;
    }
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ:
        put_timestamp(column, row, out);
        return;
    case CEP_KIND_STRING:
        put_text(column, row, out);
        return;
    case CEP_KIND_NULL:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH:
    case CEP_KIND_ARRAY:
    case CEP_KIND_ROW:
    case CEP_KIND_TIME:
    case CEP_KIND_BYTES:
        base_buf_puts(out, "null");
        return;
    }
}

static void put_row(const struct datagen *source, int64_t row, struct base_buf *out)
{
    base_buf_putc(out, '{');
    for (uint32_t c = 0; c < source->column_count; c++) {
        if (c > 0)
            base_buf_putc(out, ',');
        base_buf_put_json(out, source->columns[c].name);
        base_buf_putc(out, ':');
        put_value(&source->columns[c], row, out);
    }
    base_buf_puts(out, "}\n");
}

/* ---- polling ---- */

/* Rows that may be made by now. */
static int64_t due(struct datagen *source)
{
    if (source->per_second == 0)
        return INT64_MAX;
    int64_t now_us = base_clock_mono_us();
    if (!source->paced) {
        source->paced = true;
        source->paced_from = source->next;
        source->paced_us = now_us;
    }
    double rows = (double)(now_us - source->paced_us) / 1e6 * (double)source->per_second;
    return source->paced_from + 1 + (int64_t)rows;
}

static int datagen_poll(struct connectors_source *base, size_t max_records, int timeout_ms, struct connectors_batch *ret)
{
    struct datagen *source = (struct datagen *)base;
    int64_t until = due(source);
    if (until <= source->next && source->next < source->rows && timeout_ms > 0) {
        int64_t wait_ms = (source->next - until + 1) * 1000 / source->per_second + 1;
        (void)poll(NULL, 0, wait_ms < timeout_ms ? (int)wait_ms : timeout_ms); /* a sleep */
        until = due(source);
    }
    if (until > source->rows)
        until = source->rows;
    size_t most = max_records < BATCH_RECORDS ? max_records : BATCH_RECORDS, count = 0;
    int64_t first = source->next;
    base_buf_clear(&source->text);
    for (; count < most && first + (int64_t)count < until && source->text.len < BATCH_BYTES; count++) {
        put_row(source, first + (int64_t)count, &source->text);
        source->ends[count] = source->text.len;
    }
    if (!base_buf_reserve(&source->text, CEP_RECORD_SLACK) || source->text.failed) {
        snprintf(base->error, sizeof base->error, "out of memory");
        return BASE_E_NOMEM;
    }
    memset(source->text.ptr + source->text.len, 0, CEP_RECORD_SLACK);
    for (size_t i = 0; i < count; i++) {
        size_t begin = i ? source->ends[i - 1] : 0;
        source->records[i] = (struct cep_record){ .bytes = { source->text.ptr + begin, source->ends[i] - begin - 1 }, .origin = &source->origin,
                                                  .time_ms = BASE_TIME_MIN_MS, .offset = first + (int64_t)i, .flags = CEP_RECORD_PADDED };
    }
    source->next = first + (int64_t)count;
    source->position = (struct connectors_position){ .offset = source->next };
    bool end = source->next >= source->rows;
    *ret = (struct connectors_batch){ .records = source->records, .count = count, .positions = &source->position, .position_count = count > 0,
                                      .at_end = count == 0, .finished = end && count == 0 };
    return 0;
}

static int datagen_seek(struct connectors_source *base, const struct connectors_position *position)
{
    struct datagen *source = (struct datagen *)base;
    source->next = position->offset;
    source->paced = false;
    return 0;
}

static void datagen_close(struct connectors_source *base)
{
    struct datagen *source = (struct datagen *)base;
    base_buf_finish(&source->text);
    base_free(source->columns);
    base_free(source);
}

static const struct connectors_source_ops ops = { datagen_poll, datagen_seek, datagen_close };

/* ---- options ---- */

struct loader {
    const struct connectors_source_config *config;
    char *error;
    size_t error_bytes;
};

static struct base_str column_option(const struct loader *loader, const struct column *column, const char *what)
{
    char key[256];
    snprintf(key, sizeof key, "fields.%.*s.%s", (int)column->name.len, column->name.ptr, what);
    return connectors_option(loader->config, key, "");
}

static int bad_option(const struct loader *loader, const struct column *column, const char *what, struct base_str value)
{
    snprintf(loader->error, loader->error_bytes, "option 'fields.%.*s.%s' = '%.*s' is no value for this column", (int)column->name.len, column->name.ptr, what,
             (int)value.len, value.ptr);
    return BASE_E_CONFIG;
}

/* Bounds in the column's own unit: DECIMAL unscaled, DATE days. */
static int number_option(const struct loader *loader, const struct column *column, const char *what, int64_t *inout)
{
    struct base_str text = column_option(loader, column, what);
    if (text.len == 0)
        return 0;
    cep_int128 wide;
    int32_t days;
    if (column->type.kind == CEP_KIND_DECIMAL) {
        if (cep_decimal_parse(text, column->type, &wide) < 0 || wide > INT64_MAX || wide < INT64_MIN)
            return bad_option(loader, column, what, text);
        *inout = (int64_t)wide;
    } else if (column->type.kind == CEP_KIND_DATE) {
        if (!base_date_parse(text.ptr, text.len, &days))
            return bad_option(loader, column, what, text);
        *inout = days;
    } else if (!base_str_to_i64(text, inout)) {
        return bad_option(loader, column, what, text);
    }
    return 0;
}

static void default_bounds(struct column *column)
{
    column->min = INT32_MIN;
    column->max = INT32_MAX;
    if (column->type.kind == CEP_KIND_BIGINT) {
        column->min = INT64_MIN;
        column->max = INT64_MAX;
    } else if (column->type.kind == CEP_KIND_DATE) {
        column->min = START_MS / 86400000;
        column->max = column->min + 364;
    } else if (column->type.kind == CEP_KIND_DECIMAL) {
        column->min = 0;
        column->max = 1;
        for (int i = 0; i < column->type.precision && i < 18; i++)
            column->max *= 10;
        column->max--;
    }
    column->dmax = 1.0;
    column->length = TEXT_LENGTH;
}

static int load_bounds(const struct loader *loader, struct column *column, int64_t *inout_rows)
{
    bool has_end = column_option(loader, column, "end").len > 0;
    int r = number_option(loader, column, column->sequence ? "start" : "min", &column->min);
    if (r == 0)
        r = number_option(loader, column, column->sequence ? "end" : "max", &column->max);
    if (r < 0)
        return r;
    if (column->max < column->min)
        return bad_option(loader, column, column->sequence ? "end" : "max", column_option(loader, column, column->sequence ? "end" : "max"));
    if (column->sequence && has_end && (uint64_t)column->max - (uint64_t)column->min < (uint64_t)*inout_rows)
        *inout_rows = (int64_t)((uint64_t)column->max - (uint64_t)column->min + 1);
    return 0;
}

static int load_double_bounds(const struct loader *loader, struct column *column)
{
    struct base_str min = column_option(loader, column, "min"), max = column_option(loader, column, "max");
    if (min.len && !base_str_to_double(min, &column->dmin))
        return bad_option(loader, column, "min", min);
    if (max.len && !base_str_to_double(max, &column->dmax))
        return bad_option(loader, column, "max", max);
    return 0;
}

static int load_time(const struct loader *loader, struct column *column, int64_t per_second)
{
    struct base_str start = column_option(loader, column, "start"), step = column_option(loader, column, "step"), past = column_option(loader, column, "max-past");
    column->start_ms = START_MS;
    column->step_ms = per_second > 0 && per_second < 1000 ? 1000 / per_second : 1;
    column->wall_clock = base_str_equal_fold(column_option(loader, column, "clock"), BASE_STR("wall"));
    if (start.len && !base_time_parse(start.ptr, start.len, &column->start_ms, NULL))
        return bad_option(loader, column, "start", start);
    if (step.len && (!base_str_to_i64(step, &column->step_ms) || column->step_ms < 0 || column->step_ms > INT32_MAX))
        return bad_option(loader, column, "step", step);
    if (past.len && (!base_str_to_i64(past, &column->past_ms) || column->past_ms < 0))
        return bad_option(loader, column, "max-past", past);
    return 0;
}

static int load_text(const struct loader *loader, struct column *column)
{
    struct base_str length = column_option(loader, column, "length");
    if (length.len && (!base_str_to_i64(length, &column->length) || column->length < 0 || column->length > TEXT_LENGTH_MAX))
        return bad_option(loader, column, "length", length);
    if (column->sequence) {
        column->min = 0;
        return number_option(loader, column, "start", &column->min);
    }
    return 0;
}

static int load_column(const struct loader *loader, struct datagen *source, struct column *column)
{
    struct base_str kind = column_option(loader, column, "kind"), rate = column_option(loader, column, "null-rate");
    column->sequence = base_str_equal_fold(kind, BASE_STR("sequence"));
    if (kind.len && !column->sequence && !base_str_equal_fold(kind, BASE_STR("random")))
        return bad_option(loader, column, "kind", kind);
    double null_rate = 0;
    if (rate.len && (!base_str_to_double(rate, &null_rate) || null_rate < 0 || null_rate > 1))
        return bad_option(loader, column, "null-rate", rate);
    column->null_below = (uint64_t)(null_rate * 4294967296.0);
    column->values = column_option(loader, column, "values");
    column->value_count = column->values.len > 0;
    for (size_t i = 0; i < column->values.len; i++)
        column->value_count += column->values.ptr[i] == '|';
    default_bounds(column);
    if (cep_kind_is_time(column->type.kind))
        return load_time(loader, column, source->per_second);
    if (column->type.kind == CEP_KIND_STRING)
        return load_text(loader, column);
    if (column->type.kind == CEP_KIND_DOUBLE && !column->sequence)
        return load_double_bounds(loader, column);
    if (column->type.kind == CEP_KIND_DOUBLE || column->type.kind == CEP_KIND_INT || column->type.kind == CEP_KIND_BIGINT || column->type.kind == CEP_KIND_DECIMAL ||
        column->type.kind == CEP_KIND_DATE)
        return load_bounds(loader, column, &source->rows);
    return 0;
}

static int load_columns(const struct loader *loader, struct datagen *source, int64_t seed)
{
    const struct connectors_source_config *config = loader->config;
    struct cep_list fields = config->table->fields;
    source->columns = base_calloc(fields.count ? fields.count : 1, sizeof *source->columns);
    if (!source->columns)
        return BASE_E_NOMEM;
    for (uint32_t f = 0; f < fields.count; f++) {
        const struct cep_field *field = cep_program_field(config->program, fields.first + f);
        if (field->metadata)
            continue;
        struct column *column = &source->columns[source->column_count++];
        column->name = cep_program_text(config->program, field->name);
        column->type = field->type;
        column->salt = base_hash64(column->name.ptr, column->name.len, (uint64_t)seed);
        int r = load_column(loader, source, column);
        if (r < 0)
            return r;
    }
    return 0;
}

int connectors_datagen_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
{
    struct datagen *source = base_calloc(1, sizeof *source);
    snprintf(ret_error, error_bytes, "out of memory");
    if (!source)
        return BASE_E_NOMEM;
    source->base.ops = &ops;
    source->origin.name = BASE_STR("datagen");
    int64_t seed = 0;
    struct connectors_number rows = { "number-of-rows", INT64_MAX, 0, INT64_MAX }, rate = { "rows-per-second", 10000, 0, 1000000000 },
                             seed_option = { "seed", 0, INT64_MIN, INT64_MAX };
    int r = connectors_option_number(config, rows, &source->rows, ret_error, error_bytes);
    if (r == 0)
        r = connectors_option_number(config, rate, &source->per_second, ret_error, error_bytes);
    if (r == 0)
        r = connectors_option_number(config, seed_option, &seed, ret_error, error_bytes);
    struct loader loader = { config, ret_error, error_bytes };
    if (r == 0)
        r = load_columns(&loader, source, seed);
    if (r < 0) {
        datagen_close(&source->base);
        return r;
    }
    source->base.bounded = source->rows != INT64_MAX;
    *ret = &source->base;
    return 0;
}
