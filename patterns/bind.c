#include "patterns/bind.h"

#include <string.h>
#include "base/error.h"
#include "patterns/bind_call.h"
#include "patterns/bind_from.h"
#include "patterns/fold.h"
#include "patterns/literal.h"
#include "patterns/types.h"

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
    struct patterns_plan *plan; /* the CALC */
    const struct patterns_bound **outputs;
    uint32_t cap;
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
    if (value->kind == PATTERNS_BOUND_COLUMN && value->column == s->from.relation->rowtime &&
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

static int add_item(struct selecting *s, const struct patterns_select_item *item, uint32_t index)
{
    struct patterns_binder *binder = s->scope->binder;
    const struct patterns_bound *value;
    if (item->expr->kind == PATTERNS_EXPR_STAR)
        return add_star(s, item->expr);
    int error = patterns_bind_expr(binder, &s->names, item->expr, &value);
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
        if (value->kind == PATTERNS_BOUND_COLUMN && !s->from.relation->columns[value->column].hidden)
            name = s->from.relation->columns[value->column].name; /* as declared, whatever case the query uses */
        quoted = last->quoted;
    } else {
        const char *text = base_arena_printf(binder->arena, "EXPR$%u", index);
        if (!text)
            return BASE_E_NOMEM;
        name = base_str_of(text);
    }
    error = check_name(s, item, name);
    if (error)
        return error;
    if (value->kind == PATTERNS_BOUND_COLUMN)
        return add_column(s, value->column, name, quoted, item->expr);
    const struct patterns_column column = { .name = name, .quoted = quoted };
    return add_output(s, &column, value);
}

/* ---- clauses that have no operator (yet) ---- */

