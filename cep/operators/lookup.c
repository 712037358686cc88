/* The temporal join with a profile table (semantics.md 21): a row gets the columns of the version that was valid at its time. Tables without versions, and
 * hosts that know a table's whole past, are answered at once and keep nothing (cep_lookup_row). With versions in event time the answer may still change until
 * the table's own watermark has passed the time asked for: such rows are kept here, by the key of their exchange. Under eager emission they are told at
 * once and corrected, under final emission told when nothing can change any more. What was told is kept too, so that exactly that is taken back (22).
 * Rows below this operator's output watermark are settled. Shard thread only; never reads a table but through the host. */
#include "cep/operators/lookup.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/operators/kept.h"

#define LOOKUP_STATE_VERSION 1

struct lookup_entry {
    struct cep_kept left;      /* the row that waits */
    struct cep_row *told;      /* the joined row that stands outside; NULL: none */
    int64_t as_of_ms;
    bool final;                /* nothing above will change it any more */
    bool changed;              /* its left side changed since it was told */
};
struct lookup_entries BASE_VEC(struct lookup_entry);
struct lookup_state {
    struct lookup_entries entries; /* in order of arrival */
    bool review;               /* came from the store: the table may have moved since */
};
struct lookup_op {
    struct cep_operator op;    /* first */
    const struct cep_lookup *l;
    uint32_t key_node;         /* whose key the rows carry */
    uint64_t generation;       /* of the tables, as last looked at */
    int64_t least_ms;          /* no kept row is earlier (may be too low until the next look at all keys) */
    int64_t least_as_of_ms;
    bool stale;                /* least_ms may be too low */
    uint64_t waiting;          /* entries in memory */
};

/* ---- the join ---- */

int cep_lookup_ask(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_tuple **ret_key, int64_t *ret_as_of_ms)
{
    const struct cep_program *p = cep_flow_program(flow);
    const struct cep_node *n = cep_program_node(p, node);
    const struct cep_lookup *l = cep_program_lookup(p, n->detail);
    uint32_t left;
    const struct cep_type *types = cep_flow_types(flow, *cep_program_u32(p, n->inputs.first), &left);
    int rc = cep_flow_key(flow, node, l->keys, event, ret_key);
    *ret_as_of_ms = BASE_TIME_MAX_MS; /* processing time: the newest version */
    if (rc || l->as_of == CEP_NONE)
        return rc;
    struct cep_frame frame = { .row = &event->row->tuple, .row_types = types, .row_time_ms = event->row->time_ms, .arena = cep_flow_arena(flow),
                               .proc_time_ms = cep_flow_proc_time(flow), .now_ms = cep_flow_proc_time(flow) };
    struct cep_value at;
    rc = cep_expr_run(cep_flow_expr(flow), l->as_of, &frame, &at);
    if (!rc)
        *ret_as_of_ms = at.null ? event->row->time_ms : at.i;
    else if (rc != BASE_E_NOMEM)
        cep_flow_report(flow, CEP_REPORT_ERROR, node, rc, l->as_of, event);
    return rc;
}

/* left ++ the columns of found (NULL: NULLs), in the flow's arena. */
static int put_together(struct cep_flow *flow, uint32_t node, const struct cep_row *row, const struct cep_row *found, struct cep_row **ret)
{
    const struct cep_program *p = cep_flow_program(flow);
    const struct cep_node *n = cep_program_node(p, node);
    const struct cep_lookup *l = cep_program_lookup(p, n->detail);
    const struct cep_table *table = cep_program_table(p, l->table);
    uint32_t left, columns;
    const struct cep_type *types = cep_flow_types(flow, *cep_program_u32(p, n->inputs.first), &left);
    struct cep_value *values = cep_flow_values(flow);
    for (uint32_t i = 0; i < left; i++)
        values[i] = cep_tuple_get(&row->tuple, i, types[i]);
    for (uint32_t i = 0; i < l->columns.count; i++) {
        uint32_t field = *cep_program_u32(p, l->columns.first + i);
        struct cep_type type = cep_program_field(p, table->fields.first + field)->type;
        values[left + i] = found ? cep_tuple_get(&found->tuple, field, type) : cep_null();
    }
    const struct cep_type *joined = cep_flow_types(flow, node, &columns);
    return cep_row_make(joined, values, columns, row->time_ms, row->at, cep_flow_arena(flow), ret);
}

