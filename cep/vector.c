#include "cep/vector.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cep/linked.h"
#include "cep/text.h"

#define INSNS_MOST 64u

/* The values that one instruction gives for a block of rows. Texts: i holds the address, len the length. */
struct lane { int64_t i[CEP_VECTOR_ROWS]; uint64_t len[CEP_VECTOR_ROWS]; uint8_t null[CEP_VECTOR_ROWS]; };
struct step { uint16_t op, a, b; uint32_t column; int32_t distance; };
/* A column of whole numbers without NULLs beside a constant, which most conditions are: compared where they lie. */
struct beside { uint16_t op; uint32_t column; int64_t constant; };
struct cep_vector {
    struct beside beside;      /* op 0: it is not that */
    uint32_t count, result;    /* steps; the lane that is the result */
    struct step steps[INSNS_MOST];
    struct lane lanes[];       /* one a step */
};

static bool is_plain(struct cep_type type)
{
    return type.kind != CEP_KIND_DECIMAL && type.kind != CEP_KIND_NULL;
}

static bool known(uint16_t op)
{
    return op == CEP_OP_NULL || (op >= CEP_OP_AND && op <= CEP_OP_GE_D) || (op >= CEP_OP_EQ_S && op <= CEP_OP_GE_S) || op == CEP_OP_ADD_I || op == CEP_OP_SUB_I ||
           op == CEP_OP_MUL_I || op == CEP_OP_NEG_I || op == CEP_OP_CHECK_INT || op == CEP_OP_ADD_D || op == CEP_OP_SUB_D || op == CEP_OP_MUL_D || op == CEP_OP_NEG_D;
}

static void fill_const(struct lane *lane, struct cep_type type, struct cep_value value)
{
    for (uint32_t r = 0; r < CEP_VECTOR_ROWS; r++) {
        lane->null[r] = value.null;
        lane->i[r] = value.null ? 0 : cep_kind_is_text(type.kind) ? (int64_t)(uintptr_t)value.s.ptr : value.i;
        lane->len[r] = value.null || !cep_kind_is_text(type.kind) ? 0 : value.s.len;
    }
}

/* Each instruction's result gets a lane of its own; lane_of: which lane a slot of the code stands for at that point. */
static int translate(struct cep_vector *v, const struct cep_linked *linked, uint32_t number, const struct cep_columns *columns)
{
    const struct cep_code *code = cep_program_code(linked->program, number);
    const struct cep_insn *insns = linked->codes[number];
    uint16_t lane_of[256];
    if (code->slots > 256)
        return BASE_E_UNSUPPORTED;
    memset(lane_of, 0xff, sizeof lane_of);
    for (uint32_t n = 0; n < code->count; n++) {
        const struct cep_insn *i = &insns[n];
        struct step *step = &v->steps[v->count];
        *step = (struct step){ .op = i->op };
        if (i->op == CEP_OP_RETURN) {
            v->result = lane_of[i->a];
            return lane_of[i->a] == UINT16_MAX ? BASE_E_UNSUPPORTED : 0;
        }
        if (i->op == CEP_OP_COLUMN || i->op == CEP_OP_NAV) {
            if (i->c >= columns->count || !is_plain(columns->at[i->c].type))
                return BASE_E_UNSUPPORTED;
            step->column = i->c;
            step->distance = i->op == CEP_OP_NAV ? i->e : 0;
        } else if (i->op == CEP_OP_CONST) {
            const struct cep_type type = cep_program_const(linked->program, i->c)->type;
            if (!is_plain(type))
                return BASE_E_UNSUPPORTED;
            fill_const(&v->lanes[v->count], type, linked->consts[i->c]);
        } else if (i->op == CEP_OP_MOVE) {
            lane_of[i->d] = lane_of[i->a];
            continue;
        } else if (known(i->op)) {
            bool one = i->op == CEP_OP_NOT || (i->op >= CEP_OP_IS_NULL && i->op <= CEP_OP_IS_FALSE) || i->op == CEP_OP_NEG_I || i->op == CEP_OP_NEG_D ||
                       i->op == CEP_OP_CHECK_INT;
            step->a = lane_of[i->a];
            step->b = one ? step->a : lane_of[i->b];
            if (i->op != CEP_OP_NULL && (step->a == UINT16_MAX || step->b == UINT16_MAX))
                return BASE_E_UNSUPPORTED;
            if (i->op == CEP_OP_NULL)
                fill_const(&v->lanes[v->count], CEP_TYPE(BIGINT), cep_null());
        } else {
            return BASE_E_UNSUPPORTED;
        }
        lane_of[i->d] = (uint16_t)v->count++;
    }
    return BASE_E_UNSUPPORTED;
}

