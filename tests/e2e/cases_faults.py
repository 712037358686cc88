"""SIGKILL at each numbered point of the epoch protocol, a full disk, a disk that does not sync, a clock that jumps, a coordinator that is away: what a
read_committed consumer sees is what it sees of an undisturbed run. CEPHEID_ROUNDS is how often all points are gone through (default 1)."""
import os
import random
import shutil
import signal
import subprocess
import time

import model
import run
from cases_crash import RULES, SEED, Feeder, check_end
from faults import POINTS, Faults
from service import Service, binary, wait_for

ROUNDS = int(os.environ.get("CEPHEID_ROUNDS", "1"))


def order_of_points(chance):
    """All points, in any order; but 5 and 6 (settling at the start) only behind a death that leaves something to settle."""
    singles = [[point] for point in range(1, POINTS + 1) if point not in (5, 6, 13, 18)]
    pairs = [[13, 5], [18, 6]] if chance.random() < 0.5 else [[13, 6], [18, 5]]
    groups = singles + pairs
    chance.shuffle(groups)
    return [point for group in groups for point in group]


def killed_at(service, faults, feeder, point, times):
    """Starts the service, which dies at the point's K-th passing."""
    service.env.update(faults.env("%d:%d" % (point, times)))
    try:
        service.start(ready=False)
    except AssertionError:
        assert not service.running(), service.log()[-2000:]  # it died before it listened

    def dead():
        if feeder.idle():
            feeder.allow(feeder.chunk)
        return not service.running()
    wait_for("death at point %d, passing %d" % (point, times), dead, 60, 0.05)
    assert service.process.returncode == -9, "point %d: ended with %d\n%s" % (point, service.process.returncode, service.log()[-2000:])


def case_killed_at_points(world):
    chance = random.Random(SEED)
    log = model.generate(SEED * 100 + 24, 4000 * ROUNDS, 8, 40)
    world.topics(8)
    kills = 0
    with Faults() as faults, Service(dict(RULES, **{"tables.sql": world.tables()}), world.config()) as service:
        feeder = Feeder(world, log, 20)
        for _ in range(ROUNDS):
            for point in order_of_points(chance):
                service.config["state.journal-file"] = "1 B" if point > 20 or chance.random() < 0.5 else "64 KiB"
                service.config["state.journal"] = "1 B" if point > 22 or chance.random() < 0.2 else "256 MiB"
                service.config["state.image-tables"] = "1 B" if point > 28 or chance.random() < 0.3 and point < 21 else "16 MiB"
                killed_at(service, faults, feeder, point, 1 if point <= 6 else chance.randrange(1, 5))
                kills += 1
        service.env["CEPHEID_FAULT_POINT"] = ""
        service.start()
        feeder.finish()
        assert kills == POINTS * ROUNDS
        check_end(world, service, log)


def broken_disk(world, seed, switch, words):
    """While the switch is on no epoch is decided, the log says why, the process lives; afterwards nothing is missing."""
    log = model.generate(seed, 1600, 4, 25)
    world.topics(4)
    with Faults() as faults, Service(dict(RULES, **{"tables.sql": world.tables()}), world.config(), env=faults.env()) as service:
        service.start()
        for part in range(2):
            world.produce(log[part * 800:part * 800 + 400], 100)
            service.epochs_pass()
            faults.turn(switch, True)
            world.produce(log[part * 800 + 400:part * 800 + 800], 100)
            wait_for("the failure to be told", lambda: any(word in service.log() for word in words), 20)
            service.wait_metric("aborts_total", part + 1, 20)
            assert service.get("/livez").status == 200
            wait_for("not ready", lambda: service.get("/readyz").status == 503, 20)
            faults.turn(switch, False)
            service.wait_ready(60)
        assert service.metric("store_reopens_total") >= 2
        check_end(world, service, log)


def case_disk_full(world):
    broken_disk(world, SEED * 100 + 25, "full", ("No space left", "disk full"))


def case_disk_does_not_sync(world):
    broken_disk(world, SEED * 100 + 26, "sync", ("Input/output error", "I/O error"))


