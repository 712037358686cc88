"""Avro, Protobuf and change records through a real Kafka and a real schema registry. Written and read by Confluent's own Python client, so that nothing of ours judges itself.
Run by tests/stages/56-registry.sh with the Python of registry.py; prints the tally last."""
import datetime
import decimal
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", name) for name in ("broker", "e2e", "registry")]
import broker as brokers  # noqa: E402
import registry as registries  # noqa: E402
from service import Service, parse, tell_failure, wait_for  # noqa: E402
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer  # noqa: E402
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2  # noqa: E402

D = decimal.Decimal
UTC = datetime.timezone.utc
START = datetime.datetime(2026, 1, 5, 10, 0, 0, tzinfo=UTC)
LATER = START + datetime.timedelta(minutes=1)


def money(precision, scale):
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


STAMP = {"type": "long", "logicalType": "timestamp-millis"}


def record(*fields):
    return json.dumps({"type": "record", "name": "Tx", "namespace": "shop", "fields": [dict(zip(("name", "type", "default"), f)) for f in fields]})


V1 = record(("id", "int"), ("amount", money(12, 2)), ("ts", STAMP), ("note", ["null", "string"], None))
V2 = record(("id", "long"), ("amount", money(12, 2)), ("ts", STAMP), ("country", "string", "??"))
V3 = record(("id", "long"), ("amount", money(12, 2)), ("ts", STAMP), ("country", "string", "??"),
            ("device", ["null", {"type": "record", "name": "Device", "fields": [{"name": "os", "type": {"type": "enum", "name": "Os", "symbols": ["IOS", "ANDROID"]}},
                                                                               {"name": "score", "type": "float"}]}], None))
BAD = record(("id", "string"), ("amount", money(12, 2)), ("ts", STAMP))


def service_of(world, rules):
    """A service of its own: no two may share an application.id on one broker."""
    world.services += 1
    return Service({"r.sql": rules}, {"application.id": "formats-%d" % world.services})


