/* Rule cases: a good one, a failing one with its report, what is wrong with a file; and the single-threaded host below them. */
#include "service/cases.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "enrichment/regex.h"
#include "tests/unit/tap.h"

static char folder[] = "/tmp/cepheid-test-cases-XXXXXX";

static void write_file(const char *name, const char *text, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static const char RULES[] =
    "CREATE TABLE t (k STRING, v INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)\n"
    "WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = '${BROKERS}', 'format' = 'json');\n"
    "CREATE TABLE p (k STRING, name STRING, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'filesystem', 'path' = 'nowhere.csv', 'format' = 'csv');\n"
    "CREATE RULE twice WITH ('severity' = 'low') AS SELECT m.k, m.total, p.name FROM t MATCH_RECOGNIZE (\n"
    "  PARTITION BY k ORDER BY ts MEASURES A.v + B.v AS total, MATCH_ROWTIME() AS at\n"
    "  PATTERN (A -> B) WITHIN INTERVAL '1' MINUTE DEFINE A AS A.v > 10, B AS B.v > A.v\n"
    ") AS m LEFT JOIN p FOR SYSTEM_TIME AS OF m.at AS p ON p.k = m.k;\n";

static const char CASES[] =
    "-- case rises\n-- rules r.sql\n-- rows p\nk,name\nx,Xaver\n-- rows t\n"
    "{\"k\":\"x\",\"v\":11,\"ts\":\"2026-01-01T00:00:00Z\"}\n{\"k\":\"x\",\"v\":12,\"ts\":\"2026-01-01T00:00:10Z\"}\n"
    "-- alerts\n{\"rule\":\"twice\",\"measures\":{\"total\":23,\"name\":\"Xaver\"}}\n"
    "-- case falls\n-- rows t\n{\"k\":\"x\",\"v\":12,\"ts\":\"2026-01-01T00:00:00Z\"}\n{\"k\":\"x\",\"v\":11,\"ts\":\"2026-01-01T00:00:10Z\"}\n"
    "-- alerts\n{\"rule\":\"twice\"}\n";

static void test_run(const struct cep_funcs *funcs, const char *path)
{
    struct service_cases cases;
    struct service_case_result result;
    struct base_buf why = { 0 };
    IS_INT(service_cases_read(path, &cases, &why), 0, "read");
    if (why.len)
        printf("# %s\n", why.ptr);
    IS_INT(cases.list.len, 2, "two cases");
    IS_INT(service_case_run(&cases, &cases.list.at[0], funcs, false, &result), 0, "the first runs");
    if (!OK(result.passed, "and passes: rows, profile, alert") && result.report.len)
        printf("# %s\n", result.report.ptr);
    IS_INT(result.alerts, 1, "one alert");
    service_case_result_finish(&result);
    IS_INT(service_case_run(&cases, &cases.list.at[1], funcs, false, &result), 0, "the second runs, by the rules of the first");
    OK(!result.passed, "and fails");
    OK(result.report.ptr && strstr(result.report.ptr, "- line 16: {\"rule\":\"twice\"}"), "the report shows what is missing and its line");
    service_case_result_finish(&result);
    IS_INT(service_case_run(&cases, &cases.list.at[0], funcs, true, &result), 0, "the first, explained");
    OK(result.passed && result.steps.ptr && strstr(result.steps.ptr, "    line 7, twice:\n      from 7: A=7; took this row, "), "a row begins a match");
    OK(result.steps.ptr && strstr(result.steps.ptr, "    line 8, twice:\n      match from 7: A=7 B=8\n"), "the next one completes it");
    OK(result.steps.ptr && strstr(result.steps.ptr, "      => {\"change\":\"created\",\"rule\":\"twice\""), "the alert is shown");
    service_case_result_finish(&result);
    service_cases_finish(&cases);
    base_buf_finish(&why);
}

static void test_strange_table(const struct cep_funcs *funcs)
{
    char path[128];
    struct service_cases cases;
    struct service_case_result result;
    struct base_buf why = { 0 };
    write_file("strange.case", "-- rules r.sql\n-- rows tt\n{\"k\":\"x\"}\n-- alerts\n", path);
    IS_INT(service_cases_read(path, &cases, &why), 0, "rows of a table that is not there are read");
    IS_INT(service_case_run(&cases, &cases.list.at[0], funcs, false, &result), 0, "and run");
    OK(!result.passed && result.report.ptr && strstr(result.report.ptr, "'-- rows tt': the rules declare no such table; did you mean \"t\"?"), "but the case fails");
    service_case_result_finish(&result);
    service_cases_finish(&cases);
    base_buf_finish(&why);
}

static void refused(const char *text, const char *part)
{
    char path[128];
    struct service_cases cases;
    struct base_buf why = { 0 };
    write_file("bad.case", text, path);
    IS_INT(service_cases_read(path, &cases, &why), BASE_E_SYNTAX, "refused");
    OK(why.ptr && strstr(why.ptr, part), part);
    base_buf_finish(&why);
}

int main(void)
{
    char path[128], command[128];
    struct cep_funcs *funcs = cep_funcs_create();
    if (!mkdtemp(folder) || !funcs || enrichment_regex_register(funcs) < 0)
        return 1;
    write_file("r.sql", RULES, path);
    write_file("r.case", CASES, path);
    test_run(funcs, path);
    test_strange_table(funcs);
    refused("-- rows t\n{}\n-- alerts\n", "names no rule file");
    refused("-- rules r.sql\n-- rows t\n{}\n", "expects nothing");
    refused("stray\n", ":1: expected");
    refused("-- rules r.sql\n-- alerts\n-- case late\n", "before the first section");
    refused("", "no case");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    IS_INT(system(command), 0, "cleaned up");
    cep_funcs_destroy(funcs);
    return tap_done();
}
