#include "patterns/parse_type.h"

#define MAX_PRECISION 2147483647 /* the binder knows the bounds of each type */

bool patterns_parse_unit(struct patterns_cursor *c, bool interval, enum patterns_unit *ret)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    enum patterns_unit unit = PATTERNS_UNIT_NONE;
    if (token->kind == PATTERNS_TOKEN_WORD)
        unit = patterns_unit_of((struct base_str){ c->source->text + token->begin, token->end - token->begin });
    if (unit == PATTERNS_UNIT_NONE)
        return patterns_cursor_expected(c, "a unit of time",
                                        interval ? "units are YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND"
                                                 : "units are YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, ...");
    if (interval && unit > PATTERNS_UNIT_SECOND)
        return patterns_cursor_refuse(c, "syntax", token->begin, token->end,
                                      "write a fraction of a second: INTERVAL '0.005' SECOND",
                                      "an interval has no unit %s", patterns_unit_name(unit));
    patterns_cursor_skip(c, 1);
    *ret = unit;
    return true;
}

/* (n) or (n, m); -1 where nothing is written. */
static bool parse_precision(struct patterns_cursor *c, bool two, int32_t *ret_first, int32_t *ret_second)
{
    if (!patterns_cursor_accept(c, PATTERNS_TOKEN_OPEN))
        return true;
    uint32_t number = 0;
    if (!patterns_cursor_count(c, "a precision", MAX_PRECISION, &number))
        return false;
    *ret_first = (int32_t)number;
    if (two && patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA)) {
        if (!patterns_cursor_count(c, "a scale", MAX_PRECISION, &number))
            return false;
        *ret_second = (int32_t)number;
    }
    return patterns_cursor_expect(c, PATTERNS_TOKEN_CLOSE, "after the precision", NULL);
}

bool patterns_parse_interval_unit(struct patterns_cursor *c, struct patterns_interval *ret)
{
    uint32_t begin = patterns_cursor_begin(c);
    ret->precision = ret->fraction = -1;
    ret->to = PATTERNS_UNIT_NONE;
    if (!patterns_parse_unit(c, true, &ret->from) ||
        !parse_precision(c, ret->from == PATTERNS_UNIT_SECOND, &ret->precision, &ret->fraction))
        return false;
    /* Before the TO of FLOOR(x TO unit) an interval needs parentheses: its own TO is nearer. */
    const struct patterns_token *next = patterns_cursor_peek(c, 1);
    if (!patterns_cursor_is_word(c, PATTERNS_WORD_TO) || next->kind != PATTERNS_TOKEN_WORD)
        return true;
    patterns_cursor_skip(c, 1);
    if (!patterns_parse_unit(c, true, &ret->to))
        return false;
    bool months = ret->from == PATTERNS_UNIT_YEAR && ret->to == PATTERNS_UNIT_MONTH;
    bool days = ret->from >= PATTERNS_UNIT_DAY && ret->to > ret->from && ret->to <= PATTERNS_UNIT_SECOND;
    if (!months && !days)
        return patterns_cursor_refuse(c, "syntax", begin, patterns_cursor_last(c),
                                      "YEAR TO MONTH, or two of DAY, HOUR, MINUTE, SECOND in this order",
                                      "there is no interval %s TO %s", patterns_unit_name(ret->from),
                                      patterns_unit_name(ret->to));
    int32_t unused = -1;
    return ret->to != PATTERNS_UNIT_SECOND || parse_precision(c, false, &ret->fraction, &unused);
}