class World:
    def __init__(self, broker, registry, gate, work):
        self.broker, self.registry, self.gate, self.work = broker, registry, gate, work
        self.client = SchemaRegistryClient({"url": registry.url})
        self.topics = self.services = 0

    def topic(self, partitions=1):
        self.topics += 1
        name = "topic-%d" % self.topics
        self.broker.topic(name, partitions=partitions)
        return name

    def produce(self, topic, records):
        """records: (key, value) of bytes; value None: a tombstone."""
        producer = Producer({"bootstrap.servers": self.broker.servers})
        for key, value in records:
            producer.produce(topic, key=key, value=value)
        producer.flush()

    def avro(self, topic, schema, value, field=MessageField.VALUE):
        key = (topic, schema, field)
        cache = self.__dict__.setdefault("serializers", {})
        if key not in cache:
            cache[key] = AvroSerializer(self.client, schema, conf={"auto.register.schemas": True})
        return cache[key](value, SerializationContext(topic, field))

    def consume(self, topic, count, timeout=120):
        consumer = Consumer({"bootstrap.servers": self.broker.servers, "group.id": "reader-" + topic, "isolation.level": "read_committed"})
        consumer.assign([TopicPartition(topic, 0, 0)])
        found, until = [], time.monotonic() + timeout
        while len(found) < count and time.monotonic() < until:
            message = consumer.poll(0.2)
            if message is not None and not message.error():
                found.append(message.value())
        extra = consumer.poll(1.0)
        consumer.close()
        assert extra is None or extra.error(), "more records than wanted: %r" % extra.value()
        return found

    def options(self, topic, form, more=""):
        return ("WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'scan.startup.mode' = 'earliest-offset', 'format' = '%s', "
                "'%s.url' = '%s', '%s.basic-auth.user-info' = '%s:%s'%s)" % (topic, self.broker.servers, form, form, self.gate.url, form, registries.USER, registries.PASSWORD, more))

    def query(self, text):
        """Rows, and what was said on standard error."""
        path = os.path.join(self.work, "query.sql")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([os.environ["CEPHEID"], "query", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
        assert done.returncode == 0, done.stderr.decode()
        return [parse(line) for line in done.stdout.decode().splitlines()], done.stderr.decode()


BOUNDED = ", 'scan.bounded.mode' = 'latest-offset'"


def transactions(count):
    for i in range(count):
        at = START + datetime.timedelta(seconds=i)
        yield i, D(100 * i + 5).scaleb(-2), at, at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def write_versions(world, topic, count=30):
    records, rows = [], []
    for i, amount, at, text in transactions(count):
        value = {"id": i, "amount": amount, "ts": at}
        row = {"id": i, "amount": amount, "ts": text, "country": None, "os": None, "score": None}
        if i % 3 == 0:
            raw = world.avro(topic, V1, dict(value, note="n%d" % i))
        elif i % 3 == 1:
            raw = world.avro(topic, V2, dict(value, country="FR"))
            row["country"] = "FR"
        else:
            raw = world.avro(topic, V3, dict(value, country="DE", device={"os": "ANDROID", "score": 0.5}))
            row.update(country="DE", os="ANDROID", score=D("0.5"))
        records.append((b"k%d" % i, raw))
        rows.append(row)
    world.produce(topic, records)
    return rows


COLUMNS = "id BIGINT, amount DECIMAL(12,2), ts TIMESTAMP_LTZ(3), country STRING, device ROW<os STRING, score DOUBLE>"


def avro_evolution(world):
    """Three versions of a schema mixed in one topic."""
    topic = world.topic()
    want = write_versions(world, topic)
    select = "SELECT id, amount, ts, country, device.os AS os, device.score AS score FROM tx;"
    rows, _ = world.query("CREATE TABLE tx (%s) %s;\n%s" % (COLUMNS, world.options(topic, "avro-confluent", BOUNDED), select))
    assert rows == want, (rows[:4], want[:4])
    reader = V3.replace("'", "''")
    rows, _ = world.query("CREATE TABLE tx (%s) %s;\n%s" % (COLUMNS, world.options(topic, "avro-confluent", BOUNDED + ", 'avro-confluent.schema' = '%s'" % reader), select))
    assert rows == [dict(row, country=row["country"] or "??") for row in want], rows[:4]


def incompatible_change(world):
    """The registry keeps the compatibility rule, and says no to a sink of ours as to anybody."""
    topic = world.topic()
    world.produce(topic, [(None, world.avro(topic, V2, {"id": 1, "amount": D("1.00"), "ts": START, "country": "FR"}))])
    try:
        world.avro(topic, BAD, {"id": "1", "amount": D("1.00"), "ts": START})
        raise AssertionError("the registry took an incompatible schema")
    except Exception as error:  # noqa: BLE001
        assert "409" in str(error) or "ncompatible" in str(error), error
    rules = ("CREATE TABLE gen (id STRING, ts TIMESTAMP_LTZ(3)) WITH ('connector' = 'filesystem', 'path' = '/dev/null', 'format' = 'json');\n"
             "CREATE TABLE out_tx (id STRING, ts TIMESTAMP_LTZ(3)) %s;\nINSERT INTO out_tx SELECT id, ts FROM gen;\n" % world.options(topic, "avro-confluent"))
    service = service_of(world, rules)
    try:
        service.start(ready=False, timeout=20)
        wait_for("the end", lambda: not service.running(), 20)
    except AssertionError:
        pass
    log = service.log()
    service.kill()
    shutil.rmtree(service.folder, ignore_errors=True)
    assert "409" in log or "ncompatible" in log, log[-2000:]


def avro_sink(world):
    """Rows written by us, read by Confluent's deserialiser."""
    source, target = world.topic(), world.topic()
    want = write_versions(world, source)
    rules = ("CREATE TABLE tx (%s) %s;\nCREATE TABLE out_tx (id BIGINT, amount DECIMAL(12,2), ts TIMESTAMP_LTZ(3), country STRING, tags ARRAY<STRING>) %s;\n"
             "INSERT INTO out_tx SELECT id, amount, ts, country, ARRAY[country, 'x'] FROM tx;\n" %
             (COLUMNS, world.options(source, "avro-confluent"), world.options(target, "avro-confluent")))
    with service_of(world, rules) as service:
        service.start()
        found = world.consume(target, len(want))
    read = AvroDeserializer(world.client)
    rows = [read(raw, SerializationContext(target, MessageField.VALUE)) for raw in found]
    expected = [{"id": row["id"], "amount": row["amount"], "ts": START + datetime.timedelta(seconds=row["id"]), "country": row["country"],
                 "tags": [row["country"], "x"]} for row in want]
    assert sorted(rows, key=lambda row: row["id"]) == expected, (rows[:3], expected[:3])
    versions = world.client.get_versions(target + "-value")
    assert len(versions) == 1, versions


# ---- Protobuf ----
def field(message, name, number, kind, label=1, type_name=None, presence=None):
    one = message.field.add(name=name, number=number, type=kind, label=label)
    if type_name:
        one.type_name = type_name
    if presence is not None:
        one.proto3_optional, one.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name="_" + name)
    return one


def proto_classes(version):
    """Classes of shop.proto, which imports common.proto; version 2 has a field more."""
    F = descriptor_pb2.FieldDescriptorProto
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    common = descriptor_pb2.FileDescriptorProto(name="common%d.proto" % version, package="common", syntax="proto3")
    message = common.message_type.add(name="Money")
    field(message, "currency", 1, F.TYPE_STRING)
    field(message, "units", 2, F.TYPE_INT64)
    shop = descriptor_pb2.FileDescriptorProto(name="shop%d.proto" % version, package="shop", syntax="proto3", dependency=[common.name, "google/protobuf/timestamp.proto"])
    other = shop.message_type.add(name="Other")
    field(other, "x", 1, F.TYPE_INT32)
    order = shop.message_type.add(name="Order")
    field(order, "id", 1, F.TYPE_STRING)
    field(order, "amount", 2, F.TYPE_MESSAGE, type_name=".common.Money")
    field(order, "ts", 3, F.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp")
    field(order, "counts", 4, F.TYPE_SINT64, label=3)
    field(order, "maybe", 5, F.TYPE_INT32, presence=True)
    inner = order.nested_type.add(name="Line")
    field(inner, "id", 1, F.TYPE_STRING)
    if version == 2:
        field(order, "channel", 6, F.TYPE_STRING)
    pool.Add(common)
    pool.Add(shop)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in ("shop.Order", "shop.Order.Line", "common.Money")}


PROTO_COMMON = 'syntax = "proto3"; package common; message Money { string currency = 1; int64 units = 2; }'
PROTO_SHOP = """syntax = "proto3";
package shop;
import "common1.proto";
import "google/protobuf/timestamp.proto";
message Other { int32 x = 1; }
message Order {
  string id = 1; common.Money amount = 2; google.protobuf.Timestamp ts = 3; repeated sint64 counts = 4; optional int32 maybe = 5;
  message Line { string id = 1; }
%s}
"""


def proto_writer(world, topic, index, version):
    """Confluent's framing around what Google's library writes. Their own serialiser asks for serialised descriptors, which this registry does not give."""
    world.client.register_schema("common1.proto", Schema(PROTO_COMMON, "PROTOBUF"))
    text = PROTO_SHOP % ("  string channel = 6;\n" if version == 2 else "")
    number = world.client.register_schema(topic + "-value", Schema(text, "PROTOBUF", [SchemaReference("common1.proto", "common1.proto", 1)]))

    def write(message):
        buffer = io.BytesIO()
        buffer.write(struct.pack(">bI", 0, number))
        ProtobufSerializer._encode_varints(buffer, index, zigzag=True)
        buffer.write(message.SerializeToString())
        return buffer.getvalue()
    return write


def protobuf_messages(world):
    """Message indexes, imports by reference, a well-known type, two versions."""
    topic = world.topic()
    records, want = [], []
    for version in (1, 2):
        kinds = proto_classes(version)
        write = proto_writer(world, topic, [1], version)
        for i in range(10):
            order = kinds["shop.Order"](id="o%d-%d" % (version, i), counts=[i, -i])
            order.amount.currency, order.amount.units = "EUR", i
            order.ts.FromDatetime(START.replace(tzinfo=None) + datetime.timedelta(seconds=i, microseconds=5000))
            row = {"id": order.id, "units": i, "ts": "2026-01-05T10:00:%02d.005Z" % i, "counts": [i, -i], "maybe": None, "channel": None}
            if i % 2:
                order.maybe, row["maybe"] = 0, 0
            if version == 2:
                order.channel = "app" if i else ""
                row["channel"] = order.channel
            records.append((None, write(order)))
            want.append(row)
    world.produce(topic, records)
    rows, _ = world.query("CREATE TABLE o (id STRING, amount ROW<currency STRING, units BIGINT>, ts TIMESTAMP_LTZ(3), counts ARRAY<BIGINT>, maybe INT, channel STRING) %s;\n"
                          "SELECT id, amount.units AS units, ts, counts, maybe, channel FROM o;" % world.options(topic, "protobuf-confluent", BOUNDED))
    assert rows == want, (rows[:3], want[:3], rows[-1:], want[-1:])
    nested = world.topic()
    kinds = proto_classes(1)
    write = proto_writer(world, nested, [1, 0], 1)
    world.produce(nested, [(None, write(kinds["shop.Order.Line"](id="line")))])
    rows, _ = world.query("CREATE TABLE l (id STRING) %s;\nSELECT id FROM l;" % world.options(nested, "protobuf-confluent", BOUNDED))
    assert rows == [{"id": "line"}], rows


def protobuf_sink(world):
    """Rows written by us, registered as Protobuf, read by Google's library; and by ourselves, through the registry."""
    source, target = world.topic(), world.topic()
    want = write_versions(world, source)
    rules = ("CREATE TABLE tx (%s) %s;\nCREATE TABLE out_tx (id BIGINT, amount DECIMAL(12,2), ts TIMESTAMP_LTZ(3), country STRING, tags ARRAY<STRING>) %s;\n"
             "INSERT INTO out_tx SELECT id, amount, ts, country, ARRAY[country, 'x'] FROM tx;\n" %
             (COLUMNS, world.options(source, "avro-confluent"), world.options(target, "protobuf-confluent")))
    with service_of(world, rules) as service:
        service.start()
        found = world.consume(target, len(want))
    schema = world.client.get_latest_version(target + "-value").schema
    assert schema.schema_type == "PROTOBUF" and "message Row" in schema.schema_str, schema.schema_str
    F = descriptor_pb2.FieldDescriptorProto
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(name="row.proto", package="cepheid", syntax="proto3", dependency=["google/protobuf/timestamp.proto"])
    row = file.message_type.add(name="Row")
    for number, (name, kind) in enumerate((("id", F.TYPE_INT64), ("amount", F.TYPE_STRING), ("ts", F.TYPE_MESSAGE), ("country", F.TYPE_STRING), ("tags", F.TYPE_STRING)), 1):
        field(row, name, number, kind, 3 if name == "tags" else 1, ".google.protobuf.Timestamp" if name == "ts" else None, True if name not in ("ts", "tags") else None)
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("cepheid.Row"))
    rows = []
    for raw in found:
        assert raw[0] == 0 and raw[5] == 0, raw[:8]
        one = kind.FromString(raw[6:])
        rows.append({"id": one.id, "amount": D(one.amount), "ts": one.ts.ToDatetime(UTC), "country": one.country if one.HasField("country") else None, "tags": list(one.tags)})
    expected = [{"id": row["id"], "amount": row["amount"], "ts": START + datetime.timedelta(seconds=row["id"]), "country": row["country"],
                 "tags": [row["country"], "x"] if row["country"] else ["x"]} for row in want]
    assert sorted(rows, key=lambda row: row["id"]) == expected, (rows[:3], expected[:3])
    again, said = world.query("CREATE TABLE r (id BIGINT, amount DECIMAL(12,2), country STRING) %s;\nSELECT id, amount, country FROM r;" % world.options(
        target, "protobuf-confluent", BOUNDED))
    assert sorted(again, key=lambda row: row["id"]) == [{key: row[key] for key in ("id", "amount", "country")} for row in want], (again[:3], said)


