#include "service/rowlog.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cond.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"
#include "service/alertlog.h"

#define VERSION 1

/* Places and sums of one end of a log: what was ever added, or ever dealt with. */
struct end { uint64_t seq, rows, bytes; };

struct service_rowlog_tail {
    struct service_rowlog *log;
    char *name;
    struct end open;        /* coordinator's: with the running epoch */
    struct end decided;     /* under the log's lock, as all below */
    struct end done;
    bool loaded;
};
struct tails BASE_VEC(struct service_rowlog_tail *);
struct service_rowlog {
    struct service_store *store;
    struct tails tails;     /* coordinator's */
    struct base_buf key, value; /* coordinator's scratch */
    pthread_mutex_t lock;
    pthread_cond_t more;
};

int service_rowlog_open(struct service_store *store, struct service_rowlog **ret)
{
    struct service_rowlog *log = base_calloc(1, sizeof *log);
    if (!log)
        return BASE_E_NOMEM;
    log->store = store;
    pthread_mutex_init(&log->lock, NULL);
    base_cond_init(&log->more);
    *ret = log;
    return 0;
}

void service_rowlog_close(struct service_rowlog *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->tails.len; i++) {
        base_free(log->tails.at[i]->name);
        base_free(log->tails.at[i]);
    }
    BASE_VEC_FINISH(&log->tails);
    base_buf_finish(&log->key);
    base_buf_finish(&log->value);
    pthread_cond_destroy(&log->more);
    pthread_mutex_destroy(&log->lock);
    base_free(log);
}

int service_rowlog_tail(struct service_rowlog *log, const char *name, struct service_rowlog_tail **ret)
{
    for (size_t i = 0; i < log->tails.len; i++) {
        if (strcmp(log->tails.at[i]->name, name) == 0) {
            *ret = log->tails.at[i];
            return 0;
        }
    }
    struct service_rowlog_tail *tail = base_calloc(1, sizeof *tail);
    if (!tail)
        return BASE_E_NOMEM;
    tail->log = log;
    tail->name = base_strdup(name);
    if (!tail->name || !BASE_VEC_PUSH(&log->tails, tail)) {
        base_free(tail->name);
        base_free(tail);
        return BASE_E_NOMEM;
    }
    *ret = tail;
    return 0;
}

/* ---- keys: e entries, n what was added, p what was dealt with, t the reader's mark; a name holds no zero byte ---- */

static void put_key(char kind, const char *name, const uint64_t *seq, struct base_buf *out)
{
    base_buf_clear(out);
    base_buf_putc(out, kind);
    base_buf_put(out, name, strlen(name) + 1);
    if (seq)
        service_seq_key(*seq, out);
}

static struct base_str str_of(const struct base_buf *buf)
{
    return (struct base_str){ buf->ptr, buf->len };
}

static void put_end(const struct end *end, struct base_buf *out)
{
    base_buf_clear(out);
    base_buf_put_u8(out, VERSION);
    base_buf_put_u64(out, end->seq);
    base_buf_put_u64(out, end->rows);
    base_buf_put_u64(out, end->bytes);
}

/* BASE_E_NOTFOUND: ret stays as it is. */
static int get_end(struct service_store *store, char kind, const char *name, struct end *ret)
{
    struct base_buf key = { 0 }, value = { 0 };
    put_key(kind, name, NULL, &key);
    int e = key.failed ? BASE_E_NOMEM : service_store_get(store, SERVICE_CF_OUTBOX, str_of(&key), &value);
    if (e == 0) {
        struct base_reader in = base_reader_of(value.ptr, value.len);
        uint8_t version = base_read_u8(&in);
        struct end end;
        end.seq = base_read_u64(&in);
        end.rows = base_read_u64(&in);
        end.bytes = base_read_u64(&in);
        e = in.failed ? BASE_E_CORRUPT : version != VERSION ? BASE_E_VERSION : 0;
        if (e == 0)
            *ret = end;
    }
    base_buf_finish(&key);
    base_buf_finish(&value);
    return e;
}

