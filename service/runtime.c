#include "service/runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cond.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "service/memory.h"
#include "service/runtime_internal.h"
#include "service/views.h"

#define BARRIER_MS 1000
#define PROMPT_US 1000 /* at-least-once: from the first output of an epoch to its end */
#define LETTER_BYTES ((size_t)64 << 20)
#define PURGE_US 30000000
#define FACTS_US 500000
#define TELL_US 5000000

static bool stopping(void *ctx)
{
    struct service_runtime *rt = ctx;
    return atomic_load(&rt->stopping);
}

void service_runtime_problem(void *ctx, const struct cep_record *record, const struct formats_problem *problem)
{
    struct service_runtime *rt = ctx;
    if (problem->ignored) {
        service_count(&rt->metrics, SERVICE_METRIC_PARTIAL, 1);
        return;
    }
    service_count(&rt->metrics, SERVICE_METRIC_MALFORMED, 1);
    service_letters_record(rt->letters, problem->table, record, problem->code, problem->reason);
}

struct service_input_config service_runtime_input_config(struct service_runtime *rt, const struct cep_program *program, uint32_t table)
{
    return (struct service_input_config){ .program = program, .table = table, .application_id = rt->settings->text[SERVICE_APPLICATION_ID],
                                          .on_problem = service_runtime_problem, .ctx = rt, .opener = service_pushes_open, .opener_ctx = rt->pushes };
}

struct service_profiles_config service_runtime_profiles_config(struct service_runtime *rt, const struct cep_program *program)
{
    return (struct service_profiles_config){ .program = program, .application_id = rt->settings->text[SERVICE_APPLICATION_ID],
                                             .poll_ms = rt->settings->number[SERVICE_PROFILE_POLL], .on_problem = service_runtime_problem, .ctx = rt };
}

bool service_runtime_streams(const struct cep_program *program, uint32_t table)
{
    for (uint32_t i = 0; i < cep_program_node_count(program); i++) {
        const struct cep_node *node = cep_program_node(program, i);
        if (node->kind == CEP_NODE_SOURCE && node->detail == table)
            return true;
    }
    return false;
}

static void set_ready(struct service_runtime *rt, bool ready, const char *why)
{
    pthread_mutex_lock(&rt->lock);
    rt->ready = ready;
    snprintf(rt->not_ready, sizeof rt->not_ready, "%s", ready ? "" : why);
    pthread_mutex_unlock(&rt->lock);
    service_gauge(&rt->metrics, SERVICE_METRIC_READY, ready);
}

/* ---- the engine ---- */

void service_runtime_fill_shared(struct service_runtime *rt, struct service_shared *shared)
{
    const int64_t *n = rt->settings->number;
    struct service_memory memory = service_memory_shares((uint64_t)n[SERVICE_STATE_MEMORY]);
    shared->linked = rt->set->linked;
    shared->program = rt->set->program;
    shared->plan = &rt->set->plan;
    shared->profiles = rt->profiles;
    shared->store = rt->store;
    shared->imager = service_epochs_imager(rt->epochs);
    shared->metrics = &rt->metrics;
    shared->rules = rt->set->stats;
    shared->letters = rt->letters;
    shared->source = rt->source;
    shared->allow_private = n[SERVICE_WEBHOOK_PRIVATE] != 0;
    shared->known = rt->known;
    shared->alert_bytes = (size_t)n[SERVICE_LIMIT_EVIDENCE_BYTES];
    shared->image_growth = memory.image / rt->shards;
    shared->image_room = memory.room / rt->shards;
    shared->store_room = memory.store / 2 / rt->shards;
    shared->limits = (struct cep_limits){
        .state_bytes = memory.keys / rt->shards,
        .rows_per_key = (uint32_t)n[SERVICE_LIMIT_ROWS], .threads_per_key = (uint32_t)n[SERVICE_LIMIT_THREADS],
        .tail_rows = (uint32_t)n[SERVICE_STATE_TAIL_ROWS], .evidence_rows = (uint32_t)n[SERVICE_LIMIT_EVIDENCE],
        .output_per_row = (uint32_t)n[SERVICE_LIMIT_OUTPUT],
    };
}

static void on_outputs(void *ctx)
{
    struct service_runtime *rt = ctx;
    pthread_mutex_lock(&rt->lock);
    rt->outputs_wait = true;
    pthread_cond_broadcast(&rt->changed);
    pthread_mutex_unlock(&rt->lock);
}

