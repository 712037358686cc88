-- SIM swap: the SIM is changed, somebody logs in, money leaves.
-- Intent: the phone number was stolen, one-time codes with it. Owner: account security. False positives: a new phone, then rent. Cost: per user three days.
CREATE RULE sim_swap
WITH ('severity' = 'critical', 'title' = 'Transfer after a SIM change', 'owner' = 'account-security', 'suppress' = '24 h', 'least_amount' = '500.00', 'window' = '72 h')
AS SELECT m.user_id, m.swapped_at, m.amount, m.at
FROM user_activity MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES S.ts AS swapped_at, T.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (S -> L -> T) WITHIN PARAM('window')
  DEFINE S AS what = 'sim_change', L AS what = 'login_success', T AS what = 'transfer_out' AND amount > PARAM('least_amount')
) AS m;
