/* Numbers by chance for unit tests, the same ones in each run. xorshift64, G. Marsaglia, Xorshift RNGs, 2003. */
#ifndef TESTS_UNIT_RND_H
#define TESTS_UNIT_RND_H

#include <stdint.h>

static uint64_t seed = 88172645463325252u;

/* One below n. */
static inline uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 32) % n);
}

/* The same for an n of any size: another number of the same row. */
static inline uint64_t rnd_wide(uint64_t n)
{
    (void)rnd(1);
    return (seed >> 11) % n;
}

#endif
