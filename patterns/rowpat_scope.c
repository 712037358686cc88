/* What names and calls mean in DEFINE and MEASURES: `x`, `A.x`, PREV, NEXT, FIRST, LAST, CLASSIFIER, MATCH_NUMBER,
 * MATCH_ROWTIME, aggregates. Every navigation and every aggregate reads one set of rows; its argument is bound in an
 * inner scope that notes which. */
#include "patterns/rowpat.h"

#include <string.h>
#include "base/error.h"
#include "patterns/hints.h"

enum place { AT_TOP, IN_NAVIGATION, IN_AGGREGATE };
struct scope {
    struct patterns_rp_read read;
    enum place at;
    const char *function; /* the navigation or aggregate around, upper case */
    bool has_rows;        /* some column or CLASSIFIER was read */
    struct patterns_rp_rows rows;
    struct base_str rows_name; /* as written; empty: without a variable */
};

static const struct patterns_rp_rows all_rows = { .universal = true };

struct base_str patterns_rp_label(struct patterns_match_detail *rp, struct base_str name, bool quoted)
{
    char *copy = base_arena_strndup(rp->binder->arena, name.ptr, name.len);
    for (size_t i = 0; copy && !quoted && i < name.len; i++)
        copy[i] = (char)(copy[i] >= 'a' && copy[i] <= 'z' ? copy[i] - 32 : copy[i]);
    return (struct base_str){ copy, name.len };
}

/* Does the written name mean the label? */
static bool label_is(struct base_str label, struct base_str name, bool quoted)
{
    if (label.len != name.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (label.ptr[i] != (!quoted && c >= 'a' && c <= 'z' ? c - 32 : c))
            return false;
    }
    return true;
}

bool patterns_rp_find_label(const struct patterns_match_detail *rp, struct base_str name, bool quoted,
                            struct patterns_rp_rows *ret_rows)
{
    *ret_rows = (struct patterns_rp_rows){ 0 };
    for (uint32_t v = 0; v < rp->var_count; v++) {
        if (label_is(rp->vars[v].label, name, quoted)) {
            patterns_varset_add(&ret_rows->set, v);
            ret_rows->label = 1 + v;
            return true;
        }
    }
    for (uint32_t s = 0; s < rp->subset_count; s++) {
        if (label_is(rp->subsets[s].label, name, quoted)) {
            ret_rows->set = rp->subsets[s].set;
            ret_rows->label = 1 + PATTERNS_VARS_MAX + s;
            rp->subsets[s].read = true; /* who asks for it reads it */
            return true;
        }
    }
    return false;
}

/* Nearest variable, for "did you mean"; NULL if none is near. */
static const char *near_label(const struct patterns_match_detail *rp, struct base_str name)
{
    size_t best = name.len < 4 ? 2 : name.len / 3 + 1;
    const char *found = NULL;
    for (uint32_t v = 0; v < rp->var_count; v++) {
        size_t distance = base_str_distance(rp->vars[v].label, name);
        if (distance < best && name.len > 1) {
            best = distance;
            found = base_arena_printf(rp->binder->arena, "did you mean %.*s?", (int)rp->vars[v].label.len,
                                      rp->vars[v].label.ptr);
        }
    }
    return found;
}

const char *patterns_rp_list_labels(const struct patterns_match_detail *rp)
{
    const char *list = "";
    for (uint32_t v = 0; v < rp->var_count && v < 8 && list; v++)
        list = base_arena_printf(rp->binder->arena, "%s%s%.*s", list, v ? ", " : "", (int)rp->vars[v].label.len, rp->vars[v].label.ptr);
    return list && *list ? base_arena_printf(rp->binder->arena, "the variables are %s%s", list, rp->var_count > 8 ? ", ..." : "") : NULL;
}

static const char *rows_text(struct patterns_binder *binder, struct base_str name)
{
    return name.len ? base_arena_printf(binder->arena, "rows of %.*s", (int)name.len, name.ptr) : "all rows";
}

