/* One key in time: order, waiting (final), telling at once and taking back (eager). */

#include "cep/match/aside.h"
#include "cep/match/match.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/match/config.h"
#include "cep/match/park.h"

/* Order of rows within a key: event time, the ORDER BY columns behind it, then position. */
static int order_rows(struct match_op *op, const struct cep_row *a, const struct cep_row *b, int *ret)
{
    *ret = 0;
    if (!op->m->batch_sort && a->time_ms != b->time_ms) {
        *ret = a->time_ms < b->time_ms ? -1 : 1;
        return 0;
    }
    for (uint32_t i = 0; i < op->m->order.count; i++) {
        const struct cep_order *order = cep_program_order(op->program, op->m->order.first + i);
        struct cep_value v[2];
        const struct cep_row *rows[2] = { a, b };
        for (int k = 0; k < 2; k++) {
            op->frame.row = &rows[k]->tuple;
            op->frame.row_time_ms = rows[k]->time_ms;
            int rc = cep_expr_run(op->expr, order->code, &op->frame, &v[k]);
            if (rc == BASE_E_NOMEM)
                return rc;
            if (rc)
                v[k] = cep_null();
        }
        if (v[0].null && v[1].null)
            continue;
        if (v[0].null || v[1].null) {
            *ret = (v[0].null ? -1 : 1) * (order->nulls_first ? 1 : -1);
            return 0;
        }
        int c = cep_value_compare(cep_program_code(op->program, order->code)->type, v[0], v[1]);
        if (c) {
            *ret = order->descending ? -c : c;
            return 0;
        }
    }
    *ret = cep_position_compare(&a->at, &b->at);
    return 0;
}

void cep_match_key_finish(struct match_key *key)
{
    cep_match_rows_finish(&key->rows);
    cep_match_head_finish(&key->now);
    cep_match_head_finish(&key->base);
    for (size_t i = 0; i < key->told.len; i++)
        base_free(key->told.at[i].row);
    BASE_VEC_FINISH(&key->told);
    base_free(key->restoring);
    key->restoring = NULL;
}

struct match_key *cep_match_key_init(struct match_op *op, struct cep_key *key)
{
    struct match_key *state = op->lean ? base_alloc(sizeof *state) : cep_key_room(key);
    if (state)
        cep_match_key_clear(state);
    return state;
}

void cep_match_key_clear(struct match_key *state)
{
    memset(state, 0, sizeof *state);
    cep_match_rows_init(&state->rows);
    cep_match_head_init(&state->now);
    cep_match_head_init(&state->base);
    state->waiting_from = 1;
    state->told_ms = BASE_TIME_MIN_MS;
}

/* ---- telling ---- */

struct tell { struct match_op *op; struct cep_key *key; struct match_tolds *tolds; bool limited; };

static struct tell tell_of(struct match_op *op, struct cep_key *key)
{
    struct match_key *state = key->state;
    return (struct tell){ op, key, &state->told, state->limited };
}

static int send(const struct tell *tell, const struct match_output *output, struct cep_row *row, uint8_t change)
{
    struct match_op *op = tell->op;
    struct cep_key *key = tell->key;
    uint8_t kept = row->change;
    bool settled = change == CEP_SETTLED || !(op->m->eager && !op->m->batch_sort);
    row->change = change;
    struct cep_event event = { .row = row, .key = &key->tuple, .key_node = op->op.node, .key_hash = cep_key_hash(&key->tuple), .ident = output->ident,
                               .kind = CEP_IS_MATCH, .limited = tell->limited, .first_time_ms = output->first_time_ms,
                               .last_time_ms = output->last_time_ms, .first_at = output->first_at, .evidence = output->evidence, .final = settled,
                               .tells_end = change == CEP_DELETE };
    if (output->cand->kind == MATCH_ABSENT)
        event.kind = CEP_IS_ABSENCE;
    if (output->cand->kind == MATCH_TIMEOUT)
        event.kind = CEP_IS_TIMEOUT;
    int rc = op->aside ? cep_match_aside_keep(op->aside, &event) : cep_flow_emit(op->op.flow, op->op.node, &event);
    row->change = kept;
    return rc;
}

static int tell_final(void *ctx, const struct match_output *output)
{
    struct tell *tell = ctx;
    tell->op->matches++;
    return send(tell, output, (struct cep_row *)output->row, CEP_INSERT);
}

/* Final: resolved candidates are told and forgotten, in order. */
static int tell_resolved(struct match_op *op, struct cep_key *key)
{
    struct match_key *state = key->state;
    struct match_cands *cands = &state->now.cands;
    struct tell tell = tell_of(op, key);
    size_t kept = 0;
    int rc = 0;
    state->told_ms = op->op.watermark_ms;
    for (size_t i = 0; i < cands->len; i++) {
        struct match_cand cand = cands->at[i];
        if (cand.resolved && cand.not_before_ms <= op->op.watermark_ms && !rc)
            rc = cep_match_outputs(op, state, &cand, cand.kind > MATCH_ABSENT ? 0 : cand.number, tell_final, &tell);
        else
            cands->at[kept++] = cand;
    }
    cands->len = kept;
    return rc;
}

