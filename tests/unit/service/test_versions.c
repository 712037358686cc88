/* Profile tables in event time (docs/semantics.md, "Profile tables"): a rule is fed rows and versions in every interleaving; under final emission what comes out
 * is the same for all of them, under eager emission what stands at the end is, also when the state is written and read back at every step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/flow.h"
#include "enrichment/table.h"
#include "patterns/compile.h"
#include "service/message.h"
#include "tests/unit/ruled.h"
#include "tests/unit/tap.h"

#define ALERTS 64
#define ORDERS_DELAY_MS 1000

struct alert { uint64_t ident; char text[160]; bool standing; uint32_t told; };
struct host {
    const struct cep_program *program;
    const struct cep_linked *linked;
    struct cep_flow *flow;
    struct enrichment_table *table;
    int64_t known_ms, orders_ms;
    uint64_t generation;
    struct base_buf routed;
    struct service_unpacked unpacked;
    struct base_arena arena;
    struct alert alerts[ALERTS];
    uint32_t alert_count, told, limits;
    uint32_t profile, node, columns;  /* program: the profile's table, the source node */
    uint64_t max_waiting;
    bool restart;                     /* write and read the state back at every step */
    struct cep_limits limit;
};

/* ---- the flow's host ---- */

static int on_route(void *ctx, uint32_t exchange, const struct cep_event *event)
{
    return service_message_put_row(&((struct host *)ctx)->routed, exchange, event);
}
static int on_route_watermark(void *ctx, uint32_t exchange, int64_t watermark_ms)
{
    return service_message_put_mark(&((struct host *)ctx)->routed, SERVICE_MESSAGE_WATERMARK, exchange, watermark_ms);
}
static int on_sink_watermark(void *ctx BASE_UNUSED, uint32_t node BASE_UNUSED, int64_t watermark_ms BASE_UNUSED) { return 0; }
static int on_lookup(void *ctx, uint32_t table BASE_UNUSED, const struct cep_tuple *key, int64_t as_of_ms, const struct cep_row **ret)
{
    *ret = enrichment_table_find(((struct host *)ctx)->table, key, as_of_ms);
    return 0;
}
static int64_t on_lookup_watermark(void *ctx, uint32_t table BASE_UNUSED) { return ((struct host *)ctx)->known_ms; }
static void on_report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error BASE_UNUSED, const struct cep_code *place BASE_UNUSED,
                      const struct cep_event *event BASE_UNUSED)
{
    ((struct host *)ctx)->limits += what == CEP_REPORT_LIMIT;
}
static int64_t on_proc_time(void *ctx BASE_UNUSED) { return 0; }

static void row_text(const struct host *host, uint32_t node, const struct cep_row *row, char ret[160])
{
    const struct cep_schema *schema = cep_program_schema(host->program, cep_program_node(host->program, node)->schema);
    struct base_buf out = { 0 };
    for (uint32_t i = 0; i < schema->columns.count; i++) {
        struct cep_type type = cep_program_column(host->program, schema->columns.first + i)->type;
        struct cep_value v = cep_tuple_get(&row->tuple, i, type);
        base_buf_puts(&out, i ? "," : "");
        if (v.null)
            base_buf_puts(&out, "-");
        else
            cep_value_print_text(type, v, &out);
    }
    snprintf(ret, 160, "%s", out.ptr ? out.ptr : "");
    base_buf_finish(&out);
}

static int on_sink(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct host *host = ctx;
    uint32_t i = 0;
    while (i < host->alert_count && host->alerts[i].ident != event->ident.lo)
        i++;
    if (i == ALERTS)
        return BASE_E_LIMIT;
    host->alert_count += i == host->alert_count;
    struct alert *alert = &host->alerts[i];
    alert->ident = event->ident.lo;
    alert->standing = event->row->change != CEP_DELETE;
    alert->told++;
    host->told++;
    row_text(host, node, event->row, alert->text);
    return 0;
}

/* ---- state: everything out, and into a new flow ---- */

struct piece { uint64_t fingerprint; uint32_t number; char *key, *bytes; size_t len; int64_t deadline_ms; };
struct pieces { struct piece *at; size_t len, cap; };
static struct pieces store;

