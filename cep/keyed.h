/* Keyed state of one operator: a hash table from key tuples to states, with the timers that wake them, the list of those that changed since the last
 * checkpoint, and marks of use for eviction. Knows nothing of what a state is. Shard thread only.
 *
 * The table is open addressing over {hash, pointer}, so that a probe costs one cache line and a full hash is compared before a key is touched. Eviction goes
 * round the table like the hand of a clock and passes over keys used since its last turn: nothing is relinked when a key is used. */
#ifndef CEP_KEYED_H
#define CEP_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/row.h"
#include "cep/wheel.h"

typedef int cep_keyed_piece(void *ctx, uint32_t piece, const void *bytes, size_t len); /* bytes NULL: deleted */

struct cep_key {
    uint64_t hash;
    void *state;                 /* the operator's; NULL: not there (yet) */
    struct cep_key *dirty_next;  /* list of changed keys */
    int64_t armed_ms;            /* deadline of its entry in the wheel; BASE_TIME_MAX_MS: none */
    uint32_t state_bytes;        /* as accounted, in units of 16 bytes */
    uint32_t timer_entries : 27; /* entries in the wheel that name this key, stale ones included */
    uint32_t removed : 1;        /* not in the table any more; freed when the last of those entries is gone */
    uint32_t dirty : 1;          /* changed since the last checkpoint */
    uint32_t stored : 1;         /* the store holds pieces of it */
    uint32_t cold : 1;           /* state was dropped from memory and must be loaded from the store before use */
    uint32_t used : 1;           /* since the hand passed */
    struct cep_tuple tuple;      /* last: the key */
};
struct cep_slot { uint64_t hash; struct cep_key *key; /* NULL: free */ };
struct cep_keyed {
    struct cep_slot *slots;
    uint64_t mask, count;        /* mask + 1 slots, a power of two; 0: none yet */
    struct cep_wheel wheel;
    struct cep_key *dirty_first;
    uint64_t marks;              /* how often a key was told to have changed */
    uint64_t hand;               /* next slot that eviction looks at */
    uint64_t bytes;              /* accounted memory of keys and states */
    uint64_t lingering;          /* and of removed keys that the wheel still names */
    uint32_t room_bytes;         /* room for the operator's state behind each key's tuple, zeroed: one block for both */
};
void cep_keyed_init(struct cep_keyed *keyed, uint32_t room_bytes);
/* That room; 8-byte aligned. */
static inline void *cep_key_room(struct cep_key *key) { return (char *)&key->tuple + key->tuple.size_bytes; }
/* Frees keys; states must have been freed by the operator before. */
void cep_keyed_finish(struct cep_keyed *keyed);
/* NULL if there is none. */
struct cep_key *cep_keyed_find(const struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t hash);
int cep_keyed_get(struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t hash, struct cep_key **ret, bool *ret_added) BASE_MUST_CHECK;
/* Takes the key out of the table (its state must be gone) and frees it, at once or when the wheel no longer names it. */
void cep_keyed_remove(struct cep_keyed *keyed, struct cep_key *key);
/* Frees the removed keys that the wheel still names. Takes time in proportion to all entries of the wheel. */
void cep_keyed_sweep(struct cep_keyed *keyed);
/* Asks for a wake-up at at_ms (BASE_TIME_MAX_MS: none needed). An earlier armed entry stays and re-arms itself when it fires. */
int cep_keyed_arm(struct cep_keyed *keyed, struct cep_key *key, int64_t at_ms) BASE_MUST_CHECK;
/* Next key whose entry is at or below watermark_ms, taken off the wheel; *ret NULL if there is none. BASE_E_NOMEM: ask again, nothing is lost. */
int cep_keyed_due(struct cep_keyed *keyed, int64_t watermark_ms, struct cep_key **ret) BASE_MUST_CHECK;
void cep_keyed_mark(struct cep_keyed *keyed, struct cep_key *key); /* changed: onto the dirty list, used */
void cep_keyed_account(struct cep_keyed *keyed, struct cep_key *key, size_t state_bytes);
/* One key after the other, from *at = 0; NULL at the end. Nothing may be added or removed meanwhile. */
struct cep_key *cep_keyed_each(const struct cep_keyed *keyed, uint64_t *at);
uint64_t cep_key_hash(const struct cep_tuple *tuple);

static inline uint64_t cep_keyed_home(const struct cep_keyed *keyed, uint64_t hash)
{
    return hash >> 20 & keyed->mask; /* the lowest bits say the key group: equal for many keys of a shard */
}
/* A key with this hash, whose tuple is not compared; NULL: there is none near its home. */
static inline struct cep_key *cep_keyed_guess(const struct cep_keyed *keyed, uint64_t hash)
{
    if (!keyed->slots)
        return NULL;
    uint64_t at = cep_keyed_home(keyed, hash);
    while (keyed->slots[at].key && keyed->slots[at].hash != hash)
        at = (at + 1) & keyed->mask;
    return keyed->slots[at].key;
}
/* For batches: first the slot of a coming key is brought near, some rows later the key. */
static inline void cep_keyed_prefetch_slot(const struct cep_keyed *keyed, uint64_t hash)
{
    if (keyed->slots)
        __builtin_prefetch(&keyed->slots[cep_keyed_home(keyed, hash)]);
}
static inline void cep_keyed_prefetch_key(const struct cep_keyed *keyed, uint64_t hash)
{
    if (!keyed->slots)
        return;
    uint64_t at = cep_keyed_home(keyed, hash);
    for (int i = 0; i < 4; i++, at = (at + 1) & keyed->mask) {
        const struct cep_slot *slot = &keyed->slots[at];
        if (!slot->key || slot->hash == hash) {
            const char *key = (const char *)slot->key;
            if (key) {
                __builtin_prefetch(key);
                __builtin_prefetch(key + 64);
                __builtin_prefetch(key + 128);
            }
            return;
        }
    }
}

#endif
