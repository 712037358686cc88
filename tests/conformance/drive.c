/* Test driver: compiles rule texts and feeds the engine by hand, one step at a time, so that tests choose where watermarks, save and restore, and other keys'
 * rows fall. Called by the tests' Python programs over a pipe; reads no files.
 *
 * Standard input, one command a line; a number of bytes announces the text that follows on the next lines:
 *   case ID             a new case
 *   option NAME         eager | unoptimised | short-tail (a key with two unsettled rows runs as final) | by-value (threads that wait for a value are found by it from the
 *                       first on) | full (no key takes the lean form) |
 *                       columns (a table's rows go to the flow all at once, where it takes them so) | history (many rows and watermarks at a time, where it takes them so, in
 *                       stretches that the case's name says; such a flow has no store, so that saving is nothing but the end of a stretch) | open (time runs out, but the input does not end)
 *   sql BYTES           the rule texts
 *   row TABLE BYTES     a JSON object for a table
 *   mark TABLE MS       the table's watermark
 *   clock MS            processing time; 0 before
 *   cycle               all state is saved, the flow destroyed, made anew and restored
 *   lazy                the same, but state comes back only when the flow asks for it
 *   evict               all state is saved, and what was not used since the last save leaves memory
 *   run                 carries out what was said since `case`; prints one JSON object a line: what came out, at which step
 * All tables end behind the last step, unless they are left open. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/columns.h"
#include "cep/flow.h"
#include "formats/format.h"
#include "tests/conformance/gather.h"
#include "patterns/compile.h"

#define FAR_MS INT64_C(253402300799999) /* the end of the year 9999 */
enum step_kind { STEP_ROW, STEP_MARK, STEP_CLOCK, STEP_CYCLE, STEP_LAZY, STEP_EVICT };
struct step {
    enum step_kind kind;
    struct base_str table, text;
    int64_t ms;
};
struct steps BASE_VEC(struct step);
/* A stored piece of state. */
struct piece {
    uint64_t fingerprint;
    struct cep_tuple *key;
    uint32_t number;
    bool live;
    int64_t deadline_ms;
    struct base_buf bytes;
};
struct pieces BASE_VEC(struct piece);
struct routed {
    bool mark;
    uint32_t exchange;
    int64_t ms;
    struct cep_event event;
};
struct queue BASE_VEC(struct routed);

struct drive {
    struct base_str id, sql;
    bool eager, unoptimised, short_tail, by_value, full, columns, history, open;
    struct cep_columns whole;  /* columns: the rows of a table that is handed over at once */
    uint32_t whole_node;       /* its SOURCE node; CEP_NONE: there is none */
    struct gather gather;      /* history: the rows that come next */
    bool evicts; /* state leaves memory */
    struct base_arena texts;   /* of the case */
    struct base_arena rows;    /* decoded and routed rows of the case */
    struct steps steps;
    const struct cep_program *program;
    struct cep_linked *linked;
    struct cep_flow *flow;
    struct formats_decoder **decoders; /* by table */
    int64_t *offsets;                  /* by table */
    struct pieces pieces;
    struct base_map index;             /* of the pieces, by fingerprint, number and key */
    struct base_buf name;
    struct queue queue;
    size_t step;                       /* the running one */
    struct base_buf out;
    int64_t clock_ms;
    bool any_row, any_report, lazy;
    struct base_buf problems;
};

static void *must(void *memory)
{
    if (!memory) {
        fputs("drive: out of memory\n", stderr);
        exit(3);
    }
    return memory;
}

/* ---- what the flow calls ---- */

static void *copy(struct drive *d, const void *bytes, size_t len)
{
    return memcpy(must(base_arena_alloc(&d->rows, len)), bytes, len);
}

