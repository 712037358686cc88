#include "patterns/over.h"

#include <string.h>
#include "base/error.h"
#include "patterns/clock.h"
#include "patterns/types.h"

#define LEAF_OVER 5
#define FRAMES_MAX 64
#define ROWS_MAX (1u << 20)

/* Which aggregate a leaf is. */
struct place { uint32_t over, frame, agg; };

static int refuse(struct patterns_binder *binder, const struct patterns_window *w, const char *hint, const char *message)
{
    return patterns_refuse_at(binder, w->source, w->begin, w->end, "not-supported", hint, "%s", message);
}

/* ---- the window's text ---- */

/* OVER w and OVER (w ...): what the WINDOW clause says, completed by what stands here. */
static int resolve(struct patterns_overs *overs, const struct patterns_window *w, struct patterns_window *ret)
{
    *ret = *w;
    if (!w->base)
        return 0;
    for (uint32_t i = 0; i < overs->select->window_count; i++) {
        const struct patterns_named_window *named = &overs->select->windows[i];
        if (!base_str_equal_fold(named->name.text, w->base->text))
            continue;
        if (named->window->base)
            return refuse(overs->binder, w, "write it out", "a window that refers to another one is not supported");
        *ret = *named->window;
        if (w->bare)
            return 0;
        ret->source = w->source;
        ret->begin = w->begin;
        ret->end = w->end;
        if (w->partition_count || (w->order_count && ret->order_count) || (w->unit != PATTERNS_FRAME_NONE && ret->unit != PATTERNS_FRAME_NONE))
            return refuse(overs->binder, w, NULL, "the named window says this already");
        if (w->order_count) {
            ret->order_by = w->order_by;
            ret->order_count = w->order_count;
        }
        if (w->unit != PATTERNS_FRAME_NONE) {
            ret->unit = w->unit;
            ret->from = w->from;
            ret->to = w->to;
        }
        return 0;
    }
    return patterns_refuse_at(overs->binder, w->source, w->begin, w->end, "unknown-table", "name one of the WINDOW clause", "unknown window \"%.*s\"",
                              (int)w->base->text.len, w->base->text.ptr);
}

static int bind_frame(struct patterns_binder *binder, const struct patterns_window *w, struct patterns_over_frame *ret)
{
    const struct patterns_scope constants = { .where = "OVER" };
    uint64_t rows = 0;
    int error = 0;
    *ret = (struct patterns_over_frame){ .rows = w->unit == PATTERNS_FRAME_ROWS };
    if (w->unit == PATTERNS_FRAME_NONE) { /* the standard: all rows up to this one and its peers */
        ret->unbounded = true;
        return 0;
    }
    if (w->to.kind == PATTERNS_BOUND_AT_FOLLOWING || w->to.kind == PATTERNS_BOUND_AT_UNBOUNDED_FOLLOWING)
        return refuse(binder, w, "write BETWEEN ... PRECEDING AND CURRENT ROW; what follows a row is asked by a row pattern, a window, or an interval join",
                      "a frame ends at the current row: the rows that follow are still to come");
    if (w->to.kind != PATTERNS_BOUND_AT_CURRENT_ROW)
        return refuse(binder, w, "write BETWEEN ... PRECEDING AND CURRENT ROW", "a frame ends at the current row");
    switch (w->from.kind) {
    case PATTERNS_BOUND_AT_UNBOUNDED_PRECEDING: ret->unbounded = true; return 0;
    case PATTERNS_BOUND_AT_CURRENT_ROW: return 0;
    case PATTERNS_BOUND_AT_PRECEDING: break;
    case PATTERNS_BOUND_AT_FOLLOWING:
    case PATTERNS_BOUND_AT_UNBOUNDED_FOLLOWING:
        return refuse(binder, w, "write BETWEEN ... PRECEDING AND CURRENT ROW", "a frame begins at or before the current row");
    }
    if (!ret->rows)
        return patterns_bind_interval_ms(binder, &constants, w->from.expr, "the frame of RANGE", true, &ret->back);
    error = patterns_bind_count(binder, &constants, w->from.expr, "the frame of ROWS", ROWS_MAX, &rows);
    ret->back = (int64_t)rows;
    return error;
}

