/* REGEXP and its kin: results, NULL groups, limits, prepared and made patterns, SIMILAR TO. */
#include "enrichment/regex.h"

#include "base/error.h"
#include "tests/unit/tap.h"

static struct cep_funcs *funcs;
static struct base_arena arena;

static struct cep_value text(const char *s)
{
    return cep_string(s, strlen(s));
}

/* Calls by name with texts (NULL ends) and an optional number; prepared as the linker does it, or not. */
static int call(const char *name, const char *const *args, int64_t number, bool prepare, struct cep_value *ret)
{
    uint32_t index;
    const struct cep_func *func = cep_funcs_find(funcs, base_str_of(name), &index);
    struct cep_value values[4];
    bool constant[4] = { false, true, true, true };
    struct cep_call site = { .arena = &arena };
    for (; args[site.args]; site.args++)
        values[site.args] = text(args[site.args]);
    if (number >= 0)
        values[site.args++] = cep_int(number);
    const char *why = NULL;
    int e = prepare && func->prepare ? func->prepare(values, constant, site.args, &arena, &why, &site.prepared) : 0;
    if (e == 0)
        e = func->run(&site, values, ret);
    if (site.prepared)
        func->unprepare(site.prepared);
    return e;
}

static void is_text(const char *name, const char *const *args, int64_t number, const char *want, const char *what)
{
    for (int prepare = 0; prepare < 2; prepare++) {
        struct cep_value v = cep_null();
        int e = call(name, args, number, prepare, &v);
        char got[128] = "NULL";
        if (e < 0)
            snprintf(got, sizeof got, "error %d", e);
        else if (!v.null)
            snprintf(got, sizeof got, "%.*s", (int)v.s.len, v.s.ptr);
        IS_STR(got, want, what);
    }
}

static void is_number(const char *name, const char *const *args, int64_t want, const char *what)
{
    for (int prepare = 0; prepare < 2; prepare++) {
        struct cep_value v = cep_null();
        int e = call(name, args, -1, prepare, &v);
        IS_INT(e < 0 ? e : v.i, want, what);
    }
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_results(void)
{
    is_number("REGEXP", ARGS("abc123", "[0-9]{3}"), 1, "a part matches");
    is_number("REGEXP", ARGS("abc", "^b"), 0, "no part matches");
    is_number("REGEXP_LIKE", ARGS("Grüße", "^Gr.ße$"), 1, "a dot is one character, not one byte");
    is_text("REGEXP_EXTRACT", ARGS("foothebar", "foo(.*?)(bar)"), 2, "bar", "second group");
    is_text("REGEXP_EXTRACT", ARGS("foothebar", "foo(.*?)(bar)"), -1, "foothebar", "whole match");
    is_text("REGEXP_EXTRACT", ARGS("nothing", "foo"), -1, "NULL", "no match gives NULL");
    is_text("REGEXP_EXTRACT", ARGS("ac", "a(b)?c"), 1, "NULL", "a group that took no part gives NULL");
    is_text("REGEXP_EXTRACT", ARGS("ac", "ac"), 7, "NULL", "a group that is not there gives NULL");
    is_text("REGEXP_REPLACE", ARGS("foobar", "oo|ar", "$1"), -1, "f$1b$1", "the replacement is literal");
    is_text("REGEXP_REPLACE", ARGS("abc", "x*", "-"), -1, "-a-b-c-", "empty matches");
    is_text("REGEXP_REPLACE", ARGS("äö", "", "."), -1, ".ä.ö.", "empty matches move on by characters");
    is_number("REGEXP_COUNT", ARGS("a1b22c333", "[0-9]+"), 3, "counted");
    is_number("SIMILAR", ARGS("abcd", "a(b|c)%"), 1, "SIMILAR TO");
    is_number("SIMILAR", ARGS("abcd", "b%"), 0, "SIMILAR TO is anchored");
    is_number("SIMILAR", ARGS("a.c", "a.c"), 1, "a dot is a dot there");
    is_number("SIMILAR", ARGS("abc", "a.c"), 0, "and nothing else");
    is_number("SIMILAR", ARGS("10%", "10!%", "!"), 1, "escaped wildcard");
}

static void test_limits(void)
{
    char long_text[60001];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    is_number("REGEXP", ARGS(long_text, "^(a+)+$b"), 0, "an impossible pattern is no trouble");
    is_number("REGEXP", ARGS(long_text, "(a+)+[^a]"), BASE_E_REGEX, "a match that takes too many steps ends in an error");
    is_number("REGEXP", ARGS("x", "("), BASE_E_REGEX, "a pattern that does not compile is an error of the row, or of the link");
    is_number("REGEXP", ARGS("\xff\xfe", "a"), 0, "broken UTF-8 just does not match");
    is_number("SIMILAR", ARGS("x", "[a"), BASE_E_REGEX, "an open set");
}

int main(void)
{
    funcs = cep_funcs_create();
    IS_INT(enrichment_regex_register(funcs), 0, "registered");
    IS_INT(enrichment_regex_register(funcs), BASE_E_EXISTS, "but not twice");
    test_results();
    test_limits();
    cep_funcs_destroy(funcs);
    base_arena_finish(&arena);
    return tap_done();
}
