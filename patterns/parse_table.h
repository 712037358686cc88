/* What may stand in FROM: tables, subqueries, joins, window functions, MATCH_RECOGNIZE. Called by parse_query.c. */
#ifndef PATTERNS_PARSE_TABLE_H
#define PATTERNS_PARSE_TABLE_H

#include "patterns/cursor.h"

/* The whole list behind FROM. */
const struct patterns_table *patterns_parse_from(struct patterns_cursor *c) BASE_MUST_CHECK;

#endif
