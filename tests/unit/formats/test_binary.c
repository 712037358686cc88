/* Avro, Protobuf and Debezium's envelopes, decoded by a schema that the table names. */
#include "formats/format.h"

#include "tests/unit/formats/table.h"
#include "tests/unit/formats/binary_cases.h"
#include "tests/unit/tap.h"

static const char *decode(const struct binary_case *c, struct base_str bytes)
{
    char schema[64], more[64];
    snprintf(schema, sizeof schema, "%s.schema", c->format);
    snprintf(more, sizeof more, "%s.%s", c->format, strcmp(c->format, "avro") == 0 ? "reader-schema" : "message-name");
    const char *options[] = { "format", c->format, schema, c->schema, c->more ? more : NULL, c->more, NULL };
    struct table_spec spec = { c->fields, c->count, options, -1, 0 };
    return table_decode(&spec, bytes);
}

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof binary_cases / sizeof binary_cases[0]; i++) {
        const struct binary_case *c = &binary_cases[i];
        IS_STR(decode(c, (struct base_str){ c->bytes, c->len }), c->row, c->name);
    }
}

/* Every beginning of every record, and every record with each byte bent: a row or a problem, never anything else. */
static void test_damage(void)
{
    uint64_t rows = 0, problems = 0, others = 0;
    for (size_t i = 0; i < sizeof binary_cases / sizeof binary_cases[0]; i++) {
        const struct binary_case *c = &binary_cases[i];
        if (strncmp(c->row, "config", 6) == 0)
            continue;
        char bent[1024];
        for (size_t n = 0; n < 2 * c->len && c->len < sizeof bent; n++) {
            memcpy(bent, c->bytes, c->len);
            bent[n / 2] = (char)(n % 2 ? bent[n / 2] ^ 0xff : bent[n / 2] + 1);
            const char *text = decode(c, (struct base_str){ bent, c->len });
            rows += text[0] == '{';
            problems += strncmp(text, "MALFORMED", 9) == 0 || strncmp(text, "UTF8", 4) == 0 || strncmp(text, "LIMIT", 5) == 0;
            others += strncmp(text, "failed", 6) == 0 || strncmp(text, "config", 6) == 0;
            const char *cut = decode(c, (struct base_str){ c->bytes, n / 2 });
            rows += cut[0] == '{';
            problems += strncmp(cut, "MALFORMED", 9) == 0;
            if (cut[0] != '{' && strncmp(cut, "MALFORMED", 9) != 0) {
                others++;
                printf("# %s, %zu bytes: %s\n", c->name, n / 2, cut);
            }
        }
    }
    printf("# %llu rows, %llu problems\n", (unsigned long long)rows, (unsigned long long)problems);
    OK(others == 0 && problems > 500, "damaged records give rows or problems");
}

/* ---- change records ---- */

static const struct table_field customer[] = { { .name = "id", .type = CEP_TYPE(BIGINT), .not_null = true }, { .name = "name", .type = CEP_TYPE(STRING) },
                                               { .name = "amount", .type = CEP_DECIMAL_TYPE(12, 2) } };

/* The row, with "-" before it if it is a deletion. */
static const char *change_of(const char *format, const char *schema, struct base_str bytes)
{
    static char out[(1 << 16) + 2];
    char option[64], error[256] = "";
    snprintf(option, sizeof option, "%s.schema", format);
    const char *options[] = { "format", format, schema ? option : NULL, schema, NULL };
    struct table_spec spec = { customer, 3, options, -1, 1 };
    struct cep_program *program = table_program(&spec);
    struct table_said said = { 0 };
    struct formats_decoder_config config = { program, 0, table_note, &said };
    struct formats_decoder *decoder = NULL;
    struct base_arena arena = { 0 };
    snprintf(out, sizeof out, "-");
    if (formats_decoder_create(&config, &decoder, error, sizeof error) < 0) {
        snprintf(out, sizeof out, "config: %s", error);
    } else {
        struct cep_record record = { .bytes = bytes, .time_ms = 5, .offset = 7 };
        struct cep_row *row = NULL;
        int e = formats_decode(decoder, &record, 1, &arena, &row);
        if (e < 0 || said.problems)
            snprintf(out, sizeof out, "%s: %s", base_error_name(e < 0 ? e : said.last.code), said.last.reason);
        else if (row)
            snprintf(out, sizeof out, "%s%s", row->change == CEP_DELETE ? "-" : "", table_row(program, row));
    }
    formats_decoder_destroy(decoder);
    base_arena_finish(&arena);
    cep_program_free(program);
    return out;
}

static const char *json_change(const char *text)
{
    return change_of("debezium-json", NULL, text ? base_str_of(text) : (struct base_str){ 0 });
}

