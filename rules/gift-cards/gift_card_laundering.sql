-- Gift-card laundering: three gift cards bought with a card that is new on the account, each redeemed by somebody else within a day.
-- Intent: stolen cards become goods. Owner: gift cards. False positives: presents at the holidays.
-- Cost: per gift card its purchase for a day, per buyer a day of redemptions. In two stages: what happens to a gift, then how many there are of one buyer.
CREATE RULE gift_card_laundering
WITH ('severity' = 'high', 'title' = 'Gift cards of a new card redeemed by others', 'owner' = 'gift-cards', 'suppress' = '24 h', 'key' = 'user_id', 'gifts' = '3')
AS SELECT user_id, gifts, total, redeemers, at
FROM (SELECT user_id, at, COUNT(*) OVER day AS gifts, SUM(amount) OVER day AS total, COUNT(DISTINCT redeemer) OVER day AS redeemers
      FROM gift_cards MATCH_RECOGNIZE (
        PARTITION BY gift_id ORDER BY ts
        MEASURES B.user_id AS user_id, R.user_id AS redeemer, B.amount AS amount, MATCH_ROWTIME() AS at
        ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW
        PATTERN (B -> R) WITHIN INTERVAL '24' HOUR
        DEFINE B AS what = 'bought' AND ts < card_added + INTERVAL '7' DAY, R AS what = 'redeemed' AND user_id <> B.user_id
      ) AS m
      WINDOW day AS (PARTITION BY user_id ORDER BY at RANGE BETWEEN INTERVAL '24' HOUR PRECEDING AND CURRENT ROW))
WHERE gifts >= PARAM('gifts');