bool cep_lookup_no_key(const struct cep_tuple *key)
{
    bool null_key = false;
    for (uint32_t i = 0; i < key->columns; i++)
        null_key |= cep_tuple_is_null(key, i);
    return null_key;
}

int cep_lookup_join(struct cep_flow *flow, uint32_t node, const struct cep_event *event, const struct cep_tuple *key, int64_t as_of_ms, struct cep_row **ret)
{
    const struct cep_program *p = cep_flow_program(flow);
    const struct cep_lookup *l = cep_program_lookup(p, cep_program_node(p, node)->detail);
    const struct cep_row *found = NULL;
    *ret = NULL;
    int rc = cep_lookup_no_key(key) ? 0 : cep_flow_find_profile(flow, l->table, key, as_of_ms, &found);
    if (rc)
        return rc;
    struct cep_row *row = NULL;
    if (found)
        rc = put_together(flow, node, event->row, found, &row);
    bool holds = found != NULL;
    if (!rc && found && l->filter != CEP_NONE) {
        uint32_t columns;
        struct cep_frame frame = { .row = &row->tuple, .row_types = cep_flow_types(flow, node, &columns), .row_time_ms = row->time_ms,
                                   .arena = cep_flow_arena(flow), .proc_time_ms = cep_flow_proc_time(flow), .now_ms = cep_flow_proc_time(flow) };
        rc = cep_expr_test(cep_flow_expr(flow), l->filter, &frame, &holds);
        if (rc && rc != BASE_E_NOMEM) {
            cep_flow_report(flow, CEP_REPORT_ERROR, node, rc, l->filter, event);
            return 0;
        }
    }
    if (!rc && !holds) { /* the rest of ON fails: as if there were no such row */
        row = NULL;
        if (l->left_outer)
            rc = put_together(flow, node, event->row, NULL, &row);
    }
    *ret = rc ? NULL : row;
    return rc;
}

int cep_lookup_pass(struct cep_flow *flow, uint32_t node, const struct cep_event *event, int rc, struct cep_row *row)
{
    uint8_t change = event->row->change;
    if (rc == BASE_E_IO) { /* an outside table does not answer: the row's error; but what was given must go, whatever the table says of it */
        cep_flow_report(flow, CEP_REPORT_ERROR, node, rc, CEP_NONE, event);
        rc = change == CEP_DELETE ? cep_lookup_gone(flow, node, event, &row) : 0;
    }
    if (rc && !cep_row_error(rc))
        return rc;
    if (row)
        row->change = change;
    if (change == CEP_UPDATE_BEFORE || change == CEP_UPDATE_AFTER)
        return cep_flow_give(flow, node, event, row);
    if (!row)
        return 0;
    struct cep_event out = *event;
    out.row = row;
    return cep_flow_emit(flow, node, &out);
}

int cep_lookup_row(struct cep_flow *flow, uint32_t node, const struct cep_event *event)
{
    struct cep_tuple *key;
    int64_t as_of_ms;
    struct cep_row *row = NULL;
    int rc = cep_lookup_ask(flow, node, event, &key, &as_of_ms);
    if (!rc)
        rc = cep_lookup_join(flow, node, event, key, as_of_ms, &row);
    return cep_lookup_pass(flow, node, event, rc, row);
}

int cep_lookup_gone(struct cep_flow *flow, uint32_t node, const struct cep_event *event, struct cep_row **ret)
{
    return put_together(flow, node, event->row, NULL, ret);
}

/* ---- rows that wait ---- */

/* One row less waits. The least times are looked for at the next look at all keys, unless none is left. */
static void count_off(struct lookup_op *op)
{
    op->stale = --op->waiting > 0;
    if (op->waiting == 0)
        op->least_ms = op->least_as_of_ms = BASE_TIME_MAX_MS;
}

