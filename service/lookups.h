/* The outside tables that a flow asks (enrichment/lookup.h), one set for each thread that runs a flow: made from the program, logs a table's trouble once, and
 * applies 'lookup.on-error' ('dead-letter', the default: the row is an error; 'null': as if there were no such row). */
#ifndef SERVICE_LOOKUPS_H
#define SERVICE_LOOKUPS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/flow.h"
#include "service/metrics.h"

struct service_lookups;
struct service_lookups_config {
    const struct cep_program *program;
    const char *application;
    bool allow_private;
    struct service_metrics *metrics; /* may be NULL */
    void (*wake)(void *ctx);         /* tables are asked by other threads, which call it when there is something to collect; NULL: find asks and waits */
    void *wake_ctx;
};
/* *ret NULL: the program has no such table. Reason with the table's name appended to reterr. */
int service_lookups_create(const struct service_lookups_config *config, struct service_lookups **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void service_lookups_destroy(struct service_lookups *lookups); /* NULL allowed */
/* Is table asked outside? lookups may be NULL. */
bool service_lookups_has(const struct service_lookups *lookups, uint32_t table);
/* As cep_env.lookup; wanted: the row was wanted before. BASE_E_IO: this row cannot be joined. BASE_E_AGAIN, with wake: no answer yet. */
int service_lookups_find(struct service_lookups *lookups, uint32_t table, const struct cep_tuple *key, bool wanted, const struct cep_row **ret) BASE_MUST_CHECK;

/* ---- with wake ---- */
int service_lookups_want(struct service_lookups *lookups, uint32_t table, const struct cep_tuple *key) BASE_MUST_CHECK;
/* What was wanted is asked for. */
int service_lookups_flush(struct service_lookups *lookups) BASE_MUST_CHECK;
/* Answers are taken in; *ret_any: there were some. */
int service_lookups_collect(struct service_lookups *lookups, bool *ret_any) BASE_MUST_CHECK;
/* Both, and waits for an answer of this table in between, timeout_us at most. */
int service_lookups_wait(struct service_lookups *lookups, uint32_t table, int64_t timeout_us) BASE_MUST_CHECK;

#endif
