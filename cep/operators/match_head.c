/* Classes of starts, candidates, AFTER MATCH SKIP: which matches stand after the rows so far. */
#include "cep/operators/match.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/time.h"

void cep_match_head_init(struct match_head *head)
{
    *head = (struct match_head){ .next_seq = 1, .first_start = 1, .unmatched_next = 1 };
}

void cep_match_head_finish(struct match_head *head)
{
    base_free(head->block);
    BASE_VEC_FINISH(&head->cands);
    cep_match_head_init(head);
}

/* Memory: starts, then classes, then parents, in one block, so that a small key is a few neighbouring cache lines and a copy is one. */
static uint32_t room(uint32_t have, uint32_t need, uint32_t least)
{
    if (need <= have)
        return have;
    uint32_t to = have + have / 2;
    to = to < least ? least : to;
    return (to < need ? need : to);
}

int cep_match_head_reserve(struct match_head *head, uint32_t starts, uint32_t parents, uint32_t blob)
{
    if (starts <= head->class_cap && parents <= head->parent_cap && blob <= head->blob_cap)
        return 0;
    if (starts > (1u << 26) || parents > (1u << 26) || blob > (1u << 30))
        return BASE_E_LIMIT;
    starts = room(head->class_cap, starts, 4);
    parents = (room(head->parent_cap, parents, 4) + 3) & ~3u;
    blob = (room(head->blob_cap, blob, 64) + 15) & ~15u;
    uint64_t bytes = (uint64_t)starts * sizeof(struct match_start) + blob + (uint64_t)parents * sizeof(uint32_t);
    char *block = bytes > UINT32_MAX ? NULL : base_alloc(bytes);
    if (!block)
        return BASE_E_NOMEM;
    struct match_start *new_starts = (struct match_start *)(void *)block;
    char *new_blob = block + starts * sizeof *new_starts;
    uint32_t *new_parents = (uint32_t *)(void *)(new_blob + blob);
    uint32_t live = head->class_len - head->class_skip;
    if (live)
        memcpy(new_starts, head->starts + head->class_skip, live * sizeof *new_starts);
    if (head->blob_used)
        memcpy(new_blob, head->blob, head->blob_used);
    if (head->parent_count)
        memcpy(new_parents, head->parents, head->parent_count * sizeof *new_parents);
    base_free(head->block);
    head->block = block;
    head->block_bytes = (uint32_t)bytes;
    head->starts = new_starts;
    head->class_skip = 0;
    head->class_len = live;
    head->class_cap = starts;
    head->blob = new_blob;
    head->blob_cap = blob;
    head->parents = new_parents;
    head->parent_cap = parents;
    return 0;
}

int cep_match_head_copy(const struct match_head *from, struct match_head *to)
{
    struct match_head copy = *from;
    uint32_t live = from->class_len - from->class_skip;
    to->class_len = to->class_skip = to->parent_count = to->blob_used = 0; /* nothing to carry over */
    int rc = cep_match_head_reserve(to, live, from->parent_count, from->blob_used);
    if (!rc && from->cands.len > to->cands.cap && !BASE_VEC_RESERVE(&to->cands, from->cands.len))
        rc = BASE_E_NOMEM;
    if (rc)
        return rc;
    copy.block = to->block;
    copy.block_bytes = to->block_bytes;
    copy.starts = to->starts;
    copy.class_skip = 0;
    copy.class_len = live;
    copy.class_cap = to->class_cap;
    copy.blob = to->blob;
    copy.blob_cap = to->blob_cap;
    copy.parents = to->parents;
    copy.parent_cap = to->parent_cap;
    copy.cands.at = to->cands.at;
    copy.cands.cap = to->cands.cap;
    *to = copy;
    if (live)
        memcpy(to->starts, from->starts + from->class_skip, live * sizeof *to->starts);
    if (from->blob_used)
        memcpy(to->blob, from->blob, from->blob_used);
    if (from->parent_count)
        memcpy(to->parents, from->parents, from->parent_count * sizeof *to->parents);
    if (from->cands.len)
        memcpy(to->cands.at, from->cands.at, from->cands.len * sizeof *to->cands.at);
    return 0;
}

uint32_t cep_match_find(const struct match_head *head, uint32_t id)
{
    while (id != MATCH_NO_CLASS && head->parents[id] != id) {
        uint32_t up = head->parents[id];
        if (up != MATCH_NO_CLASS)
            head->parents[id] = head->parents[up]; /* path halving */
        id = up;
    }
    return id;
}

static uint32_t *class_slot(const struct match_head *head, uint64_t seq)
{
    return &head->starts[head->class_skip + (seq - head->first_start)].id;
}

static int64_t start_time(const struct match_head *head, uint64_t seq)
{
    return head->starts[head->class_skip + (seq - head->first_start)].time_ms;
}

static uint64_t starts_end(const struct match_head *head)
{
    return head->first_start + (head->class_len - head->class_skip);
}

