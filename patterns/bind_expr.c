#include "patterns/bind_expr.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "patterns/ast.h"
#include "patterns/bind_call.h"
#include "patterns/bind_subquery.h"
#include "patterns/fold.h"
#include "patterns/hints.h"
#include "patterns/literal.h"
#include "patterns/types.h"

#define DEPTH_MAX (PATTERNS_MAX_DEPTH * 2)

/* ---- diagnostics ---- */

static void add_diag(struct patterns_binder *binder, enum base_severity severity, const struct base_source *source,
                     uint32_t begin, uint32_t end, const char *code, const char *hint, const char *format, va_list args)
{
    char text[512];
    vsnprintf(text, sizeof text, format, args);
    base_diag_add(binder->diags, severity, code, source, begin, end, hint, "%s", text);
}

int patterns_refuse(struct patterns_binder *binder, const struct patterns_expr *place, const char *code,
                    const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_diag(binder, BASE_SEVERITY_ERROR, place ? place->source : NULL, place ? place->begin : 0,
             place ? place->end : 0, code, hint, format, args);
    va_end(args);
    return binder->arena->failed ? BASE_E_NOMEM : BASE_E_SYNTAX;
}

int patterns_refuse_at(struct patterns_binder *binder, const struct base_source *source, uint32_t begin, uint32_t end,
                       const char *code, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_diag(binder, BASE_SEVERITY_ERROR, source, begin, end, code, hint, format, args);
    va_end(args);
    return binder->arena->failed ? BASE_E_NOMEM : BASE_E_SYNTAX;
}

void patterns_warn_at(struct patterns_binder *binder, enum base_severity severity, const struct base_source *source,
                      uint32_t begin, uint32_t end, const char *code, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_diag(binder, severity, source, begin, end, code, hint, format, args);
    va_end(args);
}

