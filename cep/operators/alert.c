/* The end of a rule: revisions and suppression. Each derived row of a rule is an alert with an identity; the operator counts its revisions and, with `suppress`,
 * holds back alerts of the same key that come too soon after one that was let through. The order in which they count is that of (row that first completed the
 * start, start row), so it does not hang on arrival; updates do not move an alert (semantics.md 17, 19). State is kept for unsettled alerts only, and the
 * time of the last settled one that passed while it can still hold others back. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/operators/kept.h"

#define ALERT_STATE_VERSION 1
#define ALERT_ENTRIES_MAX 65536u

struct alert_entry {
    struct cep_ident ident;
    int64_t time_ms;               /* of the row that first completed it */
    struct cep_position at;        /* that row's position */
    struct cep_position first_at;  /* the match's first row */
    int64_t first_time_ms, last_time_ms;
    uint32_t revision;             /* last one given out; 0: none yet */
    uint8_t kind;
    bool standing;                 /* the rule still holds it true */
    bool sent;                     /* the outside holds it true */
    bool settled, limited;
    bool told_end;                 /* withdrawn, and its end will be told: until then it may come again */
    struct cep_row *row;           /* with suppress: kept until settled, to be sent when what held it back is withdrawn */
    struct cep_kept_evidence evidence;
};
struct alert_entries BASE_VEC(struct alert_entry);
struct alert_state {
    struct alert_entries entries;  /* in order */
    int64_t passed_ms;             /* time of the last settled alert that was let through; BASE_TIME_MIN_MS: none */
};
struct alert_op {
    struct cep_operator op; /* first */
    const struct cep_rule *rule;
    uint64_t sent;
};

static void free_content(struct alert_entry *entry)
{
    base_free(entry->row);
    entry->row = NULL;
    cep_kept_evidence_finish(&entry->evidence);
}

static int keep_content(struct alert_entry *entry, const struct cep_event *event)
{
    free_content(entry);
    entry->row = cep_kept_row(event->row);
    return entry->row ? cep_kept_evidence_take(&entry->evidence, event->evidence) : BASE_E_NOMEM;
}

static int send(struct alert_op *op, const struct cep_event *event, struct alert_entry *entry, uint8_t change)
{
    struct cep_event out = *event;
    struct cep_row *row = (struct cep_row *)(uintptr_t)event->row;
    uint8_t kept = row->change;
    row->change = change;
    out.revision = entry ? ++entry->revision : 1;
    out.final = !entry || entry->settled;
    op->sent++;
    int rc = cep_flow_emit(op->op.flow, op->op.node, &out);
    row->change = kept;
    return rc;
}

static int send_kept(struct alert_op *op, const struct cep_key *key, struct alert_entry *entry, uint8_t change)
{
    struct cep_evidence evidence = cep_kept_evidence_of(&entry->evidence);
    struct cep_event event = { .row = entry->row, .key = &key->tuple, .key_node = op->op.node, .key_hash = cep_key_hash(&key->tuple), .ident = entry->ident, .kind = entry->kind,
                               .limited = entry->limited, .first_time_ms = entry->first_time_ms, .last_time_ms = entry->last_time_ms,
                               .first_at = entry->first_at, .evidence = evidence.count ? &evidence : NULL };
    return send(op, &event, entry, change);
}

static int compare(const struct alert_entry *a, const struct alert_entry *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    int c = cep_position_compare(&a->at, &b->at);
    return c ? c : cep_position_compare(&a->first_at, &b->first_at);
}

/* Goes through the unsettled alerts in order: who is let through, who is held back; sends the differences. */
static int review(struct alert_op *op, struct cep_key *key)
{
    struct alert_state *state = key->state;
    int64_t passed = state->passed_ms, gap = op->rule->suppress_ms;
    int rc = 0;
    for (size_t i = 0; i < state->entries.len && !rc; i++) {
        struct alert_entry *entry = &state->entries.at[i];
        bool pass = entry->standing && (passed == BASE_TIME_MIN_MS || entry->time_ms >= passed + gap);
        if (pass)
            passed = entry->time_ms;
        if (pass && !entry->sent) {
            rc = send_kept(op, key, entry, CEP_INSERT);
        } else if (!pass && entry->sent) {
            rc = send_kept(op, key, entry, CEP_DELETE);
        }
        if (entry->standing && !pass && entry->sent == pass && entry->revision == 0 && !entry->settled)
            cep_flow_report(op->op.flow, CEP_REPORT_SUPPRESSED, op->op.node, 0, CEP_NONE, NULL);
        entry->sent = pass;
    }
    /* settled alerts at the front are done */
    size_t gone = 0;
    while (gone < state->entries.len && state->entries.at[gone].settled) {
        if (state->entries.at[gone].sent)
            state->passed_ms = state->entries.at[gone].time_ms;
        free_content(&state->entries.at[gone]);
        gone++;
    }
    state->entries.len -= gone;
    memmove(state->entries.at, state->entries.at + gone, state->entries.len * sizeof *state->entries.at);
    return rc;
}

