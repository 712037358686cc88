/* The row pattern operator on hand-assembled programs: no parser. Rows are (v INT); the output is the label of each matched row. */
#include "tests/unit/tap.h"

#include "base/alloc.h"
#include "base/time.h"
#include "cep/flow.h"

struct out { char text[4096]; size_t len; struct cep_flow *flow; };

static int route(void *ctx, uint32_t exchange, const struct cep_event *event)
{
    struct out *out = ctx;
    return cep_flow_deliver(out->flow, exchange, event);
}
static int route_watermark(void *ctx, uint32_t exchange, int64_t watermark_ms)
{
    struct out *out = ctx;
    return cep_flow_deliver_watermark(out->flow, exchange, watermark_ms);
}
/* "+v:A" for an inserted row, "-v:A" for a withdrawn one, "=v:A" for an updated one. */
static int sink(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct out *out = ctx;
    (void)node;
    struct cep_value v = cep_tuple_get(&event->row->tuple, 0, CEP_TYPE(BIGINT));
    struct cep_value label = cep_tuple_get(&event->row->tuple, 1, CEP_TYPE(STRING));
    static const char sign[] = "+u=-";
    out->len += (size_t)snprintf(out->text + out->len, sizeof out->text - out->len, "%c%" PRId64 ":%.*s ", sign[event->row->change], v.null ? -1 : v.i,
                                 label.null ? 1 : (int)label.s.len, label.null ? "-" : label.s.ptr);
    return 0;
}
static int64_t proc_time(void *ctx) { (void)ctx; return 0; }

struct spec {
    struct cep_nfa nfas[16];
    uint32_t nfa_count;
    const char *vars[4];
    int32_t equals[4]; /* DEFINE var AS v = n; -1: always true */
    uint32_t var_count;
    uint32_t skip;
    int64_t within_ms;
    bool one_row, eager, all_matches, guard;
    uint32_t guard_kind, guard_var;
};

static uint32_t add_code(struct cep_builder *b, struct cep_insn *insns, uint32_t n, struct cep_type type, uint32_t flags)
{
    struct cep_code code = { .first = cep_builder_add(b, CEP_SEC_INSNS, insns, n), .count = n, .slots = 4, .type = type, .flags = flags };
    return cep_builder_add(b, CEP_SEC_CODES, &code, 1);
}

