/* ALL MATCHES: every distinct derivation of a start that completes at one row. The states after each row form layers of a graph; its edges carry the label that the
 * row got (or none: passed over). Paths from the start to an acceptance are enumerated in preference order, equal sequences once. */
#include "cep/match/match.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/time.h"

#define DAG_NODES_MAX (1u << 20)
#define DAG_ACCEPT (UINT32_MAX - 1)
#define DAG_EARLIER (UINT32_MAX - 2) /* accepted before: the same sequence does not count again */

struct dag_edge { uint64_t seq; uint32_t to, next; uint16_t var; uint8_t excluded, taken; };
struct dag_node { struct match_thread thread; uint32_t first_edge, last_edge; bool useful; };
struct match_dag {
    struct { struct dag_node *at; size_t len, cap; } nodes;
    struct { struct dag_edge *at; size_t len, cap; } edges;
    struct base_arena arena;   /* registers of the nodes' threads */
    struct base_map seen;      /* sequences given out */
    struct { uint32_t *at; size_t len, cap; } stack; /* pairs of node, edge */
    struct match_items path;
    bool earlier;              /* there are edges to DAG_EARLIER */
};

void cep_match_all_finish(struct match_op *op)
{
    if (!op->dag)
        return;
    BASE_VEC_FINISH(&op->dag->nodes);
    BASE_VEC_FINISH(&op->dag->edges);
    BASE_VEC_FINISH(&op->dag->stack);
    BASE_VEC_FINISH(&op->dag->path);
    base_arena_finish(&op->dag->arena);
    base_map_finish(&op->dag->seen);
    base_free(op->dag);
    op->dag = NULL;
}

static int add_node(struct match_dag *dag, struct match_thread thread, uint32_t *ret)
{
    if (dag->nodes.len >= DAG_NODES_MAX)
        return BASE_E_LIMIT;
    if (thread.regs) {
        struct cep_tuple *copy = base_arena_alloc(&dag->arena, thread.regs->size_bytes);
        if (!copy)
            return BASE_E_NOMEM;
        memcpy(copy, thread.regs, thread.regs->size_bytes);
        thread.regs = copy;
    }
    thread.path = MATCH_NO_PATH;
    *ret = (uint32_t)dag->nodes.len;
    struct dag_node node = { .thread = thread, .first_edge = UINT32_MAX, .last_edge = UINT32_MAX };
    return BASE_VEC_PUSH(&dag->nodes, node) ? 0 : BASE_E_NOMEM;
}

static int add_edge(struct match_op *op, uint32_t from, uint32_t to, uint32_t path)
{
    struct match_dag *dag = op->dag;
    struct dag_edge edge = { .to = to, .next = UINT32_MAX, .seq = op->seq };
    dag->earlier |= to == DAG_EARLIER;
    if (path != MATCH_NO_PATH) {
        edge.taken = 1;
        edge.var = op->paths[path].var;
        edge.excluded = (uint8_t)op->paths[path].excluded;
    }
    uint32_t at = (uint32_t)dag->edges.len;
    if (!BASE_VEC_PUSH(&dag->edges, edge))
        return BASE_E_NOMEM;
    struct dag_node *node = &dag->nodes.at[from];
    if (node->last_edge == UINT32_MAX)
        node->first_edge = at;
    else
        dag->edges.at[node->last_edge].next = at;
    node->last_edge = at;
    return 0;
}

