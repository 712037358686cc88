/* A sink: takes encoded records (alerts, rows, dead letters) and makes them durable at flush. Written by one thread. Encodes nothing and retries nothing. */
#ifndef CONNECTORS_SINK_H
#define CONNECTORS_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "connectors/source.h"

struct connectors_sink;
struct connectors_sink_ops {
    /* One record, without line end; key may be empty. May be kept in memory until flush. BASE_E_FULL: no space left on the device; BASE_E_IO, BASE_E_CLOSED (the reader
     * of a pipe went away), BASE_E_NOMEM. After an error the record is not written, wholly or in part, as far as the medium allows. */
    int (*write)(struct connectors_sink *sink, struct base_str record, struct base_str key);
    /* All that was written is durable when it returns 0 (for terminals and pipes: handed over). */
    int (*flush)(struct connectors_sink *sink);
    void (*close)(struct connectors_sink *sink);
};
struct connectors_sink {
    const struct connectors_sink_ops *ops;
    char error[256]; /* the last failure in words */
};
/* Opens the sink of a table: 'connector' = 'filesystem' ('path'), 'print', 'stdout', 'blackhole'. Errors as connectors_source_open. */
int connectors_sink_open(const struct connectors_source_config *config, struct connectors_sink **ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
/* A file that is appended to, created if need be; "-" is standard output. For alert sinks and dead letters. */
int connectors_file_sink_open(const char *path, struct connectors_sink **ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;

/* When a file is put aside, at the end of a flush: under its name with the time in front of the ending (seen.json: seen-20260102T030405.678Z.json), and a new one begun. */
struct connectors_file_turn {
    int64_t bytes, ms;    /* it is so large, or was begun so long ago; 0: that does not count */
    struct base_str head; /* first line of each file; may be empty */
};
/* For file sinks (others: nothing). Writes the head into a file that is empty. Errors as write. */
int connectors_file_sink_turn(struct connectors_sink *sink, const struct connectors_file_turn *turn) BASE_MUST_CHECK;

static inline int connectors_sink_write(struct connectors_sink *sink, struct base_str record, struct base_str key)
{
    return sink->ops->write(sink, record, key);
}
static inline int connectors_sink_flush(struct connectors_sink *sink) { return sink->ops->flush(sink); }
/* Flushes what it can; NULL allowed. */
static inline void connectors_sink_close(struct connectors_sink *sink)
{
    if (sink)
        sink->ops->close(sink);
}

#endif
