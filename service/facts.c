/* Facts about sources, profile tables and rules, gathered while all threads rest, so that nobody reads what another thread writes. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "service/runtime_internal.h"

static void put_label(struct base_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            base_buf_putc(out, '\\');
        base_buf_putc(out, *text == '\n' ? ' ' : *text);
    }
}

static void put_value(struct base_buf *out, const char *name, const char *label, const char *value, int64_t number)
{
    base_buf_printf(out, "cepheid_%s{%s=\"", name, label);
    put_label(out, value);
    base_buf_printf(out, "\"} %" PRId64 "\n", number);
}

static void head(struct base_buf *out, const char *name, const char *type, const char *help)
{
    base_buf_printf(out, "# HELP cepheid_%s %s.\n# TYPE cepheid_%s %s\n", name, help, name, type);
}

static void put_sources(struct service_runtime *rt, struct base_buf *out)
{
    static const struct { const char *name, *type, *help; } metrics[] = {
        { "source_records_total", "counter", "Records read from a table's source" },
        { "source_bytes_total", "counter", "Bytes of these records" },
        { "source_malformed_total", "counter", "Records of a table that could not be read" },
        { "source_lag_records", "gauge", "Records of a topic that are not read yet" },
        { "source_watermark_ms", "gauge", "Merged watermark of a table, milliseconds since 1970" },
    };
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        head(out, metrics[m].name, metrics[m].type, metrics[m].help);
        for (size_t i = 0; i < rt->inputs.len; i++) {
            struct service_input *input = rt->inputs.at[i];
            struct formats_decoder_stats stats;
            service_input_stats(input, &stats);
            int64_t watermark_ms = service_input_watermarks(input)->merged_ms;
            int64_t values[] = { (int64_t)stats.records, (int64_t)stats.bytes, (int64_t)stats.malformed, service_input_lag(input), watermark_ms };
            bool known = (m != 3 || values[m] >= 0) && (m != 4 || (watermark_ms != BASE_TIME_MIN_MS && watermark_ms != BASE_TIME_MAX_MS));
            if (known)
                put_value(out, metrics[m].name, "table", service_input_name(input), values[m]);
        }
    }
}

static void put_profiles(struct service_runtime *rt, struct base_buf *out)
{
    head(out, "profile_rows", "gauge", "Rows of a profile table in memory");
    for (uint32_t i = 0; i < service_profiles_count(rt->profiles); i++) {
        struct service_profile_stats stats;
        char trouble[256];
        service_profiles_stats(rt->profiles, i, &stats, trouble, sizeof trouble);
        put_value(out, "profile_rows", "table", stats.name, (int64_t)stats.rows);
    }
    head(out, "profile_late_total", "counter", "Versions of a profile that came after rows of their time were settled: those rows keep the version before");
    for (uint32_t i = 0; i < service_profiles_count(rt->profiles); i++) {
        struct service_profile_stats stats;
        char trouble[256];
        service_profiles_stats(rt->profiles, i, &stats, trouble, sizeof trouble);
        put_value(out, "profile_late_total", "table", stats.name, (int64_t)stats.late);
    }
}

static void gather_rules(struct service_runtime *rt)
{
    const struct cep_program *program = rt->set->program;
    uint32_t count = cep_program_rule_count(program);
    struct service_rule_state *states = base_calloc(count + 1, sizeof *states);
    if (!states)
        return; /* the numbers of before stay */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = cep_program_rule(program, i)->match_node;
        struct cep_flow_stats stats = { 0 };
        if (node != CEP_NONE)
            service_engine_stats(rt->engine, node, &stats);
        states[i] = (struct service_rule_state){ stats.keys, stats.state_bytes, stats.threads, stats.rows_kept };
    }
    pthread_mutex_lock(&rt->lock);
    struct service_rule_state *old = rt->rule_states;
    rt->rule_states = states;
    rt->rule_state_count = count;
    pthread_mutex_unlock(&rt->lock);
    base_free(old);
}

