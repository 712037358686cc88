#include "cep/match/config.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "cep/match/class.h"
#include "cep/match/edges.h"
#include "cep/match/lean.h"

#define SIGHTS_LEAST 16u      /* slots, half of them used at most */
#define SIGHTS_MOST 4096u
#define MEMO_LEAST 128u       /* places, two for each pair */
#define GLANCES_FROM 64       /* rows judged before looks of rows are kept: of a thousand rules most see few */
#define MEMO_MOST (1u << 18)
#define COLLECT_LEAST (1u << 14)
#define CONFIGS_MOST (1u << MATCH_CONFIG_BITS)

_Static_assert(SIGHTS_MOST / 2 < 1u << MATCH_SIGHT_BITS, "a sight's number fits");
_Static_assert(MATCH_MEMO_KEY_BITS <= 32 + 6, "of a key's bits those that are not kept say the place"); /* MEMO_LEAST / 2 pairs: 6 bits */

/* ---- what conditions see ---- */

static int note(uint32_t *list, uint32_t *count, uint32_t what)
{
    for (uint32_t i = 0; i < *count; i++)
        if (list[i] == what)
            return 0;
    list[(*count)++] = what;
    return 0;
}

static void note_read(struct match_configs *configs, uint32_t column)
{
    for (uint32_t i = 0; i < configs->read_count && i < MATCH_GLANCE_COLUMNS; i++)
        if (configs->read[i] == column)
            return;
    if (configs->read_count < MATCH_GLANCE_COLUMNS)
        configs->read[configs->read_count] = column;
    configs->read_count += configs->read_count <= MATCH_GLANCE_COLUMNS;
}

/* Columns that the code reads; false: it reads what belongs to key or place. */
static bool look_at_code(struct match_configs *configs, const struct match_op *op, uint32_t code)
{
    const struct cep_code *c = cep_program_code(op->program, code);
    if (c->flags & (CEP_CODE_LABEL | CEP_CODE_NAV | CEP_CODE_NUMBER | CEP_CODE_VOLATILE))
        return false;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct cep_insn *insn = cep_program_insn(op->program, c->first + i);
        if (insn->op == CEP_OP_NAV || insn->op == CEP_OP_LABEL || insn->op == CEP_OP_FINAL || insn->op == CEP_OP_MATCH_NUMBER || insn->op == CEP_OP_ROW_NUMBER ||
            insn->op == CEP_OP_START_TIME || insn->op == CEP_OP_PROC_TIME || insn->op == CEP_OP_NOW)
            return false;
        if (insn->op == CEP_OP_COLUMN) {
            note(configs->columns, &configs->column_count, insn->c);
            note_read(configs, insn->c);
        }
        configs->forgetful |= insn->op == CEP_OP_ROW_TIME;
    }
    return true;
}

static int look_over(struct match_configs *configs, const struct match_op *op, bool *ret_possible)
{
    bool possible = true;
    *configs = (struct match_configs){ .collect_at = COLLECT_LEAST, .count = 2, .epoch = 1, .memo_shift = MATCH_MEMO_KEY_BITS };
    configs->memo = configs->no_memo;
    configs->starts = configs->no_starts;
    configs->columns = base_calloc((size_t)op->columns + 1, sizeof *configs->columns);
    configs->bits = base_calloc((size_t)op->m->preds.count + 1, sizeof *configs->bits);
    if (!configs->columns || !configs->bits)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < op->m->preds.count && possible; i++) {
        const struct cep_pred *pred = &op->preds[i];
        if (pred->code == CEP_NONE)
            continue;
        uint32_t columns = configs->column_count;
        possible = look_at_code(configs, op, pred->code);
        if (pred->unary) {
            configs->column_count = columns; /* its outcome is all that is seen */
            note(configs->bits, &configs->bit_count, i);
        }
    }
    for (uint32_t i = 0; i < op->m->vars.count && possible; i++)
        possible = op->vars[i].live_update == CEP_NONE || look_at_code(configs, op, op->vars[i].live_update);
    *ret_possible = possible;
    return 0;
}

