#include "patterns/group.h"

#include <string.h>
#include "base/error.h"
#include "patterns/bind_call.h"
#include "patterns/types.h"

/* Ids of the EXTERNAL leaves. */
enum leaf { LEAF_REG = 1, LEAF_ACC, LEAF_OUT };
/* An accumulating instruction: d = op(a, b). */
struct acc {
    enum cep_opcode op;
    const struct patterns_bound *a, *b;
    uint32_t c;
    struct cep_type type; /* kind NULL: c stands; else its index in the types section */
};

static struct patterns_bound const *reg_leaf(struct patterns_group *g, uint32_t reg)
{
    return patterns_bound_external(g->binder, NULL, g->regs[reg].type, LEAF_REG, (const void *)(uintptr_t)reg,
                                   patterns_hash_mix(LEAF_REG, reg), 0);
}

static const struct patterns_bound *acc_leaf(struct patterns_group *g, struct cep_type type, const struct acc *acc)
{
    struct acc *copy = base_arena_alloc(g->binder->arena, sizeof *copy);
    if (!copy || !acc->a || !acc->b)
        return NULL;
    *copy = *acc;
    uint64_t h = patterns_hash_mix(patterns_hash_mix(LEAF_ACC, (uint64_t)acc->op), acc->b->hash);
    return patterns_bound_external(g->binder, NULL, type, LEAF_ACC, copy, h, acc->b->flags);
}

/* A new register without update; CEP_NONE: no memory. */
static uint32_t add_reg(struct patterns_group *g, struct cep_type type, struct cep_value init)
{
    if (g->reg_count == g->reg_cap) {
        uint32_t cap = g->reg_cap ? g->reg_cap * 2 : 8;
        struct patterns_group_reg *grown = base_arena_zalloc(g->binder->arena, cap, sizeof *grown);
        if (!grown)
            return CEP_NONE;
        if (g->reg_count)
            memcpy(grown, g->regs, g->reg_count * sizeof *grown);
        g->regs = grown;
        g->reg_cap = cap;
    }
    g->regs[g->reg_count] = (struct patterns_group_reg){ type, init, NULL };
    return g->reg_count++;
}

static int add_out(struct patterns_group *g, const struct patterns_bound *out, const struct patterns_bound *written)
{
    if (!out)
        return BASE_E_NOMEM;
    if (g->out_count == g->out_cap) {
        uint32_t cap = g->out_cap ? g->out_cap * 2 : 8;
        const struct patterns_bound **outs = base_arena_zalloc(g->binder->arena, cap, sizeof *outs);
        const struct patterns_bound **texts = base_arena_zalloc(g->binder->arena, cap, sizeof *texts);
        if (!outs || !texts)
            return BASE_E_NOMEM;
        if (g->out_count) {
            memcpy(outs, g->outs, g->out_count * sizeof *outs);
            memcpy(texts, g->written, g->out_count * sizeof *texts);
        }
        g->outs = outs;
        g->written = texts;
        g->out_cap = cap;
    }
    g->outs[g->out_count] = out;
    g->written[g->out_count++] = written;
    return 0;
}

/* ---- accumulators ---- */

/* Register that op folds x into. */
static const struct patterns_bound *folded(struct patterns_group *g, enum cep_opcode op, struct cep_type type,
                                           struct cep_value init, const struct patterns_bound *x, uint32_t c,
                                           bool typed)
{
    uint32_t reg = add_reg(g, type, init);
    if (reg == CEP_NONE)
        return NULL;
    const struct acc acc = { op, reg_leaf(g, reg), x, c, typed ? type : CEP_TYPE(NULL) };
    g->regs[reg].update = acc_leaf(g, type, &acc);
    return g->regs[reg].update ? reg_leaf(g, reg) : NULL;
}

static const struct patterns_bound *counted(struct patterns_group *g, const struct patterns_bound *x)
{
    return folded(g, CEP_OP_COUNT_IF, CEP_TYPE(BIGINT), cep_int(0), x, 0, false);
}

