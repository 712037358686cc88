#include "connectors/kafka_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <strings.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "connectors/kafka_sink_internal.h"

#define QUEUE_WAIT_US (5 * 1000000ll)
#define TRANSACTION_TIMEOUT_MS 60000u
#define BEGIN_ABORT_MS 10000 /* how long begin goes on with an abort that was left unfinished */
#define EARLY_WAIT_MS 200    /* what a request under way gets, if waiting for it ended before its time */
#define SIZE_MARGIN 512u     /* what librdkafka and the broker add to a record and its batch */

/* ---- configuration ---- */

static void on_delivered(void *ctx, const rd_kafka_message_t *message)
{
    struct connectors_kafka_sink *sink = ctx;
    if (!message->err) {
        sink->delivered++;
        return;
    }
    sink->failed++;
    pthread_mutex_lock(&sink->lock);
    if (!sink->failure) {
        char what[320];
        enum clients_kafka_class class = clients_kafka_classify(message->err);
        sink->failure = message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? BASE_E_LIMIT : clients_kafka_code(class);
        snprintf(what, sizeof what, "delivery of a record to topic %s",
                 message->rkt ? rd_kafka_topic_name(message->rkt) : "?");
        base_buf_clear(&sink->failure_text);
        /* Not rd_kafka_message_errstr: of a refused record it gives the record. */
        clients_kafka_explain(sink->kafka, what, message->err, NULL, &sink->failure_text);
    }
    pthread_mutex_unlock(&sink->lock);
}

/* A broker may allow less than our default (transaction.max.timeout.ms): then the user's word counts. 0: none, or one that librdkafka will refuse. */
static uint32_t own_timeout(const struct connectors_kafka_sink_options *options)
{
    for (size_t i = 0; i < options->option_count; i++) {
        const char *name = options->options[i].name;
        name += strncmp(name, "properties.", 11) == 0 ? 11 : 0;
        if (strcasecmp(name, "transaction.timeout.ms") == 0) {
            long value = strtol(options->options[i].value, NULL, 10);
            return value >= 1000 && value <= 3600000 ? (uint32_t)value : 0;
        }
    }
    return 0;
}

static int create_client(struct connectors_kafka_sink *sink, const struct connectors_kafka_sink_options *options,
                         struct base_buf *reterr)
{
    static const struct clients_option defaults[] = {
        { "partitioner", "murmur2_random" }, /* as Java's producer: consumers may join by partition */
        { "linger.ms", "1" },
        { "retry.backoff.ms", "10" }, /* a transaction waits at least this long when its coordinator is not ready yet */
        { "reconnect.backoff.ms", "100" },
        { "reconnect.backoff.max.ms", "2000" },
        { "queue.buffering.max.kbytes", "131072" },
        { "statistics.interval.ms", "1000" },
        { "socket.keepalive.enable", "true" },
        { "client.id", "cepheid" },
    };
    char timeout[16], bytes[16];
    struct clients_option fixed[4] = { { "enable.idempotence", "true" } };
    size_t count = 1;
    sink->transaction_timeout_ms =
        options->transaction_timeout_ms ? options->transaction_timeout_ms : TRANSACTION_TIMEOUT_MS;
    snprintf(timeout, sizeof timeout, "%u", sink->transaction_timeout_ms);
    uint32_t own_ms = own_timeout(options);
    if (own_ms)
        sink->transaction_timeout_ms = own_ms;
    if (options->transactional_id) {
        fixed[count++] = (struct clients_option){ "transactional.id", options->transactional_id };
        if (!own_ms)
            fixed[count++] = (struct clients_option){ "transaction.timeout.ms", timeout };
    } else {
        /* Without transactions nobody could produce a record again in its place: it is tried until it is delivered. */
        fixed[count++] = (struct clients_option){ "message.timeout.ms", "0" };
    }
    if (options->max_record_bytes) {
        snprintf(bytes, sizeof bytes, "%u", options->max_record_bytes + SIZE_MARGIN);
        fixed[count++] = (struct clients_option){ "message.max.bytes", bytes };
    }
    struct clients_kafka_setup setup = {
        .name = sink->name,
        .producer = true,
        .options = options->options,
        .option_count = options->option_count,
        .defaults = defaults,
        .default_count = sizeof defaults / sizeof defaults[0],
        .fixed = fixed,
        .fixed_count = count,
        .delivered = on_delivered,
        .ctx = sink,
    };
    return clients_kafka_create(&setup, &sink->kafka, reterr);
}

