#include "service/ingest.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "connectors/pacing.h"
#include "service/config.h"

#define POLL_MS 5
#define ROWS_TOGETHER 64
#define ROOM_WAIT_US 2000
#define CLOCK_EVERY_MS 5 /* processing time is told to the flow */
#define AHEAD_MS 10000 /* event time by which a table may be ahead of the slowest one that has more to read */

struct stream {
    struct service_input *input;
    uint32_t *nodes;
    uint32_t node_count;
    int64_t told_ms;
    int64_t idle_ms;         /* idle timeout; 0: never */
    int64_t idle_since_us;   /* wall: until when the idle advance of the watermark was counted; 0: not all idle */
    bool finished_told;
    bool had_rows;           /* the last poll gave some */
    /* replay.speed: one record at a time is read and held until it is due; until then the position before it counts */
    struct connectors_pacing pacing;
    struct service_input_batch held;
    struct base_buf before_held;
};
struct service_ingest {
    struct service_engine *engine;
    struct service_shared *shared;
    struct service_host host;
    struct cep_flow *flow;
    struct stream *streams;
    uint32_t stream_count;
    uint32_t next;           /* turn */
    int64_t idle_look_us;
    bool clocked;            /* some source goes by processing time */
    int64_t clock_told_ms;
    const struct cep_row *rows[ROWS_TOGETHER]; /* on time, not yet handed to the flow */
    uint32_t row_count;
};

struct service_host *service_ingest_host(struct service_ingest *ingest)
{
    return &ingest->host;
}

/* ---- rows ---- */

/* Left out, at least by those sources that allow for less. */
static void late_row(struct service_ingest *ingest, const struct stream *stream, const struct cep_row *row, enum service_timing timing, int64_t behind_ms)
{
    bool after_idle = timing == SERVICE_LATE_AFTER_IDLE;
    struct service_watermarks *marks = service_input_watermarks(stream->input);
    struct service_partition *p = service_watermarks_partition(marks, row->at.partition);
    struct service_letter_row letter = {
        .program = ingest->shared->program, .schema = stream->node_count ? cep_program_node(ingest->shared->program, stream->nodes[0])->schema : CEP_NONE,
        .row = row, .code = BASE_E_RANGE,
        .reason = after_idle ? "late after idle: the row is behind the merged watermark" : "late: the row is behind the watermark of its partition",
    };
    struct cep_env env = service_host_env(&ingest->host);
    for (uint32_t i = 0; i < stream->node_count; i++)
        if (!cep_flow_takes_late(ingest->flow, stream->nodes[i], behind_ms))
            env.report(env.ctx, after_idle ? CEP_REPORT_LATE_AFTER_IDLE : CEP_REPORT_LATE, stream->nodes[i], 0, NULL, NULL);
    service_letters_late(ingest->shared->letters, &letter, after_idle || !p ? marks->merged_ms : p->watermark_ms);
}

/* To the sources that take rows late by so much; told for those that do not. */
static int take_late_row(struct service_ingest *ingest, struct stream *stream, const struct cep_row *row, enum service_timing timing)
{
    int64_t behind_ms = service_watermarks_behind(service_input_watermarks(stream->input), row->at.partition, row->time_ms);
    bool left_out = false;
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < stream->node_count; i++) {
        if (cep_flow_takes_late(ingest->flow, stream->nodes[i], behind_ms))
            e = cep_flow_source(ingest->flow, stream->nodes[i], row);
        else
            left_out = true;
    }
    if (left_out)
        late_row(ingest, stream, row, timing, behind_ms);
    return e;
}

/* Hands the rows that are on time to the flow; one source node gets them together. */
static int hand_over(struct service_ingest *ingest, const struct stream *stream)
{
    int e = 0;
    uint32_t count = ingest->row_count;
    ingest->row_count = 0;
    if (stream->node_count == 1)
        return count ? cep_flow_source_rows(ingest->flow, stream->nodes[0], ingest->rows, count) : 0;
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t i = 0; e == 0 && i < stream->node_count; i++)
            e = cep_flow_source(ingest->flow, stream->nodes[i], ingest->rows[k]);
    return e;
}

