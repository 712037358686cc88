/* The sinks that followers of the alert log write to, behind one face: webhook, file, stdout, Kafka without transactions, stores. Internal to delivery. */
#ifndef SERVICE_DELIVERY_SINKS_H
#define SERVICE_DELIVERY_SINKS_H

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "connectors/webhook_sink.h"
#include "service/alertlog.h"
#include "service/config.h"

struct service_delivery_sink;
int service_delivery_sink_open(const struct service_config *config, const struct service_sink_config *sink, struct service_delivery_sink **ret,
                               struct base_buf *reterr) BASE_MUST_CHECK;
void service_delivery_sink_close(struct service_delivery_sink *sink); /* NULL allowed */
/* In the thread that will write: what takes time and can be done before the first alert. */
void service_delivery_sink_prepare(struct service_delivery_sink *sink);
bool service_delivery_sink_is_webhook(const struct service_delivery_sink *sink);
/* Webhooks: one attempt, as connectors_webhook_send. */
int service_delivery_sink_post(struct service_delivery_sink *sink, const struct service_alert *alert, int64_t now_ms,
                               struct connectors_webhook_outcome *ret, struct base_buf *text) BASE_MUST_CHECK;
/* The others: written, durable after flush. */
int service_delivery_sink_write(struct service_delivery_sink *sink, const struct service_alert *alert) BASE_MUST_CHECK;
int service_delivery_sink_flush(struct service_delivery_sink *sink) BASE_MUST_CHECK;
/* The last failure in words, appended. */
void service_delivery_sink_error(struct service_delivery_sink *sink, int error, struct base_buf *out);
void service_delivery_sink_interrupt(struct service_delivery_sink *sink); /* any thread; NULL allowed */

#endif
