/* What a shard's operators took in, step by step, so that they can be brought back to where they were: rows and watermarks as they were delivered, moves of profile
 * tables, and whatever an answer hung on besides (rows of tables, volatile functions, the clock). Going through a journal again from the state in front of it gives
 * the state behind it, whatever threads, tables and clocks do meanwhile; what comes out is thrown away, it was decided before.
 *
 * A shard writes one while it runs (into its part of the epoch) and reads those of the epochs since the last image of its state when it starts (docs/protocol.md).
 * One owner: the shard's thread. Knows no store but through service_journal_each. */
#ifndef SERVICE_JOURNAL_H
#define SERVICE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "cep/expr.h"
#include "service/journal_delta.h"
#include "service/message.h"
#include "service/segments.h"
#include "service/store.h"

#define SERVICE_JOURNAL_VERSION 1

struct service_journal {
    struct base_buf *out;    /* writing: of the running epoch; NULL: nothing is written */
    const struct base_buf *last_out; /* where the last row was written */
    const char *at, *end;    /* reading */
    struct service_delta last; /* row written or read last */
    bool reads;              /* rows are gone through again */
    struct cep_tape tape;    /* for the flow */
};
void service_journal_init(struct service_journal *journal);
void service_journal_finish(struct service_journal *journal);

/* ---- writing; nothing is done while reading. BASE_E_NOMEM ---- */
int service_journal_row(struct service_journal *journal, const struct service_message *message) BASE_MUST_CHECK;
int service_journal_plain(struct service_journal *journal, const struct service_plain *plain) BASE_MUST_CHECK;
int service_journal_watermark(struct service_journal *journal, uint32_t exchange, int64_t watermark_ms) BASE_MUST_CHECK;
/* The profile tables moved, to this generation. */
int service_journal_moved(struct service_journal *journal, uint64_t generation) BASE_MUST_CHECK;
/* Outside tables have answered, and rows that waited go on. */
int service_journal_answered(struct service_journal *journal) BASE_MUST_CHECK;
/* What a table gave (NULL: no row; or an error), and how far it had come. */
int service_journal_found(struct service_journal *journal, const struct cep_row *row, int error) BASE_MUST_CHECK;
int service_journal_reached(struct service_journal *journal, int64_t watermark_ms) BASE_MUST_CHECK;

/* ---- reading ---- */
enum service_step_kind { SERVICE_STEP_ROW, SERVICE_STEP_WATERMARK, SERVICE_STEP_MOVED, SERVICE_STEP_ANSWERED };
struct service_step {
    enum service_step_kind kind;
    const struct service_message *message; /* ROW: to be unpacked; NULL: event says all. Valid until the next step is asked for */
    struct cep_event event;
    uint32_t exchange;                  /* ROW, WATERMARK */
    int64_t value;                      /* WATERMARK: its time; MOVED: generation */
};
/* Starts to read; the bytes are 8-byte aligned and outlive the reading. */
void service_journal_open(struct service_journal *journal, const char *bytes, size_t len);
/* Next step; BASE_E_EOF behind the last, BASE_E_CORRUPT: something else is there (also: an answer that nobody asked for). */
int service_journal_next(struct service_journal *journal, struct service_step *ret) BASE_MUST_CHECK;
/* The answers, in the order of the questions; found: or the error that was the answer. BASE_E_CORRUPT: another one is there. */
int service_journal_take_found(struct service_journal *journal, const struct cep_row **ret) BASE_MUST_CHECK;
int service_journal_take_reached(struct service_journal *journal, int64_t *ret) BASE_MUST_CHECK;

/* ---- in the store, and in files beside it ---- */
/* Puts one shard's journal of an epoch into a batch that is written at once; the bytes stay as they are until then. Nothing is put for an empty one. */
int service_journal_put(struct service_batch *batch, uint32_t shard, uint64_t epoch, const struct base_buf *journal) BASE_MUST_CHECK;
/* Puts where in a file it lies; the file is synced before the batch is written. */
int service_journal_put_place(struct service_batch *batch, uint32_t shard, uint64_t epoch, const struct service_place *place) BASE_MUST_CHECK;
/* Forgets those of [from, to) of the first shards. */
#define SERVICE_SHARDS_MOST 64u
int service_journal_forget(struct service_batch *batch, uint32_t shards, uint64_t from, uint64_t to) BASE_MUST_CHECK;
/* Has one of the shards a journal of an epoch from `from` on? 1, 0 or BASE_E_*. */
int service_journal_any(struct service_store *store, uint64_t from) BASE_MUST_CHECK;
/* Calls fn with the journal of each epoch in (after, until] that the shard has one of, in order; 8-byte aligned. What fn returns other than 0 ends the walk.
 * BASE_E_CORRUPT (also: its file is gone or not as it was written), BASE_E_VERSION: it cannot be read. */
int service_journal_each(struct service_store *store, uint32_t shard, uint64_t after, uint64_t until, int (*fn)(void *ctx, uint64_t epoch, const char *bytes, size_t len),
                         void *ctx) BASE_MUST_CHECK;

#endif
