/* Questions of a lookup asked by threads of their own: one thread and one connection to the store each. While a thread asks, the keys that come up meanwhile pile
 * up and are asked together next, so batches grow as the store slows down. A question ends within 'lookup.timeout'; keys without an answer then fail, and so does, at
 * once, what comes within the second after. Only the owner's thread touches what is known; jobs go there and back by two lists under a lock. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cond.h"
#include "base/error.h"
#include "base/time.h"
#include "enrichment/lookup_internal.h"

#define HTTP_FETCH_MOST 4u /* keys of one job where each is a request of its own */

struct job {
    struct job *next;
    const struct cep_tuple **keys;     /* in keys_arena */
    uint32_t count;
    struct base_arena keys_arena, arena;
    struct cep_row **rows;             /* in arena */
    int error;
    uint64_t fetches;
    char why[ENRICHMENT_TROUBLE_BYTES];
};
struct jobs { struct job *first, **end; };
struct worker {
    struct enrichment_pool *pool;
    struct enrichment_outside *store;
    uint32_t connection;
    pthread_t thread;
    bool started;
};
struct enrichment_pool {
    struct enrichment_lookup *lookup;
    void (*wake)(void *ctx);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t work, done;         /* a job to do, or the end; a job done */
    struct jobs todo, ready;
    bool stop, made;
    struct worker *workers;
    uint32_t worker_count;
};

static void put(struct jobs *jobs, struct job *job)
{
    job->next = NULL;
    if (!jobs->first)
        jobs->end = &jobs->first;
    *jobs->end = job;
    jobs->end = &job->next;
}

static struct job *take(struct jobs *jobs)
{
    struct job *job = jobs->first;
    if (job)
        jobs->first = job->next;
    return job;
}

static void job_free(struct job *job)
{
    base_arena_finish(&job->keys_arena);
    base_arena_finish(&job->arena);
    base_free(job);
}

/* ---- the threads ---- */

static bool pause_worker(void *ctx, int64_t us)
{
    struct enrichment_pool *pool = ctx;
    struct timespec until = base_cond_deadline(us);
    pthread_mutex_lock(&pool->lock);
    while (!pool->stop && pthread_cond_timedwait(&pool->work, &pool->lock, &until) != ETIMEDOUT) {
    }
    bool go = !pool->stop;
    pthread_mutex_unlock(&pool->lock);
    return go;
}

