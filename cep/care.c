#include "cep/care.h"

#include <stdlib.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/vec.h"
#include "cep/demand.h"

#define COLUMNS_MOST 8
#define PREDS_MOST 64

/* A value that an output waits for. */
struct want {
    uint64_t hash;
    uint32_t column, output;
    struct cep_value value;
};
struct wants BASE_VEC(struct want);
struct cep_care {
    uint32_t outputs, always_count, column_count, table_cap;
    uint32_t columns[COLUMNS_MOST];
    struct cep_type types[COLUMNS_MOST];
    struct wants wants;    /* in order of hash, then output */
    uint32_t *table;       /* hash -> 1 + first want */
    bool *always;          /* by output: must see every row */
    uint32_t *stamps, stamp;
    uint32_t *picked;
};

/* ---- what conditions demand ---- */

/* An equality of a column with a constant without which the condition cannot be TRUE. */
static bool find_demand(const struct cep_program *program, uint32_t code, struct want *ret)
{
    struct cep_demand demand;
    if (!cep_demand_of(program, code, false, &demand))
        return false;
    ret->column = demand.column;
    ret->value = cep_program_value(program, demand.operand);
    return !ret->value.null;
}

/* Can a thread rest so that a row which nobody takes kills it? Behind a taken row it must come to a WAIT before the next TAKE. */
static bool rests_strictly(const struct cep_nfa *nfas, uint32_t count, uint32_t pc, uint32_t depth)
{
    if (pc >= count || depth > 32)
        return true;
    const struct cep_nfa *nfa = &nfas[pc];
    switch ((enum cep_nfa_op)nfa->op) {
    case CEP_NFA_WAIT:
    case CEP_NFA_MATCH:
        return false;
    case CEP_NFA_SPLIT:
        return rests_strictly(nfas, count, nfa->a, depth + 1) || rests_strictly(nfas, count, nfa->b, depth + 1);
    case CEP_NFA_GUARD:
        return rests_strictly(nfas, count, nfa->a, depth + 1);
    case CEP_NFA_TAKE:
    case CEP_NFA_START:
    case CEP_NFA_END:
    case CEP_NFA_ABSENT:
    case CEP_NFA_LOOP_IN:
    case CEP_NFA_LOOP_OUT:
        return true;
    }
    return true;
}

/* The values that the pattern waits for, one for each of its conditions. False: it may care about any row. */
static bool pattern_wants(const struct cep_program *program, const struct cep_match *m, struct want *wants, uint32_t *ret_count)
{
    const struct cep_nfa *nfas = cep_program_nfa(program, m->nfas.first);
    if (m->batch_sort || m->all_matches || m->timeout_rows || m->hold_ms || m->lookahead || m->lookback || m->reads_number || m->can_match_empty ||
        m->rows == CEP_ROWS_ALL_UNMATCHED || m->preds.count > PREDS_MOST)
        return false;
    for (uint32_t i = 0; i < m->nfas.count; i++) {
        uint8_t op = nfas[i].op;
        if (op == CEP_NFA_START || op == CEP_NFA_END || op == CEP_NFA_ABSENT || (op == CEP_NFA_TAKE && rests_strictly(nfas, m->nfas.count, nfas[i].a, 0)))
            return false;
    }
    for (uint32_t i = 0; i < m->guards.count; i++)
        if (cep_program_guard(program, m->guards.first + i)->kind == CEP_GUARD_NOT_NEXT || cep_program_guard(program, m->guards.first + i)->kind == CEP_GUARD_NOT_AHEAD)
            return false;
    for (uint32_t i = 0; i < m->preds.count; i++) {
        const struct cep_pred *pred = cep_program_pred(program, m->preds.first + i);
        if (pred->code != CEP_NONE && (cep_program_code(program, pred->code)->flags & CEP_CODE_NAV))
            return false; /* it asks what stands before the row */
        if (pred->code == CEP_NONE || !find_demand(program, pred->code, &wants[i]))
            return false;
    }
    *ret_count = m->preds.count;
    return true;
}

/* ---- the index ---- */

static uint64_t hash_of(struct cep_type type, uint32_t column, struct cep_value value)
{
    uint64_t word = value.dec.lo;
    if (cep_kind_is_text(type.kind) && value.s.len > sizeof word)
        return base_hash64(value.s.ptr, value.s.len, column);
    if (cep_kind_is_text(type.kind)) {
        word = value.s.len;
        for (size_t i = 0; i < value.s.len; i++)
            word = word << 7 ^ word >> 57 ^ (unsigned char)value.s.ptr[i];
    }
    return (word ^ column) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool same(struct cep_type type, struct cep_value a, struct cep_value b)
{
    if (cep_kind_is_text(type.kind))
        return a.s.len == b.s.len && (a.s.len == 0 || memcmp(a.s.ptr, b.s.ptr, a.s.len) == 0);
    return a.dec.lo == b.dec.lo && (type.kind != CEP_KIND_DECIMAL || a.dec.hi == b.dec.hi);
}

static uint32_t column_place(struct cep_care *care, uint32_t column, struct cep_type type)
{
    uint32_t i = 0;
    while (i < care->column_count && care->columns[i] != column)
        i++;
    if (i == care->column_count && i < COLUMNS_MOST) {
        care->columns[i] = column;
        care->types[i] = type;
        care->column_count++;
    }
    return i;
}

static int add_output(struct cep_care *care, const struct cep_program *program, uint32_t node, uint32_t output, const struct cep_type *types, uint32_t columns)
{
    const struct cep_node *n = cep_program_node(program, node);
    struct want wants[PREDS_MOST];
    uint32_t count = 0;
    bool indexed = n->kind == CEP_NODE_MATCH && n->inputs.count == 1 && pattern_wants(program, cep_program_match(program, n->detail), wants, &count) && count > 0;
    for (uint32_t i = 0; i < count && indexed; i++)
        indexed = wants[i].column < columns && column_place(care, wants[i].column, types[wants[i].column]) < COLUMNS_MOST;
    care->always[output] = !indexed;
    care->always_count += !indexed;
    for (uint32_t i = 0; i < count && indexed; i++) {
        wants[i].output = output;
        wants[i].hash = hash_of(types[wants[i].column], wants[i].column, wants[i].value);
        if (!BASE_VEC_PUSH(&care->wants, wants[i]))
            return BASE_E_NOMEM;
    }
    return 0;
}

static int order_wants(const void *a, const void *b)
{
    const struct want *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->output > y->output) - (x->output < y->output);
}

