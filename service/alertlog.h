/* The alert log (protocol.md 9): every revision of every alert in the order of decision, kept in the store and decided with its epoch. Sinks that are not part of
 * the decision follow it; the alert desk and REST read it. One thread adds (the epoch coordinator); reading is for any thread and shows decided
 * epochs only. Also says what is known of one alert: first and last place in the log. */
#ifndef SERVICE_ALERTLOG_H
#define SERVICE_ALERTLOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/program.h"
#include "service/part.h"
#include "service/store.h"

/* One entry; texts point into the bytes that it was read from. */
struct service_alert {
    uint64_t seq;                 /* place in the log, from 1 */
    uint32_t revision, version;   /* version: of the rule */
    uint8_t change;               /* enum formats_alert_change */
    struct base_str alert_id;     /* 32 hex digits */
    struct base_str rule, severity, mode, sinks, key;
    int64_t first_ms, last_ms, detected_ms;
    struct base_str body;         /* the JSON that sinks get */
};
/* What the index says of an alert. */
struct service_alert_place {
    uint64_t first_seq, last_seq;
    uint32_t revision;
    uint8_t change;
    bool frozen;                  /* its rule was changed or dropped before it settled: it stays as it is */
};

struct service_alertlog;
int service_alertlog_open(struct service_store *store, struct service_alertlog **ret, struct base_buf *reterr) BASE_MUST_CHECK;
/* Looks at the store again: after pending epochs were settled, before the first add. */
int service_alertlog_refresh(struct service_alertlog *log, struct base_buf *reterr) BASE_MUST_CHECK;
void service_alertlog_close(struct service_alertlog *log); /* NULL allowed */
/* Adds an alert of the epoch to its batch. *ret_seq: its place. Coordinator only. */
int service_alertlog_add(struct service_alertlog *log, struct service_batch *batch, const struct cep_program *program, const struct service_output *output,
                         uint64_t *ret_seq) BASE_MUST_CHECK;
/* Marks an alert as frozen, with the epoch. BASE_E_NOTFOUND. Coordinator only, before any alert of the epoch is added. */
int service_alertlog_freeze(struct service_alertlog *log, struct service_batch *batch, struct base_str alert_id) BASE_MUST_CHECK;
/* All that was added is decided and applied: followers may read on. Or it is not (an abort): places are given anew. */
void service_alertlog_decided(struct service_alertlog *log);
void service_alertlog_aborted(struct service_alertlog *log);
/* Last decided place; 0: none. Any thread. */
uint64_t service_alertlog_last(struct service_alertlog *log);
/* Waits until there is something behind `seq`, at most timeout_ms, or until woken. */
void service_alertlog_wait(struct service_alertlog *log, uint64_t seq, int64_t timeout_ms);
void service_alertlog_wake(struct service_alertlog *log);

/* Reads the entry at seq into bytes (cleared first); BASE_E_NOTFOUND, BASE_E_CORRUPT. */
int service_alertlog_get(struct service_alertlog *log, uint64_t seq, struct base_buf *bytes, struct service_alert *ret) BASE_MUST_CHECK;
int service_alertlog_find(struct service_alertlog *log, struct base_str alert_id, struct service_alert_place *ret) BASE_MUST_CHECK;
/* Entries from `from` on (or, reverse, from `from` down; 0: the last). visit returns 0 to go on, 1 to end. */
typedef int service_alert_visit(void *ctx, const struct service_alert *alert);
int service_alertlog_each(struct service_alertlog *log, uint64_t from, bool reverse, service_alert_visit *visit, void *ctx) BASE_MUST_CHECK;
/* Drops entries that were detected before before_ms and stand below keep_seq, at most `most`, together with index entries that end there. */
int service_alertlog_prune(struct service_alertlog *log, int64_t before_ms, uint64_t keep_seq, uint32_t most) BASE_MUST_CHECK;

/* 8 bytes, so that keys sort as numbers do. */
void service_seq_key(uint64_t seq, struct base_buf *out);
uint64_t service_seq_of(struct base_str key);
const char *service_change_name(uint8_t change);

#endif
