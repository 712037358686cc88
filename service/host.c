#include "service/host.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/keyed.h"
#include "connectors/store_sink.h"
#include "service/views.h"

#define LOOKUP_WAIT_US 50000 /* how long a full lookup waits before it looks whether the service ends */

/* ---- keys of the store ---- */

static void put_be(struct base_buf *out, uint64_t value, unsigned bytes)
{
    char text[8];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (char)(value >> (8 * (bytes - 1 - i)));
    base_buf_put(out, text, bytes);
}

static uint64_t get_be(const char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | (uint8_t)at[i];
    return value;
}

void service_state_key(uint32_t key_group, uint64_t fingerprint, const struct cep_tuple *key, uint32_t piece, struct base_buf *out)
{
    put_be(out, key_group, 2);
    put_be(out, fingerprint, 8);
    base_buf_put(out, key, key->size_bytes);
    put_be(out, piece, 4);
}

void service_timer_from(uint32_t key_group, int64_t deadline_ms, struct base_buf *out)
{
    put_be(out, key_group, 2);
    put_be(out, (uint64_t)deadline_ms ^ (1ull << 63), 8); /* so that bytes sort as signed numbers do */
}

void service_timer_key(uint32_t key_group, int64_t deadline_ms, uint64_t fingerprint, const struct cep_tuple *key, struct base_buf *out)
{
    service_timer_from(key_group, deadline_ms, out);
    put_be(out, fingerprint, 8);
    base_buf_put(out, key, key->size_bytes);
}

bool service_timer_parse(struct base_str key, struct base_buf *aligned, struct service_timer *ret)
{
    if (key.len < 18 + offsetof(struct cep_tuple, data))
        return false;
    ret->key_group = (uint32_t)get_be(key.ptr, 2);
    ret->deadline_ms = (int64_t)(get_be(key.ptr + 2, 8) ^ (1ull << 63));
    ret->fingerprint = get_be(key.ptr + 10, 8);
    base_buf_clear(aligned);
    base_buf_put(aligned, key.ptr + 18, key.len - 18);
    if (aligned->failed)
        return false;
    ret->key = (const struct cep_tuple *)(const void *)aligned->ptr;
    return ret->key->size_bytes == key.len - 18;
}

static uint32_t bloom_bit(uint64_t fingerprint, uint64_t key_hash)
{
    return (uint32_t)((fingerprint * 0x9e3779b97f4a7c15ull ^ key_hash) >> 44) % SERVICE_BLOOM_BITS;
}

