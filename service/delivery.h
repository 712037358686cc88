/* Deliveries that follow the alert log (protocol.md 9): one thread per sink that is not part of the epoch's decision - webhook, file, stdout, and Kafka
 * under at-least-once. Each has its own stored position, so that a hung one holds back only itself. Webhooks that fail are kept with their schedule and at last
 * as dead letters, to be sent again by hand. Reads decided alerts only; changes none. */
#ifndef SERVICE_DELIVERY_H
#define SERVICE_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "connectors/webhook_retry.h"
#include "service/alertlog.h"
#include "service/config.h"
#include "service/metrics.h"
#include "service/store.h"

struct service_delivery;
struct service_delivery_config {
    const struct service_config *config;
    struct service_store *store;
    struct service_alertlog *log;
    struct service_metrics *metrics;
    bool kafka_follows;      /* Kafka sinks are followers too (at-least-once) */
};
/* Opens the sinks and starts their threads. Reason appended to reterr: BASE_E_CONFIG, BASE_E_IO, BASE_E_NOMEM. */
int service_delivery_start(const struct service_delivery_config *config, struct service_delivery **ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* Waits at most timeout_ms for followers that are getting on, then ends all. NULL allowed. */
void service_delivery_stop(struct service_delivery *delivery, int64_t timeout_ms);
/* Least position of all followers; UINT64_MAX if there are none. */
uint64_t service_delivery_position(struct service_delivery *delivery);

/* How it stands with one entry at one sink. */
struct service_delivery_state {
    const char *sink, *type;
    const char *status;      /* pending, delivered, retrying, dead, not_wanted */
    uint32_t attempts;
    uint16_t http_status;    /* of the last answer, 0: none */
    int64_t last_ms, next_ms; /* wall time; 0: none */
};
uint32_t service_delivery_count(const struct service_delivery *delivery);
/* State of entry `alert` at follower i. */
int service_delivery_look(struct service_delivery *delivery, uint32_t i, const struct service_alert *alert, struct service_delivery_state *ret)
    BASE_MUST_CHECK;
struct service_follower_stats {
    const char *name, *type;
    uint64_t position, lag, delivered, failed, dead, retrying;
    bool disabled, circuit_open;
};
/* trouble: why it does not get on, "" if it does; copied. */
void service_delivery_stats(struct service_delivery *delivery, uint32_t i, struct service_follower_stats *ret, char *trouble, size_t trouble_bytes);
/* Is the alert meant for this sink (its rule's 'sinks', mode)? */
bool service_delivery_wants(const char *sink, const struct service_alert *alert);

/* Dead letters of a webhook, in order; visit returns 0 to go on, 1 to end. */
typedef int service_dead_visit(void *ctx, const char *sink, uint64_t seq, const struct connectors_webhook_delivery *delivery);
int service_delivery_dead(struct service_delivery *delivery, const char *sink, uint64_t from_seq, service_dead_visit *visit, void *ctx) BASE_MUST_CHECK;
/* Sends it again, with a fresh schedule. BASE_E_NOTFOUND. */
int service_delivery_resend(struct service_delivery *delivery, const char *sink, uint64_t seq) BASE_MUST_CHECK;

#endif
