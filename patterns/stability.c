/* Is an alert that eager emission told ever withdrawn though no row was late? (docs/semantics.md, "Stability")
 *
 * An alert of start t goes away only because the match of an earlier start s comes to cover t after t was told: a later
 * or preferred completion of s whose AFTER MATCH SKIP passes over t. (A preferred match of t itself is an update; under
 * ALL ROWS, where rows are told apart, it counts as a withdrawal.) So:
 *
 *  1. SKIP TO NEXT ROW and TO CURRENT ROW: no match covers another start. Stable.
 *  2. No arrow and one possible length n: s completes at s + n - 1 or never, before t does. Stable.
 *  3. No alternatives at all and conditions on the row alone: a start is one thread in one state of a line. Where s and
 * t are in one state they see the same rows and move together, and t starts behind s: s is never behind t, and
 * completes no later or is dead. Stable.
 *  4. A line of arrows in which each element wants a value (and the same condition on the row) that none before it had:
 * a start at s has taken min(n, number of distinct values from s on) elements, which is never less than for t > s. NULL
 * stops a start for good. Stable.
 *  5. Otherwise the pair (threads of s, threads of t) is explored, conditions on the row being free bits, the same for
 * both, other conditions free bits for each: an over-approximation of all rows. If no reachable pair has t told and s
 * completing over t at a later row, it is stable.
 *  6. If there is such a pair, it is looked for again with rows that are made from the constants of the conditions. If
 * found, the rows are run through the definition (match of the first start on each prefix, then skip) to see that a
 * told start really goes: unstable, and the rows are the witness. */
#include <string.h>
#include "base/error.h"
#include "base/map.h"
#include "patterns/fold.h"
#include "patterns/rowpat.h"

#define STATES_MAX 200 /* of automata that are explored */
#define THREADS_MAX 24
#define BITS_MAX 8
#define PAIRS_MAX 6000
#define LETTER_DEADLINE_S (1u << BITS_MAX)
#define LETTER_DEADLINE_T (LETTER_DEADLINE_S + 1)
#define VALUES_MAX 8 /* candidate values of one column */
#define COLUMNS_MAX 4
#define WITNESS_ROWS_MAX 12

struct thread {
    uint16_t pc;
    uint8_t took;
    uint8_t pad;
    uint32_t guards;
};
struct threads {
    uint32_t count;
    struct thread at[THREADS_MAX];
};
/* s and t, t started or not. */
struct pair {
    struct threads s, t;
    uint8_t started, told, accepted, overtaken; /* overtaken: t waited for its absence before s did */
};
struct node {
    struct pair pair;
    uint32_t parent, letter;
    uint8_t starts; /* t starts with that letter */
};

struct explore {
    struct patterns_match_detail *rp;
    const struct patterns_automaton *m;
    uint32_t bit_of_s[PATTERNS_VARS_MAX], bit_of_t[PATTERNS_VARS_MAX]; /* CEP_NONE: always true; BITS_MAX: never */
    const struct patterns_bound *preds[BITS_MAX];                      /* unary condition of a bit, or NULL */
    uint32_t bits;
    bool all_unary;
    bool realizable[1u << BITS_MAX];                                  /* letters that are tried */
    const struct patterns_bound *values[1u << BITS_MAX][COLUMNS_MAX]; /* of a row that makes the letter */
    uint32_t columns[COLUMNS_MAX], column_count;
    struct node *nodes;
    uint32_t node_count;
    bool overflow; /* too many threads: gives up */
    bool no_memory;
    uint32_t letter;
    const uint32_t *bit_of; /* of the start that is stepped */
    bool behind;            /* rows taken now stand at or behind t */
};

/* ---- steps of one start ---- */

static bool holds(const struct explore *x, uint32_t var)
{
    uint32_t bit = x->bit_of[var];
    return bit == CEP_NONE || (bit < BITS_MAX && ((x->letter >> bit) & 1));
}

static bool any_holds(const struct explore *x, const struct patterns_varset *set)
{
    for (uint32_t v = 0; v <= x->rp->var_count; v++) {
        if (patterns_varset_has(set, v) && holds(x, v))
            return true;
    }
    return false;
}

static bool violates(const struct explore *x, uint32_t guards, bool taken)
{
    for (uint32_t g = 0; g < x->m->guard_count; g++) {
        if (((guards >> g) & 1) && !(taken && x->m->guards[g].kind == CEP_GUARD_NOT) &&
            any_holds(x, &x->m->guards[g].set))
            return true;
    }
    return false;
}

