/* Patterns that the next rows concern, or that the watermark wakes: brought near before their turn. Of a thousand patterns behind a node a row concerns a few, of which nothing is in a cache:
 * each would wait for some thirty lines of memory, one after the other. Here all of them wait together, a step at a time: what a step looks at, the one before it has asked for.
 * Called by flow.c and flow_ahead.c; changes nothing. */
#include "cep/flow_internal.h"

#define LINE 64
#define NODE_LINES 4     /* of a struct flow_node */
#define OPERATOR_LINES 4 /* of a struct cep_operator: up to its blocks */

static void bring(const void *at, uint32_t lines)
{
    __asm__ volatile("" ::: "memory"); /* a function that only brings memory near is left out */
    for (uint32_t i = 0; i < lines; i++)
        __builtin_prefetch((const char *)at + i * LINE);
}

static void bring_node(const struct cep_flow *flow, uint32_t node)
{
    bring(&flow->nodes[node], NODE_LINES);
    bring(cep_program_node(flow->program, node), 2);
}

/* What the operator looks at of the key that comes, or of the one that is woken. */
static void bring_key(const struct cep_operator *op, const struct flow_coming *coming, uint32_t step)
{
    const struct cep_timers *near = &op->keyed.wheel.near;
    bool woken = coming->wakes && op->keyed.wheel.near_at < near->len;
    if (step == 0 && !coming->wakes)
        cep_keyed_prefetch_slot(&op->keyed, coming->place);
    if (step == 0 && near->at)
        bring(&near->at[op->keyed.wheel.near_at], 1);
    if (step == 1 && woken)
        bring(near->at[op->keyed.wheel.near_at].key, 2);
    if (step == 1 && !coming->wakes)
        cep_keyed_prefetch_key(&op->keyed, coming->place);
    if (step == 2 && woken)
        cep_keyed_prefetch_slot(&op->keyed, cep_key_place(&near->at[op->keyed.wheel.near_at].key->tuple)); /* it may go */
}

void cep_flow_bring(const struct cep_flow *flow, const struct flow_coming *coming, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        bring_node(flow, coming[i].node);
    for (uint32_t i = 0; i < count; i++)
        if (flow->nodes[coming[i].node].op)
            bring(flow->nodes[coming[i].node].op, OPERATOR_LINES);
    for (uint32_t step = 0; step < CEP_BRING_STEPS; step++)
        for (uint32_t i = 0; i < count; i++) {
            const struct cep_operator *op = flow->nodes[coming[i].node].op;
            if (!op || !op->ops->bring)
                continue;
            bring_key(op, &coming[i], step);
            op->ops->bring(op, step, coming[i].wakes);
        }
}

void cep_flow_bring_picked(struct cep_flow *flow, uint32_t exchange_node)
{
    const struct cep_list outputs = cep_program_node(flow->program, exchange_node)->outputs;
    const struct flow_node *exchange = &flow->nodes[exchange_node];
    struct flow_coming coming[FLOW_COMING_MOST];
    uint32_t count = 0;
    for (uint32_t i = 0; i < flow->ahead_count; i++) {
        const struct cep_row *row = flow->ahead[i].row;
        uint32_t picked_count = 0;
        const uint32_t *picked = NULL;
        if (row->change == CEP_INSERT && row->time_ms > exchange->out_ms)
            picked = cep_care_pick(exchange->care, &row->tuple, &picked_count);
        for (uint32_t k = 0; k < picked_count && count < FLOW_COMING_MOST; k++)
            coming[count++] = (struct flow_coming){ *cep_program_u32(flow->program, outputs.first + picked[k]), false, flow->ahead[i].place };
    }
    if (count > 1)
        cep_flow_bring(flow, coming, count);
}
