#include "service/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "service/ease.h"
#include "service/folder.h"

#define PATH_BYTES 4200u
#define BLOCK_BYTES ((size_t)4096) /* what goes past the page cache begins and ends at multiples of it, in memory and in the file */
#define STAGE_BYTES ((size_t)1 << 20)

struct service_segments {
    char *store;          /* its folder; owned */
    const char *name;     /* of the folder in it, and of what a file's name ends with */
    uint64_t least_bytes;
    uint64_t first, next; /* numbers that may be there; of the file that is begun next */
    uint64_t retired;     /* those below it are not needed */
    uint64_t told;        /* one that could not be removed, which was told; 0: none */
    int fd;               /* of file next - 1; -1: none is open */
    uint64_t offset;      /* its length */
    struct service_ease ease;
    bool fresh, unsynced; /* its name, its bytes are not durable yet */
    int failed;           /* BASE_E_* of an append or a sync: the file is left as it is */
    char *room;           /* owned: holds the stage; NULL: what is written goes through the page cache */
    char *stage;          /* STAGE_BYTES, aligned */
    bool direct;          /* the open file takes what is written past the page cache */
};

void service_place_put(const struct service_place *place, struct base_buf *out)
{
    base_buf_put_u64(out, place->segment);
    base_buf_put_u64(out, place->offset);
    base_buf_put_u64(out, place->len);
    base_buf_put_u32(out, place->sum);
}

struct service_place service_place_read(struct base_reader *in)
{
    struct service_place place = { .segment = base_read_u64(in) };
    place.offset = base_read_u64(in);
    place.len = base_read_u64(in);
    place.sum = base_read_u32(in);
    return place;
}

/* False: too long. */
static bool path_of(const char *store, const char *name, uint64_t number, char ret[PATH_BYTES])
{
    int len = snprintf(ret, PATH_BYTES, "%s/%s/%016" PRIx64 ".%s", store, name, number, name);
    return len > 0 && (size_t)len < PATH_BYTES;
}

static bool folder_of(const char *store, const char *name, char ret[PATH_BYTES])
{
    int len = snprintf(ret, PATH_BYTES, "%s/%s", store, name);
    return len > 0 && (size_t)len < PATH_BYTES;
}

/* The numbers of files that are there: [first, next). */
static int look(struct service_segments *segments, const char *folder)
{
    struct service_folder names = { 0 };
    int e = service_folder_read(folder, &names);
    if (e < 0)
        return e == BASE_E_NOTFOUND ? 0 : e;
    for (size_t i = 0; i < names.len; i++) {
        char *end = NULL;
        uint64_t number = strtoull(names.at[i], &end, 16);
        if (end != names.at[i] + 16 || *end != '.' || strcmp(end + 1, segments->name) != 0 || number == UINT64_MAX)
            continue; /* nothing of ours */
        if (segments->first == segments->next)
            segments->first = number;
        segments->next = number + 1; /* they are sorted */
    }
    service_folder_finish(&names);
    return 0;
}

int service_segments_open(const char *store_path, const char *name, uint64_t least_bytes, struct service_segments **ret)
{
    char folder[PATH_BYTES];
    struct service_segments *segments = base_calloc(1, sizeof *segments);
    if (!segments)
        return BASE_E_NOMEM;
    segments->fd = -1;
    segments->first = segments->next = 1;
    segments->least_bytes = least_bytes;
    segments->name = name;
    segments->store = base_strdup(store_path);
    int e = !segments->store ? BASE_E_NOMEM : folder_of(store_path, name, folder) ? look(segments, folder) : BASE_E_LIMIT;
    if (e < 0) {
        service_segments_close(segments);
        return e;
    }
    *ret = segments;
    return 0;
}

void service_segments_close(struct service_segments *segments)
{
    if (!segments)
        return;
    service_segments_turn(segments);
    base_free(segments->room);
    base_free(segments->store);
    base_free(segments);
}

