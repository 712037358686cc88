/* A key's state as bytes and back. Piece 0 is the head: heads, candidates, told outputs; pieces from 1 on are chunks of the row log. The format has a version
 * byte; decoding is total: whatever the bytes are, it ends in a valid state or in BASE_E_CORRUPT. Checksums are the store's. */
#include "cep/match/codec.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/park.h"

#define MATCH_CHUNKS_MOST 65536u /* of a key: with 64 KiB each more than fits anywhere; bounds the look-ups that a damaged head asks for */

static void put_head(const struct match_head *head, struct base_buf *buf)
{
    base_buf_put_u64(buf, head->next_seq);
    base_buf_put_u64(buf, head->number);
    base_buf_put_u64(buf, head->covered);
    base_buf_put_u64(buf, head->unmatched_next);
    base_buf_put_u64(buf, head->trying);
    base_buf_put_u64(buf, head->first_start);
    base_buf_put_varint(buf, head->class_len - head->class_skip);
    for (uint32_t i = head->class_skip; i < head->class_len; i++) {
        uint32_t id = cep_match_find(head, head->starts[i].id);
        base_buf_put_u64(buf, (uint64_t)head->starts[i].time_ms);
        base_buf_put_varint(buf, id == MATCH_NO_CLASS ? 0 : (uint64_t)id + 1);
    }
    base_buf_put_varint(buf, head->parent_count);
    base_buf_put_varint(buf, head->classes);
    base_buf_put_bytes(buf, head->blob, head->blob_used);
    base_buf_put_varint(buf, head->cands.len);
    for (size_t i = 0; i < head->cands.len; i++) {
        const struct match_cand *cand = &head->cands.at[i];
        base_buf_put_u64(buf, cand->start);
        base_buf_put_u64(buf, cand->end);
        base_buf_put_u64(buf, cand->accept_seq);
        base_buf_put_u64(buf, (uint64_t)cand->not_before_ms);
        base_buf_put_u64(buf, (uint64_t)cand->time_ms);
        base_buf_put_u64(buf, cand->number);
        base_buf_put_u8(buf, cand->kind);
        base_buf_put_u8(buf, cand->step);
        base_buf_put_u8(buf, cand->resolved);
        base_buf_put_u8(buf, cand->fresh);
    }
}

static bool threads_valid(const struct match_op *op, const struct match_class *class)
{
    const char *at = (const char *)(class + 1), *end = (const char *)class + class->bytes;
    for (uint32_t i = 0; i < class->threads; i++) {
        struct match_stored_thread stored;
        if ((size_t)(end - at) < sizeof stored)
            return false;
        memcpy(&stored, at, sizeof stored);
        at += sizeof stored;
        if (stored.pc >= op->m->nfas.count || (size_t)(end - at) < stored.regs_bytes || stored.regs_bytes % 8 ||
            (op->m->guards.count < 32 && stored.guards >> op->m->guards.count))
            return false;
        const struct cep_nfa *nfa = &op->nfas[stored.pc];
        bool rests = nfa->op == CEP_NFA_TAKE || nfa->op == CEP_NFA_WAIT || nfa->op == CEP_NFA_END || nfa->op == CEP_NFA_ABSENT || nfa->op == CEP_NFA_MATCH;
        uint32_t live = nfa->live.count;
        if (!rests || (live == 0) != (stored.regs_bytes == 0))
            return false;
        for (uint32_t r = 0; r < live; r++)
            op->pack_types[r] = op->live_types[op->u32s[nfa->live.first + r]];
        if (live && !cep_tuple_valid(at, stored.regs_bytes, op->pack_types, live))
            return false;
        at += stored.regs_bytes;
    }
    return at == end;
}

static bool classes_valid(const struct match_op *op, const struct match_head *head)
{
    uint32_t off = 0, count = 0;
    while (off < head->blob_used) {
        if (head->blob_used - off < sizeof(struct match_class))
            return false;
        const struct match_class *class = (const struct match_class *)(const void *)(head->blob + off);
        if (class->bytes < sizeof *class || class->bytes % 8 || class->bytes > head->blob_used - off || class->id >= head->parent_count ||
            class->min_seq < head->first_start || class->min_seq >= head->next_seq || !threads_valid(op, class))
            return false;
        off += class->bytes;
        count++;
    }
    return count == head->classes;
}

