#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"

#define BLOCK_FIRST_BYTES ((size_t)4096)
#define BLOCK_MOST_BYTES ((size_t)1 << 18)
/* A larger block was made for one big allocation; a reset gives it back instead of holding it for ever. */
#define BLOCK_KEEP_BYTES ((size_t)1 << 20)

struct base_arena_block {
    struct base_arena_block *next; /* older */
    size_t bytes;                  /* of the block, header included */
};
#define HEADER_BYTES ((sizeof(struct base_arena_block) + 15) & ~(size_t)15)

static void *refuse(struct base_arena *arena)
{
    arena->failed = true;
    return NULL;
}

static void use_block(struct base_arena *arena, struct base_arena_block *block)
{
    arena->head = block;
    arena->at = block ? (char *)block + HEADER_BYTES : NULL;
    arena->end = block ? (char *)block + block->bytes : NULL;
    arena->fresh = block && !block->next && block->bytes <= BLOCK_KEEP_BYTES ? arena->at : NULL;
}

void *base_arena_alloc_slow(struct base_arena *arena, size_t bytes)
{
    size_t need;
    if (!base_size_add(bytes ? bytes : 1, HEADER_BYTES + 15, &need))
        return refuse(arena);
    need &= ~(size_t)15;
    size_t size = arena->head ? arena->head->bytes * 2 : arena->first_bytes ? arena->first_bytes : BLOCK_FIRST_BYTES;
    if (size > BLOCK_MOST_BYTES)
        size = BLOCK_MOST_BYTES;
    if (arena->limit_bytes) {
        size_t room = arena->limit_bytes > arena->total_bytes ? arena->limit_bytes - arena->total_bytes : 0;
        if (need > room)
            return refuse(arena);
        if (size > room)
            size = room & ~(size_t)15;
    }
    if (size < need)
        size = need;
    struct base_arena_block *block = base_alloc(size);
    if (!block)
        return refuse(arena);
    block->bytes = size;
    arena->total_bytes += size;
    char *at = (char *)block + HEADER_BYTES;
    size_t left_here = (size_t)(arena->end - arena->at);
    if (arena->head && size - need < left_here) {
        /* A big allocation got a block of its own; the current block has more room left and stays the current one. */
        arena->fresh = NULL;
        block->next = arena->head->next;
        arena->head->next = block;
        return at;
    }
    block->next = arena->head;
    use_block(arena, block);
    arena->at = at + (need - HEADER_BYTES);
    return at;
}

void *base_arena_zalloc(struct base_arena *arena, size_t count, size_t bytes)
{
    size_t total;
    if (!base_size_mul(count, bytes, &total))
        return refuse(arena);
    void *at = base_arena_alloc(arena, total);
    if (at)
        memset(at, 0, total);
    return at;
}

char *base_arena_strndup(struct base_arena *arena, const char *text, size_t len)
{
    size_t bytes;
    if (!base_size_add(len, 1, &bytes))
        return refuse(arena);
    char *copy = base_arena_alloc(arena, bytes);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

char *base_arena_printf(struct base_arena *arena, const char *format, ...)
{
    char local[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(local, sizeof local, format, args);
    va_end(args);
    if (len < 0)
        return refuse(arena);
    if ((size_t)len < sizeof local)
        return base_arena_strndup(arena, local, (size_t)len);
    char *text = base_arena_alloc(arena, (size_t)len + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void base_arena_reset_slow(struct base_arena *arena)
{
    struct base_arena_block *keep = NULL;
    for (struct base_arena_block *block = arena->head; block; block = block->next)
        if (block->bytes <= BLOCK_KEEP_BYTES && (!keep || block->bytes > keep->bytes))
            keep = block;
    for (struct base_arena_block *block = arena->head; block;) {
        struct base_arena_block *next = block->next;
        if (block != keep)
            base_free(block);
        block = next;
    }
    if (keep)
        keep->next = NULL;
    use_block(arena, keep);
    arena->total_bytes = keep ? keep->bytes : 0;
    arena->failed = false;
}

void base_arena_finish(struct base_arena *arena)
{
    for (struct base_arena_block *block = arena->head; block;) {
        struct base_arena_block *next = block->next;
        base_free(block);
        block = next;
    }
    use_block(arena, NULL);
    arena->total_bytes = 0;
    arena->failed = false;
}
