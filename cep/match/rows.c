#include "cep/match/rows.h"

#include "base/alloc.h"
#include "base/error.h"

static uint32_t *off_of(const struct match_chunk *chunk, uint32_t row)
{
    return (uint32_t *)(void *)(chunk->bytes + chunk->cap) - 1 - row;
}

void cep_match_rows_init(struct match_rows *rows)
{
    *rows = (struct match_rows){ .next_number = 1, .first_seq = 1, .end_seq = 1, .cap = 1 };
    rows->chunks = &rows->one;
}

static void free_chunk(struct match_rows *rows, struct match_chunk *chunk)
{
    rows->bytes -= chunk->cap;
    base_free(chunk->bytes);
}

void cep_match_rows_finish(struct match_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++)
        free_chunk(rows, &rows->chunks[i]);
    if (rows->chunks != &rows->one)
        base_free(rows->chunks);
    cep_match_rows_init(rows);
}

static int add_chunk(struct match_rows *rows)
{
    if (rows->count == rows->cap) {
        uint32_t cap = rows->cap * 2;
        bool own = rows->chunks == &rows->one;
        struct match_chunk *chunks = base_realloc(own ? NULL : rows->chunks, cap * sizeof *chunks);
        if (!chunks)
            return BASE_E_NOMEM;
        if (own)
            chunks[0] = rows->one;
        rows->chunks = chunks;
        rows->cap = cap;
    }
    rows->chunks[rows->count++] = (struct match_chunk){ .first_seq = rows->end_seq, .number = rows->next_number++ };
    return 0;
}

static int reserve(struct match_rows *rows, struct match_chunk *chunk, uint32_t bytes)
{
    uint32_t offs = (chunk->count + 1) * (uint32_t)sizeof(uint32_t);
    if (chunk->cap >= chunk->used + bytes + offs)
        return 0;
    uint32_t cap = chunk->cap ? chunk->cap : 256;
    while (cap < chunk->used + bytes + offs)
        cap += cap / 2;
    cap = (cap + 15) & ~15u;
    char *at = base_realloc(chunk->bytes, cap);
    if (!at)
        return BASE_E_NOMEM;
    uint32_t old = chunk->count * (uint32_t)sizeof(uint32_t);
    memmove(at + cap - old, at + chunk->cap - old, old);
    rows->bytes += cap - chunk->cap;
    chunk->bytes = at;
    chunk->cap = cap;
    return 0;
}

int cep_match_rows_open(struct match_rows *rows)
{
    return add_chunk(rows);
}

int cep_match_rows_append(struct match_rows *rows, const struct cep_row *row)
{
    size_t bytes = (cep_row_size(row) + 7) & ~(size_t)7;
    if (bytes > CEP_ROW_BYTES_MAX)
        return BASE_E_LIMIT;
    struct match_chunk *chunk = rows->count ? &rows->chunks[rows->count - 1] : NULL;
    if (!chunk || (chunk->count > 0 && chunk->used + bytes > MATCH_CHUNK_BYTES)) {
        int rc = add_chunk(rows);
        if (rc)
            return rc;
        chunk = &rows->chunks[rows->count - 1];
    }
    int rc = reserve(rows, chunk, (uint32_t)bytes);
    if (rc)
        return rc;
    if (chunk->count == 0)
        chunk->first_seq = rows->end_seq;
    memcpy(chunk->bytes + chunk->used, row, cep_row_size(row));
    *off_of(chunk, chunk->count++) = chunk->used;
    chunk->used += (uint32_t)bytes;
    chunk->dirty = true;
    rows->end_seq++;
    return 0;
}

const struct cep_row *cep_match_rows_at(const struct match_rows *rows, uint64_t seq)
{
    uint32_t lo = 0, hi = rows->count - 1;
    if (seq >= rows->chunks[hi].first_seq)
        lo = hi;
    while (lo < hi) {
        uint32_t mid = (lo + hi + 1) / 2;
        if (rows->chunks[mid].first_seq <= seq)
            lo = mid;
        else
            hi = mid - 1;
    }
    const struct match_chunk *chunk = &rows->chunks[lo];
    return (const struct cep_row *)(const void *)(chunk->bytes + *off_of(chunk, (uint32_t)(seq - chunk->first_seq)));
}

