/* Keyed state of one operator: a hash table from key tuples to states, with the timers that wake them, the list of those that changed since the last
 * checkpoint, and marks of use for eviction. Knows nothing of what a state is. Shard thread only.
 *
 * The table is open addressing over words of eight bytes, a pointer with 16 bits of the place, so that a probe costs one cache line and hardly a foreign key is touched. Eviction goes
 * round the table like the hand of a clock and passes over keys used since its last turn: nothing is relinked when a key is used. The place is a hash of the
 * table's own: it is asked for with every row and stored nowhere, while cep_key_hash, which is part of stored formats, costs five times as much. */
#ifndef CEP_KEYED_H
#define CEP_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/blocks.h"
#include "cep/row.h"
#include "cep/wheel.h"

typedef int cep_keyed_piece(void *ctx, uint32_t piece, const void *bytes, size_t len); /* bytes NULL: deleted */

#define CEP_STATE_UNIT 8u /* bytes: states are accounted in these */
struct cep_key {
    void *state;                 /* the operator's; NULL: not there (yet). */
    int64_t armed_ms;            /* deadline of its entry in the wheel; BASE_TIME_MAX_MS: none */
    uint32_t state_bytes;        /* as accounted, in units of CEP_STATE_UNIT */
    uint32_t timer_entries : 26; /* entries in the wheel that name this key, stale ones included */
    uint32_t removed : 1;        /* not in the table any more; freed when the last of those entries is gone */
    uint32_t dirty : 1;          /* changed since the last checkpoint */
    uint32_t stored : 1;         /* the store holds pieces of it */
    uint32_t cold : 1;           /* state was dropped from memory and must be loaded from the store before use */
    uint32_t used : 1;           /* since the hand passed */
    uint32_t single : 1;         /* allocated by itself */
    struct cep_tuple tuple;      /* last: the key */
};
/* A slot: the key's address, of which 44 bits can be other than 0; the upper 16 bits of its place; how far from its home it lies, CEP_SLOT_FAR: so far or farther. 0: free. */
#define CEP_SLOT_FAR 15u
#define CEP_SLOT_KEY UINT64_C(0x0000fffffffffff0)
#define CEP_SLOT_TAG UINT64_C(0xffff000000000000)
#define CEP_KEYED_FEW 64 /* so many keys are allocated by themselves: most operators have no more */
struct cep_keyed {
    uint64_t *slots;
    uint64_t mask, count;        /* mask + 1 slots, a power of two; 0: none yet */
    struct cep_wheel wheel;
    struct { struct cep_key **at; size_t len, cap; } dirty; /* changed keys */
    uint64_t marks;              /* how often a key was told to have changed */
    uint64_t hand;               /* next slot that eviction looks at */
    uint64_t bytes;              /* accounted memory of keys and states */
    uint64_t lingering;          /* and of removed keys that the wheel still names */
    uint64_t removals;           /* how many keys were taken out so far: the same number again means that a key found before is still there */
    struct cep_blocks blocks;    /* memory of keys, from CEP_KEYED_FEW on */
    uint32_t room_bytes;         /* room for the operator's state behind each key's tuple, zeroed: one block for both */
};
void cep_keyed_init(struct cep_keyed *keyed, uint32_t room_bytes);
/* That room; 8-byte aligned. */
static inline void *cep_key_room(struct cep_key *key) { return (char *)&key->tuple + key->tuple.size_bytes; }
/* Frees keys; states must have been freed by the operator before. */
void cep_keyed_finish(struct cep_keyed *keyed);
/* NULL if there is none. */
struct cep_key *cep_keyed_find(const struct cep_keyed *keyed, const struct cep_tuple *tuple);
/* Finds or adds. */
int cep_keyed_get(struct cep_keyed *keyed, const struct cep_tuple *tuple, struct cep_key **ret, bool *ret_added) BASE_MUST_CHECK;
/* The same for whom knows the tuple's place. */
int cep_keyed_get_at(struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t place, struct cep_key **ret, bool *ret_added) BASE_MUST_CHECK;
/* Takes the key out of the table (its state must be gone) and frees it, at once or when the wheel no longer names it. */
void cep_keyed_remove(struct cep_keyed *keyed, struct cep_key *key);
/* Frees the removed keys that the wheel still names. Takes time in proportion to all entries of the wheel. */
void cep_keyed_sweep(struct cep_keyed *keyed);
/* Asks for a wake-up at at_ms (BASE_TIME_MAX_MS: none needed). An earlier armed entry stays and re-arms itself when it fires. */
int cep_keyed_arm(struct cep_keyed *keyed, struct cep_key *key, int64_t at_ms) BASE_MUST_CHECK;
/* Next key whose entry is at or below watermark_ms, taken off the wheel; *ret NULL if there is none. BASE_E_NOMEM: ask again, nothing is lost. */
int cep_keyed_due(struct cep_keyed *keyed, int64_t watermark_ms, struct cep_key **ret) BASE_MUST_CHECK;
int cep_keyed_mark(struct cep_keyed *keyed, struct cep_key *key) BASE_MUST_CHECK; /* changed: onto the dirty list, used */
/* The changed key that was marked last, which stays one; NULL: there is none any more. */
struct cep_key *cep_keyed_dirty(struct cep_keyed *keyed);
/* That one, or one that is not changed, is not changed any more. */
void cep_keyed_clean(struct cep_keyed *keyed, struct cep_key *key);
void cep_keyed_account(struct cep_keyed *keyed, struct cep_key *key, size_t state_bytes);
/* The same, by so much more; a multiple of CEP_STATE_UNIT. */
static inline void cep_keyed_account_more(struct cep_keyed *keyed, struct cep_key *key, uint32_t bytes)
{
    keyed->bytes += bytes;
    key->state_bytes += bytes / CEP_STATE_UNIT;
}
/* By so much less, if there is as much. */
static inline void cep_keyed_account_less(struct cep_keyed *keyed, struct cep_key *key, uint64_t bytes)
{
    uint64_t units = bytes / CEP_STATE_UNIT < key->state_bytes ? bytes / CEP_STATE_UNIT : key->state_bytes;
    keyed->bytes -= units * CEP_STATE_UNIT;
    key->state_bytes -= (uint32_t)units;
}
/* Memory held for keys, but not in use. */
static inline uint64_t cep_keyed_slack(const struct cep_keyed *keyed) { return keyed->blocks.held - keyed->blocks.used; }
/* One key after the other, from *at = 0; NULL at the end. Nothing may be added or removed meanwhile. */
struct cep_key *cep_keyed_each(const struct cep_keyed *keyed, uint64_t *at);
uint64_t cep_key_hash(const struct cep_tuple *tuple);