static bool has_aggregate(const struct patterns_expr *expr)
{
    if (expr->kind == PATTERNS_EXPR_CALL) {
        if (!expr->call->over && patterns_is_aggregate(expr->call->name.text))
            return true;
        for (uint32_t i = 0; i < expr->call->arg_count; i++)
            if (has_aggregate(expr->call->args[i]))
                return true;
        return false;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (has_aggregate(expr->args[i]))
            return true;
    return false;
}

static int check_clauses(struct selecting *s)
{
    struct patterns_binder *binder = s->scope->binder;
    const struct patterns_select *text = s->text;
    if (text->distinct)
        return refuse_query(binder, s->query, "not-supported", NULL, "SELECT DISTINCT is not supported");
    if (text->group_count)
        return patterns_refuse(binder, text->group_by[0], "not-supported",
                               "aggregate within a row pattern: MEASURES SUM(A.amount) AS total",
                               "GROUP BY is not supported");
    if (text->having)
        return patterns_refuse(binder, text->having, "not-supported", "filter with WHERE around a subquery",
                               "HAVING is not supported");
    if (text->window_count)
        return refuse_query(binder, s->query, "not-supported", NULL, "the WINDOW clause is not supported");
    if (!text->from)
        return refuse_query(binder, s->query, "not-supported", "name a table: SELECT ... FROM t",
                            "SELECT without FROM is not supported");
    for (uint32_t i = 0; i < text->item_count; i++)
        if (has_aggregate(text->items[i].expr))
            return patterns_refuse(binder, text->items[i].expr, "not-supported",
                                   "aggregate within a row pattern: MEASURES COUNT(A.id) AS n",
                                   "aggregates over a whole query are not supported");
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
    return 0;
}

/* ---- ORDER BY, LIMIT ---- */

static int check_order(const struct patterns_query_scope *scope, const struct patterns_query *query, bool bounded)
{
    struct patterns_binder *binder = scope->binder;
    const char *what = query->order_count ? "ORDER BY" : "LIMIT";
    if (!scope->top)
        return refuse_query(binder, query, "not-supported",
                            "sort the outermost query; a row pattern sorts its own input",
                            "a subquery or view cannot have ORDER BY or LIMIT");
    if (binder->is_rule)
        return patterns_refuse_at(binder, query->source, query->begin, query->end, "not-supported",
                                  "alerts come in the order of their rows", "%s has no meaning in a rule", what);
    if (!bounded)
        return patterns_refuse_at(binder, query->source, query->begin, query->end, "not-supported",
                                  "read a file, or set 'scan.bounded.mode' = 'latest-offset'",
                                  "%s needs input that ends", what);
    return 0;
}

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

/* Number of the output that an ORDER BY item `1`, `2` means. */
static bool order_ordinal(const struct patterns_order_item *item, const struct patterns_relation *out, uint32_t *ret)
{
    int64_t n;
    if (item->expr->kind != PATTERNS_EXPR_NUMBER || !base_str_to_i64(item->expr->number.text, &n) || n < 1)
        return false;
    for (uint32_t i = 0; i < out->count; i++)
        if (!out->columns[i].hidden && --n == 0) {
            *ret = i;
            return true;
        }
    return false;
}

static int sort_node(const struct patterns_query_scope *scope, const struct patterns_query *query,
                     const struct patterns_plan *input, const uint32_t *columns, const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    struct patterns_plan *sort = patterns_plan_make(binder, PATTERNS_PLAN_SORT, input);
    struct patterns_relation *out =
        sort ? patterns_relation_named(binder, &input->out, (struct base_str){ NULL, 0 }) : NULL;
    if (!out)
        return BASE_E_NOMEM;
    sort->out = *out;
    sort->rows = patterns_hash_mix(input->rows, query->order_count);
    sort->order_count = query->order_count;
    sort->orders = base_arena_zalloc(binder->arena, query->order_count + 1, sizeof *sort->orders);
    if (!sort->orders)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < query->order_count; i++) {
        const struct patterns_order_item *item = &query->order_by[i];
        struct patterns_plan_order *o = &sort->orders[i];
        o->value = patterns_bound_column(binder, item->expr, &input->out, columns[i]);
        if (!o->value)
            return BASE_E_NOMEM;
        o->descending = item->descending;
        /* Flink: NULLs are least, so first ascending and last descending. */
        o->nulls_first =
            item->nulls == PATTERNS_NULLS_FIRST || (item->nulls == PATTERNS_NULLS_DEFAULT && !item->descending);
        sort->rows = patterns_hash_mix(patterns_hash_mix(sort->rows, o->value->hash),
                                       (uint64_t)o->descending * 2 + o->nulls_first);
    }
    const struct patterns_scope constants = { .where = "LIMIT" };
    sort->limit = UINT64_MAX;
    int error =
        query->limit ? patterns_bind_count(binder, &constants, query->limit, "LIMIT", UINT64_MAX - 1, &sort->limit) : 0;
    if (!error && query->offset)
        error = patterns_bind_count(binder, &constants, query->offset, "OFFSET", UINT64_MAX - 1, &sort->offset);
    sort->rows = patterns_hash_mix(patterns_hash_mix(sort->rows, sort->limit), sort->offset);
    *ret = sort;
    return error;
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
        if (order_ordinal(&query->order_by[i], &s->plan->out, &columns[i]))
            continue;
        ordering.outputs = s->outputs;
        int error = patterns_bind_expr(binder, &names, query->order_by[i].expr, &value);
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

/* ORDER BY over a UNION: its columns only. */
static int order_plan(const struct patterns_query_scope *scope, const struct patterns_query *query,
                      const struct patterns_plan *plan, const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    uint32_t *columns = base_arena_zalloc(binder->arena, query->order_count + 1, sizeof *columns);
    const struct patterns_scope names = { .relation = &plan->out, .where = "ORDER BY" };
    if (!columns)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < query->order_count; i++) {
        const struct patterns_bound *value;
        if (order_ordinal(&query->order_by[i], &plan->out, &columns[i]))
            continue;
        int error = patterns_bind_expr(binder, &names, query->order_by[i].expr, &value);
        if (error)
            return error;
        if (value->kind != PATTERNS_BOUND_COLUMN)
            return patterns_refuse(binder, query->order_by[i].expr, "not-supported",
                                   "put the expression into the SELECT lists and order by its name",
                                   "a UNION is ordered by its columns only");
        columns[i] = value->column;
    }
    return sort_node(scope, query, plan, columns, ret);
}

/* ---- SELECT ---- */

