/* The store on a real RocksDB in a temporary folder: reads and writes, epochs, kills, damage, full disks. */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/error.h"
#include "service/store_create.h"
#include "service/store_internal.h"
#include "tests/unit/tap.h"

static char root[64];

static struct base_str str(const char *text)
{
    return base_str_of(text);
}

static struct service_store *open_at(const char *name, int want)
{
    char path[128];
    struct service_store *store = NULL;
    struct base_buf text = { 0 };
    snprintf(path, sizeof path, "%s/%s", root, name);
    struct service_store_options options = { .path = path, .memory_bytes = 8 << 20 };
    int error = service_store_open(&options, &store, &text);
    if (error != want)
        printf("# open %s: %s (%s)\n", path, base_error_name(error), text.ptr ? text.ptr : "");
    IS_INT(error, want, "store opens as expected");
    base_buf_finish(&text);
    return store;
}

static struct service_batch *batch_of(const char *key, const char *value)
{
    struct service_batch *batch = NULL;
    if (service_batch_create(&batch) || service_batch_put(batch, SERVICE_CF_STATE, 3, str(key), str(value)))
        abort();
    return batch;
}

/* Value of a key as text, "-" if it is not there, "!NAME" for other errors. */
static const char *value_of(struct service_store *store, enum service_cf family, const char *key)
{
    static char text[256];
    struct base_buf value = { 0 };
    int error = service_store_get(store, family, str(key), &value);
    if (error)
        snprintf(text, sizeof text, "%s%s", error == BASE_E_NOTFOUND ? "-" : "!",
                 error == BASE_E_NOTFOUND ? "" : base_error_name(error));
    else
        snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr ? value.ptr : "");
    base_buf_finish(&value);
    return text;
}

static void test_values(void)
{
    struct service_store *store = open_at("values", 0);
    struct service_batch *batch = batch_of("a", "1");
    IS_INT(service_batch_put(batch, SERVICE_CF_ALERTS, SERVICE_STORE_NO_GROUP, str("a"), str("alert")), 0,
           "put in another family");
    IS_INT(service_batch_put(batch, SERVICE_CF_STATE, 4, str("empty"), str("")), 0, "put an empty value");
    IS_INT(service_batch_count(batch), 3, "three changes");
    IS_INT(service_store_write(store, &batch, 1, true), 0, "written");
    IS_STR(value_of(store, SERVICE_CF_STATE, "a"), "1", "value read");
    IS_STR(value_of(store, SERVICE_CF_ALERTS, "a"), "alert", "families are apart");
    IS_STR(value_of(store, SERVICE_CF_STATE, "empty"), "", "an empty value is there");
    IS_STR(value_of(store, SERVICE_CF_STATE, "b"), "-", "a missing one is not");
    service_batch_clear(batch);
    IS_INT(service_batch_delete(batch, SERVICE_CF_STATE, 3, str("a")), 0, "delete");
    for (int i = 0; i < 10; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        if (service_batch_put(batch, SERVICE_CF_STATE, 5, str(key), str(key)))
            abort();
    }
    IS_INT(service_batch_delete_range(batch, SERVICE_CF_STATE, 5, str("k2"), str("k5")), 0, "delete a range");
    IS_INT(service_store_write(store, &batch, 1, false), 0, "written");
    IS_STR(value_of(store, SERVICE_CF_STATE, "a"), "-", "deleted");
    IS_STR(value_of(store, SERVICE_CF_STATE, "k1"), "k1", "before the range");
    IS_STR(value_of(store, SERVICE_CF_STATE, "k4"), "-", "in the range");
    IS_STR(value_of(store, SERVICE_CF_STATE, "k5"), "k5", "its end stays");
    char *long_key = base_calloc(1, SERVICE_STORE_KEY_MAX + 1);
    IS_INT(service_batch_put(batch, SERVICE_CF_STATE, 5, (struct base_str){ long_key, SERVICE_STORE_KEY_MAX + 1 },
                             str("")),
           BASE_E_LIMIT, "key too long");
    OK(service_store_write(store, &batch, 1, false) != 0, "a batch that lost a change is refused");
    base_free(long_key);
    service_batch_destroy(batch);
    service_store_close(store);
}

static int collect(void *ctx, struct base_str key, struct base_str value)
{
    (void)value;
    base_buf_put_str(ctx, key);
    base_buf_putc(ctx, ' ');
    return 0;
}

