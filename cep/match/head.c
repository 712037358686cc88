/* Classes of starts, candidates, AFTER MATCH SKIP: which matches stand after the rows so far. */
#include "cep/match/class.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"
#include "cep/match/config.h"
#include "cep/match/park.h"

/* Starts and candidates in (from, to] are skipped over. */
void cep_match_discard(struct match_head *head, uint64_t from, uint64_t to)
{
    uint64_t seq = from + 1 < head->first_start ? head->first_start : from + 1;
    for (; seq <= to && seq < cep_match_starts_end(head); seq++)
        if (*cep_match_class_slot(head, seq) != MATCH_NO_CLASS)
            cep_match_kill_start(head, seq);
    size_t kept = 0;
    for (size_t i = 0; i < head->cands.len; i++) {
        const struct match_cand *cand = &head->cands.at[i];
        if (!cand->resolved && cand->start > from && cand->start <= to)
            continue;
        head->cands.at[kept++] = *cand;
    }
    head->cands.len = kept;
}

uint64_t cep_match_number_read(const struct match_op *op, const struct match_head *head) { return op->sequential ? head->number + 1 : 0; }

bool cep_match_due(const struct match_op *op, const struct match_cand *cand)
{
    return cand->kind != MATCH_ABSENT || !op->m->eager || op->m->batch_sort || cand->not_before_ms <= op->op.watermark_ms;
}

bool cep_match_superseded(const struct match_op *op, const struct match_head *head, size_t i)
{
    const struct match_cand *cand = &head->cands.at[i];
    for (size_t k = i + 1; !op->m->all_matches && k < head->cands.len && head->cands.at[k].start == cand->start; k++)
        if (head->cands.at[k].kind != MATCH_UNMATCHED && cep_match_due(op, &head->cands.at[k]))
            return true;
    return false;
}

/* A more preferred candidate takes the place of its start's. Only where it may be told later (an absence whose time rows have passed, but not the watermark) the
 * one that may be told before stays in front of it, and stands meanwhile. */
static void take_place(struct match_op *op, struct match_head *head, size_t *at, const struct match_cand *cand)
{
    size_t first = *at;
    while (first > 0 && head->cands.at[first - 1].start == cand->start && !head->cands.at[first - 1].resolved &&
           (cep_match_due(op, cand) || head->cands.at[first - 1].not_before_ms >= cand->not_before_ms))
        first--;
    if (first < *at)
        memmove(head->cands.at + first, head->cands.at + *at, (head->cands.len - *at) * sizeof *cand);
    head->cands.len -= *at - first;
    *at = first;
}

int cep_match_put_cand(struct match_op *op, struct match_head *head, struct match_cand cand)
{
    size_t at = head->cands.len;
    if (cand.kind <= MATCH_ABSENT)
        cand.number = cep_match_number_read(op, head);
    while (at > 0 && (head->cands.at[at - 1].start > cand.start ||
                      (op->m->all_matches && head->cands.at[at - 1].start == cand.start && head->cands.at[at - 1].accept_seq > cand.accept_seq)))
        at--;
    if (!op->m->all_matches)
        take_place(op, head, &at, &cand);
    if (!BASE_VEC_PUSH(&head->cands, cand))
        return BASE_E_NOMEM;
    memmove(head->cands.at + at + 1, head->cands.at + at, (head->cands.len - 1 - at) * sizeof cand);
    head->cands.at[at] = cand;
    return 0;
}

/* Where starts of accepting classes begin; how many there are, as far as that is counted. */
static uint64_t accepted_min(struct match_op *op, const struct match_head *head, uint64_t *ret_starts)
{
    uint64_t min = UINT64_MAX;
    *ret_starts = 0;
    for (uint32_t off = 0; off < head->blob_used;) {
        const struct match_class *class = (const struct match_class *)(const void *)(head->blob + off);
        bool accepted = (head->parked || class->min_seq < min) && cep_match_was_accepted(op, class->id);
        if (accepted && class->min_seq < min)
            min = class->min_seq;
        *ret_starts += accepted ? class->pad : 0;
        off += class->bytes;
    }
    return min;
}

struct last { const struct match_op *op; uint64_t seq; bool found; };

