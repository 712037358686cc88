/* Files gone through key by key against the same files row by row: results and their order, rows that came too late, records that cannot be read; in one stretch and in several, and where
 * conditions turn out to see too many different things for it. */
#include "service/local.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "patterns/compile.h"
#include "tests/unit/rnd.h"
#include "tests/unit/tap.h"

#define ROWS 12000
static char folder[] = "/tmp/cepheid-test-local-XXXXXX";

#define TABLE(format) "CREATE TABLE t (u STRING, c STRING, v INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)" \
                      " WITH ('connector' = 'filesystem', 'path' = 'rows." format "', 'format' = '" format "');\n"
#define QUERY(skip, pattern, defines) \
    "SELECT u, c1, n FROM t MATCH_RECOGNIZE (PARTITION BY u ORDER BY ts MEASURES A.c AS c1, LAST(B.v) AS n ONE ROW PER MATCH AFTER MATCH SKIP " skip \
    " PATTERN (" pattern ") WITHIN INTERVAL '20' SECOND DEFINE " defines ");\n"
#define THREE "B AS B.c <> A.c, C AS C.c <> A.c AND C.c <> B.c"

static const struct { const char *name, *text; } rules[] = {
    { "three countries, JSON", TABLE("json") QUERY("PAST LAST ROW", "A -> B -> C", THREE) },
    { "three countries, CSV", TABLE("csv") QUERY("PAST LAST ROW", "A -> B -> C", THREE) },
    { "from each start", TABLE("json") QUERY("TO NEXT ROW", "A -> B -> C", THREE) },
    { "matches taken back", TABLE("json") QUERY("PAST LAST ROW", "A B+ C", "A AS A.v < 4, B AS B.v > 1, C AS C.v = 0") },
    { "an error in a condition", TABLE("json") QUERY("PAST LAST ROW", "A -> B", "A AS 12 / A.v > 3, B AS 12 / B.v < 3") },
    { "more than is looked at", TABLE("json") QUERY("PAST LAST ROW", "A -> B", "A AS A.v > 2, B AS B.ts > A.ts AND B.v > 2 AND B.c <> A.c") },
};
#define RULES (sizeof rules / sizeof *rules)

struct told { uint64_t ordered, count, late, late_count, late_first, errors, problems; };

static int on_row(void *ctx, uint32_t node BASE_UNUSED, const struct cep_event *event)
{
    struct told *told = ctx;
    uint64_t place = (uint64_t)event->row->time_ms + ((uint64_t)event->row->at.offset << 32) + event->ident.hi;
    told->ordered = told->ordered * UINT64_C(0x9e3779b97f4a7c15) + base_hash64(&event->row->tuple, event->row->tuple.size_bytes, place + event->row->change);
    told->count++;
    return 0;
}
static void on_late(void *ctx, uint32_t table BASE_UNUSED, const struct cep_row *row)
{
    struct told *told = ctx;
    told->late = told->late * UINT64_C(0x9e3779b97f4a7c15) + base_hash64(&row->tuple, row->tuple.size_bytes, (uint64_t)row->at.offset);
    told->late_count++;
    told->late_first += told->count == 0;
}
static void on_report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error BASE_UNUSED, const struct cep_code *place BASE_UNUSED,
                      const struct cep_event *event BASE_UNUSED)
{
    ((struct told *)ctx)->errors += what == CEP_REPORT_ERROR;
}
static void on_problem(void *ctx, const struct cep_record *record BASE_UNUSED, const struct formats_problem *problem BASE_UNUSED) { ((struct told *)ctx)->problems++; }

