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
static void look_ahead(struct cep_flow *flow, uint32_t exchange_node, const struct cep_row *const *rows, uint32_t count)
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
    for (uint32_t i = 0; i < flow->ahead_count; i++)
        cep_flow_expect(flow, exchange_node, flow->ahead[i].hash, true);
}

int cep_flow_source_rows(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count)
{
    uint32_t exchange_node = first_exchange(flow, node);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        if (exchange_node != CEP_NONE && i % AHEAD == 0)
            look_ahead(flow, exchange_node, rows + i, count - i < AHEAD ? count - i : AHEAD);
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
    return reads_once(flow, node) && !cep_flow_traces(flow) ? cep_care_create(flow->program, node, own->types, own->columns, &own->care) : 0;
}
