/* The whole service in one process over a file: what stands at the end is the same however often the store fails on the way, whatever the number of shards,
 * and over a reload in between; malformed and late rows are told. */
#include "service/runtime.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "enrichment/regex.h"
#include "tests/unit/tap.h"

#define ROWS 3000

static char folder[] = "/tmp/cepheid-test-runtime-XXXXXX";
static struct cep_funcs *funcs;

static void write_text(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static void write_rows(void)
{
    char path[160];
    snprintf(path, sizeof path, "%s/rows.jsonl", folder);
    FILE *file = fopen(path, "w");
    uint64_t x = 88172645463325252ull;
    for (int i = 0; file && i < ROWS; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        char at[40];
        base_time_print(1767225600000 + i * 100 - (int64_t)(x % 900), true, at);
        fprintf(file, "{\"k\":\"k%d\",\"v\":%d,\"ts\":\"%s\"}\n", (int)(x >> 20 & 63), (int)(x >> 40 & 7), at);
        if (i % 1000 == 500)
            fprintf(file, "{\"k\":\"broken\n");
    }
    fprintf(file, "{\"k\":\"k1\",\"v\":1,\"ts\":\"2026-01-01T00:00:00Z\"}\n"); /* long behind the watermark */
    if (file)
        fclose(file);
}

static void write_rules(const char *more)
{
    char text[2048];
    snprintf(text, sizeof text,
             "CREATE TABLE t (k STRING, v INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)\n"
             "WITH ('connector' = 'filesystem', 'path' = '%s/rows.jsonl', 'format' = 'json');\n"
             "CREATE RULE up AS SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.v + B.v + C.v AS total\n"
             "  PATTERN (A -> B -> C) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > A.v, C AS C.v > B.v);\n%s",
             folder, more);
    write_text("rules/r.sql", text);
}

struct outcome { uint64_t standing, hash; uint64_t aborts, malformed, late; int result; };

static int add_alert(void *ctx, const struct service_alert *alert)
{
    struct { struct service_alertlog *log; struct outcome *outcome; } *c = ctx;
    struct service_alert_place place;
    if (service_alertlog_find(c->log, alert->alert_id, &place) < 0 || place.last_seq != alert->seq || alert->change == FORMATS_ALERT_WITHDRAWN ||
        !base_str_equal(alert->rule, BASE_STR("up")))
        return 0;
    uint64_t h = 14695981039346656037ull; /* a sum over alerts, so that their order does not matter */
    for (size_t i = 0; i < alert->alert_id.len; i++)
        h = (h ^ (uint8_t)alert->alert_id.ptr[i]) * 1099511628211ull;
    c->outcome->standing++;
    c->outcome->hash += h ^ (uint64_t)(alert->first_ms * 31 + alert->last_ms);
    return 0;
}

struct trouble { struct service_runtime *runtime; pthread_t thread; };

static void *reload_often(void *arg)
{
    struct trouble *t = arg;
    for (int i = 0; i < 5; i++) {
        struct service_reload reload = { 0 };
        nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
        write_rules(i % 2 ? "" : "CREATE RULE other AS SELECT k, v, ts FROM t WHERE v = 7;\n");
        int e = service_runtime_reload(t->runtime, &reload);
        if (e < 0 && e != BASE_E_BUSY && e != BASE_E_CLOSED)
            printf("# reload: %s\n", reload.error.ptr ? reload.error.ptr : base_error_text(e));
        base_buf_finish(&reload.answer);
        base_buf_finish(&reload.error);
    }
    return NULL;
}

static struct outcome run(int shards, int fail_nth, bool after, bool reload)
{
    char text[1024], path[160], command[200];
    struct outcome outcome = { .result = -1 };
    struct service_config config;
    struct base_buf error = { 0 };
    char *env[] = { NULL };
    snprintf(command, sizeof command, "rm -rf %s/state", folder);
    write_rules("");
    snprintf(text, sizeof text, "{\"state.dir\":\"%s/state\",\"rules.dir\":\"%s/rules\",\"shards\":%d,\"commit.interval\":\"2 ms\",\"rules.watch\":false,\"ingest.batch\":50}",
             folder, folder, shards);
    write_text("c.json", text);
    snprintf(path, sizeof path, "%s/c.json", folder);
    if (system(command) != 0 || service_config_load(path, env, &config, &error) < 0)
        return outcome;
    struct service_runtime_config setup = { .config = &config, .funcs = funcs, .exit_at_end = true };
    struct service_runtime *runtime = NULL;
    outcome.result = service_runtime_create(&setup, &runtime, &error);
    struct trouble trouble = { runtime, 0 };
    bool threaded = outcome.result == 0 && reload && pthread_create(&trouble.thread, NULL, reload_often, &trouble) == 0;
    if (outcome.result == 0 && fail_nth)
        service_store_fail_at(service_runtime_store(runtime), (uint64_t)fail_nth, BASE_E_FULL, after);
    if (outcome.result == 0)
        outcome.result = service_runtime_run(runtime, &error);
    if (threaded)
        pthread_join(trouble.thread, NULL);
    if (error.len)
        printf("# %s\n", error.ptr);
    if (runtime) {
        struct { struct service_alertlog *log; struct outcome *outcome; } c = { service_runtime_log(runtime), &outcome };
        if (service_alertlog_each(c.log, 0, false, add_alert, &c) < 0)
            outcome.result = -1;
        struct service_metrics *metrics = service_runtime_metrics(runtime);
        outcome.aborts = atomic_load(&metrics->value[SERVICE_METRIC_ABORTS]);
        outcome.malformed = atomic_load(&metrics->value[SERVICE_METRIC_DEAD_LETTERS]);
        outcome.late = atomic_load(&metrics->value[SERVICE_METRIC_LATE]);
    }
    service_runtime_destroy(runtime);
    service_config_finish(&config);
    base_buf_finish(&error);
    return outcome;
}

static void same(struct outcome got, struct outcome want, const char *what)
{
    if (!OK(got.result == 0 && got.standing == want.standing && got.hash == want.hash, what))
        printf("# result %d, %llu alerts instead of %llu\n", got.result, (unsigned long long)got.standing, (unsigned long long)want.standing);
}

int main(void)
{
    char command[160];
    funcs = cep_funcs_create();
    base_log_setup(BASE_LOG_ERROR + 1, false, STDERR_FILENO); /* the failures are wanted */
    if (!mkdtemp(folder) || !funcs || enrichment_regex_register(funcs) < 0)
        return 1;
    snprintf(command, sizeof command, "%s/rules", folder);
    mkdir(command, 0755);
    write_rows();
    struct outcome plain = run(1, 0, false, false);
    OK(plain.result == 0 && plain.standing > 50, "a plain run gives alerts");
    IS_INT(plain.malformed, 3, "three dead letters for three broken records");
    IS_INT(plain.late, 1, "one late row");
    same(run(3, 0, false, false), plain, "three shards give the same");
    uint64_t aborts = 0;
    for (int nth = 1; nth <= 6; nth++) {
        struct outcome failed = run(2, nth, nth % 2, false);
        same(failed, plain, nth % 2 ? "a write fails after it went out" : "a write fails before it goes out");
        aborts += failed.aborts;
    }
    OK(aborts >= 1, "failures were met, and survived by starting again from the last decided epoch");
    same(run(2, 0, false, true), plain, "reloads in between change nothing for a rule that stays");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    IS_INT(system(command), 0, "cleaned up");
    cep_funcs_destroy(funcs);
    return tap_done();
}
