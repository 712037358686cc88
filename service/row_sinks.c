#include "service/row_sinks.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/time.h"
#include "base/vec.h"
#include "cep/record.h"
#include "connectors/store_sink.h"
#include "formats/cells.h"
#include "service/rowlog.h"

#define BATCH_ROWS 1000
#define BATCH_BYTES ((size_t)4 << 20)
#define BUFFER_BYTES ((int64_t)1 << 30)
#define WAIT_MS 500
#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS 10000
#define REMOVE_BIT 1

_Static_assert((int)FORMATS_CELL_JSON == (int)CONNECTORS_CELL_JSON && (int)FORMATS_CELL_TEXT == (int)CONNECTORS_CELL_TEXT, "cells of formats and connectors are numbered alike");

/* A change of the running epoch, in the arena of its sink. */
struct pending { bool remove, gone; struct base_str record; };
struct pendings BASE_VEC(struct pending);
struct changes BASE_VEC(struct connectors_change);

struct service_row_sink {
    struct service_row_sinks *owner;
    char *name, *type;
    char identity[33];               /* of its options */
    struct connectors_store_sink *store;
    struct service_rowlog_tail *tail;
    int64_t buffer_bytes, batch_rows;
    bool drop_when_full, skip_refused;
    /* coordinator's: the running epoch */
    struct base_arena arena;
    struct pendings pendings;
    struct base_map by_key;          /* key -> index in pendings + 1 */
    bool told_full;
    /* follower's */
    pthread_t thread;
    bool started;
    uint64_t most_rows;              /* of a batch: less while a refused row is looked for */
    uint64_t mark;                   /* end of the batch that was begun; 0: none */
    struct base_arena batch_arena;
    struct changes changes;
    _Atomic bool stopping, leaving;  /* leaving: ends when its log is empty */
    _Atomic bool ended;
    /* under the owner's lock */
    uint64_t delivered, failed, skipped, dropped;
    bool full;
    char trouble[512];
};
struct list BASE_VEC(struct service_row_sink *);
struct service_row_sinks {
    struct service_row_sinks_config config;
    struct service_rowlog *log;
    char *owner;                     /* application and store: part of positions in stores */
    struct list sinks;               /* changed by the coordinator under the lock */
    struct list leaving;
    pthread_mutex_t lock;
};

/* ---- life of one sink ---- */

static void destroy_sink(struct service_row_sink *sink)
{
    connectors_store_sink_close(sink->store);
    base_arena_finish(&sink->arena);
    base_arena_finish(&sink->batch_arena);
    BASE_VEC_FINISH(&sink->pendings);
    BASE_VEC_FINISH(&sink->changes);
    base_map_finish(&sink->by_key);
    base_free(sink->name);
    base_free(sink->type);
    base_free(sink);
}

static void stop_sink(struct service_row_sink *sink)
{
    atomic_store(&sink->stopping, true);
    connectors_store_sink_interrupt(sink->store);
    service_rowlog_wake(sink->owner->log);
    if (sink->started)
        pthread_join(sink->thread, NULL);
    destroy_sink(sink);
}

/* The table's options as texts in the arena; *ret_count of them. */
static struct clients_option *options_of(const struct cep_program *program, const struct cep_table *table, struct base_arena *arena, size_t *ret_count)
{
    struct clients_option *options = base_arena_zalloc(arena, table->options.count + 1, sizeof *options);
    for (uint32_t i = 0; options && i < table->options.count; i++) {
        const struct cep_option *option = cep_program_option(program, table->options.first + i);
        struct base_str key = cep_program_text(program, option->key), value = cep_program_text(program, option->value);
        options[i].name = base_arena_strndup(arena, key.ptr, key.len);
        options[i].value = base_arena_strndup(arena, value.ptr, value.len);
        if (!options[i].name || !options[i].value)
            return NULL;
    }
    *ret_count = table->options.count;
    return options;
}

static const char *option_value(const struct clients_option *options, size_t count, const char *name, const char *fallback)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, name) == 0)
            return options[i].value;
    }
    return fallback;
}

