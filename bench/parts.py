"""The comparisons. Each part takes a Bench and returns figures for the report: {"title", "note", "rows": [...], "ratios": {...}}. Ratios are of medians of
runs that took turns, pinned to one core."""
import json
import os
import re

import rules
from kafka import part_kafka  # noqa: F401  (found by name)
from tools import Failure, spread

NAMES = ["end_to_end", "engine", "peers", "flat", "adversarial", "shapes", "kafka", "memory"]
QUICK = ["end_to_end", "engine", "memory"]


def rate(rows, seconds):
    return rows / seconds if seconds > 0 else 0.0


def line(label, rows, figures):
    """One line of a table: rows a second of the median, and the spread."""
    text = "   %-44s %12.0f rows/s  (%.3f s, %.3f to %.3f)" % (label, rate(rows, figures["median"]), figures["median"], figures["least"], figures["most"])
    print(text, flush=True)
    return {"label": label, "rows": rows, "seconds": figures, "rate": rate(rows, figures["median"])}


def floor_seconds(bench, path, mode):
    return bench.json_lines([bench.program("bench-floor"), path, mode])[0]["seconds"]


def part_end_to_end(bench):
    """JSON lines to alerts on one core, beside bare decoding of the same file."""
    path = bench.orders(n=400_000 if bench.quick else 2_000_000)
    count = 400_000 if bench.quick else 2_000_000
    sql = bench.rule("three", rules.three(path))
    out = bench.data("alerts.jsonl")
    empty = bench.rule("empty", rules.three(bench.head(path, 1)))

    def ours():
        begin = bench.query(empty, eager=True)["wall"]  # start and compilation of the rule are no cost of a row
        return bench.query(sql, out=out, eager=True)["wall"] - begin

    figures = bench.turns({
        "decode floor": lambda: floor_seconds(bench, path, "decode"),
        "fields found only": lambda: floor_seconds(bench, path, "find"),
        "iterate_many": lambda: floor_seconds(bench, path, "many"),
        "cepheid": ours,
    })
    with open(out, "rb") as file:
        alerts = sum(1 for _ in file)
    return {"title": "JSON lines in, alerts out", "note": "%d orders, %d messages of alerts" % (count, alerts),
            "rows": [line(name, count, value) for name, value in figures.items()],
            "ratios": {"of the decode floor": figures["decode floor"]["median"] / figures["cepheid"]["median"]}}


def engine_run(bench, sql, path, *options):
    program = bench.program("bench-engine")
    return bench.json_lines([program, sql, "orders", path, *map(str, options)])[-1]


def part_engine(bench):
    """Decoded rows through the engine, without file, service, threads."""
    count = 400_000 if bench.quick else 2_000_000
    path = bench.orders(n=count)
    three = bench.rule("three", rules.three(path))
    ordered = bench.orders("ordered", n=count, jitter_ms=0)  # as CORE gets it: nothing is late, nothing waits
    unary = bench.rule("unary", rules.TABLE.replace(" - INTERVAL '3' SECOND", "") % ordered + """CREATE RULE unary WITH ('emit' = 'eager') AS
SELECT a FROM orders MATCH_RECOGNIZE (ORDER BY ts MEASURES A.order_id AS a ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B -> C) WITHIN INTERVAL '2' MINUTE DEFINE A AS A.country = 'US', B AS B.country = 'GB', C AS C.country = 'DE');
""")
    rows = []
    figures = bench.turns({"three countries, by user": lambda: engine_run(bench, three, path, "--phase", "all")["engine_seconds"],
                           "three unary steps, no partition": lambda: engine_run(bench, unary, ordered, "--phase", "all")["engine_seconds"]})
    for name, value in figures.items():
        rows.append(line(name, count, value))
    return {"title": "The engine alone", "note": "rows decoded before the clock starts; one thread", "rows": rows, "ratios": {}}


def matches_of(bench, sql, names):
    """Matches of a query as sorted "a b c"."""
    out = bench.data("found.jsonl")
    bench.query(sql, out=out)
    with open(out, encoding="utf-8") as file:
        found = [json.loads(text) for text in file]
    return sorted(" ".join(row[name] for name in names) for row in found)


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return sorted(file.read().split("\n")[:-1])


