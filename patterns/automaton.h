/* The pattern of a row pattern clause as a normalised tree, and its Thompson automaton with ordered alternatives.
 * Called by bind_pattern.c, read by liveness.c, stability.c and rowpat_emit.c. Knows variables by number only: no
 * names, no conditions, no rows. Single-threaded; all in an arena. */
#ifndef PATTERNS_AUTOMATON_H
#define PATTERNS_AUTOMATON_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/error.h"
#include "base/str.h"
#include "cep/program.h"
#include "patterns/ast.h"

#define PATTERNS_VARS_MAX 256
#define PATTERNS_STATES_MAX 100000
#define PATTERNS_GUARDS_MAX 32
#define PATTERNS_LOOPS_MAX 64

/* A set of variables. */
struct patterns_varset {
    uint64_t words[PATTERNS_VARS_MAX / 64];
};
static inline bool patterns_varset_has(const struct patterns_varset *set, uint32_t var)
{
    return (set->words[var / 64] >> (var % 64)) & 1;
}
static inline void patterns_varset_add(struct patterns_varset *set, uint32_t var)
{
    set->words[var / 64] |= (uint64_t)1 << (var % 64);
}
bool patterns_varset_equal(const struct patterns_varset *a, const struct patterns_varset *b);
bool patterns_varset_meets(const struct patterns_varset *a, const struct patterns_varset *b); /* a common member */
void patterns_varset_join(struct patterns_varset *to, const struct patterns_varset *from);
uint32_t patterns_varset_count(const struct patterns_varset *set);

enum patterns_pat_kind {
    PATTERNS_PAT_EMPTY,   /* () */
    PATTERNS_PAT_VAR,     /* var */
    PATTERNS_PAT_SEQ,     /* children in order */
    PATTERNS_PAT_ALT,     /* children, preferred first */
    PATTERNS_PAT_PERMUTE, /* children in any order, list order preferred */
    PATTERNS_PAT_LOOP,    /* children[0] min..max times, greed */
    PATTERNS_PAT_START,   /* ^ */
    PATTERNS_PAT_END,     /* $ */
    PATTERNS_PAT_EXCLUDE, /* {- children[0] -} */
    PATTERNS_PAT_RELAX,   /* -> children[0]; any: ->> */
    PATTERNS_PAT_NOT      /* NOT set; arrow: written behind an arrow; for_ms > 0: FOR INTERVAL */
};
struct patterns_pat {
    enum patterns_pat_kind kind;
    uint32_t var;               /* VAR */
    uint32_t min, max;          /* LOOP; max may be PATTERNS_UNBOUNDED */
    enum patterns_greed greed;  /* LOOP */
    bool any;                   /* RELAX */
    bool arrow;                 /* NOT */
    int64_t for_ms;             /* NOT: 0 none */
    struct patterns_varset set; /* NOT: any of these violates */
    struct patterns_pat **children;
    uint32_t count;
    uint32_t loop;       /* set by build: number of a LOOP whose body may be empty */
    uint32_t begin, end; /* place in the rule text */
};

/* Can it match without a row? (anchors may hold) */
bool patterns_pat_nullable(const struct patterns_pat *pat);
/* Adds the variables that its first row can be. */
void patterns_pat_firsts(const struct patterns_pat *pat, struct patterns_varset *set);
/* Adds all variables that it can take (those of NOT are not taken). */
void patterns_pat_vars(const struct patterns_pat *pat, struct patterns_varset *set);
/* Least and greatest number of rows of `set` (NULL: of any variable) in one match; PATTERNS_UNBOUNDED if there is no
 * bound. */
uint32_t patterns_pat_min_rows(const struct patterns_pat *pat, const struct patterns_varset *set);
uint32_t patterns_pat_max_rows(const struct patterns_pat *pat, const struct patterns_varset *set);
/* Is there a node of that kind? */
bool patterns_pat_contains(const struct patterns_pat *pat, enum patterns_pat_kind kind);

struct patterns_state {
    uint8_t op; /* enum cep_nfa_op */
    bool excluded, any;
    uint8_t loop;
    uint16_t var;   /* TAKE */
    uint16_t guard; /* GUARD */
    uint32_t a, b;
    int64_t absent_ms;             /* ABSENT */
    struct patterns_varset firsts; /* WAIT */
    uint64_t *live;                /* set by liveness.c: bits of registers, or NULL */
    uint32_t guards;               /* set by liveness.c: guards that may be active while resting here */
};
struct patterns_guard {
    enum cep_guard_kind kind;
    struct patterns_varset set;   /* any of these violates */
    struct patterns_varset lifts; /* POSSESSIVE: a row that is passed over and is one of these ends the guard */
};
struct patterns_automaton {
    struct patterns_state *states; /* [0] is the start; states stand in order of preference (depth first) */
    uint32_t count;
    struct patterns_guard guards[PATTERNS_GUARDS_MAX];
    uint32_t guard_count;
    uint32_t loops;   /* numbered loops: bodies that may be empty */
    bool has_wait, has_absent, has_absent_within, has_absent_for, has_not_next;
};

/* Why building failed (BASE_E_LIMIT, BASE_E_SYNTAX): message, hint (may be NULL) and where. Static texts. */
struct patterns_fault {
    const char *code, *message, *hint;
    const struct patterns_pat *at;
};
/* within_ms: 0 if the pattern has no WITHIN. */
int patterns_automaton_build(struct base_arena *arena, struct patterns_pat *pat, int64_t within_ms,
                             struct patterns_fault *ret_fault, struct patterns_automaton **ret) BASE_MUST_CHECK;
/* One line per state: "0 take A -> 1"; for golden tests. names: of variables, may be NULL ("v0"). */
void patterns_automaton_print(const struct patterns_automaton *automaton, const struct base_str *names,
                              struct base_buf *out);

static inline bool patterns_state_rests(const struct patterns_state *state)
{
    return state->op == CEP_NFA_TAKE || state->op == CEP_NFA_WAIT || state->op == CEP_NFA_END ||
           state->op == CEP_NFA_ABSENT || state->op == CEP_NFA_MATCH;
}

#endif
