"""PostgreSQL: upserts and deletes by key, rows without key exactly once, what the server refuses."""
import programs
from world import Songs, equal, wait_equal

UPSERT = """
CREATE TABLE last_play (song STRING, artist STRING, plays BIGINT, price DECIMAL(12,2), liked BOOLEAN, at TIMESTAMP_LTZ(3), PRIMARY KEY (song) NOT ENFORCED)
WITH ('connector' = 'postgresql', 'url' = '{url}', 'table-name' = '{table}', 'username' = 'ann', 'password' = '{password}'{more});
INSERT INTO last_play SELECT song, artist, plays, price, liked, at FROM plays;
"""
APPEND = """
CREATE TABLE history (song STRING, plays BIGINT, price DECIMAL(12,2))
WITH ('connector' = 'jdbc', 'url' = 'jdbc:{url}', 'table-name' = 'songs.history', 'username' = 'ann', 'password' = '{password}', 'sink.batch-rows' = '9');
INSERT INTO history SELECT song, plays, price FROM plays;
"""
PAIRS = """
CREATE TABLE pairs (id STRING, plays BIGINT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'postgresql', 'url' = '{url}', 'username' = 'ann', 'password' = '{password}');
INSERT INTO pairs
SELECT id, plays FROM plays MATCH_RECOGNIZE (
  PARTITION BY song ORDER BY at MEASURES A.artist AS id, B.plays AS plays ONE ROW PER MATCH PATTERN (A B) DEFINE A AS A.plays = 1, B AS B.plays = 2) AS m;
"""
TABLE = "CREATE TABLE last_play (song text PRIMARY KEY, artist text, plays bigint, price numeric(12,2) NOT NULL, liked boolean, at timestamptz)"
SECRET = programs.Postgres.password.replace("'", "''")


def upsert(pg, table="last_play", more="", password=SECRET):
    return UPSERT.format(url=pg.url(), table=table, more=more, password=password)


def case_postgres_upsert_and_restart():
    with programs.Postgres() as pg, Songs(upsert(pg)) as songs:
        songs.start().add(("one", 1))
        songs.wait_trouble("last_play", "PostgreSQL at 127.0.0.1:%d/postgres" % pg.port, "refused")  # absent at the start
        pg.start()
        songs.wait_trouble("last_play", 'relation "last_play" does not exist')
        pg.ask(TABLE)
        songs.add(("one", 3, 99999.99), ("it's \"two\", ü", 4))
        songs.add(("three", 5), artist=None)
        want = [["it's \"two\", ü", "a of it's \"two\", ü", "4", "1.25", "t", "2026-01-01 00:00:02+00"], ["one", "a of one", "3", "99999.99", "f", "2026-01-01 00:00:01+00"],
                ["three", "", "5", "1.25", "f", "2026-01-01 00:00:03+00"]]
        ask = "SET timezone = 'UTC'; SELECT * FROM last_play ORDER BY song"
        wait_equal("rows", lambda: pg.ask(ask), want)
        pg.kill()
        songs.add(("one", 7, 3))
        songs.wait_trouble("last_play", "PostgreSQL at")
        pg.start()
        want[1] = ["one", "a of one", "7", "3.00", "f", "2026-01-01 00:00:04+00"]
        wait_equal("rows after the restart", lambda: pg.ask(ask), want)
        songs.wait_empty("last_play")
        equal(songs.sink("last_play")["trouble"], "", "no trouble any more")


def case_postgres_delete_of_a_withdrawn_row():
    """A late row between the two takes the match back: its row is deleted."""
    with programs.Postgres().start() as pg, Songs(PAIRS.format(url=pg.url(), password=SECRET)) as songs:
        pg.ask("CREATE TABLE pairs (id text PRIMARY KEY, plays bigint)")
        songs.start().add(("one", 1), artist="first", at="2026-01-01T00:00:01.000Z")
        songs.add(("one", 2), at="2026-01-01T00:00:03.000Z")
        songs.add(("two", 1), artist="second", at="2026-01-01T00:00:01.000Z")
        songs.add(("two", 2), at="2026-01-01T00:00:03.000Z")
        wait_equal("two matches", lambda: pg.ask("SELECT * FROM pairs ORDER BY id"), [["first", "2"], ["second", "2"]])
        songs.add(("one", 9), at="2026-01-01T00:00:02.000Z")
        wait_equal("the one that stands", lambda: pg.ask("SELECT * FROM pairs"), [["second", "2"]])