def part_peers(bench):
    """The same rule on Flink SQL, Flink CEP, Esper and Siddhi. Two runs within one process each time; the second, warm one counts."""
    whole = bench.orders(n=2_000_000)
    path = bench.head(whole, 200_000)
    few, some = bench.head(whole, 5), bench.head(whole, 50_000)
    tsv = bench.in_order(path)
    rule = bench.path("tests", "orders", "three_countries.sql")
    outs = {name: bench.data(name + ".found") for name in ("flink_sql", "flink_cep", "esper", "siddhi")}
    pom = ("tests", "differential", "flink", "pom.xml")
    commands = {
        "Flink SQL": (bench.java("flink", "Sql", [few, some, rule, outs["flink_sql"], 1], pom), 50_000),
        "Flink CEP": (bench.java("flink", "Cep", [tsv, outs["flink_cep"], 2], pom), 200_000),
        "Esper": (bench.java("esper", "Peer", [tsv, outs["esper"], 2]), 200_000),
        "Siddhi": (bench.java("siddhi", "Peer", [tsv, outs["siddhi"], 2]), 200_000),
    }
    sql, every = bench.rule("three", rules.three(whole)), bench.rule("every", rules.every(whole))
    empty = bench.rule("empty", rules.three(bench.head(whole, 1)))

    def ours(text):
        begin = bench.query(empty)["wall"]
        return bench.query(text, eager=True)["wall"] - begin

    subjects = {"cepheid, JSON in": lambda: ours(sql) / 2_000_000, "cepheid, each start, JSON in": lambda: ours(every) / 2_000_000}
    for name, (command, count) in commands.items():
        subjects[name] = lambda command=command, count=count: bench.json_lines(command)[-1]["seconds"] / count
    figures = bench.turns(subjects)
    # Do they agree? Flink SQL has the rule's SKIP PAST LAST ROW, the others give a match for each start.
    want = matches_of(bench, bench.rule("every_head", rules.every(path)), "abc")
    for name in ("flink_cep", "esper", "siddhi"):
        if lines_of(outs[name]) != want:
            bench.fail("%s finds %d matches, not the same as our %d" % (name, len(lines_of(outs[name])), len(want)))
    with open(rule, encoding="utf-8") as file:
        text = file.read()
    ours_sql = matches_of(bench, bench.rule("sql_head", rules.TABLE % some + text), ["a_id", "b_id", "c_id"])
    if lines_of(outs["flink_sql"]) != ours_sql:
        bench.fail("Flink SQL finds %d matches, not the same as our %d" % (len(lines_of(outs["flink_sql"])), len(ours_sql)))
    rows = [line(name, 1, value) for name, value in figures.items()]
    ratios = {"times " + name: figures[name]["median"] / figures["cepheid, JSON in" if name == "Flink SQL" else "cepheid, each start, JSON in"]["median"] for name in commands}
    return {"title": "Peers", "note": "the same matches: %d of each start over 200,000 orders, %d of Flink SQL's rule over 50,000. Flink SQL reads JSON as we do; the other three get"
            " decoded orders in memory and in order, while ours decodes JSON" % (len(want), len(ours_sql)), "rows": rows, "ratios": ratios}


def query_seconds(bench, name, text, empty):
    sql = bench.rule(name, text)

    def run():
        begin = bench.query(empty, eager=True)["wall"]
        return bench.query(sql, eager=True)["wall"] - begin
    return run


def part_flat(bench):
    """Time of an event as windows, patterns, rule sets and the number of keys grow."""
    count = 200_000
    path = bench.head(bench.orders("slow", n=400_000, users=5_000, rate=40, seed=43), count)
    empty = bench.rule("empty_slow", rules.three(bench.head(path, 1)))
    subjects, groups = {}, {"within": [], "length": [], "rules": []}

    def add(group, name, text, first=None):
        key = group + " " + name
        subjects[key] = query_seconds(bench, key.replace(" ", "_"), text, bench.rule(key.replace(" ", "_") + "_empty", first) if first else empty)
        groups[group].append(key)

    for minutes in (2, 20, 120):
        add("within", "%d min" % minutes, rules.three(path, minutes))
    for steps in (3, 6, 12):
        add("length", "%d steps" % steps, rules.length(path, steps))
    one = bench.head(path, 1)
    for rules_count in (1, 10, 100, 1000):
        add("rules", "%d" % rules_count, rules.many(path, rules_count), rules.many(one, rules_count))
    figures = bench.turns(subjects)
    rows = [line(name, count, value) for name, value in figures.items()]
    ratios = {}
    for keys in groups.values():
        for key in keys[1:]:
            ratios["%s against %s" % (key, keys[0].split(" ", 1)[1])] = figures[key]["median"] / figures[keys[0]]["median"]
    counted = {}
    small = bench.head(path, 50_000)
    for minutes in (2, 20, 120):
        sql = bench.rule("within_counted", rules.three(small, minutes))
        counted[minutes] = bench.instructions([bench.cepheid, "query", "-e", "eager", sql])
    if counted[2]:
        for minutes in (20, 120):
            ratios["instructions, %d min against 2" % minutes] = counted[minutes] / counted[2]
    return {"title": "Flat", "note": "%d orders of 5,000 users over 83 minutes" % count, "rows": rows, "ratios": ratios}


