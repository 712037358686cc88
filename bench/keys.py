"""The part with many keys: the service over 10⁴ to 10⁷ keys that each hold one partial match, most of them in the store."""
import os
import subprocess
import sys
import time

from line import line, value
from tools import Failure, at_most, spread

RULES = {"many.sql": """
CREATE TABLE orders (id BIGINT, user_id BIGINT, amount INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'stdin', 'format' = 'json');
CREATE RULE pair WITH ('severity' = 'low', 'title' = 'A much larger order behind another one', 'emit' = 'eager')
AS SELECT m.user_id, m.first_id, m.last_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id, B.id AS last_id
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A -> B) WITHIN INTERVAL '61' MINUTE DEFINE B AS B.amount > A.amount + 2000
) AS m;
"""}
PIECES = 8    # of what counts of a run, for its spread: one run is long enough
SECONDS = 200 # of a run; what it has not gone through then is left out, and told


def status_mib(process, field):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as file:
        return next(int(text.split()[1]) for text in file if text.startswith(field + ":")) / 1024


def run(bench, keys, rows, memory):
    """(seconds for all rows, by the second half of those gone through: all keys are there then; greatest RSS in MiB; rows gone through)"""
    from service import Service
    config = {"application.id": "many", "state.memory": memory, "shards": 1}
    reader, writer = os.pipe()
    with Service(RULES, config) as service:
        service.stdin = reader
        feeder = None
        try:
            service.start(timeout=60)
            os.close(reader)
            feeder = subprocess.Popen([bench.program("bench-many-keys"), str(keys), str(rows)], stdout=writer)
            os.close(writer)
            marks, begin = [], time.monotonic()
            while not marks or (marks[-1][1] < rows and marks[-1][0] - begin < SECONDS):
                time.sleep(0.05)
                marks.append((time.monotonic(), service.metric("rows_total")))
            most = status_mib(service.process, "VmHWM")
            service.kill()  # what it would still save at its end is not asked for
        finally:
            if feeder:
                feeder.kill()
                feeder.wait()
    return pieces_of(marks, rows), most, int(marks[-1][1])


def pieces_of(marks, rows):
    """Spread of the seconds that all rows would take, of the pieces of the second half of what was gone through."""
    done = marks[-1][1]
    steps = [next(mark for mark in marks if mark[1] >= done / 2 + i * done / 2 / PIECES) for i in range(PIECES + 1)]
    if done < 1 or steps[0][1] == done:
        raise Failure("%d rows within %d s are too few to tell a rate" % (done, SECONDS))
    found = spread([(later[0] - sooner[0]) / (later[1] - sooner[1]) * rows for sooner, later in zip(steps, steps[1:]) if later[1] > sooner[1]])
    return found | {"median": (steps[-1][0] - steps[0][0]) / (steps[-1][1] - steps[0][1]) * rows}


def part_keys(bench, rows=20_000_000, most_keys=10_000_000):
    """The whole service, on all cores, from standard input: its store, epochs and journals are what keeps keys beyond memory."""
    sys.path[:0] = [bench.path("tests", "e2e")]
    os.environ["CEPHEID"] = bench.cepheid
    if bench.quick:
        rows, most_keys = rows // 20, most_keys // 20
    found, lines = {}, []
    for keys, memory in ((10_000, "3 GiB"), (most_keys, "3 GiB"), (most_keys, "512 MiB")):
        figures, rss, done = run(bench, keys, rows, memory)
        name = "%s keys, state.memory %s" % (format(keys, ","), memory)
        name += "" if done >= rows else " (%s rows within %d s)" % (format(done, ","), SECONDS)
        found[keys, memory] = figures
        lines += [line(name, rows, figures), value(name + ": greatest RSS, MiB", rss)]
    base = found[10_000, "3 GiB"]["median"]
    many = format(most_keys, ",")
    return {"title": "Many keys", "note": "%s rows through the service, each key with one partial match all the time; the second half of the rows counts, as seconds for"
            " all rows; the spread is that of its eighths; one run, all cores, standard input, at the service's own settings but `state.memory`" % format(rows, ","), "rows": lines,
            "ratios": {"time, %s keys against 10,000, 3 GiB" % many: at_most(found[most_keys, "3 GiB"]["median"] / base, 3),
                       "time, %s keys against 10,000, 512 MiB" % many: found[most_keys, "512 MiB"]["median"] / base}}
