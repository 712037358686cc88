#include "patterns/graph.h"

#include <string.h>
#include "base/error.h"
#include "cep/program.h"
#include "patterns/join.h"
#include "patterns/over.h"
#include "patterns/topn.h"
#include "patterns/window.h"

void patterns_graph_init(struct patterns_graph *graph, struct patterns_binder *binder, bool share)
{
    *graph = (struct patterns_graph){ .binder = binder, .share = share };
}

void patterns_graph_finish(struct patterns_graph *graph)
{
    base_map_finish(&graph->known);
}

/* ---- adding ---- */

static void put_bound(struct base_buf *buf, const struct patterns_bound *bound)
{
    base_buf_put_u64(buf, bound ? bound->hash : 0);
    if (bound && bound->kind == PATTERNS_BOUND_COLUMN)
        base_buf_put_u32(buf, bound->column);
}

static void put_orders(struct base_buf *buf, const struct patterns_plan *plan)
{
    for (uint32_t i = 0; i < plan->order_count; i++) {
        put_bound(buf, plan->orders[i].value);
        base_buf_put_u8(buf, (uint8_t)(plan->orders[i].descending * 2 + plan->orders[i].nulls_first));
    }
    base_buf_put_u64(buf, plan->limit);
    base_buf_put_u64(buf, plan->offset);
}

static void put_operator(struct base_buf *buf, const struct patterns_plan *plan)
{
    if (plan->topn) {
        base_buf_put_u64(buf, plan->topn->first);
        base_buf_put_u64(buf, plan->topn->last);
        base_buf_put_u64(buf, (uint64_t)plan->topn->ttl_ms);
        base_buf_put_u8(buf, (uint8_t)(plan->topn->mode * 8 + plan->topn->by_time * 4 + plan->topn->by_arrival * 2 + plan->topn->descending));
    }
    if (plan->join) {
        for (uint32_t i = 0; i < plan->join->key_count; i++) {
            put_bound(buf, plan->join->keys[0][i]);
            put_bound(buf, plan->join->keys[1][i]);
        }
        base_buf_put_u64(buf, (uint64_t)plan->join->lo_ms);
        base_buf_put_u64(buf, (uint64_t)plan->join->hi_ms);
        base_buf_put_u64(buf, (uint64_t)plan->join->ttl_ms);
        base_buf_put_u32(buf, plan->join->outer * 16 + plan->join->interval * 8 + plan->join->time);
    }
}

/* Nodes with equal signatures give equal rows with equal columns. Names count: evidence shows them. */
static void put_signature(struct base_buf *buf, const struct patterns_plan *plan, const uint32_t *inputs)
{
    base_buf_put_u32(buf, (uint32_t)plan->kind);
    for (uint32_t i = 0; i < plan->input_count; i++)
        base_buf_put_u32(buf, inputs[i]);
    base_buf_put_u64(buf, (uint64_t)(uintptr_t)plan->table);
    base_buf_put_u64(buf, (uint64_t)plan->late_ms * 2 + plan->clock);
    base_buf_put_u64(buf, plan->match ? plan->match->hash : 0);
    base_buf_put_u64(buf, plan->group ? plan->group->hash : 0);
    base_buf_put_u64(buf, plan->group ? (uint64_t)plan->group->ttl_ms * 8 + plan->group->eager * 4u + plan->group->retracts * 2u + plan->group->append : 0);
    for (uint32_t i = 0; plan->group && i < plan->group->out_count; i++)
        base_buf_put_u32(buf, plan->group->outs[i].out);
    base_buf_put_u64(buf, plan->window ? plan->window->hash : 0);
    base_buf_put_u64(buf, plan->over ? plan->over->hash : 0);
    base_buf_put_u8(buf, (uint8_t)(plan->left_outer * 4 + plan->eager * 2 + plan->evidence));
    put_bound(buf, plan->filter);
    put_bound(buf, plan->as_of);
    base_buf_put_u32(buf, plan->key_count);
    for (uint32_t i = 0; i < plan->key_count; i++) {
        put_bound(buf, plan->keys[i]);
        if (plan->key_names)
            base_buf_put_bytes(buf, plan->key_names[i].ptr, plan->key_names[i].len);
    }
    put_orders(buf, plan);
    put_operator(buf, plan);
    base_buf_put_u8(buf, plan->outputs != NULL);
    for (uint32_t i = 0; i < plan->out.count; i++) {
        const struct patterns_column *c = &plan->out.columns[i];
        base_buf_put_bytes(buf, c->name.ptr, c->name.len);
        base_buf_put_bytes(buf, c->path.ptr, c->path.len);
        base_buf_put_u64(buf, patterns_hash_type(0, c->type));
        if (plan->outputs)
            put_bound(buf, plan->outputs[i]);
    }
    base_buf_put_u32(buf, plan->out.rowtime);
}

