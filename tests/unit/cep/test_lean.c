/* The short ways of the row pattern operator against the long one: rows handed over together, one by one, as they come from other threads, and through full keys without
 * an index of constants must tell the same. Random rows, some of them late; every rule reads all columns, so that rows can be made without a decoder; rules that take the lean form, final ones that only remember steps, and many rules of which few can care. */
#include "tests/unit/rnd.h"
#include "tests/unit/ruled.h"
#include "tests/unit/tap.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"
#include "cep/flow.h"
#include "patterns/compile.h"

#define ROWS 12000
#define TABLE "CREATE TABLE t (u STRING, c STRING, v INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)" \
              " WITH ('connector' = 'filesystem', 'path' = 'x', 'format' = 'json');\n"
#define RULE(name, emit, partition, pattern, defines) \
    "CREATE RULE " name " WITH ('emit' = '" emit "') AS SELECT c1, n FROM t MATCH_RECOGNIZE (" partition " ORDER BY ts MEASURES A.c AS c1, LAST(B.v) AS n" \
    " ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (" pattern ") WITHIN INTERVAL '40' SECOND DEFINE " defines ");\n"
/* several output rows for a match, some rows left out, a row that may be missing */
#define ALL_ROWS(name, pattern, defines) \
    "CREATE RULE " name " WITH ('emit' = 'eager') AS SELECT c1, n FROM t MATCH_RECOGNIZE (PARTITION BY u ORDER BY ts MEASURES FIRST(A.c) AS c1, LAST(B.v) AS n" \
    " ALL ROWS PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (" pattern ") WITHIN INTERVAL '20' SECOND DEFINE " defines ");\n"
/* a match from each start */
#define EACH(name, rows, skip, pattern, defines) EACH_OF(name, "LAST(B.v) AS n", rows, skip, pattern, defines)
#define EACH_OF(name, measure, rows, skip, pattern, defines) \
    "CREATE RULE " name " WITH ('emit' = 'eager') AS SELECT c1, n FROM t MATCH_RECOGNIZE (PARTITION BY u ORDER BY ts MEASURES FIRST(A.c) AS c1, " measure \
    " " rows " PER MATCH AFTER MATCH SKIP TO " skip " ROW PATTERN (" pattern ") WITHIN INTERVAL '20' SECOND DEFINE " defines ");\n"
#define BY_USER "PARTITION BY u"
#define THREE "B AS B.c <> A.c, C AS C.c <> A.c AND C.c <> B.c"