/* Guards that a row which is passed over ends. */
static uint32_t lifted(const struct explore *x, uint32_t guards)
{
    uint32_t mask = 0;
    for (uint32_t g = 0; g < x->m->guard_count; g++)
        mask |= ((guards >> g) & 1) && any_holds(x, &x->m->guards[g].lifts) ? UINT32_C(1) << g : 0;
    return mask;
}

static uint32_t next_only(const struct explore *x)
{
    uint32_t mask = 0;
    for (uint32_t g = 0; g < x->m->guard_count; g++)
        mask |= x->m->guards[g].kind == CEP_GUARD_NOT_NEXT ? UINT32_C(1) << g : 0;
    return mask;
}

static void add(struct explore *x, struct threads *list, struct thread thread)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (memcmp(&list->at[i], &thread, sizeof thread) == 0)
            return;
    }
    if (list->count == THREADS_MAX)
        x->overflow = true;
    else
        list->at[list->count++] = thread;
}

/* Resting threads behind pc in order of preference; true: the match is complete (what is less preferred was cut). */
static bool closure(struct explore *x, struct thread thread, struct threads *list)
{
    struct thread stack[THREADS_MAX * 2];
    uint32_t depth = 0;
    stack[depth++] = thread;
    for (uint32_t steps = 0; depth && steps < 4 * STATES_MAX; steps++) {
        thread = stack[--depth];
        const struct patterns_state *s = &x->m->states[thread.pc];
        if (s->op == CEP_NFA_SPLIT) {
            if (depth + 2 > THREADS_MAX * 2) {
                x->overflow = true;
                return false;
            }
            stack[depth++] = (struct thread){ (uint16_t)s->b, thread.took, 0, thread.guards };
            stack[depth++] = (struct thread){ (uint16_t)s->a, thread.took, 0, thread.guards };
        } else if (s->op == CEP_NFA_GUARD) {
            stack[depth++] = (struct thread){ (uint16_t)s->a, thread.took, 0, thread.guards | UINT32_C(1) << s->guard };
        } else if (s->op == CEP_NFA_MATCH && !(thread.guards & next_only(x))) {
            return true;
        } else {
            add(x, list, thread);
        }
    }
    return false;
}

static bool step_thread(struct explore *x, struct thread thread, struct threads *out, bool *ret_took)
{
    const struct patterns_state *s = &x->m->states[thread.pc];
    if (s->op == CEP_NFA_TAKE) {
        if (violates(x, thread.guards, true) || !holds(x, s->var))
            return false;
        struct thread next = { (uint16_t)s->a, x->behind, 0, 0 };
        *ret_took = x->behind;
        return closure(x, next, out);
    }
    if (s->op == CEP_NFA_WAIT && any_holds(x, &s->firsts)) {
        struct threads inner = { 0 };
        struct thread next = { (uint16_t)s->a, thread.took, 0, thread.guards };
        (void)closure(x, next, &inner); /* an element takes at least one row: it cannot be complete here */
        for (uint32_t i = 0; i < inner.count; i++) {
            if (x->m->states[inner.at[i].pc].op == CEP_NFA_TAKE && step_thread(x, inner.at[i], out, ret_took))
                return true;
        }
        if (!s->any)
            return false;
    }
    if (s->op == CEP_NFA_MATCH) {
        *ret_took = thread.took;
        return !violates(x, thread.guards, true);
    }
    if (violates(x, thread.guards, false))
        return false;
    thread.guards &= ~(next_only(x) | lifted(x, thread.guards));
    add(x, out, thread);
    return false;
}

/* Steps a start over the row x->letter; true: it completes, *ret_took: with a row at or behind t. */
static bool step(struct explore *x, const uint32_t *bit_of, struct threads *list, bool *ret_took)
{
    struct threads out = { 0 };
    bool accepted = false;
    x->bit_of = bit_of;
    for (uint32_t i = 0; i < list->count && !accepted; i++)
        accepted = step_thread(x, list->at[i], &out, ret_took);
    *list = out;
    return accepted;
}

static bool begin(struct explore *x, struct threads *list)
{
    list->count = 0;
    return closure(x, (struct thread){ 0 }, list);
}

static bool in_absence(const struct explore *x, const struct threads *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (x->m->states[list->at[i].pc].op == CEP_NFA_ABSENT)
            return true;
    }
    return false;
}

