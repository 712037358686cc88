#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "cep/double.h"
#include "cep/text.h"
#include "cep/value.h"

/* CAST between any two types, and the rules which casts there are. One function per target kind. */

#define DAY_MS INT64_C(86400000)

static bool is_scalar_target_of_text(uint8_t kind)
{
    return kind == CEP_KIND_BOOLEAN || cep_kind_is_number(kind) || kind == CEP_KIND_DATE || kind == CEP_KIND_TIME ||
           cep_kind_is_time(kind) || kind == CEP_KIND_BYTES;
}

static bool implicit_exists(uint8_t from, uint8_t to)
{
    if (from == CEP_KIND_INT || from == CEP_KIND_BIGINT)
        return to == CEP_KIND_BIGINT || to == CEP_KIND_DECIMAL || to == CEP_KIND_DOUBLE;
    if (from == CEP_KIND_DECIMAL)
        return to == CEP_KIND_DOUBLE;
    if (from == CEP_KIND_DATE)
        return cep_kind_is_time(to);
    return from == CEP_KIND_TIMESTAMP && to == CEP_KIND_TIMESTAMP_LTZ;
}

bool cep_cast_exists(struct cep_type from, struct cep_type to, bool implicit)
{
    if (!cep_type_valid(from) || !cep_type_valid(to))
        return false;
    uint8_t f = from.kind, t = to.kind;
    if (f == CEP_KIND_NULL)
        return true;
    if (t == CEP_KIND_NULL)
        return false;
    if (f == CEP_KIND_ARRAY && t == CEP_KIND_ARRAY)
        return cep_cast_exists(cep_type_element(from), cep_type_element(to), implicit);
    if (f == t || implicit_exists(f, t))
        return true;
    if (implicit)
        return false;
    if (t == CEP_KIND_STRING)
        return true;
    if (f == CEP_KIND_STRING)
        return is_scalar_target_of_text(t);
    if (cep_kind_is_number(f) || f == CEP_KIND_BOOLEAN)
        return cep_kind_is_number(t) || t == CEP_KIND_BOOLEAN;
    if (cep_kind_is_time(f))
        return cep_kind_is_time(t) || t == CEP_KIND_DATE || t == CEP_KIND_TIME;
    return false;
}

static struct cep_type decimal_of(struct cep_type type)
{
    if (type.kind == CEP_KIND_INT)
        return CEP_DECIMAL_TYPE(10, 0);
    return type.kind == CEP_KIND_BIGINT ? CEP_DECIMAL_TYPE(19, 0) : type;
}

/* Keeps the digits before the point; of those behind it as many as 38 leave room for. */
static struct cep_type decimal_common(struct cep_type a, struct cep_type b)
{
    a = decimal_of(a);
    b = decimal_of(b);
    int whole_a = a.precision - a.scale, whole_b = b.precision - b.scale;
    int whole = whole_a > whole_b ? whole_a : whole_b;
    int scale = a.scale > b.scale ? a.scale : b.scale;
    scale = scale > 38 - whole ? 38 - whole : scale;
    return CEP_DECIMAL_TYPE((uint8_t)(whole + scale), (uint8_t)scale);
}

bool cep_type_common(struct cep_type a, struct cep_type b, struct cep_type *ret)
{
    if (a.kind == CEP_KIND_NULL || (b.kind != CEP_KIND_NULL && cep_type_equal(a, b))) {
        *ret = b;
        if (a.kind != CEP_KIND_NULL)
            *ret = a;
        return true;
    }
    if (b.kind == CEP_KIND_NULL) {
        *ret = a;
        return true;
    }
    if (a.kind == CEP_KIND_ARRAY && b.kind == CEP_KIND_ARRAY) {
        struct cep_type element;
        if (!cep_type_common(cep_type_element(a), cep_type_element(b), &element))
            return false;
        *ret = cep_type_array(element);
        return true;
    }
    bool numbers = cep_kind_is_number(a.kind) && cep_kind_is_number(b.kind);
    if (numbers && a.kind != CEP_KIND_DOUBLE && b.kind != CEP_KIND_DOUBLE &&
        (a.kind == CEP_KIND_DECIMAL || b.kind == CEP_KIND_DECIMAL)) {
        *ret = decimal_common(a, b);
        return true;
    }
    if (cep_cast_exists(a, b, true))
        *ret = b;
    else if (cep_cast_exists(b, a, true))
        *ret = a;
    else
        return false;
    return true;
}