static int make_table(struct cep_care *care)
{
    qsort(care->wants.at, care->wants.len, sizeof *care->wants.at, order_wants);
    care->table_cap = 16;
    while (care->table_cap < 2 * care->wants.len)
        care->table_cap *= 2;
    care->table = base_calloc(care->table_cap, sizeof *care->table);
    if (!care->table)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < care->wants.len; i++) {
        if (i > 0 && care->wants.at[i].hash == care->wants.at[i - 1].hash)
            continue;
        uint32_t at = (uint32_t)(care->wants.at[i].hash >> 32) & (care->table_cap - 1);
        while (care->table[at])
            at = (at + 1) & (care->table_cap - 1);
        care->table[at] = (uint32_t)i + 1;
    }
    return 0;
}

int cep_care_create(const struct cep_program *program, uint32_t node, const struct cep_type *types, uint32_t columns, struct cep_care **ret)
{
    const struct cep_list outputs = cep_program_node(program, node)->outputs;
    *ret = NULL;
    if (outputs.count == 0)
        return 0;
    struct cep_care *care = base_calloc(1, sizeof *care);
    if (!care)
        return BASE_E_NOMEM;
    care->outputs = outputs.count;
    care->always = base_calloc(outputs.count, sizeof *care->always);
    care->stamps = base_calloc(outputs.count, sizeof *care->stamps);
    care->picked = base_calloc(outputs.count, sizeof *care->picked);
    int rc = care->always && care->stamps && care->picked ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < outputs.count && !rc; i++)
        rc = add_output(care, program, *cep_program_u32(program, outputs.first + i), i, types, columns);
    if (!rc && care->wants.len)
        rc = make_table(care);
    if (rc || !care->wants.len) {
        cep_care_destroy(care);
        return rc;
    }
    *ret = care;
    return 0;
}

void cep_care_destroy(struct cep_care *care)
{
    if (!care)
        return;
    BASE_VEC_FINISH(&care->wants);
    base_free(care->table);
    base_free(care->always);
    base_free(care->stamps);
    base_free(care->picked);
    base_free(care);
}

/* 1 + the first want of the hash; 0: there is none. */
static uint32_t first_want(const struct cep_care *care, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> 32) & (care->table_cap - 1);
    while (care->table[at] && care->wants.at[care->table[at] - 1].hash != hash)
        at = (at + 1) & (care->table_cap - 1);
    return care->table[at];
}

/* Marks the outputs that wait for the column's value. */
static void look_up(struct cep_care *care, uint32_t place, struct cep_value value, uint32_t *count)
{
    uint32_t column = care->columns[place];
    uint64_t hash = hash_of(care->types[place], column, value);
    uint32_t first = first_want(care, hash);
    if (!first)
        return;
    for (size_t i = first - 1; i < care->wants.len && care->wants.at[i].hash == hash; i++) {
        const struct want *want = &care->wants.at[i];
        if (want->column != column || care->stamps[want->output] == care->stamp || !same(care->types[place], want->value, value))
            continue;
        care->stamps[want->output] = care->stamp;
        uint32_t k = (*count)++; /* few: kept in order as they come */
        for (; k > 0 && care->picked[k - 1] > want->output; k--)
            care->picked[k] = care->picked[k - 1];
        care->picked[k] = want->output;
    }
}

const uint32_t *cep_care_pick(struct cep_care *care, const struct cep_tuple *row, uint32_t *ret_count)
{
    bool all = false;
    *ret_count = 0;
    if (++care->stamp == 0) {
        memset(care->stamps, 0, care->outputs * sizeof *care->stamps);
        care->stamp = 1;
    }
    for (uint32_t i = 0; i < care->column_count && !all; i++) {
        struct cep_value value = cep_tuple_get(row, care->columns[i], care->types[i]);
        all = value.null; /* what else conditions say of it may be an error to be told */
        if (!all)
            look_up(care, i, value, ret_count);
    }
    if (!all && care->always_count == 0)
        return care->picked;
    *ret_count = 0;
    for (uint32_t i = 0; i < care->outputs; i++)
        if (all || care->always[i] || care->stamps[i] == care->stamp)
            care->picked[(*ret_count)++] = i;
    return care->picked;
}

bool cep_care_any(const struct cep_care *care, const struct cep_tuple *row)
{
    bool any = care->always_count > 0;
    for (uint32_t i = 0; i < care->column_count && !any; i++) {
        struct cep_value value = cep_tuple_get(row, care->columns[i], care->types[i]);
        if (value.null)
            return true;
        /* equal hashes of other values show a row too many: no harm */
        any = first_want(care, hash_of(care->types[i], care->columns[i], value)) != 0;
    }
    return any;
}
