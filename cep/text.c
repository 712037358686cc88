#include "cep/text.h"

#include <string.h>

#include "base/error.h"
#include "cep/row.h"

int cep_text_compare(struct cep_value a, struct cep_value b)
{
    size_t least = a.s.len < b.s.len ? a.s.len : b.s.len;
    int order = least ? memcmp(a.s.ptr, b.s.ptr, least) : 0;
    return order ? order : (a.s.len > b.s.len) - (a.s.len < b.s.len);
}

bool cep_text_equal(struct cep_value a, struct cep_value b)
{
    return a.s.len == b.s.len && (a.s.len == 0 || memcmp(a.s.ptr, b.s.ptr, a.s.len) == 0);
}

void cep_base64_print(const char *bytes, size_t len, struct base_buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = (const uint8_t *)bytes;
    for (; len; at += 3) {
        size_t n = len < 3 ? len : 3;
        uint32_t bits = (uint32_t)at[0] << 16 | (n > 1 ? (uint32_t)at[1] << 8 : 0) | (n > 2 ? at[2] : 0);
        char four[4] = { digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                         n > 2 ? digits[bits & 63] : '=' };
        base_buf_put(out, four, 4);
        len -= n;
    }
}

int cep_text_room(struct base_arena *arena, size_t len, char **ret)
{
    if (len > CEP_ROW_BYTES_MAX)
        return BASE_E_LIMIT;
    char *at = base_arena_alloc(arena, len ? len : 1);
    if (!at)
        return BASE_E_NOMEM;
    *ret = at;
    return 0;
}

int cep_text_take(struct base_buf *buf, struct base_arena *arena, struct cep_value *ret)
{
    char *at = NULL;
    int e = buf->failed ? BASE_E_NOMEM : cep_text_room(arena, buf->len, &at);
    if (e == 0) {
        if (buf->len)
            memcpy(at, buf->ptr, buf->len);
        *ret = cep_string(at, buf->len);
    }
    base_buf_finish(buf);
    return e;
}

int cep_text_join(struct cep_type array_type, struct cep_value array, struct cep_value separator, struct cep_value null_text, struct base_arena *arena,
                  struct cep_value *ret)
{
    struct cep_type element = cep_type_element(array_type);
    struct cep_array_reader reader;
    struct cep_value v;
    struct base_buf buf = { 0 };
    bool any = false;
    cep_array_read(array, &reader);
    while (buf.len <= CEP_ROW_BYTES_MAX && cep_array_next(array_type, &reader, &v)) { /* what is longer is refused, not built */
        if (v.null && null_text.null)
            continue;
        if (any)
            base_buf_put(&buf, separator.s.ptr, separator.s.len);
        any = true;
        if (v.null)
            base_buf_put(&buf, null_text.s.ptr, null_text.s.len);
        else
            cep_value_print_text(element, v, &buf);
    }
    return cep_text_take(&buf, arena, ret);
}