static uint32_t class_at(const struct match_head *head, uint64_t seq)
{
    if (seq < head->first_start || seq >= starts_end(head))
        return MATCH_NO_CLASS;
    return cep_match_find(head, *class_slot(head, seq));
}

/* Class ids are given out per row; the dead ones are squeezed out once they outnumber rows and classes together. */
static void renumber(struct match_head *head)
{
    if (head->parent_count < 16 || head->parent_count < 2 * head->classes + (head->class_len - head->class_skip) / 2)
        return;
    for (uint32_t i = head->class_skip; i < head->class_len; i++)
        head->starts[i].id = cep_match_find(head, head->starts[i].id);
    uint32_t next = 0;
    for (uint32_t off = 0; off < head->blob_used;) {
        struct match_class *class = (struct match_class *)(void *)(head->blob + off);
        head->parents[class->id] = next; /* root's new number, read below through the old one */
        class->id = next++;
        off += class->bytes;
    }
    for (uint32_t i = head->class_skip; i < head->class_len; i++)
        if (head->starts[i].id != MATCH_NO_CLASS)
            head->starts[i].id = head->parents[head->starts[i].id];
    for (uint32_t i = 0; i < next; i++)
        head->parents[i] = i;
    head->parent_count = next;
}

static int append_start(struct match_head *head, uint64_t seq, int64_t time_ms, uint32_t id)
{
    if (head->class_skip == head->class_len) {
        head->class_skip = head->class_len = 0;
        head->first_start = seq;
        if (id == MATCH_NO_CLASS) {
            head->first_start = seq + 1;
            return 0;
        }
    }
    if (head->class_len == head->class_cap && head->class_skip > head->class_len / 2) {
        memmove(head->starts, head->starts + head->class_skip, (head->class_len - head->class_skip) * sizeof *head->starts);
        head->class_len -= head->class_skip;
        head->class_skip = 0;
    }
    uint32_t live = head->class_len - head->class_skip;
    int rc = head->class_len < head->class_cap ? 0 : cep_match_head_reserve(head, (live + 1 > head->class_cap ? live : head->class_cap) + 1, 0, 0);
    if (!rc)
        head->starts[head->class_len++] = (struct match_start){ .time_ms = time_ms, .id = id };
    return rc;
}

static void pop_dead(struct match_head *head)
{
    while (head->class_skip < head->class_len && cep_match_find(head, head->starts[head->class_skip].id) == MATCH_NO_CLASS) {
        head->class_skip++;
        head->first_start++;
    }
}

static struct match_class *class_in(char *blob, uint32_t used, uint32_t id)
{
    for (uint32_t off = 0; off < used;) {
        struct match_class *class = (struct match_class *)(void *)(blob + off);
        if (class->id == id)
            return class;
        off += class->bytes;
    }
    return NULL;
}

static void remove_class(struct match_head *head, struct match_class *class)
{
    char *at = (char *)class;
    uint32_t bytes = class->bytes;
    head->parents[class->id] = MATCH_NO_CLASS;
    memmove(at, at + bytes, (size_t)(head->blob + head->blob_used - (at + bytes)));
    head->blob_used -= bytes;
    head->classes--;
}

/* The start is dead: its class may have to look for its next earliest one. */
static void kill_start(struct match_head *head, uint64_t seq)
{
    uint32_t *slot = class_slot(head, seq);
    uint32_t id = cep_match_find(head, *slot);
    *slot = MATCH_NO_CLASS;
    if (id == MATCH_NO_CLASS)
        return;
    struct match_class *class = class_in(head->blob, head->blob_used, id);
    if (!class || class->min_seq != seq)
        return;
    for (uint64_t next = seq + 1; next < starts_end(head); next++) {
        if (cep_match_find(head, *class_slot(head, next)) == id) {
            class->min_seq = next;
            return;
        }
    }
    remove_class(head, class);
}

/* Starts and candidates in (from, to] are skipped over. */
static void discard(struct match_head *head, uint64_t from, uint64_t to)
{
    uint64_t seq = from + 1 < head->first_start ? head->first_start : from + 1;
    for (; seq <= to && seq < starts_end(head); seq++)
        if (*class_slot(head, seq) != MATCH_NO_CLASS)
            kill_start(head, seq);
    size_t kept = 0;
    for (size_t i = 0; i < head->cands.len; i++) {
        const struct match_cand *cand = &head->cands.at[i];
        if (!cand->resolved && cand->start > from && cand->start <= to)
            continue;
        head->cands.at[kept++] = *cand;
    }
    head->cands.len = kept;
}

