/* Joins of two inputs with equal keys. Interval join: both inputs are streams whose times are at most so far apart; each row is kept until the watermark says
 * that no partner can come, and what an outer join owes for a row without partner is given then. Regular join: rows are kept (for ttl_ms), changes of either
 * side change the result, and a row without partner is taken back when one comes. Rows of a side stand in order of time, so partners are found by binary
 * search and what is over stands in front. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operator.h"
#include "cep/rowset.h"

#define JOIN_STATE_VERSION 1
#define JOIN_PIECES_MAX 65536u

struct join_state {
    struct cep_rowset side[2];  /* mark: partners that the row has had (interval: 0 or 1) */
    uint32_t pieces;            /* of the longer side, as the head that was loaded says */
};
struct join_op {
    struct cep_operator op; /* first */
    const struct cep_program *program;
    const struct cep_join *join;
    uint32_t input[2];      /* nodes */
    uint32_t width[2];      /* their columns */
    const struct cep_type *types[2];
    struct cep_value *values; /* scratch: columns left ++ right */
    uint64_t rows;          /* kept in memory */
};

static bool is_outer(const struct join_op *op, unsigned side)
{
    return op->join->outer & (side == 0 ? CEP_JOIN_OUTER_LEFT : CEP_JOIN_OUTER_RIGHT);
}

/* ---- joined rows ---- */

/* A row and the identity under which it is kept. */
struct half { const struct cep_row *row; struct cep_ident ident; };

/* left, right: one of them may have no row. */
static int make_row(struct join_op *op, const struct cep_row *left, const struct cep_row *right, struct cep_row **ret)
{
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(op->op.flow, op->op.node, &columns);
    const struct cep_row *rows[2] = { left, right };
    for (unsigned side = 0, at = 0; side < 2; side++)
        for (uint32_t i = 0; i < op->width[side]; i++)
            op->values[at++] = rows[side] ? cep_tuple_get(&rows[side]->tuple, i, op->types[side][i]) : cep_null();
    const struct cep_row *latest = !left || (right && cep_row_compare(left, right) < 0) ? right : left;
    int64_t time_ms = latest->time_ms;
    if (op->join->time == CEP_JOIN_TIME_LEFT && left)
        time_ms = left->time_ms;
    if (op->join->time == CEP_JOIN_TIME_RIGHT && right)
        time_ms = right->time_ms;
    return cep_row_make(types, op->values, columns, time_ms, latest->at, cep_flow_arena(op->op.flow), ret);
}

/* The joined row if the rest of the condition holds; *ret NULL: it does not. */
static int match(struct join_op *op, const struct cep_row *left, const struct cep_row *right, const struct cep_event *event, struct cep_row **ret)
{
    uint32_t columns;
    bool holds = true;
    int rc = make_row(op, left, right, ret);
    if (rc || op->join->filter == CEP_NONE)
        return rc;
    struct cep_frame frame = { .row = &(*ret)->tuple, .row_time_ms = (*ret)->time_ms, .arena = cep_flow_arena(op->op.flow) };
    frame.row_types = cep_flow_types(op->op.flow, op->op.node, &columns);
    rc = cep_expr_test(cep_flow_expr(op->op.flow), op->join->filter, &frame, &holds);
    if (rc == BASE_E_NOMEM)
        return rc;
    if (rc)
        cep_flow_report(op->op.flow, CEP_REPORT_ERROR, op->op.node, rc, op->join->filter, event);
    if (rc || !holds)
        *ret = NULL;
    return 0;
}

static int send(struct join_op *op, const struct cep_key *key, struct cep_row *row, struct cep_ident ident, enum cep_change change)
{
    row->change = (uint8_t)change;
    struct cep_event event = { .row = row, .key = &key->tuple, .key_node = op->op.node, .key_hash = cep_key_hash(&key->tuple), .ident = ident,
                               .final = op->join->interval, .first_time_ms = row->time_ms, .last_time_ms = row->time_ms, .first_at = row->at };
    return cep_flow_emit(op->op.flow, op->op.node, &event);
}

static struct cep_ident pair_ident(unsigned side, struct cep_ident own, struct cep_ident other)
{
    return side == 0 ? cep_ident_join(own, other) : cep_ident_join(other, own);
}