static bool is_volatile(const struct patterns_plan *plan)
{
    bool yes = plan->filter && plan->filter->flags & PATTERNS_BOUND_IS_VOLATILE;
    for (uint32_t i = 0; plan->outputs && i < plan->out.count; i++)
        yes |= (plan->outputs[i]->flags & PATTERNS_BOUND_IS_VOLATILE) != 0;
    return yes;
}

static int append(struct patterns_graph *graph, const struct patterns_plan *plan, uint32_t *inputs, uint32_t *ret)
{
    struct base_arena *arena = graph->binder->arena;
    if (graph->count == graph->cap) {
        uint32_t cap = graph->cap ? graph->cap * 2 : 32;
        struct patterns_graph_node *grown = base_arena_zalloc(arena, cap, sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        if (graph->count)
            memcpy(grown, graph->nodes, graph->count * sizeof *grown);
        graph->nodes = grown;
        graph->cap = cap;
    }
    struct patterns_graph_node node = { .plan = plan, .inputs = inputs, .rule = CEP_NONE, .emitted = CEP_NONE };
    node.needed = base_arena_zalloc(arena, plan->out.count + 1, sizeof *node.needed);
    node.layout = base_arena_zalloc(arena, plan->out.count + 1, sizeof *node.layout);
    if (!node.needed || !node.layout)
        return BASE_E_NOMEM;
    *ret = graph->count;
    graph->nodes[graph->count++] = node;
    return 0;
}

/* A union's input of its own, so that its columns are just those that the union's readers want. */
static int own_input(struct patterns_graph *graph, uint32_t *node)
{
    struct patterns_graph_node n = graph->nodes[*node];
    if (n.plan->kind != PATTERNS_PLAN_CALC && n.plan->kind != PATTERNS_PLAN_EXCHANGE)
        return 0;
    uint32_t *inputs = base_arena_zalloc(graph->binder->arena, n.plan->input_count + 1, sizeof *inputs);
    if (!inputs)
        return BASE_E_NOMEM;
    memcpy(inputs, n.inputs, n.plan->input_count * sizeof *inputs);
    int error = n.plan->kind == PATTERNS_PLAN_EXCHANGE ? own_input(graph, &inputs[0]) : 0;
    return error ? error : append(graph, n.plan, inputs, node);
}

int patterns_graph_add(struct patterns_graph *graph, const struct patterns_plan *plan, uint32_t *ret)
{
    uint32_t *inputs = base_arena_zalloc(graph->binder->arena, plan->input_count + 1, sizeof *inputs);
    struct base_buf signature = { 0 };
    uint64_t *known = NULL;
    bool added = true;
    int error = inputs ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < plan->input_count && !error; i++)
        error = patterns_graph_add(graph, plan->inputs[i], &inputs[i]);
    /* Without sharing only SOURCEs are one: a table is read once. */
    bool shareable = plan->kind == PATTERNS_PLAN_SOURCE || (graph->share && !is_volatile(plan));
    if (!error && shareable) {
        put_signature(&signature, plan, inputs);
        known = signature.failed
                    ? NULL
                    : base_map_put(&graph->known, (struct base_str){ signature.ptr, signature.len }, &added);
        error = known ? 0 : BASE_E_NOMEM;
    }
    if (!error && known && !added) {
        *ret = (uint32_t)*known;
        base_buf_finish(&signature);
        return 0;
    }
    for (uint32_t i = 0; i < plan->input_count && !error && plan->kind == PATTERNS_PLAN_UNION; i++)
        error = own_input(graph, &inputs[i]);
    if (!error)
        error = append(graph, plan, inputs, ret);
    if (!error && known)
        *base_map_put(&graph->known, (struct base_str){ signature.ptr, signature.len }, NULL) = *ret;
    base_buf_finish(&signature);
    return error;
}

