/* Thompson's construction with ordered alternatives, built from the end to the front: build(tree, next) gives the entry
 * of an automaton that goes on at `next`, so no placeholder states are ever made. Counted repetition is expanded. At
 * the end states are renumbered depth first, preferred alternative first, and what cannot be reached is dropped.
 * docs/semantics.md gives the meaning of each construct. */
#include "patterns/automaton.h"

#include <string.h>

struct build {
    struct base_arena *arena;
    struct patterns_automaton *automaton;
    struct patterns_fault *fault;
    const struct patterns_pat *root;
    uint32_t cap;
    int64_t within_ms;
    int error; /* sticky */
};
/* Where a subtree stands. */
struct where {
    bool excluded; /* within {- -} */
    bool tail;     /* nothing is written behind it in the pattern */
    bool relaxed;  /* what follows it starts with an arrow */
};

static uint32_t fail(struct build *b, int error, const struct patterns_pat *at, const struct patterns_fault *what)
{
    if (!b->error) {
        b->error = error;
        *b->fault = *what;
        b->fault->at = at;
    }
    return 0;
}

static uint32_t add_state(struct build *b, const struct patterns_pat *at, struct patterns_state state)
{
    struct patterns_automaton *m = b->automaton;
    if (b->error)
        return 0;
    if (m->count == PATTERNS_STATES_MAX)
        return fail(b, BASE_E_LIMIT, b->root,
                    &(struct patterns_fault){
                        "limit", "the pattern needs more than 100000 automaton states",
                        "counted repetitions are written out: use smaller bounds, or `+` with a condition on COUNT",
                        NULL });
    if (m->count == b->cap) {
        uint32_t cap = b->cap ? b->cap * 2 : 32;
        struct patterns_state *states = base_arena_zalloc(b->arena, cap, sizeof *states);
        if (!states)
            return fail(b, BASE_E_NOMEM, at, &(struct patterns_fault){ "memory", "out of memory", NULL, NULL });
        if (m->count)
            memcpy(states, m->states, m->count * sizeof *states);
        m->states = states;
        b->cap = cap;
    }
    m->states[m->count] = state;
    return m->count++;
}

/* Where nothing leads to the end of the pattern. */
#define DEAD (CEP_NONE - 1)

static uint32_t add_split(struct build *b, const struct patterns_pat *at, uint32_t preferred, uint32_t other)
{
    if (preferred == DEAD || other == DEAD)
        return preferred == DEAD ? other : preferred;
    return add_state(b, at, (struct patterns_state){ .op = CEP_NFA_SPLIT, .a = preferred, .b = other });
}

static uint32_t add_guard(struct build *b, const struct patterns_pat *at, struct patterns_guard want, uint32_t next)
{
    struct patterns_automaton *m = b->automaton;
    uint32_t guard = 0;
    while (guard < m->guard_count &&
           (m->guards[guard].kind != want.kind || !patterns_varset_equal(&m->guards[guard].set, &want.set) ||
            !patterns_varset_equal(&m->guards[guard].lifts, &want.lifts)))
        guard++;
    if (guard == m->guard_count) {
        if (guard == PATTERNS_GUARDS_MAX)
            return fail(b, BASE_E_LIMIT, at,
                        &(struct patterns_fault){ "limit",
                                                  "the pattern has more than 32 different NOTs and possessive loops",
                                                  "split it into several rules", NULL });
        m->guards[m->guard_count++] = want;
    }
    if (want.kind == CEP_GUARD_NOT_NEXT)
        m->has_not_next = true;
    if (next == DEAD)
        return DEAD;
    return add_state(b, at, (struct patterns_state){ .op = CEP_NFA_GUARD, .guard = (uint16_t)guard, .a = next });
}

/* Does its most preferred way to match take no row? */
static bool prefers_empty(const struct patterns_pat *pat)
{
    switch (pat->kind) {
    case PATTERNS_PAT_VAR: return false;
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END:
    case PATTERNS_PAT_NOT: return true;
    case PATTERNS_PAT_SEQ:
    case PATTERNS_PAT_PERMUTE:
        for (uint32_t i = 0; i < pat->count; i++) {
            if (!prefers_empty(pat->children[i]))
                return false;
        }
        return true;
    case PATTERNS_PAT_LOOP:
        return (pat->min == 0 && pat->greed == PATTERNS_RELUCTANT) || prefers_empty(pat->children[0]);
    case PATTERNS_PAT_ALT:
    case PATTERNS_PAT_EXCLUDE:
    case PATTERNS_PAT_RELAX: return prefers_empty(pat->children[0]);
    }
    return false;
}

enum begin { BEGINS_STRICT, BEGINS_RELAXED, BEGINS_NOTHING };

