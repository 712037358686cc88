/* Window aggregates: what the flow asks of them beyond the interface of all operators. Internal to cep/. Shard thread only. */
#ifndef CEP_OPERATORS_WINDOW_H
#define CEP_OPERATORS_WINDOW_H

#include "cep/operator.h"

/* A node with `assigns`: the event's row once for each of its windows, with the windows' columns. Any change; no state. */
int cep_window_assign(struct cep_operator *op, const struct cep_event *event) BASE_MUST_CHECK;

#endif