int cep_match_steps_init(struct match_op *op)
{
    const struct cep_match *m = op->m;
    bool possible = !m->all_matches && !m->lookahead && !m->lookback && !op->sequential && !op->has_absence && !op->has_for_absence && !op->has_lookahead &&
                    !op->has_start_anchor;
    if (!possible)
        return 0;
    op->steps = base_calloc(1, sizeof *op->steps);
    int rc = op->steps ? look_over(op->steps, op, &possible) : BASE_E_NOMEM;
    if (rc || !possible)
        cep_match_steps_finish(op);
    return rc;
}

static void finish(struct match_configs *configs)
{
    for (uint32_t i = 2; i < configs->count && configs->at; i++)
        base_free(configs->at[i]);
    base_free(configs->at);
    base_free(configs->free_next);
    base_free(configs->table);
    base_free(configs->memo_cap ? configs->memo : NULL);
    base_free(configs->sights);
    base_free(configs->sight_cap ? configs->starts : NULL);
    base_free(configs->glances);
    base_free(configs->words);
    base_free(configs->columns);
    base_free(configs->bits);
    base_free(configs->marks);
    *configs = (struct match_configs){ 0 };
}

void cep_match_steps_finish(struct match_op *op)
{
    if (op->steps)
        finish(op->steps);
    base_free(op->steps);
    op->steps = NULL;
}

/* Outcomes and columns, packed so that different ones differ: one byte says NULL, number or the length of a text. False: too long. */
static bool pack_sight(const struct match_configs *configs, const struct match_op *op, const struct cep_row *row, uint64_t words[MATCH_SIGHT_WORDS])
{
    if (configs->bit_count == 0 && configs->column_count == 1 && cep_kind_is_text(op->types[configs->columns[0]].kind)) {
        /* one short text, the usual case: its bytes and its length in one word */
        struct cep_value value = cep_tuple_get(&row->tuple, configs->columns[0], op->types[configs->columns[0]]);
        if (value.null || value.s.len < 8) {
            memset(words, 0, MATCH_SIGHT_WORDS * sizeof *words);
            words[0] = value.null ? 255 : value.s.len;
            for (uint64_t i = 0; !value.null && i < value.s.len; i++)
                words[0] |= (uint64_t)(unsigned char)value.s.ptr[i] << (8 + 8 * i);
            return true;
        }
    }
    unsigned char bytes[MATCH_SIGHT_WORDS * 8] = { 0 };
    size_t at = (configs->bit_count + 7) / 8;
    if (at > sizeof bytes)
        return false;
    for (uint32_t i = 0; i < configs->bit_count; i++)
        bytes[i / 8] |= (unsigned char)((op->unary[configs->bits[i]] == 2) << i % 8);
    for (uint32_t i = 0; i < configs->column_count; i++) {
        uint32_t column = configs->columns[i];
        struct cep_value value = cep_tuple_get(&row->tuple, column, op->types[column]);
        bool text = cep_kind_is_text(op->types[column].kind), wide = op->types[column].kind == CEP_KIND_DECIMAL;
        size_t len = value.null ? 0 : text ? value.s.len : wide ? 16 : 8;
        if (at + 1 + len > sizeof bytes)
            return false;
        bytes[at++] = value.null ? 255 : (unsigned char)len;
        if (len)
            memcpy(bytes + at, text ? (const void *)value.s.ptr : (const void *)&value, len);
        at += len;
    }
    memcpy(words, bytes, sizeof bytes);
    return true;
}

static void forget_steps(struct match_configs *configs)
{
    if (configs->memo_cap)
        memset(configs->memo, 0, configs->memo_cap * sizeof *configs->memo);
    memset(configs->starts, 0, (configs->sight_cap ? configs->sight_cap : 1) * sizeof *configs->starts);
    configs->memo_used = 0;
    configs->life++;
}

