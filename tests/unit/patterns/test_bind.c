/* The expression binder: types, casts, folding, names, messages; constants are evaluated by the engine's own code. */
#include "base/error.h"
#include "patterns/bind_expr.h"
#include "patterns/parse.h"
#include "tests/unit/tap.h"

struct bench {
    struct base_arena arena;
    struct base_diags diags;
    struct patterns_binder binder;
    struct patterns_relation relation;
    struct base_source source;
    struct base_buf text;
};

static void add_column(struct bench *b, const char *name, const char *path, struct cep_type type)
{
    const struct patterns_column c = { .name = base_str_of(name),
                                       .path = base_str_of(path),
                                       .qualifier = BASE_STR("t"),
                                       .type = type,
                                       .hidden = *path != 0,
                                       .hash = 100 + b->relation.count };
    if (patterns_relation_add(&b->relation, &b->arena, &c) == PATTERNS_NO_COLUMN)
        tap_check(false, "no memory", __FILE__, __LINE__);
}

static void setup(struct bench *b, const struct cep_funcs *funcs, bool no_fold)
{
    *b = (struct bench){ .relation = { .rowtime = PATTERNS_NO_COLUMN } };
    base_diags_init(&b->diags, &b->arena);
    b->binder = (struct patterns_binder){ .arena = &b->arena, .diags = &b->diags, .funcs = funcs, .no_fold = no_fold };
    add_column(b, "i", "", CEP_TYPE(INT));
    add_column(b, "b", "", CEP_TYPE(BIGINT));
    add_column(b, "d", "", CEP_TYPE(DOUBLE));
    add_column(b, "m", "", CEP_DECIMAL_TYPE(12, 2));
    add_column(b, "s", "", CEP_TYPE(STRING));
    add_column(b, "f", "", CEP_TYPE(BOOLEAN));
    add_column(b, "ts", "", CEP_TYPE(TIMESTAMP));
    add_column(b, "lt", "", CEP_TYPE(TIMESTAMP_LTZ));
    add_column(b, "dt", "", CEP_TYPE(DATE));
    add_column(b, "arr", "", (struct cep_type){ .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING });
    add_column(b, "dev", "", CEP_TYPE(ROW));
    add_column(b, "dev", "geo\x1flat", CEP_TYPE(DOUBLE));
}

static void teardown(struct bench *b)
{
    base_buf_finish(&b->text);
    base_diags_finish(&b->diags);
    base_arena_finish(&b->arena);
}

/* "tree : type", or "! code message | hint" of the first error. */
static const char *bind_text(const struct cep_funcs *funcs, struct bench *b, const char *text, bool no_fold)
{
    const struct patterns_expr *expr;
    const struct patterns_bound *bound = NULL;
    setup(b, funcs, no_fold);
    const struct patterns_scope scope = { .relation = &b->relation, .where = "SELECT" };
    b->source = (struct base_source){ "expr", text, strlen(text) };
    int error = patterns_parse_expression(&b->source, &b->arena, &b->diags, &expr);
    if (!error)
        error = patterns_bind_expr(&b->binder, &scope, expr, &bound);
    if (error) {
        const struct base_diag *d = b->diags.len ? &b->diags.at[0] : NULL;
        base_buf_printf(&b->text, "! %s %s%s%s", d ? d->code : "?", d ? d->message : "?", d && d->hint ? " | " : "",
                        d && d->hint ? d->hint : "");
    } else {
        patterns_bound_print(bound, &b->relation, &b->text);
        base_buf_puts(&b->text, " : ");
        cep_type_print(bound->type, &b->text);
    }
    return b->text.ptr ? b->text.ptr : "";
}

static void check(const struct cep_funcs *funcs, const char *text, const char *want)
{
    struct bench b;
    IS_STR(bind_text(funcs, &b, text, false), want, text);
    teardown(&b);
}

