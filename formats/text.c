#include "formats/text.h"

#include <math.h>
#include <string.h>
#include "base/error.h"
#include "base/time.h"

#define DAY_MS INT64_C(86400000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool formats_time_form_parse(struct base_str text, enum formats_time_form *ret)
{
    static const struct { const char *name; enum formats_time_form form; } forms[] = {
        { "auto", FORMATS_TIME_AUTO },         { "sql", FORMATS_TIME_SQL },           { "iso-8601", FORMATS_TIME_ISO },
        { "epoch-s", FORMATS_TIME_EPOCH_S },   { "epoch-ms", FORMATS_TIME_EPOCH_MS }, { "epoch-us", FORMATS_TIME_EPOCH_US },
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (base_str_equal_fold(text, base_str_of(forms[i].name))) {
            *ret = forms[i].form;
            return true;
        }
    }
    return false;
}

/* Two digits, or a value over 99. */
static inline uint32_t two(const char *p)
{
    uint32_t tens = (uint32_t)(unsigned char)p[0] - '0', ones = (uint32_t)(unsigned char)p[1] - '0';
    return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

/* "hh:mm:ss[.fraction]" to ms; returns bytes read, 0 if it is none. */
static size_t clock_text(const char *p, size_t len, int64_t *ret_ms)
{
    if (len < 8 || p[2] != ':' || p[5] != ':')
        return 0;
    uint32_t hour = two(p), minute = two(p + 3), second = two(p + 6);
    if (hour > 23 || minute > 59 || second > 59)
        return 0;
    int64_t ms = ((int64_t)hour * 60 + minute) * 60000 + second * 1000;
    size_t at = 8;
    if (at < len && p[at] == '.') {
        static const int weight[] = { 100, 10, 1 };
        size_t first = ++at;
        for (; at < len && is_digit(p[at]); at++)
            ms += at - first < 3 ? (p[at] - '0') * weight[at - first] : 0;
        if (at == first)
            return 0;
    }
    *ret_ms = ms;
    return at;
}

static bool all_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]))
            return false;
    }
    return len > 0;
}

/* "hh:mm:ss.mmmZ", read eight bytes at once. False: look closer. */
static inline bool usual_clock(const char *text, int64_t *ret_ms)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t eight;
    memcpy(&eight, text, sizeof eight);
    eight ^= UINT64_C(0x30303a30303a3030); /* digits become their values, colons 0 */
    uint32_t tenths = (unsigned char)text[9] - (uint32_t)'0', hundredths = (unsigned char)text[10] - (uint32_t)'0', thousandths = (unsigned char)text[11] - (uint32_t)'0';
    /* What is too large reaches the high bit of its byte. */
    uint64_t bad = ((eight + UINT64_C(0x76767f76767f7676)) | eight) & UINT64_C(0x8080808080808080);
    uint64_t pairs = eight * 10 + (eight >> 8);
    uint32_t hour = pairs & 0xff, minute = (pairs >> 24) & 0xff, second = (pairs >> 48) & 0xff;
    if (bad != 0 || text[8] != '.' || text[12] != 'Z' || tenths > 9 || hundredths > 9 || thousandths > 9 || hour > 23 || minute > 59 || second > 59)
        return false;
    *ret_ms = (int64_t)((hour * 60 + minute) * 60 + second) * 1000 + (int64_t)(tenths * 100 + hundredths * 10 + thousandths);
    return true;
#else
    (void)text, (void)ret_ms;
    return false;
#endif
}

static inline bool same_date(const char *a, const char *b)
{
    uint64_t x, y;
    uint16_t v, w;
    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    memcpy(&v, a + 8, 2);
    memcpy(&w, b + 8, 2);
    return ((x ^ y) | (uint64_t)(v ^ w)) == 0;
}

/* The usual form, with a date that was seen before. */
static inline bool known_date(struct formats_times *times, const char *text, size_t len, int64_t *ret_ms)
{
    if (!times->known || len < 19 || !same_date(text, times->date) || (text[10] != 'T' && text[10] != ' '))
        return false;
    int64_t clock_ms;
    if (len == 24 && usual_clock(text + 11, &clock_ms)) {
        *ret_ms = times->date_ms + clock_ms;
        return true;
    }
    size_t used = clock_text(text + 11, len - 11, &clock_ms);
    if (used == 0)
        return false;
    used += 11;
    if (used < len && (text[used] != 'Z' || used + 1 != len))
        return false;
    *ret_ms = times->date_ms + clock_ms;
    return true;
}

