#include "base/error.h"
#include "cep/calendar.h"
#include "cep/func_rules.h"
#include "cep/func_tables.h"
#include "cep/units.h"

/* Functions of moments and intervals. Units come as constant texts, which SQL's own syntax (EXTRACT(DAY FROM t)) is
 * turned into. Everything is in UTC. */

static bool is_moment(uint8_t kind)
{
    return cep_kind_is_time(kind) || kind == CEP_KIND_DATE || kind == CEP_KIND_TIME;
}

static bool is_interval(uint8_t kind)
{
    return kind == CEP_KIND_INTERVAL_DAY || kind == CEP_KIND_INTERVAL_MONTH;
}

/* A bare NULL counts as a TIMESTAMP. */
static bool moment_or_interval(struct cep_type given, bool intervals, struct cep_type *want)
{
    *want = given.kind == CEP_KIND_NULL ? CEP_TYPE(TIMESTAMP) : given;
    return is_moment(want->kind) || (intervals && is_interval(want->kind));
}

static bool rule_extract(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    want[0] = CEP_TYPE(STRING);
    *ret = CEP_TYPE(BIGINT);
    return cep_cast_exists(args[0], want[0], true) && moment_or_interval(args[1], true, &want[1]);
}

static bool rule_field(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    *ret = CEP_TYPE(BIGINT);
    return moment_or_interval(args[0], true, &want[0]);
}

static bool rule_floor(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    want[1] = CEP_TYPE(STRING);
    if (!moment_or_interval(args[0], false, &want[0]) || !cep_cast_exists(args[1], want[1], true))
        return false;
    *ret = want[0];
    return true;
}

static bool rule_add(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    if (!cep_func_signature("SLT", 'L', args, n, want, ret))
        return false;
    *ret = want[2];
    return true;
}

static bool rule_between(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    struct cep_type common;
    if (!cep_func_signature("STT", 'L', args, n, want, ret) || !cep_type_common(want[1], want[2], &common))
        return false;
    want[1] = want[2] = common;
    return true;
}

static bool rule_interval(const struct cep_type *args, uint32_t n BASE_UNUSED, struct cep_type *want, struct cep_type *ret)
{
    want[0] = CEP_TYPE(INTERVAL_DAY);
    *ret = CEP_TYPE(BIGINT);
    return cep_cast_exists(args[0], want[0], true);
}

/* A constant unit is checked once. */
static int check_unit(const struct cep_value *constants, const bool *constant, uint32_t at, const char **ret_error)
{
    if (!constant[at] || constants[at].null ||
        cep_unit_of((struct base_str){ constants[at].s.ptr, constants[at].s.len }) != CEP_UNIT_NONE)
        return 0;
    *ret_error = "unknown time unit; units are YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND, MILLISECOND";
    return BASE_E_INVALID;
}

static int prepare_first(const struct cep_value *constants, const bool *constant, uint32_t n BASE_UNUSED,
                         struct base_arena *arena BASE_UNUSED,
                         const char **ret_error, void **ret)
{
    *ret = NULL;
    return check_unit(constants, constant, 0, ret_error);
}

static int prepare_second(const struct cep_value *constants, const bool *constant, uint32_t n BASE_UNUSED,
                          struct base_arena *arena BASE_UNUSED,
                          const char **ret_error, void **ret)
{
    *ret = NULL;
    return check_unit(constants, constant, 1, ret_error);
}

static enum cep_unit unit_of(struct cep_value v)
{
    return cep_unit_of((struct base_str){ v.s.ptr, v.s.len });
}

static int field(struct cep_type type, enum cep_unit unit, int64_t n, struct cep_value *ret)
{
    int64_t result = 0;
    int e = 0;
    if (unit == CEP_UNIT_NONE)
        return BASE_E_INVALID;
    if (is_interval(type.kind))
        e = cep_unit_extract_interval(unit, type.kind, n, &result);
    else if (type.kind == CEP_KIND_DATE && __builtin_mul_overflow(n, CEP_DAY_MS, &n))
        e = BASE_E_OVERFLOW;
    else
        result = cep_unit_extract(unit, n);
    if (e == 0)
        *ret = cep_int(result);
    return e;
}

static int run_extract(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return field(call->arg_types[1], unit_of(args[0]), args[1].i, ret);
}

