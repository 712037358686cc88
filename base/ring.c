#include "base/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include "base/alloc.h"
#include "base/cond.h"

#define CACHE_LINE 64
#define CAPACITY_MOST ((size_t)1 << 31)

/* head and tail run freely and are masked on use. Each side keeps a copy of the other's index and looks at the shared
 * one only when the copy says full or empty, so that in a steady flow the cache lines seldom move between the cores. */
struct base_ring {
    size_t mask;
    char pad0[CACHE_LINE];
    _Atomic size_t tail; /* written by the producer */
    size_t head_seen;    /* producer's copy of head */
    char pad1[CACHE_LINE];
    _Atomic size_t head; /* written by the consumer */
    size_t tail_seen;    /* consumer's copy of tail */
    char pad2[CACHE_LINE];
    void *slots[];
};

struct base_ring *base_ring_create(size_t capacity)
{
    if (capacity > CAPACITY_MOST)
        return NULL;
    size_t count = 2;
    while (count < capacity)
        count *= 2;
    size_t bytes;
    if (!base_size_mul(count, sizeof(void *), &bytes) || !base_size_add(bytes, sizeof(struct base_ring), &bytes))
        return NULL;
    struct base_ring *ring = base_calloc(1, bytes);
    if (!ring)
        return NULL;
    ring->mask = count - 1;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    return ring;
}

void base_ring_destroy(struct base_ring *ring)
{
    base_free(ring);
}

bool base_ring_push(struct base_ring *ring, void *item)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen > ring->mask) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_seen > ring->mask)
            return false;
    }
    ring->slots[tail & ring->mask] = item;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

void *base_ring_pop(struct base_ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->tail_seen)
            return NULL;
    }
    void *item = ring->slots[head & ring->mask];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return item;
}

size_t base_ring_count(const struct base_ring *ring)
{
    /* head first: it only grows, so the difference cannot become negative. */
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    size_t count = tail - head;
    return count > ring->mask + 1 ? ring->mask + 1 : count;
}

/* set is raised before the lock is taken, and a waiter looks at it under the lock before it sleeps: no signal is lost,
 * and signalling an event that is already set costs no lock. */
struct base_event {
    _Atomic bool set;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

struct base_event *base_event_create(void)
{
    struct base_event *event = base_calloc(1, sizeof *event);
    if (!event)
        return NULL;
    atomic_init(&event->set, false);
    if (base_cond_init(&event->wake) != 0)
        goto no_cond;
    if (pthread_mutex_init(&event->lock, NULL) != 0)
        goto no_mutex;
    return event;
no_mutex:
    pthread_cond_destroy(&event->wake);
no_cond:
    base_free(event);
    return NULL;
}

void base_event_destroy(struct base_event *event)
{
    if (!event)
        return;
    pthread_cond_destroy(&event->wake);
    pthread_mutex_destroy(&event->lock);
    base_free(event);
}

void base_event_signal(struct base_event *event)
{
    if (atomic_exchange_explicit(&event->set, true, memory_order_acq_rel))
        return;
    pthread_mutex_lock(&event->lock);
    pthread_cond_signal(&event->wake);
    pthread_mutex_unlock(&event->lock);
}

bool base_event_wait(struct base_event *event, int64_t timeout_us)
{
    if (atomic_exchange_explicit(&event->set, false, memory_order_acq_rel))
        return true;
    if (timeout_us == 0)
        return false;
    struct timespec deadline = timeout_us > 0 ? base_cond_deadline(timeout_us) : (struct timespec){ 0 };
    bool signalled = false;
    pthread_mutex_lock(&event->lock);
    for (;;) {
        signalled = atomic_exchange_explicit(&event->set, false, memory_order_acq_rel);
        if (signalled)
            break;
        int rc = timeout_us < 0 ? pthread_cond_wait(&event->wake, &event->lock)
                                : pthread_cond_timedwait(&event->wake, &event->lock, &deadline);
        if (rc == ETIMEDOUT) {
            signalled = atomic_exchange_explicit(&event->set, false, memory_order_acq_rel);
            break;
        }
    }
    pthread_mutex_unlock(&event->lock);
    return signalled;
}
