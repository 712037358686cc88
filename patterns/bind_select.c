#include "patterns/bind_select.h"

#include <string.h>
#include "base/error.h"
#include "patterns/bind_call.h"
#include "patterns/bind_from.h"
#include "patterns/bind_order.h"
#include "patterns/changes.h"
#include "patterns/group.h"
#include "patterns/grouping.h"
#include "patterns/over.h"
#include "patterns/topn.h"
#include "patterns/values.h"
#include "patterns/window.h"

static int refuse_query(struct patterns_binder *binder, const struct patterns_query *query, const char *code,
                        const char *hint, const char *message)
{
    return patterns_refuse_at(binder, query->source, query->begin, query->end, code, hint, "%s", message);
}

/* ---- SELECT list ---- */

/* A SELECT on its way. */
struct selecting {
    const struct patterns_query_scope *scope;
    const struct patterns_query *query;
    const struct patterns_select *text;
    struct patterns_from from;
    struct patterns_scope names;
    struct patterns_group *group; /* NULL: no aggregates */
    const struct patterns_expr *const *group_by; /* each expression of GROUP BY once */
    uint32_t group_count;
    struct patterns_overs *overs; /* NULL: no aggregates with OVER */
    struct patterns_plan *plan;   /* the CALC */
    const struct patterns_bound **outputs;
    uint32_t cap;
    uint32_t ranking;             /* item that is ROW_NUMBER(), CEP_NONE: none */
    uint32_t rank_at;             /* column of the result that it becomes */
    struct base_str rank_name;
    bool rank_quoted;
};