struct simple_type {
    enum patterns_word word;
    enum patterns_type_kind kind;
    uint8_t numbers; /* how many of (precision, scale) may follow */
};
static const struct simple_type simple_types[] = {
    { PATTERNS_WORD_STRING, PATTERNS_TYPE_STRING, 0 },
    { PATTERNS_WORD_VARCHAR, PATTERNS_TYPE_VARCHAR, 1 },
    { PATTERNS_WORD_CHAR, PATTERNS_TYPE_CHAR, 1 },
    { PATTERNS_WORD_CHARACTER, PATTERNS_TYPE_CHAR, 1 },
    { PATTERNS_WORD_BOOLEAN, PATTERNS_TYPE_BOOLEAN, 0 },
    { PATTERNS_WORD_TINYINT, PATTERNS_TYPE_TINYINT, 0 },
    { PATTERNS_WORD_SMALLINT, PATTERNS_TYPE_SMALLINT, 0 },
    { PATTERNS_WORD_INT, PATTERNS_TYPE_INT, 0 },
    { PATTERNS_WORD_INTEGER, PATTERNS_TYPE_INT, 0 },
    { PATTERNS_WORD_BIGINT, PATTERNS_TYPE_BIGINT, 0 },
    { PATTERNS_WORD_FLOAT, PATTERNS_TYPE_FLOAT, 0 },
    { PATTERNS_WORD_REAL, PATTERNS_TYPE_FLOAT, 0 },
    { PATTERNS_WORD_DOUBLE, PATTERNS_TYPE_DOUBLE, 0 },
    { PATTERNS_WORD_DECIMAL, PATTERNS_TYPE_DECIMAL, 2 },
    { PATTERNS_WORD_DEC, PATTERNS_TYPE_DECIMAL, 2 },
    { PATTERNS_WORD_NUMERIC, PATTERNS_TYPE_DECIMAL, 2 },
    { PATTERNS_WORD_DATE, PATTERNS_TYPE_DATE, 0 },
    { PATTERNS_WORD_TIME, PATTERNS_TYPE_TIME, 1 },
    { PATTERNS_WORD_TIMESTAMP, PATTERNS_TYPE_TIMESTAMP, 1 },
    { PATTERNS_WORD_TIMESTAMP_LTZ, PATTERNS_TYPE_TIMESTAMP_LTZ, 1 },
    { PATTERNS_WORD_BYTES, PATTERNS_TYPE_BYTES, 0 },
    { PATTERNS_WORD_BINARY, PATTERNS_TYPE_BYTES, 1 },
    { PATTERNS_WORD_VARBINARY, PATTERNS_TYPE_BYTES, 1 },
};
struct foreign_type {
    enum patterns_word word;
    const char *hint;
};
static const struct foreign_type foreign_types[] = {
    { PATTERNS_WORD_TEXT, "write STRING" },
    { PATTERNS_WORD_BOOL, "write BOOLEAN" },
    { PATTERNS_WORD_DATETIME, "write TIMESTAMP(3) or TIMESTAMP_LTZ(3)" },
};

/* TIMESTAMP(p) [WITH LOCAL TIME ZONE | WITHOUT TIME ZONE], TIME(p) [WITHOUT TIME ZONE] */
static bool parse_zone(struct patterns_cursor *c, struct patterns_type *type)
{
    uint32_t begin = patterns_cursor_begin(c);
    if (patterns_cursor_accept_word(c, PATTERNS_WORD_WITHOUT))
        return patterns_cursor_expect_word(c, PATTERNS_WORD_TIME, "after WITHOUT") &&
               patterns_cursor_expect_word(c, PATTERNS_WORD_ZONE, "after WITHOUT TIME");
    if (type->kind != PATTERNS_TYPE_TIMESTAMP || !patterns_cursor_is_word(c, PATTERNS_WORD_WITH))
        return true;
    if (patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_TIME) && patterns_cursor_ahead_word(c, 2, PATTERNS_WORD_ZONE))
        return patterns_cursor_refuse(c, "unsupported", begin, patterns_cursor_peek(c, 2)->end,
                                      "write TIMESTAMP_LTZ(3): an instant, shown in UTC",
                                      "TIMESTAMP WITH TIME ZONE is not supported");
    if (!patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_LOCAL))
        return true; /* the WITH of a statement */
    patterns_cursor_skip(c, 2);
    type->kind = PATTERNS_TYPE_TIMESTAMP_LTZ;
    return patterns_cursor_expect_word(c, PATTERNS_WORD_TIME, "after WITH LOCAL") &&
           patterns_cursor_expect_word(c, PATTERNS_WORD_ZONE, "after WITH LOCAL TIME");
}

static bool parse_simple(struct patterns_cursor *c, const struct simple_type *simple, struct patterns_type *type)
{
    type->kind = simple->kind;
    patterns_cursor_skip(c, 1);
    if (simple->word == PATTERNS_WORD_DOUBLE)
        (void)patterns_cursor_accept_word(c, PATTERNS_WORD_PRECISION);
    if (simple->numbers > 0 && !parse_precision(c, simple->numbers > 1, &type->precision, &type->scale))
        return false;
    if (type->kind == PATTERNS_TYPE_VARCHAR && type->precision < 0)
        type->kind = PATTERNS_TYPE_STRING;
    if (type->kind == PATTERNS_TYPE_TIME || type->kind == PATTERNS_TYPE_TIMESTAMP)
        return parse_zone(c, type);
    return true;
}

/* <T> or <K, V> */
static bool parse_element(struct patterns_cursor *c, struct patterns_type *type)
{
    if (!patterns_cursor_expect(c, PATTERNS_TOKEN_LT, "before the element type", "write ARRAY<STRING>, MAP<K, V>"))
        return false;
    if (type->kind == PATTERNS_TYPE_MAP) {
        type->key = patterns_parse_type(c);
        if (!type->key || !patterns_cursor_expect(c, PATTERNS_TOKEN_COMMA, "after the type of the key", NULL))
            return false;
    }
    type->element = patterns_parse_type(c);
    return type->element && patterns_cursor_expect(c, PATTERNS_TOKEN_GT, "after the element type", NULL);
}