const char *patterns_type_text(struct patterns_binder *binder, struct cep_type type)
{
    struct base_buf buf = { 0 };
    cep_type_print(type, &buf);
    const char *text = buf.failed || !buf.ptr ? NULL : base_arena_strndup(binder->arena, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return text ? text : "?";
}

static int refuse_types(struct patterns_binder *binder, const struct patterns_expr *place, const char *op,
                        struct cep_type a, struct cep_type b)
{
    const char *hint = "convert one side with CAST(... AS ...)";
    bool text_and_number = (a.kind == CEP_KIND_STRING && cep_kind_is_number(b.kind)) ||
                           (b.kind == CEP_KIND_STRING && cep_kind_is_number(a.kind));
    bool time_and_number = ((cep_kind_is_time(a.kind) || a.kind == CEP_KIND_INTERVAL_DAY) && cep_kind_is_number(b.kind)) ||
                           ((cep_kind_is_time(b.kind) || b.kind == CEP_KIND_INTERVAL_DAY) && cep_kind_is_number(a.kind));
    if (time_and_number)
        hint = "a duration is written INTERVAL '60' SECOND; TIMESTAMPDIFF(SECOND, a, b) makes a number of two times";
    else if (text_and_number)
        hint = base_arena_printf(binder->arena, "write CAST(... AS %s) around the text",
                                 patterns_type_text(binder, a.kind == CEP_KIND_STRING ? b : a));
    return patterns_refuse(binder, place, "type-mismatch", hint, "%s cannot stand between %s and %s", op,
                           patterns_type_text(binder, a), patterns_type_text(binder, b));
}

/* ---- making nodes ---- */

static int done(const struct patterns_bound *bound, const struct patterns_bound **ret)
{
    *ret = bound;
    return bound ? 0 : BASE_E_NOMEM;
}

static int fold_op(struct patterns_binder *binder, const struct patterns_expr *place, enum patterns_bound_kind kind,
                   struct cep_type type, const struct patterns_bound *const *args, uint32_t count,
                   const struct patterns_bound **ret)
{
    const struct patterns_bound *op = patterns_bound_op(binder, place, kind, type, args, count);
    *ret = NULL;
    return op ? patterns_fold(binder, op, ret) : BASE_E_NOMEM;
}

/* Cast that the rules of an operator ask for. A text literal that does not fit is told where it stands. */
static int cast_to(struct patterns_binder *binder, const struct patterns_bound *bound, struct cep_type to,
                   const struct patterns_bound **ret)
{
    if (cep_type_equal(bound->type, to))
        return done(bound, ret);
    if (bound->kind == PATTERNS_BOUND_CONST && bound->value.null)
        return done(patterns_bound_relabel(binder, bound, cep_null(), to), ret);
    const struct patterns_bound *cast = patterns_bound_cast(binder, bound, to);
    if (!cast)
        return BASE_E_NOMEM;
    if (bound->kind == PATTERNS_BOUND_CONST && bound->type.kind == CEP_KIND_STRING) {
        struct cep_value value;
        int error = patterns_fold_value(binder, cast, &value);
        if (error == BASE_E_NOMEM)
            return error;
        if (error)
            return patterns_refuse_at(binder, bound->source, bound->begin, bound->end, "bad-literal", NULL,
                                      "\"%.*s\" is no %s", (int)bound->value.s.len, bound->value.s.ptr,
                                      patterns_type_text(binder, to));
    }
    return patterns_fold(binder, cast, ret);
}

int patterns_coerce(struct patterns_binder *binder, const struct patterns_bound *bound, struct cep_type to,
                    const char *what, const struct patterns_bound **ret)
{
    struct cep_type from = bound->type, common;
    bool text_to_time = from.kind == CEP_KIND_STRING && bound->kind == PATTERNS_BOUND_CONST &&
                        patterns_type_comparable(from, to, &common);
    bool decimals = from.kind == CEP_KIND_DECIMAL && to.kind == CEP_KIND_DECIMAL;
    bool times = cep_kind_is_time(from.kind) && cep_kind_is_time(to.kind);
    if (cep_type_equal(from, to) || from.kind == CEP_KIND_NULL || cep_cast_exists(from, to, true) || text_to_time ||
        decimals || times)
        return cast_to(binder, bound, to, ret);
    const char *wanted = patterns_type_text(binder, to);
    return patterns_refuse_at(binder, bound->source, bound->begin, bound->end, "type-mismatch",
                              cep_cast_exists(from, to, false)
                                  ? base_arena_printf(binder->arena, "write CAST(... AS %s)", wanted)
                                  : NULL,
                              "%s must be %s, this is %s", what, wanted, patterns_type_text(binder, from));
}

/* ---- names ---- */

static const char *unknown_hint(struct patterns_binder *binder, const struct patterns_scope *scope,
                                const struct patterns_ident *part)
{
    return patterns_hint_column(binder->arena, scope->relation, part);
}

static int bind_name(struct patterns_binder *binder, const struct patterns_scope *scope,
                     const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    uint32_t n = expr->name.count, column = 0;
    struct patterns_name_part *parts = base_arena_zalloc(binder->arena, n, sizeof *parts);
    if (!parts)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        parts[i] = (struct patterns_name_part){ expr->name.parts[i].text, expr->name.parts[i].quoted };
    *ret = NULL;
    if (scope->name) {
        int error = scope->name(scope->ctx, binder, expr, parts, n, ret);
        if (error || *ret)
            return error;
    }
    const struct patterns_ident *last = &expr->name.parts[n - 1];
    if (!scope->relation)
        return patterns_refuse(binder, expr, "unknown-column",
                               last->quoted ? "a text literal stands in single quotes" : NULL,
                               "no column can be named here, only constants");
    switch (patterns_relation_find(scope->relation, parts, n, &column)) {
    case PATTERNS_FOUND: return done(patterns_bound_column(binder, expr, scope->relation, column), ret);
    case PATTERNS_FOUND_MANY:
        return patterns_refuse(binder, expr, "ambiguous-column", "put the table's name before it: t.column",
                               "column \"%.*s\" is ambiguous", (int)last->text.len, last->text.ptr);
    case PATTERNS_FOUND_NONE: break;
    }
    /* `t.c`: is t known at all? Then c is what is wrong. */
    const struct patterns_ident *wrong = &expr->name.parts[0];
    for (uint32_t i = 0; i < scope->relation->count && n > 1; i++) {
        const struct patterns_column *c = &scope->relation->columns[i];
        if (patterns_name_equal(c->qualifier, false, parts[0].text, parts[0].quoted) ||
            (!c->hidden && patterns_name_equal(c->name, c->quoted, parts[0].text, parts[0].quoted)))
            wrong = &expr->name.parts[1];
    }
    if (n > 1 && wrong == &expr->name.parts[0])
        return patterns_refuse_at(binder, expr->source, wrong->begin, wrong->end, "unknown-table",
                                  unknown_hint(binder, scope, last), "unknown table or column \"%.*s\"",
                                  (int)wrong->text.len, wrong->text.ptr);
    return patterns_refuse_at(binder, expr->source, wrong->begin, wrong->end, "unknown-column",
                              unknown_hint(binder, scope, wrong), "unknown column \"%.*s\"", (int)wrong->text.len,
                              wrong->text.ptr);
}

/* ---- comparison ---- */

static int compare(struct patterns_binder *binder, const struct patterns_expr *place, enum patterns_bound_kind kind,
                   const char *op, const struct patterns_bound *a, const struct patterns_bound *b,
                   const struct patterns_bound **ret)
{
    struct cep_type type;
    const struct patterns_bound *args[2];
    if (!patterns_type_comparable(a->type, b->type, &type))
        return refuse_types(binder, place, op, a->type, b->type);
    if (type.kind == CEP_KIND_NULL)
        type = CEP_TYPE(BOOLEAN);
    bool ordered = kind != PATTERNS_BOUND_EQ && kind != PATTERNS_BOUND_NE && kind != PATTERNS_BOUND_SAME;
    if (ordered && type.kind == CEP_KIND_ARRAY)
        return patterns_refuse(binder, place, "type-mismatch", "arrays compare with = and <> only",
                               "%s does not order arrays", op);
    int error = cast_to(binder, a, type, &args[0]);
    if (!error)
        error = cast_to(binder, b, type, &args[1]);
    return error ? error : fold_op(binder, place, kind, CEP_TYPE(BOOLEAN), args, 2, ret);
}

/* Casts all to the type that they compare in. */
static int common_compare(struct patterns_binder *binder, const struct patterns_expr *place, const char *op,
                          const struct patterns_bound **args, uint32_t count)
{
    struct cep_type type = args[0]->type;
    for (uint32_t i = 1; i < count; i++)
        if (!patterns_type_comparable(type, args[i]->type, &type))
            return refuse_types(binder, place, op, type, args[i]->type);
    if (type.kind == CEP_KIND_NULL)
        type = CEP_TYPE(BOOLEAN);
    for (uint32_t i = 0; i < count; i++) {
        int error = cast_to(binder, args[i], type, &args[i]);
        if (error)
            return error;
    }
    return 0;
}

static int negate(struct patterns_binder *binder, const struct patterns_expr *place, bool negated,
                  const struct patterns_bound **ret)
{
    const struct patterns_bound *inner = *ret;
    return negated ? fold_op(binder, place, PATTERNS_BOUND_NOT, CEP_TYPE(BOOLEAN), &inner, 1, ret) : 0;
}

static int bind_args(struct patterns_binder *binder, const struct patterns_scope *scope,
                     const struct patterns_expr *expr, const struct patterns_bound ***ret)
{
    const struct patterns_bound **args =
        base_arena_zalloc(binder->arena, expr->arg_count ? expr->arg_count : 1, sizeof *args);
    if (!args)
        return BASE_E_NOMEM;
    int first = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) { /* all of them, so that one run tells all errors */
        int error = patterns_bind_expr(binder, scope, expr->args[i], &args[i]);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
    }
    *ret = args;
    return first;
}

