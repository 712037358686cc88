#include "connectors/file_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

const char *connectors_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void connectors_file_list_finish(struct connectors_file_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        base_free(list->paths[i]);
    base_free(list->paths);
    *list = (struct connectors_file_list){ 0 };
}

static int add(struct connectors_file_list *list, char *path)
{
    if (!path)
        return BASE_E_NOMEM;
    if (list->len == list->cap && !base_vec_grow((void **)&list->paths, &list->cap, list->len + 1, sizeof *list->paths)) {
        base_free(path);
        return BASE_E_NOMEM;
    }
    list->paths[list->len++] = path;
    return 0;
}

static int add_entry(struct connectors_file_list *list, const char *folder, const char *name)
{
    if (name[0] == '.' || name[0] == '_')
        return 0;
    struct base_buf path = { 0 };
    struct stat info;
    base_buf_printf(&path, "%s/%s", folder, name);
    int r = path.failed ? BASE_E_NOMEM : 0;
    if (r == 0 && stat(path.ptr, &info) == 0 && S_ISREG(info.st_mode))
        r = add(list, base_strdup(path.ptr));
    base_buf_finish(&path);
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int cannot(const char *path, char *ret_error, size_t error_bytes)
{
    int cause = errno;
    snprintf(ret_error, error_bytes, "cannot open \"%s\": %s", path, strerror(cause));
    return cause == ENOENT || cause == ENOTDIR ? BASE_E_NOTFOUND : BASE_E_IO;
}

int connectors_file_list_read(struct connectors_file_list *list, const char *path, char *ret_error, size_t error_bytes)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return cannot(path, ret_error, error_bytes);
    if (!S_ISDIR(info.st_mode))
        return add(list, base_strdup(path));
    DIR *folder = opendir(path);
    if (!folder)
        return cannot(path, ret_error, error_bytes);
    int r = 0;
    for (struct dirent *entry = readdir(folder); entry && r == 0; entry = readdir(folder))
        r = add_entry(list, path, entry->d_name);
    closedir(folder);
    if (r == BASE_E_NOMEM)
        snprintf(ret_error, error_bytes, "out of memory");
    if (list->len > 1)
        qsort(list->paths, list->len, sizeof *list->paths, by_name);
    return r;
}
