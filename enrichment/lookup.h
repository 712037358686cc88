/* Tables that are asked outside, row by row: a lookup join's right side in PostgreSQL, Redis or behind HTTP. Keeps what was answered for a while, also that
 * there is no such row. Either find asks by itself and waits a bounded time (`query`, rule cases), or, once start was called, questions are asked by threads of
 * their own, many keys at once, and answers are collected when they have come (shards). Called by service/lookups; one owner thread per lookup.
 *
 * Options of the table: 'lookup.cache' = 'PARTIAL' (default) or 'NONE', 'lookup.partial-cache.max-rows' (10000), 'lookup.partial-cache.expire-after-write'
 * ('1 min'), 'lookup.partial-cache.cache-missing-key' (true), 'lookup.max-retries' (3), 'lookup.timeout' ('2 s': for all tries together), 'lookup.connections' (1; http: 8). */
#ifndef ENRICHMENT_LOOKUP_H
#define ENRICHMENT_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "cep/row.h"

#define ENRICHMENT_CONNECTIONS_MOST 64

/* A JSON object to a row of the table's fields. BASE_E_MALFORMED with the reason appended. Called by one thread for each connection < 'lookup.connections'. */
typedef int enrichment_lookup_decode(void *ctx, uint32_t connection, struct base_str text, struct base_arena *arena, struct cep_row **ret, struct base_buf *reterr);
struct enrichment_lookup_config {
    const struct cep_program *program;  /* outlives the lookup */
    uint32_t table;
    const char *application;            /* name shown by the store; NULL: ours */
    bool allow_private;                 /* HTTP: may inside addresses be called */
    enrichment_lookup_decode *decode;
    void *decode_ctx;
};
struct enrichment_lookup;
/* Is it such a table? Joined FOR SYSTEM_TIME AS OF processing time, 'connector' = 'postgresql' (without 'scan.' options), 'redis' or 'http'. */
bool enrichment_lookup_is(const struct cep_program *program, uint32_t table);
/* No network. BASE_E_CONFIG: a bad option; BASE_E_UNSUPPORTED: a library is missing; reason appended. */
int enrichment_lookup_create(const struct enrichment_lookup_config *config, struct enrichment_lookup **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void enrichment_lookup_destroy(struct enrichment_lookup *lookup); /* NULL allowed */

/* Row of a key, *ret NULL: there is none; it lives until the next call. Blocks for at most 'lookup.timeout'. BASE_E_IO: no answer within that time or a
 * wrong one, cause and remedy appended; for a second after that it fails at once. BASE_E_NOMEM. */
int enrichment_lookup_find(struct enrichment_lookup *lookup, const struct cep_tuple *key, const struct cep_row **ret, struct base_buf *reterr) BASE_MUST_CHECK;

/* ---- asked by other threads ---- */
/* Starts the threads, one per connection. wake: called by them when there is something to collect. find must not be called any more. */
int enrichment_lookup_start(struct enrichment_lookup *lookup, void (*wake)(void *ctx), void *ctx, struct base_buf *reterr) BASE_MUST_CHECK;
/* The row will be taken, once for each want: asks for it by the next flush unless it is known. */
int enrichment_lookup_want(struct enrichment_lookup *lookup, const struct cep_tuple *key) BASE_MUST_CHECK;
int enrichment_lookup_flush(struct enrichment_lookup *lookup) BASE_MUST_CHECK;
/* Takes in what has been answered; *ret_any: something was. */
int enrichment_lookup_collect(struct enrichment_lookup *lookup, bool *ret_any) BASE_MUST_CHECK;
/* Row of a key, *ret NULL: there is none; it lives until the next call. BASE_E_AGAIN: not known, or (wanted: it was wanted, and is taken for that) not yet.
 * BASE_E_IO as find. */
int enrichment_lookup_take(struct enrichment_lookup *lookup, const struct cep_tuple *key, bool wanted, const struct cep_row **ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* Waits for something to collect, timeout_us at most. */
void enrichment_lookup_wait(struct enrichment_lookup *lookup, int64_t timeout_us);

uint32_t enrichment_lookup_connections(const struct enrichment_lookup *lookup);
struct enrichment_lookup_stats { uint64_t asked, hits, fetches, keys, failures, rows; };
void enrichment_lookup_get_stats(const struct enrichment_lookup *lookup, struct enrichment_lookup_stats *ret);

#endif