static uint64_t mix(uint64_t fingerprint, uint64_t key_hash)
{
    uint64_t x = (fingerprint ^ key_hash) * 0x9e3779b97f4a7c15ull;
    return (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull + fingerprint;
}

static void known_add(struct service_known *known, uint64_t mixed)
{
    uint64_t a = mixed & known->mask, b = mixed >> 32 & known->mask;
    known->bits[a / 64] |= 1ull << (a % 64);
    known->bits[b / 64] |= 1ull << (b % 64);
}

void service_host_pieces_end(struct service_host *host)
{
    for (uint32_t i = 0; i < host->noting_count; i++)
        known_add(host->known, host->noting[i]);
    host->noting_count = 0;
}

/* The bits lie far apart, in more memory than is near: they are set some keys later. */
static void known_soon(struct service_host *host, uint64_t mixed)
{
    if (host->noting_count == SERVICE_NOTING)
        service_host_pieces_end(host);
    __builtin_prefetch(&host->known->bits[(mixed & host->known->mask) / 64], 1);
    __builtin_prefetch(&host->known->bits[(mixed >> 32 & host->known->mask) / 64], 1);
    host->noting[host->noting_count++] = mixed;
}

static bool known_has(const struct service_known *known, uint64_t mixed)
{
    uint64_t a = mixed & known->mask, b = mixed >> 32 & known->mask;
    return known->bits[a / 64] >> (a % 64) & known->bits[b / 64] >> (b % 64) & 1;
}

int service_host_piece(void *ctx, uint64_t fingerprint, uint32_t key_group, const struct cep_tuple *key, uint32_t piece, const void *bytes, size_t len,
                       int64_t deadline_ms)
{
    struct service_host *host = ctx;
    struct base_buf *name = &host->key_scratch;
    base_buf_clear(name);
    service_state_key(key_group, fingerprint, key, piece, name);
    if (name->failed)
        return BASE_E_NOMEM;
    uint64_t hash = cep_key_hash(key);
    uint32_t bit = bloom_bit(fingerprint, hash);
    host->written[bit / 64] |= 1ull << (bit % 64);
    uint64_t mixed = mix(fingerprint, hash);
    if (host->known && (!host->noting_count || host->noting[host->noting_count - 1] != mixed)) /* one key's pieces come one behind the other */
        known_soon(host, mixed);
    struct base_str at = { name->ptr, name->len };
    int e = bytes ? service_batch_put(host->part->image, SERVICE_CF_STATE, key_group, at, (struct base_str){ bytes, len })
                  : service_batch_delete(host->part->image, SERVICE_CF_STATE, key_group, at);
    bool gone = !bytes && deadline_ms == CEP_AT_START; /* a deadline that nothing purges */
    if (e < 0 || (!bytes && !gone) || piece != 0 || deadline_ms == BASE_TIME_MAX_MS)
        return e;
    struct service_deadline *have = &host->deadlines[mixed % SERVICE_DEADLINES];
    if (have->key == mixed && have->ms == deadline_ms && !gone)
        return 0; /* written in an earlier epoch, and not fired since */
    *have = gone ? (struct service_deadline){ 0 } : (struct service_deadline){ mixed, deadline_ms };
    base_buf_clear(name);
    service_timer_key(key_group, deadline_ms, fingerprint, key, name);
    if (name->failed)
        return BASE_E_NOMEM;
    if (gone)
        return service_batch_delete(host->part->image, SERVICE_CF_TIMERS, key_group, (struct base_str){ name->ptr, name->len });
    return service_batch_put(host->part->image, SERVICE_CF_TIMERS, key_group, (struct base_str){ name->ptr, name->len }, BASE_STR(""));
}

/* Pieces of the last image may still be on their way into the store. Those of one that is written aside are asked for there (0: found, or BASE_E_EOF: gone); for one that goes
 * with its epoch this waits until that is applied (or all is stopped). BASE_E_NOTFOUND: the store is to be asked. */
static int look_on_the_way(struct service_host *host, uint64_t fingerprint, const struct cep_tuple *key, uint32_t group, struct base_buf *ret)
{
    uint32_t bit = bloom_bit(fingerprint, cep_key_hash(key));
    if (!(host->written[bit / 64] >> (bit % 64) & 1))
        return BASE_E_NOTFOUND;
    int e = service_imager_find(host->shared->imager, host->sender, group, SERVICE_CF_STATE, (struct base_str){ host->key_scratch.ptr, host->key_scratch.len }, ret);
    if (e != BASE_E_NOTFOUND)
        return e;
    struct timespec pause = { .tv_nsec = 200000 };
    while (atomic_load(&host->shared->applied) < host->written_epoch) {
        if (atomic_load(&host->shared->stopping))
            return BASE_E_CLOSED;
        nanosleep(&pause, NULL);
    }
    return BASE_E_NOTFOUND;
}

static int on_load(void *ctx, uint64_t fingerprint, const struct cep_tuple *key, uint32_t piece, struct base_buf *ret)
{
    struct service_host *host = ctx;
    service_host_pieces_end(host);
    if (host->known && !known_has(host->known, mix(fingerprint, cep_key_hash(key))))
        return BASE_E_NOTFOUND;
    uint32_t group = (uint32_t)(cep_key_hash(key) % CEP_KEY_GROUPS);
    base_buf_clear(&host->key_scratch);
    service_state_key(group, fingerprint, key, piece, &host->key_scratch);
    if (host->key_scratch.failed)
        return BASE_E_NOMEM;
    int e = look_on_the_way(host, fingerprint, key, group, ret);
    if (e != BASE_E_NOTFOUND)
        return e == BASE_E_EOF ? BASE_E_NOTFOUND : e;
    return service_store_get(host->shared->store, SERVICE_CF_STATE, (struct base_str){ host->key_scratch.ptr, host->key_scratch.len }, ret);
}

/* ---- routing ---- */

static int on_route(void *ctx, uint32_t exchange, const struct cep_event *event)
{
    struct service_host *host = ctx;
    if (host->journal.reads)
        return 0; /* it is in the receiver's journal */
    struct service_exchange *x = host->shared->exchange;
    uint32_t receiver = (uint32_t)(event->key_hash % CEP_KEY_GROUPS % service_exchange_shards(x));
    return service_exchange_row(x, host->sender, service_plan_stage(host->shared->plan, exchange), receiver, exchange, event);
}

static int on_route_watermark(void *ctx, uint32_t exchange, int64_t watermark_ms)
{
    struct service_host *host = ctx;
    const struct service_plan *plan = host->shared->plan;
    uint32_t x = plan->exchange_of[exchange];
    bool ingest = host->sender == SERVICE_EXCHANGE_INGEST(host->shared->exchange);
    if (host->journal.reads || (ingest ? !plan->fed_by_ingest[x] : !plan->fed_by_shards[x]))
        return 0; /* nothing of this side ever goes there */
    return service_exchange_mark(host->shared->exchange, host->sender, service_plan_stage(plan, exchange), SERVICE_MESSAGE_WATERMARK, exchange, watermark_ms);
}

/* ---- results ---- */

static enum formats_alert_change change_of(const struct cep_row *row)
{
    switch ((enum cep_change)row->change) {
    case CEP_INSERT:
        return FORMATS_ALERT_CREATED;
    case CEP_UPDATE_BEFORE:
    case CEP_UPDATE_AFTER:
        return FORMATS_ALERT_UPDATED;
    case CEP_DELETE:
    case CEP_SETTLED:
        break;
    }
    return FORMATS_ALERT_WITHDRAWN;
}

/* The key as text: a single column as it is, several as "a,b". */
static void put_subject(const struct cep_program *program, const struct cep_event *event, struct base_buf *out)
{
    if (!event->key || event->key_node == CEP_NONE)
        return;
    struct cep_list columns = cep_program_node(program, event->key_node)->key_columns;
    for (uint32_t i = 0; i < columns.count && i < event->key->columns; i++) {
        struct cep_type type = cep_program_column(program, columns.first + i)->type;
        if (i)
            base_buf_putc(out, ',');
        cep_value_print_text(type, cep_tuple_get(event->key, i, type), out);
    }
}

static void count_alert(struct service_host *host, uint32_t rule, enum formats_alert_change change)
{
    static const enum service_metric metrics[] = { SERVICE_METRIC_CREATED, SERVICE_METRIC_UPDATED, SERVICE_METRIC_WITHDRAWN };
    static const enum service_rule_counter counters[] = { SERVICE_RULE_CREATED, SERVICE_RULE_UPDATED, SERVICE_RULE_WITHDRAWN };
    service_count(host->shared->metrics, metrics[change], 1);
    atomic_fetch_add_explicit(&host->shared->rules[rule]->value[counters[change]], 1, memory_order_relaxed);
    atomic_store_explicit(&host->shared->rules[rule]->last_alert_ms, base_clock_wall_ms(), memory_order_relaxed);
}

static int sink_alert(struct service_host *host, uint32_t node, uint32_t rule, const struct cep_event *event)
{
    if (event->row->change == CEP_UPDATE_BEFORE)
        return 0; /* the update's other half carries the new revision */
    const struct cep_program *program = host->shared->program;
    struct service_output output = {
        .node = node, .rule = rule, .table = CEP_NONE, .revision = event->revision, .change = change_of(event->row), .first_ms = event->first_time_ms,
        .last_ms = event->last_time_ms, .detected_ms = base_clock_wall_ms(),
    };
    formats_alert_id(program, rule, event->ident, output.alert_id);
    struct formats_alert alert = {
        .program = program, .rule = rule, .change = output.change, .schema = cep_program_node(program, node)->schema, .event = event,
        .alert_id = { output.alert_id, 32 }, .source = base_str_of(host->shared->source), .detected_ms = output.detected_ms,
        .evidence_bytes = host->shared->alert_bytes,
    };
    base_buf_clear(&host->scratch);
    base_buf_clear(&host->key_scratch);
    int e = formats_alert_json(&alert, &host->scratch);
    put_subject(program, event, &host->key_scratch);
    if (e < 0 || host->key_scratch.failed)
        return BASE_E_NOMEM;
    output.body = (struct base_str){ host->scratch.ptr, host->scratch.len };
    output.key = output.subject = (struct base_str){ host->key_scratch.ptr ? host->key_scratch.ptr : "", host->key_scratch.len };
    count_alert(host, rule, output.change);
    return service_part_alert(host->part, &output);
}

static int sink_row(struct service_host *host, uint32_t node, uint32_t table, const struct cep_event *event)
{
    struct service_output output = { .node = node, .rule = CEP_NONE, .table = table, .row_change = event->row->change, .detected_ms = base_clock_wall_ms() };
    base_buf_clear(&host->scratch);
    base_buf_clear(&host->key_scratch);
    if (host->cells[node]) {
        formats_cells_put(host->cells[node], event->row, &host->scratch);
        (void)formats_cells_key(host->cells[node], event->row, &host->key_scratch); /* false: the table has no key, every row is by itself */
    } else {
        formats_encode(host->encoders[node], event->row, &host->scratch);
        (void)formats_encode_key(host->encoders[node], event->row, &host->key_scratch); /* false: the table has no key, the record neither */
    }
    if (host->scratch.failed || host->key_scratch.failed)
        return BASE_E_NOMEM;
    output.body = (struct base_str){ host->scratch.ptr, host->scratch.len };
    output.key = (struct base_str){ host->key_scratch.ptr, host->key_scratch.len };
    service_count(host->shared->metrics, SERVICE_METRIC_OUTPUT_ROWS, 1);
    return service_part_row(host->part, &output);
}

static int on_sink(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct service_host *host = ctx;
    if (event->row->change == CEP_SETTLED || host->journal.reads) /* what comes out while rows are gone through again was decided before */
        return 0;
    const struct cep_sink *sink = cep_program_sink(host->shared->program, cep_program_node(host->shared->program, node)->detail);
    switch ((enum cep_sink_kind)sink->kind) {
    case CEP_SINK_RULE:
        return sink_alert(host, node, sink->detail, event);
    case CEP_SINK_TABLE:
        return sink_row(host, node, sink->detail, event);
    case CEP_SINK_VIEW:
        return service_views_row(host, node, event);
    case CEP_SINK_QUERY:
        break; /* a bare SELECT has nobody to answer to here */
    }
    return 0;
}

static int on_sink_watermark(void *ctx BASE_UNUSED, uint32_t node BASE_UNUSED, int64_t watermark_ms BASE_UNUSED)
{
    return 0;
}

static int on_lookup(void *ctx, uint32_t table, const struct cep_tuple *key, int64_t as_of_ms, const struct cep_row **ret)
{
    struct service_host *host = ctx;
    if (host->journal.reads)
        return service_journal_take_found(&host->journal, ret);
    int e = 0;
    if (service_lookups_has(host->lookups, table))
        e = service_lookups_find(host->lookups, table, key, as_of_ms == BASE_TIME_MAX_MS, ret);
    else
        *ret = service_profiles_find(host->shared->profiles, table, key, as_of_ms);
    if (e == BASE_E_NOMEM)
        return e;
    int kept = service_journal_found(&host->journal, e == 0 ? *ret : NULL, e);
    return kept < 0 ? kept : e;
}

static bool on_lookup_later(void *ctx, uint32_t table)
{
    return service_lookups_has(((struct service_host *)ctx)->lookups, table);
}

static int on_lookup_want(void *ctx, uint32_t table, const struct cep_tuple *key)
{
    struct service_host *host = ctx;
    return host->journal.reads ? 0 : service_lookups_want(host->lookups, table, key); /* who still waits behind the journal is asked for then */
}

static int on_lookup_wait(void *ctx, uint32_t table)
{
    struct service_host *host = ctx;
    if (atomic_load(&host->shared->stopping))
        return BASE_E_CLOSED;
    if (host->journal.reads)
        return 0;
    return service_lookups_wait(host->lookups, table, LOOKUP_WAIT_US);
}

static void on_lookup_answered(void *ctx)
{
    const struct service_host *host = ctx;
    service_exchange_wake(host->shared->exchange, host->sender);
}

static int64_t on_lookup_watermark(void *ctx, uint32_t table)
{
    struct service_host *host = ctx;
    int64_t watermark_ms = BASE_TIME_MIN_MS;
    if (host->journal.reads) { /* if something else is there, the next step tells */
        int e = service_journal_take_reached(&host->journal, &watermark_ms);
        return e < 0 ? BASE_TIME_MIN_MS : watermark_ms;
    }
    watermark_ms = service_profiles_watermark(host->shared->profiles, table);
    if (service_journal_reached(&host->journal, watermark_ms) < 0)
        host->journal_lost = true;
    return watermark_ms;
}

static int64_t on_proc_time(void *ctx BASE_UNUSED)
{
    return base_clock_wall_ms();
}

/* ---- reports ---- */

static void count_for_rules(struct service_host *host, uint32_t node, enum service_rule_counter counter, uint64_t by)
{
    if (node == CEP_NONE)
        return;
    for (uint32_t rule = 0; rule < cep_program_rule_count(host->shared->program); rule++) {
        if (service_plan_reaches(host->shared->plan, node, rule))
            atomic_fetch_add_explicit(&host->shared->rules[rule]->value[counter], by, memory_order_relaxed);
    }
}

static struct base_str first_rule(const struct service_host *host, uint32_t node)
{
    const struct cep_program *program = host->shared->program;
    for (uint32_t rule = 0; node != CEP_NONE && rule < cep_program_rule_count(program); rule++) {
        if (service_plan_reaches(host->shared->plan, node, rule))
            return cep_program_text(program, cep_program_rule(program, rule)->name);
    }
    return (struct base_str){ 0 };
}

/* Schema of the rows that a node reads; CEP_NONE if its input is not known to be the row's. */
static uint32_t input_schema(const struct cep_program *program, uint32_t node)
{
    const struct cep_node *at = cep_program_node(program, node);
    return at->inputs.count ? cep_program_node(program, *cep_program_u32(program, at->inputs.first))->schema : at->schema;
}

static void letter_error(struct service_host *host, uint32_t node, int error, const struct cep_event *event)
{
    const struct cep_program *program = host->shared->program;
    if (!event || !event->row)
        return;
    uint32_t schema = node == CEP_NONE ? CEP_NONE : input_schema(program, node);
    if (schema != CEP_NONE && cep_program_schema(program, schema)->columns.count != event->row->tuple.columns)
        schema = CEP_NONE;
    struct service_letter_row row = { .program = program, .schema = schema, .row = event->row, .rule = first_rule(host, node),
                                      .reason = base_error_text(error), .code = error };
    service_letters_row(host->shared->letters, &row);
}

static void tell_timed_out(struct service_host *host, uint32_t node, uint64_t count)
{
    service_count(host->shared->metrics, SERVICE_METRIC_TIMED_OUT, count);
    count_for_rules(host, node, SERVICE_RULE_TIMED_OUT, count);
}

static void note_timed_out(struct service_host *host, uint32_t node)
{
    if (!host->timed_out || node == CEP_NONE)
        tell_timed_out(host, node, 1);
    else if (host->timed_out[node]++ == 0)
        host->timed_out_nodes[host->timed_out_count++] = node;
}

void service_host_tell(struct service_host *host)
{
    for (uint32_t i = 0; i < host->timed_out_count; i++) {
        uint32_t node = host->timed_out_nodes[i];
        tell_timed_out(host, node, host->timed_out[node]);
        host->timed_out[node] = 0;
    }
    host->timed_out_count = 0;
}

static void on_report(void *ctx, enum cep_report what, uint32_t node, int error, const struct cep_code *place BASE_UNUSED,
                      const struct cep_event *event)
{
    struct service_host *host = ctx;
    struct service_metrics *metrics = host->shared->metrics;
    if (host->journal.reads)
        return; /* counted before */
    switch (what) {
    case CEP_REPORT_ERROR:
        service_count(metrics, SERVICE_METRIC_ERRORS, 1);
        count_for_rules(host, node, SERVICE_RULE_ERRORS, 1);
        letter_error(host, node, error, event);
        break;
    case CEP_REPORT_LATE:
        service_count(metrics, SERVICE_METRIC_LATE, 1);
        count_for_rules(host, node, SERVICE_RULE_LATE, 1);
        break;
    case CEP_REPORT_LATE_AFTER_IDLE:
        service_count(metrics, SERVICE_METRIC_LATE_IDLE, 1);
        count_for_rules(host, node, SERVICE_RULE_LATE, 1);
        break;
    case CEP_REPORT_LIMIT:
        service_count(metrics, SERVICE_METRIC_LIMITS, 1);
        count_for_rules(host, node, SERVICE_RULE_LIMITS, 1);
        break;
    case CEP_REPORT_TIMED_OUT:
        note_timed_out(host, node);
        break;
    case CEP_REPORT_SUPPRESSED:
        service_count(metrics, SERVICE_METRIC_SUPPRESSED, 1);
        count_for_rules(host, node, SERVICE_RULE_SUPPRESSED, 1);
        break;
    case CEP_REPORT_COUNT_:
        break;
    }
}

/* ---- life ---- */

static int make_encoders(struct service_host *host, struct base_buf *reterr)
{
    const struct cep_program *program = host->shared->program;
    host->encoders = base_calloc(cep_program_node_count(program) + 1, sizeof *host->encoders);
    host->cells = base_calloc(cep_program_node_count(program) + 1, sizeof *host->cells);
    if (!host->encoders || !host->cells)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < cep_program_node_count(program); i++) {
        const struct cep_node *node = cep_program_node(program, i);
        if (node->kind != CEP_NODE_SINK || cep_program_sink(program, node->detail)->kind != CEP_SINK_TABLE)
            continue;
        const struct cep_sink *sink = cep_program_sink(program, node->detail);
        struct base_str connector = cep_program_setting(program, cep_program_table(program, sink->detail)->options, "connector");
        bool upsert = base_str_equal(connector, BASE_STR("upsert-kafka")); /* says by tombstones what others say by "op" */
        struct formats_encoder_config config = { program, node->schema, sink->detail, sink->accepts_changes && !upsert };
        char text[512] = "";
        int e = connectors_is_store(connector) ? formats_cells_create(program, node->schema, sink->detail, &host->cells[i])
                                               : formats_encoder_create(&config, &host->encoders[i], text, sizeof text);
        if (e < 0) {
            struct base_str name = cep_program_text(program, cep_program_table(program, sink->detail)->name);
            base_buf_printf(reterr, "table \"%.*s\": %s", (int)name.len, name.ptr, *text ? text : base_error_text(e));
            return e;
        }
    }
    return 0;
}

