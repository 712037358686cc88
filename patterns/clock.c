#include "patterns/clock.h"

#include <string.h>
#include "base/error.h"

bool patterns_clock_is(const struct patterns_plan *plan, const struct patterns_bound *value)
{
    if (value->kind == PATTERNS_BOUND_PROC_TIME)
        return true;
    if (value->kind != PATTERNS_BOUND_COLUMN)
        return false;
    if (plan->kind == PATTERNS_PLAN_CALC && plan->outputs)
        return patterns_clock_is(plan->inputs[0], plan->outputs[value->column]);
    bool passes = plan->kind == PATTERNS_PLAN_CALC || plan->kind == PATTERNS_PLAN_UNION ||
                  (plan->kind == PATTERNS_PLAN_LOOKUP && value->column < plan->inputs[0]->out.count);
    for (uint32_t i = 0; i < plan->input_count && passes; i++)
        passes = patterns_clock_is(plan->inputs[i], value);
    return passes && plan->input_count;
}

const struct patterns_bound *patterns_clock_time(struct patterns_binder *binder, const struct patterns_bound *place)
{
    struct patterns_bound *time = base_arena_zalloc(binder->arena, 1, sizeof *time);
    if (!time)
        return NULL;
    time->kind = PATTERNS_BOUND_ROW_TIME;
    time->type = place->type;
    time->flags = PATTERNS_BOUND_HAS_ROW_TIME;
    time->source = place->source;
    time->begin = place->begin;
    time->end = place->end;
    time->hash = patterns_hash_mix(37, (uint64_t)place->type.kind);
    return time;
}

struct variant { struct patterns_binder *binder; const struct patterns_clock_place *place; bool clock; int64_t late_ms; };

/* PROCTIME() is the time at which the row came in, for all who ask. */
static int stamp_outputs(const struct variant *v, struct patterns_plan *calc)
{
    const struct patterns_bound **outputs = base_arena_zalloc(v->binder->arena, calc->out.count + 1, sizeof *outputs);
    if (!outputs)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < calc->out.count; i++) {
        bool now = calc->outputs[i]->kind == PATTERNS_BOUND_PROC_TIME;
        outputs[i] = now ? patterns_clock_time(v->binder, calc->outputs[i]) : calc->outputs[i];
        if (!outputs[i])
            return BASE_E_NOMEM;
    }
    calc->outputs = outputs;
    return 0;
}

static int refuse(const struct variant *v)
{
    const char *hint = "read the table, a view of it that filters and computes, or a UNION ALL of such";
    return v->clock ? patterns_refuse_at(v->binder, v->place->source, v->place->begin, v->place->end, "not-supported", hint,
                                         "processing time is the time at which a row comes in: nothing that keeps rows can stand between the table and it")
                    : patterns_refuse_at(v->binder, v->place->source, v->place->begin, v->place->end, "not-supported", hint,
                                         "'allowed-lateness' is of windows right above their table: nothing that keeps rows can stand between them");
}

static int vary(const struct variant *v, const struct patterns_plan *plan, const struct patterns_plan **ret)
{
    struct patterns_plan *copy = base_arena_alloc(v->binder->arena, sizeof *copy);
    int error = 0;
    if (!copy)
        return BASE_E_NOMEM;
    *copy = *plan;
    *ret = copy;
    copy->rows = patterns_hash_mix(patterns_hash_mix(plan->rows, v->clock), (uint64_t)v->late_ms);
    switch (plan->kind) {
    case PATTERNS_PLAN_SOURCE:
        copy->clock = v->clock;
        copy->late_ms = v->late_ms;
        break;
    case PATTERNS_PLAN_CALC:
        if (v->clock && plan->outputs)
            error = stamp_outputs(v, copy);
        break;
    case PATTERNS_PLAN_UNION: break;
    case PATTERNS_PLAN_LOOKUP:
        if (plan->as_of && v->clock && plan->table->rowtime_field != PATTERNS_NO_COLUMN)
            return refuse(v); /* it waits for the table by event time */
        break;
    case PATTERNS_PLAN_WINDOW:
        if (plan->group || v->clock)
            return refuse(v);
        break;
    case PATTERNS_PLAN_MATCH:
    case PATTERNS_PLAN_SORT:
    case PATTERNS_PLAN_GROUP:
    case PATTERNS_PLAN_OVER:
    case PATTERNS_PLAN_TOPN:
    case PATTERNS_PLAN_JOIN:
    case PATTERNS_PLAN_EXCHANGE: return refuse(v);
    }
    if (v->clock)
        copy->out.rowtime = PATTERNS_NO_COLUMN; /* no column holds the row's time any more */
    copy->inputs = base_arena_zalloc(v->binder->arena, plan->input_count + 1, sizeof *copy->inputs);
    if (!copy->inputs)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < plan->input_count && !error; i++)
        error = vary(v, plan->inputs[i], &copy->inputs[i]);
    return error;
}

int patterns_clock_by_arrival(struct patterns_binder *binder, const struct patterns_clock_place *place, const struct patterns_plan *plan,
                              const struct patterns_plan **ret)
{
    return vary(&(struct variant){ .binder = binder, .place = place, .clock = true }, plan, ret);
}

int patterns_clock_lag(struct patterns_binder *binder, const struct patterns_clock_place *place, const struct patterns_plan *plan, int64_t late_ms,
                       const struct patterns_plan **ret)
{
    return vary(&(struct variant){ .binder = binder, .place = place, .late_ms = late_ms }, plan, ret);
}
