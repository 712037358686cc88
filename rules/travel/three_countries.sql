-- Orders from three countries within two minutes.
-- Intent: credentials shared by a ring. Owner: account security. False positives: VPN hopping. Cost: per user the orders of two minutes.
CREATE RULE three_countries
WITH ('severity' = 'high', 'title' = 'Orders from three countries in two minutes', 'owner' = 'account-security', 'suppress' = '10 min', 'window' = '2 min')
AS SELECT m.user_id, m.countries, c.home_country, m.at
FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES A.country || ',' || B.country || ',' || C.country AS countries, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C) WITHIN PARAM('window')
  DEFINE B AS country <> A.country, C AS country NOT IN (A.country, B.country)
) AS m LEFT JOIN customers FOR SYSTEM_TIME AS OF m.at AS c ON c.user_id = m.user_id;