/* ---- who reads what ---- */

static void own(struct patterns_graph_node *node, uint32_t rule)
{
    if (!node->owned)
        node->rule = rule;
    else if (node->rule != rule)
        node->rule = CEP_NONE;
    node->owned = true;
}

void patterns_graph_read(struct patterns_graph *graph, uint32_t node, uint32_t rule)
{
    struct patterns_graph_node *n = &graph->nodes[node];
    n->live = true;
    n->exact = true;
    for (uint32_t i = 0; i < n->plan->out.count; i++)
        n->needed[i] = true;
    own(n, rule);
}

static void need(struct patterns_graph_node *input, const struct patterns_bound *bound)
{
    if (bound)
        patterns_bound_mark_columns(bound, input->needed);
}

static void need_calc(const struct patterns_graph_node *node, struct patterns_graph_node *input)
{
    need(input, node->plan->filter);
    for (uint32_t i = 0; i < node->plan->out.count; i++) {
        if (!node->needed[i])
            continue;
        if (node->plan->outputs)
            need(input, node->plan->outputs[i]);
        else
            input->needed[i] = true;
    }
}

/* Columns of left ++ right: those of the left side go down, those of the right stay as the lookup's own. */
static void need_lookup(struct patterns_graph_node *node, struct patterns_graph_node *left)
{
    const struct patterns_plan *plan = node->plan;
    need(node, plan->filter);
    for (uint32_t i = 0; i < plan->key_count; i++)
        need(left, plan->keys[i]);
    need(left, plan->as_of);
    for (uint32_t i = 0; i < left->plan->out.count; i++)
        left->needed[i] |= node->needed[i];
}

static void need_group(const struct patterns_graph_node *node, struct patterns_graph_node *input)
{
    const struct patterns_plan *plan = node->plan;
    if (plan->group) {
        patterns_group_mark_columns(plan->group, input->needed);
        return;
    }
    need(input, plan->window->time);
    for (uint32_t i = 0; i < plan->window->first_column; i++)
        input->needed[i] |= node->needed[i];
}

/* The rank stands behind the input's columns. */
static void need_topn(const struct patterns_graph_node *node, struct patterns_graph_node *input)
{
    const struct patterns_plan *plan = node->plan;
    for (uint32_t i = 0; i < input->plan->out.count; i++)
        input->needed[i] |= node->needed[i] || plan->topn->mode == CEP_TOPN_LATEST; /* those keep all columns (latest.h) */
    for (uint32_t i = 0; i < plan->key_count; i++)
        need(input, plan->keys[i]);
    for (uint32_t i = 0; i < plan->order_count && patterns_topn_compares(plan); i++)
        need(input, plan->orders[i].value);
}

static void need_join(struct patterns_graph *graph, struct patterns_graph_node *node, uint32_t side)
{
    struct patterns_graph_node *input = &graph->nodes[node->inputs[side]];
    uint32_t first = side ? graph->nodes[node->inputs[0]].plan->out.count : 0;
    need(node, node->plan->filter);
    for (uint32_t i = 0; i < input->plan->out.count; i++)
        input->needed[i] |= node->needed[first + i];
    for (uint32_t i = 0; i < node->plan->join->key_count; i++)
        need(input, node->plan->join->keys[side][i]);
}