static int on_piece(void *ctx BASE_UNUSED, uint64_t fingerprint, uint32_t key_group BASE_UNUSED, const struct cep_tuple *key, uint32_t number, const void *bytes,
                    size_t len, int64_t deadline_ms)
{
    size_t i = 0;
    while (i < store.len && !(store.at[i].fingerprint == fingerprint && store.at[i].number == number &&
                              cep_tuple_equal((struct cep_tuple *)(void *)store.at[i].key, key)))
        i++;
    if (i == store.len) {
        struct piece fresh = { .fingerprint = fingerprint, .number = number, .key = malloc(key->size_bytes) };
        memcpy(fresh.key, key, key->size_bytes);
        if (!BASE_VEC_PUSH(&store, fresh))
            return BASE_E_NOMEM;
    }
    free(store.at[i].bytes);
    store.at[i].bytes = bytes ? malloc(len + 1) : NULL;
    if (bytes)
        memcpy(store.at[i].bytes, bytes, len);
    store.at[i].len = len;
    store.at[i].deadline_ms = deadline_ms;
    return 0;
}

static int on_load(void *ctx BASE_UNUSED, uint64_t fingerprint, const struct cep_tuple *key, uint32_t number, struct base_buf *ret)
{
    for (size_t i = 0; i < store.len; i++) {
        if (store.at[i].fingerprint == fingerprint && store.at[i].number == number && store.at[i].bytes &&
            cep_tuple_equal((struct cep_tuple *)(void *)store.at[i].key, key)) {
            base_buf_put(ret, store.at[i].bytes, store.at[i].len);
            return 0;
        }
    }
    return BASE_E_NOTFOUND;
}

static void empty_store(void)
{
    for (size_t i = 0; i < store.len; i++) {
        free(store.at[i].key);
        free(store.at[i].bytes);
    }
    BASE_VEC_FINISH(&store);
}

static int make_flow(struct host *host)
{
    struct cep_env env = { .ctx = host, .route = on_route, .route_watermark = on_route_watermark, .sink = on_sink, .sink_watermark = on_sink_watermark,
                           .lookup = on_lookup, .lookup_watermark = on_lookup_watermark, .report = on_report, .proc_time_ms = on_proc_time, .load = on_load };
    return cep_flow_create(host->linked, &env, &host->limit, &host->flow);
}

/* As after a crash behind a decided epoch: watermarks and deadlines are put back, keys come from the store when they are asked for. */
static int start_again(struct host *host)
{
    struct base_buf marks = { 0 };
    int e = cep_flow_checkpoint(host->flow, on_piece, host);
    if (e == 0)
        e = cep_flow_watermarks(host->flow, &marks);
    cep_flow_destroy(host->flow);
    host->flow = NULL;
    if (e == 0)
        e = make_flow(host);
    if (e == 0)
        e = cep_flow_restore_watermarks(host->flow, marks.ptr, marks.len);
    for (size_t i = 0; e == 0 && i < store.len; i++)
        if (store.at[i].number == 0 && store.at[i].bytes && store.at[i].deadline_ms != BASE_TIME_MAX_MS)
            e = cep_flow_restore_timer(host->flow, store.at[i].fingerprint, (struct cep_tuple *)(void *)store.at[i].key, store.at[i].deadline_ms);
    base_buf_finish(&marks);
    return e;
}

/* ---- feeding ---- */

static int drain(struct host *host)
{
    int e = 0;
    while (host->routed.len && e == 0) {
        struct base_buf now = host->routed;
        host->routed = (struct base_buf){ 0 };
        for (size_t at = 0; at < now.len && e == 0;) {
            const struct service_message *message = (const struct service_message *)(const void *)(now.ptr + at);
            if (message->kind == SERVICE_MESSAGE_WATERMARK) {
                e = cep_flow_deliver_watermark(host->flow, message->exchange, message->time_ms);
            } else {
                e = service_message_unpack(message, &host->unpacked);
                if (e == 0)
                    e = cep_flow_deliver(host->flow, message->exchange, &host->unpacked.event);
            }
            at += message->size_bytes;
        }
        base_buf_finish(&now);
    }
    return e;
}

/* 'o' user amount time: an order. 'p' user level time: a version (level < 0: gone). 'w' - - time: the profile's watermark. */
struct step { char what; const char *user; int value; int64_t time_ms; };

