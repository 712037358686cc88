/* Changes into a PostgreSQL table, each batch one transaction: INSERT … ON CONFLICT DO UPDATE and DELETE by key; or, without a key, INSERT with a position in a
 * table of ours that the same transaction advances. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/vec.h"
#include "clients/postgres.h"
#include "connectors/store_sink_internal.h"

struct statements BASE_VEC(struct clients_postgres_statement);
struct sink {
    struct connectors_store_sink base;
    struct clients_postgres *postgres;
    const char *table, *positions, *owner;
    const char *insert, *remove;   /* statements, made of the change's columns */
    struct base_arena scratch;     /* statements and parameters of the batch */
    struct statements statements;
    uint64_t session, done;        /* without a key: the connection that was asked, and what it said is in the table */
};

static void sink_interrupt(struct connectors_store_sink *base)
{
    clients_postgres_interrupt(((struct sink *)base)->postgres);
}

static void sink_close(struct connectors_store_sink *base)
{
    struct sink *sink = (struct sink *)base;
    clients_postgres_destroy(sink->postgres);
    BASE_VEC_FINISH(&sink->statements);
    base_arena_finish(&sink->scratch);
    connectors_store_free(base);
}

/* ---- texts of statements ---- */

static void put_name(struct base_str name, struct base_buf *out)
{
    base_buf_putc(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            base_buf_putc(out, '"');
        base_buf_putc(out, name.ptr[i]);
    }
    base_buf_putc(out, '"');
}

static void put_insert(const struct sink *sink, const struct connectors_change *change, struct base_buf *out)
{
    uint32_t rest = 0;
    base_buf_puts(out, "INSERT INTO ");
    clients_postgres_quote(base_str_of(sink->table), out);
    base_buf_puts(out, " (");
    for (uint32_t i = 0; i < change->count; i++) {
        base_buf_puts(out, i ? ", " : "");
        put_name(change->cells[i].name, out);
        rest += !change->cells[i].key;
    }
    base_buf_puts(out, ") VALUES (");
    for (uint32_t i = 0; i < change->count; i++)
        base_buf_printf(out, "%s$%u", i ? ", " : "", i + 1);
    base_buf_putc(out, ')');
    if (!sink->base.keyed)
        return;
    base_buf_puts(out, " ON CONFLICT (");
    bool any = false;
    for (uint32_t i = 0; i < change->count; i++) {
        if (!change->cells[i].key)
            continue;
        base_buf_puts(out, any ? ", " : "");
        put_name(change->cells[i].name, out);
        any = true;
    }
    base_buf_puts(out, rest ? ") DO UPDATE SET " : ") DO NOTHING");
    any = false;
    for (uint32_t i = 0; i < change->count; i++) {
        if (change->cells[i].key)
            continue;
        base_buf_puts(out, any ? ", " : "");
        put_name(change->cells[i].name, out);
        base_buf_puts(out, " = EXCLUDED.");
        put_name(change->cells[i].name, out);
        any = true;
    }
}

static void put_remove(const struct sink *sink, const struct connectors_change *change, struct base_buf *out)
{
    uint32_t number = 0;
    base_buf_puts(out, "DELETE FROM ");
    clients_postgres_quote(base_str_of(sink->table), out);
    for (uint32_t i = 0; i < change->count; i++) {
        if (!change->cells[i].key)
            continue;
        base_buf_puts(out, number ? " AND " : " WHERE ");
        put_name(change->cells[i].name, out);
        base_buf_printf(out, " = $%u", ++number);
    }
}

static int make_texts(struct sink *sink, const struct connectors_change *change)
{
    struct base_buf text = { 0 };
    put_insert(sink, change, &text);
    sink->insert = text.failed ? NULL : base_arena_strndup(&sink->scratch, text.ptr, text.len);
    base_buf_clear(&text);
    put_remove(sink, change, &text);
    sink->remove = text.failed ? NULL : base_arena_strndup(&sink->scratch, text.ptr, text.len);
    base_buf_finish(&text);
    return sink->insert && sink->remove ? 0 : BASE_E_NOMEM;
}

/* ---- a batch ---- */

static int put_param(struct sink *sink, const struct connectors_cell *cell, struct clients_postgres_param *ret, struct base_buf *reterr)
{
    if (cell->kind == CONNECTORS_CELL_NULL)
        return 0;
    if (cell->text.len && memchr(cell->text.ptr, 0, cell->text.len)) {
        base_buf_printf(reterr, "column \"%.*s\": PostgreSQL takes no zero byte in a text", (int)cell->name.len, cell->name.ptr);
        return BASE_E_MALFORMED;
    }
    ret->text = base_arena_strndup(&sink->scratch, cell->text.ptr ? cell->text.ptr : "", cell->text.len);
    ret->len = cell->text.len;
    return ret->text ? 0 : BASE_E_NOMEM;
}

static int add_change(struct sink *sink, const struct connectors_change *change, struct base_buf *reterr)
{
    bool remove = change->remove && sink->base.keyed;
    struct clients_postgres_param *params = base_arena_zalloc(&sink->scratch, change->count + 1, sizeof *params);
    struct clients_postgres_statement statement = { .sql = remove ? sink->remove : sink->insert, .params = params };
    int e = params ? 0 : BASE_E_NOMEM;
    for (uint32_t i = 0; e == 0 && i < change->count; i++) {
        if (!remove || change->cells[i].key)
            e = put_param(sink, &change->cells[i], &params[statement.param_count++], reterr);
    }
    return e < 0 ? e : BASE_VEC_PUSH(&sink->statements, statement) ? 0 : BASE_E_NOMEM;
}

