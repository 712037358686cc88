#include "service/push.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cond.h"
#include "base/error.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/record.h"

#define QUEUE_BYTES ((int64_t)32 << 20)
#define NAMES_MOST 20

struct item { char *bytes; size_t len; int64_t time_ms; };
struct items BASE_VEC(struct item);
struct records BASE_VEC(struct cep_record);

/* Records [first, first + items.len - head) by offset; [head] is the oldest that is not decided. */
struct queue {
    struct connectors_source base;  /* first: this is what ingest sees */
    struct service_pushes *owner;
    struct queue *next;             /* in the owner's list; the newest of a name first */
    char *name;
    int64_t limit_bytes;
    struct cep_origin origin;
    struct records batch;           /* ingest's */
    struct connectors_position position;
    /* under the owner's lock */
    struct items items;
    size_t head;
    int64_t first;                  /* offset of items.at[head] */
    int64_t read;                   /* next offset that is polled */
    int64_t marked, decided;
    size_t bytes;
    bool started;                   /* polled or sought once: offsets are known */
    bool closed;
    unsigned waiting;               /* senders that look at this queue */
};
struct service_pushes {
    pthread_mutex_t lock;
    pthread_cond_t changed;         /* records came, were decided, or all ends */
    struct queue *queues;
    bool stopped;
};

bool service_pushes_any(struct service_pushes *pushes)
{
    pthread_mutex_lock(&pushes->lock);
    bool any = pushes->queues != NULL;
    pthread_mutex_unlock(&pushes->lock);
    return any;
}

struct service_pushes *service_pushes_create(void)
{
    struct service_pushes *pushes = base_calloc(1, sizeof *pushes);
    if (!pushes)
        return NULL;
    pthread_mutex_init(&pushes->lock, NULL);
    base_cond_init(&pushes->changed);
    return pushes;
}

static void free_queue(struct queue *queue)
{
    for (size_t i = queue->head; i < queue->items.len; i++)
        base_free(queue->items.at[i].bytes);
    BASE_VEC_FINISH(&queue->items);
    BASE_VEC_FINISH(&queue->batch);
    base_free(queue->name);
    base_free(queue);
}

void service_pushes_destroy(struct service_pushes *pushes)
{
    if (!pushes)
        return;
    pthread_cond_destroy(&pushes->changed);
    pthread_mutex_destroy(&pushes->lock);
    base_free(pushes);
}

/* Waits under the lock until something changes, at most until a time of the monotonic clock. False: the time is over. */
static bool wait_changed(struct service_pushes *pushes, int64_t until_us)
{
    struct timespec until = { .tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000 };
    return pthread_cond_timedwait(&pushes->changed, &pushes->lock, &until) != ETIMEDOUT;
}

/* ---- the source ---- */

static int64_t end_of(const struct queue *queue)
{
    return queue->first + (int64_t)(queue->items.len - queue->head);
}

static int queue_poll(struct connectors_source *base, size_t max_records, int timeout_ms, struct connectors_batch *ret)
{
    struct queue *queue = (struct queue *)base;
    int64_t until_us = base_clock_mono_us() + (int64_t)timeout_ms * 1000;
    int e = 0;
    queue->batch.len = 0;
    pthread_mutex_lock(&queue->owner->lock);
    if (!queue->started)
        pthread_cond_broadcast(&queue->owner->changed);
    queue->started = true;
    while (queue->read == end_of(queue) && timeout_ms > 0 && !queue->owner->stopped && wait_changed(queue->owner, until_us))
        ;
    for (size_t i = queue->head + (size_t)(queue->read - queue->first); e == 0 && i < queue->items.len && queue->batch.len < max_records; i++) {
        const struct item *item = &queue->items.at[i];
        struct cep_record record = { .bytes = { item->bytes, item->len }, .origin = &queue->origin, .time_ms = item->time_ms,
                                     .offset = queue->read + (int64_t)queue->batch.len };
        e = BASE_VEC_PUSH(&queue->batch, record) ? 0 : BASE_E_NOMEM;
    }
    if (e == 0)
        queue->read += (int64_t)queue->batch.len;
    queue->position = (struct connectors_position){ .offset = queue->read };
    *ret = (struct connectors_batch){ .records = queue->batch.at, .count = queue->batch.len, .positions = &queue->position, .position_count = 1,
                                      .at_end = queue->read == end_of(queue) };
    pthread_mutex_unlock(&queue->owner->lock);
    return e;
}