static int on_route(void *ctx, uint32_t exchange, const struct cep_event *event)
{
    struct drive *d = ctx;
    if (d->history)
        return cep_flow_deliver(d->flow, exchange, event);
    struct routed routed = { .exchange = exchange, .event = *event };
    routed.event.row = copy(d, event->row, cep_row_size(event->row));
    if (event->key)
        routed.event.key = copy(d, event->key, event->key->size_bytes);
    if (event->evidence) {
        struct cep_evidence *evidence = copy(d, event->evidence, sizeof *evidence);
        struct cep_evidence_item *items = must(base_arena_alloc(&d->rows, (evidence->count + 1) * sizeof *items));
        for (uint32_t i = 0; i < evidence->count; i++) {
            items[i] = event->evidence->items[i];
            items[i].row = copy(d, items[i].row, cep_row_size(items[i].row));
        }
        evidence->items = items;
        routed.event.evidence = evidence;
    }
    return BASE_VEC_PUSH(&d->queue, routed) ? 0 : BASE_E_NOMEM;
}

static int on_route_watermark(void *ctx, uint32_t exchange, int64_t watermark_ms)
{
    struct drive *d = ctx;
    if (d->history)
        return cep_flow_deliver_watermark(d->flow, exchange, watermark_ms);
    struct routed routed = { .mark = true, .exchange = exchange, .ms = watermark_ms };
    return BASE_VEC_PUSH(&d->queue, routed) ? 0 : BASE_E_NOMEM;
}

static const char *change_text(uint8_t change)
{
    switch ((enum cep_change)change) {
    case CEP_INSERT:
        return "+I";
    case CEP_UPDATE_BEFORE:
        return "-U";
    case CEP_UPDATE_AFTER:
        return "+U";
    case CEP_DELETE:
        return "-D";
    case CEP_SETTLED:
        return "settled";
    }
    return "?";
}

static int on_sink(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct drive *d = ctx;
    struct cep_list columns = cep_program_schema(d->program, cep_program_node(d->program, node)->schema)->columns;
    base_buf_printf(&d->out, "%s{\"step\":%zu,\"sink\":%u,\"change\":\"%s\",\"ident\":\"%016" PRIx64 "%016" PRIx64 "\",\"kind\":%u,\"rev\":%u,\"first\":%" PRId64
                    ",\"last\":%" PRId64 ",\"row\":[", d->any_row ? "," : "", d->step, node, change_text(event->row->change), event->ident.hi,
                    event->ident.lo, event->kind, event->revision, event->first_time_ms, event->last_time_ms);
    d->any_row = true;
    bool empty = event->row->change == CEP_SETTLED;
    for (uint32_t i = 0; !empty && i < columns.count; i++) {
        struct cep_type type = cep_program_column(d->program, columns.first + i)->type;
        if (i)
            base_buf_putc(&d->out, ',');
        cep_value_print_json(type, cep_tuple_get(&event->row->tuple, i, type), &d->out);
    }
    base_buf_puts(&d->out, "]}");
    return 0;
}

static int on_sink_watermark(void *ctx BASE_UNUSED, uint32_t node BASE_UNUSED, int64_t watermark_ms BASE_UNUSED)
{
    return 0;
}

static int on_lookup(void *ctx BASE_UNUSED, uint32_t table BASE_UNUSED, const struct cep_tuple *key BASE_UNUSED,
                     int64_t as_of_ms BASE_UNUSED, const struct cep_row **ret)
{
    *ret = NULL;
    return 0;
}

static void on_report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error, const struct cep_code *place BASE_UNUSED,
                      const struct cep_event *event BASE_UNUSED)
{
    static const char *const names[CEP_REPORT_COUNT_] = { "error", "late", "late-after-idle", "limit", "timed-out", "suppressed" };
    struct drive *d = ctx;
    base_buf_printf(&d->problems, "%s[%zu,\"%s\",\"%s\"]", d->any_report ? "," : "", d->step, names[what], error ? base_error_name(error) : "");
    d->any_report = true;
}

static int64_t on_proc_time(void *ctx)
{
    return ((struct drive *)ctx)->clock_ms;
}