static int take_row(struct service_ingest *ingest, struct stream *stream, const struct cep_row *row)
{
    enum service_timing timing;
    int e = service_input_timing(stream->input, row, &timing);
    if (e < 0)
        return e;
    if (timing != SERVICE_ON_TIME) {
        e = hand_over(ingest, stream);
        return e == 0 ? take_late_row(ingest, stream, row, timing) : e;
    }
    ingest->rows[ingest->row_count++] = row;
    return ingest->row_count == ROWS_TOGETHER ? hand_over(ingest, stream) : 0;
}

static int tell_watermark(struct service_ingest *ingest, struct stream *stream, int64_t watermark_ms)
{
    if (watermark_ms <= stream->told_ms)
        return 0;
    stream->told_ms = watermark_ms;
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < stream->node_count; i++)
        e = cep_flow_source_watermark(ingest->flow, stream->nodes[i], watermark_ms);
    return e;
}

static void tell_trouble(struct stream *stream)
{
    bool changed = false;
    const char *trouble = service_input_trouble(stream->input, &changed);
    if (changed)
        base_logf(*trouble ? BASE_LOG_WARN : BASE_LOG_INFO, "ingest", *trouble ? "a source cannot be read" : "a source can be read again", "table %s%s%s",
                  service_input_name(stream->input), *trouble ? ": " : "", trouble);
}

static int take_batch(struct service_ingest *ingest, struct stream *stream, const struct service_input_batch *batch)
{
    uint64_t rows = 0;
    int e = 0;
    for (size_t i = 0; e == 0 && i < batch->count; i++) {
        if (!batch->rows[i])
            continue;
        rows++;
        e = take_row(ingest, stream, batch->rows[i]);
    }
    if (e == 0)
        e = hand_over(ingest, stream);
    service_count(ingest->shared->metrics, SERVICE_METRIC_ROWS, rows);
    if (e == 0)
        e = tell_watermark(ingest, stream, service_watermarks_merge(service_input_watermarks(stream->input)));
    if (e == 0 && batch->finished && !stream->finished_told) {
        stream->finished_told = true;
        e = tell_watermark(ingest, stream, BASE_TIME_MAX_MS);
    }
    service_exchange_flush(ingest->shared->exchange, ingest->host.sender);
    return e;
}

static int read_stream(struct service_ingest *ingest, struct stream *stream, int timeout_ms)
{
    struct service_input_batch batch;
    int e = service_input_poll(stream->input, service_engine_config(ingest->engine)->batch, timeout_ms, &batch);
    tell_trouble(stream);
    stream->had_rows = e == 0 && batch.count > 0;
    return e == 0 ? take_batch(ingest, stream, &batch) : e;
}

/* Replay at a chosen speed: all paced tables share the instant at which the first event of any of them stood. */
static int64_t replay_delay_ms(struct service_ingest *ingest, struct stream *stream, int64_t event_ms)
{
    int64_t now_us = base_clock_mono_us();
    bool first = !stream->pacing.started;
    int64_t delay_ms = connectors_pacing_delay_ms(&stream->pacing, event_ms, now_us);
    for (uint32_t i = 0; first && i < ingest->stream_count; i++) {
        struct connectors_pacing *other = &ingest->streams[i].pacing;
        if (other->started)
            continue;
        other->started = true;
        other->first_ms = stream->pacing.first_ms;
        other->started_us = stream->pacing.started_us;
    }
    return delay_ms;
}

static int replay_stream(struct service_ingest *ingest, struct stream *stream)
{
    int e = 0;
    stream->had_rows = false;
    for (int budget = 500; budget > 0 && e == 0; budget--) {
        if (!stream->held.count) {
            base_buf_clear(&stream->before_held);
            service_input_save(stream->input, &stream->before_held);
            e = service_input_poll(stream->input, 1, 0, &stream->held);
            tell_trouble(stream);
        }
        const struct cep_row *row = e == 0 && stream->held.count ? stream->held.rows[0] : NULL;
        if (row && row->time_ms != BASE_TIME_MIN_MS && replay_delay_ms(ingest, stream, row->time_ms) > 0)
            return 0;
        bool none = stream->held.count == 0;
        if (e == 0)
            e = take_batch(ingest, stream, &stream->held);
        stream->held.count = 0;
        if (none)
            return e;
    }
    return e;
}

/* ---- idle partitions (semantics.md 11) ---- */

static void mark_idle(struct stream *stream, int64_t now_us)
{
    struct service_watermarks *marks = service_input_watermarks(stream->input);
    for (size_t i = 0; i < marks->len; i++) {
        struct service_partition *p = &marks->at[i];
        if (p->active_us == 0)
            p->active_us = now_us;
        if (p->seen_rows || !service_input_partition_at_end(stream->input, p->partition)) {
            p->active_us = now_us;
            p->seen_rows = false;
            continue;
        }
        if (now_us - p->active_us >= stream->idle_ms * 1000)
            p->idle = true;
    }
}