def avro_references(world):
    """A schema that refers to another subject's."""
    topic = world.topic()
    world.client.register_schema("shop.Address", Schema(json.dumps({"type": "record", "name": "Address", "namespace": "shop", "fields": [{"name": "city", "type": "string"}]}), "AVRO"))
    text = json.dumps({"type": "record", "name": "Person", "namespace": "shop", "fields": [{"name": "name", "type": "string"}, {"name": "home", "type": "shop.Address"}]})
    schema = Schema(text, "AVRO", [SchemaReference("shop.Address", "shop.Address", 1)])
    write = AvroSerializer(world.client, schema)
    world.produce(topic, [(None, write({"name": "Ann", "home": {"city": "Rome"}}, SerializationContext(topic, MessageField.VALUE)))])
    rows, _ = world.query("CREATE TABLE p (name STRING, home ROW<city STRING>) %s;\nSELECT name, home.city AS city FROM p;" % world.options(topic, "avro-confluent", BOUNDED))
    assert rows == [{"name": "Ann", "city": "Rome"}], rows


# ---- the service ----
def rules_of(world, source, target):
    return ("CREATE TABLE tx (%s, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) %s;\nCREATE TABLE out_tx (id BIGINT, amount DECIMAL(12,2)) WITH ('connector' = 'kafka', 'topic' = '%s', "
            "'properties.bootstrap.servers' = '%s', 'format' = 'json');\nINSERT INTO out_tx SELECT id, amount FROM tx;\n" %
            (COLUMNS, world.options(source, "avro-confluent"), target, world.broker.servers))


