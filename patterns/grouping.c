#include "patterns/grouping.h"

#include "base/error.h"
#include "patterns/bind_from.h"

#define KEYS_MAX 60

static int refuse(struct patterns_binder *binder, const struct patterns_expr *expr, const char *hint, const char *message)
{
    return patterns_refuse(binder, expr, "not-supported", hint, "%s", message);
}

/* Number of the key, added if it is new. */
static int find_key(struct patterns_binder *binder, const struct patterns_scope *scope, struct patterns_grouping *g, const struct patterns_bound **bound,
                    const struct patterns_expr *key, uint32_t *ret)
{
    const struct patterns_bound *b;
    int error = patterns_bind_expr(binder, scope, key, &b);
    if (error)
        return error;
    for (*ret = 0; *ret < g->key_count; ++*ret)
        if (patterns_bound_same(bound[*ret], b))
            return 0;
    if (g->key_count == KEYS_MAX)
        return refuse(binder, key, NULL, "grouping sets have at most 60 different columns");
    bound[g->key_count] = b;
    g->keys[g->key_count++] = key;
    return 0;
}

int patterns_grouping_read(struct patterns_binder *binder, const struct patterns_scope *input, const struct patterns_select *select,
                           struct patterns_grouping **ret)
{
    struct patterns_grouping *g = base_arena_zalloc(binder->arena, 1, sizeof *g);
    const struct patterns_bound **bound = base_arena_zalloc(binder->arena, KEYS_MAX, sizeof *bound);
    struct patterns_scope scope = *input;
    uint32_t at = 0;
    *ret = NULL;
    if (!select->set_count)
        return 0;
    if (!g || !bound)
        return BASE_E_NOMEM;
    scope.where = "GROUP BY";
    g->set_count = select->set_count;
    g->sets = base_arena_zalloc(binder->arena, g->set_count, sizeof *g->sets);
    g->keys = base_arena_zalloc(binder->arena, KEYS_MAX, sizeof *g->keys);
    if (!g->sets || !g->keys)
        return BASE_E_NOMEM;
    for (uint32_t s = 0; s < g->set_count; s++)
        for (uint32_t i = 0; i < select->set_sizes[s]; i++) {
            uint32_t key;
            int error = find_key(binder, &scope, g, bound, select->group_by[at++], &key);
            if (error)
                return error;
            g->sets[s] |= 1ull << key;
        }
    *ret = g;
    return 0;
}

/* ---- GROUPING, GROUPING_ID ---- */

static int argument(struct patterns_group *group, struct patterns_binder *binder, const struct patterns_expr *arg, uint32_t *ret)
{
    const struct patterns_bound *bound;
    int error = patterns_bind_expr(binder, &group->input, arg, &bound);
    if (error)
        return error;
    for (*ret = 0; *ret < group->written_count; ++*ret)
        if (patterns_bound_same(group->written[*ret], bound))
            return 0;
    return refuse(binder, arg, "name columns of GROUP BY", "GROUPING asks whether a column of GROUP BY is grouped by in this row");
}

int patterns_grouping_call(struct patterns_group *group, struct patterns_binder *binder, const struct patterns_expr *expr, const struct patterns_bound **ret)
{
    struct base_str name = expr->call->name.text;
    const struct cep_type type = CEP_TYPE(BIGINT);
    uint32_t count = expr->call->arg_count, keys[KEYS_MAX];
    *ret = NULL;
    if (!base_str_equal_fold(name, BASE_STR("GROUPING")) && !base_str_equal_fold(name, BASE_STR("GROUPING_ID")))
        return 0;
    if (count == 0 || count > KEYS_MAX)
        return refuse(binder, expr, "write GROUPING(column)", "GROUPING takes columns of GROUP BY");
    for (uint32_t i = 0; i < count; i++) {
        int error = argument(group, binder, expr->call->args[i], &keys[i]);
        if (error)
            return error;
    }
    const struct patterns_grouping *g = group->grouping;
    if (!g) { /* one set: each column is grouped by */
        *ret = patterns_bound_const(binder, expr, type, cep_int(0));
        return *ret ? 0 : BASE_E_NOMEM;
    }
    /* CASE WHEN id = 0 THEN ... END */
    const struct patterns_bound *id = patterns_group_leaf(group, expr, type, g->id_out);
    const struct patterns_bound **arms = base_arena_zalloc(binder->arena, 2 * (size_t)g->set_count + 1, sizeof *arms);
    if (!id || !arms)
        return BASE_E_NOMEM;
    for (uint32_t s = 0; s < g->set_count; s++) {
        int64_t value = 0;
        for (uint32_t i = 0; i < count; i++)
            value = value * 2 + !(g->sets[s] >> keys[i] & 1);
        const struct patterns_bound *pair[2] = { id, patterns_bound_const(binder, expr, type, cep_int(s)) };
        arms[2 * s] = pair[1] ? patterns_bound_op(binder, expr, PATTERNS_BOUND_EQ, CEP_TYPE(BOOLEAN), pair, 2) : NULL;
        arms[2 * s + 1] = patterns_bound_const(binder, expr, type, cep_int(value));
        if (!arms[2 * s] || !arms[2 * s + 1])
            return BASE_E_NOMEM;
    }
    arms[2 * g->set_count] = patterns_bound_const(binder, expr, type, cep_null());
    *ret = arms[2 * g->set_count] ? patterns_bound_op(binder, expr, PATTERNS_BOUND_CASE, type, arms, 2 * g->set_count + 1) : NULL;
    return *ret ? 0 : BASE_E_NOMEM;
}

