#include "base/time.h"
#include "tests/unit/base/random.h"
#include "tests/unit/tap.h"

static void test_civil(void)
{
    /* Day by day over eight centuries, counting as people do. */
    int year = 1599, month = 12, day = 31;
    int64_t first = base_days_from_civil(1600, 1, 1);
    bool same = true;
    for (int64_t days = first; days < first + 800 * 366; days++) {
        static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (++day > lengths[month - 1] + (month == 2 && leap)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
        struct base_civil civil;
        base_time_to_civil(days * 86400000 + 1, &civil);
        same = same && civil.year == year && civil.month == month && civil.day == day && civil.milli == 1 &&
               civil.hour == 0;
        same = same && base_days_from_civil(year, month, day) == days;
    }
    OK(same, "every day from 1600 for 800 years");
    IS_INT(base_days_from_civil(1970, 1, 1), 0, "the epoch");
    IS_INT(base_days_from_civil(2000, 3, 1), 11017, "1 March 2000");
    IS_INT(base_days_from_civil(0, 1, 1), -719528, "1 January of year 0");
}

static void test_parse(void)
{
    static const struct {
        const char *text;
        int64_t ms;
        bool zoned;
    } good[] = {
        { "1970-01-01", 0, false },
        { "2026-01-01 00:00:00", INT64_C(1767225600000), false },
        { "2026-01-01T00:00", INT64_C(1767225600000), false },
        { "2026-01-01t00:00:00.5z", INT64_C(1767225600500), true },
        { "2026-01-01 00:00:00,123", INT64_C(1767225600123), false },
        { "2026-01-01T00:00:00.123999999Z", INT64_C(1767225600123), true },
        { "2026-01-01T02:00:00+02:00", INT64_C(1767225600000), true },
        { "2025-12-31T18:30:00-0530", INT64_C(1767225600000), true },
        { "2026-01-01T01:00+01", INT64_C(1767225600000), true },
        { "1969-12-31T23:59:59.999Z", -1, true },
        { "0000-02-29", INT64_C(-62162121600000), false },
        { "+10000-01-01T00:00:00Z", INT64_C(253402300800000), true },
        { "-0001-12-31T23:59:59.999", INT64_C(-62167219200001), false },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms = 42;
        bool zoned = !good[i].zoned;
        OK(base_time_parse(good[i].text, strlen(good[i].text), &ms, &zoned), good[i].text);
        IS_INT(ms, good[i].ms, "its milliseconds");
        IS_INT(zoned, good[i].zoned, "its zone");
    }
    static const char *const bad[] = { "",
                                       "2026",
                                       "2026-1-1",
                                       "2026-13-01",
                                       "2026-00-01",
                                       "2026-02-29",
                                       "2024-02-30",
                                       "2026-04-31",
                                       "2026-01-00",
                                       "2026-01-01 ",
                                       "2026-01-01T",
                                       "2026-01-01 01",
                                       "2026-01-01 01+01",
                                       "2026-01-01 24:00:00",
                                       "2026-01-01 00:60:00",
                                       "2026-01-01 00:00:60",
                                       "2026-01-01 00:00:00.",
                                       "2026-01-01 00:00:00.x",
                                       "2026-01-01 00:00:00 Z",
                                       "2026-01-01 00:00:00Zx",
                                       "2026-01-01 00:00:00+",
                                       "2026-01-01 00:00:00+19:00",
                                       "2026-01-01 00:00:00+18:01",
                                       "2026-01-01 00:00:00+01:",
                                       "2026-01-01x00:00:00",
                                       " 2026-01-01",
                                       "1900-02-29",
                                       "26-01-01",
                                       "+1000000000-01-01",
                                       "+999-01-01",
                                       "+292278995-01-01",
                                       "-292275056-01-01",
                                       "2026/01/01",
                                       "2026-01-01 0:00:00",
                                       "2026-01-01 00:00:00+1:00" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms = 42;
        OK(!base_time_parse(bad[i], strlen(bad[i]), &ms, NULL) && ms == 42, bad[i]);
    }
    int32_t days = 42;
    OK(base_date_parse("2000-03-01", 10, &days) && days == 11017, "a date");
    OK(!base_date_parse("2000-03-01 ", 11, &days) && !base_date_parse("2000-03-01T00:00", 16, &days),
       "a date and more is no date");
    OK(!base_date_parse("+999999999-01-01", 16, &days) && days == 11017, "a date beyond 32 bits of days");
}

static void test_round_trip(void)
{
    uint64_t seed = 6;
    bool same = true, civil_same = true, dates = true;
    for (int i = 0; i < 200000; i++) {
        int64_t ms = (int64_t)random_next(&seed);
        ms >>= random_next(&seed) % 40; /* years far and near */
        char text[40];
        int64_t back = 0;
        bool zulu = i & 1, zoned = false;
        size_t len = i % 3 ? base_time_print(ms, zulu, text) : base_time_print_sql(ms, text);
        zulu = zulu && i % 3;
        same = same && strlen(text) == len && base_time_parse(text, len, &back, &zoned) && back == ms && zoned == zulu;
        struct base_civil civil;
        base_time_to_civil(ms, &civil);
        civil_same = civil_same && base_time_from_civil(&civil) == ms;
        int32_t days = (int32_t)random_next(&seed), days_back = 0;
        len = base_date_print(days, text);
        dates = dates && base_date_parse(text, len, &days_back) && days_back == days;
    }
    OK(same, "random times are printed and parsed back (seed 6)");
    OK(civil_same, "and cut into fields and joined");
    OK(dates, "random dates too");
    static const int64_t edges[] = { INT64_C(253402300800000), 951868799999, 951782400000,
        INT64_MIN, INT64_MAX, 0, -1, 1, INT64_C(253402300799999), INT64_C(-62167219200000), INT64_C(-62167219200001)
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        char text[40];
        int64_t back = 5;
        size_t len = base_time_print(edges[i], true, text);
        OK(base_time_parse(text, len, &back, NULL) && back == edges[i], text);
    }
    char text[40];
    IS_INT(base_time_print(INT64_C(1767225600123), true, text), 24, "24 bytes");
    IS_STR(text, "2026-01-01T00:00:00.123Z", "ISO-8601");
    base_time_print(INT64_C(1767225600123), false, text);
    IS_STR(text, "2026-01-01T00:00:00.123", "without zone");
    base_time_print_sql(INT64_C(1767225600123), text);
    IS_STR(text, "2026-01-01 00:00:00.123", "SQL");
    base_date_print(-1, text);
    IS_STR(text, "1969-12-31", "a date");
}

static void test_epoch(void)
{
    IS_INT(base_time_from_epoch(INT64_C(1767225600)), INT64_C(1767225600000), "seconds");
    IS_INT(base_time_from_epoch(INT64_C(99999999999)), INT64_C(99999999999000), "the last second");
    IS_INT(base_time_from_epoch(INT64_C(100000000000)), INT64_C(100000000000), "the first millisecond");
    IS_INT(base_time_from_epoch(INT64_C(1767225600123)), INT64_C(1767225600123), "milliseconds");
    IS_INT(base_time_from_epoch(INT64_C(1767225600123456)), INT64_C(1767225600123), "microseconds");
    IS_INT(base_time_from_epoch(-5), -5000, "negative seconds");
    IS_INT(base_time_from_epoch(-INT64_C(100000000000001)), -INT64_C(100000000001),
           "negative microseconds are rounded down");
    IS_INT(base_time_from_epoch(INT64_MIN), INT64_MIN / 1000 - 1, "the least number");
}

int main(void)
{
    test_civil();
    test_parse();
    test_round_trip();
    test_epoch();
    OK(base_clock_wall_ms() > INT64_C(1700000000000), "the wall clock");
    int64_t before = base_clock_mono_us();
    OK(base_clock_mono_us() >= before, "the monotonic clock does not go back");
    return tap_done();
}
