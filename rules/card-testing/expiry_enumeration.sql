-- Expiry enumeration: ten payments in a row of one card number, each with another expiry date than the one before.
-- Intent: a known number, its expiry date being guessed.
-- Owner: card fraud. False positives: none known. Cost: per card at most ten payments.
CREATE RULE expiry_enumeration
WITH ('severity' = 'high', 'title' = 'Expiry dates of a card being guessed', 'owner' = 'card-fraud', 'suppress' = '1 h', 'window' = '1 h')
AS SELECT m.card_id, m.tries, m.at
FROM payments MATCH_RECOGNIZE (
  PARTITION BY card_id ORDER BY ts
  MEASURES COUNT(*) AS tries, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B{9}) WITHIN PARAM('window')
  DEFINE B AS expiry <> PREV(expiry)
) AS m;
