/* One raw record as a source hands it to a decoder: bytes and where they stood. Made by connectors/, read by formats/; service/ carries it from one to the
 * other. Plain values; all pointers are borrowed from the source until its next poll. Any thread. */
#ifndef CEP_RECORD_H
#define CEP_RECORD_H

#include <stdint.h>
#include "base/str.h"

/* Bytes behind a record that may be read (their content does not matter), where CEP_RECORD_PADDED is set. */
#define CEP_RECORD_SLACK 64

enum cep_record_flags {
    CEP_RECORD_PADDED = 1, /* CEP_RECORD_SLACK readable bytes stand behind `bytes`: the decoder need not copy */
    CEP_RECORD_HEAD = 2    /* the first record of its file: a CSV header may be */
};

/* Where several records come from: one per file or topic. */
struct cep_origin {
    struct base_str name; /* topic, or file name */
    struct base_str head; /* first record of the file; ptr NULL: the source has no such thing */
    uint64_t number;      /* differs between the origins of one source, so that a decoder sees a change without comparing heads */
};
struct cep_record {
    struct base_str bytes; /* ptr NULL: no value at all (a tombstone) */
    struct base_str key;   /* ptr NULL: none */
    const struct cep_origin *origin;
    int64_t time_ms;       /* the record's own timestamp; BASE_TIME_MIN_MS: none */
    int64_t offset;        /* Kafka offset; file: number of the record in the log of its partition, from 0 */
    uint64_t whole_bytes;  /* length of the record where bytes holds its beginning only; otherwise 0 */
    int32_t partition;
    int16_t error;         /* 0, or BASE_E_LIMIT: longer than the source's limit, bytes holds its beginning */
    uint16_t flags;        /* enum cep_record_flags */
};

#endif
