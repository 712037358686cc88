/* The end of an epoch (protocol.md 3-9): takes what the threads wrote down up to a barrier, gives alerts their place in the log, writes table sinks and letters,
 * prepares, decides - by Kafka where a Kafka sink takes part, otherwise by one synced write - and applies. Epoch thread only. */
#ifndef SERVICE_EPOCHS_H
#define SERVICE_EPOCHS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "service/alertlog.h"
#include "service/config.h"
#include "service/decider.h"
#include "service/imager.h"
#include "service/letters.h"
#include "service/metrics.h"
#include "service/part.h"
#include "service/row_sinks.h"
#include "service/store.h"

struct service_epochs;
struct service_epochs_config {
    const struct service_config *config;
    struct service_store *store;
    struct service_alertlog *log;
    struct service_letters *letters;
    struct service_metrics *metrics;
    bool (*stop)(void *ctx);
    void *ctx;
};
int service_epochs_open(const struct service_epochs_config *config, struct service_epochs **ret, struct base_buf *reterr) BASE_MUST_CHECK;
void service_epochs_close(struct service_epochs *epochs); /* NULL allowed */
/* Opens what INSERT INTO of this program writes to, instead of what was open before. On an error nothing changes. The program must outlive its use. Opens
 * the decider (which settles pending epochs) as soon as a Kafka sink or table needs one. */
int service_epochs_bind(struct service_epochs *epochs, const struct cep_program *program, struct base_buf *reterr) BASE_MUST_CHECK;

/* The tables that lie in stores; for questions. */
struct service_row_sinks *service_epochs_row_sinks(struct service_epochs *epochs);

/* What belongs to an epoch beside the threads' parts. */
struct service_epoch {
    uint64_t number;
    struct service_part **parts;       /* shards, then ingest */
    uint32_t part_count;
    struct service_batch *profiles;    /* changes of profile topics, or NULL */
    struct service_batch *purge;       /* deadlines that nobody needs once there is an image of this epoch; or NULL */
    const struct service_offset *offsets; /* of Kafka sources, behind the epoch */
    size_t offset_count;
    struct base_str profile_positions; /* service_profiles_save */
    struct base_str fingerprints;      /* nodes that the state belongs to: u64s */
    bool sync;                         /* it must last when the machine fails, not only the process */
    bool journaled;                    /* there are journals from before this epoch */
    bool image;                        /* the parts hold all state that changed since the last image: no journal up to here is needed any more */
    bool aside;                        /* image, and what it holds has been offered to service_epochs_imager: it follows behind the epoch */
    struct base_str journal_head;      /* what journals from here on were made by (settle.c); empty: as said before */
    bool first_journal;                /* the store knows of no image: it is this one */
    uint64_t first_image;
    struct base_str first_watermarks;
};
/* Before the first epoch, and after an abort: are journals that the store knows of gone through? If not, files of earlier runs are not needed any more. */
void service_epochs_begin(struct service_epochs *epochs, bool journals_needed);
/* Images that are written aside. Lives as long as the epochs. */
struct service_imager *service_epochs_imager(struct service_epochs *epochs);
/* At rest, behind the barrier of an epoch with an image: if it is large it goes aside (epoch->aside). BASE_E_NOMEM. */
int service_epochs_offer(struct service_epochs *epochs, struct service_epoch *epoch) BASE_MUST_CHECK;
/* Between epochs: what an image on its way has come to. *ret_rests: nothing is on its way, so that another one may be. wait: until then. An error of one that failed, as of
 * service_epochs_commit (reason appended). */
int service_epochs_look_at_image(struct service_epochs *epochs, bool wait, bool *ret_rests, struct base_buf *reterr) BASE_MUST_CHECK;
/* At rest, before the engine goes on: dead letters and late rows up to the barrier belong to this epoch. */
void service_epochs_collect(struct service_epochs *epochs);
/* 0: decided and applied (*ret_empty: there was nothing to decide). Otherwise nothing of it counts and the engine must be restarted from the last decided
 * one: BASE_E_CONFLICT, BASE_E_IO, BASE_E_FULL, BASE_E_NOMEM; BASE_E_FENCED: end the process; BASE_E_CLOSED. Reason appended. */
int service_epochs_commit(struct service_epochs *epochs, const struct service_epoch *epoch, bool *ret_empty, struct base_buf *reterr) BASE_MUST_CHECK;
/* Undoes what an abort leaves: an open transaction, places in the log, pending batches. */
int service_epochs_abort(struct service_epochs *epochs, struct base_buf *reterr) BASE_MUST_CHECK;
bool service_epochs_by_kafka(const struct service_epochs *epochs);

/* Stored with the last decided epoch. Zero-initialise; BASE_E_NOTFOUND: nothing was decided yet. Slices point into bytes. */
struct service_epoch_record {
    struct base_buf bytes;
    uint64_t number;
    struct base_str shard_watermarks, ingest_watermarks, positions, profile_positions, fingerprints;
};
int service_epochs_last(struct service_store *store, struct service_epoch_record *ret) BASE_MUST_CHECK;
/* The last epoch whose state stands in the store whole, with the shards' watermarks at its end appended; what came behind it is in the journals. BASE_E_NOTFOUND:
 * the last decided one. */
int service_epochs_image(struct service_store *store, uint64_t *ret_epoch, struct base_buf *ret_watermarks) BASE_MUST_CHECK;
/* Says in a batch that it is this one. */
int service_epochs_put_image(struct service_batch *batch, uint64_t epoch, struct base_str watermarks) BASE_MUST_CHECK;
/* What the journals were made by: BASE_E_NOTFOUND: nothing. Appended. */
int service_epochs_journal_head(struct service_store *store, struct base_buf *ret) BASE_MUST_CHECK;
void service_epoch_record_finish(struct service_epoch_record *record);

#endif
