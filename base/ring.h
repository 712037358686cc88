/* Bounded single-producer single-consumer queue of pointers. push and pop never block; waiting is the caller's affair
 * (base_event below). One producer thread, one consumer thread. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct base_ring;
/* capacity is rounded up to a power of two; NULL: no memory. */
struct base_ring *base_ring_create(size_t capacity);
void base_ring_destroy(struct base_ring *ring);          /* does not free what is queued */
bool base_ring_push(struct base_ring *ring, void *item); /* false: full */
void *base_ring_pop(struct base_ring *ring);             /* NULL: empty */
size_t base_ring_count(const struct base_ring *ring);    /* any thread, approximate */

/* Wake-up of one sleeping thread; signals are remembered until the next wait. */
struct base_event;
struct base_event *base_event_create(void);
void base_event_destroy(struct base_event *event);
void base_event_signal(struct base_event *event); /* any thread */
/* Returns at a signal or after timeout_us (0: looks only, negative: no limit); true if signalled. */
bool base_event_wait(struct base_event *event, int64_t timeout_us);

#endif
