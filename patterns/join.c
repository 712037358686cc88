#include "patterns/join.h"

#include <string.h>
#include "base/error.h"
#include "patterns/changes.h"
#include "patterns/fold.h"

#define CONJUNCTS_MAX 256
#define DISTANCE_MAX_MS (INT64_C(366) * 100 * 86400000) /* of an interval join: a hundred years */

/* A join on its way. */
struct joining {
    const struct patterns_query_scope *scope;
    struct patterns_binder *binder;
    const struct patterns_table *text;
    struct patterns_from side[2];
    uint32_t left;                 /* columns of the left side */
    struct patterns_relation *both;
    struct patterns_plan *plan;
    struct patterns_join_on *on;
    bool has_low, has_high;
};

static int refuse(struct joining *j, const char *code, const char *hint, const char *message)
{
    return patterns_refuse_at(j->binder, j->text->source, j->text->begin, j->text->end, code, hint, "%s", message);
}

/* ---- sides ---- */

static int bind_sides(struct joining *j, struct patterns_binder *binder)
{
    struct patterns_query_scope inner = *j->scope;
    inner.binder = binder;
    inner.top = false;
    int error = patterns_bind_from(&inner, j->text->join.left, &j->side[0]);
    int right_error = patterns_bind_from(&inner, j->text->join.right, &j->side[1]);
    return error ? error : right_error;
}

/* left ++ right; what can be NULL now because its side may be missing. */
static int make_relation(struct joining *j)
{
    j->left = j->side[0].relation->count;
    j->both = patterns_relation_named(j->binder, j->side[0].relation, (struct base_str){ NULL, 0 });
    if (!j->both)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < j->side[1].relation->count; i++)
        if (patterns_relation_add(j->both, j->binder->arena, &j->side[1].relation->columns[i]) == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
    for (uint32_t i = 0; i < j->both->count; i++) {
        struct patterns_column *c = &j->both->columns[i];
        /* Equal sides (a join with itself) give columns of unequal meaning. */
        c->hash = patterns_hash_mix(c->hash, i < j->left ? 21 : 22);
        c->not_null = c->not_null && !(j->on->outer & (i < j->left ? CEP_JOIN_OUTER_RIGHT : CEP_JOIN_OUTER_LEFT));
    }
    if (j->both->count > CEP_COLUMNS_MAX)
        return refuse(j, "limit", NULL, "the join has too many columns");
    j->both->bounded = j->side[0].relation->bounded && j->side[1].relation->bounded;
    j->both->rowtime = PATTERNS_NO_COLUMN;
    return 0;
}

/* 0: reads the left side alone, 1: the right one alone, 2: both, 3: none. */
static unsigned side_of(const struct joining *j, const struct patterns_bound *bound)
{
    bool *used = base_arena_zalloc(j->binder->arena, (size_t)j->both->count + 1, sizeof *used), sides[2] = { false, false };
    if (!used)
        return 2;
    patterns_bound_mark_columns(bound, used);
    for (uint32_t i = 0; i < j->both->count; i++)
        sides[i >= j->left] |= used[i];
    return sides[0] && sides[1] ? 2 : sides[0] ? 0 : sides[1] ? 1 : 3;
}

static const struct patterns_bound *own_column(void *ctx, const struct patterns_bound *leaf)
{
    struct joining *j = ctx;
    if (leaf->kind != PATTERNS_BOUND_COLUMN)
        return leaf;
    bool right = leaf->column >= j->left;
    return patterns_bound_column(j->binder, NULL, j->side[right].relation, leaf->column - (right ? j->left : 0));
}

/* ---- keys ---- */

static struct base_str key_name(const struct joining *j, const struct patterns_bound *key)
{
    return key->kind == PATTERNS_BOUND_COLUMN ? j->both->columns[key->column].name : BASE_STR("key");
}

static int take_key(struct joining *j, const struct patterns_bound *c, bool *ret)
{
    *ret = false;
    if (c->kind != PATTERNS_BOUND_EQ || (c->flags & PATTERNS_BOUND_IS_VOLATILE))
        return 0;
    unsigned first = side_of(j, c->args[0]), second = side_of(j, c->args[1]);
    if (first > 1 || second > 1 || first == second)
        return 0;
    struct patterns_join_on *on = j->on;
    for (unsigned i = 0; i < 2; i++) {
        unsigned side = i == 0 ? first : second;
        on->keys[side][on->key_count] = patterns_bound_map(j->binder, c->args[i], own_column, j);
        if (!on->keys[side][on->key_count])
            return BASE_E_NOMEM;
    }
    on->key_names[on->key_count++] = key_name(j, c->args[first == 0 ? 0 : 1]);
    *ret = true;
    return 0;
}

