-- A payment of at least ten times what the merchant usually takes.
-- Intent: a stolen card at a shop that does not sell so much at once. Owner: card fraud. False positives: two of three on the bundled labelled data, most at shops
-- with a wide range. Cost: none.
CREATE RULE ticket_outlier
WITH ('severity' = 'low', 'title' = 'Far above the merchant''s usual ticket', 'owner' = 'card-fraud', 'suppress' = '12 h',
      'times' = '10', 'least_amount' = '700.00', 'key' = 'card_id')
AS SELECT p.card_id, p.merchant, p.amount, m.avg_ticket, p.ts AS at
FROM payments AS p
JOIN merchants FOR SYSTEM_TIME AS OF p.ts AS m ON m.merchant = p.merchant
WHERE p.outcome = 'approved' AND p.amount > PARAM('least_amount') AND p.amount >= PARAM('times') * m.avg_ticket;
