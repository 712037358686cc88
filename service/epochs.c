#include "service/epochs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "service/delivery.h"
#include "service/journal.h"
#include "service/kafka_options.h"
#include "service/outlets.h"
#include "service/segments.h"

#define RECORD_VERSION 1
#define SYNC_US 1000000
#define UNSYNCED_TIMES 16 /* a file costs a sync: where the epoch itself is not synced, so much more must go into it */
#define DRAIN_MS 3000        /* at the end, for stores that are getting on */
#define HEARTBEAT_MS 3600000 /* an epoch is committed at least so often, so that offsets do not expire (protocol.md 6) */

struct service_epochs {
    struct service_epochs_config config;
    struct service_outlets *outlets;     /* of INSERT INTO, dead letters, late rows */
    struct service_row_sinks *row_sinks; /* of INSERT INTO: tables in stores */
    struct service_decider *decider;     /* NULL: the store decides; or, if by_kafka, not open (again) yet */
    bool by_kafka;                       /* epochs are Kafka's to decide: nothing pending may be dropped or written without it */
    const struct cep_program *program;
    struct service_batch *own;           /* the epoch's record, the alert log */
    struct service_batch *journal;       /* journals of the shards, or where they are */
    struct service_segments *segments;   /* files for large ones */
    struct service_imager *imager;       /* large images */
    uint64_t aside_epoch, aside_end;     /* an image on its way: its epoch, and the first file with journals behind it; 0: there is none */
    struct service_batch *image;         /* that there is an image */
    struct service_batch **batches;
    size_t batch_cap;
    struct service_outputs sorted;
    struct base_buf record, last_record, dead, late;
    uint64_t dead_count;
    int64_t committed_at_ms;             /* wall */
    int64_t synced_us;
};

int service_epochs_open(const struct service_epochs_config *config, struct service_epochs **ret, struct base_buf *reterr)
{
    struct service_epochs *epochs = base_calloc(1, sizeof *epochs);
    if (!epochs)
        return BASE_E_NOMEM;
    epochs->config = *config;
    uint64_t file_bytes = (uint64_t)config->config->number[SERVICE_STATE_JOURNAL_FILE];
    int e = service_batch_create(&epochs->own);
    if (e == 0)
        e = service_batch_create(&epochs->journal);
    if (e == 0)
        e = service_batch_create(&epochs->image);
    if (e == 0)
        e = service_segments_open(service_store_path(config->store), SERVICE_SEGMENTS_JOURNAL, file_bytes, &epochs->segments);
    if (e == 0)
        e = service_segments_direct(epochs->segments);
    if (e == 0)
        e = service_imager_open(config->store, file_bytes, (uint64_t)config->config->number[SERVICE_STATE_IMAGE_TABLES], &epochs->imager, reterr);
    struct service_row_sinks_config sinks = { config->config, config->store, config->letters, config->stop, config->ctx };
    if (e == 0)
        e = service_row_sinks_open(&sinks, &epochs->row_sinks);
    if (e < 0) {
        if (!reterr->len)
            base_buf_puts(reterr, base_error_text(e));
        service_epochs_close(epochs);
        return e;
    }
    *ret = epochs;
    return 0;
}

void service_epochs_close(struct service_epochs *epochs)
{
    if (!epochs)
        return;
    service_outlets_close(epochs->outlets);
    service_row_sinks_close(epochs->row_sinks, DRAIN_MS);
    service_decider_close(epochs->decider);
    service_imager_close(epochs->imager);
    service_batch_destroy(epochs->own);
    service_batch_destroy(epochs->journal);
    service_segments_close(epochs->segments);
    service_batch_destroy(epochs->image);
    base_free(epochs->batches);
    BASE_VEC_FINISH(&epochs->sorted);
    base_buf_finish(&epochs->record);
    base_buf_finish(&epochs->last_record);
    base_buf_finish(&epochs->dead);
    base_buf_finish(&epochs->late);
    base_free(epochs);
}

struct service_row_sinks *service_epochs_row_sinks(struct service_epochs *epochs)
{
    return epochs->row_sinks;
}

bool service_epochs_by_kafka(const struct service_epochs *epochs)
{
    return epochs->by_kafka;
}

static bool exactly_once(const struct service_epochs *epochs)
{
    return strcmp(epochs->config.config->text[SERVICE_DELIVERY], "exactly-once") == 0;
}