static void test_ranges(void)
{
    struct service_store *store = open_at("ranges", 0);
    struct service_batch *batch = batch_of("aa", "");
    const char *keys[] = { "ab", "ac", "b", "ba", "\xff", "\xff\xff" };
    for (size_t i = 0; i < 6; i++)
        if (service_batch_put(batch, SERVICE_CF_STATE, 1, str(keys[i]), str(keys[i])))
            abort();
    IS_INT(service_store_write(store, &batch, 1, false), 0, "written");
    struct base_buf seen = { 0 };
    IS_INT(service_store_each(store, SERVICE_CF_STATE, str("a"), collect, &seen), 0, "walk");
    IS_STR(seen.ptr, "aa ab ac ", "prefix in order");
    base_buf_clear(&seen);
    IS_INT(service_store_each(store, SERVICE_CF_STATE, str("\xff"), collect, &seen), 0, "walk");
    IS_STR(seen.ptr, "\xff \xff\xff ", "prefix of the highest byte");
    base_buf_clear(&seen);
    struct service_cursor *cursor = NULL;
    struct service_range range = { .from = str("ab"), .to = str("ba"), .reverse = true };
    IS_INT(service_cursor_open(store, SERVICE_CF_STATE, &range, &cursor), 0, "cursor");
    service_batch_clear(batch);
    if (service_batch_put(batch, SERVICE_CF_STATE, 1, str("az"), str("new")))
        abort();
    IS_INT(service_store_write(store, &batch, 1, false), 0, "written while a cursor is open");
    struct base_str key, value;
    int error;
    while ((error = service_cursor_next(cursor, &key, &value)) == 0)
        collect(&seen, key, value);
    IS_INT(error, BASE_E_EOF, "ends");
    IS_INT(service_cursor_next(cursor, &key, &value), BASE_E_EOF, "stays at the end");
    IS_STR(seen.ptr, "b ac ab ", "backwards, as of the opening");
    service_cursor_close(cursor);
    base_buf_finish(&seen);
    service_batch_destroy(batch);
    service_store_close(store);
}

static void test_epochs(void)
{
    struct service_store *store = open_at("epochs", 0);
    struct service_batch *batches[2] = { batch_of("x", "1"), batch_of("y", "2") };
    uint64_t applied = 0, pending[4];
    size_t count = 0;
    IS_INT(service_store_applied(store, &applied), 0, "applied can be asked");
    OK(applied == SERVICE_STORE_NO_EPOCH, "none applied");
    IS_INT(service_store_prepare(store, 7, batches, 2, NULL), 0, "prepare 7");
    IS_STR(value_of(store, SERVICE_CF_STATE, "x"), "-", "a prepared epoch is not seen");
    struct base_buf value = { 0 };
    IS_INT(service_store_pending_get(store, 7, SERVICE_CF_STATE, str("y"), &value), 0, "but can be asked for");
    IS_STR(value.ptr, "2", "its value");
    IS_INT(service_store_pending_get(store, 7, SERVICE_CF_STATE, str("z"), &value), BASE_E_NOTFOUND, "not named");
    base_buf_finish(&value);
    IS_INT(service_store_pending(store, pending, 4, &count), 0, "pending list");
    OK(count == 1 && pending[0] == 7, "is 7");
    IS_INT(service_store_apply(store, 8, NULL, 0), BASE_E_NOTFOUND, "8 is not pending");
    IS_INT(service_store_apply(store, 7, NULL, 0), 0, "apply 7");
    IS_INT(service_store_apply(store, 7, NULL, 0), BASE_E_NOTFOUND, "only once");
    IS_STR(value_of(store, SERVICE_CF_STATE, "x"), "1", "x is there");
    IS_STR(value_of(store, SERVICE_CF_STATE, "y"), "2", "y is there");
    IS_INT(service_store_applied(store, &applied), 0, "applied");
    IS_INT(applied, 7, "is 7");
    service_batch_destroy(batches[0]);
    batches[0] = batch_of("x", "other");
    IS_INT(service_store_prepare(store, 8, batches, 1, NULL), 0, "prepare 8");
    IS_INT(service_store_drop(store, 8), 0, "drop 8");
    IS_INT(service_store_drop(store, 8), 0, "twice is no error");
    IS_STR(value_of(store, SERVICE_CF_STATE, "x"), "1", "dropped changes are gone");
    IS_INT(service_store_prepare(store, 9, batches, 1, NULL), 0, "prepare 9");
    service_batch_clear(batches[0]);
    IS_INT(service_store_prepare(store, 9, batches, 1, NULL), 0, "prepare 9 anew, empty");
    IS_INT(service_store_apply(store, 9, NULL, 0), 0, "an empty epoch exists and is applied");
    IS_STR(value_of(store, SERVICE_CF_STATE, "x"), "1", "the replaced changes are gone");
    IS_INT(service_batch_set_applied(batches[1], 10), 0, "decision without a broker");
    IS_INT(service_store_write(store, batches + 1, 1, true), 0, "written");
    IS_INT(service_store_applied(store, &applied), 0, "applied");
    IS_INT(applied, 10, "is 10");
    service_batch_destroy(batches[0]);
    service_batch_destroy(batches[1]);
    service_store_close(store);
}