/* How the element begins, NOTs and anchors passed over: decides whether a NOT before it looks at the next row only. */
static enum begin begins(const struct patterns_pat *pat)
{
    enum begin found = BEGINS_NOTHING;
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END: return BEGINS_NOTHING;
    case PATTERNS_PAT_NOT: return pat->arrow ? BEGINS_RELAXED : BEGINS_NOTHING;
    case PATTERNS_PAT_VAR: return BEGINS_STRICT;
    case PATTERNS_PAT_RELAX: return BEGINS_RELAXED;
    case PATTERNS_PAT_SEQ:
        for (uint32_t i = 0; i < pat->count && found == BEGINS_NOTHING; i++)
            found = begins(pat->children[i]);
        return found;
    case PATTERNS_PAT_ALT:
    case PATTERNS_PAT_PERMUTE:
    case PATTERNS_PAT_LOOP:
    case PATTERNS_PAT_EXCLUDE:
        for (uint32_t i = 0; i < pat->count && found != BEGINS_RELAXED; i++) {
            enum begin one = begins(pat->children[i]);
            if (one != BEGINS_NOTHING)
                found = one;
        }
        return found;
    }
    return found;
}

/* Entries of what follows, with and without a row taken since the front began. */
struct ends {
    uint32_t taken, start;
};
struct relax;
/* The part of an element before its first row: of the whole match, where there is nothing to skip and arrows do nothing, or behind an arrow, whose
 * WAIT then stands before each first row, so that every way keeps its place in the order of preference. */
struct front {
    bool match;                /* of the whole match */
    const struct relax *relax; /* arrows whose WAITs stand before each first row; NULL: none */
};

static uint32_t build(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next);
static uint32_t build_front(struct build *b, const struct patterns_pat *pat, struct where w, struct ends next, struct front f);
static uint32_t front_relax(struct build *b, const struct patterns_pat *pat, struct where w, struct ends next, struct front f);

static uint32_t build_seq(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    for (uint32_t i = pat->count; i-- > 0 && !b->error;) {
        struct where at = { w.excluded, w.tail && i + 1 == pat->count, w.relaxed };
        enum begin found = BEGINS_NOTHING;
        for (uint32_t k = i + 1; k < pat->count && found == BEGINS_NOTHING; k++)
            found = begins(pat->children[k]);
        if (found != BEGINS_NOTHING)
            at.relaxed = found == BEGINS_RELAXED;
        next = build(b, pat->children[i], at, next);
    }
    return next;
}

static uint32_t build_alt(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    uint32_t entry = build(b, pat->children[pat->count - 1], w, next);
    for (uint32_t i = pat->count - 1; i-- > 0 && !b->error;)
        entry = add_split(b, pat, build(b, pat->children[i], w, next), entry);
    return entry;
}

/* From a given row, is there at most one way through it? */
static bool has_one_way(const struct patterns_pat *pat)
{
    bool one = true;
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_VAR:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END:
    case PATTERNS_PAT_NOT: return true;
    case PATTERNS_PAT_ALT:
    case PATTERNS_PAT_PERMUTE: return false;
    case PATTERNS_PAT_RELAX: return !pat->any && has_one_way(pat->children[0]);
    case PATTERNS_PAT_LOOP: return pat->min == pat->max && has_one_way(pat->children[0]);
    case PATTERNS_PAT_EXCLUDE:
    case PATTERNS_PAT_SEQ:
        for (uint32_t i = 0; i < pat->count; i++)
            one = one && has_one_way(pat->children[i]);
        return one;
    }
    return false;
}

struct orders {
    struct where where;
    uint32_t next;
    uint32_t order[PATTERNS_MAX_PERMUTE]; /* elements in this order so far */
    uint32_t entry;                       /* of the less preferred orders; CEP_NONE: none yet */
};

/* All orders that begin with the first `depth` of orders->order, the last in list order first: each new one is preferred to those before it. */
static void build_orders(struct build *b, const struct patterns_pat *pat, struct orders *orders, uint32_t depth)
{
    if (depth == pat->count) {
        uint32_t one = orders->next;
        for (uint32_t i = depth; i-- > 0 && !b->error;)
            one = build(b, pat->children[orders->order[i]], orders->where, one);
        orders->entry = orders->entry == CEP_NONE ? one : add_split(b, pat, one, orders->entry);
        return;
    }
    for (uint32_t i = pat->count; i-- > 0 && !b->error;) {
        bool taken = false;
        for (uint32_t k = 0; k < depth; k++)
            taken = taken || orders->order[k] == i;
        orders->order[depth] = i;
        if (!taken)
            build_orders(b, pat, orders, depth + 1);
    }
}

/* The alternation of all orders of the elements, in list order. Where each element has one way only, one state per set of elements already taken
 * does: 2^k entries and k*2^(k-1) copies of elements instead of k! sequences. Otherwise all ways of the first order come before any of the
 * second, although both begin with the same element, so nothing can be shared. */
