/* The evaluator: truth tables, overflow edges, NULLs, jumps, and random expressions against a naive evaluation. */
#include "tests/unit/tap.h"
#include "tests/unit/cep/asm.h"

#include <math.h>
#include <stdlib.h>

#include "base/time.h"
#include "cep/row.h"

/* Runs `d = a op b` over two given values; slots 0 and 1 are registers. */
static int run2(uint16_t op, uint32_t c, struct cep_type type, struct cep_type ret_type, struct cep_value a,
                struct cep_value b, struct cep_value *ret)
{
    struct cep_builder *builder = cep_builder_create();
    uint32_t ta = cep_builder_type(builder, type);
    uint32_t code =
        ASM(builder, ret_type, 3, I_(REG, .d = 0, .c = 0), I_(REG, .d = 1, .c = 1),
            ((struct cep_insn){ .op = op, .d = 2, .a = 0, .b = 1, .c = c == CEP_NONE ? ta : c }), I_(RETURN, .a = 2));
    struct asm_machine m;
    int e = asm_start(&m, builder);
    if (e < 0) {
        asm_finish(&m);
        return -1000;
    }
    struct cep_value regs[] = { a, b };
    struct cep_frame frame = { .regs = regs, .arena = &m.arena };
    e = cep_expr_run(m.expr, code, &frame, ret);
    if (e == 0 && !ret->null && cep_kind_is_text(ret_type.kind)) {
        static char kept[256];
        memcpy(kept, ret->s.ptr, ret->s.len);
        ret->s.ptr = kept;
    }
    asm_finish(&m);
    return e;
}

static const struct cep_type BOOLEAN = CEP_TYPE(BOOLEAN), BIGINT = CEP_TYPE(BIGINT), DOUBLE = CEP_TYPE(DOUBLE),
                             STRING = CEP_TYPE(STRING);

static int truth(struct cep_value v)
{
    return v.null ? 2 : v.i != 0;
}

static void test_truth_tables(void)
{
    struct cep_value values[] = { cep_int(0), cep_int(1), cep_null() };
    static const int and[3][3] = { { 0, 0, 0 }, { 0, 1, 2 }, { 0, 2, 2 } },
                     or [3][3] = { { 0, 1, 2 }, { 1, 1, 1 }, { 2, 1, 2 } };
    static const int unary[5][3] = { { 1, 0, 2 }, { 0, 0, 1 }, { 1, 1, 0 }, { 0, 1, 0 }, { 1, 0, 0 } };
    static const uint16_t ops[5] = { CEP_OP_NOT, CEP_OP_IS_NULL, CEP_OP_IS_NOT_NULL, CEP_OP_IS_TRUE, CEP_OP_IS_FALSE };
    bool good = true;
    for (int i = 0; i < 3; i++) {
        struct cep_value v;
        for (int j = 0; j < 3; j++) {
            good &= run2(CEP_OP_AND, 0, BOOLEAN, BOOLEAN, values[i], values[j], &v) == 0 && truth(v) == and[i][j];
            good &= run2(CEP_OP_OR, 0, BOOLEAN, BOOLEAN, values[i], values[j], &v) == 0 && truth(v) == or [i][j];
        }
        for (int k = 0; k < 5; k++)
            good &= run2(ops[k], 0, BOOLEAN, BOOLEAN, values[i], values[i], &v) == 0 && truth(v) == unary[k][i];
    }
    OK(good, "three-valued logic is as in the standard's truth tables");
}

static void is_i(uint16_t op, int64_t a, int64_t b, int want_error, int64_t want, const char *what)
{
    struct cep_value v = cep_null();
    int e = run2(op, 0, BIGINT, BIGINT, cep_int(a), cep_int(b), &v);
    OK(e == want_error && (e < 0 || (!v.null && v.i == want)), what);
}

