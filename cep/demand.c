#include "cep/demand.h"

/* Is the code's result FALSE if at insn `at` slot s is? */
static bool leads_to_false(const struct cep_insn *insns, uint32_t count, uint32_t at, uint16_t s)
{
    for (uint32_t turn = 0; at < count && turn < count; turn++) {
        const struct cep_insn *insn = &insns[at];
        bool reads = insn->a == s;
        if (insn->op == CEP_OP_RETURN)
            return reads;
        if ((insn->op == CEP_OP_JUMP_FALSE || insn->op == CEP_OP_JUMP_NOT_TRUE) && reads) {
            at = insn->c;
            continue;
        }
        if (insn->op == CEP_OP_AND && (reads || insn->b == s))
            s = insn->d;
        else
            return false;
        at++;
    }
    return false;
}

static bool is_equality(uint16_t op, bool doubles)
{
    return op == CEP_OP_EQ_I || op == CEP_OP_EQ_N || op == CEP_OP_EQ_S || (doubles && op == CEP_OP_EQ_D);
}

/* Ends in no error, and writes its destination alone. */
static bool is_simple(uint16_t op)
{
    return op == CEP_OP_COLUMN || op == CEP_OP_CONST || op == CEP_OP_REG || op == CEP_OP_AND || (op >= CEP_OP_EQ_I && op <= CEP_OP_GE_S);
}

/* May stand before the equality: ends in no error, leads nowhere else than to FALSE. */
static bool is_plain(const struct cep_insn *insns, uint32_t count, uint32_t at)
{
    const struct cep_insn *insn = &insns[at];
    if (insn->op == CEP_OP_JUMP_FALSE || insn->op == CEP_OP_JUMP_NOT_TRUE)
        return leads_to_false(insns, count, insn->c, insn->a);
    return is_simple(insn->op);
}

static bool is_calm(const struct cep_insn *insns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint16_t op = insns[i].op;
        bool calm = is_simple(op) || (op >= CEP_OP_JUMP && op <= CEP_OP_JUMP_NOT_NULL) || (op >= CEP_OP_OR && op <= CEP_OP_IS_FALSE) || op == CEP_OP_NULL ||
                    op == CEP_OP_MOVE || op == CEP_OP_NAV || op == CEP_OP_RETURN;
        if (!calm)
            return false;
    }
    return true;
}

/* The insn that gave slot s its value, in code that runs straight to `at`. */
static const struct cep_insn *origin_of(const struct cep_insn *insns, uint32_t at, uint16_t s)
{
    while (at-- > 0)
        if (is_simple(insns[at].op) && insns[at].d == s)
            return &insns[at];
    return NULL;
}

bool cep_demand_of(const struct cep_program *program, uint32_t code, bool with_register, struct cep_demand *ret)
{
    const struct cep_code *c = cep_program_code(program, code);
    const struct cep_insn *insns = cep_program_insn(program, c->first);
    const uint16_t wanted = with_register ? CEP_OP_REG : CEP_OP_CONST;
    for (uint32_t i = 0; i < c->count; i++) {
        if (is_equality(insns[i].op, with_register) && leads_to_false(insns, c->count, i + 1, insns[i].d)) {
            const struct cep_insn *x = origin_of(insns, i, insns[i].a), *y = origin_of(insns, i, insns[i].b);
            if (x && y && x->op != CEP_OP_COLUMN) {
                const struct cep_insn *other = x;
                x = y;
                y = other;
            }
            if (x && y && x->op == CEP_OP_COLUMN && y->op == wanted) {
                *ret = (struct cep_demand){ .column = x->c, .operand = y->c, .calm = is_calm(insns, c->count) };
                return true;
            }
        }
        if (!is_plain(insns, c->count, i))
            return false;
    }
    return false;
}

bool cep_demand_waits(const struct cep_program *program, const struct cep_match *match, uint32_t pc)
{
    const struct cep_nfa *nfa = cep_program_nfa(program, match->nfas.first + pc);
    bool some = false;
    for (uint32_t i = 0; nfa->op == CEP_NFA_WAIT && i < nfa->firsts.count; i++) {
        struct cep_demand demand;
        uint32_t code = cep_program_pred(program, match->preds.first + *cep_program_u32(program, nfa->firsts.first + i))->code;
        if (code != CEP_NONE && cep_demand_of(program, code, true, &demand))
            some = true;
        else if (code == CEP_NONE || !cep_demand_of(program, code, false, &demand))
            return false;
    }
    return some;
}

/* Has a start one thread at a time? */
static bool one_thread_each(const struct cep_program *program, const struct cep_match *match)
{
    for (uint32_t pc = 0; pc < match->nfas.count; pc++) {
        const struct cep_nfa *nfa = cep_program_nfa(program, match->nfas.first + pc);
        if (nfa->op == CEP_NFA_SPLIT || nfa->op == CEP_NFA_LOOP_OUT || (nfa->op == CEP_NFA_WAIT && nfa->any))
            return false;
    }
    return true;
}

bool cep_demand_finds_waits(const struct cep_program *program, const struct cep_match *match, bool absorbs)
{
    if (match->reads_number || (absorbs && !one_thread_each(program, match)))
        return false;
    for (uint32_t pc = 0; pc < match->nfas.count; pc++)
        if (cep_demand_waits(program, match, pc))
            return true;
    return false;
}