static const struct patterns_bound *summed(struct patterns_group *g, const struct patterns_bound *x)
{
    struct cep_type t = x->type;
    if (t.kind == CEP_KIND_DOUBLE)
        return folded(g, CEP_OP_SUM_D, t, cep_null(), x, 0, false);
    if (t.kind == CEP_KIND_DECIMAL)
        return folded(g, CEP_OP_SUM_N, t, cep_null(), x,
                      t.scale | (uint32_t)t.scale << 8 | (uint32_t)t.precision << 16 | (uint32_t)t.scale << 24, false);
    return folded(g, CEP_OP_SUM_I, t, cep_null(), x, 0, false);
}

static const struct patterns_bound *divided(struct patterns_group *g, const struct patterns_expr *place,
                                            struct cep_type type, const struct patterns_bound *sum,
                                            const struct patterns_bound *count)
{
    struct cep_type by = type.kind == CEP_KIND_DOUBLE ? type : CEP_DECIMAL_TYPE(19, 0);
    const struct patterns_bound *args[2] = { NULL, NULL };
    if (!sum || !count)
        return NULL;
    args[0] = type.kind == CEP_KIND_DOUBLE ? patterns_bound_cast(g->binder, sum, type) : sum;
    args[1] = patterns_bound_cast(g->binder, count, by);
    return patterns_bound_op(g->binder, place, PATTERNS_BOUND_DIV, type, args, 2);
}

/* Type that a SUM of x has, as in MEASURES; kind NULL: there is none. */
static struct cep_type sum_type(struct cep_type type)
{
    if (patterns_type_is_integer(type) || type.kind == CEP_KIND_NULL)
        return CEP_TYPE(BIGINT);
    if (type.kind == CEP_KIND_DOUBLE || patterns_type_is_interval(type))
        return type;
    return type.kind == CEP_KIND_DECIMAL ? CEP_DECIMAL_TYPE(38, type.scale) : CEP_TYPE(NULL);
}

static int refuse_argument(struct patterns_group *g, const struct patterns_expr *expr, struct cep_type type)
{
    struct base_str name = expr->call->name.text;
    return patterns_refuse(g->binder, expr, "type-mismatch", "CAST the argument", "%.*s takes a number, not %s",
                           (int)name.len, name.ptr, patterns_type_text(g->binder, type));
}

static int make_aggregate(struct patterns_group *g, const struct patterns_expr *expr, const struct patterns_bound *x,
                          const struct patterns_bound **ret)
{
    struct base_str name = expr->call->name.text;
    if (base_str_equal_fold(name, BASE_STR("COUNT"))) {
        *ret = counted(g, x);
        return *ret ? 0 : BASE_E_NOMEM;
    }
    bool min = base_str_equal_fold(name, BASE_STR("MIN"));
    if (min || base_str_equal_fold(name, BASE_STR("MAX"))) {
        if (x->type.kind == CEP_KIND_ARRAY || x->type.kind == CEP_KIND_ROW || x->type.kind == CEP_KIND_NULL)
            return refuse_argument(g, expr, x->type);
        *ret = folded(g, min ? CEP_OP_MIN : CEP_OP_MAX, x->type, cep_null(), x, 0, true);
        return *ret ? 0 : BASE_E_NOMEM;
    }
    bool avg = base_str_equal_fold(name, BASE_STR("AVG"));
    if (!avg && !base_str_equal_fold(name, BASE_STR("SUM")))
        return patterns_refuse(
            g->binder, expr, "not-supported",
            "over a whole query there are COUNT, SUM, AVG, MIN and MAX; MEASURES of a row pattern know more",
            "aggregate \"%.*s\" cannot stand here", (int)name.len, name.ptr);
    struct cep_type type = sum_type(x->type);
    if (type.kind == CEP_KIND_NULL || (avg && patterns_type_is_interval(type)))
        return refuse_argument(g, expr, x->type);
    const struct patterns_bound *wide = patterns_bound_cast(g->binder, x, type);
    *ret = wide ? summed(g, wide) : NULL;
    if (*ret && avg)
        *ret = divided(g, expr,
                       type.kind == CEP_KIND_DECIMAL ? CEP_DECIMAL_TYPE(38, type.scale > 6 ? type.scale : 6)
                                                     : CEP_TYPE(DOUBLE),
                       *ret, counted(g, wide));
    return *ret ? 0 : BASE_E_NOMEM;
}

