/* The usual row of a lean key: nothing but comparing times, looking up remembered steps, keeping the row. */
#include "base/error.h"
#include "base/time.h"
#include "cep/operators/match_lean.h"

/* Is the row the last in order, far from all limits? Drops what has settled first. */
static inline bool is_usual(struct match_op *op, struct cep_key *key, struct match_lean *lean, const struct cep_row *row)
{
    const struct cep_limits *limits = cep_flow_limits(op->op.flow);
    int64_t watermark = op->op.watermark_ms;
    if (lean->count == 0) { /* without rows there is no start */
        lean->base_ms = row->time_ms;
        lean->class_count = 0;
        return !lean->snap;
    }
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    int64_t base_ms = lean->base_ms, last_ms = base_ms + entries[lean->count - 1].at;
    if (row->time_ms <= last_ms || row->time_ms - base_ms >= (int64_t)LEAN_TIMES_MOST || lean->count >= limits->rows_per_key || lean->count >= limits->tail_rows)
        return false;
    if ((op->within_ms && base_ms + entries[0].at + op->within_ms - 1 <= watermark) || (last_ms <= watermark && lean->counted_starts < lean->count)) {
        cep_match_lean_drop_settled(op, lean);
        cep_match_lean_count(op, lean, false);
        cep_keyed_account(&op->op.keyed, key, cep_match_lean_bytes(op, lean));
    }
    return true;
}

/* The classes of a key that has one at most, behind a row: none, one or two. */
static inline void set_one(struct match_lean *lean, uint32_t to, struct match_lean_class own)
{
    struct match_lean_class *classes = lean->classes.few;
    lean->class_count = (to || own.config) + (to && own.config && to != own.config);
    if (to && to != own.config) {
        classes[0].config = to;
        classes[1] = own;
    } else if (to) {
        classes[0].config = to;
        classes[0].youngest = own.youngest;
    } else {
        classes[0] = own;
    }
}

/* The whole of it for such a key where nothing has to grow. *ret_done false: not all of it is remembered, or something else is to be done about it. */
static inline int row_of_one(struct match_op *op, struct cep_key *key, struct match_lean *lean, const struct cep_row *row, uint32_t sight, bool *ret_done)
{
    const struct match_configs *configs = op->steps;
    const struct match_lean_class *class = lean->classes.few;
    uint32_t seq = (uint32_t)lean->first_seq + lean->count, within = op->within_ms ? (uint32_t)op->within_ms : LEAN_TIMES_MOST * 2, to = MATCH_CONFIG_DEAD, ref;
    struct match_lean_class own = { 0, seq, (uint32_t)(row->time_ms - lean->base_ms) };
    if (!cep_match_config_start_known(configs, sight, &own.config) || cep_match_config_leaves(own.config))
        return 0;
    if (lean->class_count && class->youngest + within > own.youngest && (!cep_match_config_known(configs, class->config, sight, &to) || cep_match_config_leaves(to)))
        return 0;
    int rc = cep_match_log_put(&op->lean->log, row, &ref);
    if (rc)
        return rc == BASE_E_LIMIT ? 0 : rc;
    *ret_done = true;
    int32_t first = to ? (int32_t)(class->earliest - (uint32_t)lean->first_seq) : (int32_t)lean->count + !own.config;
    set_one(lean, to, own);
    cep_match_lean_renew_sights(op, lean);
    struct match_lean_entry *entries = lean->rows.few.entries;
    uint16_t *sights = lean->rows.few.sights;
    if (lean->cap) {
        entries = lean->rows.many;
        sights = (uint16_t *)(void *)(entries + lean->cap);
    }
    entries[lean->count] = (struct match_lean_entry){ ref, own.youngest };
    sights[lean->count] = cep_match_lean_sight(op, sight);
    lean->dirty = (int32_t)(lean->dirty - seq) > 0 ? seq : lean->dirty;
    lean->count++;
    op->rows_in++;
    op->rows_kept++;
    lean->counted_rows++;
    uint32_t starts = lean->count - (first < 0 ? 0 : (uint32_t)first);
    op->starts += (uint64_t)starts - lean->counted_starts;
    lean->counted_starts = starts;
    cep_keyed_account_more(&op->op.keyed, key, op->lean->row_bytes);
    int64_t deadline = own.config && op->within_ms ? row->time_ms + op->within_ms - 1 : cep_match_lean_deadline(op, lean);
    return deadline < key->armed_ms ? cep_keyed_arm(&op->op.keyed, key, deadline) : 0;
}

