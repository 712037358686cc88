/* Kafka as the judge of epochs (protocol.md 3-7): one transactional producer whose committed offsets, with {store id, epoch} as metadata, say which epochs
 * count. Only there if exactly-once delivery to a Kafka sink or table is wanted; otherwise the store decides alone. Epoch thread only. */
#ifndef SERVICE_DECIDER_H
#define SERVICE_DECIDER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "service/config.h"
#include "service/store.h"

struct service_offset { const char *topic; int32_t partition; int64_t offset; }; /* of a source, behind the epoch */

struct service_decider;
struct service_decider_config {
    const struct service_config *config;
    struct service_store *store;
    const struct service_sink_config *sink;  /* whose brokers and security it uses; NULL: table_options */
    const void *table_options;               /* struct clients_option array */
    size_t table_option_count;
    bool (*stop)(void *ctx);                 /* true: give up waiting for a broker */
    void *ctx;
    bool again;                              /* opened anew by a process that has decided before: whoever decided meanwhile has taken over */
};
/* Fences older instances, waits for the broker (forever, with back-off; each cause is logged once), settles what a kill left pending: applies or drops it.
 * Reason appended to reterr: BASE_E_CONFIG, BASE_E_CONFLICT (state and commit do not fit each other: the text names the choices), BASE_E_CLOSED (stopped),
 * BASE_E_FENCED (opened again, and another process has decided meanwhile: it is left alone). */
int service_decider_open(const struct service_decider_config *config, struct service_decider **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void service_decider_close(struct service_decider *decider); /* NULL allowed */
/* The transaction of an epoch is opened at its first record. */
int service_decider_produce(struct service_decider *decider, const char *topic, struct base_str key, struct base_str value, bool cloud_event,
                            struct base_buf *reterr) BASE_MUST_CHECK;
/* Would the record be refused for its size? */
bool service_decider_fits(const struct service_decider *decider, struct base_str key, struct base_str value);
/* Commits. 0: decided. BASE_E_CONFLICT: aborted, nothing of it counts. BASE_E_FENCED: another instance has taken over: end the process. An unknown outcome
 * is asked for until it is known, for ten minutes: then BASE_E_AGAIN, and the decider must be opened anew. BASE_E_CLOSED: stopped while
 * it was not known. */
int service_decider_decide(struct service_decider *decider, uint64_t epoch, const struct service_offset *offsets, size_t count, struct base_buf *reterr)
    BASE_MUST_CHECK;
/* Forgets an open transaction (an abort of ours). */
void service_decider_abort(struct service_decider *decider);
/* Before the first record of a topic: connectors_kafka_sink_prepare. */
void service_decider_prepare(struct service_decider *decider, const char *topic);
/* Makes sure that a topic exists; partitions, replication -1: the broker's default. */
int service_decider_ensure_topic(struct service_decider *decider, const char *topic, int32_t partitions, int32_t replication, struct base_buf *reterr)
    BASE_MUST_CHECK;

#endif
