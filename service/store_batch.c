#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "service/store_internal.h"

#define KEPT_BYTES (16u << 10) /* that a section keeps for the next epoch */
#define KEPT_LARGE (4u << 20)  /* the one of no group: journals, logs */

int service_batch_create(struct service_batch **ret)
{
    struct service_batch *batch = base_calloc(1, sizeof *batch);
    if (!batch)
        return BASE_E_NOMEM;
    *ret = batch;
    return 0;
}

void service_batch_destroy(struct service_batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->sections.len; i++)
        base_buf_finish(&batch->sections.at[i].bytes);
    BASE_VEC_FINISH(&batch->sections);
    BASE_VEC_FINISH(&batch->borrowed);
    base_free(batch);
}

void service_batch_clear(struct service_batch *batch)
{
    for (size_t i = 0; i < batch->used; i++) {
        struct base_buf *bytes = &batch->sections.at[i].bytes;
        if (bytes->cap > (batch->sections.at[i].group == SERVICE_STORE_NO_GROUP ? KEPT_LARGE : KEPT_BYTES)) /* one large epoch must not cost memory for ever */
            base_buf_finish(bytes);
        base_buf_clear(bytes);
    }
    batch->used = batch->last = batch->count = 0;
    batch->borrowed.len = 0;
    batch->failed = false;
}

void service_batch_let_go(struct service_batch *batch)
{
    batch->let_go = true;
}

size_t service_batch_count(const struct service_batch *batch)
{
    return batch->count;
}

size_t service_batch_bytes(const struct service_batch *batch)
{
    size_t bytes = 0;
    for (size_t i = 0; i < batch->used; i++)
        bytes += batch->sections.at[i].bytes.len;
    return bytes;
}

/* At most 129 groups come, and changes come in runs of one group: a walk is enough. */
static struct store_section *section_of(struct service_batch *batch, uint32_t group)
{
    if (batch->last < batch->used && batch->sections.at[batch->last].group == group)
        return &batch->sections.at[batch->last];
    for (size_t i = 0; i < batch->used; i++) {
        if (batch->sections.at[i].group == group) {
            batch->last = i;
            return &batch->sections.at[i];
        }
    }
    if (batch->used == batch->sections.len && !BASE_VEC_PUSH(&batch->sections, ((struct store_section){ 0 })))
        return NULL;
    struct store_section *section = &batch->sections.at[batch->used];
    section->group = group;
    section->count = 0;
    base_buf_clear(&section->bytes);
    base_buf_put_u8(&section->bytes, STORE_SECTION_VERSION);
    base_buf_put_u32(&section->bytes, 0);
    batch->last = batch->used++;
    return section;
}

/* A change that does not fit leaves the batch unusable rather than incomplete. */
static int begin_change(struct service_batch *batch, uint32_t group, enum store_op op, enum service_cf family,
                        struct base_str key, struct store_section **ret)
{
    if (batch->failed)
        return BASE_E_NOMEM;
    if (key.len > SERVICE_STORE_KEY_MAX || group > SERVICE_STORE_NO_GROUP) {
        batch->failed = true;
        return BASE_E_LIMIT;
    }
    struct store_section *section = section_of(batch, group);
    if (!section) {
        batch->failed = true;
        return BASE_E_NOMEM;
    }
    base_buf_put_u8(&section->bytes, (uint8_t)op);
    base_buf_put_u8(&section->bytes, (uint8_t)family);
    base_buf_put_bytes(&section->bytes, key.ptr, key.len);
    *ret = section;
    return 0;
}

static int end_change(struct service_batch *batch, struct store_section *section)
{
    if (section->bytes.failed) {
        batch->failed = true;
        return BASE_E_NOMEM;
    }
    section->count++;
    batch->count++;
    return 0;
}

