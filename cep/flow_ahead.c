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

void cep_flow_expect_place(const struct cep_flow *flow, uint32_t exchange_node, uint64_t place, bool soon)
{
    __asm__ volatile("" ::: "memory"); /* bringing memory near is no effect to the compiler: it left the calls of this function out altogether */
    const struct cep_list outputs = cep_program_node(flow->program, exchange_node)->outputs;
    if (flow->nodes[exchange_node].care)
        return; /* most will not be asked */
    uint32_t most = outputs.count < 4 ? outputs.count : 4; /* more than a few would push each other out again */
    for (uint32_t i = 0; i < most; i++) {
        const struct cep_operator *op = flow->nodes[*cep_program_u32(flow->program, outputs.first + i)].op;
        if (op && soon)
            cep_keyed_prefetch_key(&op->keyed, place);
        else if (op)
            cep_keyed_prefetch_slot(&op->keyed, place);
    }
}

/* The exchange that every row of the source comes to as it is, if there is one. */
static uint32_t first_exchange(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    uint32_t to = outputs.count == 1 ? *cep_program_u32(flow->program, outputs.first) : CEP_NONE;
    return to != CEP_NONE && cep_program_node(flow->program, to)->kind == CEP_NODE_EXCHANGE && cep_plain_key_any(&flow->nodes[to].key) ? to : CEP_NONE;
}

/* Makes the keys of the next rows, and brings their slots in a table near if there is one. */
static void make_keys(struct cep_flow *flow, uint32_t exchange_node, const struct cep_row *const *rows, uint32_t count, const struct cep_keyed *table)
{
    const struct cep_plain_key *plain = &flow->nodes[exchange_node].key;
    uint32_t i = 0;
    base_arena_reset(&flow->ahead_arena);
    for (; i < count; i++) {
        struct ahead *ahead = &flow->ahead[i];
        struct cep_tuple *key = (struct cep_tuple *)(void *)ahead->room;
        if (!cep_plain_key_brief(plain, &rows[i]->tuple, ahead->room) && cep_flow_plain_key(plain, &rows[i]->tuple, &flow->ahead_arena, &key))
            break; /* the row itself meets the error */
        ahead->row = rows[i];
        ahead->key = key;
        ahead->place = cep_key_place(key);
        if (table)
            cep_keyed_prefetch_slot(table, ahead->place);
    }
    flow->ahead_node = exchange_node;
    flow->ahead_at = 0;
    flow->ahead_count = i;
}

/* Makes keys and brings what they need near, one step for all before the next step, so that the waits for memory overlap. */
static void look_ahead(struct cep_flow *flow, uint32_t exchange_node, const struct cep_row *const *rows, uint32_t count)
{
    make_keys(flow, exchange_node, rows, count, NULL);
    for (uint32_t i = 0; i < flow->ahead_count; i++)
        cep_flow_expect_place(flow, exchange_node, flow->ahead[i].place, false);
    for (uint32_t i = 0; i < flow->ahead_count; i++)
        cep_flow_expect_place(flow, exchange_node, flow->ahead[i].place, true);
}

/* ---- usual rows, together ---- */

/* The one operator behind the exchange, if rows that come straight back may go to it by its quick way. */
static struct cep_operator *quick_operator(const struct cep_flow *flow, uint32_t node, uint32_t exchange_node)
{
    if (exchange_node == CEP_NONE || !flow->env.routes_back || flow->nodes[node].care)
        return NULL;
    if (flow->nodes[exchange_node].care && cep_flow_caring(flow, node) == CEP_NONE)
        return NULL; /* rows that do not concern it were not left out */
    const struct cep_list outputs = cep_program_node(flow->program, exchange_node)->outputs;
    uint32_t to = outputs.count == 1 ? *cep_program_u32(flow->program, outputs.first) : CEP_NONE;
    struct cep_operator *op = to != CEP_NONE && cep_program_node(flow->program, to)->inputs.count == 1 ? flow->nodes[to].op : NULL;
    return op && op->ops->quick ? op : NULL;
}

#define LINE 64

void cep_flow_guess_keys(struct cep_flow *flow, const struct cep_operator *op)
{
    const struct cep_keyed keyed = { .slots = op->keyed.slots, .mask = op->keyed.mask };
    const bool wide = op->keyed.room_bytes > LINE + LINE / 4; /* with the key's own words more than two lines */
    for (uint32_t i = 0, end = flow->ahead_count; i < end; i++) {
        struct cep_key *key = cep_keyed_guess(&keyed, flow->ahead[i].place);
        flow->found[i] = (struct cep_keyed_row){ flow->ahead[i].row, key };
        if (!key)
            continue;
        __builtin_prefetch(key);
        __builtin_prefetch((const char *)key + LINE);
        if (wide) {
            __builtin_prefetch((const char *)key + 2 * LINE);
            __builtin_prefetch((const char *)key + 3 * LINE);
        }
    }
}

