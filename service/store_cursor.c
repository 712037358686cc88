#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "service/store_internal.h"

struct service_cursor {
    struct service_store *store; /* its lock is held shared while the cursor lives */
    rocksdb_iterator_t *at;
    rocksdb_readoptions_t *options;
    char *from, *to; /* RocksDB borrows the bounds */
    enum service_cf family;
    bool reverse;
    bool started;
};

int service_cursor_open(struct service_store *store, enum service_cf family, const struct service_range *range,
                        struct service_cursor **ret)
{
    struct service_cursor *cursor = base_calloc(1, sizeof *cursor);
    if (!cursor)
        return BASE_E_NOMEM;
    int error = store_enter(store);
    if (error) {
        base_free(cursor);
        return error;
    }
    cursor->store = store;
    cursor->family = family;
    cursor->reverse = range->reverse;
    cursor->from = base_strndup(range->from.ptr ? range->from.ptr : "", range->from.len);
    cursor->to = base_strndup(range->to.ptr ? range->to.ptr : "", range->to.len);
    cursor->options = rocksdb_readoptions_create();
    if (!cursor->from || !cursor->to || !cursor->options) {
        service_cursor_close(cursor);
        return BASE_E_NOMEM;
    }
    if (range->from.len)
        rocksdb_readoptions_set_iterate_lower_bound(cursor->options, cursor->from, range->from.len);
    if (range->to.len)
        rocksdb_readoptions_set_iterate_upper_bound(cursor->options, cursor->to, range->to.len);
    cursor->at = rocksdb_create_iterator_cf(store->db, cursor->options, store->handles[family]);
    *ret = cursor;
    return 0;
}

int service_cursor_next(struct service_cursor *cursor, struct base_str *ret_key, struct base_str *ret_value)
{
    if (!cursor->started && cursor->reverse)
        rocksdb_iter_seek_to_last(cursor->at);
    else if (!cursor->started)
        rocksdb_iter_seek_to_first(cursor->at);
    else if (rocksdb_iter_valid(cursor->at) && cursor->reverse)
        rocksdb_iter_prev(cursor->at);
    else if (rocksdb_iter_valid(cursor->at))
        rocksdb_iter_next(cursor->at);
    cursor->started = true;
    if (!rocksdb_iter_valid(cursor->at)) {
        char *text = NULL;
        rocksdb_iter_get_error(cursor->at, &text);
        return text ? store_fail_rocks(cursor->store, "a read failed", text) : BASE_E_EOF;
    }
    struct base_str key, stored, payload;
    key.ptr = rocksdb_iter_key(cursor->at, &key.len);
    stored.ptr = rocksdb_iter_value(cursor->at, &stored.len);
    int error = store_unguard(cursor->store, (int)cursor->family, key, stored, &payload);
    if (error)
        return error;
    *ret_key = key;
    *ret_value = payload;
    return 0;
}

void service_cursor_close(struct service_cursor *cursor)
{
    if (!cursor)
        return;
    if (cursor->at)
        rocksdb_iter_destroy(cursor->at);
    if (cursor->options)
        rocksdb_readoptions_destroy(cursor->options);
    base_free(cursor->from);
    base_free(cursor->to);
    store_leave(cursor->store);
    base_free(cursor);
}

int service_store_each(struct service_store *store, enum service_cf family, struct base_str prefix,
                       service_store_visit *visit, void *ctx)
{
    struct base_buf to = { 0 };
    struct service_cursor *cursor = NULL;
    /* The first key behind all with the prefix: the last byte that can be raised is raised. All 0xff: no upper bound.
     */
    base_buf_put(&to, prefix.ptr, prefix.len);
    while (to.len > 0 && (unsigned char)to.ptr[to.len - 1] == 0xff)
        to.len--;
    if (to.len > 0)
        to.ptr[to.len - 1]++;
    struct service_range range = { .from = prefix, .to = { to.ptr, to.len } };
    int error = to.failed ? BASE_E_NOMEM : service_cursor_open(store, family, &range, &cursor);
    while (!error) {
        struct base_str key, value;
        error = service_cursor_next(cursor, &key, &value);
        if (!error)
            error = visit(ctx, key, value);
    }
    service_cursor_close(cursor);
    base_buf_finish(&to);
    return error == BASE_E_EOF ? 0 : error;
}