/* One transaction speaks to one cluster: all Kafka sinks must name the same brokers. */
static int check_one_cluster(struct service_epochs *epochs, const struct service_sink_config **ret, struct base_buf *reterr)
{
    const struct service_config *config = epochs->config.config;
    *ret = NULL;
    for (uint32_t i = 0; i < config->sink_count; i++) {
        const struct service_sink_config *sink = &config->sinks[i];
        if (strcmp(sink->type, "kafka") != 0)
            continue;
        const char *servers = service_kafka_sink_servers(sink);
        if (!servers || !service_sink_option(sink, "topic", NULL)) {
            base_buf_printf(reterr, "sink \"%s\": a Kafka sink needs \"topic\" and \"properties.bootstrap.servers\"", sink->name);
            return BASE_E_CONFIG;
        }
        if (*ret && strcmp(servers, service_kafka_sink_servers(*ret)) != 0) {
            base_buf_printf(reterr,
                            "the sinks \"%s\" and \"%s\" are on different brokers, but one transaction cannot span two clusters; set \"delivery\": \"at-least-once\", "
                            "or use one cluster",
                            (*ret)->name, sink->name);
            return BASE_E_CONFIG;
        }
        if (!*ret)
            *ret = sink;
    }
    return 0;
}

static int ensure_topics(struct service_epochs *epochs, struct base_buf *reterr)
{
    const struct service_config *config = epochs->config.config;
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < config->sink_count; i++) {
        const struct service_sink_config *sink = &config->sinks[i];
        const char *partitions = service_sink_option(sink, "topic.partitions", NULL);
        if (strcmp(sink->type, "kafka") == 0 && partitions)
            e = service_decider_ensure_topic(epochs->decider, service_sink_option(sink, "topic", ""), atoi(partitions),
                                             atoi(service_sink_option(sink, "topic.replication", "-1")), reterr);
        if (e == 0 && strcmp(sink->type, "kafka") == 0)
            service_decider_prepare(epochs->decider, service_sink_option(sink, "topic", ""));
    }
    return e;
}

static int open_decider(struct service_epochs *epochs, struct service_outlets *outlets, struct base_buf *reterr)
{
    const struct service_sink_config *sink = NULL;
    if (!exactly_once(epochs))
        return 0;
    int e = check_one_cluster(epochs, &sink, reterr);
    struct service_decider_config config = {
        .config = epochs->config.config, .store = epochs->config.store, .sink = sink, .stop = epochs->config.stop, .ctx = epochs->config.ctx, .again = epochs->by_kafka,
    };
    if (!sink)
        config.table_options = service_outlets_kafka_options(outlets, &config.table_option_count);
    if (e < 0 || (!sink && !config.table_options))
        return e;
    epochs->by_kafka = true;
    e = service_decider_open(&config, &epochs->decider, reterr);
    return e == 0 ? ensure_topics(epochs, reterr) : e;
}

/* Without a decider a pending epoch cannot be there, unless one was used before: then it was never told to anybody. */
static int drop_pending(struct service_epochs *epochs)
{
    uint64_t pending[16];
    size_t count = 0;
    int e = service_store_pending(epochs->config.store, pending, 16, &count);
    for (size_t i = 0; e == 0 && i < count && i < 16; i++)
        e = service_store_drop(epochs->config.store, pending[i]);
    return e;
}

/* The sinks in stores of this program; on a failure those of the program before are taken up again. */
static int bind_stores(struct service_epochs *epochs, struct service_outlets *outlets, const struct cep_program *program, struct base_buf *reterr)
{
    int e = service_row_sinks_bind(epochs->row_sinks, program, reterr);
    if (e < 0)
        return e;
    e = service_outlets_attach(outlets);
    if (e == 0)
        e = service_row_sinks_go(epochs->row_sinks, reterr);
    if (e < 0 && epochs->outlets) {
        struct base_buf why = { .limit = 4096 };
        if (service_row_sinks_bind(epochs->row_sinks, epochs->program, &why) < 0 || service_outlets_attach(epochs->outlets) < 0 ||
            service_row_sinks_go(epochs->row_sinks, &why) < 0)
            base_logf(BASE_LOG_ERROR, "sinks", "the stores of the old rules could not be taken up again at once", "%s", why.ptr ? why.ptr : "");
        base_buf_finish(&why);
    }
    return e;
}

