"""Rules are changed while orders come: by REST, by signal, by the watched folder. Untouched rules lose and repeat nothing; a bad file changes nothing."""
import os
import stat

import model
import run
from cases_crash import Feeder
from service import Service, wait_for

RELOADS = int(os.environ.get("CEPHEID_RELOADS", "100"))
EXTRA = """
CREATE TABLE extra (user_id STRING, amount DECIMAL(12,2), ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json', {properties}, 'scan.startup.mode' = 'earliest-offset');
CREATE RULE extra_large AS SELECT user_id, amount FROM extra WHERE amount > 10;
"""
BAD = "CREATE RULE broken AS SELECT user_id, contry\nFROM orders WHERE amount > 5;\n"


def other(limit, name="other"):
    """A rule that changes with its limit."""
    return "CREATE RULE %s WITH ('severity' = 'low') AS SELECT user_id, order_id FROM orders WHERE amount > %d;\n" % (name, limit)


def results(answer):
    assert answer.status == 200, answer
    return {one["name"]: one["result"] for one in answer.json["rules"]}


class Changer:
    """One reload after the other, by each way in turn."""

    def __init__(self, world, service):
        self.world, self.service, self.done, self.watched = world, service, 0, 0

    def counted(self, change):
        """Makes the change and waits until one more reload is counted."""
        before = self.service.metric("reloads_total")
        change()
        wait_for("a reload", lambda: self.service.metric("reloads_total") > before, 30, 0.02)

    def by_put(self, number):
        found = results(self.service.request("PUT", "/v1/rules/other.sql", other(10 ** 9 + 1 + number)))
        assert found["three_countries"] == "kept" and found["other"] in ("changed", "started"), found

    def by_post(self, number):
        with_extra = not os.path.exists(self.service.path("rules", "extra.sql"))
        if with_extra:
            self.service.write_rule("extra.sql", EXTRA.format(topic=self.world.name("extra"), properties=self.world.properties()))
        else:
            os.unlink(self.service.path("rules", "extra.sql"))
        found = results(self.service.request("POST", "/v1/rules:reload"))
        assert found["three_countries"] == "kept" and found["extra_large"] == ("started" if with_extra else "stopped"), (number, found)

    def by_signal(self, number):
        def change():
            self.service.write_rule("three.sql", run.rule(title="Title %d" % number))
            self.service.hangup()
        self.counted(change)
        title = self.service.get("/v1/rules/three_countries").json["title"]
        assert title == "Title %d" % number, title

    def by_watch(self, number):
        self.counted(lambda: self.service.write_rule("watched/w.sql", other(10 ** 9 + number, "watched")))
        self.watched += 1

    def next(self):
        ways = [self.by_put, self.by_post, self.by_signal]
        (self.by_watch if self.done % 12 == 5 else ways[self.done % 3])(self.done)
        self.done += 1