int cep_match_key_tell(struct match_op *op, struct cep_key *key, const struct match_cand *cand)
{
    struct tell tell = tell_of(op, key);
    return cep_match_outputs_items(op, key->state, cand, cand->kind > MATCH_ABSENT ? 0 : cand->number, tell_final, &tell);
}

static int tell_eager(void *ctx, const struct match_output *output)
{
    struct tell *tell = ctx;
    struct match_tolds *tolds = tell->tolds;
    struct match_told *old = NULL;
    for (size_t i = 0; i < tolds->len && !old; i++)
        if (tolds->at[i].ident.hi == output->ident.hi && tolds->at[i].ident.lo == output->ident.lo)
            old = &tolds->at[i];
    bool same = old && !old->gone && old->content == output->content && old->row->tuple.size_bytes == output->row->tuple.size_bytes;
    if (!old) {
        struct match_told told = { .ident = output->ident };
        if (!BASE_VEC_PUSH(tolds, told))
            return BASE_E_NOMEM;
        old = &tolds->at[tolds->len - 1];
    }
    old->start = output->cand->start;
    old->accept_seq = output->cand->accept_seq;
    old->cand_kind = output->cand->kind;
    old->standing = 1;
    if (same)
        return 0;
    bool update = old->row != NULL && !old->gone;
    old->gone = 0;
    struct cep_row *copy = base_alloc(cep_row_size(output->row));
    if (!copy)
        return BASE_E_NOMEM;
    memcpy(copy, output->row, cep_row_size(output->row));
    base_free(old->row);
    old->row = copy;
    old->content = output->content;
    old->first_time_ms = output->first_time_ms;
    old->last_time_ms = output->last_time_ms;
    old->first_at = output->first_at;
    if (!update)
        tell->op->matches++;
    return send(tell, output, copy, update ? CEP_UPDATE_AFTER : CEP_INSERT);
}

int cep_match_key_end(struct match_op *op, struct cep_key *key, struct match_told *told, uint8_t change, bool limited)
{
    const struct tell tell = { op, key, NULL, limited };
    struct match_cand cand = { .kind = told->cand_kind };
    struct match_output output = { .row = told->row, .ident = told->ident, .cand = &cand, .first_time_ms = told->first_time_ms,
                                   .last_time_ms = told->last_time_ms, .first_at = told->first_at };
    return send(&tell, &output, told->row, change);
}

/* Withdrawn, or settled. */
static int end_told(struct match_op *op, struct cep_key *key, struct match_told *told, uint8_t change)
{
    return cep_match_key_end(op, key, told, change, ((struct match_key *)key->state)->limited);
}

int cep_match_key_tell_view(struct match_op *op, struct cep_key *key, struct match_tolds *tolds, const struct match_cand *cand)
{
    struct tell tell = { op, key, tolds, false };
    return cep_match_outputs_items(op, &op->steps->dummy, cand, cand->number, tell_eager, &tell);
}

/* Withdrawn, but remembered while it may come again. */
static int withdraw(struct match_op *op, struct cep_key *key, struct match_told *told)
{
    told->gone = 1;
    return end_told(op, key, told, CEP_DELETE);
}

/* Eager: what of the candidates stands, in their order. */
struct standing {
    uint64_t from;   /* first start that no standing earlier match skips over */
    uint64_t last;   /* start of the last one that stood */
    uint64_t number; /* match numbers given so far */
};

/* Does the candidate stand, as far as is known? ret_number: its match number. */
static int stands(struct match_op *op, struct match_key *state, size_t i, struct standing *so_far, uint64_t *ret_number, bool *ret)
{
    const struct match_cand *cand = &state->now.cands.at[i];
    bool one_each = op->m->all_matches && (op->m->skip == CEP_SKIP_PAST_LAST || op->m->skip == CEP_SKIP_NEXT_ROW);
    int rc = 0;
    *ret = cand->not_before_ms <= op->op.watermark_ms && !cep_match_superseded(op, &state->now, i) && (cand->resolved || (cand->start >= so_far->from && !(one_each && cand->start == so_far->last)));
    *ret_number = 0;
    if (!*ret || cand->kind > MATCH_ABSENT)
        return 0;
    so_far->last = cand->start;
    *ret_number = cand->number;
    if (cand->resolved)
        return 0;
    uint64_t numbers, target = 0;
    *ret_number = so_far->number + 1;
    rc = cep_match_count(op, state, cand, &numbers);
    if (rc)
        return rc;
    so_far->number += numbers;
    if (op->m->skip == CEP_SKIP_FIRST || op->m->skip == CEP_SKIP_LAST)
        rc = cep_match_skip_target(op, state, cand, &target);
    else if (op->m->skip == CEP_SKIP_PAST_LAST)
        target = cand->end + 1;
    if (target > cand->start && target > so_far->from)
        so_far->from = target;
    return rc;
}

