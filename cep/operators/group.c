/* Group aggregate of a bounded query's result: each row is folded into its group's registers; at the end of input every
 * group gives one row. No checkpoint: used by `query` only. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operator.h"

/* Registers of one group. A text register owns its bytes: rows and temporaries go away. */
struct group_state {
    bool given; /* its row was given out */
    size_t owned_bytes;
    struct cep_value *regs; /* in one block with owned */
    char **owned;           /* per register: block of its text, NULL: none */
};
struct group_op {
    struct cep_operator op; /* first */
    const struct cep_program *program;
    const struct cep_group *group;
    struct cep_value *next; /* scratch: new registers */
    struct cep_value *row;  /* scratch: columns of an output row */
};

static struct cep_value constant(const struct cep_program *p, uint32_t index)
{
    const struct cep_const *c = cep_program_const(p, index);
    struct cep_value v = { .null = c->null };
    if (c->null)
        return cep_null();
    if (cep_kind_is_text(c->type.kind)) {
        struct base_str text = cep_program_text(p, (struct cep_text){ (uint32_t)c->lo, (uint32_t)c->hi });
        return cep_string(text.ptr, text.len);
    }
    v.dec.lo = c->lo;
    v.dec.hi = c->hi;
    return v;
}

static struct group_state *make_state(const struct group_op *op)
{
    uint32_t n = op->group->regs.count;
    struct group_state *state = base_calloc(1, sizeof *state + n * (sizeof *state->regs + sizeof *state->owned));
    if (!state)
        return NULL;
    state->regs = (struct cep_value *)(void *)(state + 1);
    state->owned = (char **)(void *)(state->regs + n);
    for (uint32_t i = 0; i < n; i++)
        state->regs[i] = constant(op->program, cep_program_reg(op->program, op->group->regs.first + i)->init);
    return state;
}

/* Takes over the new registers; texts that changed are copied. */
static int keep(const struct group_op *op, struct group_state *state)
{
    for (uint32_t i = 0; i < op->group->regs.count; i++) {
        struct cep_value value = op->next[i];
        bool text = cep_kind_is_text(cep_program_reg(op->program, op->group->regs.first + i)->type.kind);
        if (text && !value.null && (state->regs[i].null || value.s.ptr != state->regs[i].s.ptr)) {
            char *copy = base_strndup(value.s.ptr ? value.s.ptr : "", value.s.len);
            if (!copy)
                return BASE_E_NOMEM;
            base_free(state->owned[i]);
            state->owned[i] = copy;
            value.s.ptr = copy;
            state->owned_bytes += value.s.len;
        }
        state->regs[i] = value;
    }
    return 0;
}

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct group_op *op = (struct group_op *)(void *)base;
    if (event->row->change != CEP_INSERT)
        return BASE_E_UNSUPPORTED; /* the planner groups append-only results */
    if (!key->state && !(key->state = make_state(op)))
        return BASE_E_NOMEM;
    struct group_state *state = key->state;
    const struct cep_node *node = cep_program_node(op->program, base->node);
    uint32_t columns, n = op->group->regs.count;
    const struct cep_type *types =
        cep_flow_types(base->flow, *cep_program_u32(op->program, node->inputs.first), &columns);
    struct cep_frame frame = { .row = &event->row->tuple,
                               .row_types = types,
                               .row_time_ms = event->row->time_ms,
                               .regs = state->regs,
                               .new_regs = op->next,
                               .arena = cep_flow_arena(base->flow) };
    for (uint32_t i = 0; i < n; i++)
        op->next[i] = state->regs[i];
    struct cep_value none;
    int rc = cep_expr_run(cep_flow_expr(base->flow), op->group->update, &frame, &none);
    if (rc == BASE_E_NOMEM)
        return rc;
    if (rc) { /* the row is left out, and told */
        cep_flow_report(base->flow, CEP_REPORT_ERROR, base->node, rc, op->group->update, event);
        return 0;
    }
    return keep(op, state);
}

