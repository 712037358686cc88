/* Matches of keys in lean form: found, explained and told while the key stays as it is. What was told is kept with the key until it is settled, so that a late row
 * can change it; only what would have to be withdrawn, or whose start cannot be singled out, asks for the full form. docs/engine.md, "Lean keys", Claim 20. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"
#include "cep/match/aside.h"
#include "cep/match/lean.h"

/* What a row makes of a key: worked out before anything is changed. */
struct plan {
    struct match_op *op;
    struct match_lean *lean;
    struct match_lean_view *view;
    const struct cep_row *row; /* NULL: it is kept already, as `late` says, and made if somebody reads it */
    struct match_lean_late late;
    uint32_t at;             /* where it comes in */
    bool redo;               /* something that was told lies behind it */
    bool full;               /* only the full form can tell */
    struct match_lean_class classes[LEAN_CLASSES_MOST];
    uint32_t class_count;
};

/* ---- which operators, memory ---- */

static bool navigates(const struct match_op *op, uint32_t code)
{
    return code != CEP_NONE && (cep_program_code(op->program, code)->flags & CEP_CODE_NAV);
}

void cep_match_lean_tells_init(struct match_op *op)
{
    bool each = op->independent && !op->m->all_matches && !op->has_lookahead && !op->has_absence;
    bool tells = (op->early_discard || each) && !op->plain && !op->counts;
    for (uint32_t i = 0; i < op->m->outs.count; i++) {
        const struct cep_out *out = cep_program_out(op->program, op->m->outs.first + i);
        tells &= out->kind == CEP_OUT_COLUMN || !navigates(op, out->code);
    }
    for (uint32_t i = 0; i < op->m->vars.count; i++)
        tells &= !navigates(op, op->vars[i].out_update);
    op->lean->tells = tells;
    op->lean->each = tells && each;
    op->edges = tells ? &op->lean->edges : NULL;
    op->lean->edges.forward = cep_match_edges_forward(op);
}

void cep_match_lean_view_finish(struct match_lean_op *lean_op)
{
    BASE_VEC_FINISH(&lean_op->view.rows);
    base_arena_finish(&lean_op->view.arena);
    BASE_VEC_FINISH(&lean_op->view.entries);
    BASE_VEC_FINISH(&lean_op->view.sights);
    BASE_VEC_FINISH(&lean_op->view.found);
    BASE_VEC_FINISH(&lean_op->view.items);
    BASE_VEC_FINISH(&lean_op->view.chain);
    BASE_VEC_FINISH(&lean_op->view.turns);
    BASE_VEC_FINISH(&lean_op->view.path);
    cep_match_edges_finish(&lean_op->edges);
    while (lean_op->spare_told) {
        struct match_lean_told *told = lean_op->spare_told;
        lean_op->spare_told = told->next;
        BASE_VEC_FINISH(&told->list);
        base_free(told);
    }
}

static struct match_lean_told *told_of(struct match_op *op, struct match_lean *lean)
{
    struct match_lean_body *body = cep_match_lean_body(lean);
    if (!body)
        return NULL;
    if (!body->told && op->lean->spare_told) {
        body->told = op->lean->spare_told;
        op->lean->spare_told = body->told->next;
        op->lean->spare_count--;
    } else if (!body->told) {
        body->told = base_calloc(1, sizeof *body->told);
    }
    return body->told;
}

/* The list, empty or handed over, goes back. */
void cep_match_lean_told_free(struct match_op *op, struct match_lean *lean)
{
    struct match_lean_told *told = cep_match_lean_told(lean);
    if (!told)
        return;
    for (size_t i = 0; i < told->list.len; i++)
        base_free(told->list.at[i].row);
    told->list.len = 0;
    if (op->lean->spare_count < LEAN_TOLD_SPARE && told->list.cap <= LEAN_TOLD_SPARE) {
        told->next = op->lean->spare_told;
        op->lean->spare_told = told;
        op->lean->spare_count++;
    } else {
        BASE_VEC_FINISH(&told->list);
        base_free(told);
    }
    lean->body->told = NULL;
}