/* ---- the casts, by target ---- */

static struct base_str trimmed(struct cep_value v)
{
    return base_str_trim((struct base_str){ v.s.ptr, v.s.len });
}

static int text_to_boolean(struct base_str text, struct cep_value *ret)
{
    static const char *const yes[] = { "true", "t", "yes", "y", "1" }, *const no[] = { "false", "f", "no", "n", "0" };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        bool is_yes = base_str_equal_fold(text, base_str_of(yes[i]));
        if (is_yes || base_str_equal_fold(text, base_str_of(no[i]))) {
            *ret = cep_int(is_yes);
            return 0;
        }
    }
    return BASE_E_CAST;
}

static int to_boolean(struct cep_type from, struct cep_value v, struct cep_value *ret)
{
    if (from.kind == CEP_KIND_STRING)
        return text_to_boolean(trimmed(v), ret);
    *ret = cep_int(from.kind == CEP_KIND_DOUBLE    ? v.d != 0
                   : from.kind == CEP_KIND_DECIMAL ? cep_dec_get(v) != 0
                                                   : v.i != 0);
    return 0;
}

/* Digits behind a point are cut off, as Flink does; they must be digits. */
static int text_to_integer(struct base_str text, int64_t *ret)
{
    size_t point = 0;
    while (point < text.len && text.ptr[point] != '.')
        point++;
    for (size_t i = point + 1; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return BASE_E_CAST;
    if (point < text.len && text.len == 1)
        return BASE_E_CAST;
    struct base_str whole = { text.ptr, point };
    if (whole.len && whole.ptr[0] == '+') {
        whole.ptr++;
        whole.len--;
        if (whole.len && whole.ptr[0] == '-')
            return BASE_E_CAST;
    }
    if (base_str_to_i64(whole, ret))
        return 0;
    size_t start = whole.len && whole.ptr[0] == '-';
    for (size_t i = start; i < whole.len; i++)
        if (whole.ptr[i] < '0' || whole.ptr[i] > '9')
            return BASE_E_CAST;
    return whole.len > start ? BASE_E_OVERFLOW : BASE_E_CAST;
}

static int double_to_integer(double d, int64_t *ret)
{
    double whole = trunc(d);
    if (!(whole >= -9223372036854775808.0 && whole < 9223372036854775808.0))
        return BASE_E_OVERFLOW;
    *ret = (int64_t)whole;
    return 0;
}

static int decimal_to_integer(cep_int128 n, int scale, int64_t *ret)
{
    for (; scale > 0; scale--)
        n /= 10;
    if (n < INT64_MIN || n > INT64_MAX)
        return BASE_E_OVERFLOW;
    *ret = (int64_t)n;
    return 0;
}

static int to_integer(struct cep_type from, struct cep_type to, struct cep_value v, struct cep_value *ret)
{
    int64_t n = v.i;
    int e = 0;
    if (from.kind == CEP_KIND_DOUBLE)
        e = double_to_integer(v.d, &n);
    else if (from.kind == CEP_KIND_DECIMAL)
        e = decimal_to_integer(cep_dec_get(v), from.scale, &n);
    else if (from.kind == CEP_KIND_STRING)
        e = text_to_integer(trimmed(v), &n);
    if (e < 0)
        return e;
    if (to.kind == CEP_KIND_INT && (n < INT32_MIN || n > INT32_MAX))
        return BASE_E_OVERFLOW;
    *ret = cep_int(n);
    return 0;
}

static int text_to_double(struct base_str text, double *ret)
{
    if (base_str_to_double(text, ret))
        return 0;
    bool negative = text.len && text.ptr[0] == '-';
    struct base_str name = { text.ptr + negative, text.len - negative };
    if (base_str_equal_fold(name, BASE_STR("NaN")) && !negative)
        *ret = (double)NAN;
    else if (base_str_equal_fold(name, BASE_STR("Infinity")))
        *ret = negative ? -(double)INFINITY : (double)INFINITY;
    else
        return BASE_E_CAST;
    return 0;
}

double cep_decimal_to_double(cep_int128 n, int scale)
{
    static const double power[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const cep_int128 exact = (cep_int128)1 << 53;
    if (n > -exact && n < exact && scale <= 22)
        return (double)n / power[scale]; /* both are exact: one rounding */
    char text[64];
    int at = (int)sizeof text;
    bool negative = n < 0;
    int exponent = -scale;
    text[--at] = (char)('0' + -exponent % 10);
    text[--at] = (char)('0' + -exponent / 10 % 10);
    text[--at] = '-';
    text[--at] = 'e';
    do {
        int digit = (int)(n % 10);
        text[--at] = (char)('0' + (digit < 0 ? -digit : digit));
        n /= 10;
    } while (n);
    if (negative)
        text[--at] = '-';
    double value = 0;
    (void)base_str_to_double((struct base_str){ text + at, sizeof text - (size_t)at },
                             &value); /* well-formed by construction */
    return value;
}

static int to_double(struct cep_type from, struct cep_value v, struct cep_value *ret)
{
    double d = v.d;
    int e = 0;
    if (from.kind == CEP_KIND_DECIMAL)
        d = cep_decimal_to_double(cep_dec_get(v), from.scale);
    else if (from.kind == CEP_KIND_STRING)
        e = text_to_double(trimmed(v), &d);
    else if (from.kind != CEP_KIND_DOUBLE)
        d = (double)v.i;
    if (e < 0)
        return e;
    *ret = cep_double(d);
    return 0;
}

static int double_to_decimal(double d, struct cep_type to, cep_int128 *ret)
{
    if (!isfinite(d))
        return BASE_E_OVERFLOW;
    struct cep_digits digits;
    char text[64];
    cep_double_digits(d, &digits);
    size_t len = 0;
    if (digits.negative)
        text[len++] = '-';
    memcpy(text + len, digits.at, (size_t)digits.len);
    len += (size_t)digits.len;
    int exponent = digits.point - digits.len;
    text[len++] = 'e';
    text[len++] = exponent < 0 ? '-' : '+';
    exponent = exponent < 0 ? -exponent : exponent;
    for (int unit = 100; unit; unit /= 10)
        text[len++] = (char)('0' + exponent / unit % 10);
    return cep_decimal_parse((struct base_str){ text, len }, to, ret);
}

static int to_decimal(struct cep_type from, struct cep_type to, struct cep_value v, struct cep_value *ret)
{
    cep_int128 n = 0;
    int e;
    if (from.kind == CEP_KIND_DECIMAL)
        e = cep_decimal_rescale(cep_dec_get(v), from.scale, to.scale, to.precision, &n);
    else if (from.kind == CEP_KIND_DOUBLE)
        e = double_to_decimal(v.d, to, &n);
    else if (from.kind == CEP_KIND_STRING)
        e = cep_decimal_parse(trimmed(v), to, &n);
    else
        e = cep_decimal_rescale(v.i, 0, to.scale, to.precision, &n);
    if (e < 0)
        return e;
    *ret = cep_dec(n);
    return 0;
}

static int64_t floor_days(int64_t ms)
{
    return ms / DAY_MS - (ms % DAY_MS < 0);
}

static int to_date(struct cep_type from, struct cep_value v, struct cep_value *ret)
{
    int64_t ms = v.i;
    if (from.kind == CEP_KIND_STRING) {
        struct base_str text = trimmed(v);
        if (!base_time_parse(text.ptr, text.len, &ms, NULL))
            return BASE_E_CAST;
    }
    *ret = cep_int(floor_days(ms));
    return 0;
}

/* "hh:mm[:ss[.fraction]]"; fractions beyond milliseconds are cut. */
static int text_to_time(struct base_str text, int64_t *ret)
{
    char whole[64] = "1970-01-01 ";
    size_t prefix = strlen(whole);
    if (text.len < 5 || text.len > sizeof whole - prefix)
        return BASE_E_CAST;
    memcpy(whole + prefix, text.ptr, text.len);
    bool zoned = false;
    return base_time_parse(whole, prefix + text.len, ret, &zoned) && !zoned ? 0 : BASE_E_CAST;
}

static int to_time(struct cep_type from, struct cep_value v, struct cep_value *ret)
{
    int64_t ms = v.i;
    if (from.kind == CEP_KIND_STRING) {
        int e = text_to_time(trimmed(v), &ms);
        if (e < 0)
            return e;
    } else {
        ms -= floor_days(ms) * DAY_MS;
    }
    *ret = cep_int(ms);
    return 0;
}

static int to_timestamp(struct cep_type from, struct cep_value v, struct cep_value *ret)
{
    int64_t ms = v.i;
    if (from.kind == CEP_KIND_STRING) {
        struct base_str text = trimmed(v);
        if (!base_time_parse(text.ptr, text.len, &ms, NULL))
            return BASE_E_CAST;
    } else if (from.kind == CEP_KIND_DATE && __builtin_mul_overflow(ms, DAY_MS, &ms)) {
        return BASE_E_OVERFLOW;
    }
    *ret = cep_int(ms);
    return 0;
}

static int to_string(struct cep_type from, struct cep_value v, struct base_arena *arena, struct cep_value *ret)
{
    if (from.kind == CEP_KIND_ROW || from.kind == CEP_KIND_BYTES) {
        if (base_utf8_check(v.s.ptr, v.s.len) != v.s.len)
            return BASE_E_CAST;
        *ret = v;
        return 0;
    }
    struct base_buf buf = { 0 };
    cep_value_print_text(from, v, &buf);
    return cep_text_take(&buf, arena, ret);
}

static int to_array(struct cep_type from, struct cep_type to, struct cep_value v, struct base_arena *arena,
                    struct cep_value *ret)
{
    uint32_t count = cep_array_count(v), n = 0;
    struct cep_value *elements = base_arena_alloc(arena, count * sizeof *elements + 1);
    if (!elements)
        return BASE_E_NOMEM;
    struct cep_array_reader reader;
    cep_array_read(v, &reader);
    while (n < count && cep_array_next(from, &reader, &elements[n])) {
        int e = cep_value_cast(cep_type_element(from), cep_type_element(to), elements[n], arena, &elements[n]);
        if (e < 0)
            return e;
        n++;
    }
    return cep_array_make(to, elements, n, arena, ret);
}

int cep_value_cast(struct cep_type from, struct cep_type to, struct cep_value v, struct base_arena *arena,
                   struct cep_value *ret)
{
    /* Integers made wider or doubles: what aggregates and comparisons ask for with each row. */
    if ((from.kind == CEP_KIND_INT || from.kind == CEP_KIND_BIGINT) && (to.kind == CEP_KIND_BIGINT || to.kind == CEP_KIND_DOUBLE)) {
        *ret = v.null ? cep_null() : to.kind == CEP_KIND_BIGINT ? cep_int(v.i) : cep_double((double)v.i);
        return 0;
    }
    if (!cep_cast_exists(from, to, false))
        return BASE_E_CAST;
    if (v.null) {
        *ret = cep_null();
        return 0;
    }
    if (cep_type_equal(from, to)) {
        *ret = v;
        return 0;
    }
    switch ((enum cep_kind)to.kind) {
    case CEP_KIND_BOOLEAN: return to_boolean(from, v, ret);
    case CEP_KIND_INT:
    case CEP_KIND_BIGINT: return to_integer(from, to, v, ret);
    case CEP_KIND_DOUBLE: return to_double(from, v, ret);
    case CEP_KIND_DECIMAL: return to_decimal(from, to, v, ret);
    case CEP_KIND_STRING: return to_string(from, v, arena, ret);
    case CEP_KIND_DATE: return to_date(from, v, ret);
    case CEP_KIND_TIME: return to_time(from, v, ret);
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ: return to_timestamp(from, v, ret);
    case CEP_KIND_ARRAY: return to_array(from, to, v, arena, ret);
    case CEP_KIND_BYTES: /* of STRING: its UTF-8 */ *ret = v; return 0;
    case CEP_KIND_NULL:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH:
    case CEP_KIND_ROW: break;
    }
    return BASE_E_CAST;
}
