/* What one thread contributes to an epoch: changes of state, alerts and rows to be written. Filled by its thread until the barrier, then handed to the epoch
 * coordinator, which gives it an empty one (two per thread take turns). Single owner at a time. */
#ifndef SERVICE_PART_H
#define SERVICE_PART_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "cep/row.h"
#include "formats/alert.h"
#include "service/store.h"

/* One alert revision or output row. Texts live in the part's arena. */
struct service_output {
    uint32_t node;              /* SINK node */
    uint32_t rule;              /* alerts; CEP_NONE: a row of an INSERT INTO */
    uint32_t table;             /* rows; CEP_NONE otherwise */
    uint32_t revision;
    enum formats_alert_change change;
    uint8_t row_change;         /* rows: enum cep_change */
    bool first_is_new;          /* the alert did not exist before this epoch */
    bool dropped;               /* created and withdrawn within the epoch: nothing to tell */
    char alert_id[33];
    struct base_str key;        /* of the record */
    struct base_str subject;    /* alerts: the key as REST shows it */
    struct base_str body;
    int64_t first_ms, last_ms, detected_ms;
};
struct service_outputs BASE_VEC(struct service_output *);

struct service_part {
    struct service_batch *changes;  /* of the store: views */
    struct service_batch *image;    /* state and timers that changed since the last image; only if the epoch has one */
    struct base_buf journal;        /* what the shard's operators took in */
    struct service_outputs outputs; /* in order of making */
    struct base_map by_id;          /* alert id -> index in outputs + 1 */
    struct base_arena arena;
    struct base_buf watermarks;     /* cep_flow_watermarks at the barrier */
    struct base_buf positions;      /* ingest only: of all inputs */
    struct base_buf scratch;
    bool touched;                   /* state changed in this epoch */
    uint64_t output_bytes;          /* of the outputs' bodies */
};
int service_part_init(struct service_part *part) BASE_MUST_CHECK;
void service_part_finish(struct service_part *part);
void service_part_clear(struct service_part *part); /* for the next epoch; keeps memory */
bool service_part_empty(const struct service_part *part);
/* Adds an alert revision (copies; body etc. may be borrowed). Within an epoch only the last revision of an alert is kept (semantics.md 19). BASE_E_NOMEM. */
int service_part_alert(struct service_part *part, const struct service_output *output) BASE_MUST_CHECK;
int service_part_row(struct service_part *part, const struct service_output *output) BASE_MUST_CHECK;

#endif