/* Notes that the navigation or aggregate around reads these rows; all its reads must agree. */
static int note_rows(struct scope *scope, const struct patterns_expr *place, const struct patterns_rp_rows *rows,
                     struct base_str name)
{
    struct patterns_binder *binder = scope->read.rp->binder;
    if (scope->has_rows && scope->rows.label != rows->label)
        return patterns_refuse(binder, place, "mixed-variables",
                               "write two calls, or declare SUBSET u = (...) and prefix every column with u",
                               "%s reads %s and %s: one call reads one set of rows", scope->function,
                               rows_text(binder, scope->rows_name), rows_text(binder, name));
    scope->has_rows = true;
    scope->rows = *rows;
    scope->rows_name = name;
    return 0;
}

/* A row-wise value where it stands: as it is inside a navigation or aggregate; else as of the last row of its rows. */
static int place_value(struct scope *scope, const struct patterns_expr *place, const struct patterns_rp_rows *rows,
                       struct base_str name, const struct patterns_bound *value, const struct patterns_bound **ret)
{
    if (!value)
        return BASE_E_NOMEM;
    if (scope->at != AT_TOP) {
        *ret = value;
        return note_rows(scope, place, rows, name);
    }
    struct patterns_rp_read read = scope->read;
    read.place = place;
    read.final = false;
    return patterns_rp_navigate(&read, rows, PATTERNS_RP_FROM_LAST, 0, 0, value, ret);
}

/* ---- names ---- */

/* CLASSIFIER and its relatives, which are written with parentheses. */
static bool is_bare_function(struct base_str name)
{
    static const char *const names[] = { "CLASSIFIER", "MATCH_NUMBER", "MATCH_ROWTIME", "MATCH_PROCTIME" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (base_str_equal_fold(name, base_str_of(names[i])))
            return true;
    }
    return false;
}

/* parts[first] is where the search failed; first 1: behind a pattern variable. */
static int unknown_name(struct scope *scope, const struct patterns_expr *place, const struct patterns_name_part *parts,
                        uint32_t count, uint32_t first)
{
    struct patterns_match_detail *rp = scope->read.rp;
    struct patterns_binder *binder = rp->binder;
    const struct patterns_ident *at = &place->name.parts[first];
    const char *hint = patterns_hint_column(binder->arena, &rp->plain, at);
    struct patterns_rp_rows rows;
    uint32_t column;
    if (!first && count == 1 && is_bare_function(parts[0].text))
        hint = base_arena_printf(binder->arena, "write %.*s()", (int)at->text.len, at->text.ptr);
    else if (!first && count == 1 && patterns_rp_find_label(rp, parts[0].text, parts[0].quoted, &rows))
        hint = base_arena_printf(binder->arena, "%.*s is a variable of the pattern: %.*s.column reads its row, COUNT(%.*s.*) counts its rows", (int)at->text.len,
                                 at->text.ptr, (int)at->text.len, at->text.ptr, (int)at->text.len, at->text.ptr);
    if (first || count == 1)
        return patterns_refuse_at(binder, place->source, at->begin, at->end, "unknown-column", hint,
                                  "unknown column \"%.*s\"", (int)at->text.len, at->text.ptr);
    hint = near_label(rp, parts[0].text);
    if (!hint)
        hint = patterns_rp_list_labels(rp);
    if (patterns_relation_find(rp->input, parts, count, &column) != PATTERNS_FOUND_NONE)
        hint = "inside MATCH_RECOGNIZE a column is written alone or behind a pattern variable, not behind the table's "
               "name";
    return patterns_refuse_at(binder, place->source, at->begin, at->end, "unknown-variable", hint,
                              "\"%.*s\" is neither a pattern variable nor a column with fields", (int)at->text.len,
                              at->text.ptr);
}

