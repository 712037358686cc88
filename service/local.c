#include "service/local.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "service/input.h"
#include "service/local_columns.h"
#include "service/local_history.h"
#include "service/lookups.h"
#include "service/profiles.h"

#define BATCH 256 /* few enough that its rows are still in the cache when the flow comes to them */
#define IDLE_WAIT_MS 20
#define HANDED_TOGETHER 64

struct stream {
    struct service_input *input;
    uint32_t *nodes;         /* SOURCE nodes that read it */
    uint32_t node_count;
    uint32_t since;          /* rows since the last watermark */
    int64_t told_ms;         /* last watermark handed to the flow */
    bool done;
};
struct local {
    const struct service_local_config *config;
    const struct cep_program *program;
    struct cep_flow *flow;
    struct service_profiles *profiles;
    struct service_lookups *lookups; /* NULL: no outside tables */
    struct stream *streams;
    uint32_t stream_count;
    const struct cep_row *rows[HANDED_TOGETHER]; /* on time, not yet handed to the flow */
    uint32_t row_count;
    int64_t clock_ms;        /* clock_by_rows: the greatest time of a row so far */
    struct base_arena arena;
};

/* ---- what the flow calls ---- */

/* Straight back into the flow, which is on this thread too: rows come to their keyed operator without being copied. */
static int on_route(void *ctx, uint32_t exchange, const struct cep_event *event)
{
    struct local *local = ctx;
    return cep_flow_deliver(local->flow, exchange, event);
}

static int on_route_watermark(void *ctx, uint32_t exchange, int64_t watermark_ms)
{
    struct local *local = ctx;
    return cep_flow_deliver_watermark(local->flow, exchange, watermark_ms);
}

static int on_sink(void *ctx, uint32_t node, const struct cep_event *event)
{
    struct local *local = ctx;
    return local->config->calls.row(local->config->calls.ctx, node, event);
}

static int on_sink_watermark(void *ctx BASE_UNUSED, uint32_t node BASE_UNUSED, int64_t watermark_ms BASE_UNUSED)
{
    return 0;
}

static int on_lookup(void *ctx, uint32_t table, const struct cep_tuple *key, int64_t as_of_ms, const struct cep_row **ret)
{
    struct local *local = ctx;
    if (service_lookups_has(local->lookups, table))
        return service_lookups_find(local->lookups, table, key, false, ret);
    *ret = service_profiles_find(local->profiles, table, key, as_of_ms);
    return 0;
}

static void on_report(void *ctx, enum cep_report what, uint32_t node, int error, const struct cep_code *place, const struct cep_event *event)
{
    struct local *local = ctx;
    if (local->config->calls.report)
        local->config->calls.report(local->config->calls.ctx, what, node, error, place, event);
}

static void on_trace(void *ctx, const struct cep_trace *trace)
{
    struct local *local = ctx;
    local->config->calls.trace(local->config->calls.ctx, trace);
}

static int64_t on_proc_time(void *ctx)
{
    const struct local *local = ctx;
    return local->config->clock_by_rows ? local->clock_ms : base_clock_wall_ms();
}

/* ---- driving it ---- */

static int tell_watermark(struct local *local, struct stream *stream, int64_t watermark_ms)
{
    stream->since = 0;
    if (watermark_ms <= stream->told_ms)
        return 0;
    stream->told_ms = watermark_ms;
    for (uint32_t i = 0; i < stream->node_count; i++) {
        int e = cep_flow_source_watermark(local->flow, stream->nodes[i], watermark_ms);
        if (e < 0)
            return e;
    }
    return 0;
}

#define WATERMARK_ROWS 64
#define WATERMARK_NODES 8 /* a watermark costs a step for each node: where there are many, so many of them are one row more between two */

static uint32_t watermark_every(const struct local *local)
{
    uint32_t most = cep_program_node_count(local->program) / WATERMARK_NODES;
    return local->config->watermark_rows ? local->config->watermark_rows : most > WATERMARK_ROWS ? most : WATERMARK_ROWS;
}

/* Hands the rows that are on time to the flow; one source node gets them together. */
static int hand_over(struct local *local, struct stream *stream)
{
    int e = 0;
    if (stream->node_count == 1) {
        e = cep_flow_source_rows(local->flow, stream->nodes[0], local->rows, local->row_count);
    } else {
        for (uint32_t k = 0; k < local->row_count; k++)
            for (uint32_t i = 0; e == 0 && i < stream->node_count; i++)
                e = cep_flow_source(local->flow, stream->nodes[i], local->rows[k]);
    }
    local->row_count = 0;
    return e;
}