/* The deadline of a waited-for absence: that thread completes, what is less preferred is cut. */
static bool expire(const struct explore *x, struct threads *list, bool *ret_took)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (x->m->states[list->at[i].pc].op == CEP_NFA_ABSENT) {
            *ret_took = list->at[i].took;
            list->count = i;
            return true;
        }
    }
    return false;
}

/* ---- exploration of pairs ---- */

enum outcome { GOES_ON, HARMLESS, WITHDRAWS };

static enum outcome advance(struct explore *x, const struct pair *from, uint32_t letter, bool starts, struct pair *ret)
{
    bool exact = x->rp->clause->skip == PATTERNS_SKIP_PAST_LAST_ROW, took = false, took_t = false, s_done = false,
         t_done = false;
    *ret = *from;
    x->letter = letter;
    x->behind = from->started || starts;
    if (starts) {
        ret->started = 1;
        (void)begin(x, &ret->t);
    }
    if (letter == LETTER_DEADLINE_S) {
        s_done = expire(x, &ret->s, &took);
    } else if (letter == LETTER_DEADLINE_T) {
        t_done = expire(x, &ret->t, &took_t);
    } else {
        bool s_waits = in_absence(x, &from->s), t_waits = in_absence(x, &from->t);
        s_done = step(x, x->bit_of_s, &ret->s, &took);
        if (ret->started && !ret->told)
            t_done = step(x, x->bit_of_t, &ret->t, &took_t);
        if (t_waits && !s_waits && in_absence(x, &ret->s))
            ret->overtaken = 1;
    }
    if (s_done && x->rp->clause->rows != PATTERNS_ROWS_ONE && from->accepted)
        return WITHDRAWS; /* rows of the match told before may go */
    if (s_done)
        ret->accepted = 1;
    if (s_done && ret->started && took) {
        if (from->told)
            return WITHDRAWS;
        if (exact)
            return HARMLESS; /* t is covered before it is told, and stays so */
    }
    if (t_done) {
        ret->told = 1;
        ret->t.count = 0;
    }
    if (ret->started && !ret->told && ret->t.count == 0)
        return HARMLESS;
    return ret->s.count == 0 ? HARMLESS : GOES_ON;
}

/* Appends a pair unless it is known. */
static int visit(struct explore *x, struct base_map *seen, const struct pair *pair, uint32_t parent, uint32_t letter,
                 bool starts)
{
    struct pair canonical;
    memset(&canonical, 0, sizeof canonical);
    canonical.s.count = pair->s.count;
    canonical.t.count = pair->t.count;
    memcpy(canonical.s.at, pair->s.at, pair->s.count * sizeof *pair->s.at);
    memcpy(canonical.t.at, pair->t.at, pair->t.count * sizeof *pair->t.at);
    canonical.started = pair->started;
    canonical.told = pair->told;
    canonical.accepted = pair->accepted;
    canonical.overtaken = pair->overtaken;
    bool added;
    if (!base_map_put(seen, (struct base_str){ (const char *)&canonical, sizeof canonical }, &added))
        return BASE_E_NOMEM;
    if (!added)
        return 0;
    if (x->node_count == PAIRS_MAX) {
        x->overflow = true;
        return 0;
    }
    x->nodes[x->node_count++] = (struct node){ canonical, parent, letter, starts };
    return 0;
}

/* BFS. *ret_bad: node that a withdrawal follows, its letter in *ret_letter; CEP_NONE: there is none. */
static int explore(struct explore *x, uint32_t *ret_bad, uint32_t *ret_letter)
{
    struct base_map seen = { 0 };
    struct pair first;
    int r = 0;
    memset(&first, 0, sizeof first);
    *ret_bad = CEP_NONE;
    x->node_count = 0;
    x->overflow = false;
    if (begin(x, &first.s))
        x->overflow = true; /* matches no rows: not looked into */
    r = visit(x, &seen, &first, CEP_NONE, 0, false);
    for (uint32_t i = 0; i < x->node_count && !r && !x->overflow && *ret_bad == CEP_NONE; i++) {
        const struct pair from = x->nodes[i].pair;
        uint32_t letters = 1u << x->bits;
        for (uint32_t k = 0; k < letters + 2 && !r && *ret_bad == CEP_NONE; k++) {
            uint32_t letter = k < letters ? k : k == letters ? LETTER_DEADLINE_S : LETTER_DEADLINE_T;
            if (k < letters && !x->realizable[k])
                continue;
            if (k == letters && !in_absence(x, &from.s))
                continue;
            if (k > letters && (!in_absence(x, &from.t) || (in_absence(x, &from.s) && !from.overtaken)))
                continue;
            for (int starts = 0; starts <= (i > 0 && k < letters && !from.started) && !r && *ret_bad == CEP_NONE;
                 starts++) {
                struct pair next;
                enum outcome outcome = advance(x, &from, letter, starts, &next);
                if (outcome == WITHDRAWS) {
                    *ret_bad = i;
                    *ret_letter = letter;
                } else if (outcome == GOES_ON) {
                    r = visit(x, &seen, &next, i, letter, starts);
                }
            }
        }
    }
    base_map_finish(&seen);
    return r;
}

