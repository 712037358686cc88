-- BIN attack: ten declines in a row at one merchant within one range of card numbers, each with another card than the one before.
-- Intent: card numbers are made up from a bank's prefix and tried by a machine.
-- Owner: card fraud. False positives: an outage of one issuer; check its other merchants.
-- Cost: per merchant and BIN at most ten payments.
CREATE RULE bin_attack
WITH ('severity' = 'high', 'title' = 'Generated card numbers tried at a merchant', 'owner' = 'card-fraud', 'suppress' = '1 h', 'window' = '10 min')
AS SELECT m.merchant, m.bin, m.declines, m.since, m.at
FROM payments MATCH_RECOGNIZE (
  PARTITION BY merchant, bin ORDER BY ts
  MEASURES COUNT(*) AS declines, A.ts AS since, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A D{9}) WITHIN PARAM('window')
  DEFINE A AS outcome = 'declined' AND bin IS NOT NULL,
         D AS outcome = 'declined' AND card_id <> PREV(card_id)
) AS m;
