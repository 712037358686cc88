#!/usr/bin/env python3
"""A real Apache Kafka for tests: installs it once, starts 1..n KRaft nodes on loopback with their files in a temporary folder, kills, restarts, stops them.

As a module:    with Broker(nodes=1, sasl=True) as broker: broker.topic("orders", 8); broker.produce("orders", [(b"k", b"v", 0)]); broker.consume("orders")
As a program:   broker.py install | run [--nodes N] [--sasl] -- COMMAND…    (COMMAND sees KAFKA=host:port, KAFKA_CONTROL and, with
                --sasl, KAFKA_SASL, KAFKA_CA, KAFKA_USER, KAFKA_PASSWORD)

Needs java, mvn (only for the installation), kcat, and openssl for --sasl. Only the standard library."""
import argparse
import atexit
import base64
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid

from ports import free_ports  # noqa: F401 (others take it from here)

VERSION = "3.9.2"
HERE = os.path.dirname(os.path.abspath(__file__))
USER, PASSWORD = "cepheid", "right-password"


def jars_folder():
    cache = os.environ.get("CEPHEID_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cepheid")
    return os.path.join(cache, "kafka-" + VERSION)


def install():
    """Copies Kafka's jars into the cache folder; nothing to do if they are there. Gives the folder."""
    folder = jars_folder()
    done = os.path.join(folder, ".complete")
    if os.path.exists(done):
        return folder
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(os.path.dirname(folder), "maven.lock"), "w", encoding="utf-8") as lock:  # several may come at once, on a machine that has nothing yet
        fcntl.flock(lock, fcntl.LOCK_EX)
        return folder if os.path.exists(done) else fetch_jars(folder, done)


def fetch_jars(folder, done):
    run_again(["mvn", "-q", "-B", "-f", os.path.join(HERE, "pom.xml"), "dependency:copy-dependencies", "-Dkafka.version=" + VERSION,
               "-DoutputDirectory=" + folder, "-DincludeScope=runtime"])
    with open(done, "w", encoding="utf-8") as file:
        file.write(VERSION + "\n")
    return folder


def run_again(command, times=4, **more):
    """A download: the network may fail for a moment."""
    for left in range(times - 1, -1, -1):
        if subprocess.run(command, check=left == 0, stdout=sys.stderr, **more).returncode == 0:
            return
        time.sleep(5)


class Wire:
    """The few requests of Kafka's protocol that kcat cannot make."""

    def __init__(self, port):
        self.port = port

    @staticmethod
    def text(value):
        if value is None:
            return struct.pack(">h", -1)
        raw = value.encode()
        return struct.pack(">h", len(raw)) + raw

    def call(self, key, version, body, timeout=90):
        with socket.create_connection(("127.0.0.1", self.port), timeout) as conn:
            request = struct.pack(">hhi", key, version, 1) + self.text("tests") + body
            conn.sendall(struct.pack(">i", len(request)) + request)
            raw = b""
            while len(raw) < 4 or len(raw) < 4 + struct.unpack(">i", raw[:4])[0]:
                more = conn.recv(65536)
                if not more:
                    raise OSError("broker closed the connection")
                raw += more
        return Reader(raw[8:])

    def create_topic(self, name, partitions, replication, config):
        body = struct.pack(">i", 1) + self.text(name) + struct.pack(">ihi", partitions, replication, 0) + struct.pack(">i", len(config))
        for key, value in config.items():
            body += self.text(key) + self.text(str(value))
        answer = self.call(19, 2, body + struct.pack(">i?", 20000, False))
        answer.i32()
        return [(answer.text(), answer.i16(), answer.text()) for _ in range(answer.i32())][0]

    def add_partitions(self, name, partitions):
        body = struct.pack(">i", 1) + self.text(name) + struct.pack(">ii", partitions, -1) + struct.pack(">i?", 20000, False)
        answer = self.call(37, 0, body)
        answer.i32()
        return [(answer.text(), answer.i16(), answer.text()) for _ in range(answer.i32())][0]

    def delete_topic(self, name):
        answer = self.call(20, 1, struct.pack(">i", 1) + self.text(name) + struct.pack(">i", 20000))
        answer.i32()
        return [(answer.text(), answer.i16()) for _ in range(answer.i32())][0]

    def committed(self, group, topic, partitions):
        body = self.text(group) + struct.pack(">i", 1) + self.text(topic) + struct.pack(">i", len(partitions))
        answer = self.call(9, 2, body + b"".join(struct.pack(">i", p) for p in partitions))
        result = {}
        for _ in range(answer.i32()):
            answer.text()
            for _ in range(answer.i32()):
                partition, offset, metadata = answer.i32(), answer.i64(), answer.text()
                answer.i16()
                if offset >= 0:
                    result[partition] = (offset, metadata)
        return result