static int copy_options(struct connectors_kafka_sink *sink, const struct connectors_kafka_sink_options *options)
{
    sink->options = base_calloc(options->option_count + 1, sizeof *sink->options);
    if (!sink->options)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < options->option_count; i++) {
        struct clients_option *copy = &sink->options[sink->option_count++];
        copy->name = base_strdup(options->options[i].name);
        copy->value = base_strdup(options->options[i].value);
        if (!copy->name || !copy->value)
            return BASE_E_NOMEM;
    }
    return 0;
}

int connectors_kafka_sink_create(const struct connectors_kafka_sink_options *options,
                                 struct connectors_kafka_sink **ret, struct base_buf *reterr)
{
    struct connectors_kafka_sink *sink = base_calloc(1, sizeof *sink);
    if (!sink)
        return BASE_E_NOMEM;
    pthread_mutex_init(&sink->lock, NULL);
    sink->transactional = options->transactional_id != NULL;
    sink->name = base_strdup(options->name);
    sink->group_id = options->group_id ? base_strdup(options->group_id) : NULL;
    int error = sink->name && (sink->group_id || !options->group_id) ? copy_options(sink, options) : BASE_E_NOMEM;
    if (!error)
        error = create_client(sink, options, reterr);
    if (error) {
        connectors_kafka_sink_destroy(sink);
        return error;
    }
    char text[32] = "1000000";
    size_t size = sizeof text;
    int64_t most = 1000000;
    if (rd_kafka_conf_get(rd_kafka_conf(clients_kafka_handle(sink->kafka)), "message.max.bytes", text, &size) ==
        RD_KAFKA_CONF_OK)
        (void)base_str_to_i64(base_str_of(text), &most); /* keeps librdkafka's default if it is no number */
    sink->max_bytes = most > (int64_t)SIZE_MARGIN ? (size_t)most - SIZE_MARGIN : 0;
    *ret = sink;
    return 0;
}

void connectors_kafka_sink_destroy(struct connectors_kafka_sink *sink)
{
    if (!sink)
        return;
    if (sink->kafka)
        (void)rd_kafka_purge(clients_kafka_handle(sink->kafka),
                             RD_KAFKA_PURGE_F_QUEUE |
                                 RD_KAFKA_PURGE_F_INFLIGHT); /* the caller has flushed what counts */
    for (size_t i = 0; i < sink->known.len; i++)
        rd_kafka_topic_destroy(sink->known.at[i]);
    BASE_VEC_FINISH(&sink->known);
    clients_kafka_destroy(sink->kafka);
    clients_kafka_destroy(sink->side);
    for (size_t i = 0; sink->options && i < sink->option_count; i++) {
        base_free((void *)(uintptr_t)sink->options[i].name);
        base_free((void *)(uintptr_t)sink->options[i].value);
    }
    base_free(sink->options);
    base_free(sink->name);
    base_free(sink->group_id);
    base_buf_finish(&sink->failure_text);
    pthread_mutex_destroy(&sink->lock);
    base_free(sink);
}

/* ---- errors ---- */

int kafka_sink_failed(struct connectors_kafka_sink *sink, struct clients_kafka *kafka, const char *what,
                      rd_kafka_resp_err_t code, const char *detail, struct base_buf *reterr)
{
    (void)sink;
    int e = clients_kafka_cause(kafka, what, code, reterr);
    if (e < 0)
        return e;
    clients_kafka_explain(kafka, what, code, detail, reterr);
    return clients_kafka_code(clients_kafka_classify(code));
}

/* A broker gives up a transaction that stays open too long and fences its producer: that is no newer instance, but the
 * end of this handle. */
