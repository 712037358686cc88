"""A profile topic with versions in event time: an eager rule is corrected by a version that comes later, a final one waits for the topic's watermark; both over
a kill in between. And a quiet topic holds nobody back."""
from service import Service, wait_for

ORDERS = """
CREATE TABLE orders (order_id STRING, user_id STRING, amount DECIMAL(12,2), ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'kafka', 'topic' = '{orders}', 'format' = 'json', {properties}, 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE customers (user_id STRING, home STRING, since TIMESTAMP_LTZ(3), WATERMARK FOR since AS since, PRIMARY KEY (user_id) NOT ENFORCED)
WITH ('connector' = 'kafka', 'topic' = '{customers}', 'format' = 'json', {properties}, 'scan.watermark.idle-timeout' = '{idle}');
"""
RULE = """
CREATE RULE {name} WITH ('emit' = '{emit}', 'key' = 'user_id') AS SELECT o.user_id, o.order_id, c.home
FROM orders AS o LEFT JOIN customers FOR SYSTEM_TIME AS OF o.ts AS c ON c.user_id = o.user_id;
"""


def at(second):
    return "2026-03-01T10:%02d:%02dZ" % (second // 60, second % 60)


def order(number, user, second):
    return (user, '{"order_id":"%s","user_id":"%s","amount":5.00,"ts":"%s"}' % (number, user, at(second)))


def customer(user, home, second):
    return (user, '{"user_id":"%s","home":"%s","since":"%s"}' % (user, home, at(second)))


def rules(world, idle):
    names = {"orders": world.name("orders"), "customers": world.name("customers"), "properties": world.properties(), "idle": idle}
    return {"tables.sql": ORDERS.format(**names), "rules.sql": RULE.format(name="soon", emit="eager") + RULE.format(name="sure", emit="final")}


def told(world, rule):
    """{order: [(revision, home)]} of a rule, in order of the topic."""
    found = {}
    for event in world.events():
        data = event["data"]
        if data["rule"] == rule:
            found.setdefault(data["measures"]["order_id"], []).append((data["revision"], data["change"], data["measures"]["home"]))
    return found


def wait_told(world, rule, want):
    have = {}

    def probe():
        have.clear()
        have.update(told(world, rule))
        return have == want
    try:
        wait_for("the alerts of %s" % rule, probe, 30, 0.2)
    except AssertionError as error:
        raise AssertionError("%s: %s, not %s" % (error, have, want)) from None


def case_versions_in_event_time(world):
    world.broker.topic(world.name("orders"), 1)
    world.broker.topic(world.name("customers"), 1)
    world.broker.topic(world.name("alerts"), 1)
    world.broker.produce(world.name("customers"), [customer("u1", "A", 0), customer("u2", "Q", 1)])
    with Service(rules(world, "0 ms"), world.config()) as service:
        service.start()
        world.broker.produce(world.name("orders"), [order("o1", "u1", 10), order("o2", "u2", 12), order("o3", "u3", 60)])
        first = {"o1": [(1, "created", "A")], "o2": [(1, "created", "Q")], "o3": [(1, "created", None)]}
        wait_told(world, "soon", first)
        service.epochs_pass()
        assert told(world, "sure") == {}, "the profile's watermark stands at second 1: %s" % told(world, "sure")
        wait_for("waiting rows", lambda: service.metric("profile_waiting_rows") == 6)
        service.kill()
        service.start()
        # A version of second 5 belongs to the order of second 10: the eager alert is corrected, the final one waits on.
        world.broker.produce(world.name("customers"), [customer("u1", "B", 5)])
        second = dict(first, o1=[(1, "created", "A"), (2, "updated", "B")])
        wait_told(world, "soon", second)
        service.epochs_pass()
        assert told(world, "sure") == {}, told(world, "sure")
        # Gone before its order: the key's tombstone has the record's time, so a version says it here.
        world.broker.produce(world.name("customers"), [customer("u9", "Z", 11)])
        wait_told(world, "sure", {"o1": [(1, "created", "B")]})
        world.broker.produce(world.name("customers"), [customer("u9", "Y", 100)])
        wait_told(world, "sure", {"o1": [(1, "created", "B")], "o2": [(1, "created", "Q")], "o3": [(1, "created", None)]})
        wait_told(world, "soon", second)
        wait_for("no row waits", lambda: service.metric("profile_waiting_rows") == 0)
        # Too late: the order of second 10 is settled, by the orders' own watermark too.
        world.broker.produce(world.name("customers"), [customer("u1", "C", 7)])
        service.wait_metric("profile_late_total", 1, table="customers")
        service.epochs_pass()
        assert told(world, "soon") == second, told(world, "soon")
        assert service.stop() == 0


def case_quiet_profile_topic(world):
    world.broker.topic(world.name("orders"), 1)
    world.broker.topic(world.name("customers"), 2)
    world.broker.topic(world.name("alerts"), 1)
    world.broker.produce(world.name("customers"), [customer("u1", "A", 0)])
    with Service(rules(world, "200 ms"), world.config()) as service:
        service.start()
        world.broker.produce(world.name("orders"), [order("o1", "u1", 10), order("o2", "u2", 3000)])
        want = {"o1": [(1, "created", "A")], "o2": [(1, "created", None)]}
        wait_told(world, "soon", want)
        wait_told(world, "sure", want)
        assert service.stop() == 0
