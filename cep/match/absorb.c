/* Absorption of later starts: where nothing can tell two threads apart and the match of the earlier start covers the later one, the later start's thread is
 * dropped (docs/engine.md, Claim 13). So all starts together have as many threads as one start can have. */
#include "cep/match/class.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#define ABSORB_ROOM_FIRST 256

/* Threads that earlier starts have after the row under way, by their place in the scratch blob. What has neither registers nor guards is known by its pc alone. */
struct match_absorb {
    uint32_t *pcs, stamp;      /* per pc: stamp of the row at which a plain thread rests there */
    struct absorbed { uint64_t hash; uint32_t at, stamp; } *table;
    uint32_t cap, used;
    uint64_t youngest;         /* start of the youngest class taken in */
};

int cep_match_absorb_init(struct match_op *op)
{
    op->absorb = NULL;
    if (!op->early_discard || op->within_ms || op->sequential || op->m->timeout_rows || cep_flow_traces(op->op.flow))
        return 0;
    struct match_absorb *absorb = base_calloc(1, sizeof *absorb);
    if (!absorb)
        return BASE_E_NOMEM;
    op->absorb = absorb;
    absorb->pcs = base_calloc(op->m->nfas.count ? op->m->nfas.count : 1, sizeof *absorb->pcs);
    absorb->table = base_calloc(ABSORB_ROOM_FIRST, sizeof *absorb->table);
    absorb->cap = ABSORB_ROOM_FIRST;
    return absorb->pcs && absorb->table ? 0 : BASE_E_NOMEM;
}

void cep_match_absorb_finish(struct match_op *op)
{
    if (!op->absorb)
        return;
    base_free(op->absorb->pcs);
    base_free(op->absorb->table);
    base_free(op->absorb);
    op->absorb = NULL;
}

void cep_match_absorb_begin(struct match_op *op)
{
    struct match_absorb *absorb = op->absorb;
    if (!absorb)
        return;
    cep_match_forget_seen(op);
    absorb->used = 0;
    absorb->youngest = 0;
    if (++absorb->stamp == 0) {
        memset(absorb->pcs, 0, op->m->nfas.count * sizeof *absorb->pcs);
        memset(absorb->table, 0, absorb->cap * sizeof *absorb->table);
        absorb->stamp = 1;
    }
}

static bool is_plain(const struct match_op *op, uint32_t pc, uint32_t guards) { return guards == 0 && op->nfas[pc].live.count == 0; }

static uint64_t hash_of(uint32_t pc, uint32_t guards, const void *regs, size_t bytes)
{
    return base_hash64(regs, bytes, (uint64_t)pc << 32 | guards);
}

static bool is_absorbed(const struct match_op *op, const struct match_thread *thread)
{
    const struct match_absorb *absorb = op->absorb;
    if (is_plain(op, thread->pc, thread->guards))
        return absorb->pcs[thread->pc] == absorb->stamp;
    uint32_t bytes = thread->regs ? thread->regs->size_bytes : 0;
    uint64_t hash = hash_of(thread->pc, thread->guards, thread->regs, bytes);
    for (uint32_t at = (uint32_t)hash & (absorb->cap - 1); absorb->table[at].stamp == absorb->stamp; at = (at + 1) & (absorb->cap - 1)) {
        struct match_stored_thread stored;
        if (absorb->table[at].hash != hash)
            continue;
        memcpy(&stored, op->scratch + absorb->table[at].at, sizeof stored);
        if (stored.pc == thread->pc && stored.guards == thread->guards && stored.regs_bytes == bytes &&
            (bytes == 0 || memcmp(op->scratch + absorb->table[at].at + sizeof stored, thread->regs, bytes) == 0))
            return true;
    }
    return false;
}

bool cep_match_absorb(struct match_op *op, uint64_t start)
{
    if (!op->absorb || start <= op->absorb->youngest)
        return false;
    size_t kept = 0;
    for (size_t i = 0; i < op->out.len; i++)
        if (!is_absorbed(op, &op->out.at[i]))
            op->out.at[kept++] = op->out.at[i];
    bool some = kept < op->out.len;
    op->out.len = kept;
    return some;
}

static void put(struct match_absorb *absorb, struct absorbed entry)
{
    uint32_t at = (uint32_t)entry.hash & (absorb->cap - 1);
    while (absorb->table[at].stamp == absorb->stamp)
        at = (at + 1) & (absorb->cap - 1);
    absorb->table[at] = entry;
}

static int grow(struct match_absorb *absorb)
{
    struct absorbed *old = absorb->table;
    uint32_t cap = absorb->cap;
    if (cap > UINT32_MAX / 4)
        return BASE_E_LIMIT;
    absorb->table = base_calloc((size_t)cap * 2, sizeof *old);
    if (!absorb->table) {
        absorb->table = old;
        return BASE_E_NOMEM;
    }
    absorb->cap = cap * 2;
    for (uint32_t i = 0; i < cap; i++)
        if (old[i].stamp == absorb->stamp)
            put(absorb, old[i]);
    base_free(old);
    return 0;
}

int cep_match_absorb_note(struct match_op *op, const struct match_class *class)
{
    struct match_absorb *absorb = op->absorb;
    if (!absorb)
        return 0;
    if (class->min_seq > absorb->youngest)
        absorb->youngest = class->min_seq;
    const char *at = (const char *)(class + 1);
    for (uint32_t i = 0; i < class->threads; i++) {
        struct match_stored_thread stored;
        memcpy(&stored, at, sizeof stored);
        if (is_plain(op, stored.pc, stored.guards)) {
            absorb->pcs[stored.pc] = absorb->stamp;
        } else {
            if (2 * (absorb->used + 1) > absorb->cap) {
                int rc = grow(absorb);
                if (rc)
                    return rc;
            }
            put(absorb, (struct absorbed){ .hash = hash_of(stored.pc, stored.guards, at + sizeof stored, stored.regs_bytes), .at = (uint32_t)(at - op->scratch),
                                           .stamp = absorb->stamp });
            absorb->used++;
        }
        at += sizeof stored + stored.regs_bytes;
    }
    return 0;
}
