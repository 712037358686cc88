/* UNION, INTERSECT and EXCEPT (DISTINCT): a group by all columns over the rows of all sides, which says of each row on which side it stands. Called by bind.c.
 * Single-threaded; memory is the compile arena's. */
#ifndef PATTERNS_SETOP_H
#define PATTERNS_SETOP_H

#include "base/attr.h"
#include "patterns/ast.h"
#include "patterns/bind_expr.h"
#include "patterns/plan.h"

/* Refuses INTERSECT ALL and EXCEPT ALL. */
int patterns_setop_check(struct patterns_binder *binder, const struct patterns_query *query) BASE_MUST_CHECK;
/* Columns that say where a row comes from, which each side gives behind its own: how many, and what side `side` has in column `mark`. */
uint32_t patterns_setop_marks(const struct patterns_query *query);
int64_t patterns_setop_mark(const struct patterns_query *query, uint32_t side, uint32_t mark);
/* The operation over the UNION ALL of the marked sides; its first `columns` columns are the rows'. 0, BASE_E_SYNTAX, BASE_E_NOMEM. */
int patterns_setop_finish(struct patterns_binder *binder, const struct patterns_query *query, const struct patterns_plan *sides, uint32_t columns,
                          const struct patterns_plan **ret) BASE_MUST_CHECK;

#endif
