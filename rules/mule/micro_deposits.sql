-- Three tiny credits, then a large debit within a day.
-- Intent: an account is probed before it is drained. Owner: aml. False positives: payment services that verify accounts. Cost: per account a day.
CREATE RULE micro_deposits
WITH ('severity' = 'medium', 'title' = 'Account probed, then drained', 'owner' = 'aml', 'suppress' = '24 h', 'tiny' = '1.00', 'large' = '500.00', 'window' = '24 h')
AS SELECT m.account_id, m.probes, m.amount, m.at
FROM transfers MATCH_RECOGNIZE (
  PARTITION BY account_id ORDER BY ts
  MEASURES COUNT(M.amount) AS probes, D.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (M (-> M){2} -> D) WITHIN PARAM('window')
  DEFINE M AS direction = 'in' AND amount < PARAM('tiny'), D AS direction = 'out' AND amount > PARAM('large')
) AS m;
