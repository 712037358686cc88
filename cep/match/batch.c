#include "cep/match/batch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/match/match.h"
#include "cep/match/batch_order.h"
#include "cep/match/reach.h"
#include "cep/plain_key.h"
#include "cep/vector.h"

struct batch {
    struct match_op *op;
    struct cep_columns *columns;
    const struct match_batch_keys *keys;
    struct match_batch_edges edges;
    bool reaches;              /* matches are found by reach; otherwise the ordinary automaton runs */
    struct match_reach reach;
    uint8_t *classes;          /* of every row */
    uint16_t *sets;            /* of the partition at hand */
    uint32_t sets_cap;
    uint32_t first, count;     /* rows of the partition at hand */
    uint32_t unmatched;        /* first row of it not yet told as matched or not */
    uint64_t number;           /* matches in it so far */
    struct cep_key *key;
    struct match_key state;    /* rows of the match at hand, or of the partition at hand */
    struct base_arena arena;   /* rows in the making */
};

/* ---- what the conditions see of each row ---- */

/* A condition that the column-wise evaluation does not know, row by row. */
struct by_row { struct batch *b; uint32_t row, first, end; struct base_arena arena; int rc; };

static const struct cep_tuple *neighbour(void *ctx, int32_t distance)
{
    struct by_row *at = ctx;
    int64_t row = (int64_t)at->row + distance;
    struct cep_row *made;
    if (row < at->first || row >= at->end)
        return NULL;
    int rc = cep_columns_row(at->b->columns, (uint32_t)row, &at->arena, &made);
    if (rc)
        at->rc = rc;
    return rc ? NULL : &made->tuple;
}

static int test_rows(struct batch *b, uint32_t code, uint32_t bit)
{
    struct match_op *op = b->op;
    struct by_row at = { .b = b };
    struct cep_frame frame = { .row_types = op->types, .row_time_ms = BASE_TIME_MIN_MS, .nav = neighbour, .ctx = &at, .arena = &at.arena };
    int rc = cep_program_code(op->program, code)->flags & CEP_CODE_VOLATILE ? BASE_E_UNSUPPORTED : 0;
    for (size_t p = 0; p + 1 < b->edges.len && !rc; p++) {
        at.first = b->edges.at[p];
        at.end = b->edges.at[p + 1];
        for (uint32_t r = at.first; r < at.end && !rc; r++) {
            struct cep_row *row;
            bool holds = false;
            base_arena_reset(&at.arena);
            at.row = r;
            rc = cep_columns_row(b->columns, r, &at.arena, &row);
            if (rc)
                break;
            frame.row = &row->tuple;
            rc = cep_expr_test(op->expr, code, &frame, &holds);
            if (rc && rc != BASE_E_NOMEM)
                rc = BASE_E_UNSUPPORTED; /* the ordinary way tells of it, if it comes to that row */
            rc = rc ? rc : at.rc;
            b->classes[r] |= (uint8_t)(holds << bit);
        }
    }
    base_arena_finish(&at.arena);
    return rc;
}

static void add_bit(uint8_t *restrict classes, const uint8_t *restrict holds, uint32_t count, uint32_t bit)
{
    for (uint32_t r = 0; r < count; r++)
        classes[r] |= (uint8_t)(holds[r] << bit);
}

static int test_columns(struct batch *b, uint32_t code, uint32_t bit)
{
    struct cep_vector *vector = NULL;
    uint8_t holds[CEP_VECTOR_ROWS];
    int rc = cep_vector_create(cep_flow_linked(b->op->op.flow), code, b->columns, &vector);
    if (rc == BASE_E_UNSUPPORTED)
        return test_rows(b, code, bit);
    int64_t back = -(int64_t)cep_program_code(b->op->program, code)->nav_min;
    uint32_t edge = 0;
    for (uint32_t first = 0; first < b->columns->rows && !rc; first += CEP_VECTOR_ROWS) {
        uint32_t left = b->columns->rows - first, count = left < CEP_VECTOR_ROWS ? left : CEP_VECTOR_ROWS;
        while ((int64_t)b->edges.at[edge + 1] <= (int64_t)first - back)
            edge++;
        struct cep_vector_block block = { b->columns, first, count, b->edges.at, edge };
        rc = cep_vector_run(vector, &block, holds);
        if (!rc)
            add_bit(b->classes + first, holds, count, bit);
    }
    cep_vector_destroy(vector);
    return rc;
}

