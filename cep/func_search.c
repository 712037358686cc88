#include <string.h>

#include "base/error.h"
#include "cep/func_rules.h"
#include "cep/func_tables.h"
#include "cep/like.h"
#include "cep/row.h"
#include "cep/text.h"

/* Functions that look into texts: finding, replacing, comparing, testing. */

#define SIMILAR_MAX 512 /* code points that LEVENSHTEIN and JARO_WINKLER compare: their work is the product */

CEP_RULE(strings_string, "S*", 'S')
CEP_RULE(strings_int, "S*", 'I')
CEP_RULE(strings_boolean, "S*", 'B')
CEP_RULE(strings_double, "S*", 'D')
CEP_RULE(locate, "SSL", 'I')

static bool rule_split(const struct cep_type *args, uint32_t n, struct cep_type *want, struct cep_type *ret)
{
    return cep_func_signature("SSL", 'S', args, n, want, ret);
}

static struct base_str text_of(struct cep_value v)
{
    return (struct base_str){ v.s.ptr, v.s.len };
}

/* Byte offset of the part at or behind `from`, SIZE_MAX if there is none. */
static size_t find(struct cep_value text, size_t from, struct cep_value part)
{
    if (part.s.len == 0)
        return from;
    if (from >= text.s.len)
        return SIZE_MAX;
    const char *at = memmem(text.s.ptr + from, text.s.len - from, part.s.ptr, part.s.len);
    return at ? (size_t)(at - text.s.ptr) : SIZE_MAX;
}

static struct cep_value place(struct cep_value text, size_t offset)
{
    return cep_int(offset == SIZE_MAX ? 0 : (int64_t)base_utf8_length(text.s.ptr, offset) + 1);
}

static int run_position(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = place(args[1], find(args[1], 0, args[0]));
    return 0;
}

static int run_locate(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    int64_t from = call->args > 2 ? args[2].i : 1;
    if (from < 1 || from > (int64_t)args[1].s.len + 1) {
        *ret = cep_int(0);
        return 0;
    }
    *ret = place(args[1], find(args[1], base_utf8_prefix(args[1].s.ptr, args[1].s.len, (size_t)from - 1), args[0]));
    return 0;
}

static int run_instr(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = place(args[0], find(args[0], 0, args[1]));
    return 0;
}

static int run_replace(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_value text = args[0];
    struct base_buf buf = { .limit = CEP_ROW_BYTES_MAX };
    size_t at = 0, next = args[1].s.len ? find(text, 0, args[1]) : SIZE_MAX;
    if (next == SIZE_MAX) {
        *ret = text;
        return 0;
    }
    for (; next != SIZE_MAX; next = find(text, at, args[1])) {
        base_buf_put(&buf, text.s.ptr + at, next - at);
        base_buf_put(&buf, args[2].s.ptr, args[2].s.len);
        at = next + args[1].s.len;
    }
    base_buf_put(&buf, text.s.ptr + at, text.s.len - at);
    return cep_text_take(&buf, call->arena, ret);
}

static int run_split(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    struct cep_value text = args[0];
    size_t at = 0;
    *ret = cep_null();
    if (args[2].i < 0 || args[1].s.len == 0)
        return 0;
    for (int64_t n = args[2].i; n > 0; n--) {
        size_t next = find(text, at, args[1]);
        if (next == SIZE_MAX)
            return 0;
        at = next + args[1].s.len;
    }
    size_t end = find(text, at, args[1]);
    *ret = cep_string(text.s.ptr + at, (end == SIZE_MAX ? text.s.len : end) - at);
    return 0;
}

static int run_starts(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(base_str_starts(text_of(args[0]), text_of(args[1])));
    return 0;
}

static int run_ends(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(base_str_ends(text_of(args[0]), text_of(args[1])));
    return 0;
}

/* ---- LIKE ---- */

static int prepare_like(const struct cep_value *constants, const bool *constant, uint32_t n, struct base_arena *arena BASE_UNUSED,
                        const char **ret_error, void **ret)
{
    struct base_str escape = { NULL, 0 };
    *ret = NULL;
    if (!constant[1] || constants[1].null || (n > 2 && (!constant[2] || constants[2].null)))
        return 0;
    if (n > 2)
        escape = text_of(constants[2]);
    struct cep_like *like = NULL;
    int e = cep_like_create(text_of(constants[1]), escape, ret_error, &like);
    if (e == 0)
        *ret = like;
    return e;
}