static int bind_between(struct patterns_binder *binder, const struct patterns_scope *scope,
                        const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_bound **args;
    int error = bind_args(binder, scope, expr, &args);
    if (!error)
        error = common_compare(binder, expr, "BETWEEN", args, 3);
    if (!error && (args[0]->type.kind == CEP_KIND_ARRAY))
        return patterns_refuse(binder, expr, "type-mismatch", NULL, "BETWEEN does not order arrays");
    if (!error)
        error = fold_op(binder, expr, PATTERNS_BOUND_BETWEEN, CEP_TYPE(BOOLEAN), args, 3, ret);
    if (!error && expr->symmetric) {
        const struct patterns_bound *turned[3] = { args[0], args[2], args[1] }, *both[2] = { *ret, NULL };
        error = fold_op(binder, expr, PATTERNS_BOUND_BETWEEN, CEP_TYPE(BOOLEAN), turned, 3, &both[1]);
        if (!error)
            error = fold_op(binder, expr, PATTERNS_BOUND_OR, CEP_TYPE(BOOLEAN), both, 2, ret);
    }
    return error ? error : negate(binder, expr, expr->negated, ret);
}

static int bind_in(struct patterns_binder *binder, const struct patterns_scope *scope, const struct patterns_expr *expr,
                   const struct patterns_bound **ret)
{
    const struct patterns_bound **args;
    int error = bind_args(binder, scope, expr, &args);
    if (!error)
        error = common_compare(binder, expr, "IN", args, expr->arg_count);
    if (!error)
        error = fold_op(binder, expr, PATTERNS_BOUND_IN, CEP_TYPE(BOOLEAN), args, expr->arg_count, ret);
    return error ? error : negate(binder, expr, expr->negated, ret);
}

static int bind_like(struct patterns_binder *binder, const struct patterns_scope *scope,
                     const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_bound **args;
    int error = bind_args(binder, scope, expr, &args);
    if (!error)
        error = patterns_call_function(binder, expr, expr->kind == PATTERNS_EXPR_LIKE ? "LIKE" : "SIMILAR", args,
                                       expr->arg_count, ret);
    return error ? error : negate(binder, expr, expr->negated, ret);
}

/* ---- arithmetic ---- */

static const char *arith_text(enum patterns_bound_kind kind)
{
    return kind == PATTERNS_BOUND_ADD   ? "+"
           : kind == PATTERNS_BOUND_SUB ? "-"
           : kind == PATTERNS_BOUND_MUL ? "*"
           : kind == PATTERNS_BOUND_DIV ? "/"
                                        : "%";
}

static int arith_numbers(struct patterns_binder *binder, const struct patterns_expr *place,
                         enum patterns_bound_kind kind, const struct patterns_bound *a, const struct patterns_bound *b,
                         const struct patterns_bound **ret)
{
    struct cep_type type, wa, wb;
    const struct patterns_bound *args[2];
    if (a->type.kind == CEP_KIND_DOUBLE || b->type.kind == CEP_KIND_DOUBLE) {
        type = wa = wb = CEP_TYPE(DOUBLE);
    } else if (a->type.kind == CEP_KIND_DECIMAL || b->type.kind == CEP_KIND_DECIMAL) {
        wa = patterns_type_as_decimal(a->type);
        wb = patterns_type_as_decimal(b->type);
        type = cep_decimal_result(arith_text(kind)[0], wa, wb);
    } else {
        type = wa = wb =
            a->type.kind == CEP_KIND_BIGINT || b->type.kind == CEP_KIND_BIGINT ? CEP_TYPE(BIGINT) : CEP_TYPE(INT);
    }
    int error = cast_to(binder, a, wa, &args[0]);
    if (!error)
        error = cast_to(binder, b, wb, &args[1]);
    return error ? error : fold_op(binder, place, kind, type, args, 2, ret);
}

