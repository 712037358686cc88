#include "base/map.h"
#include "base/alloc.h"
#include "tests/unit/base/random.h"
#include "tests/unit/tap.h"

enum { KEYS = 300, STEPS = 60000 };

/* The naive map: a slot per possible key, and the order of insertion as a rising number. */
struct naive {
    bool there[KEYS];
    uint64_t value[KEYS];
    uint64_t born[KEYS];
};

static struct base_str key_of(size_t number, char text[32])
{
    size_t len = (size_t)snprintf(text, 32, "%zu", number * number);
    if (number == 0)
        len = 0; /* the empty key is a key */
    if (number == 1)
        text[0] = 0; /* so is a NUL */
    return (struct base_str){ text, len };
}

static bool same_content(const struct base_map *map, const struct naive *naive, size_t *ret_count)
{
    size_t at = 0, seen = 0;
    uint64_t last = 0;
    const struct base_map_entry *entry;
    while ((entry = base_map_next(map, &at)) != NULL) {
        size_t number = (size_t)(entry->value % KEYS);
        char text[32];
        if (!naive->there[number] || naive->value[number] != entry->value || naive->born[number] <= last)
            return false;
        if (!base_str_equal(key_of(number, text), (struct base_str){ entry->key, entry->key_len }) ||
            entry->key[entry->key_len] != 0)
            return false;
        last = naive->born[number];
        seen++;
    }
    *ret_count = seen;
    return seen == map->count;
}

static void test_against_naive(void)
{
    static struct naive naive;
    struct base_map map = { 0 };
    uint64_t seed = 5, live = base_alloc_live_blocks();
    size_t count = 0;
    bool same = true;
    for (uint64_t step = 1; step <= STEPS; step++) {
        size_t number = random_next(&seed) % (step % 10000 < 5000 ? KEYS : 10);
        char text[32];
        struct base_str key = key_of(number, text);
        uint64_t *found = base_map_find(&map, key);
        same = same && (found != NULL) == naive.there[number] && (!found || *found == naive.value[number]);
        if (random_next(&seed) % 3 == 0) {
            same = same && base_map_remove(&map, key) == naive.there[number];
            count -= naive.there[number];
            naive.there[number] = false;
        } else {
            bool added = false;
            uint64_t *value = base_map_put(&map, key, &added);
            same = same && value && added == !naive.there[number] && *value == (added ? 0 : naive.value[number]);
            if (added) {
                naive.there[number] = true;
                naive.born[number] = step;
                count++;
            }
            naive.value[number] = step * KEYS + number;
            if (value)
                *value = naive.value[number];
        }
        if (step % 500 == 0) {
            size_t seen = 0;
            same = same && same_content(&map, &naive, &seen) && seen == count;
        }
    }
    OK(same, "60,000 random steps equal the naive map, in insertion order (seed 5)");
    OK(map.cap <= 4096 && map.index_cap <= 4096, "deleted entries do not pile up");
    base_map_finish(&map);
    IS_INT(base_alloc_live_blocks(), live, "finish frees all");
    OK(base_map_find(&map, BASE_STR("1")) == NULL && !base_map_remove(&map, BASE_STR("1")),
       "a finished map is an empty map");
}

static void test_large(void)
{
    struct base_map map = { 0 };
    bool good = true;
    for (uint64_t i = 0; i < 200000; i++) {
        uint64_t *value = base_map_put(&map, (struct base_str){ (const char *)&i, sizeof i }, NULL);
        good = good && value;
        if (value)
            *value = i;
    }
    for (uint64_t i = 0; i < 200000; i++) {
        uint64_t *value = base_map_find(&map, (struct base_str){ (const char *)&i, sizeof i });
        good = good && value && *value == i;
    }
    OK(good && map.count == 200000, "200,000 keys");
    base_map_finish(&map);
}

static void test_no_memory(void)
{
    bool told = true;
    uint64_t swept = 0;
    for (uint64_t nth = 1; nth < 500; nth++) {
        uint64_t live = base_alloc_live_blocks();
        struct base_map map = { 0 };
        size_t put = 0;
        base_alloc_fail_at(nth, false);
        for (size_t i = 0; i < 100; i++) {
            char text[32];
            put += base_map_put(&map, key_of(i, text), NULL) != NULL;
        }
        bool fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        told = told && map.count == put && put == (fired ? 99 : 100);
        size_t found = 0;
        for (size_t i = 0; i < 100; i++) {
            char text[32];
            found += base_map_find(&map, key_of(i, text)) != NULL;
        }
        told = told && found == put;
        base_map_finish(&map);
        told = told && base_alloc_live_blocks() == live;
        if (!fired)
            break;
        swept = nth;
    }
    OK(told, "each failed allocation costs just the one insert, and nothing leaks");
    OK(swept > 100 && swept < 499, "all allocations were swept");
}

int main(void)
{
    test_against_naive();
    test_large();
    test_no_memory();
    return tap_done();
}
