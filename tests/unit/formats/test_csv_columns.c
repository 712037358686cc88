/* CSV read in blocks, straight into columns, against the same lines read record by record. */
#include "cep/columns.h"
#include "formats/format.h"

#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

static const struct table_field fields[] = { { .name = "id", .type = CEP_TYPE(INT) }, { .name = "big", .type = CEP_TYPE(BIGINT) }, { .name = "name", .type = CEP_TYPE(STRING) },
                                             { .name = "amount", .type = CEP_DECIMAL_TYPE(12, 2) }, { .name = "wide", .type = CEP_DECIMAL_TYPE(30, 2) },
                                             { .name = "ratio", .type = CEP_TYPE(DOUBLE) }, { .name = "day", .type = CEP_TYPE(DATE) } };
#define FIELDS 7u

struct both {
    struct cep_program *program;
    struct formats_decoder *decoder;
    struct cep_columns columns;
    struct base_arena arena, rows;
    struct cep_origin origin;
};

static bool open_both(struct both *both, const char *const *options, uint32_t count)
{
    struct table_spec spec = { fields, count, options, -1, 0 };
    struct cep_type types[FIELDS];
    char error[256];
    *both = (struct both){ .origin = { .name = BASE_STR("f.csv"), .head = BASE_STR("id,other,big,name,amount,wide,ratio,day"), .number = 1 } };
    both->program = table_program(&spec);
    struct formats_decoder_config config = { both->program, 0, NULL, NULL };
    for (uint32_t i = 0; i < count; i++)
        types[i] = fields[i].type;
    if (count == 2)
        both->origin.head = BASE_STR("id,big");
    return formats_decoder_create(&config, &both->decoder, error, sizeof error) == 0 && cep_columns_init(&both->columns, types, count, 0) == 0;
}

static void close_both(struct both *both)
{
    formats_decoder_destroy(both->decoder);
    cep_columns_finish(&both->columns);
    base_arena_finish(&both->arena);
    base_arena_finish(&both->rows);
    cep_program_free(both->program);
}

static struct cep_row *by_record(struct both *both, const char *text, size_t len, bool head)
{
    struct cep_record record = { .bytes = { text, len }, .origin = &both->origin, .time_ms = BASE_TIME_MIN_MS, .flags = head ? CEP_RECORD_HEAD : 0 };
    struct cep_row *row = NULL;
    return formats_decode(both->decoder, &record, 1, &both->rows, &row) == 0 ? row : NULL;
}

/* Are the lines that the block gave rows for the same rows? ret_taken: lines taken before the first that was left. */
static bool same_rows(struct both *both, const char *lines, uint32_t *ret_taken)
{
    size_t len = strlen(lines);
    char *text = base_arena_zalloc(&both->rows, len + CEP_RECORD_SLACK, 1);
    if (!text)
        return false;
    memcpy(text, lines, len);
    const struct formats_block block = { .bytes = base_str_of(text), .origin = &both->origin, .offset = 0 };
    size_t bytes = 0;
    uint32_t before = both->columns.rows;
    const char *at = text, *stop = text + len;
    (void)by_record(both, both->origin.head.ptr, both->origin.head.len, true);
    if (formats_block_decode(both->decoder, &block, &both->columns, &bytes, ret_taken) != 0 || both->columns.rows != before + *ret_taken)
        return false;
    for (uint32_t i = 0; i < *ret_taken; i++) {
        const char *end = memchr(at, '\n', (size_t)(stop - at)); /* not strchr: a sanitizer looks for the end of the whole text behind it */
        struct cep_row *made, *row = by_record(both, at, (size_t)(end - at), false);
        if (!row || cep_columns_row(&both->columns, before + i, &both->arena, &made) != 0 || !cep_tuple_equal(&made->tuple, &row->tuple)) {
            printf("# line %u: %.*s\n", i, (int)(end - at), at);
            return false;
        }
        at = end + 1;
    }
    return at == text + bytes;
}

