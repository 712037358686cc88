/* Event-time progress of one table: a watermark for each partition, a pure function of that partition's log, and the merged one that settles results
 * (semantics.md 11). Kept by ingest (and by `query`); stored with the epoch. No clock: who calls says how much wall time went by. Single-threaded. */
#ifndef SERVICE_WATERMARK_H
#define SERVICE_WATERMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/time.h"

enum service_timing { SERVICE_ON_TIME, SERVICE_LATE, SERVICE_LATE_AFTER_IDLE };

struct service_partition {
    int32_t partition;
    bool idle;               /* left out of the merge */
    bool done;               /* bounded and read to its end */
    bool seen_rows;          /* since idleness was looked at last; not stored */
    int64_t watermark_ms;    /* greatest row time - delay; BASE_TIME_MIN_MS before the first row */
    int64_t active_us;       /* monotonic time at which it was last known to be active; 0: not looked at yet; not stored */
};
struct service_watermarks {
    struct service_partition *at; /* owned; in order of appearance */
    size_t len, cap;
    size_t last;                  /* most rows come from the partition of the row before */
    int64_t delay_ms;
    int64_t merged_ms;            /* never falls */
};
void service_watermarks_init(struct service_watermarks *marks, int64_t delay_ms);
void service_watermarks_finish(struct service_watermarks *marks);
/* The partition's entry, made at first sight: it starts at the merged watermark. NULL: no memory. Valid until the next new one. */
struct service_partition *service_watermarks_partition(struct service_watermarks *marks, int32_t partition);
/* Takes the times of rows of one partition as below, up to the first that is not on time: how many. 0 too where there is no memory. */
uint32_t service_watermarks_on_time(struct service_watermarks *marks, int32_t partition, const int64_t *times_ms, uint32_t count);
/* Takes a row's time: says whether it is on time, and raises its partition's watermark. BASE_E_NOMEM. */
int service_watermarks_row(struct service_watermarks *marks, int32_t partition, int64_t time_ms, enum service_timing *ret) BASE_MUST_CHECK;
/* By how much the row's time lies behind the watermark that it is late by; 0: just at it. Of rows that are late. */
int64_t service_watermarks_behind(struct service_watermarks *marks, int32_t partition, int64_t time_ms);
/* Least watermark of the partitions that are neither idle nor done; unchanged if there are none. All done: BASE_TIME_MAX_MS. */
int64_t service_watermarks_merge(struct service_watermarks *marks);
/* All partitions have been idle for so much wall time more: the merged watermark moves on by it, from where it stood. */
void service_watermarks_idle_for(struct service_watermarks *marks, int64_t elapsed_ms);
bool service_watermarks_all_idle(const struct service_watermarks *marks); /* false if there are no partitions */

/* For the epoch: appended to out; read back (total: false if it does not decode). */
void service_watermarks_save(const struct service_watermarks *marks, struct base_buf *out);
bool service_watermarks_load(struct service_watermarks *marks, struct base_reader *in);

#endif
