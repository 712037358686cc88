#include "base/alloc.h"
#include "base/str.h"
#include "tests/unit/base/random.h"
#include "tests/unit/tap.h"

static void test_text(void)
{
    struct base_buf buf = { 0 };
    base_buf_puts(&buf, "a");
    base_buf_putc(&buf, 'b');
    base_buf_put_str(&buf, BASE_STR("cd"));
    base_buf_printf(&buf, "%d", 12);
    base_buf_put_i64(&buf, INT64_MIN);
    base_buf_putc(&buf, ' ');
    base_buf_put_i64(&buf, 0);
    base_buf_putc(&buf, ' ');
    base_buf_put_i64(&buf, INT64_MAX);
    IS_STR(buf.ptr, "abcd12-9223372036854775808 0 9223372036854775807", "appends");
    IS_INT(buf.len, strlen(buf.ptr), "len");
    base_buf_clear(&buf);
    IS_STR(buf.ptr, "", "cleared");
    base_buf_printf(&buf, "%0500d", 3);
    IS_INT(buf.len, 500, "printf that must grow");
    base_buf_put(&buf, NULL, 0);
    IS_INT(buf.len, 500, "nothing appended");
    base_buf_finish(&buf);
    OK(buf.ptr == NULL && buf.len == 0, "finished");
}

/* A first append of every size, then another: the memory behind must fit (address sanitizer), growth must be by
 * doubling. */
static void test_growth(void)
{
    char bytes[700];
    memset(bytes, 'b', sizeof bytes);
    bool whole = true;
    for (size_t first = 0; first < 300; first++) {
        for (size_t second = 0; second < 400; second += 13) {
            struct base_buf buf = { 0 };
            base_buf_put(&buf, bytes, first);
            whole = whole && buf.cap > first;
            base_buf_put(&buf, bytes, second);
            whole = whole && buf.len == first + second && buf.cap > buf.len && memcmp(buf.ptr, bytes, buf.len) == 0;
            whole = whole && buf.ptr[buf.len] == 0;
            base_buf_finish(&buf);
        }
    }
    OK(whole, "appends of all sizes find their memory");
    struct base_buf buf = { 0 };
    size_t growths = 0, cap = 0;
    for (int i = 0; i < 100000; i++) {
        base_buf_putc(&buf, 'c');
        growths += buf.cap != cap;
        cap = buf.cap;
    }
    OK(growths < 20, "100,000 small appends cost few growths");
    base_buf_finish(&buf);
}

static void test_json(void)
{
    static const struct {
        const char *text;
        size_t len;
        const char *want;
    } cases[] = {
        { "plain", 5, "\"plain\"" },
        { "q\"b\\s/", 6, "\"q\\\"b\\\\s/\"" },
        { "\n\r\t\b\f\x01\x1f", 7, "\"\\n\\r\\t\\b\\f\\u0001\\u001f\"" },
        { "a\0b", 3, "\"a\\u0000b\"" },
        { "\xc3\xa4\xf0\x9f\x98\x80", 6, "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
        { "a\xff"
          "b",
          3,
          "\"a\xef\xbf\xbd"
          "b\"" },
        { "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { NULL, 0, "\"\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct base_buf buf = { 0 };
        base_buf_put_json(&buf, (struct base_str){ cases[i].text, cases[i].len });
        IS_STR(buf.ptr, cases[i].want, "JSON string");
        base_buf_finish(&buf);
    }
}

/* Every special byte at every place of texts of every short length, against escaping byte by byte. */
static void test_json_places(void)
{
    static const unsigned char bytes[] = { '"', '\\', 0, 1, 0x1f, 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xff };
    bool same = true;
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t b = 0; b < sizeof bytes; b++) {
                char text[40], want[64];
                memset(text, 'a', sizeof text);
                text[at] = (char)bytes[b];
                unsigned char c = bytes[b];
                char one[8] = { (char)c, 0 };
                if (c == '"' || c == '\\')
                    snprintf(one, sizeof one, "\\%c", c);
                else if (c < 0x20)
                    snprintf(one, sizeof one, "\\u%04x", c);
                else if (c >= 0x80)
                    snprintf(one, sizeof one, "\xef\xbf\xbd");
                snprintf(want, sizeof want, "\"%.*s%s%.*s\"", (int)at, text, one, (int)(len - at - 1), text + at + 1);
                struct base_buf buf = { 0 };
                base_buf_put_json(&buf, (struct base_str){ text, len });
                same = same && buf.len == strlen(want) && memcmp(buf.ptr, want, buf.len + 1) == 0;
                base_buf_finish(&buf);
            }
        }
    }
    OK(same, "a JSON string with a special byte anywhere");
}