/* time +- interval. A DATE stays a DATE: it goes through TIMESTAMP and back. */
static int shift_time(struct patterns_binder *binder, const struct patterns_expr *place, enum patterns_bound_kind kind,
                      const struct patterns_bound *time, const struct patterns_bound *interval,
                      const struct patterns_bound **ret)
{
    const struct patterns_bound *args[2] = { time, interval };
    struct cep_type type = time->type;
    int error = 0;
    if (interval->type.kind == CEP_KIND_INTERVAL_MONTH) {
        if (type.kind == CEP_KIND_TIME)
            return refuse_types(binder, place, arith_text(kind), time->type, interval->type);
        if (kind == PATTERNS_BOUND_SUB)
            error = fold_op(binder, place, PATTERNS_BOUND_NEG, interval->type, &interval, 1, &args[1]);
        return error ? error : fold_op(binder, place, PATTERNS_BOUND_ADD_MONTHS, type, args, 2, ret);
    }
    if (type.kind == CEP_KIND_DATE) {
        error = cast_to(binder, time, CEP_TYPE(TIMESTAMP), &args[0]);
        if (!error)
            error = fold_op(binder, place, kind, CEP_TYPE(TIMESTAMP), args, 2, ret);
        return error ? error : cast_to(binder, *ret, type, ret);
    }
    return fold_op(binder, place, kind, type, args, 2, ret);
}

static int subtract_times(struct patterns_binder *binder, const struct patterns_expr *place,
                          const struct patterns_bound *a, const struct patterns_bound *b,
                          const struct patterns_bound **ret)
{
    struct cep_type type;
    const struct patterns_bound *args[2];
    if (!patterns_type_comparable(a->type, b->type, &type) || type.kind == CEP_KIND_STRING)
        return refuse_types(binder, place, "-", a->type, b->type);
    if (type.kind == CEP_KIND_DATE)
        type = CEP_TYPE(TIMESTAMP);
    patterns_warn_at(binder, BASE_SEVERITY_NOTE, place->source, place->begin, place->end, "portability", NULL,
                     "in Flink SQL: the difference of two times is TIMESTAMPDIFF(unit, b, a)");
    int error = cast_to(binder, a, type, &args[0]);
    if (!error)
        error = cast_to(binder, b, type, &args[1]);
    return error ? error : fold_op(binder, place, PATTERNS_BOUND_SUB, CEP_TYPE(INTERVAL_DAY), args, 2, ret);
}

static bool is_moment(struct cep_type type)
{
    return cep_kind_is_time(type.kind) || type.kind == CEP_KIND_DATE || type.kind == CEP_KIND_TIME;
}

static int arith(struct patterns_binder *binder, const struct patterns_expr *place, enum patterns_bound_kind kind,
                 const struct patterns_bound *a, const struct patterns_bound *b, const struct patterns_bound **ret)
{
    int error = 0;
    bool additive = kind == PATTERNS_BOUND_ADD || kind == PATTERNS_BOUND_SUB;
    if (a->type.kind == CEP_KIND_NULL && b->type.kind == CEP_KIND_NULL)
        error = cast_to(binder, a, CEP_TYPE(INT), &a);
    if (!error && a->type.kind == CEP_KIND_NULL)
        error = cast_to(binder, a, is_moment(b->type) ? CEP_TYPE(INTERVAL_DAY) : b->type, &a);
    if (!error && b->type.kind == CEP_KIND_NULL)
        error = cast_to(binder, b, is_moment(a->type) ? CEP_TYPE(INTERVAL_DAY) : a->type, &b);
    if (error)
        return error;
    struct cep_type x = a->type, y = b->type;
    if (cep_kind_is_number(x.kind) && cep_kind_is_number(y.kind))
        return arith_numbers(binder, place, kind, a, b, ret);
    if (is_moment(x) && patterns_type_is_interval(y) && additive)
        return shift_time(binder, place, kind, a, b, ret);
    if (patterns_type_is_interval(x) && is_moment(y) && kind == PATTERNS_BOUND_ADD)
        return shift_time(binder, place, kind, b, a, ret);
    if (is_moment(x) && is_moment(y) && kind == PATTERNS_BOUND_SUB)
        return subtract_times(binder, place, a, b, ret);
    const struct patterns_bound *args[2] = { a, b };
    if (patterns_type_is_interval(x) && x.kind == y.kind && additive)
        return fold_op(binder, place, kind, x, args, 2, ret);
    bool scaled = patterns_type_is_interval(x) && patterns_type_is_integer(y) &&
                  (kind == PATTERNS_BOUND_MUL || kind == PATTERNS_BOUND_DIV);
    bool turned = patterns_type_is_integer(x) && patterns_type_is_interval(y) && kind == PATTERNS_BOUND_MUL;
    if (scaled || turned)
        return fold_op(binder, place, kind, scaled ? x : y, args, 2, ret);
    if (x.kind == CEP_KIND_STRING && y.kind == CEP_KIND_STRING && kind == PATTERNS_BOUND_ADD)
        return patterns_refuse(binder, place, "type-mismatch", "texts are joined with ||", "+ does not join texts");
    return refuse_types(binder, place, arith_text(kind), x, y);
}

