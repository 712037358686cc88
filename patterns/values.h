/* VALUES (...), (...) as a table, and the one row of a SELECT without FROM. A source that counts rows (connector datagen, a sequence) stands below, and each column
 * is chosen by the row's number, so that neither the engine nor the service knows of it. Called by the query binder. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_VALUES_H
#define PATTERNS_VALUES_H

#include "base/attr.h"
#include "patterns/bind_from.h"

#define PATTERNS_VALUES_ROWS_MAX 1000u

/* The plan of a VALUES query: its columns are called EXPR$0, EXPR$1, ... 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_values_bind(const struct patterns_query_scope *scope, const struct patterns_query *query, const struct patterns_plan **ret) BASE_MUST_CHECK;
/* One row without a column that could be named. */
int patterns_values_one(const struct patterns_query_scope *scope, struct patterns_from *ret) BASE_MUST_CHECK;

#endif
