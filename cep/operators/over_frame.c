/* Frames that slide over a key's rows. A row is added when it comes into the frame and taken back when it leaves it, or, where nothing can be taken back
 * (MIN, MAX, FIRST, LAST), waits in a queue of those that can still be the result: a constant number of steps per row, whatever the frame's length. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operators/over.h"

struct over_state *cep_over_make(const struct over_op *op)
{
    uint32_t frames = op->over->frames.count;
    struct over_state *state = base_calloc(1, sizeof *state + frames * sizeof state->slides[0]);
    bool good = state != NULL;
    for (uint32_t f = 0; good && f < frames; f++) {
        uint32_t n = cep_over_frame(op, f)->aggs.count;
        struct over_slide *s = &state->slides[f];
        s->cells = base_calloc(n + 1, sizeof *s->cells);
        s->base = base_calloc(n + 1, sizeof *s->base);
        s->queues = base_calloc(n + 1, sizeof *s->queues);
        s->base_queues = base_calloc(n + 1, sizeof *s->base_queues);
        good = s->cells && s->base && s->queues && s->base_queues;
    }
    if (state && !good) {
        cep_over_free((struct over_op *)(uintptr_t)op, state);
        state = NULL;
    }
    return state;
}

void cep_over_free_entry(struct over_state *state, struct over_entry *entry)
{
    state->bytes -= (entry->args ? entry->args->size_bytes : 0) + (entry->row ? cep_row_size(entry->row) : 0) + (entry->told ? cep_row_size(entry->told) : 0);
    base_free(entry->args);
    base_free(entry->row);
    base_free(entry->told);
    *entry = (struct over_entry){ 0 };
}

static uint32_t first_agg(const struct over_op *op, uint32_t frame)
{
    return cep_over_frame(op, frame)->aggs.first - op->fold.aggs.first;
}

static void clear_slide(const struct over_op *op, struct over_slide *slide, uint32_t frame)
{
    uint32_t n = cep_over_frame(op, frame)->aggs.count;
    if (slide->cells)
        cep_fold_clear(&op->fold, first_agg(op, frame), n, slide->cells);
    for (uint32_t i = 0; slide->queues && i < n; i++)
        slide->queues[i].head = slide->queues[i].len = 0;
}

void cep_over_free(struct over_op *op, struct over_state *state)
{
    for (size_t i = state->head; i < state->entries.len; i++)
        cep_over_free_entry(state, &state->entries.at[i]);
    BASE_VEC_FINISH(&state->entries);
    for (uint32_t f = 0; f < op->over->frames.count; f++) {
        struct over_slide *s = &state->slides[f];
        uint32_t n = cep_over_frame(op, f)->aggs.count;
        clear_slide(op, s, f);
        if (s->base)
            cep_fold_clear(&op->fold, first_agg(op, f), n, s->base);
        for (uint32_t i = 0; s->queues && i < n; i++)
            base_free(s->queues[i].seqs);
        for (uint32_t i = 0; s->base_queues && i < n; i++)
            base_free(s->base_queues[i].seqs);
        base_free(s->base_queues);
        base_free(s->cells);
        base_free(s->base);
        base_free(s->queues);
    }
    base_free(state);
}

/* ---- queues ---- */

static bool queued(const struct cep_over_frame *frame, const struct cep_agg *agg)
{
    return !frame->unbounded && !cep_agg_invertible(agg);
}

static struct cep_value arg_of(const struct over_op *op, const struct over_state *state, uint64_t seq, uint32_t agg)
{
    return cep_tuple_get(cep_over_entry(state, seq)->args, agg, op->arg_types[agg]);
}

static bool beats(const struct cep_agg *agg, struct cep_value later, struct cep_value earlier)
{
    if (agg->kind == CEP_AGG_FIRST || agg->kind == CEP_AGG_LAST)
        return agg->kind == CEP_AGG_LAST;
    int c = cep_value_compare(agg->arg_type, later, earlier);
    return agg->kind == CEP_AGG_MIN ? c <= 0 : c >= 0;
}