/* ---- letters: what rows are there? ---- */

struct constants {
    struct explore *x;
    const struct patterns_bound *at[COLUMNS_MAX][VALUES_MAX];
    uint32_t count[COLUMNS_MAX];
    bool failed;
};

static uint32_t column_index(struct constants *c, uint32_t column)
{
    struct explore *x = c->x;
    for (uint32_t i = 0; i < x->column_count; i++) {
        if (x->columns[i] == column)
            return i;
    }
    if (x->column_count == COLUMNS_MAX) {
        c->failed = true;
        return 0;
    }
    x->columns[x->column_count] = column;
    return x->column_count++;
}

static void add_value(struct constants *c, uint32_t index, struct cep_type type, struct cep_value value)
{
    struct patterns_binder *binder = c->x->rp->binder;
    for (uint32_t i = 0; i < c->count[index]; i++) {
        if (cep_value_same(type, c->at[index][i]->value, value))
            return;
    }
    if (c->count[index] == VALUES_MAX)
        return;
    c->at[index][c->count[index]] = patterns_bound_const(binder, NULL, type, value);
    c->x->no_memory |= !c->at[index][c->count[index]++];
}

static const struct patterns_bound *through_casts(const struct patterns_bound *b)
{
    while (b->kind == PATTERNS_BOUND_CAST)
        b = b->args[0];
    return b;
}

/* Candidate values of a column: what conditions compare it with, and neighbours of those. */
static void collect(struct constants *c, const struct patterns_bound *b)
{
    const struct patterns_bound *column = NULL;
    if (b->kind == PATTERNS_BOUND_COLUMN)
        (void)column_index(c, b->column);
    for (uint32_t i = 0; i < b->arg_count; i++) {
        collect(c, b->args[i]);
        if (through_casts(b->args[i])->kind == PATTERNS_BOUND_COLUMN)
            column = through_casts(b->args[i]);
    }
    for (uint32_t i = 0; column && i < b->arg_count && !c->failed; i++) {
        const struct patterns_bound *k = b->args[i];
        struct cep_value value;
        if (k->kind != PATTERNS_BOUND_CONST || k->value.null ||
            cep_value_cast(k->type, column->type, k->value, c->x->rp->binder->arena, &value))
            continue;
        uint32_t index = column_index(c, column->column);
        if (c->failed)
            return;
        add_value(c, index, column->type, value);
        if (column->type.kind == CEP_KIND_INT || column->type.kind == CEP_KIND_BIGINT) {
            add_value(c, index, column->type, cep_int(value.i + 1));
            add_value(c, index, column->type, cep_int(value.i - 1));
        } else if (column->type.kind == CEP_KIND_DOUBLE) {
            add_value(c, index, column->type, cep_double(value.d + 1));
            add_value(c, index, column->type, cep_double(value.d - 1));
        } else if (column->type.kind == CEP_KIND_DECIMAL) {
            add_value(c, index, column->type, cep_dec(cep_dec_get(value) + 1));
            add_value(c, index, column->type, cep_dec(cep_dec_get(value) - 1));
        }
    }
}

struct row {
    const struct explore *x;
    const struct patterns_bound *const *values;
    bool foreign;
};

static const struct patterns_bound *put_value(void *ctx, const struct patterns_bound *leaf)
{
    struct row *row = ctx;
    for (uint32_t i = 0; leaf->kind == PATTERNS_BOUND_COLUMN && i < row->x->column_count; i++) {
        if (row->x->columns[i] == leaf->column)
            return row->values[i];
    }
    row->foreign = true;
    return leaf;
}

/* Truth of a condition at a row of constants; false: cannot be told. */
static bool evaluate(struct explore *x, const struct patterns_bound *pred, const struct patterns_bound *const *values,
                     bool *ret)
{
    struct row row = { x, values, false };
    const struct patterns_bound *at = patterns_bound_map(x->rp->binder, pred, put_value, &row);
    struct cep_value value;
    if (!at)
        x->no_memory = true;
    if (!at || row.foreign || (pred->flags & (PATTERNS_BOUND_IS_VOLATILE | PATTERNS_BOUND_HAS_ROW_TIME)))
        return false;
    int r = patterns_fold_value(x->rp->binder, at, &value);
    x->no_memory |= r == BASE_E_NOMEM;
    if (r)
        return false;
    *ret = !value.null && value.i == 1;
    return true;
}