/* A row of a union has at least one column: a CALC without outputs would mean "as it comes". */
static void keep_one(struct patterns_graph_node *node)
{
    bool any = node->plan->out.count == 0;
    for (uint32_t i = 0; i < node->plan->out.count; i++)
        any |= node->needed[i];
    if (!any)
        node->needed[0] = true;
}

static void spread_needs(struct patterns_graph *graph, struct patterns_graph_node *node)
{
    const struct patterns_plan *plan = node->plan;
    for (uint32_t k = 0; k < plan->input_count; k++) {
        struct patterns_graph_node *input = &graph->nodes[node->inputs[k]];
        input->live = true;
        own(input, node->rule);
        switch (plan->kind) {
        case PATTERNS_PLAN_CALC: need_calc(node, input); break;
        case PATTERNS_PLAN_LOOKUP: need_lookup(node, input); break;
        case PATTERNS_PLAN_MATCH: patterns_match_mark_columns(plan->match, node->needed, input->needed); break;
        case PATTERNS_PLAN_TOPN: need_topn(node, input); break;
        case PATTERNS_PLAN_JOIN: need_join(graph, node, k); break;
        case PATTERNS_PLAN_OVER: patterns_over_mark_columns(plan, node->needed, input->needed); break;
        case PATTERNS_PLAN_WINDOW:
        case PATTERNS_PLAN_GROUP: need_group(node, input); break;
        case PATTERNS_PLAN_UNION:
            input->exact = true;
            keep_one(node);
            memcpy(input->needed, node->needed, plan->out.count * sizeof *input->needed);
            break;
        case PATTERNS_PLAN_EXCHANGE:
        case PATTERNS_PLAN_SORT:
            input->exact |= node->exact;
            for (uint32_t i = 0; i < plan->out.count; i++)
                input->needed[i] |= node->needed[i];
            for (uint32_t i = 0; i < plan->key_count; i++)
                need(input, plan->keys[i]);
            for (uint32_t i = 0; i < plan->order_count; i++)
                need(input, plan->orders[i].value);
            break;
        case PATTERNS_PLAN_SOURCE: break;
        }
    }
}

/* ---- where columns stand ---- */

static void pack(struct patterns_graph_node *node)
{
    node->width = 0;
    for (uint32_t i = 0; i < node->plan->out.count; i++)
        node->layout[i] = node->needed[i] ? node->width++ : PATTERNS_NO_COLUMN;
}

/* A CALC whose needed outputs are columns of its input needs to make no rows: its readers look into the input's. */
static bool only_columns(const struct patterns_graph_node *node)
{
    for (uint32_t i = 0; node->plan->outputs && i < node->plan->out.count; i++)
        if (node->needed[i] && node->plan->outputs[i]->kind != PATTERNS_BOUND_COLUMN)
            return false;
    return true;
}

static void lay_calc(struct patterns_graph_node *node, const struct patterns_graph_node *input)
{
    bool identity = true;
    uint32_t next = 0;
    for (uint32_t i = 0; i < node->plan->out.count; i++) {
        node->layout[i] = PATTERNS_NO_COLUMN;
        if (!node->needed[i] || !only_columns(node))
            continue;
        node->layout[i] = input->layout[node->plan->outputs ? node->plan->outputs[i]->column : i];
        identity = identity && node->layout[i] == next++;
    }
    identity = identity && next == input->width;
    if (!only_columns(node) || (node->exact && !identity)) {
        pack(node);
        return;
    }
    node->width = input->width;
    node->passes = true;
    node->skipped = !node->plan->filter;
}

static void lay_lookup(struct patterns_graph_node *node, const struct patterns_graph_node *left)
{
    uint32_t n = left->plan->out.count;
    node->width = left->width;
    for (uint32_t i = 0; i < node->plan->out.count; i++) {
        if (i < n)
            node->layout[i] = left->layout[i];
        else
            node->layout[i] = node->needed[i] ? node->width++ : PATTERNS_NO_COLUMN;
    }
}

