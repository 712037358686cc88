/* OVER aggregates. Each row is given out with aggregates of the rows before it (its peers included under RANGE). Final: once the watermark has passed the row, in
 * order. Eager: at once, from the rows that are there; a row that comes later in its place corrects the rows behind it. Rows that change or go (updates of
 * the input) do the same. A row costs a constant number of steps however long the frame is (over_frame.c); one that comes out of order costs a walk over its
 * key's frame. */
#include "cep/operators/over.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"

static struct over_op *over_of(struct cep_operator *op) { return (struct over_op *)(void *)op; }

/* ---- telling ---- */

static int row_of(struct over_op *op, struct cep_key *key, const struct over_entry *entry, uint64_t seq, struct cep_row **ret)
{
    const struct cep_fold_parts parts = { .key = &key->tuple, .row = &entry->row->tuple };
    bool good;
    *ret = NULL;
    int rc = cep_over_results(op, key->state, seq, &good);
    return rc || !good ? rc : cep_fold_row(&op->fold, &parts, entry->row->time_ms, entry->at, ret);
}

static struct cep_fold_tell tell_of(const struct over_op *op, struct cep_key *key, const struct over_entry *entry)
{
    return (struct cep_fold_tell){ .key = key, .ident = entry->ident, .final = !op->over->eager, .first_ms = entry->row->time_ms, .last_ms = entry->row->time_ms };
}

static int tell_row(struct over_op *op, struct cep_key *key, uint64_t seq)
{
    struct over_state *state = key->state;
    struct over_entry *entry = cep_over_entry(state, seq);
    struct cep_row *now;
    int rc = row_of(op, key, entry, seq, &now);
    if (rc || (!now && !op->over->eager))
        return rc;
    const struct cep_fold_tell tell = tell_of(op, key, entry);
    if (!op->over->eager)
        return cep_fold_tell(&op->fold, &tell, now, CEP_INSERT);
    state->bytes -= entry->told ? cep_row_size(entry->told) : 0;
    rc = cep_fold_differ(&op->fold, &tell, &entry->told, now);
    state->bytes += entry->told ? cep_row_size(entry->told) : 0;
    return rc;
}

/* Folds and tells the rows [from, to); `from` is the first of its peers. */
static int go_on(struct over_op *op, struct cep_key *key, uint64_t from, uint64_t to)
{
    struct over_state *state = key->state;
    int rc = 0;
    while (from < to && !rc) {
        uint64_t peers = 1;
        while (from + peers < to && cep_over_entry(state, from + peers)->time_ms == cep_over_entry(state, from)->time_ms)
            peers++;
        rc = cep_over_fold_range(op, state, from, peers);
        for (uint64_t i = 0; i < peers && !rc; i++) {
            rc = cep_over_fold_rows(op, state, from + i);
            if (!rc)
                rc = tell_row(op, key, from + i);
        }
        from += peers;
    }
    return rc;
}

/* Eager: all rows before this are in the frames, none behind. */
static uint64_t folded(const struct over_state *state) { return state->slides[0].hi; }

/* The first row of the instant that the row at `seq` has, or will have when it comes there. */
static uint64_t first_of_instant(const struct over_op *op, const struct over_state *state, uint64_t seq, int64_t time_ms)
{
    while (op->range_frames && seq > state->settled && cep_over_entry(state, seq - 1)->time_ms == time_ms)
        seq--;
    return seq;
}

/* ---- rows ---- */

static int compare(const struct over_entry *a, const struct over_entry *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    int c = cep_position_compare(&a->at, &b->at);
    if (c)
        return c;
    if (a->ident.hi != b->ident.hi)
        return a->ident.hi < b->ident.hi ? -1 : 1;
    return (a->ident.lo > b->ident.lo) - (a->ident.lo < b->ident.lo);
}

