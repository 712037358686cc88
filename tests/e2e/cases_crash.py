"""SIGTERM and SIGKILL: state and positions survive; a read_committed consumer sees each (alert id, revision) once, revisions rise, and what stands
is what stands without any stop. CEPHEID_KILLS is the number of random kills (default 20), CEPHEID_SEED makes another run."""
import json
import os
import random
import threading
import time

import model
import run
from service import Service, wait_for

KILLS = int(os.environ.get("CEPHEID_KILLS", "20"))
SEED = int(os.environ.get("CEPHEID_SEED", "1"))
RULES = {"three.sql": run.rule(), "pairs.sql": """
CREATE RULE big_pair WITH ('severity' = 'low', 'title' = 'Two large orders in one country', 'emit' = 'final')
AS SELECT m.user_id, m.orders, m.country
FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES A.country AS country, A.order_id || ',' || B.order_id AS orders
  ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW
  PATTERN (A -> B) WITHIN INTERVAL '1' MINUTE
  DEFINE A AS A.amount > 100000, B AS B.amount > 100000 AND B.country = A.country
) AS m;
"""}


def lasting(data):
    """What a replay repeats byte for byte (all but revision, change and detection)."""
    return json.dumps({name: data[name] for name in ("alert_id", "rule", "key", "kind", "measures", "events", "first_event_time", "last_event_time")},
                      sort_keys=True, default=str)


def standing(world, topic="alerts"):
    return {ident: lasting(data) for ident, data in model.standing(world.events(topic)).items()}


def reference(world, log):
    """What stands after a run that nothing disturbs, in a topic of its own."""
    world.broker.topic(world.name("reference"), 2)
    config = dict(world.config(), **{"application.id": world.name("reference")})
    config["sinks"] = {"topic": world.kafka_sink(topic=world.name("reference"))}
    with Service(dict(RULES, **{"tables.sql": world.tables()}), config) as service:
        service.start()
        service.wait_metric("source_records_total", len(log), 60, table="orders")
        service.epochs_pass()
        assert service.stop() == 0
    return standing(world, "reference")


def check_end(world, service, log):
    """All was read: the standing set is that of the undisturbed run, and of brute force for the one rule."""
    service.wait_ready(60)
    wait_for("all orders to be read", lambda: service.metric("source_lag_records", table="orders") == 0, 60)
    service.epochs_pass()
    want = reference(world, log)
    have = {}

    def probe():
        have.clear()
        have.update(standing(world))
        return have == want
    try:
        wait_for("the standing set", probe, 20, 0.5)
    except AssertionError as error:
        raise AssertionError("what stands differs from the undisturbed run (%s):\n%s" % (error, model.difference(want, have))) from error
    rows = [json.loads(text, parse_float=str) for text in want.values()]
    found = model.by_match([row for row in rows if row["rule"] == "three_countries"])
    assert set(found) == set(model.expected(log))
    assert len(rows) > len(found) > 50, (len(rows), len(found))


class Feeder(threading.Thread):
    """Produces a log in chunks while the service comes and goes; allow(n) lets it go on by n orders."""

    def __init__(self, world, log, chunk):
        super().__init__(daemon=True)
        self.world, self.log, self.chunk = world, log, chunk
        self.at, self.allowed, self.error, self.more = 0, 0, None, threading.Event()
        self.start()

    def run(self):
        try:
            while self.at < len(self.log):
                if self.at >= self.allowed:
                    self.more.wait(0.05)
                    self.more.clear()
                    continue
                self.world.produce(self.log[self.at:self.at + self.chunk])
                self.at += self.chunk
                time.sleep(0.02)
        except Exception as error:
            self.error = error

    def allow(self, count):
        self.allowed += count
        self.more.set()

    def idle(self):
        if self.error:
            raise self.error
        return self.at >= min(self.allowed, len(self.log))

    def finish(self):
        self.allow(len(self.log))
        wait_for("all to be produced", self.idle, 120)


def disturb(service, feeder, chance, share, ready):
    """Some epochs pass while orders come; then SIGKILL and a new start."""
    feeder.allow(share)
    epochs = chance.randrange(1, 6)
    wait_for("progress", lambda: feeder.idle() or (service.listening() and service.metric("epochs_total") >= epochs), 60, 0.01)
    time.sleep(chance.random() * 0.3)
    service.kill()
    service.start(ready=ready)


