/* Row patterns through the whole compiler: automata with their registers, refusals with their places, warnings,
 * stability, fingerprints. */
#include "patterns/bind_pattern.h"

#include "base/alloc.h"
#include "base/error.h"
#include "patterns/compile.h"
#include "tests/unit/tap.h"

static const char table[] = "CREATE TABLE t (k STRING, c STRING, v INT, d DECIMAL(12, 2), b BOOLEAN, ts "
                            "TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)"
                            " WITH ('connector' = 'filesystem', 'path' = 'x', 'format' = 'json');\n";

struct compiled {
    struct base_arena arena;
    struct base_diags diags;
    struct base_source source;
    struct base_buf text;
    struct patterns_result *result;
    int r;
};

static struct cep_funcs *funcs;

static void compile_text(struct compiled *c, bool queries)
{
    struct patterns_options options = { .queries = queries };
    base_diags_init(&c->diags, &c->arena);
    c->source = (struct base_source){ "rule.sql", c->text.ptr, c->text.len };
    c->r = patterns_compile(&c->source, 1, funcs, &options, &c->arena, &c->diags, &c->result);
}

static void release(struct compiled *c)
{
    patterns_result_finish(c->result);
    base_diags_finish(&c->diags);
    base_arena_finish(&c->arena);
    base_buf_finish(&c->text);
}

/* A rule around what stands in MATCH_RECOGNIZE behind ORDER BY. */
static void compile_rule(struct compiled *c, const char *clause)
{
    *c = (struct compiled){ 0 };
    base_buf_printf(&c->text,
                    "%sCREATE RULE r AS SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts %s) AS m;\n", table,
                    clause);
    compile_text(c, false);
}

static void explained(const char *clause, const char *want)
{
    struct compiled c;
    struct base_buf out = { 0 };
    compile_rule(&c, clause);
    if (c.r)
        base_diags_render(&c.diags, &out);
    else
        patterns_explain_match(c.result->program, 0, (struct base_str){ c.text.ptr, c.text.len }, PATTERNS_EXPLAIN_TEXT,
                               &out);
    const char *end = out.ptr ? strstr(out.ptr, "registers of the measures") : NULL;
    if (!end)
        end = out.ptr ? strstr(out.ptr, "state per key") : NULL;
    if (end) { /* the measures' code is not what this test is about */
        out.len = (size_t)(end - out.ptr);
        out.ptr[out.len] = '\0';
    }
    IS_STR(out.ptr, want, clause);
    base_buf_finish(&out);
    release(&c);
}

