-- Mule: money comes in and at least nine tenths of it leave within four hours, in however many pieces.
-- Intent: an account that passes money on. Owner: anti money laundering. False positives: payroll through a holding account.
-- Cost: per account the transfers of four hours. SKIP TO NEXT ROW keeps alerts stable; 'suppress' keeps them single.
CREATE RULE mule_in_and_out
WITH ('severity' = 'high', 'title' = 'Incoming money passed on', 'owner' = 'aml', 'suppress' = '24 h', 'least_in' = '1000.00', 'share' = '0.9', 'window' = '4 h')
AS SELECT m.account_id, m.came_in, m.went_out, m.payments_out, m.at
FROM transfers MATCH_RECOGNIZE (
  PARTITION BY account_id ORDER BY ts
  MEASURES I.amount AS came_in, COALESCE(SUM(O.amount), 0) + L.amount AS went_out, COUNT(O.amount) + 1 AS payments_out, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW
  PATTERN (I (-> O)*? -> L) WITHIN PARAM('window')
  DEFINE I AS direction = 'in' AND amount >= PARAM('least_in'),
         O AS direction = 'out',
         L AS direction = 'out' AND COALESCE(SUM(O.amount), 0) + amount >= PARAM('share') * I.amount
) AS m;
