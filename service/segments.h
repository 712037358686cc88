/* Append-only files for large records beside RocksDB: journals of busy epochs, which would go through its log, its memtables and its tables for nothing, since an
 * image soon makes them needless; and images on their way into the store. The store holds where each record lies (struct service_place), and that is what makes it count: what a file holds beyond, because
 * its epoch was never prepared or a write was torn, is never read. A process never appends to a file of the one before.
 *
 * Who calls it: journal.c, epochs.c, imager.c. One owner, the epoch thread or that of images; service_segments_read from any thread. Decides nothing, repairs nothing. */
#ifndef SERVICE_SEGMENTS_H
#define SERVICE_SEGMENTS_H

#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct service_place {
    uint64_t segment, offset, len;
    uint32_t sum; /* CRC-32C of the bytes */
};
#define SERVICE_PLACE_BYTES 28u /* as it is written */
void service_place_put(const struct service_place *place, struct base_buf *out);
struct service_place service_place_read(struct base_reader *in);

struct service_segments;
/* What they hold: the name of their folder within the store's, and of their kind. */
#define SERVICE_SEGMENTS_JOURNAL "journal"
#define SERVICE_SEGMENTS_IMAGE "image"
/* For the store in this folder; the files lie in its folder `name` (static), which is made with the first of them. least_bytes: what is smaller is better kept in RocksDB
 * (service_segments_wants). BASE_E_IO: the folder cannot be read; BASE_E_NOMEM. */
int service_segments_open(const char *store_path, const char *name, uint64_t least_bytes, struct service_segments **ret) BASE_MUST_CHECK;
void service_segments_close(struct service_segments *segments); /* NULL allowed */
/* What is appended from now on goes past the page cache, where the file system can: for records that are synced at once and hardly ever read, which would only be copied into fresh
 * pages and push others out. Each then begins at a multiple of 4 KiB. BASE_E_NOMEM. */
int service_segments_direct(struct service_segments *segments) BASE_MUST_CHECK;
/* Is a record of this size worth a file, where writing it costs a sync of its own? */
bool service_segments_wants(const struct service_segments *segments, uint64_t bytes);

/* Appends; not durable before service_segments_sync. BASE_E_FULL, BASE_E_IO with the reason appended to reterr; then nothing more can be appended until
 * service_segments_turn. */
int service_segments_append(struct service_segments *segments, struct base_str bytes, struct service_place *ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* For large records, now and then between their appends: what was appended since the last call begins to be written to disk, and this waits for what had begun before, so that
 * nobody else's sync waits behind all of it. */
void service_segments_ease(struct service_segments *segments);
/* All that was appended is durable, the files' names too. Costs nothing if nothing was appended. Errors as of append. */
int service_segments_sync(struct service_segments *segments, struct base_buf *reterr) BASE_MUST_CHECK;
/* The next record begins a new file. */
void service_segments_turn(struct service_segments *segments);
/* Turns; what is appended from now on lies in files from this number on. */
uint64_t service_segments_end(struct service_segments *segments);
/* No record so far is needed any more - as soon as the store's word for that is durable. Also turns. */
void service_segments_retire(struct service_segments *segments);
/* The same of the files below this number; goes on with the last one, which is not among them. */
void service_segments_retire_below(struct service_segments *segments, uint64_t end);
/* It is durable now: files that were retired are removed. What cannot be removed is tried again the next time. */
void service_segments_sweep(struct service_segments *segments);

/* Appends the bytes of a record to ret. BASE_E_CORRUPT: it is not there as it was written; BASE_E_IO, BASE_E_NOMEM. */
int service_segments_read(const char *store_path, const char *name, const struct service_place *place, struct base_buf *ret) BASE_MUST_CHECK;

#endif
