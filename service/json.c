#include "service/json.h"

#include "base/alloc.h"

void service_json_setup(void)
{
    json_set_alloc_funcs(base_alloc, base_free);
}

static int put(const char *text, size_t len, void *ctx)
{
    struct base_buf *out = ctx;
    base_buf_put(out, text, len);
    return out->failed ? -1 : 0;
}

bool service_json_put(const json_t *value, struct base_buf *out)
{
    if (value && json_dump_callback(value, put, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) == 0)
        return true;
    out->failed = true;
    return false;
}