def case_reloaded_under_load(world):
    log = model.generate(41, 3000, 8, 40)
    world.topics(8)
    world.broker.topic(world.name("extra"), 2)
    config = dict(world.config(), **{"rules.watch": "true"})
    with Service({"tables.sql": world.tables(), "three.sql": run.rule(), "other.sql": other(10 ** 9)}, config) as service:
        service.start()
        feeder, changer = Feeder(world, log, 30), Changer(world, service)
        while changer.done < RELOADS:
            feeder.allow(len(log) // RELOADS)
            changer.next()
        feeder.finish()
        assert changer.watched >= RELOADS // 12
        assert service.metric("reloads_total") >= RELOADS and service.metric("reloads_failed_total") == 0, service.metrics()
        world.wait_standing(model.expected(log))
        model.standing(world.events())
        assert service.metric("rows_late_total") == len(model.late_ids(log))
        assert service.metric("aborts_total") == 0


def case_bad_file_changes_nothing(world):
    log = model.generate(42, 600, 4, 15)
    world.topics(4)
    config = dict(world.config(), **{"rules.watch": "true"})
    with Service({"tables.sql": world.tables(), "three.sql": run.rule()}, config) as service:
        service.start()
        world.produce(log[:300], 100)
        service.wait_metric("source_records_total", 300, table="orders")
        before = service.get("/v1/rules").json
        for answer in (service.request("PUT", "/v1/rules/bad.sql", BAD), service.request("POST", "/v1/rules:validate?file=bad.sql", BAD)):
            check_refusal(answer)
        assert not os.path.exists(service.path("rules", "bad.sql")), "a refused file was written"
        refused = service.metric("reloads_failed_total")
        service.write_rule("bad.sql", BAD)
        check_refusal(service.request("POST", "/v1/rules:reload"))
        service.hangup()
        wait_for("the refusal of the signal's reload", lambda: service.metric("reloads_failed_total") >= refused + 2)
        assert "bad.sql:1:" in service.log() and "contry" in service.log()
        os.unlink(service.path("rules", "bad.sql"))
        # The same name twice: both places are named.
        service.write_rule("twice.sql", run.rule())
        answer = service.request("POST", "/v1/rules:reload")
        assert answer.status == 422 and "three.sql" in str(answer.json["errors"]) and "twice.sql" in str(answer.json["errors"]), answer
        os.unlink(service.path("rules", "twice.sql"))
        now = service.get("/v1/rules").json
        assert [one["fingerprint"] for one in now["data"]] == [one["fingerprint"] for one in before["data"]]
        assert now["loaded_at"] == before["loaded_at"], "the running set was replaced"
        world.produce(log[300:], 100)
        world.wait_standing(model.expected(log))


def check_refusal(answer):
    assert answer.status == 422 and answer.headers["content-type"] == "application/problem+json", answer
    problem = answer.json
    assert problem["status"] == 422 and problem["title"] and problem["detail"], problem
    first = problem["errors"][0]
    assert first["file"].endswith("bad.sql") and first["line"] == 1 and first["column"] == 39, first
    assert "contry" in first["message"] and "country" in str(first), first


def case_rules_over_rest(world):
    world.topics(4)
    with Service({"tables.sql": world.tables(), "three.sql": run.rule()}, world.config()) as service:
        service.start()
        answer = service.request("POST", "/v1/rules:validate?file=new.sql", other(5))
        assert results(answer) == {"three_countries": "kept", "other": "started"}
        assert len(service.get("/v1/rules").json["data"]) == 1, "validate has changed the rules"
        assert results(service.request("PUT", "/v1/rules/pack/new.sql", other(5)))["other"] == "started"
        assert service.get("/v1/rules/pack/new.sql").body.decode() == other(5)
        with open(service.path("rules", "pack", "new.sql"), encoding="utf-8") as file:
            assert file.read() == other(5)
        found = service.get("/v1/rules/other").json
        assert found["severity"] == "low" and "amount > 5" in found["text"], found
        answer = service.request("PUT", "/v1/rules/pack/new.sql", other(6))
        changed = [one for one in answer.json["rules"] if one["name"] == "other"][0]
        assert changed["result"] == "changed" and changed["reason"], changed
        # A new title alone keeps the state.
        answer = service.request("PUT", "/v1/rules/three.sql", run.rule(title="Another title"))
        kept = [one for one in answer.json["rules"] if one["name"] == "three_countries"][0]
        assert kept["result"] == "kept" and "title" in kept["reason"], kept
        for name in ("../outside.sql", "no-ending", ".hidden.sql"):
            assert service.request("PUT", "/v1/rules/" + name, other(7)).status in (400, 404), name
        assert not os.path.exists(service.path("outside.sql"))
        check_read_only(service)


def check_read_only(service):
    """A folder that may not be written: 409, also for root, who may write everything but what is mounted or marked so."""
    folder = service.path("rules", "locked")
    os.makedirs(folder)
    os.chmod(folder, stat.S_IRUSR | stat.S_IXUSR)
    immutable = os.geteuid() == 0
    try:
        if immutable and os.system("chattr +i %s 2>/dev/null" % folder) != 0:
            os.rmdir(folder)
            os.symlink("/proc/sys", folder)  # refuses new files to everybody
        answer = service.request("PUT", "/v1/rules/locked/new.sql", other(8, "locked"))
        assert answer.status == 409 and "locked" in answer.json["detail"], answer
        assert len(service.get("/v1/rules").json["data"]) == 2
    finally:
        if os.path.islink(folder):
            os.unlink(folder)
        elif immutable:
            os.system("chattr -i %s 2>/dev/null" % folder)


def case_frozen_alerts(world):
    """A rule that is changed or dropped: its alerts that had not settled are marked, none is withdrawn; settled ones and those of other rules are not."""
    def order(number, user, second, country):
        return {"order_id": number, "user_id": user, "country": country, "amount": "5.00", "ts": "2026-03-01T10:%02d:%02dZ" % (second // 60, second % 60)}
    world.topics(1)
    orders = [order("o%d" % i, "u%d" % (i // 3), 10 * i, "ABC"[i % 3]) for i in range(6)]
    rules = {"tables.sql": world.tables(), "three.sql": run.rule(), "same.sql": run.rule("same"), "gone.sql": run.rule("gone")}
    text = '{"order_id":"%(order_id)s","user_id":"%(user_id)s","country":"%(country)s","amount":%(amount)s,"ts":"%(ts)s"}'
    with Service(rules, world.config()) as service:
        service.start()
        world.broker.produce(world.name("orders"), [(one["user_id"], text % one) for one in orders])
        wait_for("two alerts of each rule", lambda: len(service.alerts()) == 6)
        service.epochs_pass()
        assert not any(one["frozen"] for one in service.alerts()), service.alerts()
        # The first match ends 30 s before the last order and has settled, the second ends at it.
        service.write_rule("three.sql", run.rule().replace("INTERVAL '2' MINUTE", "INTERVAL '3' MINUTE"))
        os.unlink(service.path("rules", "gone.sql"))
        found = results(service.request("POST", "/v1/rules:reload"))
        assert found == {"three_countries": "changed", "same": "kept", "gone": "stopped"}, found
        want = {("three_countries", "u0"): False, ("three_countries", "u1"): True, ("gone", "u0"): False, ("gone", "u1"): True,
                ("same", "u0"): False, ("same", "u1"): False}

        def marks():
            return {(one["rule"], one["key"]["user_id"]): one["frozen"] for one in service.alerts()}
        wait_for("the marks", lambda: marks() == want)
        frozen = next(one for one in service.alerts() if one["frozen"])
        assert service.get("/v1/alerts/" + frozen["alert_id"]).json["frozen"] is True
        service.kill()
        service.start()
        assert marks() == want, marks()
        # Also where the files changed while it was down; by then the other alert may have settled or not.
        service.stop()
        os.unlink(service.path("rules", "same.sql"))
        service.start()
        wait_for("the mark of a rule that went meanwhile", lambda: marks()[("same", "u1")])
        assert all(event["data"]["change"] == "created" for event in world.events()), world.events()