static void identify(const struct clients_option *options, size_t count, bool keyed, char ret[33])
{
    struct base_buf text = { 0 };
    for (size_t i = 0; i < count; i++) {
        base_buf_put_bytes(&text, options[i].name, strlen(options[i].name));
        base_buf_put_bytes(&text, options[i].value, strlen(options[i].value));
    }
    base_buf_put_u8(&text, keyed);
    base_hash128_hex(text.ptr ? text.ptr : "", text.len, ret);
    base_buf_finish(&text);
}

/* Options that all stores have. */
static int common_options(struct service_row_sink *sink, const struct clients_option *options, size_t count, struct base_buf *reterr)
{
    const char *full = option_value(options, count, "sink.buffer.full", "wait"), *refused = option_value(options, count, "sink.refused", "hold");
    sink->buffer_bytes = BUFFER_BYTES;
    sink->batch_rows = BATCH_ROWS;
    if (!service_parse_size(option_value(options, count, "sink.buffer.size", "1 GiB"), &sink->buffer_bytes) || sink->buffer_bytes < 65536)
        base_buf_puts(reterr, "option 'sink.buffer.size' must be a size of at least 64 KiB, such as '1 GiB'");
    else if (!base_str_to_i64(base_str_of(option_value(options, count, "sink.batch-rows", "1000")), &sink->batch_rows) || sink->batch_rows < 1 || sink->batch_rows > 100000)
        base_buf_puts(reterr, "option 'sink.batch-rows' must be a number between 1 and 100000");
    else if (strcmp(full, "wait") != 0 && strcmp(full, "drop") != 0)
        base_buf_puts(reterr, "option 'sink.buffer.full' must be 'wait' (the service waits, nothing is lost) or 'drop' (new rows are dropped and counted)");
    else if (strcmp(refused, "hold") != 0 && strcmp(refused, "skip") != 0)
        base_buf_puts(reterr, "option 'sink.refused' must be 'hold' (tried again until it is mended) or 'skip' (the row becomes a dead letter)");
    else {
        sink->drop_when_full = strcmp(full, "drop") == 0;
        sink->skip_refused = strcmp(refused, "skip") == 0;
        sink->most_rows = (uint64_t)sink->batch_rows;
        return 0;
    }
    return BASE_E_CONFIG;
}

struct wanted { const char *name, *connector; const struct clients_option *options; size_t count; bool keyed; };

static int create_sink(struct service_row_sinks *sinks, const struct wanted *wanted, struct service_row_sink **ret, struct base_buf *reterr)
{
    struct service_row_sink *sink = base_calloc(1, sizeof *sink);
    if (!sink)
        return BASE_E_NOMEM;
    sink->owner = sinks;
    sink->name = base_strdup(wanted->name);
    sink->type = base_strdup(wanted->connector);
    identify(wanted->options, wanted->count, wanted->keyed, sink->identity);
    struct connectors_store_config config = {
        .connector = wanted->connector, .name = wanted->name, .owner = sinks->owner, .keyed = wanted->keyed, .options = wanted->options,
        .option_count = wanted->count, .allow_private = sinks->config.config && sinks->config.config->number[SERVICE_WEBHOOK_PRIVATE],
    };
    base_buf_printf(reterr, "table \"%s\": ", wanted->name);
    int e = sink->name && sink->type ? common_options(sink, wanted->options, wanted->count, reterr) : BASE_E_NOMEM;
    if (e == 0)
        e = connectors_store_sink_open(&config, &sink->store, reterr);
    if (e == 0)
        e = service_rowlog_tail(sinks->log, wanted->name, &sink->tail);
    if (e < 0) {
        destroy_sink(sink);
        return e;
    }
    base_buf_clear(reterr);
    *ret = sink;
    return 0;
}

/* ---- following ---- */

static void set_trouble(struct service_row_sink *sink, const char *text)
{
    pthread_mutex_lock(&sink->owner->lock);
    bool changed = strncmp(sink->trouble, text, sizeof sink->trouble - 1) != 0, first = !sink->trouble[0];
    snprintf(sink->trouble, sizeof sink->trouble, "%s", text);
    pthread_mutex_unlock(&sink->owner->lock);
    if (changed && *text)
        base_log(BASE_LOG_WARN, "sinks", first ? "a store does not take rows" : "a store still does not take rows", "table", sink->name, "cause", text, NULL);
    else if (changed)
        base_log(BASE_LOG_INFO, "sinks", "a store takes rows again", "table", sink->name, NULL);
}

