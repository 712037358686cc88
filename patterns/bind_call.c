#include "patterns/bind_call.h"

#include <string.h>
#include "base/error.h"
#include "patterns/fold.h"
#include "patterns/hints.h"
#include "patterns/literal.h"
#include "patterns/types.h"

static bool is_name(const struct patterns_call *call, const char *name)
{
    return base_str_equal_fold(call->name.text, base_str_of(name));
}

bool patterns_is_aggregate(struct base_str name)
{
    static const char *const names[] = { "COUNT",
                                         "SUM",
                                         "AVG",
                                         "MIN",
                                         "MAX",
                                         "STDDEV",
                                         "STDDEV_POP",
                                         "STDDEV_SAMP",
                                         "VARIANCE",
                                         "VAR_POP",
                                         "VAR_SAMP",
                                         "ARRAY_AGG",
                                         "LISTAGG",
                                         "COLLECT",
                                         "FIRST_VALUE",
                                         "LAST_VALUE",
                                         "APPROX_COUNT_DISTINCT",
                                         "PERCENTILE",
                                         "APPROX_PERCENTILE",
                                         "STRING_AGG",
                                         "BOOL_AND",
                                         "BOOL_OR",
                                         "EVERY",
                                         "EWMA",
                                         "LAG",
                                         "LEAD",
                                         "ZSCORE" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (base_str_equal_fold(name, base_str_of(names[i])))
            return true;
    return false;
}

static bool is_pattern_function(struct base_str name)
{
    static const char *const names[] = { "PREV",       "NEXT",         "FIRST",         "LAST",
                                         "CLASSIFIER", "MATCH_NUMBER", "MATCH_ROWTIME", "MATCH_PROCTIME" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (base_str_equal_fold(name, base_str_of(names[i])))
            return true;
    return false;
}

/* ---- functions of the registry ---- */

static int unknown_function(struct patterns_binder *binder, const struct patterns_expr *place, struct base_str name)
{
    const char *near = NULL;
    size_t best = name.len < 4 ? 2 : name.len / 3 + 1;
    const struct cep_func *func;
    for (uint32_t i = 0; (func = cep_funcs_at(binder->funcs, i)); i++) {
        size_t distance = base_str_distance(base_str_of(func->name), name);
        if (distance < best) {
            best = distance;
            near = func->name;
        }
    }
    const char *hint = patterns_hint_function(name);
    if (!hint && near)
        hint = base_arena_printf(binder->arena, "did you mean %s?", near);
    return patterns_refuse(binder, place, "unknown-function", hint, "unknown function \"%.*s\"", (int)name.len,
                           name.ptr);
}

static int refuse_signature(struct patterns_binder *binder, const struct patterns_expr *place,
                            const struct cep_func *func, const struct patterns_bound *const *args, uint32_t count)
{
    struct base_buf buf = { 0 };
    for (uint32_t i = 0; i < count; i++) {
        base_buf_puts(&buf, i ? ", " : "");
        base_buf_puts(&buf, patterns_type_text(binder, args[i]->type));
    }
    const char *hint = func->signature ? base_arena_printf(binder->arena, "use %s", func->signature) : NULL;
    int error = patterns_refuse(binder, place, "type-mismatch", hint, "%s cannot be called with (%s)", func->name,
                                buf.ptr ? buf.ptr : "");
    base_buf_finish(&buf);
    return error;
}

int patterns_call_function(struct patterns_binder *binder, const struct patterns_expr *place, const char *name,
                           const struct patterns_bound *const *args, uint32_t count, const struct patterns_bound **ret)
{
    uint32_t index;
    *ret = NULL;
    const struct cep_func *func = cep_funcs_find(binder->funcs, base_str_of(name), &index);
    if (!func)
        return unknown_function(binder, place, base_str_of(name));
    if (count < func->args_min || count > func->args_max || count > CEP_FUNC_ARGS_MAX)
        return refuse_signature(binder, place, func, args, count);
    struct cep_type types[CEP_FUNC_ARGS_MAX + 1], want[CEP_FUNC_ARGS_MAX + 1], type = CEP_TYPE(NULL);
    const struct patterns_bound *cast[CEP_FUNC_ARGS_MAX + 1];
    for (uint32_t i = 0; i < count; i++)
        want[i] = types[i] = args[i]->type;
    if (!func->resolve(types, count, want, &type))
        return refuse_signature(binder, place, func, args, count);
    for (uint32_t i = 0; i < count; i++) {
        if (cep_type_equal(types[i], want[i]) || types[i].kind == CEP_KIND_NULL)
            cast[i] = types[i].kind == CEP_KIND_NULL && want[i].kind != CEP_KIND_NULL
                          ? patterns_bound_const(binder, place, want[i], cep_null())
                          : args[i];
        else if (!cep_cast_exists(types[i], want[i], false))
            return refuse_signature(binder, place, func, args, count);
        else
            cast[i] = patterns_bound_cast(binder, args[i], want[i]);
        if (!cast[i])
            return BASE_E_NOMEM;
        int error = patterns_fold(binder, cast[i], &cast[i]);
        if (error)
            return error;
    }
    const struct patterns_bound *bound = patterns_bound_call(binder, place, func, type, cast, count);
    return bound ? patterns_fold(binder, bound, ret) : BASE_E_NOMEM;
}

/* ---- native calls ---- */

static int op(struct patterns_binder *binder, const struct patterns_expr *place, enum patterns_bound_kind kind,
              struct cep_type type, const struct patterns_bound *const *args, uint32_t count,
              const struct patterns_bound **ret)
{
    const struct patterns_bound *bound = patterns_bound_op(binder, place, kind, type, args, count);
    return bound ? patterns_fold(binder, bound, ret) : BASE_E_NOMEM;
}

static int need_args(struct patterns_binder *binder, const struct patterns_expr *place, const char *name,
                     uint32_t count, uint32_t min, uint32_t max, const char *signature)
{
    if (count >= min && count <= max)
        return 0;
    const char *hint = base_arena_printf(binder->arena, "use %s", signature);
    return patterns_refuse(binder, place, "type-mismatch", hint, "%s cannot be called with %u argument%s", name, count,
                           count == 1 ? "" : "s");
}

static int bind_coalesce(struct patterns_binder *binder, const struct patterns_expr *place,
                         const struct patterns_bound **args, uint32_t count, const struct patterns_bound **ret)
{
    struct cep_type type;
    int error = need_args(binder, place, "COALESCE", count, 1, CEP_FUNC_ARGS_MAX, "COALESCE(value, ...)");
    if (!error)
        error = patterns_common_type(binder, place, "COALESCE", args, count, 1, &type);
    if (error)
        return error;
    if (count == 1) {
        *ret = args[0];
        return 0;
    }
    return op(binder, place, PATTERNS_BOUND_COALESCE, type, args, count, ret);
}

static int bind_if(struct patterns_binder *binder, const struct patterns_expr *place,
                   const struct patterns_bound **args, uint32_t count, const struct patterns_bound **ret)
{
    struct cep_type type;
    int error = need_args(binder, place, "IF", count, 3, 3, "IF(condition, then, else)");
    if (!error)
        error = patterns_coerce(binder, args[0], CEP_TYPE(BOOLEAN), "the condition of IF", &args[0]);
    if (!error)
        error = patterns_common_type(binder, place, "IF", args + 1, 2, 1, &type);
    return error ? error : op(binder, place, PATTERNS_BOUND_CASE, type, args, 3, ret);
}

/* NULLIF(a, b): CASE WHEN a = b THEN NULL ELSE a END. */
static int bind_nullif(struct patterns_binder *binder, const struct patterns_expr *place,
                       const struct patterns_bound **args, uint32_t count, const struct patterns_bound **ret)
{
    struct cep_type type;
    const struct patterns_bound *pair[2], *arms[3];
    int error = need_args(binder, place, "NULLIF", count, 2, 2, "NULLIF(value, value)");
    if (error)
        return error;
    if (!patterns_type_comparable(args[0]->type, args[1]->type, &type))
        return patterns_refuse(binder, place, "type-mismatch", "convert one of them with CAST(... AS ...)",
                               "NULLIF cannot compare %s with %s", patterns_type_text(binder, args[0]->type),
                               patterns_type_text(binder, args[1]->type));
    if (type.kind == CEP_KIND_NULL) {
        *ret = args[0];
        return 0;
    }
    for (uint32_t i = 0; i < 2; i++) {
        pair[i] = args[i]->type.kind == CEP_KIND_NULL ? patterns_bound_const(binder, place, type, cep_null())
                                                      : patterns_bound_cast(binder, args[i], type);
        if (!pair[i])
            return BASE_E_NOMEM;
        error = patterns_fold(binder, pair[i], &pair[i]);
        if (error)
            return error;
    }
    error = op(binder, place, PATTERNS_BOUND_EQ, CEP_TYPE(BOOLEAN), pair, 2, &arms[0]);
    struct cep_type result = args[0]->type.kind == CEP_KIND_NULL ? type : args[0]->type;
    arms[1] = patterns_bound_const(binder, place, result, cep_null());
    arms[2] = args[0]->type.kind == CEP_KIND_NULL ? arms[1] : args[0];
    return error ? error : op(binder, place, PATTERNS_BOUND_CASE, result, arms, 3, ret);
}

static int bind_param(struct patterns_binder *binder, const struct patterns_expr *place,
                      const struct patterns_bound **args, uint32_t count, const struct patterns_bound **ret)
{
    struct base_str text;
    int error = need_args(binder, place, "PARAM", count, 1, 1, "PARAM('name')");
    if (error)
        return error;
    if (args[0]->kind != PATTERNS_BOUND_CONST || args[0]->type.kind != CEP_KIND_STRING || args[0]->value.null)
        return patterns_refuse(binder, place, "type-mismatch", "write PARAM('name')",
                               "PARAM takes the name of an option as a text literal");
    struct base_str name = { args[0]->value.s.ptr, args[0]->value.s.len };
    if (!binder->param)
        return patterns_refuse(binder, place, "unknown-function",
                               "PARAM reads the options of the CREATE RULE around it",
                               "PARAM('%.*s') stands outside of a rule", (int)name.len, name.ptr);
    if (!binder->param(binder->param_ctx, name, &text))
        return patterns_refuse(binder, args[0]->source ? place : NULL, "bad-option",
                               base_arena_printf(binder->arena, "add '%.*s' = '...' to the rule's WITH", (int)name.len,
                                                 name.ptr),
                               "the rule has no option '%.*s'", (int)name.len, name.ptr);
    return patterns_bind_param_text(binder, place, text, ret);
}

/* CURRENT_TIMESTAMP and its relatives, without arguments. *ret NULL: not one of them. */
static int bind_clock(struct patterns_binder *binder, const struct patterns_expr *place,
                      const struct patterns_call *call, const struct patterns_bound **ret)
{
    struct cep_type ltz = CEP_TYPE(TIMESTAMP_LTZ), to = ltz;
    enum patterns_bound_kind kind = PATTERNS_BOUND_NOW;
    if (call->arg_count)
        return 0;
    if (is_name(call, "PROCTIME") || is_name(call, "CURRENT_ROW_TIMESTAMP") || is_name(call, "CURRENT_PROCTIME"))
        kind = PATTERNS_BOUND_PROC_TIME;
    else if (is_name(call, "LOCALTIMESTAMP"))
        to = CEP_TYPE(TIMESTAMP);
    else if (is_name(call, "CURRENT_DATE"))
        to = CEP_TYPE(DATE);
    else if (is_name(call, "CURRENT_TIME") || is_name(call, "LOCALTIME"))
        to = CEP_TYPE(TIME);
    else if (!is_name(call, "CURRENT_TIMESTAMP") && !is_name(call, "NOW"))
        return 0;
    const struct patterns_bound *now = patterns_bound_op(binder, place, kind, ltz, NULL, 0);
    *ret = now ? patterns_bound_cast(binder, now, to) : NULL;
    return *ret ? 0 : BASE_E_NOMEM;
}

/* ---- SQL's special forms ---- */

static const struct patterns_bound *unit_text(struct patterns_binder *binder, const struct patterns_expr *place,
                                              enum patterns_unit unit)
{
    const char *name = patterns_unit_name(unit);
    return patterns_bound_const(binder, place, CEP_TYPE(STRING), cep_string(name, strlen(name)));
}

static int with_unit(struct patterns_binder *binder, const struct patterns_expr *expr, const char *name, bool unit_last,
                     const struct patterns_bound **args, uint32_t count, const struct patterns_bound **ret)
{
    const struct patterns_bound *all[CEP_FUNC_ARGS_MAX];
    const struct patterns_bound *unit = unit_text(binder, expr, expr->call->unit);
    if (!unit)
        return BASE_E_NOMEM;
    if (count + 1 > CEP_FUNC_ARGS_MAX)
        return patterns_refuse(binder, expr, "limit", NULL, "too many arguments");
    for (uint32_t i = 0; i < count; i++)
        all[unit_last ? i : i + 1] = args[i];
    all[unit_last ? count : 0] = unit;
    return patterns_call_function(binder, expr, name, all, count + 1, ret);
}

static const char *trim_name(const struct patterns_call *call)
{
    if (call->trim == PATTERNS_TRIM_LEADING)
        return "LTRIM";
    return call->trim == PATTERNS_TRIM_TRAILING ? "RTRIM" : "BTRIM";
}

static int bind_form(struct patterns_binder *binder, const struct patterns_expr *expr,
                     const struct patterns_bound **args, const struct patterns_bound **ret)
{
    const struct patterns_call *call = expr->call;
    uint32_t n = call->arg_count;
    switch (call->syntax) {
    case PATTERNS_CALL_EXTRACT: return with_unit(binder, expr, "EXTRACT", false, args, n, ret);
    case PATTERNS_CALL_TO_UNIT:
        return with_unit(binder, expr, is_name(call, "FLOOR") ? "FLOOR_TIME" : "CEIL_TIME", true, args, n, ret);
    case PATTERNS_CALL_UNIT_ARG:
        return with_unit(binder, expr, is_name(call, "TIMESTAMPADD") ? "TIMESTAMPADD" : "TIMESTAMPDIFF", false, args, n,
                         ret);
    case PATTERNS_CALL_POSITION: return patterns_call_function(binder, expr, "POSITION", args, n, ret);
    case PATTERNS_CALL_SUBSTRING: return patterns_call_function(binder, expr, "SUBSTRING", args, n, ret);
    case PATTERNS_CALL_TRIM: return patterns_call_function(binder, expr, trim_name(call), args, n, ret);
    case PATTERNS_CALL_OVERLAY: return patterns_call_function(binder, expr, "OVERLAY", args, n, ret);
    case PATTERNS_CALL_PLAIN:
    case PATTERNS_CALL_BARE: break;
    }
    if (is_name(call, "COALESCE"))
        return bind_coalesce(binder, expr, args, n, ret);
    if (is_name(call, "IFNULL") || is_name(call, "NVL")) {
        int error = need_args(binder, expr, "IFNULL", n, 2, 2, "IFNULL(value, otherwise)");
        return error ? error : bind_coalesce(binder, expr, args, n, ret);
    }
    if (is_name(call, "IF"))
        return bind_if(binder, expr, args, n, ret);
    if (is_name(call, "NULLIF"))
        return bind_nullif(binder, expr, args, n, ret);
    if (is_name(call, "PARAM"))
        return bind_param(binder, expr, args, n, ret);
    if (is_name(call, "TRIM") && n == 1)
        return patterns_call_function(binder, expr, "BTRIM", args, n, ret);
    const char *name = base_arena_strndup(binder->arena, call->name.text.ptr, call->name.text.len);
    return name ? patterns_call_function(binder, expr, name, args, n, ret) : BASE_E_NOMEM;
}

/* Calls that can be no scalar function where they stand. */
static int refuse_misplaced(struct patterns_binder *binder, const struct patterns_scope *scope,
                            const struct patterns_expr *expr)
{
    const struct patterns_call *call = expr->call;
    struct base_str name = call->name.text;
    const char *where = scope->where ? scope->where : "here";
    if (call->over)
        return patterns_refuse(binder, expr, "not-supported", NULL, "window functions (OVER) are not supported in %s",
                               where);
    if (call->mode != PATTERNS_MODE_NONE || is_pattern_function(name))
        return patterns_refuse(binder, expr, "not-supported", "it belongs into MEASURES or DEFINE of MATCH_RECOGNIZE",
                               "\"%.*s\" has no meaning in %s", (int)name.len, name.ptr, where);
    if (patterns_is_aggregate(name))
        return patterns_refuse(binder, expr, "not-supported",
                               strcmp(where, "WHERE") == 0 ? "a condition on aggregates belongs into HAVING" : patterns_hint_function(name),
                               "aggregate \"%.*s\" cannot stand in %s", (int)name.len, name.ptr, where);
    if (call->distinct || call->filter || call->within_count || call->nulls != PATTERNS_CALL_NULLS_NONE)
        return patterns_refuse(
            binder, expr, "type-mismatch", NULL,
            "\"%.*s\" is no aggregate: DISTINCT, FILTER, WITHIN GROUP and IGNORE NULLS do not go with it",
            (int)name.len, name.ptr);
    if (call->arg_names)
        return patterns_refuse(binder, expr, "not-supported", "give the arguments in order",
                               "\"%.*s\" takes no named arguments", (int)name.len, name.ptr);
    return 0;
}

int patterns_bind_call(struct patterns_binder *binder, const struct patterns_scope *scope,
                       const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_call *call = expr->call;
    *ret = NULL;
    int error = refuse_misplaced(binder, scope, expr);
    if (!error)
        error = bind_clock(binder, expr, call, ret);
    if (error || *ret)
        return error;
    const struct patterns_bound **args =
        base_arena_zalloc(binder->arena, call->arg_count ? call->arg_count : 1, sizeof *args);
    if (!args)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < call->arg_count; i++) {
        int arg_error = patterns_bind_expr(binder, scope, call->args[i], &args[i]);
        if (arg_error == BASE_E_NOMEM)
            return arg_error;
        error = error ? error : arg_error;
    }
    return error ? error : bind_form(binder, expr, args, ret);
}