static const char *const rules[] = {
    TABLE RULE("r", "eager", BY_USER, "A -> B -> C", THREE),
    TABLE RULE("r", "final", BY_USER, "A -> B -> C", THREE),
    /* hardly two rows look the same: what rows look like is forgotten now and then */
    TABLE RULE("r", "eager", BY_USER, "A -> B -> C", "A AS A.v > 2, B AS B.ts > A.ts AND B.v > 2, C AS C.c <> A.c AND C.v < 3"),
    TABLE RULE("r", "eager", BY_USER, "A B+ C", "A AS A.v < 4, B AS B.v > 1, C AS C.v = 0"),
    TABLE RULE("r", "final", BY_USER, "A B* C", "A AS A.v < 4, B AS B.v > A.v, C AS C.v = 0"),
    TABLE RULE("r", "eager", "", "A -> B -> C", "A AS A.c = 'us', B AS B.c = 'de', C AS C.v = 5 AND C.u <> 'nobody'"),
    TABLE RULE("r", "eager", "PARTITION BY u, v", "A -> B -> C", THREE),
    TABLE RULE("r", "eager", "PARTITION BY v", "A -> B", "A AS A.c = 'us' AND A.u <> 'u1', B AS B.c = 'de'"),
    TABLE RULE("r", "eager", BY_USER, "A -> NOT N -> B", "B AS B.c = 'a country with a name', N AS N.v = 7"),
    TABLE ALL_ROWS("r1", "A -> {- B -} -> C", THREE)
          ALL_ROWS("r2", "A{2,3} -> B? C", "A AS A.v > 2, B AS B.v < LAST(A.v), C AS C.c = 'us'"),
    TABLE RULE("r1", "eager", BY_USER, "A -> B", "A AS A.c = 'us', B AS B.c = 'us' AND B.v > A.v")
          RULE("r2", "eager", BY_USER, "A -> B", "A AS A.c = 'de' AND A.v > 3, B AS B.c = 'gb'")
          RULE("r3", "final", BY_USER, "A -> B", "A AS A.v = 6, B AS B.v = 2")
          RULE("r4", "eager", BY_USER, "A -> B", "A AS A.c = 'nowhere', B AS B.c = 'us'"),
    /* conditions that several patterns ask of a row: eager and final, lean and not, by a name of their own, one of them with an error that each has to tell */
    TABLE RULE("s1", "eager", BY_USER, "A -> B", "A AS A.c = 'us' OR A.v > 5, B AS B.v * 2 > 9 AND UPPER(B.c) <> 'FR'")
          RULE("s2", "eager", BY_USER, "A B", "A AS A.v * 2 > 9 AND UPPER(A.c) <> 'FR', B AS B.c = 'us' OR B.v > 5")
          RULE("s3", "final", BY_USER, "A -> B", "A AS A.c = 'us' OR A.v > 5, B AS B.v > A.v")
          RULE("s4", "eager", BY_USER, "A B+? C", "A AS A.c = 'us' OR A.v > 5, B AS B.v > PREV(B.v), C AS C.v * 2 > 9 AND UPPER(C.c) <> 'FR'")
          RULE("s5", "eager", BY_USER, "A -> NOT N -> B", "A AS A.v * 2 > 9 AND UPPER(A.c) <> 'FR', N AS N.c = 'us' OR N.v > 5, B AS B.v < A.v"),
    /* many threads that wait for a value: found by it from 64 lists on, from the first one on, and never */
    TABLE RULE("r", "eager", "", "A -> B", "A AS A.v < 3, B AS B.u = A.u AND B.c <> A.c"),
    TABLE RULE("r", "final", "", "A -> NOT N -> B -> C", "A AS A.v = 0, N AS N.u = A.u AND N.v > 3, B AS B.u = A.u, C AS C.c = B.c AND 12 / C.v > 1 AND C.u = A.u"),
    TABLE RULE("r1", "eager", "", "A -> B+ C", "A AS A.v = 1, B AS B.v = 2 AND B.u = A.u, C AS C.v > 4")
          RULE("r2", "eager", "", "A ->> B -> C", "A AS A.v = 6 AND A.c <> 'us', B AS A.u = B.u, C AS C.u = B.u AND C.v = A.v"),
    TABLE EACH("r", "ONE ROW", "NEXT", "A -> B -> C", THREE),
    TABLE EACH("r", "ONE ROW", "CURRENT", "A -> B", "A AS A.v > 1, B AS B.v < 4 AND B.c = A.c"),
    TABLE EACH("r1", "ONE ROW", "NEXT", "A B*? C", "A AS A.v > 1, B AS B.c <> A.c, C AS C.v = 0")
          EACH("r2", "ONE ROW", "NEXT", "A B+ C | A B", "A AS A.v < 4, B AS B.v > 1, C AS C.v = 0")
          EACH("r3", "ONE ROW", "NEXT", "A -> NOT N -> B", "B AS B.v > 4 AND B.c <> A.c, N AS N.v = 7")
          EACH("r4", "ONE ROW", "NEXT", "A | B", "A AS A.v = 3, B AS B.c = 'us'"),
    TABLE EACH("r1", "ALL ROWS", "NEXT", "A -> {- B -} -> C", THREE)
          EACH("r2", "ALL ROWS", "NEXT", "A{2,3} -> B? C", "A AS A.v > 2, B AS B.v < LAST(A.v), C AS C.c = 'us'"),
    /* a late row makes of a match one whose row is an error */
    TABLE EACH_OF("r", "12 / LAST(B.v) AS n", "ONE ROW", "NEXT", "A -> B", "A AS A.c = 'us', B AS B.c <> 'us' AND B.v < 4"),
    TABLE RULE("e1", "eager", BY_USER, "A -> B", "A AS 12 / A.v > 3, B AS 12 / B.v < 3")
          RULE("e2", "eager", BY_USER, "A B", "A AS 12 / A.v > 3, B AS 12 / B.v < 3"),
};
#define RULES (sizeof rules / sizeof *rules)

