/* A key of an OVER aggregate in the store: a head and its rows in chunks of 64, so that an epoch writes the chunks that changed. What the frames hold is not
 * stored: it is folded again from the rows. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cep/operators/over.h"

#define OVER_STATE_VERSION 1
#define OVER_CHUNK 64u
#define OVER_SEQ_MAX ((uint64_t)UINT32_MAX * OVER_CHUNK / 2)

static uint64_t piece_of(uint64_t seq) { return seq / OVER_CHUNK + 1; }

static int save_head(struct over_op *op, const struct over_state *state, cep_keyed_piece *piece, void *ctx)
{
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, OVER_STATE_VERSION);
    base_buf_put_u64(&buf, state->first);
    base_buf_put_u64(&buf, state->settled);
    base_buf_put_u64(&buf, cep_over_end(state));
    for (uint32_t f = 0; f < op->over->frames.count; f++) {
        const struct cep_over_frame *frame = cep_over_frame(op, f);
        const struct over_slide *slide = &state->slides[f];
        if (frame->unbounded)
            cep_fold_save(&op->fold, frame->aggs.first - op->fold.aggs.first, frame->aggs.count, op->over->eager ? slide->base : slide->cells, &buf);
    }
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

static int save_chunk(const struct over_state *state, uint64_t from, uint64_t to, uint64_t number, cep_keyed_piece *piece, void *ctx)
{
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, OVER_STATE_VERSION);
    base_buf_put_u64(&buf, from);
    base_buf_put_varint(&buf, to - from);
    for (uint64_t seq = from; seq < to; seq++) {
        const struct over_entry *e = cep_over_entry(state, seq);
        base_buf_put_u64(&buf, (uint64_t)e->time_ms);
        base_buf_put(&buf, &e->at, sizeof e->at);
        base_buf_put_u64(&buf, e->ident.hi);
        base_buf_put_u64(&buf, e->ident.lo);
        base_buf_put_bytes(&buf, e->args, e->args->size_bytes);
        cep_kept_save_row(e->row, &buf);
        cep_kept_save_row(e->told, &buf);
    }
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, (uint32_t)number, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

int cep_over_save(struct cep_operator *base, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx)
{
    struct over_op *op = (struct over_op *)(void *)base;
    struct over_state *state = key->state;
    uint64_t end = cep_over_end(state), from = all || state->dirty < state->first ? state->first : state->dirty;
    uint64_t first_piece = piece_of(state->first), end_piece = end > state->first ? piece_of(end - 1) + 1 : first_piece;
    int rc = save_head(op, state, piece, ctx);
    for (uint64_t n = from < end ? piece_of(from) : end_piece; n < end_piece && !rc; n++) {
        uint64_t begin = (n - 1) * OVER_CHUNK, stop = n * OVER_CHUNK;
        rc = save_chunk(state, begin < state->first ? state->first : begin, stop > end ? end : stop, n, piece, ctx);
    }
    for (uint64_t n = state->stored_first; n < state->stored_end && !rc; n++)
        if (n < first_piece || n >= end_piece)
            rc = piece(ctx, (uint32_t)n, NULL, 0);
    if (rc)
        return rc;
    state->stored_first = first_piece;
    state->stored_end = end_piece;
    state->dirty = end;
    return 0;
}

void cep_over_pieces(const struct cep_operator *op BASE_UNUSED, const struct cep_key *key, uint32_t *ret_first, uint32_t *ret_end)
{
    const struct over_state *state = key->state;
    *ret_first = (uint32_t)state->stored_first;
    *ret_end = (uint32_t)state->stored_end;
}

/* ---- loading ---- */

static int load_head(struct over_op *op, struct cep_key *key, struct base_reader *in)
{
    struct over_state *state = key->state = cep_over_make(op);
    if (!state)
        return BASE_E_NOMEM;
    state->first = base_read_u64(in);
    state->settled = base_read_u64(in);
    uint64_t end = base_read_u64(in);
    if (in->failed || state->first > state->settled || state->settled > end || end > OVER_SEQ_MAX ||
        end - state->first > cep_flow_limits(op->op.flow)->rows_per_key) {
        state->first = state->settled = 0;
        return BASE_E_CORRUPT;
    }
    state->dirty = end; /* until complete() also: how many rows there must be */
    state->stored_first = piece_of(state->first);
    state->stored_end = end > state->first ? piece_of(end - 1) + 1 : state->stored_first;
    int rc = 0;
    for (uint32_t f = 0; f < op->over->frames.count && !rc; f++) {
        const struct cep_over_frame *frame = cep_over_frame(op, f);
        if (frame->unbounded)
            rc = cep_fold_load(&op->fold, frame->aggs.first - op->fold.aggs.first, frame->aggs.count, in, state->slides[f].base);
    }
    return rc ? rc : in->failed || in->at != in->end ? BASE_E_CORRUPT : 0;
}

