/* Registers of row patterns: navigation and aggregates as values that each taken row updates. */
#include "patterns/rowpat.h"

#include <string.h>
#include "base/error.h"
#include "base/hash.h"

typedef const struct patterns_bound
    *bound; /* file-local shorthand: bound trees are immutable and passed by pointer everywhere below */

static bound make_op(struct patterns_match_detail *rp, enum patterns_bound_kind kind, struct cep_type type, bound a,
                     bound b)
{
    bound args[2] = { a, b };
    if (!a || (!b && kind != PATTERNS_BOUND_IS_NULL && kind != PATTERNS_BOUND_IS_NOT_NULL))
        return NULL;
    return patterns_bound_op(rp->binder, NULL, kind, type, args, b ? 2 : 1);
}

static bound make_case(struct patterns_match_detail *rp, bound condition, bound yes, bound no)
{
    bound args[3] = { condition, yes, no };
    if (!condition || !yes || !no)
        return NULL;
    return patterns_bound_op(rp->binder, NULL, PATTERNS_BOUND_CASE, yes->type, args, 3);
}

static bound make_int(struct patterns_match_detail *rp, struct cep_type type, int64_t value)
{
    return patterns_bound_const(rp->binder, NULL, type, cep_int(value));
}

static bound make_null(struct patterns_match_detail *rp, struct cep_type type)
{
    return patterns_bound_const(rp->binder, NULL, type, cep_null());
}

static bound make_cast(struct patterns_match_detail *rp, bound value, struct cep_type to)
{
    return value ? patterns_bound_cast(rp->binder, value, to) : NULL;
}

static bound is_null(struct patterns_match_detail *rp, bound value)
{
    return make_op(rp, PATTERNS_BOUND_IS_NULL, CEP_TYPE(BOOLEAN), value, NULL);
}
static bound is_not_null(struct patterns_match_detail *rp, bound value)
{
    return make_op(rp, PATTERNS_BOUND_IS_NOT_NULL, CEP_TYPE(BOOLEAN), value, NULL);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint64_t pair[2] = { hash, value };
    return base_hash64(pair, sizeof pair, UINT64_C(0x726567732d763031));
}

/* ---- leaves ---- */

static const struct patterns_rp_nav *intern_nav(struct patterns_match_detail *rp, uint32_t column, int32_t distance)
{
    for (const struct patterns_rp_nav *nav = rp->navs; nav; nav = nav->next) {
        if (nav->column == column && nav->distance == distance)
            return nav;
    }
    struct patterns_rp_nav *nav = base_arena_alloc(rp->binder->arena, sizeof *nav);
    if (!nav)
        return NULL;
    *nav = (struct patterns_rp_nav){ column, distance, rp->navs };
    rp->navs = nav;
    return nav;
}

const struct patterns_bound *patterns_rp_nav_leaf(struct patterns_match_detail *rp, const struct patterns_expr *place,
                                                  uint32_t column, int32_t distance)
{
    if (distance == 0)
        return patterns_bound_column(rp->binder, place, rp->input, column);
    const struct patterns_rp_nav *nav = intern_nav(rp, column, distance);
    if (!nav)
        return NULL;
    uint64_t hash = mix(mix(rp->input->columns[column].hash, PATTERNS_RP_NAV), (uint64_t)(int64_t)distance);
    return patterns_bound_external(rp->binder, place, rp->input->columns[column].type, PATTERNS_RP_NAV, nav, hash,
                                   PATTERNS_BOUND_HAS_COLUMN);
}

const struct patterns_bound *patterns_rp_own_label(struct patterns_match_detail *rp, const struct patterns_expr *place)
{
    return patterns_bound_external(rp->binder, place, CEP_TYPE(STRING), PATTERNS_RP_OWN_LABEL, NULL,
                                   PATTERNS_RP_OWN_LABEL, PATTERNS_BOUND_HAS_COLUMN);
}

const struct patterns_bound *patterns_rp_number(struct patterns_match_detail *rp, const struct patterns_expr *place)
{
    return patterns_bound_external(rp->binder, place, CEP_TYPE(BIGINT), PATTERNS_RP_NUMBER, NULL, PATTERNS_RP_NUMBER,
                                   0);
}

