#include "patterns/group.h"

#include <string.h>
#include "base/error.h"
#include "patterns/grouping.h"
#include "patterns/types.h"
#include "patterns/window.h"

#define LEAF_OUT 3 /* id of the EXTERNAL leaves: an aggregate; detail is its number among the outs */

static int add_out(struct patterns_group *g, struct cep_type type, uint32_t out, uint64_t hash, uint32_t *ret)
{
    for (uint32_t i = 0; i < g->out_count && ret; i++)
        if (g->outs[i].out == out) {
            *ret = i;
            return 0;
        }
    if (g->out_count == g->out_cap) {
        uint32_t cap = g->out_cap ? g->out_cap * 2 : 8;
        struct patterns_group_out *grown = base_arena_zalloc(g->binder->arena, cap, sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        if (g->out_count)
            memcpy(grown, g->outs, g->out_count * sizeof *grown);
        g->outs = grown;
        g->out_cap = cap;
    }
    if (ret)
        *ret = g->out_count;
    g->outs[g->out_count++] = (struct patterns_group_out){ type, out, hash };
    return 0;
}

/* Scope hook: an aggregate becomes a leaf that names an output of the group. */
static int group_call(void *ctx, struct patterns_binder *binder, const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    struct patterns_group *g = ctx;
    struct patterns_agg agg;
    uint32_t index, out;
    *ret = NULL;
    int grouping_error = patterns_grouping_call(g, binder, expr, ret);
    if (grouping_error || *ret || !patterns_call_is_aggregate(expr->call))
        return grouping_error;
    int error = patterns_agg_bind(binder, &g->input, expr, &agg);
    uint32_t before = g->aggs.count;
    if (!error)
        error = patterns_aggs_add(binder->arena, &g->aggs, &agg, &index);
    if (!error)
        error = add_out(g, agg.type, CEP_AGG_OUT(CEP_AGG_OUT_AGG, index), agg.hash, &out);
    if (error)
        return error;
    if (g->aggs.count > before)
        g->hash = patterns_hash_mix(g->hash, agg.hash);
    *ret = patterns_bound_external(binder, expr, agg.type, LEAF_OUT, (const void *)(uintptr_t)out, agg.hash, 0);
    return *ret ? 0 : BASE_E_NOMEM;
}

/* ---- keys ---- */

static struct patterns_group *make(struct patterns_binder *binder, uint32_t count)
{
    struct patterns_group *g = base_arena_zalloc(binder->arena, 1, sizeof *g);
    if (!g)
        return NULL;
    g->binder = binder;
    g->hash = count;
    g->written = base_arena_zalloc(binder->arena, count + 1, sizeof *g->written);
    g->keys = base_arena_zalloc(binder->arena, count + 1, sizeof *g->keys);
    g->key_names = base_arena_zalloc(binder->arena, count + 1, sizeof *g->key_names);
    return g->written && g->keys && g->key_names ? g : NULL;
}

/* Which window column the bound column is: 0..2, or 3. */
static uint32_t window_column(const struct patterns_window_tvf_bound *window, const struct patterns_bound *bound)
{
    if (!window || bound->kind != PATTERNS_BOUND_COLUMN || bound->column < window->first_column || bound->column > window->first_column + 2)
        return 3;
    return bound->column - window->first_column;
}

static int add_key(struct patterns_group *g, const struct patterns_bound *key, struct base_str name)
{
    uint32_t k = g->key_count;
    g->written[g->written_count++] = key;
    g->hash = patterns_hash_mix(g->hash, key->hash);
    uint32_t window = window_column(g->window, key);
    if (window < 3)
        return add_out(g, key->type, CEP_AGG_OUT(CEP_AGG_OUT_WINDOW, window), 0, NULL);
    g->keys[k] = key;
    g->key_names[k] = name;
    g->key_count++;
    return add_out(g, key->type, CEP_AGG_OUT(CEP_AGG_OUT_KEY, k), 0, NULL);
}

static struct base_str key_name(struct patterns_binder *binder, const struct patterns_expr *key, uint32_t i)
{
    if (key->kind == PATTERNS_EXPR_NAME)
        return key->name.parts[key->name.count - 1].text;
    return base_str_of(base_arena_printf(binder->arena, "key%u", i));
}

int patterns_group_begin(struct patterns_binder *binder, const struct patterns_scope *input, const struct patterns_expr *const *keys, uint32_t count,
                         const struct patterns_window_tvf_bound *window, struct patterns_group **ret)
{
    struct patterns_group *g = make(binder, count);
    const struct patterns_bound **bound = base_arena_zalloc(binder->arena, count + 1, sizeof *bound);
    bool bounds[4] = { false };
    if (!g || !bound)
        return BASE_E_NOMEM;
    g->input = *input;
    g->input.where = "GROUP BY";
    for (uint32_t i = 0; i < count; i++) {
        int error = patterns_bind_expr(binder, &g->input, keys[i], &bound[i]);
        if (error)
            return error;
        if (bound[i]->type.kind == CEP_KIND_NULL || bound[i]->type.kind == CEP_KIND_ROW)
            return patterns_refuse(binder, keys[i], "type-mismatch", NULL, "rows cannot be grouped by %s", patterns_type_text(binder, bound[i]->type));
        bounds[window_column(window, bound[i])] = true;
    }
    if (bounds[0] && bounds[1]) /* both ends of the window; else it is a group like any other */
        g->window = window;
    for (uint32_t i = 0; i < count; i++) {
        int error = add_key(g, bound[i], key_name(binder, keys[i], i));
        if (error)
            return error;
    }
    *ret = g;
    return g->window ? patterns_window_check_keys(binder, g->window, g->keys, g->key_count) : 0;
}

const struct patterns_bound *patterns_group_leaf(struct patterns_group *group, const struct patterns_expr *place, struct cep_type type, uint32_t out)
{
    return patterns_bound_external(group->binder, place, type, LEAF_OUT, (const void *)(uintptr_t)out, patterns_hash_mix(group->hash, out), 0);
}

int patterns_group_by_sets(struct patterns_group *group, struct patterns_grouping *grouping)
{
    struct patterns_binder *binder = group->binder;
    uint64_t all = UINT64_MAX;
    for (uint32_t s = 0; s < grouping->set_count; s++) {
        group->hash = patterns_hash_mix(group->hash, grouping->sets[s]);
        all &= grouping->sets[s];
    }
    for (uint32_t i = 0; i < group->written_count; i++)
        if (window_column(group->window, group->written[i]) < 3 && !(all >> i & 1))
            return patterns_refuse_at(binder, group->written[i]->source, group->written[i]->begin, group->written[i]->end, "not-supported",
                                      "write GROUP BY window_start, window_end, GROUPING SETS (...)", "each grouping set of a window has its window_start and window_end");
    if (group->window && group->window->kind == CEP_WINDOW_SESSION)
        return patterns_refuse_at(binder, group->window->source, group->window->begin, group->window->end, "not-supported",
                                  "write one query for each grouping and join them by UNION ALL", "sessions are made for one grouping");
    grouping->id = group->key_count;
    const struct patterns_bound *number = patterns_bound_const(binder, NULL, CEP_TYPE(BIGINT), cep_int(0));
    if (!number)
        return BASE_E_NOMEM;
    group->keys[group->key_count] = number;
    group->key_names[group->key_count++] = BASE_STR("grouping_set");
    group->grouping = grouping;
    return add_out(group, CEP_TYPE(BIGINT), CEP_AGG_OUT(CEP_AGG_OUT_KEY, grouping->id), 0, &grouping->id_out);
}

int patterns_group_add(struct patterns_group *group, const struct patterns_agg *agg)
{
    uint32_t index;
    int error = patterns_aggs_add(group->binder->arena, &group->aggs, agg, &index);
    group->hash = patterns_hash_mix(group->hash, agg->hash);
    return error ? error : add_out(group, agg->type, CEP_AGG_OUT(CEP_AGG_OUT_AGG, index), agg->hash, NULL);
}

void patterns_group_take(struct patterns_plan *plan, const struct patterns_group *group)
{
    plan->group = group;
    plan->keys = group->keys;
    plan->key_names = group->key_names;
    plan->key_count = group->key_count;
    plan->eager = group->eager;
    plan->updating = group->eager && !group->append;
}

int patterns_group_columns(struct patterns_binder *binder, const struct patterns_relation *relation, uint32_t count, struct patterns_group **ret)
{
    struct patterns_group *g = make(binder, count);
    if (!g)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        const struct patterns_bound *column = patterns_bound_column(binder, NULL, relation, i);
        int error = column ? add_key(g, column, relation->columns[i].name) : BASE_E_NOMEM;
        if (error)
            return error;
    }
    *ret = g;
    return 0;
}

