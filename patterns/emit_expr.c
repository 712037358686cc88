#include "patterns/emit_expr.h"

#include <string.h>
#include "base/error.h"

#define SLOTS_MAX 60000u
#define KNOWN_MAX 64u /* values remembered for reuse within one code */

/* Code under construction. A value once computed in straight-line code is found again in `known`; entries made inside a
 * branch are forgotten behind it. */
struct patterns_emit {
    const struct patterns_emit_env *env;
    struct cep_insn *insns;
    uint32_t len, cap;
    uint32_t slots, slots_max;
    uint32_t flags;
    int32_t nav_min, nav_max;
    struct {
        const struct patterns_bound *value;
        uint16_t slot;
    } known[KNOWN_MAX];
    uint32_t known_len;
    int error; /* sticky */
};

struct patterns_emit *patterns_emit_begin(const struct patterns_emit_env *env)
{
    struct patterns_emit *emit = base_arena_zalloc(env->arena, 1, sizeof *emit);
    if (emit)
        emit->env = env;
    return emit;
}

uint16_t patterns_emit_slot(struct patterns_emit *emit)
{
    if (emit->slots >= SLOTS_MAX) {
        emit->error = emit->error ? emit->error : BASE_E_LIMIT;
        return 0;
    }
    uint32_t slot = emit->slots++;
    if (emit->slots > emit->slots_max)
        emit->slots_max = emit->slots;
    return (uint16_t)slot;
}

static bool can_fail(enum cep_opcode op)
{
    return op == CEP_OP_CAST || op == CEP_OP_CALL || op == CEP_OP_CONCAT ||
           (op >= CEP_OP_ADD_I && op <= CEP_OP_ADD_MONTHS) || op == CEP_OP_SUM_I || op == CEP_OP_SUM_N ||
           op == CEP_OP_COUNT_IF || op == CEP_OP_ARRAY_APPEND;
}

static void note_flags(struct patterns_emit *emit, enum cep_opcode op, int32_t e)
{
    if (op == CEP_OP_REG || op == CEP_OP_FINAL)
        emit->flags |= CEP_CODE_REGS;
    else if (op == CEP_OP_LABEL)
        emit->flags |= CEP_CODE_LABEL;
    else if (op == CEP_OP_NAV || op == CEP_OP_ROW_NUMBER)
        emit->flags |= CEP_CODE_NAV;
    else if (op == CEP_OP_MATCH_NUMBER)
        emit->flags |= CEP_CODE_NUMBER;
    else if (op == CEP_OP_PROC_TIME || op == CEP_OP_NOW)
        emit->flags |= CEP_CODE_VOLATILE;
    if (op == CEP_OP_NAV || op == CEP_OP_LABEL) {
        emit->nav_min = e < emit->nav_min ? e : emit->nav_min;
        emit->nav_max = e > emit->nav_max ? e : emit->nav_max;
    }
    if (can_fail(op))
        emit->flags |= CEP_CODE_FALLIBLE;
}

void patterns_emit_insn(struct patterns_emit *emit, enum cep_opcode op, uint16_t d, uint16_t a, uint16_t b, uint32_t c,
                        int32_t e)
{
    if (emit->error)
        return;
    if (emit->len == emit->cap) {
        uint32_t cap = emit->cap ? emit->cap * 2 : 32;
        struct cep_insn *grown = base_arena_alloc(emit->env->arena, cap * sizeof *grown);
        if (!grown) {
            emit->error = BASE_E_NOMEM;
            return;
        }
        if (emit->len)
            memcpy(grown, emit->insns, emit->len * sizeof *grown);
        emit->insns = grown;
        emit->cap = cap;
    }
    note_flags(emit, op, e);
    emit->insns[emit->len++] = (struct cep_insn){ .op = (uint16_t)op, .d = d, .a = a, .b = b, .c = c, .e = e };
}

uint32_t patterns_emit_column(const struct patterns_emit *emit, uint32_t bound_column)
{
    return emit->env->columns ? emit->env->columns[bound_column] : bound_column;
}