static bound reg_leaf(struct patterns_match_detail *rp, const struct patterns_rp_reg *reg)
{
    return reg ? patterns_bound_external(rp->binder, NULL, reg->type, PATTERNS_RP_REG, reg,
                                         mix(reg->hash, PATTERNS_RP_REG), 0)
               : NULL;
}

static bound accumulate(struct patterns_match_detail *rp, enum cep_opcode op, struct cep_type type, bound a, bound b)
{
    if (!a || !b)
        return NULL;
    struct patterns_rp_acc *acc = base_arena_alloc(rp->binder->arena, sizeof *acc);
    if (!acc)
        return NULL;
    *acc = (struct patterns_rp_acc){ op, a, b, type };
    uint64_t hash = mix(mix(mix(PATTERNS_RP_ACC, (uint64_t)op), a->hash), b->hash);
    return patterns_bound_external(rp->binder, NULL, type, PATTERNS_RP_ACC, acc, hash, a->flags | b->flags);
}

const struct patterns_bound *patterns_rp_append(struct patterns_match_detail *rp, const struct patterns_bound *array,
                                                const struct patterns_bound *value)
{
    return accumulate(rp, CEP_OP_ARRAY_APPEND, array->type, array, value);
}

int patterns_rp_leaves(const struct patterns_bound *root, int (*fn)(void *ctx, const struct patterns_bound *leaf),
                       void *ctx)
{
    if (root->kind == PATTERNS_BOUND_EXTERNAL && root->id == PATTERNS_RP_ACC) {
        const struct patterns_rp_acc *acc = root->detail;
        int r = patterns_rp_leaves(acc->a, fn, ctx);
        return r ? r : patterns_rp_leaves(acc->b, fn, ctx);
    }
    if (root->arg_count == 0)
        return fn(ctx, root);
    for (uint32_t i = 0; i < root->arg_count; i++) {
        int r = patterns_rp_leaves(root->args[i], fn, ctx);
        if (r)
            return r;
    }
    return 0;
}

/* ---- updates ---- */

static struct patterns_rp_reg *get_reg(struct patterns_match_detail *rp, struct patterns_rp_file *file,
                                       const struct patterns_rp_request *want);

static struct patterns_rp_reg *related(struct patterns_match_detail *rp, struct patterns_rp_file *file,
                                       const struct patterns_rp_reg *reg, enum patterns_rp_kind kind, uint32_t n)
{
    struct patterns_rp_request want = { .kind = kind,
                                        .n = n,
                                        .descending = reg->descending,
                                        .rows = &reg->rows,
                                        .args = { reg->args[0], reg->args[1] },
                                        .type = reg->type };
    switch (kind) {
    case PATTERNS_RP_SEEN:
        want.args[0] = want.args[1] = NULL;
        want.type = CEP_TYPE(INT);
        want.is_counter = true;
        break;
    case PATTERNS_RP_COUNT:
        want.type = CEP_TYPE(BIGINT);
        want.is_counter = true;
        break;
    case PATTERNS_RP_TOP_KEY: want.type = reg->args[1]->type; break;
    case PATTERNS_RP_LAST:
    case PATTERNS_RP_FIRST:
    case PATTERNS_RP_ROWS:
    case PATTERNS_RP_COUNT_TRUE:
    case PATTERNS_RP_SUM:
    case PATTERNS_RP_MIN:
    case PATTERNS_RP_MAX:
    case PATTERNS_RP_MEAN:
    case PATTERNS_RP_M2:
    case PATTERNS_RP_ARRAY:
    case PATTERNS_RP_DIFFERENT:
    case PATTERNS_RP_LIST:
    case PATTERNS_RP_ANY:
    case PATTERNS_RP_NEWEST:
    case PATTERNS_RP_ALL_TRUE:
    case PATTERNS_RP_SOME_TRUE:
    case PATTERNS_RP_TOP_VALUE:
    case PATTERNS_RP_TIME: break;
    }
    return get_reg(rp, file, &want);
}

