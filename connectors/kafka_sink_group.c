/* What the Kafka sink asks of the cluster besides producing: committed offsets, members of the group, topics. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "connectors/kafka_sink_internal.h"

#define METADATA_MAX 4096u

int kafka_offsets_list(const struct connectors_kafka_offset *offsets, size_t count,
                       rd_kafka_topic_partition_list_t **ret)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *at =
            rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition);
        size_t len = offsets[i].metadata ? strlen(offsets[i].metadata) : 0;
        at->offset = offsets[i].offset;
        if (len == 0)
            continue;
        at->metadata = len <= METADATA_MAX ? rd_kafka_mem_malloc(NULL, len + 1) : NULL; /* the list frees it */
        if (!at->metadata) {
            rd_kafka_topic_partition_list_destroy(list);
            return len <= METADATA_MAX ? BASE_E_NOMEM : BASE_E_LIMIT;
        }
        memcpy(at->metadata, offsets[i].metadata, len + 1);
        at->metadata_size = len;
    }
    *ret = list;
    return 0;
}

/* A consumer of the group that never consumes. */
static int make_side(struct connectors_kafka_sink *sink, const char *isolation, struct clients_kafka **ret, struct base_buf *reterr)
{
    static const struct clients_option defaults[] = {
        { "reconnect.backoff.ms", "100" },
        { "reconnect.backoff.max.ms", "2000" },
        { "statistics.interval.ms", "0" },
        { "client.id", "cepheid" },
    };
    struct clients_option fixed[] = {
        { "group.id", sink->group_id ? sink->group_id : "cepheid" },
        { "isolation.level", isolation },
        { "enable.auto.commit", "false" },
    };
    struct clients_kafka_setup setup = {
        .name = sink->name,
        .options = sink->options,
        .option_count = sink->option_count,
        .defaults = defaults,
        .default_count = sizeof defaults / sizeof defaults[0],
        .fixed = fixed,
        .fixed_count = sizeof fixed / sizeof fixed[0],
    };
    return clients_kafka_create(&setup, ret, reterr);
}

int kafka_sink_side(struct connectors_kafka_sink *sink, struct base_buf *reterr)
{
    return sink->side ? 0 : make_side(sink, "read_committed", &sink->side, reterr);
}

static int take_committed(const rd_kafka_topic_partition_t *at, struct connectors_kafka_offset *ret)
{
    ret->offset = at->offset >= 0 ? at->offset : -1;
    ret->metadata = NULL;
    ret->error = at->err ? clients_kafka_code(clients_kafka_classify(at->err)) : 0;
    if (at->metadata_size > 0) {
        ret->metadata = base_strndup(at->metadata, at->metadata_size);
        if (!ret->metadata)
            return BASE_E_NOMEM;
    }
    return 0;
}

