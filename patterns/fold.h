/* Constant folding: runs expression code of constant trees at compile time, with the engine's own evaluator, so that a
 * folded value never differs from what the engine would compute. Called by the binder. */
#ifndef PATTERNS_FOLD_H
#define PATTERNS_FOLD_H

#include "base/attr.h"
#include "patterns/bound.h"

/* The constant that bound amounts to, or bound itself if it depends on rows or the clock, or fails (the failure is then
 * an error of each row; a warning says so). AND, OR, CASE and COALESCE lose arms that cannot matter. Hashes stay those
 * of the text. 0 or BASE_E_NOMEM. */
int patterns_fold(struct patterns_binder *binder, const struct patterns_bound *bound,
                  const struct patterns_bound **ret) BASE_MUST_CHECK;
/* Value of a constant tree; error of the evaluation otherwise (BASE_E_CAST, BASE_E_DIVISION, ...). bound must not
 * depend on rows. */
int patterns_fold_value(struct patterns_binder *binder, const struct patterns_bound *bound,
                        struct cep_value *ret) BASE_MUST_CHECK;
/* Does it depend on nothing but literals? */
bool patterns_is_constant(const struct patterns_bound *bound);

#endif
