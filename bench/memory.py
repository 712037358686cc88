"""The part with start, size and memory."""
import os
import re
import subprocess
import sys
import time

import rules
from line import value
from tools import Failure, at_most, spread

KEYS = 1_000_000


def one_row_each(bench, keys):
    """An order of each user, within 100 seconds."""
    path = bench.data("each-%d.jsonl" % keys)
    if not os.path.exists(path):
        with open(path + ".new", "w", encoding="utf-8") as target:
            for i in range(keys):
                ms = i * 100_000 // keys
                target.write('{"order_id":"o%08d","user_id":"u%07d","country":"%s","amount":10.00,"card_id":"c1","merchant_id":"m00001","ip":"10.0.0.1",'
                             '"ts":"2026-01-01T00:%02d:%02d.%03dZ"}\n' % (i, i * 7919 % keys, ("US", "GB", "DE")[i % 3], ms // 60000, ms // 1000 % 60, ms % 1000))
        os.rename(path + ".new", path)
    return path


def key_bytes(bench):
    """(bytes of the allocator's for each key that has one partial match; for each key whose time is up)"""
    path = one_row_each(bench, KEYS // 10 if bench.quick else KEYS)
    sql = bench.rule("three_memory", rules.three(path))
    found = bench.engine(sql, path, "--phase", "engine", "--repeat", 1, "--idle-ms", 3_600_000)
    if found["starts"] != bench.lines(path) or found["keys"] != bench.lines(path):
        raise Failure("%d keys with %d partial matches, not %d each" % (found["keys"], found["starts"], bench.lines(path)))
    return (found["held_bytes"] - found["made_bytes"]) / found["keys"], max(0, found["idle_bytes"] - found["made_bytes"]) / found["keys"]


def rule_bytes(bench):
    """Bytes of a rule more: program, tables, operators."""
    one = bench.head(bench.orders(n=400_000), 1)
    found = [bench.engine(bench.rule("rules_%d" % count, rules.many(one, count)), one, "--phase", "engine", "--repeat", 1) for count in (100, 1_100)]
    return sum(found[1][name] - found[0][name] for name in ("program_bytes", "made_bytes")) / 1_000


def anonymous_mib(process):
    with open("/proc/%d/smaps_rollup" % process.pid, encoding="ascii") as file:
        fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", file.read(), re.M))
    return int(fields["Anonymous"]) / 1024, int(fields["Rss"]) / 1024


def serve_once(bench):
    """(ms from the start of the process until it says that it is ready; anonymous MiB; RSS in MiB), with one rule and nothing to read."""
    from service import Service
    text = (rules.TABLE % "-").replace("'connector' = 'filesystem', 'path' = '-'", "'connector' = 'stdin'") + rules.THREE % {"suffix": "", "minutes": 2}
    reader, writer = os.pipe()
    with Service({"rules.sql": text}, {"application.id": "idle", "shards": 1}) as service:
        service.stdin = reader
        begin = time.monotonic()
        service.start(ready=False)  # asked every 2 ms
        while service.get("/readyz").status != 200:
            time.sleep(0.001)
        ready = (time.monotonic() - begin) * 1e3
        time.sleep(1)
        anonymous, rss = anonymous_mib(service.process)
        os.close(writer)
        os.close(reader)
        service.kill()
    return ready, anonymous, rss


def part_memory(bench):
    """Start, size, resident memory, bytes of keys and rules."""
    sys.path[:0] = [bench.path("tests", "e2e")]
    os.environ["CEPHEID"] = bench.cepheid
    sql = bench.rule("empty", rules.three(bench.head(bench.orders(n=400_000), 1)))
    times = max(bench.rounds, 5)
    start = spread([bench.run([bench.cepheid, "version"])["wall"] * 1e3 for _ in range(times)])
    query = spread([bench.query(sql)["wall"] * 1e3 for _ in range(times)])
    os.sync()  # what the parts before have written is not to hold up what is timed here
    served = [serve_once(bench) for _ in range(times)]
    ready, anonymous, rss = (spread([row[i] for row in served]) for i in range(3))
    partial, idle = key_bytes(bench)
    stripped = bench.data("stripped")
    subprocess.run(["strip", "-o", stripped, bench.cepheid], check=True)

    def shown(label, figures):
        return value(label, figures["median"], (figures["least"], figures["most"]))

    return {"title": "Start, size, memory", "note": "start: of the process until its end, or until /readyz says 200 with one rule and an empty store (asked every 2 ms); idle: one rule, nothing to read;"
            " keys: what the allocator has handed out for %s keys with one order each under the three-countries rule (user, country, time kept), index, wake-up and row"
            " included, and again an hour of event time later; rules: 1,000 more of two conditions each" % format(KEYS // 10 if bench.quick else KEYS, ","),
            "rows": [shown("`cepheid version`, ms", start), shown("`cepheid query` of one rule over one row, ms", query), shown("`cepheid serve` until ready, ms", ready),
                     shown("idle service, anonymous, MB", anonymous), shown("idle service, RSS, MB", rss), value("binary, stripped, MB", os.path.getsize(stripped) / 1e6),
                     value("bytes a rule", rule_bytes(bench))],
            "ratios": {"start until ready, ms": at_most(ready["median"], 50), "idle anonymous memory, MB": at_most(anonymous["median"] * 1.048576, 15),
                       "bytes per key with one partial match": at_most(partial, 160), "bytes per idle key": at_most(idle, 64)}}
