-- Velocity by sum: one account sends one payee more than a limit within a day, in however many pieces.
-- Intent: a large transfer cut into small ones. Owner: payments. False positives: payroll and rent collectors; list them by a WHERE.
-- Cost: per account and payee the transfers of a day. SKIP TO NEXT ROW: each transfer starts a sum of its own; 'suppress' lets the first one speak.
CREATE RULE payee_sum
WITH ('severity' = 'high', 'title' = 'Large sum to one payee in a day', 'owner' = 'payments', 'suppress' = '24 h', 'limit' = '20000.00', 'window' = '24 h')
AS SELECT m.account_id, m.counterparty, m.total, m.transfers, m.at
FROM (SELECT account_id, counterparty, amount, ts FROM transfers WHERE direction = 'out' AND amount > 0) MATCH_RECOGNIZE (
  PARTITION BY account_id, counterparty ORDER BY ts
  MEASURES SUM(amount) AS total, COUNT(*) AS transfers, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW
  PATTERN (A*? B) WITHIN PARAM('window')
  DEFINE B AS COALESCE(SUM(A.amount), 0) + amount > PARAM('limit')
) AS m;
