#include "service/outlets.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "connectors/kafka_sink.h"
#include "connectors/sink.h"
#include "connectors/store_sink.h"
#include "formats/encode.h"
#include "service/delivery_store.h"
#include "service/kafka_options.h"

#define FLUSH_MS 10000

/* One place that records go to: a file (or printed), or a topic by the decider or by a producer of its own. */
struct outlet {
    const char *name;
    struct connectors_sink *file;
    struct connectors_kafka_sink *kafka;  /* at-least-once */
    const char *topic;                    /* Kafka */
    struct clients_option *options;       /* Kafka */
    size_t option_count;
    bool in_store;                        /* a table in a store: */
    struct service_row_sink *store;       /* its sink, once attached */
    bool upsert;                          /* of the rows of one key in an epoch only the last is written; a deleted one as a tombstone */
    struct upserts { const struct service_output **at; size_t len, cap; } upserts;
    struct base_map by_key;               /* key -> index in upserts + 1 */
    bool written;                         /* since the last flush */
};
struct service_outlets {
    struct base_arena arena;
    struct outlet *tables;   /* by program table; unused ones empty */
    uint32_t table_count;
    struct service_row_sinks *row_sinks;
    struct outlet dead, late;
};

static void close_outlet(struct outlet *outlet)
{
    connectors_sink_close(outlet->file);
    connectors_kafka_sink_destroy(outlet->kafka);
    BASE_VEC_FINISH(&outlet->upserts);
    base_map_finish(&outlet->by_key);
}

void service_outlets_close(struct service_outlets *outlets)
{
    if (!outlets)
        return;
    for (uint32_t i = 0; i < outlets->table_count; i++)
        close_outlet(&outlets->tables[i]);
    close_outlet(&outlets->dead);
    close_outlet(&outlets->late);
    base_arena_finish(&outlets->arena);
    base_free(outlets);
}

static const char *text_of(struct service_outlets *outlets, const struct cep_program *program, struct cep_text text)
{
    struct base_str s = cep_program_text(program, text);
    return base_arena_strndup(&outlets->arena, s.ptr, s.len);
}

/* The table's 'properties.*' as options of a producer. */
static int kafka_table(struct service_outlets *outlets, const struct cep_program *program, const struct cep_table *table, struct outlet *outlet,
                       struct base_buf *reterr)
{
    outlet->options = base_arena_zalloc(&outlets->arena, table->options.count + 1, sizeof *outlet->options);
    if (!outlet->options)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < table->options.count; i++) {
        const struct cep_option *option = cep_program_option(program, table->options.first + i);
        struct clients_option copy = { text_of(outlets, program, option->key), text_of(outlets, program, option->value) };
        if (!copy.name || !copy.value)
            return BASE_E_NOMEM;
        if (strcmp(copy.name, "topic") == 0)
            outlet->topic = copy.value;
        else if (clients_kafka_is_property(copy.name))
            outlet->options[outlet->option_count++] = copy;
    }
    if (!outlet->topic) {
        base_buf_printf(reterr, "table \"%s\": a Kafka table needs 'topic'", outlet->name);
        return BASE_E_CONFIG;
    }
    return 0;
}

static int own_producer(struct outlet *outlet, struct base_buf *reterr)
{
    struct connectors_kafka_sink_options options = { .name = outlet->name, .options = outlet->options, .option_count = outlet->option_count };
    return connectors_kafka_sink_create(&options, &outlet->kafka, reterr);
}

/* The line of column names, if the table wants one. */
static int put_head(const struct cep_program *program, uint32_t table, struct base_buf *head, char *ret_error, size_t error_bytes)
{
    struct base_str wants = cep_program_setting(program, cep_program_table(program, table)->options, "csv.header");
    for (uint32_t n = 0; n < cep_program_node_count(program) && base_str_equal_fold(wants, BASE_STR("true")); n++) {
        const struct cep_node *node = cep_program_node(program, n);
        const struct cep_sink *sink = node->kind == CEP_NODE_SINK ? cep_program_sink(program, node->detail) : NULL;
        if (!sink || sink->kind != CEP_SINK_TABLE || sink->detail != table)
            continue;
        const struct formats_encoder_config config = { program, node->schema, table, sink->accepts_changes };
        struct formats_encoder *encoder = NULL;
        int e = formats_encoder_create(&config, &encoder, ret_error, error_bytes);
        if (e == 0)
            (void)formats_encode_head(encoder, head);
        formats_encoder_destroy(encoder);
        return e;
    }
    return 0;
}

