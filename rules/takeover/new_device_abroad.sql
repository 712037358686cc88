-- Login from a device never seen and a country that is not the customer's.
-- Intent: the weakest sign of a takeover, worth a second factor. Owner: account security. False positives: holidays with a new phone. Cost: none.
CREATE RULE new_device_abroad
WITH ('severity' = 'low', 'title' = 'New device in another country', 'owner' = 'account-security', 'suppress' = '24 h', 'key' = 'user_id')
AS SELECT l.user_id, l.country, c.home_country, l.ip, l.ts AS at
FROM logins AS l
JOIN customers FOR SYSTEM_TIME AS OF l.ts AS c ON c.user_id = l.user_id
WHERE l.outcome = 'success' AND l.device_known IS FALSE AND l.country <> c.home_country;