static struct piece *find_piece(struct drive *d, uint64_t fingerprint, const struct cep_tuple *key, uint32_t number, bool add)
{
    base_buf_clear(&d->name);
    base_buf_put_u64(&d->name, fingerprint);
    base_buf_put_u32(&d->name, number);
    base_buf_put(&d->name, key, key->size_bytes);
    struct base_str name = { d->name.ptr, d->name.len };
    uint64_t *found = base_map_find(&d->index, name);
    if (found || !add)
        return found ? &d->pieces.at[*found] : NULL;
    struct piece fresh = { .fingerprint = fingerprint, .key = copy(d, key, key->size_bytes), .number = number };
    if (!BASE_VEC_PUSH(&d->pieces, fresh))
        must(NULL);
    *(uint64_t *)must(base_map_put(&d->index, name, NULL)) = d->pieces.len - 1;
    return &d->pieces.at[d->pieces.len - 1];
}

static int on_load(void *ctx, uint64_t fingerprint, const struct cep_tuple *key, uint32_t number, struct base_buf *ret)
{
    struct drive *d = ctx;
    struct piece *p = find_piece(d, fingerprint, key, number, false);
    if (!p || !p->live || (!d->lazy && !d->evicts))
        return BASE_E_NOTFOUND;
    base_buf_put(ret, p->bytes.ptr, p->bytes.len);
    return ret->failed ? BASE_E_NOMEM : 0;
}

static int on_piece(void *ctx, uint64_t fingerprint, uint32_t key_group BASE_UNUSED, const struct cep_tuple *key, uint32_t number,
                    const void *bytes, size_t len,
                    int64_t deadline_ms)
{
    struct drive *d = ctx;
    struct piece *p = find_piece(d, fingerprint, key, number, true);
    base_buf_clear(&p->bytes);
    if (len)
        base_buf_put(&p->bytes, bytes, len);
    p->live = bytes != NULL;
    p->deadline_ms = deadline_ms;
    return p->bytes.failed ? BASE_E_NOMEM : 0;
}

/* ---- driving ---- */

static int drain(struct drive *d)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < d->queue.len; i++) {
        struct routed routed = d->queue.at[i];
        e = routed.mark ? cep_flow_deliver_watermark(d->flow, routed.exchange, routed.ms) : cep_flow_deliver(d->flow, routed.exchange, &routed.event);
    }
    d->queue.len = 0;
    return e;
}

static void on_trace(void *ctx BASE_UNUSED, const struct cep_trace *trace BASE_UNUSED) {}

static int create_flow(struct drive *d)
{
    struct cep_env env = {
        .ctx = d, .route = on_route, .routes_back = d->history, .route_watermark = on_route_watermark, .sink = on_sink, .sink_watermark = on_sink_watermark,
        .lookup = on_lookup, .report = on_report, .proc_time_ms = on_proc_time, .load = d->history ? NULL : on_load, .trace = d->full ? on_trace : NULL,
    };
    struct cep_limits limits = { .state_bytes = d->evicts ? 1 : 0, .tail_rows = d->short_tail ? 2 : 0, .park_classes = d->by_value ? 1 : 0 };
    return cep_flow_create(d->linked, &env, &limits, &d->flow);
}

