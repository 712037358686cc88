/* The engine in one process, without service, threads, sockets: JSON lines to rows, rows through a rule set, alerts counted. Prints one JSON object with the
 * time of each part. The tests count its instructions (tests/budget/), the benchmarks its seconds. Reads the files that it is told, writes nothing.
 *
 *   bench-engine RULES.sql TABLE DATA.jsonl [--phase decode|columns|engine|all] [--rows N] [--repeat N] [--watermark-rows N] [--checkpoint-rows N]
 *                [--state-mib N] [--idle-ms N] [--trace 1] [--together 1]
 *
 * Memory is what the allocator has handed out, more than before the flow was made: after the rows, and again when event time has gone on by --idle-ms.
 * --trace 1: the most threads that a live start had after a row. --together 1: the rows stand in columns when the clock starts, and are gone through key by key, as `query` does with a file. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/columns.h"
#include "cep/flow.h"
#include "formats/format.h"
#include "patterns/compile.h"

#define BATCH 1000 /* records decoded at once, as the service does */
#define BLOCK_BYTES ((size_t)64 << 10) /* lines decoded at once, as `query` does */
#define BLOCK_ROWS 1000000

struct bench {
    const char *rules_path, *table_name, *data_path, *phase;
    uint64_t rows_most, repeat, watermark_rows, checkpoint_rows, state_mib, idle_ms, trace, together;
    struct base_arena arena;    /* program, texts */
    struct base_arena rows_arena;
    char *data;
    size_t data_bytes;
    struct cep_record *records;
    struct cep_row **rows;
    size_t count;
    const struct cep_program *program;
    struct cep_linked *linked;
    struct cep_flow *flow;
    struct formats_decoder *decoder;
    struct cep_columns columns;
    struct { struct cep_history_mark *at; size_t len, cap; } marks; /* --together: watermarks among the rows of the columns */
    uint32_t table;
    int64_t delay_ms;
    int64_t most_ms;            /* latest event time seen */
    uint64_t told, piece_bytes, pieces, limited, errors, threads_most;
    size_t program_bytes, made_bytes, held_bytes, idle_bytes; /* of the linked program; of the flow: new, after the rows, when event time has gone on */
};

/* Prototypes: their names are what callgrind is told to count. */
void bench_decode(struct bench *bench);
void bench_columns(struct bench *bench);
void bench_match(struct bench *bench);
void bench_together(struct bench *bench);

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench-engine: %s: %s\n", what, why);
    exit(1);
}

static void check(int rc, const char *what)
{
    if (rc < 0)
        fail(what, base_error_text(rc));
}

static void *must(void *memory)
{
    if (!memory)
        fail("memory", "there is none");
    return memory;
}

/* ---- what the flow calls ---- */

static int on_route(void *ctx, uint32_t exchange, const struct cep_event *event)
{
    struct bench *bench = ctx;
    return cep_flow_deliver(bench->flow, exchange, event);
}
static int on_route_watermark(void *ctx, uint32_t exchange, int64_t watermark_ms)
{
    struct bench *bench = ctx;
    return cep_flow_deliver_watermark(bench->flow, exchange, watermark_ms);
}
static int on_sink(void *ctx, uint32_t node BASE_UNUSED, const struct cep_event *event)
{
    struct bench *bench = ctx;
    bench->told += event->row->change == CEP_INSERT;
    bench->told -= event->row->change == CEP_DELETE;
    return 0;
}
static int on_sink_watermark(void *ctx BASE_UNUSED, uint32_t node BASE_UNUSED, int64_t watermark_ms BASE_UNUSED) { return 0; }
static int on_lookup(void *ctx BASE_UNUSED, uint32_t table BASE_UNUSED, const struct cep_tuple *key BASE_UNUSED, int64_t as_of_ms BASE_UNUSED,
                     const struct cep_row **ret)
{
    *ret = NULL;
    return 0;
}
static void on_report(void *ctx, enum cep_report what, uint32_t node BASE_UNUSED, int error BASE_UNUSED, const struct cep_code *place BASE_UNUSED,
                      const struct cep_event *event BASE_UNUSED)
{
    struct bench *bench = ctx;
    bench->limited += what == CEP_REPORT_LIMIT;
    bench->errors += what == CEP_REPORT_ERROR;
}
static int64_t on_proc_time(void *ctx BASE_UNUSED) { return 0; }
static int on_load(void *ctx BASE_UNUSED, uint64_t fingerprint BASE_UNUSED, const struct cep_tuple *key BASE_UNUSED, uint32_t piece BASE_UNUSED,
                   struct base_buf *ret BASE_UNUSED)
{
    return BASE_E_NOTFOUND;
}
static int on_piece(void *ctx, uint64_t fingerprint BASE_UNUSED, uint32_t key_group BASE_UNUSED, const struct cep_tuple *key BASE_UNUSED,
                    uint32_t piece BASE_UNUSED, const void *bytes BASE_UNUSED, size_t len, int64_t deadline_ms BASE_UNUSED)
{
    struct bench *bench = ctx;
    bench->pieces++;
    bench->piece_bytes += len;
    return 0;
}

