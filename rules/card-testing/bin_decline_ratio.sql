-- BIN attack by its ratio: twenty different cards of one range at one merchant within ten minutes, more than four in five declined.
-- Intent: as bin_attack, when the machine mixes good cards among the tried ones. Owner: card fraud.
-- False positives: an outage of one issuer; check its other merchants. Cost: per merchant and BIN the cards of ten minutes.
CREATE RULE bin_decline_ratio
WITH ('severity' = 'high', 'title' = 'Many cards of one range declined at a merchant', 'owner' = 'card-fraud', 'suppress' = '1 h', 'key' = 'merchant,bin', 'cards' = '20',
      'ratio' = '0.8')
AS SELECT merchant, bin, cards, declined, attempts, ts AS at
FROM (SELECT merchant, bin, ts, COUNT(DISTINCT card_id) OVER recent AS cards, COUNT(*) FILTER (WHERE outcome = 'declined') OVER recent AS declined, COUNT(*) OVER recent AS attempts
      FROM payments WHERE bin IS NOT NULL AND outcome <> 'confirmed'
      WINDOW recent AS (PARTITION BY merchant, bin ORDER BY ts RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW))
WHERE cards >= PARAM('cards') AND declined > PARAM('ratio') * attempts;
