/* Tables that are fed over HTTP ('connector' = 'http'): POST /v1/ingest/{table} puts records into a bounded queue in memory, ingest polls them as from any source,
 * and the request is answered when the epoch that read them has been decided. So what was answered is never lost; what was not may or may not have been
 * taken, and is sent again by its sender. Records wait in the queue until they are decided, for an abort reads them again. Threads: push from the HTTP server's,
 * the source by ingest, mark and decided by the coordinator. */
#ifndef SERVICE_PUSH_H
#define SERVICE_PUSH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "connectors/source.h"
#include "service/input.h"

/* Rows that wait in one queue, or come in one body, at the most. */
#define SERVICE_PUSH_RECORDS 1000000u

struct service_pushes;
struct service_pushes *service_pushes_create(void); /* NULL: no memory */
/* Every source must be closed before. NULL allowed. */
void service_pushes_destroy(struct service_pushes *pushes);
/* An opener for service_input_config, with the pushes as its ctx: takes tables whose connector is 'http'. */
service_input_opener service_pushes_open;

/* Queues the records of a body (JSON: an array or objects one behind the other by lines; otherwise lines) and waits at most timeout_ms for their decision. *ret_count: how
 * many. BASE_E_NOTFOUND: no table of that name is fed so; BASE_E_LIMIT: the body alone is larger than the queue, or has too many rows; BASE_E_BUSY: the queue is full, nothing was taken; BASE_E_CLOSED: the
 * service ends or the table went; BASE_E_TIMEOUT: taken, but not decided yet; BASE_E_MALFORMED: no JSON array or objects. */
int service_pushes_push(struct service_pushes *pushes, const char *table, struct base_str body, int64_t timeout_ms, uint64_t *ret_count) BASE_MUST_CHECK;
/* The names of the tables that are fed so, quoted, the first twenty; for messages. Any thread. */
void service_pushes_names(struct service_pushes *pushes, struct base_buf *out);
/* Is any table fed so? */
bool service_pushes_any(struct service_pushes *pushes);
/* At rest: what this input has read up to now belongs to the running epoch. */
void service_pushes_mark(struct service_pushes *pushes, const struct service_input *input);
/* What was marked is decided: it is dropped, its senders are told. */
void service_pushes_decided(struct service_pushes *pushes);
/* Ends all waiting with BASE_E_CLOSED, and all pushes to come. */
void service_pushes_stop(struct service_pushes *pushes);

#endif