size_t cep_match_lean_told_bytes(const struct match_lean *lean)
{
    const struct match_lean_told *told = cep_match_lean_told(lean);
    size_t sum = sizeof *told + told->list.cap * sizeof *told->list.at;
    for (size_t i = 0; i < told->list.len; i++)
        sum += told->list.at[i].row ? cep_row_size(told->list.at[i].row) : 0;
    return sum;
}

int64_t cep_match_lean_told_ms(const struct match_lean *lean)
{
    int64_t first_ms = BASE_TIME_MAX_MS;
    const struct match_lean_told *told = cep_match_lean_told(lean);
    for (size_t i = 0; told && i < told->list.len; i++)
        first_ms = told->list.at[i].last_time_ms < first_ms ? told->list.at[i].last_time_ms : first_ms;
    return first_ms;
}

int cep_match_lean_settle(struct match_op *op, struct cep_key *key)
{
    struct match_lean *lean = key->state;
    size_t kept = 0;
    int rc = 0;
    if (!cep_match_lean_told(lean))
        return 0;
    struct match_tolds *list = &cep_match_lean_told(lean)->list;
    for (size_t i = 0; i < list->len; i++) {
        if (rc || list->at[i].last_time_ms > op->op.watermark_ms) {
            list->at[kept++] = list->at[i];
            continue;
        }
        uint64_t offset = list->at[i].start - lean->first_seq;
        if (op->lean->each && offset < lean->count)
            cep_match_lean_entries(lean)[offset].ref |= LEAN_NO_START; /* it had its match: it is told no more */
        rc = list->at[i].named ? cep_match_aside_settle(op->aside, list->at[i].named) : cep_match_key_end(op, key, &list->at[i], CEP_SETTLED, false);
        base_free(list->at[i].row);
    }
    list->len = kept;
    if (kept == 0)
        cep_match_lean_told_free(op, lean);
    return rc;
}

/* ---- the rows with the new one among them ---- */

/* Those from `from` to before `end`, `by` places on. */
static void look_at(struct plan *plan, uint32_t from, uint32_t end, uint32_t by)
{
    const struct match_lean_entry *entries = cep_match_lean_entries(plan->lean);
    const uint16_t *sights = cep_match_lean_sights(plan->lean);
    if (from == end)
        return;
    memset(plan->view->rows.at + from + by, 0, (end - from) * sizeof *plan->view->rows.at);
    memcpy(plan->view->entries.at + from + by, entries + from, (end - from) * sizeof *entries);
    memcpy(plan->view->sights.at + from + by, sights + from, (end - from) * sizeof *sights);
}

static int look_at_rows(struct plan *plan)
{
    const struct match_lean *lean = plan->lean;
    struct match_lean_view *view = plan->view;
    uint32_t count = lean->count + 1;
    if (!BASE_VEC_RESERVE(&view->rows, count) || !BASE_VEC_RESERVE(&view->entries, count) || !BASE_VEC_RESERVE(&view->sights, count))
        return BASE_E_NOMEM;
    cep_match_lean_renew_sights(plan->op, plan->lean);
    base_arena_reset(&view->arena);
    view->base_ms = lean->base_ms;
    view->epoch = lean->epoch;
    view->sights.at[plan->at] = (uint16_t)plan->late.sight;
    look_at(plan, 0, plan->at, 0);
    view->rows.at[plan->at] = plan->row;
    view->entries.at[plan->at] = plan->late.entry;
    look_at(plan, plan->at, lean->count, 1);
    view->rows.len = view->entries.len = count;
    /* what was told of rows from the new one on is looked for anew */
    const struct match_lean_told *tolds = cep_match_lean_told(lean);
    for (size_t k = 0; tolds && k < tolds->list.len; k++) {
        const struct match_told *told = &tolds->list.at[k];
        uint32_t start = (uint32_t)(told->start - lean->first_seq), accept = (uint32_t)(told->accept_seq - lean->first_seq);
        if (accept < plan->at)
            continue;
        plan->redo = true;
        for (uint32_t i = plan->op->lean->each ? UINT32_MAX : start + (start >= plan->at); i <= accept + 1; i++)
            view->entries.at[i].ref &= ~LEAN_NO_START;
    }
    return 0;
}