static struct cep_value field_value(const struct host *host, const struct cep_field *field, const struct step *step, int offset)
{
    struct base_str name = cep_program_text(host->program, field->name);
    struct cep_value v = { .i = step->value };
    if (base_str_equal(name, BASE_STR("user_id")))
        return cep_string(step->user, strlen(step->user));
    if (base_str_equal(name, BASE_STR("ts")) || base_str_equal(name, BASE_STR("since")))
        v.i = step->time_ms;
    if (base_str_equal(name, BASE_STR("id")))
        v.i = offset;
    return v;
}

static struct cep_row *make_row(struct host *host, uint32_t number, const struct step *step, int offset)
{
    const struct cep_table *table = cep_program_table(host->program, number);
    struct cep_type types[16];
    struct cep_value values[16];
    struct cep_row *row = NULL;
    for (uint32_t i = 0; i < table->fields.count && i < 16; i++) {
        const struct cep_field *field = cep_program_field(host->program, table->fields.first + i);
        types[i] = field->type;
        values[i] = field_value(host, field, step, offset);
    }
    struct cep_position at = { .offset = offset, .table = (uint16_t)number };
    return cep_row_make(types, values, table->fields.count, step->time_ms, at, &host->arena, &row) < 0 ? NULL : row;
}

static int feed_version(struct host *host, const struct step *step, int offset)
{
    struct cep_row *row = make_row(host, host->profile, step, offset);
    struct cep_tuple *key = NULL;
    int e = row ? enrichment_table_key(host->table, row, &host->arena, &key) : BASE_E_NOMEM;
    if (e == 0)
        e = step->value < 0 ? enrichment_table_remove(host->table, key, step->time_ms) : enrichment_table_put(host->table, row, &host->arena);
    host->generation++;
    return e;
}

static int feed(struct host *host, const struct step *step, int offset)
{
    int e = 0;
    base_arena_reset(&host->arena);
    if (step->what == 'o') {
        struct cep_row *row = make_row(host, cep_program_node(host->program, host->node)->detail, step, offset);
        e = row ? cep_flow_source(host->flow, host->node, row) : BASE_E_NOMEM;
        if (step->time_ms - ORDERS_DELAY_MS > host->orders_ms)
            host->orders_ms = step->time_ms - ORDERS_DELAY_MS;
        if (e == 0)
            e = cep_flow_source_watermark(host->flow, host->node, host->orders_ms);
    } else if (step->what == 'p') {
        e = feed_version(host, step, offset);
    } else {
        host->known_ms = step->time_ms;
    }
    if (e == 0)
        e = drain(host);
    if (e == 0 && step->what != 'o')
        e = cep_flow_profiles_moved(host->flow, host->generation);
    if (e == 0)
        e = drain(host);
    struct cep_flow_stats stats;
    cep_flow_stats(host->flow, CEP_NONE, &stats);
    host->max_waiting = stats.rows_waiting > host->max_waiting ? stats.rows_waiting : host->max_waiting;
    return e == 0 && host->restart ? start_again(host) : e;
}

/* ---- rules ---- */

#define TABLES                                                                                                                                        \
    "CREATE TABLE orders (id BIGINT, user_id STRING, amount INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)\n"               \
    "WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'json', 'properties.bootstrap.servers' = 'x');\n"                                    \
    "CREATE TABLE customers (user_id STRING, level INT, since TIMESTAMP_LTZ(3), WATERMARK FOR since AS since, PRIMARY KEY (user_id) NOT ENFORCED)\n" \
    "WITH ('connector' = 'kafka', 'topic' = 'customers', 'format' = 'json', 'properties.bootstrap.servers' = 'x');\n"
#define PLAIN(join, emit)                                                                                                              \
    TABLES "CREATE RULE r WITH ('emit' = '" emit "', 'key' = 'user_id') AS SELECT o.user_id, o.id, o.amount, c.level FROM orders AS o " \
           join " JOIN customers FOR SYSTEM_TIME AS OF o.ts AS c ON c.user_id = o.user_id;\n"
#define ABOVE(emit)                                                                                                                     \
    TABLES "CREATE RULE r WITH ('emit' = '" emit "', 'key' = 'user_id') AS SELECT o.user_id, o.id, c.level FROM orders AS o "            \
           "JOIN customers FOR SYSTEM_TIME AS OF o.ts AS c ON c.user_id = o.user_id WHERE o.amount > c.level;\n"
