/* Pauses between attempts to connect: doubling from 100 ms to 10 s, the same for all clients. Header only; one thread at a time. */
#ifndef CLIENTS_BACKOFF_H
#define CLIENTS_BACKOFF_H

#include <stdint.h>
#include "base/time.h"

#define CLIENTS_BACKOFF_FIRST_US 100000
#define CLIENTS_BACKOFF_MOST_US 10000000

struct clients_backoff { int64_t until_us, length_us; }; /* zero-initialise */

/* Time left until the next attempt; 0: at once. */
static inline int64_t clients_backoff_left_us(const struct clients_backoff *backoff)
{
    int64_t left_us = backoff->until_us ? backoff->until_us - base_clock_mono_us() : 0;
    return left_us > 0 ? left_us : 0;
}
/* An attempt failed. A fifth of the pause hangs on the clock's last digits, so that many clients do not come back together. */
static inline void clients_backoff_failed(struct clients_backoff *backoff)
{
    int64_t now_us = base_clock_mono_us();
    backoff->length_us = backoff->length_us ? backoff->length_us * 2 : CLIENTS_BACKOFF_FIRST_US;
    if (backoff->length_us > CLIENTS_BACKOFF_MOST_US)
        backoff->length_us = CLIENTS_BACKOFF_MOST_US;
    backoff->until_us = now_us + backoff->length_us - now_us % (backoff->length_us / 5);
}
static inline void clients_backoff_good(struct clients_backoff *backoff) { *backoff = (struct clients_backoff){ 0, 0 }; }

#endif
