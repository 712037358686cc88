/* Bytes to rows: a decoder of one table, made from its WITH options and the fields that some rule reads. Called by ingest threads, by the loader of profile
 * tables and by tests. Opens nothing, knows no watermark, writes no dead letters: it tells of each bad record through a callback. One thread per decoder. */
#ifndef FORMATS_FORMAT_H
#define FORMATS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/attr.h"
#include "cep/program.h"
#include "cep/record.h"
#include "cep/row.h"

#define FORMATS_RECORD_BYTES_DEFAULT ((size_t)8 << 20) /* option 'max-record-bytes' */
#define FORMATS_REASON_BYTES 320

/* Why a record gave no row, or (ignored, with a row) why a column of it is NULL. */
struct formats_problem {
    int code;            /* BASE_E_MALFORMED, BASE_E_UTF8, BASE_E_LIMIT */
    bool ignored;        /* the table says ignore-parse-errors: count it, but no dead letter */
    uint32_t field;      /* table field that could not be had; CEP_NONE: the record as a whole */
    uint64_t at;         /* byte of the record where it was seen, 0 if not known */
    struct base_str table; /* its name in the rules */
    char reason[FORMATS_REASON_BYTES]; /* column, what was wanted, what was found (card numbers masked) */
};
typedef void formats_problem_fn(void *ctx, const struct cep_record *record, const struct formats_problem *problem);

struct formats_decoder_config {
    const struct cep_program *program; /* must outlive the decoder */
    uint32_t table;                    /* index in the program; becomes row->at.table */
    formats_problem_fn *on_problem;    /* may be NULL */
    void *ctx;
};
struct formats_decoder;
/* Formats 'json', 'csv', 'avro', 'avro-confluent', 'protobuf', 'protobuf-confluent', 'debezium-json', 'debezium-avro-confluent' ('format' or 'value.format'; a datagen table
 * needs none). BASE_E_CONFIG with a text in ret_error (bad option, type that the format cannot give), BASE_E_UNSUPPORTED (unknown format), BASE_E_NOMEM. */
int formats_decoder_create(const struct formats_decoder_config *config, struct formats_decoder **ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void formats_decoder_destroy(struct formats_decoder *decoder); /* NULL allowed */

/* Decodes a batch: ret_rows[i] is the row of records[i] in the arena, or NULL if it gave none (a CSV header; a bad record, of which on_problem was told).
 * Row: time_ms of the table's rowtime field (BASE_TIME_MIN_MS if it has none), position of the record, place 0, CEP_INSERT; a record without value
 * (tombstone) of a table with a primary key is CEP_DELETE with the key columns read from the record's key. Fails as a whole only with BASE_E_NOMEM, and with BASE_E_IO,
 * BASE_E_TIMEOUT or BASE_E_AUTH where a schema registry must be asked and cannot be: nothing was decoded and nothing told; decode the same records again later.
 * Fast where records of one buffer stand one behind the other, parted by line ends, with CEP_RECORD_PADDED. */
int formats_decode(struct formats_decoder *decoder, const struct cep_record *records, size_t count, struct base_arena *arena, struct cep_row **ret_rows)
    BASE_MUST_CHECK;

/* Whole lines of a file, for formats that can be read without cutting records first. Each line, the last too, ends with a line end; CEP_RECORD_SLACK bytes behind
 * them can be read. */
struct formats_block {
    struct base_str bytes;
    const struct cep_origin *origin;
    int64_t offset;      /* of the record that the first line is */
    int32_t partition;
};
struct cep_columns;
/* May formats_block_decode be asked? The table has no metadata, and its format and options are plain enough. */
bool formats_decoder_takes_blocks(const struct formats_decoder *decoder);
/* Appends the rows of the first lines to columns, whose columns are the fields of the table (event times too, if they are timed), up to the first line that has anything out of the ordinary: that one is to be decoded as a record by
 * formats_decode, as is the first record of each file, or JSON of another layout than that of the records before. Each line read is a record. BASE_E_NOMEM, BASE_E_LIMIT (too many rows). */
int formats_block_decode(struct formats_decoder *decoder, const struct formats_block *block, struct cep_columns *columns, size_t *ret_bytes,
                         uint32_t *ret_records) BASE_MUST_CHECK;
/* Can BASE_E_IO, BASE_E_TIMEOUT, BASE_E_AUTH happen at all? */
bool formats_decoder_may_wait(const struct formats_decoder *decoder);
/* Why formats_decode failed as a whole; "" if it did not. */
const char *formats_decoder_trouble(const struct formats_decoder *decoder);

/* Rows and records since creation. */
struct formats_decoder_stats { uint64_t records, bytes, rows, malformed, ignored; };
void formats_decoder_get_stats(const struct formats_decoder *decoder, struct formats_decoder_stats *ret);

#endif
