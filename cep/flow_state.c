/* State of a flow: checkpoints, eviction, restoring, watermarks, figures. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/flow_internal.h"

#define NEAR_KEYS 12   /* so many keys before its turn, a changed key is brought near, */
#define NEAR_STATES 4  /* what it has beyond its block, */

struct piece_ctx { cep_flow_piece *fn; void *ctx; uint64_t fingerprint; struct cep_key *key; uint32_t key_group; int64_t deadline_ms; };

static int forward_piece(void *ctx, uint32_t piece, const void *bytes, size_t len)
{
    struct piece_ctx *p = ctx;
    return p->fn(p->ctx, p->fingerprint, p->key_group, &p->key->tuple, piece, bytes, len, p->deadline_ms);
}

static int drop_key(struct cep_operator *op, struct cep_key *key, struct piece_ctx *p)
{
    int rc = 0;
    if (key->stored) {
        uint32_t first = 0, end = 0;
        if (op->ops->pieces && key->state)
            op->ops->pieces(op, key, &first, &end);
        p->deadline_ms = op->ops->pinned ? CEP_AT_START : BASE_TIME_MAX_MS;
        rc = forward_piece(p, 0, NULL, 0);
        for (uint32_t i = first; i < end && !rc; i++)
            rc = i ? forward_piece(p, i, NULL, 0) : 0;
    }
    if (rc)
        return rc;
    op->ops->free_state(op, key);
    cep_keyed_account(&op->keyed, key, 0);
    cep_keyed_clean(&op->keyed, key);
    cep_keyed_remove(&op->keyed, key);
    return 0;
}

int64_t cep_flow_evicted_ms(struct cep_flow *flow)
{
    int64_t at_ms = flow->evicted_ms;
    flow->evicted_ms = BASE_TIME_MAX_MS;
    return at_ms;
}

static int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

/* Changed keys are saved from the last one on; they lie all over. */
static void bring_changed(const struct cep_operator *op)
{
    size_t len = op->keyed.dirty.len;
    if (len > NEAR_KEYS) {
        const char *soon = (const char *)op->keyed.dirty.at[len - 1 - NEAR_KEYS];
        __builtin_prefetch(soon);
        __builtin_prefetch(soon + 64);
        __builtin_prefetch(soon + 128);
    }
    if (len > NEAR_STATES && op->ops->near)
        op->ops->near(op, op->keyed.dirty.at[len - 1 - NEAR_STATES]);
}

uint64_t cep_flow_changed_bytes(const struct cep_flow *flow)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++) {
        const struct cep_keyed *keyed = flow->nodes[i].op ? &flow->nodes[i].op->keyed : NULL;
        if (keyed && keyed->count && flow->nodes[i].op->ops->save)
            sum += keyed->dirty.len * (keyed->bytes / keyed->count);
    }
    return sum;
}

int cep_flow_checkpoint(struct cep_flow *flow, cep_flow_piece *piece, void *ctx)
{
    int rc = cep_flow_finish_restore(flow);
    uint32_t operators = 0;
    cep_flow_rouse_all(flow);
    bool full = flow->limits.state_bytes && flow->env.load && cep_flow_state_bytes(flow) > flow->limits.state_bytes;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++)
        operators += flow->nodes[i].op != NULL;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program) && !rc; i++) {
        struct cep_operator *op = flow->nodes[i].op;
        if (!op || !op->ops->save)
            continue;
        struct piece_ctx p = { .fn = piece, .ctx = ctx, .fingerprint = cep_program_node(flow->program, i)->fingerprint };
        if (full) /* before this checkpoint's pieces go out: what goes has been in the store since an earlier one */
            flow->evicted_ms = least_of(flow->evicted_ms, cep_evict(op, (flow->limits.state_bytes - flow->limits.state_bytes / 4) / (operators ? operators : 1)));
        for (struct cep_key *key; !rc && (key = cep_keyed_dirty(&op->keyed)) != NULL;) {
            bring_changed(op);
            p.key = key;
            p.key_group = (uint32_t)(cep_key_hash(&key->tuple) % CEP_KEY_GROUPS);
            if (!key->state || op->ops->idle(op, key)) {
                rc = drop_key(op, key, &p);
                continue;
            }
            p.deadline_ms = op->ops->pinned && op->ops->pinned(op, key) ? CEP_AT_START : op->ops->deadline(op, key);
            rc = op->ops->save(op, key, false, forward_piece, &p);
            if (rc)
                break;
            cep_keyed_clean(&op->keyed, key);
            key->stored = true;
        }
    }
    return rc;
}

