#include "patterns/aggregate.h"

#include <string.h>
#include "base/error.h"
#include "patterns/bind_call.h"
#include "patterns/types.h"

/* ---- calls in expressions ---- */

bool patterns_expr_has_call(const struct patterns_expr *expr, bool (*is)(const struct patterns_call *call))
{
    if (expr->kind == PATTERNS_EXPR_CALL) {
        if (is(expr->call))
            return true;
        for (uint32_t i = 0; i < expr->call->arg_count; i++)
            if (patterns_expr_has_call(expr->call->args[i], is))
                return true;
        return false;
    }
    if (expr->kind == PATTERNS_EXPR_CASE) {
        const struct patterns_case *c = expr->case_when;
        bool has = (c->operand && patterns_expr_has_call(c->operand, is)) || (c->otherwise && patterns_expr_has_call(c->otherwise, is));
        for (uint32_t i = 0; i < c->when_count && !has; i++)
            has = patterns_expr_has_call(c->whens[i].condition, is) || patterns_expr_has_call(c->whens[i].result, is);
        return has;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (patterns_expr_has_call(expr->args[i], is))
            return true;
    return false;
}

bool patterns_call_is_aggregate(const struct patterns_call *call)
{
    return !call->over && call->mode == PATTERNS_MODE_NONE && patterns_is_aggregate(call->name.text);
}

bool patterns_call_is_over(const struct patterns_call *call)
{
    return call->over && patterns_is_aggregate(call->name.text);
}

/* ---- binding ---- */

static const struct { const char *name; enum cep_agg_kind kind; } names[] = {
    { "COUNT", CEP_AGG_COUNT }, { "SUM", CEP_AGG_SUM }, { "AVG", CEP_AGG_AVG }, { "MIN", CEP_AGG_MIN }, { "MAX", CEP_AGG_MAX },
    { "VAR_POP", CEP_AGG_VAR_POP }, { "VAR_SAMP", CEP_AGG_VAR_SAMP }, { "VARIANCE", CEP_AGG_VAR_SAMP }, { "STDDEV_POP", CEP_AGG_STDDEV_POP },
    { "STDDEV_SAMP", CEP_AGG_STDDEV_SAMP }, { "STDDEV", CEP_AGG_STDDEV_SAMP }, { "FIRST_VALUE", CEP_AGG_FIRST }, { "LAST_VALUE", CEP_AGG_LAST },
    { "LISTAGG", CEP_AGG_LISTAGG }, { "STRING_AGG", CEP_AGG_LISTAGG }, { "PERCENTILE", CEP_AGG_PERCENTILE },
    { "APPROX_PERCENTILE", CEP_AGG_APPROX_PERCENTILE }, { "APPROX_COUNT_DISTINCT", CEP_AGG_APPROX_DISTINCT }, { "EWMA", CEP_AGG_EWMA },
    { "ARRAY_AGG", CEP_AGG_ARRAY }, { "COLLECT", CEP_AGG_ARRAY }, { "LAG", CEP_AGG_LAG }, { "ZSCORE", CEP_AGG_ZSCORE },
};

static int kind_of(struct patterns_binder *binder, const struct patterns_expr *expr, enum cep_agg_kind *ret)
{
    struct base_str name = expr->call->name.text;
    if (base_str_equal_fold(name, BASE_STR("LEAD")))
        return patterns_refuse(binder, expr, "not-supported", "turn it round: LAG from the row that comes later; or a row pattern (A B) with NEXT or B.column",
                               "LEAD reads a row that is still to come");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (base_str_equal_fold(name, base_str_of(names[i].name))) {
            *ret = names[i].kind;
            if (expr->call->over || (*ret != CEP_AGG_LAG && *ret != CEP_AGG_ZSCORE))
                return 0;
            return patterns_refuse(binder, expr, "not-supported", "write OVER (PARTITION BY key ORDER BY ts)", "%.*s speaks of a row: it needs OVER", (int)name.len, name.ptr);
        }
    return patterns_refuse(binder, expr, "not-supported",
                           "COUNT, SUM, AVG, MIN, MAX, STDDEV_*, VAR_*, FIRST_VALUE, LAST_VALUE, LISTAGG, ARRAY_AGG, PERCENTILE, EWMA, APPROX_*; with OVER also LAG, ZSCORE",
                           "aggregate \"%.*s\" cannot stand here", (int)name.len, name.ptr);
}

static int refuse_type(struct patterns_binder *binder, const struct patterns_expr *expr, struct cep_type type, const char *wanted)
{
    struct base_str name = expr->call->name.text;
    return patterns_refuse(binder, expr, "type-mismatch", "CAST the argument", "%.*s takes %s, not %s", (int)name.len, name.ptr, wanted,
                           patterns_type_text(binder, type));
}

/* ARRAY[x], which is there where x is NULL too; with IGNORE NULLS it is not. */
static int wrap_element(struct patterns_binder *binder, const struct patterns_expr *expr, struct patterns_agg *agg)
{
    const struct patterns_bound *element = agg->arg, *arms[3];
    bool ignores = expr->call->nulls == PATTERNS_CALL_NULLS_IGNORE || base_str_equal_fold(expr->call->name.text, BASE_STR("COLLECT"));
    int error = patterns_call_function(binder, expr, "ARRAY", &element, 1, &agg->arg);
    if (error)
        return error;
    agg->type = agg->arg->type;
    if (!ignores)
        return 0;
    arms[0] = patterns_bound_op(binder, expr, PATTERNS_BOUND_IS_NOT_NULL, CEP_TYPE(BOOLEAN), &element, 1);
    arms[1] = agg->arg;
    arms[2] = patterns_bound_const(binder, expr, agg->type, cep_null());
    agg->arg = arms[0] && arms[2] ? patterns_bound_op(binder, expr, PATTERNS_BOUND_CASE, agg->type, arms, 3) : NULL;
    return agg->arg ? 0 : BASE_E_NOMEM;
}

/* The type that is folded and that of the result; the argument is cast to the former. */
static int type_agg(struct patterns_binder *binder, const struct patterns_expr *expr, struct patterns_agg *agg)
{
    struct cep_type type = agg->arg->type;
    bool whole = patterns_type_is_integer(type) || type.kind == CEP_KIND_NULL, number = whole || type.kind == CEP_KIND_DOUBLE || type.kind == CEP_KIND_DECIMAL;
    bool orders = type.kind != CEP_KIND_ARRAY && type.kind != CEP_KIND_ROW && type.kind != CEP_KIND_NULL;
    struct cep_type folded = type;
    switch (agg->kind) {
    case CEP_AGG_COUNT:
    case CEP_AGG_APPROX_DISTINCT:
        agg->type = CEP_TYPE(BIGINT);
        folded = type.kind == CEP_KIND_NULL ? CEP_TYPE(BIGINT) : type;
        break;
    case CEP_AGG_SUM:
    case CEP_AGG_AVG:
        if (!number && !(agg->kind == CEP_AGG_SUM && patterns_type_is_interval(type)))
            return refuse_type(binder, expr, type, "a number");
        folded = whole ? CEP_TYPE(BIGINT) : type;
        agg->type = folded;
        if (type.kind == CEP_KIND_DECIMAL)
            agg->type = CEP_DECIMAL_TYPE(38, agg->kind == CEP_AGG_AVG && type.scale < 6 ? 6 : type.scale);
        else if (agg->kind == CEP_AGG_AVG)
            agg->type = CEP_TYPE(DOUBLE);
        break;
    case CEP_AGG_MIN:
    case CEP_AGG_MAX:
    case CEP_AGG_FIRST:
    case CEP_AGG_LAST:
        if (!orders)
            return refuse_type(binder, expr, type, "a number, a text or a time");
        agg->type = type;
        break;
    case CEP_AGG_LISTAGG:
        if (type.kind != CEP_KIND_STRING && type.kind != CEP_KIND_NULL)
            return refuse_type(binder, expr, type, "a STRING");
        agg->type = folded = CEP_TYPE(STRING);
        break;
    case CEP_AGG_VAR_POP:
    case CEP_AGG_VAR_SAMP:
    case CEP_AGG_STDDEV_POP:
    case CEP_AGG_STDDEV_SAMP:
    case CEP_AGG_PERCENTILE:
    case CEP_AGG_APPROX_PERCENTILE:
        if (!number)
            return refuse_type(binder, expr, type, "a number");
        folded = whole ? CEP_TYPE(BIGINT) : type;
        agg->type = CEP_TYPE(DOUBLE);
        break;
    case CEP_AGG_ZSCORE:
        if (!number)
            return refuse_type(binder, expr, type, "a number");
        folded = whole ? CEP_TYPE(BIGINT) : type;
        agg->type = CEP_TYPE(DOUBLE);
        break;
    case CEP_AGG_EWMA:
        if (!number)
            return refuse_type(binder, expr, type, "a number");
        agg->type = folded = CEP_TYPE(DOUBLE);
        break;
    case CEP_AGG_LAG:
        if (type.kind == CEP_KIND_ROW || type.kind == CEP_KIND_NULL)
            return refuse_type(binder, expr, type, "a column");
        agg->type = type;
        break;
    case CEP_AGG_ARRAY:
        if (!orders)
            return refuse_type(binder, expr, type, "a number, a text or a time");
        return wrap_element(binder, expr, agg);
    }
    agg->arg = patterns_bound_cast(binder, agg->arg, folded);
    return agg->arg ? 0 : BASE_E_NOMEM;
}

static int bind_param(struct patterns_binder *binder, const struct patterns_expr *expr, struct patterns_agg *agg)
{
    const struct patterns_call *call = expr->call;
    const struct patterns_scope constants = { .where = "an aggregate's parameter" };
    const struct patterns_bound *bound;
    bool list = agg->kind == CEP_AGG_LISTAGG;
    int error = patterns_bind_expr(binder, &constants, call->args[1], &bound);
    if (error)
        return error;
    agg->param_type = list ? CEP_TYPE(STRING) : CEP_TYPE(DOUBLE);
    if (bound->kind != PATTERNS_BOUND_CONST || bound->value.null || !cep_cast_exists(bound->type, agg->param_type, !list) ||
        (list && bound->type.kind != CEP_KIND_STRING) || cep_value_cast(bound->type, agg->param_type, bound->value, binder->arena, &agg->param))
        return patterns_refuse(binder, call->args[1], "type-mismatch", list ? "write it out: LISTAGG(x, '; ')" : agg->kind == CEP_AGG_EWMA ? "write it out: EWMA(x, 0.1)" : "write it out: PERCENTILE(x, 0.95)",
                               "the second argument of %.*s is a constant %s", (int)call->name.text.len, call->name.text.ptr, list ? "text" : "number");
    if (agg->kind == CEP_AGG_EWMA && !(agg->param.d >= 0.01 && agg->param.d <= 1))
        return patterns_refuse(binder, call->args[1], "type-mismatch", "with 0.1 the last ten values count for about two thirds", "the weight of the newest value lies between 0.01 and 1");
    if (!list && !(agg->param.d >= 0 && agg->param.d <= 1))
        return patterns_refuse(binder, call->args[1], "type-mismatch", "0.95 is the value that 95 % do not exceed", "a percentile lies between 0 and 1");
    agg->has_param = true;
    return 0;
}

static int check_call(struct patterns_binder *binder, const struct patterns_expr *expr, enum cep_agg_kind kind)
{
    const struct patterns_call *call = expr->call;
    struct base_str name = call->name.text;
    bool fraction = kind == CEP_AGG_PERCENTILE || kind == CEP_AGG_APPROX_PERCENTILE || kind == CEP_AGG_EWMA, edge = kind == CEP_AGG_FIRST || kind == CEP_AGG_LAST;
    uint32_t most = kind == CEP_AGG_LAG ? 3 : fraction || kind == CEP_AGG_LISTAGG ? 2 : 1, least = fraction ? 2 : 1;
    bool nulls = call->nulls == PATTERNS_CALL_NULLS_NONE || kind == CEP_AGG_ARRAY || (edge && call->nulls == PATTERNS_CALL_NULLS_IGNORE) ||
                 (kind == CEP_AGG_LAG && call->nulls == PATTERNS_CALL_NULLS_RESPECT);
    if (call->within_count || !nulls)
        return patterns_refuse(binder, expr, "not-supported", edge ? "NULLs are always passed over" : NULL, "%.*s takes no WITHIN GROUP and no RESPECT or IGNORE NULLS",
                               (int)name.len, name.ptr);
    if (call->distinct && kind >= CEP_AGG_FIRST)
        return patterns_refuse(binder, expr, "not-supported", NULL, "%.*s takes no DISTINCT", (int)name.len, name.ptr);
    if (call->arg_count < least || call->arg_count > most)
        return patterns_refuse(binder, expr, "type-mismatch", NULL, "%.*s takes %s", (int)name.len, name.ptr,
                               least == 2 ? "two arguments" : most == 3 ? "one to three arguments" : most == 2 ? "one or two arguments" : "one argument");
    return 0;
}

static uint64_t hash_of(const struct patterns_agg *agg)
{
    uint64_t h = patterns_hash_mix(patterns_hash_mix(17, (uint64_t)agg->kind), agg->distinct);
    h = patterns_hash_mix(h, agg->arg ? agg->arg->hash : 1);
    h = patterns_hash_mix(h, agg->filter ? agg->filter->hash : 1);
    if (agg->has_param && agg->param_type.kind == CEP_KIND_STRING)
        return patterns_hash_text(h, (struct base_str){ agg->param.s.ptr, agg->param.s.len });
    return patterns_hash_mix(h, agg->has_param ? (uint64_t)agg->param.i : 0);
}

int patterns_agg_bind(struct patterns_binder *binder, const struct patterns_scope *input, const struct patterns_expr *expr, struct patterns_agg *ret)
{
    const struct patterns_call *call = expr->call;
    struct patterns_scope scope = *input;
    struct patterns_agg agg = { .distinct = call->distinct };
    int error = kind_of(binder, expr, &agg.kind);
    if (!error)
        error = check_call(binder, expr, agg.kind);
    if (error)
        return error;
    scope.where = "an aggregate";
    if (call->args[0]->kind == PATTERNS_EXPR_STAR && agg.kind == CEP_AGG_COUNT && !call->distinct) {
        agg.type = CEP_TYPE(BIGINT);
    } else {
        error = patterns_bind_expr(binder, &scope, call->args[0], &agg.arg);
        if (!error)
            error = type_agg(binder, expr, &agg);
    }
    if (!error && call->arg_count == 2 && agg.kind != CEP_AGG_LAG) /* LAG's are the frame's: over.c */
        error = bind_param(binder, expr, &agg);
    scope.where = "FILTER";
    if (!error && call->filter)
        error = patterns_bind_condition(binder, &scope, call->filter, &agg.filter);
    if (error)
        return error;
    if (agg.kind == CEP_AGG_MIN || agg.kind == CEP_AGG_MAX)
        agg.distinct = false; /* it says nothing there */
    agg.hash = hash_of(&agg);
    *ret = agg;
    return 0;
}

/* ---- lists ---- */

static bool same_bound(const struct patterns_bound *a, const struct patterns_bound *b)
{
    return a && b ? patterns_bound_same(a, b) : a == b;
}

int patterns_aggs_add(struct base_arena *arena, struct patterns_aggs *aggs, const struct patterns_agg *agg, uint32_t *ret)
{
    for (uint32_t i = 0; i < aggs->count; i++)
        if (aggs->at[i].hash == agg->hash && same_bound(aggs->at[i].arg, agg->arg) && same_bound(aggs->at[i].filter, agg->filter)) {
            *ret = i;
            return 0;
        }
    if (aggs->count == aggs->cap) {
        uint32_t cap = aggs->cap ? aggs->cap * 2 : 8;
        struct patterns_agg *grown = base_arena_zalloc(arena, cap, sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        if (aggs->count)
            memcpy(grown, aggs->at, aggs->count * sizeof *grown);
        aggs->at = grown;
        aggs->cap = cap;
    }
    *ret = aggs->count;
    aggs->at[aggs->count++] = *agg;
    return 0;
}

void patterns_aggs_mark_columns(const struct patterns_aggs *aggs, bool *used)
{
    for (uint32_t i = 0; i < aggs->count; i++) {
        if (aggs->at[i].arg)
            patterns_bound_mark_columns(aggs->at[i].arg, used);
        if (aggs->at[i].filter)
            patterns_bound_mark_columns(aggs->at[i].filter, used);
    }
}

int patterns_aggs_emit(const struct patterns_aggs *aggs, const struct patterns_emit_env *env, bool retracts, struct cep_list *ret)
{
    struct cep_agg *list = base_arena_zalloc(env->arena, aggs->count + 1, sizeof *list);
    int error = list ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < aggs->count && !error; i++) {
        const struct patterns_agg *agg = &aggs->at[i];
        list[i] = (struct cep_agg){ .kind = agg->kind, .arg = CEP_NONE, .filter = CEP_NONE, .param = CEP_NONE, .distinct = agg->distinct, .retracts = retracts,
                                    .arg_type = agg->arg ? agg->arg->type : CEP_TYPE(NULL), .type = agg->type };
        if (agg->arg)
            error = patterns_emit_expr(env, agg->arg, &list[i].arg);
        if (!error && agg->filter)
            error = patterns_emit_expr(env, agg->filter, &list[i].filter);
        if (agg->has_param)
            list[i].param = cep_builder_const(env->builder, agg->param_type, agg->param);
    }
    if (error)
        return error;
    *ret = (struct cep_list){ aggs->count ? cep_builder_add(env->builder, CEP_SEC_AGGS, list, aggs->count) : 0, aggs->count };
    return ret->first == CEP_NONE ? BASE_E_NOMEM : 0;
}

int patterns_outs_emit(struct base_arena *arena, struct cep_builder *builder, const uint32_t *outs, uint32_t count, const bool *needed, struct cep_list *ret)
{
    uint32_t *list = base_arena_zalloc(arena, count + 1, sizeof *list), n = 0;
    if (!list)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        if (needed[i])
            list[n++] = outs[i];
    *ret = cep_builder_u32s(builder, list, n);
    return 0;
}
