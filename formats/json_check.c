#include "formats/json.h"

#include <string.h>
#include "base/error.h"

int formats_json_bad(struct formats_json_walk *w, uint32_t i, const char *wanted)
{
    uint32_t at = w->at[i];
    if (at >= w->end)
        return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, w->end - w->begin, "the JSON ends where %s should stand", wanted);
    unsigned char c = (unsigned char)w->buf[at];
    if (c < 0x20 || c > 0x7e)
        return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, at - w->begin, "JSON: expected %s at byte %u, found byte 0x%02x", wanted, at - w->begin, c);
    return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, at - w->begin, "JSON: expected %s at byte %u, found '%c'", wanted, at - w->begin, c);
}

int formats_json_skip(struct formats_json_walk *w, uint32_t i, uint32_t *ret_next)
{
    size_t depth = 0;
    do {
        if (w->at[i] >= w->end)
            return formats_json_bad(w, i, depth ? "the end of an object or array" : "a value");
        switch (w->buf[w->at[i]]) {
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return formats_json_bad(w, i, "a value");
            depth--;
            break;
        case ',':
        case ':':
            if (depth == 0)
                return formats_json_bad(w, i, "a value");
            break;
        default:
            break;
        }
        i++;
    } while (depth > 0);
    *ret_next = i;
    return 0;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hex digits at text[at..]; UINT32_MAX if they are not. */
static uint32_t hex4(struct base_str text, size_t at)
{
    uint32_t value = 0;
    if (text.len - at < 4)
        return UINT32_MAX;
    for (size_t k = 0; k < 4; k++) {
        int digit = hex_digit(text.ptr[at + k]);
        if (digit < 0)
            return UINT32_MAX;
        value = value << 4 | (uint32_t)digit;
    }
    return value;
}

/* \uXXXX, with its second half if it is a surrogate; at stands behind the 'u'. Returns bytes read, 0 if bad. */
static size_t unicode_escape(struct base_str raw, size_t at, uint32_t *ret)
{
    uint32_t code = hex4(raw, at);
    if (code == UINT32_MAX || (code >= 0xdc00 && code <= 0xdfff))
        return 0;
    if (code < 0xd800 || code > 0xdbff) {
        *ret = code;
        return 4;
    }
    if (raw.len - at < 10 || raw.ptr[at + 4] != '\\' || raw.ptr[at + 5] != 'u')
        return 0;
    uint32_t low = hex4(raw, at + 6);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *ret = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    return 10;
}

static char simple_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

bool formats_json_unescape(struct base_str raw, char *out, size_t *ret_len)
{
    size_t len = 0;
    for (size_t at = 0; at < raw.len;) {
        const char *escape = memchr(raw.ptr + at, '\\', raw.len - at);
        size_t plain = escape ? (size_t)(escape - raw.ptr) - at : raw.len - at;
        if (out)
            memcpy(out + len, raw.ptr + at, plain);
        len += plain;
        at += plain;
        if (!escape)
            break;
        if (raw.len - at < 2)
            return false;
        char c = raw.ptr[at + 1];
        at += 2;
        char utf8[4];
        size_t bytes = 1;
        if (c == 'u') {
            uint32_t code = 0;
            size_t used = unicode_escape(raw, at, &code);
            if (used == 0)
                return false;
            at += used;
            bytes = base_utf8_put(code, utf8);
        } else if ((utf8[0] = simple_escape(c)) == 0) {
            return false;
        }
        if (out)
            memcpy(out + len, utf8, bytes);
        len += bytes;
    }
    *ret_len = len;
    return true;
}

/* Raw text between the quotes of the string at place i. */
static int raw_string(struct formats_json_walk *w, uint32_t i, struct base_str *ret)
{
    struct base_str token = formats_json_token(w, i);
    if (token.len < 2 || token.ptr[token.len - 1] != '"')
        return formats_json_bad(w, i, "a closed string");
    *ret = (struct base_str){ token.ptr + 1, token.len - 2 };
    return 0;
}

static int bad_escape(struct formats_json_walk *w, struct base_str raw)
{
    uint64_t at = (uint64_t)(raw.ptr - w->buf) - w->begin;
    return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, at, "JSON: bad escape in the string at byte %llu", (unsigned long long)at);
}

int formats_json_string(struct formats_json_walk *w, uint32_t i, struct base_str *ret)
{
    struct base_str raw;
    int r = raw_string(w, i, &raw);
    if (r < 0)
        return r;
    if (!formats_json_has_escape(raw)) {
        *ret = raw;
        return 0;
    }
    char *out = base_arena_alloc(w->arena, raw.len + 1);
    if (!out)
        return BASE_E_NOMEM;
    size_t len;
    if (!formats_json_unescape(raw, out, &len))
        return bad_escape(w, raw);
    *ret = (struct base_str){ out, len };
    return 0;
}