/* Is this a told row of the candidate? */
static bool is_of(const struct match_op *op, const struct match_told *told, const struct match_cand *cand)
{
    bool all = op->m->all_matches;
    /* without ALL MATCHES a start has one match, whether a row or an absence completes it: one may replace the other */
    if (told->start != cand->start || (told->cand_kind != cand->kind && (all || told->cand_kind > MATCH_ABSENT || cand->kind > MATCH_ABSENT)))
        return false;
    return !all || (told->accept_seq == cand->accept_seq && (cand->kind == MATCH_FOUND || op->m->rows != CEP_ROWS_ONE || told->row->time_ms == cand->time_ms));
}

/* Rows of several absences of one start are not told apart by is_of: all are told again, equal ones fall silent. */
static bool told_again(const struct match_op *op, const struct match_cand *cand)
{
    return cand->fresh || op->needs_history || (op->m->all_matches && op->m->rows != CEP_ROWS_ONE && cand->kind != MATCH_FOUND);
}

/* Eager: compares what stands with what was told. */
static int tell_changes(struct match_op *op, struct cep_key *key)
{
    struct match_key *state = key->state;
    struct match_cands *cands = &state->now.cands;
    state->told_ms = op->op.watermark_ms;
    if (cands->len == 0 && state->told.len == 0)
        return 0;
    for (size_t i = 0; i < state->told.len; i++)
        state->told.at[i].standing = 0;
    struct tell tell = tell_of(op, key);
    int rc = 0;
    /* Withdrawals go out before what takes their place: first find what stands (0). What is told again is taken for gone (1) until it is told (2), all of it
     * before anything is told: candidates of one start may share told rows. */
    for (int pass = 0; pass < 3 && !rc; pass++) {
        struct standing so_far = { .number = state->now.number };
        for (size_t i = 0; i < cands->len && !rc; i++) {
            struct match_cand *cand = &cands->at[i];
            bool standing;
            uint64_t no;
            rc = stands(op, state, i, &so_far, &no, &standing);
            if (rc || !standing || (pass > 0 && !told_again(op, cand)))
                continue;
            if (pass < 2) {
                for (size_t k = 0; k < state->told.len; k++)
                    if (is_of(op, &state->told.at[k], cand))
                        state->told.at[k].standing = pass == 0;
                continue;
            }
            struct match_cand copy = *cand;
            cand->fresh = 0;
            rc = cep_match_outputs(op, state, &copy, no, tell_eager, &tell);
        }
        if (pass == 1)
            continue;
        for (size_t i = 0; i < state->told.len && !rc; i++) {
            struct match_told *told = &state->told.at[i];
            if (!told->standing && !told->gone)
                rc = withdraw(op, key, told);
        }
    }
    return rc;
}

/* ---- processing ---- */

static int run_rows(struct match_op *op, struct match_key *state, struct match_head *head, uint64_t end, bool ended)
{
    int rc = 0;
    while (!rc && head->next_seq < end && (ended || end - head->next_seq > op->m->lookahead))
        rc = cep_match_head_row(op, state, head);
    return rc;
}

static bool eager(const struct match_op *op) { return op->m->eager && !op->m->batch_sort; }

static void drop_rows(struct match_op *op, struct match_key *state)
{
    uint64_t keep = cep_match_head_keep_from(op, &state->now);
    if (state->has_base) {
        uint64_t base = cep_match_head_keep_from(op, &state->base);
        keep = base < keep ? base : keep;
    }
    if (keep > state->waiting_from && !state->has_base)
        keep = state->waiting_from;
    cep_match_rows_drop(&state->rows, keep);
}

/* May what was withdrawn come again? As long as its start is not settled, or lives in the settled state. */
static bool may_come_again(struct match_op *op, struct match_key *state, struct match_told *told)
{
    const struct match_head *head = state->has_base ? &state->base : &state->now;
    if (told->start == UINT64_MAX) { /* rows have new numbers */
        uint64_t seq = state->rows.first_seq;
        while (seq < state->rows.end_seq && cep_position_compare(&cep_match_rows_at(&state->rows, seq)->at, &told->first_at) != 0)
            seq++;
        told->start = seq < state->rows.end_seq ? seq : 0;
    }
    if (state->ended || told->start < state->rows.first_seq)
        return false;
    if (op->sequential || told->start >= head->next_seq || cep_match_class_at(head, told->start) != MATCH_NO_CLASS ||
        (op->m->rows == CEP_ROWS_ALL_UNMATCHED && told->start >= head->unmatched_next))
        return true;
    for (int k = 0; k < 2; k++) {
        const struct match_cands *cands = k ? &state->now.cands : &head->cands;
        for (size_t i = 0; i < cands->len; i++)
            if (cands->at[i].start == told->start)
                return true;
    }
    return false;
}