/* Their numbers are given anew. */
static void forget_sights(struct match_configs *configs)
{
    memset(configs->sights, 0, configs->sight_cap * sizeof *configs->sights);
    if (configs->glances)
        memset(configs->glances, 0, MATCH_GLANCES * sizeof *configs->glances);
    if (configs->words)
        memset(configs->words, 0, MATCH_GLANCES * sizeof *configs->words);
    configs->sight_count = configs->sight_ids = 0;
    configs->epoch += configs->epoch < MATCH_EPOCH_LAST;
    forget_steps(configs);
}

static uint32_t sight_slot(const struct match_configs *configs, const uint64_t words[MATCH_SIGHT_WORDS])
{
    uint64_t hash = words[0];
    for (int i = 1; i < MATCH_SIGHT_WORDS; i++)
        hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15) + words[i];
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    uint32_t at = (uint32_t)(hash >> 40) & (configs->sight_cap - 1);
    while (configs->sights[at].id && memcmp(configs->sights[at].words, words, sizeof configs->sights[at].words) != 0)
        at = (at + 1) & (configs->sight_cap - 1);
    return at;
}

/* Makes room for one more: a larger table, or, where that is at its largest, an empty one. */
static int room_for_sight(struct match_configs *configs)
{
    if (configs->sight_count < configs->sight_cap / 2)
        return 0;
    if (configs->sight_cap == SIGHTS_MOST) {
        forget_sights(configs);
        return 0;
    }
    struct match_sight *old = configs->sights;
    uint32_t had = configs->sight_cap, cap = had ? had * 4 : SIGHTS_LEAST;
    struct match_sight *sights = base_calloc(cap, sizeof *sights);
    uint32_t *starts = sights ? base_calloc(cap, sizeof *starts) : NULL;
    if (!starts) {
        base_free(sights);
        return BASE_E_NOMEM;
    }
    memcpy(starts, configs->starts, had * sizeof *starts);
    base_free(had ? configs->starts : NULL);
    configs->starts = starts;
    configs->sights = sights;
    configs->sight_cap = cap;
    for (uint32_t i = 0; i < had; i++)
        if (old[i].id)
            configs->sights[sight_slot(configs, old[i].words)] = old[i];
    base_free(old);
    return 0;
}

static int find_sight(struct match_configs *configs, const uint64_t words[MATCH_SIGHT_WORDS], uint32_t *ret)
{
    int rc = room_for_sight(configs);
    if (rc)
        return rc;
    struct match_sight *sight = &configs->sights[sight_slot(configs, words)];
    if (!sight->id) {
        memcpy(sight->words, words, sizeof sight->words);
        sight->id = ++configs->sight_ids;
        configs->sight_count++;
    }
    *ret = sight->id;
    return 0;
}

static int judge_unary(struct match_configs *configs, struct match_op *op)
{
    for (uint32_t i = 0; i < configs->bit_count; i++) {
        uint32_t pred = configs->bits[i];
        bool holds;
        uint8_t known = cep_match_known_unary(op, pred);
        if (known) {
            op->unary[pred] = known;
            continue;
        }
        int rc = cep_expr_test(op->expr, op->preds[pred].code, &op->frame, &holds);
        if (rc == BASE_E_NOMEM)
            return rc;
        if (rc) {
            configs->row_sight = 0; /* the step meets the error again */
            return 0;
        }
        cep_match_note_unary(op, pred, holds);
    }
    return 0;
}

/* Makes the row the one that the general step sees. */
static void prepare(struct match_configs *configs, struct match_op *op, const struct cep_row *row)
{
    op->key = &configs->dummy;
    op->seq = 2; /* any but the first: anchors are not for lean keys */
    op->row = row;
    op->mode = MATCH_STEP_ROW;
    op->frame.row = &row->tuple;
    op->frame.row_time_ms = row->time_ms;
    op->unpacked = NULL;
    base_arena_reset(&op->arena);
    cep_match_forget_unary(op);
    configs->prepared = true;
}

