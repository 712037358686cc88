"""Input that nobody would wish for, through Kafka and through a file: it is put aside with reason and place, counted, and nothing good is lost."""
import json
import os
import time

import model
import run
from service import Service, parse, wait_for

FILE_TABLE = """
CREATE TABLE orders (
  order_id STRING, user_id STRING, country STRING, amount DECIMAL(12,2), ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'source.follow' = 'true', 'format' = 'json');
"""


def bad_records():
    """(name, bytes, what the reason must name)."""
    good = '{"order_id":"x","user_id":"u1","country":"FR","amount":1.00,"ts":"2026-01-05T10:00:00Z"}'
    return [
        ("cut off", good[:40].encode(), ""),
        ("no object", b"[1,2,3]", "object"),
        ("no JSON", b"hello", ""),
        ("type", good.replace("1.00", '"much"').encode(), "amount"),
        ("range", good.replace("1.00", "12345678901234567890.00").encode(), "amount"),
        ("nested", good.replace("1.00", '{"value":1.00}').encode(), "amount"),
        ("time", good.replace("2026-01-05T10:00:00Z", "tomorrow").encode(), "ts"),
        ("no time", good.replace(',"ts":"2026-01-05T10:00:00Z"', "").encode(), "ts"),
        ("UTF-8", good.encode().replace(b'"u1"', b'"u\xc3\x28"'), "UTF-8"),
        ("UTF-8 cut", good.encode().replace(b'"u1"', b'"\xf0\x9f\x92"'), "UTF-8"),
        ("zero byte", good.encode().replace(b'"u1"', b'"u\x00"'), ""),
        ("deep", b'{"order_id":' + b"[" * 5000 + b"]" * 5000 + b"}", ""),
        ("behind", (good + " trailing").encode(), ""),
    ]


def strange_but_good():
    """Records that must be read: unknown fields, other order, other forms of numbers and times, escapes, nulls."""
    return ['{"extra":{"deep":[1,{"a":null}]},"ts":"2026-01-05 12:00:00","amount":"10.50","country":"FR","user_id":"s1","order_id":"s1"}',
            '{"order_id":"s2","user_id":"s1","country":"D\\u0045","amount":1050e-2,"ts":1767614410}',
            ' {"ts":1767614420000, "country":"US" ,"amount":10,"user_id":"s1","order_id":"s3","country":"XX"} ']


STRANGE = {"user_id": "s1", "orders": "s1,s2,s3", "countries": "FR,DE,US", "total": "31.00"}


def big_line(size=10 * 1000 * 1000):
    return b'{"order_id":"' + b"x" * size + b'","user_id":"u1","country":"FR","amount":1.00,"ts":"2026-01-05T10:00:00Z"}'


def check_alerts(world, log):
    want = {key: dict(value, total=str(value["total"])) for key, value in model.expected(log).items()}
    want[("s1", ("s1", "s2", "s3"))] = STRANGE
    have = {}

    def probe():
        have.clear()
        alerts = model.standing(world.events()).values()
        have.update(model.by_match([dict(data, measures=dict(data["measures"], total=str(data["measures"]["total"]))) for data in alerts]))
        return have == want
    try:
        wait_for("the standing alerts", probe, 60, 0.3)
    except AssertionError:
        raise AssertionError(model.difference(want, have)) from None


def check_letters(service, records):
    """records: [(name, bytes, word of the reason)] in the order of the log."""
    dead = service.read_lines("state", "dead-letters.jsonl")
    assert len(dead) == len(records), "%d dead letters for %d bad records: %s" % (len(dead), len(records), [one["reason"] for one in dead])
    for letter, (name, raw, word) in zip(sorted(dead, key=lambda one: (one["partition"], one["offset"])), records):
        assert word in letter["reason"] and letter["reason"], (name, letter["reason"])
        assert letter["table"] == "orders", (name, str(letter)[:500])
        assert letter["record_bytes"] == len(raw), (name, str(letter)[:500])
        assert len(str(letter)) < 300000, "a dead letter of %d bytes" % len(str(letter))
        if "record" in letter and not letter.get("truncated"):
            assert letter["record"].encode() == raw, (name, letter)
    assert service.metric("records_malformed_total") == len(records)
    assert service.metric("dead_letters_total") == len(records)


