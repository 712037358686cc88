-- A session changes country, then money leaves.
-- Intent: a stolen session cookie, used from elsewhere. Owner: account security. False positives: roaming, VPN switched on.
-- Cost: per user the events of fifteen minutes. SKIP TO NEXT ROW keeps alerts stable; 'suppress' keeps them single.
CREATE RULE country_change_cash_out
WITH ('severity' = 'critical', 'title' = 'Country changed, then a withdrawal', 'owner' = 'account-security', 'suppress' = '1 h',
      'least_amount' = '1000.00', 'window' = '15 min')
AS SELECT m.user_id, m.from_country, m.to_country, m.amount, m.at
FROM user_activity MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES A.country AS from_country, B.country AS to_country, T.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW
  PATTERN (A -> B -> T) WITHIN PARAM('window')
  DEFINE A AS what = 'login_success',
         B AS what = 'login_success' AND country <> A.country,
         T AS what = 'transfer_out' AND amount >= PARAM('least_amount')
) AS m;
