// The floor for JSON lines: what decoding alone costs. One thread, mapped file, simdjson on-demand per line, three fields found, the timestamp turned
// into milliseconds, rows appended to an array. Variants: `find` (fields only), `many` (iterate_many, fields only). Prints rows, seconds, rows a second.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "bench/instant.hpp"

namespace {

struct Row {
    std::string_view user, country;
    int64_t time_ms;
};

} // namespace

int main(int argc, char **argv)
{
    if (argc < 2) {
        std::fprintf(stderr, "usage: floor FILE [decode|find|many]\n");
        return 2;
    }
    const char *mode = argc > 2 ? argv[2] : "decode";
    int fd = open(argv[1], O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        std::perror(argv[1]);
        return 1;
    }
    size_t size = static_cast<size_t>(st.st_size);
    // one page more than the file, so that every line has the padding that simdjson wants
    char *text = static_cast<char *>(mmap(nullptr, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (mmap(text, size, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0) == MAP_FAILED)
        return 1;
    simdjson::ondemand::parser parser;
    std::vector<Row> rows;
    rows.reserve(size / 100);
    uint64_t count = 0, sum = 0, bad = 0;
    auto begin = std::chrono::steady_clock::now();
    if (!std::strcmp(mode, "many")) {
        simdjson::ondemand::document_stream stream;
        if (parser.iterate_many(text, size, 1 << 20).get(stream))
            return 1;
        for (auto doc : stream) {
            std::string_view user, country, ts;
            if (doc["user_id"].get(user) || doc["country"].get(country) || doc["ts"].get(ts))
                bad++;
            sum += user.size() + country.size() + ts.size();
            count++;
        }
    } else {
        bool find = !std::strcmp(mode, "find");
        for (const char *at = text, *end = text + size; at < end;) {
            const char *nl = static_cast<const char *>(memchr(at, '\n', static_cast<size_t>(end - at)));
            size_t len = static_cast<size_t>((nl ? nl : end) - at);
            simdjson::ondemand::document doc;
            std::string_view user, country, ts;
            if (parser.iterate(at, len, len + simdjson::SIMDJSON_PADDING).get(doc) || doc["user_id"].get(user) || doc["country"].get(country) ||
                doc["ts"].get(ts))
                bad++;
            else if (find)
                sum += user.size() + country.size() + ts.size();
            else
                rows.push_back({ user, country, to_ms(ts) });
            count++;
            at += len + 1;
        }
    }
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    for (const Row &row : rows)
        sum += static_cast<uint64_t>(row.time_ms) + row.user.size();
    std::printf("{\"mode\":\"%s\",\"rows\":%llu,\"bad\":%llu,\"seconds\":%.4f,\"rows_per_second\":%.0f,\"check\":%llu}\n", mode,
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(bad), seconds, static_cast<double>(count) / seconds,
                static_cast<unsigned long long>(sum));
    return 0;
}
