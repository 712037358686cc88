/* Aggregates: any order of additions, takings back, joins and storings gives the same result; sketches keep their promises; memory that fails is told. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "cep/agg.h"
#include "cep/agg_exact.h"
#include "cep/agg_sketch.h"
#include "tests/unit/cep/asm.h"
#include "tests/unit/tap.h"

static uint64_t seed = 1;
static uint64_t next(void)
{
    seed += UINT64_C(0x9e3779b97f4a7c15);
    return base_hash64(&seed, sizeof seed, 3);
}

/* ---- sums of doubles ---- */

static void test_exact(void)
{
    struct cep_exact sum = { 0 }, other = { 0 }, back;
    cep_exact_add(&sum, 1e308, 1);
    cep_exact_add(&sum, 1e308, 1); /* beyond a double, on the way */
    cep_exact_add(&sum, 1.25, 1);
    cep_exact_add(&sum, 5e-324, 1);
    cep_exact_add(&sum, -1e308, 1);
    cep_exact_add(&sum, 1e308, -1);
    OK(cep_exact_get(&sum) == 1.25, "what rounding would lose is there");
    OK(cep_exact_rest(&sum) == 5e-324, "so is the rest");
    cep_exact_add(&sum, 1.25, -1);
    OK(cep_exact_get(&sum) == 5e-324, "the least double");
    cep_exact_add(&sum, INFINITY, 1);
    OK(isinf(cep_exact_get(&sum)), "infinity");
    cep_exact_add(&sum, NAN, 1);
    OK(isnan(cep_exact_get(&sum)), "NaN");
    cep_exact_add(&sum, NAN, -1);
    cep_exact_add(&sum, INFINITY, -1);
    cep_exact_add(&sum, 5e-324, -1);
    OK(cep_exact_get(&sum) == 0, "all taken back");
    bool good = true;
    for (int round = 0; round < 200; round++) {
        double values[40];
        struct base_buf buf = { 0 };
        memset(&sum, 0, sizeof sum);
        memset(&other, 0, sizeof other);
        for (int i = 0; i < 40; i++) {
            values[i] = ldexp((double)(int64_t)next(), (int)(next() % 1900) - 1000);
            cep_exact_add(i % 2 ? &sum : &other, values[i], 1);
        }
        cep_exact_merge(&sum, &other);
        memset(&other, 0, sizeof other);
        for (int i = 40; i-- > 0;)
            cep_exact_add(&other, values[i], 1);
        cep_exact_save(&sum, &buf);
        struct base_reader in = base_reader_of(buf.ptr, buf.len);
        good = good && cep_exact_load(&in, &back) && memcmp(&back, &other, sizeof back) == 0 && in.at == in.end;
        base_buf_finish(&buf);
    }
    OK(good, "any order, joined, stored: the same bits");
}

/* ---- sketches ---- */

static void test_sketches(void)
{
    bool good = true;
    for (uint32_t n = 10; n <= 1000000; n *= 10) {
        struct cep_hll a = { 0 }, b = { 0 };
        for (uint32_t i = 0; i < n; i++) {
            uint64_t hash = base_hash64(&i, sizeof i, 7);
            good = good && !cep_hll_add(i % 3 ? &a : &b, hash) && (i % 5 || !cep_hll_add(&b, hash));
        }
        good = good && !cep_hll_merge(&a, &b);
        double count = (double)cep_hll_count(&a), error = fabs(count - n) / n;
        good = good && (n <= CEP_HLL_SPARSE ? error == 0 : error < 0.05);
        cep_hll_finish(&a);
        cep_hll_finish(&b);
    }
    OK(good, "different values are counted within three standard errors, few of them exactly");
    struct cep_dd dd = { 0 };
    good = true;
    for (int i = 1; i <= 20000; i++)
        good = good && !cep_dd_add(&dd, i - 5000.5, 1);
    double median = cep_dd_percentile(&dd, 0.5), low = cep_dd_percentile(&dd, 0.05), high = cep_dd_percentile(&dd, 0.99);
    OK(good && fabs(median - 4999.5) < 51 && fabs(low + 4000) < 41 && fabs(high - 14799) < 149, "percentiles within 1 %");
    for (int i = 1; i <= 20000; i++)
        good = good && !cep_dd_add(&dd, i - 5000.5, -1);
    OK(good && dd.total == 0 && dd.positive.len == 0 && dd.negative.len == 0, "all taken back");
    for (int i = -1000; i < 1000; i++)
        good = good && !cep_dd_add(&dd, ldexp(1, i), 1);
    OK(good && dd.positive.len <= CEP_DD_BUCKETS && fabs(cep_dd_percentile(&dd, 1) / ldexp(1, 999) - 1) < 0.011, "buckets are bounded, the great ones stay");
    cep_dd_finish(&dd);
}