static void test_integers(void)
{
    is_i(CEP_OP_ADD_I, INT64_MAX, 0, 0, INT64_MAX, "the greatest integer is reached");
    is_i(CEP_OP_ADD_I, INT64_MAX, 1, BASE_E_OVERFLOW, 0, "addition overflows");
    is_i(CEP_OP_SUB_I, INT64_MIN, 1, BASE_E_OVERFLOW, 0, "subtraction overflows");
    is_i(CEP_OP_MUL_I, INT64_MIN, -1, BASE_E_OVERFLOW, 0, "multiplication overflows");
    is_i(CEP_OP_DIV_I, INT64_MIN, -1, BASE_E_OVERFLOW, 0, "division overflows");
    is_i(CEP_OP_DIV_I, -7, 2, 0, -3, "division truncates");
    is_i(CEP_OP_DIV_I, 7, 0, BASE_E_DIVISION, 0, "division by zero is an error");
    is_i(CEP_OP_MOD_I, -7, 2, 0, -1, "the remainder has the dividend's sign");
    is_i(CEP_OP_MOD_I, INT64_MIN, -1, 0, 0, "the remainder by -1 is 0");
    is_i(CEP_OP_MOD_I, 7, 0, BASE_E_DIVISION, 0, "the remainder by zero is an error");
    is_i(CEP_OP_NEG_I, INT64_MIN, 0, BASE_E_OVERFLOW, 0, "negation overflows");
    is_i(CEP_OP_CHECK_INT, INT32_MAX, 0, 0, INT32_MAX, "the greatest INT fits");
    is_i(CEP_OP_CHECK_INT, INT64_C(1) << 31, 0, BASE_E_OVERFLOW, 0, "one more does not");
    is_i(CEP_OP_SUM_I, INT64_MAX, 1, BASE_E_OVERFLOW, 0, "a running sum overflows");
    struct cep_value v;
    bool good = true;
    static const uint16_t ops[] = { CEP_OP_ADD_I, CEP_OP_SUB_I, CEP_OP_MUL_I, CEP_OP_DIV_I,
                                    CEP_OP_MOD_I, CEP_OP_EQ_I,  CEP_OP_LT_I };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        struct cep_type ret = i < 5 ? BIGINT : BOOLEAN;
        struct cep_value poison = { .i = INT64_MIN, .null = true };
        good &= run2(ops[i], 0, BIGINT, ret, cep_null(), cep_int(5), &v) == 0 && v.null;
        good &= run2(ops[i], 0, BIGINT, ret, cep_int(INT64_MIN), poison, &v) == 0 && v.null;
        good &= run2(ops[i], 0, BIGINT, ret, cep_null(), cep_int(0), &v) == 0 && v.null;
    }
    OK(good, "NULL in gives NULL out, without an error");
}

