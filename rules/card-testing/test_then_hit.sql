-- Test, then hit: three tiny authorisations of a card, whatever came of them, then a large approved one.
-- Intent: the moment at which a tested card is used.
-- Owner: card fraud. False positives: parking and transit taps before a large purchase.
-- Cost: per card the tiny payments of half an hour.
CREATE RULE test_then_hit
WITH ('severity' = 'critical', 'title' = 'Card tested, then used', 'owner' = 'card-fraud', 'suppress' = '30 min',
      'tiny' = '2.00', 'large' = '200.00', 'window' = '30 min')
AS SELECT m.card_id, m.tests, m.amount, m.merchant, m.at
FROM payments MATCH_RECOGNIZE (
  PARTITION BY card_id ORDER BY ts
  MEASURES COUNT(T.amount) AS tests, H.amount AS amount, H.merchant AS merchant, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (T (-> T){2} -> H) WITHIN PARAM('window')
  DEFINE T AS amount < PARAM('tiny'),
         H AS amount > PARAM('large') AND outcome = 'approved'
) AS m;
