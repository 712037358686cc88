/* Records of a known shape against the same records walked: a decoder that has learned the shape, and a fresh one, must say the same of every mutation. */
#include "formats/json_straight.h"
#include "tests/unit/base/random.h"
#include "tests/unit/formats/table.h"
#include "tests/unit/tap.h"

static const char *const json[] = { "format", "json", NULL };
static const char *const lenient[] = { "format", "json", "json.ignore-parse-errors", "true", NULL };

/* ---- the shape itself ---- */

/* Places of one record; buf has slack behind. */
static struct formats_json_walk places(struct formats_index *index, const char *buf)
{
    struct formats_json_walk w = { .buf = buf, .end = (uint32_t)strlen(buf) };
    if (formats_index_run(index, buf, w.end, &w.at, &w.count) < 0)
        w.count = 0;
    return w;
}

static void test_fits(void)
{
    static const struct { const char *text; bool fits; } cases[] = {
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\" : \"x\",\"on\":true}", true },
        { "{\"id\":-12.5e3,\"a_key_of_more_than_sixteen_bytes\" : \"\",\"on\":null}", true },
        { "{\"id\":7 ,\"a_key_of_more_than_sixteen_bytes\" : \"x\\\",{\" ,\"on\":false }", true },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\": \"x\",\"on\":true}", false },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytez\" : \"x\",\"on\":true}", false },
        { "{\"id\":\"7\",\"a_key_of_more_than_sixteen_bytes\" : \"x\",\"on\":true}", false },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\" : 1,\"on\":true}", false },
        { "{\"id\":{},\"a_key_of_more_than_sixteen_bytes\" : \"x\",\"on\":true}", false },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\" : \"x\",\"on\":true,\"more\":1}", false },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\" : \"x\"}", false },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\" : \"x\",\"on\":true", false },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\" : \"x\",\"on\":true]", false },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\" : \"x\",\"on\":true} 1", false },
        { "{\"id\":7,\"a_key_of_more_than_sixteen_bytes\" : \"x\" \"y\",\"on\":true}", false },
        { "{}", false },
    };
    static struct formats_json_shape shape;
    struct formats_index *index = formats_index_create();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char buf[256] = "";
        snprintf(buf, sizeof buf - CEP_RECORD_SLACK, "%s", cases[c].text);
        struct formats_json_walk w = places(index, buf);
        if (c == 0) {
            formats_json_shape_start(&shape);
            OK(formats_json_shape_member(&shape, &w, 0) && formats_json_shape_member(&shape, &w, 4) && formats_json_shape_member(&shape, &w, 8), "learned");
        }
        OK(formats_json_shape_fits(&shape, &w, 0) == cases[c].fits, cases[c].text);
    }
    formats_index_destroy(index);
}

/* ---- decoders ---- */

struct side {
    struct formats_decoder *decoder;
    struct table_said said;
};

static bool open_side(struct side *side, const struct cep_program *program)
{
    char error[256];
    struct formats_decoder_config config = { program, 0, table_note, &side->said };
    return formats_decoder_create(&config, &side->decoder, error, sizeof error) == 0;
}

/* What the decoder says of the last of the records, as text. */
static void say(struct side *side, const struct cep_program *program, const struct cep_record *records, size_t count, char *ret, size_t bytes)
{
    struct base_arena arena = { 0 };
    struct cep_row *rows[16] = { 0 };
    side->said = (struct table_said){ 0 };
    int r = formats_decode(side->decoder, records, count, &arena, rows);
    struct cep_row *row = rows[count - 1];
    if (r == 0 && row)
        snprintf(ret, bytes, "%lld %s %d", (long long)row->time_ms, table_row(program, row), side->said.ignored);
    else
        snprintf(ret, bytes, "%d %d %d %u %s", r, side->said.last.code, side->said.ignored, side->said.last.field, side->said.last.reason);
    base_arena_finish(&arena);
}

