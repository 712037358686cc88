/* Window aggregate. A key keeps its open windows, or, where windows overlap and are told once at their end (HOP, CUMULATE), the panes that they are made of:
 * each row is added to one pane, and a window's result is the join of its panes. Windows end when the watermark has passed them. Eager: a window's row is told
 * with its first row and corrected with each one; Final: once, at its end. With allowed lateness: once the watermark is that near its end, then corrected.
 * A row all of whose windows have ended is told as late and left out. */
#include "cep/operators/window.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/operators/fold.h"

#define WINDOW_STATE_VERSION 1

struct window_part { /* a window or a pane: [start, end) */
    int64_t start_ms, end_ms;
    struct cep_agg_order last; /* of its rows */
    struct cep_row *told;      /* eager: what stands outside; owned */
    struct cep_agg_cell *cells;
};
struct window_parts BASE_VEC(struct window_part);
struct window_state {
    struct window_parts parts; /* by end, then start */
    int64_t fired_ms;          /* panes: windows that end at or before this + 1 have been told; allowed lateness: those that were due by then */
    size_t bytes;
};
struct window_op {
    struct cep_operator op; /* first */
    const struct cep_window *window;
    struct cep_fold fold;
    struct cep_agg_cell *joined; /* scratch: a window's panes */
    int64_t pane_ms;
    bool panes;                  /* parts are panes */
};

static struct window_op *window_of(struct cep_operator *op) { return (struct window_op *)(void *)op; }

/* ---- time ---- */

static int64_t floor_to(int64_t t, int64_t unit, int64_t offset)
{
    int64_t r = (t - offset) % unit;
    return t - (r < 0 ? r + unit : r);
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* First window that holds the span [from, from + unit); false: none does (HOP with gaps). Later ones: next_window. */
static bool first_window(const struct cep_window *w, int64_t from, int64_t unit, int64_t *ret_start, int64_t *ret_end)
{
    if (w->kind == CEP_WINDOW_CUMULATE) {
        *ret_start = floor_to(from, w->size_ms, w->offset_ms);
        *ret_end = floor_to(from, w->slide_ms, w->offset_ms) + w->slide_ms;
        return true;
    }
    int64_t least = from + unit - w->size_ms;
    *ret_start = floor_to(least + w->slide_ms - 1, w->slide_ms, w->offset_ms);
    *ret_end = *ret_start + w->size_ms;
    return *ret_start <= from;
}

static bool next_window(const struct cep_window *w, int64_t from, int64_t *start, int64_t *end)
{
    if (w->kind == CEP_WINDOW_CUMULATE) {
        *end += w->slide_ms;
        return *end <= *start + w->size_ms;
    }
    *start += w->slide_ms;
    *end += w->slide_ms;
    return *start <= from;
}

/* ---- parts ---- */

static void free_part(struct window_op *op, struct window_part *part)
{
    if (part->cells)
        cep_fold_clear(&op->fold, 0, op->fold.aggs.count, part->cells);
    base_free(part->cells);
    base_free(part->told);
    *part = (struct window_part){ 0 };
}

static void drop_parts(struct window_op *op, struct window_state *state, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++)
        free_part(op, &state->parts.at[i]);
    if (count == 0)
        return; /* there may be no array yet */
    state->parts.len -= count;
    memmove(&state->parts.at[at], &state->parts.at[at + count], (state->parts.len - at) * sizeof *state->parts.at);
}

/* Place of the part with these bounds, or where it belongs. */
static size_t place_of(const struct window_state *state, int64_t start_ms, int64_t end_ms)
{
    size_t low = 0, high = state->parts.len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct window_part *p = &state->parts.at[middle];
        if (p->end_ms < end_ms || (p->end_ms == end_ms && p->start_ms < start_ms))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int get_part(struct window_op *op, struct window_state *state, int64_t start_ms, int64_t end_ms, struct window_part **ret)
{
    size_t at = place_of(state, start_ms, end_ms);
    if (at < state->parts.len && state->parts.at[at].start_ms == start_ms && state->parts.at[at].end_ms == end_ms) {
        *ret = &state->parts.at[at];
        return 0;
    }
    struct window_part part = { .start_ms = start_ms, .end_ms = end_ms, .last.time_ms = BASE_TIME_MIN_MS };
    if (state->parts.len >= cep_flow_limits(op->op.flow)->rows_per_key) {
        cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, NULL);
        return BASE_E_LIMIT;
    }
    part.cells = base_calloc(op->fold.aggs.count + 1, sizeof *part.cells);
    if (!part.cells || !BASE_VEC_PUSH(&state->parts, part)) {
        base_free(part.cells);
        return BASE_E_NOMEM;
    }
    memmove(&state->parts.at[at + 1], &state->parts.at[at], (state->parts.len - 1 - at) * sizeof part);
    state->parts.at[at] = part;
    *ret = &state->parts.at[at];
    return 0;
}

