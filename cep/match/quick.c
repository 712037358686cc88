/* The usual row of a lean key: nothing but comparing times, looking up remembered steps, keeping the row. */
#include "base/error.h"
#include "base/time.h"
#include "cep/match/lean.h"

#define NEAR_STATES 8 /* so many rows before its turn, what a key has beyond its own block is brought near, */
#define NEAR_STEPS 4   /* and so many before it, the steps that will be asked for; both divide RING */
#define RING 8
#define SNAP_EACH 4    /* a key that late rows came to keeps its classes as often as that: the next late row has few rows to go through */
#define COPIED 4       /* so many classes are copied together, whether there are as many or not */

_Static_assert(COPIED <= LEAN_CLASSES_MOST && COPIED <= LEAN_CLASSES_SOME, "there is room");

/* Drops what has settled, if there is enough of it (cep_match_lean_drop_settled leaves many rows alone for a few). */
static void drop_settled(struct match_op *op, struct cep_key *key, struct match_lean *lean)
{
    uint32_t had = lean->count, cap = cep_match_lean_cap(lean), starts = cep_match_lean_starts(lean);
    cep_match_lean_drop_settled(op, lean);
    if (lean->count == had)
        return;
    op->starts += (uint64_t)cep_match_lean_starts(lean) - starts;
    if (cep_match_lean_cap(lean) == cap)
        cep_keyed_account_less(&op->op.keyed, key, (uint64_t)(had - lean->count) * op->lean->row_bytes);
    else
        cep_keyed_account(&op->op.keyed, key, cep_match_lean_bytes(op, lean));
}

/* What is the same for all rows of a run. */
struct run {
    struct match_op *op;
    int64_t watermark_ms;
    uint32_t within_ms;  /* none: more than any two rows can be apart */
    uint32_t rows_most;  /* of a key */
};

/* Has one of the classes a start as early as the row at that offset? */
static inline bool starts_by(struct match_lean *lean, uint32_t offset)
{
    const struct match_lean_class *classes = cep_match_lean_classes(lean);
    uint32_t i = 0, end = (uint32_t)lean->first_seq + offset;
    while (i < lean->class_count && (int32_t)(classes[i].earliest - end) > 0)
        i++;
    return i < lean->class_count;
}

/* Is the row the last in order, far from all limits? Drops what has settled first. */
static inline bool is_usual(const struct run *run, struct cep_key *key, struct match_lean *lean, int64_t time_ms)
{
    uint32_t count = lean->count;
    if (count == 0) { /* without rows there is no start */
        lean->base_ms = time_ms;
        lean->class_count = 0;
        return !cep_match_lean_snap(lean);
    }
    const struct match_lean_entry *entries = cep_match_lean_entries(lean);
    int64_t base_ms = lean->base_ms, last_ms = base_ms + entries[count - 1].at;
    if (time_ms <= last_ms || time_ms - base_ms >= (int64_t)LEAN_TIMES_MOST || count >= run->rows_most)
        return false;
    uint32_t first = BASE_UNLIKELY(count > LEAN_DROP_SINGLY) ? count / 8 - 1 : 0;
    if (base_ms + entries[first].at + run->within_ms - 1 <= run->watermark_ms || (last_ms <= run->watermark_ms && !starts_by(lean, first)))
        drop_settled(run->op, key, lean);
    return true;
}

/* The classes of a key that has one at most, behind a row: none, one, or, with a body, two. */
static inline void set_one(struct match_lean *lean, uint32_t to, struct match_lean_class own)
{
    struct match_lean_class *classes = lean->classes;
    bool two = to && own.config && to != own.config;
    lean->class_count = (to || own.config) + two;
    if (two) {
        classes[0].config = to;
        classes[1] = own;
    } else if (to) {
        classes[0].config = to;
        if (own.config)
            classes[0].youngest = own.youngest;
    } else {
        classes[0] = own;
    }
}

#define DONE 1

/* Room for one more entry. */
static int more_room(struct match_op *op, struct cep_key *key, struct match_lean *lean)
{
    int rc = cep_match_lean_reserve(lean, lean->count + 1);
    if (!rc)
        cep_keyed_account(&op->op.keyed, key, cep_match_lean_bytes(op, lean));
    return rc;
}

