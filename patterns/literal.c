#include "patterns/literal.h"

#include <string.h>
#include "base/error.h"
#include "base/time.h"
#include "patterns/bind_expr.h"
#include "patterns/types.h"

static int constant(struct patterns_binder *binder, const struct patterns_expr *place, struct cep_type type,
                    struct cep_value value, const struct patterns_bound **ret)
{
    *ret = patterns_bound_const(binder, place, type, value);
    return *ret ? 0 : BASE_E_NOMEM;
}

static int bad(struct patterns_binder *binder, const struct patterns_expr *expr, const char *what, const char *hint)
{
    return patterns_refuse(binder, expr, "bad-literal", hint, "this is no %s", what);
}

/* ---- numbers ---- */

bool patterns_number_value(struct base_str text, struct cep_type *ret_type, struct cep_value *ret)
{
    int64_t integer;
    if (base_str_to_i64(text, &integer)) {
        *ret_type = integer <= INT32_MAX && integer >= INT32_MIN ? CEP_TYPE(INT) : CEP_TYPE(BIGINT);
        *ret = cep_int(integer);
        return true;
    }
    uint32_t digits = 0, scale = 0;
    bool point = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.') {
            point = true;
        } else {
            digits++;
            scale += point;
        }
    }
    /* Leading zeros before more than 38 digits carry nothing, but "0.5" is DECIMAL(2, 1) as in Flink. */
    size_t at = 0;
    while (digits > 38 && at < text.len && text.ptr[at] == '0') {
        at++;
        digits--;
    }
    if (digits == 0 || digits > 38)
        return false;
    cep_int128 n;
    *ret_type = CEP_DECIMAL_TYPE((uint8_t)digits, (uint8_t)scale);
    if (cep_decimal_parse((struct base_str){ text.ptr + at, text.len - at }, *ret_type, &n))
        return false;
    *ret = cep_dec(n);
    return true;
}

static int bind_number(struct patterns_binder *binder, const struct patterns_expr *expr,
                       const struct patterns_bound **ret)
{
    struct cep_type type;
    struct cep_value value;
    if (expr->number.kind == PATTERNS_NUMBER_DOUBLE) {
        double d;
        if (!base_str_to_double(expr->number.text, &d) || d - d != 0)
            return bad(binder, expr, "DOUBLE", "its magnitude must stay below 1.8e308");
        return constant(binder, expr, CEP_TYPE(DOUBLE), cep_double(d), ret);
    }
    if (!patterns_number_value(expr->number.text, &type, &value))
        return bad(binder, expr, "exact number",
                   "a DECIMAL has at most 38 digits; write an exponent (1e40) for a DOUBLE");
    return constant(binder, expr, type, value, ret);
}

/* ---- dates and times ---- */

static int bind_date(struct patterns_binder *binder, const struct patterns_expr *expr,
                     const struct patterns_bound **ret)
{
    int32_t days;
    if (!base_date_parse(expr->text.ptr, expr->text.len, &days))
        return bad(binder, expr, "DATE", "write DATE '2026-01-31'");
    return constant(binder, expr, CEP_TYPE(DATE), cep_int(days), ret);
}

static int bind_time(struct patterns_binder *binder, const struct patterns_expr *expr,
                     const struct patterns_bound **ret)
{
    int64_t ms;
    const char *whole = base_arena_printf(binder->arena, "1970-01-01 %.*s", (int)expr->text.len, expr->text.ptr);
    if (!whole)
        return BASE_E_NOMEM;
    if (!base_time_parse(whole, strlen(whole), &ms, NULL) || ms < 0 || ms >= 86400000)
        return bad(binder, expr, "TIME", "write TIME '23:59:59'");
    return constant(binder, expr, CEP_TYPE(TIME), cep_int(ms), ret);
}

static int bind_timestamp(struct patterns_binder *binder, const struct patterns_expr *expr, struct cep_type type,
                          const struct patterns_bound **ret)
{
    int64_t ms;
    if (!base_time_parse(expr->text.ptr, expr->text.len, &ms, NULL))
        return bad(binder, expr, "TIMESTAMP", "write TIMESTAMP '2026-01-31 23:59:59.999'");
    return constant(binder, expr, type, cep_int(ms), ret);
}

/* ---- intervals ---- */

