#include "service/shard.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "service/memory.h"

#define TIMER_STEP_MS (int64_t)600000 /* event time that the timers read ahead cover, at most */
#define TIMERS_AT_ONCE 20000u         /* and how many these may be */
#define WAIT_US 50000

struct service_shard {
    struct service_engine *engine;
    struct service_shared *shared;
    uint32_t number;
    struct cep_flow *flow;
    struct service_host host;
    int64_t *marks;              /* [index of exchange * senders + sender]: latest watermark of each sender */
    int64_t *told;               /* [index of exchange]: what the flow was told */
    uint32_t *barriers;          /* [stage]: senders whose barrier came */
    int64_t timers_until_ms;     /* stored deadlines below it are armed */
    int64_t timer_step_ms;
    uint64_t settled_bytes;      /* state at the last barrier */
    uint64_t changed_bytes;      /* of it, since the last image */
    bool imaged;                 /* the store holds an image: its cache is in use */
    bool full;                   /* counted in shared->full */
    uint64_t touched;            /* keys touched up to the last barrier */
    bool told_outputs;           /* that there are some in the running epoch */
    bool took;                   /* something came in the running epoch: between a barrier and the next epoch the part belongs to the coordinator */
    struct service_unpacked unpacked;
    struct base_buf aligned;     /* key tuple of a stored timer */
    uint64_t resumed;            /* epochs whose beginning was seen */
    bool rests;                  /* the barrier has come, the next epoch has not begun */
    bool looked;                 /* at what waited from before */
    uint64_t unanswered;         /* as counted in shared->unanswered */
};

struct service_host *service_shard_host(struct service_shard *shard)
{
    return &shard->host;
}

void service_shard_stats(const struct service_shard *shard, uint32_t node, struct cep_flow_stats *ret)
{
    cep_flow_stats(shard->flow, node, ret);
}

int64_t service_shard_fired(const struct service_shard *shard)
{
    int64_t least = BASE_TIME_MAX_MS;
    for (uint32_t i = 0; i < shard->shared->plan->exchange_count; i++)
        least = shard->told[i] < least ? shard->told[i] : least;
    return shard->shared->plan->exchange_count ? least : BASE_TIME_MIN_MS;
}

int64_t service_shard_profile_floor(const struct service_shard *shard, uint32_t table)
{
    return cep_flow_profile_floor(shard->flow, table);
}

/* ---- profile tables ---- */

/* They move only between epochs, while nobody reads them: a shard that has seen the present epoch's beginning must not look before the next one's. */
static int look_at_profiles(struct service_shard *shard)
{
    uint64_t resumed = atomic_load(&shard->shared->resumed);
    if (resumed == shard->resumed || !shard->shared->profiles)
        return 0;
    shard->resumed = resumed;
    shard->rests = false;
    uint64_t generation = service_profiles_generation(shard->shared->profiles);
    int e = service_journal_moved(&shard->host.journal, generation);
    return e == 0 ? cep_flow_profiles_moved(shard->flow, generation) : e;
}

/* ---- outside tables ---- */

/* Hands on the rows that have been answered, and asks for others. What is handed on between a barrier and the next epoch would belong to neither. */
static int look_at_answers(struct service_shard *shard)
{
    bool any = !shard->looked; /* first of all for what waited when the service ended */
    if (!shard->host.lookups || shard->rests)
        return 0;
    int e = service_lookups_collect(shard->host.lookups, &any);
    shard->looked = true;
    if (e == 0 && any) {
        shard->took = true;
        e = service_journal_answered(&shard->host.journal);
    }
    if (e == 0 && any)
        e = cep_flow_answered(shard->flow);
    if (e == 0)
        e = service_lookups_flush(shard->host.lookups);
    uint64_t waiting = e == 0 ? cep_flow_unanswered(shard->flow) : 0;
    atomic_fetch_add(&shard->shared->unanswered, waiting - shard->unanswered);
    shard->unanswered = waiting;
    return e;
}

/* ---- stored timers ---- */

static int arm_timer(void *ctx, struct base_str key, struct base_str value BASE_UNUSED)
{
    struct service_shard *shard = ctx;
    struct service_timer timer;
    if (!service_timer_parse(key, &shard->aligned, &timer))
        return shard->aligned.failed ? BASE_E_NOMEM : BASE_E_CORRUPT;
    int e = cep_flow_restore_timer(shard->flow, timer.fingerprint, timer.key, timer.deadline_ms);
    return e == BASE_E_NOTFOUND ? 0 : e; /* of a rule that is gone */
}

