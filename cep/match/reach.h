/* From which states, before which row of a partition, can acceptance be reached? One pass over the rows from the last to the first answers it for all, as a
 * deterministic automaton over sets of states that is built as it is used: a set and what the conditions see of a row give the set before that row. With the
 * answers at hand the preferred match of a start is walked without trying: at each branch the first way from which acceptance can be reached is the way
 * (docs/engine.md, Claim 14). For patterns whose conditions ask the row and its neighbours alone, and which neither wait nor guard. Used by batch.c. One thread. */
#ifndef CEP_MATCH_REACH_H
#define CEP_MATCH_REACH_H

#include "cep/match/match.h"

#define MATCH_REACH_PREDS_MOST 16u
#define MATCH_REACH_CLASSES_MOST 256u
#define MATCH_REACH_STATES_MOST 65000u
#define MATCH_REACH_BYTES_MOST ((size_t)256 << 20)

/* Where several rows together lead from a set: the sets before each of them. */
struct match_reach_stride { uint16_t sets[4]; };

struct match_reach {
    const struct match_op *op;
    uint32_t *order;           /* pcs, each behind those that it goes to without a row */
    uint32_t pcs, words;
    uint32_t preds[MATCH_REACH_PREDS_MOST]; /* of the pattern's preds; bit of a sight by place */
    uint32_t pred_count;
    uint8_t *bit_of;           /* per pc: TAKE: 1 + place of its pred; 0: always true */
    uint32_t shift;            /* next is [set << shift | class] */
    uint16_t class_sight[MATCH_REACH_CLASSES_MOST]; /* what the conditions see of a row of the class */
    uint32_t classes;
    uint8_t *class_of;         /* of a sight, beyond 8 preds; 0xff: none yet */
    uint64_t *sets;            /* words each */
    uint8_t *hit;              /* per set: does it hold pc 0? */
    uint16_t *next;            /* 0xffff: not known yet */
    struct match_reach_stride *strides; /* [set << 8 | classes of as many rows as 8 bits hold], for the first sets; sets[0] 0xffff: not known yet. NULL: none yet */
    uint32_t count, cap;
    uint32_t *table, table_cap; /* hash -> 1 + set */
    uint64_t *scratch;
    uint16_t end;              /* the set behind the last row */
};
/* BASE_E_UNSUPPORTED: not such a pattern. BASE_E_NOMEM. reach is to be finished in any case. */
int cep_match_reach_init(struct match_reach *reach, const struct match_op *op) BASE_MUST_CHECK;
void cep_match_reach_finish(struct match_reach *reach);
/* Class of a row of which the conditions see this (bit i: preds[i] holds). BASE_E_LIMIT: too many different ones. */
int cep_match_reach_class(struct match_reach *reach, uint32_t sight, uint8_t *ret) BASE_MUST_CHECK;
/* Sets before each row of a partition of count rows with these classes; sets[count] is the one behind the last. BASE_E_LIMIT: too many sets, BASE_E_NOMEM. */
int cep_match_reach_run(struct match_reach *reach, const uint8_t *classes, uint32_t count, uint16_t *sets) BASE_MUST_CHECK;
static inline bool cep_match_reach_has(const struct match_reach *reach, uint16_t set, uint32_t pc)
{
    return reach->sets[(size_t)set * reach->words + pc / 64] >> (pc % 64) & 1;
}

#endif
