/* The whole compiler: plans, sharing, fingerprints, rule options, diagnostics, options of the run, memory that ends. */
#include <stdlib.h>
#include "base/error.h"
#include "tests/unit/patterns/compile_help.h"
#include "tests/unit/tap.h"

#define ORDERS \
    "CREATE TABLE orders (order_id STRING, user_id STRING, country STRING, amount DECIMAL(12, 2), dev ROW<ip STRING, " \
    "os STRING>, " \
    "ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = " \
    "'orders', " \
    "'format' = 'json', 'properties.bootstrap.servers' = '${KAFKA}');\n"
#define REFUNDS \
    "CREATE TABLE refunds (user_id STRING, amount DECIMAL(10, 2), ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts) " \
    "WITH ('connector' = 'kafka', 'topic' = 'refunds', 'format' = 'json');\n"
#define CUSTOMERS \
    "CREATE TABLE customers (user_id STRING, home STRING, mean DECIMAL(10, 2), PRIMARY KEY (user_id) NOT ENFORCED) " \
    "WITH ('connector' = 'filesystem', 'path' = 'customers.csv', 'format' = 'csv');\n"
#define HISTORY \
    "CREATE TABLE history (id INT, name STRING, amount DECIMAL(12, 2)) WITH ('connector' = 'filesystem', 'path' = " \
    "'h.json', " \
    "'format' = 'json');\n"
#define MATCH \
    "MATCH_RECOGNIZE (PARTITION BY user_id ORDER BY ts MEASURES A.country AS c1, B.country AS c2, MATCH_ROWTIME() AS " \
    "mt ONE ROW PER MATCH " \
    "AFTER MATCH SKIP PAST LAST ROW PATTERN (A -> B) WITHIN INTERVAL '2' MINUTE DEFINE B AS B.country <> A.country)"

static void plan_is(const char *name, const char *text, const char *want)
{
    struct compiled_text c;
    struct base_source source;
    help_compile(&c, &source, text);
    IS_STR(help_plan(&c), want, name);
    help_finish(&c);
}

static void diags_are(const char *name, const char *text, const char *want)
{
    struct compiled_text c;
    struct base_source source;
    help_compile(&c, &source, text);
    IS_STR(help_diags(&c), want, name);
    help_finish(&c);
}

#define ACCOUNTS \
    "CREATE TABLE accounts (id INT, country STRING, credit DECIMAL(10, 2), at TIMESTAMP(3), twice AS credit * 2, WATERMARK FOR at AS at, " \
    "PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'filesystem', 'path' = 'a.json', 'format' = 'debezium-json');\n"

/* ---- plans ---- */

