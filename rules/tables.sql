-- The streams and profile tables that the rule packs read.
--
-- One file serves every deployment: by default the streams are Kafka topics at ${KAFKA}; with EVENTS_CONNECTOR=filesystem they are JSON lines in the
-- folder ${EVENTS_PATH}, one file a stream, followed as they grow. Options of the other connector are not looked at. Profiles are CSV files in ${PROFILES}, read
-- anew when they change. Adapt columns to your events: rules name only those that they read, and only those are decoded.

-- Card authorisations, approved or declined.
CREATE TABLE payments (
  payment_id STRING,
  card_id STRING,
  bin STRING,
  expiry STRING,
  merchant STRING,
  category STRING,
  amount DECIMAL(12,2),
  outcome STRING,            -- approved | declined | confirmed (the holder has passed 3-D Secure)
  card_present BOOLEAN,
  lat DOUBLE,
  lon DOUBLE,
  ip STRING,
  ip_country STRING,         -- where the address is; GEOIP_COUNTRY(ip) tells it too
  ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = '${EVENTS_CONNECTOR:-kafka}',
  'topic' = 'payments',
  'properties.bootstrap.servers' = '${KAFKA:-localhost:9092}',
  'scan.startup.mode' = 'group-offsets',
  'path' = '${EVENTS_PATH:-events}/payments.jsonl',
  'source.follow' = '${EVENTS_FOLLOW:-true}',
  'scan.watermark.idle-timeout' = '${EVENTS_IDLE:-30 s}',
  'format' = 'json'
);

-- Money in and out of accounts.
CREATE TABLE transfers (
  transfer_id STRING,
  account_id STRING,
  direction STRING,          -- in | out
  counterparty STRING,
  method STRING,             -- wire | cash | card
  amount DECIMAL(12,2),
  ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = '${EVENTS_CONNECTOR:-kafka}',
  'topic' = 'transfers',
  'properties.bootstrap.servers' = '${KAFKA:-localhost:9092}',
  'scan.startup.mode' = 'group-offsets',
  'path' = '${EVENTS_PATH:-events}/transfers.jsonl',
  'source.follow' = '${EVENTS_FOLLOW:-true}',
  'scan.watermark.idle-timeout' = '${EVENTS_IDLE:-30 s}',
  'format' = 'json'
);

-- Attempts to log in, second factors included. The user's account bears the user's id.
CREATE TABLE logins (
  login_id STRING,
  user_id STRING,
  outcome STRING,            -- success | failure | push_denied | push_ignored | push_accepted
  device_id STRING,
  device_known BOOLEAN,
  ip STRING,
  country STRING,
  ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = '${EVENTS_CONNECTOR:-kafka}',
  'topic' = 'logins',
  'properties.bootstrap.servers' = '${KAFKA:-localhost:9092}',
  'scan.startup.mode' = 'group-offsets',
  'path' = '${EVENTS_PATH:-events}/logins.jsonl',
  'source.follow' = '${EVENTS_FOLLOW:-true}',
  'scan.watermark.idle-timeout' = '${EVENTS_IDLE:-30 s}',
  'format' = 'json'
);

-- What happens to an account but money.
CREATE TABLE account_changes (
  change_id STRING,
  user_id STRING,
  change STRING,             -- password_reset | password_change | payee_added | email | phone | address | sim_change | iban | callback_confirm |
                             -- otp_request | otp_verified | remote_tool | signup
  device_known BOOLEAN,
  email STRING,
  ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = '${EVENTS_CONNECTOR:-kafka}',
  'topic' = 'account_changes',
  'properties.bootstrap.servers' = '${KAFKA:-localhost:9092}',
  'scan.startup.mode' = 'group-offsets',
  'path' = '${EVENTS_PATH:-events}/account_changes.jsonl',
  'source.follow' = '${EVENTS_FOLLOW:-true}',
  'scan.watermark.idle-timeout' = '${EVENTS_IDLE:-30 s}',
  'format' = 'json'
);

-- The life of orders.
CREATE TABLE orders (
  event_id STRING,
  order_id STRING,
  user_id STRING,
  status STRING,             -- placed | paid | cancelled | refunded
  amount DECIMAL(12,2),
  promo STRING,
  device_id STRING,
  country STRING,
  ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = '${EVENTS_CONNECTOR:-kafka}',
  'topic' = 'orders',
  'properties.bootstrap.servers' = '${KAFKA:-localhost:9092}',
  'scan.startup.mode' = 'group-offsets',
  'path' = '${EVENTS_PATH:-events}/orders.jsonl',
  'source.follow' = '${EVENTS_FOLLOW:-true}',
  'scan.watermark.idle-timeout' = '${EVENTS_IDLE:-30 s}',
  'format' = 'json'
);

