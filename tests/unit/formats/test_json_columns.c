/* Lines read in blocks, straight into columns, against the same lines read record by record: JSON of all sorts, plain and broken, and CSV with event time. */
#include "tests/unit/formats/ways.h"
#include "tests/unit/rnd.h"
#include "tests/unit/tap.h"

static const char *const json[] = { "format", "json", NULL };
static const char *const lenient[] = { "format", "json", "json.ignore-parse-errors", "true", NULL };
static const char *const short_ones[] = { "format", "json", "max-record-bytes", "230", NULL };
static const char *const sql[] = { "format", "json", "json.timestamp-format", "SQL", NULL };

/* ---- JSON by chance ---- */

static const char *pick(const char *const *from, uint32_t count) { return from[rnd(count)]; }
#define PICK(...) pick((const char *const[]){ __VA_ARGS__ }, (uint32_t)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)))

/* A record of the usual layout; odd: one in so many values is not what it usually is. */
static void put_record(uint32_t i, uint32_t odd, struct base_buf *out)
{
    bool strange[10];
    for (size_t k = 0; k < 10; k++)
        strange[k] = odd && rnd(odd) == 0;
    base_buf_printf(out, "{\"id\":%s,", strange[0] ? PICK("\"a\\u0041\\n\"", "null", "7", "\"\"", "\"Zo\xc3\xab\"", "\"\xff\"", "\"a\tb\"", "\"\\x\"", "true", "[1,2]", "{\"a\":1}",
                                                         "\"a text that is longer than thirty-two bytes, by far\"", "\"exactly 16 bytes\"") : "\"u1234567\"");
    base_buf_printf(out, "\"n\":%s,", strange[1] ? PICK("null", "-1", "\"12\"", "1.5", "2147483648", "007", "1e3", "true", "-", "tru") : "42");
    base_buf_printf(out, "\"amount\":%s,", strange[2] ? PICK("null", "-0.5", "1.234", "\"3.10\"", "99999999999", "1.", "1e1", "nul") : "64.8");
    base_buf_printf(out, "\"wide\":%s,", strange[3] ? PICK("null", "-12345678901234567890.12", "\"5\"", "0") : "3.25");
    base_buf_printf(out, "\"nobody reads this\":%s,", strange[4] ? PICK("null", "\"\xff\xfe\"", "\"\\\"\"", "[1,{\"n\":2}]", "12", "\"a\rb\"", "\"\\q\"", "1.2.3") : "\"merchant\"");
    base_buf_printf(out, "\"ratio\":%s,", strange[5] ? PICK("null", "-0", "1e-3", "\"NaN\"", "123456789012345678901234567890", "0x1") : "0.125");
    base_buf_printf(out, "\"day\":%s,", strange[6] ? PICK("null", "\"2026-02-30\"", "1", "\"\"") : "\"2026-02-28\"");
    base_buf_printf(out, "\"flag\":%s,", strange[7] ? PICK("null", "\"true\"", "1", "maybe") : "false");
    base_buf_printf(out, "\"at\":%s,", strange[8] ? PICK("null", "1767225600", "1767225600.25", "\"2026-01-02 03:04:05\"", "\"2026-13-01T00:00:00Z\"") : "\"2026-01-01T12:00:00.500Z\"");
    char usual[40];
    snprintf(usual, sizeof usual, "\"2026-01-%02uT%02u:%02u:%02u.%03uZ\"", 1 + i / 50 % 28, i % 24, i % 60, i * 7 % 60, i * 13 % 1000);
    base_buf_printf(out, "\"ts\":%s}", strange[9] ? PICK("null", "\"2026-01-02T24:00:00.000Z\"", "1767225600123", "\"2026-01-02T03:04:05+01:00\"", "\"\"", "\"2026-01-01T12:00:00.500z\"",
                                                        "\"2026-01-01 12:00:00.500\"", "\"2026-01-01T12:00:00.500\\u005a\"") : usual);
}

