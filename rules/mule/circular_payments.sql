-- Circular payments: A pays B, B pays C, C pays A, within three days and nearly the same amount.
-- Intent: money that goes in a circle to look like trade. Owner: money laundering. False positives: friends who square their debts; the amounts must be within a tenth.
-- Cost: outgoing transfers of three days are kept by both accounts.
CREATE RULE circular_payments
WITH ('severity' = 'high', 'title' = 'Money in a circle of three accounts', 'owner' = 'aml', 'suppress' = '72 h', 'key' = 'account_id', 'near' = '0.10', 'large' = '500.00',
      'state.ttl' = '3 d')
AS SELECT a.account_id, b.account_id AS second_account, c.account_id AS third_account, a.amount AS first_amount, c.amount AS last_amount, c.ts AS at
FROM (SELECT account_id, counterparty, amount, ts FROM transfers WHERE direction = 'out' AND amount >= PARAM('large')) AS a
JOIN (SELECT account_id, counterparty, amount, ts FROM transfers WHERE direction = 'out' AND amount >= PARAM('large')) AS b
  ON b.account_id = a.counterparty AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '72' HOUR
JOIN (SELECT account_id, counterparty, amount, ts FROM transfers WHERE direction = 'out' AND amount >= PARAM('large')) AS c
  ON c.account_id = b.counterparty AND c.counterparty = a.account_id AND c.ts BETWEEN b.ts AND b.ts + INTERVAL '72' HOUR
WHERE c.ts < a.ts + INTERVAL '72' HOUR AND a.account_id <> b.account_id AND b.account_id <> c.account_id
  AND ABS(b.amount - a.amount) <= PARAM('near') * a.amount AND ABS(c.amount - a.amount) <= PARAM('near') * a.amount;