static uint32_t build_permute(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    uint32_t entries[1u << PATTERNS_MAX_PERMUTE];
    bool one_way = true;
    if (pat->count > PATTERNS_MAX_PERMUTE)
        return fail(b, BASE_E_LIMIT, pat,
                    &(struct patterns_fault){ "limit", "PERMUTE takes at most 6 elements", NULL, NULL });
    w.tail = false;
    for (uint32_t i = 0; i < pat->count; i++)
        one_way = one_way && has_one_way(pat->children[i]);
    if (!one_way) {
        struct orders orders = { .where = w, .next = next, .entry = CEP_NONE };
        build_orders(b, pat, &orders, 0);
        return b->error ? 0 : orders.entry;
    }
    uint32_t full = (1u << pat->count) - 1;
    entries[full] = next;
    for (uint32_t taken = full; taken-- > 0 && !b->error;) {
        uint32_t entry = CEP_NONE;
        for (uint32_t i = pat->count; i-- > 0 && !b->error;) {
            if (taken & (1u << i))
                continue;
            uint32_t one = build(b, pat->children[i], w, entries[taken | (1u << i)]);
            entry = entry == CEP_NONE ? one : add_split(b, pat, one, entry);
        }
        entries[taken] = entry;
    }
    return b->error ? 0 : entries[0];
}

/* The variables of NOTs that stand before the first row and hold until then: where one of them comes, the element can
 * no longer be entered. */
static void first_nots(const struct patterns_pat *pat, struct patterns_varset *set)
{
    if (pat->kind == PATTERNS_PAT_LOOP || pat->kind == PATTERNS_PAT_EXCLUDE || pat->kind == PATTERNS_PAT_RELAX)
        first_nots(pat->children[0], set);
    for (uint32_t i = 0; pat->kind == PATTERNS_PAT_SEQ && i < pat->count; i++) {
        const struct patterns_pat *child = pat->children[i];
        enum begin found = BEGINS_NOTHING;
        for (uint32_t k = i + 1; k < pat->count && found == BEGINS_NOTHING; k++)
            found = begins(pat->children[k]);
        if (child->kind == PATTERNS_PAT_NOT && (child->arrow || found == BEGINS_RELAXED))
            patterns_varset_join(set, &child->set);
        first_nots(child, set);
        if (!patterns_pat_nullable(child))
            break;
    }
}

static struct where loop_inside(const struct patterns_pat *pat, struct where w)
{
    bool again = pat->max > 1 && begins(pat->children[0]) == BEGINS_RELAXED;
    return (struct where){ w.excluded, w.tail && pat->max == 1, w.relaxed || again };
}

/* Where a loop goes on that is left before its maximum. */
static uint32_t loop_leave(struct build *b, const struct patterns_pat *pat, uint32_t next)
{
    struct patterns_guard guard = { .kind = CEP_GUARD_POSSESSIVE };
    if (pat->greed != PATTERNS_POSSESSIVE || pat->min == pat->max)
        return next;
    patterns_pat_firsts(pat->children[0], &guard.set);
    first_nots(pat->children[0], &guard.lifts);
    return add_guard(b, pat, guard, next);
}

static uint32_t loop_choice(struct build *b, const struct patterns_pat *pat, uint32_t again, uint32_t leave)
{
    return pat->greed == PATTERNS_RELUCTANT ? add_split(b, pat, leave, again) : add_split(b, pat, again, leave);
}

/* The head of an unbounded loop whose minimum is behind it. */
static uint32_t loop_head(struct build *b, const struct patterns_pat *pat, struct where inner, uint32_t leave)
{
    const struct patterns_pat *body = pat->children[0];
    uint32_t head = add_split(b, pat, 0, 0), entry;
    if (patterns_pat_nullable(body)) {
        uint32_t out = add_state(b, pat,
                                 (struct patterns_state){
                                     .op = CEP_NFA_LOOP_OUT, .loop = (uint8_t)pat->loop, .a = head, .b = leave });
        entry = build(b, body, inner, out);
        entry =
            add_state(b, pat, (struct patterns_state){ .op = CEP_NFA_LOOP_IN, .loop = (uint8_t)pat->loop, .a = entry });
    } else {
        entry = build(b, body, inner, head);
    }
    if (b->error)
        return 0;
    b->automaton->states[head].a = pat->greed == PATTERNS_RELUCTANT ? leave : entry;
    b->automaton->states[head].b = pat->greed == PATTERNS_RELUCTANT ? entry : leave;
    return head;
}

/* The rest of a loop when `done` iterations are behind it. */
static uint32_t build_loop(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t done,
                           uint32_t next)
{
    const struct patterns_pat *body = pat->children[0];
    struct where inner = loop_inside(pat, w);
    uint32_t leave = loop_leave(b, pat, next), least = pat->min > done ? pat->min : done;
    if (pat->max == PATTERNS_UNBOUNDED)
        next = loop_head(b, pat, inner, leave);
    for (uint32_t i = pat->max; pat->max != PATTERNS_UNBOUNDED && i > least && !b->error; i--)
        next = loop_choice(b, pat, build(b, body, inner, next), leave);
    for (uint32_t i = least; i > done && !b->error; i--)
        next = build(b, body, inner, next);
    return next;
}

