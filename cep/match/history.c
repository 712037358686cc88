#include "cep/match/history.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cep/match/lean.h"

#define SNAP_EACH 4         /* as in quick.c */
#define WAKES_IN_VAIN 1000u /* as in flow.c */
#define NEAR_MARKS 6         /* so many rows before it is its row's turn, a mark is brought near */
_Static_assert(NEAR_MARKS < MATCH_HISTORY_BEHIND, "there is something to read behind the last row");
#define ENTRIES_LEAST 16u   /* a key with more than a few rows gets room for so many at once */

struct going {
    struct match_op *op;
    const struct match_history *history;
    struct match_aside *aside;
    struct match_history_keys keys;
    int64_t *marks_ms;       /* watermark before any of the marks, then that of each */
    uint32_t epoch;          /* of the steps, when sights were noted */
    uint32_t within_ms, rows_most;
    struct base_arena arena; /* the row under way */
    struct cep_key *key;     /* under way */
    struct cep_key *apart;   /* in no table: a key that was not there before, until it is known to stay, which most are not */
    size_t apart_bytes;
    struct match_lean_body *spare; /* of the last such key that went, for the next one; NULL: none */
    uint32_t starts;         /* of the key in lean form, as the operator has counted them */
};

bool cep_match_takes_history(const struct cep_operator *base)
{
    const struct match_op *op = (const struct match_op *)(const void *)base;
    return op->lean && !op->once && !cep_flow_traces(base->flow) && !cep_flow_env(base->flow)->load;
}

/* ---- time ---- */

/* The usual row leaves the operator's sum of starts as it was: before anybody else does something to the key, */
static inline void count_starts(struct going *g)
{
    if (g->key->state && cep_match_is_lean(g->op, g->key))
        g->op->starts += (uint64_t)cep_match_lean_starts(g->key->state) - g->starts;
}
/* and afterwards. */
static inline void note_starts(struct going *g)
{
    g->starts = g->key->state && cep_match_is_lean(g->op, g->key) ? cep_match_lean_starts(g->key->state) : 0;
}

/* Wakes the key as often as marks from `from` up to that one ask for it, each time under the first that does. */
static int wake_until(struct going *g, uint32_t from, uint32_t mark)
{
    struct match_op *op = g->op;
    uint32_t in_vain = 0;
    int64_t last_ms = BASE_TIME_MIN_MS;
    int rc = 0;
    count_starts(g);
    while (g->key->state && !rc) {
        int64_t at_ms = op->op.ops->deadline(&op->op, g->key);
        if (at_ms > g->marks_ms[mark])
            break;
        uint32_t end = mark;
        while (from < end) { /* the first mark that reaches it */
            uint32_t middle = from + (end - from) / 2;
            if (g->marks_ms[middle] < at_ms)
                from = middle + 1;
            else
                end = middle;
        }
        op->op.watermark_ms = g->marks_ms[from];
        g->aside->place = from ? g->history->marks[from - 1].end * 2 : 0;
        in_vain = at_ms <= last_ms ? in_vain + 1 : 0;
        last_ms = at_ms;
        base_arena_reset(cep_flow_arena(op->op.flow));
        rc = in_vain < WAKES_IN_VAIN ? op->op.ops->wake(&op->op, g->key) : BASE_E_CORRUPT;
        if (op->op.watermark_ms == BASE_TIME_MAX_MS)
            break;
    }
    note_starts(g);
    return rc;
}

/* Does passing time do anything to the key that can be seen before its next row? */
static inline bool may_wake(const struct match_op *op, const struct cep_key *key)
{
    return key->state && (!cep_match_is_lean(op, key) || cep_match_lean_told(key->state));
}

/* ---- rows ---- */

static int any_row(struct going *g, const struct match_history_row *at)
{
    struct match_op *op = g->op;
    struct match_log *log = &op->lean->log;
    struct cep_row *row;
    op->op.watermark_ms = g->marks_ms[at->mark];
    g->aside->place = at->row * 2 + 1; /* behind what a mark before it woke */
    base_arena_reset(&g->arena);
    base_arena_reset(cep_flow_arena(op->op.flow));
    int rc = cep_columns_row(g->history->columns, at->row, &g->arena, &row);
    if (rc)
        return rc;
    struct cep_event event = { .row = row, .key = &g->key->tuple, .key_hash = cep_key_hash(&g->key->tuple), .key_node = op->op.node, .kind = CEP_IS_ROW, .final = true,
                               .first_time_ms = row->time_ms, .last_time_ms = row->time_ms, .first_at = row->at };
    log->under_way = row;
    log->columns_row = at->row;
    count_starts(g);
    rc = cep_match_lean_row(op, g->key, &event);
    note_starts(g);
    log->under_way = NULL;
    return rc;
}