static int look_for_idle(struct service_ingest *ingest)
{
    int64_t now_us = base_clock_mono_us();
    if (now_us - ingest->idle_look_us < 20000)
        return 0;
    ingest->idle_look_us = now_us;
    for (uint32_t i = 0; i < ingest->stream_count; i++) {
        struct stream *stream = &ingest->streams[i];
        if (!stream->idle_ms || service_input_bounded(stream->input) || !service_input_ready(stream->input))
            continue;
        mark_idle(stream, now_us);
        struct service_watermarks *marks = service_input_watermarks(stream->input);
        if (!service_watermarks_all_idle(marks)) {
            stream->idle_since_us = 0;
        } else {
            if (stream->idle_since_us)
                service_watermarks_idle_for(marks, (now_us - stream->idle_since_us) / 1000);
            stream->idle_since_us = stream->idle_since_us ? stream->idle_since_us + (now_us - stream->idle_since_us) / 1000 * 1000 : now_us;
        }
        int e = tell_watermark(ingest, stream, service_watermarks_merge(marks));
        if (e < 0)
            return e;
    }
    service_exchange_flush(ingest->shared->exchange, ingest->host.sender);
    return 0;
}

/* ---- processing time ---- */

static int tell_clock(struct service_ingest *ingest)
{
    if (!ingest->clocked)
        return 0;
    int64_t now_ms = base_clock_wall_ms();
    if (now_ms >= ingest->clock_told_ms && now_ms - ingest->clock_told_ms < CLOCK_EVERY_MS)
        return 0;
    ingest->clock_told_ms = now_ms;
    int e = cep_flow_clock(ingest->flow, now_ms);
    service_exchange_flush(ingest->shared->exchange, ingest->host.sender);
    return e;
}

/* ---- epochs ---- */

static int save_positions(struct service_ingest *ingest)
{
    struct base_buf *out = &ingest->host.part->positions;
    struct base_buf one = { 0 };
    base_buf_put_varint(out, ingest->stream_count);
    for (uint32_t i = 0; i < ingest->stream_count; i++) {
        const char *name = service_input_name(ingest->streams[i].input);
        base_buf_clear(&one);
        if (ingest->streams[i].held.count)
            base_buf_put(&one, ingest->streams[i].before_held.ptr, ingest->streams[i].before_held.len);
        else
            service_input_save(ingest->streams[i].input, &one);
        base_buf_put_bytes(out, name, strlen(name));
        base_buf_put_bytes(out, one.ptr, one.len);
        out->failed = out->failed || one.failed;
    }
    base_buf_finish(&one);
    return out->failed ? BASE_E_NOMEM : 0;
}

/* Sends all that is parked, whatever it takes: a barrier must stand behind it. */
static bool flush_all(struct service_ingest *ingest)
{
    struct service_exchange *x = ingest->shared->exchange;
    service_exchange_flush(x, ingest->host.sender);
    while (service_exchange_parked(x, ingest->host.sender)) {
        if (service_engine_stopping(ingest->engine))
            return false;
        service_exchange_wait(x, ingest->host.sender, ROOM_WAIT_US);
        service_exchange_flush(x, ingest->host.sender);
    }
    return true;
}

static int inject_barrier(struct service_ingest *ingest, uint64_t epoch)
{
    struct service_exchange *x = ingest->shared->exchange;
    int e = save_positions(ingest);
    if (e == 0)
        e = cep_flow_watermarks(ingest->flow, &ingest->host.part->watermarks);
    for (uint32_t stage = 0; e == 0 && stage < service_exchange_stages(x); stage++)
        e = service_exchange_mark(x, ingest->host.sender, stage, SERVICE_MESSAGE_BARRIER, 0, (int64_t)epoch);
    if (e < 0)
        return e;
    if (!flush_all(ingest))
        return BASE_E_CLOSED;
    service_engine_arrive(ingest->engine);
    return service_engine_wait_resume(ingest->engine, epoch) ? 0 : BASE_E_CLOSED;
}

/* ---- the loop ---- */

