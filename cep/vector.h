/* Conditions over columns: the code of a condition run for a block of rows at a time, one loop for each instruction, instead of the whole code for each row.
 * Gives what cep_expr_test gives. Takes codes without jumps, registers, labels and calls, over numbers, times and texts; where such a code would end in an
 * error for some row it gives up, and the rows are to be gone through one by one. Made and used by the row pattern operator over a bounded table. One thread. */
#ifndef CEP_VECTOR_H
#define CEP_VECTOR_H

#include "cep/columns.h"
#include "cep/expr.h"

#define CEP_VECTOR_ROWS 512u

struct cep_vector;
/* BASE_E_UNSUPPORTED: the code has something that is not done here. BASE_E_NOMEM. */
int cep_vector_create(const struct cep_linked *linked, uint32_t code, const struct cep_columns *columns, struct cep_vector **ret) BASE_MUST_CHECK;
void cep_vector_destroy(struct cep_vector *vector); /* NULL allowed */

/* Rows [first, first + count) of the table, count <= CEP_VECTOR_ROWS. edges: first rows of partitions, in order, ending with the number of rows; those that
 * lie near the block from edges[edge] on: edges[edge] <= first - the farthest PREV. A neighbour in another partition is NULL. ret: 1 where the code gives TRUE.
 * BASE_E_UNSUPPORTED: some row ends in an error. */
struct cep_vector_block { const struct cep_columns *columns; uint32_t first, count; const uint32_t *edges; uint32_t edge; };
int cep_vector_run(struct cep_vector *vector, const struct cep_vector_block *block, uint8_t *ret) BASE_MUST_CHECK;

#endif
