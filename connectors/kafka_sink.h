/* Records to Kafka topics by one idempotent producer, with or without transactions, and the committed offsets that
 * decide epochs (protocol.md 3–8). It does not know what an epoch is, only transactions, positions and their metadata;
 * it never aborts on its own.
 *
 * Threads: produce from any thread; begin, flush, send_offsets, commit, abort, committed, ensure_topic from one (the
 * epoch thread). */
#ifndef CONNECTORS_KAFKA_SINK_H
#define CONNECTORS_KAFKA_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "clients/kafka.h"

struct connectors_kafka_sink_options {
    const char *name;                     /* for logs and errors */
    const char *transactional_id;         /* NULL: no transactions (at-least-once) */
    const char *group_id;                 /* whose offsets send_offsets and committed speak of; NULL: none */
    const struct clients_option *options; /* librdkafka properties, "properties." in front is allowed */
    size_t option_count;
    uint32_t transaction_timeout_ms; /* 0: 60,000 */
    uint32_t max_record_bytes; /* 0: librdkafka's message.max.bytes (1,000,000); key, value and headers together */
};

struct connectors_kafka_offset {
    const char *topic;
    int32_t partition;
    int64_t offset; /* in: position to commit; out: committed one, -1: none */
    char *metadata; /* in: NUL-terminated, at most 4,096 bytes, may be NULL; out: owned by the caller, base_free */
    int32_t error;  /* out of committed: BASE_E_* of this partition */
};
struct connectors_kafka_header {
    const char *name;
    struct base_str value;
};

struct connectors_kafka_sink_stats {
    uint64_t produced, delivered, failed, bytes; /* records since creation */
    uint64_t transactions, aborted;              /* committed, aborted */
};

