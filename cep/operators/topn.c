/* Top-N and deduplication: ROW_NUMBER() OVER (PARTITION BY key ORDER BY ...) between two ranks, as a changelog. The rows of a key stand in a sorted set; a
 * change touches at most the ranks from its place on. With the rank in the result a rank is an identity and its row changes; without it rows come into the
 * result and leave it. Input without changes needs no row behind the last rank, so none is kept. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operator.h"
#include "cep/rowset.h"

#define TOPN_STATE_VERSION 1
#define TOPN_PIECES_MAX 65536u

struct topn_state {
    struct cep_rowset rows;  /* mark 1: stands in the result (without ranks) */
    int64_t touched_ms;      /* latest time of a row */
    bool told;               /* FIRST_*: the row was given; none is kept any more */
    uint32_t pieces;         /* of the head that was loaded */
};
struct topn_op {
    struct cep_operator op;  /* first */
    const struct cep_program *program;
    const struct cep_topn *topn;
    uint32_t input;          /* node */
    struct cep_value *values; /* scratch: columns of a row with its rank */
    uint32_t *columns;       /* per order key: the column that it is, CEP_NONE: computed */
    bool by_rank;            /* results are known by their rank */
    uint64_t rows;           /* kept in memory */
};

/* ---- order ---- */

/* Value of an order key: mostly a column as it stands. */
static struct cep_value order_key(struct topn_op *op, uint32_t i, const struct cep_row *row)
{
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(op->op.flow, op->input, &columns);
    if (op->columns[i] != CEP_NONE)
        return cep_tuple_get(&row->tuple, op->columns[i], types[op->columns[i]]);
    struct cep_frame frame = { .row = &row->tuple, .row_types = types, .row_time_ms = row->time_ms, .arena = cep_flow_arena(op->op.flow) };
    struct cep_value value;
    return cep_expr_run(cep_flow_expr(op->op.flow), cep_program_order(op->program, op->topn->keys.first + i)->code, &frame, &value) ? cep_null() : value;
}

static int compare(void *ctx, const struct cep_row *a, const struct cep_row *b)
{
    struct topn_op *op = ctx;
    for (uint32_t i = 0; i < op->topn->keys.count; i++) {
        const struct cep_order *order = cep_program_order(op->program, op->topn->keys.first + i);
        struct cep_value x = order_key(op, i, a), y = order_key(op, i, b);
        if (x.null && y.null)
            continue;
        if (x.null || y.null)
            return (x.null ? -1 : 1) * (order->nulls_first ? 1 : -1);
        int c = cep_value_compare(cep_program_code(op->program, order->code)->type, x, y);
        if (c)
            return order->descending ? -c : c;
    }
    return op->topn->newest_first ? -cep_row_compare(a, b) : 0;
}

static void find_columns(struct topn_op *op)
{
    for (uint32_t i = 0; i < op->topn->keys.count; i++) {
        const struct cep_code *code = cep_program_code(op->program, cep_program_order(op->program, op->topn->keys.first + i)->code);
        const struct cep_insn *insns = cep_program_insn(op->program, code->first);
        bool plain = code->count == 2 && insns[0].op == CEP_OP_COLUMN && insns[1].op == CEP_OP_RETURN && insns[1].a == insns[0].d;
        op->columns[i] = plain ? insns[0].c : CEP_NONE;
    }
}

/* ---- output ---- */

struct telling { struct topn_op *op; struct cep_key *key; };

/* rank from 1. The row's own change is put back. */
static int tell(const struct telling *t, struct cep_row *row, struct cep_ident ident, uint64_t rank, enum cep_change change, bool final)
{
    struct topn_op *op = t->op;
    struct cep_row *out = row;
    if (op->topn->rank_column != CEP_NONE) {
        uint32_t columns, in;
        const struct cep_type *types = cep_flow_types(op->op.flow, op->op.node, &columns);
        const struct cep_type *in_types = cep_flow_types(op->op.flow, op->input, &in);
        for (uint32_t i = 0; i < in; i++)
            op->values[i] = cep_tuple_get(&row->tuple, i, in_types[i]);
        op->values[op->topn->rank_column] = cep_int((int64_t)rank);
        int rc = cep_row_make(types, op->values, columns, row->time_ms, row->at, cep_flow_arena(op->op.flow), &out);
        if (rc)
            return rc;
    }
    out->change = (uint8_t)change;
    struct cep_event event = { .row = out, .key = &t->key->tuple, .key_node = op->op.node, .key_hash = cep_key_hash(&t->key->tuple), .final = final,
                               .first_time_ms = row->time_ms, .last_time_ms = row->time_ms, .first_at = row->at };
    event.ident = op->by_rank ? cep_ident_rank(cep_key_hash(&t->key->tuple), rank) : ident;
    int rc = cep_flow_emit(op->op.flow, op->op.node, &event);
    out->change = CEP_INSERT;
    return rc;
}

