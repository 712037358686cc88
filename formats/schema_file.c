#include "formats/schema_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"

int formats_schema_file(struct base_str path, struct base_arena *arena, struct base_str *ret, char *ret_error, size_t error_bytes)
{
    const char *name = base_arena_strndup(arena, path.ptr, path.len);
    FILE *file = name ? fopen(name, "rbe") : NULL;
    if (!file) {
        snprintf(ret_error, error_bytes, "the schema file %s cannot be opened: %s", name ? name : "", strerror(errno));
        return name ? BASE_E_CONFIG : BASE_E_NOMEM;
    }
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    bool good = size >= 0 && size <= (long)FORMATS_SCHEMA_BYTES && fseek(file, 0, SEEK_SET) == 0;
    char *text = good ? base_arena_alloc(arena, (size_t)size + 1) : NULL;
    size_t len = text ? fread(text, 1, (size_t)size, file) : 0;
    fclose(file);
    if (good && !text)
        return BASE_E_NOMEM;
    if (!good || len != (size_t)size) {
        snprintf(ret_error, error_bytes, "the schema file %s %s", name, size > (long)FORMATS_SCHEMA_BYTES ? "is larger than 4 MiB" : "cannot be read");
        return BASE_E_CONFIG;
    }
    *ret = (struct base_str){ text, len };
    return 0;
}