/* Arms the stored deadlines of a key group in [from_ms, to_ms), *count of them at most; *ret_first is the first one. */
static int arm_range(struct service_shard *shard, uint32_t key_group, int64_t from_ms, int64_t to_ms, uint32_t *count, int64_t *ret_first)
{
    struct base_buf from = { 0 }, to = { 0 };
    service_timer_from(key_group, from_ms, &from);
    service_timer_from(key_group, to_ms, &to);
    struct service_range range = { .from = { from.ptr, from.len }, .to = { to.ptr, to.len } };
    struct service_cursor *cursor = NULL;
    int e = from.failed || to.failed ? BASE_E_NOMEM : service_cursor_open(shard->shared->store, SERVICE_CF_TIMERS, &range, &cursor);
    struct base_str key, value;
    while (e == 0) {
        e = service_cursor_next(cursor, &key, &value);
        if (e == 0 && ret_first) {
            struct service_timer timer;
            if (service_timer_parse(key, &shard->aligned, &timer) && timer.deadline_ms < *ret_first)
                *ret_first = timer.deadline_ms;
            break;
        }
        if (e == 0 && *count == 0)
            e = BASE_E_LIMIT;
        if (e == 0) {
            *count -= 1;
            e = arm_timer(shard, key, value);
        }
    }
    service_cursor_close(cursor);
    base_buf_finish(&from);
    base_buf_finish(&to);
    return e == BASE_E_EOF ? 0 : e;
}

static int arm_groups(struct service_shard *shard, int64_t from_ms, int64_t to_ms, uint32_t *count, int64_t *ret_first)
{
    uint32_t shards = service_exchange_shards(shard->shared->exchange);
    int e = 0;
    for (uint32_t group = shard->number; e == 0 && group < CEP_KEY_GROUPS; group += shards)
        e = arm_range(shard, group, from_ms, to_ms, count, ret_first);
    return e;
}

static int64_t later(int64_t at_ms, int64_t by_ms)
{
    int64_t sum;
    return __builtin_add_overflow(at_ms, by_ms, &sum) ? BASE_TIME_MAX_MS : sum;
}

/* Keys that must be in memory from the start are stored with deadlines before all time. */
static int arm_pinned(struct service_shard *shard)
{
    uint32_t all = UINT32_MAX;
    int e = arm_groups(shard, BASE_TIME_MIN_MS, BASE_TIME_MIN_MS + TIMER_STEP_MS, &all, NULL);
    shard->timers_until_ms = BASE_TIME_MIN_MS + TIMER_STEP_MS;
    return e;
}

/* Arms the next stored deadlines, of as long a time as holds not too many of them: from timers_until_ms, which moves behind it. Keys that are in memory have
 * armed theirs already; arming again does no harm. */
static int arm_slice(struct service_shard *shard)
{
    int64_t first_ms = BASE_TIME_MAX_MS;
    int e = arm_groups(shard, shard->timers_until_ms, BASE_TIME_MAX_MS, NULL, &first_ms);
    while (e == 0 && first_ms < BASE_TIME_MAX_MS) {
        uint32_t left = TIMERS_AT_ONCE;
        bool least = shard->timer_step_ms <= 1;
        if (least)
            left = UINT32_MAX; /* all at one instant */
        e = arm_groups(shard, first_ms, later(first_ms, shard->timer_step_ms), &left, NULL);
        if (e == BASE_E_LIMIT) {
            shard->timer_step_ms = shard->timer_step_ms / 8 + 1;
            e = 0;
            continue;
        }
        shard->timers_until_ms = later(first_ms, shard->timer_step_ms);
        if (!least && left > TIMERS_AT_ONCE / 4 * 3)
            shard->timer_step_ms = shard->timer_step_ms * 4 < TIMER_STEP_MS ? shard->timer_step_ms * 4 : TIMER_STEP_MS;
        else if (least)
            shard->timer_step_ms = 2;
        return e;
    }
    if (e == 0)
        shard->timers_until_ms = BASE_TIME_MAX_MS;
    return e;
}

/* ---- messages ---- */

