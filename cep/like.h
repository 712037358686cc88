/* LIKE patterns: compiled once per call site, matched without backtracking. Called by the search functions. Internal to
 * cep/. Any thread. */
#ifndef CEP_LIKE_H
#define CEP_LIKE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

struct cep_like;
/* escape: one character, or empty for none. The result owns copies. BASE_E_INVALID with the reason in *ret_error
 * (static), BASE_E_NOMEM. */
int cep_like_create(struct base_str pattern, struct base_str escape, const char **ret_error,
                    struct cep_like **ret) BASE_MUST_CHECK;
void cep_like_destroy(struct cep_like *like);
bool cep_like_match(const struct cep_like *like, struct base_str text);

#endif
