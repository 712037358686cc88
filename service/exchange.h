/* The exchange inside a process (protocol.md 1-2): bounded queues of batches, one for each (stage, sender, receiver). Senders are the shards and, as the last
 * one, ingest; receivers are the shards. A sender never blocks inside a push: a batch that finds its queue full is parked, and the sender drains its own
 * inboxes of later stages meanwhile, so that shards that send to each other cannot wait for each other in a ring. Knows no flow and no key. */
#ifndef SERVICE_EXCHANGE_H
#define SERVICE_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/flow.h"
#include "service/message.h"

struct service_parcel {    /* a batch of messages on its way */
    struct service_parcel *next; /* while parked */
    struct base_buf bytes; /* messages (message.h), one behind the other */
    uint32_t stage, receiver;
};
void service_parcel_free(struct service_parcel *parcel);

struct service_exchange;
/* queue: parcels per queue. NULL: no memory. */
struct service_exchange *service_exchange_create(uint32_t shards, uint32_t stages, uint32_t queue);
void service_exchange_destroy(struct service_exchange *exchange); /* all threads ended; frees what is queued */
uint32_t service_exchange_shards(const struct service_exchange *exchange);
uint32_t service_exchange_stages(const struct service_exchange *exchange);
#define SERVICE_EXCHANGE_INGEST(x) service_exchange_shards(x) /* sender number of ingest */

/* ---- sender's thread ---- */
/* Appends a row for `receiver`; BASE_E_NOMEM, BASE_E_LIMIT. `node` is the EXCHANGE node. */
int service_exchange_row(struct service_exchange *exchange, uint32_t sender, uint32_t stage, uint32_t receiver, uint32_t node,
                         const struct cep_event *event) BASE_MUST_CHECK;
/* Appends a watermark or barrier for every receiver. */
int service_exchange_mark(struct service_exchange *exchange, uint32_t sender, uint32_t stage, enum service_message_kind kind, uint32_t node,
                          int64_t value) BASE_MUST_CHECK;
/* Sends what is being filled, and what was parked as far as there is room. */
void service_exchange_flush(struct service_exchange *exchange, uint32_t sender);
/* Greatest stage of which a parcel of this sender is parked, plus one; 0: none. A shard may take in only stages at or above stage - 1 meanwhile. */
uint32_t service_exchange_parked(const struct service_exchange *exchange, uint32_t sender);

/* ---- receiver's thread ---- */
/* Next parcel, or NULL; to be freed by the receiver. */
struct service_parcel *service_exchange_take(struct service_exchange *exchange, uint32_t receiver, uint32_t stage, uint32_t sender);
/* Waits until something is sent to the thread, room is made for it, or it is woken; or the time is over. thread: shard number, or ingest's. */
void service_exchange_wait(struct service_exchange *exchange, uint32_t thread, int64_t timeout_us);
/* Any thread. */
void service_exchange_wake(struct service_exchange *exchange, uint32_t thread);

#endif
