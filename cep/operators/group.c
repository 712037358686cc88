/* Group aggregate. Each row changes its group's cells; rows that are taken back (updates and deletes of the input) are taken out of them. Eager: after each row
 * the group's row is told if it changed, as insert, update or delete. Final: one row per group once the input has ended. With a TTL a group that no
 * row came to for so long is forgotten, silently, as nothing more is known of it. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operators/fold.h"

#define GROUP_STATE_VERSION 1

struct group_state {
    bool given;              /* it is over: its row was given out, or its time is up */
    int64_t rows;            /* rows in it, less those taken back */
    int64_t last_ms;         /* greatest time of a row; BASE_TIME_MIN_MS: none */
    struct cep_row *told;    /* eager: what stands outside; owned */
    struct cep_agg_cell cells[];
};
struct group_op {
    struct cep_operator op; /* first */
    const struct cep_group *group;
    struct cep_fold fold;
};

static struct group_op *group_of(struct cep_operator *op) { return (struct group_op *)(void *)op; }

static struct group_state *make_state(const struct group_op *op)
{
    struct group_state *state = base_calloc(1, sizeof *state + op->group->aggs.count * sizeof state->cells[0]);
    if (state)
        state->last_ms = BASE_TIME_MIN_MS;
    return state;
}

static struct cep_fold_tell tell_of(const struct group_op *op, struct cep_key *key)
{
    const struct group_state *state = key->state;
    return (struct cep_fold_tell){ .key = key, .ident = cep_fold_ident(&key->tuple, 0, 0), .final = op->group->eager != 1,
                                   .first_ms = state->last_ms, .last_ms = state->last_ms };
}

/* The group's row as it is now; NULL: none. */
static int row_of(struct group_op *op, struct cep_key *key, struct cep_position at, struct cep_row **ret)
{
    struct group_state *state = key->state;
    bool good;
    *ret = NULL;
    if (op->group->eager && state->rows <= 0)
        return 0;
    int rc = cep_fold_results(&op->fold, state->cells, &good);
    if (rc || !good)
        return rc;
    const struct cep_fold_parts parts = { .key = &key->tuple };
    return cep_fold_row(&op->fold, &parts, state->last_ms, at, ret);
}

static void free_state(struct cep_operator *base, struct cep_key *key);

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct group_op *op = group_of(base);
    uint8_t change = event->row->change;
    bool takes = change == CEP_UPDATE_BEFORE || change == CEP_DELETE, good;
    int rc = cep_fold_arguments(&op->fold, event, &good);
    if (rc || !good)
        return rc;
    struct group_state *state = key->state;
    if (state && state->given)
        free_state(base, key); /* forgotten: a new group of that key */
    if (!key->state && !(key->state = make_state(op)))
        return BASE_E_NOMEM;
    state = key->state;
    struct cep_agg_order order = cep_fold_order(event->row, event->row->time_ms);
    rc = takes ? cep_fold_take(&op->fold, 0, op->fold.aggs.count, state->cells, op->fold.args, &order)
               : cep_fold_add(&op->fold, 0, op->fold.aggs.count, state->cells, op->fold.args, &order);
    if (rc)
        return rc;
    if (event->times > 1) /* only where nothing is taken back */
        rc = cep_fold_add_times(&op->fold, state->cells, event->times - 1, &order);
    if (rc)
        return rc;
    state->rows += takes ? -1 : event->times > 1 ? (int64_t)event->times : 1;
    if (event->row->time_ms > state->last_ms)
        state->last_ms = event->row->time_ms;
    if (!op->group->eager || change == CEP_UPDATE_BEFORE) /* the update's other half follows */
        return 0;
    struct cep_row *now;
    rc = row_of(op, key, event->row->at, &now);
    if (rc)
        return rc;
    const struct cep_fold_tell tell = tell_of(op, key);
    return cep_fold_differ(&op->fold, &tell, &state->told, now);
}

static int64_t deadline(const struct cep_operator *base, const struct cep_key *key)
{
    const struct group_op *op = (const struct group_op *)(const void *)base;
    const struct group_state *state = key->state;
    if (!state || state->given)
        return BASE_TIME_MAX_MS;
    int64_t ttl = op->group->ttl_ms, end = BASE_TIME_MAX_MS - 1;
    if (ttl == 0 || state->last_ms == BASE_TIME_MIN_MS || state->last_ms > end - ttl)
        return end;
    return state->last_ms + ttl;
}