def case_clock_jumps(world):
    """A day ahead, two days back, and on: event time does not care, waits end in time, and the webhook of a jumped clock is another case."""
    log = model.generate(SEED * 100 + 27, 1600, 4, 25)
    world.topics(4)
    with Faults() as faults, Service(dict(RULES, **{"tables.sql": world.tables()}), world.config(), env=faults.env()) as service:
        service.start()
        for part, shift in enumerate((86400, -86400, 3600, 0)):
            faults.shift_clock(shift)
            world.produce(log[part * 400:part * 400 + 400], 100)
            service.wait_metric("source_records_total", part * 400 + 400, 30, table="orders")
            service.epochs_pass()
        check_end(world, service, log)
        assert service.metric("aborts_total") == 0


def case_coordinator_away(world):
    """The broker dies while a commit is under way, again and again: its outcome is asked for until it is known."""
    chance = random.Random(SEED + 2)
    log = model.generate(SEED * 100 + 28, 2000, 4, 25)
    world.topics(4)
    with Service(dict(RULES, **{"tables.sql": world.tables()}), world.config()) as service:
        service.start()
        feeder = Feeder(world, log, 10)
        for _ in range(4):
            feeder.allow(300)
            wait_for("progress", feeder.idle, 60, 0.01)
            world.broker.kill()
            time.sleep(chance.random())
            world.broker.start()
        feeder.finish()
        check_end(world, service, log)


def case_stopped_for_long(world):
    """The process is stopped in the middle of a transaction until the broker has given that up, and goes on: it loses nothing, repeats nothing, and need not be started again."""
    log = model.generate(SEED * 100 + 30, 1200, 4, 25)
    world.topics(4)
    config = world.config()
    config["sinks"] = {"topic": world.kafka_sink(**{"properties.transaction.timeout.ms": "2000"})}
    points, aborts = (13, 16), 0
    with Faults() as faults, Service(dict(RULES, **{"tables.sql": world.tables()}), config) as service:
        feeder = Feeder(world, log, 20)
        for point in points:
            service.env.update(faults.env("%d:2:stop" % point))
            service.start()

            def stopped():
                if feeder.idle():
                    feeder.allow(feeder.chunk)
                with open("/proc/%d/stat" % service.process.pid, encoding="ascii") as file:
                    return file.read().rsplit(")", 1)[1].split()[0] == "T"
            wait_for("the stop at point %d" % point, stopped, 60, 0.05)
            time.sleep(4)
            service.process.send_signal(signal.SIGCONT)
            feeder.allow(100)
            wait_for("progress", feeder.idle, 60, 0.01)
            service.wait_ready(60)
            before = service.metric("epochs_total")
            feeder.allow(20)
            service.wait_metric("epochs_total", before + 1, 60)
            aborts += service.metric("aborts_total")
            if point != points[-1]:
                assert service.stop() == 0, service.log()[-2000:]
        assert aborts >= 1, "every transaction outlived its time"
        feeder.finish()
        check_end(world, service, log)


def restore(service, path):
    """The state folder of a service that is not running becomes what the savepoint holds."""
    shutil.rmtree(service.path("state"), ignore_errors=True)
    done = subprocess.run([binary(), "savepoint", "restore", path, "--config", service.path("config.json")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()


def case_taken_over(world):
    """A savepoint of the running service, restored elsewhere with another number of shards, takes over: the elder is fenced and stops by itself. A stale folder that is started by
    mistake is refused without disturbing anybody."""
    log = model.generate(SEED * 100 + 29, 1500, 4, 25)
    world.topics(4)
    rules = dict(RULES, **{"tables.sql": world.tables()})
    with Service(rules, world.config()) as elder, Service(rules, dict(world.config(), shards=3)) as younger:
        elder.start()
        world.produce(log[:500], 100)
        elder.wait_metric("source_records_total", 500, table="orders")
        elder.epochs_pass()
        younger.start(ready=False)
        wait_for("the stale one to refuse", lambda: not younger.running(), 30)
        assert younger.process.returncode == 1 and "stale" in younger.log(), younger.log()[-2000:]
        elder.epochs_pass()
        assert elder.running() and elder.metric("aborts_total") == 0
        answer = elder.request("POST", "/v1/savepoints/moved")
        assert answer.status in (200, 201, 202), answer
        wait_for("the savepoint", lambda: os.path.exists(elder.path("state", "savepoints", "moved.savepoint")), 20)
        restore(younger, elder.path("state", "savepoints", "moved.savepoint"))
        younger.start()
        world.produce(log[500:], 100)
        wait_for("the elder to stop by itself", lambda: not elder.running(), 60)
        assert elder.process.returncode == 1 and "newer" in elder.log(), elder.log()[-2000:]
        check_end(world, younger, log)
