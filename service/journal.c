#include "service/journal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define CHUNK_BYTES ((size_t)4 << 20)
#define KEY_BYTES 14u
#define IN_FILE 2u /* instead of SERVICE_JOURNAL_VERSION: the steps are of that version, and lie in a file */

/* Rows are kept as messages (message.h); everything else begins like this. Sizes are multiples of 8. */
struct note {
    uint32_t size_bytes;
    uint16_t kind;     /* enum note_kind; a message's kind stands at the same place */
    uint16_t about;    /* FOUND: is there a row? VALUE: is it NULL? */
    uint32_t exchange; /* WATERMARK, ROW */
    int32_t error;     /* FOUND, VALUE: what was given instead; ROW: bytes of the key */
    int64_t value;     /* ROW: hash of the key */
};
enum note_kind { NOTE_WATERMARK = 16, NOTE_MOVED = 17, NOTE_FOUND = 18, NOTE_REACHED = 19, NOTE_VALUE = 20, NOTE_ANSWERED = 21, NOTE_ROW = 22, NOTE_ROW_ANEW = 23, NOTE_ROW_LIKE = 24 };
/* The begin of ROW_ANEW and ROW_LIKE: a row as of ROW, told against nothing or against the last of these. Words: exchange and bytes of the key, hash of the key, key, row. */
struct row_note {
    uint32_t size_bytes;
    uint16_t kind;
    uint16_t words;
};
#define ROW_HEAD_WORDS 2u

static size_t round8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* ---- writing ---- */

/* A row may be told against the one before in the same epoch alone. */
static void begin_step(struct service_journal *journal)
{
    if (journal->out->len == 0 || journal->last_out != journal->out)
        service_delta_forget(&journal->last);
    journal->last_out = journal->out;
}

static int put(struct service_journal *journal, struct note note, const void *bytes, size_t len)
{
    static const char zeros[8];
    if (!journal->out)
        return 0;
    begin_step(journal);
    note.size_bytes = (uint32_t)(sizeof note + round8(len));
    base_buf_put(journal->out, &note, sizeof note);
    base_buf_put(journal->out, bytes, len);
    base_buf_put(journal->out, zeros, round8(len) - len);
    return journal->out->failed ? BASE_E_NOMEM : 0;
}

/* A row as it comes from its source: all else that the message says of it can be told from the row. */
static bool is_plain(const struct service_message *m)
{
    const struct cep_row *row = (const struct cep_row *)(const void *)((const char *)(m + 1) + round8(m->key_bytes));
    return m->event_kind == 0 && !m->limited && m->final && m->first_time_ms == row->time_ms && m->last_time_ms == row->time_ms && !m->ident.hi && !m->ident.lo &&
           memcmp(&m->first_at, &row->at, sizeof row->at) == 0 && !m->has_evidence && m->revision == 0 && m->key_bytes && m->key_node == m->exchange;
}

/* key and row, one behind the other */
struct plain_row { const void *words; size_t bytes; uint64_t key_hash; uint32_t exchange, key_bytes; };

static int put_plain(struct service_journal *journal, const struct plain_row *row)
{
    struct base_buf *out = journal->out;
    size_t start = out->len, words = row->bytes / 8;
    if (row->bytes % 8 || words + ROW_HEAD_WORDS > SERVICE_DELTA_WORDS_MOST)
        return put(journal, (struct note){ .kind = NOTE_ROW, .exchange = row->exchange, .error = (int32_t)row->key_bytes, .value = (int64_t)row->key_hash }, row->words, row->bytes);
    struct row_note note = { .kind = journal->last.count ? NOTE_ROW_LIKE : NOTE_ROW_ANEW, .words = (uint16_t)(words + ROW_HEAD_WORDS) };
    const uint64_t head[ROW_HEAD_WORDS] = { (uint64_t)row->key_bytes << 32 | row->exchange, row->key_hash };
    base_buf_put(out, &note, sizeof note);
    const struct service_delta_words all = { .head = head, .rest = (const uint64_t *)row->words, .head_count = ROW_HEAD_WORDS, .rest_count = words };
    int e = out->failed ? BASE_E_NOMEM : service_delta_put(&journal->last, &all, out);
    if (e < 0)
        return e;
    note.size_bytes = (uint32_t)(out->len - start);
    memcpy(out->ptr + start, &note, sizeof note);
    return 0;
}

