/* Time and the end of input: starts that run out of it, absences that hold, what only the end decides. */
#include "cep/match/park.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"

/* What is left of a start whose time is up. */
struct remains {
    bool absent;  /* a thread rests in the trailing absence counted by WITHIN: running out of time completes it */
    bool waiting; /* some thread waits for a row that cannot come any more */
    bool ahead;   /* some thread waits only to learn what follows its last row: the start goes on with those */
};

/* Loads the start's threads, looks at them, and leaves those that go on in op->out: without ALL MATCHES none that is less preferred than a completed absence. */
static int look_at_remains(struct match_op *op, struct match_head *head, uint64_t seq, struct remains *ret)
{
    *ret = (struct remains){ false, false, false };
    struct match_class *class = cep_match_class_of(head, cep_match_class_at(head, seq));
    int rc = class ? cep_match_load_threads(op, class) : BASE_E_CORRUPT;
    cep_match_reset_out(op);
    for (size_t i = 0; i < op->in.len && !rc; i++) {
        if (op->nfas[op->in.at[i].pc].op == CEP_NFA_ABSENT && op->nfas[op->in.at[i].pc].absent_ms == 0)
            ret->absent = true;
        else if (!cep_match_thread_looks_ahead(op, &op->in.at[i]))
            ret->waiting = true;
        else if ((op->m->all_matches || !ret->absent) && !BASE_VEC_PUSH(&op->out, op->in.at[i]))
            rc = BASE_E_NOMEM;
    }
    ret->ahead = op->out.len > 0;
    return rc;
}

/* The start's time is up, but it goes on with the threads in op->out. */
static int outlive(struct match_op *op, struct match_head *head, uint64_t seq)
{
    op->accepted_count = 0;
    struct match_class *class = NULL, *taken;
    int rc = cep_match_reload_scratch(op, head);
    if (!rc)
        rc = cep_match_write_class(op, &class);
    if (rc)
        return rc;
    class->min_seq = seq;
    class->id = MATCH_NO_CLASS;
    class->pad = head->parked != NULL;
    rc = cep_match_intern_class(op, head, class, &taken);
    if (!rc && taken == class)
        rc = cep_match_new_class_id(head, &taken->id);
    uint32_t id = rc ? MATCH_NO_CLASS : taken->id;
    if (!rc && head->parked && cep_match_class_at(head, seq) == id)
        taken->pad--; /* it is counted there already */
    if (!rc)
        rc = cep_match_swap_blob(op, head);
    if (rc)
        return rc;
    if (cep_match_find(head, *cep_match_class_slot(head, seq)) != id)
        cep_match_kill_start(head, seq);
    struct match_start *start = &head->starts[head->class_skip + (seq - head->first_start)];
    start->id = id;
    start->time_ms = MATCH_NEVER_MS;
    return 0;
}

/* A result of the start's running out of time, unless a `FOR INTERVAL` with the same deadline has told it. */
static int put_expired(struct match_op *op, struct match_key *key, struct match_head *head, struct match_cand cand)
{
    op->row = NULL; /* no row is under way */
    for (size_t i = 0; i < head->cands.len && op->m->all_matches; i++) {
        const struct match_cand *other = &head->cands.at[i];
        if (other->start == cand.start && other->kind == cand.kind && other->accept_seq == cand.accept_seq && other->time_ms == cand.time_ms)
            return 0;
    }
    int rc = cep_match_fill_end(op, key, &cand);
    return rc || (op->m->all_matches && cand.end < cand.start) ? rc : cep_match_put_cand(op, head, cand);
}

static int expire_start(struct match_op *op, struct match_key *key, struct match_head *head, uint64_t seq)
{
    int64_t deadline = cep_match_start_time(head, seq) + op->within_ms;
    struct remains remains = { .waiting = true };
    bool has = false, looked = op->has_absence || op->has_lookahead || op->m->timeout_rows;
    int rc = looked ? look_at_remains(op, head, seq, &remains) : 0;
    for (size_t i = 0; i < head->cands.len; i++)
        has |= head->cands.at[i].start == seq && !head->cands.at[i].resolved;
    bool timeout = remains.waiting && op->m->timeout_rows && (op->m->all_matches || (!remains.absent && !has));
    if (rc)
        return rc;
    if (!has && !remains.absent && !remains.ahead && !op->quiet)
        cep_flow_report(op->op.flow, CEP_REPORT_TIMED_OUT, op->op.node, 0, CEP_NONE, NULL);
    if (remains.ahead)
        rc = outlive(op, head, seq);
    else
        cep_match_kill_start(head, seq);
    struct match_cand cand = { .start = seq, .end = seq, .accept_seq = head->next_seq - 1, .not_before_ms = deadline - 1, .time_ms = deadline,
                               .kind = MATCH_ABSENT, .step = MATCH_STEP_TIME, .fresh = 1 };
    cand.number = cep_match_number_read(op, head);
    if (!rc && remains.absent)
        rc = put_expired(op, key, head, cand);
    cand.kind = MATCH_TIMEOUT;
    return rc || !timeout ? rc : put_expired(op, key, head, cand);
}

static int expire(struct match_op *op, struct match_key *key, struct match_head *head, int64_t time_ms)
{
    int rc = 0;
    cep_match_pop_dead(head);
    if (!op->within_ms)
        return 0;
    for (uint64_t seq = head->first_start; !rc && seq < cep_match_starts_end(head); seq++) {
        if (seq < head->first_start || cep_match_start_time(head, seq) == MATCH_NEVER_MS || cep_match_class_at(head, seq) == MATCH_NO_CLASS)
            continue;
        if (cep_match_start_time(head, seq) + op->within_ms > time_ms)
            break;
        rc = expire_start(op, key, head, seq);
        cep_match_pop_dead(head);
    }
    return rc;
}