const struct cep_row *cep_match_lean_view_row(struct match_op *op, uint32_t i)
{
    struct match_lean_view *view = &op->lean->view;
    const struct match_lean_entry entry = view->entries.at[i];
    if (!view->rows.at[i])
        view->rows.at[i] = cep_match_log_row(&op->lean->log, entry.ref & ~LEAN_NO_START, view->base_ms + entry.at, &view->arena);
    return view->rows.at[i];
}

int cep_match_lean_see(struct match_op *op, uint32_t i)
{
    struct match_configs *configs = op->steps;
    struct match_lean_view *view = &op->lean->view;
    if (view->sights.at[i] && view->epoch == configs->epoch) {
        cep_match_config_seen(configs, i, view->sights.at[i]);
        return 0;
    }
    const struct cep_row *row = cep_match_lean_view_row(op, i);
    int rc = row ? cep_match_config_row(configs, op, row) : BASE_E_NOMEM;
    if (!rc && view->epoch == configs->epoch)
        view->sights.at[i] = cep_match_lean_sight(op, configs->row_sight);
    return rc;
}

static bool no_start(const struct plan *plan, uint32_t i) { return plan->view->entries.at[i].ref & LEAN_NO_START; }

/* ---- which start ---- */

struct single { uint32_t config, start; };

/* Steps the classes, each with the earliest of those starts in it that are alive at row `last`. Accepting ones: *ret_start, and *ret_other of all others. */
static int step_singles(struct plan *plan, struct single *classes, uint32_t *count, uint32_t *ret_start, uint32_t *ret_other)
{
    struct match_op *op = plan->op;
    uint32_t kept = 0, to;
    *ret_start = *ret_other = UINT32_MAX;
    for (uint32_t i = 0; i < *count; i++) {
        struct single class = classes[i];
        int rc = cep_match_config_next(op->steps, op, class.config, &to);
        if (rc)
            return rc;
        plan->full |= to == MATCH_CONFIG_FULL;
        uint32_t *least = to == MATCH_CONFIG_ACCEPTED ? ret_start : ret_other;
        if (to && class.start < *least)
            *least = class.start;
        if (!to || cep_match_config_leaves(to))
            continue;
        uint32_t k = 0;
        while (k < kept && classes[k].config != to)
            k++;
        if (k == kept)
            classes[kept++] = (struct single){ to, class.start };
        else if (class.start < classes[k].start)
            classes[k].start = class.start;
    }
    *count = kept;
    return 0;
}

/* The earliest start that row `last` completes, by going through the rows with those starts alone that live to see it. */
static int single_out(struct plan *plan, uint32_t last, uint32_t *ret)
{
    struct match_op *op = plan->op;
    struct single classes[LEAN_CLASSES_MOST + 1];
    uint32_t count = 0, other, to;
    *ret = UINT32_MAX;
    for (uint32_t i = 0; i <= last && !plan->full; i++) {
        bool start = i < last && !no_start(plan, i) && cep_match_lean_alive(op, i, last);
        if (!start && count == 0)
            continue;
        int rc = cep_match_lean_see(op, i);
        if (!rc)
            rc = step_singles(plan, classes, &count, ret, &other);
        if (!rc && start && !plan->full) {
            rc = cep_match_config_next(op->steps, op, MATCH_CONFIG_START, &to);
            plan->full |= !rc && cep_match_config_leaves(to);
            uint32_t k = 0;
            while (k < count && classes[k].config != to)
                k++;
            if (to && k == count && count <= LEAN_CLASSES_MOST)
                classes[count++] = (struct single){ to, i };
        }
        if (rc)
            return rc;
        plan->full |= (*ret != UINT32_MAX && i < last) || count > LEAN_CLASSES_MOST || (i == last && other < *ret);
    }
    plan->full |= *ret == UINT32_MAX;
    return 0;
}

/* ---- going through the rows ---- */

/* Earliest start of accepting classes and of the others; exact: they are alive; itself: the row is a match of its own, beside them. */
struct step { uint32_t accepted, other; bool exact, itself; };

