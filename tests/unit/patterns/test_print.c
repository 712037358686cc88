/* Printing and parsing again gives the same tree; and the trees are the right ones. */
#include "tests/unit/patterns/round_trip.h"
#include "tests/unit/patterns/rule_texts.h"
#include "tests/unit/tap.h"

static void test_round_trips(void)
{
    for (size_t i = 0; i < RULE_TEXT_COUNT; i++) {
        struct round_trip t;
        const char *wrong = round_trip(&t, rule_texts[i], strlen(rule_texts[i]));
        bool good = !wrong && t.diags.errors == 0 && t.diags.warnings == 0 && t.script->statement_count == 1;
        if (!OK(good, "round trip"))
            printf("# %s\n# %s\n# %s\n", rule_texts[i], wrong ? wrong : "", t.said.ptr ? t.said.ptr : "");
        round_trip_finish(&t);
    }
}

/* The expression printed with all its nodes in prefix form. */
static void tree_is(const char *text, const char *want)
{
    struct base_arena arena = { 0 };
    struct base_diags diags;
    base_diags_init(&diags, &arena);
    struct base_source source = { "x", text, strlen(text) };
    const struct patterns_expr *expr = NULL;
    struct base_buf got = { 0 };
    if (patterns_parse_expression(&source, &arena, &diags, &expr) == 0)
        patterns_dump_expr(expr, &got);
    for (size_t i = 0; i < got.len; i++) {
        if (got.ptr[i] == '\n')
            got.ptr[i] = ';';
    }
    IS_STR(got.ptr ? got.ptr : "", want, text);
    base_buf_finish(&got);
    base_diags_finish(&diags);
    base_arena_finish(&arena);
}

static void test_precedence(void)
{
    tree_is("a OR b AND NOT c = d",
            "binary OR;  name a;  binary AND;    name b;    unary NOT;      binary =;        name c;        name d;");
    tree_is("a + b * -c", "binary +;  name a;  binary *;    name b;    unary -;      name c;");
    tree_is("a - b - c", "binary -;  binary -;    name a;    name b;  name c;");
    tree_is("a || b + c || d", "binary ||;  name a;  binary +;    name b;    name c;  name d;");
    tree_is("a BETWEEN b AND c AND d", "binary AND;  between;    name a;    name b;    name c;  name d;");
    tree_is("a NOT IN (1, 2)", "in not;  name a;  number 0 1;  number 0 2;");
    tree_is("a = b IS NULL", "unary IS NULL;  binary =;    name a;    name b;");
    tree_is("a AND b AND c", "binary AND;  name a;  name b;  name c;");
    tree_is("a AND (b AND c)", "binary AND;  name a;  binary AND;    name b;    name c;");
    tree_is("A.x.\"Y\"", "name A.x.\"Y\";");
    tree_is("a[1].b", "field b;  index;    name a;    number 0 1;");
    tree_is("12.30", "number 1 12.30;");
    tree_is("INTERVAL '5' MINUTES", "interval '5' MINUTE(-1) to (-1);");
    tree_is("interval - x", "binary -;  name interval;  name x;");
    tree_is("date > DATE '2020-01-01'", "binary >;  name date;  date '2020-01-01';");
    tree_is("RUNNING SUM(x)", "call SUM syntax 0 mode 1;  name x;");
    tree_is("FINAL(x)", "call FINAL syntax 0 mode 0;  name x;");
}

/* The row pattern as the printer writes it: shows how quantifiers and arrows were read. */
static void pattern_is(const char *text, const char *want)
{
    char rule[512];
    snprintf(rule, sizeof rule, PATTERN("%s"), text);
    struct round_trip t;
    const char *wrong = round_trip(&t, rule, strlen(rule));
    struct base_buf got = { 0 };
    if (!wrong && t.diags.errors == 0) {
        const struct patterns_table *table = t.script->statements[0]->query->select->from;
        patterns_dump_pattern(table->match.match->pattern, &got);
    }
    for (size_t i = 0; i < got.len; i++) {
        if (got.ptr[i] == '\n')
            got.ptr[i] = ';';
    }
    IS_STR(got.ptr ? got.ptr : "", want, text);
    base_buf_finish(&got);
    round_trip_finish(&t);
}