static int64_t unit_ms(enum patterns_unit unit)
{
    switch (unit) {
    case PATTERNS_UNIT_WEEK: return 604800000;
    case PATTERNS_UNIT_DAY: return 86400000;
    case PATTERNS_UNIT_HOUR: return 3600000;
    case PATTERNS_UNIT_MINUTE: return 60000;
    case PATTERNS_UNIT_SECOND: return 1000;
    case PATTERNS_UNIT_MILLISECOND: return 1;
    case PATTERNS_UNIT_NONE:
    case PATTERNS_UNIT_YEAR:
    case PATTERNS_UNIT_QUARTER:
    case PATTERNS_UNIT_MONTH:
    case PATTERNS_UNIT_MICROSECOND:
    case PATTERNS_UNIT_NANOSECOND:
    case PATTERNS_UNIT_EPOCH:
    case PATTERNS_UNIT_DOW:
    case PATTERNS_UNIT_ISODOW:
    case PATTERNS_UNIT_DOY:
    case PATTERNS_UNIT_ISOYEAR:
    case PATTERNS_UNIT_CENTURY:
    case PATTERNS_UNIT_DECADE:
    case PATTERNS_UNIT_MILLENNIUM: break;
    }
    return 0;
}

static int64_t unit_months(enum patterns_unit unit)
{
    return unit == PATTERNS_UNIT_YEAR ? 12 : unit == PATTERNS_UNIT_QUARTER ? 3 : unit == PATTERNS_UNIT_MONTH ? 1 : 0;
}

/* Digits up to a separator. False if there are none. */
static bool take_number(struct base_str text, size_t *at, int64_t *ret)
{
    size_t begin = *at;
    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9')
        (*at)++;
    return *at > begin && base_str_to_i64((struct base_str){ text.ptr + begin, *at - begin }, ret);
}

/* Optional ".123456": milliseconds, further digits cut. */
static bool take_fraction(struct base_str text, size_t *at, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (*at >= text.len || text.ptr[*at] != '.')
        return true;
    int64_t weight = 100;
    size_t begin = ++*at;
    for (; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9'; (*at)++, weight /= 10)
        *ret_ms += (text.ptr[*at] - '0') * weight;
    return *at > begin;
}

static bool add_scaled(int64_t *sum, int64_t number, int64_t scale)
{
    int64_t part;
    return !__builtin_mul_overflow(number, scale, &part) && !__builtin_add_overflow(*sum, part, sum);
}

/* "10 00:00:00.5" DAY TO SECOND and its shorter forms; also a single unit, then from == to. */
static bool parse_day_interval(struct base_str text, enum patterns_unit from, enum patterns_unit to, int64_t *ret_ms)
{
    static const enum patterns_unit order[] = { PATTERNS_UNIT_DAY, PATTERNS_UNIT_HOUR, PATTERNS_UNIT_MINUTE,
                                                PATTERNS_UNIT_SECOND };
    size_t at = 0;
    int64_t total = 0, number, fraction;
    uint32_t first = 0, last = 0;
    if (from == to) {
        if (!take_number(text, &at, &number) || !add_scaled(&total, number, unit_ms(from)))
            return false;
        if (!take_fraction(text, &at, &fraction) || (fraction && from != PATTERNS_UNIT_SECOND) ||
            !add_scaled(&total, fraction, 1))
            return false;
        *ret_ms = total;
        return at == text.len && unit_ms(from) > 0;
    }
    while (first < 4 && order[first] != from)
        first++;
    while (last < 4 && order[last] != to)
        last++;
    if (first >= 4 || last >= 4 || first >= last)
        return false;
    for (uint32_t i = first; i <= last; i++) {
        if (i > first) {
            char separator = i == 1 ? ' ' : ':';
            if (at >= text.len || text.ptr[at++] != separator)
                return false;
        }
        int64_t bound = i == first ? INT64_MAX : i == 1 ? 24 : 60;
        if (!take_number(text, &at, &number) || number >= bound || !add_scaled(&total, number, unit_ms(order[i])))
            return false;
    }
    if (order[last] == PATTERNS_UNIT_SECOND &&
        (!take_fraction(text, &at, &fraction) || !add_scaled(&total, fraction, 1)))
        return false;
    *ret_ms = total;
    return at == text.len;
}

static bool parse_month_interval(struct base_str text, enum patterns_unit from, enum patterns_unit to,
                                 int64_t *ret_months)
{
    size_t at = 0;
    int64_t number, total = 0;
    if (!take_number(text, &at, &number) || !add_scaled(&total, number, unit_months(from)))
        return false;
    if (from != to) {
        if (from != PATTERNS_UNIT_YEAR || to != PATTERNS_UNIT_MONTH || at >= text.len || text.ptr[at++] != '-')
            return false;
        if (!take_number(text, &at, &number) || number >= 12 || !add_scaled(&total, number, 1))
            return false;
    }
    *ret_months = total;
    return at == text.len && total <= INT32_MAX;
}

static int bind_interval(struct patterns_binder *binder, const struct patterns_expr *expr,
                         const struct patterns_bound **ret)
{
    const struct patterns_interval *i = &expr->interval;
    struct base_str text = base_str_trim(i->text);
    bool negative = i->negative;
    if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
        negative ^= text.ptr[0] == '-';
        text = (struct base_str){ text.ptr + 1, text.len - 1 };
    }
    enum patterns_unit to = i->to == PATTERNS_UNIT_NONE ? i->from : i->to;
    bool months = unit_months(i->from) > 0;
    int64_t value = 0;
    if (!(months ? parse_month_interval(text, i->from, to, &value) : parse_day_interval(text, i->from, to, &value))) {
        const char *hint = i->to == PATTERNS_UNIT_NONE ? "write INTERVAL '5' MINUTE"
                           : months
                               ? "write INTERVAL '1-6' YEAR TO MONTH"
                               : "write INTERVAL '1 02:03:04' DAY TO SECOND, each unit but the first within its range";
        return patterns_refuse(binder, expr, "bad-literal", hint, "\"%.*s\" is no interval of %s%s%s", (int)i->text.len,
                               i->text.ptr, patterns_unit_name(i->from), i->to == PATTERNS_UNIT_NONE ? "" : " TO ",
                               patterns_unit_name(i->to));
    }
    return constant(binder, expr, months ? CEP_TYPE(INTERVAL_MONTH) : CEP_TYPE(INTERVAL_DAY),
                    cep_int(negative ? -value : value), ret);
}