int service_epochs_bind(struct service_epochs *epochs, const struct cep_program *program, struct base_buf *reterr)
{
    struct service_outlets *outlets = NULL;
    struct service_outlets_config how = { epochs->config.config, epochs->row_sinks, exactly_once(epochs) };
    int e = service_outlets_open(&how, program, &outlets, reterr);
    if (e == 0 && !epochs->decider)
        e = open_decider(epochs, outlets, reterr);
    if (e == 0 && !epochs->by_kafka)
        e = drop_pending(epochs);
    if (e == 0)
        e = bind_stores(epochs, outlets, program, reterr);
    if (e < 0) {
        service_outlets_close(outlets);
        return e;
    }
    service_outlets_close(epochs->outlets);
    epochs->outlets = outlets;
    epochs->program = program;
    return 0;
}

/* ---- the record of an epoch ---- */

static void put_slice(struct base_buf *out, const struct base_buf *text)
{
    base_buf_put_bytes(out, text->ptr, text->len);
}

static void encode_record(const struct service_epoch *epoch, struct base_buf *out)
{
    const struct service_part *ingest = epoch->parts[epoch->part_count - 1];
    base_buf_clear(out);
    base_buf_put_u8(out, RECORD_VERSION);
    put_slice(out, &epoch->parts[0]->watermarks); /* all shards are told the same watermarks up to a barrier */
    put_slice(out, &ingest->watermarks);
    put_slice(out, &ingest->positions);
    base_buf_put_bytes(out, epoch->profile_positions.ptr, epoch->profile_positions.len);
    base_buf_put_bytes(out, epoch->fingerprints.ptr, epoch->fingerprints.len);
}

void service_epoch_record_finish(struct service_epoch_record *record)
{
    base_buf_finish(&record->bytes);
}

int service_epochs_last(struct service_store *store, struct service_epoch_record *ret)
{
    base_buf_clear(&ret->bytes);
    int e = service_store_get(store, SERVICE_CF_META, BASE_STR("epoch"), &ret->bytes);
    if (e < 0)
        return e;
    struct base_reader in = base_reader_of(ret->bytes.ptr, ret->bytes.len);
    ret->number = base_read_u64(&in);
    uint8_t version = base_read_u8(&in);
    ret->shard_watermarks = base_read_bytes(&in);
    ret->ingest_watermarks = base_read_bytes(&in);
    ret->positions = base_read_bytes(&in);
    ret->profile_positions = base_read_bytes(&in);
    ret->fingerprints = base_read_bytes(&in);
    return in.failed ? BASE_E_CORRUPT : version != RECORD_VERSION ? BASE_E_VERSION : 0;
}

#define IMAGE_KEY BASE_STR("image")
#define IMAGE_VERSION 1
#define JOURNAL_HEAD_KEY BASE_STR("journal-head")

int service_epochs_image(struct service_store *store, uint64_t *ret_epoch, struct base_buf *ret_watermarks)
{
    struct base_buf value = { 0 };
    int e = service_store_get(store, SERVICE_CF_META, IMAGE_KEY, &value);
    struct base_reader in = base_reader_of(value.ptr, value.len);
    if (e == 0) {
        uint8_t version = base_read_u8(&in);
        *ret_epoch = base_read_u64(&in);
        struct base_str watermarks = base_read_bytes(&in);
        base_buf_put(ret_watermarks, watermarks.ptr, watermarks.len);
        e = in.failed ? BASE_E_CORRUPT : version != IMAGE_VERSION ? BASE_E_VERSION : ret_watermarks->failed ? BASE_E_NOMEM : 0;
    }
    base_buf_finish(&value);
    return e;
}

int service_epochs_put_image(struct service_batch *batch, uint64_t epoch, struct base_str watermarks)
{
    struct base_buf value = { 0 };
    base_buf_put_u8(&value, IMAGE_VERSION);
    base_buf_put_u64(&value, epoch);
    base_buf_put_bytes(&value, watermarks.ptr, watermarks.len);
    int e = value.failed ? BASE_E_NOMEM : service_batch_put(batch, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, IMAGE_KEY, (struct base_str){ value.ptr, value.len });
    base_buf_finish(&value);
    return e;
}

int service_epochs_journal_head(struct service_store *store, struct base_buf *ret)
{
    return service_store_get(store, SERVICE_CF_META, JOURNAL_HEAD_KEY, ret);
}