/* The classes of all rows; BASE_E_UNSUPPORTED, BASE_E_LIMIT: this pattern is not found by classes. */
static int classify(struct batch *b)
{
    uint32_t rows = b->columns->rows;
    b->classes = base_alloc_walked((size_t)rows + 1);
    int rc = b->classes ? 0 : BASE_E_NOMEM;
    if (!rc)
        memset(b->classes, 0, (size_t)rows + 1);
    uint8_t *low = NULL; /* the first eight conditions, while the others are looked at */
    for (uint32_t i = 0; i < b->reach.pred_count && !rc; i++) {
        if (i == 8) {
            low = b->classes;
            b->classes = base_calloc((size_t)rows + 1, 1);
            rc = b->classes ? 0 : BASE_E_NOMEM;
        }
        if (!rc)
            rc = test_columns(b, b->op->preds[b->reach.preds[i]].code, i % 8);
    }
    for (uint32_t r = 0; low && r < rows && !rc; r++)
        rc = cep_match_reach_class(&b->reach, low[r] | (uint32_t)b->classes[r] << 8, &b->classes[r]);
    base_free(low);
    return rc;
}

/* ---- telling ---- */

static int make_key(struct batch *b)
{
    uint32_t count = b->keys->count;
    struct cep_value values[CEP_PLAIN_KEY_MOST];
    struct cep_type types[CEP_PLAIN_KEY_MOST];
    for (uint32_t i = 0; i < count; i++) {
        values[i] = cep_columns_value(b->columns, b->keys->columns[i], b->first);
        types[i] = b->columns->at[b->keys->columns[i]].type;
    }
    size_t bytes = cep_tuple_size(types, values, count);
    base_free(b->key);
    b->key = bytes ? base_calloc(1, sizeof *b->key + bytes) : NULL;
    if (!b->key)
        return bytes ? BASE_E_NOMEM : BASE_E_LIMIT;
    cep_tuple_write(types, values, count, &b->key->tuple);
    b->key->state = &b->state;
    return 0;
}

/* Rows [from, end) of the partition at hand, numbered as the operator does, into the state. */
static int bring_rows(struct batch *b, uint32_t from, uint32_t end)
{
    int rc = 0;
    cep_match_rows_restart(&b->state.rows, (uint64_t)from + 1);
    for (uint32_t r = from; r < end && !rc; r++) {
        struct cep_row *row;
        base_arena_reset(&b->arena);
        rc = cep_columns_row(b->columns, b->first + r, &b->arena, &row);
        if (!rc)
            rc = cep_match_rows_append(&b->state.rows, row);
    }
    return rc;
}

static int tell_found(struct batch *b, const struct match_cand *cand, uint32_t from, uint32_t end)
{
    const struct cep_match *m = b->op->m;
    from = from > m->lookback ? from - m->lookback : 0;
    end = b->count - end > m->lookahead ? end + m->lookahead : b->count;
    int rc = bring_rows(b, from, end);
    return rc ? rc : cep_match_key_tell(b->op, b->key, cand);
}

/* Rows in front of `end` that no match has covered. */
static int tell_unmatched(struct batch *b, uint32_t end)
{
    int rc = 0;
    for (; b->op->m->rows == CEP_ROWS_ALL_UNMATCHED && b->unmatched < end && !rc; b->unmatched++) {
        uint64_t seq = (uint64_t)b->unmatched + 1;
        const struct match_cand cand = { .start = seq, .end = seq, .accept_seq = seq, .kind = MATCH_UNMATCHED, .resolved = 1 };
        b->op->items.len = 0;
        if (b->op->counts)
            b->op->owed++;
        else
            rc = tell_found(b, &cand, b->unmatched, b->unmatched + 1);
    }
    return rc;
}

/* ---- finding ---- */

/* The preferred match of the start at row `start` of the partition, which has one. *ret_end: behind its last row; *ret_shown: its rows outside of {- -}. */
static int walk(struct batch *b, uint32_t start, bool label, uint32_t *ret_end, uint32_t *ret_shown)
{
    struct match_op *op = b->op;
    const struct cep_nfa *nfas = op->nfas;
    uint32_t pc = 0, row = start, shown = 0;
    op->items.len = 0;
    while (nfas[pc].op != CEP_NFA_MATCH) {
        const struct cep_nfa *nfa = &nfas[pc];
        if (nfa->op == CEP_NFA_SPLIT) {
            pc = cep_match_reach_has(&b->reach, b->sets[row], nfa->a) ? nfa->a : nfa->b;
            continue;
        }
        if (nfa->op == CEP_NFA_TAKE) {
            const struct match_item item = { .seq = (uint64_t)row + 1, .var = nfa->var, .excluded = nfa->excluded };
            if (label && !BASE_VEC_PUSH(&op->items, item))
                return BASE_E_NOMEM;
            shown += !nfa->excluded;
            row++;
        }
        pc = nfa->a;
    }
    *ret_end = row;
    *ret_shown = shown;
    return 0;
}

