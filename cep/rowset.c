#include "cep/rowset.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#define SLOTS_MAX (1u << 26)
#define FEW 16u /* rows that are searched one by one */

struct cep_ident cep_rowset_ident(const struct cep_event *event)
{
    uint64_t place = event->row->at.place;
    return (struct cep_ident){ event->ident.hi ^ place, event->ident.lo + place * UINT64_C(0x9e3779b97f4a7c15) };
}

static int compare_rows(const struct cep_rowset_entry *a, const struct cep_rowset_entry *b, cep_rowset_compare *compare, void *ctx)
{
    int c = compare ? compare(ctx, a->row, b->row) : 0;
    if (!c)
        c = cep_row_compare(a->row, b->row);
    if (!c)
        c = a->ident.hi != b->ident.hi ? (a->ident.hi < b->ident.hi ? -1 : 1) : a->ident.lo != b->ident.lo ? (a->ident.lo < b->ident.lo ? -1 : 1) : 0;
    return c;
}

/* ---- identity ---- */

static uint32_t *bucket_of(const struct cep_rowset *set, struct cep_ident ident)
{
    return &set->buckets[(ident.lo ^ ident.hi >> 32) & set->mask];
}

static void link_slot(struct cep_rowset *set, uint32_t slot)
{
    uint32_t *bucket = bucket_of(set, set->entries[slot].ident);
    set->entries[slot].next = *bucket;
    *bucket = slot + 1;
}

static int grow_buckets(struct cep_rowset *set, uint32_t rows)
{
    if (rows <= FEW || (set->buckets && rows <= set->mask + 1))
        return 0;
    uint32_t size = 2 * FEW;
    while (size < rows)
        size *= 2;
    uint32_t *buckets = base_calloc(size, sizeof *buckets);
    if (!buckets)
        return BASE_E_NOMEM;
    base_free(set->buckets);
    set->buckets = buckets;
    set->mask = size - 1;
    for (uint32_t i = 0; i < set->slots; i++)
        if (set->entries[i].row)
            link_slot(set, i);
    return 0;
}

bool cep_rowset_find(const struct cep_rowset *set, struct cep_ident ident, uint32_t *ret_slot)
{
    if (!set->buckets) {
        for (uint32_t i = 0; i < set->count; i++) {
            uint32_t slot = set->order[set->first + i];
            if (cep_ident_equal(set->entries[slot].ident, ident)) {
                *ret_slot = slot;
                return true;
            }
        }
        return false;
    }
    for (uint32_t at = *bucket_of(set, ident); at; at = set->entries[at - 1].next) {
        if (cep_ident_equal(set->entries[at - 1].ident, ident)) {
            *ret_slot = at - 1;
            return true;
        }
    }
    return false;
}

static void unlink_slot(struct cep_rowset *set, uint32_t slot)
{
    if (!set->buckets)
        return;
    uint32_t *at = bucket_of(set, set->entries[slot].ident);
    while (*at && *at != slot + 1)
        at = &set->entries[*at - 1].next;
    if (*at)
        *at = set->entries[slot].next;
}

/* ---- slots and order ---- */

static int reserve_pieces(struct cep_rowset *set, uint32_t slots)
{
    uint32_t pieces = (slots + CEP_ROWSET_PIECE_ROWS - 1) / CEP_ROWSET_PIECE_ROWS;
    if (pieces <= set->pieces)
        return 0;
    uint32_t cap = set->pieces ? set->pieces * 2 : 1;
    cap = cap < pieces ? pieces : cap;
    uint8_t *dirty = base_realloc(set->dirty, cap);
    if (!dirty)
        return BASE_E_NOMEM;
    memset(dirty + set->pieces, 0, cap - set->pieces);
    set->dirty = dirty;
    set->pieces = cap;
    return 0;
}

static int reserve_slots(struct cep_rowset *set, uint32_t slots)
{
    if (slots > SLOTS_MAX)
        return BASE_E_LIMIT;
    if (slots > set->cap) {
        uint32_t cap = set->cap ? set->cap * 2 : 4;
        cap = cap < slots ? slots : cap;
        struct cep_rowset_entry *entries = base_realloc(set->entries, cap * sizeof *entries);
        if (!entries)
            return BASE_E_NOMEM;
        memset(entries + set->cap, 0, (cap - set->cap) * sizeof *entries);
        set->entries = entries;
        set->cap = cap;
    }
    return reserve_pieces(set, slots);
}

static int reserve_order(struct cep_rowset *set, uint32_t count)
{
    if (set->first + count <= set->order_cap)
        return 0;
    if (set->first > 0 && set->first >= set->order_cap / 2) { /* much was taken from the front */
        memmove(set->order, set->order + set->first, set->count * sizeof *set->order);
        set->first = 0;
        if (count <= set->order_cap)
            return 0;
    }
    uint32_t cap = set->order_cap ? set->order_cap * 2 : 4;
    cap = cap < set->first + count ? set->first + count : cap;
    uint32_t *order = base_realloc(set->order, cap * sizeof *order);
    if (!order)
        return BASE_E_NOMEM;
    set->order = order;
    set->order_cap = cap;
    return 0;
}

