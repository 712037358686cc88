#include "cep/expr.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/calendar.h"
#include "cep/linked.h"
#include "cep/text.h"

struct cep_expr {
    const struct cep_linked *linked;
    const struct cep_tape *tape; /* NULL: none */
    struct cep_value slots[]; /* as many as the hungriest code needs */
};

struct cep_expr *cep_expr_create(const struct cep_linked *linked)
{
    struct cep_expr *x = base_calloc(1, sizeof *x + ((size_t)linked->slots + 1) * sizeof *x->slots);
    if (x)
        x->linked = linked;
    return x;
}

void cep_expr_destroy(struct cep_expr *expr)
{
    base_free(expr);
}

void cep_expr_use_tape(struct cep_expr *expr, const struct cep_tape *tape)
{
    expr->tape = tape;
}

/* ---- what the dispatch loop does not do inline ---- */

#define TEXT_KINDS (1u << CEP_KIND_STRING | 1u << CEP_KIND_ARRAY | 1u << CEP_KIND_ROW | 1u << CEP_KIND_BYTES)

/* cep_tuple_get for the hot path: a missing tuple or column is NULL. */
static inline void load_column(const struct cep_tuple *t, const struct cep_type *types, uint32_t column,
                               struct cep_value *d)
{
    if (BASE_UNLIKELY(!t || column >= t->columns || cep_tuple_is_null(t, column))) {
        *d = cep_null();
        return;
    }
    uint64_t slot = cep_tuple_slot(t, column);
    struct cep_type type = types[column];
    d->null = false;
    if (1u << type.kind & TEXT_KINDS) {
        d->s.ptr = (const char *)t + (uint32_t)slot;
        d->s.len = slot >> 32;
    } else if (type.kind != CEP_KIND_DECIMAL) {
        d->i = (int64_t)slot;
    } else if (type.precision <= 18) {
        *d = cep_dec((int64_t)slot);
    } else {
        memcpy(&d->dec, (const char *)t + (uint32_t)slot, 16);
    }
}

static inline bool equal(const struct cep_value *x, const struct cep_value *y)
{
    return x->s.len == y->s.len && (x->s.len == 0 || memcmp(x->s.ptr, y->s.ptr, x->s.len) == 0);
}

static struct cep_value time_or_null(int64_t ms)
{
    return ms == BASE_TIME_MIN_MS ? cep_null() : cep_int(ms);
}

typedef int decimal_op(cep_int128 a, int as, cep_int128 b, int bs, struct cep_type to, cep_int128 *ret);

static int decimal(decimal_op *op, const struct cep_insn *i, const struct cep_value *x, const struct cep_value *y,
                   struct cep_value *d)
{
    if (x->null || y->null) {
        *d = cep_null();
        return 0;
    }
    cep_int128 n = 0;
    struct cep_type to = CEP_DECIMAL_TYPE((uint8_t)(i->c >> 16), (uint8_t)(i->c >> 24));
    int e = op(cep_dec_get(*x), (int)(i->c & 255), cep_dec_get(*y), (int)(i->c >> 8 & 255), to, &n);
    if (e == 0)
        *d = cep_dec(n);
    return e;
}

static int decimal_sum(const struct cep_insn *i, const struct cep_value *x, const struct cep_value *y,
                       struct cep_value *d)
{
    if (!x->null && !y->null)
        return decimal(cep_decimal_add, i, x, y, d);
    *d = y->null ? *x : *y;
    return 0;
}

static int divide(int64_t a, int64_t b, int64_t *ret)
{
    if (b == 0)
        return BASE_E_DIVISION;
    if (a == INT64_MIN && b == -1)
        return BASE_E_OVERFLOW;
    *ret = a / b;
    return 0;
}

static int add_months(const struct cep_insn *i, const struct cep_value *x, const struct cep_value *y,
                      struct cep_value *d)
{
    int64_t n = 0;
    int e = 0;
    if (x->null || y->null) {
        *d = cep_null();
        return 0;
    }
    if (i->c == CEP_KIND_DATE)
        e = cep_add_months_days(x->i, y->i, &n);
    else
        e = cep_add_months_ms(x->i, y->i, &n);
    if (e == 0)
        *d = cep_int(n);
    return e;
}

