/* Produces orders at a steady rate and measures how long each planted alert takes from produce() to its arrival at a consumer of the alert topic (read_committed).
 * Every `every` orders one of three of the same user from three countries completes the rule; its order id bears the microseconds of its produce().
 *   bench-kafka-latency SERVERS ORDERS ALERTS RATE SECONDS EVERY
 * The clock starts when both clients of this program know their topics: one order that completes nothing has been delivered, and the end of the alert topic has been seen. A
 * producer that knows no leader yet holds back what it is given for most of a second, and that second would be measured as the service's.
 * Prints one JSON object: produced, planted, got, and the latencies' percentiles in milliseconds. Two threads: one produces, one consumes. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#define PATIENCE_US 30000000
#define PLANTED_MAX 1000000

static _Atomic long planted;
static _Atomic int ended, listening;
static long got;
static double *latencies;
static const char *servers, *alerts_topic;

static int64_t now_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

static rd_kafka_t *make(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char error[256];
    set(conf, "bootstrap.servers", servers);
    rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof error);
    if (!client) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return client;
}

/* The microseconds in `"third":"p123at456"`: 456. (With a dash the id could look like a card number, and be masked.) */
static int64_t stamp_of(const char *text, size_t len)
{
    static const char mark[] = "\"third\":\"p";
    const char *at = memmem(text, len, mark, sizeof mark - 1);
    at = at ? memmem(at, (size_t)(text + len - at), "at", 2) : NULL;
    return at ? strtoll(at + 2, NULL, 10) : 0;
}

static void *consume(void *unused)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "group.id", "bench-latency");
    set(conf, "isolation.level", "read_committed");
    set(conf, "fetch.wait.max.ms", "5");
    set(conf, "enable.partition.eof", "true");
    rd_kafka_t *consumer = make(RD_KAFKA_CONSUMER, conf);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, alerts_topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    int64_t until = 0;
    for (;;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        int64_t now = now_us(CLOCK_MONOTONIC);
        if (message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            atomic_store(&listening, 1);
        if (message && !message->err && got < PLANTED_MAX) {
            int64_t stamp = stamp_of(message->payload, message->len);
            if (stamp > 0)
                latencies[got++] = (double)(now - stamp) / 1000.0;
        }
        bool any = message != NULL;
        if (message)
            rd_kafka_message_destroy(message);
        if (atomic_load(&ended) && (until == 0 || any))
            until = now + PATIENCE_US; /* who has fallen behind may catch up: then it is late, not wrong */
        if (until && (got >= atomic_load(&planted) || now > until))
            break;
    }
    return unused;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double p)
{
    long at = (long)(p * (double)got);
    return got ? latencies[at < got ? at : got - 1] : -1;
}

static int order_text(char *at, size_t cap, const char *id, const char *user, const char *country)
{
    int64_t us = now_us(CLOCK_REALTIME);
    time_t seconds = (time_t)(us / 1000000);
    struct tm t;
    gmtime_r(&seconds, &t);
    return snprintf(at, cap, "{\"order_id\":\"%s\",\"user_id\":\"%s\",\"country\":\"%s\",\"amount\":12.50,\"card_id\":\"c1\",\"merchant_id\":\"m1\","
                    "\"ip\":\"10.0.0.1\",\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"}", id, user, country, t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                    t.tm_hour, t.tm_min, t.tm_sec, (int)(us / 1000 % 1000));
}

/* Until both clients know their topics. */
static void connect_both(rd_kafka_t *producer, rd_kafka_topic_t *topic)
{
    char text[512];
    int len = order_text(text, sizeof text, "first", "nobody", "US");
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, text, (size_t)len, "nobody", 6, NULL) != 0 || rd_kafka_flush(producer, 30000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "the first order could not be delivered\n");
        exit(1);
    }
    for (int i = 0; i < 3000 && !atomic_load(&listening); i++) {
        struct timespec nap = { 0, 10000000 };
        nanosleep(&nap, NULL);
    }
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: bench-kafka-latency SERVERS ORDERS ALERTS RATE SECONDS EVERY\n");
        return 2;
    }
    servers = argv[1];
    alerts_topic = argv[3];
    const double rate = atof(argv[4]), length = atof(argv[5]);
    const long every = atol(argv[6]);
    latencies = calloc(PLANTED_MAX, sizeof *latencies);
    pthread_t thread;
    if (!latencies || pthread_create(&thread, NULL, consume, NULL) != 0)
        return 1;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "linger.ms", "1");
    set(conf, "queue.buffering.max.messages", "2000000");
    rd_kafka_t *producer = make(RD_KAFKA_PRODUCER, conf);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, argv[2], NULL);
    connect_both(producer, topic);
    static const char *const countries[3] = { "US", "GB", "DE" };
    const int64_t begin = now_us(CLOCK_MONOTONIC);
    int64_t now = begin;
    long produced = 0, late = 0;
    while (now - begin < (int64_t)(length * 1e6)) {
        long due = (long)((double)(now - begin) / 1e6 * rate);
        for (; produced < due; produced++) {
            char id[64], user[32], text[512];
            long part = produced % every;
            if (part < 3) { /* orders 0, 1, 2 of a run belong to one user */
                snprintf(user, sizeof user, "p%ld", produced / every);
                snprintf(id, sizeof id, "p%ldat%" PRId64, produced / every, now_us(CLOCK_MONOTONIC));
            } else {
                snprintf(user, sizeof user, "u%ld", (produced * 7919) % 100000);
                snprintf(id, sizeof id, "o%ld", produced);
            }
            int len = order_text(text, sizeof text, id, user, part < 3 ? countries[part] : "US");
            while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, text, (size_t)len, user, strlen(user), NULL) != 0) {
                rd_kafka_poll(producer, 1);
                late++;
            }
            if (part == 2)
                atomic_fetch_add(&planted, 1);
        }
        rd_kafka_poll(producer, 0);
        struct timespec nap = { 0, 500000 };
        nanosleep(&nap, NULL);
        now = now_us(CLOCK_MONOTONIC);
    }
    rd_kafka_flush(producer, PATIENCE_US / 1000);
    double seconds = (double)(now_us(CLOCK_MONOTONIC) - begin) / 1e6;
    atomic_store(&ended, 1);
    pthread_join(thread, NULL);
    qsort(latencies, (size_t)got, sizeof *latencies, compare);
    printf("{\"produced\": %ld, \"rate\": %.0f, \"held_back\": %ld, \"planted\": %ld, \"got\": %ld, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, "
           "\"most_ms\": %.3f}\n", produced, (double)produced / seconds, late, atomic_load(&planted), got, percentile(0.5), percentile(0.99),
           percentile(0.999), percentile(1));
    fflush(stdout);
    _Exit(got < atomic_load(&planted));
}
