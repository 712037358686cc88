#include "enrichment/table.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

/* One version of a key's row. Chains run through `next` for keys of one bucket and through `older` for versions of one key, newest first; only the newest
 * version of a key stands in the bucket's chain. */
struct entry {
    struct entry *next;
    struct entry *older;
    uint64_t hash;
    bool deleted;           /* versioned: there is no row from time_ms on; row.tuple then holds the key columns only as they were */
    struct cep_row row;     /* last: variable length */
};

struct enrichment_table {
    struct enrichment_shape shape;
    struct cep_type *types;
    struct cep_type *key_types;
    uint32_t *key_columns;
    struct entry **buckets;
    uint64_t mask;
    uint64_t count;
    uint64_t bytes;
    uint64_t swept;         /* next bucket of the sweep, modulo their number */
};

static int copy_shape(struct enrichment_table *table, const struct enrichment_shape *shape)
{
    table->types = base_calloc(shape->columns + 1, sizeof *table->types);
    table->key_types = base_calloc(shape->key_count + 1, sizeof *table->key_types);
    table->key_columns = base_calloc(shape->key_count + 1, sizeof *table->key_columns);
    if (!table->types || !table->key_types || !table->key_columns)
        return BASE_E_NOMEM;
    memcpy(table->types, shape->types, shape->columns * sizeof *table->types);
    for (uint32_t i = 0; i < shape->key_count; i++) {
        table->key_columns[i] = shape->key_columns[i];
        table->key_types[i] = shape->types[shape->key_columns[i]];
    }
    table->shape = *shape;
    table->shape.types = table->types;
    table->shape.key_columns = table->key_columns;
    return 0;
}

struct enrichment_table *enrichment_table_create(const struct enrichment_shape *shape)
{
    struct enrichment_table *table = base_calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->mask = 1023;
    table->buckets = base_calloc(table->mask + 1, sizeof *table->buckets);
    if (copy_shape(table, shape) < 0 || !table->buckets) {
        enrichment_table_destroy(table);
        return NULL;
    }
    return table;
}

static size_t entry_size(const struct entry *entry)
{
    return offsetof(struct entry, row) + cep_row_size(&entry->row);
}

static void free_versions(struct enrichment_table *table, struct entry *entry)
{
    while (entry) {
        struct entry *older = entry->older;
        table->bytes -= entry_size(entry);
        base_free(entry);
        entry = older;
    }
}

void enrichment_table_destroy(struct enrichment_table *table)
{
    if (!table)
        return;
    for (uint64_t i = 0; table->buckets && i <= table->mask; i++) {
        for (struct entry *entry = table->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            free_versions(table, entry);
        }
    }
    base_free(table->buckets);
    base_free(table->types);
    base_free(table->key_types);
    base_free(table->key_columns);
    base_free(table);
}

int enrichment_table_key(const struct enrichment_table *table, const struct cep_row *row, struct base_arena *arena, struct cep_tuple **ret)
{
    uint32_t n = table->shape.key_count;
    struct cep_value *values = base_arena_zalloc(arena, n + 1, sizeof *values);
    if (!values)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        values[i] = cep_tuple_get(&row->tuple, table->key_columns[i], table->key_types[i]);
        if (values[i].null)
            return BASE_E_INVALID;
    }
    size_t size = cep_tuple_size(table->key_types, values, n);
    if (size == 0)
        return BASE_E_LIMIT;
    struct cep_tuple *tuple = base_arena_alloc(arena, size);
    if (!tuple)
        return BASE_E_NOMEM;
    cep_tuple_write(table->key_types, values, n, tuple);
    *ret = tuple;
    return 0;
}

static uint64_t hash_key(const struct cep_tuple *key)
{
    return base_hash64(key, key->size_bytes, 0);
}

/* Does the stored row have this key? */
static bool has_key(const struct enrichment_table *table, const struct entry *entry, const struct cep_tuple *key)
{
    for (uint32_t i = 0; i < table->shape.key_count; i++) {
        struct cep_type type = table->key_types[i];
        struct cep_value a = cep_tuple_get(&entry->row.tuple, table->key_columns[i], type);
        struct cep_value b = cep_tuple_get(key, i, type);
        if (!cep_value_same(type, a, b))
            return false;
    }
    return true;
}

static struct entry **place_of(const struct enrichment_table *table, const struct cep_tuple *key, uint64_t hash)
{
    struct entry **at = &table->buckets[hash & table->mask];
    while (*at && !((*at)->hash == hash && has_key(table, *at, key)))
        at = &(*at)->next;
    return at;
}

/* Keeps the chains short; a failed growth only makes them longer. */
static void grow(struct enrichment_table *table)
{
    if (table->count <= table->mask)
        return;
    uint64_t mask = table->mask * 2 + 1;
    struct entry **buckets = base_calloc(mask + 1, sizeof *buckets);
    if (!buckets)
        return;
    for (uint64_t i = 0; i <= table->mask; i++) {
        for (struct entry *entry = table->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            entry->next = buckets[entry->hash & mask];
            buckets[entry->hash & mask] = entry;
        }
    }
    base_free(table->buckets);
    table->buckets = buckets;
    table->mask = mask;
}

