/* Regular expressions for rules: REGEXP, REGEXP_LIKE, REGEXP_EXTRACT, REGEXP_REPLACE, REGEXP_COUNT and the helper of SIMILAR TO, on PCRE2 with JIT. The
 * host adds the table to the function registry. Constant patterns are compiled once, when the program is linked; every match has a limit of steps, so that
 * no rule text and no record can stall a shard: a limit that is hit is the run-time error BASE_E_REGEX of that row. Never reads anything but its arguments. */
#ifndef ENRICHMENT_REGEX_H
#define ENRICHMENT_REGEX_H

#include "base/attr.h"
#include "cep/func.h"

#define ENRICHMENT_REGEX_MATCH_LIMIT 1000000u /* steps of one match */
#define ENRICHMENT_REGEX_DEPTH_LIMIT 10000u   /* nested backtracking points of one match */
#define ENRICHMENT_REGEX_PATTERN_MAX 8192u    /* bytes of a pattern */

/* Adds the functions. BASE_E_EXISTS, BASE_E_NOMEM. */
int enrichment_regex_register(struct cep_funcs *funcs) BASE_MUST_CHECK;

#endif