/* Fills realizable[] and values[] by trying all combinations of candidate values. */
static void find_rows(struct explore *x)
{
    struct constants c = { .x = x };
    uint64_t combinations = 1;
    for (uint32_t b = 0; b < x->bits; b++)
        collect(&c, x->preds[b]);
    for (uint32_t i = 0; i < x->column_count && !c.failed; i++) {
        struct cep_type type = x->rp->input->columns[x->columns[i]].type;
        if (type.kind == CEP_KIND_STRING)
            add_value(&c, i, type, cep_string("other", 5));
        else if (type.kind == CEP_KIND_BOOLEAN) {
            add_value(&c, i, type, cep_int(1));
            add_value(&c, i, type, cep_int(0));
        } else if (c.count[i] == 0)
            add_value(&c, i, type, cep_null());
        combinations *= c.count[i];
    }
    for (uint64_t n = 0; n < combinations && n < 4096 && !c.failed; n++) {
        const struct patterns_bound *values[COLUMNS_MAX] = { NULL };
        uint64_t rest = n;
        uint32_t letter = 0;
        bool good = true, truth = false;
        for (uint32_t i = 0; i < x->column_count; i++) {
            values[i] = c.at[i][rest % c.count[i]];
            rest /= c.count[i];
        }
        for (uint32_t b = 0; b < x->bits && good; b++) {
            good = evaluate(x, x->preds[b], values, &truth);
            letter |= truth ? 1u << b : 0;
        }
        if (good && !x->realizable[letter]) {
            x->realizable[letter] = true;
            memcpy(x->values[letter], values, sizeof values);
        }
    }
}

/* ---- witness ---- */

/* Start at row `start` over the first `len` letters: row where its match ends, or CEP_NONE. */
static uint32_t match_end(struct explore *x, const uint32_t *letters, uint32_t start, uint32_t len)
{
    struct threads list;
    uint32_t end = CEP_NONE;
    bool took;
    (void)begin(x, &list);
    for (uint32_t i = start; i < len && list.count; i++) {
        x->letter = letters[i];
        x->behind = true;
        if (step(x, x->bit_of_s, &list, &took))
            end = i;
    }
    return end;
}

/* Does some start that stands after row r no longer stand after a later row? By the definition, with SKIP PAST LAST
 * ROW. */
static bool confirm(struct explore *x, const uint32_t *letters, uint32_t rows, uint32_t *ret_start, uint32_t *ret_told,
                    uint32_t *ret_gone)
{
    bool stood[WITNESS_ROWS_MAX] = { false };
    uint32_t since[WITNESS_ROWS_MAX] = { 0 };
    for (uint32_t len = 1; len <= rows; len++) {
        bool stands[WITNESS_ROWS_MAX] = { false };
        for (uint32_t start = 0; start < len; start++) {
            uint32_t end = match_end(x, letters, start, len);
            if (end == CEP_NONE)
                continue;
            stands[start] = true;
            start = end;
        }
        for (uint32_t i = 0; i < rows; i++) {
            if (stood[i] && !stands[i]) {
                *ret_start = i;
                *ret_told = since[i];
                *ret_gone = len - 1;
                return true;
            }
            if (stands[i] && !stood[i])
                since[i] = len - 1;
            stood[i] = stands[i];
        }
    }
    return false;
}

static void print_row(const struct explore *x, uint32_t letter, struct base_buf *out)
{
    for (uint32_t i = 0; i < x->column_count; i++) {
        const struct patterns_column *column = &x->rp->input->columns[x->columns[i]];
        const struct patterns_bound *value = x->values[letter][i];
        base_buf_printf(out, "%s%.*s = ", i ? ", " : "", (int)column->name.len, column->name.ptr);
        patterns_bound_print(value, NULL, out);
    }
    if (x->column_count == 0)
        base_buf_puts(out, "any");
}

