#include "enrichment/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"

/* A compiled pattern. Read-only after it was made, so that all shards share it: the match data are made per call, in the call's arena. */
struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    uint32_t groups;
};

static void *heap_alloc(size_t bytes, void *ctx BASE_UNUSED)
{
    return base_alloc(bytes);
}

static void heap_free(void *block, void *ctx BASE_UNUSED)
{
    base_free(block);
}

static void *arena_alloc(size_t bytes, void *ctx)
{
    return base_arena_alloc(ctx, bytes);
}

static void arena_free(void *block BASE_UNUSED, void *ctx BASE_UNUSED)
{
}

static void regex_destroy(void *prepared)
{
    struct regex *regex = prepared;
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->limits);
    base_free(regex);
}

static int regex_fill(struct regex *regex, struct base_str pattern, struct base_arena *arena, const char **ret_error)
{
    pcre2_general_context *heap = pcre2_general_context_create(heap_alloc, heap_free, NULL);
    if (!heap)
        return BASE_E_NOMEM;
    pcre2_compile_context *options = pcre2_compile_context_create(heap);
    int ret = BASE_E_NOMEM;
    if (!options)
        goto out;
    (void)pcre2_set_max_pattern_length(options, ENRICHMENT_REGEX_PATTERN_MAX);
    int code = 0;
    PCRE2_SIZE at = 0;
    /* Text from CAST(bytes AS STRING) may be no UTF-8: MATCH_INVALID_UTF makes that a mere non-match instead of undefined behaviour. */
    regex->code = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &at, options);
    if (!regex->code) {
        PCRE2_UCHAR text[160];
        (void)pcre2_get_error_message(code, text, sizeof text);
        if (code == PCRE2_ERROR_HEAP_FAILED)
            goto out;
        *ret_error = base_arena_printf(arena, "%s at character %zu of the pattern", (const char *)text, (size_t)at + 1);
        ret = BASE_E_REGEX;
        goto out;
    }
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* where executable memory is forbidden the interpreter does it */
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &regex->groups);
    regex->limits = pcre2_match_context_create(heap);
    if (!regex->limits)
        goto out;
    (void)pcre2_set_match_limit(regex->limits, ENRICHMENT_REGEX_MATCH_LIMIT);
    (void)pcre2_set_depth_limit(regex->limits, ENRICHMENT_REGEX_DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(regex->limits, 4096); /* KiB */
    ret = 0;
out:
    pcre2_compile_context_free(options);
    pcre2_general_context_free(heap);
    return ret;
}

static int regex_create(struct base_str pattern, struct base_arena *arena, const char **ret_error, struct regex **ret)
{
    struct regex *regex = base_calloc(1, sizeof *regex);
    if (!regex)
        return BASE_E_NOMEM;
    int e = regex_fill(regex, pattern, arena, ret_error);
    if (e < 0) {
        regex_destroy(regex);
        return e;
    }
    *ret = regex;
    return 0;
}

static struct base_str text_of(struct cep_value value)
{
    return (struct base_str){ value.s.ptr, value.s.len };
}

/* SQL's SIMILAR TO pattern as a PCRE2 one: % and _ are wildcards, | * + ? {} () [] mean what they mean there, all else stands for itself. */
static int similar_pattern(struct base_str similar, char escape, struct base_buf *out)
{
    bool set = false;
    base_buf_puts(out, "\\A(?s:");
    for (size_t i = 0; i < similar.len; i++) {
        char c = similar.ptr[i];
        if (escape && c == escape) {
            if (++i == similar.len)
                return BASE_E_REGEX;
            base_buf_putc(out, '\\');
            base_buf_putc(out, similar.ptr[i]);
        } else if (set) {
            set = c != ']';
            if (c == '\\')
                base_buf_putc(out, '\\');
            base_buf_putc(out, c);
        } else if (c == '[') {
            set = true;
            base_buf_putc(out, c);
        } else if (c == '%') {
            base_buf_puts(out, ".*");
        } else if (c == '_') {
            base_buf_putc(out, '.');
        } else if (strchr(".^$\\", c) && c) {
            base_buf_putc(out, '\\');
            base_buf_putc(out, c);
        } else {
            base_buf_putc(out, c);
        }
    }
    base_buf_puts(out, ")\\z");
    return out->failed ? BASE_E_NOMEM : set ? BASE_E_REGEX : 0;
}

static int similar_create(struct base_str similar, char escape, struct base_arena *arena, const char **ret_error, struct regex **ret)
{
    struct base_buf pattern = { .limit = 4 * ENRICHMENT_REGEX_PATTERN_MAX };
    int e = similar.len > ENRICHMENT_REGEX_PATTERN_MAX ? BASE_E_REGEX : similar_pattern(similar, escape, &pattern);
    if (e == BASE_E_REGEX)
        *ret_error = "the pattern of SIMILAR TO is too long, has an open [ or ends in its escape character";
    if (e == 0)
        e = regex_create((struct base_str){ pattern.ptr, pattern.len }, arena, ret_error, ret);
    base_buf_finish(&pattern);
    return e;
}

