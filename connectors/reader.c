#include "connectors/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"

#define INPUT_BYTES ((size_t)128 << 10)
#define SKIP_BYTES ((size_t)64 << 10)

enum packing { PACKING_NONE, PACKING_ZSTD, PACKING_GZIP };

struct connectors_reader {
    char *path;           /* for messages and reopening */
    int fd;
    bool waits;           /* no regular file: poll before read */
    enum packing packing;
    uint64_t at;          /* place in the decompressed bytes */
    /* compressed files only */
    char *input;          /* INPUT_BYTES */
    size_t input_at, input_len;
    bool open_frame;      /* in the middle of a frame: the end of input here is a cut-off file */
    bool at_end;
    ZSTD_DStream *zstd;
    z_stream zlib;
    bool zlib_open;
};

static void *zlib_alloc(void *ctx BASE_UNUSED, unsigned count, unsigned bytes)
{
    return base_calloc(count, bytes);
}

static void zlib_free(void *ctx BASE_UNUSED, void *block)
{
    base_free(block);
}

static int open_packing(struct connectors_reader *reader)
{
    reader->input_at = reader->input_len = 0;
    reader->open_frame = reader->at_end = false;
    if (reader->packing == PACKING_NONE)
        return 0;
    if (!reader->input)
        reader->input = base_alloc(INPUT_BYTES);
    if (!reader->input)
        return BASE_E_NOMEM;
    if (reader->packing == PACKING_ZSTD) {
        if (!reader->zstd)
            reader->zstd = ZSTD_createDStream();
        return reader->zstd && !ZSTD_isError(ZSTD_initDStream(reader->zstd)) ? 0 : BASE_E_NOMEM;
    }
    if (reader->zlib_open)
        inflateEnd(&reader->zlib);
    memset(&reader->zlib, 0, sizeof reader->zlib);
    reader->zlib.zalloc = zlib_alloc;
    reader->zlib.zfree = zlib_free;
    reader->zlib_open = inflateInit2(&reader->zlib, 15 + 16) == Z_OK; /* + 16: gzip head and check sum */
    return reader->zlib_open ? 0 : BASE_E_NOMEM;
}

static enum packing packing_of(const char *path)
{
    struct base_str name = base_str_of(path);
    if (base_str_ends(name, BASE_STR(".zst")))
        return PACKING_ZSTD;
    return base_str_ends(name, BASE_STR(".gz")) ? PACKING_GZIP : PACKING_NONE;
}

static int open_file(struct connectors_reader *reader, char *ret_error, size_t error_bytes)
{
    struct stat info;
    reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0 || fstat(reader->fd, &info) < 0) {
        int cause = errno;
        snprintf(ret_error, error_bytes, "cannot open \"%s\": %s", reader->path, strerror(cause));
        return cause == ENOENT || cause == ENOTDIR ? BASE_E_NOTFOUND : BASE_E_IO;
    }
    reader->waits = !S_ISREG(info.st_mode);
    if (!reader->waits)
        (void)posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only a hint */
    return 0;
}

int connectors_reader_open(const char *path, int fd, struct connectors_reader **ret, char *ret_error, size_t error_bytes)
{
    struct connectors_reader *reader = base_calloc(1, sizeof *reader);
    if (!reader) {
        snprintf(ret_error, error_bytes, "out of memory");
        return BASE_E_NOMEM;
    }
    reader->fd = fd;
    reader->waits = true;
    int r = 0;
    if (path) {
        reader->fd = -1;
        reader->path = base_strdup(path);
        reader->packing = packing_of(path);
        r = reader->path ? open_file(reader, ret_error, error_bytes) : BASE_E_NOMEM;
    }
    if (r == 0)
        r = open_packing(reader);
    if (r < 0) {
        if (r == BASE_E_NOMEM)
            snprintf(ret_error, error_bytes, "out of memory");
        connectors_reader_close(reader);
        return r;
    }
    *ret = reader;
    return 0;
}

void connectors_reader_close(struct connectors_reader *reader)
{
    if (!reader)
        return;
    if (reader->path && reader->fd >= 0)
        close(reader->fd);
    if (reader->zlib_open)
        inflateEnd(&reader->zlib);
    ZSTD_freeDStream(reader->zstd);
    base_free(reader->input);
    base_free(reader->path);
    base_free(reader);
}

bool connectors_reader_compressed(const struct connectors_reader *reader)
{
    return reader->packing != PACKING_NONE;
}

static const char *shown_path(const struct connectors_reader *reader)
{
    return reader->path ? reader->path : "standard input";
}

/* read(2) with the wait that pipes need. */
static int read_raw(struct connectors_reader *reader, struct connectors_read read_, size_t *ret_len, char *ret_error, size_t error_bytes)
{
    if (reader->waits) {
        struct pollfd wait = { .fd = reader->fd, .events = POLLIN };
        int ready = poll(&wait, 1, read_.timeout_ms);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            return BASE_E_AGAIN;
    }
    ssize_t got = read(reader->fd, read_.to, read_.size);
    if (got < 0) {
        if (errno == EINTR || errno == EAGAIN)
            return BASE_E_AGAIN;
        snprintf(ret_error, error_bytes, "cannot read \"%s\": %s", shown_path(reader), strerror(errno));
        return BASE_E_IO;
    }
    *ret_len = (size_t)got;
    return 0;
}