/* All rows up to the watermark are settled: what was decided with them stays. */
static int settle(struct match_op *op, struct cep_key *key)
{
    struct match_key *state = key->state;
    int64_t watermark = op->op.watermark_ms;
    uint64_t end = state->waiting_from;
    while (end < state->rows.end_seq && cep_match_rows_at(&state->rows, end)->time_ms <= watermark)
        end++;
    state->waiting_from = end;
    struct match_head *base = &state->base;
    int rc = 0;
    if (!state->has_base || end == state->rows.end_seq) {
        /* everything is settled: what now holds is the base */
        state->has_base = false;
        size_t kept = 0;
        for (size_t i = 0; i < state->now.cands.len; i++)
            if (!state->now.cands.at[i].resolved || state->now.cands.at[i].not_before_ms > state->told_ms)
                state->now.cands.at[kept++] = state->now.cands.at[i];
            else
                for (size_t k = 0; k < state->told.len; k++)
                    if (is_of(op, &state->told.at[k], &state->now.cands.at[i]))
                        state->told.at[k].resolved = 1;
        state->now.cands.len = kept;
    } else if (end > base->next_seq + op->m->lookahead + 8) {
        /* a busy key: the base follows in small steps */
        bool quiet = op->quiet;
        op->quiet = true;
        rc = run_rows(op, state, base, end, false);
        op->quiet = quiet;
        for (size_t i = 0; i < base->cands.len; i++) {
            const struct match_cand *cand = &base->cands.at[i];
            if (!cand->resolved)
                continue;
            for (size_t k = 0; k < state->told.len; k++)
                if (is_of(op, &state->told.at[k], cand))
                    state->told.at[k].resolved = 1;
            for (size_t k = 0; k < state->now.cands.len; k++) {
                const struct match_cand *own = &state->now.cands.at[k];
                if (own->resolved && own->start == cand->start && own->kind == cand->kind &&
                    (!op->m->all_matches || (own->accept_seq == cand->accept_seq && own->time_ms == cand->time_ms))) {
                    memmove(&state->now.cands.at[k], &state->now.cands.at[k + 1], (state->now.cands.len - k - 1) * sizeof *cand);
                    state->now.cands.len--;
                    break;
                }
            }
        }
        size_t kept = 0;
        for (size_t i = 0; i < base->cands.len; i++)
            if (!base->cands.at[i].resolved)
                base->cands.at[kept++] = base->cands.at[i];
        base->cands.len = kept;
    }
    size_t kept = 0;
    for (size_t i = 0; i < state->told.len; i++) {
        struct match_told *told = &state->told.at[i];
        if ((told->gone ? !may_come_again(op, state, told) : told->resolved) && !rc) {
            rc = end_told(op, key, told, CEP_SETTLED);
            base_free(state->told.at[i].row);
        } else {
            state->told.at[kept++] = state->told.at[i];
        }
    }
    state->told.len = kept;
    return rc;
}

/* What has become due with the watermark counts and is told, before anything settled is forgotten. */
static int catch_up(struct match_op *op, struct cep_key *key)
{
    struct match_key *state = key->state;
    bool due = false;
    for (size_t i = 0; i < state->now.cands.len && !due; i++) {
        const struct match_cand *cand = &state->now.cands.at[i];
        due = !cand->resolved && cand->kind == MATCH_ABSENT && cand->not_before_ms > state->told_ms && cand->not_before_ms <= op->op.watermark_ms;
    }
    int rc = due ? cep_match_head_resolve(op, state, &state->now) : 0;
    return rc || !due ? rc : tell_changes(op, key);
}

int cep_match_key_settle(struct match_op *op, struct cep_key *key)
{
    int rc = eager(op) ? catch_up(op, key) : 0;
    if (!rc)
        rc = settle(op, key);
    drop_rows(op, key->state);
    return rc;
}

/* Rows of the log from `seq` on, taken out of it into the arena. */
static int take_tail(struct match_op *op, struct match_key *state, uint64_t seq, struct cep_row ***ret, size_t *ret_count)
{
    size_t count = (size_t)(state->rows.end_seq - seq);
    struct cep_row **tail = base_arena_alloc(&op->out_arena, (count ? count : 1) * sizeof *tail);
    if (!tail)
        return BASE_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct cep_row *row = cep_match_rows_at(&state->rows, seq + i);
        tail[i] = base_arena_alloc(&op->out_arena, cep_row_size(row));
        if (!tail[i])
            return BASE_E_NOMEM;
        memcpy(tail[i], row, cep_row_size(row));
    }
    cep_match_rows_cut(&state->rows, seq);
    *ret = tail;
    *ret_count = count;
    return 0;
}

