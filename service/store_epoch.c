/* Pending epochs. Key: epoch, key group, number of the batch, all big-endian, so that an epoch is one range in order of
 * groups. The record with group and number 0xffff says that the epoch exists, even without changes. */
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "service/store_internal.h"

#define KEY_BYTES 12u
#define MARK 0xffffu

static void pending_key(uint64_t epoch, uint32_t group, uint32_t number, uint8_t ret[KEY_BYTES])
{
    for (int i = 0; i < 8; i++)
        ret[i] = (uint8_t)(epoch >> (56 - 8 * i));
    ret[8] = (uint8_t)(group >> 8);
    ret[9] = (uint8_t)group;
    ret[10] = (uint8_t)(number >> 8);
    ret[11] = (uint8_t)number;
}

static uint64_t epoch_of(const char *key)
{
    uint64_t epoch = 0;
    for (int i = 0; i < 8; i++)
        epoch = epoch << 8 | (uint8_t)key[i];
    return epoch;
}

/* Calls visit for each stored section of the epoch; *ret_found says whether the epoch exists. visit may be NULL. */
typedef int section_visit(void *ctx, struct base_str key, struct base_str stored);
static int each_section(struct service_store *store, uint64_t epoch, section_visit *visit, void *ctx, bool *ret_found)
{
    uint8_t from[KEY_BYTES];
    char *text = NULL;
    int error = 0;
    bool found = false;
    pending_key(epoch, 0, 0, from);
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(store->db, store->read, store->handles[STORE_PENDING_CF]);
    rocksdb_iter_seek(at, (const char *)from, KEY_BYTES);
    for (; !error && rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        struct base_str key, stored;
        key.ptr = rocksdb_iter_key(at, &key.len);
        if (key.len != KEY_BYTES) {
            error = store_fail(store, BASE_E_CORRUPT, "store %s: a key of column family pending has %zu bytes",
                               store->path, key.len);
            break;
        }
        if (epoch_of(key.ptr) != epoch)
            break;
        found = true;
        stored.ptr = rocksdb_iter_value(at, &stored.len);
        if (visit)
            error = visit(ctx, key, stored);
    }
    rocksdb_iter_get_error(at, &text);
    rocksdb_iter_destroy(at);
    if (text)
        error = store_fail_rocks(store, "a read failed", text);
    *ret_found = found;
    return error;
}

struct replay {
    struct service_store *store;
    rocksdb_writebatch_t *out;
    bool keep; /* put the changes in, not only remove the pending records */
};

static int replay_section(void *ctx, struct base_str key, struct base_str stored)
{
    struct replay *replay = ctx;
    struct base_reader reader;
    rocksdb_writebatch_delete_cf(replay->out, replay->store->handles[STORE_PENDING_CF], key.ptr, key.len);
    if (!replay->keep)
        return 0;
    int error = store_section_open(stored, &reader);
    if (!error)
        error = store_section_replay(replay->store, &reader, replay->out);
    if (error)
        store_fail(
            replay->store, error,
            "store %s: pending epoch %llu is damaged; restore the folder from a savepoint or remove it and replay",
            replay->store->path, (unsigned long long)epoch_of(key.ptr));
    return error;
}

/* The section's bytes at rest: with its count in the head and the checksum behind, which are taken off again. */
static int put_section(struct service_store *store, uint64_t epoch, uint32_t number, struct store_section *section,
                       rocksdb_writebatch_t *out)
{
    uint8_t key[KEY_BYTES];
    struct base_buf *bytes = &section->bytes;
    size_t len = bytes->len;
    for (int i = 0; i < 4; i++)
        bytes->ptr[1 + i] = (char)(section->count >> (8 * i));
    base_buf_put_u32(bytes, base_crc32c(0, bytes->ptr, len));
    if (bytes->failed)
        return BASE_E_NOMEM;
    pending_key(epoch, section->group, number, key);
    rocksdb_writebatch_put_cf(out, store->handles[STORE_PENDING_CF], (const char *)key, KEY_BYTES, bytes->ptr,
                              bytes->len);
    bytes->len = len;
    return 0;
}

static int put_mark(struct service_store *store, uint64_t epoch, rocksdb_writebatch_t *out)
{
    struct store_section mark = { .group = MARK };
    base_buf_put_u8(&mark.bytes, STORE_SECTION_VERSION);
    base_buf_put_u32(&mark.bytes, 0);
    int error = mark.bytes.failed ? BASE_E_NOMEM : put_section(store, epoch, MARK, &mark, out);
    base_buf_finish(&mark.bytes);
    return error;
}

int service_store_prepare(struct service_store *store, uint64_t epoch, struct service_batch *const *batches,
                          size_t count, struct service_batch *aside)
{
    if (epoch == SERVICE_STORE_NO_EPOCH || count >= MARK)
        return BASE_E_INVALID;
    int error = store_enter(store);
    if (error)
        return error;
    bool found = false;
    struct replay replay = { store, rocksdb_writebatch_create(), false };
    error = each_section(store, epoch, replay_section, &replay, &found);
    for (size_t i = 0; i < count && !error; i++) {
        if (batches[i]->failed || batches[i]->borrowed.len)
            error = batches[i]->failed ? BASE_E_NOMEM : BASE_E_INVALID;
        for (size_t s = 0; s < batches[i]->used && !error; s++)
            error = put_section(store, epoch, (uint32_t)i, &batches[i]->sections.at[s], replay.out);
    }
    if (!error)
        error = put_mark(store, epoch, replay.out);
    if (!error && aside)
        error = store_put_batch(store, aside, replay.out);
    if (!error)
        error = store_commit(store, replay.out, true);
    rocksdb_writebatch_destroy(replay.out);
    store_leave(store);
    return error;
}

