/* Rows of a source that are there already, many at a time, to the row pattern that reads them; what it tells goes on in order, between the watermarks between which it would have come. */
#include "base/error.h"
#include "base/time.h"
#include "cep/flow_internal.h"
#include "cep/match/history.h"

/* The pattern that every row of the source comes to as it is, by an exchange by plain columns; *ret_exchange. NULL: there is none. */
static struct cep_operator *reader(const struct cep_flow *flow, uint32_t node, uint32_t *ret_exchange)
{
    const struct cep_program *p = flow->program;
    const struct cep_list outputs = cep_program_node(p, node)->outputs;
    if (outputs.count != 1 || flow->nodes[node].care || flow->nodes[node].once)
        return NULL;
    *ret_exchange = *cep_program_u32(p, outputs.first);
    const struct cep_node *exchange = cep_program_node(p, *ret_exchange);
    const struct flow_node *own = &flow->nodes[*ret_exchange];
    if (exchange->kind != CEP_NODE_EXCHANGE || exchange->outputs.count != 1 || !cep_plain_key_any(&own->key) || own->care || own->once)
        return NULL;
    uint32_t to = *cep_program_u32(p, exchange->outputs.first);
    struct cep_operator *op = flow->nodes[to].op;
    return op && cep_program_node(p, to)->kind == CEP_NODE_MATCH && cep_program_node(p, to)->inputs.count == 1 && cep_match_takes_history(op) ? op : NULL;
}

bool cep_flow_takes_history(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    uint32_t exchange;
    return flow->env.routes_back && !flow->restored.len && !n->clock && n->late_ms == 0 && reader(flow, node, &exchange) != NULL;
}

/* Is all that comes of the node's rows a result, whose reader asks for columns alone? */
static bool gives_results(const struct cep_program *p, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(p, node)->outputs;
    for (uint32_t i = 0; i < outputs.count; i++) {
        const struct cep_node *n = cep_program_node(p, *cep_program_u32(p, outputs.first + i));
        if (n->kind != CEP_NODE_SINK || cep_program_sink(p, n->detail)->kind != CEP_SINK_QUERY)
            return false;
    }
    return true;
}

/* What is behind the operator hears of a watermark that came to it. */
static int pass_watermark(struct cep_flow *flow, struct cep_operator *op, int64_t watermark_ms)
{
    int64_t out_ms = op->ops->output_watermark(op, watermark_ms);
    return cep_flow_set_watermark(flow, op->node, out_ms);
}

#define NEAR_EVENTS 6
#define NEAR_LINES 8 /* of an event with what belongs to it */
#define LINE 64

struct handing {
    struct cep_flow *flow;
    struct cep_operator *op;
    const struct match_history *rows;
    const struct match_aside *aside;
    struct match_history_told told; /* the one under way */
};

/* What is told in a while: of a match that is named, its name, then where its values lie, then those. */
static void bring_near(const struct handing *handing, size_t i)
{
    const struct match_aside *aside = handing->aside;
    const struct match_aside_place *places = aside->places.at;
    size_t count = aside->places.len;
    __asm__ volatile("" ::: "memory"); /* as in flow_ahead.c: a function that only brings memory near is left out */
    if (i + 3 * NEAR_EVENTS < count && places[i + 3 * NEAR_EVENTS].what != MATCH_ASIDE_EVENT)
        __builtin_prefetch(places[i + 3 * NEAR_EVENTS].named);
    if (i + 2 * NEAR_EVENTS < count && places[i + 2 * NEAR_EVENTS].what != MATCH_ASIDE_EVENT)
        cep_match_history_near(handing->rows, aside, places[i + 2 * NEAR_EVENTS].named, false);
    if (i + NEAR_EVENTS >= count)
        return;
    if (places[i + NEAR_EVENTS].what != MATCH_ASIDE_EVENT)
        cep_match_history_near(handing->rows, aside, places[i + NEAR_EVENTS].named, true);
    else
        for (uint32_t k = 0; k < NEAR_LINES; k++)
            __builtin_prefetch((const char *)places[i + NEAR_EVENTS].event + k * LINE);
}

static int hand_one(struct handing *handing, const struct match_aside_place *place)
{
    if (place->what == MATCH_ASIDE_EVENT)
        return cep_flow_emit(handing->flow, handing->op->node, place->event);
    int rc = cep_match_history_event(handing->op, handing->rows, handing->aside, place, &handing->told);
    return rc ? rc : cep_flow_emit(handing->flow, handing->op->node, &handing->told.event);
}

static int hand_on(struct handing *handing)
{
    struct cep_flow *flow = handing->flow;
    const struct match_history *rows = handing->rows;
    const struct match_aside *aside = handing->aside;
    uint32_t mark = 0, told = 0;
    int rc = 0;
    for (size_t i = 0; i < aside->places.len && !rc; i++) {
        const struct match_aside_place *place = &aside->places.at[i];
        bring_near(handing, i);
        while (mark < rows->mark_count && rows->marks[mark].end * 2 < place->place)
            mark++;
        if (mark > told)
            rc = pass_watermark(flow, handing->op, rows->marks[mark - 1].watermark_ms);
        told = mark;
        cep_flow_enter(flow);
        flow->rows_under_way++;
        if (!rc)
            rc = hand_one(handing, place);
        flow->rows_under_way--;
        flow->depth--;
    }
    base_arena_finish(&handing->told.arena);
    return rc;
}

int cep_flow_history(struct cep_flow *flow, uint32_t node, const struct cep_history *history)
{
    uint32_t exchange;
    struct cep_operator *op = reader(flow, node, &exchange);
    if (!op || history->mark_count > CEP_HISTORY_MARKS_MOST || history->columns->rows > CEP_HISTORY_ROWS_MOST * 2)
        return BASE_E_UNSUPPORTED;
    const struct cep_plain_key *key = &flow->nodes[exchange].key;
    const struct match_history rows = { history->columns, history->left_out, history->marks, history->mark_count, key->columns, key->count };
    struct match_aside aside = { .plain = gives_results(flow->program, op->node) };
    cep_flow_rouse_all(flow);
    cep_flow_enter(flow);
    int rc = cep_match_history(op, &rows, &aside);
    flow->depth--;
    if (!rc) {
        flow->rows_in += history->columns->rows;
        rc = cep_match_aside_sort(&aside, history->columns->rows * 2 + 1);
    }
    struct handing handing = { .flow = flow, .op = op, .rows = &rows, .aside = &aside };
    if (!rc)
        rc = hand_on(&handing);
    cep_match_aside_finish(&aside);
    return rc;
}
