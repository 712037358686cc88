#include "patterns/setop.h"

#include "base/error.h"
#include "patterns/bind_from.h"
#include "patterns/changes.h"
#include "patterns/group.h"

int patterns_setop_check(struct patterns_binder *binder, const struct patterns_query *query)
{
    if (query->set.op == PATTERNS_SET_UNION || !query->set.all)
        return 0;
    return patterns_refuse_at(binder, query->source, query->begin, query->end, "not-supported", "leave out ALL, or count the rows of each side by GROUP BY",
                              "INTERSECT ALL and EXCEPT ALL are not supported");
}

uint32_t patterns_setop_marks(const struct patterns_query *query)
{
    switch (query->set.op) {
    case PATTERNS_SET_UNION: return 0;
    case PATTERNS_SET_INTERSECT: return query->set.input_count;
    case PATTERNS_SET_EXCEPT: return 2; /* the first side, the others */
    }
    return 0;
}

int64_t patterns_setop_mark(const struct patterns_query *query, uint32_t side, uint32_t mark)
{
    return query->set.op == PATTERNS_SET_EXCEPT ? (side > 0) == (mark > 0) : side == mark;
}

/* How often the row stands on the sides that the mark is of. */
static int count_side(struct patterns_group *group, const struct patterns_plan *sides, uint32_t column)
{
    const struct patterns_bound *mark = patterns_bound_column(group->binder, NULL, &sides->out, column);
    const struct patterns_agg sum = { .kind = CEP_AGG_SUM, .arg = mark, .type = CEP_TYPE(BIGINT), .hash = patterns_hash_mix(43, column) };
    return mark ? patterns_group_add(group, &sum) : BASE_E_NOMEM;
}

/* Does the row stand where it must? Over the group's columns. */
static const struct patterns_bound *condition(struct patterns_binder *binder, const struct patterns_query *query, const struct patterns_relation *group, uint32_t columns)
{
    const struct patterns_bound *parts[2], *all = NULL;
    for (uint32_t i = 0; i < patterns_setop_marks(query); i++) {
        bool absent = query->set.op == PATTERNS_SET_EXCEPT && i == 1;
        const struct patterns_bound *pair[2] = { patterns_bound_column(binder, NULL, group, columns + i), patterns_bound_const(binder, NULL, CEP_TYPE(BIGINT), cep_int(0)) };
        parts[1] = pair[0] && pair[1] ? patterns_bound_op(binder, NULL, absent ? PATTERNS_BOUND_EQ : PATTERNS_BOUND_GT, CEP_TYPE(BOOLEAN), pair, 2) : NULL;
        if (!parts[1])
            return NULL;
        parts[0] = all;
        all = all ? patterns_bound_op(binder, NULL, PATTERNS_BOUND_AND, CEP_TYPE(BOOLEAN), parts, 2) : parts[1];
        if (!all)
            return NULL;
    }
    return all;
}

static int check_changes(struct patterns_binder *binder, const struct patterns_query *query, const struct patterns_plan *sides)
{
    if (binder->eager || sides->out.bounded)
        return 0;
    return patterns_refuse_at(binder, query->source, query->begin, query->end, "not-supported", "insert into a table that takes changes; a rule, without 'emit' = 'final'",
                              "over streams the rows of this operation come and go, and here nothing takes changes");
}

int patterns_setop_finish(struct patterns_binder *binder, const struct patterns_query *query, const struct patterns_plan *sides, uint32_t columns,
                          const struct patterns_plan **ret)
{
    struct patterns_group *group;
    bool unites = query->set.op == PATTERNS_SET_UNION;
    int error = patterns_group_columns(binder, &sides->out, columns, &group);
    for (uint32_t i = 0; i < patterns_setop_marks(query) && !error; i++)
        error = count_side(group, sides, columns + i);
    struct patterns_plan *plan = error ? NULL : patterns_plan_make(binder, PATTERNS_PLAN_GROUP, sides);
    struct patterns_relation *out = plan ? patterns_relation_named(binder, &sides->out, (struct base_str){ NULL, 0 }) : NULL;
    if (!out)
        return error ? error : BASE_E_NOMEM;
    group->retracts = patterns_plan_updating(sides);
    if (group->retracts || !unites)
        error = check_changes(binder, query, sides);
    group->eager = binder->eager || !sides->out.bounded;
    group->append = unites && group->eager && !group->retracts; /* each row at its first coming */
    group->ttl_ms = binder->state_ttl_ms;
    patterns_group_take(plan, group);
    plan->source = query->source;
    plan->begin = query->begin;
    plan->end = query->end;
    plan->rows = patterns_hash_mix(patterns_hash_mix(sides->rows, group->hash), 31 + (uint64_t)query->set.op);
    out->rowtime = PATTERNS_NO_COLUMN;
    for (uint32_t i = 0; i < out->count; i++)
        out->columns[i].hash = patterns_hash_mix(plan->rows, i);
    plan->out = *out;
    struct patterns_plan *calc = error ? NULL : patterns_plan_calc(binder, plan, NULL);
    if (!calc)
        return error ? error : BASE_E_NOMEM;
    if (!unites && !(calc->filter = condition(binder, query, &plan->out, columns)))
        return BASE_E_NOMEM;
    for (uint32_t i = columns; i < calc->out.count; i++)
        calc->out.columns[i].hidden = true;
    *ret = calc;
    return patterns_bind_visible(binder, calc, ret);
}
