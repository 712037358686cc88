"""What must come out, computed in the plainest way: lateness partition by partition, three countries by brute force, the standing set of an
alert log. It shares nothing with the service: a second opinion, not a copy."""
import datetime
import json
import random
from decimal import Decimal

WITHIN_MS, BOUND_MS = 120000, 5000
BEGIN_MS = 1767607200000  # 2026-01-05T10:00:00Z
COUNTRIES = ["FR", "DE", "US", "BR", "IN"]


def stamp(ms):
    whole = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return "%s.%03dZ" % (whole, ms % 1000)


def order_text(order):
    """The JSON of an order; amounts with two digits, by hand, so that no float comes near them."""
    return '{"order_id":%s,"user_id":%s,"country":%s,"amount":%s,"ts":"%s"}' % (
        json.dumps(order["order_id"]), json.dumps(order["user_id"]), json.dumps(order["country"]), order["amount"], stamp(order["ms"]))


def late_ids(log):
    """log: orders with "partition", in the order in which each partition holds them. A row is late if its time is not above the watermark of its
    own partition: the greatest time so far less the bound."""
    marks, late = {}, set()
    for order in log:
        mark = marks.get(order["partition"])
        if mark is not None and order["ms"] <= mark:
            late.add(order["order_id"])
            continue
        marks[order["partition"]] = max(order["ms"] - BOUND_MS, mark if mark is not None else order["ms"] - BOUND_MS)
    return late


def three_countries(log):
    """Standing matches: for each user the accepted rows by (time, partition, place in it); from each start the next row of another country, from
    there the next of a third; less than two minutes; then on behind the last row. [(user, [order, order, order])]."""
    late, users, place = late_ids(log), {}, {}
    for order in log:
        place[order["partition"]] = place.get(order["partition"], -1) + 1
        if order["order_id"] not in late:
            users.setdefault(order["user_id"], []).append((order["ms"], order["partition"], place[order["partition"]], order))
    found = []
    for user, rows in users.items():
        rows = [row[3] for row in sorted(rows, key=lambda row: row[:3])]
        at = 0
        while at < len(rows):
            match = from_start(rows, at)
            if match:
                found.append((user, [rows[i] for i in match]))
            at = match[2] + 1 if match else at + 1
    return found


def from_start(rows, a):
    b = next((i for i in range(a + 1, len(rows)) if rows[i]["country"] != rows[a]["country"]), None)
    if b is None:
        return None
    c = next((i for i in range(b + 1, len(rows)) if rows[i]["country"] not in (rows[a]["country"], rows[b]["country"])), None)
    if c is None or rows[c]["ms"] - rows[a]["ms"] >= WITHIN_MS:
        return None
    return a, b, c


def expected(log, home=None):
    """{(user, order ids of the match): measures} as the rule THREE_COUNTRIES gives them. home: user -> home country."""
    result = {}
    for user, rows in three_countries(log):
        orders = tuple(row["order_id"] for row in rows)
        measures = {"user_id": user, "orders": ",".join(orders), "countries": ",".join(row["country"] for row in rows), "total": sum(Decimal(row["amount"]) for row in rows)}
        if home is not None:
            measures["home_country"] = home(user, rows) if callable(home) else home.get(user)
        result[(user, orders)] = measures
    return result


def standing(events):
    """Of alerts in the order of their log: {alert id: data} of those that stand; checks what every log must keep: each (id, revision) once,
    revisions of an alert rising, created first."""
    seen, last = set(), {}
    for event in events:
        data = event["data"]
        ident, revision = data["alert_id"], data["revision"]
        assert event["id"] == "%s.%d" % (ident, revision), event["id"]
        assert (ident, revision) not in seen, "(%s, %d) came twice" % (ident, revision)
        assert ident not in last or last[ident]["revision"] < revision, "revisions of %s do not rise" % ident
        assert event["type"] == "cepheid.alert.%s.v1" % data["change"], event["type"]
        seen.add((ident, revision))
        last[ident] = data
    return {ident: data for ident, data in last.items() if data["change"] != "withdrawn"}


def by_match(alerts):
    """{(user, order ids): measures} of alert data objects."""
    result = {}
    for data in alerts:
        key = (data["key"]["user_id"], tuple(data["measures"]["orders"].split(",")))
        assert key not in result, "two alerts stand for %s" % (key,)
        result[key] = data["measures"]
    return result


def difference(want, have):
    """Readable; empty if both are the same."""
    lines = ["missing %s %s" % item for item in sorted(want.items(), key=str) if item[0] not in have]
    lines += ["unwanted %s %s" % item for item in sorted(have.items(), key=str) if item[0] not in want]
    lines += ["differs %s: %s, not %s" % (key, have[key], want[key]) for key in sorted(want, key=str) if key in have and have[key] != want[key]]
    return "\n".join(lines[:40])


def generate(seed, count, partitions, users, begin_ms=BEGIN_MS, step_ms=400, prefix="o", late_share=0.02, spread=True):
    """Orders in the order in which they are produced, out of order within the bound but for a share that is late. Every fifth user's rows are
    spread over all partitions; the others keep to one."""
    chance = random.Random(seed)
    log, now = [], begin_ms
    for i in range(count):
        now += chance.randrange(step_ms * 2)
        user = chance.randrange(users)
        late = chance.random() < late_share
        ms = now - (chance.randrange(BOUND_MS + 1, 60000) if late else chance.randrange(BOUND_MS - 500))
        scattered = spread and user % 5 == 0
        log.append({"order_id": "%s%d" % (prefix, i), "user_id": "u%d" % user, "country": chance.choice(COUNTRIES),
                    "amount": "%d.%02d" % (chance.randrange(10 ** chance.randrange(1, 10)), chance.randrange(100)), "ms": ms,
                    "partition": chance.randrange(partitions) if scattered else user % partitions})
    return log
