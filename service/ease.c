#include "service/ease.h"

#include <fcntl.h>

#define EASE_BYTES (1u << 20)

void service_ease(struct service_ease *ease, int fd, uint64_t length)
{
    if (fd < 0 || length - ease->begun < EASE_BYTES)
        return;
    if (ease->begun > ease->through)
        (void)sync_file_range(fd, (off_t)ease->through, (off_t)(ease->begun - ease->through),
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    (void)sync_file_range(fd, (off_t)ease->begun, (off_t)(length - ease->begun), SYNC_FILE_RANGE_WRITE);
    ease->through = ease->begun;
    ease->begun = length;
}