static void test_plans(void)
{
    plan_is("a filter", ORDERS "CREATE RULE big AS SELECT user_id, amount * 2 AS twice FROM orders WHERE amount > 100;",
            "0  source   orders\n"
            "1  calc     <- 0  where amount > 100 select user_id, twice\n"
            "2  exchange <- 1  by ()\n"
            "3  alert    <- 2  big by ()\n"
            "4  sink     <- 3  alerts\n");
    plan_is("a filter with a key",
            ORDERS "CREATE RULE big WITH ('key' = 'user_id') AS SELECT user_id FROM orders WHERE amount > 100;",
            "0  source   orders\n"
            "1  calc     <- 0  where amount > 100 select user_id\n"
            "2  exchange <- 1  by (user_id)\n"
            "3  alert    <- 2  big by (user_id)\n"
            "4  sink     <- 3  alerts\n");
    plan_is("a pattern joined with a profile behind it",
            ORDERS CUSTOMERS "CREATE RULE two AS SELECT m.user_id, m.c2, c.home FROM orders " MATCH
                             " AS m LEFT JOIN customers FOR SYSTEM_TIME AS OF m.mt AS c ON c.user_id = m.user_id;",
            "0  source   orders\n"
            "1  exchange <- 0  by (user_id)\n"
            "2  match    <- 1  by (user_id) 4 states, 1 live registers, 1 measure registers, eager, within 120000 ms, "
            "adds a delay of 120000 ms to what stands behind it\n"
            "3  lookup   <- 2  left customers on user_id = m.user_id as of m.mt\n"
            "4  calc     <- 3  select user_id, c2, home\n"
            "5  alert    <- 4  two by (user_id)\n"
            "6  sink     <- 5  alerts\n");
    plan_is("a profile before the pattern, conditions on the left side pushed below it",
            ORDERS CUSTOMERS "CREATE RULE dear AS SELECT * FROM (SELECT o.user_id, o.amount, o.country, o.ts, c.mean "
                             "FROM orders AS o JOIN customers "
                             "FOR SYSTEM_TIME AS OF o.ts AS c ON c.user_id = o.user_id AND o.amount > c.mean WHERE "
                             "o.amount > 5 AND c.home = 'DE') " MATCH ";",
            "0  source   orders\n"
            "1  calc     <- 0  where o.amount > 5\n"
            "2  exchange <- 1  by (user_id)\n"
            "3  lookup   <- 2  inner customers on user_id = o.user_id where o.amount > c.mean as of o.ts\n"
            "4  calc     <- 3  where c.home = 'DE'\n"
            "5  match    <- 4  by (user_id) 4 states, 1 live registers, 2 measure registers, eager, within 120000 ms, "
            "adds a delay of 120000 ms to what stands behind it\n"
            "6  alert    <- 5  dear by (user_id)\n"
            "7  sink     <- 6  alerts\n");
    plan_is("a union view read by two rules is built once",
            ORDERS REFUNDS
            "CREATE VIEW money AS SELECT 'o' AS kind, user_id, amount FROM orders UNION ALL SELECT 'r', user_id, "
            "amount FROM refunds;\n"
            "CREATE RULE a WITH ('key' = 'user_id') AS SELECT user_id, kind FROM money WHERE amount > 5;\n"
            "CREATE RULE b WITH ('key' = 'user_id') AS SELECT user_id FROM money WHERE kind = 'r';",
            "0  source   orders\n"
            "1  source   refunds\n"
            "2  calc     <- 0  select kind, user_id, amount\n"
            "3  calc     <- 1  select kind, user_id, amount\n"
            "4  union    <- 2,3\n"
            "5  calc     <- 4  where amount > 5 select user_id, kind\n"
            "6  exchange <- 5  by (user_id)\n"
            "7  calc     <- 4  where kind = 'r' select user_id\n"
            "8  exchange <- 7  by (user_id)\n"
            "9  alert    <- 6  a by (user_id)\n"
            "10  sink     <- 9  alerts\n"
            "11  alert    <- 8  b by (user_id)\n"
            "12  sink     <- 11  alerts\n");
    plan_is("a query sorted by a column that it does not show",
            HISTORY "SELECT name FROM history WHERE id > 1 ORDER BY amount DESC, 1 LIMIT 3 OFFSET 1;",
            "0  source   history\n"
            "1  calc     <- 0  where id > 1\n"
            "2  exchange <- 1  by ()\n"
            "3  sort     <- 2  by amount desc nulls last, 1 nulls first limit 3 offset 1\n"
            "4  calc     <- 3  select name\n"
            "5  sink     <- 4  result 1\n");
    plan_is("groups of a query, equal aggregates once",
            HISTORY
            "SELECT name, SUM(amount) / COUNT(*) AS mean, COUNT(*) AS n FROM history WHERE id > 1 GROUP BY name "
            "HAVING SUM(amount) > 5 ORDER BY n DESC;",
            "0  source   history\n"
            "1  calc     <- 0  where id > 1\n"
            "2  exchange <- 1  by (name)\n"
            "3  group    <- 2  by (name) 2 aggregates\n"
            "4  calc     <- 3  where SUM(amount) > 5 select name, mean, n\n"
            "5  exchange <- 4  by ()\n"
            "6  sort     <- 5  by n desc nulls last\n"
            "7  sink     <- 6  result 1\n");
    plan_is("rows inserted with casts and a column left out",
            HISTORY "CREATE TABLE target (note STRING, total DECIMAL(20, 2), n BIGINT) WITH ('connector' = 'print');\n"
                    "INSERT INTO target (n, total) SELECT id, amount FROM history;",
            "0  source   history\n"
            "1  calc     <- 0  select note, total, n\n"
            "2  sink     <- 1  table target\n");
    plan_is("a rule keyed otherwise than its pattern",
            ORDERS "CREATE RULE two WITH ('key' = 'c2') AS SELECT user_id, c2 FROM orders " MATCH ";",
            "0  source   orders\n"
            "1  exchange <- 0  by (user_id)\n"
            "2  match    <- 1  by (user_id) 4 states, 1 live registers, 1 measure registers, eager, within 120000 ms, "
            "adds a delay of 120000 ms to what stands behind it\n"
            "3  exchange <- 2  by (c2)\n"
            "4  alert    <- 3  two by (c2)\n"
            "5  sink     <- 4  alerts\n");
}

