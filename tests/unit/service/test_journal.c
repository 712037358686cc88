/* Journals of shards: written, kept in a store in chunks, read again in the same order; whatever bytes are there, reading ends with an error and not in foreign memory. */
#include "service/journal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/unit/tap.h"

static const struct cep_type TYPES[] = { { .kind = CEP_KIND_STRING }, { .kind = CEP_KIND_INT } };
static char folder[] = "/tmp/cepheid-test-journal-XXXXXX";

static struct cep_row *row(struct base_arena *arena, const char *text, int64_t number)
{
    struct cep_value values[] = { cep_string(text, strlen(text)), cep_int(number) };
    struct cep_row *ret = NULL;
    return cep_row_make(TYPES, values, 2, 77, (struct cep_position){ .offset = number, .partition = 3 }, arena, &ret) < 0 ? NULL : ret;
}

/* A row with all that belongs to it, and one as it came from its source; answers behind each. */
static int write_all(struct service_journal *journal, struct base_arena *arena)
{
    struct base_buf bytes = { 0 };
    struct cep_evidence_item items[] = { { row(arena, "x", 1), 4, false }, { row(arena, "a longer one", 2), CEP_NONE, true } };
    struct cep_evidence evidence = { .schema = 9, .items = items, .count = 2, .total = 5 };
    struct cep_value key_value = cep_string("k1", 2), text = cep_string("score", 5), number = cep_int(42), null = cep_null();
    struct cep_tuple *key = base_arena_alloc(arena, cep_tuple_size(TYPES, &key_value, 1));
    cep_tuple_write(TYPES, &key_value, 1, key);
    struct cep_event event = { .row = row(arena, "main", 42), .key = key, .key_node = 6, .key_hash = 99, .evidence = &evidence };
    struct cep_event plain = { .row = event.row, .key = key, .key_node = 6, .key_hash = 98, .final = true, .first_time_ms = event.row->time_ms,
                               .last_time_ms = event.row->time_ms, .first_at = event.row->at };
    int e = service_message_put_row(&bytes, 5, &event);
    size_t second = bytes.len;
    e = e ? e : service_message_put_row(&bytes, 6, &plain);
    e = e ? e : service_journal_row(journal, (const struct service_message *)(const void *)bytes.ptr);
    e = e ? e : service_journal_found(journal, items[1].row, 0);
    e = e ? e : service_journal_found(journal, NULL, 0);
    e = e ? e : service_journal_found(journal, NULL, BASE_E_AGAIN);
    e = e ? e : service_journal_reached(journal, 1234);
    e = e ? e : service_journal_watermark(journal, 5, 777);
    e = e ? e : journal->tape.keep(journal->tape.ctx, CEP_TYPE(STRING), &text, 0);
    e = e ? e : journal->tape.keep(journal->tape.ctx, CEP_TYPE(INT), &number, 0);
    e = e ? e : journal->tape.keep(journal->tape.ctx, CEP_TYPE(INT), &null, 0);
    e = e ? e : journal->tape.keep(journal->tape.ctx, CEP_TYPE(STRING), &null, BASE_E_RANGE);
    e = e ? e : service_journal_answered(journal);
    e = e ? e : service_journal_moved(journal, 8);
    e = e ? e : service_journal_row(journal, (const struct service_message *)(const void *)(bytes.ptr + second));
    base_buf_finish(&bytes);
    return e;
}

