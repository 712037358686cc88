/* What the files of the Kafka source share. Private to connectors/kafka_source*.c. */
#ifndef CONNECTORS_KAFKA_SOURCE_INTERNAL_H
#define CONNECTORS_KAFKA_SOURCE_INTERNAL_H

#include <pthread.h>
#include "base/vec.h"
#include "connectors/kafka_source.h"

#define KAFKA_BATCH_MAX 10000u /* messages asked of librdkafka at once */

enum kafka_start_mode {
    KAFKA_START_EARLIEST,
    KAFKA_START_LATEST,
    KAFKA_START_GROUP,
    KAFKA_START_TIMESTAMP,
    KAFKA_START_SPECIFIC,
    KAFKA_START_UNBOUNDED
};

struct kafka_specific { /* one "partition:p,offset:o" */
    int32_t partition;
    int64_t offset;
};
struct kafka_mode { /* where reading starts or ends */
    enum kafka_start_mode mode;
    int64_t timestamp_ms;                            /* TIMESTAMP */
    struct BASE_VEC(struct kafka_specific) specific; /* SPECIFIC */
};
struct kafka_turn {
    uint32_t partition; /* index in the source */
    rd_kafka_queue_t *queue;
};
struct kafka_topic {
    char *name;               /* owned */
    struct cep_origin origin; /* records point to it */
    uint32_t *partitions;     /* owned: index in the source by Kafka's number */
    uint32_t partition_count;
};

struct connectors_kafka_source {
    char *name, *group_id;          /* owned */
    char *start_group;              /* owned: 'properties.group.id'; NULL: group_id */
    struct clients_option *options; /* owned array and texts: librdkafka's properties, without group.id */
    size_t option_count;
    struct kafka_mode start, bounded;
    size_t record_bytes;        /* 'max-record-bytes' */
    int64_t refresh_us;         /* period of discover */
    int64_t discovered_us;      /* 0: never */
    struct kafka_topic *topics; /* owned; fixed at creation: records point into it */
    uint32_t topic_count;
    struct BASE_VEC(struct connectors_kafka_partition) partitions;

    pthread_mutex_t
        lock; /* guards the pointer `kafka` and the array of partitions: health and high are asked from other threads */
    struct clients_kafka *kafka;        /* NULL after stop, made again when needed */
    rd_kafka_queue_t *queue;            /* of the consumer: what is about no partition, and of each partition what came before it had its own */
    struct BASE_VEC(struct kafka_turn) turns; /* partitions with a queue of their own */
    int wake_fd;                        /* eventfd: something came into an empty queue; -1: none */
    uint32_t room_for;                  /* partitions that the client's bound on fetched bytes was made for; 0: not known yet */
    rd_kafka_message_t **messages;      /* owned: room for KAFKA_BATCH_MAX */
    const rd_kafka_topic_t *last_topic; /* cache of topic_of: librdkafka's handle of the last message … */
    uint32_t last_index;                /* … and its place in topics */
};

/* Reads mode options: prefix "scan.startup." or "scan.bounded.". */
int kafka_mode_read(const struct connectors_kafka_source_options *options, const char *prefix, struct kafka_mode *ret,
                    struct base_buf *reterr) BASE_MUST_CHECK;
void kafka_mode_finish(struct kafka_mode *mode);
/* Numbers for `mode`; rows as connectors_kafka_source_resolve. */
int kafka_mode_resolve(struct connectors_kafka_source *source, const struct kafka_mode *mode,
                       struct connectors_kafka_start *start, size_t count, int timeout_ms,
                       struct base_buf *reterr) BASE_MUST_CHECK;
/* Value of a WITH option, NULL if it is not given. */
const char *kafka_option(const struct connectors_kafka_source_options *options, const char *name);
/* Makes the client if there is none. */
int kafka_source_connect(struct connectors_kafka_source *source, struct base_buf *reterr) BASE_MUST_CHECK;
/* A client like the source's for another group. */
int kafka_source_client(struct connectors_kafka_source *source, const char *group, struct clients_kafka **ret,
                        struct base_buf *reterr) BASE_MUST_CHECK;
/* BASE_E_* of a failed request, with the best reason that is known; serves the client's callbacks first. */
int kafka_source_failed(struct connectors_kafka_source *source, struct clients_kafka *kafka, const char *what,
                        rd_kafka_resp_err_t error, struct base_buf *reterr);
/* Sets `finished` if a bounded partition has been read to its end. */
void kafka_source_update_finished(struct connectors_kafka_partition *partition);

/* kafka_source_turn.c. open: once the consumer's queue is there; close: before it is given back, also without open. */
int kafka_turns_open(struct connectors_kafka_source *source) BASE_MUST_CHECK;
void kafka_turns_close(struct connectors_kafka_source *source);
/* For each message of the common queue. BASE_E_NOMEM */
int kafka_turns_split(struct connectors_kafka_source *source, uint32_t index) BASE_MUST_CHECK;
/* Up to `most` messages into source->messages: of the common queue, else of the partitions that are least far in time. Waits at most timeout_ms for the first. */
ssize_t kafka_turns_take(struct connectors_kafka_source *source, int timeout_ms, size_t most);

#endif
