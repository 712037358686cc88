#include <string.h>

#include "base/error.h"
#include "cep/func_rules.h"
#include "cep/func_tables.h"
#include "cep/text.h"

/* JSON_VALUE and its relatives over a text or a ROW (whose value is the JSON of the object): a path of names and
 * indexes, lax: what is not there, or is no JSON, gives NULL. The text is scanned only as far as the path needs; what
 * is passed over is not validated. */

/* A place in a text. */
struct scan {
    const char *at, *end;
};

/* One step of a path: a name (ptr) or an index (ptr NULL). */
struct step {
    struct base_str name;
    int64_t index;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next character that is no blank, '\0' at the end. */
static char peek(struct scan *s)
{
    while (s->at < s->end && is_blank(*s->at))
        s->at++;
    return s->at < s->end ? *s->at : '\0';
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != c || s->at == s->end)
        return false;
    s->at++;
    return true;
}

/* The inside of a string, escapes as they stand. */
static bool take_string(struct scan *s, struct base_str *ret)
{
    if (!take(s, '"'))
        return false;
    const char *start = s->at;
    while (s->at < s->end && *s->at != '"')
        s->at += *s->at == '\\' ? 2 : 1;
    if (s->at >= s->end)
        return false;
    *ret = (struct base_str){ start, (size_t)(s->at - start) };
    s->at++;
    return true;
}

/* Passes over one value of any kind; objects and arrays by counting brackets, so that no depth matters. */
static bool take_value(struct scan *s, struct base_str *ret)
{
    struct base_str inside;
    size_t depth = 0;
    (void)peek(s);
    const char *start = s->at;
    do {
        char c = peek(s);
        if (c == '"') {
            if (!take_string(s, &inside))
                return false;
        } else if (c == '{' || c == '[') {
            depth++;
            s->at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return false;
            depth--;
            s->at++;
        } else if (depth && (c == ',' || c == ':')) {
            s->at++;
        } else {
            const char *word = s->at;
            while (s->at < s->end && !is_blank(*s->at) && !memchr(",:{}[]\"", *s->at, 7))
                s->at++;
            if (s->at == word)
                return false;
        }
    } while (depth);
    *ret = (struct base_str){ start, (size_t)(s->at - start) };
    return true;
}

static int hex4(const char *at)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The code point of \uXXXX, of two of them if they are a surrogate pair. *at stands behind the u. */
static bool take_unicode(struct base_str text, size_t *at, uint32_t *ret)
{
    int high = text.len - *at >= 4 ? hex4(text.ptr + *at) : -1;
    if (high < 0)
        return false;
    *at += 4;
    *ret = (uint32_t)high;
    if (high < 0xD800 || high > 0xDBFF)
        return high < 0xDC00 || high > 0xDFFF;
    if (text.len - *at < 6 || text.ptr[*at] != '\\' || text.ptr[*at + 1] != 'u')
        return false;
    int low = hex4(text.ptr + *at + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return false;
    *at += 6;
    *ret = 0x10000u + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    return true;
}

/* 1: decoded, 0: a broken escape, negative: no memory. The result never is longer than its spelling. */
static int decode(struct base_str text, struct base_arena *arena, struct cep_value *ret)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    char *out = NULL;
    size_t len = 0;
    if (!text.len || !memchr(text.ptr, '\\', text.len)) {
        *ret = cep_string(text.ptr, text.len);
        return 1;
    }
    int e = cep_text_room(arena, text.len, &out);
    if (e < 0)
        return e;
    for (size_t i = 0; i < text.len;) {
        uint32_t code_point = 0;
        if (text.ptr[i] != '\\') {
            out[len++] = text.ptr[i++];
            continue;
        }
        char c = text.ptr[i + 1]; /* the string's end is no backslash: there is one more */
        const char *letter = c ? strchr(letters, c) : NULL;
        i += 2;
        if (letter)
            out[len++] = bytes[letter - letters];
        else if (c == 'u' && take_unicode(text, &i, &code_point))
            len += base_utf8_put(code_point, out + len);
        else
            return 0;
    }
    *ret = cep_string(out, len);
    return 1;
}

/* ---- paths ---- */

/* $ [lax|strict] .name ['name'] [n]. Gives the next step; 0: the path's end, -1: it is malformed. */
static int next_step(struct scan *path, struct step *ret)
{
    struct scan start = *path;
    if (path->at == path->end)
        return 0;
    *ret = (struct step){ .index = -1 };
    if (*path->at == '.') {
        const char *name = ++path->at;
        while (path->at < path->end && *path->at != '.' && *path->at != '[')
            path->at++;
        ret->name = (struct base_str){ name, (size_t)(path->at - name) };
        return ret->name.len ? 1 : -1;
    }
    if (!take(path, '['))
        return -1;
    char quote = path->at < path->end ? *path->at : '\0';
    if (quote == '\'' || quote == '"') {
        const char *name = ++path->at;
        while (path->at < path->end && *path->at != quote)
            path->at++;
        ret->name = (struct base_str){ name, (size_t)(path->at - name) };
        path->at += path->at < path->end;
    } else {
        const char *number = path->at;
        while (path->at < path->end && *path->at >= '0' && *path->at <= '9')
            path->at++;
        if (!base_str_to_i64((struct base_str){ number, (size_t)(path->at - number) }, &ret->index))
            return -1;
    }
    return take(path, ']') && start.at < path->at ? 1 : -1;
}

