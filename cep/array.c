#include <string.h>

#include "base/error.h"
#include "cep/row.h"
#include "cep/text.h"
#include "cep/value.h"

/* Packed arrays (value.h). Every reader checks its bounds, so that damaged bytes read as NULLs or as a shorter array,
 * never outside. */

#define NULL_LENGTH UINT32_MAX

uint32_t cep_array_count(struct cep_value array)
{
    uint32_t count = 0;
    if (!array.null && array.s.len >= sizeof count)
        memcpy(&count, array.s.ptr, sizeof count);
    size_t most = array.s.len / 4; /* damaged bytes must not ask for more elements than there is room for */
    return count > most ? (uint32_t)most : count;
}

void cep_array_read(struct cep_value array, struct cep_array_reader *ret)
{
    *ret = (struct cep_array_reader){ 0 };
    if (array.null || array.s.len < 4)
        return;
    ret->left = cep_array_count(array);
    ret->at = array.s.ptr + 4;
    ret->end = array.s.ptr + array.s.len;
}

bool cep_array_next(struct cep_type array, struct cep_array_reader *reader, struct cep_value *ret)
{
    uint32_t len;
    if (!reader->left || reader->end - reader->at < 4)
        return false;
    memcpy(&len, reader->at, 4);
    if (len != NULL_LENGTH && len > (size_t)(reader->end - reader->at) - 4)
        return false;
    reader->left--;
    reader->at += 4;
    *ret = cep_null();
    if (len == NULL_LENGTH)
        return true;
    if (cep_kind_is_text(array.element)) {
        *ret = cep_string(reader->at, len);
    } else if (array.element == CEP_KIND_DECIMAL) {
        if (len == 16)
            memcpy(&ret->dec, reader->at, 16);
        ret->null = len != 16;
    } else {
        if (len == 8)
            memcpy(&ret->i, reader->at, 8);
        ret->null = len != 8;
    }
    reader->at += len;
    return true;
}

struct cep_value cep_array_get(struct cep_type array, struct cep_value value, uint32_t index)
{
    struct cep_array_reader reader;
    struct cep_value v;
    cep_array_read(value, &reader);
    while (cep_array_next(array, &reader, &v))
        if (index-- == 0)
            return v;
    return cep_null();
}

static size_t element_bytes(uint8_t kind, struct cep_value v)
{
    if (v.null)
        return 0;
    return cep_kind_is_text(kind) ? v.s.len : kind == CEP_KIND_DECIMAL ? 16 : 8;
}

static char *put_element(uint8_t kind, struct cep_value v, char *at)
{
    size_t bytes = element_bytes(kind, v);
    uint32_t len = v.null ? NULL_LENGTH : (uint32_t)bytes;
    memcpy(at, &len, 4);
    at += 4;
    if (bytes)
        memcpy(at, cep_kind_is_text(kind) ? (const void *)v.s.ptr : (const void *)&v.dec, bytes);
    return at + bytes;
}

int cep_array_make(struct cep_type array, const struct cep_value *elements, uint32_t count, struct base_arena *arena,
                   struct cep_value *ret)
{
    size_t len = 4;
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = element_bytes(array.element, elements[i]);
        if (bytes > CEP_ROW_BYTES_MAX || (len += 4 + bytes) > CEP_ROW_BYTES_MAX)
            return BASE_E_LIMIT;
    }
    char *bytes = NULL;
    int e = cep_text_room(arena, len, &bytes);
    if (e < 0)
        return e;
    memcpy(bytes, &count, 4);
    char *at = bytes + 4;
    for (uint32_t i = 0; i < count; i++)
        at = put_element(array.element, elements[i], at);
    *ret = cep_string(bytes, len);
    return 0;
}

int cep_array_append(struct cep_type array, struct cep_value old, struct cep_value element, struct base_arena *arena,
                     struct cep_value *ret)
{
    if (old.null || old.s.len < 4)
        return cep_array_make(array, &element, 1, arena, ret);
    size_t more = element_bytes(array.element, element);
    if (more > CEP_ROW_BYTES_MAX || old.s.len > CEP_ROW_BYTES_MAX)
        return BASE_E_LIMIT;
    char *bytes = NULL;
    size_t len = old.s.len + 4 + more;
    int e = cep_text_room(arena, len, &bytes);
    if (e < 0)
        return e;
    uint32_t count = cep_array_count(old) + 1;
    memcpy(bytes, old.s.ptr, old.s.len);
    memcpy(bytes, &count, 4);
    (void)put_element(array.element, element, bytes + old.s.len);
    *ret = cep_string(bytes, len);
    return 0;
}
