#include "service/delivery.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "service/delivery_sinks.h"

#define BATCH 256
#define WAIT_MS 500
#define FAIL_WAIT_MS 1000
#define WAITING_MAX 100000 /* webhook messages of one endpoint that wait for their next attempt; beyond it nothing new is tried */

struct waiting { uint64_t seq; struct connectors_webhook_delivery state; };
struct waitings BASE_VEC(struct waiting);

struct follower {
    struct service_delivery *delivery;
    const struct service_sink_config *sink;
    struct service_delivery_sink *out;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;          /* what follows is read by other threads */
    uint64_t position;             /* last entry that was dealt with */
    struct waitings waiting;       /* webhooks: to be tried again */
    uint64_t resend[64];           /* asked for by hand */
    uint32_t resend_count;
    uint64_t delivered, failed, dead;
    bool disabled;                 /* the endpoint answered 410 */
    struct connectors_webhook_circuit circuit;
    char trouble[512];
    struct base_buf bytes, text;   /* follower's thread */
};
struct service_delivery {
    struct service_delivery_config config;
    struct follower *at;
    uint32_t count;
    struct connectors_webhook_policy policy;
    _Atomic bool stopping;
};

/* ---- keys ---- */

static void sink_key(char kind, const char *sink, const uint64_t *seq, struct base_buf *out)
{
    base_buf_clear(out);
    base_buf_printf(out, "%c/%s", kind, sink);
    if (seq) {
        base_buf_putc(out, '/');
        service_seq_key(*seq, out);
    }
}

static struct base_str str_of(const struct base_buf *buf)
{
    return (struct base_str){ buf->ptr, buf->len };
}

static int put_position(struct service_batch *batch, const char *sink, uint64_t seq)
{
    struct base_buf key = { 0 }, value = { 0 };
    sink_key('p', sink, NULL, &key);
    base_buf_put_u64(&value, seq);
    int e = key.failed || value.failed ? BASE_E_NOMEM : service_batch_put(batch, SERVICE_CF_DELIVERY, SERVICE_STORE_NO_GROUP, str_of(&key), str_of(&value));
    base_buf_finish(&key);
    base_buf_finish(&value);
    return e;
}

/* The state of a message in the family that its phase belongs to: retries under delivery, dead ones under deadletters, delivered ones nowhere. */
static int put_state(struct service_batch *batch, const char *sink, uint64_t seq, const struct connectors_webhook_delivery *state)
{
    struct base_buf key = { 0 }, value = { 0 };
    connectors_webhook_encode(state, &value);
    sink_key('r', sink, &seq, &key);
    bool waits = state->phase == CONNECTORS_WEBHOOK_RETRYING || state->phase == CONNECTORS_WEBHOOK_PENDING;
    int e = key.failed || value.failed ? BASE_E_NOMEM : 0;
    if (e == 0)
        e = waits ? service_batch_put(batch, SERVICE_CF_DELIVERY, SERVICE_STORE_NO_GROUP, str_of(&key), str_of(&value))
                  : service_batch_delete(batch, SERVICE_CF_DELIVERY, SERVICE_STORE_NO_GROUP, str_of(&key));
    sink_key('d', sink, &seq, &key);
    if (e == 0)
        e = state->phase == CONNECTORS_WEBHOOK_DEAD
                ? service_batch_put(batch, SERVICE_CF_DEADLETTERS, SERVICE_STORE_NO_GROUP, str_of(&key), str_of(&value))
                : service_batch_delete(batch, SERVICE_CF_DEADLETTERS, SERVICE_STORE_NO_GROUP, str_of(&key));
    base_buf_finish(&key);
    base_buf_finish(&value);
    return e;
}

/* Is `name` one of "a, b"? */
static bool listed(struct base_str list, const char *name)
{
    for (size_t at = 0; at < list.len;) {
        size_t end = at;
        while (end < list.len && list.ptr[end] != ',')
            end++;
        if (base_str_equal(base_str_trim((struct base_str){ list.ptr + at, end - at }), base_str_of(name)))
            return true;
        at = end + 1;
    }
    return false;
}

bool service_delivery_wants(const char *sink, const struct service_alert *alert)
{
    if (base_str_equal(alert->mode, BASE_STR("shadow")) || base_str_equal(alert->mode, BASE_STR("off")))
        return false;
    return base_str_trim(alert->sinks).len == 0 || listed(alert->sinks, sink);
}

