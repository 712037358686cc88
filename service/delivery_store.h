/* Alerts into a store: one row per alert, replaced by each revision. Internal to delivery; the follower's thread only, but for interrupt. */
#ifndef SERVICE_DELIVERY_STORE_H
#define SERVICE_DELIVERY_STORE_H

#include "base/attr.h"
#include "base/str.h"
#include "service/alertlog.h"
#include "service/config.h"

struct service_delivery_store;
/* Is this type of sink a store? */
bool service_delivery_is_store(const char *type);
/* BASE_E_CONFIG, BASE_E_UNSUPPORTED, BASE_E_NOMEM; reason appended. */
int service_delivery_store_open(const struct service_config *config, const struct service_sink_config *sink, struct service_delivery_store **ret,
                                struct base_buf *reterr) BASE_MUST_CHECK;
void service_delivery_store_close(struct service_delivery_store *store); /* NULL allowed */
/* Kept until flush, which writes all; after a failed flush what was kept is forgotten, for the follower reads it again. */
int service_delivery_store_write(struct service_delivery_store *store, const struct service_alert *alert) BASE_MUST_CHECK;
int service_delivery_store_flush(struct service_delivery_store *store, struct base_buf *reterr) BASE_MUST_CHECK;
void service_delivery_store_interrupt(struct service_delivery_store *store);

#endif
