#include <getopt.h>
#include <stdio.h>

#include "patterns/compile.h"
#include "service/cli/cli.h"

/* One line per rule: what a reader of the rule wants to know before it runs. */
static void print_rules(const struct service_ruleset *set)
{
    for (uint32_t i = 0; i < cep_program_rule_count(set->program); i++) {
        const struct cep_rule *rule = cep_program_rule(set->program, i);
        struct base_str name = cep_program_text(set->program, rule->name), stability = cep_program_text(set->program, rule->stability);
        struct base_str witness = cep_program_text(set->program, rule->witness), fingerprint = cep_program_text(set->program, rule->fingerprint);
        printf("rule %.*s: %s, alerts %.*s%s%.*s, fingerprint %.*s\n", (int)name.len, name.ptr, rule->eager ? "eager" : "final", (int)stability.len,
               stability.ptr, witness.len ? ": " : "", (int)witness.len, witness.ptr ? witness.ptr : "", (int)fingerprint.len, fingerprint.ptr);
    }
}

static int run_check(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "quiet", no_argument, NULL, 'q' }, { "query", no_argument, NULL, 'Q' },
                                             { "define", required_argument, NULL, 'D' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    struct cli_compile compile = { .emit = 0 };
    for (int c; (c = getopt_long(argc, argv, "jqQD:h", options, NULL)) != -1;) {
        if (c == 'h')
            return cli_usage(&cli_check, NULL, NULL);
        if (c == 'j')
            compile.json = true;
        else if (c == 'q')
            compile.quiet = true;
        else if (c == 'Q')
            compile.query_mode = true;
        else if (c != 'D' || !cli_define(optarg))
            return cli_usage(&cli_check, "bad option", argv[optind - 1]);
    }
    if (optind == argc)
        return cli_usage(&cli_check, "name at least one rule file or folder", NULL);
    struct cep_funcs *funcs = cli_funcs(NULL);
    if (!funcs)
        return CLI_FAILED;
    int status = CLI_OK;
    compile.paths = argv + optind;
    compile.path_count = argc - optind;
    compile.funcs = funcs;
    struct service_ruleset *set = cli_compile(&compile, &status);
    if (set && !compile.quiet && !compile.json)
        print_rules(set);
    service_ruleset_unref(set);
    cli_funcs_destroy(funcs);
    return status;
}

const struct cli_command cli_check = {
    "check", "compile rule files and tell what is wrong",
    "[OPTION…] FILE…\n\n"
    "Compiles rule files (or all *.sql files of folders) as one catalogue and prints diagnostics: place, source line,\n"
    "cause, remedy; and for each rule whether its alerts are stable.\n\n"
    "  -j, --json            diagnostics as JSON on standard output\n"
    "  -q, --quiet           errors only\n"
    "  -Q, --query           allow bare SELECT statements, as 'cepheid query' does\n"
    "  -D, --define N=VALUE  value of ${N} in the files\n\n"
    "Exit status: 0 all compile, 1 they do not or cannot be read, 2 wrong usage.",
    run_check,
};