static int add_output(struct selecting *s, const struct patterns_column *column, const struct patterns_bound *value)
{
    struct patterns_binder *binder = s->scope->binder;
    struct patterns_column c = *column;
    if (!value)
        return BASE_E_NOMEM;
    if (s->plan->out.count >= CEP_COLUMNS_MAX)
        return refuse_query(binder, s->query, "limit", NULL, "a query gives at most 1024 columns");
    c.qualifier = (struct base_str){ "", 0 };
    c.type = value->type.kind == CEP_KIND_NULL ? CEP_TYPE(STRING) : value->type;
    c.hash = value->flags & PATTERNS_BOUND_IS_VOLATILE ? patterns_hash_mix(value->hash, value->begin) : value->hash;
    if (s->plan->out.count == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 16;
        const struct patterns_bound **grown = base_arena_zalloc(binder->arena, cap, sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        if (s->cap)
            memcpy(grown, s->outputs, s->cap * sizeof *grown);
        s->outputs = grown;
        s->cap = cap;
    }
    uint32_t at = patterns_relation_add(&s->plan->out, binder->arena, &c);
    if (at == PATTERNS_NO_COLUMN)
        return BASE_E_NOMEM;
    s->outputs[at] = value;
    uint32_t rowtime = s->group ? patterns_group_window_column(s->group, 2) : s->from.relation->rowtime;
    if (value->kind == PATTERNS_BOUND_COLUMN && rowtime != PATTERNS_NO_COLUMN && value->column == rowtime &&
        s->plan->out.rowtime == PATTERNS_NO_COLUMN)
        s->plan->out.rowtime = at;
    return 0;
}

/* Column `from` of the FROM relation under a name, with the hidden fields behind it. */
static int add_column(struct selecting *s, uint32_t from, struct base_str name, bool quoted,
                      const struct patterns_expr *place)
{
    const struct patterns_relation *relation = s->from.relation;
    bool is_row = relation->columns[from].type.kind == CEP_KIND_ROW && !relation->columns[from].hidden;
    uint32_t at = from;
    do {
        struct patterns_column c = relation->columns[at];
        c.name = name;
        c.quoted = quoted;
        if (at == from) { /* `SELECT a.b` gives a column of its own */
            c.hidden = false;
            c.path = (struct base_str){ "", 0 };
        }
        int error = add_output(s, &c, patterns_bound_column(s->scope->binder, place, relation, at));
        if (error)
            return error;
        at++;
    } while (is_row && at < relation->count && relation->columns[at].hidden);
    return 0;
}

/* A name for a column that `*` brings although another of that name is there already: user_id0, as in Flink. */
static struct base_str free_name(struct selecting *s, struct base_str name)
{
    for (uint32_t n = 0; n <= CEP_COLUMNS_MAX; n++) {
        const char *text =
            n ? base_arena_printf(s->scope->binder->arena, "%.*s%u", (int)name.len, name.ptr, n - 1) : NULL;
        struct base_str candidate = n ? base_str_of(text) : name;
        bool taken = false;
        for (uint32_t i = 0; i < s->plan->out.count; i++)
            taken |= !s->plan->out.columns[i].hidden && base_str_equal_fold(s->plan->out.columns[i].name, candidate);
        if (!taken)
            return candidate;
    }
    return name;
}

static int add_star(struct selecting *s, const struct patterns_expr *star)
{
    const struct patterns_relation *relation = s->from.relation;
    uint32_t added = 0;
    for (uint32_t i = 0; i < relation->count; i++) {
        const struct patterns_column *c = &relation->columns[i];
        const struct patterns_ident *q = star->name.count ? &star->name.parts[star->name.count - 1] : NULL;
        if (c->hidden || (q && !patterns_name_equal(c->qualifier, false, q->text, q->quoted)))
            continue;
        int error = add_column(s, i, free_name(s, c->name), c->quoted, star);
        if (error)
            return error;
        added++;
    }
    if (added || !star->name.count)
        return 0;
    const struct patterns_ident *q = &star->name.parts[star->name.count - 1];
    return patterns_refuse(s->scope->binder, star, "unknown-table", NULL, "no table \"%.*s\" stands in FROM",
                           (int)q->text.len, q->text.ptr);
}

static int check_name(struct selecting *s, const struct patterns_select_item *item, struct base_str name)
{
    for (uint32_t i = 0; i < s->plan->out.count; i++)
        if (!s->plan->out.columns[i].hidden && base_str_equal_fold(s->plan->out.columns[i].name, name))
            return patterns_refuse_at(s->scope->binder, s->query->source, item->begin, item->end, "duplicate-name",
                                      "give one of them another name: ... AS name", "two columns are called \"%.*s\"",
                                      (int)name.len, name.ptr);
    return 0;
}

/* Over the rows, or over their group. */
static int bind_value(struct selecting *s, const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    if (s->group)
        return patterns_group_bind(s->group, expr, s->names.where, ret);
    return patterns_bind_expr(s->scope->binder, &s->names, expr, ret);
}

static int add_item(struct selecting *s, const struct patterns_select_item *item, uint32_t index)
{
    struct patterns_binder *binder = s->scope->binder;
    const struct patterns_bound *value;
    if (item->expr->kind == PATTERNS_EXPR_STAR && s->group)
        return patterns_refuse(binder, item->expr, "not-grouped", "name the columns of GROUP BY",
                               "* cannot stand beside aggregates");
    if (item->expr->kind == PATTERNS_EXPR_STAR)
        return add_star(s, item->expr);
    int error = index == s->ranking ? 0 : bind_value(s, item->expr, &value);
    if (error)
        return error;
    struct base_str name;
    bool quoted = false;
    if (item->alias) {
        name = item->alias->text;
        quoted = item->alias->quoted;
    } else if (item->expr->kind == PATTERNS_EXPR_NAME) {
        const struct patterns_ident *last = &item->expr->name.parts[item->expr->name.count - 1];
        name = last->text;
        if (!s->group && value->kind == PATTERNS_BOUND_COLUMN && !s->from.relation->columns[value->column].hidden)
            name = s->from.relation->columns[value->column].name; /* as declared, whatever case the query uses */
        quoted = last->quoted;
        if (item->expr->name.count > 1) /* a.x, b.x: x and x0, as `*` would call them */
            name = free_name(s, name);
    } else {
        const char *text = base_arena_printf(binder->arena, "EXPR$%u", index);
        if (!text)
            return BASE_E_NOMEM;
        name = base_str_of(text);
    }
    error = check_name(s, item, name);
    if (error)
        return error;
    if (index == s->ranking) { /* it gets its column once the others are known */
        s->rank_at = s->plan->out.count;
        s->rank_name = name;
        s->rank_quoted = quoted;
        return 0;
    }
    if (value->kind == PATTERNS_BOUND_COLUMN && !s->group)
        return add_column(s, value->column, name, quoted, item->expr);
    const struct patterns_column column = { .name = name, .quoted = quoted };
    return add_output(s, &column, value);
}

/* ---- clauses that have no operator (yet) ---- */

static bool has_aggregate(const struct patterns_expr *expr)
{
    return patterns_expr_has_call(expr, patterns_call_is_aggregate);
}

static bool is_grouped(const struct selecting *s)
{
    bool grouped = s->text->group_count || s->text->set_count || s->text->having;
    for (uint32_t i = 0; i < s->text->item_count; i++)
        grouped = grouped || has_aggregate(s->text->items[i].expr);
    for (uint32_t i = 0; i < s->query->order_count; i++)
        grouped = grouped || has_aggregate(s->query->order_by[i].expr);
    return grouped;
}

static int check_clauses(struct selecting *s)
{
    struct patterns_binder *binder = s->scope->binder;
    const struct patterns_select *text = s->text;
    for (uint32_t i = 0; !text->from && i < text->item_count; i++)
        if (text->items[i].expr->kind == PATTERNS_EXPR_STAR)
            return patterns_refuse(binder, text->items[i].expr, "unknown-table", "name a table: SELECT ... FROM t", "* has no columns without FROM");
    return 0;
}

static void warn_never(struct patterns_binder *binder, const struct patterns_bound *condition, const char *where)
{
    if (condition && patterns_bound_is_never(condition))
        patterns_warn_at(binder, BASE_SEVERITY_WARNING, condition->source, condition->begin, condition->end,
                         "never-true", NULL, "the condition of %s is never true", where);
}

static int bind_where(struct selecting *s)
{
    struct patterns_binder *binder = s->scope->binder;
    s->names.where = "WHERE";
    int error = patterns_bind_condition(binder, &s->names, s->text->where, &s->plan->filter);
    if (error)
        return error;
    warn_never(binder, s->plan->filter, "WHERE");
    s->plan->rows =
        patterns_hash_mix(s->plan->rows, s->plan->filter->hash); /* as a whole and as written: folding must not show */
    error = patterns_topn_bound(binder, &s->plan->inputs[0], &s->plan->filter);
    s->from.plan = s->plan->inputs[0];
    s->from.relation->rowtime = s->from.plan->out.rowtime;
    return error;
}

/* ---- ORDER BY ---- */

/* Scope of ORDER BY: names of the SELECT list first. */
struct ordering {
    const struct patterns_relation *out;
    const struct patterns_bound **outputs; /* NULL: columns of out themselves */
};

static int order_name(void *ctx, struct patterns_binder *binder, const struct patterns_expr *name,
                      const struct patterns_name_part *parts, uint32_t count, const struct patterns_bound **ret)
{
    struct ordering *o = ctx;
    uint32_t column;
    *ret = NULL;
    if (!o->outputs || count != 1 || patterns_relation_find(o->out, parts, count, &column) == PATTERNS_FOUND_NONE)
        return 0;
    (void)binder;
    (void)name;
    *ret = o->outputs[column];
    return 0;
}

/* A name of the SELECT list over groups. */
static int order_alias(struct selecting *s, const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    uint32_t column;
    if (expr->kind != PATTERNS_EXPR_NAME || expr->name.count != 1)
        return 0;
    const struct patterns_name_part part = { expr->name.parts[0].text, expr->name.parts[0].quoted };
    if (patterns_relation_find(&s->plan->out, &part, 1, &column) != PATTERNS_FOUND_NONE)
        *ret = s->outputs[column];
    return 0;
}

/* ORDER BY over a SELECT: items that are no outputs become hidden ones. */
static int order_select(struct selecting *s, uint32_t **ret)
{
    struct patterns_binder *binder = s->scope->binder;
    const struct patterns_query *query = s->query;
    uint32_t *columns = base_arena_zalloc(binder->arena, query->order_count + 1, sizeof *columns);
    struct ordering ordering = { .out = &s->plan->out };
    struct patterns_scope names = {
        .ctx = &ordering, .relation = s->from.relation, .name = order_name, .where = "ORDER BY"
    };
    if (!columns)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < query->order_count; i++) {
        const struct patterns_bound *value;
        if (patterns_order_ordinal(&query->order_by[i], &s->plan->out, &columns[i]))
            continue;
        ordering.outputs = s->outputs;
        int error = 0;
        value = NULL;
        if (s->group)
            error = order_alias(s, query->order_by[i].expr, &value);
        if (!error && !value)
            error = s->group ? bind_value(s, query->order_by[i].expr, &value)
                             : patterns_bind_expr(binder, &names, query->order_by[i].expr, &value);
        if (error)
            return error;
        columns[i] = PATTERNS_NO_COLUMN;
        for (uint32_t k = 0; k < s->plan->out.count; k++)
            if (patterns_bound_same(s->outputs[k], value))
                columns[i] = k;
        if (columns[i] != PATTERNS_NO_COLUMN)
            continue;
        const struct patterns_column hidden = { .name = BASE_STR("$order"), .path = BASE_STR("\x1f"), .hidden = true };
        columns[i] = s->plan->out.count;
        error = add_output(s, &hidden, value);
        if (error)
            return error;
    }
    *ret = columns;
    return 0;
}

