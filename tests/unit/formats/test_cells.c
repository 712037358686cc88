/* Rows as named texts: every kind there and back, keys that tell rows apart, and bytes that are damaged. */
#include "formats/cells.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

static const struct table_field fields[] = {
    { "id", NULL, { .kind = CEP_KIND_STRING }, 0, 0 },
    { "n", NULL, { .kind = CEP_KIND_BIGINT }, 0, 0 },
    { "money", NULL, { .kind = CEP_KIND_DECIMAL, .precision = 12, .scale = 2 }, 0, 0 },
    { "share", NULL, { .kind = CEP_KIND_DOUBLE }, 0, 0 },
    { "good", NULL, { .kind = CEP_KIND_BOOLEAN }, 0, 0 },
    { "at", NULL, { .kind = CEP_KIND_TIMESTAMP_LTZ }, 0, 0 },
    { "civil", NULL, { .kind = CEP_KIND_TIMESTAMP }, 0, 0 },
    { "day", NULL, { .kind = CEP_KIND_DATE }, 0, 0 },
    { "list", NULL, { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_BIGINT }, 0, 0 },
    { "nothing", NULL, { .kind = CEP_KIND_STRING }, 0, 0 },
};
#define COUNT (uint32_t)(sizeof fields / sizeof fields[0])
static const char row_text[] = "{\"id\":\"a \\\"b\\\"\",\"n\":-9007199254740993,\"money\":10.50,\"share\":0.1,\"good\":true,\"at\":\"2026-01-01T00:00:00.5Z\","
                               "\"civil\":\"2026-01-01 10:00:00\",\"day\":\"2026-02-03\",\"list\":[1,2]}";

static struct cep_row *decode(const struct cep_program *program, struct base_arena *arena, const char *text)
{
    struct formats_decoder *decoder = NULL;
    struct formats_decoder_config config = { .program = program, .table = 0 };
    struct cep_record record = { .bytes = base_str_of(text), .time_ms = BASE_TIME_MIN_MS };
    struct cep_row *row = NULL;
    char why[256];
    if (formats_decoder_create(&config, &decoder, why, sizeof why) < 0 || formats_decode(decoder, &record, 1, arena, &row) < 0 || !row)
        abort();
    formats_decoder_destroy(decoder);
    return row;
}

static void test_kinds(const struct formats_cells *cells, const struct cep_row *row)
{
    static const struct { enum formats_cell_kind kind; const char *text; } want[] = {
        { FORMATS_CELL_TEXT, "a \"b\"" },                { FORMATS_CELL_NUMBER, "-9007199254740993" }, { FORMATS_CELL_NUMBER, "10.50" },
        { FORMATS_CELL_NUMBER, "0.1" },                  { FORMATS_CELL_BOOL, "true" },                { FORMATS_CELL_TIME, "2026-01-01T00:00:00.500Z" },
        { FORMATS_CELL_TIME, "2026-01-01T10:00:00.000" }, { FORMATS_CELL_TIME, "2026-02-03" },          { FORMATS_CELL_JSON, "[1,2]" },
        { FORMATS_CELL_NULL, "" },
    };
    struct base_buf bytes = { 0 };
    formats_cells_put(cells, row, &bytes);
    struct base_reader in = base_reader_of(bytes.ptr, bytes.len);
    uint32_t count = 0;
    IS_INT(formats_cells_open(&in, &count), 0, "opened");
    IS_INT(count, COUNT, "all columns");
    for (uint32_t i = 0; i < count; i++) {
        struct formats_cell cell = { 0 };
        char text[64];
        IS_INT(formats_cells_next(&in, &cell), 0, fields[i].name);
        snprintf(text, sizeof text, "%.*s", (int)cell.text.len, cell.text.ptr ? cell.text.ptr : "");
        IS_STR(text, want[i].text, "its text");
        OK(cell.kind == want[i].kind && cell.key == (i < 2) && base_str_equal(cell.name, base_str_of(fields[i].name)), "its kind, key and name");
    }
    uint32_t good = 0;
    for (size_t len = 0; len < bytes.len; len++) { /* cut off anywhere: told, never read beyond */
        char *copy = base_strndup(bytes.ptr, len);
        in = base_reader_of(copy, len);
        int e = formats_cells_open(&in, &count);
        for (uint32_t i = 0; e == 0 && i < count; i++) {
            struct formats_cell cell;
            e = formats_cells_next(&in, &cell);
        }
        good += e == 0;
        base_free(copy);
    }
    IS_INT(good, 0, "no beginning of it passes for the whole");
    base_buf_finish(&bytes);
}

static void test_keys(const struct formats_cells *cells, const struct cep_program *program, struct base_arena *arena)
{
    static const char *const texts[] = { "{\"id\":\"a\",\"n\":1}", "{\"id\":\"a\",\"n\":1,\"money\":5}", "{\"id\":\"a1\",\"n\":null}", "{\"id\":\"a\",\"n\":11}", "{\"id\":null,\"n\":1}",
                                         "{\"id\":\"\",\"n\":1}" };
    struct base_buf keys[6] = { { 0 } };
    uint32_t same = 0;
    for (size_t i = 0; i < 6; i++)
        OK(formats_cells_key(cells, decode(program, arena, texts[i]), &keys[i]), "a key");
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = i + 1; k < 6; k++)
            same += base_str_equal((struct base_str){ keys[i].ptr, keys[i].len }, (struct base_str){ keys[k].ptr, keys[k].len });
    }
    IS_INT(same, 1, "only the first two are one key");
    for (size_t i = 0; i < 6; i++)
        base_buf_finish(&keys[i]);
}

int main(void)
{
    static const char *const options[] = { "connector", "filesystem", "format", "json", NULL, NULL };
    struct table_spec spec = { fields, COUNT, options, -1, 2 };
    struct cep_program *program = table_program(&spec);
    struct base_arena arena = { 0 };
    struct formats_cells *cells = NULL;
    if (!program || formats_cells_create(program, 0, 0, &cells) < 0)
        abort();
    test_kinds(cells, decode(program, &arena, row_text));
    test_keys(cells, program, &arena);
    for (uint64_t nth = 1; nth < 4; nth++) {
        struct formats_cells *other = NULL;
        base_alloc_fail_at(nth, false);
        int e = formats_cells_create(program, 0, 0, &other);
        bool fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        OK(fired ? e == BASE_E_NOMEM && !other : e == 0, "without memory it says so");
        formats_cells_destroy(other);
    }
    formats_cells_destroy(cells);
    cep_program_free(program);
    base_arena_finish(&arena);
    return tap_done();
}