/* ---- following ---- */

static void set_trouble(struct follower *f, const char *text)
{
    pthread_mutex_lock(&f->lock);
    bool changed = strncmp(f->trouble, text, sizeof f->trouble - 1) != 0;
    snprintf(f->trouble, sizeof f->trouble, "%s", text);
    pthread_mutex_unlock(&f->lock);
    if (changed && *text)
        base_log(BASE_LOG_WARN, "delivery", "a sink does not take alerts", "sink", f->sink->name, "cause", text, NULL);
    else if (changed)
        base_log(BASE_LOG_INFO, "delivery", "a sink takes alerts again", "sink", f->sink->name, NULL);
}

static bool stopping(const struct follower *f)
{
    return atomic_load(&f->delivery->stopping);
}

static struct waiting *waiting_find(struct follower *f, uint64_t seq)
{
    for (size_t i = 0; i < f->waiting.len; i++) {
        if (f->waiting.at[i].seq == seq)
            return &f->waiting.at[i];
    }
    return NULL;
}

/* The new state of a message: kept in memory while it waits, written with the position. */
static int note_state(struct follower *f, uint64_t seq, const struct connectors_webhook_delivery *state, uint64_t position)
{
    struct service_batch *batch = NULL;
    int e = service_batch_create(&batch);
    if (e == 0)
        e = put_state(batch, f->sink->name, seq, state);
    if (e == 0 && position > f->position)
        e = put_position(batch, f->sink->name, position);
    if (e == 0)
        e = service_store_write(f->delivery->config.store, &batch, 1, false);
    service_batch_destroy(batch);
    if (e < 0)
        return e;
    pthread_mutex_lock(&f->lock);
    struct waiting *have = waiting_find(f, seq);
    bool waits = state->phase == CONNECTORS_WEBHOOK_RETRYING || state->phase == CONNECTORS_WEBHOOK_PENDING;
    if (have && waits)
        have->state = *state;
    else if (have)
        *have = f->waiting.at[--f->waiting.len];
    else if (waits && !BASE_VEC_PUSH(&f->waiting, ((struct waiting){ seq, *state })))
        e = BASE_E_NOMEM; /* it stands in the store and is found at the next start */
    f->delivered += state->phase == CONNECTORS_WEBHOOK_DELIVERED;
    f->dead += state->phase == CONNECTORS_WEBHOOK_DEAD;
    if (position > f->position)
        f->position = position;
    pthread_mutex_unlock(&f->lock);
    return e;
}

static void count_attempt(struct follower *f, const struct connectors_webhook_delivery *state)
{
    struct service_metrics *metrics = f->delivery->config.metrics;
    if (state->phase == CONNECTORS_WEBHOOK_DELIVERED) {
        service_count(metrics, SERVICE_METRIC_WEBHOOK_SENT, 1);
        return;
    }
    service_count(metrics, SERVICE_METRIC_WEBHOOK_FAILED, 1);
    service_count(metrics, SERVICE_METRIC_WEBHOOK_DEAD, state->phase == CONNECTORS_WEBHOOK_DEAD);
    pthread_mutex_lock(&f->lock);
    f->failed++;
    pthread_mutex_unlock(&f->lock);
}

/* One attempt. position: what the follower's place becomes with it (0: a retry, it stays). */
static int attempt(struct follower *f, const struct service_alert *alert, struct connectors_webhook_delivery *state, uint64_t position)
{
    int64_t now_ms = base_clock_wall_ms();
    struct connectors_webhook_outcome outcome = { 0 };
    base_buf_clear(&f->text);
    int e = service_delivery_sink_post(f->out, alert, now_ms, &outcome, &f->text);
    if (e < 0)
        return e;
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint64_t)base_clock_mono_us(); /* jitter only */
    bool disable = false;
    now_ms = base_clock_wall_ms();
    e = connectors_webhook_after(&f->delivery->policy, state, &outcome, now_ms, random, &disable);
    if (e < 0)
        return e;
    bool good = outcome.status != 0 && outcome.status != 429 && outcome.status < 500;
    pthread_mutex_lock(&f->lock);
    connectors_webhook_circuit_after(&f->delivery->policy, &f->circuit, good, now_ms);
    f->disabled = f->disabled || disable;
    pthread_mutex_unlock(&f->lock);
    count_attempt(f, state);
    set_trouble(f, state->phase == CONNECTORS_WEBHOOK_DELIVERED ? "" : disable ? "the endpoint answered 410 and gets nothing more until a restart" :
                   f->text.len ? f->text.ptr : connectors_webhook_reason_name(state->reason));
    return note_state(f, alert->seq, state, position);
}

