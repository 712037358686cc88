/* What conditions can see of each row of a history, found without making rows: rows whose columns say the same look the same. */
#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/history.h"
#include "cep/match/lean.h"

#define GLANCES 1024u       /* and some more, so that each has a few places to stand in */
#define GLANCE_TRIES 8u

/* A sight by the raw columns that it comes from; sight 0: free. */
struct glance { uint64_t words[MATCH_GLANCE_COLUMNS]; uint32_t nulls; uint16_t sight; };
/* The same of one short text, the usual case. */
struct word { uint64_t word, sight; };
struct looking {
    struct match_op *op;
    struct cep_columns *columns;
    struct base_arena *arena;
    uint32_t epoch;           /* of the steps, when it began */
    uint32_t misses, unknown; /* rows that were looked at; those of which no glance can say anything */
    uint32_t most;            /* so many of either are too many */
};

static bool goes_on(const struct looking *l) { return l->op->steps->epoch == l->epoch && l->misses < l->most && l->unknown < l->most; }

static int look_at(struct looking *l, uint32_t row, uint16_t *ret)
{
    struct cep_row *made;
    base_arena_reset(l->arena);
    int rc = cep_columns_row(l->columns, row, l->arena, &made);
    if (!rc)
        rc = cep_match_config_row(l->op->steps, l->op, made);
    *ret = rc ? 0 : cep_match_lean_sight(l->op, l->op->steps->row_sight);
    l->misses++;
    return rc;
}

/* ---- one text ---- */

/* Its place, or the one that it may take. */
static struct word *place_of_word(struct word *words, uint64_t word)
{
    struct word *at = &words[word * UINT64_C(0x9e3779b97f4a7c15) >> 48 & (GLANCES - 1)];
    for (uint32_t i = 0; i < GLANCE_TRIES; i++)
        if (!at[i].sight || at[i].word == word)
            return &at[i];
    return at;
}

static int note_words(struct looking *l, uint16_t *sights)
{
    const struct cep_column_data *data = &l->columns->at[l->op->steps->read[0]];
    struct word *words = base_calloc(GLANCES + GLANCE_TRIES, sizeof *words);
    int rc = words ? 0 : BASE_E_NOMEM;
    for (uint32_t row = 0; row < l->columns->rows && !rc; row++) {
        uint64_t word = MATCH_WORD_NULL;
        if (!(data->nulls && data->nulls[row]) && !cep_columns_brief(l->columns, data->wide[row], &word)) {
            sights[row] = 0;
            l->unknown++;
            if (!goes_on(l))
                break;
            continue;
        }
        struct word *at = place_of_word(words, word);
        sights[row] = (uint16_t)at->sight;
        if (BASE_LIKELY(at->sight && at->word == word))
            continue;
        rc = look_at(l, row, &sights[row]);
        *at = (struct word){ word, sights[row] };
        if (!goes_on(l))
            break;
    }
    base_free(words);
    return rc;
}

/* ---- any columns ---- */

static bool pack_glance(const struct looking *l, uint32_t row, struct glance *ret)
{
    const struct match_configs *configs = l->op->steps;
    const struct cep_columns *columns = l->columns;
    *ret = (struct glance){ .sight = 0 };
    for (uint32_t i = 0; i < configs->read_count; i++) {
        uint32_t column = configs->read[i];
        if (cep_columns_is_null(columns, column, row)) {
            ret->nulls |= 1u << i;
            continue;
        }
        int64_t slot = cep_columns_slot(columns, column, row);
        if (!cep_columns_in_text(columns->at[column].type)) {
            ret->words[i] = (uint64_t)slot;
            continue;
        }
        if (!cep_columns_brief(columns, slot, &ret->words[i]))
            return false;
    }
    return true;
}

static bool same_glance(const struct glance *a, const struct glance *b)
{
    return ((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]) | (a->words[2] ^ b->words[2]) | (uint64_t)(a->nulls ^ b->nulls)) == 0;
}

/* Its place, or the one that it may take. */
static struct glance *place_of(struct glance *glances, const struct glance *glance)
{
    uint64_t hash = glance->words[0] * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= (glance->words[1] + glance->nulls) * UINT64_C(0xbf58476d1ce4e5b9) ^ glance->words[2] * UINT64_C(0x94d049bb133111eb);
    struct glance *at = &glances[hash >> 48 & (GLANCES - 1)];
    for (uint32_t i = 0; i < GLANCE_TRIES; i++)
        if (!at[i].sight || same_glance(&at[i], glance))
            return &at[i];
    return at;
}

static int note_glances(struct looking *l, uint16_t *sights)
{
    struct glance *glances = base_calloc(GLANCES + GLANCE_TRIES, sizeof *glances), glance;
    int rc = glances ? 0 : BASE_E_NOMEM;
    for (uint32_t row = 0; row < l->columns->rows && !rc && goes_on(l); row++) {
        if (!pack_glance(l, row, &glance)) {
            sights[row] = 0;
            l->unknown++;
            continue;
        }
        struct glance *at = place_of(glances, &glance);
        if (BASE_UNLIKELY(!at->sight || !same_glance(at, &glance))) {
            rc = look_at(l, row, &glance.sight);
            *at = glance;
        }
        sights[row] = at->sight;
    }
    base_free(glances);
    return rc;
}

int cep_match_history_sights(struct match_op *op, struct cep_columns *columns, struct base_arena *arena, uint16_t *sights)
{
    const struct match_configs *configs = op->steps;
    struct looking l = { .op = op, .columns = columns, .arena = arena, .epoch = configs->epoch, .most = columns->rows / 8 + GLANCES };
    if (configs->forgetful || configs->read_count > MATCH_GLANCE_COLUMNS)
        return BASE_E_UNSUPPORTED;
    bool text = configs->read_count == 1 && cep_kind_is_text(columns->at[configs->read[0]].type.kind);
    int rc = text ? note_words(&l, sights) : note_glances(&l, sights);
    return rc ? rc : goes_on(&l) ? 0 : BASE_E_UNSUPPORTED;
}