static int tell_watermark(struct service_shard *shard, uint32_t exchange, int64_t watermark_ms)
{
    int e = service_journal_watermark(&shard->host.journal, exchange, watermark_ms);
    return e == 0 ? cep_flow_deliver_watermark(shard->flow, exchange, watermark_ms) : e;
}

static int take_watermark(struct service_shard *shard, uint32_t sender, const struct service_message *message)
{
    const struct service_plan *plan = shard->shared->plan;
    uint32_t shards = service_exchange_shards(shard->shared->exchange), senders = shards + 1;
    uint32_t x = plan->exchange_of[message->exchange];
    int64_t *marks = shard->marks + (size_t)x * senders;
    if (message->time_ms > marks[sender])
        marks[sender] = message->time_ms;
    int64_t least = plan->fed_by_ingest[x] ? marks[shards] : BASE_TIME_MAX_MS;
    for (uint32_t i = 0; plan->fed_by_shards[x] && i < shards; i++)
        least = marks[i] < least ? marks[i] : least;
    if (least <= shard->told[x])
        return 0;
    int e = 0;
    while (e == 0 && shard->timers_until_ms <= least && shard->timers_until_ms < BASE_TIME_MAX_MS) { /* in steps, so that not all keys come into memory at once */
        e = arm_slice(shard);
        if (e == 0 && shard->timers_until_ms <= least)
            e = tell_watermark(shard, message->exchange, shard->timers_until_ms - 1);
    }
    if (e < 0)
        return e;
    shard->told[x] = least;
    return tell_watermark(shard, message->exchange, least);
}

#define IMAGE_MOST ((uint64_t)128 << 20) /* however much room there is: the shard stands still while an image is taken from its keys, about a microsecond a key */
#define EPOCH_BYTES_LEAST ((uint64_t)1 << 20)

/* What an epoch adds cannot leave memory before the next one: so it is bounded, by a twelfth of the shard's memory. */
static void look_full(struct service_shard *shard)
{
    uint64_t bytes = cep_flow_state_bytes(shard->flow), most = shard->shared->limits.state_bytes / 12;
    uint64_t added = shard->host.part->output_bytes + shard->host.part->journal.len + (bytes > shard->settled_bytes ? bytes - shard->settled_bytes : 0);
    if (shard->full || shard->shared->limits.state_bytes == 0 || added < (most > EPOCH_BYTES_LEAST ? most : EPOCH_BYTES_LEAST))
        return;
    shard->full = true;
    atomic_fetch_add(&shard->shared->full, 1);
}

/* Where outputs are not held until an epoch's time has come, the epoch ends soon after the first one. */
static void tell_outputs(struct service_shard *shard)
{
    const struct service_engine_config *config = service_engine_config(shard->engine);
    if (!config->on_outputs || shard->told_outputs || shard->host.part->outputs.len == 0)
        return;
    shard->told_outputs = true;
    config->on_outputs(config->ctx);
}

/* Is an image due? An image is in memory until it stands in the store, so what has changed since the last one must not become as large as the state; but as long as there is less
 * state than there may be, the rest of the room is there to pass through, with the room that is there for images. Overdue: the one before is still on its way, and the threads must
 * wait for it. */
static void look_heavy(struct service_shard *shard)
{
    const struct service_shared *shared = shard->shared;
    shard->imaged |= atomic_load(&shared->image);
    uint64_t limit = shared->limits.state_bytes, changed = shard->changed_bytes, most = shared->image_growth;
    if (limit == 0)
        return;
    uint64_t room = shard->settled_bytes < limit ? limit - shard->settled_bytes + shared->image_room + (shard->imaged ? 0 : shared->store_room) : 0;
    if (room / SERVICE_IMAGE_TIMES > most)
        most = room / SERVICE_IMAGE_TIMES;
    if (most > IMAGE_MOST && most > shared->image_growth)
        most = shared->image_growth > IMAGE_MOST ? shared->image_growth : IMAGE_MOST;
    if (most < EPOCH_BYTES_LEAST)
        most = EPOCH_BYTES_LEAST;
    if (shard->settled_bytes > limit ? changed > most : changed > 2 * most)
        atomic_fetch_or(&shard->shared->heavy, SERVICE_IMAGE_DUE | SERVICE_IMAGE_OVERDUE);
    else if (shard->settled_bytes > limit || changed > most)
        atomic_fetch_or(&shard->shared->heavy, SERVICE_IMAGE_DUE);
}

