-- A merchant takes more than a limit within its first two days.
-- Intent: a shell company cashes stolen cards and is gone before the first settlement. Owner: acquiring. False positives: a well-prepared launch.
-- Cost: per new merchant the payments of two days. SKIP TO NEXT ROW: each payment starts a sum of its own; 'suppress' lets the first one speak.
CREATE RULE merchant_bust_out
WITH ('severity' = 'high', 'title' = 'New merchant takes too much', 'owner' = 'acquiring', 'suppress' = '48 h', 'limit' = '5000.00')
AS SELECT b.merchant, b.total, b.payments, b.at
FROM (SELECT p.merchant, p.amount, p.ts FROM payments AS p JOIN merchants FOR SYSTEM_TIME AS OF p.ts AS m ON m.merchant = p.merchant
      WHERE p.outcome = 'approved' AND p.amount > 0 AND p.ts < m.onboarded + INTERVAL '48' HOUR) MATCH_RECOGNIZE (
  PARTITION BY merchant ORDER BY ts
  MEASURES SUM(amount) AS total, COUNT(*) AS payments, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW
  PATTERN (A*? B) WITHIN INTERVAL '48' HOUR
  DEFINE B AS COALESCE(SUM(A.amount), 0) + amount > PARAM('limit')
) AS b;
