#include "cep/flow.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/flow_internal.h"
#include "cep/operators/window.h"

/* ---- services ---- */

const struct cep_program *cep_flow_program(const struct cep_flow *flow) { return flow->program; }
const struct cep_linked *cep_flow_linked(const struct cep_flow *flow) { return flow->linked; }
struct cep_expr *cep_flow_expr(struct cep_flow *flow) { return flow->expr; }
struct base_arena *cep_flow_arena(struct cep_flow *flow) { return &flow->arena; }
const struct cep_limits *cep_flow_limits(const struct cep_flow *flow) { return &flow->limits; }
const struct cep_env *cep_flow_env(const struct cep_flow *flow) { return &flow->env; }
struct cep_halves *cep_flow_halves(struct cep_flow *flow, uint32_t node) { return &flow->nodes[node].halves; }
struct cep_once *cep_flow_once(const struct cep_flow *flow, uint32_t node) { return flow->nodes[node].once; }
struct cep_value *cep_flow_values(struct cep_flow *flow) { return flow->values; }
int64_t cep_flow_proc_time(struct cep_flow *flow) { return flow->env.proc_time_ms ? flow->env.proc_time_ms(flow->env.ctx) : 0; }

const struct cep_type *cep_flow_types(const struct cep_flow *flow, uint32_t node, uint32_t *ret_columns)
{
    *ret_columns = flow->nodes[node].columns;
    return flow->nodes[node].types;
}

void cep_flow_report(struct cep_flow *flow, enum cep_report what, uint32_t node, int error, uint32_t code, const struct cep_event *event)
{
    if (flow->env.report)
        flow->env.report(flow->env.ctx, what, node, error, code == CEP_NONE ? NULL : cep_program_code(flow->program, code), event);
}

static int emit(struct cep_flow *flow, uint32_t node, const struct cep_event *event)
{
    const struct cep_list outputs = cep_program_node(flow->program, node)->outputs;
    const bool rests = flow->nodes[node].rests != NULL;
    int rc = 0;
    if (flow->nodes[node].lagging)
        cep_flow_catch_up(flow, node);
    flow->nodes[node].told = true;
    if (flow->nodes[node].care && event->row->change == CEP_INSERT && event->row->time_ms > flow->nodes[node].out_ms)
        return cep_flow_emit_with_care(flow, node, event);
    for (uint32_t i = 0; i < outputs.count && !rc; i++) {
        uint32_t to = *cep_program_u32(flow->program, outputs.first + i);
        const struct cep_node *next = cep_program_node(flow->program, to);
        if (i > 0 && *cep_program_u32(flow->program, outputs.first + i - 1) == to)
            continue; /* a node that reads this one twice (a join with itself) is named twice */
        if (rests)
            cep_flow_rouse(flow, node, i);
        for (uint32_t k = 0; k < next->inputs.count && !rc; k++)
            if (*cep_program_u32(flow->program, next->inputs.first + k) == node)
                rc = cep_flow_push(flow, to, k, event);
    }
    return rc;
}

int cep_flow_emit(struct cep_flow *flow, uint32_t node, const struct cep_event *event)
{
    struct cep_once *once = flow->nodes[node].once;
    if (!once)
        return emit(flow, node, event);
    cep_once_row(once, event->row);
    int rc = emit(flow, node, event);
    cep_once_row(once, NULL);
    return rc;
}

/* ---- stateless nodes ---- */

static struct cep_frame frame_of(struct cep_flow *flow, uint32_t node, const struct cep_row *row, const struct cep_type *types)
{
    int64_t now_ms = flow->nodes[node].asks_clock ? cep_flow_proc_time(flow) : 0;
    return (struct cep_frame){ .row = &row->tuple, .row_types = types, .row_time_ms = row->time_ms, .arena = &flow->arena,
                               .proc_time_ms = now_ms, .now_ms = now_ms };
}

static const struct cep_type *input_types(const struct cep_flow *flow, const struct cep_node *node, uint32_t input, uint32_t *ret_columns)
{
    return cep_flow_types(flow, *cep_program_u32(flow->program, node->inputs.first + input), ret_columns);
}

