#include "service/case_run.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/time.h"
#include "formats/alert.h"
#include "patterns/ast.h"
#include "patterns/compile.h"
#include "service/json.h"
#include "service/local.h"
#include "service/ruleset.h"

/* One revision as it was told. */
struct told { char id[33]; json_t *data; bool gone; };
struct tolds BASE_VEC(struct told);
struct run {
    const struct service_case *c;
    const struct service_ruleset *set;
    struct tolds changes;       /* all, in order */
    struct service_case_result *result;
    struct service_case_trace trace;
    uint64_t errors;
};

static void put_short(const json_t *data, bool with_change, struct base_buf *out);

/* ---- running ---- */

static int on_row(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct run *run = ctx;
    const struct cep_program *program = run->set->program;
    const struct cep_sink *sink = cep_program_sink(program, cep_program_node(program, node)->detail);
    if (sink->kind != CEP_SINK_RULE || event->row->change == CEP_UPDATE_BEFORE || event->row->change == CEP_SETTLED)
        return 0;
    struct told told = { .gone = event->row->change == CEP_DELETE };
    struct base_buf json = { 0 };
    formats_alert_id(program, sink->detail, event->ident, told.id);
    struct formats_alert alert = {
        .program = program, .rule = sink->detail, .schema = cep_program_node(program, node)->schema, .event = event, .alert_id = { told.id, 32 },
        .source = BASE_STR("/cepheid/test"),
        .change = event->row->change == CEP_INSERT ? FORMATS_ALERT_CREATED : told.gone ? FORMATS_ALERT_WITHDRAWN : FORMATS_ALERT_UPDATED,
    };
    int e = formats_alert_json(&alert, &json);
    json_t *whole = e == 0 ? json_loadb(json.ptr, json.len, 0, NULL) : NULL;
    told.data = json_incref(json_object_get(whole, "data"));
    json_decref(whole);
    base_buf_finish(&json);
    if (e == 0 && told.data && run->trace.out) {
        base_buf_puts(run->trace.out, "      => ");
        put_short(told.data, true, run->trace.out);
    }
    if (e == 0 && (!told.data || !BASE_VEC_PUSH(&run->changes, told))) {
        json_decref(told.data);
        e = BASE_E_NOMEM;
    }
    return e;
}

static void on_trace(void *ctx, const struct cep_trace *step)
{
    struct run *run = ctx;
    service_case_trace_step(&run->trace, step);
}

static void on_report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error, const struct cep_code *place BASE_UNUSED,
                      const struct cep_event *event BASE_UNUSED)
{
    struct run *run = ctx;
    if (what == CEP_REPORT_ERROR && run->errors++ < 5)
        base_buf_printf(&run->result->report, "    run-time error: %s\n", base_error_text(error));
}

static void on_problem(void *ctx, const struct cep_record *record, const struct formats_problem *problem)
{
    struct run *run = ctx;
    struct base_str table = record->origin ? record->origin->name : (struct base_str){ 0 };
    for (size_t i = 0, n = 0; i < run->c->rows.len; i++) {
        const struct service_case_lines *lines = &run->c->rows.at[i].lines;
        if (!base_str_equal_fold(run->c->rows.at[i].table, table))
            continue;
        if ((size_t)record->offset < n + lines->len) {
            base_buf_printf(&run->result->report, "    line %u: %s\n", lines->numbers[(size_t)record->offset - n], problem->reason);
            break;
        }
        n += lines->len;
    }
    run->errors += !problem->ignored;
}

static int open_rows(void *ctx, const struct cep_program *program, uint32_t table, struct connectors_source **ret, struct base_buf *reterr BASE_UNUSED)
{
    struct run *run = ctx;
    return service_case_source(run->c, cep_program_text(program, cep_program_table(program, table)->name), ret);
}

/* ---- comparing ---- */

/* Whole numbers exactly, others to the fifteen digits that --bless writes down. */
static bool numbers_equal(const json_t *a, const json_t *b)
{
    char x[40], y[40];
    if (!json_is_number(a) || !json_is_number(b))
        return false;
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) == json_integer_value(b);
    snprintf(x, sizeof x, "%.15g", json_number_value(a));
    snprintf(y, sizeof y, "%.15g", json_number_value(b));
    return strcmp(x, y) == 0;
}

