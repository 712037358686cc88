#include "clients/kafka.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "clients/kafka_config.h"

#define LOG_PAUSE_US \
    (60 * 1000000ll) /* errors of one handle reach the log above debug at most this often: service/ tells the rest \
                        from health */

struct clients_kafka {
    rd_kafka_t *handle;
    char *name;    /* owned */
    char *servers; /* owned */
    void (*delivered)(void *ctx, const rd_kafka_message_t *message);
    void *ctx;
    pthread_mutex_t lock; /* guards what follows: librdkafka calls from its own threads */
    struct clients_kafka_health health;
    int64_t logged_us;
};

/* ---- classes of errors ---- */

static bool is_auth(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL ||
           error == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM || error == RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE ||
           error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static bool is_retriable(rd_kafka_resp_err_t error)
{
    static const rd_kafka_resp_err_t list[] = {
        RD_KAFKA_RESP_ERR__TRANSPORT,
        RD_KAFKA_RESP_ERR__TIMED_OUT,
        RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
        RD_KAFKA_RESP_ERR__RESOLVE,
        RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
        RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
        RD_KAFKA_RESP_ERR__WAIT_COORD,
        RD_KAFKA_RESP_ERR__WAIT_CACHE,
        RD_KAFKA_RESP_ERR__IN_PROGRESS,
        RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS,
        RD_KAFKA_RESP_ERR__RETRY,
        RD_KAFKA_RESP_ERR__QUEUE_FULL,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
        RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
        RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (error == list[i])
            return true;
    }
    return false;
}

enum clients_kafka_class clients_kafka_classify(rd_kafka_resp_err_t error)
{
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return CLIENTS_KAFKA_OK;
    if (error == RD_KAFKA_RESP_ERR__FENCED || error == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
        error == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH || error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        return CLIENTS_KAFKA_FENCED;
    if (is_auth(error))
        return CLIENTS_KAFKA_AUTH;
    if (is_retriable(error))
        return CLIENTS_KAFKA_RETRIABLE;
    if (error == RD_KAFKA_RESP_ERR__FATAL || error == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER ||
        error == RD_KAFKA_RESP_ERR__DESTROY)
        return CLIENTS_KAFKA_FATAL;
    if (error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
        error == RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE || error == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return CLIENTS_KAFKA_ABORTABLE;
    return CLIENTS_KAFKA_BAD;
}

enum clients_kafka_class clients_kafka_classify_error(const rd_kafka_error_t *error)
{
    if (!error)
        return CLIENTS_KAFKA_OK;
    enum clients_kafka_class class = clients_kafka_classify(rd_kafka_error_code(error));
    if (class == CLIENTS_KAFKA_FENCED)
        return class;
    if (rd_kafka_error_is_fatal(error))
        return CLIENTS_KAFKA_FATAL;
    if (rd_kafka_error_txn_requires_abort(error))
        return CLIENTS_KAFKA_ABORTABLE;
    if (rd_kafka_error_is_retriable(error))
        return class == CLIENTS_KAFKA_AUTH ? class : CLIENTS_KAFKA_RETRIABLE;
    return class;
}

int clients_kafka_code(enum clients_kafka_class class)
{
    switch (class) {
    case CLIENTS_KAFKA_OK: return 0;
    case CLIENTS_KAFKA_RETRIABLE:
    case CLIENTS_KAFKA_FATAL: return BASE_E_BROKER;
    case CLIENTS_KAFKA_ABORTABLE: return BASE_E_CONFLICT;
    case CLIENTS_KAFKA_FENCED: return BASE_E_FENCED;
    case CLIENTS_KAFKA_AUTH: return BASE_E_AUTH;
    case CLIENTS_KAFKA_BAD: return BASE_E_INVALID;
    }
    return BASE_E_BROKER;
}

static const char *remedy_of(rd_kafka_resp_err_t error)
{
    switch ((int)error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        return "check sasl.username, sasl.password and that the broker knows this user";
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
        return "check sasl.mechanism against what the broker's listener offers";
    case RD_KAFKA_RESP_ERR__SSL:
        return "check ssl.ca.location, the names in the broker's certificate and security.protocol";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: return "give this user the right to read or write the topic";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return "give this user the right to the consumer group named as the application id";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return "give this user the right to the transactional id, which is the application id";
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT: return "check that the broker runs and can be reached; it is tried again";
    case RD_KAFKA_RESP_ERR__RESOLVE: return "check the host names of bootstrap.servers";
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return "create the topic or correct its name";
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
        return "another instance with the same application id has taken over";
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return "wait for the brokers of the other replicas; it is tried again";
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return "raise message.max.bytes here and max.message.bytes of the topic";
    default: return NULL;
    }
}

int clients_kafka_cause(struct clients_kafka *kafka, const char *what, rd_kafka_resp_err_t error, struct base_buf *reterr)
{
    struct clients_kafka_health health;
    clients_kafka_poll(kafka, 0);
    clients_kafka_health(kafka, &health);
    if (clients_kafka_classify(error) != CLIENTS_KAFKA_RETRIABLE || health.last_error == 0)
        return 0;
    if (reterr)
        base_buf_printf(reterr, "%s (asked for: %s)", health.text, what);
    return health.last_error == BASE_E_AUTH ? BASE_E_AUTH : BASE_E_BROKER;
}

void clients_kafka_explain(const struct clients_kafka *kafka, const char *what, rd_kafka_resp_err_t error,
                           const char *detail, struct base_buf *out)
{
    if (!out)
        return;
    const char *remedy = remedy_of(error);
    base_buf_printf(out, "%s: %s%s%s%s%s", kafka->name, what ? what : "", what ? ": " : "",
                    detail && *detail ? detail : rd_kafka_err2str(error), remedy ? "; " : "", remedy ? remedy : "");
}

/* ---- health ---- */

void clients_kafka_note_success(struct clients_kafka *kafka)
{
    pthread_mutex_lock(&kafka->lock);
    kafka->health.reachable = true;
    kafka->health.last_error = 0;
    pthread_mutex_unlock(&kafka->lock);
}

void clients_kafka_note_error(struct clients_kafka *kafka, rd_kafka_resp_err_t error, const char *detail)
{
    enum clients_kafka_class class = clients_kafka_classify(error);
    int64_t now = base_clock_mono_us();
    struct base_buf text = { 0 };
    clients_kafka_explain(kafka, NULL, error, detail, &text);
    pthread_mutex_lock(&kafka->lock);
    struct clients_kafka_health *health = &kafka->health;
    health->errors++;
    if (class == CLIENTS_KAFKA_AUTH)
        health->auth_errors++;
    if (class == CLIENTS_KAFKA_AUTH || class == CLIENTS_KAFKA_RETRIABLE)
        health->reachable = false;
    /* "All brokers are down" comes right behind its cause, and a refused password is followed by plain disconnects:
     * keep what tells more. */
    bool tells_less =
        class != CLIENTS_KAFKA_AUTH && health->last_error == BASE_E_AUTH && now - health->last_error_us < 10000000;
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && health->last_error != 0)
        tells_less = true;
    if (!tells_less) {
        health->last_error = clients_kafka_code(class);
        health->last_error_us = now;
        snprintf(health->text, sizeof health->text, "%s", text.ptr ? text.ptr : "");
    }
    bool tell = now - kafka->logged_us > LOG_PAUSE_US || kafka->logged_us == 0;
    if (tell)
        kafka->logged_us = now;
    pthread_mutex_unlock(&kafka->lock);
    base_log(tell ? BASE_LOG_WARN : BASE_LOG_DEBUG, "kafka", "broker error", "client", kafka->name, "detail",
             text.ptr ? text.ptr : "", NULL);
    base_buf_finish(&text);
}

void clients_kafka_health(struct clients_kafka *kafka, struct clients_kafka_health *ret)
{
    pthread_mutex_lock(&kafka->lock);
    *ret = kafka->health;
    pthread_mutex_unlock(&kafka->lock);
}

/* Brokers of the cluster stand in the statistics with a node id; UP is connected, INIT not needed so far. Everything
 * else is a broker that we lack. */
static bool all_up(const char *json)
{
    static const char node[] = "\"nodeid\":", state[] = "\"state\":\"";
    int up = 0, lacking = 0;
    const char *at = strstr(json, "\"brokers\":");
    const char *end = at ? strstr(at, "\"topics\":") : NULL;
    while (at && (at = strstr(at, node)) && (!end || at < end)) {
        long id = strtol(at + sizeof node - 1, NULL, 10);
        const char *is = strstr(at, state);
        if (!is)
            break;
        is += sizeof state - 1;
        if (id >= 0 && strncmp(is, "UP\"", 3) == 0)
            up++;
        else if (id >= 0 && strncmp(is, "INIT\"", 5) != 0)
            lacking++;
        at = is;
    }
    return up > 0 && lacking == 0;
}

static int on_stats(rd_kafka_t *handle, char *json, size_t len, void *opaque)
{
    struct clients_kafka *kafka = opaque;
    (void)handle;
    (void)len;
    bool good = all_up(json);
    pthread_mutex_lock(&kafka->lock);
    kafka->health.reachable = good;
    if (good)
        kafka->health.last_error = 0;
    pthread_mutex_unlock(&kafka->lock);
    return 0;
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    rd_kafka_resp_err_t error = (rd_kafka_resp_err_t)code;
    char text[512];
    if (error == RD_KAFKA_RESP_ERR__FATAL) {
        error = rd_kafka_fatal_error(handle, text, sizeof text);
        reason = text;
    }
    /* A refused certificate comes under either code, depending on which call of OpenSSL met with it. */
    if (error == RD_KAFKA_RESP_ERR__TRANSPORT && reason &&
        (strstr(reason, "SSL routines") || strstr(reason, "SSL handshake")))
        error = RD_KAFKA_RESP_ERR__SSL;
    clients_kafka_note_error(opaque, error, reason);
}

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    const struct clients_kafka *kafka = rd_kafka_opaque(handle);
    (void)level;
    base_log(BASE_LOG_DEBUG, "librdkafka", facility, "client", kafka ? kafka->name : "", "detail", text, NULL);
}

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct clients_kafka *kafka = opaque;
    (void)handle;
    kafka->delivered(kafka->ctx, message);
}

