/* Memory that ends and a store that fails, once, at one call after the other of a whole run of the service - compile, step, checkpoint, restore, savepoint - in whatever thread it is.
 * Either the run is refused and the state folder is sound, or it goes on and tells what an undisturbed run tells; nothing leaks. SWEEP_POINTS: at how many calls of
 * each kind (default 12; they are spread over all of them). */
#include "service/runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "enrichment/regex.h"
#include "service/savepoint.h"
#include "tests/unit/tap.h"

#define ROWS 400

static char folder[64]; /* in memory where that can be: each run makes a store */
static struct cep_funcs *funcs;

enum fault { NO_FAULT, NO_MEMORY, STORE_CALL };
struct outcome {
    uint64_t standing, hash;
    int64_t used; /* calls of the kind that the fault counts */
    int result;
    bool made;    /* the runtime was made before anything failed */
};

static FILE *create(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "we");
}

static void write_files(void)
{
    FILE *rows = create("rows.jsonl"), *rules = create("rules/r.sql"), *config = create("c.json");
    uint64_t x = 88172645463325252ull;
    for (int i = 0; rows && i < ROWS; i++) {
        char at[40];
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        base_time_print(1767225600000 + i * 400 - (int64_t)(x % 900), true, at);
        fprintf(rows, "{\"k\":\"k%d\",\"v\":%d,\"ts\":\"%s\"}\n", (int)(x >> 20 & 15), (int)(x >> 40 & 7), at);
    }
    if (rules)
        fprintf(rules,
                "CREATE TABLE t (k STRING, v INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)\n"
                "WITH ('connector' = 'filesystem', 'path' = '%s/rows.jsonl', 'format' = 'json');\n"
                "CREATE RULE up WITH ('suppress' = '5 s') AS SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.v + B.v + C.v AS total\n"
                "  PATTERN (A -> B -> C) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > A.v, C AS C.v > B.v);\n"
                "CREATE RULE sums AS SELECT v, window_start, COUNT(*) AS n, COUNT(DISTINCT k) AS ks FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '20' SECOND))\n"
                "  GROUP BY v, window_start, window_end;\n"
                "CREATE RULE best AS SELECT k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, ts) AS n FROM t) WHERE n <= 2;\n",
                folder);
    if (config)
        fprintf(config, "{\"state.dir\":\"%s/state\",\"rules.dir\":\"%s/rules\",\"shards\":2,\"commit.interval\":\"2 ms\",\"rules.watch\":false,\"ingest.batch\":20,\"state.memory\":\"32 MiB\",\"state.journal-file\":\"1 B\"}",
                folder, folder);
    if (rows)
        fclose(rows);
    if (rules)
        fclose(rules);
    if (config)
        fclose(config);
}

struct adding { struct service_alertlog *log; struct outcome *outcome; };

static int add_alert(void *ctx, const struct service_alert *alert)
{
    struct adding *a = ctx;
    struct service_alert_place place;
    if (service_alertlog_find(a->log, alert->alert_id, &place) < 0 || place.last_seq != alert->seq || alert->change == FORMATS_ALERT_WITHDRAWN)
        return 0;
    uint64_t h = 14695981039346656037ull; /* a sum over alerts, so that their order does not matter */
    for (size_t i = 0; i < alert->alert_id.len; i++)
        h = (h ^ (uint8_t)alert->alert_id.ptr[i]) * 1099511628211ull;
    a->outcome->standing++;
    a->outcome->hash += h ^ (uint64_t)(alert->first_ms * 31 + alert->last_ms);
    return 0;
}

static void arm(enum fault fault, struct service_runtime *runtime, int64_t nth)
{
    if (fault == NO_MEMORY)
        base_alloc_fail_anywhere((uint64_t)nth);
    else if (fault == STORE_CALL && runtime)
        service_store_fail_call(service_runtime_store(runtime), nth);
}

