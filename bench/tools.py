"""What the parts of the benchmark stand on: data, programs, peers, one timed run of a program, rounds that take turns."""
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time

JAVA = {  # peer: (version, heap and collector: the best found for it)
    "flink": ("2.3.0", ["-Xmx4g", "-XX:+UseParallelGC"]),
    "esper": ("9.0.0", ["-Xmx6g", "-Xmn2g", "-XX:+UseParallelGC"]),
    "siddhi": ("5.1.30", ["-Xmx6g", "-Xmn2g", "-XX:+UseParallelGC"]),
    "trino": ("435", ["-Xmx6g", "-XX:+UseParallelGC"]),
}
OPENS = ["java.lang", "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.time", "java.nio", "sun.nio.ch"]


class Failure(Exception):
    """A program of the benchmark that ended badly."""


class Bench:
    def __init__(self, root, rounds, quick):
        self.root, self.rounds, self.quick = root, rounds, quick
        self.folder = os.path.join(root, "build", "bench")
        self.cepheid = os.environ.get("CEPHEID") or os.path.join(root, "build", "cepheid")
        self.cache = os.environ.get("CEPHEID_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cepheid")
        self.core = max(os.sched_getaffinity(0))
        self.failures, self.counted = [], {}
        os.makedirs(os.path.join(self.folder, "data"), exist_ok=True)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def data(self, name):
        return os.path.join(self.folder, "data", name)

    def fail(self, text):
        """A check that did not hold: told at once and in the report; the run ends with status 1."""
        self.failures.append(text)
        print("   WRONG: " + text, flush=True)

    # ---- data ----

    def orders(self, **options):
        """Path of generated orders; made once. Options are those of tests/orders/gen_orders.py, and all of them stand in the name: another size is another file."""
        path = self.data("orders" + "".join("-%s%s" % (key, value) for key, value in sorted(options.items())) + ".jsonl")
        if not os.path.exists(path):
            arguments = [sys.executable, self.path("tests", "orders", "gen_orders.py"), "--out", path + ".new"]
            for key, value in options.items():
                arguments += ["--" + key.replace("_", "-"), str(value)]
            subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
            os.rename(path + ".new", path)
        return path

    def lines(self, path):
        """How many lines a file has, counted."""
        if path not in self.counted:
            with open(path, "rb") as file:
                self.counted[path] = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        return self.counted[path]

    def head(self, path, count):
        """The first lines of a file, as a file."""
        cut = "%s.%d" % (path, count)
        if not os.path.exists(cut):
            with open(path, "rb") as source, open(cut + ".new", "wb") as target:
                for _, line in zip(range(count), source):
                    target.write(line)
            os.rename(cut + ".new", cut)
        return cut

    def in_order(self, path):
        """The same orders decoded and sorted by time, tab-separated: user, country, order, milliseconds. For peers that match in order of arrival."""
        target = path + ".tsv"
        if not os.path.exists(target):
            from datetime import datetime
            rows = []
            with open(path, encoding="utf-8") as source:
                for index, line in enumerate(source):
                    order = json.loads(line)
                    moment = datetime.fromisoformat(order["ts"].replace("Z", "+00:00"))
                    rows.append((round(moment.timestamp() * 1000), index, order))
            rows.sort(key=lambda row: row[:2])
            with open(target + ".new", "w", encoding="utf-8") as out:
                for ms, _, order in rows:
                    out.write("%s\t%s\t%s\t%d\n" % (order["user_id"], order["country"], order["order_id"], ms))
            os.rename(target + ".new", target)
        return target

    def rule(self, name, text):
        """A rule file of the benchmark."""
        path = self.data(name + ".sql")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    # ---- programs ----

    def program(self, name):
        """A program of bench/, built with the release options."""
        folder = self.path("build", "release")
        subprocess.run(["ninja", "-C", folder, "bench/" + name], check=True, stdout=subprocess.DEVNULL)
        return os.path.join(folder, "bench", name)

    def java(self, peer, main, arguments, pom=None):
        """Command line of a peer's program; its jars are fetched and its source is compiled first, once."""
        version, options = JAVA[peer]
        jars = os.path.join(self.cache, "bench-%s-%s" % (peer, version))
        pom = self.path(*(pom or ("bench", "peers", peer, "pom.xml")))
        if not os.path.exists(os.path.join(jars, ".complete")):
            print("   fetching %s %s" % (peer, version), flush=True)
            fetch = ["mvn", "-q", "-B", "-f", pom, "-Dmaven.artifact.threads=1", "dependency:copy-dependencies", "-DoutputDirectory=" + jars, "-DincludeScope=runtime"]
            if all(subprocess.run(fetch, check=False).returncode for _ in range(3)):  # a registry that refuses now and then
                raise Failure("%s %s cannot be fetched" % (peer, version))
            open(os.path.join(jars, ".complete"), "w", encoding="utf-8").close()
        source = self.path("bench", "peers", peer, main + ".java")
        classes = os.path.join(self.folder, "classes", peer)
        stamp = os.path.join(classes, main + ".class")
        if not os.path.exists(stamp) or os.path.getmtime(stamp) < os.path.getmtime(source):
            subprocess.run(["javac", "-nowarn", "-cp", jars + "/*", "-d", classes, source], check=True, stderr=subprocess.DEVNULL)
        opens = ["--add-opens=java.base/%s=ALL-UNNAMED" % package for package in OPENS]
        return ["java", *opens, *options, "-cp", classes + ":" + jars + "/*", main, *map(str, arguments)]

    def run(self, command, out=None, timeout=1200, cores=None):
        """Runs a command pinned to one core (cores: a list for taskset instead). Returns wall and CPU seconds, greatest RSS in KiB, and standard output unless it
        goes to the file `out`."""
        pin = ["taskset", "-c", cores or str(self.core)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        target = open(out, "wb") if out else subprocess.PIPE
        try:
            with subprocess.Popen(pin + command, stdout=target, stderr=subprocess.PIPE) as process:
                try:
                    text, errors = process.communicate(timeout=timeout)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    raise Failure("%s took more than %d s" % (" ".join(command[:3]), timeout)) from None
        finally:
            if out:
                target.close()
        wall = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode != 0:
            raise Failure("%s ended with status %d: %s" % (" ".join(command[:3]), process.returncode, errors.decode(errors="replace")[-600:]))
        return {"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "text": (text or b"").decode()}

    def json_lines(self, command, **options):
        """Lines of JSON that a program prints."""
        return [json.loads(line) for line in self.run(command, **options)["text"].splitlines() if line.startswith("{")]

    def query(self, sql, out=os.devnull, eager=False, defines=None, timeout=1200):
        """One run of `cepheid query`."""
        command = [self.cepheid, "query"] + (["-e", "eager"] if eager else [])
        for key, value in (defines or {}).items():
            command += ["-D", "%s=%s" % (key, value)]
        return self.run(command + [sql], out=out, timeout=timeout)

    def engine(self, sql, path, *options):
        """One run of the engine in one process: what it prints. The rows that it counted must be those of the file."""
        found = self.json_lines([self.program("bench-engine"), sql, "orders", path, *map(str, options)])[-1]
        self.same_rows("bench-engine", found["rows"], path)
        return found

    def same_rows(self, name, rows, path):
        """A rate is of rows that were gone through: a program that tells another number than the file has lines is a failure."""
        if rows != self.lines(path):
            raise Failure("%s went through %d rows of %s, which has %d" % (name, rows, os.path.basename(path), self.lines(path)))

    def instructions(self, sql, path, function="bench_match"):
        """Instructions a row that a function of bench-engine takes, counted by callgrind; None without valgrind."""
        if not shutil.which("valgrind"):
            return None
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=" + function, "--callgrind-out-file=" + os.devnull,
                   self.program("bench-engine"), sql, "orders", path, "--repeat", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not found:
            raise Failure("callgrind ended with status %d: %s" % (done.returncode, done.stderr[-600:]))
        self.same_rows("bench-engine", json.loads(done.stdout.splitlines()[-1])["rows"], path)
        return int(found.group(1)) / self.lines(path)

    def turns(self, subjects, rounds=None):
        """subjects: {name: function that returns seconds}. All take turns for the rounds; {name: {"median", "least", "most", "all"}}."""
        found = {name: [] for name in subjects}
        for _ in range(rounds or self.rounds):
            for name, function in subjects.items():
                found[name].append(function())
        return {name: spread(values) for name, values in found.items()}


def at_least(value, aim):
    """A figure with its aim, for the report's verdict."""
    return {"value": value, "aim": aim, "way": "at least", "reached": value >= aim}


def at_most(value, aim):
    return {"value": value, "aim": aim, "way": "at most", "reached": value <= aim}


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "all": [round(value, 6) for value in values]}
