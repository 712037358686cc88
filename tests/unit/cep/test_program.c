/* Programs: builder, verifier, printer. The verifier is tried with a whole program whose bytes are flipped: what it
 * lets pass must run without harm. */
#include "tests/unit/rnd.h"
#include "tests/unit/tap.h"
#include "tests/unit/cep/asm.h"

#include "base/alloc.h"

static const struct cep_type BOOLEAN = CEP_TYPE(BOOLEAN), BIGINT = CEP_TYPE(BIGINT), STRING = CEP_TYPE(STRING),
                             NONE = CEP_TYPE(NULL);

static struct cep_list columns(struct cep_builder *b, const char *const *names, const struct cep_type *types,
                               uint32_t n)
{
    struct cep_list list = { cep_builder_count(b, CEP_SEC_COLUMNS), n };
    for (uint32_t i = 0; i < n; i++) {
        struct cep_column c = { cep_builder_text(b, base_str_of(names[i])), types[i] };
        (void)cep_builder_add(b, CEP_SEC_COLUMNS, &c, 1);
    }
    return list;
}

static uint32_t schema(struct cep_builder *b, const char *const *names, const struct cep_type *types, uint32_t n)
{
    struct cep_schema s = { columns(b, names, types, n), CEP_NONE };
    return cep_builder_add(b, CEP_SEC_SCHEMAS, &s, 1);
}

static uint32_t node(struct cep_builder *b, uint32_t kind, uint32_t input, uint32_t schema_index, uint32_t detail)
{
    struct cep_node n = { .kind = kind, .schema = schema_index, .detail = detail, .rule = CEP_NONE };
    if (input != CEP_NONE)
        n.inputs = cep_builder_u32s(b, &input, 1);
    return cep_builder_add(b, CEP_SEC_NODES, &n, 1);
}

/* orders(user STRING, amount BIGINT): calc, exchange by user, a pattern A B+ with registers, an alert, a sink. */
static struct cep_builder *sample(void)
{
    struct cep_builder *b = cep_builder_create();
    if (!b)
        return NULL;
    const char *const names[] = { "user", "amount" }, *const out_names[] = { "user", "total" };
    struct cep_type types[] = { STRING, BIGINT };
    uint32_t in = schema(b, names, types, 2), out = schema(b, out_names, types, 2);
    struct cep_field fields[] = { { .name = cep_builder_text(b, BASE_STR("user")),
                                    .path = cep_builder_text(b, BASE_STR("user")),
                                    .type = STRING },
                                  { .name = cep_builder_text(b, BASE_STR("amount")),
                                    .path = cep_builder_text(b, BASE_STR("amount")),
                                    .type = BIGINT } };
    struct cep_option option = { cep_builder_text(b, BASE_STR("connector")), cep_builder_text(b, BASE_STR("kafka")) };
    struct cep_table table = { .name = cep_builder_text(b, BASE_STR("orders")),
                               .fields = { cep_builder_add(b, CEP_SEC_FIELDS, fields, 2), 2 },
                               .options = { cep_builder_add(b, CEP_SEC_OPTIONS, &option, 1), 1 },
                               .rowtime_field = CEP_NONE,
                               .declared_columns = 2 };
    uint32_t t = cep_builder_add(b, CEP_SEC_TABLES, &table, 1);