uint32_t patterns_emit_type(struct patterns_emit *emit, struct cep_type type)
{
    uint32_t index = cep_builder_type(emit->env->builder, type);
    if (index == CEP_NONE && !emit->error)
        emit->error = BASE_E_NOMEM;
    return index;
}

/* ---- remembered values ---- */

static void remember(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t slot)
{
    if (emit->known_len < KNOWN_MAX && !(b->flags & PATTERNS_BOUND_IS_VOLATILE)) {
        emit->known[emit->known_len].value = b;
        emit->known[emit->known_len++].slot = slot;
    }
}

static bool recall(const struct patterns_emit *emit, const struct patterns_bound *b, uint16_t *ret)
{
    for (uint32_t i = emit->known_len; i-- > 0;) {
        const struct patterns_bound *k = emit->known[i].value;
        if (k == b || (k->hash == b->hash && patterns_bound_same(k, b))) {
            *ret = emit->known[i].slot;
            return true;
        }
    }
    return false;
}

static void emit_to(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d);

static uint16_t value_of(struct patterns_emit *emit, const struct patterns_bound *b)
{
    uint16_t slot = 0;
    if (recall(emit, b, &slot))
        return slot;
    slot = patterns_emit_slot(emit);
    emit_to(emit, b, slot);
    remember(emit, b, slot);
    return slot;
}

int patterns_emit_value(struct patterns_emit *emit, const struct patterns_bound *bound, uint16_t *ret_slot)
{
    *ret_slot = value_of(emit, bound);
    return emit->error;
}

/* ---- jumps ---- */

static uint32_t jump(struct patterns_emit *emit, enum cep_opcode op, uint16_t a)
{
    patterns_emit_insn(emit, op, 0, a, 0, 0, 0);
    return emit->len ? emit->len - 1 : 0;
}

static void land(struct patterns_emit *emit, uint32_t at)
{
    if (!emit->error)
        emit->insns[at].c = emit->len;
}

/* ---- opcode by type ---- */

enum family { FAMILY_I, FAMILY_D, FAMILY_N, FAMILY_S };

static enum family family_of(struct cep_type type)
{
    if (type.kind == CEP_KIND_DOUBLE)
        return FAMILY_D;
    if (type.kind == CEP_KIND_DECIMAL)
        return FAMILY_N;
    return cep_kind_is_text(type.kind) ? FAMILY_S : FAMILY_I;
}

/* The four runs of six comparisons stand in one order in opcodes.def. */
static enum cep_opcode compare_op(enum patterns_bound_kind kind, struct cep_type type)
{
    static const uint16_t first[] = {
        [FAMILY_I] = CEP_OP_EQ_I, [FAMILY_D] = CEP_OP_EQ_D, [FAMILY_N] = CEP_OP_EQ_N, [FAMILY_S] = CEP_OP_EQ_S
    };
    return (enum cep_opcode)(first[family_of(type)] + (kind - PATTERNS_BOUND_EQ));
}

static enum cep_opcode arith_op(enum patterns_bound_kind kind, struct cep_type type)
{
    static const uint16_t first[] = {
        [FAMILY_I] = CEP_OP_ADD_I, [FAMILY_D] = CEP_OP_ADD_D, [FAMILY_N] = CEP_OP_ADD_N, [FAMILY_S] = CEP_OP_CONCAT
    };
    return (enum cep_opcode)(first[family_of(type)] + (kind - PATTERNS_BOUND_ADD));
}

static void emit_arith(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    uint16_t x = value_of(emit, b->args[0]), y = value_of(emit, b->args[1]);
    uint32_t pack = 0;
    if (b->type.kind == CEP_KIND_DECIMAL)
        pack = b->args[0]->type.scale | (uint32_t)b->args[1]->type.scale << 8 | (uint32_t)b->type.precision << 16 |
               (uint32_t)b->type.scale << 24;
    patterns_emit_insn(emit, arith_op(b->kind, b->type), d, x, y, pack, 0);
    if (b->type.kind == CEP_KIND_INT || b->type.kind == CEP_KIND_DATE)
        patterns_emit_insn(emit, CEP_OP_CHECK_INT, d, d, 0, 0, 0);
}

