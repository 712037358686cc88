/* A routed row as flat bytes: what travels between threads in the exchange, and what a single-threaded host queues between two calls of the flow. Made
 * from a cep_event (whose parts are borrowed for the call) and turned back into one that borrows from the bytes. Knows no thread and no queue. */
#ifndef SERVICE_MESSAGE_H
#define SERVICE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "cep/flow.h"

enum service_message_kind { SERVICE_MESSAGE_ROW = 1, SERVICE_MESSAGE_WATERMARK = 2, SERVICE_MESSAGE_BARRIER = 3, SERVICE_MESSAGE_PLAIN = 4 };

/* Head of a message; multiples of 8 bytes, so that rows inside stay aligned. Kept in journals (journal.h): what changes here is a new version there. */
struct service_message {
    uint32_t size_bytes;    /* of all, head included */
    uint16_t kind;          /* enum service_message_kind */
    uint16_t event_kind;    /* ROW: enum cep_kind_of_match */
    uint32_t exchange;      /* node */
    uint16_t limited, final;
    int64_t time_ms;        /* WATERMARK: its value; BARRIER: the epoch */
    uint64_t key_hash;
    struct cep_ident ident;
    int64_t first_time_ms, last_time_ms;
    struct cep_position first_at;
    uint32_t key_node;
    uint32_t key_bytes;     /* 0: no key */
    uint32_t row_bytes;
    uint32_t evidence_count, evidence_total, evidence_schema;
    uint32_t revision;
    uint32_t has_evidence;
    /* key, row, then for each evidence item {u32 var, u32 excluded} and its row */
};

/* A row as it comes from its source, with the key of the exchange: all else that an event says of it can be told from the row. Its kind stands where that of other
 * messages does. */
struct service_plain {
    uint32_t size_bytes;
    uint16_t kind;          /* SERVICE_MESSAGE_PLAIN */
    uint16_t zero;
    uint32_t exchange;
    uint32_t key_bytes;
    uint64_t key_hash;
    /* key, row */
};
static inline const struct cep_tuple *service_plain_key(const struct service_plain *plain) { return (const struct cep_tuple *)(const void *)(plain + 1); }
static inline const struct cep_row *service_plain_row(const struct service_plain *plain)
{
    return (const struct cep_row *)(const void *)((const char *)(plain + 1) + ((plain->key_bytes + 7u) & ~7u));
}

/* Appends a row the shorter way that can say all of it, whole or not at all. BASE_E_NOMEM, BASE_E_LIMIT. */
int service_message_put(struct base_buf *out, uint32_t exchange, const struct cep_event *event) BASE_MUST_CHECK;
/* Appends a row as a ROW message, whole or not at all. BASE_E_NOMEM, BASE_E_LIMIT. */
int service_message_put_row(struct base_buf *out, uint32_t exchange, const struct cep_event *event) BASE_MUST_CHECK;
int service_message_put_mark(struct base_buf *out, enum service_message_kind kind, uint32_t exchange, int64_t value) BASE_MUST_CHECK;

/* Do the parts of a ROW message lie within its size? For bytes that come from a store. */
bool service_message_whole(const struct service_message *message);

/* Storage that an unpacked event borrows from, beside the message itself. Zero-initialise; reused over messages. */
struct service_unpacked {
    struct cep_event event;
    struct cep_evidence evidence;
    struct cep_evidence_item *items;
    size_t items_cap;
};
void service_unpacked_finish(struct service_unpacked *unpacked);
/* The event of a ROW message. BASE_E_NOMEM. */
int service_message_unpack(const struct service_message *message, struct service_unpacked *ret) BASE_MUST_CHECK;

#endif
