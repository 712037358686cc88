"""Three countries in two minutes: from a topic with eight partitions, joined with a profile topic, to an alert topic, a webhook and REST."""
import model
import run
from service import Service, Webhook, parse, wait_for

BAD = ['{"order_id":"x1","user_id":"u1","country":"FR","amount":"12,50","ts":"2026-01-05T10:00:00Z"}',
       '{"order_id":"x2","user_id":', 'no json at all', '']


def home_of(user, version):
    return "H%s%s" % (user[1:], version)


def measures(data):
    """Of a standing alert: with the exact total as text, so that 10.50 and 10.5 differ."""
    return dict(data["measures"], total=str(data["measures"]["total"]))


def compare(want, alerts, where):
    want = {key: dict(value, total=str(value["total"])) for key, value in want.items()}
    have = model.by_match([dict(data, measures=measures(data)) for data in alerts])
    text = model.difference(want, have)
    assert not text, "%s:\n%s" % (where, text)


def check_everywhere(world, service, hook, want):
    """The same standing set in the topic, at the webhook, in REST."""
    world.wait_standing(want)
    events = world.events()
    compare(want, model.standing(events).values(), "topic")
    wait_for("the webhook to get all", lambda: len(hook.events()) >= len(events))
    assert not hook.faults, hook.faults[:3]
    # Retries may change the order at a webhook and repeat a message; a consumer keeps the highest revision.
    newest = {}
    for event in hook.events():
        data = event["data"]
        if data["alert_id"] not in newest or newest[data["alert_id"]]["revision"] < data["revision"]:
            newest[data["alert_id"]] = data
    compare(want, [data for data in newest.values() if data["change"] != "withdrawn"], "webhook")
    by_id = {data["alert_id"]: data for data in newest.values()}
    listed = service.alerts()
    assert len({one["alert_id"] for one in listed}) == len(listed) == len(by_id), "REST lists %d alerts, not %d" % (len(listed), len(by_id))
    rest = []
    for one in listed:
        assert one["revision"] == by_id[one["alert_id"]]["revision"]
        if one["change"] != "withdrawn":
            rest.append(dict(by_id[one["alert_id"]], measures=one["measures"]))
    compare(want, rest, "REST")
    return events


def check_event(event):
    """The form of an alert: CloudEvents 1.0 with what the rule's reader needs."""
    data = event["data"]
    assert event["specversion"] == "1.0" and event["datacontenttype"] == "application/json", event
    assert event["subject"] == data["key"]["user_id"] == data["measures"]["user_id"], event
    assert data["rule"] == "three_countries" and data["severity"] == "high" and data["version"] == 1, data
    assert data["last_event_time"] == event["time"] >= data["first_event_time"], data


def check_evidence(world, events):
    """Each alert shows its matched rows: where they stood, what they were taken for, the fields that the rule reads."""
    places = {(one["partition"], one["offset"]): one["payload"] for one in world.broker.consume(world.name("orders")) if one["payload"]}
    for event in events:
        data = event["data"]
        if data["change"] == "withdrawn":
            continue
        assert [one["variable"] for one in data["events"]] == ["A", "B", "C"], "alert %s lists %s" % (event["id"], data["events"])
        assert data["first_event_time"] == data["events"][0]["time"] and data["last_event_time"] == data["events"][-1]["time"], data
        for one, order_id in zip(data["events"], data["measures"]["orders"].split(",")):
            source = one["source"]
            order = parse(places[(source["partition"], source["offset"])])
            assert source["table"] == "orders" and order["order_id"] == order_id, (one, order)
            for name in ("order_id", "country", "amount"):
                assert one["fields"][name] == order[name], (one, order)


