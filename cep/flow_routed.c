/* Rows that come to an exchange as they left their sources, several at a time: to the one operator behind it by its quick way, with the memory of their keys brought near
 * before the first is looked at. Called by hosts whose rows come from other threads; those whose rows are routed straight back have flow_ahead.c. */
#include "cep/flow_internal.h"

struct arrivals {
    struct cep_flow *flow;
    uint32_t exchange;
    const struct cep_routed *rows;
    uint32_t first;              /* of these in what the host gave */
    const struct cep_taker *taker;
};

static struct cep_event event_of(uint32_t exchange, const struct cep_routed *routed)
{
    const struct cep_row *row = routed->row;
    return (struct cep_event){ .row = row, .key = routed->key, .key_node = exchange, .key_hash = routed->key_hash, .first_time_ms = row->time_ms, .last_time_ms = row->time_ms,
                               .first_at = row->at, .final = true };
}

static int take(const struct arrivals *in, uint32_t from, uint32_t count)
{
    return count ? in->taker->took(in->taker->ctx, in->first + from, count) : 0;
}

/* The operator that all rows of the exchange come to and nobody else, if it has a quick way. */
static struct cep_operator *quick_operator(const struct cep_flow *flow, uint32_t exchange)
{
    const struct cep_list outputs = cep_program_node(flow->program, exchange)->outputs;
    uint32_t to = outputs.count == 1 ? *cep_program_u32(flow->program, outputs.first) : CEP_NONE;
    if (to == CEP_NONE || flow->nodes[exchange].care || flow->nodes[exchange].once || cep_program_node(flow->program, to)->inputs.count != 1)
        return NULL;
    struct cep_operator *op = flow->nodes[to].op;
    return op && op->ops->quick ? op : NULL;
}

/* A row that is not a usual one; its key is known, or it goes the way of all rows. */
static int one_row(const struct arrivals *in, struct cep_operator *op, uint32_t i, bool known)
{
    struct cep_flow *flow = in->flow;
    struct cep_event event = event_of(in->exchange, &in->rows[i]);
    int rc = take(in, i, 1);
    if (rc)
        return rc;
    if (!known)
        return cep_flow_deliver(flow, in->exchange, &event);
    event.key_node = op->node;
    cep_flow_enter(flow);
    flow->rows_under_way++;
    rc = cep_flow_key_row(flow, op, flow->found[i].key, &event);
    flow->rows_under_way--;
    flow->depth--;
    return rc;
}

/* What the rows need is brought near: the slots of all of them, then the keys. */
static void bring_near(const struct arrivals *in, uint32_t count, const struct cep_operator *op)
{
    struct cep_flow *flow = in->flow;
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *ahead = &flow->ahead[i];
        *ahead = (struct ahead){ .row = in->rows[i].row, .key = in->rows[i].key, .place = cep_key_place(in->rows[i].key) };
        if (op)
            cep_keyed_prefetch_slot(&op->keyed, ahead->place);
        else
            cep_flow_expect_place(flow, in->exchange, ahead->place, false);
    }
    flow->ahead_node = in->exchange;
    flow->ahead_at = flow->ahead_count = count; /* no exchange is to look for its key here */
    for (uint32_t i = 0; i < count && !op; i++)
        cep_flow_expect_place(flow, in->exchange, flow->ahead[i].place, true);
}

static int quick_rows(const struct arrivals *in, uint32_t count, struct cep_operator *op)
{
    struct cep_flow *flow = in->flow;
    uint32_t i = 0, end = 0; /* from i to end, keys are known */
    int rc = op->ops->upkeep(op, count);
    if (!rc)
        cep_flow_guess_keys(flow, op);
    while (i < count && !rc) {
        uint32_t done = 0;
        if (i >= end)
            rc = cep_flow_find_keys(flow, op, i, &end);
        if (!rc && i < end)
            rc = op->ops->quick(op, flow->found + i, end - i, &done);
        for (uint32_t k = i; k < i + done && flow->env.load && !rc; k++)
            rc = cep_keyed_mark(&op->keyed, flow->found[k].key);
        if (!rc)
            rc = take(in, i, done); /* nothing followed from them yet, and nothing that is kept was asked for */
        i += done;
        if (rc || i == count || (done && i == end))
            continue;
        uint64_t removals = op->keyed.removals;
        rc = one_row(in, op, i, i < end);
        i++;
        if (op->keyed.removals != removals) { /* it took a key out */
            for (uint32_t k = i; k < count; k++)
                flow->found[k].key = NULL;
            end = i;
        }
    }
    return rc;
}

int cep_flow_deliver_rows(struct cep_flow *flow, uint32_t exchange, const struct cep_routed *rows, uint32_t count, const struct cep_taker *taker)
{
    int rc = flow->restored.len ? cep_flow_finish_restore(flow) : 0;
    struct cep_operator *op = quick_operator(flow, exchange);
    if (op && count && flow->nodes[exchange].rests)
        cep_flow_rouse(flow, exchange, 0);
    for (uint32_t from = 0; from < count && !rc; from += AHEAD) {
        const struct arrivals in = { flow, exchange, rows + from, from, taker };
        uint32_t n = count - from < AHEAD ? count - from : AHEAD;
        bring_near(&in, n, op);
        if (op)
            rc = quick_rows(&in, n, op);
        for (uint32_t i = 0; i < n && !op && !rc; i++)
            rc = one_row(&in, NULL, i, false);
    }
    flow->ahead_at = flow->ahead_count = 0;
    return rc;
}
