-- Three refunds of one user within a week.
-- Intent: goods kept and money back. Owner: shop. False positives: fashion, where returning is the habit: raise 'least_amount'. Cost: per user three refunds.
CREATE RULE refund_abuse
WITH ('severity' = 'medium', 'title' = 'Three refunds in a week', 'owner' = 'shop', 'suppress' = '7 days', 'least_amount' = '20.00', 'window' = '7 days')
AS SELECT m.user_id, m.refunded, m.orders, m.at
FROM (SELECT user_id, order_id, amount, ts FROM orders WHERE status = 'refunded' AND amount >= PARAM('least_amount')) MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES SUM(R.amount) AS refunded, ARRAY_AGG(R.order_id) AS orders, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (R{3}) WITHIN PARAM('window')
  DEFINE R AS TRUE
) AS m;
