/* How `state.memory` is shared out: keys, the store, what an image passes through. Pure arithmetic; called where the runtime is made. */
#ifndef SERVICE_MEMORY_H
#define SERVICE_MEMORY_H

#include <stdint.h>

#define SERVICE_IMAGE_TIMES 3u /* an image takes so much of memory for each byte that it adds to the state of keys: rows are not packed in it, and its buffers have slack */

struct service_memory {
    uint64_t keys;  /* bytes that the states of keys may take, of all shards together */
    uint64_t store; /* of the store: its cache and its memtables */
    uint64_t room;  /* of images on their way, journals and alerts of epochs that are not decided */
    uint64_t image; /* so much may keys have grown since the last image, at the least, before the next one is made: it passes through memory as a whole */
};
/* Up to 256 MiB keys and store get three eighths each. Of what is beyond, most goes to keys: one that is in memory need not be read from the store, so that the store's cache
 * gains little, and an image is as large as what changed, not as the state. */
static inline struct service_memory service_memory_shares(uint64_t bytes)
{
    const uint64_t even = UINT64_C(256) << 20, common = bytes < even ? bytes : even, beyond = bytes - common;
    struct service_memory ret = { .keys = common / 8 * 3 + beyond / 16 * 13, .store = common / 8 * 3 + beyond / 16 };
    ret.room = bytes - ret.keys - ret.store;
    ret.image = ret.room / 8;
    return ret;
}

#endif
