/* Reference pages generated from the tables that define them: opcodes from cep/opcodes.def, functions from the
 * registry. Called by the page generator and by the test that holds docs/ to them. */
#ifndef PATTERNS_REFERENCE_H
#define PATTERNS_REFERENCE_H

#include "base/str.h"
#include "cep/func.h"

/* docs/opcodes.md */
void patterns_reference_opcodes(struct base_buf *out);
/* docs/functions.md: those of the registry, in order of their names, and those that the compiler itself knows. */
void patterns_reference_functions(const struct cep_funcs *funcs, struct base_buf *out);

#endif
