"""The same topic, read again and again in other ways: other numbers of threads, other batches, epochs of other length, while it is written or afterwards, with kills that change all of it.
What stands in the end is the same, byte for byte. CEPHEID_RUNS is the number of disturbed runs (default 1), CEPHEID_SEED makes others."""
import os
import random
import time

import model
from cases_crash import SEED, Feeder, lasting
from service import Service, wait_for

RUNS = int(os.environ.get("CEPHEID_RUNS", "2"))
RULES = """
CREATE RULE three AS SELECT m.user_id, m.first_id, m.last_id, m.total FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.order_id AS first_id, C.order_id AS last_id, A.amount + C.amount AS total
  AFTER MATCH SKIP PAST LAST ROW PATTERN (A -> B -> C) WITHIN INTERVAL '2' MINUTE
  DEFINE B AS B.country <> A.country, C AS C.country NOT IN (A.country, B.country)) AS m;

CREATE RULE rising WITH ('emit' = 'final') AS SELECT m.user_id, m.first_id, m.last_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.order_id AS first_id, LAST(B.order_id) AS last_id
  AFTER MATCH SKIP TO NEXT ROW PATTERN (A B{2,4}) WITHIN INTERVAL '2' MINUTE DEFINE B AS B.amount > PREV(B.amount)) AS m;

CREATE RULE silence WITH ('suppress' = '2 min') AS SELECT m.user_id, m.first_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.order_id AS first_id
  PATTERN (A -> NOT B FOR INTERVAL '20' SECOND) WITHIN INTERVAL '5' MINUTE DEFINE A AS A.amount > 100000, B AS B.amount > 10) AS m;

CREATE RULE minutes AS SELECT country, window_start, COUNT(*) AS n, SUM(amount) AS total, COUNT(DISTINCT user_id) AS users
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY country, window_start, window_end;

CREATE RULE spent AS SELECT user_id, order_id, spent FROM (
  SELECT user_id, order_id, SUM(amount) OVER (PARTITION BY user_id ORDER BY ts RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW) AS spent FROM orders)
WHERE spent > 1000000;

CREATE VIEW per_user AS SELECT user_id, country, COUNT(*) AS n FROM orders GROUP BY user_id, country;
CREATE RULE countries AS SELECT country, COUNT(*) AS users, MAX(n) AS most FROM per_user GROUP BY country;

CREATE RULE best AS SELECT country, order_id, amount FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY country ORDER BY amount DESC, order_id) AS place FROM orders) WHERE place <= 5;

CREATE RULE twins AS SELECT a.user_id, a.order_id AS first_id, b.order_id AS last_id FROM orders AS a JOIN orders AS b
ON a.user_id = b.user_id AND a.country = b.country AND b.ts BETWEEN a.ts + INTERVAL '1' SECOND AND a.ts + INTERVAL '10' SECOND;
"""


def manner(chance):
    return {"shards": chance.randrange(1, 6), "ingest.batch": chance.choice([3, 40, 1000]), "commit.interval": "%d ms" % chance.choice([5, 50, 300]),
            "exchange.queue": chance.choice([4, 64])}


def outcome(world, topic):
    """Of a group without window the time is that of the last change of its content (semantics 12.5), which hangs on the order of arrival."""
    standing = model.standing(world.events(topic))
    return {ident: lasting(dict(data, first_event_time=None, last_event_time=None) if data["rule"] == "countries" else data) for ident, data in standing.items()}


def read_through(world, number, config, disturb, want=None):
    """What stands behind a run over the topic; disturb(service) is called once it runs. want: waits for it before it gives up."""
    topic = "alerts%d" % number
    world.broker.topic(world.name(topic), 2)
    config = dict(config, **{"application.id": world.name(topic), "sinks": {"topic": world.kafka_sink(topic=world.name(topic))}})
    have = {}

    def probe():
        have.clear()
        have.update(outcome(world, topic))
        return want is None or have == want
    with Service({"rules.sql": world.tables() + RULES}, config) as service:
        service.start()
        disturb(service)
        service.wait_ready(60)
        wait_for("all orders to be read", lambda: service.metric("source_lag_records", table="orders") == 0, 60)
        service.epochs_pass()
        try:
            wait_for("what stands", probe, 20, 0.5)
        except AssertionError:
            raise AssertionError("run %d, begun as %s, differs:\n%s" % (number, config, model.difference(want, have)[:3000])) from None
        assert service.stop() == 0, service.log()[-2000:]
    return have


def case_same_whatever_the_run(world):
    chance = random.Random(SEED + 50)
    log = model.generate(SEED * 100 + 61, 1000, 6, 20)
    world.broker.topic(world.name("orders"), 6)
    feeder = Feeder(world, log, 250)

    def written_meanwhile(service):
        feeder.finish()
        service.wait_metric("source_records_total", len(log), 60, table="orders")

    def killed_and_changed(service):
        for _ in range(2):
            time.sleep(chance.random() * 0.4)
            service.kill()
            service.config.update(manner(chance))
            service.start()
    want = read_through(world, 0, {"shards": 1}, written_meanwhile)
    assert {text.split('"rule": "')[1].split('"')[0] for text in want.values()} == {"three", "rising", "silence", "minutes", "spent", "countries", "best", "twins"}, len(want)
    # The watermark moves in the smallest of steps: nothing may hang on how many rows one step passes.
    read_through(world, 1, {"shards": 3, "ingest.batch": 3, "commit.interval": "5 ms"}, lambda _: None, want)
    for number in range(2, RUNS + 2):
        read_through(world, number, manner(chance), killed_and_changed, want)