static void test_window_plans(void)
{
    plan_is("rules over rows before a row share the node; a condition stands behind it",
            ORDERS "CREATE RULE a AS SELECT user_id, n FROM (SELECT user_id, COUNT(*) OVER (PARTITION BY user_id ORDER BY ts RANGE BETWEEN INTERVAL '1' "
                   "HOUR PRECEDING AND CURRENT ROW) AS n FROM orders) WHERE n > 3;\n"
                   "CREATE RULE b AS SELECT user_id, n FROM (SELECT user_id, COUNT(*) OVER (PARTITION BY user_id ORDER BY ts RANGE BETWEEN INTERVAL '1' "
                   "HOUR PRECEDING AND CURRENT ROW) AS n FROM orders) WHERE n > 5;\n",
            "0  source   orders\n"
            "1  exchange <- 0  by (user_id)\n"
            "2  over     <- 1  by (user_id) range 3600000 ms, at once, corrected by late rows\n"
            "3  calc     <- 2  where n > 3\n"
            "4  calc     <- 2  where n > 5\n"
            "5  alert    <- 3  a by (user_id)\n"
            "6  sink     <- 5  alerts\n"
            "7  alert    <- 4  b by (user_id)\n"
            "8  sink     <- 7  alerts\n");
    plan_is("a pattern takes rows that stay: OVER below it is final, though the rule is eager",
            ORDERS "CREATE RULE p AS SELECT * FROM (SELECT user_id, ts, SUM(amount) OVER (PARTITION BY user_id ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT "
                   "ROW) AS s FROM orders) MATCH_RECOGNIZE (PARTITION BY user_id ORDER BY ts MEASURES B.s AS s PATTERN (A B) WITHIN INTERVAL '1' MINUTE DEFINE "
                   "B AS B.s > A.s);",
            "0  source   orders\n"
            "1  exchange <- 0  by (user_id)\n"
            "2  over     <- 1  by (user_id) rows 2, told once the watermark has passed the row\n"
            "3  exchange <- 2  by (user_id)\n"
            "4  match    <- 3  by (user_id) 3 states, 1 live registers, 1 measure registers, eager, within 60000 ms, adds a delay of 60000 ms to what stands "
            "behind it\n"
            "5  alert    <- 4  p by (user_id)\n"
            "6  sink     <- 5  alerts\n");
    plan_is("a window aggregate: its condition below, its HAVING above",
            ORDERS "CREATE RULE b WITH ('emit' = 'final', 'key' = 'user_id') AS SELECT user_id, window_end, SUM(amount) AS s FROM TABLE(HOP(TABLE orders, "
                   "DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)) WHERE amount > 1 GROUP BY window_start, window_end, user_id HAVING COUNT(*) > 2;",
            "0  source   orders\n"
            "1  calc     <- 0  where amount > 1\n"
            "2  exchange <- 1  by (user_id)\n"
            "3  window   <- 2  hop 300000 ms by 60000 ms by (user_id) 2 aggregates, told at its end\n"
            "4  calc     <- 3  where COUNT(*) > 2 select user_id, window_end, s\n"
            "5  alert    <- 4  b by (user_id)\n"
            "6  sink     <- 5  alerts\n");
}

static void test_changes(void)
{
    plan_is("a table of changes is read whole, as the rows that stand",
            ACCOUNTS "CREATE RULE r AS SELECT country, COUNT(*) AS n FROM accounts WHERE twice > 4 GROUP BY country;",
            "0  source   accounts\n"
            "1  exchange <- 0  by (id)\n"
            "2  topn     <- 1  of (id) the row that the table's changes leave, a changelog\n"
            "3  calc     <- 2  where twice > 4\n"
            "4  exchange <- 3  by (country)\n"
            "5  group    <- 4  by (country) 1 aggregates, a changelog\n"
            "6  alert    <- 5  r by (country)\n"
            "7  sink     <- 6  alerts\n");
    diags_are("changes without key", "CREATE TABLE a (id INT) WITH ('connector' = 'filesystem', 'path' = 'a.json', 'format' = 'debezium-json'); SELECT id FROM a;",
              "not-supported 1:122 the records of \"a\" are changes of rows, which are known by their PRIMARY KEY | add PRIMARY KEY (column) NOT ENFORCED to its "
              "CREATE TABLE\n");
    diags_are("windows take no changes",
              ACCOUNTS "SELECT window_end FROM TABLE(TUMBLE(TABLE accounts, DESCRIPTOR(at), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;",
              "not-supported 2:24 a window takes rows that stay as they are, and this query changes rows that it gave | read the changes as events: 'format' = 'json' "
              "with the columns before ROW<...>, after ROW<...>, op STRING\n");
    diags_are("patterns take no changes",
              ACCOUNTS "SELECT * FROM accounts MATCH_RECOGNIZE (PARTITION BY country ORDER BY at MEASURES A.id AS a PATTERN (A) DEFINE A AS A.id > 1);",
              "not-supported 2:15 a row pattern takes rows that stay as they are, and this query changes rows that it gave | read the changes as events: 'format' = "
              "'json' with the columns before ROW<...>, after ROW<...>, op STRING\n");
}

/* ---- columns that are read ---- */

