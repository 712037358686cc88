#include "patterns/bind_subquery.h"

#include "base/error.h"
#include "patterns/fold.h"
#include "patterns/types.h"

static int op(struct patterns_binder *binder, const struct patterns_expr *place, enum patterns_bound_kind kind,
              struct cep_type type, const struct patterns_bound *const *args, uint32_t count,
              const struct patterns_bound **ret)
{
    const struct patterns_bound *bound = patterns_bound_op(binder, place, kind, type, args, count);
    return bound ? patterns_fold(binder, bound, ret) : BASE_E_NOMEM;
}

static bool is_one_row(const struct patterns_query *query)
{
    if (query->kind != PATTERNS_QUERY_SELECT || query->cte_count || query->order_count || query->limit || query->offset)
        return false;
    const struct patterns_select *s = query->select;
    return !s->from && !s->group_count && !s->set_count && !s->having && !s->distinct && !s->window_count && s->item_count == 1 &&
           s->items[0].expr->kind != PATTERNS_EXPR_STAR;
}

/* CASE WHEN condition THEN value END: the one row may be filtered away. */
static int when(struct patterns_binder *binder, const struct patterns_expr *place,
                const struct patterns_bound *condition, const struct patterns_bound *value,
                const struct patterns_bound *otherwise, const struct patterns_bound **ret)
{
    const struct patterns_bound *arms[3] = { condition, value, otherwise };
    *ret = value;
    return condition ? op(binder, place, PATTERNS_BOUND_CASE, value->type, arms, 3, ret) : 0;
}

static int bind_in(struct patterns_binder *binder, const struct patterns_scope *scope, const struct patterns_expr *expr,
                   const struct patterns_bound *condition, const struct patterns_bound *value,
                   const struct patterns_bound **ret)
{
    struct cep_type type;
    const struct patterns_bound *pair[2] = { NULL, value };
    int error = patterns_bind_expr(binder, scope, expr->args[0], &pair[0]);
    if (error)
        return error;
    if (!patterns_type_comparable(pair[0]->type, pair[1]->type, &type))
        return patterns_refuse(binder, expr, "type-mismatch", "convert one side with CAST(... AS ...)",
                               "IN cannot stand between %s and %s", patterns_type_text(binder, pair[0]->type),
                               patterns_type_text(binder, pair[1]->type));
    for (uint32_t i = 0; i < 2 && !error; i++)
        error = patterns_coerce(binder, pair[i], type, "an operand of IN", &pair[i]);
    if (!error)
        error = op(binder, expr, PATTERNS_BOUND_EQ, CEP_TYPE(BOOLEAN), pair, 2, ret);
    const struct patterns_bound *no = error ? NULL : patterns_bound_const(binder, expr, CEP_TYPE(BOOLEAN), cep_int(0));
    if (!error && !no)
        return BASE_E_NOMEM;
    if (!error)
        error = when(binder, expr, condition, *ret, no, ret);
    const struct patterns_bound *inner = *ret;
    return error || !expr->negated ? error : op(binder, expr, PATTERNS_BOUND_NOT, CEP_TYPE(BOOLEAN), &inner, 1, ret);
}

int patterns_bind_subquery(struct patterns_binder *binder, const struct patterns_scope *scope,
                           const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    const struct patterns_scope inside = { .where = "a subquery" };
    const struct patterns_bound *value, *condition = NULL;
    if (!is_one_row(expr->query))
        return patterns_refuse(binder, expr, "not-supported",
                               "join the table instead: LEFT JOIN t FOR SYSTEM_TIME AS OF ts ON t.key = key",
                               "a subquery over a table cannot stand in an expression");
    const struct patterns_select *select = expr->query->select;
    int error = patterns_bind_expr(binder, &inside, select->items[0].expr, &value);
    if (!error && select->where)
        error = patterns_bind_condition(binder, &inside, select->where, &condition);
    if (error)
        return error;
    if (expr->kind == PATTERNS_EXPR_IN_QUERY)
        return bind_in(binder, scope, expr, condition, value, ret);
    if (expr->kind == PATTERNS_EXPR_EXISTS) {
        *ret = patterns_bound_const(binder, expr, CEP_TYPE(BOOLEAN), cep_int(1));
        if (!*ret)
            return BASE_E_NOMEM;
        return condition ? op(binder, expr, PATTERNS_BOUND_IS_TRUE, CEP_TYPE(BOOLEAN), &condition, 1, ret) : 0;
    }
    const struct patterns_bound *none = patterns_bound_const(binder, expr, value->type, cep_null());
    return none ? when(binder, expr, condition, value, none, ret) : BASE_E_NOMEM;
}
