#include "patterns/plan.h"

#include <string.h>
#include "base/error.h"
#include "patterns/fold.h"
#include "patterns/join.h"

#define CONJUNCTS_MAX 256

struct patterns_plan *patterns_plan_make(struct patterns_binder *binder, enum patterns_plan_kind kind,
                                         const struct patterns_plan *input)
{
    struct patterns_plan *plan = base_arena_zalloc(binder->arena, 1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->kind = kind;
    plan->out.rowtime = PATTERNS_NO_COLUMN;
    plan->limit = UINT64_MAX;
    if (!input)
        return plan;
    plan->inputs = base_arena_zalloc(binder->arena, 1, sizeof *plan->inputs);
    if (!plan->inputs)
        return NULL;
    plan->inputs[0] = input;
    plan->input_count = 1;
    plan->rows = input->rows;
    return plan;
}

static bool copy_relation(struct patterns_binder *binder, const struct patterns_relation *from,
                          struct patterns_relation *to)
{
    *to = (struct patterns_relation){ .rowtime = from->rowtime,
                                      .bounded = from->bounded,
                                      .has_proctime = from->has_proctime };
    for (uint32_t i = 0; i < from->count; i++)
        if (patterns_relation_add(to, binder->arena, &from->columns[i]) == PATTERNS_NO_COLUMN)
            return false;
    return true;
}

struct patterns_plan *patterns_plan_calc(struct patterns_binder *binder, const struct patterns_plan *input,
                                         const struct patterns_bound *filter)
{
    struct patterns_plan *calc = patterns_plan_make(binder, PATTERNS_PLAN_CALC, input);
    if (!calc || !copy_relation(binder, &input->out, &calc->out))
        return NULL;
    calc->filter = filter;
    return calc;
}

uint32_t patterns_conjuncts(const struct patterns_bound *condition, const struct patterns_bound **ret, uint32_t cap)
{
    uint32_t n = 0;
    if (!condition)
        return 0;
    if (condition->kind != PATTERNS_BOUND_AND) {
        if (cap)
            ret[0] = condition;
        return 1;
    }
    for (uint32_t i = 0; i < condition->arg_count; i++)
        n += patterns_conjuncts(condition->args[i], ret ? ret + (n < cap ? n : cap) : NULL, n < cap ? cap - n : 0);
    return n;
}

static const struct patterns_bound *conjunction(struct patterns_binder *binder,
                                                const struct patterns_bound *const *parts, uint32_t count)
{
    return count == 1 ? parts[0] : patterns_bound_op(binder, NULL, PATTERNS_BOUND_AND, CEP_TYPE(BOOLEAN), parts, count);
}

/* ---- rewriting ---- */

static const struct patterns_bound *replace_leaf(void *ctx, const struct patterns_bound *leaf)
{
    const struct patterns_bound **outputs = ctx;
    return leaf->kind == PATTERNS_BOUND_COLUMN ? outputs[leaf->column] : leaf;
}

/* The expression over a CALC's output as one over its input. */
static const struct patterns_bound *through(struct patterns_binder *binder, const struct patterns_plan *calc,
                                            const struct patterns_bound *bound)
{
    return calc->outputs ? patterns_bound_map(binder, bound, replace_leaf, (void *)(uintptr_t)calc->outputs) : bound;
}

static struct patterns_plan *copy_with_input(struct patterns_binder *binder, const struct patterns_plan *plan,
                                             const struct patterns_plan *input)
{
    struct patterns_plan *copy = base_arena_alloc(binder->arena, sizeof *copy);
    const struct patterns_plan **inputs = base_arena_zalloc(binder->arena, 1, sizeof *inputs);
    if (!copy || !inputs)
        return NULL;
    *copy = *plan;
    copy->inputs = inputs;
    copy->inputs[0] = input;
    return copy;
}

static bool has_volatile(const struct patterns_plan *calc)
{
    for (uint32_t i = 0; calc->outputs && i < calc->out.count; i++)
        if (calc->outputs[i]->flags & PATTERNS_BOUND_IS_VOLATILE)
            return true;
    return false;
}

/* CALC over CALC is one CALC. */
static const struct patterns_plan *merge_calc(struct patterns_binder *binder, const struct patterns_plan *outer,
                                              const struct patterns_plan *inner)
{
    struct patterns_plan *merged = copy_with_input(binder, outer, inner->inputs[0]);
    const struct patterns_bound *parts[2];
    uint32_t n = 0;
    if (!merged)
        return NULL;
    if (inner->filter)
        parts[n++] = inner->filter;
    if (outer->filter && !(parts[n++] = through(binder, inner, outer->filter)))
        return NULL;
    merged->filter = n ? conjunction(binder, parts, n) : NULL;
    if (n && !merged->filter)
        return NULL;
    if (!outer->outputs) {
        merged->outputs = inner->outputs;
        return merged;
    }
    merged->outputs = base_arena_zalloc(binder->arena, outer->out.count + 1, sizeof *merged->outputs);
    for (uint32_t i = 0; merged->outputs && i < outer->out.count; i++)
        if (!(merged->outputs[i] = through(binder, inner, outer->outputs[i])))
            return NULL;
    return merged->outputs ? merged : NULL;
}

static bool reads_left_only(struct patterns_binder *binder, const struct patterns_bound *bound,
                            const struct patterns_plan *lookup)
{
    uint32_t left = lookup->inputs[0]->out.count;
    bool *used = base_arena_zalloc(binder->arena, lookup->out.count + 1, sizeof *used);
    if (!used)
        return false;
    patterns_bound_mark_columns(bound, used);
    for (uint32_t i = left; i < lookup->out.count; i++)
        if (used[i])
            return false;
    return true;
}

static const struct patterns_plan *optimise(struct patterns_binder *binder, const struct patterns_plan *plan);

/* Conditions on the left row alone are tested before the lookup. Valid for LEFT JOIN too: they say nothing of the right
 * side. */
static const struct patterns_plan *push_below_lookup(struct patterns_binder *binder, const struct patterns_plan *calc,
                                                     const struct patterns_plan *lookup)
{
    const struct patterns_bound *parts[CONJUNCTS_MAX], *below[CONJUNCTS_MAX], *above[CONJUNCTS_MAX];
    uint32_t lower = 0, upper = 0, n = patterns_conjuncts(calc->filter, parts, CONJUNCTS_MAX);
    for (uint32_t i = 0; i < n && n <= CONJUNCTS_MAX; i++) {
        if (reads_left_only(binder, parts[i], lookup))
            below[lower++] = parts[i];
        else
            above[upper++] = parts[i];
    }
    if (lower == 0)
        return copy_with_input(binder, calc, lookup);
    const struct patterns_bound *filter = conjunction(binder, below, lower);
    struct patterns_plan *first = filter ? patterns_plan_calc(binder, lookup->inputs[0], filter) : NULL;
    if (!first)
        return NULL;
    first->rows = patterns_hash_mix(first->rows, filter->hash);
    const struct patterns_plan *left = optimise(binder, first);
    struct patterns_plan *joined = left ? copy_with_input(binder, lookup, left) : NULL;
    struct patterns_plan *rest = joined ? copy_with_input(binder, calc, joined) : NULL;
    if (!rest)
        return NULL;
    rest->filter = upper ? conjunction(binder, above, upper) : NULL;
    return upper && !rest->filter ? NULL : rest;
}

static const struct patterns_plan *optimise_calc(struct patterns_binder *binder, const struct patterns_plan *plan,
                                                 const struct patterns_plan *input)
{
    if (plan->filter && patterns_bound_is_true(plan->filter)) {
        struct patterns_plan *open = copy_with_input(binder, plan, input);
        if (!open)
            return NULL;
        open->filter = NULL;
        plan = open;
    }
    if (input->kind == PATTERNS_PLAN_CALC && !has_volatile(input)) {
        const struct patterns_plan *merged = merge_calc(binder, plan, input);
        if (merged && merged->filter && merged->inputs[0]->kind == PATTERNS_PLAN_LOOKUP)
            return push_below_lookup(binder, merged, merged->inputs[0]);
        return merged;
    }
    if (plan->filter && input->kind == PATTERNS_PLAN_LOOKUP)
        return push_below_lookup(binder, plan, input);
    return copy_with_input(binder, plan, input);
}

/* NULL: no memory. */
static const struct patterns_plan *optimise(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    if (plan->input_count == 0)
        return plan;
    if (plan->input_count == 1 && plan->kind != PATTERNS_PLAN_UNION) {
        const struct patterns_plan *input = optimise(binder, plan->inputs[0]);
        if (!input)
            return NULL;
        return plan->kind == PATTERNS_PLAN_CALC ? optimise_calc(binder, plan, input)
                                                : copy_with_input(binder, plan, input);
    }
    struct patterns_plan *copy = base_arena_alloc(binder->arena, sizeof *copy);
    const struct patterns_plan **inputs = base_arena_zalloc(binder->arena, plan->input_count, sizeof *inputs);
    if (!copy || !inputs)
        return NULL;
    *copy = *plan;
    copy->inputs = inputs;
    for (uint32_t i = 0; i < plan->input_count; i++)
        if (!(inputs[i] = optimise(binder, plan->inputs[i])))
            return NULL;
    return copy;
}

/* ---- exchanges ---- */

struct keys {
    const struct patterns_bound **at;
    struct base_str *names;
    uint32_t count;
};

static const struct patterns_plan *place(struct patterns_binder *binder, const struct patterns_plan *plan);

static const struct patterns_plan *exchange(struct patterns_binder *binder, const struct patterns_plan *input,
                                            const struct keys *keys)
{
    struct patterns_plan *plan = input ? patterns_plan_make(binder, PATTERNS_PLAN_EXCHANGE, input) : NULL;
    if (!plan || !copy_relation(binder, &input->out, &plan->out))
        return NULL;
    plan->keys = keys->at;
    plan->key_names = keys->names;
    plan->key_count = keys->count;
    plan->rows = patterns_hash_mix(input->rows, keys->count);
    for (uint32_t i = 0; i < keys->count; i++)
        plan->rows = patterns_hash_mix(plan->rows, keys->at[i]->hash);
    return plan;
}

static bool above_lookup(const struct patterns_plan *plan)
{
    while (plan->kind == PATTERNS_PLAN_CALC)
        plan = plan->inputs[0];
    return plan->kind == PATTERNS_PLAN_LOOKUP;
}

static bool make_keys(struct patterns_binder *binder, uint32_t count, struct keys *ret)
{
    ret->count = count;
    ret->at = base_arena_zalloc(binder->arena, count + 1, sizeof *ret->at);
    ret->names = base_arena_zalloc(binder->arena, count + 1, sizeof *ret->names);
    return ret->at && ret->names;
}

/* plan with its rows exchanged by keys (over its columns), as low as lookups allow: a lookup runs where its row's key
 * is owned. */
static const struct patterns_plan *place_by(struct patterns_binder *binder, const struct patterns_plan *plan,
                                            const struct keys *keys)
{
    if (above_lookup(plan)) {
        bool left = true;
        if (plan->kind == PATTERNS_PLAN_LOOKUP)
            for (uint32_t i = 0; i < keys->count; i++)
                left = left && reads_left_only(binder, keys->at[i], plan);
        if (left) {
            struct keys lower;
            if (!make_keys(binder, keys->count, &lower))
                return NULL;
            for (uint32_t i = 0; i < keys->count; i++) {
                lower.names[i] = keys->names[i];
                lower.at[i] = plan->kind == PATTERNS_PLAN_CALC ? through(binder, plan, keys->at[i]) : keys->at[i];
                if (!lower.at[i])
                    return NULL;
            }
            const struct patterns_plan *input = place_by(binder, plan->inputs[0], &lower);
            return input ? copy_with_input(binder, plan, input) : NULL;
        }
    }
    return exchange(binder, place(binder, plan), keys);
}

/* An operator whose keys are the plan's own. */
static const struct patterns_plan *place_keyed(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    const struct keys keys = { plan->keys, plan->key_names, plan->key_count };
    const struct patterns_plan *input = place_by(binder, plan->inputs[0], &keys);
    return input ? copy_with_input(binder, plan, input) : NULL;
}

/* Rows of both sides meet where their key is owned. */
static const struct patterns_plan *place_join(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    const struct patterns_join_on *on = plan->join;
    const struct keys left = { on->keys[0], on->key_names, on->key_count }, right = { on->keys[1], on->key_names, on->key_count };
    struct patterns_plan *copy = base_arena_alloc(binder->arena, sizeof *copy);
    const struct patterns_plan **inputs = base_arena_zalloc(binder->arena, 2, sizeof *inputs);
    if (!copy || !inputs)
        return NULL;
    *copy = *plan;
    copy->inputs = inputs;
    inputs[0] = place_by(binder, plan->inputs[0], &left);
    inputs[1] = place_by(binder, plan->inputs[1], &right);
    return inputs[0] && inputs[1] ? copy : NULL;
}

static const struct patterns_plan *place_match(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    const struct patterns_bound_match *match = plan->match;
    struct keys keys;
    if (!make_keys(binder, match->partition_count, &keys))
        return NULL;
    for (uint32_t i = 0; i < match->partition_count; i++) {
        keys.at[i] = patterns_bound_column(binder, NULL, match->input, match->partition[i]);
        keys.names[i] = match->input->columns[match->partition[i]].name;
        if (!keys.at[i])
            return NULL;
    }
    const struct patterns_plan *input = place_by(binder, plan->inputs[0], &keys);
    return input ? copy_with_input(binder, plan, input) : NULL;
}

static bool is_window(const struct patterns_plan *plan)
{
    return plan->kind == PATTERNS_PLAN_WINDOW && plan->group;
}

static bool is_keyed(const struct patterns_plan *plan)
{
    if (plan->kind == PATTERNS_PLAN_MATCH || plan->kind == PATTERNS_PLAN_EXCHANGE || plan->kind == PATTERNS_PLAN_SORT ||
        plan->kind == PATTERNS_PLAN_GROUP || plan->kind == PATTERNS_PLAN_OVER || is_window(plan) || plan->kind == PATTERNS_PLAN_TOPN || plan->kind == PATTERNS_PLAN_JOIN)
        return true;
    for (uint32_t i = 0; i < plan->input_count; i++)
        if (is_keyed(plan->inputs[i]))
            return true;
    return false;
}

/* Behind a row pattern the rows are in a shard already, and any shard reads any profile. */
static const struct patterns_plan *place_lookup(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    struct keys keys;
    if (is_keyed(plan->inputs[0])) {
        const struct patterns_plan *input = place(binder, plan->inputs[0]);
        return input ? copy_with_input(binder, plan, input) : NULL;
    }
    if (!make_keys(binder, plan->key_count, &keys))
        return NULL;
    for (uint32_t i = 0; i < plan->key_count; i++) {
        keys.at[i] = plan->keys[i];
        keys.names[i] = plan->table->fields.columns[plan->table->key[i]].name;
    }
    return place_by(binder, plan, &keys);
}

static bool is_sharded(const struct patterns_plan *plan)
{
    if (plan->kind == PATTERNS_PLAN_EXCHANGE)
        return true;
    for (uint32_t i = 0; i < plan->input_count; i++)
        if (is_sharded(plan->inputs[i]))
            return true;
    return false;
}

/* A union's inputs run all before an exchange or all behind one. */
static const struct patterns_plan *place_union(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    struct patterns_plan *copy = base_arena_alloc(binder->arena, sizeof *copy);
    const struct patterns_plan **inputs = base_arena_zalloc(binder->arena, plan->input_count, sizeof *inputs);
    const struct keys none = { 0 };
    bool sharded = false;
    if (!copy || !inputs)
        return NULL;
    *copy = *plan;
    copy->inputs = inputs;
    for (uint32_t i = 0; i < plan->input_count; i++) {
        inputs[i] = place(binder, plan->inputs[i]);
        if (!inputs[i])
            return NULL;
        sharded |= is_sharded(inputs[i]);
    }
    for (uint32_t i = 0; sharded && i < plan->input_count; i++)
        if (!is_sharded(inputs[i]) && !(inputs[i] = exchange(binder, inputs[i], &none)))
            return NULL;
    return copy;
}

/* Puts the exchanges that the operators need. NULL: no memory. */
static const struct patterns_plan *place(struct patterns_binder *binder, const struct patterns_plan *plan)
{
    const struct keys none = { 0 };
    const struct patterns_plan *input;
    switch (plan->kind) {
    case PATTERNS_PLAN_SOURCE: return plan;
    case PATTERNS_PLAN_MATCH: return place_match(binder, plan);
    case PATTERNS_PLAN_LOOKUP: return place_lookup(binder, plan);
    case PATTERNS_PLAN_UNION: return place_union(binder, plan);
    case PATTERNS_PLAN_GROUP:
    case PATTERNS_PLAN_OVER:
    case PATTERNS_PLAN_TOPN: return place_keyed(binder, plan);
    case PATTERNS_PLAN_JOIN: return place_join(binder, plan);
    case PATTERNS_PLAN_SORT:
        input = exchange(binder, place(binder, plan->inputs[0]), &none);
        return input ? copy_with_input(binder, plan, input) : NULL;
    case PATTERNS_PLAN_WINDOW:
        if (plan->group)
            return place_keyed(binder, plan);
        input = place(binder, plan->inputs[0]);
        return input ? copy_with_input(binder, plan, input) : NULL;
    case PATTERNS_PLAN_CALC:
    case PATTERNS_PLAN_EXCHANGE:
        input = place(binder, plan->inputs[0]);
        return input ? copy_with_input(binder, plan, input) : NULL;
    }
    return NULL;
}

/* ---- the alert's key ---- */

static const struct patterns_plan *below_calcs(const struct patterns_plan *plan)
{
    while (plan->kind == PATTERNS_PLAN_CALC)
        plan = plan->inputs[0];
    return plan;
}

/* Is the operator's column number `column` its key number i? */
static bool is_key(const struct patterns_plan *plan, uint32_t column, uint32_t i)
{
    if (plan->kind == PATTERNS_PLAN_MATCH)
        return column == i; /* a pattern gives its partition columns first */
    if (plan->kind == PATTERNS_PLAN_OVER)
        return plan->keys[i]->kind == PATTERNS_BOUND_COLUMN && plan->keys[i]->column == column;
    return plan->group->outs[column].out == CEP_AGG_OUT(CEP_AGG_OUT_KEY, i);
}

/* Do the rule's key columns stand for the key of the operator below, in its order? Then its exchange serves. */
static bool key_is_partition(const struct patterns_plan *plan, const uint32_t *key, uint32_t count)
{
    const struct patterns_plan *match = below_calcs(plan);
    bool own = match->kind == PATTERNS_PLAN_OVER || match->kind == PATTERNS_PLAN_GROUP || is_window(match);
    if (!own && match->kind != PATTERNS_PLAN_MATCH)
        return false;
    if ((own ? match->key_count : match->match->partition_count) != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = key[i];
        for (const struct patterns_plan *p = plan; p != match; p = p->inputs[0]) {
            if (p->outputs && p->outputs[column]->kind != PATTERNS_BOUND_COLUMN)
                return false;
            column = p->outputs ? p->outputs[column]->column : column;
        }
        if (!is_key(match, column, i))
            return false;
    }
    return true;
}

static const struct patterns_plan *place_rule(struct patterns_binder *binder, const struct patterns_plan *plan,
                                              const uint32_t *key, uint32_t key_count)
{
    struct keys keys = { 0 };
    const struct patterns_plan *base = below_calcs(plan);
    bool keyed = base->kind != PATTERNS_PLAN_SOURCE && base->kind != PATTERNS_PLAN_UNION;
    if (base->kind == PATTERNS_PLAN_WINDOW)
        keyed = is_keyed(base);
    if (key_count == UINT32_MAX)
        return keyed ? place(binder, plan) : place_by(binder, plan, &keys);
    if (key_is_partition(plan, key, key_count))
        return place(binder, plan);
    if (!make_keys(binder, key_count, &keys))
        return NULL;
    for (uint32_t i = 0; i < key_count; i++) {
        keys.at[i] = patterns_bound_column(binder, NULL, &plan->out, key[i]);
        keys.names[i] = plan->out.columns[key[i]].name;
        if (!keys.at[i])
            return NULL;
    }
    return place_by(binder, plan, &keys);
}

int patterns_plan_place(struct patterns_binder *binder, struct patterns_root *root, const uint32_t *key,
                        uint32_t key_count)
{
    const struct patterns_plan *plan = binder->no_fold ? root->plan : optimise(binder, root->plan);
    if (!plan)
        return BASE_E_NOMEM;
    plan = root->kind == PATTERNS_ROOT_RULE ? place_rule(binder, plan, key, key_count) : place(binder, plan);
    if (!plan)
        return BASE_E_NOMEM;
    root->plan = plan;
    for (root->key_node = plan; root->key_node && root->key_node->kind != PATTERNS_PLAN_EXCHANGE;)
        root->key_node = root->key_node->input_count ? root->key_node->inputs[0] : NULL;
    return 0;
}