/* ---- the rows, once for each set ---- */

/* Number of the key among those written of the group's key k. */
static uint32_t written_of(const struct patterns_group *group, uint32_t k)
{
    for (uint32_t i = 0; i < group->written_count; i++)
        if (group->outs[i].out == CEP_AGG_OUT(CEP_AGG_OUT_KEY, k))
            return i;
    return CEP_NONE;
}

/* The rows of one set: their columns, the keys that are not in all sets, and the set's number. */
static const struct patterns_plan *one_set(const struct patterns_group *group, const struct patterns_plan *below, const struct patterns_relation *out, uint32_t set)
{
    struct patterns_binder *binder = group->binder;
    const struct patterns_grouping *g = group->grouping;
    struct patterns_plan *calc = patterns_plan_calc(binder, below, NULL);
    struct patterns_relation *columns = calc ? patterns_relation_named(binder, out, (struct base_str){ NULL, 0 }) : NULL;
    const struct patterns_bound **outputs = base_arena_zalloc(binder->arena, out->count + 1, sizeof *outputs);
    uint32_t n = 0;
    if (!columns || !outputs)
        return NULL;
    for (; n < below->out.count; n++)
        outputs[n] = patterns_bound_column(binder, NULL, &below->out, n);
    for (uint32_t k = 0; k < group->key_count; k++) {
        bool in = k == g->id || (g->sets[set] >> written_of(group, k) & 1);
        outputs[n++] = k == g->id ? patterns_bound_const(binder, NULL, CEP_TYPE(BIGINT), cep_int(set))
                       : in ? group->keys[k]
                            : patterns_bound_const(binder, NULL, group->keys[k]->type, cep_null());
    }
    for (uint32_t i = 0; i < n; i++)
        if (!outputs[i])
            return NULL;
    columns->rowtime = below->out.rowtime;
    calc->out = *columns;
    calc->outputs = outputs;
    calc->rows = patterns_hash_mix(below->rows, g->sets[set]);
    return calc;
}

int patterns_grouping_expand(struct patterns_group *group, const struct patterns_plan *below, const struct patterns_plan **ret)
{
    struct patterns_binder *binder = group->binder;
    const struct patterns_grouping *g = group->grouping;
    struct patterns_plan *plan = patterns_plan_make(binder, PATTERNS_PLAN_UNION, NULL);
    struct patterns_relation *out = patterns_relation_named(binder, &below->out, (struct base_str){ NULL, 0 });
    const struct patterns_plan **inputs = base_arena_zalloc(binder->arena, g->set_count, sizeof *inputs);
    const struct patterns_bound **keys = base_arena_zalloc(binder->arena, group->key_count + 1, sizeof *keys);
    if (!plan || !out || !inputs || !keys)
        return BASE_E_NOMEM;
    plan->rows = patterns_hash_mix(below->rows, 41);
    for (uint32_t k = 0; k < group->key_count; k++) {
        struct patterns_column c = { .name = group->key_names[k], .type = group->keys[k]->type, .hash = patterns_hash_mix(group->keys[k]->hash, plan->rows) };
        if (patterns_relation_add(out, binder->arena, &c) == PATTERNS_NO_COLUMN)
            return BASE_E_NOMEM;
    }
    for (uint32_t s = 0; s < g->set_count; s++) {
        plan->rows = patterns_hash_mix(plan->rows, g->sets[s]);
        if (!(inputs[s] = one_set(group, below, out, s)))
            return BASE_E_NOMEM;
    }
    plan->source = below->source;
    plan->begin = below->begin;
    plan->end = below->end;
    plan->out = *out;
    plan->inputs = inputs;
    plan->input_count = g->set_count;
    for (uint32_t k = 0; k < group->key_count; k++)
        if (!(keys[k] = patterns_bound_column(binder, NULL, out, below->out.count + k)))
            return BASE_E_NOMEM;
    group->keys = keys;
    *ret = plan;
    return 0;
}