uint32_t patterns_group_window_column(const struct patterns_group *group, uint32_t which)
{
    for (uint32_t i = 0; i < group->out_count && group->window; i++)
        if (group->outs[i].out == CEP_AGG_OUT(CEP_AGG_OUT_WINDOW, which))
            return i;
    return PATTERNS_NO_COLUMN;
}

/* ---- expressions over the group ---- */

/* A column of the group's relation; the binder fills that relation from g->outs. */
static int out_column(struct patterns_group *g, const struct patterns_bound *place, uint32_t out, const struct patterns_bound **ret)
{
    struct patterns_bound *b = base_arena_zalloc(g->binder->arena, 1, sizeof *b);
    if (!b)
        return BASE_E_NOMEM;
    b->kind = PATTERNS_BOUND_COLUMN;
    b->type = g->outs[out].type;
    b->flags = PATTERNS_BOUND_HAS_COLUMN;
    b->column = out;
    b->hash = place->hash;
    b->source = place->source;
    b->begin = place->begin;
    b->end = place->end;
    *ret = b;
    return 0;
}

static int over_group(struct patterns_group *g, const struct patterns_bound *bound, const struct patterns_bound **ret)
{
    for (uint32_t i = 0; i < g->written_count; i++)
        if (patterns_bound_same(bound, g->written[i]))
            return out_column(g, bound, i, ret);
    if (bound->kind == PATTERNS_BOUND_EXTERNAL && bound->id == LEAF_OUT)
        return out_column(g, bound, (uint32_t)(uintptr_t)bound->detail, ret);
    if (window_column(g->window, bound) < 3) { /* the third of the window's columns hangs on the two */
        uint32_t out;
        int error = add_out(g, bound->type, CEP_AGG_OUT(CEP_AGG_OUT_WINDOW, window_column(g->window, bound)), 0, &out);
        return error ? error : out_column(g, bound, out, ret);
    }
    if (bound->kind == PATTERNS_BOUND_COLUMN)
        return patterns_refuse_at(g->binder, bound->source, bound->begin, bound->end, "not-grouped", "put it into GROUP BY, or into MIN(...) or MAX(...)",
                                  "a column outside of aggregates must stand in GROUP BY");
    if (bound->arg_count == 0) {
        *ret = bound;
        return 0;
    }
    struct patterns_bound *copy = base_arena_alloc(g->binder->arena, sizeof *copy);
    const struct patterns_bound **args = base_arena_zalloc(g->binder->arena, bound->arg_count, sizeof *args);
    if (!copy || !args)
        return BASE_E_NOMEM;
    *copy = *bound;
    copy->args = args;
    copy->flags = bound->flags & ~(uint32_t)PATTERNS_BOUND_HAS_EXTERNAL;
    for (uint32_t i = 0; i < bound->arg_count; i++) {
        int error = over_group(g, bound->args[i], &args[i]);
        if (error)
            return error;
        copy->flags |= args[i]->flags;
    }
    *ret = copy;
    return 0;
}