static void test_limit(void)
{
    struct base_buf buf = { .limit = 10 };
    base_buf_puts(&buf, "0123456789");
    OK(!buf.failed && buf.len == 10, "up to the limit");
    base_buf_putc(&buf, 'x');
    OK(buf.failed && buf.len == 10, "one more fails and changes nothing");
    base_buf_clear(&buf);
    base_buf_printf(&buf, "%s", "01234567890");
    OK(buf.failed && buf.len == 0, "printf keeps to the limit though the memory has room");
    IS_STR(buf.ptr, "", "and leaves nothing behind");
    base_buf_puts(&buf, "x");
    IS_INT(buf.len, 0, "appends do nothing after a failure");
    OK(!base_buf_reserve(&buf, SIZE_MAX), "reserve after a failure");
    base_buf_clear(&buf);
    OK(!base_buf_reserve(&buf, SIZE_MAX) && buf.failed, "an overflowing reserve fails");
    base_buf_finish(&buf);
}

static void test_codec(void)
{
    uint64_t seed = 3;
    bool same = true;
    for (int round = 0; round < 2000; round++) {
        uint64_t value = random_next(&seed) >> (random_next(&seed) & 63);
        struct base_buf buf = { 0 };
        base_buf_put_u8(&buf, (uint8_t)value);
        base_buf_put_u16(&buf, (uint16_t)value);
        base_buf_put_u32(&buf, (uint32_t)value);
        base_buf_put_u64(&buf, value);
        base_buf_put_varint(&buf, value);
        base_buf_put_bytes(&buf, &value, value % 9);
        struct base_reader in = { (const uint8_t *)buf.ptr, (const uint8_t *)buf.ptr + buf.len, false };
        same = same && base_read_u8(&in) == (uint8_t)value && base_read_u16(&in) == (uint16_t)value;
        same = same && base_read_u32(&in) == (uint32_t)value && base_read_u64(&in) == value &&
               base_read_varint(&in) == value;
        struct base_str bytes = base_read_bytes(&in);
        same = same && bytes.len == value % 9 && memcmp(bytes.ptr, &value, bytes.len) == 0 && !in.failed &&
               in.at == in.end;
        /* Every cut of the input must end in a failure, never behind its end. */
        for (size_t cut = 0; cut < buf.len; cut++) {
            struct base_reader part = { (const uint8_t *)buf.ptr, (const uint8_t *)buf.ptr + cut, false };
            (void)base_read_u8(&part);
            (void)base_read_u16(&part);
            (void)base_read_u32(&part);
            (void)base_read_u64(&part);
            (void)base_read_varint(&part);
            (void)base_read_bytes(&part);
            same = same && part.failed && part.at <= part.end;
        }
        base_buf_finish(&buf);
    }
    OK(same, "what is written is read back; cut input fails (seed 3)");
    static const uint8_t edge[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
    static const uint8_t over[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 };
    static const uint8_t endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 };
    struct base_reader in = { edge, edge + sizeof edge, false };
    OK(base_read_varint(&in) == UINT64_MAX && !in.failed, "the largest varint");
    in = (struct base_reader){ over, over + sizeof over, false };
    OK(base_read_varint(&in) == 0 && in.failed, "a varint beyond 64 bits fails");
    in = (struct base_reader){ endless, endless + sizeof endless, false };
    OK(base_read_varint(&in) == 0 && in.failed, "a varint of eleven bytes fails");
    in = (struct base_reader){ 0 };
    OK(base_read_raw(&in, 0) != NULL && !in.failed && base_read_raw(&in, 1) == NULL && in.failed, "the empty reader");
}

static void test_no_memory(void)
{
    bool told = true;
    for (uint64_t nth = 1; nth < 50; nth++) {
        uint64_t live = base_alloc_live_blocks();
        struct base_buf buf = { 0 };
        base_alloc_fail_at(nth, false);
        for (int i = 0; i < 200; i++) {
            base_buf_printf(&buf, "%d,", i);
            base_buf_put_json(&buf, BASE_STR("x\ny"));
        }
        bool fired = base_alloc_fault_fired();
        base_alloc_fail_at(0, false);
        told = told && buf.failed == fired && (!buf.ptr || buf.ptr[buf.len] == 0);
        base_buf_finish(&buf);
        told = told && base_alloc_live_blocks() == live;
        if (!fired)
            break;
    }
    OK(told, "the failure of each allocation is told, and nothing leaks");
}

int main(void)
{
    test_text();
    test_growth();
    test_json();
    test_json_places();
    test_limit();
    test_codec();
    test_no_memory();
    return tap_done();
}
