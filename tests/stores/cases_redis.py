"""Redis: a hash per key, sorted sets, increments that count once."""
import programs
from world import Songs, equal, wait_equal

HASH = """
CREATE TABLE last_play (song STRING, artist STRING, plays BIGINT, price DECIMAL(12,2), liked BOOLEAN, at TIMESTAMP_LTZ(3), PRIMARY KEY (song) NOT ENFORCED)
WITH ('connector' = 'redis', 'url' = '{url}', 'key-prefix' = 'play:'{more});
INSERT INTO last_play SELECT song, artist, plays, price, liked, at FROM plays;
"""
TOP = """
CREATE TABLE top_songs (song STRING, plays BIGINT, PRIMARY KEY (song) NOT ENFORCED)
WITH ('connector' = 'redis', 'url' = '{url}', 'mode' = 'sorted-set', 'key' = 'top', 'member-column' = 'song', 'score-column' = 'plays');
INSERT INTO top_songs
SELECT song, plays FROM plays MATCH_RECOGNIZE (
  PARTITION BY song ORDER BY at MEASURES SUM(A.plays) AS plays ONE ROW PER MATCH PATTERN (A+) DEFINE A AS A.plays > 0) AS m;
"""
COUNT = """
CREATE TABLE counts (song STRING, plays BIGINT)
WITH ('connector' = 'redis', 'url' = '{url}', 'mode' = 'sorted-set-increment', 'key' = 'counts', 'member-column' = 'song', 'score-column' = 'plays',
      'sink.batch-rows' = '7');
INSERT INTO counts SELECT song, plays FROM plays;
"""


def totals(rows):
    sums = {}
    for song, plays in rows:
        sums[song] = sums.get(song, 0) + plays
    return sums


def many(count):
    return [("song %d" % (i * 7 % 13), i % 5 + 1) for i in range(count)]


def case_redis_hash_per_key():
    with programs.Redis().start() as redis, Songs(HASH.format(url=redis.url(), more="")) as songs:
        songs.start().add(("one", 3, 10.5), ("two", 4))
        songs.add(("one", 5, 0.1), artist=None)
        want = {"song": "one", "plays": "5", "price": "0.10", "liked": "false", "at": "2026-01-01T00:00:02.000Z"}
        wait_equal("the last row of a key, NULL as no field", lambda: redis.hash("play:one"), want)
        equal(redis.hash("play:two")["artist"], "a of two", "another key")
        songs.wait_empty("last_play")
        equal(songs.metric("table_sink_rows_total", table="last_play") >= 2, True, "rows are counted")


def case_redis_top_songs_by_sum():
    """The leaderboard: each new row of a song takes the old sum back and says the new one."""
    with programs.Redis().start() as redis, Songs(TOP.format(url=redis.url())) as songs:
        rows = many(200)
        songs.start().add(*rows)
        want = sorted(totals(rows).items(), key=lambda pair: (-pair[1], pair[0]))
        wait_equal("scores", lambda: sorted(redis.scores("top"), key=lambda pair: (-pair[1], pair[0])), [(song, float(sum_)) for song, sum_ in want])


def case_redis_increments_count_once():
    """The store is killed in mid-stream, the service too; every play is counted once."""
    with programs.Redis().start() as redis, Songs(COUNT.format(url=redis.url())) as songs:
        rows = many(600)
        songs.start().add(*rows[:150])
        wait_equal("some rows", lambda: sum(score for _, score in redis.scores("counts")) > 0, True)
        redis.kill()
        songs.add(*rows[150:300])
        songs.wait_trouble("counts", "Redis at 127.0.0.1:%d" % redis.port, "refused")
        redis.start()
        songs.add(*rows[300:400])
        songs.kill()
        songs.start().add(*rows[400:])
        want = {song: float(plays) for song, plays in totals(rows).items()}
        wait_equal("exact counts", lambda: dict(redis.scores("counts")), want)
        songs.kill()
        songs.start().wait_empty("counts")
        equal(dict(redis.scores("counts")), want, "after another restart")