static bool may_read(const struct service_ingest *ingest BASE_UNUSED, const struct stream *stream, int64_t slowest_ms)
{
    if (service_input_finished(stream->input) && stream->finished_told)
        return false;
    return stream->told_ms == BASE_TIME_MIN_MS || slowest_ms == BASE_TIME_MAX_MS || stream->told_ms - AHEAD_MS <= slowest_ms;
}

/* Watermark of the slowest stream that has more to read right now: those far ahead of it wait. */
static int64_t slowest(const struct service_ingest *ingest)
{
    int64_t least = BASE_TIME_MAX_MS;
    for (uint32_t i = 0; i < ingest->stream_count; i++) {
        const struct stream *stream = &ingest->streams[i];
        if (stream->had_rows && stream->told_ms != BASE_TIME_MIN_MS && stream->told_ms < least)
            least = stream->told_ms;
    }
    return least;
}

static void tell_progress(struct service_ingest *ingest)
{
    bool at_end = true;
    int64_t watermark_ms = BASE_TIME_MAX_MS;
    for (uint32_t i = 0; i < ingest->stream_count; i++) {
        at_end = at_end && ingest->streams[i].finished_told;
        if (ingest->streams[i].told_ms < watermark_ms)
            watermark_ms = ingest->streams[i].told_ms;
    }
    service_engine_set_progress(ingest->engine, at_end && ingest->stream_count > 0, watermark_ms);
}

static int read_round(struct service_ingest *ingest)
{
    int64_t slowest_ms = slowest(ingest);
    bool any = false;
    for (uint32_t k = 0; k < ingest->stream_count; k++)
        any = any || ingest->streams[k].had_rows;
    int timeout_ms = any ? 0 : 1 + POLL_MS / (int)(ingest->stream_count ? ingest->stream_count : 1);
    bool read = false;
    for (uint32_t k = 0; k < ingest->stream_count; k++) {
        struct stream *stream = &ingest->streams[(ingest->next + k) % ingest->stream_count];
        if (!may_read(ingest, stream, slowest_ms))
            continue;
        read = read || stream->pacing.speed == 0 || !stream->held.count;
        int e = stream->pacing.speed > 0 ? replay_stream(ingest, stream) : read_stream(ingest, stream, timeout_ms);
        if (e < 0)
            return e;
        if (service_exchange_parked(ingest->shared->exchange, ingest->host.sender))
            break;
    }
    ingest->next++;
    if (!read)
        service_exchange_wait(ingest->shared->exchange, ingest->host.sender, POLL_MS * 1000);
    return 0;
}

static int step(struct service_ingest *ingest)
{
    uint64_t epoch;
    if (service_engine_barrier_asked(ingest->engine, &epoch))
        return inject_barrier(ingest, epoch);
    struct service_exchange *x = ingest->shared->exchange;
    if (service_exchange_parked(x, ingest->host.sender)) {
        service_exchange_wait(x, ingest->host.sender, ROOM_WAIT_US);
        service_exchange_flush(x, ingest->host.sender);
        return 0;
    }
    if (atomic_load(&ingest->shared->full)) { /* until the barrier */
        service_exchange_wait(x, ingest->host.sender, ROOM_WAIT_US);
        return 0;
    }
    int e = read_round(ingest);
    if (e == 0)
        e = look_for_idle(ingest);
    if (e == 0)
        e = tell_clock(ingest);
    tell_progress(ingest);
    return e;
}

void *service_ingest_main(void *arg)
{
    struct service_ingest *ingest = arg;
    while (!service_engine_stopping(ingest->engine)) {
        int e = step(ingest);
        if (e == BASE_E_CLOSED)
            break;
        if (e < 0) {
            const char *detail = "";
            for (uint32_t i = 0; i < ingest->stream_count; i++) {
                const char *trouble = service_input_trouble(ingest->streams[i].input, NULL);
                detail = *trouble ? trouble : detail;
            }
            service_engine_fail(ingest->engine, e, "ingest cannot go on", detail);
            break;
        }
    }
    return NULL;
}

/* ---- life ---- */

static int64_t idle_timeout(const struct service_ingest *ingest, uint32_t table, int64_t fallback_ms)
{
    const struct cep_program *program = ingest->shared->program;
    struct base_str text = cep_program_setting(program, cep_program_table(program, table)->options, "scan.watermark.idle-timeout");
    char copy[64];
    int64_t ms;
    if (!text.ptr || text.len >= sizeof copy)
        return fallback_ms;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return service_parse_duration(copy, &ms) ? ms : fallback_ms;
}