static void test_others(void)
{
    struct cep_value v;
    OK(run2(CEP_OP_DIV_D, 0, DOUBLE, DOUBLE, cep_double(1), cep_double(0), &v) == BASE_E_DIVISION,
       "division of doubles by zero is an error");
    OK(run2(CEP_OP_MOD_D, 0, DOUBLE, DOUBLE, cep_double(7.5), cep_double(2), &v) == 0 && v.d == 1.5,
       "remainder of doubles");
    OK(run2(CEP_OP_LT_D, 0, DOUBLE, BOOLEAN, cep_double(1), cep_double(NAN), &v) == 0 && v.i == 0,
       "nothing is less than NaN");
    struct cep_value a = cep_string("ab", 2), b = cep_string("abc", 3);
    OK(run2(CEP_OP_LT_S, 0, STRING, BOOLEAN, a, b, &v) == 0 && v.i == 1, "the shorter text comes first");
    OK(run2(CEP_OP_EQ_S, 0, STRING, BOOLEAN, a, cep_null(), &v) == 0 && v.null, "NULL text");
    OK(run2(CEP_OP_CONCAT, 0, STRING, STRING, a, b, &v) == 0 && v.s.len == 5 && !memcmp(v.s.ptr, "ababc", 5),
       "concatenation");
    OK(run2(CEP_OP_SAME, CEP_NONE, STRING, BOOLEAN, cep_null(), cep_null(), &v) == 0 && v.i == 1,
       "NULL is not distinct from NULL");
    OK(run2(CEP_OP_MIN, CEP_NONE, STRING, STRING, b, a, &v) == 0 && v.s.len == 2, "the running minimum of texts");
    OK(run2(CEP_OP_MAX, CEP_NONE, BIGINT, BIGINT, cep_null(), cep_int(3), &v) == 0 && v.i == 3,
       "the first value is the maximum");
    OK(run2(CEP_OP_MAX, CEP_NONE, BIGINT, BIGINT, cep_int(3), cep_null(), &v) == 0 && v.i == 3, "NULL keeps it");
    OK(run2(CEP_OP_COUNT_IF, 0, BIGINT, BIGINT, cep_null(), cep_int(0), &v) == 0 && v.i == 1,
       "counting starts at NULL");
    OK(run2(CEP_OP_COUNT_IF, 0, BIGINT, BIGINT, cep_int(4), cep_null(), &v) == 0 && v.i == 4, "NULL is not counted");
    struct cep_type decimal = CEP_DECIMAL_TYPE(12, 2);
    uint32_t scales = 2u | 2u << 8 | 13u << 16 | 2u << 24;
    OK(run2(CEP_OP_ADD_N, scales, decimal, CEP_DECIMAL_TYPE(13, 2), cep_dec(1050), cep_dec(-25), &v) == 0 &&
           cep_dec_get(v) == 1025,
       "decimals are added");
    OK(run2(CEP_OP_GT_N, 0, decimal, BOOLEAN, cep_dec(1050), cep_dec(-25), &v) == 0 && v.i == 1,
       "decimals are compared with their sign");
    scales = 2u | 2u << 8 | 4u << 16 | 2u << 24;
    OK(run2(CEP_OP_MUL_N, scales, decimal, CEP_DECIMAL_TYPE(4, 2), cep_dec(999999), cep_dec(999999), &v) ==
           BASE_E_OVERFLOW,
       "a decimal result with too many digits is an error");
    int64_t day = 0;
    OK(base_time_parse("2026-01-31", 10, &day, NULL), "a day");
    OK(run2(CEP_OP_ADD_MONTHS, CEP_KIND_TIMESTAMP, BIGINT, BIGINT, cep_int(day), cep_int(1), &v) == 0 &&
           v.i == day + 28 * INT64_C(86400000),
       "a month after 31 January is 28 February");
}

/* Rows with every kind of slot. */
static void test_columns(void)
{
    struct cep_type types[] = {
        CEP_TYPE(INT), DOUBLE, CEP_DECIMAL_TYPE(10, 2), CEP_DECIMAL_TYPE(38, 2), STRING, BIGINT
    };
    cep_int128 wide = (cep_int128)1 << 100;
    struct cep_value values[] = { cep_int(-5),    cep_double(2.5),       cep_dec(-12345),
                                  cep_dec(-wide), cep_string("text", 4), cep_null() };
    struct cep_builder *b = cep_builder_create();
    uint32_t codes[7];
    for (uint32_t i = 0; i < 6; i++)
        codes[i] = ASM(b, types[i], 1, I_(COLUMN, .d = 0, .c = i), I_(RETURN, .a = 0));
    codes[6] = ASM(b, BIGINT, 1, I_(NAV, .d = 0, .c = 0, .e = -1), I_(RETURN, .a = 0));
    struct asm_machine m;
    IS_INT(asm_start(&m, b), 0, "codes over columns link");
    struct cep_row *row = NULL;
    IS_INT(cep_row_make(types, values, 6, 77, (struct cep_position){ 0 }, &m.arena, &row), 0, "a row");
    struct cep_frame frame = { .row = &row->tuple, .row_types = types, .arena = &m.arena };
    for (uint32_t i = 0; i < 6; i++) {
        struct cep_value v = cep_null();
        OK(cep_expr_run(m.expr, codes[i], &frame, &v) == 0 && cep_value_same(types[i], v, values[i]),
           "the column comes back");
    }
    struct cep_value v = cep_int(1);
    OK(cep_expr_run(m.expr, codes[6], &frame, &v) == 0 && v.null, "without neighbours NAV gives NULL");
    frame.row = NULL;
    OK(cep_expr_run(m.expr, codes[0], &frame, &v) == 0 && v.null, "without a row a column is NULL");
    bool is_true = true;
    OK(cep_expr_test(m.expr, codes[0], &frame, &is_true) == 0 && !is_true, "NULL is not TRUE");
    asm_finish(&m);
}

