-- Brute force: five failures in a row, then a success.
-- Intent: a guessed password. Owner: account security. False positives: a forgotten password; the alert is low without a later step. Cost: per user six logins.
CREATE RULE brute_force
WITH ('severity' = 'medium', 'title' = 'Login after five failures', 'owner' = 'account-security', 'suppress' = '30 min', 'window' = '5 min')
AS SELECT m.user_id, m.failures, m.ip, m.at
FROM logins MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES COUNT(F.outcome) AS failures, S.ip AS ip, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (F{5} S) WITHIN PARAM('window')
  DEFINE F AS outcome = 'failure', S AS outcome = 'success'
) AS m;