static int judge_row(struct match_configs *configs, struct match_op *op, const struct cep_row *row)
{
    uint64_t words[MATCH_SIGHT_WORDS];
    prepare(configs, op, row);
    configs->row_sight = 1;
    int rc = judge_unary(configs, op);
    if (rc || !configs->row_sight)
        return rc;
    configs->row_sight = 0;
    return configs->forgetful || !pack_sight(configs, op, row, words) ? 0 : find_sight(configs, words, &configs->row_sight);
}

/* The raw columns, one word each. False: a text is too long for that. */
static bool pack_glance(const struct match_configs *configs, const struct match_op *op, const struct cep_row *row, struct match_glance *ret)
{
    *ret = (struct match_glance){ .nulls = 0 };
    for (uint32_t i = 0; i < configs->read_count; i++) {
        uint32_t column = configs->read[i], kind = op->types[column].kind;
        uint64_t slot = cep_tuple_slot(&row->tuple, column);
        if (cep_tuple_is_null(&row->tuple, column)) {
            ret->nulls |= 1u << i;
        } else if (cep_kind_is_text((uint8_t)kind)) {
            const char *text = (const char *)&row->tuple + (uint32_t)slot;
            uint64_t len = slot >> 32;
            if (len > 7)
                return false;
            uint64_t bytes = 0;
            if (BASE_LIKELY((uint32_t)slot + 8 <= row->tuple.size_bytes))
                memcpy(&bytes, text, 8);
            else
                memcpy(&bytes, text, len);
            ret->words[i] = (bytes & ((UINT64_C(1) << 8 * len) - 1)) << 8 | len;
        } else if (kind == CEP_KIND_DECIMAL && op->types[column].precision > 18) {
            return false;
        } else {
            ret->words[i] = slot;
        }
    }
    return true;
}

static struct match_glance *find_glance(const struct match_configs *configs, const struct match_glance *glance)
{
    uint64_t hash = glance->words[0] * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= (glance->words[1] + glance->nulls) * UINT64_C(0xbf58476d1ce4e5b9) ^ glance->words[2] * UINT64_C(0x94d049bb133111eb);
    return &configs->glances[hash >> 48 & (MATCH_GLANCES - 1)];
}

static bool same_glance(const struct match_glance *a, const struct match_glance *b)
{
    return ((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]) | (a->words[2] ^ b->words[2]) | (uint64_t)(a->nulls ^ b->nulls)) == 0;
}

static int make_glances(struct match_configs *configs, const struct match_op *op)
{
    if (configs->read_count == 1 && cep_kind_is_text(op->types[configs->read[0]].kind)) {
        configs->word_slot = cep_tuple_null_words(op->columns) + configs->read[0];
        configs->words = base_calloc(MATCH_GLANCES, sizeof *configs->words);
        return configs->words ? 0 : BASE_E_NOMEM;
    }
    configs->glances = base_calloc(MATCH_GLANCES, sizeof *configs->glances);
    return configs->glances ? 0 : BASE_E_NOMEM;
}

static int word_row(struct match_configs *configs, struct match_op *op, const struct cep_row *row)
{
    uint64_t word;
    configs->row_sight = cep_match_config_glance(configs, row);
    if (configs->row_sight)
        return 0;
    int rc = judge_row(configs, op, row);
    if (!rc && configs->row_sight && cep_match_word_of(configs, &row->tuple, &word))
        *cep_match_word_place(configs, word) = (struct match_word){ word, configs->row_sight };
    return rc;
}