/* 64 bits of a key's words, two at a time, each pair by a multiplication to 128 bits whose halves are joined (after Wang Yi's wyhash); the pair itself is added, so
 * that no value of one half makes the other one forgotten. */
static inline uint64_t cep_key_mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0xa0761d6478bd642f)) * (b ^ UINT64_C(0xe7037ed1a0b428db));
    return ((uint64_t)product ^ (uint64_t)(product >> 64)) + a + b;
}
uint64_t cep_key_place_long(const struct cep_tuple *tuple); /* the same for any tuple */
static inline uint64_t cep_key_place(const struct cep_tuple *tuple)
{
    const uint64_t *at = tuple->data;
    if (BASE_UNLIKELY(tuple->size_bytes < 24 || tuple->size_bytes > 40)) /* not what one column of at most 16 bytes gives */
        return cep_key_place_long(tuple);
    uint64_t place = cep_key_mix(at[0] ^ tuple->size_bytes, at[1]);
    if (tuple->size_bytes == 32)
        return cep_key_mix(at[2] ^ place, 0);
    return tuple->size_bytes == 24 ? place : cep_key_mix(at[2] ^ place, at[3]);
}
/* As cep_tuple_equal: keys are short, and a call to compare them costs more than comparing them. */
static inline bool cep_key_equal(const struct cep_tuple *a, const struct cep_tuple *b)
{
    uint32_t bytes = a->size_bytes;
    if (BASE_UNLIKELY(bytes < 24 || bytes > 40))
        return cep_tuple_equal(a, b);
    uint64_t differ = (uint64_t)(bytes ^ b->size_bytes) | (uint64_t)(a->columns ^ b->columns) | (a->data[0] ^ b->data[0]) | (a->data[1] ^ b->data[1]);
    if (bytes > 24)
        differ |= a->data[2] ^ b->data[2];
    if (bytes > 32)
        differ |= a->data[3] ^ b->data[3];
    return differ == 0;
}

static inline uint64_t cep_keyed_home(const struct cep_keyed *keyed, uint64_t place) { return place >> 20 & keyed->mask; }
static inline struct cep_key *cep_slot_key(uint64_t slot) { return (struct cep_key *)(uintptr_t)(slot & CEP_SLOT_KEY); }
/* Not that of a key with this place? */
static inline bool cep_slot_differs(uint64_t slot, uint64_t place) { return (slot ^ place) & CEP_SLOT_TAG; }
/* A key that may have this place, whose tuple is not compared; NULL: there is none. */
static inline struct cep_key *cep_keyed_guess(const struct cep_keyed *keyed, uint64_t place)
{
    if (!keyed->slots)
        return NULL;
    uint64_t at = cep_keyed_home(keyed, place);
    while (keyed->slots[at] && cep_slot_differs(keyed->slots[at], place))
        at = (at + 1) & keyed->mask;
    return cep_slot_key(keyed->slots[at]);
}
/* For batches: first the slot of a coming key is brought near, some rows later the key. */
static inline void cep_keyed_prefetch_slot(const struct cep_keyed *keyed, uint64_t place)
{
    if (keyed->slots)
        __builtin_prefetch(&keyed->slots[cep_keyed_home(keyed, place)]);
}
static inline void cep_keyed_prefetch_key(const struct cep_keyed *keyed, uint64_t place)
{
    __asm__ volatile("" ::: "memory"); /* as in flow_ahead.c: a function that only brings memory near is left out */
    if (!keyed->slots)
        return;
    uint64_t at = cep_keyed_home(keyed, place);
    for (int i = 0; i < 4; i++, at = (at + 1) & keyed->mask) {
        uint64_t slot = keyed->slots[at];
        if (!slot || !cep_slot_differs(slot, place)) {
            const char *key = (const char *)cep_slot_key(slot);
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
