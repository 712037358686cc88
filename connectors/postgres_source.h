/* A PostgreSQL table as a source: a snapshot, then polling for rows whose column has risen. Rows are JSON objects of the declared columns. A thread of the source's own asks the
 * server, so that nobody else waits for it. Opened by connectors_source_open. */
#ifndef CONNECTORS_POSTGRES_SOURCE_H
#define CONNECTORS_POSTGRES_SOURCE_H

#include "base/attr.h"
#include "connectors/source.h"

/* Options: 'url', 'table-name', 'username', 'password', 'ca-file'; 'scan.column' (without it, 'scan.snapshot': one snapshot, and the end), 'scan.poll-ms', 'scan.settle-ms', 'scan.batch-rows'. */
int connectors_postgres_source_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
    BASE_MUST_CHECK;

#endif