static void emit_neg(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    uint16_t x = value_of(emit, b->args[0]);
    enum family f = family_of(b->type);
    patterns_emit_insn(emit, f == FAMILY_D ? CEP_OP_NEG_D : f == FAMILY_N ? CEP_OP_NEG_N : CEP_OP_NEG_I, d, x, 0, 0, 0);
    if (b->type.kind == CEP_KIND_INT)
        patterns_emit_insn(emit, CEP_OP_CHECK_INT, d, d, 0, 0, 0);
}

/* Short circuit: a later argument is not evaluated (and cannot fail) once the answer stands. */
static void emit_logic(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    bool is_and = b->kind == PATTERNS_BOUND_AND;
    uint32_t *exits = base_arena_alloc(emit->env->arena, b->arg_count * sizeof *exits);
    if (!exits) {
        emit->error = BASE_E_NOMEM;
        return;
    }
    emit_to(emit, b->args[0], d);
    uint32_t known = emit->known_len, slots = emit->slots;
    for (uint32_t i = 1; i < b->arg_count; i++) {
        exits[i] = jump(emit, is_and ? CEP_OP_JUMP_FALSE : CEP_OP_JUMP_TRUE, d);
        uint16_t x = value_of(emit, b->args[i]);
        patterns_emit_insn(emit, is_and ? CEP_OP_AND : CEP_OP_OR, d, d, x, 0, 0);
    }
    for (uint32_t i = 1; i < b->arg_count; i++)
        land(emit, exits[i]);
    emit->known_len = known;
    emit->slots = slots;
}

/* x IN (a, b, ...): an OR of equalities with x evaluated once and the slots of the list used again. */
static void emit_in(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    uint16_t x = value_of(emit, b->args[0]);
    uint32_t known = emit->known_len, slots = emit->slots;
    uint16_t hit = patterns_emit_slot(emit);
    enum cep_opcode eq = compare_op(PATTERNS_BOUND_EQ, b->args[0]->type);
    uint32_t *exits = base_arena_alloc(emit->env->arena, b->arg_count * sizeof *exits);
    if (!exits) {
        emit->error = BASE_E_NOMEM;
        return;
    }
    for (uint32_t i = 1; i < b->arg_count; i++) {
        uint32_t inner = emit->slots;
        uint16_t y = value_of(emit, b->args[i]);
        patterns_emit_insn(emit, eq, i == 1 ? d : hit, x, y, 0, 0);
        if (i > 1)
            patterns_emit_insn(emit, CEP_OP_OR, d, d, hit, 0, 0);
        if (i + 1 < b->arg_count)
            exits[i] = jump(emit, CEP_OP_JUMP_TRUE, d);
        emit->known_len = known;
        emit->slots = inner;
    }
    for (uint32_t i = 1; i + 1 < b->arg_count; i++)
        land(emit, exits[i]);
    emit->slots = slots;
}

static void emit_between(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    uint16_t x = value_of(emit, b->args[0]);
    uint16_t low = value_of(emit, b->args[1]);
    patterns_emit_insn(emit, compare_op(PATTERNS_BOUND_GE, b->args[0]->type), d, x, low, 0, 0);
    uint32_t out = jump(emit, CEP_OP_JUMP_FALSE, d);
    uint32_t known = emit->known_len, slots = emit->slots;
    uint16_t high = value_of(emit, b->args[2]);
    uint16_t below = patterns_emit_slot(emit);
    patterns_emit_insn(emit, compare_op(PATTERNS_BOUND_LE, b->args[0]->type), below, x, high, 0, 0);
    patterns_emit_insn(emit, CEP_OP_AND, d, d, below, 0, 0);
    land(emit, out);
    emit->known_len = known;
    emit->slots = slots;
}

