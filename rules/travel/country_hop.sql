-- Two logins in a row from different countries within half an hour.
-- Intent: one account, two people. Owner: account security. False positives: VPN, roaming at a border; low on its own. Cost: per user its last login.
CREATE RULE country_hop
WITH ('severity' = 'low', 'title' = 'Logins from two countries in half an hour', 'owner' = 'account-security', 'suppress' = '24 h', 'window' = '30 min')
AS SELECT m.user_id, m.from_country, m.to_country, m.minutes, m.at
FROM (SELECT user_id, country, ts FROM logins WHERE outcome = 'success' AND country IS NOT NULL) MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES A.country AS from_country, B.country AS to_country, TIMESTAMPDIFF(MINUTE, A.ts, B.ts) AS minutes, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) WITHIN PARAM('window')
  DEFINE B AS country <> A.country
) AS m;