static int bind_select(const struct patterns_query_scope *scope, const struct patterns_query *query,
                       const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    struct selecting s = { .scope = scope, .query = query, .text = query->select };
    uint32_t *order = NULL;
    int error = check_clauses(&s);
    int from_error = s.text->from ? patterns_bind_from(scope, s.text->from, &s.from) : 0;
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
    for (uint32_t i = 0; i < s.text->item_count; i++) {
        error = add_item(&s, &s.text->items[i], i);
        if (error == BASE_E_NOMEM)
            return error;
        first = first ? first : error;
    }
    bool ordered = query->order_count || query->limit || query->offset;
    if (!first && ordered)
        first = check_order(scope, query, s.plan->out.bounded);
    if (!first && ordered)
        first = order_select(&s, &order);
    s.plan->outputs = s.outputs;
    *ret = s.plan;
    if (!first && ordered)
        first = sort_node(scope, query, s.plan, order, ret);
    return first;
}

/* ---- UNION ALL ---- */

static int union_types(struct patterns_binder *binder, const struct patterns_query *query,
                       const struct patterns_plan **inputs, uint32_t count, struct cep_type *types)
{
    uint32_t n = inputs[0]->out.count;
    for (uint32_t i = 1; i < count; i++) {
        const struct patterns_query *q = query->set.inputs[i];
        if (inputs[i]->out.count != n)
            return patterns_refuse_at(binder, q->source, q->begin, q->end, "type-mismatch",
                                      "every SELECT of a UNION ALL gives the same columns",
                                      "this SELECT gives %u columns, the first one %u", inputs[i]->out.count, n);
    }
    for (uint32_t c = 0; c < n; c++) {
        types[c] = inputs[0]->out.columns[c].type;
        for (uint32_t i = 1; i < count; i++) {
            const struct patterns_query *q = query->set.inputs[i];
            struct cep_type other = inputs[i]->out.columns[c].type;
            const struct patterns_bound *value =
                inputs[i]->kind == PATTERNS_PLAN_CALC && inputs[i]->outputs ? inputs[i]->outputs[c] : NULL;
            if (cep_type_equal(types[c], other) || (value && value->type.kind == CEP_KIND_NULL))
                continue;
            const struct patterns_bound *mine =
                inputs[0]->kind == PATTERNS_PLAN_CALC && inputs[0]->outputs ? inputs[0]->outputs[c] : NULL;
            if (mine && mine->type.kind == CEP_KIND_NULL) {
                types[c] = other;
                continue;
            }
            bool times = cep_kind_is_time(types[c].kind) && cep_kind_is_time(other.kind);
            if (times || !cep_type_common(types[c], other, &types[c])) {
                struct base_str name = inputs[0]->out.columns[c].name;
                return patterns_refuse_at(binder, q->source, q->begin, q->end, "type-mismatch",
                                          "convert it with CAST(... AS ...)",
                                          "column \"%.*s\" is %s in this SELECT and %s in the first one", (int)name.len,
                                          name.ptr, patterns_type_text(binder, other),
                                          patterns_type_text(binder, types[c]));
            }
        }
    }
    return 0;
}

/* CALC that gives input's columns cast to the types of the union. */
static const struct patterns_plan *union_input(struct patterns_binder *binder, const struct patterns_plan *input,
                                               const struct patterns_relation *out)
{
    struct patterns_plan *calc = patterns_plan_calc(binder, input, NULL);
    struct patterns_relation *columns =
        calc ? patterns_relation_named(binder, out, (struct base_str){ NULL, 0 }) : NULL;
    const struct patterns_bound **outputs = base_arena_zalloc(binder->arena, out->count + 1, sizeof *outputs);
    if (!columns || !outputs)
        return NULL;
    for (uint32_t i = 0; i < out->count; i++) {
        const struct patterns_bound *column = patterns_bound_column(binder, NULL, &input->out, i);
        outputs[i] = column ? patterns_bound_cast(binder, column, out->columns[i].type) : NULL;
        if (!outputs[i])
            return NULL;
        columns->columns[i].hash = outputs[i]->hash;
    }
    columns->rowtime = input->out.rowtime;
    calc->out = *columns;
    calc->outputs = outputs;
    return calc;
}