static int put_record(struct service_epochs *epochs, const struct service_epoch *epoch)
{
    struct base_buf value = { 0 };
    base_buf_put_u64(&value, epoch->number);
    base_buf_put(&value, epochs->record.ptr, epochs->record.len);
    int e = value.failed || epochs->record.failed
                ? BASE_E_NOMEM
                : service_batch_put(epochs->own, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, BASE_STR("epoch"), (struct base_str){ value.ptr, value.len });
    base_buf_finish(&value);
    if (e == 0)
        e = service_batch_put(epochs->own, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, BASE_STR("decider"),
                              epochs->by_kafka ? BASE_STR("kafka") : BASE_STR("store"));
    if (e == 0) /* from its first own epoch on, a restored store is like any other */
        e = service_batch_delete(epochs->own, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, BASE_STR("restored"));
    if (e == 0 && epoch->journal_head.len)
        e = service_batch_put(epochs->own, SERVICE_CF_META, SERVICE_STORE_NO_GROUP, JOURNAL_HEAD_KEY, epoch->journal_head);
    if (e == 0 && epoch->journal_head.len && epoch->first_journal)
        e = service_epochs_put_image(epochs->own, epoch->first_image, epoch->first_watermarks);
    return e;
}

/* ---- alerts and rows ---- */

static int compare_outputs(const void *a, const void *b)
{
    const struct service_output *x = *(struct service_output *const *)a, *y = *(struct service_output *const *)b;
    if (x->last_ms != y->last_ms)
        return x->last_ms < y->last_ms ? -1 : 1;
    if (x->first_ms != y->first_ms)
        return x->first_ms < y->first_ms ? -1 : 1;
    return memcmp(x->alert_id, y->alert_id, 32);
}

/* Alerts of all shards in an order that does not depend on how keys are spread over them. */
static int sort_alerts(struct service_epochs *epochs, const struct service_epoch *epoch)
{
    epochs->sorted.len = 0;
    for (uint32_t i = 0; i < epoch->part_count; i++) {
        struct service_outputs *outputs = &epoch->parts[i]->outputs;
        for (size_t k = 0; k < outputs->len; k++) {
            if (outputs->at[k]->rule != CEP_NONE && !outputs->at[k]->dropped && !BASE_VEC_PUSH(&epochs->sorted, outputs->at[k]))
                return BASE_E_NOMEM;
        }
    }
    if (epochs->sorted.len)
        qsort(epochs->sorted.at, epochs->sorted.len, sizeof *epochs->sorted.at, compare_outputs);
    return 0;
}

/* To each Kafka sink that takes part in the decision. */
static int produce_alert(struct service_epochs *epochs, const struct service_output *output, struct base_buf *reterr)
{
    const struct service_config *config = epochs->config.config;
    const struct cep_rule *rule = cep_program_rule(epochs->program, output->rule);
    struct service_alert alert = { .mode = cep_program_text(epochs->program, rule->mode), .sinks = cep_program_text(epochs->program, rule->sinks) };
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < config->sink_count; i++) {
        const struct service_sink_config *sink = &config->sinks[i];
        if (strcmp(sink->type, "kafka") != 0 || !service_delivery_wants(sink->name, &alert))
            continue;
        if (!service_decider_fits(epochs->decider, output->key, output->body)) {
            base_logf(BASE_LOG_ERROR, "epochs", "an alert is larger than Kafka takes; it is in the alert store only",
                      "alert %s, %zu bytes, sink %s; lower limits.alert-bytes", output->alert_id, output->body.len, sink->name);
            continue;
        }
        e = service_decider_produce(epochs->decider, service_sink_option(sink, "topic", ""), output->key, output->body, true, reterr);
    }
    return e;
}

static int take_alerts(struct service_epochs *epochs, const struct service_epoch *epoch, struct base_buf *reterr)
{
    int e = sort_alerts(epochs, epoch);
    for (size_t i = 0; e == 0 && i < epochs->sorted.len; i++) {
        struct service_output *output = epochs->sorted.at[i];
        uint64_t seq;
        e = service_alertlog_add(epochs->config.log, epochs->own, epochs->program, output, &seq);
        if (e == 0 && epochs->decider)
            e = produce_alert(epochs, output, reterr);
    }
    return e;
}

