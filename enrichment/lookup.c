#include "enrichment/lookup.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "enrichment/lookup_internal.h"

#define MAX_ROWS_MOST 10000000

/* ---- options ---- */

static struct base_str option(const struct enrichment_lookup_config *config, const char *key)
{
    return cep_program_setting(config->program, cep_program_table(config->program, config->table)->options, key);
}

const char *enrichment_lookup_option(const struct enrichment_lookup_config *config, struct base_arena *arena, const char *key, const char *fallback)
{
    struct base_str text = option(config, key);
    return text.ptr ? base_arena_strndup(arena, text.ptr, text.len) : fallback;
}

bool enrichment_lookup_is(const struct cep_program *program, uint32_t table)
{
    const struct cep_table *t = cep_program_table(program, table);
    struct base_str connector = cep_program_setting(program, t->options, "connector");
    if (!t->is_profile)
        return false;
    for (uint32_t i = 0; i < t->options.count; i++) {
        struct base_str key = cep_program_text(program, cep_program_option(program, t->options.first + i)->key);
        if (key.len > 5 && memcmp(key.ptr, "scan.", 5) == 0)
            return false; /* read whole and followed */
    }
    return base_str_equal(connector, BASE_STR("postgresql")) || base_str_equal(connector, BASE_STR("jdbc")) || base_str_equal(connector, BASE_STR("redis")) ||
           base_str_equal(connector, BASE_STR("http"));
}

static int refuse(const char *key, struct base_str value, const char *hint, struct base_buf *reterr)
{
    base_buf_printf(reterr, "'%s' cannot be '%.*s': %s", key, (int)value.len, value.ptr, hint);
    return BASE_E_CONFIG;
}

static int read_number(const struct enrichment_lookup_config *config, const char *key, uint64_t most, uint64_t *inout, struct base_buf *reterr)
{
    struct base_str text = option(config, key);
    int64_t number;
    if (!text.ptr)
        return 0;
    if (!base_str_to_i64(text, &number) || number < 0 || (uint64_t)number > most)
        return refuse(key, text, "write a number", reterr);
    *inout = (uint64_t)number;
    return 0;
}

static int read_bool(const struct enrichment_lookup_config *config, const char *key, bool *inout, struct base_buf *reterr)
{
    struct base_str text = option(config, key);
    bool yes = base_str_equal_fold(text, BASE_STR("true")), no = base_str_equal_fold(text, BASE_STR("false"));
    if (text.ptr && !yes && !no)
        return refuse(key, text, "write true or false", reterr);
    if (text.ptr)
        *inout = yes;
    return 0;
}

/* "500 ms", "2 s", "1 min", "2 h", "1 d". */
static int read_span(const struct enrichment_lookup_config *config, const char *key, int64_t *inout_us, struct base_buf *reterr)
{
    static const struct { const char *unit; int64_t us; } units[] = { { "ms", 1000 },       { "s", 1000000 },      { "sec", 1000000 },      { "second", 1000000 },
                                                                     { "min", 60000000 },  { "minute", 60000000 }, { "h", 3600000000 },     { "hour", 3600000000 },
                                                                     { "d", 86400000000 }, { "day", 86400000000 } };
    struct base_str text = option(config, key), unit = text;
    int64_t number;
    if (!text.ptr)
        return 0;
    while (unit.len && unit.ptr[0] >= '0' && unit.ptr[0] <= '9') {
        unit.ptr++;
        unit.len--;
    }
    bool good = base_str_to_i64((struct base_str){ text.ptr, text.len - unit.len }, &number) && number <= 100000000;
    unit = base_str_trim(unit);
    for (size_t i = 0; good && i < sizeof units / sizeof *units; i++) {
        struct base_str one = base_str_of(units[i].unit);
        if (!base_str_equal(unit, one) && !(unit.len == one.len + 1 && unit.ptr[one.len] == 's' && memcmp(unit.ptr, one.ptr, one.len) == 0))
            continue;
        *inout_us = number * units[i].us;
        return 0;
    }
    return refuse(key, text, "write a duration such as '30 s' or '10 min'", reterr);
}