/* When a table's file is put aside, and how each begins. */
static int turn_file(const struct outlet *outlet, const struct cep_program *program, uint32_t table, char *ret_error, size_t error_bytes)
{
    static const char *const names[] = { "sink.rotate.size", "sink.rotate.interval" };
    struct connectors_file_turn turn = { 0 };
    struct base_buf head = { 0 };
    int e = 0;
    for (int i = 0; i < 2 && e == 0; i++) {
        struct base_str text = cep_program_setting(program, cep_program_table(program, table)->options, names[i]);
        char copy[64];
        snprintf(copy, sizeof copy, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
        if (text.ptr && !(i == 0 ? service_parse_size(copy, &turn.bytes) && turn.bytes > 0 : service_parse_duration(copy, &turn.ms) && turn.ms > 0)) {
            snprintf(ret_error, error_bytes, "'%s' cannot be '%s': write %s", names[i], copy, i == 0 ? "'64 MiB'" : "'1 h'");
            e = BASE_E_CONFIG;
        }
    }
    if (e == 0)
        e = put_head(program, table, &head, ret_error, error_bytes);
    turn.head = (struct base_str){ head.ptr, head.len };
    if (e == 0)
        e = connectors_file_sink_turn(outlet->file, &turn);
    base_buf_finish(&head);
    return e;
}

static int open_table(struct service_outlets *outlets, const struct service_outlets_config *how, const struct cep_program *program, uint32_t i,
                      struct base_buf *reterr)
{
    const struct cep_table *table = cep_program_table(program, i);
    struct outlet *outlet = &outlets->tables[i];
    struct base_str connector = cep_program_setting(program, table->options, "connector");
    if (outlet->name)
        return 0;
    outlet->name = text_of(outlets, program, table->name);
    if (!outlet->name)
        return BASE_E_NOMEM;
    if (base_str_equal(connector, BASE_STR("kafka")) || base_str_equal(connector, BASE_STR("upsert-kafka"))) {
        bool upsert = base_str_equal(connector, BASE_STR("upsert-kafka"));
        outlet->upsert = upsert && how->row_sinks;
        if (upsert && table->key_fields.count == 0) {
            base_buf_printf(reterr, "table \"%s\": 'upsert-kafka' writes rows by their key: the table needs a PRIMARY KEY (…) NOT ENFORCED", outlet->name);
            return BASE_E_CONFIG;
        }
        int e = kafka_table(outlets, program, table, outlet, reterr);
        return e == 0 && !how->transactional ? own_producer(outlet, reterr) : e;
    }
    bool store = connectors_is_store(connector);
    if (store && how->row_sinks) {
        outlet->in_store = true;
        return 0;
    }
    struct connectors_source_config config = { program, table, NULL };
    char text[512] = "";
    int e = store ? connectors_file_sink_open("-", &outlet->file, text, sizeof text) : connectors_sink_open(&config, &outlet->file, text, sizeof text);
    if (e == 0 && !store)
        e = turn_file(outlet, program, i, text, sizeof text);
    if (e < 0)
        base_buf_printf(reterr, "table \"%s\": %s", outlet->name, *text ? text : base_error_text(e));
    return e;
}

static int open_letters(struct service_outlets *outlets, const struct service_config *config, enum service_setting setting, const char *file, bool transactional,
                        struct outlet *outlet, struct base_buf *reterr)
{
    const char *name = config->text[setting];
    const struct service_sink_config *sink = NULL;
    for (uint32_t i = 0; *name && i < config->sink_count; i++)
        sink = strcmp(config->sinks[i].name, name) == 0 ? &config->sinks[i] : sink;
    if (*name && (!sink || strcmp(sink->type, "webhook") == 0 || service_delivery_is_store(sink->type))) {
        base_buf_printf(reterr, "%s names \"%s\", which is %s", setting == SERVICE_LATE_SINK ? "late.sink" : "dead-letter.sink", name,
                        sink ? "a webhook or a store; it must be a file, stdout or kafka" : "no entry of \"sinks\"");
        return BASE_E_CONFIG;
    }
    outlet->name = *name ? name : file;
    if (sink && strcmp(sink->type, "kafka") == 0) {
        outlet->topic = service_sink_option(sink, "topic", "");
        outlet->options = base_arena_zalloc(&outlets->arena, SERVICE_KAFKA_OPTIONS_MAX, sizeof *outlet->options);
        if (!outlet->options)
            return BASE_E_NOMEM;
        outlet->option_count = service_kafka_sink_options(sink, outlet->options);
        return transactional ? 0 : own_producer(outlet, reterr);
    }
    const char *path = !sink ? base_arena_printf(&outlets->arena, "%s/%s", config->text[SERVICE_STATE_DIR], file)
                       : strcmp(sink->type, "stdout") == 0 ? "-" : service_sink_option(sink, "path", NULL);
    char text[512] = "";
    int e = path ? connectors_file_sink_open(path, &outlet->file, text, sizeof text) : BASE_E_CONFIG;
    if (e < 0)
        base_buf_printf(reterr, "sink \"%s\": %s", outlet->name, *text ? text : "a file sink needs \"path\"");
    return e;
}

int service_outlets_open(const struct service_outlets_config *how, const struct cep_program *program, struct service_outlets **ret, struct base_buf *reterr)
{
    const struct service_config *config = how->config;
    bool transactional = how->transactional;
    struct service_outlets *outlets = base_calloc(1, sizeof *outlets);
    if (!outlets)
        return BASE_E_NOMEM;
    outlets->row_sinks = how->row_sinks;
    outlets->table_count = cep_program_table_count(program);
    outlets->tables = base_arena_zalloc(&outlets->arena, outlets->table_count + 1, sizeof *outlets->tables);
    int e = outlets->tables ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < cep_program_sink_count(program); i++) {
        const struct cep_sink *sink = cep_program_sink(program, i);
        if (sink->kind == CEP_SINK_TABLE)
            e = open_table(outlets, how, program, sink->detail, reterr);
    }
    if (e == 0 && config)
        e = open_letters(outlets, config, SERVICE_DEAD_LETTER_SINK, "dead-letters.jsonl", transactional, &outlets->dead, reterr);
    if (e == 0 && config)
        e = open_letters(outlets, config, SERVICE_LATE_SINK, "late.jsonl", transactional, &outlets->late, reterr);
    if (e < 0) {
        service_outlets_close(outlets);
        return e;
    }
    *ret = outlets;
    return 0;
}

