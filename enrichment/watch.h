/* Files that are read anew when they change: lists, GeoIP databases, models. Asked by the owner once in a while; no thread of its own. */
#ifndef ENRICHMENT_WATCH_H
#define ENRICHMENT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct enrichment_watch {
    uint64_t used; /* of the file as it was read */
    uint64_t seen; /* at the last look */
};
/* A number that changes when the file does; 0: it is not there. */
uint64_t enrichment_watch_mark(const char *path);
/* Is there a file other than the one read, which has rested since the look before? `used` is set to it: the caller reads it, or leaves it. */
bool enrichment_watch_look(struct enrichment_watch *watch, const char *path);

#endif