static int on_position(void *ctx, const struct clients_postgres_row *row)
{
    struct base_str text = clients_postgres_get(row, 0);
    int64_t number = 0;
    if (text.ptr && base_str_to_i64(text, &number))
        *(uint64_t *)ctx = (uint64_t)number;
    return 0;
}

/* Without a key: how far the table is. Asked anew on every connection, since the outcome of the last transaction of a broken one is not known. */
static int find_position(struct sink *sink, struct base_buf *reterr)
{
    if (sink->session && sink->session == clients_postgres_sessions(sink->postgres))
        return 0;
    const char *create = base_arena_printf(&sink->scratch, "CREATE TABLE IF NOT EXISTS %s (sink text PRIMARY KEY, position bigint NOT NULL)", sink->positions);
    const char *select = base_arena_printf(&sink->scratch, "SELECT position FROM %s WHERE sink = $1", sink->positions);
    struct clients_postgres_param owner = { sink->owner, strlen(sink->owner) };
    struct clients_postgres_statement asks[] = { { .sql = create }, { .sql = select, .params = &owner, .param_count = 1 } };
    if (!create || !select)
        return BASE_E_NOMEM;
    uint64_t done = 0;
    int e = clients_postgres_query(sink->postgres, &asks[1], on_position, &done, reterr);
    if (e == BASE_E_CONFIG) { /* not there yet: made once, which needs the right to */
        base_buf_clear(reterr); /* the caller hands in an empty one */
        e = clients_postgres_query(sink->postgres, &asks[0], NULL, NULL, reterr);
        if (e == 0)
            e = clients_postgres_query(sink->postgres, &asks[1], on_position, &done, reterr);
    }
    if (e == 0) {
        sink->done = done;
        sink->session = clients_postgres_sessions(sink->postgres);
    }
    return e;
}

static int add_position(struct sink *sink, uint64_t to_seq)
{
    const char *sql = base_arena_printf(&sink->scratch, "INSERT INTO %s (sink, position) VALUES ($1, $2) ON CONFLICT (sink) DO UPDATE SET position = EXCLUDED.position",
                                        sink->positions);
    const char *seq = base_arena_printf(&sink->scratch, "%llu", (unsigned long long)to_seq);
    struct clients_postgres_param *params = base_arena_zalloc(&sink->scratch, 2, sizeof *params);
    if (!sql || !seq || !params)
        return BASE_E_NOMEM;
    params[0] = (struct clients_postgres_param){ sink->owner, strlen(sink->owner) };
    params[1] = (struct clients_postgres_param){ seq, strlen(seq) };
    struct clients_postgres_statement statement = { sql, params, 2 };
    return BASE_VEC_PUSH(&sink->statements, statement) ? 0 : BASE_E_NOMEM;
}

/* The same columns in every change of a table: a change of the table opens the sink anew. But the log may still hold rows of the old one. */
static bool same_columns(const struct connectors_change *a, const struct connectors_change *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!base_str_equal(a->cells[i].name, b->cells[i].name) || a->cells[i].key != b->cells[i].key)
            return false;
    }
    return true;
}

static int sink_apply(struct connectors_store_sink *base, const struct connectors_store_batch *batch, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    base_arena_reset(&sink->scratch);
    sink->statements.len = 0;
    int e = sink->base.keyed ? 0 : find_position(sink, reterr);
    if (e == 0 && !sink->base.keyed && batch->to_seq <= sink->done)
        return 0;
    for (size_t i = 0; e == 0 && i < batch->count; i++) {
        const struct connectors_change *change = &batch->changes[i];
        if (i == 0 || !same_columns(change, &batch->changes[i - 1]))
            e = make_texts(sink, change);
        if (e == 0 && (sink->base.keyed || change->seq > sink->done))
            e = add_change(sink, change, reterr);
    }
    if (e == 0 && !sink->base.keyed)
        e = add_position(sink, batch->to_seq);
    if (e == 0)
        e = clients_postgres_batch(sink->postgres, sink->statements.at, sink->statements.len, reterr);
    if (e == 0 && !sink->base.keyed)
        sink->done = batch->to_seq;
    if (e < 0)
        sink->session = 0;
    return e;
}

static const struct connectors_store_sink_ops ops = { sink_apply, sink_interrupt, sink_close };

static int read_options(struct connectors_store_sink *base, const struct connectors_store_config *config, struct base_buf *reterr)
{
    struct sink *sink = (struct sink *)base;
    struct base_arena *arena = &base->arena;
    int e = connectors_store_need(config, "url", "postgresql://localhost:5432/shop", reterr);
    if (e < 0)
        return e;
    sink->table = connectors_store_table(config, arena);
    sink->owner = connectors_store_owner(config, arena, '/');
    struct base_buf quoted = { 0 };
    const char *positions = connectors_store_option(config, arena, "position-table", "cepheid_positions");
    clients_postgres_quote(base_str_of(positions), &quoted);
    sink->positions = quoted.failed ? NULL : base_arena_strndup(arena, quoted.ptr, quoted.len);
    base_buf_finish(&quoted);
    struct connectors_store_login login;
    e = connectors_store_read_login(config, arena, &login);
    if (e < 0 || arena->failed || !sink->positions)
        return BASE_E_NOMEM;
    e = clients_postgres_create(&(struct clients_postgres_options){ .url = login.url, .user = login.user, .password = login.password, .ca_file = login.ca_file },
                                &sink->postgres, reterr);
    base->place = e == 0 ? clients_postgres_place(sink->postgres) : NULL;
    return e;
}

int connectors_postgres_sink_open(const struct connectors_store_config *config, struct connectors_store_sink **ret, struct base_buf *reterr)
{
    return connectors_store_make(config, sizeof(struct sink), &ops, read_options, ret, reterr);
}