static int scope_name(void *ctx, struct patterns_binder *binder, const struct patterns_expr *name,
                      const struct patterns_name_part *parts, uint32_t count, const struct patterns_bound **ret)
{
    struct scope *scope = ctx;
    struct patterns_match_detail *rp = scope->read.rp;
    struct patterns_rp_rows rows = all_rows;
    struct base_str label = { 0 };
    const struct patterns_name_part *rest = parts;
    uint32_t left = count, column = PATTERNS_NO_COLUMN;
    *ret = NULL;
    if (count > 1 && patterns_rp_find_label(rp, parts[0].text, parts[0].quoted, &rows)) {
        label = parts[0].text;
        rest++;
        left--;
    } else {
        rows = all_rows;
    }
    switch (patterns_relation_find(&rp->plain, rest, left, &column)) {
    case PATTERNS_FOUND_MANY:
        return patterns_refuse(binder, name, "ambiguous-column", "name the columns apart in a subquery",
                               "column \"%.*s\" is ambiguous", (int)rest[0].text.len, rest[0].text.ptr);
    case PATTERNS_FOUND_NONE: return unknown_name(scope, name, parts, count, (uint32_t)(rest - parts));
    case PATTERNS_FOUND: break;
    }
    return place_value(scope, name, &rows, label, patterns_bound_column(binder, name, rp->input, column), ret);
}

/* ---- calls ---- */

static bool called(const struct patterns_call *call, const char *name)
{
    return !call->name.quoted && base_str_equal_fold(call->name.text, base_str_of(name));
}

static const char *upper(struct patterns_binder *binder, struct base_str text)
{
    char *copy = base_arena_strndup(binder->arena, text.ptr, text.len);
    for (size_t i = 0; copy && i < text.len; i++)
        copy[i] = (char)(copy[i] >= 'a' && copy[i] <= 'z' ? copy[i] - 32 : copy[i]);
    return copy ? copy : "?";
}

/* Refuses what no pattern function and no aggregate takes here. */
static int check_decorations(struct scope *scope, const struct patterns_expr *place, const char *what)
{
    struct patterns_binder *binder = scope->read.rp->binder;
    const struct patterns_call *call = place->call;
    if (call->over)
        return patterns_refuse(binder, place, "not-supported", "compute it in a query around the pattern",
                               "%s with OVER inside a row pattern", what);
    if (call->distinct && !patterns_rp_is_aggregate(call->name.text))
        return patterns_refuse(binder, place, "bad-argument", "DISTINCT goes with aggregates", "%s with DISTINCT",
                               what);
    if (call->filter && !patterns_rp_is_aggregate(call->name.text))
        return patterns_refuse(binder, place, "bad-argument", "FILTER goes with aggregates", "%s with FILTER", what);
    if (call->within_count)
        return patterns_refuse(binder, place, "not-supported", "rows come in the pattern's ORDER BY",
                               "%s with an order of its own inside a row pattern", what);
    return 0;
}

static int check_mode(struct scope *scope, const struct patterns_expr *place, const char *what, bool allowed)
{
    struct patterns_binder *binder = scope->read.rp->binder;
    if (place->call->mode == PATTERNS_MODE_NONE)
        return 0;
    scope->read.rp->uses |= PATTERNS_RP_USES_MODE;
    const char *mode = place->call->mode == PATTERNS_MODE_FINAL ? "FINAL" : "RUNNING";
    if (!allowed)
        return patterns_refuse(binder, place, "bad-mode", "RUNNING and FINAL stand before FIRST, LAST and aggregates",
                               "%s before %s", mode, what);
    if (!scope->read.measures && place->call->mode == PATTERNS_MODE_FINAL)
        return patterns_refuse(binder, place, "bad-mode",
                               "leave FINAL out: a condition sees the rows up to the one it tests",
                               "FINAL in DEFINE: the end of the match is not known there");
    return 0;
}