/* First place whose row is not before the entry's. */
static uint32_t lower_bound(const struct cep_rowset *set, const struct cep_rowset_entry *entry, cep_rowset_compare *compare, void *ctx)
{
    uint32_t low = 0, high = set->count;
    if (high && compare_rows(cep_rowset_at(set, high - 1), entry, compare, ctx) < 0)
        return high; /* rows mostly come in order */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_rows(cep_rowset_at(set, middle), entry, compare, ctx) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t cep_rowset_place(const struct cep_rowset *set, uint32_t slot, cep_rowset_compare *compare, void *ctx)
{
    return lower_bound(set, &set->entries[slot], compare, ctx);
}

static void mark_dirty(struct cep_rowset *set, uint32_t slot)
{
    set->dirty[slot / CEP_ROWSET_PIECE_ROWS] = 1;
}

void cep_rowset_touch(struct cep_rowset *set, const struct cep_rowset_entry *entry)
{
    mark_dirty(set, (uint32_t)(entry - set->entries));
}

int cep_rowset_add(struct cep_rowset *set, struct cep_ident ident, const struct cep_row *row, cep_rowset_compare *compare, void *ctx, uint32_t *ret_place)
{
    int rc = set->free_first ? 0 : reserve_slots(set, set->slots + 1);
    if (!rc)
        rc = reserve_order(set, set->count + 1);
    if (!rc)
        rc = grow_buckets(set, set->count + 1);
    if (rc)
        return rc;
    struct cep_row *copy = base_alloc(cep_row_size(row));
    if (!copy)
        return BASE_E_NOMEM;
    memcpy(copy, row, cep_row_size(row));
    copy->change = CEP_INSERT;
    uint32_t slot = set->free_first ? set->free_first - 1 : set->slots++;
    struct cep_rowset_entry *entry = &set->entries[slot];
    if (set->free_first)
        set->free_first = entry->next;
    *entry = (struct cep_rowset_entry){ .ident = ident, .row = copy };
    if (set->buckets)
        link_slot(set, slot);
    uint32_t place = lower_bound(set, entry, compare, ctx);
    uint32_t *at = set->order + set->first + place;
    memmove(at + 1, at, (set->count - place) * sizeof *at);
    *at = slot;
    set->count++;
    set->row_bytes += cep_row_size(copy);
    mark_dirty(set, slot);
    *ret_place = place;
    return 0;
}

struct cep_row *cep_rowset_take(struct cep_rowset *set, uint32_t place)
{
    uint32_t *at = set->order + set->first + place;
    uint32_t slot = *at;
    struct cep_rowset_entry *entry = &set->entries[slot];
    struct cep_row *row = entry->row;
    unlink_slot(set, slot);
    set->row_bytes -= cep_row_size(row);
    *entry = (struct cep_rowset_entry){ .next = set->free_first };
    set->free_first = slot + 1;
    if (place == 0) {
        set->first++;
    } else {
        memmove(at, at + 1, (set->count - place - 1) * sizeof *at);
    }
    if (--set->count == 0)
        set->first = 0;
    mark_dirty(set, slot);
    return row;
}

void cep_rowset_drop(struct cep_rowset *set, uint32_t place)
{
    base_free(cep_rowset_take(set, place));
}

size_t cep_rowset_bytes(const struct cep_rowset *set)
{
    return set->row_bytes + set->count * 16 + set->cap * sizeof *set->entries + set->order_cap * sizeof *set->order + set->pieces +
           (set->buckets ? (set->mask + 1) * sizeof *set->buckets : 0);
}

void cep_rowset_finish(struct cep_rowset *set)
{
    for (uint32_t i = 0; i < set->slots; i++)
        base_free(set->entries[i].row);
    base_free(set->entries);
    base_free(set->order);
    base_free(set->buckets);
    base_free(set->dirty);
    *set = (struct cep_rowset){ 0 };
}

/* ---- stored form ---- */

/* A piece: rows of its slots, each: slot within the piece, identity, mark, row. */

uint32_t cep_rowset_pieces(const struct cep_rowset *set)
{
    uint32_t used = (set->slots + CEP_ROWSET_PIECE_ROWS - 1) / CEP_ROWSET_PIECE_ROWS;
    return used > set->stored ? used : set->stored;
}

static uint32_t put_piece(const struct cep_rowset *set, uint32_t number, struct base_buf *buf)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < CEP_ROWSET_PIECE_ROWS; i++) {
        uint32_t slot = number * CEP_ROWSET_PIECE_ROWS + i;
        if (slot >= set->slots || !set->entries[slot].row)
            continue;
        const struct cep_rowset_entry *entry = &set->entries[slot];
        base_buf_put_u8(buf, (uint8_t)i);
        base_buf_put_u64(buf, entry->ident.hi);
        base_buf_put_u64(buf, entry->ident.lo);
        base_buf_put_u32(buf, entry->mark);
        base_buf_put_bytes(buf, (const char *)entry->row, cep_row_size(entry->row));
        rows++;
    }
    return rows;
}