static int glance_row(struct match_configs *configs, struct match_op *op, const struct cep_row *row)
{
    struct match_glance glance, *at = NULL;
    if (configs->glances && pack_glance(configs, op, row, &glance)) {
        at = find_glance(configs, &glance);
        configs->row_sight = at->sight;
        if (BASE_LIKELY(at->sight && same_glance(at, &glance)))
            return 0;
    }
    int rc = judge_row(configs, op, row);
    if (!rc && at && configs->row_sight) {
        *at = glance;
        at->sight = configs->row_sight;
    }
    return rc;
}

int cep_match_config_row(struct match_configs *configs, struct match_op *op, const struct cep_row *row)
{
    configs->row = row;
    configs->prepared = false;
    if (!configs->glances && !configs->words && configs->read_count <= MATCH_GLANCE_COLUMNS && !configs->forgetful && configs->judged++ >= GLANCES_FROM) {
        int rc = make_glances(configs, op);
        if (rc)
            return rc;
    }
    return configs->words ? word_row(configs, op, row) : glance_row(configs, op, row);
}

/* ---- numbers ---- */

static int grow_table(struct match_configs *configs)
{
    uint32_t cap = configs->table_cap ? configs->table_cap * 2 : 16;
    uint32_t *table = base_calloc(cap, sizeof *table);
    if (!table)
        return BASE_E_NOMEM;
    for (uint32_t i = 2; i < configs->count; i++) {
        if (!configs->at[i])
            continue;
        uint32_t at = (uint32_t)configs->at[i]->hash & (cap - 1);
        while (table[at])
            at = (at + 1) & (cap - 1);
        table[at] = i;
    }
    base_free(configs->table);
    configs->table = table;
    configs->table_cap = cap;
    return 0;
}

static int grow_numbers(struct match_configs *configs)
{
    uint32_t cap = configs->cap ? configs->cap * 2 : 16;
    if (cap > CONFIGS_MOST)
        return BASE_E_LIMIT;
    struct match_class **at = base_realloc(configs->at, cap * sizeof *at);
    if (!at)
        return BASE_E_NOMEM;
    configs->at = at;
    uint32_t *next = base_realloc(configs->free_next, cap * sizeof *next);
    if (!next)
        return BASE_E_NOMEM;
    configs->free_next = next;
    memset(configs->at + configs->cap, 0, (cap - configs->cap) * sizeof *at);
    configs->cap = cap;
    return 0;
}

int cep_match_config_of(struct match_configs *configs, const struct match_class *class, uint32_t *ret)
{
    if (2 * (configs->live + 1) > configs->table_cap) {
        int rc = grow_table(configs);
        if (rc)
            return rc;
    }
    uint32_t at = (uint32_t)class->hash & (configs->table_cap - 1);
    for (; configs->table[at]; at = (at + 1) & (configs->table_cap - 1)) {
        const struct match_class *other = configs->at[configs->table[at]];
        if (other->hash == class->hash && other->bytes == class->bytes && memcmp(other + 1, class + 1, class->bytes - sizeof *class) == 0) {
            *ret = configs->table[at];
            return 0;
        }
    }
    uint32_t number = configs->free_first;
    if (!number && configs->count >= configs->cap) {
        int rc = grow_numbers(configs);
        if (rc)
            return rc;
    }
    struct match_class *copy = base_alloc(class->bytes);
    if (!copy)
        return BASE_E_NOMEM;
    memcpy(copy, class, class->bytes);
    if (number)
        configs->free_first = configs->free_next[number];
    else
        number = configs->count++;
    configs->at[number] = copy;
    configs->table[at] = number;
    configs->live++;
    *ret = number;
    return 0;
}

/* ---- steps ---- */

int cep_match_config_prepare(struct match_configs *configs, struct match_op *op)
{
    if (configs->prepared)
        return 0;
    if (!configs->row)
        configs->row = cep_match_lean_view_row(op, configs->row_place);
    if (!configs->row)
        return BASE_E_NOMEM;
    prepare(configs, op, configs->row);
    return 0;
}

