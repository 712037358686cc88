#include "patterns/window.h"

#include <string.h>
#include "base/error.h"
#include "patterns/aggregate.h"
#include "patterns/changes.h"
#include "patterns/clock.h"
#include "patterns/latest.h"

static int refuse(struct patterns_binder *binder, const struct patterns_table *table, const char *hint, const char *message)
{
    return patterns_refuse_at(binder, table->source, table->begin, table->end, "not-supported", hint, "%s", message);
}

/* DESCRIPTOR(ts): the event time, or in a bounded table any timestamp. */
static int bind_time(struct patterns_binder *binder, const struct patterns_table *table, struct patterns_from *input, const struct patterns_bound **ret)
{
    const struct patterns_relation *relation = input->relation;
    const struct patterns_clock_place place = { table->source, table->begin, table->end };
    const struct patterns_name *name = &table->window_tvf->time;
    struct patterns_name_part *parts = base_arena_zalloc(binder->arena, name->count + 1, sizeof *parts);
    uint32_t column;
    if (!parts)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < name->count; i++)
        parts[i] = (struct patterns_name_part){ name->parts[i].text, name->parts[i].quoted };
    if (patterns_relation_find(relation, parts, name->count, &column) == PATTERNS_FOUND_NONE) {
        struct base_str last = name->parts[name->count - 1].text, near = patterns_relation_nearest(relation, last);
        return patterns_refuse_at(binder, table->source, name->begin, name->end, "unknown-column",
                                  near.len ? base_arena_printf(binder->arena, "did you mean \"%.*s\"?", (int)near.len, near.ptr) : NULL,
                                  "unknown column \"%.*s\"", (int)last.len, last.ptr);
    }
    if (!cep_kind_is_time(relation->columns[column].type.kind))
        return patterns_refuse_at(binder, table->source, name->begin, name->end, "type-mismatch", "name the event time column",
                                  "DESCRIPTOR names a TIMESTAMP, not %s", patterns_type_text(binder, relation->columns[column].type));
    *ret = patterns_bound_column(binder, NULL, relation, column);
    if (!*ret)
        return BASE_E_NOMEM;
    if (patterns_clock_is(input->plan, *ret)) {
        *ret = patterns_clock_time(binder, *ret);
        return *ret ? patterns_clock_by_arrival(binder, &place, input->plan, &input->plan) : BASE_E_NOMEM;
    }
    if (column != relation->rowtime && !relation->bounded)
        return patterns_refuse_at(binder, table->source, name->begin, name->end, "not-supported",
                                  "declare WATERMARK FOR it in CREATE TABLE; behind a window, name window_time",
                                  "windows over a stream go by its event time or by PROCTIME(), and this column is neither");
    return 0;
}

/* 'allowed-lateness': windows right above their table, by its event time. */
static int allow_lateness(const struct patterns_query_scope *scope, const struct patterns_table *table, struct patterns_from *input,
                          struct patterns_window_tvf_bound *w)
{
    const struct patterns_clock_place place = { table->source, table->begin, table->end };
    if (!scope->binder->late_ms || w->time->kind == PATTERNS_BOUND_ROW_TIME)
        return 0;
    w->late_ms = scope->binder->late_ms;
    w->tells_early = scope->binder->tells_early;
    return patterns_clock_lag(scope->binder, &place, input->plan, w->late_ms, &input->plan);
}