static int corrupt(const struct connectors_reader *reader, const char *what, char *ret_error, size_t error_bytes)
{
    snprintf(ret_error, error_bytes, "\"%s\" behind byte %llu of its content: %s", shown_path(reader), (unsigned long long)reader->at, what);
    return BASE_E_CORRUPT;
}

static int step_zstd(struct connectors_reader *reader, struct connectors_read read_, size_t *ret_len, char *ret_error, size_t error_bytes)
{
    ZSTD_inBuffer in = { reader->input, reader->input_len, reader->input_at };
    ZSTD_outBuffer out = { read_.to, read_.size, 0 };
    size_t left = ZSTD_decompressStream(reader->zstd, &out, &in);
    reader->input_at = in.pos;
    *ret_len = out.pos;
    if (ZSTD_isError(left))
        return corrupt(reader, ZSTD_getErrorName(left), ret_error, error_bytes);
    reader->open_frame = left != 0;
    return 0;
}

static int step_gzip(struct connectors_reader *reader, struct connectors_read read_, size_t *ret_len, char *ret_error, size_t error_bytes)
{
    z_stream *z = &reader->zlib;
    z->next_in = (unsigned char *)reader->input + reader->input_at;
    z->avail_in = (unsigned)(reader->input_len - reader->input_at);
    z->next_out = (unsigned char *)read_.to;
    z->avail_out = (unsigned)(read_.size < (size_t)1 << 30 ? read_.size : (size_t)1 << 30);
    unsigned room = z->avail_out;
    int r = inflate(z, Z_NO_FLUSH);
    reader->input_at = reader->input_len - z->avail_in;
    *ret_len = room - z->avail_out;
    reader->open_frame = r != Z_STREAM_END;
    if (r == Z_STREAM_END)
        r = inflateReset(z); /* another member may follow */
    if (r != Z_OK && r != Z_BUF_ERROR)
        return corrupt(reader, z->msg ? z->msg : "broken gzip data", ret_error, error_bytes);
    return 0;
}

static int read_packed(struct connectors_reader *reader, struct connectors_read read_, size_t *ret_len, char *ret_error, size_t error_bytes)
{
    *ret_len = 0;
    while (*ret_len == 0) {
        bool eof = false;
        if (reader->input_at == reader->input_len) {
            size_t got;
            struct connectors_read raw = { reader->input, INPUT_BYTES, read_.timeout_ms };
            int r = read_raw(reader, raw, &got, ret_error, error_bytes);
            if (r < 0)
                return r;
            reader->input_at = 0;
            reader->input_len = got;
            eof = got == 0;
            if (eof && !reader->open_frame)
                return 0;
        }
        int r = reader->packing == PACKING_ZSTD ? step_zstd(reader, read_, ret_len, ret_error, error_bytes)
                                                : step_gzip(reader, read_, ret_len, ret_error, error_bytes);
        if (r < 0)
            return r;
        if (eof && *ret_len == 0)
            return reader->open_frame ? corrupt(reader, "the compressed file is cut off", ret_error, error_bytes) : 0;
    }
    return 0;
}

int connectors_reader_read(struct connectors_reader *reader, struct connectors_read read_, size_t *ret_len, char *ret_error, size_t error_bytes)
{
    int r = reader->packing == PACKING_NONE ? read_raw(reader, read_, ret_len, ret_error, error_bytes)
                                            : read_packed(reader, read_, ret_len, ret_error, error_bytes);
    if (r == 0)
        reader->at += *ret_len;
    return r;
}

static int skip_packed(struct connectors_reader *reader, uint64_t at, char *ret_error, size_t error_bytes)
{
    char *sink = base_alloc(SKIP_BYTES);
    int r = sink ? 0 : BASE_E_NOMEM;
    while (r == 0 && reader->at < at) {
        uint64_t left = at - reader->at;
        size_t got;
        struct connectors_read read_ = { sink, left < SKIP_BYTES ? (size_t)left : SKIP_BYTES, -1 };
        r = connectors_reader_read(reader, read_, &got, ret_error, error_bytes);
        if (r == 0 && got == 0) {
            snprintf(ret_error, error_bytes, "\"%s\" ends before byte %llu of its content", shown_path(reader), (unsigned long long)at);
            r = BASE_E_NOTFOUND;
        }
    }
    base_free(sink);
    return r;
}

int connectors_reader_seek(struct connectors_reader *reader, uint64_t at, char *ret_error, size_t error_bytes)
{
    if (at == reader->at)
        return 0;
    if (reader->waits) {
        snprintf(ret_error, error_bytes, "%s cannot be read again from an earlier place", shown_path(reader));
        return BASE_E_NOTFOUND;
    }
    if (reader->packing == PACKING_NONE) {
        struct stat info;
        if (fstat(reader->fd, &info) < 0 || (uint64_t)info.st_size < at || lseek(reader->fd, (off_t)at, SEEK_SET) < 0) {
            snprintf(ret_error, error_bytes, "\"%s\" ends before byte %llu", shown_path(reader), (unsigned long long)at);
            return BASE_E_NOTFOUND;
        }
        reader->at = at;
        return 0;
    }
    if (at < reader->at) {
        if (lseek(reader->fd, 0, SEEK_SET) < 0) {
            snprintf(ret_error, error_bytes, "cannot read \"%s\" again: %s", shown_path(reader), strerror(errno));
            return BASE_E_IO;
        }
        reader->at = 0;
        int r = open_packing(reader);
        if (r < 0)
            return r;
    }
    return skip_packed(reader, at, ret_error, error_bytes);
}