int service_runtime_make_engine(struct service_runtime *rt, struct base_buf *reterr)
{
    int e = service_epochs_last(rt->store, &rt->record);
    bool first = e == BASE_E_NOTFOUND;
    if (e < 0 && !first) {
        base_buf_printf(reterr, "the record of the last epoch cannot be read: %s", base_error_text(e));
        return e;
    }
    if (first)
        rt->record = (struct service_epoch_record){ .bytes = rt->record.bytes };
    uint64_t decided = first ? 0 : rt->record.number, image = decided;
    if (rt->next_epoch < decided + 1)
        rt->next_epoch = decided + 1;
    struct base_str watermarks = rt->record.shard_watermarks;
    e = service_runtime_open_journal(rt, decided, &image, &watermarks, reterr);
    if (e < 0)
        return e;
    struct service_engine_config config = {
        .shards = rt->shards, .queue = (uint32_t)rt->settings->number[SERVICE_EXCHANGE_BATCHES],
        .batch = (uint32_t)rt->settings->number[SERVICE_INGEST_RECORDS], .idle_ms = rt->settings->number[SERVICE_IDLE_TIMEOUT],
        .inputs = rt->inputs.at, .input_count = (uint32_t)rt->inputs.len, .shard_watermarks = watermarks,
        .ingest_watermarks = rt->record.ingest_watermarks, .epoch = rt->next_epoch, .image = image, .decided = decided,
        .on_outputs = rt->prompt ? on_outputs : NULL, .ctx = rt,
    };
    service_runtime_fill_shared(rt, &config.shared);
    atomic_store(&config.shared.applied, rt->next_epoch - 1);
    e = service_engine_create(&config, &rt->engine, reterr);
    if (e == 0)
        e = service_engine_start(rt->engine);
    if (e < 0 && !reterr->len)
        base_buf_printf(reterr, "the engine cannot start: %s", base_error_text(e));
    if (e < 0) {
        service_engine_destroy(rt->engine);
        rt->engine = NULL;
    }
    return e;
}

/* Positions of an input in the record of an epoch, by name. */
static bool find_positions(const struct service_epoch_record *record, const char *name, struct base_str *ret)
{
    struct base_reader in = base_reader_of(record->positions.ptr, record->positions.len);
    uint64_t count = base_read_varint(&in);
    for (uint64_t i = 0; i < count && !in.failed; i++) {
        struct base_str who = base_read_bytes(&in);
        struct base_str what = base_read_bytes(&in);
        if (!in.failed && base_str_equal(who, base_str_of(name))) {
            *ret = what;
            return true;
        }
    }
    return false;
}

static int seek_inputs(struct service_runtime *rt, bool rewind, struct base_buf *reterr)
{
    int e = service_epochs_last(rt->store, &rt->record);
    bool first = e == BASE_E_NOTFOUND;
    if (e < 0 && !first)
        return e;
    e = 0;
    for (size_t i = 0; e == 0 && i < rt->inputs.len; i++) {
        struct base_str positions;
        if (!first && find_positions(&rt->record, service_input_name(rt->inputs.at[i]), &positions)) {
            struct base_reader in = base_reader_of(positions.ptr, positions.len);
            e = service_input_restore(rt->inputs.at[i], &in, reterr);
        } else if (rewind) {
            e = service_input_rewind(rt->inputs.at[i], reterr);
        }
    }
    return e;
}

static int open_inputs(struct service_runtime *rt, struct base_buf *reterr)
{
    const struct cep_program *program = rt->set->program;
    for (uint32_t i = 0; i < cep_program_table_count(program); i++) {
        if (!service_runtime_streams(program, i))
            continue;
        struct service_input_config config = service_runtime_input_config(rt, program, i);
        struct service_input *input = NULL;
        int e = service_input_open(&config, &input, reterr);
        if (e < 0)
            return e;
        if (!BASE_VEC_PUSH(&rt->inputs, input)) {
            service_input_close(input);
            return BASE_E_NOMEM;
        }
    }
    return seek_inputs(rt, false, reterr);
}

/* ---- profiles ---- */

static int put_profile(void *ctx, const struct service_profile_change *change)
{
    struct service_runtime *rt = ctx;
    struct base_buf key = { 0 };
    base_buf_puts(&key, change->identity);
    base_buf_put(&key, change->key, change->key->size_bytes);
    if (change->versioned) /* each version stands for itself */
        base_buf_put_u64(&key, (uint64_t)change->time_ms);
    struct base_str at = { key.ptr, key.len };
    int e = key.failed    ? BASE_E_NOMEM
            : change->row ? service_batch_put(rt->extra, SERVICE_CF_PROFILES, SERVICE_STORE_NO_GROUP, at,
                                              (struct base_str){ (const char *)change->row, cep_row_size(change->row) })
                          : service_batch_delete(rt->extra, SERVICE_CF_PROFILES, SERVICE_STORE_NO_GROUP, at);
    base_buf_finish(&key);
    return e;
}

struct restoring { struct service_profiles *profiles; uint32_t i; };

static int restore_row(void *ctx, struct base_str key BASE_UNUSED, struct base_str value)
{
    struct restoring *r = ctx;
    return service_profiles_restore_row(r->profiles, r->i, value.ptr, value.len);
}

/* What keeps profile tables from being loaded, for /readyz. */
static void say_why_not(struct service_runtime *rt)
{
    for (uint32_t i = 0; i < service_profiles_count(rt->profiles); i++) {
        struct service_profile_stats stats;
        char trouble[180], why[256];
        service_profiles_stats(rt->profiles, i, &stats, trouble, sizeof trouble);
        if (!trouble[0])
            continue;
        snprintf(why, sizeof why, "loading profile tables: %.40s: %s", stats.name, trouble);
        set_ready(rt, false, why);
        return;
    }
}