static void unprepare_like(void *prepared)
{
    cep_like_destroy(prepared);
}

static int run_like(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    const char *error = NULL;
    struct cep_like *own = NULL;
    if (!call->prepared) {
        int e = cep_like_create(text_of(args[1]), call->args > 2 ? text_of(args[2]) : (struct base_str){ NULL, 0 },
                                &error, &own);
        if (e < 0)
            return e;
    }
    *ret = cep_int(cep_like_match(own ? own : call->prepared, text_of(args[0])));
    cep_like_destroy(own);
    return 0;
}

/* ---- tests of the characters ---- */

static bool all_between(struct cep_value v, char low, char high)
{
    for (size_t i = 0; i < v.s.len; i++)
        if (v.s.ptr[i] < low || v.s.ptr[i] > high)
            return false;
    return v.s.len > 0;
}

static int run_is_digit(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    *ret = cep_int(!args[0].null && all_between(args[0], '0', '9'));
    return 0;
}

static int run_is_alpha(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    bool good = !args[0].null && args[0].s.len > 0;
    for (size_t i = 0; good && i < args[0].s.len;) {
        uint32_t c = 0;
        i += base_utf8_next(args[0].s.ptr + i, args[0].s.len - i, &c);
        good = cep_is_letter_or_digit(c) && !(c >= '0' && c <= '9');
    }
    *ret = cep_int(good);
    return 0;
}

static int run_is_decimal(const struct cep_call *call BASE_UNUSED, const struct cep_value *args, struct cep_value *ret)
{
    double ignored;
    *ret = cep_int(!args[0].null && args[0].s.len > 0 && base_str_to_double(text_of(args[0]), &ignored));
    return 0;
}

/* ---- likeness ---- */

/* Code points in the arena. */
static int code_points(struct cep_value v, struct base_arena *arena, uint32_t **ret, uint32_t *ret_count)
{
    size_t count = base_utf8_length(v.s.ptr, v.s.len);
    if (count > SIMILAR_MAX)
        return BASE_E_LIMIT;
    uint32_t *at = base_arena_alloc(arena, (v.s.len + 1) * sizeof *at);
    if (!at)
        return BASE_E_NOMEM;
    *ret = at;
    *ret_count = 0;
    for (size_t i = 0; i < v.s.len;)
        i += base_utf8_next(v.s.ptr + i, v.s.len - i, &at[(*ret_count)++]);
    return *ret_count > SIMILAR_MAX ? BASE_E_LIMIT : 0;
}

struct pair {
    uint32_t *a, *b;
    uint32_t a_count, b_count;
};

static int pair_of(const struct cep_call *call, const struct cep_value *args, struct pair *ret)
{
    int e = code_points(args[0], call->arena, &ret->a, &ret->a_count);
    return e < 0 ? e : code_points(args[1], call->arena, &ret->b, &ret->b_count);
}

