/* Classes: starts that share their thread list. Memory, union-find, stepping, merging. */
#include "cep/match/class.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "cep/match/config.h"
#include "cep/match/park.h"

#define FEW_THREADS 1024 /* lists with more are hardly met again, and may have been cut by a limit */

void cep_match_head_init(struct match_head *head)
{
    *head = (struct match_head){ .next_seq = 1, .first_start = 1, .unmatched_next = 1 };
}

void cep_match_head_finish(struct match_head *head)
{
    base_free(head->block);
    cep_match_parked_free(head);
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
    if (!rc)
        rc = cep_match_parked_copy(from, to);
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
    copy.parked = to->parked;
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

uint32_t *cep_match_class_slot(const struct match_head *head, uint64_t seq)
{
    return &head->starts[head->class_skip + (seq - head->first_start)].id;
}

int64_t cep_match_start_time(const struct match_head *head, uint64_t seq)
{
    return head->starts[head->class_skip + (seq - head->first_start)].time_ms;
}

uint64_t cep_match_starts_end(const struct match_head *head)
{
    return head->first_start + (head->class_len - head->class_skip);
}

uint32_t cep_match_class_at(const struct match_head *head, uint64_t seq)
{
    if (seq < head->first_start || seq >= cep_match_starts_end(head))
        return MATCH_NO_CLASS;
    return cep_match_find(head, *cep_match_class_slot(head, seq));
}

/* Class ids are given out per row; the dead ones are squeezed out once they outnumber rows and classes together. */
void cep_match_renumber(struct match_head *head)
{
    uint32_t classes = head->classes + cep_match_parked_count(head);
    if (head->parent_count < 16 || head->parent_count < 2 * classes + (head->class_len - head->class_skip) / 2)
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
    next = cep_match_parked_renumber(head, next);
    for (uint32_t i = head->class_skip; i < head->class_len; i++)
        if (head->starts[i].id != MATCH_NO_CLASS)
            head->starts[i].id = head->parents[head->starts[i].id];
    for (uint32_t i = 0; i < next; i++)
        head->parents[i] = i;
    head->parent_count = next;
    cep_match_parked_placed(head);
}

int cep_match_append_start(struct match_head *head, uint64_t seq, int64_t time_ms, uint32_t id)
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

void cep_match_pop_dead(struct match_head *head)
{
    while (head->class_skip < head->class_len && cep_match_find(head, head->starts[head->class_skip].id) == MATCH_NO_CLASS) {
        head->class_skip++;
        head->first_start++;
    }
}

struct match_class *cep_match_class_of(const struct match_head *head, uint32_t id)
{
    struct match_class *class = cep_match_parked_class(head, id);
    return class ? class : cep_match_class_in(head->blob, head->blob_used, id);
}

struct match_class *cep_match_class_in(char *blob, uint32_t used, uint32_t id)
{
    for (uint32_t off = 0; off < used;) {
        struct match_class *class = (struct match_class *)(void *)(blob + off);
        if (class->id == id)
            return class;
        off += class->bytes;
    }
    return NULL;
}

uint32_t cep_match_blob_id(const struct match_head *head, uint32_t nth)
{
    const char *at = head->blob;
    for (; nth > 0; nth--)
        at += ((const struct match_class *)(const void *)at)->bytes;
    return ((const struct match_class *)(const void *)at)->id;
}

void cep_match_remove_class(struct match_head *head, struct match_class *class)
{
    char *at = (char *)class;
    uint32_t bytes = class->bytes;
    head->parents[class->id] = MATCH_NO_CLASS;
    memmove(at, at + bytes, (size_t)(head->blob + head->blob_used - (at + bytes)));
    head->blob_used -= bytes;
    head->classes--;
}

/* The start is dead: its class may have to look for its next earliest one. */
void cep_match_kill_start(struct match_head *head, uint64_t seq)
{
    uint32_t *slot = cep_match_class_slot(head, seq);
    uint32_t id = cep_match_find(head, *slot);
    *slot = MATCH_NO_CLASS;
    if (id == MATCH_NO_CLASS)
        return;
    if (head->parked) {
        cep_match_parked_kill(head, id);
        return;
    }
    struct match_class *class = cep_match_class_in(head->blob, head->blob_used, id);
    if (!class || class->min_seq != seq)
        return;
    for (uint64_t next = seq + 1; next < cep_match_starts_end(head); next++) {
        if (cep_match_find(head, *cep_match_class_slot(head, next)) == id) {
            class->min_seq = next;
            return;
        }
    }
    cep_match_remove_class(head, class);
}

/* ---- the new blob ---- */

static int scratch_reserve(struct match_op *op, uint32_t bytes)
{
    if (op->scratch_cap - op->scratch_used >= bytes)
        return 0;
    uint32_t cap = op->scratch_cap ? op->scratch_cap : 512;
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

bool cep_match_was_accepted(const struct match_op *op, uint32_t id)
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
        if (!cep_match_was_accepted(op, class->id)) /* an accepting class takes no others in until its starts were seen */
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
    bool wide = op->class_table_cap > 4096 && op->scratch_classes < op->class_table_cap / 16; /* it was made for another key, or before classes were parked */
    op->scratch_used = 0;
    op->scratch_classes = 0;
    cep_match_absorb_begin(op);
    if (wide) {
        base_free(op->class_table);
        op->class_table = NULL;
        op->class_table_cap /= 8;
    }
    if (!op->class_table)
        return table_grow(op);
    memset(op->class_table, 0, op->class_table_cap * sizeof *op->class_table);
    return 0;
}

/* Writes op->out as a class behind the scratch blob without taking it in; returns its header. */
int cep_match_write_class(struct match_op *op, struct match_class **ret)
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
int cep_match_intern_class(struct match_op *op, struct match_head *head, struct match_class *class, struct match_class **ret)
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
            other->pad += class->pad;
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
    return cep_match_absorb_note(op, class);
}

