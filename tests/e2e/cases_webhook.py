"""Webhooks: one that is down gets everything after it came back, one that hangs holds back only itself, one that refuses leaves dead letters."""
import time

import model
import run
from service import Service, Webhook, unused_port, wait_for


def start_with(world, seed, count, **sinks):
    log = model.generate(seed, count, 4, 10)
    world.topics(4)
    world.produce(log, 100)
    return log, Service({"tables.sql": world.tables(), "three.sql": run.rule()}, world.config(**sinks))


def newest(events):
    """{alert id: revision} of the highest revisions."""
    found = {}
    for event in events:
        data = event["data"]
        found[data["alert_id"]] = max(data["revision"], found.get(data["alert_id"], 0))
    return found


def sink_state(service, name):
    return next(one for one in service.get("/v1/sinks").json["data"] if one["name"] == name)


def case_webhook_fails_then_recovers(world):
    """Two answers of 503 and one that hangs until the timeout; each message comes through in the end, with one and the same id."""
    with Webhook([503, "hang", 503]) as hook:
        log, service = start_with(world, 61, 150, hook=hook.sink(timeout="5 s"))
        with service:
            service.start()
            want = model.expected(log)
            world.wait_standing(want)
            events = world.events()
            # A later revision may come through before the earlier one that failed: so wait for every message, not for the newest ones.
            wait_for("the retries", lambda: newest(hook.events()) == newest(events)
                     and service.metric("webhook_delivered_total") == len({ident for _, ident, _ in hook.attempts}), 40)
            assert not hook.faults, hook.faults[:3]
            tried = [ident for _, ident, _ in hook.attempts]
            assert len(tried) == len(set(tried)) + 3, "%d attempts for %d messages" % (len(tried), len(set(tried)))
            assert service.metric("webhook_failed_attempts_total") == 3 and service.metric("webhook_delivered_total") == len(set(tried))
            times = {}
            for at, ident, _ in hook.attempts:
                times.setdefault(ident, []).append(at)
            assert all(pair[1] - pair[0] >= 4.5 for pair in times.values() if len(pair) == 2), "tried again at once"


def case_webhook_hangs_alone(world):
    """The other webhook, the topic and REST go on; a stop does not wait for the one that hangs; a restart knows what is open."""
    with Webhook("hang") as bad, Webhook() as good:
        log, service = start_with(world, 62, 300, bad=bad.sink(timeout="300 s"), good=good.sink())
        with service:
            service.start()
            want = model.expected(log)
            world.wait_standing(want, 20)
            events = world.events()
            wait_for("the good webhook", lambda: newest(good.events()) == newest(events), 20)
            assert len(bad.attempts) == 1 and sink_state(service, "bad")["lag"] > 0 and sink_state(service, "good")["lag"] == 0
            ident = events[0]["data"]["alert_id"]
            status = {one["sink"]: one["status"] for one in service.get("/v1/alerts/" + ident).json["deliveries"]}
            assert status["good"] == "delivered" and status["topic"] == "delivered" and status["bad"] != "delivered", status
            begin = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - begin < 40, "the stop waited %.1f s" % (time.monotonic() - begin)
            had = len(good.events())
            bad.answer = 200
            service.start()
            wait_for("what had been held back", lambda: newest(bad.events()) == newest(events), 40)
            assert not bad.faults and not good.faults
            assert len(good.events()) == had, "the good webhook got messages again"


def case_webhook_dead_letters(world):
    """An address that the guard refuses makes dead letters at once; they outlive a kill and are sent again by hand."""
    with Webhook() as hook:
        sink = hook.sink()
        log, service = start_with(world, 63, 36, hook=dict(sink, **{"allow-private": "false"}))
        with service:
            service.start()
            world.wait_standing(model.expected(log))
            count = len(world.events())
            assert 2 <= count <= 5, count  # after five failures in a row the endpoint is left alone for a while
            wait_for("dead letters", lambda: sink_state(service, "hook")["dead"] == count, 30)
            assert service.metric("webhook_dead_total") == count and not hook.attempts
            service.kill()
            service.config["sinks"]["hook"] = sink
            service.start()
            dead = dead_letters(service)
            assert len(dead) == count and all(one["reason"] == "refused" and one["attempts"] == 1 for one in dead), dead[:3]
            status = service.get("/v1/alerts/" + dead[0]["alert_id"]).json["deliveries"]
            assert {one["sink"]: one["status"] for one in status}["hook"] == "dead", status
            for one in dead:
                answer = service.request("POST", "/v1/sinks/hook/dead-letters/%d/resend" % one["seq"])
                assert answer.status == 202, answer
            wait_for("the messages sent again", lambda: len(hook.events()) == count, 30)
            wait_for("an empty list", lambda: not dead_letters(service), 10)
            assert newest(hook.events()) == newest(world.events()) and not hook.faults
            for path in ("hook/dead-letters/999999", "hook/dead-letters/x", "nobody/dead-letters/1"):
                assert service.request("POST", "/v1/sinks/%s/resend" % path).status == 404, path


def dead_letters(service):
    found, after = [], None
    while True:
        page = service.get("/v1/sinks/hook/dead-letters", limit=3, **({"after": after} if after else {})).json
        found += page["data"]
        after = page["pagination"]["next_cursor"]
        if not after:
            return found


def case_webhook_gone(world):
    """410: the endpoint gets nothing more, the rest goes on. 429 with Retry-After is waited for."""
    with Webhook(410) as gone, Webhook([429], {"Retry-After": "2"}) as busy:
        log, service = start_with(world, 64, 100, gone=gone.sink(), busy=busy.sink())
        with service:
            service.start()
            world.wait_standing(model.expected(log))
            events = world.events()
            wait_for("the busy webhook", lambda: newest(busy.events()) == newest(events), 30)
            assert len(gone.attempts) == 1 and sink_state(service, "gone")["disabled"], gone.attempts
            dead = service.get("/v1/sinks/gone/dead-letters").json["data"]
            assert [(one["http_status"], one["reason"]) for one in dead] == [(410, "gone")], dead
            gone.answer = 200  # by hand means: try the endpoint again
            assert service.request("POST", "/v1/sinks/gone/dead-letters/%d/resend" % dead[0]["seq"]).status == 202
            wait_for("the endpoint that had gone", lambda: newest(gone.events()) == newest(events), 30)
            first = busy.attempts[0]
            again = next(at for at, ident, status in busy.attempts if ident == first[1] and status == 200)
            assert again - first[0] >= 1.9, "Retry-After was not kept: %.1f s" % (again - first[0])


def case_webhook_away(world):
    """Nobody listens, then somebody does: all of it arrives although the service was killed in between."""
    port = unused_port()
    sink = Webhook().sink(url="http://127.0.0.1:%d/alerts" % port)
    log, service = start_with(world, 65, 60, hook=sink)
    with service:
        service.start()
        world.wait_standing(model.expected(log))
        wait_for("a failed attempt", lambda: service.metric("webhook_failed_attempts_total") >= 1)
        assert sink_state(service, "hook")["trouble"]
        service.kill()
        with Webhook() as hook:
            service.config["sinks"]["hook"]["url"] = hook.sink()["url"]
            service.start()
            wait_for("what had waited", lambda: newest(hook.events()) == newest(world.events()), 60, 0.5)
