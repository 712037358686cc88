#include "formats/format.h"

#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

#define STRING CEP_TYPE(STRING)
#define INT CEP_TYPE(INT)
#define BIGINT CEP_TYPE(BIGINT)
#define DOUBLE CEP_TYPE(DOUBLE)
#define BOOLEAN CEP_TYPE(BOOLEAN)
#define ARRAY_OF(k) { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_##k }

static const char *const json[] = { "format", "json", NULL };

static const char *one_opt(struct cep_type type, const char *key, const char *value, const char *text)
{
    struct table_field field = { .name = "x", .type = type };
    const char *options[] = { "format", "json", key, value, NULL };
    struct table_spec spec = { &field, 1, options, -1, 0 };
    return table_decode(&spec, base_str_of(text));
}

static const char *one(struct cep_type type, const char *text)
{
    return one_opt(type, NULL, NULL, text);
}

static void test_types(void)
{
    struct cep_type dec = CEP_DECIMAL_TYPE(12, 2), wide = CEP_DECIMAL_TYPE(38, 10);
    IS_STR(one(STRING, "{\"x\":\"a\"}"), "{\"x\":\"a\"}", "text");
    IS_STR(one(STRING, "{\"x\":\"\"}"), "{\"x\":\"\"}", "empty text");
    IS_STR(one(STRING, "{\"x\":\"a\\n\\u00e9\\ud83d\\ude00\\/\"}"), "{\"x\":\"a\\n\xc3\xa9\xf0\x9f\x98\x80/\"}", "escapes");
    IS_STR(one(STRING, "{\"x\":12.50}"), "{\"x\":\"12.50\"}", "a number as text keeps its digits");
    IS_STR(one(STRING, "{\"x\":true}"), "{\"x\":\"true\"}", "a boolean as text");
    IS_STR(one(STRING, "{\"x\":{\"a\" : [1, 2]}}"), "{\"x\":\"{\\\"a\\\" : [1, 2]}\"}", "an object as text");
    IS_STR(one(STRING, "{\"x\":null}"), "{\"x\":null}", "null");
    IS_STR(one(STRING, "{}"), "{\"x\":null}", "missing is NULL");
    IS_STR(one(INT, "{\"x\":2147483647}"), "{\"x\":2147483647}", "INT at its end");
    IS_STR(one(INT, "{\"x\":-0}"), "{\"x\":0}", "-0 is 0");
    IS_STR(one(INT, "{\"x\":12.0}"), "{\"x\":12}", "a whole number with a point");
    IS_STR(one(INT, "{\"x\":1.2e1}"), "{\"x\":12}", "a whole number with an exponent");
    IS_STR(one(INT, "{\"x\":\" 12 \"}"), "{\"x\":12}", "a number in a string");
    IS_STR(one(INT, "{\"x\":2147483648}"), "MALFORMED: column \"x\": value out of range of INT, found 2147483648", "INT beyond its end");
    IS_STR(one(INT, "{\"x\":12.5}"), "MALFORMED: column \"x\": expected INT, found 12.5", "INT is whole");
    IS_STR(one(INT, "{\"x\":true}"), "MALFORMED: column \"x\": expected INT, found true", "no boolean for INT");
    IS_STR(one(BIGINT, "{\"x\":-9223372036854775808}"), "{\"x\":-9223372036854775808}", "BIGINT at its end");
    IS_STR(one(BIGINT, "{\"x\":9223372036854775808}"), "MALFORMED: column \"x\": value out of range of BIGINT, found 9223372036854775808", "and beyond");
    IS_STR(one(BIGINT, "{\"x\":12345678901234567890}"), "MALFORMED: column \"x\": value out of range of BIGINT, found 12345678901234567890", "20 digits");
    IS_STR(one(dec, "{\"x\":49.10}"), "{\"x\":49.10}", "money");
    IS_STR(one(dec, "{\"x\":0.005}"), "{\"x\":0.01}", "rounds half up");
    IS_STR(one(dec, "{\"x\":-1e3}"), "{\"x\":-1000.00}", "exponent");
    IS_STR(one(dec, "{\"x\":\"7.1\"}"), "{\"x\":7.10}", "money in a string");
    IS_STR(one(dec, "{\"x\":9999999999.99}"), "{\"x\":9999999999.99}", "the largest");
    IS_STR(one(dec, "{\"x\":10000000000}"), "MALFORMED: column \"x\": value out of range of DECIMAL(12, 2), found 10000000000", "too large");
    IS_STR(one(dec, "{\"x\":1e400}"), "MALFORMED: column \"x\": value out of range of DECIMAL(12, 2), found 1e400", "1e400");
    IS_STR(one(dec, "{\"x\":1e-400}"), "{\"x\":0.00}", "1e-400");
    IS_STR(one(dec, "{\"x\":1e999999999}"), "MALFORMED: column \"x\": value out of range of DECIMAL(12, 2), found 1e999999999", "an absurd exponent");
    IS_STR(one(wide, "{\"x\":12345678901234567.89}"), "{\"x\":12345678901234567.8900000000}", "more digits than a double has");
    IS_STR(one(wide, "{\"x\":1234567890123456789012345678.0123456789}"), "{\"x\":1234567890123456789012345678.0123456789}", "38 digits");
    IS_STR(one(DOUBLE, "{\"x\":0.1}"), "{\"x\":0.1}", "a double");
    IS_STR(one(DOUBLE, "{\"x\":-0}"), "{\"x\":-0.0}", "-0 stays");
    IS_STR(one(DOUBLE, "{\"x\":2.2250738585072011e-308}"), "{\"x\":2.225073858507201e-308}", "a hard double");
    IS_STR(one(DOUBLE, "{\"x\":1e400}"), "MALFORMED: column \"x\": value out of range of DOUBLE, found 1e400", "no double");
    IS_STR(one(DOUBLE, "{\"x\":\"NaN\"}"), "{\"x\":\"NaN\"}", "NaN as a string");
    IS_STR(one(DOUBLE, "{\"x\":NaN}"), "MALFORMED: JSON: expected a value at byte 5, found 'N'", "NaN bare");
    IS_STR(one(BOOLEAN, "{\"x\":false}"), "{\"x\":false}", "boolean");
    IS_STR(one(BOOLEAN, "{\"x\":\"TRUE\"}"), "{\"x\":true}", "boolean in a string");
    IS_STR(one(BOOLEAN, "{\"x\":1}"), "{\"x\":true}", "1 is true");
    IS_STR(one(BOOLEAN, "{\"x\":\"yes\"}"), "MALFORMED: column \"x\": expected BOOLEAN, found \"yes\"", "yes is none");
    IS_STR(one(CEP_TYPE(DATE), "{\"x\":\"2026-02-28\"}"), "{\"x\":\"2026-02-28\"}", "date");
    IS_STR(one(CEP_TYPE(DATE), "{\"x\":20000}"), "MALFORMED: column \"x\": expected DATE, found 20000", "no number for DATE");
    IS_STR(one(CEP_TYPE(TIME), "{\"x\":\"23:59:59.5\"}"), "{\"x\":\"23:59:59.500\"}", "time");
    IS_STR(one((struct cep_type)ARRAY_OF(STRING), "{\"x\":[\"a\",null,3]}"), "{\"x\":[\"a\",null,\"3\"]}", "array of texts");
    IS_STR(one((struct cep_type)ARRAY_OF(INT), "{\"x\":[ ]}"), "{\"x\":[]}", "empty array");
    IS_STR(one((struct cep_type)ARRAY_OF(INT), "{\"x\":[1,\"b\"]}"), "MALFORMED: column \"x\": expected ARRAY<INT>, found \"b\"", "bad element");
    IS_STR(one((struct cep_type)ARRAY_OF(INT), "{\"x\":[1,]}"), "MALFORMED: JSON: expected a value at byte 8, found ']'", "a comma too many");
    IS_STR(one(CEP_TYPE(ROW), "{\"x\":{\"a\":1,\"b\":[2]}}"), "{\"x\":{\"a\":1,\"b\":[2]}}", "nested object");
    IS_STR(one(CEP_TYPE(ROW), "{\"x\":{\"a\":01}}"), "MALFORMED: JSON: expected a value at byte 10, found '0'", "a nested object that is read is checked");
    IS_STR(one(CEP_TYPE(ROW), "{\"x\":3}"), "MALFORMED: column \"x\": expected ROW, found 3", "no object");
    IS_STR(one(CEP_TYPE(BYTES), "{\"x\":\"aGk=\"}"), "{\"x\":\"aGk=\"}", "bytes");
}