static void on_trace(void *ctx, const struct cep_trace *trace)
{
    struct bench *bench = ctx;
    if (trace->what == CEP_TRACE_LIVE && trace->ways > bench->threads_most)
        bench->threads_most = trace->ways;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* ---- set up ---- */

static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail(path, "cannot be read");
    long size = ftell(file);
    rewind(file);
    char *text = must(base_alloc((size_t)size + CEP_RECORD_SLACK + 1));
    if (fread(text, 1, (size_t)size, file) != (size_t)size)
        fail(path, "cannot be read");
    fclose(file);
    memset(text + size, 0, CEP_RECORD_SLACK + 1);
    *ret_len = (size_t)size;
    return text;
}

static void load_data(struct bench *bench)
{
    static const struct cep_origin origin = { .name = { "bench", 5 } };
    bench->data = read_file(bench->data_path, &bench->data_bytes);
    size_t lines = 1;
    for (const char *at = bench->data; (at = memchr(at, '\n', (size_t)(bench->data + bench->data_bytes - at))) != NULL; at++)
        lines++;
    bench->records = must(base_alloc(lines * sizeof *bench->records));
    const char *end = bench->data + bench->data_bytes;
    for (const char *at = bench->data; at < end && bench->count < bench->rows_most;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        if (line_end > at) {
            bench->records[bench->count] = (struct cep_record){ .bytes = { at, (size_t)(line_end - at) }, .origin = &origin, .time_ms = BASE_TIME_MIN_MS,
                                                                .offset = (int64_t)bench->count, .flags = CEP_RECORD_PADDED };
            bench->count++;
        }
        at = line_end + 1;
    }
    bench->rows = must(base_calloc(bench->count + 1, sizeof *bench->rows));
}

static void compile(struct bench *bench)
{
    size_t len;
    char *text = read_file(bench->rules_path, &len);
    struct base_source source = { .name = bench->rules_path, .text = text, .len = len };
    struct patterns_options options = { .queries = true };
    struct base_diags diags;
    struct patterns_result *result = NULL;
    struct cep_funcs *funcs = must(cep_funcs_create());
    const char *error = NULL;
    base_diags_init(&diags, &bench->arena);
    if (patterns_compile(&source, 1, funcs, &options, &bench->arena, &diags, &result) < 0) {
        struct base_buf told = { 0 };
        base_diags_render_json(&diags, &told);
        fail(bench->rules_path, told.ptr ? told.ptr : "does not compile");
    }
    bench->program = result->program;
    if (cep_link(bench->program, funcs, &bench->arena, &error, &bench->linked) < 0)
        fail(bench->rules_path, error ? error : "cannot be linked");
    bench->table = CEP_NONE;
    for (uint32_t i = 0; i < cep_program_table_count(bench->program); i++) {
        if (base_str_equal_fold(cep_program_text(bench->program, cep_program_table(bench->program, i)->name), base_str_of(bench->table_name)))
            bench->table = i;
    }
    if (bench->table == CEP_NONE)
        fail(bench->table_name, "no rule reads such a table");
    bench->delay_ms = cep_program_table(bench->program, bench->table)->watermark_delay_ms;
    char text_error[256] = "";
    struct formats_decoder_config config = { .program = bench->program, .table = bench->table };
    if (formats_decoder_create(&config, &bench->decoder, text_error, sizeof text_error) < 0)
        fail(bench->rules_path, text_error);
}

