#include "service/alertlog.h"

#include <pthread.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cond.h"
#include "base/error.h"
#include "base/time.h"

#define VERSION 1

struct service_alertlog {
    struct service_store *store;
    uint64_t next_seq;            /* coordinator's */
    struct base_buf value, key;   /* coordinator's scratch */
    pthread_mutex_t lock;
    pthread_cond_t more;
    uint64_t decided_seq;         /* last one that may be read */
};

void service_seq_key(uint64_t seq, struct base_buf *out)
{
    for (int i = 7; i >= 0; i--)
        base_buf_putc(out, (char)(seq >> (8 * i)));
}

uint64_t service_seq_of(struct base_str key)
{
    uint64_t seq = 0;
    for (size_t i = 0; i < key.len && i < 8; i++)
        seq = seq << 8 | (uint8_t)key.ptr[i];
    return seq;
}

const char *service_change_name(uint8_t change)
{
    static const char *const names[] = { "created", "updated", "withdrawn" };
    return change < 3 ? names[change] : "unknown";
}

int service_alertlog_refresh(struct service_alertlog *log, struct base_buf *reterr)
{
    struct service_range range = { .reverse = true };
    struct service_cursor *cursor = NULL;
    struct base_str key, value;
    uint64_t last = 0;
    int e = service_cursor_open(log->store, SERVICE_CF_ALERTS, &range, &cursor);
    if (e == 0) {
        e = service_cursor_next(cursor, &key, &value);
        last = e == 0 ? service_seq_of(key) : 0;
        e = e == BASE_E_EOF ? 0 : e;
        service_cursor_close(cursor);
    }
    if (e < 0) {
        base_buf_puts(reterr, "the alert log cannot be read: ");
        service_store_error(log->store, reterr);
        return e;
    }
    pthread_mutex_lock(&log->lock);
    log->next_seq = last + 1;
    log->decided_seq = last;
    pthread_mutex_unlock(&log->lock);
    return 0;
}

int service_alertlog_open(struct service_store *store, struct service_alertlog **ret, struct base_buf *reterr)
{
    struct service_alertlog *log = base_calloc(1, sizeof *log);
    if (!log)
        return BASE_E_NOMEM;
    log->store = store;
    pthread_mutex_init(&log->lock, NULL);
    base_cond_init(&log->more);
    int e = service_alertlog_refresh(log, reterr);
    if (e < 0) {
        service_alertlog_close(log);
        return e;
    }
    *ret = log;
    return 0;
}

void service_alertlog_close(struct service_alertlog *log)
{
    if (!log)
        return;
    base_buf_finish(&log->value);
    base_buf_finish(&log->key);
    pthread_cond_destroy(&log->more);
    pthread_mutex_destroy(&log->lock);
    base_free(log);
}

/* ---- form of an entry ---- */

static void put_text(struct base_buf *out, struct base_str text)
{
    base_buf_put_bytes(out, text.ptr, text.len);
}

static void encode(struct base_buf *out, const struct cep_program *program, const struct service_output *output)
{
    const struct cep_rule *rule = cep_program_rule(program, output->rule);
    base_buf_put_u8(out, VERSION);
    base_buf_put_varint(out, output->revision);
    base_buf_put_varint(out, rule->version);
    base_buf_put_u8(out, (uint8_t)output->change);
    base_buf_put(out, output->alert_id, 32);
    put_text(out, cep_program_text(program, rule->name));
    put_text(out, cep_program_text(program, rule->severity));
    put_text(out, cep_program_text(program, rule->mode));
    put_text(out, cep_program_text(program, rule->sinks));
    put_text(out, output->subject);
    base_buf_put_u64(out, (uint64_t)output->first_ms);
    base_buf_put_u64(out, (uint64_t)output->last_ms);
    base_buf_put_u64(out, (uint64_t)output->detected_ms);
    put_text(out, output->body);
}

