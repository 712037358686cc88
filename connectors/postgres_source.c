#include "connectors/postgres_source.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cond.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/vec.h"
#include "cep/record.h"
#include "clients/postgres.h"

/* Text of the column's value in a position: the rest of the hint holds a count. */
#define VALUE_MAX (CONNECTORS_POSITION_BYTES - 8)
#define TYPE_MAX 63

/* Where reading goes on: behind `taken` rows whose column has this value, in the order of the query. */
struct place { bool any; uint64_t taken; char value[VALUE_MAX + 1]; };
struct row { struct base_str text; struct place behind; };
struct rows BASE_VEC(struct row);
struct chunk { struct rows rows; struct base_arena arena; size_t given; };
struct records BASE_VEC(struct cep_record);

struct source {
    struct connectors_source base;   /* first: this is what others see */
    struct base_arena arena;
    struct clients_postgres *postgres;
    bool polled;                     /* 'scan.column' is given */
    const char *column;
    const char *first_sql, *next_sql, *bound_sql;
    int64_t poll_ms, settle_ms;
    struct cep_origin origin;
    pthread_t thread;
    bool thread_started;
    _Atomic bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    struct chunk chunks[2];          /* one is handed out, the other is filled */
    unsigned giving;
    bool filled;                     /* the other one */
    bool end;                        /* the worker has seen nothing more (a snapshot: is through) */
    uint64_t generation;             /* of seeks */
    struct place start;              /* of the present generation */
    int64_t start_offset;
    char trouble[512];
    /* the poller's */
    int64_t offset;                  /* of the next record */
    struct records records;
    struct connectors_position position;
    /* the worker's */
    struct place at;
    uint64_t skip;                   /* a snapshot that is read again: rows to pass over */
    char type[TYPE_MAX + 1];         /* of the column, by its order; "": not seen yet */
    char bound[VALUE_MAX + 1], candidate[VALUE_MAX + 1];
    int64_t candidate_us;            /* when it was first seen; 0: none */
};

/* ---- positions ---- */

static void put_hint(const struct place *place, struct connectors_position *ret)
{
    size_t len = place->any ? strlen(place->value) : 0;
    for (int i = 0; i < 8; i++)
        ret->hint[i] = (uint8_t)(place->taken >> (8 * i));
    memcpy(ret->hint + 8, place->value, len);
    ret->hint_len = place->any ? 8 + (uint32_t)len : 0;
}

static void get_hint(const struct connectors_position *position, struct place *ret)
{
    *ret = (struct place){ .any = position->hint_len >= 8 };
    for (int i = 0; ret->any && i < 8; i++)
        ret->taken |= (uint64_t)position->hint[i] << (8 * i);
    if (ret->any)
        memcpy(ret->value, position->hint + 8, position->hint_len - 8);
}

/* ---- the worker ---- */

struct filling { struct source *source; struct chunk *chunk; };

static int on_row(void *ctx, const struct clients_postgres_row *row)
{
    struct filling *filling = ctx;
    struct source *source = filling->source;
    struct base_str text = clients_postgres_get(row, 0), value = clients_postgres_get(row, 1);
    if (!source->polled && source->skip > 0) {
        source->skip--;
        return 0;
    }
    if (value.len > VALUE_MAX)
        return BASE_E_LIMIT;
    if (source->polled) {
        bool same = source->at.any && strlen(source->at.value) == value.len && memcmp(source->at.value, value.ptr, value.len) == 0;
        source->at.taken = same ? source->at.taken + 1 : 1;
        source->at.any = true;
        memcpy(source->at.value, value.ptr ? value.ptr : "", value.len);
        source->at.value[value.len] = 0;
    }
    char *copy = base_arena_strndup(&filling->chunk->arena, text.ptr ? text.ptr : "", text.len);
    struct row one = { { copy, text.len }, source->at };
    return copy && BASE_VEC_PUSH(&filling->chunk->rows, one) ? 0 : BASE_E_NOMEM;
}

