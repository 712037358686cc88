/* CSV by RFC 4180: one record is one row, its end already found by the source. Cells map to fields by the header, if the file has one, else by the order
 * in which the table declares its columns. An empty cell is NULL for all types but STRING; a cell equal to 'csv.null-literal' is NULL for all. */
#include "formats/csv.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"

/* ---- options ---- */

/* One byte; "\t" and "tab" are accepted since a tab is hard to type. */
static int char_option(const struct formats_decoder *decoder, const char *key, char *inout, char *ret_error, size_t error_bytes)
{
    struct base_str text = formats_decoder_option(decoder, key);
    if (!text.ptr)
        return 0;
    if (base_str_equal(text, BASE_STR("\\t")) || base_str_equal_fold(text, BASE_STR("tab")))
        text = BASE_STR("\t");
    if (text.len != 1 || text.ptr[0] == '\n' || text.ptr[0] == '\r' || (unsigned char)text.ptr[0] > 0x7e) {
        snprintf(ret_error, error_bytes, "option '%s' must be one ASCII character, not '%.*s'", key, (int)text.len, text.ptr);
        return BASE_E_CONFIG;
    }
    *inout = text.ptr[0];
    return 0;
}

static int header_option(const struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    struct base_str text = formats_decoder_option(decoder, "csv.header");
    if (!text.ptr || base_str_equal_fold(text, BASE_STR("auto")))
        decoder->csv->header = CSV_HEADER_AUTO;
    else if (base_str_equal_fold(text, BASE_STR("true")))
        decoder->csv->header = CSV_HEADER_YES;
    else if (base_str_equal_fold(text, BASE_STR("false")))
        decoder->csv->header = CSV_HEADER_NO;
    else {
        snprintf(ret_error, error_bytes, "option 'csv.header' must be 'auto', 'true' or 'false', not '%.*s'", (int)text.len, text.ptr);
        return BASE_E_CONFIG;
    }
    return 0;
}

static int load_options(struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    struct formats_csv *csv = decoder->csv;
    bool no_quotes = false;
    int r = char_option(decoder, "csv.field-delimiter", &csv->delimiter, ret_error, error_bytes);
    if (r == 0)
        r = char_option(decoder, "csv.quote-character", &csv->quote, ret_error, error_bytes);
    if (r == 0)
        r = char_option(decoder, "csv.escape-character", &csv->escape, ret_error, error_bytes);
    if (r == 0)
        r = char_option(decoder, "csv.array-element-delimiter", &csv->array_delimiter, ret_error, error_bytes);
    if (r == 0)
        r = formats_decoder_flag(decoder, "csv.disable-quote-character", &no_quotes, ret_error, error_bytes);
    if (r == 0)
        r = formats_decoder_flag(decoder, "csv.allow-comments", &csv->allow_comments, ret_error, error_bytes);
    if (r == 0)
        r = formats_decoder_flag(decoder, "csv.ignore-parse-errors", &decoder->ignore_errors, ret_error, error_bytes);
    if (r == 0)
        r = header_option(decoder, ret_error, error_bytes);
    if (no_quotes)
        csv->quote = 0;
    csv->null_literal = formats_decoder_option(decoder, "csv.null-literal");
    struct base_str form = formats_decoder_option(decoder, "csv.timestamp-format");
    if (r == 0 && form.ptr && !formats_time_form_parse(form, &decoder->times.form)) {
        snprintf(ret_error, error_bytes, "option 'csv.timestamp-format' must be 'SQL', 'ISO-8601', 'epoch-s', 'epoch-ms', 'epoch-us' or 'auto'");
        r = BASE_E_CONFIG;
    }
    return r;
}

