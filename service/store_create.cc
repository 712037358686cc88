#include "service/store_create.h"

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>

using rocksdb::Env;
using rocksdb::Status;

/* In memory: adding a dozen families writes and syncs two dozen files otherwise, all but two of which opening the store writes anew. */
static Status create(Env *memory, const std::string &path, const std::vector<std::string> &families)
{
    rocksdb::Options options;
    options.env = memory;
    options.create_if_missing = true;
    options.keep_log_file_num = 1;
    options.info_log_level = rocksdb::FATAL_LEVEL; /* as in store.c */
    options.stats_dump_period_sec = 0;
    options.max_file_opening_threads = 1;
    rocksdb::DB *opened = nullptr;
    Status status = rocksdb::DB::Open(options, path, &opened);
    if (!status.ok())
        return status;
    std::unique_ptr<rocksdb::DB> db(opened);
    std::vector<rocksdb::ColumnFamilyHandle *> handles;
    status = db->CreateColumnFamilies(options, families, &handles);
    for (rocksdb::ColumnFamilyHandle *handle : handles)
        db->DestroyColumnFamilyHandle(handle);
    Status closed = db->Close();
    return status.ok() ? closed : status;
}

/* The list of families, and CURRENT, which names it and comes last: with it the store is there. */
static Status write_down(Env *memory, const std::string &path)
{
    Env *disk = Env::Default();
    std::string current, list;
    Status status = ReadFileToString(memory, path + "/CURRENT", &current);
    if (!status.ok())
        return status;
    std::string name = path + "/" + current.substr(0, current.find('\n'));
    status = ReadFileToString(memory, name, &list);
    if (status.ok())
        status = WriteStringToFile(disk, list, name, true);
    if (status.ok())
        status = WriteStringToFile(disk, current, path + "/CURRENT.dbtmp", true);
    if (status.ok())
        status = disk->RenameFile(path + "/CURRENT.dbtmp", path + "/CURRENT");
    std::unique_ptr<rocksdb::Directory> folder;
    if (status.ok())
        status = disk->NewDirectory(path, &folder);
    return status.ok() ? folder->Fsync() : status;
}

/* Under the lock that who opens a store takes too. */
static Status create_on_disk(const std::string &path, const std::vector<std::string> &families)
{
    Env *disk = Env::Default();
    rocksdb::FileLock *lock = nullptr;
    Status status = disk->CreateDirIfMissing(path);
    if (status.ok())
        status = disk->LockFile(path + "/LOCK", &lock);
    if (!status.ok())
        return status;
    if (disk->FileExists(path + "/CURRENT").IsNotFound()) { /* else another process was sooner, which has ended by now */
        std::unique_ptr<Env> memory(rocksdb::NewMemEnv(disk));
        status = create(memory.get(), path, families);
        if (status.ok())
            status = write_down(memory.get(), path);
    }
    Status unlocked = disk->UnlockFile(lock);
    return status.ok() ? unlocked : status;
}

int store_create(const char *path, const char *const *families, size_t family_count, char *ret_error, size_t error_bytes)
{
    try {
        Status status = create_on_disk(path, std::vector<std::string>(families, families + family_count));
        if (status.ok())
            return 0;
        std::snprintf(ret_error, error_bytes, "%s", status.ToString().c_str());
    } catch (const std::exception &problem) { /* no memory, no thread: C code cannot take it */
        std::snprintf(ret_error, error_bytes, "%s", problem.what());
    }
    return -1;
}