static void test_registers(void)
{
    explained("PATTERN (A -> B -> C) WITHIN INTERVAL '2' MINUTE DEFINE B AS B.c <> A.c, C AS C.c NOT IN (A.c, B.c)",
              "automaton: 6 states, skip past last row, within 120000 ms, eager\n"
              "     0  take A -> 1\n"
              "     1  wait for B -> 2   [r0]\n"
              "     2  take B -> 3   [r0]\n"
              "     3  wait for C -> 4   [r0 r1]\n"
              "     4  take C -> 5   [r0 r1]\n"
              "     5  match\n"
              "conditions:\n"
              "  A: TRUE   (every row)\n"
              "  B: B.c <> A.c   (per partial match)\n"
              "  C: C.c NOT IN (A.c, B.c)   (per partial match)\n"
              "registers of a partial match: r0 STRING, r1 STRING\n"
              "  taken as A:\n"
              "code 1: no result, 1 slots\n"
              "    0  COLUMN         v0, #1\n"
              "    1  STORE          v0, #0\n"
              "    2  END           \n"
              "  taken as B:\n"
              "code 3: no result, 1 slots\n"
              "    0  COLUMN         v0, #1\n"
              "    1  STORE          v0, #1\n"
              "    2  END           \n");
    /* The row under test is the last A already: LAST(A.v, 1) is the A before it, one register. */
    explained(
        "PATTERN (A+ B) WITHIN INTERVAL '1' MINUTE DEFINE A AS LAST(A.v, 1) IS NULL OR A.v > LAST(A.v, 1), B AS TRUE",
        "automaton: 5 states, skip past last row, within 60000 ms, eager\n"
        "     0  take A -> 1   [r0]\n"
        "     1  split -> 2, then 3\n"
        "     2  take A -> 1   [r0]\n"
        "     3  take B -> 4\n"
        "     4  match\n"
        "conditions:\n"
        "  A: LAST(A.v, 1) IS NULL OR A.v > LAST(A.v, 1)   (per partial match)\n"
        "  B: TRUE   (every row)\n"
        "registers of a partial match: r0 INT\n"
        "  taken as A:\n"
        "code 2: no result, 1 slots\n"
        "    0  COLUMN         v0, #1\n"
        "    1  STORE          v0, #0\n"
        "    2  END           \n");
    /* A count that nobody reads behind the loop is no part of the waiting partial match. */
    explained("PATTERN (A+ -> B) WITHIN INTERVAL '1' MINUTE DEFINE A AS COUNT(*) < 3, B AS B.v > 5",
              "automaton: 6 states, skip past last row, within 60000 ms, eager\n"
              "     0  take A -> 1   [r0]\n"
              "     1  split -> 2, then 3\n"
              "     2  take A -> 1   [r0]\n"
              "     3  wait for B -> 4\n"
              "     4  take B -> 5\n"
              "     5  match\n"
              "conditions:\n"
              "  A: COUNT(*) < 3   (per partial match)\n"
              "  B: B.v > 5   (once per row)\n"
              "registers of a partial match: r0 BIGINT\n"
              "  taken as A:\n"
              "code 2: no result, 3 slots regs fallible\n"
              "    0  REG            v1, #0\n"
              "    1  CONST          v2, 1\n"
              "    2  ADD_I          v0, v1, v2\n"
              "    3  STORE          v0, #0\n"
              "    4  END           \n");
    explained("PATTERN (A -> NOT N -> B -> NOT C FOR INTERVAL '5' MINUTE) DEFINE N AS N.v > A.v, B AS B.c = 'b', C AS "
              "C.c = 'c'",
              "automaton: 7 states, skip past last row, eager\n"
              "     0  take A -> 1\n"
              "     1  not N -> 2\n"
              "     2  wait for B -> 3   [r0]\n"
              "     3  take B -> 4   [r0]\n"
              "     4  not C -> 5\n"
              "     5  absent for 300000 ms -> 6   [r1]\n"
              "     6  match\n"
              "conditions:\n"
              "  A: TRUE   (every row)\n"
              "  N: N.v > A.v   (per partial match)\n"
              "  B: B.c = 'b'   (once per row)\n"
              "  C: C.c = 'c'   (once per row)\n"
              "registers of a partial match: r0 INT, r1 TIMESTAMP_LTZ(3)\n"
              "  taken as A:\n"
              "code 1: no result, 1 slots\n"
              "    0  COLUMN         v0, #2\n"
              "    1  STORE          v0, #0\n"
              "    2  END           \n"
              "  taken as B:\n"
              "code 4: no result, 1 slots\n"
              "    0  ROW_TIME       v0\n"
              "    1  STORE          v0, #1\n"
              "    2  END           \n");
}

/* ---- refusals: code and the words that the caret stands under ---- */