int formats_csv_create(struct formats_decoder *decoder, char *ret_error, size_t error_bytes)
{
    struct formats_csv *csv = decoder->csv = base_calloc(1, sizeof *csv);
    if (!csv)
        return BASE_E_NOMEM;
    csv->delimiter = ',';
    csv->quote = '"';
    csv->array_delimiter = ';';
    csv->missing = CEP_NONE;
    csv->same = base_calloc(decoder->field_count ? decoder->field_count : 1, sizeof *csv->same);
    if (!csv->same)
        return BASE_E_NOMEM;
    return load_options(decoder, ret_error, error_bytes);
}

void formats_csv_destroy(struct formats_csv *csv)
{
    if (!csv)
        return;
    base_free(csv->column_field);
    base_free(csv->same);
    base_buf_finish(&csv->packed);
    base_free(csv);
}

/* ---- cells ---- */

struct cell {
    struct base_str text;
    bool quoted;
};

/* Quoted cell: *inout_at stands behind the opening quote, then behind the closing one. Doubled and escaped quotes are resolved in the arena. */
static int quoted_cell(const struct formats_csv *csv, struct base_str line, size_t *inout_at, struct base_arena *arena, struct base_str *ret)
{
    size_t first = *inout_at, at = first;
    bool plain = true;
    for (; at < line.len; at++) {
        char c = line.ptr[at];
        if (csv->escape && c == csv->escape && c != csv->quote && at + 1 < line.len)
            at++;
        else if (c == csv->quote && at + 1 < line.len && line.ptr[at + 1] == csv->quote)
            at++;
        else if (c == csv->quote)
            break;
        else
            continue;
        plain = false;
    }
    if (at >= line.len)
        return BASE_E_MALFORMED;
    *inout_at = at + 1;
    *ret = (struct base_str){ line.ptr + first, at - first };
    if (plain)
        return 0;
    char *out = base_arena_alloc(arena, at - first + 1);
    if (!out)
        return BASE_E_NOMEM;
    size_t len = 0;
    for (size_t i = first; i < at; i++) {
        bool doubled = line.ptr[i] == csv->quote || (csv->escape && line.ptr[i] == csv->escape);
        i += doubled && i + 1 < at;
        out[len++] = line.ptr[i];
    }
    *ret = (struct base_str){ out, len };
    return 0;
}

/* Next cell; *inout_at stands behind its delimiter, or behind the line (len + 1) after the last. */
static int next_cell(const struct formats_csv *csv, struct base_str line, size_t *inout_at, struct base_arena *arena, struct cell *ret)
{
    size_t at = *inout_at;
    if (csv->quote && at < line.len && line.ptr[at] == csv->quote) {
        at++;
        int r = quoted_cell(csv, line, &at, arena, &ret->text);
        if (r < 0)
            return r;
        ret->quoted = true;
        if (at < line.len && line.ptr[at] != csv->delimiter)
            return BASE_E_MALFORMED;
        *inout_at = at + 1;
        return 0;
    }
    const char *end = at < line.len ? memchr(line.ptr + at, csv->delimiter, line.len - at) : NULL;
    size_t len = end ? (size_t)(end - line.ptr) - at : line.len - at;
    ret->text = (struct base_str){ line.ptr + at, len };
    ret->quoted = false;
    *inout_at = at + len + 1;
    return 0;
}

/* ---- columns ---- */

static bool map_column(struct formats_decoder *decoder, uint32_t column, uint32_t field)
{
    struct formats_csv *csv = decoder->csv;
    if (column >= csv->columns_cap) {
        uint32_t cap = column + 16;
        uint32_t *grown = base_realloc(csv->column_field, cap * sizeof *grown);
        if (!grown)
            return false;
        csv->column_field = grown;
        csv->columns_cap = cap;
    }
    for (; csv->columns <= column; csv->columns++)
        csv->column_field[csv->columns] = CEP_NONE;
    if (field != CEP_NONE) {
        csv->same[field] = csv->column_field[column];
        csv->column_field[column] = field;
        csv->needed = csv->needed > column + 1 ? csv->needed : column + 1;
    }
    return true;
}

