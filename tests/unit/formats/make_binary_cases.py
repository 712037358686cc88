#!/usr/bin/env python3
"""Writes binary_cases.h: records in Avro and Protobuf made by independent writers, with the rows that they must give.

usage: make_binary_cases.py > binary_cases.h        (needs fastavro, and protoc of protobuf-compiler)
The bytes come from fastavro and from protoc --encode; what a row must look like is written here by hand.
"""
import decimal
import datetime
import io
import json
import os
import subprocess
import tempfile
import uuid

import fastavro

TYPES = {"INT": "CEP_TYPE(INT)", "BIGINT": "CEP_TYPE(BIGINT)", "DOUBLE": "CEP_TYPE(DOUBLE)", "STRING": "CEP_TYPE(STRING)", "BOOLEAN": "CEP_TYPE(BOOLEAN)",
         "DATE": "CEP_TYPE(DATE)", "TIME": "CEP_TYPE(TIME)", "TIMESTAMP": "CEP_TYPE(TIMESTAMP)", "LTZ": "CEP_TYPE(TIMESTAMP_LTZ)", "BYTES": "CEP_TYPE(BYTES)",
         "ROW": "CEP_TYPE(ROW)", "MONEY": "CEP_DECIMAL_TYPE(12, 2)", "WIDE": "CEP_DECIMAL_TYPE(38, 10)", "HUGE": "CEP_DECIMAL_TYPE(20, 0)",
         "INTS": "{ .kind = CEP_KIND_ARRAY, .element = CEP_KIND_BIGINT }", "TEXTS": "{ .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING }"}
UTC = datetime.timezone.utc


def c_text(text):
    return json.dumps(text, ensure_ascii=False).replace("??", "?\\?")


def rec(*fields, **more):
    return {"type": "record", "name": "r", "fields": [dict(zip(("name", "type", "default"), f)) for f in fields], **more}


def logical(base, name, **more):
    return {"type": base, "logicalType": name, **more}


NAMED = [rec(("currency", "string"), ("units", "long"), name="money", namespace="pay"),
         rec(("a", "pay.money"), ("b", ["null", "pay.money"]))]
TREE = rec(("v", "int"), ("next", ["null", "r"]))
STAMP = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
NAIVE = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)

