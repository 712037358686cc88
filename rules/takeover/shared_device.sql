-- Four users log in on one device within a week.
-- Intent: a farm of accounts. Owner: account security. False positives: a family tablet, a library. Cost: per device the logins of a week.
CREATE RULE shared_device
WITH ('severity' = 'low', 'title' = 'Four users on one device', 'owner' = 'account-security', 'suppress' = '7 days', 'window' = '7 days')
AS SELECT m.device_id, m.users, m.at
FROM (SELECT device_id, user_id, ts FROM logins WHERE outcome = 'success' AND device_id IS NOT NULL) MATCH_RECOGNIZE (
  PARTITION BY device_id ORDER BY ts
  MEASURES A.user_id || ',' || B.user_id || ',' || C.user_id || ',' || D.user_id AS users, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C -> D) WITHIN PARAM('window')
  DEFINE B AS user_id <> A.user_id,
         C AS user_id NOT IN (A.user_id, B.user_id),
         D AS user_id NOT IN (A.user_id, B.user_id, C.user_id)
) AS m;
