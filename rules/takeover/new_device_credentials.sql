-- Password changed on a new device, then phone or e-mail changed within an hour.
-- Intent: the owner is locked out. Owner: account security. False positives: a new phone set up in one go. Cost: per user an hour.
CREATE RULE new_device_credentials
WITH ('severity' = 'high', 'title' = 'Owner locked out from a new device', 'owner' = 'account-security', 'suppress' = '24 h', 'window' = '1 h')
AS SELECT m.user_id, m.then_changed, m.at
FROM account_changes MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES C.change AS then_changed, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (P -> C) WITHIN PARAM('window')
  DEFINE P AS change IN ('password_change', 'password_reset') AND device_known IS FALSE, C AS change IN ('phone', 'email')
) AS m;
