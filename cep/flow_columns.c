/* A bounded table handed over as a whole, in columns, to the row pattern that reads it (cep/columns.h). */
#include "base/error.h"
#include "base/time.h"
#include "cep/flow_internal.h"
#include "cep/match/batch.h"

/* The pattern that every row of the source comes to as it is, by an exchange by plain columns; *ret_exchange. NULL: there is none. */
static struct cep_operator *reader(const struct cep_flow *flow, uint32_t node, uint32_t *ret_exchange)
{
    const struct cep_program *p = flow->program;
    struct cep_list outputs = cep_program_node(p, node)->outputs;
    if (outputs.count != 1)
        return NULL;
    *ret_exchange = *cep_program_u32(p, outputs.first);
    const struct cep_node *exchange = cep_program_node(p, *ret_exchange);
    if (exchange->kind != CEP_NODE_EXCHANGE || exchange->outputs.count != 1 || (exchange->keys.count && flow->nodes[*ret_exchange].key.count == 0))
        return NULL;
    uint32_t to = *cep_program_u32(p, exchange->outputs.first);
    struct cep_operator *op = flow->nodes[to].op;
    return op && cep_program_node(p, to)->kind == CEP_NODE_MATCH && cep_match_takes_columns(op) ? op : NULL;
}

bool cep_flow_takes_columns(const struct cep_flow *flow, uint32_t node)
{
    uint32_t exchange;
    return !cep_program_node(flow->program, node)->clock && reader(flow, node, &exchange) != NULL;
}

int cep_flow_columns(struct cep_flow *flow, uint32_t node, struct cep_columns *columns)
{
    uint32_t exchange;
    struct cep_operator *op = reader(flow, node, &exchange);
    if (!op)
        return BASE_E_UNSUPPORTED;
    const struct cep_plain_key *key = &flow->nodes[exchange].key;
    const struct match_batch_keys keys = { key->columns, key->count };
    base_arena_reset(&flow->arena);
    cep_flow_rouse_all(flow);
    flow->depth++;
    flow->rows_in += columns->rows;
    int rc = cep_match_columns(op, columns, &keys);
    flow->depth--;
    return rc;
}
