-- Three accounts use one promotion from one device within thirty days.
-- Intent: a welcome gift taken more than once. Owner: shop. False positives: families. Cost: per device and promotion three orders.
CREATE RULE promo_abuse
WITH ('severity' = 'low', 'title' = 'One device, one promotion, three accounts', 'owner' = 'shop', 'suppress' = '30 days', 'window' = '30 days')
AS SELECT m.device_id, m.promo, m.users, m.at
FROM (SELECT device_id, promo, user_id, ts FROM orders WHERE status = 'placed' AND promo IS NOT NULL AND device_id IS NOT NULL) MATCH_RECOGNIZE (
  PARTITION BY device_id, promo ORDER BY ts
  MEASURES A.user_id || ',' || B.user_id || ',' || C.user_id AS users, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C) WITHIN PARAM('window')
  DEFINE B AS user_id <> A.user_id, C AS user_id NOT IN (A.user_id, B.user_id)
) AS m;
