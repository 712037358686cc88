#include "service/rulefiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/vec.h"
#include "service/folder.h"

#define DEPTH_MAX 8
#define PATH_MAX_BYTES 4096

void service_rulefiles_init(struct service_rulefiles *files, struct base_arena *arena)
{
    *files = (struct service_rulefiles){ .arena = arena };
}

void service_rulefiles_finish(struct service_rulefiles *files)
{
    BASE_VEC_FINISH(files);
}

static int fail(struct base_buf *reterr, int e, const char *path, const char *cause)
{
    base_buf_printf(reterr, "%s: %s", path, cause);
    return e;
}

static int add_text(struct service_rulefiles *files, const char *name, const char *text, size_t len)
{
    struct base_source source = { base_arena_strndup(files->arena, name, strlen(name)), base_arena_strndup(files->arena, text, len), len };
    return source.name && source.text && BASE_VEC_PUSH(files, source) ? 0 : BASE_E_NOMEM;
}

static int read_stream(struct service_rulefiles *files, int fd, const char *name, struct base_buf *reterr)
{
    size_t limit = files->file_bytes ? files->file_bytes : SERVICE_RULEFILES_BYTES;
    struct base_buf text = { .limit = limit + 1 };
    char chunk[16384];
    ssize_t n = 0;
    while (!text.failed && (n = read(fd, chunk, sizeof chunk)) > 0)
        base_buf_put(&text, chunk, (size_t)n);
    int e = 0;
    if (n < 0)
        e = fail(reterr, BASE_E_IO, name, strerror(errno));
    else if (text.failed || text.len > limit)
        e = fail(reterr, BASE_E_LIMIT, name, "the file is larger than the limit of a rule file; split it, or raise rules.max-bytes");
    else
        e = add_text(files, name, text.ptr ? text.ptr : "", text.len);
    base_buf_finish(&text);
    return e;
}

static int add_file(struct service_rulefiles *files, const char *path, struct base_buf *reterr)
{
    if (files->len >= SERVICE_RULEFILES_MAX)
        return fail(reterr, BASE_E_LIMIT, path, "too many rule files");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(reterr, errno == ENOENT ? BASE_E_NOTFOUND : BASE_E_IO, path, strerror(errno));
    int e = read_stream(files, fd, path, reterr);
    close(fd);
    return e;
}

static void add_mark(uint64_t *mark, const char *path, const struct stat *info)
{
    uint64_t facts[] = { (uint64_t)info->st_mtim.tv_sec, (uint64_t)info->st_mtim.tv_nsec, (uint64_t)info->st_size, info->st_ino };
    *mark = base_hash64(path, strlen(path), *mark);
    *mark = base_hash64(facts, sizeof facts, *mark);
}

/* files NULL: only the mark is made. */
static int walk(struct service_rulefiles *files, const char *path, int depth, uint64_t *mark, struct base_buf *reterr)
{
    struct service_folder folder = { 0 };
    if (depth > DEPTH_MAX)
        return reterr ? fail(reterr, BASE_E_LIMIT, path, "folders are nested too deep") : BASE_E_LIMIT;
    int e = service_folder_read(path, &folder);
    if (e < 0)
        return reterr ? fail(reterr, e, path, e == BASE_E_NOMEM ? base_error_text(e) : strerror(errno)) : e;
    for (size_t i = 0; i < folder.len; i++) {
        char child[PATH_MAX_BYTES];
        struct stat info;
        bool fits = snprintf(child, sizeof child, "%s/%s", path, folder.at[i]) < (int)sizeof child;
        if (e == 0 && fits && stat(child, &info) == 0) {
            size_t len = strlen(child);
            if (S_ISDIR(info.st_mode)) {
                e = walk(files, child, depth + 1, mark, reterr);
            } else if (len > 4 && strcmp(child + len - 4, ".sql") == 0) {
                add_mark(mark, child, &info);
                e = files ? add_file(files, child, reterr) : 0;
            }
        }
    }
    service_folder_finish(&folder);
    return e;
}

int service_rulefiles_mark(const char *path, uint64_t *ret)
{
    uint64_t mark = 0;
    int e = walk(NULL, path, 0, &mark, NULL);
    *ret = mark;
    return e;
}

int service_rulefiles_add(struct service_rulefiles *files, const char *path, struct base_buf *reterr)
{
    struct stat info;
    if (strcmp(path, "-") == 0)
        return read_stream(files, STDIN_FILENO, "<stdin>", reterr);
    if (stat(path, &info) < 0)
        return fail(reterr, errno == ENOENT ? BASE_E_NOTFOUND : BASE_E_IO, path, strerror(errno));
    return S_ISDIR(info.st_mode) ? walk(files, path, 0, &files->mark, reterr) : add_file(files, path, reterr);
}

int service_rulefiles_set(struct service_rulefiles *files, const char *name, struct base_str text)
{
    for (size_t i = 0; i < files->len; i++) {
        if (strcmp(files->at[i].name, name) != 0)
            continue;
        char *copy = base_arena_strndup(files->arena, text.ptr ? text.ptr : "", text.len);
        if (!copy)
            return BASE_E_NOMEM;
        files->at[i].text = copy;
        files->at[i].len = text.len;
        return 0;
    }
    return add_text(files, name, text.ptr ? text.ptr : "", text.len);
}

bool service_rulefiles_name_good(const char *name)
{
    size_t len = strlen(name);
    if (len < 5 || len > 200 || strcmp(name + len - 4, ".sql") != 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
        bool starts = i == 0 || name[i - 1] == '/';
        if (!plain || (starts && (c == '.' || c == '/')))
            return false;
    }
    return true;
}

static int write_errno(struct base_buf *reterr, const char *path)
{
    int e = errno == EROFS || errno == EACCES || errno == EPERM ? BASE_E_READONLY : errno == ENOSPC || errno == EDQUOT ? BASE_E_FULL : BASE_E_IO;
    return fail(reterr, e, path, strerror(errno));
}

static int write_all(int fd, struct base_str text)
{
    for (size_t at = 0; at < text.len;) {
        ssize_t n = write(fd, text.ptr + at, text.len - at);
        if (n < 0)
            return -1;
        at += (size_t)n;
    }
    return fsync(fd);
}

/* Makes the folders that lead to path; those that are there are left as they are. */
static void make_parents(char *path, size_t from)
{
    for (char *at = path + from; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(path, 0755); /* if it cannot be made, opening the file tells why */
        *at = '/';
    }
}

int service_rulefiles_write(const char *dir, const char *name, struct base_str text, struct base_buf *reterr)
{
    char path[PATH_MAX_BYTES], temporary[PATH_MAX_BYTES + 16];
    if (!service_rulefiles_name_good(name) || snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return fail(reterr, BASE_E_INVALID, name, "no good name of a rule file; write letters, digits, - and _, ending in .sql");
    snprintf(temporary, sizeof temporary, "%s.new", path);
    make_parents(path, strlen(dir) + 1);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return write_errno(reterr, path);
    int bad = write_all(fd, text);
    int e = bad ? write_errno(reterr, path) : 0;
    close(fd);
    if (e == 0 && rename(temporary, path) < 0)
        e = write_errno(reterr, path);
    if (e < 0)
        (void)unlink(temporary);
    int folder = e == 0 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0) {
        (void)fsync(folder); /* the file itself is synced; a folder that cannot be only risks the old text after a power cut */
        close(folder);
    }
    return e;
}