/* Welford: mean' = mean + (x - mean) / n', m2' = m2 + (x - mean) * (x - mean'). */
static bound welford(struct patterns_match_detail *rp, struct patterns_rp_file *file, struct patterns_rp_reg *reg)
{
    struct cep_type d = CEP_TYPE(DOUBLE);
    bound x = reg->args[0], self = reg_leaf(rp, reg), zero = patterns_bound_const(rp->binder, NULL, d, cep_double(0));
    bound mean = reg->kind == PATTERNS_RP_MEAN ? self : reg_leaf(rp, related(rp, file, reg, PATTERNS_RP_MEAN, 0));
    bound n = reg_leaf(rp, related(rp, file, reg, PATTERNS_RP_COUNT, 0));
    bound next_n =
        make_cast(rp, make_op(rp, PATTERNS_BOUND_ADD, CEP_TYPE(BIGINT), n, make_int(rp, CEP_TYPE(BIGINT), 1)), d);
    bound delta = make_op(rp, PATTERNS_BOUND_SUB, d, x, mean);
    bound next_mean = make_op(rp, PATTERNS_BOUND_ADD, d, mean, make_op(rp, PATTERNS_BOUND_DIV, d, delta, next_n));
    bound first = reg->kind == PATTERNS_RP_MEAN ? x : zero, later = next_mean;
    if (reg->kind == PATTERNS_RP_M2) {
        bound rest = make_op(rp, PATTERNS_BOUND_SUB, d, x, next_mean);
        later = make_op(rp, PATTERNS_BOUND_ADD, d, self, make_op(rp, PATTERNS_BOUND_MUL, d, delta, rest));
    }
    return make_case(rp, is_null(rp, x), self, make_case(rp, is_null(rp, mean), first, later));
}

/* The n-th best key, or the value at its row: a row that beats the one before moves that one here. */
static bound top(struct patterns_match_detail *rp, struct patterns_rp_file *file, struct patterns_rp_reg *reg)
{
    enum patterns_bound_kind beats = reg->descending ? PATTERNS_BOUND_GT : PATTERNS_BOUND_LT;
    struct cep_type boolean = CEP_TYPE(BOOLEAN);
    bound key = reg->args[1], self = reg_leaf(rp, reg), mine = reg->kind == PATTERNS_RP_TOP_KEY ? key : reg->args[0];
    bound here = reg_leaf(rp, related(rp, file, reg, PATTERNS_RP_TOP_KEY, reg->n));
    bound better = make_op(rp, PATTERNS_BOUND_OR, boolean, is_null(rp, here), make_op(rp, beats, boolean, key, here));
    bound value = make_case(rp, better, mine, self);
    if (reg->n > 0) {
        bound above = reg_leaf(rp, related(rp, file, reg, PATTERNS_RP_TOP_KEY, reg->n - 1));
        bound moved = reg_leaf(rp, related(rp, file, reg, reg->kind, reg->n - 1));
        bound beaten =
            make_op(rp, PATTERNS_BOUND_OR, boolean, is_null(rp, above), make_op(rp, beats, boolean, key, above));
        value = make_case(rp, beaten, moved, value);
    }
    return make_case(rp, is_null(rp, key), self, value);
}

/* Is x among the values that reg holds? NULL counts as a value. */
static bound is_among(struct patterns_match_detail *rp, const struct patterns_rp_reg *reg, bound x)
{
    const struct cep_func *contains = cep_funcs_find(rp->binder->funcs, BASE_STR("ARRAY_CONTAINS"), NULL);
    bound args[2] = { reg_leaf(rp, reg), x };
    return contains && args[0] && x ? patterns_bound_call(rp->binder, NULL, contains, CEP_TYPE(BOOLEAN), args, 2) : NULL;
}

/* `next` where the FILTER of a list holds, if it has one. */
static bound filtered(struct patterns_match_detail *rp, const struct patterns_rp_reg *reg, bound next)
{
    return reg->args[1] ? make_case(rp, reg->args[1], next, reg_leaf(rp, reg)) : next;
}

