#include "service/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vec.h"

void service_folder_finish(struct service_folder *folder)
{
    for (size_t i = 0; i < folder->len; i++)
        base_free(folder->at[i]);
    BASE_VEC_FINISH(folder);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int service_folder_read(const char *path, struct service_folder *ret)
{
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? BASE_E_NOTFOUND : BASE_E_IO;
    struct service_folder folder = { 0 };
    int e = 0;
    for (struct dirent *entry; e == 0 && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        char *name = base_strdup(entry->d_name);
        if (!name || !BASE_VEC_PUSH(&folder, name)) {
            base_free(name);
            e = BASE_E_NOMEM;
        }
    }
    closedir(dir);
    if (e < 0) {
        service_folder_finish(&folder);
        return e;
    }
    if (folder.len)
        qsort(folder.at, folder.len, sizeof *folder.at, compare);
    *ret = folder;
    return 0;
}
