/* Images written aside, by slices or as tables: whatever call fails, and wherever a process ends, a start finds the image before it or this one, whole; meanwhile its state is found. */
#include "service/imager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "service/epochs.h"
#include "service/folder.h"
#include "service/journal.h"
#include "tests/unit/tap.h"

#define SHARDS 2u
#define KEYS 400

static char folder[40] = "/dev/shm/cepheid-imager-XXXXXX"; /* in memory where that can be */
static char path[80];

static enum { SLICES, TABLES, NO_ORDER } form; /* how images are written; NO_ORDER: as tables, though keys do not begin with their groups */

static uint32_t group_of(int key) { return (uint32_t)key * 7 % 64; }

static struct base_str name_of(int key, char text[16])
{
    if (form == NO_ORDER)
        snprintf(text, 16, "key-%05d", key);
    else
        snprintf(text, 16, "%02u-%05d", group_of(key) % 100, key % 100000);
    return base_str_of(text);
}

static struct service_store *open_store(void)
{
    struct base_buf why = { 0 };
    struct service_store *store = NULL;
    struct service_store_options options = { .path = path, .memory_bytes = 8 << 20 };
    if (service_store_open(&options, &store, &why) < 0)
        printf("# %s\n", why.ptr ? why.ptr : "");
    base_buf_finish(&why);
    return store;
}

static struct service_imager *open_imager(struct service_store *store, int want)
{
    struct base_buf why = { 0 };
    struct service_imager *imager = NULL;
    int e = service_imager_open(store, 1, form == SLICES ? UINT64_MAX : 1, &imager, &why);
    if (e < 0 && e != want)
        printf("# %s: %s\n", base_error_name(e), why.ptr ? why.ptr : "");
    if (want != -1000)
        IS_INT(e, want, "opens as expected");
    base_buf_finish(&why);
    return imager;
}

/* What key holds in image `turn`: some are deleted in each, some stay as they were, some are long. */
static int value_of(int key, int turn, char text[2000])
{
    int last = turn - (key + turn) % 3; /* the last turn that told it */
    if (last < 1)
        return -1;
    if ((key + last) % 5 == 0)
        return -1;
    int len = snprintf(text, 2000, "%d of %d ", key, last);
    if (key % 10 == 0) {
        memset(text + len, 'x', 1500);
        len += 1500;
    }
    return len;
}

static bool tells(int key, int turn) { return (key + turn) % 3 == 0; }

static int put_key(struct service_batch *batch, int key, int turn)
{
    char name[16], text[2000];
    struct base_str at = name_of(key, name);
    int len = value_of(key, turn, text);
    if (len < 0)
        return service_batch_delete(batch, SERVICE_CF_STATE, group_of(key), at);
    int e = service_batch_put(batch, SERVICE_CF_STATE, group_of(key), at, BASE_STR("an earlier change of the same epoch"));
    return e ? e : service_batch_put(batch, SERVICE_CF_STATE, group_of(key), at, (struct base_str){ text, (size_t)len });
}

/* The offer of image `turn`: each key is of shard key % SHARDS; timers up to the turn are purged, and one of them is told again. */
static int offer(struct service_imager *imager, int turn)
{
    struct service_batch *batches[SHARDS + 2] = { NULL };
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < SHARDS + 2; i++)
        e = service_batch_create(&batches[i]);
    for (int key = 0; e == 0 && key < KEYS; key++) {
        if (tells(key, turn))
            e = put_key(batches[(uint32_t)key % SHARDS], key, turn);
    }
    char timer[16];
    snprintf(timer, sizeof timer, "t%04d", turn);
    if (e == 0)
        e = service_batch_put(batches[0], SERVICE_CF_TIMERS, 1, base_str_of(timer), BASE_STR(""));
    if (e == 0)
        e = service_batch_delete_range(batches[SHARDS + 1], SERVICE_CF_TIMERS, 1, BASE_STR("t"), BASE_STR("u"));
    for (uint32_t i = 0; e == 0 && i < SHARDS + 2; i++)
        e = service_imager_offer(imager, &batches[i]);
    for (uint32_t i = 0; i < SHARDS + 2; i++)
        service_batch_destroy(batches[i]);
    return e;
}