static int put_cand(struct match_op *op, struct match_head *head, struct match_cand cand)
{
    size_t at = head->cands.len;
    if (op->sequential && cand.kind <= MATCH_ABSENT)
        cand.number = head->number + 1; /* conditions read it, replays too */
    while (at > 0 && (head->cands.at[at - 1].start > cand.start ||
                      (op->m->all_matches && head->cands.at[at - 1].start == cand.start && head->cands.at[at - 1].accept_seq > cand.accept_seq)))
        at--;
    if (!op->m->all_matches && at > 0 && head->cands.at[at - 1].start == cand.start && !head->cands.at[at - 1].resolved) {
        head->cands.at[at - 1] = cand; /* a more preferred one replaces it */
        return 0;
    }
    if (!BASE_VEC_PUSH(&head->cands, cand))
        return BASE_E_NOMEM;
    memmove(head->cands.at + at + 1, head->cands.at + at, (head->cands.len - 1 - at) * sizeof cand);
    head->cands.at[at] = cand;
    return 0;
}

/* ---- the new blob ---- */

static int scratch_reserve(struct match_op *op, uint32_t bytes)
{
    if (op->scratch_cap - op->scratch_used >= bytes)
        return 0;
    uint32_t cap = op->scratch_cap ? op->scratch_cap : 4096;
    while (cap - op->scratch_used < bytes) {
        if (cap > UINT32_MAX / 2)
            return BASE_E_LIMIT;
        cap *= 2;
    }
    char *grown = base_realloc(op->scratch, cap);
    if (!grown)
        return BASE_E_NOMEM;
    op->scratch = grown;
    op->scratch_cap = cap;
    return 0;
}

static bool was_accepted(const struct match_op *op, uint32_t id)
{
    for (uint32_t i = 0; i < op->accepted_count; i++)
        if (op->accepted_ids[i] == id)
            return true;
    return false;
}

static int table_grow(struct match_op *op)
{
    uint32_t cap = op->class_table_cap ? op->class_table_cap * 2 : 64;
    uint32_t *table = base_calloc(cap, sizeof *table);
    if (!table)
        return BASE_E_NOMEM;
    for (uint32_t off = 0; off < op->scratch_used;) {
        const struct match_class *class = (const struct match_class *)(const void *)(op->scratch + off);
        uint32_t at = (uint32_t)class->hash & (cap - 1);
        while (table[at])
            at = (at + 1) & (cap - 1);
        if (!was_accepted(op, class->id)) /* an accepting class takes no others in until its starts were seen */
            table[at] = off + 1;
        off += class->bytes;
    }
    base_free(op->class_table);
    op->class_table = table;
    op->class_table_cap = cap;
    return 0;
}

static int scratch_begin(struct match_op *op)
{
    op->scratch_used = 0;
    op->scratch_classes = 0;
    if (!op->class_table)
        return table_grow(op);
    memset(op->class_table, 0, op->class_table_cap * sizeof *op->class_table);
    return 0;
}

/* Writes op->out as a class behind the scratch blob without taking it in; returns its header. */
static int write_class(struct match_op *op, struct match_class **ret)
{
    uint32_t bytes = sizeof(struct match_class);
    for (size_t i = 0; i < op->out.len; i++)
        bytes += (uint32_t)sizeof(struct match_stored_thread) + (op->out.at[i].regs ? op->out.at[i].regs->size_bytes : 0);
    int rc = scratch_reserve(op, bytes);
    if (rc)
        return rc;
    char *at = op->scratch + op->scratch_used;
    struct match_class *class = (struct match_class *)(void *)at;
    *class = (struct match_class){ .bytes = bytes, .threads = (uint32_t)op->out.len };
    at += sizeof *class;
    for (size_t i = 0; i < op->out.len; i++) {
        const struct match_thread *thread = &op->out.at[i];
        struct match_stored_thread stored = { thread->pc, thread->guards, thread->regs ? thread->regs->size_bytes : 0, 0 };
        memcpy(at, &stored, sizeof stored);
        at += sizeof stored;
        if (thread->regs)
            memcpy(at, thread->regs, stored.regs_bytes);
        at += stored.regs_bytes;
    }
    class->hash = base_hash64(class + 1, bytes - sizeof *class, 0);
    *ret = class;
    return 0;
}

/* Takes the class just written in: into an equal one (returned) or as itself. */
static int intern_class(struct match_op *op, struct match_head *head, struct match_class *class, struct match_class **ret)
{
    if (2 * (op->scratch_classes + 1) > op->class_table_cap) {
        int rc = table_grow(op);
        if (rc)
            return rc;
    }
    uint32_t at = (uint32_t)class->hash & (op->class_table_cap - 1);
    for (; op->class_table[at]; at = (at + 1) & (op->class_table_cap - 1)) {
        struct match_class *other = (struct match_class *)(void *)(op->scratch + op->class_table[at] - 1);
        if (other->hash == class->hash && other->bytes == class->bytes && memcmp(other + 1, class + 1, class->bytes - sizeof *class) == 0) {
            if (class->id != MATCH_NO_CLASS)
                head->parents[class->id] = other->id;
            if (class->min_seq < other->min_seq)
                other->min_seq = class->min_seq;
            *ret = other;
            return 0;
        }
    }
    op->class_table[at] = op->scratch_used + 1;
    op->scratch_used += class->bytes;
    op->scratch_classes++;
    *ret = class;
    return 0;
}

