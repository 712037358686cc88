"""The service under test as a process of its own, and the webhook receiver that it calls. Only the standard library.

Service writes its configuration and rule files into a temporary folder, starts the binary, waits for /readyz, asks REST, reads the metrics,
stops, kills and restarts it. Webhook is an HTTP server that checks Standard Webhooks signatures and can refuse, fail or hang. Neither knows
what a rule means: that is model.py."""
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "broker"))
from ports import unused_port  # noqa: E402,F401 (the cases take it from here)

PATIENCE = 4  # times of waiting are those of an idle machine; they end a wait that is in vain, and cost nothing where something comes
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
BASE_CONFIG = {"shards": 2, "commit.interval": "100 ms", "rules.watch": "false", "listen": "127.0.0.1:0", "drain.timeout": "5 s"}


def binary():
    """The program under test: $CEPHEID, else the release build, else that of $CEPHEID_BUILD."""
    root = os.environ.get("CEPHEID_ROOT") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    build = os.environ.get("CEPHEID_BUILD")
    for path in (os.environ.get("CEPHEID"), os.path.join(root, "build", "cepheid"), build and os.path.join(build, "service", "cepheid")):
        if path and os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise SystemExit("no cepheid binary: build it (./dev build) or name it in CEPHEID")


def parse(text):
    """JSON with exact numbers: 12.50 stays 12.50."""
    return json.loads(text, parse_float=Decimal)


def wait_for(what, probe, timeout=30, step=0.05):
    """Polls until probe() gives something true, which is returned."""
    timeout *= PATIENCE
    until = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError("waited %d s in vain for: %s" % (timeout, what))
        time.sleep(step)


def tell_failure(error, verbose):
    """What is wrong, where, and the last lines of the service: the lines of a failure's report."""
    short = isinstance(error, AssertionError) and not verbose
    text = "%s\n%s" % (error, "".join(traceback.format_tb(error.__traceback__)[-2:])) if short else "".join(traceback.format_exception(error))
    return [line[:400] for line in text.splitlines()[:60] + getattr(error, "service_log", "").splitlines() if line.strip()]


