#include "service/store_create.h"

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/db.h>

static rocksdb::Status create(const std::string &path, const std::vector<std::string> &families)
{
    rocksdb::Options options;
    options.create_if_missing = true;
    options.keep_log_file_num = 1;
    options.info_log_level = rocksdb::FATAL_LEVEL; /* as in store.c */
    options.stats_dump_period_sec = 0;
    options.max_file_opening_threads = 1;
    rocksdb::DB *opened = nullptr;
    rocksdb::Status status = rocksdb::DB::Open(options, path, &opened);
    if (!status.ok())
        return status;
    std::unique_ptr<rocksdb::DB> db(opened);
    std::vector<rocksdb::ColumnFamilyHandle *> handles;
    status = db->CreateColumnFamilies(options, families, &handles);
    for (rocksdb::ColumnFamilyHandle *handle : handles)
        db->DestroyColumnFamilyHandle(handle);
    rocksdb::Status closed = db->Close();
    return status.ok() ? closed : status;
}

int store_create(const char *path, const char *const *families, size_t family_count, char *ret_error, size_t error_bytes)
{
    try {
        rocksdb::Status status = create(path, std::vector<std::string>(families, families + family_count));
        if (status.ok())
            return 0;
        std::snprintf(ret_error, error_bytes, "%s", status.ToString().c_str());
    } catch (const std::exception &problem) { /* no memory, no thread: C code cannot take it */
        std::snprintf(ret_error, error_bytes, "%s", problem.what());
    }
    return -1;
}