static int new_class_id(struct match_head *head, uint32_t *ret)
{
    int rc = cep_match_head_reserve(head, 0, head->parent_count + 1, 0);
    if (rc)
        return rc;
    *ret = head->parent_count;
    head->parents[head->parent_count++] = *ret;
    return 0;
}

static int load_threads(struct match_op *op, const struct match_class *class)
{
    const char *at = (const char *)(class + 1);
    op->in.len = 0;
    for (uint32_t i = 0; i < class->threads; i++) {
        struct match_stored_thread stored;
        memcpy(&stored, at, sizeof stored);
        at += sizeof stored;
        struct match_thread thread = { stored.pc, stored.guards, stored.regs_bytes ? (const struct cep_tuple *)(const void *)at : NULL, 0 };
        at += stored.regs_bytes;
        if (!BASE_VEC_PUSH(&op->in, thread))
            return BASE_E_NOMEM;
    }
    return 0;
}

static bool unchanged(const struct match_op *op)
{
    if (op->in.len != op->out.len || op->accepted)
        return false;
    for (size_t i = 0; i < op->in.len; i++)
        if (op->in.at[i].pc != op->out.at[i].pc || op->in.at[i].guards != op->out.at[i].guards || op->in.at[i].regs != op->out.at[i].regs)
            return false;
    return true;
}

static int reserve_u32(uint32_t **at, uint32_t *cap, uint32_t need)
{
    if (need <= *cap)
        return 0;
    uint32_t to = *cap ? *cap : 4;
    while (to < need)
        to += to / 2 + 1;
    uint32_t *grown = base_realloc(*at, (size_t)to * sizeof *grown);
    if (!grown)
        return BASE_E_NOMEM;
    *at = grown;
    *cap = to;
    return 0;
}

static int note_accepted(struct match_op *op, uint32_t id)
{
    int rc = reserve_u32(&op->accepted_ids, &op->accepted_cap, op->accepted_count + 1);
    if (!rc)
        op->accepted_ids[op->accepted_count++] = id;
    return rc;
}

/* Steps every class; the new ones stand in scratch. Accepting classes keep an identity of their own for handle_accepts: they are written before any merge. */
static int step_classes(struct match_op *op, struct match_head *head)
{
    op->accepted_count = 0;
    int rc = scratch_begin(op);
    for (uint32_t off = 0; off < head->blob_used && !rc;) {
        const struct match_class *old = (const struct match_class *)(const void *)(head->blob + off);
        off += old->bytes;
        rc = load_threads(op, old);
        if (!rc)
            rc = cep_match_step(op, op->in.at, (uint32_t)op->in.len);
        if (rc)
            break;
        struct match_class *class;
        if (unchanged(op)) {
            rc = scratch_reserve(op, old->bytes);
            if (rc)
                break;
            class = (struct match_class *)(void *)(op->scratch + op->scratch_used);
            memcpy(class, old, old->bytes);
        } else {
            rc = write_class(op, &class);
            if (rc)
                break;
            class->id = old->id;
            class->min_seq = old->min_seq;
        }
        if (op->accepted) {
            /* kept as it is, also without threads, until handle_accepts has seen its starts */
            rc = note_accepted(op, class->id);
            op->scratch_used += class->bytes;
            op->scratch_classes++;
        } else if (op->out.len == 0) {
            head->parents[class->id] = MATCH_NO_CLASS;
        } else {
            rc = intern_class(op, head, class, &class);
        }
    }
    return rc;
}

/* The scratch blob becomes the head's. */
static int swap_blob(struct match_op *op, struct match_head *head)
{
    int rc = cep_match_head_reserve(head, 0, 0, op->scratch_used);
    if (rc)
        return rc;
    if (op->scratch_used)
        memcpy(head->blob, op->scratch, op->scratch_used);
    head->classes = op->scratch_classes;
    head->blob_used = op->scratch_used;
    return 0;
}

static uint64_t accepted_min(struct match_op *op, const struct match_head *head)
{
    uint64_t min = UINT64_MAX;
    for (uint32_t off = 0; off < head->blob_used;) {
        const struct match_class *class = (const struct match_class *)(const void *)(head->blob + off);
        if (class->min_seq < min && was_accepted(op, class->id))
            min = class->min_seq;
        off += class->bytes;
    }
    return min;
}

/* The last row of a match that was accepted without one (absence, $, NOT): found by replay. */
static int fill_end(struct match_op *op, struct match_key *key, struct match_cand *cand)
{
    enum match_step mode = op->mode;
    uint64_t seq = op->seq;
    const struct cep_row *row = op->row;
    int64_t time_ms = op->step_time_ms;
    int rc = cep_match_replay(op, key, cand);
    if (!rc)
        cand->end = op->items.len ? op->items.at[op->items.len - 1].seq : cand->start - 1;
    if (row)
        cep_match_begin_row(op, key, seq);
    op->row = row;
    op->mode = mode;
    op->step_time_ms = time_ms;
    return rc;
}

