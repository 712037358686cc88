#include "cep/calendar.h"

#include "base/error.h"
#include "base/time.h"

#define YEAR_MOST 1000000

int64_t cep_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int cep_days_in_month(int32_t year, int month)
{
    static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int cep_add_months_ms(int64_t time_ms, int64_t months, int64_t *ret)
{
    struct base_civil civil;
    base_time_to_civil(time_ms, &civil);
    if (civil.year < -YEAR_MOST || civil.year > YEAR_MOST || months < -12 * YEAR_MOST || months > 12 * YEAR_MOST)
        return BASE_E_OVERFLOW;
    int64_t month = (int64_t)civil.year * 12 + civil.month - 1 + months;
    int64_t year = cep_floor_div(month, 12);
    if (year < -YEAR_MOST || year > YEAR_MOST)
        return BASE_E_OVERFLOW;
    civil.year = (int32_t)year;
    civil.month = (int8_t)(month - year * 12 + 1);
    int last = cep_days_in_month(civil.year, civil.month);
    civil.day = (int8_t)(civil.day < last ? civil.day : last);
    *ret = base_time_from_civil(&civil);
    return 0;
}

int cep_add_months_days(int64_t days, int64_t months, int64_t *ret)
{
    int64_t ms;
    if (__builtin_mul_overflow(days, CEP_DAY_MS, &ms))
        return BASE_E_OVERFLOW;
    int e = cep_add_months_ms(ms, months, &ms);
    if (e == 0)
        *ret = cep_floor_div(ms, CEP_DAY_MS);
    return e;
}