static int take_rows(struct service_epochs *epochs, const struct service_epoch *epoch, struct base_buf *reterr)
{
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < epoch->part_count; i++) {
        const struct service_outputs *outputs = &epoch->parts[i]->outputs;
        for (size_t k = 0; e == 0 && k < outputs->len; k++) {
            if (outputs->at[k]->rule == CEP_NONE)
                e = service_outlets_row(epochs->outlets, epochs->decider, outputs->at[k], reterr);
        }
    }
    return e == 0 ? service_outlets_rows_end(epochs->outlets, epochs->decider, epochs->own, reterr) : e;
}

/* ---- commit ---- */

static bool something(struct service_epochs *epochs, const struct service_epoch *epoch)
{
    for (uint32_t i = 0; i < epoch->part_count; i++) {
        if (!service_part_empty(epoch->parts[i]))
            return true;
    }
    if (epoch->aside)
        return true;
    for (uint32_t i = 0; epoch->image && i < epoch->part_count; i++) {
        if (epoch->journaled || service_batch_count(epoch->parts[i]->image))
            return true;
    }
    if (epochs->dead.len || epochs->late.len || (epoch->profiles && service_batch_count(epoch->profiles)))
        return true;
    bool same = epochs->record.len == epochs->last_record.len && memcmp(epochs->record.ptr, epochs->last_record.ptr, epochs->record.len) == 0;
    return !same || base_clock_wall_ms() - epochs->committed_at_ms >= HEARTBEAT_MS;
}

/* Shards' journals: into their batch, or into a file and its place into the batch. */
static int put_journals(struct service_epochs *epochs, const struct service_epoch *epoch, bool sync, struct base_buf *reterr)
{
    uint32_t shards = epoch->part_count - 1;
    uint64_t bytes = 0;
    int e = 0;
    for (uint32_t i = 0; i < shards; i++)
        bytes += epoch->parts[i]->journal.len;
    bool in_file = service_segments_wants(epochs->segments, sync ? bytes : bytes / UNSYNCED_TIMES);
    for (uint32_t i = 0; e == 0 && i < shards; i++) {
        const struct base_buf *journal = &epoch->parts[i]->journal;
        struct service_place place;
        if (!in_file)
            e = service_journal_put(epochs->journal, i, epoch->number, journal);
        else if (journal->len)
            e = service_segments_append(epochs->segments, (struct base_str){ journal->ptr, journal->len }, &place, reterr);
        if (e == 0 && in_file && journal->len)
            e = service_journal_put_place(epochs->journal, i, epoch->number, &place);
    }
    return e == 0 ? service_segments_sync(epochs->segments, reterr) : e;
}

/* Shards' journals, or that none is needed: into their batches. */
static int put_state(struct service_epochs *epochs, const struct service_epoch *epoch, bool sync, struct base_buf *reterr)
{
    const struct base_buf *watermarks = &epoch->parts[0]->watermarks;
    uint32_t shards = epoch->part_count - 1;
    int e = 0;
    service_batch_clear(epochs->journal);
    service_batch_clear(epochs->image);
    if (epoch->image && !epoch->aside) {
        e = service_epochs_put_image(epochs->image, epoch->number, (struct base_str){ watermarks->ptr, watermarks->len });
        if (e == 0)
            e = service_journal_forget(epochs->image, shards, 0, epoch->number + 1);
    }
    return e == 0 && (epochs->by_kafka || !epoch->image || epoch->aside) ? put_journals(epochs, epoch, sync, reterr) : e;
}

static int make_room(struct service_epochs *epochs, size_t need)
{
    if (need <= epochs->batch_cap)
        return 0;
    struct service_batch **grown = base_realloc(epochs->batches, need * sizeof *grown);
    if (!grown)
        return BASE_E_NOMEM;
    epochs->batches = grown;
    epochs->batch_cap = need;
    return 0;
}

/* What belongs to the epoch, and from *ret_first_of_state on what brings the state in the store up to it. */
static int collect_batches(struct service_epochs *epochs, const struct service_epoch *epoch, size_t *ret_first_of_state, size_t *ret_count)
{
    size_t count = 0;
    int e = make_room(epochs, 2 * (size_t)epoch->part_count + 5);
    if (e < 0)
        return e;
    for (uint32_t i = 0; i < epoch->part_count; i++)
        epochs->batches[count++] = epoch->parts[i]->changes;
    if (epoch->profiles)
        epochs->batches[count++] = epoch->profiles;
    epochs->batches[count++] = epochs->own;
    *ret_first_of_state = count;
    bool along = epoch->image && !epoch->aside;
    if (along && epoch->purge)
        epochs->batches[count++] = epoch->purge;
    for (uint32_t i = 0; along && i < epoch->part_count; i++)
        epochs->batches[count++] = epoch->parts[i]->image;
    epochs->batches[count++] = epochs->image;
    *ret_count = count;
    return 0;
}