static int save_position(struct follower *f, uint64_t position)
{
    struct service_batch *batch = NULL;
    int e = service_batch_create(&batch);
    if (e == 0)
        e = put_position(batch, f->sink->name, position);
    if (e == 0)
        e = service_store_write(f->delivery->config.store, &batch, 1, false);
    service_batch_destroy(batch);
    pthread_mutex_lock(&f->lock);
    if (e == 0)
        f->position = position;
    pthread_mutex_unlock(&f->lock);
    return e;
}

static bool may_try(struct follower *f)
{
    pthread_mutex_lock(&f->lock);
    bool may = !f->disabled && f->waiting.len < WAITING_MAX && connectors_webhook_circuit_allows(&f->circuit, base_clock_wall_ms());
    pthread_mutex_unlock(&f->lock);
    return may;
}

/* Webhooks: the next entry is read by itself, since posting takes long and a cursor must not be held open meanwhile. */
static int follow_webhook(struct follower *f, bool *ret_any)
{
    uint64_t last = service_alertlog_last(f->delivery->config.log);
    while (f->position < last && !stopping(f) && may_try(f)) {
        uint64_t seq = f->position + 1;
        struct service_alert alert;
        int e = service_alertlog_get(f->delivery->config.log, seq, &f->bytes, &alert);
        if (e < 0 && e != BASE_E_NOTFOUND)
            return e;
        bool wanted = e == 0 && service_delivery_wants(f->sink->name, &alert);
        struct connectors_webhook_delivery state = { 0 };
        e = wanted ? attempt(f, &alert, &state, seq) : save_position(f, seq);
        if (e < 0)
            return e;
        *ret_any = true;
    }
    return 0;
}

static int take_resends(struct follower *f)
{
    uint64_t seqs[64];
    pthread_mutex_lock(&f->lock);
    uint32_t count = f->resend_count;
    memcpy(seqs, f->resend, count * sizeof *seqs);
    f->resend_count = 0;
    f->disabled = f->disabled && count == 0; /* by hand means: try the endpoint again */
    pthread_mutex_unlock(&f->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct connectors_webhook_delivery state = { 0 };
        int e = note_state(f, seqs[i], &state, 0);
        if (e < 0)
            return e;
    }
    return 0;
}

static bool next_due(struct follower *f, struct waiting *ret)
{
    int64_t now_ms = base_clock_wall_ms();
    bool found = false;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->waiting.len; i++) {
        if (connectors_webhook_due(&f->waiting.at[i].state, now_ms) && (!found || f->waiting.at[i].seq < ret->seq)) {
            *ret = f->waiting.at[i];
            found = true;
        }
    }
    found = found && !f->disabled && connectors_webhook_circuit_allows(&f->circuit, now_ms);
    pthread_mutex_unlock(&f->lock);
    return found;
}

static int retry_due(struct follower *f, bool *ret_any)
{
    int e = take_resends(f);
    struct waiting due;
    for (int budget = 16; e == 0 && budget > 0 && !stopping(f) && next_due(f, &due); budget--) {
        struct service_alert alert;
        e = service_alertlog_get(f->delivery->config.log, due.seq, &f->bytes, &alert);
        if (e == BASE_E_NOTFOUND) { /* beyond the retention: there is nothing left to send */
            due.state.phase = CONNECTORS_WEBHOOK_DEAD;
            e = note_state(f, due.seq, &due.state, 0);
        } else if (e == 0) {
            e = attempt(f, &alert, &due.state, 0);
        }
        *ret_any = true;
    }
    return e;
}

struct writing { struct follower *f; uint64_t last, reached, written; int count; };