static bound make_update(struct patterns_match_detail *rp, struct patterns_rp_file *file, struct patterns_rp_reg *reg)
{
    struct cep_type boolean = CEP_TYPE(BOOLEAN), bigint = CEP_TYPE(BIGINT), text = CEP_TYPE(STRING),
                    integer = CEP_TYPE(INT);
    bound self = reg_leaf(rp, reg), x = reg->args[0], one = make_int(rp, bigint, 1), pair[2] = { self, x };
    switch (reg->kind) {
    case PATTERNS_RP_LAST: return reg->n == 0 ? x : reg_leaf(rp, related(rp, file, reg, PATTERNS_RP_LAST, reg->n - 1));
    case PATTERNS_RP_FIRST:
        return make_case(rp,
                         make_op(rp, PATTERNS_BOUND_EQ, boolean,
                                 reg_leaf(rp, related(rp, file, reg, PATTERNS_RP_SEEN, reg->n + 1)),
                                 make_int(rp, integer, reg->n)),
                         x, self);
    case PATTERNS_RP_SEEN:
        return make_case(rp, make_op(rp, PATTERNS_BOUND_LT, boolean, self, make_int(rp, integer, reg->n)),
                         make_op(rp, PATTERNS_BOUND_ADD, integer, self, make_int(rp, integer, 1)), self);
    case PATTERNS_RP_ROWS: return make_op(rp, PATTERNS_BOUND_ADD, bigint, self, one);
    case PATTERNS_RP_COUNT: return accumulate(rp, CEP_OP_COUNT_IF, bigint, self, x);
    case PATTERNS_RP_COUNT_TRUE: return make_case(rp, x, make_op(rp, PATTERNS_BOUND_ADD, bigint, self, one), self);
    case PATTERNS_RP_SUM:
        return accumulate(rp,
                          reg->type.kind == CEP_KIND_DOUBLE    ? CEP_OP_SUM_D
                          : reg->type.kind == CEP_KIND_DECIMAL ? CEP_OP_SUM_N
                                                               : CEP_OP_SUM_I,
                          reg->type, self, x);
    case PATTERNS_RP_MIN: return accumulate(rp, CEP_OP_MIN, reg->type, self, x);
    case PATTERNS_RP_MAX: return accumulate(rp, CEP_OP_MAX, reg->type, self, x);
    case PATTERNS_RP_MEAN:
    case PATTERNS_RP_M2: return welford(rp, file, reg);
    case PATTERNS_RP_ARRAY: return filtered(rp, reg, accumulate(rp, CEP_OP_ARRAY_APPEND, reg->type, self, x));
    case PATTERNS_RP_DIFFERENT:
        return filtered(rp, reg, make_case(rp, is_among(rp, reg, x), self, accumulate(rp, CEP_OP_ARRAY_APPEND, reg->type, self, x)));
    case PATTERNS_RP_LIST: {
        bound longer =
            make_op(rp, PATTERNS_BOUND_CONCAT, text, make_op(rp, PATTERNS_BOUND_CONCAT, text, self, reg->args[1]), x);
        return make_case(rp, is_null(rp, x), self, make_case(rp, is_null(rp, self), x, longer));
    }
    case PATTERNS_RP_ANY: return patterns_bound_op(rp->binder, NULL, PATTERNS_BOUND_COALESCE, reg->type, pair, 2);
    case PATTERNS_RP_NEWEST:
        pair[0] = x;
        pair[1] = self;
        return patterns_bound_op(rp->binder, NULL, PATTERNS_BOUND_COALESCE, reg->type, pair, 2);
    case PATTERNS_RP_ALL_TRUE:
    case PATTERNS_RP_SOME_TRUE:
        return make_case(rp, is_null(rp, x), self,
                         make_case(rp, is_null(rp, self), x,
                                   make_op(rp,
                                           reg->kind == PATTERNS_RP_ALL_TRUE ? PATTERNS_BOUND_AND : PATTERNS_BOUND_OR,
                                           boolean, self, x)));
    case PATTERNS_RP_TOP_KEY:
    case PATTERNS_RP_TOP_VALUE: return top(rp, file, reg);
    case PATTERNS_RP_TIME: return patterns_bound_op(rp->binder, NULL, PATTERNS_BOUND_ROW_TIME, reg->type, NULL, 0);
    }
    return NULL;
}

static bool same_arg(bound a, bound b)
{
    return a == b || (a && b && a->hash == b->hash && patterns_bound_same(a, b));
}

