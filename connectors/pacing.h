/* Replay of recorded events at a chosen speed: when an event of a given time is due. A pure function of its inputs; the caller reads the clock and waits.
 * Used by the service for tables with 'replay.speed'. */
#ifndef CONNECTORS_PACING_H
#define CONNECTORS_PACING_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

/* Zero-initialise but for speed. */
struct connectors_pacing {
    double speed;         /* seconds of event time per second; 0: as fast as possible */
    bool started;
    int64_t first_ms;     /* event time that stood at started_us */
    int64_t started_us;   /* monotonic clock */
};
/* "60", "60x", "0.5"; false: no speed. */
bool connectors_pacing_parse(struct base_str text, double *ret_speed);
/* Milliseconds to wait before the event is handed on; 0: now. Events that go back in time are due at once; the first one starts the clock. */
int64_t connectors_pacing_delay_ms(struct connectors_pacing *pacing, int64_t event_ms, int64_t now_us);

#endif
