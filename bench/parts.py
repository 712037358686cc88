"""The comparisons. Each part takes a Bench and returns figures for the report: {"title", "note", "rows": [...], "ratios": {...}}. Ratios are of medians of
runs that took turns, pinned to one core; those with an aim are at_least() or at_most(). The number of rows of a rate is counted in the file that was gone
through, and held against what the programs say."""
import json

import rules
from flat import part_adversarial, part_flat  # noqa: F401  (found by name, as those below)
from kafka import part_kafka  # noqa: F401
from keys import part_keys  # noqa: F401
from line import line
from memory import part_memory  # noqa: F401
from shapes import part_shapes  # noqa: F401
from tools import at_least

NAMES = ["end_to_end", "engine", "peers", "flat", "adversarial", "shapes", "kafka", "keys", "memory"]
QUICK = ["end_to_end", "engine", "memory"]
CORE_ROWS_S = 1.7e6  # of CORE itself, on its own benchmark and another machine: only to compare


def floor_seconds(bench, path, mode):
    found = bench.json_lines([bench.program("bench-floor"), path, mode])[0]
    bench.same_rows("bench-floor", found["rows"], path)
    return found["seconds"]


def standing(path):
    """Alerts of a file that stand at its end: created and not withdrawn."""
    with open(path, encoding="utf-8") as file:
        kinds = [json.loads(text)["data"]["change"] for text in file]
    return kinds.count("created") - kinds.count("withdrawn"), len(kinds)


def part_end_to_end(bench):
    """JSON lines to alerts on one core, beside bare decoding of the same file."""
    path = bench.orders(n=400_000 if bench.quick else 2_000_000)
    count = bench.lines(path)
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
    stand, told = standing(out)
    matches = bench.engine(sql, path, "--repeat", 1)["matches"]
    if stand != matches:  # so the query did go through the whole file
        bench.fail("the alerts of the query that stand are %d, the matches of the engine %d" % (stand, matches))
    return {"title": "JSON lines in, alerts out", "note": "%d orders, %d alerts that stand, %d messages" % (count, stand, told),
            "rows": [line(name, count, value) for name, value in figures.items()],
            "ratios": {"of the decode floor": at_least(figures["decode floor"]["median"] / figures["cepheid"]["median"], 0.5)}}


def part_engine(bench):
    """Decoded rows through the engine, without file, service, threads."""
    size = 400_000 if bench.quick else 2_000_000
    path = bench.orders(n=size)
    count = bench.lines(path)
    three = bench.rule("three", rules.three(path))
    ordered = bench.orders(n=size, jitter_ms=0)  # as CORE gets it: nothing is late, nothing waits
    unary = bench.rule("unary", rules.unary(ordered))
    names = {"three countries, key by key as `query` does": (three, path, "--together", 1), "three countries, row by row as `serve` does": (three, path),
             "three unary steps, no partition": (unary, ordered)}
    figures = bench.turns({name: lambda what=what: bench.engine(*what, "--repeat", 2)["engine_seconds"] for name, what in names.items()})
    rates = [count / value["median"] for value in figures.values()]
    return {"title": "The engine alone", "note": "%d rows, decoded before the clock starts; one thread; the better of two goes in one process" % count,
            "rows": [line(name, count, value) for name, value in figures.items()],
            "ratios": {"three countries, key by key: million rows a second": at_least(rates[0] / 1e6, 10),
                       "three countries, row by row: million rows a second": at_least(rates[1] / 1e6, 10),
                       "three unary steps: million rows a second": at_least(rates[2] / 1e6, 8.5),
                       "three unary steps against CORE's own 1.7 M (another run, another machine)": rates[2] / CORE_ROWS_S}}


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


def peer_seconds(bench, name, command, path):
    """Seconds a row of the last, warm round of a peer's process."""
    found = bench.json_lines(command)[-1]
    bench.same_rows(name, found["rows"], path)
    return found["seconds"] / found["rows"]


def peer_commands(bench, whole, path, some, rule):
    """{name: (command line, the file it goes through, where its matches go)}"""
    tsv = bench.in_order(path)
    outs = {name: bench.data(name + ".found") for name in ("flink_sql", "flink_cep", "flink_past", "esper", "siddhi")}
    pom = ("tests", "differential", "flink", "pom.xml")
    return {
        "Flink SQL": (bench.java("flink", "Sql", [bench.head(whole, 5), some, rule, outs["flink_sql"], 1], pom), some, outs["flink_sql"]),
        "Flink CEP, each start": (bench.java("flink", "Cep", [tsv, outs["flink_cep"], 2], pom), tsv, outs["flink_cep"]),
        "Flink CEP, behind the last match": (bench.java("flink", "Cep", [tsv, outs["flink_past"], 2, "past"], pom), tsv, outs["flink_past"]),
        "Esper": (bench.java("esper", "Peer", [tsv, outs["esper"], 2]), tsv, outs["esper"]),
        "Siddhi": (bench.java("siddhi", "Peer", [tsv, outs["siddhi"], 2]), tsv, outs["siddhi"]),
    }