enum way { TOGETHER, ONE_BY_ONE, IN_FULL, BY_VALUE, ROUTED };
#define QUEUE 500
struct told {
    uint64_t ordered, standing, count, errors, took, missed;
    struct cep_flow *flow;
    bool queues;                 /* rows for the exchange wait until a watermark comes */
    struct cep_routed queue[QUEUE];
    uint32_t exchanges[QUEUE], queued, run; /* run: the first of those being delivered */
    struct base_arena keys;
};

static int took(void *ctx, uint32_t first, uint32_t count)
{
    struct told *told = ctx;
    told->missed += told->run + first != told->took; /* each row once, in order */
    told->took += count;
    return 0;
}

/* Those for one exchange that stand together go together. */
static int deliver_queue(struct told *told)
{
    int rc = 0;
    told->took = 0;
    for (uint32_t i = 0, n; i < told->queued && !rc; i += n) {
        for (n = 1; i + n < told->queued && told->exchanges[i + n] == told->exchanges[i]; n++) { }
        told->run = i;
        rc = cep_flow_deliver_rows(told->flow, told->exchanges[i], told->queue + i, n, &(struct cep_taker){ took, told });
    }
    told->missed += told->took != told->queued;
    told->queued = 0;
    base_arena_reset(&told->keys);
    return rc;
}

static int route(void *ctx, uint32_t exchange, const struct cep_event *event)
{
    struct told *told = ctx;
    if (!told->queues)
        return cep_flow_deliver(told->flow, exchange, event);
    struct cep_tuple *key = base_arena_alloc(&told->keys, event->key->size_bytes);
    if (!key || told->queued == QUEUE)
        return BASE_E_LIMIT;
    memcpy(key, event->key, event->key->size_bytes);
    told->queue[told->queued] = (struct cep_routed){ event->row, key, event->key_hash };
    told->exchanges[told->queued++] = exchange;
    return 0;
}
static int route_watermark(void *ctx, uint32_t exchange, int64_t watermark_ms)
{
    int rc = deliver_queue(ctx);
    return rc ? rc : cep_flow_deliver_watermark(((struct told *)ctx)->flow, exchange, watermark_ms);
}
static int load_nothing(void *ctx BASE_UNUSED, uint64_t node BASE_UNUSED, const struct cep_tuple *key BASE_UNUSED, uint32_t piece BASE_UNUSED, struct base_buf *ret BASE_UNUSED)
{
    return BASE_E_NOTFOUND;
}
static int sink(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct told *told = ctx;
    uint64_t content = base_hash64(&event->row->tuple, event->row->tuple.size_bytes, event->ident.hi ^ node);
    bool gone = event->row->change == CEP_DELETE || event->row->change == CEP_UPDATE_BEFORE;
    told->standing += gone ? (uint64_t)0 - content : content;
    told->ordered = told->ordered * UINT64_C(0x9e3779b97f4a7c15) + content + event->row->change;
    told->count++;
    return 0;
}
static void report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error BASE_UNUSED, const struct cep_code *place BASE_UNUSED,
                   const struct cep_event *event BASE_UNUSED)
{
    ((struct told *)ctx)->errors += what != CEP_REPORT_TIMED_OUT;
}
static int64_t proc_time(void *ctx BASE_UNUSED) { return 0; }
static void trace(void *ctx BASE_UNUSED, const struct cep_trace *told BASE_UNUSED) {}

static int make_rows(struct base_arena *arena, struct cep_row **rows)
{
    static const char *const countries[] = { "us", "de", "gb", "fr", "a country with a name" };
    const struct cep_type types[4] = { CEP_TYPE(STRING), CEP_TYPE(STRING), CEP_TYPE(INT), { .kind = CEP_KIND_TIMESTAMP_LTZ, .precision = 3 } };
    int rc = 0;
    for (int64_t i = 0; i < ROWS && !rc; i++) {
        static const char *const names[] = { "u", "user-no-", "a user with a long name " }; /* keys of one word, of two, of more */
        char user[48];
        int64_t ms = 1000000 + i * 20 - (rnd_wide(4) == 0 ? (int64_t)rnd_wide(2900) : 0);
        const char *country = countries[rnd_wide(5)];
        uint64_t number = rnd_wide(8) == 0 ? 1 : rnd_wide(rnd_wide(2) ? 40 : 4000);
        int len = snprintf(user, sizeof user, "%s%" PRIu64, names[number % 3], number);
        struct cep_value values[4] = { cep_string(user, (uint64_t)len), cep_string(country, strlen(country)), cep_int((int64_t)rnd_wide(8)), cep_int(ms) };
        if (rnd_wide(50) == 0)
            values[1 + rnd_wide(2)] = cep_null();
        rc = cep_row_make(types, values, 4, ms, (struct cep_position){ .offset = i }, arena, &rows[i]);
    }
    return rc;
}