/* ---- the grammar ---- */

static int check_scalar(struct formats_json_walk *w, uint32_t i)
{
    struct base_str token = formats_json_token(w, i);
    if (token.ptr[0] == '"') {
        struct base_str raw;
        size_t len;
        int r = raw_string(w, i, &raw);
        if (r == 0 && !formats_json_unescape(raw, NULL, &len))
            return bad_escape(w, raw);
        return r;
    }
    if (base_str_equal(token, BASE_STR("true")) || base_str_equal(token, BASE_STR("false")) || base_str_equal(token, BASE_STR("null")) ||
        formats_number_valid(token.ptr, token.len))
        return 0;
    return formats_json_bad(w, i, "a value");
}

enum check_state { CHECK_VALUE, CHECK_FIRST, CHECK_KEY, CHECK_AFTER };

/* Open containers: one bit each, 1 for an object. */
struct nesting {
    uint64_t bits[FORMATS_JSON_DEPTH_MAX / 64];
    size_t depth;
};

static bool in_object(const struct nesting *nesting)
{
    size_t top = nesting->depth - 1;
    return nesting->bits[top / 64] >> (top % 64) & 1;
}

static bool push(struct nesting *nesting, bool object)
{
    if (nesting->depth == FORMATS_JSON_DEPTH_MAX)
        return false;
    size_t top = nesting->depth++;
    uint64_t bit = UINT64_C(1) << (top % 64);
    nesting->bits[top / 64] = object ? nesting->bits[top / 64] | bit : nesting->bits[top / 64] & ~bit;
    return true;
}

static int check_key(struct formats_json_walk *w, uint32_t *inout_i)
{
    uint32_t i = *inout_i;
    if (w->buf[w->at[i]] != '"')
        return formats_json_bad(w, i, "a key");
    int r = check_scalar(w, i);
    if (r < 0)
        return r;
    if (w->at[i + 1] >= w->end || w->buf[w->at[i + 1]] != ':')
        return formats_json_bad(w, i + 1, "':'");
    *inout_i = i + 2;
    return 0;
}

/* One step at place *inout_i, which is inside the record. */
static int check_step(struct formats_json_walk *w, struct nesting *nesting, enum check_state *inout_state, uint32_t *inout_i)
{
    uint32_t i = *inout_i;
    char c = w->buf[w->at[i]];
    enum check_state state = *inout_state;
    bool closes = nesting->depth > 0 && c == (in_object(nesting) ? '}' : ']');
    if (state == CHECK_FIRST && !closes)
        state = in_object(nesting) ? CHECK_KEY : CHECK_VALUE;
    switch (state) {
    case CHECK_KEY:
        *inout_state = CHECK_VALUE;
        return check_key(w, inout_i);
    case CHECK_VALUE:
        if (c == '{' || c == '[') {
            *inout_state = CHECK_FIRST;
            if (!push(nesting, c == '{'))
                return formats_problem_set(w->decoder, BASE_E_MALFORMED, CEP_NONE, w->at[i] - w->begin, "JSON nests deeper than %d", FORMATS_JSON_DEPTH_MAX);
        } else {
            *inout_state = CHECK_AFTER;
            int r = check_scalar(w, i);
            if (r < 0)
                return r;
        }
        break;
    case CHECK_FIRST:
    case CHECK_AFTER:
        if (closes) {
            nesting->depth--;
            *inout_state = CHECK_AFTER;
        } else if (c == ',') {
            *inout_state = in_object(nesting) ? CHECK_KEY : CHECK_VALUE;
        } else {
            return formats_json_bad(w, i, in_object(nesting) ? "',' or '}'" : "',' or ']'");
        }
        break;
    }
    *inout_i = i + 1;
    return 0;
}

int formats_json_check(struct formats_json_walk *w, uint32_t i, uint32_t *ret_next)
{
    struct nesting nesting;
    nesting.depth = 0;
    memset(nesting.bits, 0, sizeof nesting.bits);
    enum check_state state = CHECK_VALUE;
    do {
        if (w->at[i] >= w->end)
            return formats_json_bad(w, i, "more");
        int r = check_step(w, &nesting, &state, &i);
        if (r < 0)
            return r;
    } while (state != CHECK_AFTER || nesting.depth > 0);
    *ret_next = i;
    return 0;
}
