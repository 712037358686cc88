/* Binds subqueries in expressions. Those without FROM have one row and are expressions themselves: (SELECT x), y IN
 * (SELECT x), EXISTS (SELECT x); all others are refused. Part of the expression binder; called by bind_expr.c only. */
#ifndef PATTERNS_BIND_SUBQUERY_H
#define PATTERNS_BIND_SUBQUERY_H

#include "base/attr.h"
#include "patterns/ast.h"
#include "patterns/bind_expr.h"

/* expr is IN_QUERY, EXISTS or SUBQUERY. The subquery cannot see columns from around it. */
int patterns_bind_subquery(struct patterns_binder *binder, const struct patterns_scope *scope,
                           const struct patterns_expr *expr, const struct patterns_bound **ret) BASE_MUST_CHECK;

#endif
