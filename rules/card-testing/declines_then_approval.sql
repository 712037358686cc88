-- Four declines in a row, then an approval.
-- Intent: somebody guesses expiry, CVC or limit until one attempt goes through.
-- Owner: card fraud. False positives: a holder who mistypes; raise 'severity' by amount downstream.
-- Cost: per card at most five payments.
CREATE RULE declines_then_approval
WITH ('severity' = 'high', 'title' = 'Approval after four declines', 'owner' = 'card-fraud', 'suppress' = '1 h', 'window' = '1 h')
AS SELECT m.card_id, m.first_decline, m.amount, m.merchant, m.at
FROM payments MATCH_RECOGNIZE (
  PARTITION BY card_id ORDER BY ts
  MEASURES FIRST(D.ts) AS first_decline, A.amount AS amount, A.merchant AS merchant, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (D{4} A) WITHIN PARAM('window')
  DEFINE D AS outcome = 'declined', A AS outcome = 'approved'
) AS m;
