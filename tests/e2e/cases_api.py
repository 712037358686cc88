"""What REST promises: filters and pages, triage with its history, errors as problem+json, the token, metrics, health."""
import os
import re

import model
import run
from service import Service, wait_for

METRICS = """rows_total records_malformed_total rows_late_total rows_late_after_idle_total expression_errors_total limit_hits_total alerts_created_total
alerts_updated_total alerts_withdrawn_total dead_letters_total epochs_total epochs_empty_total aborts_total reloads_total reloads_failed_total
webhook_delivered_total webhook_failed_attempts_total webhook_dead_total http_requests_total epoch ready rules state_keys state_bytes
epoch_seconds_count epoch_seconds_sum alert_seconds_count barrier_seconds_count""".split()


def problem(answer, status):
    """RFC 9457."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json", answer.headers
    body = answer.json
    assert body["status"] == status and body["type"] == "about:blank" and body["title"] and body["detail"], body
    return body


def with_alerts(world, seed, function, **config):
    """Runs function(service, standing) once some alerts are there."""
    log = model.generate(seed, 600, 4, 12)
    world.topics(4)
    world.produce(log, 100)
    shadow = run.rule("in_shadow", "Tried out", ", 'mode' = 'shadow'")
    with Service({"tables.sql": world.tables(), "three.sql": run.rule(), "shadow.sql": shadow}, dict(world.config(), **config)) as service:
        service.start()
        world.wait_standing(model.expected(log))
        service.epochs_pass()
        function(service, model.standing(world.events()))


def case_alerts_and_triage(world):
    with_alerts(world, 51, alerts_and_triage)


def alerts_and_triage(service, standing):
    check_filters(service, standing)
    check_triage(service, sorted(standing)[0])


def check_filters(service, standing):
    everything = service.alerts()
    live = [one for one in everything if one["rule"] == "three_countries" and one["change"] != "withdrawn"]
    assert {one["alert_id"] for one in live} == set(standing)
    assert {one["alert_id"] for one in service.alerts(limit=100)} == {one["alert_id"] for one in everything}
    # A rule in shadow: in the store, on no sink.
    shadow = service.alerts(rule="in_shadow")
    assert len(shadow) == len([one for one in everything if one["rule"] == "in_shadow"]) > 0 and all(one["mode"] == "shadow" for one in shadow)
    user = live[0]["subject"]
    assert {one["alert_id"] for one in service.alerts(key=user)} == {one["alert_id"] for one in everything if one["subject"] == user}
    assert service.alerts(severity="critical") == [] and len(service.alerts(severity="high")) == len(everything)
    assert service.alerts(rule="no_such_rule") == []
    times = sorted(one["last_event_time"] for one in everything)
    begin, end = times[len(times) // 3], times[2 * len(times) // 3]
    found = service.alerts(**{"from": begin, "to": end})
    assert sorted(one["last_event_time"] for one in found) == [one for one in times if begin <= one < end]
    assert len(service.alerts(status="open")) == len(everything) and service.alerts(status="closed") == []
    for bad in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"after": "nonsense"}, {"from": "yesterday"}, {"status": "lost"}):
        problem(service.get("/v1/alerts", **bad), 400)
    one = service.get("/v1/alerts/" + live[0]["alert_id"]).json
    assert one["event"]["data"]["measures"] == live[0]["measures"] == standing[live[0]["alert_id"]]["measures"], one
    assert [(sink["sink"], sink["status"]) for sink in one["deliveries"]] == [("topic", "delivered")], one["deliveries"]
    one = service.get("/v1/alerts/" + shadow[0]["alert_id"]).json
    assert [(sink["sink"], sink["status"]) for sink in one["deliveries"]] == [("topic", "not_wanted")], one["deliveries"]
    problem(service.get("/v1/alerts/" + "0" * 32), 404)
    problem(service.get("/v1/alerts/nonsense"), 404)


def check_triage(service, ident):
    path = "/v1/alerts/" + ident

    def patch(body, status=200):
        answer = service.request("PATCH", path, body)
        if status != 200:
            return problem(answer, status)
        assert answer.status == 200, answer
        return answer.json
    assert patch({"status": "acknowledged", "assignee": "mia", "by": "mia", "note": "looking"})["status"] == "acknowledged"
    assert patch({"status": "confirmed_fraud", "by": "mia"})["status"] == "confirmed_fraud"
    assert "allowed" in patch({"status": "open"}, 409)["detail"]
    patch({"status": "nonsense"}, 400)
    patch({"state": "closed"}, 400)
    patch({}, 400)
    patch({"status": 5}, 400)
    problem(service.request("PATCH", path, "no json"), 400)
    problem(service.request("PATCH", "/v1/alerts/" + "0" * 32, {"note": "x"}), 404)
    assert patch({"assignee": None, "note": "done", "status": "closed"})["assignee"] is None
    now = service.get(path).json
    assert now["status"] == "closed" and len(now["history"]) == 3, now["history"]
    assert [one.get("status") for one in now["history"]] == ["acknowledged", "confirmed_fraud", "closed"]
    assert now["history"][0]["by"] == "mia" and now["history"][0]["note"] == "looking" and now["history"][0]["at"] < now["history"][2]["at"]
    assert [one["alert_id"] for one in service.alerts(status="closed")] == [ident]
    # Triage outlives a kill.
    service.kill()
    service.start()
    assert service.get(path).json["history"] == now["history"]
    assert [one["alert_id"] for one in service.alerts(status="closed")] == [ident]


def case_token_and_limits(world):
    with_alerts(world, 52, token_and_limits, **{"api.token": "a-token-of-the-test", "api.max-body": "64 KiB"})


def token_and_limits(service, _):
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}):
        answer = service.request("GET", "/v1/alerts", headers=headers)
        problem(answer, 401)
        assert "bearer" in answer.headers["www-authenticate"].lower(), answer.headers
        problem(service.request("PUT", "/v1/rules/x.sql", "", headers=headers), 401)
        for path in ("/livez", "/readyz", "/metrics"):
            assert service.request("GET", path, headers=headers).status == 200
    problem(service.request("PUT", "/v1/rules/big.sql", "-" * 70000), 413)
    problem(service.get("/v1/nothing"), 404)
    answer = service.request("DELETE", "/v1/alerts")
    problem(answer, 405)
    assert answer.headers["allow"] == "GET", answer.headers
    assert "a-token-of-the-test" not in service.log()


def case_metrics_and_health(world):
    with_alerts(world, 53, metrics_and_health)


def metrics_and_health(service, standing):
    assert service.get("/livez").status == 200 and service.get("/readyz").status == 200
    answer = service.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    for line in lines:
        assert re.match(r"^(# (HELP|TYPE) cepheid_\w+ .+|cepheid_\w+(\{\w+=\"[^\"]*\"(,\w+=\"[^\"]*\")*\})? -?[0-9.e+]+(Inf)?)$", line), line
    now = service.metrics()
    missing = [name for name in METRICS if "cepheid_" + name not in now]
    assert not missing, missing
    typed = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(typed) == len(set(typed)), "a metric is declared twice"
    created = now['cepheid_rule_created_total{rule="three_countries"}'] - now['cepheid_rule_withdrawn_total{rule="three_countries"}']
    assert created == len(standing), (created, len(standing))
    assert now['cepheid_source_records_total{table="orders"}'] == 600 and now['cepheid_source_lag_records{table="orders"}'] == 0
    assert now["cepheid_ready"] == 1 and now["cepheid_rules"] == 2 and now["cepheid_state_keys"] > 0


LIST_RULES = """
CREATE TABLE tx (id BIGINT, card STRING, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts)
WITH ('connector' = 'filesystem', 'path' = '{path}', 'source.follow' = 'true', 'format' = 'json');
CREATE RULE blocked AS SELECT id, card FROM tx WHERE IN_LIST(card, 'blocked');
"""


def case_lists(world):
    """Lists through REST and by hand: rules see them at once, a restart keeps them."""
    service = Service({}, {"application.id": world.case, "sinks": {"out": {"type": "file", "path": "alerts.jsonl"}}})
    service.config["lists.dir"] = service.path("lists")
    service.write_rule("r.sql", LIST_RULES.format(path=service.path("tx.jsonl")))
    os.makedirs(service.path("lists"))
    with open(service.path("lists", "blocked.txt"), "w", encoding="utf-8") as file:
        file.write("# by hand\nc1\n")
    with open(service.path("tx.jsonl"), "w", encoding="utf-8") as rows, service:
        def send(number, card):
            rows.write('{"id":%d,"card":"%s","ts":"2026-01-05T10:00:%02dZ"}\n' % (number, card, number))
            rows.flush()

        def wait_ids(want):
            wait_for("alerts %s" % want, lambda: sorted(one["data"]["measures"]["id"] for one in service.read_lines("alerts.jsonl")) == want)
        service.start()
        send(1, "c1")
        send(2, "c/2")
        wait_ids([1])
        answer = service.request("PUT", "/v1/lists/blocked/c%2F2")
        assert answer.status == 200 and answer.json == {"list": "blocked", "entry": "c/2", "changed": True}, answer
        assert service.request("PUT", "/v1/lists/blocked/c%2F2").json["changed"] is False
        send(3, "c/2")
        wait_ids([1, 3])
        assert service.request("DELETE", "/v1/lists/blocked/c1").json["changed"] is True
        send(4, "c1")
        send(5, "c/2")
        wait_ids([1, 3, 5])
        problem(service.get("/v1/lists/blocked/c1"), 404)
        problem(service.get("/v1/lists/nowhere"), 404)
        problem(service.request("PUT", "/v1/lists/no.good/x"), 400)
        assert service.get("/v1/lists").json["data"] == [{"name": "blocked", "entries": 1}]
        assert service.get("/v1/lists/blocked").json["data"] == ["c/2"]
        assert service.request("PUT", "/v1/lists/fresh/x").status == 200
        service.kill()
        service.start()
        assert service.get("/v1/lists/blocked/c%2F2").status == 200 and service.get("/v1/lists/fresh").json["data"] == ["x"]
        with open(service.path("lists", "blocked.new"), "w", encoding="utf-8") as file:
            file.write("c6\n")
        os.replace(service.path("lists", "blocked.new"), service.path("lists", "blocked.txt"))
        wait_for("the file to be read anew", lambda: service.get("/v1/lists/blocked/c6").status == 200)
        send(6, "c6")
        wait_ids([1, 3, 5, 6])