class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, form, size):
        value = struct.unpack_from(form, self.raw, self.at)[0]
        self.at += size
        return value

    def i16(self):
        return self.take(">h", 2)

    def i32(self):
        return self.take(">i", 4)

    def i64(self):
        return self.take(">q", 8)

    def text(self):
        size = self.i16()
        if size < 0:
            return None
        value = self.raw[self.at:self.at + size].decode()
        self.at += size
        return value


class Node:
    def __init__(self, broker, number, ports):
        self.broker, self.number, self.process = broker, number, None
        self.port, self.controller_port, self.sasl_port = ports
        self.folder = os.path.join(broker.folder, "node%d" % number)
        self.log = os.path.join(self.folder, "server.log")

    def configure(self, voters):
        os.makedirs(self.folder, exist_ok=True)
        broker, copies = self.broker, min(3, self.broker.count)
        listeners = ["PLAINTEXT://127.0.0.1:%d" % self.port, "CONTROLLER://127.0.0.1:%d" % self.controller_port]
        if broker.sasl:
            listeners.append("SASL_SSL://127.0.0.1:%d" % self.sasl_port)
        lines = {
            "process.roles": "broker,controller",
            "node.id": self.number,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(one for one in listeners if not one.startswith("CONTROLLER")),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": os.path.join(self.folder, "data"),
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.threads": 1,
            "log.cleaner.dedupe.buffer.size": 4 << 20,
            "log.cleaner.backoff.ms": 1000,
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
            "default.replication.factor": copies,
            "min.insync.replicas": max(1, copies - 1),
            "group.initial.rebalance.delay.ms": 0,
            "broker.session.timeout.ms": 6000,  # a shorter one runs out on a busy machine; a longer one is waited for at each restart
            "broker.heartbeat.interval.ms": 400,
            "controller.quorum.election.timeout.ms": 1000,
        }
        if broker.sasl:
            module = "org.apache.kafka.common.security"
            lines.update({
                "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
                "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": module + ".scram.ScramLoginModule required;",
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": module + ".scram.ScramLoginModule required;",
                "listener.name.sasl_ssl.plain.sasl.jaas.config": '%s.plain.PlainLoginModule required user_%s="%s";' % (module, USER, PASSWORD),
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": os.path.join(broker.folder, "server.pem"),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": broker.ca,
            })
        lines.update(broker.config)
        path = os.path.join(self.folder, "server.properties")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines("%s=%s\n" % item for item in lines.items())
        with open(os.path.join(self.folder, "log4j.properties"), "w", encoding="utf-8") as file:
            file.write("log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
                       "log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n\n")
        return path

    def java(self, heap):
        return ["java", "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dlog4j.configuration=file:" + os.path.join(self.folder, "log4j.properties"), "-cp", os.path.join(self.broker.jars, "*")]

    def format(self, path):
        command = self.java("128m") + ["kafka.tools.StorageTool", "format", "-t", self.broker.cluster, "-c", path]
        if self.broker.sasl:
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                command += ["--add-scram", "%s=[name=%s,password=%s]" % (mechanism, USER, PASSWORD)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise RuntimeError("formatting failed: " + done.stdout.decode(errors="replace"))

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.java("256m") + ["kafka.Kafka", os.path.join(self.folder, "server.properties")], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)

    def signal(self, number):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            if number in (signal.SIGKILL, signal.SIGTERM):
                try:
                    self.process.wait(60)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
            elif number == signal.SIGSTOP:
                self.wait_until_stopped()

    def wait_until_stopped(self):
        """The signal is on its way when kill returns: on a busy machine a thread may still answer."""
        tasks = "/proc/%d/task" % self.process.pid
        until = time.monotonic() + 60
        while time.monotonic() < until:
            states = []
            for task in os.listdir(tasks):
                try:
                    with open(os.path.join(tasks, task, "stat"), encoding="utf-8", errors="replace") as file:
                        states.append(file.read().rsplit(")", 1)[1].split()[0])
                except (FileNotFoundError, ProcessLookupError):
                    pass  # a thread that ended meanwhile
            if all(state in "TtZX" for state in states):
                return
            time.sleep(0.001)
        raise RuntimeError("a node did not stop")


