// The floor for Kafka in: a bare librdkafka batch consumer, alone or with simdjson decoding the three fields as floor.cc does. One consumer, all partitions from
// the beginning, one queue, batches of 1,000. The local queue is as large as it may be: librdkafka 2.0 pauses fetching for about a second whenever
// queued.min.messages is reached. Prints rows, seconds from the first message to the last, and sum of what was found.
//   bench-kafka-floor SERVERS TOPIC COUNT consume|decode
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <librdkafka/rdkafka.h>
#include <simdjson.h>

#include "bench/instant.hpp"

namespace {

struct Row {
    uint64_t user, country;
    int64_t time_ms;
};

uint64_t head(std::string_view text)
{
    uint64_t bytes = 0;
    std::memcpy(&bytes, text.data(), text.size() < 8 ? text.size() : 8);
    return bytes;
}

void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        std::fprintf(stderr, "%s\n", error);
        std::exit(1);
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::fprintf(stderr, "usage: bench-kafka-floor SERVERS TOPIC COUNT consume|decode\n");
        return 2;
    }
    const long want = std::atol(argv[3]);
    const bool decode = std::strcmp(argv[4], "decode") == 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", argv[1]);
    set(conf, "group.id", "bench-floor");
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "enable.auto.commit", "false");
    set(conf, "queued.min.messages", "10000000");
    set(conf, "queued.max.messages.kbytes", "2097151");
    set(conf, "fetch.message.max.bytes", "8388608");
    set(conf, "check.crcs", "false");
    char error[256];
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (!consumer) {
        std::fprintf(stderr, "%s\n", error);
        return 1;
    }
    rd_kafka_poll_set_consumer(consumer);
    const rd_kafka_metadata_t *metadata = nullptr;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, argv[2], nullptr);
    if (rd_kafka_metadata(consumer, 0, topic, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) {
        std::fprintf(stderr, "no metadata of %s\n", argv[2]);
        return 1;
    }
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(metadata->topics[0].partition_cnt);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(partitions, argv[2], i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, partitions);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);

    std::vector<rd_kafka_message_t *> batch(1000);
    std::vector<Row> rows;
    rows.reserve(static_cast<size_t>(want));
    std::vector<char> padded(1 << 20);
    simdjson::ondemand::parser parser;
    std::chrono::steady_clock::time_point begin;
    long got = 0;
    uint64_t check = 0;
    while (got < want) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 10000, batch.data(), batch.size());
        if (count <= 0) {
            std::fprintf(stderr, "nothing came for ten seconds after %ld messages\n", got);
            return 1;
        }
        if (got == 0)
            begin = std::chrono::steady_clock::now();
        for (ssize_t i = 0; i < count; i++) {
            rd_kafka_message_t *message = batch[static_cast<size_t>(i)];
            if (message->err) {
                rd_kafka_message_destroy(message);
                continue;
            }
            got++;
            if (decode && message->len + simdjson::SIMDJSON_PADDING <= padded.size()) {
                std::memcpy(padded.data(), message->payload, message->len); // a payload has no padding behind it
                simdjson::ondemand::document document;
                std::string_view user, country, at;
                if (!parser.iterate(padded.data(), message->len, padded.size()).get(document) && !document["user_id"].get(user) &&
                    !document["country"].get(country) && !document["ts"].get(at))
                    rows.push_back({ head(user), head(country), to_ms(at) });
            }
            check += message->len;
            rd_kafka_message_destroy(message);
        }
    }
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    for (const Row &row : rows)
        check += static_cast<uint64_t>(row.time_ms) ^ row.user ^ row.country;
    std::printf("{\"rows\": %ld, \"decoded\": %zu, \"seconds\": %.6f, \"check\": %llu}\n", got, rows.size(), seconds, static_cast<unsigned long long>(check));
    std::fflush(stdout);
    std::_Exit(0); // leaving the group takes seconds and is not measured
}
