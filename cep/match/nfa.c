/* Threads of the automaton: closures in preference order, steps over a row, guards. A Pike VM whose threads rest between rows. */
#include "cep/match/match.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"

struct match_closure { uint32_t pc, guards; uint64_t loops; };

void cep_match_begin_row(struct match_op *op, struct match_key *key, uint64_t seq)
{
    op->key = key;
    op->seq = seq;
    op->row = cep_match_rows_at(&key->rows, seq);
    op->mode = MATCH_STEP_ROW;
    op->frame.row = &op->row->tuple;
    op->frame.row_time_ms = op->row->time_ms;
    op->frame.row_number = (int64_t)seq;
    op->unpacked = NULL;
    cep_match_forget_unary(op);
}

void cep_match_forget_unary(struct match_op *op)
{
    memset(op->unary, 0, op->m->preds.count);
    op->once_holds = op->once && cep_once_is(op->once, op->row);
}

void cep_match_reset_out(struct match_op *op)
{
    op->out.len = 0;
    op->accept_list.len = 0;
    op->accepted = false;
    if (++op->stamp == 0) {
        memset(op->pc_stamp, 0, op->m->nfas.count * sizeof *op->pc_stamp);
        op->stamp = 1;
        op->same_stamp = 0;
    }
    if (!op->whole_row || op->track)
        cep_match_forget_seen(op);
}

void cep_match_forget_seen(struct match_op *op)
{
    if (++op->step_now == 0) {
        memset(op->step_stamp, 0, op->m->nfas.count * sizeof *op->step_stamp);
        op->step_now = 1;
    }
}

static void unpack(struct match_op *op, const struct match_thread *thread)
{
    const struct cep_list live = op->nfas[thread->pc].live;
    if (live.count == 0 || (op->unpacked == thread->regs && op->unpacked_pc == thread->pc && thread->regs))
        return;
    for (uint32_t i = 0; i < live.count; i++) {
        uint32_t reg = op->u32s[live.first + i];
        op->regs[reg] = cep_tuple_get(thread->regs, i, op->live_types[reg]);
    }
    op->unpacked = thread->regs;
    op->unpacked_pc = thread->pc;
}

static int pack(struct match_op *op, uint32_t pc, const struct cep_value *regs, const struct cep_tuple **ret)
{
    const struct cep_list live = op->nfas[pc].live;
    *ret = NULL;
    if (live.count == 0)
        return 0;
    for (uint32_t i = 0; i < live.count; i++) {
        uint32_t reg = op->u32s[live.first + i];
        op->pack_values[i] = regs[reg];
        op->pack_types[i] = op->live_types[reg];
    }
    size_t bytes = cep_tuple_size(op->pack_types, op->pack_values, live.count);
    if (bytes == 0)
        return BASE_E_LIMIT;
    struct cep_tuple *tuple = base_arena_alloc(&op->arena, bytes);
    if (!tuple)
        return BASE_E_NOMEM;
    cep_tuple_write(op->pack_types, op->pack_values, live.count, tuple);
    *ret = tuple;
    return 0;
}

static bool same_regs(const struct cep_tuple *a, const struct cep_tuple *b)
{
    return a == b || (a && b && cep_tuple_equal(a, b));
}

/* ALL MATCHES: ways that label the row differently are different matches. Otherwise the less preferred way dies, whatever it took. */
static bool same_label(const struct match_op *op, uint32_t a, uint32_t b)
{
    if (!op->track || !op->m->all_matches || a == b)
        return true;
    return a != MATCH_NO_PATH && b != MATCH_NO_PATH && op->paths[a].var == op->paths[b].var && op->paths[a].excluded == op->paths[b].excluded;
}

#define HASHED_FROM 64 /* threads of a row; fewer are gone through one by one */

static uint32_t *bucket_of(struct match_op *op, const struct match_thread *thread)
{
    uint64_t hash = ((uint64_t)thread->guards << 32 | thread->pc) * UINT64_C(0x9E3779B97F4A7C15);
    hash = thread->regs ? base_hash64(thread->regs, thread->regs->size_bytes, hash) : hash ^ hash >> 32;
    return &op->same_buckets[hash & (op->same_bucket_count - 1)];
}