bool formats_time_usual(const struct formats_times *times, const char *text, int64_t *ret_ms)
{
    int64_t clock_ms;
    if (times->form != FORMATS_TIME_AUTO || !times->known || !same_date(text, times->date) || (text[10] != 'T' && text[10] != ' ') || !usual_clock(text + 11, &clock_ms))
        return false;
    *ret_ms = times->date_ms + clock_ms;
    return true;
}

static bool form_allows(const struct formats_times *times, const char *text, size_t len)
{
    switch (times->form) {
    case FORMATS_TIME_AUTO:
        return true;
    case FORMATS_TIME_SQL:
        return len < 11 || text[10] == ' ';
    case FORMATS_TIME_ISO:
        return len < 11 || text[10] == 'T';
    case FORMATS_TIME_EPOCH_S:
    case FORMATS_TIME_EPOCH_MS:
    case FORMATS_TIME_EPOCH_US:
        return false;
    }
    return false;
}

bool formats_time_text(struct formats_times *times, const char *text, size_t len, int64_t *ret_ms)
{
    if (times->form == FORMATS_TIME_AUTO && known_date(times, text, len, ret_ms))
        return true;
    struct base_str trimmed = base_str_trim((struct base_str){ text, len });
    text = trimmed.ptr;
    len = trimmed.len;
    size_t sign = len > 1 && text[0] == '-';
    if ((times->form == FORMATS_TIME_AUTO || times->form >= FORMATS_TIME_EPOCH_S) && len > 0 && all_digits(text + sign, len - sign))
        return formats_time_number(times, trimmed, ret_ms);
    if (len == 0 || !form_allows(times, text, len) || !base_time_parse(text, len, ret_ms, NULL))
        return false;
    int32_t days;
    if (len >= 10 && base_date_parse(text, 10, &days)) {
        memcpy(times->date, text, 10);
        times->date_ms = days * DAY_MS;
        times->known = true;
    }
    return true;
}

bool formats_time_number(const struct formats_times *times, struct base_str token, int64_t *ret_ms)
{
    int64_t number, fraction = 0, scaled;
    const char *dot = token.len ? memchr(token.ptr, '.', token.len) : NULL;
    if (dot && !memchr(token.ptr, 'e', token.len) && !memchr(token.ptr, 'E', token.len)) {
        /* Seconds with a fraction, as Python's and PostgreSQL's clocks give them; beyond milliseconds it is cut. */
        size_t digits = token.len - (size_t)(dot - token.ptr) - 1;
        static const int weight[] = { 100, 10, 1 };
        if (!all_digits(dot + 1, digits))
            return false;
        for (size_t i = 0; i < digits && i < 3; i++)
            fraction += (dot[1 + i] - '0') * weight[i];
        token.len = (size_t)(dot - token.ptr);
    }
    if (formats_number_i64(token, &number) < 0)
        return false;
    bool seconds = times->form == FORMATS_TIME_EPOCH_S ||
                   (times->form == FORMATS_TIME_AUTO && number < INT64_C(100000000000) && number > -INT64_C(100000000000));
    if (seconds) {
        if (__builtin_mul_overflow(number, 1000, &scaled))
            return false;
        return !__builtin_add_overflow(scaled, token.len && token.ptr[0] == '-' ? -fraction : fraction, ret_ms);
    }
    switch (times->form) {
    case FORMATS_TIME_AUTO:
        *ret_ms = base_time_from_epoch(number);
        return true;
    case FORMATS_TIME_EPOCH_MS:
        *ret_ms = number;
        return true;
    case FORMATS_TIME_EPOCH_US:
        *ret_ms = number / 1000 - (number % 1000 < 0);
        return true;
    case FORMATS_TIME_EPOCH_S:
    case FORMATS_TIME_SQL:
    case FORMATS_TIME_ISO:
        return false;
    }
    return false;
}

/* A number's parts: digits before and behind the point, and the exponent (clamped far outside of every type). */
struct parts {
    bool negative;
    const char *whole, *fraction;
    size_t whole_len, fraction_len;
    int32_t exponent;
};

static bool split_exponent(const char *at, const char *end, int32_t *ret)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return false;
    int32_t value = 0;
    for (; at < end; at++) {
        if (!is_digit(*at))
            return false;
        if (value < 1000000)
            value = value * 10 + (*at - '0');
    }
    *ret = negative ? -value : value;
    return true;
}

