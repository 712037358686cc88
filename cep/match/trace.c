/* What a row did to the partial matches of its key, for people: told through cep_env.trace, start by start. Called at the end of head.c's step over a row, and
 * only where somebody listens; changes nothing that the match depends on. */
#include "cep/match/match.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/class.h"

#define STARTS_MOST 50 /* of one row */

/* op->items as rows and variables, in the arena of outputs. */
static int put_items(struct match_op *op, struct match_key *key, struct cep_trace *trace)
{
    struct cep_evidence_item *items = base_arena_alloc(&op->out_arena, (op->items.len + 1) * sizeof *items);
    if (!items)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < op->items.len; i++)
        items[i] = (struct cep_evidence_item){ .row = cep_match_rows_at(&key->rows, op->items.at[i].seq), .var = op->m->vars.first + op->items.at[i].var,
                                               .excluded = op->items.at[i].excluded != 0 };
    trace->items = items;
    trace->count = (uint32_t)op->items.len;
    return 0;
}

struct telling { struct match_op *op; struct match_key *key; struct cep_trace *trace; };

/* The way in op->items. */
static int tell_way(void *ctx)
{
    struct telling *t = ctx;
    int rc = put_items(t->op, t->key, t->trace);
    if (!rc)
        cep_flow_trace(t->op->op.flow, t->trace);
    return rc;
}

int cep_match_trace(struct match_op *op, struct match_key *key, struct match_head *head, uint64_t seq)
{
    if (op->quiet)
        return 0; /* the settled state follows behind: all this was told */
    struct cep_trace trace = { .node = op->op.node, .key = (uint64_t)(uintptr_t)key, .within_ms = op->within_ms, .row = cep_match_rows_at(&key->rows, seq), .what = CEP_TRACE_ROW };
    struct telling telling = { op, key, &trace };
    int rc = 0;
    base_arena_reset(&op->out_arena);
    cep_flow_trace(op->op.flow, &trace);
    for (size_t i = 0; i < head->cands.len && !rc; i++) {
        struct match_cand cand = head->cands.at[i];
        if (cand.accept_seq != seq || cand.kind != MATCH_FOUND || cand.step != MATCH_STEP_ROW)
            continue;
        trace.what = CEP_TRACE_MATCH;
        trace.start = cep_match_rows_at(&key->rows, cand.start);
        rc = op->m->all_matches ? cep_match_derivations(op, key, &cand, tell_way, &telling) : cep_match_replay(op, key, &cand);
        if (!rc && !op->m->all_matches)
            rc = tell_way(&telling);
    }
    uint32_t told = 0;
    trace.what = CEP_TRACE_LIVE;
    for (uint64_t start = head->first_start; start < cep_match_starts_end(head) && !rc && told < STARTS_MOST; start++) {
        if (cep_match_class_at(head, start) == MATCH_NO_CLASS)
            continue;
        told++;
        trace.start = cep_match_rows_at(&key->rows, start);
        rc = cep_match_replay_live(op, key, start, seq, cep_match_number_read(op, head), &trace.pc, &trace.ways);
        if (!rc)
            rc = tell_way(&telling);
    }
    trace.what = CEP_TRACE_DONE;
    if (!rc)
        cep_flow_trace(op->op.flow, &trace);
    return rc;
}
