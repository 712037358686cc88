#include "cep/keyed.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"

/* Part of the stored formats and of the distribution over key groups: never change. */
#define KEY_SEED UINT64_C(0x6365706865696421)

uint64_t cep_key_hash(const struct cep_tuple *tuple) { return base_hash64(tuple, tuple->size_bytes, KEY_SEED); }

void cep_keyed_init(struct cep_keyed *keyed, uint32_t room_bytes)
{
    *keyed = (struct cep_keyed){ .room_bytes = room_bytes };
}

static size_t key_bytes(const struct cep_keyed *keyed, const struct cep_tuple *tuple)
{
    return ((offsetof(struct cep_key, tuple) + tuple->size_bytes + 15) & ~(size_t)15) + keyed->room_bytes;
}

void cep_keyed_finish(struct cep_keyed *keyed)
{
    for (uint64_t i = 0; i < keyed->timer_count; i++) {
        struct cep_key *key = keyed->timers[i].key;
        if (--key->timer_entries == 0 && key->removed)
            base_free(key);
    }
    for (uint64_t i = 0; keyed->buckets && i <= keyed->mask; i++) {
        for (struct cep_key *key = keyed->buckets[i]; key;) {
            struct cep_key *next = key->next;
            base_free(key);
            key = next;
        }
    }
    base_free(keyed->buckets);
    base_free(keyed->timers);
    *keyed = (struct cep_keyed){ 0 };
}

struct cep_key *cep_keyed_find(const struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t hash)
{
    if (!keyed->buckets)
        return NULL;
    for (struct cep_key *key = keyed->buckets[hash & keyed->mask]; key; key = key->next)
        if (key->hash == hash && cep_tuple_equal(&key->tuple, tuple))
            return key;
    return NULL;
}

static int grow(struct cep_keyed *keyed)
{
    uint64_t cap = keyed->buckets ? (keyed->mask + 1) * 2 : 64;
    struct cep_key **buckets = base_calloc(cap, sizeof *buckets);
    if (!buckets)
        return BASE_E_NOMEM;
    for (uint64_t i = 0; keyed->buckets && i <= keyed->mask; i++) {
        for (struct cep_key *key = keyed->buckets[i]; key;) {
            struct cep_key *next = key->next;
            key->next = buckets[key->hash & (cap - 1)];
            buckets[key->hash & (cap - 1)] = key;
            key = next;
        }
    }
    base_free(keyed->buckets);
    keyed->buckets = buckets;
    keyed->mask = cap - 1;
    return 0;
}

static void unlink_use(struct cep_keyed *keyed, struct cep_key *key)
{
    if (key->older)
        key->older->newer = key->newer;
    else if (keyed->oldest == key)
        keyed->oldest = key->newer;
    if (key->newer)
        key->newer->older = key->older;
    else if (keyed->newest == key)
        keyed->newest = key->older;
    key->older = key->newer = NULL;
}

static void link_newest(struct cep_keyed *keyed, struct cep_key *key)
{
    key->older = keyed->newest;
    key->newer = NULL;
    if (keyed->newest)
        keyed->newest->newer = key;
    else
        keyed->oldest = key;
    keyed->newest = key;
}

int cep_keyed_get(struct cep_keyed *keyed, const struct cep_tuple *tuple, uint64_t hash, struct cep_key **ret, bool *ret_added)
{
    struct cep_key *key = cep_keyed_find(keyed, tuple, hash);
    *ret_added = !key;
    if (!key) {
        if (!keyed->buckets || keyed->count > keyed->mask) {
            int rc = grow(keyed);
            if (rc)
                return rc;
        }
        key = base_calloc(1, key_bytes(keyed, tuple));
        if (!key)
            return BASE_E_NOMEM;
        key->hash = hash;
        key->armed_ms = BASE_TIME_MAX_MS;
        memcpy(&key->tuple, tuple, tuple->size_bytes);
        key->next = keyed->buckets[hash & keyed->mask];
        keyed->buckets[hash & keyed->mask] = key;
        keyed->count++;
        keyed->bytes += key_bytes(keyed, tuple);
        link_newest(keyed, key);
    }
    *ret = key;
    return 0;
}

