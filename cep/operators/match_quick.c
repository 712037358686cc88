/* The usual row of a lean key: nothing but comparing times, looking up remembered steps, keeping the row. */
#include "base/error.h"
#include "base/time.h"
#include "cep/operators/match_lean.h"

static int64_t entry_ms(struct match_lean *lean, uint32_t i) { return lean->base_ms + cep_match_lean_entries(lean)[i].at; }

/* Is the row the last in order, far from all limits? Drops what has settled first. */
static bool is_usual(struct match_op *op, struct match_lean *lean, const struct cep_row *row)
{
    const struct cep_limits *limits = cep_flow_limits(op->op.flow);
    int64_t watermark = op->op.watermark_ms;
    if (row->change != CEP_INSERT || row->time_ms <= watermark)
        return false;
    if (lean->count == 0)
        return !lean->snap;
    int64_t last_ms = entry_ms(lean, lean->count - 1);
    if (row->time_ms <= last_ms || row->time_ms - lean->base_ms >= (int64_t)LEAN_TIMES_MOST || lean->count >= limits->rows_per_key || lean->count >= limits->tail_rows)
        return false;
    if ((op->within_ms && entry_ms(lean, 0) + op->within_ms - 1 <= watermark) || (last_ms <= watermark && cep_match_lean_earliest(lean) > 0))
        cep_match_lean_drop_settled(op, lean);
    return true;
}

/* Steps the classes that are alive, and the row as a start: op->lean->next. False: not all of it is remembered, or something else is to be done about it. */
static bool step(struct match_op *op, struct match_lean *lean, struct match_lean_class own, int64_t time_ms)
{
    struct match_lean_op *lean_op = op->lean;
    const struct match_lean_class *classes = cep_match_lean_classes(lean);
    uint32_t to;
    lean_op->next_count = 0;
    for (uint32_t i = 0; i < lean->class_count; i++) {
        if (op->within_ms && lean->base_ms + classes[i].youngest + op->within_ms <= time_ms)
            continue; /* out of time */
        if (!cep_match_config_known(op->steps, classes[i].config, &to) || cep_match_config_leaves(to))
            return false;
        if (to && !cep_match_lean_join(lean_op, (struct match_lean_class){ to, classes[i].earliest, classes[i].youngest }))
            return false;
    }
    if (!cep_match_config_known(op->steps, MATCH_CONFIG_START, &to) || cep_match_config_leaves(to))
        return false;
    own.config = to;
    return !to || cep_match_lean_join(lean_op, own);
}

static int keep(struct match_op *op, struct match_lean *lean, const struct cep_row *row, uint32_t at, bool *ret_done)
{
    uint32_t ref;
    int rc = cep_match_lean_reserve(lean, lean->count + 1);
    if (!rc)
        rc = cep_match_log_put(&op->lean->log, row, &ref);
    if (rc) {
        *ret_done = false;
        return rc == BASE_E_LIMIT ? 0 : rc;
    }
    rc = cep_match_lean_set_classes(lean, op->lean->next, op->lean->next_count);
    if (rc) {
        cep_match_log_drop(&op->lean->log, ref);
        return rc;
    }
    uint32_t seq = (uint32_t)lean->first_seq + lean->count;
    cep_match_lean_entries(lean)[lean->count++] = (struct match_lean_entry){ ref, at };
    if ((int32_t)(lean->dirty - seq) > 0)
        lean->dirty = seq;
    return 0;
}

int cep_match_lean_quick(struct match_op *op, struct cep_key *key, const struct cep_row *row, bool *ret_done)
{
    *ret_done = false;
    if (!key->state)
        cep_match_lean_begin(key);
    else if (!cep_match_is_lean(op, key))
        return 0;
    struct match_lean *lean = key->state;
    if (lean->told || !is_usual(op, lean, row)) /* what was told may be settled now */
        return 0;
    int rc = cep_match_config_row(op->steps, op, row);
    if (rc)
        return rc;
    if (lean->count == 0) { /* without rows there is no start */
        lean->base_ms = row->time_ms;
        lean->class_count = 0;
    }
    uint32_t at = (uint32_t)(row->time_ms - lean->base_ms);
    if (!step(op, lean, (struct match_lean_class){ 0, (uint32_t)lean->first_seq + lean->count, at }, row->time_ms))
        return 0;
    *ret_done = true;
    rc = keep(op, lean, row, at, ret_done);
    if (rc || !*ret_done)
        return rc;
    op->rows_in++;
    cep_match_lean_count(op, lean, false);
    cep_keyed_account(&op->op.keyed, key, cep_match_lean_bytes(op, lean));
    return cep_keyed_arm(&op->op.keyed, key, cep_match_lean_deadline(op, lean));
}
