#!/usr/bin/env python3
"""From the order to its alert through a real broker: orders are produced at a steady rate with the time of their making in them; a read_committed consumer
notes when the alert comes. usage: latency.py [--seconds N] [--rate N] [--intervals MS,MS…]. Prints a table as in docs/operations.md: how long after the order
that completes it an alert is there, for eager and final rules, delivery exactly-once and at-least-once, by commit.interval. Nothing is judged but that all came."""
import argparse
import json
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "broker")]
import broker as kafka  # noqa: E402
from service import Service, wait_for  # noqa: E402

RULES = """
CREATE TABLE orders (id BIGINT, user_id BIGINT, step INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'kafka', 'topic' = '{name}-orders', 'format' = 'json', 'properties.bootstrap.servers' = '{servers}', 'scan.startup.mode' = 'earliest-offset');
CREATE RULE pair WITH ('severity' = 'low', 'title' = 'A second order', 'emit' = '{emit}')
AS SELECT m.user_id, m.last_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES B.id AS last_id ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B) WITHIN INTERVAL '1' MINUTE DEFINE A AS A.step = 0, B AS B.step = 1
) AS m;
"""


def listen(process, seen):
    for line in process.stdout:
        now = time.time()
        event = json.loads(line)
        seen.setdefault(int(event["data"]["measures"]["last_id"]), now)


def measure(broker, name, emit, delivery, interval_ms, seconds, rate):
    """Sorted latencies in ms."""
    broker.topic(name + "-orders", 1)
    broker.topic(name + "-alerts", 1)
    config = {"application.id": name, "delivery": delivery, "commit.interval": "%d ms" % interval_ms,
              "sinks": {"topic": {"type": "kafka", "topic": name + "-alerts", "properties.bootstrap.servers": broker.servers}}}
    kcat = ["kcat", "-b", broker.servers, "-X"]
    made, seen = {}, {}
    with Service({"rules.sql": RULES.format(name=name, servers=broker.servers, emit=emit)}, config) as service:
        service.start()
        consumer = subprocess.Popen(kcat + ["fetch.wait.max.ms=1", "-C", "-u", "-q", "-t", name + "-alerts", "-o", "beginning", "-X", "isolation.level=read_committed"],
                                    stdout=subprocess.PIPE)
        producer = subprocess.Popen(kcat + ["linger.ms=0", "-P", "-t", name + "-orders"], stdin=subprocess.PIPE)
        try:
            threading.Thread(target=listen, args=(consumer, seen), daemon=True).start()
            begin, count = time.time(), int(seconds * rate)
            for i in range(count):
                time.sleep(max(0, begin + i / rate - time.time()))
                now = time.time()
                if i % 2:
                    made[i] = now
                producer.stdin.write(b'{"id":%d,"user_id":%d,"step":%d,"ts":%d}\n' % (i, i // 2, i % 2, int(now * 1000)))
                producer.stdin.flush()
            producer.stdin.write(b'{"id":0,"user_id":-1,"step":2,"ts":%d}\n' % int((time.time() + 5) * 1000))  # time goes on: final rules speak
            producer.stdin.close()
            wait_for("all alerts", lambda: len(seen) == len(made), 30)
        finally:
            consumer.kill()
            producer.kill()
            consumer.wait()
            producer.wait()
    return sorted((seen[i] - made[i]) * 1000 for i in made)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--intervals", default="10,100,1000")
    args = parser.parse_args()
    print("| delivery | emit | `commit.interval` | p50 | p99 | p99.9 |\n|---|---|---|---|---|---|", flush=True)
    with kafka.Broker() as broker:
        for delivery in ("exactly-once", "at-least-once"):
            for emit in ("eager", "final"):
                for interval in map(int, args.intervals.split(",")):
                    name = "latency-%s-%s-%d" % (delivery, emit, interval)
                    found = measure(broker, name, emit, delivery, interval, args.seconds, args.rate)
                    at = [found[min(len(found) - 1, int(len(found) * share))] for share in (0.5, 0.99, 0.999)]
                    print("| %s | %s | %d ms | %.0f ms | %.0f ms | %.0f ms |" % (delivery, emit, interval, *at), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