static int on_wake(struct cep_operator *base, struct cep_key *key)
{
    struct group_op *op = group_of(base);
    struct group_state *state = key->state;
    if (!state || state->given)
        return 0;
    state->given = true;
    struct cep_fold_tell tell = tell_of(op, key);
    if (op->group->eager)
        return tell.final ? 0 : cep_fold_settle(&op->fold, &tell, state->told);
    if (base->watermark_ms != BASE_TIME_MAX_MS || (state->rows <= 0 && !op->group->opens))
        return 0;
    struct cep_row *row;
    int rc = row_of(op, key, (struct cep_position){ 0 }, &row);
    return rc || !row ? rc : cep_fold_tell(&op->fold, &tell, row, CEP_INSERT);
}

static bool idle(const struct cep_operator *base, const struct cep_key *key)
{
    const struct group_op *op = (const struct group_op *)(const void *)base;
    const struct group_state *state = key->state;
    return !state || state->given || (op->group->eager && state->rows == 0 && !state->told);
}

static void free_state(struct cep_operator *base, struct cep_key *key)
{
    struct group_op *op = group_of(base);
    struct group_state *state = key->state;
    if (state) {
        cep_fold_clear(&op->fold, 0, op->fold.aggs.count, state->cells);
        base_free(state->told);
    }
    base_free(state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *base, const struct cep_key *key)
{
    const struct group_op *op = (const struct group_op *)(const void *)base;
    const struct group_state *state = key->state;
    return state ? sizeof *state + cep_fold_bytes(&op->fold, op->fold.aggs.count, state->cells) + (state->told ? cep_row_size(state->told) : 0) : 0;
}

static int save(struct cep_operator *base, struct cep_key *key, bool all BASE_UNUSED, cep_keyed_piece *piece, void *ctx)
{
    struct group_op *op = group_of(base);
    const struct group_state *state = key->state;
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, GROUP_STATE_VERSION);
    base_buf_put_u64(&buf, (uint64_t)state->rows);
    base_buf_put_u64(&buf, (uint64_t)state->last_ms);
    cep_kept_save_row(state->told, &buf);
    cep_fold_save(&op->fold, 0, op->fold.aggs.count, state->cells, &buf);
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

static int load(struct cep_operator *base, struct cep_key *key, uint32_t piece, const void *from, size_t len)
{
    struct group_op *op = group_of(base);
    struct base_reader in = base_reader_of(from, len);
    uint8_t version = base_read_u8(&in);
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(base->flow, base->node, &columns);
    if (in.failed || piece != 0)
        return BASE_E_CORRUPT;
    if (version != GROUP_STATE_VERSION)
        return BASE_E_VERSION;
    free_state(base, key); /* the only group of an aggregate without keys is there already */
    struct group_state *state = key->state = make_state(op);
    if (!state)
        return BASE_E_NOMEM;
    state->rows = (int64_t)base_read_u64(&in);
    state->last_ms = (int64_t)base_read_u64(&in);
    int rc = cep_kept_load_row(&in, types, columns, &state->told);
    if (!rc)
        rc = cep_fold_load(&op->fold, 0, op->fold.aggs.count, &in, state->cells);
    return rc ? rc : in.failed || in.at != in.end ? BASE_E_CORRUPT : 0;
}

static int64_t output_watermark(const struct cep_operator *base, int64_t input_ms)
{
    const struct group_op *op = (const struct group_op *)(const void *)base;
    return input_ms == BASE_TIME_MAX_MS || op->group->eager ? input_ms : BASE_TIME_MIN_MS;
}

static void stats(const struct cep_operator *op, struct cep_flow_stats *add_to)
{
    add_to->keys += op->keyed.count;
    add_to->state_bytes += op->keyed.bytes;
}

static void destroy(struct cep_operator *base)
{
    cep_fold_finish(&group_of(base)->fold);
    base_free(base);
}

static const struct cep_operator_ops group_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = save, .load = load, .free_state = free_state, .bytes = bytes,
    .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

/* The one group of a bounded aggregate without keys is there from the start. */
static int open_only_group(struct group_op *op)
{
    uint64_t room[2] = { 0, 0 };
    struct cep_tuple *empty = (struct cep_tuple *)(void *)room;
    struct cep_key *key;
    bool added;
    cep_tuple_write(NULL, NULL, 0, empty);
    int rc = cep_keyed_get(&op->op.keyed, empty, &key, &added);
    if (rc)
        return rc;
    key->state = make_state(op);
    return key->state ? cep_keyed_arm(&op->op.keyed, key, BASE_TIME_MAX_MS - 1) : BASE_E_NOMEM;
}

int cep_group_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct group_op *op = base_calloc(1, sizeof *op);
    const struct cep_program *p = cep_flow_program(flow);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &group_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->group = cep_program_group(p, cep_program_node(p, node)->detail);
    cep_keyed_init(&op->op.keyed, 0);
    *ret = &op->op; /* the flow destroys it, also after a failure below */
    int rc = cep_fold_init(&op->fold, flow, node, op->group->aggs, op->group->outs);
    return !rc && op->group->opens ? open_only_group(op) : rc;
}
