#include "service/exchange.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/ring.h"

#define PARCEL_BYTES (64u << 10) /* full from here on */
#define PARCEL_SLACK 4096u       /* room for the row that fills it, as rows usually are */

struct sender {
    struct service_parcel **filling;  /* [stage * shards + receiver] */
    struct service_parcel *parked, *parked_last; /* first in, first out */
    uint32_t parked_stage;            /* greatest stage parked, plus one */
};
struct service_exchange {
    uint32_t shards, stages;
    struct base_ring **rings;         /* [(stage * (shards + 1) + sender) * shards + receiver] */
    struct base_event **events;       /* shards + 1 */
    struct sender *senders;           /* shards + 1 */
    _Atomic uint32_t *waits_for_room; /* shards + 1: the sender has parked parcels */
};

void service_parcel_free(struct service_parcel *parcel)
{
    if (!parcel)
        return;
    base_buf_finish(&parcel->bytes);
    base_free(parcel);
}

static struct base_ring *ring_of(const struct service_exchange *x, uint32_t stage, uint32_t sender, uint32_t receiver)
{
    return x->rings[((size_t)stage * (x->shards + 1) + sender) * x->shards + receiver];
}

static bool make_parts(struct service_exchange *x, uint32_t queue)
{
    size_t rings = (size_t)x->stages * (x->shards + 1) * x->shards;
    x->rings = base_calloc(rings + 1, sizeof *x->rings);
    x->events = base_calloc(x->shards + 1, sizeof *x->events);
    x->senders = base_calloc(x->shards + 1, sizeof *x->senders);
    x->waits_for_room = base_calloc(x->shards + 1, sizeof *x->waits_for_room);
    if (!x->rings || !x->events || !x->senders || !x->waits_for_room)
        return false;
    for (size_t i = 0; i < rings; i++) {
        x->rings[i] = base_ring_create(queue);
        if (!x->rings[i])
            return false;
    }
    for (uint32_t i = 0; i <= x->shards; i++) {
        x->events[i] = base_event_create();
        x->senders[i].filling = base_calloc((size_t)x->stages * x->shards + 1, sizeof *x->senders[i].filling);
        if (!x->events[i] || !x->senders[i].filling)
            return false;
    }
    return true;
}

struct service_exchange *service_exchange_create(uint32_t shards, uint32_t stages, uint32_t queue)
{
    struct service_exchange *x = base_calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->shards = shards;
    x->stages = stages ? stages : 1;
    if (!make_parts(x, queue)) {
        service_exchange_destroy(x);
        return NULL;
    }
    return x;
}

static void destroy_sender(struct service_exchange *x, struct sender *sender)
{
    for (size_t i = 0; sender->filling && i < (size_t)x->stages * x->shards; i++)
        service_parcel_free(sender->filling[i]);
    base_free(sender->filling);
    while (sender->parked) {
        struct service_parcel *next = sender->parked->next;
        service_parcel_free(sender->parked);
        sender->parked = next;
    }
}

void service_exchange_destroy(struct service_exchange *x)
{
    if (!x)
        return;
    for (size_t i = 0; x->rings && i < (size_t)x->stages * (x->shards + 1) * x->shards; i++) {
        for (struct service_parcel *parcel; x->rings[i] && (parcel = base_ring_pop(x->rings[i]));)
            service_parcel_free(parcel);
        base_ring_destroy(x->rings[i]);
    }
    for (uint32_t i = 0; i <= x->shards; i++) {
        if (x->events)
            base_event_destroy(x->events[i]);
        if (x->senders)
            destroy_sender(x, &x->senders[i]);
    }
    base_free(x->rings);
    base_free(x->events);
    base_free(x->senders);
    base_free((void *)x->waits_for_room);
    base_free(x);
}

uint32_t service_exchange_shards(const struct service_exchange *x)
{
    return x->shards;
}

uint32_t service_exchange_stages(const struct service_exchange *x)
{
    return x->stages;
}

static void park(struct service_exchange *x BASE_UNUSED, struct sender *sender, struct service_parcel *parcel)
{
    parcel->next = NULL;
    if (sender->parked)
        sender->parked_last->next = parcel;
    else
        sender->parked = parcel;
    sender->parked_last = parcel;
    if (parcel->stage + 1 > sender->parked_stage)
        sender->parked_stage = parcel->stage + 1;
}

