/* Keys that are columns as they stand, which nearly all are: made from the row without running code. Used by cep/flow.c. Any thread. */
#ifndef CEP_PLAIN_KEY_H
#define CEP_PLAIN_KEY_H

#include <stdint.h>
#include "base/attr.h"
#include "cep/program.h"
#include "cep/row.h"

#define CEP_PLAIN_KEY_MOST 8
enum cep_plain_brief { CEP_PLAIN_LONG = 0, CEP_PLAIN_SLOT, CEP_PLAIN_TEXT, CEP_PLAIN_NONE }; /* one column that is its slot, or that has bytes behind it; no column */
struct cep_plain_key {
    uint32_t count; /* 0: not plain, or no column */
    enum cep_plain_brief brief;
    uint32_t null_words; /* of the input row: its slots come behind them */
    uint32_t columns[CEP_PLAIN_KEY_MOST];
    struct cep_type types[CEP_PLAIN_KEY_MOST];
};

/* Are all key codes of the node plain columns of its input row? */
void cep_plain_key_init(struct cep_plain_key *key, const struct cep_program *program, struct cep_list codes, uint32_t row_columns);
/* Bytes of the key's tuple; 0: too many. */
size_t cep_plain_key_size(const struct cep_plain_key *key, const struct cep_tuple *row);
/* Writes it at `at`, 8-byte aligned, so many bytes. The same bytes as cep_tuple_write gives. */
void cep_plain_key_write(const struct cep_plain_key *key, const struct cep_tuple *row, struct cep_tuple *at, size_t bytes);

/* Can it be made without running code? */
static inline bool cep_plain_key_any(const struct cep_plain_key *key) { return key->count || key->brief == CEP_PLAIN_NONE; }
/* Room for the tuple of a key of one column with at most 16 bytes. */
#define CEP_PLAIN_BRIEF_WORDS 5
/* Writes it there, a few words instead of calls that copy bytes. False: it is not such a key. */
static inline bool cep_plain_key_brief(const struct cep_plain_key *key, const struct cep_tuple *row, uint64_t *room)
{
    if (BASE_UNLIKELY(key->brief == CEP_PLAIN_NONE)) { /* all rows have this one */
        struct cep_tuple none = { .size_bytes = sizeof none };
        memcpy(room, &none, sizeof none);
        return true;
    }
    if (BASE_UNLIKELY(key->brief == CEP_PLAIN_LONG))
        return false;
    uint32_t words = 3, column = key->columns[0];
    uint64_t slot = row->data[key->null_words + column], len = slot >> 32, null = row->data[column / 64] >> (column % 64) & 1;
    if (key->brief == CEP_PLAIN_TEXT) {
        const char *end = (const char *)row + (uint32_t)slot + len;
        if (BASE_UNLIKELY(len > 16))
            return false;
        slot = null ? 0 : 3 * 8 | len << 32;
        if (BASE_LIKELY(len)) {
            uint64_t last; /* in front of a text stands at least the row's header: eight bytes back from its end are the row's */
            memcpy(&last, end - 8, 8);
            if (len > 8)
                memcpy(&room[words++], end - len, 8);
            room[words++] = last >> (-len * 8 & 63);
        }
    }
    room[0] = UINT64_C(1) << 32 | words * 8; /* one column, so many bytes: brief keys are made on little-endian machines alone */
    room[1] = null;
    room[2] = slot;
    return true;
}

#endif
