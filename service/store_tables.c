#include "service/store_tables.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "service/ease.h"
#include "service/folder.h"
#include "service/store_ingest.h"
#include "service/store_internal.h"

#define PATH_BYTES 4200u
#define NEAR_CHANGES 8u    /* so many before its turn, a change is brought near */
#define LOOK_TIMES 4096u /* changes between two looks at whether to stop, and at the file's length */

struct making {
    struct service_store *store;
    rocksdb_sstfilewriter_t *writer; /* of the family's table; NULL: it has none */
    char path[PATH_BYTES];
    int fd;                          /* of its file, to begin its way to disk */
    struct service_ease ease;
    struct base_str last;            /* key that was put last */
    uint64_t count;
    bool (*stops)(void *);
    void *ctx;
};

/* False: too long. */
static bool path_of(const struct service_store *store, uint64_t number, uint32_t family, const char *end, char ret[PATH_BYTES])
{
    int len = snprintf(ret, PATH_BYTES, "%s/" SERVICE_TABLES_FOLDER "/%016" PRIx64 "-%u.%s", store->path, number, family, end);
    return len > 0 && (size_t)len < PATH_BYTES;
}

static bool folder_of(const struct service_store *store, char ret[PATH_BYTES])
{
    int len = snprintf(ret, PATH_BYTES, "%s/" SERVICE_TABLES_FOLDER, store->path);
    return len > 0 && (size_t)len < PATH_BYTES;
}

static int fail_file(struct service_store *store, const char *path, const char *what)
{
    int code = errno == ENOSPC || errno == EDQUOT ? BASE_E_FULL : BASE_E_IO;
    return store_fail(store, code, "the file %s cannot be %s: %s%s", path, what, strerror(errno), code == BASE_E_FULL ? "; free space on its file system" : "");
}

/* ---- making ---- */

static int begin_table(struct making *making, uint64_t number, uint32_t family)
{
    char *text = NULL;
    if (!path_of(making->store, number, family, "sst", making->path))
        return BASE_E_LIMIT;
    rocksdb_envoptions_t *files = rocksdb_envoptions_create();
    making->writer = rocksdb_sstfilewriter_create(files, making->store->options);
    rocksdb_envoptions_destroy(files);
    rocksdb_sstfilewriter_open(making->writer, making->path, &text);
    if (text)
        return store_fail_rocks(making->store, "a table cannot be made", text);
    making->fd = open(making->path, O_RDONLY | O_CLOEXEC);
    making->ease = (struct service_ease){ 0 };
    making->last = (struct base_str){ NULL, 0 };
    return 0;
}

/* Ends the table, durable if all went well so far. */
static int end_table(struct making *making, int error)
{
    char *text = NULL;
    if (!making->writer)
        return error;
    if (error == 0)
        rocksdb_sstfilewriter_finish(making->writer, &text);
    if (text)
        error = store_fail_rocks(making->store, "a table cannot be written", text);
    rocksdb_sstfilewriter_destroy(making->writer);
    making->writer = NULL;
    if (making->fd >= 0)
        close(making->fd);
    making->fd = -1;
    return error;
}

static int put(struct making *making, const struct store_change *change)
{
    char *text = NULL;
    if (making->last.ptr && base_str_compare(making->last, change->key) >= 0)
        return BASE_E_UNSUPPORTED;
    making->last = change->key;
    if (change->op == STORE_OP_PUT)
        rocksdb_sstfilewriter_put(making->writer, change->key.ptr, change->key.len, change->value.ptr, change->value.len, &text);
    else
        rocksdb_sstfilewriter_delete(making->writer, change->key.ptr, change->key.len, &text);
    if (text)
        return store_fail_rocks(making->store, "a table cannot be written", text);
    if (++making->count % LOOK_TIMES != 0)
        return 0;
    uint64_t length = 0;
    rocksdb_sstfilewriter_file_size(making->writer, &length);
    service_ease(&making->ease, making->fd, length);
    return making->stops(making->ctx) ? BASE_E_CLOSED : 0;
}

static int read_change(const struct service_table_part *part, uint32_t i, struct store_change *ret)
{
    const uint8_t *bytes = (const uint8_t *)part->section.ptr;
    struct base_reader reader = { bytes + part->order->at[i], bytes + part->section.len, false };
    return store_section_next(&reader, ret);
}

/* First change of the order, from `from` on, whose family is this one or a later one. */
static int find_family(const struct service_table_part *part, uint32_t family, uint32_t *ret)
{
    uint32_t low = 0, high = part->order->count;
    struct store_change change;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int e = read_change(part, middle, &change);
        if (e < 0)
            return e;
        if ((uint32_t)change.family < family)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = low;
    return 0;
}

