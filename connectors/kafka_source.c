#include "connectors/kafka_source.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "connectors/kafka_source_internal.h"

#define RECORD_BYTES_DEFAULT ((size_t)8 << 20)
#define TOPICS_MAX 1024u
#define POSITION_BITS 20

/* ---- configuration ---- */

static const struct clients_option defaults[] = {
    { "isolation.level", "read_committed" },
    { "auto.offset.reset", "error" }, /* a gap in the log is told, not jumped over */
    { "fetch.error.backoff.ms", "100" },
    { "reconnect.backoff.ms", "100" },
    { "reconnect.backoff.max.ms", "2000" },
    { "topic.metadata.refresh.interval.ms", "10000" },
    { "statistics.interval.ms", "1000" },
    { "socket.keepalive.enable", "true" },
    { "client.id", "cepheid" },
    { "fetch.max.bytes", "2097152" }, /* an answer is one piece of memory, held until its last record is read: one of many megabytes has long left the cache by then */
};

#define QUEUED_KBYTES 131072u /* of all partitions; beyond its share a partition's fetching pauses for a whole second: room for what the decoder takes in one */
#define QUEUED_MESSAGES 500000u
#define OPTIONS_MAX 16u

static uint32_t share_of(uint32_t whole, uint32_t parts, uint32_t least)
{
    uint32_t share = whole / (parts ? parts : 1);
    return share > least ? share : least;
}

int kafka_source_client(struct connectors_kafka_source *source, const char *group, struct clients_kafka **ret,
                        struct base_buf *reterr)
{
    char name[160], messages[16], kbytes[16];
    const uint32_t parts = (uint32_t)source->partitions.len;
    size_t count = sizeof defaults / sizeof defaults[0];
    struct clients_option all[OPTIONS_MAX];
    static_assert(sizeof defaults / sizeof defaults[0] + 2 <= OPTIONS_MAX, "room for all");
    memcpy(all, defaults, sizeof defaults);
    snprintf(messages, sizeof messages, "%u", share_of(QUEUED_MESSAGES, parts, 20000));
    snprintf(kbytes, sizeof kbytes, "%u", share_of(QUEUED_KBYTES, parts, 4096));
    all[count++] = (struct clients_option){ "queued.min.messages", messages };
    all[count++] = (struct clients_option){ "queued.max.messages.kbytes", kbytes };
    struct clients_option fixed[] = {
        { "group.id", group },
        { "enable.auto.commit", "false" },
        { "enable.auto.offset.store", "false" },
        { "enable.partition.eof", "true" },
    };
    snprintf(name, sizeof name, "table %s", source->name);
    struct clients_kafka_setup setup = {
        .name = name,
        .options = source->options,
        .option_count = source->option_count,
        .defaults = all,
        .default_count = count,
        .fixed = fixed,
        .fixed_count = sizeof fixed / sizeof fixed[0],
    };
    return clients_kafka_create(&setup, ret, reterr);
}

int kafka_source_connect(struct connectors_kafka_source *source, struct base_buf *reterr)
{
    struct clients_kafka *kafka = NULL;
    if (source->kafka)
        return 0;
    int error = kafka_source_client(source, source->group_id, &kafka, reterr);
    if (error)
        return error;
    char text[32] = "10000";
    size_t size = sizeof text;
    int64_t refresh_ms = 10000;
    if (rd_kafka_conf_get(rd_kafka_conf(clients_kafka_handle(kafka)), "topic.metadata.refresh.interval.ms", text,
                          &size) == RD_KAFKA_CONF_OK &&
        base_str_to_i64(base_str_of(text), &refresh_ms) && refresh_ms > 0)
        source->refresh_us = refresh_ms * 1000;
    source->queue = rd_kafka_queue_get_consumer(clients_kafka_handle(kafka));
    source->room_for = (uint32_t)source->partitions.len;
    pthread_mutex_lock(&source->lock);
    source->kafka = kafka;
    pthread_mutex_unlock(&source->lock);
    return kafka_turns_open(source);
}

