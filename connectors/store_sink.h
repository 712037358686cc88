/* Sinks that write changes of rows into other people's stores: Redis, PostgreSQL, ClickHouse, Elasticsearch/OpenSearch, HTTP. One batch at a time is applied by
 * the thread that follows the log of the sink (service/row_sinks); a batch that fails is given again, so applying it twice must have the effect of once: upserts and
 * deletes by key, or a position kept in the store itself in the same transaction. Keeps no queue, no log and no schedule of retries. */
#ifndef CONNECTORS_STORE_SINK_H
#define CONNECTORS_STORE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "clients/kafka.h"

/* How the text of a cell is to be read. Stored in logs: never renumber. */
enum connectors_cell_kind {
    CONNECTORS_CELL_NULL = 0,
    CONNECTORS_CELL_NUMBER = 1, /* decimal digits, perhaps with fraction and exponent: exact */
    CONNECTORS_CELL_BOOL = 2,   /* true, false */
    CONNECTORS_CELL_TEXT = 3,
    CONNECTORS_CELL_TIME = 4,   /* date, time or timestamp as ISO-8601; with Z if it is a point in time */
    CONNECTORS_CELL_JSON = 5    /* a JSON value: arrays, objects */
};
struct connectors_cell {
    struct base_str name;
    struct base_str text;
    enum connectors_cell_kind kind;
    bool key;                   /* part of the table's PRIMARY KEY */
};
struct connectors_change {
    uint64_t seq;               /* rises with every change of this sink, also over restarts and lost state folders */
    bool remove;                /* the row of this key is gone; otherwise it is new, or replaces the one with its key */
    const struct connectors_cell *cells;
    uint32_t count;
};
struct connectors_store_batch {
    const struct connectors_change *changes;
    size_t count;
    uint64_t from_seq, to_seq;  /* the part of the log that the batch stands for: the same again after a failure where `fixed_batches` was asked for */
};

struct connectors_store_config {
    const char *connector;      /* 'redis', 'postgresql', … */
    const char *name;           /* of the table or sink */
    const char *owner;          /* names this service and its state: part of positions and tokens kept in the store */
    bool keyed;                 /* the table has a PRIMARY KEY */
    bool allow_private;         /* HTTP: may inside addresses be called */
    const struct clients_option *options; /* of WITH, or of the configuration; borrowed for the call of open */
    size_t option_count;
};

struct connectors_store_sink;
struct connectors_store_sink_ops {
    /* 0: all of it is in the store, for good as far as the store promises. BASE_E_CLOSED: interrupted. BASE_E_MALFORMED: the store refuses a row for what is in
     * it. Any other error: to be tried again. Cause and remedy appended to reterr. */
    int (*apply)(struct connectors_store_sink *sink, const struct connectors_store_batch *batch, struct base_buf *reterr);
    void (*interrupt)(struct connectors_store_sink *sink); /* ends a running and every later apply; any thread */
    void (*close)(struct connectors_store_sink *sink);
};
/* First member of each sink's own struct. */
struct connectors_store_sink {
    const struct connectors_store_sink_ops *ops;
    bool fixed_batches;         /* a batch that was begun must be given again with the same bounds */
    bool keep_all;              /* every change counts: several of one key must not be folded into the last */
    const char *place;          /* where it writes, for people; lives as long as the sink */
    bool keyed;                 /* the table has a PRIMARY KEY */
    struct base_arena arena;    /* texts of its options */
};

/* Is this connector written as a store? */
bool connectors_is_store(struct base_str connector);
/* Checks the options; asks the store nothing yet. BASE_E_CONFIG, BASE_E_UNSUPPORTED (a library is missing), BASE_E_NOMEM; reason appended. */
int connectors_store_sink_open(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr) BASE_MUST_CHECK;
static inline int connectors_store_sink_apply(struct connectors_store_sink *sink, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    return sink->ops->apply(sink, batch, reterr);
}
static inline void connectors_store_sink_interrupt(struct connectors_store_sink *sink) { sink->ops->interrupt(sink); }
static inline void connectors_store_sink_close(struct connectors_store_sink *sink) /* NULL allowed */
{
    if (sink)
        sink->ops->close(sink);
}

#endif
