/* Made-up rows, as Flink's datagen connector makes them, written as JSON lines. A row is a pure function of 'seed', the column's name and the row's number,
 * so a replay from any offset gives the same rows, whichever columns are read. One partition. Called by source.c only.
 *
 * Options: 'number-of-rows' (bounded if given), 'rows-per-second' (10,000; 0: as fast as they are read), 'seed' (0), and for each column x
 * 'fields.x.kind' = 'random' | 'sequence', 'fields.x.min', '.max', '.length' (texts: 100 hex digits by default), '.start', '.end' (a sequence ends the
 * source), '.null-rate', '.values' = 'a|b|c' (picks one). Timestamps: '.start' (SQL or ISO-8601 text, default 2026-01-01T00:00:00Z) plus row number times '.step'
 * ms (default: what rows-per-second gives), less a random part of '.max-past' ms; without '.start' and with '.clock' = 'wall' the time of making. */
#ifndef CONNECTORS_DATAGEN_H
#define CONNECTORS_DATAGEN_H

#include "connectors/source.h"

int connectors_datagen_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;

#endif
