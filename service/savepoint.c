#include "service/savepoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "service/epochs.h"
#include "service/past.h"

#define MAGIC "CEPHSAVE"
#define BLOCK_BYTES ((size_t)64 << 10)
#define BLOCK_MOST ((size_t)300 << 20) /* one entry may be as large as a value */

static int fail(struct base_buf *reterr, int e, const char *path, const char *cause)
{
    base_buf_printf(reterr, "%s: %s", path, cause);
    return e;
}

/* ---- writing ---- */

struct writing {
    FILE *file;
    const char *path;
    struct base_buf block;
    struct service_savepoint *facts;
    struct base_buf *reterr;
};

/* A block: length, CRC-32C, bytes. An empty one ends the file. */
static int put_block(struct writing *w)
{
    struct base_buf head = { 0 };
    base_buf_put_u32(&head, (uint32_t)w->block.len);
    base_buf_put_u32(&head, base_crc32c(0, w->block.ptr ? w->block.ptr : "", w->block.len));
    int e = head.failed || w->block.failed ? BASE_E_NOMEM : 0;
    if (e == 0 && (fwrite(head.ptr, 1, head.len, w->file) != head.len || fwrite(w->block.ptr ? w->block.ptr : "", 1, w->block.len, w->file) != w->block.len))
        e = fail(w->reterr, errno == ENOSPC ? BASE_E_FULL : BASE_E_IO, w->path, strerror(errno));
    w->facts->bytes += head.len + w->block.len;
    base_buf_clear(&w->block);
    base_buf_finish(&head);
    return e;
}

static int put_family(struct writing *w, struct service_store *store, enum service_cf family)
{
    struct service_range all = { 0 };
    struct service_cursor *cursor = NULL;
    int e = service_cursor_open(store, family, &all, &cursor);
    while (e == 0) {
        struct base_str key, value;
        e = service_cursor_next(cursor, &key, &value);
        if (e < 0)
            break;
        base_buf_put_u8(&w->block, (uint8_t)family);
        base_buf_put_bytes(&w->block, key.ptr, key.len);
        base_buf_put_bytes(&w->block, value.ptr, value.len);
        w->facts->entries[family]++;
        if (w->block.len >= BLOCK_BYTES)
            e = put_block(w);
    }
    service_cursor_close(cursor);
    if (e < 0 && e != BASE_E_EOF && !w->reterr->len)
        service_store_error(store, w->reterr);
    return e == BASE_E_EOF ? 0 : e;
}

static int put_head(struct writing *w)
{
    const struct service_savepoint *f = w->facts;
    base_buf_put_u64(&w->block, f->epoch);
    base_buf_put_u64(&w->block, (uint64_t)f->created_ms);
    base_buf_put_bytes(&w->block, f->application, strlen(f->application));
    base_buf_put_bytes(&w->block, f->store_id, strlen(f->store_id));
    base_buf_put_bytes(&w->block, f->program, strlen(f->program));
    return put_block(w);
}

static int write_all(struct writing *w, struct service_store *store)
{
    struct base_buf magic = { 0 };
    base_buf_puts(&magic, MAGIC);
    base_buf_put_u32(&magic, SERVICE_SAVEPOINT_VERSION);
    int e = magic.failed ? BASE_E_NOMEM : fwrite(magic.ptr, 1, magic.len, w->file) == magic.len ? 0 : fail(w->reterr, BASE_E_IO, w->path, strerror(errno));
    base_buf_finish(&magic);
    if (e == 0)
        e = put_head(w);
    for (int family = 0; e == 0 && family < SERVICE_CF_COUNT; family++)
        e = put_family(w, store, (enum service_cf)family);
    if (e == 0 && w->block.len)
        e = put_block(w);
    if (e == 0)
        e = put_block(w); /* the end */
    if (e == 0 && (fflush(w->file) != 0 || fsync(fileno(w->file)) != 0))
        e = fail(w->reterr, errno == ENOSPC ? BASE_E_FULL : BASE_E_IO, w->path, strerror(errno));
    return e;
}

static int fill_facts(struct service_store *store, struct service_savepoint *facts)
{
    struct service_epoch_record record = { 0 };
    int e = service_epochs_last(store, &record);
    facts->version = SERVICE_SAVEPOINT_VERSION;
    facts->epoch = e == 0 ? record.number : 0;
    facts->bytes = 0;
    memset(facts->entries, 0, sizeof facts->entries);
    snprintf(facts->store_id, sizeof facts->store_id, "%s", service_store_id(store));
    snprintf(facts->program, sizeof facts->program, "%s", CEPHEID_VERSION);
    service_epoch_record_finish(&record);
    return e == BASE_E_NOTFOUND ? 0 : e;
}

int service_savepoint_write(struct service_store *store, const char *path, struct service_savepoint *facts, struct base_buf *reterr)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return fail(reterr, BASE_E_INVALID, path, "the path is too long");
    struct writing w = { .path = path, .facts = facts, .reterr = reterr };
    int e = fill_facts(store, facts);
    if (e < 0)
        return fail(reterr, e, path, "the record of the last epoch cannot be read");
    w.file = fopen(temporary, "we");
    if (!w.file)
        return fail(reterr, BASE_E_IO, temporary, strerror(errno));
    e = write_all(&w, store);
    if (fclose(w.file) != 0 && e == 0)
        e = fail(reterr, BASE_E_IO, path, strerror(errno));
    if (e == 0 && rename(temporary, path) != 0)
        e = fail(reterr, BASE_E_IO, path, strerror(errno));
    if (e < 0)
        (void)unlink(temporary);
    base_buf_finish(&w.block);
    return e;
}

/* ---- reading ---- */

