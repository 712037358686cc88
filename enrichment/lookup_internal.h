/* What enrichment/lookup.c and the stores that it asks share. Internal to enrichment/. */
#ifndef ENRICHMENT_LOOKUP_INTERNAL_H
#define ENRICHMENT_LOOKUP_INTERNAL_H

#include "base/map.h"
#include "base/vec.h"
#include "enrichment/lookup.h"

#define ENRICHMENT_FETCH_MOST 256    /* keys of one fetch */
#define ENRICHMENT_DOWN_US 1000000   /* after a failure: how long it fails at once */
#define ENRICHMENT_TROUBLE_BYTES 512

/* One fetch on its way; may be another thread's than the lookup's. */
struct enrichment_ask {
    const struct enrichment_lookup *lookup;
    const struct cep_tuple *const *keys;
    uint32_t count;
    struct cep_row **rows;    /* what was found, by key, in the arena; NULL: no such row */
    uint32_t connection;      /* which of the lookup's it is */
    int64_t until_us;         /* no new question to the store behind this time */
    struct base_arena *arena; /* temporaries and rows, until the fetch has ended and its rows were taken */
};
/* Asks the store once for all keys and gives each row that it has. 0: keys without row are not there. Any error may be tried again but BASE_E_CONFIG, BASE_E_AUTH,
 * BASE_E_MALFORMED. */
struct enrichment_outside {
    int (*fetch)(struct enrichment_outside *store, struct enrichment_ask *ask, struct base_buf *reterr);
    int64_t (*wait_ms)(const struct enrichment_outside *store); /* until the next try makes sense */
    void (*close)(struct enrichment_outside *store);
};
int enrichment_postgres_create(const struct enrichment_lookup *lookup, struct enrichment_outside **ret, struct base_buf *reterr) BASE_MUST_CHECK;
int enrichment_redis_create(const struct enrichment_lookup *lookup, struct enrichment_outside **ret, struct base_buf *reterr) BASE_MUST_CHECK;
int enrichment_http_create(const struct enrichment_lookup *lookup, struct enrichment_outside **ret, struct base_buf *reterr) BASE_MUST_CHECK;

enum enrichment_knowing { ENRICHMENT_KNOWN = 0, ENRICHMENT_ASKED = 1, ENRICHMENT_FAILED = 2 };
struct enrichment_known {
    struct cep_tuple *key;     /* owned; NULL: free */
    struct cep_row *row;       /* owned; NULL: there is no such row */
    int64_t expires_us;
    uint32_t waiting;          /* how often it will be taken yet: it stays until then */
    uint8_t knowing;           /* enum enrichment_knowing */
    bool used;                 /* since the hand passed */
};
struct enrichment_tuples BASE_VEC(const struct cep_tuple *);
struct enrichment_pool;
struct enrichment_lookup {
    struct enrichment_lookup_config config;
    const struct cep_table *table;
    struct cep_type *types, *key_types;
    struct enrichment_outside *outside;
    struct enrichment_pool *pool; /* lookup_async.c; NULL: find asks by itself */
    struct base_map places;    /* bytes of a key -> place in known */
    struct { struct enrichment_known *at; size_t len, cap; } known;
    size_t hand;               /* of the clock that finds what to forget */
    struct enrichment_tuples wanted; /* to be asked by the next flush */
    struct base_arena wanted_arena, arena;
    bool cache, cache_missing;
    uint64_t max_rows, max_retries, connections;
    int64_t expire_us, timeout_us, down_until_us;
    char trouble[ENRICHMENT_TROUBLE_BYTES];
    struct enrichment_lookup_stats stats;
};

/* ---- what is known: owner's thread ---- */
struct enrichment_known *enrichment_known_find(struct enrichment_lookup *lookup, const struct cep_tuple *key);
/* The entry of a key, made if there is none. BASE_E_NOMEM. */
int enrichment_known_get(struct enrichment_lookup *lookup, const struct cep_tuple *key, struct enrichment_known **ret) BASE_MUST_CHECK;
/* Puts an answer in (a copy; NULL: there is no such row). */
int enrichment_known_answer(struct enrichment_lookup *lookup, struct enrichment_known *known, const struct cep_row *row) BASE_MUST_CHECK;
void enrichment_known_forget(struct enrichment_lookup *lookup, struct enrichment_known *known);
bool enrichment_known_fresh(const struct enrichment_known *known);
/* Asks a store with retries until ask->until_us. Any thread, one at a time per store. pause waits so many microseconds; false: give up. */
int enrichment_lookup_try(struct enrichment_outside *store, struct enrichment_ask *ask, struct base_buf *why, bool (*pause)(void *ctx, int64_t us), void *ctx,
                          uint64_t *ret_fetches) BASE_MUST_CHECK;
/* Another connection to the same store. */
int enrichment_lookup_open(const struct enrichment_lookup *lookup, struct enrichment_outside **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void enrichment_pool_destroy(struct enrichment_pool *pool); /* NULL allowed; ends its threads */

/* Values of the table's fields, one each (unset: NULL); key columns that are NULL are taken from keys[index]. */
int enrichment_lookup_give(struct enrichment_ask *ask, uint32_t index, struct cep_value *values) BASE_MUST_CHECK;
/* The same of a JSON object. */
int enrichment_lookup_give_text(struct enrichment_ask *ask, uint32_t index, struct base_str json, struct base_buf *reterr) BASE_MUST_CHECK;
/* The same, for the keys that the row's own key columns equal. */
int enrichment_lookup_give_row(struct enrichment_ask *ask, struct cep_value *values) BASE_MUST_CHECK;
/* Text of a store as a value of field `field`; ptr NULL: NULL. BASE_E_MALFORMED with the reason appended. */
int enrichment_lookup_value(struct enrichment_ask *ask, uint32_t field, struct base_str text, struct cep_value *ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* Text of key column `column` of keys[index]. */
int enrichment_lookup_key_text(const struct enrichment_ask *ask, uint32_t index, uint32_t column, struct base_buf *out) BASE_MUST_CHECK;
const struct cep_table *enrichment_lookup_table(const struct enrichment_lookup *lookup);
const struct enrichment_lookup_config *enrichment_lookup_settings(const struct enrichment_lookup *lookup);
uint32_t enrichment_lookup_timeout_ms(const struct enrichment_lookup *lookup); /* of one question */
/* NUL-terminated copy of an option in the arena, or fallback. */
const char *enrichment_lookup_option(const struct enrichment_lookup_config *config, struct base_arena *arena, const char *key, const char *fallback);

#endif