static void test_times(void)
{
    struct cep_type ltz = CEP_TYPE(TIMESTAMP_LTZ), civil = CEP_TYPE(TIMESTAMP);
    const char *noon = "{\"x\":\"2026-01-01T12:00:00.123Z\"}";
    IS_STR(one(ltz, "{\"x\":\"2026-01-01T12:00:00.123Z\"}"), noon, "ISO-8601");
    IS_STR(one(ltz, "{\"x\":\"2026-01-01 12:00:00.123\"}"), noon, "SQL");
    IS_STR(one(ltz, "{\"x\":\"2026-01-01T14:00:00.123456+02:00\"}"), noon, "with an offset");
    IS_STR(one(ltz, "{\"x\":1767268800123}"), noon, "epoch ms");
    IS_STR(one(ltz, "{\"x\":1767268800.123}"), noon, "epoch seconds with a fraction");
    IS_STR(one(ltz, "{\"x\":1767268800123456}"), noon, "epoch us");
    IS_STR(one(ltz, "{\"x\":\"1767268800123\"}"), noon, "epoch ms in a string");
    IS_STR(one(ltz, "{\"x\":1767268800}"), "{\"x\":\"2026-01-01T12:00:00.000Z\"}", "epoch seconds");
    IS_STR(one(civil, "{\"x\":\"2026-01-01 12:00:00\"}"), "{\"x\":\"2026-01-01T12:00:00.000\"}", "without zone");
    IS_STR(one(ltz, "{\"x\":\"2026-02-30T12:00:00Z\"}"), "MALFORMED: column \"x\": expected TIMESTAMP_LTZ(3), found \"2026-02-30T12:00:00Z\"", "no such day");
    IS_STR(one(ltz, "{\"x\":\"\"}"), "MALFORMED: column \"x\": expected TIMESTAMP_LTZ(3), found \"\"", "empty");
    IS_STR(one_opt(ltz, "json.timestamp-format.standard", "SQL", "{\"x\":\"2026-01-01 12:00:00.123\"}"), noon, "pinned to SQL");
    OK(strncmp(one_opt(ltz, "json.timestamp-format.standard", "SQL", noon), "MALFORMED", 9) == 0, "pinned to SQL refuses ISO");
    OK(strncmp(one_opt(ltz, "json.timestamp-format", "ISO-8601", "{\"x\":1767268800123}"), "MALFORMED", 9) == 0, "pinned to ISO refuses numbers");
    IS_STR(one_opt(ltz, "json.timestamp-format", "epoch-ms", "{\"x\":123}"), "{\"x\":\"1970-01-01T00:00:00.123Z\"}", "pinned to ms");
    IS_STR(one_opt(ltz, "json.timestamp-format", "yesterday", noon),
           "config: option 'json.timestamp-format' must be 'SQL', 'ISO-8601', 'epoch-s', 'epoch-ms', 'epoch-us' or 'auto', not 'yesterday'", "bad option");
}