static int bind_concat(struct patterns_binder *binder, const struct patterns_expr *place,
                       const struct patterns_bound **args, uint32_t count, const struct patterns_bound **ret)
{
    const struct patterns_bound *so_far = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct patterns_bound *text;
        if (args[i]->type.kind == CEP_KIND_ROW ||
            !(args[i]->type.kind == CEP_KIND_NULL || args[i]->type.kind == CEP_KIND_STRING ||
              cep_cast_exists(args[i]->type, CEP_TYPE(STRING), false)))
            return refuse_types(binder, place, "||", CEP_TYPE(STRING), args[i]->type);
        int error = cast_to(binder, args[i], CEP_TYPE(STRING), &text);
        if (!error && so_far) {
            const struct patterns_bound *pair[2] = { so_far, text };
            error = fold_op(binder, place, PATTERNS_BOUND_CONCAT, CEP_TYPE(STRING), pair, 2, &text);
        }
        if (error)
            return error;
        so_far = text;
    }
    *ret = so_far;
    return 0;
}

/* ---- logic ---- */

static int need_boolean(struct patterns_binder *binder, const struct patterns_bound *bound, const char *what,
                        const struct patterns_bound **ret)
{
    if (bound->type.kind == CEP_KIND_BOOLEAN || bound->type.kind == CEP_KIND_NULL)
        return cast_to(binder, bound, CEP_TYPE(BOOLEAN), ret);
    return patterns_refuse_at(binder, bound->source, bound->begin, bound->end, "type-mismatch",
                              "compare it with something: x = ..., x > 0", "%s must be BOOLEAN, this is %s", what,
                              patterns_type_text(binder, bound->type));
}

static int bind_logic(struct patterns_binder *binder, const struct patterns_expr *expr,
                      const struct patterns_bound **args, const struct patterns_bound **ret)
{
    bool is_and = expr->op == PATTERNS_OP_AND;
    int first = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        int error = need_boolean(binder, args[i], is_and ? "a part of AND" : "a part of OR", &args[i]);
        first = first ? first : error;
    }
    if (first)
        return first;
    return fold_op(binder, expr, is_and ? PATTERNS_BOUND_AND : PATTERNS_BOUND_OR, CEP_TYPE(BOOLEAN), args,
                   expr->arg_count, ret);
}

static int bind_binary(struct patterns_binder *binder, const struct patterns_scope *scope,
                       const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_bound **args;
    int error = bind_args(binder, scope, expr, &args);
    if (error)
        return error;
    const char *text = patterns_op_text(expr->op);
    switch (expr->op) {
    case PATTERNS_OP_AND:
    case PATTERNS_OP_OR: return bind_logic(binder, expr, args, ret);
    case PATTERNS_OP_CONCAT: return bind_concat(binder, expr, args, expr->arg_count, ret);
    case PATTERNS_OP_EQ: return compare(binder, expr, PATTERNS_BOUND_EQ, text, args[0], args[1], ret);
    case PATTERNS_OP_NE: return compare(binder, expr, PATTERNS_BOUND_NE, text, args[0], args[1], ret);
    case PATTERNS_OP_LT: return compare(binder, expr, PATTERNS_BOUND_LT, text, args[0], args[1], ret);
    case PATTERNS_OP_LE: return compare(binder, expr, PATTERNS_BOUND_LE, text, args[0], args[1], ret);
    case PATTERNS_OP_GT: return compare(binder, expr, PATTERNS_BOUND_GT, text, args[0], args[1], ret);
    case PATTERNS_OP_GE: return compare(binder, expr, PATTERNS_BOUND_GE, text, args[0], args[1], ret);
    case PATTERNS_OP_IS_NOT_DISTINCT: return compare(binder, expr, PATTERNS_BOUND_SAME, text, args[0], args[1], ret);
    case PATTERNS_OP_IS_DISTINCT:
        error = compare(binder, expr, PATTERNS_BOUND_SAME, text, args[0], args[1], ret);
        return error ? error : negate(binder, expr, true, ret);
    case PATTERNS_OP_ADD: return arith(binder, expr, PATTERNS_BOUND_ADD, args[0], args[1], ret);
    case PATTERNS_OP_SUB: return arith(binder, expr, PATTERNS_BOUND_SUB, args[0], args[1], ret);
    case PATTERNS_OP_MUL: return arith(binder, expr, PATTERNS_BOUND_MUL, args[0], args[1], ret);
    case PATTERNS_OP_DIV: return arith(binder, expr, PATTERNS_BOUND_DIV, args[0], args[1], ret);
    case PATTERNS_OP_MOD: return arith(binder, expr, PATTERNS_BOUND_MOD, args[0], args[1], ret);
    case PATTERNS_OP_NEG:
    case PATTERNS_OP_PLUS:
    case PATTERNS_OP_NOT:
    case PATTERNS_OP_IS_NULL:
    case PATTERNS_OP_IS_NOT_NULL:
    case PATTERNS_OP_IS_TRUE:
    case PATTERNS_OP_IS_NOT_TRUE:
    case PATTERNS_OP_IS_FALSE:
    case PATTERNS_OP_IS_NOT_FALSE:
    case PATTERNS_OP_IS_UNKNOWN:
    case PATTERNS_OP_IS_NOT_UNKNOWN: break;
    }
    return BASE_E_INVALID;
}

static int truth_test(struct patterns_binder *binder, const struct patterns_expr *expr, enum patterns_bound_kind kind,
                      bool negated, const struct patterns_bound *arg, const struct patterns_bound **ret)
{
    int error = need_boolean(binder, arg, "the operand of IS TRUE, FALSE, UNKNOWN", &arg);
    if (!error)
        error = fold_op(binder, expr, kind, CEP_TYPE(BOOLEAN), &arg, 1, ret);
    return error ? error : negate(binder, expr, negated, ret);
}