static int bind_lengths(struct patterns_binder *binder, const struct patterns_table *table, struct patterns_window_tvf_bound *w)
{
    static const enum cep_window_kind kinds[] = { [PATTERNS_WINDOW_TUMBLE] = CEP_WINDOW_TUMBLE, [PATTERNS_WINDOW_HOP] = CEP_WINDOW_HOP,
                                                  [PATTERNS_WINDOW_CUMULATE] = CEP_WINDOW_CUMULATE, [PATTERNS_WINDOW_SESSION] = CEP_WINDOW_SESSION };
    const struct patterns_window_tvf *tvf = table->window_tvf;
    const struct patterns_scope constants = { .where = "a window function" };
    w->kind = kinds[tvf->kind];
    int error = patterns_bind_interval_ms(binder, &constants, tvf->size, w->kind == CEP_WINDOW_SESSION ? "the gap" : "the window's size", false, &w->size_ms);
    w->slide_ms = w->size_ms;
    if (!error && tvf->slide)
        error = patterns_bind_interval_ms(binder, &constants, tvf->slide, w->kind == CEP_WINDOW_HOP ? "the slide" : "the step", false, &w->slide_ms);
    if (!error && tvf->offset)
        error = patterns_bind_interval_ms(binder, &constants, tvf->offset, "the offset", true, &w->offset_ms);
    if (error)
        return error;
    if (w->kind == CEP_WINDOW_SESSION)
        w->slide_ms = 0;
    if (w->kind == CEP_WINDOW_CUMULATE && w->size_ms % w->slide_ms)
        return patterns_refuse(binder, tvf->size, "type-mismatch", NULL, "the largest size of CUMULATE is a multiple of its step");
    if (w->kind == CEP_WINDOW_HOP && w->size_ms % w->slide_ms) /* as in Flink: panes of one slide */
        return patterns_refuse(binder, tvf->size, "type-mismatch", "choose a slide that divides the size", "the size of HOP is a multiple of its slide");
    w->offset_ms %= w->size_ms;
    return 0;
}

static int bind_partition(struct patterns_binder *binder, const struct patterns_table *table, const struct patterns_relation *relation,
                          struct patterns_window_tvf_bound *w)
{
    const struct patterns_window_tvf *tvf = table->window_tvf;
    const struct patterns_scope scope = { .relation = relation, .where = "PARTITION BY" };
    w->partition_count = tvf->partition_count;
    w->partition = base_arena_zalloc(binder->arena, tvf->partition_count + 1, sizeof *w->partition);
    if (!w->partition)
        return BASE_E_NOMEM;
    if (tvf->partition_count && w->kind != CEP_WINDOW_SESSION)
        return refuse(binder, table, "group by it above the window", "only SESSION takes PARTITION BY");
    for (uint32_t i = 0; i < tvf->partition_count; i++) {
        int error = patterns_bind_expr(binder, &scope, tvf->partition_by[i], &w->partition[i]);
        if (error)
            return error;
        w->hash = patterns_hash_mix(w->hash, w->partition[i]->hash);
    }
    return 0;
}