static int cycle(struct drive *d, bool lazy)
{
    struct base_buf marks = { 0 };
    int e = cep_flow_checkpoint(d->flow, on_piece, d);
    if (e == 0)
        e = cep_flow_watermarks(d->flow, &marks);
    cep_flow_destroy(d->flow);
    d->flow = NULL;
    d->lazy = lazy;
    if (e == 0)
        e = create_flow(d);
    if (e == 0)
        e = cep_flow_restore_watermarks(d->flow, marks.ptr, marks.len);
    uint32_t last = 0; /* heads first, then chunk by chunk, as a store's keys are ordered */
    for (uint32_t number = 0; e == 0 && number <= last; number++) {
        for (size_t i = 0; e == 0 && i < d->pieces.len; i++) {
            struct piece *p = &d->pieces.at[i];
            if (!p->live || (lazy && p->number > 0))
                continue;
            last = p->number > last ? p->number : last;
            if (p->number != number)
                continue;
            if (!lazy)
                e = cep_flow_restore(d->flow, p->fingerprint, p->key, number, p->bytes.ptr, p->bytes.len);
            else if (p->deadline_ms != BASE_TIME_MAX_MS)
                e = cep_flow_restore_timer(d->flow, p->fingerprint, p->key, p->deadline_ms);
        }
    }
    base_buf_finish(&marks);
    return e;
}

/* The stored deadlines: those that are due come back as keys without state. */
static int rearm(struct drive *d, int64_t until_ms)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < d->pieces.len; i++) {
        struct piece *p = &d->pieces.at[i];
        if (p->live && p->number == 0 && p->deadline_ms <= until_ms && p->deadline_ms != BASE_TIME_MAX_MS)
            e = cep_flow_restore_timer(d->flow, p->fingerprint, p->key, p->deadline_ms);
    }
    return e;
}

static int evict(struct drive *d)
{
    if (!d->evicts) { /* from now on */
        d->evicts = true;
        return cycle(d, true);
    }
    int e = cep_flow_checkpoint(d->flow, on_piece, d);
    (void)cep_flow_evicted_ms(d->flow); /* all are looked at before each watermark */
    return e;
}

static int add_column_values(struct drive *d, const struct cep_row *row)
{
    for (uint32_t i = 0; i < d->whole.count; i++)
        d->whole.values[i] = cep_tuple_get(&row->tuple, i, d->whole.types[i]);
    int e = cep_columns_place(&d->whole, row->at.partition, row->at.offset);
    return e == 0 ? cep_columns_add(&d->whole, row->time_ms, d->whole.values) : e;
}

/* The first source whose rows the flow takes all at once. */
static int open_columns(struct drive *d)
{
    d->whole_node = CEP_NONE;
    for (uint32_t n = 0; d->columns && n < cep_program_node_count(d->program); n++) {
        const struct cep_node *node = cep_program_node(d->program, n);
        struct cep_type types[CEP_COLUMNS_MAX];
        if (node->kind != CEP_NODE_SOURCE || cep_program_table(d->program, node->detail)->rowtime_field != CEP_NONE || !cep_flow_takes_columns(d->flow, n))
            continue;
        const struct cep_list columns = cep_program_schema(d->program, node->schema)->columns;
        for (uint32_t i = 0; i < columns.count; i++)
            types[i] = cep_program_column(d->program, columns.first + i)->type;
        d->whole_node = n;
        return cep_columns_init(&d->whole, types, columns.count, (uint16_t)node->detail);
    }
    return 0;
}

/* Late ones, which the flow refuses, are left out or come the ordinary way, between two stretches; so do others now and then. */
static int gather_one(struct drive *d, uint32_t node, const struct cep_row *row)
{
    bool late = row->time_ms <= d->gather.mark_ms && d->gather.mark_ms != BASE_TIME_MIN_MS;
    if (late && gather_by_chance(&d->gather, 2)) {
        on_report(d, CEP_REPORT_LATE_AFTER_IDLE, node, 0, NULL, NULL);
        return gather_row(&d->gather, row, true);
    }
    if (!late && !gather_by_chance(&d->gather, 200))
        return gather_row(&d->gather, row, false);
    int e = gather_flush(&d->gather);
    return e == 0 ? cep_flow_source(d->flow, node, row) : e;
}

