/* A source: raw records of one table, in partitions, each an ordered log with offsets. Opened by service/ from a table's WITH options, polled by one ingest
 * thread. Decodes nothing, knows no watermark, keeps no position durable: who polls stores positions and seeks back to them. */
#ifndef CONNECTORS_SOURCE_H
#define CONNECTORS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/time.h"
#include "cep/program.h"
#include "cep/record.h"

#define CONNECTORS_POSITION_BYTES 64
#define CONNECTORS_RECORD_BYTES_DEFAULT ((size_t)8 << 20) /* option 'max-record-bytes' */

/* Where reading goes on in one partition: the next record's offset, and what the source needs to find it fast (opaque, its own business). */
struct connectors_position {
    int64_t offset;
    int32_t partition;
    uint32_t hint_len;                       /* 0: none, the source finds the offset by itself, which may cost a scan */
    uint8_t hint[CONNECTORS_POSITION_BYTES];
};

/* What one poll gave. Borrowed from the source until its next poll, seek or close. */
struct connectors_batch {
    const struct cep_record *records;
    size_t count;
    const struct connectors_position *positions; /* behind this batch, one for each partition that it has records of */
    size_t position_count;
    bool at_end;   /* nothing more right now in any partition */
    bool finished; /* a bounded source is at its end for good; records may still stand in this batch */
};

struct connectors_source;
struct connectors_source_ops {
    /* At most max_records; waits at most timeout_ms for the first. 0 also with an empty batch. BASE_E_AGAIN: a server is away, asked again by itself; BASE_E_IO, BASE_E_CORRUPT (broken compression), BASE_E_NOMEM:
     * connectors_source_error tells more; polling again tries again. */
    int (*poll)(struct connectors_source *source, size_t max_records, int timeout_ms, struct connectors_batch *ret);
    /* The next poll of that partition starts at position->offset. BASE_E_NOTFOUND: no such place any more. */
    int (*seek)(struct connectors_source *source, const struct connectors_position *position);
    void (*close)(struct connectors_source *source);
};
/* First member of each source's own struct. */
struct connectors_source {
    const struct connectors_source_ops *ops;
    bool bounded;      /* comes to an end by itself: watermark goes to the end of time there */
    char error[512];   /* the last failure in words */
};

/* Opens the source of a table (not kafka, which has its own opener): 'connector' = 'filesystem', 'stdin', 'datagen'. Relative paths stand against base_dir
 * (NULL: the working directory). On failure a text in ret_error (size bytes): BASE_E_CONFIG, BASE_E_NOTFOUND, BASE_E_IO, BASE_E_NOMEM. */
struct connectors_source_config {
    const struct cep_program *program;
    const struct cep_table *table;
    const char *base_dir;
};
int connectors_source_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;

static inline int connectors_source_poll(struct connectors_source *source, size_t max_records, int timeout_ms, struct connectors_batch *ret)
{
    return source->ops->poll(source, max_records, timeout_ms, ret);
}
static inline int connectors_source_seek(struct connectors_source *source, const struct connectors_position *position)
{
    return source->ops->seek(source, position);
}
/* NULL allowed. */
static inline void connectors_source_close(struct connectors_source *source)
{
    if (source)
        source->ops->close(source);
}
/* Is all that the source will give on a disk already, so that nobody waits for a record to be written? */
bool connectors_source_at_rest(const struct connectors_source *source);
/* Whole lines of the open file that are there already, each with its line end, instead of records one by one. bytes.len 0: none can be given now, poll (the first
 * record of a file, the last without a line end, records beyond the limit; other sources than files). Borrowed as a batch is. */
struct connectors_block { struct base_str bytes; const struct cep_origin *origin; int64_t offset; int32_t partition; };
int connectors_source_block(struct connectors_source *source, struct connectors_block *ret) BASE_MUST_CHECK;
/* So many bytes of the block's begin were used: they were so many records. */
void connectors_source_took(struct connectors_source *source, size_t bytes, uint64_t records);
static inline const char *connectors_source_error(const struct connectors_source *source) { return source->error; }

/* ---- reading options, for all connectors ---- */

/* Value of an option, or fallback if it is not given. */
struct base_str connectors_option(const struct connectors_source_config *config, const char *key, const char *fallback);
/* As a number within [least, most]; BASE_E_CONFIG with a text otherwise. */
struct connectors_number { const char *key; int64_t fallback, least, most; };
int connectors_option_number(const struct connectors_source_config *config, struct connectors_number number, int64_t *ret, char *ret_error,
                             size_t error_bytes) BASE_MUST_CHECK;
/* 'true' or 'false'. */
int connectors_option_bool(const struct connectors_source_config *config, const char *key, bool *inout, char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;

/* An option's path made ready for open(): "file:" prefix cut off, put behind base_dir if it is relative. To be freed; NULL: no memory. */
char *connectors_path(const struct connectors_source_config *config, struct base_str path);

#endif
