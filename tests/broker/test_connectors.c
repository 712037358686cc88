/* The Kafka connectors against a real broker. Run by tests/stages/40-kafka.sh under tests/broker/kafka.sh, which sets
 * KAFKA, KAFKA_CONTROL (a Unix socket that kills and starts the broker) and, for the encrypted listener, KAFKA_SASL,
 * KAFKA_CA, KAFKA_USER, KAFKA_PASSWORD. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "connectors/kafka_sink.h"
#include "connectors/kafka_source.h"
#include "tests/unit/tap.h"

#define WAIT_MS 120000 /* how long a busy machine may take for what takes milliseconds */

static struct clients_option bootstrap[1];

static struct base_str str(const char *text)
{
    return base_str_of(text);
}

/* Asks the harness; "ok" is good. */
static bool control(const char *command)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char answer[256] = "";
    snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv("KAFKA_CONTROL"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) || dprintf(fd, "%s\n", command) < 0)
        return false;
    ssize_t len = read(fd, answer, sizeof answer - 1);
    close(fd);
    if (len < 2 || strncmp(answer, "ok", 2) != 0)
        printf("# control %s: %s\n", command, answer);
    return len >= 2 && strncmp(answer, "ok", 2) == 0;
}

static void is_ok(int error, struct base_buf *text, const char *what)
{
    if (error)
        printf("# %s: %s: %s\n", what, base_error_name(error), text && text->ptr ? text->ptr : "");
    IS_INT(error, 0, what);
    if (text)
        base_buf_finish(text);
}

static struct connectors_kafka_sink *sink_with(const char *transactional_id, const char *group, uint32_t timeout_ms)
{
    struct connectors_kafka_sink *sink = NULL;
    struct base_buf text = { 0 };
    struct connectors_kafka_sink_options options = {
        .name = "sink alerts",
        .transactional_id = transactional_id,
        .group_id = group,
        .options = bootstrap,
        .option_count = 1,
        .transaction_timeout_ms = timeout_ms,
    };
    is_ok(connectors_kafka_sink_create(&options, &sink, &text), &text, "sink made");
    if (!sink)
        exit(1);
    if (transactional_id)
        is_ok(connectors_kafka_sink_init(sink, WAIT_MS, &text), &text, "transactions begun");
    return sink;
}

static struct connectors_kafka_sink *sink_of(const char *transactional_id, const char *group)
{
    return sink_with(transactional_id, group, 60000);
}

static void make_topic(struct connectors_kafka_sink *sink, const char *name, int partitions)
{
    struct base_buf text = { 0 };
    struct connectors_kafka_topic topic = { .name = name, .partitions = partitions, .replication = 1 };
    is_ok(connectors_kafka_sink_ensure_topic(sink, &topic, WAIT_MS, &text), &text, "topic made");
}

/* extra: option name and value pairs, NULL at the end. */
static struct connectors_kafka_source *source_of(const char *topic, const char *const *extra)
{
    struct clients_option with[16] = { { "connector", "kafka" },
                                       { "topic", topic },
                                       { "properties.bootstrap.servers", bootstrap[0].value } };
    size_t count = 3;
    for (size_t i = 0; extra && extra[i]; i += 2)
        with[count++] = (struct clients_option){ extra[i], extra[i + 1] };
    struct connectors_kafka_source_options options = {
        .name = "orders", .group_id = "app", .with = with, .with_count = count
    };
    struct connectors_kafka_source *source = NULL;
    struct base_buf text = { 0 };
    is_ok(connectors_kafka_source_create(&options, &source, &text), &text, "source made");
    if (!source)
        exit(1);
    return source;
}

/* Discovers, resolves and starts all partitions; start offsets are left in `starts` (room for 16). */
static uint32_t begin(struct connectors_kafka_source *source, struct connectors_kafka_start *starts)
{
    struct base_buf text = { 0 };
    uint32_t found = 0;
    is_ok(connectors_kafka_source_discover(source, WAIT_MS, &found, &text), &text, "topic discovered");
    uint32_t count = connectors_kafka_source_partitions(source);
    for (uint32_t i = 0; i < count; i++)
        starts[i].partition = i;
    is_ok(connectors_kafka_source_resolve(source, starts, count, false, WAIT_MS, &text), &text, "start resolved");
    if (connectors_kafka_source_bounded(source))
        is_ok(connectors_kafka_source_resolve_end(source, WAIT_MS, &text), &text, "end resolved");
    is_ok(connectors_kafka_source_start(source, starts, count, &text), &text, "started");
    return count;
}

struct taken {
    char *texts[20000]; /* payloads in the order of arrival, base_free */
    uint32_t partition[20000];
    int64_t offset[20000];
    size_t count;
    bool padded;
};

static void forget(struct taken *taken)
{
    for (size_t i = 0; i < taken->count; i++)
        base_free(taken->texts[i]);
    taken->count = 0;
    taken->padded = true;
}

static bool all_at_end(struct connectors_kafka_source *source)
{
    for (uint32_t i = 0; i < connectors_kafka_source_partitions(source); i++) {
        const struct connectors_kafka_partition *partition = connectors_kafka_source_partition(source, i);
        if (partition->started && !partition->paused && !partition->at_end && !partition->finished)
            return false;
    }
    return true;
}