static int bind_order(struct patterns_overs *overs, const struct patterns_window *w, const struct patterns_bound **ret)
{
    const struct patterns_relation *relation = overs->input.relation;
    struct patterns_scope scope = overs->input;
    scope.where = "ORDER BY";
    if (w->order_count != 1 || w->order_by[0].descending)
        return refuse(overs->binder, w, "write OVER (PARTITION BY key ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW)",
                      "an aggregate over a window of rows is ordered by the event time, ascending");
    int error = patterns_bind_expr(overs->binder, &scope, w->order_by[0].expr, ret);
    if (error)
        return error;
    if (patterns_clock_is(overs->from, *ret)) {
        overs->by_clock = true;
        *ret = patterns_clock_time(overs->binder, *ret);
        return *ret ? 0 : BASE_E_NOMEM;
    }
    overs->by_event = true;
    bool is_time = (*ret)->kind == PATTERNS_BOUND_COLUMN && cep_kind_is_time((*ret)->type.kind) &&
                   (relation->bounded || (*ret)->column == relation->rowtime);
    return is_time ? 0
                   : patterns_refuse(overs->binder, w->order_by[0].expr, "not-supported",
                                     "order by the column that WATERMARK FOR names, or by PROCTIME()",
                                     "an aggregate over a window of rows is ordered by the event time or by processing time");
}

static int bind_over(struct patterns_overs *overs, const struct patterns_window *w, struct patterns_over **ret)
{
    struct patterns_binder *binder = overs->binder;
    struct patterns_over *o = base_arena_zalloc(binder->arena, 1, sizeof *o);
    struct patterns_scope scope = overs->input;
    if (!o)
        return BASE_E_NOMEM;
    scope.where = "PARTITION BY";
    o->binder = binder;
    o->partition_count = w->partition_count;
    o->partition = base_arena_zalloc(binder->arena, w->partition_count + 1, sizeof *o->partition);
    o->key_names = base_arena_zalloc(binder->arena, w->partition_count + 1, sizeof *o->key_names);
    if (!o->partition || !o->key_names)
        return BASE_E_NOMEM;
    int error = bind_order(overs, w, &o->time);
    for (uint32_t i = 0; i < w->partition_count && !error; i++) {
        const struct patterns_expr *key = w->partition_by[i];
        error = patterns_bind_expr(binder, &scope, key, &o->partition[i]);
        o->key_names[i] = key->kind == PATTERNS_EXPR_NAME ? key->name.parts[key->name.count - 1].text
                                                          : base_str_of(base_arena_printf(binder->arena, "key%u", i));
        if (!error && (o->partition[i]->type.kind == CEP_KIND_NULL || o->partition[i]->type.kind == CEP_KIND_ROW))
            error = patterns_refuse(binder, key, "type-mismatch", NULL, "rows cannot be partitioned by %s", patterns_type_text(binder, o->partition[i]->type));
    }
    *ret = o;
    return error;
}

static bool same_over(const struct patterns_over *a, const struct patterns_over *b)
{
    if (a->partition_count != b->partition_count || !patterns_bound_same(a->time, b->time))
        return false;
    for (uint32_t i = 0; i < a->partition_count; i++)
        if (!patterns_bound_same(a->partition[i], b->partition[i]))
            return false;
    return true;
}

static int find_over(struct patterns_overs *overs, const struct patterns_window *w, uint32_t *ret)
{
    struct patterns_over *o;
    int error = bind_over(overs, w, &o);
    if (error)
        return error;
    for (*ret = 0; *ret < overs->count; ++*ret)
        if (same_over(overs->at[*ret], o))
            return 0;
    if (overs->count == sizeof overs->at / sizeof *overs->at)
        return refuse(overs->binder, w, "put some of them into a query inside", "a SELECT has at most 8 different PARTITION BY in OVER");
    overs->at[overs->count++] = o;
    return 0;
}