static struct patterns_rp_reg *find_reg(const struct patterns_rp_file *file, const struct patterns_rp_request *want)
{
    for (uint32_t i = 0; i < file->count; i++) {
        struct patterns_rp_reg *reg = file->regs[i];
        if (reg->kind == want->kind && reg->n == want->n && reg->descending == want->descending &&
            cep_type_equal(reg->type, want->type) && reg->rows.universal == want->rows->universal &&
            (reg->rows.universal || patterns_varset_equal(&reg->rows.set, &want->rows->set)) &&
            same_arg(reg->args[0], want->args[0]) && same_arg(reg->args[1], want->args[1]))
            return reg;
    }
    return NULL;
}

static uint64_t hash_request(const struct patterns_rp_request *want)
{
    uint64_t hash = mix(mix(mix(want->kind, want->n), want->descending), want->rows->universal);
    for (size_t i = 0; i < PATTERNS_VARS_MAX / 64 && !want->rows->universal; i++)
        hash = mix(hash, want->rows->set.words[i]);
    for (int i = 0; i < 2; i++)
        hash = mix(hash, want->args[i] ? want->args[i]->hash : 0);
    return hash;
}

static struct patterns_rp_reg *get_reg(struct patterns_match_detail *rp, struct patterns_rp_file *file,
                                       const struct patterns_rp_request *want)
{
    struct patterns_rp_reg *reg = find_reg(file, want);
    if (reg)
        return reg;
    if (file->count == file->cap) {
        uint32_t cap = file->cap ? file->cap * 2 : 16;
        struct patterns_rp_reg **regs = base_arena_zalloc(rp->binder->arena, cap, sizeof *regs);
        if (!regs)
            return NULL;
        if (file->count)
            memcpy(regs, file->regs, file->count * sizeof *regs);
        file->regs = regs;
        file->cap = cap;
    }
    reg = base_arena_zalloc(rp->binder->arena, 1, sizeof *reg);
    if (!reg)
        return NULL;
    *reg = (struct patterns_rp_reg){ .kind = want->kind,
                                     .n = want->n,
                                     .descending = want->descending,
                                     .rows = *want->rows,
                                     .args = { want->args[0], want->args[1] },
                                     .type = want->type,
                                     .init = want->is_counter ? cep_int(0) : cep_null(),
                                     .hash = hash_request(want),
                                     .index = file->count };
    file->regs[file->count++] = reg;
    reg->update = make_update(rp, file, reg);
    return reg->update ? reg : NULL;
}

/* ---- reading ---- */

static struct patterns_rp_file *file_of(const struct patterns_rp_read *read)
{
    return read->measures ? &read->rp->out : &read->rp->live;
}

/* Is the row under test one of those rows? */
static bool counts_itself(const struct patterns_rp_read *read, const struct patterns_rp_rows *rows)
{
    return !read->measures && (rows->universal || patterns_varset_has(&rows->set, read->var));
}

const struct patterns_bound *patterns_rp_read_reg(const struct patterns_rp_read *read,
                                                  const struct patterns_rp_request *want)
{
    struct patterns_match_detail *rp = read->rp;
    const struct patterns_rp_reg *reg = get_reg(rp, file_of(read), want);
    if (!reg)
        return NULL;
    if (counts_itself(read, want->rows))
        return reg->update;
    if (read->measures && read->final)
        return patterns_bound_external(rp->binder, read->place, reg->type, PATTERNS_RP_FINAL, reg,
                                       mix(reg->hash, PATTERNS_RP_FINAL), 0);
    return patterns_bound_external(rp->binder, read->place, reg->type, PATTERNS_RP_REG, reg,
                                   mix(reg->hash, PATTERNS_RP_REG), 0);
}

const struct patterns_bound *patterns_rp_new_value(const struct patterns_rp_read *read,
                                                   const struct patterns_rp_request *different)
{
    struct patterns_match_detail *rp = read->rp;
    bound x = different->args[0];
    const struct patterns_rp_reg *reg = get_reg(rp, file_of(read), different);
    return reg ? make_case(rp, is_among(rp, reg, x), make_null(rp, x->type), x) : NULL;
}

