-- A remote-control tool runs, then an old customer sends money.
-- Intent: "support" on the phone guides the victim. Owner: payments. False positives: a grandchild who helps. Cost: per user an hour.
CREATE RULE remote_access_elder
WITH ('severity' = 'critical', 'title' = 'Transfer under remote control', 'owner' = 'payments', 'suppress' = '24 h',
      'least_amount' = '500.00', 'born_before' = '1961', 'window' = '1 h')
AS SELECT m.user_id, m.amount, c.birth_year, m.at
FROM user_activity MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES T.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (R -> T) WITHIN PARAM('window')
  DEFINE R AS what = 'remote_tool', T AS what = 'transfer_out' AND amount > PARAM('least_amount')
) AS m JOIN customers FOR SYSTEM_TIME AS OF m.at AS c ON c.user_id = m.user_id
WHERE c.birth_year < PARAM('born_before');
