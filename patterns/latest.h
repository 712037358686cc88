/* Tables whose records are changes of rows: Debezium's formats and 'connector' = 'upsert-kafka'. Read by a query, such a table is a changelog: the row of each
 * PRIMARY KEY as its records leave it. Called by bind_from.c; single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_LATEST_H
#define PATTERNS_LATEST_H

#include <stdbool.h>
#include "base/attr.h"
#include "patterns/plan.h"

/* Are the table's records changes? */
bool patterns_latest_table(const struct patterns_table_info *table);
/* Refuses to read a table of changes without PRIMARY KEY. begin, end: its name in the query. */
int patterns_latest_check(struct patterns_binder *binder, const struct patterns_table *text, const struct patterns_table_info *table) BASE_MUST_CHECK;
/* SOURCE -> the rows that stand, with the columns of the source and one hidden behind them. NULL: no memory. */
struct patterns_plan *patterns_latest_plan(struct patterns_binder *binder, const struct patterns_plan *source) BASE_MUST_CHECK;
/* Is the plan nothing but a table of changes, filtered or projected? For messages. */
bool patterns_latest_only(const struct patterns_plan *plan);
/* What to do instead where rows must stay as they are. */
#define PATTERNS_LATEST_HINT "read the changes as events: 'format' = 'json' with the columns before ROW<...>, after ROW<...>, op STRING"

#endif