static int queue_seek(struct connectors_source *base, const struct connectors_position *position)
{
    struct queue *queue = (struct queue *)base;
    int e = 0;
    pthread_mutex_lock(&queue->owner->lock);
    if (!queue->started && queue->items.len == queue->head) { /* a new process goes on counting where the old one was */
        queue->first = queue->read = queue->marked = queue->decided = position->offset;
        queue->started = true;
        pthread_cond_broadcast(&queue->owner->changed);
    } else if (position->offset < queue->first || position->offset > end_of(queue)) {
        snprintf(base->error, sizeof base->error, "record %lld is not in the queue any more", (long long)position->offset);
        e = BASE_E_NOTFOUND;
    } else {
        queue->read = position->offset;
        queue->marked = queue->marked < queue->read ? queue->marked : queue->read;
    }
    pthread_mutex_unlock(&queue->owner->lock);
    return e;
}

static void queue_close(struct connectors_source *base)
{
    struct queue *queue = (struct queue *)base;
    struct service_pushes *pushes = queue->owner;
    pthread_mutex_lock(&pushes->lock);
    queue->closed = true;
    for (struct queue **at = &pushes->queues; *at; at = &(*at)->next) {
        if (*at == queue) {
            *at = queue->next;
            break;
        }
    }
    pthread_cond_broadcast(&pushes->changed);
    while (queue->waiting > 0)
        (void)wait_changed(pushes, base_clock_mono_us() + 1000000);
    pthread_mutex_unlock(&pushes->lock);
    free_queue(queue);
}

static const struct connectors_source_ops ops = { queue_poll, queue_seek, queue_close };

int service_pushes_open(void *ctx, const struct cep_program *program, uint32_t number, struct connectors_source **ret, struct base_buf *reterr)
{
    struct service_pushes *pushes = ctx;
    const struct cep_table *table = cep_program_table(program, number);
    struct connectors_source_config config = { program, table, NULL };
    if (!base_str_equal(connectors_option(&config, "connector", ""), BASE_STR("http")))
        return 0;
    char why[256] = "";
    struct connectors_number limit = { "ingest.queue-bytes", QUEUE_BYTES, 65536, (int64_t)4 << 30 };
    struct queue *queue = base_calloc(1, sizeof *queue);
    if (!queue)
        return BASE_E_NOMEM;
    struct base_str name = cep_program_text(program, table->name);
    int e = connectors_option_number(&config, limit, &queue->limit_bytes, why, sizeof why);
    queue->base.ops = &ops;
    queue->owner = pushes;
    queue->name = base_strndup(name.ptr, name.len);
    if (e < 0)
        base_buf_printf(reterr, "table \"%.*s\": %s", (int)name.len, name.ptr, why);
    if (e < 0 || !queue->name) {
        free_queue(queue);
        return e < 0 ? e : BASE_E_NOMEM;
    }
    queue->origin.name = BASE_STR("http");
    pthread_mutex_lock(&pushes->lock);
    queue->next = pushes->queues;
    pushes->queues = queue;
    pthread_mutex_unlock(&pushes->lock);
    *ret = &queue->base;
    return 0;
}

/* ---- senders ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* End of the JSON value at `at`, by its brackets and strings; what it is worth the decoder says. */
static size_t value_end(struct base_str body, size_t at)
{
    int depth = 0;
    bool text = false;
    for (; at < body.len; at++) {
        char c = body.ptr[at];
        if (text) {
            at += c == '\\';
            text = c != '"';
        } else if (c == '"') {
            text = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return at;
            depth--;
        } else if (c == ',' && depth == 0) {
            return at;
        }
    }
    return body.len;
}

