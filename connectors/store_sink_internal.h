/* What the sinks of stores share: their openers, options, and cells as text. Used by connectors/…_sink.c only. */
#ifndef CONNECTORS_STORE_SINK_INTERNAL_H
#define CONNECTORS_STORE_SINK_INTERNAL_H

#include "base/arena.h"
#include "connectors/store_sink.h"

typedef int connectors_store_opener(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr);
connectors_store_opener connectors_redis_sink_open, connectors_postgres_sink_open, connectors_clickhouse_sink_open, connectors_search_sink_open,
    connectors_rows_sink_open;

/* Reads a sink's options, opens its client and says its place. What it leaves behind at an error is for ops->close. */
typedef int connectors_store_reader(struct connectors_store_sink *sink, const struct connectors_store_config *config, struct base_buf *reterr);
/* A sink's way into life: its struct, zeroed and of this size, then its options. Every change counts for a table without key, unless the reader says otherwise. */
int connectors_store_make(const struct connectors_store_config *config, size_t bytes, const struct connectors_store_sink_ops *ops, connectors_store_reader *read,
                          struct connectors_store_sink **ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* And its end: the arena and the struct itself, when it has given back what is its own. */
void connectors_store_free(struct connectors_store_sink *sink);
/* The name by which the store remembers this sink: the owner and the table, with this between them. NULL: no memory. */
const char *connectors_store_owner(const struct connectors_store_config *config, struct base_arena *arena, char between);
/* Where a client logs in: 'url', 'username', 'password', 'ca-file'. In a table's options each is an empty text if it is not given; NULL: no memory. */
struct connectors_store_login {
    const char *url, *user, *password, *ca_file;
};
int connectors_store_read_login(const struct connectors_store_config *config, struct base_arena *arena, struct connectors_store_login *ret) BASE_MUST_CHECK;
/* 'table-name', or the table's own name; NULL: no memory. */
const char *connectors_store_table(const struct connectors_store_config *config, struct base_arena *arena);

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