/* Inserts a row at its place behind `from`. */
static int insert_row(struct match_op *op, struct match_key *state, uint64_t from, const struct cep_row *row, uint64_t *ret_seq)
{
    uint64_t at = state->rows.end_seq;
    int order, rc = 0;
    while (at > from) {
        rc = order_rows(op, cep_match_rows_at(&state->rows, at - 1), row, &order);
        if (rc)
            return rc;
        if (order <= 0)
            break;
        at--;
    }
    *ret_seq = at;
    if (at == state->rows.end_seq)
        return cep_match_rows_append(&state->rows, row);
    struct cep_row **tail;
    size_t count;
    base_arena_reset(&op->out_arena);
    rc = take_tail(op, state, at, &tail, &count);
    if (!rc)
        rc = cep_match_rows_append(&state->rows, row);
    for (size_t i = 0; i < count && !rc; i++)
        rc = cep_match_rows_append(&state->rows, tail[i]);
    return rc;
}

static int make_base(struct match_key *state)
{
    int rc = cep_match_head_copy(&state->now, &state->base);
    state->has_base = rc == 0;
    return rc;
}

/* Does what a candidate tells hang on its rows from start to acceptance alone? */
static bool tells_its_rows(const struct match_op *op)
{
    return op->steps && !op->numbers && !op->needs_history && !op->m->timeout_rows && !op->m->hold_ms && op->m->rows != CEP_ROWS_ALL_UNMATCHED;
}

/* Behind the row that was put in at seq (0: not known), rows have new numbers. What was told is found again by its start where the number can be followed, by
 * identity otherwise. */
static void renumber_told(struct match_op *op, struct match_key *state, uint64_t seq)
{
    bool follow = seq && tells_its_rows(op);
    for (size_t i = 0; i < state->told.len; i++) {
        struct match_told *told = &state->told.at[i];
        bool across = told->start < seq && told->accept_seq >= seq;
        if (!follow || across || told->start == UINT64_MAX) {
            told->start = UINT64_MAX;
            continue;
        }
        told->start += told->start >= seq;
        told->accept_seq += told->accept_seq >= seq;
    }
}

void cep_match_key_find_same(struct match_op *op, struct match_key *state)
{
    for (size_t i = 0; i < state->now.cands.len; i++) {
        struct match_cand *cand = &state->now.cands.at[i];
        cand->fresh = 1;
        for (size_t k = 0; k < state->told.len && tells_its_rows(op); k++)
            if (!state->told.at[k].gone && state->told.at[k].accept_seq == cand->accept_seq && is_of(op, &state->told.at[k], cand))
                cand->fresh = 0;
    }
}

/* A row came in between, at seq, or others changed (0): back to the settled state, and on again. */
static int rewind_key(struct match_op *op, struct match_key *state, uint64_t seq)
{
    int rc = cep_match_head_copy(&state->base, &state->now);
    if (rc)
        return rc;
    renumber_told(op, state, seq);
    rc = run_rows(op, state, &state->now, state->rows.end_seq, false);
    cep_match_key_find_same(op, state);
    return rc;
}

/* The candidate was told as it is: its rows stand. */
static bool stands_as_told(const struct match_op *op, struct match_key *state, const struct match_cand *cand)
{
    bool any = false;
    for (size_t i = 0; i < state->told.len && !cand->fresh && tells_its_rows(op); i++) {
        if (state->told.at[i].gone || !is_of(op, &state->told.at[i], cand))
            continue;
        state->told.at[i].standing = 1;
        any = true;
    }
    return any;
}

/* After a rewind nothing told is known by row number: every candidate is told anew, same ones fall silent by content. What was told of rows from before_ms on is
 * left alone: they have not been processed again. */
static int tell_after_rewind(struct match_op *op, struct cep_key *key, int64_t before_ms)
{
    struct match_key *state = key->state;
    struct tell tell = tell_of(op, key);
    struct standing so_far = { .number = state->now.number };
    int rc = 0;
    state->told_ms = op->op.watermark_ms;
    for (size_t i = 0; i < state->told.len; i++)
        state->told.at[i].standing = 0;
    for (size_t i = 0; i < state->now.cands.len && !rc; i++) {
        struct match_cand *cand = &state->now.cands.at[i];
        bool standing;
        uint64_t no;
        rc = stands(op, state, i, &so_far, &no, &standing);
        if (rc || !standing || stands_as_told(op, state, cand))
            continue;
        struct match_cand copy = *cand;
        cand->fresh = 0;
        rc = cep_match_outputs(op, state, &copy, no, tell_eager, &tell);
    }
    for (size_t i = 0; i < state->told.len && !rc; i++) {
        struct match_told *told = &state->told.at[i];
        if (!told->standing && !told->gone && told->last_time_ms < before_ms)
            rc = withdraw(op, key, told);
    }
    return rc;
}

/* ---- too many unsettled rows (semantics, "Eager and final"): the key runs as final until they have settled ---- */

/* Eager, but rows wait in the log: `now` is the settled state, and what was told of the rows behind it stands meanwhile. */
static bool lags(const struct match_op *op, const struct match_key *state)
{
    return eager(op) && !state->has_base && state->waiting_from < state->rows.end_seq;
}