static void test_trees(const struct cep_funcs *funcs)
{
    static const char *const cases[][2] = {
        { "i", "i : INT" },
        { "t.I", "i : INT" },
        { "dev.geo.lat", "dev.geo.lat : DOUBLE" },
        { "T.dev.geo.LAT", "dev.geo.lat : DOUBLE" },
        { "i + b", "ADD(CAST(i AS BIGINT), b) : BIGINT" },
        { "i + d", "ADD(CAST(i AS DOUBLE), d) : DOUBLE" },
        { "i / 2", "DIV(i, 2) : INT" },
        { "m + 1", "ADD(m, 1) : DECIMAL(13, 2)" },
        { "m * m", "MUL(m, m) : DECIMAL(25, 4)" },
        { "m / 3", "DIV(m, 3) : DECIMAL(23, 13)" },
        { "m > 5", "GT(m, 5.00) : BOOLEAN" },
        { "i = 5.5", "EQ(CAST(i AS DECIMAL(11, 1)), 5.5) : BOOLEAN" },
        { "s = 'x' AND f", "AND(EQ(s, 'x'), f) : BOOLEAN" },
        { "TRUE AND f", "f : BOOLEAN" },
        { "FALSE AND f", "FALSE : BOOLEAN" },
        { "f OR TRUE", "TRUE : BOOLEAN" },
        { "f IS NOT TRUE", "NOT(IS_TRUE(f)) : BOOLEAN" },
        { "i BETWEEN 1 AND b", "BETWEEN(CAST(i AS BIGINT), 1, b) : BOOLEAN" },
        { "i NOT IN (1, 2)", "NOT(IN(i, 1, 2)) : BOOLEAN" },
        { "ts > '2026-01-01 00:00:00'", "GT(ts, '2026-01-01 00:00:00.000') : BOOLEAN" },
        { "ts + INTERVAL '1' DAY", "ADD(ts, 86400000 ms) : TIMESTAMP(3)" },
        { "INTERVAL '1' MONTH + dt", "ADD_MONTHS(dt, 1 months) : DATE" },
        { "dt + INTERVAL '1' DAY", "CAST(ADD(CAST(dt AS TIMESTAMP(3)), 86400000 ms) AS DATE) : DATE" },
        { "ts - ts", "SUB(ts, ts) : INTERVAL DAY TO SECOND" },
        { "INTERVAL '1' HOUR * i", "MUL(3600000 ms, i) : INTERVAL DAY TO SECOND" },
        { "s || i", "CONCAT(s, CAST(i AS STRING)) : STRING" },
        { "arr[2]", "ARRAY_GET(arr, 2) : STRING" },
        { "CASE i WHEN 1 THEN 'a' ELSE s END", "CASE(EQ(i, 1), 'a', s) : STRING" },
        { "CASE WHEN FALSE THEN 1 WHEN f THEN 2 END", "CASE(f, 2, NULL) : INT" },
        { "COALESCE(i, m)", "COALESCE(CAST(i AS DECIMAL(12, 2)), m) : DECIMAL(12, 2)" },
        { "NULLIF(i, 0)", "CASE(EQ(i, 0), NULL, i) : INT" },
        { "IF(f, 1, b)", "CASE(f, 1, b) : BIGINT" },
        { "UPPER(s)", "UPPER(s) : STRING" },
        { "TRIM(LEADING 'x' FROM s)", "LTRIM(s, 'x') : STRING" },
        { "EXTRACT(HOUR FROM ts)", "EXTRACT('HOUR', ts) : BIGINT" },
        { "s LIKE 'a%'", "LIKE(s, 'a%') : BOOLEAN" },
        { "CAST(m AS STRING)", "CAST(m AS STRING) : STRING" },
        { "TRY_CAST(s AS INT)", "TRY_CAST(s AS INT) : INT" },
        { "i IS DISTINCT FROM NULL", "NOT(SAME(i, NULL)) : BOOLEAN" },
        { "- m", "NEG(m) : DECIMAL(12, 2)" },
        { "PROCTIME()", "PROC_TIME : TIMESTAMP_LTZ(3)" },
        { "CURRENT_DATE", "CAST(NOW AS DATE) : DATE" },
        { "i IN (SELECT 3)", "EQ(i, 3) : BOOLEAN" },
        { "EXISTS (SELECT 1 WHERE 1 = 2)", "FALSE : BOOLEAN" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(funcs, cases[i][0], cases[i][1]);
}

static void test_constants(const struct cep_funcs *funcs)
{
    static const char *const cases[][2] = {
        { "1 + 2 * 3", "7 : INT" },
        { "7 / 2", "3 : INT" },
        { "-7 % 3", "-1 : INT" },
        { "2147483648", "2147483648 : BIGINT" },
        { "-2147483648", "-2147483648 : INT" },
        { "12.30", "12.30 : DECIMAL(4, 2)" },
        { "0.1 + 0.2", "0.3 : DECIMAL(3, 1)" },
        { "1e3", "1000.0 : DOUBLE" },
        { "10.0 / 4", "2.500000000000 : DECIMAL(14, 12)" },
        { "1 = 1.00", "TRUE : BOOLEAN" },
        { "NULL IS NULL", "TRUE : BOOLEAN" },
        { "NULL = 1", "NULL : BOOLEAN" },
        { "NULL OR TRUE", "TRUE : BOOLEAN" },
        { "NULL AND TRUE", "NULL : BOOLEAN" },
        { "NOT (1 < 2)", "FALSE : BOOLEAN" },
        { "3 IN (1, NULL)", "NULL : BOOLEAN" },
        { "3 IN (1, NULL, 3)", "TRUE : BOOLEAN" },
        { "5 NOT BETWEEN 6 AND NULL", "TRUE : BOOLEAN" },
        { "5 BETWEEN SYMMETRIC 6 AND 4", "TRUE : BOOLEAN" },
        { "'a' || 'b' || NULL", "NULL : STRING" },
        { "CAST('12.345' AS DECIMAL(4, 2))", "12.35 : DECIMAL(4, 2)" },
        { "TRY_CAST('x' AS INT)", "NULL : INT" },
        { "TIMESTAMP '2026-01-31 10:00:00' + INTERVAL '1' MONTH", "'2026-02-28 10:00:00.000' : TIMESTAMP(3)" },
        { "DATE '2026-03-01' - INTERVAL '1' DAY", "'2026-02-28' : DATE" },
        { "DATE '2026-03-01' - DATE '2026-02-27'", "172800000 ms : INTERVAL DAY TO SECOND" },
        { "INTERVAL '1 02:03:04.5' DAY TO SECOND", "93784500 ms : INTERVAL DAY TO SECOND" },
        { "INTERVAL '1-6' YEAR TO MONTH", "18 months : INTERVAL YEAR TO MONTH" },
        { "INTERVAL '-1.5' SECOND", "-1500 ms : INTERVAL DAY TO SECOND" },
        { "CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' ELSE 'c' END", "'b' : STRING" },
        { "COALESCE(NULL, NULL, 4)", "4 : INT" },
        { "COALESCE(1, 1 / 0)", "1 : INT" },
        { "NULLIF(4, 4)", "NULL : INT" },
        { "IF(1 > 2, 1 / 0, 9)", "9 : INT" },
        { "UPPER('abc')", "'ABC' : STRING" },
        { "SUBSTRING('abcdef' FROM 2 FOR 3)", "'bcd' : STRING" },
        { "EXTRACT(YEAR FROM DATE '2026-03-01')", "2026 : BIGINT" },
        { "FLOOR(TIMESTAMP '2026-01-31 10:45:00' TO HOUR)", "'2026-01-31 10:00:00.000' : TIMESTAMP(3)" },
        { "TIMESTAMPDIFF(MINUTE, TIMESTAMP '2026-01-31 10:00:00', TIMESTAMP '2026-01-31 10:45:59')", "45 : BIGINT" },
        { "POSITION('c' IN 'abc')", "3 : INT" },
        { "ARRAY['x', 'y'][2]", "'y' : STRING" },
        { "(SELECT 4)", "4 : INT" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(funcs, cases[i][0], cases[i][1]);
}

static void test_errors(const struct cep_funcs *funcs)
{
    static const char *const cases[][2] = {
        { "ii", "! unknown-column unknown column \"ii\" | did you mean \"i\", or the text 'ii'?" },
        { "t.x2", "! unknown-column unknown column \"x2\" | the columns are i, b, d, m, s, f, ts, lt and 3 more" },
        { "zz.top", "! unknown-table unknown table or column \"zz\" | the columns are i, b, d, m, s, f, ts, lt and 3 more" },
        { "\"hello\"", "! unknown-column unknown column \"hello\" | a text literal stands in single quotes: 'hello'" },
        { "s > 5", "! type-mismatch > cannot stand between STRING and INT | write CAST(... AS INT) around the text" },
        { "f + 1", "! type-mismatch + cannot stand between BOOLEAN and INT | convert one side with CAST(... AS ...)" },
        { "s + s", "! type-mismatch + does not join texts | texts are joined with ||" },
        { "NOT i", "! type-mismatch the operand of NOT must be BOOLEAN, this is INT | compare it with something: x = "
                   "..., x > 0" },
        { "UPPR(s)", "! unknown-function unknown function \"UPPR\" | did you mean UPPER?" },
        { "SUM(i)", "! not-supported aggregate \"SUM\" cannot stand in SELECT" },
        { "PREV(i)",
          "! not-supported \"PREV\" has no meaning in SELECT | it belongs into MEASURES or DEFINE of MATCH_RECOGNIZE" },
        { "PARAM('x')", "! unknown-function PARAM('x') stands outside of a rule | PARAM reads the options of the "
                        "CREATE RULE around it" },
        { "CAST(dev AS INT)", "! type-mismatch there is no cast from ROW to INT" },
        { "ts = 'soon'", "! bad-literal \"soon\" is no TIMESTAMP(3)" },
        { "DATE '2026-02-30'", "! bad-literal this is no DATE | write DATE '2026-01-31'" },
        { "INTERVAL '25' FOO", "! syntax expected a unit of time, found \"FOO\" | units are YEAR, QUARTER, MONTH, "
                               "WEEK, DAY, HOUR, MINUTE, SECOND" },
        { "INTERVAL '1 25:00' DAY TO MINUTE",
          "! bad-literal \"1 25:00\" is no interval of DAY TO MINUTE | write INTERVAL '1 02:03:04' DAY TO SECOND, each "
          "unit but the first within its range" },
        { "arr < arr", "! type-mismatch < does not order arrays | arrays compare with = and <> only" },
        { "i[1]", "! type-mismatch [...] picks from an array, this is INT" },
        { "CASE WHEN f THEN 1 ELSE 'a' END", "! type-mismatch CASE has results of INT and STRING, which have no common "
                                             "type | convert them to one type with CAST(... AS ...)" },
        { "i IN (SELECT i FROM t)", "! not-supported a subquery over a table cannot stand in an expression | join the "
                                    "table instead: LEFT JOIN t FOR SYSTEM_TIME AS OF ts ON t.key = key" },
        { "99999999999999999999999999999999999999999", "! bad-literal this is no exact number | a DECIMAL has at most "
                                                       "38 digits; write an exponent (1e40) for a DOUBLE" },
        { "1e999", "! bad-literal this is no DOUBLE | its magnitude must stay below 1.8e308" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(funcs, cases[i][0], cases[i][1]);
}

/* What fails for every row is told, and left to fail. */
static void test_always_fails(const struct cep_funcs *funcs)
{
    struct bench b;
    IS_STR(bind_text(funcs, &b, "1 / 0", false), "DIV(1, 0) : INT", "a failing constant stays as it is");
    IS_INT(b.diags.warnings, 1, "and is warned of");
    teardown(&b);
}

/* Folding must not change a hash, nor blanks, case or brackets; a literal must. */
static void test_hashes(const struct cep_funcs *funcs)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        { "i+1", "T.I  +  1", true }, { "(i = 1) AND f", "i=1 and f", true }, { "i + 1", "i + 2", false },
        { "i + 1", "b + 1", false },  { "s = 'a'", "s = 'A'", false },        { "m > 5", "m > 5.0", false },
        { "i < 1", "i <= 1", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int no_fold = 0; no_fold < 2; no_fold++) {
            struct bench b;
            uint64_t hashes[2];
            const char *texts[2] = { cases[i].a, cases[i].b };
            for (int k = 0; k < 2; k++) {
                const struct patterns_expr *expr;
                const struct patterns_bound *bound = NULL;
                setup(&b, funcs, no_fold != 0);
                const struct patterns_scope scope = { .relation = &b.relation };
                b.source = (struct base_source){ "expr", texts[k], strlen(texts[k]) };
                if (patterns_parse_expression(&b.source, &b.arena, &b.diags, &expr) ||
                    patterns_bind_expr(&b.binder, &scope, expr, &bound))
                    tap_check(false, texts[k], __FILE__, __LINE__);
                hashes[k] = bound ? bound->hash : (uint64_t)k;
                teardown(&b);
            }
            OK((hashes[0] == hashes[1]) == cases[i].same, cases[i].b);
        }
    struct bench b;
    uint64_t folded[2];
    for (int k = 0; k < 2; k++) {
        const struct patterns_expr *expr;
        const struct patterns_bound *bound = NULL;
        setup(&b, funcs, k != 0);
        const struct patterns_scope scope = { .relation = &b.relation };
        const char *text = "(1 + 1 = 2 AND i > 2 * 3) OR FALSE";
        b.source = (struct base_source){ "expr", text, strlen(text) };
        int error = patterns_parse_expression(&b.source, &b.arena, &b.diags, &expr);
        if (!error)
            error = patterns_bind_expr(&b.binder, &scope, expr, &bound);
        folded[k] = error ? (uint64_t)k : bound->hash;
        teardown(&b);
    }
    OK(folded[0] == folded[1], "folding keeps the hash");
}

int main(void)
{
    struct cep_funcs *funcs = cep_funcs_create();
    OK(funcs != NULL, "functions");
    test_trees(funcs);
    test_constants(funcs);
    test_errors(funcs);
    test_always_fails(funcs);
    test_hashes(funcs);
    cep_funcs_destroy(funcs);
    return tap_done();
}