struct reading {
    FILE *file;
    const char *path;
    char *block;
    size_t cap, len;
    struct service_store *into;
    struct service_batch *batch;
    struct service_savepoint *facts;
    struct base_buf *reterr;
};

static int damaged(struct reading *r, const char *what)
{
    base_buf_printf(r->reterr, "%s: the savepoint is damaged: %s at byte %ld", r->path, what, ftell(r->file));
    return BASE_E_CORRUPT;
}

static int get_block(struct reading *r)
{
    uint8_t head[8];
    if (fread(head, 1, sizeof head, r->file) != sizeof head)
        return damaged(r, "it ends too early");
    struct base_reader in = { head, head + sizeof head, false };
    r->len = base_read_u32(&in);
    uint32_t crc = base_read_u32(&in);
    if (r->len > BLOCK_MOST)
        return damaged(r, "a block is too long");
    if (r->len > r->cap) {
        char *grown = base_realloc(r->block, r->len);
        if (!grown)
            return BASE_E_NOMEM;
        r->block = grown;
        r->cap = r->len;
    }
    if (r->len && fread(r->block, 1, r->len, r->file) != r->len)
        return damaged(r, "it ends too early");
    r->facts->bytes += sizeof head + r->len;
    return base_crc32c(0, r->block ? r->block : "", r->len) == crc ? 0 : damaged(r, "a checksum is wrong");
}

static void copy_text(char *to, size_t size, struct base_str from)
{
    snprintf(to, size, "%.*s", (int)from.len, from.ptr ? from.ptr : "");
}

static int get_head(struct reading *r)
{
    char magic[12];
    if (fread(magic, 1, sizeof magic, r->file) != sizeof magic || memcmp(magic, MAGIC, 8) != 0)
        return fail(r->reterr, BASE_E_CORRUPT, r->path, "this is no savepoint");
    struct base_reader in = { (const uint8_t *)magic + 8, (const uint8_t *)magic + 12, false };
    r->facts->version = base_read_u32(&in);
    if (r->facts->version != SERVICE_SAVEPOINT_VERSION)
        return fail(r->reterr, BASE_E_VERSION, r->path, "the savepoint has a format that this version does not know; use a newer one");
    int e = get_block(r);
    if (e < 0)
        return e;
    in = (struct base_reader){ (const uint8_t *)r->block, (const uint8_t *)r->block + r->len, false };
    r->facts->epoch = base_read_u64(&in);
    r->facts->created_ms = (int64_t)base_read_u64(&in);
    copy_text(r->facts->application, sizeof r->facts->application, base_read_bytes(&in));
    copy_text(r->facts->store_id, sizeof r->facts->store_id, base_read_bytes(&in));
    copy_text(r->facts->program, sizeof r->facts->program, base_read_bytes(&in));
    return in.failed ? damaged(r, "its head is cut") : 0;
}

static int note_rule(void *ctx, const struct service_past_rule *rule)
{
    struct base_buf *out = ctx;
    if (out->len)
        base_buf_puts(out, ", ");
    base_buf_put(out, rule->name.ptr, rule->name.len);
    return out->failed ? BASE_E_NOMEM : 0;
}

static int take_block(struct reading *r)
{
    struct base_reader in = base_reader_of(r->block, r->len);
    int e = 0;
    while (e == 0 && in.at < in.end) {
        uint8_t family = base_read_u8(&in);
        struct base_str key = base_read_bytes(&in), value = { 0 };
        value = base_read_bytes(&in);
        if (in.failed || family >= SERVICE_CF_COUNT)
            return damaged(r, "an entry is cut");
        r->facts->entries[family]++;
        if (family == SERVICE_CF_META && base_str_equal(key, SERVICE_PAST_KEY))
            e = service_past_read(value, note_rule, &r->facts->rules);
        if (e == 0 && r->batch)
            e = service_batch_put(r->batch, (enum service_cf)family, SERVICE_STORE_NO_GROUP, key, value);
    }
    if (e == 0 && r->batch) {
        e = service_store_write(r->into, &r->batch, 1, false);
        service_batch_clear(r->batch);
    }
    return e;
}

static int read_all(struct reading *r)
{
    int e = get_head(r);
    for (bool end = false; e == 0 && !end;) {
        e = get_block(r);
        end = e == 0 && r->len == 0;
        if (e == 0 && !end)
            e = take_block(r);
    }
    if (e == 0 && fgetc(r->file) != EOF)
        e = damaged(r, "there is something behind its end");
    return e;
}

/* The last write: from here on the store is a good one. */
static int seal(struct reading *r)
{
    int e = service_batch_set_applied(r->batch, r->facts->epoch);
    if (e == 0)
        e = service_batch_put(r->batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, BASE_STR("restored"), base_str_of(r->facts->store_id));
    return e == 0 ? service_store_write(r->into, &r->batch, 1, true) : e;
}

void service_savepoint_finish(struct service_savepoint *facts)
{
    base_buf_finish(&facts->rules);
}

int service_savepoint_read(const char *path, struct service_store *into, struct service_savepoint *ret, struct base_buf *reterr)
{
    struct reading r = { .path = path, .into = into, .facts = ret, .reterr = reterr };
    *ret = (struct service_savepoint){ 0 };
    r.file = fopen(path, "re");
    if (!r.file)
        return fail(reterr, errno == ENOENT ? BASE_E_NOTFOUND : BASE_E_IO, path, strerror(errno));
    int e = into ? service_batch_create(&r.batch) : 0;
    if (e == 0)
        e = read_all(&r);
    if (e == 0 && into)
        e = seal(&r);
    if (e < 0 && into && !reterr->len)
        service_store_error(into, reterr);
    fclose(r.file);
    service_batch_destroy(r.batch);
    base_free(r.block);
    return e;
}
