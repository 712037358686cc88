/* Which row patterns behind a node can care about a row at all: where each condition of a pattern demands `column = constant`, a row without one of these values
 * changes nothing and need not be shown to it (docs/engine.md, Claim 11). So a thousand rules cost what those few cost that a row concerns. Used by cep/flow.c; one
 * thread per index. */
#ifndef CEP_CARE_H
#define CEP_CARE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"
#include "cep/row.h"

struct cep_care;
/* Index over the outputs of a node whose rows have these types. *ret NULL: it would be of no use. BASE_E_NOMEM. */
int cep_care_create(const struct cep_program *program, uint32_t node, const struct cep_type *types, uint32_t columns, struct cep_care **ret) BASE_MUST_CHECK;
void cep_care_destroy(struct cep_care *care); /* NULL allowed */
/* Outputs that must see the row, as places in the node's list of outputs, in order; valid until the next call. */
const uint32_t *cep_care_pick(struct cep_care *care, const struct cep_tuple *row, uint32_t *ret_count);
/* Must any output see it? */
bool cep_care_any(const struct cep_care *care, const struct cep_tuple *row);

#endif