static int read_options(struct enrichment_lookup *l, struct base_buf *reterr)
{
    struct base_str cache = option(&l->config, "lookup.cache");
    l->cache = !base_str_equal_fold(cache, BASE_STR("NONE"));
    if (cache.ptr && l->cache && !base_str_equal_fold(cache, BASE_STR("PARTIAL")))
        return refuse("lookup.cache", cache, "write PARTIAL or NONE", reterr);
    l->cache_missing = true;
    l->max_rows = 10000;
    l->max_retries = 3;
    l->expire_us = 60000000;
    l->timeout_us = 2000000;
    l->connections = base_str_equal(option(&l->config, "connector"), BASE_STR("http")) ? 8 : 1;
    int e = read_number(&l->config, "lookup.partial-cache.max-rows", MAX_ROWS_MOST, &l->max_rows, reterr);
    if (e == 0)
        e = read_number(&l->config, "lookup.max-retries", 1000, &l->max_retries, reterr);
    if (e == 0)
        e = read_bool(&l->config, "lookup.partial-cache.cache-missing-key", &l->cache_missing, reterr);
    if (e == 0)
        e = read_span(&l->config, "lookup.partial-cache.expire-after-write", &l->expire_us, reterr);
    if (e == 0)
        e = read_span(&l->config, "lookup.timeout", &l->timeout_us, reterr);
    if (e == 0)
        e = read_number(&l->config, "lookup.connections", ENRICHMENT_CONNECTIONS_MOST, &l->connections, reterr);
    if (e == 0 && l->connections == 0)
        e = refuse("lookup.connections", BASE_STR("0"), "write a number from 1 to 64", reterr);
    if (l->max_rows < ENRICHMENT_FETCH_MOST)
        l->max_rows = ENRICHMENT_FETCH_MOST; /* what one fetch brings must be there until it was used */
    return e;
}

/* ---- life ---- */

int enrichment_lookup_open(const struct enrichment_lookup *l, struct enrichment_outside **ret, struct base_buf *reterr)
{
    struct base_str connector = option(&l->config, "connector");
    if (base_str_equal(connector, BASE_STR("redis")))
        return enrichment_redis_create(l, ret, reterr);
    if (base_str_equal(connector, BASE_STR("http")))
        return enrichment_http_create(l, ret, reterr);
    return enrichment_postgres_create(l, ret, reterr);
}

int enrichment_lookup_create(const struct enrichment_lookup_config *config, struct enrichment_lookup **ret, struct base_buf *reterr)
{
    struct enrichment_lookup *l = base_calloc(1, sizeof *l);
    if (!l)
        return BASE_E_NOMEM;
    l->config = *config;
    l->table = cep_program_table(config->program, config->table);
    l->types = base_calloc(l->table->fields.count + 1, sizeof *l->types);
    l->key_types = base_calloc(l->table->key_fields.count + 1, sizeof *l->key_types);
    int e = l->types && l->key_types ? read_options(l, reterr) : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < l->table->fields.count; i++)
        l->types[i] = cep_program_field(config->program, l->table->fields.first + i)->type;
    for (uint32_t i = 0; e == 0 && i < l->table->key_fields.count; i++)
        l->key_types[i] = l->types[*cep_program_u32(config->program, l->table->key_fields.first + i)];
    if (e == 0)
        e = enrichment_lookup_open(l, &l->outside, reterr);
    if (e < 0) {
        enrichment_lookup_destroy(l);
        return e;
    }
    *ret = l;
    return 0;
}

void enrichment_lookup_destroy(struct enrichment_lookup *l)
{
    if (!l)
        return;
    enrichment_pool_destroy(l->pool);
    if (l->outside)
        l->outside->close(l->outside);
    for (size_t i = 0; i < l->known.len; i++) {
        base_free(l->known.at[i].key);
        base_free(l->known.at[i].row);
    }
    BASE_VEC_FINISH(&l->known);
    BASE_VEC_FINISH(&l->wanted);
    base_map_finish(&l->places);
    base_arena_finish(&l->wanted_arena);
    base_arena_finish(&l->arena);
    base_free(l->types);
    base_free(l->key_types);
    base_free(l);
}

