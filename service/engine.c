#include "service/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cond.h"
#include "base/error.h"
#include "base/time.h"
#include "service/ingest.h"
#include "service/shard.h"

struct service_engine {
    struct service_engine_config config;
    struct service_shared shared;
    struct service_shard **shards;
    struct service_ingest *ingest;
    struct service_part *parts[2];       /* two sets, shards + 1 each; they take turns */
    struct service_part **handed;        /* what barrier gave */
    uint32_t turn;                       /* set that is being filled */
    pthread_t *threads;                  /* shards, then ingest */
    uint32_t started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t asked, injected, resumed;   /* epochs: barrier wanted, injected by ingest, running */
    uint32_t arrived;                    /* threads through with the barrier */
    int error;
    char error_text[512];
    _Atomic bool at_end;
    _Atomic int64_t watermark_ms;
};

struct service_shared *service_engine_shared(struct service_engine *engine)
{
    return &engine->shared;
}

const struct service_engine_config *service_engine_config(const struct service_engine *engine)
{
    return &engine->config;
}

bool service_engine_stopping(const struct service_engine *engine)
{
    return atomic_load(&((struct service_engine *)engine)->shared.stopping);
}

/* ---- threads' side ---- */

void service_engine_arrive(struct service_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->arrived++;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

void service_engine_fail(struct service_engine *engine, int error, const char *what, const char *detail)
{
    pthread_mutex_lock(&engine->lock);
    if (!engine->error && !service_engine_stopping(engine)) {
        engine->error = error;
        snprintf(engine->error_text, sizeof engine->error_text, "%s: %s%s%s", what, base_error_text(error), detail && *detail ? ": " : "",
                 detail ? detail : "");
    }
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

bool service_engine_barrier_asked(struct service_engine *engine, uint64_t *ret_epoch)
{
    pthread_mutex_lock(&engine->lock);
    bool asked = engine->asked > engine->injected;
    if (asked)
        engine->injected = engine->asked;
    *ret_epoch = engine->asked;
    pthread_mutex_unlock(&engine->lock);
    return asked;
}

bool service_engine_wait_resume(struct service_engine *engine, uint64_t epoch)
{
    pthread_mutex_lock(&engine->lock);
    while (engine->resumed <= epoch && !service_engine_stopping(engine))
        pthread_cond_wait(&engine->changed, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
    return !service_engine_stopping(engine);
}

void service_engine_set_progress(struct service_engine *engine, bool at_end, int64_t watermark_ms)
{
    atomic_store_explicit(&engine->at_end, at_end, memory_order_relaxed);
    atomic_store_explicit(&engine->watermark_ms, watermark_ms, memory_order_relaxed);
}

bool service_engine_asks(const struct service_engine *engine)
{
    return engine->config.shards > 0 && service_shard_host(engine->shards[0])->lookups;
}

uint64_t service_engine_unanswered(const struct service_engine *engine)
{
    return atomic_load(&((struct service_engine *)engine)->shared.unanswered);
}

bool service_engine_at_end(const struct service_engine *engine)
{
    return atomic_load_explicit(&((struct service_engine *)engine)->at_end, memory_order_relaxed);
}

int64_t service_engine_watermark(const struct service_engine *engine)
{
    return atomic_load_explicit(&((struct service_engine *)engine)->watermark_ms, memory_order_relaxed);
}

/* ---- coordinator's side ---- */

int service_engine_error(struct service_engine *engine, struct base_buf *reterr)
{
    pthread_mutex_lock(&engine->lock);
    int error = engine->error;
    if (error && reterr)
        base_buf_puts(reterr, engine->error_text);
    pthread_mutex_unlock(&engine->lock);
    return error;
}

int service_engine_barrier(struct service_engine *engine, int64_t timeout_ms, struct service_part ***ret_parts, uint32_t *ret_count,
                           struct base_buf *reterr)
{
    uint32_t threads = engine->config.shards + 1;
    struct timespec until = base_cond_deadline(timeout_ms * 1000);
    pthread_mutex_lock(&engine->lock);
    if (engine->asked < engine->resumed) {
        engine->arrived = 0;
        engine->asked = engine->resumed;
    }
    pthread_mutex_unlock(&engine->lock);
    service_exchange_wake(engine->shared.exchange, SERVICE_EXCHANGE_INGEST(engine->shared.exchange));
    pthread_mutex_lock(&engine->lock);
    int waited = 0;
    while (!engine->error && engine->arrived < threads && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&engine->changed, &engine->lock, &until);
    int e = engine->error;
    bool through = engine->arrived == threads;
    pthread_mutex_unlock(&engine->lock);
    if (e < 0)
        return service_engine_error(engine, reterr);
    if (!through)
        return BASE_E_TIMEOUT;
    for (uint32_t i = 0; i < threads; i++)
        engine->handed[i] = &engine->parts[engine->turn][i];
    *ret_parts = engine->handed;
    *ret_count = threads;
    return 0;
}

void service_engine_resume(struct service_engine *engine)
{
    engine->turn ^= 1;
    struct service_part *parts = engine->parts[engine->turn];
    for (uint32_t i = 0; i <= engine->config.shards; i++) {
        service_part_clear(&parts[i]);
        service_host_next_epoch(i < engine->config.shards ? service_shard_host(engine->shards[i]) : service_ingest_host(engine->ingest), &parts[i]);
    }
    atomic_fetch_add(&engine->shared.resumed, 1); /* shards look at the profile tables as they stand now */
    pthread_mutex_lock(&engine->lock);
    engine->resumed++;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

void service_engine_want_image(struct service_engine *engine, bool image)
{
    atomic_store(&engine->shared.image, image);
}

uint32_t service_engine_heavy(struct service_engine *engine)
{
    return atomic_exchange(&engine->shared.heavy, 0);
}

void service_engine_applied(struct service_engine *engine, uint64_t epoch)
{
    atomic_store(&engine->shared.applied, epoch);
}

bool service_engine_full(const struct service_engine *engine)
{
    return atomic_load(&engine->shared.full) > 0;
}

void service_engine_stats(const struct service_engine *engine, uint32_t node, struct cep_flow_stats *ret)
{
    *ret = (struct cep_flow_stats){ 0 };
    for (uint32_t i = 0; i < engine->config.shards; i++) {
        struct cep_flow_stats stats;
        service_shard_stats(engine->shards[i], node, &stats);
        ret->keys += stats.keys;
        ret->state_bytes += stats.state_bytes;
        ret->threads += stats.threads;
        ret->rows_kept += stats.rows_kept;
        ret->rows_in += stats.rows_in;
        ret->matches += stats.matches;
        ret->rows_waiting += stats.rows_waiting;
    }
}

int64_t service_engine_fired(const struct service_engine *engine)
{
    int64_t least = BASE_TIME_MAX_MS;
    for (uint32_t i = 0; i < engine->config.shards; i++) {
        int64_t fired = service_shard_fired(engine->shards[i]);
        least = fired < least ? fired : least;
    }
    return least;
}

int64_t service_engine_profile_floor(const struct service_engine *engine, uint32_t table)
{
    int64_t floor_ms = BASE_TIME_MAX_MS;
    for (uint32_t i = 0; i < engine->config.shards; i++) {
        int64_t shard_ms = service_shard_profile_floor(engine->shards[i], table);
        floor_ms = shard_ms < floor_ms ? shard_ms : floor_ms;
    }
    return floor_ms;
}

/* ---- life ---- */

static int make_parts(struct service_engine *engine)
{
    uint32_t threads = engine->config.shards + 1;
    engine->handed = base_calloc(threads, sizeof *engine->handed);
    for (uint32_t set = 0; set < 2; set++) {
        engine->parts[set] = base_calloc(threads, sizeof *engine->parts[set]);
        if (!engine->parts[set])
            return BASE_E_NOMEM;
        for (uint32_t i = 0; i < threads; i++) {
            int e = service_part_init(&engine->parts[set][i]);
            if (e < 0)
                return e;
        }
    }
    return engine->handed ? 0 : BASE_E_NOMEM;
}

static int make_threads(struct service_engine *engine, struct base_buf *reterr)
{
    const struct service_engine_config *config = &engine->config;
    for (uint32_t i = 0; i < config->shards; i++) {
        int e = service_shard_create(engine, i, config->shard_watermarks, &engine->shards[i], reterr);
        if (e < 0)
            return e;
        struct service_host *host = service_shard_host(engine->shards[i]);
        service_host_use_part(host, &engine->parts[0][i]);
        host->epoch = config->epoch;
    }
    int e = service_ingest_create(engine, config->ingest_watermarks, &engine->ingest, reterr);
    if (e < 0)
        return e;
    service_host_use_part(service_ingest_host(engine->ingest), &engine->parts[0][config->shards]);
    service_ingest_host(engine->ingest)->epoch = config->epoch;
    return 0;
}

int service_engine_create(const struct service_engine_config *config, struct service_engine **ret, struct base_buf *reterr)
{
    struct service_engine *engine = base_calloc(1, sizeof *engine);
    if (!engine)
        return BASE_E_NOMEM;
    engine->config = *config;
    memcpy(&engine->shared, &config->shared, sizeof engine->shared);
    atomic_store(&engine->shared.stopping, false);
    atomic_store(&engine->shared.unanswered, 0);
    engine->resumed = config->epoch;
    engine->asked = engine->injected = config->epoch - 1;
    atomic_store(&engine->watermark_ms, BASE_TIME_MIN_MS);
    pthread_mutex_init(&engine->lock, NULL);
    base_cond_init(&engine->changed);
    engine->shared.exchange = service_exchange_create(config->shards, engine->shared.plan->stages, config->queue);
    engine->shards = base_calloc(config->shards, sizeof *engine->shards);
    engine->threads = base_calloc(config->shards + 1, sizeof *engine->threads);
    int e = engine->shared.exchange && engine->shards && engine->threads ? make_parts(engine) : BASE_E_NOMEM;
    if (e == 0)
        e = make_threads(engine, reterr);
    if (e < 0) {
        service_engine_destroy(engine);
        return e;
    }
    *ret = engine;
    return 0;
}

int service_engine_start(struct service_engine *engine)
{
    for (uint32_t i = 0; i <= engine->config.shards; i++) {
        bool shard = i < engine->config.shards;
        if (pthread_create(&engine->threads[i], NULL, shard ? service_shard_main : service_ingest_main,
                           shard ? (void *)engine->shards[i] : (void *)engine->ingest) != 0)
            return BASE_E_NOMEM;
        engine->started++;
    }
    return 0;
}

void service_engine_destroy(struct service_engine *engine)
{
    if (!engine)
        return;
    atomic_store(&engine->shared.stopping, true);
    pthread_mutex_lock(&engine->lock);
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    for (uint32_t i = 0; i < engine->started; i++)
        service_exchange_wake(engine->shared.exchange, i);
    if (engine->shared.exchange && engine->started)
        service_exchange_wake(engine->shared.exchange, engine->config.shards);
    for (uint32_t i = 0; i < engine->started; i++)
        pthread_join(engine->threads[i], NULL);
    for (uint32_t i = 0; engine->shards && i < engine->config.shards; i++)
        service_shard_destroy(engine->shards[i]);
    service_ingest_destroy(engine->ingest);
    service_exchange_destroy(engine->shared.exchange);
    for (uint32_t set = 0; set < 2; set++) {
        for (uint32_t i = 0; engine->parts[set] && i <= engine->config.shards; i++)
            service_part_finish(&engine->parts[set][i]);
        base_free(engine->parts[set]);
    }
    base_free(engine->handed);
    base_free(engine->shards);
    base_free(engine->threads);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    base_free(engine);
}