def case_redis_absent_at_start_then_slow():
    with programs.Redis() as redis, Songs(HASH.format(url=redis.url(), more="")) as songs:
        songs.start().add(*many(50))  # ready although the store is not there
        songs.wait_trouble("last_play", "refused")
        waiting = songs.sink("last_play")["waiting_rows"]
        assert waiting > 0, "rows wait in the log"
        redis.start()
        songs.wait_empty("last_play")
        redis.hold()
        songs.add(("held", 1))
        songs.wait_trouble("last_play", "no answer in time", timeout=40)
        redis.go_on()
        wait_equal("the row behind the pause", lambda: redis.hash("play:held").get("plays"), "1")
        songs.wait_empty("last_play")
        equal(songs.sink("last_play")["trouble"], "", "no trouble any more")


def case_redis_passwords_and_types():
    with programs.Redis(password="open sesame").start() as redis:
        with Songs(HASH.format(url=redis.url(), more="")) as songs:
            songs.start().add(("one", 1))
            songs.wait_trouble("last_play", "NOAUTH")
        with Songs(HASH.format(url=redis.url(), more=", 'password' = 'wrong'")) as songs:
            songs.start().add(("one", 1))
            text = songs.wait_trouble("last_play", "WRONGPASS", "check user and password")
            assert "wrong'" not in text and "sesame" not in text, text
        redis.ask("SET", "counts", "a text")
        with Songs(COUNT.format(url=redis.url().replace("redis://", "redis://:open%20sesame@"))) as songs:
            songs.start().add(("one", 1), ("two", 2))
            songs.wait_trouble("counts", "WRONGTYPE", "another program uses this key")
            redis.ask("DEL", "counts")
            wait_equal("counts once the key is free", lambda: dict(redis.scores("counts")), {"one": 1.0, "two": 2.0})


def case_redis_tls(folder):
    import subprocess
    name = folder + "/redis"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", name + ".key", "-out", name + ".pem"], check=True, stderr=subprocess.DEVNULL)
    with programs.Redis(tls=name).start() as redis:
        with Songs(HASH.format(url=redis.url(), more=", 'ca-file' = '%s.pem'" % name)) as songs:
            songs.start().add(("one", 1))
            wait_equal("a row over TLS", lambda: redis.hash("play:one").get("plays"), "1")
        with Songs(HASH.format(url=redis.url(), more="")) as songs:
            songs.start().add(("one", 1))
            songs.wait_trouble("last_play", "certificate is refused")


TEN = """
CREATE TABLE top_songs (song STRING, plays BIGINT, PRIMARY KEY (song) NOT ENFORCED)
WITH ('connector' = 'redis', 'url' = '{url}', 'mode' = 'sorted-set', 'key' = 'top10', 'member-column' = 'song', 'score-column' = 'plays');
INSERT INTO top_songs
SELECT song, plays FROM (
  SELECT song, plays, ROW_NUMBER() OVER (ORDER BY plays DESC) AS place FROM (SELECT song, SUM(plays) AS plays FROM plays GROUP BY song))
WHERE place <= 10;
"""


def case_redis_ten_songs():
    """The worked case: ten songs of thirty, by running sums; who falls out of the ten is taken out of the set. Killed in between."""
    with programs.Redis().start() as redis, Songs(TEN.format(url=redis.url())) as songs:
        rows = [("song %d" % (i * i % 31), i % 17 + 1) for i in range(900)]
        songs.start().add(*rows[:300])
        wait_equal("ten of them", lambda: len(redis.scores("top10")), 10)
        songs.kill()
        songs.start().add(*rows[300:600])
        redis.kill()
        redis.start()
        songs.add(*rows[600:])
        want = sorted(totals(rows).items(), key=lambda pair: -pair[1])
        assert want[9][1] != want[10][1], "the tenth must be one"
        wait_equal("the ten", lambda: sorted(redis.scores("top10")), sorted((song, float(plays)) for song, plays in want[:10]))
        songs.wait_empty("top_songs")
        equal(sorted(redis.scores("top10")), sorted((song, float(plays)) for song, plays in want[:10]), "and they stay")
