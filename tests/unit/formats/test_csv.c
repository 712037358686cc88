#include "formats/format.h"

#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

#define STRING CEP_TYPE(STRING)

static const struct table_field fields[] = { { .name = "id", .type = CEP_TYPE(INT) }, { .name = "name", .type = STRING }, { .name = "amount", .type = CEP_DECIMAL_TYPE(12, 2) },
                                             { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) } };

static const char *row_of(const char *key, const char *value, const char *text)
{
    const char *options[] = { "format", "csv", key, value, NULL };
    struct table_spec spec = { fields, 4, options, -1, 0 };
    return table_decode(&spec, base_str_of(text));
}

static void test_cells(void)
{
    const char *full = "{\"id\":1,\"name\":\"Ann\",\"amount\":12.50,\"ts\":\"2026-01-01T00:00:00.000Z\"}";
    IS_STR(row_of(NULL, NULL, "1,Ann,12.5,2026-01-01 00:00:00"), full, "plain cells");
    IS_STR(row_of(NULL, NULL, "\"1\",\"Ann\",\"12.5\",\"2026-01-01T00:00:00Z\"\r\n"), full, "quoted cells");
    IS_STR(row_of(NULL, NULL, "1,Ann,12.5,2026-01-01 00:00:00,more,columns"), full, "more columns than are read");
    IS_STR(row_of(NULL, NULL, "1,\"A,\"\"n\"\"\nn\",,"), "{\"id\":1,\"name\":\"A,\\\"n\\\"\\nn\",\"amount\":null,\"ts\":null}", "quotes, delimiters, line ends in a cell");
    IS_STR(row_of(NULL, NULL, ",,,"), "{\"id\":null,\"name\":\"\",\"amount\":null,\"ts\":null}", "empty is NULL but for STRING");
    IS_STR(row_of("csv.null-literal", "N/A", "N/A,N/A,N/A,N/A"), "{\"id\":null,\"name\":null,\"amount\":null,\"ts\":null}", "the null literal");
    IS_STR(row_of("csv.null-literal", "N/A", "1,\"N/A\",2,"), "{\"id\":1,\"name\":\"N/A\",\"amount\":2.00,\"ts\":null}", "quoted it is a text");
    IS_STR(row_of("csv.field-delimiter", ";", "1;Ann;12.5;2026-01-01 00:00:00"), full, "another delimiter");
    IS_STR(row_of("csv.field-delimiter", "\\t", "1\tAnn\t12.5\t2026-01-01 00:00:00"), full, "a tab");
    IS_STR(row_of("csv.quote-character", "'", "1,'Ann',12.5,2026-01-01 00:00:00"), full, "another quote");
    IS_STR(row_of("csv.disable-quote-character", "true", "1,\"Ann,2,"), "{\"id\":1,\"name\":\"\\\"Ann\",\"amount\":2.00,\"ts\":null}", "no quotes");
    IS_STR(row_of("csv.escape-character", "\\", "1,\"A\\\"n\\\\n\",2,"), "{\"id\":1,\"name\":\"A\\\"n\\\\n\",\"amount\":2.00,\"ts\":null}", "escapes");
    IS_STR(row_of(NULL, NULL, "1,5\" pipe,2,"), "{\"id\":1,\"name\":\"5\\\" pipe\",\"amount\":2.00,\"ts\":null}", "a quote inside an unquoted cell is a character");
    IS_STR(row_of("csv.allow-comments", "true", "# a comment"), "-", "a comment");
}

