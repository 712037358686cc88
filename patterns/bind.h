/* Binds queries: FROM, WHERE, SELECT, UNION ALL, temporal joins, ORDER BY become a logical plan. Views are bound where
 * they are read, in any order of declaration. Called by compile.c. Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_BIND_H
#define PATTERNS_BIND_H

#include "base/attr.h"
#include "patterns/ast.h"
#include "patterns/catalog.h"
#include "patterns/plan.h"

/* What a statement is bound in. */
struct patterns_query_scope {
    struct patterns_binder *binder;
    struct patterns_catalog *catalog;
    const struct patterns_query_ctes *ctes; /* of the queries around; NULL: none */
    bool top;                               /* the outermost query of a statement: ORDER BY and LIMIT may stand */
};
/* A whole query; the result gives its columns in order, hidden ones behind their ROW column. 0, BASE_E_SYNTAX,
 * BASE_E_NOMEM. */
int patterns_bind_query(const struct patterns_query_scope *scope, const struct patterns_query *query,
                        const struct patterns_plan **ret) BASE_MUST_CHECK;
/* A view's plan as seen by the scope's statement. */
int patterns_bind_view(const struct patterns_query_scope *scope, struct patterns_object *object,
                       const struct patterns_plan **ret) BASE_MUST_CHECK;
/* A plan that gives just the visible columns of `plan`, without hidden ones (itself if there are none). */
int patterns_bind_visible(struct patterns_binder *binder, const struct patterns_plan *plan,
                          const struct patterns_plan **ret) BASE_MUST_CHECK;

#endif
