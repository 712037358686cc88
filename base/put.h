/* Short texts, JSON strings and numbers written where there is room for them already, without a call: what a base_buf does, for those who reserve once and put
 * many. Called by base/buf.c and the encoders of formats/. Allocates nothing, writes no NUL. Any thread. */
#ifndef BASE_PUT_H
#define BASE_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/attr.h"
#include "base/str.h"

#define BASE_PUT_I64_BYTES 20 /* most that base_put_i64 writes */

#define BASE_PUT_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 if one of eight bytes is beyond ASCII, a control character, a quote or a backslash. By the usual trick: a byte that is 0 (or less than what is taken off)
 * borrows and shows it in its high bit; what borrows wrongly stands above one that did so rightly. */
static inline uint64_t base_put_special(uint64_t eight)
{
    uint64_t quote = eight ^ BASE_PUT_EACH('"'), backslash = eight ^ BASE_PUT_EACH('\\');
    return (eight | ((eight - BASE_PUT_EACH(0x20)) & ~eight) | ((quote - BASE_PUT_EACH(1)) & ~quote) | ((backslash - BASE_PUT_EACH(1)) & ~backslash)) & BASE_PUT_EACH(0x80);
}

static inline uint64_t base_put_load8(const char *at) { uint64_t value; memcpy(&value, at, sizeof value); return value; }
static inline uint64_t base_put_load4(const char *at) { uint32_t value; memcpy(&value, at, sizeof value); return value; }
static inline uint64_t base_put_load2(const char *at) { uint16_t value; memcpy(&value, at, sizeof value); return value; }

/* Does the text stand in a JSON string as it is? Its ends are looked at by loads that overlap. */
static inline bool base_put_plain(struct base_str text)
{
    const char *at = text.ptr;
    size_t len = text.len;
    if (len >= 8) {
        uint64_t found = base_put_special(base_put_load8(at + len - 8));
        for (size_t i = 0; i + 8 < len; i += 8)
            found |= base_put_special(base_put_load8(at + i));
        return found == 0;
    }
    if (len >= 4)
        return base_put_special(base_put_load4(at) | base_put_load4(at + len - 4) << 32) == 0;
    if (len >= 2)
        return base_put_special(base_put_load2(at) | base_put_load2(at + len - 2) << 16 | BASE_PUT_EACH(' ') << 32) == 0;
    return len == 0 || base_put_special((unsigned char)at[0] | BASE_PUT_EACH(' ') << 8) == 0;
}

/* Those below return the place behind what they wrote. Most texts are short: a call of memcpy takes longer than they do. */
static inline char *base_put_bytes(char *to, const char *from, size_t len)
{
    if (len > 16) {
        memcpy(to, from, len);
    } else if (len >= 8) {
        uint64_t first = base_put_load8(from), last = base_put_load8(from + len - 8);
        memcpy(to, &first, 8);
        memcpy(to + len - 8, &last, 8);
    } else if (len >= 4) {
        uint32_t first = (uint32_t)base_put_load4(from), last = (uint32_t)base_put_load4(from + len - 4);
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
    } else if (len > 0) {
        to[0] = from[0];
        to[len / 2] = from[len / 2];
        to[len - 1] = from[len - 1];
    }
    return to + len;
}

/* As a JSON string, two bytes longer than the text. NULL: it has to be written otherwise (base_buf_put_json); nothing was. */
static inline char *base_put_json(char *to, struct base_str text)
{
    if (!base_put_plain(text))
        return NULL;
    *to = '"';
    to = base_put_bytes(to + 1, text.ptr, text.len);
    *to = '"';
    return to + 1;
}

static inline char *base_put_i64(char *to, int64_t value)
{
    char text[BASE_PUT_I64_BYTES];
    size_t at = sizeof text;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        text[--at] = '-';
    return base_put_bytes(to, text + at, sizeof text - at);
}

/* ---- to the end of a buffer, whose NUL is kept ---- */

/* Is there room already? Nearly always: asked before the long way. */
static inline bool base_put_room(const struct base_buf *buf, size_t more)
{
    return !buf->failed && !buf->limit && buf->cap - buf->len > more;
}

/* Behind what was written at its end. */
static inline void base_put_end(struct base_buf *buf, char *end)
{
    *end = 0;
    buf->len = (size_t)(end - buf->ptr);
}

/* As base_buf_put, for texts whose length the compiler knows. */
static inline void base_put_known(struct base_buf *buf, const char *text, size_t len)
{
    if (BASE_UNLIKELY(!base_put_room(buf, len))) {
        base_buf_put(buf, text, len);
        return;
    }
    memcpy(buf->ptr + buf->len, text, len);
    base_put_end(buf, buf->ptr + buf->len + len);
}

/* As base_buf_put_json, with a byte before and behind it (0: none). */
static inline void base_put_json_between(struct base_buf *buf, char before, struct base_str text, char behind)
{
    if (BASE_LIKELY(base_put_room(buf, text.len + 4))) {
        char *at = buf->ptr + buf->len;
        *at = before;
        char *end = base_put_json(at + (before != 0), text);
        if (BASE_LIKELY(end != NULL)) {
            *end = behind;
            base_put_end(buf, end + (behind != 0));
            return;
        }
        *at = 0;
    }
    if (before)
        base_buf_putc(buf, before);
    base_buf_put_json(buf, text);
    if (behind)
        base_buf_putc(buf, behind);
}

static inline void base_put_number(struct base_buf *buf, int64_t value)
{
    if (BASE_LIKELY(base_put_room(buf, BASE_PUT_I64_BYTES)))
        base_put_end(buf, base_put_i64(buf->ptr + buf->len, value));
    else
        base_buf_put_i64(buf, value);
}

#endif
