/* Keys that are columns as they stand, which nearly all are: made from the row without running code. Used by cep/flow.c. Any thread. */
#ifndef CEP_PLAIN_KEY_H
#define CEP_PLAIN_KEY_H

#include <stdint.h>
#include "cep/program.h"
#include "cep/row.h"

#define CEP_PLAIN_KEY_MOST 8
struct cep_plain_key { uint32_t count; /* 0: not plain */ uint32_t columns[CEP_PLAIN_KEY_MOST]; struct cep_type types[CEP_PLAIN_KEY_MOST]; };

/* Are all key codes of the node plain columns of its input row? */
void cep_plain_key_init(struct cep_plain_key *key, const struct cep_program *program, struct cep_list codes, uint32_t row_columns);
/* Bytes of the key's tuple; 0: too many. */
size_t cep_plain_key_size(const struct cep_plain_key *key, const struct cep_tuple *row);
/* Writes it at `at`, 8-byte aligned, so many bytes. The same bytes as cep_tuple_write gives. */
void cep_plain_key_write(const struct cep_plain_key *key, const struct cep_tuple *row, struct cep_tuple *at, size_t bytes);

#endif