/* The last row of op->items; of several derivations that of the preferred one. */
static int take_last(void *ctx)
{
    struct last *last = ctx;
    if (!last->found && last->op->items.len)
        last->seq = last->op->items.at[last->op->items.len - 1].seq;
    last->found = true;
    return 0;
}

/* The last row of a match that was accepted without one (absence, $, NOT), found by replay; before its start: it takes no row, or, under ALL MATCHES, nothing
 * new came. */
int cep_match_fill_end(struct match_op *op, struct match_key *key, struct match_cand *cand)
{
    enum match_step mode = op->mode;
    uint64_t seq = op->seq;
    const struct cep_row *row = op->row;
    int64_t time_ms = op->step_time_ms;
    struct last last = { .op = op, .seq = cand->start - 1 };
    int rc = op->m->all_matches ? cep_match_derivations(op, key, cand, take_last, &last) : cep_match_replay(op, key, cand);
    if (!rc && !op->m->all_matches)
        rc = take_last(&last);
    cand->end = last.seq;
    if (row)
        cep_match_begin_row(op, key, seq);
    op->row = row;
    op->mode = mode;
    op->step_time_ms = time_ms;
    return rc;
}

/* Starts of accepting classes become candidates, in order; what they skip for good is discarded at once (PAST LAST ROW: whatever replaces such a candidate
 * ends at a later row, so its starts stay covered: docs/engine.md). */
int cep_match_handle_accepts(struct match_op *op, struct match_key *key, struct match_head *head, bool ends_here)
{
    int rc = 0;
    if (op->accepted_count == 0)
        return 0;
    uint64_t starts;
    for (uint64_t seq = accepted_min(op, head, &starts); seq < cep_match_starts_end(head) && !rc && (starts || !head->parked); seq++) {
        uint32_t id = cep_match_class_at(head, seq);
        if (id == MATCH_NO_CLASS || !cep_match_was_accepted(op, id))
            continue;
        starts--; /* nobody counts where nothing is parked */
        struct match_cand cand = { .start = seq, .end = op->seq, .accept_seq = op->seq, .not_before_ms = INT64_MIN, .kind = MATCH_FOUND,
                                   .step = (uint8_t)op->mode, .fresh = 1 };
        cand.number = cep_match_number_read(op, head);
        if (op->mode == MATCH_STEP_TIME) {
            cand.kind = MATCH_ABSENT;
            cand.time_ms = op->step_time_ms;
            cand.not_before_ms = op->step_time_ms - 1;
        }
        if (op->within_ms && op->m->hold_ms && cep_match_start_time(head, seq) != MATCH_NEVER_MS)
            cand.not_before_ms = cep_match_start_time(head, seq) + op->within_ms - 1;
        if (!ends_here || op->has_lookahead || (op->has_absence && op->m->all_matches))
            rc = cep_match_fill_end(op, key, &cand);
        if (!rc && !(op->m->all_matches && cand.end < seq))
            rc = cep_match_put_cand(op, head, cand);
        if (!rc && op->early_discard && cand.end > seq) {
            cep_match_discard(head, seq, cand.end);
            if (ends_here && cand.end == op->seq)
                break;
        }
    }
    /* accepting classes without threads are done */
    for (uint32_t i = 0; i < op->accepted_count; i++) {
        struct match_class *class = cep_match_class_in(head->blob, head->blob_used, op->accepted_ids[i]);
        if (class && class->threads == 0)
            cep_match_remove_class(head, class);
    }
    return rc;
}

static bool any_live(const struct match_head *head)
{
    return head->classes > 0;
}

/* Steps a new start over the row; its class, written but not taken in, if it has threads. */
static int step_start(struct match_op *op, const struct match_threads *first, struct match_class **ret)
{
    struct match_configs *steps = op->absorb ? NULL : op->steps;
    const struct match_class *known = steps ? cep_match_config_recall(steps, NULL) : NULL;
    uint64_t errors = op->row_errors;
    if (known) {
        op->accepted = false;
        return known->threads ? cep_match_write_known(op, known, ret) : 0;
    }
    op->whole_row = op->absorb != NULL;
    int rc = cep_match_step(op, first->at, (uint32_t)first->len);
    op->whole_row = false;
    if (rc)
        return rc;
    (void)cep_match_absorb(op, op->seq);
    if (op->out.len)
        rc = cep_match_write_class(op, ret);
    if (!rc && steps && !op->accepted && op->row_errors == errors && cep_match_few_threads(op))
        rc = cep_match_config_learn(steps, NULL, *ret);
    return rc;
}

