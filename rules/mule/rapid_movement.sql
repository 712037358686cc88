-- Rapid movement: within a week more than a limit came in and more than it went out, each in several pieces.
-- Intent: an account that only passes money on, slowly enough for mule_in_and_out not to see it. Owner: money laundering.
-- False positives: small shops without a business account. Cost: per account sums over its transfers of a week, whatever their number.
CREATE RULE rapid_movement
WITH ('severity' = 'medium', 'title' = 'Much money through an account in a week', 'owner' = 'aml', 'suppress' = '7 d', 'key' = 'account_id', 'limit' = '10000.00',
      'pieces' = '5')
AS SELECT account_id, came_in, went_out, pieces_in, pieces_out, ts AS at
FROM (SELECT account_id, ts,
             SUM(amount) FILTER (WHERE direction = 'in') OVER week AS came_in, SUM(amount) FILTER (WHERE direction = 'out') OVER week AS went_out,
             COUNT(*) FILTER (WHERE direction = 'in') OVER week AS pieces_in, COUNT(*) FILTER (WHERE direction = 'out') OVER week AS pieces_out
      FROM transfers WINDOW week AS (PARTITION BY account_id ORDER BY ts RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND CURRENT ROW))
WHERE came_in > PARAM('limit') AND went_out > PARAM('limit') AND pieces_in >= PARAM('pieces') AND pieces_out >= PARAM('pieces');