/* Puts all threads of out into buckets, at least twice as many. */
static int hash_threads(struct match_op *op)
{
    uint32_t count = op->same_bucket_count ? op->same_bucket_count : 4 * HASHED_FROM;
    while (count / 4 < op->out.len)
        count *= 2;
    if (count != op->same_bucket_count) {
        uint32_t *buckets = base_realloc(op->same_buckets, count * sizeof *buckets);
        if (!buckets)
            return BASE_E_NOMEM;
        op->same_buckets = buckets;
        op->same_bucket_count = count;
    }
    memset(op->same_buckets, 0, count * sizeof *op->same_buckets);
    for (uint32_t i = 0; i < op->out.len; i++) {
        uint32_t *first = bucket_of(op, &op->out.at[i]);
        op->next_same[i] = *first;
        *first = i + 1;
    }
    op->same_stamp = op->stamp;
    return 0;
}

/* The head of the chain in which a thread equal to this one would stand; NULL: no memory. */
static uint32_t *chain_of(struct match_op *op, const struct match_thread *thread)
{
    if (op->out.len >= HASHED_FROM) {
        bool full = op->same_stamp != op->stamp || op->out.len >= op->same_bucket_count / 2;
        return full && hash_threads(op) ? NULL : bucket_of(op, thread);
    }
    if (op->pc_stamp[thread->pc] != op->stamp) {
        op->pc_stamp[thread->pc] = op->stamp;
        op->pc_first[thread->pc] = 0;
    }
    return &op->pc_first[thread->pc];
}

/* Adds a resting thread unless an equal, more preferred one is there. */
static int add_thread(struct match_op *op, struct match_threads *list, struct match_thread thread)
{
    if (list != &op->out)
        return BASE_VEC_PUSH(list, thread) ? 0 : BASE_E_NOMEM;
    uint32_t *first = chain_of(op, &thread);
    if (!first)
        return BASE_E_NOMEM;
    for (uint32_t i = *first; i; i = op->next_same[i - 1]) {
        const struct match_thread *other = &op->out.at[i - 1];
        if (other->pc == thread.pc && other->guards == thread.guards && same_regs(other->regs, thread.regs) && same_label(op, other->path, thread.path))
            return 0;
    }
    if (op->out.len >= cep_flow_limits(op->op.flow)->threads_per_key) {
        op->key->limited = true;
        if (!op->quiet)
            cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, NULL);
        return 0; /* the least preferred ones are cut: deterministic */
    }
    if (op->out.len == op->next_same_cap) {
        uint32_t cap = op->next_same_cap ? op->next_same_cap * 2 : 64;
        uint32_t *next = base_realloc(op->next_same, cap * sizeof *next);
        if (!next)
            return BASE_E_NOMEM;
        op->next_same = next;
        op->next_same_cap = cap;
    }
    if (!BASE_VEC_PUSH(&op->out, thread))
        return BASE_E_NOMEM;
    op->next_same[op->out.len - 1] = *first;
    *first = (uint32_t)op->out.len;
    return 0;
}

static int push(struct match_op *op, uint32_t *depth, struct match_closure item)
{
    if (*depth == op->stack_cap) {
        uint32_t cap = op->stack_cap ? op->stack_cap * 2 : 64;
        struct match_closure *stack = base_realloc(op->stack, cap * sizeof *stack);
        if (!stack)
            return BASE_E_NOMEM;
        op->stack = stack;
        op->stack_cap = cap;
    }
    op->stack[(*depth)++] = item;
    return 0;
}