static void test_records(void)
{
    IS_STR(one(INT, "{\"y\":1,\"x\":2,\"z\":3}"), "{\"x\":2}", "among others");
    IS_STR(one(INT, "{\"x\":1,\"x\":\"b\"}"), "{\"x\":1}", "of duplicate keys the first counts");
    IS_STR(one(INT, "{\"x\":null,\"x\":2}"), "{\"x\":null}", "also if it is null");
    IS_STR(one(INT, "{\"\\u0078\":1}"), "{\"x\":1}", "an escaped key");
    IS_STR(one(INT, " { \"x\" : 1 } "), "{\"x\":1}", "blanks");
    IS_STR(one(INT, "{\"y\":tru e,\"x\":1}"), "MALFORMED: JSON: expected ',' or '}' at byte 9, found 'e'", "two tokens");
    IS_STR(one(INT, "{\"y\":truu,\"x\":1}"), "{\"x\":1}", "nonsense in what nobody reads");
    IS_STR(one_opt(INT, "json.strict", "true", "{\"y\":truu,\"x\":1}"), "MALFORMED: JSON: expected a value at byte 5, found 't'", "but not when strict");
    IS_STR(one(INT, "{\"x\":1"), "MALFORMED: the JSON ends where ',' or '}' should stand", "not closed");
    IS_STR(one(INT, "{\"x\":1}}"), "MALFORMED: JSON: expected the end of the record at byte 7, found '}'", "closed twice");
    IS_STR(one(INT, "{\"x\":1} {\"x\":2}"), "MALFORMED: JSON: expected the end of the record at byte 8, found '{'", "two objects");
    IS_STR(one(INT, "{\"x\":1,}"), "MALFORMED: JSON: expected a key at byte 7, found '}'", "a comma too many");
    IS_STR(one(INT, "[1]"), "MALFORMED: JSON: expected an object at byte 0, found '['", "no object");
    IS_STR(one(INT, "   "), "MALFORMED: the JSON ends where an object should stand", "blanks alone");
    IS_STR(one(INT, ""), "MALFORMED: the record is empty", "nothing");
    IS_STR(one(INT, "{\"y\":\"\xff\",\"x\":1}"), "UTF8: broken UTF-8 at byte 6", "broken UTF-8 in what nobody reads");
    IS_STR(one(INT, "{\"y\":\"a\nb\",\"x\":1}"), "MALFORMED: JSON: a string is not closed or holds a raw control character", "a raw line end");
    IS_STR(one(INT, "{\"y\":\"abc"), "MALFORMED: JSON: a string is not closed or holds a raw control character", "an open string");
    IS_STR(one(STRING, "{\"x\":\"\\ud800\"}"), "MALFORMED: JSON: bad escape in the string at byte 6", "half a surrogate");
    IS_STR(one(STRING, "{\"x\":\"\\q\"}"), "MALFORMED: JSON: bad escape in the string at byte 6", "bad escape");
    IS_STR(one(STRING, "{\"x\":\"4111111111111111\"}"), "{\"x\":\"4111111111111111\"}", "a row holds what came");
    IS_STR(one(INT, "{\"x\":\"4111111111111111\"}"), "MALFORMED: column \"x\": value out of range of INT, found \"411111******1111\"", "a reason masks card numbers");
    IS_STR(one_opt(INT, "json.ignore-parse-errors", "true", "{\"x\":\"b\"}"), "{\"x\":null}", "ignored in a field");
    IS_STR(one_opt(INT, "json.ignore-parse-errors", "true", "{\"x\":"), "ignored", "ignored in a record");
    IS_STR(one_opt(INT, "json.fail-on-missing-field", "true", "{\"y\":1}"), "MALFORMED: column \"x\" is missing from the record", "missing told");
    IS_STR(one_opt(INT, "json.fail-on-missing-field", "true", "{\"x\":null}"), "{\"x\":null}", "null is not missing");
    IS_STR(one_opt(INT, "json.strict", "maybe", "{}"), "config: option 'json.strict' must be 'true' or 'false', not 'maybe'", "bad flag");
    IS_STR(one_opt(INT, "max-record-bytes", "5", "{\"x\":1}"), "LIMIT: the record is longer than max-record-bytes (5)", "limit");
    struct cep_type interval = CEP_TYPE(INTERVAL_DAY);
    OK(strncmp(one(interval, "{}"), "config: column \"x\": no format gives values of type", 50) == 0, "a type that no format has");
}

