/* The exchange: order, parking when a queue is full, stages; and two threads that re-key to each other at full load through queues of two parcels. */
#include "service/exchange.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/time.h"
#include "tests/unit/tap.h"

static void test_order(void)
{
    struct service_exchange *x = service_exchange_create(2, 2, 2);
    int64_t sent = 0, got = 0;
    bool parked = false, in_order = true;
    for (int i = 0; i < 20000; i++) { /* far more than two parcels hold */
        if (service_exchange_mark(x, 2, 0, SERVICE_MESSAGE_WATERMARK, 7, sent++) < 0)
            in_order = false;
        if (i % 500 == 0)
            service_exchange_flush(x, 2);
    }
    service_exchange_flush(x, 2);
    parked = service_exchange_parked(x, 2) == 1;
    OK(parked, "a full queue parks instead of blocking");
    for (int quiet = 0; quiet < 3;) {
        struct service_parcel *parcel = service_exchange_take(x, 1, 0, 2);
        quiet = parcel ? 0 : quiet + 1;
        for (size_t at = 0; parcel && at < parcel->bytes.len;) {
            const struct service_message *m = (const struct service_message *)(const void *)(parcel->bytes.ptr + at);
            in_order = in_order && m->time_ms == got++;
            at += m->size_bytes;
        }
        service_parcel_free(parcel);
        parcel = service_exchange_take(x, 0, 0, 2); /* the other receiver must not be left full */
        service_parcel_free(parcel);
        service_exchange_flush(x, 2);
    }
    IS_INT(got, sent, "all arrive");
    OK(in_order, "in the order in which they were sent");
    IS_INT(service_exchange_parked(x, 2), 0, "nothing is parked any more");
    service_exchange_destroy(x);
}

#define MESSAGES 200000
struct side { struct service_exchange *x; uint32_t number; uint64_t got; _Atomic uint64_t sent_on; _Atomic bool *done; pthread_t thread; };

/* Passes on to the next stage, to everybody, all that comes at stage 0; counts what comes at stage 1. Obeys the rule of protocol.md 1. */
static void *pump(void *arg)
{
    struct side *side = arg;
    while (!atomic_load(side->done)) {
        for (uint32_t stage = 2; stage-- > 0;) {
            uint32_t parked = service_exchange_parked(side->x, side->number);
            if (parked && stage + 1 < parked)
                break;
            for (uint32_t sender = 0; sender < 3; sender++) {
                struct service_parcel *parcel = service_exchange_take(side->x, side->number, stage, sender);
                for (size_t at = 0; parcel && at < parcel->bytes.len;) {
                    const struct service_message *m = (const struct service_message *)(const void *)(parcel->bytes.ptr + at);
                    if (stage == 1)
                        side->got++;
                    else if (service_exchange_mark(side->x, side->number, 1, SERVICE_MESSAGE_WATERMARK, 1, m->time_ms) == 0)
                        side->sent_on++;
                    at += m->size_bytes;
                }
                service_parcel_free(parcel);
            }
        }
        service_exchange_flush(side->x, side->number);
    }
    return NULL;
}

static void test_no_deadlock(void)
{
    struct service_exchange *x = service_exchange_create(2, 2, 2);
    _Atomic bool done = false;
    struct side sides[2] = { { x, 0, 0, 0, &done, 0 }, { x, 1, 0, 0, &done, 0 } };
    for (int i = 0; i < 2; i++)
        OK(pthread_create(&sides[i].thread, NULL, pump, &sides[i]) == 0, "shard started");
    int bad = 0;
    for (int i = 0; i < MESSAGES; i++) {
        bad += service_exchange_mark(x, 2, 0, SERVICE_MESSAGE_WATERMARK, 0, i) != 0;
        if (i % 1000 == 0)
            service_exchange_flush(x, 2);
        while (service_exchange_parked(x, 2)) { /* back-pressure: ingest reads nothing meanwhile */
            service_exchange_wait(x, 2, 1000);
            service_exchange_flush(x, 2);
        }
    }
    int64_t until_us = base_clock_mono_us() + 100000000;
    do {
        service_exchange_flush(x, 2);
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    } while (sides[0].sent_on + sides[1].sent_on < 2 * MESSAGES && base_clock_mono_us() < until_us);
    IS_INT(service_exchange_parked(x, 2), 0, "nothing is held back");
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++)
        pthread_join(sides[i].thread, NULL);
    IS_INT(bad, 0, "everything was taken");
    IS_INT((int64_t)(sides[0].sent_on + sides[1].sent_on), 2 * MESSAGES, "both took in all of stage 0");
    OK(sides[0].got > 0 && sides[1].got > 0, "and exchanged with each other without standing still");
    service_exchange_destroy(x);
}

int main(void)
{
    test_order();
    test_no_deadlock();
    return tap_done();
}