static void test_changes(void)
{
    IS_STR(json_change("{\"before\":null,\"after\":{\"id\":1,\"name\":\"Ann\",\"amount\":\"12.50\"},\"source\":{\"db\":\"x\"},\"op\":\"c\",\"ts_ms\":1}"),
           "{\"id\":1,\"name\":\"Ann\",\"amount\":12.50}", "a creation");
    IS_STR(json_change("{\"op\":\"r\",\"after\":{\"id\":1,\"name\":null}}"), "{\"id\":1,\"name\":null,\"amount\":null}", "a row of a snapshot");
    IS_STR(json_change("{\"schema\":{\"type\":\"struct\",\"fields\":[]},\"payload\":{\"op\":\"u\",\"before\":{\"id\":1},\"after\":{\"id\":1,\"name\":\"Bo\"}}}"),
           "{\"id\":1,\"name\":\"Bo\",\"amount\":null}", "an update, with the schema around it");
    IS_STR(json_change("{\"op\":\"d\",\"before\":{\"id\":3},\"after\":null}"), "-{\"id\":3,\"name\":null,\"amount\":null}", "a deletion");
    IS_STR(json_change(NULL), "-", "the tombstone behind it says nothing new");
    IS_STR(json_change("{\"op\":\"t\"}"), "-", "a truncation names no row");
    IS_STR(json_change("{\"id\":1}"), "MALFORMED: this is no change record of Debezium: \"op\" must be c, r, u or d", "no envelope");
    IS_STR(json_change("{\"op\":\"d\",\"before\":null}"), "MALFORMED: the deleted row has no value for column \"id\"", "a deletion that does not say of what");
    IS_STR(json_change("{\"op\":\"c\",\"after\":{\"name\":\"x\"}}"), "MALFORMED: column \"id\" is NOT NULL, but the record has no value for it", "a row without key");
    IS_STR(json_change("{\"op\":\"c\",\"after\":{\"id\":\"x\"}}"), "MALFORMED: column \"id\": expected BIGINT, found \"x\"", "a bad value inside");
    OK(strncmp(json_change("{\"op\":"), "MALFORMED", 9) == 0, "broken JSON");
}

/* ---- writing ---- */

