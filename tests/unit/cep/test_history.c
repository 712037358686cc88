/* Rows gone through key by key (cep_flow_history) against the same rows one by one: what is told, how often, and in which order, whatever the stretches. Random rows, some of them late, some too
 * late; keys of one column, two and none, NULL and long texts among them; errors in conditions and measures, matches taken back, small limits, more different things than are gone through so. Then memory
 * that ends, at every allocation in turn. */
#include "tests/unit/rnd.h"
#include "tests/unit/ruled.h"
#include "tests/unit/tap.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"
#include "cep/columns.h"
#include "cep/flow.h"
#include "patterns/compile.h"

#define ROWS 3000u
#define BOUND_MS 3000
#define MARK_EVERY 16u
#define COLUMNS 4u
#define TABLE "CREATE TABLE t (u STRING, c STRING, v INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)" \
              " WITH ('connector' = 'filesystem', 'path' = 'x', 'format' = 'json');\n"
#define QUERY(measure, partition, rows, skip, pattern, defines) \
    "SELECT c1, n FROM t MATCH_RECOGNIZE (" partition " ORDER BY ts MEASURES FIRST(A.c) AS c1, " measure " AS n " rows " PER MATCH AFTER MATCH SKIP " skip \
    " PATTERN (" pattern ") WITHIN INTERVAL '20' SECOND DEFINE " defines ");\n"
/* Columns of rows as they stand. */
#define PICKS(skip, pattern, defines) \
    "SELECT u, c1, n, b, at FROM t MATCH_RECOGNIZE (PARTITION BY u ORDER BY ts MEASURES A.c AS c1, LAST(v) AS n, B.c AS b, LAST(B.ts) AS at ONE ROW PER MATCH AFTER MATCH SKIP " skip \
    " PATTERN (" pattern ") WITHIN INTERVAL '20' SECOND DEFINE " defines ");\n"
#define RULE "CREATE RULE r WITH ('severity' = 'low', 'emit' = 'eager') AS "
#define PAST "PAST LAST ROW"
#define NEXT "TO NEXT ROW"
#define BY_USER "PARTITION BY u"
#define THREE "B AS B.c <> A.c, C AS C.c <> A.c AND C.c <> B.c"

