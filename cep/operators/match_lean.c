#include "cep/operators/match_lean.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operators/match_class.h"

/* ---- which operators ---- */

int cep_match_lean_init(struct match_op *op)
{
    const struct cep_match *m = op->m;
    bool possible = op->steps && m->eager && !m->batch_sort && !m->timeout_rows && !m->hold_ms && m->rows != CEP_ROWS_ALL_UNMATCHED && !op->needs_history &&
                    !op->empty_plain && op->within_ms < LEAN_TIMES_MOST;
    if (!possible)
        return 0;
    op->lean = base_calloc(1, sizeof *op->lean);
    if (op->lean)
        cep_match_lean_tells_init(op);
    return op->lean ? 0 : BASE_E_NOMEM;
}

void cep_match_lean_finish(struct match_op *op)
{
    if (!op->lean)
        return;
    cep_match_log_finish(&op->lean->log);
    cep_match_lean_view_finish(op->lean);
    base_free(op->lean);
    op->lean = NULL;
}

/* ---- entries and classes ---- */

int cep_match_lean_reserve(struct match_lean *lean, uint32_t need)
{
    uint32_t have = lean->cap ? lean->cap : LEAN_ENTRIES;
    if (need <= have)
        return 0;
    uint32_t cap = have + have / 2 > need ? have + have / 2 : need;
    struct match_lean_entry *at = base_alloc(cap * sizeof *at);
    if (!at)
        return BASE_E_NOMEM;
    memcpy(at, cep_match_lean_entries(lean), lean->count * sizeof *at);
    if (lean->cap)
        base_free(lean->rows.many);
    lean->rows.many = at;
    lean->cap = cap;
    return 0;
}

int cep_match_lean_set_classes(struct match_lean *lean, const struct match_lean_class *classes, uint32_t count)
{
    uint32_t have = lean->class_cap ? lean->class_cap : LEAN_CLASSES;
    if (count > have) {
        struct match_lean_class *at = base_alloc(LEAN_CLASSES_MOST * sizeof *at);
        if (!at)
            return BASE_E_NOMEM;
        lean->classes.many = at;
        lean->class_cap = LEAN_CLASSES_MOST;
    } else if (count == 0 && lean->class_cap) {
        base_free(lean->classes.many);
        lean->class_cap = 0;
    }
    if (count)
        memcpy(cep_match_lean_classes(lean), classes, count * sizeof *classes);
    lean->class_count = (uint16_t)count;
    return 0;
}

static int64_t entry_ms(struct match_lean *lean, uint32_t i) { return lean->base_ms + cep_match_lean_entries(lean)[i].at; }

/* Offset of the earliest row that a live start stands at; count: there is none. */
uint32_t cep_match_lean_earliest(struct match_lean *lean)
{
    const struct match_lean_class *classes = cep_match_lean_classes(lean);
    uint32_t least = lean->count;
    for (uint32_t i = 0; i < lean->class_count; i++) {
        int32_t at = (int32_t)(classes[i].earliest - (uint32_t)lean->first_seq);
        uint32_t from = at < 0 ? 0 : (uint32_t)at; /* its class has lost its earliest ones */
        least = from < least ? from : least;
    }
    return least;
}

static void tell_expired(struct match_op *op, struct match_lean *lean, uint32_t i)
{
    const struct match_lean_class *classes = cep_match_lean_classes(lean);
    const struct match_lean_entry *entry = &cep_match_lean_entries(lean)[i];
    uint32_t seq = (uint32_t)lean->first_seq + i;
    for (uint32_t k = 0; k < lean->class_count && !(entry->ref & LEAN_NO_START); k++) {
        if ((int32_t)(seq - classes[k].earliest) >= 0 && entry->at <= classes[k].youngest) {
            cep_flow_report(op->op.flow, CEP_REPORT_TIMED_OUT, op->op.node, 0, CEP_NONE, NULL);
            return;
        }
    }
}

