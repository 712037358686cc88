#include "service/input.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/vec.h"

#define DISCOVER_TIMEOUT_MS 1500
#define RETRY_FIRST_US 200000
#define RETRY_MOST_US 5000000
#define SAVE_VERSION 1

struct positions BASE_VEC(struct connectors_position);

struct service_input {
    struct service_input_config config;
    struct base_arena options_arena; /* texts of the Kafka options */
    struct base_arena arena;         /* rows of the present batch */
    char *name;
    char identity[33];
    struct formats_decoder *decoder;
    struct formats_decoder_stats earlier; /* of decoders before a rebind */
    struct connectors_source *file;
    struct connectors_kafka_source *kafka;
    struct connectors_kafka_batch kafka_batch;
    struct positions positions;      /* next record of each partition that was read or restored */
    struct positions starts;         /* Kafka: what the startup mode was resolved to; kept over aborts, so that "latest" means the same again */
    struct service_watermarks marks;
    struct cep_row **rows;
    size_t rows_cap;
    int64_t retry_at_us, retry_us;   /* Kafka: next attempt to find the partitions */
    char trouble[640];
    bool trouble_changed;
    bool started;                    /* Kafka: partitions assigned */
    bool moved;                      /* files: read from since it was opened */
    bool at_end;
    bool finished;
    bool held;                       /* `waiting` was read and could not be decoded yet; `behind` are the positions behind it */
    struct service_input_batch waiting;
    struct positions before, behind; /* of a decoder that may have to wait: positions before the last poll */
};

static const struct cep_table *table_of(const struct service_input_config *config)
{
    return cep_program_table(config->program, config->table);
}

static int make_decoder(const struct service_input_config *config, struct formats_decoder **ret, struct base_buf *reterr)
{
    char text[512] = "";
    struct formats_decoder_config decoder = { config->program, config->table, config->on_problem, config->ctx };
    int e = formats_decoder_create(&decoder, ret, text, sizeof text);
    if (e < 0)
        base_buf_printf(reterr, "table \"%.*s\": %s", (int)cep_program_text(config->program, table_of(config)->name).len,
                        cep_program_text(config->program, table_of(config)->name).ptr, *text ? text : base_error_text(e));
    return e;
}

static const char *arena_text(struct base_arena *arena, const struct cep_program *program, struct cep_text text)
{
    struct base_str s = cep_program_text(program, text);
    return base_arena_strndup(arena, s.ptr, s.len);
}

static int open_kafka(struct service_input *input, struct base_buf *reterr)
{
    const struct cep_program *program = input->config.program;
    const struct cep_table *table = table_of(&input->config);
    struct clients_option *with = base_arena_zalloc(&input->options_arena, table->options.count + 2, sizeof *with);
    if (!with)
        return BASE_E_NOMEM;
    size_t count = 0;
    bool mode = false;
    for (uint32_t i = 0; i < table->options.count; i++) {
        const struct cep_option *option = cep_program_option(program, table->options.first + i);
        with[count].name = arena_text(&input->options_arena, program, option->key);
        with[count].value = arena_text(&input->options_arena, program, option->value);
        if (!with[count].name || !with[count].value)
            return BASE_E_NOMEM;
        mode = mode || strcmp(with[count].name, "scan.startup.mode") == 0;
        count++;
    }
    if (table->is_profile && !mode) /* a profile topic is read whole */
        with[count++] = (struct clients_option){ "scan.startup.mode", "earliest-offset" };
    struct connectors_kafka_source_options options = {
        .name = input->name, .group_id = input->config.application_id ? input->config.application_id : "cepheid", .with = with, .with_count = count,
    };
    return connectors_kafka_source_create(&options, &input->kafka, reterr);
}

static int open_file(struct service_input *input, struct base_buf *reterr)
{
    struct connectors_source_config source = { input->config.program, table_of(&input->config), input->config.base_dir };
    char text[512] = "";
    int e = connectors_source_open(&source, &input->file, text, sizeof text);
    if (e < 0)
        base_buf_printf(reterr, "table \"%s\": %s", input->name, *text ? text : base_error_text(e));
    return e;
}