struct test_rule { const char *name, *text; uint32_t tail_rows, evidence_rows; bool refused, errors; };
static const struct test_rule rules[] = {
    { .name = "three countries", .text = TABLE QUERY("LAST(C.v)", BY_USER, "ONE ROW", PAST, "A -> B -> C", THREE) },
    { .name = "... from each start", .text = TABLE QUERY("LAST(C.v)", BY_USER, "ONE ROW", NEXT, "A -> B -> C", THREE) },
    { .name = "... columns alone", .text = TABLE PICKS(PAST, "A -> B -> C", THREE) },
    { .name = "... columns alone from each start", .text = TABLE PICKS(NEXT, "A -> B -> C", THREE) },
    { .name = "... few or many rows from each start", .text = TABLE PICKS(NEXT, "A -> B+? -> C", "A AS A.v < 3, B AS B.c <> A.c, C AS C.v = 0 AND C.c <> 'us'") },
    { .name = "... of a row that may be none's", .text = TABLE PICKS(PAST, "A (B | X) C", "A AS A.v > 1, B AS B.v > 3, X AS X.c <> 'us', C AS C.c <> A.c") },
    { .name = "... matches taken back", .text = TABLE PICKS(PAST, "A B+ C", "A AS A.v < 4, B AS B.v > 1, C AS C.v = 0") },
    { .name = "... no other between", .text = TABLE PICKS(NEXT, "A -> NOT N -> B", "B AS B.v > 4 AND B.c <> A.c, N AS N.v = 7") },
    { .name = "... few rows of a key", .text = TABLE PICKS(NEXT, "A -> B -> C", THREE), .tail_rows = 3 },
    { .name = "... columns alone as a rule", .text = TABLE RULE PICKS(PAST, "A -> B -> C", THREE) },
    { .name = "... from each start as a rule", .text = TABLE RULE PICKS(NEXT, "A -> B+? -> C", "A AS A.v < 3, B AS B.c <> A.c, C AS C.v = 0 AND C.c <> 'us'") },
    { .name = "... matches taken back as a rule", .text = TABLE RULE PICKS(PAST, "A B+ C", "A AS A.v < 4, B AS B.v > 1, C AS C.v = 0") },
    { .name = "... held back, as a rule", .text = TABLE "CREATE RULE r WITH ('severity' = 'low', 'emit' = 'eager', 'suppress' = '10s') AS " PICKS(NEXT, "A -> B -> C", THREE) },
    { .name = "... some left out, little evidence, as a rule", .text = TABLE RULE PICKS(NEXT, "A -> {- B -} -> C", THREE), .evidence_rows = 2 },
    { .name = "... as a rule", .text = TABLE RULE QUERY("LAST(C.v)", BY_USER, "ONE ROW", PAST, "A -> B -> C", THREE) },
    { .name = "all rows, some left out", .text = TABLE QUERY("LAST(C.v)", BY_USER, "ALL ROWS", PAST, "A -> {- B -} -> C", THREE) },
    { .name = "matches taken back", .text = TABLE QUERY("LAST(B.v)", BY_USER, "ONE ROW", PAST, "A B+ C", "A AS A.v < 4, B AS B.v > 1, C AS C.v = 0") },
    { .name = "no other between", .text = TABLE QUERY("LAST(B.v)", BY_USER, "ONE ROW", NEXT, "A -> NOT N -> B", "B AS B.v > 4 AND B.c <> A.c, N AS N.v = 7") },
    { .name = "two columns as key", .text = TABLE QUERY("LAST(B.v)", "PARTITION BY u, v", "ONE ROW", PAST, "A -> B", "B AS B.c <> A.c") },
    { .name = "numbers as key", .text = TABLE QUERY("LAST(B.u)", "PARTITION BY v", "ONE ROW", PAST, "A -> B", "A AS A.c = 'us' OR A.c = 'fr', B AS B.c <> A.c") },
    { .name = "no key", .text = TABLE QUERY("LAST(B.u)", "", "ONE ROW", PAST, "A B C", "A AS A.v = 1, B AS B.c = 'us', C AS C.v > 2") },
    { .name = "an error in a condition", .text = TABLE QUERY("LAST(B.v)", BY_USER, "ONE ROW", PAST, "A -> B", "A AS 12 / A.v > 3, B AS 12 / B.v < 3"), .errors = true },
    { .name = "an error in a measure", .text = TABLE QUERY("12 / LAST(B.v)", BY_USER, "ONE ROW", NEXT, "A -> B", "A AS A.c <> 'de', B AS B.c <> 'us' AND B.v < 4"), .errors = true },
    { .name = "few rows of a key", .text = TABLE QUERY("LAST(C.v)", BY_USER, "ONE ROW", PAST, "A -> B -> C", THREE), .tail_rows = 3 },
    { .name = "more than is looked at", .text = TABLE QUERY("LAST(B.v)", BY_USER, "ONE ROW", PAST, "A -> B", "A AS A.v > 2, B AS B.ts > A.ts AND B.v > 2 AND B.c <> 'us'"), .refused = true },
};
#define RULES (sizeof rules / sizeof *rules)

struct told { uint64_t ordered, standing, count, errors; bool results; /* nobody asks for keys and evidence */ struct cep_flow *flow; };
/* How the rows go in. stretch 0: one by one. */
struct way { uint32_t rows, stretch; bool between; };