int service_journal_plain(struct service_journal *journal, const struct service_plain *plain)
{
    if (!journal->out)
        return 0;
    begin_step(journal);
    return put_plain(journal, &(struct plain_row){ plain + 1, plain->size_bytes - sizeof *plain, plain->key_hash, plain->exchange, plain->key_bytes });
}

int service_journal_row(struct service_journal *journal, const struct service_message *message)
{
    if (!journal->out)
        return 0;
    begin_step(journal);
    if (is_plain(message))
        return put_plain(journal, &(struct plain_row){ message + 1, message->size_bytes - sizeof *message, message->key_hash, message->exchange, message->key_bytes });
    base_buf_put(journal->out, message, message->size_bytes);
    return journal->out->failed ? BASE_E_NOMEM : 0;
}

int service_journal_watermark(struct service_journal *journal, uint32_t exchange, int64_t watermark_ms)
{
    return put(journal, (struct note){ .kind = NOTE_WATERMARK, .exchange = exchange, .value = watermark_ms }, "", 0);
}

int service_journal_moved(struct service_journal *journal, uint64_t generation)
{
    return put(journal, (struct note){ .kind = NOTE_MOVED, .value = (int64_t)generation }, "", 0);
}

int service_journal_answered(struct service_journal *journal)
{
    return put(journal, (struct note){ .kind = NOTE_ANSWERED }, "", 0);
}

int service_journal_found(struct service_journal *journal, const struct cep_row *row, int error)
{
    return put(journal, (struct note){ .kind = NOTE_FOUND, .about = row != NULL, .error = error }, row ? (const void *)row : "", row ? cep_row_size(row) : 0);
}

int service_journal_reached(struct service_journal *journal, int64_t watermark_ms)
{
    return put(journal, (struct note){ .kind = NOTE_REACHED, .value = watermark_ms }, "", 0);
}

static int keep_value(void *ctx, struct cep_type type, const struct cep_value *value, int error)
{
    struct note note = { .kind = NOTE_VALUE, .about = value->null, .error = error };
    if (error || value->null)
        return put(ctx, note, "", 0);
    if (cep_kind_is_text(type.kind))
        return put(ctx, (struct note){ .kind = NOTE_VALUE, .value = (int64_t)value->s.len }, value->s.len ? value->s.ptr : "", value->s.len);
    return put(ctx, note, &value->dec, sizeof value->dec);
}

/* ---- reading ---- */

/* The next note, if it is one of this kind. */
static const struct note *take(struct service_journal *journal, enum note_kind kind)
{
    const struct note *note = (const struct note *)(const void *)journal->at;
    size_t left = (size_t)(journal->end - journal->at);
    if (left < sizeof *note || note->kind != kind || note->size_bytes < sizeof *note || note->size_bytes > left || note->size_bytes % 8)
        return NULL;
    journal->at += note->size_bytes;
    return note;
}

static int recall_value(void *ctx, struct cep_type type, struct base_arena *arena, struct cep_value *ret, int *ret_error)
{
    struct service_journal *journal = ctx;
    if (!journal->reads)
        return 0;
    const struct note *note = take(journal, NOTE_VALUE);
    if (!note)
        return BASE_E_CORRUPT;
    size_t len = note->size_bytes - sizeof *note;
    *ret_error = note->error;
    *ret = cep_null();
    if (note->error > 0)
        return BASE_E_CORRUPT;
    if (note->error || note->about)
        return 1;
    if (!cep_kind_is_text(type.kind)) {
        if (len != sizeof ret->dec)
            return BASE_E_CORRUPT;
        ret->null = false;
        memcpy(&ret->dec, note + 1, sizeof ret->dec);
        return 1;
    }
    if (note->value < 0 || (uint64_t)note->value > len || round8((size_t)note->value) != len)
        return BASE_E_CORRUPT;
    char *copy = arena ? base_arena_strndup(arena, (const char *)(note + 1), (size_t)note->value) : NULL;
    if (!copy)
        return BASE_E_NOMEM;
    *ret = cep_string(copy, (uint64_t)note->value);
    return 1;
}