def peer_wants(bench, every_head, path, some, rule):
    """Our matches: {peer, or "each start" for those without a SKIP clause: sorted lines}"""
    past = bench.rule("past_head", rules.past(path))
    with open(rule, encoding="utf-8") as file:
        sql = bench.rule("sql_head", rules.TABLE % some + file.read())
    return {"each start": matches_of(bench, every_head, "abc"), "Flink CEP, behind the last match": matches_of(bench, past, "abc"),
            "Flink SQL": matches_of(bench, sql, ["a_id", "b_id", "c_id"])}


def part_peers(bench):
    """The same rule on Flink SQL, Flink CEP, Esper and Siddhi. Two runs within one process each time; the second, warm one counts."""
    whole = bench.orders(n=2_000_000)
    count = bench.lines(whole)
    path, some = bench.head(whole, 200_000), bench.head(whole, 50_000)
    rule = bench.path("tests", "orders", "three_countries.sql")
    peers = peer_commands(bench, whole, path, some, rule)
    sql, every = bench.rule("three", rules.three(whole)), bench.rule("every", rules.every(whole))
    every_head, three_head = bench.rule("every_head", rules.every(path)), bench.rule("three_head", rules.three(path))
    every_eager = bench.rule("every_eager", rules.every(path, eager=True))
    empty = bench.rule("empty", rules.three(bench.head(whole, 1)))

    def ours(text):
        begin = bench.query(empty)["wall"]
        return (bench.query(text, eager=True)["wall"] - begin) / count

    subjects = {"cepheid, JSON in": lambda: ours(sql), "cepheid, each start, JSON in": lambda: ours(every),
                "cepheid, each start, rows in memory": lambda: bench.engine(every_eager, path, "--repeat", 2)["engine_seconds"] / bench.lines(path)}
    subjects["cepheid, behind the last match, rows in memory"] = lambda: bench.engine(three_head, path, "--repeat", 2)["engine_seconds"] / bench.lines(path)
    for name, (command, data, _) in peers.items():
        subjects[name] = lambda name=name, command=command, data=data: peer_seconds(bench, name, command, data)
    figures = bench.turns(subjects, min(bench.rounds, 3))
    wants = peer_wants(bench, every_head, path, some, rule)
    for name, (_, _, out) in peers.items():
        want = wants.get(name, wants["each start"])
        if lines_of(out) != want:
            bench.fail("%s finds %d matches, not the same as our %d" % (name, len(lines_of(out)), len(want)))
    for sql_head, name in ((every_head, "each start"), (every_eager, "each start"), (three_head, "Flink CEP, behind the last match")):
        if bench.engine(sql_head, path, "--repeat", 1)["matches"] != len(wants[name]):
            bench.fail("the engine alone does not find the %d matches of '%s'" % (len(wants[name]), name))
    def times(peer, our):
        return figures[peer]["median"] / figures[our]["median"]

    every_json, past_memory = "cepheid, each start, JSON in", "cepheid, behind the last match, rows in memory"
    return {"title": "Peers", "note": "the same matches: over 200,000 orders %d of each start, %d behind the last row of the match before; %d of Flink SQL's rule over 50,000. Flink SQL reads JSON"
            " as we do; the others get decoded orders in memory and in order of time, while ours reads JSON, or gets decoded rows in memory in the order of the file; %d rounds" % (
                len(wants["each start"]), len(wants["Flink CEP, behind the last match"]), len(wants["Flink SQL"]), min(bench.rounds, 3)),
            "rows": [line(name, 1, value) for name, value in figures.items()],
            "ratios": {"JSON in, times Flink SQL": at_least(times("Flink SQL", "cepheid, JSON in"), 500),
                       "JSON in, times Esper in memory": at_least(times("Esper", every_json), 20),
                       "JSON in, times Siddhi in memory": at_least(times("Siddhi", every_json), 20),
                       "JSON in, times Flink CEP in memory, each start": times("Flink CEP, each start", every_json),
                       "in memory, times Flink CEP, three countries": at_least(times("Flink CEP, behind the last match", past_memory), 40),
                       "in memory, times Flink CEP, each start": times("Flink CEP, each start", "cepheid, each start, rows in memory")}}
