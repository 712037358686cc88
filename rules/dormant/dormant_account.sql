-- A dormant account wakes up: no transfer for ninety days, then a large one goes out.
-- Intent: forgotten accounts are sold and used. Owner: aml. False positives: yearly bills. Cost: one row for each account that moved within a year; idle rows rest
-- on disk.
CREATE RULE dormant_account
WITH ('severity' = 'medium', 'title' = 'Dormant account awakes', 'owner' = 'aml', 'suppress' = '24 h', 'least_amount' = '1000.00', 'least_days' = '90')
AS SELECT m.account_id, m.days, m.amount, m.at
FROM transfers MATCH_RECOGNIZE (
  PARTITION BY account_id ORDER BY ts
  MEASURES TIMESTAMPDIFF(DAY, A.ts, B.ts) AS days, B.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) WITHIN INTERVAL '366' DAY
  DEFINE B AS direction = 'out' AND amount > PARAM('least_amount') AND TIMESTAMPDIFF(DAY, A.ts, ts) >= PARAM('least_days')
) AS m;
