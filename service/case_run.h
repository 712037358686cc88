/* The source of a rule case's rows. Internal to cases. */
#ifndef SERVICE_CASE_RUN_H
#define SERVICE_CASE_RUN_H

#include "cep/flow.h"
#include "service/cases.h"
#include "service/input.h"

/* A bounded source over lines of a case; several sections of one table stand one behind the other. BASE_E_NOMEM. */
int service_case_source(const struct service_case *c, struct base_str table, struct connectors_source **ret) BASE_MUST_CHECK;

/* Tells steps in words. */
struct service_case_trace {
    const struct service_case *c;
    const struct cep_program *program;
    struct base_buf *out;
    struct { struct service_case_live { uint32_t node; uint64_t key; struct cep_position at; int64_t time_ms; uint32_t line; bool still, matched; } *at; size_t len, cap; } live;
    bool matched; /* the row under way completed a match */
    bool failed;  /* memory */
};
void service_case_trace_finish(struct service_case_trace *trace);
void service_case_trace_step(struct service_case_trace *trace, const struct cep_trace *step);

#endif
