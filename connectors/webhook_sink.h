/* One webhook endpoint: makes one signed attempt to deliver one message. When to try and what comes of it is
 * webhook_retry.h; which messages, and the thread that follows the alert log, is the service's. */
#ifndef CONNECTORS_WEBHOOK_SINK_H
#define CONNECTORS_WEBHOOK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "clients/http.h"
#include "connectors/webhook_retry.h"

struct connectors_webhook_options {
    const char *name; /* of the sink, for errors; all texts are copied */
    const char *url;
    const char *const *secrets; /* Standard Webhooks secrets, newest first; none: the request is not signed */
    size_t secret_count;
    const struct clients_http_header *headers; /* further headers, e.g. Authorization */
    size_t header_count;
    const char *content_type; /* NULL: application/cloudevents+json */
    struct clients_http_options http;
};
struct connectors_webhook;
/* BASE_E_CONFIG: bad URL or secret, reason in reterr (appended; may be NULL). */
int connectors_webhook_create(const struct connectors_webhook_options *options, struct connectors_webhook **ret,
                              struct base_buf *reterr) BASE_MUST_CHECK;
void connectors_webhook_destroy(struct connectors_webhook *webhook); /* NULL is allowed */
/* One POST with webhook-id, webhook-timestamp and webhook-signature; blocks up to the timeout. id is
 * "<alert_id>.<revision>", now_ms wall time. 0 with the outcome whatever it is (text: cause in words, appended, may be
 * NULL); only BASE_E_NOMEM and BASE_E_CLOSED (interrupted: no attempt to be counted) are errors. One thread at a time.
 */
int connectors_webhook_send(struct connectors_webhook *webhook, struct base_str id, struct base_str body,
                            int64_t now_ms, struct connectors_webhook_outcome *ret,
                            struct base_buf *text) BASE_MUST_CHECK;
/* Ends a send in progress and all later ones. Any thread. */
void connectors_webhook_interrupt(struct connectors_webhook *webhook);

#endif
