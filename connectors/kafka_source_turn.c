/* Whose turn it is: each partition has a queue of its own in librdkafka, and the one that is least far in event time is read first. In one common queue,
 * partitions come in blocks as large as a fetch, and whatever has filled the queue first comes first: reading a backlog, partitions drift apart by minutes of
 * event time, rows wait for the slowest partition's watermark, and all they touch must be held in memory meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/error.h"
#include "connectors/kafka_source_internal.h"

int kafka_turns_open(struct connectors_kafka_source *source)
{
    if (source->wake_fd < 0)
        source->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (source->wake_fd < 0)
        return BASE_E_IO;
    static const uint64_t one = 1; /* an eventfd takes eight bytes */
    rd_kafka_queue_io_event_enable(source->queue, source->wake_fd, &one, sizeof one);
    return 0;
}

void kafka_turns_close(struct connectors_kafka_source *source)
{
    for (size_t i = 0; i < source->turns.len; i++) {
        rd_kafka_queue_io_event_enable(source->turns.at[i].queue, -1, NULL, 0);
        rd_kafka_queue_destroy(source->turns.at[i].queue);
    }
    source->turns.len = 0;
    for (size_t i = 0; i < source->partitions.len; i++)
        source->partitions.at[i].own_queue = false;
    if (source->queue)
        rd_kafka_queue_io_event_enable(source->queue, -1, NULL, 0);
    if (source->wake_fd >= 0)
        close(source->wake_fd);
    source->wake_fd = -1;
}

/* A partition whose fetching has begun: from now on its messages stay in its own queue. What came before is in the common queue, which is emptied before any
 * other is looked at, so the order of a partition's messages holds. Earlier, the assignment, which is put into effect by another thread, would undo this. */
int kafka_turns_split(struct connectors_kafka_source *source, uint32_t index)
{
    static const uint64_t one = 1;
    struct connectors_kafka_partition *partition = &source->partitions.at[index];
    if (partition->own_queue)
        return 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(clients_kafka_handle(source->kafka), partition->topic, partition->topic_partition);
    if (!queue)
        return 0; /* it stays in the common one */
    if (!BASE_VEC_PUSH(&source->turns, ((struct kafka_turn){ index, queue }))) {
        rd_kafka_queue_destroy(queue);
        return BASE_E_NOMEM;
    }
    partition->own_queue = true;
    rd_kafka_queue_io_event_enable(queue, source->wake_fd, &one, sizeof one);
    rd_kafka_queue_forward(queue, NULL);
    return 0;
}

/* By time; nearly in order already. */
static void sort_turns(struct connectors_kafka_source *source)
{
    for (size_t i = 1; i < source->turns.len; i++) {
        struct kafka_turn turn = source->turns.at[i];
        int64_t time_ms = source->partitions.at[turn.partition].time_ms;
        size_t k = i;
        for (; k > 0 && source->partitions.at[source->turns.at[k - 1].partition].time_ms > time_ms; k--)
            source->turns.at[k] = source->turns.at[k - 1];
        source->turns.at[k] = turn;
    }
}

static ssize_t take(struct connectors_kafka_source *source, size_t most)
{
    ssize_t count = rd_kafka_consume_batch_queue(source->queue, 0, source->messages, most);
    if (count > 0)
        return count;
    size_t got = 0, share = most / 4 > 0 ? most / 4 : 1;
    sort_turns(source);
    for (size_t i = 0; i < source->turns.len && got < most; i++) {
        size_t want = most - got < share ? most - got : share;
        count = rd_kafka_consume_batch_queue(source->turns.at[i].queue, 0, source->messages + got, want);
        got += count > 0 ? (size_t)count : 0;
    }
    return (ssize_t)got;
}

ssize_t kafka_turns_take(struct connectors_kafka_source *source, int timeout_ms, size_t most)
{
    uint64_t events;
    /* Before looking: what comes after this wakes the wait below. */
    while (read(source->wake_fd, &events, sizeof events) < 0 && errno == EINTR) {
    }
    ssize_t count = take(source, most);
    if (count > 0 || timeout_ms <= 0)
        return count;
    struct pollfd wait = { .fd = source->wake_fd, .events = POLLIN };
    (void)poll(&wait, 1, timeout_ms); /* a signal only ends the wait early */
    return take(source, most);
}

void connectors_kafka_source_reached(struct connectors_kafka_source *source, uint32_t partition, int64_t time_ms)
{
    source->partitions.at[partition].time_ms = time_ms;
}