struct connectors_kafka_sink;
/* No network. BASE_E_CONFIG with the reason in reterr (appended; may be NULL). */
int connectors_kafka_sink_create(const struct connectors_kafka_sink_options *options,
                                 struct connectors_kafka_sink **ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* Drops what is not delivered; flush before. NULL is allowed. */
void connectors_kafka_sink_destroy(struct connectors_kafka_sink *sink);

/* init_transactions: fences older instances and settles their transaction; once, before committed() is trusted. Does
 * nothing without a transactional id. BASE_E_BROKER / BASE_E_AUTH: call again later. BASE_E_FENCED. */
int connectors_kafka_sink_init(struct connectors_kafka_sink *sink, int timeout_ms,
                               struct base_buf *reterr) BASE_MUST_CHECK;

struct connectors_kafka_topic {
    const char *name;
    int32_t partitions;                  /* -1: the broker's default */
    int32_t replication;                 /* -1: the broker's default */
    const struct clients_option *config; /* topic configuration, e.g. cleanup.policy */
    size_t config_count;
};
/* Creates the topic unless it exists (then 0 as well, whatever its shape). Waits until its partitions have leaders. */
int connectors_kafka_sink_ensure_topic(struct connectors_kafka_sink *sink, const struct connectors_kafka_topic *topic,
                                       int timeout_ms, struct base_buf *reterr) BASE_MUST_CHECK;
/* BASE_E_NOTFOUND if the topic does not exist (and with *ret_partitions its number of partitions if it does; may be
 * NULL). */
int connectors_kafka_sink_has_topic(struct connectors_kafka_sink *sink, const char *topic, int timeout_ms,
                                    int32_t *ret_partitions, struct base_buf *reterr) BASE_MUST_CHECK;

/* Gets to know who leads the topic, if it is there, before the first record: librdkafka asks for it up to a second after that otherwise. What goes wrong is met again, and told, with the first record. */
void connectors_kafka_sink_prepare(struct connectors_kafka_sink *sink, const char *topic, int timeout_ms);

/* Would this record be refused for its size? Ask before the record becomes part of an epoch, so that it cannot fail the
 * same epoch twice. */
bool connectors_kafka_sink_fits(const struct connectors_kafka_sink *sink, size_t key_len, size_t value_len,
                                size_t header_bytes);
/* Copies the record into the producer's queue; partition by key hash as Java's default (murmur2). key NULL: none; value
 * NULL: a tombstone. Waits while the queue is full. BASE_E_LIMIT: too large; BASE_E_BUSY: still full after 5 s;
 * BASE_E_FENCED, BASE_E_BROKER (fatal), BASE_E_INVALID. */
int connectors_kafka_sink_produce(struct connectors_kafka_sink *sink, const char *topic, struct base_str key,
                                  struct base_str value, const struct connectors_kafka_header *headers,
                                  size_t header_count) BASE_MUST_CHECK;
/* Waits until all that was produced is delivered or refused. Gives the first delivery error since the last flush;
 * BASE_E_TIMEOUT: some are still under way (call again). */
int connectors_kafka_sink_flush(struct connectors_kafka_sink *sink, int timeout_ms,
                                struct base_buf *reterr) BASE_MUST_CHECK;
/* Serves delivery reports; call now and then if flush is seldom. */
void connectors_kafka_sink_poll(struct connectors_kafka_sink *sink);

/* Transactions. BASE_E_CONFLICT from any of them: abort, then begin again. BASE_E_FENCED: a newer instance has taken
 * over: stop the process. BASE_E_BROKER with connectors_kafka_sink_fatal: destroy and create anew; so after a
 * transaction that was open for longer than its timeout, which the broker has then aborted: before init of the new one
 * make sure by committed() that no other instance has decided anything meanwhile, since init would fence it. */
int connectors_kafka_sink_begin(struct connectors_kafka_sink *sink, struct base_buf *reterr) BASE_MUST_CHECK;
/* All positions with their metadata into the transaction; retried inside until timeout_ms, then BASE_E_TIMEOUT: call
 * again or abort. */
int connectors_kafka_sink_send_offsets(struct connectors_kafka_sink *sink,
                                       const struct connectors_kafka_offset *offsets, size_t count, int timeout_ms,
                                       struct base_buf *reterr) BASE_MUST_CHECK;
/* Flushes and commits. BASE_E_AGAIN: the outcome is not known: call it again until it is; never abort after that. */
int connectors_kafka_sink_commit(struct connectors_kafka_sink *sink, int timeout_ms,
                                 struct base_buf *reterr) BASE_MUST_CHECK;
/* BASE_E_TIMEOUT: call again, or begin, which ends it first. */
int connectors_kafka_sink_abort(struct connectors_kafka_sink *sink, int timeout_ms,
                                struct base_buf *reterr) BASE_MUST_CHECK;
bool connectors_kafka_sink_fatal(const struct connectors_kafka_sink *sink);

/* Reads the group's committed offsets and metadata for the given topics and partitions, as a read_committed consumer:
 * waits for transactions that hold them (after init there is none of ours). BASE_E_TIMEOUT, BASE_E_BROKER, BASE_E_AUTH.
 */
int connectors_kafka_sink_committed(struct connectors_kafka_sink *sink, struct connectors_kafka_offset *offsets,
                                    size_t count, int timeout_ms, struct base_buf *reterr) BASE_MUST_CHECK;
/* The same for one topic and partition as it stands now, without waiting for transactions that are about to change it: may be asked before init, and
 * says who has decided last. */
int connectors_kafka_sink_peek(struct connectors_kafka_sink *sink, struct connectors_kafka_offset *offset,
                               int timeout_ms, struct base_buf *reterr) BASE_MUST_CHECK;
/* Number of subscribed members of the group; in single deployment any but 0 is a start-up error (protocol.md 6). */
int connectors_kafka_sink_members(struct connectors_kafka_sink *sink, int timeout_ms, uint32_t *ret,
                                  struct base_buf *reterr) BASE_MUST_CHECK;

void connectors_kafka_sink_stats(struct connectors_kafka_sink *sink,
                                 struct connectors_kafka_sink_stats *ret); /* any thread */
void connectors_kafka_sink_health(struct connectors_kafka_sink *sink,
                                  struct clients_kafka_health *ret); /* any thread */

#endif