/* Polls until `want` records came, or (want 0) until everything is read; at most max_ms. Gives poll's first error. */
static int drain(struct connectors_kafka_source *source, struct taken *taken, size_t want, int max_ms)
{
    struct connectors_kafka_batch batch = { 0 };
    int64_t until_us = base_clock_mono_us() + (int64_t)max_ms * 1000;
    int error = 0;
    while (!error && base_clock_mono_us() < until_us && (want ? taken->count < want : !all_at_end(source))) {
        struct base_buf text = { 0 };
        error = connectors_kafka_source_poll(source, 50, 500, &batch, &text);
        if (error)
            printf("# poll: %s: %s\n", base_error_name(error), text.ptr ? text.ptr : "");
        base_buf_finish(&text);
        for (uint32_t i = 0; i < batch.count && taken->count < 20000; i++) {
            const struct cep_record *record = &batch.records[i];
            volatile char sum = 0;
            for (size_t k = 0; k < CEP_RECORD_SLACK && record->bytes.ptr; k++)
                sum = (char)(sum + record->bytes.ptr[record->bytes.len + k]);
            taken->padded = taken->padded && (record->flags & CEP_RECORD_PADDED);
            taken->partition[taken->count] = batch.partitions[i];
            taken->offset[taken->count] = record->offset;
            taken->texts[taken->count++] = base_strndup(record->bytes.ptr ? record->bytes.ptr : "(none)",
                                                        record->bytes.ptr ? record->bytes.len : 6);
        }
    }
    connectors_kafka_batch_finish(&batch);
    return error;
}

static size_t count_of(const struct taken *taken, const char *text)
{
    size_t count = 0;
    for (size_t i = 0; i < taken->count; i++)
        count += strcmp(taken->texts[i], text) == 0;
    return count;
}

static struct taken *new_taken(void)
{
    struct taken *taken = base_calloc(1, sizeof *taken);
    if (!taken)
        exit(1);
    taken->padded = true;
    return taken;
}

static int put(struct connectors_kafka_sink *sink, const char *topic, const char *key, const char *value)
{
    return connectors_kafka_sink_produce(sink, topic, key ? str(key) : (struct base_str){ NULL, 0 },
                                         value ? str(value) : (struct base_str){ NULL, 0 }, NULL, 0);
}

static void test_round_trip(void)
{
    struct connectors_kafka_sink *sink = sink_of(NULL, "app");
    struct base_buf text = { 0 };
    make_topic(sink, "trip", 4);
    make_topic(sink, "trip", 4);
    connectors_kafka_sink_prepare(sink, "trip", WAIT_MS);
    connectors_kafka_sink_prepare(sink, "not-there-yet", WAIT_MS);
    IS_INT(connectors_kafka_sink_has_topic(sink, "not-there-yet", WAIT_MS, NULL, NULL), BASE_E_NOTFOUND, "to prepare for a topic does not make it");
    struct connectors_kafka_header headers[] = { { "ce_id", BASE_STR("a.1") } };
    IS_INT(connectors_kafka_sink_produce(sink, "trip", str("k1"), str("v1"), headers, 1), 0, "with key and header");
    IS_INT(put(sink, "trip", "k1", "v2"), 0, "same key");
    IS_INT(put(sink, "trip", "k1", NULL), 0, "a tombstone");
    IS_INT(put(sink, "trip", NULL, "nokey"), 0, "without key");
    for (int i = 0; i < 1000; i++) {
        char key[16], value[64];
        snprintf(key, sizeof key, "key%d", i % 37);
        snprintf(value, sizeof value, "{\"n\":%d}", i);
        if (put(sink, "trip", key, value))
            abort();
    }
    is_ok(connectors_kafka_sink_flush(sink, WAIT_MS, &text), &text, "flushed");
    struct connectors_kafka_sink_stats stats;
    connectors_kafka_sink_stats(sink, &stats);
    OK(stats.produced == 1004 && stats.delivered == 1004 && stats.failed == 0, "counted");
    char *big = base_calloc(1, 2000000);
    memset(big, 'x', 1999999);
    IS_INT(put(sink, "trip", "k", big), BASE_E_LIMIT, "a record beyond the limit is refused before it is sent");
    base_free(big);

    struct connectors_kafka_source *source =
        source_of("trip", (const char *const[]){ "scan.startup.mode", "earliest-offset", NULL });
    struct connectors_kafka_start starts[16];
    struct taken *taken = new_taken();
    IS_INT(begin(source, starts), 4, "four partitions");
    IS_INT(drain(source, taken, 1004, WAIT_MS), 0, "read");
    IS_INT(taken->count, 1004, "all of them");
    OK(taken->padded, "with room behind them");
    uint32_t partition = UINT32_MAX;
    const char *order[] = { "v1", "v2", "(none)" };
    size_t seen = 0;
    for (size_t i = 0; i < taken->count; i++) {
        if (seen < 3 && strcmp(taken->texts[i], order[seen]) == 0) {
            OK(seen == 0 || taken->partition[i] == partition, "one key, one partition, in order");
            partition = taken->partition[i];
            seen++;
        }
    }
    IS_INT(seen, 3, "the three of k1, the tombstone last");
    IS_INT(drain(source, taken, 0, WAIT_MS), 0, "to the end");
    OK(all_at_end(source), "the ends are known");
    int64_t sum = 0, high = 0;
    for (uint32_t i = 0; i < 4; i++) {
        sum += connectors_kafka_source_partition(source, i)->next_offset;
        high += connectors_kafka_source_high(source, i);
    }
    IS_INT(sum, 1004, "positions stand at the end");
    IS_INT(high, 1004, "and so do the high watermarks");
    struct clients_kafka_health health;
    connectors_kafka_source_health(source, &health);
    OK(health.reachable, "the broker is reachable");

    /* How long a record takes from flush to poll: shows that a batch does not wait for more. */
    forget(taken);
    int64_t least_us = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t start_us = base_clock_mono_us();
        IS_INT(put(sink, "trip", "k1", "late"), 0, "one more");
        IS_INT(connectors_kafka_sink_flush(sink, WAIT_MS, NULL), 0, "flushed");
        IS_INT(drain(source, taken, (size_t)i + 1, WAIT_MS), 0, "read");
        int64_t us = base_clock_mono_us() - start_us;
        least_us = us < least_us ? us : least_us;
    }
    printf("# produce to poll: %lld us at least\n", (long long)least_us);
    OK(least_us < 45000, "sooner than the timeout of a poll, if only once: the others may have waited for a processor");
    forget(taken);
    base_free(taken);
    connectors_kafka_source_destroy(source);
    connectors_kafka_sink_destroy(sink);
}

