/* Relational SQL beyond the plain window: processing time, allowed lateness. Plans as explain shows them, and refusals. */
#include "base/error.h"
#include "tests/unit/patterns/compile_help.h"
#include "tests/unit/tap.h"

#define CLICKS \
    "CREATE TABLE clicks (ad STRING, who STRING, pt AS PROCTIME(), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) " \
    "WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'h:1', 'format' = 'json');\n"
#define OUT(columns) "CREATE TABLE o (" columns ") WITH ('connector' = 'print', 'format' = 'json');\n"

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

static void test_processing_time(void)
{
    plan_is("a window by processing time",
            CLICKS OUT("ad STRING, n BIGINT") "INSERT INTO o SELECT ad, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(pt), INTERVAL '1' MINUTE)) "
                                              "GROUP BY window_start, window_end, ad;",
            "0  source   clicks by processing time\n"
            "1  exchange <- 0  by (ad)\n"
            "2  window   <- 1  tumble 60000 ms by (ad) 1 aggregates, told at its end\n"
            "3  sink     <- 2  table o\n");
    diags_are("what keeps rows below it, and both times at once",
              CLICKS "CREATE RULE a AS SELECT ad, COUNT(*) AS n FROM TABLE(TUMBLE((SELECT *, PROCTIME() AS p FROM (SELECT ad, COUNT(*) OVER (PARTITION BY ad ORDER BY ts) "
                     "AS c FROM clicks)), DESCRIPTOR(p), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, ad;\n"
                     "CREATE RULE b AS SELECT COUNT(*) OVER (PARTITION BY ad ORDER BY ts) AS m, COUNT(*) OVER (PARTITION BY ad ORDER BY pt) AS n FROM clicks;",
              "not-supported 2:48 processing time is the time at which a row comes in: nothing that keeps rows can stand between the table and it | read the table, a view of it that filters and computes, or a UNION ALL of such\n"
              "not-supported 3:129 one SELECT orders its OVER by the event time or by processing time, not by both | put one of them into a query inside\n");
}

static void test_lateness(void)
{
    plan_is("a window with allowed lateness",
            CLICKS "CREATE RULE a WITH ('key' = 'ad', 'allowed-lateness' = '1 min') AS SELECT ad, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), "
                   "INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, ad;",
            "0  source   clicks with rows late by less than 60000 ms\n"
            "1  exchange <- 0  by (ad)\n"
            "2  window   <- 1  tumble 60000 ms by (ad) 1 aggregates, told at its end and corrected\n"
            "3  alert    <- 2  a by (ad)\n"
            "4  sink     <- 3  alerts\n");
    diags_are("sinks and clauses that cannot take corrections",
              "SET 'table.exec.emit.allow-lateness' = '1 min';\n" CLICKS OUT("ad STRING, n BIGINT")
              "INSERT INTO o SELECT ad, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, ad;\n"
              "CREATE RULE b WITH ('emit' = 'final', 'allowed-lateness' = '1 min') AS SELECT ad FROM clicks;\n"
              "CREATE RULE c WITH ('allowed-lateness' = 'long') AS SELECT ad FROM clicks;\n"
              "CREATE RULE d AS SELECT COUNT(*) AS n FROM TABLE(TUMBLE((SELECT ad, window_time AS wt, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), "
              "INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time, ad), DESCRIPTOR(wt), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;",
              "not-supported 4:15 the query updates rows that it gave, and \"o\" takes new rows only | insert into a table that takes changes ('connector' = 'upsert-kafka' with a PRIMARY KEY), or leave out SET 'table.exec.emit.allow-lateness'\n"
              "bad-option 5:39 with 'allowed-lateness' alerts are corrected, with 'emit' = 'final' they are not | leave out 'emit' = 'final'\n"
              "bad-option 6:42 'allowed-lateness' cannot be 'long' | write a duration: '1 h', '10 min'\n"
              "not-supported 7:44 'allowed-lateness' is of windows right above their table: nothing that keeps rows can stand between them | read the table, a view of it that filters and computes, or a UNION ALL of such\n");
}

