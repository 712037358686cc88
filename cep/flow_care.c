/* Rows that concern nothing behind the exchange they would go to: left out before anything is made of them. */
#include "cep/flow_internal.h"

/* The exchange that every row of the source goes to as it is, if it has an index of who can care about a row; CEP_NONE: there is none, or the row's key may
 * end in an error that must be told. */
static uint32_t caring_exchange(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    uint32_t to = outputs.count == 1 ? *cep_program_u32(flow->program, outputs.first) : CEP_NONE;
    if (to == CEP_NONE || !flow->env.routes_back || cep_program_node(flow->program, node)->clock)
        return CEP_NONE;
    const struct cep_node *exchange = cep_program_node(flow->program, to);
    bool harmless = exchange->kind == CEP_NODE_EXCHANGE && (flow->nodes[to].key.count || exchange->keys.count == 0);
    return harmless && flow->nodes[to].care ? to : CEP_NONE;
}

uint32_t cep_flow_concerned(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count, const struct cep_row **ret)
{
    uint32_t exchange_node = caring_exchange(flow, node), kept = 0;
    if (exchange_node == CEP_NONE) {
        memcpy(ret, rows, count * sizeof *rows);
        return count;
    }
    const struct flow_node *exchange = &flow->nodes[exchange_node];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t concerned = 1; /* late ones and changes go the way of all rows */
        if (rows[i]->change == CEP_INSERT && rows[i]->time_ms > exchange->out_ms)
            (void)cep_care_pick(exchange->care, &rows[i]->tuple, &concerned);
        ret[kept] = rows[i];
        kept += concerned != 0;
    }
    flow->rows_in += count - kept;
    return kept;
}
