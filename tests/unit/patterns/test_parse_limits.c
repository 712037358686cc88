/* No text can hurt the parser: limits of each sort, texts spoilt at random, memory that ends at any allocation. */
#include "base/alloc.h"
#include "tests/unit/patterns/round_trip.h"
#include "tests/unit/patterns/rule_texts.h"
#include "tests/unit/tap.h"

static struct base_buf text;

static void repeat(const char *part, int count)
{
    for (int i = 0; i < count; i++)
        base_buf_puts(&text, part);
}

/* head, open * count, middle, close * count, tail */
static void nest(const char *head, const char *open, const char *middle, const char *close, const char *tail, int count)
{
    base_buf_clear(&text);
    base_buf_puts(&text, head);
    repeat(open, count);
    base_buf_puts(&text, middle);
    repeat(close, count);
    base_buf_puts(&text, tail);
}

/* Does the text parse and come back? */
static void is_good(const char *what)
{
    struct round_trip t;
    const char *wrong = round_trip(&t, text.ptr, text.len);
    if (!OK(!wrong && t.diags.errors == 0, what))
        printf("# %s %.300s\n", wrong ? wrong : "", t.said.ptr ? t.said.ptr : "");
    round_trip_finish(&t);
}

/* Is it refused by one limit whose message has this in it? */
static void is_limit(const char *named, const char *what)
{
    struct round_trip t;
    const char *wrong = round_trip(&t, text.ptr, text.len);
    bool good = !wrong && t.diags.errors == 1 && strcmp(t.diags.at[0].code, "limit") == 0 &&
                strstr(t.diags.at[0].message, named) != NULL;
    if (!OK(good, what))
        printf("# %s %zu errors: %.300s\n", wrong ? wrong : "", t.diags.errors, t.said.ptr ? t.said.ptr : "");
    round_trip_finish(&t);
}

static void test_depth(void)
{
    static const struct {
        const char *what, *head, *open, *middle, *close, *tail;
    } forms[] = {
        { "parentheses", "SELECT ", "(", "1", ")", "" },
        { "calls", "SELECT ", "f(", "1", ")", "" },
        { "indexes", "SELECT ", "a[", "1", "]", "" },
        { "minus signs", "SELECT ", "- ", "1", "", "" },
        { "NOT", "SELECT ", "NOT ", "a", "", "" },
        { "CASE", "SELECT ", "CASE WHEN TRUE THEN ", "a", " END", "" },
        { "CAST", "SELECT ", "CAST(", "a", " AS INT)", "" },
        { "scalar subqueries", "", "SELECT (", "SELECT 1", ")", "" },
        { "derived tables", "", "SELECT * FROM (", "SELECT 1", ")", "" },
        { "tables in parentheses", "SELECT * FROM ", "(", "a JOIN b ON TRUE", ")", "" },
        { "queries in parentheses", "", "(", "SELECT 1", ")", "" },
        { "EXISTS", "", "SELECT EXISTS (", "SELECT 1", ")", "" },
        { "IN", "", "SELECT 1 IN (", "SELECT 1", ")", "" },
        { "WITH", "", "WITH a AS (", "SELECT 1", ") SELECT 2", "" },
        { "OVER", "SELECT ", "SUM(a) OVER (ORDER BY ", "1", ")", "" },
        { "array types", "CREATE TABLE t (a ", "ARRAY<", "INT", ">", ")" },
        { "row types", "CREATE TABLE t (a ", "ROW<b ", "INT", ">", ")" },
        { "groups of a pattern", "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (", "(", "A", ")", "))" },
        { "exclusions", "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (", "{- ", "A", " -}", "))" },
        { "PERMUTE", "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (", "PERMUTE(", "A", ")", "))" },
        { "arrows", "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (", "(-> ", "A", ")", "))" },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        nest(forms[i].head, forms[i].open, forms[i].middle, forms[i].close, forms[i].tail, 60);
        is_good(forms[i].what);
        nest(forms[i].head, forms[i].open, forms[i].middle, forms[i].close, forms[i].tail, 7000);
        is_limit("200 levels", forms[i].what);
        nest(forms[i].head, forms[i].open, "", "", "", 7000); /* never closed */
        is_limit("200 levels", forms[i].what);
    }
}

