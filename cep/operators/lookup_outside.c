/* The join with a table that is asked outside and answers later (env.lookup_later). A row whose answer is known passes at once; another one waits, and all that come
 * behind it wait too, so that rows leave in the order in which they came. What waits holds the output's watermark back and is part of its key's state: a
 * barrier does not wait for a store, and after a restart the rows are asked for anew. At most OUTSIDE_ROWS_MOST rows wait; then the flow does, for the next answer,
 * which the host bounds in time. Shard thread only. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operators/kept.h"
#include "cep/operators/lookup.h"

#define OUTSIDE_STATE_VERSION 1
#define OUTSIDE_ROWS_MOST 4096u
#define OUTSIDE_KEYS_MOST 64u

struct outside_entry {
    struct cep_kept left;
    struct cep_tuple *asked;   /* the table's key; owned; NULL: none is asked for */
    uint64_t turn;
    uint8_t change;
    bool final;
    bool bad;                  /* asked could not be computed, which was told */
};
struct outside_state { struct BASE_VEC(struct outside_entry) entries; }; /* by turn */
/* Whose turn it is: the first entry of a key. */
struct outside_turn {
    uint64_t turn;
    struct cep_key *key;
    bool wanted;               /* the host was told of it */
};
struct outside_op {
    struct cep_operator op;    /* first */
    uint32_t table, key_node;
    struct { struct outside_turn *at; size_t len, cap; } turns;
    size_t head;               /* the first of turns that waits */
    uint64_t next_turn;
    int64_t least_ms;          /* no row that waits is earlier */
    bool stale;                /* least_ms may be too low */
    bool restored;             /* keys came back, or the host forgot: turns may be out of order and not wanted */
};

static struct outside_op *outside_of(struct cep_operator *op) { return (struct outside_op *)(void *)op; }
static const struct outside_op *outside_at(const struct cep_operator *op) { return (const struct outside_op *)(const void *)op; }
static size_t waiting(const struct outside_op *op) { return op->turns.len - op->head; }

/* ---- the queue ---- */

static void entry_finish(struct outside_entry *entry)
{
    cep_kept_finish(&entry->left);
    base_free(entry->asked);
    entry->asked = NULL;
}

/* What the row will ask for, once and for all. */
static int find_asked(struct outside_op *op, struct outside_entry *entry, const struct cep_event *event)
{
    struct cep_tuple *key;
    int64_t as_of_ms;
    if (event->row->change == CEP_SETTLED)
        return 0;
    int rc = cep_lookup_ask(op->op.flow, op->op.node, event, &key, &as_of_ms);
    entry->bad = cep_row_error(rc);
    if (rc)
        return entry->bad ? 0 : rc;
    entry->asked = base_alloc(key->size_bytes);
    if (!entry->asked)
        return BASE_E_NOMEM;
    memcpy(entry->asked, key, key->size_bytes);
    return 0;
}

static int want(struct outside_op *op, struct outside_turn *turn, const struct cep_tuple *asked)
{
    const struct cep_env *env = cep_flow_env(op->op.flow);
    turn->wanted = true;
    return asked && !cep_lookup_no_key(asked) ? env->lookup_want(env->ctx, op->table, asked) : 0;
}

static void add_turn(struct outside_op *op, int64_t time_ms)
{
    if (time_ms < op->least_ms)
        op->least_ms = time_ms;
}

static int push_turn(struct outside_op *op, const struct outside_turn *turn)
{
    if (op->head > 64 && op->head * 2 > op->turns.len) { /* what has left makes room */
        memmove(op->turns.at, op->turns.at + op->head, waiting(op) * sizeof *op->turns.at);
        op->turns.len -= op->head;
        op->head = 0;
    }
    return BASE_VEC_PUSH(&op->turns, *turn) ? 0 : BASE_E_NOMEM;
}

static int enqueue(struct outside_op *op, struct cep_key *key, const struct cep_event *event)
{
    if (!key->state && !(key->state = base_calloc(1, sizeof(struct outside_state))))
        return BASE_E_NOMEM;
    struct outside_state *state = key->state;
    struct outside_entry entry = { .turn = op->next_turn, .change = event->row->change, .final = event->final };
    struct outside_turn turn = { .turn = op->next_turn, .key = key };
    int rc = cep_kept_take(&entry.left, event);
    if (!rc)
        rc = find_asked(op, &entry, event);
    if (!rc)
        rc = want(op, &turn, entry.asked);
    if (!rc && !BASE_VEC_PUSH(&state->entries, entry))
        rc = BASE_E_NOMEM;
    if (rc) {
        entry_finish(&entry);
        return rc;
    }
    op->next_turn++;
    add_turn(op, event->row->time_ms);
    return push_turn(op, &turn);
}