static int take_row(struct local *local, struct stream *stream, const struct cep_row *row)
{
    struct service_watermarks *marks = service_input_watermarks(stream->input);
    enum service_timing timing;
    int e = service_input_timing(stream->input, row, &timing);
    if (e < 0)
        return e;
    if (row->time_ms > local->clock_ms)
        local->clock_ms = row->time_ms;
    int64_t behind_ms = timing == SERVICE_ON_TIME ? 0 : service_watermarks_behind(marks, row->at.partition, row->time_ms);
    bool left_out = false;
    for (uint32_t i = 0; timing != SERVICE_ON_TIME && i < stream->node_count; i++) {
        if (!cep_flow_takes_late(local->flow, stream->nodes[i], behind_ms))
            left_out = true;
        else if ((e = cep_flow_source(local->flow, stream->nodes[i], row)) < 0)
            return e;
    }
    if (timing != SERVICE_ON_TIME) {
        if (left_out && local->config->calls.late)
            local->config->calls.late(local->config->calls.ctx, service_input_table(stream->input), row);
        return 0;
    }
    local->rows[local->row_count++] = row;
    bool tell = ++stream->since >= watermark_every(local);
    if (tell || local->row_count == HANDED_TOGETHER)
        e = hand_over(local, stream);
    if (e == 0 && tell)
        e = tell_watermark(local, stream, service_watermarks_merge(marks));
    return e == 0 && tell ? cep_flow_clock(local->flow, on_proc_time(local)) : e;
}

/* *ret_count: records taken. */
static int step(struct local *local, struct stream *stream, int timeout_ms, size_t *ret_count, struct base_buf *reterr)
{
    struct service_input_batch batch;
    int e = service_input_poll(stream->input, BATCH, timeout_ms, &batch);
    bool changed = false;
    const char *trouble = service_input_trouble(stream->input, &changed);
    if (e < 0) {
        base_buf_printf(reterr, "table \"%s\": %s", service_input_name(stream->input), *trouble ? trouble : base_error_text(e));
        return e;
    }
    for (size_t i = 0; e == 0 && i < batch.count; i++) {
        if (batch.rows[i])
            e = take_row(local, stream, batch.rows[i]);
    }
    if (e == 0)
        e = hand_over(local, stream);
    if (e == 0)
        e = cep_flow_clock(local->flow, on_proc_time(local));
    if (e == 0 && batch.finished) {
        stream->done = true;
        e = tell_watermark(local, stream, BASE_TIME_MAX_MS);
    }
    *ret_count = batch.count;
    return e;
}

/* The stream that is furthest behind in event time and not among those asked in vain this round (bit set); NULL if all are done or asked. */
static struct stream *furthest_behind(struct local *local, const bool *asked)
{
    struct stream *best = NULL;
    for (uint32_t i = 0; i < local->stream_count; i++) {
        struct stream *stream = &local->streams[i];
        if (!stream->done && !asked[i] && (!best || stream->told_ms < best->told_ms))
            best = stream;
    }
    return best;
}

/* The only stream, if its rows can go to the flow all at once. */
static int run_columns(struct local *local, bool *ret_done, struct base_buf *reterr)
{
    *ret_done = false;
    if (local->stream_count != 1 || local->streams[0].node_count != 1)
        return 0;
    struct stream *stream = &local->streams[0];
    const struct service_local_columns columns = { local->flow, stream->nodes[0], stream->input, local->config };
    if (!service_local_takes_columns(&columns))
        return 0;
    *ret_done = true;
    int e = service_local_columns_run(&columns, reterr);
    return e == 0 ? tell_watermark(local, stream, BASE_TIME_MAX_MS) : e;
}

struct teller { struct local *local; struct stream *stream; };

static int on_history_watermark(void *ctx, int64_t watermark_ms)
{
    const struct teller *teller = ctx;
    return tell_watermark(teller->local, teller->stream, watermark_ms);
}

/* The only stream, as far as its rows can go to the flow many at a time. */
static int run_history(struct local *local, bool *ret_done, struct base_buf *reterr)
{
    *ret_done = false;
    if (local->stream_count != 1 || local->streams[0].node_count != 1)
        return 0;
    struct stream *stream = &local->streams[0];
    struct teller teller = { local, stream };
    const struct service_local_history history = { { local->flow, stream->nodes[0], stream->input, local->config }, watermark_every(local), on_history_watermark, &teller };
    if (!service_local_takes_history(&history))
        return 0;
    int e = service_local_history_run(&history, ret_done, reterr);
    return e == 0 && *ret_done ? tell_watermark(local, stream, BASE_TIME_MAX_MS) : e;
}