static uint32_t build_not(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    if (!w.tail && pat->for_ms)
        return fail(b, BASE_E_SYNTAX, pat,
                    &(struct patterns_fault){
                        "pattern-not", "FOR INTERVAL belongs to a NOT at the end of the pattern",
                        "put the NOT last; between two elements a NOT holds until the next element is taken", NULL });
    if (!w.tail)
        return add_guard(b, pat,
                         (struct patterns_guard){ .kind = pat->arrow || w.relaxed ? CEP_GUARD_NOT : CEP_GUARD_NOT_AHEAD,
                                                  .set = pat->set },
                         next);
    if (!pat->arrow && !pat->for_ms)
        return add_guard(b, pat, (struct patterns_guard){ .kind = CEP_GUARD_NOT_NEXT, .set = pat->set }, next);
    if (!pat->for_ms && !b->within_ms)
        return fail(b, BASE_E_SYNTAX, pat,
                    &(struct patterns_fault){
                        "missing-within", "an absence at the end of the pattern needs to know how long to wait",
                        "add WITHIN INTERVAL '...' behind PATTERN (...), or FOR INTERVAL '...' behind the NOT", NULL });
    b->automaton->has_absent = true;
    if (pat->for_ms)
        b->automaton->has_absent_for = true;
    else
        b->automaton->has_absent_within = true;
    next = add_state(b, pat, (struct patterns_state){ .op = CEP_NFA_ABSENT, .absent_ms = pat->for_ms, .a = next });
    return add_guard(b, pat, (struct patterns_guard){ .kind = CEP_GUARD_NOT, .set = pat->set }, next);
}

static uint32_t build(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    if (b->error)
        return 0;
    if (next == DEAD)
        return DEAD; /* what leads nowhere is not built */
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY: return next;
    case PATTERNS_PAT_VAR:
        return add_state(b, pat,
                         (struct patterns_state){
                             .op = CEP_NFA_TAKE, .var = (uint16_t)pat->var, .excluded = w.excluded, .a = next });
    case PATTERNS_PAT_SEQ: return build_seq(b, pat, w, next);
    case PATTERNS_PAT_ALT: return build_alt(b, pat, w, next);
    case PATTERNS_PAT_PERMUTE: return build_permute(b, pat, w, next);
    case PATTERNS_PAT_LOOP: return build_loop(b, pat, w, 0, next);
    case PATTERNS_PAT_START: return add_state(b, pat, (struct patterns_state){ .op = CEP_NFA_START, .a = next });
    case PATTERNS_PAT_END: return add_state(b, pat, (struct patterns_state){ .op = CEP_NFA_END, .a = next });
    case PATTERNS_PAT_EXCLUDE: w.excluded = true; return build(b, pat->children[0], w, next);
    case PATTERNS_PAT_RELAX: return front_relax(b, pat, w, (struct ends){ next, next }, (struct front){ 0 });
    case PATTERNS_PAT_NOT: return build_not(b, pat, w, next);
    }
    return next;
}

/* Numbers the loops whose body may be empty. Copies of one loop share a number: they never nest in each other. */
static void number_loops(struct build *b, struct patterns_pat *pat)
{
    if (pat->kind == PATTERNS_PAT_LOOP && pat->max == PATTERNS_UNBOUNDED && patterns_pat_nullable(pat->children[0])) {
        if (b->automaton->loops == PATTERNS_LOOPS_MAX)
            fail(b, BASE_E_LIMIT, pat,
                 &(struct patterns_fault){ "limit", "the pattern has more than 64 loops whose body may be empty", NULL,
                                           NULL });
        else
            pat->loop = b->automaton->loops++;
    }
    for (uint32_t i = 0; i < pat->count; i++)
        number_loops(b, pat->children[i]);
}

/* ---- what stands before the first row, of a match or behind an arrow ---- */

struct relax {
    const struct patterns_pat *at;
    struct patterns_varset firsts; /* of the whole element */
    bool any;
    const struct relax *outer; /* an arrow in which this one is the first thing; NULL: none */
};

static uint32_t add_wait(struct build *b, const struct relax *relax, uint32_t entry)
{
    b->automaton->has_wait = true;
    return add_state(b, relax->at,
                     (struct patterns_state){
                         .op = CEP_NFA_WAIT, .any = relax->any, .firsts = relax->firsts, .a = entry });
}

static uint32_t front_seq(struct build *b, const struct patterns_pat *pat, struct where w, struct ends next, struct front f)
{
    for (uint32_t i = pat->count; i-- > 0 && !b->error;) {
        const struct patterns_pat *child = pat->children[i];
        struct where at = { w.excluded, w.tail && i + 1 == pat->count, w.relaxed };
        enum begin found = BEGINS_NOTHING;
        for (uint32_t k = i + 1; k < pat->count && found == BEGINS_NOTHING; k++)
            found = begins(pat->children[k]);
        if (found != BEGINS_NOTHING)
            at.relaxed = found == BEGINS_RELAXED;
        bool front = true; /* may its beginning be reached with no row taken? */
        for (uint32_t k = 0; k < i; k++)
            front = front && patterns_pat_nullable(pat->children[k]);
        next = (struct ends){ i ? build(b, child, at, next.taken) : 0, front ? build_front(b, child, at, next, f) : DEAD };
    }
    return next.start;
}

