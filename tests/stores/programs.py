"""Real stores as processes of their own, each in a temporary folder on a free port: Redis, PostgreSQL, ClickHouse, as Debian ships them, and an OpenSearch node, whose jars Maven
copies into the cache folder once. Each can be started, stopped, killed, held (SIGSTOP) and asked. Only the standard library."""
import fcntl
import glob
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "broker"))
from broker import run_again  # noqa: E402
from ports import unused_port  # noqa: E402


def wait_for(what, probe, timeout=240, step=0.05):
    until = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError("waited %d s in vain for: %s" % (timeout, what))
        time.sleep(step)


def alive(pid):
    """A zombie that nobody collects is dead."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


class Program:
    """user: who runs it if we are root (programs that refuse root)."""
    user = None

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cepheid-stores-")
        self.port, self.process, self.starts = unused_port(), None, 0
        if self.as_other():
            os.chmod(self.folder, 0o755)
            shutil.chown(self.folder, self.user)

    def as_other(self):
        return self.user and os.getuid() == 0 and pwd.getpwnam(self.user).pw_uid != 0

    def prefix(self):
        if not self.as_other():
            return []
        entry = pwd.getpwnam(self.user)
        return ["setpriv", "--reuid=%d" % entry.pw_uid, "--regid=%d" % entry.pw_gid, "--clear-groups"]

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def start(self):
        self.starts += 1
        with open(self.path("log.%d" % self.starts), "wb") as log:
            self.process = subprocess.Popen(self.prefix() + self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                                            start_new_session=True)
        try:
            wait_for("%s to answer" % type(self).__name__, self.answers)
        except AssertionError:
            with open(self.path("log.%d" % self.starts), errors="replace") as log:
                print(log.read()[-3000:], flush=True)
            raise
        return self

    def answers(self):
        assert self.process.poll() is None, "%s ended with %d" % (type(self).__name__, self.process.returncode)
        return self.ready()

    def signal_all(self, number):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self):
        self.signal_all(signal.SIGKILL)
        if self.process:
            self.process.wait(120)
            self.process = None

    def hold(self):
        self.signal_all(signal.SIGSTOP)

    def go_on(self):
        self.signal_all(signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go_on()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Program):
    """Every write is on disk before it is answered, so that a kill loses nothing."""

    def __init__(self, password=None, tls=None):
        super().__init__()
        self.password, self.tls = password, tls

    def url(self):
        return "%s://%s:%d" % ("rediss" if self.tls else "redis", "localhost" if self.tls else "127.0.0.1", self.port)

    def command(self):
        ports = ["--port", "0", "--tls-port", str(self.port), "--tls-cert-file", self.tls + ".pem", "--tls-key-file", self.tls + ".key", "--tls-auth-clients",
                 "no"] if self.tls else ["--port", str(self.port)]
        return ["redis-server", "--bind", "127.0.0.1", "--dir", self.folder, "--appendonly", "yes", "--appendfsync", "always", "--save", ""] + ports + (
            ["--requirepass", self.password] if self.password else [])

    def ask(self, *words):
        more = (["-a", self.password, "--no-auth-warning"] if self.password else []) + (["--tls", "--cacert", self.tls + ".pem"] if self.tls else [])
        done = subprocess.run(["redis-cli", "-h", "localhost" if self.tls else "127.0.0.1", "-p", str(self.port)] + more + [str(word) for word in words],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=90)
        return done.stdout.decode().splitlines()

    def ready(self):
        return self.ask("PING") == ["PONG"]

    def hash(self, key):
        lines = self.ask("HGETALL", key)
        return dict(zip(lines[::2], lines[1::2]))

    def scores(self, key):
        lines = self.ask("ZREVRANGE", key, 0, -1, "WITHSCORES")
        return list(zip(lines[::2], (float(score) for score in lines[1::2])))


class Postgres(Program):
    user = "postgres"
    password = "pa ss'word"

    def __init__(self):
        super().__init__()
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.data = self.path("data")
        secret = self.path("secret")
        with open(secret, "w") as file:
            file.write(self.password + "\n")
        if self.as_other():
            shutil.chown(secret, self.user)
        subprocess.run(self.prefix() + [os.path.join(self.bin, "initdb"), "-D", self.data, "-U", "ann", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync", "-E", "UTF8",
                                        "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def url(self, database="postgres"):
        return "postgresql://127.0.0.1:%d/%s" % (self.port, database)

    def command(self):
        return [os.path.join(self.bin, "postgres"), "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self.folder]

    def ask(self, sql, timeout=90):
        """Rows as lists of texts; None: it cannot be asked."""
        done = subprocess.run(["psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "ann", "-d", "postgres", "-At", "-F", "|", "-v", "ON_ERROR_STOP=1", "-c", sql],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, env=dict(os.environ, PGPASSWORD=self.password))
        if done.returncode:
            self.last_error = done.stderr.decode()
            return None
        return [line.split("|") for line in done.stdout.decode().splitlines()]

    def ready(self):
        return self.ask("SELECT 1") == [["1"]]

    def children(self):
        found = []
        for path in glob.glob("/proc/[0-9]*/stat") if self.process and self.process.poll() is None else ():
            try:
                with open(path) as file:
                    number, rest = file.read().split(" (", 1)
            except OSError:
                continue  # it has ended meanwhile
            if int(rest.rsplit(") ", 1)[1].split()[1]) == self.process.pid:
                found.append(int(number))
        return found

    def signal_all(self, number):
        """Backends are leaders of groups of their own."""
        for child in self.children():
            try:
                os.kill(child, number)
            except ProcessLookupError:
                pass
        super().signal_all(number)

    def kill(self):
        """Until the last backend is gone: a new server refuses to start beside it."""
        children = self.children()
        super().kill()
        wait_for("the backends to end", lambda: not any(alive(child) for child in children))


USERS = """<yandex>
 <profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles>
 <users><ann><password>secret</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></ann></users>
 <quotas><default/></quotas>