/* The row of `side` without partner. */
static int send_alone(struct join_op *op, const struct cep_key *key, unsigned side, struct half own, enum cep_change change)
{
    struct cep_row *row;
    int rc = make_row(op, side == 0 ? own.row : NULL, side == 0 ? NULL : own.row, &row);
    return rc ? rc : send(op, key, row, pair_ident(side, own.ident, (struct cep_ident){ 0, 1 }), change);
}

static bool has_null(const struct cep_key *key)
{
    for (uint32_t i = 0; i < key->tuple.columns; i++)
        if (cep_tuple_is_null(&key->tuple, i))
            return true;
    return false;
}

/* ---- interval join ---- */

static int64_t add_time(int64_t time_ms, int64_t ms)
{
    int64_t sum;
    if (time_ms == BASE_TIME_MIN_MS || time_ms == BASE_TIME_MAX_MS)
        return time_ms;
    if (__builtin_add_overflow(time_ms, ms, &sum))
        return ms < 0 ? BASE_TIME_MIN_MS + 1 : BASE_TIME_MAX_MS - 1;
    return sum;
}

/* From this watermark on no partner of the row can come. */
static int64_t over_at(const struct join_op *op, unsigned side, const struct cep_row *row)
{
    if (!op->join->interval)
        return op->join->ttl_ms && row->time_ms != BASE_TIME_MIN_MS ? add_time(row->time_ms, op->join->ttl_ms) : BASE_TIME_MAX_MS;
    return side == 0 ? add_time(row->time_ms, -op->join->lo_ms) : add_time(row->time_ms, op->join->hi_ms);
}

/* First place whose row is at or behind a time. */
static uint32_t place_at(const struct cep_rowset *set, int64_t time_ms)
{
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cep_rowset_at(set, middle)->row->time_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The oldest row of a side leaves. */
static int leave(struct join_op *op, struct cep_key *key, unsigned side)
{
    struct join_state *state = key->state;
    const struct cep_rowset_entry *entry = cep_rowset_at(&state->side[side], 0);
    int rc = 0;
    if (op->join->interval && is_outer(op, side) && entry->mark == 0)
        rc = send_alone(op, key, side, (struct half){ entry->row, entry->ident }, CEP_INSERT);
    cep_rowset_drop(&state->side[side], 0);
    op->rows--;
    return rc;
}

static int keep(struct join_op *op, struct cep_key *key, unsigned side, const struct cep_event *event, struct cep_ident ident, uint32_t partners)
{
    struct join_state *state = key->state;
    uint32_t place;
    int rc = 0;
    if (state->side[side].count >= cep_flow_limits(op->op.flow)->rows_per_key) {
        cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, event);
        rc = leave(op, key, side);
    }
    if (!rc)
        rc = cep_rowset_add(&state->side[side], ident, event->row, NULL, NULL, &place);
    if (rc)
        return rc;
    cep_rowset_at(&state->side[side], place)->mark = partners;
    op->rows++;
    return 0;
}

static int on_interval(struct join_op *op, struct cep_key *key, const struct cep_event *event)
{
    struct join_state *state = key->state;
    unsigned side = event->input;
    struct cep_rowset *others = &state->side[1 - side];
    const struct cep_row *row = event->row;
    struct cep_ident ident = cep_rowset_ident(event);
    int64_t from = side == 0 ? add_time(row->time_ms, -op->join->hi_ms) : add_time(row->time_ms, op->join->lo_ms);
    int64_t to = side == 0 ? add_time(row->time_ms, -op->join->lo_ms) : add_time(row->time_ms, op->join->hi_ms);
    uint32_t partners = 0;
    bool null = has_null(key);
    int rc = 0;
    for (uint32_t i = null ? others->count : place_at(others, from); i < others->count && !rc; i++) {
        struct cep_rowset_entry *other = cep_rowset_at(others, i);
        struct cep_row *joined;
        if (other->row->time_ms > to)
            break;
        rc = match(op, side == 0 ? row : other->row, side == 0 ? other->row : row, event, &joined);
        if (rc || !joined)
            continue;
        partners = 1;
        if (other->mark == 0) {
            other->mark = 1;
            cep_rowset_touch(others, other);
        }
        rc = send(op, key, joined, pair_ident(side, ident, other->ident), CEP_INSERT);
    }
    if (rc)
        return rc;
    if (null || over_at(op, side, row) <= op->op.watermark_ms)
        return is_outer(op, side) && partners == 0 ? send_alone(op, key, side, (struct half){ row, ident }, CEP_INSERT) : 0;
    return keep(op, key, side, event, ident, partners);
}