/* Hash of the options that say what is read; those that say how (format, watermark) may change without losing the place. */
void service_input_identity_of(const struct cep_program *program, uint32_t number, char ret[33])
{
    static const char *const keys[] = { "connector", "topic", "path", "properties.bootstrap.servers", "seed", "number-of-rows", "rows-per-second" };
    static const char *const later[] = { "url", "table-name", "scan.column" };
    const struct cep_table *table = cep_program_table(program, number);
    struct base_buf text = { 0 };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct base_str value = cep_program_setting(program, table->options, keys[i]);
        base_buf_put_bytes(&text, value.ptr, value.len);
    }
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) { /* came later: tables without them keep their identity */
        struct base_str value = cep_program_setting(program, table->options, later[i]);
        if (value.ptr)
            base_buf_put_bytes(&text, value.ptr, value.len);
    }
    base_hash128_hex(text.ptr ? text.ptr : "", text.len, ret);
    base_buf_finish(&text);
}

static bool is_kafka(const struct service_input_config *config)
{
    struct base_str connector = cep_program_setting(config->program, table_of(config)->options, "connector");
    return base_str_equal(connector, BASE_STR("kafka")) || base_str_equal(connector, BASE_STR("upsert-kafka"));
}

/* By the host's own opener first, then by the table's connector. */
static int open_source(struct service_input *input, struct base_buf *reterr)
{
    const struct service_input_config *config = &input->config;
    if (config->opener) {
        int e = config->opener(config->opener_ctx, config->program, config->table, &input->file, reterr);
        if (e < 0 || input->file)
            return e;
    }
    return is_kafka(config) ? open_kafka(input, reterr) : open_file(input, reterr);
}

int service_input_open(const struct service_input_config *config, struct service_input **ret, struct base_buf *reterr)
{
    struct service_input *input = base_calloc(1, sizeof *input);
    if (!input)
        return BASE_E_NOMEM;
    input->config = *config;
    const struct cep_table *table = table_of(config);
    struct base_str name = cep_program_text(config->program, table->name);
    input->name = base_strndup(name.ptr, name.len);
    service_watermarks_init(&input->marks, table->watermark_delay_ms);
    int e = input->name ? make_decoder(config, &input->decoder, reterr) : BASE_E_NOMEM;
    if (e == 0) {
        service_input_identity_of(config->program, config->table, input->identity);
        e = open_source(input, reterr);
    }
    if (e < 0) {
        service_input_close(input);
        return e;
    }
    input->started = !input->kafka;
    *ret = input;
    return 0;
}

void service_input_close(struct service_input *input)
{
    if (!input)
        return;
    formats_decoder_destroy(input->decoder);
    connectors_source_close(input->file);
    if (input->kafka)
        connectors_kafka_source_destroy(input->kafka);
    connectors_kafka_batch_finish(&input->kafka_batch);
    service_watermarks_finish(&input->marks);
    BASE_VEC_FINISH(&input->positions);
    BASE_VEC_FINISH(&input->starts);
    BASE_VEC_FINISH(&input->before);
    BASE_VEC_FINISH(&input->behind);
    base_arena_finish(&input->arena);
    base_arena_finish(&input->options_arena);
    base_free(input->rows);
    base_free(input->name);
    base_free(input);
}

int service_input_rebind(struct service_input *input, const struct cep_program *program, uint32_t table, struct base_buf *reterr)
{
    struct service_input_config config = input->config;
    config.program = program;
    config.table = table;
    struct formats_decoder *decoder = NULL;
    int e = make_decoder(&config, &decoder, reterr);
    if (e < 0)
        return e;
    service_input_stats(input, &input->earlier);
    formats_decoder_destroy(input->decoder);
    input->decoder = decoder;
    input->config = config;
    input->marks.delay_ms = table_of(&config)->watermark_delay_ms;
    return 0;
}

static void set_trouble(struct service_input *input, const char *text)
{
    if (strncmp(text, input->trouble, sizeof input->trouble - 1) == 0)
        return;
    snprintf(input->trouble, sizeof input->trouble, "%s", text);
    input->trouble_changed = true;
}

const char *service_input_trouble(struct service_input *input, bool *ret_changed)
{
    if (ret_changed) {
        *ret_changed = input->trouble_changed;
        input->trouble_changed = false;
    }
    return input->trouble;
}

