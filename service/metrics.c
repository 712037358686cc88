#include "service/metrics.h"

enum type { TYPE_COUNTER, TYPE_GAUGE, TYPE_SECONDS };

static const struct { const char *name; enum type type; const char *help; } METRICS[] = {
#define X(name, text, type, help) { text, TYPE_##type, help },
#include "service/metrics.def"
#undef X
};

static const int64_t BOUNDS_US[SERVICE_BUCKETS] = { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 };

void service_observe(struct service_metrics *m, enum service_metric what, int64_t us)
{
    size_t i = 0;
    while (i < SERVICE_BUCKETS && us > BOUNDS_US[i])
        i++;
    atomic_fetch_add_explicit(&m->seconds[what].buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->seconds[what].sum_us, us > 0 ? (uint64_t)us : 0, memory_order_relaxed);
}

static void print_histogram(const struct service_histogram *h, const char *name, struct base_buf *out)
{
    uint64_t total = 0;
    for (size_t i = 0; i < SERVICE_BUCKETS; i++) {
        total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        base_buf_printf(out, "cepheid_%s_bucket{le=\"%g\"} %llu\n", name, (double)BOUNDS_US[i] / 1e6, (unsigned long long)total);
    }
    total += atomic_load_explicit(&h->buckets[SERVICE_BUCKETS], memory_order_relaxed);
    uint64_t sum = atomic_load_explicit(&h->sum_us, memory_order_relaxed);
    base_buf_printf(out, "cepheid_%s_bucket{le=\"+Inf\"} %llu\ncepheid_%s_sum %llu.%06llu\ncepheid_%s_count %llu\n", name, (unsigned long long)total, name,
                    (unsigned long long)(sum / 1000000), (unsigned long long)(sum % 1000000), name, (unsigned long long)total);
}

void service_metrics_print(const struct service_metrics *m, struct base_buf *out)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };
    for (size_t i = 0; i < SERVICE_METRIC_COUNT_; i++) {
        base_buf_printf(out, "# HELP cepheid_%s %s.\n# TYPE cepheid_%s %s\n", METRICS[i].name, METRICS[i].help, METRICS[i].name, types[METRICS[i].type]);
        if (METRICS[i].type == TYPE_SECONDS)
            print_histogram(&m->seconds[i], METRICS[i].name, out);
        else
            base_buf_printf(out, "cepheid_%s %llu\n", METRICS[i].name,
                            (unsigned long long)atomic_load_explicit(&m->value[i], memory_order_relaxed));
    }
}

const char *service_rule_counter_name(enum service_rule_counter counter)
{
    switch (counter) {
    case SERVICE_RULE_CREATED:
        return "created";
    case SERVICE_RULE_UPDATED:
        return "updated";
    case SERVICE_RULE_WITHDRAWN:
        return "withdrawn";
    case SERVICE_RULE_ERRORS:
        return "errors";
    case SERVICE_RULE_LIMITS:
        return "limit_hits";
    case SERVICE_RULE_TIMED_OUT:
        return "timed_out";
    case SERVICE_RULE_SUPPRESSED:
        return "suppressed";
    case SERVICE_RULE_LATE:
        return "late_rows";
    case SERVICE_RULE_COUNTERS_:
        break;
    }
    return "";
}