int service_host_init(struct service_host *host, struct service_shared *shared, uint32_t sender, struct base_buf *reterr)
{
    *host = (struct service_host){ .shared = shared, .sender = sender };
    service_journal_init(&host->journal);
    host->written = base_calloc(SERVICE_BLOOM_BITS / 64, sizeof *host->written);
    host->deadlines = base_calloc(SERVICE_DEADLINES, sizeof *host->deadlines);
    if (!host->written || !host->deadlines)
        return BASE_E_NOMEM;
    bool ingest = sender == SERVICE_EXCHANGE_INGEST(shared->exchange);
    uint32_t nodes = cep_program_node_count(shared->program);
    if (!ingest) {
        host->timed_out = base_calloc((size_t)nodes + 1, sizeof *host->timed_out);
        host->timed_out_nodes = base_calloc((size_t)nodes + 1, sizeof *host->timed_out_nodes);
        if (!host->timed_out || !host->timed_out_nodes)
            return BASE_E_NOMEM;
    }
    host->known = shared->known && !ingest && shared->known[sender].bits ? &shared->known[sender] : NULL;
    struct service_lookups_config lookups = { .program = shared->program, .application = "cepheid", .allow_private = shared->allow_private, .metrics = shared->metrics,
                                               .wake = on_lookup_answered, .wake_ctx = host };
    int e = ingest ? 0 : service_lookups_create(&lookups, &host->lookups, reterr);
    return e < 0 ? e : make_encoders(host, reterr);
}