/* Starts of accepting classes become candidates, in order; what they skip for good is discarded at once (PAST LAST ROW: whatever replaces such a candidate
 * ends at a later row, so its starts stay covered: docs/engine.md). */
static int handle_accepts(struct match_op *op, struct match_key *key, struct match_head *head, bool ends_here)
{
    int rc = 0;
    if (op->accepted_count == 0)
        return 0;
    bool past_last = op->m->skip == CEP_SKIP_PAST_LAST && !op->m->all_matches;
    for (uint64_t seq = accepted_min(op, head); seq < starts_end(head) && !rc; seq++) {
        uint32_t id = class_at(head, seq);
        if (id == MATCH_NO_CLASS || !was_accepted(op, id))
            continue;
        struct match_cand cand = { .start = seq, .end = op->seq, .accept_seq = op->seq, .not_before_ms = INT64_MIN, .kind = MATCH_FOUND,
                                   .step = (uint8_t)op->mode, .fresh = 1 };
        if (op->mode == MATCH_STEP_TIME) {
            cand.kind = MATCH_ABSENT;
            cand.time_ms = op->step_time_ms;
            cand.not_before_ms = op->step_time_ms - 1;
        }
        if (op->within_ms && op->m->hold_ms)
            cand.not_before_ms = start_time(head, seq) + op->within_ms - 1;
        if (!ends_here || op->guard_next_mask || op->has_for_absence)
            rc = fill_end(op, key, &cand);
        if (!rc)
            rc = put_cand(op, head, cand);
        if (!rc && past_last && cand.end > seq) {
            discard(head, seq, cand.end);
            if (ends_here && cand.end == op->seq)
                break;
        }
    }
    /* accepting classes without threads are done */
    for (uint32_t i = 0; i < op->accepted_count; i++) {
        struct match_class *class = class_in(head->blob, head->blob_used, op->accepted_ids[i]);
        if (class && class->threads == 0)
            remove_class(head, class);
    }
    return rc;
}

static bool any_live(const struct match_head *head)
{
    return head->classes > 0;
}

/* The row as a start of its own. */
static int new_start(struct match_op *op, struct match_head *head)
{
    uint64_t seq = op->seq;
    bool anchor = op->has_start_anchor && seq == 1;
    const struct match_threads *first = anchor ? &op->first_anchor : &op->first_plain;
    bool empty = anchor ? op->empty_anchor : op->empty_plain;
    int rc = cep_match_step(op, first->at, (uint32_t)first->len);
    if (rc)
        return rc;
    if (!op->accepted && empty && !op->m->all_matches) {
        struct match_cand cand = { .start = seq, .end = seq - 1, .accept_seq = seq, .not_before_ms = INT64_MIN, .kind = MATCH_FOUND, .step = MATCH_STEP_ROW, .fresh = 1 };
        rc = put_cand(op, head, cand);
    }
    bool accepted = op->accepted;
    uint32_t id = MATCH_NO_CLASS;
    if (!rc && op->out.len > 0) {
        struct match_class *class, *taken;
        rc = write_class(op, &class);
        if (rc)
            return rc;
        class->min_seq = seq;
        class->id = MATCH_NO_CLASS;
        rc = intern_class(op, head, class, &taken);
        if (!rc && taken == class) {
            rc = new_class_id(head, &id);
            class->id = id;
        } else if (!rc) {
            id = taken->id;
        }
    }
    if (!rc)
        rc = append_start(head, seq, op->row->time_ms, id);
    if (!rc && accepted) {
        struct match_cand cand = { .start = seq, .end = seq, .accept_seq = seq, .not_before_ms = INT64_MIN, .kind = MATCH_FOUND, .step = MATCH_STEP_ROW, .fresh = 1 };
        if (op->within_ms && op->m->hold_ms)
            cand.not_before_ms = start_time(head, seq) + op->within_ms - 1;
        rc = put_cand(op, head, cand);
    }
    return rc;
}

static bool covered_now(const struct match_op *op, const struct match_head *head)
{
    if (op->m->skip != CEP_SKIP_PAST_LAST || op->m->all_matches)
        return false;
    for (size_t i = head->cands.len; i-- > 0;)
        if (head->cands.at[i].end >= op->seq && head->cands.at[i].kind <= MATCH_ABSENT)
            return true;
    return false;
}

static bool unresolved(const struct match_head *head)
{
    return head->cands.len && !head->cands.at[head->cands.len - 1].resolved;
}