/* The row as the last entry, for which there is room, accounted. 0: there is no room in the log. */
static inline int put_entry(struct match_op *op, struct cep_key *key, struct match_lean *lean, const struct cep_row *row, uint32_t at, uint32_t sight)
{
    uint32_t count = lean->count, ref;
    int rc = cep_match_log_put(&op->lean->log, row, &ref);
    if (BASE_UNLIKELY(rc))
        return rc == BASE_E_LIMIT ? 0 : rc;
    cep_match_lean_renew_sights(op, lean);
    struct match_lean_entry *entries = lean->few.entries;
    uint16_t *sights = lean->few.sights;
    if (lean->has_body) {
        entries = lean->body->entries;
        sights = cep_match_body_sights(lean->body);
    }
    entries[count] = (struct match_lean_entry){ ref, at };
    sights[count] = cep_match_lean_sight(op, sight);
    cep_match_lean_changed(lean, count);
    lean->count = count + 1;
    op->rows_in++;
    cep_keyed_account_more(&op->op.keyed, key, op->lean->row_bytes);
    return DONE;
}

static void take_entry_back(struct match_op *op, struct cep_key *key, struct match_lean *lean)
{
    lean->count--;
    op->rows_in--;
    cep_match_log_drop(&op->lean->log, cep_match_lean_entries(lean)[lean->count].ref);
    cep_keyed_account_less(&op->op.keyed, key, op->lean->row_bytes);
}

/* Most rows: each class stays where it is, and the row is one more start of one of them: DONE. 0: it is another row, and nothing was done. */
static inline int staying_row(const struct run *run, struct cep_key *key, struct match_lean *lean, const struct cep_row *row, uint32_t sight)
{
    struct match_op *op = run->op;
    struct match_lean_class *classes = cep_match_lean_classes(lean);
    uint32_t class_count = lean->class_count, at = (uint32_t)(row->time_ms - lean->base_ms), own;
    if (!cep_match_config_start_known(op->steps, sight, &own))
        return 0;
    uint32_t joins = cep_match_lean_stays(op->steps, classes, class_count, sight, own, at, run->within_ms);
    if (joins == CEP_NONE)
        return 0;
    int rc = BASE_LIKELY(lean->count < cep_match_lean_cap(lean)) ? 0 : more_room(op, key, lean);
    if (!rc)
        rc = put_entry(op, key, lean, row, at, sight);
    if (BASE_UNLIKELY(rc != DONE))
        return rc;
    op->starts++; /* all rows from the earliest start on are counted as such */
    if (joins == class_count)
        return DONE;
    classes[joins].youngest = at;
    int64_t deadline = op->within_ms ? row->time_ms + op->within_ms - 1 : BASE_TIME_MAX_MS;
    rc = deadline < key->armed_ms ? cep_keyed_arm(&op->op.keyed, key, deadline) : 0;
    return rc ? rc : DONE;
}

/* The whole of it for a key with one class at most where nothing has to grow: DONE. 0: not all of it is remembered, or something else is to be done about it. */
static inline int row_of_one(const struct run *run, struct cep_key *key, struct match_lean *lean, const struct cep_row *row, uint32_t sight)
{
    struct match_op *op = run->op;
    const struct match_configs *configs = op->steps;
    struct match_lean_class was = lean->classes[0];
    uint32_t seq = (uint32_t)lean->first_seq + lean->count, to = MATCH_CONFIG_DEAD;
    struct match_lean_class own = { 0, seq, (uint32_t)(row->time_ms - lean->base_ms) };
    if (!cep_match_config_start_known(configs, sight, &own.config) || cep_match_config_leaves(own.config))
        return 0;
    if (lean->class_count && was.youngest + run->within_ms > own.youngest && (!cep_match_config_known(configs, was.config, sight, &to) || cep_match_config_leaves(to)))
        return 0;
    if (to && own.config && to != own.config && !lean->has_body)
        return 0;
    int rc = put_entry(op, key, lean, row, own.youngest, sight);
    if (BASE_UNLIKELY(rc != DONE))
        return rc;
    uint32_t offset = was.earliest - (uint32_t)lean->first_seq, first = (int32_t)offset < 0 ? 0 : offset;
    op->starts += (to ? lean->count - first : own.config != MATCH_CONFIG_DEAD) - (uint64_t)(lean->class_count ? lean->count - 1 - first : 0);
    set_one(lean, to, own);
    int64_t deadline = own.config && op->within_ms ? row->time_ms + op->within_ms - 1 : cep_match_lean_deadline(op, lean);
    rc = deadline < key->armed_ms ? cep_keyed_arm(&op->op.keyed, key, deadline) : 0;
    return rc ? rc : DONE;
}