/* One search from `from`. *ret_found false: no match; ret_data holds the places of a match. */
static int search(const struct regex *regex, struct base_str text, size_t from, uint32_t flags, pcre2_match_data *data, bool *ret_found)
{
    int n = pcre2_match(regex->code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, from, flags, data, regex->limits);
    if (n == PCRE2_ERROR_NOMATCH) {
        *ret_found = false;
        return 0;
    }
    if (n == PCRE2_ERROR_NOMEMORY)
        return BASE_E_NOMEM;
    if (n < 0)
        return BASE_E_REGEX;
    *ret_found = true;
    return 0;
}

static pcre2_match_data *match_data(const struct regex *regex, struct base_arena *arena)
{
    pcre2_general_context *in_arena = pcre2_general_context_create(arena_alloc, arena_free, arena);
    return in_arena ? pcre2_match_data_create_from_pattern(regex->code, in_arena) : NULL;
}

/* The pattern of a call: prepared, or made now and given to the caller in *ret_made. */
static int pattern_of(const struct cep_call *call, struct cep_value pattern, const struct regex **ret, struct regex **ret_made)
{
    *ret_made = NULL;
    if (call->prepared) {
        *ret = call->prepared;
        return 0;
    }
    const char *error = NULL;
    int e = regex_create(text_of(pattern), call->arena, &error, ret_made);
    *ret = *ret_made;
    return e;
}

static int run_regexp(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    const struct regex *regex;
    struct regex *made;
    int e = pattern_of(call, args[1], &regex, &made);
    bool found = false;
    if (e == 0) {
        pcre2_match_data *data = match_data(regex, call->arena);
        e = data ? search(regex, text_of(args[0]), 0, 0, data, &found) : BASE_E_NOMEM;
    }
    regex_destroy(made);
    if (e == 0)
        *ret = cep_int(found);
    return e;
}

static int run_extract(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    const struct regex *regex;
    struct regex *made;
    int e = pattern_of(call, args[1], &regex, &made);
    int64_t group = call->args > 2 ? args[2].i : 0;
    struct cep_value out = cep_null();
    if (e == 0) {
        bool found = false;
        pcre2_match_data *data = match_data(regex, call->arena);
        e = data ? search(regex, text_of(args[0]), 0, 0, data, &found) : BASE_E_NOMEM;
        if (e == 0 && found && group >= 0 && group <= (int64_t)regex->groups) {
            const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data) + 2 * group;
            if (at[0] != PCRE2_UNSET && at[1] >= at[0])
                out = cep_string(args[0].s.ptr + at[0], at[1] - at[0]);
        }
    }
    regex_destroy(made);
    if (e == 0)
        *ret = out;
    return e;
}

/* Calls each for every non-overlapping match, left to right. An empty match moves on by one character. */
static int for_each_match(const struct cep_call *call, const struct regex *regex, struct base_str text,
                          int (*each)(void *ctx, size_t begin, size_t end), void *ctx)
{
    pcre2_match_data *data = match_data(regex, call->arena);
    if (!data)
        return BASE_E_NOMEM;
    for (size_t from = 0; from <= text.len;) {
        bool found = false;
        int e = search(regex, text, from, 0, data, &found);
        if (e < 0 || !found)
            return e;
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
        if (at[1] < at[0])
            return BASE_E_REGEX; /* \K behind the end */
        e = each(ctx, at[0], at[1]);
        if (e < 0)
            return e;
        if (at[1] > from || at[1] > at[0]) {
            from = at[1];
            if (at[1] > at[0])
                continue;
        }
        size_t step = 1;
        while (from + step < text.len && ((unsigned char)text.ptr[from + step] & 0xC0) == 0x80)
            step++;
        from += step;
    }
    return 0;
}

struct replace {
    struct base_str text, by;
    struct base_buf out;
    size_t copied;
};

static int replace_one(void *ctx, size_t begin, size_t end)
{
    struct replace *r = ctx;
    if (begin > r->copied)
        base_buf_put(&r->out, r->text.ptr + r->copied, begin - r->copied);
    base_buf_put_str(&r->out, r->by);
    r->copied = end;
    return r->out.failed ? BASE_E_LIMIT : 0;
}

static int run_replace(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    const struct regex *regex;
    struct regex *made;
    int e = pattern_of(call, args[1], &regex, &made);
    struct replace r = { .text = text_of(args[0]), .by = text_of(args[2]), .out = { .limit = 1u << 20 } };
    if (e == 0)
        e = for_each_match(call, regex, r.text, replace_one, &r);
    if (e == 0 && r.text.len > r.copied)
        base_buf_put(&r.out, r.text.ptr + r.copied, r.text.len - r.copied);
    if (e == 0 && r.out.failed)
        e = BASE_E_LIMIT;
    if (e == 0) {
        char *copy = base_arena_strndup(call->arena, r.out.ptr ? r.out.ptr : "", r.out.len);
        if (copy)
            *ret = cep_string(copy, r.out.len);
        else
            e = BASE_E_NOMEM;
    }
    base_buf_finish(&r.out);
    regex_destroy(made);
    return e;
}