/* Input's columns, then window_start, window_end, window_time. */
static int make_columns(struct patterns_binder *binder, const struct patterns_relation *input, struct patterns_window_tvf_bound *w, struct patterns_plan *plan)
{
    static const char *const names[] = { "window_start", "window_end", "window_time" };
    struct patterns_relation *out = patterns_relation_named(binder, input, (struct base_str){ "", 0 });
    if (!out)
        return BASE_E_NOMEM;
    w->first_column = out->count;
    for (uint32_t i = 0; i < 3; i++) {
        struct patterns_column c = { .name = base_str_of(names[i]), .type = i < 2 ? CEP_TYPE(TIMESTAMP) : w->time->type,
                                     .hash = patterns_hash_mix(w->hash, i + 1) };
        if (patterns_relation_add(out, binder->arena, &c) == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
    }
    out->rowtime = w->first_column + 2;
    plan->out = *out;
    return 0;
}

int patterns_window_bind(const struct patterns_query_scope *scope, const struct patterns_table *table, const struct patterns_plan **ret)
{
    struct patterns_binder *binder = base_arena_alloc(scope->binder->arena, sizeof *binder);
    struct patterns_window_tvf_bound *w = base_arena_zalloc(scope->binder->arena, 1, sizeof *w);
    struct patterns_query_scope inner = *scope;
    struct patterns_from input;
    if (!binder || !w)
        return BASE_E_NOMEM;
    *binder = *scope->binder;
    binder->eager = binder->evidence = false; /* a window takes rows that stay */
    binder->late_ms = 0;
    binder->default_late_ms = binder->default_late_ms ? -1 : 0;
    inner.binder = binder;
    int error = patterns_bind_from(&inner, table->window_tvf->table, &input);
    if (error)
        return error;
    if (patterns_plan_updating(input.plan))
        return refuse(binder, table, patterns_latest_only(input.plan) ? PATTERNS_LATEST_HINT : "put the window below the aggregate or the join",
                      "a window takes rows that stay as they are, and this query changes rows that it gave");
    w->source = table->source;
    w->begin = table->begin;
    w->end = table->end;
    error = bind_time(binder, table, &input, &w->time);
    if (!error)
        error = bind_lengths(binder, table, w);
    if (!error)
        error = allow_lateness(scope, table, &input, w);
    w->hash = error ? 0 : patterns_hash_mix(patterns_hash_mix(19, (uint64_t)w->kind), w->time->hash);
    w->hash = patterns_hash_mix(patterns_hash_mix(patterns_hash_mix(w->hash, (uint64_t)w->size_ms), (uint64_t)w->slide_ms), (uint64_t)w->offset_ms);
    if (!error)
        error = bind_partition(binder, table, input.relation, w);
    struct patterns_plan *plan = error ? NULL : patterns_plan_make(binder, PATTERNS_PLAN_WINDOW, input.plan);
    if (!plan)
        return error ? error : BASE_E_NOMEM;
    plan->source = table->source;
    plan->begin = table->begin;
    plan->end = table->end;
    plan->window = w;
    plan->rows = patterns_hash_mix(input.plan->rows, w->hash);
    *ret = plan;
    return make_columns(binder, input.relation, w, plan);
}

int patterns_window_check_keys(struct patterns_binder *binder, const struct patterns_window_tvf_bound *window, const struct patterns_bound *const *keys,
                               uint32_t count)
{
    bool same = window->kind != CEP_WINDOW_SESSION || count == window->partition_count;
    for (uint32_t i = 0; i < window->partition_count && same; i++) {
        same = false;
        for (uint32_t k = 0; k < count; k++)
            same = same || patterns_bound_same(keys[k], window->partition[i]);
    }
    return same ? 0
                : patterns_refuse_at(binder, window->source, window->begin, window->end, "not-supported",
                                     "SESSION(TABLE t PARTITION BY k, ...) with GROUP BY window_start, window_end, k",
                                     "sessions are grouped by the columns of their PARTITION BY");
}

int patterns_window_emit(const struct patterns_window_tvf_bound *window, const struct patterns_emit_env *env, struct cep_window *detail, uint32_t *ret)
{
    detail->kind = window->kind;
    detail->size_ms = window->size_ms;
    detail->slide_ms = window->slide_ms;
    detail->offset_ms = window->offset_ms;
    detail->late_ms = detail->eager && !window->tells_early ? window->late_ms : 0;
    int error = patterns_emit_expr(env, window->time, &detail->time);
    if (error)
        return error;
    *ret = cep_builder_add(env->builder, CEP_SEC_WINDOWS, detail, 1);
    return *ret == CEP_NONE ? BASE_E_NOMEM : 0;
}

int patterns_window_emit_assign(const struct patterns_plan *plan, const struct patterns_emit_env *env, const bool *needed, uint32_t *ret)
{
    struct cep_window detail = { .assigns = 1 };
    uint32_t first = plan->window->first_column, *outs = base_arena_zalloc(env->arena, first + 4, sizeof *outs);
    if (!outs)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < first + 3; i++)
        outs[i] = i < first ? CEP_AGG_OUT(CEP_AGG_OUT_COLUMN, needed[i] ? env->columns[i] : 0) : CEP_AGG_OUT(CEP_AGG_OUT_WINDOW, i - first);
    int error = patterns_outs_emit(env->arena, env->builder, outs, first + 3, needed, &detail.outs);
    return error ? error : patterns_window_emit(plan->window, env, &detail, ret);
}

int patterns_window_check(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    int error = 0;
    if (plan->kind == PATTERNS_PLAN_WINDOW && !plan->group && plan->window->kind == CEP_WINDOW_SESSION)
        return patterns_refuse_at(binder, plan->source, plan->begin, plan->end, "not-supported",
                                  "group right above it: GROUP BY window_start, window_end and the columns of its PARTITION BY",
                                  "a session is known when it has ended: SESSION stands below a GROUP BY");
    for (uint32_t i = 0; i < plan->input_count && !error; i++)
        error = patterns_window_check(binder, plan->inputs[i]);
    return error;
}
