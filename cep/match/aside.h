/* Matches that were told out of order, kept until they can go out in order: copies of their events, or the names of their rows, each with the place where it belongs. One thread. */
#ifndef CEP_MATCH_ASIDE_H
#define CEP_MATCH_ASIDE_H

#include "cep/flow.h"
#include "cep/match/picks.h"

#define MATCH_ASIDE_SPARES 4
/* What belongs to an event lies behind it, as far as nothing else had it before. */
enum match_aside_what { MATCH_ASIDE_EVENT, MATCH_ASIDE_NAMED /* a new match */, MATCH_ASIDE_SETTLED /* a named one */ };
struct match_aside_place { uint32_t place; uint32_t what; union { const struct cep_event *event; const struct match_named *named; }; };
struct match_aside {
    struct { struct match_aside_place *at; size_t len, cap; } places; /* in the order in which they were kept; sorted, in that of their places */
    struct { void **at; size_t len, cap; } chunks;
    char *next;          /* in the chunk under way, */
    size_t room;         /* and how much of it is left */
    struct { char *at; size_t bytes; } spares[MATCH_ASIDE_SPARES]; /* chunks that come next */
    uint32_t spare_count;
    uint32_t place;      /* of what is kept next */
    bool plain;          /* nobody reads keys, evidence, or that something is settled */
    struct match_picks picks; /* results may be made of their rows when they go out */
    const struct cep_tuple *key; /* the last one that was copied, */
    struct cep_tuple *key_copy;
};
/* Memory from base_alloc that is not needed for anything else: what is kept goes there first, for fresh pages must be cleared by the system. NULL: nothing is done. */
void cep_match_aside_give(struct match_aside *aside, void *block, size_t bytes);
/* BASE_E_NOMEM. */
int cep_match_aside_keep(struct match_aside *aside, const struct cep_event *event) BASE_MUST_CHECK;
/* A new match by its rows; *ret: a copy, with its key, which is good as long as this is. BASE_E_NOMEM. */
int cep_match_aside_name(struct match_aside *aside, const struct match_named *named, const struct match_named **ret) BASE_MUST_CHECK;
/* It is settled. BASE_E_NOMEM. */
int cep_match_aside_settle(struct match_aside *aside, const struct match_named *named) BASE_MUST_CHECK;
/* The next event is of another key, or the key may have moved. */
static inline void cep_match_aside_new_key(struct match_aside *aside) { aside->key = NULL; }
/* Into the order of their places; those of one place stay in the order in which they were kept. BASE_E_NOMEM. */
int cep_match_aside_sort(struct match_aside *aside, uint32_t place_end) BASE_MUST_CHECK;
void cep_match_aside_finish(struct match_aside *aside);

#endif