/* *ret NULL: the filter or an error leaves the row out. */
static int calc_row(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_row **ret)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    const struct cep_calc *calc = cep_program_calc(flow->program, n->detail);
    uint32_t columns;
    struct cep_frame frame = frame_of(flow, node, event->row, input_types(flow, n, 0, &columns));
    int rc = 0;
    *ret = NULL;
    if (calc->filter != CEP_NONE) {
        bool holds;
        rc = cep_expr_test(flow->expr, calc->filter, &frame, &holds);
        if (rc && rc != BASE_E_NOMEM) {
            cep_flow_report(flow, CEP_REPORT_ERROR, node, rc, calc->filter, event);
            return 0;
        }
        if (rc || !holds)
            return rc;
    }
    if (calc->outputs.count == 0) {
        *ret = (struct cep_row *)(uintptr_t)event->row; /* as it came; give() changes no INSERT or DELETE */
        return 0;
    }
    int64_t time_ms = event->row->time_ms;
    for (uint32_t i = 0; i < calc->outputs.count && !rc; i++) {
        uint32_t code = *cep_program_u32(flow->program, calc->outputs.first + i);
        rc = cep_expr_run(flow->expr, code, &frame, &flow->values[i]);
        if (rc && rc != BASE_E_NOMEM) {
            cep_flow_report(flow, CEP_REPORT_ERROR, node, rc, code, event);
            return 0;
        }
    }
    if (!rc && calc->rowtime_code != CEP_NONE) {
        struct cep_value time;
        rc = cep_expr_run(flow->expr, calc->rowtime_code, &frame, &time);
        if (!rc && !time.null)
            time_ms = time.i;
    }
    if (!rc)
        rc = cep_row_make(flow->nodes[node].types, flow->values, flow->nodes[node].columns, time_ms, event->row->at, &flow->arena, ret);
    if (!rc)
        (*ret)->change = event->row->change;
    return rc;
}

static int calc(struct cep_flow *flow, uint32_t node, const struct cep_event *event)
{
    struct cep_row *row;
    int rc = calc_row(flow, node, event, &row);
    if (rc)
        return rc;
    if (event->row->change == CEP_UPDATE_BEFORE || event->row->change == CEP_UPDATE_AFTER) {
        if (row == event->row) { /* it may become an INSERT */
            row = base_arena_alloc(&flow->arena, cep_row_size(event->row));
            if (!row)
                return BASE_E_NOMEM;
            memcpy(row, event->row, cep_row_size(event->row));
        }
        return cep_flow_give(flow, node, event, row);
    }
    if (!row)
        return 0;
    struct cep_event out = *event;
    out.row = row;
    return cep_flow_emit(flow, node, &out);
}

static int unite(struct cep_flow *flow, uint32_t node, uint32_t input, const struct cep_event *event)
{
    if (event->row->at.place == input)
        return cep_flow_emit(flow, node, event);
    struct cep_row *row = base_arena_alloc(&flow->arena, cep_row_size(event->row));
    if (!row)
        return BASE_E_NOMEM;
    memcpy(row, event->row, cep_row_size(event->row));
    row->at.place = (uint16_t)input;
    struct cep_event out = *event;
    out.row = row;
    return cep_flow_emit(flow, node, &out);
}

/* Tuple of key codes over the event's row. */
int cep_flow_key(struct cep_flow *flow, uint32_t node, struct cep_list codes, const struct cep_event *event, struct cep_tuple **ret)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    uint32_t columns;
    const struct cep_plain_key *plain = &flow->nodes[node].key;
    if (codes.first == n->keys.first && plain->count)
        return cep_flow_plain_key(plain, &event->row->tuple, &flow->arena, ret);
    struct cep_frame frame = frame_of(flow, node, event->row, input_types(flow, n, 0, &columns));
    for (uint32_t i = 0; i < codes.count; i++) {
        uint32_t code = *cep_program_u32(flow->program, codes.first + i);
        flow->value_types[i] = cep_program_code(flow->program, code)->type;
        int rc = cep_expr_run(flow->expr, code, &frame, &flow->values[i]);
        if (rc && rc != BASE_E_NOMEM)
            cep_flow_report(flow, CEP_REPORT_ERROR, node, rc, code, event);
        if (rc)
            return rc;
    }
    size_t bytes = cep_tuple_size(flow->value_types, flow->values, codes.count);
    if (bytes == 0)
        return BASE_E_LIMIT;
    *ret = base_arena_alloc(&flow->arena, bytes);
    if (!*ret)
        return BASE_E_NOMEM;
    cep_tuple_write(flow->value_types, flow->values, codes.count, *ret);
    return 0;
}

int cep_flow_find_profile(struct cep_flow *flow, uint32_t table, const struct cep_tuple *key, int64_t as_of_ms, const struct cep_row **ret)
{
    return flow->env.lookup ? flow->env.lookup(flow->env.ctx, table, key, as_of_ms, ret) : BASE_E_UNSUPPORTED;
}

int64_t cep_flow_profile_watermark(struct cep_flow *flow, uint32_t table)
{
    return flow->env.lookup_watermark ? flow->env.lookup_watermark(flow->env.ctx, table) : BASE_TIME_MAX_MS;
}