int patterns_group_bind(struct patterns_group *group, const struct patterns_expr *expr, const char *where, const struct patterns_bound **ret)
{
    struct patterns_scope scope = group->input;
    const struct patterns_bound *bound;
    scope.ctx = group;
    scope.call = group_call;
    scope.where = where;
    int error = patterns_bind_expr(group->binder, &scope, expr, &bound);
    return error ? error : over_group(group, bound, ret);
}

void patterns_group_mark_columns(const struct patterns_group *group, bool *used)
{
    for (uint32_t i = 0; i < group->key_count; i++)
        patterns_bound_mark_columns(group->keys[i], used);
    if (group->window)
        patterns_bound_mark_columns(group->window->time, used);
    patterns_aggs_mark_columns(&group->aggs, used);
}

/* ---- emission ---- */

int patterns_group_emit(const struct patterns_group *group, struct cep_builder *builder, const uint32_t *columns, const bool *needed, uint32_t *ret)
{
    struct base_arena *arena = group->binder->arena;
    const struct patterns_emit_env env = { .builder = builder, .arena = arena, .columns = columns };
    uint32_t *outs = base_arena_zalloc(arena, group->out_count + 1, sizeof *outs);
    struct cep_list aggs = { 0, 0 }, list = { 0, 0 };
    int error = outs ? patterns_aggs_emit(&group->aggs, &env, group->retracts, &aggs) : BASE_E_NOMEM;
    for (uint32_t i = 0; i < group->out_count && !error; i++)
        outs[i] = group->outs[i].out;
    if (!error)
        error = patterns_outs_emit(arena, builder, outs, group->out_count, needed, &list);
    if (error)
        return error;
    if (group->window) {
        struct cep_window window = { .aggs = aggs, .outs = list, .eager = group->eager };
        return patterns_window_emit(group->window, &env, &window, ret);
    }
    const struct cep_group detail = { .aggs = aggs, .outs = list, .eager = group->append ? 2 : group->eager,
                                      .opens = !group->eager && group->key_count == 0, .ttl_ms = group->ttl_ms };
    *ret = cep_builder_add(builder, CEP_SEC_GROUPS, &detail, 1);
    return *ret == CEP_NONE ? BASE_E_NOMEM : 0;
}
