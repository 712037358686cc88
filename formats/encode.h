/* Rows to bytes: one JSON object or CSV line per row, for sinks, print and `query`; and an aligned table for people. Called by sink threads and the command
 * line. Writes no files. One thread per encoder. */
#ifndef FORMATS_ENCODE_H
#define FORMATS_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "cep/row.h"

struct formats_encoder_config {
    const struct cep_program *program; /* must outlive the encoder */
    uint32_t schema;                   /* of the rows */
    uint32_t table;                    /* sink table whose column names and options count, or CEP_NONE: those of the schema, JSON */
    bool with_change;                  /* a first member (JSON) or column (CSV) "op": "+I", "-U", "+U", "-D" (rows of sinks that take changes) */
};
struct formats_encoder;
/* 'format' of the table: 'json' (default), 'csv' ('csv.field-delimiter', 'csv.quote-character', 'csv.null-literal'), 'avro', 'protobuf', 'avro-confluent' or 'protobuf-confluent' (the schema is registered
 * here: it may block for seconds, and is BASE_E_IO if the registry cannot be reached). BASE_E_CONFIG, BASE_E_UNSUPPORTED with a
 * text in ret_error; BASE_E_NOMEM. */
int formats_encoder_create(const struct formats_encoder_config *config, struct formats_encoder **ret, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void formats_encoder_destroy(struct formats_encoder *encoder); /* NULL allowed */
/* Appends the row without line end. DECIMAL as a number with its scale, timestamps in ISO-8601 (CSV: SQL form), NULL as null (CSV: empty, or the null
 * literal). out, which has no limit, tells of missing memory in `failed`. */
void formats_encode(const struct formats_encoder *encoder, const struct cep_row *row, struct base_buf *out);
/* Appends the line of column names; false: the format has none. */
bool formats_encode_head(const struct formats_encoder *encoder, struct base_buf *out);
/* Appends the record key: the PRIMARY KEY columns of the sink table, as JSON object or, with one column, as its text. False: the table has no key. */
bool formats_encode_key(const struct formats_encoder *encoder, const struct cep_row *row, struct base_buf *out);

/* Columns of a tuple as one JSON object; columns: a list of the program's columns section. Card numbers in STRING and integer values are masked if so
 * told; texts longer than limit bytes (0: none) are cut at a character and *inout_cut set. */
struct formats_object {
    const struct cep_program *program;
    struct cep_list columns;
    const struct cep_tuple *tuple;
    bool mask;
    size_t text_limit;
};
void formats_encode_object(const struct formats_object *object, struct base_buf *out, bool *inout_cut);

/* An aligned table. The first rows set the widths (longer cells shift their line later on), so memory is bounded. */
struct formats_table;
struct formats_table *formats_table_create(const struct cep_program *program, uint32_t schema); /* NULL: no memory */
void formats_table_destroy(struct formats_table *table);
/* Appends to out whatever lines are ready. BASE_E_NOMEM. */
int formats_table_add(struct formats_table *table, const struct cep_row *row, struct base_buf *out) BASE_MUST_CHECK;
int formats_table_finish(struct formats_table *table, struct base_buf *out) BASE_MUST_CHECK;

#endif