static void entry_finish(struct lookup_entry *entry)
{
    cep_kept_finish(&entry->left);
    base_free(entry->told);
    entry->told = NULL;
}

static int emit(struct lookup_op *op, const struct cep_key *key, const struct lookup_entry *entry, struct cep_row *row, uint8_t change, bool final)
{
    struct cep_evidence evidence;
    struct cep_event event;
    cep_kept_event(&entry->left, &evidence, &event);
    event.key = &key->tuple;
    event.key_node = op->key_node;
    event.key_hash = cep_key_hash(&key->tuple);
    event.row = row;
    event.final = final;
    uint8_t kept = row->change;
    row->change = change;
    int rc = cep_flow_emit(op->op.flow, op->op.node, &event);
    row->change = kept;
    return rc;
}

/* Tells the join as it is now, if that differs from what stands outside. final: it is told for good. */
static int tell(struct lookup_op *op, struct cep_key *key, struct lookup_entry *entry, bool final)
{
    struct cep_evidence evidence;
    struct cep_event event;
    struct cep_tuple *asked;
    struct cep_row *row = NULL;
    int64_t as_of_ms;
    cep_kept_event(&entry->left, &evidence, &event);
    int rc = cep_lookup_ask(op->op.flow, op->op.node, &event, &asked, &as_of_ms);
    if (!rc)
        rc = cep_lookup_join(op->op.flow, op->op.node, &event, asked, as_of_ms, &row);
    if (rc && !cep_row_error(rc))
        return rc;
    bool same = row && entry->told && !entry->changed && cep_tuple_equal(&row->tuple, &entry->told->tuple);
    entry->changed = false;
    if (same || (!row && !entry->told))
        return 0;
    if (!row) {
        rc = emit(op, key, entry, entry->told, CEP_DELETE, final);
        base_free(entry->told);
        entry->told = NULL;
        return rc;
    }
    struct cep_row *copy = final ? NULL : cep_kept_row(row);
    if (!copy && !final)
        return BASE_E_NOMEM;
    if (entry->told)
        rc = emit(op, key, entry, entry->told, CEP_UPDATE_BEFORE, false);
    if (!rc)
        rc = emit(op, key, entry, row, entry->told ? CEP_UPDATE_AFTER : CEP_INSERT, final && !entry->told);
    if (copy) {
        base_free(entry->told);
        entry->told = copy;
    }
    return rc;
}

/* Nothing can change any more: last word. */
static int settle(struct lookup_op *op, struct cep_key *key, struct lookup_entry *entry)
{
    bool told = entry->told != NULL;
    int rc = tell(op, key, entry, true);
    if (!rc && told) /* also behind a last withdrawal; nobody reads its columns */
        rc = emit(op, key, entry, entry->told ? entry->told : entry->left.row, CEP_SETTLED, true);
    entry_finish(entry);
    count_off(op);
    return rc;
}

static int look_again(struct lookup_op *op, struct cep_key *key, bool changed)
{
    struct lookup_state *state = key->state;
    int64_t known_ms = cep_flow_profile_watermark(op->op.flow, op->l->table);
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; i < state->entries.len; i++) {
        struct lookup_entry entry = state->entries.at[i];
        bool known = entry.as_of_ms <= known_ms;
        if (!rc && known && entry.final) {
            rc = settle(op, key, &entry);
            continue;
        }
        if (!rc && (changed || known) && (op->l->eager || known))
            rc = tell(op, key, &entry, false);
        state->entries.at[kept++] = entry;
    }
    state->entries.len = kept;
    state->review = false;
    return rc;
}

static struct lookup_entry *find(struct lookup_state *state, struct cep_ident ident)
{
    for (size_t i = 0; i < state->entries.len; i++)
        if (state->entries.at[i].left.ident.hi == ident.hi && state->entries.at[i].left.ident.lo == ident.lo)
            return &state->entries.at[i];
    return NULL;
}

static void remove_entry(struct lookup_op *op, struct lookup_state *state, struct lookup_entry *entry)
{
    entry_finish(entry);
    size_t at = (size_t)(entry - state->entries.at);
    memmove(entry, entry + 1, (--state->entries.len - at) * sizeof *entry);
    count_off(op);
}

