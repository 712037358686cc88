#include "cep/wheel.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"

#define FINE_SHIFT CEP_WHEEL_FINE_SHIFT
#define FINE_MS (1 << FINE_SHIFT)
#define MASK (CEP_WHEEL_SLOTS - 1)
#define GENTLY 4096 /* slots with so many entries no longer double */
#define FEW_TIMERS 32 /* so many need no rings */
#define KEEP_MOST 64 /* entries whose memory an emptied slot keeps for the next turn: with a million keys the slots of one turn would hold 25 bytes for each */

static int64_t fine_of(int64_t at_ms) { return at_ms >> FINE_SHIFT; }
static int64_t coarse_of(int64_t fine) { return fine >> CEP_WHEEL_BITS; }

static int append(struct cep_timers *to, struct cep_timer timer)
{
    if (to->len == to->cap) {
        if (to->cap > UINT32_MAX / 4)
            return BASE_E_LIMIT;
        uint32_t cap = to->cap ? to->cap * 2 : 8;
        struct cep_timer *at = base_realloc(to->at, cap * sizeof *at);
        if (!at)
            return BASE_E_NOMEM;
        to->at = at;
        to->cap = cap;
    }
    to->at[to->len++] = timer;
    return 0;
}

/* ---- entries of slots ---- */

#define BRIEF_BITS (FINE_SHIFT + CEP_WHEEL_BITS)
#define BRIEF_MASK ((UINT64_C(1) << BRIEF_BITS) - 1)
#define KEY_SHIFT 4 /* keys lie at multiples of 16, below 2^48: cep/keyed.c sees to it */

static uint64_t brief_of(struct cep_timer timer)
{
    return (uint64_t)(uintptr_t)timer.key >> KEY_SHIFT << BRIEF_BITS | ((uint64_t)timer.at_ms & BRIEF_MASK);
}
static struct cep_key *brief_key(uint64_t brief) { return (struct cep_key *)(uintptr_t)(brief >> BRIEF_BITS << KEY_SHIFT); }
/* coarse: number of the coarse slot that it lies in, or whose fine slot it lies in. */
static struct cep_timer timer_of(uint64_t brief, int64_t coarse)
{
    return (struct cep_timer){ .at_ms = (int64_t)((uint64_t)coarse << BRIEF_BITS | (brief & BRIEF_MASK)), .key = brief_key(brief) };
}

static int append_brief(struct cep_briefs *to, uint64_t brief)
{
    if (to->len == to->cap) {
        if (to->cap > UINT32_MAX / 4)
            return BASE_E_LIMIT;
        uint32_t cap = to->cap < 8 ? 8 : to->cap < GENTLY ? to->cap * 2 : to->cap + to->cap / 4;
        uint64_t *at = base_realloc(to->at, cap * sizeof *at);
        if (!at)
            return BASE_E_NOMEM;
        to->at = at;
        to->cap = cap;
    }
    to->at[to->len++] = brief;
    return 0;
}

/* ---- heaps ---- */

static void sift_up(struct cep_timers *heap, uint32_t at)
{
    struct cep_timer timer = heap->at[at];
    for (; at > 0 && heap->at[(at - 1) / 2].at_ms > timer.at_ms; at = (at - 1) / 2)
        heap->at[at] = heap->at[(at - 1) / 2];
    heap->at[at] = timer;
}

static void sift_down(struct cep_timers *heap, uint32_t at)
{
    struct cep_timer timer = heap->at[at];
    for (uint32_t child; (child = 2 * at + 1) < heap->len; at = child) {
        if (child + 1 < heap->len && heap->at[child + 1].at_ms < heap->at[child].at_ms)
            child++;
        if (timer.at_ms <= heap->at[child].at_ms)
            break;
        heap->at[at] = heap->at[child];
    }
    heap->at[at] = timer;
}

static int push(struct cep_timers *heap, struct cep_timer timer)
{
    int rc = append(heap, timer);
    if (!rc)
        sift_up(heap, heap->len - 1);
    return rc;
}

static struct cep_timer pop(struct cep_timers *heap)
{
    struct cep_timer top = heap->at[0];
    heap->at[0] = heap->at[--heap->len];
    if (heap->len > 1)
        sift_down(heap, 0);
    return top;
}

/* ---- the wheel ---- */