static int write_one(void *ctx, const struct service_alert *alert)
{
    struct writing *w = ctx;
    if (alert->seq > w->last || w->count == BATCH)
        return 1;
    w->count++;
    if (service_delivery_wants(w->f->sink->name, alert)) {
        int e = service_delivery_sink_write(w->f->out, alert);
        if (e < 0)
            return e;
        w->written++;
    }
    w->reached = alert->seq;
    return 0;
}

/* Files, standard output, Kafka: a batch is written and flushed, then the position is stored. */
static int follow_log(struct follower *f, bool *ret_any)
{
    uint64_t last = service_alertlog_last(f->delivery->config.log);
    if (f->position >= last)
        return 0;
    struct writing w = { .f = f, .last = last };
    int e = service_alertlog_each(f->delivery->config.log, f->position + 1, false, write_one, &w);
    if (e == 0)
        e = service_delivery_sink_flush(f->out);
    if (e < 0) {
        base_buf_clear(&f->text);
        service_delivery_sink_error(f->out, e, &f->text);
        set_trouble(f, f->text.len ? f->text.ptr : base_error_text(e));
        return e;
    }
    set_trouble(f, "");
    pthread_mutex_lock(&f->lock);
    f->delivered += w.written;
    pthread_mutex_unlock(&f->lock);
    *ret_any = true;
    return save_position(f, w.count ? w.reached : last);
}

static void *follow(void *arg)
{
    struct follower *f = arg;
    service_delivery_sink_prepare(f->out);
    while (!stopping(f)) {
        bool any = false;
        int e = service_delivery_sink_is_webhook(f->out) ? follow_webhook(f, &any) : follow_log(f, &any);
        if (e == 0 && service_delivery_sink_is_webhook(f->out))
            e = retry_due(f, &any);
        if (e < 0 && e != BASE_E_CLOSED && service_delivery_sink_is_webhook(f->out))
            set_trouble(f, base_error_text(e));
        if (!any || e < 0)
            service_alertlog_wait(f->delivery->config.log, e < 0 || f->position < service_alertlog_last(f->delivery->config.log) ? UINT64_MAX : f->position,
                                  e < 0 ? FAIL_WAIT_MS : WAIT_MS);
    }
    return NULL;
}

/* ---- life ---- */

static int load_waiting(void *ctx, struct base_str key, struct base_str value)
{
    struct follower *f = ctx;
    struct waiting w;
    size_t prefix = 3 + strlen(f->sink->name);
    if (key.len != prefix + 8)
        return 0;
    w.seq = service_seq_of((struct base_str){ key.ptr + prefix, 8 });
    int e = connectors_webhook_decode(value.ptr, value.len, &w.state);
    if (e < 0)
        return e;
    return BASE_VEC_PUSH(&f->waiting, w) ? 0 : BASE_E_NOMEM;
}

static int load_follower(struct follower *f)
{
    struct base_buf key = { 0 }, value = { 0 };
    struct service_store *store = f->delivery->config.store;
    sink_key('p', f->sink->name, NULL, &key);
    int e = key.failed ? BASE_E_NOMEM : service_store_get(store, SERVICE_CF_DELIVERY, str_of(&key), &value);
    struct base_reader in = base_reader_of(value.ptr, value.len);
    if (e == 0) {
        f->position = base_read_u64(&in);
        e = in.failed ? BASE_E_CORRUPT : 0;
    } else if (e == BASE_E_NOTFOUND) { /* a new sink gets what comes from now on */
        e = save_position(f, service_alertlog_last(f->delivery->config.log));
    }
    if (e == 0) {
        sink_key('r', f->sink->name, NULL, &key);
        base_buf_putc(&key, '/');
        e = key.failed ? BASE_E_NOMEM : service_store_each(store, SERVICE_CF_DELIVERY, str_of(&key), load_waiting, f);
    }
    base_buf_finish(&key);
    base_buf_finish(&value);
    return e;
}

static int add_follower(struct service_delivery *delivery, const struct service_sink_config *sink, struct base_buf *reterr)
{
    struct follower *f = &delivery->at[delivery->count];
    f->delivery = delivery;
    f->sink = sink;
    pthread_mutex_init(&f->lock, NULL);
    delivery->count++;
    int e = service_delivery_sink_open(delivery->config.config, sink, &f->out, reterr);
    if (e < 0)
        return e;
    e = load_follower(f);
    if (e < 0)
        base_buf_printf(reterr, "sink \"%s\": its position cannot be read from the store: %s", sink->name, base_error_text(e));
    return e;
}