static void test_fields(void)
{
    struct compiled_text c;
    struct base_source source;
    help_compile(&c, &source,
                 ORDERS CUSTOMERS "CREATE VIEW v AS SELECT * FROM orders;\n"
                                  "CREATE RULE r AS SELECT v.dev.ip AS ip FROM v WHERE amount > 5;\n");
    OK(c.error == 0, "compiles");
    if (!c.error) {
        const struct cep_program *p = c.result->program;
        const struct cep_table *t = cep_program_table(p, 0);
        IS_INT(t->fields.count, 3, "only the columns that are read, and the event time, are decoded");
        base_buf_clear(&c.text);
        for (uint32_t i = 0; i < t->fields.count; i++) {
            const struct cep_field *f = cep_program_field(p, t->fields.first + i);
            base_buf_put_str(&c.text, cep_program_text(p, f->name));
            base_buf_puts(&c.text, " at ");
            base_buf_put_str(&c.text, cep_program_text(p, f->path));
            base_buf_printf(&c.text, " #%u;", f->ordinal);
        }
        IS_STR(c.text.ptr, "amount at amount #3;dev.ip at dev\x1fip #4;ts at ts #5;", "names, paths, places");
        IS_INT(t->watermark_delay_ms, 5000, "delay of the watermark");
        IS_INT(t->rowtime_field, 2, "event time");
        OK(base_str_equal(cep_program_setting(p, t->options, "properties.bootstrap.servers"), BASE_STR("broker:9092")),
           "${KAFKA} was replaced");
    }
    help_finish(&c);
    help_compile(&c, &source,
                 "CREATE TABLE t (ms BIGINT, ts AS TO_TIMESTAMP_LTZ(ms, 3), dbl AS ms * 2, WATERMARK FOR ts AS ts - "
                 "INTERVAL '1' SECOND) "
                 "WITH ('connector' = 'stdin', 'format' = 'json'); SELECT dbl, ts FROM t;");
    OK(c.error == 0, "a computed event time");
    if (!c.error) {
        const struct cep_program *p = c.result->program;
        const struct cep_table *t = cep_program_table(p, 0);
        const struct cep_field *f = cep_program_field(p, t->fields.first + t->rowtime_field);
        OK(base_str_equal(cep_program_text(p, f->path), BASE_STR("ms")) && f->type.kind == CEP_KIND_TIMESTAMP_LTZ,
           "is decoded as a timestamp from its column");
    }
    help_finish(&c);
}

/* ---- fingerprints ---- */

static void fingerprint_of(const char *text, bool no_optimiser, char ret[33])
{
    struct compiled_text c;
    const struct base_source source = { "rules.sql", text, strlen(text) };
    help_compile_sources(&c, &source, 1, true, no_optimiser);
    snprintf(ret, 33, "%s", !c.error && c.result->compiled_count ? c.result->compiled[0].fingerprint : "");
    if (c.error)
        printf("# %s\n", help_diags(&c));
    help_finish(&c);
}

static void fingerprints(const char *name, const char *a, const char *b, bool same)
{
    char x[33], y[33];
    fingerprint_of(a, false, x);
    fingerprint_of(b, false, y);
    OK(*x && *y && (strcmp(x, y) == 0) == same, name);
    fingerprint_of(b, true, x);
    OK(strcmp(x, y) == 0, "the optimiser does not change it");
}

#define RULE_A ORDERS "CREATE RULE r AS SELECT user_id, amount FROM orders WHERE amount > 100 AND country = 'DE';"
static void test_fingerprints(void)
{
    char got[33];
    fingerprint_of(RULE_A, false, got);
    IS_STR(got, "8763e5b1737b1c77dc87a25d534f3269", "stored fingerprint of a filter");
    fingerprint_of(ORDERS "CREATE RULE r AS SELECT * FROM orders " MATCH ";", false, got);
    IS_STR(got, "e2bfa7e1e609bee955420de6afd464fe", "stored fingerprint of a pattern");
    fingerprints(
        "blanks, case, aliases, brackets", RULE_A,
        ORDERS
        "create rule r as\n select o.USER_ID, (o.amount) from orders as o where (o.amount > 100) and o.country = 'DE'",
        true);
    fingerprints("title, severity, sinks, emission", RULE_A,
                 ORDERS "CREATE RULE r WITH ('title' = 'x', 'severity' = 'low', 'sinks' = 'a', 'emit' = 'final') AS "
                        "SELECT user_id, amount FROM orders WHERE amount > 100 AND country = 'DE';",
                 true);
    fingerprints("a view between", RULE_A,
                 ORDERS "CREATE VIEW v AS SELECT amount AS a, country, user_id FROM orders; CREATE RULE r AS SELECT "
                        "user_id, a AS amount FROM v WHERE a > 100 AND country = 'DE';",
                 true);
    fingerprints("a column more in the table", RULE_A,
                 "CREATE TABLE orders (more INT, order_id STRING, user_id STRING, country STRING, amount DECIMAL(12, "
                 "2), ts TIMESTAMP_LTZ(3), "
                 "WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'orders', "
                 "'format' = 'json', 'x' = 'y');\n"
                 "CREATE RULE r AS SELECT user_id, amount FROM orders WHERE amount > 100 AND country = 'DE';",
                 true);
    fingerprints("a literal counts", RULE_A,
                 ORDERS "CREATE RULE r AS SELECT user_id, amount FROM orders WHERE amount > 101 AND country = 'DE';",
                 false);
    fingerprints("an output name counts", RULE_A,
                 ORDERS
                 "CREATE RULE r AS SELECT user_id AS u, amount FROM orders WHERE amount > 100 AND country = 'DE';",
                 false);
    fingerprints("the key counts", RULE_A,
                 ORDERS "CREATE RULE r WITH ('key' = 'user_id') AS SELECT user_id, amount FROM orders WHERE amount > "
                        "100 AND country = 'DE';",
                 false);
    fingerprints("a parameter counts by its value",
                 ORDERS "CREATE RULE r WITH ('n' = '5') AS SELECT user_id FROM orders WHERE amount > PARAM('n');",
                 ORDERS "CREATE RULE r WITH ('n' = '6') AS SELECT user_id FROM orders WHERE amount > PARAM('n');",
                 false);
}