static struct cep_operator *by_fingerprint(struct cep_flow *flow, uint64_t fingerprint)
{
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++)
        if (flow->nodes[i].op && cep_program_node(flow->program, i)->fingerprint == fingerprint)
            return flow->nodes[i].op;
    return NULL;
}

int cep_flow_restore(struct cep_flow *flow, uint64_t node_fingerprint, const struct cep_tuple *tuple, uint32_t piece, const void *bytes, size_t len)
{
    struct cep_operator *op = by_fingerprint(flow, node_fingerprint);
    if (!op || !op->ops->load)
        return BASE_E_NOTFOUND;
    cep_flow_rouse_all(flow);
    struct cep_key *key;
    bool added;
    int rc = cep_keyed_get(&op->keyed, tuple, &key, &added);
    if (rc)
        return rc;
    if (piece == 0 || !key->state) {
        struct restored restored = { op, key };
        if (!BASE_VEC_PUSH(&flow->restored, restored))
            return BASE_E_NOMEM;
    }
    return op->ops->load(op, key, piece, bytes, len);
}

int cep_flow_restore_timer(struct cep_flow *flow, uint64_t node_fingerprint, const struct cep_tuple *tuple, int64_t deadline_ms)
{
    struct cep_operator *op = by_fingerprint(flow, node_fingerprint);
    if (!op)
        return BASE_E_NOTFOUND;
    cep_flow_rouse_all(flow);
    struct cep_key *key;
    bool added;
    int rc = cep_keyed_get(&op->keyed, tuple, &key, &added);
    if (rc)
        return rc;
    if (added) {
        key->cold = true;
        key->stored = true;
    }
    flow->asleep |= deadline_ms == CEP_AT_START;
    return deadline_ms == CEP_AT_START ? 0 : cep_keyed_arm(&op->keyed, key, deadline_ms);
}

int cep_flow_watermarks(struct cep_flow *flow, struct base_buf *out)
{
    cep_flow_rouse_all(flow);
    base_buf_put_u8(out, 1);
    base_buf_put_varint(out, cep_program_node_count(flow->program));
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++) {
        base_buf_put_u64(out, cep_program_node(flow->program, i)->fingerprint);
        base_buf_put_u64(out, (uint64_t)flow->nodes[i].in_ms);
        base_buf_put_u64(out, (uint64_t)flow->nodes[i].out_ms);
    }
    return out->failed ? BASE_E_NOMEM : 0;
}

int cep_flow_restore_watermarks(struct cep_flow *flow, const void *bytes, size_t len)
{
    struct base_reader in = base_reader_of(bytes, len);
    uint8_t version = base_read_u8(&in);
    uint64_t count = base_read_varint(&in);
    if (in.failed || version != 1 || count > len)
        return BASE_E_CORRUPT;
    cep_flow_rouse_all(flow);
    for (uint64_t k = 0; k < count; k++) {
        uint64_t fingerprint = base_read_u64(&in);
        int64_t in_ms = (int64_t)base_read_u64(&in), out_ms = (int64_t)base_read_u64(&in);
        if (in.failed)
            return BASE_E_CORRUPT;
        for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++) {
            if (cep_program_node(flow->program, i)->fingerprint != fingerprint)
                continue;
            flow->nodes[i].in_ms = in_ms;
            flow->nodes[i].out_ms = out_ms;
            if (flow->nodes[i].op)
                flow->nodes[i].op->watermark_ms = in_ms;
        }
    }
    return 0;
}

uint64_t cep_flow_touched(const struct cep_flow *flow)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++)
        sum += flow->nodes[i].op ? flow->nodes[i].op->keyed.marks : 0;
    return sum;
}


uint64_t cep_flow_state_bytes(const struct cep_flow *flow)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++)
        if (flow->nodes[i].op)
            sum += flow->nodes[i].op->keyed.bytes + flow->nodes[i].op->keyed.lingering + cep_keyed_slack(&flow->nodes[i].op->keyed);
    return sum;
}

void cep_flow_stats(const struct cep_flow *flow, uint32_t node, struct cep_flow_stats *ret)
{
    *ret = (struct cep_flow_stats){ 0 };
    for (uint32_t i = 0; i < cep_program_node_count(flow->program); i++)
        if (flow->nodes[i].op && (node == CEP_NONE || node == i) && flow->nodes[i].op->ops->stats)
            flow->nodes[i].op->ops->stats(flow->nodes[i].op, ret);
}