int service_delivery_start(const struct service_delivery_config *config, struct service_delivery **ret, struct base_buf *reterr)
{
    struct service_delivery *delivery = base_calloc(1, sizeof *delivery);
    if (!delivery)
        return BASE_E_NOMEM;
    delivery->config = *config;
    connectors_webhook_policy_default(&delivery->policy);
    delivery->at = base_calloc(config->config->sink_count + 1, sizeof *delivery->at);
    int e = delivery->at ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < config->config->sink_count; i++) {
        const struct service_sink_config *sink = &config->config->sinks[i];
        if (strcmp(sink->type, "kafka") == 0 && !config->kafka_follows)
            continue;
        e = add_follower(delivery, sink, reterr);
    }
    for (uint32_t i = 0; e == 0 && i < delivery->count; i++) {
        if (pthread_create(&delivery->at[i].thread, NULL, follow, &delivery->at[i]) != 0)
            e = BASE_E_NOMEM;
        else
            delivery->at[i].started = true;
    }
    if (e < 0) {
        service_delivery_stop(delivery, 0);
        return e;
    }
    *ret = delivery;
    return 0;
}

/* Is there a follower that has something to do and no trouble? */
static bool getting_on(struct service_delivery *delivery)
{
    uint64_t last = service_alertlog_last(delivery->config.log);
    bool any = false;
    for (uint32_t i = 0; i < delivery->count; i++) {
        struct follower *f = &delivery->at[i];
        pthread_mutex_lock(&f->lock);
        any = any || (f->started && f->position < last && !f->trouble[0] && !f->disabled);
        pthread_mutex_unlock(&f->lock);
    }
    return any;
}

void service_delivery_stop(struct service_delivery *delivery, int64_t timeout_ms)
{
    if (!delivery)
        return;
    int64_t until_us = base_clock_mono_us() + timeout_ms * 1000;
    struct timespec pause = { .tv_nsec = 5000000 };
    while (getting_on(delivery) && base_clock_mono_us() < until_us)
        nanosleep(&pause, NULL);
    atomic_store(&delivery->stopping, true);
    for (uint32_t i = 0; i < delivery->count; i++)
        service_delivery_sink_interrupt(delivery->at[i].out);
    service_alertlog_wake(delivery->config.log);
    for (uint32_t i = 0; i < delivery->count; i++) {
        struct follower *f = &delivery->at[i];
        if (f->started)
            pthread_join(f->thread, NULL);
        service_delivery_sink_close(f->out);
        BASE_VEC_FINISH(&f->waiting);
        base_buf_finish(&f->bytes);
        base_buf_finish(&f->text);
        pthread_mutex_destroy(&f->lock);
    }
    base_free(delivery->at);
    base_free(delivery);
}

uint64_t service_delivery_position(struct service_delivery *delivery)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < delivery->count; i++) {
        struct follower *f = &delivery->at[i];
        pthread_mutex_lock(&f->lock);
        least = f->position < least ? f->position : least;
        for (size_t k = 0; k < f->waiting.len; k++)
            least = f->waiting.at[k].seq < least ? f->waiting.at[k].seq : least;
        pthread_mutex_unlock(&f->lock);
    }
    return least;
}

/* ---- questions ---- */

uint32_t service_delivery_count(const struct service_delivery *delivery)
{
    return delivery->count;
}

