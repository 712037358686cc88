/* Stands in for the fuzzer's main: runs a target once over each file of the folders (or files) given. TAP: a test per file; a find ends the process, whose
 * last line then names the file. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/alloc.h"
#include "base/vec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count;

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    static uint8_t room[1 << 20];
    size_t size = file ? fread(room, 1, sizeof room, file) : 0;
    if (file)
        fclose(file);
    uint8_t *exact = file ? base_alloc(size) : NULL; /* so that a read behind the end is seen */
    if (!exact) {
        printf("not ok %d - %s cannot be read\n", ++count, path);
        return false;
    }
    memcpy(exact, room, size);
    printf("# %s\n", path);
    fflush(stdout);
    int rc = LLVMFuzzerTestOneInput(exact, size);
    base_free(exact);
    printf("%s %d - %s\n", rc == 0 ? "ok" : "not ok", ++count, path);
    return rc == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool replay(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return replay_file(path);
    struct paths BASE_VEC(char *) paths = { 0 };
    DIR *folder = opendir(path);
    bool good = folder != NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        char below[4096];
        int len = entry->d_name[0] == '.' ? 0 : snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        char *copy = len > 0 && len < (int)sizeof below ? base_strdup(below) : NULL;
        if (copy && !BASE_VEC_PUSH(&paths, copy))
            base_free(copy);
    }
    if (folder)
        closedir(folder);
    if (paths.len)
        qsort(paths.at, paths.len, sizeof *paths.at, compare);
    for (size_t i = 0; i < paths.len; i++) {
        good = replay(paths.at[i]) && good;
        base_free(paths.at[i]);
    }
    BASE_VEC_FINISH(&paths);
    return good;
}

int main(int argc, char **argv)
{
    bool good = argc > 1;
    for (int i = 1; i < argc; i++)
        good = replay(argv[i]) && good;
    printf("1..%d\n", count);
    return good && count ? 0 : 1;
}
