/* Large images on their way into the store, aside from the epochs: an image holds all state that changed since the one before, and to write it as a whole would let alerts
 * wait for it and hold it in memory several times over. Instead its epoch is decided with its journal like any other, and then, on a thread of its own, the image
 *   - is written to a file beside the store and synced: what counts for nothing yet;
 *   - is announced by one synced write: from there on it is the image, the file is needed until all of it stands in the store, and the journals up to it are not needed;
 *   - goes into its place slice by slice, its memory with it; one that would fill a memtable is written as sorted tables instead of a file, which the store takes in as they are
 *     (store_tables.h), but for what is in no order: whole ranges, which go first;
 *   - is done: the file is not needed any more.
 * A process that ends in between leaves a file that was not announced, which nobody looks at, or one that was: then the next start puts it into its place again, whole
 * (docs/protocol.md). State that the image holds and the store does not yet is found here.
 *
 * Who calls it: the coordinator (runtime.c, epochs.c), but for service_imager_find, which shards call. It decides nothing about epochs. */
#ifndef SERVICE_IMAGER_H
#define SERVICE_IMAGER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "service/store.h"

struct service_imager;
/* Puts an image that the process before had announced into its place, first. least_bytes: what is smaller goes with its epoch (service_imager_wants);
 * tables_least: what is as large becomes tables. The reason of a
 * failure is appended to reterr. BASE_E_CORRUPT: its file is gone or not as it was written. */
int service_imager_open(struct service_store *store, uint64_t least_bytes, uint64_t tables_least, struct service_imager **ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* What was not announced is lost; what was is finished by the next start. NULL allowed. */
void service_imager_close(struct service_imager *imager);
/* The same for a store that nobody works on: before it is copied. */
int service_imager_settle(struct service_store *store, struct base_buf *reterr) BASE_MUST_CHECK;

/* Is an image of this size written aside? */
bool service_imager_wants(const struct service_imager *imager, uint64_t bytes);
/* All threads at rest, nothing on its way: takes what the batch holds and gives another, empty one for it. The threads' batches in the shards'
 * order, ingest's last, then others, which nothing is found in and which are written first. The first one is offered after service_imager_rests said so. BASE_E_NOMEM. */
int service_imager_offer(struct service_imager *imager, struct service_batch **inout_batch) BASE_MUST_CHECK;
/* The epoch is decided, and applied: what was offered is its image. watermarks: of the shards at its end (copied). BASE_E_NOMEM. */
int service_imager_go(struct service_imager *imager, uint64_t epoch, struct base_str watermarks, uint32_t shards) BASE_MUST_CHECK;
/* Nothing was decided, or all is to start anew: what is on its way ends where it stands, and what was announced is put into its place whole. The store is open, and nobody
 * reads state. Reason appended. */
int service_imager_restart(struct service_imager *imager, struct base_buf *reterr) BASE_MUST_CHECK;
/* Before service_store_reopen: ends what is on its way. */
void service_imager_stop(struct service_imager *imager);
/* Is nothing on its way? Also when something failed: then service_imager_wait tells. */
bool service_imager_rests(struct service_imager *imager);
/* Waits until nothing is. The error that ended it: the engine must be restarted from the last decided epoch (reason appended). */
int service_imager_wait(struct service_imager *imager, struct base_buf *reterr) BASE_MUST_CHECK;
/* The epoch of the image that was announced last; 0: none by this process. */
uint64_t service_imager_announced(struct service_imager *imager);

/* What the image on its way says of a key of that shard: 0 and the value appended; BASE_E_EOF: it is deleted; BASE_E_NOTFOUND: the store has it, if anybody. imager may be
 * NULL. Any thread. */
int service_imager_find(struct service_imager *imager, uint32_t shard, uint32_t group, enum service_cf family, struct base_str key, struct base_buf *ret) BASE_MUST_CHECK;

/* Test hook: slices of so many bytes. */
void service_imager_slices(struct service_imager *imager, size_t bytes);

#endif