static int add_item(struct items *items, struct base_str record, int64_t now_ms)
{
    record = base_str_trim(record);
    if (record.len == 0)
        return 0;
    if (items->len == SERVICE_PUSH_RECORDS)
        return BASE_E_LIMIT;
    struct item item = { base_strndup(record.ptr, record.len), record.len, now_ms };
    if (item.bytes && BASE_VEC_PUSH(items, item))
        return 0;
    base_free(item.bytes);
    return BASE_E_NOMEM;
}

static int split_array(struct base_str body, struct items *items, int64_t now_ms)
{
    size_t at = 1;
    for (;;) {
        size_t end = value_end(body, at);
        if (end >= body.len)
            return BASE_E_MALFORMED;
        int e = add_item(items, (struct base_str){ body.ptr + at, end - at }, now_ms);
        if (e < 0)
            return e;
        at = end + 1;
        if (body.ptr[end] == ']')
            break;
    }
    while (at < body.len && is_blank(body.ptr[at]))
        at++;
    return at == body.len ? 0 : BASE_E_MALFORMED;
}

static int split_lines(struct base_str body, struct items *items, int64_t now_ms)
{
    int e = 0;
    for (size_t at = 0; e == 0 && at < body.len;) {
        const char *end = memchr(body.ptr + at, '\n', body.len - at);
        size_t len = end ? (size_t)(end - (body.ptr + at)) : body.len - at;
        e = add_item(items, (struct base_str){ body.ptr + at, len }, now_ms);
        at += len + 1;
    }
    return e;
}

static void free_items(struct items *items)
{
    for (size_t i = 0; i < items->len; i++)
        base_free(items->at[i].bytes);
    BASE_VEC_FINISH(items);
}

static struct queue *find_queue(const struct service_pushes *pushes, const char *table)
{
    struct queue *queue = pushes->queues;
    while (queue && strcmp(queue->name, table) != 0)
        queue = queue->next;
    return queue;
}

/* All of the items or none; under the lock. */
static int take(struct queue *queue, struct items *items, size_t bytes)
{
    size_t have = queue->items.len - queue->head;
    if ((int64_t)bytes > queue->limit_bytes || items->len > SERVICE_PUSH_RECORDS)
        return BASE_E_LIMIT;
    if ((int64_t)(queue->bytes + bytes) > queue->limit_bytes || have + items->len > SERVICE_PUSH_RECORDS)
        return BASE_E_BUSY;
    if (!BASE_VEC_RESERVE(&queue->items, queue->items.len + items->len))
        return BASE_E_NOMEM;
    if (items->len)
        memcpy(queue->items.at + queue->items.len, items->at, items->len * sizeof *items->at);
    queue->items.len += items->len;
    queue->bytes += bytes;
    items->len = 0;
    return 0;
}

static int wait_decided(struct service_pushes *pushes, struct queue *queue, int64_t upto, int64_t timeout_ms)
{
    int64_t until_us = base_clock_mono_us() + timeout_ms * 1000;
    int e = 0;
    queue->waiting++;
    pthread_cond_broadcast(&pushes->changed);
    while (e == 0 && queue->decided < upto) {
        if (queue->closed || pushes->stopped)
            e = BASE_E_CLOSED;
        else if (!wait_changed(pushes, until_us) && queue->decided < upto)
            e = BASE_E_TIMEOUT;
    }
    queue->waiting--;
    pthread_cond_broadcast(&pushes->changed);
    return e;
}

/* At a start the source is told only later where it goes on counting: what came before would be taken for records that were read long ago. */
static int wait_started(struct service_pushes *pushes, struct queue *queue, int64_t timeout_ms)
{
    int64_t until_us = base_clock_mono_us() + timeout_ms * 1000;
    int e = 0;
    queue->waiting++;
    while (e == 0 && !queue->started) {
        if (queue->closed || pushes->stopped || (!wait_changed(pushes, until_us) && !queue->started))
            e = BASE_E_CLOSED; /* nothing was taken */
    }
    queue->waiting--;
    pthread_cond_broadcast(&pushes->changed);
    return e;
}

