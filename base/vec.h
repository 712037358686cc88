/* Typed growing arrays. `struct name BASE_VEC(type)` declares { type *at; size_t len, cap; }. Zero-initialise. */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include "base/alloc.h"

#define BASE_VEC(type) \
    { \
        type *at; \
        size_t len; \
        size_t cap; \
    }

/* Makes room for one more element of the given size; false on failure (array unchanged). */
bool base_vec_grow(void **at, size_t *cap, size_t need, size_t element_bytes);

/* bool: appended. value is evaluated once, after the growth. */
#define BASE_VEC_PUSH(vec, value) \
    (((vec)->len < (vec)->cap || base_vec_grow((void **)&(vec)->at, &(vec)->cap, (vec)->len + 1, sizeof *(vec)->at)) \
         ? ((vec)->at[(vec)->len++] = (value), true) \
         : false)
#define BASE_VEC_RESERVE(vec, n) \
    ((n) <= (vec)->cap || base_vec_grow((void **)&(vec)->at, &(vec)->cap, (n), sizeof *(vec)->at))
#define BASE_VEC_FINISH(vec) (base_free((vec)->at), (vec)->at = NULL, (vec)->len = (vec)->cap = 0)

#endif