/* ---- telling ---- */

static struct cep_fold_tell tell_of(const struct window_op *op, struct cep_key *key, int64_t start_ms, int64_t end_ms)
{
    int64_t named = op->window->kind == CEP_WINDOW_SESSION ? 0 : end_ms; /* a session is named by its start: its end moves */
    return (struct cep_fold_tell){ .key = key, .ident = cep_fold_ident(&key->tuple, start_ms, named), .final = !op->window->eager,
                                   .first_ms = start_ms, .last_ms = end_ms - 1 };
}

/* The window's row; NULL: an aggregate failed. */
static int row_of(struct window_op *op, struct cep_key *key, const struct window_part *part, const struct cep_agg_cell *cells, struct cep_row **ret)
{
    const int64_t bounds[3] = { part->start_ms, part->end_ms, part->end_ms - 1 };
    const struct cep_fold_parts parts = { .key = &key->tuple, .window = bounds };
    bool good;
    *ret = NULL;
    int rc = cep_fold_results(&op->fold, cells, &good);
    return rc || !good ? rc : cep_fold_row(&op->fold, &parts, part->end_ms - 1, part->last.at, ret);
}

/* Eager: may the window that ends there be told? With allowed lateness the watermark lags so far behind that of the rows on time. */
static bool is_due(const struct window_op *op, int64_t end_ms)
{
    return !op->window->late_ms || end_ms - 1 - op->window->late_ms <= op->op.watermark_ms;
}

static int tell_now(struct window_op *op, struct cep_key *key, struct window_part *part)
{
    struct cep_row *now;
    int rc = row_of(op, key, part, part->cells, &now);
    if (rc)
        return rc;
    const struct cep_fold_tell tell = tell_of(op, key, part->start_ms, part->end_ms);
    return cep_fold_differ(&op->fold, &tell, &part->told, now);
}

static int tell_final(struct window_op *op, struct cep_key *key, const struct window_part *part, const struct cep_agg_cell *cells)
{
    struct cep_row *row;
    int rc = row_of(op, key, part, cells, &row);
    const struct cep_fold_tell tell = tell_of(op, key, part->start_ms, part->end_ms);
    return rc || !row ? rc : cep_fold_tell(&op->fold, &tell, row, CEP_INSERT);
}

/* ---- rows ---- */

static int fold_in(struct window_op *op, struct window_part *part, const struct cep_agg_order *order)
{
    if (cep_agg_order_compare(order, &part->last) > 0)
        part->last = *order;
    return cep_fold_add(&op->fold, 0, op->fold.aggs.count, part->cells, op->fold.args, order);
}

/* Joins the sessions that [start, end) touches into one and returns it; what was told of those that lose their name is taken back. */
static int join_sessions(struct window_op *op, struct cep_key *key, int64_t t, struct window_part **ret)
{
    struct window_state *state = key->state;
    int64_t start_ms = t, end_ms = t + op->window->size_ms;
    size_t first = 0, end;
    while (first < state->parts.len && state->parts.at[first].end_ms < t)
        first++;
    for (end = first; end < state->parts.len && state->parts.at[end].start_ms <= t + op->window->size_ms; end++) {
        start_ms = state->parts.at[end].start_ms < start_ms ? state->parts.at[end].start_ms : start_ms;
        end_ms = state->parts.at[end].end_ms > end_ms ? state->parts.at[end].end_ms : end_ms;
    }
    if (first == end)
        return get_part(op, state, start_ms, end_ms, ret);
    struct window_part *kept = &state->parts.at[first];
    int rc = 0;
    for (size_t i = first; i < end && !rc; i++) {
        struct window_part *part = &state->parts.at[i];
        const struct cep_fold_tell tell = tell_of(op, key, part->start_ms, part->end_ms);
        if (part->start_ms != start_ms)
            rc = cep_fold_differ(&op->fold, &tell, &part->told, NULL);
        if (!rc && part != kept)
            rc = cep_fold_merge(&op->fold, kept->cells, part->cells);
        if (cep_agg_order_compare(&part->last, &kept->last) > 0)
            kept->last = part->last;
    }
    if (rc)
        return rc;
    kept->start_ms = start_ms;
    kept->end_ms = end_ms;
    drop_parts(op, state, first + 1, end - first - 1);
    *ret = &state->parts.at[first];
    return 0;
}

