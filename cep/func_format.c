#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "cep/calendar.h"
#include "cep/func_rules.h"
#include "cep/func_tables.h"
#include "cep/text.h"

/* Timestamps from and to text by Java's pattern letters: y u M d H h m s S a E X, text in single quotes, '' for a
 * quote. UTC. Text that does not fit the pattern gives NULL, as in Flink; a pattern with other letters is an error. */

static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December" };
static const char *const weekdays[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" };
static const struct base_str default_pattern = { "yyyy-MM-dd HH:mm:ss", 19 };

/* One element of a pattern: a run of one letter, or literal text (letter 0). */
struct element {
    char letter;
    size_t count;         /* of the letter */
    struct base_str text; /* literal */
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* false at the end or at an unclosed quote. */
static bool next_element(struct base_str pattern, size_t *at, struct element *ret)
{
    if (*at >= pattern.len)
        return false;
    const char *p = pattern.ptr + *at;
    size_t left = pattern.len - *at, n = 1;
    *ret = (struct element){ 0 };
    if (is_letter(*p)) {
        while (n < left && p[n] == *p)
            n++;
        ret->letter = *p;
        ret->count = n;
    } else if (*p == '\'') {
        while (n < left && p[n] != '\'')
            n++;
        if (n == left)
            return false;
        ret->text = n == 1 ? (struct base_str){ p, 1 } : (struct base_str){ p + 1, n - 1 };
        n++;
    } else {
        while (n < left && !is_letter(p[n]) && p[n] != '\'')
            n++;
        ret->text = (struct base_str){ p, n };
    }
    *at += n;
    return true;
}

static bool pattern_good(struct base_str pattern)
{
    struct element element;
    size_t at = 0;
    while (next_element(pattern, &at, &element))
        if (element.letter && !strchr("yuMdHhmsSaEX", element.letter))
            return false;
    return at == pattern.len;
}

static int check_pattern(const struct cep_value *constants, const bool *constant, uint32_t n, struct base_arena *arena BASE_UNUSED,
                         const char **ret_error, void **ret)
{
    *ret = NULL;
    if (n < 2 || !constant[1] || constants[1].null ||
        pattern_good((struct base_str){ constants[1].s.ptr, constants[1].s.len }))
        return 0;
    *ret_error =
        "the pattern may hold the letters y u M d H h m s S a E X, other characters, and text in single quotes";
    return BASE_E_INVALID;
}

/* ---- printing ---- */

static void put_fraction(int milli, size_t digits, struct base_buf *out)
{
    char text[3] = { (char)('0' + milli / 100), (char)('0' + milli / 10 % 10), (char)('0' + milli % 10) };
    for (size_t i = 0; i < digits && i < 9; i++)
        base_buf_putc(out, i < 3 ? text[i] : '0');
}

static void put_name(const char *name, size_t count, struct base_buf *out)
{
    base_buf_put(out, name, count <= 3 ? 3 : strlen(name));
}

static void put_element(const struct element *e, const struct base_civil *c, int weekday, struct base_buf *out)
{
    int width = (int)(e->count < 9 ? e->count : 9), half = c->hour % 12;
    switch (e->letter) {
    case 'y':
    case 'u':
        base_buf_printf(out, "%0*d", width == 2 ? 2 : width, width == 2 ? (c->year % 100 + 100) % 100 : c->year);
        break;
    case 'M':
        if (e->count > 2)
            put_name(months[c->month - 1], e->count, out);
        else
            base_buf_printf(out, "%0*d", width, c->month);
        break;
    case 'd': base_buf_printf(out, "%0*d", width, c->day); break;
    case 'H': base_buf_printf(out, "%0*d", width, c->hour); break;
    case 'h': base_buf_printf(out, "%0*d", width, half ? half : 12); break;
    case 'm': base_buf_printf(out, "%0*d", width, c->minute); break;
    case 's': base_buf_printf(out, "%0*d", width, c->second); break;
    case 'S': put_fraction(c->milli, e->count, out); break;
    case 'a': base_buf_puts(out, c->hour < 12 ? "AM" : "PM"); break;
    case 'E': put_name(weekdays[weekday], e->count, out); break;
    case 'X': base_buf_putc(out, 'Z'); break;
    default: base_buf_put_str(out, e->text); break;
    }
}

static int format_ms(int64_t ms, struct base_str pattern, struct base_arena *arena, struct cep_value *ret)
{
    struct base_civil civil;
    struct element element;
    struct base_buf buf = { .limit = 65536 };
    size_t at = 0;
    if (!pattern_good(pattern))
        return BASE_E_INVALID;
    base_time_to_civil(ms, &civil);
    int64_t weekday = (cep_floor_div(ms, CEP_DAY_MS) + 3) % 7;
    while (next_element(pattern, &at, &element))
        put_element(&element, &civil, (int)(weekday < 0 ? weekday + 7 : weekday), &buf);
    return cep_text_take(&buf, arena, ret);
}

/* ---- reading ---- */

struct moment {
    struct base_civil civil;
    int64_t zone_ms;
    bool afternoon, half; /* a and h were read */
};

static bool digits(struct base_str text, size_t *at, size_t least, size_t most, int64_t *ret, size_t *ret_count)
{
    size_t n = 0;
    int64_t value = 0;
    while (n < most && *at + n < text.len && text.ptr[*at + n] >= '0' && text.ptr[*at + n] <= '9')
        value = value * 10 + (text.ptr[*at + n++] - '0');
    if (n < least)
        return false;
    *at += n;
    *ret = value;
    *ret_count = n;
    return true;
}

static bool name_index(struct base_str text, size_t *at, const char *const *names, int count, bool full, int *ret)
{
    for (int i = 0; i < count; i++) {
        struct base_str name = { names[i], full ? strlen(names[i]) : 3 };
        if (text.len - *at >= name.len && base_str_equal_fold((struct base_str){ text.ptr + *at, name.len }, name)) {
            *at += name.len;
            *ret = i;
            return true;
        }
    }
    return false;
}

/* "Z", "+hh", "+hhmm", "+hh:mm" */
static bool read_zone(struct base_str text, size_t *at, int64_t *ret_ms)
{
    int64_t hour = 0, minute = 0;
    size_t n;
    if (*at < text.len && (text.ptr[*at] == 'Z' || text.ptr[*at] == 'z')) {
        (*at)++;
        return true;
    }
    if (*at >= text.len || (text.ptr[*at] != '+' && text.ptr[*at] != '-'))
        return false;
    bool negative = text.ptr[(*at)++] == '-';
    if (!digits(text, at, 2, 2, &hour, &n))
        return false;
    bool colon = *at < text.len && text.ptr[*at] == ':';
    *at += colon;
    if (!digits(text, at, colon ? 2 : 0, 2, &minute, &n) || n == 1 || hour > 18 || minute > 59)
        return false;
    *ret_ms = (hour * 60 + minute) * (negative ? -60000 : 60000);
    return true;
}

static bool read_number(const struct element *e, struct base_str text, size_t *at, bool followed, struct moment *m)
{
    int64_t n = 0;
    size_t count = 0;
    /* Letters that stand side by side (yyyyMMdd) take just their own width. */
    size_t most = followed ? e->count : e->letter == 'y' || e->letter == 'u' || e->letter == 'S' ? 9 : 2;
    if (!digits(text, at, e->count == 1 || !followed ? 1 : e->count, most > e->count ? most : e->count, &n, &count))
        return false;
    if (e->letter != 'S' && e->letter != 'y' && e->letter != 'u' && n > 59)
        return false;
    switch (e->letter) {
    case 'y':
    case 'u': m->civil.year = (int32_t)(e->count == 2 && count == 2 ? 2000 + n : n); return true;
    case 'M': m->civil.month = (int8_t)n; return n >= 1 && n <= 12;
    case 'd': m->civil.day = (int8_t)n; return n >= 1 && n <= 31;
    case 'H': m->civil.hour = (int8_t)n; return n <= 23;
    case 'h':
        m->civil.hour = (int8_t)(n % 12);
        m->half = true;
        return n >= 1 && n <= 12;
    case 'm': m->civil.minute = (int8_t)n; return true;
    case 's': m->civil.second = (int8_t)n; return true;
    default: /* S: a fraction; digits beyond milliseconds are cut */
        for (; count < 3; count++)
            n *= 10;
        for (; count > 3; count--)
            n /= 10;
        m->civil.milli = (int16_t)n;
        return true;
    }
}

static bool read_element(const struct element *e, struct base_str text, size_t *at, bool followed, struct moment *m)
{
    int index = 0;
    if (!e->letter) {
        if (text.len - *at < e->text.len || memcmp(text.ptr + *at, e->text.ptr, e->text.len) != 0)
            return false;
        *at += e->text.len;
        return true;
    }
    if (e->letter == 'X')
        return read_zone(text, at, &m->zone_ms);
    if (e->letter == 'E')
        return name_index(text, at, weekdays, 7, e->count > 3, &index);
    if (e->letter == 'a') {
        static const char *const halves[] = { "AM ", "PM " };
        struct base_str two = { text.ptr + *at, 2 };
        if (text.len - *at < 2)
            return false;
        for (index = 0; index < 2 && !base_str_equal_fold(two, (struct base_str){ halves[index], 2 });)
            index++;
        *at += 2;
        m->afternoon = index == 1;
        return index < 2;
    }
    if (e->letter == 'M' && e->count > 2) {
        bool good = name_index(text, at, months, 12, e->count > 3, &index);
        m->civil.month = (int8_t)(index + 1);
        return good;
    }
    return read_number(e, text, at, followed, m);
}

/* false: the text does not fit. */
static bool parse_ms(struct base_str text, struct base_str pattern, int64_t *ret)
{
    struct moment m = { .civil = { .year = 1970, .month = 1, .day = 1 } };
    struct element element, next;
    size_t at = 0, in = 0;
    text = base_str_trim(text);
    while (next_element(pattern, &at, &element)) {
        size_t behind = at;
        bool followed = next_element(pattern, &behind, &next) && next.letter != 0;
        if (!read_element(&element, text, &in, followed, &m))
            return false;
    }
    if (in != text.len || m.civil.day > cep_days_in_month(m.civil.year, m.civil.month))
        return false;
    if (m.half && m.afternoon)
        m.civil.hour = (int8_t)(m.civil.hour + 12);
    return !__builtin_sub_overflow(base_time_from_civil(&m.civil), m.zone_ms, ret);
}

/* ---- the functions ---- */

CEP_RULE(strings_timestamp, "SS", 't')
CEP_RULE(strings_date, "SS", 'd')
CEP_RULE(long_pattern, "LS", 'S')
CEP_RULE(long_precision, "LL", 'z')

static bool rule_date_format(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    return cep_func_signature(args[0].kind == CEP_KIND_STRING ? "SS" : "TS", 'S', args, n, want, ret);
}

static bool rule_unix(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    return cep_func_signature(args[0].kind == CEP_KIND_STRING ? "SS" : "T", 'L', args, n, want, ret);
}

/* 1: read, 0: the text gives NULL, negative: the pattern is wrong. */
static int read_text(const struct cep_call *call, const struct cep_value *args, int64_t *ret)
{
    struct base_str text = { args[0].s.ptr, args[0].s.len };
    if (call->args < 2) {
        text = base_str_trim(text);
        return base_time_parse(text.ptr, text.len, ret, NULL);
    }
    struct base_str pattern = { args[1].s.ptr, args[1].s.len };
    return pattern_good(pattern) ? parse_ms(text, pattern, ret) : BASE_E_INVALID;
}

static int run_to_timestamp(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    int64_t ms = 0;
    int got = read_text(call, args, &ms);
    *ret = got > 0 ? cep_int(ms) : cep_null();
    return got < 0 ? got : 0;
}

static int run_to_date(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    int64_t ms = 0;
    int got = read_text(call, args, &ms);
    *ret = got > 0 ? cep_int(cep_floor_div(ms, CEP_DAY_MS)) : cep_null();
    return got < 0 ? got : 0;
}

static int run_to_timestamp_ltz(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    int64_t precision = call->args > 1 ? args[1].i : 3, ms = args[0].i;
    if (precision != 0 && precision != 3)
        return BASE_E_INVALID;
    if (precision == 0 && __builtin_mul_overflow(ms, 1000, &ms))
        return BASE_E_OVERFLOW;
    *ret = cep_int(ms);
    return 0;
}

static int run_date_format(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    int64_t ms = args[0].i;
    struct base_str pattern = { args[1].s.ptr, args[1].s.len };
    *ret = cep_null();
    if (call->arg_types[0].kind == CEP_KIND_STRING) {
        struct base_str text = base_str_trim((struct base_str){ args[0].s.ptr, args[0].s.len });
        if (!base_time_parse(text.ptr, text.len, &ms, NULL))
            return 0;
    }
    return format_ms(ms, pattern, call->arena, ret);
}

static int run_unix_timestamp(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    int64_t ms = args[0].i;
    int got = call->arg_types[0].kind == CEP_KIND_STRING ? read_text(call, args, &ms) : 1;
    *ret = got > 0 ? cep_int(cep_floor_div(ms, 1000)) : cep_null();
    return got < 0 ? got : 0;
}

static int run_from_unixtime(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    int64_t ms;
    if (__builtin_mul_overflow(args[0].i, 1000, &ms))
        return BASE_E_OVERFLOW;
    struct base_str pattern = call->args > 1 ? (struct base_str){ args[1].s.ptr, args[1].s.len } : default_pattern;
    return format_ms(ms, pattern, call->arena, ret);
}

static const struct cep_func table[] = {
    { "TO_TIMESTAMP", 1, 2, 0, strings_timestamp, run_to_timestamp, check_pattern, NULL,
      "TO_TIMESTAMP(text[, pattern])",
      "The TIMESTAMP that the text spells, by default in SQL or ISO-8601 form; NULL if it spells none." },
    { "TO_TIMESTAMP_LTZ", 1, 2, 0, long_precision, run_to_timestamp_ltz, NULL, NULL, "TO_TIMESTAMP_LTZ(n[, precision])",
      "The TIMESTAMP_LTZ of n seconds (precision 0) or milliseconds (3) since 1970." },
    { "TO_DATE", 1, 2, 0, strings_date, run_to_date, check_pattern, NULL, "TO_DATE(text[, pattern])",
      "The DATE that the text spells; NULL if it spells none." },
    { "DATE_FORMAT", 2, 2, 0, rule_date_format, run_date_format, check_pattern, NULL, "DATE_FORMAT(timestamp, pattern)",
      "The timestamp by a pattern of Java's letters y M d H h m s S a E." },
    { "UNIX_TIMESTAMP", 1, 2, 0, rule_unix, run_unix_timestamp, check_pattern, NULL,
      "UNIX_TIMESTAMP(timestamp) or (text[, pattern])", "Seconds since 1970; NULL if the text spells no timestamp." },
    { "FROM_UNIXTIME", 1, 2, 0, long_pattern, run_from_unixtime, check_pattern, NULL,
      "FROM_UNIXTIME(seconds[, pattern])", "Seconds since 1970 as text, by default yyyy-MM-dd HH:mm:ss." },
};

struct cep_func_table cep_func_table_format(void)
{
    return (struct cep_func_table){ table, sizeof table / sizeof *table };
}