int cep_match_new_class_id(struct match_head *head, uint32_t *ret)
{
    int rc = cep_match_head_reserve(head, 0, head->parent_count + 1, 0);
    if (rc)
        return rc;
    *ret = head->parent_count;
    head->parents[head->parent_count++] = *ret;
    return 0;
}

int cep_match_load_threads(struct match_op *op, const struct match_class *class)
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

bool cep_match_few_threads(const struct match_op *op) { return op->out.len < FEW_THREADS && op->out.len < cep_flow_limits(op->op.flow)->threads_per_key; }

int cep_match_write_known(struct match_op *op, const struct match_class *known, struct match_class **ret)
{
    int rc = scratch_reserve(op, known->bytes);
    if (rc)
        return rc;
    *ret = (struct match_class *)(void *)(op->scratch + op->scratch_used);
    memcpy(*ret, known, known->bytes);
    return 0;
}

/* A class whose step over this row was met before. */
static int step_known(struct match_op *op, struct match_head *head, const struct match_class *old, const struct match_class *known)
{
    struct match_class *class;
    if (known->threads == 0) {
        head->parents[old->id] = MATCH_NO_CLASS;
        return 0;
    }
    uint32_t id = old->id, starts = old->pad;
    uint64_t min_seq = old->min_seq;
    int rc = cep_match_write_known(op, known, &class);
    if (rc)
        return rc;
    class->id = id;
    class->pad = starts;
    class->min_seq = min_seq;
    return cep_match_intern_class(op, head, class, &class);
}

/* Steps every class; the new ones stand in scratch. Accepting classes keep an identity of their own for handle_accepts: they are written before any merge. */
int cep_match_step_classes(struct match_op *op, struct match_head *head)
{
    struct match_configs *steps = op->mode == MATCH_STEP_ROW && !op->absorb ? op->steps : NULL; /* what is absorbed hangs on other classes */
    op->accepted_count = 0;
    int rc = scratch_begin(op);
    for (uint32_t off = 0; off < head->blob_used && !rc;) {
        const struct match_class *old = (const struct match_class *)(const void *)(head->blob + off);
        off += old->bytes;
        struct match_class *class;
        const struct match_class *known = steps ? cep_match_config_recall(steps, old) : NULL;
        if (known) {
            rc = step_known(op, head, old, known);
            continue;
        }
        uint64_t errors = op->row_errors;
        rc = cep_match_load_threads(op, old);
        op->whole_row = op->absorb != NULL;
        if (!rc)
            rc = cep_match_step(op, op->in.at, (uint32_t)op->in.len);
        op->whole_row = false;
        if (rc)
            break;
        bool fewer = cep_match_absorb(op, old->min_seq);
        if (!fewer && unchanged(op)) {
            rc = scratch_reserve(op, old->bytes);
            if (rc)
                break;
            class = (struct match_class *)(void *)(op->scratch + op->scratch_used);
            memcpy(class, old, old->bytes);
        } else {
            rc = cep_match_write_class(op, &class);
            if (rc)
                break;
            class->id = old->id;
            class->pad = old->pad;
            class->min_seq = old->min_seq;
        }
        if (steps && !op->accepted && op->row_errors == errors && cep_match_few_threads(op))
            rc = cep_match_config_learn(steps, old, op->out.len ? class : NULL);
        if (rc)
            break;
        if (op->accepted) {
            /* kept as it is, also without threads, until handle_accepts has seen its starts */
            rc = note_accepted(op, class->id);
            op->scratch_used += class->bytes;
            op->scratch_classes++;
            if (!rc)
                rc = cep_match_absorb_note(op, class);
        } else if (op->out.len == 0) {
            head->parents[class->id] = MATCH_NO_CLASS;
        } else {
            rc = cep_match_intern_class(op, head, class, &class);
        }
    }
    return rc;
}

/* The scratch blob becomes the head's. */
int cep_match_swap_blob(struct match_op *op, struct match_head *head)
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

/* The classes moved to the head's blob while acceptances were handled: they are brought back for the new start to join. */
int cep_match_reload_scratch(struct match_op *op, struct match_head *head)
{
    int rc = scratch_begin(op);
    for (uint32_t off = 0; off < head->blob_used && !rc;) {
        const struct match_class *old = (const struct match_class *)(const void *)(head->blob + off);
        rc = scratch_reserve(op, old->bytes);
        if (!rc) {
            struct match_class *class = (struct match_class *)(void *)(op->scratch + op->scratch_used);
            memcpy(class, old, old->bytes);
            rc = cep_match_intern_class(op, head, class, &class);
        }
        off += old->bytes;
    }
    return rc;
}