    uint32_t zero = cep_builder_const(b, BIGINT, cep_int(0)), mark = cep_builder_const(b, STRING, cep_string("!", 1));
    struct cep_type upper_types[] = { STRING };
    uint32_t upper = asm_call(b, "UPPER", upper_types, NULL, 1, STRING);
    uint32_t positive = ASM(b, BOOLEAN, 2, I_(COLUMN, .d = 0, .c = 1), I_(CONST, .d = 1, .c = zero),
                            I_(GT_I, .d = 0, .a = 0, .b = 1), I_(RETURN, .a = 0));
    uint32_t user =
        ASM(b, STRING, 2, I_(COLUMN, .d = 0, .c = 0), I_(CONST, .d = 1, .c = mark), I_(CONCAT, .d = 0, .a = 0, .b = 1),
            I_(CALL, .d = 0, .a = 0, .b = 1, .c = upper), I_(RETURN, .a = 0));
    uint32_t amount = ASM(b, BIGINT, 1, I_(COLUMN, .d = 0, .c = 1), I_(RETURN, .a = 0));
    uint32_t key = ASM(b, STRING, 1, I_(COLUMN, .d = 0, .c = 0), I_(RETURN, .a = 0));
    uint32_t more =
        ASM(b, BOOLEAN, 3, I_(COLUMN, .d = 0, .c = 1), I_(REG, .d = 1, .c = 0), I_(JUMP_NULL, .a = 1, .c = 4),
            I_(JUMP, .c = 5), I_(CONST, .d = 1, .c = zero), I_(GT_I, .d = 2, .a = 0, .b = 1), I_(RETURN, .a = 2));
    uint32_t update = ASM(b, NONE, 1, I_(COLUMN, .d = 0, .c = 1), I_(STORE, .a = 0, .c = 0), I_(END));
    uint32_t total = ASM(b, NONE, 2, I_(REG, .d = 0, .c = 0), I_(COLUMN, .d = 1, .c = 1),
                         I_(SUM_I, .d = 0, .a = 0, .b = 1), I_(STORE, .a = 0, .c = 0), I_(END));
    uint32_t measure = ASM(b, BIGINT, 1, I_(FINAL, .d = 0, .c = 0), I_(RETURN, .a = 0));

    uint32_t outputs[] = { user, amount };
    struct cep_calc calc = { .filter = positive, .outputs = cep_builder_u32s(b, outputs, 2), .rowtime_code = CEP_NONE };
    uint32_t null = cep_builder_const(b, BIGINT, cep_null());
    struct cep_reg reg = { BIGINT, null, 0 };
    struct cep_nfa nfas[] = { { .op = CEP_NFA_TAKE, .var = 0, .a = 1 },
                              { .op = CEP_NFA_TAKE, .var = 1, .a = 2 },
                              { .op = CEP_NFA_SPLIT, .a = 1, .b = 3 },
                              { .op = CEP_NFA_MATCH } };
    struct cep_pred preds[] = { { .code = CEP_NONE, .unary = 1, .var = 0 }, { .code = more, .var = 1 } };
    struct cep_var vars[] = { { cep_builder_text(b, BASE_STR("A")), 0, update, total },
                              { cep_builder_text(b, BASE_STR("B")), 1, update, total } };
    struct cep_out outs[] = { { .kind = CEP_OUT_COLUMN, .column = 0 }, { .kind = CEP_OUT_MEASURE, .code = measure } };
    struct cep_match match = { .nfas = { cep_builder_add(b, CEP_SEC_NFAS, nfas, 4), 4 },
                               .vars = { cep_builder_add(b, CEP_SEC_VARS, vars, 2), 2 },
                               .preds = { cep_builder_add(b, CEP_SEC_PREDS, preds, 2), 2 },
                               .live_regs = { cep_builder_add(b, CEP_SEC_REGS, &reg, 1), 1 },
                               .out_regs = { cep_builder_add(b, CEP_SEC_REGS, &reg, 1), 1 },
                               .outs = { cep_builder_add(b, CEP_SEC_OUTS, outs, 2), 2 },
                               .within_ms = 120000,
                               .eager = 1,
                               .last_time_reg = CEP_NONE };
    struct cep_rule rule = {
        .name = cep_builder_text(b, BASE_STR("rising")), .alert_node = 4, .match_node = 3, .eager = 1, .version = 1
    };
    (void)cep_builder_add(b, CEP_SEC_RULES, &rule, 1);
    struct cep_sink sink = { .kind = CEP_SINK_RULE, .detail = 0 };
    uint32_t source = node(b, CEP_NODE_SOURCE, CEP_NONE, in, t);
    uint32_t c = node(b, CEP_NODE_CALC, source, in, cep_builder_add(b, CEP_SEC_CALCS, &calc, 1));
    uint32_t x = node(b, CEP_NODE_EXCHANGE, c, in, CEP_NONE);
    uint32_t m = node(b, CEP_NODE_MATCH, x, out, cep_builder_add(b, CEP_SEC_MATCHES, &match, 1));
    uint32_t a = node(b, CEP_NODE_ALERT, m, out, 0);
    (void)node(b, CEP_NODE_SINK, a, out, cep_builder_add(b, CEP_SEC_SINKS, &sink, 1));
    const char *const key_names[] = { "user" };
    for (uint32_t i = x; i <= a; i++) {
        struct cep_list keys = cep_builder_u32s(b, &key, 1), names_list = columns(b, key_names, types, 1);
        if (i >= cep_builder_count(b, CEP_SEC_NODES))
            break; /* an allocation failed: finish will say so */
        ((struct cep_node *)cep_builder_at(b, CEP_SEC_NODES, i))->keys = keys;
        ((struct cep_node *)cep_builder_at(b, CEP_SEC_NODES, i))->key_columns = names_list;
    }
    return b;
}