/* A child prepares 1 and 2, applies 1, and is killed; nothing is lost, nothing more is there. */
static void test_kill(void)
{
    fflush(stdout);
    int ready[2];
    if (pipe(ready))
        abort();
    pid_t child = fork();
    if (child == 0) {
        char path[128];
        struct service_store *store = NULL;
        snprintf(path, sizeof path, "%s/killed", root);
        struct service_store_options options = { .path = path };
        struct service_batch *first = batch_of("x", "1"), *second = batch_of("x", "2");
        if (service_store_open(&options, &store, NULL) || service_store_prepare(store, 1, &first, 1, NULL) ||
            service_store_apply(store, 1, NULL, 0) || service_store_prepare(store, 2, &second, 1, NULL) ||
            write(ready[1], "k", 1) != 1)
            _exit(1);
        pause();
    }
    char byte = 0;
    close(ready[1]);
    OK(read(ready[0], &byte, 1) == 1, "the child came that far");
    close(ready[0]);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct service_store *store = open_at("killed", 0);
    uint64_t pending[2], applied = 0;
    size_t count = 0;
    IS_INT(service_store_applied(store, &applied), 0, "applied");
    IS_INT(applied, 1, "epoch 1 was applied");
    IS_STR(value_of(store, SERVICE_CF_STATE, "x"), "1", "with its value");
    IS_INT(service_store_pending(store, pending, 2, &count), 0, "pending");
    OK(count == 1 && pending[0] == 2, "epoch 2 is pending");
    IS_INT(service_store_apply(store, 2, NULL, 0), 0, "and can be applied");
    IS_STR(value_of(store, SERVICE_CF_STATE, "x"), "2", "now it counts");
    char id[64];
    snprintf(id, sizeof id, "%s", service_store_id(store));
    service_store_close(store);
    store = open_at("killed", 0);
    IS_STR(service_store_id(store), id, "the identity stays");
    IS_INT(strlen(id), 36, "36 characters");
    service_store_close(store);
}

/* Flips one byte in each table file of a folder behind the given text. */
static bool damage(const char *name, const char *text)
{
    char path[512], folder[128];
    bool done = false;
    snprintf(folder, sizeof folder, "%s/%s", root, name);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        static char bytes[1 << 20];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!strstr(entry->d_name, ".sst") && !strstr(entry->d_name, ".log"))
            continue;
        FILE *file = fopen(path, "r+");
        size_t len = fread(bytes, 1, sizeof bytes, file);
        char *at = memmem(bytes, len, text, strlen(text));
        if (at) {
            fseek(file, at - bytes, SEEK_SET);
            fputc(at[0] ^ 1, file);
            done = true;
        }
        fclose(file);
    }
    if (dir)
        closedir(dir);
    return done;
}

static void test_damage(void)
{
    struct service_store *store = open_at("damaged", 0);
    char big[400];
    /* No repeats: a compressed block holds the text as it stands. */
    for (size_t i = 0; i < sizeof big - 1; i++)
        big[i] = (char)(33 + (i * i * 7 + i * 13 + (i >> 3) * 5) % 90);
    big[sizeof big - 1] = 0;
    memcpy(big + 100, "needle-in-a-stack", 17);
    struct service_batch *batch = batch_of("key-of-damage", big);
    IS_INT(service_store_write(store, &batch, 1, true), 0, "written");
    IS_INT(service_store_flush(store), 0, "flushed to a table file");
    service_batch_destroy(batch);
    service_store_close(store);
    OK(damage("damaged", "needle-in-a-stack"), "a byte was flipped");
    store = open_at("damaged", 0);
    IS_STR(value_of(store, SERVICE_CF_STATE, "key-of-damage"), "!CORRUPT", "a damaged block is told");
    struct base_buf text = { 0 };
    service_store_error(store, &text);
    OK(text.ptr && strstr(text.ptr, "orruption"), "in words");
    printf("# %s\n", text.ptr ? text.ptr : "");
    base_buf_finish(&text);
    service_store_close(store);
}

