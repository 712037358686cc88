/* Types of the language: declared types to engine types, and the type rules of operators that need more than
 * cep/value.h. Called by the binder and the catalogue. Pure functions. */
#ifndef PATTERNS_TYPES_H
#define PATTERNS_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/value.h"
#include "patterns/ast.h"

struct patterns_binder;

/* The engine's type of a declared type. 0, or BASE_E_SYNTAX with a diagnostic for those that have none (MAP, MULTISET,
 * arrays of arrays). */
int patterns_type_resolve(struct patterns_binder *binder, const struct patterns_type *type,
                          struct cep_type *ret) BASE_MUST_CHECK;
/* Type that both sides of a comparison are cast to; false: they cannot be compared. Texts compare with times (the text
 * is cast), never with numbers. */
bool patterns_type_comparable(struct cep_type a, struct cep_type b, struct cep_type *ret);
/* INT counts as DECIMAL(10, 0), BIGINT as DECIMAL(19, 0); other types unchanged. */
struct cep_type patterns_type_as_decimal(struct cep_type type);
bool patterns_type_is_interval(struct cep_type type);
bool patterns_type_is_integer(struct cep_type type);

/* "10 min", "2 h", "1 day", "500 ms", "1 h 30 min", "PT5M" is not understood; a plain number is milliseconds. False if
 * malformed, negative or too large. */
bool patterns_duration_parse(struct base_str text, int64_t *ret_ms);

#endif