static void test_start_modes(void)
{
    struct connectors_kafka_sink *sink = sink_of(NULL, "other-group");
    struct connectors_kafka_start starts[16];
    struct base_buf text = { 0 };
    char number[32], words[64];
    make_topic(sink, "modes", 1);
    for (int i = 0; i < 5; i++)
        IS_INT(put(sink, "modes", "k", "old"), 0, "produced");
    IS_INT(connectors_kafka_sink_flush(sink, WAIT_MS, NULL), 0, "flushed");
    usleep(20000);
    int64_t between_ms = base_clock_wall_ms();
    usleep(20000);
    for (int i = 0; i < 5; i++)
        IS_INT(put(sink, "modes", "k", "new"), 0, "produced");
    IS_INT(connectors_kafka_sink_flush(sink, WAIT_MS, NULL), 0, "flushed");
    snprintf(number, sizeof number, "%lld", (long long)between_ms);
    snprintf(words, sizeof words, "partition:0,offset:%d", 3);
    const struct {
        const char *options[8];
        int64_t want;
    } cases[] = {
        { { "scan.startup.mode", "earliest-offset", NULL }, 0 },
        { { "scan.startup.mode", "latest-offset", NULL }, 10 },
        { { "scan.startup.mode", "timestamp", "scan.startup.timestamp-millis", number, NULL }, 5 },
        { { "scan.startup.mode", "timestamp", "scan.startup.timestamp-millis", "4102444800000", NULL }, 10 },
        { { "scan.startup.mode", "specific-offsets", "scan.startup.specific-offsets", words, NULL }, 3 },
        { { NULL }, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct connectors_kafka_source *source = source_of("modes", cases[i].options);
        begin(source, starts);
        IS_INT(starts[0].offset, cases[i].want, cases[i].options[0] ? cases[i].options[1] : "group without offsets");
        connectors_kafka_source_destroy(source);
    }
    /* The offsets of another group, as one that moves here from elsewhere has them; and the lag for Kafka's tools. */
    struct connectors_kafka_source *source =
        source_of("modes", (const char *const[]){ "scan.startup.mode", "earliest-offset", NULL });
    begin(source, starts);
    starts[0].offset = 7;
    IS_INT(connectors_kafka_source_commit(source, starts, 1, "note"), 0, "committed to the application's group");
    struct connectors_kafka_sink *reader = sink_of(NULL, "app");
    struct connectors_kafka_offset offset = { .topic = "modes", .partition = 0, .offset = -1 };
    int error = 0;
    for (int64_t until_us = base_clock_mono_us() + WAIT_MS * 1000;
         !error && offset.offset < 0 && base_clock_mono_us() < until_us; usleep(20000))
        error = connectors_kafka_sink_committed(reader, &offset, 1, WAIT_MS, &text);
    is_ok(error, &text, "asked");
    IS_STR(offset.metadata, "note", "its metadata");
    base_free(offset.metadata);
    connectors_kafka_sink_destroy(reader);
    IS_INT(offset.offset, 7, "the committed offset");
    connectors_kafka_source_destroy(source);
    source = source_of("modes", (const char *const[]){ "properties.group.id", "app", NULL });
    begin(source, starts);
    IS_INT(starts[0].offset, 7, "group-offsets of a named group");
    connectors_kafka_source_destroy(source);

    source = source_of("modes", (const char *const[]){ "scan.startup.mode", "earliest-offset", "scan.bounded.mode",
                                                       "latest-offset", NULL });
    begin(source, starts);
    struct taken *taken = new_taken();
    IS_INT(put(sink, "modes", "k", "too late"), 0, "produced behind the end");
    IS_INT(connectors_kafka_sink_flush(sink, WAIT_MS, NULL), 0, "flushed");
    for (int i = 0; i < 400 && !connectors_kafka_source_finished(source); i++)
        IS_INT(drain(source, taken, taken->count + 1, 50), 0, "bounded read");
    OK(connectors_kafka_source_finished(source), "a bounded source finishes");
    IS_INT(taken->count, 10, "with what was there at its start");
    IS_INT(count_of(taken, "too late"), 0, "and nothing later");
    forget(taken);
    base_free(taken);
    connectors_kafka_source_destroy(source);
    connectors_kafka_sink_destroy(sink);
}

static void test_errors(void)
{
    struct connectors_kafka_sink *sink = sink_of(NULL, NULL);
    struct connectors_kafka_start starts[16];
    struct base_buf text = { 0 };
    uint32_t found = 0;
    struct connectors_kafka_source *source = source_of("nowhere", NULL);
    IS_INT(connectors_kafka_source_discover(source, WAIT_MS, &found, &text), BASE_E_NOTFOUND, "a missing topic");
    OK(text.ptr && strstr(text.ptr, "nowhere") && strstr(text.ptr, "create the topic"), "is named, with a remedy");
    printf("# %s\n", text.ptr ? text.ptr : "");
    base_buf_clear(&text);
    make_topic(sink, "nowhere", 1);
    is_ok(connectors_kafka_source_discover(source, WAIT_MS, &found, &text), &text, "once it is there it is found");
    IS_INT(found, 1, "one partition");
    IS_INT(connectors_kafka_sink_has_topic(sink, "nothing-here", WAIT_MS, NULL, NULL), BASE_E_NOTFOUND,
           "asking does not make a topic");
    OK(control("partitions nowhere 3"), "two more partitions");
    for (int i = 0; i < 50 && connectors_kafka_source_partitions(source) < 3; i++)
        IS_INT(connectors_kafka_source_discover(source, WAIT_MS, &found, NULL), 0, "discovered again");
    IS_INT(connectors_kafka_source_partitions(source), 3, "are found");
    IS_INT(connectors_kafka_source_find(source, "nowhere", 2), 2, "by their number");
    OK(!connectors_kafka_source_wants_discover(source), "no need to ask again at once");
    connectors_kafka_source_destroy(source);

    source = source_of("nowhere", NULL);
    is_ok(connectors_kafka_source_discover(source, WAIT_MS, &found, &text), &text, "discovered");
    starts[0] = (struct connectors_kafka_start){ 0, 1000 };
    is_ok(connectors_kafka_source_start(source, starts, 1, &text), &text, "started beyond the end of the log");
    struct connectors_kafka_batch batch = { 0 };
    int error = 0;
    for (int i = 0; i < 200 && !error; i++)
        error = connectors_kafka_source_poll(source, 50, 100, &batch, &text);
    IS_INT(error, BASE_E_RANGE, "is told");
    OK(text.ptr && strstr(text.ptr, "1000") && strstr(text.ptr, "nowhere"), "with place");
    printf("# %s\n", text.ptr ? text.ptr : "");
    base_buf_finish(&text);
    connectors_kafka_batch_finish(&batch);
    connectors_kafka_source_destroy(source);

    /* A port where nobody listens. */
    const char *servers = bootstrap[0].value;
    bootstrap[0].value = "127.0.0.1:1";
    source = source_of("trip", NULL);
    IS_INT(connectors_kafka_source_discover(source, 500, &found, &text), BASE_E_BROKER, "an unreachable broker");
    OK(text.ptr && strstr(text.ptr, "127.0.0.1:1") && strstr(text.ptr, "refused"), "place and cause");
    printf("# %s\n", text.ptr ? text.ptr : "");
    base_buf_finish(&text);
    connectors_kafka_source_destroy(source);
    bootstrap[0].value = servers;
    connectors_kafka_sink_destroy(sink);
}

static void test_pause_and_seek(void)
{
    struct connectors_kafka_sink *sink = sink_of(NULL, NULL);
    struct connectors_kafka_start starts[16];
    struct taken *taken = new_taken();
    struct base_buf text = { 0 };
    make_topic(sink, "pause", 2);
    for (int i = 0; i < 4000; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        if (put(sink, "pause", i % 2 ? "odd!" : "even", value))
            abort();
    }
    IS_INT(connectors_kafka_sink_flush(sink, WAIT_MS, NULL), 0, "flushed");
    struct connectors_kafka_source *source = source_of("pause", NULL);
    begin(source, starts);
    uint32_t first = 0;
    for (int round = 0; round < 8; round++) {
        IS_INT(drain(source, taken, taken->count + 100, 1000), 0, "some");
        IS_INT(connectors_kafka_source_pause(source, &first, 1, true), 0, "paused");
        size_t before = taken->count;
        IS_INT(drain(source, taken, taken->count + 100, 300), 0, "more while paused");
        bool other = false;
        for (size_t i = before; i < taken->count; i++)
            other = other || taken->partition[i] == 0;
        OK(!other, "nothing of the paused partition");
        IS_INT(connectors_kafka_source_pause(source, &first, 1, false), 0, "resumed");
    }
    IS_INT(drain(source, taken, 0, WAIT_MS), 0, "the rest");
    IS_INT(taken->count, 4000, "each once");
    int64_t next[2] = { 0, 0 };
    bool gapless = true;
    for (size_t i = 0; i < taken->count; i++)
        gapless = gapless && taken->offset[i] == next[taken->partition[i]]++;
    OK(gapless, "in order, without gaps");
    forget(taken);
    /* An internal restart: back to the positions of an earlier epoch. */
    IS_INT(connectors_kafka_source_stop(source), 0, "stopped");
    int64_t want = 0;
    for (uint32_t i = 0; i < 2; i++) {
        starts[i] = (struct connectors_kafka_start){ i, next[i] - 10 < 0 ? 0 : next[i] - 10 };
        want += next[i] - starts[i].offset;
    }
    is_ok(connectors_kafka_source_start(source, starts, 2, &text), &text, "started elsewhere");
    IS_INT(connectors_kafka_source_start(source, starts, 2, NULL), BASE_E_INVALID, "not twice");
    IS_INT(drain(source, taken, 0, WAIT_MS), 0, "read again");
    IS_INT(taken->count, want, "from there to the end");
    forget(taken);
    base_free(taken);
    connectors_kafka_source_destroy(source);
    connectors_kafka_sink_destroy(sink);
}

static void test_transactions(void)
{
    struct connectors_kafka_sink *sink = sink_of("app", "app");
    struct base_buf text = { 0 };
    struct connectors_kafka_start starts[16];
    struct taken *taken = new_taken();
    uint32_t members = 99;
    make_topic(sink, "app.epochs", 1);
    make_topic(sink, "decided", 2);
    is_ok(connectors_kafka_sink_members(sink, WAIT_MS, &members, &text), &text, "members asked");
    IS_INT(members, 0, "the group has no members");
    struct connectors_kafka_offset asked = { .topic = "app.epochs" };
    is_ok(connectors_kafka_sink_committed(sink, &asked, 1, WAIT_MS, &text), &text, "asked");
    IS_INT(asked.offset, -1, "nothing committed yet");
    struct connectors_kafka_source *source =
        source_of("decided", (const char *const[]){ "scan.startup.mode", "earliest-offset", NULL });
    begin(source, starts);

    struct connectors_kafka_offset offsets[] = { { "app.epochs", 0, 1, (char *)"store-7 1", 0 },
                                                 { "trip", 2, 42, (char *)"store-7 1", 0 } };
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "begun");
    IS_INT(put(sink, "decided", "k", "one"), 0, "produced");
    IS_INT(connectors_kafka_sink_flush(sink, WAIT_MS, NULL), 0, "flushed");
    IS_INT(drain(source, taken, 1, 300), 0, "looked");
    IS_INT(taken->count, 0, "an open transaction is not seen");
    is_ok(connectors_kafka_sink_send_offsets(sink, offsets, 2, WAIT_MS, &text), &text, "offsets sent");
    is_ok(connectors_kafka_sink_commit(sink, WAIT_MS, &text), &text, "committed");
    IS_INT(drain(source, taken, 1, WAIT_MS), 0, "looked");
    IS_INT(count_of(taken, "one"), 1, "now it is seen");
    struct connectors_kafka_offset both[] = { { .topic = "app.epochs" }, { .topic = "trip", .partition = 2 } };
    is_ok(connectors_kafka_sink_committed(sink, both, 2, WAIT_MS, &text), &text, "asked");
    IS_INT(both[0].offset, 1, "epoch's offset");
    IS_STR(both[0].metadata, "store-7 1", "epoch's metadata");
    IS_INT(both[1].offset, 42, "source's offset");
    base_free(both[0].metadata);
    base_free(both[1].metadata);

    forget(taken);
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "begun");
    IS_INT(put(sink, "decided", "k", "aborted"), 0, "produced");
    offsets[0].metadata = (char *)"store-7 2";
    is_ok(connectors_kafka_sink_send_offsets(sink, offsets, 2, WAIT_MS, &text), &text, "offsets sent");
    is_ok(connectors_kafka_sink_abort(sink, WAIT_MS, &text), &text, "aborted");
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "begun again");
    IS_INT(put(sink, "decided", "k", "two"), 0, "produced");
    is_ok(connectors_kafka_sink_commit(sink, WAIT_MS, &text), &text, "committed");
    IS_INT(drain(source, taken, 1, WAIT_MS), 0, "read");
    IS_INT(drain(source, taken, 0, WAIT_MS), 0, "to the end");
    IS_INT(count_of(taken, "aborted"), 0, "what was aborted is not seen");
    IS_INT(count_of(taken, "two"), 1, "what was committed is");
    asked = (struct connectors_kafka_offset){ .topic = "app.epochs" };
    is_ok(connectors_kafka_sink_committed(sink, &asked, 1, WAIT_MS, &text), &text, "asked");
    IS_STR(asked.metadata, "store-7 1", "the aborted offsets do not count");
    base_free(asked.metadata);

    /* Metadata beyond the broker's limit is refused here, so that it cannot fail an epoch over and over. */
    char *long_text = base_calloc(1, 4098);
    memset(long_text, 'm', 4097);
    struct connectors_kafka_offset longer = { "app.epochs", 0, 2, long_text, 0 };
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "begun");
    IS_INT(connectors_kafka_sink_send_offsets(sink, &longer, 1, WAIT_MS, NULL), BASE_E_LIMIT, "metadata too long");
    long_text[4096] = 0;
    is_ok(connectors_kafka_sink_send_offsets(sink, &longer, 1, WAIT_MS, &text), &text, "the longest that is allowed");
    is_ok(connectors_kafka_sink_commit(sink, WAIT_MS, &text), &text, "committed");
    base_free(long_text);

    /* Fencing: a second instance takes over in the middle of a transaction of the first. */
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "begun");
    IS_INT(put(sink, "decided", "k", "zombie"), 0, "produced");
    is_ok(connectors_kafka_sink_send_offsets(sink, offsets, 2, WAIT_MS, &text), &text, "offsets sent");
    int64_t start_us = base_clock_mono_us();
    struct connectors_kafka_sink *newer = sink_of("app", "app");
    asked = (struct connectors_kafka_offset){ .topic = "app.epochs" };
    is_ok(connectors_kafka_sink_committed(newer, &asked, 1, WAIT_MS, &text), &text, "asked by the newer");
    OK(base_clock_mono_us() - start_us < 45000000, "without waiting for the transaction's timeout");
    OK(asked.metadata && asked.metadata[0] == 'm', "the zombie's offsets do not count");
    base_free(asked.metadata);
    IS_INT(connectors_kafka_sink_commit(sink, WAIT_MS, &text), BASE_E_FENCED, "the older one is fenced");
    printf("# %s\n", text.ptr ? text.ptr : "");
    base_buf_finish(&text);
    OK(connectors_kafka_sink_fatal(sink), "for good");
    IS_INT(put(sink, "decided", "k", "zombie"), BASE_E_FENCED, "it cannot produce any more");
    is_ok(connectors_kafka_sink_begin(newer, &text), &text, "the newer begins");
    IS_INT(put(newer, "decided", "k", "three"), 0, "produced");
    is_ok(connectors_kafka_sink_commit(newer, WAIT_MS, &text), &text, "committed");
    forget(taken);
    IS_INT(drain(source, taken, 1, WAIT_MS), 0, "read");
    IS_INT(drain(source, taken, 0, WAIT_MS), 0, "to the end");
    OK(count_of(taken, "zombie") == 0 && count_of(taken, "three") == 1, "only the newer one's record is seen");
    forget(taken);
    base_free(taken);
    connectors_kafka_source_destroy(source);
    connectors_kafka_sink_destroy(newer);
    connectors_kafka_sink_destroy(sink);
}

