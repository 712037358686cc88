-- The same card pays a large amount at one merchant three times in a day.
-- Intent: collusion with a merchant, or a terminal in the wrong hands. Owner: card fraud. False positives: wholesale. Cost: per card and merchant three payments.
CREATE RULE repeat_large_at_merchant
WITH ('severity' = 'medium', 'title' = 'Three large payments at one merchant', 'owner' = 'card-fraud', 'suppress' = '24 h', 'large' = '1000.00', 'window' = '24 h')
AS SELECT m.card_id, m.merchant, m.total, m.at
FROM payments MATCH_RECOGNIZE (
  PARTITION BY card_id, merchant ORDER BY ts
  MEASURES SUM(A.amount) AS total, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A (-> A){2}) WITHIN PARAM('window')
  DEFINE A AS amount >= PARAM('large') AND outcome = 'approved'
) AS m;