static int tell_pair(const struct telling *t, struct cep_row *before, struct cep_row *after, struct cep_ident ident, uint64_t rank)
{
    if (cep_tuple_equal(&before->tuple, &after->tuple))
        return 0;
    int rc = tell(t, before, ident, rank, CEP_UPDATE_BEFORE, false);
    return rc ? rc : tell(t, after, ident, rank, CEP_UPDATE_AFTER, false);
}

/* ---- a change of the set ---- */

/* One change on its way: what was, what is. */
struct change {
    struct telling to;
    struct topn_state *state;
    struct cep_ident ident;
    struct cep_row *gone;      /* taken out; owned */
    bool gone_shown;
    uint32_t place;            /* of the new row; CEP_NONE: none */
    uint32_t low;              /* first place that is different now */
    struct cep_row **window;   /* by_rank: rows that stood at ranks first, first + 1, ... */
    uint32_t window_len;
};

static uint32_t window_end(const struct topn_op *op, const struct cep_rowset *rows)
{
    return op->topn->last < rows->count ? (uint32_t)op->topn->last : rows->count;
}

static int keep_window(struct change *c)
{
    const struct cep_rowset *rows = &c->state->rows;
    uint32_t first = (uint32_t)c->to.op->topn->first - 1, end = window_end(c->to.op, rows);
    c->window_len = end > first ? end - first : 0;
    c->window = base_arena_alloc(cep_flow_arena(c->to.op->op.flow), (c->window_len + 1) * sizeof(void *));
    for (uint32_t i = 0; c->window && i < c->window_len; i++)
        c->window[i] = cep_rowset_at(rows, first + i)->row;
    return c->window ? 0 : BASE_E_NOMEM;
}

static int tell_ranks(struct change *c)
{
    struct cep_rowset *rows = &c->state->rows;
    uint32_t first = (uint32_t)c->to.op->topn->first - 1, end = window_end(c->to.op, rows);
    uint32_t len = end > first ? end - first : 0, most = len > c->window_len ? len : c->window_len;
    int rc = 0;
    for (uint32_t i = c->low > first ? c->low - first : 0; i < most && !rc; i++) {
        struct cep_row *before = i < c->window_len ? c->window[i] : NULL, *after = i < len ? cep_rowset_at(rows, first + i)->row : NULL;
        uint64_t rank = c->to.op->topn->first + i;
        if (before && after)
            rc = before == after ? 0 : tell_pair(&c->to, before, after, c->ident, rank);
        else if (before)
            rc = tell(&c->to, before, c->ident, rank, CEP_DELETE, false);
        else
            rc = tell(&c->to, after, c->ident, rank, CEP_INSERT, false);
    }
    return rc;
}

static int show(struct change *c, uint64_t place, bool shown)
{
    struct cep_rowset *rows = &c->state->rows;
    if (place >= rows->count)
        return 0;
    struct cep_rowset_entry *entry = cep_rowset_at(rows, (uint32_t)place);
    if (entry->mark == shown)
        return 0;
    entry->mark = shown;
    cep_rowset_touch(rows, entry);
    return tell(&c->to, entry->row, entry->ident, place + 1, shown ? CEP_INSERT : CEP_DELETE, false);
}