static void test_jumps_and_calls(void)
{
    struct cep_builder *b = cep_builder_create();
    struct cep_type two[] = { BIGINT, BIGINT };
    uint32_t greatest = asm_call(b, "GREATEST", two, NULL, 2, BIGINT),
             coalesce = asm_call(b, "COALESCE", two, NULL, 2, BIGINT);
    uint32_t ten = cep_builder_const(b, BIGINT, cep_int(10)), zero = cep_builder_const(b, BIGINT, cep_int(0));
    OK(cep_builder_const(b, BIGINT, cep_int(10)) == ten, "constants are interned");
    /* CASE WHEN r0 > 0 THEN r0 ELSE GREATEST(r1, 10) END */
    uint32_t code =
        ASM(b, BIGINT, 4, I_(REG, .d = 0, .c = 0), I_(CONST, .d = 1, .c = zero), I_(GT_I, .d = 2, .a = 0, .b = 1),
            I_(JUMP_NOT_TRUE, .a = 2, .c = 5), I_(RETURN, .a = 0), I_(REG, .d = 1, .c = 1), I_(CONST, .d = 2, .c = ten),
            I_(CALL, .d = 3, .a = 1, .b = 2, .c = greatest), I_(RETURN, .a = 3));
    uint32_t other = ASM(b, BIGINT, 2, I_(REG, .d = 0, .c = 0), I_(REG, .d = 1, .c = 1),
                         I_(CALL, .d = 0, .a = 0, .b = 2, .c = coalesce), I_(RETURN, .a = 0));
    uint32_t store = ASM(b, CEP_TYPE(NULL), 1, I_(REG, .d = 0, .c = 1), I_(STORE, .a = 0, .c = 0), I_(END));
    struct asm_machine m;
    IS_INT(asm_start(&m, b), 0, "a program with calls links");
    struct cep_value regs[] = { cep_int(7), cep_int(99) }, stored[1] = { cep_null() }, v;
    struct cep_frame frame = { .regs = regs, .new_regs = stored, .arena = &m.arena };
    OK(cep_expr_run(m.expr, code, &frame, &v) == 0 && v.i == 7, "the first branch");
    regs[0] = cep_null();
    OK(cep_expr_run(m.expr, code, &frame, &v) == 0 && v.i == 99, "NULL takes the second branch");
    regs[1] = cep_null();
    OK(cep_expr_run(m.expr, code, &frame, &v) == 0 && v.null, "a strict function is not called with NULL");
    regs[1] = cep_int(5);
    OK(cep_expr_run(m.expr, other, &frame, &v) == 0 && v.i == 5, "COALESCE sees NULL");
    OK(cep_expr_run(m.expr, store, &frame, &v) == 0 && stored[0].i == 5, "STORE writes the new registers");
    asm_finish(&m);

    b = cep_builder_create();
    (void)asm_call(b, "NO_SUCH", two, NULL, 2, BIGINT);
    OK(asm_start(&m, b) == BASE_E_NOTFOUND && m.error && strstr(m.error, "NO_SUCH"), "an unknown function is named");
    asm_finish(&m);
    b = cep_builder_create();
    (void)asm_call(b, "GREATEST", two, NULL, 2, STRING);
    OK(asm_start(&m, b) == BASE_E_INVALID && m.error, "a call with the wrong types does not link");
    asm_finish(&m);
}

