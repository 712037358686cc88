/* The group's committed offset as it stands, without waiting for transactions: asked before init_transactions, which would settle or fence them. */
#include "base/alloc.h"
#include "base/error.h"
#include "connectors/kafka_sink_internal.h"

static int take_peeked(rd_kafka_event_t *event, struct connectors_kafka_offset *ret)
{
    size_t count = 0;
    const rd_kafka_ListConsumerGroupOffsets_result_t *result = rd_kafka_event_ListConsumerGroupOffsets_result(event);
    const rd_kafka_group_result_t **groups = result ? rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count) : NULL;
    const rd_kafka_topic_partition_list_t *list = groups && count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    ret->offset = -1;
    ret->metadata = NULL;
    ret->error = 0;
    if (!list || list->cnt != 1 || list->elems[0].offset < 0)
        return 0;
    ret->offset = list->elems[0].offset;
    if (list->elems[0].metadata_size > 0) {
        ret->metadata = base_strndup(list->elems[0].metadata, list->elems[0].metadata_size);
        if (!ret->metadata)
            return BASE_E_NOMEM;
    }
    return 0;
}

/* Why there is no answer for the group; a group that nobody has used yet is no error. */
static rd_kafka_resp_err_t peek_failed(rd_kafka_event_t *event)
{
    size_t count = 0;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_ListConsumerGroupOffsets_result_t *result = code ? NULL : rd_kafka_event_ListConsumerGroupOffsets_result(event);
    const rd_kafka_group_result_t **groups = result ? rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count) : NULL;
    const rd_kafka_error_t *error = groups && count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
    if (error)
        code = rd_kafka_error_code(error);
    return code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
}

int connectors_kafka_sink_peek(struct connectors_kafka_sink *sink, struct connectors_kafka_offset *offset, int timeout_ms, struct base_buf *reterr)
{
    char text[256];
    int error = sink->group_id ? kafka_sink_side(sink, reterr) : BASE_E_INVALID;
    if (error)
        return error;
    rd_kafka_t *handle = clients_kafka_handle(sink->side);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, offset->topic, offset->partition);
    rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(sink->group_id, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    int bounded_ms = timeout_ms < 1000 ? 1000 : timeout_ms;
    (void)rd_kafka_AdminOptions_set_request_timeout(options, bounded_ms, text, sizeof text); /* in its range by construction */
    rd_kafka_ListConsumerGroupOffsets(handle, &request, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, bounded_ms + 500);
    rd_kafka_resp_err_t code = event ? peek_failed(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code) {
        error = kafka_sink_failed(sink, sink->side, "committed offset of the last epoch", code, NULL, reterr);
        if (code == RD_KAFKA_RESP_ERR__TIMED_OUT && error == BASE_E_BROKER)
            error = BASE_E_TIMEOUT;
    } else {
        error = take_peeked(event, offset);
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    return error;
}
