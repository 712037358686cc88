/* Which live registers a partial match must carry at each resting state: backwards data flow over the automaton to a
 * fixpoint.
 *
 *   live(TAKE v)  = reads of v's condition + reads of v's updates + what lives behind it and v does not set
 *   live(WAIT)    = reads of the conditions that start the element + live behind it
 *   live(ABSENT)  = the time of the last taken row, if the absence counts from it, + live behind it
 *   live(others)  = union over their successors
 *
 * plus, while a guard may be active, the reads of its conditions. Where a guard may be active is a forward flow: GUARD
 * sets it, TAKE clears all. Update code is one per variable: v updates what lives behind some TAKE of v, and at each
 * TAKE of v the reads of all these updates count, so that the code never computes with what a thread does not carry. */
#include "patterns/rowpat.h"

#include <string.h>
#include "base/error.h"

struct flow {
    struct patterns_match_detail *rp;
    size_t words;
    uint64_t *pred_reads;   /* per variable */
    uint64_t *update_reads; /* per register: of its update */
    uint64_t *take_reads;   /* per variable: union over the updates that it must make */
    uint64_t *sets;         /* per variable: registers that its rows change */
    uint64_t *guard_reads;  /* per guard */
    uint64_t *scratch;
};

static int note_leaf(void *ctx, const struct patterns_bound *leaf)
{
    if (leaf->kind == PATTERNS_BOUND_EXTERNAL && leaf->id == PATTERNS_RP_REG) {
        uint32_t number = ((const struct patterns_rp_reg *)leaf->detail)->number;
        ((uint64_t *)ctx)[number / 64] |= (uint64_t)1 << (number % 64);
    }
    return 0;
}

static bool join(uint64_t *to, const uint64_t *from, size_t words)
{
    bool changed = false;
    for (size_t i = 0; i < words; i++) {
        changed |= (from[i] & ~to[i]) != 0;
        to[i] |= from[i];
    }
    return changed;
}

static void join_set(struct flow *f, uint64_t *to, const struct patterns_varset *set)
{
    for (uint32_t v = 0; v < f->rp->var_count; v++) {
        if (patterns_varset_has(set, v))
            join(to, f->pred_reads + v * f->words, f->words);
    }
}

static bool prepare(struct flow *f)
{
    struct patterns_match_detail *rp = f->rp;
    struct patterns_automaton *m = rp->automaton;
    struct base_arena *arena = rp->binder->arena;
    f->words = (rp->live.used + 63) / 64;
    f->pred_reads = base_arena_zalloc(arena, (rp->var_count + 1) * f->words + 1, sizeof(uint64_t));
    f->update_reads = base_arena_zalloc(arena, (rp->live.used + 1) * f->words + 1, sizeof(uint64_t));
    rp->updated = base_arena_zalloc(arena, (rp->var_count + 1) * f->words + 1, sizeof(uint64_t));
    f->take_reads = base_arena_zalloc(arena, (rp->var_count + 1) * f->words + 1, sizeof(uint64_t));
    f->sets = base_arena_zalloc(arena, (rp->var_count + 1) * f->words + 1, sizeof(uint64_t));
    f->guard_reads = base_arena_zalloc(arena, (m->guard_count + 1) * f->words + 1, sizeof(uint64_t));
    f->scratch = base_arena_zalloc(arena, f->words + 1, sizeof(uint64_t));
    uint64_t *live = base_arena_zalloc(arena, m->count * f->words + 1, sizeof(uint64_t));
    if (!f->pred_reads || !f->update_reads || !f->take_reads || !f->sets || !f->guard_reads || !f->scratch ||
        !rp->updated || !live)
        return false;
    for (uint32_t i = 0; i < m->count; i++)
        m->states[i].live = live + i * f->words;
    for (uint32_t v = 0; v < rp->var_count; v++) {
        if (rp->vars[v].pred)
            (void)patterns_rp_leaves(rp->vars[v].pred, note_leaf, f->pred_reads + v * f->words);
        for (uint32_t i = 0; i < rp->live.count; i++) {
            const struct patterns_rp_reg *reg = rp->live.regs[i];
            if (!reg->used || !(reg->rows.universal || patterns_varset_has(&reg->rows.set, v)))
                continue;
            f->sets[v * f->words + reg->number / 64] |= (uint64_t)1 << (reg->number % 64);
        }
    }
    for (uint32_t i = 0; i < rp->live.count; i++) {
        const struct patterns_rp_reg *reg = rp->live.regs[i];
        if (reg->used)
            (void)patterns_rp_leaves(reg->update, note_leaf, f->update_reads + reg->number * f->words);
    }
    for (uint32_t g = 0; g < m->guard_count; g++) {
        join_set(f, f->guard_reads + g * f->words, &m->guards[g].set);
        join_set(f, f->guard_reads + g * f->words, &m->guards[g].lifts);
    }
    return true;
}