/* Classes behind the row: op->lean->next. */
static inline int put_classes(struct match_lean *lean, const struct match_lean_class *next, uint32_t count)
{
    if (BASE_UNLIKELY(count > (lean->class_cap ? COPIED : lean->has_body ? LEAN_CLASSES_BESIDE : LEAN_CLASSES)))
        return cep_match_lean_set_classes(lean, next, count);
    if (lean->class_cap) {
        memcpy(lean->many, next, COPIED * sizeof *next); /* a fixed size, and nothing given back: the next row may want it again */
    } else {
        lean->classes[0] = next[0];
        if (lean->has_body)
            lean->classes[1] = next[1];
    }
    lean->class_count = (uint8_t)count;
    return 0;
}

/* A row of a key with any number of classes: DONE. 0: it is not usual. */
static int usual_row(const struct run *run, struct cep_key *key, struct match_lean *lean, const struct cep_row *row, uint32_t sight)
{
    struct match_op *op = run->op;
    struct match_lean_op *lean_op = op->lean;
    uint32_t class_cap = lean->class_cap, has_body = lean->has_body, had = cep_match_lean_starts(lean), start;
    struct match_lean_class own = { 0, (uint32_t)lean->first_seq + lean->count, (uint32_t)(row->time_ms - lean->base_ms) };
    if (!cep_match_lean_known(op, cep_match_lean_classes(lean), lean->class_count, sight, own, true, lean_op->next, &lean_op->next_count))
        return 0;
    int rc = lean->count < cep_match_lean_cap(lean) ? 0 : more_room(op, key, lean);
    if (!rc)
        rc = put_entry(op, key, lean, row, own.youngest, sight);
    if (rc != DONE)
        return rc;
    rc = put_classes(lean, lean_op->next, lean_op->next_count);
    if (rc) {
        take_entry_back(op, key, lean);
        return rc;
    }
    if (lean->class_cap != class_cap || lean->has_body != has_body)
        cep_keyed_account(&op->op.keyed, key, cep_match_lean_bytes(op, lean));
    op->starts += (uint64_t)cep_match_lean_starts(lean) - had;
    bool lives = cep_match_config_start_known(op->steps, sight, &start) && start && op->within_ms; /* no start is younger than this row */
    int64_t deadline = lives ? row->time_ms + op->within_ms - 1 : cep_match_lean_deadline(op, lean);
    rc = deadline < key->armed_ms ? cep_keyed_arm(&op->op.keyed, key, deadline) : 0;
    return rc ? rc : DONE;
}

/* All but the usual row: DONE. 0: it must go by the operator's `row`. */
static int other_row(struct match_op *op, struct cep_key *key, const struct cep_row *row)
{
    struct match_lean *lean = key->state;
    uint32_t at, had = cep_match_lean_starts(lean);
    bool full = false;
    int rc = cep_match_lean_take(op, lean, row, &at, &full);
    op->starts += (uint64_t)cep_match_lean_starts(lean) - had;
    if (rc || full)
        return rc;
    op->rows_in++;
    cep_keyed_account(&op->op.keyed, key, cep_match_lean_bytes(op, lean));
    rc = cep_keyed_arm(&op->op.keyed, key, cep_match_lean_deadline(op, lean));
    return rc ? rc : DONE;
}

/* sight 0: it was not found at a glance. DONE or 0, as above. */
static inline int one_row(const struct run *run, struct cep_key *key, const struct cep_row *row, uint32_t sight)
{
    struct match_op *op = run->op;
    struct match_lean *lean = cep_key_room(key);
    if (key->state != lean) {
        if (key->state)
            return 0; /* in full form */
        cep_match_lean_begin(key);
    }
    if (BASE_UNLIKELY(row->change != CEP_INSERT || row->time_ms <= run->watermark_ms || cep_match_lean_told(lean))) /* what was told may be settled now */
        return 0;
    if (!is_usual(run, key, lean, row->time_ms))
        return other_row(op, key, row);
    int rc = 0;
    if (BASE_UNLIKELY(!sight)) {
        rc = cep_match_config_row(op->steps, op, row);
        sight = op->steps->row_sight;
    }
    if (BASE_UNLIKELY(rc || !sight))
        return rc ? rc : other_row(op, key, row);
    struct match_lean_snap *snap = cep_match_lean_snap(lean);
    if (snap && ((uint32_t)lean->first_seq + lean->count) % SNAP_EACH == 0)
        cep_match_lean_note_snap(op, lean, snap);
    if (lean->class_count)
        rc = staying_row(run, key, lean, row, sight);
    if (!rc) {
        bool few = lean->class_count <= 1 && !lean->class_cap && lean->count < cep_match_lean_cap(lean);
        rc = few ? row_of_one(run, key, lean, row, sight) : 0;
        rc = rc ? rc : usual_row(run, key, lean, row, sight);
    }
    return rc ? rc : other_row(op, key, row);
}

