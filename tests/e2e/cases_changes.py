"""Tables of INSERT INTO that take changes: upsert-kafka by tombstones, Kafka and files with an op in each row."""
from service import Service, parse, wait_for

PAIRS = """
CREATE TABLE plays (id STRING, song STRING, plays BIGINT, at TIMESTAMP_LTZ(3), WATERMARK FOR at AS at - INTERVAL '5' SECOND)
WITH ('connector' = 'http', 'format' = 'json');
CREATE TABLE pairs (id STRING, plays BIGINT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = '{pairs}', 'key.format' = 'json', 'value.format' = 'json', {properties});
CREATE TABLE changes (id STRING, plays BIGINT) WITH ('connector' = 'kafka', 'topic' = '{changes}', 'format' = 'json', 'changelog' = 'op', {properties});
CREATE TABLE lines (id STRING, plays BIGINT) WITH ('connector' = 'filesystem', 'path' = 'lines.csv', 'format' = 'csv', 'changelog' = 'op');
CREATE VIEW found AS
SELECT id, plays FROM plays MATCH_RECOGNIZE (
  PARTITION BY song ORDER BY at MEASURES A.id AS id, B.plays AS plays ONE ROW PER MATCH PATTERN (A B) DEFINE A AS A.plays = 1, B AS B.plays > 1) AS m;
INSERT INTO pairs SELECT id, plays FROM found;
INSERT INTO changes SELECT id, plays FROM found;
INSERT INTO lines SELECT id, plays FROM found;
"""


def row(ident, song, plays, second):
    return '{"id": "%s", "song": "%s", "plays": %d, "at": "2026-01-01T00:00:%02d.000Z"}' % (ident, song, plays, second)


def case_changes_as_tombstones_and_ops(world):
    """A late row takes a match back: a tombstone of its key for upsert-kafka, a row with its op for the others."""
    for topic in ("pairs", "changes"):
        world.broker.topic(world.name(topic), 1)
    sql = PAIRS.format(pairs=world.name("pairs"), changes=world.name("changes"), properties=world.properties())
    for delivery in ("exactly-once", "at-least-once"):
        tag = delivery[0]
        with Service({"a.sql": sql}, {"application.id": world.name(delivery), "delivery": delivery}) as one:
            one.start()

            def push(*rows):
                answer = one.request("POST", "/v1/ingest/plays", "\n".join(rows))
                assert answer.status == 200, answer
            push(row(tag + "1", "a", 1, 1), row("x", "a", 2, 3), row(tag + "2", "b", 1, 1), row("x", "b", 5, 3))
            push(row("late", "a", 0, 2))

            def of_now(topic):
                return [record for record in world.broker.consume(world.name(topic)) if tag in record["key"]] if topic == "pairs" else [
                    value for value in (parse(record["payload"]) for record in world.broker.consume(world.name(topic))) if tag in value["id"]]
            wait_for("a tombstone", lambda: [record for record in of_now("pairs") if record["payload"] is None])
            records = {(record["key"], record["payload"]) for record in of_now("pairs")}
            keys = ['{"id":"%s%d"}' % (tag, number) for number in (1, 2)]
            want = {(keys[0], '{"id":"%s1","plays":2}' % tag), (keys[0], None), (keys[1], '{"id":"%s2","plays":5}' % tag)}
            assert records == want, records
            wait_for("three changes", lambda: len(of_now("changes")) == 3)
            ops = sorted((value["op"], value["id"], value["plays"]) for value in of_now("changes"))
            assert ops == [("+I", tag + "1", 2), ("+I", tag + "2", 5), ("-D", tag + "1", 2)], ops
            with open(one.path("lines.csv"), encoding="utf-8") as file:
                lines = sorted(file.read().split())
            assert lines == ["+I,%s1,2" % tag, "+I,%s2,5" % tag, "-D,%s1,2" % tag], lines
