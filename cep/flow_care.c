/* Rows that concern nothing behind the exchange they would go to: left out before anything is made of them. */
#include "cep/flow_internal.h"

uint32_t cep_flow_caring(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    uint32_t to = outputs.count == 1 ? *cep_program_u32(flow->program, outputs.first) : CEP_NONE;
    if (to == CEP_NONE || !flow->env.routes_back || cep_program_node(flow->program, node)->clock)
        return CEP_NONE;
    bool harmless = cep_program_node(flow->program, to)->kind == CEP_NODE_EXCHANGE && cep_plain_key_any(&flow->nodes[to].key);
    return harmless && flow->nodes[to].care ? to : CEP_NONE;
}

uint32_t cep_flow_concerned(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count, const struct cep_row **ret)
{
    uint32_t exchange_node = cep_flow_caring(flow, node), kept = 0;
    if (exchange_node == CEP_NONE) {
        memcpy(ret, rows, count * sizeof *rows);
        return count;
    }
    const struct flow_node *exchange = &flow->nodes[exchange_node];
    for (uint32_t i = 0; i < count; i++) {
        bool usual = rows[i]->change == CEP_INSERT && rows[i]->time_ms > exchange->out_ms; /* late ones and changes go the way of all rows */
        ret[kept] = rows[i];
        kept += !usual || cep_care_any(exchange->care, &rows[i]->tuple);
    }
    flow->rows_in += count - kept;
    return kept;
}