static int route(struct cep_flow *flow, uint32_t node, const struct cep_event *event, const struct cep_row *row, const struct cep_tuple *key)
{
    struct cep_event out = *event;
    out.row = row;
    out.key_hash = cep_key_hash(key);
    out.key = key;
    out.key_node = node;
    out.tells_end = false; /* CEP_SETTLED does not pass */
    return flow->env.route(flow->env.ctx, node, &out);
}

/* An update whose key changes is a DELETE for the owner of the old key and an INSERT for that of the new one. */
static int exchange_pair(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_half *before, const struct cep_tuple *key)
{
    bool same = before->key && key && cep_tuple_equal(before->key, key);
    int rc = 0;
    if (before->key) {
        before->row->change = same ? CEP_UPDATE_BEFORE : CEP_DELETE;
        rc = route(flow, node, event, before->row, before->key);
    }
    if (!rc && same)
        rc = route(flow, node, event, event->row, key);
    else if (!rc && key) {
        struct cep_row *row = base_arena_alloc(&flow->arena, cep_row_size(event->row));
        if (!row)
            return BASE_E_NOMEM;
        memcpy(row, event->row, cep_row_size(event->row));
        row->change = CEP_INSERT;
        rc = route(flow, node, event, row, key);
    }
    return rc;
}

/* A change that is more than a new row. */
static int exchange_change(struct cep_flow *flow, uint32_t node, const struct cep_event *event)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    struct cep_tuple *key = NULL;
    int rc = cep_flow_key(flow, node, n->keys, event, &key);
    if (rc && !cep_row_error(rc))
        return rc;
    if (rc)
        key = NULL;
    if (event->row->change == CEP_UPDATE_BEFORE)
        return cep_halves_hold(&flow->nodes[node].halves, event->ident, event->row, key);
    struct cep_half before;
    if (event->row->change == CEP_UPDATE_AFTER && cep_halves_take(&flow->nodes[node].halves, event->ident, &before)) {
        rc = exchange_pair(flow, node, event, &before, key);
        base_free(before.row);
        base_free(before.key);
        return rc;
    }
    return key ? route(flow, node, event, event->row, key) : 0;
}

static int exchange(struct cep_flow *flow, uint32_t node, const struct cep_event *event)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    struct cep_event out = *event;
    const struct cep_tuple *key;
    if (event->row->change != CEP_INSERT)
        return exchange_change(flow, node, event);
    struct ahead *ahead = flow->ahead_at < flow->ahead_count ? &flow->ahead[flow->ahead_at] : NULL;
    if (ahead && ahead->row == event->row && flow->ahead_node == node) {
        flow->ahead_at++;
        key = ahead->key;
    } else {
        struct cep_tuple *made;
        int rc = cep_flow_key(flow, node, n->keys, event, &made);
        if (rc)
            return cep_row_error(rc) ? 0 : rc;
        key = made;
    }
    out.key_hash = cep_key_hash(key);
    out.key = key;
    out.key_node = node;
    return flow->env.route(flow->env.ctx, node, &out);
}

/* ---- keyed nodes ---- */

static int complete_key(struct cep_flow *flow, struct cep_operator *op, struct cep_key *key)
{
    int rc = op->ops->complete ? op->ops->complete(op, key) : 0;
    key->stored = true;
    key->cold = false;
    if (!rc)
        rc = cep_keyed_arm(&op->keyed, key, op->ops->deadline(op, key));
    if (!rc)
        cep_keyed_account(&op->keyed, key, op->ops->bytes(op, key));
    (void)flow;
    return rc;
}

/* Keys that the host put back piece by piece. */
int cep_flow_finish_restore(struct cep_flow *flow)
{
    int rc = 0;
    if (flow->restored.len)
        cep_flow_rouse_all(flow);
    for (size_t i = 0; i < flow->restored.len && !rc; i++)
        rc = complete_key(flow, flow->restored.at[i].op, flow->restored.at[i].key);
    flow->restored.len = 0;
    return rc;
}

