#include "cep/match/lean.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/match/class.h"

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
    return op->lean ? cep_match_log_init(&op->lean->log, op->types, op->columns) : BASE_E_NOMEM;
}

void cep_match_lean_finish(struct match_op *op)
{
    if (!op->lean)
        return;
    cep_match_log_finish(&op->lean->log);
    base_arena_finish(&op->lean->row_arena);
    cep_match_lean_view_finish(op->lean);
    base_buf_finish(&op->lean->piece);
    base_free(op->lean);
    op->lean = NULL;
}

/* ---- entries and classes ---- */

static size_t body_bytes(uint32_t cap) { return sizeof(struct match_lean_body) + cap * (sizeof(struct match_lean_entry) + sizeof(uint16_t)); }

/* A body with room for so many entries, into which those there are go. */
static int grow_body(struct match_lean *lean, uint32_t cap)
{
    struct match_lean_body *body = base_alloc(body_bytes(cap)), *had = lean->has_body ? lean->body : NULL;
    if (!body)
        return BASE_E_NOMEM;
    *body = had ? *had : (struct match_lean_body){ .dirty = lean->dirty, .bias = 1, .saved_first = 1 };
    body->cap = cap;
    memcpy(body->entries, cep_match_lean_entries(lean), lean->count * sizeof *body->entries);
    memcpy(cep_match_body_sights(body), cep_match_lean_sights(lean), lean->count * sizeof(uint16_t));
    base_free(had);
    lean->body = body;
    lean->has_body = 1;
    return 0;
}

/* Does without a body, if nothing but what fits into the key needs it: true, and the body is no longer the key's. */
static bool leave_body(struct match_lean *lean)
{
    struct match_lean_body *body = lean->body;
    if (body->told || body->bias != 1 || body->saved_first != 1 || lean->class_count > (lean->class_cap ? lean->class_cap : LEAN_CLASSES))
        return false;
    lean->has_body = 0;
    memcpy(lean->few.entries, body->entries, lean->count * sizeof *body->entries);
    memcpy(lean->few.sights, cep_match_body_sights(body), lean->count * sizeof(uint16_t));
    lean->dirty = (uint8_t)(body->dirty < lean->count ? body->dirty : lean->count);
    base_free(body->snap);
    body->snap = NULL;
    return true;
}

static void drop_body(struct match_lean *lean)
{
    struct match_lean_body *body = lean->body;
    if (leave_body(lean))
        base_free(body);
}

void cep_match_lean_lend(struct match_lean *lean, struct match_lean_body *body)
{
    body->dirty = 0;
    body->bias = body->saved_first = 1;
    body->snap = NULL;
    body->told = NULL;
    lean->body = body;
    lean->has_body = 1;
}

int cep_match_lean_hand_back(struct match_lean *lean, struct match_lean_body **ret)
{
    struct match_lean_body *body = lean->body, *own;
    uint32_t cap = lean->count > LEAN_ENTRIES_MANY ? lean->count : LEAN_ENTRIES_MANY;
    *ret = NULL;
    if (lean->count <= LEAN_ENTRIES && leave_body(lean)) {
        *ret = body;
        return 0;
    }
    if (body->cap <= cap)
        return 0; /* it is no larger than the key needs */
    own = base_alloc(body_bytes(cap));
    if (!own)
        return BASE_E_NOMEM;
    *own = *body;
    own->cap = cap;
    memcpy(own->entries, body->entries, lean->count * sizeof *own->entries);
    memcpy(cep_match_body_sights(own), cep_match_body_sights(body), lean->count * sizeof(uint16_t));
    lean->body = own;
    *ret = body;
    return 0;
}

int cep_match_lean_reserve(struct match_lean *lean, uint32_t need)
{
    uint32_t have = cep_match_lean_cap(lean);
    if (need <= have)
        return 0;
    uint32_t cap = have + have / 2 > need ? have + have / 2 : need;
    return grow_body(lean, cap > LEAN_ENTRIES_MANY ? cap : LEAN_ENTRIES_MANY);
}

struct match_lean_body *cep_match_lean_body(struct match_lean *lean)
{
    return lean->has_body || !grow_body(lean, LEAN_ENTRIES_MANY) ? lean->body : NULL;
}

void cep_match_lean_forget_snap(struct match_lean *lean)
{
    if (!lean->has_body)
        return;
    base_free(lean->body->snap);
    lean->body->snap = NULL;
}