static int64_t left_of(enum fault fault, struct service_runtime *runtime)
{
    int64_t left = fault == NO_MEMORY ? base_alloc_anywhere_left() : fault == STORE_CALL && runtime ? service_store_fail_call_left(service_runtime_store(runtime)) : 0;
    arm(fault, runtime, 0);
    return left;
}

/* Over the state folder as it is. The nth call of the kind fails. */
static struct outcome run(enum fault fault, int64_t nth)
{
    char path[160];
    struct outcome outcome = { .result = -1 };
    struct service_config config;
    struct base_buf error = { 0 };
    struct service_runtime *runtime = NULL;
    char *env[] = { NULL };
    snprintf(path, sizeof path, "%s/c.json", folder);
    if (service_config_load(path, env, &config, &error) < 0)
        return outcome;
    struct service_runtime_config setup = { .config = &config, .funcs = funcs, .exit_at_end = true };
    if (fault == NO_MEMORY)
        arm(fault, NULL, nth);
    outcome.result = service_runtime_create(&setup, &runtime, &error);
    outcome.made = outcome.result == 0;
    if (fault == STORE_CALL)
        arm(fault, runtime, nth);
    if (outcome.result == 0)
        outcome.result = service_runtime_run(runtime, &error);
    outcome.used = nth - left_of(fault, runtime);
    if (outcome.result == 0) {
        struct adding adding = { service_runtime_log(runtime), &outcome };
        if (service_alertlog_each(adding.log, 0, false, add_alert, &adding) < 0)
            outcome.result = -1;
    }
    service_runtime_destroy(runtime);
    service_config_finish(&config);
    base_buf_finish(&error);
    return outcome;
}

static bool empty_state(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s/state", folder);
    return system(command) == 0;
}

static void make_state(void)
{
    char path[160];
    snprintf(path, sizeof path, "%s/state", folder);
    mkdir(path, 0755);
}

static int savepoint(bool write, const char *name)
{
    char path[160], where[160];
    struct base_buf why = { 0 };
    struct service_store *store = NULL;
    struct service_savepoint facts = { .application = "sweep" };
    snprintf(path, sizeof path, "%s/state/store", folder);
    snprintf(where, sizeof where, "%s/%s", folder, name);
    struct service_store_options options = { .path = path, .memory_bytes = 16 << 20, .must_exist = write };
    int e = service_store_open(&options, &store, &why);
    if (e == 0)
        e = write ? service_savepoint_write(store, where, &facts, &why) : service_savepoint_read(where, store, &facts, &why);
    service_store_close(store);
    service_savepoint_finish(&facts);
    base_buf_finish(&why);
    return e;
}

static bool same(const struct outcome *got, const struct outcome *want)
{
    return got->result == 0 && got->standing == want->standing && got->hash == want->hash;
}

static void sweep(enum fault fault, const char *what, const struct outcome *want, int64_t calls, uint64_t points)
{
    uint64_t wrong = 0, unsound = 0, leaks = 0, refused = 0, survived = 0;
    char name[120];
    int64_t step = calls / (int64_t)points > 0 ? calls / (int64_t)points : 1;
    for (int64_t nth = 1; nth <= calls; nth += nth < 8 ? 1 : step) {
        uint64_t before = base_alloc_live_blocks();
        if (!empty_state())
            return;
        struct outcome got = run(fault, nth);
        bool good = same(&got, want);
        refused += got.result != 0;
        survived += good;
        if (!good && got.result == 0) {
            wrong++;
            printf("# %s %" PRId64 ": %" PRIu64 " alerts instead of %" PRIu64 "\n", what, nth, got.standing, want->standing);
        }
        if (got.result != 0) { /* what it left is sound: the next start goes on from there */
            struct outcome again = run(NO_FAULT, 0);
            unsound += !same(&again, want);
            if (!same(&again, want))
                printf("# %s %" PRId64 ": refused with %d; afterwards %d and %" PRIu64 " alerts\n", what, nth, got.result, again.result, again.standing);
        }
        uint64_t after = base_alloc_live_blocks();
        leaks += after != before;
        if (after != before)
            printf("# %s %" PRId64 ": %" PRId64 " blocks are left\n", what, nth, (int64_t)(after - before));
    }
    snprintf(name, sizeof name, "%s: what goes on tells the same", what);
    IS_INT(wrong, 0, name);
    snprintf(name, sizeof name, "%s: what is refused leaves a sound state", what);
    IS_INT(unsound, 0, name);
    snprintf(name, sizeof name, "%s: nothing leaks", what);
    IS_INT(leaks, 0, name);
    printf("# %s: %" PRId64 " calls a run, %" PRIu64 " runs went on, %" PRIu64 " were refused\n", what, calls, survived, refused);
}