static int finish_epoch(struct service_shard *shard)
{
    struct service_part *part = shard->host.part;
    uint64_t touched = cep_flow_touched(shard->flow);
    int e = shard->host.journal_lost ? BASE_E_NOMEM : 0;
    part->touched = touched != shard->touched;
    shard->touched = touched;
    service_host_tell(&shard->host);
    bool image = atomic_load(&shard->shared->image); /* the one before stands in the store whole */
    if (image)
        memset(shard->host.written, 0, SERVICE_BLOOM_BITS / 8);
    if (e == 0 && image)
        e = cep_flow_checkpoint(shard->flow, service_host_piece, &shard->host);
    service_host_pieces_end(&shard->host);
    int64_t evicted_ms = cep_flow_evicted_ms(shard->flow);
    if (evicted_ms < shard->timers_until_ms)
        shard->timers_until_ms = evicted_ms;
    shard->settled_bytes = cep_flow_state_bytes(shard->flow);
    shard->changed_bytes = cep_flow_changed_bytes(shard->flow);
    look_heavy(shard);
    if (shard->full)
        atomic_fetch_sub(&shard->shared->full, 1);
    shard->full = shard->took = shard->told_outputs = false;
    if (e == 0)
        e = cep_flow_watermarks(shard->flow, &shard->host.part->watermarks);
    if (e == 0)
        service_engine_arrive(shard->engine);
    return e;
}

static int take_barrier(struct service_shard *shard, uint32_t stage, int64_t epoch)
{
    struct service_exchange *x = shard->shared->exchange;
    uint32_t from = stage == 0 ? 1 : service_exchange_shards(x) + 1;
    if (++shard->barriers[stage] < from)
        return 0;
    shard->barriers[stage] = 0;
    int e = stage == 0 ? look_at_profiles(shard) : 0; /* what it sends must stand before this shard's own barriers */
    if (e < 0)
        return e;
    shard->rests = true;
    if (stage + 1 == service_exchange_stages(x))
        return finish_epoch(shard);
    e = service_exchange_mark(x, shard->number, stage + 1, SERVICE_MESSAGE_BARRIER, 0, epoch);
    service_exchange_flush(x, shard->number);
    return e;
}

static int deliver_row(struct service_shard *shard, const struct service_message *message)
{
    int e = service_message_unpack(message, &shard->unpacked);
    return e == 0 ? cep_flow_deliver(shard->flow, message->exchange, &shard->unpacked.event) : e;
}

#define RUN_MOST 64u /* rows handed over together */
struct run {
    struct service_shard *shard;
    const struct service_plain *messages[RUN_MOST];
    struct cep_routed rows[RUN_MOST];
    uint32_t count;
};

static int keep_rows(void *ctx, uint32_t first, uint32_t count)
{
    struct run *run = ctx;
    int e = 0;
    for (uint32_t i = first; e == 0 && i < first + count; i++)
        e = service_journal_plain(&run->shard->host.journal, run->messages[i]);
    return e;
}

/* Rows from *inout_at on that stand one behind the other, all for one exchange and as they came from their sources. */
static int take_run(struct service_shard *shard, const struct service_parcel *parcel, size_t *inout_at)
{
    struct run run = { .shard = shard };
    uint32_t exchange = ((const struct service_plain *)(const void *)(parcel->bytes.ptr + *inout_at))->exchange;
    while (run.count < RUN_MOST && *inout_at < parcel->bytes.len) {
        const struct service_plain *plain = (const struct service_plain *)(const void *)(parcel->bytes.ptr + *inout_at);
        if (plain->kind != SERVICE_MESSAGE_PLAIN || plain->exchange != exchange)
            break;
        run.messages[run.count] = plain;
        run.rows[run.count++] = (struct cep_routed){ service_plain_row(plain), service_plain_key(plain), plain->key_hash };
        *inout_at += plain->size_bytes;
    }
    shard->took = true;
    return cep_flow_deliver_rows(shard->flow, exchange, run.rows, run.count, &(struct cep_taker){ keep_rows, &run });
}