/* The part's changes of the family. Of several of one key the last one counts. */
static int put_part(struct making *making, const struct service_table_part *part, uint64_t number, uint32_t family)
{
    struct store_change change = { 0 }, next = { 0 };
    uint32_t at = 0, end = 0;
    int e = find_family(part, family, &at);
    if (e == 0)
        e = find_family(part, family + 1, &end);
    if (e == 0 && at < end)
        e = read_change(part, at, &change);
    if (e == 0 && at < end && !making->writer)
        e = begin_table(making, number, family);
    for (; e == 0 && at < end; at++) {
        if (at + NEAR_CHANGES < end) {
            const char *soon = part->section.ptr + part->order->at[at + NEAR_CHANGES];
            __builtin_prefetch(soon);
            __builtin_prefetch(soon + 64);
            __builtin_prefetch(soon + 128);
        }
        bool more = at + 1 < end;
        if (more)
            e = read_change(part, at + 1, &next);
        if (e == 0 && (!more || !base_str_equal(change.key, next.key)))
            e = put(making, &change);
        change = next;
    }
    return e;
}

static int sync_folder(struct service_store *store, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int e = fd < 0 || fsync(fd) < 0 ? fail_file(store, path, "synced") : 0;
    if (fd >= 0)
        close(fd);
    return e;
}

int service_tables_make(struct service_store *store, uint64_t number, const struct service_table_part *parts, size_t count, bool (*stops)(void *), void *ctx,
                        uint32_t *ret_families)
{
    struct making making = { .store = store, .fd = -1, .stops = stops, .ctx = ctx };
    char folder[PATH_BYTES];
    *ret_families = 0;
    if (!folder_of(store, folder))
        return BASE_E_LIMIT;
    int e = store_enter(store);
    if (e < 0)
        return e;
    if (mkdir(folder, 0750) < 0 && errno != EEXIST)
        e = fail_file(store, folder, "made");
    for (uint32_t family = 0; e == 0 && family < SERVICE_CF_COUNT; family++) {
        for (size_t i = 0; e == 0 && i < count; i++)
            e = put_part(&making, &parts[i], number, family);
        *ret_families |= making.writer ? 1u << family : 0;
        e = end_table(&making, e);
    }
    if (e == 0)
        e = sync_folder(store, folder);
    if (e == 0)
        e = sync_folder(store, store->path); /* the folder may be new, too */
    store_leave(store);
    return e;
}

/* ---- taking ---- */

/* What the memtable holds of the family would be newer than the table, or must be written out while all writers wait. */
static int flush(struct service_store *store, uint32_t family)
{
    uint64_t entries = 0;
    char *text = NULL;
    if (rocksdb_property_int_cf(store->db, store->handles[family], "rocksdb.num-entries-active-mem-table", &entries) == 0 && entries == 0)
        return 0;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    rocksdb_flush_cf(store->db, options, store->handles[family], &text);
    rocksdb_flushoptions_destroy(options);
    return text ? store_fail_rocks(store, "a flush failed", text) : 0;
}

/* RocksDB takes a file away from where it was, so it is given a second name first; where a file cannot have two, a copy is made. */
static int take(struct service_store *store, uint64_t number, uint32_t family)
{
    char path[PATH_BYTES], second[PATH_BYTES], *text = NULL;
    struct stat there;
    if (!path_of(store, number, family, "sst", path) || !path_of(store, number, family, "in", second))
        return BASE_E_LIMIT;
    if (stat(path, &there) < 0)
        return errno == ENOENT ? store_fail(store, BASE_E_CORRUPT, "the file %s is gone", path) : fail_file(store, path, "read");
    int e = flush(store, family);
    if (e < 0)
        return e;
    (void)unlink(second);
    bool linked = link(path, second) == 0;
    const char *files[1] = { linked ? second : path };
    rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(options, linked);
    store_leave_file_alone(options);
    rocksdb_ingest_external_file_cf(store->db, store->handles[family], files, 1, options, &text);
    rocksdb_ingestexternalfileoptions_destroy(options);
    return text ? store_fail_rocks(store, "a table cannot be taken in", text) : 0;
}

int service_tables_take(struct service_store *store, uint64_t number, uint32_t families)
{
    int e = store_enter(store);
    if (e < 0)
        return e;
    if (store->broken)
        e = store->broken;
    for (uint32_t family = 0; e == 0 && family < SERVICE_CF_COUNT; family++) {
        if (families >> family & 1)
            e = take(store, number, family);
    }
    if (e < 0 && !store->broken)
        store->broken = e;
    store_leave(store);
    return e;
}

void service_tables_remove(const struct service_store *store)
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    struct service_folder names = { 0 };
    if (!folder_of(store, folder) || service_folder_read(folder, &names) < 0)
        return; /* there are none */
    for (size_t i = 0; i < names.len; i++) {
        int len = snprintf(path, sizeof path, "%s/%s", folder, names.at[i]);
        if (len > 0 && (size_t)len < sizeof path && unlink(path) < 0 && errno != ENOENT)
            base_logf(BASE_LOG_WARN, "epochs", "a file that is not needed any more cannot be removed; it takes room until it can", "%s: %s", path, strerror(errno));
    }
    service_folder_finish(&names);
}
