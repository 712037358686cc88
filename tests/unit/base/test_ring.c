#include "base/ring.h"
#include <pthread.h>
#include "base/alloc.h"
#include "base/time.h"
#include "tests/unit/tap.h"

static void test_alone(void)
{
    struct base_ring *ring = base_ring_create(5);
    int items[9];
    int pushed = 0;
    while (pushed < 9 && base_ring_push(ring, &items[pushed]))
        pushed++;
    IS_INT(pushed, 8, "the capacity is rounded up to a power of two, then it is full");
    IS_INT(base_ring_count(ring), 8, "count");
    bool order = true;
    for (int i = 0; i < 8; i++)
        order = order && base_ring_pop(ring) == &items[i];
    OK(order && base_ring_pop(ring) == NULL, "first in, first out, then empty");
    for (int round = 0; round < 100; round++)
        order = order && base_ring_push(ring, &items[round % 9]) && base_ring_pop(ring) == &items[round % 9];
    OK(order && base_ring_count(ring) == 0, "wraps around");
    base_ring_destroy(ring);
    base_ring_destroy(NULL);
    OK(base_ring_create(SIZE_MAX) == NULL, "an absurd capacity is refused");
    base_alloc_fail_at(1, true);
    OK(base_ring_create(4) == NULL && base_event_create() == NULL, "no memory");
    base_alloc_fail_at(0, false);
}

struct pair {
    struct base_ring *ring;
    struct base_event *filled;
    struct base_event *emptied;
    uint64_t *cells;
    uint64_t count;
};

/* Writes plain memory before it pushes: the race detector sees whether the queue publishes it. */
static void *produce(void *arg)
{
    struct pair *pair = arg;
    for (uint64_t i = 0; i < pair->count; i++) {
        uint64_t *cell = &pair->cells[i & 1023];
        *cell = i * 3;
        while (!base_ring_push(pair->ring, cell))
            base_event_wait(pair->emptied, 1000000);
        base_event_signal(pair->filled);
    }
    return NULL;
}

static void test_two_threads(void)
{
    static uint64_t cells[1024];
    /* 256 slots: a cell is written again only 1024 items later, when it was read long ago. */
    struct pair pair = { base_ring_create(256), base_event_create(), base_event_create(), cells, 300000 };
    pthread_t producer;
    if (!OK(pthread_create(&producer, NULL, produce, &pair) == 0, "a producer"))
        return;
    bool order = true, woken = true;
    for (uint64_t i = 0; i < pair.count;) {
        uint64_t *cell = base_ring_pop(pair.ring);
        if (!cell) {
            woken = base_event_wait(pair.filled, 30000000) && woken;
            continue;
        }
        order = order && cell == &cells[i & 1023] && *cell == i * 3;
        i++;
        base_event_signal(pair.emptied);
    }
    pthread_join(producer, NULL);
    OK(order, "300,000 items pass in order and whole");
    OK(woken, "no wake-up is lost");
    OK(base_ring_pop(pair.ring) == NULL && base_ring_count(pair.ring) == 0, "then the queue is empty");
    base_ring_destroy(pair.ring);
    base_event_destroy(pair.filled);
    base_event_destroy(pair.emptied);
}

static void *signal_later(void *arg)
{
    base_event_signal(arg);
    return NULL;
}

static void test_event(void)
{
    struct base_event *event = base_event_create();
    OK(!base_event_wait(event, 0), "no signal yet");
    base_event_signal(event);
    base_event_signal(event);
    OK(base_event_wait(event, 0), "a signal is remembered");
    OK(!base_event_wait(event, 0), "once");
    int64_t before = base_clock_mono_us();
    OK(!base_event_wait(event, 20000), "a wait without signal ends");
    OK(base_clock_mono_us() - before >= 20000, "not before its time");
    pthread_t thread;
    if (OK(pthread_create(&thread, NULL, signal_later, event) == 0, "a signaller")) {
        OK(base_event_wait(event, -1), "a wait without limit ends at the signal");
        pthread_join(thread, NULL);
    }
    base_event_destroy(event);
    base_event_destroy(NULL);
}

int main(void)
{
    test_alone();
    test_two_threads();
    test_event();
    return tap_done();
}
