/* From the lean form to the full one and back. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/match/class.h"
#include "cep/match/lean.h"
#include "cep/match/park.h"

#define DEFLATE_ROWS_MOST 4096

static int run_to(struct match_op *op, struct match_key *state, uint64_t end, const uint8_t *no_start)
{
    struct match_head *head = &state->now;
    int rc = 0;
    while (!rc && head->next_seq < end) {
        uint64_t i = head->next_seq - state->rows.first_seq;
        op->no_start = no_start && no_start[i / 8] >> i % 8 & 1;
        rc = cep_match_head_row(op, state, head);
        op->no_start = false;
    }
    return rc;
}

/* ---- the same by remembered steps ---- */

struct built { uint32_t config, id; int64_t youngest_ms; };
struct building { struct built at[LEAN_CLASSES_MOST]; uint32_t count; };

/* Into the class with this configuration; id NO_CLASS: of a new start. False: there are too many. */
static bool build_join(struct building *next, struct match_head *head, struct built class)
{
    for (uint32_t i = 0; i < next->count; i++) {
        struct built *other = &next->at[i];
        if (other->config != class.config)
            continue;
        head->parents[class.id] = other->id;
        other->youngest_ms = class.youngest_ms > other->youngest_ms ? class.youngest_ms : other->youngest_ms;
        return true;
    }
    if (next->count == LEAN_CLASSES_MOST)
        return false;
    next->at[next->count++] = class;
    return true;
}

/* What cep_match_head_row does with a row at which nothing accepts. *ret_full: it must. */
static int build_row(struct match_op *op, struct match_head *head, struct building *classes, const struct cep_row *row, bool no_start, bool *ret_full)
{
    struct match_configs *configs = op->steps;
    struct building next;
    uint32_t to = MATCH_CONFIG_DEAD, id = MATCH_NO_CLASS;
    int rc = cep_match_config_row(configs, op, row);
    next.count = 0;
    for (uint32_t i = 0; i < classes->count && !rc && !*ret_full; i++) {
        const struct built *class = &classes->at[i];
        to = MATCH_CONFIG_DEAD;
        if (!op->within_ms || class->youngest_ms + op->within_ms > row->time_ms)
            rc = cep_match_config_next(configs, op, class->config, &to);
        if (!to)
            head->parents[class->id] = MATCH_NO_CLASS;
        *ret_full = !rc && (cep_match_config_leaves(to) || (to && !build_join(&next, head, (struct built){ to, class->id, class->youngest_ms })));
    }
    to = MATCH_CONFIG_DEAD;
    if (!rc && !*ret_full && !no_start)
        rc = cep_match_config_next(configs, op, MATCH_CONFIG_START, &to);
    *ret_full |= cep_match_config_leaves(to);
    if (!rc && !*ret_full && to) {
        rc = cep_match_new_class_id(head, &id);
        *ret_full = !rc && !build_join(&next, head, (struct built){ to, id, row->time_ms });
    }
    if (!rc && !*ret_full)
        rc = cep_match_append_start(head, head->next_seq, row->time_ms, id);
    head->next_seq++;
    *classes = next;
    return rc;
}

/* Starts whose time is up are dead; the classes go into the blob. */
static int build_blob(struct match_op *op, struct match_head *head, const struct building *classes, int64_t time_ms)
{
    uint64_t end = cep_match_starts_end(head);
    for (uint64_t seq = head->first_start; op->within_ms && seq < end && cep_match_start_time(head, seq) + op->within_ms <= time_ms; seq++)
        *cep_match_class_slot(head, seq) = MATCH_NO_CLASS;
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < classes->count; i++)
        bytes += op->steps->at[classes->at[i].config]->bytes;
    int rc = cep_match_head_reserve(head, 0, 0, bytes);
    if (rc)
        return rc;
    head->blob_used = 0;
    head->classes = classes->count;
    for (uint32_t i = 0; i < classes->count; i++) {
        const struct match_class *from = op->steps->at[classes->at[i].config];
        struct match_class *class = (struct match_class *)(void *)(head->blob + head->blob_used);
        memcpy(class, from, from->bytes);
        class->id = classes->at[i].id;
        class->min_seq = head->first_start;
        while (class->min_seq + 1 < end && cep_match_class_at(head, class->min_seq) != class->id)
            class->min_seq++;
        head->blob_used += class->bytes;
    }
    cep_match_renumber(head);
    cep_match_pop_dead(head);
    return 0;
}

