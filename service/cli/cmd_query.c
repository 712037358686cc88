#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "formats/alert.h"
#include "formats/encode.h"
#include "patterns/compile.h"
#include "service/cli/cli.h"
#include "service/local.h"
#include "service/outlets.h"

#define TOLD_MAX 20 /* errors that are told one by one */

/* Where the rows of one SINK node go. The first query writes to standard output as rows come; later ones wait in a temporary file, so that results stand one
 * behind the other. */
struct result {
    struct formats_encoder *encoder;
    struct formats_table *table; /* -f table */
    FILE *out;
    bool waits;                  /* out is a temporary file */
};
enum format { FORMAT_JSON, FORMAT_TABLE, FORMAT_CSV };
struct query {
    const struct service_ruleset *set;
    enum format format;
    bool changes;                /* eager: rows bear their kind of change */
    struct result *results;      /* by node */
    uint32_t query_count;
    struct service_outlets *outlets;
    struct base_buf line, key;
    uint64_t errors, malformed, late, limits;
    int write_error;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number BASE_UNUSED)
{
    interrupted = 1;
}

static bool stopped(void *ctx)
{
    const struct query *query = ctx;
    return interrupted || query->write_error;
}

/* ---- results ---- */

static int put_line(struct query *query, struct result *result, bool end)
{
    if (end)
        base_buf_putc(&query->line, '\n');
    if (query->line.failed)
        return BASE_E_NOMEM;
    if (query->line.len && fwrite(query->line.ptr, 1, query->line.len, result->out) != query->line.len)
        query->write_error = 1;
    return query->write_error ? BASE_E_CLOSED : 0;
}

static int open_result(struct query *query, uint32_t node)
{
    struct result *result = &query->results[node];
    const struct cep_program *program = query->set->program;
    uint32_t schema = cep_program_node(program, node)->schema;
    result->waits = query->query_count++ > 0;
    result->out = result->waits ? tmpfile() : stdout;
    if (!result->out)
        return BASE_E_IO;
    if (query->format == FORMAT_TABLE) {
        result->table = formats_table_create(program, schema);
        return result->table ? 0 : BASE_E_NOMEM;
    }
    struct formats_encoder_config config = { program, schema, CEP_NONE, query->changes };
    char why[256] = "";
    return formats_encoder_create(&config, &result->encoder, why, sizeof why);
}

static int query_row(struct query *query, uint32_t node, const struct cep_event *event)
{
    struct result *result = &query->results[node];
    base_buf_clear(&query->line);
    if (result->table) {
        int e = formats_table_add(result->table, event->row, &query->line);
        return e < 0 ? e : put_line(query, result, false);
    }
    formats_encode(result->encoder, event->row, &query->line);
    return put_line(query, result, true);
}

static int rule_row(struct query *query, uint32_t node, uint32_t rule, const struct cep_event *event)
{
    if (event->row->change == CEP_UPDATE_BEFORE)
        return 0;
    const struct cep_program *program = query->set->program;
    char id[33];
    formats_alert_id(program, rule, event->ident, id);
    struct formats_alert alert = {
        .program = program, .rule = rule, .schema = cep_program_node(program, node)->schema, .event = event, .alert_id = { id, 32 },
        .source = BASE_STR("/cepheid/query"), .detected_ms = base_clock_wall_ms(),
        .change = event->row->change == CEP_INSERT ? FORMATS_ALERT_CREATED : event->row->change == CEP_DELETE ? FORMATS_ALERT_WITHDRAWN : FORMATS_ALERT_UPDATED,
    };
    struct result result = { .out = stdout };
    base_buf_clear(&query->line);
    int e = formats_alert_json(&alert, &query->line);
    return e < 0 ? e : put_line(query, &result, true);
}

static int table_row(struct query *query, uint32_t node, const struct cep_sink *sink, const struct cep_event *event)
{
    struct result *result = &query->results[node];
    struct base_buf why = { .limit = 2048 };
    if (!result->encoder) {
        char text[512] = "";
        struct formats_encoder_config config = { query->set->program, cep_program_node(query->set->program, node)->schema, sink->detail, sink->accepts_changes };
        int e = formats_encoder_create(&config, &result->encoder, text, sizeof text);
        if (e < 0) {
            fprintf(stderr, "cepheid query: %s\n", *text ? text : base_error_text(e));
            return e;
        }
    }
    base_buf_clear(&query->line);
    base_buf_clear(&query->key);
    formats_encode(result->encoder, event->row, &query->line);
    (void)formats_encode_key(result->encoder, event->row, &query->key); /* false: the table has no key */
    struct service_output output = { .node = node, .rule = CEP_NONE, .table = sink->detail, .key = { query->key.ptr, query->key.len },
                                     .body = { query->line.ptr, query->line.len } };
    int e = query->line.failed || query->key.failed ? BASE_E_NOMEM : service_outlets_row(query->outlets, NULL, &output, &why);
    if (e < 0 && why.len)
        fprintf(stderr, "cepheid query: %s\n", why.ptr);
    base_buf_finish(&why);
    return e;
}

