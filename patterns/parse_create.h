/* CREATE TABLE, VIEW, RULE: from tokens to tree. Called by parse.c. */
#ifndef PATTERNS_PARSE_CREATE_H
#define PATTERNS_PARSE_CREATE_H

#include "patterns/cursor.h"

/* CREATE is the next token. */
bool patterns_parse_create(struct patterns_cursor *c, struct patterns_statement *ret) BASE_MUST_CHECK;
/* 'key' = 'value' */
bool patterns_parse_option(struct patterns_cursor *c, struct patterns_option *ret) BASE_MUST_CHECK;

#endif