static int bind_sign(struct patterns_binder *binder, const struct patterns_expr *expr, const struct patterns_bound *arg,
                     const struct patterns_bound **ret)
{
    bool is_null = arg->type.kind == CEP_KIND_NULL;
    if (!is_null && !cep_kind_is_number(arg->type.kind) && !patterns_type_is_interval(arg->type))
        return patterns_refuse(binder, expr, "type-mismatch", NULL,
                               "a sign stands before numbers and intervals, not before %s",
                               patterns_type_text(binder, arg->type));
    if (expr->op == PATTERNS_OP_PLUS || is_null)
        return done(arg, ret);
    /* -2147483648 is an INT although 2147483648 alone is none. */
    if (arg->kind == PATTERNS_BOUND_CONST && arg->type.kind == CEP_KIND_BIGINT && arg->value.i == -(int64_t)INT32_MIN)
        return done(patterns_bound_const(binder, expr, CEP_TYPE(INT), cep_int(INT32_MIN)), ret);
    return fold_op(binder, expr, PATTERNS_BOUND_NEG, arg->type, &arg, 1, ret);
}

static int bind_unary(struct patterns_binder *binder, const struct patterns_scope *scope,
                      const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_bound *arg;
    int error = patterns_bind_expr(binder, scope, expr->args[0], &arg);
    if (error)
        return error;
    switch (expr->op) {
    case PATTERNS_OP_NEG:
    case PATTERNS_OP_PLUS: return bind_sign(binder, expr, arg, ret);
    case PATTERNS_OP_NOT:
        error = need_boolean(binder, arg, "the operand of NOT", &arg);
        return error ? error : fold_op(binder, expr, PATTERNS_BOUND_NOT, CEP_TYPE(BOOLEAN), &arg, 1, ret);
    case PATTERNS_OP_IS_NULL: return fold_op(binder, expr, PATTERNS_BOUND_IS_NULL, CEP_TYPE(BOOLEAN), &arg, 1, ret);
    case PATTERNS_OP_IS_NOT_NULL:
        return fold_op(binder, expr, PATTERNS_BOUND_IS_NOT_NULL, CEP_TYPE(BOOLEAN), &arg, 1, ret);
    case PATTERNS_OP_IS_TRUE: return truth_test(binder, expr, PATTERNS_BOUND_IS_TRUE, false, arg, ret);
    case PATTERNS_OP_IS_NOT_TRUE: return truth_test(binder, expr, PATTERNS_BOUND_IS_TRUE, true, arg, ret);
    case PATTERNS_OP_IS_FALSE: return truth_test(binder, expr, PATTERNS_BOUND_IS_FALSE, false, arg, ret);
    case PATTERNS_OP_IS_NOT_FALSE: return truth_test(binder, expr, PATTERNS_BOUND_IS_FALSE, true, arg, ret);
    case PATTERNS_OP_IS_UNKNOWN: return truth_test(binder, expr, PATTERNS_BOUND_IS_NULL, false, arg, ret);
    case PATTERNS_OP_IS_NOT_UNKNOWN: return truth_test(binder, expr, PATTERNS_BOUND_IS_NOT_NULL, false, arg, ret);
    case PATTERNS_OP_OR:
    case PATTERNS_OP_AND:
    case PATTERNS_OP_EQ:
    case PATTERNS_OP_NE:
    case PATTERNS_OP_LT:
    case PATTERNS_OP_LE:
    case PATTERNS_OP_GT:
    case PATTERNS_OP_GE:
    case PATTERNS_OP_IS_DISTINCT:
    case PATTERNS_OP_IS_NOT_DISTINCT:
    case PATTERNS_OP_CONCAT:
    case PATTERNS_OP_ADD:
    case PATTERNS_OP_SUB:
    case PATTERNS_OP_MUL:
    case PATTERNS_OP_DIV:
    case PATTERNS_OP_MOD: break;
    }
    return BASE_E_INVALID;
}

/* ---- CASE, CAST, arrays ---- */

int patterns_common_type(struct patterns_binder *binder, const struct patterns_expr *place, const char *what,
                         const struct patterns_bound **args, uint32_t count, uint32_t step, struct cep_type *ret)
{
    struct cep_type type = args[0]->type;
    for (uint32_t i = step; i < count; i += step) {
        struct cep_type other = args[i]->type;
        if (type.kind == CEP_KIND_NULL)
            type = other;
        else if (other.kind != CEP_KIND_NULL && !cep_type_equal(type, other) && !cep_type_common(type, other, &type))
            return patterns_refuse(binder, place, "type-mismatch", "convert them to one type with CAST(... AS ...)",
                                   "%s has results of %s and %s, which have no common type", what,
                                   patterns_type_text(binder, type), patterns_type_text(binder, other));
    }
    for (uint32_t i = 0; i < count; i += step) {
        int error = cast_to(binder, args[i], type, &args[i]);
        if (error)
            return error;
    }
    *ret = type;
    return 0;
}