void service_host_finish(struct service_host *host)
{
    for (uint32_t i = 0; host->encoders && i < cep_program_node_count(host->shared->program); i++)
        formats_encoder_destroy(host->encoders[i]);
    for (uint32_t i = 0; host->cells && i < cep_program_node_count(host->shared->program); i++)
        formats_cells_destroy(host->cells[i]);
    base_free(host->cells);
    host->cells = NULL;
    base_free(host->encoders);
    service_lookups_destroy(host->lookups);
    host->lookups = NULL;
    service_journal_finish(&host->journal);
    base_free(host->written);
    base_free(host->deadlines);
    base_free(host->timed_out);
    base_free(host->timed_out_nodes);
    host->timed_out = NULL;
    host->timed_out_nodes = NULL;
    base_buf_finish(&host->scratch);
    base_buf_finish(&host->key_scratch);
    host->encoders = NULL;
    host->written = NULL;
    host->deadlines = NULL;
}

void service_host_use_part(struct service_host *host, struct service_part *part)
{
    host->part = part;
    if (host->sender != SERVICE_EXCHANGE_INGEST(host->shared->exchange))
        host->journal.out = &part->journal;
}

void service_host_next_epoch(struct service_host *host, struct service_part *part)
{
    service_host_use_part(host, part);
    if (atomic_load(&host->shared->image))
        host->written_epoch = host->epoch;
    host->epoch++;
}

struct cep_env service_host_env(struct service_host *host)
{
    return (struct cep_env){
        .ctx = host, .route = on_route, .route_watermark = on_route_watermark, .sink = on_sink, .sink_watermark = on_sink_watermark, .lookup = on_lookup, .lookup_watermark = on_lookup_watermark,
        .lookup_later = on_lookup_later, .lookup_want = on_lookup_want, .lookup_wait = on_lookup_wait,
        .report = on_report, .proc_time_ms = on_proc_time, .tape = &host->journal.tape, .load = on_load,
    };
}
