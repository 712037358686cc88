#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cep/sections.h"

/* One pass over a code, which is enough because jumps only go forward: the class of every slot is followed along all
 * paths, so that no instruction reads a slot that was never set or takes a number for a pointer. */

#define STATE_BYTES_MAX (64u << 20)

enum cep_class cep_class_of(struct cep_type type)
{
    if (cep_kind_is_text(type.kind))
        return CEP_CLASS_S;
    switch (type.kind) {
    case CEP_KIND_NULL: return CEP_CLASS_NULL;
    case CEP_KIND_DOUBLE: return CEP_CLASS_D;
    case CEP_KIND_DECIMAL: return CEP_CLASS_N;
    default: return CEP_CLASS_I;
    }
}

struct walk {
    const struct cep_code_context *context;
    const struct cep_program *program;
    const struct cep_code *code;
    const struct cep_insn *insns;
    uint8_t *slots;      /* class of each slot before the current instruction */
    uint8_t *targets;    /* one row of slots per instruction that is jumped to */
    uint32_t *target_of; /* instruction -> its row + 1, 0: not jumped to */
    uint8_t *reached;    /* per row: some jump has arrived */
    bool live;           /* can the current instruction be reached? */
};

static bool agrees(enum cep_class have, enum cep_class want)
{
    if (have == CEP_CLASS_UNSET || have == CEP_CLASS_MIXED)
        return false;
    return have == want || have == CEP_CLASS_NULL || have == CEP_CLASS_ANY || want == CEP_CLASS_ANY;
}

static bool reads(const struct walk *w, uint32_t slot, enum cep_class want)
{
    return slot < w->code->slots && agrees((enum cep_class)w->slots[slot], want);
}

static enum cep_class merged(enum cep_class a, enum cep_class b)
{
    if (a == CEP_CLASS_UNSET || b == CEP_CLASS_UNSET)
        return CEP_CLASS_UNSET;
    if (a == b || b == CEP_CLASS_NULL)
        return a;
    if (a == CEP_CLASS_NULL)
        return b;
    return a == CEP_CLASS_ANY || b == CEP_CLASS_ANY ? CEP_CLASS_ANY : CEP_CLASS_MIXED;
}

static void arrive(struct walk *w, uint32_t target)
{
    uint32_t row = w->target_of[target] - 1;
    uint8_t *at = w->targets + (size_t)row * w->code->slots;
    if (!w->reached[row]) {
        memcpy(at, w->slots, w->code->slots);
        w->reached[row] = 1;
        return;
    }
    for (uint32_t i = 0; i < w->code->slots; i++)
        at[i] = (uint8_t)merged((enum cep_class)at[i], (enum cep_class)w->slots[i]);
}

