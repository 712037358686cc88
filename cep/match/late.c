/* A late row of a lean key: put in at its place, and the rows are gone through again. What they look like is kept with them, so that hardly any row is touched: a
 * look-up for each class and row. Called by lean.c. */
#include "base/alloc.h"
#include "base/error.h"
#include "cep/match/lean.h"

uint32_t cep_match_lean_fold_from(const struct match_lean *lean, struct match_lean_class *classes, uint32_t *ret_count)
{
    *ret_count = 0;
    const struct match_lean_snap *snap = cep_match_lean_snap(lean);
    int32_t at = snap ? (int32_t)(snap->seq - (uint32_t)lean->first_seq) : -1;
    if (at < 0 || (uint32_t)at > lean->count)
        return 0;
    *ret_count = snap->count;
    memcpy(classes, snap->classes, snap->count * sizeof *classes);
    return (uint32_t)at;
}

void cep_match_lean_keep_snap(struct match_lean *lean, uint32_t i, const struct match_lean_class *classes, uint32_t count)
{
    struct match_lean_snap *snap = lean->rows.body->snap;
    if (!snap || snap->cap < count) {
        uint32_t cap = count > LEAN_SNAP_CLASSES ? LEAN_CLASSES_MOST : LEAN_SNAP_CLASSES;
        base_free(snap);
        lean->rows.body->snap = snap = base_alloc(sizeof *snap + cap * sizeof *classes);
        if (!snap)
            return;
        snap->cap = (uint16_t)cap;
    }
    snap->seq = (uint32_t)lean->first_seq + i;
    snap->count = (uint16_t)count;
    memcpy(snap->classes, classes, count * sizeof *classes);
}

/* The ith row, of which not everything is remembered. */
static int fold_row(struct match_op *op, struct match_lean *lean, uint32_t i, struct match_lean_class *classes, uint32_t *count, bool *ret_full)
{
    const struct match_lean_entry entry = cep_match_lean_entries(lean)[i];
    struct match_lean_class own = { 0, (uint32_t)lean->first_seq + i, entry.at };
    cep_match_lean_expire(op, lean, classes, count, lean->base_ms + entry.at);
    const struct cep_row *row = cep_match_log_row(&op->lean->log, entry.ref & ~LEAN_NO_START);
    int rc = cep_match_lean_step(op, classes, *count, row, entry.ref & LEAN_NO_START ? NULL : &own, ret_full);
    cep_match_lean_renew_sights(op, lean);
    cep_match_lean_sights(lean)[i] = cep_match_lean_sight(op, op->steps->row_sight);
    if (rc || *ret_full)
        return rc;
    *count = op->lean->next_count;
    memcpy(classes, op->lean->next, *count * sizeof *classes);
    return 0;
}

static int refold(struct match_op *op, struct match_lean *lean, bool *ret_full)
{
    struct match_lean_class lists[2][LEAN_CLASSES_MOST], *classes = lists[0], *next = lists[1];
    uint32_t count, next_count, from = cep_match_lean_fold_from(lean, classes, &count);
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    const uint16_t *sights = cep_match_lean_sights(lean);
    bool snap = lean->count - from > LEAN_SNAP_LEAST;
    int rc = 0;
    *ret_full = lean->count - from > LEAN_REFOLD_MOST;
    for (uint32_t i = from; i < lean->count && !rc && !*ret_full; i++) {
        if (snap && lean->base_ms + entries[i].at > op->op.watermark_ms) { /* the first that is not settled */
            if (i - from >= LEAN_SNAP_LEAST)
                cep_match_lean_keep_snap(lean, i, classes, count);
            snap = false;
        }
        struct match_lean_class own = { 0, (uint32_t)lean->first_seq + i, entries[i].at };
        bool fresh = lean->epoch == op->steps->epoch;
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

int cep_match_lean_late(struct match_op *op, struct match_lean *lean, uint32_t at, const struct cep_row *row, bool *ret_full)
{
    int rc = cep_match_lean_reserve(lean, lean->count + 1);
    uint32_t ref;
    op->lean->stop = LEAN_NO_STOP;
    if (!rc)
        rc = cep_match_config_row(op->steps, op, row);
    if (!rc)
        rc = cep_match_log_put(&op->lean->log, row, &ref);
    if (rc) {
        *ret_full = rc == BASE_E_LIMIT;
        return *ret_full ? 0 : rc;
    }
    cep_match_lean_insert(op, lean, at, (struct match_lean_entry){ ref, (uint32_t)(row->time_ms - lean->base_ms) }, op->steps->row_sight);
    rc = refold(op, lean, ret_full);
    if (rc || *ret_full) {
        take_out(lean, at);
        cep_match_log_drop(&op->lean->log, ref);
    }
    return rc;
}
