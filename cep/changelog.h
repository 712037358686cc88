/* Changelogs: how rows that change travel between operators, and the one piece of memory that stateless nodes need for it. Internal to cep/.
 *
 * The law, for every operator that reads or gives changes:
 * - A derived row has an identity (cep_event.ident). INSERT brings it into being, UPDATE_AFTER gives it other columns, DELETE ends it and carries the
 *   row as it last stood. An identity that was deleted may come back by INSERT.
 * - GROUP, OVER, WINDOW, JOIN, TOPN and a LOOKUP that corrects itself send UPDATE_BEFORE, with the row as it stood, and directly behind it UPDATE_AFTER of the same identity. A row
 *   pattern sends UPDATE_AFTER alone: no operator but ALERT and SINK stands behind an eager one (the compiler makes the others final).
 * - A node that drops, changes or re-keys rows (CALC, LOOKUP, EXCHANGE) keeps the pair whole: both halves pass, or what is left of the pair becomes an
 *   INSERT or a DELETE. Between two shards rows of others may come between the halves, never an epoch's barrier.
 *   Where a row pattern's lone UPDATE_AFTER does not pass, it becomes a DELETE.
 * - So a reader that knows its rows by identity ignores UPDATE_BEFORE; one that folds values takes it back. Neither ever sees half a pair.
 * Shard thread only. */
#ifndef CEP_CHANGELOG_H
#define CEP_CHANGELOG_H

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "cep/flow.h"

/* The first half of a pair as a node made it, kept until the second half comes. */
struct cep_half {
    struct cep_ident ident;
    struct cep_row *row;   /* owned; NULL: the node drops it */
    struct cep_tuple *key; /* owned; EXCHANGE only */
};
struct cep_halves {
    struct cep_half *at;
    size_t len, cap;
};
static inline bool cep_ident_equal(struct cep_ident a, struct cep_ident b)
{
    return a.hi == b.hi && a.lo == b.lo;
}
/* Identity of what comes of two rows (a pair of a join), in this order. */
struct cep_ident cep_ident_join(struct cep_ident a, struct cep_ident b);
/* Identity of row number `rank` of a key. */
struct cep_ident cep_ident_rank(uint64_t key_hash, uint64_t rank);
/* Keeps copies of row and key (each may be NULL). BASE_E_NOMEM; BASE_E_LIMIT when more halves wait than there can be. */
int cep_halves_hold(struct cep_halves *halves, struct cep_ident ident, const struct cep_row *row, const struct cep_tuple *key) BASE_MUST_CHECK;
/* Takes the half of this identity out; its row and key are the caller's then (base_free). false: there is none. */
bool cep_halves_take(struct cep_halves *halves, struct cep_ident ident, struct cep_half *ret);
void cep_halves_finish(struct cep_halves *halves);

#endif