static bool open_path(struct cep_value text, struct scan *ret)
{
    struct base_str path = base_str_trim((struct base_str){ text.s.ptr, text.s.len });
    if (base_str_starts(path, BASE_STR("lax ")) || base_str_starts(path, BASE_STR("strict ")))
        while (path.len && *path.ptr != '$') {
            path.ptr++;
            path.len--;
        }
    *ret = (struct scan){ path.ptr, path.ptr + path.len };
    return take(ret, '$');
}

static bool path_good(struct cep_value text)
{
    struct scan path;
    struct step step;
    int got = open_path(text, &path) ? 1 : -1;
    while (got > 0)
        got = next_step(&path, &step);
    return got == 0;
}

/* Moves to the value of a member or element. 1: there, 0: not there, negative: no memory. */
static int enter(struct scan *s, const struct step *step, struct base_arena *arena)
{
    struct base_str name, ignored;
    struct cep_value decoded = cep_null();
    bool object = step->name.ptr != NULL;
    if (!take(s, object ? '{' : '['))
        return 0;
    for (int64_t i = 0;; i++) {
        if (object) {
            if (!take_string(s, &name) || !take(s, ':'))
                return 0;
            int got = decode(name, arena, &decoded);
            if (got < 0)
                return got;
            if (got && base_str_equal((struct base_str){ decoded.s.ptr, decoded.s.len }, step->name))
                return 1;
        } else if (i == step->index) {
            return peek(s) != ']' && peek(s) != '\0';
        }
        if (!take_value(s, &ignored) || !take(s, ','))
            return 0;
    }
}

/* 1: found, 0: not there, negative: an error. */
static int find(const struct cep_call *call, const struct cep_value *args, struct base_str *ret)
{
    struct scan path, s = { args[0].s.ptr, args[0].s.ptr + args[0].s.len };
    struct step step;
    if (!open_path(args[1], &path))
        return BASE_E_INVALID;
    int got;
    while ((got = next_step(&path, &step)) > 0) {
        int there = enter(&s, &step, call->arena);
        if (there <= 0)
            return there;
    }
    if (got < 0)
        return BASE_E_INVALID;
    return take_value(&s, ret);
}

/* ---- the functions ---- */

static bool rule_json(const struct cep_type *args, uint32_t n, struct cep_type *want, char result, struct cep_type *ret)
{
    return cep_func_signature(args[0].kind == CEP_KIND_ROW ? "?S" : "SS", result, args, n, want, ret);
}

static bool rule_json_string(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    return rule_json(args, n, want, 'S', ret);
}

static bool rule_json_boolean(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    return rule_json(args, n, want, 'B', ret);
}

static int prepare_path(const struct cep_value *constants, const bool *constant, uint32_t n BASE_UNUSED,
                        struct base_arena *arena BASE_UNUSED,
                        const char **ret_error, void **ret)
{
    *ret = NULL;
    if (!constant[1] || constants[1].null || path_good(constants[1]))
        return 0;
    *ret_error = "the path must be '$' followed by .name, ['name'] or [index]";
    return BASE_E_INVALID;
}

static int run_value(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct base_str value = { NULL, 0 }, inside;
    int got = find(call, args, &value);
    *ret = cep_null();
    if (got <= 0 || value.ptr[0] == '{' || value.ptr[0] == '[' || base_str_equal(value, BASE_STR("null")))
        return got < 0 ? got : 0;
    *ret = cep_string(value.ptr, value.len);
    if (value.ptr[0] != '"')
        return 0;
    struct scan s = { value.ptr, value.ptr + value.len };
    got = take_string(&s, &inside) ? decode(inside, call->arena, ret) : 0;
    if (got == 0)
        *ret = cep_null();
    return got < 0 ? got : 0;
}

static int run_query(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct base_str value = { NULL, 0 };
    int got = find(call, args, &value);
    bool structured = got > 0 && (value.ptr[0] == '{' || value.ptr[0] == '[');
    *ret = structured ? cep_string(value.ptr, value.len) : cep_null();
    return got < 0 ? got : 0;
}

static int run_exists(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct base_str value = { NULL, 0 };
    int got = find(call, args, &value);
    *ret = cep_int(got > 0);
    return got < 0 ? got : 0;
}

static const struct cep_func table[] = {
    { "JSON_VALUE", 2, 2, 0, rule_json_string, run_value, prepare_path, NULL, "JSON_VALUE(json, path)",
      "Text of the scalar at a path like '$.a.b[0]' of a JSON text or a ROW; NULL if there is none." },
    { "JSON_QUERY", 2, 2, 0, rule_json_string, run_query, prepare_path, NULL, "JSON_QUERY(json, path)",
      "The object or array at a path, as JSON text; NULL if there is none." },
    { "JSON_EXISTS", 2, 2, 0, rule_json_boolean, run_exists, prepare_path, NULL, "JSON_EXISTS(json, path)",
      "Is there a value at the path?" },
};

struct cep_func_table cep_func_table_json(void)
{
    return (struct cep_func_table){ table, sizeof table / sizeof *table };
}