static int bind_offset(struct scope *scope, const struct patterns_expr *place, const char *what, uint64_t otherwise,
                       uint64_t max, uint64_t *ret)
{
    struct patterns_scope none = { .where = "an offset" };
    const char *name = base_arena_printf(scope->read.rp->binder->arena, "the offset of %s", what);
    *ret = otherwise;
    if (place->call->arg_count < 2)
        return 0;
    return patterns_bind_count(scope->read.rp->binder, &none, place->call->args[1], name ? name : "the offset", max,
                               ret);
}

static struct patterns_scope as_scope(struct scope *scope);

/* Binds an argument in an inner scope. */
static int bind_inner(struct scope *inner, const struct patterns_expr *arg, const struct patterns_bound **ret);

static int nesting(struct scope *scope, const struct patterns_expr *place, const char *what)
{
    return patterns_refuse(scope->read.rp->binder, place, "bad-nesting",
                           scope->at == IN_AGGREGATE ? "aggregates take columns of one variable"
                                                     : "only PREV or NEXT directly around FIRST or LAST is allowed",
                           "%s inside %s", what, scope->function);
}

/* FIRST(x, n), LAST(x, n), with PREV or NEXT around it or alone; PREV(x, n) alone is PREV(LAST(x, 0), n). */
static int bind_navigation(struct scope *scope, const struct patterns_expr *place, const struct patterns_bound **ret)
{
    const struct patterns_call *call = place->call;
    struct patterns_binder *binder = scope->read.rp->binder;
    bool prev = called(call, "PREV"), physical = prev || called(call, "NEXT");
    if (physical)
        scope->read.rp->uses |= PATTERNS_RP_USES_PHYSICAL;
    const char *what = upper(binder, call->name.text);
    const struct patterns_expr *logical = physical ? NULL : place;
    uint64_t distance = 0, n = 0;
    int r = scope->at == AT_TOP ? check_decorations(scope, place, what) : nesting(scope, place, what);
    if (!r)
        r = check_mode(scope, place, what, !physical);
    if (!r && (call->arg_count < 1 || call->arg_count > 2 || call->args[0]->kind == PATTERNS_EXPR_STAR))
        r = patterns_refuse(binder, place, "bad-argument", NULL, "%s takes an expression and, if wanted, an offset",
                            what);
    if (!r && physical)
        r = bind_offset(scope, place, what, 1, PATTERNS_PHYSICAL_MAX, &distance);
    const struct patterns_expr *arg = r ? NULL : call->args[0];
    if (!r && physical && arg->kind == PATTERNS_EXPR_CALL &&
        (called(arg->call, "FIRST") || called(arg->call, "LAST"))) {
        logical = arg;
        r = check_decorations(scope, logical, "FIRST or LAST");
        if (!r)
            r = check_mode(scope, logical, "FIRST", true);
        if (!r && (logical->call->arg_count < 1 || logical->call->arg_count > 2))
            r = patterns_refuse(binder, logical, "bad-argument", NULL,
                                "FIRST and LAST take an expression and, if wanted, an offset");
        arg = r ? NULL : logical->call->args[0];
    }
    bool first = logical && called(logical->call, "FIRST");
    if (!r && logical)
        r = bind_offset(scope, logical, first ? "FIRST" : "LAST", 0, PATTERNS_LOGICAL_MAX, &n);
    if (r)
        return r;
    struct scope inner = { .read = scope->read,
                           .at = IN_NAVIGATION,
                           .function = logical ? (first ? "FIRST" : "LAST") : what };
    const struct patterns_bound *value;
    r = bind_inner(&inner, arg, &value);
    if (r)
        return r;
    if (!inner.has_rows)
        return patterns_refuse(binder, place, "bad-argument", "name a column, or CLASSIFIER()",
                               "%s reads nothing of a row", inner.function);
    struct patterns_rp_read read = scope->read;
    read.place = place;
    read.final = logical && logical->call->mode == PATTERNS_MODE_FINAL;
    return patterns_rp_navigate(&read, &inner.rows, first ? PATTERNS_RP_FROM_FIRST : PATTERNS_RP_FROM_LAST, (uint32_t)n,
                                prev ? -(int32_t)distance : (int32_t)distance, value, ret);
}