/* ---- distance in time ---- */

/* `rowtime + constant` of one side. */
struct moment { unsigned side; int64_t shift_ms; };

static bool constant_ms(const struct patterns_bound *bound, int64_t *ret)
{
    if (bound->kind != PATTERNS_BOUND_CONST || bound->value.null || bound->type.kind != CEP_KIND_INTERVAL_DAY)
        return false;
    *ret = bound->value.i;
    return bound->value.i > -DISTANCE_MAX_MS && bound->value.i < DISTANCE_MAX_MS;
}

static bool moment_of(const struct joining *j, const struct patterns_bound *bound, struct moment *ret)
{
    int64_t ms;
    if (bound->kind == PATTERNS_BOUND_CAST && cep_kind_is_time(bound->type.kind))
        bound = bound->args[0];
    if (bound->kind == PATTERNS_BOUND_COLUMN) {
        uint32_t left = j->side[0].relation->rowtime, right = j->side[1].relation->rowtime;
        *ret = (struct moment){ .side = bound->column >= j->left };
        return bound->column == left || (right != PATTERNS_NO_COLUMN && bound->column == j->left + right);
    }
    if (bound->kind != PATTERNS_BOUND_ADD && bound->kind != PATTERNS_BOUND_SUB)
        return false;
    bool swapped = bound->kind == PATTERNS_BOUND_ADD && bound->args[0]->kind == PATTERNS_BOUND_CONST;
    if (!moment_of(j, bound->args[swapped], ret) || !constant_ms(bound->args[!swapped], &ms))
        return false;
    ret->shift_ms += bound->kind == PATTERNS_BOUND_ADD ? ms : -ms;
    return true;
}

/* a <= b (strict: <) of two moments as a bound on time(left) - time(right). */
static bool order_moments(struct joining *j, const struct patterns_bound *a, const struct patterns_bound *b, bool strict)
{
    struct moment x, y;
    if (!moment_of(j, a, &x) || !moment_of(j, b, &y) || x.side == y.side)
        return false;
    int64_t ms = y.shift_ms - x.shift_ms; /* x.time - y.time <= ms */
    if (x.side == 0) {
        ms -= strict;
        j->on->hi_ms = j->has_high && j->on->hi_ms < ms ? j->on->hi_ms : ms;
        j->has_high = true;
    } else {
        ms = -ms + strict;
        j->on->lo_ms = j->has_low && j->on->lo_ms > ms ? j->on->lo_ms : ms;
        j->has_low = true;
    }
    return true;
}

static bool take_time(struct joining *j, const struct patterns_bound *c)
{
    struct moment a, b, d;
    bool strict = c->kind == PATTERNS_BOUND_LT || c->kind == PATTERNS_BOUND_GT;
    if (c->kind == PATTERNS_BOUND_LE || c->kind == PATTERNS_BOUND_LT)
        return order_moments(j, c->args[0], c->args[1], strict);
    if (c->kind == PATTERNS_BOUND_GE || c->kind == PATTERNS_BOUND_GT)
        return order_moments(j, c->args[1], c->args[0], strict);
    if (c->kind == PATTERNS_BOUND_EQ)
        return order_moments(j, c->args[0], c->args[1], false) && order_moments(j, c->args[1], c->args[0], false);
    if (c->kind != PATTERNS_BOUND_BETWEEN || !moment_of(j, c->args[0], &a) || !moment_of(j, c->args[1], &b) || !moment_of(j, c->args[2], &d) ||
        a.side == b.side || a.side == d.side)
        return false;
    return order_moments(j, c->args[1], c->args[0], false) && order_moments(j, c->args[0], c->args[2], false);
}

/* ---- ON ---- */

/* What is asked besides keys and, in an interval join, the distance. */
struct parts {
    const struct patterns_bound *at[CONJUNCTS_MAX];
    bool key[CONJUNCTS_MAX], time[CONJUNCTS_MAX];
    uint32_t count;
};