/* Steps the classes, then the row as a start, unless it completed one that covers it. */
static int step_row(struct plan *plan, uint32_t row, struct step *step)
{
    struct match_op *op = plan->op;
    struct match_lean_op *lean_op = op->lean;
    uint32_t to, first = (uint32_t)plan->lean->first_seq;
    int rc = cep_match_lean_see(op, row);
    *step = (struct step){ UINT32_MAX, UINT32_MAX, true, false };
    lean_op->next_count = 0;
    for (uint32_t i = 0; i < plan->class_count && !rc && !plan->full; i++) {
        struct match_lean_class class = plan->classes[i];
        rc = cep_match_config_next(op->steps, op, class.config, &to);
        if (rc || !to)
            continue;
        int32_t offset = (int32_t)(class.earliest - first); /* below 0: its row has gone */
        uint32_t start = offset < 0 ? 0 : (uint32_t)offset;
        step->exact &= offset >= 0 && cep_match_lean_alive(op, start, row);
        uint32_t *least = to == MATCH_CONFIG_ACCEPTED ? &step->accepted : &step->other;
        *least = start < *least ? start : *least;
        class.config = to;
        plan->full |= to == MATCH_CONFIG_FULL || (to != MATCH_CONFIG_ACCEPTED && !cep_match_lean_join(lean_op->next, &lean_op->next_count, class));
    }
    if (rc || plan->full || (step->accepted != UINT32_MAX && !lean_op->each) || no_start(plan, row))
        return rc;
    rc = cep_match_config_next(op->steps, op, MATCH_CONFIG_START, &to);
    if (rc || !to)
        return rc;
    if (to == MATCH_CONFIG_ACCEPTED && lean_op->each) {
        step->itself = true;
        return 0;
    }
    if (to == MATCH_CONFIG_ACCEPTED) {
        step->accepted = row;
        step->exact = lean_op->next_count == 0; /* it covers none of those */
        plan->full |= !step->exact;
        return 0;
    }
    plan->full |= to == MATCH_CONFIG_FULL || !cep_match_lean_join(lean_op->next, &lean_op->next_count, (struct match_lean_class){ to, first + row, plan->view->entries.at[row].at });
    return 0;
}

static int push_found(struct plan *plan, uint32_t start, uint32_t row)
{
    const struct match_lean_found found = { .start = start, .accept = row };
    return BASE_VEC_PUSH(&plan->view->found, found) ? 0 : BASE_E_NOMEM;
}

/* A match from start to row: all starts behind it are covered, and no earlier one is alive. */
static int find(struct plan *plan, uint32_t start, uint32_t row)
{
    for (uint32_t i = start; i <= row; i++)
        plan->view->entries.at[i].ref |= LEAN_NO_START;
    plan->class_count = 0;
    return push_found(plan, start, row);
}

static void take_next(struct plan *plan)
{
    plan->class_count = plan->op->lean->next_count;
    memcpy(plan->classes, plan->op->lean->next, plan->class_count * sizeof *plan->classes);
}

/* The earliest start that row i completes covers all others. */
static int find_one(struct plan *plan, uint32_t i, const struct step *step)
{
    uint32_t start = step->accepted;
    int rc = !step->exact || step->other < start ? single_out(plan, i, &start) : 0;
    return rc || plan->full ? rc : find(plan, start, i);
}

/* Each start that row i completes has a match; those that were complete before the new row are told. */
static int find_each(struct plan *plan, uint32_t i, const struct step *step)
{
    int rc = 0;
    take_next(plan);
    if (i < plan->at)
        return 0;
    if (step->accepted != UINT32_MAX)
        rc = cep_match_lean_each(plan->op, plan->lean, step->accepted, i, &plan->full);
    return rc || plan->full || !step->itself ? rc : push_found(plan, i, i);
}

static int go_through(struct plan *plan, uint32_t from)
{
    struct step step;
    int rc = 0;
    for (uint32_t i = from; i < plan->view->rows.len && !rc && !plan->full; i++) {
        cep_match_lean_expire(plan->op, plan->lean, plan->classes, &plan->class_count, cep_match_lean_view_ms(plan->op, plan->lean, i));
        rc = step_row(plan, i, &step);
        if (rc || plan->full)
            break;
        if (step.accepted == UINT32_MAX && !step.itself)
            take_next(plan);
        else
            rc = plan->op->lean->each ? find_each(plan, i, &step) : find_one(plan, i, &step);
    }
    return rc;
}

