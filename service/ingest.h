/* The thread that reads: polls the inputs, tells late rows from good ones, runs the part of the dataflow that stands before the first exchange, and injects
 * barriers. Holds back when the shards are behind: then nothing is read. */
#ifndef SERVICE_INGEST_H
#define SERVICE_INGEST_H

#include "base/attr.h"
#include "service/engine.h"
#include "service/host.h"

struct service_ingest;
int service_ingest_create(struct service_engine *engine, struct base_str watermarks, struct service_ingest **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void service_ingest_destroy(struct service_ingest *ingest); /* its thread has ended; NULL allowed */
void *service_ingest_main(void *arg);
struct service_host *service_ingest_host(struct service_ingest *ingest);

#endif