static int session_row(struct window_op *op, struct cep_key *key, const struct cep_agg_order *order, bool *ret_late)
{
    struct window_part *part;
    struct window_state *state = key->state;
    int64_t reach = order->time_ms + op->window->size_ms;
    *ret_late = reach - 1 <= op->op.watermark_ms;
    for (size_t i = 0; *ret_late && i < state->parts.len; i++) /* late by itself, but it lies in a session that is still open */
        *ret_late = state->parts.at[i].start_ms > reach || state->parts.at[i].end_ms < order->time_ms;
    if (*ret_late)
        return 0;
    int rc = join_sessions(op, key, order->time_ms, &part);
    if (!rc)
        rc = fold_in(op, part, order);
    return rc || !op->window->eager || (!part->told && !is_due(op, part->end_ms)) ? rc : tell_now(op, key, part);
}

/* Each open window gets the row. */
static int windows_row(struct window_op *op, struct cep_key *key, const struct cep_agg_order *order, bool *ret_late)
{
    int64_t start_ms, end_ms;
    int rc = 0;
    *ret_late = false;
    if (!first_window(op->window, order->time_ms, 1, &start_ms, &end_ms))
        return 0;
    *ret_late = true;
    do {
        struct window_part *part;
        if (end_ms - 1 <= op->op.watermark_ms)
            continue;
        *ret_late = false;
        rc = get_part(op, key->state, start_ms, end_ms, &part);
        if (!rc)
            rc = fold_in(op, part, order);
        if (!rc && op->window->eager && is_due(op, end_ms))
            rc = tell_now(op, key, part);
    } while (!rc && next_window(op->window, order->time_ms, &start_ms, &end_ms));
    return rc;
}

static int pane_row(struct window_op *op, struct cep_key *key, const struct cep_agg_order *order, bool *ret_late)
{
    int64_t pane = floor_to(order->time_ms, op->pane_ms, op->window->offset_ms), start_ms, end_ms;
    struct window_part *part;
    *ret_late = false;
    if (!first_window(op->window, pane, op->pane_ms, &start_ms, &end_ms))
        return 0;
    while (end_ms - 1 <= op->op.watermark_ms)
        if (!next_window(op->window, pane, &start_ms, &end_ms)) {
            *ret_late = true;
            return 0;
        }
    int rc = get_part(op, key->state, pane, pane + op->pane_ms, &part);
    return rc ? rc : fold_in(op, part, order);
}

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct window_op *op = window_of(base);
    int64_t time_ms;
    bool good, late = false;
    if (event->row->change != CEP_INSERT)
        return BASE_E_UNSUPPORTED; /* the planner puts windows over rows that stay */
    int rc = cep_fold_time(&op->fold, op->window->time, event, &time_ms, &good);
    if (!rc && good)
        rc = cep_fold_arguments(&op->fold, event, &good);
    if (rc || !good)
        return rc;
    if (!key->state) {
        struct window_state *state = base_calloc(1, sizeof *state);
        if (!state)
            return BASE_E_NOMEM;
        state->fired_ms = base->watermark_ms;
        key->state = state;
    }
    const struct cep_agg_order order = cep_fold_order(event->row, time_ms);
    if (op->window->kind == CEP_WINDOW_SESSION)
        rc = session_row(op, key, &order, &late);
    else
        rc = op->panes ? pane_row(op, key, &order, &late) : windows_row(op, key, &order, &late);
    if (late)
        cep_flow_report(base->flow, CEP_REPORT_LATE_AFTER_IDLE, base->node, 0, CEP_NONE, event);
    return rc == BASE_E_LIMIT ? 0 : rc;
}