static void refused(const char *clause, const char *code, const char *place)
{
    struct compiled c;
    bool found = false;
    compile_rule(&c, clause);
    for (size_t i = 0; i < c.diags.len && !found; i++) {
        const struct base_diag *d = &c.diags.at[i];
        found = d->severity == BASE_SEVERITY_ERROR && strcmp(d->code, code) == 0 && d->source &&
                d->end - d->begin == strlen(place) && memcmp(d->source->text + d->begin, place, strlen(place)) == 0;
    }
    if (!OK(found && c.r == BASE_E_SYNTAX && !c.result, clause)) {
        for (size_t i = 0; i < c.diags.len; i++)
            printf("# %s at \"%.*s\": %s\n", c.diags.at[i].code, (int)(c.diags.at[i].end - c.diags.at[i].begin),
                   c.text.ptr + c.diags.at[i].begin, c.diags.at[i].message);
    }
    release(&c);
}

static void hinted(const char *clause, const char *hint)
{
    struct compiled c;
    bool found = false;
    compile_rule(&c, clause);
    for (size_t i = 0; i < c.diags.len && !found; i++)
        found = c.diags.at[i].severity == BASE_SEVERITY_ERROR && c.diags.at[i].hint && strstr(c.diags.at[i].hint, hint);
    OK(found && !c.result, clause);
    for (size_t i = 0; i < c.diags.len && !found; i++)
        printf("# %s: %s | %s\n", c.diags.at[i].code, c.diags.at[i].message, c.diags.at[i].hint ? c.diags.at[i].hint : "no hint");
    release(&c);
}

/* What users of other systems write: the remedy must be theirs. */
static void test_hints(void)
{
    hinted("MEASURES COUNT(A) AS n PATTERN (A B)", "COUNT(A.*) counts its rows");
    hinted("MEASURES CLASSIFIER AS n PATTERN (A B)", "write CLASSIFIER()");
    hinted("MEASURES A.* PATTERN (A B)", "name the columns one by one");
    hinted("MEASURES A.LAST(v) AS n PATTERN (A B)", "LAST(A.amount), not A.LAST(amount)");
    hinted("MEASURES A.v AS n PATTERN A B", "write PATTERN (A B)");
    hinted("MEASURES A.v AS n PATTERN (A B)+", "PATTERN ((A B)+)");
    hinted("MEASURES A.v AS n PATTERN (A => B)", "is written ->");
    hinted("AFTER MATCH SKIP TO NEXT PATTERN (A B)", "SKIP TO NEXT ROW");
    hinted("AFTER MATCH SKIP PAST LAST PATTERN (A B)", "SKIP PAST LAST ROW");
    hinted("AFTER MATCH SKIP TO C PATTERN (A B)", "the variables are A, B");
    hinted("PATTERN (A B) DEFINE B AS c = \"US\"", "single quotes: 'US'");
    hinted("PATTERN (A B) DEFINE B AS LAG(v) > 1", "PREV(x)");
    hinted("PATTERN (A B) DEFINE B AS PREVIOUS(v) > 1", "PREV(x)");
    hinted("PATTERN (A B) DEFINE B AS ts - A.ts < 60", "INTERVAL '60' SECOND");
    hinted("PATTERN (A B) DEFINE B AS zzzzz > 1", "the columns are ");
    hinted("PATTERN (A B) DEFINE B AS v BETWEEN 1, 5", "BETWEEN 1 AND 5");
    hinted("PATTERN (A B) DEFINE B AS CAST(v, INT) > 1", "CAST(x AS INT)");
    hinted("PATTERN (A B) DEFINE B AS TUMBLE(ts, INTERVAL '5' MINUTE) > 1", "windows stand in FROM");
    hinted("PATTERN (A B) DEFINE B AS ZZ.v > 1", "the variables are A, B");
}

