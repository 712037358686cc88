/* Thread lists without an owner: each different one is kept once per operator and named by a number, and where it leads with a row is remembered by what conditions
 * can see of the row (docs/engine.md, "Lean keys"). A deterministic automaton that is built as it is used, over register values too. Used by lean.c. */
#ifndef CEP_MATCH_CONFIG_H
#define CEP_MATCH_CONFIG_H

#include "cep/match/match.h"

#define MATCH_CONFIG_DEAD 0u          /* no thread is left */
#define MATCH_CONFIG_START 1u         /* the threads of a start before its first row */
#define MATCH_CONFIG_FULL UINT32_MAX  /* only the full form can tell: it met an error or a limit, or accepted while more preferred threads go on */
#define MATCH_CONFIG_ACCEPTED (UINT32_MAX - 1) /* it accepted, and no thread is left: the start's match is final */
/* Does the step lead to no list of threads that a key could keep? */
static inline bool cep_match_config_leaves(uint32_t to) { return to >= MATCH_CONFIG_ACCEPTED; }

/* What conditions can see of a row: outcomes of unary conditions, columns that others read. */
#define MATCH_SIGHT_WORDS 4
struct match_sight { uint64_t words[MATCH_SIGHT_WORDS]; uint32_t id; uint32_t pad; };
#define MATCH_SIGHT_BITS 12           /* of a sight's number */
#define MATCH_CONFIG_BITS 26          /* of a configuration's */
/* A remembered step: where a configuration leads with a sight. Both, multiplied by an odd number, make a key of 38 bits, whose upper ones say the pair of places
 * that it may stand in and whose lower ones are kept; those in between are in both, and no two keys are taken for each other. */
