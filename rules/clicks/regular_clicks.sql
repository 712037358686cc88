-- Clicks like clockwork: twenty gaps between the clicks of one address on one advertisement differ by less than a twentieth of their mean.
-- Intent: a program clicks, patiently enough to stay below any count. Owner: advertising. False positives: a page that reloads its own advertisement.
-- Cost: per address and advertisement the last click and twenty gaps.
CREATE RULE regular_clicks
WITH ('severity' = 'medium', 'title' = 'Clicks at regular intervals', 'owner' = 'ads', 'suppress' = '24 h', 'key' = 'ip,ad', 'gaps' = '20', 'share' = '0.05')
AS SELECT ip, ad, click_id, usual AS seconds_between, away AS deviation
FROM (SELECT ip, ad, click_id, COUNT(gap) OVER w AS gaps, STDDEV_POP(gap) OVER w AS away, AVG(gap) OVER w AS usual
      FROM (SELECT ip, ad, click_id, ts,
                   CAST(EXTRACT(EPOCH FROM ts) - LAG(EXTRACT(EPOCH FROM ts)) OVER (PARTITION BY ip, ad ORDER BY ts) AS DOUBLE) AS gap
            FROM clicks WHERE what = 'click')
      WINDOW w AS (PARTITION BY ip, ad ORDER BY ts ROWS BETWEEN 19 PRECEDING AND CURRENT ROW))
WHERE gaps >= PARAM('gaps') AND away < PARAM('share') * usual;