static void test_nested(void)
{
    struct table_field fields[] = { { .name = "device.ip", .path = "device\x1fip", .type = STRING },
                                    { .name = "a.b.c", .path = "a\x1f" "b\x1f" "c", .type = INT },
                                    { .name = "device", .type = CEP_TYPE(ROW) },
                                    { .name = "device.ip again", .path = "device\x1fip", .type = STRING } };
    struct table_spec spec = { fields, 4, json, -1, 0 };
    IS_STR(table_decode(&spec, BASE_STR("{\"device\":{\"os\":\"x\",\"ip\":\"1.2.3.4\"},\"a\":{\"b\":{\"c\":5}}}")),
           "{\"device.ip\":\"1.2.3.4\",\"a.b.c\":5,\"device\":{\"os\":\"x\",\"ip\":\"1.2.3.4\"},\"device.ip again\":\"1.2.3.4\"}", "nested paths");
    IS_STR(table_decode(&spec, BASE_STR("{\"device\":null,\"a\":{}}")), "{\"device.ip\":null,\"a.b.c\":null,\"device\":null,\"device.ip again\":null}", "nothing there");
    IS_STR(table_decode(&spec, BASE_STR("{\"a\":3}")), "MALFORMED: \"a\" holds columns, but is no object at byte 5", "no object on the way");
    IS_STR(table_decode(&spec, BASE_STR("{\"a\":{\"b\":{}},\"a\":{\"b\":{\"c\":1}}}")), "{\"device.ip\":null,\"a.b.c\":null,\"device\":null,\"device.ip again\":null}",
           "the first of equal keys also when nested");
}

