/* Profile tables: put, replace, remove, versions by time, pruning, growth, failing allocations. */
#include "enrichment/table.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "tests/unit/tap.h"

static const struct cep_type TYPES[] = { { .kind = CEP_KIND_STRING }, { .kind = CEP_KIND_BIGINT } };
static const uint32_t KEYS[] = { 0 };

static struct enrichment_table *make(bool versioned)
{
    struct enrichment_shape shape = { TYPES, 2, KEYS, 1, versioned };
    return enrichment_table_create(&shape);
}

static struct cep_row *row(struct base_arena *arena, const char *key, int64_t value, int64_t time_ms)
{
    struct cep_value values[] = { key ? cep_string(key, strlen(key)) : cep_null(), cep_int(value) };
    struct cep_row *ret = NULL;
    if (cep_row_make(TYPES, values, 2, time_ms, (struct cep_position){ 0 }, arena, &ret) < 0)
        return NULL;
    return ret;
}

static struct cep_tuple *key(struct base_arena *arena, const char *text)
{
    struct cep_value value = cep_string(text, strlen(text));
    struct cep_tuple *tuple = base_arena_alloc(arena, cep_tuple_size(TYPES, &value, 1));
    cep_tuple_write(TYPES, &value, 1, tuple);
    return tuple;
}

/* Value of a key as of a time; -1: no row. */
static int64_t look(const struct enrichment_table *table, struct base_arena *arena, const char *text, int64_t as_of_ms)
{
    const struct cep_row *found = enrichment_table_find(table, key(arena, text), as_of_ms);
    return found ? cep_tuple_get(&found->tuple, 1, TYPES[1]).i : -1;
}

static void test_current(struct base_arena *arena)
{
    struct enrichment_table *table = make(false);
    IS_INT(enrichment_table_put(table, row(arena, "a", 1, 0), arena), 0, "a row goes in");
    IS_INT(look(table, arena, "a", 0), 1, "and is found");
    IS_INT(look(table, arena, "b", 0), -1, "another key is not");
    IS_INT(enrichment_table_put(table, row(arena, "a", 2, 0), arena), 0, "the key again");
    IS_INT(look(table, arena, "a", 0), 2, "replaces the row");
    IS_INT(enrichment_table_count(table), 1, "one key");
    IS_INT(enrichment_table_put(table, row(arena, NULL, 3, 0), arena), BASE_E_INVALID, "a NULL key is refused");
    IS_INT(enrichment_table_remove(table, key(arena, "a"), 0), 0, "removed");
    IS_INT(look(table, arena, "a", 0), -1, "gone");
    IS_INT(enrichment_table_remove(table, key(arena, "a"), 0), 0, "removing what is not there is no error");
    enrichment_table_destroy(table);
}

static void test_versions(struct base_arena *arena)
{
    struct enrichment_table *table = make(true);
    int e = enrichment_table_put(table, row(arena, "a", 10, 1000), arena);
    e = e < 0 ? e : enrichment_table_put(table, row(arena, "a", 30, 3000), arena);
    e = e < 0 ? e : enrichment_table_put(table, row(arena, "a", 20, 2000), arena);
    IS_INT(e, 0, "three versions, out of order");
    IS_INT(look(table, arena, "a", 999), -1, "before the first");
    IS_INT(look(table, arena, "a", 1000), 10, "from its time on");
    IS_INT(look(table, arena, "a", 2999), 20, "between");
    IS_INT(look(table, arena, "a", BASE_TIME_MAX_MS), 30, "the last");
    IS_INT(enrichment_table_put(table, row(arena, "a", 21, 2000), arena), 0, "a version of the same time");
    IS_INT(look(table, arena, "a", 2500), 21, "replaces it");
    IS_INT(enrichment_table_remove(table, key(arena, "a"), 4000), 0, "deleted at 4000");
    IS_INT(look(table, arena, "a", 4000), -1, "not there from then on");
    IS_INT(look(table, arena, "a", 3999), 30, "but before");
    enrichment_table_prune(table, 2500);
    IS_INT(look(table, arena, "a", 2500), 21, "pruning keeps what is valid at its time");
    IS_INT(look(table, arena, "a", 1500), -1, "and drops what is older");
    enrichment_table_prune(table, 5000);
    IS_INT(enrichment_table_count(table), 0, "a deleted key goes altogether");
    enrichment_table_destroy(table);
}

static void test_many(void)
{
    struct enrichment_table *table = make(false);
    struct base_arena arena = { 0 };
    char text[32];
    int bad = 0;
    for (int i = 0; i < 20000; i++) {
        base_arena_reset(&arena);
        snprintf(text, sizeof text, "customer-%d", i);
        bad += enrichment_table_put(table, row(&arena, text, i, 0), &arena) != 0;
    }
    for (int i = 0; i < 20000; i++) {
        base_arena_reset(&arena);
        snprintf(text, sizeof text, "customer-%d", i);
        bad += look(table, &arena, text, 0) != i;
    }
    IS_INT(bad, 0, "20,000 keys are all found");
    OK(enrichment_table_bytes(table) < 20000 * 200, "at less than 200 bytes each");
    enrichment_table_destroy(table);
    base_arena_finish(&arena);
}

static void test_no_memory(struct base_arena *arena)
{
    uint64_t blocks = base_alloc_live_blocks();
    for (int n = 1; n <= 6; n++) {
        base_alloc_fail_at((uint64_t)n, false);
        struct enrichment_table *table = make(false);
        if (table) {
            struct cep_row *one = row(arena, "a", 1, 0);
            int e = one ? enrichment_table_put(table, one, arena) : BASE_E_NOMEM;
            base_alloc_fail_at(0, false);
            OK(e == 0 || e == BASE_E_NOMEM, "a failing allocation is told");
        }
        base_alloc_fail_at(0, false);
        enrichment_table_destroy(table);
    }
    IS_INT(base_alloc_live_blocks(), blocks, "nothing leaks");
}

int main(void)
{
    struct base_arena arena = { 0 };
    OK(base_arena_alloc(&arena, 1) != NULL, "arena");
    test_current(&arena);
    test_versions(&arena);
    test_many();
    test_no_memory(&arena);
    base_arena_finish(&arena);
    return tap_done();
}
