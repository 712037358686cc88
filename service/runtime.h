/* The whole running service: store, rule set, engine, epochs, deliveries. Starts them in order, drives the epochs, swaps rule sets at a boundary, restarts from
 * the last decided epoch when one fails, and ends in order. run belongs to the main thread; what REST needs is for any thread. */
#ifndef SERVICE_RUNTIME_H
#define SERVICE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "service/alertlog.h"
#include "service/config.h"
#include "service/delivery.h"
#include "service/desk.h"
#include "service/metrics.h"
#include "service/ruleset.h"
#include "service/store.h"

struct service_runtime;
struct service_runtime_config {
    const struct service_config *config;  /* outlives the runtime */
    const struct cep_funcs *funcs;
    bool exit_at_end;                     /* stop by itself when all sources are bounded and read */
};
/* Opens the store and compiles the rules; starts nothing. Reason appended to reterr; BASE_E_SYNTAX: rendered diagnostics are in it. */
int service_runtime_create(const struct service_runtime_config *config, struct service_runtime **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void service_runtime_destroy(struct service_runtime *runtime); /* NULL allowed */
/* Runs until it is told to stop. 0: ended in order. BASE_E_FENCED: another instance took over; others: it cannot go on (reason appended). */
int service_runtime_run(struct service_runtime *runtime, struct base_buf *reterr) BASE_MUST_CHECK;
/* Async-signal-safe. */
void service_runtime_stop(struct service_runtime *runtime);
void service_runtime_ask_reload(struct service_runtime *runtime); /* of the rules folder, without an answer but the log */

/* ---- any thread ---- */
/* What became of a reload. answer: JSON as REST gives it ({"rules": [{"name", "result": "kept|started|stopped|changed", "reason"}…], "diagnostics": […]}). */
struct service_reload {
    const char *file;        /* PUT: name within the rules folder; NULL: the folder as it is */
    struct base_str text;    /* PUT: its new content */
    bool only_check;         /* nothing takes effect */
    struct base_buf answer;  /* out */
    struct base_buf error;   /* out: reason in words if it failed for another reason than diagnostics */
};
/* Compiles in the calling thread, swaps at an epoch boundary. 0, BASE_E_SYNTAX (diagnostics in answer), BASE_E_READONLY, BASE_E_BUSY, BASE_E_CONFIG, … */
int service_runtime_reload(struct service_runtime *runtime, struct service_reload *reload) BASE_MUST_CHECK;
/* Writes a savepoint of the running service at the next epoch boundary: NAME.savepoint below the state folder's savepoints. path: out, where it is.
 * BASE_E_INVALID (name), BASE_E_BUSY, BASE_E_EXISTS, BASE_E_IO, BASE_E_FULL. */
struct service_savepoint_ask { const char *name; char path[4096]; struct base_buf error; };
int service_runtime_savepoint(struct service_runtime *runtime, struct service_savepoint_ask *ask) BASE_MUST_CHECK;
bool service_runtime_ready(struct service_runtime *runtime, char *why, size_t why_bytes);
struct service_ruleset *service_runtime_ruleset(struct service_runtime *runtime); /* a reference: unref it */
const struct service_config *service_runtime_settings(const struct service_runtime *runtime);
struct service_store *service_runtime_store(struct service_runtime *runtime);
struct service_alertlog *service_runtime_log(struct service_runtime *runtime);
struct service_desk *service_runtime_desk(struct service_runtime *runtime);
struct service_delivery *service_runtime_delivery(struct service_runtime *runtime); /* NULL before it is started */
struct service_pushes *service_runtime_pushes(struct service_runtime *runtime);
struct service_row_sinks *service_runtime_row_sinks(struct service_runtime *runtime); /* likewise */
struct service_metrics *service_runtime_metrics(struct service_runtime *runtime);
/* Facts that are gathered at boundaries, about once a second: sources, profile tables, keys per rule. Appended as Prometheus text, or as JSON members. */
void service_runtime_print_metrics(struct service_runtime *runtime, struct base_buf *out);
/* State of one rule: {"keys", "state_bytes", "partial_matches", "rows"}; false: not known. */
struct service_rule_state { uint64_t keys, state_bytes, threads, rows_kept; };
bool service_runtime_rule_state(struct service_runtime *runtime, const char *rule, struct service_rule_state *ret);

#endif