static void test_metadata(void)
{
    struct table_field fields[] = { { .name = "k", .type = STRING, .metadata = CEP_META_KEY }, { .name = "p", .type = INT, .metadata = CEP_META_PARTITION },
                                    { .name = "o", .type = BIGINT, .metadata = CEP_META_OFFSET }, { .name = "t", .type = CEP_TYPE(TIMESTAMP_LTZ), .metadata = CEP_META_TIMESTAMP },
                                    { .name = "f", .type = STRING, .metadata = CEP_META_TOPIC }, { .name = "n", .type = INT, .not_null = 1 } };
    struct table_spec spec = { fields, 6, json, 3, 0 };
    IS_STR(table_decode(&spec, BASE_STR("{\"n\":1,\"k\":\"other\"}")), "{\"k\":\"k\",\"p\":3,\"o\":7,\"t\":\"1970-01-01T00:00:00.005Z\",\"f\":\"topic\",\"n\":1}", "metadata");
    IS_STR(table_decode(&spec, BASE_STR("{\"n\":null}")), "MALFORMED: column \"n\" is NOT NULL, but the record has no value for it", "NOT NULL");
    struct table_field time = { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) };
    struct table_spec timed = { &time, 1, json, 0, 0 };
    IS_STR(table_decode(&timed, BASE_STR("{}")), "MALFORMED: column \"ts\" is the event time, but the record has no value for it", "no event time");
}

static void tombstones(uint32_t changes) /* 1: the table has a key */
{
    struct table_field fields[] = { { .name = "id", .type = STRING }, { .name = "v", .type = INT, .not_null = 1 } };
    struct table_spec spec = { fields, 2, json, -1, changes };
    struct cep_program *program = table_program(&spec);
    struct table_said said = { 0 };
    struct formats_decoder_config config = { program, 0, table_note, &said };
    struct formats_decoder *decoder;
    struct base_arena arena = { 0 };
    char error[256];
    IS_INT(formats_decoder_create(&config, &decoder, error, sizeof error), 0, "decoder");
    struct cep_record records[] = { { .key = BASE_STR("u1"), .time_ms = 9 }, { .time_ms = 9 } };
    struct cep_row *rows[2];
    IS_INT(formats_decode(decoder, records, 2, &arena, rows), 0, "decode");
    if (changes) {
        IS_STR(table_row(program, rows[0]), "{\"id\":\"u1\",\"v\":null}", "a tombstone has its key");
        OK(rows[0] && rows[0]->change == CEP_DELETE && rows[0]->time_ms == 9, "and deletes");
        OK(!rows[1] && said.problems == 1, "without key it is malformed");
    } else {
        OK(!rows[0] && said.problems == 2 && strstr(said.last.reason, "upsert-kafka"), "a stream of new rows takes no tombstones");
    }
    formats_decoder_destroy(decoder);
    base_arena_finish(&arena);
    cep_program_free(program);
}