/* ---- cells ---- */

struct sample { struct cep_value value; struct cep_agg_order order; bool gone; };

static struct cep_value random_value(struct cep_type type)
{
    static const char *const texts[] = { "a", "bb", "", "ccc", "a longer text than the others" };
    const char *text = texts[next() % 5];
    if (next() % 6 == 0)
        return cep_null();
    if (type.kind == CEP_KIND_STRING)
        return cep_string(text, strlen(text));
    if (type.kind == CEP_KIND_DECIMAL)
        return cep_dec((cep_int128)(int64_t)(next() % 2001) - 1000);
    if (type.kind == CEP_KIND_DOUBLE)
        return cep_double((double)(int64_t)(next() % 1000) / 8 - 60);
    return cep_int((int64_t)(next() % 21) - 10);
}

static bool same_result(struct cep_program *program, const struct cep_agg *agg, const struct cep_agg_cell *a, const struct cep_agg_cell *b)
{
    struct base_arena arena = { 0 };
    struct cep_value x, y;
    int ra = cep_agg_result(program, agg, a, &arena, &x), rb = cep_agg_result(program, agg, b, &arena, &y);
    bool same = ra == rb && (ra || cep_value_same(agg->type, x, y));
    base_arena_finish(&arena);
    return same;
}

static bool stored(struct cep_program *program, const struct cep_agg *agg, const struct cep_agg_cell *cell)
{
    struct base_buf buf = { 0 };
    struct cep_agg_cell back = { 0 };
    cep_agg_save(agg, cell, &buf);
    struct base_reader in = base_reader_of(buf.ptr, buf.len);
    bool good = cep_agg_load(agg, &in, &back) == 0 && in.at == in.end && same_result(program, agg, cell, &back);
    cep_agg_clear(agg, &back);
    for (size_t cut = 0; cut < buf.len && good; cut++) { /* damaged bytes never read outside, and are told or mean another value */
        struct base_reader damaged = base_reader_of(buf.ptr, cut);
        int rc = cep_agg_load(agg, &damaged, &back);
        good = rc == 0 || rc == BASE_E_CORRUPT;
        cep_agg_clear(agg, &back);
    }
    base_buf_finish(&buf);
    return good;
}

/* Values in any order, in two cells that are joined, some taken back: as if only those that stay had come in order. */
static bool one_round(struct cep_program *program, const struct cep_agg *agg)
{
    struct sample samples[60];
    struct cep_agg_cell parts[2] = { 0 }, plain = { 0 };
    uint32_t n = (uint32_t)(next() % 60);
    bool good = true, takes = cep_agg_invertible(agg);
    for (uint32_t i = 0; i < n; i++)
        samples[i] = (struct sample){ random_value(agg->arg == CEP_NONE ? CEP_TYPE(BIGINT) : agg->arg_type), { (int64_t)i / 3, { .offset = i } }, takes && next() % 4 == 0 };
    for (uint32_t step = 0; step < n; step++) {
        uint32_t i = (step * 37 + 11) % 61 % n;
        struct sample swap = samples[i];
        samples[i] = samples[step];
        samples[step] = swap;
    }
    for (uint32_t i = 0; i < n; i++)
        good = good && !cep_agg_add(agg, &parts[next() % 2 && !agg->retracts && !samples[i].gone], samples[i].value, &samples[i].order);
    for (uint32_t i = 0; i < n; i++)
        if (samples[i].gone)
            good = good && !cep_agg_take(agg, &parts[0], samples[i].value, &samples[i].order);
    good = good && !cep_agg_merge(agg, &parts[0], &parts[1]);
    for (uint32_t at = 0; at < 60; at++)
        for (uint32_t i = 0; i < n; i++)
            if (samples[i].order.at.offset == at && !samples[i].gone)
                good = good && !cep_agg_add(agg, &plain, samples[i].value, &samples[i].order);
    good = good && same_result(program, agg, &parts[0], &plain) && stored(program, agg, &parts[0]);
    cep_agg_clear(agg, &parts[0]);
    cep_agg_clear(agg, &parts[1]);
    cep_agg_clear(agg, &plain);
    return good;
}