static void test_chains(void)
{
    nest("SELECT ", "a + ", "a", "", "", 900);
    is_good("a long sum");
    nest("SELECT ", "a + ", "a", "", "", 2000);
    is_limit("1000", "a longer sum");
    nest("SELECT ", "a AND ", "a", "", "", 9000);
    is_good("AND is flat");
    nest("SELECT ", "a || ", "a", "", "", 10001);
    is_limit("10000", "lists are bounded");
    nest("SELECT a", "[1]", "", "", "", 2000);
    is_limit("1000", "indexes in a row");
    nest("SELECT f(x)", ".a", "", "", "", 2000);
    is_limit("1000", "fields in a row");
    nest("SELECT a", " IS NULL", "", "", "", 2000);
    is_limit("1000", "IS NULL in a row");
    nest("SELECT 1", " UNION ALL SELECT 1", "", "", "", 3000);
    is_good("UNION ALL is flat");
    nest("SELECT 1", " UNION SELECT 1 EXCEPT SELECT 1", "", "", "", 1000);
    is_limit("1000", "mixed set operations");
    nest("SELECT * FROM a", " JOIN b ON TRUE", "", "", "", 150);
    is_good("many joins");
    nest("SELECT * FROM a", " JOIN b ON TRUE", "", "", "", 300);
    is_limit("200", "too many joins");
    nest("SELECT * FROM a", ", b", "", "", "", 300);
    is_limit("200", "too many tables");
    nest("SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A", "{2}", "", "", "))", 2000);
    is_limit("1000", "quantifiers on quantifiers");
    nest("SELECT * FROM t MATCH_RECOGNIZE (PATTERN (", "A ", "", "", "))", 9000);
    is_good("a long pattern");
    /* heights add up through subqueries */
    base_buf_clear(&text);
    repeat("SELECT (", 20);
    base_buf_puts(&text, "SELECT 1");
    for (int i = 0; i < 20; i++) {
        base_buf_puts(&text, ")");
        repeat(" + 1", 100);
    }
    is_limit("1000", "sums in subqueries of sums");
}

static void test_numbers(void)
{
    nest(PATTERN("A{10000}"), "", "", "", "", 0);
    is_good("the highest quantifier");
    nest(PATTERN("A{10001}"), "", "", "", "", 0);
    is_limit("10000", "a higher quantifier");
    nest(PATTERN("A{99999999999999999999999}"), "", "", "", "", 0);
    is_limit("10000", "a number beyond 64 bits");
    nest(PATTERN("PERMUTE(A, B, C, D, E, F)"), "", "", "", "", 0);
    is_good("the longest PERMUTE");
    nest(PATTERN("PERMUTE(A, B, C, D, E, F, G)"), "", "", "", "", 0);
    is_limit("6", "a longer PERMUTE");
    nest("SELECT a IN (", "1,", "1", "", ")", 9998);
    is_good("a long list");
    nest("SELECT a IN (", "1,", "1", "", ")", 10000);
    is_limit("10000", "a longer list");
    nest("SELECT f(a, ", "ARRAY[1, 2, 3, 4, 5, 6, 7, 8], ", "1", "", ")", 6000);
    is_limit("100000", "a statement of too many tokens");
    nest("", "SELECT 1;", "", "", "", 20000);
    is_good("many small statements");
}

static uint64_t seed = 20261;

static uint32_t roll(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}

