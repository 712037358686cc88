/* Which options of a configured sink are librdkafka's: what stands under "properties", "bootstrap.servers", and all else that is not the sink's own. */
#ifndef SERVICE_KAFKA_OPTIONS_H
#define SERVICE_KAFKA_OPTIONS_H

#include <stddef.h>
#include "clients/kafka.h"
#include "service/config.h"

#define SERVICE_KAFKA_OPTIONS_MAX 128
/* Fills `ret` (room for SERVICE_KAFKA_OPTIONS_MAX; texts borrowed) and returns how many. */
size_t service_kafka_sink_options(const struct service_sink_config *sink, struct clients_option *ret);
/* Value of bootstrap.servers, or NULL. */
const char *service_kafka_sink_servers(const struct service_sink_config *sink);

#endif