int cep_match_config_step(struct match_configs *configs, struct match_op *op, const struct match_thread *threads, uint32_t count, uint32_t *ret)
{
    uint64_t errors = op->row_errors;
    bool quiet = op->quiet;
    op->quiet = true; /* what has something to report is stepped again, in full form */
    op->unpacked = NULL;
    int rc = cep_match_step(op, threads, count);
    op->quiet = quiet;
    if (rc)
        return rc;
    *ret = MATCH_CONFIG_FULL;
    if (op->row_errors != errors || configs->dummy.limited || (op->accepted && op->out.len)) {
        configs->dummy.limited = false;
        return 0;
    }
    *ret = op->accepted ? MATCH_CONFIG_ACCEPTED : MATCH_CONFIG_DEAD;
    if (op->out.len == 0)
        return 0;
    struct match_class *class;
    op->scratch_used = 0;
    rc = cep_match_write_class(op, &class);
    return rc ? rc : cep_match_config_of(configs, class, ret);
}

static int step(struct match_configs *configs, struct match_op *op, uint32_t from, uint32_t *ret)
{
    if (op->edges)
        return cep_match_edges_step(op, op->edges, from, ret);
    int rc = cep_match_config_prepare(configs, op);
    if (rc || from == MATCH_CONFIG_START)
        return rc ? rc : cep_match_config_step(configs, op, op->first_plain.at, (uint32_t)op->first_plain.len, ret);
    rc = cep_match_load_threads(op, configs->at[from]);
    return rc ? rc : cep_match_config_step(configs, op, op->in.at, (uint32_t)op->in.len, ret);
}

/* Puts a step in; false: in place of another. */
static bool memo_put(struct match_configs *configs, uint64_t key, uint32_t to)
{
    struct match_memo *pair = &configs->memo[(key >> configs->memo_shift) * 2], step = { (uint32_t)key, to };
    bool room = !pair[1].to;
    if (!pair[0].to) {
        pair[0] = step;
        return true;
    }
    pair[1] = pair[0]; /* the older one goes */
    pair[0] = step;
    return room;
}

/* A larger memo with the same steps. */
static int grow_memo(struct match_configs *configs)
{
    uint32_t had = configs->memo_cap, old_shift = configs->memo_shift, cap = had ? had * 4 : MEMO_LEAST, bits = 0;
    struct match_memo *old = configs->memo, *memo = base_calloc(cap, sizeof *memo);
    if (!memo)
        return BASE_E_NOMEM;
    while (2u << bits < cap)
        bits++;
    configs->memo = memo;
    configs->memo_cap = cap;
    configs->memo_shift = MATCH_MEMO_KEY_BITS - bits;
    configs->memo_used = 0;
    for (uint32_t i = 0; i < had; i++) {
        uint64_t high = (uint64_t)(i / 2) << old_shift >> 32 << 32; /* the rest of its place's bits are in check, too */
        if (old[i].to)
            configs->memo_used += memo_put(configs, high | old[i].check, old[i].to);
    }
    base_free(had ? old : NULL);
    return 0;
}

static bool known(const struct match_configs *configs, uint32_t from, uint32_t *ret)
{
    uint32_t sight = configs->row_sight;
    return from == MATCH_CONFIG_START ? cep_match_config_start_known(configs, sight, ret) : cep_match_config_known(configs, from, sight, ret);
}

static int remember(struct match_configs *configs, uint32_t from, uint32_t to)
{
    if (from == MATCH_CONFIG_START) {
        configs->starts[configs->row_sight] = to + MATCH_MEMO_BIAS;
        return 0;
    }
    if (configs->memo_used >= configs->memo_cap / 2 && configs->memo_cap < MEMO_MOST) {
        int rc = grow_memo(configs);
        if (rc)
            return rc;
    }
    configs->memo_used += memo_put(configs, cep_match_memo_key(from, configs->row_sight), to + MATCH_MEMO_BIAS);
    return 0;
}