static bool split_number(struct base_str text, struct parts *ret)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    struct parts parts = { 0 };
    if (at < end && (*at == '-' || *at == '+'))
        parts.negative = *at++ == '-';
    parts.whole = at;
    while (at < end && is_digit(*at))
        at++;
    parts.whole_len = (size_t)(at - parts.whole);
    if (at < end && *at == '.') {
        parts.fraction = ++at;
        while (at < end && is_digit(*at))
            at++;
        parts.fraction_len = (size_t)(at - parts.fraction);
    }
    if (parts.whole_len + parts.fraction_len == 0)
        return false;
    if (at < end) {
        if ((*at != 'e' && *at != 'E') || !split_exponent(at + 1, end, &parts.exponent))
            return false;
    }
    *ret = parts;
    return true;
}

bool formats_number_valid(const char *text, size_t len)
{
    struct parts parts;
    if (len == 0 || text[0] == '+' || !split_number((struct base_str){ text, len }, &parts))
        return false;
    if (parts.whole_len == 0 || (parts.whole_len > 1 && parts.whole[0] == '0'))
        return false;
    return !parts.fraction || parts.fraction_len > 0;
}

static char digit_at(const struct parts *parts, size_t i)
{
    return i < parts->whole_len ? parts->whole[i] : parts->fraction[i - parts->whole_len];
}

int formats_number_i64(struct base_str text, int64_t *ret)
{
    struct parts parts;
    if (!split_number(text, &parts))
        return BASE_E_CAST;
    size_t digits = parts.whole_len + parts.fraction_len;
    int64_t point = (int64_t)parts.whole_len + parts.exponent;
    uint64_t value = 0;
    bool overflow = false;
    for (size_t i = 0; i < digits; i++) {
        char c = digit_at(&parts, i);
        if ((int64_t)i >= point) {
            if (c != '0')
                return BASE_E_CAST;
        } else if (__builtin_mul_overflow(value, (uint64_t)10, &value) || __builtin_add_overflow(value, (uint64_t)(c - '0'), &value)) {
            overflow = true;
        }
    }
    for (int64_t i = (int64_t)digits; i < point && value != 0 && !overflow; i++)
        overflow = __builtin_mul_overflow(value, (uint64_t)10, &value);
    if (overflow || value > (uint64_t)INT64_MAX + parts.negative)
        return BASE_E_OVERFLOW;
    *ret = parts.negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

int formats_number_double(struct base_str text, double *ret)
{
    struct parts parts;
    if (split_number(text, &parts))
        return base_str_to_double(text, ret) ? 0 : BASE_E_OVERFLOW;
    bool negative = text.len && text.ptr[0] == '-';
    struct base_str word = { text.ptr + negative, text.len - negative };
    if (base_str_equal_fold(word, BASE_STR("infinity")) || base_str_equal_fold(word, BASE_STR("inf")))
        *ret = negative ? -INFINITY : INFINITY;
    else if (base_str_equal_fold(word, BASE_STR("nan")) && !negative)
        *ret = NAN;
    else
        return BASE_E_CAST;
    return 0;
}

int formats_number_decimal(struct base_str text, struct cep_type type, struct cep_value *ret)
{
    static const uint64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
                                       1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
                                       1000000000000000000 };
    struct parts parts;
    if (!split_number(text, &parts))
        return BASE_E_CAST;
    size_t digits = parts.whole_len + parts.fraction_len;
    if (parts.exponent == 0 && parts.fraction_len <= type.scale && digits + type.scale - parts.fraction_len <= 18) {
        uint64_t value = 0;
        for (size_t i = 0; i < digits; i++)
            value = value * 10 + (uint64_t)(digit_at(&parts, i) - '0');
        value *= powers[type.scale - parts.fraction_len];
        if (type.precision < 19 && value >= powers[type.precision])
            return BASE_E_OVERFLOW;
        *ret = cep_dec(parts.negative ? -(int64_t)value : (int64_t)value);
        return 0;
    }
    if (text.ptr[0] == '+')
        text = (struct base_str){ text.ptr + 1, text.len - 1 };
    cep_int128 wide;
    int r = cep_decimal_parse(text, type, &wide);
    if (r < 0)
        return r;
    *ret = cep_dec(wide);
    return 0;
}

static int boolean_text(struct base_str text, struct cep_value *ret)
{
    bool yes = base_str_equal_fold(text, BASE_STR("true")) || base_str_equal(text, BASE_STR("1"));
    if (!yes && !base_str_equal_fold(text, BASE_STR("false")) && !base_str_equal(text, BASE_STR("0")))
        return BASE_E_CAST;
    *ret = cep_int(yes);
    return 0;
}

