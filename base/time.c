#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
#define YEAR_10000_MS INT64_C(253402300800000)

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

/* The year is counted from 1 March, so that the leap day is its last day, in eras of 400 years = 146,097 days; month m
 * of such a year (0 = March) starts at day (153 m + 2) / 5. */
int64_t base_days_from_civil(int32_t year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void civil_from_days(int64_t days, struct base_civil *ret)
{
    days += 719468;
    int64_t era = floor_div(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    int month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    ret->day = (int8_t)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    ret->month = (int8_t)month;
    ret->year = (int32_t)(year_of_era + era * 400 + (month <= 2));
}

void base_time_to_civil(int64_t time_ms, struct base_civil *ret)
{
    int64_t days = floor_div(time_ms, DAY_MS);
    /* Unsigned: days * DAY_MS may lie below INT64_MIN for the first day of the range. */
    int64_t rest = (int64_t)((uint64_t)time_ms - (uint64_t)days * (uint64_t)DAY_MS);
    civil_from_days(days, ret);
    ret->milli = (int16_t)(rest % 1000);
    ret->second = (int8_t)(rest / 1000 % 60);
    ret->minute = (int8_t)(rest / 60000 % 60);
    ret->hour = (int8_t)(rest / 3600000);
}

static int64_t time_of_day_ms(const struct base_civil *civil)
{
    return (((int64_t)civil->hour * 60 + civil->minute) * 60 + civil->second) * 1000 + civil->milli;
}

/* false: outside of what 64 bits of milliseconds hold. */
static bool checked_time(const struct base_civil *civil, int64_t offset_ms, int64_t *ret)
{
    __extension__ __int128 wide = (__int128)base_days_from_civil(civil->year, civil->month, civil->day) * DAY_MS;
    wide += time_of_day_ms(civil) - offset_ms;
    if (wide < INT64_MIN || wide > INT64_MAX)
        return false;
    *ret = (int64_t)wide;
    return true;
}

int64_t base_time_from_civil(const struct base_civil *civil)
{
    int64_t time_ms;
    if (checked_time(civil, 0, &time_ms))
        return time_ms;
    return civil->year < 0 ? INT64_MIN : INT64_MAX;
}

struct scanner {
    const char *at;
    const char *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool scan_char(struct scanner *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

/* Exactly n digits, value in [low, high]. */
static bool scan_number(struct scanner *in, int n, int32_t low, int32_t high, int32_t *ret)
{
    if (in->end - in->at < n)
        return false;
    int32_t value = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit(in->at[i]))
            return false;
        value = value * 10 + (in->at[i] - '0');
    }
    if (value < low || value > high)
        return false;
    in->at += n;
    *ret = value;
    return true;
}

/* Four digits, or a sign and four to nine digits (ISO-8601's expanded form). */
static bool scan_year(struct scanner *in, int32_t *ret)
{
    if (in->at == in->end || (*in->at != '+' && *in->at != '-'))
        return scan_number(in, 4, 0, 9999, ret);
    bool negative = *in->at++ == '-';
    int digits = 0;
    while (digits < 10 && in->at + digits < in->end && is_digit(in->at[digits]))
        digits++;
    int32_t year;
    if (digits < 4 || digits > 9 || !scan_number(in, digits, 0, 999999999, &year))
        return false;
    *ret = negative ? -year : year;
    return true;
}

static int days_of_month(int32_t year, int32_t month)
{
    static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static bool scan_date(struct scanner *in, struct base_civil *ret)
{
    int32_t year, month, day;
    if (!scan_year(in, &year) || !scan_char(in, '-') || !scan_number(in, 2, 1, 12, &month) || !scan_char(in, '-') ||
        !scan_number(in, 2, 1, days_of_month(year, month), &day))
        return false;
    ret->year = year;
    ret->month = (int8_t)month;
    ret->day = (int8_t)day;
    return true;
}

static bool scan_clock(struct scanner *in, struct base_civil *ret)
{
    int32_t hour, minute, second = 0, milli = 0;
    if (!scan_number(in, 2, 0, 23, &hour) || !scan_char(in, ':') || !scan_number(in, 2, 0, 59, &minute))
        return false;
    if (scan_char(in, ':')) {
        if (!scan_number(in, 2, 0, 59, &second))
            return false;
        if (scan_char(in, '.') || scan_char(in, ',')) {
            if (in->at == in->end || !is_digit(*in->at))
                return false;
            for (int32_t unit = 100; in->at < in->end && is_digit(*in->at); in->at++, unit /= 10)
                milli += (*in->at - '0') * unit;
        }
    }
    ret->hour = (int8_t)hour;
    ret->minute = (int8_t)minute;
    ret->second = (int8_t)second;
    ret->milli = (int16_t)milli;
    return true;
}

/* Nothing, Z, +hh, +hhmm or +hh:mm, up to 18 hours. */
static bool scan_zone(struct scanner *in, int64_t *ret_offset_ms, bool *ret_zoned)
{
    *ret_offset_ms = 0;
    *ret_zoned = in->at < in->end;
    if (in->at == in->end || scan_char(in, 'Z') || scan_char(in, 'z'))
        return in->at == in->end;
    bool negative = *in->at == '-';
    int32_t hour, minute = 0;
    if ((*in->at != '+' && *in->at != '-') || (in->at++, !scan_number(in, 2, 0, 18, &hour)))
        return false;
    if (in->at < in->end) {
        (void)scan_char(in, ':'); /* the colon is optional */
        if (!scan_number(in, 2, 0, 59, &minute))
            return false;
    }
    int64_t offset_ms = (hour * 60 + minute) * INT64_C(60000);
    if (offset_ms > 18 * INT64_C(3600000) || in->at != in->end)
        return false;
    *ret_offset_ms = negative ? -offset_ms : offset_ms;
    return true;
}

bool base_time_parse(const char *text, size_t len, int64_t *ret_ms, bool *ret_zoned)
{
    struct scanner in = { text, text + len };
    struct base_civil civil = { 0 };
    int64_t offset_ms = 0, time_ms;
    bool zoned = false;
    if (!scan_date(&in, &civil))
        return false;
    if (in.at < in.end) {
        if (!scan_char(&in, ' ') && !scan_char(&in, 'T') && !scan_char(&in, 't'))
            return false;
        if (!scan_clock(&in, &civil) || !scan_zone(&in, &offset_ms, &zoned))
            return false;
    }
    if (!checked_time(&civil, offset_ms, &time_ms))
        return false;
    *ret_ms = time_ms;
    if (ret_zoned)
        *ret_zoned = zoned;
    return true;
}

bool base_date_parse(const char *text, size_t len, int32_t *ret_days)
{
    struct scanner in = { text, text + len };
    struct base_civil civil = { 0 };
    if (!scan_date(&in, &civil) || in.at != in.end)
        return false;
    int64_t days = base_days_from_civil(civil.year, civil.month, civil.day);
    if (days < INT32_MIN || days > INT32_MAX)
        return false;
    *ret_days = (int32_t)days;
    return true;
}

int64_t base_time_from_epoch(int64_t number)
{
    if (number > -INT64_C(100000000000) && number < INT64_C(100000000000))
        return number * 1000;
    if (number > -INT64_C(100000000000000) && number < INT64_C(100000000000000))
        return number;
    return floor_div(number, 1000);
}

/* Two digits of a value below 100. */
static inline void print_two(char *at, uint32_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869"
                                "707172737475767778798081828384858687888990919293949596979899";
    memcpy(at, pairs + 2 * value, 2);
}

static size_t print_date(const struct base_civil *civil, char *at)
{
    size_t len = 0;
    if (civil->year >= 0 && civil->year <= 9999) {
        print_two(at, (uint32_t)civil->year / 100);
        print_two(at + 2, (uint32_t)civil->year % 100);
        len = 4;
    } else
        len += (size_t)snprintf(at, 16, "%+05d", civil->year);
    at[len++] = '-';
    print_two(at + len, (uint32_t)civil->month);
    at[len + 2] = '-';
    print_two(at + len + 3, (uint32_t)civil->day);
    return len + 5;
}

/* From 1970 to 9999: as civil_from_days, by numbers of 32 bits that are not negative, which are divided three times as fast. */
static inline size_t print_usual_time(uint64_t time_ms, char separator, char *at)
{
    uint32_t days = (uint32_t)(time_ms / DAY_MS), rest = (uint32_t)(time_ms - days * (uint64_t)DAY_MS);
    uint32_t era = (days + 719468) / 146097, day_of_era = days + 719468 - era * 146097;
    uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t shifted_month = (5 * day_of_year + 2) / 153, month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    uint32_t year = year_of_era + era * 400 + (month <= 2), seconds = rest / 1000, milli = rest % 1000;
    print_two(at, year / 100);
    print_two(at + 2, year % 100);
    at[4] = at[7] = '-';
    print_two(at + 5, month);
    print_two(at + 8, day_of_year - (153 * shifted_month + 2) / 5 + 1);
    at[10] = separator;
    print_two(at + 11, seconds / 3600);
    print_two(at + 14, seconds / 60 % 60);
    print_two(at + 17, seconds % 60);
    at[13] = at[16] = ':';
    at[19] = '.';
    at[20] = (char)('0' + milli / 100);
    print_two(at + 21, milli % 100);
    return 23;
}

static size_t print_any_time(int64_t time_ms, char separator, char *ret)
{
    struct base_civil civil;
    base_time_to_civil(time_ms, &civil);
    size_t len = print_date(&civil, ret);
    ret[len++] = separator;
    print_two(ret + len, (uint32_t)civil.hour);
    ret[len + 2] = ':';
    print_two(ret + len + 3, (uint32_t)civil.minute);
    ret[len + 5] = ':';
    print_two(ret + len + 6, (uint32_t)civil.second);
    ret[len + 8] = '.';
    ret[len + 9] = (char)('0' + civil.milli / 100);
    print_two(ret + len + 10, (uint32_t)civil.milli % 100);
    return len + 12;
}

static size_t print_time(int64_t time_ms, char separator, bool zulu, char ret[40])
{
    size_t len = time_ms >= 0 && time_ms < YEAR_10000_MS ? print_usual_time((uint64_t)time_ms, separator, ret) : print_any_time(time_ms, separator, ret);
    if (zulu)
        ret[len++] = 'Z';
    ret[len] = 0;
    return len;
}

size_t base_time_print(int64_t time_ms, bool zulu, char ret[40])
{
    return print_time(time_ms, 'T', zulu, ret);
}

size_t base_time_print_sql(int64_t time_ms, char ret[40])
{
    return print_time(time_ms, ' ', false, ret);
}

size_t base_date_print(int32_t days, char ret[20])
{
    struct base_civil civil = { 0 };
    civil_from_days(days, &civil);
    size_t len = print_date(&civil, ret);
    ret[len] = 0;
    return len;
}

int64_t base_clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t base_clock_mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
