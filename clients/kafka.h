/* One librdkafka handle with its configuration, log, errors and health: the part that the Kafka source, the Kafka sink
 * and the tests share. It never retries on its own, never knows what a record means, and never shows a password:
 * secrets are kept out of its errors and logs. */
#ifndef CLIENTS_KAFKA_H
#define CLIENTS_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

/* One 'name' = 'value' of a WITH clause or of the configuration file. Borrowed texts. */
struct clients_option {
    const char *name;
    const char *value;
};

struct clients_kafka_setup {
    const char *name; /* who speaks in logs and errors, e.g. "table orders"; copied */
    bool producer;    /* otherwise a consumer */
    /* As the user wrote them: names may begin with "properties." (Flink's form); options that belong to the connector
     * ("topic", "format", "scan.…") must have been left out by clients_kafka_is_property. */
    const struct clients_option *options;
    size_t option_count;
    const struct clients_option *defaults; /* ours, the user's options win */
    size_t default_count;
    const struct clients_option *fixed; /* ours, setting one of them is an error that says why */
    size_t fixed_count;
    /* Delivery reports of a producer, called from clients_kafka_poll and flush. NULL for consumers. */
    void (*delivered)(void *ctx, const rd_kafka_message_t *message);
    void *ctx;
};

enum clients_kafka_class { /* what to do about an error */
                           CLIENTS_KAFKA_OK,
                           CLIENTS_KAFKA_RETRIABLE, /* away, timed out, not leader …: the same call may succeed later */
                           CLIENTS_KAFKA_ABORTABLE, /* this transaction must be aborted; the next may succeed */
                           CLIENTS_KAFKA_FENCED,    /* a newer instance has taken over: stop */
                           CLIENTS_KAFKA_FATAL,     /* this handle is of no more use: destroy it and make a new one */
                           CLIENTS_KAFKA_AUTH, /* password, certificate or ACL; librdkafka goes on trying, only a change
                                                  outside helps */
                           CLIENTS_KAFKA_BAD /* the request itself is wrong (size, unknown topic, bad configuration) */
};

struct clients_kafka_health {
    bool reachable;        /* no broker that we use is down or refuses us, and at least one is up (fresh within 2 s) */
    uint64_t errors;       /* errors reported by librdkafka since creation */
    uint64_t auth_errors;  /* of these, authentication and TLS */
    int last_error;        /* BASE_E_*, 0: none since brokers were reachable */
    int64_t last_error_us; /* base_clock_mono_us of the last error */
    char text[512];        /* cause and remedy of the last error; "" if none */
};

struct clients_kafka;

/* Is this WITH option meant for librdkafka ("properties.…")? */
bool clients_kafka_is_property(const char *name);
/* Does not touch the network. BASE_E_CONFIG: unknown or wrong property: reterr (appended, may be NULL) names it and,
 * for names that only the Java client knows, the librdkafka property to use instead. */
int clients_kafka_create(const struct clients_kafka_setup *setup, struct clients_kafka **ret,
                         struct base_buf *reterr) BASE_MUST_CHECK;
/* Does not flush; outstanding messages are dropped. NULL is allowed. Not from a callback. */
void clients_kafka_destroy(struct clients_kafka *kafka);
/* The handle, owned by `kafka`. */
rd_kafka_t *clients_kafka_handle(struct clients_kafka *kafka);
/* Serves errors, statistics and delivery reports; a consumer's records come from its own queue, not from here. Any
 * thread. */
void clients_kafka_poll(struct clients_kafka *kafka, int timeout_ms);
/* Any thread. */
void clients_kafka_health(struct clients_kafka *kafka, struct clients_kafka_health *ret);
/* Feeds an error that came with a message or an event into the health record. Any thread. */
void clients_kafka_note_error(struct clients_kafka *kafka, rd_kafka_resp_err_t error, const char *detail);
/* Something was got from a broker: it is reachable. Any thread. */
void clients_kafka_note_success(struct clients_kafka *kafka);

enum clients_kafka_class clients_kafka_classify(rd_kafka_resp_err_t error);
/* As above for the error object of the transactional calls, which knows more; does not destroy it. */
enum clients_kafka_class clients_kafka_classify_error(const rd_kafka_error_t *error);
/* BASE_E_* of a class: BROKER, CONFLICT (abortable), FENCED, BROKER (fatal), AUTH, INVALID. */
int clients_kafka_code(enum clients_kafka_class class);
/* "Timed out" is the effect; what the connection met with is the cause. Serves events first; 0: none is known, the error itself must be explained. Otherwise
 * BASE_E_AUTH or BASE_E_BROKER, the cause and what was asked for appended to reterr (may be NULL). */
int clients_kafka_cause(struct clients_kafka *kafka, const char *what, rd_kafka_resp_err_t error, struct base_buf *reterr) BASE_MUST_CHECK;
/* "<name>: <what>: <librdkafka's text> (<remedy>)" appended to out; what and detail may be NULL. */
void clients_kafka_explain(const struct clients_kafka *kafka, const char *what, rd_kafka_resp_err_t error,
                           const char *detail, struct base_buf *out);
/* "bootstrap.servers" as configured, "" if none. */
const char *clients_kafka_servers(const struct clients_kafka *kafka);

#endif
