/* Kafka topics as a source: all partitions of a topic or a list of topics, assigned by hand (single deployment), read
 * in batches from numeric positions that the caller keeps. It joins no group, commits nothing on its own, decodes
 * nothing and never skips a record silently.
 *
 * Life: create → discover → resolve (only where no stored position is) → start → poll … → stop → start again (internal
 * restart) → destroy. One thread (the ingest thread) except where noted; discover, resolve and offsets may take the
 * given timeout, poll takes its own. */
#ifndef CONNECTORS_KAFKA_SOURCE_H
#define CONNECTORS_KAFKA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/record.h"
#include "clients/kafka.h"

#define CONNECTORS_KAFKA_NO_OFFSET (-1)

/* What one poll gave, copied out of librdkafka, so it may be handed to another thread. Zero-initialise. Payloads stand
 * one behind the other in one buffer, parted by line ends, with CEP_RECORD_SLACK readable bytes behind
 * (CEP_RECORD_PADDED is set); keys stand in another. */
struct connectors_kafka_batch {
    struct cep_record *records; /* owned array; origin points into the source; partition is position_partition; error as
                                   cep/record.h */
    uint32_t *partitions;       /* of each record: index in the source */
    uint32_t count, cap;
    char *bytes, *keys; /* owned */
    size_t bytes_cap, keys_cap;
};
void connectors_kafka_batch_finish(struct connectors_kafka_batch *batch);

struct connectors_kafka_source_options {
    const char *name;     /* of the table, for logs and errors */
    const char *group_id; /* of the application: where its offsets are committed; needed also without commits */
    /* The table's WITH options, all of them: 'topic' = 'a' or 'a;b', 'properties.*', 'scan.startup.mode' =
     * earliest-offset | latest-offset | group-offsets (default) | timestamp | specific-offsets,
     * 'scan.startup.timestamp-millis', 'scan.startup.specific-offsets' =
     * 'partition:0,offset:42;partition:1,offset:300', 'scan.bounded.mode' = unbounded | latest-offset | group-offsets |
     * timestamp | specific-offsets (with the like options), 'max-record-bytes' (a longer record comes with BASE_E_LIMIT
     * and its beginning); others are ignored. 'properties.group.id' is where group-offsets are read from if it differs.
     */
    const struct clients_option *with;
    size_t with_count;
};

/* A partition of the source. */
struct connectors_kafka_partition {
    const char *topic;          /* owned by the source, lives as long */
    int32_t topic_partition;    /* Kafka's number */
    int32_t position_partition; /* cep_position.partition: place of the topic in the list << 20 | topic_partition */
    int64_t next_offset; /* behind the last record handed out (or skipped by the log: control records); NO_OFFSET before
                            start */
    int64_t end_offset;  /* bounded: stop before it; NO_OFFSET: unbounded */
    bool started;
    bool paused;   /* by connectors_kafka_source_pause */
    bool at_end;   /* everything that a reader of its isolation may see was handed out, as of the last fetch */
    bool finished; /* bounded and end_offset reached */
    bool own_queue;  /* of the source: librdkafka keeps its messages apart */
    int64_t time_ms; /* as connectors_kafka_source_reached said */
};
struct connectors_kafka_start {
    uint32_t partition; /* index in the source */
    int64_t offset;     /* first to be read */
};