/* Guards that may be active at each state. */
static void flow_guards(struct patterns_automaton *m)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < m->count; i++) {
            struct patterns_state *s = &m->states[i];
            uint32_t out = s->guards;
            if (s->op == CEP_NFA_MATCH)
                continue;
            if (s->op == CEP_NFA_TAKE)
                out = 0;
            if (s->op == CEP_NFA_GUARD)
                out |= UINT32_C(1) << s->guard;
            uint32_t *next[2] = { &m->states[s->a].guards, s->op == CEP_NFA_SPLIT || s->op == CEP_NFA_LOOP_OUT
                                                               ? &m->states[s->b].guards
                                                               : NULL };
            for (int k = 0; k < 2; k++) {
                if (next[k] && (out & ~*next[k])) {
                    *next[k] |= out;
                    changed = true;
                }
            }
        }
    }
}

/* From what lives behind a TAKE of var to what lives before it; true: var updates more than was known. */
static bool flow_take(struct flow *f, uint32_t var, uint64_t *live)
{
    uint64_t *updated = f->rp->updated + var * f->words, *reads = f->take_reads + var * f->words;
    bool changed = false;
    for (size_t w = 0; w < f->words; w++) {
        uint64_t set = f->sets[var * f->words + w], more = live[w] & set & ~updated[w];
        changed |= more != 0;
        updated[w] |= more;
        live[w] &= ~set;
        for (; more; more &= more - 1)
            join(reads, f->update_reads + (w * 64 + (size_t)__builtin_ctzll(more)) * f->words, f->words);
    }
    join(live, reads, f->words);
    join(live, f->pred_reads + var * f->words, f->words);
    return changed;
}

static bool flow_state(struct flow *f, const struct patterns_state *s)
{
    struct patterns_match_detail *rp = f->rp;
    struct patterns_automaton *m = rp->automaton;
    uint64_t *live = f->scratch;
    bool changed = false;
    memset(live, 0, f->words * sizeof *live);
    if (s->op != CEP_NFA_MATCH) {
        join(live, m->states[s->a].live, f->words);
        if (s->op == CEP_NFA_SPLIT || s->op == CEP_NFA_LOOP_OUT)
            join(live, m->states[s->b].live, f->words);
    }
    if (s->op == CEP_NFA_TAKE && s->var < rp->var_count) {
        changed = flow_take(f, s->var, live);
    } else if (s->op == CEP_NFA_TAKE) {
        memset(live, 0, f->words * sizeof *live); /* never taken */
    } else if (s->op == CEP_NFA_WAIT) {
        join_set(f, live, &s->firsts);
    } else if (s->op == CEP_NFA_ABSENT && s->absent_ms) {
        live[rp->last_time->number / 64] |= (uint64_t)1 << (rp->last_time->number % 64);
    }
    for (uint32_t g = 0; g < m->guard_count && patterns_state_rests(s); g++) {
        bool next_only = s->op == CEP_NFA_MATCH &&
                         m->guards[g].kind != CEP_GUARD_NOT_NEXT; /* nothing else is asked behind the end */
        if ((s->guards & (UINT32_C(1) << g)) && !next_only)
            join(live, f->guard_reads + g * f->words, f->words);
    }
    return join(s->live, live, f->words) || changed;
}

int patterns_rp_liveness(struct patterns_match_detail *rp)
{
    struct flow f = { .rp = rp };
    struct patterns_automaton *m = rp->automaton;
    if (!prepare(&f))
        return BASE_E_NOMEM;
    flow_guards(m);
    bool changed = f.words > 0;
    while (changed) {
        changed = false;
        for (uint32_t i = m->count; i-- > 0;)
            changed |= flow_state(&f, &m->states[i]);
    }
    return 0;
}

static int unary_leaf(void *ctx, const struct patterns_bound *leaf)
{
    (void)ctx;
    return (leaf->flags & PATTERNS_BOUND_IS_VOLATILE) ||
           (leaf->kind == PATTERNS_BOUND_EXTERNAL &&
            (leaf->id == PATTERNS_RP_REG || leaf->id == PATTERNS_RP_FINAL || leaf->id == PATTERNS_RP_NUMBER));
}

bool patterns_rp_is_unary(const struct patterns_bound *pred)
{
    return !(pred->flags & PATTERNS_BOUND_IS_VOLATILE) && patterns_rp_leaves(pred, unary_leaf, NULL) == 0;
}