/* ---- GROUP BY ---- */

/* A group's row changes with each row of a stream: somebody must take the changes. */
static int check_changes(struct selecting *s, const struct patterns_expr *place)
{
    struct patterns_binder *binder = s->scope->binder;
    if (binder->eager || s->from.relation->bounded)
        return 0;
    return patterns_refuse(binder, place, "not-supported",
                           binder->is_rule ? "group by a window: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) GROUP BY window_start, window_end; or "
                                             "insert into an 'upsert-kafka' table; or, in a rule, leave out 'emit' = 'final'"
                                           : "run it with --emit eager to see its changes, or group by a window",
                           "a GROUP BY over a stream changes rows that it gave, and here nothing takes changes");
}

static int begin_group(struct selecting *s)
{
    struct patterns_binder *binder = s->scope->binder;
    const struct patterns_expr *place = s->text->group_count ? s->text->group_by[0] : s->text->items[0].expr;
    const struct patterns_plan *from = s->from.plan;
    struct patterns_grouping *sets;
    int error = patterns_grouping_read(binder, &s->names, s->text, &sets);
    if (error)
        return error;
    s->group_by = sets ? (const struct patterns_expr *const *)sets->keys : s->text->group_by;
    s->group_count = sets ? sets->key_count : s->text->group_count;
    error = patterns_group_begin(binder, &s->names, s->group_by, s->group_count, from->kind == PATTERNS_PLAN_WINDOW && !from->group ? from->window : NULL, &s->group);
    if (!error && sets)
        error = patterns_group_by_sets(s->group, sets);
    if (!error && !s->group->window)
        error = check_changes(s, place);
    if (error)
        return error;
    s->group->eager = binder->eager || (s->group->window && s->group->window->late_ms);
    s->group->retracts = patterns_plan_updating(from);
    s->group->ttl_ms = s->group->window ? 0 : binder->state_ttl_ms;
    return 0;
}