/* ---- memory brought near ---- */

static inline void bring_state(const struct match_op *op, const struct cep_key *key)
{
    __asm__ volatile(""); /* as in flow_ahead.c: a function that only brings memory near is left out */
    if (!cep_match_is_lean(op, key))
        return;
    const struct match_lean *lean = key->state;
    if (lean->has_body) { /* its head may be far: nothing is read of it */
        const struct match_lean_body *body = lean->body;
        __builtin_prefetch(body);
        __builtin_prefetch((const char *)body + 64);
        if (lean->count > LEAN_ENTRIES_MANY)
            __builtin_prefetch(body->entries + lean->count);
    }
    if (lean->class_cap)
        __builtin_prefetch(lean->many);
}
void cep_match_lean_near(const struct match_op *op, const struct cep_key *key) { bring_state(op, key); }

static void bring_lines(const void *at, size_t from, size_t end)
{
    for (size_t line = from / 64; line * 64 < end; line++)
        __builtin_prefetch((const char *)at + line * 64);
}

void cep_match_lean_bring(const struct match_op *op, uint32_t step, bool wakes)
{
    __asm__ volatile("");
    if (step == 0) {
        bring_lines(op, offsetof(struct match_op, rows_in), sizeof *op); /* with the pointers that the next step reads */
        if (!wakes)
            bring_lines(op, sizeof op->op, offsetof(struct match_op, in));
        return;
    }
    const struct match_configs *steps = op->steps;
    const struct match_lean_op *lean = op->lean;
    if (step == 1) {
        bring_lines(steps, 0, offsetof(struct match_configs, asked));
        bring_lines(lean, 0, offsetof(struct match_lean_op, next) + 2 * sizeof lean->next[0]);
        bring_lines(lean, offsetof(struct match_lean_op, next_count), offsetof(struct match_lean_op, stop_classes));
        bring_lines(lean, offsetof(struct match_lean_op, spare_told), sizeof *lean);
        if (!wakes)
            __builtin_prefetch(op->unary);
        return;
    }
    __builtin_prefetch(lean->log.at);
    if (wakes)
        return;
    __builtin_prefetch(lean->log.next);
    __builtin_prefetch(steps->bits);
    __builtin_prefetch(steps->columns);
    __builtin_prefetch(steps->starts);
    __builtin_prefetch(steps->memo);
    if (steps->sights)
        bring_lines(steps->sights, 0, (steps->sight_cap < 16 ? steps->sight_cap : 16) * sizeof *steps->sights);
}

/* The row's sight, and the places of the steps from where its key stands now. */
static inline uint32_t bring_steps(const struct match_op *op, const struct cep_keyed_row *next)
{
    uint32_t sight = cep_match_config_glance(op->steps, next->row);
    struct match_lean *lean = cep_key_room(next->key);
    if (!sight || next->key->state != lean)
        return sight;
    const struct match_lean_class *classes = cep_match_lean_classes(lean);
    for (uint32_t i = 0, count = lean->class_count; i < count; i++)
        cep_match_config_expect(op->steps, classes[i].config, sight);
    return sight;
}

int cep_match_lean_quick(struct match_op *op, const struct cep_keyed_row *rows, uint32_t count, uint32_t *ret_done)
{
    const struct cep_limits *limits = cep_flow_limits(op->op.flow);
    const struct run run = { op, op->op.watermark_ms, op->within_ms ? (uint32_t)op->within_ms : LEAN_TIMES_MOST * 2,
                             limits->rows_per_key < limits->tail_rows ? limits->rows_per_key : limits->tail_rows };
    uint32_t sights[RING], life = op->steps->life, i = 0;
    int rc = 0;
    for (uint32_t k = 0; k < count && k < NEAR_STATES; k++)
        bring_state(op, rows[k].key);
    for (uint32_t k = 0; k < count && k < NEAR_STEPS; k++)
        sights[k] = bring_steps(op, &rows[k]);
    for (; i < count; i++) {
        if (i + NEAR_STATES < count)
            bring_state(op, rows[i + NEAR_STATES].key);
        if (i + NEAR_STEPS < count)
            sights[(i + NEAR_STEPS) % RING] = bring_steps(op, &rows[i + NEAR_STEPS]);
        uint32_t sight = BASE_LIKELY(life == op->steps->life) ? sights[i % RING] : 0; /* else their numbers may mean something else */
        rc = one_row(&run, rows[i].key, rows[i].row, sight);
        if (rc != DONE)
            break;
    }
    *ret_done = i;
    return rc < 0 ? rc : 0;
}