/* Back to the settled state; nothing is told or taken back by that. */
static int start_lag(struct match_op *op, struct match_key *state)
{
    bool quiet = op->quiet;
    op->quiet = true;
    int rc = run_rows(op, state, &state->base, state->waiting_from, false);
    op->quiet = quiet;
    if (!rc)
        rc = cep_match_head_copy(&state->base, &state->now);
    if (rc)
        return rc;
    state->has_base = false;
    for (size_t i = 0; i < state->now.cands.len; i++)
        state->now.cands.at[i].fresh = 1;
    for (size_t i = 0; i < state->told.len; i++)
        state->told.at[i].start = UINT64_MAX;
    cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, NULL);
    return 0;
}

/* Processes and tells what the watermark has passed meanwhile. */
static int lag_on(struct match_op *op, struct cep_key *key)
{
    struct match_key *state = key->state;
    int64_t watermark = op->op.watermark_ms;
    uint64_t was = state->waiting_from;
    while (state->waiting_from < state->rows.end_seq && cep_match_rows_at(&state->rows, state->waiting_from)->time_ms <= watermark)
        state->waiting_from++;
    int rc = run_rows(op, state, &state->now, state->waiting_from, false);
    if (!rc && state->now.next_seq == state->waiting_from)
        rc = cep_match_head_time(op, state, &state->now, watermark < BASE_TIME_MAX_MS - 1 ? watermark + 1 : watermark);
    if (!rc && was == state->waiting_from && !state->now.cands.len)
        return settle(op, key);
    int64_t before_ms = state->now.next_seq < state->rows.end_seq ? cep_match_rows_at(&state->rows, state->now.next_seq)->time_ms : BASE_TIME_MAX_MS;
    if (!rc)
        rc = tell_after_rewind(op, key, before_ms);
    return rc ? rc : settle(op, key);
}

static int row_eager(struct match_op *op, struct cep_key *key, const struct cep_row *row)
{
    struct match_key *state = key->state;
    int rc = lags(op, state) && cep_match_rows_at(&state->rows, state->waiting_from)->time_ms <= op->op.watermark_ms ? lag_on(op, key) : 0;
    if (!rc && !lags(op, state)) {
        rc = catch_up(op, key);
        if (!rc)
            rc = settle(op, key);
        if (!rc && state->has_base && state->rows.end_seq - state->waiting_from >= cep_flow_limits(op->op.flow)->tail_rows)
            rc = start_lag(op, state);
    }
    uint64_t seq, processed = state->now.next_seq;
    if (rc || lags(op, state))
        return rc ? rc : insert_row(op, state, state->waiting_from, row, &seq);
    if (!state->has_base)
        rc = make_base(state);
    if (rc)
        return rc;
    rc = insert_row(op, state, state->waiting_from, row, &seq);
    if (rc)
        return rc;
    if (seq < processed || seq + 1 < state->rows.end_seq) {
        rc = rewind_key(op, state, seq < processed ? seq : 0);
        return rc ? rc : tell_after_rewind(op, key, BASE_TIME_MAX_MS);
    }
    rc = run_rows(op, state, &state->now, state->rows.end_seq, false);
    return rc ? rc : tell_changes(op, key);
}

/* Takes an unsettled row out of the log by its position. */
static int remove_row(struct match_op *op, struct match_key *state, const struct cep_row *row, bool *ret_found)
{
    *ret_found = false;
    for (uint64_t seq = state->rows.end_seq; seq > state->waiting_from; seq--) {
        if (cep_position_compare(&cep_match_rows_at(&state->rows, seq - 1)->at, &row->at) != 0)
            continue;
        struct cep_row **tail;
        size_t count;
        *ret_found = true;
        base_arena_reset(&op->out_arena);
        int rc = take_tail(op, state, seq - 1, &tail, &count);
        for (size_t i = 1; i < count && !rc; i++)
            rc = cep_match_rows_append(&state->rows, tail[i]);
        return rc;
    }
    return 0;
}

/* An unsettled row of the input was changed or taken back (a temporal join corrects itself). */
static int row_changed(struct match_op *op, struct cep_key *key, const struct cep_row *row)
{
    struct match_key *state = key->state;
    bool found = false, behind = lags(op, state);
    uint64_t seq;
    int rc = behind ? 0 : catch_up(op, key);
    if (!rc && !behind)
        rc = settle(op, key);
    if (!rc && (behind || state->has_base))
        rc = remove_row(op, state, row, &found);
    if (rc)
        return rc;
    if (!found)
        return row->change == CEP_UPDATE_AFTER ? row_eager(op, key, row) : 0;
    if (behind) /* not processed yet */
        return row->change == CEP_UPDATE_AFTER ? insert_row(op, state, state->waiting_from, row, &seq) : 0;
    if (row->change == CEP_UPDATE_AFTER)
        rc = insert_row(op, state, state->waiting_from, row, &seq);
    if (!rc)
        rc = rewind_key(op, state, 0);
    return rc ? rc : tell_after_rewind(op, key, BASE_TIME_MAX_MS);
}

