#include "patterns/types.h"

#include <string.h>
#include "base/error.h"
#include "patterns/bind_expr.h"

#define DECIMAL_MAX 38

static int refuse_type(struct patterns_binder *binder, const struct patterns_type *type, const char *hint,
                       const char *what)
{
    return patterns_refuse_at(binder, type->source, type->begin, type->end, "not-supported", hint, "%s", what);
}

static int resolve_decimal(struct patterns_binder *binder, const struct patterns_type *type, struct cep_type *ret)
{
    int32_t precision = type->precision < 0 ? 10 : type->precision;
    int32_t scale = type->scale < 0 ? 0 : type->scale;
    if (precision < 1 || precision > DECIMAL_MAX || scale > precision)
        return patterns_refuse_at(binder, type->source, type->begin, type->end, "type-mismatch",
                                  "DECIMAL(p, s) has 1 <= p <= 38 and 0 <= s <= p", "DECIMAL(%d, %d) is out of range",
                                  (int)precision, (int)scale);
    *ret = CEP_DECIMAL_TYPE((uint8_t)precision, (uint8_t)scale);
    return 0;
}

static int resolve_array(struct patterns_binder *binder, const struct patterns_type *type, struct cep_type *ret)
{
    struct cep_type element;
    int error = patterns_type_resolve(binder, type->element, &element);
    if (error)
        return error;
    if (element.kind == CEP_KIND_ARRAY || element.kind == CEP_KIND_ROW)
        return refuse_type(binder, type, "declare the column as STRING and take it apart with JSON functions",
                           "arrays hold plain values only");
    *ret = (struct cep_type){ .kind = CEP_KIND_ARRAY,
                              .element = element.kind,
                              .element_precision = element.precision,
                              .element_scale = element.scale };
    return 0;
}

int patterns_type_resolve(struct patterns_binder *binder, const struct patterns_type *type, struct cep_type *ret)
{
    switch (type->kind) {
    case PATTERNS_TYPE_STRING:
    case PATTERNS_TYPE_VARCHAR:
    case PATTERNS_TYPE_CHAR: *ret = CEP_TYPE(STRING); return 0;
    case PATTERNS_TYPE_BOOLEAN: *ret = CEP_TYPE(BOOLEAN); return 0;
    case PATTERNS_TYPE_TINYINT:
    case PATTERNS_TYPE_SMALLINT:
    case PATTERNS_TYPE_INT: *ret = CEP_TYPE(INT); return 0;
    case PATTERNS_TYPE_BIGINT: *ret = CEP_TYPE(BIGINT); return 0;
    case PATTERNS_TYPE_FLOAT:
    case PATTERNS_TYPE_DOUBLE: *ret = CEP_TYPE(DOUBLE); return 0;
    case PATTERNS_TYPE_DECIMAL: return resolve_decimal(binder, type, ret);
    case PATTERNS_TYPE_DATE: *ret = CEP_TYPE(DATE); return 0;
    case PATTERNS_TYPE_TIME: *ret = CEP_TYPE(TIME); return 0;
    case PATTERNS_TYPE_TIMESTAMP: *ret = CEP_TYPE(TIMESTAMP); return 0;
    case PATTERNS_TYPE_TIMESTAMP_LTZ: *ret = CEP_TYPE(TIMESTAMP_LTZ); return 0;
    case PATTERNS_TYPE_INTERVAL:
        if (type->from == PATTERNS_UNIT_YEAR || type->from == PATTERNS_UNIT_MONTH ||
            type->from == PATTERNS_UNIT_QUARTER)
            *ret = CEP_TYPE(INTERVAL_MONTH);
        else
            *ret = CEP_TYPE(INTERVAL_DAY);
        return 0;
    case PATTERNS_TYPE_BYTES: *ret = CEP_TYPE(BYTES); return 0;
    case PATTERNS_TYPE_ARRAY: return resolve_array(binder, type, ret);
    case PATTERNS_TYPE_ROW: *ret = CEP_TYPE(ROW); return 0;
    case PATTERNS_TYPE_MULTISET: return refuse_type(binder, type, "use ARRAY<...>", "MULTISET is not supported");
    case PATTERNS_TYPE_MAP:
        return refuse_type(binder, type, "use ROW<...> and name its fields, or STRING for the raw text",
                           "MAP is not supported");
    }
    return BASE_E_INVALID;
}