static int load_entry(struct over_op *op, struct over_state *state, struct base_reader *in, struct over_entry *ret)
{
    uint32_t inputs, columns;
    const struct cep_type *in_types = cep_flow_types(op->op.flow, op->fold.input, &inputs), *types = cep_flow_types(op->op.flow, op->op.node, &columns);
    ret->time_ms = (int64_t)base_read_u64(in);
    const void *at = base_read_raw(in, sizeof ret->at);
    if (at)
        memcpy(&ret->at, at, sizeof ret->at);
    ret->ident.hi = base_read_u64(in);
    ret->ident.lo = base_read_u64(in);
    struct base_str args = base_read_bytes(in);
    if (in->failed || args.len == 0)
        return BASE_E_CORRUPT;
    ret->args = base_alloc(args.len); /* aligned, for the check */
    if (!ret->args)
        return BASE_E_NOMEM;
    memcpy(ret->args, args.ptr, args.len);
    if (!cep_tuple_valid(ret->args, args.len, op->arg_types, op->fold.aggs.count)) {
        base_free(ret->args);
        ret->args = NULL;
        return BASE_E_CORRUPT;
    }
    state->bytes += ret->args->size_bytes;
    int rc = cep_kept_load_row(in, in_types, inputs, &ret->row);
    state->bytes += ret->row ? cep_row_size(ret->row) : 0;
    if (!rc)
        rc = cep_kept_load_row(in, types, columns, &ret->told);
    state->bytes += ret->told ? cep_row_size(ret->told) : 0;
    return rc;
}

static int load_chunk(struct over_op *op, struct over_state *state, uint32_t piece, struct base_reader *in)
{
    uint64_t seq = base_read_u64(in), count = base_read_varint(in), end = state->dirty;
    int rc = in->failed || count > OVER_CHUNK || seq > OVER_SEQ_MAX || piece_of(seq) != piece ? BASE_E_CORRUPT : 0;
    for (uint64_t i = 0; i < count && !rc; i++, seq++) {
        struct over_entry entry = { 0 };
        rc = load_entry(op, state, in, &entry);
        if (!rc && seq >= state->first && seq < end) {
            size_t at = (size_t)(seq - state->first);
            const struct over_entry none = { 0 };
            while (!rc && state->entries.len <= at)
                rc = BASE_VEC_PUSH(&state->entries, none) ? 0 : BASE_E_NOMEM;
            if (!rc && state->entries.at[at].args)
                rc = BASE_E_CORRUPT; /* twice */
            if (!rc) {
                state->entries.at[at] = entry;
                continue;
            }
        }
        cep_over_free_entry(state, &entry); /* before the first one that is still wanted */
    }
    return rc ? rc : in->failed || in->at != in->end ? BASE_E_CORRUPT : 0;
}

int cep_over_load(struct cep_operator *base, struct cep_key *key, uint32_t piece, const void *bytes, size_t len)
{
    struct over_op *op = (struct over_op *)(void *)base;
    struct base_reader in = base_reader_of(bytes, len);
    uint8_t version = base_read_u8(&in);
    if (in.failed || (piece == 0) != (key->state == NULL))
        return BASE_E_CORRUPT;
    if (version != OVER_STATE_VERSION)
        return BASE_E_VERSION;
    return piece == 0 ? load_head(op, key, &in) : load_chunk(op, key->state, piece, &in);
}

int cep_over_complete(struct cep_operator *base, struct cep_key *key)
{
    struct over_op *op = (struct over_op *)(void *)base;
    struct over_state *state = key->state;
    if (!state || state->dirty != cep_over_end(state))
        return BASE_E_CORRUPT;
    for (uint64_t seq = state->first; seq < cep_over_end(state); seq++) {
        const struct over_entry *e = cep_over_entry(state, seq);
        bool unsettled = seq >= state->settled, far = e->time_ms < INT64_MIN / 4 || e->time_ms > INT64_MAX / 4;
        if (!e->args || far || unsettled != (e->row != NULL) || (e->told && (!unsettled || !op->over->eager)))
            return BASE_E_CORRUPT;
        if (seq > state->first && cep_over_entry(state, seq - 1)->time_ms > e->time_ms)
            return BASE_E_CORRUPT;
    }
    int rc = cep_over_rebuild(op, state);
    /* eager: all rows are in the frames */
    for (uint64_t seq = state->settled; op->over->eager && seq < cep_over_end(state) && !rc;) {
        uint64_t peers = 1;
        while (seq + peers < cep_over_end(state) && cep_over_entry(state, seq + peers)->time_ms == cep_over_entry(state, seq)->time_ms)
            peers++;
        rc = cep_over_fold_range(op, state, seq, peers);
        for (uint64_t i = 0; i < peers && !rc; i++)
            rc = cep_over_fold_rows(op, state, seq + i);
        seq += peers;
    }
    return rc;
}
