#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/time.h"
#include "service/cli/cli.h"
#include "service/imager.h"
#include "service/savepoint.h"

extern char **environ;

static void print_facts(const struct service_savepoint *facts)
{
    static const char *const names[] = {
#define X(name, text) text,
        SERVICE_STORE_FAMILIES(X)
#undef X
    };
    char created[40];
    base_time_print(facts->created_ms, true, created);
    printf("format %u, written by cepheid %s at %s\napplication %s, store %s, epoch %" PRIu64 ", %" PRIu64 " bytes\n", facts->version, facts->program, created,
           facts->application, facts->store_id, facts->epoch, facts->bytes);
    if (facts->rules.len)
        printf("state of the rules %.*s; with other ones these keep their state where their meaning is the same, and the start tells which\n", (int)facts->rules.len, facts->rules.ptr);
    for (int i = 0; i < SERVICE_CF_COUNT; i++)
        printf("  %-12s %" PRIu64 " entries\n", names[i], facts->entries[i]);
}

static int open_store(const struct service_config *config, bool fresh, struct service_store **ret, struct base_buf *error)
{
    char path[4096];
    const char *dir = config->text[SERVICE_STATE_DIR];
    snprintf(path, sizeof path, "%s/store", dir);
    struct stat info;
    if (fresh && stat(path, &info) == 0) {
        base_buf_printf(error, "%s is there already; restore into an empty state.dir", path);
        return BASE_E_EXISTS;
    }
    if (fresh && mkdir(dir, 0750) != 0 && errno != EEXIST) {
        base_buf_printf(error, "%s: %s", dir, strerror(errno));
        return BASE_E_IO;
    }
    struct service_store_options options = { .path = path, .memory_bytes = 64 << 20, .must_exist = !fresh };
    int e = service_store_open(&options, ret, error);
    if (e == BASE_E_BUSY)
        base_buf_puts(error, "; the service runs: ask it by POST /v1/savepoints/NAME");
    return e;
}

static int act(const char *verb, const char *config_path, const char *path)
{
    struct base_buf error = { 0 };
    struct service_config config = { 0 };
    struct service_savepoint facts = { .created_ms = base_clock_wall_ms() };
    struct service_store *store = NULL;
    bool inspect = strcmp(verb, "inspect") == 0, restore = strcmp(verb, "restore") == 0;
    int e = inspect ? 0 : service_config_load(config_path, environ, &config, &error);
    if (e == 0 && restore) /* all of it is checked before a store is made */
        e = service_savepoint_read(path, NULL, &facts, &error);
    if (restore)
        service_savepoint_finish(&facts);
    if (e == 0 && !inspect)
        e = open_store(&config, restore, &store, &error);
    if (e == 0 && inspect) {
        e = service_savepoint_read(path, NULL, &facts, &error);
    } else if (e == 0 && restore) {
        e = service_savepoint_read(path, store, &facts, &error);
    } else if (e == 0) {
        snprintf(facts.application, sizeof facts.application, "%s", config.text[SERVICE_APPLICATION_ID]);
        e = service_imager_settle(store, &error);
        if (e == 0)
            e = service_savepoint_write(store, path, &facts, &error);
    }
    service_store_close(store);
    if (e < 0)
        fprintf(stderr, "cepheid savepoint: %s\n", error.len ? error.ptr : base_error_text(e));
    else
        print_facts(&facts);
    service_savepoint_finish(&facts);
    if (!inspect && config.arena.head)
        service_config_finish(&config);
    base_buf_finish(&error);
    return e < 0 ? CLI_FAILED : CLI_OK;
}

static int run_savepoint(int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    const char *config = NULL;
    for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (c == 'h')
            return cli_usage(&cli_savepoint, NULL, NULL);
        if (c != 'c')
            return cli_usage(&cli_savepoint, "bad option", argv[optind - 1]);
        config = optarg;
    }
    if (argc - optind != 2)
        return cli_usage(&cli_savepoint, "write create, restore or inspect, and a file", NULL);
    const char *verb = argv[optind];
    if (strcmp(verb, "create") != 0 && strcmp(verb, "restore") != 0 && strcmp(verb, "inspect") != 0)
        return cli_usage(&cli_savepoint, "the verb must be create, restore or inspect", verb);
    return act(verb, config, argv[optind + 1]);
}

const struct cli_command cli_savepoint = {
    "savepoint", "write, read and inspect savepoints",
    "create|restore|inspect [--config FILE] SAVEPOINT\n\n"
    "A savepoint holds the whole state at an epoch in one file, whatever the number of shards.\n"
    "create writes one from the state folder of a service that is stopped (a running one makes it by POST /v1/savepoints/NAME);\n"
    "restore fills an empty state folder from it; inspect checks it and tells what it holds.\n\n"
    "  -c, --config FILE     settings of the service: they name the state folder\n\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.",
    run_savepoint,
};