/* Per pc: is a register live where it rests, or where what takes no row leads from it? A pc leads mostly to higher ones, so few rounds do. */
void cep_match_note_reads(struct match_op *op)
{
    const uint32_t count = op->m->nfas.count;
    bool changed = true;
    while (changed) {
        changed = false;
        for (uint32_t pc = count; pc-- > 0;) {
            const struct cep_nfa *nfa = &op->nfas[pc];
            bool reads = nfa->live.count > 0;
            switch ((enum cep_nfa_op)nfa->op) {
            case CEP_NFA_SPLIT:
            case CEP_NFA_LOOP_OUT:
                reads |= op->reads_regs[nfa->a] || op->reads_regs[nfa->b];
                break;
            case CEP_NFA_START:
            case CEP_NFA_GUARD:
            case CEP_NFA_LOOP_IN:
                reads |= op->reads_regs[nfa->a];
                break;
            case CEP_NFA_TAKE:
            case CEP_NFA_WAIT:
            case CEP_NFA_END:
            case CEP_NFA_ABSENT:
            case CEP_NFA_MATCH:
                break;
            }
            changed |= reads && !op->reads_regs[pc];
            op->reads_regs[pc] |= reads;
        }
    }
}

/* Was (pc, guards, loops) seen in this closure? One remembered combination per pc is enough to end every closure: a pc can only be
 * visited again with other guards or loops, and those grow along a path; what is visited twice is dropped by add_thread. */
static bool seen(struct match_op *op, const struct match_closure *at, bool whole_step)
{
    uint64_t key = ((uint64_t)at->guards << 32) ^ at->loops * UINT64_C(0x9E3779B97F4A7C15);
    if (op->seen_stamp[at->pc] == op->seen_now && op->seen_key[at->pc] == key)
        return true;
    op->seen_stamp[at->pc] = op->seen_now;
    op->seen_key[at->pc] = key;
    /* Where no register is live, a more preferred thread that came by in this step has gone on from here as this one would: it took all that there is to take. So
     * has, where later starts are absorbed, one of an earlier start. */
    if (!whole_step || op->reads_regs[at->pc])
        return false;
    if (op->step_stamp[at->pc] == op->step_now && op->step_key[at->pc] == key)
        return true;
    op->step_stamp[at->pc] = op->step_now;
    op->step_key[at->pc] = key;
    return false;
}

/* Follows what takes no row, in preference order, from pc; regs are the register values there. Resting threads go to list; reaching MATCH accepts and, without
 * ALL MATCHES, ends the closure. */
static int closure(struct match_op *op, struct match_threads *list, struct match_closure from, const struct cep_value *regs, uint32_t path)
{
    uint32_t depth = 0;
    bool first_row = op->mode == MATCH_STEP_ROW && op->seq == 1 && path == MATCH_NO_PATH && op->has_start_anchor && op->row == NULL;
    if (++op->seen_now == 0) {
        memset(op->seen_stamp, 0, op->m->nfas.count * sizeof *op->seen_stamp);
        op->seen_now = 1;
    }
    bool whole_step = list == &op->out && !(op->track && op->m->all_matches);
    int rc = push(op, &depth, from);
    while (!rc && depth > 0) {
        struct match_closure at = op->stack[--depth];
        if (seen(op, &at, whole_step))
            continue;
        const struct cep_nfa *nfa = &op->nfas[at.pc];
        switch ((enum cep_nfa_op)nfa->op) {
        case CEP_NFA_SPLIT:
            rc = push(op, &depth, (struct match_closure){ nfa->b, at.guards, at.loops });
            if (!rc)
                rc = push(op, &depth, (struct match_closure){ nfa->a, at.guards, at.loops });
            break;
        case CEP_NFA_START:
            if (first_row)
                rc = push(op, &depth, (struct match_closure){ nfa->a, at.guards, at.loops });
            break;
        case CEP_NFA_GUARD:
            rc = push(op, &depth, (struct match_closure){ nfa->a, at.guards | UINT32_C(1) << nfa->guard, at.loops });
            break;
        case CEP_NFA_LOOP_IN:
            rc = push(op, &depth, (struct match_closure){ nfa->a, at.guards, at.loops | UINT64_C(1) << nfa->loop });
            break;
        case CEP_NFA_LOOP_OUT: {
            bool took_none = at.loops >> nfa->loop & 1;
            uint64_t loops = at.loops & ~(UINT64_C(1) << nfa->loop);
            rc = push(op, &depth, (struct match_closure){ took_none ? nfa->b : nfa->a, at.guards, loops });
            break;
        }
        case CEP_NFA_MATCH:
            if (!(at.guards & op->guard_end_mask)) {
                op->accepted = true;
                op->accept_path = path;
                op->accept_at = (uint32_t)op->out.len;
                if (!op->m->all_matches)
                    return 0;
                if (op->track && !BASE_VEC_PUSH(&op->accept_list, path))
                    return BASE_E_NOMEM;
                break;
            }
            /* It rests until the next row tells about NOT_NEXT. */
            /* fall through */
        case CEP_NFA_TAKE:
        case CEP_NFA_WAIT:
        case CEP_NFA_END:
        case CEP_NFA_ABSENT: {
            struct match_thread thread = { at.pc, at.guards, NULL, path };
            rc = pack(op, at.pc, regs, &thread.regs);
            if (!rc)
                rc = add_thread(op, list, thread);
            break;
        }
        }
    }
    return rc;
}