/* Damage that RocksDB's own checksums do not see: a value under a wrong key, a cut one, one of a later version, a torn
 * pending epoch. */
static void test_guard(void)
{
    struct service_store *store = open_at("guarded", 0);
    struct service_batch *batch = batch_of("left", "value");
    struct base_buf value = { 0 };
    char *text = NULL;
    size_t len = 0;
    uint64_t pending[2];
    size_t count;
    IS_INT(service_store_write(store, &batch, 1, true), 0, "written");
    char *stored = rocksdb_get_cf(store->db, store->read, store->handles[SERVICE_CF_STATE], "left", 4, &len, &text);
    IS_INT(len, 5 + STORE_GUARD_BYTES, "payload and guard");
    rocksdb_put_cf(store->db, store->write, store->handles[SERVICE_CF_STATE], "right", 5, stored, len, &text);
    rocksdb_put_cf(store->db, store->write, store->handles[SERVICE_CF_STATE], "cut", 3, stored, 3, &text);
    rocksdb_free(stored);
    store_guard(SERVICE_CF_STATE, str("later"), str("value"), &value);
    IS_STR(value_of(store, SERVICE_CF_STATE, "left"), "value", "untouched");
    IS_STR(value_of(store, SERVICE_CF_STATE, "right"), "!CORRUPT", "a value under another key");
    IS_STR(value_of(store, SERVICE_CF_STATE, "cut"), "!CORRUPT", "a cut value");
    struct base_buf words = { 0 };
    service_store_error(store, &words);
    OK(strstr(words.ptr, "key cut in column family state"), "the error names family and key");
    base_buf_clear(&words);
    IS_INT(service_store_each(store, SERVICE_CF_STATE, str(""), collect, &words), BASE_E_CORRUPT,
           "a walk tells of it too");
    IS_INT(service_store_prepare(store, 1, &batch, 1, NULL), 0, "prepared");
    IS_INT(service_store_pending(store, pending, 2, &count), 0, "pending");
    static const uint8_t key[12] = { [7] = 1, [9] = 3 };
    stored =
        rocksdb_get_cf(store->db, store->read, store->handles[STORE_PENDING_CF], (const char *)key, 12, &len, &text);
    OK(stored && len > 12, "the section of key group 3");
    stored[8] ^= 1;
    rocksdb_put_cf(store->db, store->write, store->handles[STORE_PENDING_CF], (const char *)key, 12, stored, len,
                   &text);
    rocksdb_free(stored);
    OK(!text, "the test could write");
    IS_INT(service_store_apply(store, 1, NULL, 0), BASE_E_CORRUPT, "a damaged pending epoch is not applied");
    IS_STR(value_of(store, SERVICE_CF_STATE, "left"), "value", "in no part");
    IS_INT(service_store_drop(store, 1), 0, "but can be dropped");
    base_buf_finish(&words);
    base_buf_finish(&value);
    service_batch_destroy(batch);
    service_store_close(store);
}

static void test_faults(void)
{
    static const struct {
        int code;
        bool after;
    } cases[] = { { BASE_E_IO, false }, { BASE_E_FULL, false }, { BASE_E_IO, true } };
    struct service_store *store = open_at("faulty", 0);
    struct service_batch *batch = batch_of("x", "1");
    IS_INT(service_store_write(store, &batch, 1, true), 0, "a good write");
    service_batch_destroy(batch);
    for (size_t i = 0; i < 3; i++) {
        char value[8];
        snprintf(value, sizeof value, "v%zu", i);
        batch = batch_of("x", value);
        service_store_fail_at(store, 2, cases[i].code, cases[i].after);
        IS_INT(service_store_prepare(store, i, &batch, 1, NULL), 0, "the first passes");
        IS_INT(service_store_apply(store, i, NULL, 0), cases[i].code, "the second fails");
        IS_INT(service_store_broken(store), cases[i].code, "the store is broken");
        IS_INT(service_store_prepare(store, 99, &batch, 1, NULL), cases[i].code, "and stays so");
        struct base_buf text = { 0 };
        IS_INT(service_store_reopen(store, &text), 0, "reopened");
        IS_INT(service_store_broken(store), 0, "cured");
        IS_STR(value_of(store, SERVICE_CF_STATE, "x"), cases[i].after ? value : "1",
               "what was not written is not there");
        IS_INT(service_store_drop(store, i), 0, "the epoch is dropped");
        base_buf_finish(&text);
        service_batch_destroy(batch);
    }
    service_store_close(store);
}