static void lower(struct lookup_op *op, const struct lookup_entry *entry)
{
    if (entry->left.row->time_ms < op->least_ms)
        op->least_ms = entry->left.row->time_ms;
    if (entry->as_of_ms < op->least_as_of_ms)
        op->least_as_of_ms = entry->as_of_ms;
}

static int keep(struct lookup_op *op, struct cep_key *key, const struct cep_event *event, int64_t as_of_ms, struct lookup_entry *entry)
{
    if (!key->state && !(key->state = base_calloc(1, sizeof(struct lookup_state))))
        return BASE_E_NOMEM;
    struct lookup_state *state = key->state;
    if (!entry) {
        if (!BASE_VEC_PUSH(&state->entries, (struct lookup_entry){ 0 }))
            return BASE_E_NOMEM;
        entry = &state->entries.at[state->entries.len - 1];
        op->waiting++;
    }
    int rc = cep_kept_take(&entry->left, event);
    if (rc) {
        remove_entry(op, state, entry);
        return rc;
    }
    entry->as_of_ms = as_of_ms;
    entry->final = event->final;
    entry->changed = true;
    lower(op, entry);
    bool known = as_of_ms <= cep_flow_profile_watermark(op->op.flow, op->l->table);
    return op->l->eager || known ? tell(op, key, entry, false) : 0;
}

/* A row whose entry may not be kept is told for good with what is known. */
static int tell_limited(struct lookup_op *op, const struct cep_event *event)
{
    struct cep_event own = *event;
    own.limited = own.final = true;
    own.key_node = op->key_node;
    cep_flow_report(op->op.flow, CEP_REPORT_LIMIT, op->op.node, BASE_E_LIMIT, CEP_NONE, event);
    return cep_lookup_row(op->op.flow, op->op.node, &own);
}

static int on_gone(struct lookup_op *op, struct cep_key *key, struct lookup_entry *entry)
{
    int rc = entry->told ? emit(op, key, entry, entry->told, CEP_DELETE, false) : 0;
    remove_entry(op, key->state, entry);
    return rc;
}

static int on_row(struct cep_operator *base, struct cep_key *key, const struct cep_event *event)
{
    struct lookup_op *op = (struct lookup_op *)(void *)base;
    struct lookup_state *state = key->state;
    uint8_t change = event->row->change;
    if (change == CEP_UPDATE_BEFORE)
        return 0;
    bool alone = event->final && change == CEP_INSERT; /* a source's row: it has no past here */
    struct lookup_entry *entry = alone || !state ? NULL : find(state, event->ident);
    int64_t known_ms = cep_flow_profile_watermark(op->op.flow, op->l->table);
    if (change == CEP_SETTLED) {
        if (!entry)
            return cep_flow_emit(op->op.flow, op->op.node, event);
        entry->final = true;
        if (entry->as_of_ms > known_ms)
            return 0;
        struct lookup_entry last = *entry;
        *entry = (struct lookup_entry){ 0 };
        op->waiting++; /* both ways out count it off */
        remove_entry(op, state, entry);
        return settle(op, key, &last);
    }
    if (change == CEP_DELETE)
        return entry ? on_gone(op, key, entry) : 0;
    struct cep_tuple *asked;
    int64_t as_of_ms;
    int rc = cep_lookup_ask(op->op.flow, op->op.node, event, &asked, &as_of_ms);
    if (cep_row_error(rc))
        return entry ? on_gone(op, key, entry) : 0;
    if (rc)
        return rc;
    if (!entry && event->final && as_of_ms <= known_ms) {
        struct cep_event own = *event;
        own.key_node = op->key_node;
        return cep_lookup_row(op->op.flow, op->op.node, &own);
    }
    const struct cep_limits *limits = cep_flow_limits(op->op.flow);
    bool full = (state && state->entries.len >= limits->rows_per_key) || (limits->state_bytes && op->op.keyed.bytes > limits->state_bytes);
    if (!entry && full)
        return tell_limited(op, event);
    return keep(op, key, event, as_of_ms, entry);
}

