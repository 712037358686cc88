/* Ahead of the rows: keys made and memory brought near for the next ones; outputs that a row cannot concern left out. */
#include "base/error.h"
#include "cep/flow_internal.h"

int cep_flow_plain_key(const struct cep_plain_key *plain, const struct cep_tuple *row, struct base_arena *arena, struct cep_tuple **ret)
{
    size_t bytes = cep_plain_key_size(plain, row);
    if (bytes == 0)
        return BASE_E_LIMIT;
    *ret = base_arena_alloc(arena, bytes);
    if (!*ret)
        return BASE_E_NOMEM;
    cep_plain_key_write(plain, row, *ret, bytes);
    return 0;
}

void cep_flow_expect(const struct cep_flow *flow, uint32_t exchange_node, uint64_t key_hash, bool soon)
{
    const struct cep_list outputs = cep_program_node(flow->program, exchange_node)->outputs;
    if (flow->nodes[exchange_node].care)
        return; /* most will not be asked */
    uint32_t most = outputs.count < 4 ? outputs.count : 4; /* more than a few would push each other out again */
    for (uint32_t i = 0; i < most; i++) {
        const struct cep_operator *op = flow->nodes[*cep_program_u32(flow->program, outputs.first + i)].op;
        if (op && soon)
            cep_keyed_prefetch_key(&op->keyed, key_hash);
        else if (op)
            cep_keyed_prefetch_slot(&op->keyed, key_hash);
    }
}

/* The exchange that every row of the source comes to as it is, if there is one. */
static uint32_t first_exchange(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    uint32_t to = outputs.count == 1 ? *cep_program_u32(flow->program, outputs.first) : CEP_NONE;
    return to != CEP_NONE && cep_program_node(flow->program, to)->kind == CEP_NODE_EXCHANGE && flow->nodes[to].key.count ? to : CEP_NONE;
}

/* Makes the keys of the next rows and brings what they need near, one step for all before the next step, so that the waits for memory overlap. */
static void look_ahead(struct cep_flow *flow, uint32_t exchange_node, const struct cep_row *const *rows, uint32_t count, bool soon)
{
    flow->ahead_at = flow->ahead_count = 0;
    base_arena_reset(&flow->ahead_arena);
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *ahead = &flow->ahead[i];
        if (cep_flow_plain_key(&flow->nodes[exchange_node].key, &rows[i]->tuple, &flow->ahead_arena, &ahead->key))
            break; /* the row itself meets the error */
        ahead->row = rows[i];
        ahead->node = exchange_node;
        ahead->hash = cep_key_hash(ahead->key);
        cep_flow_expect(flow, exchange_node, ahead->hash, false);
        flow->ahead_count++;
    }
    for (uint32_t i = 0; soon && i < flow->ahead_count; i++)
        cep_flow_expect(flow, exchange_node, flow->ahead[i].hash, true);
}

/* ---- usual rows, together ---- */

/* The one operator behind the exchange, if rows that come straight back may go to it by its quick way. */
static struct cep_operator *quick_operator(const struct cep_flow *flow, uint32_t node, uint32_t exchange_node)
{
    if (exchange_node == CEP_NONE || !flow->env.routes_back || flow->nodes[node].care || flow->nodes[exchange_node].care)
        return NULL;
    const struct cep_list outputs = cep_program_node(flow->program, exchange_node)->outputs;
    uint32_t to = outputs.count == 1 ? *cep_program_u32(flow->program, outputs.first) : CEP_NONE;
    struct cep_operator *op = to != CEP_NONE && cep_program_node(flow->program, to)->inputs.count == 1 ? flow->nodes[to].op : NULL;
    return op && op->ops->quick ? op : NULL;
}

#define LINE 64

/* Looks the keys of the next rows up, without touching them, and brings them near. */
static void guess_keys(struct cep_flow *flow, const struct cep_operator *op)
{
    for (uint32_t i = 0; i < flow->ahead_count; i++) {
        const char *key = (const char *)(flow->ahead[i].found = cep_keyed_guess(&op->keyed, flow->ahead[i].hash));
        for (uint32_t k = 0; key && k < 4; k++)
            __builtin_prefetch(key + k * LINE);
    }
}

/* *ret_done false: nothing was done. */
static int quick_row(struct cep_flow *flow, struct cep_operator *op, struct ahead *ahead, bool *ret_done)
{
    struct cep_key *key = ahead->found;
    bool added;
    int rc;
    *ret_done = false;
    if (!key || !cep_tuple_equal(&key->tuple, ahead->key)) {
        if (flow->env.load)
            return 0;
        rc = cep_keyed_get(&op->keyed, ahead->key, ahead->hash, &key, &added);
        if (rc)
            return rc;
        ahead->found = key;
    }
    if (key->cold)
        return 0;
    rc = op->ops->quick(op, key, ahead->row, ret_done);
    if (!rc && *ret_done && flow->env.load)
        cep_keyed_mark(&op->keyed, key);
    return rc;
}