/* The profile tables as of the last decided epoch, then read on to the present. */
static int open_profiles(struct service_runtime *rt, struct base_buf *reterr)
{
    struct service_profiles_config config = service_runtime_profiles_config(rt, rt->set->program);
    int e = service_profiles_create(&config, &rt->profiles, reterr);
    for (uint32_t i = 0; e == 0 && i < service_profiles_count(rt->profiles); i++) {
        const char *identity = service_profiles_identity(rt->profiles, i);
        struct restoring restoring = { rt->profiles, i };
        if (identity)
            e = service_store_each(rt->store, SERVICE_CF_PROFILES, base_str_of(identity), restore_row, &restoring);
        if (e < 0)
            base_buf_printf(reterr, "a stored profile row does not fit its table: %s", base_error_text(e));
    }
    if (e == 0 && service_epochs_last(rt->store, &rt->record) == 0 && rt->record.profile_positions.len) {
        struct base_str at = rt->record.profile_positions;
        struct base_reader in = base_reader_of(at.ptr, at.len);
        e = service_profiles_restore(rt->profiles, &in, reterr);
    }
    bool ready = e == 0 && service_profiles_count(rt->profiles) == 0, any = false;
    while (e == 0 && !ready && !stopping(rt)) {
        e = service_profiles_poll(rt->profiles, 100, &ready, reterr);
        say_why_not(rt);
    }
    return e == 0 ? service_profiles_apply(rt->profiles, put_profile, rt, &any) : e;
}

