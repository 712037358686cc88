/* Memory that ends, at every allocation in turn: a flow is made, fed, saved, restored and fed again. Each failure must be told as BASE_E_NOMEM, and whatever was
 * half done can be destroyed without a leak. */
#include "tests/unit/tap.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "tests/fuzz/bed.h"
#include "tests/fuzz/programs.h"

/* Beside those of the fuzz targets: matches from each start, several of them at one row, which keys tell in lean form. */
static const char *const more_programs[] = {
    FUZZ_RULE("", "MEASURES A.v AS v1, C.v AS v3 ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW PATTERN (A -> B -> C) WITHIN INTERVAL '8' SECOND "
                  "DEFINE B AS B.v <> A.v, C AS C.v NOT IN (A.v, B.v)"),
    FUZZ_RULE("", "MEASURES LAST(A.v) AS v1, B.v AS v2 ALL ROWS PER MATCH AFTER MATCH SKIP TO NEXT ROW PATTERN (A+? -> B) WITHIN INTERVAL '8' SECOND "
                  "DEFINE A AS v > 1, B AS B.v < 3"),
};
#define MORE_PROGRAMS (sizeof more_programs / sizeof more_programs[0])

static int feed(struct bed *bed, int from, int count)
{
    static const int8_t values[] = { 3, 5, 1, 2, 4, 6, 0, 3, 1, 5, 2, 4 };
    int e = 0;
    for (int i = from; e == 0 && i < from + count; i++) {
        struct bed_row row = { .time_ms = i * 1000 - (i % 3 == 1 ? 1500 : 0), .k = i & 1, .v = values[i % 12] };
        e = bed_row(bed, &row, i);
        if (e == 0 && i % 4 == 3)
            e = bed_mark(bed, i * 1000 - 3000);
    }
    return e;
}

/* All of it; the first failure ends it. */
static int go(struct bed *bed, bool lazy)
{
    int e = bed_start(bed);
    e = e ? e : feed(bed, 0, 8);
    e = e ? e : bed_cycle(bed, lazy);
    e = e ? e : feed(bed, 8, 8);
    e = e ? e : bed_save(bed);
    return e ? e : bed_mark(bed, BASE_TIME_MAX_MS);
}

static void forget(struct bed *bed)
{
    cep_flow_destroy(bed->flow);
    bed->flow = NULL;
    bed_forget_told(bed);
    bed_forget_pieces(bed);
    BASE_VEC_FINISH(&bed->told);
    BASE_VEC_FINISH(&bed->pieces);
    base_arena_finish(&bed->rows);
    bed->lazy = false;
}

static void sweep(struct bed *bed, size_t number, bool lazy)
{
    uint64_t before = base_alloc_live_blocks(), changes = bed->changes;
    char name[80];
    int e = go(bed, lazy);
    snprintf(name, sizeof name, "program %zu%s: runs and tells something", number, lazy ? ", state on demand" : "");
    OK(e == 0 && bed->changes > changes && !bed->wrong, name);
    forget(bed);
    uint64_t n = 0, others = 0, leaks = base_alloc_live_blocks() != before;
    bool fired = true;
    for (n = 1; fired && n < 100000; n++) {
        base_alloc_fail_at(n, false);
        e = go(bed, lazy);
        fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        others += fired ? e != BASE_E_NOMEM : e != 0;
        if (fired && e != BASE_E_NOMEM && others < 4)
            printf("# allocation %" PRIu64 ": error %d\n", n, e);
        forget(bed);
        leaks += base_alloc_live_blocks() != before;
    }
    snprintf(name, sizeof name, "program %zu%s: every failure is told as such", number, lazy ? ", state on demand" : "");
    OK(n > 20 && !fired && others == 0, name);
    snprintf(name, sizeof name, "program %zu%s: nothing leaks", number, lazy ? ", state on demand" : "");
    IS_INT(leaks, 0, name);
    printf("# %" PRIu64 " allocations\n", n);
}

int main(void)
{
    const struct patterns_options options = { .queries = true };
    for (size_t i = 0; i < FUZZ_PROGRAMS + MORE_PROGRAMS; i++) {
        struct bed bed;
        const char *text = i < FUZZ_PROGRAMS ? fuzz_programs[i] : more_programs[i - FUZZ_PROGRAMS];
        int e = bed_open(&bed, NULL, base_str_of(text), &options);
        e = e ? e : bed_link(&bed);
        if (OK(e == 0, "the rule compiles")) {
            sweep(&bed, i, false);
            sweep(&bed, i, true);
        }
        bed_close(&bed);
    }
    return tap_done();
}
