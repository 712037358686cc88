/* Rows in Redis by key: a hash per key whose fields are columns, or a text per key that is a JSON object; one pipeline for all keys of a fetch. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "clients/redis.h"
#include "enrichment/lookup_internal.h"

struct store {
    struct enrichment_outside base;
    struct clients_redis *redis;
    struct base_arena arena;
    const char *prefix;
    bool json;             /* 'mode' = 'string' */
};
struct reading { struct store *store; struct enrichment_ask *ask; struct base_buf *why; };

static int64_t wait_ms(const struct enrichment_outside *base)
{
    return clients_redis_wait_ms(((const struct store *)(const void *)base)->redis);
}

static void close_store(struct enrichment_outside *base)
{
    struct store *store = (struct store *)(void *)base;
    clients_redis_destroy(store->redis);
    base_arena_finish(&store->arena);
    base_free(store);
}

static uint32_t field_named(const struct reading *r, struct base_str name)
{
    const struct cep_program *program = enrichment_lookup_settings(r->ask->lookup)->program;
    const struct cep_table *table = enrichment_lookup_table(r->ask->lookup);
    for (uint32_t i = 0; i < table->fields.count; i++)
        if (base_str_equal(cep_program_text(program, cep_program_field(program, table->fields.first + i)->name), name))
            return i;
    return CEP_NONE;
}

static int take_hash(struct reading *r, size_t index, const struct clients_redis_answer *answer)
{
    uint32_t n = enrichment_lookup_table(r->ask->lookup)->fields.count;
    struct cep_value *values = base_arena_zalloc(r->ask->arena, n + 1, sizeof *values);
    int e = values ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < n && e == 0; i++)
        values[i] = cep_null();
    for (size_t i = 0; i + 1 < answer->count && e == 0; i += 2) {
        struct clients_redis_answer name = clients_redis_item(answer, i), value = clients_redis_item(answer, i + 1);
        uint32_t field = name.kind == CLIENTS_REDIS_TEXT && value.kind == CLIENTS_REDIS_TEXT ? field_named(r, name.text) : CEP_NONE;
        if (field != CEP_NONE)
            e = enrichment_lookup_value(r->ask, field, value.text, &values[field], r->why);
    }
    return e ? e : enrichment_lookup_give(r->ask, (uint32_t)index, values);
}

static int take(void *ctx, size_t index, const struct clients_redis_answer *answer)
{
    struct reading *r = ctx;
    switch (answer->kind) {
    case CLIENTS_REDIS_NIL: return 0;
    case CLIENTS_REDIS_LIST: return answer->count ? take_hash(r, index, answer) : 0;
    case CLIENTS_REDIS_TEXT: return enrichment_lookup_give_text(r->ask, (uint32_t)index, answer->text, r->why);
    case CLIENTS_REDIS_ERROR:
        base_buf_printf(r->why, "Redis at %s answers: %.*s", clients_redis_place(r->store->redis), (int)answer->text.len, answer->text.ptr);
        return BASE_E_MALFORMED;
    case CLIENTS_REDIS_STATUS:
    case CLIENTS_REDIS_INTEGER: break;
    }
    return BASE_E_MALFORMED;
}

static int fetch(struct enrichment_outside *base, struct enrichment_ask *ask, struct base_buf *reterr)
{
    struct store *store = (struct store *)(void *)base;
    struct base_buf key = { 0 };
    int e = 0;
    clients_redis_clear(store->redis);
    for (uint32_t i = 0; i < ask->count && e == 0; i++) {
        base_buf_clear(&key);
        base_buf_puts(&key, store->prefix);
        for (uint32_t c = 0; c < enrichment_lookup_table(ask->lookup)->key_fields.count && e == 0; c++) {
            base_buf_puts(&key, c ? ":" : "");
            e = enrichment_lookup_key_text(ask, i, c, &key);
        }
        struct base_str words[2] = { store->json ? BASE_STR("GET") : BASE_STR("HGETALL"), { key.ptr, key.len } };
        if (e == 0)
            e = key.failed ? BASE_E_NOMEM : clients_redis_add(store->redis, words, 2);
    }
    base_buf_finish(&key);
    struct reading reading = { store, ask, reterr };
    return e ? e : clients_redis_run(store->redis, take, &reading, reterr);
}

int enrichment_redis_create(const struct enrichment_lookup *lookup, struct enrichment_outside **ret, struct base_buf *reterr)
{
    const struct enrichment_lookup_config *config = enrichment_lookup_settings(lookup);
    uint32_t timeout_ms = enrichment_lookup_timeout_ms(lookup);
    struct store *store = base_calloc(1, sizeof *store);
    if (!store)
        return BASE_E_NOMEM;
    store->base = (struct enrichment_outside){ fetch, wait_ms, close_store };
    struct base_str name = cep_program_text(config->program, cep_program_table(config->program, config->table)->name);
    const char *mode = enrichment_lookup_option(config, &store->arena, "mode", "hash");
    store->prefix = enrichment_lookup_option(config, &store->arena, "key-prefix", base_arena_printf(&store->arena, "%.*s:", (int)name.len, name.ptr));
    store->json = mode && strcmp(mode, "string") == 0;
    int e = store->prefix && mode ? 0 : BASE_E_NOMEM;
    if (e == 0 && !store->json && strcmp(mode, "hash") != 0) {
        base_buf_printf(reterr, "'mode' cannot be '%s': a lookup reads 'hash' or 'string' (a JSON object)", mode);
        e = BASE_E_CONFIG;
    }
    struct clients_redis_options options = {
        .url = enrichment_lookup_option(config, &store->arena, "url", ""), .user = enrichment_lookup_option(config, &store->arena, "username", ""),
        .password = enrichment_lookup_option(config, &store->arena, "password", ""), .ca_file = enrichment_lookup_option(config, &store->arena, "ca-file", ""),
        .connect_timeout_ms = timeout_ms, .timeout_ms = timeout_ms,
    };
    if (e == 0)
        e = clients_redis_create(&options, &store->redis, reterr);
    if (e < 0) {
        close_store(&store->base);
        return e;
    }
    *ret = &store->base;
    return 0;
}
