/* Fuzz target: a small row pattern and a few rows, both made from the input. However the engine is run, the same must stand at the end: final in order; eager in
 * order; eager and final with rows out of order within the bound; and with all state saved and restored after every row. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/time.h"
#include "tests/fuzz/bed.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/programs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS_MOST 20
struct test {
    struct input in;
    struct base_buf text;
    struct bed_row rows[ROWS_MOST];
    uint32_t row_count;
    uint32_t used;   /* set of variables that stand in the pattern */
    bool arrows, all_matches, bounded;
};

/* ---- the rule ---- */

static void put_variable(struct test *t)
{
    uint32_t var = input_below(&t->in, 4);
    t->used |= 1u << var;
    base_buf_printf(&t->text, "%c", 'A' + (int)var);
}

static void put_quantifier(struct test *t)
{
    static const char *const quantifiers[] = { "", "", "", "", "+", "*", "?", "{2}", "{1,2}", "+?", "*?", "??", "{,2}", "++", "*+", "{2,}" };
    base_buf_puts(&t->text, quantifiers[input_below(&t->in, 16)]);
}

static void put_sequence(struct test *t, int depth);

static void put_element(struct test *t, int depth)
{
    uint32_t what = input_below(&t->in, 8);
    if (depth == 0 || what < 4) {
        put_variable(t);
        put_quantifier(t);
    } else if (what == 7) {
        base_buf_puts(&t->text, "PERMUTE(");
        put_variable(t);
        base_buf_puts(&t->text, ", ");
        put_variable(t);
        base_buf_puts(&t->text, ")");
    } else {
        base_buf_puts(&t->text, "(");
        put_sequence(t, depth - 1);
        if (what == 5) {
            base_buf_puts(&t->text, " | ");
            put_sequence(t, depth - 1);
        }
        base_buf_puts(&t->text, ")");
        put_quantifier(t);
    }
}

static void put_sequence(struct test *t, int depth)
{
    static const char *const joints[] = { " ", " ", " -> ", " ->> ", " NOT C ", " -> NOT C -> ", " -> NOT D -> ", " -> " };
    uint32_t count = 1 + input_below(&t->in, 3);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t joint = t->arrows ? input_below(&t->in, 8) : 0;
        if (i) {
            base_buf_puts(&t->text, joints[joint]);
            t->used |= joint == 4 || joint == 5 ? 4 : joint == 6 ? 8 : 0;
        }
        put_element(t, depth);
    }
}

static void put_defines(struct test *t)
{
    static const char *const conditions[4][8] = {
        { "v > 2", "TRUE", "v = 1", "v < 4", "s = 'a'", "v > PREV(v)", "COUNT(*) < 3", "v <> 2" },
        { "B.v > A.v", "v = 1", "B.v <> LAST(A.v)", "SUM(B.v) < 6", "v < 3", "A.v IS NULL OR v > 1", "v > PREV(v)", "TRUE" },
        { "v = 2", "C.v < A.v", "v > 4", "C.v = B.v", "v IN (1, 3)", "v < NEXT(v)", "FIRST(C.v) = v", "v > 1" },
        { "TRUE", "v = 0", "D.v + A.v > 5", "v = LAST(D.v, 1)", "v = 3", "v > 5", "v IS NULL", "d > 2" },
    };
    const char *before = "\nDEFINE ";
    for (uint32_t var = 0; var < 4; var++) {
        uint32_t which = input_below(&t->in, 8);
        if (!(t->used & 1u << var))
            continue;
        base_buf_printf(&t->text, "%s%c AS %s", before, 'A' + (int)var, conditions[var][which]);
        before = ", ";
    }
}

/* A target that the pattern has not would only be refused. */
static const char *skip_clause(const struct test *t, uint32_t which)
{
    static const char *const plain[] = { "PAST LAST ROW", "TO NEXT ROW", "PAST LAST ROW", "TO CURRENT ROW" };
    static const char *const targets[] = { "TO LAST A", "TO FIRST B", "TO LAST C", "TO FIRST D" };
    return which < 4 ? plain[which] : t->used & 1u << (which - 4) ? targets[which - 4] : plain[which - 4];
}