/* Does `have` hold all that `want` names? Objects: by member; arrays: element by element, all of them. */
static bool holds(const json_t *have, const json_t *want)
{
    const char *name;
    json_t *value;
    size_t i;
    if (json_is_object(want)) {
        if (!json_is_object(have))
            return false;
        json_object_foreach((json_t *)want, name, value) {
            const json_t *member = json_object_get(have, name);
            if (!member || !holds(member, value))
                return false;
        }
        return true;
    }
    if (json_is_array(want)) {
        if (!json_is_array(have) || json_array_size(have) != json_array_size(want))
            return false;
        json_array_foreach((json_t *)want, i, value) {
            if (!holds(json_array_get(have, i), value))
                return false;
        }
        return true;
    }
    return numbers_equal(have, want) || json_equal(have, want);
}

/* The members that a case shows: rule, key, measures; with_change: change first. */
static void put_short(const json_t *data, bool with_change, struct base_buf *out)
{
    json_t *brief = json_object();
    static const char *const names[] = { "change", "rule", "key", "measures" };
    for (size_t i = with_change ? 0 : 1; i < sizeof names / sizeof names[0]; i++) {
        if (json_object_get(data, names[i]))
            json_object_set(brief, names[i], json_object_get(data, names[i]));
    }
    const char *kind = json_string_value(json_object_get(data, "kind"));
    if (kind && strcmp(kind, "match") != 0)
        json_object_set(brief, "kind", json_object_get(data, "kind"));
    if (!service_json_put(brief, out))
        base_buf_puts(out, "{}");
    base_buf_putc(out, '\n');
    json_decref(brief);
}

static json_t *parse_line(const struct run *run, const struct service_case_lines *lines, size_t i)
{
    json_error_t where;
    json_t *value = json_loadb(lines->at[i].ptr, lines->at[i].len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(value)) {
        base_buf_printf(&run->result->report, "    line %u: the expectation must be one JSON object on one line: %s\n", lines->numbers[i],
                        value ? "it is none" : where.text);
        json_decref(value);
        return NULL;
    }
    return value;
}

/* Each expected alert must have a partner of its own among the standing ones, and each standing one must be expected. First the pairs that only fit each other
 * would matter for vague expectations; greedy in order is what people read. */
static bool compare_set(struct run *run, struct told **standing, size_t count)
{
    const struct service_case_lines *want = &run->c->alerts;
    bool *used = base_calloc(count + 1, sizeof *used);
    bool good = used != NULL;
    for (size_t i = 0; used && i < want->len; i++) {
        json_t *expected = parse_line(run, want, i);
        size_t k = 0;
        while (expected && k < count && (used[k] || !holds(standing[k]->data, expected)))
            k++;
        if (expected && k < count) {
            used[k] = true;
        } else {
            good = false;
            if (expected)
                base_buf_printf(&run->result->report, "    - line %u: %.*s\n", want->numbers[i], (int)want->at[i].len, want->at[i].ptr);
        }
        json_decref(expected);
    }
    for (size_t k = 0; used && k < count; k++) {
        if (used[k])
            continue;
        good = false;
        base_buf_puts(&run->result->report, "    + ");
        put_short(standing[k]->data, false, &run->result->report);
    }
    base_free(used);
    return good;
}

static bool compare_changes(struct run *run)
{
    const struct service_case_lines *want = &run->c->changes;
    bool good = true;
    for (size_t i = 0; i < want->len || i < run->changes.len; i++) {
        json_t *expected = i < want->len ? parse_line(run, want, i) : NULL;
        if (expected && i < run->changes.len && holds(run->changes.at[i].data, expected)) {
            json_decref(expected);
            continue;
        }
        good = false;
        if (i < want->len)
            base_buf_printf(&run->result->report, "    - line %u: %.*s\n", want->numbers[i], (int)want->at[i].len, want->at[i].ptr);
        if (i < run->changes.len) {
            base_buf_puts(&run->result->report, "    + ");
            put_short(run->changes.at[i].data, true, &run->result->report);
        }
        json_decref(expected);
    }
    return good;
}

/* The last revision of each alert that was not withdrawn, in the order in which alerts were first told. */
static size_t standing_of(struct run *run, struct told **standing)
{
    size_t count = 0;
    for (size_t i = 0; i < run->changes.len; i++) {
        struct told *told = &run->changes.at[i];
        bool first = true;
        for (size_t k = 0; first && k < i; k++)
            first = strcmp(run->changes.at[k].id, told->id) != 0;
        struct told *last = told;
        for (size_t k = i + 1; first && k < run->changes.len; k++) {
            if (strcmp(run->changes.at[k].id, told->id) == 0)
                last = &run->changes.at[k];
        }
        if (first && !last->gone)
            standing[count++] = last;
    }
    return count;
}

