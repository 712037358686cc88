/* An alert as the JSON that every sink, the alert store and REST show: CloudEvents 1.0, amounts exact. Called by the end of the flow for each revision. The
 * same input gives the same bytes. Card numbers are masked in all of it. Any thread. */
#ifndef FORMATS_ALERT_H
#define FORMATS_ALERT_H

#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/flow.h"
#include "cep/program.h"

#define FORMATS_ALERT_BYTES_DEFAULT ((size_t)256 << 10) /* of the event list; stays well below Kafka's 1 MB record */
#define FORMATS_ALERT_TEXT_BYTES ((size_t)8 << 10)      /* of one text value */

enum formats_alert_change { FORMATS_ALERT_CREATED, FORMATS_ALERT_UPDATED, FORMATS_ALERT_WITHDRAWN };

struct formats_alert {
    const struct cep_program *program;
    uint32_t rule;                  /* index in the program */
    enum formats_alert_change change;
    uint32_t schema;                /* of event->row: the measures */
    const struct cep_event *event;  /* row, key, key_node, kind, limited, first and last time, evidence, revision; its identity is not read */
    struct base_str alert_id;       /* 32 hex digits (formats_alert_id) */
    struct base_str source;         /* CloudEvents source, e.g. "/cepheid/fraud-1" */
    int64_t detected_ms;            /* wall clock; in data.detected_at, outside of what a replay repeats */
    size_t evidence_bytes;          /* limit of the event list, 0: the default */
};

/* semantics of identity: hash of rule name, fingerprint and the row's identity. */
void formats_alert_id(const struct cep_program *program, uint32_t rule, struct cep_ident ident, char ret[33]);
/* The same of a rule whose program is not at hand: its name and fingerprint. */
void formats_alert_id_of(struct base_str name, struct base_str fingerprint, struct cep_ident ident, char ret[33]);

/* Appends one line of JSON without line end:
 *   specversion, id "<alert_id>.<revision>", source, type "cepheid.alert.created.v1" (updated, withdrawn), subject (the key), time (of the last event),
 *   datacontenttype, data { alert_id, revision, change, rule, version, severity, title, mode, key {}, kind, first_event_time, last_event_time, measures {},
 *   events [ { source { table, partition, offset }, variable, time, fields {} } ], detected_at },
 *   and where it applies: events_total (there were more than are shown), evidence_truncated, limited.
 * The event list is cut above evidence_bytes: the last event stays, then as many as fit from the first on. Columns whose names start with "__" are ours and
 * left out of the measures. BASE_E_NOMEM. */
int formats_alert_json(const struct formats_alert *alert, struct base_buf *out) BASE_MUST_CHECK;

#endif