static int run_streams(struct local *local, struct base_buf *reterr)
{
    bool done;
    int e = run_columns(local, &done, reterr);
    if (e == 0 && !done)
        e = run_history(local, &done, reterr);
    if (e < 0 || done)
        return e;
    bool *asked = base_arena_zalloc(&local->arena, local->stream_count + 1, sizeof *asked);
    if (!asked)
        return BASE_E_NOMEM;
    for (;;) {
        if (local->config->calls.stop && local->config->calls.stop(local->config->calls.ctx))
            return BASE_E_CLOSED;
        struct stream *stream = furthest_behind(local, asked);
        if (!stream) {
            bool any = false;
            for (uint32_t i = 0; i < local->stream_count; i++)
                any = any || !local->streams[i].done;
            if (!any)
                return 0;
            memset(asked, 0, local->stream_count * sizeof *asked);
            continue;
        }
        size_t count = 0;
        e = step(local, stream, IDLE_WAIT_MS, &count, reterr);
        if (e < 0)
            return e;
        asked[stream - local->streams] = count == 0;
    }
}

/* ---- setting up ---- */

static struct stream *stream_of_table(struct local *local, uint32_t table)
{
    for (uint32_t i = 0; i < local->stream_count; i++) {
        if (service_input_table(local->streams[i].input) == table)
            return &local->streams[i];
    }
    return NULL;
}

static int open_stream(struct local *local, uint32_t node, struct base_buf *reterr)
{
    uint32_t table = cep_program_node(local->program, node)->detail;
    struct stream *stream = stream_of_table(local, table);
    if (!stream) {
        stream = &local->streams[local->stream_count];
        struct service_input_config config = {
            .program = local->program, .table = table, .application_id = "cepheid-query", .base_dir = local->config->base_dir,
            .on_problem = local->config->calls.problem, .ctx = local->config->calls.ctx, .opener = local->config->opener,
            .opener_ctx = local->config->opener_ctx,
        };
        stream->nodes = base_arena_zalloc(&local->arena, cep_program_node_count(local->program), sizeof *stream->nodes);
        stream->told_ms = BASE_TIME_MIN_MS;
        if (!stream->nodes)
            return BASE_E_NOMEM;
        int e = service_input_open(&config, &stream->input, reterr);
        if (e < 0)
            return e;
        local->stream_count++;
    }
    stream->nodes[stream->node_count++] = node;
    return 0;
}

static int setup(struct local *local, struct base_buf *reterr)
{
    struct service_profiles_config profiles = {
        .program = local->program, .application_id = "cepheid-query", .base_dir = local->config->base_dir, .poll_ms = 1000,
        .on_problem = local->config->calls.problem, .ctx = local->config->calls.ctx, .opener = local->config->opener,
        .opener_ctx = local->config->opener_ctx,
    };
    int e = service_profiles_create(&profiles, &local->profiles, reterr);
    struct service_lookups_config lookups = { .program = local->program, .application = "cepheid-query", .allow_private = true };
    if (e == 0)
        e = service_lookups_create(&lookups, &local->lookups, reterr);
    if (e == 0)
        e = service_profiles_load(local->profiles, reterr);
    uint32_t nodes = cep_program_node_count(local->program);
    local->streams = base_arena_zalloc(&local->arena, nodes + 1, sizeof *local->streams);
    if (e == 0 && !local->streams)
        e = BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < nodes; i++) {
        if (cep_program_node(local->program, i)->kind == CEP_NODE_SOURCE)
            e = open_stream(local, i, reterr);
    }
    struct cep_env env = {
        .ctx = local, .route = on_route, .routes_back = true, .route_watermark = on_route_watermark, .sink = on_sink, .sink_watermark = on_sink_watermark,
        .lookup = on_lookup, .report = on_report, .unheard = local->config->calls.unheard, .proc_time_ms = on_proc_time,
        .trace = local->config->calls.trace ? on_trace : NULL,
    };
    if (e == 0)
        e = cep_flow_create(local->config->linked, &env, &local->config->limits, &local->flow);
    return e;
}

int service_local_run(const struct service_local_config *config, struct base_buf *reterr)
{
    struct local local = { .config = config, .program = cep_linked_program(config->linked) };
    size_t had = reterr->len;
    int e = setup(&local, reterr);
    if (e == 0)
        e = run_streams(&local, reterr);
    if (e < 0 && e != BASE_E_CLOSED && reterr->len == had)
        base_buf_puts(reterr, base_error_text(e));
    cep_flow_destroy(local.flow);
    for (uint32_t i = 0; i < local.stream_count; i++)
        service_input_close(local.streams[i].input);
    service_profiles_destroy(local.profiles);
    service_lookups_destroy(local.lookups);
    base_arena_finish(&local.arena);
    return e;
}