static void test_passwords(void)
{
    struct clients_option options[] = {
        { "bootstrap.servers", getenv("KAFKA_SASL") }, { "security.protocol", "SASL_SSL" },
        { "sasl.mechanism", "SCRAM-SHA-256" },         { "sasl.username", getenv("KAFKA_USER") },
        { "sasl.password", getenv("KAFKA_PASSWORD") }, { "ssl.ca.location", getenv("KAFKA_CA") },
    };
    struct clients_option with[8] = { { "topic", "trip" } };
    static const char *const names[] = { "properties.bootstrap.servers", "properties.security.protocol",
                                         "properties.sasl.mechanism",    "properties.sasl.username",
                                         "properties.sasl.password",     "properties.ssl.ca.location" };
    struct base_buf text = { 0 };
    uint32_t found = 0;
    if (!options[0].value) {
        printf("ok %d - passwords # SKIP no encrypted listener\n", ++tap_run);
        return;
    }
    for (int round = 0; round < 3; round++) {
        struct connectors_kafka_source *source = NULL;
        struct connectors_kafka_sink *sink = NULL;
        if (round == 1)
            options[4].value = "wrong-password";
        if (round == 2)
            options[5].value = NULL; /* no CA: the certificate is not trusted */
        size_t count = round == 2 ? 5 : 6;
        for (size_t i = 0; i < count; i++)
            with[i + 1] = (struct clients_option){ names[i], options[i].value };
        struct connectors_kafka_source_options source_options = {
            .name = "orders", .group_id = "app", .with = with, .with_count = count + 1
        };
        is_ok(connectors_kafka_source_create(&source_options, &source, &text), &text, "source made");
        struct connectors_kafka_sink_options sink_options = {
            .name = "sink alerts",
            .transactional_id = "sasl",
            .group_id = "app",
            .options = options,
            .option_count = count,
        };
        is_ok(connectors_kafka_sink_create(&sink_options, &sink, &text), &text, "sink made");
        int want = round == 0 ? 0 : BASE_E_AUTH;
        int error = connectors_kafka_source_discover(source, round == 0 ? WAIT_MS : 5000, &found, &text);
        IS_INT(error, want, round == 0 ? "right password" : round == 1 ? "wrong password" : "unknown CA");
        if (error)
            printf("# %s\n", text.ptr ? text.ptr : "");
        if (round == 1)
            OK(text.ptr && strstr(text.ptr, "orders") && strstr(text.ptr, "uthentication") &&
                   strstr(text.ptr, "sasl.password") && !strstr(text.ptr, "wrong-password"),
               "who, cause, remedy, no secret");
        if (round == 2)
            OK(text.ptr && strstr(text.ptr, "certificate") && strstr(text.ptr, "ssl.ca.location"), "cause and remedy");
        base_buf_clear(&text);
        IS_INT(connectors_kafka_sink_init(sink, round == 0 ? WAIT_MS : 5000, &text), want, "the sink too");
        if (round == 0)
            IS_INT(connectors_kafka_source_partitions(source), 4, "the topic is read over TLS");
        base_buf_clear(&text);
        struct clients_kafka_health health;
        connectors_kafka_source_health(source, &health);
        OK(round == 0 ? health.reachable : !health.reachable && health.auth_errors > 0, "health");
        connectors_kafka_source_destroy(source);
        connectors_kafka_sink_destroy(sink);
    }
    base_buf_finish(&text);
}