static uint32_t distance(const struct pair *p)
{
    uint32_t row[SIMILAR_MAX + 1];
    for (uint32_t j = 0; j <= p->b_count; j++)
        row[j] = j;
    for (uint32_t i = 1; i <= p->a_count; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= p->b_count; j++) {
            uint32_t best = diagonal + (p->a[i - 1] != p->b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[p->b_count];
}

static int run_levenshtein(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct pair p;
    int e = pair_of(call, args, &p);
    if (e == 0)
        *ret = cep_int(distance(&p));
    return e;
}

/* Marks the characters that both have within half the longer length of each other; gives their number. */
static uint32_t mark_common(const struct pair *p, bool *in_a, bool *in_b)
{
    uint32_t longer = p->a_count > p->b_count ? p->a_count : p->b_count, reach = longer / 2 ? longer / 2 - 1 : 0,
             common = 0;
    for (uint32_t i = 0; i < p->a_count; i++) {
        uint32_t from = i > reach ? i - reach : 0, to = i + reach + 1 < p->b_count ? i + reach + 1 : p->b_count;
        for (uint32_t j = from; j < to; j++)
            if (!in_b[j] && p->a[i] == p->b[j]) {
                in_a[i] = in_b[j] = true;
                common++;
                break;
            }
    }
    return common;
}

static double jaro(const struct pair *p)
{
    bool in_a[SIMILAR_MAX] = { false }, in_b[SIMILAR_MAX] = { false };
    if (p->a_count == 0 && p->b_count == 0)
        return 1;
    uint32_t common = mark_common(p, in_a, in_b), moved = 0;
    if (common == 0)
        return 0;
    for (uint32_t i = 0, j = 0; i < p->a_count; i++) {
        if (!in_a[i])
            continue;
        while (!in_b[j])
            j++;
        moved += p->a[i] != p->b[j++];
    }
    double m = common;
    return (m / p->a_count + m / p->b_count + (m - moved / 2) / m) / 3;
}

static int run_jaro_winkler(const struct cep_call *call, const struct cep_value *args, struct cep_value *ret)
{
    struct pair p;
    int e = pair_of(call, args, &p);
    if (e < 0)
        return e;
    uint32_t prefix = 0;
    while (prefix < 4 && prefix < p.a_count && prefix < p.b_count && p.a[prefix] == p.b[prefix])
        prefix++;
    double likeness = jaro(&p);
    *ret = cep_double(likeness + prefix * 0.1 * (1 - likeness));
    return 0;
}

static const struct cep_func table[] = {
    { "POSITION", 2, 2, 0, strings_int, run_position, NULL, NULL, "POSITION(part IN text)",
      "Place of the part's first occurrence, from 1; 0 if there is none." },
    { "LOCATE", 2, 3, 0, locate, run_locate, NULL, NULL, "LOCATE(part, text[, from])",
      "Place of the part's first occurrence at or behind a place, from 1; 0 if there is none." },
    { "INSTR", 2, 2, 0, strings_int, run_instr, NULL, NULL, "INSTR(text, part)",
      "Place of the part's first occurrence, from 1; 0 if there is none." },
    { "REPLACE", 3, 3, 0, strings_string, run_replace, NULL, NULL, "REPLACE(text, part, by)",
      "The text with every occurrence of the part replaced." },
    { "SPLIT_INDEX", 3, 3, 0, rule_split, run_split, NULL, NULL, "SPLIT_INDEX(text, delimiter, n)",
      "The nth piece between delimiters, from 0; NULL if there is none." },
    { "STARTSWITH", 2, 2, 0, strings_boolean, run_starts, NULL, NULL, "STARTSWITH(text, start)",
      "Does the text start so?" },
    { "ENDSWITH", 2, 2, 0, strings_boolean, run_ends, NULL, NULL, "ENDSWITH(text, end)", "Does the text end so?" },
    { "LIKE", 2, 3, 0, strings_boolean, run_like, prepare_like, unprepare_like, "text LIKE pattern [ESCAPE character]",
      "Does the whole text match? % stands for any characters, _ for one." },
    { "IS_DIGIT", 1, 1, CEP_FUNC_SEES_NULL, strings_boolean, run_is_digit, NULL, NULL, "IS_DIGIT(text)",
      "Digits only, and at least one? FALSE for NULL." },
    { "IS_ALPHA", 1, 1, CEP_FUNC_SEES_NULL, strings_boolean, run_is_alpha, NULL, NULL, "IS_ALPHA(text)",
      "Letters only, and at least one? FALSE for NULL." },
    { "IS_DECIMAL", 1, 1, CEP_FUNC_SEES_NULL, strings_boolean, run_is_decimal, NULL, NULL, "IS_DECIMAL(text)",
      "Does the text spell a number? FALSE for NULL." },
    { "LEVENSHTEIN", 2, 2, 0, strings_int, run_levenshtein, NULL, NULL, "LEVENSHTEIN(a, b)",
      "Insertions, deletions and replacements that make a to b; texts of at most 512 characters." },
    { "JARO_WINKLER", 2, 2, 0, strings_double, run_jaro_winkler, NULL, NULL, "JARO_WINKLER(a, b)",
      "Likeness from 0 to 1 with a bonus for a common start; texts of at most 512 characters." },
};

struct cep_func_table cep_func_table_search(void)
{
    return (struct cep_func_table){ table, sizeof table / sizeof *table };
}
