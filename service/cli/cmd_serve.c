#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "service/api/api.h"
#include "service/cli/cli.h"
#include "service/runtime.h"

extern char **environ;

/* The one runtime of the process, for the signal handler. */
static struct service_runtime *signalled;

static void on_stop(int number BASE_UNUSED)
{
    if (signalled)
        service_runtime_stop(signalled);
}

static void on_hangup(int number BASE_UNUSED)
{
    if (signalled)
        service_runtime_ask_reload(signalled);
}

/* Tells systemd, if it asked to be told. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))); /* nobody may listen any more */
    close(fd);
}

static int serve(struct service_runtime *runtime, const struct service_config *config)
{
    struct base_buf error = { 0 };
    struct api api = { runtime };
    struct api_http_config http = {
        .listen = config->text[SERVICE_LISTEN], .token = config->text[SERVICE_API_TOKEN], .body_bytes = (size_t)config->number[SERVICE_API_BODY],
        .connections = (unsigned)config->number[SERVICE_API_CONNECTIONS], .handle = api_handle, .is_open = api_is_open, .refuse = api_refuse, .ctx = &api,
    };
    struct api_http *server = NULL;
    signalled = runtime;
    struct sigaction stop = { .sa_handler = on_stop }, hangup = { .sa_handler = on_hangup, .sa_flags = SA_RESTART };
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGHUP, &hangup, NULL);
    int e = api_http_start(&http, &server, &error);
    if (e == 0) {
        base_logf(BASE_LOG_INFO, "http", "listening", "port %u, %s", api_http_port(server), *http.token ? "with a token" : "without authentication");
        notify("READY=1");
        e = service_runtime_run(runtime, &error);
    }
    notify("STOPPING=1");
    if (e < 0)
        base_log(BASE_LOG_ERROR, "runtime", "the service ends", "cause", error.len ? error.ptr : base_error_text(e), NULL);
    else
        base_log(BASE_LOG_INFO, "runtime", "ended in order", NULL);
    api_http_stop(server);
    signalled = NULL;
    base_buf_finish(&error);
    return e < 0 ? CLI_FAILED : CLI_OK;
}

static void *load_http(void *arg)
{
    api_http_load();
    return arg;
}

static int run_config(const struct service_config *config, bool check, bool exit_at_end)
{
    base_alloc_setup();
    struct cep_funcs *funcs = cli_funcs(config);
    if (!funcs)
        return CLI_FAILED;
    int status = CLI_OK;
    if (check) {
        char *paths[] = { (char *)(uintptr_t)config->text[SERVICE_RULES_DIR] };
        struct cli_compile compile = { .paths = paths, .path_count = 1, .config = config, .funcs = funcs };
        service_ruleset_unref(cli_compile(&compile, &status));
        cli_funcs_destroy(funcs);
        return status;
    }
    struct base_buf error = { 0 };
    pthread_t loader; /* loads while the store is opened */
    bool loading = pthread_create(&loader, NULL, load_http, NULL) == 0;
    struct service_runtime *runtime = NULL;
    struct service_runtime_config runtime_config = { .config = config, .funcs = funcs, .exit_at_end = exit_at_end };
    int e = service_runtime_create(&runtime_config, &runtime, &error);
    if (loading)
        pthread_join(loader, NULL);
    if (e == 0) {
        status = serve(runtime, config);
    } else {
        fprintf(stderr, "cepheid serve: %s\n", error.len ? error.ptr : base_error_text(e));
        status = CLI_FAILED;
    }
    service_runtime_destroy(runtime);
    base_buf_finish(&error);
    cli_funcs_destroy(funcs);
    return status;
}

static int run_serve(int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 'n' },
                                             { "exit-at-end", no_argument, NULL, 'x' }, { "define", required_argument, NULL, 'D' },
                                             { "sample-config", no_argument, NULL, 's' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    const char *path = NULL;
    bool check = false, exit_at_end = false;
    for (int c; (c = getopt_long(argc, argv, "c:nxD:h", options, NULL)) != -1;) {
        struct base_buf sample = { 0 };
        switch (c) {
        case 'h':
            return cli_usage(&cli_serve, NULL, NULL);
        case 's':
            service_config_print_sample(&sample);
            fputs(sample.ptr ? sample.ptr : "", stdout);
            base_buf_finish(&sample);
            return CLI_OK;
        case 'c':
            path = optarg;
            break;
        case 'n':
            check = true;
            break;
        case 'x':
            exit_at_end = true;
            break;
        case 'D':
            if (!cli_define(optarg))
                return cli_usage(&cli_serve, "write -D NAME=VALUE", optarg);
            break;
        default:
            return cli_usage(&cli_serve, "bad option", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return cli_usage(&cli_serve, "unexpected argument", argv[optind]);
    struct service_config config;
    struct base_buf error = { 0 };
    int e = service_config_load(path, environ, &config, &error);
    if (e < 0) {
        fprintf(stderr, "cepheid serve: %s\n", error.len ? error.ptr : base_error_text(e));
        base_buf_finish(&error);
        return CLI_FAILED;
    }
    static const enum base_log_level levels[] = { BASE_LOG_INFO, BASE_LOG_DEBUG, BASE_LOG_WARN, BASE_LOG_ERROR };
    base_log_setup(levels[config.number[SERVICE_LOG_LEVEL]], config.number[SERVICE_LOG_FORMAT] == 1, STDERR_FILENO);
    int status = run_config(&config, check, exit_at_end);
    service_config_finish(&config);
    return status;
}

const struct cli_command cli_serve = {
    "serve", "run the service",
    "--config FILE [OPTION…]\n\n"
    "Reads events, runs the rules of the rules folder over them, delivers alerts, and answers REST requests until it is\n"
    "told to stop by SIGTERM or SIGINT; then it decides the last epoch and ends. SIGHUP reloads the rules.\n\n"
    "  -c, --config FILE     settings (JSON); the environment (CEPHEID_…) wins over it\n"
    "  -n, --check           read the settings, compile the rules, and end\n"
    "  -x, --exit-at-end     end when all sources are bounded and read to their end\n"
    "  -D, --define N=VALUE  value of ${N} in rule files\n"
    "      --sample-config   print a configuration with all settings at their defaults\n\n"
    "Exit status: 0 ended in order, 1 it cannot start or go on (the log says why), 2 wrong usage.",
    run_serve,
};