#define FIELD(name, unit) \
    static int run_##name(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret) \
    { \
        return field(call->arg_types[0], CEP_UNIT_##unit, args[0].i, ret); \
    }
FIELD(year, YEAR)
FIELD(quarter, QUARTER)
FIELD(month, MONTH)
FIELD(week, WEEK)
FIELD(dayofyear, DOY)
FIELD(dayofmonth, DAY)
FIELD(dayofweek, DOW)
FIELD(hour, HOUR)
FIELD(minute, MINUTE)
FIELD(second, SECOND)

static int floored(const struct cep_call *call, const struct cep_value *args, bool ceil, struct cep_value *ret)
{
    bool date = call->ret_type.kind == CEP_KIND_DATE;
    int64_t ms = args[0].i;
    if (date && __builtin_mul_overflow(ms, CEP_DAY_MS, &ms))
        return BASE_E_OVERFLOW;
    int e = cep_unit_floor(unit_of(args[1]), ms, ceil, &ms);
    if (e < 0)
        return e;
    if (call->ret_type.kind == CEP_KIND_TIME && (ms < 0 || ms >= CEP_DAY_MS))
        return BASE_E_OVERFLOW;
    *ret = cep_int(date ? cep_floor_div(ms, CEP_DAY_MS) : ms);
    return 0;
}

static int run_floor(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return floored(call, args, false, ret);
}

static int run_ceil(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    return floored(call, args, true, ret);
}

static int run_add(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    int64_t ms = 0;
    int e = cep_unit_add(unit_of(args[0]), args[1].i, args[2].i, &ms);
    if (e == 0)
        *ret = cep_int(ms);
    return e;
}

static int run_between(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    int64_t n = 0;
    int e = cep_unit_between(unit_of(args[0]), args[1].i, args[2].i, &n);
    if (e == 0)
        *ret = cep_int(n);
    return e;
}

static int run_interval_ms(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = args[0];
    return 0;
}

#define FIELD_ROW(name, run, doc) \
    { \
        name, 1, 1, 0, rule_field, run, NULL, NULL, name "(time)", doc \
    }

static const struct cep_func table[] = {
    { "EXTRACT", 2, 2, 0, rule_extract, run_extract, prepare_first, NULL, "EXTRACT(unit FROM time)",
      "A field of a date, time, timestamp or interval: YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND, "
      "MILLISECOND, EPOCH, DOW (Sunday 1), ISODOW (Monday 1), DOY, ISOYEAR, CENTURY, DECADE, MILLENNIUM." },
    { "FLOOR_TIME", 2, 2, 0, rule_floor, run_floor, prepare_second, NULL, "FLOOR(time TO unit)",
      "Start of the unit that holds the time; weeks start on Sunday." },
    { "CEIL_TIME", 2, 2, 0, rule_floor, run_ceil, prepare_second, NULL, "CEIL(time TO unit)",
      "Start of the next unit, or the time itself at a start." },
    { "TIMESTAMPADD", 3, 3, 0, rule_add, run_add, prepare_first, NULL, "TIMESTAMPADD(unit, n, time)",
      "The time n units later; the day is clipped to the month's end." },
    { "TIMESTAMPDIFF", 3, 3, 0, rule_between, run_between, prepare_first, NULL, "TIMESTAMPDIFF(unit, a, b)",
      "Whole units from a to b, as a BIGINT." },
    FIELD_ROW("YEAR", run_year, "The year."),
    FIELD_ROW("QUARTER", run_quarter, "The quarter, 1 to 4."),
    FIELD_ROW("MONTH", run_month, "The month, 1 to 12."),
    FIELD_ROW("WEEK", run_week, "The week by ISO-8601, 1 to 53."),
    FIELD_ROW("DAYOFYEAR", run_dayofyear, "The day of the year, from 1."),
    FIELD_ROW("DAYOFMONTH", run_dayofmonth, "The day of the month, from 1."),
    FIELD_ROW("DAYOFWEEK", run_dayofweek, "The day of the week, Sunday 1 to Saturday 7."),
    FIELD_ROW("HOUR", run_hour, "The hour, 0 to 23."),
    FIELD_ROW("MINUTE", run_minute, "The minute, 0 to 59."),
    FIELD_ROW("SECOND", run_second, "The second, 0 to 59."),
    { "INTERVAL_MS", 1, 1, 0, rule_interval, run_interval_ms, NULL, NULL, "INTERVAL_MS(interval)",
      "An interval of days to seconds as milliseconds, e.g. of a difference of timestamps." },
};

struct cep_func_table cep_func_table_time(void)
{
    return (struct cep_func_table){ table, sizeof table / sizeof *table };
}
