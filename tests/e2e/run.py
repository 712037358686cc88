#!/usr/bin/env python3
"""Runs the end-to-end cases against a real broker that it starts and stops. usage: run.py [-v] [--list] [--share=FOLDER] [WORD…]; a case runs if its name
holds one of the words (all without words). Runs with the same --share folder, side by side, take each case once, each with a broker of its own. A case is a function named case_… of a module named
cases_…; it takes a World and raises what is wrong. Prints TAP lines and, last, `tests: N passed, M failed, K skipped`."""
import importlib
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "broker")]
import broker as kafka  # noqa: E402
import model  # noqa: E402
import service  # noqa: E402

MODULES = ["cases_countries", "cases_crash", "cases_broker", "cases_reload", "cases_input", "cases_webhook", "cases_api", "cases_faults", "cases_views", "cases_changes",
           "cases_versions", "cases_savepoint", "cases_same", "cases_windows"]

# The longest first, so that runs that share the cases end together.
FIRST = ["coordinator_away", "killed_at_points", "reloaded_under_load", "killed_at_random", "broker_killed", "three_countries", "broker_away_at_start", "broker_hangs", "same_whatever_the_run", "stopped_for_long", "restart_in_order"]

TABLES = """
CREATE TABLE orders (
  order_id STRING, user_id STRING, country STRING, amount DECIMAL(12,2), ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = '{orders}', 'format' = 'json', {properties}, 'scan.startup.mode' = 'earliest-offset');
"""
CUSTOMERS = """
CREATE TABLE customers (user_id STRING, home_country STRING, PRIMARY KEY (user_id) NOT ENFORCED)
WITH ('connector' = 'kafka', 'topic' = '{customers}', 'format' = 'json', {properties});
"""
MATCH = """FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts
  MEASURES A.country || ',' || B.country || ',' || C.country AS countries, A.amount + B.amount + C.amount AS total,
           A.order_id || ',' || B.order_id || ',' || C.order_id AS orders, MATCH_ROWTIME() AS match_rowtime
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C) WITHIN INTERVAL '2' MINUTE
  DEFINE B AS B.country <> A.country, C AS C.country NOT IN (A.country, B.country)
) AS m"""
RULE = """
CREATE RULE {name} WITH ('severity' = 'high', 'title' = '{title}'{options})
AS SELECT m.user_id, m.orders, m.countries, m.total
""" + MATCH + ";\n"
RULE_WITH_CUSTOMERS = """
CREATE RULE three_countries WITH ('severity' = 'high', 'title' = 'Orders from three countries in two minutes')
AS SELECT m.user_id, m.orders, m.countries, m.total, c.home_country
""" + MATCH + " LEFT JOIN customers FOR SYSTEM_TIME AS OF m.match_rowtime AS c ON c.user_id = m.user_id;\n"


def rule(name="three_countries", title="Orders from three countries in two minutes", options=""):
    return RULE.format(name=name, title=title, options=options)


class World:
    """The broker of all cases; topics bear the case's name."""

    def __init__(self, broker):
        self.broker, self.case = broker, ""

    def name(self, what):
        return "%s-%s" % (self.case, what)

    def properties(self, servers=None, sasl=None):
        """The WITH options that lead to the brokers."""
        values = sasl or {"bootstrap.servers": servers or self.broker.servers}
        return ", ".join("'properties.%s' = '%s'" % pair for pair in values.items())

    def tables(self, customers=False, sasl=None):
        names = {"orders": self.name("orders"), "customers": self.name("customers"), "properties": self.properties(sasl=sasl)}
        return (TABLES + (CUSTOMERS if customers else "")).format(**names)

    def topics(self, partitions=8, customers=False):
        self.broker.topic(self.name("orders"), partitions)
        self.broker.topic(self.name("alerts"), 2)
        if customers:
            self.broker.topic(self.name("customers"), 2, cleanup_policy="compact")

    def kafka_sink(self, sasl=None, **more):
        values = sasl or {"bootstrap.servers": self.broker.servers}
        return dict({"type": "kafka", "topic": self.name("alerts")}, **{"properties." + key: value for key, value in values.items()}, **more)

    def config(self, sasl=None, **sinks):
        return {"application.id": self.case, "sinks": dict({"topic": self.kafka_sink(sasl)}, **sinks)}

    def produce(self, orders, chunk=None):
        """In the order of `orders` within each partition; chunks of it one after the other."""
        chunk = chunk or len(orders) or 1
        for at in range(0, len(orders), chunk):
            part = sorted(orders[at:at + chunk], key=lambda order: order["partition"])
            self.broker.produce(self.name("orders"), [(order["user_id"], model.order_text(order), order["partition"]) for order in part])

    def events(self, topic="alerts", isolation="read_committed"):
        """Alerts of the topic in the order of each key, which is one partition's."""
        records = self.broker.consume(self.name(topic), isolation)
        return [service.parse(record["payload"]) for record in sorted(records, key=lambda record: (record["partition"], record["offset"]))]

    def wait_standing(self, want, timeout=60):
        """Until the topic's standing set is `want`, {(user, order ids): measures}."""
        text = ""

        def probe():
            nonlocal text
            text = model.difference(want, model.by_match(model.standing(self.events()).values()))
            return not text
        try:
            service.wait_for("the standing alerts", probe, timeout, 0.3)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, text)) from None


def find_cases(words):
    cases = []
    for name in MODULES:
        module = importlib.import_module(name)
        cases += [(key[5:], value) for key, value in vars(module).items() if key.startswith("case_")]
    cases.sort(key=lambda case: FIRST.index(case[0]) if case[0] in FIRST else len(FIRST))
    return [case for case in cases if not words or any(word in case[0] for word in words)]


def is_ours(share, name):
    """True for the one run of those that share the folder that asks first."""
    if not share:
        return True
    try:
        os.close(os.open(os.path.join(share, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        return True
    except FileExistsError:
        return False


def run_case(world, number, name, function, verbose, share):
    world.case, begin = name.replace("_", "-"), time.monotonic()
    try:
        for node in world.broker.nodes:
            node.signal(signal.SIGCONT)  # a case that failed may have left it held
        if not world.broker.alive():
            world.broker.start()
        function(world)
    except Exception as error:
        lines = ["not ok %d - %s # %.1f s" % (number, name, time.monotonic() - begin)] + ["#   " + line for line in service.tell_failure(error, verbose)]
        print("\n".join(lines), flush=True)
        if share:
            with open(os.path.join(share, name + ".failed"), "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        return False
    print("ok %d - %s # %.1f s" % (number, name, time.monotonic() - begin), flush=True)
    return True


class TestBroker(kafka.Broker):
    def alive(self):
        return all(node.process and node.process.poll() is None for node in self.nodes)


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    share = next((word[len("--share="):] for word in sys.argv[1:] if word.startswith("--share=")), None)
    cases = find_cases(words)
    if "--list" in sys.argv:
        print("\n".join(name for name, _ in cases))
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # brokers and services end with us
    results = []
    with TestBroker(sasl=True) as broker:
        world = World(broker)
        for name, function in cases:
            if is_ours(share, name):
                results.append(run_case(world, len(results) + 1, name, function, "-v" in sys.argv, share))
    print("1..%d" % len(results))
    print("tests: %d passed, %d failed, 0 skipped" % (sum(results), len(results) - sum(results)))
    return 0 if (results or share) and all(results) else 1


if __name__ == "__main__":
    sys.modules["run"] = sys.modules["__main__"]
    sys.exit(main())
