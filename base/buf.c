#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"

#define BUF_LEAST ((size_t)64)

void base_buf_finish(struct base_buf *buf)
{
    base_free(buf->ptr);
    buf->ptr = NULL;
    buf->len = buf->cap = 0;
    buf->failed = false;
}

void base_buf_clear(struct base_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->ptr)
        buf->ptr[0] = 0;
}

static bool refuse(struct base_buf *buf)
{
    buf->failed = true;
    return false;
}

/* cap counts the NUL's byte too. */
bool base_buf_reserve(struct base_buf *buf, size_t more)
{
    size_t len, bytes;
    if (buf->failed)
        return false;
    if (!base_size_add(buf->len, more, &len) || !base_size_add(len, 1, &bytes))
        return refuse(buf);
    if (buf->limit && len > buf->limit)
        return refuse(buf);
    if (bytes <= buf->cap)
        return true;
    size_t cap;
    if (!base_size_mul(buf->cap, 2, &cap) || cap < bytes)
        cap = bytes;
    if (cap < BUF_LEAST)
        cap = BUF_LEAST;
    char *grown = base_realloc(buf->ptr, cap);
    if (!grown)
        return refuse(buf);
    if (!buf->ptr)
        grown[0] = 0;
    buf->ptr = grown;
    buf->cap = cap;
    return true;
}

/* Is there room already? Nearly always: asked before the long way. */
static inline bool has_room(const struct base_buf *buf, size_t more)
{
    return !buf->failed && !buf->limit && buf->cap - buf->len > more;
}

void base_buf_put(struct base_buf *buf, const void *bytes, size_t len)
{
    if (!has_room(buf, len) && !base_buf_reserve(buf, len))
        return;
    if (len)
        memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
    buf->ptr[buf->len] = 0;
}

void base_buf_put_str(struct base_buf *buf, struct base_str text)
{
    base_buf_put(buf, text.ptr, text.len);
}

void base_buf_putc(struct base_buf *buf, char c)
{
    if (!has_room(buf, 1) && !base_buf_reserve(buf, 1))
        return;
    buf->ptr[buf->len++] = c;
    buf->ptr[buf->len] = 0;
}

void base_buf_printf(struct base_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    base_buf_vprintf(buf, format, args);
    va_end(args);
}

void base_buf_vprintf(struct base_buf *buf, const char *format, va_list args)
{
    if (!base_buf_reserve(buf, 0))
        return;
    va_list again;
    va_copy(again, args);
    size_t room = buf->cap - buf->len;
    int len = vsnprintf(buf->ptr + buf->len, room, format, args);
    if (len < 0) {
        buf->ptr[buf->len] = 0;
        buf->failed = true;
    } else if ((size_t)len < room && (!buf->limit || buf->len + (size_t)len <= buf->limit)) {
        buf->len += (size_t)len;
    } else {
        buf->ptr[buf->len] = 0; /* takes back what was cut */
        if (base_buf_reserve(buf, (size_t)len)) {
            vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, again);
            buf->len += (size_t)len;
        }
    }
    va_end(again);
}

void base_buf_put_i64(struct base_buf *buf, int64_t value)
{
    char text[20];
    size_t at = sizeof text;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        text[--at] = '-';
    base_buf_put(buf, text + at, sizeof text - at);
}

static void put_json_escape(struct base_buf *buf, unsigned char c)
{
    switch (c) {
    case '"': base_buf_put(buf, "\\\"", 2); break;
    case '\\': base_buf_put(buf, "\\\\", 2); break;
    case '\n': base_buf_put(buf, "\\n", 2); break;
    case '\r': base_buf_put(buf, "\\r", 2); break;
    case '\t': base_buf_put(buf, "\\t", 2); break;
    case '\b': base_buf_put(buf, "\\b", 2); break;
    case '\f': base_buf_put(buf, "\\f", 2); break;
    default: base_buf_printf(buf, "\\u%04x", c); break;
    }
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 if one of eight bytes is beyond ASCII, a control character, a quote or a backslash. By the usual trick: a byte that is 0 (or less than what is taken off)
 * borrows and shows it in its high bit; what borrows wrongly stands above one that did so rightly. */
static inline uint64_t marks_special(uint64_t eight)
{
    uint64_t quote = eight ^ EACH('"'), backslash = eight ^ EACH('\\');
    return (eight | ((eight - EACH(0x20)) & ~eight) | ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash)) & EACH(0x80);
}

static inline uint64_t load8(const char *at) { uint64_t value; memcpy(&value, at, sizeof value); return value; }
static inline uint64_t load4(const char *at) { uint32_t value; memcpy(&value, at, sizeof value); return value; }
static inline uint64_t load2(const char *at) { uint16_t value; memcpy(&value, at, sizeof value); return value; }

