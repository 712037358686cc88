/* The source of a rule case's rows. Internal to cases. */
#ifndef SERVICE_CASE_RUN_H
#define SERVICE_CASE_RUN_H

#include "service/cases.h"
#include "service/input.h"

/* A bounded source over lines of a case; several sections of one table stand one behind the other. BASE_E_NOMEM. */
int service_case_source(const struct service_case *c, struct base_str table, struct connectors_source **ret) BASE_MUST_CHECK;

#endif
