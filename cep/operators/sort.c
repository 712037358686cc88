/* ORDER BY and LIMIT of a bounded query's result: rows are kept until the end of input, then sorted and given on; of a changelog only what stands at the end.
 * One key, no checkpoint: used by `query` only. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/operator.h"

struct sort_row { struct cep_row *row; struct cep_value *keys; uint64_t arrival; };
struct sort_rows BASE_VEC(struct sort_row);
struct sort_state {
    struct sort_rows rows;     /* row NULL: was deleted */
    struct base_arena arena;
    struct base_map idents;    /* of a changelog: identity -> index of rows */
    uint64_t arrivals;
};
struct sort_op {
    struct cep_operator op; /* first */
    const struct cep_sort *sort;
    const struct cep_program *program;
    bool united;            /* its input is a UNION of changelogs */
};

static int compare(const struct sort_op *op, const struct sort_row *a, const struct sort_row *b)
{
    for (uint32_t i = 0; i < op->sort->keys.count; i++) {
        const struct cep_order *order = cep_program_order(op->program, op->sort->keys.first + i);
        if (a->keys[i].null && b->keys[i].null)
            continue;
        if (a->keys[i].null || b->keys[i].null)
            return (a->keys[i].null ? -1 : 1) * (order->nulls_first ? 1 : -1);
        int c = cep_value_compare(cep_program_code(op->program, order->code)->type, a->keys[i], b->keys[i]);
        if (c)
            return order->descending ? -c : c;
    }
    return a->arrival < b->arrival ? -1 : 1;
}

/* Heap sort: in place, no recursion, no library callback that cannot carry the operator. */
static void sift(const struct sort_op *op, struct sort_row *at, size_t root, size_t n)
{
    struct sort_row row = at[root];
    while (2 * root + 1 < n) {
        size_t child = 2 * root + 1;
        if (child + 1 < n && compare(op, &at[child], &at[child + 1]) < 0)
            child++;
        if (compare(op, &row, &at[child]) >= 0)
            break;
        at[root] = at[child];
        root = child;
    }
    at[root] = row;
}

static int keep_row(struct sort_op *op, struct sort_state *state, const struct cep_event *event, struct sort_row *row)
{
    *row = (struct sort_row){ .arrival = state->arrivals++ };
    row->row = base_arena_alloc(&state->arena, cep_row_size(event->row));
    row->keys = base_arena_alloc(&state->arena, (op->sort->keys.count + 1) * sizeof *row->keys);
    if (!row->row || !row->keys)
        return BASE_E_NOMEM;
    memcpy(row->row, event->row, cep_row_size(event->row));
    row->row->change = CEP_INSERT;
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(op->op.flow, op->op.node, &columns);
    struct cep_frame frame = { .row = &row->row->tuple, .row_types = types, .row_time_ms = row->row->time_ms, .arena = &state->arena };
    for (uint32_t i = 0; i < op->sort->keys.count; i++) {
        int rc = cep_expr_run(cep_flow_expr(op->op.flow), cep_program_order(op->program, op->sort->keys.first + i)->code, &frame, &row->keys[i]);
        if (rc == BASE_E_NOMEM)
            return rc;
        if (rc)
            row->keys[i] = cep_null();
    }
    return 0;
}

/* Does the input come from a UNION? Only there an identity may stand twice, and a row's place is the same for all its changes. */
static bool is_united(const struct cep_program *program, uint32_t node)
{
    const struct cep_node *n = cep_program_node(program, *cep_program_u32(program, cep_program_node(program, node)->inputs.first));
    while (n->kind == CEP_NODE_CALC || n->kind == CEP_NODE_EXCHANGE)
        n = cep_program_node(program, *cep_program_u32(program, n->inputs.first));
    return n->kind == CEP_NODE_UNION;
}

