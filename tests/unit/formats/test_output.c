#include "formats/alert.h"

#include "formats/dead_letter.h"
#include "formats/encode.h"
#include "formats/mask.h"
#include "formats/text.h"
#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

static const char *masked(const char *text)
{
    static char out[256];
    struct base_buf buf = { 0 };
    formats_mask_pan(base_str_of(text), &buf);
    snprintf(out, sizeof out, "%s", buf.ptr ? buf.ptr : "");
    base_buf_finish(&buf);
    return out;
}

static void test_mask(void)
{
    IS_STR(masked("4111111111111111"), "411111******1111", "a card number");
    IS_STR(masked("pay 4111 1111 1111 1111 now"), "pay 4111 11** **** 1111 now", "in groups");
    IS_STR(masked("4111-1111-1111-1111,378282246310005"), "4111-11**-****-1111,378282*****0005", "two of them");
    IS_STR(masked("4111111111111112"), "4111111111111112", "a wrong check digit");
    IS_STR(masked("41111111111111111111111"), "41111111111111111111111", "too many digits");
    IS_STR(masked("411111111111"), "411111111111", "too few digits");
    IS_STR(masked("7 4111111111111111"), "7 411111******1111", "behind another number");
    IS_STR(masked("2026-01-01 00:00:00"), "2026-01-01 00:00:00", "a timestamp");
    IS_STR(masked(""), "", "nothing");
    OK(!formats_looks_like_pan(BASE_STR("1767268800123456")), "microseconds are no card number");
}

static void test_base64(void)
{
    static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foobar", "Zm9vYmFy" } };
    struct base_arena arena = { 0 };
    for (size_t i = 0; i < 5; i++) {
        struct base_buf buf = { 0 };
        struct base_str back;
        formats_base64_encode(base_str_of(pairs[i][0]), &buf);
        IS_STR(buf.ptr ? buf.ptr : "", pairs[i][1], "base64 of RFC 4648's examples");
        OK(formats_base64_decode(base_str_of(pairs[i][1]), &arena, &back) == 0 && base_str_equal(back, base_str_of(pairs[i][0])), "and back");
        base_buf_finish(&buf);
    }
    struct base_str back;
    IS_INT(formats_base64_decode(BASE_STR("a"), &arena, &back), BASE_E_CAST, "one digit is none");
    IS_INT(formats_base64_decode(BASE_STR("a*bc"), &arena, &back), BASE_E_CAST, "no digit");
    base_arena_finish(&arena);
}

/* ---- rows ---- */

static const struct table_field columns[] = { { .name = "id", .type = CEP_TYPE(BIGINT) }, { .name = "who", .type = CEP_TYPE(STRING) },
                                              { .name = "sum", .type = CEP_DECIMAL_TYPE(38, 2) }, { .name = "at", .type = CEP_TYPE(TIMESTAMP_LTZ) } };

static struct cep_row *make_row(struct base_arena *arena, const char *who, int64_t cents)
{
    struct cep_type types[] = { columns[0].type, columns[1].type, columns[2].type, columns[3].type };
    struct cep_value values[] = { cep_int(7), who ? cep_string(who, strlen(who)) : cep_null(), cep_dec(cents), cep_int(1767268800123) };
    struct cep_position at = { .offset = 42, .partition = 1, .table = 0 };
    struct cep_row *row = NULL;
    return cep_row_make(types, values, 4, 1767268800123, at, arena, &row) == 0 ? row : NULL;
}

static void is_encoded(const char *const *options, bool with_change, const char *who, const char *want)
{
    struct table_spec spec = { columns, 4, options, -1, 2 };
    struct cep_program *program = table_program(&spec);
    struct formats_encoder_config config = { program, 0, options ? 0 : CEP_NONE, with_change };
    struct formats_encoder *encoder = NULL;
    struct base_arena arena = { 0 };
    struct base_buf out = { 0 };
    char error[256] = "";
    if (formats_encoder_create(&config, &encoder, error, sizeof error) == 0) {
        if (formats_encode_head(encoder, &out))
            base_buf_putc(&out, '\n');
        formats_encode(encoder, make_row(&arena, who, 1250), &out);
        base_buf_putc(&out, '\n');
        formats_encode_key(encoder, make_row(&arena, who, 1250), &out);
    } else {
        base_buf_puts(&out, error);
    }
    IS_STR(out.ptr, want, "encoded");
    formats_encoder_destroy(encoder);
    base_buf_finish(&out);
    base_arena_finish(&arena);
    cep_program_free(program);
}

