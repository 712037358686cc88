/* Wake-ups in event time: (time, key) pairs, taken out in order of time as the watermark rises. Two rings of slots (half a second, two minutes wide) whose entries
 * are only put in order when their slot is reached, in one go by counting their milliseconds, and heaps for what comes into a slot that is reached and for what lies
 * beyond the rings: adding costs one append and taking out one step, also with millions of entries. A few entries are one short list in order of time: the rings take 8 KiB,
 * and of a thousand rules most have hardly ever a key. Used by cep/keyed.c alone; knows nothing of keys but their pointer. Shard thread only. */
#ifndef CEP_WHEEL_H
#define CEP_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

struct cep_key;
struct cep_timer { int64_t at_ms; struct cep_key *key; };
struct cep_timers { struct cep_timer *at; uint32_t len, cap; };
/* An entry of a slot: the key's address without the bits that are always 0, above the time's last CEP_WHEEL_BITS + CEP_WHEEL_FINE_SHIFT bits; the slot says the others. */
struct cep_briefs { uint64_t *at; uint32_t len, cap; };
#define CEP_WHEEL_FINE_SHIFT 9 /* a fine slot is 512 ms wide, a coarse one CEP_WHEEL_SLOTS of them */
#define CEP_WHEEL_BITS 8
#define CEP_WHEEL_SLOTS (1 << CEP_WHEEL_BITS)
struct cep_wheel_rings { struct cep_briefs fine[CEP_WHEEL_SLOTS], coarse[CEP_WHEEL_SLOTS]; };
struct cep_wheel {
    struct cep_timers near; /* in order: what the slot below next_fine held; without rings: all there is */
    uint32_t near_at;       /* the first of them that is not taken */
    struct cep_timers late; /* heap: what was added below next_fine since */
    struct cep_timers far;  /* heap: beyond the coarse ring */
    struct cep_wheel_rings *rings; /* NULL until there are more than a few entries */
    int64_t next_fine;      /* first fine slot that is not opened */
    int64_t next_coarse;    /* first coarse slot that is not opened: the fine ring reaches up to it */
    uint64_t fine_count, coarse_count;
};
void cep_wheel_finish(struct cep_wheel *wheel);
int cep_wheel_add(struct cep_wheel *wheel, struct cep_timer timer) BASE_MUST_CHECK;
/* Takes out the first entry at or below now_ms; *ret_any false: there is none. BASE_E_NOMEM: ask again. */
int cep_wheel_take(struct cep_wheel *wheel, int64_t now_ms, struct cep_timer *ret, bool *ret_any) BASE_MUST_CHECK;
/* Is nothing to be taken at now_ms, nor to be put in order? Most watermarks wake nobody: with many rules that is asked for each of them. */
static inline bool cep_wheel_quiet(const struct cep_wheel *wheel, int64_t now_ms)
{
    bool near = wheel->near_at < wheel->near.len && wheel->near.at[wheel->near_at].at_ms <= now_ms;
    return !near && wheel->late.len == 0 && (!wheel->rings || wheel->next_fine > now_ms >> CEP_WHEEL_FINE_SHIFT);
}
/* The last time for which that is so for certain, if nothing is added; below BASE_TIME_MAX_MS. Goes through the rings' slots. */
int64_t cep_wheel_quiet_until(const struct cep_wheel *wheel);
/* The key that comes a few after the next one, if it is known; NULL: it is not. */
static inline struct cep_key *cep_wheel_peek(const struct cep_wheel *wheel, uint32_t after)
{
    return after < wheel->near.len - wheel->near_at ? wheel->near.at[wheel->near_at + after].key : NULL;
}
/* Takes out the entries whose key `gone` says true of; it is asked once for every entry, in no order. */
void cep_wheel_sweep(struct cep_wheel *wheel, bool (*gone)(void *ctx, struct cep_key *key), void *ctx);
/* Once for every entry, in no order. */
void cep_wheel_each(const struct cep_wheel *wheel, void (*each)(void *ctx, struct cep_key *key), void *ctx);

#endif