int service_segments_direct(struct service_segments *segments)
{
    if (segments->room)
        return 0;
    service_segments_turn(segments);
    segments->room = base_alloc(STAGE_BYTES + BLOCK_BYTES);
    if (!segments->room)
        return BASE_E_NOMEM;
    segments->stage = segments->room + (BLOCK_BYTES - (uintptr_t)segments->room % BLOCK_BYTES) % BLOCK_BYTES;
    return 0;
}

bool service_segments_wants(const struct service_segments *segments, uint64_t bytes)
{
    return bytes >= segments->least_bytes;
}

/* ---- writing ---- */

static int fail(struct service_segments *segments, const char *path, const char *what, struct base_buf *reterr)
{
    int code = errno == ENOSPC || errno == EDQUOT ? BASE_E_FULL : BASE_E_IO;
    base_buf_printf(reterr, "the file %s cannot be %s: %s%s", path, what, strerror(errno), code == BASE_E_FULL ? "; free space on its file system" : "");
    segments->failed = code;
    return code;
}

/* False: the file system cannot. */
static bool set_direct(int fd, bool direct)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

static int begin_file(struct service_segments *segments, struct base_buf *reterr)
{
    char path[PATH_BYTES];
    if (!folder_of(segments->store, segments->name, path))
        return BASE_E_LIMIT;
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return fail(segments, path, "made", reterr);
    if (!path_of(segments->store, segments->name, segments->next, path))
        return BASE_E_LIMIT;
    segments->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (segments->fd < 0)
        return fail(segments, path, "made", reterr);
    segments->next++;
    segments->offset = 0;
    segments->ease = (struct service_ease){ 0 };
    segments->fresh = true;
    segments->direct = segments->stage && set_direct(segments->fd, true);
    return 0;
}

/* Bytes behind those of the file; those of a file that is written past the page cache are aligned, as is their number. */
static int write_all(struct service_segments *segments, const char *bytes, size_t len, struct base_buf *reterr)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(segments->fd, bytes + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (segments->direct && ((n < 0 && errno == EINVAL) || (n > 0 && (size_t)n % BLOCK_BYTES))) {
            /* Larger blocks than ours, or a piece of one was written: the rest goes as usual. */
            segments->direct = !set_direct(segments->fd, false);
            if (n < 0 && !segments->direct)
                continue;
        }
        if (n <= 0) {
            char path[PATH_BYTES];
            if (n == 0)
                errno = EIO;
            return fail(segments, path_of(segments->store, segments->name, segments->next - 1, path) ? path : "", "written", reterr);
        }
        done += (size_t)n;
    }
    return 0;
}

