-- Spend spike: a payment far above what this holder usually spends.
-- Intent: four standard deviations above the mean of the holder's history, ten times this mean, and not small.
-- Owner: card fraud. False positives: three of four on the bundled labelled data (travel, furniture); a signal to combine, not to block on. Without the ten times
-- it would be five of six. Cost: none, a filter and a look into memory.
CREATE RULE spend_spike
WITH ('severity' = 'medium', 'title' = 'Payment far above the holder''s habit', 'owner' = 'card-fraud', 'suppress' = '12 h',
      'deviations' = '4', 'times' = '10', 'least_amount' = '200.00', 'key' = 'card_id')
AS SELECT p.card_id, p.amount, c.hist_mean_amount AS usual, p.merchant, p.ts AS at
FROM payments AS p
JOIN card_profiles FOR SYSTEM_TIME AS OF p.ts AS c ON c.card_id = p.card_id
WHERE p.outcome = 'approved' AND p.amount > PARAM('least_amount')
  AND p.amount > c.hist_mean_amount + PARAM('deviations') * c.hist_std_amount AND p.amount > PARAM('times') * c.hist_mean_amount;
