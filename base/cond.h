/* Condition variables whose timed waits go by the monotonic clock, so that nobody waits for hours because the wall clock was put back. For every folder that waits
 * with a time limit; waiting itself is pthread_cond_timedwait. */
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* 0 or BASE_E_NOMEM. Ended with pthread_cond_destroy. */
int base_cond_init(pthread_cond_t *cond);
/* The instant that many microseconds from now (0 or more), as pthread_cond_timedwait wants it for such a condition. Any thread. */
struct timespec base_cond_deadline(int64_t timeout_us);

#endif
