#include "connectors/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"

#define BUFFER_BYTES ((size_t)64 << 10)

struct file_sink {
    struct connectors_sink base;
    char *path;         /* NULL: standard output */
    int fd;
    bool regular;       /* can be synced, and cut back after a failed write */
    struct base_buf buffer;
    struct connectors_file_turn turn;
    struct base_buf head;
    int64_t begun_ms;   /* when this file was begun or opened */
};

static int failed(struct file_sink *sink, const char *what, int cause)
{
    snprintf(sink->base.error, sizeof sink->base.error, "cannot %s \"%s\": %s", what, sink->path ? sink->path : "standard output", strerror(cause));
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return BASE_E_FULL;
    case EPIPE:
        return BASE_E_CLOSED;
    default:
        return BASE_E_IO;
    }
}

/* Writes the buffer out. If a regular file takes only a part, it is cut back, so that no half record stays. */
static int drain(struct file_sink *sink)
{
    off_t start = sink->regular ? lseek(sink->fd, 0, SEEK_END) : 0;
    size_t done = 0;
    while (done < sink->buffer.len) {
        ssize_t wrote = write(sink->fd, sink->buffer.ptr + done, sink->buffer.len - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            int cause = wrote < 0 ? errno : ENOSPC;
            if (sink->regular && done > 0 && ftruncate(sink->fd, start) < 0)
                return failed(sink, "write and then cut back", cause);
            /* A pipe keeps what it took: only the rest is tried again. */
            if (!sink->regular && done > 0) {
                memmove(sink->buffer.ptr, sink->buffer.ptr + done, sink->buffer.len - done);
                sink->buffer.len -= done;
            }
            return failed(sink, "write to", cause);
        }
        done += (size_t)wrote;
    }
    base_buf_clear(&sink->buffer);
    return 0;
}

static int sink_write(struct connectors_sink *base, struct base_str record, struct base_str key BASE_UNUSED)
{
    struct file_sink *sink = (struct file_sink *)base;
    if (sink->buffer.len > 0 && sink->buffer.len + record.len + 1 > BUFFER_BYTES) {
        int r = drain(sink);
        if (r < 0)
            return r;
    }
    if (!base_buf_reserve(&sink->buffer, record.len + 1)) {
        sink->buffer.failed = false;
        snprintf(base->error, sizeof base->error, "out of memory");
        return BASE_E_NOMEM;
    }
    base_buf_put_str(&sink->buffer, record);
    base_buf_putc(&sink->buffer, '\n');
    return 0;
}

/* ---- files that are put aside ---- */

static int64_t size_of(const struct file_sink *sink)
{
    struct stat info;
    return fstat(sink->fd, &info) == 0 ? (int64_t)info.st_size : 0;
}

/* A name that nobody has yet. false: there are too many files of this millisecond. */
static bool name_aside(const struct file_sink *sink, int64_t now_ms, struct base_buf *out)
{
    const char *slash = strrchr(sink->path, '/'), *dot = strrchr(sink->path, '.');
    size_t stem = dot && dot != sink->path && (!slash || dot > slash + 1) ? (size_t)(dot - sink->path) : strlen(sink->path);
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm at;
    char text[32], more[16] = "";
    gmtime_r(&seconds, &at);
    strftime(text, sizeof text, "%Y%m%dT%H%M%S", &at);
    for (int n = 0; n < 1000; n++) {
        struct stat info;
        if (n)
            snprintf(more, sizeof more, "-%d", n);
        base_buf_clear(out);
        base_buf_printf(out, "%.*s-%s.%03dZ%s%s", (int)stem, sink->path, text, (int)(now_ms % 1000), more, sink->path + stem);
        base_buf_putc(out, '\0');
        if (out->failed || stat(out->ptr, &info) < 0)
            return !out->failed;
    }
    return false;
}

static int put_head(struct file_sink *sink)
{
    sink->begun_ms = base_clock_wall_ms();
    if (!sink->head.len || !sink->regular || size_of(sink) > 0 || sink->buffer.len > 0)
        return 0;
    return connectors_sink_write(&sink->base, (struct base_str){ sink->head.ptr, sink->head.len }, BASE_STR(""));
}

/* Behind a flush: nothing is in the buffer. What stands in the file is durable whatever happens here. */
static int turn_over(struct file_sink *sink)
{
    int64_t now_ms = base_clock_wall_ms(), size = size_of(sink), least = sink->head.len ? (int64_t)sink->head.len + 1 : 0;
    bool due = (sink->turn.bytes && size >= sink->turn.bytes) || (sink->turn.ms && now_ms - sink->begun_ms >= sink->turn.ms);
    struct base_buf aside = { 0 };
    if (!sink->regular || !due || size <= least)
        return 0;
    int r = name_aside(sink, now_ms, &aside) ? 0 : BASE_E_NOMEM;
    if (r == 0 && rename(sink->path, aside.ptr) < 0)
        r = failed(sink, "put aside", errno);
    base_buf_finish(&aside);
    int fd = r == 0 ? open(sink->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640) : -1;
    if (r == 0 && fd < 0)
        r = failed(sink, "begin anew", errno); /* what comes goes on into the file that was put aside */
    if (r < 0)
        return r;
    close(sink->fd);
    sink->fd = fd;
    return put_head(sink);
}