# name, columns, writer's schema, reader's schema or None, value, row
AVRO = [
    ("every primitive", "b BOOLEAN, i INT, l BIGINT, f DOUBLE, d DOUBLE, y BYTES, s STRING",
     rec(("b", "boolean"), ("i", "int"), ("l", "long"), ("f", "float"), ("d", "double"), ("y", "bytes"), ("s", "string")), None,
     {"b": True, "i": -7, "l": -2 ** 63, "f": 0.5, "d": 1e300, "y": b"\x00\xff", "s": "Grüße"},
     '{"b":true,"i":-7,"l":-9223372036854775808,"f":0.5,"d":1.0e+300,"y":"AP8=","s":"Grüße"}'),
    ("a projection that skips every kind", "last STRING",
     rec(("a", "boolean"), ("b", ["null", "int"]), ("c", {"type": "array", "items": "double"}), ("d", {"type": "map", "values": "float"}),
         ("e", {"type": "fixed", "name": "fx", "size": 3}), ("f", {"type": "enum", "name": "en", "symbols": ["A", "B"]}), ("g", rec(("x", "bytes"), name="in")),
         ("last", "string")), None,
     {"a": False, "b": 5, "c": [1.0, 2.0], "d": {"k": 1.5}, "e": b"abc", "f": "B", "g": {"x": b"12"}, "last": "here"}, '{"last":"here"}'),
    ("promotions", "i BIGINT, l DOUBLE, f DOUBLE, s BYTES, y STRING, m MONEY",
     rec(("i", "int"), ("l", "long"), ("f", "float"), ("s", "string"), ("y", "bytes"), ("m", "int")), None,
     {"i": 2 ** 31 - 1, "l": 2 ** 40, "f": 0.25, "s": "é", "y": b"ok", "m": 12}, '{"i":2147483647,"l":1099511627776.0,"f":0.25,"s":"w6k=","y":"ok","m":12.00}'),
    ("a float as money is the number that was meant", "f MONEY, s STRING", rec(("f", "float"), ("s", "float")), None, {"f": 49.1, "s": 0.1}, '{"f":49.10,"s":"0.1"}'),
    ("an int column out of range", "i INT", rec(("i", "long")), None, {"i": 2 ** 31}, 'MALFORMED: column "i": value out of range of INT, found 2147483648'),
    ("unions and nulls", "a INT, b STRING, c STRING",
     rec(("a", ["null", "int"]), ("b", ["int", "string", "null"]), ("c", ["null", "string"])), None, {"a": None, "b": "x", "c": "y"}, '{"a":null,"b":"x","c":"y"}'),
    ("a branch of another type is converted", "b STRING", rec(("b", ["int", "string"])), None, {"b": 5}, '{"b":"5"}'),
    ("decimals", "m MONEY, n MONEY, w WIDE, f MONEY",
     rec(("m", logical("bytes", "decimal", precision=12, scale=2)), ("n", logical("bytes", "decimal", precision=4, scale=2)),
         ("w", logical("bytes", "decimal", precision=38, scale=10)), ("f", dict(type="fixed", name="d16", size=16, logicalType="decimal", precision=30, scale=4))), None,
     {"m": decimal.Decimal("-12345678.90"), "n": decimal.Decimal("0.00"), "w": decimal.Decimal("-1234567890123456789012345678.0123456789"), "f": decimal.Decimal("1.2550")},
     '{"m":-12345678.90,"n":0.00,"w":-1234567890123456789012345678.0123456789,"f":1.26}'),
    ("times", "d DATE, tm TIME, tu TIME, a LTZ, b LTZ, c TIMESTAMP, e LTZ",
     rec(("d", logical("int", "date")), ("tm", logical("int", "time-millis")), ("tu", logical("long", "time-micros")), ("a", logical("long", "timestamp-millis")),
         ("b", logical("long", "timestamp-micros")), ("c", logical("long", "local-timestamp-micros")), ("e", "long")), None,
     {"d": datetime.date(1969, 12, 31), "tm": datetime.time(1, 2, 3, 4000), "tu": datetime.time(23, 59, 59, 999999), "a": STAMP, "b": STAMP, "c": NAIVE, "e": 1767323045},
     '{"d":"1969-12-31","tm":"01:02:03.004","tu":"23:59:59.999","a":"2026-01-02T03:04:05.678Z","b":"2026-01-02T03:04:05.678Z","c":"2026-01-02T03:04:05.678",'
     '"e":"2026-01-02T03:04:05.000Z"}'),
    ("before the epoch micros round down", "a LTZ", rec(("a", logical("long", "timestamp-micros"))), None, {"a": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)},
     '{"a":"1969-12-31T23:59:59.999Z"}'),
    ("uuids, enums", "a STRING, b STRING, c STRING",
     rec(("a", logical("string", "uuid")), ("b", dict(type="fixed", name="u", size=16, logicalType="uuid")), ("c", {"type": "enum", "name": "en", "symbols": ["RED", "BLUE"]})), None,
     {"a": uuid.UUID(int=5), "b": uuid.UUID("12345678-1234-5678-1234-567812345678").bytes, "c": "BLUE"},
     '{"a":"00000000-0000-0000-0000-000000000005","b":"12345678-1234-5678-1234-567812345678","c":"BLUE"}'),
    ("arrays", "a INTS, t TEXTS, e INTS", rec(("a", {"type": "array", "items": ["null", "int"]}), ("t", {"type": "array", "items": "string"}), ("e", {"type": "array", "items": "long"})),
     None, {"a": [1, None, -3], "t": ["x", "yy"], "e": []}, '{"a":[1,null,-3],"t":["x","yy"],"e":[]}'),
    ("nested columns", "a.units BIGINT, b.currency STRING, a ROW", NAMED[1], None, {"a": {"currency": "EUR", "units": 5}, "b": {"currency": "USD", "units": 1}},
     '{"a.units":5,"b.currency":"USD","a":{"currency":"EUR","units":5}}'),
    ("a nested record that is null", "b.currency STRING, b ROW", NAMED[1], None, {"a": {"currency": "EUR", "units": 5}, "b": None}, '{"b.currency":null,"b":null}'),
    ("maps: by key, and as a whole", "m.x INT, m.z INT, m ROW", rec(("m", {"type": "map", "values": "int"})), None, {"m": {"y": 2, "x": 1}},
     '{"m.x":1,"m.z":null,"m":{"y":2,"x":1}}'),
    ("a record that holds itself", "v INT, next.next.v INT, next ROW", TREE, None, {"v": 1, "next": {"v": 2, "next": {"v": 3, "next": None}}},
     '{"v":1,"next.next.v":3,"next":{"v":2,"next":{"v":3,"next":null}}}'),
    ("a column that the writer lacks is NULL", "a INT, b STRING", rec(("a", "int")), None, {"a": 1}, '{"a":1,"b":null}'),
    ("or the default of the reader's schema", "a INT, b STRING, c MONEY, d INTS, e STRING, f DATE, g INT",
     rec(("a", "int")), rec(("a", "int"), ("b", "string", "none"), ("c", logical("bytes", "decimal", precision=6, scale=2), "\u0001\u0000"),
                            ("d", {"type": "array", "items": "int"}, [1, 2]), ("e", ["null", "string"], None), ("f", logical("int", "date"), 1), ("g", ["int", "null"], 7)),
     {"a": 1}, '{"a":1,"b":"none","c":2.56,"d":[1,2],"e":null,"f":"1970-01-02","g":7}'),
    ("nested defaults", "a INT, p.x INT, p.y INT, p ROW", rec(("a", "int")),
     rec(("a", "int"), ("p", rec(("x", "int"), ("y", "int", 9), name="p"), {"x": 4})), {"a": 1}, '{"a":1,"p.x":4,"p.y":9,"p":{"x":4}}'),
    ("an alias of the reader's schema", "customer STRING", rec(("user", "string")),
     {"type": "record", "name": "r", "fields": [{"name": "customer", "type": "string", "aliases": ["client", "user"]}]}, {"user": "u1"}, '{"customer":"u1"}'),
    ("Debezium's and Connect's names of types", "t TIMESTAMP, d DATE",
     rec(("t", {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}), ("d", {"type": "int", "connect.name": "io.debezium.time.Date"})), None,
     {"t": 1767323045678901, "d": 20000}, '{"t":"2026-01-02T03:04:05.678","d":"2024-10-04"}'),
    ("text as a number", "m MONEY, t LTZ", rec(("m", "string"), ("t", "string")), None, {"m": "12.5", "t": "2026-01-02 03:04:05"}, '{"m":12.50,"t":"2026-01-02T03:04:05.000Z"}'),
    ("text that is none", "m MONEY", rec(("m", "string")), None, {"m": "many"}, 'MALFORMED: column "m": expected DECIMAL(12, 2), found many'),
    ("columns in what is no record", "a.x INT", rec(("a", "int")), None, {"a": 1}, 'config: Avro schema: "a" holds columns, but is no record'),
    ("a broken schema", "a INT", {"type": "record", "name": "r", "fields": [{"name": "a", "type": "nothing"}]}, None, None, 'config: Avro schema: unknown type "nothing"'),
]