/* Reads a key's state from the host's store, if it has any. */
int cep_flow_load_key(struct cep_flow *flow, struct cep_operator *op, struct cep_key *key)
{
    uint64_t fingerprint = cep_program_node(flow->program, op->node)->fingerprint;
    base_buf_clear(&flow->piece);
    int rc = flow->env.load(flow->env.ctx, fingerprint, &key->tuple, 0, &flow->piece);
    if (rc == BASE_E_NOTFOUND) {
        key->cold = false;
        return 0;
    }
    if (!rc)
        rc = op->ops->load(op, key, 0, flow->piece.ptr, flow->piece.len);
    uint32_t first = 0, end = 0;
    if (!rc && op->ops->pieces)
        op->ops->pieces(op, key, &first, &end);
    for (uint32_t piece = first; piece < end && !rc; piece++) {
        base_buf_clear(&flow->piece);
        rc = flow->env.load(flow->env.ctx, fingerprint, &key->tuple, piece, &flow->piece);
        if (rc == BASE_E_NOTFOUND)
            rc = 0; /* numbers may have gaps; complete() sees a missing one */
        else if (!rc)
            rc = op->ops->load(op, key, piece, flow->piece.ptr, flow->piece.len);
    }
    return rc ? rc : complete_key(flow, op, key);
}

/* After the state was touched: deadline, memory, and is it still needed? */
static int after_touch(struct cep_flow *flow, struct cep_operator *op, struct cep_key *key)
{
    if (op->ops->idle(op, key) && !flow->env.load) {
        op->ops->free_state(op, key);
        cep_keyed_account(&op->keyed, key, 0);
        cep_keyed_remove(&op->keyed, key);
        return 0;
    }
    int rc = flow->env.load ? cep_keyed_mark(&op->keyed, key) : 0;
    cep_keyed_account(&op->keyed, key, op->ops->bytes(op, key));
    return rc ? rc : cep_keyed_arm(&op->keyed, key, op->ops->deadline(op, key));
}

int cep_flow_key_row(struct cep_flow *flow, struct cep_operator *op, struct cep_key *key, const struct cep_event *event)
{
    int rc = op->ops->row(op, key, event);
    return rc ? rc : after_touch(flow, op, key);
}

static int keyed_row(struct cep_flow *flow, struct cep_operator *op, uint32_t input, const struct cep_event *event)
{
    const struct cep_node *n = cep_program_node(flow->program, op->node);
    struct cep_event own = *event;
    own.input = (uint8_t)input;
    if (!own.key) {
        struct cep_tuple *tuple;
        int rc = cep_flow_key(flow, op->node, n->keys, event, &tuple);
        if (rc)
            return cep_row_error(rc) ? 0 : rc;
        own.key = tuple;
        own.key_hash = cep_key_hash(tuple);
    }
    if (n->kind != CEP_NODE_LOOKUP) /* its rows keep the key of their exchange */
        own.key_node = op->node;
    struct cep_key *key;
    bool added;
    int rc = cep_keyed_get(&op->keyed, own.key, &key, &added);
    if (!rc && flow->env.load && (added || key->cold))
        rc = cep_flow_load_key(flow, op, key);
    if (!rc && op->ops->quick && !flow->tried_quick) {
        uint32_t done = 0;
        rc = op->ops->upkeep(op, 1);
        if (!rc)
            rc = op->ops->quick(op, &(struct cep_keyed_row){ event->row, key }, 1, &done);
        if (!rc && done && flow->env.load)
            rc = cep_keyed_mark(&op->keyed, key);
        if (rc || done)
            return rc;
    }
    return rc ? rc : cep_flow_key_row(flow, op, key, &own);
}

int cep_flow_push(struct cep_flow *flow, uint32_t node, uint32_t input, const struct cep_event *event)
{
    const struct cep_node *n = cep_program_node(flow->program, node);
    bool settled = event->row->change == CEP_SETTLED;
    switch ((enum cep_node_kind)n->kind) {
    case CEP_NODE_SOURCE:
        return BASE_E_CORRUPT;
    case CEP_NODE_CALC:
        return settled ? cep_flow_emit(flow, node, event) : calc(flow, node, event);
    case CEP_NODE_UNION:
        return settled ? cep_flow_emit(flow, node, event) : unite(flow, node, input, event);
    case CEP_NODE_EXCHANGE:
        return settled ? 0 : exchange(flow, node, event);
    case CEP_NODE_LOOKUP:
        if (flow->nodes[node].op)
            return keyed_row(flow, flow->nodes[node].op, input, event);
        return settled ? cep_flow_emit(flow, node, event) : cep_lookup_row(flow, node, event);
    case CEP_NODE_SINK:
        return settled ? 0 : flow->env.sink(flow->env.ctx, node, event);
    case CEP_NODE_WINDOW:
        if (cep_program_window(flow->program, n->detail)->assigns)
            return settled ? 0 : cep_window_assign(flow->nodes[node].op, event);
        return settled ? 0 : keyed_row(flow, flow->nodes[node].op, input, event);
    case CEP_NODE_MATCH:
    case CEP_NODE_SORT:
    case CEP_NODE_OVER:
    case CEP_NODE_GROUP:
    case CEP_NODE_JOIN:
    case CEP_NODE_TOPN:
        return settled ? 0 : keyed_row(flow, flow->nodes[node].op, input, event);
    case CEP_NODE_ALERT:
        return keyed_row(flow, flow->nodes[node].op, input, event);
    }
    return BASE_E_CORRUPT;
}

