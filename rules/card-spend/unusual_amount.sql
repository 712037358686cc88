-- A payment far from the card's own running baseline: more than four standard deviations above the mean of its last payments.
-- Intent: as spend_spike, for cards without a profile: the baseline is learnt from the stream. Owner: card fraud.
-- False positives: the yearly holiday; the least amount keeps out the small ones. Cost: per card sums over its last five hundred payments.
CREATE RULE unusual_amount
WITH ('severity' = 'low', 'title' = 'Payment far above the running baseline', 'owner' = 'card-fraud', 'suppress' = '24 h', 'key' = 'card_id', 'deviations' = '4', 'least' = '200.00',
      'history' = '20')
AS SELECT card_id, amount, mean, SQRT(spread) AS deviation, n - 1 AS payments, ts AS at
FROM (SELECT card_id, amount, ts, n, total / (n - 1) AS mean, GREATEST(squares - total * total / (n - 1), 0) / (n - 2) AS spread
      FROM (SELECT card_id, amount, ts, COUNT(*) OVER before AS n, CAST(SUM(amount) OVER before - amount AS DOUBLE) AS total,
                   CAST(SUM(amount * amount) OVER before - amount * amount AS DOUBLE) AS squares
            FROM payments WHERE outcome = 'approved'
            WINDOW before AS (PARTITION BY card_id ORDER BY ts ROWS BETWEEN 500 PRECEDING AND CURRENT ROW))
      WHERE n > PARAM('history'))
WHERE amount > PARAM('least') AND amount > mean AND (amount - mean) * (amount - mean) > PARAM('deviations') * PARAM('deviations') * spread;
