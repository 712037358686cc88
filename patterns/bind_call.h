/* Binds function calls: finds the function and the casts of its arguments, maps SQL's special forms (EXTRACT, TRIM,
 * POSITION, ...) to functions, and makes the calls that are no functions of the registry (COALESCE, IF, NULLIF, PARAM,
 * CURRENT_TIMESTAMP). Part of the expression binder; called by bind_expr.c only. */
#ifndef PATTERNS_BIND_CALL_H
#define PATTERNS_BIND_CALL_H

#include "base/attr.h"
#include "patterns/ast.h"
#include "patterns/bind_expr.h"

/* expr is a CALL that the scope did not claim. */
int patterns_bind_call(struct patterns_binder *binder, const struct patterns_scope *scope,
                       const struct patterns_expr *expr, const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Call of a registry function by name with bound arguments (LIKE, SIMILAR, ARRAY); folded. */
int patterns_call_function(struct patterns_binder *binder, const struct patterns_expr *place, const char *name,
                           const struct patterns_bound *const *args, uint32_t count,
                           const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Is the name one of SQL's aggregate functions? */
bool patterns_is_aggregate(struct base_str name);

#endif