static int on_wake(struct cep_operator *base, struct cep_key *key)
{
    struct group_op *op = (struct group_op *)(void *)base;
    struct group_state *state = key->state;
    if (base->watermark_ms != BASE_TIME_MAX_MS || !state || state->given)
        return 0;
    state->given = true;
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(base->flow, base->node, &columns);
    struct cep_frame frame = { .regs = state->regs, .arena = cep_flow_arena(base->flow) };
    struct cep_event event = { .key = &key->tuple,
                               .key_node = base->node,
                               .key_hash = key->hash,
                               .final = true,
                               .first_time_ms = BASE_TIME_MIN_MS,
                               .last_time_ms = BASE_TIME_MIN_MS };
    for (uint32_t i = 0; i < columns; i++) {
        uint32_t code = *cep_program_u32(op->program, op->group->outs.first + i);
        int rc = cep_expr_run(cep_flow_expr(base->flow), code, &frame, &op->row[i]);
        if (rc == BASE_E_NOMEM)
            return rc;
        if (rc) {
            cep_flow_report(base->flow, CEP_REPORT_ERROR, base->node, rc, code, NULL);
            return 0;
        }
    }
    struct cep_row *row;
    int rc = cep_row_make(types, op->row, columns, BASE_TIME_MIN_MS, (struct cep_position){ 0 },
                          cep_flow_arena(base->flow), &row);
    if (rc)
        return rc;
    event.row = row;
    return cep_flow_emit(base->flow, base->node, &event);
}

static bool idle(const struct cep_operator *op, const struct cep_key *key)
{
    (void)op;
    const struct group_state *state = key->state;
    return !state || state->given;
}
static int64_t deadline(const struct cep_operator *op, const struct cep_key *key)
{
    return idle(op, key) ? BASE_TIME_MAX_MS : BASE_TIME_MAX_MS - 1;
}
static void free_state(struct cep_operator *base, struct cep_key *key)
{
    const struct group_op *op = (const struct group_op *)(const void *)base;
    struct group_state *state = key->state;
    for (uint32_t i = 0; state && i < op->group->regs.count; i++)
        base_free(state->owned[i]);
    base_free(state);
    key->state = NULL;
}
static size_t bytes(const struct cep_operator *base, const struct cep_key *key)
{
    const struct group_op *op = (const struct group_op *)(const void *)base;
    const struct group_state *state = key->state;
    return state ? sizeof *state + op->group->regs.count * (sizeof *state->regs + sizeof *state->owned) +
                       state->owned_bytes
                 : 0;
}
static int64_t output_watermark(const struct cep_operator *op, int64_t input_ms)
{
    (void)op;
    return input_ms == BASE_TIME_MAX_MS ? input_ms : BASE_TIME_MIN_MS;
}
static void destroy(struct cep_operator *base)
{
    struct group_op *op = (struct group_op *)(void *)base;
    base_free(op->next);
    base_free(op->row);
    base_free(op);
}

static const struct cep_operator_ops group_ops = {
    .row = on_row,
    .wake = on_wake,
    .deadline = deadline,
    .idle = idle,
    .free_state = free_state,
    .bytes = bytes,
    .output_watermark = output_watermark,
    .destroy = destroy,
};

/* The one group of an aggregate without keys is there from the start. */
static int open_only_group(struct group_op *op)
{
    uint64_t room[2] = { 0, 0 };
    struct cep_tuple *empty = (struct cep_tuple *)(void *)room;
    struct cep_key *key;
    bool added;
    cep_tuple_write(NULL, NULL, 0, empty);
    int rc = cep_keyed_get(&op->op.keyed, empty, cep_key_hash(empty), &key, &added);
    if (rc)
        return rc;
    key->state = make_state(op);
    return key->state ? cep_keyed_arm(&op->op.keyed, key, BASE_TIME_MAX_MS - 1) : BASE_E_NOMEM;
}

int cep_group_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct group_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &group_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->program = cep_flow_program(flow);
    op->group = cep_program_group(op->program, cep_program_node(op->program, node)->detail);
    cep_keyed_init(&op->op.keyed, 0);
    op->next = base_calloc(op->group->regs.count + 1, sizeof *op->next);
    op->row = base_calloc(op->group->outs.count + 1, sizeof *op->row);
    *ret = &op->op; /* the flow destroys it, also after a failure below */
    if (!op->next || !op->row)
        return BASE_E_NOMEM;
    return cep_program_node(op->program, node)->keys.count ? 0 : open_only_group(op);
}