int cep_match_config_next(struct match_configs *configs, struct match_op *op, uint32_t from, uint32_t *ret)
{
    if (BASE_LIKELY(known(configs, from, ret)))
        return 0;
    int rc = step(configs, op, from, ret);
    return rc || !configs->row_sight ? rc : remember(configs, from, *ret);
}

/* ---- full form ---- */

#define PAUSE_ROWS 65536u
#define PAUSE_TRIES 4096u

static uint32_t find_number(const struct match_configs *configs, const struct match_class *class)
{
    if (!configs->table)
        return 0;
    uint32_t at = (uint32_t)class->hash & (configs->table_cap - 1);
    for (; configs->table[at]; at = (at + 1) & (configs->table_cap - 1)) {
        const struct match_class *other = configs->at[configs->table[at]];
        if (other->hash == class->hash && other->bytes == class->bytes && memcmp(other + 1, class + 1, class->bytes - sizeof *class) == 0)
            return configs->table[at];
    }
    return 0;
}

const struct match_class *cep_match_config_recall(struct match_configs *configs, const struct match_class *class)
{
    uint32_t to;
    if (!configs->row_sight || configs->pause)
        return NULL;
    configs->asked++;
    uint32_t from = class ? find_number(configs, class) : MATCH_CONFIG_START;
    if (!from || !known(configs, from, &to) || cep_match_config_leaves(to))
        return NULL;
    configs->recalled++;
    return to ? configs->at[to] : &configs->none;
}

int cep_match_config_learn(struct match_configs *configs, const struct match_class *from, const struct match_class *to)
{
    uint32_t from_number = MATCH_CONFIG_START, to_number = MATCH_CONFIG_DEAD;
    int rc = 0;
    if (!configs->row_sight || configs->pause)
        return 0;
    if (from)
        rc = cep_match_config_of(configs, from, &from_number);
    if (!rc && to)
        rc = cep_match_config_of(configs, to, &to_number);
    if (!rc)
        rc = remember(configs, from_number, to_number);
    return rc == BASE_E_LIMIT ? 0 : rc;
}

int cep_match_config_tidy(struct match_configs *configs)
{
    configs->pause -= configs->pause > 0;
    if (configs->asked >= PAUSE_TRIES) {
        configs->pause = configs->recalled < configs->asked / 2 ? PAUSE_ROWS : 0;
        configs->asked = configs->recalled = 0;
    }
    if (!cep_match_configs_crowded(configs))
        return 0;
    int rc = cep_match_configs_unmark(configs);
    if (!rc)
        cep_match_configs_sweep(configs);
    return rc;
}

/* ---- those that nobody has any more ---- */

bool cep_match_configs_crowded(const struct match_configs *configs) { return configs->live >= configs->collect_at; }

int cep_match_configs_unmark(struct match_configs *configs)
{
    base_free(configs->marks);
    configs->marks = base_calloc(configs->cap, 1);
    return configs->marks ? 0 : BASE_E_NOMEM;
}

void cep_match_configs_sweep(struct match_configs *configs)
{
    memset(configs->table, 0, configs->table_cap * sizeof *configs->table);
    for (uint32_t i = 2; i < configs->count; i++) {
        if (!configs->at[i])
            continue;
        if (!configs->marks[i]) {
            base_free(configs->at[i]);
            configs->at[i] = NULL;
            configs->free_next[i] = configs->free_first;
            configs->free_first = i;
            configs->live--;
            continue;
        }
        uint32_t at = (uint32_t)configs->at[i]->hash & (configs->table_cap - 1);
        while (configs->table[at])
            at = (at + 1) & (configs->table_cap - 1);
        configs->table[at] = i;
    }
    base_free(configs->marks);
    configs->marks = NULL;
    forget_steps(configs);
    configs->collect_at = configs->live > COLLECT_LEAST / 2 ? configs->live * 2 : COLLECT_LEAST;
}
