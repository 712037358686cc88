/* A thread that owns key groups: takes parcels from its inboxes, later stages first, hands rows and watermarks to its flow, and at a barrier writes down what
 * changed (protocol.md 2-3). Shares nothing with the other shards but the exchange and what struct service_shared holds. */
#ifndef SERVICE_SHARD_H
#define SERVICE_SHARD_H

#include <stdint.h>
#include "base/attr.h"
#include "service/engine.h"
#include "service/host.h"

struct service_shard;
/* The flow stands, nothing runs. Watermarks as stored (empty: none). Reason appended to reterr. */
int service_shard_create(struct service_engine *engine, uint32_t number, struct base_str watermarks, struct service_shard **ret, struct base_buf *reterr)
    BASE_MUST_CHECK;
void service_shard_destroy(struct service_shard *shard); /* its thread has ended; NULL allowed */
/* The body of the thread; arg is the shard. */
void *service_shard_main(void *arg);
struct service_host *service_shard_host(struct service_shard *shard);
/* Shard's thread at rest (after a barrier) or any thread with approximate results. */
void service_shard_stats(const struct service_shard *shard, uint32_t node, struct cep_flow_stats *ret);
/* At rest: event time up to which all its deadlines have fired, the least watermark that an exchange was told. */
int64_t service_shard_profile_floor(const struct service_shard *shard, uint32_t table); /* as service_engine_profile_floor, of this shard */
int64_t service_shard_fired(const struct service_shard *shard);

#endif