/* One row came, went or moved: besides itself only the rows at the window's borders change sides. */
static int tell_rows(struct change *c)
{
    const struct cep_topn *topn = c->to.op->topn;
    uint64_t first = topn->first - 1, last = topn->last;
    bool in = c->place != CEP_NONE && c->place >= first && c->place < last;
    int rc = 0;
    if (c->gone_shown && in) {
        struct cep_rowset_entry *entry = cep_rowset_at(&c->state->rows, c->place);
        entry->mark = 1;
        rc = tell_pair(&c->to, c->gone, entry->row, c->ident, 0);
    } else if (c->gone_shown) {
        rc = tell(&c->to, c->gone, c->ident, 0, CEP_DELETE, false);
    }
    if (!rc && first > 0)
        rc = show(c, first - 1, false);
    if (!rc)
        rc = show(c, last, false);
    if (!rc && in)
        rc = show(c, c->place, true);
    if (!rc)
        rc = show(c, first, true);
    return rc ? rc : show(c, last - 1, true);
}

static int make_change(struct change *c, const struct cep_event *event)
{
    struct topn_op *op = c->to.op;
    struct cep_rowset *rows = &c->state->rows;
    bool arrives = event->row->change != CEP_DELETE;
    uint32_t slot, before = rows->count;
    c->place = c->low = CEP_NONE;
    int rc = op->by_rank ? keep_window(c) : 0;
    if (rc)
        return rc;
    if (cep_rowset_find(rows, c->ident, &slot)) {
        c->low = cep_rowset_place(rows, slot, compare, op);
        c->gone_shown = rows->entries[slot].mark;
        c->gone = cep_rowset_take(rows, c->low);
    }
    if (arrives)
        rc = cep_rowset_add(rows, c->ident, event->row, compare, op, &c->place);
    if (!rc && arrives && c->place < c->low)
        c->low = c->place;
    op->rows += rows->count - (uint64_t)before;
    return rc;
}

/* What can never come back is forgotten; beyond the limit the worst rows are. */
static void trim(struct topn_op *op, struct topn_state *state, const struct cep_event *event)
{
    while (op->topn->append_only && state->rows.count > op->topn->last) {
        cep_rowset_drop(&state->rows, state->rows.count - 1);
        op->rows--;
    }
    if (state->rows.count > cep_flow_limits(op->op.flow)->rows_per_key && state->rows.count > op->topn->last) {
        cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, event);
        cep_rowset_drop(&state->rows, state->rows.count - 1);
        op->rows--;
    }
}

static int on_ranks(struct topn_op *op, struct cep_key *key, const struct cep_event *event)
{
    struct change c = { .to = { op, key }, .state = key->state, .ident = cep_rowset_ident(event) };
    const struct cep_rowset *rows = &c.state->rows;
    if (op->topn->append_only && rows->count >= op->topn->last && rows->count && event->row->change == CEP_INSERT) {
        const struct cep_row *worst = cep_rowset_at(rows, rows->count - 1)->row;
        int order = compare(op, event->row, worst);
        if (order > 0 || (order == 0 && cep_row_compare(event->row, worst) > 0))
            return 0; /* most rows of a long stream end here */
    }
    int rc = make_change(&c, event);
    if (!rc && c.low != CEP_NONE && c.low < op->topn->last)
        rc = op->by_rank ? tell_ranks(&c) : tell_rows(&c);
    base_free(c.gone);
    if (!rc)
        trim(op, c.state, event);
    return rc;
}

/* ---- the first row ---- */

static int tell_first(struct topn_op *op, struct cep_key *key, struct cep_row *row, struct cep_ident ident)
{
    struct topn_state *state = key->state;
    const struct telling to = { op, key };
    state->told = true;
    return tell(&to, row, ident, 1, CEP_INSERT, true);
}

static int on_first(struct topn_op *op, struct cep_key *key, const struct cep_event *event)
{
    struct topn_state *state = key->state;
    struct cep_ident ident = cep_rowset_ident(event);
    uint32_t place;
    if (state->told)
        return 0;
    if (op->topn->mode == CEP_TOPN_FIRST_NOW) {
        struct cep_row *row = base_arena_alloc(cep_flow_arena(op->op.flow), cep_row_size(event->row));
        if (!row)
            return BASE_E_NOMEM;
        memcpy(row, event->row, cep_row_size(event->row));
        return tell_first(op, key, row, ident);
    }
    uint32_t before = state->rows.count;
    int rc = cep_rowset_add(&state->rows, ident, event->row, compare, op, &place);
    while (!rc && state->rows.count > 1)
        cep_rowset_drop(&state->rows, state->rows.count - 1);
    op->rows += state->rows.count - (uint64_t)before;
    return rc;
}