static void test_refusals(void)
{
    refused("PATTERN (A B) DEFINE X AS TRUE", "unknown-variable", "X");
    refused("PATTERN (A B) DEFINE A AS TRUE, A AS FALSE", "duplicate-name", "A");
    refused("PATTERN (A B) DEFINE B AS B.vv > 1", "unknown-column", "vv");
    refused("PATTERN (A B) DEFINE B AS t.v > 1", "unknown-variable", "t");
    refused("PATTERN (A B) DEFINE B AS X.v > 1", "unknown-variable", "X");
    refused("PATTERN (A B) DEFINE B AS B.v", "type-mismatch", "B.v");
    refused("PATTERN (A B) SUBSET A = (B)", "duplicate-name", "A");
    refused("PATTERN (A B) SUBSET s = (B, x)", "unknown-variable", "x");
    refused("PATTERN (A B) SUBSET s = (A, B), u = (s)", "unknown-variable", "s");
    refused("PATTERN (A B) SUBSET s = (A, B) DEFINE s AS TRUE", "unknown-variable", "s");
    refused("MEASURES SUM(A.v + B.v) AS x PATTERN (A B)", "mixed-variables", "B.v");
    refused("MEASURES COUNT(A.v = v) AS x PATTERN (A B)", "mixed-variables", "v");
    refused("MEASURES LAST_VALUE(DISTINCT A.v) AS x PATTERN (A B)", "bad-argument", "LAST_VALUE(DISTINCT A.v)");
    refused("MEASURES LAST(NEXT(v)) AS x PATTERN (A B)", "bad-nesting", "NEXT(v)");
    refused("MEASURES PREV(NEXT(v)) AS x PATTERN (A B)", "bad-nesting", "NEXT(v)");
    refused("MEASURES SUM(PREV(v)) AS x PATTERN (A B)", "bad-nesting", "PREV(v)");
    refused("MEASURES LAST('x') AS x PATTERN (A B)", "bad-argument", "LAST('x')");
    refused("MEASURES CLASSIFIER(A.v) AS x PATTERN (A B)", "bad-argument", "CLASSIFIER(A.v)");
    refused("MEASURES CLASSIFIER(x) AS x PATTERN (A B)", "unknown-variable", "x");
    refused("MEASURES MATCH_NUMBER(A) AS x PATTERN (A B)", "bad-argument", "MATCH_NUMBER(A)");
    refused("MEASURES FINAL A.v AS x PATTERN (A B)", "syntax", "A");
    refused("PATTERN (A B) DEFINE B AS FINAL LAST(A.v) > 1", "bad-mode", "FINAL LAST(A.v)");
    refused("MEASURES FINAL PREV(v) AS x PATTERN (A B)", "bad-mode", "FINAL PREV(v)");
    refused("AFTER MATCH SKIP TO LAST x PATTERN (A B)", "unknown-variable", "x");
    refused("ALL ROWS PER MATCH WITH UNMATCHED ROWS PATTERN ({- A -} B)", "bad-exclusion", "{- A -} B");
    refused("PATTERN (A*)", "empty-match", "A*");
    refused("ALL ROWS PER MATCH PATTERN (A*)", "empty-match", "A*");
    refused("PATTERN (A -> NOT B)", "missing-within", "-> NOT B");
    refused("PATTERN (-> A B)", "pattern-start", "-> A");
    refused("ONE ROW PER MATCH WITH TIMEOUT ROWS PATTERN (A B)", "missing-within", "A B");
    refused("PATTERN (A -> B) DEFINE B AS PREV(CLASSIFIER(), 33) = 'A'", "not-supported", "PREV(CLASSIFIER(), 33)");
    refused("PATTERN (A{9999,9999}{9999,9999})", "limit", "A{9999,9999}{9999,9999}");
}

static void refused_order(const char *order, const char *code, const char *place)
{
    struct compiled c = { 0 };
    bool found = false;
    base_buf_printf(&c.text, "%sCREATE RULE r AS SELECT * FROM t MATCH_RECOGNIZE (%s PATTERN (A B)) AS m;\n", table,
                    order);
    compile_text(&c, false);
    for (size_t i = 0; i < c.diags.len && !found; i++)
        found = strcmp(c.diags.at[i].code, code) == 0 &&
                strncmp(c.text.ptr + c.diags.at[i].begin, place, strlen(place)) == 0;
    OK(found && c.r == BASE_E_SYNTAX, order);
    release(&c);
}