static void test_patterns(void)
{
    pattern_is("A+?", "repeat 1.. reluctant;  variable A;");
    pattern_is("A++", "repeat 1.. possessive;  variable A;");
    pattern_is("A??", "repeat 0..1 reluctant;  variable A;");
    pattern_is("A {2} {3}", "repeat 3..3;  repeat 2..2;    variable A;");
    pattern_is("A+{2}", "repeat 2..2;  repeat 1..;    variable A;");
    pattern_is("A**", "repeat 0..;  repeat 0..;    variable A;");
    pattern_is("A{,}", "repeat 0..;  variable A;");
    pattern_is("A B | C", "choice;  sequence;    variable A;    variable B;  variable C;");
    pattern_is("(A B) C", "sequence;  sequence;    variable A;    variable B;  variable C;");
    pattern_is("A -> B+", "sequence;  variable A;  follow ->;    repeat 1..;      variable B;");
    pattern_is("A (->> B)*", "sequence;  variable A;  repeat 0..;    follow ->>;      variable B;");
    pattern_is("A -> NOT N -> B", "sequence;  variable A;  not ->;    variable N;  follow ->;    variable B;");
    pattern_is("A NOT (N | M) B",
               "sequence;  variable A;  not;    choice;      variable N;      variable M;  variable B;");
    pattern_is("() | ^$", "choice;  empty;  sequence;    start;    end;");
    pattern_is("{-A-}", "exclude;  variable A;");
    pattern_is("PERMUTE(A, B C)", "permute;  variable A;  sequence;    variable B;    variable C;");
}

static void test_text(void)
{
    const char *rule = "create rule r with ('a'='b') as select m.x, count(*) c from t match_recognize (partition by k "
                       "order by ts measures a.x as x pattern (a (-> b)* -> not c) within interval '2' minute "
                       "define b as b.x > a.x) m where m.x > 1 group by m.x";
    struct round_trip t;
    OK(round_trip(&t, rule, strlen(rule)) == NULL, "a rule in small letters");
    IS_STR(t.printed.ptr,
           "CREATE RULE r\nWITH (\n  'a' = 'b'\n) AS\nSELECT m.x, count(*) AS c\nFROM t MATCH_RECOGNIZE (\n"
           "  PARTITION BY k\n  ORDER BY ts\n  MEASURES\n    a.x AS x\n"
           "  PATTERN (a (-> b)* -> NOT c) WITHIN INTERVAL '2' MINUTE\n  DEFINE\n    b AS b.x > a.x\n) AS m\n"
           "WHERE m.x > 1\nGROUP BY m.x;\n",
           "its canonical text");
    round_trip_finish(&t);
}

static void test_places(void)
{
    const char *text = "SELECT a, SUM(b) + 1 AS c FROM t";
    struct round_trip t;
    OK(round_trip(&t, text, strlen(text)) == NULL, "a query");
    const struct patterns_select *select = t.script->statements[0]->query->select;
    IS_INT(select->items[1].expr->begin, 10, "an expression begins at its first token");
    IS_INT(select->items[1].expr->end, 20, "and ends behind its last");
    IS_INT(select->items[1].end, 25, "the item ends behind its alias");
    OK(select->items[1].expr->source == &t.source, "the node knows its source");
    IS_INT(t.script->statements[0]->end, strlen(text), "the statement ends with the text");
    round_trip_finish(&t);
}

int main(void)
{
    test_round_trips();
    test_precedence();
    test_patterns();
    test_text();
    test_places();
    return tap_done();
}