def case_postgres_rows_without_key_exactly_once():
    """Service and server are killed in mid-stream; every row is there once."""
    with programs.Postgres().start() as pg, Songs(APPEND.format(url=pg.url(), password=SECRET)) as songs:
        pg.ask("CREATE SCHEMA songs")
        pg.ask("CREATE TABLE songs.history (song text, plays bigint, price numeric)")
        rows = [("song %d" % i, i) for i in range(800)]
        songs.start().add(*rows[:200])
        wait_equal("some rows", lambda: (pg.ask("SELECT count(*) > 0 FROM songs.history") or [])[:1], [["t"]])
        pg.kill()
        songs.add(*rows[200:400])
        pg.start()
        songs.kill()
        songs.start().add(*rows[400:600])
        songs.kill()
        songs.start().add(*rows[600:])
        wait_equal("all rows", lambda: pg.ask("SELECT count(*), count(DISTINCT song), sum(plays) FROM songs.history"), [["800", "800", str(sum(range(800)))]])
        songs.wait_empty("history")
        equal(pg.ask("SELECT count(*) FROM songs.history"), [["800"]], "no row twice")
        equal(len(pg.ask("SELECT * FROM cepheid_positions")), 1, "one position")


def case_postgres_wrong_password_and_refused_rows():
    with programs.Postgres().start() as pg:
        pg.ask(TABLE)
        with Songs(upsert(pg, password="guess")) as songs:
            songs.start().add(("one", 1))
            text = songs.wait_trouble("last_play", "password authentication failed")
            assert "guess" not in text, text
        with Songs(upsert(pg)) as songs:
            songs.start().add(("one", 1), price=None)
            songs.wait_trouble("last_play", "violates not-null constraint")
            assert songs.sink("last_play")["waiting_rows"] == 1, "a refused row is held"
        with Songs(upsert(pg, more=", 'sink.refused' = 'skip'")) as songs:
            songs.start().add(*[("song %d" % i, i) for i in range(40)])
            songs.add(("bad", 1), price=None)
            songs.add(*[("more %d" % i, i) for i in range(40)])
            wait_equal("all but the refused", lambda: pg.ask("SELECT count(*) FROM last_play"), [["80"]])
            equal(songs.sink("last_play")["skipped"], 1, "one skipped")
            songs.epochs_pass()
            songs.epochs_pass()
            letters = songs.read_lines("state", "dead-letters.jsonl")
            equal([letter for letter in letters if "bad" in str(letter)] != [], True, "it is a dead letter: %r" % letters)


def case_postgres_slow_holds_back_only_itself():
    """Two stores; one hangs. The other gets its rows, and alerts come."""
    with programs.Postgres().start() as pg, programs.Redis().start() as redis:
        pg.ask(TABLE)
        sql = upsert(pg) + """
CREATE TABLE fast (song STRING, plays BIGINT, PRIMARY KEY (song) NOT ENFORCED) WITH ('connector' = 'redis', 'url' = '%s');
INSERT INTO fast SELECT song, plays FROM plays;
CREATE RULE liked WITH ('severity' = 'low', 'title' = 'liked') AS SELECT song FROM plays WHERE liked;
""" % redis.url()
        with Songs(sql) as songs:
            songs.start().add(("zero", 0))
            wait_equal("a first row", lambda: pg.ask("SELECT count(*) FROM last_play"), [["1"]])
            pg.hold()
            songs.add(*[("song %d" % i, i) for i in range(100)])
            wait_equal("the other store", lambda: redis.hash("fast:song 99").get("plays"), "99")
            wait_equal("alerts", lambda: len(songs.alerts(limit=100)), 51)
            equal(songs.sink("last_play")["waiting_rows"] > 0, True, "rows wait for the one that hangs")
            pg.go_on()
            wait_equal("and then it gets them", lambda: pg.ask("SELECT count(*) FROM last_play"), [["101"]])