def ids(found):
    return sorted(parse(raw.decode())["id"] for raw in found)


def bad_records(world):
    """Ids that nobody knows, no header, a record that is cut off: put aside, with the reason; the others arrive."""
    source, target = world.topic(), world.topic()
    write_versions(world, source, 6)
    good = world.avro(source, V2, {"id": 7, "amount": D("1.00"), "ts": LATER, "country": "FR"})
    world.produce(source, [(None, raw) for raw in (b"\x00\x00\x0f\x42\x40" + good[5:], b"{}", good[:-1], good + b"\x00", b"", good)])
    with service_of(world, rules_of(world, source, target)) as service:
        service.start()
        assert ids(world.consume(target, 7)) == [0, 1, 2, 3, 4, 5, 7]
        reasons = wait_for("dead letters", lambda: (lambda found: found if len(found) == 5 else None)(service.read_lines("state", "dead-letters.jsonl")))
        texts = [one["reason"] for one in reasons]
        for text, word in zip(texts, ("1000000", "does not begin", "ends within", "behind", "does not begin")):
            assert word in text, texts


def registry_away(world):
    """Shut at the start, then hanging: rows wait, nothing is put aside, a kill in between loses nothing; when it is back each row arrives once."""
    source, target = world.topic(), world.topic()
    write_versions(world, source, 30)
    world.gate.shut = True
    try:
        with service_of(world, rules_of(world, source, target)) as service:
            service.start(ready=False)
            wait_for("the reason in the log", lambda: "schema registry" in service.log() and "503" in service.log())
            time.sleep(1)
            service.kill()
            world.gate.shut, world.gate.hang = False, True
            service.start(ready=False)
            wait_for("the reason in the log", lambda: "cannot be reached" in service.log(), 40)
            world.gate.hang = False
            assert ids(world.consume(target, 30)) == list(range(30))
            assert service.read_lines("state", "dead-letters.jsonl") == []
            # known schemas need no registry any more
            world.gate.shut = True
            world.produce(source, [(None, world.avro(source, V2, {"id": 30, "amount": D("1.00"), "ts": LATER, "country": "FR"}))])
            assert ids(world.consume(target, 31)) == list(range(31))
            world.gate.shut = False
    finally:
        world.gate.shut = world.gate.hang = False