def case_restart_in_order(world):
    """SIGTERM in mid-stream, three times: partial matches, watermarks and positions come back; what was decided is not read again."""
    log = model.generate(SEED * 100 + 21, 1600, 4, 25)
    world.topics(4)
    with Service(dict(RULES, **{"tables.sql": world.tables()}), world.config()) as service:
        for part in range(4):
            service.start()
            world.produce(log[part * 400:part * 400 + 400], 100)
            service.wait_metric("source_records_total", 400, table="orders")
            service.epochs_pass()
            assert service.metric("source_records_total", table="orders") == 400, "read again after the stop"
            if part < 3:
                assert service.stop() == 0, service.log()[-2000:]
                assert "ended in order" in service.log()
        check_end(world, service, log)


def case_killed_at_random(world):
    chance = random.Random(SEED)
    log = model.generate(SEED * 100 + 22, max(2000, 120 * KILLS), 8, 40)
    world.topics(8)
    with Service(dict(RULES, **{"tables.sql": world.tables()}), world.config()) as service:
        service.start()
        feeder = Feeder(world, log, 40)
        for kill in range(KILLS):
            disturb(service, feeder, chance, len(log) // KILLS, ready=kill % 4 != 3)
            if kill % 4 == 3:  # sometimes while it starts
                time.sleep(chance.random() * 0.1)
                service.kill()
                service.start()
        feeder.finish()
        check_end(world, service, log)


def case_changed_while_down(world):
    """Killed in the middle; the next start finds other rules and another number of shards. What the rules have in common goes on as if nothing had been."""
    chance = random.Random(SEED + 2)
    log = model.generate(SEED * 100 + 24, 1800, 4, 25)
    world.topics(4)
    more = "CREATE RULE other_%d WITH ('severity' = 'low') AS SELECT user_id, order_id FROM orders WHERE amount > 1000000000;\n"
    with Service(dict(RULES, **{"tables.sql": world.tables()}), world.config()) as service:
        service.start()
        feeder = Feeder(world, log, 40)
        for turn, shards in enumerate((3, 1, 2, 2)):
            feeder.allow(len(log) // 4)
            wait_for("progress", lambda: service.metric("epochs_total") >= 4 or (feeder.idle() and service.metric("epochs_total") >= 2), 60, 0.01)
            time.sleep(chance.random() * 0.3)
            service.kill()
            service.write_rule("more.sql", more % turn)
            if turn == 3:
                os.unlink(service.path("rules", "more.sql"))
            service.config["shards"] = shards
            service.start()
            assert "journals are gone through first" in service.log() or service.metric("epoch") < 2, service.log()[-2000:]
        feeder.finish()
        check_end(world, service, log)


def case_killed_at_least_once(world):
    """Without transactions an id may come again, but never another content for it, and what stands is the same."""
    chance = random.Random(SEED + 1)
    log = model.generate(SEED * 100 + 23, 1500, 4, 25)
    world.topics(4)
    config = dict(world.config(), delivery="at-least-once")
    with Service(dict(RULES, **{"tables.sql": world.tables()}), config) as service:
        service.start()
        feeder = Feeder(world, log, 40)
        for _ in range(5):
            disturb(service, feeder, chance, 250, ready=True)
        feeder.finish()
        wait_for("all orders to be read", lambda: service.metric("source_lag_records", table="orders") == 0, 60)
        service.epochs_pass()
        wait_for("the topic to follow", lambda: service.metric("sink_lag_alerts", sink="topic") == 0, 30)
        want, seen, last = reference(world, log), {}, {}
        for event in world.events():
            data = event["data"]
            text = json.dumps(event, sort_keys=True, default=str)
            assert seen.setdefault(event["id"], text) == text, "two contents for %s" % event["id"]
            if data["alert_id"] not in last or last[data["alert_id"]]["revision"] < data["revision"]:
                last[data["alert_id"]] = data
        have = {ident: lasting(data) for ident, data in last.items() if data["change"] != "withdrawn"}
        assert have == want, model.difference(want, have)