void service_journal_init(struct service_journal *journal)
{
    *journal = (struct service_journal){ .tape = { journal, recall_value, keep_value } };
}

void service_journal_finish(struct service_journal *journal)
{
    service_delta_finish(&journal->last);
}

void service_journal_open(struct service_journal *journal, const char *bytes, size_t len)
{
    journal->at = bytes;
    journal->end = bytes + len;
    service_delta_forget(&journal->last);
    journal->last_out = NULL;
    journal->reads = true;
    journal->out = NULL;
}

struct plain { /* where a row that is kept without what it says itself stands */
    const char *at;
    size_t left;
    int64_t key_bytes;
    uint32_t exchange;
    uint64_t key_hash;
};

/* False: it does not fit. */
static bool plain_row(const struct plain *plain, struct service_step *ret)
{
    const char *at = plain->at;
    size_t left = plain->left;
    const struct cep_tuple *key = (const struct cep_tuple *)(const void *)at;
    if (plain->key_bytes < (int64_t)sizeof *key || round8((size_t)plain->key_bytes) > left || key->size_bytes != (uint32_t)plain->key_bytes)
        return false;
    at += round8((size_t)plain->key_bytes);
    left -= round8((size_t)plain->key_bytes);
    const struct cep_row *row = (const struct cep_row *)(const void *)at;
    if (left < sizeof *row || round8(cep_row_size(row)) != left)
        return false;
    *ret = (struct service_step){ .kind = SERVICE_STEP_ROW, .exchange = plain->exchange };
    ret->event = (struct cep_event){ .row = row, .key = key, .key_node = plain->exchange, .key_hash = plain->key_hash, .final = true, .first_time_ms = row->time_ms,
                                     .last_time_ms = row->time_ms, .first_at = row->at };
    return true;
}

/* The row note at hand, whose size is known to fit. */
static int next_row(struct service_journal *journal, const struct row_note *note, struct service_step *ret)
{
    if (note->kind == NOTE_ROW_ANEW)
        service_delta_forget(&journal->last);
    else if (journal->last.count == 0)
        return BASE_E_CORRUPT;
    if (note->words <= ROW_HEAD_WORDS)
        return BASE_E_CORRUPT;
    int e = service_delta_take(&journal->last, note->words, (const char *)(note + 1), note->size_bytes - sizeof *note);
    if (e < 0)
        return e;
    const uint64_t *words = journal->last.words;
    struct plain plain = { .at = (const char *)(words + ROW_HEAD_WORDS), .left = (note->words - (size_t)ROW_HEAD_WORDS) * 8, .key_bytes = (int64_t)(words[0] >> 32),
                           .exchange = (uint32_t)words[0], .key_hash = words[1] };
    if (!plain_row(&plain, ret))
        return BASE_E_CORRUPT;
    journal->at += note->size_bytes;
    return 0;
}

int service_journal_next(struct service_journal *journal, struct service_step *ret)
{
    const struct row_note *row = (const struct row_note *)(const void *)journal->at;
    const struct note *note = (const struct note *)(const void *)journal->at;
    size_t left = (size_t)(journal->end - journal->at);
    if (left == 0)
        return BASE_E_EOF;
    if (left < sizeof *row || row->size_bytes < sizeof *row || row->size_bytes > left || row->size_bytes % 8)
        return BASE_E_CORRUPT;
    if (row->kind == NOTE_ROW_ANEW || row->kind == NOTE_ROW_LIKE)
        return next_row(journal, row, ret);
    if (row->size_bytes < sizeof *note)
        return BASE_E_CORRUPT;
    if (note->kind == SERVICE_MESSAGE_ROW) {
        *ret = (struct service_step){ .kind = SERVICE_STEP_ROW, .message = (const struct service_message *)(const void *)journal->at };
        if (!service_message_whole(ret->message))
            return BASE_E_CORRUPT;
        ret->exchange = ret->message->exchange;
    } else if (note->kind == NOTE_ROW) {
        const struct plain plain = { (const char *)(note + 1), note->size_bytes - sizeof *note, note->error, note->exchange, (uint64_t)note->value };
        if (!plain_row(&plain, ret))
            return BASE_E_CORRUPT;
    } else if (note->kind == NOTE_WATERMARK) {
        *ret = (struct service_step){ .kind = SERVICE_STEP_WATERMARK, .exchange = note->exchange, .value = note->value };
    } else if (note->kind == NOTE_MOVED) {
        *ret = (struct service_step){ .kind = SERVICE_STEP_MOVED, .value = note->value };
    } else if (note->kind == NOTE_ANSWERED) {
        *ret = (struct service_step){ .kind = SERVICE_STEP_ANSWERED };
    } else {
        return BASE_E_CORRUPT;
    }
    journal->at += note->size_bytes;
    return 0;
}