/* A part of the log on its way into a batch. */
struct reading { struct service_row_sink *sink; uint64_t rows, bytes, last, most_rows, most_seq; };

static int read_change(void *ctx, uint64_t seq, struct base_str record)
{
    struct reading *r = ctx;
    struct service_row_sink *sink = r->sink;
    if (r->rows == r->most_rows || (r->rows && r->bytes + record.len > BATCH_BYTES && !r->most_seq) || (r->most_seq && seq > r->most_seq))
        return 1;
    const char *copy = base_arena_strndup(&sink->batch_arena, record.ptr, record.len);
    struct base_reader in = base_reader_of(copy, copy ? record.len : 0);
    struct connectors_change change = { .seq = seq, .remove = base_read_u8(&in) & REMOVE_BIT };
    int e = copy ? formats_cells_open(&in, &change.count) : BASE_E_NOMEM;
    struct connectors_cell *cells = e == 0 ? base_arena_zalloc(&sink->batch_arena, change.count + 1, sizeof *cells) : NULL;
    for (uint32_t i = 0; cells && e == 0 && i < change.count; i++) {
        struct formats_cell cell;
        e = formats_cells_next(&in, &cell);
        if (e == 0)
            cells[i] = (struct connectors_cell){ .name = cell.name, .text = cell.text, .kind = (enum connectors_cell_kind)cell.kind, .key = cell.key };
    }
    change.cells = cells;
    if (e == 0 && (!cells || !BASE_VEC_PUSH(&sink->changes, change)))
        e = BASE_E_NOMEM;
    r->rows++;
    r->bytes += record.len;
    r->last = seq;
    return e;
}

static bool put_key(const struct connectors_change *change, struct base_buf *out)
{
    bool any = false;
    base_buf_clear(out);
    for (uint32_t i = 0; i < change->count; i++) {
        if (!change->cells[i].key)
            continue;
        base_buf_put_bytes(out, change->cells[i].text.ptr, change->cells[i].text.len);
        any = true;
    }
    return any;
}

/* Of several changes of one key only the last is written. */
static int fold(struct service_row_sink *sink)
{
    struct base_map seen = { 0 };
    struct base_buf key = { 0 };
    size_t kept = sink->changes.len;
    int e = 0;
    for (size_t i = sink->changes.len; e == 0 && i-- > 0;) {
        bool added = true;
        if (put_key(&sink->changes.at[i], &key) && (key.failed || !base_map_put(&seen, (struct base_str){ key.ptr, key.len }, &added)))
            e = BASE_E_NOMEM;
        if (added)
            sink->changes.at[--kept] = sink->changes.at[i];
    }
    if (e == 0) {
        memmove(sink->changes.at, sink->changes.at + kept, (sink->changes.len - kept) * sizeof *sink->changes.at);
        sink->changes.len -= kept;
    }
    base_map_finish(&seen);
    base_buf_finish(&key);
    return e;
}

/* A row that the store refuses, alone in its batch: a dead letter. */
static void skip_row(struct service_row_sink *sink, const char *why)
{
    struct base_buf text = { 0 };
    const struct connectors_change *change = sink->changes.len ? &sink->changes.at[0] : NULL;
    base_buf_putc(&text, '{');
    for (uint32_t i = 0; change && i < change->count; i++) {
        base_buf_puts(&text, i ? "," : "");
        base_buf_put_json(&text, change->cells[i].name);
        base_buf_putc(&text, ':');
        base_buf_put_json(&text, change->cells[i].text);
    }
    base_buf_putc(&text, '}');
    struct cep_record record = { .bytes = { text.ptr ? text.ptr : "", text.len }, .offset = change ? (int64_t)change->seq : 0 };
    if (sink->owner->config.letters)
        service_letters_record(sink->owner->config.letters, base_str_of(sink->name), &record, BASE_E_MALFORMED, why);
    base_buf_finish(&text);
    pthread_mutex_lock(&sink->owner->lock);
    sink->skipped++;
    pthread_mutex_unlock(&sink->owner->lock);
    base_log(BASE_LOG_WARN, "sinks", "a store refuses a row; it became a dead letter", "table", sink->name, "cause", why, NULL);
}

