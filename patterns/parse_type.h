/* Types and units as they are written in rule texts: DECIMAL(12, 2), ROW<a INT>, INTERVAL DAY TO SECOND. Called by the
 * other parse_*.c files. */
#ifndef PATTERNS_PARSE_TYPE_H
#define PATTERNS_PARSE_TYPE_H

#include "patterns/cursor.h"

/* NULL: refused. */
const struct patterns_type *patterns_parse_type(struct patterns_cursor *c) BASE_MUST_CHECK;
/* One unit; `what` for the message. interval: only those that an INTERVAL can have. */
bool patterns_parse_unit(struct patterns_cursor *c, bool interval, enum patterns_unit *ret) BASE_MUST_CHECK;
/* FROM[(precision[, fraction])] [TO to[(fraction)]] behind an interval's text or the word INTERVAL. */
bool patterns_parse_interval_unit(struct patterns_cursor *c, struct patterns_interval *ret) BASE_MUST_CHECK;

#endif