def case_three_countries(world):
    first = model.generate(1, 1200, 8, 40)
    second = model.generate(2, 800, 8, 40, begin_ms=first[-1]["ms"] + 600000, prefix="p")
    world.topics(customers=True)
    customers = [("u%d" % i, '{"user_id":"u%d","home_country":"%s"}' % (i, home_of("u%d" % i, "a"))) for i in range(40) if i != 7]
    world.broker.produce(world.name("customers"), customers)
    bad = [("u1", text, i) for i, text in enumerate(BAD)]
    with Webhook() as hook, Service({"tables.sql": world.tables(customers=True), "three.sql": run.RULE_WITH_CUSTOMERS},
                                    world.config(hook=hook.sink())) as service:
        service.start()
        world.produce(first[:700], 100)
        world.broker.produce(world.name("orders"), bad)
        world.produce(first[700:])
        want = model.expected(first, lambda user, _: None if user == "u7" else home_of(user, "a"))
        assert len(want) > 100
        events = check_everywhere(world, service, hook, want)
        for event in events:
            check_event(event)
        check_evidence(world, events)
        # The profile topic changes in mid-stream: one customer appears, one goes, all others move.
        changed = [("u%d" % i, '{"user_id":"u%d","home_country":"%s"}' % (i, home_of("u%d" % i, "b"))) for i in range(40) if i != 9]
        world.broker.produce(world.name("customers"), changed + [("u9", None), ("marker", '{"user_id":"marker","home_country":"XX"}')])
        service.wait_metric("profile_rows", 40, table="customers")
        wait_for("the tombstone", lambda: service.metric("profile_rows", table="customers") == 40)
        service.epochs_pass()
        world.produce(second, 200)
        log = first + second
        want = model.expected(log, lambda user, rows: (None if user == "u7" else home_of(user, "a")) if rows[-1]["order_id"][0] == "o"
                              else None if user == "u9" else home_of(user, "b"))
        check_everywhere(world, service, hook, want)
        check_letters(world, service, log)


def check_letters(world, service, log):
    late = model.late_ids(log)
    assert len(late) > 10
    metrics = service.metrics()
    assert metrics["cepheid_rows_late_total"] == len(late), "%s late, not %d" % (metrics["cepheid_rows_late_total"], len(late))
    assert metrics['cepheid_rule_late_rows_total{rule="three_countries"}'] == len(late), metrics
    assert metrics["cepheid_records_malformed_total"] == len(BAD) == metrics["cepheid_dead_letters_total"], metrics
    rows = service.read_lines("state", "late.jsonl")
    assert {parse(row["record"])["order_id"] for row in rows} == late and len(rows) == len(late), rows[:2]
    assert all(row["table"] == "orders" and row["watermark"] and "late" in row["reason"] for row in rows), rows[:2]
    dead = service.read_lines("state", "dead-letters.jsonl")
    places = {}
    for record in world.broker.consume(world.name("orders")):
        if record["payload"] in BAD or record["payload"] is None:
            places[(record["partition"], record["offset"])] = record["payload"] or ""
    assert {(row["partition"], row["offset"]): row["record"] for row in dead} == places, (dead, places)
    assert all(row["reason"] and row["table"] == "orders" for row in dead), dead
    assert any("amount" in row["reason"] for row in dead), dead


def case_sasl_ssl(world):
    log = model.generate(3, 600, 8, 20)
    world.topics(customers=True)
    world.broker.produce(world.name("customers"), [("u%d" % i, '{"user_id":"u%d","home_country":"H%d"}' % (i, i)) for i in range(20)])
    world.produce(log)
    good = world.broker.sasl_properties()
    with Webhook() as hook, Service({"tables.sql": world.tables(customers=True, sasl=good), "three.sql": run.RULE_WITH_CUSTOMERS},
                                    world.config(sasl=good, hook=hook.sink())) as service:
        service.start()
        check_everywhere(world, service, hook, model.expected(log, {"u%d" % i: "H%d" % i for i in range(20)}))


def case_evidence(world):
    log = model.generate(4, 300, 8, 10)
    world.topics()
    world.produce(log, 50)
    with Service({"tables.sql": world.tables(), "three.sql": run.rule()}, world.config()) as service:
        service.start()
        world.wait_standing(model.expected(log))
        check_evidence(world, world.events())


def case_wrong_password(world):
    world.topics()
    bad = world.broker.sasl_properties(password="not-the-right-one")
    for source, sink in ((bad, None), (None, bad), (bad, bad)):
        with Service({"tables.sql": world.tables(sasl=source), "three.sql": run.rule()}, world.config(sasl=sink)) as service:
            service.start(ready=False)
            wait_for("the error in the log", lambda: "uthentication fail" in service.log(), 20)
            answer = service.get("/readyz")
            assert answer.status == 503 and answer.headers["content-type"] == "application/problem+json", answer
            assert service.get("/livez").status == 200 and service.running()
            assert "not-the-right-one" not in service.log() and "not-the-right-one" not in answer.body.decode()
            text = "".join(line for line in service.log().splitlines(True) if "uthentication fail" in line)
            assert "level=warn" in text and "sasl" in text.lower(), text
            assert service.stop() == 0
