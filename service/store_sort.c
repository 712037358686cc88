/* Changes of a batch on their way into RocksDB's, in order of their keys: its memtables are lists in which a place is found by going through others, and places that
 * lie beside the last one are near in memory. An image puts as many keys as there are; sorted it takes a fraction of the time. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "service/store_internal.h"

#define WORTH 16u         /* changes of one section */
#define LET_GO (64u << 10) /* bytes of a section that are let go as soon as they are copied */

struct ordered { struct store_change change; uint32_t number; };
struct store_order { struct BASE_VEC(struct ordered) changes; };

/* Changes of one key stay in the order in which they were made. */
static int compare(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->change.family != y->change.family)
        return x->change.family < y->change.family ? -1 : 1;
    int c = base_str_compare(x->change.key, y->change.key);
    return c ? c : x->number < y->number ? -1 : 1;
}

/* 1: sorted; 0: they must be put as they are, because a whole range is among them or they are few; BASE_E_NOMEM. */
static int sort(struct store_order *order, struct base_reader reader)
{
    struct ordered next = { .number = 0 };
    order->changes.len = 0;
    while (store_section_next(&reader, &next.change) == 0) {
        if (next.change.op == STORE_OP_DELETE_RANGE)
            return 0;
        if (!BASE_VEC_PUSH(&order->changes, next))
            return BASE_E_NOMEM;
        next.number++;
    }
    if (order->changes.len < WORTH || reader.failed)
        return 0;
    qsort(order->changes.at, order->changes.len, sizeof *order->changes.at, compare);
    return 1;
}

static int put_section(struct service_store *store, struct store_order *order, const struct store_section *section, rocksdb_writebatch_t *out)
{
    const uint8_t *bytes = (const uint8_t *)section->bytes.ptr;
    struct base_reader reader = { bytes + STORE_SECTION_HEAD, bytes + section->bytes.len, false };
    int sorted = section->count < WORTH ? 0 : sort(order, reader);
    if (sorted <= 0)
        return sorted < 0 ? sorted : store_section_replay(store, &reader, out);
    for (size_t i = 0; i < order->changes.len; i++) {
        const struct store_change *change = &order->changes.at[i].change;
        if (change->op == STORE_OP_PUT)
            rocksdb_writebatch_put_cf(out, store->handles[change->family], change->key.ptr, change->key.len, change->value.ptr, change->value.len);
        else
            rocksdb_writebatch_delete_cf(out, store->handles[change->family], change->key.ptr, change->key.len);
    }
    return 0;
}

int store_put_batch(struct service_store *store, struct service_batch *batch, rocksdb_writebatch_t *out)
{
    struct store_order order = { .changes = { 0 } };
    int error = batch->failed ? BASE_E_NOMEM : 0;
    for (size_t s = 0; s < batch->used && !error; s++) {
        struct store_section *section = &batch->sections.at[s];
        error = put_section(store, &order, section, out);
        if (batch->let_go && section->bytes.cap > LET_GO) {
            base_buf_finish(&section->bytes);
            section->count = 0;
            batch->failed = true; /* it cannot be written a second time */
        }
    }
    for (size_t i = 0; i < batch->borrowed.len && !error; i++)
        store_put_borrowed(store, &batch->borrowed.at[i], out);
    BASE_VEC_FINISH(&order.changes);
    return error;
}
