// The timestamp of a generated order as milliseconds, for the floor programs: "2026-01-01T00:00:00.123Z" and nothing else. -1: too short.
#ifndef BENCH_INSTANT_HPP
#define BENCH_INSTANT_HPP

#include <cstdint>
#include <string_view>

namespace {

int64_t two(const char *p) { return (p[0] - '0') * 10 + (p[1] - '0'); }

// "2026-01-01T00:00:00.123Z"
int64_t to_ms(std::string_view t)
{
    if (t.size() < 24)
        return -1;
    int64_t y = two(t.data()) * 100 + two(t.data() + 2), m = two(t.data() + 5), d = two(t.data() + 8);
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
    int64_t s = two(t.data() + 11) * 3600 + two(t.data() + 14) * 60 + two(t.data() + 17);
    return (days * 86400 + s) * 1000 + (t[20] - '0') * 100 + (t[21] - '0') * 10 + (t[22] - '0');
}

} // namespace

#endif