-- Clicks on advertisements, and what came of them.
CREATE TABLE clicks (
  click_id STRING,
  ip STRING,
  ad STRING,
  what STRING,               -- click | conversion
  ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = '${EVENTS_CONNECTOR:-kafka}',
  'topic' = 'clicks',
  'properties.bootstrap.servers' = '${KAFKA:-localhost:9092}',
  'scan.startup.mode' = 'group-offsets',
  'path' = '${EVENTS_PATH:-events}/clicks.jsonl',
  'source.follow' = '${EVENTS_FOLLOW:-true}',
  'scan.watermark.idle-timeout' = '${EVENTS_IDLE:-30 s}',
  'format' = 'json'
);

-- Gift cards, bought and redeemed.
CREATE TABLE gift_cards (
  event_id STRING,
  gift_id STRING,
  user_id STRING,
  what STRING,               -- bought | redeemed
  amount DECIMAL(12,2),
  card_added TIMESTAMP_LTZ(3), -- bought: since when the payment card is on the account
  ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = '${EVENTS_CONNECTOR:-kafka}',
  'topic' = 'gift_cards',
  'properties.bootstrap.servers' = '${KAFKA:-localhost:9092}',
  'scan.startup.mode' = 'group-offsets',
  'path' = '${EVENTS_PATH:-events}/gift_cards.jsonl',
  'source.follow' = '${EVENTS_FOLLOW:-true}',
  'scan.watermark.idle-timeout' = '${EVENTS_IDLE:-30 s}',
  'format' = 'json'
);

-- Card holders: where they live and what they spend.
CREATE TABLE card_profiles (
  card_id STRING,
  city STRING,
  state STRING,
  segment STRING,
  hist_mean_amount DECIMAL(12,2),
  hist_std_amount DECIMAL(12,2),
  PRIMARY KEY (card_id) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = '${PROFILES:-data}/profiles.csv', 'format' = 'csv');

-- Customers behind accounts and logins.
CREATE TABLE customers (
  user_id STRING,
  home_country STRING,
  birth_year INT,
  segment STRING,
  PRIMARY KEY (user_id) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = '${CUSTOMERS:-rules/demo}/customers.csv', 'format' = 'csv');

-- Merchants: what they usually take, and since when they are customers.
CREATE TABLE merchants (
  merchant STRING,
  avg_ticket DECIMAL(12,2),
  onboarded TIMESTAMP_LTZ(3),
  PRIMARY KEY (merchant) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = '${CUSTOMERS:-rules/demo}/merchants.csv', 'format' = 'csv');

-- Ranges of card numbers: whose they are, and whether their cards are often stolen ones.
CREATE TABLE bins (
  bin STRING,
  country STRING,
  risk STRING,               -- low | high
  PRIMARY KEY (bin) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = '${CUSTOMERS:-rules/demo}/bins.csv', 'format' = 'csv');

-- Accounts of exchanges of crypto currencies.
CREATE TABLE exchanges (
  account STRING,
  name STRING,
  PRIMARY KEY (account) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = '${CUSTOMERS:-rules/demo}/exchanges.csv', 'format' = 'csv');

-- E-mail domains that give out addresses for minutes.
CREATE TABLE disposable_domains (
  domain STRING,
  PRIMARY KEY (domain) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = '${PROFILES:-data}/disposable_domains.txt', 'format' = 'csv', 'csv.header' = 'false');

-- Everything about a user, one stream: what account rules read. `what` says what happened, whichever stream it came from.
CREATE VIEW user_activity AS
SELECT user_id, 'login_' || outcome AS what, device_known, CAST(NULL AS DECIMAL(12,2)) AS amount, country, ts FROM logins
UNION ALL
SELECT user_id, change AS what, device_known, CAST(NULL AS DECIMAL(12,2)) AS amount, CAST(NULL AS STRING) AS country, ts FROM account_changes
UNION ALL
SELECT account_id AS user_id, 'transfer_' || direction AS what, CAST(NULL AS BOOLEAN) AS device_known, amount, CAST(NULL AS STRING) AS country, ts
FROM transfers;