static int feed(struct cep_flow *flow, uint32_t node, struct cep_row *const *rows, enum way way)
{
    int64_t most_ms = 0;
    int rc = 0;
    for (uint32_t i = 0; i < ROWS && !rc;) {
        const struct cep_row *batch[60];
        uint32_t n = 0;
        for (; n < 60 && i < ROWS; n++, i++) {
            batch[n] = rows[i];
            most_ms = rows[i]->time_ms > most_ms ? rows[i]->time_ms : most_ms;
        }
        bool together = way == TOGETHER || way == ROUTED;
        if (together)
            rc = cep_flow_source_rows(flow, node, batch, n);
        for (uint32_t k = 0; k < n && !rc && !together; k++)
            rc = cep_flow_source(flow, node, batch[k]);
        if (!rc)
            rc = cep_flow_source_watermark(flow, node, most_ms - 3000);
    }
    return rc ? rc : cep_flow_source_watermark(flow, node, BASE_TIME_MAX_MS);
}

/* values: so many threads wait that no key is lean for long, and telling of each step takes too long. */
static int run(const struct cep_linked *linked, struct cep_row *const *rows, enum way way, bool values, struct told *told)
{
    struct cep_env env = { .ctx = told, .route = route, .routes_back = way == TOGETHER, .route_watermark = route_watermark, .sink = sink, .report = report,
                           .proc_time_ms = proc_time, .trace = way == IN_FULL && !values ? trace : NULL, .load = way == ROUTED ? load_nothing : NULL };
    struct cep_limits limits = { .park_classes = way == BY_VALUE ? 1 : UINT32_MAX };
    const struct cep_program *program = cep_linked_program(linked);
    uint32_t source = 0;
    while (cep_program_node(program, source)->kind != CEP_NODE_SOURCE)
        source++;
    *told = (struct told){ .queues = way == ROUTED };
    int rc = cep_flow_create(linked, &env, way == IN_FULL || way == BY_VALUE ? &limits : NULL, &told->flow);
    if (!rc)
        rc = feed(told->flow, source, rows, way);
    cep_flow_destroy(told->flow);
    base_arena_finish(&told->keys);
    return rc;
}

static void compare(const char *text, struct cep_row *const *rows)
{
    const struct patterns_options options = { .queries = true };
    struct ruled ruled;
    if (OK(ruled_compile(&ruled, text, &options), "the rules compile")) {
        const struct cep_linked *linked = ruled.linked;
        static struct told together, single, full, by_value, routed;
        bool values = strstr(text, "A.u") != NULL;
        OK(run(linked, rows, TOGETHER, values, &together) == 0 && run(linked, rows, ONE_BY_ONE, values, &single) == 0 && run(linked, rows, IN_FULL, values, &full) == 0 &&
           run(linked, rows, BY_VALUE, values, &by_value) == 0 && run(linked, rows, ROUTED, values, &routed) == 0, "rows go through");
        OK(together.count > 20 && (together.errors > 0) == (strstr(text, "12 / ") != NULL), "something is told, without errors but where one is asked for");
        OK(together.errors == single.errors, "errors are told as often");
        OK(together.ordered == single.ordered && together.count == single.count, "rows handed over together tell the same, in the same order");
        OK(routed.ordered == single.ordered && routed.count == single.count && routed.errors == single.errors, "and so do those that come from another thread");
        OK(routed.missed == 0, "of which the host is told, each once and in order");
        OK(together.standing == full.standing && together.count == full.count, "and so do keys in full form");
        OK(by_value.standing == full.standing && by_value.count == full.count && (!values || by_value.errors == full.errors), "and those that find what waits by its value");
        printf("# %" PRIu64 " messages\n", together.count);
    }
    ruled_finish(&ruled);
}

int main(void)
{
    static struct cep_row *rows[ROWS];
    struct base_arena arena = { 0 };
    if (OK(make_rows(&arena, rows) == 0, "rows are made"))
        for (size_t i = 0; i < RULES; i++)
            compare(rules[i], rows);
    base_arena_finish(&arena);
    return tap_done();
}
