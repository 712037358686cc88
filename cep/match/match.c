/* The row pattern operator: what it is made of, and its face to the flow. */
#include "cep/match/match.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/match/class.h"
#include "cep/match/lean.h"
#include "cep/match/park.h"

#define ARENA_FIRST 512 /* most steps need little, and there may be a thousand patterns */

static struct match_op *self(struct cep_operator *op) { return (struct match_op *)(void *)op; }
static const struct match_op *self_const(const struct cep_operator *op) { return (const struct match_op *)(const void *)op; }

static int on_row(struct cep_operator *op, struct cep_key *key, const struct cep_event *event)
{
    return self(op)->lean ? cep_match_lean_row(self(op), key, event) : cep_match_key_row(self(op), key, event);
}
static int on_wake(struct cep_operator *op, struct cep_key *key)
{
    return cep_match_is_lean(self(op), key) ? cep_match_lean_wake(self(op), key) : cep_match_key_wake(self(op), key);
}
static int64_t deadline(const struct cep_operator *op, const struct cep_key *key)
{
    if (cep_match_is_lean(self_const(op), key))
        return cep_match_lean_deadline(self_const(op), key->state);
    return cep_match_key_deadline((struct match_op *)(uintptr_t)op, key); /* decodes registers into scratch; the state is not changed */
}
static bool idle(const struct cep_operator *op, const struct cep_key *key)
{
    if (cep_match_is_lean(self_const(op), key))
        return ((const struct match_lean *)key->state)->count == 0;
    return cep_match_key_idle(self_const(op), key->state);
}
static int save(struct cep_operator *op, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx)
{
    struct match_op *me = self(op);
    return cep_match_is_lean(me, key) ? cep_match_lean_save(me, key, all, piece, ctx) : cep_match_save(me, key, all, piece, ctx);
}
static int load(struct cep_operator *op, struct cep_key *key, uint32_t piece, const void *bytes, size_t len)
{
    return cep_match_load(self(op), key, piece, bytes, len);
}
static int complete(struct cep_operator *op, struct cep_key *key)
{
    struct match_key *state = key->state;
    if (state && cep_match_is_lean(self(op), key))
        return 0;
    int rc = state ? cep_match_rows_complete(&state->rows) : BASE_E_CORRUPT;
    if (!rc && state->restoring)
        rc = cep_match_lean_run(self(op), state, state->restoring);
    if (state && !rc) {
        if (state->restoring)
            cep_match_key_find_same(self(op), state); /* what was told is found again */
        base_free(state->restoring);
        state->restoring = NULL;
    }
    if (!rc)
        cep_match_key_count(self(op), key->state, false);
    return rc;
}
static void pieces(const struct cep_operator *op, const struct cep_key *key, uint32_t *ret_first, uint32_t *ret_end)
{
    if (cep_match_is_lean(self_const(op), key))
        cep_match_lean_pieces(key->state, ret_first, ret_end);
    else
        cep_match_pieces(key->state, ret_first, ret_end);
}
static void free_state(struct cep_operator *op, struct cep_key *key)
{
    if (key->state && cep_match_is_lean(self(op), key)) {
        cep_match_lean_free(self(op), key);
    } else if (key->state) {
        cep_match_key_count(self(op), key->state, true);
        cep_match_key_finish(key->state);
        if (self(op)->lean)
            base_free(key->state);
    }
    key->state = NULL;
}
static size_t bytes(const struct cep_operator *op, const struct cep_key *key)
{
    const struct match_key *state = key->state;
    if (cep_match_is_lean(self_const(op), key))
        return cep_match_lean_bytes(self_const(op), key->state);
    size_t sum = (self_const(op)->lean ? sizeof *state : 0) + state->rows.bytes + (state->rows.cap > 1 ? state->rows.cap * sizeof *state->rows.chunks : 0) + state->told.cap * sizeof *state->told.at;
    const struct match_head *heads[2] = { &state->now, &state->base };
    for (int i = 0; i < 2; i++)
        sum += heads[i]->block_bytes + cep_match_parked_bytes(heads[i]) + heads[i]->cands.cap * sizeof *heads[i]->cands.at;
    return sum;
}

