#include "base/vec.h"

#include <string.h>

bool base_vec_grow(void **at, size_t *cap, size_t need, size_t element_bytes)
{
    size_t count = *cap ? *cap : 4;
    if (!base_size_mul(count, 2, &count))
        return false;
    if (count < need)
        count = need;
    size_t bytes;
    if (!base_size_mul(count, element_bytes, &bytes))
        return false;
    /* memcpy: at points to a pointer of the element's type, which a void * lvalue may not alias. */
    void *old;
    memcpy(&old, (void *)at, sizeof old);
    void *grown = base_realloc(old, bytes);
    if (!grown)
        return false;
    memcpy((void *)at, &grown, sizeof grown);
    *cap = count;
    return true;
}