/* Keeps the bounds of a batch that is begun, for stores that know it again by them. */
static int keep_bounds(struct service_row_sink *sink, uint64_t last)
{
    if (!sink->store->fixed_batches || sink->mark == last)
        return 0;
    int e = service_rowlog_put_mark(sink->tail, last);
    if (e == 0)
        sink->mark = last;
    return e;
}

/* After the store refused something in a batch: smaller ones, down to the row itself. *ret_dealt: the row was skipped. */
static int look_for_refused(struct service_row_sink *sink, uint64_t rows, const char *why, bool *ret_dealt)
{
    *ret_dealt = false;
    if (!sink->skip_refused)
        return BASE_E_MALFORMED;
    sink->mark = 0;
    if (rows > 1) {
        sink->most_rows = rows / 2;
        return 0;
    }
    skip_row(sink, why);
    *ret_dealt = true;
    return 0;
}

static int carry(struct service_row_sink *sink, uint64_t position, struct base_buf *why)
{
    struct reading r = { .sink = sink, .most_rows = sink->most_rows };
    if (sink->mark > position) {
        r.most_seq = sink->mark;
        r.most_rows = UINT64_MAX;
    }
    base_arena_reset(&sink->batch_arena);
    sink->changes.len = 0;
    int e = service_rowlog_each(sink->tail, position, read_change, &r);
    if (e < 0 || r.rows == 0) {
        if (e < 0)
            base_buf_puts(why, "the log of the sink cannot be read from the state store");
        return e;
    }
    if (!sink->store->keep_all)
        e = fold(sink);
    if (e == 0)
        e = keep_bounds(sink, r.last);
    if (e < 0)
        return e;
    struct connectors_store_batch batch = { sink->changes.at, sink->changes.len, position + 1, r.last };
    bool dealt = true;
    e = connectors_store_sink_apply(sink->store, &batch, why);
    if (e == BASE_E_MALFORMED)
        e = look_for_refused(sink, r.rows, why->ptr ? why->ptr : "", &dealt);
    if (e < 0 || !dealt)
        return e;
    e = service_rowlog_done(sink->tail, r.last, r.rows, r.bytes);
    if (e < 0)
        return e;
    sink->most_rows = sink->most_rows * 2 < (uint64_t)sink->batch_rows ? sink->most_rows * 2 : (uint64_t)sink->batch_rows;
    pthread_mutex_lock(&sink->owner->lock);
    sink->delivered += r.rows;
    pthread_mutex_unlock(&sink->owner->lock);
    return 0;
}