static int route(void *ctx, uint32_t exchange, const struct cep_event *event) { return cep_flow_deliver(((struct told *)ctx)->flow, exchange, event); }
static int route_watermark(void *ctx, uint32_t exchange, int64_t ms) { return cep_flow_deliver_watermark(((struct told *)ctx)->flow, exchange, ms); }
static int64_t proc_time(void *ctx BASE_UNUSED) { return 0; }
/* All that an alert is made of. */
static uint64_t hash_alert(const struct cep_event *event)
{
    const int64_t words[] = { (int64_t)event->ident.hi, (int64_t)event->ident.lo, event->first_time_ms, event->last_time_ms, event->first_at.offset, event->kind, event->limited, event->final, event->revision };
    uint64_t hash = base_hash64(words, sizeof words, event->key_node);
    if (event->key)
        hash = base_hash64(event->key, event->key->size_bytes, hash);
    for (uint32_t i = 0; event->evidence && i < event->evidence->count; i++) {
        const struct cep_evidence_item *item = &event->evidence->items[i];
        hash = base_hash64(&item->row->tuple, item->row->tuple.size_bytes, hash + item->var * 2 + item->excluded);
        hash = base_hash64(&item->row->at.offset, sizeof item->row->at.offset, hash + (uint64_t)item->row->time_ms + event->evidence->schema + event->evidence->total);
    }
    return hash;
}

static int sink(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct told *told = ctx;
    const int64_t place[] = { (int64_t)event->ident.hi, (int64_t)event->ident.lo, event->row->time_ms, event->row->at.offset, event->row->at.partition, node };
    uint64_t content = base_hash64(&event->row->tuple, event->row->tuple.size_bytes, base_hash64(place, sizeof place, 0));
    bool gone = event->row->change == CEP_DELETE || event->row->change == CEP_UPDATE_BEFORE;
    told->standing += gone ? (uint64_t)0 - content : content;
    told->ordered = told->ordered * UINT64_C(0x9e3779b97f4a7c15) + content + event->row->change + (told->results ? 0 : hash_alert(event));
    told->count++;
    return 0;
}
static void report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error BASE_UNUSED, const struct cep_code *place BASE_UNUSED,
                   const struct cep_event *event BASE_UNUSED)
{
    ((struct told *)ctx)->errors += what == CEP_REPORT_ERROR;
}

static const struct cep_type types[COLUMNS] = { CEP_TYPE(STRING), CEP_TYPE(STRING), CEP_TYPE(INT), { .kind = CEP_KIND_TIMESTAMP_LTZ, .precision = 3 } };

static int make_rows(struct base_arena *arena, struct cep_row **rows)
{
    static const char *const names[] = { "u", "user-no-", "a user with a long name " }, *const countries[] = { "us", "de", "gb", "fr", "a country with a name" };
    int rc = 0;
    for (uint32_t i = 0; i < ROWS && !rc; i++) {
        char user[48];
        int64_t behind_ms = rnd_wide(4) ? 0 : rnd_wide(30) ? (int64_t)rnd_wide(2900) : 9000, ms = 1000000 + (int64_t)i * 40 - behind_ms; /* some of them too late */
        const char *country = countries[rnd_wide(5)];
        uint64_t number = rnd_wide(8) == 0 ? 1 : rnd_wide(rnd_wide(2) ? 20 : 500);
        int len = snprintf(user, sizeof user, "%s%" PRIu64, names[number % 3], number);
        struct cep_value values[COLUMNS] = { cep_string(user, (uint64_t)len), cep_string(country, strlen(country)), cep_int((int64_t)rnd_wide(8)), cep_int(ms) };
        if (rnd_wide(40) == 0)
            values[rnd_wide(3)] = cep_null();
        rc = cep_row_make(types, values, COLUMNS, ms, (struct cep_position){ .offset = i }, arena, &rows[i]);
    }
    return rc;
}

/* A watermark is told behind each MARK_EVERY-th row, the end behind the last one. */
static bool mark_behind(uint32_t row, uint32_t rows, int64_t most_ms, int64_t *ret_ms)
{
    *ret_ms = row + 1 == rows ? BASE_TIME_MAX_MS : most_ms - BOUND_MS;
    return row + 1 == rows || row % MARK_EVERY == MARK_EVERY - 1;
}