static void note_dropped(struct match_rows *rows, uint32_t number)
{
    if (rows->dropped_first == rows->dropped_end)
        rows->dropped_first = number;
    if (number < rows->dropped_first)
        rows->dropped_first = number;
    if (number >= rows->dropped_end)
        rows->dropped_end = number + 1;
}

/* Rows are cheap to leave behind in a chunk, dear to move: they are moved out only when most of the first chunk is dead. */
static void compact(struct match_chunk *chunk, uint64_t seq)
{
    uint32_t dead = (uint32_t)(seq - chunk->first_seq);
    uint32_t off = dead < chunk->count ? *off_of(chunk, dead) : chunk->used;
    if (off < chunk->used - off + 256)
        return;
    memmove(chunk->bytes, chunk->bytes + off, chunk->used - off);
    for (uint32_t i = dead; i < chunk->count; i++)
        *off_of(chunk, i - dead) = *off_of(chunk, i) - off;
    chunk->count -= dead;
    chunk->used -= off;
    chunk->first_seq = seq;
    chunk->dirty = true;
}

void cep_match_rows_drop(struct match_rows *rows, uint64_t seq)
{
    if (seq > rows->end_seq)
        seq = rows->end_seq;
    if (seq <= rows->first_seq)
        return;
    rows->first_seq = seq;
    uint32_t gone = 0;
    while (gone < rows->count && rows->chunks[gone].first_seq + rows->chunks[gone].count <= seq) {
        if (gone + 1 == rows->count && rows->chunks[gone].cap <= 1024) {
            /* the last chunk of a small key is kept for the next row */
            struct match_chunk *last = &rows->chunks[gone];
            last->count = 0;
            last->used = 0;
            last->first_seq = rows->end_seq;
            last->dirty = true;
            break;
        }
        note_dropped(rows, rows->chunks[gone].number);
        free_chunk(rows, &rows->chunks[gone]);
        gone++;
    }
    if (gone) {
        memmove(rows->chunks, rows->chunks + gone, (rows->count - gone) * sizeof *rows->chunks);
        rows->count -= gone;
    }
    if (rows->count && rows->chunks[0].count)
        compact(&rows->chunks[0], seq > rows->chunks[0].first_seq ? seq : rows->chunks[0].first_seq);
}

void cep_match_rows_restart(struct match_rows *rows, uint64_t seq)
{
    while (rows->count > 1)
        free_chunk(rows, &rows->chunks[--rows->count]);
    if (rows->count) {
        rows->chunks[0].count = 0;
        rows->chunks[0].used = 0;
        rows->chunks[0].first_seq = seq;
    }
    rows->first_seq = rows->end_seq = seq;
}

void cep_match_rows_cut(struct match_rows *rows, uint64_t seq)
{
    if (seq >= rows->end_seq)
        return;
    while (rows->count) {
        struct match_chunk *chunk = &rows->chunks[rows->count - 1];
        if (chunk->first_seq + chunk->count <= seq && chunk->first_seq < seq)
            break;
        uint32_t keep = seq > chunk->first_seq ? (uint32_t)(seq - chunk->first_seq) : 0;
        if (keep > 0 || rows->count == 1) {
            chunk->used = keep < chunk->count ? *off_of(chunk, keep) : chunk->used;
            chunk->count = keep < chunk->count ? keep : chunk->count;
            chunk->dirty = true;
            if (keep == 0)
                chunk->first_seq = seq;
            break;
        }
        note_dropped(rows, chunk->number);
        rows->next_number = chunk->number; /* numbers stay without gaps, however often a key is rewound */
        free_chunk(rows, chunk);
        rows->count--;
    }
    rows->end_seq = seq;
    if (rows->first_seq > seq)
        rows->first_seq = seq;
}

int cep_match_rows_complete(struct match_rows *rows)
{
    rows->dropped_first = rows->dropped_end = 0;
    if (rows->first_seq == rows->end_seq)
        return 0;
    if (rows->count == 0 || rows->chunks[0].first_seq > rows->first_seq)
        return BASE_E_CORRUPT;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint64_t next = i + 1 < rows->count ? rows->chunks[i + 1].first_seq : rows->end_seq;
        if (rows->chunks[i].first_seq + rows->chunks[i].count != next)
            return BASE_E_CORRUPT;
    }
    return 0;
}