/* Starts that are out of time leave with their rows. */
static void drop_expired(struct going *g, struct match_lean *lean, int64_t watermark_ms)
{
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    int64_t until = watermark_ms - g->within_ms + 1 - lean->base_ms;
    uint32_t n = 0;
    while (n < lean->count && entries[n].at <= until)
        n++;
    cep_match_lean_tell_expired(g->op, lean, 0, n);
    cep_match_lean_drop_front(g->op, lean, n, true);
}

/* If a quarter of the rows are out of time. The watermark, which is below the row's own time, is asked for only if it may matter. */
static inline void drop_some(struct going *g, struct match_lean *lean, const struct match_history_row *at)
{
    int64_t due_ms = lean->base_ms + cep_match_lean_entries(lean)[lean->count / 4].at + g->within_ms - 1;
    if (due_ms <= at->time_ms && due_ms <= g->marks_ms[at->mark])
        drop_expired(g, lean, g->marks_ms[at->mark]);
}

/* One that completes a match, or steps of which are not remembered, at its place: as lean.c does it, but no row is made of it unless somebody reads it. 1: it is done; 0: it
 * must go the long way. */
static int telling_row(struct going *g, const struct match_history_row *at, const struct match_lean_late *late, uint32_t place)
{
    struct match_op *op = g->op;
    bool full = false;
    op->op.watermark_ms = g->marks_ms[at->mark];
    g->aside->place = at->row * 2 + 1; /* behind what a mark before it woke */
    base_arena_reset(cep_flow_arena(op->op.flow));
    int rc = cep_match_lean_complete_entry(op, g->key, late, place, &full);
    if (rc || full)
        return rc;
    op->rows_in++;
    return 1;
}

/* The same of one that comes last. */
static int last_row(struct going *g, struct match_lean *lean, const struct match_history_row *at)
{
    struct match_op *op = g->op;
    const struct match_lean_late late = { { MATCH_LOG_IN_COLUMNS | at->row, (uint32_t)(at->time_ms - lean->base_ms) }, at->sight };
    int rc = cep_match_lean_upkeep(op, 1);
    return rc || op->steps->epoch != g->epoch ? rc : telling_row(g, at, &late, lean->count);
}

/* One that comes before rows of its key, of no time that is there already. 1: it is done; 0: it must go the long way. */
static int late_row(struct going *g, struct match_lean *lean, const struct match_history_row *at)
{
    struct match_op *op = g->op;
    bool full = false;
    cep_match_lean_drop_settled(op, lean);
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    uint32_t place = lean->count;
    if (place == 0 || at->time_ms < lean->base_ms)
        return 0;
    const struct match_lean_late late = { { MATCH_LOG_IN_COLUMNS | at->row, (uint32_t)(at->time_ms - lean->base_ms) }, at->sight };
    while (place > 0 && entries[place - 1].at > late.entry.at)
        place--;
    if (place == lean->count || (place > 0 && entries[place - 1].at == late.entry.at))
        return 0;
    int rc = cep_match_lean_late_entry(op, lean, place, &late, &full);
    if (!rc && full)
        return telling_row(g, at, &late, place);
    op->rows_in += rc == 0;
    return rc ? rc : 1;
}