/* ---- watermarks ---- */

#define NEAR_STATES 5 /* so many wake-ups before its turn, what a key has beyond its block is brought near */
#define WAKES_IN_VAIN 1000 /* a sound key needs one; a damaged state's deadline may stay where it is */

static int wake_due(struct cep_flow *flow, struct cep_operator *op)
{
    struct cep_key *key;
    const struct cep_key *last = NULL;
    uint32_t in_vain = 0;
    int64_t last_ms = BASE_TIME_MIN_MS;
    int rc = 0;
    while (!(rc = cep_keyed_due(&op->keyed, op->watermark_ms, &key)) && key) {
        const struct cep_key *soon = op->ops->near ? cep_wheel_peek(&op->keyed.wheel, NEAR_STATES) : NULL;
        if (soon)
            op->ops->near(op, soon);
        if (flow->rows_under_way == 0)
            base_arena_reset(&flow->arena);
        if (key->cold && flow->env.load)
            rc = cep_flow_load_key(flow, op, key);
        if (rc)
            break;
        if (!key->state)
            continue;
        int64_t at_ms = op->ops->deadline(op, key);
        in_vain = key == last && at_ms <= last_ms ? in_vain + 1 : 0;
        last = key;
        last_ms = at_ms;
        if (at_ms > op->watermark_ms && at_ms != BASE_TIME_MAX_MS && !flow->env.load) {
            rc = cep_keyed_arm(&op->keyed, key, at_ms); /* rows came since it was armed; its state is as they left it */
            if (rc)
                break;
            continue;
        }
        if (at_ms <= op->watermark_ms)
            rc = in_vain < WAKES_IN_VAIN ? op->ops->wake(op, key) : BASE_E_CORRUPT;
        if (!rc)
            rc = after_touch(flow, op, key);
        if (rc)
            break;
    }
    return rc;
}

static int advance(struct cep_flow *flow, uint32_t from);

/* Tells a node behind `from` the watermark. */
static int advance_to(struct cep_flow *flow, uint32_t from, uint32_t to)
{
    const struct cep_node *n = cep_program_node(flow->program, to);
    int64_t in = flow->nodes[from].out_ms;
    for (uint32_t k = 0; k < n->inputs.count && n->inputs.count > 1; k++) {
        int64_t out = flow->nodes[*cep_program_u32(flow->program, n->inputs.first + k)].out_ms;
        in = out < in ? out : in;
    }
    if (in <= flow->nodes[to].in_ms)
        return 0;
    flow->nodes[to].in_ms = in;
    struct cep_operator *op = flow->nodes[to].op;
    if (n->kind == CEP_NODE_EXCHANGE)
        return flow->env.route_watermark ? flow->env.route_watermark(flow->env.ctx, to, in) : 0;
    if (n->kind == CEP_NODE_SINK)
        return flow->env.sink_watermark ? flow->env.sink_watermark(flow->env.ctx, to, in) : 0;
    if (op) {
        op->watermark_ms = in;
        int rc = cep_wheel_quiet(&op->keyed.wheel, in) ? 0 : wake_due(flow, op);
        if (rc)
            return rc;
        in = op->ops->output_watermark(op, in);
    }
    if (in <= flow->nodes[to].out_ms)
        return 0;
    flow->nodes[to].out_ms = in;
    return advance(flow, to);
}

/* The same, where those behind it have nothing to do unless it gives a row. */
static int advance_alone(struct cep_flow *flow, uint32_t from, uint32_t to)
{
    struct flow_node *own = &flow->nodes[to];
    struct cep_operator *op = own->op;
    int64_t in_ms = flow->nodes[from].out_ms;
    if (in_ms <= own->in_ms)
        return 0;
    own->in_ms = in_ms;
    op->watermark_ms = in_ms;
    int rc = cep_wheel_quiet(&op->keyed.wheel, in_ms) ? 0 : wake_due(flow, op);
    int64_t out_ms = op->ops->output_watermark(op, in_ms);
    if (rc || out_ms <= own->out_ms)
        return rc;
    own->out_ms = out_ms;
    own->lagging = true;
    flow->resting = true;
    return own->told ? advance(flow, to) : 0;
}