static void *load_profiles(void *arg)
{
    struct service_runtime *rt = arg;
    struct timespec pause = { .tv_nsec = 20000000 };
    while (!stopping(rt)) {
        struct base_buf why = { .limit = 4096 };
        bool ready;
        pthread_mutex_lock(&rt->loader_lock);
        int e = rt->profiles ? service_profiles_poll(rt->profiles, 10, &ready, &why) : 0;
        pthread_mutex_unlock(&rt->loader_lock);
        if (e < 0)
            base_logf(BASE_LOG_ERROR, "profiles", "profile tables cannot be read on; the last good rows stay", "%s", why.ptr ? why.ptr : base_error_text(e));
        base_buf_finish(&why);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Deadlines that have fired are of no more use. They go with the image: whoever goes through the journals in front of it needs them again. */
static int purge_timers(struct service_runtime *rt)
{
    int64_t now_us = base_clock_mono_us(), fired_ms = service_engine_fired(rt->engine);
    if (now_us < rt->purge_at_us || fired_ms == BASE_TIME_MIN_MS || fired_ms == BASE_TIME_MAX_MS)
        return 0;
    rt->purge_at_us = now_us + PURGE_US;
    int e = 0;
    for (uint32_t group = 0; e == 0 && group < CEP_KEY_GROUPS; group++) {
        struct base_buf from = { 0 }, to = { 0 };
        service_timer_from(group, CEP_AT_START + 1, &from);
        service_timer_from(group, fired_ms + 1, &to);
        e = from.failed || to.failed ? BASE_E_NOMEM
                                     : service_batch_delete_range(rt->purge, SERVICE_CF_TIMERS, group, (struct base_str){ from.ptr, from.len },
                                                                  (struct base_str){ to.ptr, to.len });
        base_buf_finish(&from);
        base_buf_finish(&to);
    }
    return e;
}

/* ---- epochs ---- */

/* Where the store decides, Kafka is told now and then how far we are, so that its tools show the lag. The offsets of the epoch before are decided. */
static void tell_offsets(struct service_runtime *rt)
{
    int64_t now_us = base_clock_mono_us();
    if (service_epochs_by_kafka(rt->epochs) || now_us < rt->tell_at_us || rt->offsets.len == 0)
        return;
    rt->tell_at_us = now_us + TELL_US;
    for (size_t i = 0; i < rt->inputs.len; i++) {
        struct connectors_kafka_source *kafka = service_input_kafka(rt->inputs.at[i]);
        for (size_t k = 0; kafka && k < rt->offsets.len; k++) {
            uint32_t partition = connectors_kafka_source_find(kafka, rt->offsets.at[k].topic, rt->offsets.at[k].partition);
            struct connectors_kafka_start at = { partition, rt->offsets.at[k].offset };
            if (partition != UINT32_MAX && connectors_kafka_source_commit(kafka, &at, 1, NULL) < 0)
                return; /* only the display suffers; tried again later */
        }
    }
}

static int collect_offsets(struct service_runtime *rt)
{
    tell_offsets(rt);
    rt->offsets.len = 0;
    for (size_t i = 0; i < rt->inputs.len; i++) {
        struct connectors_kafka_source *kafka = service_input_kafka(rt->inputs.at[i]);
        for (uint32_t k = 0; kafka && k < connectors_kafka_source_partitions(kafka); k++) {
            const struct connectors_kafka_partition *p = connectors_kafka_source_partition(kafka, k);
            struct service_offset offset = { p->topic, p->topic_partition, p->next_offset };
            if (p->started && p->next_offset >= 0 && !BASE_VEC_PUSH(&rt->offsets, offset))
                return BASE_E_NOMEM;
        }
    }
    return 0;
}

static void look_ready(struct service_runtime *rt)
{
    for (size_t i = 0; i < rt->inputs.len; i++) {
        if (!service_input_ready(rt->inputs.at[i])) {
            char why[256];
            snprintf(why, sizeof why, "table %s is not read yet: %s", service_input_name(rt->inputs.at[i]),
                     service_input_trouble(rt->inputs.at[i], NULL));
            set_ready(rt, false, why);
            return;
        }
    }
    set_ready(rt, true, "");
}

/* Versions of profiles that no row will ask for any more. At rest. */
static int sweep_profiles(struct service_runtime *rt)
{
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < service_profiles_count(rt->profiles); i++) {
        uint32_t table = service_profiles_versioned(rt->profiles, i);
        if (table != CEP_NONE)
            e = service_profiles_sweep(rt->profiles, i, service_engine_profile_floor(rt->engine, table), put_profile, rt);
    }
    return e;
}

/* At rest: everything that belongs to this epoch and is not in the parts. */
static int collect(struct service_runtime *rt, bool image)
{
    bool any;
    service_epochs_collect(rt->epochs);
    for (size_t i = 0; i < rt->inputs.len; i++)
        service_pushes_mark(rt->pushes, rt->inputs.at[i]);
    int e = collect_offsets(rt);
    if (e == 0)
        e = service_profiles_apply(rt->profiles, put_profile, rt, &any);
    if (e == 0)
        e = sweep_profiles(rt);
    base_buf_clear(&rt->profile_positions);
    service_profiles_save(rt->profiles, &rt->profile_positions);
    if (e == 0)
        e = rt->profile_positions.failed ? BASE_E_NOMEM : image ? purge_timers(rt) : 0;
    look_ready(rt);
    int64_t now_us = base_clock_mono_us();
    if (now_us >= rt->facts_at_us) {
        rt->facts_at_us = now_us + FACTS_US;
        service_runtime_gather(rt);
    }
    return e;
}

static int barrier(struct service_runtime *rt, struct service_epoch *epoch, struct base_buf *reterr)
{
    int64_t begun_us = base_clock_mono_us();
    bool told = false;
    for (;;) {
        int e = service_engine_barrier(rt->engine, BARRIER_MS, &epoch->parts, &epoch->part_count, reterr);
        int64_t took_us = base_clock_mono_us() - begun_us;
        if (e == 0)
            service_observe(&rt->metrics, SERVICE_METRIC_BARRIER_SECONDS, took_us);
        if (e != BASE_E_TIMEOUT)
            return e;
        if (took_us > 10000000 && !told) {
            told = true;
            base_logf(BASE_LOG_WARN, "epochs", "the shards need long to reach the end of an epoch", "epoch %" PRIu64, rt->next_epoch);
        }
    }
}

static struct service_swap *swap_wanted(struct service_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    struct service_swap *swap = rt->swap;
    pthread_mutex_unlock(&rt->lock);
    return swap;
}

static void swap_done(struct service_runtime *rt, struct service_swap *swap, int result)
{
    pthread_mutex_lock(&rt->lock);
    if (result < 0)
        swap->result = result;
    swap->done = true;
    rt->swap = NULL;
    pthread_cond_broadcast(&rt->changed);
    pthread_mutex_unlock(&rt->lock);
}

/* Is all state written down in this epoch, so that no journal is needed behind it? What moves the store elsewhere, or replaces the engine, asks for that (*ret_whole: and
 * waits until all of it stands in the store). An image that is only due waits for the one before, unless it is overdue. */
static int wants_image(struct service_runtime *rt, bool last, bool *ret_image, bool *ret_whole, struct base_buf *reterr)
{
    uint64_t most = (uint64_t)rt->settings->number[SERVICE_STATE_JOURNAL];
    uint32_t heavy = service_engine_heavy(rt->engine);
    bool rests = false;
    pthread_mutex_lock(&rt->lock);
    *ret_whole = last || rt->swap || rt->checkpoint;
    pthread_mutex_unlock(&rt->lock);
    bool due = *ret_whole || heavy || rt->journal_bytes >= most;
    bool overdue = *ret_whole || (heavy & SERVICE_IMAGE_OVERDUE) || rt->journal_bytes / 2 >= most;
    int e = service_epochs_look_at_image(rt->epochs, overdue, &rests, reterr);
    *ret_image = due && rests;
    if (rests)
        rt->journal_waits = 0;
    return e;
}

static void count_journal(struct service_runtime *rt, const struct service_epoch *epoch)
{
    for (uint32_t i = 0; i < epoch->part_count && (!epoch->image || epoch->aside); i++)
        rt->journal_bytes += epoch->parts[i]->journal.len;
    if (epoch->image) {
        rt->journal_waits = epoch->aside ? rt->journal_bytes : 0;
        rt->journal_bytes = 0;
    }
    service_count(&rt->metrics, SERVICE_METRIC_IMAGES, epoch->image);
    service_gauge(&rt->metrics, SERVICE_METRIC_JOURNAL_BYTES, rt->journal_bytes + rt->journal_waits);
    rt->head_due = false;
}

/* Everything that belongs to the epoch, at rest behind its barrier, up to the next one's beginning. */
static int gather_epoch(struct service_runtime *rt, struct service_epoch *epoch, struct base_buf *reterr)
{
    int e = barrier(rt, epoch, reterr);
    if (e == 0)
        e = collect(rt, epoch->image);
    epoch->purge = rt->purge;
    if (e == 0)
        e = service_epochs_offer(rt->epochs, epoch);
    rt->purge = epoch->purge; /* if that took it, it gave another one */
    epoch->offsets = rt->offsets.at;
    epoch->offset_count = rt->offsets.len;
    epoch->profile_positions = (struct base_str){ rt->profile_positions.ptr, rt->profile_positions.len };
    epoch->fingerprints = (struct base_str){ rt->fingerprints.ptr, rt->fingerprints.len };
    if (rt->head_due) {
        epoch->journal_head = (struct base_str){ rt->journal_head.ptr, rt->journal_head.len };
        epoch->first_journal = rt->first_journal;
        epoch->first_image = rt->first_image;
        epoch->first_watermarks = (struct base_str){ rt->image_watermarks.ptr, rt->image_watermarks.len };
    }
    return e;
}

/* One epoch, from barrier to application. The threads go on as soon as they have written down what changed, unless a swap or the end waits for the decision. */
static int run_epoch(struct service_runtime *rt, bool last, struct base_buf *reterr)
{
    struct service_epoch epoch = { .number = rt->next_epoch, .profiles = rt->extra };
    int64_t begun_us = base_clock_mono_us();
    pthread_mutex_lock(&rt->lock);
    rt->outputs_wait = false;
    pthread_mutex_unlock(&rt->lock);
    bool whole = false, rests = false, empty = false;
    int e = wants_image(rt, last, &epoch.image, &whole, reterr);
    if (e < 0)
        return e;
    epoch.sync = !rt->prompt || last || service_pushes_any(rt->pushes);
    epoch.journaled = rt->journal_bytes > 0;
    service_engine_want_image(rt->engine, epoch.image);
    e = gather_epoch(rt, &epoch, reterr);
    if (e < 0)
        return e;
    struct service_swap *swap = whole ? swap_wanted(rt) : NULL; /* one that came meanwhile waits for the next epoch */
    rt->next_epoch++;
    if (!swap && !last)
        service_engine_resume(rt->engine);
    e = service_epochs_commit(rt->epochs, &epoch, &empty, reterr);
    if (e == 0 && whole)
        e = service_epochs_look_at_image(rt->epochs, true, &rests, reterr);
    if (e < 0)
        return e;
    service_batch_clear(rt->extra);
    service_batch_clear(rt->purge);
    rt->aborts_in_row = 0;
    if (!empty)
        count_journal(rt, &epoch);
    service_engine_applied(rt->engine, epoch.number);
    for (uint32_t i = 0; i < epoch.part_count; i++) /* the threads write into the other set meanwhile, or rest */
        service_part_clear(epoch.parts[i]);
    service_pushes_decided(rt->pushes);
    if (whole)
        service_runtime_checkpoint(rt);
    if (empty)
        service_count(&rt->metrics, SERVICE_METRIC_EPOCHS_EMPTY, 1);
    else
        service_observe(&rt->metrics, SERVICE_METRIC_EPOCH_SECONDS, base_clock_mono_us() - begun_us);
    if (swap) {
        rt->offsets.len = 0; /* their topics' names may go with an input */
        service_runtime_do_swap(rt, swap);
        swap_done(rt, swap, 0);
        if (!rt->engine)
            return BASE_E_CONFLICT;
        rt->facts_at_us = 0; /* gathered at the next boundary: the new engine runs already */
        return service_runtime_forget_gone(rt);
    }
    return 0;
}

static void close_inputs(struct service_runtime *rt)
{
    for (size_t i = 0; i < rt->inputs.len; i++)
        service_input_close(rt->inputs.at[i]);
    rt->inputs.len = 0;
}

/* An abort is a restart without exit (protocol.md 5): all that was not decided is thrown away, all that was is read again. */
static int restart(struct service_runtime *rt, struct base_buf *reterr)
{
    service_engine_destroy(rt->engine);
    rt->engine = NULL;
    service_batch_clear(rt->extra);
    service_batch_clear(rt->purge);
    rt->offsets.len = 0;
    service_epochs_collect(rt->epochs);
    int e = service_epochs_abort(rt->epochs, reterr);
    if (e == 0)
        e = service_alertlog_refresh(rt->log, reterr);
    if (e < 0)
        return e;
    pthread_mutex_lock(&rt->loader_lock);
    service_profiles_destroy(rt->profiles);
    rt->profiles = NULL;
    e = open_profiles(rt, reterr);
    pthread_mutex_unlock(&rt->loader_lock);
    if (e == 0)
        e = seek_inputs(rt, true, reterr);
    if (e == 0)
        e = service_runtime_make_engine(rt, reterr);
    return e == 0 ? service_runtime_forget_gone(rt) : e;
}

static int abort_epoch(struct service_runtime *rt, const char *why)
{
    set_ready(rt, false, "restarting from the last decided epoch");
    for (;;) {
        service_count(&rt->metrics, SERVICE_METRIC_ABORTS, 1);
        base_log(BASE_LOG_ERROR, "epochs", "an epoch failed; starting again from the last decided one", "cause", why, NULL);
        int64_t wait_ms = rt->aborts_in_row ? 100ll << (rt->aborts_in_row < 7 ? rt->aborts_in_row : 7) : 0;
        rt->aborts_in_row++;
        for (; wait_ms > 0 && !stopping(rt); wait_ms -= 50)
            nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
        if (stopping(rt))
            return BASE_E_CLOSED;
        struct base_buf error = { .limit = 8192 };
        int e = restart(rt, &error);
        if (e == BASE_E_FENCED)
            base_log(BASE_LOG_ERROR, "epochs", "another process decides the epochs of this application now", "cause", error.ptr ? error.ptr : "", NULL);
        if (e == 0 || e == BASE_E_FENCED) {
            base_buf_finish(&error);
            return e;
        }
        base_log(BASE_LOG_ERROR, "epochs", "the restart failed, trying again", "cause", error.len ? error.ptr : base_error_text(e), NULL);
        base_buf_finish(&error);
        why = "the restart failed";
    }
}

/* Waits for the next epoch's time, a stop, a swap or an error of the engine. */
static void wait_tick(struct service_runtime *rt, int64_t until_us)
{
    while (base_clock_mono_us() < until_us && !stopping(rt) && !service_engine_error(rt->engine, NULL) && !service_engine_full(rt->engine)) {
        int64_t left_us = until_us - base_clock_mono_us();
        if (left_us <= 0)
            break;
        struct timespec until = base_cond_deadline(left_us > 20000 ? 20000 : left_us);
        pthread_mutex_lock(&rt->lock);
        if (!rt->swap && !rt->outputs_wait)
            (void)pthread_cond_timedwait(&rt->changed, &rt->lock, &until);
        bool swap = rt->swap != NULL, outputs = rt->outputs_wait;
        pthread_mutex_unlock(&rt->lock);
        if (swap)
            return;
        if (outputs && until_us > base_clock_mono_us() + PROMPT_US)
            until_us = base_clock_mono_us() + PROMPT_US; /* what comes close behind goes along */
        if (outputs)
            nanosleep(&(struct timespec){ .tv_nsec = PROMPT_US * 500 }, NULL);
    }
}

#define QUIET_EPOCHS 2 /* with outside tables: rows may be on their way from one shard's lookup to another's */

/* Have all inputs ended, and all rows been answered? quiet: epochs for which that was so. */
static bool at_end(const struct service_runtime *rt, uint32_t *quiet)
{
    if (!rt->config.exit_at_end || !service_engine_at_end(rt->engine))
        return false;
    *quiet = service_engine_unanswered(rt->engine) == 0 ? *quiet + 1 : 0;
    return !service_engine_asks(rt->engine) || *quiet > QUIET_EPOCHS;
}

#define FIRST_EPOCH_US 2000

/* Until the next epoch. The first is at once, the next ones come sooner, each at twice the distance: at their boundaries is seen whether we are ready, which
 * /readyz tells. */
static int64_t epoch_distance_us(const struct service_runtime *rt, int64_t *inout_early_us)
{
    int64_t interval_us = rt->settings->number[SERVICE_COMMIT_INTERVAL] * 1000;
    *inout_early_us = rt->ready || *inout_early_us >= interval_us / 2 ? interval_us : *inout_early_us * 2;
    return *inout_early_us;
}

static int drive(struct service_runtime *rt, struct base_buf *reterr)
{
    uint32_t quiet = 0;
    int64_t early_us = FIRST_EPOCH_US / 2;
    int64_t next_us = base_clock_mono_us(); /* a source that waits for its first record would hold up a barrier that comes later */
    for (bool last = false; !last;) {
        wait_tick(rt, next_us);
        next_us = base_clock_mono_us() + epoch_distance_us(rt, &early_us);
        last = stopping(rt) || at_end(rt, &quiet);
        base_buf_clear(reterr);
        int e = run_epoch(rt, last, reterr);
        if (e == BASE_E_FENCED)
            return e;
        if (e < 0) {
            struct service_swap *swap = swap_wanted(rt);
            if (swap)
                swap_done(rt, swap, BASE_E_BUSY);
            if (last && stopping(rt))
                return e == BASE_E_CLOSED ? 0 : e;
            e = abort_epoch(rt, reterr->len ? reterr->ptr : base_error_text(e));
            last = false;
            if (e == BASE_E_CLOSED)
                return 0;
            if (e < 0)
                return e;
        }
    }
    return 0;
}

/* ---- life ---- */

#define KNOWN_BITS (1ull << 27) /* of all shards together: 16 MiB */

/* Filters of stored keys, if there are none yet. */
static int make_known(struct service_runtime *rt)
{
    struct service_range all = { 0 };
    struct service_cursor *cursor = NULL;
    struct base_str key, value;
    int e = service_cursor_open(rt->store, SERVICE_CF_STATE, &all, &cursor);
    if (e == 0)
        e = service_cursor_next(cursor, &key, &value);
    service_cursor_close(cursor);
    if (e != BASE_E_EOF)
        return e;
    rt->known = base_calloc(rt->shards, sizeof *rt->known);
    uint64_t bits = KNOWN_BITS;
    while (bits * rt->shards > KNOWN_BITS)
        bits /= 2;
    for (uint32_t i = 0; rt->known && i < rt->shards; i++) {
        rt->known[i].mask = bits - 1;
        rt->known[i].bits = base_calloc(bits / 64, sizeof *rt->known[i].bits); /* NULL: that shard asks the store */
    }
    return 0;
}

static int start(struct service_runtime *rt, struct base_buf *reterr)
{
    struct service_epochs_config epochs = { .config = rt->settings, .store = rt->store, .log = rt->log, .letters = rt->letters, .metrics = &rt->metrics,
                                            .stop = stopping, .ctx = rt };
    int e = service_epochs_open(&epochs, &rt->epochs, reterr);
    set_ready(rt, false, "waiting for the brokers that decide epochs");
    if (e == 0)
        e = service_epochs_bind(rt->epochs, rt->set->program, reterr);
    if (e == 0)
        e = service_alertlog_refresh(rt->log, reterr);
    if (e == 0)
        e = service_runtime_settle(rt, reterr);
    set_ready(rt, false, "loading profile tables");
    if (e == 0)
        e = open_profiles(rt, reterr);
    if (e == 0)
        e = open_inputs(rt, reterr);
    if (e == 0)
        e = make_known(rt);
    set_ready(rt, false, "starting");
    if (e == 0)
        e = service_runtime_make_engine(rt, reterr);
    if (e == 0)
        e = service_runtime_tell_past(rt);
    if (e == 0)
        e = service_runtime_forget_gone(rt);
    bool kafka_follows = strcmp(rt->settings->text[SERVICE_DELIVERY], "at-least-once") == 0;
    struct service_delivery_config delivery = { rt->settings, rt->store, rt->log, &rt->metrics, kafka_follows };
    struct service_delivery *started = NULL;
    if (e == 0)
        e = service_delivery_start(&delivery, &started, reterr);
    pthread_mutex_lock(&rt->lock);
    rt->delivery = started;
    rt->running = e == 0;
    pthread_mutex_unlock(&rt->lock);
    if (e == 0 && pthread_create(&rt->loader, NULL, load_profiles, rt) == 0)
        rt->loader_started = true;
    if (e == 0 && pthread_create(&rt->tender, NULL, service_runtime_tend, rt) == 0)
        rt->tender_started = true;
    return e;
}

static void finish(struct service_runtime *rt)
{
    set_ready(rt, false, "stopping");
    service_pushes_stop(rt->pushes);
    atomic_store(&rt->stopping, true);
    pthread_mutex_lock(&rt->lock);
    rt->running = false;
    pthread_cond_broadcast(&rt->changed);
    pthread_mutex_unlock(&rt->lock);
    struct service_swap *swap = swap_wanted(rt);
    if (swap)
        swap_done(rt, swap, BASE_E_CLOSED);
    service_runtime_checkpoint(rt);
    service_engine_destroy(rt->engine);
    rt->engine = NULL;
    if (rt->tender_started)
        pthread_join(rt->tender, NULL);
    if (rt->loader_started)
        pthread_join(rt->loader, NULL);
    rt->tender_started = rt->loader_started = false;
}

int service_runtime_run(struct service_runtime *rt, struct base_buf *reterr)
{
    int e = start(rt, reterr);
    if (e == 0) {
        base_logf(BASE_LOG_INFO, "runtime", "running", "%u rules, %zu sources, %u shards, epochs of %" PRId64 " ms decided by %s",
                  cep_program_rule_count(rt->set->program), rt->inputs.len, rt->shards, rt->settings->number[SERVICE_COMMIT_INTERVAL],
                  service_epochs_by_kafka(rt->epochs) ? "Kafka" : "the store");
        e = drive(rt, reterr);
    }
    finish(rt);
    return e == BASE_E_CLOSED && atomic_load(&rt->stopping) ? 0 : e;
}

void service_runtime_stop(struct service_runtime *rt)
{
    atomic_store(&rt->stopping, true);
}

void service_runtime_ask_reload(struct service_runtime *rt)
{
    atomic_store(&rt->reload_asked, true);
}

static int make_folder(const char *path, struct base_buf *reterr)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return 0;
    base_buf_printf(reterr, "state.dir: the folder %s cannot be made: %s", path, strerror(errno));
    return BASE_E_CONFIG;
}

