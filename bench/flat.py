"""The parts that let something grow: windows, patterns, rule sets; and patterns that make other engines explode."""
import os
import re
import subprocess

import rules
from line import line
from tools import Failure, at_most


def engine_seconds(bench, sql, path):
    return bench.engine(sql, path, "--phase", "engine", "--repeat", 2)["engine_seconds"]


def part_flat(bench):
    """Time of a decoded row in the engine alone as windows, patterns, rule sets grow: with decoding in it every ratio would look better."""
    path = bench.head(bench.orders(n=400_000, users=5_000, rate=40, seed=43), 200_000)
    count = bench.lines(path)
    texts = {"within 2 min": rules.three(path, 2), "within 20 min": rules.three(path, 20), "within 120 min": rules.three(path, 120)}
    texts.update(("length %d" % steps, rules.length(path, steps)) for steps in (3, 6, 12))
    texts.update(("rules %d" % number, rules.many(path, number)) for number in (1, 10, 100, 1000))
    sqls = {name: bench.rule(name.replace(" ", "_"), text) for name, text in texts.items()}
    figures = bench.turns({name: lambda sql=sql: engine_seconds(bench, sql, path) for name, sql in sqls.items()})

    def times(name, base):
        return figures[name]["median"] / figures[base]["median"]

    ratios = {"time, WITHIN %d min against 2" % minutes: at_most(times("within %d min" % minutes, "within 2 min"), 2) for minutes in (20, 120)}
    small = bench.head(path, 50_000)
    counted = {minutes: bench.instructions(sqls["within %d min" % minutes], small) for minutes in (2, 20, 120)}
    if counted[2]:
        ratios.update(("instructions, WITHIN %d min against 2" % minutes, at_most(counted[minutes] / counted[2], 1.2)) for minutes in (20, 120))
    ratios["time, 6 steps against 3"] = times("length 6", "length 3")
    ratios["time, 12 steps against 3"] = at_most(times("length 12", "length 3"), 2)
    ratios["time, 10 rules against 1"] = times("rules 10", "rules 1")
    ratios["time, 100 rules against 1"] = at_most(times("rules 100", "rules 1"), 3)
    ratios["time, 1,000 rules against 1"] = at_most(times("rules 1000", "rules 1"), 6)
    return {"title": "Flat", "note": "%d orders of 5,000 users over 83 minutes; the engine alone, rows decoded before the clock starts%s" % (
        count, "; instructions over the first 50,000: " + ", ".join("%d min %.0f a row" % pair for pair in counted.items()) if counted[2] else ""),
            "rows": [line(name, count, value) for name, value in figures.items()], "ratios": ratios}


# ---- adversarial ----

def equal_rows(bench, count):
    """Orders of one user that say the same: 1,000 a second."""
    path = bench.data("equal-%d.jsonl" % count)
    if not os.path.exists(path):
        with open(path + ".new", "w", encoding="utf-8") as target:
            for i in range(count):
                target.write('{"order_id":"o%08d","user_id":"u000001","country":"US","amount":10.00,"card_id":"c1","merchant_id":"m00001","ip":"10.0.0.1",'
                             '"ts":"2026-01-01T00:%02d:%02d.%03dZ"}\n' % (i, i // 60000, i // 1000 % 60, i % 1000))
        os.rename(path + ".new", path)
    return path


def stated_bound(bench, sql):
    """The threads of `explain`: (number, whether it is for each combination of register values)."""
    text = subprocess.run([bench.cepheid, "explain", sql], capture_output=True, text=True, check=True).stdout
    found = re.search(r"at most (\d+)\s+threads? for each (set of starts|combination of register values)", text)
    if not found:
        raise Failure("explain states no bound for " + sql)
    return int(found.group(1)), found.group(2).startswith("combination")


def part_adversarial(bench):
    """Patterns that make other engines explode: over many users, over equal rows of one, over 1,000,000 rows of one key in the window; against the first tenth
    of the same rows, so that what grows faster than the rows shows."""
    count = 20_000 if bench.quick else 50_000
    path = bench.head(bench.orders(n=400_000, users=5_000, rate=40, seed=43), count)
    equal = equal_rows(bench, count)
    hot, hot_head = equal_rows(bench, 1_000_000), equal_rows(bench, 100_000)
    runs, notes = {}, []
    for number, (name, (pattern, defines)) in enumerate(rules.ADVERSARIAL.items()):
        sql = bench.rule("hard_%d" % number, rules.adversarial(path, pattern, defines))
        bound, combined = stated_bound(bench, sql)
        found = bench.engine(sql, bench.head(path, 5_000), "--phase", "engine", "--repeat", 1, "--trace", 1)
        notes.append("%s: at most %d threads%s, %d found" % (name, bound, " for each combination of register values" if combined else "", found["threads_most"]))
        if found["threads_most"] > bound and not combined:
            bench.fail("%s: %d threads, where explain states %d" % (name, found["threads_most"], bound))
        runs[name + ", 5,000 users"], runs[name + ", one user, equal rows"] = (sql, path), (sql, equal)
        if not combined:
            runs[name + ", one user, 100,000"], runs[name + ", one user, 1,000,000"] = (sql, hot_head), (sql, hot)
    runs["three countries (to compare), 5,000 users"] = bench.rule("hard_three", rules.three(path, 20)), path
    figures = bench.turns({name: lambda run=run: engine_seconds(bench, *run) for name, run in runs.items()}, min(bench.rounds, 3))
    a_row = {name: value["median"] / bench.lines(runs[name][1]) for name, value in figures.items()}
    ratios = {}
    for name in rules.ADVERSARIAL:
        ratios[name + ": time of a row against three countries"] = a_row[name + ", 5,000 users"] / a_row["three countries (to compare), 5,000 users"]
        if name + ", one user, 1,000,000" in a_row:
            ratios[name + ": time of a row of one key, 1,000,000 rows against 100,000"] = at_most(
                a_row[name + ", one user, 1,000,000"] / a_row[name + ", one user, 100,000"], 2)
    return {"title": "Adversarial", "note": "the engine alone, WITHIN 20 minutes, all rows of one user within it. Bounds that explain states, and threads of a start that a trace of 5,000 rows"
            " found: " + "; ".join(notes), "rows": [line(name, bench.lines(runs[name][1]), value) for name, value in figures.items()], "ratios": ratios}