int cep_flow_find_keys(struct cep_flow *flow, struct cep_operator *op, uint32_t from, uint32_t *ret_end)
{
    int rc = 0;
    uint32_t i = from;
    for (; i < flow->ahead_count && !rc; i++) {
        struct cep_key *key = flow->found[i].key;
        bool added;
        if (BASE_UNLIKELY(!key || !cep_key_equal(&key->tuple, flow->ahead[i].key))) {
            flow->found[i].key = NULL;
            if (flow->env.load)
                break; /* who makes it asks the store for its state */
            rc = cep_keyed_get_at(&op->keyed, flow->ahead[i].key, flow->ahead[i].place, &key, &added);
            flow->found[i].key = rc ? NULL : key;
        }
        if (!rc && key->cold)
            break;
    }
    *ret_end = i;
    return rc;
}

/* A row that is not a usual one, with its key known: straight to the operator, without going through the nodes before it, which hand it on as it is. */
static int long_way(struct cep_flow *flow, uint32_t node, struct cep_operator *op, const struct cep_keyed_row *found)
{
    struct cep_event event = cep_flow_source_event(flow, node, found->row);
    event.key = &found->key->tuple;
    event.key_hash = cep_key_hash(&found->key->tuple);
    event.key_node = op->node;
    cep_flow_enter(flow);
    flow->rows_in++;
    flow->rows_under_way++;
    int rc = cep_flow_key_row(flow, op, found->key, &event);
    flow->rows_under_way--;
    flow->depth--;
    return rc;
}

static int one_row(struct cep_flow *flow, uint32_t node, struct cep_operator *op, const struct cep_row *row, uint32_t i, bool known)
{
    if (known && row->change == CEP_INSERT && !cep_program_node(flow->program, node)->clock)
        return long_way(flow, node, op, &flow->found[i]);
    flow->ahead_at = i; /* where the exchange finds its key */
    flow->tried_quick = known;
    int rc = cep_flow_source(flow, node, row);
    flow->tried_quick = false;
    return rc;
}

/* The rows whose keys were made, and the one that had none. */
static int take_ahead(struct cep_flow *flow, uint32_t node, struct cep_operator *op, const struct cep_row *const *rows, uint32_t count)
{
    bool quick = !flow->restored.len && !flow->nodes[node].once && !flow->nodes[flow->ahead_node].once;
    uint32_t i = 0, end = 0; /* from i to end, keys are known */
    int rc = quick ? op->ops->upkeep(op, count) : 0;
    if (!rc && quick)
        cep_flow_guess_keys(flow, op);
    while (i < count && !rc) {
        uint32_t done = 0;
        if (quick && i >= end)
            rc = cep_flow_find_keys(flow, op, i, &end);
        if (!rc && i < end)
            rc = op->ops->quick(op, flow->found + i, end - i, &done);
        for (uint32_t k = i; k < i + done && flow->env.load; k++) {
            int marked = cep_keyed_mark(&op->keyed, flow->found[k].key);
            rc = rc ? rc : marked;
        }
        flow->rows_in += done;
        i += done;
        if (rc || (done && i == end))
            continue;
        uint64_t removals = op->keyed.removals;
        rc = one_row(flow, node, op, rows[i], i, i < end);
        i++;
        if (op->keyed.removals != removals) { /* it took a key out */
            for (uint32_t k = i; k < flow->ahead_count; k++)
                flow->found[k].key = NULL;
            end = i;
        }
    }
    return rc;
}

/* To hosts that send rows to other threads: does the exchange get every row of the source as it is, so that nothing is to be done but to add its key? */
static bool goes_straight(const struct cep_flow *flow, uint32_t node)
{
    const struct flow_node *own = &flow->nodes[node];
    return !flow->env.routes_back && !own->care && !own->once && !own->wants_ident && !cep_program_node(flow->program, node)->clock;
}

/* The rows whose keys were made, and those that had none. */
static int route_ahead(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count)
{
    uint32_t made = flow->ahead_count;
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        flow->ahead_at = i;
        if (i >= made || rows[i]->change != CEP_INSERT) {
            rc = cep_flow_source(flow, node, rows[i]);
            continue;
        }
        struct cep_event event = cep_flow_source_event(flow, node, rows[i]);
        event.key = flow->ahead[i].key;
        event.key_hash = cep_key_hash(event.key);
        event.key_node = flow->ahead_node;
        flow->rows_in++;
        rc = flow->env.route(flow->env.ctx, flow->ahead_node, &event);
    }
    return rc;
}