/* Is value NULL whenever all that it reads of the row is NULL (a row outside of the partition)? */
static bool null_without_row(bound value)
{
    bool all = value->arg_count > 0, any = false;
    for (uint32_t i = 0; i < value->arg_count; i++) {
        bool one = null_without_row(value->args[i]);
        all = all && one;
        any = any || one;
    }
    switch (value->kind) {
    case PATTERNS_BOUND_CONST: return value->value.null;
    case PATTERNS_BOUND_COLUMN: return true;
    case PATTERNS_BOUND_EXTERNAL:
        return value->id == PATTERNS_RP_NAV || value->id == PATTERNS_RP_LABEL || value->id == PATTERNS_RP_OWN_LABEL;
    case PATTERNS_BOUND_CAST:
    case PATTERNS_BOUND_NEG:
    case PATTERNS_BOUND_ADD:
    case PATTERNS_BOUND_SUB:
    case PATTERNS_BOUND_MUL:
    case PATTERNS_BOUND_DIV:
    case PATTERNS_BOUND_MOD:
    case PATTERNS_BOUND_ADD_MONTHS:
    case PATTERNS_BOUND_CONCAT:
    case PATTERNS_BOUND_EQ:
    case PATTERNS_BOUND_NE:
    case PATTERNS_BOUND_LT:
    case PATTERNS_BOUND_LE:
    case PATTERNS_BOUND_GT:
    case PATTERNS_BOUND_GE:
    case PATTERNS_BOUND_NOT:
    case PATTERNS_BOUND_ARRAY_GET: return any;
    case PATTERNS_BOUND_IN:
    case PATTERNS_BOUND_BETWEEN: return null_without_row(value->args[0]);
    case PATTERNS_BOUND_AND:
    case PATTERNS_BOUND_OR:
    case PATTERNS_BOUND_COALESCE: return all;
    case PATTERNS_BOUND_CALL: return any && !(value->func->flags & CEP_FUNC_SEES_NULL);
    case PATTERNS_BOUND_ROW_TIME:
    case PATTERNS_BOUND_PROC_TIME:
    case PATTERNS_BOUND_NOW:
    case PATTERNS_BOUND_SAME:
    case PATTERNS_BOUND_IS_NULL:
    case PATTERNS_BOUND_IS_NOT_NULL:
    case PATTERNS_BOUND_IS_TRUE:
    case PATTERNS_BOUND_IS_FALSE:
    case PATTERNS_BOUND_CASE: return false;
    }
    return false;
}

#define PATTERNS_LABELS_BACK_MAX 32 /* offset of PREV(CLASSIFIER()) in conditions of patterns with arrows */

struct shift {
    const struct patterns_rp_read *read;
    int32_t distance;
    bool current;  /* the row navigated from is the row under test */
    bound columns; /* OR over "neighbour's column is not NULL" of the columns read */
    int error;
};

/* Label of the row k before, where rows may be passed over: that of the last row taken, the one before it, …, whichever has that
 * row's number. */
static bound label_before(struct patterns_match_detail *rp, bound leaf, uint32_t k)
{
    struct patterns_rp_rows all = { .universal = true };
    struct cep_type bigint = CEP_TYPE(BIGINT);
    bound row = patterns_bound_external(rp->binder, NULL, bigint, PATTERNS_RP_ROW, NULL, PATTERNS_RP_ROW, PATTERNS_BOUND_HAS_COLUMN),
          wanted = row ? make_op(rp, PATTERNS_BOUND_SUB, bigint, row, make_int(rp, bigint, k)) : NULL, found = make_null(rp, leaf->type);
    for (uint32_t n = k; n-- > 0 && found && wanted;) {
        struct patterns_rp_request number = { .kind = PATTERNS_RP_LAST, .n = n, .rows = &all, .args = { row }, .type = bigint },
                                   label = { .kind = PATTERNS_RP_LAST, .n = n, .rows = &all, .args = { leaf }, .type = leaf->type };
        bound is = make_op(rp, PATTERNS_BOUND_EQ, CEP_TYPE(BOOLEAN), reg_leaf(rp, get_reg(rp, &rp->live, &number)), wanted);
        found = make_case(rp, is, reg_leaf(rp, get_reg(rp, &rp->live, &label)), found);
    }
    return wanted ? found : NULL;
}