/* ---- the catalogue ---- */

static void test_sources(void)
{
    static const char rule[] = "CREATE RULE r AS SELECT user_id FROM v WHERE amount > 1;",
                      view[] = "CREATE VIEW v AS SELECT * FROM orders;", table[] = ORDERS;
    const struct base_source one[3] = { { "a.sql", rule, sizeof rule - 1 },
                                        { "b.sql", view, sizeof view - 1 },
                                        { "c.sql", table, sizeof table - 1 } };
    const struct base_source two[3] = { one[2], one[0], one[1] };
    struct compiled_text a, b;
    help_compile_sources(&a, one, 3, false, false);
    help_compile_sources(&b, two, 3, false, false);
    OK(!a.error && !b.error, "files in any order");
    if (!a.error && !b.error)
        IS_STR(a.result->compiled[0].fingerprint, b.result->compiled[0].fingerprint, "give the same rule");
    help_finish(&a);
    help_finish(&b);
    const struct base_source twice[2] = { { "a.sql", table, sizeof table - 1 }, { "b.sql", table, sizeof table - 1 } };
    help_compile_sources(&a, twice, 2, false, false);
    IS_STR(help_diags(&a),
           "duplicate-name 1:14 \"orders\" is declared already at a.sql:1:14 | rename one of them, or DROP the first "
           "before\n",
           "a duplicate names both places");
    help_finish(&a);
    diags_are("two rules of one name",
              ORDERS "CREATE RULE r AS SELECT user_id FROM orders;\nCREATE RULE R AS SELECT user_id FROM orders;",
              "duplicate-name 3:13 rule \"R\" is declared already at rules.sql:2:13 | rename one of them\n");
    diags_are("a dropped rule may come again",
              ORDERS
              "CREATE RULE r AS SELECT user_id FROM orders; DROP RULE r; CREATE RULE r AS SELECT amount FROM orders;",
              "");
    diags_are("views that read each other", "CREATE VIEW a AS SELECT * FROM b; CREATE VIEW b AS SELECT * FROM a;",
              "view-cycle 1:66 view \"a\" reads itself\n");
    diags_are("a broken table is told once",
              "CREATE TABLE t (a INTT) WITH ('connector' = 'stdin'); CREATE RULE r AS SELECT a FROM t;",
              "syntax 1:19 expected a type, found \"INTT\" | did you mean INT?\n");
}

/* Two compile runs give the same bytes; without optimiser it compiles too. */
static void test_determinism(void)
{
    static const char text[] = ORDERS CUSTOMERS
        "CREATE RULE two AS SELECT m.user_id, m.c2, c.home FROM orders " MATCH
        " AS m LEFT JOIN customers FOR SYSTEM_TIME AS OF m.mt AS c ON c.user_id = m.user_id WHERE 1 = 1;"
        "CREATE RULE three AS SELECT * FROM orders " MATCH ";";
    const struct base_source source = { "rules.sql", text, sizeof text - 1 };
    struct compiled_text a, b, plain;
    help_compile_sources(&a, &source, 1, true, false);
    help_compile_sources(&b, &source, 1, true, false);
    help_compile_sources(&plain, &source, 1, true, true);
    OK(!a.error && !b.error && !plain.error, "compile");
    if (!a.error && !b.error && !plain.error) {
        OK(cep_program_hash(a.result->program) == cep_program_hash(b.result->program), "the same program twice");
        OK(cep_program_node_count(plain.result->program) > cep_program_node_count(a.result->program),
           "without optimiser nothing is shared");
        IS_STR(a.result->compiled[0].fingerprint, plain.result->compiled[0].fingerprint,
               "but the fingerprints are the same");
    }
    help_finish(&a);
    help_finish(&b);
    help_finish(&plain);
}

/* ---- rule options ---- */

