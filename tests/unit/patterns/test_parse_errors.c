/* The diagnostics of rule texts, word for word: place, code, message, hint. */
#include "base/arena.h"
#include "base/error.h"
#include "patterns/parse.h"
#include "tests/unit/tap.h"

struct golden {
    const char *text;
    size_t column; /* 1-based */
    const char *code;
    const char *message;
    const char *hint;
};
static const struct golden goldens[] = {
    { "SELECT a, FROM t", 11, "syntax", "expected an expression, found \"FROM\"", "remove the comma before it" },
    { "SELECT a b c FROM t", 12, "syntax", "expected \",\" or \"FROM\" after the column, found \"c\"",
      "is a comma missing before it?" },
    { "SELECT a FROM t WHERE a == 1", 25, "syntax", "expected the end of the statement, found \"==\"",
      "equality is written =" },
    { "SELECT a FROM t WHERE a = 1 && b = 2", 29, "syntax", "expected the end of the statement, found \"&&\"",
      "write AND" },
    { "SELECT a FROM t WHERE a < b < c", 29, "syntax", "comparisons do not chain",
      "write a < b AND b < c, or put parentheses" },
    { "SELECT a FROM t WHERE a > = 1", 27, "syntax", "expected an expression, found \"=\"",
      "<= and >= are written without a blank" },
    { "SELECT a FROM t WHERE a => 1", 25, "syntax", "expected the end of the statement, found \"=>\"",
      "greater or equal is written >=" },
    { "SELECT 'abc FROM t", 8, "unterminated-string", "this string is never closed",
      "a quote inside a string is doubled: 'it''s'; look for an odd quote from here on" },
    { "SELECT \"abc FROM t", 8, "unterminated-name", "this quoted name is never closed", NULL },
    { "SELECT /* x FROM t", 8, "unterminated-comment", "this comment is never closed", "close it with */" },
    { "SELECT order FROM t", 8, "reserved-word", "expected an expression, found the reserved word ORDER",
      "as a name it must be quoted: `order`" },
    { "SELECT a AS order FROM t", 13, "reserved-word", "expected a column name after AS, found the reserved word ORDER",
      "as a name it must be quoted: `order`" },
    { "SELECT a FROM t GROUP a", 23, "syntax", "expected \"BY\" after GROUP, found \"a\"", NULL },
    { "SELECT a FROM t LIMIT 1, 2", 24, "syntax", "LIMIT has one number", "write LIMIT count OFFSET start" },
    { "SELECT a FROM t WHERE x RLIKE 'a'", 25, "unsupported", "there is no such operator",
      "write REGEXP(value, 'expression')" },
    { "SELECT a FROM t WHERE x ILIKE 'a'", 25, "unsupported", "there is no such operator",
      "write LOWER(value) LIKE 'pattern'" },
    { "SELECT a FROM t WHERE x IN 1", 28, "syntax", "expected \"(\" after IN, found \"1\"", "write x IN ('a', 'b')" },
    { "SELECT a FROM t WHERE x IN (1 2)", 31, "syntax", "expected \",\" or \")\" in the list of IN, found \"2\"",
      "is a comma missing before it?" },
    { "SELECT a FROM t WHERE x IS 1", 28, "syntax",
      "expected NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS, found \"1\"", NULL },
    { "SELECT a -> b FROM t", 10, "syntax", "expected the end of the statement, found \"->\"",
      "-> and ->> order the steps inside PATTERN (...)" },
    { "SELECT INTERVAL 5 MINUTE", 17, "syntax", "expected a string after INTERVAL, found \"5\"",
      "the amount of an interval is quoted: INTERVAL '5' MINUTE" },
    { "SELECT INTERVAL '5' FORTNIGHT", 21, "syntax", "expected a unit of time, found \"FORTNIGHT\"",
      "units are YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND" },
    { "SELECT INTERVAL '5' MINUTE TO DAY", 21, "syntax", "there is no interval MINUTE TO DAY",
      "YEAR TO MONTH, or two of DAY, HOUR, MINUTE, SECOND in this order" },
    { "SELECT x::INT FROM t", 9, "syntax", "expected the end of the statement, found \"::\"",
      "write CAST(value AS type)" },
    { "SELECT f(a b) FROM t", 12, "syntax", "expected \",\" or \")\" after the argument, found \"b\"",
      "is a comma missing before it?" },
    { "SELECT (a FROM t", 11, "syntax", "expected \")\" after the expression, found \"FROM\"", NULL },
    { "SELECT a) FROM t", 9, "syntax", "expected the end of the statement, found \")\"",
      "this parenthesis was never opened" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A B DEFINE A AS TRUE)", 47, "syntax",
      "expected \")\" after the pattern, found \"DEFINE\"", NULL },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN ((A B) DEFINE A AS TRUE)", 49, "syntax",
      "expected \")\" after the pattern, found \"DEFINE\"", NULL },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN () DEFINE A AS TRUE)", 43, "syntax",
      "expected a pattern variable in PATTERN, found \")\"", "a pattern that matches nothing is written (())" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A{3,1}) DEFINE A AS TRUE)", 44, "quantifier",
      "the lower bound 3 of the quantifier is above the upper bound 1", "the smaller bound stands first" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A{0}) DEFINE A AS TRUE)", 44, "quantifier",
      "the upper bound of a quantifier must be at least 1", "leave the element out, or write () for nothing" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A{2) DEFINE A AS TRUE)", 46, "syntax",
      "expected \"}\" after the bounds of the quantifier, found \")\"", "quantifiers are * + ? {n} {n,} {,m} {n,m}" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A, B) DEFINE A AS TRUE)", 44, "syntax",
      "expected \")\" after the pattern, found \",\"", "the elements of a pattern follow each other without commas" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A || B) DEFINE A AS TRUE)", 45, "syntax",
      "expected a pattern variable, found \"||\"", "alternatives are separated by a single |" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A |) DEFINE A AS TRUE)", 46, "syntax",
      "expected a pattern variable, found \")\"", "nothing is written ()" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (+A) DEFINE A AS TRUE)", 43, "syntax",
      "expected a pattern variable, found \"+\"", "a quantifier stands behind an element: A+, (A B){2}" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A -> -> B) DEFINE A AS TRUE)", 48, "syntax",
      "expected a pattern variable after the arrow, found \"->\"", "one arrow stands before an element" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A ->) DEFINE A AS TRUE)", 47, "syntax",
      "expected a pattern variable after the arrow, found \")\"", NULL },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A NOT (B C) D) DEFINE A AS TRUE)", 50, "syntax",
      "NOT takes a variable, or several in parentheses", "write NOT N, or NOT (N1 | N2)" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A NOT B+ D) DEFINE A AS TRUE)", 50, "syntax",
      "a variable behind NOT has no quantifier", "NOT N means that no such row comes; it needs no count" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN ({- A ) DEFINE A AS TRUE)", 48, "syntax",
      "expected \"-}\" at the end of the exclusion {- ... -}, found \")\"", NULL },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (PERMUTE(A,B,C,D,E,F,G)) DEFINE A AS TRUE)", 43, "limit",
      "PERMUTE has 7 elements; the limit is 6", "the number of orders grows as the factorial" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE A = TRUE)", 55, "syntax",
      "expected \"AS\" after the variable, found \"=\"", "write DEFINE A AS A.amount > 100" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS TRUE B AS FALSE)", 63, "syntax",
      "expected \",\" or \")\" in DEFINE, found \"B\"", "is a comma missing before it?" },
    { "SELECT * FROM t MATCH_RECOGNIZE (DEFINE A AS TRUE PATTERN (A))", 34, "syntax",
      "expected \"PATTERN\" in MATCH_RECOGNIZE, found \"DEFINE\"",
      "the clauses stand in this order: PARTITION BY, ORDER BY, MEASURES, ONE ROW PER MATCH, ALL MATCHES, AFTER MATCH, "
      "PATTERN, WITHIN, SUBSET, DEFINE" },
    { "SELECT * FROM t MATCH_RECOGNIZE (MEASURES A.x n PATTERN (A) DEFINE A AS TRUE)", 47, "syntax",
      "expected \"AS\" after the measure, found \"n\"", "each measure has a name: FIRST(A.ts) AS start_ts" },
    { "SELECT * FROM t MATCH_RECOGNIZE (ONE ROWS PER MATCH PATTERN (A) DEFINE A AS TRUE)", 38, "syntax",
      "expected \"ROW\" after ONE, found \"ROWS\"", "did you mean ROW?" },
    { "SELECT a FORM t", 15, "syntax", "expected \",\" or \"FROM\" after the column, found \"t\"",
      "is a comma missing before it?" },
    { "SELECT * FORM t", 10, "syntax", "expected \",\" or \"FROM\" after the column, found \"FORM\"", "did you mean FROM?" },
    { "SELEC a FROM t", 1, "syntax", "expected a statement, found \"SELEC\"", "did you mean SELECT?" },
    { "SELECT INTERVAL '5' minuts", 21, "syntax", "expected a unit of time, found \"minuts\"", "did you mean MINUTE?" },
    { "SELECT * FROM t MATCH_RECOGNISE (PATTERN (A) DEFINE A AS TRUE)", 17, "syntax",
      "expected a clause or an alias, found \"MATCH_RECOGNISE\"", "did you mean MATCH_RECOGNIZE?" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFNE A AS TRUE)", 46, "syntax",
      "expected \")\" at the end of MATCH_RECOGNIZE, found \"DEFNE\"", "did you mean DEFINE?" },
    { "SELECT * FROM t MATCH_RECOGNIZE (AFTER MATCH SKIP PAST LAST ROWS PATTERN (A) DEFINE A AS TRUE)", 61, "syntax",
      "expected \"ROW\" after SKIP PAST LAST, found \"ROWS\"", "did you mean ROW?" },
    { "SELECT * FROM t MATCH_RECOGNIZE (ONE ROW PER MATCH OMIT EMPTY MATCHES PATTERN (A) DEFINE A AS TRUE)", 52,
      "syntax", "ONE ROW PER MATCH has no such option", "write ALL ROWS PER MATCH ..." },
    { "SELECT * FROM t MATCH_RECOGNIZE (AFTER MATCH SKIP LAST A PATTERN (A) DEFINE A AS TRUE)", 51, "syntax",
      "expected \"PAST LAST ROW\" or \"TO\" after AFTER MATCH SKIP, found \"LAST\"",
      "write PAST LAST ROW, TO NEXT ROW, TO FIRST A, TO LAST A or TO CURRENT ROW" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A & B) DEFINE A AS TRUE)", 45, "syntax",
      "expected a pattern variable, found \"&\"", NULL },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A -> NOT B FOR 5 MINUTE) DEFINE A AS TRUE)", 58, "syntax",
      "expected \"INTERVAL\" after FOR, found \"5\"", "write FOR INTERVAL '5' MINUTE" },
    { "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A B) WITHIN 5 MINUTE DEFINE A AS TRUE)", 55, "syntax",
      "expected \"INTERVAL\" after WITHIN, found \"5\"", "write WITHIN INTERVAL '5' MINUTE" },
    { "CREATE TABLE t (a TEXT)", 19, "syntax", "expected a type, found \"TEXT\"", "write STRING" },
    { "CREATE TABLE t (a INT b INT)", 23, "syntax", "expected \",\" or \")\" after the column, found \"b\"",
      "is a comma missing before it?" },
    { "CREATE TABLE t (a INT, PRIMARY KEY (a))", 39, "syntax",
      "expected \"NOT ENFORCED\" after PRIMARY KEY, found \")\"",
      "a stream cannot be made to keep a key: write PRIMARY KEY (k) NOT ENFORCED" },
    { "CREATE TABLE t (a INT) WITH (connector = 'kafka')", 30, "syntax",
      "expected an option in quotes, found \"connector\"", "options are written 'key' = 'value'" },
    { "CREATE TABLE t (a INT) WITH (\"connector\" = 'kafka')", 30, "syntax",
      "expected an option, found the name \"connector\"",
      "a string is written in single quotes; double quotes and backticks are for names" },
    { "CREATE TABLE t (a INT) WITH ('connector' = \"kafka\")", 44, "syntax",
      "expected the value of the option, found the name \"kafka\"",
      "a string is written in single quotes; double quotes and backticks are for names" },
    { "CREATE TABLE t (a INT) WITH ('connector' = 5)", 44, "syntax",
      "expected the value of the option in quotes, found \"5\"", "numbers too: 'parallelism' = '4'" },
    { "CREATE TABLE t (a INT) WITH ('a' = 'b' 'c' = 'd')", 40, "syntax",
      "expected \",\" or \")\" after the option, found the string 'c'", "is a comma missing before it?" },
    { "CREATE TABLE t (a INT,)", 23, "syntax", "expected a column name, found \")\"", "remove the comma before it" },
    { "CREATE FUNCTION f AS 'x'", 8, "unsupported", "CREATE FUNCTION is not supported",
      "only tables, views and rules can be created" },
    { "CREATE OR REPLACE VIEW v AS SELECT 1", 8, "unsupported", "CREATE OR REPLACE is not supported",
      "rule files are the whole truth: change the text and reload; write CREATE" },
    { "CREATE RULE r AS INSERT INTO t SELECT 1", 18, "syntax",
      "expected a query (SELECT, VALUES or WITH), found \"INSERT\"", NULL },
    { "CREATE INDEX i", 8, "syntax", "expected TABLE, VIEW, MATERIALIZED VIEW or RULE after CREATE, found \"INDEX\"",
      NULL },
    { "ALTER TABLE t ADD c INT", 1, "unsupported", "the statement ALTER is not supported",
      "change the CREATE statement and reload" },
    { "SELECT * FROM TABLE(TUMBLE(t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))", 28, "syntax",
      "expected \"TABLE\" before the name of the table, found \"t\"", "write TUMBLE(TABLE t, DESCRIPTOR(ts), ...)" },
    { "SELECT * FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))", 21, "syntax", "HOP lacks an argument",
      "write HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '10' MINUTE): slide, then size" },
    { "SELECT * FROM TUMBLE(TABLE t, ts, INTERVAL '1' MINUTE)", 31, "syntax",
      "expected \"DESCRIPTOR\" around the time column, found \"ts\"", "write DESCRIPTOR(ts)" },
    { "SELECT * FROM LATERAL TABLE(f(x))", 15, "unsupported", "LATERAL and UNNEST are not supported",
      "a lookup is written JOIN t FOR SYSTEM_TIME AS OF time ON ...; for the elements of an array use a[1] or an array "
      "function" },
    { "SELECT * FROM f(x)", 15, "unsupported", "there is no such table function",
      "the table functions are TUMBLE, HOP, CUMULATE and SESSION; names of columns stand behind an alias: t AS x (a, "
      "b)" },
    { "SELECT * FROM a JOIN b", 23, "syntax",
      "expected \"ON\" and the condition of the join, found the end of the text",
      "a join without condition is written CROSS JOIN" },
    { "SELECT * FROM a NATURAL JOIN b", 17, "unsupported", "NATURAL joins are not supported",
      "write JOIN t ON a.k = t.k" },
    { "SELECT * FROM a LEFT b ON x", 22, "syntax", "expected \"JOIN\" between the tables, found \"b\"", NULL },
    { "SELECT * FROM a GROUP BY CUBE(a, b, c, d, e, f, g)", 26, "limit", "a GROUP BY has at most 64 grouping sets",
      "write GROUPING SETS with those that are wanted" },
    { "SELECT * FROM a GROUP BY ROLLUP(a, b), CUBE(a, b, c, d, e)", 26, "limit", "a GROUP BY has at most 64 grouping sets",
      "write GROUPING SETS with those that are wanted" },
    { "SELECT 1st FROM t", 8, "bad-number", "a number runs into a name",
      "put a blank behind the number, or quote the name: `1st`" },
    { "SELECT # comment", 8, "syntax", "expected an expression, found \"#\"", "a comment starts with --" },
    { "SELECT ?", 8, "syntax", "expected an expression, found \"?\"",
      "parameters are not known here; write the value, or an option of the rule by PARAM('name')" },
    { "SELECT a FROM t SELECT b FROM u", 17, "syntax", "expected the end of the statement, found \"SELECT\"",
      "a semicolon ends the statement before it" },
    { "SELECT CASE a THEN 1 END", 15, "syntax", "expected \"WHEN\" in CASE, found \"THEN\"", NULL },
    { "SELECT CASE WHEN a 1 END", 20, "syntax", "expected \"THEN\" after the condition of WHEN, found \"1\"", NULL },
    { "SELECT CAST(a INT)", 15, "syntax", "expected \"AS\" in CAST(value AS type), found \"INT\"", NULL },
    { "SELECT SUM(a) OVER (ROWS 3)", 27, "syntax",
      "expected \"PRECEDING\" or \"FOLLOWING\" in the frame of OVER, found \")\"", NULL },
    { "SELECT COUNT(*) FILTER (x > 1) FROM t", 25, "syntax", "expected \"WHERE\" in FILTER (WHERE ...), found \"x\"",
      NULL },
    { "SELECT a FROM t WHERE", 22, "syntax", "expected an expression, found the end of the text", NULL },
    { "SELECT a FROM 't'", 15, "syntax", "expected a table name, found the string 't'",
      "names are quoted by \"...\" or `...`, strings by '...'" },
    { "SELECT @x", 8, "syntax", "expected an expression, found \"@\"", "a name with such a character must be quoted" },
    { "SELECT x FROM t WHERE a LIKE 'x' ESCAPE", 40, "syntax", "expected an expression, found the end of the text",
      NULL },
    { "FOO BAR", 1, "syntax", "expected a statement, found \"FOO\"",
      "statements start with CREATE TABLE, CREATE VIEW, CREATE RULE, INSERT INTO, DROP, SET, EXPLAIN or SELECT" },
};