/* Earliest `FOR INTERVAL` deadline among the threads. Needs no memory: a deadline must never be missed for want of it. */
static int64_t for_deadline(struct match_op *op, const struct match_head *head)
{
    int64_t least = BASE_TIME_MAX_MS;
    for (uint32_t off = 0; op->has_for_absence && off < head->blob_used;) {
        const struct match_class *class = (const struct match_class *)(const void *)(head->blob + off);
        const char *at = (const char *)(class + 1);
        op->unpacked = NULL;
        for (uint32_t i = 0; i < class->threads; i++) {
            struct match_stored_thread stored;
            memcpy(&stored, at, sizeof stored);
            at += sizeof stored;
            struct match_thread thread = { .pc = stored.pc, .guards = stored.guards, .path = MATCH_NO_PATH };
            thread.regs = stored.regs_bytes ? (const struct cep_tuple *)(const void *)at : NULL;
            at += stored.regs_bytes;
            int64_t deadline_ms = cep_match_thread_deadline(op, &thread);
            least = deadline_ms < least ? deadline_ms : least;
        }
        off += class->bytes;
    }
    op->unpacked = NULL; /* the blob moves */
    return least;
}

static int step_all(struct match_op *op, struct match_key *key, struct match_head *head, enum match_step mode, int64_t time_ms)
{
    op->key = key;
    op->mode = mode;
    op->row = NULL;
    op->seq = head->next_seq - 1;
    op->step_time_ms = time_ms;
    op->unpacked = NULL;
    base_arena_reset(&op->arena);
    int rc = mode == MATCH_STEP_END ? cep_match_unpark(head) : 0; /* time passes over who waits for a row */
    if (!rc)
        rc = cep_match_step_classes(op, head);
    if (!rc)
        rc = cep_match_swap_blob(op, head);
    return rc ? rc : cep_match_handle_accepts(op, key, head, false);
}

int cep_match_head_time(struct match_op *op, struct match_key *key, struct match_head *head, int64_t time_ms)
{
    int rc = head->parked ? 0 : cep_match_park_row(op, head); /* many classes came back, for saving or another form */
    int64_t at = rc ? BASE_TIME_MAX_MS : for_deadline(op, head);
    while (!rc && at <= time_ms) {
        rc = expire(op, key, head, at - 1);
        if (!rc)
            rc = step_all(op, key, head, MATCH_STEP_TIME, at);
        if (!rc)
            rc = cep_match_head_resolve(op, key, head);
        int64_t before = at;
        at = for_deadline(op, head);
        if (!rc && at <= before)
            return BASE_E_CORRUPT; /* a deadline that stays would turn for ever */
    }
    if (!rc)
        rc = expire(op, key, head, time_ms);
    if (!rc)
        rc = cep_match_head_resolve(op, key, head);
    return rc;
}

int cep_match_head_end(struct match_op *op, struct match_key *key, struct match_head *head)
{
    int rc = 0;
    if (for_deadline(op, head) < BASE_TIME_MAX_MS)
        rc = cep_match_head_time(op, key, head, BASE_TIME_MAX_MS - 1);
    if (!rc)
        rc = cep_match_head_resolve(op, key, head);
    if (!rc && !op->within_ms)
        rc = step_all(op, key, head, MATCH_STEP_END, 0);
    else if (!rc) {
        /* time runs out for all; `$` and a trailing NOT, which outlive it, then hold at the end */
        rc = head->parked ? 0 : cep_match_park_row(op, head);
        if (!rc)
            rc = expire(op, key, head, BASE_TIME_MAX_MS - 1);
        if (!rc && op->has_lookahead)
            rc = step_all(op, key, head, MATCH_STEP_END, 0);
    }
    if (!rc)
        rc = cep_match_head_resolve(op, key, head);
    return rc;
}

/* Is this a live start whose time is still to run out? */
static bool runs_out(const struct match_head *head, uint32_t i)
{
    return head->starts[i].time_ms != MATCH_NEVER_MS && cep_match_find(head, head->starts[i].id) != MATCH_NO_CLASS;
}

int64_t cep_match_head_deadline(struct match_op *op, const struct match_key *key, const struct match_head *head)
{
    int64_t at = BASE_TIME_MAX_MS;
    (void)key;
    if (op->has_for_absence && head->classes && (at = for_deadline(op, head)) < BASE_TIME_MAX_MS)
        at -= 1;
    if (op->within_ms && head->class_skip < head->class_len) {
        /* where running out of time tells nothing, a start may stay behind until the key is touched: one wake-up when the last one is due */
        bool tells = op->has_absence || op->m->timeout_rows || head->cands.len > 0 || op->m->rows == CEP_ROWS_ALL_UNMATCHED;
        uint32_t i = tells ? head->class_skip : head->class_len - 1;
        while (op->has_lookahead && i >= head->class_skip && i < head->class_len && !runs_out(head, i))
            i = tells ? i + 1 : i - 1;
        if (i >= head->class_skip && i < head->class_len && head->starts[i].time_ms + op->within_ms - 1 < at)
            at = head->starts[i].time_ms + op->within_ms - 1;
    }
    return at;
}
