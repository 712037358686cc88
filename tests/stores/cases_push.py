"""Rows over HTTP into the service: answered when decided, never lost once answered, refused when the queue is full."""
import json
import threading
import time

import service
from world import equal, wait_equal

SQL = """
CREATE TABLE plays (song STRING, plays BIGINT, price DECIMAL(12,2))
WITH ('connector' = 'http', 'format' = 'json'{more});
CREATE TABLE history (song STRING, plays BIGINT, price DECIMAL(12,2)) WITH ('connector' = 'filesystem', 'path' = 'history.json', 'format' = 'json');
INSERT INTO history SELECT song, plays, price FROM plays;
"""
CONFIG = {"commit.interval": "50 ms"}


def lines(rows):
    return "\n".join('{"song": "song %d", "plays": %d, "price": 12.50}' % (i, i) for i in rows)


def seen(one):
    return sorted(row["plays"] for row in one.read_lines("history.json"))


def case_push_is_answered_when_decided():
    with service.Service({"a.sql": SQL.format(more="")}, CONFIG) as one:
        one.start()
        answer = one.request("POST", "/v1/ingest/plays", lines(range(3)))
        equal((answer.status, answer.json), (200, {"accepted": 3}), "lines")
        equal(seen(one), [0, 1, 2], "an answered row has been decided")
        answer = one.request("POST", "/v1/ingest/plays", ' [{"song": "a, ]", "plays": 3}, {"song": "b", "plays": 4, "price": 1}\n] ')
        equal((answer.status, answer.json), (200, {"accepted": 2}), "an array")
        equal(seen(one), [0, 1, 2, 3, 4], "rows of the array")
        equal(str(one.read_lines("history.json")[0]["price"]), "12.50", "money is exact")
        answer = one.request("POST", "/v1/ingest/nothing", "{}")
        equal((answer.status, answer.json["detail"][-30:]), (404, 'tables that take rows: "plays"'), "no such table")
        equal(one.request("POST", "/v1/ingest/plays", "[%s1]" % ("1," * 1000000)).status, 413, "too many rows")
        equal(one.request("POST", "/v1/ingest/plays", '[{"song": "x"}').status, 400, "an array without end")
        equal(one.request("POST", "/v1/ingest/plays", "").json, {"accepted": 0}, "nothing")
        equal(one.request("POST", "/v1/ingest/plays", "{no json}\n" + lines([5])).json, {"accepted": 2}, "a bad line is a dead letter")
        wait_equal("rows", lambda: seen(one), [0, 1, 2, 3, 4, 5])
        equal(one.metric("records_malformed_total"), 1, "bad lines are counted")


def case_push_says_what_is_wrong_with_its_table():
    with service.Service({"a.sql": SQL.format(more=", 'ingest.queue-bytes' = '5'")}, CONFIG) as one:
        try:
            one.start()
        except (AssertionError, OSError):
            pass
        equal(one.process.wait(30), 1, "it ends by itself")
        equal([word for word in ("plays", "'ingest.queue-bytes' must be a number from 65536") if word not in one.log()], [], "the cause")


def case_push_survives_kills():
    """Senders that send again what was not answered: nothing is lost; after the last kill each row stands at least once."""
    with service.Service({"a.sql": SQL.format(more="")}, CONFIG) as one:
        one.start()
        answered, stop = set(), threading.Event()

        def send(first):
            for i in range(first, first + 80):
                while not stop.is_set():
                    try:
                        if one.request("POST", "/v1/ingest/plays", lines([i]), timeout=5).status == 200:
                            answered.add(i)
                            break
                    except (OSError, service.http.client.HTTPException):
                        time.sleep(0.02)
        senders = [threading.Thread(target=send, args=(n * 1000,)) for n in range(8)]
        for sender in senders:
            sender.start()
        try:
            for kill in range(3):
                goal = (kill + 1) * 150
                service.wait_for("answers", lambda: len(answered) >= goal)
                one.kill()
                one.start()
            for sender in senders:
                sender.join(60)
        finally:
            stop.set()
        equal(len(answered), 640, "all were answered")
        missing = answered - set(seen(one))
        equal(missing, set(), "answered rows that are not there")


def case_push_full_queue():
    """Nothing is decided while a sink's log is full, so the queue fills up."""
    more = ", 'ingest.queue-bytes' = '65536'"
    sql = SQL.format(more=more) + """
CREATE TABLE away (song STRING, plays BIGINT, PRIMARY KEY (song) NOT ENFORCED) WITH ('connector' = 'redis', 'url' = 'redis://127.0.0.1:1', 'sink.buffer.size' = '64 KiB');
INSERT INTO away SELECT song, plays FROM plays;
"""
    with service.Service({"a.sql": sql}, CONFIG) as one:
        one.start()
        big = [json.dumps({"song": "x" * 1000 + str(i), "plays": i}) for i in range(40)]
        statuses, senders = [], []

        def send():
            statuses.append(one.request("POST", "/v1/ingest/plays", "\n".join(big), timeout=60).status)
        equal(one.request("POST", "/v1/ingest/plays", "\n".join(big * 2)).status, 413, "larger than the queue")
        for _ in range(12):
            senders.append(threading.Thread(target=send, daemon=True))
            senders[-1].start()
            time.sleep(0.1)
        service.wait_for("a refusal", lambda: 429 in statuses)
        sink = [sink for sink in one.get("/v1/sinks").json["data"] if sink.get("table") == "away"][0]
        equal(sink["full"], True, "the log is full")
        one.stop()
        for sender in senders:
            sender.join(20)
        equal(set(statuses) <= {200, 429, 503}, True, "answers: %r" % statuses)
