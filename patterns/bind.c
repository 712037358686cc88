#include "patterns/bind.h"

#include <string.h>
#include "base/error.h"
#include "patterns/bind_from.h"
#include "patterns/bind_order.h"
#include "patterns/bind_select.h"
#include "patterns/changes.h"
#include "patterns/compile_view.h"
#include "patterns/setop.h"
#include "patterns/types.h"
#include "patterns/values.h"

static int refuse_query(struct patterns_binder *binder, const struct patterns_query *query, const char *code,
                        const char *hint, const char *message)
{
    return patterns_refuse_at(binder, query->source, query->begin, query->end, code, hint, "%s", message);
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
        if (patterns_order_ordinal(&query->order_by[i], &plan->out, &columns[i]))
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
    return patterns_order_sort(scope, query, plan, columns, ret);
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
                                      "every SELECT of a UNION, INTERSECT or EXCEPT gives the same columns",
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

/* Behind the columns of a side: what says where a row comes from. */
static int add_marks(struct patterns_binder *binder, const struct patterns_query *query, struct patterns_relation *out)
{
    for (uint32_t i = 0; i < patterns_setop_marks(query); i++) {
        const struct patterns_column c = { .name = BASE_STR("side"), .type = CEP_TYPE(BIGINT), .hash = i + 1 };
        if (patterns_relation_add(out, binder->arena, &c) == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
    }
    return 0;
}

/* CALC that gives input's columns cast to the types of the union, and the marks of its side. */
static const struct patterns_plan *union_input(struct patterns_binder *binder, const struct patterns_query *query, uint32_t side,
                                               const struct patterns_plan *input, const struct patterns_relation *out)
{
    struct patterns_plan *calc = patterns_plan_calc(binder, input, NULL);
    struct patterns_relation *columns =
        calc ? patterns_relation_named(binder, out, (struct base_str){ NULL, 0 }) : NULL;
    const struct patterns_bound **outputs = base_arena_zalloc(binder->arena, out->count + 1, sizeof *outputs);
    if (!columns || !outputs)
        return NULL;
    for (uint32_t i = 0; i < out->count; i++) {
        bool mark = i >= input->out.count;
        const struct patterns_bound *column =
            mark ? patterns_bound_const(binder, NULL, CEP_TYPE(BIGINT), cep_int(patterns_setop_mark(query, side, i - input->out.count)))
                 : patterns_bound_column(binder, NULL, &input->out, i);
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

/* ORDER BY and LIMIT of a query that is no SELECT. */
static int order_whole(const struct patterns_query_scope *scope, const struct patterns_query *query, const struct patterns_plan **plan)
{
    if (!query->order_count && !query->limit && !query->offset)
        return 0;
    int error = patterns_order_check(scope, query, (*plan)->out.bounded);
    return error ? error : order_plan(scope, query, *plan, plan);
}

static int bind_set(const struct patterns_query_scope *scope, const struct patterns_query *query,
                    const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    uint32_t count = query->set.input_count;
    bool all = query->set.op == PATTERNS_SET_UNION && query->set.all;
    const struct patterns_plan **inputs = base_arena_zalloc(binder->arena, count, sizeof *inputs);
    struct patterns_plan *plan = patterns_plan_make(binder, PATTERNS_PLAN_UNION, NULL);
    struct patterns_query_scope inner = *scope;
    inner.top = false;
    if (!all && !(inner.binder = patterns_changes_binder(binder)))
        return BASE_E_NOMEM;
    int first = inputs && plan ? patterns_setop_check(binder, query) : BASE_E_NOMEM;
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
    uint32_t columns = out->count;
    if (!all && add_marks(binder, query, out))
        return BASE_E_NOMEM;
    plan->rows = 2;
    for (uint32_t i = 0; i < columns; i++)
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
        inputs[k] = union_input(binder, query, k, inputs[k], out);
        if (!inputs[k])
            return BASE_E_NOMEM;
        for (uint32_t i = 0; i < out->count; i++)
            out->columns[i].hash = patterns_hash_mix(out->columns[i].hash, inputs[k]->out.columns[i].hash);
    }
    plan->out = *out;
    plan->inputs = inputs;
    plan->input_count = count;
    *ret = plan;
    if (!all)
        error = patterns_setop_finish(binder, query, plan, columns, ret);
    return error ? error : order_whole(scope, query, ret);
}

static int bind_values(const struct patterns_query_scope *scope, const struct patterns_query *query, const struct patterns_plan **ret)
{
    int error = patterns_values_bind(scope, query, ret);
    return error ? error : order_whole(scope, query, ret);
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
    case PATTERNS_QUERY_SELECT: error = patterns_bind_select(&inner, query, ret); break;
    case PATTERNS_QUERY_SET: error = bind_set(&inner, query, ret); break;
    case PATTERNS_QUERY_VALUES: error = bind_values(&inner, query, ret); break;
    }
    binder->depth--;
    return error;
}

int patterns_bind_view(const struct patterns_query_scope *scope, struct patterns_object *object,
                       const struct patterns_plan **ret)
{
    struct patterns_binder *binder = scope->binder;
    const struct patterns_create_view *view = &object->statement->create_view;
    uint32_t slot = 8u * binder->settled + 4u * binder->evidence + 2u * binder->is_rule + binder->eager;
    bool kept = binder->default_late_ms == 0; /* else it may be bound otherwise elsewhere */
    *ret = kept ? object->plans[slot] : NULL;
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
    own->state_ttl_ms = patterns_view_ttl(view, own->default_ttl_ms);
    own->late_ms = binder->default_late_ms < 0 ? 0 : patterns_view_lateness(view, own->default_late_ms);
    own->tells_early = false;
    object->state = PATTERNS_OBJECT_BINDING;
    const struct patterns_query_scope inner = { .binder = own, .catalog = scope->catalog };
    int error = patterns_bind_query(&inner, view->query, ret);
    if (!error)
        error = rename_plan(own, object->statement->source, view->name.begin, view->name.end, view->columns,
                            view->column_count, ret);
    object->state = error ? PATTERNS_OBJECT_FAILED : PATTERNS_OBJECT_READY;
    if (!error && kept)
        object->plans[slot] = *ret;
    return error;
}
