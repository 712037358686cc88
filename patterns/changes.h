/* Which plans give a changelog, and what their ends make of it: a sink that takes rows only is refused, a bounded query's result is what stands at the end.
 * Called by the binder and compile.c. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_CHANGES_H
#define PATTERNS_CHANGES_H

#include <stdbool.h>
#include "base/attr.h"
#include "patterns/bind.h"
#include "patterns/plan.h"

/* Is the value, over plan's columns, PROCTIME(), also by way of a computed column? */
bool patterns_plan_proc_time(const struct patterns_plan *plan, const struct patterns_bound *value);
/* Rows that it gave may be changed or deleted later. */
bool patterns_plan_updating(const struct patterns_plan *plan);
/* Can rows that come in order take an alert back? "stable", "unstable" or "not proved", and in *ret_witness why: what is known of its row pattern (NULL: there
 * is none), and what stands around it. */
const char *patterns_changes_stability(const struct patterns_plan *plan, const struct patterns_bound_match *match, const char **ret_witness);
/* A plan of what stands at the end of a changelog's input (itself if it is none). 0, BASE_E_NOMEM. */
int patterns_changes_settle(struct patterns_binder *binder, const struct patterns_plan *plan, const struct patterns_plan **ret) BASE_MUST_CHECK;
/* Refuses a changelog for a table that takes rows only. */
int patterns_changes_check_insert(struct patterns_binder *binder, const struct patterns_statement *statement, const struct patterns_table_info *table,
                                  const struct patterns_plan *plan) BASE_MUST_CHECK;
/* A binder for what stands below an operator that reads changes by identity: row patterns there are final. NULL: no memory. */
struct patterns_binder *patterns_changes_binder(const struct patterns_binder *binder);

#endif