static void emit_case(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    uint32_t arms = b->arg_count / 2;
    uint32_t *exits = base_arena_alloc(emit->env->arena, (arms + 1) * sizeof *exits);
    if (!exits) {
        emit->error = BASE_E_NOMEM;
        return;
    }
    uint32_t known = emit->known_len, slots = emit->slots;
    for (uint32_t i = 0; i < arms; i++) {
        uint16_t condition = value_of(emit, b->args[2 * i]);
        uint32_t next = jump(emit, CEP_OP_JUMP_NOT_TRUE, condition);
        uint32_t inner = emit->known_len;
        emit_to(emit, b->args[2 * i + 1], d);
        exits[i] = jump(emit, CEP_OP_JUMP, 0);
        land(emit, next);
        /* The first condition is always evaluated; what later ones computed may be missing behind the CASE. */
        emit->known_len = inner;
        if (i == 0) {
            known = inner;
            slots = emit->slots;
        }
    }
    emit_to(emit, b->args[b->arg_count - 1], d);
    for (uint32_t i = 0; i < arms; i++)
        land(emit, exits[i]);
    emit->known_len = known;
    emit->slots = slots;
}

static void emit_coalesce(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    uint32_t *exits = base_arena_alloc(emit->env->arena, b->arg_count * sizeof *exits);
    if (!exits) {
        emit->error = BASE_E_NOMEM;
        return;
    }
    emit_to(emit, b->args[0], d);
    uint32_t known = emit->known_len, slots = emit->slots;
    for (uint32_t i = 1; i < b->arg_count; i++) {
        exits[i] = jump(emit, CEP_OP_JUMP_NOT_NULL, d);
        emit_to(emit, b->args[i], d);
    }
    for (uint32_t i = 1; i < b->arg_count; i++)
        land(emit, exits[i]);
    emit->known_len = known;
    emit->slots = slots;
}

static uint32_t const_index(struct patterns_emit *emit, const struct patterns_bound *b)
{
    uint32_t index = cep_builder_const(emit->env->builder, b->type, b->value);
    if (index == CEP_NONE && !emit->error)
        emit->error = BASE_E_NOMEM;
    return index;
}

static void emit_call(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    struct cep_builder *builder = emit->env->builder;
    struct cep_type types[CEP_FUNC_ARGS_MAX];
    uint32_t consts[CEP_FUNC_ARGS_MAX];
    if (b->arg_count > CEP_FUNC_ARGS_MAX) {
        emit->error = BASE_E_LIMIT;
        return;
    }
    uint16_t first = 0;
    for (uint32_t i = 0; i < b->arg_count; i++) {
        uint16_t slot = patterns_emit_slot(emit);
        if (i == 0)
            first = slot;
    }
    for (uint32_t i = 0; i < b->arg_count; i++) {
        uint16_t known = 0;
        uint16_t to = (uint16_t)(first + i);
        if (recall(emit, b->args[i], &known)) {
            patterns_emit_insn(emit, CEP_OP_MOVE, to, known, 0, 0, 0);
        } else {
            emit_to(emit, b->args[i], to);
            remember(emit, b->args[i], to);
        }
        types[i] = b->args[i]->type;
        consts[i] = b->args[i]->kind == PATTERNS_BOUND_CONST ? const_index(emit, b->args[i]) : CEP_NONE;
    }
    struct cep_callsite site = { .name = cep_builder_text(builder, base_str_of(b->func->name)), .ret = b->type };
    site.arg_types = (struct cep_list){ b->arg_count ? cep_builder_add(builder, CEP_SEC_TYPES, types, b->arg_count) : 0,
                                        b->arg_count };
    site.arg_consts = cep_builder_u32s(builder, consts, b->arg_count);
    uint32_t index = cep_builder_add(builder, CEP_SEC_CALLSITES, &site, 1);
    if (index == CEP_NONE && !emit->error)
        emit->error = BASE_E_NOMEM;
    patterns_emit_insn(emit, CEP_OP_CALL, d, first, (uint16_t)b->arg_count, index, 0);
    if (b->func->flags & CEP_FUNC_VOLATILE)
        emit->flags |= CEP_CODE_VOLATILE;
}

