/* Counters, gauges and histograms of the process, and of each rule. Any thread may count; readers see each value whole but not all at one instant. */
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>
#include "base/str.h"

enum service_metric {
#define X(name, text, type, help) SERVICE_METRIC_##name,
#include "service/metrics.def"
#undef X
    SERVICE_METRIC_COUNT_
};
#define SERVICE_BUCKETS 14
struct service_histogram {
    _Atomic uint64_t buckets[SERVICE_BUCKETS + 1]; /* the last one: above all bounds */
    _Atomic uint64_t sum_us;
};
struct service_metrics {
    _Atomic uint64_t value[SERVICE_METRIC_COUNT_];        /* COUNTER, GAUGE */
    struct service_histogram seconds[SERVICE_METRIC_COUNT_]; /* SECONDS */
};
static inline void service_count(struct service_metrics *m, enum service_metric what, uint64_t n)
{
    atomic_fetch_add_explicit(&m->value[what], n, memory_order_relaxed);
}
static inline void service_gauge(struct service_metrics *m, enum service_metric what, uint64_t value)
{
    atomic_store_explicit(&m->value[what], value, memory_order_relaxed);
}
void service_observe(struct service_metrics *m, enum service_metric what, int64_t us);
/* All of them in Prometheus' text format, appended. */
void service_metrics_print(const struct service_metrics *m, struct base_buf *out);

/* Of one rule, by name, for the life of the process: a reload does not set them back. */
enum service_rule_counter {
    SERVICE_RULE_CREATED, SERVICE_RULE_UPDATED, SERVICE_RULE_WITHDRAWN, SERVICE_RULE_ERRORS, SERVICE_RULE_LIMITS, SERVICE_RULE_TIMED_OUT,
    SERVICE_RULE_SUPPRESSED, SERVICE_RULE_LATE, SERVICE_RULE_COUNTERS_
};
struct service_rule_stats {
    char name[256];
    _Atomic uint64_t value[SERVICE_RULE_COUNTERS_];
    _Atomic int64_t last_alert_ms; /* wall time; 0: none yet */
};
const char *service_rule_counter_name(enum service_rule_counter counter);

#endif
