#include "service/store.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/error.h"
#include "service/store_create.h"
#include "service/store_internal.h"

#define MEMORY_DEFAULT ((uint64_t)64 << 20)
#define MEMORY_LEAST ((uint64_t)8 << 20)
#define LEVEL0_FILES 8 /* that are there before they are merged; 4 by default */
#define SMOOTH_BYTES ((uint64_t)1 << 20)

const char *store_family_name(int family)
{
    static const char *const names[STORE_HANDLES] = {
#define X(name, text) text,
        SERVICE_STORE_FAMILIES(X)
#undef X
            "pending",
        "default",
    };
    return family >= 0 && family < (int)STORE_HANDLES ? names[family] : "?";
}

/* ---- errors ---- */

int store_fail(struct service_store *store, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&store->talk);
    base_buf_clear(&store->error);
    base_buf_vprintf(&store->error, format, args);
    pthread_mutex_unlock(&store->talk);
    va_end(args);
    return code;
}

/* RocksDB's C interface gives its status as text only. */
int store_code_of(const char *text)
{
    if (strstr(text, "No space left") || strstr(text, "Disk quota exceeded"))
        return BASE_E_FULL;
    if (strstr(text, "lock") && (strstr(text, "Resource temporarily unavailable") ||
                                 strstr(text, "No locks available") || strstr(text, "lock hold by current process")))
        return BASE_E_BUSY;
    if (strncmp(text, "Corruption", 10) == 0)
        return BASE_E_CORRUPT;
    return BASE_E_IO;
}

static const char *remedy_of(int code)
{
    if (code == BASE_E_FULL)
        return "; free space on its file system";
    if (code == BASE_E_BUSY)
        return "; another process uses this state folder: stop it or choose another state.dir";
    if (code == BASE_E_CORRUPT)
        return "; restore the folder from a savepoint, or remove it and replay";
    return "";
}

int store_fail_rocks(struct service_store *store, const char *what, char *text)
{
    int code = store_code_of(text);
    store_fail(store, code, "store %s: %s: %s%s", store->path, what, text, remedy_of(code));
    rocksdb_free(text);
    return code;
}

void service_store_error(struct service_store *store, struct base_buf *out)
{
    pthread_mutex_lock(&store->talk);
    base_buf_put(out, store->error.ptr, store->error.len);
    pthread_mutex_unlock(&store->talk);
}

int service_store_broken(struct service_store *store)
{
    return store->broken;
}

/* ---- open and close ---- */

/* In few shards if it is small: a block must fit into one. */
static void make_cache(struct service_store *store, uint64_t bytes)
{
    rocksdb_lru_cache_options_t *options = rocksdb_lru_cache_options_create();
    if (!options)
        return;
    rocksdb_lru_cache_options_set_capacity(options, bytes);
    rocksdb_lru_cache_options_set_num_shard_bits(options, bytes < (64u << 20) ? 1 : bytes < (512u << 20) ? 3 : 5);
    store->cache = rocksdb_cache_create_lru_opts(options);
    rocksdb_lru_cache_options_destroy(options);
}