static void test_build(void)
{
    struct cep_builder *b = sample();
    struct cep_program *p = NULL, *q = NULL;
    IS_INT(cep_builder_finish(b, &p), 0, "the sample is built and verified");
    cep_builder_destroy(b);
    IS_INT(cep_program_node_count(p), 6, "six nodes");
    IS_INT(cep_program_node(p, 2)->stage, 0, "the exchange belongs to stage 0");
    IS_INT(cep_program_node(p, 3)->stage, 1, "the pattern to stage 1");
    OK(cep_program_node(p, 0)->outputs.count == 1 && *cep_program_u32(p, cep_program_node(p, 0)->outputs.first) == 1,
       "outputs are filled in");
    struct base_str setting = cep_program_setting(p, cep_program_table(p, 0)->options, "connector");
    OK(base_str_equal(setting, BASE_STR("kafka")), "an option is found");
    OK(!cep_program_setting(p, cep_program_table(p, 0)->options, "format").ptr, "a missing one is not");
    b = sample();
    IS_INT(cep_builder_finish(b, &q), 0, "built again");
    cep_builder_destroy(b);
    OK(cep_program_hash(p) == cep_program_hash(q) && memcmp(p, q, p->size_bytes) == 0,
       "the same text gives the same bytes");
    struct base_buf buf = { 0 };
    cep_program_print_code(p, 1, &buf);
    IS_STR(buf.ptr,
           "code 1: STRING, 2 slots, rows -8..8\n"
           "    0  COLUMN         v0, #0\n"
           "    1  CONST          v1, \"!\"\n"
           "    2  CONCAT         v0, v0, v1\n"
           "    3  CALL           v0, v0, 1, UPPER/1\n"
           "    4  RETURN         v0\n",
           "a code is printed");
    base_buf_clear(&buf);
    cep_program_print(p, &buf);
    OK(strstr(buf.ptr, "TAKE     B -> 2") && strstr(buf.ptr, "node 3 MATCH stage 1 from 2 to 4"),
       "the program is printed");
    base_buf_finish(&buf);
    for (uint64_t len = 0; len < p->size_bytes; len += 8)
        if (cep_program_verify(p, len) == 0)
            OK(false, "a program that was cut passes");
    cep_program_free(p);
    cep_program_free(q);
}

/* Codes that must be refused. */
static void refused(const char *what, struct cep_type type, uint32_t slots, const struct cep_insn *insns,
                    uint32_t count)
{
    struct cep_builder *b = cep_builder_create();
    (void)cep_builder_const(b, BIGINT, cep_int(7));
    (void)cep_builder_const(b, STRING, cep_string("text", 4));
    (void)cep_builder_type(b, BIGINT);
    (void)asm_code(b, type, slots, insns, count);
    struct cep_program *p = NULL;
    IS_INT(cep_builder_finish(b, &p), BASE_E_CORRUPT, what);
    cep_program_free(p);
    cep_builder_destroy(b);
}
#define REFUSED(what, type, slots, ...) \
    refused((what), (type), (slots), (const struct cep_insn[]){ __VA_ARGS__ }, \
            sizeof((const struct cep_insn[]){ __VA_ARGS__ }) / sizeof(struct cep_insn))