static int map_by_ordinal(struct formats_decoder *decoder)
{
    for (uint32_t f = 0; f < decoder->field_count; f++) {
        if (!decoder->fields[f].metadata && !map_column(decoder, decoder->fields[f].ordinal, f))
            return BASE_E_NOMEM;
    }
    return 0;
}

static bool is_named(const struct formats_field *field, struct base_str name)
{
    return !field->metadata && base_str_equal_fold(field->path, name);
}

/* Maps by the names in head; *ret_found: how many fields were found. Of equal names the first counts. */
static int map_by_name(struct formats_decoder *decoder, struct base_str head, struct base_arena *arena, uint32_t *ret_found)
{
    struct formats_csv *csv = decoder->csv;
    bool *found = base_calloc(decoder->field_count + 1, sizeof *found);
    if (!found)
        return BASE_E_NOMEM;
    int r = 0;
    *ret_found = 0;
    uint32_t column = 0;
    for (size_t at = 0; at <= head.len && column < UINT16_MAX && r == 0; column++) {
        struct cell cell;
        r = next_cell(csv, head, &at, arena, &cell);
        if (r == 0 && !map_column(decoder, column, CEP_NONE))
            r = BASE_E_NOMEM;
        for (uint32_t f = 0; r == 0 && f < decoder->field_count; f++) {
            if (found[f] || !is_named(&decoder->fields[f], base_str_trim(cell.text)))
                continue;
            found[f] = true;
            ++*ret_found;
            if (!map_column(decoder, column, f))
                r = BASE_E_NOMEM;
        }
    }
    for (uint32_t f = decoder->field_count; f-- > 0;) {
        if (!found[f] && !decoder->fields[f].metadata)
            csv->missing = f;
    }
    base_free(found);
    return r == BASE_E_NOMEM ? r : 0;
}

static void clear_map(struct formats_csv *csv)
{
    csv->columns = csv->needed = 0;
    csv->missing = CEP_NONE;
    csv->has_header = false;
}