static int bind_case(struct patterns_binder *binder, const struct patterns_scope *scope,
                     const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_case *c = expr->case_when;
    uint32_t n = c->when_count;
    const struct patterns_bound *operand = NULL;
    const struct patterns_bound **args = base_arena_zalloc(binder->arena, 2 * (size_t)n + 1, sizeof *args);
    const struct patterns_bound **values = base_arena_zalloc(binder->arena, (size_t)n + 1, sizeof *values);
    if (!args || !values)
        return BASE_E_NOMEM;
    int error = c->operand ? patterns_bind_expr(binder, scope, c->operand, &operand) : 0;
    for (uint32_t i = 0; i < n && !error; i++) {
        error = patterns_bind_expr(binder, scope, c->whens[i].condition, &args[2 * i]);
        if (!error && operand)
            error = compare(binder, c->whens[i].condition, PATTERNS_BOUND_EQ, "=", operand, args[2 * i], &args[2 * i]);
        else if (!error)
            error = need_boolean(binder, args[2 * i], "the condition behind WHEN", &args[2 * i]);
        if (!error)
            error = patterns_bind_expr(binder, scope, c->whens[i].result, &values[i]);
    }
    if (error)
        return error;
    if (c->otherwise)
        error = patterns_bind_expr(binder, scope, c->otherwise, &values[n]);
    else if (!(values[n] = patterns_bound_const(binder, expr, CEP_TYPE(NULL), cep_null())))
        error = BASE_E_NOMEM;
    struct cep_type type;
    if (!error)
        error = patterns_common_type(binder, expr, "CASE", values, n + 1, 1, &type);
    if (error)
        return error;
    for (uint32_t i = 0; i < n; i++)
        args[2 * i + 1] = values[i];
    args[2 * n] = values[n];
    return fold_op(binder, expr, PATTERNS_BOUND_CASE, type, args, 2 * n + 1, ret);
}

static int bind_cast(struct patterns_binder *binder, const struct patterns_scope *scope,
                     const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    struct cep_type to;
    const struct patterns_bound *arg;
    int error = patterns_bind_expr(binder, scope, expr->args[0], &arg);
    int type_error = patterns_type_resolve(binder, expr->type, &to);
    if (error || type_error)
        return error ? error : type_error;
    if (arg->type.kind == CEP_KIND_NULL)
        return cast_to(binder, arg, to, ret);
    if (!cep_type_equal(arg->type, to) && !cep_cast_exists(arg->type, to, false))
        return patterns_refuse(
            binder, expr, "type-mismatch",
            cep_kind_is_number(arg->type.kind) && cep_kind_is_time(to.kind)
                ? "epoch numbers: TO_TIMESTAMP_LTZ(x, 3) of milliseconds, TO_TIMESTAMP_LTZ(x, 0) of seconds"
                : NULL,
            "there is no cast from %s to %s", patterns_type_text(binder, arg->type), patterns_type_text(binder, to));
    const struct patterns_bound *cast =
        expr->try_cast ? patterns_bound_try_cast(binder, arg, to) : patterns_bound_cast(binder, arg, to);
    return cast ? patterns_fold(binder, cast, ret) : BASE_E_NOMEM;
}

static int bind_index(struct patterns_binder *binder, const struct patterns_scope *scope,
                      const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_bound **args;
    int error = bind_args(binder, scope, expr, &args);
    if (error)
        return error;
    struct cep_type array = args[0]->type;
    if (array.kind != CEP_KIND_ARRAY)
        return patterns_refuse(binder, expr, "type-mismatch", NULL, "[...] picks from an array, this is %s",
                               patterns_type_text(binder, array));
    if (!patterns_type_is_integer(args[1]->type))
        return patterns_refuse(binder, expr->args[1], "type-mismatch", "elements are counted from 1",
                               "an array index must be INT, this is %s", patterns_type_text(binder, args[1]->type));
    struct cep_type element = { .kind = array.element,
                                .precision = array.element_precision,
                                .scale = array.element_scale };
    return fold_op(binder, expr, PATTERNS_BOUND_ARRAY_GET, element, args, 2, ret);
}

static int bind_array(struct patterns_binder *binder, const struct patterns_scope *scope,
                      const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_bound **args;
    int error = bind_args(binder, scope, expr, &args);
    return error ? error : patterns_call_function(binder, expr, "ARRAY", args, expr->arg_count, ret);
}

/* ---- entry points ---- */