static void emit_unary(struct patterns_emit *emit, enum cep_opcode op, const struct patterns_bound *b, uint16_t d)
{
    uint16_t x = value_of(emit, b->args[0]);
    patterns_emit_insn(emit, op, d, x, 0, 0, 0);
}

static void emit_binary(struct patterns_emit *emit, enum cep_opcode op, const struct patterns_bound *b, uint16_t d,
                        uint32_t c)
{
    uint16_t x = value_of(emit, b->args[0]), y = value_of(emit, b->args[1]);
    patterns_emit_insn(emit, op, d, x, y, c, 0);
}

static void emit_cast(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    uint16_t x = value_of(emit, b->args[0]);
    uint32_t from = patterns_emit_type(emit, b->args[0]->type), to = patterns_emit_type(emit, b->type);
    patterns_emit_insn(emit, b->try_cast ? CEP_OP_TRY_CAST : CEP_OP_CAST, d, x, 0, from, (int32_t)to);
}

/* Leaves. */
static void emit_leaf(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    if (b->kind == PATTERNS_BOUND_CONST) {
        if (b->value.null)
            patterns_emit_insn(emit, CEP_OP_NULL, d, 0, 0, 0, 0);
        else
            patterns_emit_insn(emit, CEP_OP_CONST, d, 0, 0, const_index(emit, b), 0);
    } else if (b->kind == PATTERNS_BOUND_COLUMN) {
        patterns_emit_insn(emit, CEP_OP_COLUMN, d, 0, 0, patterns_emit_column(emit, b->column), 0);
    } else if (!emit->env->leaf) {
        emit->error = BASE_E_INVALID;
    } else {
        int error = emit->env->leaf(emit->env->ctx, emit, b, d);
        if (error && !emit->error)
            emit->error = error;
    }
}

/* Appends code that leaves the value of b in slot d. d is written before the end of b's evaluation only by b's own
 * parts. */
static void emit_to(struct patterns_emit *emit, const struct patterns_bound *b, uint16_t d)
{
    uint16_t known = 0;
    if (emit->error)
        return;
    if (recall(emit, b, &known)) {
        patterns_emit_insn(emit, CEP_OP_MOVE, d, known, 0, 0, 0);
        return;
    }
    switch (b->kind) {
    case PATTERNS_BOUND_CONST:
    case PATTERNS_BOUND_COLUMN:
    case PATTERNS_BOUND_EXTERNAL: emit_leaf(emit, b, d); break;
    case PATTERNS_BOUND_ROW_TIME: patterns_emit_insn(emit, CEP_OP_ROW_TIME, d, 0, 0, 0, 0); break;
    case PATTERNS_BOUND_PROC_TIME: patterns_emit_insn(emit, CEP_OP_PROC_TIME, d, 0, 0, 0, 0); break;
    case PATTERNS_BOUND_NOW: patterns_emit_insn(emit, CEP_OP_NOW, d, 0, 0, 0, 0); break;
    case PATTERNS_BOUND_CAST: emit_cast(emit, b, d); break;
    case PATTERNS_BOUND_NEG: emit_neg(emit, b, d); break;
    case PATTERNS_BOUND_ADD:
    case PATTERNS_BOUND_SUB:
    case PATTERNS_BOUND_MUL:
    case PATTERNS_BOUND_DIV:
    case PATTERNS_BOUND_MOD: emit_arith(emit, b, d); break;
    case PATTERNS_BOUND_ADD_MONTHS: emit_binary(emit, CEP_OP_ADD_MONTHS, b, d, b->type.kind); break;
    case PATTERNS_BOUND_CONCAT: emit_binary(emit, CEP_OP_CONCAT, b, d, 0); break;
    case PATTERNS_BOUND_EQ:
    case PATTERNS_BOUND_NE:
    case PATTERNS_BOUND_LT:
    case PATTERNS_BOUND_LE:
    case PATTERNS_BOUND_GT:
    case PATTERNS_BOUND_GE: emit_binary(emit, compare_op(b->kind, b->args[0]->type), b, d, 0); break;
    case PATTERNS_BOUND_SAME: emit_binary(emit, CEP_OP_SAME, b, d, patterns_emit_type(emit, b->args[0]->type)); break;
    case PATTERNS_BOUND_IN: emit_in(emit, b, d); break;
    case PATTERNS_BOUND_BETWEEN: emit_between(emit, b, d); break;
    case PATTERNS_BOUND_AND:
    case PATTERNS_BOUND_OR: emit_logic(emit, b, d); break;
    case PATTERNS_BOUND_NOT: emit_unary(emit, CEP_OP_NOT, b, d); break;
    case PATTERNS_BOUND_IS_NULL: emit_unary(emit, CEP_OP_IS_NULL, b, d); break;
    case PATTERNS_BOUND_IS_NOT_NULL: emit_unary(emit, CEP_OP_IS_NOT_NULL, b, d); break;
    case PATTERNS_BOUND_IS_TRUE: emit_unary(emit, CEP_OP_IS_TRUE, b, d); break;
    case PATTERNS_BOUND_IS_FALSE: emit_unary(emit, CEP_OP_IS_FALSE, b, d); break;
    case PATTERNS_BOUND_CASE: emit_case(emit, b, d); break;
    case PATTERNS_BOUND_COALESCE: emit_coalesce(emit, b, d); break;
    case PATTERNS_BOUND_CALL: emit_call(emit, b, d); break;
    case PATTERNS_BOUND_ARRAY_GET:
        emit_binary(emit, CEP_OP_ARRAY_GET, b, d, patterns_emit_type(emit, b->args[0]->type));
        break;
    }
}