static int make_entry(struct over_op *op, struct over_state *state, const struct cep_event *event, int64_t time_ms, struct over_entry *ret)
{
    size_t bytes = cep_tuple_size(op->arg_types, op->fold.args, op->fold.aggs.count);
    *ret = (struct over_entry){ .time_ms = time_ms, .at = event->row->at, .ident = event->ident };
    if (bytes == 0)
        return BASE_E_LIMIT;
    ret->args = base_alloc(bytes);
    ret->row = cep_kept_row(event->row);
    if (!ret->args || !ret->row) {
        base_free(ret->args);
        base_free(ret->row);
        return BASE_E_NOMEM;
    }
    cep_tuple_write(op->arg_types, op->fold.args, op->fold.aggs.count, ret->args);
    state->bytes += bytes + cep_row_size(ret->row);
    return 0;
}

/* Where the row belongs. */
static uint64_t place_of(const struct over_state *state, const struct over_entry *entry)
{
    uint64_t seq = cep_over_end(state);
    while (seq > state->settled && compare(cep_over_entry(state, seq - 1), entry) > 0)
        seq--;
    return seq;
}

static int make_room(struct over_op *op, struct over_state *state)
{
    if (state->entries.len - state->head < cep_flow_limits(op->op.flow)->rows_per_key)
        return 0;
    cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, NULL);
    return state->first < state->settled ? cep_over_drop_oldest(op, state) : BASE_E_LIMIT;
}

static int insert(struct over_state *state, const struct over_entry *entry, uint64_t seq)
{
    if (!BASE_VEC_PUSH(&state->entries, *entry))
        return BASE_E_NOMEM;
    size_t at = state->head + (size_t)(seq - state->first);
    memmove(&state->entries.at[at + 1], &state->entries.at[at], (state->entries.len - 1 - at) * sizeof *entry);
    state->entries.at[at] = *entry;
    if (seq < state->dirty)
        state->dirty = seq;
    return 0;
}

/* The unsettled row of that identity; false: there is none. */
static bool find(const struct over_state *state, struct cep_ident ident, uint64_t *ret)
{
    for (uint64_t seq = cep_over_end(state); seq-- > state->settled;) {
        const struct over_entry *e = cep_over_entry(state, seq);
        if (e->ident.hi == ident.hi && e->ident.lo == ident.lo) {
            *ret = seq;
            return true;
        }
    }
    return false;
}

static void take_out(struct over_state *state, uint64_t seq)
{
    size_t at = state->head + (size_t)(seq - state->first);
    memmove(&state->entries.at[at], &state->entries.at[at + 1], (state->entries.len - at - 1) * sizeof *state->entries.at);
    state->entries.len--;
    if (seq < state->dirty)
        state->dirty = seq;
}

/* A row of the input goes away; what was told of it is taken back, or left to `keep_told` for the row that takes its place. */
static int remove_row(struct over_op *op, struct cep_key *key, uint64_t seq, struct cep_row **keep_told)
{
    struct over_state *state = key->state;
    struct over_entry entry = *cep_over_entry(state, seq);
    int rc = op->over->eager ? cep_over_unwind(op, state, first_of_instant(op, state, seq, entry.time_ms)) : 0;
    if (rc)
        return rc;
    take_out(state, seq);
    if (keep_told) {
        *keep_told = entry.told;
        state->bytes -= entry.told ? cep_row_size(entry.told) : 0;
        entry.told = NULL;
    } else if (entry.told) {
        const struct cep_fold_tell tell = tell_of(op, key, &entry);
        rc = cep_fold_tell(&op->fold, &tell, entry.told, CEP_DELETE);
    }
    cep_over_free_entry(state, &entry);
    return rc;
}

/* Puts the row in its place; eager: tells it, and what it changes behind it. In order that is one step on for each frame. */
static int place_row(struct over_op *op, struct cep_key *key, const struct over_entry *entry)
{
    struct over_state *state = key->state;
    uint64_t end = cep_over_end(state), seq = place_of(state, entry), from = first_of_instant(op, state, seq, entry->time_ms);
    bool goes_on = seq == end && folded(state) == end && (from == seq || !op->rows_frames);
    int rc = 0;
    if (op->over->eager && !goes_on) {
        from = from < folded(state) ? from : folded(state);
        rc = cep_over_unwind(op, state, from);
    }
    if (!rc)
        rc = insert(state, entry, seq);
    return rc;
}