static int build(struct match_op *op, struct match_key *state, uint64_t settled, const uint8_t *no_start, bool *ret_full)
{
    struct match_head *head = &state->now;
    struct building classes = { .count = 0 };
    int rc = 0;
    for (uint64_t seq = head->next_seq; seq < state->rows.end_seq && !rc && !*ret_full; seq++) {
        const struct cep_row *row = cep_match_rows_at(&state->rows, seq);
        uint64_t i = seq - state->rows.first_seq;
        if (seq == settled) {
            struct building ids = classes;
            rc = seq > state->rows.first_seq ? build_blob(op, head, &ids, cep_match_rows_at(&state->rows, seq - 1)->time_ms) : 0;
            for (uint32_t k = 0; k < ids.count && !rc; k++) /* they may have been numbered anew */
                classes.at[k].id = cep_match_blob_id(head, k);
            if (!rc)
                rc = cep_match_head_copy(head, &state->base);
            state->has_base = rc == 0;
        }
        if (!rc)
            rc = build_row(op, head, &classes, row, no_start && no_start[i / 8] >> i % 8 & 1, ret_full);
    }
    if (!rc && !*ret_full && state->rows.end_seq > state->rows.first_seq)
        rc = build_blob(op, head, &classes, cep_match_rows_at(&state->rows, state->rows.end_seq - 1)->time_ms);
    return rc;
}

/* Back to before the first row. */
static void unbuild(struct match_key *state)
{
    cep_match_head_finish(&state->now);
    cep_match_head_finish(&state->base);
    state->has_base = false;
    state->now.next_seq = state->now.first_start = state->now.unmatched_next = state->rows.first_seq;
}

int cep_match_lean_run(struct match_op *op, struct match_key *state, const uint8_t *no_start)
{
    bool quiet = op->quiet;
    uint64_t rows_in = op->rows_in, settled = state->rows.first_seq;
    while (settled < state->rows.end_seq && cep_match_rows_at(&state->rows, settled)->time_ms <= op->op.watermark_ms)
        settled++;
    state->waiting_from = settled;
    op->quiet = true; /* all was reported when the rows came */
    bool full = false;
    int rc = build(op, state, settled, no_start, &full);
    if (!rc && !full) {
        op->quiet = quiet;
        return 0;
    }
    unbuild(state);
    if (!rc)
        rc = run_to(op, state, settled, no_start);
    if (!rc && settled < state->rows.end_seq && op->m->eager && !op->m->batch_sort) {
        rc = cep_match_head_copy(&state->now, &state->base);
        state->has_base = rc == 0;
    }
    if (!rc && (state->has_base || op->m->eager))
        rc = run_to(op, state, state->rows.end_seq, no_start);
    op->quiet = quiet;
    op->rows_in = rows_in;
    return rc;
}

static int copy_rows(struct match_op *op, struct match_lean *lean, struct match_key *state, uint8_t *no_start)
{
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    int rc = 0;
    cep_match_lean_no_starts(op, lean, no_start);
    state->rows.first_seq = state->rows.end_seq = lean->first_seq;
    for (uint32_t i = 0; i < lean->count && !rc; i++) {
        const struct cep_row *row = cep_match_lean_log_row(op, lean, entries[i]);
        rc = row ? cep_match_rows_append(&state->rows, row) : BASE_E_NOMEM;
    }
    state->now.next_seq = state->now.first_start = state->now.unmatched_next = lean->first_seq;
    /* the pieces of the lean form go, those of the full one are numbered behind them */
    uint32_t first, end;
    cep_match_lean_pieces(lean, &first, &end);
    for (uint32_t i = 0; i < state->rows.count; i++)
        state->rows.chunks[i].number += end - 1;
    state->rows.next_number += end - 1;
    state->rows.dropped_first = first;
    state->rows.dropped_end = end;
    return rc;
}

int cep_match_lean_inflate(struct match_op *op, struct cep_key *key)
{
    struct match_lean *lean = key->state;
    uint8_t *no_start = base_alloc(lean->count / 8 + 1);
    struct match_key *state = base_alloc(sizeof *state);
    struct match_lean_told *told = cep_match_lean_told(lean);
    int rc = no_start && state ? 0 : BASE_E_NOMEM;
    if (state)
        cep_match_key_clear(state);
    if (!rc && told)
        rc = cep_match_lean_make_told(op, &told->list);
    if (!rc)
        rc = copy_rows(op, lean, state, no_start);
    if (!rc)
        rc = cep_match_lean_run(op, state, no_start);
    base_free(no_start);
    if (rc) {
        if (state)
            cep_match_key_finish(state);
        base_free(state);
        return rc;
    }
    if (told) {
        state->told = told->list;
        told->list = (struct match_tolds){ 0 };
    }
    cep_match_key_find_same(op, state);
    cep_match_lean_free(op, key);
    key->state = state;
    cep_match_key_count(op, state, false);
    return 0;
}

