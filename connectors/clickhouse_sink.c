/* Changes into a ClickHouse table over its HTTP interface, as JSONEachRow. With a key the table is a ReplacingMergeTree: each change is a row with a rising
 * version, so that a repeated batch changes nothing; a removed row is one with its mark of deletion set. Without a key a batch keeps its bounds and bears a token by
 * which ClickHouse drops a repeated one. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "connectors/store_http.h"

struct sink {
    struct connectors_http_sink http;
    const char *url;
    const char *database, *table;
    const char *version, *deleted;  /* columns; NULL: none */
    const char *owner;              /* of tokens; NULL: no tokens */
};

static void put_name(struct base_str name, struct base_buf *out)
{
    base_buf_putc(out, '`');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`' || name.ptr[i] == '\\')
            base_buf_putc(out, '\\');
        base_buf_putc(out, name.ptr[i]);
    }
    base_buf_putc(out, '`');
}

static void put_statement(const struct sink *sink, const struct connectors_change *change, struct base_buf *out)
{
    base_buf_puts(out, "INSERT INTO ");
    put_name(base_str_of(sink->database), out);
    base_buf_putc(out, '.');
    put_name(base_str_of(sink->table), out);
    base_buf_puts(out, " (");
    for (uint32_t i = 0; i < change->count; i++) {
        base_buf_puts(out, i ? ", " : "");
        put_name(change->cells[i].name, out);
    }
    const char *const extra[] = { sink->version, sink->deleted };
    for (size_t i = 0; i < 2; i++) {
        if (extra[i]) {
            base_buf_puts(out, ", ");
            put_name(base_str_of(extra[i]), out);
        }
    }
    base_buf_puts(out, ") FORMAT JSONEachRow");
}

/* ClickHouse's DateTime takes "YYYY-MM-DD hh:mm:ss" everywhere, without fraction and zone: times are UTC, told by the server's or the column's time zone. */
static void put_time(struct base_str text, struct base_buf *out)
{
    struct base_buf plain = { 0 };
    for (size_t i = 0; i < text.len && text.ptr[i] != 'Z'; i++)
        base_buf_putc(&plain, text.ptr[i] == 'T' ? ' ' : text.ptr[i]);
    size_t dot = plain.len;
    while (dot > 0 && plain.ptr[dot - 1] != '.')
        dot--;
    bool whole = dot > 0 && strspn(plain.ptr + dot, "0") == plain.len - dot; /* .000 says nothing */
    base_buf_put_json(out, (struct base_str){ plain.ptr ? plain.ptr : "", whole ? dot - 1 : plain.len });
    base_buf_finish(&plain);
}

static void put_row(const struct sink *sink, const struct connectors_change *change, struct base_buf *out)
{
    base_buf_putc(out, '{');
    for (uint32_t i = 0; i < change->count; i++) {
        base_buf_puts(out, i ? "," : "");
        base_buf_put_json(out, change->cells[i].name);
        base_buf_putc(out, ':');
        if (change->cells[i].kind == CONNECTORS_CELL_TIME)
            put_time(change->cells[i].text, out);
        else if (change->cells[i].kind == CONNECTORS_CELL_BOOL)
            base_buf_putc(out, change->cells[i].text.len == 4 ? '1' : '0'); /* UInt8 in old versions, Bool takes it too */
        else
            connectors_cell_json(&change->cells[i], out);
    }
    if (sink->version) {
        base_buf_putc(out, ',');
        base_buf_put_json(out, base_str_of(sink->version));
        base_buf_printf(out, ":%llu", (unsigned long long)change->seq);
    }
    if (sink->deleted) {
        base_buf_putc(out, ',');
        base_buf_put_json(out, base_str_of(sink->deleted));
        base_buf_puts(out, change->remove ? ":1" : ":0");
    }
    base_buf_puts(out, "}\n");
}