static int on_row(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct query *query = ctx;
    if (event->row->change == CEP_SETTLED)
        return 0;
    const struct cep_sink *sink = cep_program_sink(query->set->program, cep_program_node(query->set->program, node)->detail);
    switch ((enum cep_sink_kind)sink->kind) {
    case CEP_SINK_QUERY:
        return query_row(query, node, event);
    case CEP_SINK_TABLE:
        return table_row(query, node, sink, event);
    case CEP_SINK_RULE:
        return rule_row(query, node, sink->detail, event);
    case CEP_SINK_VIEW:
        break; /* a plain view here */
    }
    return 0;
}

/* ---- what went wrong on the way ---- */

/* The statement whose text holds the place of a code; its source gives line and column. */
static const struct base_source *source_of(const struct query *query, const struct cep_code *place)
{
    const struct patterns_result *result = query->set->result;
    for (uint32_t i = 0; i < result->compiled_count; i++) {
        if (result->compiled[i].begin <= place->origin_begin && place->origin_end <= result->compiled[i].end)
            return result->compiled[i].source;
    }
    return query->set->files.len == 1 ? &query->set->files.at[0] : NULL;
}

static void tell_error(const struct query *query, int error, const struct cep_code *place, const struct cep_event *event)
{
    const struct base_source *source = place ? source_of(query, place) : NULL;
    if (source) {
        uint32_t line, column;
        base_source_place(source, place->origin_begin, &line, &column);
        fprintf(stderr, "%s:%" PRIu32 ":%" PRIu32 ": ", source->name, line, column);
    }
    fprintf(stderr, "run-time error: %s", base_error_text(error));
    if (event && event->row && event->row->at.table < cep_program_table_count(query->set->program)) {
        struct base_str table = cep_program_text(query->set->program, cep_program_table(query->set->program, event->row->at.table)->name);
        fprintf(stderr, " (table %.*s, partition %d, record %" PRId64 ")", (int)table.len, table.ptr, event->row->at.partition, event->row->at.offset);
    }
    fputc('\n', stderr);
}

static void on_report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error, const struct cep_code *place,
                      const struct cep_event *event)
{
    struct query *query = ctx;
    switch (what) {
    case CEP_REPORT_ERROR:
        if (query->errors++ < TOLD_MAX)
            tell_error(query, error, place, event);
        break;
    case CEP_REPORT_LATE:
    case CEP_REPORT_LATE_AFTER_IDLE:
        query->late++;
        break;
    case CEP_REPORT_LIMIT:
        query->limits++;
        break;
    case CEP_REPORT_TIMED_OUT:
    case CEP_REPORT_SUPPRESSED:
    case CEP_REPORT_COUNT_:
        break;
    }
}

static void on_problem(void *ctx, const struct cep_record *record, const struct formats_problem *problem)
{
    struct query *query = ctx;
    if (problem->ignored || query->malformed++ >= TOLD_MAX)
        return;
    struct base_str name = record->origin ? record->origin->name : (struct base_str){ 0 };
    fprintf(stderr, "%.*s: record %" PRId64 ": %s\n", (int)name.len, name.ptr ? name.ptr : "", record->offset, problem->reason);
}

static void on_late(void *ctx, uint32_t table BASE_UNUSED, const struct cep_row *row BASE_UNUSED)
{
    struct query *query = ctx;
    query->late++;
}

static void tell_counts(const struct query *query)
{
    if (query->errors > TOLD_MAX)
        fprintf(stderr, "cepheid query: %" PRIu64 " run-time errors in all\n", query->errors);
    if (query->malformed > TOLD_MAX)
        fprintf(stderr, "cepheid query: %" PRIu64 " records could not be read\n", query->malformed);
    if (query->late)
        fprintf(stderr, "cepheid query: %" PRIu64 " rows came behind the watermark of their table and were left out; a larger interval in WATERMARK takes them in\n",
                query->late);
    if (query->limits)
        fprintf(stderr, "cepheid query: a limit was hit %" PRIu64 " times: results may be incomplete\n", query->limits);
}

/* ---- running ---- */

static int open_results(struct query *query, struct base_buf *error)
{
    const struct cep_program *program = query->set->program;
    query->results = base_calloc(cep_program_node_count(program) + 1, sizeof *query->results);
    if (!query->results)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < query->set->result->compiled_count; i++) {
        const struct patterns_compiled *compiled = &query->set->result->compiled[i];
        int e = compiled->kind == PATTERNS_COMPILED_QUERY ? open_result(query, compiled->sink_node) : 0;
        if (e < 0)
            return e;
    }
    return service_outlets_open(&(struct service_outlets_config){ 0 }, program, &query->outlets, error);
}

static int finish_results(struct query *query)
{
    const struct patterns_result *compiled = query->set->result;
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < compiled->compiled_count; i++) {
        struct result *result = &query->results[compiled->compiled[i].sink_node];
        if (compiled->compiled[i].kind != PATTERNS_COMPILED_QUERY)
            continue;
        base_buf_clear(&query->line);
        if (result->table)
            e = formats_table_finish(result->table, &query->line);
        if (e == 0)
            e = put_line(query, result, false);
        if (!result->waits)
            continue;
        rewind(result->out);
        char chunk[16384];
        for (size_t n; e == 0 && (n = fread(chunk, 1, sizeof chunk, result->out)) > 0;)
            e = fwrite(chunk, 1, n, stdout) == n ? 0 : BASE_E_CLOSED;
    }
    return e;
}

