/* The rows of a table as its records of change leave them: TOPN of mode CEP_TOPN_LATEST, one row per PRIMARY KEY. A record that is a row puts it in the place of
 * the one that stood, a DELETE ends it; both are told as a changelog whose identity is the key. What a record says was there before does not count: only what
 * was told is taken back, so that records which come twice, an update without its first image or a deletion of what never was leave every reader right.
 * The order is that of the log, and no row is late: a change left out would leave the table wrong for good. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operators/fold.h"

#define LATEST_STATE_VERSION 1

struct latest_state {
    struct cep_row *told;    /* what stands; owned */
};
struct latest_op {
    struct cep_operator op;  /* first */
    struct cep_fold fold;    /* without aggregates */
};

static struct latest_op *latest_of(struct cep_operator *op) { return (struct latest_op *)(void *)op; }

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    uint8_t change = event->row->change;
    if (change == CEP_UPDATE_BEFORE)
        return 0;
    if (!key->state && !(key->state = base_calloc(1, sizeof(struct latest_state))))
        return BASE_E_NOMEM;
    struct latest_state *state = key->state;
    const struct cep_row *now = change == CEP_DELETE ? NULL : event->row;
    const struct cep_row *stands = now ? now : state->told;
    int64_t time_ms = stands ? stands->time_ms : event->row->time_ms;
    const struct cep_fold_tell tell = { .key = key, .ident = cep_fold_ident(&key->tuple, (int64_t)CEP_TOPN_LATEST, 0), .first_ms = time_ms, .last_ms = time_ms };
    return cep_fold_differ(&latest_of(base)->fold, &tell, &state->told, now);
}

static int on_wake(struct cep_operator *base BASE_UNUSED, struct cep_key *key BASE_UNUSED)
{
    return 0;
}

static int64_t deadline(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key BASE_UNUSED)
{
    return BASE_TIME_MAX_MS;
}

static bool idle(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct latest_state *state = key->state;
    return !state || !state->told;
}

static void free_state(struct cep_operator *base BASE_UNUSED, struct cep_key *key)
{
    struct latest_state *state = key->state;
    if (state)
        base_free(state->told);
    base_free(state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct latest_state *state = key->state;
    return state ? sizeof *state + (state->told ? cep_row_size(state->told) : 0) : 0;
}

static int save(struct cep_operator *base BASE_UNUSED, struct cep_key *key, bool all BASE_UNUSED, cep_keyed_piece *piece, void *ctx)
{
    const struct latest_state *state = key->state;
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, LATEST_STATE_VERSION);
    cep_kept_save_row(state->told, &buf);
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

static int load(struct cep_operator *base, struct cep_key *key, uint32_t piece, const void *from, size_t len)
{
    struct base_reader in = base_reader_of(from, len);
    uint8_t version = base_read_u8(&in);
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(base->flow, base->node, &columns);
    if (in.failed || piece != 0)
        return BASE_E_CORRUPT;
    if (version != LATEST_STATE_VERSION)
        return BASE_E_VERSION;
    free_state(base, key);
    struct latest_state *state = key->state = base_calloc(1, sizeof *state);
    if (!state)
        return BASE_E_NOMEM;
    int rc = cep_kept_load_row(&in, types, columns, &state->told);
    return rc ? rc : in.failed || in.at != in.end ? BASE_E_CORRUPT : 0;
}

static int64_t output_watermark(const struct cep_operator *base BASE_UNUSED, int64_t input_ms)
{
    return input_ms;
}

static void stats(const struct cep_operator *op, struct cep_flow_stats *add_to)
{
    add_to->keys += op->keyed.count;
    add_to->state_bytes += op->keyed.bytes;
    add_to->rows_kept += op->keyed.count;
}

static void destroy(struct cep_operator *base)
{
    cep_fold_finish(&latest_of(base)->fold);
    base_free(base);
}

static const struct cep_operator_ops latest_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = save, .load = load, .free_state = free_state, .bytes = bytes,
    .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

int cep_latest_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct latest_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &latest_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    cep_keyed_init(&op->op.keyed, 0);
    *ret = &op->op; /* the flow destroys it, also after a failure below */
    const struct cep_list none = { 0, 0 };
    return cep_fold_init(&op->fold, flow, node, none, none);
}