/* ---- what is measured ---- */

__attribute__((noinline)) void bench_decode(struct bench *bench)
{
    for (size_t i = 0; i < bench->count; i += BATCH) {
        size_t n = bench->count - i < BATCH ? bench->count - i : BATCH;
        if (strcmp(bench->phase, "decode") == 0)
            base_arena_reset(&bench->rows_arena);
        check(formats_decode(bench->decoder, bench->records + i, n, &bench->rows_arena, bench->rows + i), "decode");
    }
}

/* The same straight into columns, but for records that cannot be read so, which are only decoded. */
__attribute__((noinline)) void bench_columns(struct bench *bench)
{
    const char *stop = bench->data + bench->data_bytes;
    cep_columns_clear(&bench->columns);
    for (size_t i = 0; i < bench->count;) {
        const char *at = bench->records[i].bytes.ptr, *edge = (size_t)(stop - at) < BLOCK_BYTES ? stop : at + BLOCK_BYTES;
        while (edge > at && edge[-1] != '\n')
            edge--;
        const struct formats_block block = { .bytes = { at, (size_t)(edge - at) }, .origin = bench->records[i].origin, .offset = (int64_t)i };
        size_t bytes = 0;
        uint32_t records = 0;
        if (bench->columns.rows >= BLOCK_ROWS)
            cep_columns_clear(&bench->columns);
        check(formats_block_decode(bench->decoder, &block, &bench->columns, &bytes, &records), "columns");
        i += records;
        if (records > 0)
            continue;
        base_arena_reset(&bench->rows_arena);
        check(formats_decode(bench->decoder, bench->records + i, 1, &bench->rows_arena, bench->rows + i), "decode");
        i++;
    }
}

static void make_columns(struct bench *bench)
{
    const struct cep_list fields = cep_program_table(bench->program, bench->table)->fields;
    struct cep_type types[CEP_COLUMNS_MAX];
    for (uint32_t f = 0; f < fields.count; f++)
        types[f] = cep_program_field(bench->program, fields.first + f)->type;
    check(cep_columns_init(&bench->columns, types, fields.count, (uint16_t)bench->table), "columns");
    cep_columns_set_timed(&bench->columns);
}

static void tell_watermark(struct bench *bench, int64_t watermark_ms)
{
    for (uint32_t n = 0; n < cep_program_node_count(bench->program); n++) {
        const struct cep_node *node = cep_program_node(bench->program, n);
        if (node->kind == CEP_NODE_SOURCE && node->detail == bench->table)
            check(cep_flow_source_watermark(bench->flow, n, watermark_ms), "watermark");
    }
}

/* The rows into the columns, with the watermarks that bench_match would tell. */
static void gather(struct bench *bench)
{
    int64_t most_ms = BASE_TIME_MIN_MS, told_ms = BASE_TIME_MIN_MS;
    cep_columns_clear(&bench->columns);
    bench->marks.len = 0;
    check(cep_columns_place(&bench->columns, 0, 0), "columns");
    for (size_t i = 0; i < bench->count; i++) {
        const struct cep_row *row = bench->rows[i];
        if (!row)
            fail("--together", "every record must be a row");
        for (uint32_t c = 0; c < bench->columns.count; c++)
            bench->columns.values[c] = cep_tuple_get(&row->tuple, c, bench->columns.types[c]);
        check(cep_columns_add(&bench->columns, row->time_ms, bench->columns.values), "columns");
        most_ms = row->time_ms > most_ms ? row->time_ms : most_ms;
        const struct cep_history_mark mark = { most_ms - bench->delay_ms, (uint32_t)i + 1 };
        if ((i + 1) % bench->watermark_rows || mark.watermark_ms <= told_ms)
            continue;
        told_ms = mark.watermark_ms;
        if (!BASE_VEC_PUSH(&bench->marks, mark))
            fail("memory", "there is none");
    }
    const struct cep_history_mark end = { BASE_TIME_MAX_MS, bench->columns.rows };
    if (!BASE_VEC_PUSH(&bench->marks, end))
        fail("memory", "there is none");
}

