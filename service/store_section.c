/* One key group's changes of a batch by themselves: an image goes into the store section by section and, within a large one, slice by slice, so that neither memory nor
 * anybody who waits for the store pays for the image as a whole; and what has not arrived yet can be asked for. Called by imager.c. Knows nothing of epochs. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "service/store_internal.h"

#define GIVE_WAY_MS 200 /* at most, before each slice */

size_t service_batch_sections(const struct service_batch *batch)
{
    return batch->used;
}

struct base_str service_batch_section(const struct service_batch *batch, size_t i, uint32_t *ret_group)
{
    const struct store_section *section = &batch->sections.at[i];
    *ret_group = section->group;
    return (struct base_str){ section->bytes.ptr, section->bytes.len };
}

bool service_batch_whole(const struct service_batch *batch)
{
    return !batch->failed && !batch->borrowed.len;
}

void service_batch_release(struct service_batch *batch, size_t i)
{
    base_buf_finish(&batch->sections.at[i].bytes);
    batch->failed = true; /* it cannot be written any more */
}

/* ---- in order ---- */

static struct base_reader body_at(struct base_str section, size_t offset)
{
    const uint8_t *bytes = (const uint8_t *)section.ptr;
    return (struct base_reader){ bytes + offset, bytes + section.len, false };
}

static int change_at(struct base_str section, uint32_t offset, struct store_change *ret)
{
    struct base_reader reader = body_at(section, offset);
    return store_section_next(&reader, ret);
}

struct sorted { uint64_t front; uint32_t at; }; /* front: family, and the first bytes of the key in which keys of the section differ */
struct sorting { struct base_str section; struct BASE_VEC(struct sorted) changes; size_t same[SERVICE_CF_COUNT]; struct base_str first[SERVICE_CF_COUNT]; };

/* Changes of one key stay in the order in which they were made. */
static int compare(const void *a, const void *b, void *ctx)
{
    const struct sorting *sorting = ctx;
    const struct sorted *x = a, *y = b;
    struct store_change p = { 0 }, q = { 0 };
    if (x->front != y->front)
        return x->front < y->front ? -1 : 1;
    if (change_at(sorting->section, x->at, &p) < 0 || change_at(sorting->section, y->at, &q) < 0)
        return 0; /* each was read before */
    int c = base_str_compare(p.key, q.key);
    return c ? c : x->at < y->at ? -1 : x->at > y->at;
}

/* How many bytes all keys of a family have in front. */
static void note_same(struct sorting *sorting, const struct store_change *change)
{
    struct base_str *first = &sorting->first[change->family];
    size_t *same = &sorting->same[change->family], n = 0;
    if (!first->ptr) {
        *first = change->key;
        *same = change->key.len;
        return;
    }
    while (n < *same && n < change->key.len && first->ptr[n] == change->key.ptr[n])
        n++;
    *same = n;
}

static void set_fronts(struct sorting *sorting)
{
    struct store_change change = { 0 };
    for (size_t i = 0; i < sorting->changes.len; i++) {
        if (change_at(sorting->section, sorting->changes.at[i].at, &change) < 0)
            continue; /* each was read before */
        uint64_t front = (uint64_t)change.family;
        for (size_t n = sorting->same[change.family]; n < sorting->same[change.family] + 7; n++)
            front = front << 8 | (n < change.key.len ? (uint8_t)change.key.ptr[n] : 0);
        sorting->changes.at[i].front = front;
    }
}

void service_order_finish(struct service_order *order)
{
    base_free(order->at);
    *order = (struct service_order){ 0 };
}

static int order_of(struct sorting *sorting, struct service_order *ret)
{
    size_t count = sorting->changes.len;
    if (!count)
        return 0;
    set_fronts(sorting);
    qsort_r(sorting->changes.at, count, sizeof *sorting->changes.at, compare, sorting);
    ret->at = base_calloc(count, sizeof *ret->at);
    if (!ret->at)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        ret->at[i] = sorting->changes.at[i].at;
    ret->count = (uint32_t)count;
    return 0;
}

int service_section_order(struct base_str section, struct service_order *ret)
{
    *ret = (struct service_order){ 0 };
    struct sorting sorting = { .section = section };
    struct base_reader reader = body_at(section, STORE_SECTION_HEAD);
    struct store_change change;
    int error = section.len > UINT32_MAX ? BASE_E_EOF : 0; /* then as it is */
    bool ranges = error != 0;
    while (!error) {
        uint32_t at = (uint32_t)(section.len - (size_t)(reader.end - reader.at));
        error = store_section_next(&reader, &change);
        if (error)
            break;
        ranges |= change.op == STORE_OP_DELETE_RANGE;
        note_same(&sorting, &change);
        if (!BASE_VEC_PUSH(&sorting.changes, ((struct sorted){ 0, at })))
            error = BASE_E_NOMEM;
    }
    if (error == BASE_E_EOF)
        error = ranges ? 0 : order_of(&sorting, ret);
    BASE_VEC_FINISH(&sorting.changes);
    return error;
}

/* ---- asking ---- */

