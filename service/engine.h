/* A running rule set: the shards, ingest and the exchange between them, and the barrier that stops them all at one point of the stream. Made by the runtime
 * for a program; a reload or an abort makes a new one over the same store and inputs. Decides nothing about epochs: it hands over what belongs to one. */
#ifndef SERVICE_ENGINE_H
#define SERVICE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "service/host.h"
#include "service/input.h"

struct service_engine;
struct service_engine_config {
    struct service_shared shared;        /* exchange is made by the engine */
    uint32_t shards;
    uint32_t queue;                      /* parcels per queue */
    uint32_t batch;                      /* records per poll */
    int64_t idle_ms;                     /* default of the idle timeout; 0: never */
    struct service_input **inputs;       /* borrowed; ingest's thread owns them while the engine runs */
    uint32_t input_count;
    struct base_str shard_watermarks, ingest_watermarks; /* as stored; empty: none */
    uint64_t epoch;                      /* the first one to run */
    uint64_t image, decided;             /* shards begin with the state as of epoch `image`, and go through their journals up to `decided` */
    bool (*stopped)(void *ctx);          /* reserved for tests: NULL */
    void (*on_outputs)(void *ctx);       /* a shard has the first output of the epoch; from its thread. NULL: nobody asks */
    void *ctx;
};
/* Nothing runs yet. Reason appended to reterr. */
int service_engine_create(const struct service_engine_config *config, struct service_engine **ret, struct base_buf *reterr) BASE_MUST_CHECK;
int service_engine_start(struct service_engine *engine) BASE_MUST_CHECK;
/* Ends the threads where they stand (what was not decided is lost) and frees all. NULL allowed. */
void service_engine_destroy(struct service_engine *engine);

/* Barrier: returns when every shard has written down the running epoch, with all threads at rest; parts: ingest's last. The parts stay the engine's and are
 * good until the barrier after the next. drain: ingest reads nothing any more. BASE_E_TIMEOUT, or the error that stopped a thread (reason appended). */
int service_engine_barrier(struct service_engine *engine, int64_t timeout_ms, struct service_part ***ret_parts, uint32_t *ret_count, struct base_buf *reterr)
    BASE_MUST_CHECK;
/* Before a barrier: does it write down all state that changed since the last image (then the journal in front of it is of no more use)? */
void service_engine_want_image(struct service_engine *engine, bool image);
/* Did a shard hold more state than it may since this was asked last? Only what an image holds can leave memory. Bits: SERVICE_IMAGE_DUE, SERVICE_IMAGE_OVERDUE. */
uint32_t service_engine_heavy(struct service_engine *engine);
/* The next epoch begins. */
void service_engine_resume(struct service_engine *engine);
/* `epoch` stands in the store: cold state of it may be read. */
void service_engine_applied(struct service_engine *engine, uint64_t epoch);
/* Has an epoch taken in as much as it may? Then its barrier should come now. */
bool service_engine_full(const struct service_engine *engine);
/* The error that stopped a thread, or 0; any thread. */
int service_engine_error(struct service_engine *engine, struct base_buf *reterr);
/* Have all bounded inputs been read to their end, and are there only such? */
bool service_engine_at_end(const struct service_engine *engine);
/* Does some rule ask outside tables; how many rows wait for these, as of a moment ago. */
bool service_engine_asks(const struct service_engine *engine);
uint64_t service_engine_unanswered(const struct service_engine *engine);
/* Sum over shards of a node's numbers (CEP_NONE: of all). Approximate while it runs. */
void service_engine_stats(const struct service_engine *engine, uint32_t node, struct cep_flow_stats *ret);
/* At rest: event time up to which every stored deadline has fired; BASE_TIME_MIN_MS: none. */
int64_t service_engine_fired(const struct service_engine *engine);
/* At rest: no row that is still to come asks the profile table (of the program) for an earlier time; BASE_TIME_MAX_MS: nobody asks it. */
int64_t service_engine_profile_floor(const struct service_engine *engine, uint32_t table);
/* Latest source watermark (the least of all tables with event time); BASE_TIME_MIN_MS: none yet. */
int64_t service_engine_watermark(const struct service_engine *engine);

/* ---- for shard.c and ingest.c ---- */
struct service_shared *service_engine_shared(struct service_engine *engine);
const struct service_engine_config *service_engine_config(const struct service_engine *engine);
/* A thread is through with the epoch's barrier. */
void service_engine_arrive(struct service_engine *engine);
/* A thread cannot go on. */
void service_engine_fail(struct service_engine *engine, int error, const char *what, const char *detail);
bool service_engine_stopping(const struct service_engine *engine);
/* Ingest: is a barrier asked for that it has not injected yet? Then its epoch. */
bool service_engine_barrier_asked(struct service_engine *engine, uint64_t *ret_epoch);
/* Ingest, after arriving: waits for the next epoch; false: the engine stops. */
bool service_engine_wait_resume(struct service_engine *engine, uint64_t epoch);
void service_engine_set_progress(struct service_engine *engine, bool at_end, int64_t watermark_ms);

#endif