/* Is an earlier parcel for the same queue parked? Then this one must not overtake it. */
static bool must_queue_up(const struct sender *sender, const struct service_parcel *parcel)
{
    for (const struct service_parcel *p = sender->parked; p; p = p->next) {
        if (p->stage == parcel->stage && p->receiver == parcel->receiver)
            return true;
    }
    return false;
}

static void send_parcel(struct service_exchange *x, uint32_t number, struct service_parcel *parcel)
{
    struct sender *sender = &x->senders[number];
    uint32_t receiver = parcel->receiver; /* once pushed, the parcel is the receiver's */
    if (!must_queue_up(sender, parcel) && base_ring_push(ring_of(x, parcel->stage, number, receiver), parcel)) {
        base_event_signal(x->events[receiver]);
        return;
    }
    park(x, sender, parcel);
}

static struct base_buf *room(struct service_exchange *x, uint32_t number, uint32_t stage, uint32_t receiver)
{
    struct service_parcel **slot = &x->senders[number].filling[(size_t)stage * x->shards + receiver];
    if (*slot && (*slot)->bytes.len >= PARCEL_BYTES) {
        send_parcel(x, number, *slot);
        *slot = NULL;
    }
    if (!*slot) {
        *slot = base_calloc(1, sizeof **slot);
        if (!*slot)
            return NULL;
        (*slot)->stage = stage;
        (*slot)->receiver = receiver;
        if (!base_buf_reserve(&(*slot)->bytes, PARCEL_BYTES + PARCEL_SLACK)) /* growing would copy all that is in it again and again */
            return NULL;
    }
    return &(*slot)->bytes;
}

int service_exchange_row(struct service_exchange *x, uint32_t sender, uint32_t stage, uint32_t receiver, uint32_t node, const struct cep_event *event)
{
    struct base_buf *bytes = room(x, sender, stage, receiver);
    return bytes ? service_message_put(bytes, node, event) : BASE_E_NOMEM;
}

int service_exchange_mark(struct service_exchange *x, uint32_t sender, uint32_t stage, enum service_message_kind kind, uint32_t node, int64_t value)
{
    for (uint32_t receiver = 0; receiver < x->shards; receiver++) {
        struct base_buf *bytes = room(x, sender, stage, receiver);
        int e = bytes ? service_message_put_mark(bytes, kind, node, value) : BASE_E_NOMEM;
        if (e < 0)
            return e;
    }
    return 0;
}

/* Sends parked parcels in order; those of a queue that is still full, and all behind them for the same queue, stay. */
static void retry_parked(struct service_exchange *x, uint32_t number)
{
    struct sender *sender = &x->senders[number];
    struct service_parcel *parcel = sender->parked;
    sender->parked = sender->parked_last = NULL;
    sender->parked_stage = 0;
    while (parcel) {
        struct service_parcel *next = parcel->next;
        send_parcel(x, number, parcel);
        parcel = next;
    }
    x->waits_for_room[number] = sender->parked != NULL;
}

void service_exchange_flush(struct service_exchange *x, uint32_t number)
{
    struct sender *sender = &x->senders[number];
    if (sender->parked)
        retry_parked(x, number);
    for (size_t i = 0; i < (size_t)x->stages * x->shards; i++) {
        struct service_parcel *parcel = sender->filling[i];
        if (!parcel || parcel->bytes.len == 0)
            continue;
        sender->filling[i] = NULL;
        send_parcel(x, number, parcel);
    }
    if (sender->parked && !x->waits_for_room[number]) {
        x->waits_for_room[number] = 1;
        retry_parked(x, number); /* room may have been made before the mark could be seen */
    }
}

uint32_t service_exchange_parked(const struct service_exchange *x, uint32_t sender)
{
    return x->senders[sender].parked_stage;
}

struct service_parcel *service_exchange_take(struct service_exchange *x, uint32_t receiver, uint32_t stage, uint32_t sender)
{
    struct service_parcel *parcel = base_ring_pop(ring_of(x, stage, sender, receiver));
    if (parcel && x->waits_for_room[sender])
        base_event_signal(x->events[sender]);
    return parcel;
}

void service_exchange_wait(struct service_exchange *x, uint32_t thread, int64_t timeout_us)
{
    (void)base_event_wait(x->events[thread], timeout_us); /* why it woke does not matter: the caller looks at everything */
}

void service_exchange_wake(struct service_exchange *x, uint32_t thread)
{
    base_event_signal(x->events[thread]);
}