void service_runtime_gather(struct service_runtime *rt)
{
    struct base_buf out = { 0 };
    put_sources(rt, &out);
    put_profiles(rt, &out);
    struct cep_flow_stats all;
    service_engine_stats(rt->engine, CEP_NONE, &all);
    service_gauge(&rt->metrics, SERVICE_METRIC_KEYS, all.keys);
    service_gauge(&rt->metrics, SERVICE_METRIC_STATE_BYTES, all.state_bytes);
    service_gauge(&rt->metrics, SERVICE_METRIC_THREADS, all.threads);
    service_gauge(&rt->metrics, SERVICE_METRIC_ROWS_KEPT, all.rows_kept);
    service_gauge(&rt->metrics, SERVICE_METRIC_ROWS_WAITING, all.rows_waiting);
    service_gauge(&rt->metrics, SERVICE_METRIC_RULES, cep_program_rule_count(rt->set->program));
    gather_rules(rt);
    pthread_mutex_lock(&rt->lock);
    struct base_buf old = rt->facts;
    rt->facts = out;
    pthread_mutex_unlock(&rt->lock);
    base_buf_finish(&old);
}

static void put_rule_counters(struct service_runtime *rt, struct base_buf *out)
{
    struct service_ruleset *set = service_runtime_ruleset(rt);
    for (int c = 0; c < SERVICE_RULE_COUNTERS_; c++) {
        const char *what = service_rule_counter_name((enum service_rule_counter)c);
        base_buf_printf(out, "# TYPE cepheid_rule_%s_total counter\n", what);
        for (uint32_t i = 0; i < cep_program_rule_count(set->program); i++) {
            base_buf_printf(out, "cepheid_rule_%s_total{rule=\"", what);
            put_label(out, set->stats[i]->name);
            base_buf_printf(out, "\"} %" PRIu64 "\n", atomic_load_explicit(&set->stats[i]->value[c], memory_order_relaxed));
        }
    }
    service_ruleset_unref(set);
}

static void put_followers(struct service_runtime *rt, struct base_buf *out)
{
    struct service_delivery *delivery = service_runtime_delivery(rt);
    static const char *const names[] = { "sink_delivered_total", "sink_failed_attempts_total", "sink_dead_total", "sink_lag_alerts", "sink_retrying" };
    for (size_t m = 0; delivery && m < sizeof names / sizeof names[0]; m++) {
        base_buf_printf(out, "# TYPE cepheid_%s %s\n", names[m], m < 3 ? "counter" : "gauge");
        for (uint32_t i = 0; i < service_delivery_count(delivery); i++) {
            struct service_follower_stats stats;
            char trouble[64];
            service_delivery_stats(delivery, i, &stats, trouble, sizeof trouble);
            uint64_t values[] = { stats.delivered, stats.failed, stats.dead, stats.lag, stats.retrying };
            put_value(out, names[m], "sink", stats.name, (int64_t)values[m]);
        }
    }
}

static void put_stores(struct service_runtime *rt, struct base_buf *out)
{
    struct service_row_sinks *sinks = service_runtime_row_sinks(rt);
    static const char *const names[] = { "table_sink_rows_total", "table_sink_failed_attempts_total", "table_sink_skipped_total", "table_sink_dropped_total",
                                         "table_sink_waiting_rows", "table_sink_waiting_bytes" };
    struct service_row_sink_stats stats;
    for (size_t m = 0; sinks && m < sizeof names / sizeof names[0]; m++) {
        base_buf_printf(out, "# TYPE cepheid_%s %s\n", names[m], m < 4 ? "counter" : "gauge");
        for (uint32_t i = 0; service_row_sinks_stats(sinks, i, &stats); i++) {
            uint64_t values[] = { stats.delivered, stats.failed, stats.skipped, stats.dropped, stats.rows_waiting, stats.bytes_waiting };
            put_value(out, names[m], "table", stats.name, (int64_t)values[m]);
        }
    }
}

void service_runtime_print_metrics(struct service_runtime *rt, struct base_buf *out)
{
    service_metrics_print(&rt->metrics, out);
    pthread_mutex_lock(&rt->lock);
    base_buf_put(out, rt->facts.ptr, rt->facts.len);
    pthread_mutex_unlock(&rt->lock);
    put_rule_counters(rt, out);
    put_followers(rt, out);
    put_stores(rt, out);
}

bool service_runtime_rule_state(struct service_runtime *rt, const char *rule, struct service_rule_state *ret)
{
    pthread_mutex_lock(&rt->lock);
    uint32_t i = service_ruleset_rule(rt->set, base_str_of(rule));
    bool known = i < rt->rule_state_count;
    if (known)
        *ret = rt->rule_states[i];
    pthread_mutex_unlock(&rt->lock);
    return known;
}