static int find_frame(struct patterns_over *o, const struct patterns_window *w, const struct patterns_over_frame *frame, uint32_t *ret)
{
    for (*ret = 0; *ret < o->frame_count; ++*ret) {
        const struct patterns_over_frame *f = &o->frames[*ret];
        if (f->rows == frame->rows && f->unbounded == frame->unbounded && f->back == frame->back)
            return 0;
    }
    if (o->frame_count == FRAMES_MAX)
        return refuse(o->binder, w, NULL, "a SELECT has at most 64 different frames");
    if (o->frame_count == o->frame_cap) {
        uint32_t cap = o->frame_cap ? o->frame_cap * 2 : 4;
        struct patterns_over_frame *grown = base_arena_zalloc(o->binder->arena, cap, sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        if (o->frame_count)
            memcpy(grown, o->frames, o->frame_count * sizeof *grown);
        o->frames = grown;
        o->frame_cap = cap;
    }
    o->frames[o->frame_count++] = *frame;
    return 0;
}

/* LAG(x [, n [, otherwise]]): the row n rows before. */
static int lag_frame(struct patterns_overs *overs, const struct patterns_expr *expr, const struct patterns_window *w, struct patterns_over_frame *ret)
{
    const struct patterns_scope constants = { .where = "LAG" };
    uint64_t rows = 1;
    if (w->unit != PATTERNS_FRAME_NONE)
        return refuse(overs->binder, w, "leave it out", "LAG takes no frame");
    int error = expr->call->arg_count > 1 ? patterns_bind_count(overs->binder, &constants, expr->call->args[1], "the distance of LAG", ROWS_MAX, &rows) : 0;
    *ret = (struct patterns_over_frame){ .rows = true, .back = (int64_t)rows };
    return error;
}

/* CASE WHEN COUNT(*) over the same frame > n THEN the row's value ELSE otherwise END */
static int lag_default(struct patterns_overs *overs, const struct patterns_expr *expr, const struct place *lag, uint64_t hash, const struct patterns_bound **ret)
{
    struct patterns_binder *binder = overs->binder;
    const struct cep_type big = CEP_TYPE(BIGINT), type = (*ret)->type;
    struct patterns_over_frame *frame = &overs->at[lag->over]->frames[lag->frame];
    struct patterns_agg count = { .kind = CEP_AGG_COUNT, .type = big };
    const struct patterns_bound *arms[3] = { NULL, *ret, NULL }, *pair[2];
    struct place *place = base_arena_zalloc(binder->arena, 1, sizeof *place);
    if (!place)
        return BASE_E_NOMEM;
    *place = *lag;
    count.hash = patterns_hash_mix(47, (uint64_t)frame->back);
    int error = patterns_bind_expr(binder, &overs->input, expr->call->args[2], &arms[2]);
    if (!error)
        error = patterns_coerce(binder, arms[2], type, "the third argument of LAG", &arms[2]);
    if (!error)
        error = patterns_aggs_add(binder->arena, &frame->aggs, &count, &place->agg);
    if (error)
        return error;
    pair[0] = patterns_bound_external(binder, expr, big, LEAF_OVER, place, patterns_hash_mix(hash, count.hash), 0);
    pair[1] = patterns_bound_const(binder, expr, big, cep_int(frame->back));
    arms[0] = pair[0] && pair[1] ? patterns_bound_op(binder, expr, PATTERNS_BOUND_GT, CEP_TYPE(BOOLEAN), pair, 2) : NULL;
    *ret = arms[0] ? patterns_bound_op(binder, expr, PATTERNS_BOUND_CASE, type, arms, 3) : NULL;
    return *ret ? 0 : BASE_E_NOMEM;
}

int patterns_over_call(void *ctx, struct patterns_binder *binder, const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    struct patterns_overs *overs = ctx;
    struct patterns_window window;
    struct patterns_over_frame frame;
    struct patterns_agg agg;
    struct place *place = base_arena_zalloc(binder->arena, 1, sizeof *place);
    *ret = NULL;
    if (!place)
        return BASE_E_NOMEM;
    if (!patterns_call_is_over(expr->call))
        return 0;
    int error = resolve(overs, expr->call->over, &window);
    if (!error)
        error = patterns_agg_bind(binder, &overs->input, expr, &agg);
    if (!error)
        error = agg.kind == CEP_AGG_LAG ? lag_frame(overs, expr, &window, &frame) : bind_frame(binder, &window, &frame);
    if (!error)
        error = find_over(overs, &window, &place->over);
    if (!error)
        error = find_frame(overs->at[place->over], &window, &frame, &place->frame);
    if (error)
        return error;
    struct patterns_over *o = overs->at[place->over];
    error = patterns_aggs_add(binder->arena, &o->frames[place->frame].aggs, &agg, &place->agg);
    if (error)
        return error;
    uint64_t hash = patterns_hash_mix(patterns_hash_mix(patterns_hash_mix(agg.hash, (uint64_t)frame.rows * 2 + frame.unbounded), (uint64_t)frame.back), o->time->hash);
    for (uint32_t i = 0; i < o->partition_count; i++)
        hash = patterns_hash_mix(hash, o->partition[i]->hash);
    *ret = patterns_bound_external(binder, expr, agg.type, LEAF_OVER, place, hash, 0);
    return !*ret ? BASE_E_NOMEM : agg.kind == CEP_AGG_LAG && expr->call->arg_count == 3 ? lag_default(overs, expr, place, hash, ret) : 0;
}

/* ---- the plan ---- */

static uint64_t hash_of(const struct patterns_over *o)
{
    uint64_t h = patterns_hash_mix(23, o->time->hash);
    for (uint32_t i = 0; i < o->partition_count; i++)
        h = patterns_hash_mix(h, o->partition[i]->hash);
    for (uint32_t f = 0; f < o->frame_count; f++) {
        h = patterns_hash_mix(patterns_hash_mix(h, (uint64_t)o->frames[f].rows * 2 + o->frames[f].unbounded), (uint64_t)o->frames[f].back);
        for (uint32_t i = 0; i < o->frames[f].aggs.count; i++)
            h = patterns_hash_mix(h, o->frames[f].aggs.at[i].hash);
    }
    return h;
}

int patterns_over_plan(struct patterns_overs *overs, const struct patterns_plan *input, const struct patterns_plan **ret)
{
    struct patterns_binder *binder = overs->binder;
    if (overs->by_clock) {
        const struct patterns_clock_place place = { overs->select->from->source, overs->select->from->begin, overs->select->from->end };
        if (overs->by_event)
            return patterns_refuse_at(binder, place.source, place.begin, place.end, "not-supported", "put one of them into a query inside",
                                      "one SELECT orders its OVER by the event time or by processing time, not by both");
        int error = patterns_clock_by_arrival(binder, &place, input, &input);
        if (error)
            return error;
    }
    for (uint32_t k = 0; k < overs->count; k++) {
        struct patterns_over *o = overs->at[k];
        struct patterns_plan *plan = patterns_plan_make(binder, PATTERNS_PLAN_OVER, input);
        struct patterns_relation *out = plan ? patterns_relation_named(binder, &input->out, (struct base_str){ NULL, 0 }) : NULL;
        if (!out)
            return BASE_E_NOMEM;
        o->hash = hash_of(o);
        o->inputs = out->count;
        plan->over = o;
        plan->keys = o->partition;
        plan->key_names = o->key_names;
        plan->key_count = o->partition_count;
        plan->eager = binder->eager;
        plan->source = o->time->source;
        plan->rows = patterns_hash_mix(input->rows, o->hash);
        for (uint32_t f = 0; f < o->frame_count; f++)
            for (uint32_t i = 0; i < o->frames[f].aggs.count; i++) {
                const char *name = base_arena_printf(binder->arena, "over%u", out->count - o->inputs);
                struct patterns_column c = { .name = base_str_of(name), .type = o->frames[f].aggs.at[i].type,
                                             .hash = patterns_hash_mix(plan->rows, out->count) };
                if (patterns_relation_add(out, binder->arena, &c) == PATTERNS_NO_COLUMN)
                    return BASE_E_NOMEM;
            }
        plan->out = *out;
        input = plan;
    }
    *ret = input;
    return 0;
}

static const struct patterns_bound *leaf_column(void *ctx, const struct patterns_bound *leaf)
{
    struct patterns_overs *overs = ctx;
    if (leaf->kind != PATTERNS_BOUND_EXTERNAL || leaf->id != LEAF_OVER)
        return leaf;
    const struct place *place = leaf->detail;
    const struct patterns_over *o = overs->at[place->over];
    struct patterns_bound *column = base_arena_zalloc(overs->binder->arena, 1, sizeof *column);
    if (!column)
        return NULL;
    *column = *leaf;
    column->kind = PATTERNS_BOUND_COLUMN;
    column->flags = PATTERNS_BOUND_HAS_COLUMN;
    column->detail = NULL;
    column->id = 0;
    column->column = o->inputs + place->agg;
    for (uint32_t f = 0; f < place->frame; f++)
        column->column += o->frames[f].aggs.count;
    return column;
}

const struct patterns_bound *patterns_over_columns(struct patterns_overs *overs, const struct patterns_bound *bound)
{
    return patterns_bound_map(overs->binder, bound, leaf_column, overs);
}

void patterns_over_mark_columns(const struct patterns_plan *plan, const bool *needed, bool *used)
{
    const struct patterns_over *o = plan->over;
    for (uint32_t i = 0; i < o->inputs; i++)
        used[i] |= needed[i];
    for (uint32_t i = 0; i < o->partition_count; i++)
        patterns_bound_mark_columns(o->partition[i], used);
    patterns_bound_mark_columns(o->time, used);
    for (uint32_t f = 0; f < o->frame_count; f++)
        patterns_aggs_mark_columns(&o->frames[f].aggs, used);
}

/* ---- emission ---- */

int patterns_over_emit(const struct patterns_plan *plan, const struct patterns_emit_env *env, const bool *needed, uint32_t *ret)
{
    const struct patterns_over *o = plan->over;
    struct cep_over_frame *frames = base_arena_zalloc(env->arena, o->frame_count + 1, sizeof *frames);
    uint32_t *outs = base_arena_zalloc(env->arena, plan->out.count + 1, sizeof *outs);
    struct cep_over detail = { .eager = plan->eager };
    int error = frames && outs ? 0 : BASE_E_NOMEM;
    for (uint32_t f = 0; f < o->frame_count && !error; f++) {
        const struct patterns_over_frame *frame = &o->frames[f];
        frames[f] = (struct cep_over_frame){ .rows = frame->rows, .unbounded = frame->unbounded, .back = frame->back };
        /* In a frame that slides a count of all values stands for the sketch, from which nothing can be taken back. */
        error = patterns_aggs_emit(&frame->aggs, env, false, &frames[f].aggs);
        for (uint32_t i = 0; i < frame->aggs.count && !error; i++) {
            struct cep_agg *agg = cep_builder_at(env->builder, CEP_SEC_AGGS, frames[f].aggs.first + i);
            if (!frame->unbounded && agg && agg->kind == CEP_AGG_APPROX_DISTINCT)
                agg->retracts = 1;
        }
    }
    for (uint32_t i = 0; i < plan->out.count && !error; i++)
        outs[i] = i < o->inputs ? CEP_AGG_OUT(CEP_AGG_OUT_COLUMN, needed[i] ? env->columns[i] : 0) : CEP_AGG_OUT(CEP_AGG_OUT_AGG, i - o->inputs);
    if (!error)
        error = patterns_outs_emit(env->arena, env->builder, outs, plan->out.count, needed, &detail.outs);
    if (!error)
        error = patterns_emit_expr(env, o->time, &detail.time);
    if (error)
        return error;
    detail.frames = (struct cep_list){ cep_builder_add(env->builder, CEP_SEC_FRAMES, frames, o->frame_count), o->frame_count };
    *ret = cep_builder_add(env->builder, CEP_SEC_OVERS, &detail, 1);
    return detail.frames.first == CEP_NONE || *ret == CEP_NONE ? BASE_E_NOMEM : 0;
}