/* Many records at once: in place, copied, with bad ones among them that must not touch their neighbours. */
static void run_batch(bool padded, bool with_bad, const char *what)
{
    enum { N = 3000 };
    static struct cep_record records[N];
    static struct cep_row *rows[N];
    struct table_field fields[] = { { .name = "n", .type = BIGINT }, { .name = "s", .type = STRING }, { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) } };
    struct table_spec spec = { fields, 3, json, 2, 0 };
    struct cep_program *program = table_program(&spec);
    struct table_said said = { 0 };
    struct formats_decoder_config config = { program, 0, table_note, &said };
    struct formats_decoder *decoder = NULL;
    struct base_arena arena = { 0 };
    struct base_buf text = { 0 };
    char error[256];
    static size_t begins[N], ends[N];
    for (int i = 0; i < N; i++) {
        begins[i] = text.len;
        if (with_bad && i % 97 == 13)
            base_buf_puts(&text, i % 2 ? "{\"n\":1,\"s\":\"open}" : "{\"n\":\xff}");
        else
            base_buf_printf(&text, "{\"n\":%d,\"s\":\"v%d\",\"other\":[{\"n\":5},\"]\"],\"ts\":%lld}", i, i % 7, 1767268800000LL + i);
        ends[i] = text.len;
        base_buf_puts(&text, i % 5 ? "\n" : "\r\n");
    }
    base_buf_reserve(&text, CEP_RECORD_SLACK);
    for (int i = 0; i < N; i++)
        records[i] = (struct cep_record){ .bytes = { text.ptr + begins[i], ends[i] - begins[i] }, .offset = i, .flags = padded ? CEP_RECORD_PADDED : 0 };
    OK(formats_decoder_create(&config, &decoder, error, sizeof error) == 0 && formats_decode(decoder, records, N, &arena, rows) == 0, what);
    int good = 0, wrong = 0, bad = 0;
    for (int i = 0; i < N; i++) {
        char want[200];
        struct base_buf time = { 0 };
        cep_value_print_json(fields[2].type, cep_int(1767268800000LL + i), &time);
        snprintf(want, sizeof want, "{\"n\":%d,\"s\":\"v%d\",\"ts\":%s}", i, i % 7, time.ptr);
        base_buf_finish(&time);
        if (with_bad && i % 97 == 13)
            bad += rows[i] == NULL;
        else if (rows[i] && strcmp(table_row(program, rows[i]), want) == 0 && rows[i]->at.offset == i && rows[i]->time_ms == 1767268800000LL + i)
            good++;
        else
            wrong++;
    }
    IS_INT(wrong, 0, "all good rows are right");
    IS_INT(said.problems, bad, "each bad one is told once");
    IS_INT(good + bad, N, "none is lost");
    formats_decoder_destroy(decoder);
    base_arena_finish(&arena);
    base_buf_finish(&text);
    cep_program_free(program);
}

