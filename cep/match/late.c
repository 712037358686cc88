/* A late row of a lean key: put in at its place, and the rows are gone through again. What they look like is kept with them, so that hardly any row is touched: a
 * look-up for each class and row. Called by lean.c. */
#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/lean.h"

static struct match_lean_class *classes_of(struct match_lean_snap *snap, uint32_t k) { return snap->classes + (size_t)k * snap->cap; }

/* The offset of the row that it stands before, below 0 or beyond all rows: it is of no use any more. */
static int32_t offset_of(const struct match_lean *lean, const struct match_lean_snap *snap, uint32_t k)
{
    return snap->at[k].count == LEAN_SNAP_VOID ? -1 : (int32_t)(snap->at[k].seq - (uint32_t)lean->first_seq);
}

uint32_t cep_match_lean_fold_from(const struct match_lean *lean, uint32_t at, struct match_lean_class *classes, uint32_t *ret_count)
{
    struct match_lean_snap *snap = cep_match_lean_snap(lean);
    int32_t from = -1;
    uint32_t best = 0;
    for (uint32_t k = 0; snap && k < LEAN_SNAPS; k++) {
        int32_t offset = offset_of(lean, snap, k);
        if (offset <= from || (uint32_t)offset > at)
            continue;
        from = offset;
        best = k;
    }
    *ret_count = 0;
    if (from < 0)
        return 0;
    *ret_count = snap->at[best].count;
    memcpy(classes, classes_of(snap, best), *ret_count * sizeof *classes);
    return (uint32_t)from;
}

static void put_snap(struct match_lean *lean, struct match_lean_snap *snap, uint32_t k, uint32_t i, const struct match_lean_class *classes, uint32_t count)
{
    snap->at[k].seq = (uint32_t)lean->first_seq + i;
    snap->at[k].count = count;
    memcpy(classes_of(snap, k), classes, count * sizeof *classes);
}

/* Is what stands there settled by now, and more of use than at[0]? */
static bool has_settled(const struct match_op *op, struct match_lean *lean, const struct match_lean_snap *snap, uint32_t k)
{
    int32_t offset = offset_of(lean, snap, k);
    if (offset < 0 || (uint32_t)offset > lean->count || offset <= offset_of(lean, snap, 0))
        return false;
    return offset == 0 || cep_match_lean_ms(lean, (uint32_t)offset - 1) <= op->op.watermark_ms;
}

/* Classes as they are before row i into the one whose turn it is. */
static void keep_recent(const struct match_op *op, struct match_lean *lean, struct match_lean_snap *snap, uint32_t i, const struct match_lean_class *classes, uint32_t count)
{
    uint32_t k = snap->turn;
    if (has_settled(op, lean, snap, k)) {
        snap->at[0] = snap->at[k];
        memcpy(snap->classes, classes_of(snap, k), snap->at[k].count * sizeof *classes);
    }
    snap->turn = k % (LEAN_SNAPS - 1) + 1;
    put_snap(lean, snap, k, i, classes, count);
}

void cep_match_lean_note_snap(const struct match_op *op, struct match_lean *lean, struct match_lean_snap *snap)
{
    if (lean->class_count <= snap->cap)
        keep_recent(op, lean, snap, lean->count, cep_match_lean_classes(lean), lean->class_count);
}

/* One with room for so many classes; what was kept is forgotten if there is too little. NULL: no memory; then none are kept, and it takes longer. */
static struct match_lean_snap *snap_for(struct match_lean *lean, uint32_t count)
{
    struct match_lean_snap *snap = cep_match_lean_snap(lean);
    if (snap && count <= snap->cap)
        return snap;
    uint32_t cap = count > 2 * LEAN_SNAP_CLASSES ? LEAN_CLASSES_MOST : count > LEAN_SNAP_CLASSES ? 2 * LEAN_SNAP_CLASSES : LEAN_SNAP_CLASSES;
    cep_match_lean_forget_snap(lean);
    snap = base_alloc(sizeof *snap + (size_t)LEAN_SNAPS * cap * sizeof snap->classes[0]);
    lean->body->snap = snap;
    if (!snap)
        return NULL;
    *snap = (struct match_lean_snap){ .cap = cap, .turn = 1 };
    for (uint32_t k = 0; k < LEAN_SNAPS; k++)
        snap->at[k].count = LEAN_SNAP_VOID;
    return snap;
}

void cep_match_lean_void_snaps(struct match_lean *lean, uint32_t at)
{
    struct match_lean_snap *snap = cep_match_lean_snap(lean);
    for (uint32_t k = 0; snap && k < LEAN_SNAPS; k++)
        if (offset_of(lean, snap, k) > (int32_t)at)
            snap->at[k].count = LEAN_SNAP_VOID;
}

/* The ith row, of which not everything is remembered. */
static int fold_row(struct match_op *op, struct match_lean *lean, uint32_t i, struct match_lean_class *classes, uint32_t *count, bool *ret_full)
{
    const struct match_lean_entry entry = cep_match_lean_entries(lean)[i];
    struct match_lean_class own = { 0, (uint32_t)lean->first_seq + i, entry.at };
    cep_match_lean_expire(op, lean, classes, count, lean->base_ms + entry.at);
    const struct cep_row *row = cep_match_lean_log_row(op, lean, entry);
    if (!row)
        return BASE_E_NOMEM;
    int rc = cep_match_lean_step(op, classes, *count, row, entry.ref & LEAN_NO_START ? NULL : &own, ret_full);
    cep_match_lean_renew_sights(op, lean);
    cep_match_lean_sights(lean)[i] = cep_match_lean_sight(op, op->steps->row_sight);
    if (rc || *ret_full)
        return rc;
    *count = op->lean->next_count;
    memcpy(classes, op->lean->next, *count * sizeof *classes);
    return 0;
}

