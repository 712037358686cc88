"""Lookup joins: rows that ask Redis, PostgreSQL and an HTTP server; what is not there, what does not answer, what the cache saves."""
import http.server
import json
import threading
import urllib.parse

import programs
from world import Songs, equal, wait_equal

VIEW = """
CREATE MATERIALIZED VIEW labelled WITH ('key' = 'plays') AS
SELECT p.plays, p.song, l.label, l.price AS cost, l.live
FROM plays AS p {kind} labels FOR SYSTEM_TIME AS OF PROCTIME() AS l ON l.song = p.song;
"""
LABELS = """
CREATE TABLE labels (song STRING, label STRING, price DECIMAL(12,2), live BOOLEAN, PRIMARY KEY (song) NOT ENFORCED)
WITH ('connector' = '{connector}', 'url' = '{url}'{more});
"""


def sql(connector, url, kind="LEFT JOIN", more=""):
    return LABELS.format(connector=connector, url=url, more=more) + VIEW.format(kind=kind)


def shown(songs):
    found, after = [], None
    while True:
        answer = songs.get("/v1/views/labelled", limit=100, **({"after": after} if after else {})).json
        found += [(row["plays"], row["song"], row["label"], str(row["cost"]) if row["cost"] is not None else None, row["live"]) for row in answer["data"]]
        after = answer["pagination"]["next_cursor"]
        if after is None:
            return found


def want(plays, known):
    return [(n, song) + (("label of " + song, "%d.50" % (int(song[5:]) + 1), int(song[5:]) % 2 == 0) if known(song) else (None, None, None)) for n, song in plays]


def even(song):
    return int(song[5:]) % 3 != 0


def rows(first, count):
    return [(n, "song %d" % (n * 7 % 40)) for n in range(first, first + count)]


def feed(songs, plays):
    songs.add(*[(song, n) for n, song in plays])


def fill_redis(redis):
    for n in range(40):
        if n % 3:
            redis.ask("HSET", "l:song %d" % n, "label", "label of song %d" % n, "price", "%d.5" % (n + 1), "live", "true" if n % 2 == 0 else "false", "other", "x")


def case_lookup_redis_with_cache_and_outage():
    with programs.Redis().start() as redis:
        fill_redis(redis)
        with Songs(sql("redis", redis.url(), more=", 'key-prefix' = 'l:', 'lookup.timeout' = '5 s'")) as songs:
            first = rows(0, 200)
            feed(songs.start(), first)
            wait_equal("labels, and NULL where there is none", lambda: shown(songs), want(first, even))
            asked, hits = songs.metric("lookups_total"), songs.metric("lookup_cache_hits_total")
            equal((asked, songs.metric("lookup_failures_total")), (200, 0), "each row asks once")
            equal(hits >= 160, True, "40 songs are asked for once in each shard, the rest is known: %d" % hits)
            calls = int([line for line in redis.ask("INFO", "commandstats") if line.startswith("cmdstat_hgetall")][0].split("calls=")[1].split(",")[0])
            equal(calls <= 40, True, "commands that Redis saw: %d" % calls)
            redis.kill()
            more = [(n, song + " new") for n, song in rows(200, 5)]
            known = rows(205, 20)
            feed(songs, more + known)
            wait_equal("what is known goes on", lambda: shown(songs), want(first + known, even))
            wait_equal("the others are dead letters", lambda: songs.metric("lookup_failures_total"), 5)
            letters = [letter for letter in songs.read_lines("state", "dead-letters.jsonl")]
            equal(sorted(json.loads(letter["record"])["song"] for letter in letters), sorted(song for _, song in more), "dead letters")
            redis.start()
            fill_redis(redis)
            redis.ask("HSET", "l:later", "label", "of later")
            wait_equal("it answers again", lambda: (songs.add(("later", 1000)), shown(songs)[-1:])[1], [(1000, "later", "of later", None, None)])


def case_lookup_postgres_inner_join():
    with programs.Postgres().start() as pg:
        pg.ask("CREATE TABLE labels (song text PRIMARY KEY, label text, price numeric(12,2), live boolean)")
        pg.ask("INSERT INTO labels VALUES " + ", ".join("('song %d', 'label of song %d', %d.5, %s)" % (n, n, n + 1, n % 2 == 0) for n in range(40) if n % 3))
        text = sql("postgresql", pg.url(), "JOIN", ", 'username' = 'ann', 'password' = 'pa ss''word', 'lookup.timeout' = '60 s', 'lookup.partial-cache.expire-after-write' = '1 s'")
        with Songs(text) as songs:
            first = rows(0, 150)
            feed(songs.start(), first)
            wait_equal("rows that have a label", lambda: shown(songs), [row for row in want(first, even) if row[2]])
            pg.ask("INSERT INTO labels VALUES ('song 0', 'label of song 0', 1.5, true)")
            songs.wait_metric("lookups_total", 150)
            wait_equal("a row that came later, once the cache has forgotten that it was not there", lambda: (songs.add(("song 0", 900)), shown(songs)[-1])[1],
                       (900, "song 0", "label of song 0", "1.50", True))


def case_lookup_postgres_wrong_password_is_null_if_so_told():
    with programs.Postgres().start() as pg:
        text = sql("postgresql", pg.url(), more=", 'username' = 'ann', 'password' = 'wrong', 'lookup.on-error' = 'null', 'lookup.timeout' = '5 s'")
        with Songs(text) as songs:
            feed(songs.start(), rows(0, 3))
            wait_equal("NULL", lambda: shown(songs), want(rows(0, 3), lambda song: False))
            equal(songs.metric("lookup_failures_total") >= 3, True, "failures are counted")
            wait_equal("the reason in the log", lambda: "password" in songs.log(), True)