static const char *const scraps[] = {
    "(",
    ")",
    ",",
    ";",
    "'",
    "\"",
    "`",
    "->",
    "->>",
    "{-",
    "-}",
    "{",
    "}",
    "[",
    "]",
    "*",
    "+",
    "?",
    "|",
    "^",
    "$",
    "NOT ",
    "AS ",
    "BY ",
    " AND ",
    " OR ",
    "SELECT ",
    " FROM ",
    "WITH ",
    "CASE ",
    "END ",
    "1",
    ".5",
    "1e9",
    "''",
    "--",
    "/*",
    "*/",
    "\n",
    "\xC3",
    "\xE4\xBA\xBA",
    ".",
    "=>",
    "IN (",
    "ROW(",
    "PERMUTE(",
    "INTERVAL ",
    " TO ",
    "DAY ",
    " WITHIN ",
    " FOR ",
    "OVER (",
    "FILTER (",
    " UNION ALL ",
    "VALUES ",
    "TABLE(",
};
#define SCRAP_COUNT (sizeof scraps / sizeof scraps[0])

static void splice(struct base_buf *out, const char *from, size_t at, size_t cut, const char *insert, size_t insert_len)
{
    size_t len = strlen(from);
    at = at < len ? at : len;
    cut = cut < len - at ? cut : len - at;
    base_buf_clear(out);
    base_buf_put(out, from, at);
    base_buf_put(out, insert, insert_len);
    base_buf_put(out, from + at + cut, len - at - cut);
}

/* One to four changes: a scrap put in, a piece cut out, a piece of another rule put in. */
static void mutate(struct base_buf *out)
{
    char base[4096];
    snprintf(base, sizeof base, "%s", rule_texts[roll(RULE_TEXT_COUNT)]);
    uint32_t changes = 1 + roll(4);
    for (uint32_t i = 0; i < changes; i++) {
        uint32_t at = roll((uint32_t)strlen(base) + 1);
        const char *other = rule_texts[roll(RULE_TEXT_COUNT)];
        uint32_t from = roll((uint32_t)strlen(other));
        const char *scrap = scraps[roll(SCRAP_COUNT)];
        switch (roll(3)) {
        case 0: splice(out, base, at, roll(4), scrap, strlen(scrap)); break;
        case 1: splice(out, base, at, 1 + roll(30), "", 0); break;
        default: splice(out, base, at, roll(10), other + from, roll(40) % (strlen(other) - from)); break;
        }
        snprintf(base, sizeof base, "%s", out->ptr ? out->ptr : "");
    }
    base_buf_clear(out);
    base_buf_puts(out, base);
}

static void test_mutations(void)
{
    uint32_t good = 0;
    uint32_t refused = 0;
    for (int i = 0; i < 20000; i++) {
        mutate(&text);
        struct round_trip t;
        const char *wrong = round_trip(&t, text.ptr, text.len);
        if (wrong) {
            OK(false, wrong);
            printf("# %s\n# %s\n", text.ptr, t.said.ptr ? t.said.ptr : "");
        }
        if (t.diags.errors > 0)
            refused++;
        else
            good++;
        round_trip_finish(&t);
        if (wrong)
            return;
    }
    OK(good > 100 && refused > 1000, "spoilt texts are read or refused, and what is read comes back");
    printf("# %u read, %u refused\n", good, refused);
}

static void test_memory(void)
{
    for (size_t i = 0; i < RULE_TEXT_COUNT; i++) {
        bool good = true;
        uint64_t blocks = base_alloc_live_blocks();
        for (uint64_t nth = 1; nth < 10000; nth++) {
            struct base_arena arena = { 0 };
            struct base_diags diags;
            struct base_source source = { "x", rule_texts[i], strlen(rule_texts[i]) };
            struct patterns_script *script = NULL;
            base_diags_init(&diags, &arena);
            base_alloc_fail_at(nth, true);
            int error = patterns_parse(&source, &arena, &diags, &script);
            bool fired = base_alloc_fault_fired();
            base_alloc_fail_at(0, false);
            good = good && (fired ? error == BASE_E_NOMEM && !script : error == 0 && script != NULL);
            base_diags_finish(&diags);
            base_arena_finish(&arena);
            if (!fired)
                break;
        }
        OK(good && base_alloc_live_blocks() == blocks, "memory may end anywhere");
    }
}

int main(void)
{
    test_depth();
    test_chains();
    test_numbers();
    test_mutations();
    test_memory();
    base_buf_finish(&text);
    return tap_done();
}