/* ---- regular join ---- */

/* A change of one row on its way. */
struct change {
    struct join_op *op;
    struct cep_key *key;
    const struct cep_event *event;
    unsigned side;
    struct cep_ident ident;
    const struct cep_row *before, *after; /* NULL: none */
    uint32_t had, has;                    /* partners */
};

/* The joined row with another one, as it was or is; *ret NULL: none. */
static int joined_with(const struct change *c, const struct cep_row *own, const struct cep_row *other, struct cep_row **ret)
{
    *ret = NULL;
    return own ? match(c->op, c->side == 0 ? own : other, c->side == 0 ? other : own, c->event, ret) : 0;
}

static int change_pair(const struct change *c, struct cep_row *was, struct cep_row *is, struct cep_ident ident)
{
    if (was && is) {
        if (cep_tuple_equal(&was->tuple, &is->tuple))
            return 0;
        int rc = send(c->op, c->key, was, ident, CEP_UPDATE_BEFORE);
        return rc ? rc : send(c->op, c->key, is, ident, CEP_UPDATE_AFTER);
    }
    if (was)
        return send(c->op, c->key, was, ident, CEP_DELETE);
    return is ? send(c->op, c->key, is, ident, CEP_INSERT) : 0;
}

static int change_with(struct change *c, struct cep_rowset *others, struct cep_rowset_entry *other)
{
    const struct half half = { other->row, other->ident };
    unsigned side = 1 - c->side;
    struct cep_row *was, *is;
    int rc = joined_with(c, c->before, other->row, &was);
    if (!rc)
        rc = joined_with(c, c->after, other->row, &is);
    if (rc || (!was && !is))
        return rc;
    c->has += is != NULL;
    uint32_t mark = other->mark + (is != NULL) - (was != NULL && other->mark > 0);
    bool alone = is_outer(c->op, side) && other->mark == 0, now_alone = is_outer(c->op, side) && mark == 0;
    if (mark != other->mark) {
        other->mark = mark;
        cep_rowset_touch(others, other);
    }
    if (alone && !now_alone)
        rc = send_alone(c->op, c->key, side, half, CEP_DELETE);
    if (!rc)
        rc = change_pair(c, was, is, pair_ident(c->side, c->ident, other->ident));
    if (!rc && now_alone && !alone)
        rc = send_alone(c->op, c->key, side, half, CEP_INSERT);
    return rc;
}

/* Does the new row have a partner? Known before anything is told: a row that stands alone is taken back before its first pair comes. */
static int find_partner(const struct change *c, struct cep_rowset *others, bool *ret)
{
    *ret = false;
    for (uint32_t i = 0; i < others->count && c->after && !*ret; i++) {
        struct cep_row *joined;
        int rc = joined_with(c, c->after, cep_rowset_at(others, i)->row, &joined);
        if (rc)
            return rc;
        *ret = joined != NULL;
    }
    return 0;
}

static int tell_change(struct change *c)
{
    struct join_state *state = c->key->state;
    struct cep_rowset *others = &state->side[1 - c->side];
    bool outer = is_outer(c->op, c->side), null = has_null(c->key), partner = false;
    int rc = outer && !null ? find_partner(c, others, &partner) : 0;
    bool was_alone = outer && c->before && c->had == 0, is_alone = outer && c->after && !partner;
    if (!rc && was_alone && !is_alone)
        rc = send_alone(c->op, c->key, c->side, (struct half){ c->before, c->ident }, CEP_DELETE);
    for (uint32_t i = 0; i < others->count && !rc && !null; i++)
        rc = change_with(c, others, cep_rowset_at(others, i));
    if (rc || !is_alone)
        return rc;
    if (!was_alone)
        return send_alone(c->op, c->key, c->side, (struct half){ c->after, c->ident }, CEP_INSERT);
    if (cep_tuple_equal(&c->before->tuple, &c->after->tuple))
        return 0;
    rc = send_alone(c->op, c->key, c->side, (struct half){ c->before, c->ident }, CEP_UPDATE_BEFORE);
    return rc ? rc : send_alone(c->op, c->key, c->side, (struct half){ c->after, c->ident }, CEP_UPDATE_AFTER);
}

