/* Options to a librdkafka configuration, with errors that name the property to use instead. Private to
 * clients/kafka*.c. */
#ifndef CLIENTS_KAFKA_CONFIG_H
#define CLIENTS_KAFKA_CONFIG_H

#include "clients/kafka.h"

/* New configuration (the caller's until it is given to rd_kafka_new). *ret_servers: value of bootstrap.servers,
 * base_free. */
int clients_kafka_config(const struct clients_kafka_setup *setup, rd_kafka_conf_t **ret, char **ret_servers,
                         struct base_buf *reterr) BASE_MUST_CHECK;

#endif