/* A window aggregate reads the rows below the window function, which do not have its columns yet. */
static int check_window_reads(struct selecting *s, const struct patterns_bound *where)
{
    struct patterns_binder *binder = s->scope->binder;
    const struct patterns_plan *window = s->from.plan;
    bool *used = base_arena_zalloc(binder->arena, window->out.count + 1, sizeof *used);
    if (!used)
        return BASE_E_NOMEM;
    patterns_group_mark_columns(s->group, used);
    if (where)
        patterns_bound_mark_columns(where, used);
    for (uint32_t i = window->window->first_column; i < window->out.count; i++)
        if (used[i])
            return refuse_query(binder, s->query, "not-supported", "filter by them in HAVING, or in a query around this one",
                                "WHERE, keys and aggregates of a window do not read window_start, window_end and window_time");
    return 0;
}

static int group_columns(struct selecting *s, struct patterns_plan *group)
{
    struct patterns_binder *binder = s->scope->binder;
    group->out = (struct patterns_relation){ .rowtime = patterns_group_window_column(s->group, 2), .bounded = s->from.relation->bounded };
    for (uint32_t i = 0; i < s->group->out_count; i++) {
        const struct patterns_expr *key = i < s->group_count ? s->group_by[i] : NULL;
        struct patterns_column c = { .type = s->group->outs[i].type, .hash = patterns_hash_mix(group->rows, i) };
        c.name = key && key->kind == PATTERNS_EXPR_NAME ? key->name.parts[key->name.count - 1].text
                                                        : base_str_of(base_arena_printf(binder->arena, "%s%u", key ? "key" : "aggregate", i));
        if (patterns_relation_add(&group->out, binder->arena, &c) == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
    }
    return 0;
}

/* rows -> CALC (WHERE) -> GROUP or WINDOW -> CALC (SELECT list, HAVING), once all expressions over the group are bound. */
static int finish_group(struct selecting *s)
{
    struct patterns_binder *binder = s->scope->binder;
    const struct patterns_bound *where = s->plan->filter;
    const struct patterns_plan *rows = s->group->window ? s->from.plan->inputs[0] : s->from.plan;
    struct patterns_plan *below = patterns_plan_calc(binder, rows, where);
    struct patterns_plan *group = below ? patterns_plan_make(binder, s->group->window ? PATTERNS_PLAN_WINDOW : PATTERNS_PLAN_GROUP, below) : NULL;
    if (!group)
        return BASE_E_NOMEM;
    s->plan->filter = NULL;
    s->names.where = "HAVING";
    int error = s->text->having ? bind_value(s, s->text->having, &s->plan->filter) : 0;
    if (!error && s->plan->filter)
        error = patterns_coerce(binder, s->plan->filter, CEP_TYPE(BOOLEAN), "the condition of HAVING", &s->plan->filter);
    if (!error && s->group->window)
        error = check_window_reads(s, where);
    below->rows = s->plan->rows;
    if (!error && s->group->grouping)
        error = patterns_grouping_expand(s->group, below, &group->inputs[0]);
    if (error)
        return error;
    patterns_group_take(group, s->group);
    group->window = s->group->window;
    group->source = s->query->source;
    group->rows = patterns_hash_mix(s->plan->rows, s->group->hash);
    error = group_columns(s, group);
    if (error)
        return error;
    s->plan->inputs[0] = group;
    s->plan->rows = group->rows;
    if (s->plan->filter)
        s->plan->rows = patterns_hash_mix(s->plan->rows, s->plan->filter->hash);
    return 0;
}

/* SELECT DISTINCT: a group by all columns. */
static int finish_distinct(struct selecting *s)
{
    struct patterns_binder *binder = s->scope->binder;
    struct patterns_group *group;
    const struct patterns_plan *rows;
    s->plan->outputs = s->outputs;
    for (uint32_t i = 0; i < s->plan->out.count; i++)
        if (s->plan->out.columns[i].hidden && s->query->order_count)
            return refuse_query(binder, s->query, "not-supported", "put it into the SELECT list", "SELECT DISTINCT is ordered by its own columns");
    int error = patterns_bind_visible(binder, s->plan, &rows);
    if (!error)
        error = patterns_group_columns(binder, &rows->out, rows->out.count, &group);
    struct patterns_plan *plan = error ? NULL : patterns_plan_make(binder, PATTERNS_PLAN_GROUP, rows);
    struct patterns_plan *calc = plan ? patterns_plan_calc(binder, rows, NULL) : NULL;
    if (!calc)
        return error ? error : BASE_E_NOMEM;
    group->retracts = patterns_plan_updating(rows);
    if (group->retracts) /* else each row is told at its first coming and stays */
        error = check_changes(s, s->text->items[0].expr);
    group->eager = binder->eager || !s->from.relation->bounded;
    group->append = group->eager && !group->retracts;
    group->ttl_ms = binder->state_ttl_ms;
    patterns_group_take(plan, group);
    plan->source = s->query->source;
    plan->rows = patterns_hash_mix(patterns_hash_mix(rows->rows, group->hash), 29);
    plan->out = calc->out;
    plan->out.rowtime = PATTERNS_NO_COLUMN;
    calc->inputs[0] = plan;
    calc->out.rowtime = PATTERNS_NO_COLUMN;
    calc->rows = plan->rows;
    s->plan = calc;
    return error;
}

/* ---- OVER ---- */

static bool has_over(const struct selecting *s)
{
    bool over = false;
    for (uint32_t i = 0; i < s->text->item_count; i++)
        over = over || patterns_expr_has_call(s->text->items[i].expr, patterns_call_is_over);
    return over;
}

static int begin_over(struct selecting *s)
{
    struct patterns_overs *overs = base_arena_zalloc(s->scope->binder->arena, 1, sizeof *overs);
    if (!overs)
        return BASE_E_NOMEM;
    if (s->group)
        return refuse_query(s->scope->binder, s->query, "not-supported", "group in a query inside: FROM (SELECT ... GROUP BY ...)",
                            "OVER cannot stand beside GROUP BY and aggregates of whole groups");
    *overs = (struct patterns_overs){ .binder = s->scope->binder, .input = s->names, .select = s->text, .from = s->from.plan };
    s->names.ctx = overs;
    s->names.call = patterns_over_call;
    s->overs = overs;
    return 0;
}

/* rows -> CALC (WHERE) -> OVER ... -> CALC (SELECT list). */
static int finish_over(struct selecting *s)
{
    struct patterns_binder *binder = s->scope->binder;
    struct patterns_plan *below = patterns_plan_calc(binder, s->from.plan, s->plan->filter);
    const struct patterns_plan *over;
    if (!below)
        return BASE_E_NOMEM;
    below->rows = s->plan->rows;
    int error = patterns_over_plan(s->overs, below, &over);
    if (error)
        return error;
    for (uint32_t i = 0; i < s->plan->out.count; i++)
        if (!(s->outputs[i] = patterns_over_columns(s->overs, s->outputs[i])))
            return BASE_E_NOMEM;
    if (s->overs->by_clock)
        s->plan->out.rowtime = PATTERNS_NO_COLUMN;
    s->plan->filter = NULL;
    s->plan->inputs[0] = over;
    s->plan->rows = over->rows;
    return 0;
}

/* ---- ROW_NUMBER() ---- */

/* rows -> CALC (WHERE, the other items) -> TOPN -> CALC (SELECT list). */
static int finish_ranking(struct selecting *s)
{
    const struct patterns_expr *call = s->text->items[s->ranking].expr;
    if (s->group)
        return patterns_refuse(s->scope->binder, call, "not-supported", "group in a query inside: FROM (SELECT ... GROUP BY ...)",
                               "ROW_NUMBER() cannot stand beside aggregates");
    s->plan->outputs = s->outputs ? s->outputs : base_arena_zalloc(s->scope->binder->arena, 1, sizeof *s->outputs);
    if (!s->plan->outputs)
        return BASE_E_NOMEM;
    const struct patterns_topn_text text = { .scope = s->scope, .from = &s->from, .call = call, .below = s->plan, .at = s->rank_at,
                                             .name = s->rank_name, .quoted = s->rank_quoted };
    int error = patterns_topn_bind(&text, &s->plan);
    s->outputs = error ? NULL : s->plan->outputs;
    return error;
}

/* ---- SELECT ---- */

int patterns_bind_select(const struct patterns_query_scope *scope, const struct patterns_query *query,
                         const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    struct selecting s = { .scope = scope, .query = query, .text = query->select };
    uint32_t *order = NULL;
    int error = check_clauses(&s);
    struct patterns_query_scope below = *scope;
    s.ranking = patterns_topn_item(s.text);
    bool grouped = is_grouped(&s);
    if ((s.ranking != CEP_NONE || grouped || s.text->distinct) && !(below.binder = patterns_changes_binder(binder)))
        return BASE_E_NOMEM;
    int from_error = s.text->from ? patterns_bind_from(&below, s.text->from, &s.from) : patterns_values_one(&below, &s.from);
    error = from_error ? from_error : error;
    if (error)
        return error;
    s.plan = patterns_plan_make(binder, PATTERNS_PLAN_CALC, s.from.plan);
    if (!s.plan)
        return BASE_E_NOMEM;
    s.plan->source = query->source;
    s.plan->begin = query->begin;
    s.plan->end = query->end;
    s.plan->rows = s.from.plan->rows;
    s.plan->out = (struct patterns_relation){ .rowtime = PATTERNS_NO_COLUMN, .bounded = s.from.relation->bounded };
    s.names = (struct patterns_scope){ .relation = s.from.relation };
    int first = s.text->where ? bind_where(&s) : 0;
    s.names.where = "SELECT";
    error = grouped ? begin_group(&s) : 0;
    if (!error && has_over(&s))
        error = begin_over(&s);
    if (error)
        return error;
    for (uint32_t i = 0; i < s.text->item_count; i++) {
        error = add_item(&s, &s.text->items[i], i);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
    }
    if (!first && s.ranking != CEP_NONE)
        first = s.overs || s.text->distinct ? refuse_query(binder, query, "not-supported", "put them into a query inside",
                                                           "ROW_NUMBER() cannot stand beside DISTINCT or aggregates with OVER")
                                            : finish_ranking(&s);
    bool ordered = query->order_count || query->limit || query->offset;
    if (!first && ordered)
        first = patterns_order_check(scope, query, s.plan->out.bounded);
    if (!first && ordered && s.ranking != CEP_NONE)
        first = refuse_query(binder, query, "not-supported", "put the query with ROW_NUMBER() into FROM (...)", "ORDER BY cannot stand beside ROW_NUMBER()");
    if (!first && ordered)
        first = order_select(&s, &order);
    if (!first && s.group)
        first = finish_group(&s);
    if (!first && s.overs)
        first = finish_over(&s);
    s.plan->outputs = s.outputs;
    if (!first && s.text->distinct)
        first = finish_distinct(&s);
    *ret = s.plan;
    if (!first && ordered)
        first = patterns_order_sort(scope, query, s.plan, order, ret);
    return first;
}