static void test_refused(void)
{
    REFUSED("a slot that was never set", BIGINT, 2, I_(RETURN, .a = 1));
    REFUSED("a slot that is set on one path only", BIGINT, 2, I_(CONST, .d = 0, .c = 0), I_(JUMP_TRUE, .a = 0, .c = 3),
            I_(CONST, .d = 1, .c = 0), I_(RETURN, .a = 1));
    REFUSED("a number on one path, a text on the other", BIGINT, 2, I_(CONST, .d = 0, .c = 0),
            I_(JUMP_TRUE, .a = 0, .c = 3), I_(CONST, .d = 0, .c = 1), I_(RETURN, .a = 0));
    REFUSED("a slot outside of the frame", BIGINT, 1, I_(CONST, .d = 1, .c = 0), I_(RETURN, .a = 0));
    REFUSED("a constant that is not there", BIGINT, 1, I_(CONST, .d = 0, .c = 2), I_(RETURN, .a = 0));
    REFUSED("a number taken for a text", STRING, 1, I_(CONST, .d = 0, .c = 0), I_(RETURN, .a = 0));
    REFUSED("the length of a number", STRING, 2, I_(CONST, .d = 0, .c = 0), I_(CONCAT, .d = 1, .a = 0, .b = 0),
            I_(RETURN, .a = 1));
    REFUSED("a jump backwards", BIGINT, 1, I_(CONST, .d = 0, .c = 0), I_(JUMP, .c = 0), I_(RETURN, .a = 0));
    REFUSED("a jump behind the end", BIGINT, 1, I_(CONST, .d = 0, .c = 0), I_(JUMP, .c = 3), I_(RETURN, .a = 0));
    REFUSED("no end", BIGINT, 1, I_(CONST, .d = 0, .c = 0));
    REFUSED("an end without the result", BIGINT, 1, I_(CONST, .d = 0, .c = 0), I_(END));
    REFUSED("a call site that is not there", BIGINT, 1, I_(CONST, .d = 0, .c = 0),
            I_(CALL, .d = 0, .a = 0, .b = 1, .c = 0), I_(RETURN, .a = 0));
    REFUSED("an unknown opcode", BIGINT, 1, I_(CONST, .d = 0, .c = 0), ((struct cep_insn){ .op = CEP_OP_COUNT_ }),
            I_(RETURN, .a = 0));
    REFUSED("a cast that there is not", BIGINT, 1, I_(CONST, .d = 0, .c = 1), I_(CAST, .d = 0, .a = 0, .c = 0, .e = 7),
            I_(RETURN, .a = 0));
    REFUSED("a scale beyond 38", BIGINT, 1, I_(NULL, .d = 0), I_(ADD_N, .d = 0, .a = 0, .b = 0, .c = 39u | 2u << 16),
            I_(RETURN, .a = 0));
    REFUSED("a neighbour beyond the declared distance", BIGINT, 1, I_(NAV, .d = 0, .c = 0, .e = 9), I_(RETURN, .a = 0));
    struct cep_builder *b = sample();
    ((struct cep_insn *)cep_builder_at(b, CEP_SEC_INSNS, 0))->c = 2;
    struct cep_program *p = NULL;
    IS_INT(cep_builder_finish(b, &p), BASE_E_CORRUPT, "a column that the input does not have");
    cep_builder_destroy(b);
    b = sample();
    ((struct cep_insn *)cep_builder_at(b, CEP_SEC_INSNS, 0))->c = 0;
    IS_INT(cep_builder_finish(b, &p), BASE_E_CORRUPT, "a text column taken for a number");
    cep_builder_destroy(b);
}