static int read_on(struct joining *j, struct parts *parts)
{
    const struct patterns_scope names = { .relation = j->both, .where = "ON" };
    const struct patterns_bound *on = NULL;
    int error = j->text->join.on ? patterns_bind_condition(j->binder, &names, j->text->join.on, &on) : 0;
    if (error)
        return error;
    parts->count = on ? patterns_conjuncts(on, parts->at, CONJUNCTS_MAX) : 0;
    if (parts->count > CONJUNCTS_MAX)
        return refuse(j, "limit", NULL, "ON has at most 256 conditions");
    for (unsigned side = 0; side < 2; side++)
        if (!(j->on->keys[side] = base_arena_zalloc(j->binder->arena, (size_t)parts->count + 1, sizeof(void *))))
            return BASE_E_NOMEM;
    j->on->key_names = base_arena_zalloc(j->binder->arena, (size_t)parts->count + 1, sizeof *j->on->key_names);
    if (!j->on->key_names)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < parts->count && !error; i++) {
        parts->time[i] = take_time(j, parts->at[i]);
        parts->key[i] = false;
        if (!parts->time[i])
            error = take_key(j, parts->at[i], &parts->key[i]);
    }
    j->on->interval = j->has_low && j->has_high;
    j->plan->rows = patterns_hash_mix(patterns_hash_mix(patterns_hash_mix(23, j->side[0].plan->rows), j->side[1].plan->rows),
                                      patterns_hash_mix(on ? on->hash : 24, j->on->outer));
    return error;
}

static int make_filter(struct joining *j, const struct parts *parts)
{
    const struct patterns_bound *rest[CONJUNCTS_MAX];
    uint32_t rests = 0;
    for (uint32_t i = 0; i < parts->count; i++)
        if (!parts->key[i] && !(parts->time[i] && j->on->interval))
            rest[rests++] = parts->at[i];
    if (rests == 1)
        j->plan->filter = rest[0];
    else if (rests > 1 && !(j->plan->filter = patterns_bound_op(j->binder, j->text->join.on, PATTERNS_BOUND_AND, CEP_TYPE(BOOLEAN), rest, rests)))
        return BASE_E_NOMEM;
    if (j->plan->filter && (j->plan->filter->flags & PATTERNS_BOUND_IS_VOLATILE))
        return refuse(j, "not-supported", "put the condition into WHERE", "ON of a join cannot depend on the clock");
    return 0;
}

static int check(struct joining *j)
{
    struct patterns_join_on *on = j->on;
    if (j->text->join.kind == PATTERNS_JOIN_CROSS)
        return j->both->bounded ? 0 : refuse(j, "not-supported", "write a JOIN b ON a.k = b.k", "a join of every row with every row (CROSS JOIN, a comma) takes bounded tables only");
    if (on->key_count == 0)
        return refuse(j, "not-supported", "add an equality of both sides: ON a.user_id = b.user_id AND ...", "a join needs an equality of both sides in ON");
    if (on->interval && on->lo_ms > on->hi_ms)
        return refuse(j, "never-true", "for instance a.ts BETWEEN b.ts - INTERVAL '5' MINUTE AND b.ts", "no two times fulfil this ON");
    if (on->interval)
        return 0;
    if (on->ttl_ms && (j->side[0].relation->rowtime == PATTERNS_NO_COLUMN || j->side[1].relation->rowtime == PATTERNS_NO_COLUMN) &&
        !patterns_plan_updating(j->side[0].plan) && !patterns_plan_updating(j->side[1].plan))
        patterns_warn_at(j->binder, BASE_SEVERITY_WARNING, j->text->source, j->text->begin, j->text->end, "state-grows",
                         "add WATERMARK to the tables of both sides", "without event time the join never forgets: 'state.ttl' has no effect");
    else if (!on->ttl_ms && !j->both->bounded)
        patterns_warn_at(j->binder, BASE_SEVERITY_WARNING, j->text->source, j->text->begin, j->text->end, "state-grows",
                         "bound the distance of the event times, a.ts BETWEEN b.ts - INTERVAL '1' HOUR AND b.ts, or set 'state.ttl'",
                         "the join keeps every row of both sides for ever");
    return 0;
}

/* Which side's time the result has: one that is never NULL. */
static void place_rowtime(struct joining *j)
{
    uint32_t left = j->side[0].relation->rowtime, right = j->side[1].relation->rowtime;
    struct patterns_join_on *on = j->on;
    on->time = CEP_JOIN_TIME_LATEST;
    if (!on->interval || on->outer == (CEP_JOIN_OUTER_LEFT | CEP_JOIN_OUTER_RIGHT))
        return;
    on->time = on->outer == CEP_JOIN_OUTER_RIGHT ? CEP_JOIN_TIME_RIGHT : CEP_JOIN_TIME_LEFT;
    j->both->rowtime = on->time == CEP_JOIN_TIME_RIGHT ? j->left + right : left;
}

