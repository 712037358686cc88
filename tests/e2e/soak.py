#!/usr/bin/env python3
"""Many keys, little memory: every key has a partial match for hours of event time, so nearly all state lies in the store. usage: soak.py [--events N]
[--keys N] [--memory SIZE] [--limit MIB] [--twin]. The alerts must be those that a few lines of Python find, and with --twin also those of a run whose
memory is not bounded; the process must stay below the limit, and not grow in the second half. Prints figures and, last, the tally."""
import argparse
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]
from service import Service, wait_for  # noqa: E402

BEGIN_S, CHUNK = 1767225600, 20000
RULES = {"soak.sql": """
CREATE TABLE orders (id BIGINT, user_id BIGINT, amount INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'stdin', 'format' = 'json');
CREATE RULE pair WITH ('severity' = 'low', 'title' = 'A large order behind another one')
AS SELECT m.user_id, m.first_id, m.last_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id, B.id AS last_id
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B) WITHIN INTERVAL '12' HOUR DEFINE B AS B.amount >= 998
) AS m;
"""}


def key_of(i, keys):
    """Each key comes about as often as the others, far apart."""
    return (i * 7919 + i // keys * 104729) % keys


def amount_of(i):
    return (i * 2654435761 >> 7) % 1000


def expected(events, keys):
    """(user, first, last): a row without a partial match starts one, a large one ends it."""
    begun, found = {}, set()
    for i in range(events):
        user = key_of(i, keys)
        if user not in begun:
            begun[user] = i
        elif amount_of(i) >= 998:
            found.add((user, begun.pop(user), i))
    return found


def feed(pipe, events, keys):
    for at in range(0, events, CHUNK):
        text = "".join('{"id":%d,"user_id":%d,"amount":%d,"ts":%d}\n' % (i, key_of(i, keys), amount_of(i), BEGIN_S * 1000 + i)
                       for i in range(at, min(at + CHUNK, events)))
        pipe.write(text.encode())
        yield min(at + CHUNK, events)
    pipe.flush()


def memory_mib(service):
    with open("/proc/%d/status" % service.process.pid, encoding="ascii") as file:
        values = dict(line.split(":", 1) for line in file)
    return int(values["VmRSS"].split()[0]) / 1024, int(values["VmHWM"].split()[0]) / 1024


def processor_s(service):
    with open("/proc/%d/stat" % service.process.pid, encoding="ascii") as file:
        values = file.read().rsplit(")", 1)[1].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def run(args, memory):
    """({(user, first, last)}, [(events, MiB)], highest MiB, seconds)"""
    config = {"application.id": "soak", "state.memory": memory, "sinks": {"file": {"type": "file", "path": "alerts.jsonl"}}}
    reader, writer = os.pipe()
    curve, begin = [], time.monotonic()
    with Service(RULES, config) as service, os.fdopen(writer, "wb") as pipe:
        config["sinks"]["file"]["path"] = service.path("alerts.jsonl")
        service.stdin = reader
        service.start(timeout=60)
        os.close(reader)
        for fed in feed(pipe, args.events, args.keys):
            if fed * 20 // args.events != (fed - CHUNK) * 20 // args.events:
                curve.append((fed, memory_mib(service)[0]))
                print("  %9d events, %4.0f MiB, %4.0f s" % (fed, curve[-1][1], time.monotonic() - begin), flush=True)
        wait_for("all to be read", lambda: service.metric("source_records_total", table="orders") >= args.events, 600, 0.2)
        service.epochs_pass()
        seconds, highest = time.monotonic() - begin, memory_mib(service)[1]
        want = service.metric("alerts_created_total")
        wait_for("the file", lambda: len(service.read_lines("alerts.jsonl")) >= want, 60, 0.5)
        found = set()
        for event in service.read_lines("alerts.jsonl"):
            measures = event["data"]["measures"]
            one = (int(measures["user_id"]), int(measures["first_id"]), int(measures["last_id"]))
            assert event["data"]["change"] == "created" and one not in found, event
            found.add(one)
        size = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(service.path("state")) for name in names)
        print("  %d events in %.0f s (%.0f a second), highest %.0f MiB, state on disk %.0f MiB, %d alerts"
              % (args.events, seconds, args.events / seconds, highest, size / 2**20, len(found)), flush=True)
        begin = time.monotonic()
        service.kill()
        service.stdin, again = os.pipe()  # open, and nothing comes: no end of input
        service.start(timeout=60)
        print("  ready again %.1f s after SIGKILL, with %.1f s of processor time" % (time.monotonic() - begin, processor_s(service)), flush=True)
        service.kill()
        os.close(again)
    return found, curve, highest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--keys", type=int, default=5_000_000)
    parser.add_argument("--memory", default="256 MiB", help="state.memory")
    parser.add_argument("--limit", type=float, default=512, help="of the process, in MiB")
    parser.add_argument("--twin", action="store_true")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the service ends with us
    results = []

    def check(what, good):
        print("%s - %s" % ("ok" if good else "not ok", what), flush=True)
        results.append(bool(good))
    found, curve, highest = run(args, args.memory)
    want = expected(args.events, args.keys)
    check("%d alerts, as expected" % len(want), found == want and want)
    check("highest memory %.0f MiB, limit %.0f" % (highest, args.limit), highest < args.limit)
    half = [mib for fed, mib in curve if 2 * fed <= args.events]
    check("flat: %.0f MiB in the first half, %.0f in the second" % (max(half), max(mib for _, mib in curve)), max(mib for _, mib in curve) < 1.15 * max(half))
    if args.twin:
        twin, _, _ = run(args, "64 GiB")
        check("the unbounded run tells the same", twin == found)
    print("tests: %d passed, %d failed, 0 skipped" % (sum(results), len(results) - sum(results)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
