#include "cep/keyed.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/vec.h"
#include "base/hash.h"
#include "base/time.h"

/* Part of the stored formats and of the distribution over key groups: never change. */
#define KEY_SEED UINT64_C(0x6365706865696421)
#define TIMER_ENTRIES_MOST ((1u << 26) - 1)

uint64_t cep_key_hash(const struct cep_tuple *tuple) { return base_hash64(tuple, tuple->size_bytes, KEY_SEED); }

uint64_t cep_key_place_long(const struct cep_tuple *tuple)
{
    uint32_t words = tuple->size_bytes / 8 - 1, i = 0;
    uint64_t place = tuple->size_bytes;
    for (; i + 1 < words; i += 2)
        place = cep_key_mix(tuple->data[i] ^ place, tuple->data[i + 1]);
    return i < words ? cep_key_mix(tuple->data[i] ^ place, 0) : place;
}

void cep_keyed_init(struct cep_keyed *keyed, uint32_t room_bytes)
{
    *keyed = (struct cep_keyed){ .room_bytes = room_bytes };
}

static size_t key_bytes(const struct cep_keyed *keyed, const struct cep_tuple *tuple)
{
    return offsetof(struct cep_key, tuple) + tuple->size_bytes + keyed->room_bytes;
}

/* ---- memory of keys ---- */

static size_t units_of(size_t bytes) { return (bytes + CEP_BLOCKS_UNIT - 1) / CEP_BLOCKS_UNIT; }

static void free_key(struct cep_keyed *keyed, struct cep_key *key)
{
    if (key->single)
        base_free(key);
    else
        cep_blocks_give(&keyed->blocks, key);
}

static struct cep_key *alloc_key(struct cep_keyed *keyed, const struct cep_tuple *tuple)
{
    size_t bytes = key_bytes(keyed, tuple), units = units_of(bytes);
    bool single = units > CEP_BLOCKS_MOST || keyed->count < CEP_KEYED_FEW;
    struct cep_key *key = single ? base_alloc(bytes) : cep_blocks_take(&keyed->blocks, units);
    if (!key)
        return NULL;
    memset(key, 0, offsetof(struct cep_key, tuple));
    key->single = single;
    if ((uintptr_t)key & ~(uintptr_t)CEP_SLOT_KEY) { /* no system that this runs on gives such an address unasked; a slot could not hold it */
        free_key(keyed, key);
        return NULL;
    }
    key->armed_ms = BASE_TIME_MAX_MS;
    memcpy(&key->tuple, tuple, tuple->size_bytes);
    memset(cep_key_room(key), 0, keyed->room_bytes);
    return key;
}

/* A removed key goes with the last entry that names it. */
static void drop_entry(struct cep_keyed *keyed, struct cep_key *key)
{
    if (--key->timer_entries == 0 && key->removed) {
        keyed->lingering -= key_bytes(keyed, &key->tuple);
        free_key(keyed, key);
    }
}

static bool is_removed(void *ctx, struct cep_key *key)
{
    if (!key->removed)
        return false;
    drop_entry(ctx, key);
    return true;
}

void cep_keyed_sweep(struct cep_keyed *keyed)
{
    if (keyed->lingering)
        cep_wheel_sweep(&keyed->wheel, is_removed, keyed);
}

static void forget_timer(void *ctx, struct cep_key *key)
{
    if (--key->timer_entries == 0 && key->removed)
        free_key(ctx, key);
}

void cep_keyed_finish(struct cep_keyed *keyed)
{
    cep_wheel_each(&keyed->wheel, forget_timer, keyed);
    uint64_t at = 0;
    for (struct cep_key *key; (key = cep_keyed_each(keyed, &at)) != NULL;)
        free_key(keyed, key);
    cep_blocks_finish(&keyed->blocks);
    base_free(keyed->slots);
    base_free(keyed->dirty.at);
    cep_wheel_finish(&keyed->wheel);
    *keyed = (struct cep_keyed){ 0 };
}

static struct cep_key *find(const struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t place)
{
    if (!keyed->slots)
        return NULL;
    for (uint64_t at = cep_keyed_home(keyed, place); keyed->slots[at]; at = (at + 1) & keyed->mask) {
        struct cep_key *key = cep_slot_key(keyed->slots[at]);
        if (!cep_slot_differs(keyed->slots[at], place) && cep_key_equal(&key->tuple, tuple))
            return key;
    }
    return NULL;
}