static int put_applied(struct service_store *store, uint64_t epoch, rocksdb_writebatch_t *out)
{
    struct service_batch *batch = NULL;
    int error = service_batch_create(&batch);
    if (!error)
        error = service_batch_set_applied(batch, epoch);
    if (!error) {
        const struct base_buf *bytes = &batch->sections.at[0].bytes;
        struct base_reader reader = { (const uint8_t *)bytes->ptr + STORE_SECTION_HEAD,
                                      (const uint8_t *)bytes->ptr + bytes->len, false };
        error = store_section_replay(store, &reader, out);
    }
    service_batch_destroy(batch);
    return error;
}

int service_store_apply(struct service_store *store, uint64_t epoch, struct service_batch *const *with, size_t count)
{
    int error = store_enter(store);
    if (error)
        return error;
    bool found = false;
    struct replay replay = { store, rocksdb_writebatch_create(), true };
    error = each_section(store, epoch, replay_section, &replay, &found);
    if (!error && !found)
        error = BASE_E_NOTFOUND;
    if (!error)
        error = put_applied(store, epoch, replay.out);
    for (size_t i = 0; i < count && !error; i++)
        error = store_put_batch(store, with[i], replay.out);
    if (!error)
        error = store_commit(store, replay.out, false);
    rocksdb_writebatch_destroy(replay.out);
    store_leave(store);
    return error;
}

int service_store_drop(struct service_store *store, uint64_t epoch)
{
    int error = store_enter(store);
    if (error)
        return error;
    bool found = false;
    struct replay replay = { store, rocksdb_writebatch_create(), false };
    error = each_section(store, epoch, replay_section, &replay, &found);
    if (!error && found)
        error = store_commit(store, replay.out, true);
    rocksdb_writebatch_destroy(replay.out);
    store_leave(store);
    return error;
}

int service_store_applied(struct service_store *store, uint64_t *ret)
{
    struct base_buf value = { 0 };
    int error = service_store_get(store, SERVICE_CF_META, BASE_STR(STORE_KEY_APPLIED), &value);
    if (error == BASE_E_NOTFOUND) {
        *ret = SERVICE_STORE_NO_EPOCH;
        error = 0;
    } else if (!error) {
        struct base_reader reader = base_reader_of(value.ptr, value.len);
        uint64_t epoch = base_read_u64(&reader);
        if (reader.failed)
            error = store_fail(store, BASE_E_CORRUPT, "store %s: the record of the last applied epoch is cut short",
                               store->path);
        else
            *ret = epoch;
    }
    base_buf_finish(&value);
    return error;
}

int service_store_pending(struct service_store *store, uint64_t *ret_epochs, size_t cap, size_t *ret_count)
{
    int error = store_enter(store);
    if (error)
        return error;
    size_t count = 0;
    uint64_t last = 0;
    char *text = NULL;
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(store->db, store->read, store->handles[STORE_PENDING_CF]);
    rocksdb_iter_seek_to_first(at);
    while (rocksdb_iter_valid(at)) {
        size_t len;
        const char *key = rocksdb_iter_key(at, &len);
        if (len != KEY_BYTES) {
            error = store_fail(store, BASE_E_CORRUPT, "store %s: a key of column family pending has %zu bytes",
                               store->path, len);
            break;
        }
        last = epoch_of(key);
        if (count < cap)
            ret_epochs[count] = last;
        count++;
        uint8_t next[KEY_BYTES];
        pending_key(last + 1, 0, 0, next);
        rocksdb_iter_seek(at, (const char *)next, KEY_BYTES);
    }
    rocksdb_iter_get_error(at, &text);
    rocksdb_iter_destroy(at);
    if (text)
        error = store_fail_rocks(store, "a read failed", text);
    store_leave(store);
    if (!error)
        *ret_count = count;
    return error;
}

struct lookup {
    struct service_store *store;
    enum service_cf family;
    struct base_str key;
    struct base_buf *ret;
    size_t start; /* length of ret before */
    int state;    /* BASE_E_NOTFOUND, 0, BASE_E_EOF: as of the last operation seen */
};

static int lookup_section(void *ctx, struct base_str key, struct base_str stored)
{
    struct lookup *lookup = ctx;
    struct base_reader reader;
    struct store_change change;
    (void)key;
    int error = store_section_open(stored, &reader);
    while (!error && (error = store_section_next(&reader, &change)) == 0) {
        if (change.family != lookup->family)
            continue;
        if (change.op == STORE_OP_DELETE_RANGE) {
            if (base_str_compare(change.key, lookup->key) <= 0 && base_str_compare(lookup->key, change.value) < 0)
                lookup->state = BASE_E_EOF;
        } else if (base_str_equal(change.key, lookup->key)) {
            lookup->state = BASE_E_EOF;
            lookup->ret->len = lookup->start;
            if (change.op == STORE_OP_PUT) {
                struct base_str payload;
                int bad = store_unguard(lookup->store, (int)change.family, change.key, change.value, &payload);
                if (bad)
                    return bad;
                base_buf_put(lookup->ret, payload.ptr, payload.len);
                lookup->state = 0;
            }
        }
    }
    return error == BASE_E_EOF ? 0 : error;
}

int service_store_pending_get(struct service_store *store, uint64_t epoch, enum service_cf family, struct base_str key,
                              struct base_buf *ret)
{
    int error = store_enter(store);
    if (error)
        return error;
    bool found = false;
    struct lookup lookup = { store, family, key, ret, ret->len, BASE_E_NOTFOUND };
    error = each_section(store, epoch, lookup_section, &lookup, &found);
    store_leave(store);
    if (!error && ret->failed)
        error = BASE_E_NOMEM;
    return error ? error : lookup.state;
}