/* Keys longer than the guess, many keys, keys in another order each time. */
static void test_shapes(void)
{
    struct table_field fields[] = { { .name = "a_key_that_is_much_longer_than_sixteen_bytes", .type = INT }, { .name = "b", .type = INT }, { .name = "fifteen_bytes_k", .type = INT },
                                    { .name = "sixteen_bytes_ke", .type = INT } };
    struct table_spec spec = { fields, 4, json, -1, 0 };
    struct base_buf text = { 0 };
    base_buf_putc(&text, '{');
    for (int i = 0; i < 200; i++)
        base_buf_printf(&text, "\"k%d\":{\"b\":[%d]},", i, i);
    base_buf_puts(&text, "\"b\":1,\"a_key_that_is_much_longer_than_sixteen_bytes\":2,\"a_key_that_is_much_longer_than_sixteen_bytez\":9,"
                         "\"sixteen_bytes_ke\":4,\"fifteen_bytes_k\":3,\"fifteen_bytes_K\":5}");
    const char *want = "{\"a_key_that_is_much_longer_than_sixteen_bytes\":2,\"b\":1,\"fifteen_bytes_k\":3,\"sixteen_bytes_ke\":4}";
    IS_STR(table_decode(&spec, (struct base_str){ text.ptr, text.len }), want, "206 keys");
    base_buf_finish(&text);
    struct cep_program *program = table_program(&spec);
    struct formats_decoder_config config = { program, 0, NULL, NULL };
    struct formats_decoder *decoder = NULL;
    struct base_arena arena = { 0 };
    char error[256];
    struct cep_record records[] = { { .bytes = BASE_STR("{\"b\":1,\"c\":2}") }, { .bytes = BASE_STR("{\"c\":2,\"b\":1}") }, { .bytes = BASE_STR("{\"bb\":2,\"b\":1}") },
                                    { .bytes = BASE_STR("{\"b\\n\":2,\"b\":1}") }, { .bytes = BASE_STR("{\"\":2,\"b\":1}") }, { .bytes = BASE_STR("{\"b\" :1}") } };
    struct cep_row *rows[6];
    OK(formats_decoder_create(&config, &decoder, error, sizeof error) == 0 && formats_decode(decoder, records, 6, &arena, rows) == 0, "decode");
    for (int i = 0; i < 6; i++)
        IS_STR(table_row(program, rows[i]), "{\"a_key_that_is_much_longer_than_sixteen_bytes\":null,\"b\":1,\"fifteen_bytes_k\":null,\"sixteen_bytes_ke\":null}", "another order");
    formats_decoder_destroy(decoder);
    base_arena_finish(&arena);
    cep_program_free(program);
}

static void test_large(void)
{
    struct table_field field = { .name = "x", .type = STRING };
    const char *roomy[] = { "format", "json", "max-record-bytes", "33554432", NULL };
    struct table_spec normal = { &field, 1, json, -1, 0 }, wide = { &field, 1, roomy, -1, 0 };
    struct base_buf text = { 0 };
    base_buf_puts(&text, "{\"y\":\"");
    for (int i = 0; i < 10 << 20; i += 16)
        base_buf_puts(&text, "0123456789abcdef");
    base_buf_puts(&text, "\",\"x\":\"end\"}");
    struct base_str large = { text.ptr, text.len };
    IS_STR(table_decode(&normal, large), "LIMIT: the record is longer than max-record-bytes (8388608)", "a 10 MB line");
    IS_STR(table_decode(&wide, large), "{\"x\":\"end\"}", "where it is allowed");
    text.ptr[2] = 'x';
    const char *said = table_decode(&wide, large);
    base_buf_clear(&text);
    OK(strlen(said) > 60000, "and read");
    for (int i = 0; i < 20 << 20; i += 16)
        base_buf_puts(&text, i == 0 ? "{\"x\":\"6789abcdef" : "0123456789abcdef");
    base_buf_puts(&text, "\"}");
    IS_STR(table_decode(&wide, (struct base_str){ text.ptr, text.len }), "LIMIT: the row is larger than 16777216 bytes", "a row beyond the engine's bound");
    base_buf_clear(&text);
    for (int i = 0; i < 1 << 20; i++)
        base_buf_puts(&text, i == 0 ? "{\"y\":[" : "[");
    OK(strncmp(table_decode(&normal, (struct base_str){ text.ptr, text.len }), "MALFORMED", 9) == 0, "a million brackets");
    text.ptr[2] = 'x';
    IS_STR(table_decode(&normal, (struct base_str){ text.ptr, text.len }), "MALFORMED: JSON nests deeper than 1024", "and in a column that is read");
    base_buf_finish(&text);
}

int main(void)
{
    test_types();
    test_times();
    test_records();
    test_nested();
    test_metadata();
    tombstones(1);
    tombstones(0);
    run_batch(true, false, "in place");
    run_batch(false, false, "copied");
    run_batch(true, true, "in place with bad ones");
    run_batch(false, true, "copied with bad ones");
    test_shapes();
    test_large();
    return tap_done();
}