static int count_one(void *ctx, size_t begin BASE_UNUSED, size_t end BASE_UNUSED)
{
    ++*(int64_t *)ctx;
    return 0;
}

static int run_count(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    const struct regex *regex;
    struct regex *made;
    int64_t count = 0;
    int e = pattern_of(call, args[1], &regex, &made);
    if (e == 0)
        e = for_each_match(call, regex, text_of(args[0]), count_one, &count);
    regex_destroy(made);
    if (e == 0)
        *ret = cep_int(count);
    return e;
}

static char escape_of(const struct cep_value *args, uint32_t n)
{
    return n > 2 && !args[2].null && args[2].s.len == 1 ? args[2].s.ptr[0] : 0;
}

static int run_similar(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct regex *made = NULL;
    const struct regex *regex = call->prepared;
    const char *error = NULL;
    int e = 0;
    if (!regex) {
        e = similar_create(text_of(args[1]), escape_of(args, call->args), call->arena, &error, &made);
        regex = made;
    }
    bool found = false;
    if (e == 0) {
        pcre2_match_data *data = match_data(regex, call->arena);
        e = data ? search(regex, text_of(args[0]), 0, 0, data, &found) : BASE_E_NOMEM;
    }
    regex_destroy(made);
    if (e == 0)
        *ret = cep_int(found);
    return e;
}

static int prepare(const struct cep_value *constants, const bool *constant, uint32_t n, struct base_arena *arena, const char **ret_error,
                   void **ret)
{
    if (n < 2 || !constant[1] || constants[1].null)
        return 0;
    struct regex *regex = NULL;
    int e = regex_create(text_of(constants[1]), arena, ret_error, &regex);
    *ret = regex;
    return e;
}

static int prepare_similar(const struct cep_value *constants, const bool *constant, uint32_t n, struct base_arena *arena,
                           const char **ret_error, void **ret)
{
    if (n < 2 || !constant[1] || constants[1].null || (n > 2 && !constant[2]))
        return 0;
    struct regex *regex = NULL;
    int e = similar_create(text_of(constants[1]), escape_of(constants, n), arena, ret_error, &regex);
    *ret = regex;
    return e;
}

/* All arguments texts, but for the third of REGEXP_EXTRACT. */
static bool texts(const struct cep_type *args, uint32_t n, struct cep_type *want)
{
    for (uint32_t i = 0; i < n; i++) {
        if (args[i].kind != CEP_KIND_STRING && args[i].kind != CEP_KIND_NULL)
            return false;
        want[i] = CEP_TYPE(STRING);
    }
    return true;
}

static bool resolve_test(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    *ret = CEP_TYPE(BOOLEAN);
    return texts(args, n, want);
}

static bool resolve_count(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    *ret = CEP_TYPE(INT);
    return texts(args, n, want);
}

static bool resolve_replace(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    *ret = CEP_TYPE(STRING);
    return texts(args, n, want);
}

static bool resolve_extract(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    *ret = CEP_TYPE(STRING);
    if (n > 2) {
        if (args[2].kind != CEP_KIND_INT && args[2].kind != CEP_KIND_BIGINT)
            return false;
        want[2] = args[2];
    }
    return texts(args, n < 2 ? n : 2, want);
}

static const struct cep_func TABLE[] = {
    { "REGEXP", 2, 2, 0, resolve_test, run_regexp, prepare, regex_destroy, "REGEXP(text, pattern)", "TRUE if some part of text matches the pattern" },
    { "REGEXP_LIKE", 2, 2, 0, resolve_test, run_regexp, prepare, regex_destroy, "REGEXP_LIKE(text, pattern)", "the same as REGEXP" },
    { "REGEXP_EXTRACT", 2, 3, 0, resolve_extract, run_extract, prepare, regex_destroy, "REGEXP_EXTRACT(text, pattern[, group])",
      "the first match, or that group of it; NULL if there is none" },
    { "REGEXP_REPLACE", 3, 3, 0, resolve_replace, run_replace, prepare, regex_destroy, "REGEXP_REPLACE(text, pattern, by)",
      "text with every match replaced by a literal text" },
    { "REGEXP_COUNT", 2, 2, 0, resolve_count, run_count, prepare, regex_destroy, "REGEXP_COUNT(text, pattern)", "number of matches" },
    { "SIMILAR", 2, 3, 0, resolve_test, run_similar, prepare_similar, regex_destroy, "SIMILAR(text, pattern[, escape])",
      "what text SIMILAR TO pattern [ESCAPE escape] means" },
};

int enrichment_regex_register(struct cep_funcs *funcs)
{
    return cep_funcs_add(funcs, TABLE, sizeof TABLE / sizeof TABLE[0]);
}