static int feed_row(struct drive *d, uint32_t table, struct base_str text)
{
    struct cep_origin origin = { .name = BASE_STR("drive") };
    char *padded = must(base_arena_zalloc(&d->rows, text.len + CEP_RECORD_SLACK, 1));
    memcpy(padded, text.ptr, text.len);
    struct cep_record record = { .bytes = { padded, text.len }, .origin = &origin, .time_ms = BASE_TIME_MIN_MS, .offset = d->offsets[table]++,
                                 .flags = CEP_RECORD_PADDED };
    struct cep_row *row = NULL;
    int e = formats_decode(d->decoders[table], &record, 1, &d->rows, &row);
    for (uint32_t n = 0; e == 0 && row && n < cep_program_node_count(d->program); n++) {
        const struct cep_node *node = cep_program_node(d->program, n);
        if (n == d->whole_node)
            e = add_column_values(d, row);
        else if (d->history && n == d->gather.node)
            e = gather_one(d, n, row);
        else if (node->kind == CEP_NODE_SOURCE && node->detail == table)
            e = cep_flow_source(d->flow, n, row);
    }
    return e;
}

static int mark(struct drive *d, uint32_t table, int64_t ms)
{
    int e = d->evicts ? rearm(d, ms) : 0;
    for (uint32_t n = 0; e == 0 && n < cep_program_node_count(d->program); n++) {
        const struct cep_node *node = cep_program_node(d->program, n);
        if (node->kind != CEP_NODE_SOURCE || (table != CEP_NONE && node->detail != table))
            continue;
        e = d->history && n == d->gather.node ? gather_mark(&d->gather, ms) : cep_flow_source_watermark(d->flow, n, ms);
    }
    return e;
}

static uint32_t find_table(const struct drive *d, struct base_str name)
{
    for (uint32_t i = 0; i < cep_program_table_count(d->program); i++) {
        if (base_str_equal_fold(cep_program_text(d->program, cep_program_table(d->program, i)->name), name))
            return i;
    }
    return CEP_NONE;
}

static void on_problem(void *ctx BASE_UNUSED, const struct cep_record *record BASE_UNUSED, const struct formats_problem *problem)
{
    fprintf(stderr, "drive: bad row: %s\n", problem->reason);
}

static int open_tables(struct drive *d)
{
    uint32_t count = cep_program_table_count(d->program);
    d->decoders = must(base_arena_zalloc(&d->texts, count + 1, sizeof *d->decoders));
    d->offsets = must(base_arena_zalloc(&d->texts, count + 1, sizeof *d->offsets));
    for (uint32_t i = 0; i < count; i++) {
        struct formats_decoder_config config = { .program = d->program, .table = i, .on_problem = on_problem, .ctx = d };
        char error[256] = "";
        int e = formats_decoder_create(&config, &d->decoders[i], error, sizeof error);
        if (e < 0) {
            fprintf(stderr, "drive: decoder: %s\n", error);
            return e;
        }
    }
    return 0;
}

static int carry_out(struct drive *d)
{
    int e = open_tables(d);
    if (e == 0)
        e = create_flow(d);
    if (e == 0)
        e = open_columns(d);
    if (e == 0 && d->history)
        e = gather_open(&d->gather, d->program, d->flow, base_hash64(d->id.ptr, d->id.len, 0));
    for (d->step = 0; e == 0 && d->step < d->steps.len; d->step++) {
        struct step *step = &d->steps.at[d->step];
        uint32_t table = CEP_NONE;
        if (step->table.len && (table = find_table(d, step->table)) == CEP_NONE)
            continue; /* no rule reads it */
        switch (step->kind) {
        case STEP_ROW:
            e = feed_row(d, table, step->text);
            break;
        case STEP_MARK:
            e = mark(d, table, step->ms);
            break;
        case STEP_CLOCK:
            d->clock_ms = step->ms;
            e = gather_flush(&d->gather);
            if (e < 0)
                break;
            e = d->evicts ? rearm(d, step->ms) : 0;
            if (e == 0)
                e = cep_flow_clock(d->flow, step->ms);
            break;
        case STEP_CYCLE:
        case STEP_LAZY:
            e = d->history ? gather_flush(&d->gather) : cycle(d, step->kind == STEP_LAZY);
            break;
        case STEP_EVICT:
            e = d->history ? gather_flush(&d->gather) : evict(d);
            break;
        }
        if (e == 0)
            e = drain(d);
    }
    if (e == 0 && d->whole_node != CEP_NONE)
        e = cep_flow_columns(d->flow, d->whole_node, &d->whole);
    if (e == 0)
        e = drain(d);
    if (e == 0)
        e = mark(d, CEP_NONE, d->open ? FAR_MS : BASE_TIME_MAX_MS);
    if (e == 0)
        e = gather_flush(&d->gather);
    return e == 0 ? drain(d) : e;
}