static void test_fold(void)
{
    struct cep_builder *b = cep_builder_create();
    uint32_t hello = cep_builder_const(b, STRING, cep_string("hello", 5));
    uint32_t code = ASM(b, STRING, 1, I_(CONST, .d = 0, .c = hello), I_(RETURN, .a = 0));
    struct cep_program *p = NULL;
    IS_INT(cep_builder_finish(b, &p), 0, "a program to fold");
    cep_builder_destroy(b);
    struct cep_funcs *funcs = cep_funcs_create();
    struct base_arena arena = { 0 };
    struct cep_value v = cep_null();
    IS_INT(cep_expr_fold(p, code, funcs, &arena, &v), 0, "it folds");
    cep_program_free(p);
    cep_funcs_destroy(funcs);
    OK(v.s.len == 5 && memcmp(v.s.ptr, "hello", 5) == 0, "the text outlives the program");
    base_arena_finish(&arena);
}

/* ---- random expressions ---- */

static uint64_t seed;
static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 32) % n);
}

struct naive {
    int64_t i;
    bool null;
    int error;
};
struct gen {
    struct cep_insn insns[2000];
    uint32_t count;
    const struct cep_value *regs;
};

static struct naive naive_of(struct cep_value v)
{
    return (struct naive){ v.i, v.null, 0 };
}

/* Emits into slot `at` (stack discipline) and gives what it must be. Errors stick. */
static struct naive gen_number(struct gen *g, uint16_t at, int depth);
static struct naive gen_truth(struct gen *g, uint16_t at, int depth)
{
    if (depth == 0 || rnd(3) == 0) {
        static const uint16_t ops[] = { CEP_OP_EQ_I, CEP_OP_NE_I, CEP_OP_LT_I, CEP_OP_LE_I, CEP_OP_GT_I, CEP_OP_GE_I };
        struct naive a = gen_number(g, at, depth ? depth - 1 : 0), b = gen_number(g, at + 1, depth ? depth - 1 : 0);
        uint32_t op = rnd(6);
        g->insns[g->count++] = (struct cep_insn){ .op = ops[op], .d = at, .a = at, .b = at + 1 };
        bool results[] = { a.i == b.i, a.i != b.i, a.i<b.i, a.i <= b.i, a.i> b.i, a.i >= b.i };
        return (struct naive){ results[op], a.null || b.null, a.error ? a.error : b.error };
    }
    struct naive a = gen_truth(g, at, depth - 1);
    if (rnd(4) == 0) {
        g->insns[g->count++] = I_(NOT, .d = at, .a = at);
        return (struct naive){ !a.i, a.null, a.error };
    }
    struct naive b = gen_truth(g, at + 1, depth - 1);
    bool and = rnd(2);
    g->insns[g->count++] = (struct cep_insn){ .op = and? CEP_OP_AND : CEP_OP_OR, .d = at, .a = at, .b = at + 1 };
    bool decided = (!a.null && a.i != and) || (!b.null && b.i != and);
    return (struct naive){ decided ? !and : and, !decided && (a.null || b.null), a.error ? a.error : b.error };
}

static struct naive arithmetic(uint32_t op, struct naive a, struct naive b)
{
    struct naive r = { 0, a.null || b.null, a.error ? a.error : b.error };
    if (r.null || r.error)
        return r;
    cep_int128 wide = op == 0 ? (cep_int128)a.i + b.i : op == 1 ? (cep_int128)a.i - b.i : (cep_int128)a.i * b.i;
    if (op == 3 && b.i == 0)
        r.error = BASE_E_DIVISION;
    else if (op == 3)
        wide = (cep_int128)a.i / b.i;
    if (!r.error && (wide < INT64_MIN || wide > INT64_MAX))
        r.error = BASE_E_OVERFLOW;
    r.i = (int64_t)wide;
    return r;
}