static int tell_match(struct batch *b, uint32_t start, uint32_t end, uint32_t shown)
{
    struct match_op *op = b->op;
    const struct match_cand cand = { .start = (uint64_t)start + 1, .end = end, .accept_seq = end > start ? end : (uint64_t)start + 1, .kind = MATCH_FOUND,
                                     .step = MATCH_STEP_ROW, .resolved = 1, .number = ++b->number };
    uint32_t covered = end > start ? end : start + 1;
    b->unmatched = b->unmatched > covered ? b->unmatched : covered;
    op->matches++;
    if (!op->counts)
        return tell_found(b, &cand, start, covered);
    if (op->m->rows == CEP_ROWS_ONE || (end == start && op->m->rows != CEP_ROWS_ALL_OMIT_EMPTY))
        op->owed++;
    else
        op->owed += shown;
    return 0;
}

/* Row at which the next match may start, by AFTER MATCH SKIP. */
static int skip(struct batch *b, uint32_t start, uint32_t end, uint32_t *ret)
{
    struct match_op *op = b->op;
    uint64_t target = 0;
    *ret = start + 1;
    if (end == start)
        return 0;
    switch ((enum cep_skip)op->m->skip) {
    case CEP_SKIP_PAST_LAST:
        *ret = end;
        break;
    case CEP_SKIP_NEXT_ROW:
    case CEP_SKIP_CURRENT_ROW:
        break;
    case CEP_SKIP_FIRST:
    case CEP_SKIP_LAST:
        target = cep_match_items_target(op);
        if (target > (uint64_t)start + 1) {
            *ret = (uint32_t)(target - 1);
        } else {
            struct cep_row *row;
            base_arena_reset(&b->arena);
            int rc = cep_columns_row(b->columns, b->first + start, &b->arena, &row);
            if (rc)
                return rc;
            struct cep_event event = { .row = row, .key_node = CEP_NONE };
            cep_flow_report(op->op.flow, CEP_REPORT_ERROR, op->op.node, BASE_E_SKIP_TARGET, CEP_NONE, &event);
        }
        break;
    }
    return 0;
}

static int find_matches(struct batch *b)
{
    const struct match_op *op = b->op;
    const uint8_t *hit = b->reach.hit;
    bool label = !op->counts || op->m->skip == CEP_SKIP_FIRST || op->m->skip == CEP_SKIP_LAST;
    int rc = 0;
    for (uint32_t at = 0; at < b->count && !rc;) {
        uint32_t end, shown;
        if (!hit[b->sets[at]]) {
            at++;
            continue;
        }
        rc = tell_unmatched(b, at);
        if (!rc)
            rc = walk(b, at, label, &end, &shown);
        if (!rc)
            rc = tell_match(b, at, end, shown);
        if (!rc)
            rc = skip(b, at, end, &at);
    }
    return rc ? rc : tell_unmatched(b, b->count);
}

/* ---- partitions ---- */

/* The operator's own way, over the rows of the partition. */
static int run_rows(struct batch *b)
{
    struct match_key *state = &b->state;
    cep_match_key_finish(state);
    cep_match_key_clear(state);
    int rc = make_key(b);
    if (!rc)
        rc = bring_rows(b, 0, b->count);
    if (!rc)
        rc = cep_match_key_wake(b->op, b->key);
    cep_match_key_count(b->op, state, true);
    return rc;
}

static int run_partition(struct batch *b)
{
    if (!b->reaches)
        return run_rows(b);
    if (b->count >= b->sets_cap) {
        uint32_t cap = b->count + 64;
        cap = cap < b->sets_cap * 2 ? b->sets_cap * 2 : cap;
        base_free(b->sets);
        b->sets = base_alloc_walked(cap * sizeof *b->sets);
        b->sets_cap = b->sets ? cap : 0;
        if (!b->sets)
            return BASE_E_NOMEM;
    }
    int rc = cep_match_reach_run(&b->reach, b->classes + b->first, b->count, b->sets);
    if (rc == BASE_E_LIMIT)
        return run_rows(b);
    b->unmatched = 0;
    b->number = 0;
    if (!rc && !b->op->counts)
        rc = make_key(b);
    return rc ? rc : find_matches(b);
}

/* Matches of which nothing is asked but that they are. */
static int tell_owed(struct match_op *op)
{
    struct cep_row *row;
    if (op->owed == 0)
        return 0;
    int rc = cep_row_make(NULL, NULL, 0, BASE_TIME_MIN_MS, (struct cep_position){ 0 }, cep_flow_arena(op->op.flow), &row);
    if (rc)
        return rc;
    struct cep_event event = { .row = row, .key_node = CEP_NONE, .kind = CEP_IS_MATCH, .first_time_ms = row->time_ms, .last_time_ms = row->time_ms,
                               .final = true, .times = op->owed };
    op->owed = 0;
    return cep_flow_emit(op->op.flow, op->op.node, &event);
}