static int bind_kind(struct patterns_binder *binder, const struct patterns_scope *scope,
                     const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    switch (expr->kind) {
    case PATTERNS_EXPR_NULL:
    case PATTERNS_EXPR_BOOLEAN:
    case PATTERNS_EXPR_NUMBER:
    case PATTERNS_EXPR_STRING:
    case PATTERNS_EXPR_DATE:
    case PATTERNS_EXPR_TIME:
    case PATTERNS_EXPR_TIMESTAMP:
    case PATTERNS_EXPR_TIMESTAMP_LTZ:
    case PATTERNS_EXPR_INTERVAL: return patterns_bind_literal(binder, expr, ret);
    case PATTERNS_EXPR_NAME: return bind_name(binder, scope, expr, ret);
    case PATTERNS_EXPR_CALL:
        if (scope->call) {
            int error = scope->call(scope->ctx, binder, expr, ret);
            if (error || *ret)
                return error;
        }
        return patterns_bind_call(binder, scope, expr, ret);
    case PATTERNS_EXPR_UNARY: return bind_unary(binder, scope, expr, ret);
    case PATTERNS_EXPR_BINARY: return bind_binary(binder, scope, expr, ret);
    case PATTERNS_EXPR_BETWEEN: return bind_between(binder, scope, expr, ret);
    case PATTERNS_EXPR_IN: return bind_in(binder, scope, expr, ret);
    case PATTERNS_EXPR_LIKE:
    case PATTERNS_EXPR_SIMILAR: return bind_like(binder, scope, expr, ret);
    case PATTERNS_EXPR_CAST: return bind_cast(binder, scope, expr, ret);
    case PATTERNS_EXPR_CASE: return bind_case(binder, scope, expr, ret);
    case PATTERNS_EXPR_INDEX: return bind_index(binder, scope, expr, ret);
    case PATTERNS_EXPR_ARRAY: return bind_array(binder, scope, expr, ret);
    case PATTERNS_EXPR_STAR:
        return patterns_refuse(binder, expr, "not-supported", "* stands in a SELECT list and in COUNT(*) only",
                               "* is no value");
    case PATTERNS_EXPR_FIELD:
        return patterns_refuse(binder, expr, "not-supported", "name the field of a ROW column directly: column.field; of a pattern variable's rows write LAST(A.column) or FIRST(A.column, 1)",
                               "a field cannot be taken from this expression");
    case PATTERNS_EXPR_MAP:
    case PATTERNS_EXPR_ROW:
        return patterns_refuse(binder, expr, "not-supported", NULL, "%s values are not supported",
                               expr->kind == PATTERNS_EXPR_MAP ? "MAP" : "ROW");
    case PATTERNS_EXPR_IN_QUERY:
    case PATTERNS_EXPR_EXISTS:
    case PATTERNS_EXPR_SUBQUERY: return patterns_bind_subquery(binder, scope, expr, ret);
    }
    return BASE_E_INVALID;
}

int patterns_bind_expr(struct patterns_binder *binder, const struct patterns_scope *scope,
                       const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    *ret = NULL;
    if (binder->depth >= DEPTH_MAX)
        return patterns_refuse(binder, expr, "limit", NULL, "expression nested deeper than %d", DEPTH_MAX);
    binder->depth++;
    int error = bind_kind(binder, scope, expr, ret);
    binder->depth--;
    if (!error && binder->arena->failed)
        return BASE_E_NOMEM;
    return error;
}

int patterns_bind_condition(struct patterns_binder *binder, const struct patterns_scope *scope,
                            const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_bound *bound;
    *ret = NULL;
    int error = patterns_bind_expr(binder, scope, expr, &bound);
    if (error)
        return error;
    char what[64];
    snprintf(what, sizeof what, "the condition of %s", scope->where ? scope->where : "this clause");
    return need_boolean(binder, bound, what, ret);
}

int patterns_bind_interval_ms(struct patterns_binder *binder, const struct patterns_scope *scope,
                              const struct patterns_expr *expr, const char *what, bool allow_zero, int64_t *ret_ms)
{
    const struct patterns_scope constants = { .ctx = scope ? scope->ctx : NULL, .where = scope ? scope->where : NULL };
    const struct patterns_bound *bound;
    struct cep_value value;
    int error = patterns_bind_expr(binder, &constants, expr, &bound);
    if (error)
        return error;
    if (bound->type.kind == CEP_KIND_INTERVAL_MONTH)
        return patterns_refuse(binder, expr, "type-mismatch", "write it in days: INTERVAL '30' DAY(2)",
                               "%s cannot be counted in months, which differ in length", what);
    if (bound->type.kind != CEP_KIND_INTERVAL_DAY || !patterns_is_constant(bound))
        return patterns_refuse(binder, expr, "type-mismatch", "write INTERVAL '5' MINUTE",
                               "%s must be a constant interval, this is %s", what,
                               patterns_type_text(binder, bound->type));
    error = patterns_fold_value(binder, bound, &value);
    if (error == BASE_E_NOMEM)
        return error;
    if (error || value.null || value.i < 0 || (value.i == 0 && !allow_zero))
        return patterns_refuse(binder, expr, "type-mismatch", NULL, "%s must be %s", what,
                               allow_zero ? "an interval of 0 or more" : "a positive interval");
    *ret_ms = value.i;
    return 0;
}

int patterns_bind_count(struct patterns_binder *binder, const struct patterns_scope *scope,
                        const struct patterns_expr *expr, const char *what, uint64_t max, uint64_t *ret)
{
    const struct patterns_scope constants = { .ctx = scope ? scope->ctx : NULL, .where = scope ? scope->where : NULL };
    const struct patterns_bound *bound;
    struct cep_value value;
    int error = patterns_bind_expr(binder, &constants, expr, &bound);
    if (error)
        return error;
    if (!patterns_type_is_integer(bound->type) || !patterns_is_constant(bound))
        return patterns_refuse(binder, expr, "type-mismatch", NULL, "%s must be a constant integer", what);
    error = patterns_fold_value(binder, bound, &value);
    if (error == BASE_E_NOMEM)
        return error;
    if (error || value.null || value.i < 0)
        return patterns_refuse(binder, expr, "type-mismatch", NULL, "%s must be 0 or more", what);
    if ((uint64_t)value.i > max)
        return patterns_refuse(binder, expr, "limit", NULL, "%s is at most %llu", what, (unsigned long long)max);
    *ret = (uint64_t)value.i;
    return 0;
}