static void test_orders(void)
{
    refused_order("ORDER BY v", "bad-order", "v");
    refused_order("ORDER BY ts DESC", "bad-order", "ts");
    refused_order("", "missing-order", "");
    refused_order("ORDER BY v + 1", "not-a-column", "v + 1");
    refused_order("PARTITION BY v + 1 ORDER BY ts", "not-a-column", "v + 1");
    struct compiled c = { 0 };
    base_buf_printf(&c.text, "%sSELECT * FROM t MATCH_RECOGNIZE (ORDER BY v DESC NULLS LAST, ts MEASURES A.v AS v PATTERN (A B));\n",
                    table);
    compile_text(&c, true);
    OK(c.r == 0 && cep_program_match(c.result->program, 0)->batch_sort == 1 &&
           cep_program_match(c.result->program, 0)->order.count == 2,
       "a query over files may sort by any columns");
    release(&c);
}

/* ---- warnings ---- */

static void told(const char *clause, const char *code, bool expected)
{
    struct compiled c;
    bool found = false;
    compile_rule(&c, clause);
    for (size_t i = 0; i < c.diags.len; i++)
        found |= strcmp(c.diags.at[i].code, code) == 0;
    OK(c.r == 0 && found == expected, clause);
    release(&c);
}

static void test_warnings(void)
{
    told("PATTERN (A -> B)", "unbounded-state", true);
    told("PATTERN (A -> B) WITHIN INTERVAL '1' MINUTE", "unbounded-state", false);
    told("PATTERN (A+ B)", "unbounded-state", true);
    told("PATTERN (A B)", "unbounded-state", false);
    told("PATTERN (A B) DEFINE B AS B.v > LAST(B.v)", "never-true", true);
    told("PATTERN (A B) DEFINE B AS B.v > LAST(B.v, 1)", "never-true", false);
    told("PATTERN (A B) DEFINE B AS B.c = 'x' AND v <> B.v", "never-true", true);
    told("ALL MATCHES AFTER MATCH SKIP TO CURRENT ROW PATTERN (A+ B) WITHIN INTERVAL '1' MINUTE", "many-matches", true);
    told("AFTER MATCH SKIP TO FIRST A PATTERN (A B)", "skip-target", true);
    told("AFTER MATCH SKIP TO B PATTERN (A B)", "skip-target", false);
    told("PATTERN (^ A B)", "keeps-history", true);
    told("PATTERN (A B) DEFINE B AS v > 5 AND v < 3", "never-true", true);
    told("PATTERN (A B) DEFINE B AS v > 3 AND v < 5", "never-true", false);
    told("PATTERN (A B) DEFINE B AS v >= 3 AND v <= 3", "never-true", false);
    told("PATTERN (A B) DEFINE B AS 3 > v AND v BETWEEN 3 AND 5", "never-true", true);
    told("PATTERN (A B) DEFINE B AS c = 'x' AND c IN ('y', 'z')", "never-true", true);
    told("PATTERN (A B) DEFINE B AS c = 'x' AND c IN ('x', 'z')", "never-true", false);
    told("PATTERN (A B) DEFINE B AS c IS NULL AND (c = 'x' OR c = 'y')", "never-true", true);
    told("PATTERN (A B) SUBSET u = (A, B)", "unused-variable", true);
    told("MEASURES COUNT(u.*) AS n PATTERN (A B) SUBSET u = (A, B)", "unused-variable", false);
    told("AFTER MATCH SKIP TO LAST u PATTERN (A B) SUBSET u = (A, B)", "unused-variable", false);
    told("PATTERN (A B) SUBSET u = (A, B) DEFINE B AS LAST(u.v, 1) > 3", "unused-variable", false);
    told("PATTERN (X (A | B)* C) WITHIN INTERVAL '1' MINUTE DEFINE C AS SUM(A.v) > 3", "exponential-risk", true);
    told("PATTERN (X (A | B)* C) WITHIN INTERVAL '1' MINUTE DEFINE A AS c = 'a', B AS c = 'b', C AS SUM(A.v) > 3", "exponential-risk", false);
    told("PATTERN (X (A | B)* C) WITHIN INTERVAL '1' MINUTE DEFINE C AS SUM(v) > 3", "exponential-risk", false);
    told("PATTERN (X (A | B)* C) WITHIN INTERVAL '1' MINUTE DEFINE C AS C.v > X.v", "exponential-risk", false);
    told("PATTERN (X A* C) WITHIN INTERVAL '1' MINUTE DEFINE C AS SUM(A.v) > 3", "exponential-risk", false);
    told("PATTERN (X (->> A)* C) WITHIN INTERVAL '1' MINUTE DEFINE C AS SUM(A.v) > 3", "exponential-risk", true);
    told("MEASURES COUNT(*) FILTER (WHERE v > 1) AS x, MAX(A.v) FILTER (WHERE A.c = 'x') AS y PATTERN (A B)", "not-supported", false);
    told("PATTERN (A -> NOT B) WITHIN INTERVAL '1' MINUTE", "unbounded-state", false);
    told("AFTER MATCH SKIP PAST LAST ROW PATTERN (A B)", "portability", false);
    told("AFTER MATCH SKIP PAST LAST ROW PATTERN (A | B)", "portability", true);
    told("MEASURES AVG(A.v) AS x AFTER MATCH SKIP PAST LAST ROW PATTERN (A B)", "portability", true);
    told("MEASURES AVG(A.d) AS x AFTER MATCH SKIP PAST LAST ROW PATTERN (A B)", "portability", false);
    told("AFTER MATCH SKIP PAST LAST ROW PATTERN (A B?? A)", "portability", true);
    told("AFTER MATCH SKIP PAST LAST ROW PATTERN (A B+? C)", "portability", false);
    told("AFTER MATCH SKIP PAST LAST ROW PATTERN (A++ B)", "portability", true);
    told("MEASURES A.v AS x, B.v AS X AFTER MATCH SKIP PAST LAST ROW PATTERN (A B)", "portability", true);
    told("MEASURES A.v AS x, B.v AS y AFTER MATCH SKIP PAST LAST ROW PATTERN (A B)", "portability", false);
}

