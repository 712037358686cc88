/* Random JSON, whole and damaged, in strict mode: what we accept is what Jansson accepts. */
#include "tests/unit/formats/json_oracle.h"

#include <stdlib.h>
#include "tests/unit/tap.h"

#define ROUNDS 150000
#define TEXT_MAX 4096

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 20) % below);
}

struct text {
    char at[TEXT_MAX + 64];
    size_t len;
};

static void put(struct text *text, const char *part)
{
    size_t len = strlen(part);
    if (text->len + len < TEXT_MAX) {
        memcpy(text->at + text->len, part, len);
        text->len += len;
    }
}

static void put_blank(struct text *text)
{
    static const char *const blanks[] = { " ", "\n", "\t", "\r", "  " };
    if (rnd(6) == 0)
        put(text, blanks[rnd(5)]);
}

static void put_string(struct text *text)
{
    static const char *const parts[] = { "x", "abc", "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\xc3\xa9", "\xf0\x9f\x98\x80", " ", "{", "]", ":", ",",
                                         "\\u0000", "\\t", "0123456789abcdef", "\\ud800", "\\q", "\\u12", "\xff", "\xc0\x80", "\xed\xa0\x80", "\x01" };
    put(text, "\"");
    for (uint32_t n = rnd(4); n > 0; n--)
        put(text, parts[rnd(40) == 0 ? rnd(26) : rnd(19)]);
    put(text, "\"");
}

static void put_number(struct text *text)
{
    static const char *const numbers[] = { "0", "-0", "1", "-1", "12", "9223372036854775807", "-9223372036854775808", "0.5", "-0.0", "1.25e3", "1E-2", "123456789.125",
                                           "2.2250738585072011e-308", "1e22", "0.1e1", "5e-324", "1e400", "9223372036854775808", "01", "1.", ".5", "-", "+1", "1e", "1e+", "0x10", "00",
                                           "--1", "1.2.3", "NaN", "Infinity" };
    put(text, numbers[rnd(25) == 0 ? rnd(31) : rnd(16)]);
}

static void put_value(struct text *text, int depth);

static void put_key(struct text *text)
{
    static const char *const keys[] = { "\"a\"", "\"b\"", "\"c\"", "\"e\"", "\"n\"", "\"x\"", "\"other\"", "\"\\u0061\"", "\"\"", "\"a_rather_long_key_that_nobody_reads\"" };
    put(text, keys[rnd(10)]);
}

static void put_object(struct text *text, int depth)
{
    put(text, "{");
    uint32_t n = rnd(6);
    for (uint32_t i = 0; i < n; i++) {
        put_blank(text);
        put_key(text);
        put_blank(text);
        put(text, ":");
        put_blank(text);
        put_value(text, depth - 1);
        put_blank(text);
        if (i + 1 < n)
            put(text, ",");
    }
    put_blank(text);
    put(text, "}");
}

static void put_array(struct text *text, int depth)
{
    put(text, "[");
    uint32_t n = rnd(4);
    for (uint32_t i = 0; i < n; i++) {
        put_value(text, depth - 1);
        put_blank(text);
        if (i + 1 < n)
            put(text, ",");
    }
    put(text, "]");
}

static void put_value(struct text *text, int depth)
{
    static const char *const literals[] = { "true", "false", "null", "tru", "nul", "True", "nullx" };
    uint32_t kind = rnd(depth > 0 ? 9 : 7);
    if (kind < 3)
        put_string(text);
    else if (kind < 5)
        put_number(text);
    else if (kind < 7)
        put(text, literals[rnd(25) == 0 ? rnd(7) : rnd(3)]);
    else if (kind == 7)
        put_object(text, depth);
    else
        put_array(text, depth);
}

/* A byte changed, dropped, doubled, or the end cut off. */
static void damage(struct text *text)
{
    static const char bytes[] = "{}[]:,\"\\ \n0a-.eEtfn\x00\x0c\x1a\x7f\xc3\xff";
    for (uint32_t n = rnd(3); n > 0 && text->len > 0; n--) {
        size_t at = rnd((uint32_t)text->len);
        switch (rnd(4)) {
        case 0:
            text->at[at] = bytes[rnd(sizeof bytes - 1)];
            break;
        case 1:
            memmove(text->at + at, text->at + at + 1, text->len - at - 1);
            text->len--;
            break;
        case 2:
            if (text->len + 1 < TEXT_MAX) {
                memmove(text->at + at + 1, text->at + at, text->len - at);
                text->len++;
                text->at[at] = bytes[rnd(sizeof bytes - 1)];
            }
            break;
        default:
            text->len = at;
            break;
        }
    }
}

int main(void)
{
    const char *seed = getenv("CEPHEID_TEST_SEED");
    state = seed ? strtoull(seed, NULL, 10) : 20260101;
    printf("# seed %llu\n", (unsigned long long)state);
    struct json_oracle oracle = { 0 };
    OK(json_oracle_open(&oracle), "decoder");
    static struct text text;
    int differences = 0;
    for (int round = 0; round < ROUNDS && differences < 10; round++) {
        text.len = 0;
        put_object(&text, 4);
        if (rnd(3) == 0)
            damage(&text);
        const char *what = json_oracle_check(&oracle, text.at, text.len);
        if (what) {
            differences++;
            printf("# round %d: %s: %.*s\n# ours: %s\n", round, what, (int)text.len, text.at, oracle.said.last.reason);
        }
    }
    IS_INT(differences, 0, "no text is judged differently");
    printf("# accepted %lu, refused %lu, skipped %lu\n", oracle.accepted, oracle.refused, oracle.skipped);
    OK(oracle.accepted > ROUNDS / 3, "many are accepted");
    OK(oracle.refused > ROUNDS / 10, "many are refused");
    OK(oracle.skipped < ROUNDS / 10, "few are beyond Jansson");
    json_oracle_close(&oracle);
    return tap_done();
}