static int ask_committed(struct connectors_kafka_sink *sink, struct clients_kafka *side, struct connectors_kafka_offset *offsets, size_t count,
                         int timeout_ms, struct base_buf *reterr)
{
    int error = 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(clients_kafka_handle(side), list, timeout_ms);
    if (code) {
        error = kafka_sink_failed(sink, side, "committed offsets", code, NULL, reterr);
        if (code == RD_KAFKA_RESP_ERR__TIMED_OUT && error == BASE_E_BROKER)
            error = BASE_E_TIMEOUT;
    }
    size_t taken = 0;
    for (; !error && taken < count; taken++)
        error = take_committed(&list->elems[taken], &offsets[taken]);
    for (size_t i = 0; error && !code && i < taken; i++) {
        base_free(offsets[i].metadata);
        offsets[i].metadata = NULL;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

int connectors_kafka_sink_committed(struct connectors_kafka_sink *sink, struct connectors_kafka_offset *offsets,
                                    size_t count, int timeout_ms, struct base_buf *reterr)
{
    int error = sink->group_id ? kafka_sink_side(sink, reterr) : BASE_E_INVALID;
    return error ? error : ask_committed(sink, sink->side, offsets, count, timeout_ms, reterr);
}

/* A consumer that reads uncommitted records asks for offsets without waiting for open transactions. (The admin request for offsets would do as well, but
 * librdkafka 2.0 ends the process when it runs out of time before the group's coordinator is known.) */
int connectors_kafka_sink_peek(struct connectors_kafka_sink *sink, struct connectors_kafka_offset *offset, int timeout_ms,
                               struct base_buf *reterr)
{
    struct clients_kafka *side = NULL;
    int error = sink->group_id ? make_side(sink, "read_uncommitted", &side, reterr) : BASE_E_INVALID;
    if (error)
        return error;
    error = ask_committed(sink, side, offset, 1, timeout_ms, reterr);
    clients_kafka_destroy(side);
    return error;
}

int connectors_kafka_sink_members(struct connectors_kafka_sink *sink, int timeout_ms, uint32_t *ret,
                                  struct base_buf *reterr)
{
    const struct rd_kafka_group_list *list = NULL;
    int error = sink->group_id ? kafka_sink_side(sink, reterr) : BASE_E_INVALID;
    if (error)
        return error;
    rd_kafka_resp_err_t code =
        rd_kafka_list_groups(clients_kafka_handle(sink->side), sink->group_id, &list, timeout_ms);
    uint32_t members = 0;
    if (code && code != RD_KAFKA_RESP_ERR__PARTIAL)
        error = kafka_sink_failed(sink, sink->side, "members of the consumer group", code, NULL, reterr);
    for (int i = 0; !error && list && i < list->group_cnt; i++) {
        if (strcmp(list->groups[i].group, sink->group_id) == 0)
            members += (uint32_t)list->groups[i].member_cnt;
    }
    if (list)
        rd_kafka_group_list_destroy(list);
    if (!error)
        *ret = members;
    return error;
}

int connectors_kafka_sink_has_topic(struct connectors_kafka_sink *sink, const char *topic, int timeout_ms,
                                    int32_t *ret_partitions, struct base_buf *reterr)
{
    const struct rd_kafka_metadata *metadata = NULL;
    char what[320];
    int error = kafka_sink_side(sink, reterr);
    if (error)
        return error;
    snprintf(what, sizeof what, "topic %s", topic);
    rd_kafka_t *handle = clients_kafka_handle(sink->side);
    rd_kafka_topic_t *asked = rd_kafka_topic_new(handle, topic, NULL);
    if (!asked) {
        clients_kafka_explain(sink->side, what, rd_kafka_last_error(), NULL, reterr);
        return BASE_E_CONFIG;
    }
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 0, asked, &metadata, timeout_ms);
    rd_kafka_topic_destroy(asked);
    int32_t partitions = 0;
    bool led = true;
    if (!code && metadata->topic_cnt == 1) {
        code = metadata->topics[0].err;
        partitions = metadata->topics[0].partition_cnt;
        for (int32_t i = 0; i < partitions; i++)
            led = led && metadata->topics[0].partitions[i].leader >= 0;
    }
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || (!code && partitions == 0)) {
        clients_kafka_explain(sink->side, what, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, NULL, reterr);
        error = BASE_E_NOTFOUND;
    } else if (code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || (!code && !led)) {
        clients_kafka_explain(sink->side, what, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, NULL, reterr);
        error = BASE_E_BUSY;
    } else if (code) {
        error = kafka_sink_failed(sink, sink->side, what, code, NULL, reterr);
    } else if (ret_partitions) {
        *ret_partitions = partitions;
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    return error;
}

void connectors_kafka_sink_prepare(struct connectors_kafka_sink *sink, const char *topic, int timeout_ms)
{
    bool there = connectors_kafka_sink_has_topic(sink, topic, timeout_ms, NULL, NULL) == 0;
    rd_kafka_topic_t *known = there ? rd_kafka_topic_new(clients_kafka_handle(sink->kafka), topic, NULL) : NULL;
    if (known && !BASE_VEC_PUSH(&sink->known, known))
        rd_kafka_topic_destroy(known);
    if (sink->transactional)
        return;
    clients_kafka_destroy(sink->side); /* such a sink asks nothing else */
    sink->side = NULL;
}

/* The answer to CreateTopics for the one topic asked for. */
static rd_kafka_resp_err_t result_of(rd_kafka_event_t *event, char *ret_text, size_t size)
{
    size_t count = 0;
    if (!event) {
        snprintf(ret_text, size, "no answer in time");
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = code ? rd_kafka_event_error_string(event) : NULL;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics =
        result && !code ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
    if (topics && count == 1) {
        code = rd_kafka_topic_result_error(topics[0]);
        text = rd_kafka_topic_result_error_string(topics[0]);
    }
    snprintf(ret_text, size, "%s", text ? text : "");
    return code;
}

static int create_topic(struct connectors_kafka_sink *sink, const struct connectors_kafka_topic *topic, int timeout_ms,
                        struct base_buf *reterr)
{
    char text[512] = "", what[320];
    rd_kafka_t *handle = clients_kafka_handle(sink->side);
    snprintf(what, sizeof what, "creation of topic %s", topic->name);
    rd_kafka_NewTopic_t *wanted =
        rd_kafka_NewTopic_new(topic->name, topic->partitions, topic->replication, text, sizeof text);
    if (!wanted) {
        clients_kafka_explain(sink->side, what, RD_KAFKA_RESP_ERR__INVALID_ARG, text, reterr);
        return BASE_E_CONFIG;
    }
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; !code && i < topic->config_count; i++)
        code = rd_kafka_NewTopic_set_config(wanted, topic->config[i].name, topic->config[i].value);
    if (!code) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
        rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        int bounded_ms = timeout_ms < 1000 ? 1000 : timeout_ms;
        (void)rd_kafka_AdminOptions_set_request_timeout(options, bounded_ms, text,
                                                        sizeof text); /* in its range by construction */
        (void)rd_kafka_AdminOptions_set_operation_timeout(options, bounded_ms, text, sizeof text);
        rd_kafka_CreateTopics(handle, &wanted, 1, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, bounded_ms + 500);
        code = result_of(event, text, sizeof text);
        if (event)
            rd_kafka_event_destroy(event);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_queue_destroy(queue);
    }
    rd_kafka_NewTopic_destroy(wanted);
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return 0;
    return kafka_sink_failed(sink, sink->side, what, code, text, reterr);
}