/* The classes moved to the head's blob while acceptances were handled: they are brought back for the new start to join. */
static int reload_scratch(struct match_op *op, struct match_head *head)
{
    int rc = scratch_begin(op);
    for (uint32_t off = 0; off < head->blob_used && !rc;) {
        const struct match_class *old = (const struct match_class *)(const void *)(head->blob + off);
        rc = scratch_reserve(op, old->bytes);
        if (!rc) {
            struct match_class *class = (struct match_class *)(void *)(op->scratch + op->scratch_used);
            memcpy(class, old, old->bytes);
            rc = intern_class(op, head, class, &class);
        }
        off += old->bytes;
    }
    return rc;
}

int cep_match_head_row(struct match_op *op, struct match_key *key, struct match_head *head)
{
    uint64_t seq = head->next_seq;
    int64_t now = cep_match_rows_at(&key->rows, seq)->time_ms;
    int rc = cep_match_head_time(op, key, head, now);
    if (rc)
        return rc;
    if (head->next_seq != seq)
        return 0; /* one start at a time: the row comes again for an earlier start */
    cep_match_begin_row(op, key, seq);
    op->frame.match_number = (int64_t)head->number + 1;
    base_arena_reset(&op->arena);
    rc = step_classes(op, head);
    if (!rc && op->accepted_count) {
        rc = swap_blob(op, head);
        if (!rc)
            rc = handle_accepts(op, key, head, true);
    }
    if (rc)
        return rc;
    bool free_row = !covered_now(op, head);
    if (op->sequential && (op->scratch_classes > 0 || unresolved(head)))
        free_row = false;
    if (free_row && op->accepted_count)
        rc = reload_scratch(op, head);
    if (!rc && free_row)
        rc = new_start(op, head);
    if (!rc && !free_row)
        rc = append_start(head, seq, op->row->time_ms, MATCH_NO_CLASS);
    if (!rc && (free_row || !op->accepted_count))
        rc = swap_blob(op, head);
    if (rc)
        return rc;
    if (free_row)
        head->trying = seq;
    op->rows_in++;
    head->next_seq = seq + 1;
    renumber(head);
    return cep_match_head_resolve(op, key, head);
}

/* Threads rest in the trailing absence counted by WITHIN? Then running out of time completes them. */
static int expire_start(struct match_op *op, struct match_key *key, struct match_head *head, uint64_t seq)
{
    int64_t deadline = start_time(head, seq) + op->within_ms;
    bool absent = false, has = false;
    int rc = 0;
    if (op->has_absence || op->m->timeout_rows) {
        struct match_class *class = class_in(head->blob, head->blob_used, class_at(head, seq));
        rc = class ? load_threads(op, class) : BASE_E_CORRUPT;
        for (size_t i = 0; i < op->in.len && !rc; i++)
            absent |= op->nfas[op->in.at[i].pc].op == CEP_NFA_ABSENT && op->nfas[op->in.at[i].pc].absent_ms == 0;
    }
    for (size_t i = 0; i < head->cands.len; i++)
        has |= head->cands.at[i].start == seq && !head->cands.at[i].resolved;
    bool timeout = !absent && !has && op->m->timeout_rows;
    if (rc)
        return rc;
    if (!has && !absent && !op->quiet)
        cep_flow_report(op->op.flow, CEP_REPORT_TIMED_OUT, op->op.node, 0, CEP_NONE, NULL);
    struct match_cand cand = { .start = seq, .end = seq, .accept_seq = head->next_seq - 1, .not_before_ms = deadline - 1, .time_ms = deadline,
                               .kind = absent ? MATCH_ABSENT : MATCH_TIMEOUT, .step = MATCH_STEP_TIME, .fresh = 1 };
    op->row = NULL; /* no row is under way */
    if (absent || timeout)
        rc = fill_end(op, key, &cand);
    kill_start(head, seq);
    if (rc || (!absent && !timeout))
        return rc;
    rc = put_cand(op, head, cand);
    if (!rc && absent && op->m->skip == CEP_SKIP_PAST_LAST && !op->m->all_matches && cand.end > seq)
        discard(head, seq, cand.end);
    return rc;
}

static int expire(struct match_op *op, struct match_key *key, struct match_head *head, int64_t time_ms)
{
    int rc = 0;
    pop_dead(head);
    while (!rc && op->within_ms && head->class_skip < head->class_len && start_time(head, head->first_start) + op->within_ms <= time_ms) {
        uint64_t seq = head->first_start;
        rc = expire_start(op, key, head, seq);
        pop_dead(head);
    }
    return rc;
}

/* Earliest `FOR INTERVAL` deadline among the threads. */
static int for_deadline(struct match_op *op, struct match_head *head, int64_t *ret)
{
    *ret = BASE_TIME_MAX_MS;
    if (!op->has_for_absence)
        return 0;
    for (uint32_t off = 0; off < head->blob_used;) {
        const struct match_class *class = (const struct match_class *)(const void *)(head->blob + off);
        int rc = load_threads(op, class);
        if (rc)
            return rc;
        op->unpacked = NULL;
        for (size_t i = 0; i < op->in.len; i++) {
            int64_t at = cep_match_thread_deadline(op, &op->in.at[i]);
            if (at < *ret)
                *ret = at;
        }
        off += class->bytes;
    }
    return 0;
}