/* Steps the nodes [first, end) over the current row (or the end); new states become nodes of the next layer. final: acceptances count; late: time is up. */
static int step_layer(struct match_op *op, uint32_t first, uint32_t end, bool final, bool late)
{
    struct match_dag *dag = op->dag;
    uint32_t layer = (uint32_t)dag->nodes.len;
    bool behind = op->has_lookahead || op->has_absence; /* may a sequence complete more than once? */
    for (uint32_t from = first; from < end; from++) {
        struct match_thread thread = dag->nodes.at[from].thread;
        int rc = 0;
        op->path_count = 0;
        if (late && !cep_match_thread_looks_ahead(op, &thread)) {
            rc = op->nfas[thread.pc].op == CEP_NFA_ABSENT ? add_edge(op, from, DAG_EARLIER, MATCH_NO_PATH) : 0; /* its absence held when time was up */
            if (rc)
                return rc;
            continue;
        }
        if (op->mode == MATCH_STEP_ROW && op->has_for_absence && cep_match_thread_deadline(op, &thread) <= op->row->time_ms) {
            rc = add_edge(op, from, DAG_EARLIER, MATCH_NO_PATH); /* its absence held before this row */
            if (rc)
                return rc;
            continue;
        }
        rc = cep_match_step(op, &thread, 1);
        for (size_t i = 0; i < op->out.len && !rc; i++) {
            uint32_t to = layer;
            const struct match_thread *out = &op->out.at[i];
            while (to < dag->nodes.len) {
                const struct match_thread *other = &dag->nodes.at[to].thread;
                if (other->pc == out->pc && other->guards == out->guards &&
                    (other->regs == out->regs || (other->regs && out->regs && cep_tuple_equal(other->regs, out->regs))))
                    break;
                to++;
            }
            if (to == dag->nodes.len)
                rc = add_node(dag, *out, &to);
            if (!rc)
                rc = add_edge(op, from, to, out->path);
        }
        for (size_t i = 0; (final || behind) && i < op->accept_list.len && !rc; i++)
            rc = add_edge(op, from, final ? DAG_ACCEPT : DAG_EARLIER, op->accept_list.at[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static int build(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint32_t *ret_first_layer)
{
    struct match_dag *dag = op->dag;
    bool anchor = op->has_start_anchor && cand->start == 1;
    const struct match_threads *start = anchor ? &op->first_anchor : &op->first_plain;
    int rc = 0;
    for (size_t i = 0; i < start->len && !rc; i++)
        rc = add_node(dag, start->at[i], &(uint32_t){ 0 });
    uint32_t first = 0;
    *ret_first_layer = (uint32_t)dag->nodes.len;
    for (uint64_t seq = cand->start; seq <= cand->accept_seq && !rc; seq++) {
        uint32_t end = (uint32_t)dag->nodes.len;
        base_arena_reset(&op->arena);
        cep_match_begin_row(op, key, seq);
        bool late = op->within_ms && op->row->time_ms - cep_match_rows_at(&key->rows, cand->start)->time_ms >= op->within_ms;
        rc = step_layer(op, first, end, seq == cand->accept_seq && cand->step == MATCH_STEP_ROW, late);
        first = end;
    }
    if (rc || cand->step == MATCH_STEP_ROW)
        return rc;
    uint32_t end = (uint32_t)dag->nodes.len;
    base_arena_reset(&op->arena);
    op->row = NULL;
    op->seq = cand->accept_seq;
    op->unpacked = NULL;
    if (cand->step == MATCH_STEP_END) {
        op->mode = MATCH_STEP_END;
        return step_layer(op, first, end, true, op->within_ms != 0);
    }
    int64_t within = cep_match_rows_at(&key->rows, cand->start)->time_ms + op->within_ms;
    for (uint32_t i = first; i < end && !rc; i++) {
        struct match_thread thread = dag->nodes.at[i].thread;
        bool absent = op->nfas[thread.pc].op == CEP_NFA_ABSENT;
        int64_t deadline = absent && op->nfas[thread.pc].absent_ms == 0 ? within : cep_match_thread_deadline(op, &thread);
        bool waits = !absent && !cep_match_thread_looks_ahead(op, &thread);
        if (cand->kind == MATCH_TIMEOUT ? waits : absent && deadline == cand->time_ms)
            rc = add_edge(op, i, DAG_ACCEPT, MATCH_NO_PATH);
        else if (absent && deadline < cand->time_ms)
            rc = add_edge(op, i, DAG_EARLIER, MATCH_NO_PATH);
    }
    return rc;
}

/* Is the edge one on a way to `goal`? */
static bool leads_to(const struct match_dag *dag, const struct dag_edge *edge, uint32_t goal)
{
    return edge->to >= DAG_EARLIER ? edge->to == goal : dag->nodes.at[edge->to].useful;
}

/* Marks the nodes from which the goal can be reached: edges lead to later nodes only, so one pass from the end is enough. */
static void mark_useful(struct match_dag *dag, uint32_t goal)
{
    for (size_t i = dag->nodes.len; i-- > 0;) {
        struct dag_node *node = &dag->nodes.at[i];
        node->useful = false;
        for (uint32_t e = node->first_edge; e != UINT32_MAX && !node->useful; e = dag->edges.at[e].next)
            node->useful = leads_to(dag, &dag->edges.at[e], goal);
    }
}

/* fn: NULL: the sequence is only noted. */
static int give(struct match_op *op, uint32_t *left, match_derivation_fn *fn, void *ctx)
{
    struct match_dag *dag = op->dag;
    if (dag->path.len == 0)
        return 0; /* only non-empty derivations count */
    bool added;
    struct base_str bytes = { (const char *)dag->path.at, dag->path.len * sizeof *dag->path.at };
    if (!base_map_put(&dag->seen, bytes, &added))
        return BASE_E_NOMEM;
    if (!added || !fn)
        return 0;
    if (*left == 0) {
        op->key->limited = true;
        return BASE_E_LIMIT;
    }
    (*left)--;
    op->items.len = 0;
    for (size_t i = 0; i < dag->path.len; i++)
        if (!BASE_VEC_PUSH(&op->items, dag->path.at[i]))
            return BASE_E_NOMEM;
    return fn(ctx);
}

/* Depth-first from one node of the first layer to acceptances (fn NULL: earlier ones), edges in preference order. */
static int walk(struct match_op *op, uint32_t root, uint32_t *left, match_derivation_fn *fn, void *ctx)
{
    struct match_dag *dag = op->dag;
    uint32_t goal = fn ? DAG_ACCEPT : DAG_EARLIER;
    dag->stack.len = 0;
    dag->path.len = 0;
    if (!dag->nodes.at[root].useful)
        return 0;
    /* stack: (node, next edge, path length on entry) */
    if (!BASE_VEC_PUSH(&dag->stack, root) || !BASE_VEC_PUSH(&dag->stack, dag->nodes.at[root].first_edge) || !BASE_VEC_PUSH(&dag->stack, 0))
        return BASE_E_NOMEM;
    uint64_t steps = 0;
    while (dag->stack.len) {
        uint32_t *top = dag->stack.at + dag->stack.len - 3;
        uint32_t e = top[1];
        dag->path.len = top[2];
        if (e == UINT32_MAX) {
            dag->stack.len -= 3;
            continue;
        }
        if (++steps > (UINT64_C(1) << 26))
            return BASE_E_LIMIT;
        struct dag_edge edge = dag->edges.at[e];
        top[1] = edge.next;
        if (!leads_to(dag, &edge, goal))
            continue;
        if (edge.taken) {
            struct match_item item;
            memset(&item, 0, sizeof item); /* bytes are compared */
            item.seq = edge.seq;
            item.var = edge.var;
            item.excluded = edge.excluded;
            if (!BASE_VEC_PUSH(&dag->path, item))
                return BASE_E_NOMEM;
        }
        if (edge.to == goal) {
            int rc = give(op, left, fn, ctx);
            if (rc)
                return rc;
            continue;
        }
        if (!BASE_VEC_PUSH(&dag->stack, edge.to) || !BASE_VEC_PUSH(&dag->stack, dag->nodes.at[edge.to].first_edge) ||
            !BASE_VEC_PUSH(&dag->stack, (uint32_t)dag->path.len))
            return BASE_E_NOMEM;
    }
    return 0;
}

struct counting { struct match_op *op; uint64_t start, count; bool over; };

static int count_one(void *ctx)
{
    struct counting *counting = ctx;
    const struct match_op *op = counting->op;
    if (counting->over)
        return 0;
    counting->count++;
    counting->over = (op->m->skip == CEP_SKIP_FIRST || op->m->skip == CEP_SKIP_LAST) && cep_match_items_target(op) > counting->start;
    return 0;
}

int cep_match_count(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t *ret)
{
    *ret = 1;
    if (!op->numbers || !op->m->all_matches || op->m->skip == CEP_SKIP_PAST_LAST || op->m->skip == CEP_SKIP_NEXT_ROW)
        return 0;
    struct counting counting = { .op = op, .start = cand->start };
    int rc = cep_match_derivations(op, key, cand, count_one, &counting);
    *ret = counting.count;
    return rc;
}

int cep_match_derivations(struct match_op *op, struct match_key *key, const struct match_cand *cand, match_derivation_fn *fn, void *ctx)
{
    if (!op->dag) {
        op->dag = base_calloc(1, sizeof *op->dag);
        if (!op->dag)
            return BASE_E_NOMEM;
    }
    struct match_dag *dag = op->dag;
    dag->nodes.len = dag->edges.len = 0;
    dag->earlier = false;
    base_arena_reset(&dag->arena);
    base_map_finish(&dag->seen);
    bool quiet = op->quiet;
    op->quiet = true;
    op->track = true;
    op->key = key;
    op->frame.match_number = (int64_t)cand->number;
    uint32_t roots = 0, left = cep_flow_limits(op->op.flow)->output_per_row;
    int rc = build(op, key, cand, &roots);
    op->track = false;
    op->quiet = quiet;
    for (int pass = dag->earlier && cand->kind != MATCH_TIMEOUT ? 0 : 1; pass < 2 && !rc; pass++) {
        mark_useful(dag, pass ? DAG_ACCEPT : DAG_EARLIER);
        for (uint32_t i = 0; i < roots && !rc; i++)
            rc = walk(op, i, &left, pass ? fn : NULL, ctx);
    }
    if (rc == BASE_E_LIMIT) { /* cut, the same way each time, and told */
        key->limited = true;
        cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, NULL);
        rc = 0;
    }
    return rc;
}