struct match_memo { uint32_t check, to; }; /* to: 0 free; else what it leads to, plus MATCH_MEMO_BIAS */
#define MATCH_MEMO_BIAS 3u /* DEAD, ACCEPTED and FULL are none of 0 */
#define MATCH_MEMO_KEY_BITS (MATCH_SIGHT_BITS + MATCH_CONFIG_BITS)
/* A sight by the raw columns that it comes from: unary conditions need not be judged again for a row that looks like an earlier one. */
#define MATCH_GLANCE_COLUMNS 3
#define MATCH_GLANCES 256u
struct match_glance { uint64_t words[MATCH_GLANCE_COLUMNS]; uint32_t nulls, sight; }; /* sight 0: free */
struct match_word { uint64_t word; uint64_t sight; }; /* the same of one short text, the usual case */
#define MATCH_WORD_NULL UINT64_C(255)
#define MATCH_EPOCH_LAST UINT16_MAX
struct match_configs {
    struct match_class **at;      /* by number, from 2 on; NULL: free */
    uint32_t count, cap, live;
    uint32_t free_first;          /* freed numbers are chained through free_next */
    uint32_t *free_next;
    uint32_t *table, table_cap;   /* hash -> number */
    struct match_memo *memo;      /* pairs of places */
    uint32_t memo_shift;          /* a key's, to the number of its pair */
    uint32_t memo_cap, memo_used; /* places; memo_cap 0: no_memo, which stays empty */
    struct match_memo no_memo[2];
    uint32_t *starts;             /* by sight: where MATCH_CONFIG_START leads, plus MATCH_MEMO_BIAS; 0: not remembered */
    uint32_t no_starts[1];        /* before there are sights */
    struct match_sight *sights;   /* open addressing; id 0: free */
    uint32_t sight_cap, sight_count, sight_ids; /* ids are never given twice within one epoch */
    uint16_t epoch;               /* how often sights were forgotten; at MATCH_EPOCH_LAST their numbers are not to be kept until keys have been told */
    uint32_t *columns, column_count; /* that conditions which are not unary read, and updates */
    uint32_t *bits, bit_count;       /* unary conditions */
    uint32_t read[MATCH_GLANCE_COLUMNS], read_count; /* all columns that conditions and updates read, unary ones too; more: read_count is above */
    struct match_glance *glances; /* direct-mapped; NULL: none yet */
    struct match_word *words;     /* direct-mapped; NULL: none yet, or it is not one text */
    uint32_t word_slot;           /* where its slot stands in a tuple's data */
    uint32_t judged;              /* rows, before there are any of those */
    bool forgetful;               /* conditions see something that hardly comes twice: nothing is remembered */
    uint32_t collect_at;          /* so many live ones: look for dead ones */
    uint8_t *marks;
    uint32_t life;                /* counts how often all was forgotten: numbers and sights mean something else then */
    uint32_t row_sight;           /* of the row under way; 0: none */
    const struct cep_row *row;    /* the row under way; NULL: it is row_place of the lean view, and nobody has asked for it */
    uint32_t row_place;
    bool prepared;                /* the general step sees it */
    struct match_class none;      /* without threads */
    uint32_t asked, recalled, pause; /* full form: where hardly anything comes again it is not asked for so many rows */
    struct match_key dummy;       /* stands for the key: conditions here read no other row */
};
/* Can the operator's conditions be judged without key, place and time? If so makes op->steps, with what they see. BASE_E_NOMEM. */
int cep_match_steps_init(struct match_op *op) BASE_MUST_CHECK;
void cep_match_steps_finish(struct match_op *op);
/* The row that comes next into cep_match_config_next: its sight is row_sight then. */
int cep_match_config_row(struct match_configs *configs, struct match_op *op, const struct cep_row *row) BASE_MUST_CHECK;
static inline uint64_t cep_match_memo_key(uint32_t from, uint32_t sight)
{
    return ((uint64_t)from << MATCH_SIGHT_BITS | sight) * UINT64_C(0x2545f4914f6cdd1d) & ((UINT64_C(1) << MATCH_MEMO_KEY_BITS) - 1);
}
/* What is remembered of a step over a row of that sight (0: none), not from MATCH_CONFIG_START. False: nothing. */
static inline bool cep_match_config_known(const struct match_configs *configs, uint32_t from, uint32_t sight, uint32_t *ret)
{
    uint64_t key = cep_match_memo_key(from, sight);
    const struct match_memo *memo = &configs->memo[(key >> configs->memo_shift) * 2];
    memo += memo->check != (uint32_t)key;
    *ret = memo->to - MATCH_MEMO_BIAS;
    return memo->check == (uint32_t)key && memo->to;
}
/* Is it remembered that the step leads nowhere else? */
static inline bool cep_match_config_stays(const struct match_configs *configs, uint32_t from, uint32_t sight)
{
    uint64_t key = cep_match_memo_key(from, sight), want, pair[2];
    const struct match_memo stays = { (uint32_t)key, from + MATCH_MEMO_BIAS };
    memcpy(&want, &stays, sizeof want);
    memcpy(pair, &configs->memo[(key >> configs->memo_shift) * 2], sizeof pair);
    return pair[0] == want || pair[1] == want;
}
/* Brings near what that one looks at. */
static inline void cep_match_config_expect(const struct match_configs *configs, uint32_t from, uint32_t sight)
{
    __asm__ volatile(""); /* a function that only brings memory near is left out */
    __builtin_prefetch(&configs->memo[(cep_match_memo_key(from, sight) >> configs->memo_shift) * 2]);
}
/* The same from MATCH_CONFIG_START, which stands in a table of its own. */
static inline bool cep_match_config_start_known(const struct match_configs *configs, uint32_t sight, uint32_t *ret)
{
    uint32_t to = configs->starts[sight];
    *ret = to - MATCH_MEMO_BIAS;
    return to != 0;
}
static inline struct match_word *cep_match_word_place(const struct match_configs *configs, uint64_t word)
{
    return &configs->words[word * UINT64_C(0x9e3779b97f4a7c15) >> 56 & (MATCH_GLANCES - 1)];
}
/* The text's bytes and its length in one word. False: it is too long. */
static inline bool cep_match_word_of(const struct match_configs *configs, const struct cep_tuple *tuple, uint64_t *ret)
{
    uint64_t slot = tuple->data[configs->word_slot], len = slot >> 32, bytes;
    *ret = MATCH_WORD_NULL;
    if (cep_tuple_is_null(tuple, configs->read[0]))
        return true;
    if (len > 7)
        return false;
    memcpy(&bytes, (const char *)tuple + ((uint32_t)slot + len - 8), 8); /* up to its last byte: there is a header before the first text */
    *ret = (bytes >> 1 >> (63 - 8 * len)) << 8 | len;
    return true;
}
/* The row's sight, if that is found at one glance; 0: it is not (ask cep_match_config_row). */
static inline uint32_t cep_match_config_glance(const struct match_configs *configs, const struct cep_row *row)
{
    uint64_t word;
    if (!configs->words || !cep_match_word_of(configs, &row->tuple, &word))
        return 0;
    const struct match_word *at = cep_match_word_place(configs, word);
    return at->word == word ? (uint32_t)at->sight : 0;
}
/* The same for a row of the lean view whose sight is known. */
static inline void cep_match_config_seen(struct match_configs *configs, uint32_t place, uint32_t sight)
{
    configs->row = NULL;
    configs->row_place = place;
    configs->prepared = false;
    configs->row_sight = sight;
}
/* Where the threads stand behind that row. */
int cep_match_config_next(struct match_configs *configs, struct match_op *op, uint32_t from, uint32_t *ret) BASE_MUST_CHECK;
/* Makes the row the one that the general step sees; nothing to do where it does already. */
int cep_match_config_prepare(struct match_configs *configs, struct match_op *op) BASE_MUST_CHECK;
/* Steps these threads over that row: where they lead. */
int cep_match_config_step(struct match_configs *configs, struct match_op *op, const struct match_thread *threads, uint32_t count, uint32_t *ret) BASE_MUST_CHECK;
/* The number of a class's thread list. */
int cep_match_config_of(struct match_configs *configs, const struct match_class *class, uint32_t *ret) BASE_MUST_CHECK;
/* ---- for keys in full form, whose classes are not numbered ---- */
/* Is the class's next step over the row under way remembered? NULL: no. Without threads: it dies. */
const struct match_class *cep_match_config_recall(struct match_configs *configs, const struct match_class *class);
/* Remembers it, from NULL: of a new start; to NULL: it dies. */
int cep_match_config_learn(struct match_configs *configs, const struct match_class *from, const struct match_class *to) BASE_MUST_CHECK;
/* Before a row, where no key holds numbers: dead ones go. */
int cep_match_config_tidy(struct match_configs *configs) BASE_MUST_CHECK;
/* Between rows: mark all that are in use, then sweep. False: there is no need. */
bool cep_match_configs_crowded(const struct match_configs *configs);
int cep_match_configs_unmark(struct match_configs *configs) BASE_MUST_CHECK;
static inline void cep_match_config_mark(struct match_configs *configs, uint32_t config) { configs->marks[config] = 1; }
void cep_match_configs_sweep(struct match_configs *configs);

#endif