static int step_all(struct match_op *op, struct match_key *key, struct match_head *head, enum match_step mode, int64_t time_ms)
{
    op->key = key;
    op->mode = mode;
    op->row = NULL;
    op->seq = head->next_seq - 1;
    op->step_time_ms = time_ms;
    op->unpacked = NULL;
    base_arena_reset(&op->arena);
    int rc = step_classes(op, head);
    if (!rc)
        rc = swap_blob(op, head);
    return rc ? rc : handle_accepts(op, key, head, false);
}

int cep_match_head_time(struct match_op *op, struct match_key *key, struct match_head *head, int64_t time_ms)
{
    int64_t at;
    int rc = for_deadline(op, head, &at);
    while (!rc && at <= time_ms) {
        rc = expire(op, key, head, at - 1);
        if (!rc)
            rc = step_all(op, key, head, MATCH_STEP_TIME, at);
        if (!rc)
            rc = cep_match_head_resolve(op, key, head);
        int64_t before = at;
        if (!rc)
            rc = for_deadline(op, head, &at);
        if (!rc && at <= before)
            return BASE_E_CORRUPT; /* a deadline that stays would turn for ever */
    }
    if (!rc)
        rc = expire(op, key, head, time_ms);
    if (!rc)
        rc = cep_match_head_resolve(op, key, head);
    return rc;
}

int cep_match_head_end(struct match_op *op, struct match_key *key, struct match_head *head)
{
    int64_t at;
    int rc = for_deadline(op, head, &at);
    if (!rc && at < BASE_TIME_MAX_MS)
        rc = cep_match_head_time(op, key, head, BASE_TIME_MAX_MS - 1);
    if (!rc)
        rc = cep_match_head_resolve(op, key, head);
    if (!rc && !op->within_ms)
        rc = step_all(op, key, head, MATCH_STEP_END, 0);
    else if (!rc) {
        /* `$` and a trailing NOT hold at the end; what is left then runs out of time */
        bool lookahead = op->guard_next_mask != 0;
        for (uint32_t i = 0; i < op->m->nfas.count; i++)
            lookahead |= op->nfas[i].op == CEP_NFA_END;
        if (lookahead)
            rc = step_all(op, key, head, MATCH_STEP_END, 0);
        if (!rc)
            rc = expire(op, key, head, BASE_TIME_MAX_MS - 1);
    }
    if (!rc)
        rc = cep_match_head_resolve(op, key, head);
    return rc;
}

static int skip_target(struct match_op *op, struct match_key *key, const struct match_cand *cand, uint64_t *ret)
{
    int rc = cep_match_replay(op, key, cand);
    *ret = 0;
    for (size_t i = 0; i < op->items.len && !rc; i++) {
        for (uint32_t v = 0; v < op->m->skip_vars.count; v++) {
            if (op->items.at[i].var != op->u32s[op->m->skip_vars.first + v])
                continue;
            if (op->m->skip == CEP_SKIP_LAST || *ret == 0)
                *ret = op->items.at[i].seq;
        }
    }
    return rc;
}

static int apply_skip(struct match_op *op, struct match_key *key, struct match_head *head, const struct match_cand *cand, uint64_t *ret_next)
{
    uint64_t target;
    int rc = 0;
    *ret_next = cand->start + 1;
    if (cand->kind == MATCH_TIMEOUT || cand->end < cand->start)
        return 0;
    switch ((enum cep_skip)op->m->skip) {
    case CEP_SKIP_PAST_LAST:
        *ret_next = cand->end + 1;
        break;
    case CEP_SKIP_NEXT_ROW:
    case CEP_SKIP_CURRENT_ROW:
        break;
    case CEP_SKIP_FIRST:
    case CEP_SKIP_LAST:
        rc = skip_target(op, key, cand, &target);
        if (rc)
            return rc;
        if (target > cand->start) {
            *ret_next = target;
        } else if (!op->quiet && !op->m->all_matches) {
            struct cep_event event = { .row = cep_match_rows_at(&key->rows, cand->start), .key_node = CEP_NONE };
            cep_flow_report(op->op.flow, CEP_REPORT_ERROR, op->op.node, BASE_E_SKIP_TARGET, CEP_NONE, &event);
        }
        break;
    }
    if (*ret_next > cand->start + 1)
        discard(head, cand->start, *ret_next - 1);
    return rc;
}

