"""What the cases share: a service that reads songs from a file which grows, and says rows to a store."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import service  # noqa: E402

SONGS = """
CREATE TABLE plays (song STRING, artist STRING, plays BIGINT, price DECIMAL(12,2), liked BOOLEAN, at TIMESTAMP_LTZ(3), WATERMARK FOR at AS at - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json', 'source.follow' = 'true');
"""


class Songs(service.Service):
    """sql: the sink table and the INSERT. The events file grows by add()."""

    def __init__(self, sql, config=None):
        super().__init__({}, dict({"commit.interval": "50 ms", "application.id": "songs"}, **(config or {})))
        with open(self.path("plays.json"), "wb"):
            pass
        self.added = 0
        self.write_rule("songs.sql", SONGS.format(path=self.path("plays.json")) + sql)

    def add(self, *rows, **common):
        """rows: (song, plays) or (song, plays, price)."""
        with open(self.path("plays.json"), "a", encoding="utf-8") as file:
            for row in rows:
                stamp = "2026-01-01T%02d:%02d:%02d.000Z" % (self.added // 3600 % 24, self.added // 60 % 60, self.added % 60)
                value = {"song": row[0], "artist": "a of " + row[0], "plays": row[1], "price": row[2] if len(row) > 2 else 1.25, "liked": row[1] % 2 == 0, "at": stamp}
                value.update(common)
                file.write(json.dumps(value) + "\n")
                self.added += 1

    def sink(self, name):
        found = [sink for sink in self.get("/v1/sinks").json["data"] if sink.get("table") == name]
        assert len(found) == 1, found
        return found[0]

    def wait_trouble(self, name, *words, timeout=30):
        """Until the sink says what is wrong, in these words."""
        def probe():
            trouble = self.sink(name)["trouble"]
            return trouble if all(word in trouble for word in words) else None
        try:
            return service.wait_for("trouble", probe, timeout)
        except AssertionError:
            raise AssertionError("the sink says %r, but should say %r" % (self.sink(name)["trouble"], words)) from None

    def wait_empty(self, name, timeout=60):
        """Until everything that was added has gone through the log into the store."""
        self.epochs_pass()
        service.wait_for("the log of %s to be empty" % name, lambda: self.sink(name)["waiting_rows"] == 0, timeout)


def equal(got, want, what):
    assert got == want, "%s:\n got %r\nwant %r" % (what, got, want)


def wait_equal(what, ask, want, timeout=60):
    last = []

    def probe():
        last[:] = [ask()]
        return last[0] == want
    try:
        service.wait_for(what, probe, timeout)
    except AssertionError:
        raise AssertionError("%s:\n got %r\nwant %r" % (what, last[0], want)) from None
