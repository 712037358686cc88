/* The host's side of a flow in the service (struct cep_env): routes rows into the exchange, makes alerts and output rows for the epoch, asks profile tables,
 * reads cold state, counts and dead-letters what went wrong. One host per flow and thread; shards and ingest each have one. */
#ifndef SERVICE_HOST_H
#define SERVICE_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/flow.h"
#include "formats/cells.h"
#include "formats/encode.h"
#include "service/exchange.h"
#include "service/imager.h"
#include "service/journal.h"
#include "service/letters.h"
#include "service/lookups.h"
#include "service/metrics.h"
#include "service/part.h"
#include "service/plan.h"
#include "service/profiles.h"
#include "service/store.h"

/* What all hosts of an engine share. Read-only while it runs, but for the atomics. */
struct service_shared {
    const struct cep_linked *linked;
    const struct cep_program *program;
    const struct service_plan *plan;
    struct service_exchange *exchange;
    struct service_profiles *profiles;
    struct service_store *store;
    struct service_imager *imager;       /* images on their way into the store; NULL: they go with their epochs alone */
    struct service_metrics *metrics;
    struct service_rule_stats **rules;   /* by rule index */
    struct service_letters *letters;
    struct cep_limits limits;
    uint64_t image_growth;               /* a shard's state may grow so far between two images (service/memory.h) */
    uint64_t image_room, store_room;     /* what its image may take beside its state's own, and besides as long as the store is empty */
    const char *source;                  /* CloudEvents source */
    bool allow_private;                  /* HTTP to inside addresses */
    size_t alert_bytes;
    struct service_known *known;         /* by shard; NULL: not known */
    _Atomic bool image;                  /* the coming barrier writes down all state that changed since the last image */
    _Atomic uint32_t heavy;              /* bits: an image is due; it is overdue, even if another one is on its way: told by shards, taken back by the coordinator */
    _Atomic uint32_t full;               /* shards that have taken in as much as an epoch may hold: ingest waits for the next one */
    _Atomic uint64_t unanswered;         /* rows that wait for outside tables, of all shards */
    _Atomic uint64_t applied;            /* last epoch whose changes stand in the store */
    _Atomic uint64_t resumed;            /* epochs begun: the profile tables may have moved before each */
    _Atomic bool stopping;               /* threads end as soon as they can */
};

/* Which keys may have state in the store: a Bloom filter per shard, kept over reloads. Only there if the store held no state when it was made; then a
 * key that was never written costs no question to the store. */
struct service_known { uint64_t *bits; uint64_t mask; };

enum { SERVICE_IMAGE_DUE = 1, SERVICE_IMAGE_OVERDUE = 2 }; /* service_shared.heavy */

#define SERVICE_DEADLINES (1u << 16)
struct service_deadline { uint64_t key; int64_t ms; };
#define SERVICE_BLOOM_BITS (1u << 20)
#define SERVICE_NOTING 16u /* keys of an image whose bits are brought near before they are set */
struct service_host {
    struct service_shared *shared;
    uint32_t sender;                     /* shard number, or ingest's */
    struct service_part *part;           /* of the running epoch */
    uint64_t epoch;                      /* the running one */
    uint64_t *written;                   /* bits of the keys whose pieces went into the last image: their state may not be in the store yet */
    uint64_t written_epoch;              /* that image's; 0: none yet */
    struct service_known *known;         /* NULL: every key must be asked for */
    uint64_t noting[SERVICE_NOTING];     /* keys whose bits of `known` are still to be set */
    uint32_t noting_count;
    struct service_deadline *deadlines;  /* by hash: deadlines that stand in the store already; what is not here is written again */
    struct service_journal journal;      /* shards: of what their operators take in */
    bool journal_lost;                   /* no memory for a note where nothing could be said: told at the barrier */
    struct service_lookups *lookups;     /* outside tables; NULL: none */
    struct formats_encoder **encoders;   /* by node: rows of INSERT INTO */
    struct formats_cells **cells;        /* by node: instead, where the table lies in a store */
    struct base_buf scratch, key_scratch;
    uint64_t *timed_out;                 /* shards, by node: partial matches whose time ran out, not yet told; NULL: each is told at once */
    uint32_t *timed_out_nodes;           /* those with any */
    uint32_t timed_out_count;            /* of these */
};
int service_host_init(struct service_host *host, struct service_shared *shared, uint32_t sender, struct base_buf *reterr) BASE_MUST_CHECK;
void service_host_finish(struct service_host *host);
/* The environment for cep_flow_create. */
struct cep_env service_host_env(struct service_host *host);
/* Counts what ran out of time since the last call, of which there may be one for every row, into the metrics: after each round of a shard, and at the barrier. */
void service_host_tell(struct service_host *host);
/* Changed pieces of the flow into the part's batch: at the barrier. The piece callback of cep_flow_checkpoint, with the host as ctx. */
int service_host_piece(void *ctx, uint64_t fingerprint, uint32_t key_group, const struct cep_tuple *key, uint32_t piece, const void *bytes, size_t len,
                       int64_t deadline_ms) BASE_MUST_CHECK;
/* All pieces have come: what was put off of noting them is done. */
void service_host_pieces_end(struct service_host *host);
/* Part of the running epoch. */
void service_host_use_part(struct service_host *host, struct service_part *part);
/* The next epoch begins: what was written in the one before is remembered. */
void service_host_next_epoch(struct service_host *host, struct service_part *part);

/* Keys of the families state and timers. */
void service_state_key(uint32_t key_group, uint64_t fingerprint, const struct cep_tuple *key, uint32_t piece, struct base_buf *out);
void service_timer_key(uint32_t key_group, int64_t deadline_ms, uint64_t fingerprint, const struct cep_tuple *key, struct base_buf *out);
/* Beginning of all timer keys of a key group from a deadline on. */
void service_timer_from(uint32_t key_group, int64_t deadline_ms, struct base_buf *out);
struct service_timer { uint32_t key_group; int64_t deadline_ms; uint64_t fingerprint; const struct cep_tuple *key; };
/* The key tuple points into a copy in `aligned`. False: no such key. */
bool service_timer_parse(struct base_str key, struct base_buf *aligned, struct service_timer *ret);

#endif
