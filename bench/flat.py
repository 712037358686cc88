"""The parts that let something grow: windows, patterns, rule sets; and patterns that make other engines explode."""
import os
import re
import subprocess

import rules
from line import line
from tools import Failure, at_most


def engine_seconds(bench, sql, path):
    return bench.engine(sql, path, "--phase", "engine", "--repeat", 2)["engine_cpu_seconds"]


def whole_seconds(bench, name, text, empty):
    """JSON in, alerts out, processor time; start and compilation of the rules are no cost of a row."""
    sql = bench.rule(name, text)

    def run():
        begin = bench.query(empty, eager=True)["cpu"]
        return max(bench.query(sql, eager=True)["cpu"] - begin, 1e-4)
    return run


GROWING = {  # name: (label, rules for a path and a size, sizes, {size: aim against the first})
    "within": ("WITHIN %s min", rules.three, (2, 20, 120), {20: 2, 120: 2}),
    "length": ("%s steps", rules.length, (3, 6, 12), {12: 2}),
    "rules": ("%s rules", rules.many, (1, 10, 100, 1000), {100: 3, 1000: 6}),
}


def part_flat(bench):
    """Time of an event as windows, patterns, rule sets grow: of the whole event, and of the engine alone, where every ratio looks worse than with decoding in it."""
    path = bench.head(bench.orders(n=400_000, users=5_000, rate=40, seed=43), 200_000)
    count, one = bench.lines(path), bench.head(path, 1)
    subjects = {}
    for group, (label, text, sizes, _) in GROWING.items():
        for size in sizes:
            name, file = label % size, "%s_%d" % (group, size)
            subjects[name] = whole_seconds(bench, file, text(path, size), bench.rule(file + "_empty", text(one, size)))
            subjects[name + ", engine alone"] = lambda file=file: engine_seconds(bench, bench.data(file + ".sql"), path)
    figures = bench.turns(subjects)
    ratios = {}
    for label, _, sizes, aims in GROWING.values():
        for size in sizes[1:]:
            times = [figures[label % size + end]["median"] / figures[label % sizes[0] + end]["median"] for end in ("", ", engine alone")]
            name = "%s against %d" % (label % size, sizes[0])
            ratios[name] = at_most(times[0], aims[size]) if size in aims else times[0]
            ratios[name + ", engine alone"] = times[1]
    small = bench.head(path, 50_000)
    counted = {minutes: bench.instructions(bench.data("within_%d.sql" % minutes), small) for minutes in (2, 20, 120)}
    if counted[2]:
        ratios.update(("instructions of the engine, WITHIN %d min against 2" % minutes, at_most(counted[minutes] / counted[2], 1.2)) for minutes in (20, 120))
    return {"title": "Flat", "note": "%d orders of 5,000 users over 83 minutes; JSON in, alerts out, and the engine alone, rows decoded before; processor time%s" % (
        count, "; instructions of the engine over the first 50,000: " + ", ".join("%d min %.0f a row" % pair for pair in counted.items()) if counted[2] else ""),
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
    return {"title": "Adversarial", "note": "the engine alone (processor time), WITHIN 20 minutes, all rows of one user within it. Bounds that explain states, and threads of a start that a trace of 5,000 rows"
            " found: " + "; ".join(notes), "rows": [line(name, bench.lines(runs[name][1]), value) for name, value in figures.items()], "ratios": ratios}