/* ---- stability ---- */

static void verdict(const char *clause, const char *want)
{
    struct compiled c;
    compile_rule(&c, clause);
    if (OK(c.r == 0, "compiles"))
        IS_STR(c.result->compiled[0].stability, want, clause);
    release(&c);
}

static void test_stability(void)
{
    verdict("PATTERN (A B C) DEFINE B AS B.v > A.v", "stable");
    verdict("PATTERN (A -> B -> C) WITHIN INTERVAL '1' MINUTE DEFINE A AS c = 'a', B AS c = 'b', C AS c = 'c'",
            "stable");
    verdict("PATTERN (A -> B -> C) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.c <> A.c, C AS C.c NOT IN (A.c, B.c)",
            "stable");
    verdict("PATTERN (A -> B -> C) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.c <> A.c, C AS C.c <> B.c", "not proved");
    verdict("PATTERN (A -> B) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > A.v * 10", "not proved");
    verdict("AFTER MATCH SKIP TO NEXT ROW PATTERN (A -> B) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > A.v * 10",
            "stable");
    verdict("PATTERN (A X*? B) WITHIN INTERVAL '1' MINUTE DEFINE A AS c = 'a', B AS c = 'b'", "stable");
    verdict("PATTERN (A -> NOT B) WITHIN INTERVAL '1' MINUTE DEFINE A AS c = 'a', B AS c = 'b'", "stable");
    verdict("PATTERN (A (-> B)? -> C) WITHIN INTERVAL '1' MINUTE DEFINE A AS c = 'a', B AS c = 'b', C AS c = 'c'",
            "unstable");
    verdict("PATTERN (A B C | B) DEFINE A AS c = 'a', B AS c = 'b', C AS c = 'c'", "unstable");
    verdict("PATTERN (A X* B C) DEFINE A AS v = 1, B AS v = 2, C AS v = 3, X AS v < 5", "stable");
    verdict("PATTERN (A X* B) DEFINE A AS v = 1, B AS v = 2, X AS v = 1", "stable");
    verdict("PATTERN (A*? B) WITHIN INTERVAL '1' MINUTE DEFINE B AS SUM(v) > 10", "not proved"); /* v may be negative */
    verdict("PATTERN (A*? B) WITHIN INTERVAL '1' MINUTE DEFINE B AS c = 'b' AND SUM(A.v) > 10", "not proved");
    verdict("PATTERN (A*? B) WITHIN INTERVAL '1' MINUTE DEFINE A AS c = 'a', B AS c = 'b' AND SUM(A.v) > 10", "stable");
    verdict("PATTERN (A B*? C) WITHIN INTERVAL '1' MINUTE DEFINE A AS c = 'a', B AS c = 'b' AND v > A.v, C AS c = 'c'", "stable");
    verdict("AFTER MATCH SKIP TO LAST B PATTERN (A B+) WITHIN INTERVAL '1' MINUTE DEFINE A AS c = 'a', B AS c = 'b'", "not proved");
    verdict("ALL ROWS PER MATCH AFTER MATCH SKIP TO NEXT ROW PATTERN (A+ B) DEFINE A AS v = 1, B AS v < 3",
            "not proved");
}