static bool over_limit(struct match_op *op, struct match_key *state, const struct cep_event *event)
{
    if (state->rows.end_seq - state->rows.first_seq < cep_flow_limits(op->op.flow)->rows_per_key)
        return false;
    state->limited = true;
    cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, event);
    return true;
}

/* The limit on kept rows forgets the oldest start, or, where most of them wait for the watermark, the row that comes: counted and marked. */
static int forget_oldest(struct match_op *op, struct match_key *state)
{
    struct match_head *head = &state->now;
    uint64_t keep = state->rows.first_seq + (state->rows.end_seq - state->rows.first_seq) / 16 + 1;
    int rc = cep_match_unpark(head);
    (void)op;
    if (rc)
        return rc;
    while (head->class_skip < head->class_len && head->first_start < keep) {
        head->starts[head->class_skip++].id = MATCH_NO_CLASS;
        head->first_start++;
    }
    /* classes whose starts are all gone die; the others find their new earliest start */
    for (uint32_t off = 0; off < head->blob_used;) {
        struct match_class *class = (struct match_class *)(void *)(head->blob + off);
        uint64_t seq = class->min_seq < head->first_start ? head->first_start : class->min_seq;
        uint64_t end = head->first_start + (head->class_len - head->class_skip);
        while (seq < end && cep_match_find(head, head->starts[head->class_skip + (seq - head->first_start)].id) != class->id)
            seq++;
        if (seq < end) {
            class->min_seq = seq;
            off += class->bytes;
            continue;
        }
        head->parents[class->id] = MATCH_NO_CLASS;
        uint32_t bytes = class->bytes;
        memmove(head->blob + off, head->blob + off + bytes, head->blob_used - off - bytes);
        head->blob_used -= bytes;
        head->classes--;
    }
    return 0;
}

int cep_match_key_row(struct match_op *op, struct cep_key *key, const struct cep_event *event)
{
    if (!key->state)
        key->state = cep_match_key_init(op, key);
    struct match_key *state = key->state;
    if (!state)
        return BASE_E_NOMEM;
    int rc = 0;
    if (!op->m->batch_sort && op->op.watermark_ms != BASE_TIME_MIN_MS && event->row->time_ms <= op->op.watermark_ms) {
        /* its neighbours are settled: it came from a partition that was taken for idle (semantics, "Order") */
        cep_flow_report(op->op.flow, CEP_REPORT_LATE_AFTER_IDLE, op->op.node, 0, CEP_NONE, event);
        return 0;
    }
    if (event->row->change == CEP_UPDATE_BEFORE)
        return 0;
    if (eager(op) && event->row->change != CEP_INSERT) {
        rc = row_changed(op, key, event->row);
        if (!rc)
            drop_rows(op, state);
        cep_match_key_count(op, state, false);
        return rc;
    }
    if (!op->m->batch_sort && over_limit(op, state, event)) {
        if (state->rows.end_seq - state->waiting_from > cep_flow_limits(op->op.flow)->rows_per_key / 2)
            return 0;
        if (eager(op) && !state->has_base)
            rc = forget_oldest(op, state);
    }
    if (eager(op)) {
        if (!rc)
            rc = row_eager(op, key, event->row);
    } else {
        uint64_t seq;
        rc = insert_row(op, state, state->waiting_from, event->row, &seq);
    }
    if (!rc)
        drop_rows(op, state);
    cep_match_key_count(op, state, false);
    return rc;
}

/* The watermark has moved: what it makes due counts, and time runs out. One start at a time, the rows are then gone through again for the next. */
static int time_passed(struct match_op *op, struct match_key *state, int64_t time_ms)
{
    int rc = cep_match_head_resolve(op, state, &state->now);
    while (!rc) {
        rc = run_rows(op, state, &state->now, state->rows.end_seq, false);
        if (rc || state->now.next_seq != state->rows.end_seq)
            break;
        rc = cep_match_head_time(op, state, &state->now, time_ms);
        if (state->now.next_seq == state->rows.end_seq)
            break;
    }
    return rc;
}

static int wake_eager(struct match_op *op, struct cep_key *key, bool ended)
{
    struct match_key *state = key->state;
    int64_t watermark = op->op.watermark_ms;
    bool lagged = lags(op, state);
    int rc = 0;
    if (lagged && !ended)
        return lag_on(op, key);
    if (ended && !state->ended) {
        rc = run_rows(op, state, &state->now, state->rows.end_seq, true);
        while (!rc) {
            rc = cep_match_head_end(op, state, &state->now);
            if (rc || state->now.next_seq >= state->rows.end_seq)
                break;
            rc = run_rows(op, state, &state->now, state->rows.end_seq, true);
        }
        state->ended = true;
    } else if (!ended) {
        rc = time_passed(op, state, watermark < BASE_TIME_MAX_MS - 1 ? watermark + 1 : watermark);
    }
    if (!rc)
        rc = lagged ? tell_after_rewind(op, key, BASE_TIME_MAX_MS) : tell_changes(op, key);
    if (!rc)
        rc = settle(op, key);
    return rc;
}