static int one_row(struct cep_flow *flow, uint32_t node, const struct cep_row *row, int64_t mark_ms)
{
    int rc = row ? cep_flow_source(flow, node, row) : 0;
    return rc || mark_ms == BASE_TIME_MIN_MS ? rc : cep_flow_source_watermark(flow, node, mark_ms);
}

struct stretch {
    struct cep_columns columns;
    struct cep_history_mark marks[ROWS / MARK_EVERY + 2];
    uint8_t left_out[ROWS];
    uint32_t mark_count, first, refused; /* first: of its rows */
};

static int hand_over(struct stretch *stretch, struct cep_flow *flow, uint32_t node, struct cep_row *const *rows)
{
    const struct cep_history history = { &stretch->columns, stretch->left_out, stretch->marks, stretch->mark_count };
    uint32_t mark = 0;
    int rc = cep_flow_history(flow, node, &history);
    if (rc == BASE_E_UNSUPPORTED) {
        stretch->refused++;
        rc = 0;
        for (uint32_t i = 0; i < stretch->columns.rows && !rc; i++) {
            bool marked = mark < stretch->mark_count && stretch->marks[mark].end == i + 1;
            rc = one_row(flow, node, stretch->left_out[i] ? NULL : rows[stretch->first + i], marked ? stretch->marks[mark++].watermark_ms : BASE_TIME_MIN_MS);
        }
    } else if (!rc && stretch->mark_count) {
        rc = cep_flow_source_watermark(flow, node, stretch->marks[stretch->mark_count - 1].watermark_ms);
    }
    stretch->first += stretch->columns.rows;
    stretch->mark_count = 0;
    memset(stretch->left_out, 0, stretch->columns.rows);
    cep_columns_clear(&stretch->columns);
    return rc;
}

static int add_row(struct cep_columns *columns, const struct cep_row *row)
{
    struct cep_value values[COLUMNS];
    for (uint32_t i = 0; i < COLUMNS; i++)
        values[i] = cep_tuple_get(&row->tuple, i, types[i]);
    int rc = cep_columns_place(columns, row->at.partition, row->at.offset);
    return rc ? rc : cep_columns_add(columns, row->time_ms, values);
}

/* way->between: every third stretch's rows come one by one. */
static int feed(struct cep_flow *flow, uint32_t node, struct cep_row *const *rows, const struct way *way, struct stretch *stretch)
{
    int64_t most_ms = 0, told_ms = BASE_TIME_MIN_MS, mark_ms;
    int rc = 0;
    for (uint32_t i = 0; i < way->rows && !rc; i++) {
        bool late = rows[i]->time_ms <= told_ms, together = way->stretch && !(way->between && i / way->stretch % 3 == 2);
        most_ms = rows[i]->time_ms > most_ms ? rows[i]->time_ms : most_ms;
        bool marked = mark_behind(i, way->rows, most_ms, &mark_ms) && mark_ms > told_ms;
        told_ms = marked ? mark_ms : told_ms;
        if (!together) {
            rc = one_row(flow, node, late ? NULL : rows[i], marked ? mark_ms : BASE_TIME_MIN_MS);
            stretch->first = i + 1;
            continue;
        }
        rc = add_row(&stretch->columns, rows[i]);
        stretch->left_out[i - stretch->first] = late;
        if (marked)
            stretch->marks[stretch->mark_count++] = (struct cep_history_mark){ mark_ms, i + 1 - stretch->first };
        if (!rc && (i % way->stretch == way->stretch - 1 || i + 1 == way->rows))
            rc = hand_over(stretch, flow, node, rows);
    }
    return rc;
}