def wrong_password(world):
    source, target = world.topic(), world.topic()
    write_versions(world, source, 3)
    with service_of(world, rules_of(world, source, target).replace(registries.PASSWORD, "wrong")) as service:
        service.start(ready=False)
        wait_for("the reason in the log", lambda: "401" in service.log())
        assert "wrong" not in service.log().replace("went wrong", ""), "the password is in the log"
        assert service.read_lines("state", "dead-letters.jsonl") == []


def tls_and_token(world):
    """The registry behind HTTPS and a bearer token: read and written through it; a certificate that nobody vouches for and a wrong token are told as what they are."""
    source, target = world.topic(), world.topic()
    rows = write_versions(world, source, 6)
    name = os.path.join(world.work, "gate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", name + ".key", "-out", name + ".pem"], check=True, stderr=subprocess.DEVNULL)
    gate = registries.Gate(world.registry.port, "the token", (name + ".pem", name + ".key"))
    try:
        def options(topic, form, token="the token", ca=", '%s.ssl.ca-file' = '" + name + ".pem'"):
            return ("WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'scan.startup.mode' = 'earliest-offset', 'format' = '%s', "
                    "'%s.url' = '%s', '%s.bearer-auth.token' = '%s'%s)" % (topic, world.broker.servers, form, form, gate.url, form, token, ca and ca % form))

        def rules(**how):
            return ("CREATE TABLE tx (%s) %s;\nCREATE TABLE out_tx (id BIGINT, amount DECIMAL(12,2)) %s;\nINSERT INTO out_tx SELECT id, amount FROM tx;\n" %
                    (COLUMNS, options(source, "avro-confluent", **how), options(target, "protobuf-confluent")))
        with service_of(world, rules()) as service:
            service.start()
            assert len(world.consume(target, len(rows))) == len(rows)
        for how, word in (({"token": "no token"}, "401"), ({"ca": ""}, "certificate")):
            with service_of(world, rules(**how)) as service:
                service.start(ready=False)
                wait_for("the reason in the log", lambda: word in service.log())
                assert "no token" not in service.log(), "the token is in the log"
    finally:
        gate.stop()