static int open_parts(struct service_runtime *rt, struct base_buf *reterr)
{
    const char *dir = rt->settings->text[SERVICE_STATE_DIR];
    char path[4096];
    int e = make_folder(dir, reterr);
    snprintf(path, sizeof path, "%s/store", dir);
    struct service_store_options options = { .path = path, .memory_bytes = service_memory_shares((uint64_t)rt->settings->number[SERVICE_STATE_MEMORY]).store };
    if (e == 0)
        e = service_store_open(&options, &rt->store, reterr);
    if (e == 0)
        e = service_alertlog_open(rt->store, &rt->log, reterr);
    if (e == 0)
        e = service_batch_create(&rt->extra);
    rt->letters = service_letters_create(LETTER_BYTES);
    if (e == 0)
        e = service_batch_create(&rt->purge);
    rt->book = service_rule_book_create();
    rt->desk = e == 0 ? service_desk_create(rt->store) : NULL;
    return e == 0 && (!rt->letters || !rt->book || !rt->desk) ? BASE_E_NOMEM : e;
}

int service_runtime_create(const struct service_runtime_config *config, struct service_runtime **ret, struct base_buf *reterr)
{
    struct service_runtime *rt = base_calloc(1, sizeof *rt);
    if (!rt)
        return BASE_E_NOMEM;
    rt->config = *config;
    rt->settings = config->config;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    rt->shards = rt->settings->number[SERVICE_SHARDS] ? (uint32_t)rt->settings->number[SERVICE_SHARDS] : processors > 0 && processors < 64 ? (uint32_t)processors : 1;
    snprintf(rt->source, sizeof rt->source, "/cepheid/%s", rt->settings->text[SERVICE_APPLICATION_ID]);
    pthread_mutex_init(&rt->lock, NULL);
    pthread_mutex_init(&rt->loader_lock, NULL);
    pthread_mutex_init(&rt->reload_lock, NULL);
    base_cond_init(&rt->changed);
    rt->prompt = strcmp(rt->settings->text[SERVICE_DELIVERY], "at-least-once") == 0;
    if (service_rulefiles_mark(rt->settings->text[SERVICE_RULES_DIR], &rt->rules_mark) < 0)
        rt->rules_mark = 0; /* why it cannot be read is told when it is compiled */
    rt->pushes = service_pushes_create();
    int e = rt->pushes ? open_parts(rt, reterr) : BASE_E_NOMEM;
    if (e == 0)
        e = service_runtime_compile(rt, NULL, (struct base_str){ 0 }, &rt->set, reterr);
    if (e < 0) {
        if (e == BASE_E_SYNTAX && rt->set)
            base_diags_render(&rt->set->diags, reterr);
        service_runtime_destroy(rt);
        return e;
    }
    *ret = rt;
    return 0;
}