static int concat(const struct cep_value *x, const struct cep_value *y, struct base_arena *arena, struct cep_value *d)
{
    if (x->null || y->null) {
        *d = cep_null();
        return 0;
    }
    if (!x->s.len || !y->s.len) {
        *d = x->s.len ? *x : *y;
        return 0;
    }
    char *at = NULL;
    size_t len;
    if (!base_size_add(x->s.len, y->s.len, &len))
        return BASE_E_LIMIT;
    int e = cep_text_room(arena, len, &at);
    if (e < 0)
        return e;
    memcpy(at, x->s.ptr, x->s.len);
    memcpy(at + x->s.len, y->s.ptr, y->s.len);
    *d = cep_string(at, len);
    return 0;
}

/* Running minimum (sign 1) or maximum (sign -1). */
static struct cep_value extreme(struct cep_type type, int sign, const struct cep_value *old, const struct cep_value *v)
{
    if (v->null)
        return *old;
    if (old->null)
        return *v;
    return cep_value_compare(type, *v, *old) * sign < 0 ? *v : *old;
}

static int cast(const struct cep_program *p, const struct cep_insn *i, const struct cep_value *x,
                struct base_arena *arena, struct cep_value *d)
{
    int e = cep_value_cast(*cep_program_type(p, i->c), *cep_program_type(p, (uint32_t)i->e), *x, arena, d);
    if (i->op == CEP_OP_CAST || (e != BASE_E_CAST && e != BASE_E_OVERFLOW))
        return e;
    *d = cep_null();
    return 0;
}

static int call(const struct cep_linked_call *site, const struct cep_value *args, struct base_arena *arena,
                struct cep_value *d)
{
    if (site->strict)
        for (uint32_t n = 0; n < site->args; n++)
            if (args[n].null) {
                *d = cep_null();
                return 0;
            }
    struct cep_call info = { .arena = arena,
                             .arg_types = site->arg_types,
                             .args = site->args,
                             .ret_type = site->ret_type,
                             .prepared = site->prepared };
    struct cep_value out = cep_null();
    int e = site->func->run(&info, args, &out); /* d may be one of the arguments */
    if (e == 0)
        *d = out;
    return e;
}

/* A call whose answer hangs on more than its arguments. */
static int volatile_call(const struct cep_expr *x, const struct cep_linked_call *site, const struct cep_value *args, struct base_arena *arena,
                         struct cep_value *d)
{
    struct cep_value out = cep_null();
    int of_row = 0;
    int e = x->tape->recall(x->tape->ctx, site->ret_type, arena, &out, &of_row);
    if (e < 0)
        return e;
    if (e == 0) {
        of_row = call(site, args, arena, &out);
        if (of_row == BASE_E_NOMEM)
            return of_row;
        e = x->tape->keep(x->tape->ctx, site->ret_type, &out, of_row);
        if (e < 0)
            return e;
    }
    *d = out;
    return of_row;
}

static int clock_of(const struct cep_expr *x, int64_t time_ms, struct cep_value *d)
{
    int of_row = 0, e = 0;
    struct cep_value out = cep_int(time_ms);
    if (x->tape)
        e = x->tape->recall(x->tape->ctx, CEP_TYPE(BIGINT), NULL, &out, &of_row);
    if (e == 0 && x->tape)
        e = x->tape->keep(x->tape->ctx, CEP_TYPE(BIGINT), &out, 0);
    *d = out;
    return e < 0 ? e : 0;
}

static struct cep_value label(const struct cep_frame *f, int32_t distance)
{
    struct base_str name = { NULL, 0 };
    if (!f->label || !f->label(f->ctx, distance, &name))
        return cep_null();
    return cep_string(name.ptr, name.len);
}

static struct cep_value array_get(struct cep_type type, const struct cep_value *array, const struct cep_value *index)
{
    if (array->null || index->null || index->i < 1 || index->i > UINT32_MAX)
        return cep_null();
    return cep_array_get(type, *array, (uint32_t)(index->i - 1));
}

/* ---- the dispatch loop ---- */

/* The result of an operation that only looks at their bits: NULL without a branch. */
#define PLAIN2(name, field, expression) \
    op_##name: \
    { \
        const struct cep_value x = v[i->a], y = v[i->b]; \
        v[i->d].null = x.null | y.null; \
        v[i->d].field = (expression); \
    } \
    NEXT;
