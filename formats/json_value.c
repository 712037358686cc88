#include "formats/json.h"

#include <string.h>
#include "base/error.h"

static const uint64_t POWERS[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
                                   10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000 };

/* [-]digits[.digits], at most 18 digits, by JSON's grammar: nearly every number that there is. False: look closer. */
static inline bool plain_number(struct base_str token, bool *ret_negative, uint64_t *ret_digits, uint32_t *ret_fraction)
{
    const char *at = token.ptr, *end = token.ptr + token.len;
    bool negative = *at == '-';
    at += negative;
    const char *first = at;
    uint64_t digits = 0;
    if (end - at > 19)
        return false;
    for (; at < end && (unsigned char)(*at - '0') <= 9; at++)
        digits = digits * 10 + (uint64_t)(*at - '0');
    size_t whole = (size_t)(at - first);
    if (whole == 0 || (whole > 1 && *first == '0'))
        return false;
    uint32_t fraction = 0;
    if (at < end && *at == '.') {
        const char *point = at++;
        for (; at < end && (unsigned char)(*at - '0') <= 9; at++)
            digits = digits * 10 + (uint64_t)(*at - '0');
        fraction = (uint32_t)(at - point - 1);
        if (fraction == 0)
            return false;
    }
    if (at != end || whole + fraction > 18)
        return false;
    *ret_negative = negative;
    *ret_digits = digits;
    *ret_fraction = fraction;
    return true;
}

/* The type's value of a plain number, if it is as simple as that. */
static inline bool plain_value(struct base_str token, struct cep_type type, struct cep_value *ret)
{
    bool negative;
    uint64_t digits;
    uint32_t fraction;
    if (!plain_number(token, &negative, &digits, &fraction))
        return false;
    switch ((enum cep_kind)type.kind) {
    case CEP_KIND_INT:
    case CEP_KIND_BIGINT: {
        int64_t value = negative ? -(int64_t)digits : (int64_t)digits;
        if (fraction != 0 || (type.kind == CEP_KIND_INT && (value < INT32_MIN || value > INT32_MAX)))
            return false;
        *ret = cep_int(value);
        return true;
    }
    case CEP_KIND_DOUBLE: {
        if (digits >> 53 || (negative && digits == 0))
            return false;
        double value = (double)digits / (double)POWERS[fraction]; /* both exact: rounds right */
        *ret = cep_double(negative ? -value : value);
        return true;
    }
    case CEP_KIND_DECIMAL: {
        uint64_t value;
        if (fraction > type.scale || type.scale - fraction > 18 || __builtin_mul_overflow(digits, POWERS[type.scale - fraction], &value) || value >> 63)
            return false;
        if (type.precision < 19 && value >= POWERS[type.precision])
            return false;
        *ret = cep_dec(negative ? -(int64_t)value : (int64_t)value);
        return true;
    }
    case CEP_KIND_NULL:
    case CEP_KIND_BOOLEAN:
    case CEP_KIND_STRING:
    case CEP_KIND_DATE:
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH:
    case CEP_KIND_ARRAY:
    case CEP_KIND_ROW:
    case CEP_KIND_TIME:
    case CEP_KIND_BYTES:
        return false;
    }
    return false;
}

/* Numbers are no dates, clocks, bytes: those would need a unit that nobody wrote. */
static bool takes_numbers(uint8_t kind)
{
    return cep_kind_is_number(kind) || cep_kind_is_time(kind) || kind == CEP_KIND_STRING || kind == CEP_KIND_BOOLEAN;
}

static int number_value(struct formats_json_walk *w, uint32_t f, struct cep_type type, uint32_t i, struct cep_value *ret)
{
    struct base_str token = formats_json_token(w, i);
    if (plain_value(token, type, ret))
        return 0;
    if (!formats_number_valid(token.ptr, token.len))
        return formats_json_bad(w, i, "a value");
    if (!takes_numbers(type.kind))
        return formats_problem_value(w->decoder, BASE_E_CAST, f, w->at[i] - w->begin, token);
    int r;
    if (cep_kind_is_time(type.kind)) {
        int64_t ms;
        r = formats_time_number(&w->decoder->times, token, &ms) ? 0 : BASE_E_CAST;
        if (r == 0)
            *ret = cep_int(ms);
    } else {
        r = formats_text_value(&w->decoder->times, type, token, w->arena, ret);
    }
    return r < 0 ? formats_problem_value(w->decoder, r, f, w->at[i] - w->begin, token) : 0;
}