static int make_options(struct service_store *store)
{
    /* A quarter for memtables, another for those being written out, half for blocks; index and filter blocks count as blocks, so the sum holds. */
    uint64_t memory = store->memory_bytes;
    store->options = rocksdb_options_create();
    store->table_options = rocksdb_block_based_options_create();
    store->read = rocksdb_readoptions_create();
    store->write = rocksdb_writeoptions_create();
    store->write_synced = rocksdb_writeoptions_create();
    if (!store->options || !store->table_options || !store->read || !store->write ||
        !store->write_synced)
        return BASE_E_NOMEM;
    rocksdb_writeoptions_set_sync(store->write_synced, 1);
    make_cache(store, memory / 2);
    if (!store->cache)
        return BASE_E_NOMEM;
    rocksdb_block_based_options_set_block_cache(store->table_options, store->cache);
    /* Index and filter in parts of their own: as one block each they would be larger than a shard of a small cache, and be read from disk at every look-up. */
    rocksdb_block_based_options_set_index_type(store->table_options, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(store->table_options, 1);
    rocksdb_block_based_options_set_metadata_block_size(store->table_options, 4096);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(store->table_options, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(store->table_options, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(store->table_options, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(store->table_options, 1);
    rocksdb_block_based_options_set_filter_policy(store->table_options, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_options_t *options = store->options;
    rocksdb_options_set_block_based_table_factory(options, store->table_options);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_create_missing_column_families(options, 1);
    rocksdb_options_set_db_write_buffer_size(options, memory / 4);
    rocksdb_options_set_write_buffer_size(options, memory / 8);
    rocksdb_options_set_max_total_wal_size(options, memory);
    /* Begun to be written to disk as they grow: a sync of the log behind an image's slices, or tables that are written meanwhile, would hold up who syncs an epoch. */
    rocksdb_options_set_wal_bytes_per_sync(options, SMOOTH_BYTES);
    rocksdb_options_set_bytes_per_sync(options, SMOOTH_BYTES);
    rocksdb_options_set_max_background_jobs(options, 2);
    /* An image of much state is one more file that overlaps all others: merged by fours, they would be written anew again and again while rows come in. Keys that are in memory are not looked up there. */
    rocksdb_options_set_level0_file_num_compaction_trigger(options, LEVEL0_FILES);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, 5 * LEVEL0_FILES);
    rocksdb_options_set_level0_stop_writes_trigger(options, 8 * LEVEL0_FILES);
    rocksdb_options_set_max_open_files(options, 256);
    /* By default each family starts 15 threads to open its files, most of which have few or none: 200 threads at a start for nothing. */
    rocksdb_options_set_max_file_opening_threads(options, 1);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_keep_log_file_num(options, 1);
    /* Fatal only: this build aborts the process when it cannot write a line of its own log, as on a full disk. */
    rocksdb_options_set_info_log_level(options, 4);
    /* Recovers up to the last whole record: after a power cut what was synced stands before anything torn. */
    rocksdb_options_set_wal_recovery_mode(options, rocksdb_point_in_time_recovery);
    return 0;
}

static void free_options(struct service_store *store)
{
    if (store->options)
        rocksdb_options_destroy(store->options);
    if (store->table_options)
        rocksdb_block_based_options_destroy(store->table_options);
    if (store->cache)
        rocksdb_cache_destroy(store->cache);
    if (store->read)
        rocksdb_readoptions_destroy(store->read);
    if (store->write)
        rocksdb_writeoptions_destroy(store->write);
    if (store->write_synced)
        rocksdb_writeoptions_destroy(store->write_synced);
}

static int open_db(struct service_store *store)
{
    const char *names[STORE_HANDLES];
    const rocksdb_options_t *options[STORE_HANDLES];
    char *text = NULL;
    for (int i = 0; i < (int)STORE_HANDLES; i++) {
        names[i] = store_family_name(i);
        options[i] = store->options;
    }
    if (store->read_only)
        store->db = rocksdb_open_for_read_only_column_families(store->options, store->path, STORE_HANDLES, names,
                                                               options, store->handles, 0, &text);
    else
        store->db = rocksdb_open_column_families(store->options, store->path, STORE_HANDLES, names, options,
                                                 store->handles, &text);
    if (text) {
        store->db = NULL;
        memset(store->handles, 0, sizeof store->handles);
        return store_fail_rocks(store, "cannot be opened", text);
    }
    return 0;
}

static void close_db(struct service_store *store)
{
    if (!store->db)
        return;
    for (int i = 0; i < (int)STORE_HANDLES; i++) {
        if (store->handles[i])
            rocksdb_column_family_handle_destroy(store->handles[i]);
        store->handles[i] = NULL;
    }
    rocksdb_close(store->db);
    store->db = NULL;
}

static int make_id(char ret[STORE_ID_BYTES])
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return BASE_E_IO;
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    static const char digits[] = "0123456789abcdef";
    char *at = ret;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    *at = 0;
    return 0;
}

static int family_is_empty(struct service_store *store, int family, bool *ret)
{
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(store->db, store->read, store->handles[family]);
    char *text = NULL;
    rocksdb_iter_seek_to_first(at);
    bool empty = !rocksdb_iter_valid(at);
    rocksdb_iter_get_error(at, &text);
    rocksdb_iter_destroy(at);
    if (text)
        return store_fail_rocks(store, "cannot be read", text);
    *ret = empty;
    return 0;
}

/* A new store gets its identity. One that has data but no identity is not ours, or damaged: never given a new one. */
static int create_identity(struct service_store *store)
{
    for (int i = 0; i < (int)STORE_HANDLES; i++) {
        bool empty = false;
        int error = family_is_empty(store, i, &empty);
        if (error)
            return error;
        if (!empty)
            return store_fail(store, BASE_E_CORRUPT,
                              "store %s: it holds data but not the record of its identity; restore it from a savepoint",
                              store->path);
    }
    if (store->read_only)
        return store_fail(store, BASE_E_NOTFOUND, "store %s: it is empty", store->path);
    struct service_batch *batch = NULL;
    struct base_buf value = { 0 };
    int error = make_id(store->id);
    if (!error)
        error = service_batch_create(&batch);
    base_buf_put_u32(&value, STORE_FORMAT);
    base_buf_put(&value, store->id, STORE_ID_BYTES - 1);
    if (!error && value.failed)
        error = BASE_E_NOMEM;
    if (!error)
        error = service_batch_put(batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, BASE_STR(STORE_KEY_IDENTITY),
                                  (struct base_str){ value.ptr, value.len });
    if (!error)
        error = service_store_write(store, &batch, 1, true);
    service_batch_destroy(batch);
    base_buf_finish(&value);
    return error;
}

static int read_identity(struct service_store *store)
{
    struct base_buf value = { 0 };
    int error = service_store_get(store, SERVICE_CF_META, BASE_STR(STORE_KEY_IDENTITY), &value);
    if (!error) {
        struct base_reader reader = base_reader_of(value.ptr, value.len);
        uint32_t format = base_read_u32(&reader);
        const void *id = base_read_raw(&reader, STORE_ID_BYTES - 1);
        if (format > STORE_FORMAT || format == 0)
            error = store_fail(store, BASE_E_VERSION,
                               "store %s: it has format %u, this program knows up to %u; use the newer program",
                               store->path, format, STORE_FORMAT);
        else if (!id)
            error = store_fail(store, BASE_E_CORRUPT, "store %s: the record of its identity is cut short", store->path);
        else
            memcpy(store->id, id, STORE_ID_BYTES - 1);
    } else if (error == BASE_E_NOTFOUND) {
        error = create_identity(store);
    }
    base_buf_finish(&value);
    return error;
}

static int create_db(struct service_store *store)
{
    const char *names[STORE_HANDLES];
    size_t count = 0;
    char text[512];
    for (int i = 0; i < (int)STORE_HANDLES; i++) {
        if (strcmp(store_family_name(i), "default") != 0)
            names[count++] = store_family_name(i);
    }
    if (store_create(store->path, names, count, text, sizeof text) == 0)
        return 0;
    int code = store_code_of(text);
    return store_fail(store, code, "store %s: cannot be made: %s%s", store->path, text, remedy_of(code));
}

/* Makes the store if there is none. */
static int check_folder(struct service_store *store, bool must_exist)
{
    struct stat there;
    struct base_buf current = { 0 };
    base_buf_printf(&current, "%s/CURRENT", store->path);
    bool failed = current.failed, exists = !failed && stat(current.ptr, &there) == 0;
    base_buf_finish(&current);
    if (failed)
        return BASE_E_NOMEM;
    if (exists)
        return 0;
    if (must_exist || store->read_only)
        return store_fail(store, BASE_E_NOTFOUND, "store %s: there is none", store->path);
    /* RocksDB would make missing parents too and hide a mistyped path. */
    if (mkdir(store->path, 0750) < 0 && errno != EEXIST)
        return store_fail(store, errno == ENOSPC ? BASE_E_FULL : BASE_E_IO, "store %s: the folder cannot be made: %s",
                          store->path, strerror(errno));
    return create_db(store);
}

int service_store_open(const struct service_store_options *options, struct service_store **ret, struct base_buf *reterr)
{
    struct service_store *store = base_calloc(1, sizeof *store);
    if (!store)
        return BASE_E_NOMEM;
    pthread_rwlock_init(&store->live, NULL);
    pthread_mutex_init(&store->talk, NULL);
    store->read_only = options->read_only;
    store->memory_bytes = options->memory_bytes ? options->memory_bytes : MEMORY_DEFAULT;
    if (store->memory_bytes < MEMORY_LEAST)
        store->memory_bytes = MEMORY_LEAST;
    store->path = base_strdup(options->path);
    int error = store->path ? make_options(store) : BASE_E_NOMEM;
    if (!error)
        error = check_folder(store, options->must_exist);
    if (!error)
        error = open_db(store);
    if (!error)
        error = read_identity(store);
    if (error) {
        if (reterr)
            service_store_error(store, reterr);
        service_store_close(store);
        return error;
    }
    *ret = store;
    return 0;
}

void service_store_close(struct service_store *store)
{
    if (!store)
        return;
    pthread_rwlock_wrlock(&store->live);
    close_db(store);
    pthread_rwlock_unlock(&store->live);
    free_options(store);
    base_buf_finish(&store->error);
    base_free(store->path);
    pthread_mutex_destroy(&store->talk);
    pthread_rwlock_destroy(&store->live);
    base_free(store);
}

int service_store_reopen(struct service_store *store, struct base_buf *reterr)
{
    pthread_rwlock_wrlock(&store->live);
    close_db(store);
    int error = open_db(store);
    pthread_rwlock_unlock(&store->live);
    if (!error)
        error = read_identity(store);
    if (error) {
        store->broken = error;
        if (reterr)
            service_store_error(store, reterr);
        return error;
    }
    store->broken = 0;
    return 0;
}

const char *service_store_path(const struct service_store *store)
{
    return store->path;
}

const char *service_store_id(const struct service_store *store)
{
    return store->id;
}

int store_enter(struct service_store *store)
{
    if (atomic_load(&store->fail_calls) > 0 && atomic_fetch_sub(&store->fail_calls, 1) == 1)
        return store_fail(store, BASE_E_IO, "store %s: a call failed: %s", store->path, base_error_text(BASE_E_IO));
    pthread_rwlock_rdlock(&store->live);
    if (store->db)
        return 0;
    pthread_rwlock_unlock(&store->live);
    return BASE_E_CLOSED;
}

void store_leave(struct service_store *store)
{
    pthread_rwlock_unlock(&store->live);
}

/* ---- writes ---- */

/* 0: no fault; otherwise the code, and *ret_after whether the write goes out all the same. */
static int fault_of(struct service_store *store, bool *ret_after)
{
    int code = 0;
    pthread_mutex_lock(&store->talk);
    if (store->fail_countdown > 0 && --store->fail_countdown == 0) {
        code = store->fail_code;
        *ret_after = store->fail_after;
    }
    pthread_mutex_unlock(&store->talk);
    return code;
}

void service_store_fail_at(struct service_store *store, uint64_t nth, int error, bool after)
{
    pthread_mutex_lock(&store->talk);
    store->fail_countdown = nth;
    store->fail_code = error;
    store->fail_after = after;
    pthread_mutex_unlock(&store->talk);
}

void service_store_fail_call(struct service_store *store, int64_t nth)
{
    atomic_store(&store->fail_calls, nth);
}

int64_t service_store_fail_call_left(struct service_store *store)
{
    return atomic_load(&store->fail_calls);
}

int store_commit(struct service_store *store, rocksdb_writebatch_t *batch, bool sync)
{
    if (store->read_only)
        return store_fail(store, BASE_E_READONLY, "store %s: it was opened for reading only", store->path);
    if (store->broken)
        return store->broken;
    bool after = false;
    int fault = fault_of(store, &after);
    char *text = NULL;
    size_t bytes = 0;
    (void)rocksdb_writebatch_data(batch, &bytes);
    if (!fault || after)
        rocksdb_write(store->db, sync ? store->write_synced : store->write, batch, &text);
    if (text) {
        int code = store_fail_rocks(store, "a write failed", text);
        store->broken = code;
        return code;
    }
    if (fault) {
        store->broken = fault;
        return store_fail(store, fault, "store %s: a write failed: %s%s", store->path, base_error_text(fault),
                          remedy_of(fault));
    }
    store->writes++;
    store->synced_writes += sync;
    store->written_bytes += bytes;
    return 0;
}

int service_store_write(struct service_store *store, struct service_batch *const *batches, size_t count, bool sync)
{
    int error = store_enter(store);
    if (error)
        return error;
    rocksdb_writebatch_t *out = rocksdb_writebatch_create();
    for (size_t i = 0; i < count && !error; i++)
        error = store_put_batch(store, batches[i], out);
    if (!error)
        error = store_commit(store, out, sync);
    rocksdb_writebatch_destroy(out);
    store_leave(store);
    return error;
}

/* ---- reads and the rest ---- */

int service_store_get(struct service_store *store, enum service_cf family, struct base_str key, struct base_buf *ret)
{
    int error = store_enter(store);
    if (error)
        return error;
    char *text = NULL;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(store->db, store->read, store->handles[family], key.ptr, key.len, &text);
    if (text) {
        error = store_fail_rocks(store, "a read failed", text);
    } else if (!slice) {
        error = BASE_E_NOTFOUND;
    } else {
        struct base_str stored, payload;
        stored.ptr = rocksdb_pinnableslice_value(slice, &stored.len);
        error = store_unguard(store, (int)family, key, stored, &payload);
        if (!error) {
            base_buf_put(ret, payload.ptr, payload.len);
            error = ret->failed ? BASE_E_NOMEM : 0;
        }
    }
    if (slice)
        rocksdb_pinnableslice_destroy(slice);
    store_leave(store);
    return error;
}

int service_store_checkpoint(struct service_store *store, const char *path)
{
    struct stat there;
    if (stat(path, &there) == 0)
        return store_fail(store, BASE_E_EXISTS, "checkpoint %s: it exists already; choose another name", path);
    int error = store_enter(store);
    if (error)
        return error;
    char *text = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(store->db, &text);
    if (!text)
        rocksdb_checkpoint_create(checkpoint, path, 0, &text);
    if (text)
        error = store_fail_rocks(store, "the checkpoint failed", text);
    if (checkpoint)
        rocksdb_checkpoint_object_destroy(checkpoint);
    store_leave(store);
    return error;
}

int service_store_flush(struct service_store *store)
{
    int error = store_enter(store);
    if (error)
        return error;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    for (int i = 0; i < (int)STORE_HANDLES && !error; i++) {
        char *text = NULL;
        rocksdb_flush_cf(store->db, options, store->handles[i], &text);
        if (text)
            error = store_fail_rocks(store, "a flush failed", text);
    }
    rocksdb_flushoptions_destroy(options);
    if (error)
        store->broken = error;
    store_leave(store);
    return error;
}

void service_store_stats(struct service_store *store, struct service_store_stats *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->writes = store->writes;
    ret->synced_writes = store->synced_writes;
    ret->written_bytes = store->written_bytes;
    if (store_enter(store))
        return;
    ret->cache_bytes = rocksdb_cache_get_usage(store->cache);
    for (int i = 0; i < (int)STORE_HANDLES; i++) {
        uint64_t value = 0;
        if (rocksdb_property_int_cf(store->db, store->handles[i], "rocksdb.cur-size-all-mem-tables", &value) == 0)
            ret->memtable_bytes += value;
        if (rocksdb_property_int_cf(store->db, store->handles[i], "rocksdb.total-sst-files-size", &value) == 0)
            ret->disk_bytes += value;
        if (i < (int)SERVICE_CF_COUNT &&
            rocksdb_property_int_cf(store->db, store->handles[i], "rocksdb.estimate-num-keys", &value) == 0)
            ret->keys[i] = value;
    }
    store_leave(store);
}
