/* Hash table from byte strings to 64-bit values (an index, a number, a pointer cast through uintptr_t). Copies keys.
 * Open addressing; iteration order is insertion order (deletes leave holes that a rehash removes). Single-threaded. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

struct base_map_entry {
    char *key; /* owned, NUL behind it; NULL: deleted */
    size_t key_len;
    uint64_t hash;
    uint64_t value;
};
struct base_map {
    struct base_map_entry *entries; /* insertion order */
    size_t used;                    /* entries in use, deleted ones included */
    size_t cap;
    size_t count;     /* live entries */
    uint32_t *index;  /* 1 + entry, 0 empty, UINT32_MAX deleted */
    size_t index_cap; /* power of two */
};
void base_map_finish(struct base_map *map);
/* Pointer to the value or NULL; valid until the next insert. */
uint64_t *base_map_find(const struct base_map *map, struct base_str key);
/* Finds or inserts (value 0); *ret_added says which (may be NULL). NULL: no memory. */
uint64_t *base_map_put(struct base_map *map, struct base_str key, bool *ret_added);
bool base_map_remove(struct base_map *map, struct base_str key);
/* Next live entry at or behind *at (start with 0), NULL at the end. */
const struct base_map_entry *base_map_next(const struct base_map *map, size_t *at);

#endif
