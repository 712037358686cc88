/* The JSON decoder in strict mode against Jansson: both accept the same texts and find the same values. Used by the seeded test and by the fuzz target. */
#ifndef TESTS_FORMATS_JSON_ORACLE_H
#define TESTS_FORMATS_JSON_ORACLE_H

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tests/unit/formats/table.h"

enum { ORACLE_A, ORACLE_B, ORACLE_C, ORACLE_E, ORACLE_NX, ORACLE_FIELDS };

struct json_oracle {
    struct cep_program *program;
    struct formats_decoder *decoder;
    struct table_said said;
    struct base_arena arena;
    unsigned long accepted, refused, skipped;
};

/* False: no decoder. The columns take any value (ignore-parse-errors makes those of another type NULL), so that only the grammar refuses a record. */
static inline bool json_oracle_open(struct json_oracle *oracle)
{
    static const struct table_field fields[] = { { .name = "a", .type = CEP_TYPE(STRING) }, { .name = "b", .type = CEP_TYPE(BIGINT) },
                                                 { .name = "c", .type = CEP_TYPE(DOUBLE) }, { .name = "e", .type = CEP_TYPE(BOOLEAN) },
                                                 { .name = "n.x", .path = "n\x1fx", .type = CEP_TYPE(STRING) } };
    static const char *const options[] = { "format", "json", "json.strict", "true", "json.ignore-parse-errors", "true", NULL };
    struct table_spec spec = { fields, ORACLE_FIELDS, options, -1, 0 };
    char error[256];
    oracle->program = table_program(&spec);
    struct formats_decoder_config config = { oracle->program, 0, table_note, &oracle->said };
    return oracle->program && formats_decoder_create(&config, &oracle->decoder, error, sizeof error) == 0;
}

static inline void json_oracle_close(struct json_oracle *oracle)
{
    formats_decoder_destroy(oracle->decoder);
    base_arena_finish(&oracle->arena);
    cep_program_free(oracle->program);
}

static inline struct cep_value oracle_column(const struct json_oracle *oracle, const struct cep_row *row, uint32_t c)
{
    return cep_tuple_get(&row->tuple, c, cep_program_column(oracle->program, c)->type);
}

static inline bool oracle_same_text(struct cep_value value, const json_t *json)
{
    if (!json_is_string(json))
        return true;
    return !value.null && value.s.len == json_string_length(json) && memcmp(value.s.ptr, json_string_value(json), value.s.len) == 0;
}

/* Does the row say what Jansson says, where the types meet? */
static inline bool oracle_same_values(const struct json_oracle *oracle, const struct cep_row *row, const json_t *root)
{
    const json_t *b = json_object_get(root, "b"), *c = json_object_get(root, "c"), *e = json_object_get(root, "e");
    struct cep_value vb = oracle_column(oracle, row, ORACLE_B), vc = oracle_column(oracle, row, ORACLE_C), ve = oracle_column(oracle, row, ORACLE_E);
    if (!oracle_same_text(oracle_column(oracle, row, ORACLE_A), json_object_get(root, "a")))
        return false;
    if (!oracle_same_text(oracle_column(oracle, row, ORACLE_NX), json_object_get(json_object_get(root, "n"), "x")))
        return false;
    if (json_is_integer(b) && (vb.null || vb.i != json_integer_value(b)))
        return false;
    if (json_is_number(c) && (vc.null || vc.d != json_number_value(c)))
        return false;
    if (json_is_boolean(e) && (ve.null || ve.i != json_is_true(e)))
        return false;
    return (b || vb.null) && (c || vc.null) && (e || ve.null);
}

/* NULL, or what differs. */
static inline const char *json_oracle_check(struct json_oracle *oracle, const char *text, size_t len)
{
    json_error_t error;
    if (len == 0)
        return NULL;
    base_arena_reset(&oracle->arena);
    struct cep_record record = { .bytes = { text, len } };
    struct cep_row *row = NULL;
    if (formats_decode(oracle->decoder, &record, 1, &oracle->arena, &row) < 0)
        return "no memory";
    if (memchr(text, 0, len)) /* Jansson 2.14 loses a NUL behind a number or literal; the grammar has no place for one */
        return row ? "accepted a NUL" : NULL;
    json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, &error);
    const char *what = NULL;
    if (!root) {
        enum json_error_code code = json_error_code(&error);
        /* Limits of Jansson alone: 64 bits and doubles, its depth, no NUL in keys. */
        if (code == json_error_numeric_overflow || code == json_error_null_byte_in_key || code == json_error_stack_overflow || code == json_error_out_of_memory)
            oracle->skipped++;
        else if (row)
            what = "accepted what Jansson refuses";
        else
            oracle->refused++;
    } else if (!json_is_object(root)) {
        what = row ? "accepted a text that is no object" : NULL;
    } else if (!row) {
        if (strstr(oracle->said.last.reason, "deeper than"))
            oracle->skipped++;
        else
            what = "refused what Jansson accepts";
    } else {
        oracle->accepted++;
        json_t *unique = json_loadb(text, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
        if (unique && !oracle_same_values(oracle, row, unique)) /* of equal keys Jansson keeps the last, we the first */
            what = "another value than Jansson";
        json_decref(unique);
    }
    json_decref(root);
    return what;
}

#endif