static void test_rule_options(void)
{
    plan_is("a rule that is off is checked, but not run",
            ORDERS "CREATE RULE gone WITH ('mode' = 'off') AS SELECT user_id FROM orders;\n"
                   "CREATE RULE big WITH ('key' = 'user_id') AS SELECT user_id FROM orders WHERE amount > 100;",
            "0  source   orders\n"
            "1  calc     <- 0  where amount > 100 select user_id\n"
            "2  exchange <- 1  by (user_id)\n"
            "3  alert    <- 2  big by (user_id)\n"
            "4  sink     <- 3  alerts\n");
    struct compiled_text c;
    struct base_source source;
    help_compile(&c, &source,
                 ORDERS "CREATE RULE r WITH ('severity' = 'critical', 'title' = 'T', 'suppress' = '1 h 30 min', 'mode' "
                        "= 'shadow', 'emit' = 'final', 'sinks' = 'a,b', "
                        "'version' = '3', 'limit' = '12.50', 'param.window' = '2 min') AS SELECT user_id FROM orders "
                        "MATCH_RECOGNIZE (PARTITION BY user_id ORDER BY ts MEASURES A.amount AS a AFTER MATCH SKIP "
                        "PAST LAST ROW PATTERN (A B) "
                        "WITHIN PARAM('window') DEFINE A AS amount > PARAM('limit'));");
    OK(c.error == 0, "compiles");
    if (!c.error) {
        const struct cep_program *p = c.result->program;
        const struct cep_rule *r = cep_program_rule(p, 0);
        IS_INT(r->suppress_ms, 5400000, "suppress");
        IS_INT(r->version, 3, "version");
        IS_INT(r->eager, 0, "emit");
        OK(base_str_equal(cep_program_text(p, r->severity), BASE_STR("critical")) &&
               base_str_equal(cep_program_text(p, r->mode), BASE_STR("shadow")) &&
               base_str_equal(cep_program_text(p, r->sinks), BASE_STR("a,b")) &&
               base_str_equal(cep_program_text(p, r->title), BASE_STR("T")),
           "texts");
        IS_INT(r->options.count, 9, "all options are kept");
        IS_INT(cep_program_match(p, cep_program_node(p, r->match_node)->detail)->within_ms, 120000,
               "PARAM gives an interval");
        IS_INT(cep_program_node(p, r->alert_node)->kind, CEP_NODE_ALERT, "alert node");
    } else {
        printf("# %s\n", help_diags(&c));
    }
    help_finish(&c);
    diags_are("options that nothing reads",
              ORDERS "CREATE RULE r WITH ('supress' = '1 min', 'threshold' = '5') AS SELECT user_id FROM orders;",
              "bad-option 2:21 nothing reads the option 'supress' | did you mean 'suppress'?\n"
              "bad-option 2:42 nothing reads the option 'threshold' | a threshold is read with PARAM('threshold')\n");
    diags_are(
        "bad values",
        ORDERS "CREATE RULE r WITH ('severity' = 'hi', 'mode' = 'on', 'emit' = 'now', 'suppress' = 'x', 'version' = "
               "'0', 'key' = 'use_id') AS SELECT user_id FROM orders;",
        "bad-option 2:34 'severity' cannot be 'hi' | write info, low, medium, high or critical\n"
        "bad-option 2:49 'mode' cannot be 'on' | write live, shadow or off\n"
        "bad-option 2:64 'emit' cannot be 'now' | write eager or final\n"
        "bad-option 2:84 'suppress' cannot be 'x' | write a duration: '10 min', '2 h', '1 day', '500 ms'\n"
        "bad-option 2:101 'version' cannot be '0' | write a number from 1\n"
        "unknown-column 2:114 'key' names \"use_id\", which the rule does not select | did you mean \"user_id\"?\n");
    diags_are("a variable that is not set",
              "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = '${TOPIC}');",
              "bad-option 1:63 variable ${TOPIC} is not set | set it in the configuration's \"variables\" or in the "
              "environment\n");
    diags_are("a binary format where records are lines",
              "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 't', 'value.format' = 'avro');",
              "bad-option 1:89 'connector' = 'filesystem' parts records by line ends, which 'avro' does not keep | write 'json' or 'csv', or take "
              "'connector' = 'kafka', where each record is a message of its own\n");
    diags_are("a binary format in messages",
              "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'avro', 'avro.schema' = '\"int\"');", "");
    diags_are("a variable with an otherwise",
              "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = '${TOPIC:-orders}');", "");
}

/* ---- diagnostics ---- */