static int copy_options(struct connectors_kafka_source *source, const struct connectors_kafka_source_options *options)
{
    source->options = base_calloc(options->with_count + 1, sizeof *source->options);
    if (!source->options)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < options->with_count; i++) {
        const struct clients_option *option = &options->with[i];
        if (!clients_kafka_is_property(option->name))
            continue;
        if (strcmp(option->name, "properties.group.id") == 0) {
            /* Only where to start is read from it: our own offsets stand under the application's id. */
            source->start_group = base_strdup(option->value);
            if (!source->start_group)
                return BASE_E_NOMEM;
            continue;
        }
        struct clients_option *copy = &source->options[source->option_count++];
        copy->name = base_strdup(option->name);
        copy->value = base_strdup(option->value);
        if (!copy->name || !copy->value)
            return BASE_E_NOMEM;
    }
    return 0;
}

static int split_topics(struct connectors_kafka_source *source, const char *list, struct base_buf *reterr)
{
    struct base_str rest = base_str_of(list);
    size_t count = 1;
    for (size_t i = 0; i < rest.len; i++)
        count += rest.ptr[i] == ';';
    source->topics = count <= TOPICS_MAX ? base_calloc(count, sizeof *source->topics) : NULL;
    if (!source->topics)
        return count <= TOPICS_MAX ? BASE_E_NOMEM : BASE_E_LIMIT;
    while (count-- > 0) {
        const char *end = memchr(rest.ptr, ';', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
        struct base_str name = base_str_trim((struct base_str){ rest.ptr, len });
        rest = end ? (struct base_str){ end + 1, rest.len - len - 1 } : (struct base_str){ "", 0 };
        if (name.len == 0)
            continue;
        struct kafka_topic *topic = &source->topics[source->topic_count];
        topic->name = base_strndup(name.ptr, name.len);
        if (!topic->name)
            return BASE_E_NOMEM;
        topic->origin = (struct cep_origin){ .name = { topic->name, name.len }, .number = source->topic_count++ };
    }
    if (source->topic_count == 0) {
        if (reterr)
            base_buf_printf(reterr, "table %s: option 'topic' is empty; name a topic, or several parted by ';'",
                            source->name);
        return BASE_E_CONFIG;
    }
    return 0;
}

static int read_options(struct connectors_kafka_source *source, const struct connectors_kafka_source_options *options,
                        struct base_buf *reterr)
{
    const char *topic = kafka_option(options, "topic");
    const char *limit = kafka_option(options, "max-record-bytes");
    int64_t bytes = (int64_t)RECORD_BYTES_DEFAULT;
    if (!topic || (limit && (!base_str_to_i64(base_str_of(limit), &bytes) || bytes < 1 || bytes > INT32_MAX))) {
        if (reterr)
            base_buf_printf(reterr, "table %s: option '%s", options->name,
                            topic ? "max-record-bytes' must be a number from 1 to 2147483647"
                                  : "topic' is missing: name the Kafka topic to read");
        return BASE_E_CONFIG;
    }
    source->record_bytes = (size_t)bytes;
    int error = split_topics(source, topic, reterr);
    if (!error)
        error = copy_options(source, options);
    if (!error)
        error = kafka_mode_read(options, "scan.startup.", &source->start, reterr);
    if (!error)
        error = kafka_mode_read(options, "scan.bounded.", &source->bounded, reterr);
    if (!error && source->topic_count > 1 &&
        (source->start.mode == KAFKA_START_SPECIFIC || source->bounded.mode == KAFKA_START_SPECIFIC)) {
        if (reterr)
            base_buf_printf(reterr, "table %s: specific-offsets need a single topic, 'topic' names %u", options->name,
                            source->topic_count);
        error = BASE_E_CONFIG;
    }
    return error;
}

int connectors_kafka_source_create(const struct connectors_kafka_source_options *options,
                                   struct connectors_kafka_source **ret, struct base_buf *reterr)
{
    struct connectors_kafka_source *source = base_calloc(1, sizeof *source);
    if (!source)
        return BASE_E_NOMEM;
    pthread_mutex_init(&source->lock, NULL);
    source->wake_fd = -1;
    source->name = base_strdup(options->name);
    source->group_id = base_strdup(options->group_id);
    source->messages = base_calloc(KAFKA_BATCH_MAX, sizeof *source->messages);
    source->refresh_us = 10000000;
    int error = source->name && source->group_id && source->messages ? 0 : BASE_E_NOMEM;
    if (!error)
        error = read_options(source, options, reterr);
    if (!error)
        error = kafka_source_connect(source, reterr);
    if (error) {
        connectors_kafka_source_destroy(source);
        return error;
    }
    *ret = source;
    return 0;
}

static void disconnect(struct connectors_kafka_source *source)
{
    pthread_mutex_lock(&source->lock);
    struct clients_kafka *kafka = source->kafka;
    source->kafka = NULL;
    pthread_mutex_unlock(&source->lock);
    kafka_turns_close(source);
    if (source->queue)
        rd_kafka_queue_destroy(source->queue);
    source->queue = NULL;
    source->last_topic = NULL;
    clients_kafka_destroy(kafka);
}

void connectors_kafka_source_destroy(struct connectors_kafka_source *source)
{
    if (!source)
        return;
    disconnect(source);
    for (uint32_t i = 0; i < source->topic_count; i++) {
        base_free(source->topics[i].name);
        base_free(source->topics[i].partitions);
    }
    for (size_t i = 0; source->options && i < source->option_count; i++) {
        base_free((void *)(uintptr_t)source->options[i].name);
        base_free((void *)(uintptr_t)source->options[i].value);
    }
    kafka_mode_finish(&source->start);
    kafka_mode_finish(&source->bounded);
    BASE_VEC_FINISH(&source->turns);
    BASE_VEC_FINISH(&source->partitions);
    base_free(source->options);
    base_free(source->topics);
    base_free(source->messages);
    base_free(source->start_group);
    base_free(source->group_id);
    base_free(source->name);
    pthread_mutex_destroy(&source->lock);
    base_free(source);
}

/* ---- partitions ---- */

int kafka_source_failed(struct connectors_kafka_source *source, struct clients_kafka *kafka, const char *what,
                        rd_kafka_resp_err_t error, struct base_buf *reterr)
{
    (void)source;
    int e = clients_kafka_cause(kafka, what, error, reterr);
    if (e < 0)
        return e;
    clients_kafka_explain(kafka, what, error, NULL, reterr);
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
        error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
        return BASE_E_NOTFOUND;
    return clients_kafka_code(clients_kafka_classify(error));
}

static int add_partitions(struct connectors_kafka_source *source, uint32_t topic_index, uint32_t count,
                          uint32_t *inout_new)
{
    struct kafka_topic *topic = &source->topics[topic_index];
    if (count <= topic->partition_count)
        return 0;
    if (count >= 1u << POSITION_BITS)
        return BASE_E_LIMIT;
    uint32_t *indexes = base_realloc(topic->partitions, count * sizeof *indexes);
    if (!indexes)
        return BASE_E_NOMEM;
    topic->partitions = indexes;
    for (uint32_t i = topic->partition_count; i < count; i++) {
        struct connectors_kafka_partition partition = {
            .topic = topic->name,
            .topic_partition = (int32_t)i,
            .position_partition = (int32_t)(topic_index << POSITION_BITS | i),
            .next_offset = CONNECTORS_KAFKA_NO_OFFSET,
            .end_offset = CONNECTORS_KAFKA_NO_OFFSET,
            .time_ms = BASE_TIME_MIN_MS,
        };
        indexes[i] = (uint32_t)source->partitions.len;
        pthread_mutex_lock(&source->lock); /* the array may move while `high` reads it */
        bool added = BASE_VEC_PUSH(&source->partitions, partition);
        pthread_mutex_unlock(&source->lock);
        if (!added)
            return BASE_E_NOMEM;
        topic->partition_count++;
        (*inout_new)++;
    }
    return 0;
}

static int discover_topic(struct connectors_kafka_source *source, uint32_t topic_index, int timeout_ms,
                          uint32_t *inout_new, struct base_buf *reterr)
{
    const struct rd_kafka_metadata *metadata = NULL;
    char what[320];
    rd_kafka_t *handle = clients_kafka_handle(source->kafka);
    snprintf(what, sizeof what, "topic %s", source->topics[topic_index].name);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(handle, source->topics[topic_index].name, NULL);
    if (!topic) {
        clients_kafka_explain(source->kafka, what, rd_kafka_last_error(), NULL, reterr);
        return BASE_E_CONFIG;
    }
    rd_kafka_resp_err_t failed = rd_kafka_metadata(handle, 0, topic, &metadata, timeout_ms);
    rd_kafka_topic_destroy(topic);
    if (!failed)
        clients_kafka_note_success(source->kafka);
    if (!failed && metadata->topic_cnt == 1)
        failed = metadata->topics[0].err;
    int error = 0;
    if (failed && failed != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        error = kafka_source_failed(source, source->kafka, what, failed, reterr);
    else if (metadata && metadata->topic_cnt == 1)
        error = add_partitions(source, topic_index, (uint32_t)metadata->topics[0].partition_cnt, inout_new);
    if (!error && source->topics[topic_index].partition_count == 0) {
        clients_kafka_explain(source->kafka, what, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, NULL, reterr);
        error = BASE_E_NOTFOUND;
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    return error;
}

int connectors_kafka_source_discover(struct connectors_kafka_source *source, int timeout_ms, uint32_t *ret_new,
                                     struct base_buf *reterr)
{
    uint32_t found = 0;
    int64_t until_us = base_clock_mono_us() + (int64_t)timeout_ms * 1000;
    int error = kafka_source_connect(source, reterr);
    for (uint32_t i = 0; !error && i < source->topic_count; i++) {
        int64_t left_ms = (until_us - base_clock_mono_us()) / 1000;
        error = discover_topic(source, i, left_ms > 1 ? (int)left_ms : 1, &found, reterr);
    }
    source->discovered_us = base_clock_mono_us();
    if (!error)
        *ret_new = found;
    return error;
}

bool connectors_kafka_source_wants_discover(struct connectors_kafka_source *source)
{
    return base_clock_mono_us() - source->discovered_us >= source->refresh_us;
}

uint32_t connectors_kafka_source_partitions(const struct connectors_kafka_source *source)
{
    return (uint32_t)source->partitions.len;
}

const struct connectors_kafka_partition *connectors_kafka_source_partition(const struct connectors_kafka_source *source,
                                                                           uint32_t index)
{
    return &source->partitions.at[index];
}

uint32_t connectors_kafka_source_find(const struct connectors_kafka_source *source, const char *topic,
                                      int32_t topic_partition)
{
    for (uint32_t i = 0; i < source->topic_count; i++) {
        const struct kafka_topic *at = &source->topics[i];
        if (strcmp(at->name, topic) == 0)
            return topic_partition >= 0 && (uint32_t)topic_partition < at->partition_count
                       ? at->partitions[topic_partition]
                       : UINT32_MAX;
    }
    return UINT32_MAX;
}

/* ---- start, stop, pause ---- */

void kafka_source_update_finished(struct connectors_kafka_partition *partition)
{
    if (partition->started && partition->end_offset != CONNECTORS_KAFKA_NO_OFFSET &&
        partition->next_offset >= partition->end_offset)
        partition->finished = true;
}

static bool none_started(const struct connectors_kafka_source *source)
{
    for (size_t i = 0; i < source->partitions.len; i++) {
        if (source->partitions.at[i].started)
            return false;
    }
    return true;
}

int connectors_kafka_source_start(struct connectors_kafka_source *source, const struct connectors_kafka_start *start,
                                  size_t count, struct base_buf *reterr)
{
    if (source->kafka && source->room_for != source->partitions.len && none_started(source))
        disconnect(source); /* the client was made before it was known among how many partitions it parts its memory */
    int error = kafka_source_connect(source, reterr);
    if (error)
        return error;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        const struct connectors_kafka_partition *partition = &source->partitions.at[start[i].partition];
        if (partition->started || start[i].offset < 0)
            error = BASE_E_INVALID;
        else
            rd_kafka_topic_partition_list_add(list, partition->topic, partition->topic_partition)->offset =
                start[i].offset;
    }
    if (!error && count > 0) {
        rd_kafka_error_t *failed = rd_kafka_incremental_assign(clients_kafka_handle(source->kafka), list);
        if (failed) {
            clients_kafka_explain(source->kafka, "assignment of partitions", rd_kafka_error_code(failed),
                                  rd_kafka_error_string(failed), reterr);
            error = clients_kafka_code(clients_kafka_classify_error(failed));
            rd_kafka_error_destroy(failed);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    for (size_t i = 0; !error && i < count; i++) {
        struct connectors_kafka_partition *partition = &source->partitions.at[start[i].partition];
        partition->next_offset = start[i].offset;
        partition->started = true;
        partition->paused = partition->at_end = partition->finished = false;
        kafka_source_update_finished(partition);
    }
    return error;
}

int connectors_kafka_source_stop(struct connectors_kafka_source *source)
{
    /* A new client cannot give anything that the old one had fetched. */
    disconnect(source);
    for (size_t i = 0; i < source->partitions.len; i++) {
        struct connectors_kafka_partition *partition = &source->partitions.at[i];
        partition->started = partition->paused = partition->at_end = partition->finished = false;
        partition->next_offset = CONNECTORS_KAFKA_NO_OFFSET;
    }
    return 0;
}

bool connectors_kafka_source_finished(const struct connectors_kafka_source *source)
{
    for (size_t i = 0; i < source->partitions.len; i++) {
        if (!source->partitions.at[i].finished)
            return false;
    }
    return connectors_kafka_source_bounded(source);
}

int connectors_kafka_source_pause(struct connectors_kafka_source *source, const uint32_t *partitions, size_t count,
                                  bool pause)
{
    if (!source->kafka)
        return BASE_E_CLOSED;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        struct connectors_kafka_partition *partition = &source->partitions.at[partitions[i]];
        if (partition->started && partition->paused != pause)
            rd_kafka_topic_partition_list_add(list, partition->topic, partition->topic_partition);
    }
    rd_kafka_t *handle = clients_kafka_handle(source->kafka);
    rd_kafka_resp_err_t failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (list->cnt > 0)
        failed = pause ? rd_kafka_pause_partitions(handle, list) : rd_kafka_resume_partitions(handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (failed)
        return clients_kafka_code(clients_kafka_classify(failed));
    for (size_t i = 0; i < count; i++) {
        struct connectors_kafka_partition *partition = &source->partitions.at[partitions[i]];
        partition->paused = pause && partition->started;
        partition->at_end = false; /* not known until the next fetch */
    }
    return 0;
}

int connectors_kafka_source_commit(struct connectors_kafka_source *source,
                                   const struct connectors_kafka_start *positions, size_t count, const char *metadata)
{
    if (!source->kafka)
        return BASE_E_CLOSED;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        const struct connectors_kafka_partition *partition = &source->partitions.at[positions[i].partition];
        rd_kafka_topic_partition_t *at =
            rd_kafka_topic_partition_list_add(list, partition->topic, partition->topic_partition);
        at->offset = positions[i].offset;
        if (metadata && *metadata) {
            at->metadata =
                rd_kafka_mem_malloc(NULL, strlen(metadata) + 1); /* the list frees it with librdkafka's free */
            if (!at->metadata)
                continue;
            at->metadata_size = strlen(metadata);
            memcpy(at->metadata, metadata, at->metadata_size + 1);
        }
    }
    rd_kafka_resp_err_t failed =
        list->cnt ? rd_kafka_commit(clients_kafka_handle(source->kafka), list, 1) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(list);
    return clients_kafka_code(clients_kafka_classify(failed));
}

int64_t connectors_kafka_source_high(const struct connectors_kafka_source *source, uint32_t partition)
{
    struct connectors_kafka_source *shared =
        (struct connectors_kafka_source *)(uintptr_t)source; /* only its lock is touched */
    int64_t low = 0, high = CONNECTORS_KAFKA_NO_OFFSET;
    pthread_mutex_lock(&shared->lock);
    if (source->kafka) {
        const struct connectors_kafka_partition *at = &source->partitions.at[partition];
        if (rd_kafka_get_watermark_offsets(clients_kafka_handle(source->kafka), at->topic, at->topic_partition, &low,
                                           &high) ||
            high < 0)
            high = CONNECTORS_KAFKA_NO_OFFSET;
    }
    pthread_mutex_unlock(&shared->lock);
    return high;
}

void connectors_kafka_source_health(struct connectors_kafka_source *source, struct clients_kafka_health *ret)
{
    pthread_mutex_lock(&source->lock);
    if (source->kafka)
        clients_kafka_health(source->kafka, ret);
    else
        memset(ret, 0, sizeof *ret);
    pthread_mutex_unlock(&source->lock);
}