def part_adversarial(bench):
    """Patterns that make other engines explode; and one hot key."""
    count = 50_000
    path = bench.head(bench.orders("slow", n=400_000, users=5_000, rate=40, seed=43), count)
    equal = bench.data("equal.jsonl")
    if not os.path.exists(equal):
        with open(path, encoding="utf-8") as source, open(equal + ".new", "w", encoding="utf-8") as target:
            for text in source:
                order = json.loads(text)
                order["user_id"], order["country"], order["amount"] = "u000001", "US", 10.00
                target.write(json.dumps(order) + "\n")
        os.rename(equal + ".new", equal)
    empty = bench.rule("empty_slow", rules.three(bench.head(path, 1)))
    subjects = {}
    for number, (name, (pattern, defines)) in enumerate(rules.ADVERSARIAL.items()):
        subjects[name] = query_seconds(bench, "hard_%d" % number, rules.adversarial(path, pattern, defines), empty)
        subjects[name + ", one key, all equal"] = query_seconds(bench, "hot_%d" % number, rules.adversarial(equal, pattern, defines), empty)
    subjects["three countries (to compare)"] = query_seconds(bench, "hard_three", rules.three(path, 20), empty)
    figures = bench.turns(subjects)
    rows = [line(name, count, value) for name, value in figures.items()]
    base = figures["three countries (to compare)"]["median"]
    return {"title": "Adversarial", "note": "%d orders, WITHIN 20 minutes" % count, "rows": rows,
            "ratios": {name + " against three countries": value["median"] / base for name, value in figures.items() if value["median"] != base}}


TRINO_SECONDS = 300 # a shape that takes longer is given up
LOOPS = ("scan", "partitions") # have a hand-written loop to be held against
TYPES = {"INTEGER": "INT", "VARCHAR": "STRING", "BIGINT": "BIGINT", "DOUBLE": "DOUBLE", "TIMESTAMP": "TIMESTAMP(3)"}


def shape_data(bench, shapes):
    """CSV files of the shapes, made by DuckDB, whose SQL defines them."""
    missing = [shape for shape in shapes if not os.path.exists(bench.data(shape["name"] + ".csv"))]
    if not missing:
        return
    import subprocess
    import venv
    folder = os.path.join(bench.folder, "venv")
    if not os.path.exists(os.path.join(folder, "bin", "pip")):
        venv.create(folder, with_pip=True)
    subprocess.run([os.path.join(folder, "bin", "pip"), "-q", "install", "duckdb==2.0.0"], check=True)
    script = ("import sys, json, duckdb\nfor text in sys.stdin:\n    shape = json.loads(text)\n    db = duckdb.connect()\n    db.execute(shape['setup'])\n"
              "    db.execute(\"COPY %s TO '%s.csv' (HEADER)\" % (shape['name'], sys.argv[1] + '/' + shape['name']))\n")
    subprocess.run([os.path.join(folder, "bin", "python3"), "-c", script, bench.data("")], input="\n".join(json.dumps(shape) for shape in missing), text=True, check=True)


def shape_text(bench, shape, rows=None):
    """The shape as a query, over all its rows or the first ones."""
    data = bench.data(shape["name"] + ".csv")
    columns = ", ".join("`%s` %s" % (name, TYPES[kind]) for name, kind in shape["schema"])
    return "CREATE TABLE %s (%s) WITH ('connector' = 'filesystem', 'path' = '%s', 'format' = 'csv');\n%s;\n" % (
        shape["name"], columns, bench.head(data, rows + 1) if rows else data, shape["rule"])