static void close_case(struct drive *d)
{
    cep_flow_destroy(d->flow);
    d->flow = NULL;
    cep_columns_finish(&d->whole);
    gather_finish(&d->gather);
    for (uint32_t i = 0; d->program && d->decoders && i < cep_program_table_count(d->program); i++)
        formats_decoder_destroy(d->decoders[i]);
    d->decoders = NULL;
    for (size_t i = 0; i < d->pieces.len; i++)
        base_buf_finish(&d->pieces.at[i].bytes);
    d->pieces.len = 0;
    base_map_finish(&d->index);
    d->queue.len = 0;
    cep_unlink(d->linked);
    d->linked = NULL;
    d->program = NULL;
}

static void run_case(struct drive *d, const struct cep_funcs *funcs)
{
    struct base_source source = { .name = "rule.sql", .text = d->sql.ptr ? d->sql.ptr : "", .len = d->sql.len };
    struct patterns_options options = { .queries = true, .eager_queries = d->eager, .no_optimiser = d->unoptimised };
    struct patterns_result *result = NULL;
    struct base_diags diags;
    struct base_buf told = { 0 };
    const char *link_error = NULL;
    base_diags_init(&diags, &d->texts);
    base_buf_clear(&d->out);
    base_buf_clear(&d->problems);
    d->any_row = d->any_report = d->lazy = false;
    d->clock_ms = 0;
    int e = patterns_compile(&source, 1, funcs, &options, &d->texts, &diags, &result);
    base_diags_render_json(&diags, &told);
    if (e == 0) {
        d->program = result->program;
        e = cep_link(d->program, funcs, &d->texts, &link_error, &d->linked);
        if (e == 0)
            e = carry_out(d);
    }
    printf("{\"id\":");
    struct base_buf id = { 0 };
    base_buf_put_json(&id, d->id);
    struct base_buf verdicts = { 0 };
    for (uint32_t i = 0; result && i < result->compiled_count; i++) {
        base_buf_puts(&verdicts, i ? ",[" : "[");
        base_buf_put_json(&verdicts, base_str_of(result->compiled[i].stability));
        base_buf_putc(&verdicts, ',');
        base_buf_put_json(&verdicts, base_str_of(result->compiled[i].witness));
        base_buf_putc(&verdicts, ']');
    }
    printf("%s,\"error\":\"%s\",\"diags\":%s,\"stability\":[%s],\"gathered\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "],\"rows\":[%s],\"reports\":[%s]}\n", id.ptr, e < 0 ? base_error_name(e) : "", told.ptr ? told.ptr : "[]",
           verdicts.ptr ? verdicts.ptr : "", d->gather.told.rows, d->gather.told.stretches, d->gather.told.refused, d->out.ptr && d->any_row ? d->out.ptr : "", d->problems.ptr && d->any_report ? d->problems.ptr : "");
    base_buf_finish(&id);
    base_buf_finish(&verdicts);
    base_buf_finish(&told);
    close_case(d);
    patterns_result_finish(result);
    base_diags_finish(&diags);
    fflush(stdout);
}

/* ---- commands ---- */