/* When a key without further rows is forgotten; BASE_TIME_MAX_MS: never. */
static int64_t forgotten_at(const struct topn_op *op, const struct topn_state *state)
{
    int64_t at;
    if (!op->topn->ttl_ms || state->touched_ms == BASE_TIME_MIN_MS || __builtin_add_overflow(state->touched_ms, op->topn->ttl_ms, &at))
        return BASE_TIME_MAX_MS;
    return at;
}

static bool has_expired(const struct topn_op *op, const struct topn_state *state)
{
    int64_t at = forgotten_at(op, state);
    return at != BASE_TIME_MAX_MS && at <= op->op.watermark_ms;
}

static void forget(struct topn_op *op, struct topn_state *state)
{
    op->rows -= state->rows.count;
    while (state->rows.count)
        cep_rowset_drop(&state->rows, state->rows.count - 1);
    state->told = false;
}

/* ---- the operator ---- */

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct topn_op *op = (struct topn_op *)(void *)base;
    if (event->row->change == CEP_UPDATE_BEFORE)
        return 0;
    bool first = op->topn->mode != CEP_TOPN_RANKS;
    if (event->row->change != CEP_INSERT && (first || op->topn->append_only))
        return BASE_E_UNSUPPORTED; /* the planner says which inputs change */
    if (!key->state) {
        struct topn_state *made = base_calloc(1, sizeof *made);
        if (!made)
            return BASE_E_NOMEM;
        made->touched_ms = BASE_TIME_MIN_MS;
        key->state = made;
    }
    struct topn_state *state = key->state;
    if (has_expired(op, state))
        forget(op, state);
    if (event->row->time_ms > state->touched_ms)
        state->touched_ms = event->row->time_ms;
    return first ? on_first(op, key, event) : on_ranks(op, key, event);
}

static int on_wake(struct cep_operator *base, struct cep_key *key)
{
    struct topn_op *op = (struct topn_op *)(void *)base;
    struct topn_state *state = key->state;
    int rc = 0;
    if (op->topn->mode == CEP_TOPN_FIRST_FINAL && !state->told && state->rows.count && cep_rowset_at(&state->rows, 0)->row->time_ms <= base->watermark_ms) {
        struct cep_rowset_entry *entry = cep_rowset_at(&state->rows, 0);
        rc = tell_first(op, key, entry->row, entry->ident);
        cep_rowset_drop(&state->rows, 0);
        op->rows--;
    }
    if (!rc && has_expired(op, state))
        forget(op, state);
    return rc;
}

static int64_t deadline(const struct cep_operator *base, const struct cep_key *key)
{
    const struct topn_op *op = (const struct topn_op *)(const void *)base;
    const struct topn_state *state = key->state;
    if (!state)
        return BASE_TIME_MAX_MS;
    if (op->topn->mode == CEP_TOPN_FIRST_FINAL && !state->told && state->rows.count)
        return cep_rowset_at(&state->rows, 0)->row->time_ms;
    return state->rows.count || state->told ? forgotten_at(op, state) : BASE_TIME_MAX_MS;
}

static bool idle(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct topn_state *state = key->state;
    return !state || (state->rows.count == 0 && !state->told);
}