static int make_plan(struct joining *j)
{
    static const uint32_t outer[] = { [PATTERNS_JOIN_INNER] = 0,
                                      [PATTERNS_JOIN_LEFT] = CEP_JOIN_OUTER_LEFT,
                                      [PATTERNS_JOIN_RIGHT] = CEP_JOIN_OUTER_RIGHT,
                                      [PATTERNS_JOIN_FULL] = CEP_JOIN_OUTER_LEFT | CEP_JOIN_OUTER_RIGHT,
                                      [PATTERNS_JOIN_CROSS] = 0 };
    j->plan = patterns_plan_make(j->binder, PATTERNS_PLAN_JOIN, j->side[0].plan);
    j->on = base_arena_zalloc(j->binder->arena, 1, sizeof *j->on);
    if (!j->plan || !j->on)
        return BASE_E_NOMEM;
    j->plan->inputs = base_arena_zalloc(j->binder->arena, 2, sizeof *j->plan->inputs);
    if (!j->plan->inputs)
        return BASE_E_NOMEM;
    j->plan->inputs[0] = j->side[0].plan;
    j->plan->inputs[1] = j->side[1].plan;
    j->plan->input_count = 2;
    j->plan->source = j->text->source;
    j->plan->begin = j->text->begin;
    j->plan->end = j->text->end;
    j->plan->join = j->on;
    j->on->outer = outer[j->text->join.kind];
    j->on->ttl_ms = j->binder->state_ttl_ms;
    j->has_low = j->has_high = false;
    return make_relation(j);
}

static int bind_on(struct joining *j, struct parts *parts)
{
    int error = make_plan(j);
    return error ? error : read_on(j, parts);
}

/* The inputs of an interval join speak once: if one would correct itself, it is bound once more, to tell only what is settled. */
static int settle_sides(struct joining *j, struct parts *parts)
{
    if (!j->on->interval || !(patterns_plan_updating(j->side[0].plan) || patterns_plan_updating(j->side[1].plan)))
        return 0;
    struct patterns_binder *settled = patterns_changes_binder(j->binder);
    if (!settled)
        return BASE_E_NOMEM;
    settled->eager = false;
    int error = bind_sides(j, settled);
    if (!error)
        error = bind_on(j, parts);
    if (!error && (patterns_plan_updating(j->side[0].plan) || patterns_plan_updating(j->side[1].plan)))
        j->on->interval = false;
    return error;
}

static int check_text(struct joining *j)
{
    const struct patterns_join *join = &j->text->join;
    if (join->using_count)
        return refuse(j, "not-supported", "write ON a.k = b.k", "USING is not supported");
    return join->on || join->kind == PATTERNS_JOIN_CROSS ? 0 : refuse(j, "not-supported", "write ON a.k = b.k", "a join needs ON");
}

int patterns_join_bind(const struct patterns_query_scope *scope, const struct patterns_table *text, struct patterns_from *ret)
{
    struct joining j = { .scope = scope, .binder = scope->binder, .text = text };
    struct patterns_binder *inner = patterns_changes_binder(scope->binder);
    struct parts parts = { .count = 0 };
    if (!inner)
        return BASE_E_NOMEM;
    int error = check_text(&j);
    int side_error = bind_sides(&j, inner);
    error = error ? error : side_error;
    if (!error)
        error = bind_on(&j, &parts);
    if (!error)
        error = settle_sides(&j, &parts);
    if (!error)
        error = make_filter(&j, &parts);
    if (!error)
        error = check(&j);
    if (error)
        return error;
    place_rowtime(&j);
    j.plan->updating = !j.on->interval && (j.on->outer || patterns_plan_updating(j.side[0].plan) || patterns_plan_updating(j.side[1].plan));
    for (uint32_t i = 0; i < j.both->count; i++)
        j.both->columns[i].hash = patterns_hash_mix(j.both->columns[i].hash, j.plan->rows);
    struct patterns_relation *out = patterns_relation_named(j.binder, j.both, (struct base_str){ NULL, 0 });
    if (!out)
        return BASE_E_NOMEM;
    j.plan->out = *out;
    ret->plan = j.plan;
    ret->relation = j.both;
    return 0;
}

uint32_t patterns_join_emit(const struct patterns_plan *plan, struct cep_builder *builder, uint32_t filter)
{
    const struct patterns_join_on *on = plan->join;
    struct cep_join detail = { .interval = on->interval, .outer = on->outer, .filter = filter, .time = on->time };
    if (on->interval) {
        detail.lo_ms = on->lo_ms;
        detail.hi_ms = on->hi_ms;
    } else {
        detail.ttl_ms = on->ttl_ms;
    }
    return cep_builder_add(builder, CEP_SEC_JOINS, &detail, 1);
}