static void drop_front(struct match_op *op, struct match_lean *lean, uint32_t n)
{
    struct match_lean_entry *entries = cep_match_lean_entries(lean);
    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        cep_match_log_drop(&op->lean->log, entries[i].ref & ~LEAN_NO_START);
    lean->count -= n;
    lean->first_seq += n;
    if ((int32_t)(lean->dirty - (uint32_t)lean->first_seq) < 0)
        lean->dirty = (uint32_t)lean->first_seq;
    memmove(entries, entries + n, lean->count * sizeof *entries);
    if (lean->cap && lean->count <= LEAN_ENTRIES) {
        struct match_lean_entry few[LEAN_ENTRIES];
        memcpy(few, entries, lean->count * sizeof *few);
        base_free(entries);
        memcpy(lean->rows.few, few, lean->count * sizeof *few);
        lean->cap = 0;
    }
}

/* Classes whose youngest start has run out of time before time_ms. */
static void expire_classes(const struct match_op *op, const struct match_lean *lean, struct match_lean_class *classes, uint32_t *count, int64_t time_ms)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (!op->within_ms || lean->base_ms + classes[i].youngest + op->within_ms > time_ms)
            classes[kept++] = classes[i];
    *count = kept;
}

/* Rows that no row still to come can need: all starts at or before them are out of time even for the earliest row that may come, or, when all rows are settled,
 * no live start stands at or before them. */
void cep_match_lean_drop_settled(struct match_op *op, struct match_lean *lean)
{
    int64_t watermark = op->op.watermark_ms;
    if (watermark == BASE_TIME_MIN_MS || lean->count == 0)
        return;
    bool settled = entry_ms(lean, lean->count - 1) <= watermark;
    uint32_t needed = settled ? cep_match_lean_earliest(lean) : 0, n = needed;
    if (op->within_ms) {
        uint32_t end = lean->count;
        while (n < end) { /* the first that is not out of time */
            uint32_t middle = n + (end - n) / 2;
            bool out = entry_ms(lean, middle) + op->within_ms - 1 <= watermark;
            n = out ? middle + 1 : n;
            end = out ? end : middle;
        }
    }
    if (n == 0 || (lean->count > 32 && n < lean->count / 8))
        return; /* of many, not one by one */
    for (uint32_t i = needed; i < n; i++)
        tell_expired(op, lean, i);
    drop_front(op, lean, n);
}

static uint32_t unsettled(const struct match_op *op, struct match_lean *lean)
{
    uint32_t n = 0;
    while (n < lean->count && entry_ms(lean, lean->count - 1 - n) > op->op.watermark_ms)
        n++;
    return n;
}

/* Moves base_ms up so that the time fits; false: it does not. */
static bool rebase(struct match_lean *lean, int64_t time_ms)
{
    if (lean->count == 0) {
        lean->base_ms = time_ms;
        lean->class_count = 0; /* without rows there is no start */
        base_free(lean->snap);
        lean->snap = NULL;
        return true;
    }
    if (time_ms - lean->base_ms < (int64_t)LEAN_TIMES_MOST && time_ms >= lean->base_ms)
        return true;
    int64_t to = entry_ms(lean, 0) < time_ms ? entry_ms(lean, 0) : time_ms, by = to - lean->base_ms;
    if (time_ms - to >= (int64_t)LEAN_TIMES_MOST || entry_ms(lean, lean->count - 1) - to >= (int64_t)LEAN_TIMES_MOST)
        return false;
    for (uint32_t i = 0; i < lean->count; i++)
        cep_match_lean_entries(lean)[i].at -= (uint32_t)by;
    for (uint32_t i = 0; i < lean->class_count; i++)
        cep_match_lean_classes(lean)[i].youngest -= (uint32_t)by;
    base_free(lean->snap); /* its classes may be older than any row */
    lean->snap = NULL;
    lean->base_ms = to;
    return true;
}

/* ---- a row ---- */