static void make_rule(struct test *t)
{
    static const char *const outputs[] = { "ONE ROW PER MATCH", "ONE ROW PER MATCH", "ALL ROWS PER MATCH", "ALL ROWS PER MATCH OMIT EMPTY MATCHES",
                                           "ALL ROWS PER MATCH WITH UNMATCHED ROWS", "ONE ROW PER MATCH WITH TIMEOUT ROWS" };
    struct base_buf pattern = { 0 }, head = t->text;
    uint8_t how = input_byte(&t->in);
    uint32_t output = input_below(&t->in, 6), skip = input_below(&t->in, 8);
    t->arrows = how & 1;
    t->all_matches = (how & 6) == 6;
    t->bounded = how & 8 || output == 5;
    t->text = pattern;
    put_sequence(t, 2);
    if (t->arrows && t->bounded && how & 32) {
        base_buf_puts(&t->text, " -> NOT D");
        t->used |= 8;
    }
    pattern = t->text;
    t->text = head;
    base_buf_printf(&t->text, FUZZ_TABLE "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts\nMEASURES FIRST(v) AS m1, LAST(v) AS m2, COUNT(*) AS n, "
                                         "CLASSIFIER() AS c%s\n%s%s\nAFTER MATCH SKIP %s\nPATTERN (%s)",
                    how & 16 ? ", MATCH_NUMBER() AS nr" : "", outputs[output], t->all_matches ? " ALL MATCHES" : "", skip_clause(t, skip), pattern.ptr);
    base_buf_finish(&pattern);
    if (t->bounded)
        base_buf_printf(&t->text, " WITHIN INTERVAL '%u' SECOND", 2 + input_below(&t->in, 6));
    put_defines(t);
    base_buf_puts(&t->text, ") AS m;\n");
}

static void make_rows(struct test *t)
{
    int64_t time_ms = 1600000000000;
    while (t->row_count < ROWS_MOST && input_more(&t->in)) {
        uint8_t what = input_byte(&t->in);
        time_ms += (what >> 5 & 3) * 500;
        t->rows[t->row_count++] = (struct bed_row){ .time_ms = time_ms, .k = what >> 7, .v = what & 7 };
    }
}

/* ---- the runs ---- */

enum kind { FINAL, EAGER, UNOPTIMISED, KINDS };
struct way { const char *name; enum kind kind; bool disorder, marks, cycles, lazy; };

/* Least time of the rows still to come in this order. */
static int64_t least_left(const struct test *t, const uint32_t *order, uint32_t from)
{
    int64_t least = BASE_TIME_MAX_MS;
    for (uint32_t i = from; i < t->row_count; i++)
        least = t->rows[order[i]].time_ms < least ? t->rows[order[i]].time_ms : least;
    return least;
}

static int drive(struct bed *bed, const struct test *t, const struct way *way)
{
    uint32_t order[ROWS_MOST];
    for (uint32_t i = 0; i < t->row_count; i++)
        order[i] = i;
    for (uint32_t i = 0; way->disorder && i + 1 < t->row_count; i++) { /* each row may change its place with one of the next three */
        uint32_t other = i + 1 + (uint32_t)(t->rows[i].v * 7 + i) % 3, keep = order[i];
        if (other < t->row_count && (t->rows[other].v + i) % 3) {
            order[i] = order[other];
            order[other] = keep;
        }
    }
    int e = bed_start(bed);
    for (uint32_t i = 0; e == 0 && i < t->row_count; i++) {
        e = bed_row(bed, &t->rows[order[i]], order[i]);
        int64_t least = least_left(t, order, i + 1);
        if (e == 0 && way->marks && least != BASE_TIME_MAX_MS && (i + (uint32_t)t->rows[i].v) % 3 != 0)
            e = bed_mark(bed, least - 1);
        if (e == 0 && way->cycles)
            e = bed_cycle(bed, way->lazy);
    }
    return e ? e : bed_mark(bed, BASE_TIME_MAX_MS);
}