def case_bad_input_from_kafka(world):
    log = model.generate(71, 600, 4, 15)
    world.topics(4)
    world.broker.topic(world.name("orders"), 4)
    records = bad_records()
    # One partition holds the bad ones in order; the good ones come before, between and after.
    with Service({"tables.sql": world.tables(), "three.sql": run.rule()}, world.config()) as service:
        service.start()
        world.produce(log[:300], 100)
        world.broker.produce(world.name("orders"), [("k", raw, 0) for _, raw, _ in records])
        world.produce(log[300:], 100)
        world.broker.produce(world.name("orders"), [("s1", text, 1) for text in strange_but_good()])
        check_alerts(world, log)
        service.epochs_pass()
        check_letters(service, records)
        assert service.metric("aborts_total") == 0 and service.stop() == 0


def case_large_record_from_kafka(world):
    """10 MB in one record: with the default limit a dead letter, with a larger one a row."""
    world.broker.topic(world.name("orders"), 1, max_message_bytes=20000000)
    world.broker.topic(world.name("alerts"), 2)
    log = model.generate(72, 200, 1, 8)
    with Service({"tables.sql": world.tables(), "three.sql": run.rule()}, world.config()) as service:
        service.start()
        world.produce(log[:100])
        world.broker.produce(world.name("orders"), [("u1", big_line(), 0)], ["message.max.bytes=20000000"])
        world.produce(log[100:])
        world.wait_standing(model.expected(log))
        service.epochs_pass()
        check_letters(service, [("large", big_line(), "")])
        assert service.metric("aborts_total") == 0 and service.stop() == 0