#define N(type) "[\"null\"," type "]"
static const char WRITTEN[] =
    "{\"type\":\"record\",\"name\":\"out\",\"fields\":[{\"name\":\"b\",\"type\":" N("\"boolean\"") "},{\"name\":\"i\",\"type\":" N("\"long\"") "},"
    "{\"name\":\"m\",\"type\":" N("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":4}") "},{\"name\":\"s\",\"type\":" N("\"string\"") "},"
    "{\"name\":\"t\",\"type\":" N("{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}") "},"
    "{\"name\":\"a\",\"type\":" N("{\"type\":\"array\",\"items\":" N("\"string\"") "}") "},{\"name\":\"none\",\"type\":[\"null\",\"int\"]}]}";

/* A JSON row, written in a format by the schema and read again. */
static const char *round_trip(const char *format, const char *schema, const char *json)
{
    static const struct table_field columns[] = { { .name = "b", .type = CEP_TYPE(BOOLEAN) }, { .name = "i", .type = CEP_TYPE(INT) },
                                                  { .name = "m", .type = CEP_DECIMAL_TYPE(12, 2) }, { .name = "s", .type = CEP_TYPE(STRING) },
                                                  { .name = "t", .type = CEP_TYPE(TIMESTAMP_LTZ) }, { .name = "a", .type = { .kind = CEP_KIND_ARRAY, .element = CEP_KIND_STRING } } };
    static char out[1 << 16];
    char error[256] = "", option[64];
    snprintf(option, sizeof option, "%s.schema", format);
    const char *in_options[] = { "format", "json", NULL }, *out_options[] = { "format", format, schema ? option : NULL, schema, NULL };
    struct table_spec in = { columns, 6, in_options, -1, 0 }, to = { columns, 6, out_options, -1, 0 };
    struct cep_program *in_program = table_program(&in), *to_program = table_program(&to);
    struct formats_decoder_config config = { in_program, 0, NULL, NULL };
    struct formats_encoder_config encoder_config = { to_program, 0, 0, false };
    struct formats_decoder *decoder = NULL;
    struct formats_encoder *encoder = NULL;
    struct base_arena arena = { 0 };
    struct base_buf bytes = { 0 };
    struct cep_record record = { .bytes = base_str_of(json) };
    struct cep_row *row = NULL;
    snprintf(out, sizeof out, "no row");
    if (formats_encoder_create(&encoder_config, &encoder, error, sizeof error) < 0)
        snprintf(out, sizeof out, "config: %s", error);
    else if (formats_decoder_create(&config, &decoder, error, sizeof error) == 0 && formats_decode(decoder, &record, 1, &arena, &row) == 0 && row) {
        formats_encode(encoder, row, &bytes);
        snprintf(out, sizeof out, "%s", table_decode(&to, (struct base_str){ bytes.ptr, bytes.len }));
    }
    formats_decoder_destroy(decoder);
    formats_encoder_destroy(encoder);
    base_buf_finish(&bytes);
    base_arena_finish(&arena);
    cep_program_free(in_program);
    cep_program_free(to_program);
    return out;
}

static void test_writing(void)
{
    static const char *const rows[] = {
        "{\"b\":true,\"i\":-7,\"m\":-12.34,\"s\":\"Grüße\",\"t\":\"2026-01-02T03:04:05.678Z\",\"a\":[\"x\",null,\"\"]}",
        "{\"b\":false,\"i\":2147483647,\"m\":9999999999.99,\"s\":\"\",\"t\":\"1969-12-31T23:59:59.999Z\",\"a\":[]}",
        "{\"b\":null,\"i\":null,\"m\":null,\"s\":null,\"t\":null,\"a\":null}",
        "{\"b\":true,\"i\":0,\"m\":0.00,\"s\":\"x\",\"t\":\"1970-01-01T00:00:00.000Z\",\"a\":[\"1\"]}",
        "{\"b\":true,\"i\":-2147483648,\"m\":-1.28,\"s\":\"x\",\"t\":\"1970-01-01T00:00:00.000Z\",\"a\":null}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        IS_STR(round_trip("avro", WRITTEN, rows[i]), rows[i], "written and read by one schema");
    OK(strstr(round_trip("avro", NULL, rows[0]), "needs a schema"), "without a schema rows are written by one of the columns, but not read");
    IS_STR(round_trip("avro", "{\"type\":\"record\",\"name\":\"o\",\"fields\":[{\"name\":\"b\",\"type\":\"boolean\"}]}", rows[0]),
           "config: Avro schema: field \"b\": it cannot be null, but its column can: make it a union with null", "a schema that cannot take the column");
}

static void test_writing_protobuf(void)
{
#define PROTO(b, i, m, t, a) \
    "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/wrappers.proto\"; import \"confluent/type/decimal.proto\"; " \
    "import \"google/type/decimal.proto\"; message Other { int32 x = 1; } message Out { " b " b = 15; " i " i = 16; " m " m = 3; optional string s = 4; " t " t = 5; " a " a = 6; " \
    "string none = 2000; }"
    static const char *const schemas[] = {
        PROTO("optional bool", "optional int32", "confluent.type.Decimal", "google.protobuf.Timestamp", "repeated string"),
        PROTO("google.protobuf.BoolValue", "optional sint64", "google.type.Decimal", "optional int64", "repeated string"),
        PROTO("optional string", "optional sfixed32", "optional string", "optional sfixed64", "repeated bytes"),
        PROTO("google.protobuf.BoolValue", "google.protobuf.Int64Value", "optional string", "google.protobuf.Timestamp", "repeated google.protobuf.StringValue"),
    };
    static const char *const rows[][2] = {
        { "{\"b\":true,\"i\":-7,\"m\":-12.34,\"s\":\"Grüße\",\"t\":\"2026-01-02T03:04:05.678Z\",\"a\":[\"x\",null,\"\"]}",
          "{\"b\":true,\"i\":-7,\"m\":-12.34,\"s\":\"Grüße\",\"t\":\"2026-01-02T03:04:05.678Z\",\"a\":[\"x\",\"\"]}" },
        { "{\"b\":false,\"i\":2147483647,\"m\":9999999999.99,\"s\":\"\",\"t\":\"1900-01-01T00:00:00.001Z\",\"a\":[]}", NULL },
        { "{\"b\":true,\"i\":0,\"m\":0.00,\"s\":\"x\",\"t\":\"2030-01-01T00:00:00.000Z\",\"a\":[\"1\"]}", NULL },
        { "{\"b\":true,\"i\":-2147483648,\"m\":-1.28,\"s\":\"x\",\"t\":\"2030-01-01T00:00:00.000Z\",\"a\":[\"1\",\"2\"]}", NULL },
        { "{\"b\":null,\"i\":null,\"m\":null,\"s\":null,\"t\":null,\"a\":null}", "{\"b\":null,\"i\":null,\"m\":null,\"s\":null,\"t\":null,\"a\":[]}" },
    };
    char schema[1024];
    for (size_t s = 0; s < sizeof schemas / sizeof schemas[0]; s++) {
        const char *begin = strstr(schemas[s], "message Other"), *out = strstr(schemas[s], "message Out"); /* the message that is written comes first */
        snprintf(schema, sizeof schema, "%.*s%s %.*s", (int)(begin - schemas[s]), schemas[s], out, (int)(out - begin), begin);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            IS_STR(round_trip("protobuf", schema, rows[i][0]), rows[i][1] ? rows[i][1] : rows[i][0], "written and read by one schema");
    }
    OK(strstr(round_trip("protobuf", NULL, rows[0][0]), "needs a schema"), "without a schema rows are written by one of the columns, but not read");
    IS_STR(round_trip("protobuf", "syntax = \"proto3\"; message Out { uint32 i = 1; bool b = 2; }", rows[0][0]),
           "config: Protobuf schema: message \"Out\" has a type that cannot take every value of column \"i\"", "a schema that cannot take the column");
    IS_STR(round_trip("protobuf", "syntax = \"proto3\"; message Out { bool b = 2; }", rows[0][0]), "config: Protobuf schema: message \"Out\" has no field for column \"i\"",
           "a schema without the column");
}

int main(void)
{
    test_cases();
    test_damage();
    test_changes();
    test_writing();
    test_writing_protobuf();
    return tap_done();
}