static void test_errors(void)
{
    IS_STR(row_of(NULL, NULL, "x,Ann,1,"), "MALFORMED: column \"id\": expected INT, found x", "no number");
    IS_STR(row_of(NULL, NULL, "1,Ann"), "MALFORMED: CSV: the row has 2 columns, but column \"ts\" is number 4", "too few columns");
    IS_STR(row_of(NULL, NULL, "1,\"Ann,2,"), "MALFORMED: CSV: the quote in column 2 is not closed, or text stands behind it", "open quote");
    IS_STR(row_of(NULL, NULL, "1,\"Ann\"x,2,"), "MALFORMED: CSV: the quote in column 2 is not closed, or text stands behind it", "text behind a quote");
    IS_STR(row_of(NULL, NULL, "1,A\xff,2,"), "UTF8: broken UTF-8 at byte 3", "broken UTF-8");
    IS_STR(row_of("csv.ignore-parse-errors", "true", "x,Ann,1,"), "{\"id\":null,\"name\":\"Ann\",\"amount\":1.00,\"ts\":null}", "ignored in a cell");
    IS_STR(row_of("csv.ignore-parse-errors", "true", "x"), "ignored", "ignored in a row");
    IS_STR(row_of("csv.field-delimiter", "::", "1"), "config: option 'csv.field-delimiter' must be one ASCII character, not '::'", "bad delimiter");
    IS_STR(row_of("csv.header", "perhaps", "1"), "config: option 'csv.header' must be 'auto', 'true' or 'false', not 'perhaps'", "bad header option");
}

/* A file of three records with the given head. Rows parted by blanks. */
static const char *file_rows(const char *header, const char *head)
{
    static char out[4096];
    const char *options[] = { "format", "csv", "csv.header", header, NULL };
    struct table_spec spec = { fields, 3, options, -1, 0 };
    struct cep_program *program = table_program(&spec);
    struct table_said said = { 0 };
    struct formats_decoder_config config = { program, 0, table_note, &said };
    struct formats_decoder *decoder = NULL;
    struct base_arena arena = { 0 };
    char error[256];
    out[0] = 0;
    if (formats_decoder_create(&config, &decoder, error, sizeof error) == 0) {
        struct cep_origin origin = { .name = BASE_STR("f.csv"), .head = base_str_of(head), .number = 1 };
        struct cep_record records[] = { { .bytes = origin.head, .origin = &origin, .flags = CEP_RECORD_HEAD }, { .bytes = BASE_STR("1,2,3"), .origin = &origin },
                                        { .bytes = BASE_STR("4,5,6"), .origin = &origin } };
        struct cep_row *rows[3];
        if (formats_decode(decoder, records, 3, &arena, rows) == 0) {
            for (int i = 0; i < 3; i++) {
                strncat(out, table_row(program, rows[i]), sizeof out - strlen(out) - 1);
                strncat(out, i < 2 ? " " : "", sizeof out - strlen(out) - 1);
            }
        }
        if (said.problems)
            snprintf(out, sizeof out, "%d problems: %s", said.problems, said.last.reason);
    }
    formats_decoder_destroy(decoder);
    base_arena_finish(&arena);
    cep_program_free(program);
    return out;
}

static void test_header(void)
{
    IS_STR(file_rows("auto", "amount,ID,\"name\""), "- {\"id\":2,\"name\":\"3\",\"amount\":1.00} {\"id\":5,\"name\":\"6\",\"amount\":4.00}", "a header names the columns");
    IS_STR(file_rows("auto", "7,8,9"), "{\"id\":7,\"name\":\"8\",\"amount\":9.00} {\"id\":1,\"name\":\"2\",\"amount\":3.00} {\"id\":4,\"name\":\"5\",\"amount\":6.00}", "no header: by order");
    IS_STR(file_rows("false", "7,name,9"), "{\"id\":7,\"name\":\"name\",\"amount\":9.00} {\"id\":1,\"name\":\"2\",\"amount\":3.00} {\"id\":4,\"name\":\"5\",\"amount\":6.00}", "header switched off");
    IS_STR(file_rows("auto", "id,name,sum"), "2 problems: the CSV header has no column \"amount\"", "a column that is not there");
    IS_STR(file_rows("true", "x,y,z"), "2 problems: the CSV header has no column \"id\"", "a header by decree");
}

static void test_arrays(void)
{
    struct table_field list = { .name = "l", .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_INT } };
    const char *options[] = { "format", "csv", NULL };
    struct table_spec spec = { &list, 1, options, -1, 0 };
    IS_STR(table_decode(&spec, BASE_STR("1;2;3")), "{\"l\":[1,2,3]}", "an array");
    IS_STR(table_decode(&spec, BASE_STR("1;x")), "MALFORMED: column \"l\": expected ARRAY<INT>, found 1;x", "a bad element");
}

int main(void)
{
    test_cells();
    test_errors();
    test_header();
    test_arrays();
    return tap_done();
}