static void *kill_and_start(void *ctx)
{
    (void)ctx;
    usleep(150000);
    bool good = control("kill 1");
    usleep(500000);
    good = control("start") && good;
    return (void *)(uintptr_t)good;
}

static void check_once_each(struct connectors_kafka_source *source, size_t count, const char *what)
{
    struct taken *taken = new_taken();
    int64_t last = -1;
    bool ordered = true;
    IS_INT(drain(source, taken, count, WAIT_MS), 0, "read");
    IS_INT(drain(source, taken, 0, WAIT_MS), 0, "to the end");
    IS_INT(taken->count, count, what);
    for (size_t i = 0; i < taken->count; i++) {
        int64_t number = atoll(taken->texts[i]);
        ordered = ordered && number == last + 1;
        last = number;
    }
    OK(ordered, "each once and in order");
    forget(taken);
    base_free(taken);
}

static void test_broker_killed(void)
{
    struct connectors_kafka_sink *sink = sink_of(NULL, NULL);
    struct connectors_kafka_start starts[16];
    struct base_buf text = { 0 };
    pthread_t thread;
    void *good = NULL;
    make_topic(sink, "killed", 1);
    struct connectors_kafka_source *source = source_of("killed", NULL);
    begin(source, starts);
    pthread_create(&thread, NULL, kill_and_start, NULL);
    for (int i = 0; i < 6000; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        int error;
        while ((error = put(sink, "killed", "k", value)) == BASE_E_BUSY)
            ;
        if (error)
            printf("# produce: %s\n", base_error_name(error));
        if (i % 20 == 0)
            usleep(1000);
    }
    int error;
    bool away = false;
    struct clients_kafka_health health;
    for (int i = 0; i < 480 && (error = connectors_kafka_sink_flush(sink, 500, &text)) == BASE_E_TIMEOUT; i++) {
        connectors_kafka_sink_health(sink, &health);
        away = away || !health.reachable;
        if (i == 0)
            printf("# %s\n", text.ptr ? text.ptr : "");
        base_buf_clear(&text);
    }
    is_ok(error, &text, "all is delivered after the broker is back");
    pthread_join(thread, &good);
    OK(good, "the broker was killed and started");
    OK(away, "its absence was seen");
    check_once_each(source, 6000, "nothing lost, nothing twice");
    connectors_kafka_source_health(source, &health);
    OK(health.errors > 0, "the source saw it too");
    for (int i = 0; i < 2000 && !health.reachable; i++) {
        struct connectors_kafka_batch batch = { 0 };
        if (connectors_kafka_source_poll(source, 50, 10, &batch, NULL))
            break;
        connectors_kafka_batch_finish(&batch);
        connectors_kafka_source_health(source, &health);
    }
    OK(health.reachable, "and knows that it is back");
    connectors_kafka_source_destroy(source);
    connectors_kafka_sink_destroy(sink);
}