static void note_beside(struct cep_vector *v, const struct cep_columns *columns)
{
    const struct step *s = v->steps;
    if (v->count != 3 || v->result != 2 || s[0].op != CEP_OP_COLUMN || s[1].op != CEP_OP_CONST || s[2].op < CEP_OP_EQ_I || s[2].op > CEP_OP_GE_I || s[2].a != 0 ||
        s[2].b != 1 || v->lanes[1].null[0] || !columns->at[s[0].column].narrow || v->lanes[1].i[0] != (int32_t)v->lanes[1].i[0])
        return;
    v->beside = (struct beside){ s[2].op, s[0].column, v->lanes[1].i[0] };
}

int cep_vector_create(const struct cep_linked *linked, uint32_t code, const struct cep_columns *columns, struct cep_vector **ret)
{
    uint32_t count = cep_program_code(linked->program, code)->count;
    if (count > INSNS_MOST)
        return BASE_E_UNSUPPORTED;
    struct cep_vector *v = base_calloc(1, sizeof *v + count * sizeof v->lanes[0]);
    if (!v)
        return BASE_E_NOMEM;
    int rc = translate(v, linked, code, columns);
    if (rc) {
        base_free(v);
        return rc;
    }
    note_beside(v, columns);
    *ret = v;
    return 0;
}

void cep_vector_destroy(struct cep_vector *vector)
{
    base_free(vector);
}

/* ---- columns ---- */

/* Neighbours beyond a partition's ends, and beyond the table's, are NULL: near each edge |distance| rows have none. */
static void cut_at_edges(const struct cep_vector_block *block, int32_t distance, struct lane *lane)
{
    int64_t first = block->first, end = first + block->count;
    for (uint32_t e = block->edge;; e++) {
        int64_t edge = block->edges[e];
        int64_t from = distance < 0 ? edge : edge + -(int64_t)distance, to = distance < 0 ? edge - distance : edge;
        if (from >= end)
            return;
        for (int64_t r = from < first ? first : from; r < to && r < end; r++) {
            lane->null[r - first] = 1;
            lane->i[r - first] = 0;
            lane->len[r - first] = 0;
        }
        if (edge >= block->columns->rows)
            return;
    }
}

static void load(const struct cep_vector_block *block, const struct step *step, struct lane *lane)
{
    const struct cep_columns *columns = block->columns;
    const struct cep_column_data *data = &columns->at[step->column];
    int64_t from = (int64_t)block->first + step->distance;
    uint32_t skip = from < 0 ? (uint32_t)-from : 0, n = block->count;
    if (skip >= n || from >= columns->rows) {
        skip = n;
    } else if (from + n > columns->rows) {
        n = (uint32_t)(columns->rows - from);
    }
    for (uint32_t r = 0; r < skip; r++)
        lane->i[r] = 0;
    for (uint32_t r = n; r < block->count; r++)
        lane->i[r] = 0;
    if (data->narrow)
        for (uint32_t r = skip; r < n; r++)
            lane->i[r] = data->narrow[from + r];
    else
        for (uint32_t r = skip; r < n; r++)
            lane->i[r] = data->wide[from + r];
    memset(lane->null, 0, block->count);
    if (data->nulls)
        for (uint32_t r = skip; r < n; r++)
            lane->null[r] = data->nulls[from + r];
    if (cep_columns_in_text(data->type))
        for (uint32_t r = 0; r < block->count; r++) {
            struct base_str text = cep_columns_text(columns, lane->i[r]);
            lane->i[r] = (int64_t)(uintptr_t)text.ptr;
            lane->len[r] = text.len;
        }
    if (step->distance)
        cut_at_edges(block, step->distance, lane);
}

