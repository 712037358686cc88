#include "cep/operator.h"

#include "base/error.h"

int cep_operator_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    const struct cep_program *p = cep_flow_program(flow);
    const struct cep_node *n = cep_program_node(p, node);
    switch ((enum cep_node_kind)n->kind) {
    case CEP_NODE_MATCH:
        return cep_match_create(flow, node, ret);
    case CEP_NODE_ALERT:
        return cep_alert_create(flow, node, ret);
    case CEP_NODE_SORT:
        return cep_sort_create(flow, node, ret);
    case CEP_NODE_GROUP:
        return cep_group_create(flow, node, ret);
    case CEP_NODE_TOPN:
        if (cep_program_topn(p, n->detail)->mode == CEP_TOPN_LATEST)
            return cep_latest_create(flow, node, ret);
        return cep_topn_create(flow, node, ret);
    case CEP_NODE_JOIN:
        return cep_join_create(flow, node, ret);
    case CEP_NODE_WINDOW:
        return cep_window_create(flow, node, ret);
    case CEP_NODE_OVER:
        return cep_over_create(flow, node, ret);
    case CEP_NODE_SOURCE:
    case CEP_NODE_CALC:
    case CEP_NODE_UNION:
    case CEP_NODE_EXCHANGE:
    case CEP_NODE_SINK:
        return 0;
    case CEP_NODE_LOOKUP:
        if (cep_flow_lookup_outside(flow, node))
            return cep_outside_create(flow, node, ret);
        return cep_flow_lookup_waits(flow, node) ? cep_lookup_create(flow, node, ret) : 0;
    }
    return BASE_E_CORRUPT;
}