static struct base_str read_text(struct drive *d, size_t bytes)
{
    char *text = must(base_arena_zalloc(&d->texts, bytes + 2, 1));
    if (fread(text, 1, bytes + 1, stdin) != bytes + 1) {
        fputs("drive: input ends within a text\n", stderr);
        exit(2);
    }
    text[bytes] = 0;
    return (struct base_str){ text, bytes };
}

static void add_step(struct drive *d, struct step step)
{
    if (!BASE_VEC_PUSH(&d->steps, step))
        must(NULL);
}

static struct base_str keep(struct drive *d, const char *text)
{
    size_t len = strlen(text);
    return (struct base_str){ must(base_arena_strndup(&d->texts, text, len)), len };
}

static void command(struct drive *d, char *line, const struct cep_funcs *funcs)
{
    char *save = NULL, *word = strtok_r(line, " \n", &save), *one = strtok_r(NULL, " \n", &save), *two = strtok_r(NULL, " \n", &save);
    if (!word)
        return;
    if (strcmp(word, "case") == 0) {
        base_arena_reset(&d->texts);
        base_arena_reset(&d->rows);
        d->steps.len = 0;
        d->eager = d->unoptimised = d->short_tail = d->by_value = d->full = d->evicts = d->columns = d->history = d->open = false;
        d->sql = (struct base_str){ 0 };
        d->id = keep(d, one ? one : "");
    } else if (strcmp(word, "option") == 0 && one) {
        d->eager = d->eager || strcmp(one, "eager") == 0;
        d->unoptimised = d->unoptimised || strcmp(one, "unoptimised") == 0;
        d->short_tail = d->short_tail || strcmp(one, "short-tail") == 0;
        d->by_value = d->by_value || strcmp(one, "by-value") == 0;
        d->full = d->full || strcmp(one, "full") == 0;
        d->columns = d->columns || strcmp(one, "columns") == 0;
        d->history = d->history || strcmp(one, "history") == 0;
        d->open = d->open || strcmp(one, "open") == 0;
    } else if (strcmp(word, "sql") == 0 && one) {
        d->sql = read_text(d, strtoul(one, NULL, 10));
    } else if (strcmp(word, "row") == 0 && two) {
        struct base_str table = keep(d, one);
        add_step(d, (struct step){ .kind = STEP_ROW, .table = table, .text = read_text(d, strtoul(two, NULL, 10)) });
    } else if (strcmp(word, "mark") == 0 && two) {
        add_step(d, (struct step){ .kind = STEP_MARK, .table = keep(d, one), .ms = strtoll(two, NULL, 10) });
    } else if (strcmp(word, "clock") == 0 && one) {
        add_step(d, (struct step){ .kind = STEP_CLOCK, .ms = strtoll(one, NULL, 10) });
    } else if (strcmp(word, "cycle") == 0) {
        add_step(d, (struct step){ .kind = STEP_CYCLE });
    } else if (strcmp(word, "evict") == 0) {
        add_step(d, (struct step){ .kind = STEP_EVICT });
    } else if (strcmp(word, "lazy") == 0) {
        add_step(d, (struct step){ .kind = STEP_LAZY });
    } else if (strcmp(word, "run") == 0) {
        run_case(d, funcs);
    } else {
        fprintf(stderr, "drive: unknown command \"%s\"\n", word);
        exit(2);
    }
}

int main(void)
{
    struct drive d = { .gather.node = CEP_NONE };
    struct cep_funcs *funcs = must(cep_funcs_create());
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) >= 0)
        command(&d, line, funcs);
    free(line); // NOLINT: getline's own memory
    base_buf_finish(&d.out);
    base_buf_finish(&d.problems);
    base_buf_finish(&d.name);
    BASE_VEC_FINISH(&d.steps);
    BASE_VEC_FINISH(&d.pieces);
    BASE_VEC_FINISH(&d.queue);
    base_arena_finish(&d.texts);
    base_arena_finish(&d.rows);
    cep_funcs_destroy(funcs);
    return 0;
}