static int fenced_code(struct connectors_kafka_sink *sink, struct base_buf *reterr)
{
    int64_t begun_us = sink->begun_us;
    if (begun_us == 0 || base_clock_mono_us() - begun_us < (int64_t)sink->transaction_timeout_ms * 1000)
        return BASE_E_FENCED;
    if (reterr)
        base_buf_printf(
            reterr,
            "%s: the transaction was open for longer than transaction.timeout.ms (%u): the broker has aborted it",
            sink->name, sink->transaction_timeout_ms);
    return BASE_E_BROKER;
}

/* Consumes the error. retry_code: what a retriable one becomes. */
static int transaction_failed(struct connectors_kafka_sink *sink, const char *what, rd_kafka_error_t *failed,
                              int retry_code, struct base_buf *reterr)
{
    enum clients_kafka_class class = clients_kafka_classify_error(failed);
    rd_kafka_resp_err_t code = rd_kafka_error_code(failed);
    const char *detail = rd_kafka_error_string(failed);
    int error = clients_kafka_code(class);
    char text[512];
    if (class == CLIENTS_KAFKA_FATAL || class == CLIENTS_KAFKA_FENCED) {
        /* The fatal error behind it may be a fencing, which the caller must tell from a broken handle. */
        rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(clients_kafka_handle(sink->kafka), text, sizeof text);
        bool fenced = class == CLIENTS_KAFKA_FENCED || clients_kafka_classify(fatal) == CLIENTS_KAFKA_FENCED;
        sink->fatal = true;
        if (fenced)
            error = fenced_code(sink, reterr);
        if (!fenced || error == BASE_E_FENCED)
            clients_kafka_explain(sink->kafka, what, fatal ? fatal : code, fatal ? text : detail, reterr);
    } else if (class == CLIENTS_KAFKA_RETRIABLE) {
        int reason = kafka_sink_failed(sink, sink->kafka, what, code, detail, reterr);
        error = retry_code ? retry_code : reason;
    } else {
        clients_kafka_explain(sink->kafka, what, code, detail, reterr);
    }
    rd_kafka_error_destroy(failed);
    return error;
}

bool connectors_kafka_sink_fatal(const struct connectors_kafka_sink *sink)
{
    char text[8];
    return sink->fatal ||
           rd_kafka_fatal_error(clients_kafka_handle(sink->kafka), text, sizeof text) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int64_t deadline_us(int timeout_ms)
{
    return base_clock_mono_us() + (int64_t)timeout_ms * 1000;
}

static int left_ms(int64_t until_us)
{
    int64_t left = (until_us - base_clock_mono_us()) / 1000;
    return left > 0 ? (int)left : 0;
}

/* ---- records ---- */

bool connectors_kafka_sink_fits(const struct connectors_kafka_sink *sink, size_t key_len, size_t value_len,
                                size_t header_bytes)
{
    size_t sum;
    return base_size_add(key_len, value_len, &sum) && base_size_add(sum, header_bytes, &sum) && sum <= sink->max_bytes;
}

static rd_kafka_headers_t *make_headers(const struct connectors_kafka_header *headers, size_t count)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(count);
    for (size_t i = 0; i < count; i++) {
        if (rd_kafka_header_add(list, headers[i].name, -1, headers[i].value.ptr, (ssize_t)headers[i].value.len)) {
            rd_kafka_headers_destroy(list);
            return NULL;
        }
    }
    return list;
}

/* Headers pass to librdkafka only if this succeeds. */
static rd_kafka_resp_err_t produce_once(struct connectors_kafka_sink *sink, const char *topic, struct base_str key,
                                        struct base_str value, rd_kafka_headers_t *headers)
{
    rd_kafka_t *handle = clients_kafka_handle(sink->kafka);
    if (headers)
        return rd_kafka_producev(handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                 RD_KAFKA_V_KEY(key.ptr, key.len),
                                 RD_KAFKA_V_VALUE((void *)(uintptr_t)value.ptr, value.len), RD_KAFKA_V_HEADERS(headers),
                                 RD_KAFKA_V_END);
    return rd_kafka_producev(handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_KEY(key.ptr, key.len),
                             RD_KAFKA_V_VALUE((void *)(uintptr_t)value.ptr, value.len), RD_KAFKA_V_END);
}