bool patterns_type_is_interval(struct cep_type type)
{
    return type.kind == CEP_KIND_INTERVAL_DAY || type.kind == CEP_KIND_INTERVAL_MONTH;
}

bool patterns_type_is_integer(struct cep_type type)
{
    return type.kind == CEP_KIND_INT || type.kind == CEP_KIND_BIGINT;
}

static bool is_temporal(struct cep_type type)
{
    return cep_kind_is_time(type.kind) || type.kind == CEP_KIND_DATE || type.kind == CEP_KIND_TIME;
}

bool patterns_type_comparable(struct cep_type a, struct cep_type b, struct cep_type *ret)
{
    if (a.kind == CEP_KIND_ROW || b.kind == CEP_KIND_ROW)
        return false;
    if (cep_type_equal(a, b)) {
        *ret = a;
        return true;
    }
    if (a.kind == CEP_KIND_NULL || b.kind == CEP_KIND_NULL) {
        *ret = a.kind == CEP_KIND_NULL ? b : a;
        return true;
    }
    if (a.kind == CEP_KIND_STRING && is_temporal(b)) {
        *ret = b;
        return true;
    }
    if (b.kind == CEP_KIND_STRING && is_temporal(a)) {
        *ret = a;
        return true;
    }
    if (cep_kind_is_time(a.kind) && cep_kind_is_time(b.kind)) {
        *ret = CEP_TYPE(TIMESTAMP_LTZ);
        return true;
    }
    if (a.kind == CEP_KIND_STRING || b.kind == CEP_KIND_STRING)
        return false;
    return cep_type_common(a, b, ret);
}

struct cep_type patterns_type_as_decimal(struct cep_type type)
{
    if (type.kind == CEP_KIND_INT)
        return CEP_DECIMAL_TYPE(10, 0);
    if (type.kind == CEP_KIND_BIGINT)
        return CEP_DECIMAL_TYPE(19, 0);
    return type;
}

/* ---- durations of options ---- */

static bool duration_unit(struct base_str name, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        { "ms", 1 },          { "milli", 1 },      { "millis", 1 },       { "millisecond", 1 },   { "milliseconds", 1 },
        { "s", 1000 },        { "sec", 1000 },     { "secs", 1000 },      { "second", 1000 },     { "seconds", 1000 },
        { "m", 60000 },       { "min", 60000 },    { "mins", 60000 },     { "minute", 60000 },    { "minutes", 60000 },
        { "h", 3600000 },     { "hour", 3600000 }, { "hours", 3600000 },  { "d", 86400000 },      { "day", 86400000 },
        { "days", 86400000 }, { "w", 604800000 },  { "week", 604800000 }, { "weeks", 604800000 },
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (base_str_equal_fold(name, base_str_of(units[i].name))) {
            *ret_ms = units[i].ms;
            return true;
        }
    return false;
}

bool patterns_duration_parse(struct base_str text, int64_t *ret_ms)
{
    text = base_str_trim(text);
    int64_t total = 0;
    size_t at = 0;
    if (text.len == 0)
        return false;
    while (at < text.len) {
        size_t digits = at;
        while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
            at++;
        int64_t number, unit = 1, part;
        if (!base_str_to_i64((struct base_str){ text.ptr + digits, at - digits }, &number))
            return false;
        while (at < text.len && text.ptr[at] == ' ')
            at++;
        size_t word = at;
        while (at < text.len && ((text.ptr[at] | 32) >= 'a' && (text.ptr[at] | 32) <= 'z'))
            at++;
        bool plain = at == word;
        if (plain ? (digits != 0 || at != text.len)
                  : !duration_unit((struct base_str){ text.ptr + word, at - word }, &unit))
            return false;
        if (__builtin_mul_overflow(number, unit, &part) || __builtin_add_overflow(total, part, &total))
            return false;
        while (at < text.len && text.ptr[at] == ' ')
            at++;
    }
    *ret_ms = total;
    return true;
}