void service_runtime_destroy(struct service_runtime *rt)
{
    if (!rt)
        return;
    service_delivery_stop(rt->delivery, rt->settings->number[SERVICE_DRAIN_TIMEOUT]);
    service_engine_destroy(rt->engine);
    close_inputs(rt);
    BASE_VEC_FINISH(&rt->inputs);
    service_pushes_destroy(rt->pushes);
    service_profiles_destroy(rt->profiles);
    service_epochs_close(rt->epochs);
    service_desk_destroy(rt->desk);
    service_alertlog_close(rt->log);
    for (uint32_t i = 0; rt->known && i < rt->shards; i++)
        base_free(rt->known[i].bits);
    base_free(rt->known);
    service_batch_destroy(rt->extra);
    service_batch_destroy(rt->purge);
    service_epoch_record_finish(&rt->record);
    service_store_close(rt->store);
    service_letters_destroy(rt->letters);
    service_ruleset_unref(rt->set);
    service_rule_book_destroy(rt->book);
    base_buf_finish(&rt->facts);
    base_buf_finish(&rt->profile_positions);
    base_buf_finish(&rt->journal_head);
    base_buf_finish(&rt->image_watermarks);
    base_buf_finish(&rt->fingerprints);
    BASE_VEC_FINISH(&rt->offsets);
    base_free(rt->rule_states);
    pthread_cond_destroy(&rt->changed);
    pthread_mutex_destroy(&rt->reload_lock);
    pthread_mutex_destroy(&rt->loader_lock);
    pthread_mutex_destroy(&rt->lock);
    base_free(rt);
}

