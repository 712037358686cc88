-- Account takeover: password reset, login from a new device, payee added, large transfer; four steps out of three streams.
-- Intent: the whole chain, so that each step alone may stay allowed. Owner: account security. False positives: a new phone and a new landlord on one day.
-- Cost: per user the resets, logins and payees of a day.
CREATE RULE account_takeover
WITH ('severity' = 'critical', 'title' = 'Account taken over', 'owner' = 'account-security', 'suppress' = '24 h', 'least_amount' = '1000.00', 'window' = '24 h')
AS SELECT m.user_id, m.reset_at, m.login_at, m.payee_at, m.amount, m.at
FROM user_activity MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES R.ts AS reset_at, L.ts AS login_at, P.ts AS payee_at, T.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (R -> L -> P -> T) WITHIN PARAM('window')
  DEFINE R AS what = 'password_reset',
         L AS what = 'login_success' AND device_known IS FALSE,
         P AS what = 'payee_added',
         T AS what = 'transfer_out' AND amount > PARAM('least_amount')
) AS m;