static void free_rings(struct cep_wheel *wheel)
{
    for (uint32_t i = 0; wheel->rings && i < CEP_WHEEL_SLOTS; i++) {
        base_free(wheel->rings->fine[i].at);
        base_free(wheel->rings->coarse[i].at);
    }
    base_free(wheel->rings);
    wheel->rings = NULL;
    wheel->fine_count = wheel->coarse_count = 0;
}

void cep_wheel_finish(struct cep_wheel *wheel)
{
    free_rings(wheel);
    base_free(wheel->near.at);
    base_free(wheel->late.at);
    base_free(wheel->far.at);
    *wheel = (struct cep_wheel){ 0 };
}

/* One of a few: in order of time, behind those of the same time. */
static int add_few(struct cep_wheel *wheel, struct cep_timer timer)
{
    struct cep_timers *near = &wheel->near;
    if (near->len == near->cap && wheel->near_at) {
        near->len -= wheel->near_at;
        memmove(near->at, near->at + wheel->near_at, near->len * sizeof *near->at);
        wheel->near_at = 0;
    }
    int rc = append(near, timer);
    if (rc)
        return rc;
    uint32_t at = near->len - 1;
    for (; at > wheel->near_at && near->at[at - 1].at_ms > timer.at_ms; at--)
        near->at[at] = near->at[at - 1];
    near->at[at] = timer;
    return 0;
}

/* They are no longer few: all of them move into rings. On failure all is as before. */
static int open_rings(struct cep_wheel *wheel)
{
    struct cep_timers few = wheel->near;
    uint32_t from = wheel->near_at;
    int rc = 0;
    wheel->rings = base_calloc(1, sizeof *wheel->rings);
    if (!wheel->rings)
        return BASE_E_NOMEM;
    wheel->near.len = wheel->near_at = 0;
    wheel->next_fine = fine_of(few.at[from].at_ms);
    wheel->next_coarse = coarse_of(wheel->next_fine) + 1;
    for (uint32_t i = from; i < few.len && !rc; i++)
        rc = cep_wheel_add(wheel, few.at[i]);
    if (rc) {
        free_rings(wheel);
        wheel->far.len = 0;
        wheel->near = few;
        wheel->near_at = from;
    }
    return rc;
}

int cep_wheel_add(struct cep_wheel *wheel, struct cep_timer timer)
{
    int64_t fine = fine_of(timer.at_ms), coarse = coarse_of(fine);
    if (!wheel->rings && wheel->near.len - wheel->near_at < FEW_TIMERS)
        return add_few(wheel, timer);
    int opened = wheel->rings ? 0 : open_rings(wheel);
    if (opened)
        return opened;
    if (fine < wheel->next_fine)
        return push(&wheel->late, timer);
    if (coarse >= wheel->next_coarse + CEP_WHEEL_SLOTS)
        return push(&wheel->far, timer);
    bool near = coarse < wheel->next_coarse;
    int rc = append_brief(near ? &wheel->rings->fine[fine & MASK] : &wheel->rings->coarse[coarse & MASK], brief_of(timer));
    if (!rc)
        *(near ? &wheel->fine_count : &wheel->coarse_count) += 1;
    return rc;
}

/* The fine ring takes over what the next coarse slot holds. In place on failure: what was moved is moved, the rest stays where it was. */
static int open_coarse(struct cep_wheel *wheel)
{
    struct cep_briefs *slot = &wheel->rings->coarse[wheel->next_coarse & MASK];
    for (; slot->len; slot->len--, wheel->coarse_count--) {
        uint64_t brief = slot->at[slot->len - 1];
        int rc = append_brief(&wheel->rings->fine[brief >> FINE_SHIFT & MASK], brief);
        if (rc)
            return rc;
        wheel->fine_count++;
    }
    base_free(slot->at); /* slots that were once full must not keep their memory for the next turn */
    *slot = (struct cep_briefs){ 0 };
    while (wheel->far.len && coarse_of(fine_of(wheel->far.at[0].at_ms)) <= wheel->next_coarse) {
        struct cep_timer timer = wheel->far.at[0];
        int rc = append_brief(&wheel->rings->fine[fine_of(timer.at_ms) & MASK], brief_of(timer));
        if (rc)
            return rc;
        wheel->fine_count++;
        pop(&wheel->far);
    }
    wheel->next_coarse++;
    /* what the coarse ring now reaches may stay in the far heap: it is looked at when its slot is opened */
    return 0;
}

#define FEW 48 /* fewer are put in order one by one */