#define SIEVE (4 * AHEAD)

static int concerned_rows(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count)
{
    uint32_t exchange_node = first_exchange(flow, node);
    struct cep_operator *quick = quick_operator(flow, node, exchange_node);
    int rc = 0;
    if (quick && count && flow->nodes[exchange_node].rests)
        cep_flow_rouse(flow, exchange_node, 0);
    for (uint32_t i = 0; i < count && !rc; i += AHEAD) {
        uint32_t n = count - i < AHEAD ? count - i : AHEAD;
        if (quick) {
            make_keys(flow, exchange_node, rows + i, n, &quick->keyed);
            rc = take_ahead(flow, node, quick, rows + i, n);
            continue;
        }
        if (exchange_node != CEP_NONE && goes_straight(flow, node)) {
            make_keys(flow, exchange_node, rows + i, n, NULL);
            rc = route_ahead(flow, node, rows + i, n);
            continue;
        }
        if (exchange_node != CEP_NONE)
            look_ahead(flow, exchange_node, rows + i, n);
        if (exchange_node != CEP_NONE && flow->nodes[exchange_node].care && flow->env.routes_back)
            cep_flow_bring_picked(flow, exchange_node);
        for (uint32_t k = 0; k < n && !rc; k++)
            rc = cep_flow_source(flow, node, rows[i + k]);
    }
    flow->ahead_count = 0;
    return rc;
}

int cep_flow_source_rows(struct cep_flow *flow, uint32_t node, const struct cep_row *const *rows, uint32_t count)
{
    const struct cep_row *kept[SIEVE];
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i += SIEVE)
        rc = concerned_rows(flow, node, kept, cep_flow_concerned(flow, node, rows + i, count - i < SIEVE ? count - i : SIEVE, kept));
    return rc;
}

int cep_flow_emit_with_care(struct cep_flow *flow, uint32_t node, const struct cep_event *event)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    uint32_t count;
    const uint32_t *picked = cep_care_pick(flow->nodes[node].care, &event->row->tuple, &count);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        if (flow->nodes[node].rests)
            cep_flow_rouse(flow, node, picked[i]);
        rc = cep_flow_push(flow, *cep_program_u32(flow->program, outputs.first + picked[i]), 0, event);
        if (flow->nodes[node].rests && !rc)
            cep_flow_rest(flow, node, picked[i]); /* it is at hand now: most hear of no row for long */
    }
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

static bool reads_clock(const struct cep_program *p, uint32_t code)
{
    return code != CEP_NONE && cep_program_code(p, code)->flags & CEP_CODE_VOLATILE;
}

static bool some_read_clock(const struct cep_program *p, struct cep_list codes)
{
    for (uint32_t i = 0; i < codes.count; i++)
        if (reads_clock(p, *cep_program_u32(p, codes.first + i)))
            return true;
    return false;
}

/* Reading the clock takes longer than most expressions. */
static bool asks_clock(const struct cep_program *p, const struct cep_node *n)
{
    const struct cep_calc *calc = n->kind == CEP_NODE_CALC ? cep_program_calc(p, n->detail) : NULL;
    if (calc && (reads_clock(p, calc->filter) || reads_clock(p, calc->rowtime_code) || some_read_clock(p, calc->outputs)))
        return true;
    return some_read_clock(p, n->keys) || (n->kind == CEP_NODE_LOOKUP && some_read_clock(p, cep_program_lookup(p, n->detail)->keys));
}

int cep_flow_plan_node(struct cep_flow *flow, uint32_t node)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    struct flow_node *own = &flow->nodes[node];
    own->asks_clock = asks_clock(flow->program, n);
    if (n->kind == CEP_NODE_SOURCE)
        own->wants_ident = wants_ident(flow, node);
    if (n->inputs.count)
        cep_plain_key_init(&own->key, flow->program, n->keys, flow->nodes[*cep_program_u32(flow->program, n->inputs.first)].columns);
    if (cep_flow_traces(flow))
        return 0; /* who listens is told of every row, and finds nothing known beforehand */
    int rc = cep_once_create(flow->program, node, &own->once);
    return !rc && reads_once(flow, node) ? cep_care_create(flow->program, node, own->types, own->columns, &own->care) : rc;
}
