/* Arguments 5 and 6 of stability.c: the exploration of pairs of starts, and the search for a witness. Called by stability.c only.
 *
 *  5. Otherwise the pair (threads of s, threads of t) is explored, conditions on the row being free bits, the same for
 * both. A condition that reads more than the row is its parts that do not (AND), and a "maybe": threads in one state may differ
 * in it, so threads that may live are kept, none is cut, and a start that may complete is followed both ways. That
 * covers all rows and more. If no reachable pair has t told and s completing over t at a later row, it is stable. Where a thread may rest behind its
 * last row (absence, NOT), or SKIP TO names a variable, a preferred match may cover less than the one before it and let a start between reappear: there
 * a second completion of s counts as a withdrawal too.
 *  6. If there is such a pair, it is looked for again with rows that are made from the constants of the conditions. If
 * found, the rows are run through the definition (match of the first start on each prefix, then skip) to see that a
 * told start really goes: unstable, and the rows are the witness. */
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "patterns/fold.h"
#include "patterns/lint_risk.h"
#include "patterns/rowpat.h"

#define STATES_MAX 200 /* of automata that are explored */
#define THREADS_MAX 24
#define BITS_MAX 8
#define PAIRS_MAX 3000
#define STEPS_MAX 30000 /* of pairs */
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
    uint8_t begun;                              /* s has seen a row */
    uint8_t pad[3];
};
struct node {
    struct pair pair;
    uint32_t parent, letter;
    uint8_t starts; /* t starts with that letter */
};

struct explore {
    struct patterns_match_detail *rp;
    const struct patterns_automaton *m;
    uint32_t need[PATTERNS_VARS_MAX]; /* bits that its condition wants */
    bool maybe[PATTERNS_VARS_MAX];    /* it wants more */
    bool never[PATTERNS_VARS_MAX];
    uint32_t *relevant; /* per state: bits that a step from there asks for */
    const struct patterns_bound *preds[BITS_MAX];                      /* unary condition of a bit, or NULL */
    uint32_t bits;
    bool certain; /* no condition is a maybe */
    bool ahead;   /* a thread may rest behind its last row */
    bool realizable[1u << BITS_MAX];                                  /* letters that are tried */
    const struct patterns_bound *values[1u << BITS_MAX][COLUMNS_MAX]; /* of a row that makes the letter */
    uint32_t columns[COLUMNS_MAX], column_count;
    struct node *nodes;
    uint32_t node_count;
    bool overflow; /* too many threads: gives up */
    bool no_memory;
    uint32_t steps;
    uint32_t letter;
    bool behind;      /* rows taken now stand at or behind t */
    uint32_t accepts; /* of the step under way: ACCEPTS_* */
};

enum { ACCEPTS_BEFORE = 1, ACCEPTS_OVER = 2 }; /* a match of rows before t alone, or with rows at or behind t */
enum truth { NO, MAYBE, YES };

/* ---- steps of one start ---- */

static enum truth holds(const struct explore *x, uint32_t var)
{
    if (x->never[var] || (x->letter & x->need[var]) != x->need[var])
        return NO;
    return x->maybe[var] ? MAYBE : YES;
}

static enum truth any_holds(const struct explore *x, const struct patterns_varset *set)
{
    enum truth found = NO;
    for (uint32_t v = 0; v < x->rp->var_count && found != YES; v++) {
        enum truth one = patterns_varset_has(set, v) ? holds(x, v) : NO;
        found = one > found ? one : found;
    }
    return found;
}

static enum truth violates(const struct explore *x, uint32_t guards, bool taken)
{
    enum truth found = NO;
    for (uint32_t g = 0; g < x->m->guard_count && found != YES; g++) {
        if (!((guards >> g) & 1) || (taken && x->m->guards[g].kind == CEP_GUARD_NOT))
            continue;
        enum truth one = any_holds(x, &x->m->guards[g].set);
        found = one > found ? one : found;
    }
    return found;
}

/* Guards that a row which is passed over ends, or may end: a thread with fewer guards can do all that one with more can. */
static uint32_t lifted(const struct explore *x, uint32_t guards)
{
    uint32_t mask = 0;
    for (uint32_t g = 0; g < x->m->guard_count; g++)
        mask |= ((guards >> g) & 1) && any_holds(x, &x->m->guards[g].lifts) != NO ? UINT32_C(1) << g : 0;
    return mask;
}

static uint32_t of_kind(const struct explore *x, uint32_t kind)
{
    uint32_t mask = 0;
    for (uint32_t g = 0; g < x->m->guard_count; g++)
        mask |= x->m->guards[g].kind == kind ? UINT32_C(1) << g : 0;
    return mask;
}

/* Guards that hold behind the last row. */
static uint32_t at_end(const struct explore *x)
{
    return of_kind(x, CEP_GUARD_NOT_NEXT);
}

