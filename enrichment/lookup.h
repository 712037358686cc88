/* Tables that are asked outside, row by row: a lookup join's right side in PostgreSQL, Redis or behind HTTP. Keeps what was answered for a while, also that
 * there is no such row, asks for many keys at once where its caller knows them ahead, and waits a bounded time. Called by service/lookups; one thread per lookup.
 *
 * Options of the table: 'lookup.cache' = 'PARTIAL' (default) or 'NONE', 'lookup.partial-cache.max-rows' (10000), 'lookup.partial-cache.expire-after-write'
 * ('1 min'), 'lookup.partial-cache.cache-missing-key' (true), 'lookup.max-retries' (3), 'lookup.timeout' ('2 s': for all tries together). */
#ifndef ENRICHMENT_LOOKUP_H
#define ENRICHMENT_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "cep/row.h"

/* A JSON object to a row of the table's fields. BASE_E_MALFORMED with the reason appended. */
typedef int enrichment_lookup_decode(void *ctx, struct base_str text, struct base_arena *arena, struct cep_row **ret, struct base_buf *reterr);
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

/* Notes a key that find will soon be asked for. Optional. */
int enrichment_lookup_want(struct enrichment_lookup *lookup, const struct cep_tuple *key) BASE_MUST_CHECK;
/* Asks for all keys that were noted and are not known, at once. Blocks for at most the table's 'lookup.timeout'. Errors as find. */
int enrichment_lookup_fetch(struct enrichment_lookup *lookup, struct base_buf *reterr) BASE_MUST_CHECK;
/* Row of a key, *ret NULL: there is none; it lives until the next call. Blocks for at most 'lookup.timeout'. BASE_E_IO: no answer within that time or a
 * wrong one, cause and remedy appended; for a second after that it fails at once. BASE_E_NOMEM. */
int enrichment_lookup_find(struct enrichment_lookup *lookup, const struct cep_tuple *key, const struct cep_row **ret, struct base_buf *reterr) BASE_MUST_CHECK;

struct enrichment_lookup_stats { uint64_t asked, hits, fetches, keys, failures, rows; };
void enrichment_lookup_get_stats(const struct enrichment_lookup *lookup, struct enrichment_lookup_stats *ret);

#endif