/* The row as a start of its own. */
static int new_start(struct match_op *op, struct match_head *head)
{
    uint64_t seq = op->seq;
    bool anchor = op->has_start_anchor && seq == 1;
    const struct match_threads *first = anchor ? &op->first_anchor : &op->first_plain;
    bool empty = anchor ? op->empty_anchor : op->empty_plain;
    struct match_class *class = NULL, *taken;
    int rc = step_start(op, first, &class);
    if (rc)
        return rc;
    if (!op->accepted && empty && !op->m->all_matches) {
        struct match_cand cand = { .start = seq, .end = seq - 1, .accept_seq = seq, .not_before_ms = INT64_MIN, .kind = MATCH_FOUND, .step = MATCH_STEP_ROW, .fresh = 1 };
        rc = cep_match_put_cand(op, head, cand);
    }
    bool accepted = op->accepted;
    uint32_t id = MATCH_NO_CLASS;
    if (!rc && class) {
        class->min_seq = seq;
        class->id = MATCH_NO_CLASS;
        class->pad = head->parked != NULL;
        rc = cep_match_intern_class(op, head, class, &taken);
        if (!rc && taken == class) {
            rc = cep_match_new_class_id(head, &id);
            class->id = id;
        } else if (!rc) {
            id = taken->id;
        }
    }
    if (!rc)
        rc = cep_match_append_start(head, seq, op->row->time_ms, id);
    if (!rc && accepted) {
        struct match_cand cand = { .start = seq, .end = seq, .accept_seq = seq, .not_before_ms = INT64_MIN, .kind = MATCH_FOUND, .step = MATCH_STEP_ROW, .fresh = 1 };
        if (op->within_ms && op->m->hold_ms)
            cand.not_before_ms = op->row->time_ms + op->within_ms - 1; /* a start that is dead already has no entry */
        rc = cep_match_put_cand(op, head, cand);
    }
    return rc;
}

static bool covered_now(const struct match_op *op, const struct match_head *head)
{
    if (!op->early_discard)
        return false;
    for (size_t i = head->cands.len; i-- > 0;)
        if (head->cands.at[i].end >= op->seq && head->cands.at[i].kind <= MATCH_ABSENT)
            return true;
    return false;
}

static bool unresolved(const struct match_head *head)
{
    return head->cands.len && !head->cands.at[head->cands.len - 1].resolved;
}

int cep_match_head_row(struct match_op *op, struct match_key *key, struct match_head *head)
{
    uint64_t seq = head->next_seq;
    int64_t now = cep_match_rows_at(&key->rows, seq)->time_ms;
    int rc = cep_match_head_time(op, key, head, now);
    if (rc)
        return rc;
    if (head->next_seq != seq)
        return 0; /* one start at a time: the row comes again for an earlier start */
    if (op->steps && !op->absorb) {
        rc = op->lean ? 0 : cep_match_config_tidy(op->steps);
        if (!rc)
            rc = cep_match_config_row(op->steps, op, cep_match_rows_at(&key->rows, seq));
        if (rc)
            return rc;
    }
    cep_match_begin_row(op, key, seq);
    op->frame.match_number = (int64_t)head->number + 1;
    base_arena_reset(&op->arena);
    rc = cep_match_park_wake(op, head, op->row);
    if (!rc)
        rc = cep_match_step_classes(op, head);
    if (!rc && op->accepted_count) {
        rc = cep_match_swap_blob(op, head);
        if (!rc)
            rc = cep_match_handle_accepts(op, key, head, true);
    }
    if (rc)
        return rc;
    bool free_row = !op->no_start && !covered_now(op, head);
    /* a start that fails here leaves the rows behind it to be tried first */
    if (op->sequential && (op->scratch_classes > 0 || unresolved(head) || (head->trying && head->trying + 1 < seq)))
        free_row = false;
    if (free_row && op->accepted_count)
        rc = cep_match_reload_scratch(op, head);
    if (!rc && free_row)
        rc = new_start(op, head);
    if (!rc && !free_row)
        rc = cep_match_append_start(head, seq, op->row->time_ms, MATCH_NO_CLASS);
    if (!rc && (free_row || !op->accepted_count))
        rc = cep_match_swap_blob(op, head);
    if (!rc)
        rc = cep_match_park_row(op, head);
    if (rc)
        return rc;
    if (free_row)
        head->trying = seq;
    op->rows_in++;
    head->next_seq = seq + 1;
    cep_match_renumber(head);
    rc = cep_match_head_resolve(op, key, head);
    return rc || !cep_flow_traces(op->op.flow) ? rc : cep_match_trace(op, key, head, seq);
}

