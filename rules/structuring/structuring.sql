-- Structuring: three cash deposits in a row just below the reporting limit within a day, none at or above it in between.
-- Intent: a deposit cut up so that nobody has to report it. Owner: aml. False positives: shops' daily takings. Cost: per account three deposits.
CREATE RULE structuring
WITH ('severity' = 'high', 'title' = 'Cash deposits below the reporting limit', 'owner' = 'aml', 'suppress' = '24 h',
      'limit' = '10000.00', 'from' = '8000.00', 'window' = '24 h')
AS SELECT m.account_id, m.total, m.since, m.at
FROM (SELECT account_id, amount, ts FROM transfers WHERE method = 'cash' AND direction = 'in' AND amount >= PARAM('from')) MATCH_RECOGNIZE (
  PARTITION BY account_id ORDER BY ts
  MEASURES SUM(A.amount) AS total, FIRST(A.ts) AS since, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A{3}) WITHIN PARAM('window')
  DEFINE A AS amount < PARAM('limit')
) AS m;
