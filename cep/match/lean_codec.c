/* Lean keys as stored pieces. Piece 0 says which rows there are and which are no starts, and what was told of them that is not settled; the rows stand in groups of 64, each a piece of its own, in the form of the
 * full form's chunks: only groups that changed are written. Classes are not stored: going through the rows again finds them. Reading is codec.c's. */
#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/codec.h"
#include "cep/match/lean.h"

void cep_match_lean_pieces(const struct match_lean *lean, uint32_t *ret_first, uint32_t *ret_end)
{
    *ret_first = lean->has_body ? lean->body->saved_first : 1;
    *ret_end = cep_match_lean_piece(lean, lean->first_seq + lean->count) + 1;
}

static void put_no_starts(const struct match_op *op, struct match_lean *lean, struct base_buf *buf)
{
    size_t bytes = (lean->count + 7) / 8;
    if (!base_buf_reserve(buf, bytes))
        return;
    cep_match_lean_no_starts(op, lean, (uint8_t *)buf->ptr + buf->len);
    buf->len += bytes;
}

#define PIECE_KEPT ((size_t)64 << 10) /* bytes of room for a piece that are kept for the next one */

static struct base_buf begin_piece(struct match_op *op)
{
    struct base_buf buf = op->lean->piece;
    op->lean->piece = (struct base_buf){ 0 };
    base_buf_clear(&buf);
    return buf;
}

static void end_piece(struct match_op *op, struct base_buf *buf)
{
    if (buf->cap > PIECE_KEPT || buf->failed)
        base_buf_finish(buf);
    base_buf_finish(&op->lean->piece);
    op->lean->piece = *buf;
}

static int save_head(struct match_op *op, struct match_lean *lean, cep_keyed_piece *piece, void *ctx)
{
    struct base_buf buf = begin_piece(op);
    const struct match_lean_told *told = cep_match_lean_told(lean);
    uint32_t first = cep_match_lean_piece(lean, lean->first_seq);
    uint32_t next = lean->count ? cep_match_lean_piece(lean, lean->first_seq + lean->count - 1) + 1 : first;
    base_buf_put_u8(&buf, MATCH_STATE_VERSION);
    base_buf_put_u8(&buf, told ? MATCH_STATE_LEAN | MATCH_STATE_TOLD : MATCH_STATE_LEAN);
    base_buf_put_u64(&buf, lean->first_seq + lean->count); /* waiting_from: said by the watermark */
    base_buf_put_u64(&buf, lean->first_seq);
    base_buf_put_u64(&buf, lean->first_seq + lean->count);
    base_buf_put_u32(&buf, first);
    base_buf_put_u32(&buf, next);
    put_no_starts(op, lean, &buf);
    if (told)
        base_buf_put_varint(&buf, told->list.len);
    for (size_t i = 0; told && i < told->list.len; i++)
        cep_match_put_told(&told->list.at[i], &buf);
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    end_piece(op, &buf);
    return rc;
}

/* Rows with offsets in [from, end), which make a group. */
static int save_group(struct match_op *op, struct match_lean *lean, uint32_t from, uint32_t end, cep_keyed_piece *piece, void *ctx)
{
    static const char zeros[8];
    struct base_buf buf = begin_piece(op);
    base_buf_put_u8(&buf, MATCH_STATE_VERSION);
    base_buf_put_u64(&buf, lean->first_seq + from);
    base_buf_put_u32(&buf, end - from);
    for (uint32_t i = from; i < end; i++) {
        const struct cep_row *row = cep_match_lean_log_row(op, lean, cep_match_lean_entries(lean)[i]);
        if (!row) {
            end_piece(op, &buf);
            return BASE_E_NOMEM;
        }
        size_t size = cep_row_size(row);
        base_buf_put(&buf, row, size);
        base_buf_put(&buf, zeros, ((size + 7) & ~(size_t)7) - size);
    }
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, cep_match_lean_piece(lean, lean->first_seq + from), buf.ptr, buf.len);
    end_piece(op, &buf);
    return rc;
}

int cep_match_lean_save(struct match_op *op, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx)
{
    struct match_lean *lean = key->state;
    uint32_t first = cep_match_lean_piece(lean, lean->first_seq);
    int rc = save_head(op, lean, piece, ctx);
    for (uint32_t n = lean->has_body ? lean->body->saved_first : 1; n < first && !rc && !all; n++)
        rc = piece(ctx, n, NULL, 0);
    uint32_t from = all ? 0 : lean->has_body ? lean->body->dirty : lean->dirty;
    /* from the start of its group on */
    uint32_t within = (uint32_t)((lean->first_seq + from) % LEAN_GROUP);
    from = within > from ? 0 : from - within;
    while (from < lean->count && !rc) {
        uint32_t end = from + LEAN_GROUP - (uint32_t)((lean->first_seq + from) % LEAN_GROUP);
        end = end < lean->count ? end : lean->count;
        rc = save_group(op, lean, from, end, piece, ctx);
        from = end;
    }
    if (!rc && !all) {
        struct match_lean_body *body = lean->has_body || first > 1 ? cep_match_lean_body(lean) : NULL;
        lean->dirty = (uint8_t)(lean->count < LEAN_ENTRIES ? lean->count : LEAN_ENTRIES);
        if (body) {
            body->saved_first = first;
            body->dirty = lean->count;
        }
        return !body && first > 1 ? BASE_E_NOMEM : 0;
    }
    return rc;
}