/* The usual row: in order, of a key in lean form, and each step remembered; or a late one of such a key with nothing told. 1: it is done; 0: it must go the long way. */
static inline int usual_row(struct going *g, struct match_lean *lean, const struct match_history_row *at)
{
    struct match_op *op = g->op;
    struct match_lean_op *lean_op = op->lean;
    uint32_t count = lean->count, sight = at->sight, own_config;
    if (BASE_UNLIKELY(!sight || op->steps->epoch != g->epoch))
        return 0;
    if (count == 0) {
        if (cep_match_lean_snap(lean))
            return 0;
        lean->base_ms = at->time_ms;
        lean->class_count = 0;
    } else {
        const struct match_lean_entry *entries = cep_match_lean_entries(lean);
        int64_t last_ms = lean->base_ms + entries[count - 1].at;
        if (at->time_ms <= last_ms && count < g->rows_most && !cep_match_lean_told(lean)) {
            op->op.watermark_ms = g->marks_ms[at->mark];
            return late_row(g, lean, at);
        }
        if (at->time_ms <= last_ms || at->time_ms - lean->base_ms >= (int64_t)LEAN_TIMES_MOST || count >= g->rows_most)
            return 0;
        if (op->within_ms && count <= LEAN_DROP_SINGLY) {
            drop_some(g, lean, at);
        } else if (count > LEAN_DROP_SINGLY || (last_ms <= g->marks_ms[at->mark] && count > cep_match_lean_starts(lean))) {
            op->op.watermark_ms = g->marks_ms[at->mark];
            cep_match_lean_drop_settled(op, lean);
        }
        if (lean->count == 0) {
            lean->base_ms = at->time_ms;
            lean->class_count = 0;
            if (cep_match_lean_snap(lean))
                return 0;
        }
        count = lean->count;
    }
    if (BASE_UNLIKELY(!cep_match_config_start_known(op->steps, sight, &own_config)) || (count == cep_match_lean_cap(lean) && cep_match_lean_reserve(lean, count < ENTRIES_LEAST ? ENTRIES_LEAST : count + 1)))
        return 0;
    struct match_lean_snap *snap = cep_match_lean_snap(lean);
    if (snap && ((uint32_t)lean->first_seq + count) % SNAP_EACH == 0) {
        op->op.watermark_ms = g->marks_ms[at->mark];
        cep_match_lean_note_snap(op, lean, snap);
    }
    struct match_lean_class *classes = cep_match_lean_classes(lean);
    const struct match_lean_class own = { 0, (uint32_t)lean->first_seq + count, (uint32_t)(at->time_ms - lean->base_ms) };
    uint32_t joins = lean->class_count ? cep_match_lean_stays(op->steps, classes, lean->class_count, sight, own_config, own.youngest, g->within_ms) : CEP_NONE;
    if (joins == CEP_NONE) {
        if (!cep_match_lean_known(op, classes, lean->class_count, sight, own, true, lean_op->next, &lean_op->next_count))
            return last_row(g, lean, at);
        if (cep_match_lean_set_classes(lean, lean_op->next, lean_op->next_count))
            return 0;
    } else if (joins < lean->class_count) {
        classes[joins].youngest = own.youngest;
    }
    cep_match_lean_renew_sights(op, lean);
    cep_match_lean_entries(lean)[count] = (struct match_lean_entry){ MATCH_LOG_IN_COLUMNS | at->row, own.youngest };
    cep_match_lean_sights(lean)[count] = (uint16_t)sight;
    cep_match_lean_changed(lean, count);
    lean->count = count + 1;
    op->rows_in++;
    return 1;
}

/* Most rows leave the classes as they are: the next row's steps will be looked for from there. */
static inline void expect(const struct going *g, struct match_lean *lean, uint32_t sight)
{
    const struct match_lean_class *classes = cep_match_lean_classes(lean);
    for (uint32_t i = 0, count = lean->class_count; i < count; i++)
        cep_match_config_expect(g->op->steps, classes[i].config, sight);
}

/* ---- keys ---- */

/* Room for a key with a tuple of so many bytes. */
static int room_apart(struct going *g, size_t tuple_bytes)
{
    size_t need = offsetof(struct cep_key, tuple) + tuple_bytes + g->op->op.keyed.room_bytes;
    if (need <= g->apart_bytes)
        return 0;
    base_free(g->apart);
    g->op->lean->apart = g->apart = base_alloc(need * 2);
    g->apart_bytes = g->apart ? need * 2 : 0;
    return g->apart ? 0 : BASE_E_NOMEM;
}

/* The key of that row: the one that is there, or an empty one apart. */
static int find_key(struct going *g, uint32_t row)
{
    const struct match_history *history = g->history;
    struct cep_value values[CEP_PLAIN_KEY_MOST];
    struct cep_type types[CEP_PLAIN_KEY_MOST];
    for (uint32_t i = 0; i < history->key_count; i++) {
        values[i] = cep_columns_value(history->columns, history->key_columns[i], row);
        types[i] = history->columns->at[history->key_columns[i]].type;
    }
    size_t bytes = cep_tuple_size(types, values, history->key_count);
    int rc = bytes ? room_apart(g, bytes) : BASE_E_LIMIT;
    if (rc)
        return rc;
    memset(g->apart, 0, offsetof(struct cep_key, tuple));
    g->apart->armed_ms = BASE_TIME_MAX_MS;
    cep_tuple_write(types, values, history->key_count, &g->apart->tuple);
    g->key = g->op->op.keyed.count ? cep_keyed_find(&g->op->op.keyed, &g->apart->tuple) : NULL;
    if (g->key)
        return 0;
    g->key = g->apart;
    cep_match_lean_begin(g->key);
    if (g->spare)
        cep_match_lean_lend(g->key->state, g->spare);
    g->spare = NULL;
    return 0;
}

