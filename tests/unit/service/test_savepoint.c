/* Savepoints: written, inspected, read into another store, refused when any byte is wrong. */
#include "service/savepoint.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/unit/tap.h"

static char folder[] = "/tmp/cepheid-test-savepoint-XXXXXX";

static struct service_store *open_store(const char *name)
{
    char path[128];
    struct base_buf why = { 0 };
    struct service_store *store = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct service_store_options options = { .path = path, .memory_bytes = 16 << 20 };
    IS_INT(service_store_open(&options, &store, &why), 0, "store opened");
    base_buf_finish(&why);
    return store;
}

static int fill(struct service_store *store)
{
    struct service_batch *batch = NULL;
    int e = service_batch_create(&batch);
    for (int i = 0; e == 0 && i < 5000; i++) {
        char key[32], value[64];
        int k = snprintf(key, sizeof key, "key-%05d", i), v = snprintf(value, sizeof value, "value of %d, which is longer than its key", i);
        e = service_batch_put(batch, i % 2 ? SERVICE_CF_STATE : SERVICE_CF_ALERTS, i % 2 ? 3 : SERVICE_STORE_NO_GROUP, (struct base_str){ key, (size_t)k },
                              (struct base_str){ value, (size_t)v });
    }
    if (e == 0)
        e = service_store_write(store, &batch, 1, false);
    service_batch_destroy(batch);
    return e;
}

static void test_damage(const char *path)
{
    char bad[160];
    snprintf(bad, sizeof bad, "%s/bad", folder);
    FILE *in = fopen(path, "re");
    char *bytes = base_alloc(1 << 20);
    size_t len = in && bytes ? fread(bytes, 1, 1 << 20, in) : 0;
    if (in)
        fclose(in);
    int accepted = 0;
    for (size_t at = 0; at < len; at += len / 97 + 1) { /* a spread of places; each is one flipped bit, and one cut */
        for (int cut = 0; cut < 2; cut++) {
            struct service_savepoint facts;
            struct base_buf why = { 0 };
            FILE *out = fopen(bad, "we");
            if (!cut)
                bytes[at] ^= 4;
            if (out) {
                (void)!fwrite(bytes, 1, cut ? at : len, out);
                fclose(out);
            }
            if (!cut)
                bytes[at] ^= 4;
            accepted += service_savepoint_read(bad, NULL, &facts, &why) == 0;
            service_savepoint_finish(&facts);
            base_buf_finish(&why);
        }
    }
    IS_INT(accepted, 0, "no damaged file is accepted");
    base_free(bytes);
}

/* A file of each format that was ever written stays in the tests and must be read: five orders of a rule with partial matches, and two alerts. */
static void test_formats(const char *kept)
{
    for (unsigned format = 1; format <= SERVICE_SAVEPOINT_VERSION; format++) {
        char path[4096], name[32];
        struct base_buf why = { 0 };
        struct service_savepoint got = { 0 };
        snprintf(path, sizeof path, "%s/format-%u.savepoint", kept, format);
        snprintf(name, sizeof name, "format-%u", format);
        struct service_store *store = open_store(name);
        IS_INT(service_savepoint_read(path, store, &got, &why), 0, "a kept file of each format is read");
        IS_INT(got.version, format, "it is of that format");
        IS_INT(got.entries[SERVICE_CF_ALERTS], 2, "with its alerts");
        IS_INT(got.entries[SERVICE_CF_STATE], 8, "and its state");
        OK(got.rules.len == 4 && memcmp(got.rules.ptr, "pair", 4) == 0, "it names its rule");
        service_savepoint_finish(&got);
        service_store_close(store);
        base_buf_finish(&why);
    }
}

int main(int argc, char **argv)
{
    char path[160], command[128];
    struct base_buf why = { 0 }, value = { 0 };
    struct service_savepoint facts = { .created_ms = 1767225600000, .application = "app" }, got;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/one.savepoint", folder);
    struct service_store *store = open_store("a");
    IS_INT(fill(store), 0, "filled");
    IS_INT(service_savepoint_write(store, path, &facts, &why), 0, "written");
    IS_INT(service_savepoint_read(path, NULL, &got, &why), 0, "inspected");
    IS_STR(got.application, "app", "its application");
    IS_STR(got.store_id, service_store_id(store), "its store");
    IS_INT(got.entries[SERVICE_CF_STATE], 2500, "all of the state");
    IS_INT(got.entries[SERVICE_CF_ALERTS], 2500, "all of the log");
    service_store_close(store);
    store = open_store("b");
    IS_INT(service_savepoint_read(path, store, &got, &why), 0, "read into another store");
    IS_INT(service_store_get(store, SERVICE_CF_STATE, BASE_STR("key-00333"), &value), 0, "an entry is there");
    IS_STR(value.ptr, "value of 333, which is longer than its key", "with its value");
    service_store_close(store);
    IS_INT(service_savepoint_read("/no/such/file", NULL, &got, &why), BASE_E_NOTFOUND, "a file that is not there");
    test_damage(path);
    if (argc > 1)
        test_formats(argv[1]);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    IS_INT(system(command), 0, "cleaned up");
    base_buf_finish(&why);
    base_buf_finish(&value);
    return tap_done();
}