static const char *witness(struct explore *x, uint32_t bad, uint32_t last)
{
    uint32_t letters[WITNESS_ROWS_MAX], rows = 0, start, told, gone;
    for (uint32_t at = bad; at != CEP_NONE && x->nodes[at].parent != CEP_NONE; at = x->nodes[at].parent) {
        if (rows + 1 >= WITNESS_ROWS_MAX || x->nodes[at].letter >= LETTER_DEADLINE_S)
            return NULL;
        letters[rows++] = x->nodes[at].letter;
    }
    for (uint32_t i = 0; i < rows / 2; i++) {
        uint32_t swap = letters[i];
        letters[i] = letters[rows - 1 - i];
        letters[rows - 1 - i] = swap;
    }
    letters[rows++] = last;
    if (last >= LETTER_DEADLINE_S || !confirm(x, letters, rows, &start, &told, &gone))
        return NULL;
    struct base_buf out = { 0 };
    for (uint32_t i = 0; i < rows; i++) {
        base_buf_printf(&out, "%srow %u: ", i ? "; " : "", i + 1);
        print_row(x, letters[i], &out);
    }
    base_buf_printf(
        &out,
        ". The match of row %u is told at row %u and withdrawn at row %u, where an earlier start completes over it",
        start + 1, told + 1, gone + 1);
    const char *text = out.failed ? NULL : base_arena_strndup(x->rp->binder->arena, out.ptr, out.len);
    x->no_memory |= !text;
    base_buf_finish(&out);
    return text;
}

/* ---- the structural arguments ---- */

static bool uses_op(const struct patterns_automaton *m, enum cep_nfa_op op)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->states[i].op == op)
            return true;
    }
    return false;
}

static bool all_unary(const struct patterns_match_detail *rp)
{
    for (uint32_t v = 0; v < rp->var_count; v++) {
        if (rp->vars[v].pred && !patterns_rp_is_unary(rp->vars[v].pred))
            return false;
    }
    return true;
}

/* x <> v1's x, ... : the column and the set of variables whose last row it must differ from. */
struct differs {
    uint32_t column;
    bool some;
    struct patterns_varset from;
    uint64_t rest;
    bool other;
};

/* Is it the value of that column at the last row of one variable? */
static bool is_last_of(const struct patterns_bound *b, uint32_t column, struct patterns_varset *set)
{
    if (b->kind != PATTERNS_BOUND_EXTERNAL || b->id != PATTERNS_RP_REG)
        return false;
    const struct patterns_rp_reg *reg = b->detail;
    if (reg->kind != PATTERNS_RP_LAST || reg->n != 0 || reg->rows.universal ||
        patterns_varset_count(&reg->rows.set) != 1 || reg->args[0]->kind != PATTERNS_BOUND_COLUMN ||
        reg->args[0]->column != column)
        return false;
    patterns_varset_join(set, &reg->rows.set);
    return true;
}

static void take_apart(const struct patterns_bound *b, struct differs *d)
{
    if (b->kind == PATTERNS_BOUND_AND) {
        for (uint32_t i = 0; i < b->arg_count; i++)
            take_apart(b->args[i], d);
        return;
    }
    const struct patterns_bound *in =
        b->kind == PATTERNS_BOUND_NOT && b->args[0]->kind == PATTERNS_BOUND_IN ? b->args[0] : NULL;
    const struct patterns_bound *left = in ? in->args[0] : b->kind == PATTERNS_BOUND_NE ? b->args[0] : NULL;
    uint32_t first = 1;
    if (b->kind == PATTERNS_BOUND_NE && left->kind != PATTERNS_BOUND_COLUMN) {
        left = b->args[1];
        first = 0;
    }
    if (left && left->kind == PATTERNS_BOUND_COLUMN && (!d->some || d->column == left->column)) {
        struct patterns_varset set = { { 0 } };
        const struct patterns_bound *list = in ? in : b;
        bool good = true;
        for (uint32_t i = in ? 1 : first; i < (in ? list->arg_count : first + 1) && good; i++)
            good = is_last_of(list->args[i], left->column, &set);
        if (good) {
            d->some = true;
            d->column = left->column;
            patterns_varset_join(&d->from, &set);
            return;
        }
    }
    if (!patterns_rp_is_unary(b))
        d->other = true;
    d->rest += b->hash; /* order of conditions does not matter */
}