int cep_rowset_save(struct cep_rowset *set, bool all, uint32_t base, uint32_t step, cep_keyed_piece *piece, void *ctx)
{
    struct base_buf buf = { 0 };
    uint32_t count = cep_rowset_pieces(set);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        bool dirty = i < set->pieces && set->dirty[i];
        if (!dirty && !all)
            continue;
        base_buf_clear(&buf);
        uint32_t rows = put_piece(set, i, &buf);
        if (buf.failed)
            rc = BASE_E_NOMEM;
        else if (rows || !all)
            rc = piece(ctx, base + i * step, rows ? buf.ptr : NULL, rows ? buf.len : 0);
        if (!rc && i < set->pieces && !all)
            set->dirty[i] = 0;
    }
    if (!rc && count > set->stored)
        set->stored = count;
    base_buf_finish(&buf);
    return rc;
}

static bool row_valid(struct base_str bytes, const struct cep_type *types, uint32_t columns)
{
    size_t head = offsetof(struct cep_row, tuple);
    return bytes.len > head && bytes.len - head <= CEP_ROW_BYTES_MAX && cep_tuple_valid(bytes.ptr + head, bytes.len - head, types, columns);
}

int cep_rowset_load(struct cep_rowset *set, uint32_t number, const void *bytes, size_t len, const struct cep_type *types, uint32_t columns)
{
    struct base_reader in = { .at = bytes, .end = (const uint8_t *)bytes + len };
    if (number >= SLOTS_MAX / CEP_ROWSET_PIECE_ROWS)
        return BASE_E_CORRUPT;
    while (in.at < in.end) {
        uint8_t within = base_read_u8(&in);
        struct cep_ident ident = { .hi = base_read_u64(&in) };
        ident.lo = base_read_u64(&in);
        uint32_t mark = base_read_u32(&in);
        struct base_str text = base_read_bytes(&in);
        if (in.failed || within >= CEP_ROWSET_PIECE_ROWS || text.len <= offsetof(struct cep_row, tuple) || text.len > CEP_ROW_BYTES_MAX)
            return BASE_E_CORRUPT;
        uint32_t slot = number * CEP_ROWSET_PIECE_ROWS + within;
        int rc = reserve_slots(set, slot + 1);
        struct cep_row *row = rc ? NULL : base_alloc(text.len); /* a copy first: the bytes lie anywhere */
        if (!row)
            return rc ? rc : BASE_E_NOMEM;
        memcpy(row, text.ptr, text.len);
        if (set->entries[slot].row || !row_valid((struct base_str){ (const char *)row, text.len }, types, columns) || row->change != CEP_INSERT) {
            base_free(row);
            return BASE_E_CORRUPT;
        }
        set->slots = slot + 1 > set->slots ? slot + 1 : set->slots;
        set->entries[slot] = (struct cep_rowset_entry){ .ident = ident, .row = row, .mark = mark };
        set->row_bytes += cep_row_size(row);
        set->count++;
    }
    if (number >= set->stored)
        set->stored = number + 1;
    return 0;
}

struct sorting { struct cep_rowset *set; cep_rowset_compare *compare; void *ctx; };

static void sift(const struct sorting *s, uint32_t root, uint32_t n)
{
    uint32_t *at = s->set->order, slot = at[root];
    const struct cep_rowset_entry *entries = s->set->entries;
    while (2 * root + 1 < n) {
        uint32_t child = 2 * root + 1;
        if (child + 1 < n && compare_rows(&entries[at[child]], &entries[at[child + 1]], s->compare, s->ctx) < 0)
            child++;
        if (compare_rows(&entries[slot], &entries[at[child]], s->compare, s->ctx) >= 0)
            break;
        at[root] = at[child];
        root = child;
    }
    at[root] = slot;
}

int cep_rowset_complete(struct cep_rowset *set, cep_rowset_compare *compare, void *ctx)
{
    uint32_t rows = set->count, n = 0;
    set->count = 0;
    int rc = reserve_order(set, rows);
    if (!rc)
        rc = reserve_pieces(set, set->slots);
    if (rc)
        return rc;
    set->free_first = 0;
    for (uint32_t i = set->slots; i-- > 0;) {
        if (set->entries[i].row) {
            set->order[n++] = i;
            continue;
        }
        set->entries[i].next = set->free_first;
        set->free_first = i + 1;
    }
    const struct sorting sorting = { set, compare, ctx };
    for (uint32_t i = n / 2; i-- > 0;)
        sift(&sorting, i, n);
    for (uint32_t end = n; end > 1; end--) {
        uint32_t swap = set->order[0];
        set->order[0] = set->order[end - 1];
        set->order[end - 1] = swap;
        sift(&sorting, 0, end - 1);
    }
    set->first = 0;
    set->count = n;
    for (uint32_t i = 1; i < n; i++)
        if (cep_ident_equal(cep_rowset_at(set, i - 1)->ident, cep_rowset_at(set, i)->ident))
            return BASE_E_CORRUPT; /* one identity twice */
    base_free(set->buckets);
    set->buckets = NULL;
    return grow_buckets(set, n);
}