struct front_orders {
    struct where where;
    struct front front;
    struct ends next;
    uint32_t order[PATTERNS_MAX_PERMUTE];
    uint32_t entry;
};

/* As build_orders. */
static void front_build_orders(struct build *b, const struct patterns_pat *pat, struct front_orders *orders, uint32_t depth)
{
    if (depth == pat->count) {
        struct ends at = orders->next;
        for (uint32_t i = depth; i-- > 0 && !b->error;) {
            const struct patterns_pat *child = pat->children[orders->order[i]];
            at = (struct ends){ i ? build(b, child, orders->where, at.taken) : 0,
                                build_front(b, child, orders->where, at, orders->front) };
        }
        orders->entry = orders->entry == CEP_NONE ? at.start : add_split(b, pat, at.start, orders->entry);
        return;
    }
    for (uint32_t i = pat->count; i-- > 0 && !b->error;) {
        bool taken = false;
        for (uint32_t k = 0; k < depth; k++)
            taken = taken || orders->order[k] == i;
        orders->order[depth] = i;
        if (!taken)
            front_build_orders(b, pat, orders, depth + 1);
    }
}

static uint32_t front_permute(struct build *b, const struct patterns_pat *pat, struct where w, struct ends next, struct front f)
{
    struct ends entries[1u << PATTERNS_MAX_PERMUTE];
    uint32_t full = (1u << pat->count) - 1;
    bool one_way = true;
    if (pat->count > PATTERNS_MAX_PERMUTE)
        return build(b, pat, w, next.taken); /* which refuses it */
    w.tail = false;
    for (uint32_t i = 0; i < pat->count; i++)
        one_way = one_way && has_one_way(pat->children[i]);
    if (!one_way) {
        struct front_orders orders = { .where = w, .front = f, .next = next, .entry = CEP_NONE };
        front_build_orders(b, pat, &orders, 0);
        return b->error ? 0 : orders.entry;
    }
    entries[full] = next;
    for (uint32_t taken = full; taken-- > 0 && !b->error;) {
        struct ends entry = { CEP_NONE, CEP_NONE };
        for (uint32_t i = pat->count; i-- > 0 && !b->error;) {
            if (taken & (1u << i))
                continue;
            struct ends behind = entries[taken | (1u << i)];
            uint32_t one = build(b, pat->children[i], w, behind.taken),
                     first = build_front(b, pat->children[i], w, behind, f);
            entry.taken = entry.taken == CEP_NONE ? one : add_split(b, pat, one, entry.taken);
            entry.start = entry.start == CEP_NONE ? first : add_split(b, pat, first, entry.start);
        }
        entries[taken] = entry;
    }
    return b->error ? 0 : entries[0].start;
}

/* An iteration that took no row leaves an unbounded loop (Perl's rule): before the first row that is known here. */
static uint32_t front_loop(struct build *b, const struct patterns_pat *pat, struct where w, struct ends next, struct front f)
{
    const struct patterns_pat *body = pat->children[0];
    struct where inner = loop_inside(pat, w);
    struct ends leave = { loop_leave(b, pat, next.taken), loop_leave(b, pat, next.start) };
    if (pat->max == PATTERNS_UNBOUNDED) {
        uint32_t head = next.taken == DEAD ? DEAD : loop_head(b, pat, inner, leave.taken);
        uint32_t again = build_front(b, body, inner, (struct ends){ head, leave.start }, f);
        next = (struct ends){ head, loop_choice(b, pat, again, leave.start) };
    }
    for (uint32_t i = pat->max; pat->max != PATTERNS_UNBOUNDED && i > pat->min && !b->error; i--) {
        uint32_t first = loop_choice(b, pat, build_front(b, body, inner, next, f), leave.start);
        next = (struct ends){ loop_choice(b, pat, build(b, body, inner, next.taken), leave.taken), first };
    }
    for (uint32_t i = pat->min; i > 0 && !b->error; i--) {
        uint32_t first = build_front(b, body, inner, next, f);
        next = (struct ends){ build(b, body, inner, next.taken), first };
    }
    return next.start;
}

static uint32_t front_not(struct build *b, const struct patterns_pat *pat, struct where w, struct ends next, struct front f)
{
    if (next.start == DEAD)
        return DEAD; /* a row comes before it in any case */
    if (!f.match)
        return build_not(b, pat, w, next.start);
    if (w.tail)
        return fail(b, BASE_E_SYNTAX, pat,
                    &(struct patterns_fault){ "pattern-start", "an absence that may come before any row of the match",
                                              "make one element before it mandatory", NULL });
    if (pat->arrow || w.relaxed)
        return next.start; /* no row is passed over before the first one */
    return add_guard(b, pat, (struct patterns_guard){ .kind = CEP_GUARD_NOT_AHEAD, .set = pat->set }, next.start);
}

/* Can a NOT be reached before the first row? Its guard must then be up while an arrow before it waits. */
static bool begins_with_not(const struct patterns_pat *pat)
{
    if (pat->kind == PATTERNS_PAT_NOT)
        return true;
    for (uint32_t i = 0; i < pat->count; i++) {
        if (begins_with_not(pat->children[i]))
            return true;
        if (pat->kind == PATTERNS_PAT_SEQ && !patterns_pat_nullable(pat->children[i]))
            return false;
    }
    return false;
}

