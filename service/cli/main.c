#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "service/cli/cli.h"
#include "service/json.h"

static const struct cli_command *const COMMANDS[] = { &cli_serve, &cli_query, &cli_check, &cli_explain, &cli_test, &cli_savepoint, &cli_version };
#define COMMAND_COUNT (sizeof COMMANDS / sizeof COMMANDS[0])

static int run_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return cli_usage(&cli_version, NULL, NULL);
    if (argc > 1)
        return cli_usage(&cli_version, "it takes no arguments", argv[1]);
    puts("cepheid " CEPHEID_VERSION);
    return CLI_OK;
}

const struct cli_command cli_version = { "version", "print the version", "\nPrints the version.", run_version };

static void print_help(FILE *out)
{
    fputs("usage: cepheid COMMAND [OPTION…] [FILE…]\n\nFraud patterns over event streams, in SQL.\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    fputs("\n'cepheid COMMAND --help' tells more of each.\n", out);
}

int main(int argc, char **argv)
{
    service_json_setup();
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of that write, not the end of the process */
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i]->name, name) == 0)
            return COMMANDS[i]->run(argc - 1, argv + 1);
    }
    fprintf(stderr, "cepheid: there is no command \"%s\"\n", argv[1]);
    print_help(stderr);
    return CLI_USAGE;
}