uint64_t cep_match_items_target(const struct match_op *op)
{
    uint64_t seq = 0;
    for (size_t i = 0; i < op->items.len; i++) {
        for (uint32_t v = 0; v < op->m->skip_vars.count; v++) {
            if (op->items.at[i].var != op->u32s[op->m->skip_vars.first + v])
                continue;
            if (op->m->skip == CEP_SKIP_LAST || seq == 0)
                seq = op->items.at[i].seq;
        }
    }
    return seq;
}

struct target { struct match_op *op; uint64_t start, seq; };

/* The first derivation with a target behind the start is the last one that counts. */
static int take_target(void *ctx)
{
    struct target *target = ctx;
    if (target->seq <= target->start)
        target->seq = cep_match_items_target(target->op);
    return 0;
}

int cep_match_skip_target(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t *ret)
{
    struct target target = { .op = op, .start = cand->start };
    int rc = op->m->all_matches ? cep_match_derivations(op, key, cand, take_target, &target) : cep_match_replay(op, key, cand);
    if (!rc && !op->m->all_matches)
        rc = take_target(&target);
    *ret = target.seq;
    return rc;
}

/* ret_next: where to go on; ret_own: are the other derivations of the start, under ALL MATCHES, discarded too? */
static int apply_skip(struct match_op *op, struct match_key *key, struct match_head *head, const struct match_cand *cand, uint64_t *ret_next, bool *ret_own)
{
    uint64_t target;
    int rc = 0;
    *ret_next = cand->start + 1;
    *ret_own = false;
    if (cand->kind == MATCH_TIMEOUT || cand->end < cand->start)
        return 0;
    switch ((enum cep_skip)op->m->skip) {
    case CEP_SKIP_PAST_LAST:
        *ret_next = cand->end + 1;
        *ret_own = true;
        break;
    case CEP_SKIP_NEXT_ROW:
        *ret_own = true;
        break;
    case CEP_SKIP_CURRENT_ROW:
        break;
    case CEP_SKIP_FIRST:
    case CEP_SKIP_LAST:
        rc = cep_match_skip_target(op, key, cand, &target);
        if (rc)
            return rc;
        if (target > cand->start) {
            *ret_next = target;
            *ret_own = true;
        } else if (!op->quiet && !op->m->all_matches) {
            struct cep_event event = { .row = cep_match_rows_at(&key->rows, cand->start), .key_node = CEP_NONE };
            cep_flow_report(op->op.flow, CEP_REPORT_ERROR, op->op.node, BASE_E_SKIP_TARGET, CEP_NONE, &event);
        }
        break;
    }
    if (*ret_next > cand->start + 1)
        cep_match_discard(head, cand->start, *ret_next - 1);
    return rc;
}

static int note_unmatched(struct match_op *op, struct match_head *head, uint64_t end)
{
    int rc = 0;
    for (; head->unmatched_next < end && !rc; head->unmatched_next++) {
        uint64_t seq = head->unmatched_next;
        if (seq <= head->covered || op->m->rows != CEP_ROWS_ALL_UNMATCHED)
            continue;
        struct match_cand cand = { .start = seq, .end = seq, .accept_seq = seq, .not_before_ms = INT64_MIN, .kind = MATCH_UNMATCHED, .resolved = 1, .fresh = 1 };
        rc = cep_match_put_cand(op, head, cand);
    }
    return rc;
}