static int add_row(struct over_op *op, struct cep_key *key, const struct cep_event *event, int64_t time_ms, struct cep_row *told)
{
    struct over_state *state = key->state;
    struct over_entry entry;
    int rc = make_room(op, state);
    if (!rc)
        rc = make_entry(op, state, event, time_ms, &entry);
    if (rc) {
        base_free(told);
        return rc == BASE_E_LIMIT ? 0 : rc;
    }
    entry.row->change = CEP_INSERT;
    entry.told = told;
    state->bytes += told ? cep_row_size(told) : 0;
    rc = place_row(op, key, &entry);
    if (rc) {
        cep_over_free_entry(state, &entry);
        return rc;
    }
    uint64_t from = folded(state), last = cep_over_end(state) - 1;
    /* peers that are in the frames already are told again with the row that joined them */
    from = first_of_instant(op, state, from < last ? from : last, cep_over_entry(state, from < last ? from : last)->time_ms);
    return op->over->eager ? go_on(op, key, from, last + 1) : 0;
}

static int changed_row(struct over_op *op, struct cep_key *key, const struct cep_event *event, int64_t time_ms)
{
    struct over_state *state = key->state;
    struct cep_row *told = NULL;
    uint64_t seq;
    int rc = 0;
    bool there = find(state, event->ident, &seq);
    if (event->row->change == CEP_DELETE) {
        rc = there ? remove_row(op, key, seq, NULL) : 0;
        return rc || !there || !op->over->eager ? rc : go_on(op, key, folded(state), cep_over_end(state));
    }
    if (there)
        rc = remove_row(op, key, seq, &told);
    return rc ? rc : add_row(op, key, event, time_ms, told);
}

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct over_op *op = over_of(base);
    uint8_t change = event->row->change;
    int64_t time_ms;
    bool good;
    if (change == CEP_UPDATE_BEFORE)
        return 0; /* its other half says all: rows are known by their identity */
    int rc = cep_fold_time(&op->fold, op->over->time, event, &time_ms, &good);
    if (!rc && good)
        rc = cep_fold_arguments(&op->fold, event, &good);
    if (rc || !good)
        return rc;
    if (time_ms <= base->watermark_ms) {
        cep_flow_report(base->flow, CEP_REPORT_LATE_AFTER_IDLE, base->node, 0, CEP_NONE, event);
        return 0;
    }
    if (!key->state && !(key->state = cep_over_make(op)))
        return BASE_E_NOMEM;
    rc = change == CEP_INSERT ? add_row(op, key, event, time_ms, NULL) : changed_row(op, key, event, time_ms);
    return rc ? rc : cep_over_trim(op, key->state, base->watermark_ms);
}

/* ---- the watermark ---- */

static int settle_entry(struct over_op *op, struct cep_key *key, struct over_entry *entry)
{
    struct over_state *state = key->state;
    const struct cep_fold_tell tell = tell_of(op, key, entry);
    int rc = op->over->eager ? cep_fold_settle(&op->fold, &tell, entry->told) : 0;
    state->bytes -= cep_row_size(entry->row) + (entry->told ? cep_row_size(entry->told) : 0);
    base_free(entry->row);
    base_free(entry->told);
    entry->row = entry->told = NULL;
    return rc;
}

static int on_wake(struct cep_operator *base, struct cep_key *key)
{
    struct over_op *op = over_of(base);
    struct over_state *state = key->state;
    if (!state)
        return 0;
    uint64_t to = state->settled, end = cep_over_end(state);
    while (to < end && cep_over_entry(state, to)->time_ms <= base->watermark_ms)
        to++;
    int rc = op->over->eager ? cep_over_settle_base(op, state, to) : go_on(op, key, state->settled, to);
    if (state->settled < state->dirty)
        state->dirty = state->settled;
    for (; state->settled < to && !rc; state->settled++)
        rc = settle_entry(op, key, cep_over_entry(state, state->settled));
    return rc ? rc : cep_over_trim(op, state, base->watermark_ms);
}

static int64_t deadline(const struct cep_operator *base, const struct cep_key *key)
{
    const struct over_op *op = (const struct over_op *)(const void *)base;
    const struct over_state *state = key->state;
    if (!state || cep_over_end(state) == state->first)
        return BASE_TIME_MAX_MS;
    if (state->settled < cep_over_end(state))
        return cep_over_entry(state, state->settled)->time_ms;
    if (op->range_ms < 0 || op->rows_back)
        return BASE_TIME_MAX_MS;
    return cep_over_entry(state, cep_over_end(state) - 1)->time_ms + op->range_ms; /* then the last row is out of every frame */
}

