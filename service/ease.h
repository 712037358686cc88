/* Large files are begun to be written to disk while they grow, and the writer waits for what had begun before: so nobody else's sync waits behind all of it. Called by
 * segments.c and store_tables.c. */
#ifndef SERVICE_EASE_H
#define SERVICE_EASE_H

#include <stdint.h>

struct service_ease { uint64_t through, begun; }; /* bytes of the file that are on disk, that are on their way; { 0 } for a new file */
/* Now and then between writes; length: bytes of the file by now. What it does not do the sync at the end does. */
void service_ease(struct service_ease *ease, int fd, uint64_t length);

#endif