/* A line: usually a record of the layout, now and then something else; one byte of it may be another. */
static void put_line_by_chance(uint32_t i, uint32_t odd, struct base_buf *out)
{
    size_t first = out->len;
    uint32_t what = odd ? rnd(odd * 12) : 100;
    if (what == 0)
        base_buf_puts(out, "{\"ts\":\"2026-01-01T12:00:00.500Z\",\"n\":3,\"id\":\"other order\",\"id\":\"twice\"}");
    else if (what == 1)
        base_buf_puts(out, PICK("", "   ", "\t\r", "{}", "[]", "x", "{\"id\":\"a\"", "null", "{\"n\":1,\"ts\":1767225600123}"));
    else if (what == 2)
        base_buf_puts(out, " ");
    if (what > 1)
        put_record(i, odd, out);
    if (what == 3 && out->len > first)
        out->ptr[first + rnd((uint32_t)(out->len - first))] = (char)(rnd(2) ? 1 + rnd(255) : (uint32_t)PICK("\"", "\\", "{", "}", ",", ":", "0", " ")[0]);
    if (what == 4)
        out->len = first + rnd((uint32_t)(out->len - first));
    if (what == 5)
        base_buf_puts(out, PICK("}", " ", "\r", "  \r", ",", "x", "{}"));
    base_buf_puts(out, what == 6 ? "\r\n" : "\n");
}

static void test_chance(void)
{
    const struct { const char *const *options; int rowtime; uint32_t odd, lines; const char *what; } cases[] = {
        { json, TS, 0, 4000, "records of one layout" },      { json, TS, 400, 6000, "with something else seldom" }, { json, TS, 40, 4000, "with something else often" },
        { json, TS, 4, 3000, "of all sorts" },                { json, -1, 100, 4000, "without event time" },          { lenient, TS, 40, 3000, "errors ignored" },
        { short_ones, TS, 100, 3000, "long ones left out" }, { sql, 9, 40, 2000, "timestamps of one form" },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct table_spec spec = { fields, FIELDS, cases[c].options, cases[c].rowtime, 0 };
        struct base_buf text = { 0 };
        uint32_t by_block = 0;
        for (uint32_t i = 0; i < cases[c].lines; i++)
            put_line_by_chance(i, cases[c].odd, &text);
        bool last_open = rnd(2);
        bool same = both_ways_same(&spec, NULL, text.ptr, text.len - last_open, 1 + rnd(60000), &by_block);
        OK(same, cases[c].what);
        if (cases[c].odd == 0 || cases[c].odd == 400)
            OK(by_block > cases[c].lines / 3, "most of them by blocks");
        base_buf_finish(&text);
    }
}

/* Few columns of many, as a rule wants them; the same text with blocks that end anywhere. */
static void test_borders(void)
{
    static const struct table_field few[] = { { .name = "id", .type = CEP_TYPE(STRING), .not_null = 1 }, { .name = "n", .type = CEP_TYPE(BIGINT) }, { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) } };
    struct table_spec spec = { few, 3, json, 2, 0 };
    struct base_buf text = { 0 };
    uint32_t wrong = 0, by_block, most = 0;
    for (uint32_t i = 0; i < 6; i++)
        put_line_by_chance(i, 0, &text);
    base_buf_puts(&text, "\n{\"id\":null,\"n\":1,\"ts\":1}\r\n");
    for (uint32_t i = 0; i < 3; i++)
        put_line_by_chance(i, 0, &text);
    for (size_t every = 1; every <= text.len; every++) {
        wrong += !both_ways_same(&spec, NULL, text.ptr, text.len, every, &by_block);
        most = by_block > most ? by_block : most;
    }
    for (size_t len = 0; len <= text.len; len++)
        wrong += !both_ways_same(&spec, NULL, text.ptr, len, text.len + 1, &by_block);
    IS_INT(wrong, 0, "blocks that end anywhere, texts that end anywhere");
    IS_INT(most, 8, "all but the first and the bad one by blocks");
    base_buf_finish(&text);
}