static void close_results(struct query *query)
{
    for (uint32_t i = 0; query->results && i < cep_program_node_count(query->set->program); i++) {
        formats_encoder_destroy(query->results[i].encoder);
        formats_table_destroy(query->results[i].table);
        if (query->results[i].waits && query->results[i].out)
            fclose(query->results[i].out);
    }
    base_free(query->results);
    service_outlets_close(query->outlets);
    base_buf_finish(&query->line);
    base_buf_finish(&query->key);
}

static int run_set(struct query *query)
{
    struct base_buf error = { 0 };
    struct service_local_config local = {
        .linked = query->set->linked,
        .calls = { .row = on_row, .report = on_report, .unheard = 1u << CEP_REPORT_TIMED_OUT, .problem = on_problem, .late = on_late, .stop = stopped, .ctx = query },
    };
    int e = open_results(query, &error);
    if (e == 0)
        e = service_local_run(&local, &error);
    if (e == 0)
        e = finish_results(query);
    if (e == 0 && query->outlets)
        e = service_outlets_flush(query->outlets, &error);
    if (fflush(stdout) != 0)
        query->write_error = 1;
    tell_counts(query);
    if (e < 0 && e != BASE_E_CLOSED)
        fprintf(stderr, "cepheid query: %s\n", error.len ? error.ptr : base_error_text(e));
    base_buf_finish(&error);
    close_results(query);
    return e < 0 || query->write_error ? CLI_FAILED : query->errors ? CLI_RUNTIME : CLI_OK;
}

static int read_options(int argc, char **argv, struct query *query, struct cli_compile *compile)
{
    static const struct option options[] = { { "format", required_argument, NULL, 'f' }, { "emit", required_argument, NULL, 'e' },
                                             { "define", required_argument, NULL, 'D' }, { "verbose", no_argument, NULL, 'v' },
                                             { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    for (int c; (c = getopt_long(argc, argv, "f:e:D:vh", options, NULL)) != -1;) {
        switch (c) {
        case 'h':
            (void)cli_usage(&cli_query, NULL, NULL);
            return -1;
        case 'f':
            if (strcmp(optarg, "json") != 0 && strcmp(optarg, "table") != 0)
                return cli_usage(&cli_query, "the format must be json or table", optarg);
            query->format = strcmp(optarg, "table") == 0 ? FORMAT_TABLE : FORMAT_JSON;
            break;
        case 'e':
            if (strcmp(optarg, "eager") != 0 && strcmp(optarg, "final") != 0)
                return cli_usage(&cli_query, "--emit must be eager or final", optarg);
            query->changes = strcmp(optarg, "eager") == 0;
            compile->emit = query->changes ? 1 : 2;
            break;
        case 'v':
            compile->quiet = false;
            break;
        case 'D':
            if (!cli_define(optarg))
                return cli_usage(&cli_query, "write -D NAME=VALUE", optarg);
            break;
        default:
            return cli_usage(&cli_query, "bad option", argv[optind - 1]);
        }
    }
    return optind == argc ? cli_usage(&cli_query, "name a file with statements", NULL) : CLI_OK;
}

static int run_query(int argc, char **argv)
{
    struct query query = { .format = FORMAT_JSON };
    struct cli_compile compile = { .query_mode = true, .emit = 2, .quiet = true };
    int status = read_options(argc, argv, &query, &compile);
    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    struct cep_funcs *funcs = cli_funcs(NULL);
    if (!funcs)
        return CLI_FAILED;
    compile.paths = argv + optind;
    compile.path_count = argc - optind;
    compile.funcs = funcs;
    struct service_ruleset *set = cli_compile(&compile, &status);
    query.set = set;
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (set)
        status = run_set(&query);
    service_ruleset_unref(set);
    cli_funcs_destroy(funcs);
    return status;
}

const struct cli_command cli_query = {
    "query", "run statements over files and print the results",
    "[OPTION…] FILE…\n\n"
    "Runs SELECT and INSERT statements, and rules, over bounded sources to their end. Each result row is one JSON\n"
    "object a line, in the order in which rows were found; alerts of rules are printed as their sinks would get them.\n"
    "Paths in the file stand against the working directory. A file named - is standard input.\n\n"
    "  -f, --format FORMAT   json (default) or table\n"
    "  -e, --emit WHEN       final (default): settled rows only; eager: rows with \"op\" as they are created and changed\n"
    "  -D, --define N=VALUE  value of ${N} in the files\n"
    "  -v, --verbose         warnings and notes of the compiler as well\n\n"
    "Exit status: 0 done, 1 it does not compile or a source cannot be read, 2 wrong usage, 3 done, but expressions failed\n"
    "on some rows (told on standard error).",
    run_query,
};
