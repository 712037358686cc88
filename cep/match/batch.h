/* A row pattern over a bounded table that is there as a whole, in columns: partitions one after the other, their rows in order, no key looked up, no row kept
 * twice. Where the conditions ask the row and its neighbours alone they are evaluated column by column and matches are found by reach.h; any other pattern
 * runs the operator's ordinary automaton over the partition's rows. Gives what the operator gives row by row. Called by cep/flow_columns.c. Shard thread only. */
#ifndef CEP_MATCH_BATCH_H
#define CEP_MATCH_BATCH_H

#include "cep/columns.h"
#include "cep/operator.h"

/* Can the operator take its rows so? It sorts at the end of input, by columns as they stand. */
bool cep_match_takes_columns(const struct cep_operator *op);
/* All its rows; key_columns (key_count of them) part them. Their order is changed to that of partitions and ORDER BY. Tells all matches. */
struct match_batch_keys { const uint32_t *columns; uint32_t count; };
int cep_match_columns(struct cep_operator *op, struct cep_columns *columns, const struct match_batch_keys *keys) BASE_MUST_CHECK;

#endif