static int refused(struct connectors_kafka_sink *sink, rd_kafka_resp_err_t code)
{
    char text[512];
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return BASE_E_BUSY;
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return BASE_E_LIMIT;
    if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__FENCED) {
        rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(clients_kafka_handle(sink->kafka), text, sizeof text);
        bool fenced = code == RD_KAFKA_RESP_ERR__FENCED || clients_kafka_classify(fatal) == CLIENTS_KAFKA_FENCED;
        return fenced ? fenced_code(sink, NULL) : BASE_E_BROKER;
    }
    if (code == RD_KAFKA_RESP_ERR__STATE)
        return sink->transactional ? BASE_E_CONFLICT
                                   : BASE_E_INVALID; /* no transaction is open, or it failed and waits for its abort */
    return clients_kafka_code(clients_kafka_classify(code));
}

int connectors_kafka_sink_produce(struct connectors_kafka_sink *sink, const char *topic, struct base_str key,
                                  struct base_str value, const struct connectors_kafka_header *headers,
                                  size_t header_count)
{
    size_t header_bytes = 0;
    for (size_t i = 0; i < header_count; i++)
        header_bytes += strlen(headers[i].name) + headers[i].value.len + 16;
    if (!connectors_kafka_sink_fits(sink, key.len, value.len, header_bytes))
        return BASE_E_LIMIT;
    rd_kafka_headers_t *list = NULL;
    if (header_count > 0 && !(list = make_headers(headers, header_count)))
        return BASE_E_NOMEM;
    int64_t until_us = base_clock_mono_us() + QUEUE_WAIT_US;
    rd_kafka_resp_err_t code;
    while ((code = produce_once(sink, topic, key, value, list)) == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           base_clock_mono_us() < until_us)
        clients_kafka_poll(sink->kafka, 20);
    if (code) {
        if (list)
            rd_kafka_headers_destroy(list);
        return refused(sink, code);
    }
    sink->produced++;
    sink->bytes += key.len + value.len + header_bytes;
    return 0;
}

static int take_failure(struct connectors_kafka_sink *sink, struct base_buf *reterr)
{
    pthread_mutex_lock(&sink->lock);
    int error = sink->failure;
    if (error && reterr)
        base_buf_put(reterr, sink->failure_text.ptr, sink->failure_text.len);
    sink->failure = 0;
    pthread_mutex_unlock(&sink->lock);
    return error;
}

int connectors_kafka_sink_flush(struct connectors_kafka_sink *sink, int timeout_ms, struct base_buf *reterr)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(clients_kafka_handle(sink->kafka), timeout_ms);
    int error = take_failure(sink, reterr);
    if (error || !code)
        return error;
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        int reason = kafka_sink_failed(sink, sink->kafka, "delivery of records", code, NULL, reterr);
        return reason == BASE_E_AUTH ? reason : BASE_E_TIMEOUT;
    }
    return kafka_sink_failed(sink, sink->kafka, "delivery of records", code, NULL, reterr);
}

void connectors_kafka_sink_poll(struct connectors_kafka_sink *sink)
{
    clients_kafka_poll(sink->kafka, 0);
}

/* ---- transactions ---- */

/* May the request be made again? Waits a little then. A time-out before its time means that the wall clock was set ahead: that ends each wait of librdkafka,
 * while what was asked for is still under way in it. Its answer would be taken for that of the next request, after which 2.0.2 ends the process ("Invalid
 * transaction state transition"); so it gets the time to come first. */