/* Into the class with this configuration, or as one of its own. False: there are too many. */
bool cep_match_lean_join(struct match_lean_op *lean_op, struct match_lean_class class)
{
    for (uint32_t i = 0; i < lean_op->next_count; i++) {
        struct match_lean_class *other = &lean_op->next[i];
        if (other->config != class.config)
            continue;
        other->earliest = (int32_t)(class.earliest - other->earliest) < 0 ? class.earliest : other->earliest;
        other->youngest = class.youngest > other->youngest ? class.youngest : other->youngest;
        return true;
    }
    if (lean_op->next_count == LEAN_CLASSES_MOST)
        return false;
    lean_op->next[lean_op->next_count++] = class;
    return true;
}

/* Steps classes over a row, and the row as a start: op->lean->next. *ret_full: only the full form can tell. */
static int step_row(struct match_op *op, const struct match_lean_class *classes, uint32_t count, const struct cep_row *row,
                    const struct match_lean_class *own, bool *ret_full)
{
    struct match_lean_op *lean_op = op->lean;
    int rc = cep_match_config_row(op->steps, op, row);
    uint32_t to = MATCH_CONFIG_DEAD;
    lean_op->next_count = 0;
    *ret_full = false;
    for (uint32_t i = 0; i < count && !rc && !*ret_full; i++) {
        rc = cep_match_config_next(op->steps, op, classes[i].config, &to);
        *ret_full = !rc && (cep_match_config_leaves(to) || (to && !cep_match_lean_join(lean_op, (struct match_lean_class){ to, classes[i].earliest, classes[i].youngest })));
    }
    if (rc || *ret_full || !own)
        return rc;
    rc = cep_match_config_next(op->steps, op, MATCH_CONFIG_START, &to);
    *ret_full = !rc && (cep_match_config_leaves(to) || (to && !cep_match_lean_join(lean_op, (struct match_lean_class){ to, own->earliest, own->youngest })));
    return rc;
}

/* Where going through the rows again must start, with the classes as they are there. */
static uint32_t fold_from(const struct match_lean *lean, struct match_lean_class *classes, uint32_t *ret_count)
{
    *ret_count = 0;
    int32_t at = lean->snap ? (int32_t)(lean->snap->seq - (uint32_t)lean->first_seq) : -1;
    if (at < 0 || (uint32_t)at > lean->count)
        return 0;
    *ret_count = lean->snap->count;
    memcpy(classes, lean->snap->classes, lean->snap->count * sizeof *classes);
    return (uint32_t)at;
}

/* Keeps the classes as they are before row i. No memory: the next late row takes longer. */
static void keep_snap(struct match_lean *lean, uint32_t i, const struct match_lean_class *classes, uint32_t count)
{
    if (!lean->snap)
        lean->snap = base_alloc(sizeof *lean->snap);
    if (!lean->snap)
        return;
    lean->snap->seq = (uint32_t)lean->first_seq + i;
    lean->snap->count = count;
    memcpy(lean->snap->classes, classes, count * sizeof *classes);
}

/* A late row, put in at its place: it and those behind it, and where there is no snapshot those before it, are gone through again. */
static int refold(struct match_op *op, struct match_lean *lean, bool *ret_full)
{
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    struct match_lean_class classes[LEAN_CLASSES_MOST];
    uint32_t count, from = fold_from(lean, classes, &count);
    int rc = 0;
    *ret_full = lean->count - from > LEAN_REFOLD_MOST;
    for (uint32_t i = from; i < lean->count && !rc && !*ret_full; i++) {
        if (i == from + LEAN_SNAP_LEAST && entry_ms(lean, i - 1) <= op->op.watermark_ms) {
            keep_snap(lean, i, classes, count);
            from = i;
        }
        struct match_lean_class own = { 0, (uint32_t)lean->first_seq + i, entries[i].at };
        expire_classes(op, lean, classes, &count, entry_ms(lean, i));
        const struct cep_row *row = cep_match_log_row(&op->lean->log, entries[i].ref & ~LEAN_NO_START);
        rc = step_row(op, classes, count, row, entries[i].ref & LEAN_NO_START ? NULL : &own, ret_full);
        if (*ret_full) { /* a match, as a rule: it goes on from here */
            op->lean->stop = i;
            op->lean->stop_count = count;
            memcpy(op->lean->stop_classes, classes, count * sizeof *classes);
            break;
        }
        count = op->lean->next_count;
        memcpy(classes, op->lean->next, count * sizeof *classes);
    }
    return rc || *ret_full ? rc : cep_match_lean_set_classes(lean, classes, count);
}