static void fail(const struct test *t, const struct way *way, const char *what)
{
    fprintf(stderr, "fuzz_match: %s: %s\n%s\nrows:", way->name, what, t->text.ptr);
    for (uint32_t i = 0; i < t->row_count; i++)
        fprintf(stderr, " %" PRId64 ":%" PRId64 "/%" PRId64, t->rows[i].time_ms - 1600000000000, t->rows[i].k, t->rows[i].v);
    fputs("\n", stderr);
}

static bool compile(const struct test *t, enum kind kind, struct bed *bed)
{
    static struct cep_funcs *funcs;
    const struct patterns_options options = { .queries = true, .eager_queries = kind == EAGER, .no_optimiser = kind == UNOPTIMISED };
    if (!funcs)
        funcs = cep_funcs_create();
    int e = bed_open(bed, funcs, (struct base_str){ t->text.ptr, t->text.len }, &options);
    if (e && getenv("FUZZ_SHOW")) {
        struct base_buf told = { 0 };
        base_diags_render(&bed->diags, &told);
        fprintf(stderr, "%s%s", t->text.ptr, told.ptr);
        base_buf_finish(&told);
    }
    if (e == 0)
        e = bed_link(bed);
    bed->limits = (struct cep_limits){ .output_per_row = 100 };
    return e == 0;
}

/* False: a limit cut the result, so that it says nothing. */
static bool run(const struct test *t, struct bed *bed, const struct way *way, struct base_buf *out)
{
    bed_forget_pieces(bed);
    bed_forget_told(bed);
    bed->limited = 0;
    bed->lazy = false;
    int e = drive(bed, t, way);
    if (e || bed->wrong) {
        fail(t, way, e ? base_error_name(e) : bed->wrong);
        abort();
    }
    bed_print(bed, true, out);
    return bed->limited == 0;
}

static void compare(const struct test *t, struct bed *beds)
{
    static const struct way ways[] = {
        { .name = "final, in order" }, { .name = "final, restored", .marks = true, .cycles = true },
        { .name = "final, disorder, restored on demand", .disorder = true, .marks = true, .cycles = true, .lazy = true },
        { .name = "eager", EAGER }, { .name = "eager, restored", EAGER, .marks = true, .cycles = true },
        { .name = "eager, disorder", EAGER, .disorder = true, .marks = true },
        { .name = "eager, disorder, restored on demand", EAGER, .disorder = true, .marks = true, .cycles = true, .lazy = true },
        { .name = "unoptimised, restored", UNOPTIMISED, .cycles = true },
    };
    struct base_buf want = { 0 };
    bool good = run(t, &beds[FINAL], &ways[0], &want);
    for (size_t i = 1; good && i < sizeof ways / sizeof ways[0]; i++) {
        struct base_buf got = { 0 };
        if (run(t, &beds[ways[i].kind], &ways[i], &got) && (got.len != want.len || (got.len && memcmp(got.ptr, want.ptr, got.len) != 0))) {
            fail(t, &ways[i], "another result");
            fprintf(stderr, "want (%s):\n%sgot:\n%s", ways[0].name, want.len ? want.ptr : "", got.len ? got.ptr : "");
            abort();
        }
        base_buf_finish(&got);
    }
    base_buf_finish(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test t = { .in = { data, data + size } };
    struct bed beds[KINDS] = { { .lazy = false } };
    if (size > 256)
        return 0;
    make_rule(&t);
    make_rows(&t);
    bool good = !t.text.failed;
    for (int kind = 0; good && kind < KINDS; kind++)
        good = compile(&t, (enum kind)kind, &beds[kind]);
    if (good)
        compare(&t, beds);
    for (int kind = 0; kind < KINDS; kind++)
        bed_close(&beds[kind]);
    base_buf_finish(&t.text);
    return 0;
}