static struct connectors_position *find_in(const struct positions *positions, int32_t partition)
{
    for (size_t i = 0; i < positions->len; i++) {
        if (positions->at[i].partition == partition)
            return &positions->at[i];
    }
    return NULL;
}

static struct connectors_position *position_find(const struct service_input *input, int32_t partition)
{
    return find_in(&input->positions, partition);
}

static int position_set(struct service_input *input, const struct connectors_position *position)
{
    struct connectors_position *have = position_find(input, position->partition);
    if (have) {
        *have = *position;
        return 0;
    }
    return BASE_VEC_PUSH(&input->positions, *position) ? 0 : BASE_E_NOMEM;
}

/* ---- Kafka: partitions are found, resolved to numbers and assigned ---- */

static int start_partition(struct service_input *input, uint32_t index, bool found_later, struct base_buf *why)
{
    const struct connectors_kafka_partition *p = connectors_kafka_source_partition(input->kafka, index);
    int32_t number = p->position_partition;
    const struct connectors_position *have = position_find(input, number);
    if (!have)
        have = find_in(&input->starts, number);
    struct connectors_kafka_start start = { .partition = index, .offset = have ? have->offset : 0 };
    int e = 0;
    if (!have)
        e = connectors_kafka_source_resolve(input->kafka, &start, 1, found_later, DISCOVER_TIMEOUT_MS, why);
    if (e == 0)
        e = connectors_kafka_source_start(input->kafka, &start, 1, why);
    if (e < 0)
        return e;
    struct connectors_position at = { .offset = start.offset, .partition = number };
    if (!have && !BASE_VEC_PUSH(&input->starts, at))
        return BASE_E_NOMEM;
    if (!service_watermarks_partition(&input->marks, number))
        return BASE_E_NOMEM;
    return position_set(input, &at);
}

static int discover(struct service_input *input, struct base_buf *why)
{
    uint32_t fresh = 0;
    int e = connectors_kafka_source_discover(input->kafka, DISCOVER_TIMEOUT_MS, &fresh, why);
    if (e == 0 && !input->started && connectors_kafka_source_bounded(input->kafka))
        e = connectors_kafka_source_resolve_end(input->kafka, DISCOVER_TIMEOUT_MS, why);
    for (uint32_t i = 0; e == 0 && i < connectors_kafka_source_partitions(input->kafka); i++) {
        if (!connectors_kafka_source_partition(input->kafka, i)->started)
            e = start_partition(input, i, input->started, why);
    }
    if (e == 0)
        input->started = true;
    return e;
}

static int discover_when_due(struct service_input *input)
{
    int64_t now_us = base_clock_mono_us();
    bool wanted = !input->started || connectors_kafka_source_wants_discover(input->kafka);
    if (!wanted || now_us < input->retry_at_us)
        return 0;
    struct base_buf why = { .limit = 4096 };
    int e = discover(input, &why);
    if (e == 0) {
        input->retry_us = 0;
        set_trouble(input, "");
    } else {
        input->retry_us = input->retry_us ? input->retry_us * 2 : RETRY_FIRST_US;
        if (input->retry_us > RETRY_MOST_US)
            input->retry_us = RETRY_MOST_US;
        input->retry_at_us = base_clock_mono_us() + input->retry_us;
        set_trouble(input, why.len ? why.ptr : base_error_text(e));
    }
    base_buf_finish(&why);
    return e == BASE_E_NOMEM ? e : 0;
}

static void kafka_trouble(struct service_input *input, const struct base_buf *why)
{
    struct clients_kafka_health health;
    connectors_kafka_source_health(input->kafka, &health);
    if (why->len)
        set_trouble(input, why->ptr);
    else if (!health.reachable && health.text[0])
        set_trouble(input, health.text);
    else if (health.reachable)
        set_trouble(input, "");
}

/* Those partitions that are least far are read first. */
static void tell_reached(struct service_input *input)
{
    struct service_watermarks *marks = &input->marks;
    for (uint32_t i = 0; i < connectors_kafka_source_partitions(input->kafka); i++) {
        int32_t number = connectors_kafka_source_partition(input->kafka, i)->position_partition;
        if (i < marks->len && marks->at[i].partition == number)
            marks->last = i; /* they were met in the same order: no search */
        const struct service_partition *p = service_watermarks_partition(marks, number);
        connectors_kafka_source_reached(input->kafka, i, p ? p->watermark_ms : BASE_TIME_MIN_MS);
    }
}

