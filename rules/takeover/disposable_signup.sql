-- Signup with a throw-away e-mail address, then a purchase within an hour.
-- Intent: accounts made for one fraud. Owner: shop. False positives: privacy-minded people. Cost: per user an hour.
CREATE VIEW throwaway_users AS
SELECT a.user_id, 'signup' AS what, CAST(0 AS DECIMAL(12,2)) AS amount, d.domain AS domain, a.ts
FROM account_changes AS a
JOIN disposable_domains FOR SYSTEM_TIME AS OF a.ts AS d ON d.domain = SPLIT_INDEX(a.email, '@', 1)
WHERE a.change = 'signup'
UNION ALL
SELECT user_id, status AS what, amount, CAST(NULL AS STRING) AS domain, ts FROM orders WHERE status = 'placed';

CREATE RULE disposable_signup
WITH ('severity' = 'medium', 'title' = 'Throw-away address buys', 'owner' = 'shop', 'suppress' = '24 h', 'least_amount' = '100.00', 'window' = '1 h')
AS SELECT m.user_id, m.domain, m.amount, m.at
FROM throwaway_users MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES S.domain AS domain, O.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (S -> O) WITHIN PARAM('window')
  DEFINE S AS what = 'signup', O AS what = 'placed' AND amount > PARAM('least_amount')
) AS m;
