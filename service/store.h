/* The local store: RocksDB behind an opaque handle. Holds keyed state, timers, the alert log and its index, triage,
 * deliveries, profiles, dead letters, and the pending epochs of protocol.md 3. Every value is guarded by a version byte
 * and a CRC-32C that is checked on each read; values handed in and out are the bare payload. It knows no rows and no
 * alerts, decides nothing about epochs, and never repairs silently.
 *
 * Corruption policy: a value whose checksum fails is BASE_E_CORRUPT with column family and key in service_store_error;
 * nothing is dropped. A torn tail of the write-ahead log (a kill in mid-write) is cut at the last whole record, which
 * no caller was told of as durable.
 *
 * After any failed write or sync the store is broken: every later write fails with the same code until
 * service_store_reopen, because RocksDB does so and because memory and disk may differ; the caller reloads from the
 * last decided epoch (protocol.md 12).
 *
 * Threads: all functions on a store from any thread; a batch or a cursor belongs to one thread at a time. reopen and
 * close wait until open cursors are closed: keep them short. */
#ifndef SERVICE_STORE_H
#define SERVICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

/* X(NAME, "name on disk"): column families. Order is stored in pending batches: append only. */
#define SERVICE_STORE_FAMILIES(X) \
    X(STATE, "state") \
    X(TIMERS, "timers") \
    X(ALERTS, "alerts") \
    X(ALERT_INDEX, "alert_index") \
    X(TRIAGE, "triage") \
    X(DELIVERY, "delivery") \
    X(PROFILES, "profiles") \
    X(DEADLETTERS, "deadletters") \
    X(META, "meta") \
    X(OUTBOX, "outbox") \
    X(VIEWS, "views") \
    X(JOURNAL, "journal")

enum service_cf {
#define X(name, text) SERVICE_CF_##name,
    SERVICE_STORE_FAMILIES(X)
#undef X
        SERVICE_CF_COUNT
};
#define SERVICE_STORE_NO_GROUP 0xffffu /* a change that belongs to no key group */
#define SERVICE_STORE_NO_EPOCH UINT64_MAX
#define SERVICE_STORE_KEY_MAX 65535u /* bytes of a key */
#define SERVICE_STORE_VALUE_MAX (256u << 20)

struct service_store_options {
    const char *path;      /* folder, created if missing (its parent must exist) */
    uint64_t memory_bytes; /* block cache + memtables; 0: 64 MiB; at least 8 MiB */
    bool read_only;        /* opens without lock and without writes */
    bool must_exist;       /* BASE_E_NOTFOUND instead of making a new one */
};
struct service_store;
/* BASE_E_BUSY: another process has it; BASE_E_VERSION: written by an unknown format; BASE_E_CORRUPT, BASE_E_IO,
 * BASE_E_FULL. The reason is appended to reterr (may be NULL). */
int service_store_open(const struct service_store_options *options, struct service_store **ret,
                       struct base_buf *reterr) BASE_MUST_CHECK;
void service_store_close(struct service_store *store); /* NULL is allowed */
/* Closes and opens RocksDB again after a failure; handle, id and options stay. On an error the store is broken still
 * and may be reopened again. */
int service_store_reopen(struct service_store *store, struct base_buf *reterr) BASE_MUST_CHECK;
/* 0, or the code of the failed write that broke it. */
int service_store_broken(struct service_store *store);
/* Text of the last failure on this store, appended. */
void service_store_error(struct service_store *store, struct base_buf *out);
/* The folder, as it was given. */
const char *service_store_path(const struct service_store *store);
/* Random at creation, 36 characters: tells this store from any other with the same application id. Lives as long as the
 * store. */
const char *service_store_id(const struct service_store *store);

/* ---- changes ---- */
struct service_batch;
int service_batch_create(struct service_batch **ret) BASE_MUST_CHECK;
void service_batch_destroy(struct service_batch *batch); /* NULL is allowed */
void service_batch_clear(struct service_batch *batch);   /* keeps memory for reuse */
/* From now on this batch lets go of what is large as it is written, so that it is not in memory twice; written once, whether or not that succeeds, it can only be
 * cleared. For batches of service_store_write and `with`. */
