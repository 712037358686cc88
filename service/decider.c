#include "service/decider.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "connectors/kafka_sink.h"
#include "service/kafka_options.h"

#define CALL_MS 10000
#define INIT_MS 2000 /* of one attempt to start: it goes on where it was when asked again, and a stop is heard in between */
#define COMMIT_TRIES 60
#define PENDING_MAX 16

struct service_decider {
    struct service_decider_config config;
    struct connectors_kafka_sink *sink;
    char *epochs_topic;
    bool open;                /* a transaction is */
    bool unknown;             /* it was asked to be committed and has not answered: it must not be aborted any more */
};

static void pause_ms(int64_t ms)
{
    struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static bool stopped(const struct service_decider *d)
{
    return d->config.stop && d->config.stop(d->config.ctx);
}

void service_decider_close(struct service_decider *decider)
{
    if (!decider)
        return;
    connectors_kafka_sink_destroy(decider->sink);
    base_free(decider->epochs_topic);
    base_free(decider);
}

/* ---- start (protocol.md 7) ---- */

/* Calls a step until it succeeds or fails for good; a broker that is away is waited for. */
static int until_reached(struct service_decider *d, int (*step)(struct service_decider *, struct base_buf *), struct base_buf *reterr)
{
    int64_t wait_ms = 200;
    char last[512] = "";
    for (;;) {
        struct base_buf why = { .limit = 8192 };
        int e = step(d, &why);
        bool again = e == BASE_E_BROKER || e == BASE_E_AUTH || e == BASE_E_TIMEOUT;
        if (e < 0 && again && strncmp(why.ptr ? why.ptr : "", last, sizeof last - 1) != 0) {
            snprintf(last, sizeof last, "%s", why.ptr ? why.ptr : "");
            base_logf(BASE_LOG_WARN, "epochs", "Kafka cannot be reached, trying again", "%s", last);
        }
        if (!again && why.len)
            base_buf_put(reterr, why.ptr, why.len);
        base_buf_finish(&why);
        if (!again)
            return e;
        for (int64_t left = wait_ms; left > 0; left -= 50) {
            if (stopped(d))
                return BASE_E_CLOSED;
            pause_ms(50);
        }
        wait_ms = wait_ms * 2 > 5000 ? 5000 : wait_ms * 2;
    }
}

static int step_init(struct service_decider *d, struct base_buf *why)
{
    return connectors_kafka_sink_init(d->sink, INIT_MS, why);
}

static int step_topic(struct service_decider *d, struct base_buf *why)
{
    static const struct clients_option keep[] = { { "cleanup.policy", "compact" } };
    struct connectors_kafka_topic topic = { d->epochs_topic, 1, -1, keep, 1 };
    return connectors_kafka_sink_ensure_topic(d->sink, &topic, CALL_MS, why);
}

static int step_members(struct service_decider *d, struct base_buf *why)
{
    uint32_t members = 0;
    int e = connectors_kafka_sink_members(d->sink, CALL_MS, &members, why);
    if (e == 0 && members) {
        base_buf_printf(why, "the consumer group \"%s\" has %u members, but it belongs to this service alone; stop them or choose another application.id",
                        d->config.config->text[SERVICE_APPLICATION_ID], members);
        return BASE_E_CONFLICT;
    }
    return e;
}

static int no_commit(struct service_decider *d, struct base_buf *why)
{
    uint64_t applied = SERVICE_STORE_NO_EPOCH;
    int e = service_store_applied(d->config.store, &applied);
    if (e < 0)
        return e;
    struct base_buf who = { 0 };
    e = service_store_get(d->config.store, SERVICE_CF_META, BASE_STR("decider"), &who);
    bool kafka = e == 0 && base_str_equal((struct base_str){ who.ptr, who.len }, BASE_STR("kafka"));
    base_buf_finish(&who);
    if (e < 0 && e != BASE_E_NOTFOUND)
        return e;
    if (!kafka || applied == SERVICE_STORE_NO_EPOCH || getenv("CEPHEID_ACCEPT_STATE"))
        return 0;
    base_buf_printf(why,
                    "the state folder %s was decided by Kafka up to epoch %" PRIu64 ", but the group \"%s\" has no committed epoch there. Either the brokers are "
                    "others (correct bootstrap.servers), or the offsets were lost: start once with CEPHEID_ACCEPT_STATE=1 to go on from the local positions, or "
                    "with an empty state folder to begin anew",
                    d->config.config->text[SERVICE_STATE_DIR], applied, d->config.config->text[SERVICE_APPLICATION_ID]);
    return BASE_E_CONFLICT;
}

/* The newest epoch that this store knows of, decided or not. */
static int newest_epoch(struct service_decider *d, uint64_t *ret)
{
    uint64_t pending[PENDING_MAX];
    size_t count = 0;
    int e = service_store_applied(d->config.store, ret);
    if (e == 0)
        e = service_store_pending(d->config.store, pending, PENDING_MAX, &count);
    for (size_t i = 0; e == 0 && i < count && i < PENDING_MAX; i++)
        *ret = *ret == SERVICE_STORE_NO_EPOCH || pending[i] > *ret ? pending[i] : *ret;
    return e;
}

static int stale(const struct service_decider *d, const char *metadata, size_t id_len, struct base_buf *why)
{
    base_buf_printf(why,
                    "the last epoch of \"%s\" was committed by the state store %.*s, but the folder %s holds %s: its state is stale. Give the service the folder "
                    "of that store, or choose another application.id",
                    d->config.config->text[SERVICE_APPLICATION_ID], (int)id_len, metadata, d->config.config->text[SERVICE_STATE_DIR],
                    service_store_id(d->config.store));
    return BASE_E_CONFLICT;
}

static int set_back(const struct service_decider *d, uint64_t committed, struct base_buf *why)
{
    base_buf_printf(why, "Kafka says that epoch %" PRIu64 " counts, but the state folder %s does not hold it: it was copied or set back. Restore the latest one",
                    committed, d->config.config->text[SERVICE_STATE_DIR]);
    return BASE_E_CONFLICT;
}

/* Does the metadata of a commit name this store? */
static bool is_ours(const struct service_decider *d, const char *metadata, size_t *ret_id_len)
{
    const char *colon = strrchr(metadata, ':'), *ours = service_store_id(d->config.store);
    *ret_id_len = colon ? (size_t)(colon - metadata) : 0;
    return colon && *ret_id_len == strlen(ours) && memcmp(metadata, ours, *ret_id_len) == 0;
}

/* Applies pending epochs up to the committed one, drops those beyond it. */
static int settle(struct service_decider *d, uint64_t committed)
{
    uint64_t pending[PENDING_MAX];
    size_t count = 0;
    int e = service_store_pending(d->config.store, pending, PENDING_MAX, &count);
    for (size_t i = 0; e == 0 && i < count && i < PENDING_MAX; i++) {
        bool counts = committed != SERVICE_STORE_NO_EPOCH && pending[i] <= committed;
        base_logf(BASE_LOG_INFO, "epochs", counts ? "an epoch was decided before the stop: applied" : "an epoch was not decided before the stop: dropped",
                  "epoch %" PRIu64, pending[i]);
        e = counts ? service_store_apply(d->config.store, pending[i], NULL, 0) : service_store_drop(d->config.store, pending[i]);
    }
    return e;
}

static bool restored_from_savepoint(struct service_decider *d)
{
    struct base_buf value = { 0 };
    bool restored = service_store_get(d->config.store, SERVICE_CF_META, BASE_STR("restored"), &value) == 0;
    base_buf_finish(&value);
    return restored;
}

static int judge(struct service_decider *d, const struct connectors_kafka_offset *at, struct base_buf *why)
{
    if (at->offset < 0 || !at->metadata) {
        int e = no_commit(d, why);
        return e < 0 ? e : settle(d, SERVICE_STORE_NO_EPOCH);
    }
    if (restored_from_savepoint(d)) /* the savepoint's positions count, not what the old store committed after it */
        return settle(d, SERVICE_STORE_NO_EPOCH);
    size_t id_len;
    if (!is_ours(d, at->metadata, &id_len))
        return stale(d, at->metadata, id_len, why);
    uint64_t committed = strtoull(at->metadata + id_len + 1, NULL, 10);
    int e = settle(d, committed);
    uint64_t applied = SERVICE_STORE_NO_EPOCH;
    if (e == 0)
        e = service_store_applied(d->config.store, &applied);
    return e == 0 && (applied == SERVICE_STORE_NO_EPOCH || applied < committed) ? set_back(d, committed, why) : e;
}

/* Before init_transactions, which would lock out a healthy process: has somebody else decided what this store does not know of? A process that has
 * decided before (again) was stopped for long, or cut off, and has been replaced. */
static int step_peek(struct service_decider *d, struct base_buf *why)
{
    struct connectors_kafka_offset at = { .topic = d->epochs_topic, .offset = -1 };
    int e = connectors_kafka_sink_peek(d->sink, &at, INIT_MS, why);
    if (e == 0 && at.metadata && !restored_from_savepoint(d)) {
        size_t id_len;
        uint64_t newest = SERVICE_STORE_NO_EPOCH;
        if (!is_ours(d, at.metadata, &id_len)) {
            e = stale(d, at.metadata, id_len, why);
        } else {
            uint64_t committed = strtoull(at.metadata + id_len + 1, NULL, 10);
            e = newest_epoch(d, &newest);
            if (e == 0 && (newest == SERVICE_STORE_NO_EPOCH || newest < committed))
                e = set_back(d, committed, why);
        }
    }
    base_free(at.metadata);
    if (e == BASE_E_CONFLICT && d->config.again) {
        base_buf_puts(why, ". A newer process has taken over: this one ends");
        return BASE_E_FENCED;
    }
    return e;
}

static int step_committed(struct service_decider *d, struct base_buf *why)
{
    struct connectors_kafka_offset at = { .topic = d->epochs_topic, .offset = -1 };
    int e = connectors_kafka_sink_committed(d->sink, &at, 1, CALL_MS, why);
    if (e == 0 && at.error < 0)
        e = at.error;
    if (e == 0)
        e = judge(d, &at, why);
    base_free(at.metadata);
    return e;
}

static int make_sink(struct service_decider *d, struct base_buf *reterr)
{
    struct clients_option options[SERVICE_KAFKA_OPTIONS_MAX];
    const char *application = d->config.config->text[SERVICE_APPLICATION_ID];
    struct connectors_kafka_sink_options sink = {
        .name = "epochs", .transactional_id = application, .group_id = application, .options = d->config.table_options,
        .option_count = d->config.table_option_count, .transaction_timeout_ms = 60000,
    };
    if (d->config.sink) {
        sink.options = options;
        sink.option_count = service_kafka_sink_options(d->config.sink, options);
    }
    return connectors_kafka_sink_create(&sink, &d->sink, reterr);
}

int service_decider_open(const struct service_decider_config *config, struct service_decider **ret, struct base_buf *reterr)
{
    struct service_decider *d = base_calloc(1, sizeof *d);
    if (!d)
        return BASE_E_NOMEM;
    d->config = *config;
    struct base_buf topic = { 0 };
    base_buf_printf(&topic, "%s.epochs", config->config->text[SERVICE_APPLICATION_ID]);
    d->epochs_topic = topic.failed ? NULL : base_strndup(topic.ptr, topic.len);
    base_buf_finish(&topic);
    int e = d->epochs_topic ? make_sink(d, reterr) : BASE_E_NOMEM;
    static int (*const steps[])(struct service_decider *, struct base_buf *) = { step_peek, step_init, step_topic, step_members, step_committed };
    for (size_t i = 0; e == 0 && i < sizeof steps / sizeof steps[0]; i++)
        e = until_reached(d, steps[i], reterr);
    if (e < 0) {
        service_decider_close(d);
        return e;
    }
    *ret = d;
    return 0;
}

void service_decider_prepare(struct service_decider *d, const char *topic)
{
    connectors_kafka_sink_prepare(d->sink, topic, INIT_MS);
}

int service_decider_ensure_topic(struct service_decider *d, const char *name, int32_t partitions, int32_t replication, struct base_buf *reterr)
{
    struct connectors_kafka_topic topic = { name, partitions, replication, NULL, 0 };
    return connectors_kafka_sink_ensure_topic(d->sink, &topic, CALL_MS, reterr);
}

/* ---- an epoch ---- */

bool service_decider_fits(const struct service_decider *d, struct base_str key, struct base_str value)
{
    return connectors_kafka_sink_fits(d->sink, key.len, value.len, 128);
}

static int begin(struct service_decider *d, struct base_buf *reterr)
{
    if (d->open)
        return 0;
    int e = connectors_kafka_sink_begin(d->sink, reterr);
    d->open = e == 0;
    return e;
}

int service_decider_produce(struct service_decider *d, const char *topic, struct base_str key, struct base_str value, bool cloud_event,
                            struct base_buf *reterr)
{
    int e = begin(d, reterr);
    struct connectors_kafka_header header = { "content-type", BASE_STR("application/cloudevents+json; charset=UTF-8") };
    if (e == 0)
        e = connectors_kafka_sink_produce(d->sink, topic, key, value, &header, cloud_event ? 1 : 0);
    if (e < 0 && !reterr->len)
        base_buf_printf(reterr, "a record for topic %s was not taken: %s", topic, base_error_text(e));
    return e;
}

void service_decider_abort(struct service_decider *d)
{
    struct base_buf why = { .limit = 4096 };
    if (d->open && !d->unknown && connectors_kafka_sink_abort(d->sink, CALL_MS, &why) < 0)
        base_logf(BASE_LOG_WARN, "epochs", "a transaction could not be aborted; the broker will do it", "%s", why.ptr ? why.ptr : "");
    d->open = false;
    base_buf_finish(&why);
}

static int send_offsets(struct service_decider *d, uint64_t epoch, const struct service_offset *offsets, size_t count, struct base_buf *reterr)
{
    char metadata[80];
    snprintf(metadata, sizeof metadata, "%s:%" PRIu64, service_store_id(d->config.store), epoch);
    struct connectors_kafka_offset *all = base_calloc(count + 1, sizeof *all);
    if (!all)
        return BASE_E_NOMEM;
    all[0] = (struct connectors_kafka_offset){ .topic = d->epochs_topic, .offset = (int64_t)epoch, .metadata = metadata };
    for (size_t i = 0; i < count; i++)
        all[i + 1] = (struct connectors_kafka_offset){ .topic = offsets[i].topic, .partition = offsets[i].partition, .offset = offsets[i].offset,
                                                       .metadata = metadata };
    int e = connectors_kafka_sink_send_offsets(d->sink, all, count + 1, CALL_MS, reterr);
    base_free(all);
    return e;
}

int service_decider_decide(struct service_decider *d, uint64_t epoch, const struct service_offset *offsets, size_t count, struct base_buf *reterr)
{
    int e = begin(d, reterr);
    for (int i = 0; e == 0 && i < 3; i++) {
        base_buf_clear(reterr);
        e = send_offsets(d, epoch, offsets, count, reterr);
        if (e != BASE_E_TIMEOUT)
            break;
        e = i < 2 ? 0 : e;
    }
    if (e < 0) {
        if (e != BASE_E_FENCED)
            service_decider_abort(d);
        return e == BASE_E_FENCED ? e : BASE_E_CONFLICT;
    }
    for (int i = 0; i < COMMIT_TRIES; i++) {
        base_buf_clear(reterr);
        e = connectors_kafka_sink_commit(d->sink, CALL_MS, reterr);
        if (e != BASE_E_AGAIN)
            break;
        d->unknown = true;
        base_logf(BASE_LOG_WARN, "epochs", "the outcome of a commit is not known yet, asking again", "epoch %" PRIu64 ": %s", epoch, reterr->ptr ? reterr->ptr : "");
        if (stopped(d) && i > 2)
            return BASE_E_CLOSED; /* what counts is found out at the next start */
    }
    if (e == 0)
        d->open = d->unknown = false;
    if (e == BASE_E_CONFLICT) {
        d->unknown = false;
        service_decider_abort(d);
    }
    return e;
}
