"""Materialized views: leaderboards, of rows and of counts, and a look-up by key over Kafka, what REST shows of them, and that they are there again after a kill and gone with their text."""
import decimal
import random

import run
from service import Service, wait_for

VIEWS = """
CREATE MATERIALIZED VIEW top10 WITH ('key' = 'place') AS
SELECT place, order_id, user_id, amount
FROM (SELECT order_id, user_id, amount, ROW_NUMBER() OVER (ORDER BY amount DESC, order_id) AS place FROM orders) AS o WHERE place <= 10;
CREATE MATERIALIZED VIEW busiest WITH ('key' = 'place') AS
SELECT place, user_id, orders
FROM (SELECT user_id, orders, ROW_NUMBER() OVER (ORDER BY orders DESC, user_id) AS place
      FROM (SELECT user_id, COUNT(*) AS orders FROM orders GROUP BY user_id) AS c) AS t WHERE place <= 10;
CREATE MATERIALIZED VIEW pairs WITH ('key' = 'one,two') AS
SELECT a.order_id AS one, b.order_id AS two
FROM orders AS a JOIN orders AS b ON a.user_id = b.user_id AND a.order_id <> b.order_id AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND;
CREATE MATERIALIZED VIEW latest AS
SELECT user_id, order_id, country, amount
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY ts DESC) AS n FROM orders) AS o WHERE n = 1;
"""


def orders(seed, count, first=0):
    rng = random.Random(seed)
    return [{"order_id": "o%05d" % (first + n), "user_id": "u%d" % rng.randrange(30), "country": rng.choice(["DE", "FR", "IT"]),
             "amount": decimal.Decimal(rng.randrange(100, 999999)) / 100, "ts": "2026-01-01T00:%02d:%02d.%03dZ" % divmods(first + n)} for n in range(count)]


def divmods(n):
    return n // 600, n // 10 % 60, n % 10 * 100


def top10(rows):
    best = sorted(rows, key=lambda r: (-r["amount"], r["order_id"]))[:10]
    return [dict(place=n + 1, order_id=r["order_id"], user_id=r["user_id"], amount=r["amount"]) for n, r in enumerate(best)]


def busiest(rows):
    counts = {}
    for row in rows:
        counts[row["user_id"]] = counts.get(row["user_id"], 0) + 1
    best = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
    return [dict(place=n + 1, user_id=user, orders=count) for n, (user, count) in enumerate(best)]


def pairs(rows):
    """Orders of a user that came at most three seconds apart: thirty places, ten of them to a second."""
    return [dict(one=a["order_id"], two=b["order_id"]) for n, a in enumerate(rows) for b in rows[n + 1:n + 31] if a["user_id"] == b["user_id"]]


def latest(rows):
    by_user = {}
    for row in rows:
        if row["user_id"] not in by_user or row["ts"] >= by_user[row["user_id"]]["ts"]:
            by_user[row["user_id"]] = row
    return [{name: by_user[user][name] for name in ("user_id", "order_id", "country", "amount")} for user in sorted(by_user)]


def pages(service, view, **query):
    found, after = [], None
    while True:
        answer = service.get("/v1/views/" + view, **query, **({"after": after} if after else {}))
        assert answer.status == 200, answer
        found += answer.json["data"]
        after = answer.json["pagination"]["next_cursor"]
        assert answer.json["pagination"]["has_more"] == (after is not None)
        if after is None:
            return found


def shows(service, rows):
    return pages(service, "top10") == top10(rows) and pages(service, "busiest", limit=3) == busiest(rows) and pages(service, "pairs", limit=100) == pairs(rows) and pages(service, "latest", limit=7) == latest(rows)


def produce(world, rows):
    world.broker.produce(world.name("orders"), [(row["user_id"], run_json(row)) for row in rows])


def run_json(row):
    return '{"order_id":"%s","user_id":"%s","country":"%s","amount":%s,"ts":"%s"}' % (row["order_id"], row["user_id"], row["country"], row["amount"], row["ts"])


def case_leaderboard_survives_a_kill(world):
    world.topics(3)
    rows = orders(1, 400)
    produce(world, rows)
    with Service({"tables.sql": world.tables(), "views.sql": VIEWS}, world.config()) as service:
        service.start()
        wait_for("the views", lambda: shows(service, rows))
        names = {one["name"]: one for one in service.get("/v1/views").json["data"]}
        assert sorted(names) == ["busiest", "latest", "pairs", "top10"] and names["top10"]["key"] == ["place"] and names["latest"]["key"] == ["user_id"], names
        assert names["top10"]["columns"][0] == {"name": "place", "type": "BIGINT"}, names
        assert pages(service, "top10", key=3) == top10(rows)[2:3] and pages(service, "top10", key=11) == []
        assert [r["order_id"] for r in pages(service, "latest", key="u7")] == [r["order_id"] for r in latest(rows) if r["user_id"] == "u7"]
        for path, query, status in (("nothing", {}, 404), ("top10", {"key": "third"}, 400), ("top10", {"after": "c1"}, 400), ("top10", {"limit": 0}, 400)):
            answer = service.get("/v1/views/" + path, **query)
            assert answer.status == status and answer.headers["content-type"] == "application/problem+json", answer
        service.kill()
        more = orders(2, 300, 400)
        produce(world, more)
        service.start()
        wait_for("the views with what came while it was down", lambda: shows(service, rows + more))
        service.kill()
        service.start()
        wait_for("the same views again", lambda: shows(service, rows + more))


def case_changed_view_begins_anew(world):
    world.topics(2)
    rows = orders(3, 200)
    produce(world, rows)
    with Service({"tables.sql": world.tables(), "views.sql": VIEWS}, world.config()) as service:
        service.start()
        wait_for("the views", lambda: shows(service, rows))
        service.write_rule("views.sql", VIEWS.replace("place <= 10", "place <= 3").split("CREATE MATERIALIZED VIEW busiest")[0])
        assert service.request("POST", "/v1/rules:reload").status == 200
        assert service.get("/v1/views/latest").status == 404 and [one["name"] for one in service.get("/v1/views").json["data"]] == ["top10"]
        more = orders(4, 50, 200)
        produce(world, more)
        wait_for("the new leaderboard of what came since", lambda: pages(service, "top10") == top10(more)[:3])