class Answer:
    """What REST said."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return parse(self.body.decode())

    def __repr__(self):
        return "%d %s" % (self.status, self.body[:2000].decode(errors="replace"))


class Service:
    """config: settings over BASE_CONFIG, "sinks" among them. rules: {file name: text}. Use as a context: at its end the process must still end in
    order when told to."""

    def __init__(self, rules, config=None, env=None, folder=None):
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="cepheid-e2e-")
        self.config = dict(BASE_CONFIG, **{"state.dir": self.path("state"), "rules.dir": self.path("rules")}, **(config or {}))
        self.env, self.process, self.port, self.starts = dict(os.environ, **(env or {})), None, None, 0
        self.stdin = subprocess.DEVNULL
        self.token = self.config.get("api.token")
        os.makedirs(self.path("rules"), exist_ok=True)
        for name, text in rules.items():
            self.write_rule(name, text)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        status = 0
        if kind is None and self.running():
            status = self.stop()
        self.kill()
        reports = [line for i in range(self.starts) for line in self.log(i + 1).splitlines() if "Sanitizer" in line or "runtime error:" in line]
        bad = kind is not None or status or reports
        told = "start %d of the service, its last lines:\n%s" % (self.starts, "".join(self.log().splitlines(True)[-15:])) if bad and self.starts else ""
        if error is not None:
            error.service_log = getattr(error, "service_log", "") + told
        if bad and os.environ.get("CEPHEID_KEEP"):
            print("kept: %s" % self.folder, flush=True)
        elif self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None:
            assert status == 0 and not reports, "the service ended with %d: %s\n%s" % (status, "\n".join(reports[:3]), told)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write_rule(self, name, text):
        path = self.path("rules", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".part", path)

    def read_lines(self, *parts):
        """Objects of a JSON-lines file; none if it is not there."""
        try:
            with open(self.path(*parts), encoding="utf-8") as file:
                return [parse(line) for line in file if line.strip()]
        except FileNotFoundError:
            return []

    # ---- life ----
    def start(self, ready=True, timeout=30):
        """Starts the process; returns once it listens and, if `ready`, once /readyz says 200."""
        with open(self.path("config.json"), "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=1)
        self.starts += 1
        with open(self.path("log.%d" % self.starts), "wb") as log:
            self.process = subprocess.Popen([binary(), "serve", "--config", self.path("config.json")], stdout=log, stderr=log,
                                            stdin=self.stdin, env=self.env, cwd=self.folder)
        self.port = None
        wait_for("the service to listen", self.listening, timeout, 0.002)
        if ready:
            self.wait_ready(timeout)
        return self

    def listening(self):
        found = re.search(r"port (\d+)\D", "".join(line for line in self.log().splitlines(True) if "listening" in line))
        if not found and self.process.poll() is not None:
            raise AssertionError("the service ended with %d before it listened:\n%s" % (self.process.returncode, self.log()[-4000:]))
        self.port = int(found.group(1)) if found else None
        return self.port

    def wait_ready(self, timeout=30):
        def probe():
            if self.process.poll() is not None:
                raise AssertionError("the service ended with %d:\n%s" % (self.process.returncode, self.log()[-4000:]))
            return self.get("/readyz").status == 200
        wait_for("/readyz", probe, timeout, 0.02)

    def log(self, number=None):
        with open(self.path("log.%d" % (number or self.starts)), encoding="utf-8", errors="replace") as file:
            return file.read()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.running():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30 * PATIENCE)

    def stop(self, timeout=30):
        """SIGTERM; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout * PATIENCE)

    def hangup(self):
        self.process.send_signal(signal.SIGHUP)

    # ---- REST ----
    def request(self, method, path, body=None, headers=None, timeout=90):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        head = dict({"Authorization": "Bearer " + self.token} if self.token else {}, **(headers or {}))
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            head.setdefault("Content-Type", "application/json")
        try:
            conn.request(method, path, body.encode() if isinstance(body, str) else body, head)
            answer = conn.getresponse()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            conn.close()

    def get(self, path, **query):
        return self.request("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def alerts(self, limit=7, **query):
        """All alerts, page by page."""
        found, after = [], None
        while True:
            answer = self.get("/v1/alerts", limit=limit, **dict(query, **({"after": after} if after else {})))
            assert answer.status == 200, answer
            page = answer.json
            assert len(page["data"]) <= limit, "a page is longer than asked for"
            found += page["data"]
            after = page["pagination"]["next_cursor"]
            assert bool(after) == page["pagination"]["has_more"]
            if not after:
                return found

    def metrics(self):
        """{name or name{labels}: number}."""
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return {name: float(value) for name, value in re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", answer.body.decode(), re.M)}

    def metric(self, name, **labels):
        label = "{%s}" % ",".join('%s="%s"' % pair for pair in labels.items()) if labels else ""
        return self.metrics().get("cepheid_" + name + label, 0)

    def wait_metric(self, name, least, timeout=30, **labels):
        return wait_for("%s >= %s" % (name, least), lambda: self.metric(name, **labels) >= least, timeout)

    def epochs_pass(self, count=3):
        """What was read before is decided: waits for decided or empty epochs."""
        def number():
            now = self.metrics()
            return now["cepheid_epochs_total"] + now["cepheid_epochs_empty_total"]
        begin = number()
        wait_for("epochs to pass", lambda: number() >= begin + count)


class Webhook:
    """A receiver on loopback. answer: what the next requests get: a number, a list of numbers used up one by one (then 200), or "hang"."""

    def __init__(self, answer=200, headers=None):
        self.answer, self.answer_headers = answer, headers or {}
        self.good, self.attempts, self.faults = [], [], []
        self.lock, self.released = threading.Lock(), threading.Event()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # the name that http.server wants
                hook.take(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a killed service leaves half a request behind

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def sink(self, **more):
        return dict({"type": "webhook", "url": "http://127.0.0.1:%d/alerts" % self.port, "secret": SECRET, "allow-private": "true",
                     "timeout": "30 s"}, **more)

    def next_answer(self):
        with self.lock:
            if isinstance(self.answer, list):
                return self.answer.pop(0) if self.answer else 200
            return self.answer

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        status = self.next_answer()
        ident = handler.headers.get("webhook-id")
        with self.lock:
            self.attempts.append((time.monotonic(), ident, status))
            fault = check_signature(handler.headers, body)
            if fault:
                self.faults.append(fault)
        if status == "hang":
            self.released.wait(600)
            return
        if status == 200:
            event = parse(body.decode())
            with self.lock:
                if event["id"] != ident:
                    self.faults.append("webhook-id %s for event %s" % (ident, event["id"]))
                self.good.append(event)
        handler.send_response(status)
        for name, value in self.answer_headers.items() if status != 200 else ():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def events(self):
        with self.lock:
            return list(self.good)


def check_signature(headers, body):
    """Standard Webhooks: HMAC-SHA256 over id.timestamp.body. None, or what is wrong."""
    ident, stamp, given = (headers.get("webhook-" + name) for name in ("id", "timestamp", "signature"))
    if not ident or not stamp or not given:
        return "headers are missing: %s" % dict(headers)
    if abs(time.time() - int(stamp)) > 300:
        return "timestamp %s" % stamp
    key = base64.b64decode(SECRET[len("whsec_"):])
    want = "v1," + base64.b64encode(hmac.new(key, ("%s.%s." % (ident, stamp)).encode() + body, hashlib.sha256).digest()).decode()
    return None if want in given.split(" ") else "signature %s of %s, not %s" % (given, ident, want)