/* Until a start is settled its match may still be inserted, changed or taken back; its rows reach back by WITHIN from what is not yet settled. */
static int64_t output_watermark(const struct cep_operator *op, int64_t input_ms)
{
    const struct match_op *me = self_const(op);
    if (input_ms == BASE_TIME_MAX_MS || input_ms == BASE_TIME_MIN_MS)
        return input_ms;
    if (me->within_ms == 0)
        return BASE_TIME_MIN_MS;
    return input_ms < BASE_TIME_MIN_MS + me->within_ms ? BASE_TIME_MIN_MS : input_ms - me->within_ms;
}

static void stats(const struct cep_operator *op, struct cep_flow_stats *add)
{
    const struct match_op *me = self_const(op);
    add->keys += op->keyed.count;
    add->state_bytes += op->keyed.bytes;
    add->rows_in += me->rows_in;
    add->matches += me->matches;
    add->threads += me->starts;
    add->rows_kept += me->rows_kept + (me->lean ? me->lean->log.live + me->lean->log.fresh : 0);
}

static void destroy(struct cep_operator *op)
{
    struct match_op *me = self(op);
    base_free(me->live_types);
    base_free(me->outreg_types);
    base_free(me->live_init);
    base_free(me->outreg_init);
    BASE_VEC_FINISH(&me->first_plain);
    BASE_VEC_FINISH(&me->first_anchor);
    base_arena_finish(&me->first_arena);
    base_arena_finish(&me->arena);
    base_arena_finish(&me->arena_prev);
    base_arena_finish(&me->out_arena);
    base_free(me->unary);
    base_free(me->once_slots);
    base_free(me->regs);
    base_free(me->new_regs);
    base_free(me->pack_values);
    base_free(me->pack_types);
    BASE_VEC_FINISH(&me->in);
    BASE_VEC_FINISH(&me->out);
    BASE_VEC_FINISH(&me->temp);
    BASE_VEC_FINISH(&me->replay);
    BASE_VEC_FINISH(&me->accept_list);
    BASE_VEC_FINISH(&me->items);
    base_free(me->pc_first);
    base_free(me->pc_stamp);
    base_free(me->next_same);
    base_free(me->same_buckets);
    base_free(me->stack);
    base_free(me->seen_stamp);
    base_free(me->seen_key);
    base_free(me->step_stamp);
    base_free(me->step_key);
    base_free(me->reads_regs);
    cep_match_absorb_finish(me);
    cep_match_park_finish(me);
    base_free(me->paths);
    base_free(me->scratch);
    base_free(me->class_table);
    base_free(me->accepted_ids);
    base_free(me->run_regs);
    base_free(me->final_regs);
    base_free(me->next_regs);
    base_free(me->out_values);
    base_free(me->evidence);
    cep_match_all_finish(me);
    cep_match_lean_finish(me);
    cep_match_steps_finish(me);
    base_free(me);
}

static int quick(struct cep_operator *op, const struct cep_keyed_row *rows, uint32_t count, uint32_t *ret_done)
{
    return cep_match_lean_quick(self(op), rows, count, ret_done);
}
static void near(const struct cep_operator *op, const struct cep_key *key) { cep_match_lean_near(self_const(op), key); }
static void bring(const struct cep_operator *op, uint32_t step, bool wakes) { cep_match_lean_bring(self_const(op), step, wakes); }
static int upkeep(struct cep_operator *op, uint32_t rows)
{
    return cep_match_lean_upkeep(self(op), rows);
}

static const struct cep_operator_ops match_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = save, .load = load, .pieces = pieces, .complete = complete, .free_state = free_state,
    .bytes = bytes, .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};
static const struct cep_operator_ops lean_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = save, .load = load, .pieces = pieces, .complete = complete, .free_state = free_state,
    .bytes = bytes, .output_watermark = output_watermark, .stats = stats, .destroy = destroy, .quick = quick, .near = near, .bring = bring, .upkeep = upkeep,
};

static const struct cep_tuple *nav(void *ctx, int32_t distance)
{
    const struct match_op *op = ctx;
    uint64_t seq = op->seq + (uint64_t)(int64_t)distance;
    if (seq < op->key->rows.first_seq || seq >= op->key->rows.end_seq || (distance < 0 && seq > op->seq))
        return NULL;
    return &cep_match_rows_at(&op->key->rows, seq)->tuple;
}

