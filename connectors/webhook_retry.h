/* What becomes of a webhook delivery after each attempt: a pure state machine (Standard Webhooks' schedule with jitter,
 * Retry-After, dead letters, disabled endpoints) and the circuit breaker of an endpoint. No clock, no random source, no
 * network: all come in as arguments. Any thread. */
#ifndef CONNECTORS_WEBHOOK_RETRY_H
#define CONNECTORS_WEBHOOK_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

#define CONNECTORS_WEBHOOK_DELAYS_MAX 16

struct connectors_webhook_policy {
    uint32_t delay_count;                             /* attempts = delay_count + 1 */
    int64_t delays_ms[CONNECTORS_WEBHOOK_DELAYS_MAX]; /* before retry 1, 2, … */
    uint32_t jitter_percent;                          /* a delay d becomes d .. d * (1 + jitter) */
    int64_t retry_after_max_ms;                       /* a longer Retry-After is cut to it */
    uint32_t circuit_failures; /* consecutive failures of an endpoint that open its circuit; 0: never */
    int64_t circuit_open_ms;   /* how long it stays open before one trial; doubles up to circuit_max_ms */
    int64_t circuit_max_ms;
};
/* 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; 10 % jitter; circuit after 5 failures for 5 s .. 5 m. */
void connectors_webhook_policy_default(struct connectors_webhook_policy *ret);

enum connectors_webhook_phase {                                   /* stored: never renumber */
                                CONNECTORS_WEBHOOK_PENDING = 0,   /* not tried yet */
                                CONNECTORS_WEBHOOK_RETRYING = 1,  /* tried, next_ms says when again */
                                CONNECTORS_WEBHOOK_DELIVERED = 2, /* a 2xx came */
                                CONNECTORS_WEBHOOK_DEAD = 3       /* given up; kept, may be re-sent by hand */
};
enum connectors_webhook_reason { /* of the last attempt; stored */
                                 CONNECTORS_WEBHOOK_NONE = 0,
                                 CONNECTORS_WEBHOOK_OK = 1,
                                 CONNECTORS_WEBHOOK_STATUS = 2,    /* answered, but not 2xx: status has the number */
                                 CONNECTORS_WEBHOOK_NO_ANSWER = 3, /* connection, TLS, timeout */
                                 CONNECTORS_WEBHOOK_REFUSED = 4,  /* our guard refused the address, or the URL is bad */
                                 CONNECTORS_WEBHOOK_GONE = 5,     /* 410: the endpoint wants no more */
                                 CONNECTORS_WEBHOOK_EXHAUSTED = 6 /* the last attempt of the schedule failed */
};
struct connectors_webhook_delivery { /* of one message to one endpoint */
    enum connectors_webhook_phase phase;
    enum connectors_webhook_reason reason;
    uint32_t attempts; /* made so far */
    uint16_t status;   /* of the last answer, 0: none */
    int64_t first_ms;  /* wall time of the first attempt, 0: none */
    int64_t last_ms;   /* of the last attempt */
    int64_t next_ms;   /* RETRYING: not before; DELIVERED: 0; DEAD: 0 */
};
/* How an attempt ended. */
struct connectors_webhook_outcome {
    uint16_t status;        /* HTTP status, 0: no answer */
    int64_t retry_after_ms; /* -1: none */
    bool refused;           /* our own guard or a bad URL: trying again is no use */
};
/* Moves the delivery on after an attempt at now_ms; random is any 64 uniform bits. A DELIVERED or DEAD one is
 * BASE_E_INVALID (re-send first). *ret_disable (may be NULL): the endpoint must be disabled (410). */
int connectors_webhook_after(const struct connectors_webhook_policy *policy,
                             struct connectors_webhook_delivery *delivery,
                             const struct connectors_webhook_outcome *outcome, int64_t now_ms, uint64_t random,
                             bool *ret_disable) BASE_MUST_CHECK;
/* A dead (or delivered) message is to be sent again: back to PENDING with a fresh schedule. */
void connectors_webhook_resend(struct connectors_webhook_delivery *delivery);
/* May it be tried at now_ms? */
bool connectors_webhook_due(const struct connectors_webhook_delivery *delivery, int64_t now_ms);
const char *connectors_webhook_phase_name(enum connectors_webhook_phase phase);
const char *connectors_webhook_reason_name(enum connectors_webhook_reason reason);
/* Stored form of a delivery, versioned; decode is total: BASE_E_CORRUPT, BASE_E_VERSION. */
void connectors_webhook_encode(const struct connectors_webhook_delivery *delivery, struct base_buf *out);
int connectors_webhook_decode(const void *bytes, size_t len, struct connectors_webhook_delivery *ret) BASE_MUST_CHECK;

struct connectors_webhook_circuit { /* of one endpoint; zero-initialise */
    uint32_t failures;              /* in a row */
    int64_t until_ms;               /* open until then; 0: closed */
    int64_t length_ms;              /* of the present opening */
};
/* May the endpoint be called at now_ms? After until_ms one trial is let through: its outcome closes the circuit or
 * opens it for twice as long. */
bool connectors_webhook_circuit_allows(const struct connectors_webhook_circuit *circuit, int64_t now_ms);
/* good: an answer other than 429 and 5xx came. */
void connectors_webhook_circuit_after(const struct connectors_webhook_policy *policy,
                                      struct connectors_webhook_circuit *circuit, bool good, int64_t now_ms);

#endif
