/* Rule text to tree: statements, and the recovery from errors at their ends. Called by the compiler driver, by tests
 * and by everything that wants to read one expression. Looks nothing up, reads no files. Single-threaded. */
#ifndef PATTERNS_PARSE_H
#define PATTERNS_PARSE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "patterns/ast.h"

/* Parses all statements of the source. A statement with an error is diagnosed once and left out, the parse goes on
 * behind its semicolon; so look at diags->errors before trusting that *ret is all of the text. The tree lives in the
 * arena; source and its text must outlive it. 0 (also with diagnostics), or BASE_E_NOMEM (*ret untouched). */
int patterns_parse(const struct base_source *source, struct base_arena *arena, struct base_diags *diags,
                   struct patterns_script **ret) BASE_MUST_CHECK;
/* Parses a text that is one expression and nothing else. 0, BASE_E_SYNTAX (diagnosed), BASE_E_NOMEM. */
int patterns_parse_expression(const struct base_source *source, struct base_arena *arena, struct base_diags *diags,
                              const struct patterns_expr **ret) BASE_MUST_CHECK;

#endif