int patterns_emit_end(struct patterns_emit *emit, struct cep_type type, uint16_t result,
                      const struct patterns_bound *place, uint32_t *ret_code)
{
    patterns_emit_insn(emit, type.kind == CEP_KIND_NULL ? CEP_OP_END : CEP_OP_RETURN, 0, result, 0, 0, 0);
    if (emit->error)
        return emit->error;
    bool reads = false;
    for (uint32_t i = 0; i < emit->len && !reads; i++) {
        enum cep_opcode op = (enum cep_opcode)emit->insns[i].op;
        reads = op == CEP_OP_COLUMN || op == CEP_OP_NAV || op == CEP_OP_REG || op == CEP_OP_FINAL ||
                op == CEP_OP_STORE || op == CEP_OP_LABEL || op == CEP_OP_MATCH_NUMBER || op == CEP_OP_ROW_NUMBER || op == CEP_OP_ROW_TIME ||
                op == CEP_OP_START_TIME || op == CEP_OP_PROC_TIME || op == CEP_OP_NOW;
    }
    if (!reads && !(emit->flags & CEP_CODE_VOLATILE))
        emit->flags |= CEP_CODE_CONST;
    struct cep_code code = { .count = emit->len,
                             .slots = emit->slots_max ? emit->slots_max : 1,
                             .type = type,
                             .nav_min = (int16_t)emit->nav_min,
                             .nav_max = (int16_t)emit->nav_max,
                             .flags = emit->flags };
    if (place) {
        code.origin_begin = place->begin;
        code.origin_end = place->end;
    }
    code.first = cep_builder_add(emit->env->builder, CEP_SEC_INSNS, emit->insns, emit->len);
    *ret_code = cep_builder_add(emit->env->builder, CEP_SEC_CODES, &code, 1);
    return code.first == CEP_NONE || *ret_code == CEP_NONE ? BASE_E_NOMEM : 0;
}

int patterns_emit_expr(const struct patterns_emit_env *env, const struct patterns_bound *bound, uint32_t *ret_code)
{
    struct patterns_emit *emit = patterns_emit_begin(env);
    if (!emit)
        return BASE_E_NOMEM;
    uint16_t slot = value_of(emit, bound);
    struct cep_type type = bound->type.kind == CEP_KIND_NULL
                               ? CEP_TYPE(STRING)
                               : bound->type; /* a bare NULL; kind NULL would mean "no result" */
    return patterns_emit_end(emit, type, slot, bound, ret_code);
}