__attribute__((noinline)) void bench_together(struct bench *bench)
{
    const struct cep_history history = { &bench->columns, NULL, bench->marks.at, (uint32_t)bench->marks.len };
    for (uint32_t n = 0; n < cep_program_node_count(bench->program); n++) {
        const struct cep_node *node = cep_program_node(bench->program, n);
        if (node->kind != CEP_NODE_SOURCE || node->detail != bench->table)
            continue;
        if (!cep_flow_takes_history(bench->flow, n))
            fail("--together", "no pattern takes the rows so");
        check(cep_flow_history(bench->flow, n, &history), "rows");
        if (bench->marks.len)
            check(cep_flow_source_watermark(bench->flow, n, bench->marks.at[bench->marks.len - 1].watermark_ms), "watermark");
    }
}

__attribute__((noinline)) void bench_match(struct bench *bench)
{
    uint32_t sources[64], source_count = 0;
    for (uint32_t n = 0; n < cep_program_node_count(bench->program) && source_count < 64; n++) {
        const struct cep_node *node = cep_program_node(bench->program, n);
        if (node->kind == CEP_NODE_SOURCE && node->detail == bench->table)
            sources[source_count++] = n;
    }
    bench->most_ms = BASE_TIME_MIN_MS;
    for (size_t i = 0; i < bench->count;) {
        size_t n = bench->count - i < bench->watermark_rows ? bench->count - i : bench->watermark_rows;
        const struct cep_row *batch[256];
        uint32_t rows = 0;
        for (size_t k = i; k < i + n; k++) {
            const struct cep_row *row = bench->rows[k];
            if (!row)
                continue;
            bench->most_ms = row->time_ms > bench->most_ms ? row->time_ms : bench->most_ms;
            batch[rows++] = row;
        }
        for (uint32_t s = 0; s < source_count; s++)
            check(cep_flow_source_rows(bench->flow, sources[s], batch, rows), "rows");
        i += n;
        if (bench->most_ms != BASE_TIME_MIN_MS)
            tell_watermark(bench, bench->most_ms - bench->delay_ms);
        if (bench->checkpoint_rows && i % bench->checkpoint_rows < n)
            check(cep_flow_checkpoint(bench->flow, on_piece, bench), "checkpoint");
    }
}

static void run_match(struct bench *bench, struct cep_flow_stats *ret)
{
    struct cep_env env = {
        .ctx = bench, .route = on_route, .routes_back = true, .route_watermark = on_route_watermark, .sink = on_sink, .sink_watermark = on_sink_watermark, .lookup = on_lookup,
        .report = on_report, .unheard = 1u << CEP_REPORT_TIMED_OUT, .proc_time_ms = on_proc_time, .load = bench->checkpoint_rows ? on_load : NULL,
        .trace = bench->trace ? on_trace : NULL,
    };
    struct cep_limits limits = { .state_bytes = bench->state_mib << 20 };
    bench->told = bench->pieces = bench->piece_bytes = 0;
    size_t before = heap_bytes();
    check(cep_flow_create(bench->linked, &env, &limits, &bench->flow), "flow");
    bench->made_bytes = heap_bytes() - before;
    if (bench->together)
        bench_together(bench);
    else
        bench_match(bench);
    bench->held_bytes = heap_bytes() - before;
    cep_flow_stats(bench->flow, CEP_NONE, ret);
    if (bench->idle_ms) {
        tell_watermark(bench, bench->most_ms + (int64_t)bench->idle_ms);
        bench->idle_bytes = heap_bytes() - before;
    }
    tell_watermark(bench, BASE_TIME_MAX_MS);
}

static double rate(size_t count, int64_t us)
{
    return us > 0 ? (double)count * 1e6 / (double)us : 0;
}

