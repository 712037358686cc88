/* Polling: from librdkafka's messages to a batch of records. */
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "connectors/kafka_source_internal.h"

#define CUT_BYTES ((size_t)4096) /* what is kept of a record beyond the limit */
#define MIB (1u << 20)

static struct kafka_topic *topic_of(struct connectors_kafka_source *source, const rd_kafka_message_t *message)
{
    if (message->rkt && message->rkt == source->last_topic)
        return &source->topics[source->last_index];
    const char *name = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
    for (uint32_t i = 0; i < source->topic_count; i++) {
        if (strcmp(source->topics[i].name, name) == 0) {
            source->last_topic = message->rkt;
            source->last_index = i;
            return &source->topics[i];
        }
    }
    return NULL;
}

static struct connectors_kafka_partition *
partition_of(struct connectors_kafka_source *source, const rd_kafka_message_t *message, struct kafka_topic **ret_topic)
{
    struct kafka_topic *topic = topic_of(source, message);
    if (!topic || message->partition < 0 || (uint32_t)message->partition >= topic->partition_count)
        return NULL;
    *ret_topic = topic;
    return &source->partitions.at[topic->partitions[message->partition]];
}

/* A message that is no record: the end of a partition, or an error. */
static int take_event(struct connectors_kafka_source *source, const rd_kafka_message_t *message,
                      struct base_buf *reterr)
{
    struct kafka_topic *topic = NULL;
    struct connectors_kafka_partition *partition = partition_of(source, message, &topic);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        clients_kafka_note_success(source->kafka);
        if (partition && partition->started) {
            if (message->offset > partition->next_offset)
                partition->next_offset = message->offset;
            partition->at_end = message->offset >= partition->next_offset; /* one from before its queue became its own may come late */
            kafka_source_update_finished(partition);
        }
        return 0;
    }
    if (partition && (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                      message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)) {
        if (reterr)
            base_buf_printf(reterr,
                            "table %s: topic %s partition %d has no offset %lld (any more): %s; records were deleted "
                            "before they were read, or the "
                            "topic was made anew; to go on without them set 'properties.auto.offset.reset' = "
                            "'earliest' or start from other offsets",
                            source->name, topic->name, message->partition, (long long)partition->next_offset,
                            rd_kafka_message_errstr(message));
        return BASE_E_RANGE;
    }
    clients_kafka_note_error(source->kafka, message->err, rd_kafka_message_errstr(message));
    return 0;
}

static int reserve(struct connectors_kafka_batch *batch, uint32_t records, size_t bytes, size_t key_bytes)
{
    if (records > batch->cap) {
        struct cep_record *more = base_realloc(batch->records, records * sizeof *more);
        if (more)
            batch->records = more;
        uint32_t *indexes = more ? base_realloc(batch->partitions, records * sizeof *indexes) : NULL;
        if (!indexes)
            return BASE_E_NOMEM;
        batch->partitions = indexes;
        batch->cap = records;
    }
    /* One rare large batch must not hold its memory for ever. */
    if (bytes > batch->bytes_cap || (batch->bytes_cap > 64 * (size_t)MIB && bytes < batch->bytes_cap / 8)) {
        char *memory = base_alloc(bytes + bytes / 4);
        if (!memory)
            return BASE_E_NOMEM;
        base_free(batch->bytes);
        batch->bytes = memory;
        batch->bytes_cap = bytes + bytes / 4;
    }
    if (key_bytes > batch->keys_cap) {
        char *memory = base_alloc(key_bytes + key_bytes / 4);
        if (!memory)
            return BASE_E_NOMEM;
        base_free(batch->keys);
        batch->keys = memory;
        batch->keys_cap = key_bytes + key_bytes / 4;
    }
    return 0;
}

void connectors_kafka_batch_finish(struct connectors_kafka_batch *batch)
{
    base_free(batch->records);
    base_free(batch->partitions);
    base_free(batch->bytes);
    base_free(batch->keys);
    memset(batch, 0, sizeof *batch);
}

static size_t kept_bytes(const struct connectors_kafka_source *source, const rd_kafka_message_t *message)
{
    if (message->len <= source->record_bytes)
        return message->len;
    return source->record_bytes < CUT_BYTES ? source->record_bytes : CUT_BYTES;
}