int connectors_kafka_sink_ensure_topic(struct connectors_kafka_sink *sink, const struct connectors_kafka_topic *topic,
                                       int timeout_ms, struct base_buf *reterr)
{
    int64_t until_us = base_clock_mono_us() + (int64_t)timeout_ms * 1000;
    bool created = false;
    for (;;) {
        int64_t left_ms = (until_us - base_clock_mono_us()) / 1000;
        struct base_buf text = { 0 };
        int error = connectors_kafka_sink_has_topic(sink, topic->name, left_ms > 1 ? (int)left_ms : 1, NULL, &text);
        if (error == BASE_E_NOTFOUND && !created) {
            base_buf_clear(&text);
            error = create_topic(sink, topic, left_ms > 1 ? (int)left_ms : 1, &text);
            created = true;
            if (!error)
                error = BASE_E_BUSY; /* look whether it has come to be */
        } else if (error == BASE_E_NOTFOUND) {
            error = BASE_E_BUSY; /* the broker that was asked has not heard of it yet */
        }
        bool again = error == BASE_E_BUSY && base_clock_mono_us() < until_us;
        if (!again && error && reterr)
            base_buf_put(reterr, text.ptr, text.len);
        base_buf_finish(&text);
        if (!again)
            return error == BASE_E_BUSY ? BASE_E_TIMEOUT : error;
        clients_kafka_poll(sink->side, 20);
    }
}