const void *service_outlets_kafka_options(const struct service_outlets *outlets, size_t *ret_count)
{
    for (uint32_t i = 0; i < outlets->table_count; i++) {
        if (outlets->tables[i].topic) {
            *ret_count = outlets->tables[i].option_count;
            return outlets->tables[i].options;
        }
    }
    return NULL;
}

static int write_record(struct outlet *outlet, struct service_decider *decider, struct base_str key, struct base_str body, struct base_buf *reterr)
{
    int e;
    outlet->written = true;
    if (outlet->topic && decider)
        return service_decider_produce(decider, outlet->topic, key, body, false, reterr);
    if (outlet->kafka)
        e = connectors_kafka_sink_produce(outlet->kafka, outlet->topic, key, body, NULL, 0);
    else
        e = outlet->file ? connectors_sink_write(outlet->file, body, key) : BASE_E_CONFIG;
    if (e < 0)
        base_buf_printf(reterr, "%s cannot be written: %s", outlet->name, outlet->file && outlet->file->error[0] ? outlet->file->error : base_error_text(e));
    return e;
}

int service_outlets_attach(struct service_outlets *outlets)
{
    for (uint32_t i = 0; i < outlets->table_count; i++) {
        struct outlet *outlet = &outlets->tables[i];
        if (!outlet->in_store)
            continue;
        outlet->store = service_row_sinks_find(outlets->row_sinks, base_str_of(outlet->name));
        if (!outlet->store)
            return BASE_E_INVALID;
    }
    return 0;
}