static struct base_str cut_line_end(struct base_str line)
{
    while (line.len && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    return line;
}

static int map_columns(struct formats_decoder *decoder, const struct cep_origin *origin, struct base_arena *arena)
{
    struct formats_csv *csv = decoder->csv;
    clear_map(csv);
    csv->mapped = true;
    csv->origin = origin ? origin->number : 0;
    if (csv->header != CSV_HEADER_NO && origin && origin->head.ptr) {
        uint32_t found;
        int r = map_by_name(decoder, cut_line_end(origin->head), arena, &found);
        if (r < 0)
            return r;
        csv->has_header = csv->header == CSV_HEADER_YES || found > 0;
        if (csv->has_header)
            return 0;
        clear_map(csv);
    }
    return map_by_ordinal(decoder);
}

/* ---- rows ---- */

static int array_cell(struct formats_decoder *decoder, struct cep_type type, struct base_str text, struct base_arena *arena, struct cep_value *ret)
{
    struct formats_csv *csv = decoder->csv;
    struct cep_type element = { .kind = type.element, .precision = type.element_precision, .scale = type.element_scale };
    uint32_t count = 0;
    base_buf_clear(&csv->packed);
    base_buf_put_u32(&csv->packed, 0);
    for (size_t at = 0; at <= text.len; count++) {
        const char *end = at < text.len ? memchr(text.ptr + at, csv->array_delimiter, text.len - at) : NULL;
        size_t len = end ? (size_t)(end - text.ptr) - at : text.len - at;
        struct cep_value value;
        int r = formats_text_value(&decoder->times, element, (struct base_str){ text.ptr + at, len }, arena, &value);
        if (r < 0)
            return r;
        formats_pack_element(&csv->packed, element, value);
        at += len + 1;
    }
    if (csv->packed.failed)
        return BASE_E_NOMEM;
    memcpy(csv->packed.ptr, &count, sizeof count);
    char *copy = base_arena_strndup(arena, csv->packed.ptr, csv->packed.len);
    if (!copy)
        return BASE_E_NOMEM;
    *ret = cep_string(copy, csv->packed.len);
    return 0;
}

static int cell_value(struct formats_decoder *decoder, uint32_t f, struct cell cell, struct base_arena *arena, struct cep_value *ret)
{
    const struct formats_csv *csv = decoder->csv;
    struct cep_type type = decoder->types[f];
    if (!cell.quoted && csv->null_literal.ptr && base_str_equal(cell.text, csv->null_literal))
        return 0;
    if (type.kind != CEP_KIND_STRING && base_str_trim(cell.text).len == 0)
        return 0;
    if (type.kind == CEP_KIND_ARRAY)
        return array_cell(decoder, type, cell.text, arena, ret);
    return formats_text_value(&decoder->times, type, cell.text, arena, ret);
}

static int take_cell(struct formats_decoder *decoder, const struct cep_record *record, uint32_t column, struct cell cell, struct base_arena *arena)
{
    const struct formats_csv *csv = decoder->csv;
    for (uint32_t f = csv->column_field[column]; f != CEP_NONE; f = csv->same[f]) {
        int r = cell_value(decoder, f, cell, arena, &decoder->values[f]);
        if (r == 0)
            continue;
        uint64_t at = (uint64_t)(cell.text.ptr - record->bytes.ptr);
        r = formats_problem_value(decoder, r, f, at < record->bytes.len ? at : 0, cell.text);
        if (r == BASE_E_NOMEM || !decoder->ignore_errors)
            return r;
        formats_problem_tell(decoder, record);
        decoder->values[f] = cep_null();
    }
    return 0;
}

static int take_cells(struct formats_decoder *decoder, const struct cep_record *record, struct base_str line, struct base_arena *arena)
{
    const struct formats_csv *csv = decoder->csv;
    uint32_t column = 0;
    for (size_t at = 0; at <= line.len && column < csv->needed; column++) {
        struct cell cell;
        size_t first = at;
        int r = next_cell(csv, line, &at, arena, &cell);
        if (r == BASE_E_NOMEM)
            return r;
        if (r < 0)
            return formats_problem_set(decoder, r, CEP_NONE, first, "CSV: the quote in column %u is not closed, or text stands behind it", column + 1);
        r = take_cell(decoder, record, column, cell, arena);
        if (r < 0)
            return r;
    }
    if (column >= csv->needed)
        return 0;
    uint32_t f = csv->column_field[csv->needed - 1];
    return formats_problem_set(decoder, BASE_E_MALFORMED, CEP_NONE, 0, "CSV: the row has %u columns, but column \"%.*s\" is number %u", column,
                               (int)decoder->fields[f].name.len, decoder->fields[f].name.ptr, csv->needed);
}

int formats_csv_decode(struct formats_decoder *decoder, const struct cep_record *record, struct base_arena *arena, struct cep_row **ret_row)
{
    struct formats_csv *csv = decoder->csv;
    if (!csv->mapped || (record->origin && record->origin->number != csv->origin)) {
        int r = map_columns(decoder, record->origin, arena);
        if (r < 0)
            return r;
    }
    struct base_str line = cut_line_end(record->bytes);
    if ((csv->has_header && (record->flags & CEP_RECORD_HEAD)) || (csv->allow_comments && line.len && line.ptr[0] == '#'))
        return 0;
    size_t good = base_utf8_check(line.ptr, line.len);
    if (good < line.len)
        return formats_problem_set(decoder, BASE_E_UTF8, CEP_NONE, good, "broken UTF-8 at byte %zu", good);
    if (csv->missing != CEP_NONE)
        return formats_problem_set(decoder, BASE_E_MALFORMED, csv->missing, 0, "the CSV header has no column \"%.*s\"",
                                   (int)decoder->fields[csv->missing].name.len, decoder->fields[csv->missing].name.ptr);
    formats_decoder_clear(decoder);
    int r = take_cells(decoder, record, line, arena);
    return r < 0 ? r : formats_decoder_finish_row(decoder, record, arena, ret_row);
}
