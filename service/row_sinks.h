/* Tables of INSERT INTO that lie in somebody else's store: the epoch coordinator writes their changes into logs that are decided with the epoch, and one thread per
 * table carries its log into the store, at its own pace. A store that is away or slow holds back only itself, until its log is full. Delivered is at least once, by
 * sinks whose effect is once (connectors/store_sink.h). */
#ifndef SERVICE_ROW_SINKS_H
#define SERVICE_ROW_SINKS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "service/config.h"
#include "service/letters.h"
#include "service/store.h"

struct service_row_sinks;
struct service_row_sink; /* one table's; valid until the next bind that leaves it out */
struct service_row_sinks_config {
    const struct service_config *config;
    struct service_store *store;
    struct service_letters *letters;  /* rows that a store refuses and the table says to skip; may be NULL */
    bool (*stop)(void *ctx);          /* ends waiting for room */
    void *ctx;
};
int service_row_sinks_open(const struct service_row_sinks_config *config, struct service_row_sinks **ret) BASE_MUST_CHECK;
/* Waits at most timeout_ms for followers that are getting on, then ends all. NULL allowed. */
void service_row_sinks_close(struct service_row_sinks *sinks, int64_t timeout_ms);

/* Follows the stores that this program's INSERT INTO names: those with the same options go on, changed ones are opened anew, gone ones empty their log and end.
 * On an error nothing changes. Coordinator, everything decided. Threads start with service_row_sinks_go. */
int service_row_sinks_bind(struct service_row_sinks *sinks, const struct cep_program *program, struct base_buf *reterr) BASE_MUST_CHECK;
/* Reads the places in the logs from the store (after pending epochs were settled, also after an abort) and starts threads that do not run yet. */
int service_row_sinks_go(struct service_row_sinks *sinks, struct base_buf *reterr) BASE_MUST_CHECK;
/* The sink of a table; NULL: the table is no store. */
struct service_row_sink *service_row_sinks_find(struct service_row_sinks *sinks, struct base_str table);

/* One change of the running epoch: record as formats/cells writes it; key: equal for rows that replace each other, empty: none. Coordinator. */
struct service_row_change { bool remove; struct base_str key, record; };
int service_row_sink_add(struct service_row_sink *sink, const struct service_row_change *change) BASE_MUST_CHECK;
/* Into the epoch's batch: of several changes of one key only the last. Waits while a log is full and its table says so; BASE_E_CLOSED: told to stop. */
int service_row_sinks_write(struct service_row_sinks *sinks, struct service_batch *batch) BASE_MUST_CHECK;
void service_row_sinks_decided(struct service_row_sinks *sinks);
/* Forgets what was added (an abort); go follows. */
void service_row_sinks_aborted(struct service_row_sinks *sinks);

struct service_row_sink_stats {
    char name[128], type[32], place[256], trouble[512]; /* trouble: why it does not get on, "" if it does */
    uint64_t position, rows_waiting, bytes_waiting, delivered, failed, skipped, dropped;
    bool full;
};
/* Sink i; false: there are not so many. Any thread. */
bool service_row_sinks_stats(struct service_row_sinks *sinks, uint32_t i, struct service_row_sink_stats *ret);

#endif