void service_batch_let_go(struct service_batch *batch);
size_t service_batch_bytes(const struct service_batch *batch);
size_t service_batch_count(const struct service_batch *batch);
/* Copies key and value. Errors are sticky too: a batch that lost a change cannot be written. key_group: < 0xffff or
 * SERVICE_STORE_NO_GROUP. BASE_E_NOMEM, BASE_E_LIMIT (key or value too long). */
int service_batch_put(struct service_batch *batch, enum service_cf family, uint32_t key_group, struct base_str key,
                      struct base_str value) BASE_MUST_CHECK;
/* The same without a copy of the value, which stays as it is until the batch has been written or cleared. Such a batch
 * cannot be part of a pending epoch: it is written at once (service_store_write, `aside`, `with`). */
int service_batch_put_borrowed(struct service_batch *batch, enum service_cf family, struct base_str key,
                               struct base_str value) BASE_MUST_CHECK;
int service_batch_delete(struct service_batch *batch, enum service_cf family, uint32_t key_group,
                         struct base_str key) BASE_MUST_CHECK;
/* All keys with from <= key < to. */
int service_batch_delete_range(struct service_batch *batch, enum service_cf family, uint32_t key_group,
                               struct base_str from, struct base_str to) BASE_MUST_CHECK;

/* ---- a batch by key group, for who writes it so ---- */
/* Changes of one key group each, in the batch's own form; good until it is changed, cleared or that section released. */
size_t service_batch_sections(const struct service_batch *batch);
struct base_str service_batch_section(const struct service_batch *batch, size_t i, uint32_t *ret_group);
bool service_batch_whole(const struct service_batch *batch); /* nothing was lost, nothing lies elsewhere: the sections are all there is */
void service_batch_release(struct service_batch *batch, size_t i); /* frees the section's bytes, which is empty from then on; the batch can only be cleared */
/* Where the changes of a section stand, in order of their keys: places near each other in the store are written one after the other, and found without a walk. */
struct service_order { uint32_t *at; uint32_t count; }; /* count 0: as they are */
int service_section_order(struct base_str section, struct service_order *ret) BASE_MUST_CHECK;
void service_order_finish(struct service_order *order);
/* What a section says of a key: 0 and the value appended to ret; BASE_E_EOF: it is deleted; BASE_E_NOTFOUND: nothing. Whole ranges are passed over. */
int service_section_find(struct service_store *store, struct base_str section, const struct service_order *order, enum service_cf family, struct base_str key,
                         struct base_buf *ret) BASE_MUST_CHECK;
/* All changes of a section, by writes of some slice_bytes each, not synced; after an error some of them stand. BASE_E_CORRUPT, BASE_E_VERSION: it is none. */
int service_store_write_section(struct service_store *store, struct base_str section, const struct service_order *order, size_t slice_bytes) BASE_MUST_CHECK;

/* All batches in order, atomically; sync: durable on return. The decision of an epoch without Kafka is a synced write.
 */
int service_store_write(struct service_store *store, struct service_batch *const *batches, size_t count,
                        bool sync) BASE_MUST_CHECK;

/* ---- epochs ---- */
/* Keeps the batches (one per shard, say) durably as pending/epoch, divided by key group, without touching what reads
 * see. Preparing an epoch again replaces it. Batches without any change give an empty pending epoch, which exists too.
 * aside (NULL: nothing) is changed at once, in the same write: what counts for nothing unless the epoch does. */
int service_store_prepare(struct service_store *store, uint64_t epoch, struct service_batch *const *batches,
                          size_t count, struct service_batch *aside) BASE_MUST_CHECK;
/* pending/epoch becomes the state, atomically, and the last applied epoch is `epoch`; not synced (if it is lost,
 * pending/epoch is there again and is applied again). `with`: changes that come with it in the same write and may be
 * lost with it. BASE_E_NOTFOUND: nothing pending for it. */