PROTO = r'''
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum Channel { WEB = 0; APP = 1; SHOP = 7; }
message Order {
  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;
  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;
  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;
  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;
  repeated int32 loose = 30 [packed = false];
}
message Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }
'''
PROTO2 = r'''
syntax = "proto2";
message Old { required int32 a = 1; optional string b = 2 [default = "x"]; optional group G = 3 { optional int32 z = 1; } optional int32 c = 4; }
'''

# name, columns, schema, message, text format, row
PROTOBUF = [
    ("every scalar", "id STRING, i32 INT, i64 BIGINT, u32 BIGINT, u64 HUGE, s32 INT, s64 BIGINT, f32 BIGINT, f64 HUGE, sf32 INT, sf64 BIGINT, flag BOOLEAN, small DOUBLE, "
     "large DOUBLE, raw BYTES, channel STRING", PROTO, "shop.Order",
     'id: "ü" i32: -5 i64: -9223372036854775808 u32: 4294967295 u64: 18446744073709551615 s32: -3 s64: -4 f32: 7 f64: 18446744073709551614 sf32: -8 sf64: -9 flag: true '
     'small: 0.5 large: 2.25 raw: "\\000\\377" channel: SHOP',
     '{"id":"ü","i32":-5,"i64":-9223372036854775808,"u32":4294967295,"u64":18446744073709551615,"s32":-3,"s64":-4,"f32":7,"f64":18446744073709551614,"sf32":-8,"sf64":-9,'
     '"flag":true,"small":0.5,"large":2.25,"raw":"AP8=","channel":"SHOP"}'),
    ("what is absent", "id STRING, i32 INT, flag BOOLEAN, large DOUBLE, raw BYTES, channel STRING, ts LTZ, amount.units BIGINT, numbers INTS, counts ROW, maybe INT, card STRING, "
     "wrapped BIGINT", PROTO, "shop.Order", "",
     '{"id":"","i32":0,"flag":false,"large":0.0,"raw":"","channel":"WEB","ts":null,"amount.units":null,"numbers":[],"counts":{},"maybe":null,"card":null,"wrapped":null}'),
    ("zero that is present", "maybe INT, wrapped BIGINT, card STRING, iban STRING", PROTO, "Order", 'maybe: 0 wrapped { } card: ""',
     '{"maybe":0,"wrapped":0,"card":"","iban":null}'),
    ("messages", "amount.units BIGINT, amount.currency STRING, amount ROW, next.amount.inner.x INT, ts LTZ", PROTO, "shop.Order",
     'amount { currency: "EUR" units: 12 } next { amount { inner { x: 3 } } } ts { seconds: 1767323045 nanos: 678901000 }',
     '{"amount.units":12,"amount.currency":"EUR","amount":{"currency":"EUR","units":12},"next.amount.inner.x":3,"ts":"2026-01-02T03:04:05.678Z"}'),
    ("lists", "numbers INTS, tags TEXTS, loose INTS, channels TEXTS, parts STRING, numbers STRING", PROTO, "shop.Order",
     'numbers: [1, -2, 3] tags: ["a", "b"] loose: [4, 5] channels: [APP, WEB] parts { units: 1 } parts { currency: "X" }',
     '{"numbers":[1,-2,3],"tags":["a","b"],"loose":[4,5],"channels":["APP","WEB"],"parts":"[{\\"units\\":1},{\\"currency\\":\\"X\\"}]","numbers":"[1,-2,3]"}'),
    ("maps", "counts.a INT, counts.z INT, prices.7.units BIGINT, counts ROW, prices STRING", PROTO, "shop.Order",
     'counts { key: "a" value: 1 } counts { key: "b" } prices { key: 7 value { units: 9 } }',
     '{"counts.a":1,"counts.z":null,"prices.7.units":9,"counts":{"a":1,"b":0},"prices":"{\\"7\\":{\\"units\\":9}}"}'),
    ("an enum as its number, numbers as texts and money", "channel INT, i32 STRING, u32 MONEY, small MONEY", PROTO, "shop.Order", 'channel: SHOP i32: 5 u32: 12 small: 49.1',
     '{"channel":7,"i32":"5","u32":12.00,"small":49.10}'),
    ("the last of several counts", "id STRING, amount.units BIGINT, amount.currency STRING", PROTO, "shop.Order", None,
     '{"id":"b","amount.units":2,"amount.currency":"EUR"}'),
    ("a message inside of another by its name", "x INT", PROTO, "Money.Inner", "x: 4", '{"x":4}'),
    ("proto2", "a INT, b STRING, c INT", PROTO2, "Old", "a: 1 G { z: 5 } c: 6", '{"a":1,"b":null,"c":6}'),
    ("out of range", "u32 INT", PROTO, "shop.Order", "u32: 4294967295", 'MALFORMED: column "u32": value out of range of INT, found 4294967295'),
    ("no such message", "a INT", PROTO, "Nobody", "", 'config: Protobuf schema: it has no message "Nobody"'),
    ("a broken schema", "a INT", 'syntax = "proto3";\nmessage M { strin a = 1; }', "M", "", 'config: Protobuf schema: schema.proto:2:13: "strin" is not defined.'),
]


