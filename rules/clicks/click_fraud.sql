-- Click fraud: thirty clicks from one address on one advertisement within an hour, and nothing came of any.
-- Intent: a competitor's budget is burnt, or a publisher's income made up. Owner: advertising. False positives: a large office behind one address.
-- Cost: per address and advertisement two counts an hour. Told when the hour is over.
CREATE RULE click_fraud
WITH ('severity' = 'medium', 'title' = 'Clicks without end from one address', 'owner' = 'ads', 'suppress' = '24 h', 'key' = 'ip,ad', 'clicks' = '30', 'emit' = 'final')
AS SELECT ip, ad, clicks, window_start AS since
FROM (SELECT ip, ad, window_start, COUNT(*) FILTER (WHERE what = 'click') AS clicks, COUNT(*) FILTER (WHERE what = 'conversion') AS conversions
      FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY ip, ad, window_start, window_end)
WHERE clicks >= PARAM('clicks') AND conversions = 0;
