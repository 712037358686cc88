/* Literals: numbers, texts, dates, timestamps and intervals of the text become constants. Called by the expression
 * binder. Pure but for diagnostics. */
#ifndef PATTERNS_LITERAL_H
#define PATTERNS_LITERAL_H

#include "base/attr.h"
#include "patterns/ast.h"
#include "patterns/bound.h"

/* expr is one of NULL, BOOLEAN, NUMBER, STRING, DATE, TIME, TIMESTAMP, TIMESTAMP_LTZ, INTERVAL. 0, BASE_E_SYNTAX,
 * BASE_E_NOMEM. */
int patterns_bind_literal(struct patterns_binder *binder, const struct patterns_expr *expr,
                          const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Constant of an option's text (PARAM): a number, TRUE or FALSE, a duration ("2 min"), else a text. */
int patterns_bind_param_text(struct patterns_binder *binder, const struct patterns_expr *place, struct base_str text,
                             const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Type and value of an exact number "12.30" (digits and at most one point, no sign). False: more than 38 digits. */
bool patterns_number_value(struct base_str text, struct cep_type *ret_type, struct cep_value *ret);

#endif
