-- A vendor's bank details are changed, and a large payment goes out with no call-back in between.
-- Intent: a forged letter or mailbox (business e-mail compromise). Owner: payments. False positives: call-backs that nobody records. Cost: per vendor three days.
CREATE RULE payee_change_fraud
WITH ('severity' = 'critical', 'title' = 'Large payment to changed bank details', 'owner' = 'payments', 'suppress' = '24 h', 'least_amount' = '10000.00', 'window' = '72 h')
AS SELECT m.user_id AS vendor, m.changed_at, m.amount, m.at
FROM user_activity MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES I.ts AS changed_at, P.amount AS amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (I -> NOT C -> P) WITHIN PARAM('window')
  DEFINE I AS what = 'iban', C AS what = 'callback_confirm', P AS what = 'transfer_out' AND amount > PARAM('least_amount')
) AS m;