/* The last change of a key in a section that is in order; false: there is none. */
static bool search(struct base_str section, const struct service_order *order, enum service_cf family, struct base_str key, struct store_change *ret)
{
    uint32_t low = 0, high = order->count; /* the first change behind the key's is in [low, high] */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (change_at(section, order->at[middle], ret) < 0)
            return false;
        int c = ret->family != family ? (ret->family < family ? -1 : 1) : base_str_compare(ret->key, key);
        if (c <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && change_at(section, order->at[low - 1], ret) == 0 && ret->family == family && base_str_equal(ret->key, key);
}

static bool walk(struct base_str section, enum service_cf family, struct base_str key, struct store_change *ret)
{
    struct base_reader reader = body_at(section, STORE_SECTION_HEAD);
    struct store_change change;
    bool found = false;
    while (store_section_next(&reader, &change) == 0) {
        if (change.op == STORE_OP_DELETE_RANGE || change.family != family || !base_str_equal(change.key, key))
            continue;
        *ret = change;
        found = true;
    }
    return found;
}

int service_section_find(struct service_store *store, struct base_str section, const struct service_order *order, enum service_cf family, struct base_str key,
                         struct base_buf *ret)
{
    struct store_change change = { 0 };
    struct base_str payload;
    if (section.len < STORE_SECTION_HEAD || !(order->count ? search(section, order, family, key, &change) : walk(section, family, key, &change)))
        return BASE_E_NOTFOUND;
    if (change.op != STORE_OP_PUT)
        return BASE_E_EOF;
    int error = store_unguard(store, (int)family, key, change.value, &payload);
    if (error)
        return error;
    base_buf_put(ret, payload.ptr, payload.len);
    return ret->failed ? BASE_E_NOMEM : 0;
}

/* ---- writing ---- */

struct writing { struct base_str section; const struct service_order *order; uint32_t done; struct base_reader rest; };

static int next_change(struct writing *w, struct store_change *ret)
{
    if (!w->order->count)
        return store_section_next(&w->rest, ret);
    return w->done < w->order->count ? change_at(w->section, w->order->at[w->done++], ret) : BASE_E_EOF;
}

static void put_change(struct service_store *store, const struct store_change *change, rocksdb_writebatch_t *out)
{
    rocksdb_column_family_handle_t *family = store->handles[change->family];
    switch (change->op) {
    case STORE_OP_PUT:
        rocksdb_writebatch_put_cf(out, family, change->key.ptr, change->key.len, change->value.ptr, change->value.len);
        break;
    case STORE_OP_DELETE:
        rocksdb_writebatch_delete_cf(out, family, change->key.ptr, change->key.len);
        break;
    case STORE_OP_DELETE_RANGE:
        rocksdb_writebatch_delete_range_cf(out, family, change->key.ptr, change->key.len, change->value.ptr, change->value.len);
        break;
    }
}

/* While a full memtable of a family is being written out there is one more; when that is full, too, RocksDB holds up every writer, not only this one: so this one waits in
 * time, though not for ever. */
static void give_way(struct service_store *store)
{
    static const enum service_cf families[] = { SERVICE_CF_STATE, SERVICE_CF_TIMERS };
    const struct timespec pause = { .tv_nsec = 1000000 };
    for (int turns = 0; turns < GIVE_WAY_MS; turns++) {
        uint64_t full = 0;
        for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
            uint64_t of = 0;
            if (rocksdb_property_int_cf(store->db, store->handles[families[i]], "rocksdb.num-immutable-mem-table", &of) == 0)
                full += of;
        }
        if (full == 0)
            return;
        nanosleep(&pause, NULL);
    }
}

/* BASE_E_EOF: it was the last one. */
static int write_slice(struct service_store *store, struct writing *w, size_t slice_bytes)
{
    struct store_change change;
    int error = store_enter(store);
    if (error)
        return error;
    give_way(store);
    rocksdb_writebatch_t *out = rocksdb_writebatch_create();
    for (size_t bytes = 0; !error && bytes < slice_bytes;) {
        error = next_change(w, &change);
        if (error)
            break;
        put_change(store, &change, out);
        bytes += change.key.len + change.value.len;
    }
    int written = 0;
    if ((!error || error == BASE_E_EOF) && rocksdb_writebatch_count(out) > 0)
        written = store_commit(store, out, false);
    rocksdb_writebatch_destroy(out);
    store_leave(store);
    return written ? written : error;
}

int service_store_write_section(struct service_store *store, struct base_str section, const struct service_order *order, size_t slice_bytes)
{
    struct writing w = { .section = section, .order = order };
    if (section.len < STORE_SECTION_HEAD || section.ptr[0] != STORE_SECTION_VERSION)
        return section.len < STORE_SECTION_HEAD ? BASE_E_CORRUPT : BASE_E_VERSION;
    w.rest = body_at(section, STORE_SECTION_HEAD);
    int error = 0;
    while (!error)
        error = write_slice(store, &w, slice_bytes);
    return error == BASE_E_EOF ? 0 : error;
}