static int poll_kafka(struct service_input *input, size_t max, int timeout_ms, struct service_input_batch *ret)
{
    int e = discover_when_due(input);
    if (e < 0 || !input->started)
        return e;
    tell_reached(input);
    struct base_buf why = { .limit = 4096 };
    e = connectors_kafka_source_poll(input->kafka, timeout_ms, (uint32_t)max, &input->kafka_batch, &why);
    kafka_trouble(input, &why);
    base_buf_finish(&why);
    if (e == BASE_E_NOMEM)
        return e;
    ret->records = input->kafka_batch.records;
    ret->count = input->kafka_batch.count;
    ret->at_end = true;
    for (uint32_t i = 0; i < connectors_kafka_source_partitions(input->kafka); i++) {
        const struct connectors_kafka_partition *p = connectors_kafka_source_partition(input->kafka, i);
        ret->at_end = ret->at_end && p->at_end;
        struct connectors_position at = { .offset = p->next_offset, .partition = p->position_partition };
        if (p->started && p->next_offset != CONNECTORS_KAFKA_NO_OFFSET)
            e = position_set(input, &at);
        if (e == BASE_E_NOMEM)
            return e;
    }
    ret->finished = connectors_kafka_source_bounded(input->kafka) && connectors_kafka_source_finished(input->kafka);
    return 0;
}

static int poll_file(struct service_input *input, size_t max, int timeout_ms, struct service_input_batch *ret)
{
    struct connectors_batch batch = { 0 };
    input->moved = true;
    int e = connectors_source_poll(input->file, max, timeout_ms, &batch);
    if (e < 0) {
        set_trouble(input, connectors_source_error(input->file));
        return e == BASE_E_NOMEM || (input->file->bounded && e != BASE_E_AGAIN) ? e : 0;
    }
    set_trouble(input, "");
    for (size_t i = 0; i < batch.position_count; i++) {
        e = position_set(input, &batch.positions[i]);
        if (e < 0)
            return e;
    }
    ret->records = batch.records;
    ret->count = batch.count;
    ret->at_end = batch.at_end;
    ret->finished = batch.finished;
    return 0;
}

static void swap_positions(struct positions *a, struct positions *b)
{
    struct positions was = *a;
    *a = *b;
    *b = was;
}

static int remember_positions(struct service_input *input)
{
    if (!BASE_VEC_RESERVE(&input->before, input->positions.len))
        return BASE_E_NOMEM;
    if (input->positions.len)
        memcpy(input->before.at, input->positions.at, input->positions.len * sizeof *input->positions.at);
    input->before.len = input->positions.len;
    return 0;
}

/* Rows of the batch. A schema registry that cannot be asked now holds the batch back: nothing of it has taken effect, its records are decoded when it answers. */
static int decode(struct service_input *input, struct service_input_batch *batch, int timeout_ms)
{
    int e = formats_decode(input->decoder, batch->records, batch->count, &input->arena, input->rows);
    if (e == 0 || e == BASE_E_NOMEM) {
        if (input->held) {
            set_trouble(input, "");
            swap_positions(&input->positions, &input->behind);
        }
        input->held = false;
        input->at_end = batch->at_end;
        input->finished = batch->finished;
        return e;
    }
    set_trouble(input, formats_decoder_trouble(input->decoder));
    if (!input->held) { /* what is saved meanwhile must not say that these records were read */
        swap_positions(&input->positions, &input->behind);
        swap_positions(&input->positions, &input->before);
        input->at_end = input->finished = false;
    }
    input->waiting = *batch;
    input->held = true;
    *batch = (struct service_input_batch){ 0 };
    struct timespec pause = { .tv_nsec = (timeout_ms < 0 ? 0 : timeout_ms > 100 ? 100 : timeout_ms) * 1000000L };
    (void)nanosleep(&pause, NULL);
    return 0;
}