void cep_match_lean_insert(struct match_lean *lean, uint32_t at, struct match_lean_entry entry)
{
    struct match_lean_entry *entries = cep_match_lean_entries(lean);
    memmove(entries + at + 1, entries + at, (lean->count - at) * sizeof *entries);
    entries[at] = entry;
    lean->count++;
    if ((int32_t)(lean->dirty - (uint32_t)(lean->first_seq + at)) > 0)
        lean->dirty = (uint32_t)(lean->first_seq + at);
}

static void remove_entry(struct match_lean *lean, uint32_t at)
{
    struct match_lean_entry *entries = cep_match_lean_entries(lean);
    lean->count--;
    memmove(entries + at, entries + at + 1, (lean->count - at) * sizeof *entries);
}

/* Where the row stands; the time of equal ones is settled by their position. *ret_full: ORDER BY has more to say. */
static uint32_t place_of(struct match_op *op, struct match_lean *lean, const struct cep_row *row, bool *ret_full)
{
    uint32_t at = lean->count;
    *ret_full = false;
    while (at > 0 && entry_ms(lean, at - 1) >= row->time_ms) {
        if (entry_ms(lean, at - 1) == row->time_ms) {
            *ret_full |= op->m->order.count > 0;
            uint32_t ref = cep_match_lean_entries(lean)[at - 1].ref & ~LEAN_NO_START;
            if (cep_position_compare(&cep_match_log_row(&op->lean->log, ref)->at, &row->at) <= 0)
                break;
        }
        at--;
    }
    return at;
}

static int late_row(struct match_op *op, struct match_lean *lean, uint32_t at, const struct cep_row *row, bool *ret_full)
{
    int rc = cep_match_lean_reserve(lean, lean->count + 1);
    uint32_t ref;
    op->lean->stop = LEAN_NO_STOP;
    if (!rc)
        rc = cep_match_log_put(&op->lean->log, row, &ref);
    if (rc) {
        *ret_full = rc == BASE_E_LIMIT;
        return *ret_full ? 0 : rc;
    }
    cep_match_lean_insert(lean, at, (struct match_lean_entry){ ref, (uint32_t)(row->time_ms - lean->base_ms) });
    rc = refold(op, lean, ret_full);
    if (rc || *ret_full) {
        remove_entry(lean, at);
        cep_match_log_drop(&op->lean->log, ref);
    }
    return rc;
}

static int next_row(struct match_op *op, struct match_lean *lean, const struct cep_row *row, bool *ret_full)
{
    uint32_t count = lean->class_count, ref;
    struct match_lean_class own = { 0, (uint32_t)lean->first_seq + lean->count, (uint32_t)(row->time_ms - lean->base_ms) };
    expire_classes(op, lean, cep_match_lean_classes(lean), &count, row->time_ms);
    lean->class_count = (uint16_t)count;
    int rc = step_row(op, cep_match_lean_classes(lean), count, row, &own, ret_full);
    if (rc || *ret_full)
        return rc;
    rc = cep_match_lean_reserve(lean, lean->count + 1);
    if (!rc)
        rc = cep_match_log_put(&op->lean->log, row, &ref);
    if (!rc) {
        rc = cep_match_lean_set_classes(lean, op->lean->next, op->lean->next_count);
        if (rc)
            cep_match_log_drop(&op->lean->log, ref);
    }
    if (rc) {
        *ret_full = rc == BASE_E_LIMIT;
        return *ret_full ? 0 : rc;
    }
    cep_match_lean_insert(lean, lean->count, (struct match_lean_entry){ ref, own.youngest });
    return 0;
}

/* ---- upkeep of the operator ---- */