/* The outputs of a node of which some may rest: those few that do not are brought near together. */
static int advance_rested(struct cep_flow *flow, uint32_t from)
{
    const struct cep_list outputs = cep_program_node(flow->program, from)->outputs;
    const struct flow_node *own = &flow->nodes[from];
    struct flow_coming coming[FLOW_COMING_MOST];
    uint32_t due[FLOW_COMING_MOST];
    int rc = 0;
    for (uint32_t i = 0; i < outputs.count && !rc;) {
        uint32_t count = 0;
        for (; i < outputs.count && count < FLOW_COMING_MOST; i++) {
            due[count] = i;
            count += own->out_ms > own->rests[i];
        }
        for (uint32_t k = 0; k < count; k++)
            coming[k] = (struct flow_coming){ *cep_program_u32(flow->program, outputs.first + due[k]), true, 0 };
        if (count > 1)
            cep_flow_bring(flow, coming, count);
        for (uint32_t k = 0; k < count && !rc; k++) {
            uint32_t to = coming[k].node;
            bool alone = cep_flow_rests_behind(own, due[k], &flow->nodes[to], own->out_ms);
            rc = alone ? advance_alone(flow, from, to) : advance_to(flow, from, to);
            if (!rc)
                cep_flow_rest(flow, from, due[k]);
        }
    }
    return rc;
}

static int advance(struct cep_flow *flow, uint32_t from)
{
    const struct cep_list outputs = cep_program_node(flow->program, from)->outputs;
    int rc = 0;
    flow->nodes[from].lagging = false;
    if (flow->nodes[from].rests)
        return advance_rested(flow, from);
    for (uint32_t i = 0; i < outputs.count && !rc; i++)
        rc = advance_to(flow, from, *cep_program_u32(flow->program, outputs.first + i));
    return rc;
}

void cep_flow_enter(struct cep_flow *flow)
{
    if (flow->depth++ == 0)
        base_arena_reset(&flow->arena);
}

/* Keys that hold watermarks back are needed before a watermark moves. */
static int load_at_start(struct cep_flow *flow)
{
    int rc = 0;
    cep_flow_rouse_all(flow);
    for (uint32_t i = 0; i < cep_program_node_count(flow->program) && !rc; i++) {
        struct cep_operator *op = flow->nodes[i].op;
        uint64_t at = 0;
        for (struct cep_key *key; op && op->ops->pinned && !rc && (key = cep_keyed_each(&op->keyed, &at));)
            rc = key->cold ? cep_flow_load_key(flow, op, key) : 0;
    }
    flow->asleep = rc != 0;
    return rc;
}

int cep_flow_set_watermark(struct cep_flow *flow, uint32_t node, int64_t watermark_ms)
{
    if (watermark_ms <= flow->nodes[node].out_ms)
        return 0;
    cep_flow_enter(flow);
    int rc = cep_flow_finish_restore(flow);
    if (!rc && flow->asleep)
        rc = load_at_start(flow);
    flow->nodes[node].out_ms = watermark_ms;
    if (!rc)
        rc = advance(flow, node);
    flow->depth--;
    return rc;
}

int cep_flow_source_watermark(struct cep_flow *flow, uint32_t node, int64_t watermark_ms)
{
    return cep_flow_set_watermark(flow, node, cep_flow_source_mark(flow, node, watermark_ms));
}

int cep_flow_deliver_watermark(struct cep_flow *flow, uint32_t exchange_node, int64_t watermark_ms) { return cep_flow_set_watermark(flow, exchange_node, watermark_ms); }

/* ---- rows ---- */

struct cep_event cep_flow_source_event(const struct cep_flow *flow, uint32_t node, const struct cep_row *row)
{
    struct { uint64_t table; uint64_t partition; int64_t offset; } at = { row->at.table, (uint64_t)row->at.partition, row->at.offset };
    struct cep_event event = { .row = row, .key_node = CEP_NONE, .first_time_ms = row->time_ms, .last_time_ms = row->time_ms, .first_at = row->at, .final = true };
    if (flow->nodes[node].wants_ident || row->change != CEP_INSERT)
        event.ident = (struct cep_ident){ base_hash64(&at, sizeof at, 1), base_hash64(&at, sizeof at, 2) };
    return event;
}

int cep_flow_source(struct cep_flow *flow, uint32_t node, const struct cep_row *row)
{
    cep_flow_enter(flow);
    if (cep_program_node(flow->program, node)->clock && !(row = cep_flow_stamp(flow, node, row))) {
        flow->depth--;
        return BASE_E_NOMEM;
    }
    struct cep_event event = cep_flow_source_event(flow, node, row);
    flow->rows_in++;
    flow->rows_under_way++;
    int rc = cep_flow_emit(flow, node, &event);
    flow->rows_under_way--;
    flow->depth--;
    return rc;
}