static void test_refusals(void)
{
    diags_are("names",
              ORDERS "CREATE RULE a AS SELECT contry FROM orders;\nCREATE RULE b AS SELECT user_id FROM oders;\nCREATE "
                     "RULE c AS SELECT o.x FROM orders AS o;",
              "unknown-column 2:25 unknown column \"contry\" | did you mean \"country\"?\n"
              "unknown-table 3:38 unknown table \"oders\" | did you mean \"orders\"?\n"
              "unknown-column 4:27 unknown column \"x\" | the columns are order_id, user_id, country, amount, dev, ts\n");
    diags_are("joins",
              ORDERS REFUNDS HISTORY
              "CREATE RULE a AS SELECT o.user_id FROM orders AS o JOIN refunds AS r ON r.user_id = o.user_id;\n"
              "CREATE RULE b AS SELECT o.user_id FROM orders AS o JOIN history FOR SYSTEM_TIME AS OF o.ts AS h ON "
              "h.name = o.user_id;\n",
              "state-grows 4:40 the join keeps every row of both sides for ever | bound the distance of the event times, a.ts "
              "BETWEEN b.ts - INTERVAL '1' HOUR AND b.ts, or set 'state.ttl'\n"
              "not-supported 5:57 a table joined FOR SYSTEM_TIME AS OF needs a PRIMARY KEY | add PRIMARY KEY (column) "
              "NOT ENFORCED to its CREATE TABLE\n");
    diags_are("every row with every row",
              ORDERS REFUNDS "CREATE RULE a AS SELECT o.user_id FROM orders AS o, refunds AS r WHERE r.user_id = o.user_id;\n",
              "not-supported 3:40 a join of every row with every row (CROSS JOIN, a comma) takes bounded tables only | write a JOIN b ON a.k = b.k\n");
    diags_are("a join that names no key",
              ORDERS CUSTOMERS "CREATE RULE a AS SELECT o.user_id FROM orders AS o JOIN customers FOR SYSTEM_TIME AS "
                               "OF o.ts AS c ON c.home = o.country;",
              "not-supported 3:40 the join must name the whole PRIMARY KEY of \"customers\" (user_id) | compare each "
              "key column with an expression of the left side: ON t.key = x\n");
    diags_are("unions",
              ORDERS REFUNDS
              "CREATE VIEW v AS SELECT user_id, amount FROM orders UNION ALL SELECT amount, user_id FROM "
              "refunds;\nCREATE VIEW w AS SELECT user_id FROM orders UNION SELECT user_id FROM refunds;",
              "type-mismatch 3:63 column \"user_id\" is DECIMAL(10, 2) in this SELECT and STRING in the first one | "
              "convert it with CAST(... AS ...)\n");
    diags_are(
        "not over streams",
        ORDERS
        "CREATE RULE a WITH ('emit' = 'final') AS SELECT COUNT(*) AS n FROM orders;\nCREATE RULE b AS SELECT user_id, SUM(amount) OVER (ORDER BY amount) "
        "AS s FROM orders;\nCREATE RULE c AS SELECT user_id FROM orders ORDER BY ts;\n",
        "not-supported 2:49 a GROUP BY over a stream changes rows that it gave, and here nothing takes changes | group by a window: FROM "
        "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) GROUP BY window_start, window_end; or insert into an 'upsert-kafka' table; or, in a "
        "rule, leave out 'emit' = 'final'\n"
        "not-supported 3:61 an aggregate over a window of rows is ordered by the event time or by processing time | order by the column that WATERMARK FOR names, or by PROCTIME()\n"
        "not-supported 4:18 ORDER BY has no meaning in a rule | alerts come in the order of their rows\n");
    diags_are("groups",
              HISTORY
              "SELECT name, id, COUNT(*) AS n FROM history GROUP BY name;\nSELECT *, COUNT(*) AS n FROM history;\n"
              "SELECT SUM(id) WITHIN GROUP (ORDER BY id) AS n FROM history;\nSELECT SUM(name) AS n FROM history;\n"
              "SELECT id FROM history WHERE COUNT(*) > 1;",
              "not-grouped 2:14 a column outside of aggregates must stand in GROUP BY | put it into GROUP BY, or into "
              "MIN(...) or MAX(...)\n"
              "not-grouped 3:8 * cannot stand beside aggregates | name the columns of GROUP BY\n"
              "not-supported 4:8 SUM takes no WITHIN GROUP and no RESPECT or IGNORE NULLS\n"
              "type-mismatch 5:8 SUM takes a number, not STRING | CAST the argument\n"
              "not-supported 6:30 aggregate \"COUNT\" cannot stand in WHERE | a condition on aggregates belongs into HAVING\n");
    diags_are("windows",
              ORDERS "CREATE RULE a AS SELECT user_id FROM TABLE(SESSION(TABLE orders PARTITION BY user_id, DESCRIPTOR(ts), INTERVAL '1' MINUTE));\n"
                     "CREATE RULE b AS SELECT window_start FROM TABLE(HOP(TABLE orders, DESCRIPTOR(ts), INTERVAL '4' MINUTE, INTERVAL '10' MINUTE)) GROUP BY "
                     "window_start, window_end;\n"
                     "CREATE RULE c AS SELECT window_start FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(amount), INTERVAL '4' MINUTE)) GROUP BY window_start, window_end;\n"
                     "CREATE RULE d AS SELECT user_id, SUM(amount) OVER (ORDER BY ts ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS s FROM orders;\n"
                     "CREATE TABLE target (n BIGINT) WITH ('connector' = 'print');\nINSERT INTO target SELECT COUNT(*) FROM orders GROUP BY user_id;\n",
              "not-supported 2:38 a session is known when it has ended: SESSION stands below a GROUP BY | group right above it: GROUP BY window_start, window_end "
              "and the columns of its PARTITION BY\n"
              "type-mismatch 3:104 the size of HOP is a multiple of its slide | choose a slide that divides the size\n"
              "type-mismatch 4:81 DESCRIPTOR names a TIMESTAMP, not DECIMAL(12, 2) | name the event time column\n"
              "not-supported 5:51 a frame ends at the current row: the rows that follow are still to come | write BETWEEN ... PRECEDING AND CURRENT ROW; what follows a row is asked by a row pattern, a window, or an interval join\n"
              "not-supported 7:57 a GROUP BY over a stream changes rows that it gave, and here nothing takes changes | run it with --emit eager to see its "
              "changes, or group by a window\n");
    diags_are("inserts",
              HISTORY
              "CREATE TABLE t (a STRING, b INT NOT NULL) WITH ('connector' = 'print');\nINSERT INTO t SELECT id, name "
              "FROM history;\nINSERT INTO t SELECT name FROM history;\nINSERT INTO t (a) SELECT name FROM history;",
              "type-mismatch 3:15 column \"a\" of \"t\" must be STRING, this is INT | write CAST(... AS STRING)\n"
              "type-mismatch 4:15 the query gives 1 columns, \"t\" takes 2 | give one value for each column, in order\n"
              "type-mismatch 5:1 column \"b\" is NOT NULL and gets no value\n");
    diags_are("a condition that is never true",
              ORDERS "CREATE RULE a AS SELECT user_id FROM orders WHERE amount > 5 AND 1 = 2;",
              "never-true 2:51 the condition of WHERE is never true\n");
    struct compiled_text c;
    const char *text = HISTORY "SELECT id FROM history;";
    const struct base_source source = { "rules.sql", text, strlen(text) };
    help_compile_sources(&c, &source, 1, false, false);
    IS_STR(help_diags(&c),
           "not-supported 2:1 a bare SELECT is no rule | write CREATE RULE name WITH (...) AS SELECT ..., or run it "
           "with `cepheid query`\n",
           "the service runs no bare SELECT");
    help_finish(&c);
}