static int string_value(struct formats_json_walk *w, uint32_t f, struct cep_type type, uint32_t i, struct cep_value *ret)
{
    struct base_str text;
    int64_t ms;
    int r = BASE_LIKELY(formats_json_plain_string(w, i, &text)) ? 0 : formats_json_string(w, i, &text);
    if (r < 0)
        return r;
    if (type.kind == CEP_KIND_STRING) {
        *ret = cep_string(text.ptr, text.len);
        return 0;
    }
    if (cep_kind_is_time(type.kind) && formats_time_text(&w->decoder->times, text.ptr, text.len, &ms)) {
        *ret = cep_int(ms);
        return 0;
    }
    if (type.kind == CEP_KIND_ROW)
        r = BASE_E_CAST;
    else
        r = formats_text_value(&w->decoder->times, type, text, w->arena, ret);
    return r < 0 ? formats_problem_value(w->decoder, r, f, w->at[i] - w->begin, formats_json_token(w, i)) : 0;
}

static int literal_value(struct formats_json_walk *w, uint32_t f, struct cep_type type, uint32_t i, struct cep_value *ret)
{
    struct base_str token = formats_json_token(w, i);
    bool yes = base_str_equal(token, BASE_STR("true"));
    if (base_str_equal(token, BASE_STR("null"))) {
        *ret = cep_null();
        return 0;
    }
    if (!yes && !base_str_equal(token, BASE_STR("false")))
        return formats_json_bad(w, i, "a value");
    if (type.kind == CEP_KIND_STRING)
        *ret = cep_string(token.ptr, token.len);
    else if (type.kind == CEP_KIND_BOOLEAN)
        *ret = cep_int(yes);
    else
        return formats_problem_value(w->decoder, BASE_E_CAST, f, w->at[i] - w->begin, token);
    return 0;
}

/* Objects and arrays as they stand, for STRING and ROW columns. */
static int raw_value(struct formats_json_walk *w, uint32_t f, struct cep_type type, uint32_t i, uint32_t *ret_next, struct cep_value *ret)
{
    uint32_t next;
    int r = formats_json_check(w, i, &next);
    if (r < 0)
        return r;
    struct base_str text = { w->buf + w->at[i], w->at[next - 1] + 1 - w->at[i] };
    if (type.kind != CEP_KIND_STRING && (type.kind != CEP_KIND_ROW || text.ptr[0] != '{'))
        return formats_problem_value(w->decoder, BASE_E_CAST, f, w->at[i] - w->begin, text);
    *ret = cep_string(text.ptr, text.len);
    *ret_next = next;
    return 0;
}

static int array_elements(struct formats_json_walk *w, uint32_t f, struct cep_type element, uint32_t *inout_i)
{
    uint32_t i = *inout_i + 1, count = 0;
    base_buf_clear(w->packed);
    base_buf_put_u32(w->packed, 0);
    bool empty = w->at[i] < w->end && w->buf[w->at[i]] == ']';
    i += empty;
    while (!empty) {
        struct cep_value value;
        int r = formats_json_value(w, f, element, i, &i, &value);
        if (r < 0)
            return r;
        formats_pack_element(w->packed, element, value);
        count++;
        if (w->at[i] >= w->end)
            return formats_json_bad(w, i, "']'");
        char c = w->buf[w->at[i++]];
        if (c == ']')
            break;
        if (c != ',')
            return formats_json_bad(w, i - 1, "',' or ']'");
    }
    if (w->packed->failed)
        return BASE_E_NOMEM;
    memcpy(w->packed->ptr, &count, sizeof count);
    *inout_i = i;
    return 0;
}

static int array_value(struct formats_json_walk *w, uint32_t f, struct cep_type type, uint32_t i, uint32_t *ret_next, struct cep_value *ret)
{
    struct cep_type element = { .kind = type.element, .precision = type.element_precision, .scale = type.element_scale };
    int r = array_elements(w, f, element, &i);
    if (r < 0)
        return r;
    char *copy = base_arena_strndup(w->arena, w->packed->ptr, w->packed->len);
    if (!copy)
        return BASE_E_NOMEM;
    *ret = cep_string(copy, w->packed->len);
    *ret_next = i;
    return 0;
}

int formats_json_value(struct formats_json_walk *w, uint32_t f, struct cep_type type, uint32_t i, uint32_t *ret_next, struct cep_value *ret)
{
    if (w->at[i] >= w->end)
        return formats_json_bad(w, i, "a value");
    *ret_next = i + 1;
    switch (w->buf[w->at[i]]) {
    case '"':
        return string_value(w, f, type, i, ret);
    case '{':
        return raw_value(w, f, type, i, ret_next, ret);
    case '[':
        if (type.kind == CEP_KIND_ARRAY)
            return array_value(w, f, type, i, ret_next, ret);
        return raw_value(w, f, type, i, ret_next, ret);
    case 't':
    case 'f':
    case 'n':
        return literal_value(w, f, type, i, ret);
    default:
        return number_value(w, f, type, i, ret);
    }
}
