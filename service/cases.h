/* Rule cases: events in, alerts out, in one text file (docs/rule-cases.md). Parsed here, run on the single-threaded host, compared with what the file expects.
 * Called by `cepheid test` and by unit tests. Prints nothing. */
#ifndef SERVICE_CASES_H
#define SERVICE_CASES_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"
#include "cep/func.h"

/* Lines of a section. */
struct service_case_lines { struct base_str *at; uint32_t *numbers; size_t len, cap, numbers_cap; };
struct service_case_rows { struct base_str table; struct service_case_lines lines; };
struct service_case {
    struct base_str name;            /* of `-- case NAME`; the file's name if it has one case only */
    uint32_t line;                   /* where it begins */
    struct base_str rules;           /* rule files, separated by blanks, relative to the case file */
    struct { struct service_case_rows *at; size_t len, cap; } rows;
    struct service_case_lines alerts;  /* expected standing alerts */
    struct service_case_lines changes; /* expected revisions in order, if has_changes */
    bool has_alerts, has_changes;
    size_t alerts_begin, alerts_end;   /* bytes of the lines of the section, for bless */
    size_t changes_begin, changes_end;
};
struct service_cases {
    struct base_arena arena;
    const char *path;
    struct base_str text;
    struct { struct service_case *at; size_t len, cap; } list;
};
/* Reads and parses; BASE_E_NOTFOUND, BASE_E_IO, BASE_E_SYNTAX with file:line and reason appended. */
int service_cases_read(const char *path, struct service_cases *ret, struct base_buf *reterr) BASE_MUST_CHECK;
void service_cases_finish(struct service_cases *cases);

struct service_case_result {
    bool passed;
    uint32_t alerts;                 /* standing ones */
    struct base_buf report;          /* why it failed: readable lines */
    struct base_buf alerts_text;     /* the standing alerts as a section would hold them, a line each */
    struct base_buf changes_text;
    struct base_buf steps;           /* explained: what each row did, line by line */
};
void service_case_result_finish(struct service_case_result *result);
/* Runs one case. 0 whether it passes or not; errors only if it could not be run at all (reason in report, passed false). */
/* explain: ret->steps tells which step each row took. */
int service_case_run(const struct service_cases *cases, const struct service_case *c, const struct cep_funcs *funcs, bool explain,
                     struct service_case_result *ret) BASE_MUST_CHECK;

#endif