static int by_start(const void *a, const void *b)
{
    uint32_t one = ((const struct match_lean_found *)a)->start, other = ((const struct match_lean_found *)b)->start;
    return (one > other) - (one < other);
}

/* ---- what was told ---- */

/* A few as a rule, and those of one class are in order. */
static void sort_found(struct match_lean_view *view)
{
    struct match_lean_found *found = view->found.at;
    if (view->found.len > 32) {
        qsort(found, view->found.len, sizeof *found, by_start);
        return;
    }
    for (size_t i = 1; i < view->found.len; i++) {
        struct match_lean_found one = found[i];
        size_t at = i;
        for (; at > 0 && found[at - 1].start > one.start; at--)
            found[at] = found[at - 1];
        found[at] = one;
    }
}

/* What was told of rows behind the new one must be among what was found: changed, perhaps, but not gone. */
static void compare(struct plan *plan)
{
    const struct match_lean *lean = plan->lean;
    struct match_lean_found *found = plan->view->found.at;
    const struct match_lean_told *tolds = cep_match_lean_told(lean);
    for (size_t k = 0; plan->redo && k < tolds->list.len && !plan->full; k++) {
        const struct match_told *told = &tolds->list.at[k];
        uint32_t start = (uint32_t)(told->start - lean->first_seq), accept = (uint32_t)(told->accept_seq - lean->first_seq);
        if (accept < plan->at)
            continue;
        bool inside = start < plan->at;
        start += start >= plan->at;
        size_t i = 0, end = plan->view->found.len;
        while (i < end) { /* they stand in order of their starts */
            size_t middle = i + (end - i) / 2;
            i = found[middle].start < start ? middle + 1 : i;
            end = found[middle].start < start ? end : middle;
        }
        bool any = i < plan->view->found.len && found[i].start == start;
        if (any)
            found[i].same = !inside && found[i].accept == accept + 1;
        plan->full |= !any || (!found[i].same && plan->op->m->rows != CEP_ROWS_ONE);
    }
}

static int explain(struct plan *plan, struct match_lean_found *found)
{
    bool good;
    struct match_op *op = plan->op;
    struct match_lean_view *view = plan->view;
    const struct match_edge_rows rows = { .first = found->start, .count = found->accept - found->start + 1, .seq = plan->lean->first_seq + found->start };
    int rc = cep_match_edges_explain(op, &op->lean->edges, &rows, &good);
    if (rc || !good || plan->view->found.len == 1) { /* one alone stays in op->items */
        plan->full |= !rc && !good;
        return rc;
    }
    found->first_item = (uint32_t)view->items.len;
    found->items = (uint32_t)op->items.len;
    if (!BASE_VEC_RESERVE(&view->items, view->items.len + op->items.len))
        return BASE_E_NOMEM;
    memcpy(view->items.at + view->items.len, op->items.at, op->items.len * sizeof *op->items.at);
    view->items.len += op->items.len;
    return 0;
}

/* All that is to be told, before anything is changed. */
static int explain_all(struct plan *plan)
{
    struct match_lean_view *view = plan->view;
    int rc = 0;
    sort_found(view);
    compare(plan);
    for (size_t i = 0; i < view->found.len && !rc && !plan->full; i++)
        if (!view->found.at[i].same && !view->found.at[i].items)
            rc = explain(plan, &view->found.at[i]);
    return rc;
}

/* The rows and labels in op->items, which say what is told where each match is one row; never 0. */
static uint64_t path_of(const struct plan *plan)
{
    const struct match_items *items = &plan->op->items;
    uint64_t hash = 0;
    for (size_t i = 0; i < items->len; i++) {
        const struct cep_position *at = &plan->view->rows.at[items->at[i].seq - plan->lean->first_seq]->at; /* unpacked by unpack_items */
        uint64_t words[3] = { (uint64_t)at->table << 32 | (uint32_t)at->partition, (uint64_t)at->offset, (uint64_t)items->at[i].var << 1 | (items->at[i].excluded != 0) };
        hash = base_hash64(words, sizeof words, hash);
    }
    return hash | 1;
}

