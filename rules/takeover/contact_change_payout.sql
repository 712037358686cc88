-- Phone, e-mail or address changed, then a payout within a day.
-- Intent: warnings go to the thief. Owner: account security. False positives: moving house. Cost: per user the changes of a day.
CREATE RULE contact_change_payout
WITH ('severity' = 'medium', 'title' = 'Payout after a change of contact', 'owner' = 'account-security', 'suppress' = '24 h', 'least_amount' = '1000.00', 'window' = '24 h')
AS SELECT m.user_id, m.changed, m.amount, m.at
FROM user_activity MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES C.what AS changed, T.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (C -> T) WITHIN PARAM('window')
  DEFINE C AS what IN ('phone', 'email', 'address'), T AS what = 'transfer_out' AND amount >= PARAM('least_amount')
) AS m;