int cep_match_lean_number(struct match_lean *lean, uint32_t bias, uint32_t saved_first)
{
    struct match_lean_body *body = cep_match_lean_body(lean);
    if (!body)
        return BASE_E_NOMEM;
    body->bias = bias;
    body->saved_first = saved_first;
    return 0;
}

int cep_match_lean_set_classes(struct match_lean *lean, const struct match_lean_class *classes, uint32_t count)
{
    if (count > LEAN_CLASSES && count <= LEAN_CLASSES_BESIDE && !lean->class_cap && !cep_match_lean_body(lean)) /* such a key will need one anyway */
        return BASE_E_NOMEM;
    uint32_t have = lean->class_cap ? lean->class_cap : LEAN_CLASSES + (lean->has_body ? LEAN_CLASSES_BESIDE - LEAN_CLASSES : 0);
    if (count > have) {
        have = count <= LEAN_CLASSES_SOME ? LEAN_CLASSES_SOME : LEAN_CLASSES_MOST;
        struct match_lean_class *at = base_alloc(have * sizeof *at);
        if (!at)
            return BASE_E_NOMEM;
        if (lean->class_cap)
            base_free(lean->many);
        lean->many = at;
        lean->class_cap = (uint8_t)have;
    } else if (count == 0 && lean->class_cap) {
        base_free(lean->many);
        lean->class_cap = 0;
    }
    if (count)
        memcpy(cep_match_lean_classes(lean), classes, count * sizeof *classes);
    lean->class_count = (uint8_t)count;
    return 0;
}

/* Into the key itself, if they have room there. */
static void pull_classes_in(struct match_lean *lean)
{
    if (lean->class_count > (lean->has_body ? LEAN_CLASSES_BESIDE : LEAN_CLASSES) || !lean->class_cap)
        return;
    struct match_lean_class *many = lean->many;
    memcpy(lean->classes, many, lean->class_count * sizeof *many);
    lean->class_cap = 0;
    base_free(many);
}

static bool is_live(struct match_lean *lean, uint32_t i)
{
    const struct match_lean_class *classes = cep_match_lean_classes(lean);
    const struct match_lean_entry *entry = &cep_match_lean_entries(lean)[i];
    uint32_t seq = (uint32_t)lean->first_seq + i;
    bool live = false;
    for (uint32_t k = 0; k < lean->class_count && !(entry->ref & LEAN_NO_START); k++)
        live = live || ((int32_t)(seq - classes[k].earliest) >= 0 && entry->at <= classes[k].youngest);
    return live;
}

void cep_match_lean_tell_expired(const struct match_op *op, struct match_lean *lean, uint32_t from, uint32_t end)
{
    if (cep_flow_env(op->op.flow)->unheard & 1u << CEP_REPORT_TIMED_OUT)
        return;
    for (uint32_t i = from; i < end; i++)
        if (is_live(lean, i))
            cep_flow_report(op->op.flow, CEP_REPORT_TIMED_OUT, op->op.node, 0, CEP_NONE, NULL);
}

void cep_match_lean_drop_front(struct match_op *op, struct match_lean *lean, uint32_t n, bool keep_room)
{
    struct match_lean_entry *entries = cep_match_lean_entries(lean);
    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        cep_match_log_drop(&op->lean->log, entries[i].ref & ~LEAN_NO_START);
    lean->count -= n;
    lean->first_seq += n;
    if (lean->has_body)
        lean->body->dirty -= lean->body->dirty < n ? lean->body->dirty : n;
    else
        lean->dirty -= lean->dirty < n ? lean->dirty : (uint8_t)n;
    uint16_t *sights = cep_match_lean_sights(lean);
    if (lean->count) {
        memmove(entries, entries + n, lean->count * sizeof *entries);
        memmove(sights, sights + n, lean->count * sizeof *sights);
    }
    if (lean->has_body && lean->count < LEAN_ENTRIES && !keep_room) /* a little later than it could: the next row often needs the room again */
        drop_body(lean);
}

void cep_match_lean_no_starts(const struct match_op *op, struct match_lean *lean, uint8_t *ret_bits)
{
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    const struct match_lean_told *told = cep_match_lean_told(lean);
    memset(ret_bits, 0, (lean->count + 7) / 8);
    for (uint32_t i = 0; i < lean->count; i++)
        ret_bits[i / 8] |= (uint8_t)((entries[i].ref & LEAN_NO_START) != 0) << i % 8;
    for (size_t k = 0; told && !op->lean->each && k < told->list.len; k++)
        for (uint64_t i = told->list.at[k].start - lean->first_seq; i <= told->list.at[k].accept_seq - lean->first_seq; i++)
            ret_bits[i / 8] &= (uint8_t)~(1u << i % 8);
}