static int test(struct match_op *op, uint32_t pred, const struct match_thread *thread, bool *ret)
{
    const struct cep_pred *p = &op->preds[pred];
    if (p->code == CEP_NONE) {
        *ret = true;
        return 0;
    }
    uint8_t known = p->unary ? cep_match_known_unary(op, pred) : 0;
    if (known) {
        *ret = known == 2;
        return 0;
    }
    if (!p->unary)
        unpack(op, thread);
    int rc = cep_expr_test(op->expr, p->code, &op->frame, ret);
    if (rc == BASE_E_NOMEM)
        return rc;
    if (rc) {
        *ret = false;
        op->row_errors++;
        if (!op->quiet) {
            struct cep_event event = { .row = op->row, .key_node = CEP_NONE };
            cep_flow_report(op->op.flow, CEP_REPORT_ERROR, op->op.node, rc, p->code, &event);
        }
    }
    if (p->unary && rc)
        op->unary[pred] = 1; /* the other patterns that ask have an error to tell, too */
    else if (p->unary)
        cep_match_note_unary(op, pred, *ret);
    return 0;
}

static int any_of(struct match_op *op, struct cep_list preds, const struct match_thread *thread, bool *ret)
{
    *ret = false;
    for (uint32_t i = 0; i < preds.count && !*ret; i++) {
        int rc = test(op, op->u32s[preds.first + i], thread, ret);
        if (rc)
            return rc;
    }
    return 0;
}

/* Does the current row violate an active guard, being taken or passed over? */
static int violates(struct match_op *op, const struct match_thread *thread, bool taken, bool *ret)
{
    *ret = false;
    for (uint32_t bits = thread->guards; bits && !*ret; bits &= bits - 1) {
        const struct cep_guard *guard = &op->guards[__builtin_ctz(bits)];
        if (taken && guard->kind == CEP_GUARD_NOT)
            continue; /* a row that is both N and the next taken one is the taken one */
        int rc = any_of(op, guard->preds, thread, ret);
        if (rc)
            return rc;
    }
    return 0;
}

/* The current row was passed over: guards for the next row alone are done, possessive ones end where their loop can no longer be entered. */
static int pass_over(struct match_op *op, struct match_thread *thread)
{
    thread->guards &= ~op->guard_next_mask;
    for (uint32_t bits = thread->guards; bits; bits &= bits - 1) {
        const struct cep_guard *guard = &op->guards[__builtin_ctz(bits)];
        bool lifted = false;
        int rc = guard->lifts.count ? any_of(op, guard->lifts, thread, &lifted) : 0;
        if (rc)
            return rc;
        if (lifted)
            thread->guards &= ~(bits & -bits);
    }
    return add_thread(op, &op->out, *thread);
}