/* By way of the stage, up to the end of a block. */
static int write_direct(struct service_segments *segments, struct base_str bytes, struct base_buf *reterr)
{
    int e = 0;
    for (size_t done = 0; e == 0 && done < bytes.len;) {
        size_t n = bytes.len - done < STAGE_BYTES ? bytes.len - done : STAGE_BYTES, whole = (n + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
        memcpy(segments->stage, bytes.ptr + done, n);
        memset(segments->stage + n, 0, whole - n);
        e = write_all(segments, segments->stage, whole, reterr);
        done += n;
    }
    return e;
}

int service_segments_append(struct service_segments *segments, struct base_str bytes, struct service_place *ret, struct base_buf *reterr)
{
    int e = segments->failed;
    if (e == 0 && segments->fd < 0)
        e = begin_file(segments, reterr);
    if (e < 0)
        return e;
    segments->unsynced = true;
    bool whole_blocks = segments->direct;
    e = whole_blocks ? write_direct(segments, bytes, reterr) : write_all(segments, bytes.ptr, bytes.len, reterr);
    if (e < 0)
        return e;
    *ret = (struct service_place){ .segment = segments->next - 1, .offset = segments->offset, .len = bytes.len, .sum = base_crc32c(0, bytes.ptr, bytes.len) };
    segments->offset += whole_blocks ? (bytes.len + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES : bytes.len;
    return 0;
}

void service_segments_ease(struct service_segments *segments)
{
    service_ease(&segments->ease, segments->fd, segments->offset);
}

/* The names in a folder are durable. */
static int sync_folder(struct service_segments *segments, const char *path, struct base_buf *reterr)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int e = fd < 0 || fsync(fd) < 0 ? fail(segments, path, "synced", reterr) : 0;
    if (fd >= 0)
        close(fd);
    return e;
}

int service_segments_sync(struct service_segments *segments, struct base_buf *reterr)
{
    char path[PATH_BYTES];
    if (segments->failed || !segments->unsynced)
        return segments->failed;
    if (fdatasync(segments->fd) < 0)
        return fail(segments, path_of(segments->store, segments->name, segments->next - 1, path) ? path : "", "synced", reterr);
    if (segments->fresh) {
        int e = folder_of(segments->store, segments->name, path) ? sync_folder(segments, path, reterr) : BASE_E_LIMIT;
        if (e == 0)
            e = sync_folder(segments, segments->store, reterr); /* the folder may be new, too */
        if (e < 0)
            return e;
    }
    segments->fresh = segments->unsynced = false;
    return 0;
}

void service_segments_turn(struct service_segments *segments)
{
    if (segments->fd >= 0)
        close(segments->fd);
    segments->fd = -1;
    segments->fresh = segments->unsynced = false;
    segments->failed = 0;
}

uint64_t service_segments_end(struct service_segments *segments)
{
    service_segments_turn(segments);
    return segments->next;
}

void service_segments_retire(struct service_segments *segments)
{
    segments->retired = service_segments_end(segments);
}

void service_segments_retire_below(struct service_segments *segments, uint64_t end)
{
    if (end > segments->retired)
        segments->retired = end;
}

/* Tried again at each sweep; told once, and again when another has gone since. */
static void not_removed(struct service_segments *segments, const char *path)
{
    if (segments->told != segments->first)
        base_logf(BASE_LOG_WARN, "epochs", "a file that is not needed any more cannot be removed; it takes room until it can", "%s: %s", path, strerror(errno));
    segments->told = segments->first;
}

void service_segments_sweep(struct service_segments *segments)
{
    char path[PATH_BYTES];
    while (segments->first < segments->retired) {
        if (path_of(segments->store, segments->name, segments->first, path) && unlink(path) < 0 && errno != ENOENT)
            return not_removed(segments, path);
        segments->first++;
    }
}

/* ---- reading ---- */

static int read_all(int fd, const struct service_place *place, char *to)
{
    for (uint64_t done = 0; done < place->len;) {
        ssize_t n = pread(fd, to + done, place->len - done, (off_t)(place->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? BASE_E_IO : BASE_E_CORRUPT;
        done += (uint64_t)n;
    }
    return base_crc32c(0, to, place->len) == place->sum ? 0 : BASE_E_CORRUPT;
}

int service_segments_read(const char *store_path, const char *name, const struct service_place *place, struct base_buf *ret)
{
    char path[PATH_BYTES];
    struct stat there;
    uint64_t end;
    if (!path_of(store_path, name, place->segment, path) || __builtin_add_overflow(place->offset, place->len, &end))
        return BASE_E_CORRUPT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? BASE_E_CORRUPT : BASE_E_IO;
    int e = fstat(fd, &there) < 0 ? BASE_E_IO : (uint64_t)there.st_size < end ? BASE_E_CORRUPT : 0; /* before memory is asked for */
    if (e == 0 && !base_buf_reserve(ret, place->len))
        e = BASE_E_NOMEM;
    if (e == 0)
        e = read_all(fd, place, ret->ptr + ret->len);
    if (e == 0)
        ret->len += place->len;
    close(fd);
    return e;
}
