/* A profile table in memory: key -> current row, or key -> rows by event time where the table has a time attribute (semantics.md 21). service/ fills it with
 * decoded rows and lets the LOOKUP operators read it. Reading is for any number of threads; put, remove and prune only while nobody reads (the host calls them
 * at epoch boundaries). Knows no file, no topic and no format. */
#ifndef ENRICHMENT_TABLE_H
#define ENRICHMENT_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/arena.h"
#include "cep/row.h"

struct enrichment_table;

/* What a table looks like. All borrowed: must outlive the table. */
struct enrichment_shape {
    const struct cep_type *types;   /* of the columns */
    uint32_t columns;
    const uint32_t *key_columns;    /* PRIMARY KEY: indexes into types */
    uint32_t key_count;             /* at least 1 */
    bool versioned;                 /* rows are versions: each is valid from its time_ms on */
};

/* NULL: no memory. The shape is copied. */
struct enrichment_table *enrichment_table_create(const struct enrichment_shape *shape);
void enrichment_table_destroy(struct enrichment_table *table); /* NULL allowed */

/* Key tuple of a row of the table, in the arena. BASE_E_INVALID if a key column is NULL. */
int enrichment_table_key(const struct enrichment_table *table, const struct cep_row *row, struct base_arena *arena, struct cep_tuple **ret) BASE_MUST_CHECK;
/* Puts a copy of the row in; replaces the key's row (versioned: the version of the same time). BASE_E_NOMEM, BASE_E_INVALID (NULL key). */
int enrichment_table_put(struct enrichment_table *table, const struct cep_row *row, struct base_arena *scratch) BASE_MUST_CHECK;
/* Takes the key out; versioned: from time_ms on there is no row. BASE_E_NOMEM. */
int enrichment_table_remove(struct enrichment_table *table, const struct cep_tuple *key, int64_t time_ms) BASE_MUST_CHECK;
/* Row of the key, valid at as_of_ms (ignored unless versioned), or NULL. Lives until the next change of the table. */
const struct cep_row *enrichment_table_find(const struct enrichment_table *table, const struct cep_tuple *key, int64_t as_of_ms);
/* Drops versions that no question at or after before_ms can want. */
void enrichment_table_prune(struct enrichment_table *table, int64_t before_ms);
/* The same for the next `buckets` buckets in turn, for tables that are never at rest for long. dropped (may be NULL) is told of each version before it
 * goes; its error ends the sweep and is returned. */
typedef int enrichment_dropped_fn(void *ctx, const struct cep_row *version);
int enrichment_table_sweep(struct enrichment_table *table, int64_t before_ms, uint64_t buckets, enrichment_dropped_fn *dropped, void *ctx) BASE_MUST_CHECK;

uint64_t enrichment_table_count(const struct enrichment_table *table); /* keys */
uint64_t enrichment_table_bytes(const struct enrichment_table *table); /* memory, approximate */

#endif