static int enqueue(struct over_op *op, struct over_state *state, struct over_queue *queue, uint32_t agg, uint64_t seq)
{
    const struct cep_agg *a = cep_fold_agg(&op->fold, agg);
    struct cep_value value = arg_of(op, state, seq, agg);
    if (value.null)
        return 0;
    while (queue->len > queue->head && beats(a, value, arg_of(op, state, queue->seqs[queue->len - 1], agg)))
        queue->len--;
    if (queue->head == queue->len)
        queue->head = queue->len = 0;
    if (queue->len == queue->cap && queue->head > queue->cap / 2) {
        queue->len -= queue->head;
        memmove(queue->seqs, queue->seqs + queue->head, queue->len * sizeof *queue->seqs);
        queue->head = 0;
    }
    if (queue->len == queue->cap) {
        size_t cap = queue->cap ? queue->cap * 2 : 4;
        uint64_t *grown = base_realloc(queue->seqs, cap * sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        queue->seqs = grown;
        queue->cap = cap;
    }
    queue->seqs[queue->len++] = seq;
    return 0;
}

/* ---- rows in and out of a frame ---- */

static int fold_one(struct over_op *op, struct over_state *state, uint32_t f, uint64_t seq, bool add)
{
    const struct cep_over_frame *frame = cep_over_frame(op, f);
    struct over_slide *slide = &state->slides[f];
    const struct over_entry *entry = cep_over_entry(state, seq);
    const struct cep_agg_order order = { entry->time_ms, entry->at };
    uint32_t first = first_agg(op, f);
    int rc = 0;
    for (uint32_t i = 0; i < frame->aggs.count && !rc; i++) {
        struct over_queue *queue = &slide->queues[i];
        struct cep_value value = arg_of(op, state, seq, first + i);
        if (queued(frame, cep_fold_agg(&op->fold, first + i))) {
            if (add)
                rc = enqueue(op, state, queue, first + i, seq);
            else if (queue->len > queue->head && queue->seqs[queue->head] == seq)
                queue->head++;
        } else {
            rc = add ? cep_fold_add(&op->fold, first + i, 1, &slide->cells[i], &value, &order)
                     : cep_fold_take(&op->fold, first + i, 1, &slide->cells[i], &value, &order);
        }
    }
    return rc;
}

static int move_lo(struct over_op *op, struct over_state *state, uint32_t f, uint64_t lo)
{
    struct over_slide *slide = &state->slides[f];
    int rc = 0;
    for (; slide->lo < lo && !rc; slide->lo++)
        if (slide->lo < slide->hi)
            rc = fold_one(op, state, f, slide->lo, false);
    if (slide->hi < slide->lo)
        slide->hi = slide->lo;
    return rc;
}

static int move_hi(struct over_op *op, struct over_state *state, uint32_t f, uint64_t hi)
{
    struct over_slide *slide = &state->slides[f];
    int rc = 0;
    for (; slide->hi < hi && !rc; slide->hi++)
        rc = fold_one(op, state, f, slide->hi, true);
    return rc;
}

/* First seq from slide->lo on whose time is at or behind the frame's begin for rows of that time. */
static uint64_t range_lo(const struct over_op *op, const struct over_state *state, uint32_t f, int64_t time_ms)
{
    const struct cep_over_frame *frame = cep_over_frame(op, f);
    uint64_t lo = state->slides[f].lo, end = cep_over_end(state);
    while (lo < end && cep_over_entry(state, lo)->time_ms < time_ms - frame->back)
        lo++;
    return lo;
}

int cep_over_fold_range(struct over_op *op, struct over_state *state, uint64_t seq, uint64_t peers)
{
    int rc = 0;
    for (uint32_t f = 0; f < op->over->frames.count && !rc; f++) {
        const struct cep_over_frame *frame = cep_over_frame(op, f);
        if (frame->rows)
            continue;
        rc = move_hi(op, state, f, seq + peers);
        if (!rc && !frame->unbounded)
            rc = move_lo(op, state, f, range_lo(op, state, f, cep_over_entry(state, seq)->time_ms));
    }
    return rc;
}

int cep_over_fold_rows(struct over_op *op, struct over_state *state, uint64_t seq)
{
    int rc = 0;
    for (uint32_t f = 0; f < op->over->frames.count && !rc; f++) {
        const struct cep_over_frame *frame = cep_over_frame(op, f);
        if (!frame->rows)
            continue;
        rc = move_hi(op, state, f, seq + 1);
        if (!rc && !frame->unbounded && seq - state->slides[f].lo > (uint64_t)frame->back)
            rc = move_lo(op, state, f, seq - (uint64_t)frame->back);
    }
    return rc;
}

static int copy_queue(struct over_queue *to, const struct over_queue *from)
{
    size_t n = from->len - from->head;
    to->head = to->len = 0;
    if (n > to->cap) {
        uint64_t *grown = base_realloc(to->seqs, n * sizeof *grown);
        if (!grown)
            return BASE_E_NOMEM;
        to->seqs = grown;
        to->cap = n;
    }
    if (n)
        memcpy(to->seqs, from->seqs + from->head, n * sizeof *to->seqs);
    to->len = n;
    return 0;
}

/* A cell from which nothing can be taken back: as after the settled rows. */
static int restore_base(struct over_op *op, struct over_slide *slide, uint32_t agg, uint32_t i)
{
    const struct cep_agg *a = cep_fold_agg(&op->fold, agg);
    cep_agg_clear(a, &slide->cells[i]);
    return cep_agg_merge(a, &slide->cells[i], &slide->base[i]);
}

int cep_over_rebuild(struct over_op *op, struct over_state *state)
{
    int rc = 0;
    for (uint32_t f = 0; f < op->over->frames.count && !rc; f++) {
        const struct cep_over_frame *frame = cep_over_frame(op, f);
        struct over_slide *slide = &state->slides[f];
        clear_slide(op, slide, f);
        slide->lo = slide->hi = frame->unbounded ? state->settled : state->first;
        for (uint32_t i = 0; frame->unbounded && i < frame->aggs.count && !rc; i++)
            rc = restore_base(op, slide, first_agg(op, f) + i, i);
        /* settled rows of bounded frames: all that are kept go in, the first row that is told moves the begin */
        if (!rc && !frame->unbounded)
            rc = move_hi(op, state, f, state->settled);
        for (uint32_t i = 0; !frame->unbounded && i < frame->aggs.count && !rc; i++)
            rc = copy_queue(&slide->base_queues[i], &slide->queues[i]);
    }
    return rc;
}

/* Begin of the frame of row `seq`, from the begin of a later row's frame backwards. */
static uint64_t earlier_lo(const struct over_state *state, const struct cep_over_frame *frame, uint64_t lo, uint64_t seq)
{
    if (frame->rows) {
        uint64_t least = seq > (uint64_t)frame->back ? seq - (uint64_t)frame->back : 0;
        least = least > state->first ? least : state->first;
        return least < lo ? least : lo;
    }
    int64_t from_ms = cep_over_entry(state, seq)->time_ms - frame->back;
    while (lo > state->first && cep_over_entry(state, lo - 1)->time_ms >= from_ms)
        lo--;
    return lo;
}

/* One aggregate of a frame: rows [to, hi) go out again, rows [lo, old begin) come back. */
static int unwind_agg(struct over_op *op, struct over_state *state, uint32_t f, uint32_t i, uint64_t lo, uint64_t to)
{
    const struct cep_over_frame *frame = cep_over_frame(op, f);
    struct over_slide *slide = &state->slides[f];
    struct over_queue *queue = &slide->queues[i];
    uint32_t agg = first_agg(op, f) + i;
    const struct cep_agg *a = cep_fold_agg(&op->fold, agg);
    bool has_queue = queued(frame, a), takes = cep_agg_invertible(a);
    int rc = has_queue ? copy_queue(queue, &slide->base_queues[i]) : takes ? 0 : restore_base(op, slide, agg, i);
    for (uint64_t seq = state->settled; !takes && seq < to && !rc; seq++) {
        const struct over_entry *e = cep_over_entry(state, seq);
        const struct cep_agg_order order = { e->time_ms, e->at };
        struct cep_value value = arg_of(op, state, seq, agg);
        rc = has_queue ? enqueue(op, state, queue, agg, seq) : cep_fold_add(&op->fold, agg, 1, &slide->cells[i], &value, &order);
    }
    while (has_queue && queue->head < queue->len && queue->seqs[queue->head] < lo)
        queue->head++;
    for (uint64_t seq = slide->lo > to ? slide->lo : to; takes && seq < slide->hi && !rc; seq++) {
        const struct over_entry *e = cep_over_entry(state, seq);
        const struct cep_agg_order order = { e->time_ms, e->at };
        struct cep_value value = arg_of(op, state, seq, agg);
        rc = cep_fold_take(&op->fold, agg, 1, &slide->cells[i], &value, &order);
    }
    for (uint64_t seq = lo; takes && !frame->unbounded && seq < slide->lo && seq < to && !rc; seq++) {
        const struct over_entry *e = cep_over_entry(state, seq);
        const struct cep_agg_order order = { e->time_ms, e->at };
        struct cep_value value = arg_of(op, state, seq, agg);
        rc = cep_fold_add(&op->fold, agg, 1, &slide->cells[i], &value, &order);
    }
    return rc;
}

int cep_over_unwind(struct over_op *op, struct over_state *state, uint64_t to)
{
    int rc = 0;
    for (uint32_t f = 0; f < op->over->frames.count && !rc; f++) {
        const struct cep_over_frame *frame = cep_over_frame(op, f);
        struct over_slide *slide = &state->slides[f];
        if (slide->hi <= to)
            continue;
        uint64_t lo = slide->lo;
        if (!frame->unbounded)
            lo = to > state->first ? earlier_lo(state, frame, lo, to - 1) : state->first;
        for (uint32_t i = 0; i < frame->aggs.count && !rc; i++)
            rc = unwind_agg(op, state, f, i, lo, to);
        slide->lo = lo;
        slide->hi = to;
    }
    return rc;
}

/* The row into the frame of the settled rows alone: what can no longer be the result goes. */
static int settle_queue(struct over_op *op, struct over_state *state, uint32_t f, uint32_t i, uint64_t seq)
{
    const struct cep_over_frame *frame = cep_over_frame(op, f);
    struct over_queue *queue = &state->slides[f].base_queues[i];
    int64_t from_ms = cep_over_entry(state, seq)->time_ms - frame->back;
    int rc = enqueue(op, state, queue, first_agg(op, f) + i, seq);
    while (!rc && queue->head < queue->len &&
           (frame->rows ? seq - queue->seqs[queue->head] > (uint64_t)frame->back : cep_over_entry(state, queue->seqs[queue->head])->time_ms < from_ms))
        queue->head++;
    return rc;
}

int cep_over_settle_base(struct over_op *op, struct over_state *state, uint64_t to)
{
    int rc = 0;
    for (uint32_t f = 0; f < op->over->frames.count && !rc; f++) {
        const struct cep_over_frame *frame = cep_over_frame(op, f);
        struct over_slide *slide = &state->slides[f];
        for (uint64_t seq = state->settled; seq < to && !rc; seq++) {
            const struct over_entry *entry = cep_over_entry(state, seq);
            const struct cep_agg_order order = { entry->time_ms, entry->at };
            for (uint32_t i = 0; i < frame->aggs.count && !rc; i++) {
                uint32_t agg = first_agg(op, f) + i;
                struct cep_value value = arg_of(op, state, seq, agg);
                if (frame->unbounded)
                    rc = cep_fold_add(&op->fold, agg, 1, &slide->base[i], &value, &order);
                else if (queued(frame, cep_fold_agg(&op->fold, agg)))
                    rc = settle_queue(op, state, f, i, seq);
            }
        }
    }
    return rc;
}

/* What hangs on which row of the frame it is asked for. */
static int result_at(struct over_op *op, struct over_state *state, uint32_t f, uint32_t i, uint64_t seq, struct cep_value *ret)
{
    const struct cep_over_frame *frame = cep_over_frame(op, f);
    struct over_slide *slide = &state->slides[f];
    uint32_t n = first_agg(op, f) + i;
    const struct cep_agg *agg = cep_fold_agg(&op->fold, n);
    if (agg->kind == CEP_AGG_ZSCORE)
        return cep_agg_zscore(agg, &slide->cells[i], arg_of(op, state, seq, n), ret);
    if (agg->kind != CEP_AGG_LAG)
        return cep_agg_result(op->fold.program, agg, &slide->cells[i], cep_flow_arena(op->op.flow), ret);
    bool there = frame->rows && !frame->unbounded && seq - slide->lo >= (uint64_t)frame->back;
    *ret = there ? arg_of(op, state, seq - (uint64_t)frame->back, n) : cep_null();
    return 0;
}

int cep_over_results(struct over_op *op, struct over_state *state, uint64_t seq, bool *ret_good)
{
    *ret_good = true;
    for (uint32_t f = 0; f < op->over->frames.count; f++) {
        const struct cep_over_frame *frame = cep_over_frame(op, f);
        const struct over_slide *slide = &state->slides[f];
        for (uint32_t i = 0; i < frame->aggs.count; i++) {
            uint32_t n = first_agg(op, f) + i;
            const struct cep_agg *agg = cep_fold_agg(&op->fold, n);
            const struct over_queue *queue = &slide->queues[i];
            if (queued(frame, agg)) {
                op->fold.results[n] = queue->len > queue->head ? arg_of(op, state, queue->seqs[queue->head], n) : cep_null();
                continue;
            }
            int rc = result_at(op, state, f, i, seq, &op->fold.results[n]);
            if (rc == BASE_E_NOMEM)
                return rc;
            if (rc) {
                cep_flow_report(op->op.flow, CEP_REPORT_ERROR, op->op.node, rc, agg->arg, NULL);
                *ret_good = false;
                return 0;
            }
        }
    }
    return 0;
}

/* ---- letting go ---- */

static int drop_until(struct over_op *op, struct over_state *state, uint64_t seq)
{
    int rc = 0;
    for (uint32_t f = 0; f < op->over->frames.count && !rc; f++) {
        struct over_slide *slide = &state->slides[f];
        if (cep_over_frame(op, f)->unbounded) {
            slide->lo = slide->lo < seq ? seq : slide->lo;
            continue;
        }
        rc = move_lo(op, state, f, seq);
        for (uint32_t i = 0; i < cep_over_frame(op, f)->aggs.count; i++) {
            struct over_queue *base = &slide->base_queues[i];
            while (base->head < base->len && base->seqs[base->head] < seq)
                base->head++;
        }
    }
    for (; state->first < seq && !rc; state->first++)
        cep_over_free_entry(state, &state->entries.at[state->head++]);
    if (state->head > 64 && state->head * 2 > state->entries.len) {
        state->entries.len -= state->head;
        memmove(state->entries.at, state->entries.at + state->head, state->entries.len * sizeof *state->entries.at);
        state->head = 0;
    }
    return rc;
}

int cep_over_trim(struct over_op *op, struct over_state *state, int64_t watermark_ms)
{
    uint64_t keep = state->settled;
    int rc = 0;
    if (op->rows_back && keep - state->first > op->rows_back)
        keep -= op->rows_back;
    else if (op->rows_back)
        keep = state->first;
    if (op->range_ms >= 0 && watermark_ms != BASE_TIME_MIN_MS) {
        uint64_t seq = state->first;
        int64_t next_ms = watermark_ms == BASE_TIME_MAX_MS ? watermark_ms : watermark_ms + 1; /* of a row to come, at least */
        while (seq < keep && cep_over_entry(state, seq)->time_ms < next_ms - op->range_ms)
            seq++;
        keep = seq;
    } else if (op->range_ms >= 0) {
        keep = state->first;
    }
    /* frames whose last row lies before what is dropped: it is out of reach of every row to come */
    if (keep > state->first)
        rc = drop_until(op, state, keep);
    return rc;
}

int cep_over_drop_oldest(struct over_op *op, struct over_state *state)
{
    return drop_until(op, state, state->first + 1);
}
