/* GROUP BY: expressions, GROUPING SETS, ROLLUP, CUBE. Called by parse_query.c. Single-threaded; the tree is in the compile arena. */
#ifndef PATTERNS_PARSE_GROUP_H
#define PATTERNS_PARSE_GROUP_H

#include <stdbool.h>
#include "patterns/ast.h"
#include "patterns/cursor.h"

/* What stands behind GROUP BY, into the group_* fields of the SELECT. With sets the keys of all sets stand one behind the other: ROLLUP and CUBE are written out
 * as the sets that they stand for, several such elements multiplied. False: refused. */
bool patterns_parse_group(struct patterns_cursor *c, struct patterns_select *select);

#endif