/* Of this thread: on a busy machine it says more than the clock on the wall. */
static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void measure(struct bench *bench)
{
    bool columns = strcmp(bench->phase, "columns") == 0;
    bool decode = strcmp(bench->phase, "engine") != 0, match = strcmp(bench->phase, "decode") != 0 && !columns;
    struct timed { int64_t us, cpu_us; } best_decode = { INT64_MAX, INT64_MAX }, best_match = { INT64_MAX, INT64_MAX };
    struct cep_flow_stats stats = { 0 };
    for (uint64_t r = 0; r < bench->repeat; r++) {
        if (decode || r == 0)
            base_arena_reset(&bench->rows_arena);
        int64_t from_us = base_clock_mono_us(), from_cpu_us = cpu_us();
        if (columns)
            bench_columns(bench);
        else if (decode || r == 0) /* else the rows are there */
            bench_decode(bench);
        int64_t us = base_clock_mono_us() - from_us, used_us = cpu_us() - from_cpu_us;
        best_decode.us = us < best_decode.us ? us : best_decode.us;
        best_decode.cpu_us = used_us < best_decode.cpu_us ? used_us : best_decode.cpu_us;
        if (!match)
            continue;
        if (bench->together && bench->columns.rows == 0)
            gather(bench);
        from_us = base_clock_mono_us();
        from_cpu_us = cpu_us();
        run_match(bench, &stats);
        us = base_clock_mono_us() - from_us;
        used_us = cpu_us() - from_cpu_us;
        best_match.us = us < best_match.us ? us : best_match.us;
        best_match.cpu_us = used_us < best_match.cpu_us ? used_us : best_match.cpu_us;
        cep_flow_destroy(bench->flow);
    }
    printf("{\"rows\":%zu", bench->count);
    if (decode)
        printf(",\"decode_seconds\":%.6f,\"decode_cpu_seconds\":%.6f,\"decode_rows_per_cpu_s\":%.0f", (double)best_decode.us / 1e6,
               (double)best_decode.cpu_us / 1e6, rate(bench->count, best_decode.cpu_us));
    if (match)
        printf(",\"engine_seconds\":%.6f,\"engine_cpu_seconds\":%.6f,\"engine_rows_per_cpu_s\":%.0f,\"matches\":%" PRIu64 ",\"keys\":%" PRIu64
               ",\"state_bytes\":%" PRIu64 ",\"rows_kept\":%" PRIu64 ",\"starts\":%" PRIu64 ",\"pieces\":%" PRIu64 ",\"piece_bytes\":%" PRIu64
               ",\"limited\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"program_bytes\":%zu,\"made_bytes\":%zu,\"held_bytes\":%zu",
               (double)best_match.us / 1e6, (double)best_match.cpu_us / 1e6, rate(bench->count, best_match.cpu_us), bench->told, stats.keys,
               stats.state_bytes, stats.rows_kept, stats.threads, bench->pieces, bench->piece_bytes, bench->limited, bench->errors,
               bench->program_bytes, bench->made_bytes, bench->held_bytes);
    if (match && bench->idle_ms)
        printf(",\"idle_bytes\":%zu", bench->idle_bytes);
    if (match && bench->trace)
        printf(",\"threads_most\":%" PRIu64, bench->threads_most);
    printf("}\n");
}

int main(int argc, char **argv)
{
    struct bench bench = { .phase = "all", .rows_most = UINT64_MAX, .repeat = 3, .watermark_rows = 64 };
    if (argc < 4)
        fail("usage", "bench-engine RULES.sql TABLE DATA.jsonl [--phase decode|columns|engine|all] [--rows N] [--repeat N] [--watermark-rows N] "
                      "[--checkpoint-rows N] [--state-mib N] [--idle-ms N] [--trace 1] [--together 1]");
    bench.rules_path = argv[1];
    bench.table_name = argv[2];
    bench.data_path = argv[3];
    struct { const char *name; uint64_t *at; } numbers[] = { { "--rows", &bench.rows_most }, { "--repeat", &bench.repeat },
        { "--watermark-rows", &bench.watermark_rows }, { "--checkpoint-rows", &bench.checkpoint_rows }, { "--state-mib", &bench.state_mib },
        { "--idle-ms", &bench.idle_ms }, { "--trace", &bench.trace }, { "--together", &bench.together } };
    for (int i = 4; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--phase") == 0)
            bench.phase = argv[i + 1];
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            if (strcmp(argv[i], numbers[k].name) == 0)
                *numbers[k].at = strtoull(argv[i + 1], NULL, 10);
    }
    if (bench.watermark_rows < 1 || bench.watermark_rows > 256)
        fail("--watermark-rows", "must be from 1 to 256");
    size_t before = heap_bytes();
    compile(&bench);
    bench.program_bytes = heap_bytes() - before;
    load_data(&bench);
    make_columns(&bench);
    measure(&bench);
    cep_columns_finish(&bench.columns);
    return 0;
}
