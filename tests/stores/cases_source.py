"""PostgreSQL tables as sources: a snapshot, polling on a column that rises, profile tables."""
import programs
import service
from world import equal, wait_equal

SECRET = programs.Postgres.password.replace("'", "''")
LOGIN = "'connector' = 'postgresql', 'url' = '{url}', 'username' = 'ann', 'password' = '%s'" % SECRET
STREAM = """
CREATE TABLE payments (id BIGINT, card STRING, amount DECIMAL(12,2), at TIMESTAMP_LTZ(3), WATERMARK FOR at AS at - INTERVAL '5' SECOND)
WITH (""" + LOGIN + """, 'scan.column' = '{column}', 'scan.poll-ms' = '50', 'scan.settle-ms' = '{settle}', 'scan.batch-rows' = '7', 'format' = 'json');
CREATE TABLE seen (id BIGINT, card STRING, amount DECIMAL(12,2), at TIMESTAMP_LTZ(3))
WITH ({sink});
INSERT INTO seen SELECT id, card, amount, at FROM payments;
"""
FILE = "'connector' = 'filesystem', 'path' = 'seen.json', 'format' = 'json'"
PROFILE = """
CREATE TABLE payments (id BIGINT, card STRING, at TIMESTAMP_LTZ(3), WATERMARK FOR at AS at - INTERVAL '5' SECOND)
WITH ('connector' = 'http', 'format' = 'json');
CREATE TABLE cards (card STRING, country STRING, PRIMARY KEY (card) NOT ENFORCED)
WITH (""" + LOGIN + """{more}, 'format' = 'json');
CREATE TABLE seen (id BIGINT, country STRING) WITH ('connector' = 'filesystem', 'path' = 'seen.json', 'format' = 'json');
INSERT INTO seen SELECT p.id, c.country FROM payments AS p LEFT JOIN cards FOR SYSTEM_TIME AS OF p.at AS c ON c.card = p.card;
"""
CONFIG = {"commit.interval": "50 ms"}


def insert(pg, first, count):
    pg.ask("INSERT INTO payments SELECT i, 'card ' || i, i + 0.25, timestamptz '2026-01-01 00:00:00Z' + (i / 10) * interval '1 second' FROM generate_series(%d, %d) AS i"
           % (first, first + count - 1))


def ids(one):
    return sorted(row["id"] for row in one.read_lines("seen.json"))


def case_source_polls_a_rising_column():
    """Many rows of one timestamp, batches of seven, the server killed in between."""
    with programs.Postgres() as pg:
        sql = STREAM.format(url=pg.url(), column="at", settle=100, sink=FILE)
        with service.Service({"a.sql": sql}, CONFIG) as one:
            one.start(ready=False)
            pg.start()
            pg.ask("CREATE TABLE payments (id bigint, card text, amount numeric(12,2), at timestamptz, more text)")
            insert(pg, 1, 50)
            wait_equal("the snapshot", lambda: ids(one), list(range(1, 51)))
            row = one.read_lines("seen.json")[0]
            equal((row["card"], str(row["amount"]), row["at"]), ("card 1", "1.25", "2026-01-01T00:00:00.000Z"), "a row")
            insert(pg, 60, 50)
            wait_equal("new rows", lambda: ids(one), list(range(1, 51)) + list(range(60, 110)))
            pg.kill()
            pg.start()
            insert(pg, 120, 30)
            wait_equal("rows after the restart", lambda: ids(one), list(range(1, 51)) + list(range(60, 110)) + list(range(120, 150)))


def case_source_rows_that_leave_and_tables_that_change():
    """The row that was read last is deleted, or raised; the table is dropped, loses a column, is away: nothing else is lost, and the log says why nothing comes."""
    with programs.Postgres().start() as pg:
        pg.ask("CREATE TABLE payments (id bigint, card text, amount numeric(12,2), at timestamptz)")
        insert(pg, 1, 5)
        with service.Service({"a.sql": STREAM.format(url=pg.url(), column="id", settle=0, sink=FILE)}, CONFIG) as one:
            one.start()
            want = [1, 2, 3, 4, 5]
            wait_equal("all", lambda: ids(one), want)
            for sql, more in (("DELETE FROM payments WHERE id = 5", [6]), ("UPDATE payments SET id = 8 WHERE id = 6", [7, 8]), ("DELETE FROM payments", [9, 10]),
                              ("DROP TABLE payments; CREATE TABLE payments (id bigint, card text, amount numeric(12,2), at timestamptz)", [11, 12])):
                pg.ask("BEGIN; %s; INSERT INTO payments SELECT i, 'c', 1, now() FROM unnest(ARRAY[%s]) AS i WHERE NOT EXISTS (SELECT 1 FROM payments p WHERE p.id = i); COMMIT" % (
                    sql, ", ".join(map(str, more))))
                want = want + more
                wait_equal("rows behind: " + sql, lambda: ids(one), want)
            for sql, word, back in (("ALTER TABLE payments RENAME card TO gone", "card does not exist", "ALTER TABLE payments RENAME gone TO card"),
                                    ("ALTER TABLE payments RENAME TO away", "does not exist", "ALTER TABLE away RENAME TO payments"),
                                    ("ALTER TABLE payments ALTER id TYPE text", "changed from number to text", "ALTER TABLE payments ALTER id TYPE integer USING id::integer"),
                                    ("ALTER TABLE payments ALTER id TYPE json USING to_json(id)", "must name a column of numbers",
                                     "ALTER TABLE payments ALTER id TYPE bigint USING id::text::bigint")):
                pg.ask(sql)
                service.wait_for("the reason in the log", lambda: word in one.log())
                pg.ask(back)
            pg.ask("INSERT INTO payments VALUES (20, 'c', 1, now())")
            wait_equal("rows behind all that", lambda: ids(one), want + [20])
            equal(one.read_lines("state", "dead-letters.jsonl"), [], "dead letters")


