"""The broker is the trouble: a topic that is not there, a broker that is away, killed, hung; a second instance."""
import time

import model
import run
from service import Service, unused_port, wait_for


def case_missing_topic(world):
    log = model.generate(11, 300, 4, 10)
    world.broker.topic(world.name("alerts"), 2)
    with Service({"tables.sql": world.tables(), "three.sql": run.rule()}, world.config()) as service:
        service.start(ready=False)
        wait_for("the reason", lambda: world.name("orders") in service.get("/readyz").body.decode(), 20)
        assert service.get("/readyz").status == 503 and service.get("/livez").status == 200
        lines = [line for line in service.log().splitlines() if world.name("orders") in line]
        assert lines and len(lines) <= 3, "said %d times" % len(lines)
        world.broker.topic(world.name("orders"), 4)
        world.produce(log)
        service.wait_ready()
        world.wait_standing(model.expected(log))
        assert service.stop() == 0


def case_broker_away_at_start(world):
    log = model.generate(12, 300, 4, 10)
    world.topics(4)
    world.produce(log)
    world.broker.kill()
    with Service({"tables.sql": world.tables(), "three.sql": run.rule()}, world.config()) as service:
        service.start(ready=False)
        wait_for("the reason in the log", lambda: "cannot be reached" in service.log(), 20)
        answer = service.get("/readyz")
        assert answer.status == 503 and "broker" in answer.json["detail"], answer
        assert service.get("/livez").status == 200
        world.broker.start()
        service.wait_ready(60)
        world.wait_standing(model.expected(log))
        assert service.stop() == 0


def case_broker_never_there(world):
    sink = dict(world.kafka_sink(), **{"properties.bootstrap.servers": "127.0.0.1:%d" % unused_port()})
    config = {"application.id": world.case, "sinks": {"topic": sink}}
    tables = run.TABLES.format(orders="x", properties=world.properties("127.0.0.1:%d" % unused_port()))
    with Service({"tables.sql": tables, "three.sql": run.rule()}, config) as service:
        service.start(ready=False)
        time.sleep(2)
        assert service.get("/readyz").status == 503 and service.running()
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 40, "the stop took %.1f s" % (time.monotonic() - begin)


def disturbed(world, seed, disturb):
    """Orders in three parts; `disturb` after the first and the second."""
    log = model.generate(seed, 1500, 4, 25)
    world.topics(4)
    with Service({"tables.sql": world.tables(), "three.sql": run.rule()}, world.config()) as service:
        service.start()
        world.produce(log[:500], 100)
        disturb(service)
        world.produce(log[500:1000], 100)
        disturb(service)
        world.produce(log[1000:], 100)
        world.wait_standing(model.expected(log), 90)
        assert service.metric("rows_late_total") >= len(model.late_ids(log))
        assert service.stop() == 0
        model.standing(world.events())


def case_broker_killed(world):
    def disturb(_):
        world.broker.kill()
        time.sleep(1)
        world.broker.start()
    disturbed(world, 13, disturb)


def case_broker_hangs(world):
    def disturb(_):
        world.broker.suspend()
        time.sleep(4)
        world.broker.resume()
        world.broker.wait_ready()
    disturbed(world, 14, disturb)