/* Which texts are read straight once the layout of the first is known, into text and number. */
static void test_straight(void)
{
    static const struct { const char *text; bool fits; const char *a; int64_t b; } cases[] = {
        { "{\"a\":\"x\", \"skipped\" : \"\",\"b\" : 7 , \"c\":null}", true, "x", 7 },
        { "{\"a\":\"\", \"skipped\" : \"y\\\\\",\"b\" : -712 , \"c\":true} ", true, "", -712 },
        { "{\"a\":\"0123456789abcdef\", \"skipped\" : \"sixteen bytes and \\\" more\",\"b\" : 7 , \"c\":1e5}", true, "0123456789abcdef", 7 },
        { "{\"a\":\"0123456789abcdef0\\n\", \"skipped\" : \"}\",\"b\" : 7 , \"c\":0}", true, "0123456789abcdef0\n", 7 },
        { "{\"a\":\"\xc3\xa4\", \"skipped\" : \"\xc3\xa4\",\"b\" : 7 , \"c\":0}", true, "\xc3\xa4", 7 },
        { "{\"a\":\"\xc3\", \"skipped\" : \"\",\"b\" : 7 , \"c\":0}", false, NULL, 0 },
        { "{\"a\":\"x\", \"skipped\" : \"\xc3(\",\"b\" : 7 , \"c\":0}", false, NULL, 0 },
        { "{\"a\":\"\\x\", \"skipped\" : \"\",\"b\" : 7 , \"c\":0}", false, NULL, 0 },
        { "{\"a\":\"\t\", \"skipped\" : \"\",\"b\" : 7 , \"c\":0}", false, NULL, 0 },
        { "{\"a\":\"x\", \"skipped\" : \"\",\"b\" : 7.5 , \"c\":0}", false, NULL, 0 },
        { "{\"a\":\"x\", \"skipped\" : \"\",\"b\" : 7, \"c\":0}", false, NULL, 0 },
        { "{\"a\":\"x\", \"skipped\" : \"\",\"b\" : \"7\" , \"c\":0}", false, NULL, 0 },
        { "{\"a\":\"x\", \"skipped\" : \"\",\"b\" : 7 , \"c\":}", false, NULL, 0 },
        { "{\"a\":\"x\", \"skipped\" : \"\",\"b\" : 7 , \"c\":0} 1", false, NULL, 0 },
        { "{\"a\":\"x\", \"skipped\" : \"\",\"b\" : 7 , \"c\":0", false, NULL, 0 },
        { "{\"a\":\"x\", \"skipped\" : \"", false, NULL, 0 },
        { "{\"a\":\"x\\", false, NULL, 0 },
        { "{", false, NULL, 0 },
    };
    struct table_field fields[] = { { .name = "a", .type = CEP_TYPE(STRING) }, { .name = "b", .type = CEP_TYPE(BIGINT) } };
    struct table_spec spec = { fields, 2, json, -1, 0 };
    struct cep_program *program = table_program(&spec);
    static struct formats_json_straight straight;
    static const uint32_t same[] = { CEP_NONE, CEP_NONE };
    struct formats_index *index = formats_index_create();
    struct base_arena arena = { 0 };
    struct side side = { 0 };
    OK(open_side(&side, program), "decoder");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char buf[256] = "";
        snprintf(buf, sizeof buf - CEP_RECORD_SLACK, "%s", cases[c].text);
        size_t len = strlen(buf);
        if (c == 0) {
            struct formats_json_walk w = places(index, buf);
            formats_json_straight_start(&straight, &w, 0, same);
            for (uint32_t m = 0; m < 4; m++)
                formats_json_straight_member(&straight, &w, 4 * m, m == 0 ? 0 : m == 2 ? 1 : CEP_NONE);
            formats_json_straight_end(&straight, &w, 16);
            OK(straight.known, "learned");
        }
        memset(buf + len, '"', CEP_RECORD_SLACK); /* what stands behind must not matter */
        struct formats_json_walk w = { .decoder = side.decoder, .arena = &arena };
        bool fits = formats_json_straight_read(&straight, &w, buf, len);
        buf[len] = 0;
        OK(fits == cases[c].fits, buf);
        const struct cep_value *values = side.decoder->values;
        if (fits && cases[c].fits)
            OK(base_str_equal((struct base_str){ values[0].s.ptr, values[0].s.len }, base_str_of(cases[c].a)) && values[1].i == cases[c].b, "its values");
    }
    base_arena_finish(&arena);
    formats_index_destroy(index);
    formats_decoder_destroy(side.decoder);
    cep_program_free(program);
}