static struct base_arena arena;
static struct base_diags diags;
static struct base_source source;

static struct patterns_script *parse(const char *text)
{
    struct patterns_script *script = NULL;
    base_diags_finish(&diags);
    base_arena_reset(&arena);
    base_diags_init(&diags, &arena);
    source = (struct base_source){ "rule.sql", text, strlen(text) };
    return patterns_parse(&source, &arena, &diags, &script) == 0 ? script : NULL;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_goldens(void)
{
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        const struct golden *want = &goldens[i];
        struct patterns_script *script = parse(want->text);
        bool one = script && script->statement_count == 0 && diags.errors == 1 && diags.len == 1;
        const struct base_diag *got = one ? &diags.at[0] : NULL;
        bool good = one && got->begin + 1 == want->column && same(got->code, want->code) &&
                    same(got->message, want->message) && same(got->hint, want->hint);
        if (!OK(good, want->text) && one)
            printf("# %zu [%s] %s\n# hint: %s\n", got->begin + 1, got->code, got->message, got->hint ? got->hint : "");
    }
}

static void test_recovery(void)
{
    struct patterns_script *script = parse("SELECT a FROM t; SELECT FROM t; SELECT b c d; DROP x; SELECT 1");
    IS_INT(diags.errors, 3, "one error for each bad statement");
    IS_INT(script->statement_count, 2, "the good ones are there");
    IS_INT(script->statements[1]->begin, 54, "each at its place");
    script = parse("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END;");
    IS_INT(diags.errors, 1, "a statement set is one error");
    IS_STR(diags.at[0].code, "unsupported", "of its own kind");
    IS_INT(script->statement_count, 1, "and its second INSERT is read");
    script = parse(";;  ; -- nothing\n;");
    OK(script && script->statement_count == 0 && diags.errors == 0, "empty statements are nothing");
    script = parse("SELECT 1; SELECT 'x");
    OK(script->statement_count == 1 && diags.errors == 1, "a broken token spoils its statement only");
    char many[2000] = "";
    for (int i = 0; i < 30; i++)
        strcat(many, "SELEKT 1;");
    script = parse(many);
    IS_INT(diags.errors, 30, "all errors are counted");
    IS_INT(diags.len, BASE_DIAG_MAX, "twenty are told");
}