static void test_lines(void)
{
    static const struct { const char *text; uint32_t taken; const char *what; } cases[] = {
        { "1,x,2,Ann,3.50,4.25,0.5,2026-01-02\n", 1, "a plain line" },
        { "-1,x,-9007199254740993,,-0.01,-12345678901234567890.12,-1e10,1969-12-31\n2,,3,b,1,2,3,2000-02-29\n", 2, "negative ones; lines" },
        { ",,,,,,,\n1,,,,,,,\n", 2, "empty cells" },
        { "007,x,00,z,01.5,1,1,2026-01-02\r\n2,x,3,t,1,2,3,2026-01-02\r\n", 2, "zeros in front, line ends of two bytes" },
        { "1,x,2,Zo\xc3\xab,1,1,1,2026-01-02,more,columns\n", 1, "UTF-8, more columns than are read" },
        { "1,x,2,a,1,1,1,2026-01-02\n2,x,2,\"a\",1,1,1,2026-01-02\n", 1, "quotes end it" },
        { "1,x,2,a,1,1,1,2026-01-02\n2,x,2,a\xff,1,1,1,2026-01-02\n", 1, "broken UTF-8 ends it" },
        { "12345678,x,1234567,a,1,1,1,2026-01-02\n-1234567,x,-12345678,b,1,1,1,2026-01-02\n9999999,x,99999999,c,1,1,1,2026-01-02\n", 3, "seven and eight digits" },
        { "2147483648,x,2,a,1,1,1,2026-01-02\n", 0, "out of range" },
        { "2147483647,x,1234567890123456789,a,1,1,1,2026-01-02\n", 0, "many digits are looked at one by one" },
        { "1,x,2,a,1,1,1,2026-01-02\n1.0,x,2,a,1,1,1,2026-01-02\n", 1, "no plain integer" },
        { "1,x,2,a,1,1,1\n", 0, "too few columns" },
        { "-,x,2,a,1,1,1,2026-01-02\n", 0, "a lone sign" },
        { "1,x,2,a,1,1,1,2026-02-30\n", 0, "no such day" },
        { "1,x,2,a,1,1,1,2026-01-02\n   \n2,x,2,a,1,1,1,2026-01-02\n", 1, "a line of blanks" },
        { "1,x,2,a,1,1,1,2026-01-02\n\n", 1, "an empty line" },
    };
    const char *options[] = { "format", "csv", NULL };
    struct both both;
    OK(open_both(&both, options, FIELDS) && formats_decoder_takes_blocks(both.decoder), "a table that can be read in blocks");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t taken = 0;
        bool same = same_rows(&both, cases[i].text, &taken);
        OK(same && taken == cases[i].taken, cases[i].what);
    }
    /* many rows: columns grow, NULLs among them */
    struct base_buf many = { 0 };
    for (int i = 0; i < 20000; i++)
        base_buf_printf(&many, i % 7 ? "%d,x,%d,n%d,%d,1,2,2026-01-02\n" : ",x,,n%d,,1,2,2026-01-02\n", i, i, i, i);
    uint32_t taken = 0;
    OK(same_rows(&both, many.ptr, &taken) && taken == 20000, "many lines");
    OK(both.columns.runs.len > 1 && cep_columns_position(&both.columns, both.columns.rows - 1).offset == 19999, "places of rows");
    base_buf_finish(&many);
    close_both(&both);
}

/* Nothing but integers has a way of its own. */
static void test_integers(void)
{
    static const struct { const char *text; uint32_t taken; const char *what; } cases[] = {
        { "1,2\n-3,-4\n0,00\n", 3, "integers" },
        { "1,2\n12345678,2\n3,123456789012\n4,-99999999\n", 4, "long ones among them" },
        { "1,2\n,2\n3,\n,\n4,4\n", 5, "NULLs among them" },
        { "1,2\r\n3,4\n5,6,7\n8,9\n", 4, "line ends of two bytes, a column more" },
        { "1,2\n2147483648,2\n", 1, "out of range" },
        { "1,2\n3\n", 1, "too few columns" },
        { "1,2\n3,x\n", 1, "no number" },
        { "1,2\n3,4 \n", 1, "a blank" },
        { "1234567,2\n12345678,99999999\n-9999999,-1\n3,-\n", 3, "up to eight digits, a lone sign" },
        { "1,2\n3,4\n5,6\n7,\xb1\xb2\n", 3, "no UTF-8, no digits" },
        { "1,2\n3,4\n5,6\n7,/\n", 3, "what stands before the digits" },
        { "1,2\n3,4\n5,6\n7,:\n", 3, "what stands behind the digits" },
        { "1,2\n3,4\n5,6\n7,\"8\"\n9,9\n", 3, "quotes" },
        { "1,2\n3,4\n5,6\n7,8,\"more\n\"\n", 3, "quotes in a column that nobody reads" },
    };
    const char *options[] = { "format", "csv", NULL };
    struct both both;
    OK(open_both(&both, options, 2), "a table of integers");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t taken = 0;
        bool same = same_rows(&both, cases[i].text, &taken);
        OK(same && taken == cases[i].taken, cases[i].what);
    }
    struct base_buf many = { 0 };
    for (int i = 0; i < 150000; i++)
        base_buf_printf(&many, "%d,%d\n", i % 3 ? i * 7919 : -i, i);
    uint32_t taken = 0;
    OK(same_rows(&both, many.ptr, &taken) && taken == 150000, "many lines of integers");
    base_buf_finish(&many);
    close_both(&both);
}

static void test_refused(void)
{
    static const char *const refused[][2] = { { "csv.null-literal", "-" }, { "csv.escape-character", "\\" }, { "csv.allow-comments", "true" }, { "csv.field-delimiter", "x" } };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *options[] = { "format", "csv", refused[i][0], refused[i][1], NULL };
        struct both both;
        OK(open_both(&both, options, FIELDS) && !formats_decoder_takes_blocks(both.decoder), refused[i][0]);
        close_both(&both);
    }
    static const char *const never[] = { "json.strict", "json.fail-on-missing-field" };
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        const char *options[] = { "format", "json", never[i], "true", NULL };
        struct both both;
        OK(open_both(&both, options, FIELDS) && !formats_decoder_takes_blocks(both.decoder), never[i]);
        close_both(&both);
    }
}

int main(void)
{
    test_lines();
    test_integers();
    test_refused();
    return tap_done();
}