static int decode(uint64_t seq, struct base_str value, struct service_alert *ret)
{
    struct base_reader in = base_reader_of(value.ptr, value.len);
    if (base_read_u8(&in) != VERSION)
        return in.failed ? BASE_E_CORRUPT : BASE_E_VERSION;
    ret->seq = seq;
    ret->revision = (uint32_t)base_read_varint(&in);
    ret->version = (uint32_t)base_read_varint(&in);
    ret->change = base_read_u8(&in);
    const char *id = base_read_raw(&in, 32);
    ret->alert_id = (struct base_str){ id, id ? 32 : 0 };
    ret->rule = base_read_bytes(&in);
    ret->severity = base_read_bytes(&in);
    ret->mode = base_read_bytes(&in);
    ret->sinks = base_read_bytes(&in);
    ret->key = base_read_bytes(&in);
    ret->first_ms = (int64_t)base_read_u64(&in);
    ret->last_ms = (int64_t)base_read_u64(&in);
    ret->detected_ms = (int64_t)base_read_u64(&in);
    ret->body = base_read_bytes(&in);
    return in.failed || ret->change > FORMATS_ALERT_WITHDRAWN ? BASE_E_CORRUPT : 0;
}

static int place_decode(struct base_str value, struct service_alert_place *ret)
{
    struct base_reader in = base_reader_of(value.ptr, value.len);
    uint8_t version = base_read_u8(&in);
    ret->first_seq = base_read_u64(&in);
    ret->last_seq = base_read_u64(&in);
    ret->revision = base_read_u32(&in);
    ret->change = base_read_u8(&in);
    ret->frozen = !in.failed && in.at < in.end && base_read_u8(&in) != 0; /* the byte is there where it is set */
    return in.failed ? BASE_E_CORRUPT : version != VERSION ? BASE_E_VERSION : 0;
}

static int put_place(struct service_batch *batch, struct base_str id, const struct service_alert_place *place, struct base_buf *scratch)
{
    base_buf_clear(scratch);
    base_buf_put_u8(scratch, VERSION);
    base_buf_put_u64(scratch, place->first_seq);
    base_buf_put_u64(scratch, place->last_seq);
    base_buf_put_u32(scratch, place->revision);
    base_buf_put_u8(scratch, place->change);
    if (place->frozen)
        base_buf_put_u8(scratch, 1);
    return scratch->failed ? BASE_E_NOMEM
                           : service_batch_put(batch, SERVICE_CF_ALERT_INDEX, SERVICE_STORE_NO_GROUP, id, (struct base_str){ scratch->ptr, scratch->len });
}

/* ---- adding ---- */

int service_alertlog_find(struct service_alertlog *log, struct base_str alert_id, struct service_alert_place *ret)
{
    struct base_buf value = { 0 };
    int e = service_store_get(log->store, SERVICE_CF_ALERT_INDEX, alert_id, &value);
    if (e == 0)
        e = place_decode((struct base_str){ value.ptr, value.len }, ret);
    base_buf_finish(&value);
    return e;
}

int service_alertlog_add(struct service_alertlog *log, struct service_batch *batch, const struct cep_program *program, const struct service_output *output,
                         uint64_t *ret_seq)
{
    struct base_str id = { output->alert_id, 32 };
    uint64_t seq = log->next_seq++;
    struct service_alert_place place = { .first_seq = seq };
    int e = service_alertlog_find(log, id, &place);
    if (e < 0 && e != BASE_E_NOTFOUND)
        return e;
    base_buf_clear(&log->value);
    base_buf_clear(&log->key);
    encode(&log->value, program, output);
    service_seq_key(seq, &log->key);
    if (log->value.failed || log->key.failed)
        return BASE_E_NOMEM;
    e = service_batch_put(batch, SERVICE_CF_ALERTS, SERVICE_STORE_NO_GROUP, (struct base_str){ log->key.ptr, log->key.len },
                          (struct base_str){ log->value.ptr, log->value.len });
    place = (struct service_alert_place){ .first_seq = place.first_seq, .last_seq = seq, .revision = output->revision, .change = (uint8_t)output->change };
    if (e == 0)
        e = put_place(batch, id, &place, &log->value);
    *ret_seq = seq;
    return e;
}

int service_alertlog_freeze(struct service_alertlog *log, struct service_batch *batch, struct base_str alert_id)
{
    struct service_alert_place place;
    int e = service_alertlog_find(log, alert_id, &place);
    if (e < 0 || place.frozen)
        return e;
    place.frozen = true;
    return put_place(batch, alert_id, &place, &log->value);
}

void service_alertlog_decided(struct service_alertlog *log)
{
    pthread_mutex_lock(&log->lock);
    log->decided_seq = log->next_seq - 1;
    pthread_cond_broadcast(&log->more);
    pthread_mutex_unlock(&log->lock);
}