/* The same rows twice; some late, some too late, now and then what is no row. */
static bool write_files(void)
{
    static const char *const names[] = { "u", "user-no-", "a user with a long name " }, *const countries[] = { "us", "de", "gb", "fr", "a country with a name" };
    char path[2][64];
    FILE *json, *csv;
    snprintf(path[0], sizeof path[0], "%s/rows.json", folder);
    snprintf(path[1], sizeof path[1], "%s/rows.csv", folder);
    json = fopen(path[0], "w");
    csv = fopen(path[1], "w");
    for (int i = 0; json && csv && i < ROWS; i++) {
        uint64_t number = rnd_wide(8) == 0 ? 1 : rnd_wide(rnd_wide(2) ? 20 : 900), ms = 600000 + (uint64_t)i * 40 - (rnd_wide(4) ? 0 : rnd_wide(30) ? rnd_wide(2900) : 6000), v = rnd_wide(8);
        const char *name = names[number % 3], *country = countries[rnd_wide(5)];
        char ts[40];
        snprintf(ts, sizeof ts, "2026-01-01T%02u:%02u:%02u.%03uZ", (unsigned)(ms / 3600000), (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
        if (rnd_wide(500) == 0) {
            fputs(rnd_wide(2) ? "{\"u\": \"broken\n" : "{\"u\": \"u1\", \"c\": \"us\", \"v\": 1, \"ts\": null}\n", json);
            fputs("u1,us,no number,never\n", csv);
        }
        if (rnd_wide(50) == 0)
            fprintf(json, "{\"u\": \"%s%" PRIu64 "\", \"c\": null, \"v\": %" PRIu64 ", \"ts\": \"%s\"}\n", name, number, v, ts);
        else
            fprintf(json, "{\"u\": \"%s%" PRIu64 "\", \"c\": \"%s\", \"v\": %" PRIu64 ", \"ts\": \"%s\"}\n", name, number, country, v, ts);
        fprintf(csv, "%s%" PRIu64 ",%s,%" PRIu64 ",%s\n", name, number, country, v, ts);
    }
    return json && csv && fclose(json) == 0 && fclose(csv) == 0;
}

/* together_rows UINT32_MAX: row by row, for processing time is that of the rows. */
static int run(const struct cep_linked *linked, uint32_t watermark_rows, uint32_t together_rows, struct told *told)
{
    const struct service_local_config config = {
        .linked = linked, .base_dir = folder, .watermark_rows = watermark_rows, .together_rows = together_rows, .clock_by_rows = together_rows == UINT32_MAX,
        .calls = { .row = on_row, .report = on_report, .problem = on_problem, .late = on_late, .ctx = told },
    };
    struct base_buf why = { 0 };
    *told = (struct told){ 0 };
    int e = service_local_run(&config, &why);
    if (why.len)
        printf("# %s\n", why.ptr);
    base_buf_finish(&why);
    return e;
}

static void compare(const struct cep_linked *linked, size_t number)
{
    static const struct { uint32_t watermark_rows, together_rows; } ways[] = { { 0, 0 }, { 0, 1000 }, { 1, 1 }, { 7, 4000 } };
    struct told single, together;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        IS_INT(run(linked, ways[i].watermark_rows, UINT32_MAX, &single), 0, "row by row");
        IS_INT(run(linked, ways[i].watermark_rows, ways[i].together_rows, &together), 0, "key by key");
        if (!OK(together.count == single.count && together.ordered == single.ordered && single.count > 20, "the same results, in the same order"))
            printf("# %s, way %zu: %" PRIu64 " and %" PRIu64 "\n", rules[number].name, i, single.count, together.count);
        if (!OK(together.late_count == single.late_count && together.late == single.late && single.late_count > 20, "rows are too late as often"))
            printf("# %s, way %zu: %" PRIu64 " and %" PRIu64 "\n", rules[number].name, i, single.late_count, together.late_count);
        IS_INT(together.errors, single.errors, "as many errors");
        OK(together.problems == single.problems && single.problems > 5, "as many records that are no rows");
        if (i == 0)
            OK(together.late_first == together.late_count && single.late_first < single.late_count, "which is known before the first result where all rows are gone through together");
    }
    printf("# %s: %" PRIu64 " results, %" PRIu64 " late\n", rules[number].name, single.count, single.late_count);
}

static void try_rule(size_t number, const struct cep_funcs *funcs)
{
    struct base_arena arena = { 0 };
    struct base_source source = { .name = "rules.sql", .text = rules[number].text, .len = strlen(rules[number].text) };
    const struct patterns_options options = { .queries = true, .eager_queries = true };
    struct base_diags diags;
    struct patterns_result *result = NULL;
    struct cep_linked *linked = NULL;
    const char *error = NULL;
    base_diags_init(&diags, &arena);
    if (OK(patterns_compile(&source, 1, funcs, &options, &arena, &diags, &result) == 0 && cep_link(result->program, funcs, &arena, &error, &linked) == 0, rules[number].name))
        compare(linked, number);
    cep_unlink(linked);
    patterns_result_finish(result);
    base_diags_finish(&diags);
    base_arena_finish(&arena);
}

int main(void)
{
    struct cep_funcs *funcs = cep_funcs_create();
    if (OK(funcs && mkdtemp(folder) && write_files(), "files are written"))
        for (size_t i = 0; i < RULES; i++)
            try_rule(i, funcs);
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    IS_INT(system(command), 0, "and removed");
    cep_funcs_destroy(funcs);
    return tap_done();
}