static int bind_set(const struct patterns_query_scope *scope, const struct patterns_query *query,
                    const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    uint32_t count = query->set.input_count;
    if (query->set.op != PATTERNS_SET_UNION)
        return refuse_query(binder, query, "not-supported", NULL, "INTERSECT and EXCEPT are not supported");
    if (!query->set.all)
        return refuse_query(binder, query, "not-supported", "write UNION ALL",
                            "UNION without ALL would have to remember every row");
    const struct patterns_plan **inputs = base_arena_zalloc(binder->arena, count, sizeof *inputs);
    struct patterns_plan *plan = patterns_plan_make(binder, PATTERNS_PLAN_UNION, NULL);
    struct patterns_query_scope inner = *scope;
    inner.top = false;
    int first = inputs && plan ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < count && first != BASE_E_NOMEM; i++) {
        int error = patterns_bind_query(&inner, query->set.inputs[i], &inputs[i]);
        if (!error)
            error = patterns_bind_visible(binder, inputs[i], &inputs[i]);
        first = first ? first : error;
    }
    if (first)
        return first;
    struct cep_type *types = base_arena_zalloc(binder->arena, inputs[0]->out.count + 1, sizeof *types);
    struct patterns_relation *out = patterns_relation_named(binder, &inputs[0]->out, (struct base_str){ NULL, 0 });
    if (!types || !out)
        return BASE_E_NOMEM;
    int error = union_types(binder, query, inputs, count, types);
    if (error)
        return error;
    plan->rows = 2;
    for (uint32_t i = 0; i < out->count; i++)
        out->columns[i].type = types[i];
    for (uint32_t i = 0; i < count; i++) {
        /* A union keeps an event time only where all inputs have theirs in the same column. */
        if (inputs[i]->out.rowtime != out->rowtime)
            out->rowtime = PATTERNS_NO_COLUMN;
        out->bounded = out->bounded && inputs[i]->out.bounded;
        plan->rows = patterns_hash_mix(plan->rows, inputs[i]->rows);
    }
    for (uint32_t i = 0; i < out->count; i++)
        out->columns[i].hash = 3;
    for (uint32_t k = 0; k < count; k++) {
        inputs[k] = union_input(binder, inputs[k], out);
        if (!inputs[k])
            return BASE_E_NOMEM;
        for (uint32_t i = 0; i < out->count; i++)
            out->columns[i].hash = patterns_hash_mix(out->columns[i].hash, inputs[k]->out.columns[i].hash);
    }
    plan->out = *out;
    plan->inputs = inputs;
    plan->input_count = count;
    *ret = plan;
    if (!query->order_count && !query->limit && !query->offset)
        return 0;
    error = check_order(scope, query, plan->out.bounded);
    return error ? error : order_plan(scope, query, plan, ret);
}

/* ---- whole queries ---- */

int patterns_bind_visible(struct patterns_binder *binder, const struct patterns_plan *plan,
                          const struct patterns_plan **ret)
{
    uint32_t visible = 0;
    for (uint32_t i = 0; i < plan->out.count; i++)
        visible += !plan->out.columns[i].hidden;
    *ret = plan;
    if (visible == plan->out.count)
        return 0;
    struct patterns_plan *calc = patterns_plan_calc(binder, plan, NULL);
    const struct patterns_bound **outputs = base_arena_zalloc(binder->arena, visible + 1, sizeof *outputs);
    if (!calc || !outputs)
        return BASE_E_NOMEM;
    calc->out = (struct patterns_relation){ .rowtime = PATTERNS_NO_COLUMN, .bounded = plan->out.bounded };
    for (uint32_t i = 0; i < plan->out.count; i++) {
        if (plan->out.columns[i].hidden)
            continue;
        uint32_t at = patterns_relation_add(&calc->out, binder->arena, &plan->out.columns[i]);
        outputs[at == PATTERNS_NO_COLUMN ? 0 : at] = patterns_bound_column(binder, NULL, &plan->out, i);
        if (at == PATTERNS_NO_COLUMN || !outputs[at])
            return BASE_E_NOMEM;
        if (plan->out.rowtime == i)
            calc->out.rowtime = at;
    }
    calc->outputs = outputs;
    *ret = calc;
    return 0;
}