void service_alertlog_aborted(struct service_alertlog *log)
{
    pthread_mutex_lock(&log->lock);
    log->next_seq = log->decided_seq + 1;
    pthread_mutex_unlock(&log->lock);
}

uint64_t service_alertlog_last(struct service_alertlog *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t seq = log->decided_seq;
    pthread_mutex_unlock(&log->lock);
    return seq;
}

void service_alertlog_wait(struct service_alertlog *log, uint64_t seq, int64_t timeout_ms)
{
    struct timespec until = base_cond_deadline(timeout_ms * 1000);
    pthread_mutex_lock(&log->lock);
    if (log->decided_seq <= seq)
        (void)pthread_cond_timedwait(&log->more, &log->lock, &until); /* one wait: whoever wakes us wants to be looked at */
    pthread_mutex_unlock(&log->lock);
}

void service_alertlog_wake(struct service_alertlog *log)
{
    pthread_mutex_lock(&log->lock);
    pthread_cond_broadcast(&log->more);
    pthread_mutex_unlock(&log->lock);
}

/* ---- reading ---- */

int service_alertlog_get(struct service_alertlog *log, uint64_t seq, struct base_buf *bytes, struct service_alert *ret)
{
    struct base_buf key = { 0 };
    service_seq_key(seq, &key);
    base_buf_clear(bytes);
    int e = key.failed ? BASE_E_NOMEM : service_store_get(log->store, SERVICE_CF_ALERTS, (struct base_str){ key.ptr, key.len }, bytes);
    base_buf_finish(&key);
    return e < 0 ? e : decode(seq, (struct base_str){ bytes->ptr, bytes->len }, ret);
}

int service_alertlog_each(struct service_alertlog *log, uint64_t from, bool reverse, service_alert_visit *visit, void *ctx)
{
    struct base_buf edge = { 0 };
    struct service_range range = { .reverse = reverse };
    if (from) {
        service_seq_key(reverse ? from + 1 : from, &edge);
        if (reverse)
            range.to = (struct base_str){ edge.ptr, edge.len };
        else
            range.from = (struct base_str){ edge.ptr, edge.len };
    }
    struct service_cursor *cursor = NULL;
    int e = edge.failed ? BASE_E_NOMEM : service_cursor_open(log->store, SERVICE_CF_ALERTS, &range, &cursor);
    while (e == 0) {
        struct base_str key, value;
        struct service_alert alert;
        e = service_cursor_next(cursor, &key, &value);
        if (e == 0)
            e = decode(service_seq_of(key), value, &alert);
        if (e == 0)
            e = visit(ctx, &alert);
    }
    service_cursor_close(cursor);
    base_buf_finish(&edge);
    return e == BASE_E_EOF || e > 0 ? 0 : e;
}

struct prune {
    struct service_alertlog *log;
    struct service_batch *batch;
    int64_t before_ms;
    uint64_t keep_seq;
    uint32_t left;
    struct base_buf key;
};

static int prune_one(void *ctx, const struct service_alert *alert)
{
    struct prune *p = ctx;
    if (alert->seq >= p->keep_seq || alert->detected_ms >= p->before_ms || p->left == 0)
        return 1;
    p->left--;
    struct service_alert_place place;
    int e = service_alertlog_find(p->log, alert->alert_id, &place);
    if (e == 0 && place.last_seq == alert->seq)
        e = service_batch_delete(p->batch, SERVICE_CF_ALERT_INDEX, SERVICE_STORE_NO_GROUP, alert->alert_id);
    if (e < 0 && e != BASE_E_NOTFOUND)
        return e;
    base_buf_clear(&p->key);
    service_seq_key(alert->seq, &p->key);
    return p->key.failed ? BASE_E_NOMEM : service_batch_delete(p->batch, SERVICE_CF_ALERTS, SERVICE_STORE_NO_GROUP, (struct base_str){ p->key.ptr, p->key.len });
}

int service_alertlog_prune(struct service_alertlog *log, int64_t before_ms, uint64_t keep_seq, uint32_t most)
{
    struct prune p = { .log = log, .before_ms = before_ms, .keep_seq = keep_seq, .left = most };
    int e = service_batch_create(&p.batch);
    if (e == 0)
        e = service_alertlog_each(log, 0, false, prune_one, &p);
    if (e == 0 && service_batch_count(p.batch))
        e = service_store_write(log->store, &p.batch, 1, false);
    service_batch_destroy(p.batch);
    base_buf_finish(&p.key);
    return e;
}