static uint32_t next_only(const struct explore *x)
{
    return at_end(x) | of_kind(x, CEP_GUARD_NOT_AHEAD);
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

/* Notes a completion; true: what is less preferred is cut. */
static bool accept(struct explore *x, const struct thread *thread)
{
    x->accepts |= thread->took ? ACCEPTS_OVER : ACCEPTS_BEFORE;
    return x->certain;
}

/* Resting threads behind pc in order of preference; true: the match is complete and what is less preferred was cut. */
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
        } else if (s->op == CEP_NFA_MATCH && !(thread.guards & at_end(x))) {
            if (accept(x, &thread))
                return true;
        } else {
            add(x, list, thread);
        }
    }
    return false;
}

static bool step_thread(struct explore *x, struct thread thread, struct threads *out)
{
    const struct patterns_state *s = &x->m->states[thread.pc];
    if (s->op == CEP_NFA_TAKE) {
        if (violates(x, thread.guards, true) == YES || holds(x, s->var) == NO)
            return false;
        return closure(x, (struct thread){ (uint16_t)s->a, x->behind, 0, 0 }, out);
    }
    if (s->op == CEP_NFA_MATCH)
        return violates(x, thread.guards & at_end(x), true) != YES && accept(x, &thread); /* a possessive loop forbids only rows that are taken */
    if (s->op == CEP_NFA_WAIT) {
        enum truth starts = any_holds(x, &s->firsts);
        struct threads inner = { 0 };
        if (starts != NO)
            (void)closure(x, (struct thread){ (uint16_t)s->a, thread.took, 0, thread.guards }, &inner); /* it takes a row: nothing completes here */
        for (uint32_t i = 0; i < inner.count; i++) {
            if (step_thread(x, inner.at[i], out))
                return true;
        }
        if (starts == YES && !s->any)
            return false;
    }
    if (violates(x, thread.guards, false) == YES)
        return false;
    thread.guards &= ~(next_only(x) | lifted(x, thread.guards));
    add(x, out, thread);
    return false;
}

/* Steps a start over the row x->letter; x->accepts: how it completes, or may complete. */
static void step(struct explore *x, struct threads *list)
{
    struct threads out = { 0 };
    x->accepts = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (step_thread(x, list->at[i], &out))
            break;
    }
    *list = out;
}

/* True: it can match without a row. */
static bool begin(struct explore *x, struct threads *list)
{
    list->count = 0;
    x->accepts = 0;
    (void)closure(x, (struct thread){ 0 }, list);
    return x->accepts != 0;
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
static void expire(struct explore *x, struct threads *list)
{
    x->accepts = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (x->m->states[list->at[i].pc].op == CEP_NFA_ABSENT && accept(x, &list->at[i])) {
            list->count = i;
            return;
        }
    }
}

/* ---- exploration of pairs ---- */

enum outcome { GOES_ON, HARMLESS, WITHDRAWS };

/* What a letter makes of a pair, before it is said who completes. */
struct advance {
    struct pair pair;
    uint32_t s_accepts, t_accepts;
};

static void advance(struct explore *x, const struct pair *from, uint32_t letter, bool starts, struct advance *ret)
{
    *ret = (struct advance){ .pair = *from };
    struct pair *to = &ret->pair;
    x->letter = letter;
    x->behind = from->started || starts;
    x->steps++;
    if (starts) {
        to->started = 1;
        (void)begin(x, &to->t);
    }
    if (letter == LETTER_DEADLINE_S) {
        expire(x, &to->s);
        ret->s_accepts = x->accepts;
    } else if (letter == LETTER_DEADLINE_T) {
        expire(x, &to->t);
        ret->t_accepts = x->accepts;
    } else {
        bool s_waits = in_absence(x, &from->s), t_waits = in_absence(x, &from->t);
        to->begun = 1;
        step(x, &to->s);
        ret->s_accepts = x->accepts;
        if (to->started && !to->told) {
            step(x, &to->t);
            ret->t_accepts = x->accepts;
        }
        if (t_waits && !s_waits && in_absence(x, &to->s))
            to->overtaken = 1;
    }
}

