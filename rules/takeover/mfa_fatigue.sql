-- MFA fatigue: four push requests denied or ignored, then one accepted.
-- Intent: a user worn down by prompts that somebody else causes. Owner: account security. False positives: a lost phone found again. Cost: per user five logins.
CREATE RULE mfa_fatigue
WITH ('severity' = 'high', 'title' = 'Push accepted after four refusals', 'owner' = 'account-security', 'suppress' = '1 h', 'window' = '15 min')
AS SELECT m.user_id, m.refusals, m.at
FROM (SELECT user_id, outcome, ts FROM logins WHERE outcome LIKE 'push%') MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES COUNT(D.outcome) AS refusals, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (D{4} A) WITHIN PARAM('window')
  DEFINE D AS outcome IN ('push_denied', 'push_ignored'), A AS outcome = 'push_accepted'
) AS m;