/* The row behind the last one, and the classes behind it: op->lean->next. *ret_done false: there is no room in the log. */
static inline int keep(struct match_op *op, struct match_lean *lean, const struct cep_row *row, uint32_t at, uint32_t sight, bool *ret_done)
{
    struct match_lean_op *lean_op = op->lean;
    uint32_t ref, count = lean_op->next_count;
    int rc = lean->count < (lean->cap ? lean->cap : LEAN_ENTRIES) ? 0 : cep_match_lean_reserve(lean, lean->count + 1);
    if (!rc)
        rc = cep_match_log_put(&lean_op->log, row, &ref);
    if (rc) {
        *ret_done = false;
        return rc == BASE_E_LIMIT ? 0 : rc;
    }
    if (BASE_LIKELY(!lean->class_cap && count <= LEAN_CLASSES)) {
        memcpy(lean->classes.few, lean_op->next, sizeof lean->classes.few); /* all of them: a fixed size */
        lean->class_count = (uint8_t)count;
    } else {
        rc = cep_match_lean_set_classes(lean, lean_op->next, count);
        if (rc) {
            cep_match_log_drop(&lean_op->log, ref);
            return rc;
        }
    }
    cep_match_lean_renew_sights(op, lean);
    uint32_t seq = (uint32_t)lean->first_seq + lean->count;
    cep_match_lean_sights(lean)[lean->count] = cep_match_lean_sight(op, sight);
    cep_match_lean_entries(lean)[lean->count++] = (struct match_lean_entry){ ref, at };
    if ((int32_t)(lean->dirty - seq) > 0)
        lean->dirty = seq;
    return 0;
}

/* *ret_done false: the row is not usual. */
static inline int usual_row(struct match_op *op, struct match_lean *lean, const struct cep_row *row, uint32_t sight, bool *ret_done)
{
    struct match_lean_op *lean_op = op->lean;
    struct match_lean_class own = { 0, (uint32_t)lean->first_seq + lean->count, (uint32_t)(row->time_ms - lean->base_ms) };
    if (!cep_match_lean_known(op, cep_match_lean_classes(lean), lean->class_count, sight, own, true, lean_op->next, &lean_op->next_count))
        return 0;
    *ret_done = true;
    return keep(op, lean, row, own.youngest, sight, ret_done);
}

/* All but the simplest. */
static int other_row(struct match_op *op, struct cep_key *key, const struct cep_row *row, bool usual, uint32_t sight, bool *ret_done)
{
    struct match_lean *lean = key->state;
    uint32_t at;
    bool full = false;
    int rc = 0;
    if (usual && !sight) {
        rc = cep_match_config_row(op->steps, op, row);
        sight = op->steps->row_sight;
    }
    if (!rc && usual && sight)
        rc = usual_row(op, lean, row, sight, ret_done);
    if (!rc && !*ret_done) {
        rc = cep_match_lean_take(op, lean, row, &at, &full);
        *ret_done = !rc && !full;
    }
    if (rc || !*ret_done)
        return rc;
    op->rows_in++;
    cep_match_lean_count(op, lean, false);
    cep_keyed_account(&op->op.keyed, key, cep_match_lean_bytes(op, lean));
    return cep_keyed_arm(&op->op.keyed, key, cep_match_lean_deadline(op, lean));
}

int cep_match_lean_quick(struct match_op *op, struct cep_key *key, const struct cep_row *row, bool *ret_done)
{
    *ret_done = false;
    if (!key->state)
        cep_match_lean_begin(key);
    else if (!cep_match_is_lean(op, key))
        return 0;
    struct match_lean *lean = key->state;
    if (lean->told || row->change != CEP_INSERT || row->time_ms <= op->op.watermark_ms) /* what was told may be settled now */
        return 0;
    bool usual = is_usual(op, key, lean, row);
    uint32_t sight = usual ? cep_match_config_glance(op->steps, row) : 0;
    if (sight && lean->class_count <= 1 && !lean->class_cap && lean->count < (lean->cap ? lean->cap : LEAN_ENTRIES)) {
        int rc = row_of_one(op, key, lean, row, sight, ret_done);
        if (rc || *ret_done)
            return rc;
    }
    return other_row(op, key, row, usual, sight, ret_done);
}
