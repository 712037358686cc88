-- OTP bombing: six one-time codes asked for, and none entered within five minutes of the last.
-- Intent: somebody floods a phone to cover a fraud or to cost money. Owner: account security. False positives: a dead SMS route. Cost: per user six requests.
-- Absence: the alert comes when the time has run out, with no further event of that user.
CREATE RULE otp_bombing
WITH ('severity' = 'medium', 'title' = 'Six codes asked for, none entered', 'owner' = 'account-security', 'suppress' = '1 h')
AS SELECT m.user_id, m.requests, m.first_request, m.at
FROM (SELECT user_id, change, ts FROM account_changes WHERE change IN ('otp_request', 'otp_verified')) MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES COUNT(R.change) AS requests, FIRST(R.ts) AS first_request, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (R{6} -> NOT V FOR INTERVAL '5' MINUTE) WITHIN INTERVAL '15' MINUTE
  DEFINE R AS change = 'otp_request', V AS change = 'otp_verified'
) AS m;