/* ---- explain ---- */

static void test_explain(void)
{
    struct compiled_text c;
    struct base_source source;
    help_compile(&c, &source, ORDERS "CREATE RULE two AS SELECT user_id, c2 FROM orders " MATCH ";");
    OK(c.error == 0, "compiles");
    for (int format = 0; format < 3 && !c.error; format++) {
        base_buf_clear(&c.text);
        patterns_explain(c.result, (enum patterns_explain_format)format, &c.text);
        OK(!c.text.failed && c.text.len > 500, "explains");
        if (format == PATTERNS_EXPLAIN_TEXT)
            OK(strstr(c.text.ptr, "automaton of node 2") &&
                   strstr(c.text.ptr, "PATTERN (A -> B) WITHIN INTERVAL '2' MINUTE") &&
                   strstr(c.text.ptr, "B.country <> A.country"),
               "statement, automaton and condition as written");
        if (format == PATTERNS_EXPLAIN_DOT)
            OK(strncmp(c.text.ptr, "digraph plan {", 14) == 0 && strstr(c.text.ptr, "n0 -> n1"), "a graph");
        if (format == PATTERNS_EXPLAIN_JSON)
            OK(c.text.ptr[0] == '{' && strstr(c.text.ptr, "\"automaton\":{"), "an object");
    }
    help_finish(&c);
}

/* ---- memory that ends: at each allocation in turn ---- */

static void test_out_of_memory(void)
{
    static const char text[] = ORDERS CUSTOMERS REFUNDS
        "CREATE VIEW v AS SELECT user_id, amount, country, ts FROM orders UNION ALL SELECT user_id, amount, 'XX', ts "
        "FROM refunds;\n"
        "CREATE RULE two WITH ('limit' = '5') AS SELECT m.user_id, m.c2 || 'x' AS c, c.home FROM v " MATCH
        " AS m LEFT JOIN customers FOR SYSTEM_TIME AS OF m.mt AS c ON c.user_id = m.user_id WHERE m.c1 <> m.c2 AND 1 + "
        "1 = 2;\n"
        "SELECT a FROM (VALUES (1, 'x'), (2, NULL)) AS t (a, b) UNION ALL SELECT 1;\n";
    const struct base_source source = { "rules.sql", text, sizeof text - 1 };
    uint64_t live = base_alloc_live_blocks(), n = 1;
    bool clean = true, honest = true, fired = true;
    for (; fired && n < 20000; n++) {
        struct compiled_text c = { 0 };
        const struct patterns_options options = { .queries = true, .variable = help_variable };
        base_diags_init(&c.diags, &c.arena);
        c.funcs = cep_funcs_create();
        base_alloc_fail_at(n, false);
        c.error = patterns_compile(&source, 1, c.funcs, &options, &c.arena, &c.diags, &c.result);
        fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        /* A lost diagnostic may be all that is missing; then the program must be whole. */
        if (fired && c.error != BASE_E_NOMEM && !(c.error == 0 && c.result && c.result->program))
            honest = false;
        if (!fired && c.error)
            honest = false;
        help_finish(&c);
        clean = clean && base_alloc_live_blocks() == live;
    }
    OK(!fired && n > 20, "each allocation failed once");
    OK(honest, "and is told as such");
    OK(clean, "with nothing left behind");
}

int main(void)
{
    test_plans();
    test_window_plans();
    test_changes();
    test_fields();
    test_fingerprints();
    test_sources();
    test_determinism();
    test_rule_options();
    test_refusals();
    test_explain();
    test_out_of_memory();
    return tap_done();
}
