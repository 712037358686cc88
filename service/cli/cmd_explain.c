#include <getopt.h>
#include <stdio.h>

#include "patterns/explain.h"
#include "patterns/reference.h"
#include "service/cli/cli.h"

static int put(struct base_buf *out)
{
    int status = out->failed || (out->len && fwrite(out->ptr, 1, out->len, stdout) != out->len) || fflush(stdout) != 0 ? CLI_FAILED : CLI_OK;
    base_buf_finish(out);
    return status;
}

/* The reference pages of docs/. */
static int print_reference(bool functions)
{
    struct base_buf out = { 0 };
    struct cep_funcs *funcs = functions ? cli_funcs(NULL) : NULL;
    if (functions && !funcs)
        return CLI_FAILED;
    if (functions)
        patterns_reference_functions(funcs, &out);
    else
        patterns_reference_opcodes(&out);
    cli_funcs_destroy(funcs);
    return put(&out);
}

static int run_explain(int argc, char **argv)
{
    static const struct option options[] = { { "dot", no_argument, NULL, 'd' }, { "json", no_argument, NULL, 'j' }, { "define", required_argument, NULL, 'D' },
                                             { "functions", no_argument, NULL, 'F' }, { "opcodes", no_argument, NULL, 'O' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    enum patterns_explain_format format = PATTERNS_EXPLAIN_TEXT;
    for (int c; (c = getopt_long(argc, argv, "djD:h", options, NULL)) != -1;) {
        if (c == 'h')
            return cli_usage(&cli_explain, NULL, NULL);
        if (c == 'F' || c == 'O')
            return print_reference(c == 'F');
        if (c == 'd')
            format = PATTERNS_EXPLAIN_DOT;
        else if (c == 'j')
            format = PATTERNS_EXPLAIN_JSON;
        else if (c != 'D' || !cli_define(optarg))
            return cli_usage(&cli_explain, "bad option", argv[optind - 1]);
    }
    if (optind == argc)
        return cli_usage(&cli_explain, "name at least one rule file or folder", NULL);
    struct cep_funcs *funcs = cli_funcs(NULL);
    if (!funcs)
        return CLI_FAILED;
    int status = CLI_OK;
    struct cli_compile compile = { .paths = argv + optind, .path_count = argc - optind, .funcs = funcs, .query_mode = true, .quiet = true };
    struct service_ruleset *set = cli_compile(&compile, &status);
    struct base_buf out = { 0 };
    if (set)
        patterns_explain(set->result, format, &out);
    if (put(&out) != CLI_OK)
        status = CLI_FAILED;
    service_ruleset_unref(set);
    cli_funcs_destroy(funcs);
    return status;
}

const struct cli_command cli_explain = {
    "explain", "show what the compiler makes of rule files",
    "[OPTION…] FILE…\n\n"
    "Prints for each statement its canonical text, fingerprint and stability, then the plan, the automata with the bounds of their\n"
    "state, and the program.\n\n"
    "  -d, --dot             Graphviz: the plan and each automaton\n"
    "  -j, --json            one JSON object\n"
    "  -D, --define N=VALUE  value of ${N} in the files\n"
    "      --functions       the functions of rules, as docs/functions.md\n"
    "      --opcodes         the instructions of programs, as docs/opcodes.md\n\n"
    "Exit status: 0 done, 1 the files do not compile or cannot be read, 2 wrong usage.",
    run_explain,
};
