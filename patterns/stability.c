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
 * stops a start for good. Stable. Otherwise
 * pairs of starts are explored: stability_pairs.c. */
#include "patterns/rowpat.h"

#include "base/error.h"

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
    if (clause->timeout_rows && (m->has_not_next || m->has_absent_for || uses_op(m, CEP_NFA_END))) {
        *ret_verdict = "not proved";
        *ret_why = "a timeout row gives way to a match that only waited to learn what follows its last row";
        return 0;
    }
    if (free_starts && one_row) {
        *ret_why = "no match skips over another start; a preferred match of the same start is an update";
        return 0;
    }
    if (!m->has_wait && !m->has_absent && min == max && min > 0 && !uses_op(m, CEP_NFA_END) && !clause->all_matches && (one_row || !m->has_not_next)) {
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
    return patterns_rp_stability_pairs(rp, ret_verdict, ret_why);
}
