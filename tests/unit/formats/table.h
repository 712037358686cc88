/* A program that holds one table, and one record decoded by it, for tests of formats/ and connectors/. Include in one .c per test. */
#ifndef TESTS_FORMATS_TABLE_H
#define TESTS_FORMATS_TABLE_H

#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/program.h"
#include "formats/encode.h"
#include "formats/format.h"

struct table_field {
    const char *name, *path; /* path NULL: the name */
    struct cep_type type;
    uint8_t metadata, not_null;
};
struct table_spec {
    const struct table_field *fields;
    uint32_t count;
    const char *const *options; /* key, value, ..., NULL */
    int rowtime;                /* field, -1: none */
    uint32_t keys;              /* the first so many fields are the primary key: records are changes of rows then */
};

/* NULL if the builder refuses. Schema 0 has the columns of table 0. */
static inline struct cep_program *table_program(const struct table_spec *spec)
{
    struct cep_builder *b = cep_builder_create();
    struct cep_table table = { .name = cep_builder_text(b, BASE_STR("t")), .rowtime_field = spec->rowtime < 0 ? CEP_NONE : (uint32_t)spec->rowtime,
                               .declared_columns = spec->count };
    struct cep_schema schema = { .rowtime = table.rowtime_field };
    uint32_t keys[64];
    for (uint32_t i = 0; spec->options && spec->options[2 * i]; i++) {
        struct cep_option option = { cep_builder_text(b, base_str_of(spec->options[2 * i])), cep_builder_text(b, base_str_of(spec->options[2 * i + 1])) };
        uint32_t at = cep_builder_add(b, CEP_SEC_OPTIONS, &option, 1);
        table.options.first = i == 0 ? at : table.options.first;
        table.options.count++;
    }
    for (uint32_t f = 0; f < spec->count; f++) {
        const struct table_field *from = &spec->fields[f];
        struct cep_field field = { .name = cep_builder_text(b, base_str_of(from->name)),
                                   .path = cep_builder_text(b, base_str_of(from->path ? from->path : from->name)),
                                   .type = from->type, .ordinal = f, .metadata = from->metadata, .not_null = from->not_null };
        struct cep_column column = { field.name, field.type };
        uint32_t at = cep_builder_add(b, CEP_SEC_FIELDS, &field, 1), column_at = cep_builder_add(b, CEP_SEC_COLUMNS, &column, 1);
        table.fields.first = f == 0 ? at : table.fields.first;
        schema.columns.first = f == 0 ? column_at : schema.columns.first;
        keys[f] = f;
    }
    table.changes = spec->keys > 0;
    table.fields.count = schema.columns.count = spec->count;
    table.key_fields = cep_builder_u32s(b, keys, spec->keys);
    (void)cep_builder_add(b, CEP_SEC_TABLES, &table, 1);
    (void)cep_builder_add(b, CEP_SEC_SCHEMAS, &schema, 1);
    struct cep_program *program = NULL;
    if (cep_builder_finish(b, &program) < 0)
        program = NULL;
    cep_builder_destroy(b);
    return program;
}

/* What a decoder said last. */
struct table_said {
    int problems, ignored;
    struct formats_problem last;
};
static inline void table_note(void *ctx, const struct cep_record *record BASE_UNUSED, const struct formats_problem *problem)
{
    struct table_said *said = ctx;
    said->problems += !problem->ignored;
    said->ignored += problem->ignored;
    said->last = *problem;
}

/* The row as JSON; "-" if there is none. Static text. */
static inline const char *table_row(const struct cep_program *program, const struct cep_row *row)
{
    static char text[1 << 16];
    struct base_buf out = { 0 };
    bool cut = false;
    if (!row)
        return "-";
    struct formats_object object = { .program = program, .columns = cep_program_schema(program, 0)->columns, .tuple = &row->tuple };
    formats_encode_object(&object, &out, &cut);
    snprintf(text, sizeof text, "%s", out.ptr);
    base_buf_finish(&out);
    return text;
}

/* Decodes one text: the row as JSON, or "CODE: reason", or "ignored"; "config: ..." if there is no decoder. Static text. */
static inline const char *table_decode(const struct table_spec *spec, struct base_str text)
{
    static char out[1 << 16];
    char error[256] = "";
    struct table_said said = { 0 };
    struct cep_program *program = table_program(spec);
    if (!program)
        return "no program";
    struct formats_decoder_config config = { program, 0, table_note, &said };
    struct formats_decoder *decoder = NULL;
    struct base_arena arena = { 0 };
    if (formats_decoder_create(&config, &decoder, error, sizeof error) < 0) {
        snprintf(out, sizeof out, "config: %s", error);
    } else {
        struct cep_origin origin = { .name = BASE_STR("topic") };
        struct cep_record record = { .bytes = text, .origin = &origin, .time_ms = 5, .offset = 7, .partition = 3, .key = BASE_STR("k") };
        struct cep_row *row = NULL;
        int r = formats_decode(decoder, &record, 1, &arena, &row);
        if (r < 0)
            snprintf(out, sizeof out, "failed: %s", base_error_name(r));
        else if (row)
            snprintf(out, sizeof out, "%s", table_row(program, row));
        else if (said.problems)
            snprintf(out, sizeof out, "%s: %s", base_error_name(said.last.code), said.last.reason);
        else
            snprintf(out, sizeof out, "%s", said.ignored ? "ignored" : "-");
    }
    formats_decoder_destroy(decoder);
    base_arena_finish(&arena);
    cep_program_free(program);
    return out;
}

#endif