static void drop_first(struct outside_op *op)
{
    struct outside_turn *turn = &op->turns.at[op->head++];
    struct outside_state *state = turn->key->state;
    entry_finish(&state->entries.at[0]);
    memmove(state->entries.at, state->entries.at + 1, --state->entries.len * sizeof *state->entries.at);
    op->stale = true;
    if (waiting(op) == 0) {
        op->turns.len = op->head = 0;
        op->least_ms = BASE_TIME_MAX_MS;
        op->stale = false;
    }
}

/* ---- handing on ---- */

/* The row whose turn it is, if its answer is there. */
static int give_first(struct outside_op *op, bool *ret_given)
{
    struct cep_flow *flow = op->op.flow;
    struct outside_turn *turn = &op->turns.at[op->head];
    struct outside_state *state = turn->key->state;
    struct outside_entry *entry = &state->entries.at[0];
    struct cep_evidence evidence;
    struct cep_event event;
    struct cep_row *row = NULL;
    cep_kept_event(&entry->left, &evidence, &event);
    entry->left.row->change = entry->change;
    event.key = &turn->key->tuple;
    event.key_node = op->key_node;
    event.key_hash = cep_key_hash(&turn->key->tuple);
    event.final = entry->final;
    int rc = entry->bad ? BASE_E_RANGE : entry->asked ? cep_lookup_join(flow, op->op.node, &event, entry->asked, BASE_TIME_MAX_MS, &row) : 0;
    *ret_given = rc != BASE_E_AGAIN;
    if (!*ret_given)
        return 0;
    struct cep_key *key = turn->key;
    rc = entry->change == CEP_SETTLED ? cep_flow_emit(flow, op->op.node, &event) : cep_lookup_pass(flow, op->op.node, &event, rc, row);
    drop_first(op);
    return rc ? rc : cep_flow_key_touched(flow, &op->op, key);
}

static int wait_for_answer(struct outside_op *op)
{
    const struct cep_env *env = cep_flow_env(op->op.flow);
    return env->lookup_wait(env->ctx, op->table);
}

/* Hands on what is answered. alone: no row is under way, temporaries may go. */
static int give_answered(struct outside_op *op, bool alone)
{
    bool given = true, half = false; /* half: the first half of an update is out; the second one must not miss the epoch */
    int rc = 0;
    while (!rc && waiting(op) && (given || half)) {
        if (alone)
            base_arena_reset(cep_flow_arena(op->op.flow));
        const struct outside_turn *turn = &op->turns.at[op->head];
        bool first_half = ((const struct outside_state *)turn->key->state)->entries.at[0].change == CEP_UPDATE_BEFORE;
        rc = give_first(op, &given);
        if (!rc && !given && half)
            rc = wait_for_answer(op);
        if (given)
            half = first_half;
    }
    return rc;
}

static int compare_turns(const void *a, const void *b)
{
    const struct outside_turn *x = a, *y = b;
    return x->turn < y->turn ? -1 : x->turn > y->turn;
}

/* Keys that came back from the store: their rows are put in order; the host is told of all that it does not know of. */
static int take_restored(struct outside_op *op)
{
    int rc = 0;
    if (waiting(op))
        qsort(op->turns.at + op->head, waiting(op), sizeof *op->turns.at, compare_turns);
    for (size_t i = op->head; i < op->turns.len && !rc; i++) {
        struct outside_turn *turn = &op->turns.at[i];
        const struct outside_state *state = turn->key->state;
        for (size_t k = 0; k < state->entries.len && !turn->wanted && !rc; k++)
            if (state->entries.at[k].turn == turn->turn)
                rc = want(op, turn, state->entries.at[k].asked);
    }
    op->restored = rc != 0;
    return rc;
}

void cep_outside_ask_again(struct cep_operator *base)
{
    struct outside_op *op = outside_of(base);
    for (size_t i = op->head; i < op->turns.len; i++)
        op->turns.at[i].wanted = false;
    op->restored = true;
}