/* Rows that the watermark has passed are processed, then told. */
static int wake_final(struct match_op *op, struct cep_key *key, bool ended)
{
    struct match_key *state = key->state;
    int64_t watermark = op->op.watermark_ms;
    int rc = 0;
    if (ended)
        state->waiting_from = state->rows.end_seq;
    else
        while (!op->m->batch_sort && state->waiting_from < state->rows.end_seq && cep_match_rows_at(&state->rows, state->waiting_from)->time_ms <= watermark)
            state->waiting_from++;
    /* in portions, so that a long backlog is told and dropped as it goes */
    while (!rc && state->now.next_seq < state->waiting_from && (ended || state->waiting_from - state->now.next_seq > op->m->lookahead)) {
        rc = cep_match_head_row(op, state, &state->now);
        if (!rc && state->now.cands.len && state->now.cands.at[0].resolved)
            rc = tell_resolved(op, key);
        if (!rc && (state->now.next_seq & 1023) == 0)
            cep_match_rows_drop(&state->rows, cep_match_head_keep_from(op, &state->now));
    }
    if (!rc && ended && !state->ended) {
        rc = cep_match_head_end(op, state, &state->now);
        while (!rc && state->now.next_seq < state->waiting_from) {
            rc = cep_match_head_row(op, state, &state->now);
            if (!rc && state->now.next_seq >= state->waiting_from)
                rc = cep_match_head_end(op, state, &state->now);
        }
        state->ended = true;
    } else if (!rc && !ended && state->now.next_seq == state->waiting_from) {
        rc = cep_match_head_time(op, state, &state->now, watermark < BASE_TIME_MAX_MS - 1 ? watermark + 1 : watermark);
        while (!rc && state->now.next_seq < state->waiting_from) /* one start at a time went back */
            rc = cep_match_head_row(op, state, &state->now);
    }
    return rc ? rc : tell_resolved(op, key);
}

int cep_match_key_wake(struct match_op *op, struct cep_key *key)
{
    bool ended = op->op.watermark_ms == BASE_TIME_MAX_MS;
    if (!key->state)
        return 0;
    int rc = eager(op) ? wake_eager(op, key, ended) : wake_final(op, key, ended);
    if (!rc)
        drop_rows(op, key->state);
    cep_match_key_count(op, key->state, false);
    return rc;
}

int64_t cep_match_key_deadline(struct match_op *op, const struct cep_key *key)
{
    const struct match_key *state = key->state;
    if (!state || state->ended)
        return BASE_TIME_MAX_MS;
    if (op->m->batch_sort)
        return BASE_TIME_MAX_MS - 1;
    /* While rows wait for the rows that NEXT reads, no deadline can be worked off: only a row, or the end, helps. */
    bool waits = state->now.next_seq < (eager(op) && !lags(op, state) ? state->rows.end_seq : state->waiting_from);
    int64_t at = waits ? BASE_TIME_MAX_MS : cep_match_head_deadline(op, state, &state->now);
    if (eager(op) && !lags(op, state)) {
        /* settled when the last row is; a key that must wake for a start anyway and has told nothing is settled on that occasion */
        if (state->has_base && (at == BASE_TIME_MAX_MS || state->told.len)) {
            int64_t last = cep_match_rows_at(&state->rows, state->rows.end_seq - 1)->time_ms;
            at = last < at ? last : at;
        }
    } else if (state->waiting_from < state->rows.end_seq) {
        int64_t first = cep_match_rows_at(&state->rows, state->waiting_from)->time_ms;
        at = first < at ? first : at;
    }
    for (size_t i = 0; i < state->now.cands.len; i++)
        if (state->now.cands.at[i].not_before_ms > state->told_ms && state->now.cands.at[i].not_before_ms < at)
            at = state->now.cands.at[i].not_before_ms;
    /* an open start that only the end of input can decide */
    if (at == BASE_TIME_MAX_MS && (cep_match_head_live(&state->now) || state->now.next_seq < state->rows.end_seq))
        at = BASE_TIME_MAX_MS - 1;
    return at;
}

void cep_match_key_count(struct match_op *op, struct match_key *state, bool gone)
{
    uint32_t rows = gone ? 0 : (uint32_t)(state->rows.end_seq - state->rows.first_seq);
    uint32_t starts = gone ? 0 : state->now.class_len - state->now.class_skip;
    op->rows_kept += (uint64_t)rows - state->counted_rows;
    op->starts += (uint64_t)starts - state->counted_starts;
    state->counted_rows = rows;
    state->counted_starts = starts;
}

bool cep_match_key_idle(const struct match_op *op, const struct match_key *state)
{
    return !state->has_base && !cep_match_head_live(&state->now) && state->told.len == 0 && state->now.next_seq == state->rows.end_seq &&
           !op->needs_history && (op->m->lookback == 0 || state->ended);
}