struct greatest { char value[VALUE_MAX + 1]; char type[TYPE_MAX + 1]; };

/* Numbers of all widths rise alike; other types have an order of their own. */
static struct base_str order_of(struct base_str type)
{
    static const char *const numbers[] = { "smallint", "integer", "bigint", "numeric", "real", "double precision" };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (base_str_equal(type, base_str_of(numbers[i])))
            return BASE_STR("number");
    }
    return type;
}

static int on_bound(void *ctx, const struct clients_postgres_row *row)
{
    struct greatest *greatest = ctx;
    struct base_str value = clients_postgres_get(row, 0), type = order_of(clients_postgres_get(row, 1));
    if (value.len > VALUE_MAX)
        return BASE_E_LIMIT;
    memcpy(greatest->value, value.ptr ? value.ptr : "", value.len);
    greatest->value[value.len] = 0;
    snprintf(greatest->type, sizeof greatest->type, "%.*s", (int)type.len, type.ptr ? type.ptr : "");
    return 0;
}

/* What was read up to says nothing in another order: '9' is behind '10' as a text. */
static int check_type(struct source *source, const char *type, struct base_buf *why)
{
    bool begun = source->at.any || source->bound[0];
    if (begun && source->type[0] && strcmp(source->type, type) != 0) {
        base_buf_printf(why, "the type of 'scan.column' = '%s' changed from %s to %s, whose order is another, so where to read on is not known: change it back, or name the "
                             "table anew in the rules, which then reads it from its beginning", source->column, source->type, type);
        return BASE_E_CONFIG;
    }
    memcpy(source->type, type, strlen(type) + 1);
    return 0;
}

/* Up to where may be read: the greatest value that stood there settle_ms ago. Transactions that began earlier with smaller values have ended by then. */
static int move_bound(struct source *source, struct base_buf *why)
{
    int64_t now_us = base_clock_mono_us();
    if (source->candidate_us && now_us - source->candidate_us >= source->settle_ms * 1000) {
        memcpy(source->bound, source->candidate, sizeof source->bound);
        source->candidate_us = 0;
    }
    struct greatest greatest = { .value = "" };
    struct clients_postgres_statement statement = { .sql = source->bound_sql };
    int e = clients_postgres_query(source->postgres, &statement, on_bound, &greatest, why);
    if (e == BASE_E_CONFIG)
        base_buf_printf(why, "; 'scan.column' = '%s' must name a column of numbers or timestamps that rises", source->column);
    if (e == 0)
        e = check_type(source, greatest.type, why);
    if (e == 0 && !source->candidate_us && strcmp(greatest.value, source->bound) != 0) {
        memcpy(source->candidate, greatest.value, sizeof greatest.value);
        source->candidate_us = now_us;
    }
    return e;
}

static int fetch(struct source *source, struct chunk *chunk, struct base_buf *why)
{
    struct filling filling = { .source = source, .chunk = chunk };
    char taken[24];
    snprintf(taken, sizeof taken, "%llu", (unsigned long long)source->at.taken);
    struct clients_postgres_param params[3] = { { source->bound, strlen(source->bound) }, { source->at.value, strlen(source->at.value) }, { taken, strlen(taken) } };
    struct clients_postgres_statement statement = { source->polled && source->at.any ? source->next_sql : source->first_sql, params,
                                                    !source->polled ? 0 : source->at.any ? 3 : 1 };
    int e = source->polled ? move_bound(source, why) : 0;
    if (e == 0 && (!source->polled || source->bound[0]))
        e = clients_postgres_query(source->postgres, &statement, on_row, &filling, why);
    if (e == BASE_E_LIMIT && !why->len)
        base_buf_printf(why, "a value of 'scan.column' is longer than %d bytes: use a number or a timestamp", VALUE_MAX);
    return e;
}

/* Sleeps under the lock until something changes or the time is over. */
static void rest(struct source *source, int64_t ms)
{
    struct timespec until = base_cond_deadline(ms * 1000);
    (void)pthread_cond_timedwait(&source->changed, &source->lock, &until);
}