const struct cep_table *enrichment_lookup_table(const struct enrichment_lookup *l)
{
    return l->table;
}

const struct enrichment_lookup_config *enrichment_lookup_settings(const struct enrichment_lookup *l)
{
    return &l->config;
}

uint32_t enrichment_lookup_timeout_ms(const struct enrichment_lookup *l)
{
    int64_t ms = l->timeout_us / 1000;
    return ms < 10 ? 10 : ms > 600000 ? 600000 : (uint32_t)ms;
}

uint32_t enrichment_lookup_connections(const struct enrichment_lookup *l)
{
    return (uint32_t)l->connections;
}

void enrichment_lookup_get_stats(const struct enrichment_lookup *l, struct enrichment_lookup_stats *ret)
{
    *ret = l->stats;
    ret->rows = l->places.count;
}

/* ---- what is known ---- */

static struct base_str bytes_of(const struct cep_tuple *key)
{
    return (struct base_str){ (const char *)key, key->size_bytes };
}

struct enrichment_known *enrichment_known_find(struct enrichment_lookup *l, const struct cep_tuple *key)
{
    uint64_t *place = base_map_find(&l->places, bytes_of(key));
    return place ? &l->known.at[*place] : NULL;
}

void enrichment_known_forget(struct enrichment_lookup *l, struct enrichment_known *known)
{
    base_map_remove(&l->places, bytes_of(known->key));
    base_free(known->key);
    base_free(known->row);
    *known = (struct enrichment_known){ 0 };
}

/* A place for one more: a new one, or that of something that nobody waits for and that was not used since the hand passed it. */
static int take_place(struct enrichment_lookup *l, size_t *ret)
{
    for (size_t passed = 0; l->known.len >= l->max_rows && passed < 2 * l->known.len; passed++) {
        struct enrichment_known *known = &l->known.at[l->hand];
        *ret = l->hand;
        l->hand = (l->hand + 1) % l->known.len;
        if (known->key && (known->used || known->waiting || known->knowing == ENRICHMENT_ASKED)) {
            known->used = false;
            continue;
        }
        if (known->key)
            enrichment_known_forget(l, known);
        return 0;
    }
    struct enrichment_known none = { 0 };
    *ret = l->known.len;
    return BASE_VEC_PUSH(&l->known, none) ? 0 : BASE_E_NOMEM;
}

static void *copy_of(const void *bytes, size_t len)
{
    void *copy = base_alloc(len);
    if (copy)
        memcpy(copy, bytes, len);
    return copy;
}

int enrichment_known_get(struct enrichment_lookup *l, const struct cep_tuple *key, struct enrichment_known **ret)
{
    *ret = enrichment_known_find(l, key);
    if (*ret)
        return 0;
    size_t place;
    int e = take_place(l, &place);
    struct cep_tuple *own = e == 0 ? copy_of(key, key->size_bytes) : NULL;
    uint64_t *at = own ? base_map_put(&l->places, bytes_of(own), NULL) : NULL;
    if (!at) {
        base_free(own);
        return e ? e : BASE_E_NOMEM;
    }
    *at = place;
    *ret = &l->known.at[place];
    **ret = (struct enrichment_known){ .key = own, .used = true };
    return 0;
}

int enrichment_known_answer(struct enrichment_lookup *l, struct enrichment_known *known, const struct cep_row *row)
{
    struct cep_row *copy = row ? copy_of(row, cep_row_size(row)) : NULL;
    if (row && !copy)
        return BASE_E_NOMEM;
    base_free(known->row);
    known->row = copy;
    known->used = true;
    known->knowing = ENRICHMENT_KNOWN;
    bool keeps = l->cache && (row || l->cache_missing);
    known->expires_us = keeps ? base_clock_mono_us() + l->expire_us : 0;
    return 0;
}

bool enrichment_known_fresh(const struct enrichment_known *known)
{
    return known && known->knowing == ENRICHMENT_KNOWN && known->expires_us > base_clock_mono_us();
}