static void test_encode(void)
{
    const char *const csv[] = { "format", "csv", NULL }, *const tabs[] = { "format", "csv", "csv.field-delimiter", "\\t", "csv.null-literal", "NULL", NULL };
    const char *const json[] = { "format", "json", NULL }, *const other[] = { "format", "yaml", NULL };
    is_encoded(NULL, false, "a\"b", "{\"id\":7,\"who\":\"a\\\"b\",\"sum\":12.50,\"at\":\"2026-01-01T12:00:00.123Z\"}\n");
    is_encoded(json, true, NULL, "{\"op\":\"+I\",\"id\":7,\"who\":null,\"sum\":12.50,\"at\":\"2026-01-01T12:00:00.123Z\"}\n{\"id\":7,\"who\":null}");
    is_encoded(csv, false, "a\"b,c", "id,who,sum,at\n7,\"a\"\"b,c\",12.50,2026-01-01 12:00:00.123\n{\"id\":7,\"who\":\"a\\\"b,c\"}");
    is_encoded(csv, false, "", "id,who,sum,at\n7,\"\",12.50,2026-01-01 12:00:00.123\n{\"id\":7,\"who\":\"\"}");
    is_encoded(csv, false, NULL, "id,who,sum,at\n7,,12.50,2026-01-01 12:00:00.123\n{\"id\":7,\"who\":null}");
    is_encoded(tabs, false, NULL, "id\twho\tsum\tat\n7\tNULL\t12.50\t2026-01-01 12:00:00.123\n{\"id\":7,\"who\":null}");
    is_encoded(other, false, NULL, "unknown format 'yaml'; sinks know 'json', 'csv', 'avro', 'avro-confluent', 'protobuf' and 'protobuf-confluent'");
}

static void test_table(void)
{
    struct table_spec spec = { columns, 3, NULL, -1, 0 };
    struct cep_program *program = table_program(&spec);
    struct base_arena arena = { 0 };
    struct base_buf out = { 0 };
    struct formats_table *table = formats_table_create(program, 0);
    IS_INT(formats_table_add(table, make_row(&arena, "Zo\xc3\xab", 5), &out), 0, "a row");
    IS_INT(formats_table_add(table, make_row(&arena, NULL, 123456), &out), 0, "another");
    IS_INT(formats_table_finish(table, &out), 0, "finish");
    IS_STR(out.ptr, "id | who  |     sum\n---+------+--------\n 7 | Zo\xc3\xab  |    0.05\n 7 | NULL | 1234.56\n", "aligned");
    formats_table_destroy(table);
    base_buf_finish(&out);
    base_arena_finish(&arena);
    cep_program_free(program);
}

/* ---- alerts ---- */