static int add_path(struct match_op *op, uint32_t parent, const struct cep_nfa *nfa, uint32_t *ret)
{
    if (op->path_count == op->path_cap) {
        uint32_t cap = op->path_cap ? op->path_cap * 2 : 256;
        struct match_path *paths = base_realloc(op->paths, cap * sizeof *paths);
        if (!paths)
            return BASE_E_NOMEM;
        op->paths = paths;
        op->path_cap = cap;
    }
    op->paths[op->path_count] = (struct match_path){ .parent = parent, .var = nfa->var, .excluded = nfa->excluded, .seq = op->seq };
    *ret = op->path_count++;
    return 0;
}

static int step_take(struct match_op *op, struct match_thread thread)
{
    const struct cep_nfa *nfa = &op->nfas[thread.pc];
    const struct cep_var *var = &op->vars[nfa->var];
    bool bad = false, holds = true;
    int rc = thread.guards ? violates(op, &thread, true, &bad) : 0;
    if (rc || bad)
        return rc;
    rc = test(op, var->pred, &thread, &holds);
    if (rc || !holds)
        return rc;
    const struct cep_value *regs = op->regs;
    if (op->live_count) {
        unpack(op, &thread);
        if (var->live_update != CEP_NONE) {
            memcpy(op->new_regs, op->regs, op->live_count * sizeof *op->regs);
            op->frame.new_regs = op->new_regs;
            rc = cep_expr_run(op->expr, var->live_update, &op->frame, &(struct cep_value){ 0 });
            if (rc == BASE_E_NOMEM)
                return rc;
            if (rc) { /* the row cannot be counted in: as if the condition had failed */
                op->row_errors++;
                if (!op->quiet) {
                    struct cep_event event = { .row = op->row, .key_node = CEP_NONE };
                    cep_flow_report(op->op.flow, CEP_REPORT_ERROR, op->op.node, rc, var->live_update, &event);
                }
                return 0;
            }
            regs = op->new_regs;
        }
    }
    uint32_t path = op->track ? MATCH_NO_PATH : 0;
    if (op->track) {
        rc = add_path(op, thread.path, nfa, &path);
        if (rc)
            return rc;
    }
    return closure(op, &op->out, (struct match_closure){ nfa->a, 0, 0 }, regs, path);
}

static int step_thread(struct match_op *op, struct match_thread thread, uint32_t depth);

/* Expands a thread in place: what follows it without a row is stepped over the current row, in order. */
static int step_through(struct match_op *op, struct match_thread thread, uint32_t pc, uint32_t guards, uint32_t depth)
{
    size_t first = op->temp.len;
    unpack(op, &thread);
    struct cep_value *values = op->regs;
    int rc = closure(op, &op->temp, (struct match_closure){ pc, guards, 0 }, values, thread.path);
    size_t end = op->temp.len;
    for (size_t i = first; i < end && !rc && (!op->accepted || op->m->all_matches); i++)
        rc = step_thread(op, op->temp.at[i], depth + 1);
    op->temp.len = first;
    return rc;
}

static int step_wait(struct match_op *op, struct match_thread thread, uint32_t depth)
{
    const struct cep_nfa *nfa = &op->nfas[thread.pc];
    bool starts, bad;
    int rc = any_of(op, nfa->firsts, &thread, &starts);
    if (rc)
        return rc;
    if (starts) {
        rc = step_through(op, thread, nfa->a, thread.guards, depth);
        if (rc || !nfa->any || (op->accepted && !op->m->all_matches))
            return rc;
    }
    rc = thread.guards ? violates(op, &thread, false, &bad) : (bad = false, 0);
    return rc || bad ? rc : pass_over(op, &thread);
}

bool cep_match_thread_looks_ahead(const struct match_op *op, const struct match_thread *thread)
{
    const struct cep_nfa *nfa = &op->nfas[thread->pc];
    return nfa->op == CEP_NFA_END || nfa->op == CEP_NFA_MATCH || (nfa->op == CEP_NFA_ABSENT && nfa->absent_ms != 0);
}

int64_t cep_match_thread_deadline(struct match_op *op, const struct match_thread *thread)
{
    const struct cep_nfa *nfa = &op->nfas[thread->pc];
    if (nfa->op != CEP_NFA_ABSENT || nfa->absent_ms == 0)
        return BASE_TIME_MAX_MS;
    unpack(op, thread);
    struct cep_value last = op->regs[op->m->last_time_reg];
    return last.null ? BASE_TIME_MAX_MS : last.i + nfa->absent_ms;
}