/* Argument 4. */
static bool distinct_chain(const struct patterns_match_detail *rp)
{
    const struct patterns_pat *pat = rp->pat;
    struct differs second = { 0 };
    if (pat->kind != PATTERNS_PAT_SEQ || pat->count < 2 || pat->children[0]->kind != PATTERNS_PAT_VAR)
        return false;
    struct patterns_varset before = { { 0 } };
    for (uint32_t i = 0; i < pat->count; i++) {
        const struct patterns_pat *child = pat->children[i];
        if (i > 0 && (child->kind != PATTERNS_PAT_RELAX || child->any || child->children[0]->kind != PATTERNS_PAT_VAR))
            return false;
        uint32_t var = i ? child->children[0]->var : child->var;
        struct differs d = { 0 };
        if (patterns_varset_has(&before, var))
            return false;
        if (rp->vars[var].pred)
            take_apart(rp->vars[var].pred, &d);
        if (i > 0 && (d.other || !d.some || !patterns_varset_equal(&d.from, &before)))
            return false;
        if (i == 1)
            second = d;
        if (i > 1 && (d.column != second.column || d.rest != second.rest))
            return false;
        patterns_varset_add(&before, var);
    }
    struct differs first = { 0 };
    if (rp->vars[pat->children[0]->var].pred)
        take_apart(rp->vars[pat->children[0]->var].pred, &first);
    return !first.other && !first.some && first.rest == second.rest;
}

/* ---- bits ---- */

/* column = constant? */
static bool is_equality(const struct patterns_bound *b, uint32_t *ret_column,
                        const struct patterns_bound **ret_constant)
{
    if (b->kind != PATTERNS_BOUND_EQ)
        return false;
    int column = b->args[0]->kind == PATTERNS_BOUND_COLUMN ? 0 : 1;
    if (b->args[column]->kind != PATTERNS_BOUND_COLUMN || b->args[1 - column]->kind != PATTERNS_BOUND_CONST ||
        b->args[1 - column]->value.null)
        return false;
    *ret_column = b->args[column]->column;
    *ret_constant = b->args[1 - column];
    return true;
}

/* Can no row meet both? Sees `column = constant` among conditions joined by AND. */
static bool excludes(const struct patterns_bound *a, const struct patterns_bound *b)
{
    uint32_t column_a, column_b;
    const struct patterns_bound *constant_a, *constant_b;
    if (a->kind == PATTERNS_BOUND_AND) {
        for (uint32_t i = 0; i < a->arg_count; i++) {
            if (excludes(a->args[i], b))
                return true;
        }
        return false;
    }
    if (b->kind == PATTERNS_BOUND_AND)
        return excludes(b, a);
    return is_equality(a, &column_a, &constant_a) && is_equality(b, &column_b, &constant_b) && column_a == column_b &&
           cep_type_equal(constant_a->type, constant_b->type) &&
           !cep_value_same(constant_a->type, constant_a->value, constant_b->value);
}

/* Gives each different condition a bit; false: too many. */
static bool number_bits(struct explore *x)
{
    struct patterns_match_detail *rp = x->rp;
    x->all_unary = true;
    x->bit_of_s[rp->var_count] = x->bit_of_t[rp->var_count] = BITS_MAX; /* the variable that never holds */
    for (uint32_t v = 0; v < rp->var_count; v++) {
        const struct patterns_bound *pred = rp->vars[v].pred;
        x->bit_of_s[v] = x->bit_of_t[v] = pred ? BITS_MAX : CEP_NONE;
        if (!pred || patterns_bound_is_never(pred))
            continue;
        bool unary = patterns_rp_is_unary(pred);
        x->all_unary &= unary;
        for (uint32_t w = 0; w < v && unary && x->bit_of_s[v] == BITS_MAX; w++) {
            if (rp->vars[w].pred && patterns_bound_same(rp->vars[w].pred, pred))
                x->bit_of_s[v] = x->bit_of_t[v] = x->bit_of_s[w];
        }
        if (x->bit_of_s[v] != BITS_MAX)
            continue;
        if (x->bits + (unary ? 1 : 2) > BITS_MAX)
            return false;
        x->preds[x->bits] = unary ? pred : NULL;
        x->bit_of_s[v] = x->bit_of_t[v] = x->bits++;
        if (!unary)
            x->bit_of_t[v] = x->bits++;
    }
    return true;
}

/* For the proof a letter counts unless two of its conditions exclude each other. */
static void admit_letters(struct explore *x)
{
    for (uint32_t letter = 0; letter < 1u << x->bits; letter++) {
        bool good = true;
        for (uint32_t a = 0; a < x->bits; a++) {
            for (uint32_t b = a + 1; b < x->bits && good; b++) {
                if ((letter >> a & 1) && (letter >> b & 1) && x->preds[a] && x->preds[b])
                    good = !excludes(x->preds[a], x->preds[b]);
            }
        }
        x->realizable[letter] = good;
    }
}