# ---- change records ----
ENVELOPE = json.dumps({
    "type": "record", "name": "Envelope", "namespace": "db.customers", "fields": [
        {"name": "before", "default": None, "type": ["null", {"type": "record", "name": "Value", "fields": [
            {"name": "id", "type": "long"}, {"name": "segment", "type": ["null", "string"], "default": None},
            {"name": "credit", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}], "default": None}]}]},
        {"name": "after", "type": ["null", "Value"], "default": None}, {"name": "op", "type": "string"}, {"name": "ts_ms", "type": ["null", "long"], "default": None}]})


def changes(world, form, topic):
    """Four customers: 1 is created and changed, 2 deleted (and buried by a tombstone), 3 and 4 stay."""
    def image(number, segment, credit):
        return {"id": number, "segment": segment, "credit": D(credit)}
    steps = [("r", None, image(1, "new", "10.00")), ("c", None, image(2, "new", "20.00")), ("c", None, image(3, "vip", "30.50")), ("u", image(1, "new", "10.00"), image(1, "vip", "11.25")),
             ("d", image(2, "new", "20.00"), None), (None, None, None), ("c", None, image(4, None, "0.00"))]
    for op, before, after in steps:
        key = b'{"id":2}'
        if op is None:
            yield key, None
        elif form == "debezium-avro-confluent":
            yield key, world.avro(topic, ENVELOPE, {"before": before, "after": after, "op": op, "ts_ms": 1})
        else:
            payload = {"before": before, "after": after, "op": op, "source": {"table": "customers"}, "ts_ms": 1}
            yield key, json.dumps({"schema": {"type": "struct", "name": "x"}, "payload": payload}, default=str).encode()


