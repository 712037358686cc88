/* Shows what the compiler made: statements, plan, automata, program, as text, Graphviz or JSON. Called by `cepheid
 * explain`, the REST API and golden tests. Reads a result, changes nothing. */
#ifndef PATTERNS_EXPLAIN_H
#define PATTERNS_EXPLAIN_H

#include "base/str.h"
#include "patterns/bind_pattern.h"
#include "patterns/compile.h"

/* TEXT: each statement in canonical form with fingerprint and stability, the plan, the automata, the disassembly. DOT:
 * the plan as one digraph, each automaton as another. JSON: one object. Errors are the buffer's. */
void patterns_explain(const struct patterns_result *result, enum patterns_explain_format format, struct base_buf *out);
/* The plan alone, a node a line, inputs before readers. */
void patterns_explain_plan(const struct patterns_result *result, struct base_buf *out);

#endif