int service_input_poll(struct service_input *input, size_t max, int timeout_ms, struct service_input_batch *ret)
{
    *ret = (struct service_input_batch){ 0 };
    base_arena_reset(&input->arena);
    if (input->held) {
        *ret = input->waiting;
        return decode(input, ret, timeout_ms);
    }
    if (input->finished) {
        ret->finished = ret->at_end = true;
        return 0;
    }
    int e = formats_decoder_may_wait(input->decoder) ? remember_positions(input) : 0;
    if (e == 0)
        e = input->kafka ? poll_kafka(input, max, timeout_ms, ret) : poll_file(input, max, timeout_ms, ret);
    if (e < 0)
        return e;
    input->at_end = ret->at_end;
    input->finished = ret->finished;
    if (ret->count > input->rows_cap) {
        struct cep_row **rows = base_realloc(input->rows, ret->count * sizeof *rows);
        if (!rows)
            return BASE_E_NOMEM;
        input->rows = rows;
        input->rows_cap = ret->count;
    }
    ret->rows = input->rows;
    return ret->count ? decode(input, ret, timeout_ms) : 0;
}

bool service_input_takes_blocks(const struct service_input *input)
{
    return input->file && input->file->bounded && formats_decoder_takes_blocks(input->decoder);
}

bool service_input_at_rest(const struct service_input *input)
{
    return input->file && connectors_source_at_rest(input->file);
}

int service_input_block(struct service_input *input, struct cep_columns *columns, uint32_t *ret_records)
{
    struct connectors_block from;
    size_t bytes = 0;
    *ret_records = 0;
    int e = input->finished ? 0 : connectors_source_block(input->file, &from);
    if (e < 0)
        return e == BASE_E_NOMEM ? e : 0; /* the poll that follows meets it and tells */
    if (input->finished || from.bytes.len == 0)
        return 0;
    const struct formats_block block = { from.bytes, from.origin, from.offset, from.partition };
    e = formats_block_decode(input->decoder, &block, columns, &bytes, ret_records);
    if (e == 0)
        connectors_source_took(input->file, bytes, *ret_records);
    return e;
}

bool service_input_ready(const struct service_input *input)
{
    return input->started;
}

int service_input_timing(struct service_input *input, const struct cep_row *row, enum service_timing *ret)
{
    bool changes = table_of(&input->config)->changes;
    int e = service_watermarks_row(&input->marks, row->at.partition, changes && row->change == CEP_DELETE ? BASE_TIME_MIN_MS : row->time_ms, ret);
    if (changes)
        *ret = SERVICE_ON_TIME;
    return e;
}

struct service_watermarks *service_input_watermarks(struct service_input *input)
{
    return &input->marks;
}

bool service_input_partition_at_end(const struct service_input *input, int32_t partition)
{
    if (!input->kafka || input->held)
        return input->at_end;
    struct clients_kafka_health health;
    connectors_kafka_source_health(input->kafka, &health);
    for (uint32_t i = 0; health.reachable && i < connectors_kafka_source_partitions(input->kafka); i++) {
        const struct connectors_kafka_partition *p = connectors_kafka_source_partition(input->kafka, i);
        if (p->position_partition == partition)
            return p->at_end && !p->paused;
    }
    return false;
}

uint32_t service_input_table(const struct service_input *input)
{
    return input->config.table;
}

const char *service_input_name(const struct service_input *input)
{
    return input->name;
}

const char *service_input_identity(const struct service_input *input)
{
    return input->identity;
}

bool service_input_bounded(const struct service_input *input)
{
    return input->kafka ? connectors_kafka_source_bounded(input->kafka) : input->file->bounded;
}

bool service_input_finished(const struct service_input *input)
{
    return input->finished;
}

struct connectors_kafka_source *service_input_kafka(struct service_input *input)
{
    return input->kafka;
}

int64_t service_input_lag(const struct service_input *input)
{
    if (!input->kafka)
        return -1;
    int64_t lag = 0;
    for (uint32_t i = 0; i < connectors_kafka_source_partitions(input->kafka); i++) {
        const struct connectors_kafka_partition *p = connectors_kafka_source_partition(input->kafka, i);
        int64_t high = connectors_kafka_source_high(input->kafka, i);
        if (high == CONNECTORS_KAFKA_NO_OFFSET || p->next_offset == CONNECTORS_KAFKA_NO_OFFSET)
            return -1;
        lag += high > p->next_offset ? high - p->next_offset : 0;
    }
    return lag;
}