static bool make_regs(struct match_op *op, struct cep_list regs, struct cep_type **ret_types, struct cep_value **ret_init)
{
    size_t n = regs.count ? regs.count : 1;
    *ret_types = base_calloc(n, sizeof **ret_types);
    *ret_init = base_calloc(n, sizeof **ret_init);
    if (!*ret_types || !*ret_init)
        return false;
    for (uint32_t i = 0; i < regs.count; i++) {
        const struct cep_reg *reg = cep_program_reg(op->program, regs.first + i);
        (*ret_types)[i] = reg->type;
        (*ret_init)[i] = reg->init == CEP_NONE ? cep_null() : cep_program_value(op->program, reg->init);
    }
    return true;
}

static bool make_scratch(struct match_op *op)
{
    size_t live = op->live_count ? op->live_count : 1, out = op->out_count ? op->out_count : 1, pcs = op->m->nfas.count;
    op->unary = base_calloc(op->m->preds.count ? op->m->preds.count : 1, 1);
    op->regs = base_calloc(live, sizeof *op->regs);
    op->new_regs = base_calloc(live, sizeof *op->new_regs);
    op->pack_values = base_calloc(live, sizeof *op->pack_values);
    op->pack_types = base_calloc(live, sizeof *op->pack_types);
    op->pc_first = base_calloc(pcs, sizeof *op->pc_first);
    op->pc_stamp = base_calloc(pcs, sizeof *op->pc_stamp);
    op->seen_stamp = base_calloc(pcs, sizeof *op->seen_stamp);
    op->seen_key = base_calloc(pcs, sizeof *op->seen_key);
    op->step_stamp = base_calloc(pcs, sizeof *op->step_stamp);
    op->step_key = base_calloc(pcs, sizeof *op->step_key);
    op->reads_regs = base_calloc(pcs, sizeof *op->reads_regs);
    op->run_regs = base_calloc(out, sizeof *op->run_regs);
    op->final_regs = base_calloc(out, sizeof *op->final_regs);
    op->next_regs = base_calloc(out, sizeof *op->next_regs);
    op->out_values = base_calloc(op->m->outs.count ? op->m->outs.count : 1, sizeof *op->out_values);
    return op->unary && op->regs && op->new_regs && op->pack_values && op->pack_types && op->pc_first && op->pc_stamp && op->seen_stamp &&
           op->seen_key && op->step_stamp && op->step_key && op->reads_regs && op->run_regs && op->final_regs && op->next_regs && op->out_values;
}

/* What the pattern as a whole asks for. */
static void look_over(struct match_op *op)
{
    const struct cep_match *m = op->m;
    op->within_ms = m->hold_ms ? m->hold_ms : m->within_ms;
    op->sequential = m->reads_number != 0;
    for (uint32_t i = 0; i < m->guards.count; i++)
        if (op->guards[i].kind == CEP_GUARD_NOT_NEXT || op->guards[i].kind == CEP_GUARD_NOT_AHEAD)
            op->guard_next_mask |= UINT32_C(1) << i;
    for (uint32_t i = 0; i < m->guards.count; i++)
        if (op->guards[i].kind == CEP_GUARD_NOT_NEXT)
            op->guard_end_mask |= UINT32_C(1) << i;
    for (uint32_t i = 0; i < m->nfas.count; i++) {
        op->has_absence |= op->nfas[i].op == CEP_NFA_ABSENT && op->nfas[i].absent_ms == 0;
        op->has_for_absence |= op->nfas[i].op == CEP_NFA_ABSENT && op->nfas[i].absent_ms != 0;
        op->has_start_anchor |= op->nfas[i].op == CEP_NFA_START;
        op->has_lookahead |= op->nfas[i].op == CEP_NFA_END;
    }
    op->has_lookahead |= op->guard_end_mask != 0 || op->has_for_absence;
    op->early_discard = m->skip == CEP_SKIP_PAST_LAST && !m->all_matches && !op->has_lookahead && !op->has_absence;
    bool numbers = m->reads_number;
    for (uint32_t i = 0; i < m->outs.count; i++) {
        const struct cep_out *out = cep_program_out(op->program, m->outs.first + i);
        numbers |= out->kind == CEP_OUT_MEASURE && (cep_program_code(op->program, out->code)->flags & CEP_CODE_NUMBER);
    }
    op->numbers = numbers;
    op->needs_history = numbers || op->has_start_anchor;
    bool others = m->skip == CEP_SKIP_CURRENT_ROW || (m->skip == CEP_SKIP_NEXT_ROW && !m->all_matches);
    op->independent = others && !numbers && !m->batch_sort && m->rows != CEP_ROWS_ALL_UNMATCHED;
}