/* Reads up to the candidates; checks numbers against each other. */
static int get_classes(const struct match_op *op, struct base_reader *in, struct match_head *head)
{
    head->next_seq = base_read_u64(in);
    head->number = base_read_u64(in);
    head->covered = base_read_u64(in);
    head->unmatched_next = base_read_u64(in);
    head->trying = base_read_u64(in);
    head->first_start = base_read_u64(in);
    uint64_t starts = base_read_varint(in);
    if (in->failed || head->first_start == 0 || starts > (uint64_t)(in->end - in->at) || head->first_start > head->next_seq ||
        starts > head->next_seq - head->first_start)
        return BASE_E_CORRUPT;
    if (starts > UINT32_C(1) << 26)
        return BASE_E_CORRUPT;
    int rc = cep_match_head_reserve(head, (uint32_t)starts, 0, 0);
    if (rc)
        return rc;
    head->class_len = (uint32_t)starts;
    uint64_t most = 0;
    for (uint64_t i = 0; i < starts; i++) {
        int64_t time_ms = (int64_t)base_read_u64(in);
        uint64_t id = base_read_varint(in);
        most = id > most ? id : most;
        head->starts[i] = (struct match_start){ .time_ms = time_ms, .id = id == 0 ? MATCH_NO_CLASS : (uint32_t)(id - 1) };
    }
    uint64_t parents = base_read_varint(in);
    uint64_t classes = base_read_varint(in);
    struct base_str blob = base_read_bytes(in);
    if (in->failed || most > parents || parents > UINT32_C(1) << 26 || classes > blob.len || blob.len > UINT32_C(1) << 30)
        return BASE_E_CORRUPT;
    rc = cep_match_head_reserve(head, (uint32_t)starts, (uint32_t)parents, (uint32_t)blob.len);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < parents; i++)
        head->parents[i] = MATCH_NO_CLASS;
    head->parent_count = (uint32_t)parents;
    if (blob.len)
        memcpy(head->blob, blob.ptr, blob.len);
    head->blob_used = (uint32_t)blob.len;
    head->classes = (uint32_t)classes;
    if (!classes_valid(op, head))
        return BASE_E_CORRUPT;
    for (uint32_t off = 0; off < head->blob_used;) {
        const struct match_class *class = (const struct match_class *)(const void *)(head->blob + off);
        if (head->parents[class->id] != MATCH_NO_CLASS)
            return BASE_E_CORRUPT; /* two classes of one id */
        head->parents[class->id] = class->id;
        if (class->min_seq - head->first_start >= starts || head->starts[class->min_seq - head->first_start].id != class->id)
            return BASE_E_CORRUPT;
        off += class->bytes;
    }
    return 0;
}

static int get_head(const struct match_op *op, struct base_reader *in, struct match_head *head)
{
    int rc = get_classes(op, in, head);
    if (rc)
        return rc;
    uint64_t cands = base_read_varint(in);
    if (in->failed || cands > (uint64_t)(in->end - in->at))
        return BASE_E_CORRUPT;
    for (uint64_t i = 0; i < cands; i++) {
        struct match_cand cand = { .start = base_read_u64(in), .end = base_read_u64(in) };
        cand.accept_seq = base_read_u64(in);
        cand.not_before_ms = (int64_t)base_read_u64(in);
        cand.time_ms = (int64_t)base_read_u64(in);
        cand.number = base_read_u64(in);
        cand.kind = base_read_u8(in);
        cand.step = base_read_u8(in);
        cand.resolved = base_read_u8(in);
        cand.fresh = base_read_u8(in);
        if (in->failed || cand.kind < MATCH_FOUND || cand.kind > MATCH_UNMATCHED || cand.step > MATCH_STEP_END || cand.start == 0 ||
            cand.start >= head->next_seq || cand.accept_seq >= head->next_seq || cand.end >= head->next_seq || cand.accept_seq + 1 < cand.start)
            return BASE_E_CORRUPT;
        if (!BASE_VEC_PUSH(&head->cands, cand))
            return BASE_E_NOMEM;
    }
    return 0;
}