static struct alert_entry *find(struct alert_state *state, struct cep_ident ident)
{
    for (size_t i = 0; i < state->entries.len; i++)
        if (state->entries.at[i].ident.hi == ident.hi && state->entries.at[i].ident.lo == ident.lo)
            return &state->entries.at[i];
    return NULL;
}

static int add(struct alert_op *op, struct alert_state *state, const struct cep_event *event, struct alert_entry **ret)
{
    if (state->entries.len >= ALERT_ENTRIES_MAX) {
        cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, event);
        return BASE_E_LIMIT;
    }
    struct alert_entry entry = { .ident = event->ident, .time_ms = event->row->time_ms, .at = event->row->at, .first_at = event->first_at, .kind = event->kind };
    size_t at = state->entries.len;
    if (!BASE_VEC_PUSH(&state->entries, entry))
        return BASE_E_NOMEM;
    while (at > 0 && compare(&state->entries.at[at - 1], &entry) > 0) {
        state->entries.at[at] = state->entries.at[at - 1];
        at--;
    }
    state->entries.at[at] = entry;
    *ret = &state->entries.at[at];
    return 0;
}

static int plain_change(struct alert_op *op, struct alert_state *state, struct alert_entry *entry, const struct cep_event *event)
{
    int rc = 0;
    if (event->row->change == CEP_SETTLED) {
        *entry = state->entries.at[--state->entries.len]; /* without suppress the order means nothing */
        return 0;
    }
    bool stands = event->row->change != CEP_DELETE;
    entry->first_time_ms = event->first_time_ms;
    if (stands)
        rc = send(op, event, entry, entry->sent ? CEP_UPDATE_AFTER : CEP_INSERT);
    else if (entry->sent)
        rc = send(op, event, entry, CEP_DELETE);
    entry->sent = entry->standing = stands;
    return rc;
}

static int suppressed_change(struct alert_op *op, struct cep_key *key, struct alert_entry *entry, const struct cep_event *event)
{
    entry->settled |= event->final || event->row->change == CEP_SETTLED;
    entry->limited |= event->limited;
    if (event->row->change != CEP_SETTLED) {
        entry->standing = event->row->change != CEP_DELETE;
        entry->first_time_ms = event->first_time_ms;
        entry->last_time_ms = event->last_time_ms;
        int rc = entry->standing ? keep_content(entry, event) : 0;
        if (!rc && entry->standing && entry->sent)
            rc = send(op, event, entry, CEP_UPDATE_AFTER);
        if (rc)
            return rc;
    }
    return review(op, key);
}

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct alert_op *op = (struct alert_op *)(void *)base;
    struct alert_state *state = key->state;
    uint8_t change = event->row->change;
    if (change == CEP_UPDATE_BEFORE)
        return 0;
    if (op->rule->suppress_ms == 0 && event->final && change == CEP_INSERT && !(state && find(state, event->ident)))
        return send(op, event, NULL, CEP_INSERT);
    struct alert_entry *entry = state ? find(state, event->ident) : NULL;
    if (!entry && (change == CEP_SETTLED || change == CEP_DELETE))
        return 0; /* filtered out on its way */
    if (!state) {
        state = base_calloc(1, sizeof *state);
        if (!state)
            return BASE_E_NOMEM;
        state->passed_ms = BASE_TIME_MIN_MS;
        key->state = state;
    }
    int rc = entry ? 0 : add(op, state, event, &entry);
    if (rc)
        return rc == BASE_E_LIMIT ? 0 : rc;
    if (change != CEP_SETTLED)
        entry->told_end = change == CEP_DELETE && event->tells_end;
    if (op->rule->suppress_ms == 0)
        return plain_change(op, state, entry, event);
    return suppressed_change(op, key, entry, event);
}

/* When the last alert that was let through holds nobody back any more. */
static int64_t gap_end(const struct cep_operator *op, const struct alert_state *state)
{
    int64_t gap = ((const struct alert_op *)(const void *)op)->rule->suppress_ms;
    if (state->passed_ms == BASE_TIME_MIN_MS)
        return BASE_TIME_MAX_MS;
    return state->passed_ms > BASE_TIME_MAX_MS - 1 - gap ? BASE_TIME_MAX_MS - 1 : state->passed_ms + gap;
}