static int collect(struct match_op *op)
{
    struct match_configs *configs = op->steps;
    int rc = cep_match_configs_unmark(configs);
    uint64_t at = 0;
    for (struct cep_key *key; !rc && (key = cep_keyed_each(&op->op.keyed, &at)) != NULL;) {
        if (!key->state || !cep_match_is_lean(op, key))
            continue;
        struct match_lean *lean = key->state;
        for (uint32_t i = 0; i < lean->class_count; i++)
            cep_match_config_mark(configs, cep_match_lean_classes(lean)[i].config);
        for (uint32_t i = 0; lean->snap && i < lean->snap->count; i++)
            cep_match_config_mark(configs, lean->snap->classes[i].config);
    }
    if (!rc)
        cep_match_configs_sweep(configs);
    return rc;
}

/* A few keys a row: those rows of theirs that stand among dead ones move on, so that the log's memory stays in proportion to what lives. */
static int tidy(struct match_op *op, uint32_t rows)
{
    struct match_log *log = &op->lean->log;
    for (uint32_t turn = 0; turn < 8 * rows && cep_match_log_sparse(log); turn++) {
        struct cep_key *key = cep_keyed_each(&op->op.keyed, &op->lean->hand);
        if (!key) {
            op->lean->hand = 0;
            return 0;
        }
        if (!key->state || !cep_match_is_lean(op, key))
            continue;
        struct match_lean *lean = key->state;
        for (uint32_t i = 0; i < lean->count; i++) {
            struct match_lean_entry *entry = &cep_match_lean_entries(lean)[i];
            uint32_t flag = entry->ref & LEAN_NO_START, ref = entry->ref & ~LEAN_NO_START, moved;
            if (!cep_match_log_lonely(log, ref))
                continue;
            int rc = cep_match_log_put(log, cep_match_log_row(log, ref), &moved);
            if (rc)
                return rc == BASE_E_LIMIT ? 0 : rc;
            cep_match_log_drop(log, ref);
            entry->ref = moved | flag;
        }
    }
    return 0;
}

int cep_match_lean_upkeep(struct match_op *op, uint32_t rows)
{
    int rc = cep_match_configs_crowded(op->steps) ? collect(op) : 0;
    return rc ? rc : tidy(op, rows);
}

/* ---- the operator's functions ---- */

static int full_row(struct match_op *op, struct cep_key *key, const struct cep_event *event)
{
    int rc = cep_match_is_lean(op, key) ? cep_match_lean_inflate(op, key) : 0;
    return rc ? rc : cep_match_key_row(op, key, event);
}

void cep_match_lean_begin(struct cep_key *key)
{
    struct match_lean *lean = cep_key_room(key);
    *lean = (struct match_lean){ .first_seq = 1, .dirty = 1, .bias = 1, .saved_first = 1 };
    key->state = lean;
}

int cep_match_lean_row(struct match_op *op, struct cep_key *key, const struct cep_event *event)
{
    const struct cep_row *row = event->row;
    bool full = false;
    int rc = 0;
    if (row->change != CEP_INSERT || (op->op.watermark_ms != BASE_TIME_MIN_MS && row->time_ms <= op->op.watermark_ms))
        full = true; /* what is changed is looked for there; a late row is refused */
    if (!key->state)
        cep_match_lean_begin(key);
    if (!full && !cep_match_is_lean(op, key))
        rc = cep_match_lean_deflate(op, key);
    if (!rc && cep_match_is_lean(op, key))
        rc = cep_match_lean_settle(op, key);
    if (rc || full || !cep_match_is_lean(op, key))
        return rc ? rc : full_row(op, key, event);
    rc = cep_match_lean_upkeep(op, 1);
    if (rc)
        return rc;
    struct match_lean *lean = key->state;
    cep_match_lean_drop_settled(op, lean);
    const struct cep_limits *limits = cep_flow_limits(op->op.flow);
    if (lean->count >= limits->rows_per_key || (lean->count >= limits->tail_rows && unsettled(op, lean) >= limits->tail_rows) || !rebase(lean, row->time_ms))
        return full_row(op, key, event);
    uint32_t at = place_of(op, lean, row, &full);
    bool asked = !full, again = asked && cep_match_lean_told_behind(lean, at);
    if (asked && !again)
        rc = at < lean->count ? late_row(op, lean, at, row, &full) : next_row(op, lean, row, &full);
    if (!rc && asked && (full || again)) /* a match, or what was told may be another now */
        rc = cep_match_lean_complete(op, key, row, at, &full);
    if (rc)
        return rc;
    if (full)
        return full_row(op, key, event);
    op->rows_in++;
    cep_match_lean_count(op, lean, false);
    return 0;
}