int service_delivery_look(struct service_delivery *delivery, uint32_t i, const struct service_alert *alert, struct service_delivery_state *ret)
{
    struct follower *f = &delivery->at[i];
    *ret = (struct service_delivery_state){ .sink = f->sink->name, .type = f->sink->type, .status = "delivered" };
    if (!service_delivery_wants(f->sink->name, alert)) {
        ret->status = "not_wanted";
        return 0;
    }
    struct connectors_webhook_delivery state = { .phase = CONNECTORS_WEBHOOK_DELIVERED };
    pthread_mutex_lock(&f->lock);
    const struct waiting *waiting = waiting_find(f, alert->seq);
    if (waiting)
        state = waiting->state;
    bool ahead = alert->seq > f->position;
    pthread_mutex_unlock(&f->lock);
    int e = 0;
    if (!waiting && !ahead) {
        struct base_buf key = { 0 }, value = { 0 };
        sink_key('d', f->sink->name, &alert->seq, &key);
        e = key.failed ? BASE_E_NOMEM : service_store_get(delivery->config.store, SERVICE_CF_DEADLETTERS, str_of(&key), &value);
        if (e == 0)
            e = connectors_webhook_decode(value.ptr, value.len, &state);
        e = e == BASE_E_NOTFOUND ? 0 : e;
        base_buf_finish(&key);
        base_buf_finish(&value);
    }
    ret->status = ahead ? "pending" : connectors_webhook_phase_name(state.phase);
    ret->attempts = state.attempts;
    ret->http_status = state.status;
    ret->last_ms = state.last_ms;
    ret->next_ms = state.next_ms;
    return e;
}

void service_delivery_stats(struct service_delivery *delivery, uint32_t i, struct service_follower_stats *ret, char *trouble, size_t trouble_bytes)
{
    struct follower *f = &delivery->at[i];
    uint64_t last = service_alertlog_last(delivery->config.log);
    pthread_mutex_lock(&f->lock);
    *ret = (struct service_follower_stats){
        .name = f->sink->name, .type = f->sink->type, .position = f->position, .lag = last > f->position ? last - f->position : 0,
        .delivered = f->delivered, .failed = f->failed, .dead = f->dead, .retrying = f->waiting.len, .disabled = f->disabled,
        .circuit_open = f->circuit.until_ms > base_clock_wall_ms(),
    };
    snprintf(trouble, trouble_bytes, "%s", f->trouble);
    pthread_mutex_unlock(&f->lock);
}

static struct follower *follower_find(struct service_delivery *delivery, const char *sink)
{
    for (uint32_t i = 0; i < delivery->count; i++) {
        if (strcmp(delivery->at[i].sink->name, sink) == 0 && service_delivery_sink_is_webhook(delivery->at[i].out))
            return &delivery->at[i];
    }
    return NULL;
}

struct deads { service_dead_visit *visit; void *ctx; const char *sink; uint64_t from; };

static int visit_dead(void *ctx, struct base_str key, struct base_str value)
{
    struct deads *deads = ctx;
    struct connectors_webhook_delivery state;
    uint64_t seq = key.len >= 8 ? service_seq_of((struct base_str){ key.ptr + key.len - 8, 8 }) : 0;
    if (seq < deads->from)
        return 0;
    int e = connectors_webhook_decode(value.ptr, value.len, &state);
    return e < 0 ? e : deads->visit(deads->ctx, deads->sink, seq, &state);
}

int service_delivery_dead(struct service_delivery *delivery, const char *sink, uint64_t from_seq, service_dead_visit *visit, void *ctx)
{
    if (!follower_find(delivery, sink))
        return BASE_E_NOTFOUND;
    struct base_buf key = { 0 };
    struct deads deads = { visit, ctx, sink, from_seq };
    sink_key('d', sink, NULL, &key);
    base_buf_putc(&key, '/');
    int e = key.failed ? BASE_E_NOMEM : service_store_each(delivery->config.store, SERVICE_CF_DEADLETTERS, str_of(&key), visit_dead, &deads);
    base_buf_finish(&key);
    return e > 0 ? 0 : e;
}

int service_delivery_resend(struct service_delivery *delivery, const char *sink, uint64_t seq)
{
    struct follower *f = follower_find(delivery, sink);
    if (!f)
        return BASE_E_NOTFOUND;
    struct base_buf key = { 0 }, value = { 0 };
    sink_key('d', sink, &seq, &key);
    int e = key.failed ? BASE_E_NOMEM : service_store_get(delivery->config.store, SERVICE_CF_DEADLETTERS, str_of(&key), &value);
    base_buf_finish(&key);
    base_buf_finish(&value);
    if (e < 0)
        return e;
    pthread_mutex_lock(&f->lock);
    if (f->resend_count < 64)
        f->resend[f->resend_count++] = seq;
    else
        e = BASE_E_BUSY;
    pthread_mutex_unlock(&f->lock);
    service_alertlog_wake(delivery->config.log);
    return e;
}
