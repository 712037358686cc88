"""OVER, windows by event time and by processing time, and allowed lateness over Kafka, with kills in the middle: each row comes out once, and what comes out is what a
naive evaluation gives for all rows together."""
import collections
import random

from service import Service, parse, wait_for

PARTITIONS, DELAY_S = 3, 2
SQL = """
CREATE TABLE orders (id INT, k STRING, v INT, pt AS PROCTIME(), ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '{delay}' SECOND)
WITH ('connector' = 'kafka', 'topic' = '{orders}', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset', {properties});
CREATE TABLE sums (id INT, total BIGINT, least INT, before INT) WITH ('connector' = 'kafka', 'topic' = '{sums}', 'format' = 'json', {properties});
CREATE TABLE counts (k STRING, start STRING, n BIGINT, is_total BIGINT) WITH ('connector' = 'kafka', 'topic' = '{counts}', 'format' = 'json', {properties});
CREATE TABLE arrived (start STRING, n BIGINT) WITH ('connector' = 'kafka', 'topic' = '{arrived}', 'format' = 'json', {properties});
INSERT INTO sums SELECT id, SUM(v) OVER w AS total, MIN(v) OVER w AS least, LAG(v) OVER (PARTITION BY k ORDER BY ts) AS before
FROM orders WINDOW w AS (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW);
INSERT INTO counts SELECT k, CAST(window_start AS STRING) AS start, COUNT(*) AS n, GROUPING(k) AS is_total
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, GROUPING SETS ((k), ());
INSERT INTO arrived SELECT CAST(window_start AS STRING) AS start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(pt), INTERVAL '0.2' SECOND)) GROUP BY window_start, window_end;
CREATE MATERIALIZED VIEW late WITH ('key' = 'name', 'allowed-lateness' = '10 min') AS
SELECT k || '/' || CAST(window_start AS STRING) AS name, COUNT(*) AS n, SUM(v) AS total
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, k;
"""


def clock(ms, sign="T"):
    return "2026-01-01%s%02d:%02d:%02d.%03d" % (sign, ms // 3600000, ms // 60000 % 60, ms // 1000 % 60, ms % 1000)


def make_rows(seed, count):
    """(id, k, v, ms, partition, late): a key has its partition; some rows are a minute late."""
    rng, rows, top = random.Random(seed), [], [0] * PARTITIONS
    for n in range(count):
        part, now = rng.randrange(PARTITIONS), 120000 + n * 40
        ms = now - rng.choice([0, 0, 0, 300, 1200, 60000 if n > 100 else 0])
        late = ms <= top[part] - DELAY_S * 1000
        top[part] = max(top[part], ms)
        rows.append((n, "k%d" % (part + PARTITIONS * rng.randrange(3)), rng.randrange(100), ms, part, late))
    end = 120000 + count * 40 + 60000
    return rows, [(count + part, "end%d" % part, 0, end, part, False) for part in range(PARTITIONS)]


def windows(rows):
    found = collections.defaultdict(list)
    for row in rows:
        found[row[3] // 5000 * 5000].append(row)
    return found


def want_sums(rows):
    out = {}
    for row in rows:
        part = sorted((r for r in rows if r[1] == row[1]), key=lambda r: (r[3], r[0]))
        near = [r[2] for r in part if row[3] - 10000 <= r[3] <= row[3]]
        at = part.index(row)
        out[row[0]] = (sum(near), min(near), part[at - 1][2] if at else None)
    return out


def want_counts(rows):
    out = collections.Counter()
    for start, found in windows(rows).items():
        out.update((r[1], clock(start, " "), 0) for r in found)
        out[(None, clock(start, " "), 1)] = len(found)
    return dict(out)


def want_late(rows):
    out = collections.defaultdict(lambda: [0, 0])
    for start, found in windows(rows).items():
        for r in found:
            one = out["%s/%s" % (r[1], clock(start, " "))]
            one[0], one[1] = one[0] + 1, one[1] + r[2]
    return {name: tuple(pair) for name, pair in out.items()}


def view(service):
    found, after = {}, None
    while True:
        answer = service.get("/v1/views/late", **({"after": after} if after else {}))
        assert answer.status == 200, answer
        found.update((row["name"], (row["n"], row["total"])) for row in answer.json["data"])
        after = answer.json["pagination"]["next_cursor"]
        if after is None:
            return found


def case_windows_survive_kills(world):
    for topic, partitions in (("orders", PARTITIONS), ("sums", 1), ("counts", 1), ("arrived", 1)):
        world.broker.topic(world.name(topic), partitions)
    rows, ends = make_rows(7, 900)
    sql = SQL.format(delay=DELAY_S, properties=world.properties(), **{name: world.name(name) for name in ("orders", "sums", "counts", "arrived")})

    def produce(part):
        world.broker.produce(world.name("orders"), [(k, '{"id":%d,"k":"%s","v":%d,"ts":"%sZ"}' % (n, k, v, clock(ms)), p) for n, k, v, ms, p, _ in sorted(part, key=lambda r: r[4])])

    def told(topic):
        return [parse(record["payload"]) for record in world.broker.consume(world.name(topic))]
    with Service({"a.sql": sql}, {"application.id": world.case}) as service:
        service.start()
        for turn in range(3):
            for at in range(turn * 300, turn * 300 + 300, 30):
                produce(rows[at:at + 30])
            wait_for("some of them", lambda: service.metric("source_records_total", table="orders") > 100, 30, 0.01)
            service.kill()
            service.start()
        produce(ends)
        on_time = [r for r in rows + ends if not r[5]]
        assert 20 < len(rows) + 3 - len(on_time) < 300, len(on_time)
        sums, counts = want_sums(on_time), want_counts(on_time)
        last = {ends[0][3] // 5000 * 5000}
        counts = {key: n for key, n in counts.items() if key[1] not in {clock(ms, " ") for ms in last}}
        sums = {ident: value for ident, value in sums.items() if ident < len(rows)}
        wait_for("the sums", lambda: len(told("sums")) >= len(sums), 30, 0.3)
        wait_for("the counts", lambda: len(told("counts")) >= len(counts), 30, 0.3)
        wait_for("all rows by the clock", lambda: sum(row["n"] for row in told("arrived")) >= len(rows) + len(ends), 30, 0.3)
        found = told("sums")
        assert len(found) == len({row["id"] for row in found}) and {row["id"]: (row["total"], row["least"], row["before"]) for row in found} == sums
        found = told("counts")
        assert len(found) == len(counts) and {(row["k"], row["start"], row["is_total"]): row["n"] for row in found} == counts
        found = told("arrived")
        assert len(found) == len({row["start"] for row in found}) and sum(row["n"] for row in found) == len(rows) + len(ends), found
        wanted = {name: value for name, value in want_late(rows).items()}
        wait_for("the windows with what came late", lambda: {name: value for name, value in view(service).items() if not name.startswith("end")} == wanted, 20, 0.2)
