#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/put.h"

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

void base_buf_put(struct base_buf *buf, const void *bytes, size_t len)
{
    if (!base_put_room(buf, len) && !base_buf_reserve(buf, len))
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
    if (!base_put_room(buf, 1) && !base_buf_reserve(buf, 1))
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
    char text[BASE_PUT_I64_BYTES];
    base_buf_put(buf, text, (size_t)(base_put_i64(text, value) - text));
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

void base_buf_put_json(struct base_buf *buf, struct base_str text)
{
    if (base_put_plain(text) && text.len < SIZE_MAX - 2) {
        if (!base_put_room(buf, text.len + 2) && !base_buf_reserve(buf, text.len + 2))
            return;
        char *at = buf->ptr + buf->len;
        *at = '"';
        at = base_put_bytes(at + 1, text.ptr, text.len);
        memcpy(at, "\"", 2);
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
