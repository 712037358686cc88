-- A card of a risky range pays from another country than its own, and its holder does not confirm within ten minutes.
-- Intent: stolen numbers used from afar. Owner: card fraud. False positives: travellers whose bank does not ask. Cost: per card one waiting payment; the ranges as a profile table.
CREATE RULE unconfirmed_foreign_card
WITH ('severity' = 'medium', 'title' = 'Foreign card of a risky range not confirmed', 'owner' = 'card-fraud', 'suppress' = '1 h')
AS SELECT m.card_id, m.bin, m.card_country, m.ip_country, m.amount, m.paid_at, m.at
FROM (SELECT p.card_id, p.bin, p.amount, p.outcome, p.card_present, p.ip_country, b.country, b.risk, p.ts
      FROM payments AS p LEFT JOIN bins FOR SYSTEM_TIME AS OF p.ts AS b ON b.bin = p.bin) MATCH_RECOGNIZE (
  PARTITION BY card_id ORDER BY ts
  MEASURES A.bin AS bin, A.country AS card_country, A.ip_country AS ip_country, A.amount AS amount, A.ts AS paid_at, MATCH_ROWTIME() AS at
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> NOT C) WITHIN INTERVAL '10' MINUTE
  DEFINE A AS outcome = 'approved' AND NOT card_present AND risk = 'high' AND ip_country <> country, C AS outcome = 'confirmed'
) AS m;
