"""A real schema registry for tests: Apicurio with Confluent's REST interface, and in front of it a gate that asks for a password and can be shut. Installed once, by
package names: the registry from Maven Central, Confluent's own Python client (the independent writer and reader) from PyPI into a virtual environment.

As a program:   registry.py python       prints the Python of that environment, after installing it"""
import base64
import http.client
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "broker"))
from broker import run_again  # noqa: E402

REGISTRY = "3.0.9"
PACKAGES = ["confluent-kafka[avro,protobuf]==2.11.1"]
PREFIX = "/apis/ccompat/v7"
USER, PASSWORD = "cepheid", "right:password"  # a colon in the password must do no harm


def cache(*parts):
    top = os.environ.get("CEPHEID_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cepheid")
    return os.path.join(top, *parts)


def once(folder, work):
    done = os.path.join(folder, ".complete")
    if not os.path.exists(done):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        work()
        with open(done, "w", encoding="utf-8") as file:
            file.write("done\n")
    return folder


def install_registry():
    folder = cache("apicurio-registry-" + REGISTRY)

    def work():
        repository = os.path.join(folder, "repository")  # of its own; and plugin 2.8, since later ones want a parent that was never published
        run_again(["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:2.8:get", "-Dtransitive=false", "-Dmaven.repo.local=" + repository,
                   "-Dartifact=io.apicurio:apicurio-registry-app:%s:tar.gz:all" % REGISTRY], cwd=folder)
        archive = os.path.join(repository, "io", "apicurio", "apicurio-registry-app", REGISTRY, "apicurio-registry-app-%s-all.tar.gz" % REGISTRY)
        subprocess.run(["tar", "-xzf", archive], check=True, cwd=folder)
        shutil.rmtree(repository)
    return once(folder, work)


def install_python():
    folder = cache("python-registry-" + "-".join(PACKAGES).replace("[", "-").replace("]", "").replace(",", "-").replace("==", "-"))

    def work():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdout=sys.stderr)
        run_again([os.path.join(folder, "bin", "pip"), "-q", "--disable-pip-version-check", "install"] + PACKAGES)
    return os.path.join(once(folder, work), "bin", "python3")


class Registry:
    """The registry itself, without a password, on a free port."""

    def __init__(self, port):
        self.folder, self.port = install_registry(), port
        self.url = "http://127.0.0.1:%d%s" % (port, PREFIX)
        self.work = tempfile.mkdtemp(prefix="cepheid-registry-")
        runner = [name for name in os.listdir(self.folder) if name.endswith("-runner.jar")][0]
        self.log = open(os.path.join(self.work, "log"), "wb")
        self.process = subprocess.Popen(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.port=%d" % port, "-Dquarkus.http.host=127.0.0.1", "-jar",
                                         os.path.join(self.folder, runner)], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, cwd=self.work)

    def wait_ready(self, timeout=300):
        until = time.monotonic() + timeout
        while True:
            try:
                with urllib.request.urlopen(self.url + "/subjects", timeout=5) as answer:
                    if answer.status == 200:
                        return self
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError("the registry does not start:\n" + open(os.path.join(self.work, "log")).read()[-3000:])
            time.sleep(0.1)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.work, ignore_errors=True)


class Gate:
    """Passes requests on to the registry if they bear the password, or the token if it has one. shut: answers 503, as a proxy does whose registry is away; hang: answers
    nothing at all. tls: (certificate, key), files; then it is reached by HTTPS only."""

    def __init__(self, registry_port, token=None, tls=None):
        gate = self
        self.shut = self.hang = False
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body, kind="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gate.asked.append("%s %s" % (self.command, self.path))
                if gate.hang:
                    time.sleep(30)
                    return
                want = "Basic " + base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()
                if self.headers.get("Authorization") != ("Bearer " + token if token else want):
                    self.answer(401, b'{"error_code":401,"message":"Unauthorized"}')
                elif gate.shut:
                    self.answer(503, b"away", "text/plain")
                else:
                    conn = http.client.HTTPConnection("127.0.0.1", registry_port, timeout=20)
                    conn.request(self.command, self.path, body or None, {"Content-Type": self.headers.get("Content-Type") or "application/json"})
                    got = conn.getresponse()
                    self.answer(got.status, got.read(), got.getheader("Content-Type") or "application/json")
                    conn.close()

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "%s:%d%s" % ("https://localhost" if tls else "http://127.0.0.1", self.server.server_address[1], PREFIX)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    print(install_python())
