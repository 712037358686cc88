-- Five different senders pay one account within a day.
-- Intent: victims of one fraud pay one mule. Owner: aml. False positives: sellers; exclude business accounts. Cost: per account the senders of a day.
CREATE RULE fan_in
WITH ('severity' = 'medium', 'title' = 'Five senders to one account', 'owner' = 'aml', 'suppress' = '24 h', 'least_amount' = '100.00', 'window' = '24 h')
AS SELECT m.account_id, m.senders, m.at
FROM (SELECT account_id, counterparty, ts FROM transfers WHERE direction = 'in' AND amount >= PARAM('least_amount')) MATCH_RECOGNIZE (
  PARTITION BY account_id ORDER BY ts
  MEASURES A.counterparty || ',' || B.counterparty || ',' || C.counterparty || ',' || D.counterparty || ',' || E.counterparty AS senders,
           MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C -> D -> E) WITHIN PARAM('window')
  DEFINE B AS counterparty <> A.counterparty,
         C AS counterparty NOT IN (A.counterparty, B.counterparty),
         D AS counterparty NOT IN (A.counterparty, B.counterparty, C.counterparty),
         E AS counterparty NOT IN (A.counterparty, B.counterparty, C.counterparty, D.counterparty)
) AS m;