void cep_match_put_told(const struct match_told *told, struct base_buf *buf)
{
    base_buf_put_u64(buf, told->ident.hi);
    base_buf_put_u64(buf, told->ident.lo);
    base_buf_put_u64(buf, told->start);
    base_buf_put_u64(buf, told->accept_seq);
    base_buf_put_u64(buf, told->content);
    base_buf_put_u64(buf, (uint64_t)told->first_time_ms);
    base_buf_put_u64(buf, (uint64_t)told->last_time_ms);
    base_buf_put(buf, &told->first_at, sizeof told->first_at);
    base_buf_put_u8(buf, told->gone);
    base_buf_put_u8(buf, told->cand_kind);
    base_buf_put_bytes(buf, told->row, cep_row_size(told->row));
}

static int get_told(const struct match_op *op, struct base_reader *in, struct match_key *state)
{
    struct match_told told = { .ident = { base_read_u64(in), 0 } };
    told.ident.lo = base_read_u64(in);
    told.start = base_read_u64(in);
    told.accept_seq = base_read_u64(in);
    told.content = base_read_u64(in);
    told.first_time_ms = (int64_t)base_read_u64(in);
    told.last_time_ms = (int64_t)base_read_u64(in);
    const void *at = base_read_raw(in, sizeof told.first_at);
    if (at)
        memcpy(&told.first_at, at, sizeof told.first_at);
    told.gone = base_read_u8(in) != 0;
    told.cand_kind = base_read_u8(in);
    struct base_str row = base_read_bytes(in);
    size_t head = offsetof(struct cep_row, tuple);
    if (in->failed || row.len < head || told.cand_kind < MATCH_FOUND || told.cand_kind > MATCH_UNMATCHED)
        return BASE_E_CORRUPT;
    told.row = base_alloc(row.len);
    if (!told.row)
        return BASE_E_NOMEM;
    memcpy(told.row, row.ptr, row.len);
    int rc = cep_tuple_valid(&told.row->tuple, row.len - head, op->out_types, op->out_columns) ? 0 : BASE_E_CORRUPT;
    if (!rc && !BASE_VEC_PUSH(&state->told, told))
        rc = BASE_E_NOMEM;
    if (rc)
        base_free(told.row);
    return rc;
}

static int save_head(const struct match_key *state, cep_keyed_piece *piece, void *ctx)
{
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, MATCH_STATE_VERSION);
    base_buf_put_u8(&buf, (uint8_t)((state->has_base ? MATCH_STATE_BASE : 0) | (state->ended ? MATCH_STATE_ENDED : 0) | (state->limited ? MATCH_STATE_LIMITED : 0)));
    base_buf_put_u64(&buf, state->waiting_from);
    base_buf_put_u64(&buf, state->rows.first_seq);
    base_buf_put_u64(&buf, state->rows.end_seq);
    base_buf_put_u32(&buf, state->rows.count ? state->rows.chunks[0].number : state->rows.next_number);
    base_buf_put_u32(&buf, state->rows.next_number);
    put_head(&state->now, &buf);
    if (state->has_base)
        put_head(&state->base, &buf);
    base_buf_put_varint(&buf, state->told.len);
    for (size_t i = 0; i < state->told.len; i++)
        cep_match_put_told(&state->told.at[i], &buf);
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

static int save_chunk(struct match_chunk *chunk, cep_keyed_piece *piece, void *ctx)
{
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, MATCH_STATE_VERSION);
    base_buf_put_u64(&buf, chunk->first_seq);
    base_buf_put_u32(&buf, chunk->count);
    base_buf_put(&buf, chunk->bytes, chunk->used);
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, chunk->number, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