def case_source_position_survives_kills():
    """Into PostgreSQL again, which counts rows once: source, service and sink together lose and repeat nothing."""
    with programs.Postgres().start() as pg:
        pg.ask("CREATE TABLE payments (id bigint, card text, amount numeric(12,2), at timestamptz)")
        pg.ask("CREATE TABLE seen (id bigint, card text, amount numeric(12,2), at timestamptz)")
        sink = LOGIN.format(url=pg.url())
        with service.Service({"a.sql": STREAM.format(url=pg.url(), column="id", settle=0, sink=sink)}, CONFIG) as one:
            one.start()
            for step in range(4):
                insert(pg, step * 300, 300)
                service.wait_for("some of them", lambda: int(pg.ask("SELECT count(*) FROM seen")[0][0]) > step * 300)
                one.kill()
                one.start()
            wait_equal("every row once", lambda: pg.ask("SELECT count(*), count(DISTINCT id), sum(amount) FROM seen"), [["1200", "1200", "719700.00"]])


def case_source_transactions_that_end_late():
    """A smaller value that is committed later than a greater one is not passed over, within the time to settle: the slow one is under way before the quick one comes, and ends
    long before the quick one has settled."""
    with programs.Postgres().start() as pg:
        pg.ask("CREATE TABLE payments (id bigint, card text, amount numeric(12,2), at timestamptz)")
        with service.Service({"a.sql": STREAM.format(url=pg.url(), column="id", settle=6000, sink=FILE)}, CONFIG) as one:
            one.start()
            import threading
            slow = threading.Thread(target=pg.ask, args=("BEGIN; INSERT INTO payments VALUES (1, 'slow', 1, now()); SELECT pg_sleep(1); COMMIT",))
            slow.start()
            service.wait_for("the slow one to be under way", lambda: pg.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == [["1"]])
            pg.ask("INSERT INTO payments VALUES (2, 'quick', 2, now())")
            wait_equal("both", lambda: ids(one), [1, 2])
            slow.join()


def case_source_profile_table():
    with programs.Postgres().start() as pg:
        pg.ask("CREATE TABLE cards (card text, country text, changed int)")
        pg.ask("INSERT INTO cards VALUES ('a', 'DE', 1), ('b', 'FR', 2)")
        more = ", 'scan.column' = 'changed', 'scan.poll-ms' = '50', 'scan.settle-ms' = '50'"
        for follows in (False, True):
            with service.Service({"a.sql": PROFILE.format(url=pg.url(), more=more if follows else ", 'scan.snapshot' = 'true'")}, CONFIG) as one:
                one.start()

                def pay(number, card):
                    at = "2026-01-01T00:00:%02d.000Z" % number
                    equal(one.request("POST", "/v1/ingest/payments", '{"id": %d, "card": "%s", "at": "%s"}' % (number, card, at)).status, 200, "a payment")
                pay(1, "a")
                pay(2, "b")
                pay(3, "c")
                wait_equal("countries", lambda: [(row["id"], row["country"]) for row in one.read_lines("seen.json")], [(1, "DE"), (2, "FR"), (3, None)])
                if follows:
                    pg.ask("INSERT INTO cards VALUES ('c', 'IT', 3)")
                    one.wait_metric("profile_rows", 3, table="cards")
                    one.epochs_pass()
                    pay(4, "c")
                    wait_equal("a followed row", lambda: [row["country"] for row in one.read_lines("seen.json")][3:], ["IT"])
        with service.Service({"a.sql": PROFILE.format(url=pg.url().replace("/postgres", "/nowhere"), more=", 'scan.snapshot' = 'true'")}, CONFIG) as one:
            one.start(ready=False)
            wait_equal("why it is not ready", lambda: "does not exist" in one.get("/readyz").body.decode(), True)
