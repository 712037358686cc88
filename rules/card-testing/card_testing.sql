-- Card testing: one address tries many cards with small amounts.
-- Intent: stolen card numbers are checked with payments that nobody notices, before the good ones are used or sold.
-- Owner: card fraud. False positives: a shared address (campus, carrier NAT) with many small payments; list such addresses in a WHERE.
-- Cost: per address at most the payments of an hour below the amount.
CREATE RULE card_testing
WITH ('severity' = 'high', 'title' = 'Five cards tested from one address', 'owner' = 'card-fraud', 'suppress' = '1 h',
      'max_amount' = '5.00', 'window' = '1 h')
AS SELECT m.ip, m.cards, m.last_amount, m.at
FROM (SELECT ip, card_id, amount, ts FROM payments WHERE ip IS NOT NULL) MATCH_RECOGNIZE (
  PARTITION BY ip ORDER BY ts
  MEASURES A.card_id || ',' || B.card_id || ',' || C.card_id || ',' || D.card_id || ',' || E.card_id AS cards,
           E.amount AS last_amount, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C -> D -> E) WITHIN PARAM('window')
  DEFINE A AS amount < PARAM('max_amount'),
         B AS amount < PARAM('max_amount') AND card_id <> A.card_id,
         C AS amount < PARAM('max_amount') AND card_id NOT IN (A.card_id, B.card_id),
         D AS amount < PARAM('max_amount') AND card_id NOT IN (A.card_id, B.card_id, C.card_id),
         E AS amount < PARAM('max_amount') AND card_id NOT IN (A.card_id, B.card_id, C.card_id, D.card_id)
) AS m;