/* ---- fingerprints, sharing ---- */

static void fingerprint(const char *clause, char ret[33])
{
    struct compiled c;
    compile_rule(&c, clause);
    snprintf(ret, 33, "%s", c.r ? "-" : c.result->compiled[0].fingerprint);
    release(&c);
}

static void same_rule(const char *a, const char *b, bool same)
{
    char x[33], y[33];
    fingerprint(a, x);
    fingerprint(b, y);
    OK(x[0] != '-' && y[0] != '-' && (strcmp(x, y) == 0) == same, b);
}

static void test_fingerprints(void)
{
    const char *rule = "MEASURES LAST(A.v) AS x PATTERN (A B C) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > A.v";
    same_rule(rule, "measures last ( a.v ) as x pattern ((a b)   c) within interval '60' second define b as b.v > a.v",
              true);
    same_rule(rule, "MEASURES A.v AS x PATTERN (A (B C)) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > LAST(A.v)", true);
    same_rule(rule, "MEASURES LAST(A.v) AS x PATTERN (A B C) WITHIN INTERVAL '2' MINUTE DEFINE B AS B.v > A.v", false);
    same_rule(rule, "MEASURES LAST(A.v) AS x PATTERN (A B C) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v >= A.v", false);
    same_rule(rule, "MEASURES LAST(A.v) AS x PATTERN (A B C?) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > A.v", false);
    same_rule(rule, "MEASURES LAST(A.v) AS x PATTERN (A B D) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > A.v", false);
    same_rule(rule, "MEASURES LAST(B.v) AS x PATTERN (A B C) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.v > A.v", false);
    same_rule(rule,
              "MEASURES LAST(A.v) AS x AFTER MATCH SKIP TO NEXT ROW PATTERN (A B C) WITHIN INTERVAL '1' MINUTE DEFINE "
              "B AS B.v > A.v",
              false);
}

