/* The check of a rule text before it is read: size, encoding, stray NUL bytes. Called by the lexer only; never reads
 * files. Single-threaded. */
#ifndef PATTERNS_SOURCE_H
#define PATTERNS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/diag.h"

/* False: the text cannot be read at all, a diagnostic ("limit", "encoding") says why. */
bool patterns_source_check(const struct base_source *source, struct base_diags *diags) BASE_MUST_CHECK;
/* Offset behind a byte order mark, 0 without one. */
size_t patterns_source_start(const struct base_source *source);

#endif
