"""Savepoints over files, without the broker: restored under other rules and with another number of shards, and one of each older version restored by this program. KEEP_SAVEPOINT=FOLDER
writes what the last case restores: do so before a format of state is changed."""
import json
import lzma
import os
import subprocess

from service import Service, binary, wait_for

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "savepoints")
BEGIN_MS = 1767225600000
TABLE = """
CREATE TABLE orders (id BIGINT, user_id STRING, amount INT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'orders.jsonl', 'source.follow' = 'true', 'format' = 'json');
"""
PAIR = """
CREATE RULE {name} WITH ('title' = '{title}') AS SELECT m.user_id, m.first_id, m.last_id FROM orders MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY ts MEASURES A.id AS first_id, B.id AS last_id
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (A -> B) WITHIN INTERVAL '12' HOUR DEFINE B AS B.amount >= {least}
) AS m;
"""


def rows(first, end, users=40):
    """Orders that come 300 ms out of order at most."""
    return [{"id": i, "user_id": "u%d" % (i * 7919 % users), "amount": (i * 2654435761 >> 7) % 100, "ts": BEGIN_MS + i * 1000 - i * 37 % 300} for i in range(first, end)]


def pairs(orders, least):
    begun, found = {}, set()
    for one in orders:
        user = one["user_id"]
        if user not in begun:
            begun[user] = one["id"]
        elif one["amount"] >= least:
            found.add((user, begun.pop(user), one["id"]))
    return found


def append(service, orders):
    with open(service.path("orders.jsonl"), "a", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in orders)


def read_all(service, orders):
    service.wait_metric("source_records_total", len(orders), table="orders")
    service.epochs_pass()


def told(service, rule):
    """{(user, first, last): frozen} of the alerts that stand."""
    return {(one["measures"]["user_id"], int(one["measures"]["first_id"]), int(one["measures"]["last_id"])): one["frozen"]
            for one in service.alerts(limit=100, rule=rule) if one["change"] != "withdrawn"}


def save(service, name):
    answer = service.request("POST", "/v1/savepoints/" + name)
    assert answer.status in (200, 201, 202), answer
    return wait_for("the savepoint", lambda: os.path.exists(service.path("state", "savepoints", name + ".savepoint")) and service.path("state", "savepoints", name + ".savepoint"))


def savepoint(verb, path, service=None):
    config = []
    if service:
        config = ["--config", service.path("config.json")]
        with open(service.path("config.json"), "w", encoding="utf-8") as file:
            json.dump(service.config, file)
    done = subprocess.run([binary(), "savepoint", verb, path] + config, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


def case_savepoint_under_other_rules(world):
    """One rule stays, one changes, one goes, one is new: the first goes on with its partial matches, the second begins with the rows behind the savepoint; all are named."""
    first, second = rows(0, 900), rows(900, 1800)
    config = {"application.id": world.case}
    before = {"tables.sql": TABLE, "stays.sql": PAIR.format(name="stays", title="A", least=90), "changes.sql": PAIR.format(name="changes", title="A", least=80),
              "goes.sql": PAIR.format(name="goes", title="A", least=70)}
    after = dict(before, **{"stays.sql": PAIR.format(name="stays", title="Another title", least=90), "changes.sql": PAIR.format(name="changes", title="A", least=60),
                            "comes.sql": PAIR.format(name="comes", title="A", least=95)})
    del after["goes.sql"]
    with Service(before, dict(config, shards=2)) as old, Service(after, dict(config, shards=5)) as new:
        append(old, first)
        old.start()
        read_all(old, first)
        path = save(old, "before")
        assert set(told(old, "stays")) == pairs(first, 90) and set(told(old, "goes")) == pairs(first, 70)
        assert "state of the rules " in savepoint("inspect", path)
        savepoint("restore", path, new)
        append(new, first + second)
        new.start()
        line = next(line for line in new.log().splitlines() if "not the rules that the state was left by" in line)
        for words in ("kept: stays", "changed, begin anew: changes", "gone, their state is dropped: goes", "new: comes"):
            assert words in line, line
        read_all(new, second)
        assert new.metric("source_records_total", table="orders") == len(second), "rows before the savepoint were read again"
        stays, across = told(new, "stays"), pairs(first + second, 90)
        assert set(stays) == across and not any(stays.values()), (len(stays), len(across))
        assert any(one[1] < 900 <= one[2] for one in across)
        assert {one for one in told(new, "changes") if one[2] >= 900} == pairs(second, 60)
        assert set(told(new, "comes")) == pairs(second, 95)
        # What was told by a rule that is gone stays; what had not settled is marked, which only keys with an order above the watermark have.
        gone, open_keys = told(new, "goes"), {one["user_id"] for one in first[-6:]}
        assert set(gone) == pairs(first, 70)
        for one, frozen in gone.items():
            assert frozen if one[2] >= 895 else not frozen or one[0] in open_keys, (one, frozen)
        new.kill()
        new.start()
        assert "not the rules" not in new.log() and set(told(new, "stays")) == across


def everything(service):
    """What stands of all rules, as text."""
    return sorted("%s %s" % (one["rule"], json.dumps(one["measures"], sort_keys=True, default=str)) for one in service.alerts(limit=100) if one["change"] != "withdrawn")


def case_savepoints_of_older_versions(world):
    """savepoints/VERSION holds rules and a savepoint behind 150 rows, with open keys of every operator. Restored, it goes on as if nothing had been."""
    kept = os.environ.get("KEEP_SAVEPOINT")
    for folder in [kept] if kept else [os.path.join(KEPT, name) for name in sorted(os.listdir(KEPT))]:
        with open(os.path.join(folder, "rules.sql"), encoding="utf-8") as file:
            rules = {"tables.sql": TABLE, "rules.sql": file.read()}
        first, second = rows(0, 150, 9), rows(150, 400, 9) + rows(4000, 4001)
        with Service(rules, {"application.id": "kept"}) as whole, Service(rules, {"application.id": "kept", "shards": 3}) as new:
            append(whole, first)
            whole.start()
            read_all(whole, first)
            if kept:
                with open(save(whole, "kept"), "rb") as saved, lzma.open(os.path.join(folder, "kept.savepoint.xz"), "wb") as file:
                    file.write(saved.read())
            begun = everything(whole)
            append(whole, second)
            read_all(whole, first + second)
            with lzma.open(os.path.join(folder, "kept.savepoint.xz")) as saved, open(new.path("kept.savepoint"), "wb") as file:
                file.write(saved.read())
            savepoint("restore", new.path("kept.savepoint"), new)
            append(new, first)
            new.start()
            assert "not the rules" not in new.log(), new.log()
            new.epochs_pass()
            assert everything(new) == begun, folder
            append(new, second)
            read_all(new, second)
            want = everything(whole)
            wait_for("what stands", lambda: everything(new) == want)
            assert {one.split()[0] for one in set(want) - set(begun)} == {one.split()[0] for one in want}, "a rule told nothing behind the savepoint"
            assert new.metric("source_records_total", table="orders") == len(second)