/* The WAITs of the arrows before an element that takes its first row at `entry`. */
static uint32_t add_waits(struct build *b, const struct relax *relax, uint32_t entry)
{
    for (; relax && entry != DEAD; relax = relax->outer)
        entry = add_wait(b, relax, entry);
    return entry;
}

/* Is there one way to the first row, so that NOTs before it hold whichever first row is taken? */
static bool one_front(const struct patterns_pat *pat)
{
    uint32_t first = 0;
    if (!begins_with_not(pat))
        return !patterns_pat_nullable(pat) || pat->kind == PATTERNS_PAT_LOOP;
    switch (pat->kind) {
    case PATTERNS_PAT_SEQ:
        while (first < pat->count && pat->children[first]->kind == PATTERNS_PAT_NOT)
            first++;
        if (first == pat->count || (first + 1 < pat->count && patterns_pat_nullable(pat->children[first])))
            return false;
        return one_front(pat->children[first]);
    case PATTERNS_PAT_LOOP: return !patterns_pat_nullable(pat->children[0]) && one_front(pat->children[0]);
    case PATTERNS_PAT_EXCLUDE:
    case PATTERNS_PAT_RELAX: return one_front(pat->children[0]);
    case PATTERNS_PAT_VAR:
    case PATTERNS_PAT_ALT:
    case PATTERNS_PAT_PERMUTE: return !begins_with_not(pat);
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END:
    case PATTERNS_PAT_NOT: return false;
    }
    return false;
}

/* The element with all that stands behind leading NOTs in a group of its own, so that its first rows have one WAIT: NOT N B? C becomes NOT N (B? C). */
static const struct patterns_pat *group_behind_nots(struct build *b, const struct patterns_pat *pat)
{
    uint32_t first = 0;
    bool seq = pat->kind == PATTERNS_PAT_SEQ;
    if (!seq && pat->kind != PATTERNS_PAT_LOOP && pat->kind != PATTERNS_PAT_EXCLUDE && pat->kind != PATTERNS_PAT_RELAX)
        return pat;
    while (seq && first < pat->count && pat->children[first]->kind == PATTERNS_PAT_NOT)
        first++;
    if (seq && first + (first > 0) >= pat->count)
        return pat;
    struct patterns_pat *copy = base_arena_alloc(b->arena, sizeof *copy), *rest = base_arena_alloc(b->arena, sizeof *rest);
    struct patterns_pat **children = base_arena_zalloc(b->arena, first + 1, sizeof(struct patterns_pat *));
    if (!copy || !rest || !children) {
        fail(b, BASE_E_NOMEM, pat, &(struct patterns_fault){ "memory", "out of memory", NULL, NULL });
        return pat;
    }
    *copy = *pat;
    copy->children = children;
    if (seq && first > 0) {
        *rest = *pat;
        rest->children += first;
        rest->count -= first;
        memcpy(children, pat->children, first * sizeof(struct patterns_pat *));
        children[first] = rest;
        copy->count = first + 1;
    } else if (!seq) {
        children[0] = (struct patterns_pat *)(uintptr_t)group_behind_nots(b, pat->children[0]);
    } else {
        return pat;
    }
    return copy;
}

/* `->> body`, where body may be empty: all its other ways row by row, and the empty one before them if body prefers it, else behind all. NOTs before its first row
 * are up while the arrow waits. */
static uint32_t front_any(struct build *b, const struct relax *relax, struct where w, struct ends next)
{
    const struct patterns_pat *body = relax->at->children[0];
    if (begins_with_not(body))
        body = group_behind_nots(b, body);
    bool not_first = begins_with_not(body), nullable = patterns_pat_nullable(body);
    if (not_first && !one_front(body))
        return fail(b, BASE_E_SYNTAX, relax->at,
                    &(struct patterns_fault){ "not-supported", "`->>` before an element that may begin in several ways, one of them with a NOT",
                                              "write an arrow in each way: ((NOT N ->> B) | ->> C)", NULL });
    if (!nullable && !not_first)
        return add_waits(b, relax, build(b, body, w, next.taken));
    struct front bare = { false, NULL }, waiting = { false, relax };
    uint32_t empty = nullable ? build_front(b, body, w, (struct ends){ DEAD, next.start }, bare) : DEAD;
    uint32_t rest = build_front(b, body, w, (struct ends){ next.taken, DEAD }, not_first ? waiting : bare);
    if (!not_first)
        rest = add_waits(b, relax, rest);
    return prefers_empty(body) ? add_split(b, relax->at, empty, rest) : add_split(b, relax->at, rest, empty);
}

static uint32_t front_relax(struct build *b, const struct patterns_pat *pat, struct where w, struct ends next, struct front f)
{
    struct relax relax = { .at = pat, .any = pat->any, .outer = f.relax };
    patterns_pat_firsts(pat->children[0], &relax.firsts);
    if (f.match || patterns_varset_count(&relax.firsts) == 0)
        return build_front(b, pat->children[0], w, next, f);
    if (pat->any)
        return front_any(b, &relax, w, next);
    return build_front(b, pat->children[0], w, next, (struct front){ false, &relax });
}