static int make_target(struct sink *sink, const struct connectors_store_batch *batch)
{
    struct base_buf statement = { 0 };
    put_statement(sink, &batch->changes[0], &statement);
    base_buf_clear(&sink->http.text);
    base_buf_printf(&sink->http.text, "%s%squery=", sink->url, strchr(sink->url, '?') ? "&" : "/?");
    connectors_put_url((struct base_str){ statement.ptr ? statement.ptr : "", statement.len }, &sink->http.text);
    if (sink->owner) {
        char range[64];
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)batch->from_seq, (unsigned long long)batch->to_seq);
        base_buf_puts(&sink->http.text, "&insert_deduplicate=1&insert_deduplication_token=");
        connectors_put_url(base_str_of(sink->owner), &sink->http.text);
        base_buf_printf(&sink->http.text, ".%s", range);
    }
    bool failed = statement.failed || sink->http.text.failed;
    base_buf_finish(&statement);
    return failed ? BASE_E_NOMEM : 0;
}

static int sink_apply(struct connectors_store_sink *base, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    if (batch->count == 0)
        return 0;
    base_buf_clear(&sink->http.body);
    for (size_t i = 0; i < batch->count; i++)
        put_row(sink, &batch->changes[i], &sink->http.body);
    int e = make_target(sink, batch);
    if (e == 0)
        e = connectors_http_sink_post(&sink->http, sink->http.text.ptr, reterr);
    if (e == BASE_E_MALFORMED && sink->http.store.response.body.ptr && strstr(sink->http.store.response.body.ptr, "doesn't exist"))
        e = BASE_E_CONFIG;
    return e;
}

static const struct connectors_store_sink_ops ops = { sink_apply, connectors_http_sink_interrupt, connectors_http_sink_close };

static int read_table(struct sink *sink, const struct connectors_store_config *config, struct base_buf *reterr)
{
    struct base_arena *arena = &sink->http.base.arena;
    sink->database = connectors_store_option(config, arena, "database-name", "default");
    sink->table = connectors_store_table(config, arena);
    sink->version = connectors_store_option(config, arena, "version-column", NULL);
    sink->deleted = connectors_store_option(config, arena, "deleted-column", NULL);
    const char *token = connectors_store_option(config, arena, "deduplication-token", "false");
    if (!sink->database || !sink->table || !token)
        return BASE_E_NOMEM;
    if (config->keyed && (!sink->version || !sink->deleted)) {
        base_buf_puts(reterr, "a ClickHouse table with a PRIMARY KEY needs 'version-column' and 'deleted-column': columns of types UInt64 and UInt8 of a table with "
                              "ENGINE = ReplacingMergeTree(<version column>), which is read as SELECT … FINAL WHERE <deleted column> = 0");
        return BASE_E_CONFIG;
    }
    if (strcmp(token, "true") == 0) {
        sink->owner = connectors_store_owner(config, arena, '.');
        sink->http.base.fixed_batches = true;
        return sink->owner ? 0 : BASE_E_NOMEM;
    }
    return 0;
}

static int read_options(struct connectors_store_sink *base, const struct connectors_store_config *config, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    struct base_arena *arena = &base->arena;
    int e = connectors_store_need(config, "url", "http://localhost:8123", reterr);
    if (e < 0)
        return e;
    char *url = (char *)connectors_store_option(config, arena, "url", "");
    sink->url = url;
    e = url ? connectors_store_http_trim_url(url, reterr) : BASE_E_NOMEM;
    if (e == 0)
        e = read_table(sink, config, reterr);
    sink->http.store.who = base_arena_printf(arena, "ClickHouse at %s", url ? url : "");
    base->place = base_arena_printf(arena, "%s, table %s.%s", url ? url : "", sink->database ? sink->database : "", sink->table ? sink->table : "");
    const char *user = connectors_store_option(config, arena, "username", ""), *password = connectors_store_option(config, arena, "password", "");
    if (e == 0 && (!user || !password || !sink->http.store.who || !base->place))
        e = BASE_E_NOMEM;
    if (e == 0 && *user)
        e = connectors_store_http_header(&sink->http.store, "X-ClickHouse-User", user);
    if (e == 0 && *password)
        e = connectors_store_http_header(&sink->http.store, "X-ClickHouse-Key", password);
    return e == 0 ? connectors_store_http_open(config, arena, false, true, &sink->http.store, reterr) : e;
}

int connectors_clickhouse_sink_open(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr)
{
    return connectors_store_make(config, sizeof(struct sink), &ops, read_options, ret, reterr);
}
