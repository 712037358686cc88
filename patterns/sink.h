/* What a table of INSERT INTO takes: only new rows, or updates and deletes too. Called by compile.c. Opens nothing. */
#ifndef PATTERNS_SINK_H
#define PATTERNS_SINK_H

#include <stdbool.h>
#include "patterns/catalog.h"

/* Stores and upsert-kafka with a PRIMARY KEY, sorted-set increments of Redis, and whatever is told 'changelog' = 'op'. */
bool patterns_sink_takes_changes(const struct patterns_table_info *table);

#endif
