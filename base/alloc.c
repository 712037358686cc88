#include "base/alloc.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/attr.h"

/* Live blocks are counted in stripes, one cache line each, so that threads do not fight over one counter. The first threads have one each and add to it
 * without locking the bus; later ones share the last. A block may be freed by another thread than the one that made it: only the sum over all stripes means anything. */
#define STRIPES 16
struct stripe {
    _Atomic int64_t blocks;
    char pad[64 - sizeof(int64_t)];
};
static struct stripe live[STRIPES];
static _Atomic uint32_t threads_seen;

struct hook {
    uint64_t left; /* calls until the failure; 0: off */
    bool repeat;   /* once fired, keep failing */
    bool failing;  /* fired with repeat */
    bool fired;
    uint32_t stripe; /* 1 + stripe of this thread; 0: none chosen yet */
};
static _Thread_local struct hook hook;
static _Atomic int64_t anywhere_left; /* calls of any thread until one fails; 0 or less: off */

static void count_block(int64_t delta)
{
    if (BASE_UNLIKELY(hook.stripe == 0)) {
        uint32_t seen = atomic_fetch_add_explicit(&threads_seen, 1, memory_order_relaxed);
        hook.stripe = 1 + (seen < STRIPES ? seen : STRIPES - 1);
    }
    _Atomic int64_t *blocks = &live[hook.stripe - 1].blocks;
    if (BASE_LIKELY(hook.stripe < STRIPES))
        atomic_store_explicit(blocks, atomic_load_explicit(blocks, memory_order_relaxed) + delta, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(blocks, delta, memory_order_relaxed);
}

static bool must_fail(void)
{
    if (BASE_UNLIKELY(atomic_load_explicit(&anywhere_left, memory_order_relaxed) > 0) && atomic_fetch_sub(&anywhere_left, 1) == 1)
        return true;
    if (BASE_LIKELY(hook.left == 0))
        return hook.failing;
    if (--hook.left > 0)
        return false;
    hook.fired = true;
    hook.failing = hook.repeat;
    return true;
}

void *base_alloc(size_t bytes)
{
    if (must_fail())
        return NULL;
    void *block = malloc(bytes ? bytes : 1);
    if (block)
        count_block(1);
    return block;
}

void *base_calloc(size_t count, size_t bytes)
{
    size_t total;
    if (!base_size_mul(count, bytes, &total) || must_fail())
        return NULL;
    void *block = calloc(1, total ? total : 1);
    if (block)
        count_block(1);
    return block;
}

void *base_realloc(void *block, size_t bytes)
{
    if (!block)
        return base_alloc(bytes);
    if (must_fail())
        return NULL;
    return realloc(block, bytes ? bytes : 1);
}

#define PAGE ((uintptr_t)4096)
#define LARGE ((size_t)2 << 20) /* of those the C library has asked the system for by themselves */

/* All pages of the block, so that its mapping stays in one piece and realloc can move it without copying. */
void base_alloc_whole(void *block, size_t bytes)
{
    uintptr_t first = (uintptr_t)block & ~(PAGE - 1), end = ((uintptr_t)block + bytes + PAGE - 1) & ~(PAGE - 1);
    if (bytes >= LARGE)
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE); /* only faster, never needed */
}

void *base_alloc_walked(size_t bytes)
{
    void *block = NULL;
    if (bytes < LARGE)
        return base_alloc(bytes);
    if (must_fail() || posix_memalign(&block, LARGE, bytes) != 0)
        return NULL;
    count_block(1);
    base_alloc_whole(block, bytes);
    return block;
}

void base_free(void *block)
{
    if (!block)
        return;
    count_block(-1);
    free(block);
}

char *base_strndup(const char *text, size_t len)
{
    size_t bytes;
    if (!base_size_add(len, 1, &bytes))
        return NULL;
    char *copy = base_alloc(bytes);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

char *base_strdup(const char *text)
{
    return base_strndup(text, strlen(text));
}

void base_alloc_fail_at(uint64_t nth, bool repeat)
{
    hook.left = nth;
    hook.repeat = repeat;
    hook.failing = false;
    hook.fired = false;
}

void base_alloc_fail_anywhere(uint64_t nth)
{
    atomic_store(&anywhere_left, (int64_t)nth);
}

int64_t base_alloc_anywhere_left(void)
{
    return atomic_load(&anywhere_left);
}

bool base_alloc_fault_fired(void)
{
    return hook.fired;
}

uint64_t base_alloc_live_blocks(void)
{
    int64_t sum = 0;
    for (int i = 0; i < STRIPES; i++)
        sum += atomic_load_explicit(&live[i].blocks, memory_order_relaxed);
    return sum > 0 ? (uint64_t)sum : 0;
}

bool base_size_mul(size_t a, size_t b, size_t *ret)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

bool base_size_add(size_t a, size_t b, size_t *ret)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

/* A fetch of Kafka's client, the rows of a batch and the like come and go many times a second and are some megabytes large: mapped anew each time, each of their pages is zeroed and
 * faulted in again. What is larger goes back to the system at once. */
void base_alloc_setup(void)
{
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    mallopt(M_ARENA_MAX, 4);
}

void base_alloc_trim(void)
{
    malloc_trim(1 << 20);
}
