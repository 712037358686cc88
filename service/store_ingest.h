/* One option of taking in tables that RocksDB's C interface lacks. Called by store_tables.c. */
#ifndef SERVICE_STORE_INGEST_H
#define SERVICE_STORE_INGEST_H

#include <rocksdb/c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* By default RocksDB writes the number under which a table's changes count into its file, which then cannot be taken in a second time; without it that number stands in the store's manifest alone. */
void store_leave_file_alone(rocksdb_ingestexternalfileoptions_t *options);

#ifdef __cplusplus
}
#endif
#endif
