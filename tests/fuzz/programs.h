/* The small rules whose programs and states the fuzz targets damage. Columns: k INT, v INT, s STRING, d DECIMAL, ts. */
#ifndef TESTS_FUZZ_PROGRAMS_H
#define TESTS_FUZZ_PROGRAMS_H

#define FUZZ_TABLE                                                                                                     \
    "CREATE TABLE t (k INT, v INT, s STRING, d DECIMAL(10, 2), ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - "         \
    "INTERVAL '3' SECOND) WITH ('connector' = 'filesystem', 'path' = 'x', 'format' = 'json');\n"
#define FUZZ_RULE(options, clause)                                                                                     \
    FUZZ_TABLE "CREATE RULE r WITH ('severity' = 'low', 'title' = 't'" options                                         \
               ") AS SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts " clause ") AS m;\n"
#define FUZZ_QUERY(clause) FUZZ_TABLE "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts " clause ") AS m;\n"
#define FUZZ_SELECT(options, select) FUZZ_TABLE "CREATE RULE r WITH ('severity' = 'low', 'title' = 't'" options ") AS " select ";\n"

static const char *const fuzz_programs[] = {
    FUZZ_RULE("", "MEASURES A.s AS s1, LAST(B.s) AS s2, COUNT(B.v) AS n, SUM(B.d) AS total PATTERN (A B+) WITHIN INTERVAL '5' SECOND "
                  "DEFINE A AS v > 1, B AS B.v > A.v"),
    FUZZ_RULE(", 'suppress' = '4 sec'", "MEASURES A.v AS v1, C.v AS v3 PATTERN (A -> B -> C) WITHIN INTERVAL '8' SECOND "
                                        "DEFINE B AS B.v <> A.v, C AS C.v NOT IN (A.v, B.v)"),
    FUZZ_RULE("", "MEASURES A.v AS v1, MATCH_ROWTIME() AS at PATTERN (A B? -> NOT C) WITHIN INTERVAL '4' SECOND DEFINE A AS v > 2, B AS v = 1, C AS v = 2"),
    FUZZ_RULE(", 'emit' = 'final', 'suppress' = '2 sec'", "MEASURES A.v AS v1, B.s AS s2 PATTERN (A NOT C -> B) WITHIN INTERVAL '6' SECOND "
                                                          "DEFINE A AS v > 2, B AS B.v < A.v, C AS v = 0"),
    FUZZ_RULE("", "MEASURES FIRST(A.v) AS v1, COUNT(*) AS n ONE ROW PER MATCH WITH TIMEOUT ROWS AFTER MATCH SKIP TO NEXT ROW "
                  "PATTERN (A++ -> NOT C -> B) WITHIN INTERVAL '6' SECOND DEFINE A AS v > 2, B AS v = 1, C AS v = 2"),
    FUZZ_RULE("", "MEASURES A.v AS v1, B.v AS v2 ONE ROW PER MATCH ALL MATCHES AFTER MATCH SKIP TO CURRENT ROW PATTERN (A ->> B) WITHIN INTERVAL '5' SECOND "
                  "DEFINE A AS v > 3, B AS B.v > A.v"),
    FUZZ_RULE("", "MEASURES A.v AS v1 PATTERN (A -> NOT B FOR INTERVAL '2' SECOND) DEFINE A AS v > 3, B AS v = 1"),
    FUZZ_QUERY("MEASURES CLASSIFIER() AS c, MATCH_NUMBER() AS n, RUNNING SUM(v) AS total ALL ROWS PER MATCH WITH UNMATCHED ROWS AFTER MATCH SKIP TO LAST B "
               "PATTERN (A B* C | D+) DEFINE A AS v > 2, B AS v > PREV(v), C AS v < NEXT(v), D AS s LIKE 'a%'"),
    FUZZ_QUERY("MEASURES FIRST(v) AS v1, LAST(s) AS s2 PATTERN (^ A* B | PERMUTE(C, D) A?) DEFINE A AS v > 1, B AS v = 1, C AS v = 0, D AS SUM(D.v) < 5"),
    FUZZ_TABLE "CREATE RULE r AS SELECT k, COUNT(*) AS n, COUNT(DISTINCT v) AS m, LISTAGG(s) AS l, SUM(d) AS t, MAX(s) AS x, STDDEV_POP(v) AS p, FIRST_VALUE(s) AS f "
               "FROM t GROUP BY k;\n",
    FUZZ_TABLE "CREATE RULE r AS SELECT v, MAX(n) AS m, MIN(x) AS y, APPROX_COUNT_DISTINCT(x) AS z, PERCENTILE(n, 0.5) AS p FROM (SELECT k, v, COUNT(*) AS n, MAX(s) AS x "
               "FROM t GROUP BY k, v) GROUP BY v;\n",
    FUZZ_TABLE "CREATE RULE r AS SELECT window_start, k, SUM(d) AS t, LAST_VALUE(s) AS l, APPROX_COUNT_DISTINCT(v) AS n FROM TABLE(SESSION(TABLE t PARTITION BY k, "
               "DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k;\n",
    FUZZ_TABLE "SELECT window_start, COUNT(DISTINCT v) AS n, APPROX_PERCENTILE(v, 0.5) AS p, LISTAGG(s) AS l FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, "
               "INTERVAL '6' SECOND)) GROUP BY window_start, window_end, k;\n",
    FUZZ_TABLE "CREATE RULE r AS SELECT k, a, b, c FROM (SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '3' SECOND PRECEDING AND CURRENT ROW) AS a, "
               "MAX(s) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS b, AVG(d) OVER (PARTITION BY k ORDER BY ts) AS c FROM t) WHERE a > 3;\n",
    FUZZ_TABLE "SELECT k, COUNT(DISTINCT s) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS a, LISTAGG(s) OVER (PARTITION BY k ORDER BY ts) AS b "
               "FROM t;\n",
    FUZZ_SELECT("", "SELECT k, v, s, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, s) AS n FROM t) AS x WHERE n <= 2"),
    FUZZ_SELECT(", 'emit' = 'final', 'state.ttl' = '4 sec'", "SELECT k, v, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k, v ORDER BY ts) AS n FROM t) AS x WHERE n = 1"),
    FUZZ_SELECT("", "SELECT a.v, a.s, b.v AS w FROM t AS a FULL JOIN t AS b ON a.k = b.k AND b.ts BETWEEN a.ts + INTERVAL '1' SECOND AND a.ts + INTERVAL '3' SECOND AND b.v < a.v"),
    FUZZ_SELECT(", 'state.ttl' = '6 sec'", "SELECT a.v, b.v AS w FROM (SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS n FROM t) AS x WHERE n BETWEEN 2 AND 3) AS a "
                                           "LEFT JOIN t AS b ON a.k = b.k AND a.v <> b.v"),
};
#define FUZZ_PROGRAMS (sizeof fuzz_programs / sizeof fuzz_programs[0])

#endif
