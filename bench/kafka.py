"""The part with a broker: rate from a topic to alerts on a topic beside a bare consumer, and latency from produce() to the alert."""
import json
import os
import subprocess
import sys
import time

import rules
from tools import Failure, at_least, at_most

COUNT = 2_000_000
HOME = 0.991           # orders from the user's home country: so that at most one row in a thousand makes an alert, which is what a rule is for
ALERTS_MOST = COUNT // 1000


def table(servers, topic):
    text = rules.TABLE % "-"
    return text.replace("'connector' = 'filesystem', 'path' = '-'",
                        "'connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'scan.startup.mode' = 'earliest-offset'" % (topic, servers))


def rule(minutes=2):
    return (rules.THREE % {"suffix": "", "minutes": minutes}).replace("C.country AS c\n", "C.country AS c, C.order_id AS third\n").replace("a, b, c FROM", "a, b, c, third FROM")


def service_of(bench, broker, orders, alerts, **settings):
    from service import Service
    sink = {"type": "kafka", "topic": alerts, "properties.bootstrap.servers": broker.servers}
    config = {"application.id": orders + "-" + alerts, "sinks": {"topic": sink}, "shards": 1}
    return Service({"rules.sql": table(broker.servers, orders) + rule()}, dict(config, **settings))


def fill(bench, broker, topic, path):
    """All lines of a file into a topic; the key is the user."""
    with open(path, "rb") as source:
        process = subprocess.Popen(["kcat", "-P", "-b", broker.servers, "-t", topic, "-K", "\t", "-z", "none", "-X", "linger.ms=20", "-X", "enable.idempotence=true", "-X", "queue.buffering.max.messages=1000000"],
                                   stdin=subprocess.PIPE)
        for line in source:
            at = line.index(b'"user_id":"') + 11
            process.stdin.write(line[at:line.index(b'"', at)] + b"\t" + line)
        process.stdin.close()
        if process.wait() != 0:
            raise Failure("kcat could not fill the topic")


def pin(process, core):
    for thread in os.listdir("/proc/%d/task" % process.pid):
        os.sched_setaffinity(int(thread), {core})


def ours(bench, broker, topic, number, most):
    """Seconds from the first row to the last of the topic; more than `most` alerts are a failure."""
    alerts = "alerts-%d" % number
    broker.topic(alerts, 1)
    with service_of(bench, broker, topic, alerts, **{"commit.interval": "100 ms"}) as service:
        cores = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {bench.core})  # the process and its threads inherit it
            service.start(ready=False)
            os.sched_setaffinity(0, {min(cores)})  # who asks for the metrics has no share of the core that is measured, as with the floor
            return measure(service, most)
        finally:
            os.sched_setaffinity(0, cores)


def measure(service, most):
    begin = None
    while True:
        rows = service.metric("rows_total") or 0
        now = time.monotonic()
        if rows and begin is None:
            begin, first = now, rows
        if rows >= COUNT:
            told = service.metric("alerts_created_total") or 0
            if not 0 < told <= most:
                raise Failure("%d alerts of %d rows, which are not to be more than %d" % (told, COUNT, most))
            return (now - begin) * COUNT / (COUNT - first)
        if begin and now - begin > 600:
            raise Failure("%d of %d rows after ten minutes" % (rows, COUNT))
        time.sleep(0.02)


def latency(bench, broker, number, rate, delivery, interval):
    orders, alerts = "live-orders-%d" % number, "live-alerts-%d" % number
    broker.topic(orders, 1)
    broker.topic(alerts, 1)
    with service_of(bench, broker, orders, alerts, **{"delivery": delivery, "commit.interval": interval}) as service:
        service.start()
        # Every 997th order, not each 1,000th: a period that is that of the epochs would put every alert at the same place in its epoch.
        command = [bench.program("bench-kafka-latency"), broker.servers, orders, alerts, str(rate), "10", "997"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True, timeout=120).stdout)


def part_kafka(bench):
    sys.path[:0] = [bench.path("tests", "broker"), bench.path("tests", "e2e")]
    os.environ["CEPHEID"] = bench.cepheid
    from broker import Broker
    path, often = bench.orders(n=COUNT, home=HOME), bench.orders(n=COUNT)
    rows, ratios = [], {}
    with Broker() as broker:
        for node in broker.nodes:
            pin(node.process, min(os.sched_getaffinity(0)))
        for topic, lines in (("bench-orders", path), ("bench-often", often)):
            broker.topic(topic, 8)
            fill(bench, broker, topic, lines)
        floor = [bench.program("bench-kafka-floor"), broker.servers, "bench-orders", str(COUNT)]

        def floor_seconds(mode):
            found = bench.json_lines(floor + [mode])[0]
            bench.same_rows("bench-kafka-floor", found["rows"], path)
            return found["seconds"]

        numbers = iter(range(1000))
        from parts import line
        figures = bench.turns({
            "consume only": lambda: floor_seconds("consume"),
            "decode only": lambda: bench.json_lines([bench.program("bench-floor"), path, "decode"])[0]["seconds"],
            "consume and decode (floor)": lambda: floor_seconds("decode"),
            "cepheid, exactly once": lambda: ours(bench, broker, "bench-orders", next(numbers), ALERTS_MOST),
            "the same, 11 alerts for a thousand rows": lambda: ours(bench, broker, "bench-often", next(numbers), COUNT // 50),
        })
        rows += [line(name, COUNT, value) for name, value in figures.items()]
        middle = {name: value["median"] for name, value in figures.items()}
        ratios["of the Kafka floor, exactly once"] = at_least(middle["consume and decode (floor)"] / middle["cepheid, exactly once"], 0.6)
        ratios["the floor against the sum of consuming and decoding"] = at_most(middle["consume and decode (floor)"] / (middle["consume only"] + middle["decode only"]), 1.2)
        half = max(10_000, int(COUNT / figures["cepheid, exactly once"]["median"] / 2))
        for number, (delivery, interval) in enumerate((("at-least-once", "100 ms"), ("exactly-once", "100 ms"), ("exactly-once", "50 ms"))):
            for step, rate in enumerate((10_000, 50_000, half)):
                found = latency(bench, broker, number * 10 + step, rate, delivery, interval)
                label = "%s, %s, %d/s" % (delivery, interval, rate)
                print("   %-44s p50 %.1f ms, p99 %.1f ms, %d of %d alerts" % (label, found["p50_ms"], found["p99_ms"], found["got"], found["planted"]), flush=True)
                rows += [{"label": label + ": p50, ms", "value": found["p50_ms"]}, {"label": label + ": p99, ms", "value": found["p99_ms"]}]
                if found["got"] != found["planted"]:
                    bench.fail("%s: %d of %d alerts" % (label, found["got"], found["planted"]))
    return {"title": "Kafka in, alerts on a topic", "note": "8 partitions; broker on one core, ours and the floor on the other; at most one alert for a thousand rows, but where another number is told; "
            "latency from produce() to a read_committed consumer",
            "rows": rows, "ratios": ratios}