/* Transactions one after the other while the broker is killed: a commit whose outcome is not known is tried again,
 * never aborted. */
static void test_commit_through_kill(void)
{
    struct connectors_kafka_sink *sink = sink_of("through", "app");
    struct connectors_kafka_start starts[16];
    struct base_buf text = { 0 };
    pthread_t thread;
    void *good = NULL;
    size_t unknown = 0, aborted = 0, done = 0;
    make_topic(sink, "through", 1);
    struct connectors_kafka_source *source = source_of("through", NULL);
    begin(source, starts);
    pthread_create(&thread, NULL, kill_and_start, NULL);
    int64_t until_us = base_clock_mono_us() + 300000000;
    while (done < 100 && base_clock_mono_us() < until_us) {
        char value[16], metadata[32];
        snprintf(value, sizeof value, "%zu", done);
        snprintf(metadata, sizeof metadata, "store %zu", done);
        struct connectors_kafka_offset offset = { "app.epochs", 0, (int64_t)done, metadata, 0 };
        int error = connectors_kafka_sink_begin(sink, &text);
        if (!error)
            error = put(sink, "through", "k", value);
        while (!error && (error = connectors_kafka_sink_send_offsets(sink, &offset, 1, 300, &text)) == BASE_E_TIMEOUT)
            error = 0;
        while (!error && (error = connectors_kafka_sink_commit(sink, 300, &text)) == BASE_E_AGAIN) {
            unknown++;
            error = 0;
            if (connectors_kafka_sink_fatal(sink))
                break;
        }
        if (error && error != BASE_E_CONFLICT) {
            printf("# %s: %s\n", base_error_name(error), text.ptr ? text.ptr : "");
            break;
        }
        if (error) {
            aborted++;
            while (connectors_kafka_sink_abort(sink, 1000, NULL) == BASE_E_TIMEOUT)
                ;
        } else {
            done++;
        }
        base_buf_clear(&text);
        usleep(5000);
    }
    printf("# %zu committed, %zu aborted, %zu times the outcome was not known\n", done, aborted, unknown);
    IS_INT(done, 100, "all transactions were decided");
    pthread_join(thread, &good);
    OK(good, "the broker was killed and started");
    check_once_each(source, 100, "each committed record is there once");
    base_buf_finish(&text);
    connectors_kafka_source_destroy(source);
    connectors_kafka_sink_destroy(sink);
}

