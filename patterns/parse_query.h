/* Queries and the tables they read, from tokens to tree. Called by parse.c, and by parse_expr.c for subqueries. */
#ifndef PATTERNS_PARSE_QUERY_H
#define PATTERNS_PARSE_QUERY_H

#include "patterns/cursor.h"

/* Does a query stand here: SELECT, WITH, VALUES, possibly behind parentheses? */
bool patterns_is_query(const struct patterns_cursor *c);
/* Sets cursor->query_height: 1 + the highest expression inside, queries in it included, so that the parts of a
 * statement cannot add up to a tree that is too high. */
const struct patterns_query *patterns_parse_query(struct patterns_cursor *c) BASE_MUST_CHECK;

#endif
