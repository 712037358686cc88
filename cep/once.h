/* Conditions that several row patterns behind a node ask of the same row are evaluated once: what the first pattern found, the others read (docs/engine.md, Claim 15).
 * A condition qualifies if it sees the row alone, and only those that two or more patterns have get a place here. Made by the flow for each node, asked by the row pattern
 * operators (match/nfa.c, match/config.c); one thread. Never evaluates anything itself. */
#ifndef CEP_ONCE_H
#define CEP_ONCE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"
#include "cep/row.h"

struct cep_once {
    uint32_t slots, place_count;
    struct cep_once_place *places; /* in order of node, then condition */
    const struct cep_row *row;     /* under way; NULL: none */
    uint64_t *known, *holds;       /* by slot, of that row */
};
/* Of the patterns that read the node. *ret NULL: no two of them share a condition. BASE_E_NOMEM. */
int cep_once_create(const struct cep_program *program, uint32_t node, struct cep_once **ret) BASE_MUST_CHECK;
void cep_once_destroy(struct cep_once *once); /* NULL allowed */
/* The slots of a MATCH node's conditions, count of them, by their place in the pattern; CEP_NONE: not shared. False: none is. */
bool cep_once_slots(const struct cep_once *once, uint32_t match_node, uint32_t count, uint32_t *slots);
/* A row goes out from the node; it lives until the next call. NULL: it has gone. */
void cep_once_row(struct cep_once *once, const struct cep_row *row);

/* Is this the row under way, or a copy of it? */
static inline bool cep_once_is(const struct cep_once *once, const struct cep_row *row)
{
    const struct cep_row *now = once->row;
    return now && (now == row || (now->time_ms == row->time_ms && cep_tuple_equal(&now->tuple, &row->tuple)));
}
/* What is known of it: 0 nothing, 1 false, 2 true. */
static inline uint8_t cep_once_known(const struct cep_once *once, uint32_t slot)
{
    uint64_t bit = UINT64_C(1) << slot % 64;
    return once->known[slot / 64] & bit ? (once->holds[slot / 64] & bit ? 2 : 1) : 0;
}
static inline void cep_once_note(struct cep_once *once, uint32_t slot, bool holds)
{
    once->known[slot / 64] |= UINT64_C(1) << slot % 64;
    once->holds[slot / 64] |= (uint64_t)holds << slot % 64;
}

#endif
