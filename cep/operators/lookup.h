/* What the two forms of a lookup share: lookup.c (answered at once, or waiting for a table's versions) and lookup_outside.c (waiting for a store's answers).
 * Internal to cep/operators. Shard thread only. */
#ifndef CEP_OPERATORS_LOOKUP_H
#define CEP_OPERATORS_LOOKUP_H

#include "cep/operator.h"

/* The row's key and the time asked for. Errors of a row (cep_row_error) were reported. */
int cep_lookup_ask(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_tuple **ret_key, int64_t *ret_as_of_ms) BASE_MUST_CHECK;
/* Is some part of the key NULL? Then no row has it. */
bool cep_lookup_no_key(const struct cep_tuple *key);
/* The joined row as the table stands, in the flow's arena; *ret NULL: there is none. What the host's lookup says is handed up. */
int cep_lookup_join(struct cep_flow *flow, uint32_t node, const struct cep_event *event, const struct cep_tuple *key, int64_t as_of_ms, struct cep_row **ret) BASE_MUST_CHECK;
/* Hands on what the join made of an event (row NULL: nothing), its change kept; rc: of ask or join. */
int cep_lookup_pass(struct cep_flow *flow, uint32_t node, const struct cep_event *event, int rc, struct cep_row *row) BASE_MUST_CHECK;
/* The node whose key_columns describe the keys of the rows that come to `node`. */
uint32_t cep_lookup_key_node(const struct cep_program *program, uint32_t node);

#endif
