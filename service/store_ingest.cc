#include "service/store_ingest.h"

#include <rocksdb/options.h>

/* As RocksDB's own c.cc has it: the C type holds the C++ one and nothing else. The unit test of images takes a table in twice, which fails if that is ever different. */
struct rocksdb_ingestexternalfileoptions_t {
    rocksdb::IngestExternalFileOptions rep;
};

extern "C" void store_leave_file_alone(rocksdb_ingestexternalfileoptions_t *options)
{
    options->rep.write_global_seqno = false;
}