#define COMPARE(k, x, y) \
    PLAIN2(EQ_##k, i, x == y) \
    PLAIN2(NE_##k, i, x != y) \
    PLAIN2(LT_##k, i, x < y) \
    PLAIN2(LE_##k, i, x <= y) \
    PLAIN2(GT_##k, i, x > y) \
    PLAIN2(GE_##k, i, x >= y)
/* Texts must not be looked at if NULL. Operands are not copied: a wide load behind two narrow stores waits for both. */
#define COMPARE_S(name, expression) \
    op_##name: \
    { \
        const struct cep_value *x = &v[i->a], *y = &v[i->b]; \
        bool null = x->null | y->null, is_true = !null && (expression); \
        v[i->d].null = null; \
        v[i->d].i = is_true; \
    } \
    NEXT;
#define CHECKED_I(name, builtin) \
    op_##name: \
    { \
        const struct cep_value x = v[i->a], y = v[i->b]; \
        bool null = x.null | y.null; \
        if (BASE_UNLIKELY(builtin(x.i, y.i, &v[i->d].i) && !null)) \
            return BASE_E_OVERFLOW; \
        v[i->d].null = null; \
    } \
    NEXT;
#define DECIMAL(name, function) \
    op_##name : TRY(decimal(function, i, &v[i->a], &v[i->b], &v[i->d])); \
    NEXT;
#define GIVE(name, expression) \
    op_##name : v[i->d] = (expression); \
    NEXT;
/* expression is evaluated before the slot is written, since both may be the same. */
#define GIVE_BOOL(name, expression) \
    op_##name : v[i->d] = cep_int(expression); \
    NEXT;
#define TRY(expression) \
    do { \
        int error_ = (expression); \
        if (BASE_UNLIKELY(error_ < 0)) \
            return error_; \
    } while (0)
#define NEXT \
    do { \
        i++; \
        goto *labels[i->op]; \
    } while (0)
#define JUMP_IF(name, condition) \
    op_##name : if (condition) \
    { \
        i = first + i->c; \
        goto *labels[i->op]; \
    } \
    NEXT;

/* One label per opcode: threaded jumps instead of a switch give each opcode its own place in the branch predictor. */
/* NOLINT(size): the dispatch loop */
static inline int run(struct cep_expr *x_, uint32_t code, const struct cep_frame *f, const struct cep_value **ret)
{
    static const void *const labels[] = {
#define X(name, operands, meaning) &&op_##name,
#include "cep/opcodes.def"
#undef X
    };
    const struct cep_linked *l = x_->linked;
    const struct cep_program *p = l->program;
    const struct cep_insn *first = l->codes[code], *i = first;
    struct cep_value *v = x_->slots;
    goto *labels[i->op];

    GIVE(NULL, cep_null())
    GIVE(CONST, l->consts[i->c])
    GIVE(MOVE, v[i->a])
op_COLUMN:
    load_column(f->row, f->row_types, i->c, &v[i->d]);
    NEXT;
op_NAV:
    load_column(f->nav ? f->nav(f->ctx, i->e) : NULL, f->row_types, i->c, &v[i->d]);
    NEXT;
    GIVE(REG, BASE_LIKELY(f->regs != NULL) ? f->regs[i->c] : cep_null())
    GIVE(FINAL, f->final_regs ? f->final_regs[i->c] : cep_null())
op_STORE:
    if (f->new_regs)
        f->new_regs[i->c] = v[i->a];
    NEXT;
    GIVE(LABEL, label(f, i->e))
    GIVE(ROW_NUMBER, cep_int(f->row_number))
    GIVE(MATCH_NUMBER, f->match_number ? cep_int(f->match_number) : cep_null())
    GIVE(ROW_TIME, time_or_null(f->has_match_time ? f->match_time_ms : f->row_time_ms))
    GIVE(START_TIME, time_or_null(f->start_time_ms))
op_PROC_TIME:
    TRY(clock_of(x_, f->proc_time_ms, &v[i->d]));
    NEXT;
op_NOW:
    TRY(clock_of(x_, f->now_ms, &v[i->d]));
    NEXT;
op_CAST:
op_TRY_CAST:
    TRY(cast(p, i, &v[i->a], f->arena, &v[i->d]));
    NEXT;
    JUMP_IF(JUMP, true)
    JUMP_IF(JUMP_FALSE, !v[i->a].null && !v[i->a].i)
    JUMP_IF(JUMP_TRUE, !v[i->a].null && v[i->a].i)
    JUMP_IF(JUMP_NOT_TRUE, v[i->a].null || !v[i->a].i)
    JUMP_IF(JUMP_NULL, v[i->a].null)
    JUMP_IF(JUMP_NOT_NULL, !v[i->a].null)
op_AND: {
    const struct cep_value x = v[i->a], y = v[i->b];
    bool is_false = (!x.null & !x.i) | (!y.null & !y.i);
    v[i->d].null = (x.null | y.null) & (is_false ^ true);
    v[i->d].i = !is_false;
}
    NEXT;
op_OR: {
    const struct cep_value x = v[i->a], y = v[i->b];
    bool is_true = (!x.null & (x.i != 0)) | (!y.null & (y.i != 0));
    v[i->d].null = (x.null | y.null) & (is_true ^ true);
    v[i->d].i = is_true;
}
    NEXT;
op_NOT:
    v[i->d].i = !v[i->a].i;
    v[i->d].null = v[i->a].null;
    NEXT;
    GIVE_BOOL(IS_NULL, v[i->a].null)
    GIVE_BOOL(IS_NOT_NULL, !v[i->a].null)
    GIVE_BOOL(IS_TRUE, !v[i->a].null && v[i->a].i)
    GIVE_BOOL(IS_FALSE, !v[i->a].null && !v[i->a].i)
    COMPARE(I, x.i, y.i)
    COMPARE(D, x.d, y.d)
    COMPARE(N, cep_dec_get(x), cep_dec_get(y))
    COMPARE_S(EQ_S, equal(x, y))
    COMPARE_S(NE_S, !equal(x, y))
    COMPARE_S(LT_S, cep_text_compare(*x, *y) < 0)
    COMPARE_S(LE_S, cep_text_compare(*x, *y) <= 0)
    COMPARE_S(GT_S, cep_text_compare(*x, *y) > 0)
    COMPARE_S(GE_S, cep_text_compare(*x, *y) >= 0)
    GIVE_BOOL(SAME, cep_value_same(*cep_program_type(p, i->c), v[i->a], v[i->b]))
    CHECKED_I(ADD_I, __builtin_add_overflow)
    CHECKED_I(SUB_I, __builtin_sub_overflow)
    CHECKED_I(MUL_I, __builtin_mul_overflow)
op_DIV_I:
    if (v[i->a].null | v[i->b].null) {
        v[i->d] = cep_null();
    } else {
        TRY(divide(v[i->a].i, v[i->b].i, &v[i->d].i));
        v[i->d].null = false;
    }
    NEXT;
op_MOD_I:
    if (v[i->a].null | v[i->b].null) {
        v[i->d] = cep_null();
    } else {
        if (v[i->b].i == 0)
            return BASE_E_DIVISION;
        v[i->d] = cep_int(v[i->b].i == -1 ? 0 : v[i->a].i % v[i->b].i);
    }
    NEXT;
op_NEG_I:
    if (!v[i->a].null && v[i->a].i == INT64_MIN)
        return BASE_E_OVERFLOW;
    v[i->d] = v[i->a].null ? cep_null() : cep_int(-v[i->a].i);
    NEXT;
op_CHECK_INT:
    if (BASE_UNLIKELY(!v[i->a].null && v[i->a].i != (int32_t)v[i->a].i))
        return BASE_E_OVERFLOW;
    v[i->d] = v[i->a];
    NEXT;
    PLAIN2(ADD_D, d, x.d + y.d)
    PLAIN2(SUB_D, d, x.d - y.d)
    PLAIN2(MUL_D, d, x.d * y.d)
op_DIV_D:
op_MOD_D:
    if (v[i->a].null | v[i->b].null) {
        v[i->d] = cep_null();
    } else {
        if (v[i->b].d == 0)
            return BASE_E_DIVISION;
        v[i->d] = cep_double(i->op == CEP_OP_DIV_D ? v[i->a].d / v[i->b].d : fmod(v[i->a].d, v[i->b].d));
    }
    NEXT;
    GIVE(NEG_D, v[i->a].null ? cep_null() : cep_double(-v[i->a].d))
    DECIMAL(ADD_N, cep_decimal_add)
    DECIMAL(SUB_N, cep_decimal_sub)
    DECIMAL(MUL_N, cep_decimal_mul)
    DECIMAL(DIV_N, cep_decimal_div)
    DECIMAL(MOD_N, cep_decimal_mod)
    GIVE(NEG_N, v[i->a].null ? cep_null() : cep_dec((cep_int128)(-(unsigned __int128)cep_dec_get(v[i->a]))))
op_ADD_MONTHS:
    TRY(add_months(i, &v[i->a], &v[i->b], &v[i->d]));
    NEXT;
op_CONCAT:
    TRY(concat(&v[i->a], &v[i->b], f->arena, &v[i->d]));
    NEXT;
    GIVE(COUNT_IF, cep_int((v[i->a].null ? 0 : v[i->a].i) + !v[i->b].null))
op_SUM_I:
    if (v[i->a].null | v[i->b].null) {
        v[i->d] = v[i->b].null ? v[i->a] : v[i->b];
    } else {
        if (BASE_UNLIKELY(__builtin_add_overflow(v[i->a].i, v[i->b].i, &v[i->d].i)))
            return BASE_E_OVERFLOW;
        v[i->d].null = false;
    }
    NEXT;
    GIVE(SUM_D, v[i->b].null ? v[i->a] : v[i->a].null ? v[i->b] : cep_double(v[i->a].d + v[i->b].d))
op_SUM_N:
    TRY(decimal_sum(i, &v[i->a], &v[i->b], &v[i->d]));
    NEXT;
    GIVE(MIN, extreme(*cep_program_type(p, i->c), 1, &v[i->a], &v[i->b]))
    GIVE(MAX, extreme(*cep_program_type(p, i->c), -1, &v[i->a], &v[i->b]))
op_ARRAY_APPEND:
    TRY(cep_array_append(*cep_program_type(p, i->c), v[i->a], v[i->b], f->arena, &v[i->d]));
    NEXT;
    GIVE(ARRAY_GET, array_get(*cep_program_type(p, i->c), &v[i->a], &v[i->b]))
op_CALL:
    if (BASE_UNLIKELY(x_->tape && l->calls[i->c].func->flags & CEP_FUNC_VOLATILE))
        TRY(volatile_call(x_, &l->calls[i->c], &v[i->a], f->arena, &v[i->d]));
    else
        TRY(call(&l->calls[i->c], &v[i->a], f->arena, &v[i->d]));
    NEXT;
op_RETURN:
    *ret = &v[i->a];
    return 0;
op_END:
    return 0;
}

int cep_expr_run(struct cep_expr *expr, uint32_t code, const struct cep_frame *frame, struct cep_value *ret)
{
    const struct cep_value *v = NULL;
    int e = run(expr, code, frame, &v);
    if (e == 0)
        *ret = v ? *v : cep_null();
    return e;
}

int cep_expr_test(struct cep_expr *expr, uint32_t code, const struct cep_frame *frame, bool *ret_true)
{
    const struct cep_value *v = NULL;
    int e = run(expr, code, frame, &v);
    *ret_true = e == 0 && v && !v->null && v->i;
    return e;
}

/* Texts of constants and of results must outlive the program that was made only to be folded. */
static int keep(struct cep_type type, struct base_arena *arena, struct cep_value *v)
{
    if (v->null || !cep_kind_is_text(type.kind))
        return 0;
    char *at = NULL;
    int e = cep_text_room(arena, v->s.len, &at);
    if (e < 0)
        return e;
    if (v->s.len)
        memcpy(at, v->s.ptr, v->s.len);
    v->s.ptr = at;
    return 0;
}

int cep_expr_fold(const struct cep_program *program, uint32_t code, const struct cep_funcs *funcs,
                  struct base_arena *arena, struct cep_value *ret)
{
    struct cep_linked *linked = NULL;
    const char *error = NULL;
    int e = cep_link(program, funcs, arena, &error, &linked);
    if (e < 0)
        return e;
    struct cep_expr *expr = cep_expr_create(linked);
    struct cep_frame frame = { .arena = arena, .row_time_ms = BASE_TIME_MIN_MS };
    struct cep_value v = cep_null();
    e = expr ? cep_expr_run(expr, code, &frame, &v) : BASE_E_NOMEM;
    if (e == 0)
        e = keep(cep_program_code(program, code)->type, arena, &v);
    if (e == 0)
        *ret = v;
    cep_expr_destroy(expr);
    cep_unlink(linked);
    return e;
}