int service_batch_put(struct service_batch *batch, enum service_cf family, uint32_t key_group, struct base_str key,
                      struct base_str value)
{
    struct store_section *section = NULL;
    if (value.len > SERVICE_STORE_VALUE_MAX) {
        batch->failed = true;
        return BASE_E_LIMIT;
    }
    int error = begin_change(batch, key_group, STORE_OP_PUT, family, key, &section);
    if (error)
        return error;
    base_buf_put_varint(&section->bytes, value.len + STORE_GUARD_BYTES);
    store_guard(family, key, value, &section->bytes);
    return end_change(batch, section);
}

int service_batch_put_borrowed(struct service_batch *batch, enum service_cf family, struct base_str key, struct base_str value)
{
    struct store_borrowed put = { .family = family, .value = value, .key_len = (uint16_t)key.len };
    if (batch->failed)
        return BASE_E_NOMEM;
    if (key.len > sizeof put.key || value.len > SERVICE_STORE_VALUE_MAX) {
        batch->failed = true;
        return BASE_E_LIMIT;
    }
    memcpy(put.key, key.ptr, key.len);
    batch->failed = !BASE_VEC_PUSH(&batch->borrowed, put);
    batch->count += !batch->failed;
    return batch->failed ? BASE_E_NOMEM : 0;
}

int service_batch_delete(struct service_batch *batch, enum service_cf family, uint32_t key_group, struct base_str key)
{
    struct store_section *section = NULL;
    int error = begin_change(batch, key_group, STORE_OP_DELETE, family, key, &section);
    return error ? error : end_change(batch, section);
}

int service_batch_delete_range(struct service_batch *batch, enum service_cf family, uint32_t key_group,
                               struct base_str from, struct base_str to)
{
    struct store_section *section = NULL;
    if (to.len > SERVICE_STORE_KEY_MAX) {
        batch->failed = true;
        return BASE_E_LIMIT;
    }
    int error = begin_change(batch, key_group, STORE_OP_DELETE_RANGE, family, from, &section);
    if (error)
        return error;
    base_buf_put_bytes(&section->bytes, to.ptr, to.len);
    return end_change(batch, section);
}

int service_batch_set_applied(struct service_batch *batch, uint64_t epoch)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(epoch >> (8 * i));
    return service_batch_put(batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, BASE_STR(STORE_KEY_APPLIED),
                             (struct base_str){ (const char *)bytes, sizeof bytes });
}

/* The checksum covers family and key too: a value that turns up under another key is damage. */
static uint32_t guard_sum(int family, struct base_str key, const void *bytes, size_t len)
{
    uint8_t tag = (uint8_t)family;
    uint32_t sum = base_crc32c(0, &tag, 1);
    sum = base_crc32c(sum, key.ptr, key.len);
    return base_crc32c(sum, bytes, len);
}

void store_put_borrowed(struct service_store *store, const struct store_borrowed *put, rocksdb_writebatch_t *out)
{
    const uint8_t version = STORE_VALUE_VERSION, tag = (uint8_t)put->family;
    uint32_t sum = base_crc32c(0, &tag, 1);
    sum = base_crc32c(sum, put->key, put->key_len);
    sum = base_crc32c(sum, &version, 1);
    sum = base_crc32c(sum, put->value.ptr, put->value.len);
    const uint8_t tail[4] = { (uint8_t)sum, (uint8_t)(sum >> 8), (uint8_t)(sum >> 16), (uint8_t)(sum >> 24) };
    const char *keys[1] = { put->key };
    const size_t key_sizes[1] = { put->key_len };
    const char *values[3] = { (const char *)&version, put->value.ptr, (const char *)tail };
    const size_t value_sizes[3] = { 1, put->value.len, sizeof tail };
    rocksdb_writebatch_putv_cf(out, store->handles[put->family], 1, keys, key_sizes, 3, values, value_sizes);
}

void store_guard(enum service_cf family, struct base_str key, struct base_str payload, struct base_buf *out)
{
    size_t start = out->len;
    base_buf_put_u8(out, STORE_VALUE_VERSION);
    base_buf_put(out, payload.ptr, payload.len);
    if (!out->failed)
        base_buf_put_u32(out, guard_sum((int)family, key, out->ptr + start, out->len - start));
}