int cep_flow_deliver(struct cep_flow *flow, uint32_t exchange_node, const struct cep_event *event)
{
    cep_flow_enter(flow);
    int rc = flow->restored.len ? cep_flow_finish_restore(flow) : 0;
    /* a single-threaded host routes straight back: what hangs behind the exchange is then still the caller's turn */
    flow->rows_under_way++;
    if (!rc)
        rc = cep_flow_emit(flow, exchange_node, event);
    flow->rows_under_way--;
    flow->depth--;
    return rc;
}

/* ---- profile tables in event time ---- */

static bool is_waiting_lookup(const struct cep_flow *flow, uint32_t node)
{
    return flow->nodes[node].op && !flow->nodes[node].outside && cep_program_node(flow->program, node)->kind == CEP_NODE_LOOKUP;
}

int cep_flow_key_touched(struct cep_flow *flow, struct cep_operator *op, struct cep_key *key)
{
    int rc = flow->env.load ? cep_keyed_mark(&op->keyed, key) : 0;
    cep_keyed_account(&op->keyed, key, op->ops->bytes(op, key));
    return rc ? rc : cep_keyed_arm(&op->keyed, key, op->ops->deadline(op, key));
}

/* Rows that held a node's watermark back may have left it. */
static int let_on(struct cep_flow *flow, uint32_t node)
{
    struct cep_operator *op = flow->nodes[node].op;
    int64_t out_ms = op->ops->output_watermark(op, flow->nodes[node].in_ms);
    if (out_ms <= flow->nodes[node].out_ms)
        return 0;
    flow->nodes[node].out_ms = out_ms;
    return advance(flow, node);
}

int cep_flow_profiles_moved(struct cep_flow *flow, uint64_t generation)
{
    int rc = flow->asleep ? load_at_start(flow) : 0;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program) && !rc; i++) {
        if (!is_waiting_lookup(flow, i))
            continue;
        cep_flow_enter(flow);
        rc = cep_lookup_revisit(flow->nodes[i].op, generation);
        if (!rc)
            rc = let_on(flow, i);
        flow->depth--;
    }
    return rc;
}

/* ---- tables that are asked outside ---- */

int cep_flow_answered(struct cep_flow *flow)
{
    int rc = flow->asleep ? load_at_start(flow) : 0;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program) && !rc; i++) {
        if (!flow->nodes[i].outside)
            continue;
        cep_flow_enter(flow);
        rc = cep_outside_answered(flow->nodes[i].op);
        if (!rc)
            rc = let_on(flow, i);
        flow->depth--;
    }
    return rc;
}

void cep_flow_ask_again(struct cep_flow *flow)
{
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++)
        if (flow->nodes[i].outside)
            cep_outside_ask_again(flow->nodes[i].op);
}

uint64_t cep_flow_unanswered(const struct cep_flow *flow)
{
    uint64_t waiting = 0;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++)
        waiting += flow->nodes[i].outside ? cep_outside_waiting(flow->nodes[i].op) : 0;
    return waiting;
}

bool cep_flow_lookup_outside(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_lookup *l = cep_program_lookup(flow->program, cep_program_node(flow->program, node)->detail);
    return flow->env.lookup_later && flow->env.lookup_later(flow->env.ctx, l->table);
}

int64_t cep_flow_profile_floor(const struct cep_flow *flow, uint32_t table)
{
    int64_t floor_ms = BASE_TIME_MAX_MS;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++) {
        const struct cep_node *n = cep_program_node(flow->program, i);
        if (n->kind != CEP_NODE_LOOKUP || cep_program_lookup(flow->program, n->detail)->table != table)
            continue;
        int64_t waiting_ms = is_waiting_lookup(flow, i) ? cep_lookup_least_ms(flow->nodes[i].op) : BASE_TIME_MAX_MS;
        floor_ms = waiting_ms < floor_ms ? waiting_ms : floor_ms;
        floor_ms = flow->nodes[i].out_ms < floor_ms ? flow->nodes[i].out_ms : floor_ms;
    }
    return flow->asleep ? BASE_TIME_MIN_MS : floor_ms;
}

/* ---- life ---- */

static int make_types(struct cep_flow *flow, uint32_t node)
{
    const struct cep_schema *schema = cep_program_schema(flow->program, cep_program_node(flow->program, node)->schema);
    struct flow_node *n = &flow->nodes[node];
    n->columns = schema->columns.count;
    n->types = base_calloc(n->columns ? n->columns : 1, sizeof *n->types);
    if (!n->types)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < n->columns; i++)
        n->types[i] = cep_program_column(flow->program, schema->columns.first + i)->type;
    return 0;
}

