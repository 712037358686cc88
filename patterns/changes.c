#include "patterns/changes.h"

#include "base/error.h"
#include "patterns/bind_from.h"
#include "patterns/over.h"

bool patterns_plan_updating(const struct patterns_plan *plan)
{
    switch (plan->kind) {
    case PATTERNS_PLAN_SOURCE:
    case PATTERNS_PLAN_SORT: return false;
    case PATTERNS_PLAN_OVER:
    case PATTERNS_PLAN_MATCH: return plan->eager;
    case PATTERNS_PLAN_GROUP:
    case PATTERNS_PLAN_TOPN:
    case PATTERNS_PLAN_JOIN: return plan->updating;
    case PATTERNS_PLAN_WINDOW:
        if (plan->group)
            return plan->eager;
        break;
    case PATTERNS_PLAN_CALC:
    case PATTERNS_PLAN_UNION:
    case PATTERNS_PLAN_LOOKUP:
    case PATTERNS_PLAN_EXCHANGE: break;
    }
    for (uint32_t i = 0; i < plan->input_count; i++)
        if (patterns_plan_updating(plan->inputs[i]))
            return true;
    return false;
}

bool patterns_plan_proc_time(const struct patterns_plan *plan, const struct patterns_bound *value)
{
    while (value->kind == PATTERNS_BOUND_COLUMN && plan->kind == PATTERNS_PLAN_CALC) {
        if (plan->outputs) {
            value = plan->outputs[value->column];
            if (value->kind == PATTERNS_BOUND_PROC_TIME)
                return true;
        }
        plan = plan->inputs[0];
    }
    return value->kind == PATTERNS_BOUND_PROC_TIME;
}

/* OVER frames by rows do not change; those by time take in rows of the same instant that come later. */
static bool takes_peers(const struct patterns_plan *plan)
{
    bool peers = false;
    for (uint32_t f = 0; plan->kind == PATTERNS_PLAN_OVER && f < plan->over->frame_count; f++)
        peers = peers || !plan->over->frames[f].rows;
    for (uint32_t i = 0; i < plan->input_count && !peers; i++)
        peers = takes_peers(plan->inputs[i]);
    return peers;
}

static bool changes_in_order(const struct patterns_plan *plan)
{
    bool changes = plan->updating || (plan->kind == PATTERNS_PLAN_WINDOW && plan->group && plan->eager);
    for (uint32_t i = 0; i < plan->input_count && !changes; i++)
        changes = changes_in_order(plan->inputs[i]);
    return changes;
}

/* Is a row joined with a profile before its version is known for sure? */
static bool joins_early(const struct patterns_plan *plan)
{
    bool early = plan->kind == PATTERNS_PLAN_LOOKUP && plan->eager;
    for (uint32_t i = 0; i < plan->input_count && !early; i++)
        early = joins_early(plan->inputs[i]);
    return early;
}

const char *patterns_changes_stability(const struct patterns_plan *plan, const struct patterns_bound_match *match, const char **ret_witness)
{
    if (joins_early(plan) && !(match && match->stability[0] == 'u')) {
        *ret_witness = "a profile's version may come later than the rows of its time, which are then joined anew";
        return "not proved";
    }
    if (match) {
        *ret_witness = match->witness;
        return match->stability;
    }
    *ret_witness = "each row is an alert of its own";
    if (!patterns_plan_updating(plan))
        return "stable";
    if (changes_in_order(plan)) {
        *ret_witness = "a row that comes later can change or end what an alert stands on";
        return "not proved";
    }
    if (!takes_peers(plan))
        return "stable";
    *ret_witness = "a RANGE frame holds all rows of an instant: one more of them can change the aggregates of the others";
    return "not proved";
}

int patterns_changes_settle(struct patterns_binder *binder, const struct patterns_plan *plan, const struct patterns_plan **ret)
{
    *ret = plan;
    if (!patterns_plan_updating(plan))
        return 0;
    struct patterns_plan *sort = patterns_plan_make(binder, PATTERNS_PLAN_SORT, plan);
    struct patterns_relation *out = sort ? patterns_relation_named(binder, &plan->out, (struct base_str){ NULL, 0 }) : NULL;
    if (!out)
        return BASE_E_NOMEM;
    sort->out = *out;
    sort->source = plan->source;
    sort->begin = plan->begin;
    sort->end = plan->end;
    *ret = sort;
    return 0;
}

int patterns_changes_check_insert(struct patterns_binder *binder, const struct patterns_statement *statement, const struct patterns_table_info *table,
                                  const struct patterns_plan *plan)
{
    if (!patterns_plan_updating(plan))
        return 0;
    const struct patterns_query *query = statement->insert.query;
    return patterns_refuse_at(binder, statement->source, query->begin, query->end, "not-supported",
                              binder->late_ms ? "insert into a table that takes changes ('connector' = 'upsert-kafka' with a PRIMARY KEY), or leave out "
                                                "SET 'table.exec.emit.allow-lateness'"
                                              : "insert into a table that takes changes: 'connector' = 'upsert-kafka' with a PRIMARY KEY",
                              "the query updates rows that it gave, and \"%.*s\" takes new rows only", (int)table->name.len, table->name.ptr);
}

struct patterns_binder *patterns_changes_binder(const struct patterns_binder *binder)
{
    struct patterns_binder *own = base_arena_alloc(binder->arena, sizeof *own);
    if (!own)
        return NULL;
    *own = *binder;
    own->settled = true;
    own->evidence = false;
    return own;
}