/* Conditions that other patterns behind the same node ask, too. */
static int find_shared(struct match_op *op, const struct cep_node *n)
{
    struct cep_once *once = cep_flow_once(op->op.flow, *cep_program_u32(op->program, n->inputs.first));
    if (!once || n->inputs.count != 1)
        return 0;
    op->once_slots = base_calloc((size_t)op->m->preds.count + 1, sizeof *op->once_slots);
    if (!op->once_slots)
        return BASE_E_NOMEM;
    op->once = cep_once_slots(once, op->op.node, op->m->preds.count, op->once_slots) ? once : NULL;
    return 0;
}

int cep_match_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    const struct cep_program *p = cep_flow_program(flow);
    const struct cep_node *n = cep_program_node(p, node);
    struct match_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    op->op.ops = &match_ops;
    op->op.flow = flow;
    op->op.node = node;
    op->op.watermark_ms = BASE_TIME_MIN_MS;
    op->arena.first_bytes = ARENA_FIRST;
    op->program = p;
    op->m = cep_program_match(p, n->detail);
    op->nfas = cep_program_nfa(p, op->m->nfas.first);
    op->vars = cep_program_var(p, op->m->vars.first);
    op->preds = cep_program_pred(p, op->m->preds.first);
    op->guards = cep_program_guard(p, op->m->guards.first);
    op->u32s = cep_program_u32(p, 0);
    op->types = cep_flow_types(flow, *cep_program_u32(p, n->inputs.first), &op->columns);
    op->out_types = cep_flow_types(flow, node, &op->out_columns);
    op->live_count = op->m->live_regs.count;
    op->out_count = op->m->out_regs.count;
    op->expr = cep_flow_expr(flow);
    look_over(op);
    int rc = find_shared(op, n);
    if (!rc && (!make_regs(op, op->m->live_regs, &op->live_types, &op->live_init) || !make_regs(op, op->m->out_regs, &op->outreg_types, &op->outreg_init) || !make_scratch(op)))
        rc = BASE_E_NOMEM;
    if (!rc)
        cep_match_note_reads(op);
    if (!rc)
        rc = cep_match_absorb_init(op);
    if (!rc)
        rc = cep_match_park_init(op);
    op->frame = (struct cep_frame){ .row_types = op->types, .nav = nav, .ctx = op, .arena = &op->arena, .regs = op->regs, .new_regs = op->new_regs };
    struct match_key none = { 0 };
    op->key = &none;
    if (!rc)
        rc = cep_match_first(op, false, &op->first_plain, &op->empty_plain);
    if (!rc && op->has_start_anchor)
        rc = cep_match_first(op, true, &op->first_anchor, &op->empty_anchor);
    op->key = NULL;
    /* the start's threads outlive the step's arena: their registers move to one of their own */
    for (int k = 0; k < 2 && !rc; k++) {
        struct match_threads *list = k ? &op->first_anchor : &op->first_plain;
        for (size_t i = 0; i < list->len && !rc; i++) {
            if (!list->at[i].regs)
                continue;
            struct cep_tuple *copy = base_arena_alloc(&op->first_arena, list->at[i].regs->size_bytes);
            if (!copy)
                rc = BASE_E_NOMEM;
            else
                memcpy(copy, list->at[i].regs, list->at[i].regs->size_bytes);
            list->at[i].regs = copy;
        }
    }
    if (!rc)
        rc = cep_match_steps_init(op);
    if (!rc && !cep_flow_traces(flow))
        rc = cep_match_lean_init(op);
    if (op->lean)
        op->op.ops = &lean_ops;
    cep_keyed_init(&op->op.keyed, op->lean ? sizeof(struct match_lean) : sizeof(struct match_key));
    if (rc) {
        destroy(&op->op);
        return rc;
    }
    *ret = &op->op;
    return 0;
}
