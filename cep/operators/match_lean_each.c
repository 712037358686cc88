/* The starts that a row completes, of a key in lean form where each start has its match (SKIP TO NEXT ROW). A class says only which its earliest start is and which
 * its youngest; the others are found by going through the rows once more, with the starts of a class as a chain (docs/engine.md, Claim 17). Called by
 * match_lean_match.c, over the view that it made; changes nothing of the key and tells nothing. */
#include "base/error.h"
#include "cep/operators/match_lean.h"

/* A thread list and the starts that have it, from first to last through view.chain. */
struct chain { uint32_t config, first, last; };
struct chains { struct chain at[LEAN_CLASSES_MOST + 1]; uint32_t count; };

/* Into the chain with this configuration, or as one of its own. False: there are too many. */
static bool join(struct match_lean_view *view, struct chains *chains, struct chain chain)
{
    for (uint32_t i = 0; i < chains->count; i++) {
        if (chains->at[i].config != chain.config)
            continue;
        view->chain.at[chains->at[i].last] = chain.first;
        chains->at[i].last = chain.last;
        return true;
    }
    if (chains->count > LEAN_CLASSES_MOST)
        return false;
    chains->at[chains->count++] = chain;
    return true;
}

/* All starts of a chain that row `last` completed. */
static int note(struct match_lean_view *view, const struct chain *chain, uint32_t last)
{
    uint32_t start = chain->first;
    for (;; start = view->chain.at[start]) {
        const struct match_lean_found found = { .start = start, .accept = last };
        if (!BASE_VEC_PUSH(&view->found, found))
            return BASE_E_NOMEM;
        if (start == chain->last)
            return 0;
    }
}

static inline int next(struct match_op *op, uint32_t from, uint32_t *ret)
{
    return cep_match_config_known(op->steps, from, op->steps->row_sight, ret) ? 0 : cep_match_config_next(op->steps, op, from, ret);
}

/* Steps the chains over the row under way, which is row i. What it completes at `last` is noted; what another row completes has had its match. */
static int step(struct match_op *op, struct chains *chains, bool is_last, uint32_t last, bool *ret_full)
{
    struct match_lean_view *view = &op->lean->view;
    struct chains after;
    uint32_t to;
    after.count = 0;
    for (uint32_t i = 0; i < chains->count; i++) {
        struct chain chain = chains->at[i];
        int rc = next(op, chain.config, &to);
        if (!rc && is_last && to == MATCH_CONFIG_ACCEPTED)
            rc = note(view, &chain, last);
        if (rc)
            return rc;
        chain.config = to;
        *ret_full |= to == MATCH_CONFIG_FULL || (to && !cep_match_config_leaves(to) && !join(view, &after, chain));
    }
    memcpy(chains->at, after.at, after.count * sizeof *after.at);
    chains->count = after.count;
    return 0;
}

int cep_match_lean_each(struct match_op *op, uint32_t from, uint32_t last, bool *ret_full)
{
    struct match_lean_view *view = &op->lean->view;
    struct chains chains;
    uint32_t to;
    int rc = BASE_VEC_RESERVE(&view->chain, view->rows.len) ? 0 : BASE_E_NOMEM;
    chains.count = 0;
    for (uint32_t i = from; i <= last && !rc && !*ret_full; i++) {
        bool start = i < last && !(view->entries.at[i].ref & LEAN_NO_START) && cep_match_lean_alive(op, i, last);
        if (!start && chains.count == 0)
            continue;
        rc = cep_match_lean_see(op, i);
        if (!rc)
            rc = step(op, &chains, i == last, last, ret_full);
        if (rc || *ret_full || !start)
            continue;
        rc = cep_match_config_next(op->steps, op, MATCH_CONFIG_START, &to);
        if (!rc && to && to != MATCH_CONFIG_ACCEPTED)
            *ret_full = to == MATCH_CONFIG_FULL || !join(view, &chains, (struct chain){ to, i, i });
    }
    return rc;
}