int patterns_bind_literal(struct patterns_binder *binder, const struct patterns_expr *expr,
                          const struct patterns_bound **ret)
{
    *ret = NULL;
    if (expr->kind == PATTERNS_EXPR_NULL)
        return constant(binder, expr, CEP_TYPE(NULL), cep_null(), ret);
    if (expr->kind == PATTERNS_EXPR_BOOLEAN)
        return constant(binder, expr, CEP_TYPE(BOOLEAN), cep_int(expr->boolean), ret);
    if (expr->kind == PATTERNS_EXPR_NUMBER)
        return bind_number(binder, expr, ret);
    if (expr->kind == PATTERNS_EXPR_STRING)
        return constant(binder, expr, CEP_TYPE(STRING),
                        cep_string(expr->text.ptr ? expr->text.ptr : "", expr->text.len), ret);
    if (expr->kind == PATTERNS_EXPR_DATE)
        return bind_date(binder, expr, ret);
    if (expr->kind == PATTERNS_EXPR_TIME)
        return bind_time(binder, expr, ret);
    if (expr->kind == PATTERNS_EXPR_TIMESTAMP)
        return bind_timestamp(binder, expr, CEP_TYPE(TIMESTAMP), ret);
    if (expr->kind == PATTERNS_EXPR_TIMESTAMP_LTZ)
        return bind_timestamp(binder, expr, CEP_TYPE(TIMESTAMP_LTZ), ret);
    if (expr->kind == PATTERNS_EXPR_INTERVAL)
        return bind_interval(binder, expr, ret);
    return BASE_E_INVALID;
}

int patterns_bind_param_text(struct patterns_binder *binder, const struct patterns_expr *place, struct base_str text,
                             const struct patterns_bound **ret)
{
    struct base_str trimmed = base_str_trim(text);
    struct cep_type type;
    struct cep_value value;
    int64_t ms;
    double d;
    *ret = NULL;
    bool negative = trimmed.len > 1 && trimmed.ptr[0] == '-';
    struct base_str digits = negative ? (struct base_str){ trimmed.ptr + 1, trimmed.len - 1 } : trimmed;
    bool exact = digits.len > 0;
    uint32_t points = 0;
    for (size_t i = 0; i < digits.len; i++) {
        points += digits.ptr[i] == '.';
        exact = exact && ((digits.ptr[i] >= '0' && digits.ptr[i] <= '9') || digits.ptr[i] == '.');
    }
    if (exact && points <= 1 && points < digits.len && patterns_number_value(digits, &type, &value)) {
        if (negative)
            value = type.kind == CEP_KIND_DECIMAL ? cep_dec(-cep_dec_get(value)) : cep_int(-value.i);
        return constant(binder, place, type, value, ret);
    }
    if (base_str_equal_fold(trimmed, BASE_STR("true")) || base_str_equal_fold(trimmed, BASE_STR("false")))
        return constant(binder, place, CEP_TYPE(BOOLEAN), cep_int((trimmed.ptr[0] | 32) == 't'), ret);
    if (patterns_duration_parse(trimmed, &ms))
        return constant(binder, place, CEP_TYPE(INTERVAL_DAY), cep_int(ms), ret);
    if (digits.len && digits.ptr[0] >= '0' && digits.ptr[0] <= '9' && base_str_to_double(trimmed, &d) && d - d == 0)
        return constant(binder, place, CEP_TYPE(DOUBLE), cep_double(d), ret);
    return constant(binder, place, CEP_TYPE(STRING), cep_string(text.ptr, text.len), ret);
}
