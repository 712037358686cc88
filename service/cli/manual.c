/* Writes the manual pages and reference texts that come from tables in the code: `manual PAGE` prints one, `manual --list` names them. A tool of the
 * build, not installed; a test compares its output with what docs/ ships. */
#include <stdio.h>
#include <string.h>

#include "service/api/api.h"
#include "service/cli/cli.h"
#include "service/config.h"

static const struct cli_command *const COMMANDS[] = { &cli_serve, &cli_query, &cli_check, &cli_explain, &cli_test, &cli_savepoint };
#define COMMAND_COUNT (sizeof COMMANDS / sizeof COMMANDS[0])

/* A line of plain text for roff: no backslash, hyphen or leading dot means anything. */
static void put_line(struct base_buf *out, const char *text, size_t len)
{
    if (len && (text[0] == '.' || text[0] == '\''))
        base_buf_puts(out, "\\&");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\' || text[i] == '-')
            base_buf_putc(out, '\\');
        base_buf_putc(out, text[i]);
    }
    base_buf_putc(out, '\n');
}

/* The usage text: its first line is the synopsis; lines that begin with blanks are options. */
static void put_usage(struct base_buf *out, const struct cli_command *command)
{
    const char *at = command->usage, *end = strchr(at, '\n');
    base_buf_printf(out, ".SH SYNOPSIS\n.B cepheid %s\n", command->name);
    put_line(out, at, (size_t)(end - at));
    base_buf_puts(out, ".SH DESCRIPTION\n");
    for (at = end + 1; *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, "\n");
        size_t len = (size_t)(end - at);
        if (len == 0) {
            base_buf_puts(out, ".PP\n");
        } else if (at[0] == ' ') {
            base_buf_puts(out, ".nf\n");
            put_line(out, at, len);
            base_buf_puts(out, ".fi\n");
        } else {
            put_line(out, at, len);
        }
    }
}

static void put_command(struct base_buf *out, const struct cli_command *command)
{
    bool daemon = command == &cli_serve;
    base_buf_printf(out, ".TH CEPHEID-%s %d \"\" \"cepheid %s\" \"Cepheid\"\n.SH NAME\ncepheid-%s \\- %s\n", command->name, daemon ? 8 : 1, CEPHEID_VERSION,
                    command->name, command->summary);
    put_usage(out, command);
    if (daemon)
        base_buf_puts(out, ".SH SIGNALS\n.TP\n.B SIGTERM, SIGINT\nDecide the last epoch, hand over what sinks take within drain.timeout, and end with status 0.\n"
                           ".TP\n.B SIGHUP\nReload the rules folder; the running rules stay if a file does not compile.\n");
    base_buf_puts(out, ".SH SEE ALSO\n.BR cepheid (1),\n.BR cepheid.conf (5)\n");
}

static void put_overview(struct base_buf *out)
{
    base_buf_printf(out, ".TH CEPHEID 1 \"\" \"cepheid %s\" \"Cepheid\"\n.SH NAME\ncepheid \\- fraud patterns over event streams, in SQL\n"
                         ".SH SYNOPSIS\n.B cepheid\nCOMMAND [OPTION...] [FILE...]\n.SH COMMANDS\n", CEPHEID_VERSION);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        base_buf_printf(out, ".TP\n.BR cepheid\\-%s (%d)\n", COMMANDS[i]->name, COMMANDS[i] == &cli_serve ? 8 : 1);
        put_line(out, COMMANDS[i]->summary, strlen(COMMANDS[i]->summary));
    }
    base_buf_puts(out, ".TP\n.B cepheid version\nprint the version\n.SH EXIT STATUS\n0 done; 1 failed: rules do not compile, a case fails, a source cannot be read; "
                       "2 wrong usage; 3 a query ran to its end, but expressions failed on some rows.\n.SH SEE ALSO\n.BR cepheid.conf (5)\n");
}

static void put_conf(struct base_buf *out)
{
    base_buf_printf(out, ".TH CEPHEID.CONF 5 \"\" \"cepheid %s\" \"Cepheid\"\n.SH NAME\ncepheid.conf \\- settings of cepheid serve\n.SH DESCRIPTION\n"
                         "One JSON object. Keys with dots may also be written as nested objects. The environment wins over the file, the file over the default; a name of "
                         "the environment is CEPHEID_ and the key in capitals with underscores for dots and hyphens.\n"
                         ".PP\nBeside the settings below there are two objects.\n.B variables\nholds values of ${NAME} in rule files.\n.B sinks\nholds the alert sinks by name; "
                         "each has a \"type\":\n"
                         ".TP\n.B kafka\ntopic, properties.* (librdkafka's: properties.bootstrap.servers, properties.security.protocol, ...), topic.partitions and "
                         "topic.replication (to create the topic)\n"
                         ".TP\n.B webhook\nurl, secret (Standard Webhooks, whsec_...), secret.old (while keys rotate), headers.NAME, timeout, ca\\-file, allow\\-private\n"
                         ".TP\n.B file\npath\n.TP\n.B stdout\nno options\n.SH SETTINGS\n", CEPHEID_VERSION);
    service_config_print_man(out);
    base_buf_puts(out, ".SH SEE ALSO\n.BR cepheid\\-serve (8)\n");
}

static bool print_page(const char *page, struct base_buf *out)
{
    if (strcmp(page, "cepheid.1") == 0)
        put_overview(out);
    else if (strcmp(page, "cepheid.conf.5") == 0)
        put_conf(out);
    else if (strcmp(page, "sample.json") == 0)
        service_config_print_sample(out);
    else if (strcmp(page, "routes.md") == 0)
        api_print_routes(out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "cepheid-%s.%d", COMMANDS[i]->name, COMMANDS[i] == &cli_serve ? 8 : 1);
        if (strcmp(page, name) == 0)
            put_command(out, COMMANDS[i]);
    }
    return out->len > 0;
}

int main(int argc, char **argv)
{
    struct base_buf out = { 0 };
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        puts("cepheid.1\ncepheid.conf.5\nsample.json\nroutes.md");
        for (size_t i = 0; i < COMMAND_COUNT; i++)
            printf("cepheid-%s.%d\n", COMMANDS[i]->name, COMMANDS[i] == &cli_serve ? 8 : 1);
        return 0;
    }
    bool good = argc == 2 && print_page(argv[1], &out) && !out.failed && fwrite(out.ptr, 1, out.len, stdout) == out.len;
    base_buf_finish(&out);
    return good ? 0 : 1;
}