/* ROW<a T, b T> or ROW(a T, b T) */
static bool parse_fields(struct patterns_cursor *c, struct patterns_type *type)
{
    enum patterns_token_kind close = PATTERNS_TOKEN_GT;
    if (patterns_cursor_accept(c, PATTERNS_TOKEN_OPEN))
        close = PATTERNS_TOKEN_CLOSE;
    else if (!patterns_cursor_expect(c, PATTERNS_TOKEN_LT, "after ROW", "write ROW<a INT, b STRING>"))
        return false;
    struct BASE_VEC(struct patterns_field) fields = { 0 };
    do {
        struct patterns_field field = { 0 };
        if (!patterns_cursor_ident(c, "a field name", &field.name))
            return false;
        field.type = patterns_parse_type(c);
        if (!field.type)
            return false;
        struct base_str comment;
        if (patterns_cursor_is(c, PATTERNS_TOKEN_STRING) && !patterns_cursor_string(c, "a comment", &comment))
            return false;
        if (!PATTERNS_PUSH(c, &fields, field))
            return false;
    } while (patterns_cursor_accept(c, PATTERNS_TOKEN_COMMA));
    type->fields = fields.at;
    type->field_count = (uint32_t)fields.len;
    return patterns_cursor_expect(c, close, "after the fields of ROW", NULL);
}

static bool parse_body(struct patterns_cursor *c, struct patterns_type *type)
{
    const struct patterns_token *token = patterns_cursor_peek(c, 0);
    enum patterns_word word = token->kind == PATTERNS_TOKEN_WORD ? (enum patterns_word)token->word : PATTERNS_WORD_NONE;
    for (size_t i = 0; i < sizeof simple_types / sizeof simple_types[0]; i++) {
        if (word != PATTERNS_WORD_NONE && simple_types[i].word == word)
            return parse_simple(c, &simple_types[i], type);
    }
    if (word == PATTERNS_WORD_ARRAY || word == PATTERNS_WORD_MULTISET || word == PATTERNS_WORD_MAP) {
        patterns_cursor_skip(c, 1);
        type->kind = word == PATTERNS_WORD_ARRAY ? PATTERNS_TYPE_ARRAY
                     : word == PATTERNS_WORD_MAP ? PATTERNS_TYPE_MAP
                                                 : PATTERNS_TYPE_MULTISET;
        return parse_element(c, type);
    }
    if (word == PATTERNS_WORD_ROW) {
        patterns_cursor_skip(c, 1);
        type->kind = PATTERNS_TYPE_ROW;
        return parse_fields(c, type);
    }
    if (word == PATTERNS_WORD_INTERVAL) {
        patterns_cursor_skip(c, 1);
        type->kind = PATTERNS_TYPE_INTERVAL;
        struct patterns_interval interval = { 0 };
        if (!patterns_parse_interval_unit(c, &interval))
            return false;
        type->from = interval.from;
        type->to = interval.to;
        type->precision = interval.precision;
        type->scale = interval.fraction;
        return true;
    }
    for (size_t i = 0; i < sizeof foreign_types / sizeof foreign_types[0]; i++) {
        if (word != PATTERNS_WORD_NONE && foreign_types[i].word == word)
            return patterns_cursor_expected(c, "a type", foreign_types[i].hint);
    }
    return patterns_cursor_expected(c, "a type",
                                    "types are STRING, BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(p, s), DATE, "
                                    "TIMESTAMP(3), TIMESTAMP_LTZ(3), ARRAY<T>, ROW<a T>, ...");
}

const struct patterns_type *patterns_parse_type(struct patterns_cursor *c)
{
    struct patterns_type *type = patterns_cursor_alloc(c, sizeof *type);
    if (!type || !patterns_cursor_enter(c))
        return NULL;
    type->source = c->source;
    type->begin = patterns_cursor_begin(c);
    type->precision = type->scale = -1;
    bool good = parse_body(c, type);
    patterns_cursor_leave(c);
    if (!good)
        return NULL;
    if (patterns_cursor_is_word(c, PATTERNS_WORD_NOT) && patterns_cursor_ahead_word(c, 1, PATTERNS_WORD_NULL)) {
        patterns_cursor_skip(c, 2);
        type->not_null = true;
    } else {
        (void)patterns_cursor_accept_word(c, PATTERNS_WORD_NULL);
    }
    type->end = patterns_cursor_last(c);
    return type;
}