static void print_key(struct base_str key, struct base_buf *out)
{
    size_t shown = key.len < 48 ? key.len : 48;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            base_buf_putc(out, (char)c);
        else
            base_buf_printf(out, "\\x%02x", c);
    }
    if (shown < key.len)
        base_buf_printf(out, "... (%zu bytes)", key.len);
}

int store_unguard(struct service_store *store, int family, struct base_str key, struct base_str stored,
                  struct base_str *ret)
{
    const char *what = NULL;
    int code = BASE_E_CORRUPT;
    if (stored.len < STORE_GUARD_BYTES) {
        what = "is cut short";
    } else {
        struct base_reader tail = { (const uint8_t *)stored.ptr + stored.len - 4,
                                    (const uint8_t *)stored.ptr + stored.len, false };
        if (base_read_u32(&tail) != guard_sum(family, key, stored.ptr, stored.len - 4)) {
            what = "does not fit its checksum";
        } else if ((uint8_t)stored.ptr[0] != STORE_VALUE_VERSION) {
            what = "was written by an unknown version";
            code = BASE_E_VERSION;
        }
    }
    if (!what) {
        *ret = (struct base_str){ stored.ptr + 1, stored.len - STORE_GUARD_BYTES };
        return 0;
    }
    struct base_buf shown = { 0 };
    print_key(key, &shown);
    store_fail(store, code,
               "store %s: the value of key %s in column family %s %s; restore the folder from a savepoint or remove it "
               "and replay",
               store->path, shown.ptr ? shown.ptr : "", store_family_name(family), what);
    base_buf_finish(&shown);
    return code;
}

int store_section_open(struct base_str stored, struct base_reader *ret)
{
    if (stored.len < STORE_SECTION_HEAD + 4)
        return BASE_E_CORRUPT;
    const uint8_t *bytes = (const uint8_t *)stored.ptr;
    struct base_reader tail = { bytes + stored.len - 4, bytes + stored.len, false };
    if (base_read_u32(&tail) != base_crc32c(0, bytes, stored.len - 4))
        return BASE_E_CORRUPT;
    if (bytes[0] != STORE_SECTION_VERSION)
        return BASE_E_VERSION;
    *ret = (struct base_reader){ bytes + STORE_SECTION_HEAD, bytes + stored.len - 4, false };
    return 0;
}

int store_section_next(struct base_reader *reader, struct store_change *ret)
{
    if (reader->at == reader->end)
        return BASE_E_EOF;
    uint8_t op = base_read_u8(reader);
    uint8_t family = base_read_u8(reader);
    struct base_str key = base_read_bytes(reader);
    struct base_str value = { NULL, 0 };
    if (op == STORE_OP_PUT || op == STORE_OP_DELETE_RANGE)
        value = base_read_bytes(reader);
    if (reader->failed || op < STORE_OP_PUT || op > STORE_OP_DELETE_RANGE || family >= SERVICE_CF_COUNT)
        return BASE_E_CORRUPT;
    *ret = (struct store_change){ (enum store_op)op, (enum service_cf)family, key, value };
    return 0;
}

int store_section_replay(struct service_store *store, struct base_reader *reader, rocksdb_writebatch_t *out)
{
    struct store_change change;
    for (;;) {
        int error = store_section_next(reader, &change);
        if (error)
            return error == BASE_E_EOF ? 0 : error;
        rocksdb_column_family_handle_t *family = store->handles[change.family];
        switch (change.op) {
        case STORE_OP_PUT:
            rocksdb_writebatch_put_cf(out, family, change.key.ptr, change.key.len, change.value.ptr, change.value.len);
            break;
        case STORE_OP_DELETE: rocksdb_writebatch_delete_cf(out, family, change.key.ptr, change.key.len); break;
        case STORE_OP_DELETE_RANGE:
            rocksdb_writebatch_delete_range_cf(out, family, change.key.ptr, change.key.len, change.value.ptr,
                                               change.value.len);
            break;
        }
    }
}