</yandex>
"""
CONFIG = """<yandex>
 <logger><level>warning</level><console>1</console></logger>
 <http_port>{port}</http_port><tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host>
 <path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><users_config>{folder}/users.xml</users_config>
 <default_profile>default</default_profile><default_database>default</default_database><mark_cache_size>5368709</mark_cache_size><timezone>UTC</timezone>
</yandex>
"""


class ClickHouse(Program):
    def __init__(self):
        super().__init__()
        for name, text in (("config.xml", CONFIG.format(port=self.port, tcp=unused_port(), folder=self.folder)), ("users.xml", USERS)):
            with open(self.path(name), "w") as file:
                file.write(text)

    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def command(self):
        return ["clickhouse-server", "--config-file=" + self.path("config.xml")]

    def ask(self, sql):
        request = urllib.request.Request(self.url() + "/?user=ann&password=secret", data=sql.encode())
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return [line.split("\t") for line in answer.read().decode().splitlines()]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None
        except OSError:
            return None

    def ready(self):
        return self.ask("SELECT 1") == [["1"]]


OPENSEARCH = "2.19.1"
HERE = os.path.dirname(os.path.abspath(__file__))
DESCRIPTOR = """name=transport-netty4
description=HTTP
version={version}
opensearch.version={version}
java.version=11
classname=org.opensearch.transport.Netty4Plugin
custom.foldername=
extended.plugins=
has.native.controller=false
"""
NODE = """cluster.name: tests
node.name: one
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport}
discovery.type: single-node
cluster.routing.allocation.disk.threshold_enabled: false
"""
LOGGING = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


def install_opensearch():
    """Copies the jars into the cache folder; nothing to do if they are there. Gives the folder."""
    cache = os.environ.get("CEPHEID_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cepheid")
    folder = os.path.join(cache, "opensearch-" + OPENSEARCH)
    done = os.path.join(folder, ".complete")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(cache, "maven.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(done):
            run_again(["mvn", "-q", "-B", "-f", os.path.join(HERE, "search", "pom.xml"), "dependency:copy-dependencies", "-Dopensearch.version=" + OPENSEARCH,
                       "-DoutputDirectory=" + folder, "-DincludeScope=runtime"])
            with open(done, "w") as file:
                file.write(OPENSEARCH + "\n")
    return folder


class OpenSearch(Program):
    user = "nobody"

    def __init__(self):
        super().__init__()
        for name in ("lib", "modules/transport-netty4", "config", "data", "logs", "plugins"):
            os.makedirs(self.path(name))
        for jar in glob.glob(os.path.join(install_opensearch(), "*.jar")):
            name = os.path.basename(jar)
            transport = name.startswith("netty-") or name.startswith("transport-netty4")
            shutil.copy(jar, self.path("modules/transport-netty4" if transport else "lib", name))  # where its user can read it
        files = {"modules/transport-netty4/plugin-descriptor.properties": DESCRIPTOR.format(version=OPENSEARCH),
                 "modules/transport-netty4/plugin-security.policy": "grant { permission java.security.AllPermission; };\n",
                 "config/opensearch.yml": NODE.format(port=self.port, transport=unused_port()), "config/log4j2.properties": LOGGING}
        for name, text in files.items():
            with open(self.path(name), "w") as file:
                file.write(text)
        if self.as_other():
            for folder, _, names in os.walk(self.folder):
                for name in [""] + names:
                    shutil.chown(os.path.join(folder, name), self.user)

    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def command(self):
        return ["java", "-Xms512m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Djava.security.manager=allow", "-Dlog4j2.disable.jmx=true", "-Dlog4j.shutdownHookEnabled=false",
                "-Djava.io.tmpdir=" + self.path("logs"), "-Dopensearch.path.home=" + self.folder, "-Dopensearch.path.conf=" + self.path("config"),
                "-Dopensearch.distribution.type=tar", "-Dopensearch.bundled_jdk=false", "-cp", self.path("lib", "*"), "org.opensearch.bootstrap.OpenSearch"]

    def ask(self, path, body=None, method=None):
        """The answer's JSON; None: it does not answer."""
        request = urllib.request.Request(self.url() + path, data=body.encode() if body else None, headers={"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return json.loads(error.read() or b"null")
        except OSError:
            return None

    def ready(self):
        return (self.ask("/_cluster/health?wait_for_status=yellow&timeout=5s") or {}).get("status") in ("yellow", "green")