static void store_reason(struct service_epochs *epochs, const char *what, int e, struct base_buf *reterr)
{
    base_buf_printf(reterr, "%s: ", what);
    size_t had = reterr->len;
    service_store_error(epochs->config.store, reterr);
    if (reterr->len == had)
        base_buf_puts(reterr, base_error_text(e));
}

/* With at-least-once the store is synced now and then: what a machine that fails takes with it is read and told again. */
static bool must_sync(struct service_epochs *epochs, const struct service_epoch *epoch)
{
    int64_t now_us = base_clock_mono_us();
    if (!epoch->sync && now_us - epochs->synced_us < SYNC_US)
        return false;
    epochs->synced_us = now_us;
    return true;
}

/* What was written holds an image (epoch; NULL: nothing new): the journals up to it are not needed any more, their files as soon as that is synced. */
static void let_files_go(struct service_epochs *epochs, const struct service_epoch *epoch, bool synced)
{
    if (epoch && epoch->image && !epoch->aside)
        service_segments_retire(epochs->segments);
    if (synced)
        service_segments_sweep(epochs->segments);
}

void service_epochs_begin(struct service_epochs *epochs, bool journals_needed)
{
    if (!journals_needed)
        service_segments_retire(epochs->segments);
}

/* ---- images aside ---- */

struct service_imager *service_epochs_imager(struct service_epochs *epochs)
{
    return epochs->imager;
}

int service_epochs_offer(struct service_epochs *epochs, struct service_epoch *epoch)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; epoch->image && i < epoch->part_count; i++)
        bytes += service_batch_bytes(epoch->parts[i]->image);
    if (!epoch->image || bytes == 0 || !service_imager_wants(epochs->imager, bytes))
        return 0;
    epoch->aside = true;
    int e = 0;
    for (uint32_t i = 0; e == 0 && i < epoch->part_count; i++)
        e = service_imager_offer(epochs->imager, &epoch->parts[i]->image);
    if (e == 0 && epoch->purge)
        e = service_imager_offer(epochs->imager, &epoch->purge);
    return e;
}

/* The epoch stands in the store: its image follows. */
static int send_image(struct service_epochs *epochs, const struct service_epoch *epoch)
{
    const struct base_buf *watermarks = &epoch->parts[0]->watermarks;
    epochs->aside_epoch = epoch->number;
    epochs->aside_end = service_segments_end(epochs->segments);
    return service_imager_go(epochs->imager, epoch->number, (struct base_str){ watermarks->ptr, watermarks->len }, epoch->part_count - 1);
}

int service_epochs_look_at_image(struct service_epochs *epochs, bool wait, bool *ret_rests, struct base_buf *reterr)
{
    *ret_rests = wait || service_imager_rests(epochs->imager);
    int e = *ret_rests ? service_imager_wait(epochs->imager, reterr) : 0;
    if (epochs->aside_epoch && service_imager_announced(epochs->imager) == epochs->aside_epoch) { /* which was synced */
        service_segments_retire_below(epochs->segments, epochs->aside_end);
        service_segments_sweep(epochs->segments);
        epochs->aside_epoch = 0;
    }
    return e;
}

static int decide(struct service_epochs *epochs, const struct service_epoch *epoch, struct base_buf *reterr)
{
    size_t state = 0, count = 0;
    bool sync = epochs->by_kafka || must_sync(epochs, epoch);
    int e = put_state(epochs, epoch, sync, reterr);
    if (e == 0)
        e = collect_batches(epochs, epoch, &state, &count);
    if (e < 0)
        return e;
    if (!epochs->by_kafka) {
        e = service_batch_set_applied(epochs->own, epoch->number);
        epochs->batches[count++] = epochs->journal;
        if (e == 0)
            e = service_store_write(epochs->config.store, epochs->batches, count, sync);
        if (e < 0)
            store_reason(epochs, "the state store cannot be written", e, reterr);
        if (e == 0)
            let_files_go(epochs, epoch, sync);
        return e;
    }
    e = service_store_prepare(epochs->config.store, epoch->number, epochs->batches, state, epochs->journal);
    if (e < 0) {
        store_reason(epochs, "the state store cannot be written", e, reterr);
        return e;
    }
    let_files_go(epochs, NULL, true);
    e = service_decider_decide(epochs->decider, epoch->number, epoch->offsets, epoch->offset_count, reterr);
    if (e < 0)
        return e;
    e = service_store_apply(epochs->config.store, epoch->number, epochs->batches + state, count - state);
    if (e < 0)
        store_reason(epochs, "a decided epoch cannot be applied to the state store", e, reterr);
    else
        let_files_go(epochs, epoch, false);
    return e;
}

