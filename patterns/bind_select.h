/* Binds one SELECT: its list, WHERE, GROUP BY and HAVING, ORDER BY. Part of the query binder; called by bind.c only. */
#ifndef PATTERNS_BIND_SELECT_H
#define PATTERNS_BIND_SELECT_H

#include "base/attr.h"
#include "patterns/bind.h"

/* query is a SELECT. */
int patterns_bind_select(const struct patterns_query_scope *scope, const struct patterns_query *query,
                         const struct patterns_plan **ret) BASE_MUST_CHECK;

#endif
