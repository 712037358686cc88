#include "connectors/store_sink.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "connectors/store_sink_internal.h"

static const struct { const char *connector; connectors_store_opener *open; } kinds[] = {
    { "redis", connectors_redis_sink_open },
    { "postgresql", connectors_postgres_sink_open },
    { "jdbc", connectors_postgres_sink_open }, /* Flink's name; its URL says of what */
    { "clickhouse", connectors_clickhouse_sink_open },
    { "elasticsearch", connectors_search_sink_open },
    { "elasticsearch-7", connectors_search_sink_open }, /* Flink's name */
    { "opensearch", connectors_search_sink_open },
    { "http", connectors_rows_sink_open },
};

bool connectors_is_store(struct base_str connector)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (base_str_equal(connector, base_str_of(kinds[i].connector)))
            return true;
    }
    return false;
}

int connectors_store_sink_open(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(config->connector, kinds[i].connector) == 0)
            return kinds[i].open(config, ret, reterr);
    }
    base_buf_printf(reterr, "no store goes by 'connector' = '%s'", config->connector);
    return BASE_E_CONFIG;
}

int connectors_store_make(const struct connectors_store_config *config, size_t bytes, const struct connectors_store_sink_ops *ops, connectors_store_reader *read,
                          struct connectors_store_sink **ret, struct base_buf *reterr)
{
    struct connectors_store_sink *sink = base_calloc(1, bytes);
    if (!sink)
        return BASE_E_NOMEM;
    sink->ops = ops;
    sink->keyed = config->keyed;
    sink->keep_all = !config->keyed;
    int e = read(sink, config, reterr);
    if (e == 0 && sink->arena.failed)
        e = BASE_E_NOMEM;
    if (e < 0)
        ops->close(sink);
    else
        *ret = sink;
    return e;
}

void connectors_store_free(struct connectors_store_sink *sink)
{
    base_arena_finish(&sink->arena);
    base_free(sink);
}

const char *connectors_store_owner(const struct connectors_store_config *config, struct base_arena *arena, char between)
{
    return base_arena_printf(arena, "%s%c%s", config->owner, between, config->name);
}

int connectors_store_read_login(const struct connectors_store_config *config, struct base_arena *arena, struct connectors_store_login *ret)
{
    ret->url = connectors_store_option(config, arena, "url", "");
    ret->user = connectors_store_option(config, arena, "username", "");
    ret->password = connectors_store_option(config, arena, "password", "");
    ret->ca_file = connectors_store_option(config, arena, "ca-file", "");
    return ret->url && ret->user && ret->password && ret->ca_file ? 0 : BASE_E_NOMEM;
}

const char *connectors_store_table(const struct connectors_store_config *config, struct base_arena *arena)
{
    return connectors_store_option(config, arena, "table-name", base_arena_strndup(arena, config->name, strlen(config->name)));
}

const char *connectors_store_option(const struct connectors_store_config *config, struct base_arena *arena, const char *key, const char *fallback)
{
    for (size_t i = 0; i < config->option_count; i++) {
        if (strcmp(config->options[i].name, key) == 0)
            return base_arena_strndup(arena, config->options[i].value, strlen(config->options[i].value));
    }
    return fallback;
}

int connectors_store_need(const struct connectors_store_config *config, const char *key, const char *example, struct base_buf *reterr)
{
    for (size_t i = 0; i < config->option_count; i++) {
        if (strcmp(config->options[i].name, key) == 0 && config->options[i].value[0])
            return 0;
    }
    base_buf_printf(reterr, "option '%s' is missing, e.g. '%s' = '%s'", key, key, example);
    return BASE_E_CONFIG;
}

void connectors_cell_json(const struct connectors_cell *cell, struct base_buf *out)
{
    switch (cell->kind) {
    case CONNECTORS_CELL_NULL:
        base_buf_puts(out, "null");
        break;
    case CONNECTORS_CELL_NUMBER:
    case CONNECTORS_CELL_BOOL:
    case CONNECTORS_CELL_JSON:
        base_buf_put_str(out, cell->text);
        break;
    case CONNECTORS_CELL_TEXT:
    case CONNECTORS_CELL_TIME:
        base_buf_put_json(out, cell->text);
        break;
    }
}

void connectors_change_json(const struct connectors_change *change, struct base_buf *out)
{
    base_buf_putc(out, '{');
    for (uint32_t i = 0; i < change->count; i++) {
        if (i)
            base_buf_putc(out, ',');
        base_buf_put_json(out, change->cells[i].name);
        base_buf_putc(out, ':');
        connectors_cell_json(&change->cells[i], out);
    }
}

void connectors_change_key(const struct connectors_change *change, struct base_buf *out)
{
    bool any = false;
    for (uint32_t i = 0; i < change->count; i++) {
        if (!change->cells[i].key)
            continue;
        if (any)
            base_buf_putc(out, ':');
        base_buf_put_str(out, change->cells[i].text);
        any = true;
    }
}

void connectors_put_url(struct base_str text, struct base_buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || c == '~') {
            base_buf_putc(out, (char)c);
        } else {
            base_buf_putc(out, '%');
            base_buf_putc(out, hex[c >> 4]);
            base_buf_putc(out, hex[c & 15]);
        }
    }
}