/* How many steps and answers were as they had been written; *ret what ended the reading. */
static int read_all(const char *bytes, size_t len, struct base_arena *arena, int *ret)
{
    struct service_journal journal;
    struct service_unpacked unpacked = { 0 };
    struct service_step step;
    int good = 0, error = 0;
    service_journal_init(&journal);
    service_journal_open(&journal, bytes, len);
    while ((*ret = service_journal_next(&journal, &step)) == 0) {
        const struct cep_row *found;
        struct cep_value value;
        int64_t reached;
        good++;
        if (step.kind == SERVICE_STEP_ROW && step.message) {
            good += service_message_unpack(step.message, &unpacked) == 0 && unpacked.event.evidence && unpacked.event.evidence->count == 2;
            good += service_journal_take_found(&journal, &found) == 0 && found && found->tuple.columns == 2;
            good += service_journal_take_found(&journal, &found) == 0 && !found;
            good += service_journal_take_found(&journal, &found) == BASE_E_AGAIN;
            good += service_journal_take_reached(&journal, &reached) == 0 && reached == 1234;
        }
        if (step.kind == SERVICE_STEP_WATERMARK) {
            good += journal.tape.recall(journal.tape.ctx, CEP_TYPE(STRING), arena, &value, &error) == 1 && !error && value.s.len == 5 && !memcmp(value.s.ptr, "score", 5);
            good += journal.tape.recall(journal.tape.ctx, CEP_TYPE(INT), arena, &value, &error) == 1 && !error && value.i == 42;
            good += journal.tape.recall(journal.tape.ctx, CEP_TYPE(INT), arena, &value, &error) == 1 && !error && value.null;
            good += journal.tape.recall(journal.tape.ctx, CEP_TYPE(STRING), arena, &value, &error) == 1 && error == BASE_E_RANGE;
        }
        if (step.kind == SERVICE_STEP_ROW && !step.message)
            good += step.exchange == 6 && step.event.key_node == 6 && step.event.key_hash == 98 && step.event.final && step.event.last_time_ms == 77 &&
                    step.event.key->size_bytes > 0 && step.event.row->tuple.columns == 2 && step.event.first_at.offset == 42;
        if (step.kind == SERVICE_STEP_MOVED)
            good += step.value == 8;
    }
    service_unpacked_finish(&unpacked);
    service_journal_finish(&journal);
    return good;
}

static void check_bytes(struct base_arena *arena, const struct base_buf *bytes)
{
    struct service_journal journal;
    struct cep_value value;
    int ended = 0, error = 0, odd = 0;
    IS_INT(read_all(bytes->ptr, bytes->len, arena, &ended), 16, "five steps, eleven answers, as they were written");
    IS_INT(ended, BASE_E_EOF, "and then the end");
    service_journal_init(&journal);
    service_journal_open(&journal, bytes->ptr, bytes->len);
    IS_INT(journal.tape.recall(journal.tape.ctx, CEP_TYPE(INT), arena, &value, &error), BASE_E_CORRUPT, "an answer where a row is");
    char *copy = base_alloc(bytes->len);
    for (size_t len = 0; len < bytes->len; len += 8) { /* cut short */
        memcpy(copy, bytes->ptr, len);
        odd += read_all(copy, len, arena, &ended) >= 16;
    }
    IS_INT(odd, 0, "cut anywhere it is not all there");
    srand(1);
    for (int i = 0; i < 20000; i++) {
        memcpy(copy, bytes->ptr, bytes->len);
        for (int k = rand() % 4; k >= 0; k--)
            copy[(size_t)rand() % bytes->len] = (char)(rand() % 3 ? rand() : 0xff);
        (void)read_all(copy, bytes->len, arena, &ended);
        odd += ended != BASE_E_EOF && ended != BASE_E_CORRUPT;
    }
    IS_INT(odd, 0, "damaged, it is read to its end or refused");
    base_free(copy);
}

struct seen { uint64_t epochs[8]; size_t lens[8]; int count, wrong; };

static int see(void *ctx, uint64_t epoch, const char *bytes, size_t len)
{
    struct seen *seen = ctx;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t n;
        memcpy(&n, bytes + i, 8);
        seen->wrong += n != epoch + i;
    }
    seen->epochs[seen->count] = epoch;
    seen->lens[seen->count++] = len;
    return 0;
}

static int put(struct service_store *store, uint32_t shard, uint64_t epoch, size_t len)
{
    struct base_buf bytes = { 0 };
    struct service_batch *batch = NULL;
    for (size_t i = 0; i < len; i += 8)
        base_buf_put_u64(&bytes, epoch + i);
    int e = service_batch_create(&batch);
    e = e ? e : service_journal_put(batch, shard, epoch, &bytes);
    e = e ? e : service_store_write(store, &batch, 1, false);
    service_batch_destroy(batch);
    base_buf_finish(&bytes);
    return e;
}