static struct cep_program *assemble(const struct spec *spec)
{
    struct cep_builder *b = cep_builder_create();
    struct cep_column columns[3] = { { cep_builder_text(b, BASE_STR("v")), CEP_TYPE(INT) }, { cep_builder_text(b, BASE_STR("n")), CEP_TYPE(BIGINT) },
                                     { cep_builder_text(b, BASE_STR("label")), CEP_TYPE(STRING) } };
    uint32_t c = cep_builder_add(b, CEP_SEC_COLUMNS, columns, 3);
    struct cep_schema schemas[2] = { { { c, 1 }, CEP_NONE }, { { c + 1, 2 }, CEP_NONE } };
    cep_builder_add(b, CEP_SEC_SCHEMAS, schemas, 2);
    struct cep_field field = { .name = columns[0].name, .path = columns[0].name, .type = CEP_TYPE(INT) };
    struct cep_table table = { .name = cep_builder_text(b, BASE_STR("t")), .fields = { cep_builder_add(b, CEP_SEC_FIELDS, &field, 1), 1 }, .rowtime_field = CEP_NONE, .declared_columns = 1 };
    cep_builder_add(b, CEP_SEC_TABLES, &table, 1);
    struct cep_sink s = { .kind = CEP_SINK_QUERY, .detail = CEP_NONE, .accepts_changes = 1 };
    cep_builder_add(b, CEP_SEC_SINKS, &s, 1);
    struct cep_match m = { .skip = spec->skip, .within_ms = spec->within_ms, .rows = spec->one_row ? CEP_ROWS_ONE : CEP_ROWS_ALL_OMIT_EMPTY, .eager = spec->eager,
                           .all_matches = spec->all_matches, .last_time_reg = CEP_NONE, .evidence = 1 };
    m.nfas = (struct cep_list){ cep_builder_add(b, CEP_SEC_NFAS, spec->nfas, spec->nfa_count), spec->nfa_count };
    for (uint32_t i = 0; i < spec->var_count; i++) {
        struct cep_pred pred = { .code = CEP_NONE, .unary = 1, .var = i };
        if (spec->equals[i] >= 0) {
            uint32_t k = cep_builder_const(b, CEP_TYPE(INT), cep_int(spec->equals[i]));
            struct cep_insn insns[4] = { { .op = CEP_OP_COLUMN, .d = 0, .c = 0 }, { .op = CEP_OP_CONST, .d = 1, .c = k }, { .op = CEP_OP_EQ_I, .d = 2, .a = 0, .b = 1 }, { .op = CEP_OP_RETURN, .a = 2 } };
            pred.code = add_code(b, insns, 4, CEP_TYPE(BOOLEAN), 0);
        }
        uint32_t at = cep_builder_add(b, CEP_SEC_PREDS, &pred, 1);
        m.preds = (struct cep_list){ i ? m.preds.first : at, i + 1 };
    }
    struct cep_insn count[4] = { { .op = CEP_OP_REG, .d = 0, .c = 0 }, { .op = CEP_OP_COLUMN, .d = 1, .c = 0 }, { .op = CEP_OP_COUNT_IF, .d = 2, .a = 0, .b = 1 }, { .op = CEP_OP_STORE, .a = 2, .c = 0 } };
    struct cep_insn end = { .op = CEP_OP_END };
    struct cep_insn update[5];
    memcpy(update, count, sizeof count);
    update[4] = end;
    uint32_t out_update = add_code(b, update, 5, CEP_TYPE(NULL), CEP_CODE_REGS);
    for (uint32_t i = 0; i < spec->var_count; i++) {
        struct cep_var var = { .name = cep_builder_text(b, base_str_of(spec->vars[i])), .pred = i, .live_update = CEP_NONE, .out_update = out_update };
        uint32_t at = cep_builder_add(b, CEP_SEC_VARS, &var, 1);
        m.vars = (struct cep_list){ i ? m.vars.first : at, i + 1 };
    }
    struct cep_reg reg = { .type = CEP_TYPE(BIGINT), .init = cep_builder_const(b, CEP_TYPE(BIGINT), cep_int(0)) };
    m.out_regs = (struct cep_list){ cep_builder_add(b, CEP_SEC_REGS, &reg, 1), 1 };
    struct cep_insn n[2] = { { .op = spec->one_row ? CEP_OP_REG : CEP_OP_COLUMN, .d = 0, .c = 0 }, { .op = CEP_OP_RETURN, .a = 0 } };
    struct cep_insn l[2] = { { .op = CEP_OP_LABEL, .d = 0, .e = 0 }, { .op = CEP_OP_RETURN, .a = 0 } };
    struct cep_out outs[2] = { { .kind = CEP_OUT_MEASURE, .code = add_code(b, n, 2, CEP_TYPE(BIGINT), spec->one_row ? CEP_CODE_REGS : 0) },
                               { .kind = CEP_OUT_MEASURE, .code = add_code(b, l, 2, CEP_TYPE(STRING), CEP_CODE_LABEL) } };
    m.outs = (struct cep_list){ cep_builder_add(b, CEP_SEC_OUTS, outs, 2), 2 };
    if (spec->guard) {
        struct cep_guard guard = { .kind = spec->guard_kind, .preds = cep_builder_u32s(b, &spec->guard_var, 1) };
        m.guards = (struct cep_list){ cep_builder_add(b, CEP_SEC_GUARDS, &guard, 1), 1 };
    }
    cep_builder_add(b, CEP_SEC_MATCHES, &m, 1);
    struct cep_node nodes[4] = { { .kind = CEP_NODE_SOURCE, .schema = 0, .detail = 0, .rule = CEP_NONE }, { .kind = CEP_NODE_EXCHANGE, .schema = 0, .detail = CEP_NONE, .rule = CEP_NONE },
                                 { .kind = CEP_NODE_MATCH, .schema = 1, .detail = 0, .rule = CEP_NONE, .fingerprint = 77 }, { .kind = CEP_NODE_SINK, .schema = 1, .detail = 0, .rule = CEP_NONE } };
    for (uint32_t i = 1; i < 4; i++)
        nodes[i].inputs = cep_builder_u32s(b, &(uint32_t){ i - 1 }, 1);
    cep_builder_add(b, CEP_SEC_NODES, nodes, 4);
    struct cep_program *program = NULL;
    int rc = cep_builder_finish(b, &program);
    OK(rc == 0, "program is assembled and verified");
    cep_builder_destroy(b);
    return program;
}

