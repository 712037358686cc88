#include "cep/once.h"

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/vec.h"

/* A condition of a pattern: first as found, then with its slot. */
struct cep_once_place { uint32_t node, pred, number, code, slot; };
struct places BASE_VEC(struct cep_once_place);

/* Does the code see nothing but the row's columns and its time? */
static bool sees_row_alone(const struct cep_program *program, uint32_t code)
{
    const struct cep_code *c = cep_program_code(program, code);
    if (c->flags & (CEP_CODE_REGS | CEP_CODE_LABEL | CEP_CODE_NAV | CEP_CODE_NUMBER | CEP_CODE_VOLATILE))
        return false;
    for (uint32_t i = 0; i < c->count; i++) {
        uint16_t op = cep_program_insn(program, c->first + i)->op;
        if (op == CEP_OP_REG || op == CEP_OP_NAV || op == CEP_OP_LABEL || op == CEP_OP_FINAL || op == CEP_OP_MATCH_NUMBER || op == CEP_OP_ROW_NUMBER ||
            op == CEP_OP_START_TIME || op == CEP_OP_PROC_TIME || op == CEP_OP_NOW)
            return false;
    }
    return true;
}

static int find_places(const struct cep_program *program, uint32_t node, struct places *places)
{
    const struct cep_list outputs = cep_program_node(program, node)->outputs;
    for (uint32_t i = 0; i < outputs.count; i++) {
        uint32_t to = *cep_program_u32(program, outputs.first + i);
        const struct cep_node *n = cep_program_node(program, to);
        if (n->kind != CEP_NODE_MATCH || n->inputs.count != 1)
            continue;
        const struct cep_list preds = cep_program_match(program, n->detail)->preds;
        for (uint32_t k = 0; k < preds.count; k++) {
            const struct cep_pred *pred = cep_program_pred(program, preds.first + k);
            if (!pred->unary || pred->shared == CEP_NONE || pred->code == CEP_NONE || !sees_row_alone(program, pred->code))
                continue;
            struct cep_once_place place = { .node = to, .pred = k, .number = pred->shared, .code = pred->code, .slot = CEP_NONE };
            if (!BASE_VEC_PUSH(places, place))
                return BASE_E_NOMEM;
        }
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct cep_once_place *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return (x->pred > y->pred) - (x->pred < y->pred);
}

static int by_node(const void *a, const void *b)
{
    const struct cep_once_place *x = a, *y = b;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return (x->pred > y->pred) - (x->pred < y->pred);
}

static bool same_arguments(const struct cep_program *program, const struct cep_callsite *x, const struct cep_callsite *y)
{
    if (x->arg_types.count != y->arg_types.count || x->arg_consts.count != y->arg_consts.count)
        return false;
    for (uint32_t i = 0; i < x->arg_types.count; i++)
        if (memcmp(cep_program_type(program, x->arg_types.first + i), cep_program_type(program, y->arg_types.first + i), sizeof(struct cep_type)) != 0)
            return false;
    for (uint32_t i = 0; i < x->arg_consts.count; i++)
        if (*cep_program_u32(program, x->arg_consts.first + i) != *cep_program_u32(program, y->arg_consts.first + i))
            return false;
    return true;
}

/* Calls of one function with the same arguments are the same, whatever their place in the table of calls. */
static bool same_insn(const struct cep_program *program, struct cep_insn x, struct cep_insn y)
{
    if (x.op == CEP_OP_CALL && y.op == CEP_OP_CALL && x.c != y.c) {
        const struct cep_callsite *a = cep_program_callsite(program, x.c), *b = cep_program_callsite(program, y.c);
        if (a->name.off != b->name.off || a->name.len != b->name.len || memcmp(&a->ret, &b->ret, sizeof a->ret) != 0 || !same_arguments(program, a, b))
            return false;
        y.c = x.c;
    }
    return memcmp(&x, &y, sizeof x) == 0;
}

/* The compiler's number says that codes are equal; believed only where they are. */
static bool same_code(const struct cep_program *program, uint32_t a, uint32_t b)
{
    const struct cep_code *x = cep_program_code(program, a), *y = cep_program_code(program, b);
    bool same = x->count == y->count && x->slots == y->slots;
    for (uint32_t i = 0; i < x->count && same; i++)
        same = same_insn(program, *cep_program_insn(program, x->first + i), *cep_program_insn(program, y->first + i));
    return same;
}

/* Gives a slot to each number that two patterns have. */
static uint32_t give_slots(const struct cep_program *program, struct places *places)
{
    uint32_t slots = 0;
    for (size_t i = 0, end; i < places->len; i = end) {
        const struct cep_once_place first = places->at[i];
        bool shared = false;
        for (end = i + 1; end < places->len && places->at[end].number == first.number; end++)
            shared |= places->at[end].node != first.node && same_code(program, first.code, places->at[end].code);
        for (size_t k = i; k < end && shared; k++)
            if (same_code(program, first.code, places->at[k].code))
                places->at[k].slot = slots;
        slots += shared;
    }
    size_t kept = 0;
    for (size_t i = 0; i < places->len; i++)
        if (places->at[i].slot != CEP_NONE)
            places->at[kept++] = places->at[i];
    places->len = kept;
    return slots;
}

int cep_once_create(const struct cep_program *program, uint32_t node, struct cep_once **ret)
{
    struct places places = { 0 };
    *ret = NULL;
    int rc = cep_program_node(program, node)->outputs.count > 1 ? find_places(program, node, &places) : 0;
    if (!rc && places.len)
        qsort(places.at, places.len, sizeof *places.at, by_number);
    uint32_t slots = rc ? 0 : give_slots(program, &places);
    if (!slots) {
        BASE_VEC_FINISH(&places);
        return rc;
    }
    qsort(places.at, places.len, sizeof *places.at, by_node);
    struct cep_once *once = base_calloc(1, sizeof *once);
    if (!once) {
        BASE_VEC_FINISH(&places);
        return BASE_E_NOMEM;
    }
    *once = (struct cep_once){ .slots = slots, .places = places.at, .place_count = (uint32_t)places.len };
    once->known = base_calloc(slots / 64 + 1, sizeof *once->known);
    once->holds = base_calloc(slots / 64 + 1, sizeof *once->holds);
    if (!once->known || !once->holds) {
        cep_once_destroy(once);
        return BASE_E_NOMEM;
    }
    *ret = once;
    return 0;
}

void cep_once_destroy(struct cep_once *once)
{
    if (!once)
        return;
    base_free(once->places);
    base_free(once->known);
    base_free(once->holds);
    base_free(once);
}

bool cep_once_slots(const struct cep_once *once, uint32_t match_node, uint32_t count, uint32_t *slots)
{
    uint32_t low = 0, high = once->place_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (once->places[middle].node < match_node)
            low = middle + 1;
        else
            high = middle;
    }
    bool any = false;
    for (uint32_t i = 0; i < count; i++)
        slots[i] = CEP_NONE;
    for (; low < once->place_count && once->places[low].node == match_node; low++) {
        if (once->places[low].pred < count)
            slots[once->places[low].pred] = once->places[low].slot;
        any = true;
    }
    return any;
}

void cep_once_row(struct cep_once *once, const struct cep_row *row)
{
    once->row = row;
    if (!row)
        return;
    memset(once->known, 0, (once->slots / 64 + 1) * sizeof *once->known);
    memset(once->holds, 0, (once->slots / 64 + 1) * sizeof *once->holds);
}