/* A file system of 24 MiB that runs full: an error code, no abort, and after space was made the store goes on. */
static void test_full_disk(void)
{
    char path[128], ballast[160];
    snprintf(path, sizeof path, "%s/small", root);
    mkdir(path, 0700);
    if (geteuid() != 0 || mount("tmpfs", path, "tmpfs", 0, "size=24m") != 0) {
        printf("ok %d - full disk # SKIP needs the right to mount\n", ++tap_run);
        return;
    }
    snprintf(ballast, sizeof ballast, "%s/ballast", path);
    struct service_store *store = open_at("small/db", 0);
    FILE *file = fopen(ballast, "w");
    static char block[1 << 20];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)rand();
    for (int i = 0; i < 12; i++)
        fwrite(block, 1, sizeof block, file);
    fclose(file);
    int error = 0;
    uint64_t epoch = 0, failed_at = 0;
    for (; !error && epoch < 100; epoch++) {
        struct service_batch *batch = NULL;
        if (service_batch_create(&batch) ||
            service_batch_put(batch, SERVICE_CF_STATE, 1, str("x"), (struct base_str){ block, sizeof block }))
            abort();
        error = service_store_prepare(store, epoch, &batch, 1, NULL);
        if (!error)
            error = service_store_apply(store, epoch, NULL, 0);
        failed_at = epoch;
        service_batch_destroy(batch);
    }
    OK(error == BASE_E_FULL || error == BASE_E_IO, "a full disk is an error");
    struct base_buf text = { 0 };
    service_store_error(store, &text);
    printf("# epoch %d: %s: %s\n", (int)failed_at, base_error_name(error), text.ptr ? text.ptr : "");
    base_buf_clear(&text);
    unlink(ballast);
    error = service_store_reopen(store, &text);
    IS_INT(error, 0, "with space again it reopens");
    if (error)
        printf("# %s\n", text.ptr);
    uint64_t applied = 0;
    IS_INT(service_store_applied(store, &applied), 0, "applied");
    OK(applied == failed_at - 1 || applied == failed_at, "the last good epoch stands");
    struct service_batch *batch = batch_of("x", "after");
    IS_INT(service_store_prepare(store, 200, &batch, 1, NULL), 0, "writes go on");
    IS_INT(service_store_apply(store, 200, NULL, 0), 0, "and apply");
    IS_STR(value_of(store, SERVICE_CF_STATE, "x"), "after", "value");
    service_batch_destroy(batch);
    base_buf_finish(&text);
    service_store_close(store);
    umount(path);
}

/* One epoch with the allocator failing at the nth call: refused as a whole or done as a whole. */
static int one_epoch(struct service_store *store, uint64_t epoch, const char *value)
{
    struct service_batch *batch = NULL;
    int error = service_batch_create(&batch);
    for (int i = 0; !error && i < 40; i++) {
        char key[16];
        snprintf(key, sizeof key, "m%d", i);
        error = service_batch_put(batch, SERVICE_CF_STATE, (uint32_t)(i % 7), str(key), str(value));
    }
    if (!error)
        error = service_store_prepare(store, epoch, &batch, 1, NULL);
    if (!error)
        error = service_store_apply(store, epoch, NULL, 0);
    service_batch_destroy(batch);
    return error;
}

static void test_no_memory(void)
{
    struct service_store *store = open_at("memory", 0);
    int good = one_epoch(store, 0, "old"), refused = 0;
    IS_INT(good, 0, "with memory");
    for (uint64_t nth = 1; nth < 1000; nth++) {
        base_alloc_fail_at(nth, false);
        int error = one_epoch(store, nth, "new");
        bool fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        if (!fired) {
            IS_INT(error, 0, "past the last allocation it succeeds");
            break;
        }
        IS_INT(error, BASE_E_NOMEM, "no memory");
        refused++;
        IS_INT(service_store_broken(store), 0, "is no damage to the store");
        IS_STR(value_of(store, SERVICE_CF_STATE, "m0"), "old", "nothing of the epoch is seen");
        IS_INT(service_store_drop(store, nth), 0, "and it can be dropped");
    }
    OK(refused > 10, "the sweep went over many calls");
    IS_STR(value_of(store, SERVICE_CF_STATE, "m39"), "new", "the last one counts");
    service_store_close(store);
}