/* Renames the visible columns (CTE and view column lists). */
static int rename_plan(struct patterns_binder *binder, const struct base_source *source, uint32_t begin, uint32_t end,
                       const struct patterns_ident *names, uint32_t count, const struct patterns_plan **plan)
{
    uint32_t n = 0;
    if (!count)
        return 0;
    int error = patterns_bind_visible(binder, *plan, plan);
    if (error)
        return error;
    struct patterns_plan *calc = patterns_plan_calc(binder, *plan, NULL);
    struct patterns_relation *out =
        calc ? patterns_relation_named(binder, &(*plan)->out, (struct base_str){ NULL, 0 }) : NULL;
    if (!out)
        return BASE_E_NOMEM;
    n = out->count;
    if (n != count)
        return patterns_refuse_at(binder, source, begin, end, "type-mismatch", NULL,
                                  "%u names are given for %u columns", count, n);
    for (uint32_t i = 0; i < n; i++) {
        out->columns[i].name = names[i].text;
        out->columns[i].quoted = names[i].quoted;
    }
    calc->out = *out;
    *plan = calc;
    return 0;
}

int patterns_bind_query(const struct patterns_query_scope *scope, const struct patterns_query *query,
                        const struct patterns_plan **ret)
{
    struct patterns_query_scope inner = *scope;
    struct patterns_binder *binder = scope->binder;
    *ret = NULL;
    for (uint32_t i = 0; i < query->cte_count; i++) {
        const struct patterns_cte *cte = &query->ctes[i];
        struct patterns_query_ctes *entry = base_arena_zalloc(binder->arena, 1, sizeof *entry);
        struct patterns_query_scope within = inner;
        within.top = false;
        if (!entry)
            return BASE_E_NOMEM;
        int error = patterns_bind_query(&within, cte->query, &entry->plan);
        if (!error)
            error =
                rename_plan(binder, query->source, cte->begin, cte->end, cte->columns, cte->column_count, &entry->plan);
        if (error)
            return error;
        entry->cte = cte;
        entry->next = inner.ctes;
        inner.ctes = entry;
    }
    if (binder->depth >= PATTERNS_MAX_DEPTH)
        return refuse_query(binder, query, "limit", NULL, "queries and views nest too deep");
    int error = BASE_E_INVALID;
    binder->depth++;
    switch (query->kind) {
    case PATTERNS_QUERY_SELECT: error = bind_select(&inner, query, ret); break;
    case PATTERNS_QUERY_SET: error = bind_set(&inner, query, ret); break;
    case PATTERNS_QUERY_VALUES:
        error = refuse_query(binder, query, "not-supported", "put the rows into a file and read it",
                             "VALUES is not supported");
        break;
    }
    binder->depth--;
    return error;
}

int patterns_bind_view(const struct patterns_query_scope *scope, struct patterns_object *object,
                       const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    const struct patterns_create_view *view = &object->statement->create_view;
    uint32_t slot = 4u * binder->evidence + 2u * binder->is_rule + binder->eager;
    *ret = object->plans[slot];
    if (*ret)
        return 0;
    if (object->state == PATTERNS_OBJECT_FAILED)
        return BASE_E_SYNTAX;
    /* A view knows nothing of the rule that reads it: its options, its CTEs. */
    struct patterns_binder *own = base_arena_alloc(binder->arena, sizeof *own);
    if (!own)
        return BASE_E_NOMEM;
    *own = *binder;
    own->param = NULL;
    object->state = PATTERNS_OBJECT_BINDING;
    const struct patterns_query_scope inner = { .binder = own, .catalog = scope->catalog };
    int error = patterns_bind_query(&inner, view->query, ret);
    if (!error)
        error = rename_plan(own, object->statement->source, view->name.begin, view->name.end, view->columns,
                            view->column_count, ret);
    object->state = error ? PATTERNS_OBJECT_FAILED : PATTERNS_OBJECT_READY;
    if (!error)
        object->plans[slot] = *ret;
    return error;
}