/* The key under way has nothing left. */
static void let_go(struct going *g)
{
    struct match_op *op = g->op;
    struct match_lean *lean = g->key->state;
    if (g->key == g->apart && cep_match_is_lean(op, g->key) && lean->has_body && !g->spare) {
        cep_match_lean_told_free(op, lean);
        cep_match_lean_forget_snap(lean);
        g->spare = lean->body;
        lean->has_body = 0;
        if (!lean->class_cap)
            lean->class_count = 0; /* they stood beside it */
    }
    op->op.ops->free_state(&op->op, g->key);
    if (g->key == g->apart)
        return;
    cep_keyed_account(&op->op.keyed, g->key, 0);
    cep_keyed_remove(&op->op.keyed, g->key);
}

/* It stays: into the table. */
static int let_in(struct going *g)
{
    struct match_op *op = g->op;
    struct cep_key *key;
    bool added, is_lean = cep_match_is_lean(op, g->apart);
    struct match_lean *lean = g->apart->state;
    struct match_lean_body *spare = NULL;
    int rc = is_lean && lean->has_body ? cep_match_lean_hand_back(lean, &spare) : 0;
    if (spare && !g->spare)
        g->spare = spare;
    else
        base_free(spare);
    if (!rc)
        rc = cep_keyed_get(&op->op.keyed, &g->apart->tuple, &key, &added);
    if (rc)
        return rc;
    key->state = lean;
    if (is_lean) {
        key->state = cep_key_room(key);
        *(struct match_lean *)key->state = *lean;
    }
    g->apart->state = NULL;
    g->key = key;
    return 0;
}

/* The end of input for a key in lean form of which nothing is told: as its wake-up does it, starts run out and nothing is left. */
static void end_key(struct going *g, struct match_lean *lean)
{
    count_starts(g);
    g->op->starts -= cep_match_lean_starts(lean);
    drop_expired(g, lean, lean->base_ms + (int64_t)LEAN_TIMES_MOST * 2);
    lean->class_count = 0;
    g->starts = 0;
}

/* What is left of the key goes on row by row: its rows into the log. */
static int leave_key(struct going *g)
{
    struct match_op *op = g->op;
    struct cep_keyed *keyed = &op->op.keyed;
    struct match_log *log = &op->lean->log;
    count_starts(g);
    if (op->op.ops->idle(&op->op, g->key)) {
        let_go(g);
        return 0;
    }
    int rc = g->key == g->apart ? let_in(g) : 0;
    if (!rc && cep_match_is_lean(op, g->key)) {
        struct match_lean *lean = g->key->state;
        struct match_lean_told *told = cep_match_lean_told(lean);
        if (told)
            rc = cep_match_lean_make_told(op, &told->list);
        for (uint32_t i = 0; i < lean->count && !rc; i++) {
            struct match_lean_entry *entry = &cep_match_lean_entries(lean)[i];
            uint32_t ref = 0;
            if (!(entry->ref & MATCH_LOG_IN_COLUMNS))
                continue;
            const struct cep_row *row = cep_match_lean_log_row(op, lean, *entry);
            rc = row ? cep_match_log_put(log, row, &ref) : BASE_E_NOMEM;
            if (!rc)
                entry->ref = (entry->ref & LEAN_NO_START) | ref;
        }
        cep_match_log_settle(log);
        if (rc == BASE_E_LIMIT) /* the log is full: the key keeps them itself */
            rc = cep_match_lean_inflate(op, g->key);
        op->lean->row_bytes = log->rows ? (uint32_t)((log->bytes / log->rows + CEP_STATE_UNIT - 1) / CEP_STATE_UNIT * CEP_STATE_UNIT) : 0;
    }
    if (rc)
        return rc;
    cep_keyed_account(keyed, g->key, op->op.ops->bytes(&op->op, g->key));
    return cep_keyed_arm(keyed, g->key, op->op.ops->deadline(&op->op, g->key));
}