static void test_cells(void)
{
    static const struct cep_type types[] = { { .kind = CEP_KIND_BIGINT }, { .kind = CEP_KIND_DOUBLE }, { .kind = CEP_KIND_DECIMAL, .precision = 12, .scale = 2 },
                                             { .kind = CEP_KIND_DECIMAL, .precision = 30, .scale = 2 }, { .kind = CEP_KIND_STRING } };
    struct asm_machine m;
    struct cep_builder *b = cep_builder_create();
    uint32_t fraction = cep_builder_const(b, CEP_TYPE(DOUBLE), cep_double(0.4)), comma = cep_builder_const(b, CEP_TYPE(STRING), cep_string("; ", 2));
    if (asm_start(&m, b) != 0) {
        OK(false, "a program");
        return;
    }
    for (uint32_t kind = CEP_AGG_COUNT; kind < CEP_AGG_KINDS; kind++) {
        bool good = true;
        if (kind == CEP_AGG_ARRAY) /* of arrays: tests/relational/sql.py */
            continue;
        for (uint32_t t = 0; t < sizeof types / sizeof *types * 4; t++) {
            struct cep_type type = types[t / 4];
            bool text = type.kind == CEP_KIND_STRING, number = kind != CEP_AGG_COUNT && kind != CEP_AGG_MIN && kind != CEP_AGG_MAX && kind != CEP_AGG_FIRST &&
                                                                kind != CEP_AGG_LAST && kind != CEP_AGG_APPROX_DISTINCT;
            struct cep_agg agg = { .kind = kind, .filter = CEP_NONE, .distinct = t % 2, .retracts = t / 2 % 2, .arg_type = type, .type = type };
            agg.param = kind == CEP_AGG_LISTAGG ? comma : fraction;
            if ((text && number && kind != CEP_AGG_LISTAGG) || (kind == CEP_AGG_EWMA && type.kind != CEP_KIND_DOUBLE) || (!text && kind == CEP_AGG_LISTAGG) ||
                (agg.distinct && (kind >= CEP_AGG_FIRST || kind == CEP_AGG_MIN || kind == CEP_AGG_MAX)))
                continue;
            if (kind == CEP_AGG_COUNT || kind == CEP_AGG_APPROX_DISTINCT)
                agg.type = CEP_TYPE(BIGINT);
            else if (number && kind != CEP_AGG_SUM && kind != CEP_AGG_LISTAGG)
                agg.type = kind == CEP_AGG_AVG && type.kind == CEP_KIND_DECIMAL ? CEP_DECIMAL_TYPE(38, 6) : CEP_TYPE(DOUBLE);
            for (int round = 0; round < 60; round++)
                good = good && one_round(m.program, &agg);
        }
        char what[80];
        snprintf(what, sizeof what, "aggregate %" PRIu32 ": order, taking back, joining, storing", kind);
        OK(good, what);
    }
    asm_finish(&m);
}

