"""Alerts into stores: one row per alert, replaced by its revisions; absent at the start, killed in between."""
import programs
from world import Songs, wait_equal

RULE = """
CREATE RULE twice WITH ('severity' = 'high', 'title' = 'Twice') AS
SELECT song, first, second FROM plays MATCH_RECOGNIZE (
  PARTITION BY song ORDER BY at MEASURES A.plays AS first, B.plays AS second ONE ROW PER MATCH PATTERN (A B) DEFINE A AS A.plays = 1, B AS B.plays > 1) AS m;
"""
TABLE = """CREATE TABLE alerts (alert_id text PRIMARY KEY, revision int, change text, rule text, severity text, subject text, first_at timestamptz, last_at timestamptz,
detected_at timestamptz, event jsonb)"""


def case_alerts_into_postgres_and_redis():
    with programs.Postgres() as pg, programs.Redis().start() as redis:
        sinks = {"cases": {"type": "postgresql", "url": pg.url(), "table-name": "alerts", "username": "ann", "password": pg.password},
                 "fast": {"type": "redis", "url": redis.url(), "key-prefix": "alert:"}}
        with Songs(RULE, {"sinks": sinks}) as songs:
            songs.start().add(("one", 1), ("one", 2))
            alert = wait_for_one(songs)
            wait_equal("the alert in Redis", lambda: redis.hash("alert:" + alert["alert_id"]).get("change"), "created")
            wait_equal("why it is not in PostgreSQL", lambda: [sink for sink in songs.get("/v1/sinks").json["data"] if sink.get("name") == "cases" and "refused" in sink["trouble"]] != [],
                       True)
            pg.start()
            pg.ask(TABLE)
            ask = "SET timezone = 'UTC'; SELECT revision, change, rule, severity, subject, last_at, event->'data'->>'rule' FROM alerts"
            row = ["1", "created", "twice", "high", "one", "2026-01-01 00:00:01+00"]
            wait_equal("the alert in PostgreSQL", lambda: [found[:6] for found in pg.ask(ask) or []], [row])
            pg.kill()
            songs.add(("one", 0), at="2026-01-01T00:00:00.500Z")
            wait_equal("withdrawn in Redis", lambda: redis.hash("alert:" + alert["alert_id"]).get("change"), "withdrawn")
            songs.kill()
            songs.start()
            pg.start()
            wait_equal("withdrawn in PostgreSQL", lambda: [found[:2] for found in pg.ask(ask) or []], [["2", "withdrawn"]])


def wait_for_one(songs):
    wait_equal("an alert", lambda: len(songs.alerts()), 1)
    return songs.alerts()[0]
