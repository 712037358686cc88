/* The tree as indented lines, a node a line with all it holds but its place. Called by explain and by tests, which
 * compare trees by it. Single-threaded. */
#ifndef PATTERNS_DUMP_H
#define PATTERNS_DUMP_H

#include "base/str.h"
#include "patterns/ast.h"

void patterns_dump_expr(const struct patterns_expr *expr, struct base_buf *out);
void patterns_dump_pattern(const struct patterns_pattern *pattern, struct base_buf *out);
void patterns_dump_script(const struct patterns_script *script, struct base_buf *out);

#endif