/* ---- the end of windows ---- */

/* First window with an end behind fired_ms that holds the pane; false: all have been told. */
static bool next_of_pane(const struct window_op *op, const struct window_state *state, int64_t *ret_start, int64_t *ret_end)
{
    int64_t pane = state->parts.at[0].start_ms;
    if (!first_window(op->window, pane, op->pane_ms, ret_start, ret_end))
        return false;
    if (op->window->kind == CEP_WINDOW_HOP && *ret_end - 1 <= state->fired_ms) { /* far behind: in one step */
        int64_t steps = (state->fired_ms + 1 - *ret_end) / op->window->slide_ms;
        *ret_start += steps * op->window->slide_ms;
        *ret_end += steps * op->window->slide_ms;
        if (*ret_start > pane)
            return false;
    }
    while (*ret_end - 1 <= state->fired_ms)
        if (!next_window(op->window, pane, ret_start, ret_end))
            return false;
    return true;
}

static int fire_joined(struct window_op *op, struct cep_key *key, int64_t start_ms, int64_t end_ms)
{
    struct window_state *state = key->state;
    struct window_part window = { .start_ms = start_ms, .end_ms = end_ms, .last.time_ms = BASE_TIME_MIN_MS };
    int rc = 0;
    for (size_t i = 0; i < state->parts.len && state->parts.at[i].end_ms <= end_ms && !rc; i++) {
        const struct window_part *pane = &state->parts.at[i];
        if (pane->start_ms < start_ms)
            continue;
        rc = cep_fold_merge(&op->fold, op->joined, pane->cells);
        if (cep_agg_order_compare(&pane->last, &window.last) > 0)
            window.last = pane->last;
    }
    if (!rc)
        rc = tell_final(op, key, &window, op->joined);
    cep_fold_clear(&op->fold, 0, op->fold.aggs.count, op->joined);
    return rc;
}

static int fire_panes(struct window_op *op, struct cep_key *key)
{
    struct window_state *state = key->state;
    int64_t start_ms, end_ms;
    int rc = 0;
    while (!rc && state->parts.len) {
        if (!next_of_pane(op, state, &start_ms, &end_ms)) {
            drop_parts(op, state, 0, 1);
            continue;
        }
        if (end_ms - 1 > op->op.watermark_ms)
            break;
        rc = fire_joined(op, key, start_ms, end_ms);
        state->fired_ms = end_ms - 1;
    }
    return rc;
}

static int on_wake(struct cep_operator *base, struct cep_key *key)
{
    struct window_op *op = window_of(base);
    struct window_state *state = key->state;
    size_t ended = 0;
    int rc = 0;
    if (!state)
        return 0;
    if (op->panes)
        return fire_panes(op, key);
    for (; ended < state->parts.len && state->parts.at[ended].end_ms - 1 <= base->watermark_ms && !rc; ended++) {
        struct window_part *part = &state->parts.at[ended];
        const struct cep_fold_tell tell = tell_of(op, key, part->start_ms, part->end_ms);
        if (op->window->late_ms && !part->told)
            rc = tell_now(op, key, part);
        if (!rc)
            rc = op->window->eager ? cep_fold_settle(&op->fold, &tell, part->told) : tell_final(op, key, part, part->cells);
    }
    drop_parts(op, state, 0, ended);
    for (size_t i = 0; op->window->late_ms && i < state->parts.len && is_due(op, state->parts.at[i].end_ms) && !rc; i++)
        rc = state->parts.at[i].told ? 0 : tell_now(op, key, &state->parts.at[i]);
    if (op->window->late_ms)
        state->fired_ms = base->watermark_ms;
    return rc;
}

static int64_t deadline(const struct cep_operator *base, const struct cep_key *key)
{
    const struct window_op *op = (const struct window_op *)(const void *)base;
    const struct window_state *state = key->state;
    int64_t start_ms, end_ms;
    if (!state || state->parts.len == 0)
        return BASE_TIME_MAX_MS;
    if (!op->panes) {
        int64_t at_ms = state->parts.at[0].end_ms - 1;
        for (size_t i = 0; op->window->late_ms && i < state->parts.len; i++) {
            int64_t due_ms = state->parts.at[i].end_ms - 1 - op->window->late_ms;
            if (due_ms > state->fired_ms)
                return due_ms < at_ms ? due_ms : at_ms;
        }
        return at_ms;
    }
    return next_of_pane(op, state, &start_ms, &end_ms) ? end_ms - 1 : state->parts.at[0].start_ms;
}