static struct match_told *told_at(const struct match_lean *lean, uint64_t start)
{
    const struct match_lean_told *told = cep_match_lean_told(lean);
    for (size_t i = told ? told->list.len : 0; i-- > 0;)
        if (told->list.at[i].start == start)
            return &told->list.at[i];
    return NULL;
}

/* The rows that are read when the match in op->items is told. */
static int unpack_items(struct plan *plan, const struct match_lean_found *found)
{
    const struct match_items *items = &plan->op->items;
    for (uint32_t k = 0; k < 2; k++) /* where their values are, then their texts */
        for (size_t i = 0; i < items->len && plan->op->aside; i++)
            cep_match_log_near(&plan->op->lean->log, plan->view->entries.at[items->at[i].seq - plan->lean->first_seq].ref & ~LEAN_NO_START, k > 0);
    bool good = cep_match_lean_view_row(plan->op, found->start) && cep_match_lean_view_row(plan->op, found->accept);
    for (size_t i = 0; i < items->len && good; i++)
        good = cep_match_lean_view_row(plan->op, (uint32_t)(items->at[i].seq - plan->lean->first_seq));
    return good ? 0 : BASE_E_NOMEM;
}

static int tell_one(struct plan *plan, struct cep_key *key, const struct match_lean_found *found)
{
    struct match_op *op = plan->op;
    const struct match_lean_view *view = plan->view;
    uint64_t first = plan->lean->first_seq, start = first + found->start, accept = first + found->accept;
    struct match_cand cand = { .start = start, .end = accept, .accept_seq = accept, .not_before_ms = INT64_MIN, .number = 1, .kind = MATCH_FOUND,
                               .step = MATCH_STEP_ROW, .resolved = 1 };
    struct match_lean_told *tolds = told_of(op, plan->lean);
    if (!tolds)
        return BASE_E_NOMEM;
    if (found->items) {
        if (!BASE_VEC_RESERVE(&op->items, found->items))
            return BASE_E_NOMEM;
        op->items.len = found->items;
        memcpy(op->items.at, view->items.at + found->first_item, found->items * sizeof *op->items.at);
    }
    bool one = op->m->rows == CEP_ROWS_ONE, done;
    struct match_told *told = plan->redo && one ? told_at(plan->lean, start) : NULL;
    const struct match_lean_name name = { &key->tuple, told, op->items.at, op->items.len, first, found->start, found->accept };
    int rc = cep_match_lean_name(op, &tolds->list, &name, &done);
    if (rc || done)
        return rc;
    if (told && told->named)
        rc = cep_match_lean_make_told(op, &tolds->list);
    if (!rc)
        rc = unpack_items(plan, found);
    if (rc)
        return rc;
    uint64_t path = one ? path_of(plan) : 0;
    if (told && told->path == path) { /* as above */
        told->accept_seq = accept;
        return 0;
    }
    if (told)
        told->standing = 0;
    op->view = (const struct cep_row *const *)view->rows.at;
    op->view_first = first;
    rc = cep_match_key_tell_view(op, key, &tolds->list, &cand);
    op->view = NULL;
    told = one && !rc ? told_at(plan->lean, start) : NULL;
    if (!told)
        return rc;
    told->path = path;
    if (told->standing || told->gone)
        return 0;
    told->gone = 1; /* what it is now ends in an error: what was told is no longer so */
    return cep_match_key_end(op, key, told, CEP_DELETE, false);
}

static int tell(struct plan *plan, struct cep_key *key)
{
    const struct match_lean_view *view = plan->view;
    int rc = 0;
    for (size_t i = 0; i < view->found.len && !rc; i++)
        if (!view->found.at[i].same)
            rc = tell_one(plan, key, &view->found.at[i]);
    return rc;
}

/* A row was put in at this offset. */
static void renumber_told(struct match_lean *lean, uint32_t at)
{
    uint64_t seq = lean->first_seq + at;
    struct match_lean_told *tolds = cep_match_lean_told(lean);
    for (size_t i = 0; tolds && i < tolds->list.len; i++) {
        struct match_told *told = &tolds->list.at[i];
        told->start += told->start >= seq;
        told->accept_seq += told->accept_seq >= seq;
    }
}