static int write_end(struct service_store *store, char kind, const char *name, const struct end *end, bool sync)
{
    struct base_buf key = { 0 }, value = { 0 };
    struct service_batch *batch = NULL;
    put_key(kind, name, NULL, &key);
    put_end(end, &value);
    int e = key.failed || value.failed ? BASE_E_NOMEM : service_batch_create(&batch);
    if (e == 0)
        e = service_batch_put(batch, SERVICE_CF_OUTBOX, SERVICE_STORE_NO_GROUP, str_of(&key), str_of(&value));
    if (e == 0)
        e = service_store_write(store, &batch, 1, sync);
    service_batch_destroy(batch);
    base_buf_finish(&key);
    base_buf_finish(&value);
    return e;
}

/* ---- the coordinator's side ---- */

static int load(struct service_rowlog_tail *tail, bool restored)
{
    struct service_store *store = tail->log->store;
    uint64_t now_us = (uint64_t)base_clock_wall_ms() * 1000;
    struct end fresh = { .seq = now_us }, open = fresh, done = fresh;
    int e = get_end(store, 'n', tail->name, &open);
    if (e == 0 || e == BASE_E_NOTFOUND) {
        if (e == BASE_E_NOTFOUND)
            done = open;
        else
            done = (struct end){ 0, 0, 0 };
        int p = get_end(store, 'p', tail->name, &done);
        e = p == BASE_E_NOTFOUND ? 0 : p;
    }
    if (e < 0)
        return e;
    if (restored && open.seq < now_us) { /* a restored log goes back to an older place, but stores may have seen later versions */
        open.seq = now_us;
        e = write_end(tail->log->store, 'n', tail->name, &open, false);
        if (e < 0)
            return e;
    }
    pthread_mutex_lock(&tail->log->lock);
    tail->open = tail->decided = open;
    if (!tail->loaded || done.seq > tail->done.seq)
        tail->done = done;
    tail->loaded = true;
    pthread_mutex_unlock(&tail->log->lock);
    return 0;
}

int service_rowlog_refresh(struct service_rowlog *log, struct base_buf *reterr)
{
    struct base_buf value = { 0 };
    int e = service_store_get(log->store, SERVICE_CF_META, BASE_STR("restored"), &value);
    bool restored = e == 0;
    base_buf_finish(&value);
    e = e == BASE_E_NOTFOUND ? 0 : e;
    for (size_t i = 0; e == 0 && i < log->tails.len; i++)
        e = load(log->tails.at[i], restored);
    if (e < 0) {
        base_buf_puts(reterr, "the logs of the sinks cannot be read: ");
        service_store_error(log->store, reterr);
    }
    return e;
}

int service_rowlog_add(struct service_rowlog_tail *tail, struct service_batch *batch, struct base_str record)
{
    struct service_rowlog *log = tail->log;
    uint64_t seq = tail->open.seq + 1;
    put_key('e', tail->name, &seq, &log->key);
    int e = log->key.failed ? BASE_E_NOMEM : service_batch_put(batch, SERVICE_CF_OUTBOX, SERVICE_STORE_NO_GROUP, str_of(&log->key), record);
    if (e == 0) {
        tail->open.seq = seq;
        tail->open.rows++;
        tail->open.bytes += record.len;
    }
    return e;
}

int service_rowlog_seal(struct service_rowlog_tail *tail, struct service_batch *batch)
{
    struct service_rowlog *log = tail->log;
    put_key('n', tail->name, NULL, &log->key);
    put_end(&tail->open, &log->value);
    return log->key.failed || log->value.failed
               ? BASE_E_NOMEM
               : service_batch_put(batch, SERVICE_CF_OUTBOX, SERVICE_STORE_NO_GROUP, str_of(&log->key), str_of(&log->value));
}

void service_rowlog_decided(struct service_rowlog *log)
{
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < log->tails.len; i++)
        log->tails.at[i]->decided = log->tails.at[i]->open;
    pthread_cond_broadcast(&log->more);
    pthread_mutex_unlock(&log->lock);
}

/* ---- any thread ---- */

void service_rowlog_state(struct service_rowlog_tail *tail, struct service_rowlog_state *ret)
{
    pthread_mutex_lock(&tail->log->lock);
    *ret = (struct service_rowlog_state){ tail->done.seq, tail->decided.seq, tail->decided.rows - tail->done.rows, tail->decided.bytes - tail->done.bytes };
    pthread_mutex_unlock(&tail->log->lock);
}