static int run(const struct cep_linked *linked, const struct test_rule *rule, struct cep_row *const *rows, const struct way *way, struct told *told)
{
    static struct stretch stretch;
    const struct cep_env env = { .ctx = told, .route = route, .routes_back = true, .route_watermark = route_watermark, .sink = sink, .report = report, .proc_time_ms = proc_time };
    const struct cep_limits limits = { .tail_rows = rule->tail_rows, .evidence_rows = rule->evidence_rows };
    uint32_t node = 0;
    while (cep_program_node(cep_linked_program(linked), node)->kind != CEP_NODE_SOURCE)
        node++;
    *told = (struct told){ .results = !strstr(rule->text, "CREATE RULE") };
    memset(&stretch, 0, sizeof stretch);
    int rc = cep_flow_create(linked, &env, &limits, &told->flow);
    if (!rc && !cep_flow_takes_history(told->flow, node))
        rc = BASE_E_UNSUPPORTED;
    if (!rc)
        rc = cep_columns_init(&stretch.columns, types, COLUMNS, 0);
    cep_columns_set_timed(&stretch.columns);
    if (!rc)
        rc = feed(told->flow, node, rows, way, &stretch);
    if (!rc && way->stretch == way->rows && (stretch.refused > 0) != rule->refused)
        rc = BASE_E_CORRUPT;
    cep_columns_finish(&stretch.columns);
    cep_flow_destroy(told->flow);
    return rc;
}

static void compare(const struct cep_linked *linked, const struct test_rule *rule, struct cep_row *const *rows)
{
    static const struct way ways[] = { { ROWS, ROWS, false }, { ROWS, 1, false }, { ROWS, 7, true }, { ROWS, 100, false }, { ROWS, 451, true } };
    struct told single, together;
    IS_INT(run(linked, rule, rows, &(struct way){ .rows = ROWS }, &single), 0, "rows go through one by one");
    OK(single.count > 20 && (single.errors > 0) == rule->errors, "something is told, without errors but where some are asked for");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s, %u at a time", rule->name, ways[i].stretch);
        IS_INT(run(linked, rule, rows, &ways[i], &together), 0, name);
        OK(together.standing == single.standing && together.count == single.count, "the same is told");
        OK(together.ordered == single.ordered || rule->tail_rows, "in the same order, where nobody has to be woken for it");
        IS_INT(together.errors, single.errors, "with as many errors");
    }
    printf("# %" PRIu64 " messages\n", single.count);
}

static void sweep(const struct cep_linked *linked, const struct test_rule *rule, struct cep_row *const *rows)
{
    const struct way way = { 90, 45, false };
    struct told told, whole;
    uint64_t before = base_alloc_live_blocks(), n = 0, others = 0, leaks = 0, survived = 0;
    bool fired = true;
    IS_INT(run(linked, rule, rows, &way, &whole), 0, "few rows go through");
    for (n = 1; fired && n < 100000; n++) {
        base_alloc_fail_at(n, false);
        int rc = run(linked, rule, rows, &way, &told);
        fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        survived += fired && !rc; /* the usual way gives up, the long one has its memory */
        others += rc ? rc != BASE_E_NOMEM || !fired : told.ordered != whole.ordered || told.errors != whole.errors;
        leaks += base_alloc_live_blocks() != before;
    }
    OK(n > 20 && !fired && others == 0 && survived < n / 4, "every failure of memory is told as such, or changes nothing");
    IS_INT(leaks, 0, "and nothing leaks");
    printf("# %s: %" PRIu64 " allocations, %" PRIu64 " not needed, %" PRIu64 " messages\n", rule->name, n, survived, whole.count);
}

static void try_rule(const struct test_rule *rule, struct cep_row *const *rows)
{
    const struct patterns_options options = { .queries = true, .eager_queries = true };
    struct ruled ruled;
    if (OK(ruled_compile(&ruled, rule->text, &options), rule->name)) {
        compare(ruled.linked, rule, rows);
        sweep(ruled.linked, rule, rows);
    }
    ruled_finish(&ruled);
}

int main(void)
{
    static struct cep_row *rows[ROWS];
    struct base_arena arena = { 0 };
    if (OK(make_rows(&arena, rows) == 0, "rows are made"))
        for (size_t i = 0; i < RULES; i++)
            try_rule(&rules[i], rows);
    base_arena_finish(&arena);
    return tap_done();
}
