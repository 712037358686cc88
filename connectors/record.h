/* Records as sources hand them over: raw bytes with their place in the log, in batches that own one padded buffer. No decoding here.
 * A batch belongs to one thread at a time and may be handed on. */
#ifndef CONNECTORS_RECORD_H
#define CONNECTORS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

#define CONNECTORS_RECORD_SLACK 64 /* readable bytes behind every record's payload, for SIMD parsers */

struct connectors_record {
    const char *ptr;     /* payload; NULL: none (a tombstone). At least CONNECTORS_RECORD_SLACK readable bytes follow */
    uint32_t len;
    uint32_t key_len;
    const char *key;     /* NULL: none; same slack */
    int64_t offset;      /* in the log of the partition */
    int64_t timestamp_ms; /* the record's own time, BASE_TIME_MIN_MS: none */
    uint32_t source_partition; /* index of the partition in its source (0-based, never reused while the source lives) */
    int32_t partition;   /* what cep_position.partition gets */
};

/* Zero-initialise. */
struct connectors_batch {
    struct connectors_record *records; /* owned array */
    uint32_t count, cap;
    char *bytes;                       /* owned: payloads and keys, slack behind the last */
    size_t bytes_len, bytes_cap;
};
void connectors_batch_finish(struct connectors_batch *batch);
/* Empties it, keeps memory (all but what exceeds keep_bytes, 0: keeps all). */
void connectors_batch_clear(struct connectors_batch *batch, size_t keep_bytes);
/* Makes room for `records` more records of `bytes` more payload and key bytes in all; existing records stay valid. */
int connectors_batch_reserve(struct connectors_batch *batch, size_t records, size_t bytes) BASE_MUST_CHECK;
/* Copies a record in; ptr, key of `record` are the outside bytes. Grows as needed. BASE_E_NOMEM. */
int connectors_batch_add(struct connectors_batch *batch, const struct connectors_record *record) BASE_MUST_CHECK;

#endif