static int unknown_variable(struct scope *scope, const struct patterns_expr *place, struct base_str name)
{
    struct patterns_match_detail *rp = scope->read.rp;
    return patterns_refuse(rp->binder, place, "unknown-variable", near_label(rp, name),
                           "\"%.*s\" is no variable of the pattern and no SUBSET", (int)name.len, name.ptr);
}

static int bind_classifier(struct scope *scope, const struct patterns_expr *place, const struct patterns_bound **ret)
{
    const struct patterns_call *call = place->call;
    struct patterns_match_detail *rp = scope->read.rp;
    struct patterns_rp_rows rows = all_rows;
    struct base_str label = { 0 };
    int r = check_decorations(scope, place, "CLASSIFIER");
    rp->uses |= PATTERNS_RP_USES_CLASSIFIER;
    if (!r)
        r = check_mode(scope, place, "CLASSIFIER", false);
    if (r)
        return r;
    if (call->arg_count > 1 ||
        (call->arg_count == 1 && (call->args[0]->kind != PATTERNS_EXPR_NAME || call->args[0]->name.count != 1)))
        return patterns_refuse(rp->binder, place, "bad-argument", "CLASSIFIER() or CLASSIFIER(variable)",
                               "CLASSIFIER takes at most one pattern variable");
    if (call->arg_count == 1) {
        const struct patterns_ident *name = &call->args[0]->name.parts[0];
        label = name->text;
        if (!patterns_rp_find_label(rp, name->text, name->quoted, &rows))
            return unknown_variable(scope, call->args[0], name->text);
    }
    return place_value(scope, place, &rows, label, patterns_rp_own_label(rp, place), ret);
}

static int bind_number(struct scope *scope, const struct patterns_expr *place, const struct patterns_bound **ret)
{
    struct patterns_match_detail *rp = scope->read.rp;
    int r = check_decorations(scope, place, "MATCH_NUMBER");
    rp->uses |= PATTERNS_RP_USES_NUMBER;
    if (!r)
        r = check_mode(scope, place, "MATCH_NUMBER", false);
    if (!r && place->call->arg_count)
        r = patterns_refuse(rp->binder, place, "bad-argument", "write MATCH_NUMBER()",
                            "MATCH_NUMBER takes no argument");
    if (r)
        return r;
    if (!scope->read.measures && rp->clause->all_matches)
        return patterns_refuse(rp->binder, place, "not-supported", "count what you mean with COUNT or CLASSIFIER, or leave ALL MATCHES out",
                               "MATCH_NUMBER() in DEFINE under ALL MATCHES: several derivations of one start count, so a row has no one number");
    if (!scope->read.measures)
        rp->reads_number = true;
    *ret = patterns_rp_number(rp, place);
    return *ret ? 0 : BASE_E_NOMEM;
}

/* MATCH_ROWTIME([rowtime column]), MATCH_PROCTIME(). */
static int bind_time(struct scope *scope, const struct patterns_expr *place, bool proc,
                     const struct patterns_bound **ret)
{
    struct patterns_match_detail *rp = scope->read.rp;
    const char *what = proc ? "MATCH_PROCTIME" : "MATCH_ROWTIME";
    int r = check_decorations(scope, place, what);
    if (!r)
        r = check_mode(scope, place, what, false);
    if (!r && scope->at != AT_TOP)
        r = nesting(scope, place, what);
    if (!r && place->call->arg_count > (proc ? 0u : 1u))
        r = patterns_refuse(rp->binder, place, "bad-argument", NULL, "%s takes no argument", what);
    if (!r && place->call->arg_count && (place->call->args[0]->kind != PATTERNS_EXPR_NAME || place->call->args[0]->name.count != 1))
        r = patterns_refuse(rp->binder, place->call->args[0], "bad-argument", "write MATCH_ROWTIME()", "%s takes the time column, or nothing", what);
    if (!r && !proc && rp->input->rowtime == PATTERNS_NO_COLUMN)
        r = patterns_refuse(rp->binder, place, "missing-watermark",
                            "declare WATERMARK FOR column AS column - INTERVAL '5' SECOND at the table",
                            "MATCH_ROWTIME() needs an event time, and the input has none");
    if (r)
        return r;
    struct cep_type type = proc ? CEP_TYPE(TIMESTAMP_LTZ) : rp->input->columns[rp->input->rowtime].type;
    *ret =
        patterns_bound_op(rp->binder, place, proc ? PATTERNS_BOUND_PROC_TIME : PATTERNS_BOUND_ROW_TIME, type, NULL, 0);
    return *ret ? 0 : BASE_E_NOMEM;
}