static struct entry *entry_make(const struct cep_row *row, uint64_t hash)
{
    struct entry *entry = base_alloc(offsetof(struct entry, row) + cep_row_size(row));
    if (!entry)
        return NULL;
    entry->next = entry->older = NULL;
    entry->hash = hash;
    entry->deleted = false;
    memcpy(&entry->row, row, cep_row_size(row));
    return entry;
}

/* Puts `entry` into the chain of versions that *at heads: replaces one of the same time, keeps newest first. */
static void insert_version(struct enrichment_table *table, struct entry **at, struct entry *entry)
{
    struct entry *head = *at;
    struct entry *next = head ? head->next : NULL;
    if (!head)
        table->count++;
    struct entry **slot = at;
    if (table->shape.versioned) {
        while (*slot && (*slot)->row.time_ms > entry->row.time_ms)
            slot = &(*slot)->older;
        struct entry *same = *slot && (*slot)->row.time_ms == entry->row.time_ms ? *slot : NULL;
        entry->older = same ? same->older : *slot;
        if (same) {
            same->older = NULL;
            free_versions(table, same);
        }
    } else if (head) {
        head->older = NULL;
        free_versions(table, head);
    }
    table->bytes += entry_size(entry);
    *slot = entry;
    (*at)->next = next;
    if (slot != at)
        entry->next = NULL;
}

int enrichment_table_put(struct enrichment_table *table, const struct cep_row *row, struct base_arena *scratch)
{
    struct cep_tuple *key = NULL;
    int e = enrichment_table_key(table, row, scratch, &key);
    if (e < 0)
        return e;
    uint64_t hash = hash_key(key);
    struct entry *entry = entry_make(row, hash);
    if (!entry)
        return BASE_E_NOMEM;
    insert_version(table, place_of(table, key, hash), entry);
    grow(table);
    return 0;
}

int enrichment_table_remove(struct enrichment_table *table, const struct cep_tuple *key, int64_t time_ms)
{
    uint64_t hash = hash_key(key);
    struct entry **at = place_of(table, key, hash);
    if (!*at)
        return 0;
    if (!table->shape.versioned) {
        struct entry *gone = *at;
        *at = gone->next;
        free_versions(table, gone);
        table->count--;
        return 0;
    }
    struct entry *mark = entry_make(&(*at)->row, hash);
    if (!mark)
        return BASE_E_NOMEM;
    mark->row.time_ms = time_ms;
    mark->deleted = true;
    insert_version(table, at, mark);
    return 0;
}

const struct cep_row *enrichment_table_find(const struct enrichment_table *table, const struct cep_tuple *key, int64_t as_of_ms)
{
    const struct entry *entry = *place_of(table, key, hash_key(key));
    if (table->shape.versioned) {
        while (entry && entry->row.time_ms > as_of_ms)
            entry = entry->older;
    }
    return entry && !entry->deleted ? &entry->row : NULL;
}

/* Tells of versions, then drops them; on an error those not told of stay (*at heads what is left). */
static int drop_versions(struct enrichment_table *table, struct entry **at, enrichment_dropped_fn *dropped, void *ctx)
{
    while (*at) {
        struct entry *gone = *at;
        int e = dropped ? dropped(ctx, &gone->row) : 0;
        if (e < 0)
            return e;
        *at = gone->older;
        gone->older = NULL;
        free_versions(table, gone);
    }
    return 0;
}

static int prune_bucket(struct enrichment_table *table, uint64_t bucket, int64_t before_ms, enrichment_dropped_fn *dropped, void *ctx)
{
    int e = 0;
    for (struct entry **at = &table->buckets[bucket]; *at && e == 0;) {
        struct entry *entry = *at;
        while (entry && entry->row.time_ms > before_ms)
            entry = entry->older;
        if (entry) /* the version that is valid at before_ms stays, older ones cannot be asked for */
            e = drop_versions(table, &entry->older, dropped, ctx);
        if (e == 0 && entry && entry == *at && entry->deleted) {
            e = dropped ? dropped(ctx, &entry->row) : 0;
            if (e < 0)
                return e;
            *at = entry->next;
            free_versions(table, entry);
            table->count--;
            continue;
        }
        at = &(*at)->next;
    }
    return e;
}

void enrichment_table_prune(struct enrichment_table *table, int64_t before_ms)
{
    for (uint64_t i = 0; table->shape.versioned && i <= table->mask; i++)
        (void)prune_bucket(table, i, before_ms, NULL, NULL); /* nobody is told: nothing can fail */
}

int enrichment_table_sweep(struct enrichment_table *table, int64_t before_ms, uint64_t buckets, enrichment_dropped_fn *dropped, void *ctx)
{
    int e = 0;
    uint64_t most = buckets <= table->mask ? buckets : table->mask + 1;
    for (uint64_t i = 0; table->shape.versioned && i < most && e == 0; i++)
        e = prune_bucket(table, table->swept++ & table->mask, before_ms, dropped, ctx);
    return e;
}

uint64_t enrichment_table_count(const struct enrichment_table *table)
{
    return table->count;
}

uint64_t enrichment_table_bytes(const struct enrichment_table *table)
{
    return table->bytes + (table->mask + 1) * sizeof *table->buckets;
}