/* Classes of the plain instructions, those whose operands are given by the opcode alone. */
struct plain {
    uint8_t d, a, b;
}; /* 0: no such operand; else 1 + class */
#define P_(x) (CEP_CLASS_##x + 1)
#define COMPARE_(k) \
    [CEP_OP_EQ_##k] = { P_(I), P_(k), P_(k) }, [CEP_OP_NE_##k] = { P_(I), P_(k), P_(k) }, \
    [CEP_OP_LT_##k] = { P_(I), P_(k), P_(k) }, [CEP_OP_LE_##k] = { P_(I), P_(k), P_(k) }, \
    [CEP_OP_GT_##k] = { P_(I), P_(k), P_(k) }, [CEP_OP_GE_##k] = { P_(I), P_(k), P_(k) }
#define ARITHMETIC_(k) \
    [CEP_OP_ADD_##k] = { P_(k), P_(k), P_(k) }, [CEP_OP_SUB_##k] = { P_(k), P_(k), P_(k) }, \
    [CEP_OP_MUL_##k] = { P_(k), P_(k), P_(k) }, [CEP_OP_DIV_##k] = { P_(k), P_(k), P_(k) }, \
    [CEP_OP_MOD_##k] = { P_(k), P_(k), P_(k) }, [CEP_OP_NEG_##k] = { P_(k), P_(k), 0 }, \
    [CEP_OP_SUM_##k] = { P_(k), P_(k), P_(k) }
static const struct plain plains[CEP_OP_COUNT_] = {
    [CEP_OP_NULL] = { P_(NULL), 0, 0 },
    [CEP_OP_LABEL] = { P_(S), 0, 0 },
    [CEP_OP_MATCH_NUMBER] = { P_(I), 0, 0 },
    [CEP_OP_ROW_NUMBER] = { P_(I), 0, 0 },
    [CEP_OP_ROW_TIME] = { P_(I), 0, 0 },
    [CEP_OP_START_TIME] = { P_(I), 0, 0 },
    [CEP_OP_PROC_TIME] = { P_(I), 0, 0 },
    [CEP_OP_NOW] = { P_(I), 0, 0 },
    [CEP_OP_JUMP_FALSE] = { 0, P_(I), 0 },
    [CEP_OP_JUMP_TRUE] = { 0, P_(I), 0 },
    [CEP_OP_JUMP_NOT_TRUE] = { 0, P_(I), 0 },
    [CEP_OP_JUMP_NULL] = { 0, P_(ANY), 0 },
    [CEP_OP_JUMP_NOT_NULL] = { 0, P_(ANY), 0 },
    [CEP_OP_AND] = { P_(I), P_(I), P_(I) },
    [CEP_OP_OR] = { P_(I), P_(I), P_(I) },
    [CEP_OP_NOT] = { P_(I), P_(I), 0 },
    [CEP_OP_IS_NULL] = { P_(I), P_(ANY), 0 },
    [CEP_OP_IS_NOT_NULL] = { P_(I), P_(ANY), 0 },
    [CEP_OP_IS_TRUE] = { P_(I), P_(I), 0 },
    [CEP_OP_IS_FALSE] = { P_(I), P_(I), 0 },
    COMPARE_(I),
    COMPARE_(D),
    COMPARE_(N),
    COMPARE_(S),
    ARITHMETIC_(I),
    ARITHMETIC_(D),
    ARITHMETIC_(N),
    [CEP_OP_CHECK_INT] = { P_(I), P_(I), 0 },
    [CEP_OP_ADD_MONTHS] = { P_(I), P_(I), P_(I) },
    [CEP_OP_CONCAT] = { P_(S), P_(S), P_(S) },
    [CEP_OP_COUNT_IF] = { P_(I), P_(I), P_(ANY) },
};

static bool type_index(const struct walk *w, int64_t index, struct cep_type *ret)
{
    if (index < 0 || index >= cep_program_type_count(w->program))
        return false;
    *ret = *cep_program_type(w->program, (uint32_t)index);
    return true;
}

static bool set(struct walk *w, uint32_t slot, enum cep_class class)
{
    if (slot >= w->code->slots)
        return false;
    w->slots[slot] = (uint8_t) class;
    return true;
}

/* a.scale | b.scale << 8 | precision << 16 | scale << 24 */
static bool scales_good(uint32_t c)
{
    uint32_t a = c & 255, b = c >> 8 & 255, precision = c >> 16 & 255, scale = c >> 24;
    return a <= 38 && b <= 38 && precision >= 1 && precision <= 38 && scale <= precision;
}

static bool plain_good(struct walk *w, const struct cep_insn *i)
{
    struct plain p = plains[i->op];
    if ((p.a && !reads(w, i->a, (enum cep_class)(p.a - 1))) || (p.b && !reads(w, i->b, (enum cep_class)(p.b - 1))))
        return false;
    switch (i->op) {
    case CEP_OP_ADD_N:
    case CEP_OP_SUB_N:
    case CEP_OP_MUL_N:
    case CEP_OP_DIV_N:
    case CEP_OP_MOD_N:
    case CEP_OP_SUM_N:
        if (!scales_good(i->c))
            return false;
        break;
    case CEP_OP_ADD_MONTHS:
        if (i->c != CEP_KIND_DATE && i->c != CEP_KIND_TIMESTAMP && i->c != CEP_KIND_TIMESTAMP_LTZ)
            return false;
        break;
    case CEP_OP_LABEL:
        if (i->e < w->code->nav_min || i->e > w->code->nav_max)
            return false;
        break;
    default: break;
    }
    return !p.d || set(w, i->d, (enum cep_class)(p.d - 1));
}

static bool column_good(struct walk *w, const struct cep_insn *i)
{
    if (i->op == CEP_OP_NAV && (i->e < w->code->nav_min || i->e > w->code->nav_max))
        return false;
    if (!w->context->known)
        return i->c < CEP_SECTION_MAX && set(w, i->d, CEP_CLASS_ANY);
    return i->c < w->context->column_count && set(w, i->d, cep_class_of(w->context->columns[i->c]));
}

static bool register_good(struct walk *w, const struct cep_insn *i)
{
    enum cep_class class = CEP_CLASS_ANY;
    if (w->context->known) {
        if (i->c >= w->context->regs.count)
            return false;
        class = cep_class_of(cep_program_reg(w->program, w->context->regs.first + i->c)->type);
    }
    return i->op == CEP_OP_STORE ? reads(w, i->a, class) : set(w, i->d, class);
}

static bool cast_good(struct walk *w, const struct cep_insn *i)
{
    struct cep_type from, to;
    if (!type_index(w, i->c, &from) || !type_index(w, i->e, &to) || !cep_cast_exists(from, to, false))
        return false;
    return reads(w, i->a, cep_class_of(from)) && set(w, i->d, cep_class_of(to));
}

static bool call_good(struct walk *w, const struct cep_insn *i)
{
    if (i->c >= cep_program_callsite_count(w->program))
        return false;
    const struct cep_callsite *site = cep_program_callsite(w->program, i->c);
    if (site->arg_types.count != i->b)
        return false;
    for (uint32_t n = 0; n < i->b; n++)
        if (!reads(w, (uint32_t)i->a + n, cep_class_of(*cep_program_type(w->program, site->arg_types.first + n))))
            return false;
    return set(w, i->d, cep_class_of(site->ret));
}

/* Instructions over values of a type that c names. */
static bool typed_good(struct walk *w, const struct cep_insn *i)
{
    struct cep_type type;
    if (!type_index(w, i->c, &type))
        return false;
    enum cep_class class = cep_class_of(type);
    if (i->op == CEP_OP_ARRAY_APPEND || i->op == CEP_OP_ARRAY_GET) {
        if (type.kind != CEP_KIND_ARRAY || !reads(w, i->a, CEP_CLASS_S))
            return false;
        enum cep_class element = cep_class_of(cep_type_element(type));
        bool append = i->op == CEP_OP_ARRAY_APPEND;
        return reads(w, i->b, append ? element : CEP_CLASS_I) && set(w, i->d, append ? CEP_CLASS_S : element);
    }
    return reads(w, i->a, class) && reads(w, i->b, class) && set(w, i->d, i->op == CEP_OP_SAME ? CEP_CLASS_I : class);
}

static bool const_good(struct walk *w, const struct cep_insn *i)
{
    if (i->c >= cep_program_const_count(w->program))
        return false;
    const struct cep_const *c = cep_program_const(w->program, i->c);
    return set(w, i->d, c->null ? CEP_CLASS_NULL : cep_class_of(c->type));
}

static bool insn_good(struct walk *w, const struct cep_insn *i)
{
    switch (i->op) {
    case CEP_OP_CONST: return const_good(w, i);
    case CEP_OP_MOVE: return reads(w, i->a, CEP_CLASS_ANY) && set(w, i->d, (enum cep_class)w->slots[i->a]);
    case CEP_OP_COLUMN:
    case CEP_OP_NAV: return column_good(w, i);
    case CEP_OP_REG:
    case CEP_OP_FINAL:
    case CEP_OP_STORE: return register_good(w, i);
    case CEP_OP_CAST:
    case CEP_OP_TRY_CAST: return cast_good(w, i);
    case CEP_OP_SAME:
    case CEP_OP_MIN:
    case CEP_OP_MAX:
    case CEP_OP_ARRAY_APPEND:
    case CEP_OP_ARRAY_GET: return typed_good(w, i);
    case CEP_OP_CALL: return call_good(w, i);
    case CEP_OP_RETURN:
        return w->code->type.kind != CEP_KIND_NULL ? reads(w, i->a, cep_class_of(w->code->type))
                                                   : reads(w, i->a, CEP_CLASS_NULL);
    case CEP_OP_END: return w->code->type.kind == CEP_KIND_NULL;
    default: return plain_good(w, i);
    }
}

static bool ends(uint16_t op)
{
    return op == CEP_OP_RETURN || op == CEP_OP_END;
}

/* Opcodes known, jumps forward and inside, an end behind all. Numbers the jump targets. */
static bool shape_good(struct walk *w, uint32_t *ret_targets)
{
    uint32_t targets = 0;
    for (uint32_t pc = 0; pc < w->code->count; pc++) {
        const struct cep_insn *i = &w->insns[pc];
        if (i->op >= CEP_OP_COUNT_)
            return false;
        if (!cep_opcode_jumps(i->op))
            continue;
        if (i->c <= pc || i->c >= w->code->count)
            return false;
        if (!w->target_of[i->c])
            w->target_of[i->c] = ++targets;
    }
    *ret_targets = targets;
    return w->code->count > 0 && ends(w->insns[w->code->count - 1].op);
}

static bool walk(struct walk *w)
{
    w->live = true;
    for (uint32_t pc = 0; pc < w->code->count; pc++) {
        const struct cep_insn *i = &w->insns[pc];
        uint32_t row = w->target_of[pc];
        if (row && w->reached[row - 1]) {
            if (w->live)
                arrive(w, pc);
            memcpy(w->slots, w->targets + (size_t)(row - 1) * w->code->slots, w->code->slots);
            w->live = true;
        }
        if (!w->live)
            continue; /* never run: its operands do not matter */
        if (!insn_good(w, i))
            return false;
        if (cep_opcode_jumps(i->op))
            arrive(w, i->c);
        w->live = !ends(i->op) && i->op != CEP_OP_JUMP;
    }
    return true;
}

int cep_verify_code(const struct cep_code_context *context, uint32_t code)
{
    struct walk w = { .context = context,
                      .program = context->program,
                      .code = cep_program_code(context->program, code) };
    w.insns = cep_program_insn(w.program, w.code->first);
    uint32_t targets = 0;
    int ret = BASE_E_NOMEM;
    if (w.code->slots > UINT16_MAX + 1u || !cep_type_valid(w.code->type) || w.code->nav_min > 0 || w.code->nav_max < 0)
        return BASE_E_CORRUPT;
    w.target_of = base_calloc(w.code->count + 1, sizeof *w.target_of);
    if (!w.target_of)
        return BASE_E_NOMEM;
    if (!shape_good(&w, &targets) || (size_t)targets * w.code->slots > STATE_BYTES_MAX) {
        ret = BASE_E_CORRUPT;
        goto out;
    }
    w.slots = base_calloc(w.code->slots + 1, 1);
    w.targets = base_calloc((size_t)targets * w.code->slots + 1, 1);
    w.reached = base_calloc(targets + 1, 1);
    if (w.slots && w.targets && w.reached)
        ret = walk(&w) ? 0 : BASE_E_CORRUPT;
out:
    base_free(w.reached);
    base_free(w.targets);
    base_free(w.slots);
    base_free(w.target_of);
    return ret;
}