/* ---- the table has moved ---- */

int cep_lookup_revisit(struct cep_operator *base, uint64_t generation)
{
    struct lookup_op *op = (struct lookup_op *)(void *)base;
    int64_t known_ms = cep_flow_profile_watermark(base->flow, op->l->table);
    bool changed = op->generation != generation;
    op->generation = generation;
    if (op->waiting == 0 && !op->stale)
        return 0;
    if (!changed && !op->stale && known_ms < op->least_as_of_ms)
        return 0;
    int rc = 0;
    uint64_t at = 0;
    op->least_ms = op->least_as_of_ms = BASE_TIME_MAX_MS;
    for (struct cep_key *key; !rc && (key = cep_keyed_each(&base->keyed, &at));) {
        struct lookup_state *state = key->state;
        if (!state || state->entries.len == 0)
            continue;
        base_arena_reset(cep_flow_arena(base->flow)); /* no row is under way */
        rc = look_again(op, key, changed || state->review);
        for (size_t i = 0; i < state->entries.len; i++)
            lower(op, &state->entries.at[i]);
        if (!rc)
            rc = cep_flow_key_touched(base->flow, base, key);
    }
    op->stale = rc != 0;
    return rc;
}

int64_t cep_lookup_least_ms(const struct cep_operator *base)
{
    const struct lookup_op *op = (const struct lookup_op *)(const void *)base;
    return op->least_as_of_ms < op->least_ms ? op->least_as_of_ms : op->least_ms;
}

/* ---- the operator's other duties ---- */

/* The table's progress moves a key, not this stream's. */
static int on_wake(struct cep_operator *base BASE_UNUSED, struct cep_key *key BASE_UNUSED) { return 0; }
static int64_t deadline(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key BASE_UNUSED) { return BASE_TIME_MAX_MS; }

static bool idle(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct lookup_state *state = key->state;
    return !state || state->entries.len == 0;
}

static bool pinned(const struct cep_operator *base, const struct cep_key *key) { return !idle(base, key); }

static void free_state(struct cep_operator *base, struct cep_key *key)
{
    struct lookup_state *state = key->state;
    if (!state)
        return;
    ((struct lookup_op *)(void *)base)->waiting -= state->entries.len;
    for (size_t i = 0; i < state->entries.len; i++)
        entry_finish(&state->entries.at[i]);
    BASE_VEC_FINISH(&state->entries);
    base_free(state);
    key->state = NULL;
}

static size_t bytes(const struct cep_operator *base BASE_UNUSED, const struct cep_key *key)
{
    const struct lookup_state *state = key->state;
    size_t sum = state ? sizeof *state + state->entries.cap * sizeof *state->entries.at : 0;
    for (size_t i = 0; state && i < state->entries.len; i++)
        sum += cep_kept_bytes(&state->entries.at[i].left) + (state->entries.at[i].told ? cep_row_size(state->entries.at[i].told) : 0);
    return sum;
}

static int save(struct cep_operator *base BASE_UNUSED, struct cep_key *key, bool all BASE_UNUSED, cep_keyed_piece *piece, void *ctx)
{
    const struct lookup_state *state = key->state;
    struct base_buf buf = { 0 };
    base_buf_put_u8(&buf, LOOKUP_STATE_VERSION);
    base_buf_put_varint(&buf, state->entries.len);
    for (size_t i = 0; i < state->entries.len; i++) {
        const struct lookup_entry *entry = &state->entries.at[i];
        base_buf_put_u64(&buf, (uint64_t)entry->as_of_ms);
        base_buf_put_u8(&buf, (uint8_t)(entry->final | entry->changed << 1));
        cep_kept_save(&entry->left, &buf);
        cep_kept_save_row(entry->told, &buf);
    }
    int rc = buf.failed ? BASE_E_NOMEM : piece(ctx, 0, buf.ptr, buf.len);
    base_buf_finish(&buf);
    return rc;
}

