"""Rows over HTTP, and the bulk API of search indexes, against servers of our own that keep the rules of the real ones: tokens of batches, versions of documents."""
import base64
import http.server
import json
import threading

from world import Songs, equal, wait_equal

ROWS = """
CREATE TABLE history (song STRING, plays BIGINT, price DECIMAL(12,2))
WITH ('connector' = 'http', 'url' = '{url}/rows', 'headers.X-Team' = 'fraud', 'username' = 'ann', 'password' = 'secret', 'sink.batch-rows' = '10'{more});
INSERT INTO history SELECT song, plays, price FROM plays;
"""
INDEX = """
CREATE TABLE last_play (song STRING, plays BIGINT, price DECIMAL(12,2), at TIMESTAMP_LTZ(3), PRIMARY KEY (song) NOT ENFORCED)
WITH ('connector' = '{connector}', '{option}' = '{url}', 'index' = 'plays', 'username' = 'ann', 'password' = 'secret');
INSERT INTO last_play SELECT song, plays, price, at FROM plays;
"""


class Server:
    """answers: statuses of the next requests, then 200. lost: those answers are cut off after the request has been taken."""

    def __init__(self, port=0):
        self.answers, self.lost, self.tokens, self.rows, self.documents, self.heads = [], 0, set(), [], {}, []
        mine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # the name that http.server wants
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                mine.heads.append(dict(self.headers))
                status = mine.answers.pop(0) if mine.answers else 200
                answer = b"no"
                if status == 200:
                    answer = (mine.bulk(body) if self.path == "/_bulk" else mine.take(self.headers["Idempotency-Key"], body)).encode()
                if mine.lost:
                    mine.lost -= 1
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a killed service leaves half a request behind

        self.server = Quiet(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, token, body):
        if token not in self.tokens:
            self.tokens.add(token)
            self.rows += [json.loads(line) for line in body.splitlines()]
        return ""

    def bulk(self, body):
        lines, items = body.splitlines(), []
        while lines:
            (action, head), = json.loads(lines.pop(0)).items()
            document = json.loads(lines.pop(0)) if action == "index" else None
            known = self.documents.get(head["_id"], (0, None))
            assert head["_index"] == "plays" and head["version_type"] == "external_gte"
            if head["version"] < known[0]:
                items.append({action: {"_id": head["_id"], "status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "newer"}}})
            elif document and document["plays"] > 1000:
                items.append({action: {"_id": head["_id"], "status": 400, "error": {"type": "mapper_parsing_exception", "reason": "too many plays"}}})
            else:
                self.documents[head["_id"]] = (head["version"], document)
                items.append({action: {"_id": head["_id"], "status": 200}})
        return json.dumps({"took": 1, "errors": any("error" in item.get("index", item.get("delete")) for item in items), "items": items})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def case_http_rows_once_by_their_token():
    with Server() as server, Songs(ROWS.format(url=server.url, more=""), {"webhook.allow-private": "true"}) as songs:
        server.answers, server.lost = [503, 429], 0
        songs.start().add(*[("song %d" % i, i) for i in range(50)])
        songs.wait_empty("history")
        server.lost = 2  # taken, but the answer is lost: the batch comes again with its token
        songs.add(*[("song %d" % i, i) for i in range(50, 100)])
        songs.wait_empty("history")
        server.lost = 1
        songs.add(*[("song %d" % i, i) for i in range(100, 150)])
        wait_equal("a batch on its way", lambda: server.lost, 0)
        songs.kill()
        songs.start().wait_empty("history")
        equal(sorted(row["plays"] for row in server.rows), list(range(150)), "every row once")
        equal(server.rows[0], {"song": "song 0", "plays": 0, "price": 1.25}, "a row")
        equal((server.heads[0]["X-Team"], server.heads[0]["Authorization"]), ("fraud", "Basic " + base64.b64encode(b"ann:secret").decode()), "headers")
        server.answers = [403] * 100
        songs.add(("refused", 1))
        text = songs.wait_trouble("history", "answered 403", "check 'username' and 'password'")
        assert "secret" not in text, text
        server.answers = []
        songs.wait_empty("history")


def case_http_guards_addresses_inside():
    with Server() as server, Songs(ROWS.format(url=server.url, more="")) as songs:
        songs.start().add(("one", 1))
        songs.wait_trouble("history", "private")
        equal(server.heads, [], "nothing was sent")


def case_search_index_of_documents():
    """Versions, lost answers and refusals, as the real programs have them (see cases_search); Flink's names of options."""
    for connector, option in (("elasticsearch-7", "hosts"), ("opensearch", "url")):
        with Server() as server, Songs(INDEX.format(url=server.url, connector=connector, option=option)) as songs:
            songs.start().add(("one", 1), ("two", 2))
            songs.wait_empty("last_play")
            server.lost = 1
            songs.add(("one", 5))
            songs.wait_empty("last_play")
            want = {"one": {"song": "one", "plays": 5, "price": 1.25, "at": "2026-01-01T00:00:02.000Z"},
                    "two": {"song": "two", "plays": 2, "price": 1.25, "at": "2026-01-01T00:00:01.000Z"}}
            equal({key: value[1] for key, value in server.documents.items()}, want, "documents")
            songs.add(("bad", 2000), ("good", 3))
            songs.wait_trouble("last_play", "document bad", "mapper_parsing_exception", "too many plays")
