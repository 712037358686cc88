/* The command line: one table of commands, what they share. Each command is one file; main.c picks it. */
#ifndef SERVICE_CLI_CLI_H
#define SERVICE_CLI_CLI_H

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/func.h"
#include "service/config.h"
#include "service/ruleset.h"

/* Exit statuses, the same for all commands. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,   /* rules do not compile, a case fails, a source or the state cannot be read */
    CLI_USAGE = 2,    /* the command line is wrong */
    CLI_RUNTIME = 3   /* it ran to its end, but expressions failed on the way (query) */
};
struct cli_command {
    const char *name;
    const char *summary;
    const char *usage;            /* shown by --help */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit status */
};
extern const struct cli_command cli_serve, cli_query, cli_check, cli_explain, cli_test, cli_savepoint, cli_version;

/* --help was asked for, or the usage is wrong: prints and returns the exit status. message NULL: help. */
int cli_usage(const struct cli_command *command, const char *message, const char *detail);
/* Functions of rules: the built-in ones and those of enrichment; config names the GeoIP files (NULL: the environment does). NULL: told on standard error. */
struct cep_funcs *cli_funcs(const struct service_config *config);
void cli_funcs_destroy(struct cep_funcs *funcs);
/* Reads and compiles rule files and renders the diagnostics on standard error. NULL with *ret_status set if it fails. */
struct cli_compile {
    char *const *paths;
    int path_count;
    const struct service_config *config; /* variables; may be NULL */
    const struct cep_funcs *funcs;
    bool query_mode;
    int emit;                            /* as service_ruleset_config */
    bool json;                           /* diagnostics as JSON on standard output */
    bool quiet;                          /* warnings and notes are not shown */
};
struct service_ruleset *cli_compile(const struct cli_compile *compile, int *ret_status);
/* -D NAME=VALUE: into the environment, where ${NAME} is looked up. False: malformed. */
bool cli_define(const char *text);

#endif
