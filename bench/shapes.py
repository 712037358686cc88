"""The part with whole tables: the twenty shapes of DuckDB's row pattern benchmark with `cepheid query`, beside Trino, and two of them beside a hand-written loop."""
import json
import os
import re

from line import line
from tools import Failure, at_least, at_most, spread

TRINO_SECONDS = 40 # a shape that takes longer is given up
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
    script = ("import sys, json, duckdb\nfor text in sys.stdin:\n    shape = json.loads(text)\n    db = duckdb.connect()\n    db.execute('SET enable_progress_bar = false')\n    db.execute(shape['setup'])\n"
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


def loop_cpu(bench, loop, shape, path):
    run = bench.run([loop, shape["name"], path])
    if json.loads(run["text"])["rows"] != shape["rows"]:
        raise Failure("the loop went through another number of rows than %d of %s" % (shape["rows"], shape["name"]))
    return run["cpu"]


def against_loop(bench, shape):
    """Processor time of the query as a multiple of the loop's over the same file, each less what it takes over one row; milliseconds of wall time say little where
    something else may run."""
    path, one = bench.data(shape["name"] + ".csv"), bench.head(bench.data(shape["name"] + ".csv"), 2)
    whole, empty = bench.rule("loop_whole", shape_text(bench, shape)), bench.rule("loop_empty", shape_text(bench, shape, 1))
    loop = bench.program("bench-loop")
    figures = bench.turns({"ours": lambda: bench.query(whole)["cpu"] - bench.query(empty)["cpu"],
                           "loop": lambda: loop_cpu(bench, loop, shape, path) - bench.run([loop, shape["name"], one])["cpu"]})
    return figures["ours"]["median"] / max(figures["loop"]["median"], 1e-6)


def part_shapes(bench):
    """The twenty shapes of DuckDB's row pattern benchmark with `cepheid query` over CSV; Trino's rows stand in its memory."""
    listing = bench.path("bench", "shapes.jsonl")
    with open(listing, encoding="utf-8") as file:
        shapes = [json.loads(text) for text in file]
    shape_data(bench, shapes)
    rows, ratios = [], {}
    for shape in shapes:
        if bench.lines(bench.data(shape["name"] + ".csv")) != shape["rows"] + 1: # and the line of names
            raise Failure("%s.csv has not the %d rows of the shape" % (shape["name"], shape["rows"]))
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
            ratios["%s: times Trino" % shape["name"]] = at_least(peer / figures["median"], 1)
    for shape in shapes:
        if shape["name"] in LOOPS:
            ratios["%s: processor time against a hand-written loop" % shape["name"]] = at_most(against_loop(bench, shape), 4)
    if rows:
        ratios["slowest shape, µs a row"] = max(row["seconds"]["median"] / row["rows"] for row in rows) * 1e6
    return {"title": "Batch: the shapes of DuckDB's row pattern benchmark", "note": "ours reads CSV within the time, start and compilation left out; Trino 435 has its pages in memory, 4 GB for a query, its planning counted,"
            " best of two runs, given up after %d s;" % TRINO_SECONDS +
            " the loop maps the same file", "rows": rows,
            "ratios": ratios}