int cep_match_save(struct match_op *op, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx)
{
    struct match_key *state = key->state;
    (void)op;
    int rc = cep_match_unpark(&state->now);
    if (!rc)
        rc = cep_match_unpark(&state->base);
    if (!rc)
        rc = save_head(state, piece, ctx);
    for (uint32_t n = state->rows.dropped_first; n < state->rows.dropped_end && !rc; n++) {
        bool there = false;
        for (uint32_t i = 0; i < state->rows.count; i++)
            there |= state->rows.chunks[i].number == n;
        if (!there)
            rc = piece(ctx, n, NULL, 0);
    }
    for (uint32_t i = 0; i < state->rows.count && !rc; i++) {
        struct match_chunk *chunk = &state->rows.chunks[i];
        if (all || chunk->dirty)
            rc = save_chunk(chunk, piece, ctx);
        if (!rc && !all)
            chunk->dirty = false;
    }
    if (!rc && !all)
        state->rows.dropped_first = state->rows.dropped_end = 0;
    return rc;
}

/* What a head still has to tell must have its rows. */
static bool rows_kept(const struct match_op *op, const struct match_head *head, uint64_t first_seq)
{
    for (size_t i = 0; i < head->cands.len; i++)
        if (head->cands.at[i].start < first_seq)
            return false;
    return op->m->rows != CEP_ROWS_ALL_UNMATCHED || head->unmatched_next >= first_seq || head->next_seq == first_seq;
}

static int get_tolds(const struct match_op *op, struct base_reader *in, struct match_key *state)
{
    uint64_t told = base_read_varint(in);
    int rc = in->failed || told > (uint64_t)(in->end - in->at) ? BASE_E_CORRUPT : 0;
    for (uint64_t i = 0; i < told && !rc; i++)
        rc = get_told(op, in, state);
    return rc || in->at == in->end ? rc : BASE_E_CORRUPT;
}

/* The rows that are no starts, and what was told; the rest is found by going through the rows, once they are there (cep_match_lean_run). */
static int load_lean_head(const struct match_op *op, struct base_reader *in, struct match_key *state, bool told)
{
    uint64_t bytes = (state->rows.end_seq - state->rows.first_seq + 7) / 8;
    if (told ? (uint64_t)(in->end - in->at) < bytes : (uint64_t)(in->end - in->at) != bytes)
        return BASE_E_CORRUPT;
    state->restoring = base_alloc(bytes);
    if (!state->restoring)
        return BASE_E_NOMEM;
    if (bytes)
        memcpy(state->restoring, in->at, bytes);
    in->at += bytes;
    state->now.next_seq = state->now.first_start = state->now.unmatched_next = state->rows.first_seq;
    return told ? get_tolds(op, in, state) : 0;
}

static int load_head(struct match_op *op, struct match_key *state, const void *bytes, size_t len)
{
    struct base_reader in = base_reader_of(bytes, len);
    uint8_t version = base_read_u8(&in), flags = base_read_u8(&in);
    if (in.failed || version == 0 || version > MATCH_STATE_VERSION)
        return in.failed ? BASE_E_CORRUPT : BASE_E_VERSION;
    state->waiting_from = base_read_u64(&in);
    state->rows.first_seq = base_read_u64(&in);
    state->rows.end_seq = base_read_u64(&in);
    uint32_t first_piece = base_read_u32(&in);
    state->rows.next_number = base_read_u32(&in);
    state->ended = flags & MATCH_STATE_ENDED;
    state->limited = flags & MATCH_STATE_LIMITED;
    if (in.failed || state->rows.first_seq == 0 || state->rows.first_seq > state->rows.end_seq || first_piece == 0 || first_piece > state->rows.next_number ||
        state->rows.next_number - first_piece > MATCH_CHUNKS_MOST ||
        state->waiting_from > state->rows.end_seq || state->waiting_from == 0)
        return BASE_E_CORRUPT;
    state->rows.dropped_first = state->rows.dropped_end = first_piece; /* until the chunks are loaded: where they start */
    if (flags & MATCH_STATE_LEAN)
        return (flags & ~MATCH_STATE_TOLD) == MATCH_STATE_LEAN && op->lean ? load_lean_head(op, &in, state, flags & MATCH_STATE_TOLD) : BASE_E_CORRUPT;
    int rc = get_head(op, &in, &state->now);
    if (!rc && (flags & MATCH_STATE_BASE)) {
        state->has_base = true;
        rc = get_head(op, &in, &state->base);
    }
    if (!rc)
        rc = get_tolds(op, &in, state);
    if (!rc && (state->now.next_seq > state->rows.end_seq || (state->has_base && state->base.next_seq > state->now.next_seq)))
        rc = BASE_E_CORRUPT;
    if (!rc && (cep_match_head_keep_from(op, &state->now) < state->rows.first_seq && cep_match_head_live(&state->now)) &&
        state->now.first_start < state->rows.first_seq)
        rc = BASE_E_CORRUPT;
    if (!rc && (!rows_kept(op, &state->now, state->rows.first_seq) || (state->has_base && !rows_kept(op, &state->base, state->rows.first_seq))))
        rc = BASE_E_CORRUPT;
    return rc;
}