/* ---- instructions ---- */

static double as_double(int64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
static int64_t as_bits(double d)
{
    int64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}
static bool same_text(const struct lane *x, const struct lane *y, uint32_t r)
{
    return x->len[r] == y->len[r] && (x->len[r] == 0 || memcmp((const char *)(uintptr_t)x->i[r], (const char *)(uintptr_t)y->i[r], x->len[r]) == 0);
}
static int order_text(const struct lane *x, const struct lane *y, uint32_t r)
{
    return cep_text_compare(cep_string((const char *)(uintptr_t)x->i[r], x->len[r]), cep_string((const char *)(uintptr_t)y->i[r], y->len[r]));
}

#define EACH(op, expression) \
    case CEP_OP_##op: \
        for (uint32_t r = 0; r < n; r++) \
            d->i[r] = (expression); \
        for (uint32_t r = 0; r < n; r++) \
            d->null[r] = x->null[r] | y->null[r]; \
        return 0;
#define NEVER_NULL(op, expression) \
    case CEP_OP_##op: \
        for (uint32_t r = 0; r < n; r++) { \
            d->i[r] = (expression); \
            d->null[r] = 0; \
        } \
        return 0;
#define TEXTS(op, expression) \
    case CEP_OP_##op: \
        for (uint32_t r = 0; r < n; r++) { \
            d->null[r] = x->null[r] | y->null[r]; \
            d->i[r] = !d->null[r] && (expression); \
        } \
        return 0;
#define COMPARE(k, X, Y) \
    EACH(EQ_##k, X == Y) \
    EACH(NE_##k, X != Y) \
    EACH(LT_##k, X < Y) \
    EACH(LE_##k, X <= Y) \
    EACH(GT_##k, X > Y) \
    EACH(GE_##k, X >= Y)
#define CHECKED(op, builtin) \
    case CEP_OP_##op: { \
        uint8_t bad = 0; \
        for (uint32_t r = 0; r < n; r++) { \
            d->null[r] = x->null[r] | y->null[r]; \
            bad |= (uint8_t)(builtin(x->i[r], y->i[r], &d->i[r]) & !d->null[r]); \
        } \
        return bad ? BASE_E_UNSUPPORTED : 0; \
    }

/* NOLINT(size): one line for each instruction */
static int run_step(const struct step *step, const struct lane *x, const struct lane *y, struct lane *d, uint32_t n)
{
    switch (step->op) {
    case CEP_OP_AND:
        for (uint32_t r = 0; r < n; r++) {
            uint8_t is_false = (uint8_t)((!x->null[r] & !x->i[r]) | (!y->null[r] & !y->i[r]));
            d->null[r] = (x->null[r] | y->null[r]) & (is_false ^ 1);
            d->i[r] = !is_false;
        }
        return 0;
    case CEP_OP_OR:
        for (uint32_t r = 0; r < n; r++) {
            uint8_t is_true = (uint8_t)((!x->null[r] & (x->i[r] != 0)) | (!y->null[r] & (y->i[r] != 0)));
            d->null[r] = (x->null[r] | y->null[r]) & (is_true ^ 1);
            d->i[r] = is_true;
        }
        return 0;
    EACH(NOT, !x->i[r])
    NEVER_NULL(IS_NULL, x->null[r] != 0)
    NEVER_NULL(IS_NOT_NULL, x->null[r] == 0)
    NEVER_NULL(IS_TRUE, !x->null[r] && x->i[r])
    NEVER_NULL(IS_FALSE, !x->null[r] && !x->i[r])
    COMPARE(I, x->i[r], y->i[r])
    COMPARE(D, as_double(x->i[r]), as_double(y->i[r]))
    TEXTS(EQ_S, same_text(x, y, r))
    TEXTS(NE_S, !same_text(x, y, r))
    TEXTS(LT_S, order_text(x, y, r) < 0)
    TEXTS(LE_S, order_text(x, y, r) <= 0)
    TEXTS(GT_S, order_text(x, y, r) > 0)
    TEXTS(GE_S, order_text(x, y, r) >= 0)
    CHECKED(ADD_I, __builtin_add_overflow)
    CHECKED(SUB_I, __builtin_sub_overflow)
    CHECKED(MUL_I, __builtin_mul_overflow)
    case CEP_OP_NEG_I: {
        uint8_t bad = 0;
        for (uint32_t r = 0; r < n; r++) {
            d->null[r] = x->null[r];
            bad |= (uint8_t)((x->i[r] == INT64_MIN) & !x->null[r]);
            d->i[r] = (int64_t)(0 - (uint64_t)x->i[r]);
        }
        return bad ? BASE_E_UNSUPPORTED : 0;
    }
    case CEP_OP_CHECK_INT: {
        uint8_t bad = 0;
        for (uint32_t r = 0; r < n; r++) {
            d->null[r] = x->null[r];
            d->i[r] = x->i[r];
            bad |= (uint8_t)((x->i[r] != (int32_t)x->i[r]) & !x->null[r]);
        }
        return bad ? BASE_E_UNSUPPORTED : 0;
    }
    EACH(ADD_D, as_bits(as_double(x->i[r]) + as_double(y->i[r])))
    EACH(SUB_D, as_bits(as_double(x->i[r]) - as_double(y->i[r])))
    EACH(MUL_D, as_bits(as_double(x->i[r]) * as_double(y->i[r])))
    EACH(NEG_D, as_bits(-as_double(x->i[r])))
    default:
        return BASE_E_UNSUPPORTED;
    }
}

#define BESIDE(name, compares) \
    case CEP_OP_##name: \
        for (uint32_t r = 0; r < n; r++) \
            ret[r] = at[r] compares constant; \
        return true;

static bool run_beside(const struct beside *beside, const struct cep_vector_block *block, uint8_t *restrict ret)
{
    const struct cep_column_data *data = &block->columns->at[beside->column];
    if (beside->op == 0 || data->nulls)
        return false;
    const int32_t *restrict at = data->narrow + block->first;
    const int32_t constant = (int32_t)beside->constant;
    const uint32_t n = block->count;
    switch (beside->op) {
    BESIDE(EQ_I, ==)
    BESIDE(NE_I, !=)
    BESIDE(LT_I, <)
    BESIDE(LE_I, <=)
    BESIDE(GT_I, >)
    BESIDE(GE_I, >=)
    default: return false;
    }
}

int cep_vector_run(struct cep_vector *vector, const struct cep_vector_block *block, uint8_t *ret)
{
    if (run_beside(&vector->beside, block, ret))
        return 0;
    for (uint32_t s = 0; s < vector->count; s++) {
        const struct step *step = &vector->steps[s];
        struct lane *d = &vector->lanes[s];
        if (step->op == CEP_OP_COLUMN || step->op == CEP_OP_NAV) {
            load(block, step, d);
        } else if (step->op != CEP_OP_CONST && step->op != CEP_OP_NULL) {
            int rc = run_step(step, &vector->lanes[step->a], &vector->lanes[step->b], d, block->count);
            if (rc)
                return rc;
        }
    }
    const struct lane *result = &vector->lanes[vector->result];
    for (uint32_t r = 0; r < block->count; r++)
        ret[r] = (uint8_t)(!result->null[r] & (result->i[r] != 0));
    return 0;
}