static void take_start(struct source *source)
{
    source->at = source->start;
    source->candidate_us = 0;
    memset(source->bound, 0, sizeof source->bound);
}

/* What a fetch gave is handed over, unless somebody sought meanwhile. Under the lock. */
static void hand_over(struct source *source, const struct chunk *chunk, int error, const struct base_buf *why)
{
    snprintf(source->trouble, sizeof source->trouble, "%s", error < 0 ? why->len ? why->ptr : base_error_text(error) : "");
    source->filled = error == 0 && chunk->rows.len > 0;
    if (error == 0)
        source->end = source->polled ? chunk->rows.len == 0 && !source->candidate_us : true;
    pthread_cond_broadcast(&source->changed);
}

static void *work(void *arg)
{
    struct source *source = arg;
    struct base_buf why = { .limit = 4096 };
    uint64_t generation = UINT64_MAX;
    pthread_mutex_lock(&source->lock);
    while (!atomic_load(&source->stopping)) {
        if (generation != source->generation) {
            generation = source->generation;
            take_start(source);
        }
        if (source->filled || (source->end && !source->polled)) {
            rest(source, 1000);
            continue;
        }
        struct chunk *chunk = &source->chunks[!source->giving];
        struct place before = source->at;
        source->skip = (uint64_t)source->start_offset;
        pthread_mutex_unlock(&source->lock);
        chunk->rows.len = 0;
        base_arena_reset(&chunk->arena);
        base_buf_clear(&why);
        int e = fetch(source, chunk, &why);
        pthread_mutex_lock(&source->lock);
        if (generation != source->generation)
            continue;
        if (e < 0)
            source->at = before;
        hand_over(source, chunk, e, &why);
        int64_t wait_ms = clients_postgres_wait_ms(source->postgres);
        if (e < 0)
            rest(source, wait_ms > 200 ? wait_ms : 200);
        else if (!source->filled && source->polled)
            rest(source, source->candidate_us && source->settle_ms < source->poll_ms ? source->settle_ms + 1 : source->poll_ms);
    }
    pthread_mutex_unlock(&source->lock);
    base_buf_finish(&why);
    return NULL;
}

/* ---- the poller ---- */

static int source_poll(struct connectors_source *base, size_t max_records, int timeout_ms, struct connectors_batch *ret)
{
    struct source *source = (struct source *)base;
    int64_t until_us = base_clock_mono_us() + (int64_t)timeout_ms * 1000;
    int e = 0;
    source->records.len = 0;
    pthread_mutex_lock(&source->lock);
    struct chunk *chunk = &source->chunks[source->giving];
    while (chunk->given == chunk->rows.len && !source->filled && base_clock_mono_us() < until_us && !(source->end && !source->polled))
        rest(source, (until_us - base_clock_mono_us() + 999) / 1000);
    if (chunk->given == chunk->rows.len && source->filled) {
        source->giving = !source->giving;
        source->filled = false;
        chunk = &source->chunks[source->giving];
        chunk->given = 0;
        pthread_cond_broadcast(&source->changed);
    }
    while (e == 0 && chunk->given < chunk->rows.len && source->records.len < max_records) {
        struct cep_record record = { .bytes = chunk->rows.at[chunk->given].text, .origin = &source->origin, .time_ms = BASE_TIME_MIN_MS, .offset = source->offset };
        if (!BASE_VEC_PUSH(&source->records, record))
            e = BASE_E_NOMEM;
        put_hint(&chunk->rows.at[chunk->given++].behind, &source->position);
        source->offset++;
    }
    source->position.offset = source->offset;
    bool through = chunk->given == chunk->rows.len && !source->filled && source->end;
    *ret = (struct connectors_batch){ .records = source->records.at, .count = source->records.len, .positions = &source->position,
                                      .position_count = source->records.len > 0, .at_end = through, .finished = through && !source->polled };
    if (source->trouble[0] && source->records.len == 0) {
        memcpy(base->error, source->trouble, sizeof base->error);
        e = e < 0 ? e : BASE_E_AGAIN;
    }
    pthread_mutex_unlock(&source->lock);
    return e;
}