#define BEFORE(emit)                                                                                                                     \
    TABLES "CREATE VIEW known AS SELECT o.id, o.user_id, o.amount, o.ts, c.level FROM orders AS o "                                      \
           "LEFT JOIN customers FOR SYSTEM_TIME AS OF o.ts AS c ON c.user_id = o.user_id;\n"                                             \
           "CREATE RULE r WITH ('emit' = '" emit "') AS SELECT user_id, first_id, last_id FROM known MATCH_RECOGNIZE ("                  \
           "PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id, B.id AS last_id PATTERN (A -> B) WITHIN INTERVAL '10' SECOND\n"  \
           "DEFINE A AS A.amount > A.level, B AS B.amount > B.level);\n"
#define BEHIND(emit)                                                                                                                        \
    TABLES "CREATE RULE r WITH ('emit' = '" emit "') AS SELECT m.user_id, m.first_id, m.last_id, c.level FROM orders MATCH_RECOGNIZE ("      \
           "PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id, B.id AS last_id, MATCH_ROWTIME() AS at PATTERN (A -> B) "            \
           "WITHIN INTERVAL '10' SECOND DEFINE A AS A.amount > 50, B AS B.amount > A.amount) AS m "                                          \
           "LEFT JOIN customers FOR SYSTEM_TIME AS OF m.at AS c ON c.user_id = m.user_id;\n"


static bool compile(struct ruled *ruled, const char *text)
{
    const struct patterns_options options = { 0 };
    return ruled_compile(ruled, text, &options);
}

static bool host_init(struct host *host, const struct ruled *ruled)
{
    const struct cep_program *p = ruled->result->program;
    *host = (struct host){ .program = p, .linked = ruled->linked, .known_ms = BASE_TIME_MIN_MS, .orders_ms = BASE_TIME_MIN_MS };
    for (uint32_t i = 0; i < cep_program_table_count(p); i++)
        if (cep_program_table(p, i)->is_profile)
            host->profile = i;
    for (uint32_t i = 0; i < cep_program_node_count(p); i++)
        if (cep_program_node(p, i)->kind == CEP_NODE_SOURCE)
            host->node = i;
    const struct cep_table *table = cep_program_table(p, host->profile);
    struct cep_type types[16];
    uint32_t keys[4];
    for (uint32_t i = 0; i < table->fields.count; i++)
        types[i] = cep_program_field(p, table->fields.first + i)->type;
    for (uint32_t i = 0; i < table->key_fields.count; i++)
        keys[i] = *cep_program_u32(p, table->key_fields.first + i);
    struct enrichment_shape shape = { .types = types, .columns = table->fields.count, .key_columns = keys, .key_count = table->key_fields.count, .versioned = true };
    host->table = enrichment_table_create(&shape);
    return host->table && make_flow(host) == 0;
}

static void host_finish(struct host *host)
{
    cep_flow_destroy(host->flow);
    enrichment_table_destroy(host->table);
    base_buf_finish(&host->routed);
    service_unpacked_finish(&host->unpacked);
    base_arena_finish(&host->arena);
    empty_store();
}

/* ---- logs and their interleavings ---- */

#define STEPS 64
static uint64_t seed = 0x9e3779b97f4a7c15ull;
static uint32_t dice(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % n;
}

struct logs { struct step orders[STEPS], versions[STEPS]; int order_count, version_count; };

/* Orders up to 900 ms out of order; versions in order, each user's level falls, rises, goes; the profile's watermark now and then. */
static void make_logs(struct logs *logs)
{
    static const char *const users[] = { "a", "b", "c" };
    *logs = (struct logs){ 0 };
    for (int i = 0; i < 24; i++)
        logs->orders[logs->order_count++] = (struct step){ 'o', users[dice(3)], (int)dice(100), 10000 + i * 700 - (int64_t)dice(900) };
    int64_t at_ms = 5000;
    for (int i = 0; i < 24; i++) {
        at_ms += 1 + dice(1500);
        logs->versions[logs->version_count++] = (struct step){ 'p', users[dice(3)], dice(6) ? (int)dice(100) : -1, at_ms };
        if (dice(3) == 0)
            logs->versions[logs->version_count++] = (struct step){ 'w', "", 0, at_ms };
    }
}

