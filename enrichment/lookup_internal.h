/* What enrichment/lookup.c and the stores that it asks share. Internal to enrichment/. */
#ifndef ENRICHMENT_LOOKUP_INTERNAL_H
#define ENRICHMENT_LOOKUP_INTERNAL_H

#include "enrichment/lookup.h"

/* One fetch on its way. */
struct enrichment_ask {
    struct enrichment_lookup *lookup;
    const struct cep_tuple *const *keys;
    uint32_t count;
    struct base_arena *arena; /* temporaries, until the fetch has ended */
};
/* Asks the store once for all keys and gives each row that it has. 0: keys without row are not there. Any error may be tried again but BASE_E_CONFIG, BASE_E_AUTH,
 * BASE_E_MALFORMED. */
struct enrichment_outside {
    int (*fetch)(struct enrichment_outside *store, struct enrichment_ask *ask, struct base_buf *reterr);
    int64_t (*wait_ms)(const struct enrichment_outside *store); /* until the next try makes sense */
    void (*close)(struct enrichment_outside *store);
};
int enrichment_postgres_create(const struct enrichment_lookup_config *config, struct enrichment_outside **ret, struct base_buf *reterr) BASE_MUST_CHECK;
int enrichment_redis_create(const struct enrichment_lookup_config *config, struct enrichment_outside **ret, struct base_buf *reterr) BASE_MUST_CHECK;
int enrichment_http_create(const struct enrichment_lookup_config *config, struct enrichment_outside **ret, struct base_buf *reterr) BASE_MUST_CHECK;

/* Values of the table's fields, one each (unset: NULL); key columns that are NULL are taken from keys[index]. */
int enrichment_lookup_give(struct enrichment_ask *ask, uint32_t index, struct cep_value *values) BASE_MUST_CHECK;
/* The same, for the keys that the row's own key columns equal. */
int enrichment_lookup_give_row(struct enrichment_ask *ask, struct cep_value *values) BASE_MUST_CHECK;
/* Text of a store as a value of field `field`; ptr NULL: NULL. BASE_E_MALFORMED with the reason appended. */
int enrichment_lookup_value(struct enrichment_ask *ask, uint32_t field, struct base_str text, struct cep_value *ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* Text of key column `column` of keys[index]. */
int enrichment_lookup_key_text(const struct enrichment_ask *ask, uint32_t index, uint32_t column, struct base_buf *out) BASE_MUST_CHECK;
const struct cep_table *enrichment_lookup_table(const struct enrichment_lookup *lookup);
const struct enrichment_lookup_config *enrichment_lookup_settings(const struct enrichment_lookup *lookup);
/* NUL-terminated copy of an option in the arena, or fallback. */
const char *enrichment_lookup_option(const struct enrichment_lookup_config *config, struct base_arena *arena, const char *key, const char *fallback);

#endif
