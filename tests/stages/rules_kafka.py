"""The shipped rules as they stand on a real Kafka: the demo's events in seven topics of two partitions, alerts in a topic; every planted case is found in what a
read_committed consumer sees. Run by 45-rules-kafka.sh; prints the tally last."""
import importlib.machinery
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "broker"), os.path.join(ROOT, "rules", "demo")]
import broker as brokers  # noqa: E402
import generate  # noqa: E402

KEYS = {"payments": "card_id", "transfers": "account_id", "logins": "user_id", "account_changes": "user_id", "orders": "user_id", "clicks": "ip",
        "gift_cards": "gift_id"}


def load_demo():
    loader = importlib.machinery.SourceFileLoader("demo_run", os.path.join(ROOT, "rules", "demo", "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo_run", loader))
    loader.exec_module(module)
    return module


def produce(broker, scenario):
    for stream in generate.STREAMS:
        broker.topic(stream, partitions=2)
        broker.produce(stream, [(str(event[KEYS[stream]]), generate.to_json(event)) for _, s, event in scenario.events if s == stream])
    broker.topic("alerts", partitions=2)


def standing(broker):
    alerts = {}
    for record in broker.consume("alerts"):
        data = json.loads(record["payload"])["data"]
        known = alerts.get(data["alert_id"])
        if not known or known["revision"] < data["revision"]:
            alerts[data["alert_id"]] = data
    return [data for data in alerts.values() if data["change"] != "withdrawn"]


def figures(port):
    """Records that are not read yet, alerts so far."""
    with urllib.request.urlopen("http://127.0.0.1:%s/metrics" % port, timeout=60) as answer:
        text = answer.read().decode()
    lags = [int(number) for number in re.findall(r"^cepheid_source_lag_records{[^}]*} (\d+)", text, re.M)]
    created = re.search(r"^cepheid_alerts_created_total (\d+)", text, re.M)
    return sum(lags) if lags else None, int(created.group(1)) if created else 0


def run_service(broker, work, seconds):
    """Until everything is read and no alert has come for some seconds; returns status and log."""
    config = {
        "application.id": "rules-on-kafka", "state.dir": os.path.join(work, "state"), "listen": "127.0.0.1:0", "rules.dir": os.path.join(ROOT, "rules"),
        "rules.watch": False, "sinks": {"topic": {"type": "kafka", "topic": "alerts", "properties": {"bootstrap.servers": broker.servers}}},
        "variables": {"KAFKA": broker.servers, "EVENTS_IDLE": "2 s", "PROFILES": os.path.join(ROOT, "data"), "CUSTOMERS": os.path.join(ROOT, "rules", "demo")},
    }
    path = os.path.join(work, "config.json")
    with open(path, "w") as out:
        json.dump(config, out)
    with open(os.path.join(work, "log"), "w") as log:
        process = subprocess.Popen([os.environ["CEPHEID"], "serve", "--config", path], stderr=log, cwd=ROOT)
    last, since, end, port = -1, time.monotonic(), time.monotonic() + seconds, None
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.5)
        if not port:
            with open(os.path.join(work, "log")) as log:
                port = (re.findall(r'event=listening detail="port (\d+)\D', log.read()) or [None])[0]
            continue
        try:
            lag, count = figures(port)
        except OSError:
            continue
        if count != last or lag != 0:
            last, since = count, time.monotonic()
        elif count > 0 and time.monotonic() - since > 8:
            break
    process.terminate()
    try:
        status = process.wait(120)
    except subprocess.TimeoutExpired:
        process.kill()
        status = "killed"
    return status, open(os.path.join(work, "log")).read()


def main():
    demo = load_demo()
    scenario = generate.make()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as work, brokers.Broker() as broker:
        produce(broker, scenario)
        status, log = run_service(broker, work, 400)
        rows = demo.judge(scenario, standing(broker), float("inf"))
        results = [("the service ended in order (status %s)" % status, status == 0)]
        for rule, planted, found, also, false in rows:
            good = found > 0 if rule in generate.LABELLED else found == planted
            results.append(("%s: %d of %d planted, %d also, %d false" % (rule, found, planted, also, false), good))
        for name, good in results:
            print("%s - %s" % ("ok" if good else "not ok", name))
            passed, failed = passed + good, failed + (not good)
        if failed:
            print(log[-4000:])
    print("tests: %d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
