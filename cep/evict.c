/* Cold keys leave memory. */
#include "base/time.h"
#include "cep/operator.h"

int64_t cep_evict(struct cep_operator *op, uint64_t budget_bytes)
{
    struct cep_keyed *keyed = &op->keyed;
    uint64_t steps = keyed->slots ? 2 * (keyed->mask + 1) : 0;
    int64_t least_ms = BASE_TIME_MAX_MS;
    for (; steps > 0 && keyed->bytes > budget_bytes; steps--) {
        struct cep_key *key = cep_slot_key(keyed->slots[keyed->hand]);
        keyed->hand = (keyed->hand + 1) & keyed->mask;
        if (!key || key->dirty || !key->stored || (key->state && op->ops->pinned && op->ops->pinned(op, key)))
            continue;
        if (key->used) {
            key->used = false;
            continue;
        }
        int64_t deadline_ms = key->state ? op->ops->deadline(op, key) : key->armed_ms;
        if (deadline_ms <= op->watermark_ms)
            continue; /* woken soon */
        if (key->state)
            op->ops->free_state(op, key);
        cep_keyed_account(keyed, key, 0);
        cep_keyed_remove(keyed, key);
        least_ms = deadline_ms < least_ms ? deadline_ms : least_ms;
    }
    if (keyed->lingering > budget_bytes / 8)
        cep_keyed_sweep(keyed);
    return least_ms;
}