/* ---- back ---- */

static bool ordinary(const struct match_op *op, const struct match_key *state)
{
    const struct match_rows *rows = &state->rows;
    return !state->has_base && !state->ended && !state->now.parked && !state->limited && state->told.len == 0 && state->now.cands.len == 0 && state->now.next_seq == rows->end_seq &&
           rows->end_seq - rows->first_seq <= DEFLATE_ROWS_MOST && state->now.classes <= LEAN_CLASSES_MOST &&
           state->waiting_from == rows->end_seq && rows->end_seq < LEAN_SEQ_MOST && op->op.watermark_ms != BASE_TIME_MAX_MS;
}

static int take_classes(struct match_op *op, const struct match_key *state, struct match_lean *lean)
{
    const struct match_head *head = &state->now;
    struct match_lean_class classes[LEAN_CLASSES_MOST];
    uint32_t ids[LEAN_CLASSES_MOST], count = 0;
    int rc = 0;
    for (uint32_t off = 0; off < head->blob_used && !rc;) {
        const struct match_class *class = (const struct match_class *)(const void *)(head->blob + off);
        classes[count] = (struct match_lean_class){ .earliest = (uint32_t)class->min_seq };
        ids[count] = class->id;
        rc = cep_match_config_of(op->steps, class, &classes[count++].config);
        off += class->bytes;
    }
    for (uint64_t seq = head->first_start; seq < cep_match_starts_end(head) && !rc; seq++) {
        uint32_t id = cep_match_class_at(head, seq);
        for (uint32_t i = 0; i < count; i++)
            if (id == ids[i])
                classes[i].youngest = (uint32_t)(cep_match_start_time(head, seq) - lean->base_ms);
    }
    return rc ? rc : cep_match_lean_set_classes(lean, classes, count);
}

static int take_rows(struct match_op *op, const struct match_key *state, struct match_lean *lean)
{
    const struct match_rows *rows = &state->rows;
    uint32_t count = (uint32_t)(rows->end_seq - rows->first_seq);
    int rc = cep_match_lean_reserve(lean, count); /* no sights yet: their epoch is none */
    for (uint32_t i = 0; i < count && !rc; i++) {
        const struct cep_row *row = cep_match_rows_at(rows, rows->first_seq + i);
        struct match_lean_entry *entry = &cep_match_lean_entries(lean)[i];
        rc = cep_match_log_put(&op->lean->log, row, &entry->ref);
        if (rc)
            break;
        lean->count++;
        entry->at = (uint32_t)(row->time_ms - lean->base_ms);
        if (cep_match_class_at(&state->now, rows->first_seq + i) == MATCH_NO_CLASS)
            entry->ref |= LEAN_NO_START;
    }
    return rc;
}

int cep_match_lean_deflate(struct match_op *op, struct cep_key *key)
{
    struct match_key *state = key->state;
    const struct match_rows *rows = &state->rows;
    if (rows->end_seq > rows->first_seq && cep_match_rows_at(rows, rows->end_seq - 1)->time_ms > op->op.watermark_ms)
        return 0;
    int rc = cep_match_key_settle(op, key);
    if (!rc && cep_match_parked_count(&state->now) <= LEAN_CLASSES_MOST)
        rc = cep_match_unpark(&state->now);
    if (rc || !ordinary(op, state))
        return rc;
    int64_t base_ms = rows->end_seq > rows->first_seq ? cep_match_rows_at(rows, rows->first_seq)->time_ms : 0;
    if (rows->end_seq > rows->first_seq && cep_match_rows_at(rows, rows->end_seq - 1)->time_ms - base_ms >= INT32_MAX / 2)
        return 0;
    struct match_lean lean = { .base_ms = base_ms, .first_seq = rows->first_seq };
    uint32_t first, end;
    cep_match_pieces(state, &first, &end);
    if (rows->dropped_first < rows->dropped_end && rows->dropped_first < first)
        first = rows->dropped_first;
    rc = cep_match_lean_number(&lean, end - (uint32_t)(rows->first_seq / LEAN_GROUP), first);
    if (!rc)
        rc = take_rows(op, state, &lean);
    if (!rc)
        rc = take_classes(op, state, &lean);
    struct match_lean *room = cep_key_room(key);
    *room = lean;
    key->state = room;
    op->starts += cep_match_lean_starts(room);
    if (rc) {
        cep_match_lean_free(op, key); /* the full form stays */
        key->state = state;
        return rc == BASE_E_LIMIT ? 0 : rc;
    }
    cep_match_key_count(op, state, true);
    cep_match_key_finish(state);
    base_free(state);
    return 0;
}