static void observe(struct service_epochs *epochs)
{
    int64_t now_ms = base_clock_wall_ms();
    for (size_t i = 0; i < epochs->sorted.len; i++)
        service_observe(epochs->config.metrics, SERVICE_METRIC_ALERT_SECONDS, (now_ms - epochs->sorted.at[i]->detected_ms) * 1000);
}

void service_epochs_collect(struct service_epochs *epochs)
{
    uint64_t dead = 0, late = 0;
    service_letters_take(epochs->config.letters, &epochs->dead, &epochs->late, &dead, &late);
    epochs->dead_count += dead;
}

int service_epochs_commit(struct service_epochs *epochs, const struct service_epoch *epoch, bool *ret_empty, struct base_buf *reterr)
{
    if (epochs->by_kafka && !epochs->decider) {
        base_buf_puts(reterr, "the epoch cannot be decided: Kafka has not been reached since the last abort");
        return BASE_E_BROKER;
    }
    encode_record(epoch, &epochs->record);
    *ret_empty = !something(epochs, epoch);
    if (*ret_empty)
        return 0;
    service_batch_clear(epochs->own);
    int e = put_record(epochs, epoch);
    if (e == 0)
        e = take_alerts(epochs, epoch, reterr);
    if (e == 0)
        e = take_rows(epochs, epoch, reterr);
    if (e == 0)
        e = service_outlets_letters(epochs->outlets, epochs->decider, &epochs->dead, &epochs->late, reterr);
    if (e == 0)
        e = service_outlets_flush(epochs->outlets, reterr);
    if (e == 0)
        e = decide(epochs, epoch, reterr);
    if (e == 0 && epoch->aside)
        e = send_image(epochs, epoch);
    if (e < 0)
        return e;
    base_buf_clear(&epochs->dead);
    base_buf_clear(&epochs->late);
    base_buf_clear(&epochs->last_record);
    base_buf_put(&epochs->last_record, epochs->record.ptr, epochs->record.len);
    epochs->committed_at_ms = base_clock_wall_ms();
    service_alertlog_decided(epochs->config.log);
    service_row_sinks_decided(epochs->row_sinks);
    service_count(epochs->config.metrics, SERVICE_METRIC_EPOCHS, 1);
    service_count(epochs->config.metrics, SERVICE_METRIC_DEAD_LETTERS, epochs->dead_count);
    epochs->dead_count = 0;
    service_gauge(epochs->config.metrics, SERVICE_METRIC_EPOCH, epoch->number);
    observe(epochs);
    return 0;
}

int service_epochs_abort(struct service_epochs *epochs, struct base_buf *reterr)
{
    if (epochs->decider)
        service_decider_abort(epochs->decider);
    base_buf_clear(&epochs->dead);
    base_buf_clear(&epochs->late);
    base_buf_clear(&epochs->last_record);
    epochs->dead_count = 0;
    service_segments_turn(epochs->segments);
    service_imager_stop(epochs->imager);
    epochs->aside_epoch = 0;
    int e = 0;
    if (service_store_broken(epochs->config.store)) {
        e = service_store_reopen(epochs->config.store, reterr);
        if (e == 0)
            service_count(epochs->config.metrics, SERVICE_METRIC_STORE_REOPENS, 1);
    }
    if (e == 0)
        e = service_imager_restart(epochs->imager, reterr);
    if (e < 0)
        return e;
    /* With a decider the fate of what is pending is asked of Kafka by opening it anew: it fences and settles. */
    if (epochs->by_kafka) {
        service_decider_close(epochs->decider);
        epochs->decider = NULL;
        e = open_decider(epochs, epochs->outlets, reterr);
    } else {
        e = drop_pending(epochs);
    }
    service_alertlog_aborted(epochs->config.log);
    service_row_sinks_aborted(epochs->row_sinks);
    return e == 0 ? service_row_sinks_go(epochs->row_sinks, reterr) : e;
}