bool cep_flow_lookup_waits(const struct cep_flow *flow, uint32_t node)
{
    const struct cep_lookup *l = cep_program_lookup(flow->program, cep_program_node(flow->program, node)->detail);
    return flow->env.lookup_watermark && l->as_of != CEP_NONE && cep_program_table(flow->program, l->table)->rowtime_field != CEP_NONE;
}

static void default_limits(struct cep_limits *limits)
{
    struct { uint32_t *at, value; } defaults[] = {
        { &limits->rows_per_key, 1u << 20 }, { &limits->threads_per_key, 1u << 16 }, { &limits->tail_rows, 4096 },
        { &limits->evidence_rows, 1000 }, { &limits->output_per_row, 10000 }, { &limits->park_classes, 64 },
    };
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (*defaults[i].at == 0)
            *defaults[i].at = defaults[i].value;
}

int cep_flow_create(const struct cep_linked *linked, const struct cep_env *env, const struct cep_limits *limits, struct cep_flow **ret)
{
    struct cep_flow *flow = base_calloc(1, sizeof *flow);
    if (!flow)
        return BASE_E_NOMEM;
    flow->linked = linked;
    flow->program = cep_linked_program(linked);
    flow->env = *env;
    if (limits)
        flow->limits = *limits;
    default_limits(&flow->limits);
    flow->evicted_ms = BASE_TIME_MAX_MS;
    flow->clock_ms = BASE_TIME_MIN_MS;
    flow->clocked = cep_flow_has_clock(flow);
    uint32_t nodes = cep_program_node_count(flow->program), widest = CEP_FUNC_ARGS_MAX;
    flow->expr = cep_expr_create(linked);
    flow->nodes = base_calloc(nodes ? nodes : 1, sizeof *flow->nodes);
    int rc = flow->expr && flow->nodes ? 0 : BASE_E_NOMEM;
    if (flow->expr)
        cep_expr_use_tape(flow->expr, env->tape);
    for (uint32_t i = 0; i < nodes && !rc; i++) {
        flow->nodes[i].in_ms = flow->nodes[i].out_ms = BASE_TIME_MIN_MS;
        rc = make_types(flow, i);
        widest = flow->nodes[i].columns > widest ? flow->nodes[i].columns : widest;
        uint32_t keys = cep_program_node(flow->program, i)->keys.count;
        widest = keys > widest ? keys : widest;
    }
    flow->values = base_calloc(widest + 1, sizeof *flow->values);
    flow->value_types = base_calloc(widest + 1, sizeof *flow->value_types);
    if (!rc && (!flow->values || !flow->value_types))
        rc = BASE_E_NOMEM;
    for (uint32_t i = 0; i < nodes && !rc; i++) {
        rc = cep_flow_plan_node(flow, i);
        if (rc)
            break;
        flow->nodes[i].outside = cep_program_node(flow->program, i)->kind == CEP_NODE_LOOKUP && cep_flow_lookup_outside(flow, i);
        rc = cep_operator_create(flow, i, &flow->nodes[i].op);
        if (!rc)
            rc = cep_flow_rest_plan(flow, i);
    }
    if (rc) {
        cep_flow_destroy(flow);
        return rc;
    }
    *ret = flow;
    return 0;
}

void cep_flow_destroy(struct cep_flow *flow)
{
    if (!flow)
        return;
    for (uint32_t i = 0; flow->nodes && i < cep_program_node_count(flow->program); i++) {
        struct cep_operator *op = flow->nodes[i].op;
        if (op) {
            uint64_t at = 0;
            for (struct cep_key *key; (key = cep_keyed_each(&op->keyed, &at)) != NULL;)
                op->ops->free_state(op, key);
            cep_keyed_finish(&op->keyed);
            op->ops->destroy(op);
        }
        base_free(flow->nodes[i].types);
        base_free(flow->nodes[i].rests);
        cep_halves_finish(&flow->nodes[i].halves);
        cep_care_destroy(flow->nodes[i].care);
        cep_once_destroy(flow->nodes[i].once);
    }
    base_free(flow->nodes);
    base_free(flow->values);
    base_free(flow->value_types);
    BASE_VEC_FINISH(&flow->restored);
    base_buf_finish(&flow->piece);
    base_arena_finish(&flow->arena);
    base_arena_finish(&flow->ahead_arena);
    cep_expr_destroy(flow->expr);
    base_free(flow);
}
