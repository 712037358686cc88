#include "cep/units.h"

#include "base/error.h"
#include "base/time.h"
#include "cep/calendar.h"

#define YEAR_MOST 1000000

enum cep_unit cep_unit_of(struct base_str name)
{
    static const char *const names[] = { "",       "YEAR",      "QUARTER", "MONTH",       "WEEK",        "DAY",
                                         "HOUR",   "MINUTE",    "SECOND",  "MILLISECOND", "MICROSECOND", "NANOSECOND",
                                         "EPOCH",  "DOW",       "ISODOW",  "DOY",         "ISOYEAR",     "CENTURY",
                                         "DECADE", "MILLENNIUM" };
    struct base_str prefix = BASE_STR("SQL_TSI_");
    if (name.len > prefix.len && base_str_equal_fold((struct base_str){ name.ptr, prefix.len }, prefix))
        name = (struct base_str){ name.ptr + prefix.len, name.len - prefix.len };
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (base_str_equal_fold(name, base_str_of(names[i])))
            return (enum cep_unit)i;
    return CEP_UNIT_NONE;
}

static int64_t day_of(int64_t ms)
{
    return cep_floor_div(ms, CEP_DAY_MS);
}

/* Monday 0 ... Sunday 6; 1970-01-01 was a Thursday. */
static int weekday(int64_t day)
{
    int64_t n = (day + 3) % 7;
    return (int)(n < 0 ? n + 7 : n);
}

/* ISO-8601: week 1 holds the year's first Thursday. */
static void iso_week(int64_t day, int64_t *ret_year, int64_t *ret_week)
{
    struct base_civil civil;
    int64_t thursday = day - weekday(day) + 3;
    int64_t ms; /* at the far ends of time the week's Thursday may lie outside */
    if (__builtin_mul_overflow(thursday, CEP_DAY_MS, &ms))
        ms = thursday < 0 ? INT64_MIN : INT64_MAX;
    base_time_to_civil(ms, &civil);
    *ret_year = civil.year;
    *ret_week = (thursday - base_days_from_civil(civil.year, 1, 1)) / 7 + 1;
}

/* Field of a day; the units are those of a date. */
static int64_t extract_day(enum cep_unit unit, int64_t day, const struct base_civil *civil)
{
    int64_t year = 0, week = 0;
    switch (unit) {
    case CEP_UNIT_YEAR: return civil->year;
    case CEP_UNIT_QUARTER: return (civil->month - 1) / 3 + 1;
    case CEP_UNIT_MONTH: return civil->month;
    case CEP_UNIT_DAY: return civil->day;
    case CEP_UNIT_WEEK:
    case CEP_UNIT_ISOYEAR: iso_week(day, &year, &week); return unit == CEP_UNIT_WEEK ? week : year;
    case CEP_UNIT_DOW: return (weekday(day) + 1) % 7 + 1;
    case CEP_UNIT_ISODOW: return weekday(day) + 1;
    case CEP_UNIT_DOY: return day - base_days_from_civil(civil->year, 1, 1) + 1;
    case CEP_UNIT_DECADE: return cep_floor_div(civil->year, 10);
    case CEP_UNIT_CENTURY: return civil->year > 0 ? (civil->year + 99) / 100 : (civil->year - 99) / 100;
    case CEP_UNIT_MILLENNIUM: return civil->year > 0 ? (civil->year + 999) / 1000 : (civil->year - 999) / 1000;
    case CEP_UNIT_NONE:
    case CEP_UNIT_HOUR:
    case CEP_UNIT_MINUTE:
    case CEP_UNIT_SECOND:
    case CEP_UNIT_MILLISECOND:
    case CEP_UNIT_MICROSECOND:
    case CEP_UNIT_NANOSECOND:
    case CEP_UNIT_EPOCH: break;
    }
    return 0;
}

int64_t cep_unit_extract(enum cep_unit unit, int64_t ms)
{
    struct base_civil civil;
    base_time_to_civil(ms, &civil);
    int64_t millis = civil.second * INT64_C(1000) + civil.milli;
    switch (unit) {
    case CEP_UNIT_HOUR: return civil.hour;
    case CEP_UNIT_MINUTE: return civil.minute;
    case CEP_UNIT_SECOND: return civil.second;
    case CEP_UNIT_MILLISECOND: return millis;
    case CEP_UNIT_MICROSECOND: return millis * 1000;
    case CEP_UNIT_NANOSECOND: return millis * 1000000;
    case CEP_UNIT_EPOCH: return cep_floor_div(ms, 1000);
    case CEP_UNIT_NONE:
    case CEP_UNIT_YEAR:
    case CEP_UNIT_QUARTER:
    case CEP_UNIT_MONTH:
    case CEP_UNIT_WEEK:
    case CEP_UNIT_DAY:
    case CEP_UNIT_DOW:
    case CEP_UNIT_ISODOW:
    case CEP_UNIT_DOY:
    case CEP_UNIT_ISOYEAR:
    case CEP_UNIT_CENTURY:
    case CEP_UNIT_DECADE:
    case CEP_UNIT_MILLENNIUM: break;
    }
    return extract_day(unit, day_of(ms), &civil);
}