/* ---- for REST ---- */

bool service_runtime_ready(struct service_runtime *rt, char *why, size_t why_bytes)
{
    pthread_mutex_lock(&rt->lock);
    bool ready = rt->ready;
    snprintf(why, why_bytes, "%s", rt->not_ready);
    pthread_mutex_unlock(&rt->lock);
    return ready;
}

struct service_ruleset *service_runtime_ruleset(struct service_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    struct service_ruleset *set = service_ruleset_ref(rt->set);
    pthread_mutex_unlock(&rt->lock);
    return set;
}

const struct service_config *service_runtime_settings(const struct service_runtime *rt)
{
    return rt->settings;
}

struct service_store *service_runtime_store(struct service_runtime *rt)
{
    return rt->store;
}

struct service_alertlog *service_runtime_log(struct service_runtime *rt)
{
    return rt->log;
}

struct service_desk *service_runtime_desk(struct service_runtime *rt)
{
    return rt->desk;
}

struct service_delivery *service_runtime_delivery(struct service_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    struct service_delivery *delivery = rt->delivery;
    pthread_mutex_unlock(&rt->lock);
    return delivery;
}

struct service_pushes *service_runtime_pushes(struct service_runtime *rt)
{
    return rt->pushes;
}

struct service_row_sinks *service_runtime_row_sinks(struct service_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    struct service_row_sinks *sinks = rt->delivery ? service_epochs_row_sinks(rt->epochs) : NULL;
    pthread_mutex_unlock(&rt->lock);
    return sinks;
}

struct service_metrics *service_runtime_metrics(struct service_runtime *rt)
{
    return &rt->metrics;
}