def change_records(world):
    """A profile table that follows a table's changes; the same changes grouped."""
    for form in ("debezium-json", "debezium-avro-confluent"):
        topic, source = world.topic(), world.topic()
        world.produce(topic, list(changes(world, form, topic)))
        world.produce(source, [(None, json.dumps({"id": i, "customer": i, "ts": "2026-01-05T10:00:0%dZ" % i}).encode()) for i in range(1, 5)])
        options = world.options(topic, form)
        if form == "debezium-json":
            options = "WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'format' = 'debezium-json')" % (topic, world.broker.servers)
        text = ("CREATE TABLE customers (id BIGINT, segment STRING, credit DECIMAL(10,2), PRIMARY KEY (id) NOT ENFORCED) %s;\n"
                "CREATE TABLE o (id BIGINT, customer BIGINT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', "
                "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json');\n"
                "SELECT o.id, c.segment, c.credit FROM o LEFT JOIN customers FOR SYSTEM_TIME AS OF o.ts AS c ON c.id = o.customer;" % (options, source, world.broker.servers))
        rows, said = world.query(text)
        want = [{"id": 1, "segment": "vip", "credit": D("11.25")}, {"id": 2, "segment": None, "credit": None}, {"id": 3, "segment": "vip", "credit": D("30.50")},
                {"id": 4, "segment": None, "credit": D("0.00")}]
        assert rows == want, (form, rows, said)
        text = ("CREATE TABLE customers (id BIGINT, segment STRING, credit DECIMAL(10,2), PRIMARY KEY (id) NOT ENFORCED) %s;\n"
                "SELECT segment, COUNT(*) AS customers, SUM(credit) AS credit FROM customers GROUP BY segment;" % (options[:-1] + BOUNDED + ")"))
        rows, said = world.query(text)
        want = [{"segment": None, "customers": 1, "credit": D("0.00")}, {"segment": "vip", "customers": 2, "credit": D("41.75")}]
        assert sorted(rows, key=lambda row: row["segment"] or "") == want, (form, rows, said)


CASES = [avro_evolution, avro_references, incompatible_change, avro_sink, protobuf_messages, protobuf_sink, bad_records, registry_away, wrong_password, tls_and_token, change_records]


def set_compatibility(registry):
    request = urllib.request.Request(registry.url + "/config", data=b'{"compatibility":"BACKWARD"}', method="PUT", headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).read()


def main():
    wanted = sys.argv[1:]
    passed, failed, told = 0, 0, []
    registry = registries.Registry(brokers.free_ports(1)[0])
    gate = registries.Gate(registry.port)
    work = tempfile.mkdtemp(prefix="cepheid-formats-")
    try:
        with brokers.Broker() as broker:
            registry.wait_ready()
            set_compatibility(registry)
            world = World(broker, registry, gate, work)
            for case in CASES:
                if wanted and case.__name__ not in wanted:
                    continue
                begin = time.monotonic()
                try:
                    case(world)
                    passed += 1
                    print("ok - %s (%.1f s)" % (case.__name__, time.monotonic() - begin), flush=True)
                except Exception as error:  # noqa: BLE001
                    failed += 1
                    lines = ["not ok - " + case.__name__] + tell_failure(error, False)
                    print("\n".join(lines), flush=True)
                    told += ["== failed"] + lines[:30]
    finally:
        gate.stop()
        registry.stop()
        shutil.rmtree(work, ignore_errors=True)
    if told:
        print("\n".join(told))
    print("tests: %d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