/* The value that the aggregate folds: 1 for COUNT(*), NULL where FILTER says no. */
static int bind_argument(struct patterns_group *g, const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_call *call = expr->call;
    struct base_str name = call->name.text;
    struct patterns_scope scope = g->input;
    const struct patterns_bound *arms[3];
    int error = 0;
    if (call->distinct || call->within_count || call->nulls != PATTERNS_CALL_NULLS_NONE)
        return patterns_refuse(g->binder, expr, "not-supported", NULL,
                               "%.*s over a whole query takes no DISTINCT, WITHIN GROUP or IGNORE NULLS", (int)name.len,
                               name.ptr);
    if (call->arg_count != 1)
        return patterns_refuse(g->binder, expr, "type-mismatch", NULL, "%.*s takes one argument", (int)name.len,
                               name.ptr);
    scope.where = "an aggregate";
    if (call->args[0]->kind == PATTERNS_EXPR_STAR && base_str_equal_fold(name, BASE_STR("COUNT")))
        *ret = patterns_bound_const(g->binder, expr, CEP_TYPE(INT), cep_int(1));
    else
        error = patterns_bind_expr(g->binder, &scope, call->args[0], ret);
    if (error || !*ret)
        return error ? error : BASE_E_NOMEM;
    if (!call->filter)
        return 0;
    scope.where = "FILTER";
    error = patterns_bind_condition(g->binder, &scope, call->filter, &arms[0]);
    if (error)
        return error;
    arms[1] = *ret;
    arms[2] = patterns_bound_const(g->binder, expr, (*ret)->type, cep_null());
    *ret = patterns_bound_op(g->binder, expr, PATTERNS_BOUND_CASE, (*ret)->type, arms, 3);
    return *ret ? 0 : BASE_E_NOMEM;
}

/* Scope hook: an aggregate becomes a leaf that names an output of the group. */
static int group_call(void *ctx, struct patterns_binder *binder, const struct patterns_expr *expr,
                      const struct patterns_bound **ret)
{
    struct patterns_group *g = ctx;
    const struct patterns_bound *x = NULL, *result = NULL;
    *ret = NULL;
    if (expr->call->over || expr->call->mode != PATTERNS_MODE_NONE || !patterns_is_aggregate(expr->call->name.text))
        return 0;
    int error = bind_argument(g, expr, &x);
    if (error)
        return error;
    char folded_name[32];
    size_t n = 0;
    for (; n < expr->call->name.text.len && n + 1 < sizeof folded_name; n++)
        folded_name[n] = (char)(expr->call->name.text.ptr[n] & ~32);
    uint64_t hash = patterns_hash_mix(patterns_hash_text(LEAF_OUT, (struct base_str){ folded_name, n }), x->hash);
    uint32_t out = g->key_count;
    while (out < g->out_count && (g->written[out]->hash != hash || !patterns_bound_same(g->written[out]->args[0], x)))
        out++;
    if (out == g->out_count) {
        error = make_aggregate(g, expr, x, &result);
        const struct patterns_bound *written =
            error ? NULL : patterns_bound_op(binder, expr, PATTERNS_BOUND_CASE, result->type, &x, 1);
        written = written ? patterns_bound_with_hash(binder, written, hash) : NULL;
        if (!error)
            error = written ? add_out(g, result, written) : BASE_E_NOMEM;
        if (error)
            return error;
        g->hash = patterns_hash_mix(g->hash, hash);
    }
    *ret = patterns_bound_external(binder, expr, g->outs[out]->type, LEAF_OUT, (const void *)(uintptr_t)out, hash, 0);
    return *ret ? 0 : BASE_E_NOMEM;
}

/* ---- keys ---- */

