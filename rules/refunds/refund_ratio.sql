-- Refunds beyond a share: within a week a user is refunded more than a fifth of what was paid, in several refunds.
-- Intent: returns as a business. Owner: refunds. False positives: fashion; raise the share there. Cost: per user sums over the orders of a week.
CREATE RULE refund_ratio
WITH ('severity' = 'medium', 'title' = 'Refunds beyond a fifth of the purchases', 'owner' = 'refunds', 'suppress' = '7 d', 'key' = 'user_id', 'share' = '0.2', 'refunds' = '4')
AS SELECT user_id, refunded, paid, refunds, ts AS at
FROM (SELECT user_id, status, ts, COALESCE(SUM(amount) FILTER (WHERE status = 'refunded') OVER week, 0) AS refunded,
             COALESCE(SUM(amount) FILTER (WHERE status = 'paid') OVER week, 0) AS paid, COUNT(*) FILTER (WHERE status = 'refunded') OVER week AS refunds
      FROM orders WINDOW week AS (PARTITION BY user_id ORDER BY ts RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND CURRENT ROW))
WHERE status = 'refunded' AND refunds >= PARAM('refunds') AND refunded > PARAM('share') * paid;