/* A row that went the long way may have taken its key out. */
static void forget_found(struct cep_flow *flow, uint32_t from, uint64_t hash)
{
    for (uint32_t i = from; i < flow->ahead_count; i++)
        if (flow->ahead[i].hash == hash)
            flow->ahead[i].found = NULL;
}

static int take_ahead(struct cep_flow *flow, uint32_t node, struct cep_operator *op, const struct cep_row *const *rows, uint32_t count)
{
    bool quick = !flow->restored.len;
    int rc = quick ? op->ops->upkeep(op, count) : 0;
    if (!rc)
        guess_keys(flow, op);
    for (uint32_t i = 0; i < count && !rc; i++) {
        bool done = false;
        if (quick && i < flow->ahead_count) {
            if (i + 4 < flow->ahead_count && flow->ahead[i + 4].found && flow->ahead[i + 4].found->state)
                op->ops->near(op, flow->ahead[i + 4].found);
            rc = quick_row(flow, op, &flow->ahead[i], &done);
        }
        if (rc || done) {
            flow->rows_in += done;
            continue;
        }
        flow->ahead_at = i; /* where the exchange finds its key */
        flow->tried_quick = quick && i < flow->ahead_count;
        rc = cep_flow_source(flow, node, rows[i]);
        flow->tried_quick = false;
        if (i < flow->ahead_count)
            forget_found(flow, i + 1, flow->ahead[i].hash);
    }
    return rc;
}

int cep_flow_source_rows(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count)
{
    uint32_t exchange_node = first_exchange(flow, node);
    struct cep_operator *quick = quick_operator(flow, node, exchange_node);
    int rc = 0;
    for (uint32_t i = 0; quick && i < count && !rc; i += AHEAD) {
        uint32_t n = count - i < AHEAD ? count - i : AHEAD;
        look_ahead(flow, exchange_node, rows + i, n, false);
        rc = take_ahead(flow, node, quick, rows + i, n);
    }
    if (quick) {
        flow->ahead_count = 0;
        return rc;
    }
    for (uint32_t i = 0; i < count && !rc; i++) {
        if (exchange_node != CEP_NONE && i % AHEAD == 0)
            look_ahead(flow, exchange_node, rows + i, count - i < AHEAD ? count - i : AHEAD, true);
        rc = cep_flow_source(flow, node, rows[i]);
    }
    flow->ahead_count = 0;
    return rc;
}

int cep_flow_emit_with_care(struct cep_flow *flow, uint32_t node, const struct cep_event *event)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    uint32_t count;
    const uint32_t *picked = cep_care_pick(flow->nodes[node].care, &event->row->tuple, &count);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++)
        rc = cep_flow_push(flow, *cep_program_u32(flow->program, outputs.first + picked[i]), 0, event);
    return rc;
}

/* Does something behind the node read the identity of its rows? A row pattern gives its matches their own. */
static bool wants_ident(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    for (uint32_t i = 0; i < outputs.count; i++) {
        uint32_t to = *cep_program_u32(flow->program, outputs.first + i), kind = cep_program_node(flow->program, to)->kind;
        bool passes = kind == CEP_NODE_EXCHANGE || kind == CEP_NODE_CALC || kind == CEP_NODE_UNION;
        if (kind != CEP_NODE_MATCH && (!passes || wants_ident(flow, to)))
            return true;
    }
    return false;
}

/* Does each output read the node by its first input alone? */
static bool reads_once(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    for (uint32_t i = 0; i < outputs.count; i++)
        if (cep_program_node(flow->program, *cep_program_u32(flow->program, outputs.first + i))->inputs.count != 1)
            return false;
    return true;
}

int cep_flow_plan_node(struct cep_flow *flow, uint32_t node)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    struct flow_node *own = &flow->nodes[node];
    if (n->kind == CEP_NODE_SOURCE)
        own->wants_ident = wants_ident(flow, node);
    if (n->inputs.count)
        cep_plain_key_init(&own->key, flow->program, n->keys, flow->nodes[*cep_program_u32(flow->program, n->inputs.first)].columns);
    if (cep_flow_traces(flow))
        return 0; /* who listens is told of every row, and finds nothing known beforehand */
    int rc = cep_once_create(flow->program, node, &own->once);
    return !rc && reads_once(flow, node) ? cep_care_create(flow->program, node, own->types, own->columns, &own->care) : rc;
}
