/* Keyed state of one operator: a hash table from key tuples to states, with the timers that wake them, the list of those that changed since the last
 * checkpoint, and the order of use for eviction. Knows nothing of what a state is. Shard thread only. */
#ifndef CEP_KEYED_H
#define CEP_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/row.h"

typedef int cep_keyed_piece(void *ctx, uint32_t piece, const void *bytes, size_t len); /* bytes NULL: deleted */

struct cep_key {
    struct cep_key *next;        /* chain of its bucket */
    struct cep_key *older, *newer; /* order of use */
    struct cep_key *dirty_next;  /* list of changed keys */
    uint64_t hash;
    void *state;                 /* the operator's; NULL: not there (yet) */
    int64_t armed_ms;            /* deadline of its entry in the timer heap; BASE_TIME_MAX_MS: none */
    uint32_t state_bytes;        /* as accounted, in units of 16 bytes */
    uint32_t timer_entries;      /* entries in the heap that name this key, stale ones included */
    bool removed;                /* unlinked; freed when the last of those entries is gone */
    bool dirty;                  /* changed since the last checkpoint */
    bool stored;                 /* the store holds pieces of it */
    bool cold;                   /* state was dropped from memory and must be loaded from the store before use */
    bool dead;                   /* idle: removed at the next checkpoint, after its deletion was written */
    struct cep_tuple tuple;      /* last: the key */
};
struct cep_timer { int64_t at_ms; struct cep_key *key; };
struct cep_keyed {
    struct cep_key **buckets;
    uint64_t mask, count;
    struct cep_timer *timers;    /* binary heap; entries of re-armed keys are stale and skipped */
    uint64_t timer_count, timer_cap;
    struct cep_key *dirty_first;
    struct cep_key *oldest, *newest;
    uint64_t bytes;              /* accounted memory of keys and states */
    uint32_t room_bytes;         /* room for the operator's state behind each key's tuple, zeroed: one block for both */
};
void cep_keyed_init(struct cep_keyed *keyed, uint32_t room_bytes);
/* That room; 16-byte aligned. */
static inline void *cep_key_room(struct cep_key *key)
{
    size_t at = offsetof(struct cep_key, tuple) + key->tuple.size_bytes;
    return (char *)key + ((at + 15) & ~(size_t)15);
}
/* Frees keys; states must have been freed by the operator before. */
void cep_keyed_finish(struct cep_keyed *keyed);
/* NULL if there is none. */
struct cep_key *cep_keyed_find(const struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t hash);
int cep_keyed_get(struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t hash, struct cep_key **ret, bool *ret_added) BASE_MUST_CHECK;
/* Unlinks the key (its state must be gone) and frees it, at once or when the timer heap no longer names it. */
void cep_keyed_remove(struct cep_keyed *keyed, struct cep_key *key);
/* Asks for a wake-up at at_ms (BASE_TIME_MAX_MS: none needed). An earlier armed entry stays and re-arms itself when it fires. */
int cep_keyed_arm(struct cep_keyed *keyed, struct cep_key *key, int64_t at_ms) BASE_MUST_CHECK;
/* Next key whose entry is at or below watermark_ms, taken off the heap; NULL if none. */
struct cep_key *cep_keyed_due(struct cep_keyed *keyed, int64_t watermark_ms);
int64_t cep_keyed_next_ms(const struct cep_keyed *keyed); /* BASE_TIME_MAX_MS: none */
void cep_keyed_mark(struct cep_keyed *keyed, struct cep_key *key); /* changed: onto the dirty list, newest in order of use */
void cep_keyed_account(struct cep_keyed *keyed, struct cep_key *key, size_t state_bytes);
uint64_t cep_key_hash(const struct cep_tuple *tuple);

#endif
