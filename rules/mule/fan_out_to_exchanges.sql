-- Five transfers to different accounts of exchanges within an hour.
-- Intent: stolen money is turned into crypto currency before it can be called back. Owner: aml. False positives: traders. Cost: per account an hour.
CREATE RULE fan_out_to_exchanges
WITH ('severity' = 'high', 'title' = 'Money spread over exchange accounts', 'owner' = 'aml', 'suppress' = '24 h', 'window' = '1 h')
AS SELECT m.account_id, m.payees, m.at
FROM (SELECT t.account_id, t.counterparty, t.ts FROM transfers AS t JOIN exchanges FOR SYSTEM_TIME AS OF t.ts AS e ON e.account = t.counterparty
      WHERE t.direction = 'out') MATCH_RECOGNIZE (
  PARTITION BY account_id ORDER BY ts
  MEASURES A.counterparty || ',' || B.counterparty || ',' || C.counterparty || ',' || D.counterparty || ',' || E.counterparty AS payees,
           MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C -> D -> E) WITHIN PARAM('window')
  DEFINE B AS counterparty <> A.counterparty,
         C AS counterparty NOT IN (A.counterparty, B.counterparty),
         D AS counterparty NOT IN (A.counterparty, B.counterparty, C.counterparty),
         E AS counterparty NOT IN (A.counterparty, B.counterparty, C.counterparty, D.counterparty)
) AS m;
