/* Expressions, from tokens to tree. Called by the other parse_*.c files. All functions give NULL or false when the
 * cursor has refused. */
#ifndef PATTERNS_PARSE_EXPR_H
#define PATTERNS_PARSE_EXPR_H

#include "patterns/cursor.h"

/* Any expression, from OR down. */
const struct patterns_expr *patterns_parse_expr(struct patterns_cursor *c) BASE_MUST_CHECK;
/* Without OR, AND, NOT, comparisons and predicates at its top: what stands where AND or IN mean something else. */
const struct patterns_expr *patterns_parse_value(struct patterns_cursor *c) BASE_MUST_CHECK;
/* INTERVAL '...' unit and nothing behind it. */
const struct patterns_expr *patterns_parse_interval(struct patterns_cursor *c) BASE_MUST_CHECK;
/* `*` or `a.*` if one stands there: a STAR. false only if refused; *ret NULL: none. */
bool patterns_parse_star(struct patterns_cursor *c, const struct patterns_expr **ret) BASE_MUST_CHECK;
/* a, b, ...: one or more; where: "after the arguments", for the message at a missing comma. */
bool patterns_parse_exprs(struct patterns_cursor *c, const struct patterns_expr *const **ret,
                          uint32_t *ret_count) BASE_MUST_CHECK;
/* ORDER BY has been read: e [ASC|DESC] [NULLS FIRST|LAST], ... */
bool patterns_parse_order(struct patterns_cursor *c, const struct patterns_order_item **ret,
                          uint32_t *ret_count) BASE_MUST_CHECK;

/* ---- shared by parse_expr.c and parse_call.c ---- */

struct patterns_expr *patterns_expr_new(struct patterns_cursor *c, enum patterns_expr_kind kind, uint32_t begin);
/* Sets end, args and depth (of which `inner` is the height of parts that are no args). NULL: refused. */
const struct patterns_expr *patterns_expr_close(struct patterns_cursor *c, struct patterns_expr *expr,
                                                const struct patterns_expr *const *args, uint32_t count,
                                                uint32_t inner) BASE_MUST_CHECK;
/* The parenthesis is open and a query stands behind it: reads it and the closing one. *ret_height counts it. */
const struct patterns_query *patterns_parse_inner_query(struct patterns_cursor *c,
                                                        uint32_t *ret_height) BASE_MUST_CHECK;

#endif
