#include "service/journal_delta.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vec.h"

void service_delta_finish(struct service_delta *last)
{
    base_free(last->words);
    *last = (struct service_delta){ 0 };
}

void service_delta_forget(struct service_delta *last)
{
    last->count = 0;
}

/* Room for `count` words; those beyond the last ones are zero. */
static bool make_room(struct service_delta *last, size_t count)
{
    if (count > last->cap && !base_vec_grow((void **)&last->words, &last->cap, count, sizeof *last->words))
        return false;
    if (count > last->count)
        memset(last->words + last->count, 0, (count - last->count) * sizeof *last->words);
    last->count = count;
    return true;
}

/* Lengths of the words, four bits each, then their bytes. */
int service_delta_put(struct service_delta *last, const struct service_delta_words *words, struct base_buf *out)
{
    size_t count = words->head_count + words->rest_count;
    size_t lengths = (count + 1) / 2, most = lengths + count * 8 + 16;
    if (!make_room(last, count) || !base_buf_reserve(out, most))
        return BASE_E_NOMEM;
    char *start = out->ptr + out->len, *at = start + lengths;
    memset(start, 0, lengths);
    for (size_t i = 0; i < count; i++) {
        uint64_t word = i < words->head_count ? words->head[i] : words->rest[i - words->head_count], differs = word ^ last->words[i];
        unsigned len = differs ? 8u - (unsigned)__builtin_clzll(differs) / 8u : 0;
        last->words[i] = word;
        start[i / 2] = (char)((uint8_t)start[i / 2] | len << (i % 2 * 4));
        memcpy(at, &differs, sizeof differs); /* what is behind `len` is written over by the next */
        at += len;
    }
    size_t rest = (size_t)(at - start) % 8;
    memset(at, 0, 8);
    out->len += (size_t)(at - start) + (rest ? 8 - rest : 0);
    return 0;
}

int service_delta_take(struct service_delta *last, size_t count, const char *bytes, size_t len)
{
    size_t lengths = (count + 1) / 2, at = lengths;
    if (count == 0 || count > SERVICE_DELTA_WORDS_MOST || lengths > len)
        return BASE_E_CORRUPT;
    if (!make_room(last, count))
        return BASE_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        unsigned n = (uint8_t)bytes[i / 2] >> (i % 2 * 4) & 15u;
        uint64_t differs = 0;
        if (n > 8 || n > len - at)
            return BASE_E_CORRUPT;
        memcpy(&differs, bytes + at, n);
        last->words[i] ^= differs;
        at += n;
    }
    return (at + 7) / 8 * 8 == len ? 0 : BASE_E_CORRUPT;
}