int service_journal_take_found(struct service_journal *journal, const struct cep_row **ret)
{
    const struct note *note = take(journal, NOTE_FOUND);
    if (!note)
        return BASE_E_CORRUPT;
    size_t len = note->size_bytes - sizeof *note;
    const struct cep_row *row = (const struct cep_row *)(const void *)(note + 1);
    if (note->about && (len < sizeof *row || round8(cep_row_size(row)) != len))
        return BASE_E_CORRUPT;
    *ret = note->about ? row : NULL;
    return note->error > 0 ? BASE_E_CORRUPT : note->error;
}

int service_journal_take_reached(struct service_journal *journal, int64_t *ret)
{
    const struct note *note = take(journal, NOTE_REACHED);
    if (!note)
        return BASE_E_CORRUPT;
    *ret = note->value;
    return 0;
}

/* ---- in the store: by shard, epoch, number of the chunk, all big-endian ---- */

static struct base_str key_of(uint32_t shard, uint64_t epoch, uint32_t chunk, char bytes[KEY_BYTES])
{
    for (int i = 0; i < 2; i++)
        bytes[i] = (char)(shard >> (8 * (1 - i)));
    for (int i = 0; i < 8; i++)
        bytes[2 + i] = (char)(epoch >> (8 * (7 - i)));
    for (int i = 0; i < 4; i++)
        bytes[10 + i] = (char)(chunk >> (8 * (3 - i)));
    return (struct base_str){ bytes, KEY_BYTES };
}

int service_journal_put(struct service_batch *batch, uint32_t shard, uint64_t epoch, const struct base_buf *journal)
{
    char key[KEY_BYTES];
    struct base_buf head = { 0 };
    if (journal->len == 0)
        return 0;
    base_buf_put_u64(&head, SERVICE_JOURNAL_VERSION);
    base_buf_put_u64(&head, journal->len);
    int e = head.failed ? BASE_E_NOMEM
                        : service_batch_put(batch, SERVICE_CF_JOURNAL, SERVICE_STORE_NO_GROUP, key_of(shard, epoch, 0, key), (struct base_str){ head.ptr, head.len });
    base_buf_finish(&head);
    for (size_t at = 0, chunk = 1; e == 0 && at < journal->len; chunk++) {
        size_t len = journal->len - at < CHUNK_BYTES ? journal->len - at : CHUNK_BYTES;
        e = service_batch_put_borrowed(batch, SERVICE_CF_JOURNAL, key_of(shard, epoch, (uint32_t)chunk, key), (struct base_str){ journal->ptr + at, len });
        at += len;
    }
    return e;
}

int service_journal_put_place(struct service_batch *batch, uint32_t shard, uint64_t epoch, const struct service_place *place)
{
    char key[KEY_BYTES];
    struct base_buf head = { 0 };
    base_buf_put_u64(&head, IN_FILE);
    base_buf_put_u64(&head, place->len);
    service_place_put(place, &head);
    int e = head.failed ? BASE_E_NOMEM
                        : service_batch_put(batch, SERVICE_CF_JOURNAL, SERVICE_STORE_NO_GROUP, key_of(shard, epoch, 0, key), (struct base_str){ head.ptr, head.len });
    base_buf_finish(&head);
    return e;
}

int service_journal_forget(struct service_batch *batch, uint32_t shards, uint64_t from, uint64_t to)
{
    char first[KEY_BYTES], last[KEY_BYTES];
    int e = 0;
    for (uint32_t shard = 0; e == 0 && shard < shards; shard++)
        e = service_batch_delete_range(batch, SERVICE_CF_JOURNAL, SERVICE_STORE_NO_GROUP, key_of(shard, from, 0, first), key_of(shard, to, 0, last));
    return e;
}