/* The key becomes what the plan says. */
static int take(struct plan *plan)
{
    struct match_lean *lean = plan->lean;
    uint32_t ref = 0;
    int rc = cep_match_lean_reserve(lean, lean->count + 1);
    if (!rc && plan->row)
        rc = cep_match_log_put(&plan->op->lean->log, plan->row, &ref);
    if (rc) {
        plan->full = rc == BASE_E_LIMIT;
        return plan->full ? 0 : rc;
    }
    rc = cep_match_lean_set_classes(lean, plan->classes, plan->class_count);
    if (rc) {
        if (plan->row)
            cep_match_log_drop(&plan->op->lean->log, ref);
        return rc;
    }
    plan->view->entries.at[plan->at].ref |= ref;
    uint32_t sight = plan->view->epoch == plan->op->steps->epoch ? plan->view->sights.at[plan->at] : 0;
    cep_match_lean_insert(plan->op, lean, plan->at, plan->view->entries.at[plan->at], sight);
    memcpy(cep_match_lean_entries(lean), plan->view->entries.at, lean->count * sizeof(struct match_lean_entry)); /* with their marks */
    renumber_told(lean, plan->at);
    if (!plan->op->lean->each)
        cep_match_lean_forget_snap(lean); /* its classes may hold starts that are covered now */
    return 0;
}

bool cep_match_lean_told_behind(const struct match_lean *lean, uint32_t at)
{
    bool any = false;
    const struct match_lean_told *told = cep_match_lean_told(lean);
    for (size_t i = 0; told && i < told->list.len; i++)
        any |= told->list.at[i].accept_seq >= lean->first_seq + at;
    return any;
}

/* The first row to go through, with the classes as they are before it. */
static uint32_t begin(struct plan *plan)
{
    struct match_lean *lean = plan->lean;
    struct match_lean_op *lean_op = plan->op->lean;
    uint32_t from = 0;
    if (plan->at == lean->count) {
        from = plan->at;
        plan->class_count = lean->class_count;
        memcpy(plan->classes, cep_match_lean_classes(lean), plan->class_count * sizeof *plan->classes);
    } else if (!plan->redo && lean_op->stop != LEAN_NO_STOP) {
        from = lean_op->stop;
        plan->class_count = lean_op->stop_count;
        memcpy(plan->classes, lean_op->stop_classes, plan->class_count * sizeof *plan->classes);
    } else if (lean_op->each) {
        from = cep_match_lean_fold_from(lean, plan->at, plan->classes, &plan->class_count);
    }
    return from;
}

/* row NULL: it is kept already. */
static int complete(struct match_op *op, struct cep_key *key, const struct cep_row *row, const struct match_lean_late *late, uint32_t at, bool *ret_full)
{
    struct plan plan;
    plan.op = op;
    plan.lean = key->state;
    plan.view = &op->lean->view;
    plan.row = row;
    plan.late = *late;
    plan.at = at;
    plan.redo = plan.full = false;
    plan.class_count = 0;
    plan.view->found.len = plan.view->items.len = 0;
    *ret_full = true;
    if (!op->lean->tells || plan.lean->count > LEAN_REFOLD_MOST)
        return 0;
    int rc = look_at_rows(&plan);
    if (rc)
        return rc;
    rc = go_through(&plan, begin(&plan));
    if (!rc && !plan.full)
        rc = explain_all(&plan);
    if (!rc && !plan.full)
        rc = take(&plan);
    *ret_full = plan.full;
    return rc || plan.full ? rc : tell(&plan, key);
}

int cep_match_lean_complete(struct match_op *op, struct cep_key *key, const struct cep_row *row, uint32_t at, bool *ret_full)
{
    const struct match_lean *lean = key->state;
    const struct match_lean_late late = { { 0, (uint32_t)(row->time_ms - lean->base_ms) }, 0 };
    return complete(op, key, row, &late, at, ret_full);
}

int cep_match_lean_complete_entry(struct match_op *op, struct cep_key *key, const struct match_lean_late *late, uint32_t at, bool *ret_full)
{
    return complete(op, key, NULL, late, at, ret_full);
}
