/* Brings the rows of a bounded table into partitions, each in its order: nothing is moved where they stand so already. Used by batch.c. One thread. */
#ifndef CEP_MATCH_BATCH_ORDER_H
#define CEP_MATCH_BATCH_ORDER_H

#include "cep/match/batch.h"

struct match_batch_order { uint32_t column; bool descending, nulls_first; };
struct match_batch_edges { uint32_t *at; size_t len, cap; };
/* ret: first row of each partition, and behind them the number of rows. Rows that ORDER BY leaves equal keep their order. BASE_E_NOMEM. */
int cep_match_batch_arrange(struct cep_columns *columns, const struct match_batch_keys *keys, const struct match_batch_order *order, uint32_t order_count,
                            struct match_batch_edges *ret) BASE_MUST_CHECK;

#endif
