#include "service/message.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vec.h"

struct item_head { uint32_t var, excluded; };

static size_t round8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static void put_padded(struct base_buf *out, const void *bytes, size_t len)
{
    static const char zeros[8];
    base_buf_put(out, bytes, len);
    base_buf_put(out, zeros, round8(len) - len);
}

int service_message_put_row(struct base_buf *out, uint32_t exchange, const struct cep_event *event)
{
    const struct cep_evidence *evidence = event->evidence;
    size_t size = sizeof(struct service_message) + round8(cep_row_size(event->row)) + (event->key ? round8(event->key->size_bytes) : 0);
    for (uint32_t i = 0; evidence && i < evidence->count; i++)
        size += sizeof(struct item_head) + round8(cep_row_size(evidence->items[i].row));
    if (size > UINT32_MAX)
        return BASE_E_LIMIT;
    if (!base_buf_reserve(out, size)) /* all of it or nothing: what is in the buffer may still be sent */
        return BASE_E_NOMEM;
    struct service_message head = {
        .size_bytes = (uint32_t)size, .kind = SERVICE_MESSAGE_ROW, .event_kind = event->kind, .exchange = exchange, .limited = event->limited, .final = event->final,
        .key_hash = event->key_hash, .ident = event->ident, .first_time_ms = event->first_time_ms, .last_time_ms = event->last_time_ms,
        .first_at = event->first_at, .key_node = event->key_node, .key_bytes = event->key ? event->key->size_bytes : 0,
        .row_bytes = (uint32_t)cep_row_size(event->row), .revision = event->revision, .has_evidence = evidence != NULL,
    };
    if (evidence) {
        head.evidence_count = evidence->count;
        head.evidence_total = evidence->total;
        head.evidence_schema = evidence->schema;
    }
    base_buf_put(out, &head, sizeof head);
    if (event->key)
        put_padded(out, event->key, event->key->size_bytes);
    put_padded(out, event->row, head.row_bytes);
    for (uint32_t i = 0; i < head.evidence_count; i++) {
        struct item_head item = { evidence->items[i].var, evidence->items[i].excluded };
        base_buf_put(out, &item, sizeof item);
        put_padded(out, evidence->items[i].row, cep_row_size(evidence->items[i].row));
    }
    return out->failed ? BASE_E_NOMEM : 0;
}

static bool is_plain(uint32_t exchange, const struct cep_event *e)
{
    return e->kind == CEP_IS_ROW && !e->limited && e->final && e->first_time_ms == e->row->time_ms && e->last_time_ms == e->row->time_ms && !e->ident.hi && !e->ident.lo &&
           memcmp(&e->first_at, &e->row->at, sizeof e->first_at) == 0 && !e->evidence && e->revision == 0 && e->key && e->key_node == exchange;
}

/* The last word is zeroed first: bytes behind the end are nothing that was in memory before. */
static char *put_words(char *at, const void *bytes, size_t len)
{
    size_t words = round8(len);
    if (words != len)
        memset(at + words - 8, 0, 8);
    memcpy(at, bytes, len);
    return at + words;
}

int service_message_put(struct base_buf *out, uint32_t exchange, const struct cep_event *event)
{
    if (!is_plain(exchange, event))
        return service_message_put_row(out, exchange, event);
    size_t row_bytes = cep_row_size(event->row), size = sizeof(struct service_plain) + round8(event->key->size_bytes) + round8(row_bytes);
    if (size > UINT32_MAX)
        return BASE_E_LIMIT;
    if (!base_buf_reserve(out, size))
        return BASE_E_NOMEM;
    struct service_plain head = { .size_bytes = (uint32_t)size, .kind = SERVICE_MESSAGE_PLAIN, .exchange = exchange, .key_bytes = event->key->size_bytes, .key_hash = event->key_hash };
    char *at = out->ptr + out->len;
    memcpy(at, &head, sizeof head);
    at = put_words(at + sizeof head, event->key, event->key->size_bytes);
    put_words(at, event->row, row_bytes);
    out->len += size;
    return 0;
}

int service_message_put_mark(struct base_buf *out, enum service_message_kind kind, uint32_t exchange, int64_t value)
{
    struct service_message head = { .size_bytes = sizeof head, .kind = (uint16_t)kind, .exchange = exchange, .time_ms = value };
    base_buf_put(out, &head, sizeof head);
    return out->failed ? BASE_E_NOMEM : 0;
}

void service_unpacked_finish(struct service_unpacked *unpacked)
{
    base_free(unpacked->items);
    unpacked->items = NULL;
    unpacked->items_cap = 0;
}

static bool row_fits(const char *at, const char *end, size_t *ret_bytes)
{
    const struct cep_row *row = (const struct cep_row *)(const void *)at;
    if ((size_t)(end - at) < sizeof *row)
        return false;
    *ret_bytes = round8(cep_row_size(row));
    return *ret_bytes <= (size_t)(end - at);
}

bool service_message_whole(const struct service_message *message)
{
    if (message->size_bytes < sizeof *message)
        return false;
    const char *at = (const char *)(message + 1), *end = (const char *)message + message->size_bytes;
    if (message->key_bytes) {
        const struct cep_tuple *key = (const struct cep_tuple *)(const void *)at;
        if ((size_t)(end - at) < round8(message->key_bytes) || message->key_bytes < sizeof *key || key->size_bytes != message->key_bytes)
            return false;
        at += round8(message->key_bytes);
    }
    size_t bytes;
    if (!row_fits(at, end, &bytes) || bytes != round8(message->row_bytes))
        return false;
    at += bytes;
    for (uint32_t i = 0; i < message->evidence_count; i++) {
        if ((size_t)(end - at) < sizeof(struct item_head) || !row_fits(at + sizeof(struct item_head), end, &bytes))
            return false;
        at += sizeof(struct item_head) + bytes;
    }
    return true;
}

int service_message_unpack(const struct service_message *message, struct service_unpacked *ret)
{
    const char *at = (const char *)(message + 1);
    ret->event = (struct cep_event){
        .key_node = message->key_node, .key_hash = message->key_hash, .ident = message->ident, .kind = (uint8_t)message->event_kind,
        .limited = message->limited, .final = message->final, .first_time_ms = message->first_time_ms, .last_time_ms = message->last_time_ms,
        .first_at = message->first_at, .revision = message->revision,
    };
    if (message->key_bytes) {
        ret->event.key = (const struct cep_tuple *)(const void *)at;
        at += round8(message->key_bytes);
    }
    ret->event.row = (const struct cep_row *)(const void *)at;
    at += round8(message->row_bytes);
    if (!message->has_evidence)
        return 0;
    if (message->evidence_count > ret->items_cap &&
        !base_vec_grow((void **)&ret->items, &ret->items_cap, message->evidence_count, sizeof *ret->items))
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < message->evidence_count; i++) {
        const struct item_head *item = (const struct item_head *)(const void *)at;
        const struct cep_row *row = (const struct cep_row *)(const void *)(item + 1);
        ret->items[i] = (struct cep_evidence_item){ .row = row, .var = item->var, .excluded = item->excluded };
        at += sizeof *item + round8(cep_row_size(row));
    }
    ret->evidence = (struct cep_evidence){ .schema = message->evidence_schema, .items = ret->items, .count = message->evidence_count,
                                           .total = message->evidence_total };
    ret->event.evidence = &ret->evidence;
    return 0;
}
