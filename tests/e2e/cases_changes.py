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


READ_BACK = """
CREATE TABLE pairs (id STRING, plays BIGINT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = '{topic}', 'key.format' = 'json', 'value.format' = 'json', {properties});
CREATE TABLE orders (id BIGINT, customer STRING, amount DECIMAL(12,2), PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'kafka', 'topic' = '{changes}', 'format' = 'debezium-json', {properties});
CREATE MATERIALIZED VIEW per_plays WITH ('key' = 'plays') AS SELECT plays, COUNT(*) AS n FROM pairs GROUP BY plays;
CREATE MATERIALIZED VIEW spent WITH ('key' = 'customer') AS SELECT customer, SUM(amount) AS total, MAX(id) AS last FROM orders GROUP BY customer;
CREATE MATERIALIZED VIEW both_sides WITH ('key' = 'id') AS SELECT p.id, p.plays, o.amount FROM pairs AS p LEFT JOIN orders AS o ON o.customer = p.id AND o.id < 10;
"""


def case_changes_of_tables_as_streams(world):
    """An upsert topic and Debezium's records, grouped and joined into views: what stands, also when the service was killed in between."""
    topic, changes = world.name("upserts"), world.name("debezium")
    for name in (topic, changes):
        world.broker.topic(name, 1)

    def image(number, customer, amount):
        return '{"id":%d,"customer":"%s","amount":"%s"}' % (number, customer, amount)

    def change(op, before, after):
        return '{"before":%s,"after":%s,"op":"%s","ts_ms":1}' % (before or "null", after or "null", op)
    steps = [
        ([("a", 1), ("b", 1), ("c", 2)], [("r", None, (1, "a", "10.50")), ("c", None, (2, "a", "1.25")), ("c", None, (3, "b", "7.00"))],
         {"1": 2, "2": 1}, {"a": ("11.75", 2), "b": ("7.00", 3)}, {"a": ["1.25", "10.50"], "b": ["7.00"], "c": [None]}),
        ([("a", 2), ("b", None)], [("u", (1, "a", "10.50"), (1, "c", "10.50")), ("d", (3, "b", "7.00"), None), ("d", (3, "b", "7.00"), None)],
         {"2": 2}, {"a": ("1.25", 2), "c": ("10.50", 1)}, {"a": ["1.25"], "c": ["10.50"]}),
        ([("c", None), ("b", 2), ("b", 2)], [("u", None, (2, "a", "2.00")), ("c", None, (4, "b", "0.10"))],
         {"2": 2}, {"a": ("2.00", 2), "b": ("0.10", 4), "c": ("10.50", 1)}, {"a": ["2.00"], "b": ["0.10"]}),
    ]
    sql = READ_BACK.format(topic=topic, changes=changes, properties=world.properties())
    with Service({"a.sql": sql}, {"application.id": world.name("reader")}) as one:
        one.start()

        def view(name):
            return one.get("/v1/views/%s?limit=100" % name).json["data"]
        for upserts, records, plays, spent, sides in steps:
            world.broker.produce(topic, [('{"id":"%s"}' % key, None if number is None else '{"id":"%s","plays":%d}' % (key, number)) for key, number in upserts])
            world.broker.produce(changes, [("k", change(op, before and image(*before), after and image(*after))) for op, before, after in records])
            wait_for("counts", lambda: {str(row["plays"]): row["n"] for row in view("per_plays")} == plays)
            wait_for("sums", lambda: {row["customer"]: (str(row["total"]), row["last"]) for row in view("spent")} == spent)

            def joined():
                found = {}
                for row in view("both_sides"):
                    found.setdefault(row["id"], []).append(row["amount"] and str(row["amount"]))
                return {key: sorted(values, key=str) for key, values in found.items()}
            wait_for("pairs", lambda: joined() == sides)
            one.kill()
            one.start()
        assert one.read_lines("state", "dead-letters.jsonl") == []