static size_t mutate(const char *from, char *to, size_t room, uint64_t *seed)
{
    static const char bytes[] = "\"\"\"\\{}[]:,, \t019-.etfnaZTu\xc3\x01";
    size_t len = strlen(from);
    memcpy(to, from, len);
    for (uint64_t k = random_next(seed) % 3 + 1; k > 0; k--) {
        size_t at = random_next(seed) % len, from_at = random_next(seed) % len;
        char c = bytes[random_next(seed) % (sizeof bytes - 1)];
        switch (random_next(seed) % 5) {
        case 0:
            to[at] = c;
            break;
        case 1:
            memmove(to + at, to + at + 1, len - at - 1);
            len -= len > 1;
            break;
        case 2:
            if (len + 1 < room) {
                memmove(to + at + 1, to + at, len - at);
                to[at] = c;
                len++;
            }
            break;
        case 3:
            to[at] = to[from_at];
            break;
        default:
            len = random_next(seed) % 8 == 0 ? at + 1 : len;
            break;
        }
    }
    return len;
}

static void test_mutations(const struct table_spec *spec, const char *base, const char *what)
{
    struct cep_program *program = table_program(spec);
    struct side known = { 0 };
    static char text[1 << 16], got[1 << 16], want[1 << 16];
    uint64_t seed = 41;
    int different = 0, rows = 0;
    OK(open_side(&known, program), what);
    for (int round = 0; round < 1500; round++) {
        enum { BEFORE = 9 };
        struct cep_record records[BEFORE + 1];
        size_t len = 0;
        for (int k = 0; k <= BEFORE; k++) {
            size_t own = k < BEFORE ? strlen(base) : mutate(base, text + len, 1000, &seed);
            if (k < BEFORE)
                memcpy(text + len, base, own);
            records[k] = (struct cep_record){ .bytes = { text + len, own }, .offset = k, .flags = round % 2 ? CEP_RECORD_PADDED : 0 };
            text[len + own] = '\n';
            len += own + 1;
        }
        memset(text + len, ' ', CEP_RECORD_SLACK);
        struct side fresh = { 0 };
        if (!open_side(&fresh, program))
            break;
        say(&known, program, records, BEFORE + 1, got, sizeof got);
        say(&fresh, program, records + BEFORE, 1, want, sizeof want);
        if (strcmp(got, want) != 0 && different++ < 3)
            printf("# %.*s\n# got  %s\n# want %s\n", (int)records[BEFORE].bytes.len, records[BEFORE].bytes.ptr, got, want);
        rows += fresh.said.problems == 0;
        formats_decoder_destroy(fresh.decoder);
    }
    IS_INT(different, 0, what);
    OK(rows > 50, "some of them are good");
    formats_decoder_destroy(known.decoder);
    cep_program_free(program);
}

int main(void)
{
    struct table_field fields[] = { { .name = "user", .type = CEP_TYPE(STRING) }, { .name = "amount", .type = { .kind = CEP_KIND_DECIMAL, .precision = 12, .scale = 2 } },
                                    { .name = "ts", .type = CEP_TYPE(TIMESTAMP_LTZ) }, { .name = "same", .path = "user", .type = CEP_TYPE(STRING) },
                                    { .name = "on", .type = CEP_TYPE(BOOLEAN) } };
    struct table_spec strict = { fields, 5, json, 2, 0 }, careless = { fields, 5, lenient, 2, 0 };
    const char *compact = "{\"user\":\"u1\",\"country\":\"DE\",\"amount\":12.5,\"a_rather_long_key_that_nobody_reads\":\"x\",\"ts\":\"2026-01-01T00:00:00.123Z\",\"on\":true}";
    const char *spaced = "{ \"ts\": 1767268800000, \"other\": null, \"user\": \"u\\u00e4\", \"user\": \"second\", \"amount\": \"3\", \"on\": false }";
    const char *escaped = "{\"text\":\"a \\\"quote\\\" and more than sixteen bytes, \u00fc\",\"user\":\"M\u00fcller\\/\\u00e4\",\"amount\":-7,\"ts\":1767268800000,\"on\":null}";
    test_fits();
    test_straight();
    test_mutations(&strict, compact, "compact records");
    test_mutations(&careless, compact, "compact records, errors ignored");
    test_mutations(&strict, spaced, "records with blanks and a key that comes twice");
    test_mutations(&careless, spaced, "records with blanks, errors ignored");
    test_mutations(&strict, escaped, "records with escapes");
    test_mutations(&careless, escaped, "records with escapes, errors ignored");
    return tap_done();
}
