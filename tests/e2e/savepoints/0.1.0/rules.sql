CREATE RULE eager_pair AS SELECT m.user_id, m.first_id, m.last_id, m.total FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id, C.id AS last_id, SUM(B.amount) AS total
  AFTER MATCH SKIP PAST LAST ROW PATTERN (A B+ -> C) WITHIN INTERVAL '3' MINUTE DEFINE B AS B.amount < 60, C AS C.amount > A.amount AND C.amount > 80) AS m;

CREATE RULE final_pair WITH ('emit' = 'final') AS SELECT m.user_id, m.first_id, m.last_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id, LAST(B.id) AS last_id
  AFTER MATCH SKIP TO NEXT ROW PATTERN (A B{2,4}) WITHIN INTERVAL '2' MINUTE DEFINE B AS B.amount > PREV(B.amount)) AS m;

CREATE RULE nothing_comes AS SELECT m.user_id, m.first_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id
  PATTERN (A -> NOT B FOR INTERVAL '40' SECOND) WITHIN INTERVAL '5' MINUTE DEFINE A AS A.amount > 90, B AS B.amount > 40) AS m;

CREATE RULE all_ways AS SELECT m.user_id, m.first_id, m.last_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id, B.id AS last_id
  ALL MATCHES PATTERN (A ->> B) WITHIN INTERVAL '1' MINUTE DEFINE A AS A.amount < 10, B AS B.amount > 70) AS m;

CREATE RULE sums AS SELECT user_id, window_start, COUNT(*) AS n, SUM(amount) AS total, COUNT(DISTINCT amount) AS kinds
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '3' MINUTE)) GROUP BY user_id, window_start, window_end;

CREATE RULE hops WITH ('emit' = 'final') AS SELECT user_id, window_start, MAX(amount) AS most
FROM TABLE(HOP(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '4' MINUTE)) GROUP BY user_id, window_start, window_end;

CREATE RULE sessions AS SELECT user_id, window_start, window_end, AVG(amount) AS mean
FROM TABLE(SESSION(TABLE orders PARTITION BY user_id, DESCRIPTOR(ts), INTERVAL '9' SECOND)) GROUP BY user_id, window_start, window_end;

CREATE RULE spent AS SELECT user_id, id, spent FROM (
  SELECT user_id, id, SUM(amount) OVER (PARTITION BY user_id ORDER BY ts RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW) AS spent FROM orders) WHERE spent > 400;

CREATE RULE totals AS SELECT user_id, COUNT(*) AS n, MIN(amount) AS least FROM orders GROUP BY user_id;

CREATE RULE best AS SELECT user_id, id, amount FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY amount DESC, id) AS place FROM orders) WHERE place <= 3;

CREATE RULE twins AS SELECT a.user_id, a.id AS first_id, b.id AS last_id FROM orders AS a JOIN orders AS b
ON a.user_id = b.user_id AND a.amount = b.amount - 1 AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '2' MINUTE;
