#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "base/time.h"

/* A record is built on the stack, so that "out of memory" can be logged too; longer ones are cut inside their last
 * values. */
#define LINE_BYTES 8192
#define VALUE_BYTES 2048
#define TAIL_BYTES 8 /* always left for the quote, the brace and the line's end */
#define ESCAPE_BYTES 6

static _Atomic int log_level = BASE_LOG_INFO;
static _Atomic bool log_json;
static _Atomic int log_fd = STDERR_FILENO;

struct line {
    char at[LINE_BYTES];
    size_t len;
    bool json;
};

void base_log_setup(enum base_log_level level, bool json, int fd)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
    atomic_store_explicit(&log_json, json, memory_order_relaxed);
    atomic_store_explicit(&log_fd, fd, memory_order_relaxed);
}

static size_t room(const struct line *line)
{
    return LINE_BYTES - TAIL_BYTES - line->len;
}

static void put(struct line *line, const char *bytes, size_t len)
{
    if (len > room(line))
        len = room(line);
    memcpy(line->at + line->len, bytes, len);
    line->len += len;
}

/* Escapes as JSON does; the same escapes serve for quoted logfmt values. Cuts at VALUE_BYTES of input, between
 * characters. */
static void put_escaped(struct line *line, const char *text)
{
    size_t len = strnlen(text, VALUE_BYTES + 1);
    bool cut = len > VALUE_BYTES;
    for (size_t i = 0; i < len;) {
        uint32_t code_point;
        size_t step = base_utf8_next(text + i, len - i, &code_point);
        if (room(line) < ESCAPE_BYTES + 3 || i + step > VALUE_BYTES) {
            cut = true;
            break;
        }
        if (code_point < 0x20 || code_point == 0x7f) {
            char escape[ESCAPE_BYTES + 1];
            snprintf(escape, sizeof escape, code_point == '\n' ? "\\n" : "\\u%04x", (unsigned)code_point);
            put(line, escape, strlen(escape));
        } else if (code_point == '"' || code_point == '\\') {
            put(line, "\\", 1);
            put(line, text + i, 1);
        } else {
            char encoded[4];
            put(line, encoded, base_utf8_put(code_point, encoded));
        }
        i += step;
    }
    if (cut)
        put(line, "\xe2\x80\xa6", 3);
}

static bool plain_word(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f || *text == '"' || *text == '=' ||
            *text == '\\')
            return false;
    return true;
}

static void put_pair(struct line *line, const char *key, const char *value)
{
    size_t key_len = strnlen(key, 64);
    if (room(line) < key_len + 32)
        return;
    if (line->json) {
        put(line, line->len ? ",\"" : "{\"", 2);
        put(line, key, key_len);
        put(line, "\":\"", 3);
        put_escaped(line, value);
        put(line, "\"", 1);
        return;
    }
    bool quote = !plain_word(value);
    if (line->len)
        put(line, " ", 1);
    put(line, key, key_len);
    put(line, "=", 1);
    if (quote)
        put(line, "\"", 1);
    put_escaped(line, value);
    if (quote)
        put(line, "\"", 1);
}

static bool begin(struct line *line, enum base_log_level level, const char *source, const char *event)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    if ((int)level < atomic_load_explicit(&log_level, memory_order_relaxed))
        return false;
    line->len = 0;
    line->json = atomic_load_explicit(&log_json, memory_order_relaxed);
    char now[40];
    base_time_print(base_clock_wall_ms(), true, now);
    put_pair(line, "ts", now);
    put_pair(line, "level", names[level]);
    put_pair(line, "source", source);
    put_pair(line, "event", event);
    return true;
}

/* One write per record, so that records of several threads do not mix. What cannot be written is lost: a log that
 * blocks or fails its caller would do more harm. */
static void end(struct line *line)
{
    if (line->json)
        line->at[line->len++] = '}';
    line->at[line->len++] = '\n';
    int fd = atomic_load_explicit(&log_fd, memory_order_relaxed);
    const char *at = line->at;
    size_t left = line->len;
    while (left > 0) {
        ssize_t done = write(fd, at, left);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        at += done;
        left -= (size_t)done;
    }
}

void base_log(enum base_log_level level, const char *source, const char *event, ...)
{
    int saved_errno = errno;
    struct line line;
    if (begin(&line, level, source, event)) {
        va_list args;
        va_start(args, event);
        for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
            const char *value = va_arg(args, const char *);
            put_pair(&line, key, value ? value : "");
            if (!value)
                break;
        }
        va_end(args);
        end(&line);
    }
    errno = saved_errno;
}

void base_logf(enum base_log_level level, const char *source, const char *event, const char *format, ...)
{
    int saved_errno = errno;
    struct line line;
    if (begin(&line, level, source, event)) {
        char detail[VALUE_BYTES + 2];
        va_list args;
        va_start(args, format);
        vsnprintf(detail, sizeof detail, format, args);
        va_end(args);
        put_pair(&line, "detail", detail);
        end(&line);
    }
    errno = saved_errno;
}