/* Where the next record's bytes go. */
struct writer {
    char *bytes, *keys;
};

static void take_record(struct connectors_kafka_source *source, const rd_kafka_message_t *message,
                        struct connectors_kafka_batch *batch, struct writer *at)
{
    struct kafka_topic *topic = NULL;
    struct connectors_kafka_partition *partition = partition_of(source, message, &topic);
    if (!partition || !partition->started || partition->finished || message->offset < partition->next_offset)
        return; /* fetched twice around a pause */
    if (partition->end_offset != CONNECTORS_KAFKA_NO_OFFSET && message->offset >= partition->end_offset) {
        partition->finished = true;
        return;
    }
    rd_kafka_timestamp_type_t type;
    int64_t time_ms = rd_kafka_message_timestamp(message, &type);
    size_t kept = kept_bytes(source, message);
    struct cep_record *record = &batch->records[batch->count];
    *record = (struct cep_record){
        .origin = &topic->origin,
        .time_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? BASE_TIME_MIN_MS : time_ms,
        .offset = message->offset,
        .partition = partition->position_partition,
        .error = message->len > source->record_bytes ? BASE_E_LIMIT : 0,
        .whole_bytes = message->len > source->record_bytes ? message->len : 0,
        .flags = CEP_RECORD_PADDED,
    };
    if (message->payload) {
        memcpy(at->bytes, message->payload, kept);
        at->bytes[kept] = '\n';
        record->bytes = (struct base_str){ at->bytes, kept };
        at->bytes += kept + 1;
    }
    if (message->key) {
        memcpy(at->keys, message->key, message->key_len);
        record->key = (struct base_str){ at->keys, message->key_len };
        at->keys += message->key_len;
    }
    batch->partitions[batch->count++] = topic->partitions[message->partition];
    partition->next_offset = message->offset + 1;
    partition->at_end = false;
    kafka_source_update_finished(partition);
}

static int take_messages(struct connectors_kafka_source *source, size_t count, struct connectors_kafka_batch *batch,
                         struct base_buf *reterr)
{
    size_t bytes = CEP_RECORD_SLACK, key_bytes = CEP_RECORD_SLACK;
    int first = 0;
    for (size_t i = 0; i < count; i++) {
        if (source->messages[i]->err)
            continue;
        bytes += kept_bytes(source, source->messages[i]) + 1;
        key_bytes += source->messages[i]->key_len;
    }
    int error = reserve(batch, (uint32_t)count, bytes, key_bytes);
    if (error)
        return error;
    struct writer at = { batch->bytes, batch->keys };
    for (size_t i = 0; i < count; i++) {
        struct kafka_topic *topic = NULL;
        struct connectors_kafka_partition *partition = partition_of(source, source->messages[i], &topic);
        if (partition && !partition->own_queue) {
            error = kafka_turns_split(source, (uint32_t)(partition - source->partitions.at));
            first = first ? first : error;
        }
        if (source->messages[i]->err)
            error = take_event(source, source->messages[i], first ? NULL : reterr);
        else
            take_record(source, source->messages[i], batch, &at);
        first = first ? first : error;
    }
    memset(at.bytes, 0, CEP_RECORD_SLACK);
    memset(at.keys, 0, CEP_RECORD_SLACK);
    return first;
}

int connectors_kafka_source_poll(struct connectors_kafka_source *source, int timeout_ms, uint32_t max_records,
                                 struct connectors_kafka_batch *batch, struct base_buf *reterr)
{
    batch->count = 0;
    int error = kafka_source_connect(source, reterr);
    if (error)
        return error;
    clients_kafka_poll(source->kafka, 0);
    size_t most = max_records < KAFKA_BATCH_MAX ? max_records : KAFKA_BATCH_MAX;
    ssize_t count = kafka_turns_take(source, timeout_ms, most);
    if (count <= 0)
        return 0;
    /* Without memory the batch is lost to us but not to Kafka: the caller starts again from its positions, as after any
     * failure. */
    error = take_messages(source, (size_t)count, batch, reterr);
    for (ssize_t i = 0; i < count; i++)
        rd_kafka_message_destroy(source->messages[i]);
    return error;
}