/* Journals of the epoch, which the image makes needless. */
static int put_journals(struct service_store *store, uint64_t epoch)
{
    struct service_batch *batch = NULL;
    struct base_buf bytes = { 0 };
    base_buf_puts(&bytes, "steps...");
    int e = service_batch_create(&batch);
    for (uint32_t i = 0; e == 0 && i < SHARDS; i++)
        e = service_journal_put(batch, i, epoch, &bytes);
    if (e == 0)
        e = service_store_write(store, &batch, 1, false);
    service_batch_destroy(batch);
    base_buf_finish(&bytes);
    return e;
}

static int image_of(struct service_store *store, uint64_t *ret)
{
    struct base_buf watermarks = { 0 };
    *ret = 0;
    int e = service_epochs_image(store, ret, &watermarks);
    char want[32];
    snprintf(want, sizeof want, "marks %d", (int)*ret);
    if (e == 0 && (watermarks.len != strlen(want) || memcmp(watermarks.ptr, want, watermarks.len) != 0))
        e = -1;
    base_buf_finish(&watermarks);
    return e;
}

static int go(struct service_imager *imager, int turn)
{
    char marks[32];
    snprintf(marks, sizeof marks, "marks %d", turn);
    return service_imager_go(imager, (uint64_t)turn, base_str_of(marks), SHARDS);
}

/* How many keys of the store are not as image `turn` has them; the timers, too. */
static int wrong(struct service_store *store, int turn)
{
    int count = 0;
    struct base_buf got = { 0 };
    for (int key = 0; key < KEYS; key++) {
        char name[16], text[2000];
        base_buf_clear(&got);
        int e = service_store_get(store, SERVICE_CF_STATE, name_of(key, name), &got), len = value_of(key, turn, text);
        count += len < 0 ? e != BASE_E_NOTFOUND : e != 0 || got.len != (size_t)len || memcmp(got.ptr, text, got.len) != 0;
    }
    for (int t = 1; t <= turn; t++) {
        char timer[16];
        snprintf(timer, sizeof timer, "t%04d", t);
        count += service_store_get(store, SERVICE_CF_TIMERS, base_str_of(timer), &got) != (t == turn ? 0 : BASE_E_NOTFOUND);
    }
    base_buf_finish(&got);
    return count;
}

static size_t files(void)
{
    static const char *const kinds[] = { "image", "tables" };
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        char at[120];
        struct service_folder names = { 0 };
        snprintf(at, sizeof at, "%s/%s", path, kinds[i]);
        count += service_folder_read(at, &names) < 0 ? 0 : names.len;
        service_folder_finish(&names);
    }
    return count;
}

/* Image `turn` on top of the one before. */
static int write_image(struct service_store *store, struct service_imager *imager, int turn)
{
    struct base_buf why = { 0 };
    int e = put_journals(store, (uint64_t)turn);
    if (e == 0)
        e = offer(imager, turn);
    if (e == 0)
        e = go(imager, turn);
    if (e == 0)
        e = service_imager_wait(imager, &why);
    base_buf_finish(&why);
    return e;
}

static void empty(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s", path);
    if (system(command) != 0)
        abort();
}

/* ---- */

static void check_images(void)
{
    empty();
    struct service_store *store = open_store();
    struct service_imager *imager = open_imager(store, 0);
    uint64_t image;
    service_imager_slices(imager, 700);
    for (int turn = 1; turn <= 4; turn++) {
        IS_INT(write_image(store, imager, turn), 0, "written");
        OK(service_imager_rests(imager), "nothing is on its way");
        IS_INT(service_imager_announced(imager), turn, "announced");
        IS_INT(image_of(store, &image), 0, "said in the store");
        IS_INT(image, turn, "with its epoch");
        IS_INT(wrong(store, turn), 0, "all of it stands in the store");
        IS_INT(service_journal_any(store, 0), 0, "no journal is needed");
        IS_INT(files(), 0, "nor a file");
    }
    IS_INT(offer(imager, 5), 0, "one is offered");
    service_imager_stop(imager);
    OK(service_imager_rests(imager), "and not sent");
    IS_INT(wrong(store, 4), 0, "the one before stands");
    IS_INT(write_image(store, imager, 5), 0, "later it is");
    IS_INT(wrong(store, 5), 0, "and stands");
    service_imager_close(imager);
    service_store_close(store);
}