/* Table t(card STRING, amount DECIMAL(12,2)), rule r keyed by card, measures (total DECIMAL(12,2), n BIGINT), one variable A. */
static struct cep_program *alert_program(void)
{
    struct cep_builder *b = cep_builder_create();
    struct cep_type money = CEP_DECIMAL_TYPE(12, 2);
    struct cep_column cols[] = { { cep_builder_text(b, BASE_STR("card")), CEP_TYPE(STRING) }, { cep_builder_text(b, BASE_STR("amount")), money },
                                 { cep_builder_text(b, BASE_STR("total")), money }, { cep_builder_text(b, BASE_STR("n")), CEP_TYPE(BIGINT) } };
    uint32_t first = cep_builder_add(b, CEP_SEC_COLUMNS, cols, 4);
    struct cep_schema schemas[] = { { .columns = { first, 2 }, .rowtime = CEP_NONE }, { .columns = { first + 2, 2 }, .rowtime = CEP_NONE } };
    (void)cep_builder_add(b, CEP_SEC_SCHEMAS, schemas, 2);
    struct cep_field fields[] = { { .name = cols[0].name, .path = cols[0].name, .type = cols[0].type }, { .name = cols[1].name, .path = cols[1].name, .type = money, .ordinal = 1 } };
    uint32_t field = cep_builder_add(b, CEP_SEC_FIELDS, fields, 2);
    struct cep_table table = { .name = cep_builder_text(b, BASE_STR("t")), .fields = { field, 2 }, .rowtime_field = CEP_NONE, .declared_columns = 2 };
    (void)cep_builder_add(b, CEP_SEC_TABLES, &table, 1);
    struct cep_node node = { .kind = CEP_NODE_SOURCE, .schema = 0, .detail = 0, .rule = CEP_NONE, .key_columns = { first, 1 } };
    (void)cep_builder_add(b, CEP_SEC_NODES, &node, 1);
    struct cep_var var = { .name = cep_builder_text(b, BASE_STR("A")), .pred = 0, .live_update = CEP_NONE, .out_update = CEP_NONE };
    (void)cep_builder_add(b, CEP_SEC_VARS, &var, 1);
    struct cep_rule rule = { .name = cep_builder_text(b, BASE_STR("r")), .severity = cep_builder_text(b, BASE_STR("high")), .title = cep_builder_text(b, BASE_STR("A \"title\"")),
                             .mode = cep_builder_text(b, BASE_STR("live")), .fingerprint = cep_builder_text(b, BASE_STR("0123456789abcdef0123456789abcdef")), .version = 2,
                             .alert_node = CEP_NONE, .match_node = CEP_NONE };
    (void)cep_builder_add(b, CEP_SEC_RULES, &rule, 1);
    struct cep_program *program = NULL;
    if (cep_builder_finish(b, &program) < 0)
        program = NULL;
    cep_builder_destroy(b);
    return program;
}

static struct cep_row *tuple_row(struct base_arena *arena, struct cep_type a, struct cep_value va, struct cep_type b, struct cep_value vb)
{
    struct cep_type types[] = { a, b };
    struct cep_value values[] = { va, vb };
    struct cep_row *row = NULL;
    struct cep_position at = { .offset = 42, .partition = 3 };
    return cep_row_make(types, values, 2, 1767268800000, at, arena, &row) == 0 ? row : NULL;
}