/* A row of a changelog: by its identity. */
static int on_change(struct sort_op *op, struct sort_state *state, const struct cep_event *event)
{
    struct { struct cep_ident ident; uint64_t place; } name = { event->ident, op->united ? event->row->at.place : 0 };
    struct base_str text = { (const char *)&name, sizeof name };
    if (event->row->change == CEP_UPDATE_BEFORE)
        return 0; /* the other half says what counts */
    if (event->row->change == CEP_DELETE) {
        uint64_t *at = base_map_find(&state->idents, text);
        if (at)
            state->rows.at[*at].row = NULL;
        base_map_remove(&state->idents, text);
        return 0;
    }
    struct sort_row row;
    bool added;
    int rc = keep_row(op, state, event, &row);
    uint64_t *at = rc ? NULL : base_map_put(&state->idents, text, &added);
    if (rc || !at)
        return rc ? rc : BASE_E_NOMEM;
    if (!added) {
        state->rows.at[*at] = row;
        return 0;
    }
    *at = state->rows.len;
    return BASE_VEC_PUSH(&state->rows, row) ? 0 : BASE_E_NOMEM;
}

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct sort_op *op = (struct sort_op *)(void *)base;
    if (event->row->change != CEP_INSERT && !op->sort->changes)
        return BASE_E_UNSUPPORTED; /* the planner says which inputs change */
    if (!key->state && !(key->state = base_calloc(1, sizeof(struct sort_state))))
        return BASE_E_NOMEM;
    struct sort_state *state = key->state;
    if (op->sort->changes)
        return on_change(op, state, event);
    struct sort_row row;
    int rc = keep_row(op, state, event, &row);
    return rc ? rc : BASE_VEC_PUSH(&state->rows, row) ? 0 : BASE_E_NOMEM;
}

static int on_wake(struct cep_operator *base, struct cep_key *key)
{
    struct sort_op *op = (struct sort_op *)(void *)base;
    struct sort_state *state = key->state;
    if (base->watermark_ms != BASE_TIME_MAX_MS || !state)
        return 0;
    size_t kept = 0;
    for (size_t i = 0; i < state->rows.len; i++)
        if (state->rows.at[i].row)
            state->rows.at[kept++] = state->rows.at[i];
    state->rows.len = kept;
    for (size_t i = state->rows.len / 2; i-- > 0;)
        sift(op, state->rows.at, i, state->rows.len);
    for (size_t n = state->rows.len; n > 1; n--) {
        struct sort_row swap = state->rows.at[0];
        state->rows.at[0] = state->rows.at[n - 1];
        state->rows.at[n - 1] = swap;
        sift(op, state->rows.at, 0, n - 1);
    }
    int rc = 0;
    for (size_t i = op->sort->offset; i < state->rows.len && i - op->sort->offset < op->sort->limit && !rc; i++) {
        struct cep_event event = { .row = state->rows.at[i].row, .key = &key->tuple, .key_node = op->op.node, .key_hash = cep_key_hash(&key->tuple), .final = true,
                                   .first_time_ms = state->rows.at[i].row->time_ms, .last_time_ms = state->rows.at[i].row->time_ms };
        rc = cep_flow_emit(op->op.flow, op->op.node, &event);
    }
    state->rows.len = 0;
    return rc;
}

static int64_t deadline(const struct cep_operator *op, const struct cep_key *key)
{
    (void)op;
    const struct sort_state *state = key->state;
    return state && state->rows.len ? BASE_TIME_MAX_MS - 1 : BASE_TIME_MAX_MS;
}
static bool idle(const struct cep_operator *op, const struct cep_key *key)
{
    (void)op;
    const struct sort_state *state = key->state;
    return !state || state->rows.len == 0;
}
static void free_state(struct cep_operator *op, struct cep_key *key)
{
    (void)op;
    struct sort_state *state = key->state;
    if (state) {
        BASE_VEC_FINISH(&state->rows);
        base_map_finish(&state->idents);
        base_arena_finish(&state->arena);
    }
    base_free(state);
    key->state = NULL;
}
static size_t bytes(const struct cep_operator *op, const struct cep_key *key)
{
    (void)op;
    const struct sort_state *state = key->state;
    return state ? state->arena.total_bytes + state->rows.cap * sizeof *state->rows.at : 0;
}
static int64_t output_watermark(const struct cep_operator *op, int64_t input_ms)
{
    (void)op;
    return input_ms == BASE_TIME_MAX_MS ? input_ms : BASE_TIME_MIN_MS;
}
static void destroy(struct cep_operator *op) { base_free(op); }

static const struct cep_operator_ops sort_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .free_state = free_state, .bytes = bytes,
    .output_watermark = output_watermark, .destroy = destroy,
};

int cep_sort_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct sort_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &sort_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->program = cep_flow_program(flow);
    op->sort = cep_program_sort(op->program, cep_program_node(op->program, node)->detail);
    op->united = is_united(op->program, node);
    cep_keyed_init(&op->op.keyed, 0);
    *ret = &op->op;
    return 0;
}
