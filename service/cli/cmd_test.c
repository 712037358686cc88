#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "service/cases.h"
#include "service/cli/cli.h"
#include "service/folder.h"

struct testing {
    const struct cep_funcs *funcs;
    bool bless, quiet, explain;
    unsigned passed, failed, blessed;
};

/* Writes the file anew with the sections as the run gave them. Cases are replaced from the last to the first, so that places stay right. */
static void bless_file(struct testing *t, const struct service_cases *cases, struct service_case_result *results)
{
    struct base_buf text = { 0 };
    size_t at = 0;
    bool changed = false;
    for (size_t i = 0; i < cases->list.len; i++) {
        const struct service_case *c = &cases->list.at[i];
        struct { size_t begin, end; const struct base_buf *by; bool there; } parts[] = {
            { c->alerts_begin, c->alerts_end, &results[i].alerts_text, c->has_alerts },
            { c->changes_begin, c->changes_end, &results[i].changes_text, c->has_changes },
        };
        bool swap = parts[0].there && parts[1].there && parts[1].begin < parts[0].begin;
        for (int k = 0; k < 2; k++) {
            int p = swap ? 1 - k : k;
            if (!parts[p].there || results[i].passed)
                continue;
            base_buf_put(&text, cases->text.ptr + at, parts[p].begin - at);
            base_buf_put(&text, parts[p].by->ptr, parts[p].by->len);
            at = parts[p].end;
            changed = true;
        }
    }
    base_buf_put(&text, cases->text.ptr + at, cases->text.len - at);
    FILE *file = changed && !text.failed ? fopen(cases->path, "we") : NULL;
    if (file && fwrite(text.ptr, 1, text.len, file) == text.len && fclose(file) == 0) {
        printf("blessed %s\n", cases->path);
        t->blessed++;
    } else if (changed) {
        fprintf(stderr, "cepheid test: %s cannot be written: %s\n", cases->path, strerror(errno));
        t->failed++;
    }
    base_buf_finish(&text);
}

static void tell(struct testing *t, const struct service_cases *cases, const struct service_case *c, const struct service_case_result *result)
{
    if (result->passed) {
        t->passed++;
        if (!t->quiet)
            printf("ok      %s: %.*s (%u alerts)\n", cases->path, (int)c->name.len, c->name.ptr, result->alerts);
        return;
    }
    t->failed += !t->bless;
    printf("FAILED  %s:%u: %.*s\n", cases->path, c->line, (int)c->name.len, c->name.ptr);
    if (result->report.len)
        fwrite(result->report.ptr, 1, result->report.len, stdout);
    if (result->report.len && result->report.ptr[result->report.len - 1] != '\n')
        putchar('\n');
}

static void run_file(struct testing *t, const char *path)
{
    struct service_cases cases;
    struct base_buf why = { 0 };
    if (service_cases_read(path, &cases, &why) < 0) {
        printf("FAILED  %s\n", why.ptr ? why.ptr : path);
        t->failed++;
        base_buf_finish(&why);
        return;
    }
    struct service_case_result *results = base_calloc(cases.list.len + 1, sizeof *results);
    bool ran = results != NULL;
    for (size_t i = 0; results && i < cases.list.len; i++) {
        if (service_case_run(&cases, &cases.list.at[i], t->funcs, t->explain, &results[i]) < 0)
            ran = false; /* its report says why; there is nothing to bless */
        tell(t, &cases, &cases.list.at[i], &results[i]);
        if (results[i].steps.len)
            fwrite(results[i].steps.ptr, 1, results[i].steps.len, stdout);
    }
    if (t->bless && ran)
        bless_file(t, &cases, results);
    else if (!ran)
        t->failed += t->bless;
    for (size_t i = 0; results && i < cases.list.len; i++)
        service_case_result_finish(&results[i]);
    base_free(results);
    service_cases_finish(&cases);
    base_buf_finish(&why);
}

static void run_path(struct testing *t, const char *path, int depth)
{
    struct stat info;
    if (stat(path, &info) < 0) {
        printf("FAILED  %s: %s\n", path, strerror(errno));
        t->failed++;
        return;
    }
    if (!S_ISDIR(info.st_mode)) {
        run_file(t, path);
        return;
    }
    struct service_folder folder = { 0 };
    if (depth == 8 || service_folder_read(path, &folder) < 0) {
        printf("FAILED  %s: the folder cannot be read, or is nested too deep\n", path);
        t->failed++;
        return;
    }
    for (size_t i = 0; i < folder.len; i++) {
        char child[4096];
        size_t len = (size_t)snprintf(child, sizeof child, "%s/%s", path, folder.at[i]);
        bool is_case = len > 5 && len < sizeof child && strcmp(child + len - 5, ".case") == 0;
        if (is_case || (stat(child, &info) == 0 && S_ISDIR(info.st_mode)))
            run_path(t, child, depth + 1);
    }
    service_folder_finish(&folder);
}

static int run_test(int argc, char **argv)
{
    static const struct option options[] = { { "bless", no_argument, NULL, 'b' }, { "explain", no_argument, NULL, 'e' }, { "quiet", no_argument, NULL, 'q' },
                                             { "define", required_argument, NULL, 'D' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    struct testing t = { 0 };
    for (int c; (c = getopt_long(argc, argv, "beqD:h", options, NULL)) != -1;) {
        if (c == 'h')
            return cli_usage(&cli_test, NULL, NULL);
        if (c == 'b')
            t.bless = true;
        else if (c == 'e')
            t.explain = true;
        else if (c == 'q')
            t.quiet = true;
        else if (c != 'D' || !cli_define(optarg))
            return cli_usage(&cli_test, "bad option", argv[optind - 1]);
    }
    if (optind == argc)
        return cli_usage(&cli_test, "name at least one case file or folder", NULL);
    struct cep_funcs *funcs = cli_funcs(NULL);
    if (!funcs)
        return CLI_FAILED;
    t.funcs = funcs;
    for (int i = optind; i < argc; i++)
        run_path(&t, argv[i], 0);
    printf("tests: %u passed, %u failed, 0 skipped\n", t.passed, t.failed);
    cli_funcs_destroy(funcs);
    return t.failed ? CLI_FAILED : CLI_OK;
}

const struct cli_command cli_test = {
    "test", "run rule cases: events in, alerts out",
    "[OPTION…] FILE…\n\n"
    "Runs *.case files (or those of folders and their subfolders): the rows of each case go through its rules, and the alerts\n"
    "that stand at the end are compared with the expected ones. docs/rule-cases.md describes the files.\n\n"
    "  -b, --bless           write what the rules gave into the files, instead of failing\n"
    "  -e, --explain         which step each row took: what it completed, what lives on and waits for what\n"
    "  -q, --quiet           failures and the count only\n"
    "  -D, --define N=VALUE  value of ${N} in rule files (a name that is not given stands for itself)\n\n"
    "Exit status: 0 all pass, 1 some do not, 2 wrong usage.",
    run_test,
};
