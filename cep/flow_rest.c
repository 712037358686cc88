/* Row patterns that rest: as long as no row comes to one, and neither it nor what is behind it has anything to be woken for, watermarks are not told to it. With a thousand rules behind one
 * node nearly all of them rest, and a watermark is one comparison for each. A watermark that was left out is caught up with before a row comes, and before anybody asks for it. Called by flow.c,
 * flow_ahead.c and flow_state.c; wakes nobody. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/flow_internal.h"

/* A row pattern, or what it tells, whose own output's watermark follows from that of its input: can what is behind the node rest? */
static bool may_rest(const struct cep_flow *flow, uint32_t node, bool first)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    bool told = n->kind == CEP_NODE_CALC || n->kind == CEP_NODE_ALERT || n->kind == CEP_NODE_SINK;
    if (n->inputs.count != 1 || !(first ? n->kind == CEP_NODE_MATCH : told))
        return false;
    for (uint32_t i = 0; i < n->outputs.count; i++)
        if (!may_rest(flow, *cep_program_u32(flow->program, n->outputs.first + i), false))
            return false;
    return true;
}

int cep_flow_rest_plan(struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    bool any = false;
    for (uint32_t i = 0; i < outputs.count && !any; i++)
        any = may_rest(flow, *cep_program_u32(flow->program, outputs.first + i), true);
    if (!any)
        return 0;
    int64_t *rests = base_calloc(2 * (size_t)outputs.count, sizeof *rests);
    if (!rests)
        return BASE_E_NOMEM;
    flow->nodes[node].rests = rests;
    flow->nodes[node].behind = rests + outputs.count;
    for (uint32_t i = 0; i < outputs.count; i++) {
        rests[i] = may_rest(flow, *cep_program_u32(flow->program, outputs.first + i), true) ? FLOW_AWAKE : FLOW_NO_REST;
        flow->nodes[node].behind[i] = FLOW_AWAKE;
    }
    return 0;
}

static int64_t output_of(const struct cep_flow *flow, uint32_t node, int64_t in_ms)
{
    const struct cep_operator *op = flow->nodes[node].op;
    return op ? op->ops->output_watermark(op, in_ms) : in_ms;
}

static int64_t behind_until(const struct cep_flow *flow, uint32_t node);

/* The last watermark of the node's input at which it has nothing to do itself. */
static int64_t own_until(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_operator *op = flow->nodes[node].op;
    int64_t in_ms = flow->nodes[node].in_ms, until_ms = op ? cep_wheel_quiet_until(&op->keyed.wheel) : BASE_TIME_MAX_MS - 1;
    return until_ms <= in_ms ? in_ms : until_ms; /* it is told the next one in any case */
}

static int64_t quiet_until(const struct cep_flow *flow, uint32_t node)
{
    int64_t until_ms = own_until(flow, node), behind_ms = behind_until(flow, node);
    return behind_ms < until_ms ? behind_ms : until_ms;
}

/* ... nor those behind it, which have been told all that they will be. */
static int64_t behind_until(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    int64_t in_ms = flow->nodes[node].in_ms, out_ms = output_of(flow, node, in_ms), until_ms = BASE_TIME_MAX_MS - 1, behind_ms;
    if (output_of(flow, node, BASE_TIME_MAX_MS - 1) == BASE_TIME_MIN_MS)
        return until_ms; /* the others hear of nothing before the end */
    if (out_ms == BASE_TIME_MIN_MS)
        return in_ms; /* they will hear of some time, but have not yet */
    for (uint32_t i = 0; i < outputs.count; i++) {
        int64_t next_ms = quiet_until(flow, *cep_program_u32(flow->program, outputs.first + i));
        if (!__builtin_add_overflow(next_ms, in_ms - out_ms, &behind_ms) && behind_ms < until_ms) /* both watermarks rise alike */
            until_ms = behind_ms;
    }
    return until_ms;
}

void cep_flow_rest(struct cep_flow *flow, uint32_t node, uint32_t output)
{
    int64_t *rest = &flow->nodes[node].rests[output], *behind = &flow->nodes[node].behind[output];
    if (*rest == FLOW_NO_REST)
        return;
    uint32_t to = *cep_program_u32(flow->program, cep_program_node(flow->program, node)->outputs.first + output);
    struct flow_node *own = &flow->nodes[to];
    if (own->told || *behind == FLOW_AWAKE) {
        if (own->lagging)
            cep_flow_catch_up(flow, to);
        *behind = behind_until(flow, to);
        own->told = false;
    }
    int64_t until_ms = own_until(flow, to);
    until_ms = *behind < until_ms ? *behind : until_ms;
    *rest = until_ms > FLOW_AWAKE ? until_ms : FLOW_AWAKE;
    flow->resting = true;
}

/* What the watermark of `from` says to the node and those behind it, where it wakes nobody. */
static void catch_up(struct cep_flow *flow, uint32_t from, uint32_t node)
{
    struct flow_node *own = &flow->nodes[node];
    int64_t in_ms = flow->nodes[from].out_ms;
    if (in_ms <= own->in_ms)
        return;
    own->in_ms = in_ms;
    if (own->op)
        own->op->watermark_ms = in_ms;
    int64_t out_ms = output_of(flow, node, in_ms);
    if (out_ms <= own->out_ms || cep_program_node(flow->program, node)->kind == CEP_NODE_SINK)
        return;
    own->out_ms = out_ms;
    cep_flow_catch_up(flow, node);
}

void cep_flow_catch_up(struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    flow->nodes[node].lagging = false;
    for (uint32_t i = 0; i < outputs.count; i++)
        catch_up(flow, node, *cep_program_u32(flow->program, outputs.first + i));
}

void cep_flow_rouse(struct cep_flow *flow, uint32_t node, uint32_t output)
{
    int64_t *rest = &flow->nodes[node].rests[output], in_ms = flow->nodes[node].out_ms;
    if (*rest <= FLOW_AWAKE)
        return;
    *rest = FLOW_AWAKE;
    uint32_t to = *cep_program_u32(flow->program, cep_program_node(flow->program, node)->outputs.first + output);
    struct flow_node *own = &flow->nodes[to];
    if (in_ms <= own->in_ms)
        return;
    own->in_ms = in_ms;
    if (own->op)
        own->op->watermark_ms = in_ms;
    int64_t out_ms = output_of(flow, to, in_ms);
    if (out_ms <= own->out_ms)
        return;
    own->out_ms = out_ms;
    own->lagging = true; /* most rows lead to nothing that those behind it would see */
}

void cep_flow_rouse_all(struct cep_flow *flow)
{
    for (uint32_t i = 0; flow->resting && i < cep_program_node_count(flow->program); i++) {
        const struct cep_list outputs = cep_program_node(flow->program, i)->outputs;
        for (uint32_t k = 0; flow->nodes[i].rests && k < outputs.count; k++) {
            uint32_t to = *cep_program_u32(flow->program, outputs.first + k);
            cep_flow_rouse(flow, i, k);
            flow->nodes[i].behind[k] = FLOW_AWAKE;
            if (flow->nodes[to].lagging)
                cep_flow_catch_up(flow, to);
        }
    }
    flow->resting = false;
}