int patterns_group_begin(struct patterns_binder *binder, const struct patterns_scope *input,
                         const struct patterns_expr *const *keys, uint32_t count, struct patterns_group **ret)
{
    struct patterns_group *g = base_arena_zalloc(binder->arena, 1, sizeof *g);
    if (!g || !(g->keys = base_arena_zalloc(binder->arena, count + 1, sizeof *g->keys)))
        return BASE_E_NOMEM;
    g->binder = binder;
    g->input = *input;
    g->input.where = "GROUP BY";
    g->hash = count;
    for (uint32_t i = 0; i < count; i++) {
        int error = patterns_bind_expr(binder, &g->input, keys[i], &g->keys[i]);
        if (error)
            return error;
        if (g->keys[i]->type.kind == CEP_KIND_NULL || g->keys[i]->type.kind == CEP_KIND_ROW)
            return patterns_refuse(binder, keys[i], "type-mismatch", NULL, "rows cannot be grouped by %s",
                                   patterns_type_text(binder, g->keys[i]->type));
        /* The first row's value stays: all rows of a group have the same. */
        uint32_t reg = add_reg(g, g->keys[i]->type, cep_null());
        const struct patterns_bound *pair[2] = { reg == CEP_NONE ? NULL : reg_leaf(g, reg), g->keys[i] };
        const struct patterns_bound *update =
            patterns_bound_op(binder, keys[i], PATTERNS_BOUND_COALESCE, g->keys[i]->type, pair, 2);
        if (!update)
            return BASE_E_NOMEM;
        g->regs[reg].update = update;
        error = add_out(g, pair[0], g->keys[i]);
        if (error)
            return error;
        g->hash = patterns_hash_mix(g->hash, g->keys[i]->hash);
        g->key_count++;
    }
    *ret = g;
    return 0;
}

/* ---- expressions over the group ---- */

/* A column of the group's relation; the binder fills that relation from g->outs. */
static const struct patterns_bound *out_column(struct patterns_group *g, const struct patterns_bound *place,
                                               uint32_t out)
{
    struct patterns_bound *b = base_arena_zalloc(g->binder->arena, 1, sizeof *b);
    if (!b)
        return NULL;
    b->kind = PATTERNS_BOUND_COLUMN;
    b->type = g->outs[out]->type;
    b->flags = PATTERNS_BOUND_HAS_COLUMN;
    b->column = out;
    b->hash = place->hash;
    b->source = place->source;
    b->begin = place->begin;
    b->end = place->end;
    return b;
}

static int over_group(struct patterns_group *g, const struct patterns_bound *bound, const struct patterns_bound **ret)
{
    for (uint32_t i = 0; i < g->key_count; i++)
        if (patterns_bound_same(bound, g->keys[i])) {
            *ret = out_column(g, bound, i);
            return *ret ? 0 : BASE_E_NOMEM;
        }
    if (bound->kind == PATTERNS_BOUND_EXTERNAL && bound->id == LEAF_OUT) {
        *ret = out_column(g, bound, (uint32_t)(uintptr_t)bound->detail);
        return *ret ? 0 : BASE_E_NOMEM;
    }
    if (bound->kind == PATTERNS_BOUND_COLUMN)
        return patterns_refuse_at(g->binder, bound->source, bound->begin, bound->end, "not-grouped",
                                  "put it into GROUP BY, or into MIN(...) or MAX(...)",
                                  "a column outside of aggregates must stand in GROUP BY");
    if (bound->arg_count == 0) {
        *ret = bound;
        return 0;
    }
    struct patterns_bound *copy = base_arena_alloc(g->binder->arena, sizeof *copy);
    const struct patterns_bound **args = base_arena_zalloc(g->binder->arena, bound->arg_count, sizeof *args);
    if (!copy || !args)
        return BASE_E_NOMEM;
    *copy = *bound;
    copy->args = args;
    copy->flags = bound->flags & ~(uint32_t)PATTERNS_BOUND_HAS_EXTERNAL;
    for (uint32_t i = 0; i < bound->arg_count; i++) {
        int error = over_group(g, bound->args[i], &args[i]);
        if (error)
            return error;
        copy->flags |= args[i]->flags;
    }
    *ret = copy;
    return 0;
}