static void test_alert(void)
{
    struct cep_program *program = alert_program();
    if (!OK(program != NULL, "program"))
        return;
    struct base_arena arena = { 0 };
    struct base_buf out = { 0 };
    struct cep_type money = CEP_DECIMAL_TYPE(12, 2), text = CEP_TYPE(STRING);
    struct cep_value card = cep_string("4111111111111111", 16);
    struct cep_row *measures = tuple_row(&arena, money, cep_dec(1250), CEP_TYPE(BIGINT), cep_int(2));
    struct cep_row *event_row = tuple_row(&arena, text, card, money, cep_dec(625));
    struct cep_row *key = NULL;
    struct cep_position nowhere = { 0 };
    OK(cep_row_make(&text, &card, 1, 0, nowhere, &arena, &key) == 0, "key");
    struct cep_evidence_item items[50];
    for (int i = 0; i < 50; i++)
        items[i] = (struct cep_evidence_item){ event_row, 0, false };
    struct cep_evidence evidence = { .schema = 0, .items = items, .count = 2, .total = 2 };
    struct cep_event event = { .row = measures, .key = &key->tuple, .key_node = 0, .kind = CEP_IS_MATCH, .first_time_ms = 1767268800000, .last_time_ms = 1767268860000,
                               .evidence = &evidence, .revision = 1, .ident = { 1, 2 } };
    char id[33], again[33];
    formats_alert_id(program, 0, event.ident, id);
    formats_alert_id(program, 0, (struct cep_ident){ 1, 3 }, again);
    OK(strlen(id) == 32 && strcmp(id, again) != 0, "identities give ids");
    struct formats_alert alert = { .program = program, .rule = 0, .schema = 1, .event = &event, .alert_id = BASE_STR("ab12"), .source = BASE_STR("/cepheid/test"),
                                   .detected_ms = 1767268861000 };
    IS_INT(formats_alert_json(&alert, &out), 0, "alert");
    const char *one_event = "{\"source\":{\"table\":\"t\",\"partition\":3,\"offset\":42},\"variable\":\"A\",\"time\":\"2026-01-01T12:00:00.000Z\","
                            "\"fields\":{\"card\":\"411111******1111\",\"amount\":6.25}}";
    char want[4096];
    snprintf(want, sizeof want,
             "{\"specversion\":\"1.0\",\"id\":\"ab12.1\",\"source\":\"/cepheid/test\",\"type\":\"cepheid.alert.created.v1\",\"subject\":\"411111******1111\","
             "\"time\":\"2026-01-01T12:01:00.000Z\",\"datacontenttype\":\"application/json\",\"data\":{\"alert_id\":\"ab12\",\"revision\":1,\"change\":\"created\",\"rule\":\"r\","
             "\"version\":2,\"severity\":\"high\",\"title\":\"A \\\"title\\\"\",\"mode\":\"live\",\"key\":{\"card\":\"411111******1111\"},\"kind\":\"match\","
             "\"first_event_time\":\"2026-01-01T12:00:00.000Z\",\"last_event_time\":\"2026-01-01T12:01:00.000Z\",\"measures\":{\"total\":12.50,\"n\":2},"
             "\"events\":[%s,%s],\"detected_at\":\"2026-01-01T12:01:01.000Z\"}}", one_event, one_event);
    IS_STR(out.ptr, want, "whole");
    OK(strstr(out.ptr, "4111111111111111") == NULL, "no card number in it");
    base_buf_clear(&out);
    evidence.count = 50;
    evidence.total = 70;
    event.limited = true;
    alert.change = FORMATS_ALERT_WITHDRAWN;
    alert.evidence_bytes = 1000;
    IS_INT(formats_alert_json(&alert, &out), 0, "a large one");
    OK(out.len < 1000 + 900 && strstr(out.ptr, "\"events_total\":70,\"evidence_truncated\":true,\"limited\":true"), "is cut and says so");
    OK(strstr(out.ptr, "\"type\":\"cepheid.alert.withdrawn.v1\"") && strstr(out.ptr, "\"change\":\"withdrawn\""), "withdrawn");
    base_buf_finish(&out);
    base_arena_finish(&arena);
    cep_program_free(program);
}

static void is_letter(struct base_str bytes, size_t limit, const char *want)
{
    struct base_buf out = { 0 };
    struct cep_origin origin = { .name = BASE_STR("orders") };
    struct cep_record record = { .bytes = bytes, .origin = &origin, .time_ms = BASE_TIME_MIN_MS, .offset = 5, .partition = 2 };
    struct formats_dead_letter letter = { .code = BASE_E_MALFORMED, .reason = BASE_STR("bad"), .table = BASE_STR("t"), .record = &record, .detected_ms = BASE_TIME_MIN_MS,
                                          .record_bytes = limit };
    IS_INT(formats_dead_letter_json(&letter, &out), 0, "dead letter");
    IS_STR(out.ptr, want, "as it should be");
    base_buf_finish(&out);
}

static void test_dead_letter(void)
{
    is_letter(BASE_STR("{\"card\":\"4111111111111111\""), 0,
              "{\"reason\":\"bad\",\"code\":\"MALFORMED\",\"table\":\"t\",\"origin\":\"orders\",\"partition\":2,\"offset\":5,\"record\":\"{\\\"card\\\":\\\"411111******1111\\\"\",\"record_bytes\":26}");
    is_letter(BASE_STR("a\xff"), 0,
              "{\"reason\":\"bad\",\"code\":\"MALFORMED\",\"table\":\"t\",\"origin\":\"orders\",\"partition\":2,\"offset\":5,\"record_base64\":\"Yf8=\",\"record_bytes\":2}");
    is_letter(BASE_STR("abc\xc3\xa9xyz"), 4,
              "{\"reason\":\"bad\",\"code\":\"MALFORMED\",\"table\":\"t\",\"origin\":\"orders\",\"partition\":2,\"offset\":5,\"record\":\"abc\",\"record_bytes\":8,\"truncated\":true}");
}

int main(void)
{
    test_mask();
    test_base64();
    test_encode();
    test_table();
    test_alert();
    test_dead_letter();
    return tap_done();
}