def trino_seconds(bench, shape, rounds):
    """(best seconds or None, why there are none, answer). A process for each shape, since some never end."""
    listing = bench.data("trino.jsonl")
    with open(listing, "w", encoding="utf-8") as file:
        file.write(json.dumps(shape) + "\n")
    command = bench.java("trino", "Shapes", [listing, bench.data(""), rounds, TRINO_SECONDS / 2], ("tests", "differential", "trino", "pom.xml"))
    try:
        answers = bench.json_lines(command, timeout=TRINO_SECONDS)
    except Failure:
        return None, "more than %d s" % TRINO_SECONDS, None
    bad = next((answer["error"] for answer in answers if "error" in answer), None)
    if bad or not answers:
        return None, re.sub(r"\s+", " ", bad or "no answer")[:80], None
    return min(answer["seconds"] for answer in answers), None, answers[0]["answer"]


def against_loop(bench, shape):
    """Processor time of the query as a multiple of the loop's over the same file, each less what it takes over one row; milliseconds of wall time say little where
    something else may run."""
    path, one = bench.data(shape["name"] + ".csv"), bench.head(bench.data(shape["name"] + ".csv"), 2)
    whole, empty = bench.rule("loop_whole", shape_text(bench, shape)), bench.rule("loop_empty", shape_text(bench, shape, 1))
    loop = bench.program("bench-loop")
    figures = bench.turns({"ours": lambda: bench.query(whole)["cpu"] - bench.query(empty)["cpu"],
                           "loop": lambda: bench.run([loop, shape["name"], path])["cpu"] - bench.run([loop, shape["name"], one])["cpu"]})
    return figures["ours"]["median"] / max(figures["loop"]["median"], 1e-6)


def part_shapes(bench):
    """The twenty shapes of DuckDB's row pattern benchmark with `cepheid query` over CSV; Trino's rows stand in its memory."""
    listing = bench.path("bench", "shapes.jsonl")
    with open(listing, encoding="utf-8") as file:
        shapes = [json.loads(text) for text in file]
    shape_data(bench, shapes)
    rows, ratios = [], {}
    for shape in shapes:
        sql, out = bench.rule("shape_" + shape["name"], shape_text(bench, shape)), bench.data("shape.out")
        empty = bench.rule("shape_empty", shape_text(bench, shape, 1))
        seconds = []
        try:
            for _ in range(bench.rounds if shape["name"] in LOOPS else min(bench.rounds, 3)):
                begin = bench.query(empty)["wall"] # start and compilation of the rule are no cost of a row, and none that Trino or the loop have
                seconds.append(max(bench.query(sql, out=out, timeout=120)["wall"] - begin, 1e-6))
        except Failure as failure:
            bench.fail("%s: %s" % (shape["name"], failure))
            continue
        with open(out, encoding="utf-8") as file:
            answer = [list(json.loads(text).values()) for text in file]
        peer, why, peer_answer = trino_seconds(bench, shape, 2)
        want = shape["expect"] or peer_answer
        if want and answer != want:
            bench.fail("%s: the answer is %s, not %s" % (shape["name"], answer, want))
        figures = spread(seconds)
        row = line(shape["name"], shape["rows"], figures)
        row["trino"] = peer if peer is not None else why
        rows.append(row)
        if peer is not None:
            ratios["%s: times Trino" % shape["name"]] = peer / figures["median"]
    for shape in shapes:
        if shape["name"] in LOOPS:
            ratios["%s: processor time against a hand-written loop" % shape["name"]] = against_loop(bench, shape)
    return {"title": "Batch: the shapes of DuckDB's row pattern benchmark", "note": "ours reads CSV within the time, start and compilation left out; Trino 435 has its pages in memory, 4 GB for a query, its planning counted,"
            " best of two runs; the loop maps the same file", "rows": rows,
            "ratios": ratios}


def part_memory(bench):
    """Start, size, resident memory."""
    sql = bench.rule("empty", rules.three(bench.head(bench.orders(n=400_000 if bench.quick else 2_000_000), 1)))
    start = spread([bench.run([bench.cepheid, "version"])["wall"] for _ in range(10)])
    query = spread([bench.query(sql)["wall"] for _ in range(10)])
    size = os.path.getsize(bench.cepheid)
    print("   start %.1f ms, with one rule %.1f ms, stripped binary %.1f MB" % (start["median"] * 1e3, query["median"] * 1e3, size / 1e6), flush=True)
    return {"title": "Start and size", "note": "`cepheid version`; `cepheid query` of one rule over one row; the stripped binary",
            "rows": [{"label": "start, ms", "value": start["median"] * 1e3}, {"label": "start, one rule, one row, ms", "value": query["median"] * 1e3},
                     {"label": "binary, MB", "value": size / 1e6}], "ratios": {}}
