/* Bump memory with one lifetime: allocations are freed all at once by reset or finish. Single-threaded. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct base_arena_block;
/* Zero-initialise to use ({ 0 }); fields are private. `failed` is sticky: set when an allocation was refused. */
struct base_arena {
    struct base_arena_block *head; /* newest block */
    char *at;                      /* next free byte of head */
    char *end;                     /* end of head */
    char *fresh;                   /* where `at` starts, if head is the only block and may be kept */
    size_t total_bytes;            /* sum of block sizes */
    size_t limit_bytes;            /* 0: none; otherwise allocations beyond it fail */
    size_t first_bytes;            /* of the first block; 0: the usual size */
    bool failed;                   /* an allocation returned NULL */
};

/* 16-byte aligned, uninitialised; NULL on failure. */
void *base_arena_alloc_slow(struct base_arena *arena, size_t bytes);
static inline void *base_arena_alloc(struct base_arena *arena, size_t bytes)
{
    size_t need = (bytes + 15) & ~(size_t)15;
    if (need >= bytes && (size_t)(arena->end - arena->at) >= need && arena->at) {
        void *at = arena->at;
        arena->at += need;
        return at;
    }
    return base_arena_alloc_slow(arena, bytes);
}
/* Zeroed. */
void *base_arena_zalloc(struct base_arena *arena, size_t count, size_t bytes);
/* Copy with a NUL behind. */
char *base_arena_strndup(struct base_arena *arena, const char *text, size_t len);
char *base_arena_printf(struct base_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Frees all but the largest block of at most 1 MiB, which is kept for reuse; clears failed. */
void base_arena_reset_slow(struct base_arena *arena);
static inline void base_arena_reset(struct base_arena *arena)
{
    if (arena->fresh && !arena->failed)
        arena->at = arena->fresh;
    else
        base_arena_reset_slow(arena);
}
/* Frees all; the arena may be used again. */
void base_arena_finish(struct base_arena *arena);

#endif