int connectors_file_sink_turn(struct connectors_sink *base, const struct connectors_file_turn *turn)
{
    struct file_sink *sink = (struct file_sink *)base;
    if (base->ops->write != sink_write || !sink->path)
        return 0;
    sink->turn = *turn;
    base_buf_clear(&sink->head);
    base_buf_put_str(&sink->head, turn->head);
    return sink->head.failed ? BASE_E_NOMEM : put_head(sink);
}

static int sink_flush(struct connectors_sink *base)
{
    struct file_sink *sink = (struct file_sink *)base;
    int r = drain(sink);
    if (r == 0 && sink->regular && fdatasync(sink->fd) < 0)
        r = failed(sink, "sync", errno);
    return r == 0 && (sink->turn.bytes || sink->turn.ms) ? turn_over(sink) : r;
}

static void sink_close(struct connectors_sink *base)
{
    struct file_sink *sink = (struct file_sink *)base;
    if (sink->fd >= 0) {
        sink->turn = (struct connectors_file_turn){ 0 };
        (void)sink_flush(base); /* who needs to know has flushed before */
        if (sink->path)
            close(sink->fd);
    }
    base_buf_finish(&sink->buffer);
    base_buf_finish(&sink->head);
    base_free(sink->path);
    base_free(sink);
}

static const struct connectors_sink_ops file_ops = { sink_write, sink_flush, sink_close };

int connectors_file_sink_open(const char *path, struct connectors_sink **ret, char *ret_error, size_t error_bytes)
{
    snprintf(ret_error, error_bytes, "out of memory");
    struct file_sink *sink = base_calloc(1, sizeof *sink);
    if (!sink)
        return BASE_E_NOMEM;
    sink->base.ops = &file_ops;
    sink->fd = STDOUT_FILENO;
    if (strcmp(path, "-") != 0) {
        sink->path = base_strdup(path);
        sink->fd = sink->path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640) : -1;
        if (sink->fd < 0) {
            int cause = errno, r = sink->path ? BASE_E_IO : BASE_E_NOMEM;
            if (sink->path)
                snprintf(ret_error, error_bytes, "cannot open \"%s\" for writing: %s", path, strerror(cause));
            if (sink->path && (cause == ENOENT || cause == ENOTDIR))
                r = BASE_E_NOTFOUND;
            sink_close(&sink->base);
            return r;
        }
    }
    struct stat info;
    sink->regular = sink->path && fstat(sink->fd, &info) == 0 && S_ISREG(info.st_mode);
    *ret = &sink->base;
    return 0;
}

/* ---- a sink that forgets ---- */

static int blackhole_write(struct connectors_sink *base BASE_UNUSED, struct base_str record BASE_UNUSED, struct base_str key BASE_UNUSED)
{
    return 0;
}

static int blackhole_flush(struct connectors_sink *base BASE_UNUSED)
{
    return 0;
}

static void blackhole_close(struct connectors_sink *base)
{
    base_free(base);
}

static const struct connectors_sink_ops blackhole_ops = { blackhole_write, blackhole_flush, blackhole_close };

int connectors_sink_open(const struct connectors_source_config *config, struct connectors_sink **ret, char *ret_error, size_t error_bytes)
{
    struct base_str connector = connectors_option(config, "connector", "");
    if (base_str_equal_fold(connector, BASE_STR("print")) || base_str_equal_fold(connector, BASE_STR("stdout")))
        return connectors_file_sink_open("-", ret, ret_error, error_bytes);
    if (base_str_equal_fold(connector, BASE_STR("blackhole"))) {
        *ret = base_calloc(1, sizeof **ret);
        if (!*ret)
            return BASE_E_NOMEM;
        (*ret)->ops = &blackhole_ops;
        return 0;
    }
    if (!base_str_equal_fold(connector, BASE_STR("filesystem"))) {
        snprintf(ret_error, error_bytes, "no sink goes by 'connector' = '%.*s'", (int)connector.len, connector.ptr);
        return BASE_E_CONFIG;
    }
    struct base_str option = connectors_option(config, "path", "");
    if (option.len == 0) {
        snprintf(ret_error, error_bytes, "option 'path' is missing");
        return BASE_E_CONFIG;
    }
    char *path = connectors_path(config, option);
    int r = path ? connectors_file_sink_open(path, ret, ret_error, error_bytes) : BASE_E_NOMEM;
    base_free(path);
    return r;
}