static int run_key(struct going *g, uint32_t begin, uint32_t end)
{
    struct match_op *op = g->op;
    uint32_t last = g->history->mark_count, seen = 0; /* the mark under which the key was looked at last: what its row then made due is so with the next one */
    int rc = find_key(g, g->keys.rows[begin].row);
    if (rc)
        return rc;
    cep_match_aside_new_key(g->aside);
    struct match_lean *lean = cep_key_room(g->key);
    if (!g->key->state)
        cep_match_lean_begin(g->key);
    note_starts(g);
    for (uint32_t i = begin; i < end && !rc; i++) {
        const struct match_history_row *at = &g->keys.rows[i];
        __builtin_prefetch(&g->marks_ms[at[NEAR_MARKS].mark]);
        if (i + 1 < end && g->key->state == lean)
            expect(g, lean, at[1].sight);
        if (BASE_UNLIKELY(may_wake(op, g->key)) && seen < at->mark)
            rc = wake_until(g, seen + 1, at->mark);
        seen = at->mark;
        if (!rc && BASE_LIKELY(g->key->state == lean))
            rc = usual_row(g, lean, at);
        if (rc == 0)
            rc = any_row(g, at);
        rc = rc < 0 ? rc : 0;
    }
    if (!rc && seen < last && may_wake(op, g->key))
        rc = wake_until(g, seen + 1, last);
    op->op.watermark_ms = g->marks_ms[last];
    if (!rc && g->key->state == lean && op->within_ms && g->marks_ms[last] == BASE_TIME_MAX_MS && !may_wake(op, g->key))
        end_key(g, lean);
    else if (!rc && g->key->state && !may_wake(op, g->key) && op->op.ops->deadline(&op->op, g->key) <= g->marks_ms[last])
        rc = wake_until(g, last, last);
    return rc ? rc : leave_key(g);
}

/* Keys that had no row of late, but something that was told and is settled meanwhile. Who is idle then goes with the next watermark. */
static int wake_others(struct going *g)
{
    struct match_op *op = g->op;
    uint64_t at = 0;
    int rc = 0;
    while (!rc && (g->key = cep_keyed_each(&op->op.keyed, &at)) != NULL) {
        cep_match_aside_new_key(g->aside);
        note_starts(g);
        if (g->history->mark_count && may_wake(op, g->key))
            rc = wake_until(g, 1, g->history->mark_count);
    }
    return rc;
}

static int go_through(struct going *g)
{
    int rc = 0;
    uint32_t begin = 0;
    for (uint32_t k = 0; k < g->keys.count && !rc; k++) {
        rc = run_key(g, begin, g->keys.ends[k]);
        begin = g->keys.ends[k];
    }
    return rc ? rc : wake_others(g);
}

int cep_match_history(struct cep_operator *base, const struct match_history *history, struct match_aside *aside)
{
    struct match_op *op = (struct match_op *)(void *)base;
    const struct cep_limits *limits = cep_flow_limits(base->flow);
    struct going g = { .op = op, .history = history, .aside = aside, .within_ms = op->within_ms ? (uint32_t)op->within_ms : LEAN_TIMES_MOST * 2,
                       .rows_most = limits->rows_per_key < limits->tail_rows ? limits->rows_per_key : limits->tail_rows };
    int64_t watermark_ms = base->watermark_ms;
    uint16_t *sights = base_alloc_walked(((size_t)history->columns->rows + 1) * sizeof *sights);
    g.marks_ms = base_alloc(((size_t)history->mark_count + 1) * sizeof *g.marks_ms);
    g.epoch = op->steps->epoch;
    int rc = sights && g.marks_ms ? cep_match_history_sights(op, history->columns, &g.arena, sights) : BASE_E_NOMEM;
    if (!rc)
        rc = cep_match_picks_init(op, &aside->picks);
    if (!rc)
        rc = cep_match_history_part(history, sights, aside, &g.keys);
    cep_match_aside_give(aside, sights, (size_t)history->columns->rows * sizeof *sights);
    if (!rc) {
        g.marks_ms[0] = watermark_ms;
        for (uint32_t i = 0; i < history->mark_count; i++)
            g.marks_ms[i + 1] = history->marks[i].watermark_ms;
        op->lean->log.columns = history->columns;
        op->aside = aside;
        rc = go_through(&g);
        op->aside = NULL;
        op->lean->log.columns = NULL;
    }
    base->watermark_ms = watermark_ms;
    if (g.apart && g.apart->state) /* an error came up */
        base->ops->free_state(base, g.apart);
    op->lean->apart = NULL;
    base_free(g.apart);
    base_free(g.spare);
    cep_match_history_keys_finish(&g.keys);
    base_free(g.marks_ms);
    base_arena_finish(&g.arena);
    return rc;
}