def case_bad_input_from_file(world):
    """A file that grows; its last line is whole only later."""
    log = model.generate(73, 600, 1, 15)
    world.broker.topic(world.name("alerts"), 2)
    records = [record for record in bad_records() if b"\n" not in record[1]]
    records.insert(3, ("large", big_line(), ""))
    with Service({"three.sql": run.rule()}, world.config()) as service:
        path = service.path("orders.jsonl")
        service.write_rule("tables.sql", FILE_TABLE.format(path=path))
        good = [model.order_text(order).encode() for order in log]
        with open(path, "wb") as file:
            file.write(b"\n".join(good[:200]) + b"\n")
            service.start()
            for i, (_, raw, _) in enumerate(records):
                file.write(raw + b"\n" + good[200 + i] + b"\n")
            rest = b"".join(line + b"\n" for line in good[200 + len(records):])
            file.write(rest[:len(rest) // 2])  # in the middle of a line
            file.flush()
            service.epochs_pass()
            file.write(rest[len(rest) // 2:])
            file.write("".join(text + "\n" for text in strange_but_good()).encode())
            file.flush()
            service.wait_metric("source_records_total", len(log) + 3, 60, table="orders")
            # Lines of the file are numbered from 0, bad ones too.
            check_alerts(world, log)
            service.kill()
            service.start()
            service.epochs_pass()
            check_alerts(world, log)
            check_file_letters(service, records)


def check_file_letters(service, records):
    """Dead letters go to a file as the epoch is decided: after a kill the last epoch's may stand there twice."""
    by_place = {}
    for letter in service.read_lines("state", "dead-letters.jsonl"):
        by_place.setdefault(letter["offset"], letter)
    places = [200 + 2 * i for i in range(len(records))]
    assert sorted(by_place) == places, [(one["offset"], one["reason"]) for one in by_place.values()]
    for place, (name, raw, word) in zip(places, records):
        letter = by_place[place]
        assert word in letter["reason"] and letter["table"] == "orders" and letter["origin"].endswith("orders.jsonl"), (name, str(letter)[:500])
        assert letter["record_bytes"] == len(raw), (name, str(letter)[:300])


def case_run_time_errors(world):
    """Errors of expressions: the row is put aside for that rule, with the values; other rules go on; card numbers are masked."""
    world.topics(4)
    divide = "CREATE RULE divides AS SELECT user_id, order_id, 100 / (CAST(country AS INT) - 5) AS part FROM orders WHERE amount > 0;\n"
    card = "4111111111111111"
    rows = [("e1", "10", "1.00"), ("e2", "5", "1.00"), ("e3", "FR", "1.00"), ("e4", "6", "1.00"), ("e5", "5", "0.00"), (card, "5", "2.00")]
    with Service({"tables.sql": world.tables(), "three.sql": run.rule(), "divide.sql": divide}, world.config()) as service:
        service.start()
        text = '{"order_id":"%s","user_id":"u1","country":"%s","amount":%s,"ts":"2026-01-05T10:00:0%dZ"}'
        world.broker.produce(world.name("orders"), [("u1", text % (row + (i,)), 0) for i, row in enumerate(rows)])
        service.wait_metric("source_records_total", len(rows), table="orders")
        service.epochs_pass()
        found = {one["measures"]["order_id"]: str(one["measures"]["part"]) for one in service.alerts(rule="divides")}
        assert set(found) == {"e1", "e4"}, found
        dead = service.read_lines("state", "dead-letters.jsonl")
        assert len(dead) == 3 and all(one["rule"] == "divides" for one in dead), dead
        assert [one["offset"] for one in dead] == [1, 2, 5], dead
        values = [parse(one["record"]) for one in dead]
        assert values[0]["order_id"] == "e2" and values[1]["country"] == "FR", values
        metrics = service.metrics()
        assert metrics["cepheid_expression_errors_total"] == 3 and metrics['cepheid_rule_errors_total{rule="divides"}'] == 3, metrics
        assert metrics['cepheid_rule_errors_total{rule="three_countries"}'] == 0
        everything = json.dumps(dead) + service.log() + json.dumps(service.alerts(), default=str)
        assert card not in everything and "411111******1111" in everything, dead


def case_letters_to_kafka(world):
    """Dead letters and late rows on topics of their own, in the epoch's transaction: with kills in between each is there once."""
    log = model.generate(74, 800, 4, 20, late_share=0.05)
    world.topics(4)
    for topic in ("dead", "late"):
        world.broker.topic(world.name(topic), 1)
    sinks = {"dead": world.kafka_sink(topic=world.name("dead")), "late": world.kafka_sink(topic=world.name("late"))}
    config = dict(world.config(**sinks), **{"dead-letter.sink": "dead", "late.sink": "late"})
    rules = {"tables.sql": world.tables(), "three.sql": run.rule(options=", 'sinks' = 'topic'")}
    with Service(rules, config) as service:
        service.start()
        bad = []
        for part in range(8):
            world.produce(log[part * 100:part * 100 + 100])
            bad.append("no JSON, number %d" % part)
            world.broker.produce(world.name("orders"), [("k", bad[-1], part % 4)])
            if part % 2:
                service.kill()
                service.start()
        world.wait_standing(model.expected(log))
        service.epochs_pass()
        dead = [parse(record["payload"]) for record in world.broker.consume(world.name("dead"))]
        assert sorted(one["record"] for one in dead) == sorted(bad), dead
        late = [parse(parse(record["payload"])["record"])["order_id"] for record in world.broker.consume(world.name("late"))]
        assert len(late) == len(set(late)) and set(late) == model.late_ids(log), "%d letters for %d late rows" % (len(late), len(model.late_ids(log)))
        assert not os.path.exists(service.path("state", "late.jsonl"))


def case_replay_at_a_speed(world):
    """A file is replayed at its own pace times 'replay.speed', and goes on where it stood after a kill."""
    world.broker.topic(world.name("alerts"), 1)
    with Service({}, world.config()) as service:
        with open(service.path("events.jsonl"), "w", encoding="utf-8") as file:
            for i in range(40):
                file.write('{"user_id":"u1","n":%d,"ts":"2026-01-05T10:00:%02dZ"}\n' % (i, i))
            file.write('{"user_id":"u1","n":40,"ts":"2026-01-05T20:00:00Z"}\n')  # its turn comes in an hour
        service.write_rule("r.sql", "CREATE TABLE e (user_id STRING, n INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'filesystem', "
                           "'path' = '%s', 'format' = 'json', 'replay.speed' = '10');\n"
                           "CREATE RULE all_of_them WITH ('key' = 'user_id') AS SELECT user_id, n FROM e;\n" % service.path("events.jsonl"))
        service.start()
        begin = time.monotonic()
        service.wait_metric("alerts_created_total", 5)
        service.kill()
        service.start()
        wait_for("all whose time has come", lambda: len(world.events()) >= 40, 60, 0.1)
        service.epochs_pass()
        assert time.monotonic() - begin >= 2, "40 seconds at ten times their speed took %.1f s" % (time.monotonic() - begin)
        assert [event["data"]["measures"]["n"] for event in world.events()] == list(range(40)), world.events()