static int compare(struct run *run)
{
    struct told **standing = base_calloc(run->changes.len + 1, sizeof *standing);
    if (!standing)
        return BASE_E_NOMEM;
    size_t count = standing_of(run, standing);
    struct service_case_result *result = run->result;
    bool good = !run->c->has_alerts || compare_set(run, standing, count);
    good = (!run->c->has_changes || compare_changes(run)) && good;
    for (size_t i = 0; i < count; i++)
        put_short(standing[i]->data, false, &result->alerts_text);
    for (size_t i = 0; i < run->changes.len; i++)
        put_short(run->changes.at[i].data, true, &result->changes_text);
    result->alerts = (uint32_t)count;
    result->passed = good && run->errors == 0;
    base_free(standing);
    return 0;
}

/* ---- all of it ---- */

static int load_rules(const struct service_cases *cases, const struct service_case *c, const struct cep_funcs *funcs, struct service_ruleset *set,
                      struct base_buf *report)
{
    const char *slash = strrchr(cases->path, '/');
    int e = 0;
    for (size_t at = 0; e == 0 && at < c->rules.len;) {
        size_t end = at;
        while (end < c->rules.len && c->rules.ptr[end] != ' ')
            end++;
        char path[4096];
        bool absolute = c->rules.ptr[at] == '/';
        snprintf(path, sizeof path, "%.*s%.*s", slash && !absolute ? (int)(slash - cases->path + 1) : 0, cases->path, (int)(end - at), c->rules.ptr + at);
        if (end > at)
            e = service_rulefiles_add(&set->files, path, report);
        at = end + 1;
    }
    struct service_ruleset_config config = { .funcs = funcs, .optimise = true, .any_variable = true };
    if (e == 0)
        e = service_ruleset_compile(set, &config, report);
    if (e == BASE_E_SYNTAX)
        base_diags_render(&set->diags, report);
    return e;
}

/* Rows of a table that no rule file declares would be read by nobody: a slip of the pen that must not pass. */
static void check_tables(struct run *run)
{
    const struct patterns_result *rules = run->set->result;
    for (size_t i = 0; i < run->c->rows.len; i++) {
        const struct service_case_rows *rows = &run->c->rows.at[i];
        struct base_str near = { 0 };
        size_t least = 4;
        bool known = false;
        for (uint32_t s = 0; s < rules->script_count && !known; s++) {
            for (uint32_t k = 0; k < rules->scripts[s]->statement_count && !known; k++) {
                const struct patterns_statement *statement = rules->scripts[s]->statements[k];
                if (statement->kind != PATTERNS_STATEMENT_CREATE_TABLE)
                    continue;
                const struct patterns_name *name = &statement->create_table.name;
                struct base_str table = name->parts[name->count - 1].text;
                size_t far = base_str_distance(table, rows->table);
                known = base_str_equal_fold(table, rows->table);
                if (far < least) {
                    least = far;
                    near = table;
                }
            }
        }
        if (known)
            continue;
        base_buf_printf(&run->result->report, "    '-- rows %.*s': the rules declare no such table", (int)rows->table.len, rows->table.ptr);
        if (near.len)
            base_buf_printf(&run->result->report, "; did you mean \"%.*s\"?", (int)near.len, near.ptr);
        base_buf_putc(&run->result->report, '\n');
        run->errors++;
    }
}

int service_case_run(const struct service_cases *cases, const struct service_case *c, const struct cep_funcs *funcs, bool explain,
                     struct service_case_result *ret)
{
    *ret = (struct service_case_result){ 0 };
    struct service_ruleset *set = service_ruleset_create();
    struct run run = { .c = c, .set = set, .result = ret };
    int e = set ? load_rules(cases, c, funcs, set, &ret->report) : BASE_E_NOMEM;
    if (e == 0) {
        check_tables(&run);
        run.trace = (struct service_case_trace){ .c = c, .program = set->program, .out = explain ? &ret->steps : NULL };
        struct service_local_config local = {
            .linked = set->linked, .watermark_rows = 1, .clock_by_rows = true, .opener = open_rows, .opener_ctx = &run,
            .calls = { .row = on_row, .report = on_report, .problem = on_problem, .trace = explain ? on_trace : NULL, .ctx = &run },
        };
        e = service_local_run(&local, &ret->report);
    }
    if (e == 0)
        e = compare(&run);
    if (e < 0 && !ret->report.len)
        base_buf_printf(&ret->report, "    %s\n", base_error_text(e));
    for (size_t i = 0; i < run.changes.len; i++)
        json_decref(run.changes.at[i].data);
    BASE_VEC_FINISH(&run.changes);
    service_case_trace_finish(&run.trace);
    service_ruleset_unref(set);
    return e;
}
