#include "cep/match/reach.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#define UNKNOWN 0xffffu
#define STRIDE_SETS 32u /* 64 KiB of strides: what more sets need would not stay in the cache */

/* ---- the order in which states are looked at ---- */

static uint32_t ways(const struct cep_nfa *nfa, uint32_t ret[2])
{
    switch ((enum cep_nfa_op)nfa->op) {
    case CEP_NFA_SPLIT:
        ret[0] = nfa->a;
        ret[1] = nfa->b;
        return 2;
    case CEP_NFA_START:
    case CEP_NFA_END:
        ret[0] = nfa->a;
        return 1;
    case CEP_NFA_MATCH:
    case CEP_NFA_TAKE:
    case CEP_NFA_WAIT:
    case CEP_NFA_GUARD:
    case CEP_NFA_ABSENT:
    case CEP_NFA_LOOP_IN:
    case CEP_NFA_LOOP_OUT:
        return 0;
    }
    return 0;
}

/* Depth first with a stack of its own; a way back into what is under way is a loop that takes no row. */
static int sort_states(struct match_reach *reach)
{
    enum { NEW, OPEN, DONE };
    uint8_t *state = base_calloc(reach->pcs, 1);
    uint32_t *stack = base_calloc((size_t)reach->pcs * 3 + 1, sizeof *stack), found = 0;
    int rc = state && stack ? 0 : BASE_E_NOMEM;
    for (uint32_t root = 0; root < reach->pcs && !rc; root++) {
        uint32_t depth = 0;
        if (state[root] == NEW)
            stack[depth++] = root;
        while (depth && !rc) {
            uint32_t pc = stack[depth - 1], to[2], count = ways(&reach->op->nfas[pc], to);
            if (state[pc] != NEW) {
                depth--;
                if (state[pc] == OPEN)
                    reach->order[found++] = pc;
                state[pc] = DONE;
                continue;
            }
            state[pc] = OPEN;
            for (uint32_t i = 0; i < count && !rc; i++) {
                if (state[to[i]] == OPEN)
                    rc = BASE_E_UNSUPPORTED;
                if (state[to[i]] == NEW)
                    stack[depth++] = to[i];
            }
        }
    }
    base_free(state);
    base_free(stack);
    return rc;
}

static int note_pred(struct match_reach *reach, uint32_t pc)
{
    uint32_t pred = reach->op->vars[reach->op->nfas[pc].var].pred, i = 0;
    if (reach->op->preds[pred].code == CEP_NONE)
        return 0;
    if (!reach->op->preds[pred].unary)
        return BASE_E_UNSUPPORTED;
    while (i < reach->pred_count && reach->preds[i] != pred)
        i++;
    if (i == MATCH_REACH_PREDS_MOST)
        return BASE_E_UNSUPPORTED;
    if (i == reach->pred_count)
        reach->preds[reach->pred_count++] = pred;
    reach->bit_of[pc] = (uint8_t)(i + 1);
    return 0;
}

/* ---- sets ---- */

static int add_room(struct match_reach *reach)
{
    uint32_t cap = reach->cap ? reach->cap * 2 : 16;
    size_t row = (size_t)1 << reach->shift, bytes = (size_t)cap * (reach->words * sizeof *reach->sets + row * sizeof *reach->next + 1);
    if (cap > MATCH_REACH_STATES_MOST * 2 || bytes > MATCH_REACH_BYTES_MOST)
        return BASE_E_LIMIT;
    uint64_t *sets = base_realloc(reach->sets, (size_t)cap * reach->words * sizeof *sets);
    if (sets)
        reach->sets = sets;
    uint16_t *next = base_realloc(reach->next, cap * row * sizeof *next);
    if (next)
        reach->next = next;
    uint8_t *hit = base_realloc(reach->hit, cap);
    if (hit)
        reach->hit = hit;
    if (!sets || !next || !hit)
        return BASE_E_NOMEM;
    memset(next + reach->cap * row, 0xff, (cap - reach->cap) * row * sizeof *next);
    reach->cap = cap;
    return 0;
}

static int grow_table(struct match_reach *reach)
{
    uint32_t cap = reach->table_cap ? reach->table_cap * 2 : 64;
    uint32_t *table = base_calloc(cap, sizeof *table);
    if (!table)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < reach->count; i++) {
        uint64_t at = base_hash64(reach->sets + (size_t)i * reach->words, reach->words * sizeof *reach->sets, 0) & (cap - 1);
        while (table[at])
            at = (at + 1) & (cap - 1);
        table[at] = i + 1;
    }
    base_free(reach->table);
    reach->table = table;
    reach->table_cap = cap;
    return 0;
}