static int take_message(struct service_shard *shard, uint32_t sender, const struct service_parcel *parcel, size_t *inout_at)
{
    const struct service_message *message = (const struct service_message *)(const void *)(parcel->bytes.ptr + *inout_at);
    int e = 0;
    switch ((enum service_message_kind)message->kind) {
    case SERVICE_MESSAGE_PLAIN:
        return take_run(shard, parcel, inout_at);
    case SERVICE_MESSAGE_ROW:
        shard->took = true;
        e = service_journal_row(&shard->host.journal, message);
        if (e == 0)
            e = deliver_row(shard, message);
        break;
    case SERVICE_MESSAGE_WATERMARK:
        shard->took = true;
        e = take_watermark(shard, sender, message);
        break;
    case SERVICE_MESSAGE_BARRIER:
        e = take_barrier(shard, parcel->stage, message->time_ms);
        break;
    }
    *inout_at += message->size_bytes;
    return e;
}

static int take_parcel(struct service_shard *shard, uint32_t sender, const struct service_parcel *parcel)
{
    int e = 0;
    for (size_t at = 0; e == 0 && at < parcel->bytes.len && !service_engine_stopping(shard->engine);)
        e = take_message(shard, sender, parcel, &at);
    return e;
}

/* One parcel from each inbox, later stages first. While something of ours is parked, only stages that cannot add to it are taken in (protocol.md 1). */
static int drain_inboxes(struct service_shard *shard, bool *ret_any)
{
    struct service_exchange *x = shard->shared->exchange;
    for (uint32_t stage = service_exchange_stages(x); stage-- > 0;) {
        uint32_t parked = service_exchange_parked(x, shard->number);
        if (parked && stage + 1 < parked)
            return 0;
        for (uint32_t sender = 0; sender <= service_exchange_shards(x); sender++) {
            struct service_parcel *parcel = service_exchange_take(x, shard->number, stage, sender);
            if (!parcel)
                continue;
            *ret_any = true;
            int e = take_parcel(shard, sender, parcel);
            service_parcel_free(parcel);
            if (e < 0)
                return e;
        }
    }
    return 0;
}

/* ---- back to where it was ---- */

/* Deadlines that the store holds are in memory before a watermark reaches them, as they were when it was told for the first time. */
static int watermark_again(struct service_shard *shard, const struct service_step *step)
{
    int e = 0;
    while (e == 0 && shard->timers_until_ms <= step->value && shard->timers_until_ms < BASE_TIME_MAX_MS)
        e = arm_slice(shard);
    uint32_t x = shard->shared->plan->exchange_of[step->exchange];
    if (step->value > shard->told[x])
        shard->told[x] = step->value;
    return e == 0 ? cep_flow_deliver_watermark(shard->flow, step->exchange, step->value) : e;
}

static bool is_exchange(const struct service_shard *shard, uint32_t node)
{
    const struct cep_program *program = shard->shared->program;
    return node < cep_program_node_count(program) && cep_program_node(program, node)->kind == CEP_NODE_EXCHANGE;
}

static int epoch_again(void *ctx, uint64_t epoch BASE_UNUSED, const char *bytes, size_t len)
{
    struct service_shard *shard = ctx;
    struct service_step step;
    service_journal_open(&shard->host.journal, bytes, len);
    int e = 0;
    while (e == 0 && (e = service_journal_next(&shard->host.journal, &step)) == 0) {
        switch (step.kind) {
        case SERVICE_STEP_ROW:
            e = !is_exchange(shard, step.exchange) ? BASE_E_CORRUPT
                : step.message                     ? deliver_row(shard, step.message)
                                                   : cep_flow_deliver(shard->flow, step.exchange, &step.event);
            break;
        case SERVICE_STEP_WATERMARK:
            e = is_exchange(shard, step.exchange) ? watermark_again(shard, &step) : BASE_E_CORRUPT;
            break;
        case SERVICE_STEP_MOVED: /* another number than any that will be told from now on */
            e = cep_flow_profiles_moved(shard->flow, (uint64_t)step.value | 1ull << 63);
            break;
        case SERVICE_STEP_ANSWERED:
            e = cep_flow_answered(shard->flow);
            break;
        }
        if (service_engine_stopping(shard->engine))
            return BASE_E_CLOSED;
    }
    return e == BASE_E_EOF ? 0 : e;
}

/* From the last image of the state to the end of the last decided epoch. */
static int go_through_journal(struct service_shard *shard)
{
    const struct service_engine_config *config = service_engine_config(shard->engine);
    int e = service_journal_each(shard->shared->store, shard->number, config->image, config->decided, epoch_again, shard);
    shard->host.journal.reads = false;
    cep_flow_ask_again(shard->flow);
    service_host_use_part(&shard->host, shard->host.part);
    shard->settled_bytes = cep_flow_state_bytes(shard->flow);
    shard->touched = cep_flow_touched(shard->flow);
    return e;
}