int cep_outside_answered(struct cep_operator *base)
{
    struct outside_op *op = outside_of(base);
    base_arena_reset(cep_flow_arena(base->flow));
    int rc = op->restored ? take_restored(op) : 0;
    return rc ? rc : give_answered(op, true);
}

uint64_t cep_outside_waiting(const struct cep_operator *op)
{
    return waiting(outside_at(op));
}

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct outside_op *op = outside_of(base);
    struct cep_flow *flow = base->flow;
    struct cep_event own = *event;
    own.key_node = op->key_node;
    int rc = op->restored ? take_restored(op) : 0;
    if (!rc && waiting(op) == 0) {
        if (event->row->change == CEP_SETTLED)
            return cep_flow_emit(flow, base->node, &own);
        struct cep_tuple *asked;
        struct cep_row *row = NULL;
        int64_t as_of_ms;
        rc = cep_lookup_ask(flow, base->node, &own, &asked, &as_of_ms);
        if (!rc)
            rc = cep_lookup_join(flow, base->node, &own, asked, BASE_TIME_MIN_MS, &row);
        if (rc != BASE_E_AGAIN)
            return cep_lookup_pass(flow, base->node, &own, rc, row);
        rc = 0;
    }
    if (!rc)
        rc = enqueue(op, key, &own);
    while (!rc && waiting(op) >= OUTSIDE_ROWS_MOST) {
        rc = wait_for_answer(op);
        if (!rc)
            rc = give_answered(op, false);
    }
    return rc;
}

/* ---- the operator's other duties ---- */

static int on_wake(struct cep_operator *base BASE_UNUSED, struct cep_key *key BASE_UNUSED) { return 0; }
static int64_t deadline(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key BASE_UNUSED) { return BASE_TIME_MAX_MS; }

static bool idle(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct outside_state *state = key->state;
    return !state || state->entries.len == 0;
}

static bool pinned(const struct cep_operator *base, const struct cep_key *key) { return !idle(base, key); }

