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
    uint32_t never_var, never_state; /* never_state: CEP_NONE until needed */
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

static uint32_t add_split(struct build *b, const struct patterns_pat *at, uint32_t preferred, uint32_t other)
{
    return add_state(b, at, (struct patterns_state){ .op = CEP_NFA_SPLIT, .a = preferred, .b = other });
}

static uint32_t add_guard(struct build *b, const struct patterns_pat *at, enum cep_guard_kind kind,
                          const struct patterns_varset *set, uint32_t next)
{
    struct patterns_automaton *m = b->automaton;
    uint32_t guard = 0;
    while (guard < m->guard_count &&
           (m->guards[guard].kind != kind || !patterns_varset_equal(&m->guards[guard].set, set)))
        guard++;
    if (guard == m->guard_count) {
        if (guard == PATTERNS_GUARDS_MAX)
            return fail(b, BASE_E_LIMIT, at,
                        &(struct patterns_fault){ "limit",
                                                  "the pattern has more than 32 different NOTs and possessive loops",
                                                  "split it into several rules", NULL });
        m->guards[m->guard_count++] = (struct patterns_guard){ kind, *set };
    }
    if (kind == CEP_GUARD_NOT_NEXT)
        m->has_not_next = true;
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

static uint32_t build(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next);

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

/* One state per set of elements already taken: 2^k entries and k*2^(k-1) copies of elements instead of k! sequences.
 * What follows depends on the set alone, and alternatives are tried in list order at each step, so the order of
 * derivations is that of the alternation of all orders. */
static uint32_t build_permute(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    uint32_t entries[1u << PATTERNS_MAX_PERMUTE];
    if (pat->count > PATTERNS_MAX_PERMUTE)
        return fail(b, BASE_E_LIMIT, pat,
                    &(struct patterns_fault){ "limit", "PERMUTE takes at most 6 elements", NULL, NULL });
    w.tail = false;
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

static uint32_t build_loop(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    const struct patterns_pat *body = pat->children[0];
    struct where inner = { w.excluded, w.tail && pat->max == 1,
                           w.relaxed || (pat->max > 1 && begins(body) == BEGINS_RELAXED) };
    bool reluctant = pat->greed == PATTERNS_RELUCTANT;
    uint32_t leave = next; /* where the loop goes on when it is left before its maximum */
    if (pat->greed == PATTERNS_POSSESSIVE && pat->min < pat->max) {
        struct patterns_varset set = { { 0 } };
        patterns_pat_firsts(body, &set);
        leave = add_guard(b, pat, CEP_GUARD_POSSESSIVE, &set, next);
    }
    if (pat->max == PATTERNS_UNBOUNDED) {
        uint32_t head = add_split(b, pat, 0, 0), entry;
        if (patterns_pat_nullable(body)) {
            uint32_t out = add_state(b, pat,
                                     (struct patterns_state){
                                         .op = CEP_NFA_LOOP_OUT, .loop = (uint8_t)pat->loop, .a = head, .b = leave });
            entry = build(b, body, inner, out);
            entry = add_state(b, pat,
                              (struct patterns_state){ .op = CEP_NFA_LOOP_IN, .loop = (uint8_t)pat->loop, .a = entry });
        } else {
            entry = build(b, body, inner, head);
        }
        if (b->error)
            return 0;
        b->automaton->states[head].a = reluctant ? leave : entry;
        b->automaton->states[head].b = reluctant ? entry : leave;
        next = head;
    } else {
        for (uint32_t i = pat->min; i < pat->max && !b->error; i++) {
            uint32_t entry = build(b, body, inner, next);
            next = reluctant ? add_split(b, pat, leave, entry) : add_split(b, pat, entry, leave);
        }
    }
    for (uint32_t i = 0; i < pat->min && !b->error; i++)
        next = build(b, body, inner, next);
    return next;
}

/* `-> element`: a WAIT before its first row. An element that may be empty is skipped to only for its non-empty choices:
 * LOOP_OUT sends a way through the element that took no row to a state that never takes one, and the empty choice goes
 * around the WAIT. */
static uint32_t build_relax(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    const struct patterns_pat *body = pat->children[0];
    struct patterns_state wait = { .op = CEP_NFA_WAIT, .any = pat->any };
    patterns_pat_firsts(body, &wait.firsts);
    if (patterns_varset_count(&wait.firsts) == 0)
        return build(b, body, w, next);
    b->automaton->has_wait = true;
    if (!patterns_pat_nullable(body)) {
        wait.a = build(b, body, w, next);
        return add_state(b, pat, wait);
    }
    if (patterns_pat_contains(body, PATTERNS_PAT_START) || patterns_pat_contains(body, PATTERNS_PAT_END) ||
        patterns_pat_contains(body, PATTERNS_PAT_NOT))
        return fail(b, BASE_E_SYNTAX, pat,
                    &(struct patterns_fault){ "not-supported",
                                              "an arrow before a group that may be empty and holds an anchor or a NOT",
                                              "write the empty choice apart: ( -> (...) | () )", NULL });
    if (b->never_state == CEP_NONE) {
        b->automaton->needs_never = true;
        b->never_state =
            add_state(b, pat, (struct patterns_state){ .op = CEP_NFA_TAKE, .var = (uint16_t)b->never_var, .a = next });
    }
    uint32_t out = add_state(b, pat,
                             (struct patterns_state){
                                 .op = CEP_NFA_LOOP_OUT, .loop = (uint8_t)pat->loop, .a = next, .b = b->never_state });
    uint32_t entry = build(b, body, w, out);
    wait.a =
        add_state(b, pat, (struct patterns_state){ .op = CEP_NFA_LOOP_IN, .loop = (uint8_t)pat->loop, .a = entry });
    uint32_t rest = add_state(b, pat, wait);
    return prefers_empty(body) ? add_split(b, pat, next, rest) : add_split(b, pat, rest, next);
}

static uint32_t build_not(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    if (!w.tail && pat->for_ms)
        return fail(b, BASE_E_SYNTAX, pat,
                    &(struct patterns_fault){
                        "pattern-not", "FOR INTERVAL belongs to a NOT at the end of the pattern",
                        "put the NOT last; between two elements a NOT holds until the next element is taken", NULL });
    if (!w.tail)
        return add_guard(b, pat, pat->arrow || w.relaxed ? CEP_GUARD_NOT : CEP_GUARD_NOT_NEXT, &pat->set, next);
    if (!pat->arrow && !pat->for_ms)
        return add_guard(b, pat, CEP_GUARD_NOT_NEXT, &pat->set, next);
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
    return add_guard(b, pat, CEP_GUARD_NOT, &pat->set, next);
}

static uint32_t build(struct build *b, const struct patterns_pat *pat, struct where w, uint32_t next)
{
    if (b->error)
        return 0;
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY: return next;
    case PATTERNS_PAT_VAR:
        return add_state(b, pat,
                         (struct patterns_state){
                             .op = CEP_NFA_TAKE, .var = (uint16_t)pat->var, .excluded = w.excluded, .a = next });
    case PATTERNS_PAT_SEQ: return build_seq(b, pat, w, next);
    case PATTERNS_PAT_ALT: return build_alt(b, pat, w, next);
    case PATTERNS_PAT_PERMUTE: return build_permute(b, pat, w, next);
    case PATTERNS_PAT_LOOP: return build_loop(b, pat, w, next);
    case PATTERNS_PAT_START: return add_state(b, pat, (struct patterns_state){ .op = CEP_NFA_START, .a = next });
    case PATTERNS_PAT_END: return add_state(b, pat, (struct patterns_state){ .op = CEP_NFA_END, .a = next });
    case PATTERNS_PAT_EXCLUDE: w.excluded = true; return build(b, pat->children[0], w, next);
    case PATTERNS_PAT_RELAX: return build_relax(b, pat, w, next);
    case PATTERNS_PAT_NOT: return build_not(b, pat, w, next);
    }
    return next;
}

/* Numbers the loops whose body may be empty. Copies of one loop share a number: they never nest in each other. */
static void number_loops(struct build *b, struct patterns_pat *pat)
{
    if ((pat->kind == PATTERNS_PAT_LOOP && pat->max == PATTERNS_UNBOUNDED) || pat->kind == PATTERNS_PAT_RELAX) {
        if (patterns_pat_nullable(pat->children[0])) {
            if (b->automaton->loops == PATTERNS_LOOPS_MAX)
                fail(b, BASE_E_LIMIT, pat,
                     &(struct patterns_fault){ "limit", "the pattern has more than 64 loops whose body may be empty",
                                               NULL, NULL });
            else
                pat->loop = b->automaton->loops++;
        }
    }
    for (uint32_t i = 0; i < pat->count; i++)
        number_loops(b, pat->children[i]);
}

/* An arrow or a NOT speaks of rows behind a taken one: refused where no row can have been taken. Gives whether that is
 * so behind pat too. */
static bool check_start(struct build *b, const struct patterns_pat *pat, bool at_start)
{
    bool after;
    if (!at_start)
        return false;
    switch (pat->kind) {
    case PATTERNS_PAT_EMPTY:
    case PATTERNS_PAT_START:
    case PATTERNS_PAT_END: return true;
    case PATTERNS_PAT_VAR: return false;
    case PATTERNS_PAT_RELAX:
        fail(b, BASE_E_SYNTAX, pat,
             &(struct patterns_fault){
                 "pattern-start",
                 "an arrow at the start of the pattern: it skips rows behind a taken one, and none is taken yet",
                 "leave it out: a match may start at any row", NULL });
        return false;
    case PATTERNS_PAT_NOT:
        fail(b, BASE_E_SYNTAX, pat,
             &(struct patterns_fault){
                 "pattern-start",
                 "NOT at the start of the pattern: it speaks of rows behind a taken one, and none is taken yet",
                 "put an element before it, or test the row before with PREV in DEFINE", NULL });
        return false;
    case PATTERNS_PAT_SEQ:
        for (uint32_t i = 0; i < pat->count && at_start; i++)
            at_start = check_start(b, pat->children[i], at_start);
        return at_start;
    case PATTERNS_PAT_PERMUTE:
    case PATTERNS_PAT_ALT:
        after = false;
        for (uint32_t i = 0; i < pat->count; i++)
            after = check_start(b, pat->children[i], true) || after;
        return pat->kind == PATTERNS_PAT_PERMUTE ? patterns_pat_nullable(pat) : after;
    case PATTERNS_PAT_LOOP:
    case PATTERNS_PAT_EXCLUDE:
        after = check_start(b, pat->children[0], true);
        return after || (pat->kind == PATTERNS_PAT_LOOP && pat->min == 0);
    }
    return at_start;
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

int patterns_automaton_build(struct base_arena *arena, struct patterns_pat *pat, uint32_t never_var, int64_t within_ms,
                             struct patterns_fault *ret_fault, struct patterns_automaton **ret)
{
    struct build b = { .arena = arena,
                       .root = pat,
                       .fault = ret_fault,
                       .never_var = never_var,
                       .never_state = CEP_NONE,
                       .within_ms = within_ms };
    b.automaton = base_arena_zalloc(arena, 1, sizeof *b.automaton);
    if (!b.automaton)
        return BASE_E_NOMEM;
    b.automaton->never_var = never_var;
    number_loops(&b, pat);
    check_start(&b, pat, true);
    uint32_t match = add_state(&b, pat, (struct patterns_state){ .op = CEP_NFA_MATCH });
    uint32_t start = build(&b, pat, (struct where){ .tail = true }, match);
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
            if (s->var == automaton->never_var && automaton->needs_never)
                base_buf_puts(out, "never");
            else if (names)
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
            base_buf_puts(out, automaton->guards[s->guard].kind == CEP_GUARD_NOT        ? "not "
                               : automaton->guards[s->guard].kind == CEP_GUARD_NOT_NEXT ? "not-next "
                                                                                        : "possessive ");
            print_set(&automaton->guards[s->guard].set, names, out);
            base_buf_printf(out, " -> %u", s->a);
            break;
        case CEP_NFA_ABSENT: base_buf_printf(out, "absent %lld -> %u", (long long)s->absent_ms, s->a); break;
        case CEP_NFA_LOOP_IN: base_buf_printf(out, "loop-in %u -> %u", s->loop, s->a); break;
        case CEP_NFA_LOOP_OUT: base_buf_printf(out, "loop-out %u -> %u empty %u", s->loop, s->a, s->b); break;
        }
        base_buf_putc(out, '\n');
    }
}
