-- Impossible travel: a card is present in two places, one after the other, faster than an aeroplane.
-- Intent: a cloned card. Owner: card fraud. False positives: terminals registered at their head office; a wrong position shows as one merchant in all alerts.
-- Cost: per card its last payment.
CREATE RULE impossible_travel
WITH ('severity' = 'high', 'title' = 'Card present in two distant places', 'owner' = 'card-fraud', 'suppress' = '24 h',
      'least_km' = '500', 'most_kmh' = '900', 'window' = '24 h')
AS SELECT m.card_id, m.km, m.minutes, m.from_merchant, m.to_merchant, m.at
FROM (SELECT * FROM payments WHERE card_present AND lat IS NOT NULL AND lon IS NOT NULL) MATCH_RECOGNIZE (
  PARTITION BY card_id ORDER BY ts
  MEASURES ROUND(GEO_DISTANCE(A.lat, A.lon, B.lat, B.lon), 0) AS km, TIMESTAMPDIFF(MINUTE, A.ts, B.ts) AS minutes,
           A.merchant AS from_merchant, B.merchant AS to_merchant, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) WITHIN PARAM('window')
  DEFINE B AS GEO_DISTANCE(A.lat, A.lon, lat, lon) > PARAM('least_km')
          AND GEO_DISTANCE(A.lat, A.lon, lat, lon) * 3600 > PARAM('most_kmh') * TIMESTAMPDIFF(SECOND, A.ts, ts)
) AS m;