void *service_shard_main(void *arg)
{
    struct service_shard *shard = arg;
    struct service_exchange *x = shard->shared->exchange;
    int gone = go_through_journal(shard);
    if (gone < 0)
        service_engine_fail(shard->engine, gone, "the journal of a shard cannot be gone through", "restore a savepoint, or remove the state folder and replay");
    if (gone < 0)
        return NULL;
    while (!service_engine_stopping(shard->engine)) {
        bool any = false;
        int e = look_at_profiles(shard);
        if (e == 0)
            e = drain_inboxes(shard, &any);
        if (e == 0)
            e = look_at_answers(shard);
        if (e == BASE_E_CLOSED && service_engine_stopping(shard->engine))
            break;
        if (e < 0) {
            service_engine_fail(shard->engine, e, "a shard cannot go on", NULL);
            break;
        }
        service_host_tell(&shard->host);
        if (any && shard->took) {
            look_full(shard);
            tell_outputs(shard);
        }
        service_exchange_flush(x, shard->number);
        if (!any)
            service_exchange_wait(x, shard->number, service_exchange_parked(x, shard->number) ? 1000 : WAIT_US);
    }
    return NULL;
}

/* ---- life ---- */

static int make_flow(struct service_shard *shard, struct base_str watermarks)
{
    struct cep_env env = service_host_env(&shard->host);
    int e = cep_flow_create(shard->shared->linked, &env, &shard->shared->limits, &shard->flow);
    if (e == 0 && watermarks.len)
        e = cep_flow_restore_watermarks(shard->flow, watermarks.ptr, watermarks.len);
    /* What stands before the first exchange runs in ingest: here those sources are at their end, so that a union of both sides looks at the exchange alone. */
    const struct cep_program *program = shard->shared->program;
    for (uint32_t i = 0; e == 0 && i < cep_program_node_count(program); i++) {
        if (cep_program_node(program, i)->kind == CEP_NODE_SOURCE)
            e = cep_flow_source_watermark(shard->flow, i, BASE_TIME_MAX_MS);
    }
    return e == 0 ? arm_pinned(shard) : e;
}

int service_shard_create(struct service_engine *engine, uint32_t number, struct base_str watermarks, struct service_shard **ret,
                         struct base_buf *reterr)
{
    struct service_shard *shard = base_calloc(1, sizeof *shard);
    if (!shard)
        return BASE_E_NOMEM;
    shard->engine = engine;
    shard->shared = service_engine_shared(engine);
    shard->number = number;
    shard->timers_until_ms = BASE_TIME_MIN_MS;
    shard->timer_step_ms = TIMER_STEP_MS;
    shard->imaged = service_engine_config(engine)->image > 0;
    const struct service_plan *plan = shard->shared->plan;
    uint32_t senders = service_exchange_shards(shard->shared->exchange) + 1;
    size_t marks = (size_t)(plan->exchange_count + 1) * senders;
    shard->marks = base_calloc(marks, sizeof *shard->marks);
    shard->told = base_calloc(plan->exchange_count + 1, sizeof *shard->told);
    shard->barriers = base_calloc(service_exchange_stages(shard->shared->exchange), sizeof *shard->barriers);
    int e = shard->marks && shard->told && shard->barriers ? service_host_init(&shard->host, shard->shared, number, reterr) : BASE_E_NOMEM;
    for (size_t i = 0; e == 0 && i < marks; i++)
        shard->marks[i] = BASE_TIME_MIN_MS;
    for (uint32_t i = 0; e == 0 && i <= plan->exchange_count; i++)
        shard->told[i] = BASE_TIME_MIN_MS;
    if (e == 0)
        e = make_flow(shard, watermarks);
    if (e < 0) {
        service_shard_destroy(shard);
        return e;
    }
    *ret = shard;
    return 0;
}

void service_shard_destroy(struct service_shard *shard)
{
    if (!shard)
        return;
    cep_flow_destroy(shard->flow);
    service_host_finish(&shard->host);
    service_unpacked_finish(&shard->unpacked);
    base_buf_finish(&shard->aligned);
    base_free(shard->marks);
    base_free(shard->told);
    base_free(shard->barriers);
    base_free(shard);
}
