/* Rows of a key in order, found by identity, in stored pieces: against a plain array. */
#include "tests/unit/rnd.h"
#include "tests/unit/tap.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cep/rowset.h"

#define ROWS 3000

static const struct cep_type types[2] = { CEP_TYPE(BIGINT), CEP_TYPE(STRING) };

/* Row n; its order is its first column, of few values. */
static struct cep_row *row_of(struct base_arena *arena, int64_t n)
{
    struct cep_value values[2] = { cep_int(n * 7919 % 50), cep_string("some text of a row", (size_t)(n % 18)) };
    struct cep_row *row;
    struct cep_position at = { .offset = n, .partition = (int32_t)(n % 3) };
    return cep_row_make(types, values, 2, n * 31 % 400, at, arena, &row) == 0 ? row : NULL;
}

static struct cep_ident ident_of(int64_t n)
{
    return (struct cep_ident){ (uint64_t)n * 0x9e3779b97f4a7c15u, (uint64_t)n };
}

static int by_first(void *ctx BASE_UNUSED, const struct cep_row *a, const struct cep_row *b)
{
    int64_t x = cep_tuple_get(&a->tuple, 0, types[0]).i, y = cep_tuple_get(&b->tuple, 0, types[0]).i;
    return (x < y) - (x > y); /* greatest first */
}

static bool in_order(const struct cep_rowset *set)
{
    for (uint32_t i = 1; i < set->count; i++) {
        const struct cep_row *a = cep_rowset_at(set, i - 1)->row, *b = cep_rowset_at(set, i)->row;
        int c = by_first(NULL, a, b);
        if (c > 0 || (c == 0 && cep_row_compare(a, b) >= 0))
            return false;
    }
    return true;
}

/* The store: pieces by number. */
struct stored { struct base_buf pieces[256]; bool there[256]; uint32_t writes; };

static int on_piece(void *ctx, uint32_t piece, const void *bytes, size_t len)
{
    struct stored *s = ctx;
    base_buf_clear(&s->pieces[piece]);
    if (len)
        base_buf_put(&s->pieces[piece], bytes, len);
    s->there[piece] = bytes != NULL;
    s->writes++;
    return 0;
}

static int load_all(const struct stored *s, uint32_t pieces, struct cep_rowset *ret)
{
    int e = 0;
    ret->stored = pieces;
    for (uint32_t i = 0; i < pieces && e == 0; i++)
        if (s->there[2 + 3 * i])
            e = cep_rowset_load(ret, i, s->pieces[2 + 3 * i].ptr, s->pieces[2 + 3 * i].len, types, 2);
    return e ? e : cep_rowset_complete(ret, by_first, NULL);
}

static bool same(const struct cep_rowset *a, const struct cep_rowset *b)
{
    bool equal = a->count == b->count;
    for (uint32_t i = 0; equal && i < a->count; i++) {
        const struct cep_rowset_entry *x = cep_rowset_at(a, i), *y = cep_rowset_at(b, i);
        equal = cep_ident_equal(x->ident, y->ident) && x->mark == y->mark && cep_row_compare(x->row, y->row) == 0 && cep_tuple_equal(&x->row->tuple, &y->row->tuple);
    }
    return equal;
}

static bool step(struct cep_rowset *set, bool *there, struct base_arena *arena)
{
    int64_t n = (int64_t)rnd_wide(ROWS);
    uint32_t slot, place;
    if (cep_rowset_find(set, ident_of(n), &slot) != there[n])
        return false;
    if (!there[n]) {
        there[n] = true;
        bool good = cep_rowset_add(set, ident_of(n), row_of(arena, n), by_first, NULL, &place) == 0 && cep_ident_equal(cep_rowset_at(set, place)->ident, ident_of(n));
        cep_rowset_at(set, place)->mark = (uint32_t)n % 7;
        return good;
    }
    place = cep_rowset_place(set, slot, by_first, NULL);
    bool good = cep_ident_equal(cep_rowset_at(set, place)->ident, ident_of(n));
    there[n] = false;
    cep_rowset_drop(set, place);
    return good;
}

static void against_array(void)
{
    static bool there[ROWS];
    static struct stored stored;
    struct cep_rowset set = { 0 };
    struct base_arena arena = { 0 };
    bool right = true, ordered = true, restored = true;
    for (int turn = 0; turn < 40000; turn++) {
        right = right && step(&set, there, &arena);
        if (turn % 4000 == 1999) { /* now and then much goes from the front */
            for (int i = 0; i < 700 && set.count; i++) {
                there[cep_rowset_at(&set, 0)->ident.lo] = false;
                cep_rowset_drop(&set, 0);
            }
        }
        if (turn % 500)
            continue;
        ordered = ordered && in_order(&set);
        uint32_t pieces = cep_rowset_pieces(&set);
        restored = restored && pieces < 80 && cep_rowset_save(&set, false, 2, 3, on_piece, &stored) == 0;
        struct cep_rowset copy = { 0 };
        restored = restored && load_all(&stored, pieces, &copy) == 0 && same(&set, &copy);
        cep_rowset_finish(&copy);
        base_arena_reset(&arena);
    }
    OK(right, "rows are found while they are there, at their place");
    OK(ordered, "and stand in order");
    OK(restored, "what was saved in pieces comes back the same");
    stored.writes = 0;
    OK(cep_rowset_save(&set, false, 2, 3, on_piece, &stored) == 0 && stored.writes > 0, "changes since are saved");
    stored.writes = 0;
    OK(cep_rowset_save(&set, false, 2, 3, on_piece, &stored) == 0 && stored.writes == 0, "what did not change is not saved again");
    for (size_t i = 0; i < 256; i++)
        base_buf_finish(&stored.pieces[i]);
    cep_rowset_finish(&set);
    base_arena_finish(&arena);
}

static void damaged(void)
{
    struct base_arena arena = { 0 };
    struct cep_rowset set = { 0 };
    static struct stored stored;
    uint32_t place, corrupt = 0;
    bool total = true;
    for (int64_t n = 0; n < 40; n++)
        total = total && cep_rowset_add(&set, ident_of(n), row_of(&arena, n), by_first, NULL, &place) == 0;
    OK(total && cep_rowset_save(&set, true, 2, 3, on_piece, &stored) == 0, "forty rows are one piece");
    for (int turn = 0; turn < 20000; turn++) {
        struct base_buf bytes = { 0 };
        base_buf_put(&bytes, stored.pieces[2].ptr, stored.pieces[2].len);
        for (uint64_t i = rnd_wide(4); i-- > 0;)
            bytes.ptr[rnd_wide(bytes.len)] = (char)rnd_wide(256);
        struct cep_rowset copy = { .stored = 1 };
        int e = cep_rowset_load(&copy, 0, bytes.ptr, rnd_wide(5) ? bytes.len : rnd_wide(bytes.len), types, 2);
        if (e == 0)
            e = cep_rowset_complete(&copy, by_first, NULL);
        total = total && (e == 0 || e == BASE_E_CORRUPT);
        corrupt += e != 0;
        cep_rowset_finish(&copy);
        base_buf_finish(&bytes);
    }
    OK(total && corrupt > 1000, "damaged pieces are refused or hold other rows, nothing else");
    for (size_t i = 0; i < 256; i++)
        base_buf_finish(&stored.pieces[i]);
    cep_rowset_finish(&set);
    base_arena_finish(&arena);
}

int main(void)
{
    against_array();
    damaged();
    return tap_done();
}