static int try_pairs(struct patterns_match_detail *rp, const char **ret_verdict, const char **ret_why)
{
    struct explore *x = base_arena_zalloc(rp->binder->arena, 1, sizeof *x);
    uint32_t bad, letter;
    if (!x)
        return BASE_E_NOMEM;
    x->rp = rp;
    x->m = rp->automaton;
    if (x->m->count > STATES_MAX || !number_bits(x)) {
        *ret_why = "the pattern is too large to be explored";
        return 0;
    }
    bool one_way = !uses_op(x->m, CEP_NFA_SPLIT);
    if (!x->all_unary && ((x->m->has_wait && !one_way) || rp->clause->rows != PATTERNS_ROWS_ONE)) {
        *ret_why = "conditions that read earlier rows let starts overtake each other";
        return 0;
    }
    x->nodes = base_arena_alloc(rp->binder->arena, PAIRS_MAX * sizeof *x->nodes);
    if (!x->nodes)
        return BASE_E_NOMEM;
    admit_letters(x);
    int r = explore(x, &bad, &letter);
    if (r)
        return r;
    if (bad == CEP_NONE && !x->overflow) {
        *ret_verdict = "stable";
        *ret_why = "no earlier start can complete over a match that was told before";
        return 0;
    }
    *ret_why = x->overflow ? "the pattern has too many ways to be explored"
               : rp->clause->rows != PATTERNS_ROWS_ONE
                   ? "a preferred match of the same start may take back rows that were told"
                   : "an earlier start may complete later than a later one, and then skips over its match";
    if (x->overflow || !x->all_unary || rp->clause->skip != PATTERNS_SKIP_PAST_LAST_ROW ||
        rp->clause->rows != PATTERNS_ROWS_ONE)
        return 0;
    memset(x->realizable, 0, sizeof x->realizable);
    find_rows(x);
    r = x->no_memory ? BASE_E_NOMEM : explore(x, &bad, &letter);
    const char *rows = !r && bad != CEP_NONE ? witness(x, bad, letter) : NULL;
    if (!r && x->no_memory)
        r = BASE_E_NOMEM;
    if (rows) {
        *ret_verdict = "unstable";
        *ret_why = rows;
    }
    return r;
}

int patterns_rp_stability(struct patterns_match_detail *rp, const char **ret_verdict, const char **ret_why)
{
    const struct patterns_match *clause = rp->clause;
    const struct patterns_automaton *m = rp->automaton;
    bool one_row = clause->rows == PATTERNS_ROWS_ONE,
         free_starts = clause->skip == PATTERNS_SKIP_TO_NEXT_ROW || clause->skip == PATTERNS_SKIP_TO_CURRENT_ROW;
    uint32_t min = patterns_pat_min_rows(rp->pat, NULL), max = patterns_pat_max_rows(rp->pat, NULL);
    *ret_verdict = "stable";
    if (!rp->binder->eager) {
        *ret_why = "emit final tells a match when nothing can change it";
        return 0;
    }
    if (free_starts && one_row) {
        *ret_why = "no match skips over another start; a preferred match of the same start is an update";
        return 0;
    }
    if (!m->has_wait && !m->has_absent && min == max && min > 0 && !uses_op(m, CEP_NFA_END) && !clause->all_matches) {
        *ret_why = "every match has one length, so starts complete in their order";
        return 0;
    }
    if (m->has_absent && max == 1 && one_row && !clause->all_matches) {
        *ret_why = "a match is one row: it covers no other start";
        return 0;
    }
    if (!uses_op(m, CEP_NFA_SPLIT) && !uses_op(m, CEP_NFA_START) && !uses_op(m, CEP_NFA_END) && m->loops == 0 &&
        !clause->all_matches && all_unary(rp) && min > 0) {
        bool any = false;
        for (uint32_t i = 0; i < m->count; i++)
            any |= m->states[i].any;
        if (!any) {
            *ret_why = "one way to match, and conditions on the row alone: no start overtakes an earlier one";
            return 0;
        }
    }
    if (distinct_chain(rp) && !clause->all_matches) {
        *ret_why = "each element wants a new value: an earlier start has seen as many as a later one";
        return 0;
    }
    *ret_verdict = "not proved";
    *ret_why = "ALL MATCHES, anchors and loops over what may be empty are not looked into";
    if (clause->all_matches || uses_op(m, CEP_NFA_START) || uses_op(m, CEP_NFA_END) || m->loops || rp->can_match_empty)
        return 0;
    return try_pairs(rp, ret_verdict, ret_why);
}
