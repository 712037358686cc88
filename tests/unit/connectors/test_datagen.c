#include "connectors/source.h"

#include "connectors/pacing.h"
#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

static const struct table_field fields[] = { { .name = "id", .type = CEP_TYPE(BIGINT) }, { .name = "n", .type = CEP_TYPE(INT) }, { .name = "amount", .type = CEP_DECIMAL_TYPE(10, 2) },
                                             { .name = "who", .type = CEP_TYPE(STRING) }, { .name = "country", .type = CEP_TYPE(STRING) },
                                             { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) }, { .name = "d", .type = CEP_TYPE(DOUBLE) }, { .name = "b", .type = CEP_TYPE(BOOLEAN) } };
static const char *const options[] = { "connector", "datagen", "number-of-rows", "2000", "rows-per-second", "0", "seed", "7", "fields.id.kind", "sequence", "fields.id.start", "100",
                                       "fields.n.min", "-5", "fields.n.max", "5", "fields.amount.min", "1.50", "fields.amount.max", "2", "fields.who.length", "4",
                                       "fields.country.values", "US|DE|FR", "fields.country.null-rate", "0.5", "fields.ts.step", "10", NULL };

struct totals {
    int rows, outside, nulls, minus, plus;
    uint64_t hash;
};

/* Decodes all rows from an offset on. */
static struct totals run(uint32_t columns, int64_t from)
{
    struct table_spec spec = { fields, columns, options, -1, 0 };
    struct cep_program *program = table_program(&spec);
    struct connectors_source_config config = { program, cep_program_table(program, 0), NULL };
    struct connectors_source *source = NULL;
    struct formats_decoder *decoder = NULL;
    struct table_said said = { 0 };
    struct formats_decoder_config decoder_config = { program, 0, table_note, &said };
    struct base_arena arena = { 0 };
    struct totals totals = { 0 };
    char error[256] = "";
    bool open = connectors_source_open(&config, &source, error, sizeof error) == 0 && formats_decoder_create(&decoder_config, &decoder, error, sizeof error) == 0;
    if (!OK(open, "open"))
        printf("# %s\n", error);
    struct connectors_position start = { .offset = from };
    struct connectors_batch batch = { 0 };
    OK(open && source->bounded && connectors_source_seek(source, &start) == 0, "bounded; seek");
    static struct cep_row *rows[4096];
    while (open && !batch.finished && connectors_source_poll(source, 700, 0, &batch) == 0 && formats_decode(decoder, batch.records, batch.count, &arena, rows) == 0) {
        for (size_t i = 0; i < batch.count; i++) {
            int64_t at = batch.records[i].offset;
            if (!rows[i])
                continue;
            totals.rows++;
            struct cep_value id = cep_tuple_get(&rows[i]->tuple, 0, fields[0].type), n = cep_tuple_get(&rows[i]->tuple, 1, fields[1].type);
            totals.outside += id.i != 100 + at || n.i < -5 || n.i > 5;
            totals.minus += n.i == -5;
            totals.plus += n.i == 5;
            totals.hash = totals.hash * 31 + (uint64_t)n.i;
            if (columns < 8)
                continue;
            struct cep_value amount = cep_tuple_get(&rows[i]->tuple, 2, fields[2].type), who = cep_tuple_get(&rows[i]->tuple, 3, fields[3].type);
            struct cep_value country = cep_tuple_get(&rows[i]->tuple, 4, fields[4].type), ts = cep_tuple_get(&rows[i]->tuple, 5, fields[5].type);
            totals.outside += amount.null || cep_dec_get(amount) < 150 || cep_dec_get(amount) > 200 || who.s.len != 4 || ts.i != 1767225600000 + at * 10;
            totals.nulls += country.null;
        }
        base_arena_reset(&arena);
    }
    IS_INT(said.problems, 0, "each row decodes");
    formats_decoder_destroy(decoder);
    connectors_source_close(source);
    base_arena_finish(&arena);
    cep_program_free(program);
    return totals;
}

static void test_rows(void)
{
    struct totals all = run(8, 0), again = run(8, 0), two = run(2, 0), tail = run(8, 1500);
    IS_INT(all.rows, 2000, "as many as asked for");
    IS_INT(all.outside, 0, "within their bounds");
    OK(all.nulls > 900 && all.nulls < 1100, "half of the countries are NULL");
    OK(all.minus > 100 && all.plus > 100, "both ends are reached");
    OK(all.hash == again.hash, "the same seed, the same rows");
    OK(all.hash == two.hash, "whichever columns are read");
    IS_INT(tail.rows, 500, "from an offset on");
    IS_INT(tail.outside, 0, "with the same rows");
}

static void test_refused(void)
{
    static const char *const bad[][5] = { { "connector", "datagen", "fields.n.min", "x", NULL }, { "connector", "datagen", "fields.n.kind", "magic", NULL },
                                          { "connector", "datagen", "number-of-rows", "-1", NULL }, { "connector", "datagen", "fields.n.max", "-3000000000", NULL } };
    for (size_t i = 0; i < 4; i++) {
        struct table_spec spec = { fields, 8, bad[i], -1, 0 };
        struct cep_program *program = table_program(&spec);
        struct connectors_source_config config = { program, cep_program_table(program, 0), NULL };
        struct connectors_source *source;
        char error[256] = "";
        OK(connectors_source_open(&config, &source, error, sizeof error) == BASE_E_CONFIG && strstr(error, bad[i][2]), "a bad option is named");
        cep_program_free(program);
    }
}

static void test_pacing(void)
{
    double speed;
    OK(connectors_pacing_parse(BASE_STR("60x"), &speed) && speed == 60, "60x");
    OK(connectors_pacing_parse(BASE_STR(" 0.5 "), &speed) && speed == 0.5, "0.5");
    OK(!connectors_pacing_parse(BASE_STR("fast"), &speed) && !connectors_pacing_parse(BASE_STR("-1"), &speed), "no speeds");
    struct connectors_pacing pacing = { .speed = 60 };
    IS_INT(connectors_pacing_delay_ms(&pacing, 1000000, 5000000), 0, "the first event starts the clock");
    IS_INT(connectors_pacing_delay_ms(&pacing, 1060000, 5000000), 1000, "a minute later is a second away");
    IS_INT(connectors_pacing_delay_ms(&pacing, 1060000, 5400000), 600, "less what has passed");
    IS_INT(connectors_pacing_delay_ms(&pacing, 1060000, 7000000), 0, "overdue");
    IS_INT(connectors_pacing_delay_ms(&pacing, 900000, 5000000), 0, "back in time");
    IS_INT(connectors_pacing_delay_ms(&pacing, BASE_TIME_MIN_MS, 5000000), 0, "without time");
    IS_INT(connectors_pacing_delay_ms(&pacing, INT64_MAX - 1, 5000000), 3600000, "the far future, an hour at a time");
    pacing = (struct connectors_pacing){ .speed = 0 };
    IS_INT(connectors_pacing_delay_ms(&pacing, 1060000, 5000000), 0, "no speed: at once");
}

int main(void)
{
    test_rows();
    test_refused();
    test_pacing();
    return tap_done();
}