static int load_entry(struct lookup_op *op, struct base_reader *in, struct lookup_entry *entry)
{
    const struct cep_program *p = cep_flow_program(op->op.flow);
    uint32_t left, columns;
    const struct cep_type *left_types = cep_flow_types(op->op.flow, *cep_program_u32(p, cep_program_node(p, op->op.node)->inputs.first), &left);
    const struct cep_type *types = cep_flow_types(op->op.flow, op->op.node, &columns);
    entry->as_of_ms = (int64_t)base_read_u64(in);
    uint8_t flags = base_read_u8(in);
    entry->final = flags & 1;
    entry->changed = flags & 2;
    int rc = cep_kept_load(p, in, left_types, left, &entry->left);
    if (!rc)
        rc = cep_kept_load_row(in, types, columns, &entry->told);
    return rc ? rc : in->failed || !entry->left.row ? BASE_E_CORRUPT : 0;
}

static int load(struct cep_operator *base, struct cep_key *key, uint32_t piece, const void *from, size_t len)
{
    struct lookup_op *op = (struct lookup_op *)(void *)base;
    struct base_reader in = base_reader_of(from, len);
    uint8_t version = base_read_u8(&in);
    if (in.failed || piece != 0 || key->state)
        return BASE_E_CORRUPT;
    if (version != LOOKUP_STATE_VERSION)
        return BASE_E_VERSION;
    struct lookup_state *state = base_calloc(1, sizeof *state);
    if (!state)
        return BASE_E_NOMEM;
    key->state = state;
    state->review = op->stale = true;
    uint64_t count = base_read_varint(&in);
    for (uint64_t i = 0; i < count && !in.failed; i++) {
        struct lookup_entry entry = { 0 };
        int rc = load_entry(op, &in, &entry);
        if (!rc && !BASE_VEC_PUSH(&state->entries, entry))
            rc = BASE_E_NOMEM;
        if (rc) {
            entry_finish(&entry);
            return rc;
        }
        op->waiting++;
        lower(op, &entry);
    }
    return in.failed || in.at != in.end ? BASE_E_CORRUPT : 0;
}

static int64_t output_watermark(const struct cep_operator *base, int64_t input_ms)
{
    const struct lookup_op *op = (const struct lookup_op *)(const void *)base;
    return cep_kept_watermark(op->least_ms, input_ms);
}

static void stats(const struct cep_operator *base, struct cep_flow_stats *add)
{
    add->keys += base->keyed.count;
    add->state_bytes += base->keyed.bytes;
    add->rows_waiting += ((const struct lookup_op *)(const void *)base)->waiting;
}

static void destroy(struct cep_operator *op) { base_free(op); }

static const struct cep_operator_ops lookup_ops = {
    .row = on_row, .wake = on_wake, .deadline = deadline, .idle = idle, .pinned = pinned, .save = save, .load = load,
    .free_state = free_state, .bytes = bytes, .output_watermark = output_watermark, .stats = stats, .destroy = destroy,
};

uint32_t cep_lookup_key_node(const struct cep_program *p, uint32_t node)
{
    for (uint32_t at = node;;) {
        const struct cep_node *n = cep_program_node(p, at);
        if (at != node && (n->key_columns.count || n->kind == CEP_NODE_EXCHANGE || n->inputs.count == 0))
            return at;
        if (n->inputs.count == 0)
            return CEP_NONE;
        at = *cep_program_u32(p, n->inputs.first);
    }
}

int cep_lookup_create(struct cep_flow *flow, uint32_t node, struct cep_operator **ret)
{
    struct lookup_op *op = base_calloc(1, sizeof *op);
    if (!op)
        return BASE_E_NOMEM;
    const struct cep_program *p = cep_flow_program(flow);
    op->op = (struct cep_operator){ .ops = &lookup_ops, .flow = flow, .node = node, .watermark_ms = BASE_TIME_MIN_MS };
    op->l = cep_program_lookup(p, cep_program_node(p, node)->detail);
    op->key_node = cep_lookup_key_node(p, node);
    op->least_ms = op->least_as_of_ms = BASE_TIME_MAX_MS;
    cep_keyed_init(&op->op.keyed, 0);
    *ret = &op->op;
    return 0;
}