/* Into order of time; those of the same time in the order in which they were added. */
static void insert_in_order(const uint64_t *from, uint32_t count, int64_t coarse, struct cep_timer *to)
{
    for (uint32_t i = 0; i < count; i++) {
        struct cep_timer timer = timer_of(from[i], coarse);
        uint32_t at = i;
        for (; at > 0 && to[at - 1].at_ms > timer.at_ms; at--)
            to[at] = to[at - 1];
        to[at] = timer;
    }
}

/* The same for many of one fine slot. */
static void count_in_order(const uint64_t *from, uint32_t count, int64_t coarse, struct cep_timer *to)
{
    uint32_t first[FINE_MS + 1] = { 0 };
    for (uint32_t i = 0; i < count; i++)
        first[(from[i] & (FINE_MS - 1)) + 1]++;
    for (uint32_t i = 1; i < FINE_MS; i++)
        first[i] += first[i - 1];
    for (uint32_t i = 0; i < count; i++)
        to[first[from[i] & (FINE_MS - 1)]++] = timer_of(from[i], coarse);
}

/* The next fine slot becomes what is near. */
static int open_fine(struct cep_wheel *wheel)
{
    struct cep_briefs *slot = &wheel->rings->fine[wheel->next_fine & MASK];
    struct cep_timers *near = &wheel->near;
    if (near->cap < slot->len) {
        struct cep_timer *at = base_alloc(slot->cap * sizeof *at);
        if (!at)
            return BASE_E_NOMEM;
        base_free(near->at);
        near->at = at;
        near->cap = slot->cap;
    }
    if (slot->len <= FEW)
        insert_in_order(slot->at, slot->len, coarse_of(wheel->next_fine), near->at);
    else
        count_in_order(slot->at, slot->len, coarse_of(wheel->next_fine), near->at);
    near->len = slot->len;
    wheel->near_at = 0;
    wheel->fine_count -= slot->len;
    slot->len = 0;
    if (slot->cap > KEEP_MOST) {
        base_free(slot->at);
        *slot = (struct cep_briefs){ 0 };
    }
    wheel->next_fine++;
    return 0;
}

/* One slot on, or over empty ones, at most up to `until`; nothing is near. */
static int advance(struct cep_wheel *wheel, int64_t until)
{
    int64_t ring_end = wheel->next_coarse * CEP_WHEEL_SLOTS;
    if (wheel->fine_count == 0) {
        int64_t to = until < ring_end ? until : ring_end;
        if (wheel->coarse_count == 0) {
            int64_t first = wheel->far.len ? fine_of(wheel->far.at[0].at_ms) : INT64_MAX;
            to = until < first ? until : first;
            if (to >= ring_end)
                wheel->next_coarse = coarse_of(to);
        }
        wheel->next_fine = to > wheel->next_fine ? to : wheel->next_fine;
        if (wheel->next_fine >= until)
            return 0;
        ring_end = wheel->next_coarse * CEP_WHEEL_SLOTS;
    }
    int64_t end = until < ring_end ? until : ring_end;
    while (wheel->next_fine < end && wheel->rings->fine[wheel->next_fine & MASK].len == 0)
        wheel->next_fine++;
    if (wheel->next_fine >= ring_end)
        return open_coarse(wheel);
    return wheel->next_fine < until ? open_fine(wheel) : 0;
}

#define NEAR_TIMERS 12 /* so many before its turn a key is brought near: the waits for memory overlap with what is done for those before it */

static void bring_near(const struct cep_wheel *wheel)
{
    __asm__ volatile("" ::: "memory"); /* as in flow_ahead.c: a function that only brings memory near is left out, as this one was */
    const char *key = (const char *)cep_wheel_peek(wheel, NEAR_TIMERS);
    if (!key)
        return;
    __builtin_prefetch(key);
    __builtin_prefetch(key + 64);
}