static void test_expression(void)
{
    const struct patterns_expr *expr = NULL;
    base_diags_finish(&diags);
    base_diags_init(&diags, &arena);
    source = (struct base_source){ "x", "a + ", 4 };
    IS_INT(patterns_parse_expression(&source, &arena, &diags, &expr), BASE_E_SYNTAX, "half an expression");
    source = (struct base_source){ "x", "a b", 3 };
    IS_INT(patterns_parse_expression(&source, &arena, &diags, &expr), BASE_E_SYNTAX, "two expressions");
    source = (struct base_source){ "x", "'a", 2 };
    IS_INT(patterns_parse_expression(&source, &arena, &diags, &expr), BASE_E_SYNTAX, "a broken token");
    OK(expr == NULL, "nothing is returned");
    IS_INT(diags.errors, 3, "each is told once");
    source = (struct base_source){ "x", "a", 1 };
    OK(patterns_parse_expression(&source, &arena, &diags, &expr) == 0 && expr->kind == PATTERNS_EXPR_NAME, "a name");
}

static void test_render(void)
{
    (void)parse("SELECT a\nFROM t MATCH_RECOGNIZE (\n  PATTERN (A B\n  DEFINE A AS TRUE)");
    struct base_buf out = { 0 };
    base_diags_render(&diags, &out);
    IS_STR(out.ptr,
           "rule.sql:4:3: error: expected \")\" after the pattern, found \"DEFINE\" [syntax]\n"
           "    DEFINE A AS TRUE)\n    ^~~~~~\n",
           "file, line, column, the line and a caret");
    base_buf_finish(&out);
}

int main(void)
{
    test_goldens();
    test_recovery();
    test_expression();
    test_render();
    base_diags_finish(&diags);
    base_arena_finish(&arena);
    return tap_done();
}