enum manner { VERSIONS_FIRST, MIXED, ORDERS_FIRST };

/* False: something failed. prune: versions that nobody asks for any more go at each step. */
static bool run(struct host *host, const struct logs *logs, enum manner manner, bool prune)
{
    int o = 0, v = 0, e = 0;
    while (e == 0 && (o < logs->order_count || v < logs->version_count)) {
        bool order = manner == ORDERS_FIRST ? o < logs->order_count : manner == VERSIONS_FIRST ? v == logs->version_count : dice(2);
        if (order && o < logs->order_count)
            e = feed(host, &logs->orders[o], o), o++;
        else if (!order && v < logs->version_count)
            e = feed(host, &logs->versions[v], 1000 + v), v++;
        if (e == 0 && manner == VERSIONS_FIRST && v == logs->version_count && host->known_ms != BASE_TIME_MAX_MS)
            e = feed(host, &(struct step){ 'w', "", 0, BASE_TIME_MAX_MS }, 0);
        int64_t floor_ms = e == 0 && prune ? cep_flow_profile_floor(host->flow, host->profile) : BASE_TIME_MIN_MS;
        if (floor_ms != BASE_TIME_MIN_MS && floor_ms != BASE_TIME_MAX_MS)
            enrichment_table_prune(host->table, floor_ms);
    }
    if (e == 0)
        e = feed(host, &(struct step){ 'w', "", 0, BASE_TIME_MAX_MS }, 0);
    if (e == 0)
        e = cep_flow_source_watermark(host->flow, host->node, BASE_TIME_MAX_MS);
    if (e == 0)
        e = drain(host);
    if (e < 0)
        printf("# %s\n", base_error_text(e));
    return e == 0;
}

static uint32_t standing(const struct host *host)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < host->alert_count; i++)
        n += host->alerts[i].standing;
    return n;
}

static bool same(const struct host *want, const struct host *have)
{
    if (standing(want) != standing(have)) {
        printf("# %u stand, not %u\n", standing(have), standing(want));
        return false;
    }
    for (uint32_t i = 0; i < want->alert_count; i++) {
        bool found = !want->alerts[i].standing;
        for (uint32_t k = 0; k < have->alert_count && !found; k++)
            found = have->alerts[k].standing && have->alerts[k].ident == want->alerts[i].ident && strcmp(have->alerts[k].text, want->alerts[i].text) == 0;
        if (!found) {
            printf("# missing: %s\n", want->alerts[i].text);
            return false;
        }
    }
    return true;
}

/* ---- tests ---- */

static char name[200];
#define NAMED(...) (snprintf(name, sizeof name, __VA_ARGS__), name)

static void check_rule(const char *text, const char *what, bool eager)
{
    struct ruled ruled;
    if (!OK(compile(&ruled, text), NAMED("%s compiles", what))) {
        ruled_finish(&ruled);
        return;
    }
    uint32_t rounds = 60, wrong = 0, stood = 0, corrected = 0, twice = 0, left = 0;
    uint64_t waited = 0;
    for (uint32_t i = 0; i < rounds; i++) {
        struct logs logs;
        struct host want, have;
        make_logs(&logs);
        bool good = host_init(&want, &ruled) && run(&want, &logs, VERSIONS_FIRST, false);
        empty_store();
        good = host_init(&have, &ruled) && good;
        have.restart = i % 3 == 2;
        good = good && run(&have, &logs, i % 4 ? MIXED : ORDERS_FIRST, i % 2);
        wrong += !good || !same(&want, &have);
        stood += standing(&want);
        waited += have.max_waiting;
        corrected += have.told - standing(&have);
        for (uint32_t k = 0; k < have.alert_count; k++)
            twice += have.alerts[k].told > 1;
        struct cep_flow_stats stats;
        cep_flow_stats(have.flow, CEP_NONE, &stats);
        left += stats.rows_waiting != 0;
        host_finish(&want);
        host_finish(&have);
    }
    IS_INT(wrong, 0, NAMED("%s: %u interleavings give what the whole tables give", what, rounds));
    OK(stood > rounds, NAMED("%s: they give something (%u)", what, stood));
    OK(waited > 0, NAMED("%s: rows waited (%u)", what, (uint32_t)waited));
    IS_INT(left, 0, NAMED("%s: none waits at the end", what));
    if (eager)
        OK(corrected > 0, NAMED("%s: some were corrected (%u)", what, corrected));
    else
        IS_INT(twice, 0, NAMED("%s: none was told twice", what));
    ruled_finish(&ruled);
}