static int make_streams(struct service_ingest *ingest, struct base_buf *reterr)
{
    const struct service_engine_config *config = service_engine_config(ingest->engine);
    const struct cep_program *program = ingest->shared->program;
    ingest->streams = base_calloc(config->input_count + 1, sizeof *ingest->streams);
    if (!ingest->streams)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < config->input_count; i++) {
        struct stream *stream = &ingest->streams[ingest->stream_count++];
        stream->input = config->inputs[i];
        stream->told_ms = BASE_TIME_MIN_MS;
        stream->idle_ms = idle_timeout(ingest, service_input_table(stream->input), config->idle_ms);
        struct base_str speed = cep_program_setting(program, cep_program_table(program, service_input_table(stream->input))->options, "replay.speed");
        if (speed.ptr && !connectors_pacing_parse(speed, &stream->pacing.speed)) {
            base_buf_printf(reterr, "table \"%s\": 'replay.speed' = '%.*s' is no speed; write '60' for a minute per second", service_input_name(stream->input),
                            (int)speed.len, speed.ptr);
            return BASE_E_CONFIG;
        }
        stream->nodes = base_calloc(cep_program_node_count(program) + 1, sizeof *stream->nodes);
        if (!stream->nodes)
            return BASE_E_NOMEM;
        for (uint32_t n = 0; n < cep_program_node_count(program); n++) {
            const struct cep_node *node = cep_program_node(program, n);
            if (node->kind == CEP_NODE_SOURCE && node->detail == service_input_table(stream->input))
                stream->nodes[stream->node_count++] = n;
        }
    }
    return 0;
}

static int make_flow(struct service_ingest *ingest, struct base_str watermarks)
{
    struct cep_env env = service_host_env(&ingest->host);
    env.load = NULL;
    int e = cep_flow_create(ingest->shared->linked, &env, &ingest->shared->limits, &ingest->flow);
    if (e == 0 && watermarks.len)
        e = cep_flow_restore_watermarks(ingest->flow, watermarks.ptr, watermarks.len);
    ingest->clocked = e == 0 && cep_flow_has_clock(ingest->flow);
    /* What stands behind an exchange runs in the shards: here those inputs are at their end, so that a union of both sides looks at the sources alone. */
    const struct service_plan *plan = ingest->shared->plan;
    for (uint32_t i = 0; e == 0 && i < plan->exchange_count; i++)
        e = cep_flow_deliver_watermark(ingest->flow, plan->exchanges[i], BASE_TIME_MAX_MS);
    return e;
}

int service_ingest_create(struct service_engine *engine, struct base_str watermarks, struct service_ingest **ret, struct base_buf *reterr)
{
    struct service_ingest *ingest = base_calloc(1, sizeof *ingest);
    if (!ingest)
        return BASE_E_NOMEM;
    ingest->engine = engine;
    ingest->shared = service_engine_shared(engine);
    int e = service_host_init(&ingest->host, ingest->shared, SERVICE_EXCHANGE_INGEST(ingest->shared->exchange), reterr);
    if (e == 0)
        e = make_streams(ingest, reterr);
    if (e == 0)
        e = make_flow(ingest, watermarks);
    if (e < 0) {
        service_ingest_destroy(ingest);
        return e;
    }
    *ret = ingest;
    return 0;
}

/* A record that was read but not handed on is read again by whoever takes the input over. */
static void put_back_held(struct stream *stream)
{
    if (!stream->held.count)
        return;
    struct base_buf why = { .limit = 2048 };
    struct base_reader in = base_reader_of(stream->before_held.ptr, stream->before_held.len);
    if (service_input_restore(stream->input, &in, &why) < 0)
        base_logf(BASE_LOG_ERROR, "ingest", "a replayed source lost its place", "table %s: %s", service_input_name(stream->input), why.ptr ? why.ptr : "");
    base_buf_finish(&why);
}

void service_ingest_destroy(struct service_ingest *ingest)
{
    if (!ingest)
        return;
    cep_flow_destroy(ingest->flow);
    service_host_finish(&ingest->host);
    for (uint32_t i = 0; i < ingest->stream_count; i++) {
        put_back_held(&ingest->streams[i]);
        base_free(ingest->streams[i].nodes);
        base_buf_finish(&ingest->streams[i].before_held);
    }
    base_free(ingest->streams);
    base_free(ingest);
}
