/* What the decoders of all formats share: the fields of the table, one value per field, the report of problems, the end of a row. Private to formats/.
 * A format fills decoder->values (all NULL at first) for one record and calls formats_decoder_finish_row. */
#ifndef FORMATS_DECODER_H
#define FORMATS_DECODER_H

#include "formats/format.h"
#include "formats/text.h"

struct formats_json;
struct formats_csv;
struct formats_wire;
struct formats_debezium;

struct formats_field {
    struct base_str name;
    struct base_str path;     /* segments parted by 0x1F */
    struct cep_type type;
    uint32_t ordinal;
    uint8_t metadata;         /* enum cep_metadata */
    bool not_null;
};
struct formats_decoder {
    const struct cep_program *program;
    const struct cep_table *table;
    formats_problem_fn *on_problem;
    void *ctx;
    struct formats_field *fields; /* field_count each */
    struct cep_type *types;
    struct cep_value *values;
    uint32_t field_count;
    uint32_t rowtime;             /* field or CEP_NONE */
    uint16_t table_index;
    bool has_checks;              /* some field is metadata or NOT NULL */
    bool ignore_errors;           /* json.ignore-parse-errors, csv.ignore-parse-errors */
    bool key_is_raw;              /* 'key.format': the key is the text of the only key column */
    size_t max_record_bytes;
    struct formats_times times;
    struct formats_problem problem; /* of the record at hand */
    struct formats_decoder_stats stats;
    struct formats_json *json;    /* exactly one of these is set */
    struct formats_csv *csv;
    struct formats_wire *wire;
    struct formats_debezium *debezium; /* beside json: the envelope around the row */
    struct formats_wire *key_wire;     /* 'key.format' is a binary one; or NULL */
    bool changes;                      /* records are changes of a table: deletions are told by their op, tombstones say nothing new */
    char trouble[320];                 /* why records cannot be decoded now */
};

struct base_str formats_decoder_option(const struct formats_decoder *decoder, const char *key);
/* 'true' or 'false' into inout; BASE_E_CONFIG with a text. */
int formats_decoder_flag(const struct formats_decoder *decoder, const char *key, bool *inout, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;

/* Notes what is wrong with the record at hand and returns code, for `return formats_problem_set(...)`. */
int formats_problem_set(struct formats_decoder *decoder, int code, uint32_t field, uint64_t at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Notes that a text is no value of a field's type; code BASE_E_OVERFLOW says "out of range". Returns BASE_E_MALFORMED (BASE_E_NOMEM stays). */
int formats_problem_value(struct formats_decoder *decoder, int code, uint32_t field, uint64_t at, struct base_str found);
/* Tells of the noted problem: counts it as malformed or ignored, calls on_problem. */
void formats_problem_tell(struct formats_decoder *decoder, const struct cep_record *record);

/* All values NULL. */
static inline void formats_decoder_clear(struct formats_decoder *decoder)
{
    for (uint32_t f = 0; f < decoder->field_count; f++)
        decoder->values[f] = (struct cep_value){ .null = true };
}
/* Metadata, NOT NULL, row time; makes the row. BASE_E_NOMEM, or another code with the problem noted. */
int formats_decoder_finish_row(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret)
    BASE_MUST_CHECK;

/* The same for a record of a change log, whose values stand in decoder->values: op 'c', 'r' and 'u' give a row, 'd' a CEP_DELETE of the key, others none. */
int formats_decoder_finish_change(struct formats_decoder *decoder, const struct cep_record *record, struct base_str op, struct base_arena *arena,
                                  struct cep_row **ret) BASE_MUST_CHECK;

/* The formats. Their decode functions do what formats_decode says, for records that have bytes and no error. */
int formats_json_create(struct formats_decoder *decoder, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void formats_json_destroy(struct formats_json *json);
int formats_json_decode(struct formats_decoder *decoder, const struct cep_record *records, size_t count, struct base_arena *arena,
                        struct cep_row **ret_rows) BASE_MUST_CHECK;
/* One text (a record's key) into decoder->values. */
int formats_json_values(struct formats_decoder *decoder, struct base_str text, struct base_arena *arena) BASE_MUST_CHECK;

int formats_csv_create(struct formats_decoder *decoder, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void formats_csv_destroy(struct formats_csv *csv);
int formats_csv_decode(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret_row)
    BASE_MUST_CHECK;

/* Debezium's change records as JSON, with or without their schema. Makes decoder->json as well, for the rows inside. */
int formats_debezium_create(struct formats_decoder *decoder, char *ret_error, size_t error_bytes) BASE_MUST_CHECK;
void formats_debezium_destroy(struct formats_debezium *debezium);
int formats_debezium_decode(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret_row)
    BASE_MUST_CHECK;

#endif
