/* The rows that an operator keeps of a key, in an order, found by identity, stored in pieces that changed. Used by TOPN and JOIN; knows neither.
 *
 * A row lives in a slot for as long as it is kept; `order` holds the slots in order. Rows that compare equal stand in the order of (time, place, partition,
 * offset), then by identity, so that the order depends on nothing else. Slots are stored 64 to a piece; a piece without rows is deleted. Zero-initialise.
 * Shard thread only. */
#ifndef CEP_ROWSET_H
#define CEP_ROWSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/changelog.h"
#include "cep/keyed.h"

#define CEP_ROWSET_PIECE_ROWS 64u

struct cep_rowset_entry {
    struct cep_ident ident;
    struct cep_row *row;   /* owned; NULL: the slot is free */
    uint32_t mark;         /* the operator's: partners (JOIN), shown (TOPN); stored */
    uint32_t next;         /* 1 + next slot of its bucket or of the free ones; 0: last */
};
/* How rows compare apart from the tie-break; NULL: by the tie-break alone. */
typedef int cep_rowset_compare(void *ctx, const struct cep_row *a, const struct cep_row *b);
struct cep_rowset {
    struct cep_rowset_entry *entries;
    uint32_t slots, cap;        /* slots ever used, room */
    uint32_t free_first;        /* 1 + slot */
    uint32_t *order;            /* [first, first + count) */
    uint32_t first, count, order_cap;
    uint32_t *buckets;          /* 1 + slot; NULL while there are few rows */
    uint32_t mask;
    uint8_t *dirty;             /* per piece */
    uint32_t pieces, stored;    /* pieces there is room for in dirty; pieces that the store may hold */
    size_t row_bytes;
};

/* Identity under which a row is kept: its own and, for the same row by two ways of a UNION, its place. */
struct cep_ident cep_rowset_ident(const struct cep_event *event);
/* Keeps a copy of the row. *ret_place: where it stands in the order. BASE_E_NOMEM. The identity must be new. */
int cep_rowset_add(struct cep_rowset *set, struct cep_ident ident, const struct cep_row *row, cep_rowset_compare *compare, void *ctx,
                   uint32_t *ret_place) BASE_MUST_CHECK;
/* Slot of an identity; false: it is not kept. */
bool cep_rowset_find(const struct cep_rowset *set, struct cep_ident ident, uint32_t *ret_slot);
/* Where a slot stands in the order. */
uint32_t cep_rowset_place(const struct cep_rowset *set, uint32_t slot, cep_rowset_compare *compare, void *ctx);
/* Takes the row at a place of the order out; it is the caller's then (base_free). */
struct cep_row *cep_rowset_take(struct cep_rowset *set, uint32_t place);
/* As take, and frees it. */
void cep_rowset_drop(struct cep_rowset *set, uint32_t place);
static inline struct cep_rowset_entry *cep_rowset_at(const struct cep_rowset *set, uint32_t place)
{
    return &set->entries[set->order[set->first + place]];
}
/* The entry's mark was changed. */
void cep_rowset_touch(struct cep_rowset *set, const struct cep_rowset_entry *entry);
size_t cep_rowset_bytes(const struct cep_rowset *set);
void cep_rowset_finish(struct cep_rowset *set);

/* Pieces of the set are numbered base, base + step, base + 2 * step, ... The count of them stands in the operator's head: cep_rowset_pieces now, told to the
 * set before loading. */
uint32_t cep_rowset_pieces(const struct cep_rowset *set);
int cep_rowset_save(struct cep_rowset *set, bool all, uint32_t base, uint32_t step, cep_keyed_piece *piece, void *ctx) BASE_MUST_CHECK;
/* BASE_E_CORRUPT: the bytes hold no such rows. */
int cep_rowset_load(struct cep_rowset *set, uint32_t number, const void *bytes, size_t len, const struct cep_type *types, uint32_t columns) BASE_MUST_CHECK;
/* All pieces are there: order and buckets. */
int cep_rowset_complete(struct cep_rowset *set, cep_rowset_compare *compare, void *ctx) BASE_MUST_CHECK;

#endif
