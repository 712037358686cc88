/* The starts that a row completes, of a key in lean form where each start has its match (SKIP TO NEXT ROW), and what their matches look like. A class says only which
 * its earliest start is and which its youngest; the others are found by going through the rows once more, with the starts of a class as a chain (docs/engine.md,
 * Claim 17). Called by lean_match.c, over the view that it made; changes nothing of the key and tells nothing. */
#include "base/error.h"
#include "cep/match/lean.h"

#define NO_TURN UINT32_MAX

/* A thread list, the starts that have it, from first to last through view.chain, and the turn that they take next, which is not known yet. */
struct chain { uint32_t config, first, last, turn; };
struct chains { struct chain at[LEAN_CLASSES_MOST + 1]; uint32_t count; };
/* Row i of the view, which is under way; what it completes is noted if it is the last. */
struct under_way { struct match_op *op; const struct match_lean *lean; uint32_t row; bool last, full; };

static int new_turn(struct match_lean_view *view, uint32_t *ret)
{
    const struct match_lean_turn turn = { .next = NO_TURN };
    *ret = (uint32_t)view->turns.len;
    return BASE_VEC_PUSH(&view->turns, turn) ? 0 : BASE_E_NOMEM;
}

static void take_turn(struct match_lean_view *view, uint32_t turn, const struct match_edges *edges, uint32_t row, uint32_t next)
{
    view->turns.at[turn] = (struct match_lean_turn){ *edges, row, next };
}

/* The chain after a step: into the one with its configuration, or as one of its own. */
static int join(struct under_way *at, struct chains *chains, struct chain chain, const struct match_edges *edges)
{
    struct match_lean_view *view = &at->op->lean->view;
    for (uint32_t i = 0; i < chains->count; i++) {
        struct chain *other = &chains->at[i];
        if (other->config != chain.config)
            continue;
        view->chain.at[other->last] = chain.first;
        other->last = chain.last;
        take_turn(view, chain.turn, edges, at->row, other->turn); /* one that moved nothing, too */
        return 0;
    }
    if (chains->count > LEAN_CLASSES_MOST) {
        at->full = true;
        return 0;
    }
    if (!edges->idle) {
        uint32_t turn;
        int rc = new_turn(view, &turn);
        if (rc)
            return rc;
        take_turn(view, chain.turn, edges, at->row, turn);
        chain.turn = turn;
    }
    chains->at[chains->count++] = chain;
    return 0;
}

/* Rows and labels of the start that takes this turn first: at the end of the view's items. */
static int explain(struct under_way *at, uint32_t turn, struct match_lean_found *found)
{
    struct match_lean_view *view = &at->op->lean->view;
    struct match_items *items = &view->items;
    uint32_t thread = 0, last;
    view->path.len = 0;
    for (uint32_t i = turn; i != NO_TURN; i = view->turns.at[i].next)
        if (!BASE_VEC_PUSH(&view->path, i))
            return BASE_E_NOMEM;
    if (!BASE_VEC_RESERVE(items, items->len + view->path.len))
        return BASE_E_NOMEM;
    found->first_item = last = (uint32_t)items->len;
    for (size_t i = view->path.len; i-- > 0;) {
        const struct match_lean_turn *one = &view->turns.at[view->path.at[i]];
        if (thread >= one->edges.count) { /* too many threads to be noted */
            at->full = true;
            return 0;
        }
        const struct match_edge edge = one->edges.at[thread];
        if (edge.var != MATCH_EDGE_WAITED)
            items->at[last++] = (struct match_item){ .seq = at->lean->first_seq + one->row, .var = edge.var, .excluded = edge.excluded };
        thread = edge.from;
    }
    items->len = last;
    found->items = last - found->first_item;
    for (uint32_t i = found->first_item; i + 1 < last; i++) {
        struct match_item swap = items->at[i];
        items->at[i] = items->at[--last];
        items->at[last] = swap;
    }
    return 0;
}

/* All starts of a chain that the row completes. A start's own turn has the number that was noted with it. */
static int note(struct under_way *at, const struct chain *chain, const uint32_t *turns)
{
    struct match_lean_view *view = &at->op->lean->view;
    for (uint32_t start = chain->first;; start = view->chain.at[start]) {
        struct match_lean_found found = { .start = start, .accept = at->row };
        int rc = explain(at, turns[start], &found);
        if (rc || at->full)
            return rc;
        if (!BASE_VEC_PUSH(&view->found, found))
            return BASE_E_NOMEM;
        if (start == chain->last)
            return 0;
    }
}

/* Steps the chains over the row. What another row than the last completes has had its match. */
static int step(struct under_way *at, struct chains *chains, const uint32_t *turns)
{
    struct match_op *op = at->op;
    struct match_edges scratch;
    const struct match_edges *edges;
    struct chains after;
    after.count = 0;
    for (uint32_t i = 0; i < chains->count; i++) {
        struct chain chain = chains->at[i];
        int rc = cep_match_edges_of(op, &op->lean->edges, chain.config, &scratch, &edges);
        if (rc)
            return rc;
        chain.config = edges->to;
        at->full |= edges->to == MATCH_CONFIG_FULL;
        if (edges->to == MATCH_CONFIG_ACCEPTED && at->last) {
            take_turn(&op->lean->view, chain.turn, edges, at->row, NO_TURN);
            rc = note(at, &chain, turns);
        } else if (edges->to && !cep_match_config_leaves(edges->to)) {
            rc = join(at, &after, chain, edges);
        }
        if (rc || at->full)
            return rc;
    }
    memcpy(chains->at, after.at, after.count * sizeof *after.at);
    chains->count = after.count;
    return 0;
}

/* The row as a start. */
static int begin(struct under_way *at, struct chains *chains, uint32_t *turns)
{
    struct match_op *op = at->op;
    struct match_edges scratch;
    const struct match_edges *edges;
    struct chain chain = { .first = at->row, .last = at->row };
    int rc = cep_match_edges_of(op, &op->lean->edges, MATCH_CONFIG_START, &scratch, &edges);
    if (rc)
        return rc;
    at->full |= edges->to == MATCH_CONFIG_FULL;
    if (!edges->to || cep_match_config_leaves(edges->to))
        return 0;
    chain.config = edges->to;
    rc = new_turn(&op->lean->view, &chain.turn);
    turns[at->row] = chain.turn;
    return rc ? rc : join(at, chains, chain, edges);
}

int cep_match_lean_each(struct match_op *op, const struct match_lean *lean, uint32_t from, uint32_t last, bool *ret_full)
{
    struct match_lean_view *view = &op->lean->view;
    struct under_way at = { .op = op, .lean = lean };
    struct chains chains;
    size_t count = view->rows.len;
    if (!BASE_VEC_RESERVE(&view->chain, 2 * count)) /* the next start in the chain; the turn that a start takes first */
        return BASE_E_NOMEM;
    uint32_t *turns = view->chain.at + count;
    int rc = 0;
    chains.count = 0;
    view->turns.len = 0;
    for (uint32_t i = from; i <= last && !rc && !at.full; i++) {
        bool start = i < last && !(view->entries.at[i].ref & LEAN_NO_START) && cep_match_lean_alive(op, i, last);
        if (!start && chains.count == 0)
            continue;
        at.row = i;
        at.last = i == last;
        rc = cep_match_lean_see(op, i);
        if (!rc)
            rc = step(&at, &chains, turns);
        if (!rc && !at.full && start)
            rc = begin(&at, &chains, turns);
    }
    *ret_full |= at.full;
    return rc;
}