/* Label of a neighbour. In a condition rows behind the one under test have none yet, and labels of rows before it are
 * kept in registers. */
static bound shift_label(struct shift *s, bound leaf)
{
    struct patterns_match_detail *rp = s->read->rp;
    struct patterns_rp_rows all = { .universal = true };
    if (s->read->measures) {
        const struct patterns_rp_nav *nav = intern_nav(rp, PATTERNS_NO_COLUMN, s->distance);
        return nav ? patterns_bound_external(rp->binder, NULL, leaf->type, PATTERNS_RP_LABEL, nav,
                                             mix(PATTERNS_RP_LABEL, (uint64_t)(int64_t)s->distance), 0)
                   : NULL;
    }
    if (s->distance > 0 && s->current)
        return make_null(rp, leaf->type);
    bool gaps = patterns_pat_contains(rp->pat, PATTERNS_PAT_RELAX) || patterns_pat_contains(rp->pat, PATTERNS_PAT_NOT);
    if (s->distance > 0 || (gaps && s->distance < -PATTERNS_LABELS_BACK_MAX)) {
        s->error =
            patterns_refuse(rp->binder, s->read->place, "not-supported",
                            s->distance > 0 ? "compare columns instead, or move it to MEASURES"
                                            : "use LAST(CLASSIFIER(), n), the nth row taken before, or move it to MEASURES",
                            s->distance > 0 ? "NEXT(CLASSIFIER()) in DEFINE"
                                            : "PREV(CLASSIFIER(), n) with n beyond 32 in the DEFINE of a pattern with arrows");
        return NULL;
    }
    if (gaps)
        return label_before(rp, leaf, (uint32_t)-s->distance);
    struct patterns_rp_request want = {
        .kind = PATTERNS_RP_LAST, .n = (uint32_t)(-s->distance - 1), .rows = &all, .args = { leaf }, .type = leaf->type
    };
    return reg_leaf(rp, get_reg(rp, &rp->live, &want));
}

static bound shift_leaf(void *ctx, bound leaf)
{
    struct shift *s = ctx;
    struct patterns_match_detail *rp = s->read->rp;
    if (leaf->kind == PATTERNS_BOUND_COLUMN) {
        bound nav = patterns_rp_nav_leaf(rp, s->read->place, leaf->column, s->distance),
              there = nav ? is_not_null(rp, nav) : NULL;
        s->columns = s->columns && there ? make_op(rp, PATTERNS_BOUND_OR, CEP_TYPE(BOOLEAN), s->columns, there) : there;
        return nav;
    }
    return leaf->id == PATTERNS_RP_OWN_LABEL ? shift_label(s, leaf) : leaf;
}

/* The value at the row `distance` further; NULL outside of the partition. */
static int shift_value(const struct patterns_rp_read *read, int32_t distance, bool current, bound value, bound *ret)
{
    struct patterns_match_detail *rp = read->rp;
    struct shift s = { .read = read, .distance = distance, .current = current };
    *ret = patterns_bound_map(rp->binder, value, shift_leaf, &s);
    if (!*ret)
        return s.error ? s.error : BASE_E_NOMEM;
    if (null_without_row(*ret))
        return 0;
    bound exists = s.columns;
    if (rp->input->rowtime != PATTERNS_NO_COLUMN) {
        bound time = patterns_rp_nav_leaf(rp, NULL, rp->input->rowtime, distance);
        exists = time ? is_not_null(rp, time) : NULL;
    }
    if (!exists && s.columns)
        return BASE_E_NOMEM;
    if (exists)
        *ret = make_case(rp, exists, *ret, make_null(rp, (*ret)->type));
    return *ret ? 0 : BASE_E_NOMEM;
}