/* By hand, with weight 0.4: 1, 1.4, 2.04, 2.824, 3.6944; whatever the order of the calls. Of many values the newest 4,096 are kept. */
static void test_moving_average(void)
{
    struct asm_machine m;
    struct cep_builder *b = cep_builder_create();
    uint32_t weight = cep_builder_const(b, CEP_TYPE(DOUBLE), cep_double(0.4));
    if (asm_start(&m, b) != 0) {
        OK(false, "a program");
        return;
    }
    static const uint32_t orders[][5] = { { 1, 2, 3, 4, 5 }, { 5, 4, 3, 2, 1 }, { 3, 1, 5, 2, 4 } };
    struct cep_agg agg = { .kind = CEP_AGG_EWMA, .filter = CEP_NONE, .param = weight, .arg_type = CEP_TYPE(DOUBLE), .type = CEP_TYPE(DOUBLE) };
    struct base_arena arena = { 0 };
    struct cep_value got;
    bool good = true;
    for (int i = 0; i < 3; i++) {
        struct cep_agg_cell cell = { 0 };
        for (int k = 0; k < 5; k++) {
            struct cep_agg_order order = { orders[i][k], { 0 } };
            good = good && cep_agg_add(&agg, &cell, cep_double(orders[i][k]), &order) == 0;
        }
        good = good && cep_agg_result(m.program, &agg, &cell, &arena, &got) == 0 && fabs(got.d - 3.6944) < 1e-12;
        cep_agg_clear(&agg, &cell);
    }
    OK(good, "a moving average follows the rows' order");
    struct cep_agg_cell cell = { 0 };
    for (int k = 0; k < 10000; k++) {
        struct cep_agg_order order = { k, { 0 } };
        good = good && cep_agg_add(&agg, &cell, cep_double(k < 9000 ? 1 : 7), &order) == 0;
    }
    printf("# %" PRId64 " values, %zu bytes\n", cell.count, cep_agg_bytes(&agg, &cell));
    good = good && cell.count == 4096 && cep_agg_bytes(&agg, &cell) < 1200000;
    OK(good && cep_agg_result(m.program, &agg, &cell, &arena, &got) == 0 && fabs(got.d - 7) < 1e-12, "and keeps no more than it needs");
    cep_agg_clear(&agg, &cell);
    base_arena_finish(&arena);
    asm_finish(&m);
}

/* Each allocation failed once: told, nothing lost. */
static void test_no_memory(void)
{
    static const struct { uint32_t kind; bool distinct, retracts; } plans[] = {
        { CEP_AGG_COUNT, true, false }, { CEP_AGG_SUM, true, false }, { CEP_AGG_MAX, false, false }, { CEP_AGG_MIN, false, true }, { CEP_AGG_FIRST, false, false },
        { CEP_AGG_LISTAGG, false, false }, { CEP_AGG_APPROX_DISTINCT, false, false }, { CEP_AGG_STDDEV_POP, false, false }, { CEP_AGG_APPROX_PERCENTILE, false, false } };
    uint64_t before = base_alloc_live_blocks();
    bool good = true;
    for (size_t p = 0; p < sizeof plans / sizeof *plans; p++) {
        bool text = plans[p].kind == CEP_AGG_LISTAGG || plans[p].kind == CEP_AGG_MAX || plans[p].kind == CEP_AGG_FIRST;
        struct cep_agg agg = { .kind = plans[p].kind, .filter = CEP_NONE, .param = CEP_NONE, .distinct = plans[p].distinct, .retracts = plans[p].retracts,
                               .arg_type = text ? CEP_TYPE(STRING) : CEP_TYPE(DOUBLE), .type = CEP_TYPE(BIGINT) };
        bool fired = true;
        for (uint64_t nth = 1; fired; nth++) {
            struct cep_agg_cell cell = { 0 };
            int rc = 0;
            base_alloc_fail_at(nth, false);
            for (uint32_t i = 0; i < 400 && !rc; i++) {
                const struct cep_agg_order order = { 5, { .offset = i } };
                rc = cep_agg_add(&agg, &cell, text ? cep_string("text", i % 4) : cep_double(i), &order);
            }
            fired = base_alloc_fault_fired();
            base_alloc_fail_at(0, false);
            good = good && (fired ? rc == BASE_E_NOMEM : rc == 0);
            cep_agg_clear(&agg, &cell);
        }
    }
    OK(good && base_alloc_live_blocks() == before, "each allocation failed once is told, and nothing is left behind");
}

int main(void)
{
    test_exact();
    test_sketches();
    test_cells();
    test_moving_average();
    test_no_memory();
    return tap_done();
}