/* As build, while no row of the front is taken yet. */
static uint32_t build_front(struct build *b, const struct patterns_pat *pat, struct where w, struct ends next, struct front f)
{
    uint32_t entry;
    if (b->error)
        return 0;
    if (!f.match && pat->kind != PATTERNS_PAT_RELAX && !patterns_pat_nullable(pat) && !begins_with_not(pat))
        return add_waits(b, f.relax, build(b, pat, w, next.taken)); /* one WAIT for all its first rows */
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY: return next.start;
    case PATTERNS_PAT_VAR: return add_waits(b, f.relax, build(b, pat, w, next.taken));
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END: return build(b, pat, w, next.start);
    case PATTERNS_PAT_SEQ: return front_seq(b, pat, w, next, f);
    case PATTERNS_PAT_ALT:
        entry = build_front(b, pat->children[pat->count - 1], w, next, f);
        for (uint32_t i = pat->count - 1; i-- > 0 && !b->error;)
            entry = add_split(b, pat, build_front(b, pat->children[i], w, next, f), entry);
        return entry;
    case PATTERNS_PAT_PERMUTE: return front_permute(b, pat, w, next, f);
    case PATTERNS_PAT_LOOP: return front_loop(b, pat, w, next, f);
    case PATTERNS_PAT_EXCLUDE: w.excluded = true; return build_front(b, pat->children[0], w, next, f);
    case PATTERNS_PAT_RELAX: return front_relax(b, pat, w, next, f);
    case PATTERNS_PAT_NOT: return front_not(b, pat, w, next, f);
    }
    return next.start;
}

enum reach { FRONT_NEVER, FRONT_MAYBE, FRONT_ALWAYS };

/* Can the end of pat be reached with no row taken, if its beginning is? Notes whether an arrow or a NOT can (needs a
 * start of its own), and refuses one that always is: there it can mean nothing. */
static enum reach check_start(struct build *b, const struct patterns_pat *pat, enum reach at, bool *ret_needed)
{
    enum reach after = FRONT_NEVER, one;
    if (at == FRONT_NEVER)
        return FRONT_NEVER;
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END: return at;
    case PATTERNS_PAT_VAR: return FRONT_NEVER;
    case PATTERNS_PAT_RELAX:
    case PATTERNS_PAT_NOT:
        *ret_needed = true;
        if (at == FRONT_ALWAYS)
            fail(b, BASE_E_SYNTAX, pat,
                 &(struct patterns_fault){ "pattern-start",
                                           pat->kind == PATTERNS_PAT_RELAX
                                               ? "an arrow at the start of the pattern: it skips rows behind a taken "
                                                 "one, and none is taken yet"
                                               : "NOT at the start of the pattern: it speaks of rows behind a taken "
                                                 "one, and none is taken yet",
                                           pat->kind == PATTERNS_PAT_RELAX
                                               ? "leave it out: a match may start at any row"
                                               : "put an element before it, or test the row before with PREV in DEFINE",
                                           NULL });
        return pat->kind == PATTERNS_PAT_NOT ? at : check_start(b, pat->children[0], at, ret_needed);
    case PATTERNS_PAT_SEQ:
        for (uint32_t i = 0; i < pat->count && at != FRONT_NEVER; i++)
            at = check_start(b, pat->children[i], at, ret_needed);
        return at;
    case PATTERNS_PAT_PERMUTE:
        for (uint32_t i = 0; i < pat->count; i++)
            (void)check_start(b, pat->children[i], pat->count == 1 ? at : FRONT_MAYBE, ret_needed);
        return patterns_pat_nullable(pat) ? FRONT_MAYBE : FRONT_NEVER;
    case PATTERNS_PAT_ALT:
        for (uint32_t i = 0; i < pat->count; i++) {
            one = check_start(b, pat->children[i], at, ret_needed);
            after = i == 0 || one == after ? one : FRONT_MAYBE;
        }
        return after;
    case PATTERNS_PAT_EXCLUDE: return check_start(b, pat->children[0], at, ret_needed);
    case PATTERNS_PAT_LOOP:
        after = check_start(b, pat->children[0], pat->max == 1 ? at : FRONT_MAYBE, ret_needed);
        return pat->min == 0 && after == FRONT_NEVER ? FRONT_MAYBE : after;
    }
    return at;
}

static bool has_b(const struct patterns_state *state)
{
    return state->op == CEP_NFA_SPLIT || state->op == CEP_NFA_LOOP_OUT;
}

