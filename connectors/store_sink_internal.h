/* What the sinks of stores share: their openers, options, and cells as text. Used by connectors/…_sink.c only. */
#ifndef CONNECTORS_STORE_SINK_INTERNAL_H
#define CONNECTORS_STORE_SINK_INTERNAL_H

#include "base/arena.h"
#include "connectors/store_sink.h"

typedef int connectors_store_opener(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr);
connectors_store_opener connectors_redis_sink_open, connectors_postgres_sink_open, connectors_clickhouse_sink_open, connectors_search_sink_open,
    connectors_rows_sink_open;

/* Copy of an option in the arena; fallback (may be NULL) if it is not given. */
const char *connectors_store_option(const struct connectors_store_config *config, struct base_arena *arena, const char *key, const char *fallback);
/* Is an option given? Otherwise the message names it. */
int connectors_store_need(const struct connectors_store_config *config, const char *key, const char *example, struct base_buf *reterr) BASE_MUST_CHECK;
/* The cell as a JSON value, or the whole change as an object. */
void connectors_cell_json(const struct connectors_cell *cell, struct base_buf *out);
void connectors_change_json(const struct connectors_change *change, struct base_buf *out); /* without the closing brace */
/* Texts of the key cells, joined by ':'. */
void connectors_change_key(const struct connectors_change *change, struct base_buf *out);
/* A part of a URL, percent-encoded. */
void connectors_put_url(struct base_str text, struct base_buf *out);

#endif