static int integer_text(struct base_str text, bool narrow, struct cep_value *ret)
{
    int64_t value;
    int r = formats_number_i64(text, &value);
    if (r < 0)
        return r;
    if (narrow && (value < INT32_MIN || value > INT32_MAX))
        return BASE_E_OVERFLOW;
    *ret = cep_int(value);
    return 0;
}

static int clock_value(struct base_str text, struct cep_value *ret)
{
    int64_t ms;
    size_t used = clock_text(text.ptr, text.len, &ms);
    if (used == 0 || (used != text.len && !(used + 1 == text.len && text.ptr[used] == 'Z')))
        return BASE_E_CAST;
    *ret = cep_int(ms);
    return 0;
}

int formats_text_value(struct formats_times *times, struct cep_type type, struct base_str text, struct base_arena *arena, struct cep_value *ret)
{
    struct base_str trimmed = base_str_trim(text);
    switch ((enum cep_kind)type.kind) {
    case CEP_KIND_STRING:
    case CEP_KIND_ROW:
        *ret = cep_string(text.ptr, text.len);
        return 0;
    case CEP_KIND_BOOLEAN:
        return boolean_text(trimmed, ret);
    case CEP_KIND_INT:
        return integer_text(trimmed, true, ret);
    case CEP_KIND_BIGINT:
        return integer_text(trimmed, false, ret);
    case CEP_KIND_DOUBLE: {
        double value;
        int r = formats_number_double(trimmed, &value);
        if (r == 0)
            *ret = cep_double(value);
        return r;
    }
    case CEP_KIND_DECIMAL:
        return formats_number_decimal(trimmed, type, ret);
    case CEP_KIND_DATE: {
        int32_t days;
        if (!base_date_parse(trimmed.ptr, trimmed.len, &days))
            return BASE_E_CAST;
        *ret = cep_int(days);
        return 0;
    }
    case CEP_KIND_TIMESTAMP:
    case CEP_KIND_TIMESTAMP_LTZ: {
        int64_t ms;
        if (!formats_time_text(times, text.ptr, text.len, &ms))
            return BASE_E_CAST;
        *ret = cep_int(ms);
        return 0;
    }
    case CEP_KIND_TIME:
        return clock_value(trimmed, ret);
    case CEP_KIND_BYTES: {
        struct base_str bytes;
        int r = formats_base64_decode(trimmed, arena, &bytes);
        if (r == 0)
            *ret = cep_string(bytes.ptr, bytes.len);
        return r;
    }
    case CEP_KIND_NULL:
    case CEP_KIND_INTERVAL_DAY:
    case CEP_KIND_INTERVAL_MONTH:
    case CEP_KIND_ARRAY:
        return BASE_E_CAST;
    }
    return BASE_E_CAST;
}

void formats_pack_element(struct base_buf *out, struct cep_type type, struct cep_value value)
{
    if (value.null) {
        base_buf_put_u32(out, UINT32_MAX);
    } else if (cep_kind_is_text(type.kind)) {
        base_buf_put_u32(out, (uint32_t)value.s.len);
        base_buf_put(out, value.s.ptr, value.s.len);
    } else if (type.kind == CEP_KIND_DECIMAL) {
        base_buf_put_u32(out, 16);
        base_buf_put(out, &value.dec, 16);
    } else {
        base_buf_put_u32(out, 8);
        base_buf_put(out, &value.i, 8);
    }
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int formats_base64_decode(struct base_str text, struct base_arena *arena, struct base_str *ret)
{
    while (text.len && text.ptr[text.len - 1] == '=')
        text.len--;
    if (text.len % 4 == 1)
        return BASE_E_CAST;
    char *out = base_arena_alloc(arena, text.len / 4 * 3 + 3);
    if (!out)
        return BASE_E_NOMEM;
    size_t len = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return BASE_E_CAST;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            out[len++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    *ret = (struct base_str){ out, len };
    return 0;
}

void formats_base64_encode(struct base_str bytes, struct base_buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t bits = 0;
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < have ? (uint8_t)bytes.ptr[i + k] : 0);
        char four[4] = { digits[bits >> 18 & 63], digits[bits >> 12 & 63], digits[bits >> 6 & 63], digits[bits & 63] };
        for (size_t k = have + 1; k < 4; k++)
            four[k] = '=';
        base_buf_put(out, four, 4);
    }
}
