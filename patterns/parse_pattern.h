/* MATCH_RECOGNIZE: its clauses and the row pattern, from tokens to tree. Called by parse_table.c. */
#ifndef PATTERNS_PARSE_PATTERN_H
#define PATTERNS_PARSE_PATTERN_H

#include "patterns/cursor.h"

/* The keyword has been read; begin is its place. */
const struct patterns_match *patterns_parse_match(struct patterns_cursor *c, uint32_t begin) BASE_MUST_CHECK;
/* What stands between the parentheses of PATTERN. */
const struct patterns_pattern *patterns_parse_row_pattern(struct patterns_cursor *c) BASE_MUST_CHECK;

#endif