static void test_sharing(void)
{
    struct compiled c = { 0 };
    base_buf_puts(&c.text, table);
    base_buf_puts(&c.text, "CREATE RULE a AS SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.v "
                           "AS x PATTERN (A B) DEFINE A AS v > 5, B AS c = 'x') AS m;\n"
                           "CREATE RULE b AS SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.d "
                           "AS y PATTERN (X -> A) WITHIN INTERVAL '1' MINUTE "
                           "DEFINE X AS X.c = 'x', A AS A.v > X.v) AS m;\n");
    compile_text(&c, false);
    if (OK(c.r == 0, "two rules over one stream compile")) {
        const struct cep_program *p = c.result->program;
        const struct cep_match *a = cep_program_match(p, 0), *b = cep_program_match(p, 1);
        uint32_t b_of_a = cep_program_pred(p, a->preds.first + 1)->shared,
                 x_of_b = cep_program_pred(p, b->preds.first)->shared;
        OK(b_of_a != CEP_NONE && b_of_a == x_of_b, "equal conditions on the row have one number");
        OK(cep_program_pred(p, a->preds.first)->shared != b_of_a, "different ones have two");
        IS_INT(cep_program_pred(p, b->preds.first + 1)->unary, 0, "a condition on another row is not unary");
        struct base_buf told = { 0 };
        patterns_explain_match(p, 1, (struct base_str){ c.text.ptr, c.text.len }, PATTERNS_EXPLAIN_TEXT, &told);
        base_buf_putc(&told, 0);
        OK(!told.failed && strstr(told.ptr, "X.c = 'x'   (once per row for this and 1 other pattern)"), "explain tells with how many others");
        base_buf_finish(&told);
    }
    release(&c);
}

/* The nth allocation fails, for all n: no crash, no leak, and an answer that says so. */
static void test_no_memory(void)
{
    static const char *const clause =
        "MEASURES FIRST(A.v) AS f, SUM(B.d) AS s, CLASSIFIER() AS l, AVG(A.v) AS a, ARRAY_AGG(A.c) AS r, MAX_BY(A.c, "
        "A.v, 3) AS m, STDDEV_POP(v) AS q"
        " PATTERN (A{2,3} (-> NOT N -> B | PERMUTE(C, D))+) WITHIN INTERVAL '1' MINUTE SUBSET u = (A, B)"
        " DEFINE A AS v > LAST(A.v, 2) OR COUNT(u.*) < 3, B AS c = 'b', N AS N.v > PREV(A.v), C AS c <> 'b' AND "
        "FIRST(u.v, 1) > 3";
    uint64_t before = 0;
    bool leaked = false, wrong = false;
    int r = BASE_E_NOMEM;
    uint64_t n = 1;
    for (bool fired = true; fired && n < 100000; n++) {
        struct compiled c = { 0 };
        base_buf_printf(&c.text,
                        "%sCREATE RULE r AS SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts %s) AS m;\n",
                        table, clause);
        before = base_alloc_live_blocks();
        struct patterns_options options = { 0 };
        base_diags_init(&c.diags, &c.arena);
        c.source = (struct base_source){ "rule.sql", c.text.ptr, c.text.len };
        base_alloc_fail_at(n, false);
        c.r = patterns_compile(&c.source, 1, funcs, &options, &c.arena, &c.diags, &c.result);
        fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        r = c.r;
        wrong |= fired && r != 0 && r != BASE_E_NOMEM;
        patterns_result_finish(c.result);
        base_diags_finish(&c.diags);
        base_arena_finish(&c.arena);
        leaked |= base_alloc_live_blocks() != before;
        base_buf_finish(&c.text);
    }
    OK(n > 50, "many allocations were failed");
    IS_INT(r, 0, "with memory it compiles");
    OK(!wrong, "each failure is told as lack of memory");
    OK(!leaked, "nothing leaks");
}

int main(void)
{
    funcs = cep_funcs_create();
    test_registers();
    test_refusals();
    test_hints();
    test_orders();
    test_warnings();
    test_stability();
    test_fingerprints();
    test_sharing();
    test_no_memory();
    cep_funcs_destroy(funcs);
    return tap_done();
}
