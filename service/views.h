/* Materialized views: a flow's rows for a view go into the store with the epoch in which they came, and REST reads them there, so that what is read was decided
 * and survives what the state survives. Writing: the host's thread; reading: any thread.
 *
 * A row stands under {fingerprint of the view's node, key columns so that bytes sort as values do, identity of the row}: rows are listed in order of the view's
 * key, and several rows may share one. A view whose text changed has another fingerprint and begins anew; the rows of the old one go with the state of
 * operators that are gone. */
#ifndef SERVICE_VIEWS_H
#define SERVICE_VIEWS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "service/host.h"
#include "service/store.h"

/* A change of the SINK node of a view, into the running epoch. */
int service_views_row(struct service_host *host, uint32_t node, const struct cep_event *event) BASE_MUST_CHECK;
/* All rows of a view that is gone. */
int service_views_forget(struct service_batch *batch, uint64_t fingerprint) BASE_MUST_CHECK;

struct service_view {
    const struct cep_program *program;
    struct base_str name;
    uint64_t fingerprint;
    struct cep_list columns;    /* columns */
    struct cep_list key;        /* u32s: indexes into columns */
};
/* The nth view of a program; false: there are fewer. */
bool service_views_at(const struct cep_program *program, uint32_t n, struct service_view *ret);
bool service_views_find(const struct cep_program *program, struct base_str name, struct service_view *ret);
/* Beginning of the store keys of rows whose first key columns have these values, separated by commas (the last column takes the rest of the text); all rows
 * for a text without ptr. BASE_E_CAST: a value is none of the column's type; *ret_column says which. */
int service_views_prefix(const struct service_view *view, struct base_str key, struct base_buf *out, uint32_t *ret_column) BASE_MUST_CHECK;
/* Rows (JSON objects) with the prefix behind the store key `after` (empty: from the first on). visit returns 0 to go on; anything else ends the walk and is
 * returned. */
int service_views_each(struct service_store *store, struct base_str prefix, struct base_str after, service_store_visit *visit, void *ctx) BASE_MUST_CHECK;

#endif