static void lay_topn(struct patterns_graph_node *node, const struct patterns_graph_node *input)
{
    uint32_t n = input->plan->out.count;
    memcpy(node->layout, input->layout, n * sizeof *node->layout);
    node->width = input->width + node->needed[n];
    node->layout[n] = node->needed[n] ? input->width : PATTERNS_NO_COLUMN;
}

/* All of the left row, then all of the right one. */
static void lay_join(struct patterns_graph_node *node, const struct patterns_graph_node *left, const struct patterns_graph_node *right)
{
    uint32_t n = left->plan->out.count;
    memcpy(node->layout, left->layout, n * sizeof *node->layout);
    for (uint32_t i = 0; i < right->plan->out.count; i++)
        node->layout[n + i] = right->layout[i] == PATTERNS_NO_COLUMN ? PATTERNS_NO_COLUMN : left->width + right->layout[i];
    node->width = left->width + right->width;
}

static void lay(const struct patterns_graph *graph, struct patterns_graph_node *node)
{
    const struct patterns_graph_node *input = node->plan->input_count ? &graph->nodes[node->inputs[0]] : NULL;
    switch (node->plan->kind) {
    case PATTERNS_PLAN_SOURCE: pack(node); break;
    case PATTERNS_PLAN_CALC: lay_calc(node, input); break;
    case PATTERNS_PLAN_LOOKUP: lay_lookup(node, input); break;
    case PATTERNS_PLAN_TOPN: lay_topn(node, input); break;
    case PATTERNS_PLAN_JOIN: lay_join(node, input, &graph->nodes[node->inputs[1]]); break;
    case PATTERNS_PLAN_UNION:
    case PATTERNS_PLAN_MATCH:
    case PATTERNS_PLAN_WINDOW:
    case PATTERNS_PLAN_OVER:
    case PATTERNS_PLAN_GROUP: pack(node); break;
    case PATTERNS_PLAN_EXCHANGE:
    case PATTERNS_PLAN_SORT:
        memcpy(node->layout, input->layout, node->plan->out.count * sizeof *node->layout);
        node->width = input->width;
        break;
    }
}

/* A table is read once, whoever reads it: by event time, by the clock, with rows that are late by a little. So all of them see the same columns. */
static void share_columns(struct patterns_graph *graph)
{
    for (uint32_t i = 0; i < graph->count; i++) {
        struct patterns_graph_node *one = &graph->nodes[i];
        if (one->live && one->plan->kind == PATTERNS_PLAN_SOURCE && one->plan->out.rowtime != PATTERNS_NO_COLUMN)
            one->needed[one->plan->out.rowtime] = true;
    }
    for (uint32_t i = 0; i < graph->count; i++) {
        struct patterns_graph_node *one = &graph->nodes[i];
        for (uint32_t k = 0; k < graph->count && one->live && one->plan->kind == PATTERNS_PLAN_SOURCE; k++) {
            const struct patterns_graph_node *other = &graph->nodes[k];
            for (uint32_t c = 0; other->live && other->plan->kind == PATTERNS_PLAN_SOURCE && other->plan->table == one->plan->table && c < one->plan->out.count; c++)
                one->needed[c] |= other->needed[c];
        }
    }
}

int patterns_graph_settle(struct patterns_graph *graph)
{
    /* Inputs stand before their readers, so each pass meets a node when all that bears on it is known. */
    for (uint32_t i = graph->count; i-- > 0;)
        if (graph->nodes[i].live)
            spread_needs(graph, &graph->nodes[i]);
    share_columns(graph);
    for (uint32_t i = 0; i < graph->count; i++)
        if (graph->nodes[i].live)
            lay(graph, &graph->nodes[i]);
    return graph->binder->arena->failed ? BASE_E_NOMEM : 0;
}