static int source_seek(struct connectors_source *base, const struct connectors_position *position)
{
    struct source *source = (struct source *)base;
    pthread_mutex_lock(&source->lock);
    get_hint(position, &source->start);
    source->start_offset = source->offset = position->offset;
    source->generation++;
    source->filled = source->end = false;
    for (int i = 0; i < 2; i++)
        source->chunks[i].given = 0;
    source->chunks[source->giving].rows.len = 0;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
    return 0;
}

static void source_close(struct connectors_source *base)
{
    struct source *source = (struct source *)base;
    atomic_store(&source->stopping, true);
    if (source->thread_started) {
        clients_postgres_interrupt(source->postgres);
        pthread_mutex_lock(&source->lock);
        pthread_cond_broadcast(&source->changed);
        pthread_mutex_unlock(&source->lock);
        pthread_join(source->thread, NULL);
    }
    clients_postgres_destroy(source->postgres);
    for (int i = 0; i < 2; i++) {
        BASE_VEC_FINISH(&source->chunks[i].rows);
        base_arena_finish(&source->chunks[i].arena);
    }
    BASE_VEC_FINISH(&source->records);
    base_arena_finish(&source->arena);
    pthread_cond_destroy(&source->changed);
    pthread_mutex_destroy(&source->lock);
    base_free(source);
}

static const struct connectors_source_ops ops = { source_poll, source_seek, source_close };

/* ---- opening ---- */

static const char *option(struct source *source, const struct connectors_source_config *config, const char *key)
{
    struct base_str text = connectors_option(config, key, "");
    return base_arena_strndup(&source->arena, text.ptr ? text.ptr : "", text.len);
}

static void put_name(struct base_str name, struct base_buf *out)
{
    base_buf_puts(out, "t.\"");
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            base_buf_putc(out, '"');
        base_buf_putc(out, name.ptr[i]);
    }
    base_buf_putc(out, '"');
}

/* Declared columns as one JSON object, and the column that rises. */
static void put_select(const struct connectors_source_config *config, const char *column, struct base_str table, struct base_buf *out)
{
    struct cep_list fields = config->table->fields;
    bool any = false;
    base_buf_puts(out, "SELECT (SELECT row_to_json(r) FROM (SELECT ");
    for (uint32_t i = 0; i < fields.count; i++) {
        const struct cep_field *field = cep_program_field(config->program, fields.first + i);
        if (field->metadata)
            continue;
        base_buf_puts(out, any ? ", " : "");
        put_name(cep_program_text(config->program, field->name), out);
        any = true;
    }
    base_buf_puts(out, any ? ") r)::text, " : "1 AS nothing) r)::text, ");
    if (column)
        put_name(base_str_of(column), out);
    else
        base_buf_puts(out, "''");
    base_buf_printf(out, "::text FROM %.*s t ", (int)table.len, table.ptr);
}

