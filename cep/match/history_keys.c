/* Rows of a history put together by key: keys numbered by a table of one word each, then one pass that lays the rows down. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "cep/match/history.h"

#define TABLE_LEAST (UINT32_C(1) << 12)
#define AHEAD 16u            /* rows whose words are made, and whose slots are brought near, before the first of them is looked up */
#define NEAR_ROWS 24u        /* so many rows before its turn, where a row goes is brought near */
#define WORD_HASHED UINT64_C(0xff) /* low byte of a word that is a hash: equal words need not be equal keys */
#define WORD_NULL UINT64_C(0xfe)

/* A key: its word and number, and the first row that has it. first + 1; 0: free. */
struct slot { uint64_t word; uint32_t first, number; };
struct part {
    const struct match_history *history;
    struct cep_columns *columns;
    struct slot *table;
    uint32_t cap, shift;
    uint32_t *numbers;   /* of each row's key; CEP_NONE: it is left out */
    uint32_t *counts;    /* of each key's rows; there is room for as many keys as the table takes */
    uint32_t count;
    bool exact;          /* equal words are equal keys, but for WORD_HASHED */
};

/* ---- words ---- */

static uint64_t hash_key(const struct part *part, uint32_t row)
{
    const struct cep_columns *columns = part->columns;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < part->history->key_count; i++) {
        uint32_t column = part->history->key_columns[i];
        int64_t slot = cep_columns_slot(columns, column, row);
        if (cep_columns_is_null(columns, column, row)) {
            hash = base_hash64("", 0, hash + 1);
        } else if (cep_columns_in_text(columns->at[column].type)) {
            struct base_str text = cep_columns_text(columns, slot);
            hash = base_hash64(text.ptr, text.len, hash);
        } else {
            hash = base_hash64(&slot, sizeof slot, hash);
        }
    }
    return hash | WORD_HASHED;
}

static inline uint64_t text_word(const struct part *part, uint32_t column, uint32_t row)
{
    if (cep_columns_is_null(part->columns, column, row))
        return WORD_NULL;
    uint64_t word;
    return cep_columns_brief(part->columns, part->columns->at[column].wide[row], &word) ? word : hash_key(part, row);
}

/* One column says its word, several are hashed. */
static void make_words(const struct part *part, uint32_t from, uint32_t count, uint64_t *words)
{
    const struct match_history *history = part->history;
    uint32_t column = history->key_count == 1 ? history->key_columns[0] : CEP_NONE;
    if (column == CEP_NONE) {
        for (uint32_t i = 0; i < count; i++)
            words[i] = hash_key(part, from + i);
    } else if (cep_kind_is_text(part->columns->at[column].type.kind)) {
        for (uint32_t i = 0; i < count; i++)
            words[i] = text_word(part, column, from + i);
    } else if (part->exact) {
        for (uint32_t i = 0; i < count; i++)
            words[i] = (uint64_t)cep_columns_slot(part->columns, column, from + i);
    } else {
        for (uint32_t i = 0; i < count; i++)
            words[i] = hash_key(part, from + i);
    }
}

static bool same_key(const struct part *part, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < part->history->key_count; i++)
        if (!cep_columns_same(part->columns, part->history->key_columns[i], a, b))
            return false;
    return true;
}

/* ---- numbers ---- */

static inline uint32_t home(const struct part *part, uint64_t word) { return (uint32_t)(word * UINT64_C(0x9e3779b97f4a7c15) >> part->shift); }

static int grow(struct part *part)
{
    uint32_t cap = part->cap ? part->cap * 4 : TABLE_LEAST;
    struct part grown = *part;
    grown.table = base_calloc(cap, sizeof *grown.table);
    grown.counts = base_calloc((size_t)cap / 2 + 1, sizeof *grown.counts);
    grown.cap = cap;
    grown.shift = 64 - (uint32_t)__builtin_ctz(cap);
    if (!grown.table || !grown.counts) {
        base_free(grown.table);
        base_free(grown.counts);
        return BASE_E_NOMEM;
    }
    for (uint32_t i = 0; i < part->cap; i++) {
        if (!part->table[i].first)
            continue;
        uint32_t at = home(&grown, part->table[i].word);
        while (grown.table[at].first)
            at = (at + 1) & (cap - 1);
        grown.table[at] = part->table[i];
    }
    if (part->count)
        memcpy(grown.counts, part->counts, part->count * sizeof *grown.counts);
    base_free(part->table);
    base_free(part->counts);
    *part = grown;
    return 0;
}