int cep_wheel_take(struct cep_wheel *wheel, int64_t now_ms, struct cep_timer *ret, bool *ret_any)
{
    int64_t until = fine_of(now_ms) + 1;
    *ret_any = false;
    for (;;) {
        bool near = wheel->near_at < wheel->near.len;
        if (wheel->late.len && (!near || wheel->late.at[0].at_ms < wheel->near.at[wheel->near_at].at_ms)) {
            *ret_any = wheel->late.at[0].at_ms <= now_ms;
            if (*ret_any)
                *ret = pop(&wheel->late);
            return 0;
        }
        if (near) {
            *ret = wheel->near.at[wheel->near_at];
            *ret_any = ret->at_ms <= now_ms;
            wheel->near_at += *ret_any;
            if (*ret_any)
                bring_near(wheel);
            return 0;
        }
        if (!wheel->rings || wheel->next_fine >= until)
            return 0;
        int rc = advance(wheel, until);
        if (rc)
            return rc;
    }
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t cep_wheel_quiet_until(const struct cep_wheel *wheel)
{
    int64_t first_ms = BASE_TIME_MAX_MS; /* no entry is earlier */
    if (wheel->near_at < wheel->near.len)
        first_ms = wheel->near.at[wheel->near_at].at_ms;
    if (wheel->late.len)
        first_ms = least(first_ms, wheel->late.at[0].at_ms);
    if (first_ms != BASE_TIME_MAX_MS)
        return first_ms == BASE_TIME_MIN_MS ? first_ms : first_ms - 1; /* the rings hold later ones */
    if (wheel->far.len)
        first_ms = least(first_ms, wheel->far.at[0].at_ms);
    if (wheel->fine_count) {
        int64_t fine = wheel->next_fine;
        while (fine < wheel->next_coarse * CEP_WHEEL_SLOTS && wheel->rings->fine[fine & MASK].len == 0)
            fine++;
        first_ms = least(first_ms, fine * FINE_MS);
    } else if (wheel->coarse_count) {
        int64_t coarse = wheel->next_coarse;
        while (coarse < wheel->next_coarse + CEP_WHEEL_SLOTS && wheel->rings->coarse[coarse & MASK].len == 0)
            coarse++;
        first_ms = least(first_ms, coarse * CEP_WHEEL_SLOTS * FINE_MS);
    }
    return first_ms - 1;
}

static void each_of(const struct cep_timers *timers, uint32_t from, void (*each)(void *ctx, struct cep_key *key), void *ctx)
{
    for (uint32_t i = from; i < timers->len; i++)
        each(ctx, timers->at[i].key);
}

static void each_brief(const struct cep_briefs *slot, void (*each)(void *ctx, struct cep_key *key), void *ctx)
{
    for (uint32_t i = 0; i < slot->len; i++)
        each(ctx, brief_key(slot->at[i]));
}

void cep_wheel_each(const struct cep_wheel *wheel, void (*each)(void *ctx, struct cep_key *key), void *ctx)
{
    each_of(&wheel->near, wheel->near_at, each, ctx);
    each_of(&wheel->late, 0, each, ctx);
    each_of(&wheel->far, 0, each, ctx);
    for (uint32_t i = 0; wheel->rings && i < CEP_WHEEL_SLOTS; i++) {
        each_brief(&wheel->rings->fine[i], each, ctx);
        each_brief(&wheel->rings->coarse[i], each, ctx);
    }
}

static uint64_t sweep_of(struct cep_timers *timers, uint32_t from, bool (*gone)(void *ctx, struct cep_key *key), void *ctx)
{
    uint32_t kept = from, had = timers->len;
    for (uint32_t i = from; i < had; i++)
        if (!gone(ctx, timers->at[i].key))
            timers->at[kept++] = timers->at[i];
    timers->len = kept;
    return had - kept;
}

static void sweep_heap(struct cep_timers *heap, bool (*gone)(void *ctx, struct cep_key *key), void *ctx)
{
    if (sweep_of(heap, 0, gone, ctx) == 0)
        return;
    for (uint32_t i = heap->len / 2; i-- > 0;)
        sift_down(heap, i);
}

static uint64_t sweep_slot(struct cep_briefs *slot, bool (*gone)(void *ctx, struct cep_key *key), void *ctx)
{
    uint32_t kept = 0, had = slot->len;
    for (uint32_t i = 0; i < had; i++)
        if (!gone(ctx, brief_key(slot->at[i])))
            slot->at[kept++] = slot->at[i];
    slot->len = kept;
    return had - kept;
}

void cep_wheel_sweep(struct cep_wheel *wheel, bool (*gone)(void *ctx, struct cep_key *key), void *ctx)
{
    sweep_of(&wheel->near, wheel->near_at, gone, ctx);
    sweep_heap(&wheel->late, gone, ctx);
    sweep_heap(&wheel->far, gone, ctx);
    for (uint32_t i = 0; wheel->rings && i < CEP_WHEEL_SLOTS; i++) {
        wheel->fine_count -= sweep_slot(&wheel->rings->fine[i], gone, ctx);
        wheel->coarse_count -= sweep_slot(&wheel->rings->coarse[i], gone, ctx);
    }
}
