"""ClickHouse: versions of a key, marks of deletion, absence and refusals."""
import programs
from world import Songs, equal, wait_equal

LAST = """
CREATE TABLE last_play (song STRING, plays BIGINT, price DECIMAL(12,2), liked BOOLEAN, at TIMESTAMP_LTZ(3), PRIMARY KEY (song) NOT ENFORCED)
WITH ('connector' = 'clickhouse', 'url' = '{url}', 'table-name' = '{table}', 'username' = 'ann', 'password' = '{password}', 'version-column' = 'version',
      'deleted-column' = 'deleted');
INSERT INTO last_play SELECT song, plays, price, liked, at FROM plays;
"""
TABLE = """CREATE TABLE last_play (song String, plays Int64, price Float64, liked UInt8, at DateTime, version UInt64, deleted UInt8)
ENGINE = ReplacingMergeTree(version) ORDER BY song"""
SELECT = "SELECT song, plays, price, liked, at FROM last_play FINAL WHERE deleted = 0 ORDER BY song"


def last(server, table="last_play", password="secret"):
    return LAST.format(url=server.url(), table=table, password=password)


def case_clickhouse_last_version_of_a_key():
    with programs.ClickHouse() as server, Songs(last(server)) as songs:
        songs.start().add(("one", 1))
        songs.wait_trouble("last_play", "ClickHouse at http://127.0.0.1:%d" % server.port)  # absent at the start
        server.start()
        songs.wait_trouble("last_play", "doesn't exist")
        server.ask(TABLE)
        songs.add(("one", 3, 10.5), ("it's \"two\", ü", 4))
        want = [["it\\'s \"two\", ü", "4", "1.25", "1", "2026-01-01 00:00:02"], ["one", "3", "10.5", "0", "2026-01-01 00:00:01"]]
        wait_equal("rows", lambda: server.ask(SELECT), want)
        server.kill()
        songs.add(("one", 8))
        songs.wait_trouble("last_play", "ClickHouse at")
        songs.kill()
        songs.start()
        server.start()
        want[1] = ["one", "8", "1.25", "1", "2026-01-01 00:00:03"]
        wait_equal("rows after the restart", lambda: server.ask(SELECT), want)
        songs.wait_empty("last_play")


def case_clickhouse_wrong_password():
    with programs.ClickHouse().start() as server, Songs(last(server, password="guess")) as songs:
        server.ask(TABLE)
        songs.start().add(("one", 1))
        text = songs.wait_trouble("last_play", "password")
        assert "guess" not in text, text