/* The broker gives up a transaction that was open too long: not to be taken for a newer instance. */
static void test_transaction_too_long(void)
{
    struct connectors_kafka_sink *sink = sink_with("slow", "app", 5000);
    struct connectors_kafka_start starts[16];
    struct base_buf text = { 0 };
    make_topic(sink, "slow", 1);
    struct connectors_kafka_source *source = source_of("slow", NULL);
    begin(source, starts);
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "begun");
    IS_INT(put(sink, "slow", "k", "given up"), 0, "produced");
    is_ok(connectors_kafka_sink_flush(sink, WAIT_MS, &text), &text, "flushed");
    sleep(10);
    IS_INT(connectors_kafka_sink_commit(sink, WAIT_MS, &text), BASE_E_BROKER, "the commit comes too late");
    OK(text.ptr && strstr(text.ptr, "transaction.timeout.ms"), "and says so");
    printf("# %s\n", text.ptr ? text.ptr : "");
    base_buf_finish(&text);
    OK(connectors_kafka_sink_fatal(sink), "the handle is of no more use");
    connectors_kafka_sink_destroy(sink);
    sink = sink_with("slow", "app", 60000);
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "a new one begins");
    IS_INT(put(sink, "slow", "k", "0"), 0, "produced");
    is_ok(connectors_kafka_sink_commit(sink, WAIT_MS, &text), &text, "committed");
    check_once_each(source, 1, "only what was committed is seen");
    connectors_kafka_source_destroy(source);
    connectors_kafka_sink_destroy(sink);
}