/* Number of the set in scratch. */
static int intern(struct match_reach *reach, uint16_t *ret)
{
    size_t bytes = reach->words * sizeof *reach->sets;
    int rc = (reach->count + 1) * 2 > reach->table_cap ? grow_table(reach) : 0;
    if (rc)
        return rc;
    uint64_t at = base_hash64(reach->scratch, bytes, 0) & (reach->table_cap - 1);
    for (; reach->table[at]; at = (at + 1) & (reach->table_cap - 1)) {
        uint32_t set = reach->table[at] - 1;
        if (memcmp(reach->sets + (size_t)set * reach->words, reach->scratch, bytes) == 0) {
            *ret = (uint16_t)set;
            return 0;
        }
    }
    if (reach->count >= MATCH_REACH_STATES_MOST)
        return BASE_E_LIMIT;
    rc = reach->count == reach->cap ? add_room(reach) : 0;
    if (rc)
        return rc;
    memcpy(reach->sets + (size_t)reach->count * reach->words, reach->scratch, bytes);
    reach->hit[reach->count] = reach->scratch[0] & 1;
    reach->table[at] = reach->count + 1;
    *ret = (uint16_t)reach->count++;
    return 0;
}

static bool in_scratch(const struct match_reach *reach, uint32_t pc) { return reach->scratch[pc / 64] >> (pc % 64) & 1; }

/* Into scratch: the set before a row of this class, behind which stands the set `behind` (NULL: before the end). first: it is the partition's first row. */
static void look(struct match_reach *reach, const uint64_t *behind, uint32_t sight, bool first)
{
    memset(reach->scratch, 0, reach->words * sizeof *reach->scratch);
    for (uint32_t i = 0; i < reach->pcs; i++) {
        uint32_t pc = reach->order[i];
        const struct cep_nfa *nfa = &reach->op->nfas[pc];
        bool can = false;
        switch ((enum cep_nfa_op)nfa->op) {
        case CEP_NFA_MATCH: can = true; break;
        case CEP_NFA_SPLIT: can = in_scratch(reach, nfa->a) || in_scratch(reach, nfa->b); break;
        case CEP_NFA_START: can = first && in_scratch(reach, nfa->a); break;
        case CEP_NFA_END: can = !behind && in_scratch(reach, nfa->a); break;
        case CEP_NFA_TAKE:
            can = behind && (!reach->bit_of[pc] || (sight >> (reach->bit_of[pc] - 1) & 1)) && (behind[nfa->a / 64] >> (nfa->a % 64) & 1);
            break;
        case CEP_NFA_WAIT:
        case CEP_NFA_GUARD:
        case CEP_NFA_ABSENT:
        case CEP_NFA_LOOP_IN:
        case CEP_NFA_LOOP_OUT: break; /* not in such patterns */
        }
        reach->scratch[pc / 64] |= (uint64_t)can << (pc % 64);
    }
}

static int step(struct match_reach *reach, uint16_t behind, uint8_t class, uint16_t *ret)
{
    look(reach, reach->sets + (size_t)behind * reach->words, reach->class_sight[class], false);
    int rc = intern(reach, ret);
    if (!rc)
        reach->next[(size_t)behind << reach->shift | class] = *ret;
    return rc;
}

int cep_match_reach_class(struct match_reach *reach, uint32_t sight, uint8_t *ret)
{
    if (!reach->class_of) {
        *ret = (uint8_t)sight;
        return 0;
    }
    if (reach->class_of[sight] == 0xff) {
        if (reach->classes == 0xff)
            return BASE_E_LIMIT;
        reach->class_sight[reach->classes] = (uint16_t)sight;
        reach->class_of[sight] = (uint8_t)reach->classes++;
    }
    *ret = reach->class_of[sight];
    return 0;
}

static int single(struct match_reach *reach, uint16_t *set, uint8_t class)
{
    uint16_t next = reach->next[(size_t)*set << reach->shift | class];
    if (BASE_UNLIKELY(next == UNKNOWN)) {
        int rc = step(reach, *set, class, &next);
        if (rc)
            return rc;
    }
    *set = next;
    return 0;
}

/* Classes of four rows of at most 2 bits each, of two of at most 4, as one number. */
static inline uint32_t joined(const uint8_t *classes, uint32_t rows)
{
    uint32_t four;
    if (rows == 2)
        return classes[0] | (uint32_t)classes[1] << 4;
    memcpy(&four, classes, sizeof four);
    return (four * UINT32_C(0x01041040)) >> 24;
}

static int make_stride(struct match_reach *reach, uint16_t set, const uint8_t *classes, uint32_t rows, struct match_reach_stride *ret)
{
    struct match_reach_stride made = { { 0 } };
    for (uint32_t r = rows; r-- > 0;) {
        int rc = single(reach, &set, classes[r]);
        if (rc)
            return rc;
        made.sets[r] = set;
    }
    *ret = made;
    return 0;
}