static void pause_for(struct service_row_sink *sink, int64_t ms)
{
    int64_t until_us = base_clock_mono_us() + ms * 1000;
    while (!atomic_load(&sink->stopping) && base_clock_mono_us() < until_us)
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static void *follow(void *arg)
{
    struct service_row_sink *sink = arg;
    struct base_buf why = { .limit = 8192 };
    int64_t pause_ms = PAUSE_FIRST_MS;
    while (!atomic_load(&sink->stopping)) {
        struct service_rowlog_state state;
        service_rowlog_state(sink->tail, &state);
        if (state.position >= state.decided) {
            if (atomic_load(&sink->leaving))
                break;
            service_rowlog_wait(sink->tail, state.position, WAIT_MS);
            continue;
        }
        base_buf_clear(&why);
        int e = carry(sink, state.position, &why);
        if (e == 0) {
            set_trouble(sink, "");
            pause_ms = PAUSE_FIRST_MS;
        } else if (e != BASE_E_CLOSED) {
            set_trouble(sink, why.len ? why.ptr : base_error_text(e));
            pthread_mutex_lock(&sink->owner->lock);
            sink->failed++;
            pthread_mutex_unlock(&sink->owner->lock);
            pause_for(sink, pause_ms);
            pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
        }
    }
    base_buf_finish(&why);
    atomic_store(&sink->ended, true);
    return NULL;
}

/* ---- all of them ---- */

int service_row_sinks_open(const struct service_row_sinks_config *config, struct service_row_sinks **ret)
{
    struct service_row_sinks *sinks = base_calloc(1, sizeof *sinks);
    struct base_buf owner = { 0 };
    if (!sinks)
        return BASE_E_NOMEM;
    sinks->config = *config;
    pthread_mutex_init(&sinks->lock, NULL);
    base_buf_printf(&owner, "%s/%s", config->config ? config->config->text[SERVICE_APPLICATION_ID] : "cepheid", service_store_id(config->store));
    sinks->owner = owner.failed ? NULL : base_strdup(owner.ptr);
    base_buf_finish(&owner);
    int e = sinks->owner ? service_rowlog_open(config->store, &sinks->log) : BASE_E_NOMEM;
    if (e < 0) {
        service_row_sinks_close(sinks, 0);
        return e;
    }
    *ret = sinks;
    return 0;
}

static bool getting_on(struct service_row_sinks *sinks)
{
    for (size_t i = 0; i < sinks->sinks.len; i++) {
        struct service_row_sink *sink = sinks->sinks.at[i];
        struct service_rowlog_state state;
        service_rowlog_state(sink->tail, &state);
        pthread_mutex_lock(&sinks->lock);
        bool well = sink->started && !sink->trouble[0];
        pthread_mutex_unlock(&sinks->lock);
        if (well && state.position < state.decided)
            return true;
    }
    return false;
}

void service_row_sinks_close(struct service_row_sinks *sinks, int64_t timeout_ms)
{
    if (!sinks)
        return;
    int64_t until_us = base_clock_mono_us() + timeout_ms * 1000;
    while (base_clock_mono_us() < until_us && getting_on(sinks))
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    for (size_t i = 0; i < sinks->sinks.len; i++)
        stop_sink(sinks->sinks.at[i]);
    for (size_t i = 0; i < sinks->leaving.len; i++)
        stop_sink(sinks->leaving.at[i]);
    BASE_VEC_FINISH(&sinks->sinks);
    BASE_VEC_FINISH(&sinks->leaving);
    service_rowlog_close(sinks->log);
    pthread_mutex_destroy(&sinks->lock);
    base_free(sinks->owner);
    base_free(sinks);
}

/* Those that have emptied their log are let go. */
static void reap(struct service_row_sinks *sinks)
{
    size_t kept = 0;
    for (size_t i = 0; i < sinks->leaving.len; i++) {
        if (atomic_load(&sinks->leaving.at[i]->ended) || !sinks->leaving.at[i]->started)
            stop_sink(sinks->leaving.at[i]);
        else
            sinks->leaving.at[kept++] = sinks->leaving.at[i];
    }
    sinks->leaving.len = kept;
}

static struct service_row_sink *named(const struct list *list, struct base_str name)
{
    for (size_t i = 0; i < list->len; i++) {
        if (base_str_equal(base_str_of(list->at[i]->name), name))
            return list->at[i];
    }
    return NULL;
}

struct service_row_sink *service_row_sinks_find(struct service_row_sinks *sinks, struct base_str table)
{
    return named(&sinks->sinks, table);
}

/* The sink of one table for the next list: the one that runs if nothing changed for it, or a new one. */
static int choose(struct service_row_sinks *sinks, const struct cep_program *program, const struct cep_table *table, struct list *next, struct base_buf *reterr)
{
    struct base_arena arena = { 0 };
    struct base_str name = cep_program_text(program, table->name);
    size_t count = 0;
    struct clients_option *options = options_of(program, table, &arena, &count);
    struct wanted wanted = { base_arena_strndup(&arena, name.ptr, name.len), NULL, options, count, table->key_fields.count > 0 };
    struct service_row_sink *sink = named(&sinks->sinks, name);
    char identity[33];
    int e = options && wanted.name ? 0 : BASE_E_NOMEM;
    if (e == 0) {
        wanted.connector = option_value(options, count, "connector", "");
        identify(options, count, wanted.keyed, identity);
        if (!sink || strcmp(sink->identity, identity) != 0)
            e = create_sink(sinks, &wanted, &sink, reterr);
    }
    if (e == 0 && !BASE_VEC_PUSH(next, sink))
        e = BASE_E_NOMEM;
    base_arena_finish(&arena);
    return e;
}

static bool holds(const struct list *list, const struct service_row_sink *sink)
{
    for (size_t i = 0; i < list->len; i++) {
        if (list->at[i] == sink)
            return true;
    }
    return false;
}

/* Takes the new list over. A sink that is replaced under its name ends at once (the new one goes on in its log); one that is gone empties its log first. */
static int replace(struct service_row_sinks *sinks, struct list *next)
{
    struct list old = sinks->sinks;
    if (!BASE_VEC_RESERVE(&sinks->leaving, sinks->leaving.len + old.len))
        return BASE_E_NOMEM;
    pthread_mutex_lock(&sinks->lock);
    sinks->sinks = *next;
    pthread_mutex_unlock(&sinks->lock);
    *next = old;
    for (size_t i = 0; i < old.len; i++) {
        if (holds(&sinks->sinks, old.at[i]))
            continue;
        if (named(&sinks->sinks, base_str_of(old.at[i]->name)) || !old.at[i]->started) {
            stop_sink(old.at[i]);
            continue;
        }
        atomic_store(&old.at[i]->leaving, true);
        sinks->leaving.at[sinks->leaving.len++] = old.at[i];
    }
    service_rowlog_wake(sinks->log);
    return 0;
}

/* A table that comes back while its old follower still empties the log: two must not read it. */
static void end_leaving(struct service_row_sinks *sinks)
{
    size_t kept = 0;
    for (size_t i = 0; i < sinks->leaving.len; i++) {
        struct service_row_sink *sink = sinks->leaving.at[i];
        if (named(&sinks->sinks, base_str_of(sink->name)))
            stop_sink(sink);
        else
            sinks->leaving.at[kept++] = sink;
    }
    sinks->leaving.len = kept;
}

int service_row_sinks_bind(struct service_row_sinks *sinks, const struct cep_program *program, struct base_buf *reterr)
{
    struct list next = { 0 };
    int e = 0;
    reap(sinks);
    for (uint32_t i = 0; e == 0 && i < cep_program_sink_count(program); i++) {
        const struct cep_sink *sink = cep_program_sink(program, i);
        const struct cep_table *table = sink->kind == CEP_SINK_TABLE ? cep_program_table(program, sink->detail) : NULL;
        if (table && connectors_is_store(cep_program_setting(program, table->options, "connector")) && !named(&next, cep_program_text(program, table->name)))
            e = choose(sinks, program, table, &next, reterr);
    }
    if (e == 0)
        e = replace(sinks, &next);
    if (e < 0) {
        for (size_t i = 0; i < next.len; i++) {
            if (!holds(&sinks->sinks, next.at[i]))
                destroy_sink(next.at[i]);
        }
    } else {
        end_leaving(sinks);
    }
    BASE_VEC_FINISH(&next);
    return e;
}

int service_row_sinks_go(struct service_row_sinks *sinks, struct base_buf *reterr)
{
    int e = service_rowlog_refresh(sinks->log, reterr);
    for (size_t i = 0; e == 0 && i < sinks->sinks.len; i++) {
        struct service_row_sink *sink = sinks->sinks.at[i];
        if (sink->started)
            continue;
        e = service_rowlog_get_mark(sink->tail, &sink->mark);
        if (e == 0 && pthread_create(&sink->thread, NULL, follow, sink) != 0)
            e = BASE_E_NOMEM;
        pthread_mutex_lock(&sinks->lock);
        sink->started = e == 0;
        pthread_mutex_unlock(&sinks->lock);
    }
    return e;
}

/* ---- the running epoch ---- */

int service_row_sink_add(struct service_row_sink *sink, const struct service_row_change *change)
{
    struct base_buf record = { 0 };
    base_buf_put_u8(&record, change->remove ? REMOVE_BIT : 0);
    base_buf_put_str(&record, change->record);
    char *copy = record.failed ? NULL : base_arena_strndup(&sink->arena, record.ptr, record.len);
    struct pending pending = { .remove = change->remove, .record = { copy, record.len } };
    base_buf_finish(&record);
    bool added = true;
    uint64_t *index = copy && change->key.len && !sink->store->keep_all ? base_map_put(&sink->by_key, change->key, &added) : NULL;
    if (!copy || (!index && change->key.len && !sink->store->keep_all) || !BASE_VEC_PUSH(&sink->pendings, pending))
        return BASE_E_NOMEM;
    if (index && !added)
        sink->pendings.at[*index - 1].gone = true;
    if (index)
        *index = sink->pendings.len;
    return 0;
}

static void forget(struct service_row_sink *sink)
{
    sink->pendings.len = 0;
    base_map_finish(&sink->by_key);
    base_arena_reset(&sink->arena);
}

static void note_full(struct service_row_sink *sink, bool full, uint64_t dropped)
{
    pthread_mutex_lock(&sink->owner->lock);
    sink->full = full;
    sink->dropped += dropped;
    pthread_mutex_unlock(&sink->owner->lock);
    if (full && !sink->told_full)
        base_log(BASE_LOG_ERROR, "sinks", sink->drop_when_full ? "the log of a sink is full: its new rows are dropped" : "the log of a sink is full: the service waits for its store",
                 "table", sink->name, NULL);
    sink->told_full = full;
}

/* Room in the log, or *ret_drop. */
static int wait_for_room(struct service_row_sink *sink, bool *ret_drop)
{
    struct service_row_sinks *sinks = sink->owner;
    for (;;) {
        struct service_rowlog_state state;
        service_rowlog_state(sink->tail, &state);
        bool full = state.bytes >= (uint64_t)sink->buffer_bytes;
        note_full(sink, full, full && sink->drop_when_full ? sink->pendings.len : 0);
        *ret_drop = full && sink->drop_when_full;
        if (!full || *ret_drop)
            return 0;
        if (sinks->config.stop && sinks->config.stop(sinks->config.ctx))
            return BASE_E_CLOSED;
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    }
}

static int write_sink(struct service_row_sink *sink, struct service_batch *batch)
{
    bool drop = false;
    int e = wait_for_room(sink, &drop);
    for (size_t i = 0; e == 0 && !drop && i < sink->pendings.len; i++) {
        if (!sink->pendings.at[i].gone)
            e = service_rowlog_add(sink->tail, batch, sink->pendings.at[i].record);
    }
    if (e == 0 && !drop)
        e = service_rowlog_seal(sink->tail, batch);
    return e;
}

int service_row_sinks_write(struct service_row_sinks *sinks, struct service_batch *batch)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < sinks->sinks.len; i++) {
        if (sinks->sinks.at[i]->pendings.len)
            e = write_sink(sinks->sinks.at[i], batch);
        if (e == 0)
            forget(sinks->sinks.at[i]);
    }
    return e;
}