struct cep_key *cep_keyed_find(const struct cep_keyed *keyed, const struct cep_tuple *tuple) { return find(keyed, tuple, cep_key_place(tuple)); }

static uint64_t slot_of(const struct cep_key *key, uint64_t tag, uint64_t far)
{
    return (uint64_t)(uintptr_t)key | (tag & CEP_SLOT_TAG) | (far < CEP_SLOT_FAR ? far : CEP_SLOT_FAR);
}

static void put_slot(struct cep_keyed *keyed, const struct cep_key *key, uint64_t place)
{
    uint64_t home = cep_keyed_home(keyed, place), at = home;
    while (keyed->slots[at])
        at = (at + 1) & keyed->mask;
    keyed->slots[at] = slot_of(key, place, (at - home) & keyed->mask);
}

#define GROW_AHEAD 32

static int grow(struct cep_keyed *keyed)
{
    uint64_t old = keyed->slots ? keyed->mask + 1 : 0, cap = old ? old * 2 : 16;
    uint64_t *from = keyed->slots, *slots = base_calloc(cap, sizeof *slots);
    if (!slots)
        return BASE_E_NOMEM;
    base_alloc_whole(slots, cap * sizeof *slots); /* looked up all over: small pages would cost a walk of their table each time */
    keyed->slots = slots;
    keyed->mask = cap - 1;
    keyed->hand = 0;
    for (uint64_t i = 0; i < old; i++) { /* the keys alone know their places: they are brought near before it is their turn */
        if (i + GROW_AHEAD < old)
            __builtin_prefetch(cep_slot_key(from[i + GROW_AHEAD]));
        if (from[i])
            put_slot(keyed, cep_slot_key(from[i]), cep_key_place(&cep_slot_key(from[i])->tuple));
    }
    base_free(from);
    return 0;
}

static int add(struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t place, struct cep_key **ret)
{
    int rc = !keyed->slots || keyed->count >= (keyed->mask + 1) / 4 * 3 ? grow(keyed) : 0;
    if (rc)
        return rc;
    *ret = alloc_key(keyed, tuple);
    if (!*ret)
        return BASE_E_NOMEM;
    put_slot(keyed, *ret, place);
    keyed->count++;
    keyed->bytes += key_bytes(keyed, tuple);
    return 0;
}

int cep_keyed_get(struct cep_keyed *keyed, const struct cep_tuple *tuple, struct cep_key **ret, bool *ret_added)
{
    return cep_keyed_get_at(keyed, tuple, cep_key_place(tuple), ret, ret_added);
}

int cep_keyed_get_at(struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t place, struct cep_key **ret, bool *ret_added)
{
    *ret = find(keyed, tuple, place);
    *ret_added = !*ret;
    return *ret ? 0 : add(keyed, tuple, place, ret);
}

/* Takes the slot out; those behind it that would no longer be found from their home move up. */
static void clear_slot(struct cep_keyed *keyed, uint64_t hole)
{
    for (uint64_t at = (hole + 1) & keyed->mask; keyed->slots[at]; at = (at + 1) & keyed->mask) {
        uint64_t slot = keyed->slots[at], far = slot & CEP_SLOT_FAR, up = (at - hole) & keyed->mask;
        if (far == CEP_SLOT_FAR)
            far = (at - cep_keyed_home(keyed, cep_key_place(&cep_slot_key(slot)->tuple))) & keyed->mask;
        if (far >= up) {
            keyed->slots[hole] = slot_of(cep_slot_key(slot), slot, far - up);
            hole = at;
        }
    }
    keyed->slots[hole] = 0;
}

void cep_keyed_remove(struct cep_keyed *keyed, struct cep_key *key)
{
    uint64_t at = cep_keyed_home(keyed, cep_key_place(&key->tuple));
    while (cep_slot_key(keyed->slots[at]) != key)
        at = (at + 1) & keyed->mask;
    clear_slot(keyed, at);
    keyed->count--;
    keyed->removals++;
    keyed->bytes -= key_bytes(keyed, &key->tuple) + (uint64_t)key->state_bytes * CEP_STATE_UNIT;
    key->removed = true;
    key->armed_ms = BASE_TIME_MAX_MS;
    if (key->timer_entries == 0)
        free_key(keyed, key);
    else
        keyed->lingering += key_bytes(keyed, &key->tuple);
}