/* ---- what stores give ---- */

int enrichment_lookup_value(struct enrichment_ask *ask, uint32_t field, struct base_str text, struct cep_value *ret, struct base_buf *reterr)
{
    const struct enrichment_lookup *l = ask->lookup;
    struct cep_type type = l->types[field];
    *ret = cep_null();
    if (!text.ptr)
        return 0;
    if (type.kind == CEP_KIND_BOOLEAN && text.len == 1 && (text.ptr[0] == 't' || text.ptr[0] == 'f' || text.ptr[0] == '0' || text.ptr[0] == '1')) {
        *ret = cep_int(text.ptr[0] == 't' || text.ptr[0] == '1');
        return 0;
    }
    char *copy = base_arena_strndup(ask->arena, text.ptr, text.len);
    if (!copy)
        return BASE_E_NOMEM;
    struct cep_value value = cep_string(copy, text.len);
    int e = cep_type_equal(type, CEP_TYPE(STRING)) ? 0 : cep_value_cast(CEP_TYPE(STRING), type, value, ask->arena, &value);
    if (e == 0 || e == BASE_E_NOMEM) {
        *ret = value;
        return e;
    }
    struct base_str name = cep_program_text(l->config.program, cep_program_field(l->config.program, l->table->fields.first + field)->name);
    struct base_buf wanted = { 0 };
    cep_type_print(type, &wanted);
    base_buf_printf(reterr, "column \"%.*s\" is no %s", (int)name.len, name.ptr, wanted.ptr ? wanted.ptr : "value of its type");
    base_buf_finish(&wanted);
    return BASE_E_MALFORMED;
}

int enrichment_lookup_key_text(const struct enrichment_ask *ask, uint32_t index, uint32_t column, struct base_buf *out)
{
    struct cep_type type = ask->lookup->key_types[column];
    cep_value_print_text(type, cep_tuple_get(ask->keys[index], column, type), out);
    return out->failed ? BASE_E_NOMEM : 0;
}

int enrichment_lookup_give(struct enrichment_ask *ask, uint32_t index, struct cep_value *values)
{
    const struct enrichment_lookup *l = ask->lookup;
    for (uint32_t i = 0; i < l->table->key_fields.count; i++) {
        uint32_t field = *cep_program_u32(l->config.program, l->table->key_fields.first + i);
        if (values[field].null)
            values[field] = cep_tuple_get(ask->keys[index], i, l->key_types[i]);
    }
    return cep_row_make(l->types, values, l->table->fields.count, BASE_TIME_MIN_MS, (struct cep_position){ 0 }, ask->arena, &ask->rows[index]);
}

int enrichment_lookup_give_text(struct enrichment_ask *ask, uint32_t index, struct base_str json, struct base_buf *reterr)
{
    const struct enrichment_lookup *l = ask->lookup;
    struct cep_row *row;
    int e = l->config.decode(l->config.decode_ctx, ask->connection, json, ask->arena, &row, reterr);
    struct cep_value *values = e == 0 ? base_arena_zalloc(ask->arena, l->table->fields.count + 1, sizeof *values) : NULL;
    if (e == 0 && !values)
        e = BASE_E_NOMEM;
    for (uint32_t i = 0; i < l->table->fields.count && e == 0; i++)
        values[i] = cep_tuple_get(&row->tuple, i, l->types[i]);
    return e ? e : enrichment_lookup_give(ask, index, values);
}

int enrichment_lookup_give_row(struct enrichment_ask *ask, struct cep_value *values)
{
    const struct enrichment_lookup *l = ask->lookup;
    uint32_t n = l->table->key_fields.count;
    struct cep_value *key = base_arena_zalloc(ask->arena, n + 1, sizeof *key);
    if (!key)
        return BASE_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        key[i] = values[*cep_program_u32(l->config.program, l->table->key_fields.first + i)];
    size_t bytes = cep_tuple_size(l->key_types, key, n);
    struct cep_tuple *tuple = bytes ? base_arena_alloc(ask->arena, bytes) : NULL;
    if (!tuple)
        return bytes ? BASE_E_NOMEM : 0;
    cep_tuple_write(l->key_types, key, n, tuple);
    int e = 0;
    for (uint32_t i = 0; i < ask->count && e == 0; i++)
        if (cep_tuple_equal(tuple, ask->keys[i]))
            e = enrichment_lookup_give(ask, i, values);
    return e;
}

