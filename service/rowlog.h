/* The logs of rows for sinks that follow (protocol.md 9): for each table of INSERT INTO that lies in somebody else's store, the changes in the order of decision,
 * kept in the local store and decided with their epochs. One thread adds (the epoch coordinator); one thread per log reads and says how far it is, which drops
 * what lies behind. Places rise for ever, also over a lost state folder (a new log begins at the clock), so that stores may order versions by them. */
#ifndef SERVICE_ROWLOG_H
#define SERVICE_ROWLOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "service/store.h"

struct service_rowlog;
struct service_rowlog_tail; /* one sink's log; lives as long as the rowlog */

int service_rowlog_open(struct service_store *store, struct service_rowlog **ret) BASE_MUST_CHECK;
void service_rowlog_close(struct service_rowlog *log); /* NULL allowed */
/* The log of a name, made if it is not known yet; to be refreshed before it is used. Coordinator. BASE_E_NOMEM. */
int service_rowlog_tail(struct service_rowlog *log, const char *name, struct service_rowlog_tail **ret) BASE_MUST_CHECK;
/* Reads all logs' places from the store: after pending epochs were settled, before the first add. Coordinator. */
int service_rowlog_refresh(struct service_rowlog *log, struct base_buf *reterr) BASE_MUST_CHECK;

/* Adds an entry to the epoch's batch; record: any bytes. seal: once behind the last entry of the epoch, if there were any. Coordinator. */
int service_rowlog_add(struct service_rowlog_tail *tail, struct service_batch *batch, struct base_str record) BASE_MUST_CHECK;
int service_rowlog_seal(struct service_rowlog_tail *tail, struct service_batch *batch) BASE_MUST_CHECK;
/* The epoch counts: readers may go on. (An abort: refresh.) Coordinator. */
void service_rowlog_decided(struct service_rowlog *log);

struct service_rowlog_state {
    uint64_t position;     /* last entry that was dealt with */
    uint64_t decided;      /* last one that may be read */
    uint64_t rows, bytes;  /* between the two */
};
void service_rowlog_state(struct service_rowlog_tail *tail, struct service_rowlog_state *ret); /* any thread */
/* Waits until there is something behind position, at most timeout_ms, or until woken. */
void service_rowlog_wait(struct service_rowlog_tail *tail, uint64_t position, int64_t timeout_ms);
void service_rowlog_wake(struct service_rowlog *log);

/* Entries behind `after`, decided ones only, in order. visit returns 0 to go on, 1 to end, or an error. Reader's thread. */
typedef int service_rowlog_visit(void *ctx, uint64_t seq, struct base_str record);
int service_rowlog_each(struct service_rowlog_tail *tail, uint64_t after, service_rowlog_visit *visit, void *ctx) BASE_MUST_CHECK;
/* All up to `seq` is dealt with: rows, bytes: how much that was. Drops it. Not synced: after a power failure entries may come again. */
int service_rowlog_done(struct service_rowlog_tail *tail, uint64_t seq, uint64_t rows, uint64_t bytes) BASE_MUST_CHECK;
/* A mark of the reader's own beside its position (the end of a batch that was begun), synced. get: 0 if there is none. */
int service_rowlog_put_mark(struct service_rowlog_tail *tail, uint64_t mark) BASE_MUST_CHECK;
int service_rowlog_get_mark(struct service_rowlog_tail *tail, uint64_t *ret) BASE_MUST_CHECK;

#endif