int cep_keyed_arm(struct cep_keyed *keyed, struct cep_key *key, int64_t at_ms)
{
    if (at_ms >= key->armed_ms)
        return 0; /* the earlier entry re-arms when it fires */
    if (key->timer_entries == TIMER_ENTRIES_MOST)
        return BASE_E_LIMIT;
    int rc = cep_wheel_add(&keyed->wheel, (struct cep_timer){ .at_ms = at_ms, .key = key });
    if (rc)
        return rc;
    key->armed_ms = at_ms;
    key->timer_entries++;
    return 0;
}

#define NEAR_SLOTS 2 /* so many wake-ups before its turn, a key's slot is brought near */

int cep_keyed_due(struct cep_keyed *keyed, int64_t watermark_ms, struct cep_key **ret)
{
    struct cep_timer timer;
    bool any;
    *ret = NULL;
    for (;;) {
        int rc = cep_wheel_take(&keyed->wheel, watermark_ms, &timer, &any);
        if (rc || !any)
            return rc;
        if (timer.key->removed) {
            drop_entry(keyed, timer.key);
            continue;
        }
        timer.key->timer_entries--;
        if (timer.key->armed_ms != timer.at_ms)
            continue; /* an older, later entry of a key that was re-armed earlier */
        timer.key->armed_ms = BASE_TIME_MAX_MS;
        *ret = timer.key;
        const struct cep_key *soon = cep_wheel_peek(&keyed->wheel, NEAR_SLOTS);
        if (soon)
            cep_keyed_prefetch_slot(keyed, cep_key_place(&soon->tuple)); /* it may go */
        return 0;
    }
}

#define DIRTY_KEPT 4096 /* places that the list keeps when it is empty */

static bool more_dirty(struct cep_keyed *keyed)
{
    size_t had = keyed->dirty.cap;
    if (!BASE_VEC_RESERVE(&keyed->dirty, keyed->dirty.len + 1))
        return false;
    keyed->bytes += (keyed->dirty.cap - had) * sizeof *keyed->dirty.at;
    return true;
}

int cep_keyed_mark(struct cep_keyed *keyed, struct cep_key *key)
{
    keyed->marks++;
    key->used = true;
    if (key->dirty)
        return 0;
    if (keyed->dirty.len == keyed->dirty.cap && !more_dirty(keyed))
        return BASE_E_NOMEM;
    key->dirty = true;
    keyed->dirty.at[keyed->dirty.len++] = key;
    return 0;
}

struct cep_key *cep_keyed_dirty(struct cep_keyed *keyed)
{
    if (keyed->dirty.len)
        return keyed->dirty.at[keyed->dirty.len - 1];
    if (keyed->dirty.cap > DIRTY_KEPT) {
        keyed->bytes -= keyed->dirty.cap * sizeof *keyed->dirty.at;
        BASE_VEC_FINISH(&keyed->dirty);
    }
    return NULL;
}

void cep_keyed_clean(struct cep_keyed *keyed, struct cep_key *key)
{
    keyed->dirty.len -= key->dirty;
    key->dirty = false;
}

void cep_keyed_account(struct cep_keyed *keyed, struct cep_key *key, size_t state_bytes)
{
    uint64_t units = (state_bytes + CEP_STATE_UNIT - 1) / CEP_STATE_UNIT;
    if (units > UINT32_MAX)
        units = UINT32_MAX;
    keyed->bytes += units * CEP_STATE_UNIT;
    keyed->bytes -= (uint64_t)key->state_bytes * CEP_STATE_UNIT;
    key->state_bytes = (uint32_t)units;
}

struct cep_key *cep_keyed_each(const struct cep_keyed *keyed, uint64_t *at)
{
    while (keyed->slots && *at <= keyed->mask) {
        struct cep_key *key = cep_slot_key(keyed->slots[(*at)++]);
        if (key)
            return key;
    }
    return NULL;
}