static int note_unmatched(struct match_op *op, struct match_head *head, uint64_t end)
{
    int rc = 0;
    for (; head->unmatched_next < end && !rc; head->unmatched_next++) {
        uint64_t seq = head->unmatched_next;
        if (seq <= head->covered || op->m->rows != CEP_ROWS_ALL_UNMATCHED)
            continue;
        struct match_cand cand = { .start = seq, .end = seq, .accept_seq = seq, .not_before_ms = INT64_MIN, .kind = MATCH_UNMATCHED, .resolved = 1, .fresh = 1 };
        rc = put_cand(op, head, cand);
    }
    return rc;
}

/* One start at a time: the rows from `next` on are gone through (again) for the next start. */
static void restart_at(struct match_head *head, uint64_t next)
{
    head->trying = 0;
    if (next >= head->next_seq)
        return;
    head->next_seq = next;
    head->class_skip = head->class_len = 0;
    head->first_start = next;
}

int cep_match_head_resolve(struct match_op *op, struct match_key *key, struct match_head *head)
{
    pop_dead(head);
    for (size_t i = 0; i < head->cands.len;) {
        struct match_cand *cand = &head->cands.at[i];
        if (cand->resolved) {
            i++;
            continue;
        }
        uint64_t live = head->class_skip < head->class_len ? head->first_start : head->next_seq;
        bool own_live = class_at(head, cand->start) != MATCH_NO_CLASS;
        if (live < cand->start && !op->independent)
            break;
        if (own_live && !op->m->all_matches) {
            if (!op->independent)
                break;
            i++;
            continue;
        }
        bool empty = cand->end < cand->start;
        size_t before = head->cands.len;
        if (op->m->rows == CEP_ROWS_ALL_UNMATCHED && head->unmatched_next < cand->start) {
            int rc = note_unmatched(op, head, cand->start);
            if (rc)
                return rc;
            if (head->cands.len != before)
                continue; /* the array moved */
        }
        cand->resolved = 1;
        if (cand->kind != MATCH_TIMEOUT)
            cand->number = ++head->number;
        if (cand->end > head->covered && cand->kind != MATCH_TIMEOUT)
            head->covered = cand->end;
        if (empty && head->covered < cand->start)
            head->covered = cand->start; /* the row of an empty match is not unmatched */
        struct match_cand copy = *cand;
        uint64_t next;
        int rc = apply_skip(op, key, head, &copy, &next);
        if (rc)
            return rc;
        if (op->m->all_matches && (op->m->skip == CEP_SKIP_PAST_LAST || op->m->skip == CEP_SKIP_NEXT_ROW)) {
            /* the other derivations of its own start are discarded too */
            if (own_live)
                kill_start(head, copy.start);
            discard(head, copy.start - 1, copy.start);
        }
        if (op->sequential && copy.kind != MATCH_TIMEOUT)
            restart_at(head, next);
        pop_dead(head);
        i = op->independent ? i + 1 : 0; /* discard may have moved the array */
    }
    pop_dead(head);
    if (op->sequential && head->trying && !any_live(head) && !unresolved(head))
        restart_at(head, head->trying + 1); /* that start failed */
    if (op->m->rows != CEP_ROWS_ALL_UNMATCHED)
        return 0;
    uint64_t limit = head->class_skip < head->class_len ? head->first_start : head->next_seq;
    for (size_t i = 0; i < head->cands.len; i++)
        if (!head->cands.at[i].resolved && head->cands.at[i].start < limit)
            limit = head->cands.at[i].start;
    return note_unmatched(op, head, limit);
}

int64_t cep_match_head_deadline(struct match_op *op, const struct match_key *key, const struct match_head *head)
{
    int64_t at = BASE_TIME_MAX_MS;
    (void)key;
    if (op->has_for_absence && head->classes && for_deadline(op, (struct match_head *)head, &at) == 0 && at < BASE_TIME_MAX_MS)
        at -= 1;
    if (op->within_ms && head->class_skip < head->class_len) {
        /* where running out of time tells nothing, a start may stay behind until the key is touched: one wake-up when the last one is due */
        bool tells = op->has_absence || op->m->timeout_rows || head->cands.len > 0 || op->m->rows == CEP_ROWS_ALL_UNMATCHED;
        int64_t expiry = head->starts[tells ? head->class_skip : head->class_len - 1].time_ms + op->within_ms - 1;
        if (expiry < at)
            at = expiry;
    }
    return at;
}

bool cep_match_head_live(const struct match_head *head) { return head->class_skip < head->class_len || head->cands.len > 0; }

uint64_t cep_match_head_keep_from(const struct match_op *op, const struct match_head *head)
{
    uint64_t from = head->next_seq;
    if (head->class_skip < head->class_len && head->first_start < from)
        from = head->first_start;
    for (size_t i = 0; i < head->cands.len; i++)
        if (head->cands.at[i].start < from)
            from = head->cands.at[i].start;
    if (op->m->rows == CEP_ROWS_ALL_UNMATCHED && head->unmatched_next < from)
        from = head->unmatched_next;
    uint64_t back = op->m->lookback;
    return from > back ? from - back : 1;
}
