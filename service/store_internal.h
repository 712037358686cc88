/* What the files of the store share: the handle, the guard around values, the form of a batch. Private to
 * service/store*.c. */
#ifndef SERVICE_STORE_INTERNAL_H
#define SERVICE_STORE_INTERNAL_H

#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include "base/vec.h"
#include "service/store.h"

/* Keys of ours in META; others must not begin with "store.". */
#define STORE_KEY_IDENTITY "store.identity"
#define STORE_KEY_APPLIED "store.applied"
#define STORE_FORMAT 1u
#define STORE_VALUE_VERSION 1u
#define STORE_GUARD_BYTES 5u                 /* version byte in front, crc32c behind */
#define STORE_PENDING_CF SERVICE_CF_COUNT    /* index of the family "pending", which no caller names */
#define STORE_HANDLES (SERVICE_CF_COUNT + 2) /* the families, "pending", RocksDB's "default" (unused) */
#define STORE_ID_BYTES 37

struct service_store {
    char *path; /* owned */
    uint64_t memory_bytes;
    bool read_only;
    char id[STORE_ID_BYTES];

    pthread_rwlock_t live; /* readers and writers hold it shared; reopen and close exclusively */
    rocksdb_t *db;         /* NULL: closed by a failed reopen */
    rocksdb_column_family_handle_t *handles[STORE_HANDLES];
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table_options;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write, *write_synced;

    _Atomic int broken; /* BASE_E_* of the failed write */
    _Atomic int64_t fail_calls; /* calls until one fails; 0 or less: off */
    _Atomic uint64_t writes, synced_writes, written_bytes;

    pthread_mutex_t talk;  /* guards what follows */
    struct base_buf error; /* text of the last failure */
    uint64_t fail_countdown;
    int fail_code;
    bool fail_after;
};

/* One key group's changes: bytes = u8 version, u32 count, then operations
 * (u8 op, u8 family, varint key length, key [, varint value length, guarded value | varint length, upper key]); at rest
 * a crc32c follows. */
struct store_section {
    uint32_t group;
    uint32_t count;
    struct base_buf bytes;
};
#define STORE_SECTION_VERSION 1u
#define STORE_SECTION_HEAD 5u
enum store_op { STORE_OP_PUT = 1, STORE_OP_DELETE = 2, STORE_OP_DELETE_RANGE = 3 };

struct store_borrowed { /* a put whose value is elsewhere */
    enum service_cf family;
    struct base_str value;
    uint16_t key_len;
    char key[30];
};
struct service_batch {
    struct BASE_VEC(struct store_borrowed) borrowed; /* after the sections */
    struct BASE_VEC(struct store_section) sections; /* the first `used` ones are live, the rest keep their memory */
    size_t used;
    size_t last; /* section of the last change */
    size_t count;
    bool failed;
    bool let_go; /* service_batch_let_go */
};

struct store_change { /* one decoded operation */
    enum store_op op;
    enum service_cf family;
    struct base_str key;
    struct base_str value; /* PUT: guarded value; DELETE_RANGE: upper key */
};
/* Next operation of a section's body; BASE_E_EOF at its end, BASE_E_CORRUPT. */
int store_section_next(struct base_reader *reader, struct store_change *ret) BASE_MUST_CHECK;
/* Checks head, checksum; *ret starts at the first operation. */
int store_section_open(struct base_str stored, struct base_reader *ret) BASE_MUST_CHECK;
/* Adds all operations behind the reader to a RocksDB batch. */
int store_section_replay(struct service_store *store, struct base_reader *reader,
                         rocksdb_writebatch_t *out) BASE_MUST_CHECK;

/* Adds all changes of a batch to a RocksDB batch, those of a section in order of their keys (store_sort.c). */
int store_put_batch(struct service_store *store, struct service_batch *batch, rocksdb_writebatch_t *out) BASE_MUST_CHECK;

void store_put_borrowed(struct service_store *store, const struct store_borrowed *put, rocksdb_writebatch_t *out);

/* Appends the guarded form of a payload. */
void store_guard(enum service_cf family, struct base_str key, struct base_str payload, struct base_buf *out);
/* Takes the guard off; tells the store of a damage. family may be STORE_PENDING_CF. */
int store_unguard(struct service_store *store, int family, struct base_str key, struct base_str stored,
                  struct base_str *ret) BASE_MUST_CHECK;
const char *store_family_name(int family);

/* Remembers what went wrong; returns code. */
int store_fail(struct service_store *store, int code, const char *format, ...) BASE_PRINTF(3, 4);
/* As store_fail for RocksDB's text, which it frees; code by its kind. */
int store_fail_rocks(struct service_store *store, const char *what, char *text);
int store_code_of(const char *rocks_text);
/* Hands a finished RocksDB batch over, with the fault hook; a failure breaks the store. The caller holds `live` shared.
 */
int store_commit(struct service_store *store, rocksdb_writebatch_t *batch, bool sync) BASE_MUST_CHECK;
/* Shared lock, and BASE_E_CLOSED if the database is not open (then not locked). */
int store_enter(struct service_store *store) BASE_MUST_CHECK;
void store_leave(struct service_store *store);

#endif
