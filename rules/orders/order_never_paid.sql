-- An order is placed and neither paid nor cancelled within half an hour.
-- Intent: stock held back by machines, or a broken payment page. Owner: shop. False positives: payment by invoice. Cost: per open order half an hour.
-- Absence: the alert comes when the time has run out, with no further event of that order.
CREATE RULE order_never_paid
WITH ('severity' = 'low', 'title' = 'Order not paid in time', 'owner' = 'shop', 'window' = '30 min')
AS SELECT m.order_id, m.user_id, m.amount, m.at
FROM orders MATCH_RECOGNIZE (
  PARTITION BY order_id ORDER BY ts
  MEASURES P.user_id AS user_id, P.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (P -> NOT D) WITHIN PARAM('window')
  DEFINE P AS status = 'placed', D AS status IN ('paid', 'cancelled')
) AS m;
