-- A merchant's daily volume is five times its usual one.
-- Intent: a merchant that is about to go bust, or was taken over. Owner: acquiring. False positives: sales days; look at the trade's other merchants.
-- Cost: per merchant one sum a day and thirty days of sums. Told when the day is over.
CREATE RULE volume_jump
WITH ('severity' = 'high', 'title' = 'Daily volume far above the usual one', 'owner' = 'acquiring', 'suppress' = '24 h', 'key' = 'merchant', 'times' = '5', 'least' = '5000.00',
      'history' = '7', 'emit' = 'final')
AS SELECT merchant, day, volume, (total - volume) / (days - 1) AS usual, days - 1 AS days
FROM (SELECT merchant, window_start AS day, volume, SUM(volume) OVER month_before AS total, COUNT(*) OVER month_before AS days
      FROM (SELECT merchant, window_start, window_time, SUM(amount) AS volume
            FROM TABLE(TUMBLE(TABLE payments, DESCRIPTOR(ts), INTERVAL '1' DAY)) WHERE outcome = 'approved' GROUP BY merchant, window_start, window_end, window_time)
      WINDOW month_before AS (PARTITION BY merchant ORDER BY window_time ROWS BETWEEN 30 PRECEDING AND CURRENT ROW))
WHERE volume > PARAM('least') AND days > PARAM('history') AND volume * (days - 1) > PARAM('times') * (total - volume);
