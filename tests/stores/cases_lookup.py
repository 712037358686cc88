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
        with Songs(sql("redis", redis.url(), more=", 'key-prefix' = 'l:', 'lookup.timeout' = '300 ms'")) as songs:
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
        text = sql("postgresql", pg.url(), "JOIN", ", 'username' = 'ann', 'password' = 'pa ss''word', 'lookup.partial-cache.expire-after-write' = '1 s'")
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
        text = sql("postgresql", pg.url(), more=", 'username' = 'ann', 'password' = 'wrong', 'lookup.on-error' = 'null', 'lookup.timeout' = '500 ms'")
        with Songs(text) as songs:
            feed(songs.start(), rows(0, 3))
            wait_equal("NULL", lambda: shown(songs), want(rows(0, 3), lambda song: False))
            equal(songs.metric("lookup_failures_total") >= 3, True, "failures are counted")
            equal("password" in songs.log(), True, "the log says why")


class Labels:
    """GET /labels/{song}."""

    def __init__(self):
        self.asked, self.answers = [], []
        mine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # the name that http.server wants
                song = urllib.parse.unquote(self.path.split("/")[-1])
                mine.asked.append((song, self.headers["Authorization"]))
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
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/labels/{song}" % self.server.server_port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def case_lookup_http_with_retries():
    with Labels() as labels:
        labels.answers = [503, 500]
        text = sql("http", labels.url, more=", 'format' = 'json', 'token' = 'abc', 'allow-private' = 'true'")
        with Songs(text) as songs:
            first = rows(0, 100)
            feed(songs.start(), first)
            wait_equal("labels by HTTP", lambda: shown(songs), want(first, even))
            equal(songs.metric("lookup_failures_total"), 0, "two bad answers were tried again")
            equal(len(labels.asked) < 100 and {token for _, token in labels.asked} == {"Bearer abc"}, True, "requests: %d" % len(labels.asked))