/* s_done: 0 or how it completes. */
static enum outcome complete(const struct explore *x, const struct pair *from, uint32_t s_done, bool t_done, struct pair *to)
{
    bool exact = x->rp->clause->skip == PATTERNS_SKIP_PAST_LAST_ROW, one = x->rp->clause->rows == PATTERNS_ROWS_ONE;
    if (s_done && from->accepted && (!one || !exact || x->ahead))
        return WITHDRAWS; /* rows of the match told before may go, or less is covered than before */
    if (s_done)
        to->accepted = 1;
    if (s_done == ACCEPTS_OVER && to->started) {
        if (from->told)
            return WITHDRAWS;
        if (exact)
            return HARMLESS; /* t is covered before it is told, and stays so */
    }
    if (t_done) {
        to->told = 1;
        to->t.count = 0;
    }
    if (to->started && !to->told && to->t.count == 0)
        return HARMLESS;
    return to->s.count == 0 ? HARMLESS : GOES_ON;
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
    canonical.begun = pair->begun;
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

/* Bits that steps of these threads ask for. */
static uint32_t asked(const struct explore *x, const struct threads *list)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        mask |= x->relevant[list->at[i].pc];
        for (uint32_t g = 0; g < x->m->guard_count; g++) {
            if (!((list->at[i].guards >> g) & 1))
                continue;
            for (uint32_t v = 0; v < x->rp->var_count; v++) {
                if (patterns_varset_has(&x->m->guards[g].set, v) || patterns_varset_has(&x->m->guards[g].lifts, v))
                    mask |= x->need[v];
            }
        }
    }
    return mask;
}

/* Bits that a step from pc asks for: of the variables that it may take or wait for. */
static uint32_t relevant_at(struct explore *x, uint32_t pc, uint32_t depth)
{
    const struct patterns_state *s = &x->m->states[pc];
    uint32_t mask = 0;
    if (depth > STATES_MAX)
        return (1u << x->bits) - 1;
    if (s->op == CEP_NFA_TAKE)
        return x->need[s->var];
    if (s->op == CEP_NFA_WAIT) {
        for (uint32_t v = 0; v < x->rp->var_count; v++)
            mask |= patterns_varset_has(&s->firsts, v) ? x->need[v] : 0;
        return mask | relevant_at(x, s->a, depth + 1);
    }
    if (s->op == CEP_NFA_GUARD) {
        for (uint32_t v = 0; v < x->rp->var_count; v++)
            mask |= patterns_varset_has(&x->m->guards[s->guard].set, v) ? x->need[v] : 0;
        return mask | relevant_at(x, s->a, depth + 1);
    }
    return s->op == CEP_NFA_SPLIT ? (1u << x->bits) - 1 : 0;
}

struct search {
    struct base_map seen;
    uint32_t bad, bad_letter; /* the node that a withdrawal follows, CEP_NONE: there is none */
};

/* Follows a node over one letter, whoever completes. */
static int follow(struct explore *x, struct search *search, uint32_t node, uint32_t letter, bool starts)
{
    const struct pair from = x->nodes[node].pair;
    struct advance all;
    int r = 0;
    advance(x, &from, letter, starts, &all);
    for (uint32_t s_done = 0; s_done <= ACCEPTS_OVER && !r && search->bad == CEP_NONE; s_done++) {
        if (s_done ? !(all.s_accepts & s_done) : x->certain && all.s_accepts)
            continue;
        for (uint32_t t_done = 0; t_done <= 1 && !r && search->bad == CEP_NONE; t_done++) {
            if (t_done ? !all.t_accepts : x->certain && all.t_accepts)
                continue;
            struct pair to = all.pair;
            enum outcome outcome = complete(x, &from, s_done, t_done, &to);
            if (outcome == WITHDRAWS) {
                search->bad = node;
                search->bad_letter = letter;
            } else if (outcome == GOES_ON) {
                r = visit(x, &search->seen, &to, node, letter, starts);
            }
        }
    }
    return r;
}

/* All rows and deadlines that may come at a node. Letters that agree in what is asked for lead to the same. */
static int expand(struct explore *x, struct search *search, uint32_t node, uint32_t asked_first)
{
    const struct pair *at = &x->nodes[node].pair;
    uint8_t done[1u << BITS_MAX] = { 0 };
    bool may_start = at->begun && !at->started, s_waits = in_absence(x, &at->s), t_waits = in_absence(x, &at->t), overtaken = at->overtaken;
    uint32_t mask = asked(x, &at->s) | asked(x, &at->t) | (may_start ? asked_first : 0);
    int r = 0;
    for (uint32_t k = 0; k < 1u << x->bits && !r && search->bad == CEP_NONE; k++) {
        if (!x->realizable[k] || done[k & mask])
            continue;
        done[k & mask] = 1;
        for (int starts = 0; starts <= may_start && !r && search->bad == CEP_NONE; starts++)
            r = follow(x, search, node, k, starts);
    }
    if (!r && search->bad == CEP_NONE && s_waits)
        r = follow(x, search, node, LETTER_DEADLINE_S, false);
    if (!r && search->bad == CEP_NONE && t_waits && (!s_waits || overtaken || !x->certain))
        r = follow(x, search, node, LETTER_DEADLINE_T, false);
    return r;
}