static int on_regular(struct join_op *op, struct cep_key *key, const struct cep_event *event)
{
    struct join_state *state = key->state;
    struct cep_rowset *own = &state->side[event->input];
    bool arrives = event->row->change != CEP_DELETE;
    struct change c = { .op = op, .key = key, .event = event, .side = event->input, .ident = cep_rowset_ident(event), .after = arrives ? event->row : NULL };
    struct cep_row *gone = NULL;
    uint32_t slot;
    if (cep_rowset_find(own, c.ident, &slot)) {
        c.had = own->entries[slot].mark;
        gone = cep_rowset_take(own, cep_rowset_place(own, slot, NULL, NULL));
        op->rows--;
    } else if (!arrives) {
        return 0; /* forgotten */
    }
    c.before = gone;
    int rc = tell_change(&c);
    if (!rc && arrives)
        rc = keep(op, key, c.side, event, c.ident, c.has);
    base_free(gone);
    return rc;
}

/* ---- the operator ---- */

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct join_op *op = (struct join_op *)(void *)base;
    if (event->row->change == CEP_UPDATE_BEFORE)
        return 0;
    if (op->join->interval && event->row->change != CEP_INSERT)
        return BASE_E_UNSUPPORTED; /* the planner says which inputs change */
    if (!key->state && !(key->state = base_calloc(1, sizeof(struct join_state))))
        return BASE_E_NOMEM;
    return op->join->interval ? on_interval(op, key, event) : on_regular(op, key, event);
}

static int64_t first_over(const struct join_op *op, const struct join_state *state, unsigned side)
{
    const struct cep_rowset *set = &state->side[side];
    return set->count ? over_at(op, side, cep_rowset_at(set, 0)->row) : BASE_TIME_MAX_MS;
}

static int on_wake(struct cep_operator *base, struct cep_key *key)
{
    struct join_op *op = (struct join_op *)(void *)base;
    struct join_state *state = key->state;
    int rc = 0;
    for (unsigned side = 0; side < 2; side++)
        while (!rc && state->side[side].count && first_over(op, state, side) <= base->watermark_ms &&
               (op->join->interval || first_over(op, state, side) != BASE_TIME_MAX_MS))
            rc = leave(op, key, side);
    return rc;
}

static int64_t deadline(const struct cep_operator *base, const struct cep_key *key)
{
    const struct join_op *op = (const struct join_op *)(const void *)base;
    const struct join_state *state = key->state;
    if (!state)
        return BASE_TIME_MAX_MS;
    int64_t left = first_over(op, state, 0), right = first_over(op, state, 1);
    return left < right ? left : right;
}

static bool idle(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct join_state *state = key->state;
    return !state || (state->side[0].count == 0 && state->side[1].count == 0);
}