/* ---- life ---- */

int clients_kafka_create(const struct clients_kafka_setup *setup, struct clients_kafka **ret, struct base_buf *reterr)
{
    char text[512] = "";
    rd_kafka_conf_t *conf = NULL;
    struct clients_kafka *kafka = base_calloc(1, sizeof *kafka);
    if (!kafka)
        return BASE_E_NOMEM;
    pthread_mutex_init(&kafka->lock, NULL);
    kafka->delivered = setup->delivered;
    kafka->ctx = setup->ctx;
    kafka->name = base_strdup(setup->name);
    int error = kafka->name ? clients_kafka_config(setup, &conf, &kafka->servers, reterr) : BASE_E_NOMEM;
    if (!error) {
        rd_kafka_conf_set_opaque(conf, kafka);
        rd_kafka_conf_set_error_cb(conf, on_error);
        rd_kafka_conf_set_log_cb(conf, on_log);
        rd_kafka_conf_set_stats_cb(conf, on_stats);
        if (setup->producer && setup->delivered)
            rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        kafka->handle = rd_kafka_new(setup->producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, text, sizeof text);
        if (!kafka->handle) {
            rd_kafka_conf_destroy(conf);
            if (reterr)
                base_buf_printf(reterr, "%s: librdkafka refuses this configuration: %s", setup->name, text);
            error = BASE_E_CONFIG;
        }
    }
    if (error) {
        clients_kafka_destroy(kafka);
        return error;
    }
    /* A consumer's main queue is not forwarded to its consumer queue: callbacks are served apart from records, in
     * clients_kafka_poll. */
    *ret = kafka;
    return 0;
}

void clients_kafka_destroy(struct clients_kafka *kafka)
{
    if (!kafka)
        return;
    if (kafka->handle)
        rd_kafka_destroy_flags(kafka->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    pthread_mutex_destroy(&kafka->lock);
    base_free(kafka->name);
    base_free(kafka->servers);
    base_free(kafka);
}

rd_kafka_t *clients_kafka_handle(struct clients_kafka *kafka)
{
    return kafka->handle;
}

void clients_kafka_poll(struct clients_kafka *kafka, int timeout_ms)
{
    rd_kafka_poll(kafka->handle, timeout_ms);
}

const char *clients_kafka_servers(const struct clients_kafka *kafka)
{
    return kafka->servers;
}