/* A layout of numbers, where NULL stands now and then. */
static void test_nulls(void)
{
    static const struct table_field few[] = { { .name = "n", .type = CEP_TYPE(BIGINT), .not_null = 1 }, { .name = "x", .type = CEP_TYPE(STRING) }, { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) } };
    struct table_spec spec = { few, 3, json, 2, 0 };
    struct base_buf text = { 0 };
    uint32_t by_block = 0;
    for (int i = 0; i < 400; i++)
        base_buf_printf(&text, i % 50 == 7 ? "{\"x\":%d,\"n\":null,\"ts\":1767225600%03d}\n" : i % 50 == 9 ? "{\"x\":%d,\"n\":1,\"ts\":null}\n"
                                : i % 50 == 11 ? "{\"x\":null,\"n\":%d,\"ts\":1}\n" : "{\"x\":true,\"n\":%d,\"ts\":1767225600%03d}\n", i, i);
    OK(both_ways_same(&spec, NULL, text.ptr, text.len, 1u << 20, &by_block), "NULL as a number, a text, an event time");
    IS_INT(by_block, 400 - 1 - 2 * 8, "those without event time, or a value that must be there, are left");
    base_buf_finish(&text);
}

static void test_refused(void)
{
    static const struct table_field meta[] = { { .name = "id", .type = CEP_TYPE(STRING) }, { .name = "file", .type = CEP_TYPE(STRING), .metadata = CEP_META_FILE } };
    static const struct table_field nested[] = { { .name = "c", .path = "a\x1f" "b", .type = CEP_TYPE(STRING) } };
    struct table_spec spec = { meta, 2, json, -1, 0 }, inside = { nested, 1, json, -1, 0 };
    struct both both;
    uint32_t by_block = 0;
    OK(!open_both(&both, &spec, NULL), "metadata is not in the lines");
    close_both(&both);
    static const char text[] = "{\"a\":{\"b\":\"x\"}}\n{\"a\":{\"b\":\"y\"}}\n{\"a\":{\"b\":\"z\"}}\n{\"a\":null}\n";
    OK(both_ways_same(&inside, NULL, text, sizeof text - 1, 1000, &by_block) && by_block == 0, "what is nested has no layout that is learned");
}

/* ---- CSV with event time ---- */

static void test_csv(void)
{
    static const char *const csv[] = { "format", "csv", NULL };
    static const struct table_field few[] = { { .name = "id", .type = CEP_TYPE(STRING) }, { .name = "n", .type = CEP_TYPE(INT), .not_null = 1 }, { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) } };
    struct table_spec spec = { few, 3, csv, 2, 0 };
    for (uint32_t odd = 0; odd <= 90; odd += 30) {
        struct base_buf text = { 0 };
        uint32_t by_block = 0;
        base_buf_puts(&text, "id,n,ts\n");
        for (uint32_t i = 0; i < 3000; i++) {
            bool a = odd && rnd(odd) == 0, b = odd && rnd(odd) == 0, c = odd && rnd(odd) == 0;
            base_buf_printf(&text, "%s,%s,", a ? PICK("", "\"a,b\"", "Zo\xc3\xab", " x ", "\xff") : "u1234567", b ? PICK("", "x", "-3", " 4", "2147483648") : "17");
            if (c)
                base_buf_puts(&text, PICK("", " ", "1767225600", "2026-01-02 03:04:05", "never", " 2026-01-02T03:04:05Z ", "2026-01-02T03:04:05.000Z\r"));
            else
                base_buf_printf(&text, "2026-01-%02uT%02u:%02u:%02u.%03uZ", 1 + i / 50 % 28, i % 24, i % 60, i * 7 % 60, i * 13 % 1000);
            base_buf_puts(&text, "\n");
        }
        OK(both_ways_same(&spec, "id,n,ts", text.ptr, text.len - 1, 5000, &by_block), "CSV with event time");
        OK(by_block > (odd ? 500u : 2900u), "most of it by blocks");
        base_buf_finish(&text);
    }
}

int main(void)
{
    test_chance();
    test_borders();
    test_nulls();
    test_refused();
    test_csv();
    return tap_done();
}