/* A row whose key is taken back, or that is gone. */
static bool removes(const struct service_output *output)
{
    return output->row_change == CEP_UPDATE_BEFORE || output->row_change == CEP_DELETE;
}

static int keep_upsert(struct outlet *outlet, const struct service_output *output)
{
    bool added;
    uint64_t *index = base_map_put(&outlet->by_key, output->key, &added);
    if (!index || (added && !BASE_VEC_PUSH(&outlet->upserts, output)))
        return BASE_E_NOMEM;
    if (added)
        *index = outlet->upserts.len;
    else
        outlet->upserts.at[*index - 1] = output;
    return 0;
}

int service_outlets_row(struct service_outlets *outlets, struct service_decider *decider, const struct service_output *output, struct base_buf *reterr)
{
    struct outlet *outlet = &outlets->tables[output->table];
    if (outlet->store)
        return service_row_sink_add(outlet->store, &(struct service_row_change){ removes(output), output->key, output->body });
    if (outlet->upsert)
        return keep_upsert(outlet, output);
    return write_record(outlet, decider, output->key, output->body, reterr);
}

static int write_upserts(struct outlet *outlet, struct service_decider *decider, struct base_buf *reterr)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < outlet->upserts.len; i++) {
        const struct service_output *output = outlet->upserts.at[i];
        e = write_record(outlet, decider, output->key, removes(output) ? (struct base_str){ 0 } : output->body, reterr);
    }
    outlet->upserts.len = 0;
    base_map_finish(&outlet->by_key);
    return e;
}

int service_outlets_rows_end(struct service_outlets *outlets, struct service_decider *decider, struct service_batch *batch, struct base_buf *reterr)
{
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < outlets->table_count; i++) {
        if (outlets->tables[i].upserts.len)
            e = write_upserts(&outlets->tables[i], decider, reterr);
    }
    if (e == 0 && outlets->row_sinks)
        e = service_row_sinks_write(outlets->row_sinks, batch);
    return e;
}

static int write_lines(struct outlet *outlet, struct service_decider *decider, const struct base_buf *lines, struct base_buf *reterr)
{
    for (size_t at = 0; at < lines->len;) {
        const char *end = memchr(lines->ptr + at, '\n', lines->len - at);
        size_t len = end ? (size_t)(end - (lines->ptr + at)) : lines->len - at;
        int e = write_record(outlet, decider, (struct base_str){ 0 }, (struct base_str){ lines->ptr + at, len }, reterr);
        if (e < 0)
            return e;
        at += len + 1;
    }
    return 0;
}

int service_outlets_letters(struct service_outlets *outlets, struct service_decider *decider, const struct base_buf *dead, const struct base_buf *late,
                            struct base_buf *reterr)
{
    if (dead->failed || late->failed)
        return BASE_E_NOMEM;
    int e = write_lines(&outlets->dead, decider, dead, reterr);
    return e == 0 ? write_lines(&outlets->late, decider, late, reterr) : e;
}

static int flush_outlet(struct outlet *outlet, struct base_buf *reterr)
{
    if (!outlet->written)
        return 0;
    int e = outlet->file ? connectors_sink_flush(outlet->file) : outlet->kafka ? connectors_kafka_sink_flush(outlet->kafka, FLUSH_MS, reterr) : 0;
    if (e < 0 && outlet->file)
        base_buf_printf(reterr, "%s cannot be written: %s", outlet->name, outlet->file->error);
    outlet->written = e < 0;
    return e;
}

int service_outlets_flush(struct service_outlets *outlets, struct base_buf *reterr)
{
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < outlets->table_count; i++)
        e = flush_outlet(&outlets->tables[i], reterr);
    if (e == 0)
        e = flush_outlet(&outlets->dead, reterr);
    return e == 0 ? flush_outlet(&outlets->late, reterr) : e;
}