def fields(text):
    out = []
    for column in text.split(", "):
        name, kind = column.rsplit(" ", 1)
        path = '"%s"' % name.replace(".", '" "\\037" "') if "." in name else "NULL"
        out.append('{ .name = "%s", .path = %s, .type = %s }' % (name, path, TYPES[kind]))
    return out


def protoc(schema, message, text):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "s.proto"), "w") as file:
            file.write(schema)
        full = {"Order": "shop.Order", "Money.Inner": "shop.Money.Inner"}.get(message, message)
        return subprocess.run(["protoc", "-I", folder, "--encode=" + full, "s.proto"], input=text.encode(), stdout=subprocess.PIPE, cwd=folder, check=True).stdout


def emit(name, columns, option, schema, more, data, row, out):
    number = len(out)
    print("static const struct table_field binary_fields_%d[] = {\n    %s\n};" % (number, ",\n    ".join(fields(columns))))
    out.append('{ %s, binary_fields_%d, %d, "%s", %s, %s, "%s", %d, %s }' % (
        c_text(name), number, len(fields(columns)), option, c_text(schema), more, "".join("\\x%02x" % b for b in data), len(data), c_text(row)))


def main():
    print("/* Written by make_binary_cases.py: records of independent writers and the rows that they give. */\n#ifndef TESTS_UNIT_FORMATS_BINARY_CASES_H\n"
          "#define TESTS_UNIT_FORMATS_BINARY_CASES_H\n\n#include \"tests/unit/formats/table.h\"\n")
    cases = []
    for name, columns, writer, reader, value, row in AVRO:
        data = b""
        if value is not None:
            out = io.BytesIO()
            named = {}
            for schema in NAMED[:1]:
                fastavro.parse_schema(schema, named_schemas=named)
            fastavro.schemaless_writer(out, fastavro.parse_schema(writer, named_schemas=named), value)
            data = out.getvalue()
        text = json.dumps(writer if writer is not NAMED[1] else {**writer, "fields": [dict(writer["fields"][0], type=NAMED[0]), writer["fields"][1]]})
        emit(name, columns, "avro", text, c_text(json.dumps(reader)) if reader else "NULL", data, row, cases)
    for name, columns, schema, message, text, row in PROTOBUF:
        if row.startswith("config"):
            data = b""
        elif text is None:
            data = protoc(schema, message, 'id: "a" amount { currency: "EUR" units: 1 }') + protoc(schema, message, 'id: "b" amount { units: 2 }')
        else:
            data = protoc(schema, message, text)
        emit(name, columns, "protobuf", schema, c_text(message), data, row, cases)
    print("static const struct binary_case {\n    const char *name;\n    const struct table_field *fields;\n    uint32_t count;\n"
          "    const char *format, *schema, *more; /* more: reader's schema, or message */\n    const char *bytes;\n    size_t len;\n    const char *row;\n} binary_cases[] = {")
    print(",\n".join("    " + case for case in cases))
    print("};\n#endif")


main()