/* Feeds digits of `rows` (time = index seconds, or as ordered by `order`), gives what comes out. */
static const char *run(const struct spec *spec, const char *rows, const char *order, struct out *out)
{
    struct cep_program *program = assemble(spec);
    struct cep_funcs *funcs = cep_funcs_create();
    struct base_arena arena = { 0 };
    const char *error = NULL;
    struct cep_linked *linked = NULL;
    *out = (struct out){ .len = 0 };
    if (!OK(program && cep_link(program, funcs, &arena, &error, &linked) == 0, "program is linked"))
        return "";
    struct cep_env env = { .ctx = out, .route = route, .route_watermark = route_watermark, .sink = sink, .proc_time_ms = proc_time };
    OK(cep_flow_create(linked, &env, NULL, &out->flow) == 0, "flow is made");
    size_t n = strlen(rows);
    for (size_t i = 0; i < n; i++) {
        size_t k = order ? (size_t)(order[i] - '0') : i;
        struct cep_type type = CEP_TYPE(INT);
        struct cep_value value = cep_int(rows[k] - '0');
        struct cep_row *row;
        if (cep_row_make(&type, &value, 1, (int64_t)k * 1000, (struct cep_position){ .offset = (int64_t)k }, &arena, &row) || cep_flow_source(out->flow, 0, row))
            return "error";
    }
    if (cep_flow_source_watermark(out->flow, 0, BASE_TIME_MAX_MS))
        return "error at the end";
    cep_flow_destroy(out->flow);
    cep_unlink(linked);
    cep_program_free(program);
    cep_funcs_destroy(funcs);
    base_arena_finish(&arena);
    return out->text;
}

#define TAKE(v, next) { .op = CEP_NFA_TAKE, .var = (v), .a = (next) }
#define SPLIT(x, y) { .op = CEP_NFA_SPLIT, .a = (x), .b = (y) }
#define MATCH { .op = CEP_NFA_MATCH }

int main(void)
{
    struct out out;
    /* A B+ : 0 TAKE A; 1 TAKE B; 2 SPLIT 1, 3; 3 MATCH */
    struct spec ab = { .nfas = { TAKE(0, 1), TAKE(1, 2), SPLIT(1, 3), MATCH }, .nfa_count = 4, .vars = { "A", "B" }, .equals = { 1, 2 }, .var_count = 2 };
    IS_STR(run(&ab, "0122013", NULL, &out), "+1:A +2:B +2:B ", "A B+ greedy, one match");
    ab.one_row = true;
    IS_STR(run(&ab, "12212", NULL, &out), "+3:B +2:B ", "two matches, counted");
    ab.eager = true;
    IS_STR(run(&ab, "1221", NULL, &out), "+2:B =3:B ", "eager: created at the first completion, updated by the longer match");
    IS_STR(run(&ab, "1221", "0321", &out), "+2:B =3:B ", "eager, out of order: a late row lengthens the match");
    IS_STR(run(&ab, "1322", "0231", &out), "+2:B =3:B -3:B ", "eager: withdrawn when a late row breaks it");
    ab.eager = false;
    IS_STR(run(&ab, "1322", "0231", &out), "", "final: nothing of that is told");
    ab.skip = CEP_SKIP_NEXT_ROW;
    IS_STR(run(&ab, "122", NULL, &out), "+3:B ", "skip to next row");
    /* A+ B backtracks: A is always true */
    struct spec back = { .nfas = { TAKE(0, 1), SPLIT(0, 2), TAKE(1, 3), MATCH }, .nfa_count = 4, .vars = { "A", "B" }, .equals = { -1, 2 }, .var_count = 2 };
    IS_STR(run(&back, "12123", NULL, &out), "+1:A +2:A +1:A +2:B ", "a greedy loop gives rows back");
    /* all matches of A B? */
    struct spec all = { .nfas = { TAKE(0, 1), SPLIT(2, 3), TAKE(1, 3), MATCH }, .nfa_count = 4, .vars = { "A", "B" }, .equals = { 1, 2 }, .var_count = 2, .skip = CEP_SKIP_CURRENT_ROW, .all_matches = true, .one_row = true };
    IS_STR(run(&all, "1212", NULL, &out), "+1:A +2:B +1:A +2:B ", "ALL MATCHES gives every derivation");
    return tap_done();
}