/* One in a file, as a busy epoch's is. */
static int put_in_file(struct service_store *store, struct service_segments *segments, uint64_t epoch, size_t len)
{
    struct base_buf bytes = { 0 }, why = { 0 };
    struct service_batch *batch = NULL;
    struct service_place place;
    for (size_t i = 0; i < len; i += 8)
        base_buf_put_u64(&bytes, epoch + i);
    int e = service_batch_create(&batch);
    e = e ? e : service_segments_append(segments, (struct base_str){ bytes.ptr, bytes.len }, &place, &why);
    e = e ? e : service_segments_sync(segments, &why);
    e = e ? e : service_journal_put_place(batch, 0, epoch, &place);
    e = e ? e : service_store_write(store, &batch, 1, true);
    service_batch_destroy(batch);
    base_buf_finish(&bytes);
    base_buf_finish(&why);
    return e;
}

static void check_files(struct service_store *store, const char *path)
{
    char file[200];
    struct service_segments *segments = NULL;
    struct seen seen = { .count = 0 }, rest = { .count = 0 };
    IS_INT(service_segments_open(path, SERVICE_SEGMENTS_JOURNAL, 0, &segments), 0, "files beside the store");
    IS_INT(put(store, 0, 20, 80) | put_in_file(store, segments, 21, 5u << 20) | put(store, 0, 22, (4u << 20) + 8) | put_in_file(store, segments, 23, 64), 0,
           "journals in the store and in a file, by turns");
    IS_INT(service_journal_each(store, 0, 19, 23, see, &seen), 0, "are read");
    OK(seen.count == 4 && !seen.wrong && seen.lens[0] == 80 && seen.lens[1] == 5u << 20 && seen.lens[2] == (4u << 20) + 8 && seen.lens[3] == 64, "whole and in order");
    service_segments_close(segments);
    snprintf(file, sizeof file, "%s/journal/0000000000000001.journal", path);
    IS_INT(unlink(file), 0, "without their file");
    IS_INT(service_journal_each(store, 0, 19, 23, see, &rest), BASE_E_CORRUPT, "they are refused");
}

static void check_store(void)
{
    char path[128];
    struct service_store *store = NULL;
    struct service_batch *batch = NULL;
    struct seen seen = { .count = 0 }, none = { .count = 0 }, rest = { .count = 0 };
    snprintf(path, sizeof path, "%s/store", folder);
    struct service_store_options options = { .path = path, .memory_bytes = 16 << 20 };
    IS_INT(service_store_open(&options, &store, NULL), 0, "a store");
    IS_INT(service_journal_any(store, 0), 0, "without journals");
    IS_INT(put(store, 0, 3, 800) | put(store, 0, 4, (4u << 20)) | put(store, 0, 6, (9u << 20) + 64) | put(store, 0, 7, 8) | put(store, 1, 4, 16), 0, "five are put");
    IS_INT(service_journal_each(store, 0, 3, 6, see, &seen), 0, "those of one shard, behind an epoch, up to another");
    OK(seen.count == 2 && seen.epochs[0] == 4 && seen.epochs[1] == 6 && seen.lens[0] == 4u << 20 && seen.lens[1] == (9u << 20) + 64 && !seen.wrong, "are whole and in order");
    IS_INT(service_journal_each(store, 2, 0, 100, see, &none), 0, "another shard");
    IS_INT(none.count, 0, "has none");
    IS_INT(service_journal_any(store, 8), 0, "none is of epoch 8 or later");
    IS_INT(service_journal_any(store, 7), 1, "one is of epoch 7");
    IS_INT(service_batch_create(&batch) | service_journal_forget(batch, 2, 0, 7) | service_store_write(store, &batch, 1, true), 0, "those before 7 are forgotten");
    IS_INT(service_journal_each(store, 0, 0, 100, see, &rest), 0, "read");
    OK(rest.count == 1 && rest.epochs[0] == 7, "the last one stays");
    service_batch_clear(batch);
    char key[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1 };
    IS_INT(service_batch_put(batch, SERVICE_CF_JOURNAL, SERVICE_STORE_NO_GROUP, (struct base_str){ key, sizeof key }, BASE_STR("a chunk without a head")) |
               service_store_write(store, &batch, 1, false), 0, "a chunk without a head");
    IS_INT(service_journal_each(store, 0, 7, 100, see, &rest), BASE_E_CORRUPT, "is refused");
    service_batch_destroy(batch);
    check_files(store, path);
    service_store_close(store);
}