/* ---- asking ---- */

static bool hopeless(int e)
{
    return e == BASE_E_NOMEM || e == BASE_E_CONFIG || e == BASE_E_AUTH || e == BASE_E_MALFORMED || e == BASE_E_UNSUPPORTED || e == BASE_E_CLOSED;
}

int enrichment_lookup_try(struct enrichment_outside *store, struct enrichment_ask *ask, struct base_buf *why, bool (*pause)(void *ctx, int64_t us), void *ctx,
                          uint64_t *ret_fetches)
{
    int e = BASE_E_AGAIN;
    for (uint64_t retry = 0; retry <= ask->lookup->max_retries; retry++) {
        int64_t left_us = ask->until_us - base_clock_mono_us(), wait_us = store->wait_ms ? store->wait_ms(store) * 1000 : 0;
        if (retry > 0 && wait_us < 50000)
            wait_us = 50000;
        if (retry > 0 && left_us <= wait_us)
            break; /* the next try would come too late */
        if (wait_us > 0 && !pause(ctx, wait_us < left_us ? wait_us : left_us))
            return BASE_E_CLOSED;
        base_buf_clear(why);
        base_arena_reset(ask->arena);
        ask->rows = base_arena_zalloc(ask->arena, (size_t)ask->count + 1, sizeof *ask->rows);
        if (!ask->rows)
            return BASE_E_NOMEM;
        ++*ret_fetches;
        e = store->fetch(store, ask, why);
        if (e == 0 || hopeless(e))
            return e;
    }
    return e;
}

static bool pause_here(void *ctx BASE_UNUSED, int64_t us)
{
    struct timespec pause = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
    nanosleep(&pause, NULL);
    return true;
}

/* Asks for one key; afterwards it is known. */
static int ask_for(struct enrichment_lookup *l, const struct cep_tuple *key, struct enrichment_known **ret, struct base_buf *reterr)
{
    struct enrichment_ask ask = { .lookup = l, .keys = &key, .count = 1, .arena = &l->arena };
    struct base_buf why = { .limit = sizeof l->trouble };
    int64_t now_us = base_clock_mono_us();
    if (now_us < l->down_until_us) {
        base_buf_puts(reterr, l->trouble);
        l->stats.failures++;
        return BASE_E_IO;
    }
    ask.until_us = now_us + l->timeout_us;
    l->stats.keys++;
    int e = enrichment_lookup_try(l->outside, &ask, &why, pause_here, NULL, &l->stats.fetches);
    if (e < 0 && e != BASE_E_NOMEM) {
        l->stats.failures++;
        snprintf(l->trouble, sizeof l->trouble, "%.*s", (int)why.len, why.len ? why.ptr : "");
        if (!why.len)
            snprintf(l->trouble, sizeof l->trouble, "%s", base_error_text(e));
        l->down_until_us = e == BASE_E_MALFORMED ? 0 : base_clock_mono_us() + ENRICHMENT_DOWN_US; /* a bad row says nothing of the next one */
        base_buf_puts(reterr, l->trouble);
        e = BASE_E_IO;
    }
    base_buf_finish(&why);
    if (e == 0)
        e = enrichment_known_get(l, key, ret);
    return e ? e : enrichment_known_answer(l, *ret, ask.rows[0]);
}

int enrichment_lookup_find(struct enrichment_lookup *l, const struct cep_tuple *key, const struct cep_row **ret, struct base_buf *reterr)
{
    struct enrichment_known *known = enrichment_known_find(l, key);
    int e = 0;
    l->stats.asked++;
    if (enrichment_known_fresh(known))
        l->stats.hits++;
    else
        e = ask_for(l, key, &known, reterr);
    if (e)
        return e;
    known->used = true;
    *ret = known->row;
    return 0;
}
