#include "service/kafka_options.h"

#include <string.h>

static bool is_own(const char *key)
{
    static const char *const own[] = { "type", "topic", "topic.partitions", "topic.replication", "transaction.timeout" };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(own[i], key) == 0)
            return true;
    }
    return false;
}

size_t service_kafka_sink_options(const struct service_sink_config *sink, struct clients_option *ret)
{
    size_t count = 0;
    for (uint32_t i = 0; i < sink->option_count && count < SERVICE_KAFKA_OPTIONS_MAX; i++) {
        if (!is_own(sink->options[i].key))
            ret[count++] = (struct clients_option){ sink->options[i].key, sink->options[i].value };
    }
    return count;
}

const char *service_kafka_sink_servers(const struct service_sink_config *sink)
{
    const char *servers = service_sink_option(sink, "properties.bootstrap.servers", NULL);
    return servers ? servers : service_sink_option(sink, "bootstrap.servers", NULL);
}