static inline uint32_t number_of(struct part *part, uint64_t word, uint32_t row)
{
    bool verify = !part->exact || (word & WORD_HASHED) == WORD_HASHED;
    uint32_t at = home(part, word);
    for (;; at = (at + 1) & (part->cap - 1)) {
        struct slot *slot = &part->table[at];
        if (!slot->first) {
            *slot = (struct slot){ word, row + 1, part->count };
            return part->count++;
        }
        if (slot->word == word && (BASE_LIKELY(!verify) || same_key(part, slot->first - 1, row)))
            return slot->number;
    }
}

/* Words of the rows from `from` on, their slots brought near. */
static void bring_words(const struct part *part, uint32_t from, uint64_t *words)
{
    uint32_t rows = part->columns->rows, n = from < rows ? rows - from < AHEAD ? rows - from : AHEAD : 0;
    make_words(part, from, n, words);
    for (uint32_t i = 0; i < n; i++)
        __builtin_prefetch(&part->table[home(part, words[i])]);
}

static int number_rows(struct part *part)
{
    const uint8_t *left_out = part->history->left_out;
    uint32_t rows = part->columns->rows;
    uint64_t words[2][AHEAD], *now = words[0], *next = words[1];
    bring_words(part, 0, now);
    for (uint32_t from = 0; from < rows; from += AHEAD) {
        uint32_t n = rows - from < AHEAD ? rows - from : AHEAD;
        if (part->count + AHEAD > part->cap / 2 && grow(part))
            return BASE_E_NOMEM;
        bring_words(part, from + AHEAD, next); /* which come near while these are looked up */
        for (uint32_t i = 0; i < n; i++)
            part->numbers[from + i] = left_out && left_out[from + i] ? CEP_NONE : number_of(part, now[i], from + i);
        uint64_t *was = now;
        now = next;
        next = was;
    }
    for (uint32_t row = 0; row < rows; row++) /* apart, so that no count waits for a look-up */
        if (part->numbers[row] != CEP_NONE)
            part->counts[part->numbers[row]]++;
    return 0;
}

/* ---- laying down ---- */

static void lay_rows(const struct part *part, const uint16_t *sights, struct match_history_keys *ret)
{
    const struct match_history *history = part->history;
    uint32_t at = 0, mark = 0;
    for (uint32_t k = 0; k < part->count; k++) { /* first where each key's rows begin; laying them down moves it to their end */
        ret->ends[k] = at;
        at += part->counts[k];
    }
    for (uint32_t row = 0; row < part->columns->rows; row++) {
        if (row + NEAR_ROWS < part->columns->rows && part->numbers[row + NEAR_ROWS] != CEP_NONE)
            __builtin_prefetch(&ret->rows[ret->ends[part->numbers[row + NEAR_ROWS]]], 1);
        while (mark < history->mark_count && history->marks[mark].end <= row)
            mark++;
        if (part->numbers[row] == CEP_NONE)
            continue;
        ret->rows[ret->ends[part->numbers[row]]++] = (struct match_history_row){ part->columns->times[row], row, sights[row], (uint16_t)mark };
    }
}

int cep_match_history_part(const struct match_history *history, const uint16_t *sights, struct match_aside *aside, struct match_history_keys *ret)
{
    struct part part = { .history = history, .columns = history->columns };
    uint32_t rows = history->columns->rows;
    const struct cep_column_data *only = history->key_count == 1 ? &history->columns->at[history->key_columns[0]] : NULL;
    part.exact = history->key_count == 0 || (only && (cep_kind_is_text(only->type.kind) || (!only->nulls && !cep_columns_in_text(only->type))));
    part.numbers = base_alloc_walked(((size_t)rows + 1) * sizeof *part.numbers);
    ret->rows = base_alloc_walked(((size_t)rows + MATCH_HISTORY_BEHIND) * sizeof *ret->rows);
    int rc = part.numbers && ret->rows ? grow(&part) : BASE_E_NOMEM;
    if (!rc)
        rc = number_rows(&part);
    if (!rc) {
        ret->ends = base_alloc(((size_t)part.count + 1) * sizeof *ret->ends);
        rc = ret->ends ? 0 : BASE_E_NOMEM;
    }
    if (!rc) {
        lay_rows(&part, sights, ret);
        memset(ret->rows + (part.count ? ret->ends[part.count - 1] : 0), 0, MATCH_HISTORY_BEHIND * sizeof *ret->rows);
        ret->count = part.count;
    }
    cep_match_aside_give(aside, part.counts, (size_t)part.cap / 2 * sizeof *part.counts);
    cep_match_aside_give(aside, part.table, (size_t)part.cap * sizeof *part.table);
    cep_match_aside_give(aside, part.numbers, (size_t)rows * sizeof *part.numbers);
    return rc;
}

void cep_match_history_keys_finish(struct match_history_keys *keys)
{
    base_free(keys->rows);
    base_free(keys->ends);
    *keys = (struct match_history_keys){ 0 };
}
