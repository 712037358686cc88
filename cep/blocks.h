/* Memory for a great many small blocks of few sizes that come and go by themselves: cut from segments of one size each, without a header of their own, so that a
 * block whose size is a multiple of 64 begins with a cache line; segments lie in chunks that large pages can back. What is empty goes back, a chunk at a time. Used by
 * cep/keyed.c; knows nothing of what a block holds. Shard thread only. */
#ifndef CEP_BLOCKS_H
#define CEP_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#define CEP_BLOCKS_UNIT 16u
#define CEP_BLOCKS_MOST 32u /* units of the largest block */

struct cep_blocks_segment;
struct cep_blocks_chunk;
struct cep_blocks {
    struct cep_blocks_segment *open[CEP_BLOCKS_MOST + 1]; /* by units: those with free places */
    struct cep_blocks_chunk *first, *last;
    struct cep_blocks_chunk *empty; /* a chunk that nothing is cut from, kept for what comes next; NULL: none */
    uint64_t held;                  /* bytes of the chunks that have been written to */
    uint64_t used;                  /* bytes of the blocks taken */
};
void cep_blocks_finish(struct cep_blocks *blocks); /* blocks that were not given back go too */
/* At most CEP_BLOCKS_MOST units, of any content; NULL: no memory. */
void *cep_blocks_take(struct cep_blocks *blocks, size_t units);
void cep_blocks_give(struct cep_blocks *blocks, void *block);

#endif
