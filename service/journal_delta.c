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

/* Bytes of a word without its leading zeros. */
static inline unsigned length_of(uint64_t word)
{
    return (71u - (unsigned)__builtin_clzll(word | 1)) / 8u - (word == 0);
}

/* Words told against `last`, which they become, two at a time: what differs to `at`, of which the place behind is returned, and a byte with both lengths. What stands behind a word's
 * bytes is written over by the next. */
static char *put_words(const uint64_t *words, size_t count, uint64_t *last, char *lengths, char *at)
{
    for (size_t i = 0; i + 1 < count; i += 2) {
        uint64_t a = words[i] ^ last[i], b = words[i + 1] ^ last[i + 1];
        unsigned of_a = length_of(a), of_b = length_of(b);
        last[i] = words[i];
        last[i + 1] = words[i + 1];
        lengths[i / 2] = (char)(of_a | of_b << 4);
        memcpy(at, &a, sizeof a);
        at += of_a;
        memcpy(at, &b, sizeof b);
        at += of_b;
    }
    if (count % 2) {
        uint64_t a = words[count - 1] ^ last[count - 1];
        last[count - 1] = words[count - 1];
        lengths[count / 2] = (char)length_of(a);
        memcpy(at, &a, sizeof a);
        at += length_of(a);
    }
    return at;
}

/* Lengths of the words, four bits each, then their bytes. */
int service_delta_put(struct service_delta *last, const struct service_delta_words *words, struct base_buf *out)
{
    size_t head = words->head_count, count = head + words->rest_count;
    size_t lengths = (count + 1) / 2, most = lengths + count * 8 + 16;
    if (head % 2)
        return BASE_E_INVALID;
    if (!make_room(last, count) || !base_buf_reserve(out, most))
        return BASE_E_NOMEM;
    char *start = out->ptr + out->len;
    char *at = put_words(words->head, head, last->words, start, start + lengths);
    at = put_words(words->rest, words->rest_count, last->words + head, start + head / 2, at);
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