void service_rowlog_wait(struct service_rowlog_tail *tail, uint64_t position, int64_t timeout_ms)
{
    struct timespec until = base_cond_deadline(timeout_ms * 1000);
    pthread_mutex_lock(&tail->log->lock);
    if (tail->decided.seq <= position)
        (void)pthread_cond_timedwait(&tail->log->more, &tail->log->lock, &until); /* one wait: whoever wakes us wants to be looked at */
    pthread_mutex_unlock(&tail->log->lock);
}

void service_rowlog_wake(struct service_rowlog *log)
{
    pthread_mutex_lock(&log->lock);
    pthread_cond_broadcast(&log->more);
    pthread_mutex_unlock(&log->lock);
}

/* ---- the reader's side ---- */

int service_rowlog_each(struct service_rowlog_tail *tail, uint64_t after, service_rowlog_visit *visit, void *ctx)
{
    struct base_buf from = { 0 }, to = { 0 };
    struct service_rowlog_state state;
    service_rowlog_state(tail, &state);
    uint64_t first = after + 1, beyond = state.decided + 1;
    put_key('e', tail->name, &first, &from);
    put_key('e', tail->name, &beyond, &to);
    struct service_range range = { .from = str_of(&from), .to = str_of(&to) };
    struct service_cursor *cursor = NULL;
    int e = from.failed || to.failed ? BASE_E_NOMEM : first >= beyond ? BASE_E_EOF : service_cursor_open(tail->log->store, SERVICE_CF_OUTBOX, &range, &cursor);
    while (e == 0) {
        struct base_str key, value;
        e = service_cursor_next(cursor, &key, &value);
        if (e == 0)
            e = visit(ctx, service_seq_of((struct base_str){ key.ptr + key.len - 8, 8 }), value);
    }
    service_cursor_close(cursor);
    base_buf_finish(&from);
    base_buf_finish(&to);
    return e == BASE_E_EOF || e > 0 ? 0 : e;
}

int service_rowlog_done(struct service_rowlog_tail *tail, uint64_t seq, uint64_t rows, uint64_t bytes)
{
    struct base_buf key = { 0 }, to = { 0 }, value = { 0 };
    struct service_batch *batch = NULL;
    pthread_mutex_lock(&tail->log->lock);
    struct end done = { seq, tail->done.rows + rows, tail->done.bytes + bytes };
    uint64_t first = tail->done.seq + 1, beyond = seq + 1;
    pthread_mutex_unlock(&tail->log->lock);
    int e = service_batch_create(&batch);
    if (e == 0) {
        put_key('p', tail->name, NULL, &key);
        put_end(&done, &value);
        e = key.failed || value.failed ? BASE_E_NOMEM : service_batch_put(batch, SERVICE_CF_OUTBOX, SERVICE_STORE_NO_GROUP, str_of(&key), str_of(&value));
    }
    if (e == 0) {
        put_key('e', tail->name, &first, &key);
        put_key('e', tail->name, &beyond, &to);
        e = key.failed || to.failed ? BASE_E_NOMEM
                                    : service_batch_delete_range(batch, SERVICE_CF_OUTBOX, SERVICE_STORE_NO_GROUP, str_of(&key), str_of(&to));
    }
    if (e == 0)
        e = service_store_write(tail->log->store, &batch, 1, false);
    service_batch_destroy(batch);
    base_buf_finish(&key);
    base_buf_finish(&to);
    base_buf_finish(&value);
    if (e < 0)
        return e;
    pthread_mutex_lock(&tail->log->lock);
    tail->done = done;
    pthread_mutex_unlock(&tail->log->lock);
    return 0;
}

int service_rowlog_put_mark(struct service_rowlog_tail *tail, uint64_t mark)
{
    return write_end(tail->log->store, 't', tail->name, &(struct end){ .seq = mark }, true);
}

int service_rowlog_get_mark(struct service_rowlog_tail *tail, uint64_t *ret)
{
    struct end end = { 0 };
    int e = get_end(tail->log->store, 't', tail->name, &end);
    *ret = end.seq;
    return e == BASE_E_NOTFOUND ? 0 : e;
}