/* FILTER (WHERE condition): what the aggregate does not see is NULL to it. The condition ranges over the same rows as the arguments. */
static int apply_filter(struct scope *inner, const struct patterns_expr *place, const struct patterns_bound **args, uint32_t *count,
                        struct base_str *name, const struct patterns_bound **ret_rows)
{
    struct patterns_binder *binder = inner->read.rp->binder;
    const struct patterns_call *call = place->call;
    struct patterns_scope scope = as_scope(inner);
    const struct patterns_bound *when;
    int r = patterns_bind_condition(binder, &scope, call->filter, &when);
    if (r)
        return r;
    bool counts = called(call, "COUNT_IF"), by_key = called(call, "MAX_BY") || called(call, "MIN_BY");
    uint32_t at = by_key ? 1 : 0;
    if (called(call, "ARRAY_AGG") || called(call, "COLLECT")) {
        *ret_rows = when; /* NULLs are values to it */
        return 0;
    }
    if (*count <= at && !called(call, "COUNT"))
        return 0; /* too few arguments: told by the aggregate */
    const struct patterns_bound *parts[3] = { when, *count ? args[at] : NULL, NULL };
    if (*count == 0) {
        args[(*count)++] = when;
        *name = BASE_STR("COUNT_IF");
    } else if (counts) {
        args[0] = patterns_bound_op(binder, place, PATTERNS_BOUND_AND, CEP_TYPE(BOOLEAN), parts, 2);
    } else {
        parts[2] = patterns_bound_const(binder, NULL, parts[1]->type, cep_null());
        args[at] = parts[2] ? patterns_bound_op(binder, place, PATTERNS_BOUND_CASE, parts[1]->type, parts, 3) : NULL;
    }
    return args[*count > at ? at : 0] ? 0 : BASE_E_NOMEM;
}

static int bind_aggregate(struct scope *scope, const struct patterns_expr *place, const struct patterns_bound **ret)
{
    const struct patterns_call *call = place->call;
    struct patterns_match_detail *rp = scope->read.rp;
    struct patterns_binder *binder = rp->binder;
    const char *what = upper(binder, call->name.text);
    struct scope inner = { .read = scope->read, .at = IN_AGGREGATE, .function = what };
    const struct patterns_bound *args[4];
    uint32_t count = 0;
    int r = scope->at == AT_TOP ? check_decorations(scope, place, what) : nesting(scope, place, what);
    if (!r)
        r = check_mode(scope, place, what, true);
    if (!r && call->arg_count > 3)
        r = patterns_refuse(binder, place, "bad-argument", NULL, "%s takes fewer arguments", what);
    for (uint32_t i = 0; i < call->arg_count && !r; i++) {
        const struct patterns_expr *arg = call->args[i];
        if (arg->kind != PATTERNS_EXPR_STAR) {
            r = bind_inner(&inner, arg, &args[count++]);
        } else if (!called(call, "COUNT") || call->arg_count != 1 || arg->name.count > 1) {
            r = patterns_refuse(binder, arg, "bad-argument", "COUNT(A.*) counts the rows of A",
                                "only COUNT takes *, alone");
        } else if (arg->name.count == 1) {
            struct patterns_rp_rows rows;
            if (!patterns_rp_find_label(rp, arg->name.parts[0].text, arg->name.parts[0].quoted, &rows))
                return unknown_variable(scope, arg, arg->name.parts[0].text);
            r = note_rows(&inner, arg, &rows, arg->name.parts[0].text);
        }
    }
    struct base_str name = call->name.text;
    const struct patterns_bound *filter = NULL;
    if (!r && call->filter)
        r = apply_filter(&inner, place, args, &count, &name, &filter);
    if (r)
        return r;
    struct patterns_rp_read read = scope->read;
    read.place = place;
    read.final = call->mode == PATTERNS_MODE_FINAL;
    read.distinct = call->distinct;
    read.filter = filter;
    if (call->distinct || call->filter)
        rp->uses |= PATTERNS_RP_USES_DISTINCT;
    return patterns_rp_aggregate(&read, name, inner.has_rows ? &inner.rows : &all_rows, args, count, ret);
}