static int navigate(const struct patterns_rp_read *read, const struct patterns_rp_rows *rows,
                    enum patterns_rp_direction from, uint32_t n, int32_t distance, const struct patterns_bound *value,
                    const struct patterns_bound **ret)
{
    struct patterns_match_detail *rp = read->rp;
    bool itself = counts_itself(read, rows), first = from == PATTERNS_RP_FROM_FIRST;
    if (distance) {
        int r = shift_value(read, distance, itself && !first && n == 0, value, &value);
        if (r)
            return r;
    }
    /* Rows of the set that a match can have: a variable that occurs once needs no counting. */
    uint32_t most = patterns_pat_max_rows(rp->pat, rows->universal ? NULL : &rows->set);
    if (itself) {
        bool own = rp->vars[read->var].taken && !rp->vars[read->var].refused;
        uint32_t before = most == PATTERNS_UNBOUNDED ? most : most - (own && most > 0);
        if (n == 0 && (!first || before == 0))
            *ret = value;
        else if (n > before)
            *ret = make_null(rp, value->type);
        else
            *ret = patterns_rp_read_reg(read, &(struct patterns_rp_request){ .kind = first ? PATTERNS_RP_FIRST
                                                                                           : PATTERNS_RP_LAST,
                                                                             .n = n,
                                                                             .rows = rows,
                                                                             .args = { value },
                                                                             .type = value->type });
        return *ret ? 0 : BASE_E_NOMEM;
    }
    if (n >= most) {
        *ret = make_null(rp, value->type);
        return *ret ? 0 : BASE_E_NOMEM;
    }
    if (most == 1)
        first = false;
    *ret =
        patterns_rp_read_reg(read, &(struct patterns_rp_request){ .kind = first ? PATTERNS_RP_FIRST : PATTERNS_RP_LAST,
                                                                  .n = n,
                                                                  .rows = rows,
                                                                  .args = { value },
                                                                  .type = value->type });
    return *ret ? 0 : BASE_E_NOMEM;
}

const struct patterns_bound *patterns_rp_named(const struct patterns_rp_read *read, const struct patterns_rp_rows *rows,
                                               uint64_t what, bound value)
{
    uint64_t hash = mix(mix(mix(what, read->final), rows->universal), !read->measures);
    for (size_t i = 0; i < PATTERNS_VARS_MAX / 64 && !rows->universal; i++)
        hash = mix(hash, rows->set.words[i]);
    value = value ? patterns_bound_with_hash(read->rp->binder, value, hash) : NULL;
    return value && !value->source && read->place ? patterns_bound_at(read->rp->binder, value, read->place) : value;
}

int patterns_rp_navigate(const struct patterns_rp_read *read, const struct patterns_rp_rows *rows,
                         enum patterns_rp_direction from, uint32_t n, int32_t distance,
                         const struct patterns_bound *value, const struct patterns_bound **ret)
{
    uint64_t what = mix(mix(mix(value->hash, (uint64_t)from), n), (uint64_t)(int64_t)distance);
    int r = navigate(read, rows, from, n, distance, value, ret);
    if (!r)
        *ret = patterns_rp_named(read, rows, what, *ret);
    return r ? r : *ret ? 0 : BASE_E_NOMEM;
}

struct patterns_rp_reg *patterns_rp_last_time(struct patterns_match_detail *rp)
{
    struct patterns_rp_rows all = { .universal = true };
    return get_reg(rp, &rp->live,
                   &(struct patterns_rp_request){
                       .kind = PATTERNS_RP_TIME, .rows = &all, .type = CEP_TYPE(TIMESTAMP_LTZ) });
}

/* ---- use ---- */

static int use_leaf(void *ctx, const struct patterns_bound *leaf)
{
    if (leaf->kind == PATTERNS_BOUND_EXTERNAL && (leaf->id == PATTERNS_RP_REG || leaf->id == PATTERNS_RP_FINAL)) {
        struct patterns_rp_file *file = ctx;
        struct patterns_rp_reg *reg = file->regs[((const struct patterns_rp_reg *)leaf->detail)->index];
        if (!reg->used) {
            reg->used = true;
            patterns_rp_leaves(reg->update, use_leaf, ctx);
        }
    }
    return 0;
}

void patterns_rp_use(struct patterns_rp_file *file, const struct patterns_bound *root)
{
    (void)patterns_rp_leaves(root, use_leaf, file); /* never stops */
}

void patterns_rp_number_used(struct patterns_rp_file *file)
{
    file->used = 0;
    for (uint32_t i = 0; i < file->count; i++) {
        if (file->regs[i]->used)
            file->regs[i]->number = file->used++;
    }
}
