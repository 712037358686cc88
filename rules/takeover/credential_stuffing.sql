-- Credential stuffing: one address fails with five users, then gets in as another.
-- Intent: a list of leaked passwords is tried. Owner: account security. False positives: a company's proxy on a Monday. Cost: per address the failures of ten minutes.
-- SKIP TO NEXT ROW keeps alerts stable; 'suppress' keeps them single.
CREATE RULE credential_stuffing
WITH ('severity' = 'high', 'title' = 'Leaked passwords tried from one address', 'owner' = 'account-security', 'suppress' = '10 min', 'window' = '10 min')
AS SELECT m.ip, m.got_in, m.at
FROM (SELECT ip, user_id, outcome, ts FROM logins WHERE ip IS NOT NULL) MATCH_RECOGNIZE (
  PARTITION BY ip ORDER BY ts
  MEASURES S.user_id AS got_in, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW
  PATTERN (A -> B -> C -> D -> E -> S) WITHIN PARAM('window')
  DEFINE A AS outcome = 'failure',
         B AS outcome = 'failure' AND user_id <> A.user_id,
         C AS outcome = 'failure' AND user_id NOT IN (A.user_id, B.user_id),
         D AS outcome = 'failure' AND user_id NOT IN (A.user_id, B.user_id, C.user_id),
         E AS outcome = 'failure' AND user_id NOT IN (A.user_id, B.user_id, C.user_id, D.user_id),
         S AS outcome = 'success'
) AS m;