static struct naive gen_number(struct gen *g, uint16_t at, int depth)
{
    if (depth == 0 || rnd(4) == 0) {
        uint32_t reg = rnd(6);
        g->insns[g->count++] = (struct cep_insn){ .op = CEP_OP_REG, .d = at, .c = reg };
        return naive_of(g->regs[reg]);
    }
    if (rnd(4) == 0) { /* CASE WHEN t THEN x ELSE y END */
        struct naive t = gen_truth(g, at, depth - 1);
        uint32_t branch = g->count++;
        struct naive x = gen_number(g, at, depth - 1);
        uint32_t skip = g->count++;
        g->insns[branch] = (struct cep_insn){ .op = CEP_OP_JUMP_NOT_TRUE, .a = at, .c = g->count };
        struct naive y = gen_number(g, at, depth - 1);
        g->insns[skip] = (struct cep_insn){ .op = CEP_OP_JUMP, .c = g->count };
        struct naive r = !t.null && t.i ? x : y;
        r.error = t.error ? t.error : r.error;
        return r;
    }
    static const uint16_t ops[] = { CEP_OP_ADD_I, CEP_OP_SUB_I, CEP_OP_MUL_I, CEP_OP_DIV_I };
    struct naive a = gen_number(g, at, depth - 1), b = gen_number(g, at + 1, depth - 1);
    uint32_t op = rnd(4);
    g->insns[g->count++] = (struct cep_insn){ .op = ops[op], .d = at, .a = at, .b = at + 1 };
    return arithmetic(op, a, b);
}

static void test_random(void)
{
    static struct gen g;
    int wrong = 0, errors = 0, nulls = 0;
    for (int round = 0; round < 3000; round++) {
        seed = 0x9e3779b97f4a7c15u + (uint64_t)round * 7919;
        (void)rnd(2);
        struct cep_value regs[6];
        for (int i = 0; i < 6; i++)
            regs[i] = rnd(5) == 0   ? cep_null()
                      : rnd(8) == 0 ? cep_int(rnd(2) ? INT64_MAX : INT64_MIN)
                                    : cep_int((int64_t)rnd(7) - 3);
        g.count = 0;
        g.regs = regs;
        bool logic = rnd(2);
        struct naive want = logic ? gen_truth(&g, 0, 5) : gen_number(&g, 0, 5);
        g.insns[g.count++] = I_(RETURN, .a = 0);
        struct cep_builder *b = cep_builder_create();
        uint32_t code = asm_code(b, logic ? BOOLEAN : BIGINT, 32, g.insns, g.count);
        struct asm_machine m;
        struct cep_value v = cep_null();
        int e = asm_start(&m, b);
        struct cep_frame frame = { .regs = regs, .arena = &m.arena };
        if (e == 0)
            e = cep_expr_run(m.expr, code, &frame, &v);
        bool good = e == want.error && (e < 0 || (v.null == want.null && (v.null || v.i == want.i)));
        errors += e < 0;
        nulls += e == 0 && v.null;
        if (!good && ++wrong < 5)
            printf("# round %d: error %d, want %d; value %" PRId64 " null %d, want %" PRId64 " null %d\n", round, e,
                   want.error, v.i, v.null, want.i, want.null);
        asm_finish(&m);
    }
    IS_INT(wrong, 0, "3,000 random expressions agree with the naive evaluation");
    OK(errors > 50 && nulls > 50, "errors and NULLs were among them");
}

int main(void)
{
    test_truth_tables();
    test_integers();
    test_others();
    test_columns();
    test_jumps_and_calls();
    test_fold();
    test_random();
    return tap_done();
}