/* Milliseconds of a unit of fixed length, 0 for the others. */
static int64_t fixed_ms(enum cep_unit unit)
{
    static const int64_t ms[] = {
        [CEP_UNIT_WEEK] = 7 * CEP_DAY_MS, [CEP_UNIT_DAY] = CEP_DAY_MS, [CEP_UNIT_HOUR] = 3600000,
        [CEP_UNIT_MINUTE] = 60000,        [CEP_UNIT_SECOND] = 1000,    [CEP_UNIT_MILLISECOND] = 1
    };
    return unit < sizeof ms / sizeof *ms ? ms[unit] : 0;
}

static int64_t fixed_months(enum cep_unit unit)
{
    if (unit == CEP_UNIT_MONTH)
        return 1;
    if (unit == CEP_UNIT_QUARTER)
        return 3;
    if (unit == CEP_UNIT_YEAR)
        return 12;
    return unit == CEP_UNIT_DECADE ? 120 : unit == CEP_UNIT_CENTURY ? 1200 : unit == CEP_UNIT_MILLENNIUM ? 12000 : 0;
}

int cep_unit_extract_interval(enum cep_unit unit, uint8_t kind, int64_t n, int64_t *ret)
{
    if (kind == CEP_KIND_INTERVAL_MONTH) {
        if (unit != CEP_UNIT_YEAR && unit != CEP_UNIT_MONTH)
            return BASE_E_INVALID;
        *ret = unit == CEP_UNIT_YEAR ? n / 12 : n % 12;
        return 0;
    }
    int64_t ms = fixed_ms(unit), above = unit == CEP_UNIT_HOUR ? 24 : 60;
    if (unit == CEP_UNIT_EPOCH) {
        *ret = n / 1000;
        return 0;
    }
    if (!ms || unit == CEP_UNIT_WEEK)
        return BASE_E_INVALID;
    if (unit == CEP_UNIT_DAY)
        *ret = n / ms;
    else if (unit == CEP_UNIT_MILLISECOND)
        *ret = n % 60000;
    else
        *ret = n / ms % above;
    return 0;
}

static int floor_months(enum cep_unit unit, int64_t ms, int64_t *ret)
{
    struct base_civil civil;
    int64_t months = fixed_months(unit);
    base_time_to_civil(ms, &civil);
    if (!months)
        return BASE_E_INVALID;
    if (civil.year < -YEAR_MOST || civil.year > YEAR_MOST)
        return BASE_E_OVERFLOW;
    int64_t month = (int64_t)civil.year * 12 + civil.month - 1;
    int64_t shift = unit == CEP_UNIT_CENTURY || unit == CEP_UNIT_MILLENNIUM ? 12 : 0; /* they start with a year 1 */
    month = cep_floor_div(month - shift, months) * months + shift;
    int64_t year = cep_floor_div(month, 12);
    *ret = base_days_from_civil((int32_t)year, (int)(month - year * 12) + 1, 1) * CEP_DAY_MS;
    return 0;
}

int cep_unit_floor(enum cep_unit unit, int64_t ms, bool ceil, int64_t *ret)
{
    int64_t unit_ms = fixed_ms(unit), start = 0;
    if (unit_ms) {
        int64_t shift = unit == CEP_UNIT_WEEK ? 3 * CEP_DAY_MS : 0; /* 1970-01-04 was a Sunday */
        if (__builtin_sub_overflow(ms, shift, &start) ||
            __builtin_mul_overflow(cep_floor_div(start, unit_ms), unit_ms, &start))
            return BASE_E_OVERFLOW;
        start += shift;
    } else {
        int e = floor_months(unit, ms, &start);
        if (e < 0)
            return e;
    }
    if (ceil && start != ms) {
        int e = cep_unit_add(unit, 1, start, &start);
        if (e < 0)
            return e;
    }
    *ret = start;
    return 0;
}

int cep_unit_add(enum cep_unit unit, int64_t n, int64_t ms, int64_t *ret)
{
    int64_t unit_ms = fixed_ms(unit), unit_months = fixed_months(unit), span = 0;
    if (unit_ms)
        return __builtin_mul_overflow(n, unit_ms, &span) || __builtin_add_overflow(ms, span, ret) ? BASE_E_OVERFLOW : 0;
    if (!unit_months)
        return BASE_E_INVALID;
    return __builtin_mul_overflow(n, unit_months, &span) ? BASE_E_OVERFLOW : cep_add_months_ms(ms, span, ret);
}

/* Whole months from a to b, a <= b. */
static int64_t months_between(int64_t a, int64_t b)
{
    struct base_civil x, y;
    base_time_to_civil(a, &x);
    base_time_to_civil(b, &y);
    int64_t months = ((int64_t)y.year - x.year) * 12 + y.month - x.month;
    int64_t rest_a = (x.day - 1) * CEP_DAY_MS + (a - day_of(a) * CEP_DAY_MS),
            rest_b = (y.day - 1) * CEP_DAY_MS + (b - day_of(b) * CEP_DAY_MS);
    return months - (rest_b < rest_a);
}

int cep_unit_between(enum cep_unit unit, int64_t a, int64_t b, int64_t *ret)
{
    int64_t unit_ms = fixed_ms(unit), unit_months = fixed_months(unit), span = 0;
    if (unit_ms) {
        if (__builtin_sub_overflow(b, a, &span))
            return BASE_E_OVERFLOW;
        *ret = span / unit_ms;
        return 0;
    }
    if (!unit_months)
        return BASE_E_INVALID;
    *ret = a <= b ? months_between(a, b) / unit_months : -(months_between(b, a) / unit_months);
    return 0;
}