void service_input_stats(const struct service_input *input, struct formats_decoder_stats *ret)
{
    struct formats_decoder_stats now;
    formats_decoder_get_stats(input->decoder, &now);
    *ret = (struct formats_decoder_stats){
        .records = input->earlier.records + now.records, .bytes = input->earlier.bytes + now.bytes, .rows = input->earlier.rows + now.rows,
        .malformed = input->earlier.malformed + now.malformed, .ignored = input->earlier.ignored + now.ignored,
    };
}

void service_input_each_position(const struct service_input *input, void (*each)(void *ctx, int32_t partition, int64_t offset), void *ctx)
{
    for (size_t i = 0; i < input->positions.len; i++)
        each(ctx, input->positions.at[i].partition, input->positions.at[i].offset);
}

/* ---- epochs ---- */

void service_input_save(const struct service_input *input, struct base_buf *out)
{
    base_buf_put_u8(out, SAVE_VERSION);
    base_buf_put_bytes(out, input->identity, 32);
    base_buf_put_u8(out, input->finished);
    base_buf_put_varint(out, input->positions.len);
    for (size_t i = 0; i < input->positions.len; i++) {
        const struct connectors_position *p = &input->positions.at[i];
        base_buf_put_u32(out, (uint32_t)p->partition);
        base_buf_put_u64(out, (uint64_t)p->offset);
        base_buf_put_bytes(out, p->hint, p->hint_len);
    }
    service_watermarks_save(&input->marks, out);
}

static int stop_reading(struct service_input *input)
{
    input->held = false;
    input->positions.len = 0;
    input->finished = false;
    input->at_end = false;
    int64_t delay_ms = input->marks.delay_ms;
    service_watermarks_finish(&input->marks);
    service_watermarks_init(&input->marks, delay_ms);
    if (!input->kafka)
        return 0;
    int e = input->started ? connectors_kafka_source_stop(input->kafka) : 0;
    input->started = false;
    input->retry_at_us = 0;
    return e;
}

int service_input_restore(struct service_input *input, struct base_reader *in, struct base_buf *reterr)
{
    int e = stop_reading(input);
    uint8_t version = base_read_u8(in);
    struct base_str identity = base_read_bytes(in);
    bool finished = base_read_u8(in);
    uint64_t count = base_read_varint(in);
    if (in->failed || version != SAVE_VERSION)
        return in->failed ? BASE_E_CORRUPT : BASE_E_VERSION;
    bool same = base_str_equal(identity, base_str_of(input->identity));
    if (e == 0 && input->file && input->moved && count == 0) /* stored before the first record: back to the beginning */
        e = connectors_source_seek(input->file, &(struct connectors_position){ 0 });
    for (uint64_t i = 0; e == 0 && i < count && !in->failed; i++) {
        struct connectors_position at = { 0 };
        at.partition = (int32_t)base_read_u32(in);
        at.offset = (int64_t)base_read_u64(in);
        struct base_str hint = base_read_bytes(in);
        if (in->failed || hint.len > sizeof at.hint)
            return BASE_E_CORRUPT;
        at.hint_len = (uint32_t)hint.len;
        if (hint.len)
            memcpy(at.hint, hint.ptr, hint.len);
        if (!same)
            continue;
        e = position_set(input, &at);
        if (e == 0 && input->file)
            e = connectors_source_seek(input->file, &at);
    }
    struct service_watermarks marks;
    service_watermarks_init(&marks, input->marks.delay_ms);
    bool good = service_watermarks_load(&marks, in);
    if (e < 0)
        base_buf_printf(reterr, "table \"%s\": the stored position cannot be found again: %s", input->name,
                        input->file ? connectors_source_error(input->file) : base_error_text(e));
    if (e < 0 || !good || !same) {
        service_watermarks_finish(&marks);
        return e < 0 ? e : good ? 0 : BASE_E_CORRUPT;
    }
    service_watermarks_finish(&input->marks);
    input->marks = marks;
    input->finished = finished;
    return 0;
}

int service_input_rewind(struct service_input *input, struct base_buf *reterr)
{
    int e = stop_reading(input);
    struct connectors_position start = { 0 };
    if (e == 0 && input->file)
        e = connectors_source_seek(input->file, &start);
    if (e < 0)
        base_buf_printf(reterr, "table \"%s\": cannot start over: %s", input->name, input->file ? connectors_source_error(input->file) : base_error_text(e));
    return e;
}
