/* Routed rows as bytes and back: key, row, evidence; several in one buffer. */
#include "service/message.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "tests/unit/tap.h"

static const struct cep_type TYPES[] = { { .kind = CEP_KIND_STRING }, { .kind = CEP_KIND_INT } };

static struct cep_row *row(struct base_arena *arena, const char *text, int64_t number)
{
    struct cep_value values[] = { cep_string(text, strlen(text)), cep_int(number) };
    struct cep_row *ret = NULL;
    return cep_row_make(TYPES, values, 2, 77, (struct cep_position){ .offset = number, .partition = 3, .table = 1 }, arena, &ret) < 0 ? NULL : ret;
}

int main(void)
{
    struct base_arena arena = { 0 };
    struct base_buf bytes = { 0 };
    struct cep_evidence_item items[] = { { row(&arena, "x", 1), 4, false }, { row(&arena, "a longer one", 2), CEP_NONE, true } };
    struct cep_evidence evidence = { .schema = 9, .items = items, .count = 2, .total = 5 };
    struct cep_row *main_row = row(&arena, "main", 42);
    struct cep_value key_value = cep_string("k1", 2);
    struct cep_tuple *key = base_arena_alloc(&arena, cep_tuple_size(TYPES, &key_value, 1));
    cep_tuple_write(TYPES, &key_value, 1, key);
    struct cep_event event = { .row = main_row, .key = key, .key_node = 6, .key_hash = 99, .ident = { 1, 2 }, .kind = CEP_IS_ABSENCE, .limited = true,
                               .final = true, .first_time_ms = 10, .last_time_ms = 20, .first_at = { .offset = 8 }, .evidence = &evidence, .revision = 3 };
    IS_INT(service_message_put_row(&bytes, 5, &event), 0, "a row with evidence");
    IS_INT(service_message_put_mark(&bytes, SERVICE_MESSAGE_WATERMARK, 5, 1234), 0, "a watermark behind it");
    struct cep_event bare = { .row = main_row, .key_node = CEP_NONE };
    IS_INT(service_message_put_row(&bytes, 6, &bare), 0, "a bare row");

    struct service_unpacked got = { 0 };
    const struct service_message *first = (const struct service_message *)(const void *)bytes.ptr;
    IS_INT(service_message_unpack(first, &got), 0, "unpacked");
    IS_INT(first->exchange, 5, "its exchange");
    OK(cep_tuple_equal(got.event.key, key), "the key");
    OK(memcmp(got.event.row, main_row, cep_row_size(main_row)) == 0, "the row");
    OK(got.event.limited && got.event.final && got.event.kind == CEP_IS_ABSENCE && got.event.ident.lo == 2 && got.event.revision == 3, "the rest");
    IS_INT(got.event.first_at.offset, 8, "the first position");
    IS_INT(got.event.evidence->count, 2, "two rows of evidence");
    IS_INT(got.event.evidence->total, 5, "of five");
    OK(memcmp(got.event.evidence->items[1].row, items[1].row, cep_row_size(items[1].row)) == 0 && got.event.evidence->items[1].excluded, "the second of them");

    const struct service_message *second = (const struct service_message *)(const void *)(bytes.ptr + first->size_bytes);
    IS_INT(second->kind, SERVICE_MESSAGE_WATERMARK, "the watermark");
    IS_INT(second->time_ms, 1234, "its time");
    const struct service_message *third = (const struct service_message *)(const void *)(bytes.ptr + first->size_bytes + second->size_bytes);
    IS_INT(service_message_unpack(third, &got), 0, "the bare row");
    OK(got.event.key == NULL && got.event.evidence == NULL, "has neither key nor evidence");
    IS_INT(first->size_bytes + second->size_bytes + third->size_bytes, bytes.len, "sizes add up");
    size_t first_size = first->size_bytes;
    service_unpacked_finish(&got);
    base_buf_finish(&bytes);

    /* rows as they left their sources go with a short head, all others as they are */
    struct base_buf mixed = { 0 };
    const struct cep_event source = { .row = main_row, .key = key, .key_node = 6, .key_hash = 99, .final = true, .first_time_ms = 77, .last_time_ms = 77, .first_at = main_row->at };
    struct cep_event others[6] = { source, source, source, source, source, source };
    others[0].ident.lo = 1;
    others[1].final = false;
    others[2].limited = true;
    others[3].last_time_ms = 78;
    others[4].first_at.offset++;
    others[5].key_node = 7;
    int wrong = service_message_put(&mixed, 6, &source);
    for (int i = 0; i < 6; i++)
        wrong |= service_message_put(&mixed, 6, &others[i]);
    IS_INT(wrong, 0, "rows of both kinds");
    const struct service_plain *plain = (const struct service_plain *)(const void *)mixed.ptr;
    OK(plain->kind == SERVICE_MESSAGE_PLAIN && plain->exchange == 6 && plain->key_hash == 99, "the first has a short head");
    OK(cep_tuple_equal(service_plain_key(plain), key) && memcmp(service_plain_row(plain), main_row, cep_row_size(main_row)) == 0, "and key and row are in it");
    int whole = 0;
    for (size_t at = plain->size_bytes; at < mixed.len;) {
        const struct service_message *m = (const struct service_message *)(const void *)(mixed.ptr + at);
        whole += m->kind == SERVICE_MESSAGE_ROW && service_message_whole(m);
        at += m->size_bytes;
    }
    IS_INT(whole, 6, "those that say more keep it");
    base_buf_finish(&mixed);

    uint64_t refused = 0, halves = 0; /* a parcel may still be sent after a row did not fit into it: it never holds half a message */
    for (uint64_t nth = 1; nth <= 8; nth++) {
        struct base_buf parcel = { 0 };
        int e = 0;
        base_alloc_fail_at(nth, true);
        for (int i = 0; i < 40 && e == 0; i++)
            e = service_message_put_row(&parcel, 5, &event);
        base_alloc_fail_at(0, false);
        refused += e == BASE_E_NOMEM;
        halves += parcel.len % first_size != 0;
        base_buf_finish(&parcel);
    }
    OK(refused >= 5, "memory ends at several places");
    IS_INT(halves, 0, "and leaves whole messages");
    base_arena_finish(&arena);
    return tap_done();
}