static int step_absent(struct match_op *op, struct match_thread thread, uint32_t depth)
{
    bool bad = false;
    int64_t now = op->mode == MATCH_STEP_ROW ? op->row->time_ms : op->step_time_ms;
    if (op->mode == MATCH_STEP_END || cep_match_thread_deadline(op, &thread) <= now)
        return step_through(op, thread, op->nfas[thread.pc].a, 0, depth);
    if (op->mode == MATCH_STEP_ROW && thread.guards) {
        int rc = violates(op, &thread, false, &bad);
        return rc || bad ? rc : pass_over(op, &thread);
    }
    return add_thread(op, &op->out, thread);
}

static int step_thread(struct match_op *op, struct match_thread thread, uint32_t depth)
{
    const struct cep_nfa *nfa = &op->nfas[thread.pc];
    bool bad = false;
    int rc = 0;
    op->threads_stepped++;
    if (depth > 64)
        return BASE_E_LIMIT;
    switch ((enum cep_nfa_op)nfa->op) {
    case CEP_NFA_TAKE:
        if (op->mode == MATCH_STEP_ROW)
            return step_take(op, thread);
        return op->mode == MATCH_STEP_END ? 0 : add_thread(op, &op->out, thread);
    case CEP_NFA_WAIT:
        if (op->mode == MATCH_STEP_ROW)
            return step_wait(op, thread, depth);
        return op->mode == MATCH_STEP_END ? 0 : add_thread(op, &op->out, thread);
    case CEP_NFA_ABSENT:
        return step_absent(op, thread, depth);
    case CEP_NFA_END:
        if (op->mode == MATCH_STEP_END)
            return step_through(op, thread, nfa->a, thread.guards, depth);
        return op->mode == MATCH_STEP_ROW ? 0 : add_thread(op, &op->out, thread);
    case CEP_NFA_MATCH: /* waits for the next row: it must not violate NOT_NEXT; no row is taken any more that a possessive loop could have wanted */
        if (op->mode == MATCH_STEP_TIME)
            return add_thread(op, &op->out, thread);
        thread.guards &= op->guard_end_mask;
        if (op->mode == MATCH_STEP_ROW)
            rc = violates(op, &thread, true, &bad);
        if (!rc && !bad) {
            op->accepted = true;
            op->accept_path = thread.path;
            op->accept_at = (uint32_t)op->out.len;
            if (op->m->all_matches && op->track && !BASE_VEC_PUSH(&op->accept_list, thread.path))
                rc = BASE_E_NOMEM;
        }
        return rc;
    case CEP_NFA_SPLIT:
    case CEP_NFA_START:
    case CEP_NFA_GUARD:
    case CEP_NFA_LOOP_IN:
    case CEP_NFA_LOOP_OUT:
        return BASE_E_CORRUPT; /* never rests */
    }
    return BASE_E_CORRUPT;
}

int cep_match_step(struct match_op *op, const struct match_thread *threads, uint32_t count)
{
    cep_match_reset_out(op);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++) {
        rc = step_thread(op, threads[i], 0);
        if (op->accepted && !op->m->all_matches)
            break;
    }
    return rc;
}

int cep_match_first(struct match_op *op, bool anchor, struct match_threads *ret, bool *ret_empty)
{
    op->row = NULL;
    op->mode = MATCH_STEP_ROW;
    op->seq = anchor ? 1 : 2;
    cep_match_reset_out(op);
    cep_match_forget_seen(op);
    int rc = closure(op, &op->out, (struct match_closure){ 0, 0, 0 }, op->live_init, MATCH_NO_PATH);
    *ret_empty = op->accepted;
    for (size_t i = 0; i < op->out.len && !rc; i++)
        if (!BASE_VEC_PUSH(ret, op->out.at[i]))
            rc = BASE_E_NOMEM;
    return rc;
}
