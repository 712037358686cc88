/* Words that differ little from those before, as few bytes: of each 8-byte word what it has other than the word at the same place of the last one, without leading zeros.
 * Rows of one stream agree in most of what they say (places, sizes, the upper bytes of times and offsets), and each byte of a journal is written several times. Used by
 * journal.c alone; says nothing of what the words mean. Native byte order. */
#ifndef SERVICE_JOURNAL_DELTA_H
#define SERVICE_JOURNAL_DELTA_H

#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

#define SERVICE_DELTA_WORDS_MOST 8192u

/* What was written or read last; zero-initialise. */
struct service_delta {
    uint64_t *words; /* owned */
    size_t count, cap;
};
void service_delta_finish(struct service_delta *last);
/* The next words are told against nothing. */
void service_delta_forget(struct service_delta *last);
/* An even number of words and then others, 1 to SERVICE_DELTA_WORDS_MOST in all. */
struct service_delta_words {
    const uint64_t *head, *rest;
    size_t head_count, rest_count;
};
/* Appends them to out: a multiple of 8 bytes; they are the last ones then. BASE_E_NOMEM; BASE_E_INVALID: the first ones are not even in number. */
int service_delta_put(struct service_delta *last, const struct service_delta_words *words, struct base_buf *out) BASE_MUST_CHECK;
/* Reads `count` words back into last->words from the bytes at hand, all of which they must take up. BASE_E_CORRUPT, BASE_E_NOMEM. */
int service_delta_take(struct service_delta *last, size_t count, const char *bytes, size_t len) BASE_MUST_CHECK;

#endif
