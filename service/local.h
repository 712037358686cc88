/* Runs a program over its own sources in one thread, to their end: `cepheid query`, rule cases and tests. Rows that the flow routes come straight back
 * to the same flow. Keeps no state on disk, delivers nothing: results, reports and late rows go to the caller. */
#ifndef SERVICE_LOCAL_H
#define SERVICE_LOCAL_H

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/flow.h"
#include "formats/format.h"
#include "service/input.h"

/* All may be NULL but `row`. */
struct service_local_calls {
    int (*row)(void *ctx, uint32_t node, const struct cep_event *event); /* a row for SINK node `node`; of a query's result, its columns, identity, time, place and change alone */
    void (*report)(void *ctx, enum cep_report what, uint32_t node, int error, const struct cep_code *place, const struct cep_event *event);
    uint32_t unheard; /* reports that need not come, as in struct cep_env */
    formats_problem_fn *problem;                                         /* a record that could not be read */
    void (*late)(void *ctx, uint32_t table, const struct cep_row *row);  /* a row behind its partition's watermark: dropped */
    bool (*stop)(void *ctx);                                             /* true: end early, without the final results */
    void (*trace)(void *ctx, const struct cep_trace *trace);             /* steps of row patterns; NULL: not asked for */
    void *ctx;
};
struct service_local_config {
    const struct cep_linked *linked;
    const char *base_dir;            /* relative paths of tables stand against it; NULL: the working directory */
    struct cep_limits limits;
    uint32_t watermark_rows;         /* rows of a table between two watermarks; 0: 64, more for programs of many nodes. Results do not depend on it, their order may. */
    uint32_t together_rows;          /* rows of a file that are gone through together, where they can be (local_history.h), and what was read with them; 0: as many as do good. Results do not depend on it. */
    bool clock_by_rows;              /* processing time is the greatest event time of a row so far: the same at each run; else the wall clock */
    struct service_local_calls calls;
    service_input_opener *opener;    /* as service_input_config */
    void *opener_ctx;
};
/* Reason of a failure appended to reterr: a source that cannot be opened or read (BASE_E_*), BASE_E_NOMEM, what `row` returned. BASE_E_CLOSED: stopped. */
int service_local_run(const struct service_local_config *config, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