int patterns_group_bind(struct patterns_group *group, const struct patterns_expr *expr, const char *where,
                        const struct patterns_bound **ret)
{
    struct patterns_scope scope = group->input;
    const struct patterns_bound *bound;
    scope.ctx = group;
    scope.call = group_call;
    scope.where = where;
    int error = patterns_bind_expr(group->binder, &scope, expr, &bound);
    return error ? error : over_group(group, bound, ret);
}

static int mark_leaf(void *ctx, const struct patterns_bound *leaf)
{
    if (leaf->kind == PATTERNS_BOUND_COLUMN)
        ((bool *)ctx)[leaf->column] = true;
    else if (leaf->id == LEAF_ACC)
        return patterns_bound_leaves(((const struct acc *)leaf->detail)->b, mark_leaf, ctx);
    return 0;
}

void patterns_group_mark_columns(const struct patterns_group *group, bool *used)
{
    for (uint32_t i = 0; i < group->reg_count; i++)
        (void)patterns_bound_leaves(group->regs[i].update, mark_leaf, used);
}

/* ---- emission ---- */

static int emit_leaf(void *ctx, struct patterns_emit *emit, const struct patterns_bound *leaf, uint16_t d)
{
    (void)ctx;
    if (leaf->id == LEAF_REG) {
        patterns_emit_insn(emit, CEP_OP_REG, d, 0, 0, (uint32_t)(uintptr_t)leaf->detail, 0);
        return 0;
    }
    const struct acc *acc = leaf->detail;
    uint16_t a, b;
    int error = patterns_emit_value(emit, acc->a, &a);
    if (!error)
        error = patterns_emit_value(emit, acc->b, &b);
    if (error)
        return error;
    patterns_emit_insn(emit, acc->op, d, a, b, acc->type.kind ? patterns_emit_type(emit, acc->type) : acc->c, 0);
    return 0;
}

static int emit_update(const struct patterns_group *g, const struct patterns_emit_env *env, uint32_t *ret)
{
    struct patterns_emit *emit = patterns_emit_begin(env);
    if (!emit)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < g->reg_count; i++) {
        uint16_t slot;
        int error = patterns_emit_value(emit, g->regs[i].update, &slot);
        if (error)
            return error;
        patterns_emit_insn(emit, CEP_OP_STORE, 0, slot, 0, i, 0);
    }
    return patterns_emit_end(emit, CEP_TYPE(NULL), 0, NULL, ret);
}

int patterns_group_emit(const struct patterns_group *group, struct cep_builder *builder, const uint32_t *columns,
                        const bool *needed, uint32_t *ret)
{
    struct base_arena *arena = group->binder->arena;
    const struct patterns_emit_env env = { .builder = builder, .arena = arena, .columns = columns, .leaf = emit_leaf };
    struct cep_reg *regs = base_arena_zalloc(arena, group->reg_count + 1, sizeof *regs);
    uint32_t *outs = base_arena_zalloc(arena, group->out_count + 1, sizeof *outs), count = 0;
    struct cep_group detail = { .update = CEP_NONE };
    if (!regs || !outs)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < group->reg_count; i++)
        regs[i] = (struct cep_reg){ .type = group->regs[i].type,
                                    .init = cep_builder_const(builder, group->regs[i].type, group->regs[i].init) };
    int error = emit_update(group, &env, &detail.update);
    for (uint32_t i = 0; i < group->out_count && !error; i++)
        if (needed[i])
            error = patterns_emit_expr(&env, group->outs[i], &outs[count++]);
    if (error)
        return error;
    detail.regs =
        (struct cep_list){ group->reg_count ? cep_builder_add(builder, CEP_SEC_REGS, regs, group->reg_count) : 0,
                           group->reg_count };
    detail.outs = cep_builder_u32s(builder, outs, count);
    *ret = cep_builder_add(builder, CEP_SEC_GROUPS, &detail, 1);
    return detail.regs.first == CEP_NONE || *ret == CEP_NONE ? BASE_E_NOMEM : 0;
}
