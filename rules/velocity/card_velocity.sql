-- Card velocity: more than ten attempts with one card in ten minutes.
-- Intent: automated use of a card. Owner: card fraud. False positives: vending and transit. Cost: per card at most eleven payments.
CREATE RULE card_velocity
WITH ('severity' = 'medium', 'title' = 'More than ten attempts with one card', 'owner' = 'card-fraud', 'suppress' = '1 h', 'window' = '10 min')
AS SELECT m.card_id, m.attempts, m.total, m.at
FROM payments MATCH_RECOGNIZE (
  PARTITION BY card_id ORDER BY ts
  MEASURES COUNT(*) AS attempts, SUM(A.amount) AS total, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A{11}) WITHIN PARAM('window')
) AS m;
