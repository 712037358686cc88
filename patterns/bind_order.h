/* ORDER BY and LIMIT: whether they may stand, what their items mean, and the SORT node. Part of the query binder;
 * called by bind.c and bind_select.c. */
#ifndef PATTERNS_BIND_ORDER_H
#define PATTERNS_BIND_ORDER_H

#include "base/attr.h"
#include "patterns/bind.h"

/* May the query be ordered where it stands? */
int patterns_order_check(const struct patterns_query_scope *scope, const struct patterns_query *query,
                         bool bounded) BASE_MUST_CHECK;
/* Number of the output that an ORDER BY item `1`, `2` means; false: it is an expression. */
bool patterns_order_ordinal(const struct patterns_order_item *item, const struct patterns_relation *out, uint32_t *ret);
/* SORT over input by its columns, one per item, with the query's LIMIT and OFFSET. */
int patterns_order_sort(const struct patterns_query_scope *scope, const struct patterns_query *query,
                        const struct patterns_plan *input, const uint32_t *columns,
                        const struct patterns_plan **ret) BASE_MUST_CHECK;

#endif
