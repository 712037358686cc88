/* Conditions that exclude each other; warnings about unread SUBSETs and loops whose ways sums keep apart. Called by lint_pattern.c and stability_pairs.c;
 * never evaluates a condition. */
#ifndef PATTERNS_LINT_RISK_H
#define PATTERNS_LINT_RISK_H

#include "patterns/rowpat.h"

/* Can no row meet both? Sees comparisons of one value with constants, IN, BETWEEN, IS NULL, joined by AND and OR; false where it cannot tell. */
bool patterns_rp_excludes(const struct patterns_bound *a, const struct patterns_bound *b);
/* Tells what is wrong; once registers are known. */
void patterns_rp_lint_risk(struct patterns_match_detail *rp);

#endif
