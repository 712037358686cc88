#!/usr/bin/env python3
"""Counts instructions per event of bench-engine under callgrind and holds them against budget.json; --show prints without judging."""
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ROWS = 8000
NOTE_BELOW = 0.75  # of the budget: it should be lowered

TABLE = """CREATE TABLE orders (order_id STRING, user_id STRING, country STRING, amount DECIMAL(12,2), merchant_id STRING, ts TIMESTAMP_LTZ(3),
  WATERMARK FOR ts AS ts - INTERVAL '3' SECOND) WITH ('connector' = 'filesystem', 'path' = 'orders.jsonl', 'format' = 'json');
"""
RULE = """CREATE RULE %s WITH ('emit' = 'eager') AS SELECT user_id, a FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.country AS a ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (%s) WITHIN INTERVAL '2' MINUTE DEFINE %s);
"""
THREE = TABLE + RULE % ("three", "A -> B -> C", "B AS B.country <> A.country, C AS C.country NOT IN (A.country, B.country)")
NONE = TABLE + RULE % ("none", "A -> B", "A AS A.merchant_id = 'nobody', B AS B.merchant_id = 'nobody' AND B.country <> A.country")
ALERT = TABLE + RULE % ("alert", "A", "A AS A.amount > 60")
MANY = TABLE + "".join(RULE % ("m%d" % i, "A -> B", "A AS A.merchant_id = 'm%05d', B AS B.merchant_id = 'm%05d' AND B.country <> A.country" % (i * 7, i * 7))
                       for i in range(200))
PARTS = {  # name: (rules, function to count, options)
    "decode": (THREE, "bench_decode", ["--phase", "decode"]),
    "route": (NONE, "bench_match", []),
    "match": (THREE, "bench_match", []),
    "together": (THREE, "bench_together", ["--together", "1"]),
    "alert": (ALERT, "bench_match", []),
    "many": (MANY, "bench_match", []),
    "save": (THREE, "bench_match", ["--checkpoint-rows", "2000"]),
}


def count(program, folder, name):
    rules, function, options = PARTS[name]
    sql = os.path.join(folder, name + ".sql")
    with open(sql, "w") as out:
        out.write(rules)
    command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=" + function, "--callgrind-out-file=/dev/null",
               program, sql, "orders", os.path.join(folder, "orders.jsonl"), "--repeat", "1", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise SystemExit("budget: %s: %s" % (name, done.stderr[-2000:]))
    rows = json.loads(done.stdout.splitlines()[-1])["rows"]
    return int(found.group(1)) / rows


def main():
    build = os.path.join(ROOT, "build", "release")
    subprocess.run(["ninja", "-C", build, "bench/bench-engine"], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(HERE, "budget.json")) as file:
        budget = json.load(file)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(ROOT, "tests", "orders", "gen_orders.py"), "--n", str(ROWS), "--users", "2000", "--rate", "100",
                        "--out", os.path.join(folder, "orders.jsonl")], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with ThreadPoolExecutor(os.cpu_count()) as pool: # a count does not depend on what runs beside it
            counts = pool.map(lambda name: count(os.path.join(build, "bench", "bench-engine"), folder, name), PARTS)
        for name, used in zip(PARTS, counts):
            good = "--show" in sys.argv or used <= budget[name]
            passed, failed = passed + good, failed + (not good)
            note = "" if used > budget[name] * NOTE_BELOW else "  (lower the budget)"
            print("%s %-7s %7.0f instructions an event, budget %d%s" % ("ok  " if good else "FAIL", name, used, budget[name], note))
    print("tests: %d passed, %d failed, 0 skipped" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
