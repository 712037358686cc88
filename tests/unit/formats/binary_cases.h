/* Written by make_binary_cases.py: records of independent writers and the rows that they give. */
#ifndef TESTS_UNIT_FORMATS_BINARY_CASES_H
#define TESTS_UNIT_FORMATS_BINARY_CASES_H

#include "tests/unit/formats/table.h"

static const struct table_field binary_fields_0[] = {
    { .name = "b", .path = NULL, .type = CEP_TYPE(BOOLEAN) },
    { .name = "i", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "l", .path = NULL, .type = CEP_TYPE(BIGINT) },
    { .name = "f", .path = NULL, .type = CEP_TYPE(DOUBLE) },
    { .name = "d", .path = NULL, .type = CEP_TYPE(DOUBLE) },
    { .name = "y", .path = NULL, .type = CEP_TYPE(BYTES) },
    { .name = "s", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_1[] = {
    { .name = "last", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_2[] = {
    { .name = "i", .path = NULL, .type = CEP_TYPE(BIGINT) },
    { .name = "l", .path = NULL, .type = CEP_TYPE(DOUBLE) },
    { .name = "f", .path = NULL, .type = CEP_TYPE(DOUBLE) },
    { .name = "s", .path = NULL, .type = CEP_TYPE(BYTES) },
    { .name = "y", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "m", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) }
};
static const struct table_field binary_fields_3[] = {
    { .name = "f", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) },
    { .name = "s", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_4[] = {
    { .name = "i", .path = NULL, .type = CEP_TYPE(INT) }
};
static const struct table_field binary_fields_5[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "b", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "c", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_6[] = {
    { .name = "b", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_7[] = {
    { .name = "m", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) },
    { .name = "n", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) },
    { .name = "w", .path = NULL, .type = CEP_DECIMAL_TYPE(38, 10) },
    { .name = "f", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) }
};
static const struct table_field binary_fields_8[] = {
    { .name = "d", .path = NULL, .type = CEP_TYPE(DATE) },
    { .name = "tm", .path = NULL, .type = CEP_TYPE(TIME) },
    { .name = "tu", .path = NULL, .type = CEP_TYPE(TIME) },
    { .name = "a", .path = NULL, .type = CEP_TYPE(TIMESTAMP_LTZ) },
    { .name = "b", .path = NULL, .type = CEP_TYPE(TIMESTAMP_LTZ) },
    { .name = "c", .path = NULL, .type = CEP_TYPE(TIMESTAMP) },
    { .name = "e", .path = NULL, .type = CEP_TYPE(TIMESTAMP_LTZ) }
};
static const struct table_field binary_fields_9[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(TIMESTAMP_LTZ) }
};
static const struct table_field binary_fields_10[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "b", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "c", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_11[] = {
    { .name = "a", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_BIGINT } },
    { .name = "t", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING } },
    { .name = "e", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_BIGINT } }
};
static const struct table_field binary_fields_12[] = {
    { .name = "a.units", .path = "a" "\037" "units", .type = CEP_TYPE(BIGINT) },
    { .name = "b.currency", .path = "b" "\037" "currency", .type = CEP_TYPE(STRING) },
    { .name = "a", .path = NULL, .type = CEP_TYPE(ROW) }
};
static const struct table_field binary_fields_13[] = {
    { .name = "b.currency", .path = "b" "\037" "currency", .type = CEP_TYPE(STRING) },
    { .name = "b", .path = NULL, .type = CEP_TYPE(ROW) }
};
static const struct table_field binary_fields_14[] = {
    { .name = "m.x", .path = "m" "\037" "x", .type = CEP_TYPE(INT) },
    { .name = "m.z", .path = "m" "\037" "z", .type = CEP_TYPE(INT) },
    { .name = "m", .path = NULL, .type = CEP_TYPE(ROW) }
};
static const struct table_field binary_fields_15[] = {
    { .name = "v", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "next.next.v", .path = "next" "\037" "next" "\037" "v", .type = CEP_TYPE(INT) },
    { .name = "next", .path = NULL, .type = CEP_TYPE(ROW) }
};
static const struct table_field binary_fields_16[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "b", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_17[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "b", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "c", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) },
    { .name = "d", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_BIGINT } },
    { .name = "e", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "f", .path = NULL, .type = CEP_TYPE(DATE) },
    { .name = "g", .path = NULL, .type = CEP_TYPE(INT) }
};
static const struct table_field binary_fields_18[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "p.x", .path = "p" "\037" "x", .type = CEP_TYPE(INT) },
    { .name = "p.y", .path = "p" "\037" "y", .type = CEP_TYPE(INT) },
    { .name = "p", .path = NULL, .type = CEP_TYPE(ROW) }
};
static const struct table_field binary_fields_19[] = {
    { .name = "customer", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_20[] = {
    { .name = "t", .path = NULL, .type = CEP_TYPE(TIMESTAMP) },
    { .name = "d", .path = NULL, .type = CEP_TYPE(DATE) }
};
static const struct table_field binary_fields_21[] = {
    { .name = "m", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) },
    { .name = "t", .path = NULL, .type = CEP_TYPE(TIMESTAMP_LTZ) }
};
static const struct table_field binary_fields_22[] = {
    { .name = "m", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) }
};
static const struct table_field binary_fields_23[] = {
    { .name = "a.x", .path = "a" "\037" "x", .type = CEP_TYPE(INT) }
};
static const struct table_field binary_fields_24[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(INT) }
};
static const struct table_field binary_fields_25[] = {
    { .name = "id", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "i32", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "i64", .path = NULL, .type = CEP_TYPE(BIGINT) },
    { .name = "u32", .path = NULL, .type = CEP_TYPE(BIGINT) },
    { .name = "u64", .path = NULL, .type = CEP_DECIMAL_TYPE(20, 0) },
    { .name = "s32", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "s64", .path = NULL, .type = CEP_TYPE(BIGINT) },
    { .name = "f32", .path = NULL, .type = CEP_TYPE(BIGINT) },
    { .name = "f64", .path = NULL, .type = CEP_DECIMAL_TYPE(20, 0) },
    { .name = "sf32", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "sf64", .path = NULL, .type = CEP_TYPE(BIGINT) },
    { .name = "flag", .path = NULL, .type = CEP_TYPE(BOOLEAN) },
    { .name = "small", .path = NULL, .type = CEP_TYPE(DOUBLE) },
    { .name = "large", .path = NULL, .type = CEP_TYPE(DOUBLE) },
    { .name = "raw", .path = NULL, .type = CEP_TYPE(BYTES) },
    { .name = "channel", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_26[] = {
    { .name = "id", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "i32", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "flag", .path = NULL, .type = CEP_TYPE(BOOLEAN) },
    { .name = "large", .path = NULL, .type = CEP_TYPE(DOUBLE) },
    { .name = "raw", .path = NULL, .type = CEP_TYPE(BYTES) },
    { .name = "channel", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "ts", .path = NULL, .type = CEP_TYPE(TIMESTAMP_LTZ) },
    { .name = "amount.units", .path = "amount" "\037" "units", .type = CEP_TYPE(BIGINT) },
    { .name = "numbers", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_BIGINT } },
    { .name = "counts", .path = NULL, .type = CEP_TYPE(ROW) },
    { .name = "maybe", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "card", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "wrapped", .path = NULL, .type = CEP_TYPE(BIGINT) }
};
static const struct table_field binary_fields_27[] = {
    { .name = "maybe", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "wrapped", .path = NULL, .type = CEP_TYPE(BIGINT) },
    { .name = "card", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "iban", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_28[] = {
    { .name = "amount.units", .path = "amount" "\037" "units", .type = CEP_TYPE(BIGINT) },
    { .name = "amount.currency", .path = "amount" "\037" "currency", .type = CEP_TYPE(STRING) },
    { .name = "amount", .path = NULL, .type = CEP_TYPE(ROW) },
    { .name = "next.amount.inner.x", .path = "next" "\037" "amount" "\037" "inner" "\037" "x", .type = CEP_TYPE(INT) },
    { .name = "ts", .path = NULL, .type = CEP_TYPE(TIMESTAMP_LTZ) }
};
static const struct table_field binary_fields_29[] = {
    { .name = "numbers", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_BIGINT } },
    { .name = "tags", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING } },
    { .name = "loose", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_BIGINT } },
    { .name = "channels", .path = NULL, .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING } },
    { .name = "parts", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "numbers", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_30[] = {
    { .name = "counts.a", .path = "counts" "\037" "a", .type = CEP_TYPE(INT) },
    { .name = "counts.z", .path = "counts" "\037" "z", .type = CEP_TYPE(INT) },
    { .name = "prices.7.units", .path = "prices" "\037" "7" "\037" "units", .type = CEP_TYPE(BIGINT) },
    { .name = "counts", .path = NULL, .type = CEP_TYPE(ROW) },
    { .name = "prices", .path = NULL, .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_31[] = {
    { .name = "channel", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "i32", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "u32", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) },
    { .name = "small", .path = NULL, .type = CEP_DECIMAL_TYPE(12, 2) }
};
static const struct table_field binary_fields_32[] = {
    { .name = "id", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "amount.units", .path = "amount" "\037" "units", .type = CEP_TYPE(BIGINT) },
    { .name = "amount.currency", .path = "amount" "\037" "currency", .type = CEP_TYPE(STRING) }
};
static const struct table_field binary_fields_33[] = {
    { .name = "x", .path = NULL, .type = CEP_TYPE(INT) }
};
static const struct table_field binary_fields_34[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(INT) },
    { .name = "b", .path = NULL, .type = CEP_TYPE(STRING) },
    { .name = "c", .path = NULL, .type = CEP_TYPE(INT) }
};
static const struct table_field binary_fields_35[] = {
    { .name = "u32", .path = NULL, .type = CEP_TYPE(INT) }
};
static const struct table_field binary_fields_36[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(INT) }
};
static const struct table_field binary_fields_37[] = {
    { .name = "a", .path = NULL, .type = CEP_TYPE(INT) }
};
static const struct binary_case {
    const char *name;
    const struct table_field *fields;
    uint32_t count;
    const char *format, *schema, *more; /* more: reader's schema, or message */
    const char *bytes;
    size_t len;
    const char *row;
} binary_cases[] = {
    { "every primitive", binary_fields_0, 7, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"b\", \"type\": \"boolean\"}, {\"name\": \"i\", \"type\": \"int\"}, {\"name\": \"l\", \"type\": \"long\"}, {\"name\": \"f\", \"type\": \"float\"}, {\"name\": \"d\", \"type\": \"double\"}, {\"name\": \"y\", \"type\": \"bytes\"}, {\"name\": \"s\", \"type\": \"string\"}]}", NULL, "\x01\x0d\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00\x3f\x9c\x75\x00\x88\x3c\xe4\x37\x7e\x04\x00\xff\x0e\x47\x72\xc3\xbc\xc3\x9f\x65", 35, "{\"b\":true,\"i\":-7,\"l\":-9223372036854775808,\"f\":0.5,\"d\":1.0e+300,\"y\":\"AP8=\",\"s\":\"Grüße\"}" },
    { "a projection that skips every kind", binary_fields_1, 1, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": \"boolean\"}, {\"name\": \"b\", \"type\": [\"null\", \"int\"]}, {\"name\": \"c\", \"type\": {\"type\": \"array\", \"items\": \"double\"}}, {\"name\": \"d\", \"type\": {\"type\": \"map\", \"values\": \"float\"}}, {\"name\": \"e\", \"type\": {\"type\": \"fixed\", \"name\": \"fx\", \"size\": 3}}, {\"name\": \"f\", \"type\": {\"type\": \"enum\", \"name\": \"en\", \"symbols\": [\"A\", \"B\"]}}, {\"name\": \"g\", \"type\": {\"type\": \"record\", \"name\": \"in\", \"fields\": [{\"name\": \"x\", \"type\": \"bytes\"}]}}, {\"name\": \"last\", \"type\": \"string\"}]}", NULL, "\x00\x02\x0a\x04\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\x40\x00\x02\x02\x6b\x00\x00\xc0\x3f\x00\x61\x62\x63\x02\x04\x31\x32\x08\x68\x65\x72\x65", 41, "{\"last\":\"here\"}" },
    { "promotions", binary_fields_2, 6, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"i\", \"type\": \"int\"}, {\"name\": \"l\", \"type\": \"long\"}, {\"name\": \"f\", \"type\": \"float\"}, {\"name\": \"s\", \"type\": \"string\"}, {\"name\": \"y\", \"type\": \"bytes\"}, {\"name\": \"m\", \"type\": \"int\"}]}", NULL, "\xfe\xff\xff\xff\x0f\x80\x80\x80\x80\x80\x40\x00\x00\x80\x3e\x04\xc3\xa9\x04\x6f\x6b\x18", 22, "{\"i\":2147483647,\"l\":1099511627776.0,\"f\":0.25,\"s\":\"w6k=\",\"y\":\"ok\",\"m\":12.00}" },
    { "a float as money is the number that was meant", binary_fields_3, 2, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"f\", \"type\": \"float\"}, {\"name\": \"s\", \"type\": \"float\"}]}", NULL, "\x66\x66\x44\x42\xcd\xcc\xcc\x3d", 8, "{\"f\":49.10,\"s\":\"0.1\"}" },
    { "an int column out of range", binary_fields_4, 1, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"i\", \"type\": \"long\"}]}", NULL, "\x80\x80\x80\x80\x10", 5, "MALFORMED: column \"i\": value out of range of INT, found 2147483648" },
    { "unions and nulls", binary_fields_5, 3, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": [\"null\", \"int\"]}, {\"name\": \"b\", \"type\": [\"int\", \"string\", \"null\"]}, {\"name\": \"c\", \"type\": [\"null\", \"string\"]}]}", NULL, "\x00\x02\x02\x78\x02\x02\x79", 7, "{\"a\":null,\"b\":\"x\",\"c\":\"y\"}" },
    { "a branch of another type is converted", binary_fields_6, 1, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"b\", \"type\": [\"int\", \"string\"]}]}", NULL, "\x00\x0a", 2, "{\"b\":\"5\"}" },
    { "decimals", binary_fields_7, 4, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"m\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 12, \"scale\": 2}}, {\"name\": \"n\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 4, \"scale\": 2}}, {\"name\": \"w\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 38, \"scale\": 10}}, {\"name\": \"f\", \"type\": {\"type\": \"fixed\", \"name\": \"d16\", \"size\": 16, \"logicalType\": \"decimal\", \"precision\": 30, \"scale\": 4}}]}", NULL, "\x08\xb6\x69\xfd\x2e\x02\x00\x20\xf6\xb6\x4f\x09\x0f\xfd\xcc\xec\x3b\xb6\x6f\xb1\x33\x98\xba\xeb\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x31\x06", 40, "{\"m\":-12345678.90,\"n\":0.00,\"w\":-1234567890123456789012345678.0123456789,\"f\":1.26}" },
    { "times", binary_fields_8, 7, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"d\", \"type\": {\"type\": \"int\", \"logicalType\": \"date\"}}, {\"name\": \"tm\", \"type\": {\"type\": \"int\", \"logicalType\": \"time-millis\"}}, {\"name\": \"tu\", \"type\": {\"type\": \"long\", \"logicalType\": \"time-micros\"}}, {\"name\": \"a\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}}, {\"name\": \"b\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-micros\"}}, {\"name\": \"c\", \"type\": {\"type\": \"long\", \"logicalType\": \"local-timestamp-micros\"}}, {\"name\": \"e\", \"type\": \"long\"}]}", NULL, "\x01\xf8\xbb\xc6\x03\xfe\xff\xba\xdd\x83\x05\xdc\xbc\xcc\xca\xef\x66\xea\xbc\xba\xe5\xde\xd7\xa3\x06\xea\xbc\xba\xe5\xde\xd7\xa3\x06\xca\xd6\xb9\x95\x0d", 38, "{\"d\":\"1969-12-31\",\"tm\":\"01:02:03.004\",\"tu\":\"23:59:59.999\",\"a\":\"2026-01-02T03:04:05.678Z\",\"b\":\"2026-01-02T03:04:05.678Z\",\"c\":\"2026-01-02T03:04:05.678\",\"e\":\"2026-01-02T03:04:05.000Z\"}" },
    { "before the epoch micros round down", binary_fields_9, 1, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-micros\"}}]}", NULL, "\x01", 1, "{\"a\":\"1969-12-31T23:59:59.999Z\"}" },
    { "uuids, enums", binary_fields_10, 3, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": {\"type\": \"string\", \"logicalType\": \"uuid\"}}, {\"name\": \"b\", \"type\": {\"type\": \"fixed\", \"name\": \"u\", \"size\": 16, \"logicalType\": \"uuid\"}}, {\"name\": \"c\", \"type\": {\"type\": \"enum\", \"name\": \"en\", \"symbols\": [\"RED\", \"BLUE\"]}}]}", NULL, "\x48\x30\x30\x30\x30\x30\x30\x30\x30\x2d\x30\x30\x30\x30\x2d\x30\x30\x30\x30\x2d\x30\x30\x30\x30\x2d\x30\x30\x30\x30\x30\x30\x30\x30\x30\x30\x30\x35\x12\x34\x56\x78\x12\x34\x56\x78\x12\x34\x56\x78\x12\x34\x56\x78\x02", 54, "{\"a\":\"00000000-0000-0000-0000-000000000005\",\"b\":\"12345678-1234-5678-1234-567812345678\",\"c\":\"BLUE\"}" },
    { "arrays", binary_fields_11, 3, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": {\"type\": \"array\", \"items\": [\"null\", \"int\"]}}, {\"name\": \"t\", \"type\": {\"type\": \"array\", \"items\": \"string\"}}, {\"name\": \"e\", \"type\": {\"type\": \"array\", \"items\": \"long\"}}]}", NULL, "\x06\x02\x02\x00\x02\x05\x00\x04\x02\x78\x04\x79\x79\x00\x00", 15, "{\"a\":[1,null,-3],\"t\":[\"x\",\"yy\"],\"e\":[]}" },
    { "nested columns", binary_fields_12, 3, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": {\"type\": \"record\", \"name\": \"money\", \"fields\": [{\"name\": \"currency\", \"type\": \"string\"}, {\"name\": \"units\", \"type\": \"long\"}], \"namespace\": \"pay\"}}, {\"name\": \"b\", \"type\": [\"null\", \"pay.money\"]}]}", NULL, "\x06\x45\x55\x52\x0a\x02\x06\x55\x53\x44\x02", 11, "{\"a.units\":5,\"b.currency\":\"USD\",\"a\":{\"currency\":\"EUR\",\"units\":5}}" },
    { "a nested record that is null", binary_fields_13, 2, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": {\"type\": \"record\", \"name\": \"money\", \"fields\": [{\"name\": \"currency\", \"type\": \"string\"}, {\"name\": \"units\", \"type\": \"long\"}], \"namespace\": \"pay\"}}, {\"name\": \"b\", \"type\": [\"null\", \"pay.money\"]}]}", NULL, "\x06\x45\x55\x52\x0a\x00", 6, "{\"b.currency\":null,\"b\":null}" },
    { "maps: by key, and as a whole", binary_fields_14, 3, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"m\", \"type\": {\"type\": \"map\", \"values\": \"int\"}}]}", NULL, "\x04\x02\x79\x04\x02\x78\x02\x00", 8, "{\"m.x\":1,\"m.z\":null,\"m\":{\"y\":2,\"x\":1}}" },
    { "a record that holds itself", binary_fields_15, 3, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"v\", \"type\": \"int\"}, {\"name\": \"next\", \"type\": [\"null\", \"r\"]}]}", NULL, "\x02\x02\x04\x02\x06\x00", 6, "{\"v\":1,\"next.next.v\":3,\"next\":{\"v\":2,\"next\":{\"v\":3,\"next\":null}}}" },
    { "a column that the writer lacks is NULL", binary_fields_16, 2, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": \"int\"}]}", NULL, "\x02", 1, "{\"a\":1,\"b\":null}" },
    { "or the default of the reader's schema", binary_fields_17, 7, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": \"int\"}]}", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": \"int\"}, {\"name\": \"b\", \"type\": \"string\", \"default\": \"none\"}, {\"name\": \"c\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 6, \"scale\": 2}, \"default\": \"\\u0001\\u0000\"}, {\"name\": \"d\", \"type\": {\"type\": \"array\", \"items\": \"int\"}, \"default\": [1, 2]}, {\"name\": \"e\", \"type\": [\"null\", \"string\"], \"default\": null}, {\"name\": \"f\", \"type\": {\"type\": \"int\", \"logicalType\": \"date\"}, \"default\": 1}, {\"name\": \"g\", \"type\": [\"int\", \"null\"], \"default\": 7}]}", "\x02", 1, "{\"a\":1,\"b\":\"none\",\"c\":2.56,\"d\":[1,2],\"e\":null,\"f\":\"1970-01-02\",\"g\":7}" },
    { "nested defaults", binary_fields_18, 4, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": \"int\"}]}", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": \"int\"}, {\"name\": \"p\", \"type\": {\"type\": \"record\", \"name\": \"p\", \"fields\": [{\"name\": \"x\", \"type\": \"int\"}, {\"name\": \"y\", \"type\": \"int\", \"default\": 9}]}, \"default\": {\"x\": 4}}]}", "\x02", 1, "{\"a\":1,\"p.x\":4,\"p.y\":9,\"p\":{\"x\":4}}" },
    { "an alias of the reader's schema", binary_fields_19, 1, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"user\", \"type\": \"string\"}]}", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"customer\", \"type\": \"string\", \"aliases\": [\"client\", \"user\"]}]}", "\x04\x75\x31", 3, "{\"customer\":\"u1\"}" },
    { "Debezium's and Connect's names of types", binary_fields_20, 2, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"t\", \"type\": {\"type\": \"long\", \"connect.name\": \"io.debezium.time.MicroTimestamp\"}}, {\"name\": \"d\", \"type\": {\"type\": \"int\", \"connect.name\": \"io.debezium.time.Date\"}}]}", NULL, "\xea\xbc\xba\xe5\xde\xd7\xa3\x06\xc0\xb8\x02", 11, "{\"t\":\"2026-01-02T03:04:05.678\",\"d\":\"2024-10-04\"}" },
    { "text as a number", binary_fields_21, 2, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"m\", \"type\": \"string\"}, {\"name\": \"t\", \"type\": \"string\"}]}", NULL, "\x08\x31\x32\x2e\x35\x26\x32\x30\x32\x36\x2d\x30\x31\x2d\x30\x32\x20\x30\x33\x3a\x30\x34\x3a\x30\x35", 25, "{\"m\":12.50,\"t\":\"2026-01-02T03:04:05.000Z\"}" },
    { "text that is none", binary_fields_22, 1, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"m\", \"type\": \"string\"}]}", NULL, "\x08\x6d\x61\x6e\x79", 5, "MALFORMED: column \"m\": expected DECIMAL(12, 2), found many" },
    { "columns in what is no record", binary_fields_23, 1, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": \"int\"}]}", NULL, "\x02", 1, "config: Avro schema: \"a\" holds columns, but is no record" },
    { "a broken schema", binary_fields_24, 1, "avro", "{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"type\": \"nothing\"}]}", NULL, "", 0, "config: Avro schema: unknown type \"nothing\"" },
    { "every scalar", binary_fields_25, 16, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "shop.Order", "\x0a\x02\xc3\xbc\x10\xfb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x20\xff\xff\xff\xff\x0f\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x30\x05\x38\x07\x45\x07\x00\x00\x00\x49\xfe\xff\xff\xff\xff\xff\xff\xff\x55\xf8\xff\xff\xff\x59\xf7\xff\xff\xff\xff\xff\xff\xff\x60\x01\x6d\x00\x00\x00\x3f\x71\x00\x00\x00\x00\x00\x00\x02\x40\x7a\x02\x00\xff\x80\x01\x07", 98, "{\"id\":\"ü\",\"i32\":-5,\"i64\":-9223372036854775808,\"u32\":4294967295,\"u64\":18446744073709551615,\"s32\":-3,\"s64\":-4,\"f32\":7,\"f64\":18446744073709551614,\"sf32\":-8,\"sf64\":-9,\"flag\":true,\"small\":0.5,\"large\":2.25,\"raw\":\"AP8=\",\"channel\":\"SHOP\"}" },
    { "what is absent", binary_fields_26, 13, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "shop.Order", "", 0, "{\"id\":\"\",\"i32\":0,\"flag\":false,\"large\":0.0,\"raw\":\"\",\"channel\":\"WEB\",\"ts\":null,\"amount.units\":null,\"numbers\":[],\"counts\":{},\"maybe\":null,\"card\":null,\"wrapped\":null}" },
    { "zero that is present", binary_fields_27, 4, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "Order", "\xb8\x01\x00\xc2\x01\x00\xd2\x01\x00", 9, "{\"maybe\":0,\"wrapped\":0,\"card\":\"\",\"iban\":null}" },
    { "messages", binary_fields_28, 5, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "shop.Order", "\x8a\x01\x0c\x08\xa5\xeb\xdc\xca\x06\x10\x88\xea\xdc\xc3\x02\x92\x01\x07\x0a\x03\x45\x55\x52\x10\x0c\xe2\x01\x07\x92\x01\x04\x1a\x02\x08\x03", 35, "{\"amount.units\":12,\"amount.currency\":\"EUR\",\"amount\":{\"currency\":\"EUR\",\"units\":12},\"next.amount.inner.x\":3,\"ts\":\"2026-01-02T03:04:05.678Z\"}" },
    { "lists", binary_fields_29, 6, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "shop.Order", "\x9a\x01\x0c\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x03\xa2\x01\x01\x61\xa2\x01\x01\x62\xda\x01\x02\x10\x01\xda\x01\x03\x0a\x01\x58\xea\x01\x02\x01\x00\xf0\x01\x04\xf0\x01\x05", 45, "{\"numbers\":[1,-2,3],\"tags\":[\"a\",\"b\"],\"loose\":[4,5],\"channels\":[\"APP\",\"WEB\"],\"parts\":\"[{\\\"units\\\":1},{\\\"currency\\\":\\\"X\\\"}]\",\"numbers\":\"[1,-2,3]\"}" },
    { "maps", binary_fields_30, 5, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "shop.Order", "\xaa\x01\x05\x0a\x01\x61\x10\x01\xaa\x01\x05\x0a\x01\x62\x10\x00\xb2\x01\x06\x08\x07\x12\x02\x10\x09", 25, "{\"counts.a\":1,\"counts.z\":null,\"prices.7.units\":9,\"counts\":{\"a\":1,\"b\":0},\"prices\":\"{\\\"7\\\":{\\\"units\\\":9}}\"}" },
    { "an enum as its number, numbers as texts and money", binary_fields_31, 4, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "shop.Order", "\x10\x05\x20\x0c\x6d\x66\x66\x44\x42\x80\x01\x07", 12, "{\"channel\":7,\"i32\":\"5\",\"u32\":12.00,\"small\":49.10}" },
    { "the last of several counts", binary_fields_32, 3, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "shop.Order", "\x0a\x01\x61\x92\x01\x07\x0a\x03\x45\x55\x52\x10\x01\x0a\x01\x62\x92\x01\x02\x10\x02", 21, "{\"id\":\"b\",\"amount.units\":2,\"amount.currency\":\"EUR\"}" },
    { "a message inside of another by its name", binary_fields_33, 1, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "Money.Inner", "\x08\x04", 2, "{\"x\":4}" },
    { "proto2", binary_fields_34, 3, "protobuf", "\nsyntax = \"proto2\";\nmessage Old { required int32 a = 1; optional string b = 2 [default = \"x\"]; optional group G = 3 { optional int32 z = 1; } optional int32 c = 4; }\n", "Old", "\x08\x01\x1b\x08\x05\x1c\x20\x06", 8, "{\"a\":1,\"b\":null,\"c\":6}" },
    { "out of range", binary_fields_35, 1, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "shop.Order", "\x20\xff\xff\xff\xff\x0f", 6, "MALFORMED: column \"u32\": value out of range of INT, found 4294967295" },
    { "no such message", binary_fields_36, 1, "protobuf", "\nsyntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/wrappers.proto\";\nenum Channel { WEB = 0; APP = 1; SHOP = 7; }\nmessage Order {\n  string id = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10;\n  sfixed64 sf64 = 11; bool flag = 12; float small = 13; double large = 14; bytes raw = 15; Channel channel = 16; google.protobuf.Timestamp ts = 17;\n  Money amount = 18; repeated int64 numbers = 19; repeated string tags = 20; map<string, int32> counts = 21; map<int32, Money> prices = 22; optional int32 maybe = 23;\n  oneof payer { string card = 24; string iban = 25; } google.protobuf.Int64Value wrapped = 26; repeated Money parts = 27; Order next = 28; repeated Channel channels = 29;\n  repeated int32 loose = 30 [packed = false];\n}\nmessage Money { string currency = 1; int64 units = 2; message Inner { int32 x = 1; } Inner inner = 3; }\n", "Nobody", "", 0, "config: Protobuf schema: it has no message \"Nobody\"" },
    { "a broken schema", binary_fields_37, 1, "protobuf", "syntax = \"proto3\";\nmessage M { strin a = 1; }", "M", "", 0, "config: Protobuf schema: schema.proto:2:13: \"strin\" is not defined." }
};
#endif