class Labels:
    """GET /labels/{song}. answers: statuses of the next ones. hold(count): from now on only so many more are given, until go_on()."""

    def __init__(self):
        self.asked, self.answers, self.left, self.at_once, self.most_at_once = [], [], None, 0, 0
        self.turn = threading.Condition()
        mine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # the name that http.server wants
                song = urllib.parse.unquote(self.path.split("/")[-1])
                mine.asked.append((song, self.headers["Authorization"]))
                mine.wait_turn()
                status = mine.answers.pop(0) if mine.answers else 200 if even(song) else 404
                n = int(song[5:])
                body = json.dumps({"song": song, "label": "label of " + song, "price": n + 1.5, "live": n % 2 == 0}).encode() if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # who asked was killed
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/labels/{song}" % self.server.server_port

    def wait_turn(self):
        with self.turn:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.turn.wait_for(lambda: self.left != 0)
            self.left = self.left and self.left - 1
            self.at_once -= 1

    def hold(self, count):
        with self.turn:
            self.left = count
            self.turn.notify_all()

    def go_on(self):
        self.hold(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go_on()
        self.server.shutdown()
        self.server.server_close()


def case_lookup_http_with_retries():
    with Labels() as labels:
        labels.answers = [503, 500]
        text = sql("http", labels.url, more=", 'format' = 'json', 'token' = 'abc', 'allow-private' = 'true', 'lookup.timeout' = '60 s'")
        with Songs(text) as songs:
            first = rows(0, 100)
            feed(songs.start(), first)
            wait_equal("labels by HTTP", lambda: shown(songs), want(first, even))
            equal(songs.metric("lookup_failures_total"), 0, "two bad answers were tried again")
            equal(len(labels.asked) < 100 and {token for _, token in labels.asked} == {"Bearer abc"}, True, "requests: %d" % len(labels.asked))


BESIDE = """
CREATE TABLE seen (plays BIGINT, song STRING, label STRING) WITH ('connector' = 'filesystem', 'path' = 'seen.json', 'format' = 'json');
INSERT INTO seen SELECT p.plays, p.song, l.label FROM plays AS p LEFT JOIN labels FOR SYSTEM_TIME AS OF PROCTIME() AS l ON l.song = p.song;
CREATE MATERIALIZED VIEW beside WITH ('key' = 'artist') AS SELECT artist, COUNT(*) AS n FROM plays GROUP BY artist;
"""


def case_lookup_slow_store_stalls_nobody():
    """No answer comes: what does not ask goes on meanwhile, epochs are decided; rows come out in order and once, also when the service is killed while they wait."""
    with Labels() as labels:
        text = LABELS.format(connector="http", url=labels.url, more=", 'format' = 'json', 'allow-private' = 'true', 'lookup.timeout' = '300 s', 'lookup.cache' = 'NONE'")
        with Songs(text + BESIDE, {"shards": 1}) as songs:
            first = rows(0, 60)
            feed(songs.start(), first[:20])
            wait_equal("the first rows", lambda: len(songs.read_lines("seen.json")), 20)
            labels.hold(0)
            feed(songs, first[20:])

            def beside():
                return sum(row["n"] for row in songs.get("/v1/views/beside", limit=100).json["data"])
            wait_equal("rows that ask nobody", beside, 60)
            songs.epochs_pass()
            equal(len(songs.read_lines("seen.json")), 20, "the others wait")
            songs.kill()  # no row is on its way into the file: such a one might come twice
            songs.start()
            feed(songs, rows(60, 20))
            wait_equal("rows that ask nobody, after the kill", beside, 80)
            labels.go_on()
            got = [(n, song, label) for n, song, label, _, _ in want(first + rows(60, 20), even)]
            wait_equal("every row once and in order", lambda: [(row["plays"], row["song"], row["label"]) for row in songs.read_lines("seen.json")], got)
            assert labels.most_at_once >= 6, "questions go out side by side: %d" % labels.most_at_once
            equal(songs.metric("lookup_failures_total"), 0, "failures")
            labels.answers = [500] * 200
            feed(songs, rows(80, 3))
            songs.wait_metric("lookup_failures_total", 3)
            wait_equal("rows that the store failed are dead letters", lambda: len(songs.read_lines("state", "dead-letters.jsonl")), 3)


def case_lookup_redis_that_hangs():
    """Redis stops answering for longer than the time-out, then goes on: rows of that time are NULL, as told, the others are right; nobody else waits."""
    with programs.Redis().start() as redis:
        fill_redis(redis)
        more = ", 'key-prefix' = 'l:', 'lookup.timeout' = '5 s', 'lookup.on-error' = 'null', 'lookup.partial-cache.expire-after-write' = '1 ms'"
        with Songs(sql("redis", redis.url(), more=more) + BESIDE.replace("'seen.json'", "'other.json'")) as songs:
            feed(songs.start(), rows(1, 30))
            wait_equal("labels", lambda: shown(songs), want(rows(1, 30), even))
            redis.hold()
            feed(songs, rows(31, 10))
            wait_equal("NULL instead of labels, before Redis goes on", lambda: len(shown(songs)), 40)
            redis.go_on()
            equal([row[2] for row in shown(songs)[30:]], [None] * 10, "labels of the time in which Redis hung")
            wait_equal("labels again", lambda: (songs.add(("song 1", 500)), shown(songs)[-1])[1], (500, "song 1", "label of song 1", "2.50", False))
