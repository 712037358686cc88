/* The tree back to text: canonical SQL, and an indented dump of the nodes. Parsing the canonical text gives the same
 * tree again (places apart). Called by explain, by diagnostics that show a part of a rule, and by tests. Errors are the
 * buffer's (sticky). Single-threaded. */
#ifndef PATTERNS_PRINT_H
#define PATTERNS_PRINT_H

#include "base/str.h"
#include "patterns/ast.h"

/* On one line. */
void patterns_print_ident(const struct patterns_ident *ident, struct base_buf *out);
void patterns_print_name(const struct patterns_name *name, struct base_buf *out);
void patterns_print_type(const struct patterns_type *type, struct base_buf *out);
void patterns_print_expr(const struct patterns_expr *expr, struct base_buf *out); /* subqueries take several lines */
void patterns_print_pattern(const struct patterns_pattern *pattern, struct base_buf *out);
/* 'text' with quotes doubled. */
void patterns_print_string(struct base_str text, struct base_buf *out);

/* A clause a line, without a semicolon or a final newline. */
void patterns_print_query(const struct patterns_query *query, struct base_buf *out);
void patterns_print_match(const struct patterns_match *match, struct base_buf *out);
void patterns_print_statement(const struct patterns_statement *statement, struct base_buf *out);
/* Each statement with its semicolon and a newline. */
void patterns_print_script(const struct patterns_script *script, struct base_buf *out);

#endif