static int load_chunk(struct match_op *op, struct match_key *state, uint32_t number, const void *bytes, size_t len)
{
    struct base_reader in = base_reader_of(bytes, len);
    uint8_t version = base_read_u8(&in);
    uint64_t first = base_read_u64(&in), end = state->rows.end_seq;
    uint32_t count = base_read_u32(&in);
    uint64_t at_seq = state->rows.count ? state->rows.chunks[state->rows.count - 1].first_seq + state->rows.chunks[state->rows.count - 1].count : first;
    if (in.failed || version == 0 || version > MATCH_STATE_VERSION || first != at_seq || count > end - first || first > end)
        return BASE_E_CORRUPT;
    uint64_t keep_first = state->rows.first_seq;
    uint32_t next_number = state->rows.next_number;
    state->rows.end_seq = first;
    state->rows.next_number = number;
    /* A chunk of its own, also if the one before has room (a lean key's pieces are small): otherwise this piece would stay in the store behind the other. */
    int rc = count ? cep_match_rows_open(&state->rows) : 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        size_t left = (size_t)(in.end - in.at), head = offsetof(struct cep_row, tuple);
        struct cep_tuple tuple;
        if (left < head + sizeof tuple) {
            rc = BASE_E_CORRUPT;
            break;
        }
        memcpy(&tuple, in.at + head, sizeof tuple);
        size_t step = (head + tuple.size_bytes + 7) & ~(size_t)7;
        if (tuple.size_bytes > left - head || step > left) {
            rc = BASE_E_CORRUPT;
            break;
        }
        struct cep_row *copy = base_alloc(head + tuple.size_bytes); /* stored bytes need not be aligned, a tuple must be */
        if (!copy) {
            rc = BASE_E_NOMEM;
            break;
        }
        memcpy(copy, in.at, head + tuple.size_bytes);
        rc = cep_tuple_valid(&copy->tuple, tuple.size_bytes, op->types, op->columns) ? cep_match_rows_append(&state->rows, copy) : BASE_E_CORRUPT;
        base_free(copy);
        in.at += step;
    }
    if (!rc && state->rows.count)
        state->rows.chunks[state->rows.count - 1].dirty = false;
    state->rows.end_seq = end;
    state->rows.first_seq = keep_first;
    state->rows.next_number = next_number > number ? next_number : number + 1;
    return rc;
}

int cep_match_load(struct match_op *op, struct cep_key *key, uint32_t piece, const void *bytes, size_t len)
{
    if (piece == 0) {
        if (key->state)
            return BASE_E_CORRUPT;
        key->state = cep_match_key_init(op, key);
        if (!key->state)
            return BASE_E_NOMEM;
        return load_head(op, key->state, bytes, len);
    }
    return key->state ? load_chunk(op, key->state, piece, bytes, len) : BASE_E_CORRUPT;
}

void cep_match_pieces(const struct match_key *key, uint32_t *ret_first, uint32_t *ret_end)
{
    /* until chunks are there, dropped_first holds where they start (load_head) */
    *ret_first = key->rows.count ? key->rows.chunks[0].number : key->rows.dropped_first ? key->rows.dropped_first : 1;
    /* what was dropped since the last checkpoint still stands in the store */
    if (key->rows.dropped_first < key->rows.dropped_end && key->rows.dropped_first < *ret_first)
        *ret_first = key->rows.dropped_first;
    *ret_end = key->rows.next_number;
}
