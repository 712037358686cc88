#include "cep/blocks.h"

#include <stdbool.h>
#include <string.h>
#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#ifdef POISONS /* so that a block that was given back is not touched unseen */
void __asan_poison_memory_region(const volatile void *at, size_t bytes);
void __asan_unpoison_memory_region(const volatile void *at, size_t bytes);
#define POISON(at, bytes) __asan_poison_memory_region(at, bytes)
#define UNPOISON(at, bytes) __asan_unpoison_memory_region(at, bytes)
#else
#define POISON(at, bytes) ((void)(at), (void)(bytes))
#define UNPOISON(at, bytes) ((void)(at), (void)(bytes))
#endif

#define SEGMENT ((size_t)16 << 10) /* also what its address is a multiple of */
#define HEAD 64u                   /* bytes before a segment's first block */
#define CHUNK_LEAST 4u             /* segments */
#define CHUNK_MOST 512u

struct place { struct place *next; };
struct cep_blocks_segment {
    struct cep_blocks_chunk *chunk;
    struct cep_blocks_segment *next, *prev; /* among the open ones of its size; free: next in the chunk */
    struct place *free;                     /* given back */
    uint32_t fresh;                         /* offset of what was never taken */
    uint16_t units, live;
};
_Static_assert(sizeof(struct cep_blocks_segment) <= HEAD, "the head of a segment");
struct cep_blocks_chunk {
    struct cep_blocks_chunk *next, *prev;
    struct cep_blocks_segment *free; /* emptied segments */
    char *at;                        /* the first segment */
    uint32_t count, fresh, live;     /* segments; those that were ever cut; those that hold blocks */
};

/* ---- chunks ---- */

static bool has_segment(const struct cep_blocks_chunk *chunk) { return chunk->free || chunk->fresh < chunk->count; }

static struct cep_blocks_chunk *add_chunk(struct cep_blocks *blocks)
{
    uint64_t count = blocks->held / 2 / SEGMENT; /* a few small ones, then larger ones: little is held that nothing lies in */
    count = count < CHUNK_LEAST ? CHUNK_LEAST : count > CHUNK_MOST ? CHUNK_MOST : count;
    size_t bytes = sizeof(struct cep_blocks_chunk) + (count + 1) * SEGMENT;
    struct cep_blocks_chunk *chunk = base_alloc(bytes);
    if (!chunk)
        return NULL;
    base_alloc_whole(chunk, bytes);
    uintptr_t behind = (uintptr_t)(chunk + 1);
    *chunk = (struct cep_blocks_chunk){ .prev = blocks->last, .at = (char *)(chunk + 1) + (-behind & (SEGMENT - 1)), .count = (uint32_t)count };
    if (chunk->prev)
        chunk->prev->next = chunk;
    else
        blocks->first = chunk;
    blocks->last = chunk;
    return chunk;
}

static void free_chunk(struct cep_blocks *blocks, struct cep_blocks_chunk *chunk)
{
    if (chunk->prev)
        chunk->prev->next = chunk->next;
    else
        blocks->first = chunk->next;
    if (chunk->next)
        chunk->next->prev = chunk->prev;
    else
        blocks->last = chunk->prev;
    blocks->held -= chunk->fresh * SEGMENT;
    UNPOISON(chunk->at, chunk->count * SEGMENT);
    base_free(chunk);
}

/* One empty chunk is kept while there are others: keys come and go around the same number. */
static void chunk_emptied(struct cep_blocks *blocks, struct cep_blocks_chunk *chunk)
{
    if (blocks->empty && blocks->empty != chunk && blocks->empty->live == 0)
        free_chunk(blocks, blocks->empty);
    blocks->empty = chunk;
    if (blocks->used)
        return;
    free_chunk(blocks, chunk);
    blocks->empty = NULL;
}

void cep_blocks_finish(struct cep_blocks *blocks)
{
    while (blocks->first)
        free_chunk(blocks, blocks->first);
    *blocks = (struct cep_blocks){ 0 };
}

/* ---- segments ---- */

static void link_open(struct cep_blocks *blocks, struct cep_blocks_segment *segment)
{
    segment->prev = NULL;
    segment->next = blocks->open[segment->units];
    if (segment->next)
        segment->next->prev = segment;
    blocks->open[segment->units] = segment;
}

static void unlink_open(struct cep_blocks *blocks, struct cep_blocks_segment *segment)
{
    if (segment->prev)
        segment->prev->next = segment->next;
    else
        blocks->open[segment->units] = segment->next;
    if (segment->next)
        segment->next->prev = segment->prev;
}

static bool is_full(const struct cep_blocks_segment *segment) { return !segment->free && segment->fresh + segment->units * CEP_BLOCKS_UNIT > SEGMENT; }

/* From the oldest chunk that has one, so that the younger ones may run empty. */
static struct cep_blocks_segment *open_segment(struct cep_blocks *blocks, size_t units)
{
    struct cep_blocks_chunk *chunk = blocks->first;
    while (chunk && !has_segment(chunk))
        chunk = chunk->next;
    if (!chunk)
        chunk = add_chunk(blocks);
    if (!chunk)
        return NULL;
    struct cep_blocks_segment *segment = chunk->free;
    if (segment) {
        chunk->free = segment->next;
    } else {
        segment = (struct cep_blocks_segment *)(void *)(chunk->at + chunk->fresh++ * SEGMENT);
        blocks->held += SEGMENT;
    }
    chunk->live++;
    *segment = (struct cep_blocks_segment){ .chunk = chunk, .fresh = HEAD, .units = (uint16_t)units };
    POISON((char *)segment + HEAD, SEGMENT - HEAD);
    link_open(blocks, segment);
    return segment;
}

void *cep_blocks_take(struct cep_blocks *blocks, size_t units)
{
    struct cep_blocks_segment *segment = blocks->open[units] ? blocks->open[units] : open_segment(blocks, units);
    if (!segment)
        return NULL;
    size_t bytes = units * CEP_BLOCKS_UNIT;
    void *block = segment->free;
    if (block) {
        segment->free = segment->free->next;
    } else {
        block = (char *)segment + segment->fresh;
        segment->fresh += (uint32_t)bytes;
    }
    UNPOISON(block, bytes);
    segment->live++;
    blocks->used += bytes;
    if (is_full(segment))
        unlink_open(blocks, segment);
    return block;
}

void cep_blocks_give(struct cep_blocks *blocks, void *block)
{
    struct cep_blocks_segment *segment = (struct cep_blocks_segment *)((uintptr_t)block & ~(uintptr_t)(SEGMENT - 1));
    struct place *place = block;
    size_t bytes = segment->units * (size_t)CEP_BLOCKS_UNIT;
    if (is_full(segment))
        link_open(blocks, segment);
    place->next = segment->free;
    segment->free = place;
    POISON((char *)block + sizeof *place, bytes - sizeof *place);
    blocks->used -= bytes;
    if (--segment->live)
        return;
    unlink_open(blocks, segment);
    segment->next = segment->chunk->free;
    segment->chunk->free = segment;
    if (--segment->chunk->live == 0)
        chunk_emptied(blocks, segment->chunk);
}