int cep_match_lean_wake(struct match_op *op, struct cep_key *key)
{
    struct match_lean *lean = key->state;
    bool ended = op->op.watermark_ms == BASE_TIME_MAX_MS;
    uint32_t count = lean->class_count;
    int rc = cep_match_lean_settle(op, key);
    if (rc)
        return rc;
    if (ended) {
        for (uint32_t i = 0; i < lean->count && op->within_ms; i++)
            tell_expired(op, lean, i);
        drop_front(op, lean, lean->count);
        count = 0;
    } else {
        bool settled = lean->count && entry_ms(lean, lean->count - 1) <= op->op.watermark_ms;
        cep_match_lean_drop_settled(op, lean);
        if (settled)
            expire_classes(op, lean, cep_match_lean_classes(lean), &count, op->op.watermark_ms + 1);
    }
    lean->class_count = (uint16_t)count;
    rc = count == 0 ? cep_match_lean_set_classes(lean, NULL, 0) : 0;
    cep_match_lean_drop_settled(op, lean);
    cep_match_lean_count(op, lean, false);
    return rc;
}

int64_t cep_match_lean_deadline(const struct match_op *op, const struct match_lean *lean)
{
    struct match_lean *l = (struct match_lean *)(uintptr_t)lean;
    if (lean->count == 0)
        return BASE_TIME_MAX_MS;
    int64_t told_ms = lean->told ? cep_match_lean_told_ms(lean) : BASE_TIME_MAX_MS;
    if (lean->class_count == 0)
        return told_ms < BASE_TIME_MAX_MS ? told_ms : entry_ms(l, lean->count - 1);
    if (!op->within_ms)
        return told_ms < BASE_TIME_MAX_MS ? told_ms : BASE_TIME_MAX_MS - 1;
    uint32_t youngest = 0;
    for (uint32_t i = 0; i < lean->class_count; i++) {
        uint32_t at = cep_match_lean_classes(l)[i].youngest;
        youngest = at > youngest ? at : youngest;
    }
    int64_t at_ms = lean->base_ms + youngest + op->within_ms - 1;
    return told_ms < at_ms ? told_ms : at_ms;
}

void cep_match_lean_free(struct match_op *op, struct cep_key *key)
{
    struct match_lean *lean = key->state;
    cep_match_lean_count(op, lean, true);
    cep_match_lean_told_free(op, lean);
    drop_front(op, lean, lean->count);
    if (lean->cap)
        base_free(lean->rows.many);
    if (lean->class_cap)
        base_free(lean->classes.many);
    base_free(lean->snap);
    *lean = (struct match_lean){ 0 };
    key->state = NULL;
}

size_t cep_match_lean_bytes(const struct match_op *op, const struct match_lean *lean)
{
    const struct match_log *log = &op->lean->log;
    uint64_t row = log->rows ? log->bytes / log->rows : 0;
    return lean->cap * sizeof(struct match_lean_entry) + (lean->snap ? sizeof *lean->snap : 0) + lean->class_cap * sizeof(struct match_lean_class) +
           (lean->told ? cep_match_lean_told_bytes(lean) : 0) + lean->count * row;
}

void cep_match_lean_count(struct match_op *op, struct match_lean *lean, bool gone)
{
    uint32_t rows = gone ? 0 : lean->count, starts = gone ? 0 : lean->count - cep_match_lean_earliest(lean);
    op->rows_kept += (uint64_t)rows - lean->counted_rows;
    op->starts += (uint64_t)starts - lean->counted_starts;
    lean->counted_rows = rows;
    lean->counted_starts = starts;
}