static bool idle(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct window_state *state = key->state;
    return !state || state->parts.len == 0;
}

static void free_state(struct cep_operator *base, struct cep_key *key)
{
    struct window_state *state = key->state;
    if (state) {
        drop_parts(window_of(base), state, 0, state->parts.len);
        BASE_VEC_FINISH(&state->parts);
    }
    base_free(state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *base, const struct cep_key *key)
{
    const struct window_op *op = (const struct window_op *)(const void *)base;
    const struct window_state *state = key->state;
    if (!state)
        return 0;
    size_t sum = sizeof *state + state->parts.cap * sizeof *state->parts.at;
    if (state->parts.len) /* the newest stands for all: a walk over every pane for every row would be dear */
        sum += state->parts.len * (cep_fold_bytes(&op->fold, op->fold.aggs.count, state->parts.at[state->parts.len - 1].cells) +
                                   (state->parts.at[state->parts.len - 1].told ? cep_row_size(state->parts.at[state->parts.len - 1].told) : 0));
    return sum;
}

/* ---- storing ---- */

static int save(struct cep_operator *base, struct cep_key *key, bool all BASE_UNUSED, cep_keyed_piece *piece, void *ctx)
{
    struct window_op *op = window_of(base);
    const struct window_state *state = key->state;
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, WINDOW_STATE_VERSION);
    base_buf_put_u64(&buf, (uint64_t)state->fired_ms);
    base_buf_put_varint(&buf, state->parts.len);
    for (size_t i = 0; i < state->parts.len; i++) {
        const struct window_part *part = &state->parts.at[i];
        base_buf_put_u64(&buf, (uint64_t)part->start_ms);
        base_buf_put_u64(&buf, (uint64_t)part->end_ms);
        base_buf_put_u64(&buf, (uint64_t)part->last.time_ms);
        base_buf_put(&buf, &part->last.at, sizeof part->last.at);
        cep_kept_save_row(part->told, &buf);
        cep_fold_save(&op->fold, 0, op->fold.aggs.count, part->cells, &buf);
    }
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

static bool bounds_good(const struct window_op *op, const struct window_part *part, const struct window_part *before)
{
    const struct cep_window *w = op->window;
    int64_t far = INT64_MAX / 2;
    if (part->start_ms < -far || part->end_ms > far || part->end_ms <= part->start_ms)
        return false;
    if (before && (before->end_ms > part->end_ms || (before->end_ms == part->end_ms && before->start_ms >= part->start_ms)))
        return false;
    if (w->kind == CEP_WINDOW_SESSION)
        return !before || before->end_ms < part->start_ms;
    if (op->panes)
        return part->end_ms - part->start_ms == op->pane_ms && floor_to(part->start_ms, op->pane_ms, w->offset_ms) == part->start_ms;
    return part->end_ms - part->start_ms <= w->size_ms;
}

static int load_part(struct window_op *op, struct base_reader *in, struct window_state *state)
{
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(op->op.flow, op->op.node, &columns);
    struct window_part part = { .start_ms = (int64_t)base_read_u64(in) };
    part.end_ms = (int64_t)base_read_u64(in);
    part.last.time_ms = (int64_t)base_read_u64(in);
    const void *at = base_read_raw(in, sizeof part.last.at);
    if (!at || !bounds_good(op, &part, state->parts.len ? &state->parts.at[state->parts.len - 1] : NULL))
        return BASE_E_CORRUPT;
    memcpy(&part.last.at, at, sizeof part.last.at);
    part.cells = base_calloc(op->fold.aggs.count + 1, sizeof *part.cells);
    if (!part.cells || !BASE_VEC_PUSH(&state->parts, part)) {
        base_free(part.cells);
        return BASE_E_NOMEM;
    }
    int rc = cep_kept_load_row(in, types, columns, &state->parts.at[state->parts.len - 1].told);
    return rc ? rc : cep_fold_load(&op->fold, 0, op->fold.aggs.count, in, part.cells);
}

static int load(struct cep_operator *base, struct cep_key *key, uint32_t piece, const void *from, size_t len)
{
    struct base_reader in = base_reader_of(from, len);
    uint8_t version = base_read_u8(&in);
    if (in.failed || piece != 0 || key->state)
        return BASE_E_CORRUPT;
    if (version != WINDOW_STATE_VERSION)
        return BASE_E_VERSION;
    struct window_state *state = key->state = base_calloc(1, sizeof *state);
    if (!state)
        return BASE_E_NOMEM;
    state->fired_ms = (int64_t)base_read_u64(&in);
    uint64_t count = base_read_varint(&in);
    if (in.failed || count > len)
        return BASE_E_CORRUPT;
    int rc = 0;
    for (uint64_t i = 0; i < count && !rc; i++)
        rc = load_part(window_of(base), &in, state);
    return rc ? rc : in.failed || in.at != in.end ? BASE_E_CORRUPT : 0;
}

/* ---- each row once for every window ---- */

static int assign_one(struct window_op *op, const struct cep_event *event, int64_t start_ms, int64_t end_ms)
{
    const int64_t bounds[3] = { start_ms, end_ms, end_ms - 1 };
    const struct cep_fold_parts parts = { .key = event->key, .window = bounds, .row = &event->row->tuple };
    struct { struct cep_ident of; int64_t start_ms, end_ms; } facts = { event->ident, start_ms, end_ms };
    struct cep_event out = *event;
    struct cep_row *row;
    int rc = cep_fold_row(&op->fold, &parts, end_ms - 1, event->row->at, &row);
    if (rc)
        return rc;
    row->change = event->row->change;
    out.row = row;
    out.ident = (struct cep_ident){ base_hash64(&facts, sizeof facts, 14), base_hash64(&facts, sizeof facts, 15) };
    return cep_flow_emit(op->op.flow, op->op.node, &out);
}

int cep_window_assign(struct cep_operator *base, const struct cep_event *event)
{
    struct window_op *op = window_of(base);
    int64_t time_ms, start_ms, end_ms;
    bool good;
    int rc = cep_fold_time(&op->fold, op->window->time, event, &time_ms, &good);
    if (rc || !good || !first_window(op->window, time_ms, 1, &start_ms, &end_ms))
        return rc;
    do
        rc = assign_one(op, event, start_ms, end_ms);
    while (!rc && next_window(op->window, time_ms, &start_ms, &end_ms));
    return rc;
}

/* ---- life ---- */

static int64_t output_watermark(const struct cep_operator *op BASE_UNUSED, int64_t input_ms)
{
    return input_ms; /* a window's row bears the last instant of the window: it is told before the watermark moves past that */
}

static void stats(const struct cep_operator *op, struct cep_flow_stats *add_to)
{
    add_to->keys += op->keyed.count;
    add_to->state_bytes += op->keyed.bytes;
}

static void destroy(struct cep_operator *base)
{
    struct window_op *op = window_of(base);
    cep_fold_finish(&op->fold);
    base_free(op->joined);
    base_free(op);
}

static const struct cep_operator_ops window_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = save, .load = load, .free_state = free_state, .bytes = bytes,
    .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

int cep_window_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct window_op *op = base_calloc(1, sizeof *op);
    const struct cep_program *p = cep_flow_program(flow);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &window_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->window = cep_program_window(p, cep_program_node(p, node)->detail);
    bool overlap = op->window->kind == CEP_WINDOW_HOP || op->window->kind == CEP_WINDOW_CUMULATE;
    op->panes = overlap && !op->window->eager;
    op->pane_ms = op->window->kind == CEP_WINDOW_HOP ? gcd(op->window->size_ms, op->window->slide_ms) : op->window->slide_ms;
    cep_keyed_init(&op->op.keyed, 0);
    *ret = &op->op; /* the flow destroys it, also after a failure below */
    op->joined = base_calloc(op->window->aggs.count + 1, sizeof *op->joined);
    int rc = cep_fold_init(&op->fold, flow, node, op->window->aggs, op->window->outs);
    return rc ? rc : op->joined ? 0 : BASE_E_NOMEM;
}