/* One start at a time: the rows from `next` on are gone through (again) for the next start. */
static void restart_at(struct match_head *head, uint64_t next)
{
    head->trying = 0;
    if (next >= head->next_seq)
        return;
    head->next_seq = next;
    head->class_skip = head->class_len = 0;
    head->first_start = next;
}

int cep_match_head_resolve(struct match_op *op, struct match_key *key, struct match_head *head)
{
    cep_match_pop_dead(head);
    for (size_t i = 0; i < head->cands.len;) {
        struct match_cand *cand = &head->cands.at[i];
        if (cand->resolved) {
            i++;
            continue;
        }
        uint64_t live = head->class_skip < head->class_len ? head->first_start : head->next_seq;
        bool own_live = cep_match_class_at(head, cand->start) != MATCH_NO_CLASS;
        if (live < cand->start && !op->independent)
            break;
        if (cep_match_superseded(op, head, i)) {
            memmove(head->cands.at + i, head->cands.at + i + 1, (head->cands.len - i - 1) * sizeof *cand);
            head->cands.len--;
            continue;
        }
        if (own_live && !op->m->all_matches) {
            if (!op->independent)
                break;
            i++;
            continue;
        }
        /* nothing follows from a match before it may be told: what stands meanwhile is decided by cep_match_superseded and the SKIP of what stands */
        if (!cep_match_due(op, cand) || (!op->m->all_matches && i + 1 < head->cands.len && head->cands.at[i + 1].start == cand->start)) {
            if (!op->independent)
                break;
            i++;
            continue;
        }
        bool empty = cand->end < cand->start;
        size_t before = head->cands.len;
        if (op->m->rows == CEP_ROWS_ALL_UNMATCHED && head->unmatched_next < cand->start) {
            int rc = note_unmatched(op, head, cand->start);
            if (rc)
                return rc;
            if (head->cands.len != before)
                continue; /* the array moved */
        }
        uint64_t numbers = 1;
        if (cand->kind != MATCH_TIMEOUT) {
            int rc = cep_match_count(op, key, cand, &numbers);
            if (rc)
                return rc;
            cand->number = head->number + 1;
            head->number += numbers;
        }
        cand->resolved = 1;
        if (cand->end > head->covered && cand->kind != MATCH_TIMEOUT)
            head->covered = cand->end;
        if (empty && head->covered < cand->start)
            head->covered = cand->start; /* the row of an empty match is not unmatched */
        struct match_cand copy = *cand;
        uint64_t next;
        bool own;
        int rc = apply_skip(op, key, head, &copy, &next, &own);
        if (rc)
            return rc;
        if (op->m->all_matches && own) {
            /* the other derivations of its own start are discarded too */
            if (own_live)
                cep_match_kill_start(head, copy.start);
            cep_match_discard(head, copy.start - 1, copy.start);
        }
        if (op->sequential && copy.kind != MATCH_TIMEOUT)
            restart_at(head, next);
        cep_match_pop_dead(head);
        i = op->independent ? i + 1 : 0; /* discard may have moved the array */
    }
    cep_match_pop_dead(head);
    if (op->sequential && head->trying && !any_live(head) && !unresolved(head))
        restart_at(head, head->trying + 1); /* that start failed */
    if (op->m->rows != CEP_ROWS_ALL_UNMATCHED)
        return 0;
    uint64_t limit = head->class_skip < head->class_len ? head->first_start : head->next_seq;
    for (size_t i = 0; i < head->cands.len; i++)
        if (!head->cands.at[i].resolved && head->cands.at[i].start < limit)
            limit = head->cands.at[i].start;
    return note_unmatched(op, head, limit);
}

bool cep_match_head_live(const struct match_head *head) { return head->class_skip < head->class_len || head->cands.len > 0; }

uint64_t cep_match_head_keep_from(const struct match_op *op, const struct match_head *head)
{
    uint64_t from = head->next_seq;
    if (head->class_skip < head->class_len && head->first_start < from)
        from = head->first_start;
    for (size_t i = 0; i < head->cands.len; i++)
        if (head->cands.at[i].start < from)
            from = head->cands.at[i].start;
    if (op->m->rows == CEP_ROWS_ALL_UNMATCHED && head->unmatched_next < from)
        from = head->unmatched_next;
    uint64_t back = op->m->lookback;
    return from > back ? from - back : 1;
}
