/* A client of Redis: commands go out in pipelines over one connection, answers come back in order. Used by the Redis sink and by lookup joins. Connects when it
 * must, backs off after a failure, bounds every wait and the size of every answer; never repeats a command by itself, since it cannot know whether the server
 * has run it. The protocol is parsed by hiredis, which is loaded with the first client; the connection is ours (clients/stream.h), so that TLS, time limits and interrupts work.
 * One thread at a time per client, but for interrupt. */
#ifndef CLIENTS_REDIS_H
#define CLIENTS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct clients_redis_options {
    const char *url;             /* redis://[user:password@]host[:6379][/database], rediss://… for TLS, unix:///path; all texts are copied */
    const char *user, *password; /* instead of those of the URL; NULL or "" */
    const char *ca_file;         /* TLS: PEM bundle; NULL or "": the system's */
    uint32_t connect_timeout_ms; /* 0: 5,000 */
    uint32_t timeout_ms;         /* a whole pipeline, 0: 10,000 */
    uint32_t answer_bytes;       /* all answers of one pipeline, 0: 64 MiB */
};

enum clients_redis_kind { CLIENTS_REDIS_NIL, CLIENTS_REDIS_STATUS, CLIENTS_REDIS_ERROR, CLIENTS_REDIS_INTEGER, CLIENTS_REDIS_TEXT, CLIENTS_REDIS_LIST };
/* One answer; borrowed for the visit. */
struct clients_redis_answer {
    enum clients_redis_kind kind;
    struct base_str text;  /* STATUS, ERROR, TEXT */
    int64_t integer;       /* INTEGER */
    size_t count;          /* LIST: items, see clients_redis_item */
    const void *items;
};
/* Item i < count of a LIST. */
struct clients_redis_answer clients_redis_item(const struct clients_redis_answer *list, size_t i);

struct clients_redis;
/* No network. BASE_E_CONFIG: bad URL; BASE_E_UNSUPPORTED: hiredis is not installed; BASE_E_NOMEM. Reason appended to reterr (may be NULL). */
int clients_redis_create(const struct clients_redis_options *options, struct clients_redis **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void clients_redis_destroy(struct clients_redis *redis); /* NULL allowed */
/* host:port, for messages. */
const char *clients_redis_place(const struct clients_redis *redis);

/* Adds a command to the pipeline (copied); nothing is sent yet. BASE_E_NOMEM. */
int clients_redis_add(struct clients_redis *redis, const struct base_str *words, size_t count) BASE_MUST_CHECK;
/* Sends the pipeline and visits the answers, in order; index counts commands from 0. visit returns 0 to go on, otherwise the walk ends with that code (the
 * connection is then closed, since answers were left). Answers that are errors are the visitor's to judge. The pipeline is empty afterwards, whatever happened.
 * BASE_E_AGAIN: still backing off after the last failure, nothing was sent; BASE_E_IO, BASE_E_TIMEOUT: commands may or may not have been run; BASE_E_AUTH: password, user or
 * TLS refused; BASE_E_CONFIG: the database does not exist; BASE_E_LIMIT: answers too large; BASE_E_CLOSED: interrupted. Reason with cause and remedy appended to reterr. */
typedef int clients_redis_visit(void *ctx, size_t index, const struct clients_redis_answer *answer);
int clients_redis_run(struct clients_redis *redis, clients_redis_visit *visit, void *ctx, struct base_buf *reterr) BASE_MUST_CHECK;
/* Drops what was added. */
void clients_redis_clear(struct clients_redis *redis);
/* Milliseconds until the next attempt to connect is allowed; 0: at once. */
int64_t clients_redis_wait_ms(const struct clients_redis *redis);
/* Number of connections made so far: a change tells that a session ended in between. */
uint64_t clients_redis_sessions(const struct clients_redis *redis);
/* Ends a running and every later run with BASE_E_CLOSED. Any thread. */
void clients_redis_interrupt(struct clients_redis *redis);

#endif