void service_row_sinks_decided(struct service_row_sinks *sinks)
{
    service_rowlog_decided(sinks->log);
}

void service_row_sinks_aborted(struct service_row_sinks *sinks)
{
    for (size_t i = 0; i < sinks->sinks.len; i++)
        forget(sinks->sinks.at[i]);
}

bool service_row_sinks_stats(struct service_row_sinks *sinks, uint32_t i, struct service_row_sink_stats *ret)
{
    pthread_mutex_lock(&sinks->lock);
    bool there = i < sinks->sinks.len;
    if (there) {
        const struct service_row_sink *sink = sinks->sinks.at[i];
        *ret = (struct service_row_sink_stats){ .delivered = sink->delivered, .failed = sink->failed, .skipped = sink->skipped, .dropped = sink->dropped,
                                                .full = sink->full };
        snprintf(ret->name, sizeof ret->name, "%s", sink->name);
        snprintf(ret->type, sizeof ret->type, "%s", sink->type);
        snprintf(ret->place, sizeof ret->place, "%s", sink->store->place);
        snprintf(ret->trouble, sizeof ret->trouble, "%s", sink->trouble);
        struct service_rowlog_state state;
        service_rowlog_state(sink->tail, &state);
        ret->position = state.position;
        ret->rows_waiting = state.rows;
        ret->bytes_waiting = state.bytes;
    }
    pthread_mutex_unlock(&sinks->lock);
    return there;
}