/* As long as whole strides are left of the rows before *inout_row. Each row waits for the set behind it: several at a time wait once. */
static inline int run_strides(struct match_reach *reach, const uint8_t *classes, uint32_t rows, uint16_t *sets, uint32_t *inout_row, uint16_t *inout_set)
{
    uint32_t r = *inout_row;
    uint16_t set = *inout_set;
    int rc = 0;
    while (r >= rows && set < STRIDE_SETS) {
        struct match_reach_stride *stride = &reach->strides[(size_t)set << 8 | joined(classes + r - rows, rows)];
        if (BASE_UNLIKELY(stride->sets[0] == UNKNOWN))
            rc = make_stride(reach, set, classes + r - rows, rows, stride);
        if (BASE_UNLIKELY(rc != 0))
            break;
        r -= rows;
        memcpy(sets + r, stride->sets, rows * sizeof *sets);
        set = stride->sets[0];
    }
    *inout_row = r;
    *inout_set = set;
    return rc;
}

int cep_match_reach_run(struct match_reach *reach, const uint8_t *classes, uint32_t count, uint16_t *sets)
{
    uint16_t set = reach->end;
    uint32_t rows = reach->shift <= 2 ? 4 : reach->shift <= 4 ? 2 : 0;
    int rc = 0;
    sets[count] = set;
    if (rows && !reach->strides) {
        reach->strides = base_alloc(((size_t)STRIDE_SETS << 8) * sizeof *reach->strides);
        if (!reach->strides)
            return BASE_E_NOMEM;
        memset(reach->strides, 0xff, ((size_t)STRIDE_SETS << 8) * sizeof *reach->strides);
    }
    for (uint32_t r = count; r > 0 && !rc;) {
        if (rows)
            rc = rows == 4 ? run_strides(reach, classes, 4, sets, &r, &set) : run_strides(reach, classes, 2, sets, &r, &set);
        if (r > 0 && !rc) {
            rc = single(reach, &set, classes[--r]);
            sets[r] = set;
        }
    }
    if (rc || !reach->op->has_start_anchor || count == 0)
        return rc;
    look(reach, reach->sets + (size_t)sets[1] * reach->words, reach->class_sight[classes[0]], true);
    return intern(reach, &sets[0]);
}

int cep_match_reach_init(struct match_reach *reach, const struct match_op *op)
{
    const struct cep_match *m = op->m;
    *reach = (struct match_reach){ .op = op, .pcs = m->nfas.count, .words = (m->nfas.count + 63) / 64 };
    if (m->all_matches || m->guards.count || m->nullable_loops || m->reads_number || op->within_ms || m->timeout_rows)
        return BASE_E_UNSUPPORTED;
    reach->order = base_calloc(reach->pcs, sizeof *reach->order);
    reach->bit_of = base_calloc(reach->pcs, 1);
    reach->scratch = base_calloc(reach->words, sizeof *reach->scratch);
    int rc = reach->order && reach->bit_of && reach->scratch ? 0 : BASE_E_NOMEM;
    for (uint32_t pc = 0; pc < reach->pcs && !rc; pc++) {
        uint8_t kind = op->nfas[pc].op;
        if (kind == CEP_NFA_TAKE)
            rc = note_pred(reach, pc);
        else if (kind != CEP_NFA_MATCH && kind != CEP_NFA_SPLIT && kind != CEP_NFA_START && kind != CEP_NFA_END)
            rc = BASE_E_UNSUPPORTED;
    }
    if (!rc)
        rc = sort_states(reach);
    if (rc)
        return rc;
    reach->shift = reach->pred_count <= 8 ? reach->pred_count : 8;
    for (uint32_t i = 0; i < MATCH_REACH_CLASSES_MOST; i++)
        reach->class_sight[i] = (uint16_t)i;
    if (reach->pred_count > 8) {
        reach->class_of = base_alloc((size_t)1 << reach->pred_count);
        if (!reach->class_of)
            return BASE_E_NOMEM;
        memset(reach->class_of, 0xff, (size_t)1 << reach->pred_count);
    }
    look(reach, NULL, 0, false);
    return intern(reach, &reach->end);
}

void cep_match_reach_finish(struct match_reach *reach)
{
    base_free(reach->order);
    base_free(reach->bit_of);
    base_free(reach->class_of);
    base_free(reach->sets);
    base_free(reach->hit);
    base_free(reach->next);
    base_free(reach->strides);
    base_free(reach->table);
    base_free(reach->scratch);
    *reach = (struct match_reach){ 0 };
}