static void carry_out(struct worker *worker, struct job *job)
{
    struct enrichment_pool *pool = worker->pool;
    struct enrichment_ask ask = { .lookup = pool->lookup, .keys = job->keys, .count = job->count, .connection = worker->connection, .arena = &job->arena,
                                  .until_us = base_clock_mono_us() + pool->lookup->timeout_us };
    struct base_buf why = { .limit = sizeof job->why };
    job->error = enrichment_lookup_try(worker->store, &ask, &why, pause_worker, pool, &job->fetches);
    job->rows = ask.rows;
    snprintf(job->why, sizeof job->why, "%.*s", (int)why.len, why.len ? why.ptr : "");
    if (job->error < 0 && !why.len)
        snprintf(job->why, sizeof job->why, "%s", base_error_text(job->error));
    base_buf_finish(&why);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct enrichment_pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stop) {
        struct job *job = take(&pool->todo);
        if (!job) {
            pthread_cond_wait(&pool->work, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        carry_out(worker, job);
        pthread_mutex_lock(&pool->lock);
        put(&pool->ready, job);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
        pool->wake(pool->ctx);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- life ---- */

static int make_locks(struct enrichment_pool *pool)
{
    bool work = base_cond_init(&pool->work) == 0, done = work && base_cond_init(&pool->done) == 0;
    pool->made = done && pthread_mutex_init(&pool->lock, NULL) == 0;
    if (!pool->made && done)
        pthread_cond_destroy(&pool->done);
    if (!pool->made && work)
        pthread_cond_destroy(&pool->work);
    return pool->made ? 0 : BASE_E_NOMEM;
}

void enrichment_pool_destroy(struct enrichment_pool *pool)
{
    if (!pool)
        return;
    if (pool->made) {
        pthread_mutex_lock(&pool->lock);
        pool->stop = true;
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
    }
    for (uint32_t i = 0; pool->workers && i < pool->worker_count; i++) {
        if (pool->workers[i].started)
            pthread_join(pool->workers[i].thread, NULL);
        if (pool->workers[i].store)
            pool->workers[i].store->close(pool->workers[i].store);
    }
    for (struct job *job; (job = take(&pool->todo)) || (job = take(&pool->ready));)
        job_free(job);
    if (pool->made) {
        pthread_cond_destroy(&pool->work);
        pthread_cond_destroy(&pool->done);
        pthread_mutex_destroy(&pool->lock);
    }
    base_free(pool->workers);
    base_free(pool);
}

int enrichment_lookup_start(struct enrichment_lookup *l, void (*wake)(void *ctx), void *ctx, struct base_buf *reterr)
{
    struct enrichment_pool *pool = base_calloc(1, sizeof *pool);
    if (!pool)
        return BASE_E_NOMEM;
    pool->lookup = l;
    pool->wake = wake;
    pool->ctx = ctx;
    pool->worker_count = enrichment_lookup_connections(l);
    pool->workers = base_calloc(pool->worker_count, sizeof *pool->workers);
    int e = pool->workers ? make_locks(pool) : BASE_E_NOMEM;
    for (uint32_t i = 0; i < pool->worker_count && e == 0; i++) {
        struct worker *worker = &pool->workers[i];
        *worker = (struct worker){ .pool = pool, .connection = i };
        e = enrichment_lookup_open(l, &worker->store, reterr);
        worker->started = e == 0 && pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
        if (e == 0 && !worker->started) {
            base_buf_puts(reterr, "no thread could be started for 'lookup.connections'");
            e = BASE_E_LIMIT;
        }
    }
    if (e < 0) {
        enrichment_pool_destroy(pool);
        return e;
    }
    l->pool = pool;
    return 0;
}

/* ---- the owner's side ---- */

/* Notes a key for the next flush. */
static int ask_for(struct enrichment_lookup *l, struct enrichment_known *known)
{
    if (base_clock_mono_us() < l->down_until_us) {
        known->knowing = ENRICHMENT_FAILED;
        return 0;
    }
    struct cep_tuple *copy = base_arena_alloc(&l->wanted_arena, known->key->size_bytes);
    if (!copy)
        return BASE_E_NOMEM;
    memcpy(copy, known->key, known->key->size_bytes);
    known->knowing = ENRICHMENT_ASKED;
    return BASE_VEC_PUSH(&l->wanted, copy) ? 0 : BASE_E_NOMEM;
}

int enrichment_lookup_want(struct enrichment_lookup *l, const struct cep_tuple *key)
{
    struct enrichment_known *known;
    int e = enrichment_known_get(l, key, &known);
    if (e)
        return e;
    /* what others wait for is new enough, also without a cache */
    bool serves = known->knowing == ENRICHMENT_ASKED || enrichment_known_fresh(known) || (known->knowing == ENRICHMENT_KNOWN && known->waiting > 0);
    l->stats.asked++;
    known->waiting++;
    if (!serves)
        return ask_for(l, known);
    l->stats.hits++;
    return 0;
}

static int send(struct enrichment_lookup *l, const struct cep_tuple *const *keys, uint32_t count)
{
    struct job *job = base_calloc(1, sizeof *job);
    if (!job)
        return BASE_E_NOMEM;
    job->count = count;
    job->keys = base_arena_alloc(&job->keys_arena, count * sizeof *job->keys);
    for (uint32_t i = 0; job->keys && i < count; i++) {
        struct cep_tuple *copy = base_arena_alloc(&job->keys_arena, keys[i]->size_bytes);
        if (copy)
            memcpy(copy, keys[i], keys[i]->size_bytes);
        job->keys[i] = copy;
    }
    if (job->keys_arena.failed) {
        job_free(job);
        return BASE_E_NOMEM;
    }
    l->stats.keys += count;
    pthread_mutex_lock(&l->pool->lock);
    put(&l->pool->todo, job);
    pthread_cond_signal(&l->pool->work);
    pthread_mutex_unlock(&l->pool->lock);
    return 0;
}

int enrichment_lookup_flush(struct enrichment_lookup *l)
{
    bool each = base_str_equal(cep_program_setting(l->config.program, l->table->options, "connector"), BASE_STR("http"));
    uint32_t most = each ? HTTP_FETCH_MOST : ENRICHMENT_FETCH_MOST;
    int e = 0;
    for (size_t at = 0; at < l->wanted.len && e == 0; at += most) {
        size_t left = l->wanted.len - at;
        e = send(l, l->wanted.at + at, left < most ? (uint32_t)left : most);
    }
    l->wanted.len = 0;
    base_arena_reset(&l->wanted_arena);
    return e;
}

static void fail_keys(struct enrichment_lookup *l, const struct job *job)
{
    snprintf(l->trouble, sizeof l->trouble, "%s", job->why);
    l->stats.failures++;
    if (job->error != BASE_E_MALFORMED) /* a bad row says nothing of the next one */
        l->down_until_us = base_clock_mono_us() + ENRICHMENT_DOWN_US;
    for (uint32_t i = 0; i < job->count; i++) {
        struct enrichment_known *known = enrichment_known_find(l, job->keys[i]);
        if (known)
            known->knowing = ENRICHMENT_FAILED;
    }
}

static int take_in(struct enrichment_lookup *l, struct job *job)
{
    int e = job->error == BASE_E_NOMEM ? BASE_E_NOMEM : 0;
    l->stats.fetches += job->fetches;
    if (job->error == BASE_E_MALFORMED && job->count > 1) { /* whose row is bad? */
        for (uint32_t i = 0; i < job->count && e == 0; i++)
            e = send(l, &job->keys[i], 1);
        return e;
    }
    if (job->error < 0) {
        fail_keys(l, job);
        return e;
    }
    for (uint32_t i = 0; i < job->count && e == 0; i++) {
        struct enrichment_known *known = enrichment_known_find(l, job->keys[i]);
        if (known)
            e = enrichment_known_answer(l, known, job->rows[i]);
    }
    return e;
}

int enrichment_lookup_collect(struct enrichment_lookup *l, bool *ret_any)
{
    int e = 0;
    for (;;) {
        pthread_mutex_lock(&l->pool->lock);
        struct job *job = take(&l->pool->ready);
        pthread_mutex_unlock(&l->pool->lock);
        if (!job || e < 0) {
            if (job)
                job_free(job);
            return e;
        }
        *ret_any = true;
        e = take_in(l, job);
        job_free(job);
    }
}

int enrichment_lookup_take(struct enrichment_lookup *l, const struct cep_tuple *key, bool wanted, const struct cep_row **ret, struct base_buf *reterr)
{
    struct enrichment_known *known = enrichment_known_find(l, key);
    if (!wanted && !enrichment_known_fresh(known))
        return BASE_E_AGAIN;
    if (!known || known->knowing == ENRICHMENT_ASKED)
        return BASE_E_AGAIN;
    if (!wanted) {
        l->stats.asked++;
        l->stats.hits++;
    } else if (known->waiting > 0) {
        known->waiting--;
    }
    known->used = true;
    if (known->knowing == ENRICHMENT_KNOWN) {
        *ret = known->row;
        return 0;
    }
    base_buf_puts(reterr, l->trouble);
    if (known->waiting == 0)
        enrichment_known_forget(l, known);
    return BASE_E_IO;
}

void enrichment_lookup_wait(struct enrichment_lookup *l, int64_t timeout_us)
{
    struct timespec until = base_cond_deadline(timeout_us);
    pthread_mutex_lock(&l->pool->lock);
    while (!l->pool->ready.first && pthread_cond_timedwait(&l->pool->done, &l->pool->lock, &until) != ETIMEDOUT) {
    }
    pthread_mutex_unlock(&l->pool->lock);
}
