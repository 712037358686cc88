/* Lines read in blocks, straight into columns, against the same lines read record by record. What a block leaves is taken as a record, as
 * service/local_columns.c does. Include in one .c per test. */
#ifndef TESTS_FORMATS_WAYS_H
#define TESTS_FORMATS_WAYS_H

#include "cep/columns.h"
#include "formats/format.h"
#include "tests/unit/formats/table.h"

static const struct table_field fields[] = {
    { .name = "id", .type = CEP_TYPE(STRING) },
    { .name = "n", .type = CEP_TYPE(INT) },
    { .name = "amount", .type = CEP_DECIMAL_TYPE(12, 2) },
    { .name = "wide", .type = CEP_DECIMAL_TYPE(30, 2) },
    { .name = "ratio", .type = CEP_TYPE(DOUBLE) },
    { .name = "day", .type = CEP_TYPE(DATE) },
    { .name = "flag", .type = CEP_TYPE(BOOLEAN) },
    { .name = "again", .path = "id", .type = CEP_TYPE(STRING) },
    { .name = "absent", .type = CEP_TYPE(BIGINT) },
    { .name = "at", .type = CEP_TYPE(TIMESTAMP_LTZ) },
    { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) },
};
#define FIELDS 11u
#define TS 10

struct side {
    struct formats_decoder *decoder;
    struct table_said said;
};
struct both {
    struct cep_program *program;
    struct side block, record;
    struct cep_columns columns;
    struct base_arena rows, made;
    struct cep_origin origin;
    uint32_t by_block;   /* rows that came so */
    uint32_t compared;
};

static bool open_side(struct both *both, struct side *side)
{
    char error[256];
    struct formats_decoder_config config = { both->program, 0, table_note, &side->said };
    return formats_decoder_create(&config, &side->decoder, error, sizeof error) == 0;
}

static bool open_both(struct both *both, const struct table_spec *spec, const char *head)
{
    struct cep_type types[FIELDS];
    *both = (struct both){ .origin = { .name = BASE_STR("f"), .number = 1 } };
    both->program = table_program(spec);
    for (uint32_t i = 0; i < spec->count; i++)
        types[i] = spec->fields[i].type;
    if (head)
        both->origin.head = base_str_of(head);
    bool good = open_side(both, &both->block) && open_side(both, &both->record) && cep_columns_init(&both->columns, types, spec->count, 0) == 0;
    if (spec->rowtime >= 0)
        cep_columns_set_timed(&both->columns);
    return good && formats_decoder_takes_blocks(both->block.decoder);
}

static void close_both(struct both *both)
{
    formats_decoder_destroy(both->block.decoder);
    formats_decoder_destroy(both->record.decoder);
    cep_columns_finish(&both->columns);
    base_arena_finish(&both->rows);
    base_arena_finish(&both->made);
    cep_program_free(both->program);
}

/* The line at `at` by itself, without its line end and a '\r' before it. */
static struct cep_row *by_record(struct both *both, struct side *side, struct base_str line, int64_t offset, bool head)
{
    struct cep_row *row = NULL;
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    struct cep_record record = { .bytes = line, .origin = &both->origin, .time_ms = BASE_TIME_MIN_MS, .offset = offset,
                                 .flags = (uint16_t)(CEP_RECORD_PADDED | (head ? CEP_RECORD_HEAD : 0)) };
    return formats_decode(side->decoder, &record, 1, &both->rows, &row) == 0 ? row : NULL;
}

static bool is_blank(struct base_str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r')
            return false;
    return true;
}

/* One line as a record, into the columns if it gives a row. */
static bool put_line(struct both *both, struct base_str line, int64_t offset)
{
    struct cep_row *row = by_record(both, &both->block, line, offset, offset == 0);
    if (!row)
        return true;
    for (uint32_t c = 0; c < both->columns.count; c++)
        both->columns.values[c] = cep_tuple_get(&row->tuple, c, both->columns.types[c]);
    return cep_columns_place(&both->columns, 0, offset) == 0 && cep_columns_add(&both->columns, row->time_ms, both->columns.values) == 0;
}

static struct base_str line_at(const char *at, const char *stop)
{
    const char *end = memchr(at, '\n', (size_t)(stop - at));
    return (struct base_str){ at, (size_t)((end ? end : stop) - at) };
}

/* The text into columns, in blocks that end behind the last line end before each multiple of `every` bytes. */
static bool read_blocks(struct both *both, const char *text, size_t len, size_t every)
{
    const char *at = text, *stop = text + len;
    int64_t offset = 0;
    while (at < stop) {
        struct base_str line = line_at(at, stop);
        const char *edge = text + ((size_t)(at - text) / every + 1) * every;
        edge = edge > stop ? stop : edge;
        while (edge > at && edge[-1] != '\n')
            edge--;
        size_t bytes = 0;
        uint32_t records = 0;
        const struct formats_block block = { .bytes = { at, (size_t)(edge - at) }, .origin = &both->origin, .offset = offset };
        if (edge > at && offset > 0 && formats_block_decode(both->block.decoder, &block, &both->columns, &bytes, &records) != 0)
            return false;
        at += bytes;
        offset += records;
        both->by_block += records;
        if (bytes > 0)
            continue;
        if (!is_blank(line) && !put_line(both, line, offset++))
            return false;
        at = line.ptr + line.len + (line.ptr + line.len < stop);
    }
    return true;
}

/* Row by row the same, and the same number of bad records? */
static bool same_rows(struct both *both, const char *text, size_t len)
{
    const char *stop = text + len;
    uint32_t row = 0;
    int64_t offset = 0;
    for (const char *at = text; at < stop;) {
        struct base_str line = line_at(at, stop);
        at = line.ptr + line.len + 1;
        if (is_blank(line))
            continue;
        struct cep_row *made, *want = by_record(both, &both->record, line, offset, offset == 0);
        offset++;
        if (!want)
            continue;
        if (row == both->columns.rows || cep_columns_row(&both->columns, row, &both->made, &made) != 0 || !cep_tuple_equal(&made->tuple, &want->tuple) ||
            made->time_ms != want->time_ms || made->at.offset != want->at.offset) {
            printf("# row %u: %.*s\n", row, (int)line.len, line.ptr);
            return false;
        }
        row++;
        both->compared++;
    }
    return row == both->columns.rows && both->block.said.problems == both->record.said.problems && both->block.said.ignored == both->record.said.ignored;
}

/* head: first line of CSV, or NULL. every: blocks end before each multiple of so many bytes. */
static bool both_ways_same(const struct table_spec *spec, const char *head, const char *text, size_t len, size_t every, uint32_t *ret_by_block)
{
    struct both both;
    bool good = open_both(&both, spec, head);
    char *padded = base_arena_zalloc(&both.made, len + CEP_RECORD_SLACK, 1);
    if (padded && len)
        memcpy(padded, text, len);
    good = good && padded && read_blocks(&both, padded, len, every) && same_rows(&both, padded, len);
    *ret_by_block = both.by_block;
    close_both(&both);
    return good;
}

#endif