void cep_match_lean_expire(const struct match_op *op, const struct match_lean *lean, struct match_lean_class *classes, uint32_t *count, int64_t time_ms)
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
    bool settled = cep_match_lean_ms(lean, lean->count - 1) <= watermark;
    uint32_t needed = settled ? lean->count - cep_match_lean_starts(lean) : 0, n = needed;
    if (op->within_ms) {
        uint32_t end = lean->count;
        while (n < end) { /* the first that is not out of time */
            uint32_t middle = n + (end - n) / 2;
            bool out = cep_match_lean_ms(lean, middle) + op->within_ms - 1 <= watermark;
            n = out ? middle + 1 : n;
            end = out ? end : middle;
        }
    }
    if (n == 0 || (lean->count > LEAN_DROP_SINGLY && n < lean->count / 8))
        return;
    cep_match_lean_tell_expired(op, lean, needed, n);
    cep_match_lean_drop_front(op, lean, n, false);
}

static uint32_t unsettled(const struct match_op *op, struct match_lean *lean)
{
    uint32_t n = 0;
    while (n < lean->count && cep_match_lean_ms(lean, lean->count - 1 - n) > op->op.watermark_ms)
        n++;
    return n;
}

/* Moves base_ms up so that the time fits; false: it does not. */
static bool rebase(struct match_lean *lean, int64_t time_ms)
{
    if (lean->count == 0) {
        lean->base_ms = time_ms;
        lean->class_count = 0; /* without rows there is no start */
        cep_match_lean_forget_snap(lean);
        return true;
    }
    if (time_ms - lean->base_ms < (int64_t)LEAN_TIMES_MOST && time_ms >= lean->base_ms)
        return true;
    int64_t to = cep_match_lean_ms(lean, 0) < time_ms ? cep_match_lean_ms(lean, 0) : time_ms, by = to - lean->base_ms;
    if (lean->first_seq >= LEAN_SEQ_MOST || time_ms - to >= (int64_t)LEAN_TIMES_MOST || cep_match_lean_ms(lean, lean->count - 1) - to >= (int64_t)LEAN_TIMES_MOST)
        return false;
    for (uint32_t i = 0; i < lean->count; i++)
        cep_match_lean_entries(lean)[i].at -= (uint32_t)by;
    struct match_lean_class *classes = cep_match_lean_classes(lean);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lean->class_count; i++)
        if (classes[i].youngest >= by) { /* else its youngest row has left: it is out of time */
            classes[kept] = classes[i];
            classes[kept++].youngest -= (uint32_t)by;
        }
    lean->class_count = (uint8_t)kept;
    cep_match_lean_forget_snap(lean); /* its classes may be older than any row */
    lean->base_ms = to;
    return true;
}

const struct cep_row *cep_match_lean_log_row(struct match_op *op, const struct match_lean *lean, struct match_lean_entry entry)
{
    base_arena_reset(&op->lean->row_arena);
    return cep_match_log_row(&op->lean->log, entry.ref & ~LEAN_NO_START, lean->base_ms + entry.at, &op->lean->row_arena);
}

/* ---- a row ---- */

int cep_match_lean_step(struct match_op *op, const struct match_lean_class *classes, uint32_t count, const struct cep_row *row,
                        const struct match_lean_class *own, bool *ret_full)
{
    struct match_lean_op *lean_op = op->lean;
    int rc = cep_match_config_row(op->steps, op, row);
    uint32_t to = MATCH_CONFIG_DEAD, *n = &lean_op->next_count;
    *n = 0;
    *ret_full = false;
    for (uint32_t i = 0; i < count && !rc && !*ret_full; i++) {
        rc = cep_match_config_next(op->steps, op, classes[i].config, &to);
        *ret_full = !rc && (cep_match_config_leaves(to) || (to && !cep_match_lean_join(lean_op->next, n, (struct match_lean_class){ to, classes[i].earliest, classes[i].youngest })));
    }
    if (rc || *ret_full || !own)
        return rc;
    rc = cep_match_config_next(op->steps, op, MATCH_CONFIG_START, &to);
    *ret_full = !rc && (cep_match_config_leaves(to) || (to && !cep_match_lean_join(lean_op->next, n, (struct match_lean_class){ to, own->earliest, own->youngest })));
    return rc;
}