static bool is_asked_again(struct connectors_kafka_sink *sink, const rd_kafka_error_t *failed, int64_t until_us)
{
    if (clients_kafka_classify_error(failed) != CLIENTS_KAFKA_RETRIABLE || left_ms(until_us) == 0)
        return false;
    if (rd_kafka_error_code(failed) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        nanosleep(&(struct timespec){ .tv_nsec = EARLY_WAIT_MS * 1000000 }, NULL);
    clients_kafka_poll(sink->kafka, 10);
    return true;
}

int connectors_kafka_sink_init(struct connectors_kafka_sink *sink, int timeout_ms, struct base_buf *reterr)
{
    if (!sink->transactional)
        return 0;
    rd_kafka_error_t *failed = rd_kafka_init_transactions(clients_kafka_handle(sink->kafka), timeout_ms);
    return failed ? transaction_failed(sink, "start of transactions", failed, 0, reterr) : 0;
}

int connectors_kafka_sink_begin(struct connectors_kafka_sink *sink, struct base_buf *reterr)
{
    if (sink->aborting) {
        int error = connectors_kafka_sink_abort(sink, BEGIN_ABORT_MS, reterr);
        if (error)
            return error;
    }
    rd_kafka_error_t *failed = rd_kafka_begin_transaction(clients_kafka_handle(sink->kafka));
    if (failed)
        return transaction_failed(sink, "begin of a transaction", failed, 0, reterr);
    sink->begun_us = base_clock_mono_us();
    return 0;
}

int connectors_kafka_sink_send_offsets(struct connectors_kafka_sink *sink,
                                       const struct connectors_kafka_offset *offsets, size_t count, int timeout_ms,
                                       struct base_buf *reterr)
{
    int64_t until_us = deadline_us(timeout_ms);
    if (!sink->group_id)
        return BASE_E_INVALID;
    rd_kafka_topic_partition_list_t *list = NULL;
    int error = kafka_offsets_list(offsets, count, &list);
    if (error)
        return error;
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(sink->group_id);
    rd_kafka_error_t *failed;
    for (;;) {
        failed =
            rd_kafka_send_offsets_to_transaction(clients_kafka_handle(sink->kafka), list, group, left_ms(until_us));
        if (!failed || !is_asked_again(sink, failed, until_us))
            break;
        rd_kafka_error_destroy(failed);
    }
    if (failed)
        error = transaction_failed(sink, "offsets of a transaction", failed, BASE_E_TIMEOUT, reterr);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

int connectors_kafka_sink_commit(struct connectors_kafka_sink *sink, int timeout_ms, struct base_buf *reterr)
{
    int64_t until_us = deadline_us(timeout_ms);
    rd_kafka_error_t *failed;
    for (;;) {
        failed = rd_kafka_commit_transaction(clients_kafka_handle(sink->kafka), left_ms(until_us));
        if (!failed || !is_asked_again(sink, failed, until_us))
            break;
        rd_kafka_error_destroy(failed);
    }
    if (failed) {
        int error = transaction_failed(sink, "commit of a transaction", failed, BASE_E_AGAIN, reterr);
        /* A refused record is the cause of a transaction that must be aborted: tell that one. */
        if (error == BASE_E_CONFLICT && reterr) {
            base_buf_puts(reterr, ": ");
            (void)take_failure(sink, reterr); /* its text only: the code is CONFLICT either way */
        }
        return error;
    }
    (void)take_failure(sink, NULL); /* a committed transaction has none */
    sink->begun_us = 0;
    sink->transactions++;
    return 0;
}

int connectors_kafka_sink_abort(struct connectors_kafka_sink *sink, int timeout_ms, struct base_buf *reterr)
{
    int64_t until_us = deadline_us(timeout_ms);
    rd_kafka_error_t *failed;
    for (;;) {
        failed = rd_kafka_abort_transaction(clients_kafka_handle(sink->kafka), left_ms(until_us));
        if (!failed || !is_asked_again(sink, failed, until_us))
            break;
        rd_kafka_error_destroy(failed);
    }
    (void)take_failure(sink, NULL); /* purged records and what led to the abort are told already */
    if (failed) {
        int error = transaction_failed(sink, "abort of a transaction", failed, BASE_E_TIMEOUT, reterr);
        sink->aborting = error == BASE_E_TIMEOUT;
        return error;
    }
    sink->aborting = false;
    sink->begun_us = 0;
    sink->aborted++;
    return 0;
}

void connectors_kafka_sink_stats(struct connectors_kafka_sink *sink, struct connectors_kafka_sink_stats *ret)
{
    *ret = (struct connectors_kafka_sink_stats){
        .produced = sink->produced,
        .delivered = sink->delivered,
        .failed = sink->failed,
        .bytes = sink->bytes,
        .transactions = sink->transactions,
        .aborted = sink->aborted,
    };
}

void connectors_kafka_sink_health(struct connectors_kafka_sink *sink, struct clients_kafka_health *ret)
{
    clients_kafka_health(sink->kafka, ret);
}