static bool idle(const struct cep_operator *base, const struct cep_key *key)
{
    const struct over_op *op = (const struct over_op *)(const void *)base;
    const struct over_state *state = key->state;
    return !state || (cep_over_end(state) == state->first && !op->unbounded);
}

static void free_state(struct cep_operator *base, struct cep_key *key)
{
    if (key->state)
        cep_over_free(over_of(base), key->state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *base, const struct cep_key *key)
{
    const struct over_op *op = (const struct over_op *)(const void *)base;
    const struct over_state *state = key->state;
    if (!state)
        return 0;
    size_t sum = sizeof *state + state->bytes + state->entries.cap * sizeof *state->entries.at;
    for (uint32_t f = 0; f < op->over->frames.count; f++)
        for (uint32_t i = 0; i < cep_over_frame(op, f)->aggs.count; i++)
            sum += 2 * cep_agg_bytes(cep_program_agg(op->fold.program, cep_over_frame(op, f)->aggs.first + i), &state->slides[f].cells[i]) +
                   state->slides[f].queues[i].cap * sizeof(uint64_t);
    return sum;
}

/* ---- life ---- */

static int64_t output_watermark(const struct cep_operator *op BASE_UNUSED, int64_t input_ms) { return input_ms; }

static void stats(const struct cep_operator *op, struct cep_flow_stats *add_to)
{
    add_to->keys += op->keyed.count;
    add_to->state_bytes += op->keyed.bytes;
}

static void destroy(struct cep_operator *base)
{
    struct over_op *op = over_of(base);
    cep_fold_finish(&op->fold);
    base_free(op->arg_types);
    base_free(op);
}

static const struct cep_operator_ops over_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = cep_over_save, .load = cep_over_load, .complete = cep_over_complete,
    .pieces = cep_over_pieces, .free_state = free_state, .bytes = bytes, .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

static void look_at_frames(struct over_op *op)
{
    op->range_ms = -1;
    for (uint32_t i = 0; i < op->over->frames.count; i++) {
        const struct cep_over_frame *frame = cep_over_frame(op, i);
        op->unbounded |= frame->unbounded != 0;
        op->rows_frames |= frame->rows != 0;
        op->range_frames |= frame->rows == 0;
        if (frame->unbounded)
            continue;
        if (frame->rows && (uint64_t)frame->back > op->rows_back)
            op->rows_back = (uint64_t)frame->back;
        else if (!frame->rows && frame->back > op->range_ms)
            op->range_ms = frame->back;
    }
}

int cep_over_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct over_op *op = base_calloc(1, sizeof *op);
    const struct cep_program *p = cep_flow_program(flow);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &over_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->over = cep_program_over(p, cep_program_node(p, node)->detail);
    cep_keyed_init(&op->op.keyed, 0);
    *ret = &op->op; /* the flow destroys it, also after a failure below */
    /* the frames' aggregates stand one behind the other (the verifier has seen to it) */
    struct cep_list aggs = { op->over->frames.count ? cep_program_frame(p, op->over->frames.first)->aggs.first : 0, 0 };
    for (uint32_t i = 0; i < op->over->frames.count; i++)
        aggs.count += cep_program_frame(p, op->over->frames.first + i)->aggs.count;
    int rc = cep_fold_init(&op->fold, flow, node, aggs, op->over->outs);
    op->arg_types = base_calloc(aggs.count + 1, sizeof *op->arg_types);
    if (rc || !op->arg_types)
        return rc ? rc : BASE_E_NOMEM;
    for (uint32_t i = 0; i < aggs.count; i++) {
        const struct cep_agg *agg = cep_fold_agg(&op->fold, i);
        op->arg_types[i] = agg->arg == CEP_NONE || agg->arg_type.kind == CEP_KIND_NULL ? CEP_TYPE(BIGINT) : agg->arg_type;
    }
    look_at_frames(op);
    return 0;
}