void cep_match_lean_insert(struct match_op *op, struct match_lean *lean, uint32_t at, struct match_lean_entry entry, uint32_t sight)
{
    cep_match_lean_renew_sights(op, lean);
    struct match_lean_entry *entries = cep_match_lean_entries(lean);
    uint16_t *sights = cep_match_lean_sights(lean);
    memmove(entries + at + 1, entries + at, (lean->count - at) * sizeof *entries);
    memmove(sights + at + 1, sights + at, (lean->count - at) * sizeof *sights);
    entries[at] = entry;
    sights[at] = cep_match_lean_sight(op, sight);
    lean->count++;
    cep_match_lean_changed(lean, at);
    cep_match_lean_void_snaps(lean, at);
}

/* Where the row stands; the time of equal ones is settled by their position. *ret_full: ORDER BY has more to say. */
static uint32_t place_of(struct match_op *op, struct match_lean *lean, const struct cep_row *row, bool *ret_full)
{
    uint32_t at = lean->count;
    *ret_full = false;
    while (at > 0 && cep_match_lean_ms(lean, at - 1) >= row->time_ms) {
        if (cep_match_lean_ms(lean, at - 1) == row->time_ms) {
            *ret_full |= op->m->order.count > 0;
            uint32_t ref = cep_match_lean_entries(lean)[at - 1].ref & ~LEAN_NO_START;
            struct cep_position had = cep_match_log_at(&op->lean->log, ref);
            if (cep_position_compare(&had, &row->at) <= 0)
                break;
        }
        at--;
    }
    return at;
}

static int next_row(struct match_op *op, struct match_lean *lean, const struct cep_row *row, bool *ret_full)
{
    uint32_t count = lean->class_count, ref;
    struct match_lean_class own = { 0, (uint32_t)lean->first_seq + lean->count, (uint32_t)(row->time_ms - lean->base_ms) };
    struct match_lean_class classes[LEAN_CLASSES_MOST]; /* the key's own stay as they are if the row is not taken: a start that is out of time for this one is not so for a late one */
    if (count)
        memcpy(classes, cep_match_lean_classes(lean), count * sizeof *classes);
    cep_match_lean_expire(op, lean, classes, &count, row->time_ms);
    int rc = cep_match_lean_step(op, classes, count, row, &own, ret_full);
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
    cep_match_lean_insert(op, lean, lean->count, (struct match_lean_entry){ ref, own.youngest }, op->steps->row_sight);
    return 0;
}

int cep_match_lean_take(struct match_op *op, struct match_lean *lean, const struct cep_row *row, uint32_t *ret_at, bool *ret_full)
{
    const struct cep_limits *limits = cep_flow_limits(op->op.flow);
    cep_match_lean_drop_settled(op, lean);
    *ret_at = CEP_NONE;
    *ret_full = lean->count >= limits->rows_per_key || (lean->count >= limits->tail_rows && unsettled(op, lean) >= limits->tail_rows) || !rebase(lean, row->time_ms);
    if (*ret_full)
        return 0;
    uint32_t at = place_of(op, lean, row, ret_full);
    if (*ret_full)
        return 0;
    *ret_at = at;
    *ret_full = cep_match_lean_told_behind(lean, at);
    if (*ret_full)
        return 0;
    return at < lean->count ? cep_match_lean_late(op, lean, at, row, ret_full) : next_row(op, lean, row, ret_full);
}

/* ---- upkeep of the operator ---- */

/* As cep_keyed_each, and last the key that is in no table, if there is one. */
static struct cep_key *each_key(const struct match_op *op, uint64_t *at)
{
    struct cep_key *key = *at == UINT64_MAX ? NULL : cep_keyed_each(&op->op.keyed, at);
    if (!key && *at != UINT64_MAX) {
        *at = UINT64_MAX;
        key = op->lean->apart;
    }
    return key;
}

static int collect(struct match_op *op)
{
    struct match_configs *configs = op->steps;
    int rc = cep_match_configs_unmark(configs);
    uint64_t at = 0;
    for (struct cep_key *key; !rc && (key = each_key(op, &at)) != NULL;) {
        if (!key->state || !cep_match_is_lean(op, key))
            continue;
        struct match_lean *lean = key->state;
        for (uint32_t i = 0; i < lean->class_count; i++)
            cep_match_config_mark(configs, cep_match_lean_classes(lean)[i].config);
        const struct match_lean_snap *snap = cep_match_lean_snap(lean);
        for (uint32_t k = 0; snap && k < LEAN_SNAPS; k++)
            for (uint32_t i = 0; snap->at[k].count != LEAN_SNAP_VOID && i < snap->at[k].count; i++)
                cep_match_config_mark(configs, snap->classes[k * snap->cap + i].config);
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
            int rc = cep_match_log_move(log, ref, &moved);
            if (rc)
                return rc == BASE_E_LIMIT ? 0 : rc;
            cep_match_log_drop(log, ref);
            entry->ref = moved | flag;
        }
    }
    return 0;
}