/* A limit on rows that wait is kept, counted, and what is cut is told with what is known. */
static void test_limit(void)
{
    struct ruled ruled;
    struct host host;
    if (!OK(compile(&ruled, PLAIN("LEFT", "final")) && host_init(&host, &ruled), "a rule for the limit"))
        return;
    cep_flow_destroy(host.flow);
    host.limit.rows_per_key = 3;
    int e = make_flow(&host);
    for (int i = 0; i < 10 && e == 0; i++)
        e = feed(&host, &(struct step){ 'o', "a", i, 10000 + i }, i);
    IS_INT(e, 0, "ten orders wait for a silent table");
    IS_INT(host.max_waiting, 3, "three of them may");
    IS_INT(host.limits, 7, "the others are counted");
    IS_INT(standing(&host), 7, "and told with what is known");
    host_finish(&host);
    ruled_finish(&ruled);
}

/* One order, one version, told step by step. */
static void test_steps(void)
{
    struct ruled ruled;
    struct host host;
    if (!OK(compile(&ruled, PLAIN("LEFT", "eager")) && host_init(&host, &ruled), "a rule step by step"))
        return;
    int e = feed(&host, &(struct step){ 'p', "a", 5, 1000 }, 0);
    e = e ? e : feed(&host, &(struct step){ 'o', "a", 7, 3000 }, 1);
    OK(e == 0 && host.alert_count == 1 && strcmp(host.alerts[0].text, "a,1,7,5") == 0, "eager: told at once with the version that is known");
    e = feed(&host, &(struct step){ 'p', "a", 6, 4000 }, 2);
    IS_INT(host.told, 1, "a version of a later time changes nothing");
    e = e ? e : feed(&host, &(struct step){ 'p', "a", 9, 2000 }, 3);
    OK(e == 0 && host.told == 2 && strcmp(host.alerts[0].text, "a,1,7,9") == 0, "one of its time corrects it");
    e = e ? e : feed(&host, &(struct step){ 'p', "a", -1, 2500 }, 4);
    OK(e == 0 && host.told == 3 && strcmp(host.alerts[0].text, "a,1,7,-") == 0, "a deletion too");
    e = e ? e : feed(&host, &(struct step){ 'w', "", 0, 2999 }, 0);
    struct cep_flow_stats stats;
    cep_flow_stats(host.flow, CEP_NONE, &stats);
    IS_INT(stats.rows_waiting, 1, "it waits while the table's watermark is below it");
    e = e ? e : feed(&host, &(struct step){ 'w', "", 0, 3000 }, 0);
    cep_flow_stats(host.flow, CEP_NONE, &stats);
    IS_INT(stats.rows_waiting, 0, "and no longer");
    e = e ? e : feed(&host, &(struct step){ 'p', "a", 1, 2600 }, 5);
    IS_INT(e, 0, "a version that comes too late");
    IS_INT(host.told, 3, "corrects nothing any more");
    host_finish(&host);
    ruled_finish(&ruled);
}

int main(void)
{
    test_steps();
    test_limit();
    check_rule(PLAIN("", "eager"), "inner join, eager", true);
    check_rule(PLAIN("", "final"), "inner join, final", false);
    check_rule(PLAIN("LEFT", "eager"), "left join, eager", true);
    check_rule(PLAIN("LEFT", "final"), "left join, final", false);
    check_rule(ABOVE("eager"), "a condition behind the join, eager", true);
    check_rule(ABOVE("final"), "a condition behind the join, final", false);
    check_rule(BEFORE("eager"), "before a pattern, eager", true);
    check_rule(BEFORE("final"), "before a pattern, final", false);
    check_rule(BEHIND("eager"), "behind a pattern, eager", true);
    check_rule(BEHIND("final"), "behind a pattern, final", false);
    return tap_done();
}