static void free_state(struct cep_operator *base, struct cep_key *key)
{
    struct join_op *op = (struct join_op *)(void *)base;
    struct join_state *state = key->state;
    for (unsigned side = 0; state && side < 2; side++) {
        op->rows -= state->side[side].count;
        cep_rowset_finish(&state->side[side]);
    }
    base_free(state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct join_state *state = key->state;
    return state ? sizeof *state + cep_rowset_bytes(&state->side[0]) + cep_rowset_bytes(&state->side[1]) : 0;
}

/* ---- stored form: pieces 1, 3, 5, ... hold the left side, 2, 4, 6, ... the right one ---- */

static uint32_t longer(const struct join_state *state)
{
    uint32_t left = cep_rowset_pieces(&state->side[0]), right = cep_rowset_pieces(&state->side[1]);
    return left > right ? left : right;
}

static int save(struct cep_operator *base BASE_UNUSED, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx)
{
    struct join_state *state = key->state;
    struct base_buf head = { 0 };
    base_buf_put_u8(&head, JOIN_STATE_VERSION);
    base_buf_put_varint(&head, longer(state));
    int rc = head.failed ? BASE_E_NOMEM : piece(ctx, 0, head.ptr, head.len);
    base_buf_finish(&head);
    for (unsigned side = 0; side < 2 && !rc; side++)
        rc = cep_rowset_save(&state->side[side], all, 1 + side, 2, piece, ctx);
    return rc;
}

static int load(struct cep_operator *base, struct cep_key *key, uint32_t piece, const void *stored, size_t len)
{
    struct join_op *op = (struct join_op *)(void *)base;
    struct join_state *state = key->state;
    struct base_reader in = base_reader_of(stored, len);
    if (piece > 0) {
        unsigned side = 1 - piece % 2;
        if (!state || (piece - 1) / 2 >= state->pieces)
            return BASE_E_CORRUPT;
        uint32_t before = state->side[side].count;
        int rc = cep_rowset_load(&state->side[side], (piece - 1) / 2, stored, len, op->types[side], op->width[side]);
        op->rows += state->side[side].count - (uint64_t)before;
        return rc;
    }
    uint8_t version = base_read_u8(&in);
    uint64_t pieces = base_read_varint(&in);
    if (in.failed || version != JOIN_STATE_VERSION || pieces > JOIN_PIECES_MAX || in.at != in.end || state)
        return BASE_E_CORRUPT;
    key->state = state = base_calloc(1, sizeof *state);
    if (!state)
        return BASE_E_NOMEM;
    state->pieces = state->side[0].stored = state->side[1].stored = (uint32_t)pieces;
    return 0;
}

static int complete(struct cep_operator *base BASE_UNUSED, struct cep_key *key)
{
    struct join_state *state = key->state;
    int rc = state ? 0 : BASE_E_CORRUPT;
    for (unsigned side = 0; side < 2 && !rc; side++)
        rc = cep_rowset_complete(&state->side[side], NULL, NULL);
    return rc;
}

static void pieces(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key, uint32_t *ret_first, uint32_t *ret_end)
{
    const struct join_state *state = key->state;
    *ret_first = 1;
    *ret_end = 1 + (state ? 2 * longer(state) : 0);
}

/* What it may still give lies behind the result: pairs of a kept row and one to come, rows that turn out to be alone. */
static int64_t output_watermark(const struct cep_operator *base, int64_t input_ms)
{
    const struct join_op *op = (const struct join_op *)(const void *)base;
    if (input_ms == BASE_TIME_MAX_MS || !op->join->interval)
        return input_ms == BASE_TIME_MAX_MS ? input_ms : BASE_TIME_MIN_MS;
    int64_t back = 0;
    if (op->join->time != CEP_JOIN_TIME_RIGHT && op->join->lo_ms < back)
        back = op->join->lo_ms;
    if (op->join->time != CEP_JOIN_TIME_LEFT && -op->join->hi_ms < back)
        back = -op->join->hi_ms;
    return add_time(input_ms, back);
}

static void stats(const struct cep_operator *base, struct cep_flow_stats *add)
{
    const struct join_op *op = (const struct join_op *)(const void *)base;
    add->keys += base->keyed.count;
    add->state_bytes += base->keyed.bytes;
    add->rows_kept += op->rows;
}

static void destroy(struct cep_operator *base)
{
    struct join_op *op = (struct join_op *)(void *)base;
    base_free(op->values);
    base_free(op);
}

static const struct cep_operator_ops join_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = save, .load = load, .complete = complete, .pieces = pieces,
    .free_state = free_state, .bytes = bytes, .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

int cep_join_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct join_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &join_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->program = cep_flow_program(flow);
    const struct cep_node *n = cep_program_node(op->program, node);
    op->join = cep_program_join(op->program, n->detail);
    for (uint32_t side = 0; side < 2; side++) {
        op->input[side] = *cep_program_u32(op->program, n->inputs.first + side);
        op->types[side] = cep_flow_types(flow, op->input[side], &op->width[side]);
    }
    cep_keyed_init(&op->op.keyed, 0);
    op->values = base_calloc(op->width[0] + op->width[1] + 1, sizeof *op->values);
    *ret = &op->op; /* the flow destroys it, also after a failure below */
    return op->values ? 0 : BASE_E_NOMEM;
}