static int scope_call(void *ctx, struct patterns_binder *binder, const struct patterns_expr *expr,
                      const struct patterns_bound **ret)
{
    struct scope *scope = ctx;
    const struct patterns_call *call = expr->call;
    *ret = NULL;
    if (call->syntax == PATTERNS_CALL_PLAIN || call->syntax == PATTERNS_CALL_BARE) {
        if (called(call, "PREV") || called(call, "NEXT") || called(call, "FIRST") || called(call, "LAST"))
            return bind_navigation(scope, expr, ret);
        if (called(call, "CLASSIFIER"))
            return bind_classifier(scope, expr, ret);
        if (called(call, "MATCH_NUMBER"))
            return bind_number(scope, expr, ret);
        if (called(call, "MATCH_ROWTIME") || called(call, "MATCH_PROCTIME"))
            return bind_time(scope, expr, called(call, "MATCH_PROCTIME"), ret);
        if (patterns_rp_is_aggregate(call->name.text))
            return bind_aggregate(scope, expr, ret);
    }
    const char *what = upper(binder, call->name.text);
    if (call->mode != PATTERNS_MODE_NONE)
        return check_mode(scope, expr, what, false);
    if (call->over)
        return check_decorations(scope, expr, what);
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (call->args[i]->kind == PATTERNS_EXPR_STAR)
            return patterns_refuse(binder, call->args[i], "bad-argument", "COUNT(A.*) counts the rows of A",
                                   "only COUNT takes *, not %s", what);
    }
    return 0;
}

static struct patterns_scope as_scope(struct scope *scope)
{
    return (struct patterns_scope){ .ctx = scope,
                                    .relation = &scope->read.rp->plain,
                                    .name = scope_name,
                                    .call = scope_call,
                                    .where = scope->read.measures ? "MEASURES" : "DEFINE" };
}

static int bind_inner(struct scope *inner, const struct patterns_expr *arg, const struct patterns_bound **ret)
{
    struct patterns_scope scope = as_scope(inner);
    return patterns_bind_expr(inner->read.rp->binder, &scope, arg, ret);
}

int patterns_rp_bind_condition(struct patterns_match_detail *rp, uint32_t var, const struct patterns_expr *expr,
                               const struct patterns_bound **ret)
{
    struct scope top = { .read = { .rp = rp, .var = var }, .at = AT_TOP };
    struct patterns_scope scope = as_scope(&top);
    return patterns_bind_condition(rp->binder, &scope, expr, ret);
}

int patterns_rp_bind_measure(struct patterns_match_detail *rp, const struct patterns_expr *expr,
                             const struct patterns_bound **ret)
{
    struct scope top = { .read = { .rp = rp, .measures = true }, .at = AT_TOP };
    struct patterns_scope scope = as_scope(&top);
    return patterns_bind_expr(rp->binder, &scope, expr, ret);
}