class Broker:
    """A cluster. config: further server properties. Files stand under `folder` (a temporary one, removed by stop, unless given)."""

    def __init__(self, nodes=1, sasl=False, folder=None, config=None):
        self.count, self.sasl, self.config = nodes, sasl, dict(config or {})
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="cepheid-kafka-")
        self.cluster = "k" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]  # no dash in front: it would be an option
        self.jars, self.nodes = None, []
        self.ca = os.path.join(self.folder, "ca.pem")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- life ----
    def start(self):
        if not self.nodes:
            self.jars = install()
            os.makedirs(self.folder, exist_ok=True)
            if self.sasl:
                self.make_certificates()
            ports = free_ports(3 * self.count)
            self.nodes = [Node(self, i + 1, ports[3 * i:3 * i + 3]) for i in range(self.count)]
            voters = ",".join("%d@127.0.0.1:%d" % (node.number, node.controller_port) for node in self.nodes)
            for node in self.nodes:
                node.format(node.configure(voters))
            atexit.register(self.stop)
        for node in self.nodes:
            if not node.process or node.process.poll() is not None:
                node.start()
        self.wait_ready()
        return self

    def wait_ready(self, timeout=240):
        """Every running node lists every running node."""
        until = time.monotonic() + timeout
        running = [node for node in self.nodes if node.process and node.process.poll() is None]
        for node in running:
            while True:
                done = subprocess.run(["kcat", "-b", "127.0.0.1:%d" % node.port, "-L", "-J", "-m", "2"], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, check=False)
                if done.returncode == 0 and len(json.loads(done.stdout)["brokers"]) >= len(running):
                    break
                if node.process.poll() is not None or time.monotonic() > until:
                    with open(node.log, encoding="utf-8", errors="replace") as log:
                        raise RuntimeError("Kafka node %d does not come up:\n%s" % (node.number, "".join(log.readlines()[-30:])))
                time.sleep(0.1)

    def stop(self):
        for node in self.nodes:
            node.signal(signal.SIGKILL)  # nothing of it is needed again
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def kill(self, number=1):
        """kill -9 of one node; start() brings it back with the same ports and data."""
        self.nodes[number - 1].signal(signal.SIGKILL)

    def shutdown(self, number=1):
        self.nodes[number - 1].signal(signal.SIGTERM)

    def suspend(self, number=1):
        """The node hangs: connections stay open, nothing answers."""
        self.nodes[number - 1].signal(signal.SIGSTOP)

    def resume(self, number=1):
        self.nodes[number - 1].signal(signal.SIGCONT)

    def restart(self, number=1):
        self.kill(number)
        self.start()

    @property
    def servers(self):
        return ",".join("127.0.0.1:%d" % node.port for node in self.nodes)

    @property
    def sasl_servers(self):
        return ",".join("127.0.0.1:%d" % node.sasl_port for node in self.nodes)

    def sasl_properties(self, password=PASSWORD, mechanism="SCRAM-SHA-256"):
        """librdkafka's properties for the SASL_SSL listener."""
        return {"bootstrap.servers": self.sasl_servers, "security.protocol": "SASL_SSL", "sasl.mechanism": mechanism, "sasl.username": USER,
                "sasl.password": password, "ssl.ca.location": self.ca}

    def make_certificates(self):
        def run(*command):
            subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem")
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
        with open(os.path.join(self.folder, "san.cnf"), "w", encoding="utf-8") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "san.cnf",
            "-out", "server.crt")
        with open(os.path.join(self.folder, "server.pem"), "w", encoding="utf-8") as out:
            for name in ("server.key", "server.crt", "ca.pem"):
                with open(os.path.join(self.folder, name), encoding="utf-8") as part:
                    out.write(part.read())

    # ---- topics and records ----
    def wire(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                return Wire(node.port)
        raise RuntimeError("no node runs")

    def topic(self, name, partitions=1, replication=None, **config):
        """Creates a topic; config: cleanup_policy="compact" sets cleanup.policy. Returns when all its partitions have leaders."""
        config, until = {key.replace("_", "."): value for key, value in config.items()}, time.monotonic() + 120
        while True:
            _, code, text = self.wire().create_topic(name, partitions, replication or min(3, self.count), config)
            if code in (0, 36):  # 36: exists already
                break
            if code not in (5, 7, 38, 41) or time.monotonic() > until:  # too busy to answer in time, or a node's session has run out: for a moment
                raise RuntimeError("topic %s: error %d %s" % (name, code, text))
            time.sleep(0.5)
        self.wait_topic(name, partitions)

    def wait_topic(self, name, partitions, timeout=120):
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            found = self.metadata(name)
            if len(found) >= partitions and all(one.get("leader", -1) >= 0 for one in found):
                return
            time.sleep(0.05)
        raise RuntimeError("topic %s has no leaders" % name)

    def metadata(self, name):
        done = subprocess.run(["kcat", "-b", self.servers, "-L", "-J", "-t", name, "-m", "5"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        topics = json.loads(done.stdout)["topics"] if done.returncode == 0 else []
        return topics[0]["partitions"] if topics else []

    def add_partitions(self, name, partitions):
        _, code, text = self.wire().add_partitions(name, partitions)
        if code:
            raise RuntimeError("topic %s: error %d %s" % (name, code, text))
        self.wait_topic(name, partitions)

    def delete_topic(self, name):
        _, code = self.wire().delete_topic(name)
        if code:
            raise RuntimeError("topic %s: error %d" % (name, code))

    def committed(self, group, topic, partitions):
        """{partition: (offset, metadata)} of what the group has committed (single node only)."""
        return self.wire().committed(group, topic, list(partitions))

    def produce(self, topic, records, options=()):
        """records: (key, value, partition) of bytes or str; key None: none; value None: a tombstone; partition None or absent: by key. In order within a
        partition as long as runs of the same shape are long: each run is one call of kcat."""
        run, shape = [], None

        def text(value):
            return value.encode() if isinstance(value, str) else value

        def flush():
            if not run:
                return
            partition, keyed, tombstone = shape
            command = ["kcat", "-b", self.servers, "-P", "-t", topic, "-D", "\x1e", "-X", "topic.partitioner=murmur2_random", "-X", "enable.idempotence=true"]
            if partition is not None:
                command += ["-p", str(partition)]
            if keyed:
                command += ["-K", "\x1f"]
            if tombstone:
                command += ["-Z"]
            for option in options:
                command += ["-X", option]
            put(command, b"".join((key + b"\x1f" if keyed else b"") + value + b"\x1e" for key, value in run), len(run))
            run.clear()

        for record in records:
            key, value = text(record[0]), text(record[1])
            partition = record[2] if len(record) > 2 else None
            this = (partition, key is not None, value is None)
            if this != shape:
                flush()
                shape = this
            run.append((key, value if value is not None else b""))
        flush()

    def consume(self, topic, isolation="read_committed", timeout=120, partition=None, options=()):
        """All records now in the topic, as [{"partition", "offset", "ts", "key", "payload"}] in the order of arrival."""
        until = time.monotonic() + timeout
        command = ["kcat", "-b", self.servers, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J", "-X", "isolation.level=" + isolation]
        if partition is not None:
            command += ["-p", str(partition)]
        for option in options:
            command += ["-X", option]
        while True:  # kcat gives up where it cannot ask for the topic's partitions within five seconds
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
            if done.returncode == 0:
                return [json.loads(line) for line in done.stdout.decode().splitlines()]
            if time.monotonic() > until:
                raise RuntimeError("%s cannot be read: %s" % (topic, done.stderr.decode(errors="replace")[-1000:]))
            time.sleep(0.2)


def put(command, data, count):
    """kcat ends with 0 although records were not taken: says so on standard error only. If none was, they may be given once more."""
    for last in (False, True):
        done = subprocess.run(command, input=data, stderr=subprocess.PIPE, check=False)
        said = done.stderr.decode(errors="replace")
        lost = said.count("Delivery failed")
        if done.returncode == 0 and not lost:
            return
        if last or done.returncode or lost < count:
            raise RuntimeError("kcat (%d): %d of %d records were not taken: %s" % (done.returncode, lost, count, said[-1000:]))
        time.sleep(1)


def serve_control(broker):
    """A Unix socket for tests in other languages: a line "kill 1", "start", "suspend 1", "resume 1", "partitions TOPIC N", "delete TOPIC" per connection, answered
    by "ok" or the error. Gives its path."""
    path = os.path.join(broker.folder, "control")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(4)

    def obey(words):
        actions = {"kill": lambda: broker.kill(int(words[1])), "start": broker.start, "suspend": lambda: broker.suspend(int(words[1])),
                   "resume": lambda: broker.resume(int(words[1])), "partitions": lambda: broker.add_partitions(words[1], int(words[2])),
                   "delete": lambda: broker.delete_topic(words[1])}
        actions[words[0]]()

    def loop():
        while True:
            conn, _ = listener.accept()
            with conn, conn.makefile("rw", encoding="utf-8") as file:
                try:
                    obey(file.readline().split())
                    file.write("ok\n")
                except Exception as error:  # told to the test
                    file.write("%s\n" % error)

    threading.Thread(target=loop, daemon=True).start()
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["install", "run"])
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--sasl", action="store_true")
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, command = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]
    if args.action == "run" and not command:
        parser.error("run needs: -- COMMAND")
    if args.action == "install":
        print(install())
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    with Broker(args.nodes, args.sasl) as broker:
        env = dict(os.environ, KAFKA=broker.servers)
        if args.sasl:
            env.update(KAFKA_SASL=broker.sasl_servers, KAFKA_CA=broker.ca, KAFKA_USER=USER, KAFKA_PASSWORD=PASSWORD)
        env.update(KAFKA_CONTROL=serve_control(broker))
        return subprocess.call(command, env=env)


if __name__ == "__main__":
    sys.exit(main())