/* A store whose making was interrupted gets the families that it lacks; one that cannot be made says why. */
static void test_half_made(void)
{
    static const char *const some[] = { "state", "meta" };
    char path[128], text[512] = "";
    snprintf(path, sizeof path, "%s/half", root);
    IS_INT(store_create(path, some, 2, text, sizeof text), 0, "made with two families");
    IS_STR(text, "", "without a word");
    struct service_store *store = open_at("half", 0);
    struct service_batch *batch = batch_of("a", "1");
    OK(store && service_batch_put(batch, SERVICE_CF_VIEWS, SERVICE_STORE_NO_GROUP, str("b"), str("2")) == 0 && service_store_write(store, &batch, 1, true) == 0,
       "a family that it lacked can be written");
    service_batch_destroy(batch);
    service_store_close(store);
    store = open_at("half", 0);
    IS_STR(store ? value_of(store, SERVICE_CF_VIEWS, "b") : "", "2", "and read again");
    service_store_close(store);
    snprintf(path, sizeof path, "%s/file", root);
    FILE *at = fopen(path, "w");
    OK(at && fclose(at) == 0, "a file in the way");
    IS_INT(store_create(path, some, 2, text, sizeof text), -1, "no store can be made of a file");
    OK(text[0] != 0, text);
}

static void test_refusals(void)
{
    struct service_store *store = open_at("single", 0), *other = NULL;
    char path[128], copy[128];
    struct base_buf text = { 0 };
    snprintf(path, sizeof path, "%s/single", root);
    struct service_store_options options = { .path = path };
    IS_INT(service_store_open(&options, &other, &text), BASE_E_BUSY, "a second opener is refused");
    OK(text.ptr && strstr(text.ptr, "another process"), "with the reason");
    base_buf_clear(&text);
    options.path = "/nonexistent-folder/store";
    IS_INT(service_store_open(&options, &other, &text), BASE_E_IO, "a missing parent is an error");
    base_buf_clear(&text);
    snprintf(copy, sizeof copy, "%s/missing", root);
    options.path = copy;
    options.must_exist = true;
    IS_INT(service_store_open(&options, &other, &text), BASE_E_NOTFOUND, "must_exist");
    struct service_batch *batch = batch_of("x", "1"), *second = batch_of("x", "2");
    IS_INT(service_store_write(store, &batch, 1, true), 0, "written");
    IS_INT(service_store_prepare(store, 5, &second, 1, NULL), 0, "prepared");
    snprintf(copy, sizeof copy, "%s/copy", root);
    IS_INT(service_store_checkpoint(store, copy), 0, "checkpoint");
    IS_INT(service_store_checkpoint(store, copy), BASE_E_EXISTS, "not over another");
    struct service_store *restored = open_at("copy", 0);
    IS_STR(value_of(restored, SERVICE_CF_STATE, "x"), "1", "the copy has the value");
    IS_STR(service_store_id(restored), service_store_id(store), "and the identity");
    IS_INT(service_store_apply(restored, 5, NULL, 0), 0, "and the pending epoch");
    service_store_close(restored);
    struct service_store_stats stats;
    service_store_stats(store, &stats);
    OK(stats.writes >= 2 && stats.synced_writes >= 2 && stats.written_bytes > 0, "statistics");
    service_store_close(store);
    options = (struct service_store_options){ .path = path, .read_only = true };
    IS_INT(service_store_open(&options, &store, &text), 0, "read only");
    IS_STR(value_of(store, SERVICE_CF_STATE, "x"), "1", "reads");
    IS_INT(service_store_write(store, &batch, 1, true), BASE_E_READONLY, "does not write");
    service_store_close(store);
    service_batch_destroy(batch);
    service_batch_destroy(second);
    base_buf_finish(&text);
}

int main(void)
{
    const char *folder = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/store-test-XXXXXX", folder ? folder : P_tmpdir);
    if (!mkdtemp(root))
        return 1;
    test_values();
    test_ranges();
    test_epochs();
    test_kill();
    test_damage();
    test_guard();
    test_faults();
    test_full_disk();
    test_no_memory();
    test_half_made();
    test_refusals();
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    OK(system(command) == 0, "cleaned up");
    return tap_done();
}