/* Runs every code that a node uses as the engine would, with the types that the verifier relied on. */
static void run_nodes(const struct cep_program *p, const struct cep_linked *linked, struct base_arena *arena)
{
    struct cep_expr *x = cep_expr_create(linked);
    if (!x)
        return;
    struct cep_type types[2] = { STRING, BIGINT };
    struct cep_value values[2] = { cep_string("someone", 7), cep_int(5) }, regs[2] = { cep_int(1), cep_null() },
                     new_regs[2], v;
    struct cep_row *row = NULL;
    if (cep_row_make(types, values, 2, 0, (struct cep_position){ 0 }, arena, &row) == 0) {
        struct cep_frame frame = { .row = &row->tuple,
                                   .row_types = types,
                                   .regs = regs,
                                   .final_regs = regs,
                                   .new_regs = new_regs,
                                   .arena = arena };
        const struct cep_calc *calc = cep_program_calc(p, 0);
        if (cep_program_node(p, 1)->kind == CEP_NODE_CALC && cep_program_node(p, 1)->detail == 0) {
            if (calc->filter != CEP_NONE)
                (void)!cep_expr_run(x, calc->filter, &frame, &v);
            for (uint32_t i = 0; i < calc->outputs.count; i++)
                (void)!cep_expr_run(x, *cep_program_u32(p, calc->outputs.first + i), &frame, &values[i % 2]);
        }
    }
    cep_expr_destroy(x);
}

static bool types_stand(const struct cep_program *p)
{
    const struct cep_schema *s = cep_program_schema(p, cep_program_node(p, 0)->schema);
    return s->columns.count == 2 && cep_type_equal(cep_program_column(p, s->columns.first)->type, STRING) &&
           cep_type_equal(cep_program_column(p, s->columns.first + 1)->type, BIGINT);
}

static void test_flipped(void)
{
    struct cep_builder *b = sample();
    struct cep_program *p = NULL;
    if (cep_builder_finish(b, &p) < 0)
        return;
    cep_builder_destroy(b);
    struct cep_funcs *funcs = cep_funcs_create();
    struct base_arena arena = { 0 };
    uint32_t size = (uint32_t)p->size_bytes;
    int passed = 0, linked_count = 0, refused_count = 0;
    for (int round = 0; round < 60000; round++) {
        struct cep_program *copy = base_alloc(size);
        memcpy(copy, p, size);
        for (uint32_t flips = 1 + rnd(3); flips > 0; flips--) {
            uint32_t at = rnd(size);
            ((uint8_t *)copy)[at] = rnd(2) ? (uint8_t)rnd(256) : (uint8_t)(((uint8_t *)copy)[at] ^ 1u << rnd(8));
        }
        if (cep_program_verify(copy, size) == 0) {
            passed++;
            struct base_buf buf = { 0 };
            cep_program_print(copy, &buf);
            base_buf_finish(&buf);
            struct cep_linked *linked = NULL;
            const char *error = NULL;
            if (cep_link(copy, funcs, &arena, &error, &linked) == 0) {
                linked_count++;
                if (types_stand(copy))
                    run_nodes(copy, linked, &arena);
            }
            cep_unlink(linked);
        } else {
            refused_count++;
        }
        base_arena_reset(&arena);
        base_free(copy);
    }
    printf("# %d refused, %d passed, %d linked\n", refused_count, passed, linked_count);
    OK(passed > 100 && refused_count > 100, "damaged programs are refused or run without harm");
    base_arena_finish(&arena);
    cep_funcs_destroy(funcs);
    cep_program_free(p);
}

/* The nth allocation fails, for every n: an error, nothing leaks. */
static void test_no_memory(void)
{
    uint64_t blocks = base_alloc_live_blocks();
    bool good = true;
    int n = 1;
    for (bool fired = true; fired && n < 2000; n++) {
        base_alloc_fail_at((uint64_t)n, false);
        struct cep_builder *b = sample();
        struct cep_program *p = NULL;
        int e = b ? cep_builder_finish(b, &p) : BASE_E_NOMEM;
        cep_builder_destroy(b);
        fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        good &= fired ? e == BASE_E_NOMEM && !p : e == 0;
        cep_program_free(p);
    }
    OK(good, "a failed allocation is an error of finish, whichever it is");
    IS_INT(base_alloc_live_blocks(), blocks, "and leaks nothing");
}

int main(void)
{
    test_build();
    test_refused();
    test_flipped();
    test_no_memory();
    return tap_done();
}