static void free_state(struct cep_operator *base, struct cep_key *key)
{
    struct topn_op *op = (struct topn_op *)(void *)base;
    struct topn_state *state = key->state;
    if (!state)
        return;
    op->rows -= state->rows.count;
    cep_rowset_finish(&state->rows);
    base_free(state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct topn_state *state = key->state;
    return state ? sizeof *state + cep_rowset_bytes(&state->rows) : 0;
}

/* ---- stored form ---- */

static int save(struct cep_operator *base BASE_UNUSED, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx)
{
    struct topn_state *state = key->state;
    struct base_buf head = { 0 };
    base_buf_put_u8(&head, TOPN_STATE_VERSION);
    base_buf_put_u8(&head, state->told);
    base_buf_put_u64(&head, (uint64_t)state->touched_ms);
    base_buf_put_varint(&head, cep_rowset_pieces(&state->rows));
    int rc = head.failed ? BASE_E_NOMEM : piece(ctx, 0, head.ptr, head.len);
    base_buf_finish(&head);
    return rc ? rc : cep_rowset_save(&state->rows, all, 1, 1, piece, ctx);
}

static int load_head(struct cep_key *key, struct base_reader *in)
{
    uint8_t version = base_read_u8(in), told = base_read_u8(in);
    int64_t touched_ms = (int64_t)base_read_u64(in);
    uint64_t pieces = base_read_varint(in);
    if (in->failed || version != TOPN_STATE_VERSION || told > 1 || pieces > TOPN_PIECES_MAX || in->at != in->end || key->state)
        return BASE_E_CORRUPT;
    struct topn_state *state = base_calloc(1, sizeof *state);
    if (!state)
        return BASE_E_NOMEM;
    *state = (struct topn_state){ .touched_ms = touched_ms, .told = told, .pieces = (uint32_t)pieces };
    state->rows.stored = state->pieces;
    key->state = state;
    return 0;
}

static int load(struct cep_operator *base, struct cep_key *key, uint32_t piece, const void *stored, size_t len)
{
    struct topn_op *op = (struct topn_op *)(void *)base;
    struct topn_state *state = key->state;
    struct base_reader in = base_reader_of(stored, len);
    uint32_t columns;
    if (piece == 0)
        return load_head(key, &in);
    if (!state || piece > state->pieces)
        return BASE_E_CORRUPT;
    const struct cep_type *types = cep_flow_types(base->flow, op->input, &columns);
    uint32_t before = state->rows.count;
    int rc = cep_rowset_load(&state->rows, piece - 1, stored, len, types, columns);
    op->rows += state->rows.count - (uint64_t)before;
    return rc;
}

static int complete(struct cep_operator *base, struct cep_key *key)
{
    struct topn_op *op = (struct topn_op *)(void *)base;
    struct topn_state *state = key->state;
    if (!state)
        return BASE_E_CORRUPT;
    int rc = cep_rowset_complete(&state->rows, compare, op);
    if (!rc && op->topn->mode != CEP_TOPN_RANKS && state->rows.count > (state->told ? 0u : 1u))
        rc = BASE_E_CORRUPT;
    return rc;
}

static void pieces(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key, uint32_t *ret_first, uint32_t *ret_end)
{
    const struct topn_state *state = key->state;
    *ret_first = 1;
    *ret_end = 1 + (state ? cep_rowset_pieces(&state->rows) : 0);
}

static int64_t output_watermark(const struct cep_operator *base, int64_t input_ms)
{
    const struct topn_op *op = (const struct topn_op *)(const void *)base;
    return op->topn->mode != CEP_TOPN_RANKS || input_ms == BASE_TIME_MAX_MS ? input_ms : BASE_TIME_MIN_MS;
}

static void stats(const struct cep_operator *base, struct cep_flow_stats *add)
{
    const struct topn_op *op = (const struct topn_op *)(const void *)base;
    add->keys += base->keyed.count;
    add->state_bytes += base->keyed.bytes;
    add->rows_kept += op->rows;
}

static void destroy(struct cep_operator *base)
{
    struct topn_op *op = (struct topn_op *)(void *)base;
    base_free(op->values);
    base_free(op->columns);
    base_free(op);
}

static const struct cep_operator_ops topn_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = save, .load = load, .complete = complete, .pieces = pieces,
    .free_state = free_state, .bytes = bytes, .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

int cep_topn_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct topn_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &topn_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->program = cep_flow_program(flow);
    const struct cep_node *n = cep_program_node(op->program, node);
    op->topn = cep_program_topn(op->program, n->detail);
    op->input = *cep_program_u32(op->program, n->inputs.first);
    /* The first row is told for good, and another one if the key was forgotten meanwhile: then it is another identity. */
    op->by_rank = op->topn->mode == CEP_TOPN_RANKS && (op->topn->rank_column != CEP_NONE || op->topn->last == 1);
    cep_keyed_init(&op->op.keyed, 0);
    uint32_t columns;
    (void)cep_flow_types(flow, node, &columns);
    op->values = base_calloc(columns + 1, sizeof *op->values);
    op->columns = base_calloc(op->topn->keys.count + 1, sizeof *op->columns);
    *ret = &op->op; /* the flow destroys it, also after a failure below */
    if (!op->values || !op->columns)
        return BASE_E_NOMEM;
    find_columns(op);
    return 0;
}