int service_journal_any(struct service_store *store, uint64_t from)
{
    int e = 0;
    for (uint32_t shard = 0; e == 0 && shard < SERVICE_SHARDS_MOST; shard++) {
        char first[KEY_BYTES], last[KEY_BYTES];
        struct service_range range = { .from = key_of(shard, from, 0, first), .to = key_of(shard + 1, 0, 0, last) };
        struct service_cursor *cursor = NULL;
        struct base_str key, value;
        e = service_cursor_open(store, SERVICE_CF_JOURNAL, &range, &cursor);
        if (e == 0) {
            e = service_cursor_next(cursor, &key, &value);
            e = e == BASE_E_EOF ? 0 : e == BASE_E_CORRUPT || e == 0 ? 1 : e;
        }
        service_cursor_close(cursor);
    }
    return e;
}

struct walk {
    const char *store;     /* its folder */
    struct base_buf bytes; /* of one epoch */
    uint64_t epoch, want;  /* want: bytes in all; 0: no epoch is being put together */
};

static uint64_t number_of(const char *at, int bytes)
{
    uint64_t n = 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | (uint8_t)at[i];
    return n;
}

/* The first entry of an epoch. 1: it is whole, too. */
static int add_head(struct walk *w, uint64_t epoch, struct base_str value)
{
    struct base_reader in = base_reader_of(value.ptr, value.len);
    uint64_t version = base_read_u64(&in), bytes = base_read_u64(&in);
    if (w->want || in.failed || bytes == 0)
        return BASE_E_CORRUPT;
    if (version != SERVICE_JOURNAL_VERSION && version != IN_FILE)
        return BASE_E_VERSION;
    w->epoch = epoch;
    w->want = bytes;
    base_buf_clear(&w->bytes);
    if (version == SERVICE_JOURNAL_VERSION)
        return 0;
    struct service_place place = service_place_read(&in);
    int e = in.failed || place.len != bytes ? BASE_E_CORRUPT : service_segments_read(w->store, SERVICE_SEGMENTS_JOURNAL, &place, &w->bytes);
    return e == 0 ? 1 : e;
}

/* 1: an epoch is whole. */
static int add_chunk(struct walk *w, struct base_str key, struct base_str value)
{
    if (key.len != KEY_BYTES)
        return BASE_E_CORRUPT;
    uint64_t epoch = number_of(key.ptr + 2, 8), chunk = number_of(key.ptr + 10, 4);
    if (chunk == 0)
        return add_head(w, epoch, value);
    if (!w->want || epoch != w->epoch || chunk != w->bytes.len / CHUNK_BYTES + 1 || value.len > w->want - w->bytes.len)
        return BASE_E_CORRUPT;
    base_buf_put(&w->bytes, value.ptr, value.len);
    return w->bytes.failed ? BASE_E_NOMEM : w->bytes.len == w->want;
}

int service_journal_each(struct service_store *store, uint32_t shard, uint64_t after, uint64_t until, int (*fn)(void *ctx, uint64_t epoch, const char *bytes, size_t len),
                         void *ctx)
{
    char from[KEY_BYTES], to[KEY_BYTES];
    struct service_range range = { .from = key_of(shard, after + 1, 0, from), .to = key_of(shard, until + 1, 0, to) };
    struct service_cursor *cursor = NULL;
    struct walk w = { .store = service_store_path(store) };
    struct base_str key, value;
    int e = until > after ? service_cursor_open(store, SERVICE_CF_JOURNAL, &range, &cursor) : BASE_E_EOF;
    while (e == 0 && (e = service_cursor_next(cursor, &key, &value)) == 0) {
        e = add_chunk(&w, key, value);
        if (e == 1) {
            w.want = 0;
            e = fn(ctx, w.epoch, w.bytes.ptr, w.bytes.len);
        }
    }
    service_cursor_close(cursor);
    base_buf_finish(&w.bytes);
    return e != BASE_E_EOF ? e : w.want ? BASE_E_CORRUPT : 0;
}
