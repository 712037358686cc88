/* Sources that a window or an OVER reads by another time than its table's event time: by processing time, or late by as much as the statement allows. Such a
 * plan reads variants of its SOURCE nodes. Called by window.c and over.c. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_CLOCK_H
#define PATTERNS_CLOCK_H

#include <stdbool.h>
#include "base/attr.h"
#include "patterns/bind_expr.h"
#include "patterns/plan.h"

/* Is the value, over plan's columns, PROCTIME(), by way of computed columns, unions, temporal joins? */
bool patterns_clock_is(const struct patterns_plan *plan, const struct patterns_bound *value);
/* The event time of the row, as a value of that type: behind patterns_clock_by_arrival the time at which it came in. NULL: no memory. */
const struct patterns_bound *patterns_clock_time(struct patterns_binder *binder, const struct patterns_bound *place);
/* The plan with rows that bear the time at which they come in. place: what asks for it. 0, BASE_E_SYNTAX (something below keeps rows: told), BASE_E_NOMEM. */
struct patterns_clock_place { const struct base_source *source; uint32_t begin, end; };
int patterns_clock_by_arrival(struct patterns_binder *binder, const struct patterns_clock_place *place, const struct patterns_plan *plan,
                              const struct patterns_plan **ret) BASE_MUST_CHECK;
/* The plan with rows that are late by less than late_ms too, its watermark so far behind. As above. */
int patterns_clock_lag(struct patterns_binder *binder, const struct patterns_clock_place *place, const struct patterns_plan *plan, int64_t late_ms,
                       const struct patterns_plan **ret) BASE_MUST_CHECK;

#endif