/* All keys are found, from the offer until they stand in the store. */
static int not_found(struct service_imager *imager, struct service_store *store, int turn)
{
    int count = 0;
    struct base_buf got = { 0 };
    for (int key = 0; key < KEYS; key++) {
        char name[16], text[2000];
        base_buf_clear(&got);
        int len = value_of(key, turn, text);
        struct base_str at = name_of(key, name);
        int e = service_imager_find(imager, (uint32_t)key % SHARDS, group_of(key), SERVICE_CF_STATE, at, &got);
        if (e == BASE_E_NOTFOUND)
            e = service_store_get(store, SERVICE_CF_STATE, at, &got);
        else if (e == BASE_E_EOF)
            e = BASE_E_NOTFOUND;
        count += len < 0 ? e != BASE_E_NOTFOUND : e != 0 || got.len != (size_t)len || memcmp(got.ptr, text, got.len) != 0;
    }
    base_buf_finish(&got);
    return count;
}

static void check_found(void)
{
    empty();
    struct service_store *store = open_store();
    struct service_imager *imager = open_imager(store, 0);
    struct base_buf why = { 0 };
    service_imager_slices(imager, 200);
    int lost = 0, rounds = 0;
    for (int turn = 1; turn <= 6; turn++) {
        if (offer(imager, turn) < 0)
            lost++;
        lost += not_found(imager, store, turn);
        if (go(imager, turn) < 0)
            lost++;
        do {
            lost += not_found(imager, store, turn);
            rounds++;
        } while (!service_imager_rests(imager));
        lost += not_found(imager, store, turn) + (service_imager_wait(imager, &why) < 0);
    }
    printf("# looked %d times\n", rounds);
    IS_INT(lost, 0, "whatever of an image has arrived, all state is found");
    IS_INT(service_imager_find(NULL, 0, 0, SERVICE_CF_STATE, BASE_STR("x"), &why), BASE_E_NOTFOUND, "without images nothing is on its way");
    base_buf_finish(&why);
    service_imager_close(imager);
    service_store_close(store);
}

/* Either image, and whole; with the journals behind the first if it is that. */
static bool sound(struct service_store *store, bool *ret_new)
{
    uint64_t image;
    if (image_of(store, &image) < 0 || image < 1 || image > 2)
        return false;
    *ret_new = image == 2;
    return wrong(store, (int)image) == 0 && service_journal_any(store, 0) == (image == 1) && files() == 0;
}

/* Image 1 stands; while 2 is written the nth call of the store fails. Then all starts anew, in this process or in another. */
static bool fail_at(int64_t nth, bool same_process, bool *ret_new)
{
    bool good = false, failed = false;
    struct base_buf why = { 0 };
    empty();
    struct service_store *store = open_store();
    struct service_imager *imager = open_imager(store, -1000);
    service_imager_slices(imager, 500);
    if (write_image(store, imager, 1) == 0 && put_journals(store, 2) == 0 && offer(imager, 2) == 0) {
        service_store_fail_call(store, nth);
        failed = go(imager, 2) < 0 || service_imager_wait(imager, &why) < 0;
        good = failed == (service_store_fail_call_left(store) <= 0);
        service_store_fail_call(store, 0);
    }
    if (good && same_process)
        good = service_imager_restart(imager, &why) == 0 && sound(store, ret_new);
    service_imager_close(imager);
    service_store_close(store);
    if (good && !same_process) {
        store = open_store();
        imager = open_imager(store, -1000);
        good = imager && sound(store, ret_new);
        if (good) { /* and it goes on from there */
            int next = *ret_new ? 3 : 2;
            good = write_image(store, imager, next) == 0 && wrong(store, next) == 0;
        }
        service_imager_close(imager);
        service_store_close(store);
    }
    base_buf_finish(&why);
    *ret_new = *ret_new && failed;
    return good;
}

static void check_failures(void)
{
    int bad = 0, taken = 0, kept = 0;
    for (int64_t nth = 1; nth <= 60; nth += nth < 8 ? 1 : 5) {
        for (int same = 0; same < 2; same++) {
            bool new = false;
            bool good = fail_at(nth, same, &new);
            if (!good)
                printf("# call %d, %s process\n", (int)nth, same ? "the same" : "another");
            bad += !good;
            taken += new;
            kept += !new;
        }
    }
    IS_INT(bad, 0, "whichever call fails, one image or the other is there whole");
    OK(taken > 0 && kept > 0, "both were seen");
}