/* An alert that it holds back may be unsettled still, long after the gap's end: until it has settled the gap is asked for again. */
static bool gap_matters(const struct cep_operator *op, const struct alert_state *state)
{
    return state->entries.len > 0 && state->entries.at[0].time_ms < gap_end(op, state);
}

/* A withdrawn alert keeps its revision until its first row is settled here, behind which it cannot come again, unless it is told when that is so. */
static bool awaits_oblivion(const struct alert_entry *entry) { return !entry->standing && !entry->settled && !entry->told_end; }

static int64_t deadline(const struct cep_operator *op, const struct cep_key *key)
{
    const struct alert_state *state = key->state;
    int64_t at_ms = state && !gap_matters(op, state) ? gap_end(op, state) : BASE_TIME_MAX_MS;
    for (size_t i = 0; state && i < state->entries.len; i++)
        if (awaits_oblivion(&state->entries.at[i]) && state->entries.at[i].first_time_ms < at_ms)
            at_ms = state->entries.at[i].first_time_ms;
    return at_ms;
}

static int on_wake(struct cep_operator *base, struct cep_key *key)
{
    struct alert_op *op = (struct alert_op *)(void *)base;
    struct alert_state *state = key->state;
    if (!state)
        return 0;
    if (gap_end(base, state) <= base->watermark_ms && !gap_matters(base, state))
        state->passed_ms = BASE_TIME_MIN_MS; /* whatever comes is later than the gap */
    bool any = false;
    for (size_t i = 0; i < state->entries.len;) {
        struct alert_entry *entry = &state->entries.at[i];
        bool over = awaits_oblivion(entry) && entry->first_time_ms <= base->watermark_ms;
        entry->settled |= over;
        any |= over;
        if (over && op->rule->suppress_ms == 0)
            *entry = state->entries.at[--state->entries.len];
        else
            i++;
    }
    return any && op->rule->suppress_ms ? review(op, key) : 0;
}

static bool idle(const struct cep_operator *op, const struct cep_key *key)
{
    (void)op;
    const struct alert_state *state = key->state;
    return !state || (state->entries.len == 0 && state->passed_ms == BASE_TIME_MIN_MS);
}