void cep_keyed_remove(struct cep_keyed *keyed, struct cep_key *key)
{
    for (struct cep_key **at = &keyed->buckets[key->hash & keyed->mask]; *at; at = &(*at)->next) {
        if (*at == key) {
            *at = key->next;
            break;
        }
    }
    unlink_use(keyed, key);
    keyed->count--;
    keyed->bytes -= key_bytes(keyed, &key->tuple) + (uint64_t)key->state_bytes * 16;
    key->removed = true;
    key->armed_ms = BASE_TIME_MAX_MS;
    if (key->timer_entries == 0)
        base_free(key);
}

int cep_keyed_arm(struct cep_keyed *keyed, struct cep_key *key, int64_t at_ms)
{
    if (at_ms >= key->armed_ms)
        return 0; /* the earlier entry re-arms when it fires */
    if (keyed->timer_count == keyed->timer_cap) {
        uint64_t cap = keyed->timer_cap ? keyed->timer_cap * 2 : 64;
        struct cep_timer *timers = base_realloc(keyed->timers, cap * sizeof *timers);
        if (!timers)
            return BASE_E_NOMEM;
        keyed->timers = timers;
        keyed->timer_cap = cap;
    }
    uint64_t at = keyed->timer_count++;
    while (at > 0 && keyed->timers[(at - 1) / 2].at_ms > at_ms) {
        keyed->timers[at] = keyed->timers[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    keyed->timers[at] = (struct cep_timer){ .at_ms = at_ms, .key = key };
    key->armed_ms = at_ms;
    key->timer_entries++;
    return 0;
}

static struct cep_timer pop(struct cep_keyed *keyed)
{
    struct cep_timer top = keyed->timers[0], last = keyed->timers[--keyed->timer_count];
    uint64_t at = 0, n = keyed->timer_count;
    while (2 * at + 1 < n) {
        uint64_t child = 2 * at + 1;
        if (child + 1 < n && keyed->timers[child + 1].at_ms < keyed->timers[child].at_ms)
            child++;
        if (last.at_ms <= keyed->timers[child].at_ms)
            break;
        keyed->timers[at] = keyed->timers[child];
        at = child;
    }
    if (n > 0)
        keyed->timers[at] = last;
    return top;
}

struct cep_key *cep_keyed_due(struct cep_keyed *keyed, int64_t watermark_ms)
{
    while (keyed->timer_count > 0 && keyed->timers[0].at_ms <= watermark_ms) {
        struct cep_timer top = pop(keyed);
        top.key->timer_entries--;
        if (top.key->removed) {
            if (top.key->timer_entries == 0)
                base_free(top.key);
            continue;
        }
        if (top.key->armed_ms != top.at_ms)
            continue; /* an older, later entry of a key that was re-armed earlier */
        top.key->armed_ms = BASE_TIME_MAX_MS;
        return top.key;
    }
    return NULL;
}

int64_t cep_keyed_next_ms(const struct cep_keyed *keyed)
{
    return keyed->timer_count > 0 ? keyed->timers[0].at_ms : BASE_TIME_MAX_MS;
}

void cep_keyed_mark(struct cep_keyed *keyed, struct cep_key *key)
{
    if (keyed->newest != key) {
        unlink_use(keyed, key);
        link_newest(keyed, key);
    }
    if (!key->dirty) {
        key->dirty = true;
        key->dirty_next = keyed->dirty_first;
        keyed->dirty_first = key;
    }
}

void cep_keyed_account(struct cep_keyed *keyed, struct cep_key *key, size_t state_bytes)
{
    uint64_t units = (state_bytes + 15) / 16;
    if (units > UINT32_MAX)
        units = UINT32_MAX;
    keyed->bytes += units * 16;
    keyed->bytes -= (uint64_t)key->state_bytes * 16;
    key->state_bytes = (uint32_t)units;
}
