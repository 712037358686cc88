/* The other way of service/local.h through a bounded table that one row pattern reads as a whole: all rows into columns first, then the pattern once over them.
 * Same results. Called by local.c alone. One thread. */
#ifndef SERVICE_LOCAL_COLUMNS_H
#define SERVICE_LOCAL_COLUMNS_H

#include "service/input.h"
#include "service/local.h"

struct service_local_columns { struct cep_flow *flow; uint32_t node; struct service_input *input; const struct service_local_config *config; };
/* Appends rows until there are so many, or so many bytes, or the input is at its end (*ret_finished). Errors as service_local_run. */
struct service_local_most { uint32_t rows; uint64_t bytes; };
int service_local_columns_read(const struct service_local_columns *local, struct cep_columns *columns, const struct service_local_most *most, bool *ret_finished,
                               struct base_buf *reterr) BASE_MUST_CHECK;
/* Is the table of SOURCE node `node`, which nothing else reads, to be gone through so? */
bool service_local_takes_columns(const struct service_local_columns *local);
/* Reads the input to its end and hands the rows over; the watermark is still to be told. Errors as service_local_run. */
int service_local_columns_run(const struct service_local_columns *local, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
