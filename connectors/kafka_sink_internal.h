/* What the files of the Kafka sink share. Private to connectors/kafka_sink*.c. */
#ifndef CONNECTORS_KAFKA_SINK_INTERNAL_H
#define CONNECTORS_KAFKA_SINK_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/vec.h"
#include "connectors/kafka_sink.h"

struct connectors_kafka_sink {
    char *name, *group_id;          /* owned; group_id may be NULL */
    struct clients_option *options; /* owned: for the side client */
    size_t option_count;
    struct clients_kafka *kafka; /* the producer */
    struct clients_kafka
        *side; /* a consumer that never consumes: committed offsets, metadata, topics; made when needed. A producer's
                  own metadata requests would create the topics that they ask for */
    struct BASE_VEC(rd_kafka_topic_t *) known; /* owned: topics that were prepared, held so that librdkafka does not forget them */
    size_t max_bytes;
    bool transactional;
    uint32_t transaction_timeout_ms;
    _Atomic int64_t begun_us; /* when the open transaction began, 0: none is open */
    bool aborting;            /* an abort ran out of time: it must be ended before the next begin */
    atomic_bool fatal;
    _Atomic uint64_t produced, delivered, failed, bytes, transactions, aborted;
    pthread_mutex_t lock; /* guards what follows: delivery reports come from any thread that polls */
    int failure;          /* of the first refused record since the last flush, 0: none */
    struct base_buf failure_text;
};

int kafka_sink_failed(struct connectors_kafka_sink *sink, struct clients_kafka *kafka, const char *what,
                      rd_kafka_resp_err_t code, const char *detail, struct base_buf *reterr);
/* Makes the side client if it is not there yet. */
int kafka_sink_side(struct connectors_kafka_sink *sink, struct base_buf *reterr) BASE_MUST_CHECK;
/* Positions with metadata as librdkafka wants them; BASE_E_LIMIT: metadata too long. */
int kafka_offsets_list(const struct connectors_kafka_offset *offsets, size_t count,
                       rd_kafka_topic_partition_list_t **ret) BASE_MUST_CHECK;

#endif
