/* Savepoints (protocol.md 13): the whole state at an epoch - keyed state, timers, alert log, triage, deliveries, profiles, positions - in one file of a documented
 * format (docs/state-format.md), independent of the store's own files and of the number of shards. Written from a store that nobody writes to meanwhile
 * (a checkpoint of a running one), read into a new store. Any thread. */
#ifndef SERVICE_SAVEPOINT_H
#define SERVICE_SAVEPOINT_H

#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "service/store.h"

#define SERVICE_SAVEPOINT_VERSION 1u

struct service_savepoint {
    uint32_t version;
    uint64_t epoch;             /* last decided one */
    int64_t created_ms;         /* wall time */
    char application[256];
    char store_id[40];
    char program[32];           /* version of the program that wrote it */
    uint64_t entries[SERVICE_CF_COUNT];
    uint64_t bytes;
    struct base_buf rules;      /* reading: names of the rules that its state belongs to, "a, b" */
};
void service_savepoint_finish(struct service_savepoint *facts);
/* Writes path by way of a temporary file; facts (application, created_ms) are the caller's, the rest is filled in. The reason of a failure is appended. */
int service_savepoint_write(struct service_store *store, const char *path, struct service_savepoint *facts, struct base_buf *reterr) BASE_MUST_CHECK;
/* Reads and checks all of it. into NULL: only looks. into: a new, empty store; it is marked as restored, so that the next start takes its word against that
 * of an older commit. BASE_E_CORRUPT, BASE_E_VERSION, BASE_E_NOTFOUND, BASE_E_IO, BASE_E_FULL. */
int service_savepoint_read(const char *path, struct service_store *into, struct service_savepoint *ret, struct base_buf *reterr) BASE_MUST_CHECK;

#endif
