/* Rows of a PostgreSQL table by key: one SELECT for all keys of a fetch. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "clients/postgres.h"
#include "enrichment/lookup_internal.h"

struct store {
    struct enrichment_outside base;
    struct clients_postgres *postgres;
    struct base_arena arena;
    char *head;            /* SELECT … WHERE (keys) IN ( */
};

static int64_t wait_ms(const struct enrichment_outside *base)
{
    return clients_postgres_wait_ms(((const struct store *)(const void *)base)->postgres);
}

static void close_store(struct enrichment_outside *base)
{
    struct store *store = (struct store *)(void *)base;
    clients_postgres_destroy(store->postgres);
    base_arena_finish(&store->arena);
    base_free(store);
}

static void put_name(const struct cep_program *program, const struct cep_table *table, uint32_t field, struct base_buf *out)
{
    clients_postgres_quote(cep_program_text(program, cep_program_field(program, table->fields.first + field)->name), out);
}

static int make_head(struct store *store, const struct enrichment_lookup_config *config)
{
    const struct cep_table *table = cep_program_table(config->program, config->table);
    struct base_str name = cep_program_text(config->program, table->name);
    struct base_buf sql = { 0 };
    const char *place = enrichment_lookup_option(config, &store->arena, "table-name", base_arena_strndup(&store->arena, name.ptr, name.len));
    base_buf_puts(&sql, "SELECT ");
    for (uint32_t i = 0; i < table->fields.count; i++) {
        base_buf_puts(&sql, i ? ", " : "");
        put_name(config->program, table, i, &sql);
    }
    base_buf_puts(&sql, " FROM ");
    clients_postgres_quote(base_str_of(place), &sql);
    base_buf_puts(&sql, " WHERE (");
    for (uint32_t i = 0; i < table->key_fields.count; i++) {
        base_buf_puts(&sql, i ? ", " : "");
        put_name(config->program, table, *cep_program_u32(config->program, table->key_fields.first + i), &sql);
    }
    base_buf_puts(&sql, ") IN (");
    store->head = sql.failed ? NULL : base_arena_strndup(&store->arena, sql.ptr, sql.len);
    base_buf_finish(&sql);
    return store->head ? 0 : BASE_E_NOMEM;
}

struct reading { struct enrichment_ask *ask; struct base_buf *why; };

static int take_row(void *ctx, const struct clients_postgres_row *row)
{
    struct reading *r = ctx;
    uint32_t n = enrichment_lookup_table(r->ask->lookup)->fields.count;
    struct cep_value *values = base_arena_zalloc(r->ask->arena, n + 1, sizeof *values);
    int e = values ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; i < n && e == 0; i++)
        e = enrichment_lookup_value(r->ask, i, clients_postgres_get(row, i), &values[i], r->why);
    return e ? e : enrichment_lookup_give_row(r->ask, values);
}

/* Numbers of keys are rounded up to powers of two, the last key repeated: so there are few texts, and the server keeps their plans. */
static int fetch(struct enrichment_outside *base, struct enrichment_ask *ask, struct base_buf *reterr)
{
    struct store *store = (struct store *)(void *)base;
    uint32_t columns = enrichment_lookup_table(ask->lookup)->key_fields.count, rounded = 1;
    while (rounded < ask->count)
        rounded *= 2;
    struct clients_postgres_param *params = base_arena_zalloc(ask->arena, (size_t)rounded * columns + 1, sizeof *params);
    struct base_buf sql = { 0 }, text = { 0 };
    int e = params ? 0 : BASE_E_NOMEM;
    base_buf_puts(&sql, store->head);
    for (uint32_t k = 0; k < rounded && e == 0; k++) {
        base_buf_puts(&sql, k ? ", (" : "(");
        for (uint32_t c = 0; c < columns && e == 0; c++) {
            base_buf_printf(&sql, "%s$%u", c ? ", " : "", k * columns + c + 1);
            base_buf_clear(&text);
            e = enrichment_lookup_key_text(ask, k < ask->count ? k : ask->count - 1, c, &text);
            char *copy = e == 0 ? base_arena_strndup(ask->arena, text.ptr ? text.ptr : "", text.len) : NULL;
            params[k * columns + c] = (struct clients_postgres_param){ copy, text.len };
            e = e == 0 && !copy ? BASE_E_NOMEM : e;
        }
        base_buf_puts(&sql, ")");
    }
    base_buf_puts(&sql, ")");
    base_buf_putc(&sql, '\0');
    if (e == 0)
        e = sql.failed ? BASE_E_NOMEM : 0;
    struct clients_postgres_statement statement = { .sql = sql.ptr, .params = params, .param_count = rounded * columns };
    struct reading reading = { ask, reterr };
    if (e == 0)
        e = clients_postgres_query(store->postgres, &statement, take_row, &reading, reterr);
    base_buf_finish(&sql);
    base_buf_finish(&text);
    return e;
}

int enrichment_postgres_create(const struct enrichment_lookup *lookup, struct enrichment_outside **ret, struct base_buf *reterr)
{
    const struct enrichment_lookup_config *config = enrichment_lookup_settings(lookup);
    uint32_t timeout_ms = enrichment_lookup_timeout_ms(lookup);
    struct store *store = base_calloc(1, sizeof *store);
    if (!store)
        return BASE_E_NOMEM;
    store->base = (struct enrichment_outside){ fetch, wait_ms, close_store };
    struct clients_postgres_options options = {
        .url = enrichment_lookup_option(config, &store->arena, "url", ""), .user = enrichment_lookup_option(config, &store->arena, "username", ""),
        .password = enrichment_lookup_option(config, &store->arena, "password", ""), .ca_file = enrichment_lookup_option(config, &store->arena, "ca-file", ""),
        .application = config->application, .connect_timeout_ms = timeout_ms, .timeout_ms = timeout_ms,
    };
    int e = make_head(store, config);
    if (e == 0)
        e = clients_postgres_create(&options, &store->postgres, reterr);
    if (e < 0) {
        close_store(&store->base);
        return e;
    }
    *ret = &store->base;
    return 0;
}