int service_pushes_push(struct service_pushes *pushes, const char *table, struct base_str body, int64_t timeout_ms, uint64_t *ret_count)
{
    struct items items = { 0 };
    struct base_str trimmed = base_str_trim(body);
    int64_t now_ms = base_clock_wall_ms();
    int e = trimmed.len && trimmed.ptr[0] == '[' ? split_array(trimmed, &items, now_ms) : split_lines(trimmed, &items, now_ms);
    size_t bytes = 0;
    for (size_t i = 0; i < items.len; i++)
        bytes += items.at[i].len + sizeof items.at[i];
    *ret_count = items.len;
    pthread_mutex_lock(&pushes->lock);
    struct queue *queue = find_queue(pushes, table);
    if (e == 0 && pushes->stopped)
        e = BASE_E_CLOSED;
    if (!queue && e != BASE_E_CLOSED)
        e = BASE_E_NOTFOUND;
    if (e == 0)
        e = wait_started(pushes, queue, timeout_ms);
    if (e == 0)
        e = take(queue, &items, bytes);
    if (e == 0)
        e = wait_decided(pushes, queue, end_of(queue), timeout_ms);
    pthread_mutex_unlock(&pushes->lock);
    free_items(&items);
    return e;
}

void service_pushes_names(struct service_pushes *pushes, struct base_buf *out)
{
    int count = 0;
    pthread_mutex_lock(&pushes->lock);
    for (const struct queue *queue = pushes->queues; queue && count < NAMES_MOST; queue = queue->next, count++) {
        base_buf_puts(out, count ? ", \"" : "\"");
        base_buf_puts(out, queue->name);
        base_buf_puts(out, count + 1 == NAMES_MOST && queue->next ? "\", …" : "\"");
    }
    pthread_mutex_unlock(&pushes->lock);
}

/* ---- the coordinator ---- */

static void note_position(void *ctx, int32_t partition BASE_UNUSED, int64_t offset)
{
    *(int64_t *)ctx = offset;
}

void service_pushes_mark(struct service_pushes *pushes, const struct service_input *input)
{
    int64_t offset = -1;
    service_input_each_position(input, note_position, &offset);
    pthread_mutex_lock(&pushes->lock);
    for (struct queue *queue = pushes->queues; queue; queue = queue->next) { /* a reload may have opened another of the name, which has read nothing */
        if (offset > queue->marked && offset <= queue->read && strcmp(queue->name, service_input_name(input)) == 0)
            queue->marked = offset;
    }
    pthread_mutex_unlock(&pushes->lock);
}

static void release(struct queue *queue)
{
    while (queue->first < queue->marked && queue->head < queue->items.len) {
        struct item *item = &queue->items.at[queue->head++];
        queue->bytes -= item->len + sizeof *item;
        base_free(item->bytes);
        queue->first++;
    }
    if (queue->head > 1024 && queue->head > queue->items.len / 2) {
        memmove(queue->items.at, queue->items.at + queue->head, (queue->items.len - queue->head) * sizeof *queue->items.at);
        queue->items.len -= queue->head;
        queue->head = 0;
    }
    queue->decided = queue->marked;
}

void service_pushes_decided(struct service_pushes *pushes)
{
    pthread_mutex_lock(&pushes->lock);
    for (struct queue *queue = pushes->queues; queue; queue = queue->next)
        release(queue);
    pthread_cond_broadcast(&pushes->changed);
    pthread_mutex_unlock(&pushes->lock);
}

void service_pushes_stop(struct service_pushes *pushes)
{
    pthread_mutex_lock(&pushes->lock);
    pushes->stopped = true;
    pthread_cond_broadcast(&pushes->changed);
    pthread_mutex_unlock(&pushes->lock);
}