/* Does the text stand in a JSON string as it is? Its ends are looked at by loads that overlap. */
static bool stands_as_it_is(struct base_str text)
{
    const char *at = text.ptr;
    size_t len = text.len;
    if (len >= 8) {
        uint64_t found = marks_special(load8(at + len - 8));
        for (size_t i = 0; i + 8 < len; i += 8)
            found |= marks_special(load8(at + i));
        return found == 0;
    }
    if (len >= 4)
        return marks_special(load4(at) | load4(at + len - 4) << 32) == 0;
    if (len >= 2)
        return marks_special(load2(at) | load2(at + len - 2) << 16 | EACH(' ') << 32) == 0;
    return len == 0 || marks_special((unsigned char)at[0] | EACH(' ') << 8) == 0;
}

void base_buf_put_json(struct base_buf *buf, struct base_str text)
{
    if (stands_as_it_is(text) && text.len < SIZE_MAX - 2) {
        if (!has_room(buf, text.len + 2) && !base_buf_reserve(buf, text.len + 2))
            return;
        char *at = buf->ptr + buf->len;
        at[0] = '"';
        if (text.len)
            memcpy(at + 1, text.ptr, text.len);
        at[text.len + 1] = '"';
        at[text.len + 2] = 0;
        buf->len += text.len + 2;
        return;
    }
    base_buf_putc(buf, '"');
    for (size_t i = 0; i < text.len && !buf->failed;) {
        /* Valid text up to the next broken byte, and in it the runs that need no escape. */
        size_t valid = i + base_utf8_check(text.ptr + i, text.len - i);
        while (i < valid) {
            size_t run = i;
            while (run < valid && (unsigned char)text.ptr[run] >= 0x20 && text.ptr[run] != '"' && text.ptr[run] != '\\')
                run++;
            base_buf_put(buf, text.ptr + i, run - i);
            if (run < valid)
                put_json_escape(buf, (unsigned char)text.ptr[run++]);
            i = run;
        }
        if (i < text.len) {
            base_buf_put(buf, "\xef\xbf\xbd", 3);
            i++;
        }
    }
    base_buf_putc(buf, '"');
}

static void put_little_endian(struct base_buf *buf, uint64_t value, size_t bytes)
{
    unsigned char at[8];
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
    base_buf_put(buf, at, bytes);
}

void base_buf_put_u8(struct base_buf *buf, uint8_t value)
{
    put_little_endian(buf, value, 1);
}

void base_buf_put_u16(struct base_buf *buf, uint16_t value)
{
    put_little_endian(buf, value, 2);
}

void base_buf_put_u32(struct base_buf *buf, uint32_t value)
{
    put_little_endian(buf, value, 4);
}

void base_buf_put_u64(struct base_buf *buf, uint64_t value)
{
    put_little_endian(buf, value, 8);
}

void base_buf_put_varint(struct base_buf *buf, uint64_t value)
{
    unsigned char at[10];
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        at[len++] = (unsigned char)(value | 0x80);
    at[len++] = (unsigned char)value;
    base_buf_put(buf, at, len);
}

void base_buf_put_bytes(struct base_buf *buf, const void *bytes, size_t len)
{
    base_buf_put_varint(buf, len);
    base_buf_put(buf, bytes, len);
}

const void *base_read_raw(struct base_reader *reader, size_t len)
{
    if (reader->failed || (size_t)(reader->end - reader->at) < len) {
        reader->failed = true;
        return NULL;
    }
    const void *at = reader->at ? (const void *)reader->at : "";
    if (len)
        reader->at += len;
    return at;
}

static uint64_t read_little_endian(struct base_reader *reader, size_t bytes)
{
    const uint8_t *at = base_read_raw(reader, bytes);
    uint64_t value = 0;
    if (at)
        for (size_t i = 0; i < bytes; i++)
            value |= (uint64_t)at[i] << (8 * i);
    return value;
}

uint8_t base_read_u8(struct base_reader *reader)
{
    return (uint8_t)read_little_endian(reader, 1);
}

uint16_t base_read_u16(struct base_reader *reader)
{
    return (uint16_t)read_little_endian(reader, 2);
}

uint32_t base_read_u32(struct base_reader *reader)
{
    return (uint32_t)read_little_endian(reader, 4);
}

uint64_t base_read_u64(struct base_reader *reader)
{
    return read_little_endian(reader, 8);
}

uint64_t base_read_varint(struct base_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *at = base_read_raw(reader, 1);
        if (!at)
            return 0;
        if (shift == 63 && *at > 1)
            break; /* more than 64 bits */
        value |= (uint64_t)(*at & 0x7f) << shift;
        if (*at < 0x80)
            return value;
    }
    reader->failed = true;
    return 0;
}

struct base_str base_read_bytes(struct base_reader *reader)
{
    uint64_t len = base_read_varint(reader);
    if (len > SIZE_MAX) {
        reader->failed = true;
        return (struct base_str){ 0 };
    }
    const char *at = base_read_raw(reader, (size_t)len);
    return at ? (struct base_str){ at, (size_t)len } : (struct base_str){ 0 };
}
