/* The other way of service/local.h through a file with event time that one row pattern reads: many rows into columns, then the pattern over them key by key (cep_flow_history), then the next ones.
 * Same results in the same order, without the cost of finding each row's key. Called by local.c alone. One thread. */
#ifndef SERVICE_LOCAL_HISTORY_H
#define SERVICE_LOCAL_HISTORY_H

#include "service/local_columns.h"

struct service_local_history {
    struct service_local_columns from;
    uint32_t watermark_rows; /* rows between two watermarks */
    int (*watermark)(void *ctx, int64_t watermark_ms); /* tells the flow */
    void *ctx;
};
/* Is the table of SOURCE node from.node, which nothing else reads, to be gone through so? */
bool service_local_takes_history(const struct service_local_history *local);
/* Reads the input and hands its rows over. *ret_done false: the rest of it is to be read and handed over row by row, for conditions see too many different things; all
 * rows so far are with the flow. Errors as service_local_run. */
int service_local_history_run(const struct service_local_history *local, bool *ret_done, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