static int make_statements(struct source *source, const struct connectors_source_config *config, const char *column, int64_t batch_rows)
{
    struct base_buf text = { 0 }, table = { 0 }, name = { 0 };
    struct base_str plain = connectors_option(config, "table-name", "");
    clients_postgres_quote(plain.len ? plain : cep_program_text(config->program, config->table->name), &table);
    struct base_str quoted = { table.ptr ? table.ptr : "", table.len };
    put_select(config, column, quoted, &text);
    size_t select = text.len;
    if (!column) {
        base_buf_puts(&text, "ORDER BY t::text");
        source->first_sql = text.failed ? NULL : base_arena_strndup(&source->arena, text.ptr, text.len);
        source->next_sql = source->bound_sql = source->first_sql;
    } else {
        put_name(base_str_of(column), &name);
        const char *c = name.ptr ? name.ptr : "";
        base_buf_printf(&text, "WHERE %s <= $1 ORDER BY %s, t::text LIMIT %lld", c, c, (long long)batch_rows);
        source->first_sql = text.failed ? NULL : base_arena_strndup(&source->arena, text.ptr, text.len);
        /* Of the last value only as many rows are passed over as still bear it: those that were deleted or raised meanwhile must not cost others. */
        source->next_sql = base_arena_printf(&source->arena, "%.*sWHERE %s <= $1 AND %s >= $2 ORDER BY %s, t::text LIMIT %lld OFFSET (SELECT least($3::bigint, count(*)) FROM %.*s t WHERE %s = $2)",
                                             (int)select, text.ptr ? text.ptr : "", c, c, c, (long long)batch_rows, (int)quoted.len, quoted.ptr, c);
        source->bound_sql = base_arena_printf(&source->arena, "SELECT max(%s)::text, pg_typeof(max(%s))::text FROM %.*s t", c, c, (int)quoted.len, quoted.ptr);
    }
    bool failed = text.failed || table.failed || name.failed || !source->first_sql || !source->next_sql || !source->bound_sql;
    base_buf_finish(&text);
    base_buf_finish(&table);
    base_buf_finish(&name);
    return failed ? BASE_E_NOMEM : 0;
}

static int read_options(struct source *source, const struct connectors_source_config *config, char *ret_error, size_t error_bytes)
{
    const char *url = option(source, config, "url"), *column = option(source, config, "scan.column");
    struct clients_postgres_options postgres = { .url = url, .user = option(source, config, "username"), .password = option(source, config, "password"),
                                                 .ca_file = option(source, config, "ca-file"), .timeout_ms = 60000 };
    if (!url || !column || !postgres.user || !postgres.password || !postgres.ca_file)
        return BASE_E_NOMEM;
    if (!*url) {
        snprintf(ret_error, error_bytes, "option 'url' is missing, e.g. 'url' = 'postgresql://localhost:5432/shop'");
        return BASE_E_CONFIG;
    }
    int64_t batch_rows = 1000;
    const struct { struct connectors_number number; int64_t *place; } numbers[] = {
        { { "scan.poll-ms", 1000, 10, 86400000 }, &source->poll_ms },
        { { "scan.settle-ms", 1000, 0, 86400000 }, &source->settle_ms },
        { { "scan.batch-rows", 1000, 1, 100000 }, &batch_rows },
    };
    int e = 0;
    for (size_t i = 0; e == 0 && i < sizeof numbers / sizeof numbers[0]; i++)
        e = connectors_option_number(config, numbers[i].number, numbers[i].place, ret_error, error_bytes);
    source->polled = *column;
    source->column = column;
    if (e == 0)
        e = make_statements(source, config, *column ? column : NULL, batch_rows);
    struct base_buf why = { .limit = 4096 };
    if (e == 0)
        e = clients_postgres_create(&postgres, &source->postgres, &why);
    if (e < 0 && why.len)
        snprintf(ret_error, error_bytes, "%s", why.ptr);
    base_buf_finish(&why);
    return e;
}

int connectors_postgres_source_open(const struct connectors_source_config *config, struct connectors_source **ret, char *ret_error, size_t error_bytes)
{
    struct source *source = base_calloc(1, sizeof *source);
    snprintf(ret_error, error_bytes, "out of memory");
    if (!source)
        return BASE_E_NOMEM;
    source->base.ops = &ops;
    source->origin.name = cep_program_text(config->program, config->table->name);
    pthread_mutex_init(&source->lock, NULL);
    base_cond_init(&source->changed);
    int e = read_options(source, config, ret_error, error_bytes);
    source->base.bounded = !source->polled;
    if (e == 0) {
        struct base_str name = source->origin.name; /* the program may go before the source does */
        source->origin.name.ptr = base_arena_strndup(&source->arena, name.ptr, name.len);
        source->thread_started = source->origin.name.ptr && pthread_create(&source->thread, NULL, work, source) == 0;
        e = source->thread_started ? 0 : BASE_E_NOMEM;
    }
    if (e < 0) {
        source_close(&source->base);
        return e;
    }
    *ret = &source->base;
    return 0;
}