/* BFS. *ret_bad: node that a withdrawal follows, its letter in *ret_letter; CEP_NONE: there is none. */
static int explore(struct explore *x, uint32_t *ret_bad, uint32_t *ret_letter)
{
    struct search search = { .bad = CEP_NONE };
    struct pair first;
    memset(&first, 0, sizeof first);
    x->node_count = x->steps = 0;
    x->overflow = false;
    for (uint32_t pc = 0; pc < x->m->count; pc++)
        x->relevant[pc] = relevant_at(x, pc, 0);
    if (begin(x, &first.s))
        x->overflow = true; /* matches no rows: not looked into */
    uint32_t asked_first = asked(x, &first.s);
    int r = visit(x, &search.seen, &first, CEP_NONE, 0, false);
    for (uint32_t i = 0; i < x->node_count && !r && !x->overflow && search.bad == CEP_NONE; i++) {
        r = expand(x, &search, i, asked_first);
        x->overflow |= x->steps > STEPS_MAX;
    }
    base_map_finish(&search.seen);
    *ret_bad = search.bad;
    *ret_letter = search.bad_letter;
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
    (void)begin(x, &list);
    for (uint32_t i = start; i < len && list.count; i++) {
        x->letter = letters[i];
        x->behind = true;
        step(x, &list);
        if (x->accepts)
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

/* ---- bits ---- */

/* The bit of a condition on the row alone; BITS_MAX: there are too many. */
static uint32_t bit_of(struct explore *x, const struct patterns_bound *pred)
{
    uint32_t bit = 0;
    while (bit < x->bits && !patterns_bound_same(x->preds[bit], pred))
        bit++;
    if (bit == x->bits && bit < BITS_MAX)
        x->preds[x->bits++] = pred;
    return bit;
}

/* Takes a condition in: its parts on the row alone become bits, the rest, and what finds no bit, a maybe. */
static void take_condition(struct explore *x, uint32_t var, const struct patterns_bound *pred)
{
    uint32_t bit = patterns_rp_is_unary(pred) ? bit_of(x, pred) : BITS_MAX;
    if (bit < BITS_MAX) {
        x->need[var] |= 1u << bit;
    } else if (pred->kind == PATTERNS_BOUND_AND) {
        for (uint32_t i = 0; i < pred->arg_count; i++)
            take_condition(x, var, pred->args[i]);
    } else {
        x->maybe[var] = true;
        x->certain = false;
    }
}

/* Gives each different condition a bit. */
static void number_bits(struct explore *x)
{
    struct patterns_match_detail *rp = x->rp;
    x->certain = true;
    for (uint32_t v = 0; v < rp->var_count; v++) {
        const struct patterns_bound *pred = rp->vars[v].pred;
        x->never[v] = pred && patterns_bound_is_never(pred);
        if (pred && !x->never[v])
            take_condition(x, v, pred);
    }
}

/* For the proof a letter counts unless two of its conditions exclude each other. */
static void admit_letters(struct explore *x)
{
    for (uint32_t letter = 0; letter < 1u << x->bits; letter++) {
        bool good = true;
        for (uint32_t a = 0; a < x->bits; a++) {
            for (uint32_t b = a + 1; b < x->bits && good; b++) {
                if ((letter >> a & 1) && (letter >> b & 1))
                    good = !patterns_rp_excludes(x->preds[a], x->preds[b]);
            }
        }
        x->realizable[letter] = good;
    }
}

static int judge(struct explore *x, const char **ret_verdict, const char **ret_why)
{
    struct patterns_match_detail *rp = x->rp;
    uint32_t bad, letter;
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
               : !x->certain
                   ? "conditions that read earlier rows may let a later start complete before an earlier one, which then skips over its match"
                   : "an earlier start may complete later than a later one, and then skips over its match";
    if (x->overflow || !x->certain || rp->clause->skip != PATTERNS_SKIP_PAST_LAST_ROW ||
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

int patterns_rp_stability_pairs(struct patterns_match_detail *rp, const char **ret_verdict, const char **ret_why)
{
    struct explore *x = base_arena_zalloc(rp->binder->arena, 1, sizeof *x);
    if (!x)
        return BASE_E_NOMEM;
    x->rp = rp;
    x->m = rp->automaton;
    if (x->m->count > STATES_MAX) {
        *ret_why = "the pattern is too large to be explored";
        return 0;
    }
    number_bits(x);
    x->ahead = x->m->has_not_next || x->m->has_absent;
    x->relevant = base_arena_zalloc(rp->binder->arena, x->m->count, sizeof *x->relevant);
    x->nodes = base_alloc(PAIRS_MAX * sizeof *x->nodes); /* more than all else of a rule: not for as long as the rule lives */
    int r = x->relevant && x->nodes ? judge(x, ret_verdict, ret_why) : BASE_E_NOMEM;
    base_free(x->nodes);
    x->nodes = NULL;
    return r;
}