/* The broker hangs while a transaction is aborted: the next one ends the abort first. */
static void test_abort_through_hang(void)
{
    struct connectors_kafka_sink *sink = sink_of("hang", "app");
    struct connectors_kafka_start starts[16];
    struct base_buf text = { 0 };
    make_topic(sink, "hang", 1);
    struct connectors_kafka_source *source = source_of("hang", NULL);
    begin(source, starts);
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "begun");
    IS_INT(put(sink, "hang", "k", "aborted"), 0, "produced");
    is_ok(connectors_kafka_sink_flush(sink, WAIT_MS, &text), &text, "flushed");
    OK(control("suspend 1"), "the broker hangs");
    IS_INT(connectors_kafka_sink_abort(sink, 500, &text), BASE_E_TIMEOUT, "the abort runs out of time");
    printf("# %s\n", text.ptr ? text.ptr : "");
    base_buf_finish(&text);
    OK(control("resume 1"), "the broker goes on");
    is_ok(connectors_kafka_sink_begin(sink, &text), &text, "the next transaction begins");
    IS_INT(put(sink, "hang", "k", "0"), 0, "produced");
    is_ok(connectors_kafka_sink_commit(sink, WAIT_MS, &text), &text, "committed");
    check_once_each(source, 1, "only what was committed is seen");
    connectors_kafka_source_destroy(source);
    connectors_kafka_sink_destroy(sink);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    bootstrap[0] = (struct clients_option){ "properties.bootstrap.servers", getenv("KAFKA") };
    if (!bootstrap[0].value || !getenv("KAFKA_CONTROL")) {
        printf("1..0 # SKIP no broker: run it under tests/broker/kafka.sh\n");
        return 0;
    }
    test_round_trip();
    test_start_modes();
    test_errors();
    test_pause_and_seek();
    test_transactions();
    test_passwords();
    test_broker_killed();
    test_commit_through_kill();
    test_abort_through_hang();
    test_transaction_too_long();
    return tap_done();
}