/* Epochs begin anew: what keys keep of earlier ones must not be taken for what is to come. */
static void renew_epochs(struct match_op *op)
{
    uint64_t at = 0;
    for (struct cep_key *key; (key = each_key(op, &at)) != NULL;)
        if (key->state && cep_match_is_lean(op, key))
            ((struct match_lean *)key->state)->epoch = 0;
    op->steps->epoch = 1;
}

int cep_match_lean_upkeep(struct match_op *op, uint32_t rows)
{
    struct match_log *log = &op->lean->log;
    cep_match_log_settle(log);
    op->lean->row_bytes = log->rows ? (uint32_t)((log->bytes / log->rows + CEP_STATE_UNIT - 1) / CEP_STATE_UNIT * CEP_STATE_UNIT) : 0;
    if (op->steps->epoch == MATCH_EPOCH_LAST)
        renew_epochs(op);
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
    *lean = (struct match_lean){ .first_seq = 1 };
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
    uint32_t at, had = cep_match_lean_starts(lean);
    rc = cep_match_lean_take(op, lean, row, &at, &full);
    if (!rc && full && at != CEP_NONE) /* a match, or what was told may be another now */
        rc = cep_match_lean_complete(op, key, row, at, &full);
    op->starts += (uint64_t)cep_match_lean_starts(lean) - had;
    if (rc)
        return rc;
    if (full)
        return full_row(op, key, event);
    op->rows_in++;
    return 0;
}

int cep_match_lean_wake(struct match_op *op, struct cep_key *key)
{
    struct match_lean *lean = key->state;
    bool ended = op->op.watermark_ms == BASE_TIME_MAX_MS;
    uint32_t count = lean->class_count, had = cep_match_lean_starts(lean);
    int rc = cep_match_lean_settle(op, key);
    if (rc)
        return rc;
    if (ended) {
        cep_match_lean_tell_expired(op, lean, 0, op->within_ms ? lean->count : 0);
        cep_match_lean_drop_front(op, lean, lean->count, false);
        count = 0;
    } else {
        bool settled = lean->count && cep_match_lean_ms(lean, lean->count - 1) <= op->op.watermark_ms;
        cep_match_lean_drop_settled(op, lean);
        if (settled)
            cep_match_lean_expire(op, lean, cep_match_lean_classes(lean), &count, op->op.watermark_ms + 1);
    }
    lean->class_count = (uint8_t)count;
    pull_classes_in(lean);
    cep_match_lean_drop_settled(op, lean);
    op->starts += (uint64_t)cep_match_lean_starts(lean) - had;
    return 0;
}

int64_t cep_match_lean_deadline(const struct match_op *op, const struct match_lean *lean)
{
    struct match_lean *l = (struct match_lean *)(uintptr_t)lean;
    if (lean->count == 0)
        return BASE_TIME_MAX_MS;
    int64_t told_ms = cep_match_lean_told_ms(lean);
    if (lean->class_count == 0)
        return told_ms < BASE_TIME_MAX_MS ? told_ms : cep_match_lean_ms(l, lean->count - 1);
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
    op->starts -= cep_match_lean_starts(lean);
    cep_match_lean_told_free(op, lean);
    cep_match_lean_drop_front(op, lean, lean->count, false);
    cep_match_lean_forget_snap(lean);
    if (lean->has_body)
        base_free(lean->body);
    if (lean->class_cap)
        base_free(lean->many);
    *lean = (struct match_lean){ 0 };
    key->state = NULL;
}

size_t cep_match_lean_bytes(const struct match_op *op, const struct match_lean *lean)
{
    const struct match_lean_snap *snap = cep_match_lean_snap(lean);
    return (lean->has_body ? body_bytes(lean->body->cap) : 0) + (snap ? sizeof *snap + (size_t)LEAN_SNAPS * snap->cap * sizeof(struct match_lean_class) : 0) +
           lean->class_cap * sizeof(struct match_lean_class) + (cep_match_lean_told(lean) ? cep_match_lean_told_bytes(lean) : 0) + (size_t)lean->count * op->lean->row_bytes;
}
