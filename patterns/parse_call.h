/* Function calls: plain ones, those with a syntax of their own (EXTRACT, TRIM, ...), and what may stand behind
 * (FILTER, OVER, ...). Called by parse_expr.c; window specifications also by parse_query.c. */
#ifndef PATTERNS_PARSE_CALL_H
#define PATTERNS_PARSE_CALL_H

#include "patterns/cursor.h"

/* Does a call stand here: name and "(", RUNNING or FINAL and a call, CURRENT_TIMESTAMP and the like? */
bool patterns_is_call(const struct patterns_cursor *c);
const struct patterns_expr *patterns_parse_call(struct patterns_cursor *c) BASE_MUST_CHECK;
/* ( [name] [PARTITION BY ...] [ORDER BY ...] [frame] ) */
const struct patterns_window *patterns_parse_window(struct patterns_cursor *c) BASE_MUST_CHECK;

#endif