/* Depth first from `start`, preferred first; unreachable states are dropped. */
static int renumber(struct build *b, uint32_t start)
{
    struct patterns_automaton *m = b->automaton;
    uint32_t *number = base_arena_alloc(b->arena, ((size_t)m->count + 1) * sizeof *number);
    uint32_t *stack = base_arena_alloc(b->arena, ((size_t)m->count * 2 + 2) * sizeof *stack);
    struct patterns_state *states = base_arena_zalloc(b->arena, (size_t)m->count + 1, sizeof *states);
    if (!number || !stack || !states)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < m->count; i++)
        number[i] = CEP_NONE;
    uint32_t depth = 0, count = 0;
    stack[depth++] = start;
    while (depth) {
        uint32_t at = stack[--depth];
        if (number[at] != CEP_NONE)
            continue;
        number[at] = count;
        states[count++] = m->states[at];
        if (has_b(&m->states[at]))
            stack[depth++] = m->states[at].b;
        if (m->states[at].op != CEP_NFA_MATCH)
            stack[depth++] = m->states[at].a;
    }
    for (uint32_t i = 0; i < count; i++) {
        states[i].a = states[i].op == CEP_NFA_MATCH ? 0 : number[states[i].a];
        states[i].b = has_b(&states[i]) ? number[states[i].b] : 0;
    }
    m->states = states;
    m->count = count;
    return 0;
}

int patterns_automaton_build(struct base_arena *arena, struct patterns_pat *pat, int64_t within_ms,
                             struct patterns_fault *ret_fault, struct patterns_automaton **ret)
{
    struct build b = { .arena = arena,
                       .root = pat,
                       .fault = ret_fault,
                       .within_ms = within_ms };
    b.automaton = base_arena_zalloc(arena, 1, sizeof *b.automaton);
    if (!b.automaton)
        return BASE_E_NOMEM;
    number_loops(&b, pat);
    bool needed = false;
    (void)check_start(&b, pat, FRONT_ALWAYS, &needed);
    uint32_t match = add_state(&b, pat, (struct patterns_state){ .op = CEP_NFA_MATCH });
    struct where all = { .tail = true };
    uint32_t start = needed ? build_front(&b, pat, all, (struct ends){ match, match }, (struct front){ true, NULL }) : build(&b, pat, all, match);
    if (b.error)
        return b.error;
    int r = renumber(&b, start);
    if (r)
        return r;
    *ret = b.automaton;
    return 0;
}

static void print_set(const struct patterns_varset *set, const struct base_str *names, struct base_buf *out)
{
    const char *before = "";
    for (uint32_t v = 0; v < PATTERNS_VARS_MAX; v++) {
        if (!patterns_varset_has(set, v))
            continue;
        base_buf_puts(out, before);
        if (names)
            base_buf_put_str(out, names[v]);
        else
            base_buf_printf(out, "v%u", v);
        before = ",";
    }
}

void patterns_automaton_print(const struct patterns_automaton *automaton, const struct base_str *names,
                              struct base_buf *out)
{
    for (uint32_t i = 0; i < automaton->count; i++) {
        const struct patterns_state *s = &automaton->states[i];
        base_buf_printf(out, "%u ", i);
        switch ((enum cep_nfa_op)s->op) {
        case CEP_NFA_MATCH: base_buf_puts(out, "match"); break;
        case CEP_NFA_TAKE:
            if (names)
                base_buf_printf(out, "take%s %.*s", s->excluded ? "-" : "", (int)names[s->var].len, names[s->var].ptr);
            else
                base_buf_printf(out, "take%s v%u", s->excluded ? "-" : "", s->var);
            base_buf_printf(out, " -> %u", s->a);
            break;
        case CEP_NFA_SPLIT: base_buf_printf(out, "split %u %u", s->a, s->b); break;
        case CEP_NFA_WAIT:
            base_buf_puts(out, s->any ? "wait-any " : "wait ");
            print_set(&s->firsts, names, out);
            base_buf_printf(out, " -> %u", s->a);
            break;
        case CEP_NFA_START: base_buf_printf(out, "start -> %u", s->a); break;
        case CEP_NFA_END: base_buf_printf(out, "end -> %u", s->a); break;
        case CEP_NFA_GUARD:
            base_buf_puts(out, automaton->guards[s->guard].kind == CEP_GUARD_NOT         ? "not "
                               : automaton->guards[s->guard].kind == CEP_GUARD_NOT_NEXT  ? "not-next "
                               : automaton->guards[s->guard].kind == CEP_GUARD_NOT_AHEAD ? "not-ahead "
                                                                                         : "possessive ");
            print_set(&automaton->guards[s->guard].set, names, out);
            if (patterns_varset_count(&automaton->guards[s->guard].lifts)) {
                base_buf_puts(out, " until ");
                print_set(&automaton->guards[s->guard].lifts, names, out);
            }
            base_buf_printf(out, " -> %u", s->a);
            break;
        case CEP_NFA_ABSENT: base_buf_printf(out, "absent %lld -> %u", (long long)s->absent_ms, s->a); break;
        case CEP_NFA_LOOP_IN: base_buf_printf(out, "loop-in %u -> %u", s->loop, s->a); break;
        case CEP_NFA_LOOP_OUT: base_buf_printf(out, "loop-out %u -> %u empty %u", s->loop, s->a, s->b); break;
        }
        base_buf_putc(out, '\n');
    }
}