/* Classes before row i, which are kept at two places: before the first row that is not settled, and before the late one. */
static void keep_snaps(struct match_op *op, struct match_lean *lean, uint32_t from, uint32_t i, bool settled, const struct match_lean_class *classes, uint32_t count)
{
    if (i - from < LEAN_SNAP_LEAST)
        return;
    struct match_lean_snap *snap = snap_for(lean, count);
    if (snap && settled)
        put_snap(lean, snap, 0, i, classes, count);
    else if (snap)
        keep_recent(op, lean, snap, i, classes, count);
}

/* A row that changes no class but for its start: true, and it is done. */
static inline bool stays(const struct match_op *op, struct match_lean_class *classes, uint32_t count, uint32_t sight, struct match_lean_entry entry)
{
    uint32_t within = op->within_ms ? (uint32_t)op->within_ms : LEAN_TIMES_MOST * 2, own = MATCH_CONFIG_DEAD;
    if (!(entry.ref & LEAN_NO_START) && !cep_match_config_start_known(op->steps, sight, &own))
        return false;
    uint32_t joins = cep_match_lean_stays(op->steps, classes, count, sight, own, entry.at, within);
    if (joins < count)
        classes[joins].youngest = entry.at;
    return joins != CEP_NONE;
}

static int refold(struct match_op *op, struct match_lean *lean, uint32_t at, bool *ret_full)
{
    struct match_lean_class lists[2][LEAN_CLASSES_MOST], *classes = lists[0], *next = lists[1];
    uint32_t count, next_count, from = cep_match_lean_fold_from(lean, at, classes, &count);
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    const uint16_t *sights = cep_match_lean_sights(lean);
    bool settled = lean->count - from > LEAN_SNAP_LEAST; /* so far, if it is asked */
    int rc = 0;
    *ret_full = lean->count - from > LEAN_REFOLD_MOST;
    for (uint32_t i = from; i < lean->count && !rc && !*ret_full; i++) {
        if (settled && lean->base_ms + entries[i].at > op->op.watermark_ms) { /* the first that is not settled */
            keep_snaps(op, lean, from, i, true, classes, count);
            settled = false;
        } else if (i == at) {
            keep_snaps(op, lean, from, i, false, classes, count);
        }
        bool fresh = lean->epoch == op->steps->epoch && sights[i];
        if (fresh && stays(op, classes, count, sights[i], entries[i]))
            continue;
        struct match_lean_class own = { 0, (uint32_t)lean->first_seq + i, entries[i].at };
        if (fresh && cep_match_lean_known(op, classes, count, sights[i], own, !(entries[i].ref & LEAN_NO_START), next, &next_count)) {
            struct match_lean_class *was = classes;
            classes = next;
            next = was;
            count = next_count;
        } else {
            rc = fold_row(op, lean, i, classes, &count, ret_full);
        }
        if (*ret_full) { /* a match, as a rule: it goes on from here */
            op->lean->stop = i;
            op->lean->stop_count = count;
            memcpy(op->lean->stop_classes, classes, count * sizeof *classes);
        }
    }
    return rc || *ret_full ? rc : cep_match_lean_set_classes(lean, classes, count);
}

static void take_out(struct match_lean *lean, uint32_t at)
{
    struct match_lean_entry *entries = cep_match_lean_entries(lean);
    uint16_t *sights = cep_match_lean_sights(lean);
    lean->count--;
    memmove(entries + at, entries + at + 1, (lean->count - at) * sizeof *entries);
    memmove(sights + at, sights + at + 1, (lean->count - at) * sizeof *sights);
}

int cep_match_lean_late_entry(struct match_op *op, struct match_lean *lean, uint32_t at, const struct match_lean_late *late, bool *ret_full)
{
    op->lean->stop = LEAN_NO_STOP;
    int rc = cep_match_lean_reserve(lean, lean->count + 1);
    if (rc)
        return rc;
    cep_match_lean_insert(op, lean, at, late->entry, late->sight);
    rc = refold(op, lean, at, ret_full);
    if (rc || *ret_full)
        take_out(lean, at);
    return rc;
}

int cep_match_lean_late(struct match_op *op, struct match_lean *lean, uint32_t at, const struct cep_row *row, bool *ret_full)
{
    uint32_t ref;
    int rc = cep_match_config_row(op->steps, op, row);
    if (!rc)
        rc = cep_match_log_put(&op->lean->log, row, &ref);
    if (rc) {
        *ret_full = rc == BASE_E_LIMIT;
        return *ret_full ? 0 : rc;
    }
    const struct match_lean_late late = { { ref, (uint32_t)(row->time_ms - lean->base_ms) }, op->steps->row_sight };
    rc = cep_match_lean_late_entry(op, lean, at, &late, ret_full);
    if (rc || *ret_full)
        cep_match_log_drop(&op->lean->log, ref);
    return rc;
}