/* A plain row of some size in `sent`, and in the journal. */
static int send(struct service_journal *writer, struct base_arena *arena, struct base_buf *sent)
{
    char text[200];
    int digits = rand() % 40 ? 6 : 1 + rand() % 150, size = snprintf(text, sizeof text, "u%0*d", digits, rand() % 100000);
    struct cep_value key_value = cep_string(text, (uint64_t)size);
    struct cep_tuple *key = base_arena_alloc(arena, cep_tuple_size(TYPES, &key_value, 1));
    cep_tuple_write(TYPES, &key_value, 1, key);
    struct cep_event event = { .row = row(arena, text, rand() - 9), .key = key, .key_node = 6, .key_hash = (uint64_t)rand() << 33, .final = true };
    event.first_time_ms = event.last_time_ms = event.row->time_ms;
    event.first_at = event.row->at;
    size_t at = sent->len;
    int e = service_message_put_row(sent, 6, &event);
    if (e == 0 && rand() % 5 == 0)
        e = service_journal_watermark(writer, 6, 1);
    return e ? e : service_journal_row(writer, (const struct service_message *)(const void *)(sent->ptr + at));
}

/* How many of the rows that were sent do not come back as they were. */
static size_t compare(struct service_journal *reader, const struct base_buf *journal, const struct base_buf *sent)
{
    struct service_step step;
    size_t at = 0, wrong = 0;
    int e;
    service_journal_open(reader, journal->ptr, journal->len);
    while ((e = service_journal_next(reader, &step)) == 0) {
        if (step.kind != SERVICE_STEP_ROW)
            continue;
        if (at >= sent->len)
            return wrong + 1;
        const struct service_message *m = (const struct service_message *)(const void *)(sent->ptr + at);
        wrong += step.event.key_hash != m->key_hash || memcmp(step.event.key, m + 1, m->key_bytes) != 0 ||
                 memcmp(step.event.row, (const char *)(m + 1) + (m->key_bytes + 7) / 8 * 8, m->row_bytes) != 0;
        at += m->size_bytes;
    }
    return wrong + (e != BASE_E_EOF) + (at != sent->len);
}

/* Rows of all sizes in several epochs, each of which is read on its own. */
static void check_likeness(struct base_arena *arena)
{
    struct service_journal writer, reader;
    struct base_buf parts[2] = { { 0 }, { 0 } }, sent = { 0 };
    size_t before = 0, behind = 0, wrong = 0;
    service_journal_init(&writer);
    service_journal_init(&reader);
    srand(3);
    for (int epoch = 0; epoch < 40; epoch++) {
        writer.out = &parts[epoch % 3 == 0]; /* the other one, or the same again */
        base_buf_clear(writer.out);
        base_buf_clear(&sent);
        for (int i = rand() % 60; i >= 0; i--)
            wrong += send(&writer, arena, &sent) < 0;
        before += sent.len;
        behind += writer.out->len;
        wrong += compare(&reader, writer.out, &sent);
    }
    IS_INT(wrong, 0, "rows that are told against the one before are the same when they are read");
    OK(behind * 3 < before, "in less than a third of a message's bytes");
    service_journal_finish(&writer);
    service_journal_finish(&reader);
    base_buf_finish(&parts[0]);
    base_buf_finish(&parts[1]);
    base_buf_finish(&sent);
}

int main(void)
{
    struct base_arena arena = { 0 };
    struct base_buf bytes = { 0 };
    struct service_journal journal;
    if (!mkdtemp(folder))
        return 1;
    service_journal_init(&journal);
    IS_INT(write_all(&journal, &arena), 0, "without a place to write nothing is written");
    journal.out = &bytes;
    IS_INT(write_all(&journal, &arena), 0, "written");
    check_bytes(&arena, &bytes);
    check_likeness(&arena);
    check_store();
    service_journal_finish(&journal);
    base_buf_finish(&bytes);
    base_arena_finish(&arena);
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || tap_done();
}