/* A savepoint is written, or read, whole or not at all. */
static void sweep_savepoint(const struct outcome *want, uint64_t points)
{
    uint64_t before = base_alloc_live_blocks(), wrong = 0;
    IS_INT(savepoint(true, "good"), 0, "a savepoint is written");
    for (int write = 1; write >= 0; write--) {
        if (!write && !empty_state())
            return;
        if (!write)
            make_state();
        base_alloc_fail_anywhere(1u << 30);
        int e = savepoint(write, write ? "x" : "good");
        int64_t calls = (1 << 30) - base_alloc_anywhere_left(), step = calls / (int64_t)points > 0 ? calls / (int64_t)points : 1;
        base_alloc_fail_anywhere(0);
        wrong += e != 0;
        for (int64_t nth = 1; nth <= calls; nth += nth < 16 ? 1 : step) {
            char path[160];
            snprintf(path, sizeof path, "%s/x", folder);
            if (write ? unlink(path) != 0 && nth > 1 && access(path, F_OK) == 0 : !empty_state())
                wrong++;
            if (!write)
                make_state();
            base_alloc_fail_anywhere((uint64_t)nth);
            e = savepoint(write, write ? "x" : "good");
            bool fired = base_alloc_anywhere_left() <= 0;
            base_alloc_fail_anywhere(0);
            bool there = write && access(path, F_OK) == 0;
            if (fired && (e == 0 || there) && !(write && e == 0 && there))
                printf("# savepoint %s, allocation %" PRId64 ": result %d\n", write ? "write" : "read", nth, e), wrong++;
            wrong += e != 0 && there;
        }
    }
    IS_INT(wrong, 0, "each failure of a savepoint is told and leaves none behind");
    empty_state();
    struct outcome fresh;
    make_state();
    IS_INT(savepoint(false, "good"), 0, "the good one is read");
    fresh = run(NO_FAULT, 0);
    OK(same(&fresh, want), "and holds everything");
    IS_INT(base_alloc_live_blocks() - before, 0, "nothing leaks");
}

int main(void)
{
    char path[160];
    const char *setting = getenv("SWEEP_POINTS");
    uint64_t points = setting ? strtoull(setting, NULL, 10) : 12;
    funcs = cep_funcs_create();
    base_log_setup(BASE_LOG_ERROR + 1, false, STDERR_FILENO); /* the failures are wanted */
    snprintf(folder, sizeof folder, "%s/cepheid-test-sweep-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder) || !funcs || enrichment_regex_register(funcs) < 0)
        return 1;
    snprintf(path, sizeof path, "%s/rules", folder);
    mkdir(path, 0755);
    write_files();
    struct outcome want = run(NO_FAULT, 0);
    OK(want.result == 0 && want.standing > 100, "a plain run gives alerts");
    empty_state();
    struct outcome counted = run(NO_MEMORY, (int64_t)1 << 40);
    OK(same(&counted, &want), "so does a counted one");
    sweep(NO_MEMORY, "an allocation fails", &want, counted.used, points);
    empty_state();
    counted = run(STORE_CALL, (int64_t)1 << 40);
    sweep(STORE_CALL, "a call of the store fails", &want, counted.used, points);
    empty_state();
    want = run(NO_FAULT, 0);
    sweep_savepoint(&want, points);
    snprintf(path, sizeof path, "rm -rf %s", folder);
    IS_INT(system(path), 0, "cleaned up");
    cep_funcs_destroy(funcs);
    return tap_done();
}