static void free_state(struct cep_operator *base BASE_UNUSED, struct cep_key *key)
{
    struct outside_state *state = key->state;
    if (!state)
        return;
    for (size_t i = 0; i < state->entries.len; i++)
        entry_finish(&state->entries.at[i]);
    BASE_VEC_FINISH(&state->entries);
    base_free(state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct outside_state *state = key->state;
    size_t sum = state ? sizeof *state + state->entries.cap * sizeof *state->entries.at : 0;
    for (size_t i = 0; state && i < state->entries.len; i++)
        sum += cep_kept_bytes(&state->entries.at[i].left) + sizeof(struct outside_turn) + (state->entries.at[i].asked ? state->entries.at[i].asked->size_bytes : 0);
    return sum;
}

static int save(struct cep_operator *base BASE_UNUSED, struct cep_key *key, bool all BASE_UNUSED, cep_keyed_piece *piece, void *ctx)
{
    const struct outside_state *state = key->state;
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, OUTSIDE_STATE_VERSION);
    base_buf_put_varint(&buf, state->entries.len);
    for (size_t i = 0; i < state->entries.len; i++) {
        const struct outside_entry *entry = &state->entries.at[i];
        base_buf_put_u64(&buf, entry->turn);
        base_buf_put_u8(&buf, entry->change);
        base_buf_put_u8(&buf, (uint8_t)(entry->final | entry->bad << 1));
        base_buf_put_bytes(&buf, entry->asked ? (const void *)entry->asked : "", entry->asked ? entry->asked->size_bytes : 0);
        uint8_t change = entry->left.row->change;
        entry->left.row->change = CEP_INSERT;
        cep_kept_save(&entry->left, &buf);
        entry->left.row->change = change;
    }
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

/* The table's key, as it was asked for. */
static int load_asked(const struct outside_op *op, struct base_reader *in, struct cep_tuple **ret)
{
    const struct cep_program *p = cep_flow_program(op->op.flow);
    const struct cep_table *table = cep_program_table(p, op->table);
    struct base_str bytes = base_read_bytes(in);
    struct cep_type types[OUTSIDE_KEYS_MOST];
    if (in->failed || table->key_fields.count > OUTSIDE_KEYS_MOST)
        return BASE_E_CORRUPT;
    if (bytes.len == 0)
        return 0;
    for (uint32_t i = 0; i < table->key_fields.count; i++)
        types[i] = cep_program_field(p, table->fields.first + *cep_program_u32(p, table->key_fields.first + i))->type;
    *ret = base_alloc(bytes.len);
    if (!*ret)
        return BASE_E_NOMEM;
    memcpy(*ret, bytes.ptr, bytes.len);
    return cep_tuple_valid(*ret, bytes.len, types, table->key_fields.count) ? 0 : BASE_E_CORRUPT;
}

static int load_entry(struct outside_op *op, struct cep_key *key, struct base_reader *in)
{
    const struct cep_program *p = cep_flow_program(op->op.flow);
    struct outside_state *state = key->state;
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(op->op.flow, *cep_program_u32(p, cep_program_node(p, op->op.node)->inputs.first), &columns);
    struct outside_entry entry = { .turn = base_read_u64(in) };
    entry.change = base_read_u8(in);
    uint8_t flags = base_read_u8(in);
    uint64_t before = state->entries.len ? state->entries.at[state->entries.len - 1].turn : 0;
    bool good = entry.change <= CEP_SETTLED && flags <= 3 && entry.turn < UINT64_MAX && (!state->entries.len || entry.turn > before);
    entry.final = flags & 1;
    entry.bad = flags & 2;
    int rc = in->failed || !good ? BASE_E_CORRUPT : load_asked(op, in, &entry.asked);
    if (!rc)
        rc = cep_kept_load(p, in, types, columns, &entry.left);
    if (!rc && !entry.left.row)
        rc = BASE_E_CORRUPT;
    if (!rc && !BASE_VEC_PUSH(&state->entries, entry))
        rc = BASE_E_NOMEM;
    if (rc) {
        entry_finish(&entry);
        return rc;
    }
    const struct outside_turn turn = { .turn = entry.turn, .key = key };
    if (entry.turn >= op->next_turn)
        op->next_turn = entry.turn + 1;
    add_turn(op, entry.left.row->time_ms);
    op->restored = true;
    return push_turn(op, &turn);
}

static int load(struct cep_operator *base, struct cep_key *key, uint32_t piece, const void *from, size_t len)
{
    struct base_reader in = base_reader_of(from, len);
    uint8_t version = base_read_u8(&in);
    if (in.failed || piece != 0 || key->state)
        return BASE_E_CORRUPT;
    if (version != OUTSIDE_STATE_VERSION)
        return BASE_E_VERSION;
    if (!(key->state = base_calloc(1, sizeof(struct outside_state))))
        return BASE_E_NOMEM;
    uint64_t count = base_read_varint(&in);
    int rc = 0;
    for (uint64_t i = 0; i < count && !rc && !in.failed; i++)
        rc = load_entry(outside_of(base), key, &in);
    return rc ? rc : in.failed || in.at != in.end ? BASE_E_CORRUPT : 0;
}

static int64_t output_watermark(const struct cep_operator *base, int64_t input_ms)
{
    struct outside_op *op = (struct outside_op *)(uintptr_t)base;
    if (op->stale) {
        op->least_ms = BASE_TIME_MAX_MS;
        for (size_t i = op->head; i < op->turns.len; i++) {
            const struct outside_state *state = op->turns.at[i].key->state; /* of each key all entries, at its first turn or another */
            for (size_t k = 0; k < state->entries.len && state->entries.at[0].turn == op->turns.at[i].turn; k++)
                add_turn(op, state->entries.at[k].left.row->time_ms);
        }
        op->stale = false;
    }
    return cep_kept_watermark(op->least_ms, input_ms);
}

static void stats(const struct cep_operator *base, struct cep_flow_stats *add)
{
    add->keys += base->keyed.count;
    add->state_bytes += base->keyed.bytes;
    add->rows_waiting += waiting(outside_at(base));
}

static void destroy(struct cep_operator *base)
{
    struct outside_op *op = outside_of(base);
    BASE_VEC_FINISH(&op->turns);
    base_free(op);
}

static const struct cep_operator_ops outside_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .pinned = pinned, .save = save, .load = load,
    .free_state = free_state, .bytes = bytes, .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

int cep_outside_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct outside_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    const struct cep_program *p = cep_flow_program(flow);
    op->op = (struct cep_operator){ .ops = &outside_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->table = cep_program_lookup(p, cep_program_node(p, node)->detail)->table;
    op->key_node = cep_lookup_key_node(p, node);
    op->least_ms = BASE_TIME_MAX_MS;
    cep_keyed_init(&op->op.keyed, 0);
    *ret = &op->op; /* the flow destroys it, also after a failure below */
    return 0;
}