struct connectors_kafka_source;
/* No network. BASE_E_CONFIG with the reason in reterr (appended; may be NULL). */
int connectors_kafka_source_create(const struct connectors_kafka_source_options *options,
                                   struct connectors_kafka_source **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void connectors_kafka_source_destroy(struct connectors_kafka_source *source);

/* Asks the cluster for the topics' partitions; new ones are appended (not started), *ret_new says how many.
 * BASE_E_NOTFOUND: a topic is missing; BASE_E_BROKER: no broker answered in time; BASE_E_AUTH: refused. The text says
 * what to do; call again later (the caller keeps the back-off). */
int connectors_kafka_source_discover(struct connectors_kafka_source *source, int timeout_ms, uint32_t *ret_new,
                                     struct base_buf *reterr) BASE_MUST_CHECK;
/* True once after librdkafka's own refresh or the metadata period has passed: time to call discover again. */
bool connectors_kafka_source_wants_discover(struct connectors_kafka_source *source);
uint32_t connectors_kafka_source_partitions(const struct connectors_kafka_source *source);
/* Valid until the next call on the source. */
const struct connectors_kafka_partition *connectors_kafka_source_partition(const struct connectors_kafka_source *source,
                                                                           uint32_t index);
/* Index of (topic, partition), UINT32_MAX if unknown. */
uint32_t connectors_kafka_source_find(const struct connectors_kafka_source *source, const char *topic,
                                      int32_t topic_partition);

/* The startup mode as numbers for the given partitions: start[i].partition in, start[i].offset out. found_later: a
 * partition that appeared while running, which is always read from its beginning. Errors as discover. */
int connectors_kafka_source_resolve(struct connectors_kafka_source *source, struct connectors_kafka_start *start,
                                    size_t count, bool found_later, int timeout_ms,
                                    struct base_buf *reterr) BASE_MUST_CHECK;
/* True if 'scan.bounded.mode' is set to something else than unbounded. */
bool connectors_kafka_source_bounded(const struct connectors_kafka_source *source);
/* Resolves end offsets of all known partitions of a bounded source (once, before start). */
int connectors_kafka_source_resolve_end(struct connectors_kafka_source *source, int timeout_ms,
                                        struct base_buf *reterr) BASE_MUST_CHECK;

/* Begins to read these partitions at these offsets; may be called again for others. Starting a started partition is
 * BASE_E_INVALID. */
int connectors_kafka_source_start(struct connectors_kafka_source *source, const struct connectors_kafka_start *start,
                                  size_t count, struct base_buf *reterr) BASE_MUST_CHECK;
/* Stops reading all partitions and throws away what was fetched; start may follow at other offsets (the seek of an
 * internal restart). */
int connectors_kafka_source_stop(struct connectors_kafka_source *source) BASE_MUST_CHECK;

/* Waits at most timeout_ms for the first record and gives up to max_records of them (the batch is emptied first). 0
 * also if none came. BASE_E_BROKER / BASE_E_AUTH are not returned from here: a broker that is away gives no records,
 * see health. BASE_E_RANGE: a position is not in the log (deleted by retention, or beyond its end): the reason is in
 * reterr and nothing of that partition comes until it is stopped and started elsewhere; BASE_E_NOMEM. Records handed
 * out together with an error are good. */
int connectors_kafka_source_poll(struct connectors_kafka_source *source, int timeout_ms, uint32_t max_records,
                                 struct connectors_kafka_batch *batch, struct base_buf *reterr) BASE_MUST_CHECK;
/* How far a partition has come in event time: where several have something to give, those least far are read first. Without it they take turns as they stand. */
void connectors_kafka_source_reached(struct connectors_kafka_source *source, uint32_t partition, int64_t time_ms);
/* All partitions of a bounded source are finished. */
bool connectors_kafka_source_finished(const struct connectors_kafka_source *source);
/* Watermark alignment: paused partitions hand out nothing, what was fetched of them is fetched again after resume. */
int connectors_kafka_source_pause(struct connectors_kafka_source *source, const uint32_t *partitions, size_t count,
                                  bool pause) BASE_MUST_CHECK;
/* Commits positions to the group without waiting and without effect on correctness, so that Kafka's tools show the lag.
 * metadata may be NULL. */
int connectors_kafka_source_commit(struct connectors_kafka_source *source,
                                   const struct connectors_kafka_start *positions, size_t count,
                                   const char *metadata) BASE_MUST_CHECK;
/* High watermark known from the last fetch of a partition, NO_OFFSET if none yet: end − next_offset is the lag. Any
 * thread. */
int64_t connectors_kafka_source_high(const struct connectors_kafka_source *source, uint32_t partition);
/* Any thread. Idle by semantics.md 11 needs reachable && at_end && !paused. */
void connectors_kafka_source_health(struct connectors_kafka_source *source, struct clients_kafka_health *ret);

#endif