static void test_grouping_sets(void)
{
    plan_is("grouping sets: the rows once for each",
            CLICKS "CREATE RULE v AS SELECT ad, who, COUNT(*) AS n, GROUPING_ID(ad, who) AS g FROM clicks GROUP BY ROLLUP(ad, who);",
            "0  source   clicks\n"
            "1  calc     <- 0  select ad, who, grouping_set\n"
            "2  calc     <- 0  select ad, who, grouping_set\n"
            "3  calc     <- 0  select ad, who, grouping_set\n"
            "4  union    <- 1,2,3\n"
            "5  exchange <- 4  by (ad, who, grouping_set)\n"
            "6  group    <- 5  by (ad, who, grouping_set) 1 aggregates, a changelog\n"
            "7  calc     <- 6  select ad, who, n, g\n"
            "8  alert    <- 7  v by (ad, who, grouping_set)\n"
            "9  sink     <- 8  alerts\n");
    plan_is("in a window",
            CLICKS "CREATE RULE a AS SELECT ad, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
                   "GROUP BY window_start, window_end, GROUPING SETS ((ad), ());",
            "0  source   clicks\n"
            "1  calc     <- 0  select ts, ad, grouping_set\n"
            "2  calc     <- 0  select ts, ad, grouping_set\n"
            "3  union    <- 1,2\n"
            "4  exchange <- 3  by (ad, grouping_set)\n"
            "5  window   <- 4  tumble 60000 ms by (ad, grouping_set) 1 aggregates, a changelog\n"
            "6  alert    <- 5  a by (ad, grouping_set)\n"
            "7  sink     <- 6  alerts\n");
    diags_are("what grouping sets cannot be",
              CLICKS "CREATE RULE a AS SELECT ad, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
                     "GROUP BY ROLLUP(window_start, window_end, ad);\n"
                     "CREATE RULE b AS SELECT ad, COUNT(*) AS n FROM TABLE(SESSION(TABLE clicks PARTITION BY ad, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
                     "GROUP BY window_start, window_end, GROUPING SETS ((ad));\n"
                     "CREATE RULE c AS SELECT GROUPING(who) AS g, COUNT(*) AS n FROM clicks GROUP BY CUBE(ad);\n"
                     "CREATE RULE d AS SELECT who, COUNT(*) AS n FROM clicks GROUP BY CUBE(ad);",
              "not-supported 2:129 each grouping set of a window has its window_start and window_end | write GROUP BY window_start, window_end, GROUPING SETS (...)\n"
              "not-supported 3:48 sessions are made for one grouping | write one query for each grouping and join them by UNION ALL\n"
              "not-supported 4:34 GROUPING asks whether a column of GROUP BY is grouped by in this row | name columns of GROUP BY\n"
              "not-grouped 5:25 a column outside of aggregates must stand in GROUP BY | put it into GROUP BY, or into MIN(...) or MAX(...)\n");
}

static void test_set_operations(void)
{
    plan_is("EXCEPT", CLICKS "CREATE RULE a AS SELECT ad FROM clicks EXCEPT SELECT who FROM clicks;",
            "0  source   clicks\n"
            "1  calc     <- 0  select ad, side, side\n"
            "2  calc     <- 0  select ad, side, side\n"
            "3  union    <- 1,2\n"
            "4  exchange <- 3  by (ad)\n"
            "5  group    <- 4  by (ad) 2 aggregates, a changelog\n"
            "6  calc     <- 5  where code 10 select ad\n"
            "7  alert    <- 6  a by (ad)\n"
            "8  sink     <- 7  alerts\n");
    plan_is("UNION gives each row at its first coming", CLICKS OUT("ad STRING") "INSERT INTO o SELECT ad FROM clicks UNION SELECT who FROM clicks;",
            "0  source   clicks\n"
            "1  calc     <- 0  select ad\n"
            "2  calc     <- 0  select ad\n"
            "3  union    <- 1,2\n"
            "4  exchange <- 3  by (ad)\n"
            "5  group    <- 4  by (ad) 0 aggregates\n"
            "6  sink     <- 5  table o\n");
    diags_are("set operations that are refused",
              CLICKS OUT("ad STRING") "INSERT INTO o SELECT ad FROM clicks INTERSECT SELECT who FROM clicks;\n"
                                      "CREATE RULE b AS SELECT ad FROM clicks INTERSECT ALL SELECT who FROM clicks;\n"
                                      "CREATE RULE c AS SELECT ad FROM clicks EXCEPT SELECT who, ad FROM clicks;",
              "not-supported 3:15 over streams the rows of this operation come and go, and here nothing takes changes | insert into a table that takes changes; a rule, without 'emit' = 'final'\n"
              "not-supported 4:18 INTERSECT ALL and EXCEPT ALL are not supported | leave out ALL, or count the rows of each side by GROUP BY\n"
              "type-mismatch 5:47 this SELECT gives 2 columns, the first one 1 | every SELECT of a UNION, INTERSECT or EXCEPT gives the same columns\n");
}

static void test_constants(void)
{
    plan_is("VALUES, once for all of as many rows, and a SELECT without FROM",
            "SELECT a FROM (VALUES (1, 'x'), (2, NULL)) AS t (a, b) WHERE b = 'x';\nSELECT b FROM (VALUES (3.5, 'y'), (2, 'z')) AS t (a, b);\nSELECT 1 + 1 AS two;\n",
            "0  source   VALUES of 2 rows\n"
            "1  calc     <- 0  where b = 'x' select a\n"
            "2  calc     <- 0  select b\n"
            "3  source   VALUES of 1 row\n"
            "4  calc     <- 3  select two\n"
            "5  sink     <- 1  result 1\n"
            "6  sink     <- 2  result 2\n"
            "7  sink     <- 4  result 3\n");
    diags_are("rows that do not go together, names, a star of nothing",
              "SELECT * FROM (VALUES (1, 2), (3)) AS t;\nVALUES (1, 'a'), ('b', 'c');\nVALUES (x), (y);\nSELECT *;\nSELECT row_number FROM (VALUES (1)) AS t (a);\nSELECT row_number;\n",
              "type-mismatch 1:31 row 2 of VALUES has 1 values, the first one has 2\n"
              "type-mismatch 2:9 VALUES has results of INT and STRING, which have no common type | convert them to one type with CAST(... AS ...)\n"
              "unknown-column 3:9 no column can be named here, only constants\n"
              "unknown-column 3:14 no column can be named here, only constants\n"
              "unknown-table 4:8 * has no columns without FROM | name a table: SELECT ... FROM t\n"
              "unknown-column 5:8 unknown column \"row_number\" | the columns are a\n"
              "unknown-column 6:8 unknown column \"row_number\"\n");
}

int main(void)
{
    test_constants();
    test_grouping_sets();
    test_set_operations();
    test_processing_time();
    test_lateness();
    return tap_done();
}