static void free_state(struct cep_operator *op, struct cep_key *key)
{
    (void)op;
    struct alert_state *state = key->state;
    for (size_t i = 0; state && i < state->entries.len; i++)
        free_content(&state->entries.at[i]);
    if (state)
        BASE_VEC_FINISH(&state->entries);
    base_free(state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *op, const struct cep_key *key)
{
    (void)op;
    const struct alert_state *state = key->state;
    return state ? sizeof *state + state->entries.cap * sizeof *state->entries.at : 0;
}

static int save(struct cep_operator *op, struct cep_key *key, bool all, cep_keyed_piece *piece, void *ctx)
{
    (void)op;
    (void)all;
    const struct alert_state *state = key->state;
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, ALERT_STATE_VERSION);
    base_buf_put_u64(&buf, (uint64_t)state->passed_ms);
    base_buf_put_varint(&buf, state->entries.len);
    for (size_t i = 0; i < state->entries.len; i++) {
        const struct alert_entry *e = &state->entries.at[i];
        base_buf_put_u64(&buf, e->ident.hi);
        base_buf_put_u64(&buf, e->ident.lo);
        base_buf_put_u64(&buf, (uint64_t)e->time_ms);
        base_buf_put(&buf, &e->at, sizeof e->at);
        base_buf_put(&buf, &e->first_at, sizeof e->first_at);
        base_buf_put_u64(&buf, (uint64_t)e->first_time_ms);
        base_buf_put_u64(&buf, (uint64_t)e->last_time_ms);
        base_buf_put_u32(&buf, e->revision);
        base_buf_put_u8(&buf, e->kind);
        base_buf_put_u8(&buf, (uint8_t)(e->standing | e->sent << 1 | e->settled << 2 | e->limited << 3 | e->told_end << 4));
        cep_kept_save_row(e->row, &buf);
        cep_kept_evidence_save(&e->evidence, &buf);
    }
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

static int get_entry(struct cep_operator *op, struct base_reader *in, struct alert_entry *e)
{
    uint32_t columns;
    const struct cep_type *types = cep_flow_types(op->flow, op->node, &columns);
    e->ident.hi = base_read_u64(in);
    e->ident.lo = base_read_u64(in);
    e->time_ms = (int64_t)base_read_u64(in);
    const void *at = base_read_raw(in, sizeof e->at);
    const void *first = base_read_raw(in, sizeof e->first_at);
    if (at && first) {
        memcpy(&e->at, at, sizeof e->at);
        memcpy(&e->first_at, first, sizeof e->first_at);
    }
    e->first_time_ms = (int64_t)base_read_u64(in);
    e->last_time_ms = (int64_t)base_read_u64(in);
    e->revision = base_read_u32(in);
    e->kind = base_read_u8(in);
    uint8_t flags = base_read_u8(in);
    e->standing = flags & 1;
    e->sent = flags & 2;
    e->settled = flags & 4;
    e->limited = flags & 8;
    e->told_end = flags & 16;
    int rc = cep_kept_load_row(in, types, columns, &e->row);
    if (!rc && (in->failed || e->kind > CEP_IS_TIMEOUT))
        rc = BASE_E_CORRUPT;
    return rc ? rc : cep_kept_evidence_load(cep_flow_program(op->flow), in, &e->evidence);
}

static int load(struct cep_operator *op, struct cep_key *key, uint32_t piece, const void *from, size_t len)
{
    struct base_reader in = base_reader_of(from, len);
    uint8_t version = base_read_u8(&in);
    if (in.failed || piece != 0 || key->state)
        return BASE_E_CORRUPT;
    if (version != ALERT_STATE_VERSION)
        return BASE_E_VERSION;
    struct alert_state *state = base_calloc(1, sizeof *state);
    if (!state)
        return BASE_E_NOMEM;
    key->state = state;
    state->passed_ms = (int64_t)base_read_u64(&in);
    uint64_t count = base_read_varint(&in);
    if (in.failed || count > ALERT_ENTRIES_MAX)
        return BASE_E_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        struct alert_entry entry = { 0 };
        int rc = get_entry(op, &in, &entry);
        if (!rc && !BASE_VEC_PUSH(&state->entries, entry))
            rc = BASE_E_NOMEM;
        if (rc) {
            free_content(&entry);
            return rc;
        }
    }
    bool suppress = ((struct alert_op *)(void *)op)->rule->suppress_ms > 0;
    for (size_t i = 0; i < state->entries.len; i++)
        if (suppress && !state->entries.at[i].row)
            return BASE_E_CORRUPT;
    return in.at == in.end ? 0 : BASE_E_CORRUPT;
}

int cep_alert_unsettled(const void *bytes, size_t len, int (*fn)(void *ctx, struct cep_ident ident), void *ctx)
{
    struct base_reader in = base_reader_of(bytes, len);
    uint8_t version = base_read_u8(&in);
    if (!in.failed && version != ALERT_STATE_VERSION)
        return BASE_E_VERSION;
    (void)base_read_u64(&in); /* passed_ms */
    uint64_t count = base_read_varint(&in);
    int rc = 0;
    for (uint64_t i = 0; i < count && !rc && !in.failed; i++) {
        struct cep_ident ident = { .hi = base_read_u64(&in) };
        ident.lo = base_read_u64(&in);
        (void)base_read_raw(&in, 8 + 2 * sizeof(struct cep_position) + 16 + 4 + 1); /* times, places, revision, kind */
        uint8_t flags = base_read_u8(&in);
        (void)base_read_bytes(&in); /* row */
        (void)base_read_raw(&in, 8); /* schema, total */
        uint64_t items = base_read_varint(&in);
        for (uint64_t k = 0; k < items && !in.failed; k++) {
            (void)base_read_raw(&in, 5);
            (void)base_read_bytes(&in);
        }
        bool sent = flags & 2, settled = flags & 4;
        if (!in.failed && sent && !settled)
            rc = fn(ctx, ident);
    }
    return rc ? rc : in.failed || in.at != in.end ? BASE_E_CORRUPT : 0;
}

static int64_t output_watermark(const struct cep_operator *op, int64_t input_ms)
{
    (void)op;
    return input_ms;
}

static void stats(const struct cep_operator *op, struct cep_flow_stats *add_to)
{
    add_to->keys += op->keyed.count;
    add_to->state_bytes += op->keyed.bytes;
}

static void destroy(struct cep_operator *op) { base_free(op); }

static const struct cep_operator_ops alert_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .save = save, .load = load, .free_state = free_state,
    .bytes = bytes, .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

int cep_alert_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct alert_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    op->op = (struct cep_operator){ .ops = &alert_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->rule = cep_program_rule(cep_flow_program(flow), cep_program_node(cep_flow_program(flow), node)->detail);
    cep_keyed_init(&op->op.keyed, 0);
    *ret = &op->op;
    return 0;
}
