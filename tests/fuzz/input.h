/* Fuzz input as a supply of small numbers: zero when it is used up. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input { const uint8_t *at, *end; };
static inline uint8_t input_byte(struct input *in) { return in->at < in->end ? *in->at++ : 0; }
static inline bool input_more(const struct input *in) { return in->at < in->end; }
/* Below n; n in 1..256. */
static inline uint32_t input_below(struct input *in, uint32_t n) { return input_byte(in) % n; }
static inline uint32_t input_u32(struct input *in)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++)
        n = n << 8 | input_byte(in);
    return n;
}

#endif