int service_store_apply(struct service_store *store, uint64_t epoch, struct service_batch *const *with, size_t count) BASE_MUST_CHECK;
/* pending/epoch is forgotten; 0 also if there is none. Synced. */
int service_store_drop(struct service_store *store, uint64_t epoch) BASE_MUST_CHECK;
/* Last applied epoch, SERVICE_STORE_NO_EPOCH: none. */
int service_store_applied(struct service_store *store, uint64_t *ret) BASE_MUST_CHECK;
/* Sets it in a batch, for a decision by service_store_write (BASE_E as put). */
int service_batch_set_applied(struct service_batch *batch, uint64_t epoch) BASE_MUST_CHECK;
/* Pending epochs in ascending order, at most cap; *ret_count is how many there are. */
int service_store_pending(struct service_store *store, uint64_t *ret_epochs, size_t cap,
                          size_t *ret_count) BASE_MUST_CHECK;
/* Does pending/epoch put this key? Then its value (appended to ret), for "look for e in the alert log" and for reads
 * above a pending epoch. BASE_E_NOTFOUND if the epoch is not pending or does not name the key; BASE_E_EOF if it deletes
 * the key. Walks the whole pending epoch: not for hot paths. */
int service_store_pending_get(struct service_store *store, uint64_t epoch, enum service_cf family, struct base_str key,
                              struct base_buf *ret) BASE_MUST_CHECK;

/* ---- reads ---- */
/* Appends the value to ret. BASE_E_NOTFOUND. */
int service_store_get(struct service_store *store, enum service_cf family, struct base_str key,
                      struct base_buf *ret) BASE_MUST_CHECK;
/* A consistent view of one family from the moment of opening. */
struct service_cursor;
struct service_range {
    struct base_str from; /* first key, empty: the first of all */
    struct base_str to;   /* beyond the last, empty: to the end */
    bool reverse;         /* from the last to the first */
};
int service_cursor_open(struct service_store *store, enum service_cf family, const struct service_range *range,
                        struct service_cursor **ret) BASE_MUST_CHECK;
/* 0 with borrowed key and value (valid until the next call), BASE_E_EOF at the end, BASE_E_CORRUPT (the next call goes
 * on behind it). */
int service_cursor_next(struct service_cursor *cursor, struct base_str *ret_key,
                        struct base_str *ret_value) BASE_MUST_CHECK;
void service_cursor_close(struct service_cursor *cursor); /* NULL is allowed */
/* Calls visit for each key with the prefix, in order. visit returns 0 to go on; anything else ends the walk and is
 * returned. */
typedef int service_store_visit(void *ctx, struct base_str key, struct base_str value);
int service_store_each(struct service_store *store, enum service_cf family, struct base_str prefix,
                       service_store_visit *visit, void *ctx) BASE_MUST_CHECK;

/* ---- the rest ---- */
/* A consistent copy (hard links where possible) in a new folder, openable by service_store_open; pending epochs are in
 * it, files with journals are not: it is made where an image needs none. BASE_E_EXISTS. */
int service_store_checkpoint(struct service_store *store, const char *path) BASE_MUST_CHECK;
struct service_store_stats {
    uint64_t cache_bytes, memtable_bytes, disk_bytes;
    uint64_t writes, synced_writes, written_bytes; /* by this handle, since open */
    uint64_t keys[SERVICE_CF_COUNT];               /* estimates */
};
void service_store_stats(struct service_store *store, struct service_store_stats *ret);
/* Flushes memtables; for tests and before a checkpoint that shall hold no log. */
int service_store_flush(struct service_store *store) BASE_MUST_CHECK;
/* Test hook: the nth write from now (1 = the next) fails with `error` (BASE_E_IO or BASE_E_FULL) before it reaches
 * RocksDB and breaks the store; 0 switches it off. after: it fails although it was written, as a sync that failed after
 * the data went out. */
void service_store_fail_at(struct service_store *store, uint64_t nth, int error, bool after);
/* Test hook: the nth call from now of any kind - get, cursor, write, prepare, apply, checkpoint - fails with BASE_E_IO before it does anything; 0 switches it off. What is left until then. */
void service_store_fail_call(struct service_store *store, int64_t nth);
int64_t service_store_fail_call_left(struct service_store *store);

#endif
