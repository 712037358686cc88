#include "base/map.h"

#include <string.h>
#include "base/alloc.h"
#include "base/hash.h"

/* Every entry in use, deleted or not, occupies exactly one slot of the index, and slots are given back only by a
 * rebuild: so `used` is the load of the index, and a probe always ends at an empty slot. */
#define SLOT_EMPTY 0u
#define SLOT_DELETED UINT32_MAX
#define ENTRIES_MOST ((size_t)UINT32_MAX - 2)
#define INDEX_LEAST ((size_t)8)

void base_map_finish(struct base_map *map)
{
    for (size_t i = 0; i < map->used; i++)
        base_free(map->entries[i].key);
    base_free(map->entries);
    base_free(map->index);
    *map = (struct base_map){ 0 };
}

static bool entry_is(const struct base_map_entry *entry, struct base_str key, uint64_t hash)
{
    return entry->hash == hash && entry->key_len == key.len &&
           (key.len == 0 || memcmp(entry->key, key.ptr, key.len) == 0);
}

/* Slot of the key, or of the empty slot where the search ended. The index exists. */
static size_t find_slot(const struct base_map *map, struct base_str key, uint64_t hash)
{
    size_t mask = map->index_cap - 1;
    size_t slot = (size_t)hash & mask;
    while (map->index[slot] != SLOT_EMPTY) {
        uint32_t number = map->index[slot];
        if (number != SLOT_DELETED && entry_is(&map->entries[number - 1], key, hash))
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

uint64_t *base_map_find(const struct base_map *map, struct base_str key)
{
    if (map->count == 0)
        return NULL;
    size_t slot = find_slot(map, key, base_hash64(key.ptr, key.len, 0));
    return map->index[slot] == SLOT_EMPTY ? NULL : &map->entries[map->index[slot] - 1].value;
}

/* Drops the deleted entries and makes an index that is at most half full. Unchanged on failure. */
static bool rebuild(struct base_map *map)
{
    size_t want, index_cap = INDEX_LEAST;
    if (!base_size_mul(map->count + 1, 2, &want))
        return false;
    while (index_cap < want)
        index_cap *= 2;
    uint32_t *index = base_calloc(index_cap, sizeof *index);
    if (!index)
        return false;
    size_t used = 0;
    for (size_t i = 0; i < map->used; i++) {
        if (!map->entries[i].key)
            continue;
        map->entries[used] = map->entries[i];
        size_t slot = (size_t)map->entries[used].hash & (index_cap - 1);
        while (index[slot] != SLOT_EMPTY)
            slot = (slot + 1) & (index_cap - 1);
        index[slot] = (uint32_t)++used;
    }
    base_free(map->index);
    map->index = index;
    map->index_cap = index_cap;
    map->used = used;
    return true;
}

static bool make_room(struct base_map *map)
{
    if (map->count >= ENTRIES_MOST)
        return false;
    if ((map->used + 1) * 4 > map->index_cap * 3 && !rebuild(map))
        return false;
    if (map->used < map->cap)
        return true;
    size_t cap = map->cap ? map->cap * 2 : INDEX_LEAST;
    size_t bytes;
    if (!base_size_mul(cap, sizeof *map->entries, &bytes))
        return false;
    struct base_map_entry *entries = base_realloc(map->entries, bytes);
    if (!entries)
        return false;
    map->entries = entries;
    map->cap = cap;
    return true;
}

uint64_t *base_map_put(struct base_map *map, struct base_str key, bool *ret_added)
{
    uint64_t hash = base_hash64(key.ptr, key.len, 0);
    if (map->count > 0) {
        size_t slot = find_slot(map, key, hash);
        if (map->index[slot] != SLOT_EMPTY) {
            if (ret_added)
                *ret_added = false;
            return &map->entries[map->index[slot] - 1].value;
        }
    }
    if (!make_room(map))
        return NULL;
    char *copy = base_strndup(key.ptr, key.len);
    if (!copy)
        return NULL;
    map->entries[map->used] = (struct base_map_entry){ .key = copy, .key_len = key.len, .hash = hash };
    map->index[find_slot(map, key, hash)] = (uint32_t)++map->used;
    map->count++;
    if (ret_added)
        *ret_added = true;
    return &map->entries[map->used - 1].value;
}

bool base_map_remove(struct base_map *map, struct base_str key)
{
    if (map->count == 0)
        return false;
    size_t slot = find_slot(map, key, base_hash64(key.ptr, key.len, 0));
    if (map->index[slot] == SLOT_EMPTY)
        return false;
    struct base_map_entry *entry = &map->entries[map->index[slot] - 1];
    base_free(entry->key);
    *entry = (struct base_map_entry){ 0 };
    map->index[slot] = SLOT_DELETED;
    map->count--;
    return true;
}

const struct base_map_entry *base_map_next(const struct base_map *map, size_t *at)
{
    while (*at < map->used) {
        const struct base_map_entry *entry = &map->entries[(*at)++];
        if (entry->key)
            return entry;
    }
    return NULL;
}