/* What is killed: by itself, a while after image 2 has begun. */
static int be_killed(int round)
{
    struct service_store *store = open_store();
    struct service_imager *imager = store ? open_imager(store, -1000) : NULL;
    if (!imager || write_image(store, imager, 1) < 0 || put_journals(store, 2) < 0 || offer(imager, 2) < 0)
        return 1;
    service_imager_slices(imager, 100);
    if (go(imager, 2) < 0)
        return 1;
    usleep((useconds_t)(round * (form == SLICES ? 80 : 400)));
    return kill(getpid(), SIGKILL);
}

/* Killed somewhere in the middle, many times over. */
static void check_kills(void)
{
    int bad = 0, taken = 0;
    for (int round = 0; round < 24; round++) {
        empty();
        pid_t child = fork();
        if (child == 0) {
            char number[8], kind[8];
            snprintf(number, sizeof number, "%d", round);
            snprintf(kind, sizeof kind, "%d", (int)form);
            execl("/proc/self/exe", "test_imager", path, kind, number, (char *)NULL); /* RocksDB's threads do not come along with a fork */
            _exit(1);
        }
        int status;
        bool new = false;
        waitpid(child, &status, 0);
        struct service_store *store = WIFSIGNALED(status) ? open_store() : NULL;
        struct service_imager *imager = store ? open_imager(store, -1000) : NULL;
        if (!imager || !sound(store, &new))
            bad++;
        taken += new;
        service_imager_close(imager);
        service_store_close(store);
    }
    printf("# the new image was there %d of 24 times\n", taken);
    IS_INT(bad, 0, "wherever it is killed, a start finds one image or the other whole");
}

/* Image 1 stands, and 2 fails at the nth call, behind its announcement. */
static void fail_announced(struct service_store *store, int64_t nth)
{
    struct service_imager *imager = open_imager(store, 0);
    struct base_buf why = { 0 };
    service_imager_slices(imager, 500);
    IS_INT(write_image(store, imager, 1), 0, "one image");
    IS_INT(offer(imager, 2), 0, "another");
    service_store_fail_call(store, nth);
    IS_INT(go(imager, 2), 0, "goes");
    OK(service_imager_wait(imager, &why) < 0 && why.len > 0, "and fails, with a reason");
    service_imager_close(imager);
    base_buf_finish(&why);
}

static void check_damage(void)
{
    empty();
    struct service_store *store = open_store();
    struct base_buf why = { 0 };
    char command[200];
    fail_announced(store, 6);
    IS_INT(files(), 1, "its file is needed");
    snprintf(command, sizeof command, "for f in %s/image/*; do printf X | dd of=$f bs=1 seek=3000 conv=notrunc status=none; done", path);
    IS_INT(system(command), 0, "which is damaged");
    IS_INT(service_imager_settle(store, &why), BASE_E_CORRUPT, "that is told");
    OK(why.len && strstr(why.ptr, "savepoint"), "with what can be done");
    OK(!open_imager(store, BASE_E_CORRUPT), "and nothing goes on from it");
    base_buf_finish(&why);
    service_store_close(store);
}

/* A table that was announced and is gone is told. */
static void check_lost_table(void)
{
    empty();
    struct service_store *store = open_store();
    struct base_buf why = { 0 };
    char command[200];
    fail_announced(store, 3);
    OK(files() >= 3, "its tables are needed, and the file of what is in no order");
    snprintf(command, sizeof command, "rm %s/tables/*-0.sst", path);
    IS_INT(system(command), 0, "one goes");
    IS_INT(service_imager_settle(store, &why), BASE_E_CORRUPT, "that is told");
    OK(why.len && strstr(why.ptr, "/tables") && strstr(why.ptr, "savepoint"), "with where, and what can be done");
    base_buf_finish(&why);
    service_store_close(store);
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        snprintf(path, sizeof path, "%s", argv[1]);
        form = atoi(argv[2]) == SLICES ? SLICES : atoi(argv[2]) == TABLES ? TABLES : NO_ORDER;
        return be_killed(atoi(argv[3]));
    }
    if (!mkdtemp(folder)) {
        snprintf(folder, sizeof folder, "/tmp/cepheid-imager-XXXXXX");
        if (!mkdtemp(folder))
            return 1;
    }
    snprintf(path, sizeof path, "%s/store", folder);
    for (form = SLICES; form <= NO_ORDER; form++) {
        check_images();
        check_found();
        if (form != NO_ORDER) { /* else as with slices */
            check_failures();
            check_kills();
        }
    }
    form = SLICES;
    check_damage();
    form = TABLES;
    check_lost_table();
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        printf("# %s stays\n", folder);
    return tap_done();
}