/* Do the rows of `node` come to operators alone that take equal rows at once? */
static bool takes_times(const struct cep_program *p, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(p, node)->outputs;
    for (uint32_t i = 0; i < outputs.count; i++) {
        uint32_t to = *cep_program_u32(p, outputs.first + i);
        const struct cep_node *n = cep_program_node(p, to);
        if (n->kind == CEP_NODE_EXCHANGE ? n->keys.count || !takes_times(p, to) : n->kind != CEP_NODE_GROUP || cep_program_group(p, n->detail)->eager)
            return false;
    }
    return true;
}

/* Does somebody ask which match a row is, or of what it was made? A result and an aggregate do not. */
static bool ignores_identity(const struct cep_program *p, uint32_t node)
{
    const struct cep_list outputs = cep_program_node(p, node)->outputs;
    for (uint32_t i = 0; i < outputs.count; i++) {
        uint32_t to = *cep_program_u32(p, outputs.first + i);
        const struct cep_node *n = cep_program_node(p, to);
        bool passes = n->kind == CEP_NODE_EXCHANGE || n->kind == CEP_NODE_CALC, result = n->kind == CEP_NODE_SINK && cep_program_sink(p, n->detail)->kind == CEP_SINK_QUERY;
        if (!result && n->kind != CEP_NODE_GROUP && (!passes || !ignores_identity(p, to)))
            return false;
    }
    return true;
}

static bool order_column(const struct match_op *op, uint32_t i, uint32_t *ret)
{
    const struct cep_code *code = cep_program_code(op->program, cep_program_order(op->program, op->m->order.first + i)->code);
    const struct cep_insn *insns = cep_program_insn(op->program, code->first);
    *ret = insns[0].c;
    return code->count == 2 && insns[0].op == CEP_OP_COLUMN && insns[1].op == CEP_OP_RETURN && insns[1].a == insns[0].d && insns[0].c < op->columns;
}

bool cep_match_takes_columns(const struct cep_operator *base)
{
    const struct match_op *op = (const struct match_op *)(const void *)base;
    uint32_t column;
    for (uint32_t i = 0; i < op->m->order.count; i++)
        if (!order_column(op, i, &column))
            return false;
    return op->m->batch_sort && !cep_flow_traces(base->flow);
}

static int arrange(struct batch *b)
{
    const struct match_op *op = b->op;
    struct match_batch_order *order = base_calloc((size_t)op->m->order.count + 1, sizeof *order);
    if (!order)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < op->m->order.count; i++) {
        const struct cep_order *from = cep_program_order(op->program, op->m->order.first + i);
        (void)order_column(op, i, &order[i].column);
        order[i].descending = from->descending;
        order[i].nulls_first = from->nulls_first;
    }
    int rc = cep_match_batch_arrange(b->columns, b->keys, order, op->m->order.count, &b->edges);
    base_free(order);
    return rc;
}

int cep_match_columns(struct cep_operator *base, struct cep_columns *columns, const struct match_batch_keys *keys)
{
    struct match_op *op = (struct match_op *)(void *)base;
    struct batch b = { .op = op, .columns = columns, .keys = keys };
    cep_match_key_clear(&b.state);
    base->watermark_ms = BASE_TIME_MAX_MS;
    op->plain = ignores_identity(op->program, base->node);
    op->counts = op->plain && op->m->outs.count == 0 && takes_times(op->program, base->node);
    int rc = columns->rows ? arrange(&b) : 0;
    if (!rc && columns->rows) {
        rc = cep_match_reach_init(&b.reach, op);
        if (!rc)
            rc = classify(&b);
        b.reaches = rc == 0;
        rc = rc == BASE_E_UNSUPPORTED || rc == BASE_E_LIMIT ? 0 : rc;
    }
    for (size_t p = 0; p + 1 < b.edges.len && !rc; p++) {
        b.first = b.edges.at[p];
        b.count = b.edges.at[p + 1] - b.first;
        base_arena_reset(cep_flow_arena(base->flow));
        rc = run_partition(&b);
    }
    if (!rc)
        rc = tell_owed(op);
    cep_match_reach_finish(&b.reach);
    cep_match_key_finish(&b.state);
    BASE_VEC_FINISH(&b.edges);
    base_arena_finish(&b.arena);
    base_free(b.classes);
    base_free(b.sets);
    base_free(b.key);
    return rc;
}
